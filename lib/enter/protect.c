/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Protected paths: --mask, --deny-write, --deny-create, --noexec, --no-symlinks. The path, or each
 * match of a glob, is looked up in the new root and covered where it is.
 *
 * A mount follows what it lies on: if COMMAND could rename a directory above, the protected thing
 * would move with it, and another could be made in its place for the host to find. So everything on
 * the way that COMMAND could rename or replace, symbolic links included, is pinned by a mount on
 * itself. Not pinned is what lies on a read-only mount, and on file systems of ours, which the host
 * never sees.
 *
 * What does not exist cannot be covered: a mount needs an entry to lie on, and an entry made for it
 * would be seen by the host and outlive a crash. For --deny-create the directory that the first
 * missing name would appear in is sealed instead: it is read-only, with everything in it bound over
 * itself to stay writable.
 *
 * The directories are hostile and may change meanwhile: everything goes by descriptor, inside the
 * root. Whatever is missed by a change during the start is the same as a change before it.
 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/glob.h"
#include "base/str.h"
#include "base/sys.h"
#include "enter/cover.h"

struct protection {
	struct enter *enter;
	const struct fs_op *op;
	struct cloche_error *err;
	size_t count;	/* of paths protected */
	int missing_fd; /* the directory that a missing name on the way would be in, -1; owned */
};

static int protect_error(const struct protection *protection, int r, const char *path)
{
	if (r == -EINVAL && protection->op->type == OP_NO_SYMLINKS)
		error_set_hint(protection->err, HINT_NOSYMFOLLOW);
	if (r == -ENOSPC)
		error_set_hint(protection->err, HINT_MOUNT_LIMIT);
	return error_set(protection->err, ERROR_PROTECT, -r, path);
}

/* ---- one path ---- */

static int pin_on_way(void *context, int fd)
{
	struct protection *protection = context;

	if (cover_is_read_only(fd) || mount_is_own(&protection->enter->mounts, fd))
		return fd;
	return cover_pin(protection->enter, fd);
}

/* Nothing is made on the way; the directory is remembered. */
static int note_missing(void *context, int dir_fd)
{
	struct protection *protection = context;

	if (protection->missing_fd < 0)
		protection->missing_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
	return -ENOENT;
}

/*
 * Binds the entry @name of the directory @dir_fd over itself, if one could write to it. By its
 * descriptor: by its name, a link that takes its place meanwhile would be followed, in the host's
 * root.
 */
static int keep_writable(const struct enter *enter, int dir_fd, const char *name)
{
	_close_ int fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat info;
	int r;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &info) < 0)
		return -errno;
	/* Links cannot be written to, pipes and devices in spite of a read-only mount. */
	if (cover_is_mount_root(fd) || !(S_ISDIR(info.st_mode) || S_ISREG(info.st_mode)))
		return 0;
	r = cover_flags(enter, fd, 0);
	return r == -ENOENT ? 0 : r; /* removed meanwhile */
}

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int keep_all_writable(const struct enter *enter, int dir_fd)
{
	_close_ int list = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_Alignas(struct dirent64) char buf[4096];
	ssize_t got = list < 0 ? -1 : 0;

	while (list >= 0 && (got = getdents64(list, buf, sizeof(buf))) > 0) {
		for (ssize_t at = 0; at < got;) {
			struct dirent64 *entry = (struct dirent64 *)(void *)(buf + at);
			int r = is_dots(entry->d_name)
					? 0
					: keep_writable(enter, dir_fd, entry->d_name);

			if (r < 0)
				return r;
			at += entry->d_reclen;
		}
	}
	return got < 0 ? -errno : 0;
}

/* No new name in the directory @dir_fd, nothing removed from it; what is in it stays writable. */
static int seal(const struct protection *protection, int dir_fd)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	_close_ int fd = -EBADF;
	int r;

	if (cover_is_read_only(dir_fd))
		return 0;
	fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return -errno;
	fd = cover_pin(protection->enter, fd);
	if (fd < 0)
		return fd;
	r = keep_all_writable(protection->enter, fd);
	if (r < 0)
		return r;
	return mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

static int cover(const struct protection *protection, int fd)
{
	static const uint64_t attributes[] = { [OP_DENY_WRITE] = MOUNT_ATTR_RDONLY,
					       [OP_DENY_CREATE] = MOUNT_ATTR_RDONLY,
					       [OP_NOEXEC] = MOUNT_ATTR_NOEXEC,
					       [OP_NO_SYMLINKS] = MOUNT_ATTR_NOSYMFOLLOW };
	enum fs_op_type type = protection->op->type;
	struct stat info;

	if (type != OP_MASK)
		return cover_flags(protection->enter, fd, attributes[type]);
	if (fstat(fd, &info) < 0)
		return -errno;
	return cover_mask(protection->enter, fd, "", S_ISDIR(info.st_mode));
}

