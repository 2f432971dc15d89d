/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Names of sandboxes. The supervisor holds a record lock (fcntl(2), F_SETLK) on the file of its
 * name: the kernel drops it when the supervisor dies, no child of it inherits it, and F_GETLK tells
 * everybody who holds it. Nothing in the directory is the sandbox's: it is not shown inside.
 */
#include "watch/registry.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "base/fd.h"
#include "base/jsonw.h"
#include "base/str.h"

#define LOCK_SUFFIX ".lock"
#define SOCKET_SUFFIX ".socket"
#define LOG_SUFFIX ".log"
#define FILE_NAME_MAX (SPEC_NAME_MAX + 8)
#define TEXT_MAX ((size_t)64 << 10)

static const char *file_name(const char *name, const char *suffix, char buf[FILE_NAME_MAX])
{
	snprintf(buf, FILE_NAME_MAX, "%s%s", name, suffix);
	return buf;
}

/* ---- the directory ---- */

static int open_in(const char *parent, bool creates)
{
	_close_ int parent_fd = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (parent_fd < 0)
		return -errno;
	/* Else somebody could put entries there. */
	return fd_open_directory(parent_fd, "cloche", creates, O_NOFOLLOW, 077);
}

int registry_open(const char *runtime_dir, bool creates, struct cloche_error *err)
{
	char path[64];
	int fd;

	if (!runtime_dir || runtime_dir[0] != '/') {
		snprintf(path, sizeof(path), "/run/user/%u", (unsigned)geteuid());
		runtime_dir = geteuid() == 0 && access(path, F_OK) < 0 ? "/run" : path;
	}
	fd = open_in(runtime_dir, creates);
	if (fd >= 0 || (fd == -ENOENT && !creates))
		return fd;
	error_set_hint(err, HINT_RUNTIME_DIR);
	return error_set(err, ERROR_REGISTRY, -fd, runtime_dir);
}

/* ---- the supervisor's side ---- */

static int take_lock(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_SETLK, &lock) < 0 ? -errno : 0;
}

/* Is @fd still what the name stands for? Who found it stale may have removed it since. */
static bool is_current(int dir_fd, const char *file, int fd)
{
	struct stat there, here;

	return fstatat(dir_fd, file, &there, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &here) == 0 &&
	       there.st_dev == here.st_dev && there.st_ino == here.st_ino;
}

