/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the parts of the broker share.
 */
#pragma once

#include "net/engine.h"
#include "net/policy.h"

#define RECORD_BUCKETS 1024

/* A connection that was made, for the log and for the check of its name. */
struct record {
	struct record *next;
	uint32_t id;
	enum net_proto proto;
	bool is_inbound;
	int rule;
	struct net_end dest; /* inbound: the client */
	int64_t since;	     /* loop_now() */
};

struct forwarder;
struct inbound;

struct broker {
	struct loop loop;
	const struct broker_start *start;
	struct policy policy;
	struct link main, engine, slirp, factory;
	struct loop_item addresses;
	struct record *records[RECORD_BUCKETS];
	uint32_t last_id; /* of connections that we begin: they count down */
	struct attempt *attempts;
	size_t attempt_count;
	struct forwarder *forwarder;
	struct inbound *inbound;
	unsigned ended; /* of engine and libslirp: how many have told all */
};

/* ---- log.c ---- */

struct log_line {
	const char *event; /* "flow", "denied", "query" */
	enum net_proto proto;
	const char *name;	    /* or NULL */
	const struct net_end *dest; /* or NULL */
	bool is_inbound, allowed;
	int rule; /* index, or enum policy_reason */
	uint64_t sent, received;
	int64_t milliseconds; /* negative: none */
};

/** log_write - a line of JSON to --net-log, if there is one */
void log_write(const struct broker *broker, const struct log_line *line);

/* ---- broker.c ---- */

/** broker_record - remember connection @id */
void broker_record(struct broker *broker, const struct record *record);

/** broker_pin - @name was answered with @addr: here and in libslirp's process */
void broker_pin(struct broker *broker, const char *name, const struct net_addr *addr, uint32_t ttl);

/* ---- forwarder.c ---- */

/** forwarder_start - serve the sockets of the nameserver; 0 or -errno */
must_check int forwarder_start(struct broker *broker);

/** forwarder_set - the nameservers are those of @text, a resolv.conf, unless options name some */
void forwarder_set(struct broker *broker, const char *text);

/** forwarder_tick - each second while forwarder_waits() */
void forwarder_tick(struct broker *broker);
bool forwarder_waits(const struct broker *broker);

/* ---- inbound.c ---- */

/** inbound_start - serve the published sockets; 0 or -errno */
must_check int inbound_start(struct broker *broker);

/** inbound_publish - serve, or (@msg's flag) no longer, what MSG_PUBLISH says; takes fds[0] */
void inbound_publish(struct broker *broker, const struct net_msg *msg, int fds[2]);

/** inbound_made - the factory's answer; takes fds[0] */
void inbound_made(struct broker *broker, const struct net_msg *msg, int fds[2]);

/** inbound_listening - a socket inside began or ended to listen */
void inbound_listening(struct broker *broker, const struct net_msg *msg);

/** inbound_end - tell of clients of datagrams to the log */
void inbound_end(struct broker *broker);

void inbound_tick(struct broker *broker);
bool inbound_waits(const struct broker *broker);
