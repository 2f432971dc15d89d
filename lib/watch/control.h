/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The control socket of a sandbox with a name: lines of JSON from processes of the same user,
 * docs/control.md.
 */
#pragma once

#include "watch/registry.h"

struct pollfd;

#define CONTROL_CLIENTS 64
#define CONTROL_POLLS (1 + CONTROL_CLIENTS)
#define CONTROL_LINE 4096 /* the longest line that is read, its newline included */

/* What somebody asks of the supervisor. */
enum control_verb {
	CONTROL_NOTHING,
	CONTROL_SIGNAL, /* send COMMAND the signal */
	CONTROL_KILL,	/* kill all that is in the sandbox */
	CONTROL_EXEC,	/* start another COMMAND */
	CONTROL_BIND,	/* add binds; the words are their options */
	CONTROL_UNBIND, /* take the mount at the path that is the word away */
	CONTROL_NET,	/* change what is published, and rules; the words are their options */
	CONTROL_UNPUBLISH,
	CONTROL_LIMITS, /* change limits; the words are their options */
	CONTROL_FREEZE,
	CONTROL_THAW
};

#define CONTROL_WORDS 64

/* The descriptors that come with a request: of exec, in this order. */
enum control_fd {
	EXEC_FD_WORDS, /* a file: options, then COMMAND; a NUL behind each word */
	EXEC_FD_STDIN,
	EXEC_FD_STDOUT,
	EXEC_FD_STDERR,
	EXEC_FD_PTY, /* a socket for its terminal's master; it may be missing */
	CONTROL_FDS
};

/* What its caller may say while it runs: when COMMAND ends, kill what it leaves. */
#define EXEC_KILL_REST "{\"command\": \"kill-rest\"}\n"

/* What may be otherwise soon. */
#define CONTROL_STARTING "it is only starting" /* what exec is told until COMMAND runs */
#define CONTROL_FULL "too many connections"

#define CONTROL_ANSWER ((size_t)16 << 10) /* the longest line that is sent */

struct control_request {
	enum control_verb verb;
	int signal;
	/* Where the answer goes. CONTROL_EXEC hands it over, with the descriptors: who carries it
	 * out closes them. */
	int connection_fd;
	char line[CONTROL_LINE];
	char *words[CONTROL_WORDS + 2]; /* in line, as argv: the first is a name */
	pid_t peer;
	int fds[CONTROL_FDS];
	bool in_background; /* the terminal is another's at the moment */
};

struct control_client {
	int fd; /* -1: no client */
	bool waits;
	int errand_fd;	 /* pidfd of who carries out its last request, -1: it may go on */
	bool is_resumed; /* that has ended; lines may have come meanwhile */
	pid_t peer;
	int fds[CONTROL_FDS]; /* that came and are not taken yet, -1 */
	size_t length;
	char *line; /* CONTROL_LINE bytes */
};

struct control {
	int listen_fd;			/* -1: there is no socket in the registry */
	struct control_client *clients; /* CONTROL_CLIENTS; NULL: nobody can ask for anything */
};

#define CONTROL_INIT ((struct control){ .listen_fd = -EBADF })

/** control_start - make the socket of the supervisor's entry, where it has one, and take the one of
 * --control-fd */
must_check int control_start(struct control *control, const struct registry *registry,
			     const struct plan *plan, struct cloche_error *err);

/** control_poll - what to wait for, into CONTROL_POLLS entries at @fds; this and control_act() only
 * where there are clients */
void control_poll(const struct control *control, struct pollfd *fds);

/**
 * control_act - accept, read and answer, by what poll(2) returned in @fds
 *
 * Returns: true with *@ret_request filled where something is to be done; the rest comes with the
 * next poll(2).
 */
bool control_act(struct control *control, const struct pollfd *fds,
		 struct control_request *ret_request);

/** control_is_trusted - is the peer of @fd a process of the user's or root's that is in our user
 * and pid namespace, and so in no sandbox? *@ret_peer: its pid */
bool control_is_trusted(int fd, pid_t *ret_peer);

/** control_agree - answer on @fd that it is done */
void control_agree(int fd);

/** control_agree_published - the same, and tell what was published by it: JSON objects */
void control_agree_published(int fd, const char *published);

/** control_fail - answer on @fd what went wrong, in the lines that report_message() would print */
void control_fail(int fd, const struct spec *spec, const struct cloche_error *err);

/** control_refuse - answer on @fd that what was asked for is not done, and why */
void control_refuse(int fd, const char *why);

struct str_buf;
/** control_ended - append the event that tells COMMAND's exit @status; negative: it never ran */
void control_ended(struct str_buf *out, int status);

/** control_read_end - the status that control_ended() put into @text, which is changed; 128 +
 * SIGKILL where there is none */
int control_read_end(char *text);

/** control_wait - read no more from the client at @connection_fd until control_resume():
 * @errand_fd, a pidfd, carries out its request and answers it */
void control_wait(struct control *control, int connection_fd, int errand_fd);

/** control_resume - @errand_fd has ended */
void control_resume(struct control *control, int errand_fd);

/** control_end - tell those who wait that COMMAND ended with @status, and close all; -1: it never
 * ran */
void control_end(struct control *control, int status);
