/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Path names inside a root directory that is given by descriptor. Symbolic links, relative and
 * absolute, and ".." resolve inside that root and can never leave it; magic links of procfs are
 * refused (ELOOP). Directories on the way are opened O_PATH, so search permission is enough.
 *
 * openat2(2) does the work where it can (since Linux 5.6); where it is missing or an outer filter
 * forbids it, and wherever something must be created, a walk by components does, with the same
 * results.
 *
 * A path that its links make longer than PATH_MAX is -ENAMETOOLONG for the walk; the kernel has no
 * such limit.
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
	/* May something be created in the directory @dir_fd? 0, or -errno for the caller. NULL:
	 * everywhere. */
	int (*permit)(void *context, int dir_fd);
	/* Called for each existing directory and link on the way: takes @fd (O_PATH) and returns
	 * the descriptor to go on with, or -errno. NULL: none. */
	int (*visit)(void *context, int fd);
	void *context;
};

/* Where a path leads: an entry of a directory that is not a symbolic link, whether it exists or
 * not. */
struct path_place {
	int dir_fd; /* O_PATH; owned, see path_place_close() */
	int fd;	    /* O_PATH on the entry, owned; -1 where there is none yet */
	char name[NAME_MAX +
		  1]; /* the entry's name in dir_fd; "" where the path leads to the root itself */
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
 * @ret_place: receives the place. A dangling last link is followed: the place is where its target
 * would be
 *
 * Returns: 0 or -errno: -ELOOP for link loops and magic links, -ENOTDIR, -ENAMETOOLONG, ...
 */
must_check int path_find(int root_fd, const char *path, const struct path_policy *policy,
			 struct path_place *ret_place);

/** path_find_nofollow - as path_find(), but a symbolic link as last component is the place itself
 */
must_check int path_find_nofollow(int root_fd, const char *path, const struct path_policy *policy,
				  struct path_place *ret_place);

/*
 * The directory in which the last entry was made, so that many entries of one directory cost one
 * look-up. It stays true while nothing but new entries is made: making an entry that was not there
 * changes no path that resolved before.
 */
struct path_cache {
	int dir_fd;	     /* O_PATH, owned; -1 where nothing is known */
	char path[PATH_MAX]; /* the directory's path as it was written */
};

/** path_cache_drop - forget; to be called when something is mounted on an entry that existed before
 */
void path_cache_drop(struct path_cache *cache);

/* An entry that path_make_new() made. */
struct path_new {
	struct path_cache *cache; /* set by the caller */
	int dir_fd;		  /* its directory, borrowed from the cache or the root */
	const char *name;	  /* points into the path */
};

/**
 * path_make_new - create the last component of @path, where only that is missing
 * @type_and_mode: S_IFDIR or S_IFREG (an empty file) and permissions
 * @policy: what may be created; not NULL
 * @new: cache is set; receives where the entry is
 *
 * Returns: 0 if the entry was made just now, -EAGAIN where it exists or more is missing: ask
 * path_make().
 */
must_check int path_make_new(int root_fd, const char *path, mode_t type_and_mode,
			     const struct path_policy *policy, struct path_new *new);

/** path_open - open the existing @path below @root_fd, following links; @flags as for open(2). fd
 * or -errno */
must_check int path_open(int root_fd, const char *path, int flags);

/**
 * path_make - open @path O_PATH, and create it first where it is missing
 * @type: S_IFDIR or S_IFREG of what to create; something else that exists there is not touched, the
 * caller checks
 * @mode: of what is created
 *
 * Returns: the descriptor or -errno.
 */
must_check int path_make(int root_fd, const char *path, mode_t type_and_mode,
			 const struct path_policy *policy);

/** path_is_root - does @path lead to the root by its letters alone ("/", "//", "/.", "/..")? */
bool path_is_root(const char *path);
