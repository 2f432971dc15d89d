/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * --proc: a procfs of our own pid namespace, or the host's where there is none. What lets root
 * reach the host through it is made read-only.
 */
#include <fcntl.h>
#include <unistd.h>

#include "base/str.h"
#include "base/sys.h"
#include "enter/enter.h"

/* Binds @name of the procfs @proc_fd over itself, read-only. The procfs is attached by now. */
static int cover(const struct enter *enter, int proc_fd, const char *name, struct cloche_error *err)
{
	_close_ int fd = openat(proc_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	_close_ int tree = -EBADF;

	if (fd < 0)
		return errno == ENOENT ? 0 : error_set(err, ERROR_PROC_COVER, errno, name);
	tree = source_clone(fd, "", MOUNT_ATTR_RDONLY, enter->plan->private_mounts);
	if (tree < 0)
		return error_set(err, ERROR_PROC_COVER, -tree, name);
	if (move_mount(tree, "", fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return error_set(err, ERROR_PROC_COVER, errno, name);
	return 0;
}

static int cover_all(const struct enter *enter, int proc_fd, struct cloche_error *err)
{
	static const char *const names[] = { "sys", "sysrq-trigger", "irq", "bus" };
	const struct plan *plan = enter->plan;
	int r = 0;

	/*
	 * Root's files: where root is not mapped, nobody inside can write them, whatever his
	 * capabilities. Covered, they would make the kernel refuse a procfs to nested sandboxes
	 * (mount_too_revealing), so not where those are allowed.
	 */
	if (plan->writes_id_maps && plan->outer_uid != 0 &&
	    (!plan->personality->protects_proc || plan->max_userns < 0))
		return 0;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(names); i++)
		if (plan->personality->protects_proc || faccessat(proc_fd, names[i], W_OK, 0) == 0)
			r = cover(enter, proc_fd, names[i], err);
	return r;
}

int proc_mount(struct enter *enter, const struct fs_op *op, int tree, struct cloche_error *err)
{
	_close_ int new_tree = -EBADF;
	int r;

	if (enter->plan->own_proc) {
		new_tree = mount_new_fs("proc", (const struct fs_option[]){ { NULL, NULL } },
					MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
		if (new_tree < 0) {
			if (new_tree == -EPERM)
				error_set_hint(err, HINT_PROC_MASKED);
			return error_set(err, ERROR_PROC_NEW, -new_tree, op->dest);
		}
		tree = new_tree;
	}
	r = mount_attach(enter, op, tree, err);
	return r < 0 ? r : cover_all(enter, tree, err);
}
