/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/glob.h"

#include <string.h>

#include "unit.h"

static bool matches(const char *pattern, const char *name)
{
	return glob_match(pattern, strlen(pattern), name);
}

static void test_match_table(void)
{
	static const struct {
		const char *pattern, *name;
		bool expected;
	} rows[] = {
		{ "abc", "abc", true },
		{ "abc", "abd", false },
		{ "abc", "ab", false },
		{ "ab", "abc", false },
		{ "*", "", true },
		{ "*", ".hidden", true },
		{ "?", "", false },
		{ "?", ".", true },
		{ "*.key", "a.key", true },
		{ "*.key", ".key", true },
		{ "*.key", "a.keys", false },
		{ "a*b*c", "aXbYbZc", true },
		{ "a*b*c", "aXcYb", false },
		{ "[a-c]x", "bx", true },
		{ "[a-c]x", "dx", false },
		{ "[!a-c]x", "dx", true },
		{ "[!a-c]x", "ax", false },
		{ "[]x]", "]", true },
		{ "[]x]", "y", false },
		{ "[!]]", "]", false },
		{ "[a-]", "-", true },
		{ "[\\]]", "]", true },
		{ "[a\\-z]", "m", false },
		{ "[a\\-z]", "-", true },
		{ "\\*", "*", true },
		{ "\\*", "x", false },
		{ "\\[id].c", "[id].c", true },
		{ "[\x80-\xff]", "\xe9", true },
		{ "***", "x", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (matches(rows[i].pattern, rows[i].name) != rows[i].expected)
			unit_fail(rows[i].pattern, __LINE__, rows[i].name);
}

static void test_length_bounds_the_pattern(void)
{
	CHECK(glob_match("ab/cd", 2, "ab"));
	CHECK(!glob_match("ab/cd", 2, "ab/cd"));
	CHECK(!glob_has_magic("ab/*", 2));
}

static void test_magic(void)
{
	CHECK(glob_has_magic("a*", 2) && glob_has_magic("a?", 2) && glob_has_magic("[a]", 3));
	CHECK(!glob_has_magic("a\\*", 3) && !glob_has_magic("abc", 3));
}

static void test_validity(void)
{
	CHECK(glob_is_valid("/a/*/b/[x-z]/\\*") && glob_is_valid("") && glob_is_valid("/"));
	CHECK(!glob_is_valid("/a/[b") && !glob_is_valid("/a/[b/c]") && !glob_is_valid("/a\\"));
	CHECK(!glob_is_valid("/a/**/b") && !glob_is_valid("**") && glob_is_valid("/a/x**"));
	CHECK(!glob_is_valid("/a/\\/b"));
	CHECK(glob_is_valid("*/*/*/*/*/*/*/*") && !glob_is_valid("*/*/*/*/*/*/*/*/*"));
}

static void test_unescape(void)
{
	char name[16];

	glob_unescape("a\\*\\\\b", 6, name);
	CHECK(strcmp(name, "a*\\b") == 0);
	glob_unescape("abc", 2, name);
	CHECK(strcmp(name, "ab") == 0);
}

static void test_long_names_take_no_time(void)
{
	char pattern[256], name[256];

	memset(pattern, '*', sizeof(pattern));
	for (size_t i = 0; i < 255; i += 2)
		pattern[i] = 'a';
	pattern[255] = '\0';
	memset(name, 'a', sizeof(name));
	name[255] = '\0';
	CHECK(matches(pattern, name));
	name[254] = 'b';
	CHECK(!matches(pattern, name));
}

int main(void)
{
	test_match_table();
	test_length_bounds_the_pattern();
	test_magic();
	test_validity();
	test_unescape();
	test_long_names_take_no_time();
	return 0;
}
