/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of lib/base/str.c, which it links alone: nothing is written past a buffer, all is
 * terminated, and no name makes a terminal do anything.
 */
#include "base/str.h"

#include "unit.h"

#define GUARD '#'

/* A buffer whose bytes behind @size must stay as they are. */
struct guarded {
	char bytes[64];
	struct str_buf buf;
};

static void guarded_start(struct guarded *guarded, size_t size)
{
	memset(guarded->bytes, GUARD, sizeof(guarded->bytes));
	guarded->buf = (struct str_buf){ .data = guarded->bytes, .size = size };
}

static void guarded_check(const struct guarded *guarded, const char *expected)
{
	CHECK_STR(guarded->bytes, expected);
	CHECK_INT(guarded->buf.length, strlen(expected));
	for (size_t i = guarded->buf.size; i < sizeof(guarded->bytes); i++)
		CHECK(guarded->bytes[i] == GUARD);
}

static void test_copy(void)
{
	char to[8];

	memset(to, GUARD, sizeof(to));
	str_copy(to, 4, "abcdef");
	CHECK_STR(to, "abc");
	CHECK(to[4] == GUARD);
	str_copy(to, 4, "abc");
	CHECK_STR(to, "abc");
	str_copy(to, 4, "");
	CHECK_STR(to, "");
	str_copy(to, 1, "abc");
	CHECK_STR(to, "");
	CHECK(to[4] == GUARD);
}

static void test_add(void)
{
	struct guarded guarded;

	guarded_start(&guarded, 8);
	str_add(&guarded.buf, "");
	guarded_check(&guarded, "");
	str_add(&guarded.buf, "abc");
	str_add_char(&guarded.buf, 'd');
	guarded_check(&guarded, "abcd");
	str_add(&guarded.buf, "efghij");
	guarded_check(&guarded, "abcdefg");
	str_add_char(&guarded.buf, 'x');
	str_add_number(&guarded.buf, 1);
	str_add_escaped(&guarded.buf, "y\n");
	guarded_check(&guarded, "abcdefg");
	guarded_start(&guarded, 1);
	str_add(&guarded.buf, "abc");
	guarded_check(&guarded, "");
}

static void test_number(void)
{
	struct guarded guarded;

	guarded_start(&guarded, 64);
	str_add_number(&guarded.buf, 0);
	str_add_char(&guarded.buf, ' ');
	str_add_number(&guarded.buf, 10);
	str_add_char(&guarded.buf, ' ');
	str_add_number(&guarded.buf, UINT64_MAX);
	guarded_check(&guarded, "0 10 18446744073709551615");
	guarded_start(&guarded, 4);
	str_add_number(&guarded.buf, 123456);
	guarded_check(&guarded, "123");
}

static void test_escaped(void)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{ "", "" }, /* terminated all the same */
		{ "plain text ~", "plain text ~" },
		{ "back\\slash \"quote\"", "back\\slash \"quote\"" },
		{ "\n\r\t\b", "\\012\\015\\011\\010" },
		{ "\x1b[2J", "\\033[2J" },
		{ "\x01\x1f\x7f", "\\001\\037\\177" },
		{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
		{ "\xe2\x82\xac", "\xe2\x82\xac" },
		{ "\xf0\x9f\x94\x94", "\xf0\x9f\x94\x94" },
		{ "\xef\xbf\xbd", "\xef\xbf\xbd" },
		{ "\xed\x9f\xbf", "\xed\x9f\xbf" },	    /* U+D7FF, before the surrogates */
		{ "\xee\x80\x80", "\xee\x80\x80" },	    /* U+E000, behind the surrogates */
		{ "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf" }, /* U+10FFFF, the last */
		{ "\xc2\xa0", "\xc2\xa0" }, /* U+00A0, the first behind the C1 controls */
		{ "\xc2\x9b"
		  "31m",
		  "\\302\\23331m" }, /* U+009B, CSI */
		{ "\xc2\x80\xc2\x85", "\\302\\200\\302\\205" },
		{ "\x9b"
		  "31m",
		  "\\23331m" },	     /* CSI of an 8-bit terminal */
		{ "\xc3", "\\303" }, /* cut off */
		{ "\xc3(", "\\303(" },
		{ "\xe2\x82", "\\342\\202" },
		{ "\xe2\x82(", "\\342\\202(" },
		{ "\xf0\x9f\x94", "\\360\\237\\224" },
		{ "\xff\xfe", "\\377\\376" },
		{ "\xf5\x80\x80\x80", "\\365\\200\\200\\200" },
		{ "\xc0\x80\xc1\xbf", "\\300\\200\\301\\277" }, /* overlong, two bytes */
		{ "\xe0\x82\x9b",
		  "\\340\\202\\233" }, /* overlong U+009B: a lax terminal would obey it */
		{ "\xe0\x80\x9b", "\\340\\200\\233" }, /* overlong ESC */
		{ "\xf0\x80\x80\x9b", "\\360\\200\\200\\233" },
		{ "\xf0\x8f\xbf\xbf", "\\360\\217\\277\\277" },
		{ "\xed\xa0\x80", "\\355\\240\\200" }, /* a surrogate */
		{ "\xed\xbf\xbf", "\\355\\277\\277" },
		{ "\xf4\x90\x80\x80", "\\364\\220\\200\\200" }, /* beyond U+10FFFF */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct guarded guarded;

		guarded_start(&guarded, 64);
		str_add_escaped(&guarded.buf, cases[i].text);
		guarded_check(&guarded, cases[i].expected);
	}
}

