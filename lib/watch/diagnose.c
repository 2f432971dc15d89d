/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The causes behind EPERM, EACCES and ENOSPC when namespaces are made, from most to least certain.
 * Runs in the supervisor after a failure, so it costs nothing otherwise.
 */
#include "watch/diagnose.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/fd.h"
#include "base/num.h"
#include "base/str.h"

/* Does the file @path begin with @text? */
static bool file_starts(const char *path, const char *text)
{
	char start[64] = "";
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && read(fd, start, sizeof(start) - 1) > 0 && str_starts(start, text);
}

/* Has the file @path a line that contains @text? */
static bool file_contains(const char *path, const char *text)
{
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_free_ char *content = NULL;
	size_t size;

	return fd >= 0 && fd_read_all(fd, 64u << 20, &content, &size) == 0 && strstr(content, text);
}

/* The first user namespace maps everything to itself (user_namespaces(7)). */
static bool in_first_userns(void)
{
	return file_contains("/proc/self/uid_map", "         0          0 4294967295");
}

/* Inside a sandbox like ours that forbids them, whose seccomp policy may refuse the call first. */
static bool in_sandbox_that_forbids(void)
{
	return file_starts("/proc/sys/user/max_user_namespaces", "0\n") && !in_first_userns();
}

bool diagnose_outer_filter(void)
{
	return file_contains("/proc/self/status", "\nSeccomp:\t2");
}

static enum error_hint userns_hint(int errnum)
{
	if (in_sandbox_that_forbids())
		return HINT_USERNS_NESTED_DENIED;
	if (errnum == ENOSPC && file_starts("/proc/sys/user/max_user_namespaces", "0\n"))
		return HINT_USERNS_SYSCTL;
	if (errnum == ENOSPC)
		return in_first_userns() ? HINT_USERNS_LIMIT_REACHED : HINT_USERNS_NESTED_DENIED;
	if (file_starts("/proc/sys/kernel/unprivileged_userns_clone", "0"))
		return HINT_USERNS_CLONE_SYSCTL;
	if (file_starts("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"))
		return HINT_USERNS_APPARMOR;
	if (diagnose_outer_filter())
		return HINT_USERNS_CONTAINER;
	return errnum == EPERM ? HINT_USERNS_CHROOT : HINT_NONE; /* what is left, clone(2) */
}

bool diagnose_kernel(void)
{
	struct utsname system;
	char *rest = system.release;
	uint64_t major, minor;

	if (uname(&system) < 0 || num_parse(strsep(&rest, "."), UINT32_MAX, &major) < 0 || !rest)
		return false;
	rest[strspn(rest, "0123456789")] = '\0';
	return num_parse(rest, UINT32_MAX, &minor) == 0 &&
	       (major > 5 || (major == 5 && minor >= 12));
}

void diagnose(const struct plan *plan, struct cloche_error *err)
{
	bool refused = err->errnum == EPERM || err->errnum == EACCES;
	bool starting =
		err->stage == STAGE_START || err->stage == STAGE_IDS || err->stage == STAGE_NETWORK;

	if (err->code == ERROR_KERNEL_TOO_OLD && diagnose_kernel()) {
		err->code = ERROR_CALL_REFUSED;
		err->hint =
			in_sandbox_that_forbids() ? HINT_USERNS_NESTED_DENIED : HINT_OUTER_SECCOMP;
	}
	if (err->hint != HINT_NONE || !(plan->clone_flags & CLONE_NEWUSER))
		return;
	if (starting && (refused || err->errnum == ENOSPC))
		err->hint = userns_hint(err->errnum);
	/* AppArmor lets the namespace be made, but without capabilities in it. */
	else if (refused &&
		 file_starts("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"))
		err->hint = HINT_USERNS_APPARMOR;
}
