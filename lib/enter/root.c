/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The root directory: made, attached over "/", entered. Two ways:
 *
 * - a new tmpfs is attached over "/" and filled through its descriptor; then one pivot_root(".",
 * ".") and one detach. Absolute paths go on leading to the host until then, because lookups start
 * at the old root directory;
 * - in place, where the first operation is a bind of / on /: the copied namespace's own "/" gets
 * the flags, and there is nothing to leave.
 *
 * The scratch tmpfs, for overlay uppers and data files, is attached below the new root in the stack
 * over "/", so it goes away with the old root.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/sys.h"
#include "enter/enter.h"

void mount_own(struct mounts *mounts, int fd)
{
	struct stat info;

	if (fstat(fd, &info) == 0)
		mounts->own_devices[mounts->own_device_count++] = info.st_dev;
}

static int root_error(int errnum, struct cloche_error *err)
{
	if (errnum == ENOSPC)
		error_set_hint(err, HINT_MOUNT_LIMIT);
	if (errnum == ENOSYS) {
		error_set_hint(err, HINT_KERNEL_OLD);
		return error_set(err, ERROR_KERNEL_TOO_OLD, 0, "move_mount");
	}
	return error_set(err, ERROR_ROOT_ATTACH, errnum, NULL);
}

/* A new tmpfs on top of "/"; fd or -errno. */
static int attach_tmpfs(struct enter *enter, uint64_t size, struct cloche_error *err)
{
	_close_ int tree = mount_new_tmpfs(enter, size, 0755);

	if (tree < 0)
		return tree == -EOVERFLOW
			       ? (error_set_hint(err, HINT_NOT_MAPPED), root_error(-tree, err))
			       : root_error(-tree, err);
	if (move_mount(tree, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0) {
		if (errno == EPERM) /* which lets all steps before pass */
			error_set_hint(err, HINT_LANDLOCK);
		return root_error(errno, err);
	}
	mount_own(&enter->mounts, tree);
	return take_fd(&tree);
}

/* Without a new user namespace the copied mounts are still peers of the host's: nothing may travel
 * back. */
static int cut_propagation(const struct plan *plan, struct cloche_error *err)
{
	struct mount_attr attr = { .propagation = MS_SLAVE };

	if (plan->clone_flags & CLONE_NEWUSER)
		return 0;
	if (mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &attr, sizeof(attr)) == 0)
		return 0;
	if (errno == ENOSYS) {
		error_set_hint(err, HINT_KERNEL_OLD);
		return error_set(err, ERROR_KERNEL_TOO_OLD, 0, "mount_setattr");
	}
	return error_set(err, ERROR_ROOT_PROPAGATION, errno, NULL);
}

static int prepare_in_place(struct enter *enter, struct cloche_error *err)
{
	const struct fs_op *op = &enter->plan->ops[0];
	struct mounts *mounts = &enter->mounts;

	err->use = op->use;
	mounts->root_fd = fcntl(mounts->old_root_fd, F_DUPFD_CLOEXEC, 3);
	if (mounts->root_fd < 0)
		return root_error(errno, err);
	return source_set_flags(enter, mounts->root_fd, "/",
				source_bind_attributes(enter->plan, op->flags), err);
}

int root_prepare(struct enter *enter, struct cloche_error *err)
{
	const struct plan *plan = enter->plan;
	struct mounts *mounts = &enter->mounts;
	int r = cut_propagation(plan, err);

	if (r < 0)
		return r;
	r = source_open_all(enter, err);
	if (r < 0)
		return r;
	err->stage = STAGE_MOUNTS;
	mounts->old_root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (mounts->old_root_fd < 0)
		return root_error(errno, err);
	if (plan->in_place) {
		r = prepare_in_place(enter, err);
		err->use = r < 0 ? err->use : -1;
		return r;
	}
	if (plan->needs_scratch) {
		mounts->scratch_fd = attach_tmpfs(enter, plan->scratch_size, err);
		if (mounts->scratch_fd < 0)
			return mounts->scratch_fd;
	}
	mounts->root_fd = attach_tmpfs(enter, plan->root_size, err);
	mounts->needs_pivot = true;
	return mounts->root_fd < 0 ? mounts->root_fd : 0;
}

static int pivot_error(int errnum, struct cloche_error *err)
{
	error_set_hint(err, errnum == EINVAL  ? HINT_INITRAMFS
			    : errnum == EPERM ? HINT_LANDLOCK
					      : HINT_NONE);
	return error_set(err, ERROR_PIVOT, errnum, NULL);
}

/*
 * Takes the old root off the new one. What else was stacked on the old "/" (the scratch tmpfs, a
 * root that a later option covered) lies on top of it now and comes off first; the last umount2()
 * takes the old root itself, after which we stand outside the namespace and the next one fails.
 */
static int detach_old_root(const struct mounts *mounts)
{
	if (fchdir(mounts->old_root_fd) < 0)
		return -errno;
	while (umount2(".", MNT_DETACH) == 0)
		;
	return errno == EINVAL ? 0 : -errno;
}

uint64_t root_mount_id(int dir_fd, const char *path)
{
	struct statx info;

	return statx(dir_fd, path, AT_EMPTY_PATH, STATX_MNT_ID, &info) == 0 ? info.stx_mnt_id : 0;
}

/* ".." of "/" follows whatever is mounted over "/": nothing may be. */
static bool is_alone(const struct mounts *mounts)
{
	uint64_t root = root_mount_id(mounts->root_fd, "");

	return root && root_mount_id(AT_FDCWD, "/") == root &&
	       root_mount_id(AT_FDCWD, "/..") == root;
}

int root_switch(struct enter *enter, struct cloche_error *err)
{
	struct mounts *mounts = &enter->mounts;
	int r;

	if (!mounts->needs_pivot)
		return 0;
	if (fchdir(mounts->root_fd) < 0)
		return pivot_error(errno, err);
	/*
	 * Any failure is fatal: after a failed pivot the umount2() would succeed, remove the new
	 * root and leave us on the host's.
	 */
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return pivot_error(errno, err);
	r = detach_old_root(mounts);
	if (r < 0)
		return pivot_error(-r, err);
	if (chdir("/") < 0)
		return pivot_error(errno, err);
	return is_alone(mounts) ? 0 : pivot_error(0, err);
}
