/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Ids and user namespaces, from inside. A process may map its own single id itself
 * (user_namespaces(7)), so no handshake with the supervisor is needed; maps of more ids the
 * supervisor writes or has written (watch/ids.c) while we wait, and those of the inner user
 * namespace a process of ours that stays outside of that. The files are reached through the host's
 * /proc, opened and checked to be procfs, whose "self" is right even in a new pid namespace.
 */
#include <fcntl.h>
#include <grp.h>
#include <linux/magic.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/sys.h"
#include "enter/enter.h"

/* Writes "INNER OUTER 1" to the map file @name. */
static int write_map(int proc_fd, const char *name, uint32_t inner, uint32_t outer)
{
	char line[32];
	struct str_buf text = { .data = line, .size = sizeof(line) };

	str_add_number(&text, inner);
	str_add_char(&text, ' ');
	str_add_number(&text, outer);
	str_add(&text, " 1\n");
	return fd_write_file(proc_fd, name, line);
}

/* One id each, which may have another name inside. */
struct id_map {
	uid_t inner_uid, outer_uid;
	gid_t inner_gid, outer_gid;
};

static int write_own_maps(int proc_fd, const struct id_map *map, struct cloche_error *err)
{
	int r;

	/* gid_map needs setgroups denied first; each file takes one write. */
	r = fd_write_file(proc_fd, "self/setgroups", "deny\n");
	if (r < 0)
		return error_set(err, ERROR_UID_MAP, -r, "/proc/self/setgroups");
	r = write_map(proc_fd, "self/gid_map", map->inner_gid, map->outer_gid);
	if (r < 0)
		return error_set(err, ERROR_UID_MAP, -r, "/proc/self/gid_map");
	r = write_map(proc_fd, "self/uid_map", map->inner_uid, map->outer_uid);
	if (r == -EPERM && map->outer_uid == 0)
		error_set_hint(err, HINT_NO_SETFCAP);
	return r < 0 ? error_set(err, ERROR_UID_MAP, -r, "/proc/self/uid_map") : 0;
}

int userns_write_maps(const struct enter *enter, struct cloche_error *err)
{
	const struct plan *plan = enter->plan;
	const struct id_map map = { plan->inner_uid, plan->outer_uid, plan->inner_gid,
				    plan->outer_gid };

	/* A program file that its user cannot read makes us non-dumpable, and the map files root's.
	 */
	if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
		return error_set(err, ERROR_UID_MAP, errno, "/proc/self/uid_map");
	return write_own_maps(enter->mounts.host_proc_fd, &map, err);
}

int userns_drop_groups(const struct plan *plan, struct cloche_error *err)
{
	if (setgroups(0, NULL) == 0)
		return 0;
	if (plan->spec->ids.groups == GROUPS_DROP)
		err->use = plan->spec->ids.groups_use;
	return error_set(err, ERROR_SET_GROUPS, errno, NULL);
}

int userns_take_ids(const struct enter *enter, struct cloche_error *err)
{
	const struct plan *plan = enter->plan;
	/* Other ids outside make us non-dumpable, which nobody outside could join or map; but where
	 * somebody is inside already, that is what we want to be. */
	const unsigned long dumpable = enter->enters_late ? 0 : 1;
	char number[STR_NUMBER_SIZE];

	/* The first id of the namespace would lose its capabilities with it (capabilities(7)). */
	if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) == 0 &&
	    setresgid(plan->inner_gid, plan->inner_gid, plan->inner_gid) == 0 &&
	    setresuid(plan->inner_uid, plan->inner_uid, plan->inner_uid) == 0 &&
	    prctl(PR_SET_SECUREBITS, 0, 0, 0, 0) == 0 &&
	    prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0) == 0)
		return 0;
	return error_set(err, ERROR_SET_IDS, errno, str_number(number, plan->inner_uid));
}

/*
 * The sysctl belongs to the caller's current user namespace, whichever procfs it is opened through.
 * Where the host's is read-only (a container), a procfs of our own will do, if the kernel lets us
 * make one.
 */
