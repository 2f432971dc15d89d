/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Rules of --net-allow and --net-deny: [tcp:|udp:|icmp:]CIDR|DOMAIN|*[:PORTS]. Pure.
 */
#pragma once

#include "netconf/addr.h"

#define NET_NAME_MAX 254 /* bytes of a domain name's text, terminated */
#define NET_PORTS_MAX 16 /* ranges of one rule */

enum net_proto {
	NET_ANY = 0,
	NET_TCP = IPPROTO_TCP,
	NET_UDP = IPPROTO_UDP,
	NET_ICMP = IPPROTO_ICMP
};

struct net_ports {
	uint16_t first, last;
};

enum net_rule_kind {
	RULE_ANY,
	RULE_PREFIX,
	RULE_NAME,  /* this name */
	RULE_BELOW, /* names below it, of one label more or of many */
};

struct net_rule {
	bool allows;
	enum net_proto proto;
	enum net_rule_kind kind;
	struct net_prefix prefix;
	char name[NET_NAME_MAX];
	struct net_ports ports[NET_PORTS_MAX];
	size_t port_count; /* 0: all ports */
	int use;	   /* of the option, for messages */
	const char *text;  /* as typed, borrowed */
};

/** net_name_normalize - a domain name in the one form that is compared: small letters, no dot at
 * the end. -EINVAL: empty, longer than 253, an empty label or one longer than 63, any byte but
 * letters, digits, '-' and '_', a label that begins or ends with '-' */
must_check int net_name_normalize(const char *name, char ret_name[NET_NAME_MAX]);

/** net_rule_parse - read a rule; 0 or -EINVAL. Addresses are given as such: a name whose last label
 * is a number is refused, so that 127.1 or 0x7f000001 is no domain */
must_check int net_rule_parse(const char *text, bool allows, struct net_rule *ret_rule);

/** net_rule_names - is it about names? */
static inline bool net_rule_names(const struct net_rule *rule)
{
	return rule->kind == RULE_NAME || rule->kind == RULE_BELOW;
}

/** net_rule_matches_port - does it say anything about @proto and, but for ICMP, @port? */
bool net_rule_matches_port(const struct net_rule *rule, enum net_proto proto, uint16_t port);

/** net_rule_matches_name - is @name, in the normal form, one that it names? */
bool net_rule_matches_name(const struct net_rule *rule, const char *name);

/** net_rule_covers - does @first, standing before it, leave @later nothing to match? */
bool net_rule_covers(const struct net_rule *first, const struct net_rule *later);
