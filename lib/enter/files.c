/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Operations that make entries instead of mounts: directories, files, links, modes; and files with
 * data that are bound from the scratch tmpfs.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/sys.h"
#include "enter/enter.h"

#define SCRATCH_NAME 32 /* bytes of a file's name in the scratch tmpfs */

static int make_dir(struct enter *enter, const struct fs_op *op, struct cloche_error *err)
{
	int fd = mount_make_dest(enter, op, S_IFDIR | (op->mode == MODE_UNSET ? 0755 : op->mode),
				 err);

	if (fd < 0)
		return fd;
	(void)close(fd);
	return 0;
}

/* Copies the option's descriptor to @file and gives it up. */
static int copy_data(const struct fs_op *op, int file, struct cloche_error *err)
{
	int r = fd_copy(op->fd, file);

	if (r < 0)
		return error_set(err, ERROR_READ_DATA, -r, op->dest);
	fd_release(op->fd);
	return 0;
}

static int make_file(struct enter *enter, const struct fs_op *op, struct cloche_error *err)
{
	mode_t mode = op->mode == MODE_UNSET ? 0666 : op->mode;
	struct path_policy policy = mount_policy(enter, op);
	_place_ struct path_place place = PATH_PLACE_INIT;
	_close_ int file = -EBADF;
	int r;

	enter->mounts.host_refused = false;
	r = path_find(enter->mounts.root_fd, op->dest, &policy, &place);
	if (r == 0 && place.fd < 0 && policy.permit)
		r = policy.permit(policy.context, place.dir_fd);
	if (r < 0)
		return mount_dest_error(enter, op, r, err);
	/* O_NONBLOCK: a fifo without a reader is an error, not a wait. */
	file = openat(place.dir_fd, place.name[0] ? place.name : ".",
		      O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		      mode);
	if (file < 0)
		return mount_dest_error(enter, op, -errno, err);
	/* Before the data: what writing takes away, set-user-ID bits, shall not come back. */
	if (place.fd < 0 && fchmod(file, mode) < 0)
		return error_set(err, ERROR_CHMOD, errno, op->dest);
	return copy_data(op, file, err);
}

