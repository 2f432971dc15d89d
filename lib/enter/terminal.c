/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * COMMAND's own terminal, inside: a pseudo-terminal whose master the supervisor gets. Its session
 * is led by the init process, so that COMMAND, in a process group of its own, can be stopped: the
 * kernel does not stop a process group whose members' parents are all in another session or in it
 * (setpgid(2), orphaned). Where COMMAND is pid 1 it leads the session itself.
 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "base/str.h"
#include "enter/enter.h"

/* From Documentation/admin-guide/devices.txt. */
#define PTMX makedev(5, 2)

/* The master of a new terminal in the devpts that programs inside see as /dev/pts, so that its name
 * is theirs. -1: there is none, or it may not be opened. What is opened is what was looked at: some
 * may run there already (cloche exec). */
static int open_inside(const struct enter *enter)
{
	char path[STR_FD_PATH_SIZE + 8];
	struct str_buf name = { .data = path, .size = sizeof(path) };
	_close_ int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_close_ int node_fd = root_fd < 0 ? -EBADF : path_open(root_fd, "/dev/ptmx", O_PATH);
	struct stat info;

	/* What the caller has put there may be anything. */
	if (node_fd < 0 || fstat(node_fd, &info) < 0 || !S_ISCHR(info.st_mode) ||
	    info.st_rdev != PTMX)
		return -1;
	str_add(&name, "thread-self/fd/");
	str_add_number(&name, (uint64_t)node_fd);
	return openat(enter->mounts.host_proc_fd, path, O_RDWR | O_NOCTTY | O_CLOEXEC);
}

/* Opens the other side of @master with the caller's modes and size; fd or -errno */
static int open_slave(const struct enter_terminal *terminal, int master)
{
	const int unlocked = 0;
	int slave;

	if (ioctl(master, TIOCSPTLCK, &unlocked) < 0)
		return -errno;
	/* Since Linux 4.13: no path is needed. */
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return -errno;
	if (terminal->has_modes) {
		(void)tcsetattr(slave, TCSANOW, &terminal->modes);
		(void)ioctl(slave, TIOCSWINSZ, &terminal->size);
	}
	return slave;
}

int terminal_open(struct enter *enter, struct cloche_error *err)
{
	struct enter_terminal *terminal = &enter->terminal;
	_close_ int inside = -EBADF;
	int master, r;

	if (!enter->plan->has_pty)
		return 0;
	inside = open_inside(enter);
	master = inside >= 0 ? inside : terminal->spare_fd;
	r = master < 0 ? -ENOENT : open_slave(terminal, master);
	if (r >= 0) {
		terminal->slave_fd = r;
		r = fd_send(terminal->channel_fd, "", 1, &master, 1, 0) < 0 ? -EPIPE : 0;
	}
	return r < 0 ? error_set(err, ERROR_PTY, -r, NULL) : 0;
}

int terminal_lead(const struct enter *enter, struct cloche_error *err)
{
	if (enter->plan->has_pty && ioctl(enter->terminal.slave_fd, TIOCSCTTY, 0) < 0)
		return error_set(err, ERROR_PTY, errno, NULL);
	return 0;
}

/* A process in the background may do that only while it blocks SIGTTOU. */
static int set_foreground(int fd, pid_t group)
{
	sigset_t stop, old;
	int r;

	sigemptyset(&stop);
	sigaddset(&stop, SIGTTOU);
	(void)sigprocmask(SIG_BLOCK, &stop, &old);
	r = tcsetpgrp(fd, group) < 0 ? -errno : 0;
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	return r;
}

int terminal_join(const struct enter *enter, struct cloche_error *err)
{
	int r = 0;

	if (!enter->plan->has_pty)
		return 0;
	if (setpgid(0, 0) < 0)
		r = -errno;
	if (r == 0 && !enter->terminal.in_background)
		r = set_foreground(enter->terminal.slave_fd, getpid());
	return r < 0 ? error_set(err, ERROR_PTY, -r, NULL) : 0;
}

void terminal_give(const struct enter *enter, pid_t command)
{
	int fd = enter->terminal.slave_fd;

	if (tcgetpgrp(fd) == getpgrp())
		(void)tcsetpgrp(fd, command);
}

int terminal_replace_stdio(const struct enter *enter)
{
	for (int i = 0; i < 3; i++)
		if (enter->plan->pty_fds >> i & 1 && dup2(enter->terminal.slave_fd, i) < 0)
			return -errno;
	return 0;
}

void terminal_tell_stop(const struct enter *enter, int number)
{
	const char byte = (char)number;

	/* It does not wait: a COMMAND that stops and goes on as fast as it can fills the channel.
	 */
	ignore(write(enter->terminal.channel_fd, &byte, 1));
}
