/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The jail of each process of cloche-net. It stands before the first byte from the sandbox is read.
 * Seccomp is what is relied upon; the empty root, Landlock and the lost capabilities each stand
 * behind it, for the mistakes in it.
 */
#include "net/jail.h"

#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/sys.h"
#include "policy/shipped.h"

#include "net-programs.h"

static const struct {
	const char *policy;
	uint64_t caps;
	uint64_t landlock_net; /* what of TCP is forbidden */
} kinds[] = {
	[JAIL_BROKER] = { "broker", 0, 0 },
	[JAIL_ENGINE] = { "engine", 1u << CAP_NET_ADMIN | 1u << CAP_NET_RAW,
			  SYS_LANDLOCK_BIND_TCP | SYS_LANDLOCK_CONNECT_TCP },
	[JAIL_FACTORY] = { "factory", 1u << CAP_NET_RAW, 0 },
	[JAIL_SLIRP] = { "slirp", 0, SYS_LANDLOCK_BIND_TCP | SYS_LANDLOCK_CONNECT_TCP },
	[JAIL_SLIRP_TCP] = { "slirp-tcp", 0, 0 },
};

/* Both are undone by some changes of credentials, prctl(2). */
static int protect(void)
{
	return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ||
			       prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0
		       ? -errno
		       : 0;
}

int jail_begin(const char *name)
{
	struct rlimit none = { 0, 0 }, files;

	(void)prctl(PR_SET_NAME, name, 0, 0, 0);
	if (protect() < 0 || setrlimit(RLIMIT_CORE, &none) < 0 ||
	    getrlimit(RLIMIT_NOFILE, &files) < 0)
		return -errno;
	files.rlim_cur = files.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &files) < 0 ? -errno : 0;
}

int jail_leave_host(bool new_userns)
{
	if (new_userns && unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC) < 0)
		new_userns = false;
	if (!new_userns && unshare(CLONE_NEWNS | CLONE_NEWIPC) < 0)
		return -errno;
	/* What we mount must not appear elsewhere. */
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "/proc", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY,
		  "size=4k,nr_inodes=1,mode=0555") < 0 ||
	    chdir("/proc") < 0)
		return -errno;
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return -errno;
	return umount2(".", MNT_DETACH) < 0 || chdir("/") < 0 ? -errno : 0;
}

static int drop_caps(uint64_t keep)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = (uint32_t)keep, .permitted = (uint32_t)keep },
	};

	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EPERM)
			return -errno;
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

/* An older kernel has less of it, or none: nothing here depends on it alone. */
static int lock_landlock(uint64_t net)
{
	int abi = sys_landlock_abi(), r;
	_close_ int fd = -EBADF;
	struct sys_landlock_ruleset ruleset = {
		.handled_access_fs = SYS_LANDLOCK_FS_ABI_1,
		.handled_access_net = abi >= 4 ? net : 0,
		.scoped = abi >= 6 ? SYS_LANDLOCK_ABSTRACT_UNIX | SYS_LANDLOCK_SIGNAL : 0,
	};

	if (abi < 1)
		return 0;
	fd = sys_landlock_create(&ruleset, abi >= 6 ? sizeof(ruleset) : abi >= 4 ? 16 : 8);
	if (fd < 0)
		return -errno;
	r = sys_landlock_restrict(fd);
	/* Sixteen domains at most lie in each other: nested deeper we go without. */
	return r < 0 && errno != E2BIG ? -errno : 0;
}

int jail_lock(enum jail_kind kind, bool binds_tcp)
{
	struct sock_fprog program =
		shipped_find(shipped_code, shipped_rows, ARRAY_SIZE(shipped_rows),
			     kinds[kind].policy, false, false);
	uint64_t net = kinds[kind].landlock_net;
	int r = drop_caps(kinds[kind].caps);

	if (r == 0)
		r = protect();
	if (kind == JAIL_BROKER && !binds_tcp)
		net = SYS_LANDLOCK_BIND_TCP;
	if (r < 0)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	r = lock_landlock(net);
	if (r < 0)
		return r;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0 ? -errno : 0;
}
