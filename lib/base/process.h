/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Our own process: how much memory stays behind while COMMAND runs.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/util.h"

/**
 * process_clone_on_stack - clone(2) with CLONE_VM and CLONE_VFORK, the child on a stack of its own
 * @function: runs in the child on the caller's memory and must end in execve(2) or _exit(2); its
 * result is the status
 * @flags: more flags of clone(2), and the signal at its end
 * @ret_pidfd: receives the pidfd where @flags has CLONE_PIDFD; may be NULL otherwise
 *
 * The caller sleeps until then. Spares the copy of the page tables, an eighth of a small start
 * (measured). Returns: the pid, or -errno.
 */
must_check pid_t process_clone_on_stack(int (*function)(void *), void *argument, int flags,
					int *ret_pidfd);

/** process_permitted_caps - our permitted capabilities, bit N is number N; 0 where they cannot be
 * read */
uint64_t process_permitted_caps(void);

/**
 * process_trim_memory - give back the pages of our program and libraries that hold nothing but file
 * content
 *
 * They come back from the page cache when touched. A supervisor and an init process that sleep for
 * hours then cost a fraction (measured: half of their resident memory). Async-signal-safe.
 */
void process_trim_memory(void);

/* Waiting this long first keeps short commands from paying for it. */
#define PROCESS_TRIM_DELAY_MS 50
