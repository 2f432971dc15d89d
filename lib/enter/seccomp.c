/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Loading of ready seccomp programs, our own before the caller's: a program of the caller's may
 * forbid to load another one, as bubblewrap's callers do, while the shipped policies allow it. All
 * of them hold, whatever the order. prctl(2) and not seccomp(2): bubblewrap's callers were told
 * that prctl must be allowed.
 */
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "enter/enter.h"

static int load(const struct sock_fprog *program, struct cloche_error *err)
{
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0) == 0)
		return 0;
	return error_set(err, errno == EINVAL ? ERROR_SECCOMP_EMPTY : ERROR_SECCOMP_LOAD,
			 errno == EINVAL ? 0 : errno, NULL);
}

/* Of ours the kernel can be asked to log what it denies, which needs the other call. */
static int load_policy(const struct enter *enter, struct cloche_error *err)
{
	if (enter->plan->policy
		    .is_off) /* a program that should be there, and is not, is an error */
		return 0;
	if (!enter->logs_denied)
		return load(&enter->policy, err);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, &enter->policy) <
	    0)
		return error_set(err, ERROR_SECCOMP_LOAD, errno, NULL);
	return 0;
}

int seccomp_load(const struct enter *enter, struct cloche_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < enter->guard_count; i++)
		r = load(&enter->guards[i], err);
	if (r == 0)
		r = load_policy(enter, err);
	for (size_t i = 0; r == 0 && i < enter->filter_count; i++)
		r = load(&enter->filters[i], err);
	return r;
}

int seccomp_load_init(const struct enter *enter, struct cloche_error *err)
{
	return enter->init_policy.len ? load(&enter->init_policy, err) : 0;
}
