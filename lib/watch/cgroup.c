/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Making, measuring and removing the sandbox's cgroup. Runs in the supervisor with the caller's own
 * rights; what is read comes from the kernel, but the groups below "box" may be COMMAND's (it can
 * mount a cgroup file system of its own where it may create user namespaces): their names are only
 * ever handed back to unlinkat(2).
 */
#include "watch/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "base/fd.h"
#include "base/str.h"
#include "spec/report.h"
#include "watch/cgroup-text.h"
#include "watch/usage.h"

#define BOX "box"
#define CLEAR_PATIENCE_MS 10000 /* for processes that are dying */

/*
 * How many groups may be made inside, and how deep: enough for a systemd, bounded for the host's
 * kernel memory, and so that the removal reaches all of them.
 */
#define MAX_DESCENDANTS "1000"
#define MAX_DEPTH 16
#define MAX_DEPTH_TEXT "16"

/* ---- removing ---- */

struct linux_dirent64 { /* getdents64(2) */
	uint64_t d_ino;
	int64_t d_off;
	unsigned short d_reclen;
	unsigned char d_type;
	char d_name[];
};

/* Calls @act for each directory below @fd; opendir(3) would allocate, which the guard may not. */
static void for_each_group(int fd, void (*act)(int fd, const char *name, int depth), int depth)
{
	char buffer[2048];
	ssize_t got;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return;
	while ((got = getdents64(fd, buffer, sizeof(buffer))) > 0) {
		for (ssize_t at = 0; at < got;) {
			const struct linux_dirent64 *entry = (const void *)(buffer + at);

			at += entry->d_reclen;
			if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
				act(fd, entry->d_name, depth);
		}
	}
}

static void remove_group(int parent_fd, const char *name, int depth)
{
	_close_ int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd >= 0 && depth < MAX_DEPTH + 2)
		for_each_group(fd, remove_group, depth + 1);
	(void)unlinkat(parent_fd, name, AT_REMOVEDIR); /* the caller looks whether it is gone */
}

