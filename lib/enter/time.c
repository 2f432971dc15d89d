/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The time namespace (time_namespaces(7), since Linux 5.6). Its clocks can be set only before the
 * first process is in it, and unshare(2) puts only later children there, which must not be made by
 * vfork(2) on some kernels (EINVAL before 6.0). So the child sets the clocks and then joins the
 * namespace itself, with setns(2): from then on it is like any other.
 */
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/prctl.h>

#include "base/fd.h"
#include "base/str.h"
#include "enter/enter.h"

#define NANOSECONDS 1000000000

/* Adds "monotonic -2 500000000", which is one and a half seconds less: the second number is never
 * negative. */
static void add_offset(struct str_buf *text, const char *clock, const struct spec_offset *offset)
{
	int64_t seconds = offset->nanoseconds / NANOSECONDS;
	int64_t rest = offset->nanoseconds % NANOSECONDS;

	if (!offset->is_set)
		return;
	if (rest < 0) {
		rest += NANOSECONDS;
		seconds--;
	}
	str_add(text, clock);
	if (seconds < 0)
		str_add_char(text, '-');
	str_add_number(text, (uint64_t)(seconds < 0 ? -seconds : seconds));
	str_add_char(text, ' ');
	str_add_number(text, (uint64_t)rest);
	str_add_char(text, '\n');
}

static int set_clocks(const struct enter *enter, struct cloche_error *err)
{
	const struct spec_offset *offsets = enter->plan->spec->namespaces.offset;
	const struct spec_offset *monotonic = &offsets[OFFSET_MONOTONIC],
				 *boottime = &offsets[OFFSET_BOOTTIME];
	char lines[128] = "";
	struct str_buf text = { .data = lines, .size = sizeof(lines) };
	int r;

	add_offset(&text, "monotonic ", monotonic);
	add_offset(&text, "boottime ", boottime);
	if (!text.length)
		return 0;
	err->use = monotonic->is_set ? monotonic->use : boottime->use;
	/* A program file that its user cannot read makes us non-dumpable, and the file root's. */
	r = prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0 ? -errno : 0;
	if (r == 0)
		r = fd_write_file(enter->mounts.host_proc_fd, "self/timens_offsets", lines);
	if (r == -ERANGE)
		error_set_hint(err, HINT_TIME_RANGE);
	return r < 0 ? error_set(err, ERROR_TIME_OFFSET, -r, NULL) : 0;
}

static int unshare_error(int errnum, struct cloche_error *err)
{
	if (errnum == EINVAL)
		return error_set(err, ERROR_NO_NAMESPACE, 0, "time");
	if (errnum == ENOSPC)
		error_set_hint(err, HINT_TIME_LIMIT);
	return error_set(err, ERROR_TIME_NS, errnum, NULL);
}

int time_enter(const struct enter *enter, struct cloche_error *err)
{
	const int use = enter->plan->spec->namespaces.unshare_time_use;
	_close_ int fd = -EBADF;
	int r;

	err->use = use;
	if (unshare(CLONE_NEWTIME) < 0)
		return unshare_error(errno, err);
	r = set_clocks(enter, err);
	if (r < 0)
		return r;
	err->use = use;
	fd = openat(enter->mounts.host_proc_fd, "self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWTIME) < 0)
		return error_set(err, ERROR_TIME_NS, errno, NULL);
	err->use = -1;
	return 0;
}