/* Clones the file @name of the scratch tmpfs as a mount of its own; fd or -errno. */
static int clone_scratch_file(const struct enter *enter, const char *name, bool read_only)
{
	_close_ int fd = openat(enter->mounts.scratch_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return source_clone(
		fd, "", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (read_only ? MOUNT_ATTR_RDONLY : 0),
		enter->plan->private_mounts);
}

/* A new file of the scratch tmpfs; its name in @name. fd or -errno with @err filled. */
static int make_scratch_file(struct enter *enter, const struct fs_op *op, mode_t mode,
			     char name[SCRATCH_NAME], struct cloche_error *err)
{
	struct str_buf text = { .data = name, .size = SCRATCH_NAME };
	_close_ int file = -EBADF;

	str_add(&text, "data-");
	str_add_number(&text, enter->mounts.scratch_count++);
	file = openat(enter->mounts.scratch_fd, name,
		      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (file < 0)
		return error_set(err, ERROR_READ_DATA, errno, op->dest);
	if (fchmod(file, mode) < 0)
		return error_set(err, ERROR_CHMOD, errno, op->dest);
	return take_fd(&file);
}

static int bind_data(struct enter *enter, const struct fs_op *op, struct cloche_error *err)
{
	char name[SCRATCH_NAME];
	_close_ int tree = -EBADF,
		    file = make_scratch_file(enter, op, op->mode == MODE_UNSET ? 0600 : op->mode,
					     name, err);
	int r = file < 0 ? file : copy_data(op, file, err);

	if (r < 0)
		return r;
	tree = clone_scratch_file(enter, name, op->type == OP_DATA_RO);
	if (tree < 0)
		return error_set(err, ERROR_SOURCE_CLONE, -tree, op->dest);
	return mount_attach(enter, op, tree, err);
}

/* The mount of a file with @op's text; fd or -errno with @err filled. */
static int make_text(struct enter *enter, const struct fs_op *op, struct cloche_error *err)
{
	char name[SCRATCH_NAME];
	_close_ int file = make_scratch_file(enter, op, op->mode, name, err);
	int r = file < 0 ? file : fd_write_all(file, op->source, strlen(op->source));

	if (file < 0)
		return r;
	if (r == 0)
		r = clone_scratch_file(enter, name, true);
	return r < 0 ? error_set(err, ERROR_READ_DATA, -r, op->dest) : r;
}

/* What is at @op's destination, a link itself included; made where it is missing and may be. fd or
 * -errno with @err filled; -ENOENT without: there is no place for it. */
static int find_place(struct enter *enter, const struct fs_op *op, struct cloche_error *err)
{
	struct mounts *mounts = &enter->mounts;
	_place_ struct path_place place = PATH_PLACE_INIT;
	int r = path_find_nofollow(mounts->root_fd, op->dest, NULL, &place);

	if (r == 0 && place.fd >= 0)
		return take_fd(&place.fd);
	/* Never on the host, whatever --create-dest allows: nobody asked for this file. */
	if (!mount_is_own(mounts, r == 0 ? place.dir_fd : mounts->root_fd))
		return -ENOENT;
	return mount_make_dest(enter, op, S_IFREG | 0444, err);
}

/* A file of our own over what is there, whatever that is: a link may lead nowhere inside. */
static int bind_text(struct enter *enter, const struct fs_op *op, struct cloche_error *err)
{
	_close_ int place = find_place(enter, op, err), tree = -EBADF;

	if (place == -ENOENT)
		return 0;
	if (place < 0)
		return place;
	tree = make_text(enter, op, err);
	if (tree < 0)
		return tree;
	path_cache_drop(&enter->mounts.cache);
	return move_mount(tree, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) <
			       0
		       ? error_set(err, ERROR_ATTACH, errno, op->dest)
		       : 0;
}

static int make_symlink(struct enter *enter, const struct fs_op *op, struct cloche_error *err)
{
	struct path_policy policy = mount_policy(enter, op);
	_place_ struct path_place place = PATH_PLACE_INIT;
	char target[PATH_MAX];
	ssize_t length;
	int r;

	enter->mounts.host_refused = false;
	r = path_find_nofollow(enter->mounts.root_fd, op->dest, &policy, &place);
	if (r < 0)
		return mount_dest_error(enter, op, r, err);
	if (place.fd >= 0) {
		length = readlinkat(place.fd, "", target, sizeof(target) - 1);
		if (length < 0)
			return error_set(err, ERROR_SYMLINK_EXISTS, 0, op->dest);
		target[length] = '\0';
		return strcmp(target, op->source) == 0
			       ? 0
			       : error_set_detail(err, ERROR_SYMLINK_OTHER, 0, op->dest, target);
	}
	r = policy.permit ? policy.permit(policy.context, place.dir_fd) : 0;
	if (r < 0)
		return mount_dest_error(enter, op, r, err);
	if (symlinkat(op->source, place.dir_fd, place.name) < 0)
		return error_set(err, ERROR_SYMLINK, errno, op->dest);
	return 0;
}

/* fchmod(2) refuses O_PATH descriptors; procfs leads to the very file that was found. */
static int change_mode(struct enter *enter, const struct fs_op *op, struct cloche_error *err)
{
	_close_ int fd = path_open(enter->mounts.root_fd, op->dest, O_PATH);
	char link[STR_FD_PATH_SIZE];
	const char octal[5] = { '0', (char)('0' + (op->mode >> 6 & 7)),
				(char)('0' + (op->mode >> 3 & 7)), (char)('0' + (op->mode & 7)),
				'\0' };

	if (fd < 0)
		return error_set(err, ERROR_CHMOD_OPEN, -fd, op->dest);
	if (fchmodat(enter->mounts.host_proc_fd, str_fd_path(link, fd) + strlen("/proc/"), op->mode,
		     0) < 0)
		return error_set_detail(err, ERROR_CHMOD, errno, op->dest, octal);
	return 0;
}

int files_make(struct enter *enter, const struct fs_op *op, struct cloche_error *err)
{
	switch (op->type) {
	case OP_DIR:
		return make_dir(enter, op, err);
	case OP_FILE:
		return make_file(enter, op, err);
	case OP_SYMLINK:
		return make_symlink(enter, op, err);
	case OP_CHMOD:
		return change_mode(enter, op, err);
	case OP_TEXT:
		return bind_text(enter, op, err);
	default:
		return bind_data(enter, op, err);
	}
}
