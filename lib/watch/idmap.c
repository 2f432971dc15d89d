/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Idmapped binds. Only who has CAP_SYS_ADMIN in the user namespace that owns a file system may
 * change how its ids look (mount_setattr(2), MOUNT_ATTR_IDMAP, since Linux 5.12), which the child
 * has not for the host's. So real root's supervisor clones these sources itself; a detached mount
 * that never was attached anywhere may be attached by the child, in its own mount namespace
 * (measured on 6.1 to 6.18). Flags and propagation are set first: nothing of the tree is ever
 * visible without them.
 *
 * The map is that of a user namespace made for this, by a process that does nothing else.
 */
#include "watch/idmap.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/helper.h"
#include "base/str.h"
#include "base/sys.h"
#include "watch/ids.h"

/* The process whose user namespace is wanted: lives until @alive_fd has no other end. */
static _Noreturn void hold_namespace(int alive_fd)
{
	char byte;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	_exit(read(alive_fd, &byte, 1) == 0 ? 0 : 1);
}

static int open_userns_of(pid_t pid)
{
	char path[48];
	struct str_buf text = { .data = path, .size = sizeof(path) };
	int fd;

	str_add(&text, "/proc/");
	str_add_number(&text, (uint64_t)pid);
	str_add(&text, "/ns/user");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* A new user namespace with these maps; fd or -errno with @err filled. */
static int make_userns(const struct plan_map *uid, const struct plan_map *gid,
		       struct cloche_error *err)
{
	_close_ int alive_read = -EBADF, alive_write = -EBADF;
	int fds[2], r;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_set(err, ERROR_PIPE, errno, "a pipe");
	alive_read = fds[0];
	alive_write = fds[1];
	pid = sys_clone(CLONE_NEWUSER | SIGCHLD, NULL);
	if (pid == 0) {
		(void)close(alive_write);
		hold_namespace(alive_read);
	}
	if (pid < 0)
		return error_set(err, ERROR_CLONE, errno, NULL);
	r = ids_write_maps(pid, uid, gid, err);
	if (r == 0) {
		r = open_userns_of(pid);
		if (r < 0)
			(void)error_set(err, ERROR_OPEN_PROC, -r, "ns/user");
	}
	close_pointer(&alive_write);
	alive_write = -EBADF;
	ignore(helper_wait(pid)); /* it cannot fail */
	return r;
}

static int set_idmap(const struct plan *plan, int tree, int userns, const char *path,
		     struct cloche_error *err)
{
	/* A clone is the peer of its source: what is mounted inside must not appear outside. */
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP,
				   .userns_fd = (unsigned)userns,
				   .propagation = plan->private_mounts ? MS_PRIVATE : MS_SLAVE };

	if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) == 0)
		return 0;
	if (errno == EPERM)
		error_set_hint(err, HINT_IDMAP_ROOT);
	if (errno == EINVAL)
		error_set_hint(err, HINT_IDMAP_KIND);
	return error_set(err, ERROR_IDMAP, errno, path);
}

static int open_one(struct enter *enter, size_t index, struct cloche_error *err)
{
	const struct plan *plan = enter->plan;
	const struct fs_op *op = &plan->ops[index];
	struct id_range uids[IDMAP_MAX_RANGES], gids[IDMAP_MAX_RANGES];
	struct plan_map uid = { .ranges = uids }, gid = { .ranges = gids };
	int tree = -EBADF, r;
	_close_ int userns = -EBADF;

	err->use = op->use;
	r = source_open_bind(enter, op, &tree, err);
	if (r < 0 || tree < 0) /* missing, which --bind-try allows */
		return r;
	enter->mounts.trees[index] = tree;
	err->use = plan->spec->ids.idmap_ranges[op->idmap_first].use;
	uid.count = plan_idmap_ranges(plan, op, ID_USER, uids, ARRAY_SIZE(uids));
	gid.count = plan_idmap_ranges(plan, op, ID_GROUP, gids, ARRAY_SIZE(gids));
	userns = make_userns(&uid, &gid, err);
	return userns < 0 ? userns
			  : set_idmap(plan, tree, userns, op->source ? op->source : op->dest, err);
}

int idmap_open(struct enter *enter, struct cloche_error *err)
{
	enum error_stage stage = err->stage;
	int r = 0;

	if (!enter->plan->has_idmaps)
		return 0;
	err->stage = STAGE_SOURCES;
	enter->mounts.host_proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (enter->mounts.host_proc_fd < 0)
		return error_set(err, ERROR_OPEN_PROC, errno, NULL);
	for (size_t i = 0; r == 0 && i < enter->plan->op_count; i++)
		if (enter->plan->ops[i].idmap_count)
			r = open_one(enter, i, err);
	close_pointer(&enter->mounts.host_proc_fd);
	enter->mounts.host_proc_fd = -EBADF; /* the child opens its own */
	if (r == 0) {
		err->use = -1;
		err->stage = stage;
	}
	return r;
}
