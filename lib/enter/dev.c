/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * --dev: a directory with the harmless device nodes, bound from the host's, a devpts of our own and
 * the usual links. One user namespace that maps only the caller is enough for devpts (measured
 * on 5.10 to 7.3).
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/sys.h"
#include "enter/enter.h"

static const char *const nodes[] = {
	"null", "zero", "full", "random", "urandom", "tty", "console"
};

static const struct {
	const char *name, *target;
} links[] = {
	{ "stdin", "/proc/self/fd/0" },	 { "stdout", "/proc/self/fd/1" },
	{ "stderr", "/proc/self/fd/2" }, { "fd", "/proc/self/fd" },
	{ "core", "/proc/kcore" },	 { "ptmx", "pts/ptmx" },
};

/* Attaches @tree to the new entry @name of the directory @dev. */
static int attach_entry(int dev, const char *name, int tree)
{
	return move_mount(tree, "", dev, name, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? -errno : 0;
}

/* Attaches @tree, or a copy of it where an earlier --dev has taken it. */
static int attach_shared(const struct enter *enter, int dev, const char *name, int tree)
{
	_close_ int copy = -EBADF;

	if (!enter->mounts.dev_attached)
		return attach_entry(dev, name, tree);
	copy = source_clone(tree, "", MOUNT_ATTR_NOSUID, enter->plan->private_mounts);
	return copy < 0 ? copy : attach_entry(dev, name, copy);
}

static int bind_node(const struct enter *enter, int dev, size_t index)
{
	int tree = enter->mounts.dev_trees[index];

	if (tree < 0)
		return 0;
	if (mknodat(dev, nodes[index], S_IFREG | 0444, 0) < 0)
		return -errno;
	return attach_shared(enter, dev, nodes[index], tree);
}

/* A node of --dev-node and the directories above it; it may be there already, by another's name. */
static int add_node(const struct enter *enter, int dev, size_t index)
{
	const char *name = enter->plan->views.dev_nodes[index].name;
	int tree = enter->mounts.node_trees[index], r;
	char parent[PATH_MAX];
	struct stat info;

	for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
		str_copy(parent, (size_t)(slash - name) + 1, name);
		if (mkdirat(dev, parent, 0755) < 0 && errno != EEXIST)
			return -errno;
	}
	if (fstat(tree, &info) < 0)
		return -errno;
	if (S_ISDIR(info.st_mode))
		r = mkdirat(dev, name, 0755);
	else
		r = mknodat(dev, name, S_IFREG | 0444, 0);
	if (r < 0)
		return errno == EEXIST ? 0 : -errno;
	return attach_shared(enter, dev, name, tree);
}

static int mount_devpts(int dev)
{
	/* Without ptmxmode nobody could open ptmx; a gid= would have to be mapped. */
	const struct fs_option options[] = {
		{ "newinstance", NULL }, { "ptmxmode", "0666" }, { "mode", "0620" }, { 0 }
	};
	_close_ int tree = mount_new_fs("devpts", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);

	return tree < 0 ? tree : attach_entry(dev, "pts", tree);
}

static int make_shm(struct enter *enter, int dev)
{
	uint64_t size = enter->plan->personality->shm_size;
	_close_ int tree = -EBADF;

	if (mkdirat(dev, "shm", 0755) < 0)
		return -errno;
	if (!size)
		return 0;
	tree = mount_new_tmpfs(enter, size, 01777);
	if (tree < 0)
		return tree;
	mount_own(&enter->mounts, tree);
	return attach_entry(dev, "shm", tree);
}

static int fill(struct enter *enter, int dev)
{
	const size_t console = ARRAY_SIZE(nodes) - 1;
	int r = 0;

	for (size_t i = 0; r == 0 && i < console; i++)
		r = bind_node(enter, dev, i);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(links); i++)
		r = symlinkat(links[i].target, dev, links[i].name) < 0 ? -errno : 0;
	for (size_t i = 0; r == 0 && i < enter->plan->views.dev_node_count; i++)
		r = add_node(enter, dev, i);
	if (r == 0)
		r = make_shm(enter, dev);
	if (r == 0)
		r = mkdirat(dev, "pts", 0755) < 0 ? -errno : mount_devpts(dev);
	return r < 0 ? r : bind_node(enter, dev, console);
}

int dev_mount(struct enter *enter, const struct fs_op *op, struct cloche_error *err)
{
	_close_ int tree = mount_new_tmpfs(enter, enter->plan->personality->dev_size, 0755);
	int r;

	if (tree < 0)
		return error_set_detail(err, ERROR_NEW_FS, -tree, op->dest, "tmpfs");
	mount_own(&enter->mounts, tree);
	r = mount_attach(enter, op, tree, err);
	if (r < 0)
		return r;
	r = fill(enter, tree);
	enter->mounts.dev_attached = true;
	return r < 0 ? error_set(err, ERROR_DEV, -r, op->dest) : 0;
}
