/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The processes of cloche-net, each a function that returns only on failure. What they are given
 * is theirs; see docs/architecture.md for who has what.
 */
#pragma once

#include "net/relay.h"
#include "net/setup.h"

/**
 * engine_run - the engine: takes redirected connections and held SYNs, relays
 * @broker_fd: messages; @capture_fd: a pcapng file to write, or -1; @capture_socket: packets, or -1
 * @totals: shared memory
 *
 * In the jail, in the sandbox's network. Returns: 0 at the broker's end, or -errno.
 */
must_check int engine_run(const struct setup *setup, int broker_fd, int capture_fd,
			  int capture_socket, struct net_totals *totals);

/** factory_run - the factory: makes sockets inside for the broker at @broker_fd; @diag_fd: looks
 * for listening ones by it, or -1 */
must_check int factory_run(int broker_fd, int diag_fd);

struct slirp_start {
	struct net_config *config; /* rules are added while it runs */
	struct net_layout layout;
	int carrier_fd, broker_fd;
	bool has_tcp; /* libslirp makes connections, as the fallback */
	struct net_totals *totals;
};

/** slirp_run - libslirp on the frames of the carrier */
must_check int slirp_run(const struct slirp_start *start);

struct broker_start {
	struct net_config *config; /* rules are added while it runs */
	struct net_layout layout;
	int main_fd, engine_fd, slirp_fd, factory_fd; /* messages; factory: -1 */
	int dns_udp[2], dns_tcp[2];		      /* the nameserver's sockets inside */
	int log_fd;				      /* -1 */
	int address_fd;				      /* netlink: the host's addresses */
	const struct published *published;
	size_t published_count;
};

/* A host socket of --publish. */
struct published {
	int fd;
	enum net_proto proto;
	uint16_t inside;
	uint16_t port;	      /* on the host; 0: a unix socket */
	struct net_addr addr; /* on the host */
	bool is_auto;	      /* of --publish-auto */
};

/** broker_run - the broker: policy, connections, nameserver, published ports, log */
must_check int broker_run(const struct broker_start *start);
