/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of lib/base/path.c, linked with fd.c and str.c only.
 *
 * Every case runs three times, in a child process each and on a fresh tree: with openat2(2), and
 * with openat2 made to fail with ENOSYS (an old kernel) and with EPERM (an outer container's
 * filter). All three must say the same.
 */
#include "base/path.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "base/sys.h"
#include "unit.h"

/* One run of all cases. */
struct run {
	const char *directory; /* of the test: the tree, and what lies outside of it */
	const char *name;
	int openat2_errno; /* 0: openat2 as it is */
	int root_fd;	   /* the tree's root, O_PATH */
	char root[PATH_MAX];
};

#define CHECK_CASE(run, actual, expected)                                                          \
	unit_check_str((run)->name, __LINE__, #actual, actual, expected)

/* ---- the tree ---- */

static void make_dir(const struct run *run, const char *path, mode_t mode)
{
	CHECK(mkdirat(run->root_fd, path, mode) == 0);
}

static void make_file(const struct run *run, const char *path)
{
	int fd = openat(run->root_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	CHECK(fd >= 0);
	close(fd);
}

static void make_link(const struct run *run, const char *target, const char *path)
{
	CHECK(symlinkat(target, run->root_fd, path) == 0);
}

/* "c1" leads to usr, each next one to the one before: c40 is the last that can be followed. */
static void make_chain(const struct run *run)
{
	char path[16], target[16] = "usr";

	for (int i = 1; i <= 41; i++) {
		CHECK(snprintf(path, sizeof(path), "c%d", i) > 0);
		make_link(run, target, path);
		strcpy(target, path);
	}
}

static void make_tree(const struct run *run)
{
	static const char *const dirs[] = { "usr", "usr/lib", "usr/lib/deep", "run", "var", "tmp" };
	static const char *const links[][2] = {
		{ "usr/lib", "lib" },
		{ "/usr/lib", "abs" },
		{ "../../../usr", "up" },
		{ "/../../usr/lib", "abs-up" },
		{ "usr/../run/./../usr//lib/", "messy" },
		{ "lib/deep", "through" },
		{ "/run", "var/run" },
		{ "../run", "var/run-rel" },
		{ "usr/file", "to-file" },
		{ "/usr/file/", "to-file-slash" },
		{ "/", "to-root" },
		{ "..", "to-parent" },
		{ "usr/missing", "dangling" },
		{ "/usr/none/at/all", "dangling-deep" },
		{ "dangling", "dangling-twice" },
		{ "loop", "loop" },
		{ "loop-2", "loop-1" },
		{ "loop-1", "loop-2" },
		{ "self-below/x", "self-below" },
		{ "usr/file/x", "below-file" },
		{ "/etc/passwd", "host-file" },
		{ "../outside", "host-dir" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		make_dir(run, dirs[i], 0755);
	make_file(run, "usr/file");
	make_file(run, "usr/...");
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		make_link(run, links[i][0], links[i][1]);
	make_chain(run);
}

/* ---- showing results as text ---- */

static const char *error_text(int r)
{
	const char *name = strerrorname_np(-r);

	return name ? name : "an errno without a name";
}

/* Where the descriptor is, from the tree's root. */
static const char *fd_text(const struct run *run, int fd)
{
	static char text[PATH_MAX];
	char link[64];
	ssize_t length;

	CHECK(snprintf(link, sizeof(link), "/proc/self/fd/%d", fd) > 0);
	length = readlink(link, text, sizeof(text) - 1);
	CHECK(length >= 0);
	text[length] = '\0';
	if (strncmp(text, run->root, strlen(run->root)) != 0)
		return text; /* outside: the whole path shows it */
	if (text[strlen(run->root)] == '\0')
		return "/";
	return text + strlen(run->root);
}

/* "DIRECTORY NAME" and "+" where there is such an entry, "-" where not; or the error. */
static const char *place_text(const struct run *run, int r, struct path_place *place)
{
	static char text[2 * PATH_MAX];
	struct stat info, by_name;

	if (r < 0) {
		CHECK(place->fd < 0 && place->dir_fd < 0);
		return error_text(r);
	}
	CHECK(place->dir_fd >= 0 && fcntl(place->dir_fd, F_GETFD) == FD_CLOEXEC);
	CHECK(fcntl(place->dir_fd, F_GETFL) & O_PATH);
	if (place->fd >= 0) {
		CHECK(fcntl(place->fd, F_GETFD) == FD_CLOEXEC &&
		      fcntl(place->fd, F_GETFL) & O_PATH);
		CHECK(fstat(place->fd, &info) == 0);
		CHECK(fstatat(place->dir_fd, place->name, &by_name,
			      AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) == 0);
		CHECK(info.st_ino == by_name.st_ino && info.st_dev == by_name.st_dev);
	}
	CHECK(snprintf(text, sizeof(text), "%s %s%s", fd_text(run, place->dir_fd),
		       place->name[0] ? place->name : "(itself)",
		       place->fd >= 0 ? " +" : " -") > 0);
	path_place_close(place);
	path_place_close(place);
	return text;
}

static const char *find_text(const struct run *run, const char *path,
			     const struct path_policy *policy, bool follow)
{
	struct path_place place = PATH_PLACE_INIT;
	int before = unit_fd_count();
	int r = follow ? path_find(run->root_fd, path, policy, &place)
		       : path_find_nofollow(run->root_fd, path, policy, &place);
	const char *text = place_text(run, r, &place);

	CHECK_INT(unit_fd_count(), before);
	return text;
}

/* "PATH", or the error. Takes @fd. */
static const char *opened_text(const struct run *run, int fd, int before)
{
	const char *text;

	if (fd < 0) {
		text = error_text(fd);
	} else {
		CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
		text = fd_text(run, fd);
		close(fd);
	}
	CHECK_INT(unit_fd_count(), before);
	return text;
}

static const char *open_text(const struct run *run, const char *path, int flags)
{
	int before = unit_fd_count();

	return opened_text(run, path_open(run->root_fd, path, flags), before);
}

static const char *make_text(const struct run *run, const char *path, mode_t type_and_mode,
			     const struct path_policy *policy)
{
	int before = unit_fd_count();

	return opened_text(run, path_make(run->root_fd, path, type_and_mode, policy), before);
}

/* "dir 755", "file 644", "link" or the error of what @path is, no link followed. */
static const char *entry_text(const struct run *run, const char *path)
{
	static char text[32];
	struct stat info;

	if (fstatat(run->root_fd, path, &info, AT_SYMLINK_NOFOLLOW) < 0)
		return error_text(-errno);
	if (S_ISLNK(info.st_mode))
		return "link";
	CHECK(snprintf(text, sizeof(text), "%s %o", S_ISDIR(info.st_mode) ? "dir" : "file",
		       (unsigned)info.st_mode & 07777) > 0);
	return text;
}

/* ---- path_find and path_open: what exists ---- */

static void test_find(const struct run *run)
{
	static const char *const cases[][3] = {
		/* path, followed, not followed */
		{ "/usr", "/ usr +", "/ usr +" },
		{ "usr", "/ usr +", "/ usr +" },
		{ "//usr///lib", "/usr lib +", "/usr lib +" },
		{ "/usr/./lib/.", "/usr/lib (itself) +", "/usr/lib (itself) +" },
		{ "/usr/file", "/usr file +", "/usr file +" },
		{ "/usr/...", "/usr ... +", "/usr ... +" },
		{ "/usr/missing", "/usr missing -", "/usr missing -" },
		{ "missing", "/ missing -", "/ missing -" },
		{ "/missing/x", "ENOENT", "ENOENT" },
		{ "/usr/file/x", "ENOTDIR", "ENOTDIR" },
		{ "/usr/file/..", "ENOTDIR", "ENOTDIR" },
		{ "/usr/file/.", "ENOTDIR", "ENOTDIR" },
		{ "/missing/..", "ENOENT", "ENOENT" },
		/* the root, and ".." that would leave it */
		{ "/", "/ (itself) +", "/ (itself) +" },
		{ "///", "/ (itself) +", "/ (itself) +" },
		{ ".", "/ (itself) +", "/ (itself) +" },
		{ "..", "/ (itself) +", "/ (itself) +" },
		{ "/../../..", "/ (itself) +", "/ (itself) +" },
		{ "../../usr", "/ usr +", "/ usr +" },
		{ "/usr/../../../run", "/ run +", "/ run +" },
		{ "/usr/lib/deep/../..", "/usr (itself) +", "/usr (itself) +" },
		{ "/usr/lib/deep/../../file", "/usr file +", "/usr file +" },
		{ "/usr/lib/../../usr/lib/../file", "/usr file +", "/usr file +" },
		/* links on the way */
		{ "/lib/deep", "/usr/lib deep +", "/usr/lib deep +" },
		{ "/abs/deep", "/usr/lib deep +", "/usr/lib deep +" },
		{ "/var/run/x", "/run x -", "/run x -" },
		{ "/var/run-rel/x", "/run x -", "/run x -" },
		{ "/through/..", "/usr/lib (itself) +", "/usr/lib (itself) +" },
		{ "/lib/..", "/usr (itself) +", "/usr (itself) +" },
		{ "/to-root/usr", "/ usr +", "/ usr +" },
		{ "/to-root/to-root/to-root/usr", "/ usr +", "/ usr +" },
		{ "/to-parent/usr", "/ usr +", "/ usr +" },
		{ "/to-file/x", "ENOTDIR", "ENOTDIR" },
		{ "/dangling/x", "ENOENT", "ENOENT" },
		{ "/host-dir/secret", "ENOENT", "ENOENT" },
		/* a link at the end */
		{ "/lib", "/usr lib +", "/ lib +" },
		{ "/abs", "/usr lib +", "/ abs +" },
		{ "/up", "/ usr +", "/ up +" },
		{ "/abs-up", "/usr lib +", "/ abs-up +" },
		{ "/var/run", "/ run +", "/var run +" },
		{ "/var/run/", "/ run +",
		  "/ run +" }, /* a slash behind it: what it leads to is meant */
		{ "/usr/lib/", "/usr lib +", "/usr lib +" },
		{ "/usr/file/", "ENOTDIR", "ENOTDIR" },
		{ "/to-file/", "ENOTDIR", "ENOTDIR" },
		{ "/to-file-slash", "ENOTDIR", "/ to-file-slash +" },
		{ "/loop/", "ELOOP", "ELOOP" },
		{ "", "ENOENT", "ENOENT" },
		{ "/var/run-rel", "/ run +", "/var run-rel +" },
		{ "/to-file", "/usr file +", "/ to-file +" },
		{ "/to-root", "/ (itself) +", "/ to-root +" },
		{ "/to-parent", "/ (itself) +", "/ to-parent +" },
		{ "/through", "/usr/lib deep +", "/ through +" },
		{ "/dangling", "/usr missing -", "/ dangling +" },
		{ "/dangling-twice", "/usr missing -", "/ dangling-twice +" },
		{ "/dangling-deep", "ENOENT", "/ dangling-deep +" },
		{ "/below-file", "ENOTDIR", "/ below-file +" },
		{ "/host-file", "ENOENT", "/ host-file +" },
		{ "/host-dir", "/ outside -", "/ host-dir +" },
		/* loops */
		{ "/loop", "ELOOP", "/ loop +" },
		{ "/loop/x", "ELOOP", "ELOOP" },
		{ "/loop-1", "ELOOP", "/ loop-1 +" },
		{ "/self-below", "ELOOP", "/ self-below +" },
		{ "/c40", "/ usr +", "/ c40 +" },
		{ "/c41", "ELOOP", "/ c41 +" },
		{ "/c39/../c1/lib", "/usr lib +", "/usr lib +" }, /* 40 in all */
		{ "/c39/../c2/lib", "ELOOP", "ELOOP" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CHECK_STR_IN(cases[i][0], find_text(run, cases[i][0], NULL, true), cases[i][1]);
		CHECK_STR_IN(cases[i][0], find_text(run, cases[i][0], NULL, false), cases[i][2]);
	}
}

static void test_open(const struct run *run)
{
	static const struct {
		const char *path;
		int flags;
		const char *expected;
	} cases[] = {
		{ "/usr/lib", O_PATH, "/usr/lib" },
		{ "usr/lib", O_PATH | O_DIRECTORY, "/usr/lib" },
		{ "/usr/lib", O_RDONLY | O_DIRECTORY, "/usr/lib" },
		{ "/usr/file", O_PATH, "/usr/file" },
		{ "/usr/file", O_RDONLY, "/usr/file" },
		{ "/usr/file", O_WRONLY, "/usr/file" },
		{ "/usr/file", O_PATH | O_DIRECTORY, "ENOTDIR" },
		{ "/usr/file", O_RDONLY | O_DIRECTORY, "ENOTDIR" },
		{ "/usr", O_WRONLY, "EISDIR" },
		{ "/to-file", O_RDONLY, "/usr/file" },
		{ "/to-file", O_PATH | O_DIRECTORY, "ENOTDIR" },
		{ "/", O_PATH, "/" },
		{ "/", O_RDONLY | O_DIRECTORY, "/" },
		{ "..", O_PATH, "/" },
		{ "/../../usr/..", O_RDONLY, "/" },
		{ "/var/run", O_PATH, "/run" },
		{ "/var/run/", O_PATH, "/run" },
		{ "/usr/lib/", O_PATH, "/usr/lib" },
		{ "/through/../deep/.", O_PATH, "/usr/lib/deep" },
		{ "/abs-up", O_PATH, "/usr/lib" },
		{ "/messy/deep", O_PATH, "/usr/lib/deep" },
		/* not 40: where the kernel begins anew it counts on (fs/namei.c, total_link_count)
		 */
		{ "/c19", O_PATH, "/usr" },
		{ "/c41", O_PATH, "ELOOP" },
		{ "/c39/../c2/lib", O_PATH, "ELOOP" },
		{ "/loop", O_PATH, "ELOOP" },
		{ "/loop-1/x", O_PATH, "ELOOP" },
		{ "/self-below", O_PATH, "ELOOP" },
		{ "/missing", O_PATH, "ENOENT" },
		{ "/missing", O_RDONLY, "ENOENT" },
		{ "/missing/", O_PATH, "ENOENT" },
		{ "/missing/x", O_PATH, "ENOENT" },
		{ "/missing/..", O_PATH, "ENOENT" },
		{ "/dangling", O_PATH, "ENOENT" },
		{ "/dangling", O_RDONLY, "ENOENT" },
		{ "/dangling-deep", O_PATH, "ENOENT" },
		{ "/host-file", O_RDONLY, "ENOENT" },
		{ "/host-dir/secret", O_RDONLY, "ENOENT" },
		{ "/usr/file/x", O_PATH, "ENOTDIR" },
		{ "/usr/file/..", O_PATH, "ENOTDIR" },
		{ "/usr/file/.", O_PATH, "ENOTDIR" },
		{ "/below-file", O_PATH, "ENOTDIR" },
		/* a slash at the end asks for a directory (path_resolution(7)) */
		{ "/usr/file/", O_PATH, "ENOTDIR" },
		{ "/usr/file/", O_RDONLY, "ENOTDIR" },
		{ "/to-file/", O_PATH, "ENOTDIR" },
		{ "/to-file-slash", O_PATH, "ENOTDIR" },
		{ "/dangling/", O_PATH, "ENOENT" },
		/* POSIX: the empty path names nothing */
		{ "", O_PATH, "ENOENT" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		CHECK_STR_IN(cases[i].path, open_text(run, cases[i].path, cases[i].flags),
			     cases[i].expected);
}

/* Links of procfs that jump to objects are refused wherever they stand; those that hold a path are
 * not. */
static void test_magic_links(const struct run *run)
{
	struct run host = { .name = run->name };

	host.root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK(host.root_fd >= 0);
	CHECK_CASE(&host, open_text(&host, "/proc/self/exe", O_PATH), "ELOOP");
	CHECK_CASE(&host, open_text(&host, "/proc/self/exe", O_RDONLY), "ELOOP");
	CHECK_CASE(&host, open_text(&host, "/proc/self/root", O_PATH), "ELOOP");
	CHECK_CASE(&host, open_text(&host, "/proc/self/root/etc", O_PATH), "ELOOP");
	CHECK_CASE(&host, open_text(&host, "/proc/self/cwd/x", O_PATH), "ELOOP");
	CHECK_CASE(&host, open_text(&host, "/proc/self/fd/0", O_PATH), "ELOOP");
	CHECK_CASE(&host, open_text(&host, "/proc/thread-self/ns/mnt", O_PATH), "ELOOP");
	CHECK_CASE(&host, find_text(&host, "/proc/self/exe", NULL, true), "ELOOP");
	CHECK_CASE(&host, find_text(&host, "/proc/self/root/usr", NULL, true), "ELOOP");
	/* The positive control: "self" and "mounts" are links of procfs, too. */
	CHECK(path_open(host.root_fd, "/proc/self/stat", O_PATH) >= 0);
	CHECK(path_open(host.root_fd, "/proc/mounts", O_PATH) >= 0);
	CHECK(strstr(find_text(&host, "/proc/self/exe", NULL, false), " exe +"));
	close(host.root_fd);
}

/* ---- limits ---- */

static void fill(char *text, char c, size_t length)
{
	memset(text, c, length);
	text[length] = '\0';
}

static void test_name_limit(const struct run *run)
{
	struct path_policy everywhere = { .parent_mode = 0755 };
	char name[NAME_MAX + 16], path[2 * NAME_MAX];

	fill(name, 'n', NAME_MAX);
	CHECK(snprintf(path, sizeof(path), "/tmp/%s", name) > 0);
	CHECK_CASE(run, open_text(run, path, O_PATH), "ENOENT");
	CHECK_CASE(run, make_text(run, path, S_IFREG | 0644, &everywhere), path);
	CHECK_CASE(run, open_text(run, path, O_PATH), path);
	fill(name, 'n', NAME_MAX + 1);
	CHECK(snprintf(path, sizeof(path), "/tmp/%s", name) > 0);
	CHECK_CASE(run, open_text(run, path, O_PATH), "ENAMETOOLONG");
	CHECK_CASE(run, find_text(run, path, NULL, true), "ENAMETOOLONG");
	CHECK_CASE(run, make_text(run, path, S_IFREG | 0644, &everywhere), "ENAMETOOLONG");
	CHECK(snprintf(path, sizeof(path), "/tmp/%s/x", name) > 0);
	CHECK_CASE(run, make_text(run, path, S_IFREG | 0644, &everywhere), "ENAMETOOLONG");
	/* Errors come in the order of the walk. */
	CHECK(snprintf(path, sizeof(path), "/usr/file/%s", name) > 0);
	CHECK_CASE(run, open_text(run, path, O_PATH), "ENOTDIR");
	CHECK(snprintf(path, sizeof(path), "/missing/%s", name) > 0);
	CHECK_CASE(run, open_text(run, path, O_PATH), "ENOENT");
}

static void test_path_limit(const struct run *run)
{
	struct path_policy everywhere = { .parent_mode = 0755 };
	static char path[PATH_MAX + 16];

	fill(path, '/', PATH_MAX - 1);
	memcpy(path + PATH_MAX - 1 - 8, "/usr/lib", 8);
	CHECK_CASE(run, open_text(run, path, O_PATH), "/usr/lib");
	CHECK_CASE(run, find_text(run, path, NULL, true), "/usr lib +");
	CHECK_CASE(run, make_text(run, path, S_IFDIR | 0755, &everywhere), "/usr/lib");
	fill(path, '/', PATH_MAX);
	memcpy(path + PATH_MAX - 8, "/usr/lib", 8);
	CHECK_CASE(run, open_text(run, path, O_PATH), "ENAMETOOLONG");
	CHECK_CASE(run, find_text(run, path, NULL, true), "ENAMETOOLONG");
	CHECK_CASE(run, make_text(run, path, S_IFDIR | 0755, &everywhere), "ENAMETOOLONG");
}

/* As many directories as a path can name, made, found and left again by as many "..". */
static void test_depth(const struct run *run)
{
	struct path_policy everywhere = { .parent_mode = 0755 };
	static char path[PATH_MAX], expected[PATH_MAX + 16], up[PATH_MAX];

	strcpy(path, "/tmp/deep");
	strcpy(up, "/tmp/deep");
	while (strlen(path) + 4 < 1300) {
		strcat(path, "/a");
		strcat(up, "/a");
	}
	CHECK_CASE(run, make_text(run, path, S_IFDIR | 0755, &everywhere), path);
	CHECK_CASE(run, open_text(run, path, O_PATH), path);
	CHECK(snprintf(expected, sizeof(expected), "%s x -", path) > 0);
	strcat(path, "/x");
	CHECK_CASE(run, find_text(run, path, NULL, true), expected);
	while (strlen(up) + 8 < PATH_MAX)
		strcat(up, "/..");
	CHECK_CASE(run, open_text(run, up, O_PATH), "/");
	strcat(up, "/usr");
	CHECK_CASE(run, open_text(run, up, O_PATH), "/usr");
}

/*
 * Links may make a path longer than PATH_MAX for the kernel, which keeps no text. The walk keeps
 * one: path.h says ENAMETOOLONG, and never a cut path.
 */
static void test_long_links(const struct run *run)
{
	struct path_policy everywhere = { .parent_mode = 0755 };
	static char target[PATH_MAX], path[2 * PATH_MAX];
	bool walks = run->openat2_errno;

	fill(target, '/', 3000);
	memcpy(target + 3000 - 8, "/usr/lib", 8);
	make_link(run, target, "tmp/long");
	CHECK_CASE(run, open_text(run, "/tmp/long/deep", O_PATH), "/usr/lib/deep");
	strcpy(path, "/tmp/long");
	while (strlen(path) < 2000)
		strcat(path, "/.");
	strcat(path, "/deep");
	CHECK_CASE(run, open_text(run, path, O_PATH), walks ? "ENAMETOOLONG" : "/usr/lib/deep");
	CHECK_CASE(run, find_text(run, path, NULL, true), "ENAMETOOLONG");
	strcat(path, "/new/x");
	CHECK_CASE(run, make_text(run, path, S_IFDIR | 0755, &everywhere), "ENAMETOOLONG");
	CHECK_CASE(run, entry_text(run, "usr/lib/deep/new"), "ENOENT");
}

static void test_no_descriptors_left(const struct run *run)
{
	struct path_policy everywhere = { .parent_mode = 0755 };
	struct rlimit before, limit;

	CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
	for (rlim_t most = 0; most < 24; most++) {
		char path[32];

		limit = (struct rlimit){ .rlim_cur = most, .rlim_max = before.rlim_max };
		CHECK(snprintf(path, sizeof(path), "/tmp/full-%d/x/y", (int)most) > 0);
		CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
		int opened = path_open(run->root_fd, "/messy/deep/..", O_PATH);
		int made = path_make(run->root_fd, path, S_IFREG | 0644, &everywhere);
		CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
		CHECK(opened >= 0 || opened == -EMFILE ||
		      opened == -EINVAL); /* EINVAL: fcntl(2), F_DUPFD */
		CHECK(made >= 0 || made == -EMFILE || made == -EINVAL);
		close_pointer(&opened);
		close_pointer(&made);
		CHECK(most > 3 || (opened < 0 && made < 0));
	}
}

/* ---- path_make ---- */

static void test_make(const struct run *run)
{
	static const struct path_policy everywhere = { .parent_mode = 0755 },
					private = { .parent_mode = 0711 };
	static const struct {
		const char *path;
		mode_t type_and_mode;
		const char *expected; /* what it opens */
		const char *entry;    /* what lies there then */
	} cases[] = {
		{ "/tmp/dir", S_IFDIR | 0750, "/tmp/dir", "dir 750" },
		{ "/tmp/dir", S_IFDIR | 0700, "/tmp/dir", "dir 750" }, /* left as it is */
		{ "/tmp/dir", S_IFREG | 0644, "/tmp/dir", "dir 750" }, /* the caller checks */
		{ "/tmp/file", S_IFREG | 0640, "/tmp/file", "file 640" },
		{ "/tmp/file", S_IFDIR | 0755, "/tmp/file", "file 640" },
		{ "tmp/relative", S_IFREG | 0600, "/tmp/relative", "file 600" },
		{ "/top", S_IFDIR | 0755, "/top", "dir 755" },
		{ "top-relative", S_IFREG | 0644, "/top-relative", "file 644" },
		{ "/tmp/a/b/c", S_IFREG | 0644, "/tmp/a/b/c", "file 644" },
		{ "//tmp//d//e", S_IFDIR | 0755, "/tmp/d/e", "dir 755" },
		{ "/tmp/f/./g/../h", S_IFDIR | 0755, "/tmp/f/h", "dir 755" },
		{ "/../../clamped/x", S_IFREG | 0644, "/clamped/x", "file 644" },
		{ "/tmp/slash/", S_IFDIR | 0755, "/tmp/slash", "dir 755" },
		{ "/", S_IFDIR | 0755, "/", NULL },
		{ "/..", S_IFREG | 0644, "/", NULL },
		{ "/var/run/new", S_IFREG | 0644, "/run/new", NULL },
		{ "/var/run-rel/sub/new", S_IFDIR | 0755, "/run/sub/new", NULL },
		{ "/var/run", S_IFDIR | 0755, "/run", "link" },
		{ "/lib/deep/new", S_IFREG | 0644, "/usr/lib/deep/new", NULL },
		{ "/dangling", S_IFREG | 0600, "/usr/missing", "link" },
		{ "/dangling-twice", S_IFDIR | 0755, "/usr/missing", "link" }, /* exists by now */
		{ "/dangling-deep", S_IFDIR | 0700, "/usr/none/at/all", "link" },
		{ "/host-file", S_IFREG | 0644, "/etc/passwd",
		  "link" }, /* etc/passwd below the root */
		{ "/host-dir", S_IFDIR | 0755, "/outside", "link" },
		{ "/loop", S_IFREG | 0644, "ELOOP", "link" },
		{ "/loop/x", S_IFREG | 0644, "ELOOP", NULL },
		{ "/self-below", S_IFDIR | 0755, "ELOOP", "link" },
		{ "/c41/x", S_IFDIR | 0755, "ELOOP", NULL },
		{ "/c19/x", S_IFDIR | 0755, "/usr/x", NULL },
		{ "/usr/file/x", S_IFREG | 0644, "ENOTDIR", NULL },
		{ "/below-file", S_IFREG | 0644, "ENOTDIR", "link" },
		{ "/usr/file/", S_IFREG | 0644, "ENOTDIR", NULL },
	};

	umask(0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *path = cases[i].path;

		CHECK_STR_IN(path, make_text(run, path, cases[i].type_and_mode, &everywhere),
			     cases[i].expected);
		if (cases[i].entry)
			CHECK_STR_IN(path, entry_text(run, path + strspn(path, "/.")),
				     cases[i].entry);
	}
	CHECK_CASE(run, entry_text(run, "usr/none"), "dir 755");
	CHECK_CASE(run, entry_text(run, "usr/missing"), "file 600");
	CHECK_CASE(run, entry_text(run, "tmp/a/b"), "dir 755");
	CHECK_CASE(run, make_text(run, "/tmp/p/q/r", S_IFDIR | 0700, &private), "/tmp/p/q/r");
	CHECK_CASE(run, entry_text(run, "tmp/p"), "dir 711");
	CHECK_CASE(run, entry_text(run, "tmp/p/q"), "dir 711");
	CHECK_CASE(run, entry_text(run, "tmp/p/q/r"), "dir 700");
}

/* path_find with a policy makes the directories on the way, never the entry itself. */
static void test_find_makes_parents(const struct run *run)
{
	struct path_policy everywhere = { .parent_mode = 0700 };

	CHECK_CASE(run, find_text(run, "/tmp/way/to/it", &everywhere, true), "/tmp/way/to it -");
	CHECK_CASE(run, entry_text(run, "tmp/way/to"), "dir 700");
	CHECK_CASE(run, find_text(run, "/tmp/way/to/it", NULL, true), "/tmp/way/to it -");
	CHECK_CASE(run, find_text(run, "/tmp/end/..", &everywhere, true), "/tmp (itself) +");
	CHECK_CASE(run, entry_text(run, "tmp/end"), "dir 700");
	make_link(run, "/tmp/behind/link/x", "tmp/far");
	CHECK_CASE(run, find_text(run, "/tmp/far", &everywhere, false), "/tmp far +");
	CHECK_CASE(run, entry_text(run, "tmp/behind"), "ENOENT");
	CHECK_CASE(run, find_text(run, "/tmp/far", &everywhere, true), "/tmp/behind/link x -");
}

/* ---- the policy ---- */

struct refusal {
	const struct run *run;
	const char *where; /* below this, nothing may be created */
	int asked;
};

static int refuse_below(void *context, int dir_fd)
{
	struct refusal *refusal = context;

	refusal->asked++;
	return strncmp(fd_text(refusal->run, dir_fd), refusal->where, strlen(refusal->where)) == 0
		       ? -EXDEV
		       : 0;
}

static void test_policy(const struct run *run)
{
	struct refusal refusal = { .run = run, .where = "/usr" };
	struct path_policy policy = { .parent_mode = 0755,
				      .permit = refuse_below,
				      .context = &refusal };

	CHECK_CASE(run, make_text(run, "/usr/lib", S_IFDIR | 0755, &policy),
		   "/usr/lib"); /* nothing to create */
	CHECK_CASE(run, make_text(run, "/var/run", S_IFDIR | 0755, &policy), "/run");
	CHECK_INT(refusal.asked, 0);
	CHECK_CASE(run, make_text(run, "/usr/new", S_IFDIR | 0755, &policy), "EXDEV");
	CHECK_CASE(run, make_text(run, "/usr/new/x", S_IFREG | 0644, &policy), "EXDEV");
	CHECK_CASE(run, make_text(run, "/lib/new", S_IFREG | 0644, &policy), "EXDEV");
	CHECK_CASE(run, make_text(run, "/tmp/../usr/lib/new/y/z", S_IFDIR | 0755, &policy),
		   "EXDEV");
	CHECK_CASE(run, make_text(run, "/to-root/usr/new", S_IFREG | 0644, &policy), "EXDEV");
	CHECK_CASE(run, find_text(run, "/usr/new/x", &policy, true), "EXDEV");
	CHECK_CASE(run, find_text(run, "/usr/new", &policy, true),
		   "/usr new -"); /* no parent is missing */
	CHECK(refusal.asked > 0);
	/* Where the link stands does not matter, but where it leads. */
	make_link(run, "/run/target", "usr/lib/out");
	make_link(run, "/usr/new", "run/in");
	CHECK_CASE(run, make_text(run, "/usr/lib/out", S_IFREG | 0644, &policy), "/run/target");
	CHECK_CASE(run, make_text(run, "/run/in", S_IFREG | 0644, &policy), "EXDEV");
	CHECK_CASE(run, entry_text(run, "usr/new"), "ENOENT");
	CHECK_CASE(run, entry_text(run, "usr/lib/new"), "ENOENT");
}

/* ---- path_make_new ---- */

/* "DIRECTORY NAME" of what was made just now, or the error. */
static const char *new_text(const struct run *run, const char *path, mode_t type_and_mode,
			    const struct path_policy *policy, struct path_cache *cache)
{
	static char text[2 * PATH_MAX];
	struct path_new new = { .cache = cache, .dir_fd = -1 };
	int r = path_make_new(run->root_fd, path, type_and_mode, policy, &new);

	if (r < 0)
		return error_text(r);
	CHECK(snprintf(text, sizeof(text), "%s %s", fd_text(run, new.dir_fd), new.name) > 0);
	return text;
}

static void test_make_new(const struct run *run)
{
	static const struct path_policy everywhere = { .parent_mode = 0755 };
	static const struct {
		const char *path, *expected, *entry;
		mode_t type_and_mode;
	} made[] = {
		{ "/n1", "/ n1", "dir 750", S_IFDIR | 0750 },
		{ "n2", "/ n2", "file 640", S_IFREG | 0640 },
		{ "/tmp/n3", "/tmp n3", "file 0", S_IFREG | 0 },
		{ "tmp/n4", "/tmp n4", "dir 1777", S_IFDIR | 01777 },
		{ "/../../tmp//n5", "/tmp n5", "dir 700", S_IFDIR | 0700 },
		{ "/var/run/n6", "/run n6", NULL, S_IFREG | 0644 },
		{ "/to-root/../tmp/n7", "/tmp n7", NULL, S_IFREG | 0644 },
	};
	static const char *const again[] = {
		"/",	     "",	"/tmp/",    "/tmp/.",	   "/tmp/..",	  ".",
		"..",	     "/usr",	"/usr/lib", "/usr/file",   "/lib",	  "/dangling",
		"/tmp/no/x", "/loop/x", "/loop",    "/usr/file/x", "/host-dir/x", "/proc-like/../x",
	};
	struct path_cache cache = { .dir_fd = -EBADF };
	int before = unit_fd_count();

	umask(0);
	for (size_t i = 0; i < ARRAY_SIZE(made); i++) {
		const char *path = made[i].path;

		CHECK_STR_IN(path, new_text(run, path, made[i].type_and_mode, &everywhere, &cache),
			     made[i].expected);
		if (made[i].entry)
			CHECK_STR_IN(path, entry_text(run, path + strspn(path, "/.")),
				     made[i].entry);
		CHECK_STR_IN(path, new_text(run, path, made[i].type_and_mode, &everywhere, &cache),
			     "EAGAIN");
	}
	for (size_t i = 0; i < ARRAY_SIZE(again); i++) {
		CHECK_STR_IN(again[i], new_text(run, again[i], S_IFDIR | 0755, &everywhere, &cache),
			     "EAGAIN");
		CHECK_STR_IN(again[i], new_text(run, again[i], S_IFREG | 0644, &everywhere, &cache),
			     "EAGAIN");
	}
	CHECK_CASE(run, entry_text(run, "usr/missing"), "ENOENT"); /* where "dangling" leads */
	path_cache_drop(&cache);
	path_cache_drop(&cache);
	CHECK_INT(unit_fd_count(), before);
}

static void test_make_new_policy(const struct run *run)
{
	struct refusal refusal = { .run = run, .where = "/usr" };
	struct path_policy policy = { .permit = refuse_below, .context = &refusal };
	struct path_cache cache = { .dir_fd = -EBADF };

	for (int i = 0; i < 2; i++) { /* the second time from the cache */
		CHECK_CASE(run, new_text(run, "/usr/n", S_IFDIR | 0755, &policy, &cache), "EAGAIN");
		CHECK_CASE(run, entry_text(run, "usr/n"), "ENOENT");
	}
	CHECK(refusal.asked == 2);
	path_cache_drop(&cache);
}

/* What is remembered of one directory is never taken for another's, and what is dropped is
 * forgotten. */
static void test_cache(const struct run *run)
{
	static const struct path_policy everywhere = { .parent_mode = 0755 };
	struct path_cache cache = { .dir_fd = -EBADF };
	int kept;

	make_dir(run, "tmp/ab", 0755);
	make_dir(run, "tmp/abc", 0755);
	make_dir(run, "tmp/a", 0755);
	CHECK_CASE(run, new_text(run, "/tmp/ab/1", S_IFDIR | 0755, &everywhere, &cache),
		   "/tmp/ab 1");
	kept = cache.dir_fd;
	CHECK_CASE(run, new_text(run, "/tmp/ab/2", S_IFDIR | 0755, &everywhere, &cache),
		   "/tmp/ab 2");
	CHECK_INT(cache.dir_fd, kept);
	CHECK_CASE(run, new_text(run, "/tmp/a/1", S_IFDIR | 0755, &everywhere, &cache), "/tmp/a 1");
	CHECK_CASE(run, new_text(run, "/tmp/abc/1", S_IFDIR | 0755, &everywhere, &cache),
		   "/tmp/abc 1");
	CHECK_CASE(run, new_text(run, "/tmp/ab/3", S_IFDIR | 0755, &everywhere, &cache),
		   "/tmp/ab 3");
	CHECK_CASE(run, new_text(run, "/4", S_IFDIR | 0755, &everywhere, &cache), "/ 4");
	/* Somebody mounts something there: the caller drops what it knew. */
	CHECK_CASE(run, new_text(run, "/tmp/ab/5", S_IFDIR | 0755, &everywhere, &cache),
		   "/tmp/ab 5");
	CHECK(renameat(run->root_fd, "tmp/ab", run->root_fd, "tmp/moved") == 0);
	make_dir(run, "tmp/ab", 0755);
	path_cache_drop(&cache);
	CHECK_CASE(run, new_text(run, "/tmp/ab/6", S_IFDIR | 0755, &everywhere, &cache),
		   "/tmp/ab 6");
	CHECK_CASE(run, entry_text(run, "tmp/moved/6"), "ENOENT");
	path_cache_drop(&cache);
}

static void test_make_new_limits(const struct run *run)
{
	static const struct path_policy everywhere = { .parent_mode = 0755 };
	struct path_cache cache = { .dir_fd = -EBADF };
	static char path[2 * PATH_MAX];

	/* The directory's part may be as long as the kernel takes: the name comes on top of it. */
	for (size_t length = PATH_MAX - 3; length < PATH_MAX + 3; length++) {
		char name[] = { (char)('a' + length % 26), '\0' },
		     expected[] = { '/', ' ', name[0], '\0' };

		fill(path, '/', length + 1);
		strcat(path, name);
		CHECK_CASE(run, new_text(run, path, S_IFDIR | 0755, &everywhere, &cache),
			   length < PATH_MAX ? expected : "EAGAIN");
	}
	fill(path, 'n', NAME_MAX + 1);
	CHECK_CASE(run, new_text(run, path, S_IFREG | 0644, &everywhere, &cache), "EAGAIN");
	path_cache_drop(&cache);
}

/* ---- races: the policy is asked just before something is created, and somebody is faster ---- */

struct race {
	const struct run *run;
	const char *type;  /* what appears: "dir", "file", a link's target */
	const char *path;  /* at this place, once */
	const char *moved; /* or: this directory goes away */
};

static int be_faster(void *context, int dir_fd)
{
	struct race *race = context;

	(void)dir_fd;
	if (race->moved) {
		char outside[PATH_MAX];

		CHECK(snprintf(outside, sizeof(outside), "%s-outside", race->run->root) > 0);
		CHECK(renameat(race->run->root_fd, race->moved, AT_FDCWD, outside) == 0);
		race->moved = NULL;
	}
	if (!race->path)
		return 0;
	if (strcmp(race->type, "dir") == 0)
		make_dir(race->run, race->path, 0700);
	else if (strcmp(race->type, "file") == 0)
		make_file(race->run, race->path);
	else
		make_link(race->run, race->type, race->path);
	race->path = NULL;
	return 0;
}

static const char *race_text(const struct run *run, const char *type, const char *appears,
			     const char *path, mode_t type_and_mode)
{
	struct race race = { .run = run, .type = type, .path = appears };
	struct path_policy policy = { .parent_mode = 0755, .permit = be_faster, .context = &race };
	const char *text = make_text(run, path, type_and_mode, &policy);

	CHECK(!race.path); /* it did appear */
	return text;
}

static void test_races(const struct run *run)
{
	const char *text;

	/* The entry itself: it is taken as it is. */
	CHECK_CASE(run, race_text(run, "dir", "tmp/r1", "/tmp/r1", S_IFDIR | 0755), "/tmp/r1");
	CHECK_CASE(run, entry_text(run, "tmp/r1"), "dir 700");
	CHECK_CASE(run, race_text(run, "file", "tmp/r2", "/tmp/r2", S_IFREG | 0600), "/tmp/r2");
	CHECK_CASE(run, entry_text(run, "tmp/r2"), "file 644");
	CHECK_CASE(run, race_text(run, "file", "tmp/r3", "/tmp/r3", S_IFDIR | 0755), "/tmp/r3");
	/* A parent. */
	CHECK_CASE(run, race_text(run, "dir", "tmp/r4", "/tmp/r4/x", S_IFREG | 0644), "/tmp/r4/x");
	CHECK_CASE(run, entry_text(run, "tmp/r4"), "dir 700");
	CHECK_CASE(run, race_text(run, "file", "tmp/r5", "/tmp/r5/x", S_IFREG | 0644), "ENOTDIR");
	text = race_text(run, "../usr", "tmp/r6", "/tmp/r6/x",
			 S_IFREG | 0644); /* refused, or followed inside */
	CHECK(strcmp(text, "ENOTDIR") == 0 || strcmp(text, "/usr/x") == 0);
}

/* A link appears where the entry was missing: it may be followed or refused, but is not itself the
 * result. */
static void test_race_with_link(const struct run *run)
{
	const char *text = race_text(run, "/usr/lib", "tmp/s1", "/tmp/s1", S_IFDIR | 0755);

	CHECK(strcmp(text, "/tmp/s1") != 0);
	text = race_text(run, "/run/s2", "tmp/s2", "/tmp/s2", S_IFREG | 0644);
	CHECK(strcmp(text, "/tmp/s2") != 0);
	/* ... also of a directory whose name ends the walk. */
	text = race_text(run, "/usr/lib", "tmp/s3", "/tmp/s3/.", S_IFDIR | 0755);
	CHECK(strcmp(text, "/tmp/s3") != 0);
}

/* The directory we are in is moved out of the root: ".." does not lead out of it. */
static void test_race_with_move(const struct run *run)
{
	struct race race = { .run = run, .moved = "tmp/m1/m2" };
	struct path_policy policy = { .parent_mode = 0755, .permit = be_faster, .context = &race };
	const char *text;

	make_dir(run, "tmp/m1", 0755);
	make_dir(run, "tmp/m1/m2", 0755);
	text = make_text(run, "/tmp/m1/m2/new/../../escaped", S_IFDIR | 0755, &policy);
	CHECK(!race.moved);
	CHECK(text[0] == 'E' ||
	      strcmp(text, "/tmp/m1/escaped") == 0); /* below the root in any case */
	CHECK(faccessat(AT_FDCWD, run->directory, F_OK, 0) == 0);
	char escaped[PATH_MAX];
	CHECK(snprintf(escaped, sizeof(escaped), "%s/escaped", run->directory) > 0);
	CHECK(access(escaped, F_OK) < 0 && errno == ENOENT);
}

/* Several processes make the same places at once: none fails. */
static void test_concurrent_make(const struct run *run)
{
	struct path_policy everywhere = { .parent_mode = 0755 };
	pid_t children[3];

	for (size_t i = 0; i < ARRAY_SIZE(children); i++) {
		children[i] = fork();
		CHECK(children[i] >= 0);
		if (children[i])
			continue;
		for (int n = 0; n < 100; n++) {
			char path[64];
			int fd;

			CHECK(snprintf(path, sizeof(path), "/tmp/many/%d/%d", n / 4, n) > 0);
			fd = path_make(run->root_fd, path, n % 2 ? S_IFDIR | 0755 : S_IFREG | 0644,
				       &everywhere);
			CHECK(fd >= 0);
			close(fd);
		}
		exit(0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(children); i++) {
		int status = 0;

		CHECK(waitpid(children[i], &status, 0) == children[i]);
		CHECK_INT(status, 0);
	}
}

/* ---- permissions ---- */

/* Directories that may be searched but not read are enough on the way; without search permission it
 * is EACCES. */
static void test_search_permission(const struct run *run)
{
	struct path_policy everywhere = { .parent_mode = 0755 };
	bool is_root = geteuid() == 0;

	make_dir(run, "closed", 0755);
	make_dir(run, "closed/inner", 0755);
	make_file(run, "closed/inner/file");
	make_link(run, "inner", "closed/link");
	make_dir(run, "locked", 0755);
	make_dir(run, "locked/inner", 0755);
	/* As root: as somebody else. As an ordinary user: with the owner's own permissions. */
	CHECK(fchmodat(run->root_fd, "closed", is_root ? 0711 : 0111, 0) == 0);
	CHECK(fchmodat(run->root_fd, "locked", is_root ? 0744 : 0444, 0) == 0);
	if (is_root)
		CHECK(syscall(SYS_setresuid, 65534, 65534, 65534) == 0);
	CHECK_CASE(run, open_text(run, "/closed", O_RDONLY), "EACCES"); /* the control */
	CHECK_CASE(run, open_text(run, "/closed/inner", O_PATH), "/closed/inner");
	CHECK_CASE(run, open_text(run, "/closed/link/file", O_RDONLY), "/closed/inner/file");
	CHECK_CASE(run, open_text(run, "/closed/link/../inner/file", O_RDONLY),
		   "/closed/inner/file");
	CHECK_CASE(run, find_text(run, "/closed/inner/new", NULL, true), "/closed/inner new -");
	CHECK_CASE(run, make_text(run, "/closed/new", S_IFDIR | 0755, &everywhere), "EACCES");
	CHECK_CASE(run, open_text(run, "/locked", O_PATH), "/locked");
	CHECK_CASE(run, open_text(run, "/locked/inner", O_PATH), "EACCES");
	CHECK_CASE(run, open_text(run, "/locked/..", O_PATH), "EACCES");
	CHECK_CASE(run, find_text(run, "/locked/inner/x", NULL, true), "EACCES");
	CHECK_CASE(run, make_text(run, "/locked/new", S_IFREG | 0644, &everywhere), "EACCES");
}

/* ---- by letters ---- */

static void test_is_root(void)
{
	static const char *const roots[] = {
		"/", "//", "/.", "/..", "/../", "/./..//.", "/../../.."
	};
	static const char *const others[] = { "/a",  "a",  "/...",  "/a/..", "/..a",
					      "/.a", "/ ", "/../a", "/usr" };

	for (size_t i = 0; i < ARRAY_SIZE(roots); i++)
		CHECK(path_is_root(roots[i]));
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		CHECK(!path_is_root(others[i]));
}

/* ---- runs ---- */

/* From here on openat2 fails with @errnum, as seccomp(2) filters make it. */
static void forbid_openat2(int errnum)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K,
			 SECCOMP_RET_ERRNO | ((unsigned)errnum & SECCOMP_RET_DATA)),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = ARRAY_SIZE(code), .filter = code };

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0);
	CHECK(sys_openat2(AT_FDCWD, "/", O_PATH, 0) < 0 && errno == errnum);
}

static void (*const cases[])(const struct run *run) = {
	test_find,
	test_open,
	test_magic_links,
	test_name_limit,
	test_path_limit,
	test_depth,
	test_long_links,
	test_no_descriptors_left,
	test_make,
	test_find_makes_parents,
	test_policy,
	test_make_new,
	test_make_new_policy,
	test_cache,
	test_make_new_limits,
	test_races,
	test_race_with_link,
	test_race_with_move,
	test_concurrent_make,
	test_search_permission,
};

struct one_case {
	struct run run;
	size_t index;
};

static void run_case(void *context)
{
	struct one_case *one = context;
	struct run *run = &one->run;

	CHECK(snprintf(run->root, sizeof(run->root), "%s/%s-%zu", run->directory, run->name,
		       one->index) > 0);
	CHECK(mkdir(run->root, 0755) == 0);
	run->root_fd = open(run->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK(run->root_fd >= 0);
	make_tree(run);
	if (run->openat2_errno)
		forbid_openat2(run->openat2_errno);
	cases[one->index](run);
}

static void test_all(void *directory)
{
	static const struct {
		const char *name;
		int openat2_errno;
	} runs[] = { { "openat2", 0 }, { "ENOSYS", ENOSYS }, { "EPERM", EPERM } };
	int failures = 0;
	char resolved[PATH_MAX];

	CHECK(realpath(directory, resolved) != NULL);
	test_is_root();
	for (size_t i = 0; i < ARRAY_SIZE(runs); i++)
		for (size_t n = 0; n < ARRAY_SIZE(cases); n++) {
			struct one_case one = {
				.run = { .directory = resolved,
					 .name = runs[i].name,
					 .openat2_errno = runs[i].openat2_errno },
				.index = n,
			};
			int status = unit_in_child(run_case, &one);

			if (status != 0) {
				fprintf(stderr, "    above: case %zu with %s, status %d\n", n,
					runs[i].name, status);
				failures++;
			}
		}
	CHECK_INT(failures, 0);
}

int main(void)
{
	umask(022);
	unit_run_in_directory(test_all);
}
