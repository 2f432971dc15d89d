/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Attacks on the file system of a sandbox: writing where only reading is allowed, uncovering
 * mounts, reaching files that were not given. See attack.h for how it is called.
 */
#include "attack.h"
#include <dirent.h>
#include <ftw.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#ifndef MOUNT_ATTR_RDONLY
#define MOUNT_ATTR_RDONLY 1
struct mount_attr {
	unsigned long long attr_set, attr_clr, propagation, userns_fd;
};
#endif
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif

/* Each attempt has a file of its own name, so that all of them can succeed in the control. */
static void verb_ro(char **arguments)
{
	int fd;

	if (chdir(arguments[0]) < 0) {
		report("chdir", -1);
		return;
	}
	report("open-wronly", open("open-wronly", O_WRONLY | O_CLOEXEC));
	report("open-rdwr", open("open-rdwr", O_RDWR | O_CLOEXEC));
	report("open-append", open("open-append", O_WRONLY | O_APPEND | O_CLOEXEC));
	report("open-truncate", open("open-truncate", O_RDONLY | O_TRUNC | O_CLOEXEC));
	report("create", open("create-new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	report("tmpfile", open(".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600));
	report("unlink", unlink("unlink"));
	report("rename", rename("rename", "rename-new"));
	report("chmod", chmod("chmod", 0600));
	report("chown", chown("chown", geteuid(), getegid()));
	report("utimes", utimes("utimes", NULL));
	report("setxattr", setxattr("setxattr", "user.attack", "1", 1, 0));
	report("truncate", truncate("truncate", 0));
	report("link", link("link", "link-new"));
	report("symlink", symlink("target", "symlink-new"));
	report("mkdir", mkdir("mkdir-new", 0700));
	report("rmdir", rmdir("rmdir"));
	report("mkfifo", mkfifo("mkfifo-new", 0600));
	fd = open("fd", O_RDONLY | O_CLOEXEC);
	report("fchmod", fchmod(fd, 0600));
	report("futimens", futimens(fd, NULL));
	report("fsetxattr", fsetxattr(fd, "user.attack", "1", 1, 0));
	close(fd);
	fd = open("reopen", O_PATH | O_CLOEXEC);
	if (access("/proc/self/fd", F_OK) == 0) {
		char path[64];

		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		report("reopen", open(path, O_WRONLY | O_CLOEXEC));
	}
}

static long clear_read_only(int fd, const char *path, unsigned flags)
{
	struct mount_attr attributes = { .attr_clr = MOUNT_ATTR_RDONLY };

	return syscall(SYS_mount_setattr, fd, path, flags, &attributes, sizeof attributes);
}

