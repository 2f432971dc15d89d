/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The kernel's files about cgroups. Trusted as the kernel is, but a file system that merely looks
 * like it could be mounted in a container: so every byte is checked.
 */
#include "watch/cgroup-text.h"

#include <string.h>

#include "base/num.h"
#include "base/str.h"
#include "spec/limits.h"

/*
 * Cuts the line at *@text into the @size bytes at @line and moves *@text behind it. 1: a line, 0:
 * there is none left, -EINVAL: it does not fit or does not end.
 */
static int next_line(const char **text, char *line, size_t size)
{
	size_t length = strcspn(*text, "\n");

	if (**text == '\0')
		return 0;
	if ((*text)[length] != '\n' || length >= size)
		return -EINVAL;
	memcpy(line, *text, length);
	line[length] = '\0';
	*text += length + 1;
	return 1;
}

static bool leads_up(const char *path)
{
	const char *dots = strstr(path, "/..");

	while (dots && dots[3] != '/' && dots[3] != '\0')
		dots = strstr(dots + 1, "/..");
	return dots;
}

/* One "ID:CONTROLLERS:PATH". */
static int read_own_line(char *line, struct cgroup_own *own)
{
	char *path = line;
	char *id = strsep(&path, ":"), *controllers = path ? strsep(&path, ":") : NULL;
	uint64_t number;

	if (!path || path[0] != '/' || num_parse(id, INT_MAX, &number) < 0)
		return -EINVAL;
	if (number != 0) {
		/* A named hierarchy has no controllers. */
		own->has_v1 |= controllers[0] && !str_starts(controllers, "name=");
		return 0;
	}
	if (controllers[0] || own->path[0])
		return -EINVAL;
	str_copy(own->path, sizeof(own->path), path);
	return 0;
}

int cgroup_text_own(const char *text, struct cgroup_own *ret_own)
{
	struct cgroup_own own = { 0 };
	char line[PATH_MAX + 64];
	int r;

	while ((r = next_line(&text, line, sizeof(line))) > 0) {
		r = read_own_line(line, &own);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	if (leads_up(own.path))
		return -EXDEV;
	if (!own.path[0] || str_ends(own.path, " (deleted)"))
		return -ENOENT;
	*ret_own = own;
	return 0;
}

int cgroup_text_controllers(const char *text, unsigned *ret_controllers)
{
	char line[1024], *words = line;
	unsigned found = 0;
	int r = next_line(&text, line, sizeof(line));

	if (r < 0 || *text)
		return -EINVAL;
	if (r == 0 || !line[0]) { /* an empty line, or an empty file */
		*ret_controllers = 0;
		return 0;
	}
	for (char *word; (word = strsep(&words, " "));) {
		if (!word[0])
			return -EINVAL;
		for (size_t i = 0; i < CONTROLLER_COUNT; i++)
			if (strcmp(word, limit_controller_name(i)) == 0)
				found |= 1u << i;
	}
	*ret_controllers = found;
	return 0;
}

int cgroup_text_number(const char *text, uint64_t *ret_number)
{
	char line[32];

	if (next_line(&text, line, sizeof(line)) <= 0 || *text)
		return -EINVAL;
	if (strcmp(line, "max") == 0) {
		*ret_number = UINT64_MAX;
		return 0;
	}
	return num_parse(line, UINT64_MAX, ret_number);
}

int cgroup_text_key(const char *text, const char *key, uint64_t *ret_number)
{
	char line[128];
	uint64_t number, found = 0;
	bool has_key = false;
	int r;

	while ((r = next_line(&text, line, sizeof(line))) > 0) {
		char *value = line, *name = strsep(&value, " ");

		if (!value || num_parse(value, UINT64_MAX, &number) < 0)
			return -EINVAL;
		if (strcmp(name, key) != 0)
			continue;
		if (has_key)
			return -EINVAL;
		has_key = true;
		found = number;
	}
	if (r < 0 || !has_key)
		return r < 0 ? r : -ENOENT;
	*ret_number = found;
	return 0;
}

static int add_up(uint64_t *sum, const char *text)
{
	uint64_t number;

	if (num_parse(text, UINT64_MAX, &number) < 0 || __builtin_add_overflow(*sum, number, sum))
		return -EINVAL;
	return 0;
}

/* One "MAJOR:MINOR rbytes=N wbytes=N ..."; the kernel also writes lines without numbers. */
static int read_io_line(char *line, uint64_t *bytes_read, uint64_t *bytes_written)
{
	char *device = strsep(&line, " "), *major = strsep(&device, ":");
	uint64_t number;

	if (!device || num_parse(major, UINT32_MAX, &number) < 0 ||
	    num_parse(device, UINT32_MAX, &number) < 0)
		return -EINVAL;
	for (char *word; line && (word = strsep(&line, " "));) {
		int r = 0;

		if (str_starts(word, "rbytes="))
			r = add_up(bytes_read, word + strlen("rbytes="));
		else if (str_starts(word, "wbytes="))
			r = add_up(bytes_written, word + strlen("wbytes="));
		if (r < 0)
			return r;
	}
	return 0;
}

int cgroup_text_io(const char *text, uint64_t *ret_read, uint64_t *ret_written)
{
	uint64_t bytes_read = 0, bytes_written = 0;
	char line[1024];
	int r;

	while ((r = next_line(&text, line, sizeof(line))) > 0) {
		r = read_io_line(line, &bytes_read, &bytes_written);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	*ret_read = bytes_read;
	*ret_written = bytes_written;
	return 0;
}

int cgroup_text_pids(const char **text)
{
	char line[16];
	uint64_t pid;
	int r = next_line(text, line, sizeof(line));

	if (r <= 0)
		return r;
	return num_parse(line, INT_MAX, &pid) < 0 || pid == 0 ? -EINVAL : (int)pid;
}

static const char *skip_digits(const char *text)
{
	size_t length = strspn(text, "0123456789");

	return length ? text + length : NULL;
}

bool cgroup_text_is_ours(const char *name)
{
	const char *rest = str_starts(name, CGROUP_PREFIX) ? name + strlen(CGROUP_PREFIX) : NULL;

	rest = rest ? skip_digits(rest) : NULL;
	rest = rest && *rest == '-' ? skip_digits(rest + 1) : NULL;
	return rest && (!*rest || strcmp(rest, CGROUP_OUTSIDE) == 0);
}
