/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Binds in a sandbox that runs. The source is cloned where the host's files are: the process joins
 * the sandbox's user namespace, whose mounts it is to make, while it still is in the host's mount
 * namespace, and takes a copy of that, which thereby belongs to the sandbox's user namespace. From
 * there on it goes as at a start (enter/source.c, enter/mount.c): the clone is detached, gets its
 * flags before anybody sees it, and is attached inside by an openat2(2) walk that cannot leave the
 * sandbox's root, whatever those inside do to the path meanwhile.
 *
 * So nothing has to be kept from before the pivot for it, and a sandbox that never needs it pays
 * nothing.
 */
#include "watch/bind.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>

#include "base/fd.h"
#include "base/str.h"
#include "watch/supervise.h"

struct errand {
	struct run *run;
	int connection_fd;
	struct spec spec;
	struct plan plan;
	struct enter enter;
};

static _Noreturn void fail(struct errand *errand, const struct cloche_error *err)
{
	control_fail(errand->connection_fd, &errand->spec, err);
	_exit(1);
}

static _Noreturn void fail_join(struct errand *errand, int errnum, const char *what)
{
	struct cloche_error err = ERROR_INIT;

	(void)error_set(&err, ERROR_EXEC_JOIN, errnum, what);
	fail(errand, &err);
}

static void join_user(struct errand *errand)
{
	if (errand->plan.landlock.is_tier)
		fail_join(errand, ENOTSUP, "it has no mount namespace");
	if (errand->plan.clone_flags & CLONE_NEWUSER &&
	    setns(errand->run->pidfd, CLONE_NEWUSER) < 0)
		fail_join(errand, errno, "its user namespace");
}

/* Where COMMAND's mounts are, and its root directory. */
static void join_mounts(struct errand *errand)
{
	const int *inner = errand->run->execs.inner_fds;
	struct mounts *mounts = &errand->enter.mounts;
	int r;

	if (inner[1] >= 0)
		r = setns(inner[0], CLONE_NEWUSER) < 0 ? -1 : setns(inner[1], CLONE_NEWNS);
	else
		r = setns(errand->run->pidfd, CLONE_NEWNS);
	if (r == 0)
		mounts->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (r < 0 || mounts->root_fd < 0)
		fail_join(errand, errno, "its mount namespace");
	mounts->cache = (struct path_cache){ .dir_fd = -EBADF };
	mounts->own_device_count = 0;
	/* A root of ours: nobody else has the place that may have to be made. */
	if (!errand->plan.in_place && fd_on_filesystem(mounts->root_fd, TMPFS_MAGIC))
		mount_own(mounts, mounts->root_fd);
}

static void add_binds(struct errand *errand)
{
	struct cloche_error err = ERROR_INIT;
	int *trees = calloc(errand->spec.op_count + 1, sizeof(int));

	if (!trees)
		fail_join(errand, ENOMEM, "its mounts");
	join_user(errand);
	if (unshare(CLONE_NEWNS) < 0)
		fail_join(errand, errno, "a copy of the host's mounts");
	for (size_t i = 0; i < errand->spec.op_count; i++) {
		const struct fs_op *op = &errand->spec.ops[i];

		err.stage = STAGE_SOURCES;
		err.use = op->use;
		trees[i] = -EBADF; /* it stays so where it is missing and may be */
		if (source_open_bind(&errand->enter, op, &trees[i], &err) < 0)
			fail(errand, &err);
	}
	join_mounts(errand);
	for (size_t i = 0; i < errand->spec.op_count; i++) {
		const struct fs_op *op = &errand->spec.ops[i];

		err.stage = STAGE_MOUNTS;
		err.use = op->use;
		if (trees[i] >= 0 && mount_attach(&errand->enter, op, trees[i], &err) < 0)
			fail(errand, &err);
	}
}

static void remove_bind(struct errand *errand, const char *path)
{
	char name[STR_FD_PATH_SIZE + 16];
	struct str_buf out = { .data = name, .size = sizeof(name) };
	int fd;

	join_user(errand);
	join_mounts(errand);
	fd = path_open(errand->enter.mounts.root_fd, path, O_PATH);
	if (fd < 0)
		fail_join(errand, -fd, path);
	/* umount2(2) knows no descriptors, and the sandbox's own /proc may be anything. */
	str_add(&out, "thread-self/fd/");
	str_add_number(&out, (uint64_t)fd);
	if (fchdir(errand->enter.mounts.host_proc_fd) < 0 || umount2(name, MNT_DETACH) < 0)
		fail_join(errand, errno, path);
}

void bind_errand(struct run *run, struct control_request *request)
{
	struct errand errand = { .run = run,
				 .connection_fd = request->connection_fd,
				 .plan = *run->plan,
				 .enter = *run->enter };
	struct cloche_error err = ERROR_INIT;

	errand.spec.personality = run->plan->personality;
	if (request->verb == CONTROL_BIND &&
	    spec_parse_late(&errand.spec, request->words, LATE_BINDS, &err) < 0)
		fail(&errand, &err);
	errand.plan.spec = &errand.spec;
	errand.enter.plan = &errand.plan;
	errand.enter.mounts.host_proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (errand.enter.mounts.host_proc_fd < 0)
		fail_join(&errand, errno, "/proc");
	if (request->verb == CONTROL_BIND)
		add_binds(&errand);
	else
		remove_bind(&errand, request->words[1]);
	control_agree(errand.connection_fd);
	_exit(0);
}
