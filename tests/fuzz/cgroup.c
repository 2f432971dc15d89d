/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: what the kernel says about cgroups, and the words of limits. The input is one text
 * that all readers get. What they accept must look as it is documented, read again the same where
 * it can be written down, and what they refuse must leave the result alone.
 */
#include "fuzz.h"
#include "spec/limits.h"
#include "watch/cgroup-text.h"

#define UNTOUCHED 4711

/* Is @part, without its terminator, in @text? */
static bool has(const char *text, const char *part)
{
	return strstr(text, part) != NULL;
}

static void check_own(const char *text)
{
	static struct cgroup_own own, before;
	char line[PATH_MAX + 8];
	int r;

	own = before = (struct cgroup_own){ .path = "untouched" };
	r = cgroup_text_own(text, &own);
	require(r == 0 || r == -EINVAL || r == -ENOENT || r == -EXDEV);
	if (r < 0) {
		require(memcmp(&own, &before, sizeof(own)) == 0);
		return;
	}
	require(own.path[0] == '/' && strlen(own.path) < sizeof(own.path));
	require(!has(own.path, "/../") && !has(own.path, "\n"));
	require(snprintf(line, sizeof(line), "0::%s\n", own.path) > 0);
	require(has(text, line));
	require(cgroup_text_own(line, &before) == 0 && strcmp(before.path, own.path) == 0);
	require(!before.has_v1);
}

static void check_controllers(const char *text)
{
	unsigned found = UNTOUCHED;

	if (cgroup_text_controllers(text, &found) < 0) {
		require(found == UNTOUCHED);
		return;
	}
	require(found < 1u << CONTROLLER_COUNT);
	for (size_t i = 0; i < CONTROLLER_COUNT; i++)
		require(!(found & 1u << i) || has(text, limit_controller_name(i)));
	require(!text[0] || text[strlen(text) - 1] == '\n');
}

static void check_numbers(const char *text)
{
	uint64_t number = UNTOUCHED, in = UNTOUCHED, out = UNTOUCHED;
	char line[64];

	if (cgroup_text_number(text, &number) == 0) {
		require(number != UINT64_MAX || strcmp(text, "max\n") == 0 ||
			has(text, "18446744073709551615"));
		require(snprintf(line, sizeof(line), "oom_kill %s", text) > 0);
		if (strcmp(text, "max\n") != 0)
			require(cgroup_text_key(line, "oom_kill", &in) == 0 && in == number);
	} else {
		require(number == UNTOUCHED);
	}
	number = in = UNTOUCHED;
	if (cgroup_text_key(text, "oom_kill", &number) == 0)
		require(has(text, "oom_kill "));
	else
		require(number == UNTOUCHED);
	if (cgroup_text_io(text, &in, &out) < 0)
		require(in == UNTOUCHED && out == UNTOUCHED);
	else
		require((in == 0 || has(text, "rbytes=")) && (out == 0 || has(text, "wbytes=")));
}

static void check_pids(const char *text)
{
	const char *rest = text;
	size_t rounds = strlen(text);
	int pid;

	while ((pid = cgroup_text_pids(&rest)) > 0)
		require(rounds-- > 0);
	require(pid == -EINVAL || *rest == '\0');
}

static void check_rlimit(const char *text)
{
	struct limit_rlimit limit = { .resource = UNTOUCHED }, again;
	const char *name;
	char words[64];

	if (limit_parse_rlimit(text, &limit) < 0) {
		require(limit.resource == UNTOUCHED);
		return;
	}
	name = limit_rlimit_name(limit.resource);
	require(name && strncmp(text, name, strlen(name)) == 0 && text[strlen(name)] == '=');
	require(snprintf(words, sizeof(words), "%s=%llu:unlimited", name,
			 (unsigned long long)limit.soft) > 0);
	if (limit.soft != UINT64_MAX && limit.soft != 0 && limit.soft <= INT64_MAX)
		require(limit_parse_rlimit(words, &again) == 0 && again.soft == limit.soft &&
			again.hard == UINT64_MAX);
}

static void check_words(const char *text)
{
	cpu_set_t cpus;
	uint64_t quota = UNTOUCHED;
	int number = UNTOUCHED;

	CPU_ZERO(&cpus);
	if (limit_parse_cpu_list(text, &cpus) == 0)
		require(CPU_COUNT(&cpus) > 0);
	else
		require(CPU_COUNT(&cpus) == 0);
	if (limit_parse_cpus(text, &quota) == 0)
		require(quota >= 1000 && quota < 10000ull * LIMIT_CPU_PERIOD);
	else
		require(quota == UNTOUCHED);
	if (limit_parse_ionice(text, &number) == 0)
		require(number >> 13 >= 1 && number >> 13 <= 3 && (number & 0x1fff) <= 7);
	else
		require(number == UNTOUCHED);
	if (limit_parse_int(text, -20, 19, &number) == 0)
		require(number >= -20 && number <= 19);
}

static void check_io(char *text)
{
	struct limit_io io = { .major = UNTOUCHED };
	bool has_rate = false;

	if (limit_parse_io(text, &io) < 0) {
		require(io.major == UNTOUCHED);
		return;
	}
	for (size_t i = 0; i < IO_RATE_COUNT; i++)
		has_rate |= io.rate[i] > 0;
	require(has_rate && io.major <= 0xfff && io.minor <= 0xfffff);
	require(!io.path || io.path[0] == '/');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);

	check_own(text);
	check_controllers(text);
	check_numbers(text);
	check_pids(text);
	check_rlimit(text);
	check_words(text);
	check_io(text); /* last: it cuts the text up */
	free(text);
	return 0;
}
