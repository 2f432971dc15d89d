/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Path names inside a root directory that is given by descriptor. Symbolic links, relative and absolute, and ".."
 * resolve inside that root and can never leave it; magic links of procfs are refused (ELOOP). Directories on the way
 * are opened O_PATH, so search permission is enough.
 *
 * openat2(2) does the work where it can (since Linux 5.6); where it is missing or an outer filter forbids it, and
 * wherever something must be created, a walk by components does, with the same results.
 *
 * Nothing here allocates: it runs in the child between clone and exec.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/util.h"

/* What may be created on the way to a place. */
struct path_policy {
	mode_t parent_mode; /* of directories made on the way */
	/* May something be created in the directory @dir_fd? 0, or -errno for the caller. NULL: everywhere. */
	int (*permit)(void *context, int dir_fd);
	void *context;
};

/* Where a path leads: an entry of a directory that is not a symbolic link, whether it exists or not. */
struct path_place {
	int dir_fd;              /* O_PATH; owned, see path_place_close() */
	int fd;                  /* O_PATH on the entry, owned; -1 where there is none yet */
	char name[NAME_MAX + 1]; /* the entry's name in dir_fd; "" where the path leads to the root itself */
};

#define PATH_PLACE_INIT ((struct path_place){ .dir_fd = -1, .fd = -1 })
#define _place_ __attribute__((cleanup(path_place_close)))

/** path_place_close - close both descriptors; fine on PATH_PLACE_INIT and twice */
void path_place_close(struct path_place *place);

/**
 * path_find - where @path leads below @root_fd
 * @root_fd: the root directory, borrowed
 * @path: relative or absolute, both taken from the root
 * @policy: what may be created on the way; NULL: nothing, a missing parent is -ENOENT
 * @ret_place: receives the place. A dangling last link is followed: the place is where its target would be
 *
 * Returns: 0 or -errno: -ELOOP for link loops and magic links, -ENOTDIR, -ENAMETOOLONG, ...
 */
must_check int path_find(int root_fd, const char *path, const struct path_policy *policy,
			 struct path_place *ret_place);

/** path_find_nofollow - as path_find(), but a symbolic link as last component is the place itself */
must_check int path_find_nofollow(int root_fd, const char *path, const struct path_policy *policy,
				  struct path_place *ret_place);

/** path_open - open the existing @path below @root_fd, following links; @flags as for open(2). fd or -errno */
must_check int path_open(int root_fd, const char *path, int flags);

/**
 * path_make - open @path O_PATH, and create it first where it is missing
 * @type: S_IFDIR or S_IFREG of what to create; something else that exists there is not touched, the caller checks
 * @mode: of what is created
 *
 * Returns: the descriptor or -errno.
 */
must_check int path_make(int root_fd, const char *path, mode_t type_and_mode, const struct path_policy *policy);

/** path_is_root - does @path lead to the root by its letters alone ("/", "//", "/.", "/..")? */
bool path_is_root(const char *path);
