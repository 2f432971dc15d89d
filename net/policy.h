/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who may be reached: the one table for all paths. The user's rules in order, the first that
 * matches wins; under them what is never reached unless a rule names it: the host, its neighbours.
 * Pure, but for memory; the broker and libslirp's process have a copy each.
 */
#pragma once

#include "net/setup.h"

/* Why, where no rule says it. */
enum policy_reason {
	REASON_DEFAULT = -1,
	REASON_LOOPBACK = -2,
	REASON_HOST = -3,
	REASON_LINK_LOCAL = -4,
	REASON_METADATA = -5,
	REASON_MULTICAST = -6,
	REASON_PRIVATE = -7,
	REASON_SANDBOX = -8, /* an address of the sandbox's own network */
	REASON_NO_NAME = -9, /* rules name names, and nobody asked for one with this address */
	REASON_NAME = -10, /* the client asks for another name than the nameserver was asked for */
	REASON_REBIND = -11,	 /* a nameserver answered with an address that is denied */
	REASON_NOT_CARRIED = -12 /* of a kind that we do not carry */
};

struct policy_verdict {
	bool allowed;
	bool check_name;     /* ... as long as the client's first bytes ask for no other name */
	int rule;	     /* index of the rule, or enum policy_reason */
	struct net_end dest; /* where it really goes */
};

struct policy_pin {
	struct policy_pin *next;
	struct net_addr addr;
	int64_t expires; /* loop_now() */
	char name[];
};

#define POLICY_BUILTINS 19
#define POLICY_BUCKETS 512
#define POLICY_PINS_MAX 16384

struct policy {
	struct net_config *config;
	struct net_layout layout;
	bool has_names, has_allows;
	struct net_addr *host_addrs;
	size_t host_addr_count;
	struct net_prefix builtins[POLICY_BUILTINS]; /* in the order of the table of policy.c */
	struct policy_pin *pins[POLICY_BUCKETS];
	size_t pin_count;
};

/** policy_init - @config is borrowed */
void policy_init(struct policy *policy, struct net_config *config, const struct net_layout *layout);

/** policy_put_first - a rule before all others; 0 or -errno. What goes on already is not ended */
must_check int policy_put_first(struct policy *policy, const char *text, bool allows);

/** policy_check - may @proto reach @dest, whose port is 0 for ICMP? */
struct policy_verdict policy_check(const struct policy *policy, enum net_proto proto,
				   const struct net_end *dest);

/** policy_check_name - may the client of such a connection ask for @name there? "": it asked for
 * none */
bool policy_check_name(const struct policy *policy, enum net_proto proto,
		       const struct net_end *dest, const char *name);

/** policy_allows_name - may the nameserver be asked for @name? */
bool policy_allows_name(const struct policy *policy, const char *name, int *ret_rule);

/** policy_allows_answer - may a nameserver's answer hold @addr? */
bool policy_allows_answer(const struct policy *policy, const struct net_addr *addr);

/** policy_pin - @name has @addr, for @ttl seconds and some more; what does not fit is forgotten */
void policy_pin(struct policy *policy, const char *name, const struct net_addr *addr, uint32_t ttl);

/** policy_name_of - a name that was answered with @addr; "" where there is none */
const char *policy_name_of(const struct policy *policy, const struct net_addr *addr);

/** policy_host_addr - the host has @addr, or (@gone) no longer; 0 or -ENOMEM */
must_check int policy_host_addr(struct policy *policy, const struct net_addr *addr, bool gone);

/** policy_reason_text - in words; for @rule an index: NULL */
const char *policy_reason_text(int rule);
