/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Programs that we start for one piece of work: newuidmap(1), and those of our own that link
 * libraries which a start must not pay for. Supervisor only.
 */
#pragma once

#include <limits.h>
#include <sys/types.h>

#include "base/util.h"

#define HELPER_MORE_MAX 8

struct helper {
	const char *path;     /* absolute */
	char *const *argv;    /* NULL-terminated */
	char *const *environ; /* NULL-terminated: all that it gets */
	int fds[3];	      /* its 0, 1 and 2, borrowed; negative: /dev/null */
	const int *more_fds;  /* its 3, 4..., borrowed */
	size_t more_count;    /* at most HELPER_MORE_MAX */
};

/**
 * helper_start - run @helper; it has no other descriptor of ours, no signal blocked, and is killed
 * when we die (set-user-ID programs: not)
 *
 * The caller has to helper_wait(). Returns: its pid, or -errno, execve(2)'s included.
 */
must_check pid_t helper_start(const struct helper *helper);

/** helper_wait - wait for its end; its exit status, 128 + the signal that killed it, or -errno */
must_check int helper_wait(pid_t pid);

/**
 * helper_find - the path of our own helper program @name
 *
 * Beside our own program file (as built, or moved together), else where it was installed. Never by
 * PATH. Returns: 0, or -ENOENT.
 */
must_check int helper_find(const char *name, char path[PATH_MAX]);
