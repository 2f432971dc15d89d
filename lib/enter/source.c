/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sources of binds and overlays. They are opened by path in the child, in its copy of the mount
 * namespace: a descriptor opened in the supervisor's cannot be cloned here (EINVAL). All of them
 * are opened before anything is attached, so no destination can get in the way of a source, and
 * paths that climb to "/" by ".." still mean the host's.
 *
 * What a source leads to is the caller's say: paths are followed as its user would. Under our own
 * name, magic links of procfs are refused, since they lead where no path does.
 */
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/sys.h"
#include "enter/enter.h"

int source_clone(int fd, const char *path, uint64_t attributes, bool private_mounts)
{
	struct mount_attr attr = { .attr_set = attributes,
				   .propagation = private_mounts ? MS_PRIVATE : 0 };
	_close_ int tree = open_tree(fd, path,
				     (path[0] ? 0 : AT_EMPTY_PATH) | OPEN_TREE_CLONE |
					     OPEN_TREE_CLOEXEC | AT_RECURSIVE);

	if (tree < 0)
		return -errno;
	if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return -errno;
	return take_fd(&tree);
}

/* ---- flags ---- */

/* Undoes the \ooo escapes of mountinfo in place. */
static void unescape(char *text)
{
	char *out = text;

	while (*text) {
		if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] && text[3]) {
			*out++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 |
					(text[3] - '0'));
			text += 4;
		} else {
			*out++ = *text++;
		}
	}
	*out = '\0';
}

/* The fifth field of a mountinfo line is the mount point (proc_pid_mountinfo(5)). */
static char *mount_point(char *line)
{
	for (int field = 0; field < 4; field++) {
		line = strchr(line, ' ');
		if (!line)
			return NULL;
		line++;
	}
	line[strcspn(line, " ")] = '\0';
	unescape(line);
	return line;
}

/* A tree whose mounts get flags one by one. */
struct flagging {
	const struct enter *enter;
	int tree;
	size_t base_length; /* of the host path the tree was cloned from, without a last slash */
	struct mount_attr attr;
};

/* Sets the flags of the mount with the host path @path; a refusal is an error that names it, or a
 * warning. */
static int set_submount_flags(const struct flagging *flagging, const char *path,
			      struct cloche_error *err)
{
	const struct enter *enter = flagging->enter;
	const char *relative = path + flagging->base_length + 1;
	struct mount_attr attr = flagging->attr;
	struct cloche_error warning = ERROR_INIT;

	if (mount_setattr(flagging->tree, relative, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, &attr,
			  sizeof(attr)) == 0)
		return 0;
	/* Not a mount point of this tree: something is mounted over it, or it is unbindable. */
	if (errno == EINVAL || errno == ENOENT)
		return 0;
	if (!spec_flag(enter->plan->spec, FLAG_NOT_A_BOUNDARY)) {
		error_set_hint(err, HINT_NOT_A_BOUNDARY);
		return error_set(err, ERROR_SUBMOUNT_FLAGS, errno, path);
	}
	warning.use = err->use;
	(void)error_set(&warning, ERROR_SUBMOUNT_FLAGS, errno, path);
	child_warn(enter, &warning);
	return 0;
}

/* Calls set_submount_flags() for each mount of the host's table that lies below the host path
 * @base. */
static int set_all_submount_flags(struct flagging *flagging, const char *base,
				  struct cloche_error *err)
{
	_close_ int fd = openat(flagging->enter->mounts.host_proc_fd, "self/mountinfo",
				O_RDONLY | O_CLOEXEC);
	char buf[3 * PATH_MAX];
	size_t used = 0, length = strcmp(base, "/") == 0 ? 0 : strlen(base);
	ssize_t got;

	flagging->base_length = length;
	if (fd < 0)
		return error_set(err, ERROR_OPEN_PROC, errno, "self/mountinfo");
	while ((got = read(fd, buf + used, sizeof(buf) - 1 - used)) > 0) {
		char *line = buf, *end;

		used += (size_t)got;
		buf[used] = '\0';
		while ((end = strchr(line, '\n'))) {
			const char *point;
			int r = 0;

			*end = '\0';
			point = mount_point(line);
			if (point && strncmp(point, base, length) == 0 && point[length] == '/' &&
			    point[length + 1])
				r = set_submount_flags(flagging, point, err);
			if (r < 0)
				return r;
			line = end + 1;
		}
		used -= (size_t)(line - buf);
		memmove(buf, line, used);
	}
	return got < 0 ? error_set(err, ERROR_OPEN_PROC, errno, "self/mountinfo") : 0;
}

