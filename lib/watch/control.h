/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The control socket of a sandbox with a name: lines of JSON from processes of the same user,
 * docs/control.md.
 */
#pragma once

#include "watch/registry.h"

struct pollfd;

#define CONTROL_CLIENTS 16
#define CONTROL_POLLS (1 + CONTROL_CLIENTS)
#define CONTROL_LINE 4096 /* the longest line that is read, its newline included */

/* What somebody asks of the supervisor. */
enum control_verb {
	CONTROL_NOTHING,
	CONTROL_SIGNAL, /* send COMMAND the signal */
	CONTROL_KILL	/* kill all that is in the sandbox */
};

struct control_request {
	enum control_verb verb;
	int signal;
};

struct control_client {
	int fd; /* -1: no client */
	bool waits;
	size_t length;
	char *line; /* CONTROL_LINE bytes */
};

struct control {
	int listen_fd; /* -1: there is no socket */
	struct control_client clients[CONTROL_CLIENTS];
};

#define CONTROL_INIT ((struct control){ .listen_fd = -EBADF })

/** control_start - make the socket of the supervisor's entry, where it has one */
must_check int control_start(struct control *control, const struct registry *registry,
			     const struct plan *plan, struct cloche_error *err);

/** control_poll - what to wait for, into CONTROL_POLLS entries at @fds */
void control_poll(const struct control *control, struct pollfd *fds);

/**
 * control_act - accept, read and answer, by what poll(2) returned in @fds
 *
 * Returns: true with *@ret_request filled where something is to be done; the rest comes with the
 * next poll(2).
 */
bool control_act(struct control *control, const struct pollfd *fds,
		 struct control_request *ret_request);

/** control_end - tell those who wait that COMMAND ended with @status, and close all; -1: it never
 * ran */
void control_end(struct control *control, int status);
