/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* look: tells what is at some paths, as one JSON object a line. Static, so that it runs in an empty
 * root directory.
 *
 *   look PATH...
 *
 * "type" none (then "errno"), dir, file, link, chr or other, of the entry itself; where it is a
 * link, "link" is its target and the rest is about what it leads to. "mount": it is the root of a
 * mount; "fs": magic number of its file system; "ro", "nosuid", "nodev", "noexec": flags of that
 * mount; "content": up to 200 bytes of a file; "names": of a directory. PATH "." is the working
 * directory and has "cwd".
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/stat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

static void string(const char *key, const char *text, size_t size)
{
	printf(", \"%s\": \"", key);
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < ' ' || c == '"' || c == '\\' || c > '~')
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list(const char *path)
{
	char *names[256];
	size_t count = 0;
	DIR *dir = opendir(path);

	if (!dir)
		return;
	for (struct dirent *entry; count < 256 && (entry = readdir(dir));)
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			names[count++] = strdup(entry->d_name);
	qsort(names, count, sizeof(*names), compare);
	printf(", \"names\": [");
	for (size_t i = 0; i < count; i++)
		printf("%s\"%s\"", i ? ", " : "", names[i]);
	putchar(']');
	closedir(dir);
}

static void content(const char *path)
{
	char buf[200];
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	ssize_t got = fd < 0 ? -1 : read(fd, buf, sizeof(buf));

	if (got >= 0)
		string("content", buf, (size_t)got);
	if (fd >= 0)
		close(fd);
}

static const char *type_of(mode_t mode)
{
	return S_ISDIR(mode)   ? "dir"
	       : S_ISREG(mode) ? "file"
	       : S_ISLNK(mode) ? "link"
	       : S_ISCHR(mode) ? "chr"
			       : "other";
}

static void look(const char *path)
{
	char target[PATH_MAX];
	struct statfs fs;
	struct statx at;
	struct stat info;

	printf("{\"path\": \"%s\"", path);
	if (lstat(path, &info) < 0) {
		printf(", \"type\": \"none\", \"errno\": %d}\n", errno);
		return;
	}
	printf(", \"type\": \"%s\"", type_of(info.st_mode));
	if (S_ISLNK(info.st_mode)) {
		ssize_t length = readlink(path, target, sizeof(target));

		string("link", target, length < 0 ? 0 : (size_t)length);
	}
	if (stat(path, &info) < 0) {
		printf(", \"errno\": %d}\n", errno);
		return;
	}
	printf(", \"leads_to\": \"%s\", \"mode\": \"%04o\", \"uid\": %u, \"gid\": %u, \"size\": "
	       "%lld",
	       type_of(info.st_mode), info.st_mode & 07777, info.st_uid, info.st_gid,
	       (long long)info.st_size);
	if (S_ISCHR(info.st_mode))
		printf(", \"device\": \"%u:%u\"", major(info.st_rdev), minor(info.st_rdev));
	if (syscall(SYS_statx, AT_FDCWD, path, 0, STATX_BASIC_STATS, &at) == 0)
		printf(", \"mount\": %s",
		       at.stx_attributes & STATX_ATTR_MOUNT_ROOT ? "true" : "false");
	if (statfs(path, &fs) == 0) {
		printf(", \"fs\": %lu, \"bytes\": %llu, \"inodes\": %llu", (unsigned long)fs.f_type,
		       (unsigned long long)fs.f_blocks * (unsigned long long)fs.f_bsize,
		       (unsigned long long)fs.f_files);
		printf(", \"ro\": %s, \"nosuid\": %s, \"nodev\": %s, \"noexec\": %s",
		       fs.f_flags & ST_RDONLY ? "true" : "false",
		       fs.f_flags & ST_NOSUID ? "true" : "false",
		       fs.f_flags & ST_NODEV ? "true" : "false",
		       fs.f_flags & ST_NOEXEC ? "true" : "false");
	}
	if (S_ISREG(info.st_mode))
		content(path);
	if (S_ISDIR(info.st_mode))
		list(path);
	if (strcmp(path, ".") == 0 && getcwd(target, sizeof(target)))
		string("cwd", target, strlen(target));
	printf("}\n");
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		look(argv[i]);
	return 0;
}
