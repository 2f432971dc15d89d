/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of lib/watch/usage.c: what is unknown is null, times have six decimals.
 */
#include "watch/usage.h"

#include "json-check.h"
#include "spec-input.h"

static void written(const struct usage *usage, int status, char text[512])
{
	struct spec spec = empty_spec("cloche");
	ssize_t got;
	int ends[2];

	CHECK(pipe2(ends, O_CLOEXEC) == 0);
	spec.usage_fd.fd = ends[1];
	usage_write(&spec, usage, status);
	(void)close(ends[1]);
	got = read(ends[0], text, 511);
	(void)close(ends[0]);
	text[got > 0 ? got : 0] = '\0';
	CHECK(is_json(text));
}

static void test_unknown(void)
{
	char text[512];

	written(NULL, 125, text);
	CHECK_STR(text, "{\"wall\": null, \"user\": null, \"system\": null, \"max-rss\": null, "
			"\"memory-peak\": null, \"pids-peak\": null, \"io-read\": null, "
			"\"io-write\": null, \"oom-kills\": null, \"net-sent\": null, "
			"\"net-received\": null, "
			"\"exit-code\": 125}\n");
}

static void test_known(void)
{
	const struct rusage rusage = {
		.ru_utime = { 1, 2 }, .ru_stime = { 0, 999999 }, .ru_maxrss = 3, .ru_inblock = 4
	};
	struct usage usage;
	char text[512];

	usage_start(&usage);
	usage.start = (struct timespec){ 0 }; /* unknown again: it would change */
	usage_add_rusage(&usage, &rusage);
	usage.oom_kills = (struct usage_number){ true, UINT64_MAX };
	usage.net_sent = (struct usage_number){ true, 7 };
	written(&usage, 0, text);
	CHECK_STR(text,
		  "{\"wall\": null, \"user\": 1.000002, \"system\": 0.999999, "
		  "\"max-rss\": 3072, \"memory-peak\": null, \"pids-peak\": null, "
		  "\"io-read\": 2048, \"io-write\": 0, "
		  "\"oom-kills\": 18446744073709551615, \"net-sent\": 7, \"net-received\": null, "
		  "\"exit-code\": 0}\n");
}

static void test_wall(void)
{
	struct usage usage;
	char text[512];

	usage_start(&usage);
	usage.start.tv_sec -= 5;
	written(&usage, 0, text);
	CHECK(strncmp(text, "{\"wall\": 5.", 11) == 0 || strncmp(text, "{\"wall\": 6.", 11) == 0);
}

int main(void)
{
	struct spec spec = empty_spec("cloche");

	test_unknown();
	test_known();
	test_wall();
	usage_write(&spec, NULL, 0); /* not asked for: nothing happens */
	return 0;
}
