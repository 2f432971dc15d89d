/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the commands that deal with sandboxes that run have in common: finding one, and asking its
 * supervisor. Who is asked is decided by the kernel's word for who holds the lock, not by files.
 */
#include "watch/client.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/jsonr.h"
#include "base/num.h"
#include "base/str.h"
#include "watch/control.h"

int client_complain(const char *command, const char *subject, const char *what)
{
	char text[256];
	struct str_buf escaped = { .data = text, .size = sizeof(text) };

	str_add_escaped(&escaped, subject);
	fprintf(stderr, "cloche %s: %s%s%s\n", command, text, *text ? ": " : "", what);
	return CLIENT_FAILED;
}

static int by_name(const void *one, const void *other)
{
	return strcmp(((const struct registry_entry *)one)->name,
		      ((const struct registry_entry *)other)->name);
}

ssize_t client_list(int dir_fd, struct registry_entry **ret_entries)
{
	struct registry_entry *entries = NULL;
	size_t count = 0;
	struct dirent *file;
	int fd = dir_fd < 0 ? -1 : dup(dir_fd);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (dir)
		rewinddir(dir); /* the place in it is shared with the descriptor's other listings */
	while (dir && (file = readdir(dir))) {
		struct registry_entry entry, *added;
		char name[SPEC_NAME_MAX + 1];

		if (!registry_name_of(file->d_name, name) ||
		    registry_read(dir_fd, name, &entry) <= 0)
			continue;
		added = spec_add(&entries, &count, sizeof(entry));
		if (added)
			*added = entry;
		else
			registry_entry_free(&entry);
	}
	if (dir)
		(void)closedir(dir);
	if (count)
		qsort(entries, count, sizeof(*entries), by_name);
	*ret_entries = entries;
	return (ssize_t)count;
}

void client_free_list(struct registry_entry *entries, ssize_t count)
{
	for (ssize_t i = 0; i < count; i++)
		registry_entry_free(&entries[i]);
	free(entries);
}

static int find(int dir_fd, const char *word, struct registry_entry *ret_entry)
{
	struct registry_entry *entries;
	uint64_t pid;
	ssize_t count;
	int found = 0;

	if (dir_fd >= 0 && spec_is_name(word) && registry_read(dir_fd, word, ret_entry) > 0)
		return 1;
	if (num_parse(word, INT32_MAX, &pid) < 0)
		return 0;
	count = client_list(dir_fd, &entries);
	for (ssize_t i = 0; i < count; i++) {
		if (found || (uint64_t)entries[i].pid != pid) {
			registry_entry_free(&entries[i]);
			continue;
		}
		*ret_entry = entries[i];
		found = 1;
	}
	free(entries);
	return found;
}

int client_find(const char *command, int dir_fd, const char *word, struct registry_entry *ret_entry)
{
	if (find(dir_fd, word, ret_entry))
		return 0;
	(void)client_complain(command, word, "no such sandbox");
	return CLIENT_NONE;
}

bool client_read_line(int fd, char *line, size_t size, int *ret_fd)
{
	int came = -EBADF;

	if (ret_fd)
		*ret_fd = -EBADF;
	for (size_t length = 0; length + 1 < size; length++) {
		if (fd_receive(fd, line + length, 1, &came, ret_fd ? 1 : 0, 0) != 1)
			return false;
		if (ret_fd && came >= 0) {
			close_pointer(ret_fd);
			*ret_fd = came;
		}
		if (line[length] == '\n') {
			line[length] = '\0';
			return true;
		}
	}
	return false;
}

/* What it says instead of yes. */
static int take_error(const struct json_document *answer, char *line)
{
	const char *error = jsonr_string(answer, 0, "error");

	memmove(line, error ? error : "", error ? strlen(error) + 1 : 1);
	return -EPROTO;
}

int client_connect(int dir_fd, const struct registry_entry *entry, char *line, size_t size)
{
	_close_ int fd = registry_connect(dir_fd, entry->name);
	struct json_document greeting;
	pid_t peer;

	if (fd < 0)
		return fd;
	/* Nobody but who holds the name; and he is no process of a sandbox, to which somebody has
	 * shown this directory. */
	if (!control_is_trusted(fd, &peer) || peer != entry->pid)
		return -ESRCH;
	if (!client_read_line(fd, line, size, NULL) || jsonr_parse(line, &greeting) < 0)
		return -ECONNRESET;
	return jsonr_member(&greeting, 0, "cloche-control") ? take_fd(&fd)
							    : take_error(&greeting, line);
}

int client_ask(int dir_fd, const struct registry_entry *entry, const char *request, char *line,
	       size_t size)
{
	_close_ int fd = client_connect(dir_fd, entry, line, size);
	struct json_document answer;

	if (fd < 0)
		return fd;
	if (fd_send(fd, request, strlen(request), NULL, 0, 0) < 0 ||
	    !client_read_line(fd, line, size, NULL) || jsonr_parse(line, &answer) < 0)
		return -ECONNRESET;
	return answer.values[jsonr_member(&answer, 0, "ok")].type == JSON_TRUE
		       ? take_fd(&fd)
		       : take_error(&answer, line);
}

int client_failed(const char *command, const char *word, int r, const char *line)
{
	return client_complain(command, word, r == -EPROTO ? line : strerror(-r));
}