/* The path of @fd as procfs tells it; "" where it cannot. */
static void path_of(const struct enter *enter, int fd, char path[PATH_MAX])
{
	char link[STR_FD_PATH_SIZE];
	ssize_t length = readlinkat(enter->mounts.host_proc_fd,
				    str_fd_path(link, fd) + strlen("/proc/"), path, PATH_MAX - 1);

	path[length > 0 ? length : 0] = '\0';
}

/* All or nothing did not work: one by one, to find out which mount refuses. */
cold_path static int set_flags_singly(struct flagging *flagging, const char *path,
				      struct cloche_error *err)
{
	struct mount_attr attr = flagging->attr;
	_close_ int fd = -EBADF;
	char real_path[PATH_MAX];

	if (mount_setattr(flagging->tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return error_set(err, ERROR_MOUNT_FLAGS, errno, path);
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return error_set(err, ERROR_SOURCE, errno, path);
	path_of(flagging->enter, fd, real_path);
	return set_all_submount_flags(flagging, real_path, err);
}

int source_set_flags(const struct enter *enter, int tree, const char *path, uint64_t attributes,
		     struct cloche_error *err)
{
	struct flagging flagging = {
		.enter = enter,
		.tree = tree,
		.attr = { .attr_set = attributes,
			  .propagation = enter->plan->private_mounts ? MS_PRIVATE : 0 },
	};

	if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &flagging.attr,
			  sizeof(flagging.attr)) == 0)
		return 0;
	if (errno == ENOSYS) {
		error_set_hint(err, HINT_KERNEL_OLD);
		return error_set(err, ERROR_KERNEL_TOO_OLD, 0, "mount_setattr");
	}
	return set_flags_singly(&flagging, path, err);
}

/* ---- opening ---- */

/* Else the caller's private files are closed to us. */
static bool maps_own_uid(const struct plan *plan)
{
	const struct plan_map *map = &plan->ids.uid;
	uint32_t inside;

	return !map->count || idmap_inside(map->ranges, map->count, plan->outer_uid, &inside);
}

static int source_error(const struct enter *enter, const char *path, int errnum,
			struct cloche_error *err)
{
	if (errnum == ENOSYS) {
		error_set_hint(err, HINT_KERNEL_OLD);
		return error_set(err, ERROR_KERNEL_TOO_OLD, 0, "open_tree");
	}
	if (errnum == ENOENT)
		error_set_hint(err, HINT_MISSING_SOURCE);
	if (errnum == EACCES && !maps_own_uid(enter->plan))
		error_set_hint(err, HINT_OWN_NOT_MAPPED);
	if (errnum == EACCES && enter->facts->uid == 0)
		error_set_hint(err, HINT_ROOT_OTHER_FILES);
	if (errnum == ENOSPC)
		error_set_hint(err, HINT_MOUNT_LIMIT);
	if (errnum == EMFILE)
		error_set_hint(err, HINT_FD_LIMIT);
	return error_set(err, ERROR_SOURCE, errnum, path);
}

/* ... without openat2(2): by the walk, from "/". */
cold_path static int walk_without_magic(const char *path)
{
	_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char cwd[PATH_MAX], absolute[2 * PATH_MAX];
	struct str_buf text = { .data = absolute, .size = sizeof(absolute) };

	if (path[0] != '/') {
		if (!getcwd(cwd, sizeof(cwd)))
			return -errno;
		str_add(&text, cwd);
		str_add_char(&text, '/');
	}
	str_add(&text, path);
	return root < 0 ? -errno : path_open(root, absolute, O_PATH);
}

/* Opens @path O_PATH without passing through magic links. fd or -errno; -ELOOP for one. */
static int open_without_magic(const char *path)
{
	int fd = sys_openat2(AT_FDCWD, path, O_PATH | O_CLOEXEC, RESOLVE_NO_MAGICLINKS);

	if (fd >= 0)
		return fd;
	return errno == ENOSYS || errno == EPERM ? walk_without_magic(path) : -errno;
}

/* The descriptor @fd has no path: it is none of a file, or an earlier option used it up. */
static int pathless_error(int fd, const char *path, bool was_open, struct cloche_error *err)
{
	char number[STR_NUMBER_SIZE];

	(void)str_number(number, (uint64_t)fd);
	if (!was_open)
		return error_set(err, ERROR_FD_NOT_OPEN, EBADF, number);
	if (strcmp(path, "anon_inode:[eventpoll]") == 0) /* fd_release() */
		return error_set(err, ERROR_FD_GIVEN_UP, EBADF, number);
	return error_set(err, ERROR_SOURCE_FD, ENOENT, number);
}

/*
 * Opens the file that the descriptor @fd refers to by its path, in this mount namespace, and makes
 * sure that it is the same file. O_PATH fd or -errno with @err filled.
 */
cold_path static int reopen_fd(const struct enter *enter, int fd, bool was_open,
			       struct cloche_error *err)
{
	_close_ int reopened = -EBADF;
	char path[PATH_MAX];

