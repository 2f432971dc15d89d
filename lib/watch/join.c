/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Namespaces by reference. Runs in the supervisor, which joins them before it makes the child: in
 * a new user namespace the child would have no power over them any more.
 *
 * setns(2) wants CAP_SYS_ADMIN both in the caller's user namespace and in the one that owns the
 * namespace. So an ordinary user has to join the owner first (--userns), and real root may join
 * whatever its user namespace or one below it owns. Who owns what is asked beforehand
 * (ioctl_ns(2)): setns(2) itself says EPERM for all of it, when half is done already.
 */
#include "watch/join.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/fd.h"
#include "base/num.h"
#include "base/str.h"

/* How to call the namespace in a message: as it was given. */
static const char *given_as(const struct spec_ns *joined, char buf[STR_NUMBER_SIZE])
{
	return joined->path ? joined->path : str_number(buf, (uint64_t)joined->fd);
}

static int open_join(const struct spec_ns *joined, enum ns_type type, int *ret_fd,
		     struct cloche_error *err)
{
	char number[STR_NUMBER_SIZE];
	const char *name = given_as(joined, number);
	int flag;

	/* Not to be held up by a FIFO, or a terminal, that is none of what we look for. */
	*ret_fd = joined->path ? open(joined->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
			       : joined->fd;
	if (*ret_fd < 0 && errno == EACCES)
		error_set_hint(err, HINT_JOIN_FOREIGN);
	if (*ret_fd < 0)
		return error_set(err, ERROR_JOIN_OPEN, errno, name);
	if (!joined->path && !joined->is_open)
		return 0; /* setns(2) will say so, in bubblewrap's words */
	flag = fd_on_filesystem(*ret_fd, NSFS_MAGIC) ? ioctl(*ret_fd, NS_GET_NSTYPE) : 0;
	if (flag == (int)ns_infos[type].flag)
		return 0;
	return error_set_detail(err, type == NS_USER ? ERROR_JOIN_USERNS_TYPE : ERROR_JOIN_TYPE, 0,
				name, ns_infos[type].name);
}

/* Is @ancestor the user namespace @userns or one above it? As far as we may see: up to our own. */
static bool is_below(int userns, int ancestor)
{
	_close_ int fd = fcntl(userns, F_DUPFD_CLOEXEC, 0);

	while (fd >= 0 && !fd_same_file(fd, ancestor)) {
		int parent = ioctl(fd, NS_GET_PARENT);

		(void)close(fd);
		fd = parent;
	}
	return fd >= 0;
}

/* May a namespace of this type be joined from the user namespace in which we shall be then? */
static int check_owner(const struct joins *joins, const struct facts *facts, enum ns_type type,
		       struct cloche_error *err)
{
	const char *name = ns_infos[type].name;
	/* EPERM: it is not ours and not below ours. */
	_close_ int owner = ioctl(joins->fds[type], NS_GET_USERNS);

	if (owner < 0)
		return error_set_detail(err, ERROR_JOIN_FOREIGN, 0, NULL, name);
	if (joins->fds[NS_USER] >= 0)
		return is_below(owner, joins->fds[NS_USER])
			       ? 0
			       : error_set_detail(err, ERROR_JOIN_FOREIGN_USERNS, 0, NULL, name);
	if (facts->permitted >> CAP_SYS_ADMIN & 1)
		return 0;
	error_set_hint(err, HINT_JOIN_USERNS);
	return error_set_detail(err, ERROR_JOIN_UNPRIVILEGED, 0, NULL, name);
}

int join_prepare(const struct plan *plan, const struct facts *facts, struct joins *joins,
		 struct cloche_error *err)
{
	const struct spec_ns *join = plan->spec->namespaces.join;
	int r = 0;

	for (enum ns_type type = 0; type < NS_COUNT; type++)
		joins->fds[type] = -EBADF;
	for (enum ns_type type = 0; r == 0 && plan->joined && type < NS_COUNT; type++) {
		if (!join[type].is_set)
			continue;
		err->use = join[type].use;
		r = open_join(&join[type], type, &joins->fds[type], err);
		if (r == 0 && type != NS_USER && (join[type].path || join[type].is_open))
			r = check_owner(joins, facts, type, err);
	}
	if (r == 0)
		err->use = -1;
	return r;
}

/* setns(2) on a user namespace: EINVAL where it is our own, EPERM where we have no power in it. */
static int userns_error(int fd, int errnum, struct cloche_error *err)
{
	char number[STR_NUMBER_SIZE];
	uid_t owner;

	if (errnum == EINVAL)
		return error_set(err, ERROR_JOIN_USERNS_FOREIGN, 0, NULL);
	if (errnum == EPERM && ioctl(fd, NS_GET_OWNER_UID, &owner) == 0 && owner != geteuid())
		return error_set(err, ERROR_JOIN_USERNS_OWNER, 0, str_number(number, owner));
	return error_set(err, ERROR_JOIN_USERNS, errnum, NULL);
}

int join_enter(const struct plan *plan, struct joins *joins, struct cloche_error *err)
{
	const struct spec_ns *join = plan->spec->namespaces.join;

	for (enum ns_type type = 0; plan->joined && type < NS_COUNT; type++) {
		int errnum = EBADF; /* a number that was never open: nothing of ours is meant */

		if (!join[type].is_set)
			continue;
		if (join[type].path || join[type].is_open)
			errnum = setns(joins->fds[type], (int)ns_infos[type].flag) < 0 ? errno : 0;
		if (errnum) {
			err->use = join[type].use;
			return type == NS_USER ? userns_error(joins->fds[type], errnum, err)
					       : error_set_detail(err, ERROR_JOIN, errnum, NULL,
								  ns_infos[type].name);
		}
		if (join[type].path)
			(void)close(joins->fds[type]);
	}
	return 0;
}

pid_t join_child_pid(int pidfd)
{
	char path[64], text[512], *line;
	struct str_buf name = { .data = path, .size = sizeof(path) };
	_close_ int fd = -EBADF;
	ssize_t got;
	uint64_t pid = 0;

	str_add(&name, "/proc/self/fdinfo/");
	str_add_number(&name, (uint64_t)pidfd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	text[got > 0 ? got : 0] = '\0';
	line = strstr(text, "Pid:\t");
	if (line)
		line[5 + strcspn(line + 5, "\n")] = '\0';
	return line && num_parse(line + 5, INT32_MAX, &pid) == 0 && pid ? (pid_t)pid : -ESRCH;
}
