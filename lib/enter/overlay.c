/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Overlays. Layers were opened by path before anything was covered; here they are named by
 * descriptor: directly where the kernel takes that (Linux 6.13), as /proc/self/fd/N elsewhere. Such
 * names need no escaping and tell COMMAND nothing of the host's paths.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/sys.h"
#include "enter/enter.h"

/* What an overlay is made of; upper and work are -1 for a read-only one. */
struct layers {
	const int *lower; /* bottom first */
	size_t count;
	int upper, work;
	bool nosuid;
};

static int set_layer(int context, const char *key, int fd, bool by_descriptor)
{
	char path[STR_FD_PATH_SIZE];

	if (by_descriptor)
		return fsconfig(context, FSCONFIG_SET_FD, key, NULL, fd);
	return fsconfig(context, FSCONFIG_SET_STRING, key, str_fd_path(path, fd), 0);
}

/* A detached overlay by the new interface; "lowerdir+" takes one layer at a time, top first. fd or
 * -errno. */
static int make_by_context(const struct layers *layers, bool by_descriptor)
{
	_close_ int context = fsopen("overlay", FSOPEN_CLOEXEC);
	int fd;

	if (context < 0)
		return -errno;
	if (fsconfig(context, FSCONFIG_SET_STRING, "source", "overlay", 0) < 0)
		return -errno;
	for (size_t i = layers->count; i > 0; i--)
		if (set_layer(context, "lowerdir+", layers->lower[i - 1], by_descriptor) < 0)
			return -errno;
	if (layers->upper >= 0 &&
	    (set_layer(context, "upperdir", layers->upper, by_descriptor) < 0 ||
	     set_layer(context, "workdir", layers->work, by_descriptor) < 0))
		return -errno;
	if (fsconfig(context, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0 ||
	    (layers->upper < 0 && fsconfig(context, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0) ||
	    fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	fd = fsmount(context, FSMOUNT_CLOEXEC,
		     (layers->nosuid ? MOUNT_ATTR_NOSUID : 0) | MOUNT_ATTR_NODEV);
	return fd < 0 ? -errno : fd;
}

/* Directory @prefix plus number in the scratch tmpfs, its name goes to @name; O_PATH fd or -errno.
 */
static int make_scratch_dir(struct mounts *mounts, const char *prefix, char name[32])
{
	struct str_buf text = { .data = name, .size = 32 };
	int fd;

	str_add(&text, prefix);
	str_add_number(&text, mounts->scratch_count++);
	if (mkdirat(mounts->scratch_fd, name, 0755) < 0)
		return -errno;
	fd = openat(mounts->scratch_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/*
 * Before "lowerdir+" (Linux 6.5) all layers stand in one string of mount(2), which attaches at
 * once: to a directory of the scratch tmpfs, from where it is cloned. fd or -errno.
 */
cold_path static int make_by_string(struct mounts *mounts, const struct layers *layers)
{
	char options[4096], path[STR_FD_PATH_SIZE], name[32];
	struct str_buf text = { .data = options, .size = sizeof(options) };
	unsigned long flags = (layers->nosuid ? MS_NOSUID : 0) | MS_NODEV;
	_close_ int point = make_scratch_dir(mounts, "overlay-", name);
	int fd;

	if (point < 0)
		return point;
	str_add(&text, "userxattr,lowerdir=");
	for (size_t i = layers->count; i > 0; i--) {
		str_add(&text, str_fd_path(path, layers->lower[i - 1]));
		if (i > 1)
			str_add_char(&text, ':');
	}
	if (layers->upper >= 0) {
		str_add(&text, ",upperdir=");
		str_add(&text, str_fd_path(path, layers->upper));
		str_add(&text, ",workdir=");
		str_add(&text, str_fd_path(path, layers->work));
	}
	if (text.length + 1 >= sizeof(options))
		return -E2BIG;
	if (layers->upper < 0)
		flags |= MS_RDONLY;
	if (mount("overlay", str_fd_path(path, point), "overlay", flags, options) < 0)
		return -errno;
	fd = open_tree(mounts->scratch_fd, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int overlay_error(const struct fs_op *op, int r, struct cloche_error *err)
{
	error_set_hint(err, HINT_OVERLAY_LAYERS);
	return error_set(err, ERROR_OVERLAY, -r, op->dest);
}

/* Does the failure mean that this kernel does not know this way of naming layers? */
static bool is_unknown_way(int r)
{
	return r == -EINVAL || r == -EBADF || r == -EOPNOTSUPP;
}

int overlay_mount(struct enter *enter, const struct fs_op *op, size_t index,
		  struct cloche_error *err)
{
	struct mounts *mounts = &enter->mounts;
	_close_ int upper = mounts->upper_fds[index], work = mounts->work_fds[index];
	_close_ int tree = -EBADF;
	struct layers layers = { .lower = mounts->layer_fds + op->layer_first,
				 .count = op->layer_count,
				 .nosuid = !enter->plan->allow_suid };
	char name[32];

	mounts->upper_fds[index] = mounts->work_fds[index] = -EBADF;
	if (op->flags == OVERLAY_TMP) {
		upper = make_scratch_dir(mounts, "upper-", name);
		work = upper < 0 ? upper : make_scratch_dir(mounts, "work-", name);
		if (work < 0)
			return overlay_error(op, work, err);
	}
	layers.upper = upper;
	layers.work = work;
	tree = make_by_context(&layers, true);
	if (is_unknown_way(tree))
		tree = make_by_context(&layers, false);
	if (is_unknown_way(tree))
		tree = make_by_string(mounts, &layers);
	if (tree < 0)
		return overlay_error(op, tree, err);
	if (op->flags != OVERLAY_RW) /* its upper directory is the host's */
		mount_own(mounts, tree);
	return mount_attach(enter, op, tree, err);
}
