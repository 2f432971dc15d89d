/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * More COMMANDs in a sandbox that runs (cloche exec), the supervisor's side: for each it forks a
 * keeper, which has all that the sandbox was made with in its memory, joins the sandbox, starts
 * COMMAND there with the same confinement, and tells who asked how it ends.
 */
#pragma once

#include "watch/control.h"

struct run;
struct enter;

struct execs {
	int ends_fd;	  /* epoll(7): pidfds of the keepers; -1: there was none yet */
	int alive_fds[2]; /* a pipe that nobody writes to: the keepers see its end, -1 */
	unsigned count;	  /* of keepers that live */
	int inner_fds[2]; /* COMMAND's own user and mount namespace, where it has one inside the
			     sandbox's; -1 */
};

#define EXECS_INIT ((struct execs){ -EBADF, { -EBADF, -EBADF }, 0, { -EBADF, -EBADF } })

/** exec_note_inner - COMMAND runs: note the namespaces it has for itself, while it is sure to be
 * the init process's only child */
void exec_note_inner(struct run *run);

/** exec_start - start what @request asks for, a COMMAND or another errand that may take its time;
 * its descriptors are closed */
void exec_start(struct run *run, struct control_request *request);

/** exec_reap - a keeper has ended */
void exec_reap(struct run *run);

/** exec_end - the sandbox is at its end: so are they */
void exec_end(struct run *run);
