/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a sandbox used. The group's numbers win over those of waited-for children: they include
 * processes that nobody waited for. What is not known is null.
 */
#include "watch/usage.h"

#include "base/fd.h"
#include "base/jsonw.h"

#define MICROSECONDS 1000000u

static struct usage_number known(uint64_t value)
{
	return (struct usage_number){ true, value };
}

void usage_start(struct usage *usage)
{
	*usage = (struct usage){ 0 };
	(void)clock_gettime(CLOCK_MONOTONIC, &usage->start);
}

static uint64_t microseconds(const struct timeval *time)
{
	return (uint64_t)time->tv_sec * MICROSECONDS + (uint64_t)time->tv_usec;
}

void usage_add_rusage(struct usage *usage, const struct rusage *rusage)
{
	usage->user = known(microseconds(&rusage->ru_utime));
	usage->system = known(microseconds(&rusage->ru_stime));
	usage->max_rss = known((uint64_t)rusage->ru_maxrss * 1024); /* kilobytes, getrusage(2) */
	/* Blocks of 512 bytes that went to or came from a disk (taskstats, read_bytes >> 9). */
	usage->bytes_read = known((uint64_t)rusage->ru_inblock * 512);
	usage->bytes_written = known((uint64_t)rusage->ru_oublock * 512);
}

static void add_seconds(struct str_buf *out, uint64_t time)
{
	char digits[STR_NUMBER_SIZE];

	str_add_number(out, time / MICROSECONDS);
	/* six decimals, zeros in front included: the 1 of the next higher place is left out */
	str_add_char(out, '.');
	str_add(out, str_number(digits, MICROSECONDS + time % MICROSECONDS) + 1);
}

static void add_number(struct str_buf *out, const char *key, struct usage_number number,
		       bool is_time)
{
	jsonw_key(out, key);
	if (!number.is_known)
		str_add(out, "null");
	else if (is_time)
		add_seconds(out, number.value);
	else
		str_add_number(out, number.value);
}

static struct usage_number wall_time(const struct usage *usage)
{
	struct timespec now;

	if (!usage->start.tv_sec && !usage->start.tv_nsec)
		return (struct usage_number){ 0 };
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return known((uint64_t)((now.tv_sec - usage->start.tv_sec) * (int64_t)MICROSECONDS +
				(now.tv_nsec - usage->start.tv_nsec) / 1000));
}

void usage_write(const struct spec *spec, const struct usage *usage, int status)
{
	static const struct usage nothing;
	char text[512];
	struct str_buf out = { .data = text, .size = sizeof(text) };

	if (spec->usage_fd.fd < 0)
		return;
	if (!usage)
		usage = &nothing;
	str_add(&out, "{");
	add_number(&out, "wall", wall_time(usage), true);
	add_number(&out, "user", usage->user, true);
	add_number(&out, "system", usage->system, true);
	add_number(&out, "max-rss", usage->max_rss, false);
	add_number(&out, "memory-peak", usage->memory_peak, false);
	add_number(&out, "pids-peak", usage->pids_peak, false);
	add_number(&out, "io-read", usage->bytes_read, false);
	add_number(&out, "io-write", usage->bytes_written, false);
	add_number(&out, "oom-kills", usage->oom_kills, false);
	add_number(&out, "net-sent", usage->net_sent, false);
	add_number(&out, "net-received", usage->net_received, false);
	add_number(&out, "exit-code", known((uint64_t)status), false);
	str_add(&out, "}\n");
	ignore(fd_write_all(spec->usage_fd.fd, text, out.length)); /* the reader may be gone */
}
