/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Messages between cloche and the processes of cloche-net, on SOCK_SEQPACKET sockets.
 */
#pragma once

#include "netconf/rule.h"

enum net_msg_type {
	MSG_READY = 1, /* of any process: jailed, and at work */
	MSG_CONNECT,   /* engine: may a connection to dest be made? id is the engine's */
	MSG_CONNECTED, /* broker: its result; status 0 with a socket, or an errno */
	MSG_NAME,      /* engine: the client of connection id asks for name */
	MSG_NAMED,     /* broker: status 0 or EACCES */
	MSG_CLOSED,    /* engine: connection id ended; sent and received */
	MSG_PAIR,      /* broker: relay between these two sockets, as connection id */
	MSG_MAKE,      /* broker: make a socket inside, from source to dest */
	MSG_MADE,      /* factory: status, and the socket */
	MSG_LISTENING, /* factory: dest.port listens inside; status 0: begins, 1: ends */
	MSG_PIN,       /* broker: name has the address dest, ttl seconds */
	MSG_HOST_ADDR, /* broker: dest is an address of the host's; none: forget all */
	MSG_DENIED,    /* slirp: dest was refused */
	MSG_FLOW,      /* slirp: a flow of UDP or ICMP, or its end */
	MSG_END,       /* to all: tell what is not told yet; and back: done */
	MSG_RESOLV,    /* main: the text of resolv.conf follows */
	MSG_FAILED,    /* main: it could not be done; status, name says what, use */
	MSG_DIED,      /* main: one of the processes died; name says which */
	MSG_PUBLISH, /* cloche: name as --publish has it; main to broker: a socket of it, source on
			the host and dest.port inside. flag: no longer */
	MSG_RULE, /* cloche to main to broker to slirp: name is a rule, before all others; flag: it
		     allows */
	MSG_CHANGED /* main: status of the last of these two; name says what failed */
};

/* Plain data; what a message does not need is zero. Bytes may follow. */
struct net_msg {
	uint16_t type;
	uint8_t proto;
	bool flag;
	uint32_t id;
	int32_t status;
	int32_t rule; /* index, or enum policy_reason */
	int32_t use;
	uint32_t ttl;
	struct net_end source, dest;
	uint64_t sent, received;
	char name[NET_NAME_MAX];
};
