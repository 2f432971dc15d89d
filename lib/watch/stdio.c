/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The files of --stdin, --stdout and --stderr, opened as the caller in the caller's namespaces.
 */
#include "watch/stdio.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* O_NOCTTY: a terminal must not become ours. fd or -errno */
static int open_stream(int number, const char *path)
{
	int flags = number == STDIN_FILENO ? O_RDONLY : O_WRONLY | O_CREAT | O_TRUNC;
	_close_ int fd = open(strcmp(path, "null") == 0 ? "/dev/null" : path,
			      flags | O_NOCTTY | O_CLOEXEC, 0666);
	struct stat info;

	if (fd < 0)
		return -errno;
	/* A directory would give all that can be reached from it. */
	if (fstat(fd, &info) == 0 && S_ISDIR(info.st_mode))
		return -EISDIR;
	return take_fd(&fd);
}

int stdio_open(struct enter *enter, struct cloche_error *err)
{
	const struct spec_string *streams = enter->plan->spec->io.stdio;

	for (int i = 0; i < 3; i++) {
		int fd;

		if (!streams[i].text)
			continue;
		/* One file for both: with one place to write at, not two that overwrite each other.
		 */
		if (i == STDERR_FILENO && streams[1].text &&
		    strcmp(streams[1].text, streams[2].text) == 0)
			fd = fcntl(enter->stdio_fds[1], F_DUPFD_CLOEXEC, 3);
		else
			fd = open_stream(i, streams[i].text);
		if (fd < 0) {
			err->use = streams[i].use;
			return error_set(err, ERROR_STDIO, fd == -1 ? errno : -fd, streams[i].text);
		}
		enter->stdio_fds[i] = fd;
	}
	return 0;
}
