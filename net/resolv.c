/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The host's resolv.conf(5), and its changes: by writing, by renaming another over it, by a link
 * that leads elsewhere. Both the place of the file and the one it leads to are watched.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#include "net/main.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define EVENTS (IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE)

static int watch_directory_of(int fd, const char *path)
{
	char directory[PATH_MAX];
	char *slash;

	str_copy(directory, sizeof(directory), path);
	slash = strrchr(directory, '/');
	if (!slash)
		return -ENOENT;
	slash[slash == directory] = '\0';
	return inotify_add_watch(fd, directory, EVENTS) < 0 ? -errno : 0;
}

int resolv_watch(int fd)
{
	char real[PATH_MAX];
	int r = watch_directory_of(fd, RESOLV_CONF);

	/* The file itself: a mount of it may lie in a directory that sees nothing. */
	(void)inotify_add_watch(fd, RESOLV_CONF, EVENTS);
	if (realpath(RESOLV_CONF, real) && strcmp(real, RESOLV_CONF) != 0)
		ignore(watch_directory_of(fd, real)); /* then its changes are not noticed */
	return r;
}

void resolv_read(char *text, size_t room)
{
	_close_ int fd = open(RESOLV_CONF, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t got = fd < 0 ? 0 : read(fd, text, room - 1);

	text[got < 0 ? 0 : got] = '\0';
}