	path_of(enter, fd, path);
	if (path[0] != '/')
		return pathless_error(fd, path, was_open, err);
	reopened = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (reopened < 0 && errno == ENOENT) /* removed, or not visible from here */
		return pathless_error(fd, path, was_open, err);
	if (reopened < 0)
		return error_set(err, ERROR_SOURCE, errno, path);
	if (!fd_same_file(fd, reopened))
		return error_set(err, ERROR_SOURCE_RACE, 0, path);
	return take_fd(&reopened);
}

/*
 * open_tree() refuses a file of the supervisor's mount namespace, which a path through
 * /proc/self/fd leads to. Callers of bubblewrap use such paths: find the real one.
 */
cold_path static int open_tree_through_fd(const struct enter *enter, const char *path,
					  struct cloche_error *err)
{
	_close_ int foreign = open(path, O_PATH | O_CLOEXEC);
	_close_ int fd = -EBADF;
	int tree;

	if (foreign < 0)
		return error_set(err, ERROR_SOURCE, errno, path);
	fd = reopen_fd(enter, foreign, true, err);
	if (fd < 0)
		return fd;
	tree = open_tree(fd, "",
			 AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	return tree < 0 ? source_error(enter, path, errno, err) : tree;
}

static int open_bind_path(const struct enter *enter, const char *path, struct cloche_error *err)
{
	const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE;
	_close_ int fd = -EBADF;
	int tree;

	if (!enter->plan->personality->refuses_magic_links) {
		tree = open_tree(AT_FDCWD, path, flags);
		if (tree < 0 && errno == EINVAL)
			return open_tree_through_fd(enter, path, err);
		return tree < 0 ? source_error(enter, path, errno, err) : tree;
	}
	fd = open_without_magic(path);
	if (fd == -ELOOP) {
		struct stat info;

		/* A loop of ordinary links cannot be followed by stat(2) either. */
		if (stat(path, &info) == 0) {
			error_set_hint(err, HINT_BIND_FD);
			return error_set(err, ERROR_SOURCE_MAGIC, 0, path);
		}
	}
	if (fd < 0)
		return source_error(enter, path, -fd, err);
	tree = open_tree(fd, "", flags | AT_EMPTY_PATH);
	return tree < 0 ? source_error(enter, path, errno, err) : tree;
}

uint64_t source_bind_attributes(const struct plan *plan, int flags)
{
	return (plan->allow_suid ? 0 : MOUNT_ATTR_NOSUID) |
	       (flags & BIND_DEV ? 0 : MOUNT_ATTR_NODEV) |
	       (flags & BIND_RO ? MOUNT_ATTR_RDONLY : 0);
}

static int open_bind(const struct enter *enter, const struct fs_op *op, int *ret_tree,
		     struct cloche_error *err)
{
	_close_ int tree = open_bind_path(enter, op->source, err);
	int r;

	if (tree == -ENOENT && op->flags & BIND_TRY) {
		*err = (struct cloche_error){ .use = op->use, .stage = err->stage };
		return 0;
	}
	if (tree < 0)
		return tree;
	r = source_set_flags(enter, tree, op->source,
			     source_bind_attributes(enter->plan, op->flags), err);
	if (r == 0)
		*ret_tree = take_fd(&tree);
	return r;
}

cold_path static int open_bind_fd(const struct enter *enter, const struct fs_op *op, int *ret_tree,
				  struct cloche_error *err)
{
	_close_ int fd = reopen_fd(enter, op->fd, !(op->flags & BIND_NOT_OPEN), err);
	_close_ int tree = -EBADF;
	char path[PATH_MAX];
	int r;

	if (fd < 0)
		return fd;
	path_of(enter, fd, path);
	tree = open_tree(fd, "",
			 AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (tree < 0)
		return source_error(enter, path, errno, err);
	r = source_set_flags(enter, tree, path, source_bind_attributes(enter->plan, op->flags),
			     err);
	if (r < 0)
		return r;
	fd_release(op->fd);
	*ret_tree = take_fd(&tree);
	return 0;
}

int source_open_bind(const struct enter *enter, const struct fs_op *op, int *ret_tree,
		     struct cloche_error *err)
{
	return op->type == OP_BIND ? open_bind(enter, op, ret_tree, err)
				   : open_bind_fd(enter, op, ret_tree, err);
}

static int open_layer(const struct enter *enter, const char *path, int *ret_fd,
		      struct cloche_error *err)
{
	int fd = enter->plan->personality->refuses_magic_links ? open_without_magic(path)
							       : open(path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return source_error(enter, path, fd == -1 ? errno : -fd, err);
	*ret_fd = fd;
	return 0;
}

static int open_overlay(struct enter *enter, const struct fs_op *op, size_t index,
			struct cloche_error *err)
{
	const struct spec *spec = enter->plan->spec;
	int r = 0;

