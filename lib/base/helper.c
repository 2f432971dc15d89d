/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Helper programs. Between clone and exec the child works on our memory, so it only makes system
 * calls, and tells through that memory which one failed.
 */
#include "base/helper.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/process.h"
#include "base/str.h"

struct start {
	const struct helper *helper;
	int errnum; /* of what failed before exec, 0 */
};

#define FDS_MAX (3 + HELPER_MORE_MAX)

/* Above all places: none may overwrite another before it is in its place. */
static int raise_fd(int fd, int place)
{
	_close_ int null = fd < 0 ? open("/dev/null", place == 0 ? O_RDONLY : O_WRONLY) : -EBADF;

	return fcntl(fd < 0 ? null : fd, F_DUPFD, FDS_MAX);
}

static int arrange_fds(const struct helper *helper)
{
	int raised[FDS_MAX], keep[HELPER_MORE_MAX];
	const int count = 3 + (int)helper->more_count;

	for (int i = 0; i < count; i++) {
		raised[i] = raise_fd(i < 3 ? helper->fds[i] : helper->more_fds[i - 3], i);
		if (raised[i] < 0)
			return -errno;
	}
	for (int i = 0; i < count; i++) {
		if (dup2(raised[i], i) < 0)
			return -errno;
		if (i >= 3)
			keep[i - 3] = i;
	}
	return fd_close_except(keep, helper->more_count);
}

static int helper_entry(void *argument)
{
	struct start *start = argument;
	sigset_t none;
	int r = arrange_fds(start->helper);

	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	if (r == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		r = -errno;
	if (r == 0) {
		(void)execve(start->helper->path, start->helper->argv, start->helper->environ);
		r = -errno;
	}
	start->errnum = -r;
	return 127;
}

pid_t helper_start(const struct helper *helper)
{
	struct start start = { .helper = helper };
	pid_t pid = process_clone_on_stack(helper_entry, &start, SIGCHLD, NULL);

	if (pid < 0 || !start.errnum)
		return pid;
	ignore(helper_wait(pid));
	return -start.errnum;
}

int helper_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int find_in(const char *directory, size_t length, const char *name, char path[PATH_MAX])
{
	struct str_buf text = { .data = path, .size = PATH_MAX };

	if (length + 1 + strlen(name) >= PATH_MAX)
		return -ENOENT;
	memcpy(path, directory, length);
	text.length = length;
	str_add_char(&text, '/');
	str_add(&text, name);
	return access(path, X_OK) == 0 ? 0 : -ENOENT;
}

int helper_find(const char *name, char path[PATH_MAX])
{
	char exe[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	const char *slash;

	exe[length > 0 ? length : 0] = '\0';
	slash = strrchr(exe, '/');
	if (slash && find_in(exe, (size_t)(slash - exe), name, path) == 0)
		return 0;
	return find_in(CLOCHE_LIBEXECDIR, strlen(CLOCHE_LIBEXECDIR), name, path);
}
