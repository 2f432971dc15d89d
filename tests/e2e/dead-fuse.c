/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* dead-fuse: runs a program where a FUSE file system without a living server is mounted on a
 * directory.
 *
 *   dead-fuse gone|silent DIRECTORY PROGRAM [ARG...]
 *
 * gone: its server has ended, so each access fails (ENOTCONN); silent: it never answers, so each
 * access blocks. Needs root and a mount namespace of its own. Exit status: PROGRAM's, 128+n; 125
 * for our own errors.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

static int fail(const char *what)
{
	fprintf(stderr, "dead-fuse: %s: %s\n", what, strerror(errno));
	return 125;
}

int main(int argc, char **argv)
{
	char options[100];
	int fd, status;
	pid_t pid;

	if (argc < 4)
		return 125;
	fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return fail("/dev/fuse");
	snprintf(options, sizeof(options), "fd=%d,rootmode=40755,user_id=0,group_id=0,allow_other",
		 fd);
	if (mount("dead", argv[2], "fuse", 0, options) < 0)
		return fail(argv[2]);
	if (strcmp(argv[1], "gone") == 0)
		close(fd);
	pid = fork();
	if (pid < 0)
		return fail("fork");
	if (pid == 0) {
		execvp(argv[3], argv + 3);
		_exit(fail(argv[3]));
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return fail("waitpid");
	umount2(argv[2], MNT_DETACH);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
