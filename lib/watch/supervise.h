/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * From clone to the end: the supervisor follows the child that run.c made.
 */
#pragma once

#include "enter/enter.h"
#include "watch/cgroup.h"
#include "watch/control.h"
#include "watch/detach.h"
#include "watch/exec.h"
#include "watch/join.h"
#include "watch/net.h"
#include "watch/pin.h"
#include "watch/pty.h"
#include "watch/stop.h"
#include "watch/usage.h"

/* One start, as the supervisor sees it. */
struct run {
	const struct plan *plan;
	struct enter *enter;
	bool is_attached; /* the child is another's, who tells how it ends by the status_fd */
	int pidfd;	  /* of the child */
	int error_fd;	  /* read ends */
	int status_fd;	  /* -1 where the child's own exit status tells */
	int go_fd;	  /* write end, -1: nobody waits */
	int ready_fd;	  /* read end: at its end the child has all its namespaces, -1 */
	int signal_fd;	  /* -1 where signals act on the supervisor itself */
	int parent_pidfd; /* -1 without --die-with-parent */
	struct joins joins;
	struct pin pin;
	bool executed; /* COMMAND runs */
	bool trimmed;  /* our memory is given back */
	bool ended;
	int status;
	int pending;	 /* signal that came before COMMAND ran, 0 */
	int interrupted; /* signal that ended the start, 0 */
	struct cgroup cgroup;
	struct net_run net;
	struct pty pty;
	struct stop stop;
	struct registry registry;
	struct control control;
	struct execs execs;
	struct detach detach;
	struct usage usage;
};

#define RUN_INIT                                                                                   \
	((struct run){ .pidfd = -EBADF,                                                            \
		       .error_fd = -EBADF,                                                         \
		       .status_fd = -EBADF,                                                        \
		       .go_fd = -EBADF,                                                            \
		       .ready_fd = -EBADF,                                                         \
		       .signal_fd = -EBADF,                                                        \
		       .parent_pidfd = -EBADF,                                                     \
		       .cgroup = CGROUP_INIT,                                                      \
		       .net = NET_RUN_INIT,                                                        \
		       .pty = PTY_INIT,                                                            \
		       .registry = REGISTRY_INIT,                                                  \
		       .control = CONTROL_INIT,                                                    \
		       .execs = EXECS_INIT,                                                        \
		       .detach = DETACH_INIT })

#define STATUS_TIMED_OUT 124 /* as timeout(1) */

#define SUPERVISE_PENDING_MS 300 /* so long a signal may wait for COMMAND to run */

/** supervise_ends - would this signal end us, if we did not hold it? Not so under nohup(1). */
bool supervise_ends(int number);

/** supervise_signals - hold what is to be passed on to COMMAND, for supervise() */
must_check int supervise_signals(struct run *run, struct cloche_error *err);

/** supervise - follow the child until it has ended; nothing of a start that failed survives. 0, or
 * -errno with @err filled */
must_check int supervise(struct run *run, struct cloche_error *err);

/** supervise_kill - kill all that is in the sandbox */
void supervise_kill(const struct run *run);

/** supervise_wait_for_usage - where COMMAND's status came before the init process ended: that
 * mostly ends right after */
void supervise_wait_for_usage(struct run *run);
