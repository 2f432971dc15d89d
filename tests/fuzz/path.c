/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: path names below a small root full of links. Nothing is created after the start; the
 * walk must come to where the kernel comes to, and never out of the root.
 */
#include "base/path.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sys.h"
#include "fuzz.h"

static char root_path[256];

static const struct {
	const char *path, *target; /* NULL: a directory; "": a file */
} entries[] = {
	{ "a", NULL },	    { "a/b", NULL },
	{ "a/b/c", NULL },  { "a/f", "" },
	{ "d", NULL },	    { "a/up", ".." },
	{ "a/b/r", "/" },   { "d/abs", "/a/b" },
	{ "l", "a/b" },	    { "m", "/d/abs/c" },
	{ "x", "../../a" }, { "dang", "a/none" },
	{ "loop", "loop" }, { "o", "p" },
	{ "p", "./o" },	    { "f", "a/f" },
	{ "fs", "a/f/" },   { "far", "/no/x" },
	{ "s", "a/./b//" }, { "out", "../../../etc/passwd" },
};

/* Removed at the end by the same list, backwards. */
static void remove_root(void)
{
	if (chdir(root_path) < 0)
		return;
	for (size_t i = ARRAY_SIZE(entries); i > 0; i--)
		(void)remove(entries[i - 1].path);
	(void)rmdir(root_path);
}

static int make_root(void)
{
	const char *parent = getenv("TMPDIR");
	int length = snprintf(root_path, sizeof(root_path), "%s/cloche-fuzz-XXXXXX",
			      parent ? parent : "/tmp");
	int root_fd;

	if (length >= (int)sizeof(root_path) || !mkdtemp(root_path))
		abort();
	root_fd = open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		const char *path = entries[i].path, *target = entries[i].target;
		int r = !target	    ? mkdirat(root_fd, path, 0755)
			: target[0] ? symlinkat(target, root_fd, path)
				    : mknodat(root_fd, path, S_IFREG | 0644, 0);

		if (r < 0)
			abort();
	}
	(void)atexit(remove_root);
	return root_fd;
}

/* Is the directory @fd the root or below it? */
static bool is_inside(int root_fd, int fd)
{
	int at = fcntl(fd, F_DUPFD_CLOEXEC, 3), up;
	bool inside = false;

	for (int depth = 0; depth < 16 && at >= 0 && !inside; depth++) {
		inside = fd_same_file(at, root_fd);
		up = openat(at, "..", O_PATH | O_CLOEXEC);
		close(at);
		at = up;
	}
	close_pointer(&at);
	return inside;
}

/* Errors where the walk and the kernel may differ: how many links, how long a path with its links
 * may be. */
static bool is_limit(int r)
{
	return r == -ELOOP || r == -ENAMETOOLONG;
}

static void compare_with_kernel(int root_fd, const char *path, int r,
				const struct path_place *place)
{
	int fd = sys_openat2(root_fd, path, O_PATH | O_CLOEXEC,
			     RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
	int kernel = fd < 0 ? -errno : 0;

	if (kernel == -ENOSYS || kernel == -EPERM || kernel == -EAGAIN)
		return; /* nothing to compare with */
	if (r < 0)
		require(kernel == r || is_limit(r) || is_limit(kernel));
	else if (place->fd < 0)
		require(kernel == -ENOENT || is_limit(kernel));
	else
		require(is_limit(kernel) || (kernel == 0 && fd_same_file(fd, place->fd)));
	close_pointer(&fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int root_fd = -1;
	char *path = fuzz_text(data, size);
	_place_ struct path_place place = PATH_PLACE_INIT, entry = PATH_PLACE_INIT;
	int r;

	if (root_fd < 0)
		root_fd = make_root();
	r = path_find(root_fd, path, NULL, &place);
	require(r <= 0);
	require(r < 0 ? place.fd < 0 && place.dir_fd < 0
		      : place.dir_fd >= 0 && is_inside(root_fd, place.dir_fd));
	require(r < 0 || strlen(place.name) <= NAME_MAX);
	require(r < 0 || !strchr(place.name, '/'));
	compare_with_kernel(root_fd, path, r, &place);
	r = path_find_nofollow(root_fd, path, NULL, &entry);
	require(r < 0 || is_inside(root_fd, entry.dir_fd));
	if (path_is_root(path) && path[0])
		require(r == 0 && fd_same_file(entry.fd, root_fd));
	free(path);
	return 0;
}