/* One by one, where there is no cgroup.kill (Linux 5.13 and older). */
static void kill_each(int parent_fd, const char *name, int depth)
{
	_close_ int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	_close_ int procs = fd < 0 ? -EBADF : openat(fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	char text[4096];
	const char *rest = text;
	ssize_t got = procs < 0 ? -1 : read(procs, text, sizeof(text) - 1);
	int pid;

	text[got > 0 ? got : 0] = '\0';
	while ((pid = cgroup_text_pids(&rest)) > 0)
		(void)kill(pid, SIGKILL);
	if (fd >= 0 && depth < MAX_DEPTH + 2)
		for_each_group(fd, kill_each, depth + 1);
}

static bool is_populated(int events_fd)
{
	char text[256];
	ssize_t got = pread(events_fd, text, sizeof(text) - 1, 0);
	uint64_t populated;

	text[got > 0 ? got : 0] = '\0';
	return cgroup_text_key(text, "populated", &populated) == 0 && populated;
}

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int cgroup_clear(int parent_fd, const char *name)
{
	_close_ int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	_close_ int events = fd < 0 ? -EBADF : openat(fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	struct pollfd change = { .fd = events, .events = POLLPRI };
	int64_t end = now_ms() + CLEAR_PATIENCE_MS;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	while (is_populated(events) && now_ms() < end) {
		if (fd_write_file(fd, "cgroup.kill", "1") < 0)
			kill_each(parent_fd, name, 0);
		if (is_populated(events))
			(void)poll(&change, 1, 100);
	}
	remove_group(parent_fd, name, 0);
	return faccessat(parent_fd, name, F_OK, 0) == 0 ? -EBUSY : 0;
}

/* Is the group @fd still called @name? */
static bool is_named(int parent_fd, const char *name, int fd)
{
	struct stat held, named;

	return fstat(fd, &held) == 0 &&
	       fstatat(parent_fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       held.st_ino == named.st_ino;
}

/*
 * Groups of ours that nobody holds: their supervisor and their guard were killed. By the whole
 * name: others may call theirs so, as systemd the scopes that it makes for us. Once more by that of
 * what is locked: another may have swept, and a start made a new group of the same name.
 */
static void sweep_group(int parent_fd, const char *name, int depth)
{
	_close_ int fd = -EBADF;

	(void)depth;
	if (!cgroup_text_is_ours(name))
		return;
	fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && is_named(parent_fd, name, fd))
		ignore(cgroup_clear(parent_fd, name)); /* what is left is left to the next start */
}

/* ---- making ---- */

static int write_error(struct cloche_error *err, int r, const char *file, const char *text)
{
	return error_set_detail(err, ERROR_CGROUP_WRITE, -r, file, text);
}

/* Makes and locks a group of a new name that begins with @name; its descriptor or -errno. */
static int make_locked(int parent_fd, const char *name)
{
	_close_ int fd = -EBADF;

	if (mkdirat(parent_fd, name, 0755) < 0)
		return -errno;
	fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	/* Another start may be sweeping: then it is removed, or will be. */
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || !is_named(parent_fd, name, fd))
		return -EEXIST;
	return take_fd(&fd);
}

static void set_name(char name[40], unsigned number, const char *suffix)
{
	struct str_buf text = { .data = name, .size = 40 };

	str_add(&text, CGROUP_PREFIX);
	str_add_number(&text, (uint64_t)getpid());
	str_add_char(&text, '-');
	str_add_number(&text, number);
	str_add(&text, suffix);
}

static int make_named(int parent_fd, char name[40], const char *suffix)
{
	int fd = -EEXIST;

	for (unsigned number = 1; number < 100 && fd == -EEXIST; number++) {
		set_name(name, number, suffix);
		fd = make_locked(parent_fd, name);
	}
	return fd;
}

/* Out of PARENT itself, so that it can have controllers for groups below. The group goes with
 * PARENT, or by a sweep. */
static int move_outside(struct cgroup *cgroup, const struct cgroup_place *place,
			struct cloche_error *err)
{
	char name[40];
	int r;

	cgroup->outside_fd = make_named(place->fd, name, CGROUP_OUTSIDE);
	r = cgroup->outside_fd < 0 ? cgroup->outside_fd
				   : fd_write_file(cgroup->outside_fd, "cgroup.procs", "0");
	return r < 0 ? error_set(err, ERROR_CGROUP_MAKE, -r, place->path) : 0;
}

static int enable(const struct cgroup_place *place, unsigned controllers, bool is_needed,
		  struct cloche_error *err)
{
	char text[64];
	struct str_buf wanted = { .data = text, .size = sizeof(text) };
	int r;

	text[0] = '\0';
	for (size_t i = 0; i < CONTROLLER_COUNT; i++) {
		if (!(controllers & 1u << i))
			continue;
		str_add(&wanted, wanted.length ? " +" : "+");
		str_add(&wanted, limit_controller_name(i));
	}
	if (!text[0])
		return 0;
	r = fd_write_file(place->fd, "cgroup.subtree_control", text);
	if (r == 0 || !is_needed)
		return 0;
	if (r != -EBUSY)
		return write_error(err, r, "cgroup.subtree_control", text);
	error_set_hint(err, HINT_CGROUP_PLACE);
	return error_set(err, ERROR_CGROUP_BUSY, 0, place->path);
}

/* What is already on for groups below PARENT may be used by others: only what is missing is
 * written. */
static int enable_missing(const struct cgroup_place *place, unsigned needed,
			  struct cloche_error *err)
{
	_free_ char *text = cgroup_read(place->fd, "cgroup.subtree_control");
	unsigned enabled = 0;
	int r;

	if (!text || cgroup_text_controllers(text, &enabled) < 0)
		return error_set(err, ERROR_CGROUP_OPEN, EINVAL, place->path);
	r = enable(place, needed & ~enabled, true, err);
	/* A scope is ours alone: there the others can tell what was used. */
	if (r == 0 && place->in_scope)
		r = enable(place, place->controllers & ~enabled & ~needed, false, err);
	return r;
}

/* ---- limits ---- */

static int write_limit(const struct cgroup *cgroup, int use, const char *file, const char *text,
		       struct cloche_error *err)
{
	int r = fd_write_file(cgroup->group_fd, file, text);

	if (r == 0)
		return 0;
	err->use = use;
	return write_error(err, r, file, text);
}

static int set_numbers(const struct cgroup *cgroup, const struct spec_limits *limits,
		       struct cloche_error *err)
{
	for (size_t i = 0; i < LIMIT_COUNT; i++) {
		unsigned controller;
		const char *file = limit_group_file((enum group_limit)i, &controller);
		char value[2 * STR_NUMBER_SIZE];
		struct str_buf text = { .data = value, .size = sizeof(value) };
		int r;

		if (!limits->group[i].is_set)
			continue;
		str_add_number(&text, limits->group[i].value);
		if (i == LIMIT_CPUS) {
			str_add_char(&text, ' ');
			str_add_number(&text, LIMIT_CPU_PERIOD);
		}
		r = write_limit(cgroup, limits->group[i].use, file, value, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static void add_device(struct str_buf *text, unsigned device_major, unsigned device_minor)
{
	str_add_number(text, device_major);
	str_add_char(text, ':');
	str_add_number(text, device_minor);
}

/* io.max knows whole disks only: of a partition the one it is on. Appends "MAJOR:MINOR". */
static int add_disk(const struct limit_io *io, struct str_buf *text)
{
	unsigned device_major = io->major, device_minor = io->minor;
	char link[64];
	struct str_buf name = { .data = link, .size = sizeof(link) };
	_free_ char *disk = NULL;
	_close_ int sys_fd = -EBADF;
	struct stat info;

	if (io->path && stat(io->path, &info) < 0)
		return -errno;
	if (io->path) {
		dev_t device = S_ISBLK(info.st_mode) ? info.st_rdev : info.st_dev;

		device_major = major(device);
		device_minor = minor(device);
	}
	str_add(&name, "/sys/dev/block/");
	add_device(&name, device_major, device_minor);
	sys_fd = open(link, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (sys_fd < 0 && io->path) /* a file system without a disk of its own */
		return -ENODEV;
	if (sys_fd >= 0 && faccessat(sys_fd, "partition", F_OK, 0) == 0)
		disk = cgroup_read(sys_fd, "../dev");
	if (disk) {
		disk[strcspn(disk, "\n")] = '\0';
		str_add(text, disk);
	} else {
		add_device(text, device_major, device_minor);
	}
	return 0;
}

static int set_io(const struct cgroup *cgroup, const struct spec_limits *limits,
		  struct cloche_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < limits->io_count; i++) {
		const struct limit_io *io = &limits->io[i];
		char value[256];
		struct str_buf text = { .data = value, .size = sizeof(value) };

		r = add_disk(io, &text);
		if (r < 0) {
			err->use = io->use;
			return error_set(err, ERROR_CGROUP_DEVICE, -r, io->path);
		}
		for (size_t rate = 0; rate < IO_RATE_COUNT; rate++) {
			if (!io->rate[rate])
				continue;
			str_add_char(&text, ' ');
			str_add(&text, limit_io_key((enum io_rate)rate));
			str_add_char(&text, '=');
			str_add_number(&text, io->rate[rate]);
		}
		r = write_limit(cgroup, io->use, "io.max", value, err);
	}
	return r;
}

static int make_box(struct cgroup *cgroup, const struct plan *plan, struct cloche_error *err)
{
	int r = set_numbers(cgroup, &plan->spec->limits, err);

	if (r == 0)
		r = set_io(cgroup, &plan->spec->limits, err);
	if (r < 0)
		return r;
	/* Of groups that COMMAND makes; the files are older than any kernel that we run on. */
	r = fd_write_file(cgroup->group_fd, "cgroup.max.descendants", MAX_DESCENDANTS);
	if (r == 0)
		r = fd_write_file(cgroup->group_fd, "cgroup.max.depth", MAX_DEPTH_TEXT);
	if (r == 0 && mkdirat(cgroup->group_fd, BOX, 0755) < 0)
		r = -errno;
	if (r == 0)
		cgroup->box_fd = openat(cgroup->group_fd, BOX, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (r == 0 && cgroup->box_fd < 0)
		r = -errno;
	return r < 0 ? error_set(err, ERROR_CGROUP_MAKE, -r, cgroup->name) : 0;
}

int cgroup_make(struct cgroup *cgroup, const struct plan *plan, const struct facts *facts,
		struct cloche_error *err)
{
	struct cgroup_place place;
	int r;

	if (plan->limits.place == PLACE_NONE)
		return 0;
	r = cgroup_find(plan, facts, &place, err);
	if (r < 0)
		return r;
	cgroup->parent_fd = place.fd;
	cgroup->in_scope = place.in_scope;
	err->use = plan->limits.use;
	for_each_group(place.fd, sweep_group, 0);
	if (place.is_own)
		r = move_outside(cgroup, &place, err);
	if (r == 0)
		r = enable_missing(&place, plan->limits.controllers, err);
	if (r < 0)
		return r;
	cgroup->group_fd = make_named(place.fd, cgroup->name, "");
	if (cgroup->group_fd < 0)
		return error_set(err, ERROR_CGROUP_MAKE, -cgroup->group_fd, place.path);
	if (!place.in_scope) {
		cgroup->guard = cgroup_guard_start(cgroup);
		if (cgroup->guard < 0)
			return error_set(err, ERROR_FORK, (int)-cgroup->guard, NULL);
	}
	r = make_box(cgroup, plan, err);
	if (r == 0)
		err->use = -1;
	return r;
}

/* ---- while it runs ---- */

static int check_group(const struct cgroup *cgroup, struct cloche_error *err)
{
	if (cgroup->group_fd >= 0)
		return 0;
	error_set_hint(err, HINT_NO_GROUP);
	return error_set(err, ERROR_NO_GROUP, 0, NULL);
}

int cgroup_change(const struct cgroup *cgroup, const struct spec_limits *limits,
		  struct cloche_error *err)
{
	int r = check_group(cgroup, err);

	return r == 0 ? set_numbers(cgroup, limits, err) : r;
}

/* Since Linux 5.2, of the box: the group itself holds nothing but that. */
int cgroup_freeze(const struct cgroup *cgroup, bool freezes, struct cloche_error *err)
{
	int r = check_group(cgroup, err);

	return r == 0 ? write_limit(cgroup, -1, "cgroup.freeze", freezes ? "1" : "0", err) : r;
}

/* ---- at the end ---- */

static void measure_number(const struct cgroup *cgroup, const char *file,
			   struct usage_number *number)
{
	_free_ char *text = cgroup_read(cgroup->group_fd, file);

	if (text)
		number->is_known = cgroup_text_number(text, &number->value) == 0;
}

static void measure_key(const char *text, const char *key, struct usage_number *number)
{
	uint64_t value;

	if (text && cgroup_text_key(text, key, &value) == 0)
		*number = (struct usage_number){ true, value };
}

static void measure(const struct cgroup *cgroup, struct usage *usage)
{
	_free_ char *cpu = NULL, *events = NULL, *io = NULL;
	uint64_t bytes_read, bytes_written;

	cpu = cgroup_read(cgroup->group_fd, "cpu.stat"); /* there without the controller, too */
	measure_key(cpu, "user_usec", &usage->user);
	measure_key(cpu, "system_usec", &usage->system);
	measure_number(cgroup, "memory.peak", &usage->memory_peak); /* since Linux 5.19 */
	measure_number(cgroup, "pids.peak", &usage->pids_peak);	    /* since Linux 6.11 */
	events = cgroup_read(cgroup->group_fd, "memory.events");
	measure_key(events, "oom_kill", &usage->oom_kills);
	io = cgroup_read(cgroup->group_fd, "io.stat");
	if (io && cgroup_text_io(io, &bytes_read, &bytes_written) == 0) {
		usage->bytes_read = (struct usage_number){ true, bytes_read };
		usage->bytes_written = (struct usage_number){ true, bytes_written };
	}
}

static void warn(const struct plan *plan, int use, enum error_code code, const char *text)
{
	struct cloche_error warning = { .use = use };

	(void)error_set(&warning, code, 0, text);
	report_message(plan->spec, &warning, REPORT_WARNING);
}

void cgroup_end(struct cgroup *cgroup, const struct plan *plan, struct usage *usage)
{
	const struct limit_number *memory = &plan->spec->limits.group[LIMIT_MEMORY];
	char number[STR_NUMBER_SIZE];

	if (cgroup->group_fd >= 0) {
		measure(cgroup, usage);
		if (cgroup_clear(cgroup->parent_fd, cgroup->name) < 0)
			warn(plan, plan->limits.use, ERROR_CGROUP_LEFT, cgroup->name);
	}
	if (memory->is_set && usage->oom_kills.is_known && usage->oom_kills.value)
		warn(plan, memory->use, ERROR_OOM, str_number(number, usage->oom_kills.value));
	if (cgroup->guard > 0)
		cgroup_guard_stop(cgroup->guard);
	close_pointer(&cgroup->box_fd);
	close_pointer(&cgroup->group_fd);
	close_pointer(&cgroup->parent_fd);
	cgroup->box_fd = cgroup->group_fd = cgroup->parent_fd = -EBADF;
	cgroup->guard = 0;
	/* Not the lock of the group that we are in: the next start would sweep us away. */
}
