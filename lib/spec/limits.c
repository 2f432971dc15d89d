/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The words of limits. Pure.
 */
#include "spec/limits.h"

#include <linux/ioprio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/num.h"

/* Names as in prlimit(1) and limits.conf(5). */
static const struct {
	char name[12];
	int resource;
	bool is_bytes;
} rlimits[] = {
	{ "as", RLIMIT_AS, true },
	{ "core", RLIMIT_CORE, true },
	{ "cpu", RLIMIT_CPU, false },
	{ "data", RLIMIT_DATA, true },
	{ "fsize", RLIMIT_FSIZE, true },
	{ "locks", RLIMIT_LOCKS, false },
	{ "memlock", RLIMIT_MEMLOCK, true },
	{ "msgqueue", RLIMIT_MSGQUEUE, true },
	{ "nice", RLIMIT_NICE, false },
	{ "nofile", RLIMIT_NOFILE, false },
	{ "nproc", RLIMIT_NPROC, false },
	{ "rss", RLIMIT_RSS, true },
	{ "rtprio", RLIMIT_RTPRIO, false },
	{ "rttime", RLIMIT_RTTIME, false },
	{ "sigpending", RLIMIT_SIGPENDING, false },
	{ "stack", RLIMIT_STACK, true },
};

static const char controller_names[CONTROLLER_COUNT][8] = { "memory", "pids", "cpu", "io" };

static const struct {
	char file[16];
	unsigned controller;
} group_files[LIMIT_COUNT] = {
	[LIMIT_MEMORY] = { "memory.max", CONTROLLER_MEMORY },
	[LIMIT_MEMORY_HIGH] = { "memory.high", CONTROLLER_MEMORY },
	[LIMIT_SWAP] = { "memory.swap.max", CONTROLLER_MEMORY },
	[LIMIT_PIDS] = { "pids.max", CONTROLLER_PIDS },
	[LIMIT_CPUS] = { "cpu.max", CONTROLLER_CPU },
	[LIMIT_CPU_WEIGHT] = { "cpu.weight", CONTROLLER_CPU },
};

static const char io_keys[IO_RATE_COUNT][8] = { "rbps", "wbps", "riops", "wiops" };

const char *limit_controller_name(size_t index)
{
	return controller_names[index];
}

const char *limit_group_file(enum group_limit limit, unsigned *ret_controller)
{
	*ret_controller = group_files[limit].controller;
	return group_files[limit].file;
}

const char *limit_rlimit_name(int resource)
{
	for (size_t i = 0; i < ARRAY_SIZE(rlimits); i++)
		if (rlimits[i].resource == resource)
			return rlimits[i].name;
	return NULL;
}

const char *limit_io_key(enum io_rate rate)
{
	return io_keys[rate];
}

/* A copy of the @length bytes at @text in the @size bytes at @word; NULL where they do not fit. */
static const char *cut(const char *text, size_t length, char *word, size_t size)
{
	if (length >= size)
		return NULL;
	memcpy(word, text, length);
	word[length] = '\0';
	return word;
}

/* A size, which may be 0. */
static int parse_bytes(const char *text, uint64_t *ret_bytes)
{
	if (strcmp(text, "0") != 0)
		return num_parse_size(text, ret_bytes);
	*ret_bytes = 0;
	return 0;
}

static int parse_rlimit_value(const char *text, bool is_bytes, uint64_t *ret_value)
{
	if (strcmp(text, "unlimited") == 0) {
		*ret_value = RLIM_INFINITY;
		return 0;
	}
	return is_bytes ? parse_bytes(text, ret_value) : num_parse(text, UINT64_MAX - 1, ret_value);
}

int limit_parse_rlimit(const char *text, struct limit_rlimit *ret_limit)
{
	size_t length = strcspn(text, "="), soft_length, row = 0;
	char name[16], number[32];
	const char *soft;
	struct limit_rlimit limit = { 0 };

	if (text[length] != '=' || !cut(text, length, name, sizeof(name)))
		return -EINVAL;
	while (row < ARRAY_SIZE(rlimits) && strcmp(rlimits[row].name, name) != 0)
		row++;
	if (row == ARRAY_SIZE(rlimits))
		return -EINVAL;
	soft = text + length + 1;
	soft_length = strcspn(soft, ":");
	if (!cut(soft, soft_length, number, sizeof(number)) ||
	    parse_rlimit_value(number, rlimits[row].is_bytes, &limit.soft) < 0)
		return -EINVAL;
	limit.hard = limit.soft;
	if (soft[soft_length] == ':' &&
	    parse_rlimit_value(soft + soft_length + 1, rlimits[row].is_bytes, &limit.hard) < 0)
		return -EINVAL;
	limit.resource = rlimits[row].resource;
	*ret_limit = limit;
	return 0;
}

