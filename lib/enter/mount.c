/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The plan's operations, in order. Every destination is resolved by descriptor inside the new root;
 * what is mounted there was opened before, or is made here.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/sys.h"
#include "enter/enter.h"

#define MOUNT_POINT_FILE (S_IFREG | 0444)
#define MOUNT_POINT_DIR (S_IFDIR | 0755)

/* ---- new file systems ---- */

int mount_new_fs(const char *type, const struct fs_option *options, unsigned attributes)
{
	_close_ int context = fsopen(type, FSOPEN_CLOEXEC);
	int fd;

	if (context < 0)
		return -errno;
	/* What mountinfo shows as the source. */
	if (fsconfig(context, FSCONFIG_SET_STRING, "source", type, 0) < 0)
		return -errno;
	for (; options->key; options++) {
		unsigned command = options->value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG;

		if (fsconfig(context, command, options->key, options->value, 0) < 0)
			return -errno;
	}
	if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	fd = fsmount(context, FSMOUNT_CLOEXEC, attributes);
	return fd < 0 ? -errno : fd;
}

/* An inode for every page, so that neither bytes nor files can exhaust the host's memory. */
#define BYTES_PER_INODE 4096
#define LEAST_INODES 1024

int mount_new_tmpfs(const struct enter *enter, uint64_t size, mode_t mode)
{
	char size_text[STR_NUMBER_SIZE], inodes_text[STR_NUMBER_SIZE];
	char mode_text[5] = { (char)('0' + (mode >> 9 & 7)), (char)('0' + (mode >> 6 & 7)),
			      (char)('0' + (mode >> 3 & 7)), (char)('0' + (mode & 7)), '\0' };
	uint64_t inodes =
		size / BYTES_PER_INODE > LEAST_INODES ? size / BYTES_PER_INODE : LEAST_INODES;
	struct fs_option options[5] = { { "mode", mode_text } };
	size_t count = 1;

	if (size) {
		options[count++] = (struct fs_option){ "size", str_number(size_text, size) };
		if (enter->plan->personality
			    ->tmp_size) /* as bubblewrap, only --size itself counts */
			options[count++] =
				(struct fs_option){ "nr_inodes", str_number(inodes_text, inodes) };
	}
	if (enter->plan->spec->file_label.text)
		options[count++] =
			(struct fs_option){ "context", enter->plan->spec->file_label.text };
	return mount_new_fs("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
}

/* ---- destinations ---- */

bool mount_is_own(const struct mounts *mounts, int fd)
{
	struct stat info;

	if (fstat(fd, &info) < 0)
		return false;
	for (size_t i = 0; i < mounts->own_device_count; i++)
		if (mounts->own_devices[i] == info.st_dev)
			return true;
	return false;
}

/* Under our own name nothing is created on the host's file systems: only on those that we made. */
static int permit_own(void *context, int dir_fd)
{
	struct mounts *mounts = context;

	if (mount_is_own(mounts, dir_fd))
		return 0;
	mounts->host_refused = true;
	return -EROFS;
}

/* Mode of directories made on the way: searchable by whom the final entry's permissions mean, as
 * bubblewrap has it. */
static mode_t parent_mode(const struct plan *plan, const struct fs_op *op)
{
	mode_t perms = op->mode;

	if (perms == MODE_UNSET) {
		switch (op->type) {
		case OP_DIR:
		case OP_TMPFS:
		case OP_FILE:
			perms = 0755;
			break;
		case OP_DATA:
		case OP_DATA_RO:
			perms = 0600;
			break;
		default:
			perms = plan->personality->parent_perms;
		}
	}
	return 0700 | (perms & 0070 ? 0050 : 0) | (perms & 0007 ? 0005 : 0);
}

struct path_policy mount_policy(struct enter *enter, const struct fs_op *op)
{
	return (struct path_policy){
		.parent_mode = parent_mode(enter->plan, op),
		.permit = enter->plan->creates_dest ? NULL : permit_own,
		.context = &enter->mounts,
	};
}

cold_path int mount_dest_error(struct enter *enter, const struct fs_op *op, int r,
			       struct cloche_error *err)
{
	const char *slash = strrchr(op->dest, '/');
	char parent[PATH_MAX];
	_close_ int parent_fd = -EBADF;

	if (enter->mounts.host_refused) {
		error_set_hint(err, HINT_CREATE_DEST);
		return error_set(err, ERROR_DEST_ON_HOST, 0, op->dest);
	}
	if (r == -EROFS)
		error_set_hint(err, HINT_READ_ONLY_PARENT);
	if (slash && slash != op->dest && (size_t)(slash - op->dest) < sizeof(parent)) {
		str_copy(parent, (size_t)(slash - op->dest) + 1, op->dest);
		parent_fd = path_open(enter->mounts.root_fd, parent, O_PATH | O_DIRECTORY);
		if (parent_fd < 0)
			return error_set(err, ERROR_DEST_PARENT, -r, op->dest);
	}
	return error_set(err, ERROR_DEST_CREATE, -r, op->dest);
}

int mount_make_dest(struct enter *enter, const struct fs_op *op, mode_t type_and_mode,
		    struct cloche_error *err)
{
	struct path_policy policy = mount_policy(enter, op);
	_close_ int fd = -EBADF;
	struct stat info;

	enter->mounts.host_refused = false;
	fd = path_make(enter->mounts.root_fd, op->dest, type_and_mode, &policy);
	if (fd < 0)
		return mount_dest_error(enter, op, fd, err);
	if (fstat(fd, &info) < 0)
		return error_set(err, ERROR_DEST_CREATE, errno, op->dest);
	if (S_ISDIR(type_and_mode) && !S_ISDIR(info.st_mode))
		return error_set(err, ERROR_DEST_NOT_DIR, 0, op->dest);
	if (!S_ISDIR(type_and_mode) && S_ISDIR(info.st_mode))
		return error_set(err, ERROR_DEST_NOT_FILE, 0, op->dest);
	return take_fd(&fd);
}

/* Is @fd the very root directory, on the mount that is the root now? */
static bool is_root_directory(const struct mounts *mounts, int fd)
{
	struct statx here, root;
	const unsigned mask = STATX_INO | STATX_MNT_ID;

	return statx(fd, "", AT_EMPTY_PATH, mask, &here) == 0 &&
	       statx(mounts->root_fd, "", AT_EMPTY_PATH, mask, &root) == 0 &&
	       here.stx_ino == root.stx_ino && here.stx_mnt_id == root.stx_mnt_id;
}

static int attach_error(const struct fs_op *op, int errnum, struct cloche_error *err)
{
	if (errnum == ENOSPC)
		error_set_hint(err, HINT_MOUNT_LIMIT);
	if (errnum == EPERM)
		error_set_hint(err, HINT_LANDLOCK);
	return error_set(err, ERROR_ATTACH, errnum, op->dest);
}

int mount_attach(struct enter *enter, const struct fs_op *op, int tree, struct cloche_error *err)
{
	struct mounts *mounts = &enter->mounts;
	struct path_policy policy = mount_policy(enter, op);
	struct path_new new = { .cache = &mounts->cache };
	_close_ int dest = -EBADF;
	struct statx info;
	mode_t point;

	/* No question to a server that may be dead: whether it is a directory is known. */
	if (statx(tree, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE,
		  &info) < 0)
		return attach_error(op, errno, err);
	point = S_ISDIR(info.stx_mode) ? MOUNT_POINT_DIR : MOUNT_POINT_FILE;
	if (path_make_new(mounts->root_fd, op->dest, point, &policy, &new) == 0) {
		/* By name: move_mount(2) follows no link there unless told to. */
		if (move_mount(tree, "", new.dir_fd, new.name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
			return attach_error(op, errno, err);
		return 0;
	}
	path_cache_drop(&mounts->cache);
	dest = mount_make_dest(enter, op, point, err);
	if (dest < 0)
		return dest;
	if (move_mount(tree, "", dest, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return attach_error(op, errno, err);
	if (is_root_directory(mounts, dest)) {
		/* It covers the root: it is the root from now on. */
		int root_fd = fcntl(tree, F_DUPFD_CLOEXEC, 3);

		if (root_fd < 0)
			return attach_error(op, errno, err);
		close_pointer(&mounts->root_fd);
		mounts->root_fd = root_fd; /* the cache is empty: its paths began at the old one */
		mounts->needs_pivot = true;
	}
	return 0;
}

/* ---- the operations that are short ---- */

static int mount_tmpfs(struct enter *enter, const struct fs_op *op, struct cloche_error *err)
{
	_close_ int tree =
		mount_new_tmpfs(enter, op->size, op->mode == MODE_UNSET ? 0755 : op->mode);

	if (tree < 0)
		return error_set_detail(err, ERROR_NEW_FS, -tree, op->dest, "tmpfs");
	mount_own(&enter->mounts, tree);
	return mount_attach(enter, op, tree, err);
}

static int mount_mqueue(struct enter *enter, const struct fs_op *op, struct cloche_error *err)
{
	/* bubblewrap sets no flags here; files of this type are neither devices nor programs. */
	_close_ int tree = mount_new_fs("mqueue", (const struct fs_option[]){ { NULL, NULL } }, 0);

	if (tree < 0)
		return error_set_detail(err, ERROR_NEW_FS, -tree, op->dest, "mqueue");
	mount_own(&enter->mounts, tree);
	return mount_attach(enter, op, tree, err);
}

static int remount_read_only(struct enter *enter, const struct fs_op *op, struct cloche_error *err)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	_close_ int dest = path_open(enter->mounts.root_fd, op->dest, O_PATH);

	if (dest < 0)
		return error_set(err, ERROR_DEST_CREATE, -dest, op->dest);
	if (mount_setattr(dest, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return error_set(err, ERROR_REMOUNT, errno, op->dest);
	return 0;
}

static int mount_op(struct enter *enter, size_t index, struct cloche_error *err)
{
	const struct fs_op *op = &enter->plan->ops[index];
	int tree = enter->mounts.trees[index]; /* stays open: one close_range(2) ends them all */

	switch (op->type) {
	case OP_BIND:
	case OP_BIND_FD: /* no tree: a missing source that may be missing */
		return tree < 0 ? 0 : mount_attach(enter, op, tree, err);
	case OP_OVERLAY:
		return overlay_mount(enter, op, index, err);
	case OP_PROC:
		return proc_mount(enter, op, tree, err);
	case OP_SYS:
		return sys_mount(enter, op, tree, err);
	case OP_DEV:
		return dev_mount(enter, op, err);
	case OP_TMPFS:
		return mount_tmpfs(enter, op, err);
	case OP_MQUEUE:
		return mount_mqueue(enter, op, err);
	case OP_REMOUNT_RO:
		return remount_read_only(enter, op, err);
	case OP_MASK:
	case OP_DENY_WRITE:
	case OP_DENY_CREATE:
	case OP_NOEXEC:
	case OP_NO_SYMLINKS:
		return protect_paths(enter, op, err);
	case OP_SECRETS:
		return secrets_mount(enter, op, err);
	default:
		return files_make(enter, op, err);
	}
}

int mount_all(struct enter *enter, struct cloche_error *err)
{
	const struct plan *plan = enter->plan;

	for (size_t i = plan->in_place ? 1 : 0; i < plan->op_count; i++) {
		int r;

		err->use = plan->ops[i].use;
		r = mount_op(enter, i, err);
		if (r < 0)
			return r;
	}
	err->use = -1;
	return 0;
}
