/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * COMMAND's Landlock domain: scopes, TCP ports and, in the tier without namespaces, paths
 * (landlock(7)). In the process that becomes COMMAND, without capabilities and with no_new_privs
 * set; the init process stays outside, so COMMAND cannot trace it whatever else fails.
 *
 * Paths are opened here, as the user and after all preparation: what a rule allows is the inode
 * that the path leads to now.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/sys.h"
#include "enter/enter.h"

/* What can be allowed on something other than a directory; the rest is EINVAL there. */
#define FILE_RIGHTS                                                                                \
	(SYS_LANDLOCK_EXECUTE | SYS_LANDLOCK_WRITE_FILE | SYS_LANDLOCK_READ_FILE |                 \
	 SYS_LANDLOCK_TRUNCATE | SYS_LANDLOCK_IOCTL_DEV | SYS_LANDLOCK_RESOLVE_UNIX)

static int landlock_error(int errnum, struct cloche_error *err)
{
	if (errnum == E2BIG)
		error_set_hint(err, HINT_LANDLOCK_LAYERS);
	return error_set(err, ERROR_LANDLOCK, errnum, NULL);
}

/* The kernel has no ranges: one rule a port. */
static int add_ports(int ruleset, const struct spec_ports *ports, uint64_t right)
{
	for (size_t i = 0; i < ports->count; i++) {
		const struct port_range *range = &ports->ranges[i];

		for (uint32_t port = range->first; port <= range->last; port++) {
			struct sys_landlock_port rule = { .allowed_access = right, .port = port };

			if (sys_landlock_add(ruleset, SYS_LANDLOCK_RULE_PORT, &rule) < 0)
				return -errno;
		}
	}
	return 0;
}

static int add_path(int ruleset, int root_fd, const struct landlock_path *path)
{
	_close_ int fd = path_open(root_fd, path->path, O_PATH);
	struct sys_landlock_path rule = { .allowed_access = path->rights, .parent_fd = fd };
	struct stat info;

	if (fd < 0)
		return fd == -ENOENT && path->is_optional ? 0 : fd;
	if (fstat(fd, &info) < 0)
		return -errno;
	if (!S_ISDIR(info.st_mode))
		rule.allowed_access &= FILE_RIGHTS;
	return sys_landlock_add(ruleset, SYS_LANDLOCK_RULE_PATH, &rule) < 0 ? -errno : 0;
}

static int add_paths(int ruleset, const struct plan_landlock *plan, struct cloche_error *err)
{
	_close_ int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root_fd < 0)
		return landlock_error(errno, err);
	for (size_t i = 0; i < plan->path_count; i++) {
		int r = add_path(ruleset, root_fd, &plan->paths[i]);

		if (r == 0)
			continue;
		err->use = plan->paths[i].use;
		return error_set(err, ERROR_SOURCE, -r, plan->paths[i].path);
	}
	return 0;
}

int landlock_lock(const struct enter *enter, struct cloche_error *err)
{
	const struct plan_landlock *plan = &enter->plan->landlock;
	const struct spec_landlock *spec = &enter->plan->spec->landlock;
	/* Older kernels take the longer structure as long as what they do not know is 0. */
	const struct sys_landlock_ruleset attributes = {
		.handled_access_fs = plan->handled_fs,
		.handled_access_net = plan->handled_net,
		.scoped = plan->scoped,
	};
	_close_ int ruleset = -EBADF;
	int r;

	if (!(plan->handled_fs | plan->handled_net | plan->scoped))
		return 0;
	ruleset = sys_landlock_create(&attributes, sizeof(attributes));
	if (ruleset < 0)
		return landlock_error(errno, err);
	r = add_ports(ruleset, &spec->connect_tcp, SYS_LANDLOCK_CONNECT_TCP);
	if (r == 0)
		r = add_ports(ruleset, &spec->bind_tcp, SYS_LANDLOCK_BIND_TCP);
	if (r < 0)
		return landlock_error(-r, err);
	r = plan->is_tier ? add_paths(ruleset, plan, err) : 0;
	if (r < 0)
		return r;
	return sys_landlock_restrict(ruleset) < 0 ? landlock_error(errno, err) : 0;
}