/* Make a read-only bind writable, in the three ways there are. */
static void verb_remount(char **arguments)
{
	int fd;

	report("remount", mount(NULL, arguments[0], NULL, MS_REMOUNT | MS_BIND, NULL));
	report("setattr", clear_read_only(AT_FDCWD, arguments[0], 0));
	fd = (int)syscall(SYS_open_tree, AT_FDCWD, arguments[0], OPEN_TREE_CLONE | O_CLOEXEC);
	report("clone", fd);
	if (fd >= 0)
		report("clone-setattr", clear_read_only(fd, "", AT_EMPTY_PATH));
	report("create", open("remounted", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

/* The control's read-only bind, which its own namespace may change. */
static void verb_selfbind(char **arguments)
{
	report("private", mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	report("selfbind", mount(arguments[0], arguments[0], NULL, MS_BIND, NULL));
	report("selfbind-ro",
	       mount(NULL, arguments[0], NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	report("chdir", chdir(arguments[0]));
}

static void verb_tmpfs(char **arguments)
{
	report("tmpfs", mount("tmpfs", arguments[0], "tmpfs", 0, NULL));
}

static void verb_bind(char **arguments)
{
	report("bind", mount(arguments[0], arguments[1], NULL, MS_BIND | MS_REC, NULL));
}

static void verb_umount(char **arguments)
{
	char name[300];

	snprintf(name, sizeof name, "umount:%s", arguments[0]);
	report(name, umount2(arguments[0], MNT_DETACH));
}

static void verb_open(char **arguments)
{
	report("open", open(arguments[0], O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
}

static void verb_openw(char **arguments)
{
	report("openw", open(arguments[0], O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
}

static void verb_create(char **arguments)
{
	report("create", open(arguments[0], O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static void verb_chdir(char **arguments)
{
	report("chdir", chdir(arguments[0]));
}

static void verb_link(char **arguments)
{
	report("link", link(arguments[0], arguments[1]));
}

static void verb_rename(char **arguments)
{
	report("rename", rename(arguments[0], arguments[1]));
}

static void verb_mknod(char **arguments)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/char", arguments[0]);
	report("mknod-char", mknod(path, S_IFCHR | 0666, makedev(1, 3)));
	snprintf(path, sizeof path, "%s/block", arguments[0]);
	report("mknod-block", mknod(path, S_IFBLK | 0600, makedev(7, 0)));
	snprintf(path, sizeof path, "%s/fifo", arguments[0]);
	report("mknod-fifo", mknod(path, S_IFIFO | 0600, 0));
}

/* security.capability with cap_sys_admin=ep, revision 2; the attributes only make files of the
 * test's own directory special. */
static void verb_setxattr(char **arguments)
{
	unsigned capability[5] = { 0x02000001, 1u << 21, 0, 0, 0 };

	report("security",
	       setxattr(arguments[0], "security.capability", capability, sizeof capability, 0));
	report("trusted", setxattr(arguments[0], "trusted.attack", "1", 1, 0));
	report("user", setxattr(arguments[0], "user.attack", "1", 1, 0));
}

static int contains_secret(int fd)
{
	char buffer[256];
	ssize_t n = pread(fd, buffer, sizeof buffer - 1, 0);

	if (n <= 0)
		return 0;
	buffer[n] = 0;
	return strstr(buffer, "SECRET-OF-THE-HOST") != NULL;
}

static int try_secret(const char *directory, const char *file)
{
	char path[9000];
	int fd, found;

	snprintf(path, sizeof path, "%s/%s", directory, file);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return 0;
	found = contains_secret(fd);
	close(fd);
	return found;
}

/* Read the secret through the root, cwd and descriptors of every process that /proc shows. Prints
 * how many processes were tried, and how often it was found in each way. */
static void verb_scan(char **arguments)
{
	DIR *proc = opendir("/proc");
	const char *base = strrchr(arguments[0], '/') + 1;
	int tried = 0, by_root = 0, by_cwd = 0, by_fd = 0;
	struct dirent *entry;

	if (!proc) {
		report("opendir", -1);
		return;
	}
	while ((entry = readdir(proc))) {
		char path[600];
		DIR *fds;
		struct dirent *number;

		if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
			continue;
		tried++;
		snprintf(path, sizeof path, "/proc/%s/root", entry->d_name);
		by_root += try_secret(path, arguments[0]);
		snprintf(path, sizeof path, "/proc/%s/cwd", entry->d_name);
		by_cwd += try_secret(path, base);
		snprintf(path, sizeof path, "/proc/%s/fd", entry->d_name);
		fds = opendir(path);
		while (fds && (number = readdir(fds))) {
			char link[900], target[4] = "";

			/* Only files are opened, to read: opening a pipe or a device may have
			 * effects. */
			snprintf(link, sizeof link, "%s/%s", path, number->d_name);
			if (readlink(link, target, sizeof target) > 0 && target[0] == '/' &&
			    memcmp(target, "/dev", 4) != 0)
				by_fd += try_secret(link, base) || try_secret(path, number->d_name);
		}
		if (fds)
			closedir(fds);
	}
	closedir(proc);
	printf("tried %d\nroot %d\ncwd %d\nfd %d\n", tried, by_root, by_cwd, by_fd);
}

static void verb_fds(char **arguments)
{
	(void)arguments;
	for (int fd = 0; fd < 4096; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			printf("fd %d\n", fd);
}

/* Use a directory descriptor that the sandbox may have inherited to look outside. */
static void verb_usefd(char **arguments)
{
	int fd = atoi(arguments[0]);

	report("openat-dotdot", openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	report("openat-secret", openat(fd, "secret", O_RDONLY | O_CLOEXEC));
	report("fchdir", fchdir(fd));
}

/* The raw system call shows "(unreachable)", which the library function hides. */
static void verb_cwd(char **arguments)
{
	char path[4096];
	struct stat here, there;
	long n = syscall(SYS_getcwd, path, sizeof path);

	(void)arguments;
	printf("cwd %s\n", n > 0 ? path : strerrorname_np(errno));
	if (n > 0 && stat(path, &there) == 0 && stat(".", &here) == 0)
		printf("same %s\n",
		       here.st_dev == there.st_dev && here.st_ino == there.st_ino ? "yes" : "no");
}

/* Say that everything is in place, and go on when a line comes in. */
static void verb_wait(char **arguments)
{
	char byte;

	(void)arguments;
	printf("ready ok\n");
	fflush(stdout);
	while (read(0, &byte, 1) == 1 && byte != '\n')
		;
}

static void verb_dotdot(char **arguments)
{
	(void)arguments;
	report("stat-dotdot", open("..", O_PATH | O_CLOEXEC));
	report("chdir-dotdot", chdir(".."));
}

static void verb_chroot(char **arguments)
{
	report("chroot", chroot(arguments[0]));
}

/* The classic way out of a chroot: put the root below the working directory, then climb. */
static void verb_dance(char **arguments)
{
	struct stat before, after;
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	stat("/", &before);
	(void)mkdir(arguments[0], 0700);
	report("dance-chroot", chroot(arguments[0]));
	report("dance-fchdir", fchdir(fd));
	for (int i = 0; i < 100; i++)
		if (chdir("..") < 0) {
			report("dance-climb", -1);
			return;
		}
	(void)chroot(".");
	stat("/", &after);
	printf("dance %s\n", before.st_dev == after.st_dev && before.st_ino == after.st_ino
				     ? "stayed"
				     : "escaped");
}

static void verb_handle(char **arguments)
{
	struct {
		struct file_handle handle;
		unsigned char bytes[128];
	} h = { .handle.handle_type = atoi(arguments[1]) };
	const char *hex = arguments[2];
	int fd = open(arguments[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int opened;

	h.handle.handle_bytes = (unsigned)strlen(hex) / 2;
	for (unsigned i = 0; i < h.handle.handle_bytes; i++)
		sscanf(hex + 2 * i, "%2hhx", &h.handle.f_handle[i]);
	opened = open_by_handle_at(fd, &h.handle, O_RDONLY | O_CLOEXEC);
	report("open-by-handle", opened);
	if (opened >= 0)
		printf("secret %s\n", contains_secret(opened) ? "read" : "other");
	fd = (int)syscall(SYS_open_tree, AT_FDCWD, arguments[0], OPEN_TREE_CLONE | O_CLOEXEC);
	if (fd < 0) {
		report("clone", -1);
		return;
	}
	fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	opened = open_by_handle_at(fd, &h.handle, O_RDONLY | O_CLOEXEC);
	report("open-by-handle-of-clone", opened);
}

static void verb_mounts(char **arguments)
{
	char line[8192];
	FILE *file = fopen("/proc/self/mountinfo", "re");

	(void)arguments;
	while (file && fgets(line, sizeof line, file))
		printf("mount %s", line);
	if (file)
		fclose(file);
	else
		report("mountinfo", -1);
}

static const char *wanted;

static int print_if_wanted(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	if (strcmp(path + where->base, wanted) == 0)
		printf("found %s\n", path);
	return strncmp(path, "/proc", 5) == 0 && where->level > 1 ? FTW_SKIP_SUBTREE : FTW_CONTINUE;
}

/* Print every path at which a file of this name is reachable. */
static void verb_find(char **arguments)
{
	wanted = arguments[0];
	nftw("/", print_if_wanted, 50, FTW_PHYS | FTW_ACTIONRETVAL);
	printf("find done\n");
}

static int print_if_device(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)type;
	(void)where;
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		printf("%s %s\n", S_ISCHR(st->st_mode) ? "char" : "block", path);
	return 0;
}

static void verb_nodes(char **arguments)
{
	nftw(arguments[0], print_if_device, 50, FTW_PHYS);
	printf("nodes done\n");
}

static void verb_read(char **arguments)
{
	report_content("read", arguments[0]);
}

static void verb_list(char **arguments)
{
	DIR *directory = opendir(arguments[0]);
	struct dirent *entry;

	report("list", directory ? 0 : -1);
	while (directory && (entry = readdir(directory)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			printf("entry %s\n", entry->d_name);
}

static void verb_unlink(char **arguments)
{
	report("unlink", unlink(arguments[0]));
}

static void verb_exec(char **arguments)
{
	fflush(stdout);
	execv(arguments[0], arguments);
	report("exec", -1);
	exit(0);
}

static void verb_mkdir(char **arguments)
{
	report("mkdir", mkdir(arguments[0], 0700));
}

static void verb_mkfifo(char **arguments)
{
	report("mkfifo", mkfifo(arguments[0], 0600));
}

static void verb_symlink(char **arguments)
{
	report("symlink", symlink(arguments[0], arguments[1]));
}

static void verb_chmod(char **arguments)
{
	report("chmod", chmod(arguments[0], 0777));
}

static void verb_exchange(char **arguments)
{
	report("exchange",
	       renameat2(AT_FDCWD, arguments[0], AT_FDCWD, arguments[1], RENAME_EXCHANGE));
}

/* A nameless file in a directory gets a name. */
static void verb_tmpfile(char **arguments)
{
	int fd = open(arguments[0], O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
	char path[64];

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	report("tmpfile",
	       fd < 0 ? -1 : linkat(AT_FDCWD, path, AT_FDCWD, arguments[1], AT_SYMLINK_FOLLOW));
}

static void verb_bind_socket(char **arguments)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof address.sun_path, "%s", arguments[0]);
	report("bind-socket", bind(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
				   (struct sockaddr *)&address, sizeof address));
}

/* How many bytes can be read, up to a few thousand. */
static void verb_size(char **arguments)
{
	char buf[4096];
	int fd = open(arguments[0], O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof buf);

	if (n < 0)
		report("size", -1);
	else
		printf("size %zd\n", n);
	if (fd >= 0)
		close(fd);
}

/* A procfs of a new pid namespace, in a process of its own. */
static void verb_procfs(char **arguments)
{
	int status;

	if (unshare(CLONE_NEWPID) < 0) {
		report("procfs", -1);
		return;
	}
	fflush(stdout);
	if (fork() == 0) {
		report("procfs", mount("proc", arguments[0], "proc", 0, NULL));
		_exit(0);
	}
	wait(&status);
}

static void verb_allocate(char **arguments)
{
	int fd = open(arguments[0], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	report("allocate", fd < 0 ? -1 : fallocate(fd, 0, 0, atoll(arguments[1])));
	unlink(arguments[0]);
	if (fd >= 0)
		close(fd);
}

/* Writes until it is refused; how much that was. */
static void verb_fill(char **arguments)
{
	static char buf[1 << 16];
	int fd = open(arguments[0], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	long long written = 0;
	ssize_t n = -1;

	while (fd >= 0 && (n = write(fd, buf, sizeof buf)) > 0)
		written += n;
	report("fill", n);
	printf("filled %lld\n", written);
	unlink(arguments[0]);
	if (fd >= 0)
		close(fd);
}

/* Makes so many files in a new directory, or until it is refused. */
static void verb_inodes(char **arguments)
{
	int made = 0, most = atoi(arguments[1]), r = mkdir(arguments[0], 0700);

	for (; r == 0 && made < most; made++) {
		char path[4096];

		snprintf(path, sizeof path, "%s/%d", arguments[0], made);
		r = mknod(path, S_IFREG | 0600, 0);
		if (r < 0)
			break;
	}
	report("inodes", r);
	printf("made %d\n", made);
}

int main(int argc, char **argv)
{
	static const struct verb verbs[] = {
		{ "nested", 0, verb_nested },	  { "ro", 1, verb_ro },
		{ "remount", 1, verb_remount },	  { "selfbind", 1, verb_selfbind },
		{ "tmpfs", 1, verb_tmpfs },	  { "bind", 2, verb_bind },
		{ "umount", 1, verb_umount },	  { "open", 1, verb_open },
		{ "openw", 1, verb_openw },	  { "create", 1, verb_create },
		{ "chdir", 1, verb_chdir },	  { "link", 2, verb_link },
		{ "rename", 2, verb_rename },	  { "mknod", 1, verb_mknod },
		{ "setxattr", 1, verb_setxattr }, { "scan", 1, verb_scan },
		{ "fds", 0, verb_fds },		  { "usefd", 1, verb_usefd },
		{ "cwd", 0, verb_cwd },		  { "wait", 0, verb_wait },
		{ "dotdot", 0, verb_dotdot },	  { "chroot", 1, verb_chroot },
		{ "dance", 1, verb_dance },	  { "handle", 3, verb_handle },
		{ "mounts", 0, verb_mounts },	  { "find", 1, verb_find },
		{ "nodes", 1, verb_nodes },	  { "read", 1, verb_read },
		{ "list", 1, verb_list },	  { "unlink", 1, verb_unlink },
		{ "exec", 0, verb_exec },	  { "mkdir", 1, verb_mkdir },
		{ "mkfifo", 1, verb_mkfifo },	  { "symlink", 2, verb_symlink },
		{ "chmod", 1, verb_chmod },	  { "exchange", 2, verb_exchange },
		{ "tmpfile", 2, verb_tmpfile },	  { "bind-socket", 1, verb_bind_socket },
		{ "size", 1, verb_size },	  { "procfs", 1, verb_procfs },
		{ "allocate", 2, verb_allocate }, { "fill", 1, verb_fill },
		{ "inodes", 2, verb_inodes },	  { NULL, 0, NULL },
	};

	return run_verbs(verbs, argc, argv);
}
