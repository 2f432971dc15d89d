/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The one way to cover a path that exists by a mount: with flags, or with nothing to see. Used for
 * /proc, /sys and the protected paths. In the child, while the root is built.
 */
#pragma once

#include "enter/enter.h"

/** cover_is_mount_root - is @fd the root of a mount? Such cannot be renamed or removed. */
bool cover_is_mount_root(int fd);

/** cover_is_read_only - is the mount that @fd is on read-only? */
bool cover_is_read_only(int fd);

/**
 * cover_pin - bind @fd, a directory or a symbolic link, over itself, so that it cannot be renamed
 * or removed
 * @fd: O_PATH; taken
 *
 * Nothing is done where it is a mount's root. Returns: the descriptor to go on with, or -errno.
 */
must_check int cover_pin(const struct enter *enter, int fd);

/** cover_flags - set mount attributes on what @fd leads to and everything below, by a mount of its
 * own where it has none; 0 or -errno */
must_check int cover_flags(const struct enter *enter, int fd, uint64_t attributes);

/** cover_flags_at - the same for the entry @name, which is no mount's root, of the directory
 * @dir_fd
 */
must_check int cover_flags_at(const struct enter *enter, int dir_fd, const char *name,
			      uint64_t attributes);

/**
 * cover_mask - cover an entry with an empty file or directory of mode 000, read-only
 * @dir_fd, @name: the entry; "": @dir_fd itself
 *
 * Returns: 0 or -errno.
 */
must_check int cover_mask(struct enter *enter, int dir_fd, const char *name, bool is_dir);
