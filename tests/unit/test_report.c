/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of lib/spec/report.c: the error record as a line for people, in both personalities'
 * words, and as JSON.
 */
#include "spec/report.h"

#include "base/str.h"
#include "json-check.h"
#include "unit.h"

static const struct option_row bind_row = {
	.name = "bind", .arg_count = 2, .arg = { { KIND_PATH, "SRC" }, { KIND_DEST, "DEST" } }
};
static const struct option_row explain_row = {
	.name = "explain", .arg_count = 1, .is_optional = 1, .arg = { { KIND_CHOICE, "json" } }
};

/* A spec with one use of --bind. */
static struct spec spec_of(const char *personality, struct option_use *use)
{
	struct spec spec = { .personality = personality_find(personality),
			     .uses = use,
			     .use_count = 1 };

	for (int flag = 0; flag < FLAG_COUNT; flag++)
		spec.flag_use[flag] = -1;
	return spec;
}

struct capture {
	int read_end, old_stderr;
};

static struct capture capture_stderr(void)
{
	int ends[2];
	struct capture capture;

	CHECK(pipe2(ends, O_CLOEXEC) == 0);
	capture =
		(struct capture){ .read_end = ends[0], .old_stderr = fcntl(2, F_DUPFD_CLOEXEC, 3) };
	CHECK(capture.old_stderr >= 0 && dup2(ends[1], 2) == 2);
	close(ends[1]);
	return capture;
}

/* What was written on standard error since, up to 64 KiB. */
static const char *captured(struct capture *capture)
{
	static char text[65536];
	ssize_t length, total = 0;

	CHECK(dup2(capture->old_stderr, 2) == 2);
	close(capture->old_stderr);
	while ((length = read(capture->read_end, text + total, sizeof(text) - 1 - (size_t)total)) >
	       0)
		total += length;
	text[total] = '\0';
	close(capture->read_end);
	return text;
}

static const char *message(const struct spec *spec, const struct cloche_error *err,
			   enum report_level level)
{
	struct capture capture = capture_stderr();

	report_message(spec, err, level);
	return captured(&capture);
}

static const char *json(const struct spec *spec, const struct cloche_error *err)
{
	static char text[16384];
	struct str_buf buf = { .data = text, .size = sizeof(text) };

	report_json(spec, err, &buf);
	CHECK(is_json(text));
	CHECK(text[strlen(text) - 1] == '\n' &&
	      !memchr(text, '\n', strlen(text) - 1)); /* one line */
	return text;
}

static void test_message(void)
{
	struct option_use use = { .row = &bind_row, .arg = { "/src", "/dest" } };
	struct spec spec = spec_of("cloche", &use);
	struct cloche_error err = ERROR_INIT;

	err.use = 0;
	(void)error_set(&err, ERROR_SOURCE, ENOENT, "/src");
	CHECK_STR(message(&spec, &err, REPORT_ERROR), "cloche: --bind /src /dest: cannot open the "
						      "source /src: No such file or directory\n");
	err.hint = HINT_MOUNT_LIMIT;
	CHECK_STR(message(&spec, &err, REPORT_ERROR),
		  "cloche: --bind /src /dest: cannot open the source /src: No such file or "
		  "directory\n"
		  "cloche: hint: the limit of mounts is reached: sysctl fs.mount-max\n");
	err.hint = HINT_NONE;
	CHECK_STR(message(&spec, &err, REPORT_WARNING),
		  "cloche: --bind /src /dest: warning: cannot open the source /src: No such file "
		  "or directory\n");
	err.use = -1;
	err.errnum = 0;
	CHECK_STR(message(&spec, &err, REPORT_ERROR), "cloche: cannot open the source /src\n");
	err.use = 1; /* there is no such use */
	CHECK_STR(message(&spec, &err, REPORT_ERROR), "cloche: cannot open the source /src\n");
}

/* The words that callers of bubblewrap look for: no option before them, no hint behind. */
static void test_message_as_bwrap(void)
{
	struct option_use use = { .row = &bind_row, .arg = { "/src", "/dest" } };
	struct spec spec = spec_of("bwrap", &use);
	struct cloche_error err = ERROR_INIT;

	err.use = 0;
	err.hint = HINT_MOUNT_LIMIT;
	(void)error_set(&err, ERROR_SOURCE, ENOENT, "/src");
	CHECK_STR(message(&spec, &err, REPORT_ERROR),
		  "bwrap: Can't find source path /src: No such file or directory\n");
}

