/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * System calls that glibc 2.36 lacks or whose headers clash, as thin inline wrappers: -1 and errno,
 * like libc's.
 */
#pragma once

#include <linux/openat2.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

/* clone3(2), since Linux 5.3. Like fork(2): the child runs on a copy of the caller's memory. */
static inline pid_t sys_clone3(struct clone_args *args)
{
	return (pid_t)syscall(SYS_clone3, args, sizeof(*args));
}

/* openat2(2), since Linux 5.6. */
static inline int sys_openat2(int dir_fd, const char *path, uint64_t flags, uint64_t resolve)
{
	struct open_how how = { .flags = flags, .resolve = resolve };

	return (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
}
