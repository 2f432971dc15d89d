/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of lib/enter/seccomp.c: programs are loaded in order, and what the kernel refuses is an
 * error.
 */
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "enter/enter.h"
#include "unit.h"

/* A program that makes the system call @number fail with @errnum. */
#define REFUSE(number, errnum)                                                                     \
	{                                                                                          \
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),             \
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),                         \
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (errnum)),                   \
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),                              \
	}

static void load_two(void *context)
{
	struct sock_filter first[] = REFUSE(SYS_getppid, EPROTO),
			   second[] = REFUSE(SYS_getpgrp, EXDEV);
	struct sock_fprog programs[] = { { .len = ARRAY_SIZE(first), .filter = first },
					 { .len = ARRAY_SIZE(second), .filter = second } };
	const struct plan plan = { .policy.is_off = true };
	struct enter enter = { .plan = &plan, .filters = programs, .filter_count = 2 };
	struct cloche_error err = ERROR_INIT;

	(void)context;
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(syscall(SYS_getppid) > 0); /* the control */
	CHECK_INT(seccomp_load(&enter, &err), 0);
	CHECK(syscall(SYS_getppid) < 0 && errno == EPROTO);
	CHECK(syscall(SYS_getpgrp) < 0 && errno == EXDEV);
	CHECK_INT(err.code, ERROR_NONE);
	_exit(0); /* not exit(3): a sanitizer could not do its work under the filter */
}

static void load_none(void *context)
{
	const struct plan plan = { .policy.is_off = true };
	struct enter enter = { .plan = &plan };
	struct cloche_error err = ERROR_INIT;

	(void)context;
	CHECK_INT(seccomp_load(&enter, &err), 0);
	CHECK_INT(prctl(PR_GET_SECCOMP), 0);
}

/* A policy is in force by the plan, and its program is missing. */
static void load_lost_policy(void *context)
{
	const struct plan plan = { .policy.is_off = false };
	struct enter enter = { .plan = &plan };
	struct cloche_error err = ERROR_INIT;

	(void)context;
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(seccomp_load(&enter, &err) < 0);
	CHECK_INT(err.code, ERROR_SECCOMP_EMPTY);
	CHECK_INT(prctl(PR_GET_SECCOMP), 0);
}

/* A program that does not end in a return: the kernel's checker says EINVAL. */
static void load_broken(void *context)
{
	struct sock_filter broken[] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0) };
	struct sock_fprog program = { .len = 1, .filter = broken };
	const struct plan plan = { .policy.is_off = true };
	struct enter enter = { .plan = &plan, .filters = &program, .filter_count = 1 };
	struct cloche_error err = ERROR_INIT;

	(void)context;
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(seccomp_load(&enter, &err) < 0);
	CHECK_INT(err.code, ERROR_SECCOMP_EMPTY);
	CHECK_INT(prctl(PR_GET_SECCOMP), 0);
}

/* A first program may forbid the second one. */
static void load_after_ban(void *context)
{
	struct sock_filter first[] = REFUSE(SYS_prctl, EPERM),
			   second[] = REFUSE(SYS_getppid, EPROTO);
	struct sock_fprog programs[] = { { .len = ARRAY_SIZE(first), .filter = first },
					 { .len = ARRAY_SIZE(second), .filter = second } };
	const struct plan plan = { .policy.is_off = true };
	struct enter enter = { .plan = &plan, .filters = programs, .filter_count = 2 };
	struct cloche_error err = ERROR_INIT;

	(void)context;
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK_INT(seccomp_load(&enter, &err), -EPERM);
	CHECK_INT(err.code, ERROR_SECCOMP_LOAD);
	CHECK_INT(err.errnum, EPERM);
	_exit(0);
}

int main(void)
{
	CHECK_INT(unit_in_child(load_none, NULL), 0);
	CHECK_INT(unit_in_child(load_lost_policy, NULL), 0);
	CHECK_INT(unit_in_child(load_two, NULL), 0);
	CHECK_INT(unit_in_child(load_broken, NULL), 0);
	CHECK_INT(unit_in_child(load_after_ban, NULL), 0);
	return 0;
}