static void test_level_prefix(void)
{
	struct option_use use = { .row = &bind_row, .arg = { "/src", "/dest" } };
	struct spec spec = spec_of("bwrap", &use);
	struct cloche_error err = ERROR_INIT;

	spec.flag_use[FLAG_LEVEL_PREFIX] = 0;
	(void)error_set(&err, ERROR_NO_COMMAND, 0, NULL);
	CHECK(str_starts(message(&spec, &err, REPORT_ERROR), "<3>bwrap: "));
	CHECK(str_starts(message(&spec, &err, REPORT_WARNING), "<4>bwrap: "));
}

static void test_option_as_typed(void)
{
	struct option_use use = { .row = &explain_row,
				  .arg = { "j\x1b"
					   "son" },
				  .file = "fd 7" };
	struct spec spec = spec_of("cloche", &use);
	struct cloche_error err = ERROR_INIT;

	err.use = 0;
	(void)error_set(&err, ERROR_NO_COMMAND, 0, NULL);
	CHECK_STR(message(&spec, &err, REPORT_ERROR),
		  "cloche: --explain=j\\033son (read from fd 7): no COMMAND given\n");
	use.arg[0] = NULL;
	CHECK_STR(message(&spec, &err, REPORT_ERROR),
		  "cloche: --explain (read from fd 7): no COMMAND given\n");
}

static void test_note(void)
{
	struct option_use use = { .row = &bind_row, .arg = { "a", "b" } };
	struct spec spec = spec_of("cloche", &use);
	struct capture capture = capture_stderr();

	report_note(&spec, "not asked for");
	CHECK_STR(captured(&capture), "");
	spec.flag_use[FLAG_VERBOSE] = 0;
	capture = capture_stderr();
	report_note(&spec, "a\nb");
	CHECK_STR(captured(&capture), "cloche: a\\012b\n");
}

/* Long names crowd out neither the reason nor the newline. */
static void test_long(void)
{
	static const char *const personalities[] = { "cloche", "bwrap" };
	char text[8192];
	struct cloche_error err = ERROR_INIT;

	memset(text, '\x01', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	err.use = 0;
	err.hint = HINT_MOUNT_LIMIT;
	(void)error_set_detail(&err, ERROR_SOURCE_RACE, ENOENT, text, text);
	for (size_t i = 0; i < ARRAY_SIZE(personalities); i++) {
		struct option_use use = { .row = &bind_row, .arg = { text, text } };
		struct spec spec = spec_of(personalities[i], &use);
		const char *line = message(&spec, &err, REPORT_ERROR);

		CHECK(line[strlen(line) - 1] == '\n');
		CHECK(strlen(line) <=
		      4096); /* PIPE_BUF: one write(2) that does not mix with another */
		for (const char *c = line; *c; c++)
			CHECK(*c == '\n' || (*c >= 0x20 && *c < 0x7f));
		(void)json(&spec, &err);
	}
}

static void test_json(void)
{
	struct option_use use = { .row = &bind_row, .arg = { "/\"src", "/dest" } };
	struct spec spec = spec_of("cloche", &use);
	struct cloche_error err = ERROR_INIT;

	err.use = 0;
	err.stage = STAGE_SOURCES;
	err.hint = HINT_MOUNT_LIMIT;
	(void)error_set(&err, ERROR_SOURCE, ENOENT, "/\"src");
	CHECK_STR(json(&spec, &err),
		  "{ \"setup-error\": {\"stage\": \"sources\", \"option\": \"--bind /\\\"src "
		  "/dest\", \"index\": 0, "
		  "\"message\": \"cannot open the source /\\\"src: No such file or directory\", "
		  "\"path\": \"/\\\"src\", \"errno\": 2, "
		  "\"hint\": \"the limit of mounts is reached: sysctl fs.mount-max\"} }\n");
	err = ERROR_INIT;
	(void)error_set(&err, ERROR_NO_COMMAND, 0, NULL);
	CHECK_STR(json(&spec, &err),
		  "{ \"setup-error\": {\"stage\": \"options\", \"message\": \"no COMMAND given\", "
		  "\"errno\": 0} }\n");
}

int main(void)
{
	test_message();
	test_message_as_bwrap();
	test_level_prefix();
	test_option_as_typed();
	test_note();
	test_long();
	test_json();
	return 0;
}
