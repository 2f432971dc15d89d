/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What --net and its options say, as plain data. The command line's setters fill it option by
 * option, and so does cloche-net from the words NAME=VALUE that it gets: both by net_config_add().
 */
#pragma once

#include "netconf/rule.h"

#define NET_IFNAME_MAX 16 /* terminated, IFNAMSIZ */
#define NET_DNS_MAX 8

enum net_path {
	PATH_AUTO,
	PATH_SPLICE,
	PATH_SLIRP
};

enum net_carrier {
	CARRIER_AUTO,
	CARRIER_TAP,
	CARRIER_PACKET
};

enum net_resolv {
	RESOLV_AUTO,
	RESOLV_HOST,
	RESOLV_NONE
};

/* A name that the forwarder knows by itself. */
struct net_host {
	char name[NET_NAME_MAX];
	struct net_addr addr;
};

/* One --publish: host ports first to last lead to inside, inside + 1... */
struct net_publish {
	enum net_proto proto;
	struct net_addr addr; /* none: 127.0.0.1 and ::1 */
	uint16_t first, last; /* 0: any free one */
	uint16_t inside;
	const char *path; /* of a unix socket instead of address and ports; borrowed; or NULL */
	int use;
};

struct net_config {
	struct net_rule *rules;
	size_t rule_count;
	struct net_host *hosts;
	size_t host_count;
	struct net_publish *publishes;
	size_t publish_count;
	struct net_ports *host_ports; /* of --net-allow-host */
	size_t host_port_count;
	struct net_addr dns[NET_DNS_MAX];
	size_t dns_count;
	bool lan, publish_auto;
	bool publish_later; /* ports may be published while COMMAND runs */
	int log_use, pcap_use;
	int log_fd;	  /* where --net-log names a descriptor, else -1 */
	const char *log;  /* path; borrowed; or NULL */
	const char *pcap; /* path; borrowed; or NULL */
	enum net_path path;
	enum net_carrier carrier;
	enum net_resolv resolv;
	bool fails_closed; /* the sandbox goes on without network, else it ends */
	struct net_prefix cidr;
	bool has_cidr;
	uint32_t mtu;
	char ifname[NET_IFNAME_MAX];
	bool has_mac;
	uint8_t mac[6];
};

/** net_config_init - the defaults */
void net_config_init(struct net_config *config);

/** net_config_free - release what it owns; fine on a zeroed one */
void net_config_free(struct net_config *config);

/**
 * net_config_add - take option @name (without --) with @value (borrowed while @config lives; "" for
 * options without one)
 * @use: for messages
 * @ret_what: where -EINVAL: what the value should have been, a static string
 *
 * Returns: 0; -EINVAL; -ENOENT: no such option; -ENOMEM.
 */
must_check int net_config_add(struct net_config *config, const char *name, const char *value,
			      int use, const char **ret_what);

/** net_config_put_first - a rule before all others, @text copied; 0, -EINVAL or -ENOMEM */
must_check int net_config_put_first(struct net_config *config, const char *text, bool allows);

/** net_config_dead_rule - a rule that can never match, because of one before it or because of what
 * it names: its index, -1 where there is none */
int net_config_dead_rule(const struct net_config *config);

/** net_config_has_names - are there rules about names, so that only names may be reached? */
bool net_config_has_names(const struct net_config *config);
