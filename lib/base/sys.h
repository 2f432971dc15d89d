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

/* clone(2), like fork(2). @flags with the signal of the end in the lowest byte. */
static inline pid_t sys_clone(uint64_t flags, int *ret_pidfd)
{
#if defined(__s390__) || defined(__CRIS__)
	return (pid_t)syscall(SYS_clone, NULL, flags, ret_pidfd, NULL, NULL);
#else
	return (pid_t)syscall(SYS_clone, flags, NULL, ret_pidfd, NULL, NULL);
#endif
}

/* openat2(2), since Linux 5.6. */
static inline int sys_openat2(int dir_fd, const char *path, uint64_t flags, uint64_t resolve)
{
	struct open_how how = { .flags = flags, .resolve = resolve };

	return (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
}

/*
 * Landlock, landlock(7). The kernel's structure and bits are declared here, since Debian 12's
 * headers stop at ABI 2. What an ABI added is said beside it.
 */
struct sys_landlock_ruleset {
	uint64_t handled_access_fs;
	uint64_t handled_access_net; /* ABI 4, Linux 6.7 */
	uint64_t scoped;	     /* ABI 6, Linux 6.12 */
};

struct sys_landlock_path {
	uint64_t allowed_access;
	int32_t parent_fd;
} __attribute__((packed));

struct sys_landlock_port {
	uint64_t allowed_access;
	uint64_t port;
};

enum sys_landlock_rule {
	SYS_LANDLOCK_RULE_PATH = 1,
	SYS_LANDLOCK_RULE_PORT = 2
};

enum sys_landlock_fs {
	SYS_LANDLOCK_EXECUTE = 1 << 0,
	SYS_LANDLOCK_WRITE_FILE = 1 << 1,
	SYS_LANDLOCK_READ_FILE = 1 << 2,
	SYS_LANDLOCK_READ_DIR = 1 << 3,
	SYS_LANDLOCK_MAKE_CHAR = 1 << 6,
	SYS_LANDLOCK_MAKE_BLOCK = 1 << 11,
	SYS_LANDLOCK_FS_ABI_1 = (1 << 13) - 1, /* all up to MAKE_SYM */
	SYS_LANDLOCK_REFER = 1 << 13,	       /* ABI 2, Linux 5.19 */
	SYS_LANDLOCK_TRUNCATE = 1 << 14,       /* ABI 3, Linux 6.2 */
	SYS_LANDLOCK_IOCTL_DEV = 1 << 15,      /* ABI 5, Linux 6.10 */
	SYS_LANDLOCK_RESOLVE_UNIX = 1 << 16    /* ABI 9, which Linux 7.3 has */
};

enum sys_landlock_net {
	SYS_LANDLOCK_BIND_TCP = 1 << 0,
	SYS_LANDLOCK_CONNECT_TCP = 1 << 1,
	SYS_LANDLOCK_BIND_UDP = 1 << 2, /* ABI 10, which Linux 7.3 has */
	SYS_LANDLOCK_CONNECT_SEND_UDP = 1 << 3
};

enum sys_landlock_scope {
	SYS_LANDLOCK_ABSTRACT_UNIX = 1 << 0,
	SYS_LANDLOCK_SIGNAL = 1 << 1
};

/* landlock_create_ruleset(2), since Linux 5.13; a closing-on-exec descriptor. */
static inline int sys_landlock_create(const struct sys_landlock_ruleset *ruleset, size_t size)
{
	return (int)syscall(SYS_landlock_create_ruleset, ruleset, size, 0);
}

/* The ABI that the kernel knows, -1 where it has no Landlock or it is switched off. */
static inline int sys_landlock_abi(void)
{
	return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, 1u << 0 /* VERSION */);
}

/* landlock_add_rule(2) */
static inline int sys_landlock_add(int fd, enum sys_landlock_rule type, const void *rule)
{
	return (int)syscall(SYS_landlock_add_rule, fd, type, rule, 0);
}

/* landlock_restrict_self(2) */
static inline int sys_landlock_restrict(int fd)
{
	return (int)syscall(SYS_landlock_restrict_self, fd, 0);
}
