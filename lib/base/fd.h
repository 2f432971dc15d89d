/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Descriptors: whole reads and writes, closing all but some. Async-signal-safe unless it says that
 * it allocates.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/util.h"

/** fd_write_all - write all @size bytes, over short writes and EINTR; 0 or -errno */
must_check int fd_write_all(int fd, const void *data, size_t size);

/**
 * fd_read_all - read @fd up to its end into new memory
 * @max: more bytes than this are -E2BIG
 * @ret_data: receives the bytes, one NUL behind them; the caller frees it
 *
 * Allocates. Returns: 0 or -errno.
 */
must_check int fd_read_all(int fd, size_t max, char **ret_data, size_t *ret_size);

/** fd_copy - copy what @from still holds to @to; 0 or -errno. Uses a buffer on the stack. */
must_check int fd_copy(int from, int to);

/** fd_write_file - open @path below @dir_fd for writing and write @text with one write(2); 0 or
 * -errno */
must_check int fd_write_file(int dir_fd, const char *path, const char *text);

/**
 * fd_close_except - close all descriptors from 3 on but @keep
 * @keep: descriptors to leave open; sorted in place; negative ones and those below 3 are ignored
 *
 * close_range(2), since Linux 5.9. Returns: 0 or -errno.
 */
must_check int fd_close_except(int *keep, size_t count);

/* The most descriptors that one message carries. */
#define FD_MESSAGE_MAX 8

/**
 * fd_send - send @size bytes over a socket, and descriptors with them (unix(7), SCM_RIGHTS)
 * @fds: those that are not negative go; NULL: none
 * @flags: of send(2), besides MSG_NOSIGNAL
 *
 * One sendmsg(2). Returns: bytes sent, or -errno.
 */
must_check ssize_t fd_send(int socket, const void *data, size_t size, const int *fds, size_t count,
			   int flags);

/**
 * fd_receive - receive up to @size bytes from a socket, and descriptors with them
 * @ret_fds: room for @room; receives owned descriptors that close on exec, -EBADF behind them
 * @flags: of recv(2)
 *
 * Descriptors for which there is no room are closed. Returns: bytes received, 0 at the end, or
 * -errno.
 */
must_check ssize_t fd_receive(int socket, void *data, size_t size, int *ret_fds, size_t room,
			      int flags);

/** fd_hold_stdio - put a close-on-exec placeholder on each closed descriptor from 0 to 2; 0 or
 * -errno */
must_check int fd_hold_stdio(void);

/**
 * fd_release - give up a descriptor that an option named, or hold the number of one that is not
 * open
 *
 * A close-on-exec placeholder takes its number, so that nothing we open lands where an option, or a
 * second release, means something else. Reading or writing it by the functions here is -EBADF.
 */
void fd_release(int fd);

/** fd_same_file - do two descriptors refer to the same inode? False where either cannot be asked.
 */
bool fd_same_file(int first, int second);

/** fd_on_filesystem - is @fd on a file system with this magic number (statfs(2))? */
bool fd_on_filesystem(int fd, uint32_t magic);

/** fd_is_ours - is @fd of this type (S_IFDIR, ...), the user's, and without the permissions
 * @forbidden, which would let others change what is in it, or see it? */
bool fd_is_ours(int fd, mode_t type, mode_t forbidden);

/** fd_open_directory - open the directory @name below @dir_fd with open(2)'s @flags, made with mode
 * 0700 if it is missing and
 * @creates; -EPERM unless fd_is_ours(). fd or -errno */
must_check int fd_open_directory(int dir_fd, const char *name, bool creates, int flags,
				 mode_t forbidden);
