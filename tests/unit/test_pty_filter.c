/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of lib/watch/pty-filter.c, which it links alone: what passes, what does not, and that
 * it makes no difference how the stream is cut into pieces.
 */
#include "watch/pty-filter.h"

#include "base/util.h"
#include "unit.h"

struct text {
	const char *data;
	size_t size;
};

#define TEXT(literal)                                                                              \
	{                                                                                          \
		literal, sizeof(literal) - 1                                                       \
	}

/* Filters @in in pieces of @piece bytes; the caller frees what comes out, which ends with NUL. */
static char *filtered(const struct text *in, size_t piece, bool is_utf8, size_t *ret_size)
{
	static struct pty_filter filter;
	char *out = malloc(in->size + PTY_FILTER_MAX + 1);
	size_t size = 0;

	CHECK(out != NULL);
	memset(&filter, 0, sizeof(filter));
	filter.is_utf8 = is_utf8;
	for (size_t at = 0; at < in->size; at += piece)
		size += pty_filter(&filter, in->data + at,
				   in->size - at < piece ? in->size - at : piece, out + size);
	CHECK(size <= in->size + PTY_FILTER_MAX);
	out[size] = '\0';
	*ret_size = size;
	return out;
}

static void check(const struct text *in, const struct text *expected, bool is_utf8)
{
	for (size_t piece = 1; piece <= in->size; piece++) {
		size_t size;
		char *out = filtered(in, piece, is_utf8, &size);

		if (size != expected->size || memcmp(out, expected->data, size) != 0)
			fprintf(stderr, "'%s' became '%s'\n", in->data + 1, out);
		CHECK(size == expected->size && memcmp(out, expected->data, size) == 0);
		free(out);
	}
}