/* Locked file descriptor; -EEXIST: somebody else has the name. */
static int lock_name(int dir_fd, const char *name)
{
	char file[FILE_NAME_MAX];

	file_name(name, LOCK_SUFFIX, file);
	for (;;) {
		_close_ int fd =
			openat(dir_fd, file, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		int r;

		if (fd < 0)
			return -errno;
		r = take_lock(fd);
		if (r < 0)
			return r == -EACCES || r == -EAGAIN ? -EEXIST : r;
		if (is_current(dir_fd, file, fd))
			return ftruncate(fd, 0) < 0 ? -errno : take_fd(&fd);
	}
}

static const char *network_of(const struct plan *plan)
{
	if (plan->net.is_on)
		return "own";
	return plan->clone_flags & CLONE_NEWNET ? "none" : "shared";
}

static void put_command(const struct plan *plan, struct str_buf *out)
{
	char *const *words = plan->spec->command;

	jsonw_key(out, "command");
	str_add_char(out, '[');
	/* What is too much for the file is left out, whole words at a time. */
	for (size_t i = 0; words[i] && out->length + 6 * strlen(words[i]) + 16 < out->size; i++) {
		if (i)
			str_add(out, ", ");
		jsonw_string(out, words[i]);
	}
	str_add_char(out, ']');
}

/* What others may know. */
static int tell(const struct registry *registry, const struct plan *plan)
{
	_free_ char *text = malloc(TEXT_MAX);
	struct str_buf out = { .data = text, .size = TEXT_MAX };

	if (!text)
		return -ENOMEM;
	str_add(&out, "{\"version\": 1");
	jsonw_key(&out, "name");
	jsonw_string(&out, registry->name);
	jsonw_key(&out, "pid");
	str_add_number(&out, (uint64_t)getpid());
	jsonw_key(&out, "started");
	str_add_number(&out, (uint64_t)time(NULL));
	jsonw_key(&out, "network");
	jsonw_string(&out, network_of(plan));
	put_command(plan, &out);
	str_add(&out, "}\n");
	return fd_write_all(registry->lock_fd, text, out.length);
}

int registry_enter(struct registry *registry, const struct plan *plan, const struct facts *facts,
		   struct cloche_error *err)
{
	const struct spec_string *name = &plan->spec->name;
	int r;

	if (!name->text)
		return 0;
	err->use = name->use;
	registry->dir_fd = registry_open(facts->runtime_dir, true, err);
	if (registry->dir_fd < 0)
		return registry->dir_fd;
	str_copy(registry->name, sizeof(registry->name), name->text);
	registry->lock_fd = lock_name(registry->dir_fd, name->text);
	if (registry->lock_fd < 0)
		return error_set(err,
				 registry->lock_fd == -EEXIST ? ERROR_NAME_TAKEN : ERROR_NAME_LOCK,
				 registry->lock_fd == -EEXIST ? 0 : -registry->lock_fd, name->text);
	r = tell(registry, plan);
	if (r < 0)
		return error_set(err, ERROR_NAME_LOCK, -r, name->text);
	err->use = -1;
	return 0;
}

static void remove_files(int dir_fd, const char *name)
{
	char file[FILE_NAME_MAX];

	(void)unlinkat(dir_fd, file_name(name, SOCKET_SUFFIX, file), 0);
	(void)unlinkat(dir_fd, file_name(name, LOCK_SUFFIX, file), 0);
}

/* The lock goes last: until then nobody else may take the name. */
void registry_leave(struct registry *registry)
{
	if (registry->lock_fd >= 0)
		remove_files(registry->dir_fd, registry->name);
	close_pointer(&registry->lock_fd);
	close_pointer(&registry->dir_fd);
}

/* ---- the socket ---- */

/* sun_path is short: the directory is named by its descriptor. */
static int socket_address(int dir_fd, const char *name, struct sockaddr_un *ret_address)
{
	char file[FILE_NAME_MAX];

	*ret_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(ret_address->sun_path, sizeof(ret_address->sun_path), "/proc/self/fd/%d/%s",
		 dir_fd, file_name(name, SOCKET_SUFFIX, file));
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

int registry_listen(const struct registry *registry)
{
	struct sockaddr_un address;
	_close_ int fd = socket_address(registry->dir_fd, registry->name, &address);
	char file[FILE_NAME_MAX];

	if (fd < 0)
		return -errno;
	(void)unlinkat(registry->dir_fd, file_name(registry->name, SOCKET_SUFFIX, file), 0);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 128) < 0 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	return take_fd(&fd);
}

int registry_connect(int dir_fd, const char *name)
{
	struct sockaddr_un address;
	_close_ int fd = socket_address(dir_fd, name, &address);

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return take_fd(&fd);
}

/* ---- reading ---- */

bool registry_name_of(const char *file, char ret_name[SPEC_NAME_MAX + 1])
{
	const size_t suffix = strlen(LOCK_SUFFIX);

	if (!str_ends(file, LOCK_SUFFIX) || strlen(file) > SPEC_NAME_MAX + suffix)
		return false;
	str_copy(ret_name, strlen(file) - suffix + 1, file);
	return spec_is_name(ret_name);
}

/* Who holds the lock; 0: nobody. */
static pid_t holder_of(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK ? 0 : lock.l_pid;
}

/* Takes away what a supervisor that was killed left, under the lock, so that nobody takes the name
 * meanwhile. */
static void remove_stale(int dir_fd, const char *name, int fd)
{
	char file[FILE_NAME_MAX];

	if (take_lock(fd) == 0 && is_current(dir_fd, file_name(name, LOCK_SUFFIX, file), fd))
		remove_files(dir_fd, name);
}

int registry_read(int dir_fd, const char *name, struct registry_entry *ret_entry)
{
	char file[FILE_NAME_MAX];
	_close_ int fd =
		openat(dir_fd, file_name(name, LOCK_SUFFIX, file), O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	_close_ int pidfd = -EBADF;
	size_t size;
	pid_t pid;
	char *text;
	int r;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	pid = holder_of(fd);
	if (pid <= 0) {
		if (pid == 0)
			remove_stale(dir_fd, name, fd);
		return 0; /* or it lives in a pid namespace that we do not see */
	}
	pidfd = pidfd_open(pid, 0);
	/* It may have died in between, and its number be another process's. */
	if (pidfd < 0 || holder_of(fd) != pid)
		return 0;
	r = fd_read_all(fd, TEXT_MAX, &text, &size);
	if (r < 0)
		return r;
	*ret_entry = (struct registry_entry){ .pid = pid, .pidfd = take_fd(&pidfd), .text = text };
	str_copy(ret_entry->name, sizeof(ret_entry->name), name);
	return 1;
}

void registry_entry_free(struct registry_entry *entry)
{
	close_pointer(&entry->pidfd);
	free(entry->text);
}

/* ---- the log ---- */

int registry_open_log(int dir_fd, const char *name, bool is_new)
{
	char file[FILE_NAME_MAX];
	int flags = is_new ? O_RDWR | O_APPEND | O_CREAT | O_EXCL : O_RDONLY, fd;

	file_name(name, LOG_SUFFIX, file);
	if (is_new)
		(void)unlinkat(dir_fd, file, 0);
	fd = openat(dir_fd, file, flags | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}
