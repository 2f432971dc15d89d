/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The inside of the network, made before COMMAND starts: interface, addresses, routes, rules,
 * listeners. Runs in the process that becomes the engine, in the sandbox's user and network
 * namespace with all capabilities there, on the host's file system.
 */
#pragma once

#include "netconf/config.h"
#include "netconf/layout.h"

enum net_hold {
	HOLD_NONE,
	HOLD_NATIVE, /* the queue expression of nft */
	HOLD_COMPAT  /* the NFQUEUE target through nft-compat */
};

struct setup {
	const struct net_config *config;
	struct net_layout layout;
	int tun_fd; /* O_PATH on /dev/net/tun, -1 */
	int tun_errnum;

	/* Results */
	int carrier_fd; /* frames of the interface, each behind a struct virtio_net_hdr; owned */
	enum net_carrier carrier;
	int listener[2]; /* redirected connections of IPv4 and IPv6, -1; owned */
	uint16_t listener_port[2];
	int dns_udp[2], dns_tcp[2]; /* owned */
	int queue_fd;		    /* of held SYNs, -1; owned */
	bool has_splice;
	enum net_hold hold;
	int carrier_errnum; /* why there is no TAP, 0 */
	int splice_errnum;  /* why connections are not redirected */
	int hold_errnum;    /* why SYNs are not held */
	const char *failed; /* what could not be done, a static string */
};

#define SETUP_PUBLISH_MARK 0x10 /* packets of published connections, towards the service */

/* Marks of SYNs that come back from the queue to be refused. */
enum setup_mark {
	MARK_RESET = 1,	       /* ECONNREFUSED */
	MARK_HOST_UNREACHABLE, /* EHOSTUNREACH */
	MARK_NET_UNREACHABLE   /* ENETUNREACH */
};

/** setup_init - no descriptors yet */
void setup_init(struct setup *setup, const struct net_config *config);

/** setup_make - all of it; 0 or -errno with failed set */
must_check int setup_make(struct setup *setup);

/* ---- parts (nft.c, carrier.c, hold.c) ---- */

/** carrier_make - the interface config->ifname, and carrier_fd; 0 or -errno with failed set */
must_check int carrier_make(struct setup *setup);

/** nft_redirect - redirect TCP to the listeners; 0 or -errno */
must_check int nft_redirect(const struct setup *setup);

/** nft_hold - queue SYNs, by HOLD_NATIVE or HOLD_COMPAT; 0 or -errno */
must_check int nft_hold(const struct setup *setup, enum net_hold hold);

/** nft_publish - let answers to published connections find their way back; 0 or -errno */
must_check int nft_publish(void);

/** hold_open - the socket of the queue; fd or -errno */
must_check int hold_open(void);

struct held {
	uint32_t id;
	struct net_end source, dest;
};

/** hold_read - one held SYN; 0, -EAGAIN, -EBADMSG for what is none (ret_held->id is valid if not
 * 0), or -errno */
must_check int hold_read(int fd, struct held *ret_held);

/** hold_decide - let it go on; or come back with @mark, not 0; or drop it (@drop) */
void hold_decide(int fd, uint32_t id, uint32_t mark, bool drop);