/* @path: inside, without globs. One of a glob's matches may not lead anywhere. */
static int protect_path(struct protection *protection, const char *path, bool is_match)
{
	const struct path_policy policy = { .permit = note_missing,
					    .visit = pin_on_way,
					    .context = protection };
	_place_ struct path_place place = PATH_PLACE_INIT;
	_close_ int missing = -EBADF;
	int r;

	protection->missing_fd = -EBADF;
	r = path_find(protection->enter->mounts.root_fd, path, &policy, &place);
	missing = protection->missing_fd;
	if (is_match && r == -ENOTDIR)
		return 0;
	if (r < 0 && missing < 0)
		return protect_error(protection, r, path);
	if (place.fd >= 0) {
		r = cover(protection, place.fd);
	} else if (protection->op->type == OP_DENY_CREATE) {
		r = seal(protection, missing >= 0 ? missing : place.dir_fd);
	} else if (is_match) {
		return 0;
	} else {
		error_set_hint(protection->err, HINT_PROTECT_MISSING);
		return error_set(protection->err, ERROR_PROTECT_MISSING, 0, path);
	}
	protection->count++;
	return r < 0 ? protect_error(protection, r, path) : 0;
}

/* ---- globs ---- */

static int expand(struct protection *protection, struct str_buf *done, const char *rest);

/* Goes on with each name in the directory @done that the component at @rest matches. */
static int expand_names(struct protection *protection, struct str_buf *done, const char *rest)
{
	size_t length = strcspn(rest, "/"), base = done->length;
	_Alignas(struct dirent64) char buf[2048];
	_close_ int list = path_open(protection->enter->mounts.root_fd, base ? done->data : "/",
				     O_RDONLY | O_DIRECTORY);
	ssize_t got;

	if (list < 0)
		return list == -ENOENT || list == -ENOTDIR
			       ? 0
			       : protect_error(protection, list, done->data);
	while ((got = getdents64(list, buf, sizeof(buf))) > 0) {
		for (ssize_t at = 0; at < got;) {
			struct dirent64 *entry = (struct dirent64 *)(void *)(buf + at);
			int r;

			at += entry->d_reclen;
			if (is_dots(entry->d_name) || !glob_match(rest, length, entry->d_name))
				continue;
			str_add_char(done, '/');
			str_add(done, entry->d_name);
			r = expand(protection, done, rest + length);
			done->length = base;
			done->data[base] = '\0';
			if (r < 0)
				return r;
		}
	}
	return got < 0 ? protect_error(protection, -errno, done->data) : 0;
}

/* @done: the path so far, without globs; @rest: what follows. */
static int expand(struct protection *protection, struct str_buf *done, const char *rest)
{
	char name[NAME_MAX + 1];

	for (rest += strspn(rest, "/"); *rest; rest += strspn(rest, "/")) {
		size_t length = strcspn(rest, "/");

		if (done->length + 2 * sizeof(name) > done->size || length >= 2 * sizeof(name))
			return protect_error(protection, -ENAMETOOLONG, protection->op->dest);
		if (glob_has_magic(rest, length))
			return expand_names(protection, done, rest);
		if (length >= sizeof(name))
			return protect_error(protection, -ENAMETOOLONG, protection->op->dest);
		glob_unescape(rest, length, name);
		str_add_char(done, '/');
		str_add(done, name);
		rest += length;
	}
	return protect_path(protection, done->data, true);
}

int protect_paths(struct enter *enter, const struct fs_op *op, struct cloche_error *err)
{
	struct protection protection = { .enter = enter, .op = op, .err = err };
	char path[PATH_MAX + 2 * NAME_MAX] = "";
	struct str_buf done = { .data = path, .size = sizeof(path) };
	size_t length = strlen(op->dest);
	int r;

	path_cache_drop(&enter->mounts.cache);
	if (!glob_has_magic(op->dest, length)) {
		if (length >= sizeof(path))
			return protect_error(&protection, -ENAMETOOLONG, op->dest);
		glob_unescape(op->dest, length, path);
		return protect_path(&protection, path, false);
	}
	r = expand(&protection, &done, op->dest);
	if (r == 0 && protection.count == 0)
		return error_set(err, ERROR_PROTECT_NO_MATCH, 0, op->dest);
	return r;
}