static void test_passes(void)
{
	static const struct text harmless[] = {
		TEXT("plain text\r\n\ttab\b\a\v\f"),
		TEXT("gr\xc3\xbc\xc3\x9f"
		     "e \xe2\x82\xac \xf0\x9f\x90\xa7"),
		TEXT("\x1b[0;1;31mred\x1b[m\x1b[38:2::1:2:3m"),
		TEXT("\x1b[2J\x1b[H\x1b[10;20H\x1b[K\x1b[?25l\x1b[?1049h\x1b[?2004h\x1b[?1000;"
		     "1006h"),
		TEXT("\x1b"
		     "7\x1b"
		     "8\x1b=\x1b>\x1b(B\x1b)0\x1b#8\x1bM\x1b"
		     "c"),
		TEXT("\x1b[4 q\x1b[!p\x1b[3g\x1b[1;5r\x1b[5S\x1b[2T"),
		TEXT("\x1b]0;title\x1b\\\x1b]2;t\xc3\xbc\x1b\\\x1b]8;;http://a.test/"
		     "\x1b\\link\x1b]8;;\x1b\\"),
		TEXT("\x1b]4;1;rgb:ff/00/"
		     "00\x1b\\\x1b]10;#ffffff\x1b\\\x1b]104\x1b\\\x1b]133;A\x1b\\"),
		TEXT("\x1b[>4;2m\x1b[>1u\x1b[<u\x1b[=1;1u"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(harmless); i++)
		check(&harmless[i], &harmless[i], true);
}

static void test_dropped(void)
{
	static const struct text answered[] = {
		TEXT("\x1b[c"),
		TEXT("\x1b[0c"),
		TEXT("\x1b[>c"),
		TEXT("\x1b[=c"),
		TEXT("\x1bZ"),
		TEXT("\x1b[5n"),
		TEXT("\x1b[6n"),
		TEXT("\x1b[?6n"),
		TEXT("\x1b[?996n"),
		TEXT("\x05"),
		TEXT("\x1b[21t"),
		TEXT("\x1b[14t"),
		TEXT("\x1b[18t"),
		TEXT("\x1b[x"),
		TEXT("\x1b[1x"),
		TEXT("\x1b[?1$p"),
		TEXT("\x1b[4$p"),
		TEXT("\x1b[>q"),
		TEXT("\x1b[>0q"),
		TEXT("\x1b[?u"),
		TEXT("\x1b[1$w"),
		TEXT("\x1b[1;1;1;1;1;1*y"),
		TEXT("\x1b[?4m"),
		TEXT("\x1b[?2;1S"),
		TEXT("\x1b[1;2;3;4;5T"),
		TEXT("\x1b[?2048h"),
		TEXT("\x1b[?25;2048h"),
		TEXT("\x1b[?2l"),
		TEXT("\x1b[i"),
		TEXT("\x1b[#R"),
		TEXT("\x1b['|"),
		TEXT("\x1b G"),
		TEXT("\x1b[1;?c"),
		TEXT("\x1bP$qm\x1b\\"),
		TEXT("\x1bP+q544e\x1b\\"),
		TEXT("\x1bP\x1b]52;c;eA==\x07"),
		TEXT("\x1b_Ga=q;\x1b\\"),
		TEXT("\x1b^x\x1b\\"),
		TEXT("\x1bXx\x1b\\"),
		TEXT("\x1bktitle\x1b\\"),
		TEXT("\x1b]52;c;ZXZpbA==\x07"),
		TEXT("\x1b]52;c;?\x1b\\"),
		TEXT("\x1b]4;1;?\x07"),
		TEXT("\x1b]10;?\x07"),
		TEXT("\x1b]11;?\x1b\\"),
		TEXT("\x1b]50;?\x07"),
		TEXT("\x1b]60\x07"),
		TEXT("\x1b]1337;ReportCellSize\x07"),
		TEXT("\x1b]99;i=1:p=?;\x1b\\"),
		TEXT("\x1b];x\x07"),
		TEXT("\x1b]l\x07"),
		TEXT("\x1b]00052;c;eA==\x07"),
		TEXT("\x1b]12345;x\x07"),
	};
	static const struct text nothing = TEXT("");

	for (size_t i = 0; i < ARRAY_SIZE(answered); i++)
		check(&answered[i], &nothing, true);
}

static void test_parts(void)
{
	static const struct {
		struct text in, out;
	} cases[] = {
		/* The terminal obeys controls at once, wherever they stand. */
		{ TEXT("a\x1b[6\nnb"), TEXT("a\nb") },
		{ TEXT("a\x1b[1\n;31mb"), TEXT("a\n\x1b[1;31mb") },
		{ TEXT("\x1b[6\x05n!"), TEXT("!") },
		/* Cut short, and begun anew. */
		{ TEXT("\x1b[6\x18n"), TEXT("\x18n") },
		{ TEXT("\x1b[3\x1b[6n!"), TEXT("!") },
		{ TEXT("\x1b\x1b\x1b[6n!"), TEXT("!") },
		{ TEXT("\x1b]0;a\x1b[6n!"), TEXT("!") },
		{ TEXT("\x1b]0;a\x1b]52;c;x\x07!"), TEXT("!") },
		{ TEXT("\x1b]0;a\x1b\x1b[6n!"), TEXT("!") },
		{ TEXT("\x1b[6\xc3\xbcn"), TEXT("n") },
		{ TEXT("\x1b\x7f[6n!"), TEXT("!") },
		/* A tmux that is asked to pass something on: the string ends at the first ESC. */
		{ TEXT("\x1bPtmux;\x1b\x1b]52;c;eA==\x07!\x1b\\"), TEXT("!") },
		{ TEXT("\x1b]0;a\x07!"), TEXT("\x1b]0;a\x07!") },
		/* C1 controls: single bytes, in UTF-8, with too many bytes; broken characters. */
		{ TEXT("a\x9b"
		       "6nb"),
		  TEXT("a6nb") },
		{ TEXT("a\xc2\x9b"
		       "6nb"),
		  TEXT("a6nb") },
		{ TEXT("a\xe0\x82\x9b"
		       "6nb"),
		  TEXT("a6nb") },
		{ TEXT("a\xe0\x80\x9b[6nb"), TEXT("a[6nb") },
		{ TEXT("a\xf0\x80\x80\x9b"
		       "b"),
		  TEXT("ab") },
		{ TEXT("a\xc0\x9b"
		       "b\xff\xfe"),
		  TEXT("ab") },
		{ TEXT("a\xe2\x82"
		       "b"),
		  TEXT("ab") },
		{ TEXT("a\xe2\x82\x1b[6n!"), TEXT("a!") },
		{ TEXT("\xc2\xa0\xed\x9f\xbf"), TEXT("\xc2\xa0\xed\x9f\xbf") },
		{ TEXT("\xed\xa0\x80"), TEXT("") },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check(&cases[i].in, &cases[i].out, true);
}

static void test_single_bytes(void)
{
	static const struct text in = TEXT("a\x9b"
					   "6n\xc2\x9b\xe9!"),
				 out = TEXT("a6n\xc2\xe9!");

	check(&in, &out, false);
}

/* However short its sequences are, what comes out is no longer than what went in. */
static void test_no_growth(void)
{
	static char data[4 * PTY_FILTER_MAX];
	struct text in = { data, sizeof(data) };
	size_t size;

	for (size_t i = 0; i < sizeof(data); i += 4)
		memcpy(data + i, "\x1b]0\a", 4);
	free(filtered(&in, 1000, true, &size));
	CHECK_INT(size, sizeof(data));
}

/* Too long to be kept: dropped as a whole, and what follows is seen. */
static void test_too_long(void)
{
	static char data[3 * PTY_FILTER_MAX] = "\x1b]0;";
	struct text in = { data, sizeof(data) };
	size_t size;
	char *out;

	memset(data + 4, 'x', sizeof(data) - 4);
	memcpy(data + sizeof(data) - 6, "\x1b\\done", 6);
	out = filtered(&in, 1000, true, &size);
	CHECK_STR(out, "done");
	free(out);
	memset(data, ';', sizeof(data));
	memcpy(data, "\x1b[1", 3);
	memcpy(data + sizeof(data) - 5, "mdone", 5);
	out = filtered(&in, 1000, true, &size);
	CHECK_STR(out, "done");
	free(out);
}

int main(void)
{
	test_passes();
	test_dropped();
	test_parts();
	test_single_bytes();
	test_no_growth();
	test_too_long();
	return 0;
}
