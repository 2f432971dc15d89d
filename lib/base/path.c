/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Path names inside a root directory. The walk keeps two things: a descriptor of the directory it
 * has come to, and that directory's path from the root, free of links. ".." drops the last name and
 * walks the path anew, instead of opening "..", which would leave the root if somebody moved the
 * directory meanwhile.
 */
#include "base/path.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/sys.h"

#define MAX_LINKS 40 /* as the kernel's MAXSYMLINKS, path_resolution(7) */
#define RESOLVE_INSIDE (RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
#define PROC_ROOT_INODE 1

struct walk {
	int root_fd;
	const struct path_policy *policy;
	bool follow_last;
	int dir_fd;	     /* where we are; owned */
	char done[PATH_MAX]; /* path of dir_fd from the root: "" or "/a/b" */
	char rest[PATH_MAX]; /* what is still to be walked */
	int links;	     /* symbolic links followed so far */
};

void path_place_close(struct path_place *place)
{
	close_pointer(&place->fd);
	close_pointer(&place->dir_fd);
	place->fd = place->dir_fd = -EBADF;
}

static int open_link_free(int dir_fd, const char *name)
{
	return openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

/* Takes @fd as the directory we are in. */
static void walk_enter(struct walk *walk, int fd)
{
	close_pointer(&walk->dir_fd);
	walk->dir_fd = fd;
}

static int walk_to_root(struct walk *walk)
{
	int fd = fcntl(walk->root_fd, F_DUPFD_CLOEXEC, 3);

	if (fd < 0)
		return -errno;
	walk_enter(walk, fd);
	walk->done[0] = '\0';
	return 0;
}

/* Cuts the next name off walk->rest into @name; false at the end. */
static int next_name(struct walk *walk, char name[NAME_MAX + 1])
{
	char *start = walk->rest + strspn(walk->rest, "/");
	size_t length = strcspn(start, "/");

	if (length > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, start, length);
	name[length] = '\0';
	memmove(walk->rest, start + length, strlen(start + length) + 1);
	return length > 0;
}

static bool at_last_name(const struct walk *walk)
{
	return walk->rest[strspn(walk->rest, "/")] == '\0';
}

/* Appends @name to the path of the directory we are in; it must fit, see walk_name(). */
static void note_entered(struct walk *walk, const char *name)
{
	struct str_buf done = { .data = walk->done,
				.size = sizeof(walk->done),
				.length = strlen(walk->done) };

	str_add_char(&done, '/');
	str_add(&done, name);
}

/* "..": from the root again, by names that were no links when we came this way. */
static int walk_up(struct walk *walk)
{
	char path[PATH_MAX];
	char *slash = strrchr(walk->done, '/');
	int r;

	if (slash)
		*slash = '\0';
	str_copy(path, sizeof(path), walk->done);
	r = walk_to_root(walk);
	if (r < 0)
		return r;
	for (char *name = strtok_r(path, "/", &slash); name; name = strtok_r(NULL, "/", &slash)) {
		int fd = open_link_free(walk->dir_fd, name);

		if (fd < 0)
			return -errno;
		walk_enter(walk, fd);
		note_entered(walk, name);
	}
	return 0;
}

/*
 * Links of procfs below a process's directory jump to objects, not to paths. Only those in its root
 * directory
 * ("self", "mounts") are ordinary.
 */
static bool is_magic_link(int dir_fd, int link_fd)
{
	struct stat info;

	return fd_on_filesystem(link_fd, PROC_SUPER_MAGIC) &&
	       !(fstat(dir_fd, &info) == 0 && info.st_ino == PROC_ROOT_INODE);
}

/* Puts the target of the link @fd in front of what is still to be walked. */
static int walk_link(struct walk *walk, int fd)
{
	char target[PATH_MAX];
	ssize_t length;
	size_t rest = strlen(walk->rest);

	if (++walk->links > MAX_LINKS || is_magic_link(walk->dir_fd, fd))
		return -ELOOP;
	length = readlinkat(fd, "", target, sizeof(target));
	if (length < 0)
		return -errno;
	if ((size_t)length + rest >= sizeof(walk->rest))
		return -ENAMETOOLONG;
	memmove(walk->rest + length, walk->rest,
		rest + 1); /* the rest is empty or begins with a slash */
	memcpy(walk->rest, target, (size_t)length);
	return target[0] == '/' ? walk_to_root(walk) : 0;
}

static int permit(const struct path_policy *policy, int dir_fd)
{
	return policy->permit ? policy->permit(policy->context, dir_fd) : 0;
}

/* A missing directory on the way; or whatever somebody else made there meanwhile. fd or -errno */
static int walk_create(struct walk *walk, const char *name)
{
	int fd, r;

	if (!walk->policy)
		return -ENOENT;
	r = permit(walk->policy, walk->dir_fd);
	if (r < 0)
		return r;
	if (mkdirat(walk->dir_fd, name, walk->policy->parent_mode) < 0 && errno != EEXIST)
		return -errno;
	fd = open_link_free(walk->dir_fd, name);
	return fd < 0 ? -errno : fd;
}

/* One name that is neither "." nor "..". 1: *@ret_place is filled, 0: go on, -errno. */
static int walk_name(struct walk *walk, const char *name, struct path_place *ret_place)
{
	_close_ int fd = open_link_free(walk->dir_fd, name);
	bool last = at_last_name(walk);
	bool wants_dir = walk->rest[0] == '/'; /* a slash at the end, too, path_resolution(7) */
	struct stat info = { 0 };

	if (fd < 0 && errno != ENOENT)
		return -errno;
	if (fd < 0 && !last) {
		fd = walk_create(walk, name);
		if (fd < 0)
			return fd;
	}
	if (fd >= 0 && fstat(fd, &info) < 0)
		return -errno;
	if (fd >= 0 && walk->policy && walk->policy->visit &&
	    (!last || (S_ISLNK(info.st_mode) && walk->follow_last))) {
		fd = walk->policy->visit(walk->policy->context, take_fd(&fd));
		if (fd < 0)
			return fd;
	}
	if (fd >= 0 && S_ISLNK(info.st_mode) && (wants_dir || walk->follow_last))
		return walk_link(walk, fd);
	if (fd >= 0 && wants_dir && !S_ISDIR(info.st_mode))
		return -ENOTDIR;
	if (last) {
		str_copy(ret_place->name, sizeof(ret_place->name), name);
		ret_place->fd = take_fd(&fd);
		ret_place->dir_fd = take_fd(&walk->dir_fd);
		return 1;
	}
	if (strlen(walk->done) + strlen(name) + 2 > sizeof(walk->done))
		return -ENAMETOOLONG;
	note_entered(walk, name);
	walk_enter(walk, take_fd(&fd));
	return 0;
}

/* Even "." and ".." need search permission where we are, path_resolution(7). */
static int walk_dots(struct walk *walk, const char *name)
{
	_close_ int fd = open_link_free(walk->dir_fd, ".");

	if (fd < 0)
		return -errno;
	return name[1] ? walk_up(walk) : 0;
}

static int walk_path(struct walk *walk, const char *path, struct path_place *ret_place)
{
	char name[NAME_MAX + 1];
	int r;

	if (strlen(path) >= sizeof(walk->rest))
		return -ENAMETOOLONG;
	if (!path[0])
		return -ENOENT;
	str_copy(walk->rest, sizeof(walk->rest), path);
	r = walk_to_root(walk);
	while (r == 0) {
		r = next_name(walk, name);
		if (r < 0)
			break;
		if (r == 0) { /* the path ends in a directory we are in: the root, or after ".." or
				 "." */
			ret_place->name[0] = '\0';
			ret_place->fd = fcntl(walk->dir_fd, F_DUPFD_CLOEXEC, 3);
			ret_place->dir_fd = take_fd(&walk->dir_fd);
			return ret_place->fd < 0 ? -errno : 0;
		}
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			r = walk_dots(walk, name);
		else
			r = walk_name(walk, name, ret_place);
	}
	return r < 0 ? r : 0;
}

cold_path static int find(int root_fd, const char *path, const struct path_policy *policy,
			  bool follow_last, struct path_place *ret_place)
{
	struct walk walk = {
		.root_fd = root_fd, .policy = policy, .follow_last = follow_last, .dir_fd = -EBADF
	};
	int r = walk_path(&walk, path, ret_place);

	close_pointer(&walk.dir_fd);
	if (r < 0)
		path_place_close(ret_place);
	return r;
}

int path_find(int root_fd, const char *path, const struct path_policy *policy,
	      struct path_place *ret_place)
{
	return find(root_fd, path, policy, true, ret_place);
}

int path_find_nofollow(int root_fd, const char *path, const struct path_policy *policy,
		       struct path_place *ret_place)
{
	return find(root_fd, path, policy, false, ret_place);
}

static bool is_link(int fd)
{
	struct stat info;

	return fstat(fd, &info) < 0 || S_ISLNK(info.st_mode);
}

/*
 * openat2 is missing (ENOSYS), forbidden by an outer filter (EPERM), or gave up because something
 * was renamed or mounted while it resolved ".." (EAGAIN, openat2(2)).
 */
static bool walk_can_help(int errnum)
{
	return errnum == ENOSYS || errnum == EPERM || errnum == EAGAIN;
}

int path_open(int root_fd, const char *path, int flags)
{
	_place_ struct path_place place = PATH_PLACE_INIT;
	int fd = sys_openat2(root_fd, path, (uint64_t)(flags | O_CLOEXEC), RESOLVE_INSIDE);
	int r;

	if (fd >= 0)
		return fd;
	if (!walk_can_help(errno))
		return -errno;
	r = path_find(root_fd, path, NULL, &place);
	if (r < 0)
		return r;
	if (place.fd < 0)
		return -ENOENT;
	if (flags & O_PATH) {
		struct stat info;

		if ((flags & O_DIRECTORY) && (fstat(place.fd, &info) < 0 || !S_ISDIR(info.st_mode)))
			return -ENOTDIR;
		return take_fd(&place.fd);
	}
	fd = openat(place.dir_fd, place.name[0] ? place.name : ".", flags | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* 0: made just now; -EEXIST or another -errno. */
static int create_entry(int dir_fd, const char *name, mode_t type_and_mode)
{
	int r = S_ISDIR(type_and_mode) ? mkdirat(dir_fd, name, type_and_mode & 07777)
				       : mknodat(dir_fd, name, type_and_mode, 0);

	return r < 0 ? -errno : 0;
}

/* Creates what is missing at @place; leaves what somebody else made there meanwhile. */
static int make_entry(const struct path_place *place, mode_t type_and_mode,
		      const struct path_policy *policy)
{
	int fd, r;

	r = permit(policy, place->dir_fd);
	if (r < 0)
		return r;
	r = create_entry(place->dir_fd, place->name, type_and_mode);
	if (r < 0 && r != -EEXIST)
		return r;
	fd = open_link_free(place->dir_fd, place->name);
	return fd < 0 ? -errno : fd;
}

void path_cache_drop(struct path_cache *cache)
{
	close_pointer(&cache->dir_fd);
	cache->dir_fd = -EBADF;
}

/* The directory with the written path @path (not terminated), from the cache or looked up; fd or
 * -errno. */
static int cached_dir(int root_fd, const char *path, size_t length, struct path_cache *cache)
{
	if (length == 0)
		return root_fd;
	if (cache->dir_fd >= 0 && strncmp(cache->path, path, length) == 0 &&
	    cache->path[length] == '\0')
		return cache->dir_fd;
	path_cache_drop(cache);
	str_copy(cache->path, length + 1, path);
	cache->dir_fd = path_open(root_fd, cache->path, O_PATH | O_DIRECTORY);
	return cache->dir_fd;
}

int path_make_new(int root_fd, const char *path, mode_t type_and_mode,
		  const struct path_policy *policy, struct path_new *new)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	size_t length = slash ? (size_t)(slash - path) : 0;

	if (length >= PATH_MAX || name[0] == '\0' || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0)
		return -EAGAIN;
	new->dir_fd = cached_dir(root_fd, path, length, new->cache);
	if (new->dir_fd < 0 || permit(policy, new->dir_fd) < 0)
		return -EAGAIN;
	new->name = name;
	return create_entry(new->dir_fd, name, type_and_mode) < 0 ? -EAGAIN : 0;
}

int path_make(int root_fd, const char *path, mode_t type_and_mode, const struct path_policy *policy)
{
	_place_ struct path_place place = PATH_PLACE_INIT;
	int fd = sys_openat2(root_fd, path, O_PATH | O_CLOEXEC, RESOLVE_INSIDE);
	int r;

	if (fd >= 0)
		return fd;
	if (errno != ENOENT && !walk_can_help(errno))
		return -errno;
	/* Somebody may put a link where we are about to create: then the walk has to follow it. */
	for (int tries = 0; tries < MAX_LINKS; tries++) {
		r = path_find(root_fd, path, policy, &place);
		if (r < 0)
			return r;
		if (place.fd >= 0)
			return take_fd(&place.fd);
		fd = make_entry(&place, type_and_mode, policy);
		path_place_close(&place);
		if (fd < 0 || !is_link(fd))
			return fd;
		(void)close(fd);
	}
	return -ELOOP;
}

bool path_is_root(const char *path)
{
	char name[4];

	while (*path) {
		size_t length;

		path += strspn(path, "/");
		length = strcspn(path, "/");
		if (length > 2)
			return false;
		memcpy(name, path, length);
		name[length] = '\0';
		if (strcmp(name, "") != 0 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
			return false;
		path += length;
	}
	return true;
}
