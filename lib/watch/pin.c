/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Namespaces as files. Runs in the supervisor, with the caller's right to mount.
 *
 * A namespace lives as long as something refers to it: a process, a descriptor, or a mount of its
 * file in /proc/PID/ns (namespaces(7)). What has to be made for that is prepared before the child
 * exists, so that whatever can be refused is refused then: a tmpfs that nobody sees yet. The
 * namespaces are held by descriptors while the start goes on, and mounted only once COMMAND runs: a
 * start that fails, or is killed at any instant, leaves nothing, since nothing is there yet. Who
 * gives the pins up needs one umount(2), and the directory is then as it was.
 */
#include "watch/pin.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "enter/enter.h"

/*
 * The mount namespace is not among them. It would keep the host's file systems busy, and the kernel
 * does not always let it: against loops it compares the numbers of the namespaces, and since those
 * are given out per processor a new one may have a lower number (ELOOP, seen on 6.18).
 */
static uint64_t new_namespaces(const struct plan *plan)
{
	return (plan->clone_flags & ~(uint64_t)CLONE_NEWNS) | (plan->new_time ? CLONE_NEWTIME : 0);
}

/* What lies there would be hidden; an earlier --pin would even be beyond reach. */
static int check_empty(int dir_fd)
{
	int fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int r = 0;

	if (!dir)
		return -errno;
	while (r == 0 && (entry = readdir(dir)))
		if (!str_starts(entry->d_name, ".") || entry->d_name[1 + (entry->d_name[1] == '.')])
			r = -ENOTEMPTY;
	(void)closedir(dir);
	return r;
}

static int open_dir(const char *path, struct pin *pin, struct cloche_error *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	if (fd < 0)
		return error_set(err, ERROR_PIN_DIR, errno, path);
	pin->fds[PIN_DIR] = fd;
	r = check_empty(fd);
	if (r == -ENOTEMPTY)
		error_set_hint(err, HINT_PIN_EMPTY);
	return r < 0 ? error_set(err, ERROR_PIN, -r, path) : 0;
}

int pin_prepare(const struct plan *plan, struct pin *pin, struct cloche_error *err)
{
	static const struct fs_option options[] = {
		{ "mode", "0755" }, { "size", "64k" }, { "nr_inodes", "16" }, { NULL, NULL }
	};
	const struct spec_string *wanted = &plan->spec->namespaces.pin;
	int r;

	for (int i = 0; i < PIN_FD_COUNT; i++)
		pin->fds[i] = -EBADF;
	if (!wanted->text)
		return 0;
	err->use = wanted->use;
	r = open_dir(wanted->text, pin, err);
	if (r < 0)
		return r;
	/* Refused where we may not mount, as it will be then. */
	pin->fds[PIN_MOUNT] = mount_new_fs(
		"tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (pin->fds[PIN_MOUNT] == -EPERM) {
		error_set_hint(err, HINT_PIN);
		return error_set(err, ERROR_PIN_REFUSED, 0, wanted->text);
	}
	if (pin->fds[PIN_MOUNT] < 0)
		return error_set(err, ERROR_PIN, -pin->fds[PIN_MOUNT], wanted->text);
	for (enum ns_type type = 0; type < NS_COUNT; type++) {
		_close_ int fd = -EBADF;

		if (!(new_namespaces(plan) & ns_infos[type].flag))
			continue;
		fd = openat(pin->fds[PIN_MOUNT], ns_infos[type].file, O_CREAT | O_EXCL | O_CLOEXEC,
			    0444);
		if (fd < 0)
			return error_set(err, ERROR_PIN, errno, wanted->text);
	}
	err->use = -1;
	return 0;
}

int pin_hold(const struct plan *plan, struct pin *pin, pid_t pid, struct cloche_error *err)
{
	const struct spec_string *wanted = &plan->spec->namespaces.pin;

	for (enum ns_type type = 0; wanted->text && type < NS_COUNT; type++) {
		char path[64];
		struct str_buf name = { .data = path, .size = sizeof(path) };

		if (!(new_namespaces(plan) & ns_infos[type].flag))
			continue;
		str_add(&name, "/proc/");
		str_add_number(&name, (uint64_t)pid);
		str_add(&name, "/ns/");
		str_add(&name, ns_infos[type].file);
		pin->fds[PIN_FIRST_NS + type] = open(path, O_RDONLY | O_CLOEXEC);
		if (pin->fds[PIN_FIRST_NS + type] < 0) {
			err->use = wanted->use;
			return error_set(err, ERROR_PIN, errno, path);
		}
	}
	return 0;
}

/* Private, so that no other mount namespace gets copies, which would outlive our umount(2) there.
 */
static int attach(const struct pin *pin)
{
	struct mount_attr private = { .propagation = MS_PRIVATE };
	const int mount_fd = pin->fds[PIN_MOUNT];

	if (move_mount(mount_fd, "", pin->fds[PIN_DIR], "",
		       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return -errno;
	if (mount_setattr(mount_fd, "", AT_EMPTY_PATH, &private, sizeof(private)) < 0)
		return -errno;
	for (enum ns_type type = 0; type < NS_COUNT; type++) {
		const int fd = pin->fds[PIN_FIRST_NS + type];
		_close_ int tree = -EBADF;

		if (fd < 0)
			continue;
		tree = open_tree(fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
		if (tree < 0 || move_mount(tree, "", mount_fd, ns_infos[type].file,
					   MOVE_MOUNT_F_EMPTY_PATH) < 0)
			return -errno;
	}
	return 0;
}

int pin_make(const struct plan *plan, struct pin *pin, struct cloche_error *err)
{
	const struct spec_string *wanted = &plan->spec->namespaces.pin;
	char path[STR_FD_PATH_SIZE];
	sigset_t all, before;
	int r;

	if (!wanted->text)
		return 0;
	/* Half of it must not be left by a signal. */
	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &before);
	r = attach(pin);
	if (r < 0) /* fails where not even the first step was done */
		(void)umount2(str_fd_path(path, pin->fds[PIN_MOUNT]), MNT_DETACH);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	for (int i = 0; i < PIN_FD_COUNT; i++) {
		close_pointer(&pin->fds[i]);
		pin->fds[i] = -EBADF;
	}
	if (r == 0)
		return 0;
	err->use = wanted->use;
	return error_set(err, ERROR_PIN, -r, wanted->text);
}
