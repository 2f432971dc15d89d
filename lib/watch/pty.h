/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * COMMAND's own terminal, outside: what is typed goes to its master, what COMMAND prints comes from
 * there.
 */
#pragma once

#include "enter/enter.h"
#include "watch/pty-filter.h"
#include "watch/terminal.h"

struct pollfd;

#define PTY_POLLS 4

/* How something of the caller's is written to without waiting. Its open file description is shared,
 * so O_NONBLOCK cannot be set. */
enum pty_sink {
	SINK_OWN,    /* opened anew: does not wait */
	SINK_SOCKET, /* a flag of send(2) says so */
	SINK_FILE,   /* nothing there makes anybody wait long: a file, /dev/null */
	SINK_CAREFUL /* a terminal or pipe that cannot be opened anew: little, once poll(2) says
			that there is room */
};

/* Bytes on their way. */
struct pty_stream {
	char *data; /* PTY_BUFFER bytes, NULL where there is no terminal */
	size_t start, end;
};

struct pty {
	int channel_fd; /* to the child: the master comes, then a byte for each stop; -1 */
	int master_fd;	/* -1: it has not come yet, or is hung up */
	int slave_fd;	/* held, so that the master never sees an end before ours */
	int in_fd;	/* what is typed, -1 */
	int out_fd;	/* where it is shown, -1 */
	bool owns_in;
	enum pty_sink sink;
	int target_fd; /* pidfd of whom signals go to: the init process, or COMMAND where there is
			  none; borrowed */
	struct terminal terminal;
	bool is_wanted;	    /* COMMAND has the terminal, or asked for it */
	bool is_asking;	    /* ... and waits, stopped, until it gets it */
	bool suspend_typed; /* the terminal's suspend character was typed since the last stop */
	bool at_line_start; /* of what was typed: where the end of file can be */
	bool in_ended;
	struct pty_stream in, out;
	struct pty_filter *filter; /* NULL: all passes */
};

#define PTY_INIT                                                                                   \
	((struct pty){ .channel_fd = -EBADF,                                                       \
		       .master_fd = -EBADF,                                                        \
		       .slave_fd = -EBADF,                                                         \
		       .in_fd = -EBADF,                                                            \
		       .out_fd = -EBADF,                                                           \
		       .target_fd = -EBADF,                                                        \
		       .terminal = { .fd = -EBADF, .flags = { -1, -1, -1 } } })

/** pty_prepare - before clone: note the caller's terminal, make the channel and @enter's part; only
 * the first where COMMAND gets no terminal of its own */
must_check int pty_prepare(struct pty *pty, const struct facts *facts, struct enter *enter,
			   struct cloche_error *err);

/** pty_begin - COMMAND runs, with @pidfd to signal it by: take the caller's terminal for it */
void pty_begin(struct pty *pty, int pidfd);

/** pty_poll - what to wait for, into PTY_POLLS entries at @fds */
void pty_poll(const struct pty *pty, struct pollfd *fds);

/** pty_act - carry bytes, and follow stops, by what poll(2) returned in @fds */
void pty_act(struct pty *pty, const struct pollfd *fds);

/** pty_patience - milliseconds to wait at most; -1: for ever */
int pty_patience(const struct pty *pty);

/** pty_resize - the caller's terminal has another size */
void pty_resize(const struct pty *pty);

/** pty_resume - we go on after a stop, perhaps in the foreground now */
void pty_resume(struct pty *pty);

/** pty_suspend - stop ourselves by @number as the terminal's signal would, the terminal as it was;
 * returns when we go on */
void pty_suspend(struct pty *pty, int number);

/** pty_end - show what is left, unless @signal_fd tells that somebody wants us to end, and restore
 * the caller's terminal */
void pty_end(struct pty *pty, int signal_fd);