int userns_limit(const struct enter *enter, struct cloche_error *err)
{
	const char *const name = "sys/user/max_user_namespaces";
	const char *text = enter->plan->max_userns ? "1\n" : "0\n";
	int r = fd_write_file(enter->mounts.host_proc_fd, name, text);

	if (r < 0 && enter->plan->own_proc) {
		_close_ int proc_fd =
			mount_new_fs("proc", (const struct fs_option[]){ { NULL, NULL } }, 0);

		if (proc_fd >= 0)
			r = fd_write_file(proc_fd, name, text);
	}
	if (r == -EROFS)
		error_set_hint(err, HINT_PROC_SYS_READ_ONLY);
	return r < 0 ? error_set(err, ERROR_USERNS_LIMIT, -r, "/proc/sys/user/max_user_namespaces")
		     : 0;
}

/*
 * The process that writes the inner namespace's maps, in the sandbox's own user namespace with
 * all its capabilities: whoever is inside cannot (user_namespaces(7)). Waits for a byte, which says
 * that @process_fd, the directory of that process in procfs, has its new namespace. The status
 * is an errno.
 */
static _Noreturn void write_inner_maps(const struct enter *enter, int process_fd, int ready_fd)
{
	char byte;
	int r;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (read(ready_fd, &byte, 1) != 1)
		_exit(EPIPE);
	r = fd_write_file(process_fd, "gid_map", enter->inner_gid_map);
	if (r == 0)
		r = fd_write_file(process_fd, "uid_map", enter->inner_uid_map);
	_exit(-r);
}

static int inner_maps_error(int errnum, struct cloche_error *err)
{
	return error_set(err, ERROR_INNER_MAPS, errnum, NULL);
}

/* The same ranges of ids inside as outside, by the help of another process. */
static int enter_inner_with_ranges(const struct enter *enter, int flags, struct cloche_error *err)
{
	/* The host's procfs knows us, whatever our number is here. */
	_close_ int process_fd =
		openat(enter->mounts.host_proc_fd, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_close_ int ready_read = -EBADF, ready_write = -EBADF;
	int fds[2], status;
	pid_t writer;

	if (process_fd < 0 || pipe2(fds, O_CLOEXEC) < 0)
		return inner_maps_error(errno, err);
	ready_read = fds[0];
	ready_write = fds[1];
	writer = fork();
	if (writer < 0)
		return inner_maps_error(errno, err);
	if (writer == 0) {
		(void)close(ready_write); /* our death is then the end of the pipe */
		write_inner_maps(enter, process_fd, ready_read);
	}
	if (unshare(flags) < 0)
		return error_set(err, ERROR_INNER_USERNS, errno, NULL);
	ignore(write(ready_write, "", 1)); /* its status tells */
	while (waitpid(writer, &status, 0) < 0)
		if (errno != EINTR)
			return error_set(err, ERROR_WAIT, errno, NULL);
	if (!WIFEXITED(status))
		return inner_maps_error(ECHILD, err);
	return WEXITSTATUS(status) ? inner_maps_error(WEXITSTATUS(status), err) : 0;
}

/* The one that COMMAND has already. */
static int join_inner(const struct enter *enter, struct cloche_error *err)
{
	if (setns(enter->inner_fds[0], CLONE_NEWUSER) == 0 &&
	    (enter->inner_fds[1] < 0 || setns(enter->inner_fds[1], CLONE_NEWNS) == 0))
		return 0;
	return error_set(err, ERROR_INNER_USERNS, errno, NULL);
}

int userns_enter_inner(const struct enter *enter, struct cloche_error *err)
{
	/* Whatever ids we have by now: with --userns-block-fd the caller chose them. */
	const struct id_map map = { geteuid(), geteuid(), getegid(), getegid() };
	int flags = CLONE_NEWUSER | (enter->plan->inner_mountns ? CLONE_NEWNS : 0);

	if (enter->inner_fds[0] >= 0)
		return join_inner(enter, err);
	if (enter->inner_uid_map)
		return enter_inner_with_ranges(enter, flags, err);
	if (unshare(flags) < 0)
		return error_set(err, ERROR_INNER_USERNS, errno, NULL);
	return write_own_maps(enter->mounts.host_proc_fd, &map, err);
}

int userns_assert_disabled(struct cloche_error *err)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return error_set(err, ERROR_FORK, errno, NULL);
	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER) == 0 ? 1 : 0);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return error_set(err, ERROR_WAIT, errno, NULL);
	return status == 0 ? 0 : error_set(err, ERROR_USERNS_STILL, 0, NULL);
}