	for (size_t i = op->layer_first; r == 0 && i < op->layer_first + op->layer_count; i++) {
		err->use = spec->layers[i].use;
		r = open_layer(enter, spec->layers[i].path, &enter->mounts.layer_fds[i], err);
	}
	if (r < 0)
		return r;
	err->use = op->use;
	if (op->flags != OVERLAY_RW)
		return 0;
	r = open_layer(enter, op->source, &enter->mounts.upper_fds[index], err);
	return r < 0 ? r : open_layer(enter, op->work, &enter->mounts.work_fds[index], err);
}

/* A node of --dev-node, or a directory of such. */
static int open_dev_node(struct enter *enter, size_t index, uint64_t attributes,
			 struct cloche_error *err)
{
	const struct dev_node *node = &enter->plan->views.dev_nodes[index];
	int *tree = &enter->mounts.node_trees[index];
	char path[PATH_MAX];
	struct str_buf text = { .data = path, .size = sizeof(path) };
	int use = err->use;
	struct stat info;

	str_add(&text, "/dev/");
	str_add(&text, node->name);
	err->use = node->use;
	*tree = source_clone(AT_FDCWD, path, attributes, enter->plan->private_mounts);
	if (*tree < 0)
		return source_error(enter, path, -*tree, err);
	if (fstat(*tree, &info) < 0 || !(S_ISCHR(info.st_mode) || S_ISDIR(info.st_mode)))
		return error_set(err, ERROR_DEV_NODE_KIND, 0, path);
	err->use = use;
	return 0;
}

/*
 * The device nodes of --dev: the host's, except that the terminal on stdout becomes the console. A
 * read-only mount does not keep anybody from writing to a device, but from changing the host's node
 * (root owns them, and needs no capability for chmod(2)).
 */
static int open_devices(struct enter *enter, struct cloche_error *err)
{
	static const char *const paths[] = { "/dev/null",   "/dev/zero",    "/dev/full",
					     "/dev/random", "/dev/urandom", "/dev/tty" };
	const struct plan *plan = enter->plan;
	struct mounts *mounts = &enter->mounts;
	const char *tty = plan->has_pty ? NULL : enter->facts->tty;
	uint64_t attributes =
		MOUNT_ATTR_NOSUID | (plan->personality->protects_proc ? MOUNT_ATTR_RDONLY : 0);

	if (mounts->dev_trees[0] >= 0)
		return 0;
	for (size_t i = 0; i < plan->views.dev_node_count; i++) {
		int r = open_dev_node(enter, i, attributes, err);

		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		mounts->dev_trees[i] =
			source_clone(AT_FDCWD, paths[i], attributes, plan->private_mounts);
		if (mounts->dev_trees[i] < 0)
			return source_error(enter, paths[i], -mounts->dev_trees[i], err);
	}
	if (tty && tty[0] == '/' && !plan->spec->io.stdio[1].text)
		mounts->dev_trees[ARRAY_SIZE(paths)] =
			source_clone(AT_FDCWD, tty, attributes, plan->private_mounts);
	return 0;
}

static int open_op(struct enter *enter, size_t index, struct cloche_error *err)
{
	const struct fs_op *op = &enter->plan->ops[index];
	int *tree = &enter->mounts.trees[index];

	switch (op->type) {
	case OP_BIND:
	case OP_BIND_FD: /* idmapped ones are open already (watch/idmap.c) */
		return op->idmap_count ? 0 : source_open_bind(enter, op, tree, err);
	case OP_OVERLAY:
		return open_overlay(enter, op, index, err);
	case OP_DEV:
		return open_devices(enter, err);
	case OP_SYS:
		if (enter->plan->views.own_sys)
			return 0;
		*tree = open_bind_path(enter, "/sys", err);
		return *tree < 0 ? *tree
				 : source_set_flags(enter, *tree, "/sys", SYS_ATTRIBUTES, err);
	case OP_PROC:
		if (enter->plan->own_proc)
			return 0;
		*tree = open_bind_path(enter, "/proc", err);
		return *tree < 0 ? *tree
				 : source_set_flags(enter, *tree, "/proc",
						    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, err);
	default:
		return 0;
	}
}

int source_open_all(struct enter *enter, struct cloche_error *err)
{
	const struct plan *plan = enter->plan;

	/* In place, the first operation has no source to clone: its flags are set on "/" itself. */
	for (size_t i = plan->in_place ? 1 : 0; i < plan->op_count; i++) {
		int r;

		err->use = plan->ops[i].use;
		r = open_op(enter, i, err);
		if (r < 0)
			return r;
	}
	err->use = -1;
	return 0;
}
