/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Capabilities of COMMAND and of the init process (capabilities(7)). The raw calls: libcap's
 * process functions allocate and would not see the difference between the sets that the two
 * personalities need.
 */
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/process.h"
#include "enter/enter.h"

static int set_caps(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ (uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable },
		{ (uint32_t)(effective >> 32), (uint32_t)(permitted >> 32),
		  (uint32_t)(inheritable >> 32) },
	};

	return (int)syscall(SYS_capset, &header, data);
}

/* Removes all but @keep from the bounding set; EINVAL marks the kernel's last capability, which
 * is CAP_CHECKPOINT_RESTORE (Linux 5.9) or a later one. */
static int trim_bounding_set(uint64_t keep)
{
	for (unsigned long cap = 0; cap < 64; cap++) {
		if (keep >> cap & 1)
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return errno == EINVAL && cap > CAP_CHECKPOINT_RESTORE ? 0 : -errno;
	}
	return 0;
}

static int raise_ambient(uint64_t caps)
{
	for (unsigned long cap = 0; cap < 64; cap++)
		if (caps >> cap & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			return -errno;
	return 0;
}

/* uid 0 regains nothing by execve(2), not even without no_new_privs, and cannot undo that. */
#define SECUREBITS_NO_ROOT                                                                         \
	(SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |                           \
	 SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |                             \
	 SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)

static int caps_error(int errnum, struct cloche_error *err)
{
	return error_set(err, ERROR_CAPS, errnum, NULL);
}

int caps_drop(const struct plan *plan, struct cloche_error *err)
{
	uint64_t permitted, keep, ambient, until_exec = 0;
	int r;

	if (plan->leaves_caps)
		return 0;
	permitted = process_permitted_caps();
	/* Without a user namespace we may have no power over sets that no_new_privs makes void. */
	if (plan->landlock.is_tier && !(permitted >> CAP_SETPCAP & 1))
		return set_caps(0, 0, 0) < 0 ? caps_error(errno, err) : 0;
	keep = plan->keep_caps & permitted;
	ambient = plan->ambient_caps & permitted;
	if (plan->trims_bounding) {
		r = trim_bounding_set(keep);
		if (r < 0)
			return caps_error(-r, err);
	}
	if (plan->locks_root && !keep && prctl(PR_SET_SECUREBITS, SECUREBITS_NO_ROOT, 0, 0, 0) < 0)
		return caps_error(errno, err);
	/* Without no_new_privs Landlock and seccomp want this one; execve(2) takes it away, since
	 * it is in no other set. */
	if (plan->allow_suid)
		until_exec = 1ull << CAP_SYS_ADMIN & permitted;
	if (set_caps(keep | until_exec, keep | until_exec, ambient) < 0)
		return caps_error(errno, err);
	r = raise_ambient(ambient);
	return r < 0 ? caps_error(-r, err) : 0;
}

/*
 * Tracing and most of /proc/PID are refused to whom does not hold all capabilities of the target:
 * one harmless one in the permitted set keeps COMMAND, which never gets it, away from the init
 * process, while the sandbox's owner outside can still join it (measured on 5.10 to 7.3).
 */
int caps_guard(struct cloche_error *err)
{
	const uint64_t guard = 1ull << CAP_WAKE_ALARM;

	return set_caps(0, guard & process_permitted_caps(), 0) < 0 ? caps_error(errno, err) : 0;
}
