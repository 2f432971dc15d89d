/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Loading of ready seccomp programs. prctl(2) and not seccomp(2): a program that is loaded first
 * may forbid the latter, and bubblewrap's callers were told that prctl must be allowed.
 */
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include "enter/enter.h"

int seccomp_load(const struct enter *enter, struct cloche_error *err)
{
	for (size_t i = 0; i < enter->filter_count; i++)
		if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &enter->filters[i], 0, 0) < 0)
			return error_set(err,
					 errno == EINVAL ? ERROR_SECCOMP_EMPTY : ERROR_SECCOMP_LOAD,
					 errno == EINVAL ? 0 : errno, NULL);
	return 0;
}
