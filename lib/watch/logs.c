/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * cloche logs. The supervisor gives old parts of the file back, so it begins with a hole (lseek(2),
 * SEEK_DATA). What is shown on a terminal comes from a sandbox: control characters are escaped
 * there.
 */
#include "watch/logs.h"

#include <poll.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "watch/client.h"

#define FOLLOW_MS 100

/* Of a line that is printed for people; what is no character of text goes as \ooo. */
static int put_escaped(const char *data, size_t size)
{
	char text[4096 * 4 + 1], word[2] = { 0 };
	struct str_buf out = { .data = text, .size = sizeof(text) };

	for (size_t i = 0; i < size; i++) {
		word[0] = data[i];
		/* Bytes of longer characters pass: no terminal obeys them in UTF-8. */
		if (data[i] == '\n' || data[i] == '\t' || (unsigned char)data[i] >= 0xa0)
			str_add_char(&out, data[i]);
		else if (data[i] != '\r' && data[i])
			str_add_escaped(&out, word);
	}
	return fd_write_all(STDOUT_FILENO, text, out.length);
}

/* Prints from *@offset on, and moves that; 0, or -errno. */
static int put_new(int fd, off_t *offset, bool escapes)
{
	char data[4096];
	struct stat info;
	ssize_t got;
	int r = 0;

	if (fstat(fd, &info) == 0 && info.st_size < *offset)
		*offset = 0; /* it was cut */
	while (r == 0) {
		off_t next = lseek(fd, *offset, SEEK_DATA);

		if (next >= 0)
			*offset = next;
		got = pread(fd, data, sizeof(data), *offset);
		if (got <= 0)
			return got < 0 ? -errno : 0;
		*offset += got;
		r = escapes ? put_escaped(data, (size_t)got)
			    : fd_write_all(STDOUT_FILENO, data, (size_t)got);
	}
	return r;
}

int logs_show(int registry_fd, const char *name, bool follows)
{
	_close_ int fd = spec_is_name(name) && registry_fd >= 0
				 ? registry_open_log(registry_fd, name, false)
				 : -ENOENT;
	struct pollfd life = { .fd = -1, .events = POLLIN };
	struct registry_entry entry;
	bool runs, escapes = isatty(STDOUT_FILENO);
	off_t offset = 0;
	int r;

	if (fd < 0) {
		(void)client_complain("logs", name,
				      fd == -ENOENT
					      ? "no sandbox in the background has had this name"
					      : strerror(-fd));
		return fd == -ENOENT ? CLIENT_NONE : CLIENT_FAILED;
	}
	runs = follows && registry_read(registry_fd, name, &entry) > 0;
	if (runs)
		life.fd = entry.pidfd;
	r = put_new(fd, &offset, escapes);
	while (r == 0 && runs) {
		runs = poll(&life, 1, FOLLOW_MS) <= 0;
		r = put_new(fd, &offset, escapes);
	}
	return r < 0 ? client_complain("logs", name, strerror(-r)) : 0;
}
