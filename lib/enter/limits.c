/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Limits of the process that becomes COMMAND, set by itself, last of all before it gives up its
 * capabilities: those of the sandbox's user namespace do not raise any limit of these, the kernel
 * asks for them in the first one.
 *
 * Limits of the group are set outside (watch/cgroup.c); what is left to do here is to keep COMMAND
 * from writing to it through a cgroup file system that was bound.
 */
#include <linux/magic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/sys.h"
#include "enter/enter.h"

static int failed(struct cloche_error *err, int use, int errnum, const char *what)
{
	err->use = use;
	if (errnum == EPERM || errnum == EACCES)
		error_set_hint(err, HINT_LIMIT_PRIVILEGE);
	return error_set(err, ERROR_LIMIT, errnum, what);
}

int limits_set_oom_score(const struct enter *enter, struct cloche_error *err)
{
	const struct limit_signed *score = &enter->plan->spec->limits.oom_score_adj;
	char number[STR_NUMBER_SIZE + 1];
	struct str_buf text = { .data = number, .size = sizeof(number) };
	int r;

	if (!score->is_set)
		return 0;
	if (score->value < 0)
		str_add_char(&text, '-');
	str_add_number(&text, (uint64_t)(score->value < 0 ? -score->value : score->value));
	/* Its own even while it shares our memory after vfork(2): fs/proc/base.c, __set_oom_adj().
	 */
	r = fd_write_file(enter->mounts.host_proc_fd, "thread-self/oom_score_adj", number);
	return r < 0 ? failed(err, score->use, -r, "oom_score_adj") : 0;
}

/*
 * Not 0: that suppresses a core file, but a handler ("|program" in kernel.core_pattern) is run even
 * so, by root, on what a hostile process left. Of a handler's cores 1 alone suppresses those
 * (core(5); fs/coredump.c, since Linux 2.6.32), and a file of one byte is none either, since it
 * would be shorter than a page.
 */
static void hide_crashes(void)
{
	const struct rlimit one = { 1, 1 }, zero = { 0, 0 };

	if (setrlimit(RLIMIT_CORE, &one) < 0) /* the hard limit is 0 already */
		(void)setrlimit(RLIMIT_CORE, &zero);
}

static int set_rlimits(const struct plan *plan, struct cloche_error *err)
{
	const struct spec_limits *limits = &plan->spec->limits;

	for (size_t i = 0; i < limits->rlimit_count; i++) {
		const struct limit_rlimit *limit = &limits->rlimits[i];
		const struct rlimit value = { limit->soft, limit->hard };

		if (setrlimit((__rlimit_resource_t)limit->resource, &value) < 0)
			return failed(err, limit->use, errno, limit_rlimit_name(limit->resource));
	}
	return 0;
}

/* The kernel leaves out in silence what is not there, or not ours (cpusets); we say so. */
static int set_affinity(const struct spec_limits *limits, struct cloche_error *err)
{
	cpu_set_t now;

	if (!limits->has_affinity)
		return 0;
	if (sched_setaffinity(0, sizeof(limits->affinity), &limits->affinity) < 0 &&
	    errno != EINVAL)
		return failed(err, limits->affinity_use, errno, "the affinity");
	CPU_ZERO(&now);
	if (sched_getaffinity(0, sizeof(now), &now) == 0 && CPU_EQUAL(&now, &limits->affinity))
		return 0;
	err->use = limits->affinity_use;
	return error_set(err, ERROR_CPU_MISSING, 0, NULL);
}

static int set_ionice(const struct limit_signed *priority)
{
	const int this_process = 1; /* IOPRIO_WHO_PROCESS, ioprio_set(2) */

	return priority->is_set ? (int)syscall(SYS_ioprio_set, this_process, 0, priority->value)
				: 0;
}

int limits_set(const struct enter *enter, struct cloche_error *err)
{
	const struct spec_limits *limits = &enter->plan->spec->limits;
	int r;

	if (limits->nice.is_set && setpriority(PRIO_PROCESS, 0, limits->nice.value) < 0)
		return failed(err, limits->nice.use, errno, "the niceness");
	if (set_ionice(&limits->ionice) < 0)
		return failed(err, limits->ionice.use, errno, "the I/O priority");
	r = set_affinity(limits, err);
	if (r < 0)
		return r;
	if (enter->plan->limits.no_core)
		hide_crashes();
	return set_rlimits(enter->plan, err); /* last: RLIMIT_NOFILE and the like bind us, too */
}

/* ---- the group's files ---- */

#define CGROUP_ROOT "/sys/fs/cgroup"

/* Where a bind of @op would show the host's cgroup file system; NULL: nowhere by its path. */
static const char *shown_at(const struct fs_op *op, char path[PATH_MAX])
{
	struct str_buf text = { .data = path, .size = PATH_MAX };
	size_t length;

	if (op->type == OP_BIND_FD || str_starts(op->source, CGROUP_ROOT "/"))
		return op->dest;
	length = path_is_root(op->source) ? 0 : strlen(op->source);
	while (length && op->source[length - 1] == '/')
		length--;
	if (strncmp(op->source, CGROUP_ROOT, length) != 0 ||
	    (CGROUP_ROOT[length] != '/' && CGROUP_ROOT[length] != '\0'))
		return op->dest; /* a link, perhaps */
	str_add(&text, op->dest);
	str_add(&text, &CGROUP_ROOT[length]);
	return path;
}

static int protect(int root_fd, const char *path, struct cloche_error *err)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	_close_ int fd = path_open(root_fd, path, O_PATH);

	if (fd == -ENOENT || fd == -ENOTDIR || fd == -EACCES) /* shown to nobody */
		return 0;
	if (fd < 0)
		return error_set(err, ERROR_MOUNT_FLAGS, -fd, path);
	if (!fd_on_filesystem(fd, CGROUP2_SUPER_MAGIC))
		return 0;
	if (mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) == 0)
		return 0;
	return error_set(err, ERROR_MOUNT_FLAGS, errno, path);
}

int limits_protect_group(const struct enter *enter, struct cloche_error *err)
{
	const struct plan *plan = enter->plan;
	_close_ int root_fd = -EBADF;
	char path[PATH_MAX];
	int r = 0;

	if (plan->limits.place == PLACE_NONE)
		return 0;
	root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		return error_set(err, ERROR_MOUNT_FLAGS, errno, "/");
	for (size_t i = 0; r == 0 && i < plan->op_count; i++) {
		const struct fs_op *op = &plan->ops[i];

		if (op->type == OP_BIND || op->type == OP_BIND_FD)
			r = protect(root_fd, shown_at(op, path), err);
	}
	return r;
}
