/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writing the child's id maps from outside. Runs in the supervisor after clone, while the child
 * waits for its go.
 *
 * Real root writes the files. For everybody else newuidmap(1) and newgidmap(1) do, which are
 * set-user-ID root (or have file capabilities) and look up in /etc/subuid and /etc/subgid what is
 * allowed. Both run at the same time (measured: 1.3 ms instead of 3 in turn); what they complain
 * about is told.
 */
#include "watch/ids.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/fd.h"
#include "base/helper.h"
#include "base/str.h"

int ids_prepare(const struct plan *plan, struct cloche_error *err)
{
	/* A program file that its user cannot read makes us, and by inheritance the child,
	 * non-dumpable, and the child's map files root's. */
	if (plan->ids.writer != MAPS_BY_CHILD && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
		return error_set(err, ERROR_MAP_WRITE, errno, "dumpable");
	return 0;
}

/* The directory /proc/@pid; what merely looks like procfs could lead our writes elsewhere. */
static int open_process(pid_t pid)
{
	char path[32];
	struct str_buf text = { .data = path, .size = sizeof(path) };
	_close_ int fd = -EBADF;

	str_add(&text, "/proc/");
	str_add_number(&text, (uint64_t)pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return fd_on_filesystem(fd, PROC_SUPER_MAGIC) ? take_fd(&fd) : -ENOTDIR;
}

static int write_map(int process_fd, const char *name, const struct plan_map *map,
		     struct cloche_error *err)
{
	char text[IDMAP_MAX_TEXT];
	struct str_buf buf = { .data = text, .size = sizeof(text) };
	int r;

	idmap_text(map->ranges, map->count, &buf);
	r = fd_write_file(process_fd, name, text);
	if (r == -EPERM)
		error_set_hint(err, HINT_MAP_OUTSIDE);
	return r < 0 ? error_set(err, ERROR_MAP_WRITE, -r, name) : 0;
}

int ids_write_maps(pid_t pid, const struct plan_map *uid, const struct plan_map *gid,
		   struct cloche_error *err)
{
	_close_ int fd = open_process(pid);
	int r;

	if (fd < 0)
		return error_set(err, ERROR_MAP_WRITE, -fd, "/proc");
	r = write_map(fd, "gid_map", gid, err);
	return r == 0 ? write_map(fd, "uid_map", uid, err) : r;
}

/* Whoever keeps groups may not leave them later (CVE-2018-7169); before gid_map only. */
static int deny_setgroups(pid_t pid, struct cloche_error *err)
{
	_close_ int fd = open_process(pid);
	int r = fd < 0 ? fd : fd_write_file(fd, "setgroups", "deny\n");

	return r < 0 ? error_set(err, ERROR_MAP_WRITE, -r, "setgroups") : 0;
}

/* ---- newuidmap and newgidmap ---- */

#define MAX_WORDS (2 + 3 * IDMAP_MAX_RANGES + 1)

/* One of the two programs. */
struct mapper {
	const char *name;
	const struct plan_map *map;
	char path[64];
	char *argv[MAX_WORDS];
	int error_fd; /* read end of what it complains about */
	pid_t pid;
};

/* NAME PID INSIDE OUTSIDE COUNT..., the digits in @numbers. */
static void fill_words(struct mapper *mapper, char numbers[][STR_NUMBER_SIZE],
		       const char *directory, pid_t pid)
{
	struct str_buf path = { .data = mapper->path, .size = sizeof(mapper->path) };
	size_t words = 0, used = 0;

	str_add(&path, directory);
	str_add_char(&path, '/');
	str_add(&path, mapper->name);
	mapper->argv[words++] = mapper->path;
	mapper->argv[words++] = (char *)str_number(numbers[used++], (uint64_t)pid);
	for (size_t i = 0; i < mapper->map->count; i++) {
		const struct id_range *range = &mapper->map->ranges[i];
		const uint32_t values[] = { range->inside, range->outside, range->count };

		for (size_t j = 0; j < ARRAY_SIZE(values); j++)
			mapper->argv[words++] = (char *)str_number(numbers[used++], values[j]);
	}
	mapper->argv[words] = NULL;
}

static int start_mapper(struct mapper *mapper, const char *directory, pid_t pid,
			struct cloche_error *err)
{
	char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", locale[] = "LC_ALL=C.UTF-8";
	char *const environment[] = { path, locale, NULL };
	_free_ char(*numbers)[STR_NUMBER_SIZE] = calloc(MAX_WORDS, sizeof(*numbers));
	struct helper helper = { .path = mapper->path,
				 .argv = mapper->argv,
				 .environ = environment,
				 .fds = { -1, -1, -1 } };
	int fds[2];

	if (!numbers)
		return error_no_memory(err);
	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_set(err, ERROR_PIPE, errno, "a pipe");
	mapper->error_fd = fds[0];
	helper.fds[2] = fds[1];
	fill_words(mapper, numbers, directory, pid);
	mapper->pid = helper_start(&helper);
	(void)close(fds[1]); /* so that its end is the pipe's */
	return mapper->pid < 0 ? error_set_detail(err, ERROR_MAP_HELPER, -mapper->pid, mapper->path,
						  "it cannot be started")
			       : 0;
}

/* The first line of what it said, without its own name before. */
static const char *first_line(const struct mapper *mapper, char *text, size_t size)
{
	size_t length = strlen(mapper->name);
	ssize_t got = read(mapper->error_fd, text, size - 1);

	text[got > 0 ? got : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	if (strncmp(text, mapper->name, length) == 0 && str_starts(text + length, ": "))
		return text + length + 2;
	return text[0] ? text : "it did not say why";
}

static int finish_mapper(struct mapper *mapper, struct cloche_error *err)
{
	char text[256];
	int status;

	if (mapper->pid <= 0)
		return 0;
	status = helper_wait(mapper->pid);
	if (status == 0)
		return 0;
	return error_set_detail(err, ERROR_MAP_HELPER, status < 0 ? -status : 0, mapper->path,
				first_line(mapper, text, sizeof(text)));
}

static int run_mappers(const struct plan *plan, const char *directory, pid_t pid,
		       struct cloche_error *err)
{
	struct mapper mappers[] = {
		{ .name = "newuidmap", .map = &plan->ids.uid, .error_fd = -EBADF },
		{ .name = "newgidmap", .map = &plan->ids.gid, .error_fd = -EBADF },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(mappers); i++)
		r = start_mapper(&mappers[i], directory, pid, err);
	for (size_t i = 0; i < ARRAY_SIZE(mappers); i++) {
		int finished = finish_mapper(&mappers[i], err);

		close_pointer(&mappers[i].error_fd);
		r = r < 0 ? r : finished;
	}
	return r;
}

int ids_map_child(const struct plan *plan, const struct facts *facts, pid_t pid,
		  struct cloche_error *err)
{
	enum error_stage stage = err->stage;
	int r = 0;

	if (plan->ids.writer == MAPS_BY_CHILD)
		return 0;
	err->stage = STAGE_IDS;
	if (!plan->ids.drops_groups)
		r = deny_setgroups(pid, err);
	if (r == 0)
		r = plan->ids.writer == MAPS_BY_SUPERVISOR
			    ? ids_write_maps(pid, &plan->ids.uid, &plan->ids.gid, err)
			    : run_mappers(plan, facts->newuidmap_dir, pid, err);
	if (r == 0)
		err->stage = stage;
	return r;
}
