/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of lib/base/jsonr.c, which it links alone.
 */
#include "base/jsonr.h"

#include "unit.h"

static struct json_document document;
static char buffer[8192];

static int parse(const char *text)
{
	CHECK(strlen(text) < sizeof(buffer));
	strcpy(buffer, text);
	return jsonr_parse(buffer, &document);
}

static void test_members(void)
{
	CHECK_INT(parse(" {\"a\":1, \"b\": [true,false , null,-0.5e+3,\"x\"],\"c\":{\"a\":\"in\"} "
			",\"d\":\"\"} "),
		  0);
	CHECK_STR(jsonr_number(&document, 0, "a"), "1");
	CHECK_STR(jsonr_string(&document, 0, "a"), NULL);
	CHECK_STR(jsonr_string(&document, 0, "d"), "");
	CHECK_STR(jsonr_string(&document, 0, "e"), NULL);
	CHECK_STR(jsonr_string(&document, jsonr_member(&document, 0, "c"), "a"), "in");
	size_t list = jsonr_member(&document, 0, "b");
	CHECK_INT(document.values[list].type, JSON_ARRAY);
	CHECK_INT(document.values[list].end - list, 6);
	CHECK_INT(document.values[list + 1].type, JSON_TRUE);
	CHECK_STR(document.values[list + 4].text, "-0.5e+3");
	CHECK_STR(document.values[list + 5].text, "x");
	CHECK_INT(parse("[]"), 0);
	CHECK_INT(jsonr_member(&document, 0, "a"), 0);
	CHECK_INT(parse("{}"), 0);
	CHECK_INT(jsonr_member(&document, 0, "a"), 0);
	CHECK_INT(parse("{\"a\":[1,2],\"b\":{\"c\":3}}"), 0);
	CHECK_STR(jsonr_number(&document, jsonr_member(&document, 0, "b"), "c"), "3");
}

static void test_strings(void)
{
	CHECK_INT(parse("[\"a\\n\\\"\\\\\\/\\u00e9\\ud83d\\udc27\\t\xc3\xbc\"]"), 0);
	CHECK_STR(document.values[1].text, "a\n\"\\/\xc3\xa9\xf0\x9f\x90\xa7\t\xc3\xbc");
}

static void test_refused(void)
{
	static const char *const bad[] = {
		"",
		" ",
		"1",
		"-",
		"x",
		"{",
		"}",
		"[",
		"]",
		"[1",
		"[1,]",
		"[,1]",
		"[1 2]",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\":1,}",
		"{a:1}",
		"{1:2}",
		"[01]",
		"[-]",
		"[1.]",
		"[.5]",
		"[1e]",
		"[+1]",
		"[tru]",
		"[truex]",
		"[\"a]",
		"[\"\\x\"]",
		"[\"\\u12\"]",
		"[\"\\u0000\"]",
		"[\"\\ud800\"]",
		"[\"\\ud800\\u0041\"]",
		"[\"\\udc00\"]",
		"[\"\n\"]",
		"[1]]",
		"{} {}",
		"[nul]",
		"\xef\xbb\xbf[]",
		"['a']",
		"[\"\\",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (parse(bad[i]) >= 0)
			CHECK_STR(bad[i], "refused");
}

static void test_limits(void)
{
	char text[2048] = "[";

	CHECK_INT(parse("[[[[[[[[1]]]]]]]]"), 0);
	CHECK_INT(parse("[[[[[[[[[1]]]]]]]]]"), -E2BIG);
	for (int i = 0; i < JSON_MOST_VALUES; i++)
		strcat(text, i ? ",1" : "1");
	strcat(text, "]");
	CHECK_INT(parse(text), -E2BIG);
}

int main(void)
{
	test_members();
	test_strings();
	test_refused();
	test_limits();
	return 0;
}
