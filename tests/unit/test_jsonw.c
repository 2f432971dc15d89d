/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of lib/base/jsonw.c, linked with str.c only: every name becomes a valid JSON string.
 */
#include "base/jsonw.h"

#include "json-check.h"
#include "unit.h"

static const char *quoted(const char *text, size_t size)
{
	static char bytes[256];
	struct str_buf buf = { .data = bytes, .size = size };

	memset(bytes, '#', sizeof(bytes));
	jsonw_string(&buf, text);
	CHECK(strlen(bytes) == buf.length && buf.length < size);
	for (size_t i = size; i < sizeof(bytes); i++)
		CHECK(bytes[i] == '#');
	return bytes;
}

static void test_string(void)
{
	static const char *const cases[][2] = {
		{ "", "\"\"" },
		{ "plain /text", "\"plain /text\"" },
		{ "a\"b\\c", "\"a\\\"b\\\\c\"" },
		{ "\n\t\x01\x1f\x7f", "\"\\u000a\\u0009\\u0001\\u001f\\u007f\"" },
		{ "gr\xc3\xbc\xe2\x82\xac\xf0\x9f\x94\x94",
		  "\"gr\xc3\xbc\xe2\x82\xac\xf0\x9f\x94\x94\"" },
		{ "\xff\x80", "\"\\u00ff\\u0080\"" }, /* no UTF-8: the byte's number */
		{ "\xc3(", "\"\\u00c3(\"" },
		{ "\xe2\x82", "\"\\u00e2\\u0082\"" },		 /* cut off */
		{ "\xed\xa0\x80", "\"\\u00ed\\u00a0\\u0080\"" }, /* a surrogate */
		{ "\xc0\xaf", "\"\\u00c0\\u00af\"" },		 /* overlong */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CHECK_STR_IN(cases[i][0], quoted(cases[i][0], 256), cases[i][1]);
		CHECK(is_json(quoted(cases[i][0], 256)));
	}
}

static void test_bytes(void)
{
	for (int byte = 1; byte < 256; byte++) {
		const char text[] = { 'a', (char)byte, 'b', '\0' };

		CHECK(is_json(quoted(text, 256)));
	}
}

static void test_cut(void)
{
	for (size_t size = 1; size < 12; size++)
		CHECK(strncmp(quoted("a\n\"b", size), "\"a\\u000a\\\"b\"", size - 1) == 0);
}

static void test_key(void)
{
	char bytes[128];
	struct str_buf buf = { .data = bytes, .size = sizeof(bytes) };

	str_add(&buf, "{");
	jsonw_key(&buf, "first");
	str_add_number(&buf, 1);
	jsonw_key(&buf, "list");
	str_add(&buf, "[{");
	jsonw_key(&buf, "in\"ner");
	jsonw_string(&buf, "{");
	jsonw_key(&buf, "last");
	str_add(&buf, "[]}]}");
	CHECK_STR(bytes, "{\"first\": 1, \"list\": [{\"in\\\"ner\": \"{\", \"last\": []}]}");
	CHECK(is_json(bytes));
}

/* The checker itself: what it must refuse. */
static void test_checker(void)
{
	static const char *const bad[] = {
		"",   "{",	 "{}}",	  "\"a", "\"\n\"",   "[1,]",	  "{\"a\"}",  "{a: 1}",
		"01", "\"\\x\"", "[1 2]", "nul", "\"\xff\"", "{\"a\": }", "\"\\u12\""
	};
	static const char *const good[] = { "{}", "[]", " [ 1 , -2, true, null ] \n",
					    "{\"a\": {\"b\": [\"\"]}}", "0" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK(!is_json(bad[i]));
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		CHECK(is_json(good[i]));
}

int main(void)
{
	test_checker();
	test_string();
	test_bytes();
	test_cut();
	test_key();
	return 0;
}
