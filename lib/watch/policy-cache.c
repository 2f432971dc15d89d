/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An entry is a file that holds the complete key, the program's length and the program. Its name is
 * a hash of the key, of 12 bits, so that there are 4096 entries at most; since the key is compared
 * in whole the hash need not be a strong one, and keys that share an entry only cost time.
 *
 * Entries are what decides about the next sandbox, so nothing is believed that another user could
 * have written: directories and files must be the user's own, and closed to others. Whoever runs as
 * this user could load no policy at all just as well. Errors are not told: without a cache policies
 * are compiled each time.
 */
#include "watch/policy-cache.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"

#define MAX_ENTRY (1u << 20)
#define NAME_SIZE 32
#define PROGRAM_LINE "program "

/* ---- the directory ---- */

int policy_cache_open(const struct facts *facts)
{
	const char *cache = str_variable(facts->environ, "XDG_CACHE_HOME");
	const char *home = str_variable(facts->environ, "HOME");
	_free_ char *path = NULL;
	_close_ int base_fd = -EBADF, our_fd = -EBADF;

	if (facts->env_is_unsafe)
		return -EPERM;
	if (cache && cache[0] == '/')
		path = strdup(cache);
	else if (home && home[0] == '/')
		path = str_format("%s/.cache", home);
	if (!path)
		return -ENOENT;
	base_fd = fd_open_directory(AT_FDCWD, path, true, 0, S_IWOTH);
	if (base_fd < 0)
		return base_fd;
	our_fd = fd_open_directory(base_fd, "cloche", true, O_NOFOLLOW, S_IWGRP | S_IWOTH);
	if (our_fd < 0)
		return our_fd;
	return fd_open_directory(our_fd, "policy", true, O_NOFOLLOW, S_IRWXG | S_IRWXO);
}

/* ---- entries ---- */

/* FNV-1a, folded. */
static void entry_name(const char *key, char name[NAME_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	uint64_t hash = 0xcbf29ce484222325;

	for (; *key; key++)
		hash = (hash ^ (unsigned char)*key) * 0x100000001b3;
	hash ^= hash >> 32;
	for (int i = 0; i < 3; i++)
		name[i] = digits[hash >> 4 * i & 0xf];
	name[3] = '\0';
}

/* What stands before the program itself; NULL: out of memory. */
static char *entry_head(const char *key, size_t count)
{
	return str_format("%s" PROGRAM_LINE "%zu\n", key, count);
}

int policy_cache_get(int dir_fd, const char *key, struct sock_fprog *ret_program)
{
	char name[NAME_SIZE];
	_free_ char *entry = NULL, *head = NULL;
	_close_ int fd = -EBADF;
	size_t size, count = 0;
	struct sock_filter *filter;

	entry_name(key, name);
	fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || !fd_is_ours(fd, S_IFREG, S_IRWXG | S_IRWXO) ||
	    fd_read_all(fd, MAX_ENTRY, &entry, &size) < 0)
		return -ENOENT;
	/* The length is known by the file's size, or the head does not match. */
	for (size_t behind = strlen(key) + strlen(PROGRAM_LINE) + 2; behind < size && !count;
	     behind++)
		if (entry[behind - 1] == '\n')
			count = (size - behind) / sizeof(*filter);
	head = count && count <= BPF_MAXINSNS ? entry_head(key, count) : NULL;
	if (!head || size != strlen(head) + count * sizeof(*filter) ||
	    memcmp(entry, head, strlen(head)) != 0)
		return -ENOENT;
	filter = calloc(count, sizeof(*filter));
	if (!filter)
		return -ENOENT;
	memcpy(filter, entry + strlen(head), count * sizeof(*filter));
	*ret_program = (struct sock_fprog){ .len = (unsigned short)count, .filter = filter };
	return 0;
}

void policy_cache_put(int dir_fd, const char *key, const struct sock_fprog *program)
{
	_free_ char *head = entry_head(key, program->len);
	char name[NAME_SIZE], temporary[NAME_SIZE];
	struct str_buf buf = { .data = temporary, .size = sizeof(temporary) };
	_close_ int fd = -EBADF;

	if (!head)
		return;
	entry_name(key, name);
	str_add(&buf, "new-");
	str_add_number(&buf, (uint64_t)getpid());
	/* One that an earlier process of this number left; two of one number in two pid namespaces
	 * only spoil each other's attempt. */
	(void)unlinkat(dir_fd, temporary, 0);
	fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	if (fchmod(fd, 0600) < 0 || fd_write_all(fd, head, strlen(head)) < 0 ||
	    fd_write_all(fd, program->filter, program->len * sizeof(*program->filter)) < 0 ||
	    renameat(dir_fd, temporary, dir_fd, name) < 0)
		(void)unlinkat(dir_fd, temporary, 0);
}
