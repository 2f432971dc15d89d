/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of lib/base/error.c, linked with str.c only: the first failure stays, everything is cut
 * to fit, names are escaped, every code, stage and hint has its text.
 */
#include "base/error.h"

#include <limits.h>

#include "unit.h"

static void test_first_stays(void)
{
	struct cloche_error err = ERROR_INIT;

	CHECK_INT(err.code, ERROR_NONE);
	CHECK_INT(err.use, -1);
	CHECK_INT(error_set_detail(&err, ERROR_SOURCE, ENOENT, "/first", "more"), -ENOENT);
	CHECK_INT(error_set(&err, ERROR_EXEC, EACCES, "/second"), -EACCES);
	CHECK_INT(error_set(&err, ERROR_NONE, 0, NULL), -EINVAL);
	CHECK_INT(err.code, ERROR_SOURCE);
	CHECK_INT(err.errnum, ENOENT);
	CHECK_STR(err.path, "/first");
	CHECK_STR(err.detail, "more");
}

static void test_without_values(void)
{
	struct cloche_error err = ERROR_INIT;

	memset(err.path, 'x', sizeof(err.path));
	memset(err.detail, 'x', sizeof(err.detail));
	CHECK_INT(error_set(&err, ERROR_NO_COMMAND, 0, NULL), -EINVAL);
	CHECK_STR(err.path, "");
	CHECK_STR(err.detail, "");
	CHECK_INT(err.errnum, 0);
}

static void test_cut_to_fit(void)
{
	struct cloche_error err = ERROR_INIT;
	char text[2 * sizeof(err.path)];

	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	CHECK_INT(error_set_detail(&err, ERROR_SOURCE, EIO, text, text), -EIO);
	CHECK_INT(strlen(err.path), sizeof(err.path) - 1);
	CHECK_INT(strlen(err.detail), sizeof(err.detail) - 1);
	CHECK(sizeof(err) <= PIPE_BUF); /* one write(2) hands it over whole */
}

static void test_hint(void)
{
	struct cloche_error err = ERROR_INIT;

	error_set_hint(&err, HINT_MOUNT_LIMIT);
	error_set_hint(&err, HINT_TYPO);
	CHECK_INT(err.hint, HINT_MOUNT_LIMIT);
}

static const char *format(const struct cloche_error *err, const char *template, size_t size)
{
	static char buf[256];

	memset(buf, '#', sizeof(buf));
	CHECK(error_format(err, template, buf, size) == buf);
	CHECK(strnlen(buf, sizeof(buf)) < size);
	for (size_t i = size; i < sizeof(buf); i++)
		CHECK(buf[i] == '#');
	return buf;
}

static void test_format(void)
{
	struct cloche_error err = ERROR_INIT;

	CHECK_STR(format(&err, "", 8), "");
	CHECK_STR(format(&err, "no COMMAND given", 64), "no COMMAND given");
	(void)error_set_detail(&err, ERROR_SOURCE, 0, "/a", "b c");
	CHECK_STR(format(&err, "{path} and {detail}, {path}", 64), "/a and b c, /a");
	CHECK_STR(format(&err, "{pat} { }{", 64), "{pat} { }{");
	err.errnum = ENOENT;
	CHECK_STR(format(&err, "no {path}", 64), "no /a: No such file or directory");
	CHECK_STR(format(&err, "gone (ENOENT){}", 64),
		  "gone (ENOENT)"); /* the text tells it by itself */
	CHECK_STR(format(&err, "no {path}", 8), "no /a: ");
	CHECK_STR(format(&err, "no {path}", 1), "");
	err.errnum = 4095; /* no such errno, yet a text */
	CHECK(strncmp(format(&err, "x", 64), "x: ", 3) == 0);
}

/* What a name holds is shown, not obeyed, and is no template. */
static void test_format_escapes(void)
{
	struct cloche_error err = ERROR_INIT;

	(void)error_set_detail(&err, ERROR_SOURCE, 0, "/\x1b[2J\n{detail}", "%s%n{path}\x9b");
	CHECK_STR(format(&err, "{path}|{detail}", 128), "/\\033[2J\\012{detail}|%s%n{path}\\233");
}

static void test_texts(void)
{
	for (int stage = 0; stage < STAGE_COUNT; stage++) {
		const char *name = error_stage_name((enum error_stage)stage);

		CHECK(name && name[0]);
		for (int other = 0; other < stage; other++)
			CHECK(strcmp(name, error_stage_name((enum error_stage)other)) != 0);
	}
	CHECK(error_hint_text(HINT_NONE) == NULL);
	for (int hint = 1; hint < HINT_COUNT; hint++) {
		const char *text = error_hint_text((enum error_hint)hint);

		CHECK(text && strlen(text) > 10);
		CHECK(text[strlen(text) - 1] != '.' && !strchr(text, '\n'));
	}
}

int main(void)
{
	test_first_stays();
	test_without_values();
	test_cut_to_fit();
	test_hint();
	test_format();
	test_format_escapes();
	test_texts();
	return 0;
}
