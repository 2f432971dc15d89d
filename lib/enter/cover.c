/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Covering by mounts. A mount lies on an inode's entry, not on a path's letters, so what is covered
 * stays so whatever name leads there; and an entry on which a mount lies can be neither renamed nor
 * removed in this mount namespace (EBUSY), which is what pins are for.
 *
 * The empty file and directory are made once, in a tmpfs that is not visible anywhere; each use is
 * a clone of the mount, which has its flags already: two system calls.
 */
#include "enter/cover.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/sys.h"

#define CLONE_ONE (OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)

bool cover_is_mount_root(int fd)
{
	struct statx info;

	/* Since Linux 5.8, statx(2). */
	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &info) == 0 &&
	       info.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

bool cover_is_read_only(int fd)
{
	struct statvfs info;

	return fstatvfs(fd, &info) == 0 && info.f_flag & ST_RDONLY;
}

/* Attaches @tree on the entry @name of @dir_fd, "": on @dir_fd itself. 0 or -errno */
static int attach(int tree, int dir_fd, const char *name)
{
	unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | (name[0] ? 0 : MOVE_MOUNT_T_EMPTY_PATH);

	return move_mount(tree, "", dir_fd, name, flags) < 0 ? -errno : 0;
}

int cover_pin(const struct enter *enter, int fd)
{
	_close_ int covered = fd, tree = -EBADF;
	int r;

	if (cover_is_mount_root(fd))
		return take_fd(&covered);
	tree = source_clone(fd, "", 0, enter->plan->private_mounts);
	if (tree < 0)
		return tree;
	r = attach(tree, covered, "");
	return r < 0 ? r : take_fd(&tree);
}

int cover_flags_at(const struct enter *enter, int dir_fd, const char *name, uint64_t attributes)
{
	_close_ int tree = source_clone(dir_fd, name, attributes, enter->plan->private_mounts);

	return tree < 0 ? tree : attach(tree, dir_fd, name);
}

int cover_flags(const struct enter *enter, int fd, uint64_t attributes)
{
	struct mount_attr attr = { .attr_set = attributes };

	if (!cover_is_mount_root(fd))
		return cover_flags_at(enter, fd, "", attributes);
	return mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0 ? -errno
											    : 0;
}

/* ---- masks ---- */

static const char *const mask_names[2] = { "file", "dir" };

/* The tmpfs with the empty file and the empty directory, detached; fd or -errno. */
static int make_mask_fs(void)
{
	const struct fs_option options[] = { { "mode", "0700" }, { "nr_inodes", "8" }, { 0 } };
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	_close_ int fs = mount_new_fs("tmpfs", options,
				      MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);

	if (fs < 0)
		return fs;
	if (mknodat(fs, mask_names[0], S_IFREG, 0) < 0 || mkdirat(fs, mask_names[1], 0) < 0 ||
	    mount_setattr(fs, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return -errno;
	return take_fd(&fs);
}

static int clone_masks(struct mounts *mounts, int fs)
{
	for (size_t i = 0; i < ARRAY_SIZE(mask_names); i++) {
		mounts->masks[i] = open_tree(fs, mask_names[i], CLONE_ONE);
		if (mounts->masks[i] < 0)
			return -errno;
	}
	return 0;
}

/*
 * Before Linux 6.15 only what is attached can be cloned. For that moment the tmpfs lies on top of
 * "/", where no path leads but "/..", by which it comes off again.
 */
cold_path static int clone_masks_attached(struct mounts *mounts, int fs)
{
	int r = move_mount(fs, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0 ? -errno : 0;

	if (r < 0)
		return r;
	r = clone_masks(mounts, fs);
	/* Whatever else lies there must stay: it may be the root that is being built. */
	if (root_mount_id(AT_FDCWD, "/..") != root_mount_id(fs, ""))
		return -ESTALE;
	return umount2("/..", MNT_DETACH) < 0 ? -errno : r;
}

static int prepare_masks(struct mounts *mounts)
{
	_close_ int fs = -EBADF;
	int r;

	if (mounts->masks[0] >= 0)
		return 0;
	fs = make_mask_fs();
	if (fs < 0)
		return fs;
	r = clone_masks(mounts, fs);
	return r == -EINVAL ? clone_masks_attached(mounts, fs) : r;
}

int cover_mask(struct enter *enter, int dir_fd, const char *name, bool is_dir)
{
	struct mounts *mounts = &enter->mounts;
	_close_ int copy = -EBADF;
	int r = prepare_masks(mounts);

	if (r < 0)
		return r;
	if (!mounts->mask_attached[is_dir]) {
		r = attach(mounts->masks[is_dir], dir_fd, name);
		mounts->mask_attached[is_dir] = r == 0;
		return r;
	}
	copy = open_tree(mounts->masks[is_dir], "", AT_EMPTY_PATH | CLONE_ONE);
	return copy < 0 ? -errno : attach(copy, dir_fd, name);
}