/* Every byte alone: nothing that comes out is a control character or a byte above ASCII. */
static void test_escaped_bytes(void)
{
	for (int byte = 1; byte < 256; byte++) {
		const char text[] = { (char)byte, '\0' };
		struct guarded guarded;

		guarded_start(&guarded, 16);
		str_add_escaped(&guarded.buf, text);
		CHECK(guarded.buf.length == 1 || guarded.buf.length == 4);
		for (size_t i = 0; i < guarded.buf.length; i++)
			CHECK(guarded.bytes[i] >= 0x20 && guarded.bytes[i] < 0x7f);
	}
}

/* Cut anywhere, what is there is a beginning of the whole. */
static void test_escaped_cut(void)
{
	const char whole[] = "a\\012\xe2\x82\xac";

	for (size_t size = 1; size <= sizeof(whole); size++) {
		struct guarded guarded;

		guarded_start(&guarded, size);
		str_add_escaped(&guarded.buf, "a\n\xe2\x82\xac");
		CHECK(guarded.buf.length < size);
		CHECK(strlen(guarded.bytes) == guarded.buf.length);
		CHECK(strncmp(guarded.bytes, whole, guarded.buf.length) == 0);
	}
}

static void test_utf8_length(void)
{
	CHECK_INT(str_utf8_length("a"), 1);
	CHECK_INT(str_utf8_length("\n"), 1);
	CHECK_INT(str_utf8_length("\xc3\xbc"), 2);
	CHECK_INT(str_utf8_length("\xe2\x82\xac"), 3);
	CHECK_INT(str_utf8_length("\xf0\x9f\x94\x94"), 4);
	CHECK_INT(str_utf8_length("\x80"), 0);
	CHECK_INT(str_utf8_length("\xc3"), 0);
	CHECK_INT(str_utf8_length("\xed\xa0\x80"), 0);
}

static void test_others(void)
{
	char path[STR_FD_PATH_SIZE];
	char *text;

	CHECK_STR(str_fd_path(path, 0), "/proc/self/fd/0");
	CHECK_STR(str_fd_path(path, INT32_MAX), "/proc/self/fd/2147483647");
	CHECK(str_starts("abc", "ab"));
	CHECK(str_starts("abc", ""));
	CHECK(str_starts("abc", "abc"));
	CHECK(!str_starts("ab", "abc"));
	CHECK(!str_starts("xabc", "abc"));
	CHECK(str_ends("abc", "bc"));
	CHECK(str_ends("abc", "abc"));
	CHECK(str_ends("abc", ""));
	CHECK(!str_ends("bc", "abc"));
	CHECK(!str_ends("abcx", "abc"));
	text = str_format("%s=%d", "a", 7);
	CHECK_STR(text, "a=7");
	free(text);
}

int main(void)
{
	test_copy();
	test_add();
	test_number();
	test_escaped();
	test_escaped_bytes();
	test_escaped_cut();
	test_utf8_length();
	test_others();
	return 0;
}
