/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Connections: bytes from one socket to the other and back, by splice(2), without ever seeing them
 * (but the first, where a name has to be checked). In the engine.
 */
#pragma once

#include "net/loop.h"

struct net_totals {
	uint64_t sent, received; /* bytes of payload, from the sandbox's point of view */
};

struct relay;
struct conn;

/* What an idle connection needs stays below 1 kB, without the kernel's sockets. */
struct conn {
	struct conn *next, **place; /* all of them */
	struct loop_item items[2];  /* [0]: the sandbox's socket, [1]: the host's */
	struct relay *relay;
	struct half {
		int pipe[2]; /* -1 while it holds nothing */
		size_t held; /* bytes in it */
		bool has_ended, is_shut;
		bool is_urgent; /* there was urgent data, which splice(2) does not pass */
	} halves[2];		/* [i]: from socket i to the other */
	uint32_t id;
	bool waits_for_name; /* nothing of the client's goes on yet */
	bool has_asked;
	bool is_dead; /* to be freed */
	uint64_t bytes[2];
	struct net_end source, dest; /* as the sandbox sees them; for captures */
};

#define RELAY_POOL 16

struct relay {
	struct loop *loop;
	struct net_totals *totals;
	struct conn *conns;
	size_t conn_count;
	int pool[RELAY_POOL][2]; /* empty pipes */
	size_t pool_count;
	void (*ended)(struct relay *relay, struct conn *conn);
	void (*named)(struct relay *relay, struct conn *conn, const char *name); /* "": none */
	void *context;
};

/**
 * relay_start - serve the sockets @inside and @outside, taken in any case
 * @check_name: hold the client's bytes back until relay_allow()
 *
 * Returns: the connection; NULL where it failed: both are reset then.
 */
struct conn *relay_start(struct relay *relay, uint32_t id, int inside, int outside,
			 bool check_name);

/** relay_allow - the name is fine */
void relay_allow(struct conn *conn);

/** relay_reset - end it by RST to both */
void relay_reset(struct conn *conn);

/** relay_reset_fd - close a TCP socket by RST */
void relay_reset_fd(int fd);

/** relay_find - the connection @id; NULL */
struct conn *relay_find(const struct relay *relay, uint32_t id);