int limit_parse_int(const char *text, int min, int max, int *ret_number)
{
	bool is_negative = text[0] == '-';
	uint64_t magnitude;
	int number;

	if (num_parse(text + is_negative, 1 << 20, &magnitude) < 0)
		return -EINVAL;
	number = is_negative ? -(int)magnitude : (int)magnitude;
	if (number < min || number > max)
		return -EINVAL;
	*ret_number = number;
	return 0;
}

/* One "N" or "N-M" of a list. */
static int parse_cpu_range(char *text, cpu_set_t *cpus)
{
	char *dash = strchr(text, '-');
	uint64_t first, last;

	if (dash)
		*dash = '\0';
	if (num_parse(text, CPU_SETSIZE - 1, &first) < 0)
		return -EINVAL;
	last = first;
	if (dash && num_parse(dash + 1, CPU_SETSIZE - 1, &last) < 0)
		return -EINVAL;
	if (last < first)
		return -EINVAL;
	for (uint64_t cpu = first; cpu <= last; cpu++)
		CPU_SET(cpu, cpus);
	return 0;
}

int limit_parse_cpu_list(const char *text, cpu_set_t *ret_cpus)
{
	cpu_set_t cpus;
	char range[16];

	CPU_ZERO(&cpus);
	for (;;) {
		size_t length = strcspn(text, ",");

		if (!cut(text, length, range, sizeof(range)) || parse_cpu_range(range, &cpus) < 0)
			return -EINVAL;
		if (text[length] == '\0')
			break;
		text += length + 1;
	}
	*ret_cpus = cpus;
	return 0;
}

int limit_parse_cpus(const char *text, uint64_t *ret_quota)
{
	size_t whole_length = strcspn(text, ".");
	const char *fraction = text + whole_length + (text[whole_length] == '.');
	char digits[8];
	uint64_t whole, part = 0, quota;

	if (!cut(text, whole_length, digits, sizeof(digits)) || num_parse(digits, 9999, &whole) < 0)
		return -EINVAL;
	if (text[whole_length] == '.') {
		size_t length = strlen(fraction);

		if (length > 5 || num_parse(fraction, 99999, &part) < 0)
			return -EINVAL;
		for (; length < 5; length++) /* hundred-thousandths: microseconds of the period */
			part *= 10;
	}
	quota = whole * LIMIT_CPU_PERIOD + part;
	if (quota < 1000) /* min_cfs_quota_period */
		return -EINVAL;
	*ret_quota = quota;
	return 0;
}

int limit_parse_ionice(const char *text, int *ret_priority)
{
	static const struct {
		char name[12];
		int class;
	} classes[] = { { "realtime", IOPRIO_CLASS_RT },
			{ "best-effort", IOPRIO_CLASS_BE },
			{ "idle", IOPRIO_CLASS_IDLE } };
	size_t length = strcspn(text, ":"), row = 0;
	char name[16];
	int level = 4; /* IOPRIO_NORM */

	if (!cut(text, length, name, sizeof(name)))
		return -EINVAL;
	while (row < ARRAY_SIZE(classes) && strcmp(classes[row].name, name) != 0)
		row++;
	if (row == ARRAY_SIZE(classes))
		return -EINVAL;
	if (text[length] == ':' && (classes[row].class == IOPRIO_CLASS_IDLE ||
				    limit_parse_int(text + length + 1, 0, 7, &level) < 0))
		return -EINVAL;
	if (classes[row].class == IOPRIO_CLASS_IDLE)
		level = 0; /* it has none */
	*ret_priority = (int)IOPRIO_PRIO_VALUE(classes[row].class, level);
	return 0;
}

/* One "KEY=RATE". */
static int parse_io_rate(const char *text, struct limit_io *io)
{
	for (size_t i = 0; i < IO_RATE_COUNT; i++) {
		size_t length = strlen(io_keys[i]);

		if (strncmp(text, io_keys[i], length) != 0 || text[length] != '=')
			continue;
		return io->rate[i] ? -EINVAL : num_parse_size(text + length + 1, &io->rate[i]);
	}
	return -EINVAL;
}

static int parse_device(char *text, struct limit_io *io)
{
	char *colon = strchr(text, ':');
	uint64_t major, minor;

	if (text[0] == '/') {
		io->path = text;
		return 0;
	}
	if (!colon)
		return -EINVAL;
	*colon = '\0';
	/* 12 and 20 bits, makedev(3) */
	if (num_parse(text, 0xfff, &major) < 0 || num_parse(colon + 1, 0xfffff, &minor) < 0)
		return -EINVAL;
	io->major = (unsigned)major;
	io->minor = (unsigned)minor;
	return 0;
}

int limit_parse_io(char *text, struct limit_io *ret_io)
{
	char *rates = strrchr(text, ':');
	struct limit_io io = { 0 };

	if (!rates)
		return -EINVAL;
	*rates++ = '\0';
	if (parse_device(text, &io) < 0)
		return -EINVAL;
	for (char *rate; (rate = strsep(&rates, ","));)
		if (parse_io_rate(rate, &io) < 0)
			return -EINVAL;
	*ret_io = io;
	return 0;
}
