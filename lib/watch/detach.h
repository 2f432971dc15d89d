/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * --detach: the supervisor goes on in the background, and keeps what COMMAND prints in a log beside
 * its entry in the registry.
 */
#pragma once

#include <sys/types.h>

#include "watch/registry.h"

struct enter;
struct pollfd;

/* The log's size in bytes: what is older is given back to the file system. Offsets stay. */
#define LOG_KEPT ((off_t)1 << 20)

struct detach {
	int started_fd; /* write end to who waits for the start, -1: nobody */
	int read_fd;	/* what COMMAND prints, -1 */
	int write_fd;	/* ... its end of that pipe, until it was cloned; -1 */
	int log_fd;
	off_t size;
};

#define DETACH_INIT ((struct detach){ -EBADF, -EBADF, -EBADF, -EBADF, 0 })

/* Where the registry is, and what our entry in it will be called. */
struct registry_place {
	const char *runtime_dir, *name;
};

/**
 * detach_fork - leave the caller's process, which waits for what comes of the start
 * @ret_status: in the caller's process: the exit status, 0 where COMMAND runs
 *
 * Returns: 1 in the caller's process, 0 in the new one, or -errno with @err filled.
 */
must_check int detach_fork(struct detach *detach, const struct registry_place *place,
			   int *ret_status, struct cloche_error *err);

/** detach_open - make the log of the entry, and what leads to it COMMAND's standard descriptors
 * that no option names. What we print goes there, too, and is shown by who waits if the start fails
 */
must_check int detach_open(struct detach *detach, const struct registry *registry,
			   struct enter *enter, struct cloche_error *err);

/** detach_started - COMMAND runs: whoever waits may go on */
void detach_started(struct detach *detach);

/** detach_act - keep what came */
void detach_act(struct detach *detach);

/** detach_end - keep what is left and close all; who waits still learns our status from the kernel
 */
void detach_end(struct detach *detach);
