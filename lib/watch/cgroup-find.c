/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Where the sandbox's group is to be made. Runs in the supervisor, before anything is made.
 *
 * A group is ours to divide where the kernel lets us write to it, and where nobody else manages it:
 * below a service or scope with Delegate=, which systemd marks (xattr user.delegate, since systemd
 * 251), or anywhere in a container or on a host without systemd. What belongs to a systemd, the
 * user's included (user@UID.service), is never touched by ourselves: there systemd makes a scope
 * for us, moves us into it and delegates it to us.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/fd.h"
#include "base/helper.h"
#include "base/path.h"
#include "base/str.h"
#include "spec/report.h"
#include "watch/cgroup-text.h"
#include "watch/cgroup.h"

#define CGROUP_ROOT "/sys/fs/cgroup" /* where systemd and everybody else mounts it */

char *cgroup_read(int dir_fd, const char *name)
{
	_close_ int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	char *text = NULL;
	size_t size;

	if (fd < 0 || fd_read_all(fd, 1u << 20, &text, &size) < 0)
		return NULL;
	if (strlen(text) == size)
		return text;
	free(text);
	return NULL;
}

/* Our own group as a path below CGROUP_ROOT. */
static int own_group(char path[PATH_MAX], struct cloche_error *err)
{
	_free_ char *text = cgroup_read(AT_FDCWD, "/proc/self/cgroup");
	struct cgroup_own own;
	int r = text ? cgroup_text_own(text, &own) : -EIO;
	_close_ int root = open(CGROUP_ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct str_buf out = { .data = path, .size = PATH_MAX };

	if (root < 0 || !fd_on_filesystem(root, CGROUP2_SUPER_MAGIC) || (r == 0 && own.has_v1)) {
		error_set_hint(err, HINT_CGROUP_V1);
		return error_set(err, ERROR_CGROUP_V1, 0, NULL);
	}
	if (r < 0)
		return error_set(err, ERROR_CGROUP_OWN, -r, "/proc/self/cgroup");
	str_add(&out, CGROUP_ROOT);
	if (!path_is_root(own.path))
		str_add(&out, own.path);
	return 0;
}

/* May we make groups in @path and move processes to them? */
static bool is_writable(const char *path)
{
	char procs[PATH_MAX];
	struct str_buf name = { .data = procs, .size = sizeof(procs) };

	str_add(&name, path);
	str_add(&name, "/cgroup.procs");
	return access(path, W_OK) == 0 && access(procs, W_OK) == 0;
}

static bool is_users_manager(const char *path)
{
	const char *name = strrchr(path, '/') + 1;

	return str_starts(name, "user@") && str_ends(name, ".service");
}

static bool is_delegated(const char *path)
{
	char mark[8];

	return getxattr(path, "user.delegate", mark, sizeof(mark)) == 1 && mark[0] == '1';
}

/*
 * The length of the part of @own that names the highest group that is ours to divide; 0: none is.
 * Without a systemd that is the highest writable one.
 */
static size_t delegation_boundary(const char *own)
{
	bool has_systemd = access("/run/systemd/system", F_OK) == 0; /* sd_booted(3) */
	size_t boundary = 0;
	char path[PATH_MAX];

	str_copy(path, sizeof(path), own);
	for (;;) {
		if (is_users_manager(path))
			return 0;
		if (is_delegated(path))
			return strlen(path);
		if (!has_systemd && is_writable(path))
			boundary = strlen(path);
		if (strcmp(path, CGROUP_ROOT) == 0)
			return boundary;
		*strrchr(path, '/') = '\0';
	}
}

/* Are we the only process in the group? */
static bool is_alone(int fd)
{
	_free_ char *text = cgroup_read(fd, "cgroup.procs");
	const char *rest = text;

	return text && cgroup_text_pids(&rest) == getpid() && *rest == '\0';
}

static bool is_empty(int fd)
{
	_free_ char *text = cgroup_read(fd, "cgroup.procs");

	return text && !text[0];
}

static unsigned controllers_in(int fd, const char *name)
{
	_free_ char *text = cgroup_read(fd, name);
	unsigned controllers = 0;

	return text && cgroup_text_controllers(text, &controllers) == 0 ? controllers : 0;
}

static int open_place(struct cgroup_place *place, const char *own)
{
	place->fd = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (place->fd < 0)
		return -errno;
	place->controllers = controllers_in(place->fd, "cgroup.controllers");
	place->is_own = strcmp(place->path, own) == 0;
	return 0;
}

/* Can the place have all of @needed for groups below it? Processes in it are allowed only where
 * they need not be. */
static bool is_usable(const struct cgroup_place *place, unsigned needed)
{
	if ((place->controllers & needed) != needed || !is_writable(place->path))
		return false;
	if ((controllers_in(place->fd, "cgroup.subtree_control") & needed) == needed &&
	    !place->is_own)
		return true;
	return place->is_own ? is_alone(place->fd) : is_empty(place->fd);
}

static void close_place(struct cgroup_place *place)
{
	close_pointer(&place->fd);
	place->fd = -EBADF;
}

/* Looks in the delegated part, from our own group up, for a usable one. */
static bool find_delegated(const char *own, unsigned needed, struct cgroup_place *place)
{
	size_t boundary = delegation_boundary(own);

	str_copy(place->path, sizeof(place->path), own);
	while (boundary && strlen(place->path) >= boundary) {
		if (open_place(place, own) == 0 && is_usable(place, needed))
			return true;
		close_place(place);
		if (strcmp(place->path, CGROUP_ROOT) == 0)
			break;
		*strrchr(place->path, '/') = '\0';
	}
	return false;
}

/* ---- a scope ---- */

static const char *variable(const struct facts *facts, const char *name)
{
	size_t length = strlen(name);

	for (char *const *entry = facts->environ; !facts->env_is_unsafe && *entry; entry++)
		if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=')
			return *entry;
	return NULL;
}

/* Runs cloche-scope; what it says on its standard error is the reason of a failure. */
static int run_helper(const struct facts *facts, const char *program, struct cloche_error *err)
{
	char name[] = "cloche-scope", pid[STR_NUMBER_SIZE], said[512], runtime[64];
	struct str_buf fallback = { .data = runtime, .size = sizeof(runtime) };
	char *const argv[] = { name, pid, NULL };
	const char *bus = variable(facts, "DBUS_SESSION_BUS_ADDRESS"),
		   *directory = variable(facts, "XDG_RUNTIME_DIR");
	char *environment[3] = { 0 };
	_close_ int reader = -EBADF, writer = -EBADF;
	struct helper helper = { .path = program, .argv = argv, .environ = environment };
	int fds[2], status;
	ssize_t got;
	pid_t child;

	(void)str_number(pid, (uint64_t)getpid());
	str_add(&fallback, "XDG_RUNTIME_DIR=/run/user/");
	str_add_number(&fallback, facts->uid);
	environment[0] = (char *)(directory ? directory : runtime);
	environment[1] = (char *)bus;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_set(err, ERROR_PIPE, errno, "a pipe");
	reader = fds[0];
	writer = fds[1];
	helper.fds[0] = helper.fds[1] = -1;
	helper.fds[2] = writer;
	child = helper_start(&helper);
	if (child < 0)
		return error_set(err, ERROR_SCOPE, (int)-child, program);
	close_pointer(&writer);
	writer = -EBADF;
	got = read(reader, said, sizeof(said) - 1); /* one write, or none */
	said[got > 0 ? got : 0] = '\0';
	said[strcspn(said, "\n")] = '\0';
	status = helper_wait(child);
	if (status == 0)
		return 0;
	error_set_hint(err, HINT_SCOPE);
	return error_set(err, ERROR_SCOPE, 0, said[0] ? said : "cloche-scope failed");
}

static int find_scope(const struct facts *facts, struct cgroup_place *place,
		      struct cloche_error *err)
{
	char program[PATH_MAX];
	int r = helper_find("cloche-scope", program);

	if (r < 0) {
		error_set_hint(err, HINT_SCOPE_HELPER);
		return error_set(err, ERROR_SCOPE_HELPER, 0, NULL);
	}
	r = run_helper(facts, program, err);
	if (r == 0)
		r = own_group(place->path, err);
	if (r < 0)
		return r;
	r = open_place(place, place->path);
	place->in_scope = true;
	return r < 0 ? error_set(err, ERROR_CGROUP_OPEN, -r, place->path) : 0;
}

/* ---- a given group ---- */

/* The kernel asks for write access to the lowest group that is above both ours and the target
 * (cgroups(7)). */
static bool can_reach(const char *own, const char *path)
{
	char common[PATH_MAX];
	size_t length = 0;

	for (size_t i = 0;
	     own[i] == path[i] || (!own[i] && path[i] == '/') || (own[i] == '/' && !path[i]); i++) {
		if (!own[i] || !path[i] || own[i] == '/')
			length = i;
		if (!own[i] || !path[i])
			break;
	}
	if (length < strlen(CGROUP_ROOT))
		return true; /* mounted elsewhere: clone3(2) will tell */
	str_copy(common, sizeof(common), own);
	common[length] = '\0';
	return is_writable(common);
}

static int find_path(const char *wanted, unsigned needed, struct cgroup_place *place,
		     struct cloche_error *err)
{
	char own[PATH_MAX] = "", link[STR_FD_PATH_SIZE];
	struct cloche_error unknown = ERROR_INIT;
	ssize_t length;

	place->fd = open(wanted, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (place->fd < 0)
		return error_set(err, ERROR_CGROUP_OPEN, errno, wanted);
	if (!fd_on_filesystem(place->fd, CGROUP2_SUPER_MAGIC))
		return error_set(err, ERROR_CGROUP_NOT_V2, 0, wanted);
	length = readlink(str_fd_path(link, place->fd), place->path, sizeof(place->path) - 1);
	if (length < 0)
		return error_set(err, ERROR_CGROUP_OPEN, errno, wanted);
	place->path[length] = '\0';
	place->controllers = controllers_in(place->fd, "cgroup.controllers");
	if (own_group(own, &unknown) < 0) {
		/* Version 2 may be there beside version 1, which then has the controllers. */
		if (unknown.code != ERROR_CGROUP_V1 || !(needed & ~place->controllers))
			return 0;
		error_set_hint(err, unknown.hint);
		return error_set(err, unknown.code, 0, NULL);
	}
	place->is_own = strcmp(own, place->path) == 0;
	if (can_reach(own, place->path))
		return 0;
	error_set_hint(err, HINT_CGROUP_PLACE);
	return error_set(err, ERROR_CGROUP_ENTER, EACCES, wanted);
}

/* ---- all of them ---- */

static int check_controllers(const struct cgroup_place *place, unsigned needed,
			     struct cloche_error *err)
{
	for (size_t i = 0; i < CONTROLLER_COUNT; i++) {
		if (!(needed & ~place->controllers & 1u << i))
			continue;
		error_set_hint(err, HINT_DELEGATE);
		return error_set_detail(err, ERROR_CGROUP_CONTROLLER, 0, limit_controller_name(i),
					place->path);
	}
	return 0;
}

static int find_auto(const struct plan *plan, const struct facts *facts, struct cgroup_place *place,
		     struct cloche_error *err)
{
	char own[PATH_MAX] = "";
	int r = own_group(own, err);

	if (r < 0)
		return r;
	if (plan->limits.place == PLACE_AUTO &&
	    find_delegated(own, plan->limits.controllers, place)) {
		report_note(plan->spec, "the cgroup is made in the delegated group we are in");
		return 0;
	}
	report_note(plan->spec, "systemd is asked for a scope");
	return find_scope(facts, place, err);
}

int cgroup_find(const struct plan *plan, const struct facts *facts, struct cgroup_place *ret_place,
		struct cloche_error *err)
{
	int r;

	*ret_place = (struct cgroup_place){ .fd = -EBADF };
	err->use = plan->limits.use;
	r = plan->limits.place == PLACE_PATH
		    ? find_path(plan->limits.path, plan->limits.controllers, ret_place, err)
		    : find_auto(plan, facts, ret_place, err);
	if (r == 0)
		r = check_controllers(ret_place, plan->limits.controllers, err);
	if (r < 0)
		close_place(ret_place);
	else
		err->use = -1;
	return r;
}
