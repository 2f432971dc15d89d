/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of lib/spec/table.c and its texts.c: the rows are what the parser and the
 * generators rely on.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "spec/option.h"

static int failures;

static void check(bool is_true, const struct option_row *row, const char *what)
{
	if (is_true)
		return;
	fprintf(stderr, "--%s: %s\n", row->name, what);
	failures++;
}

static bool is_name(const char *name)
{
	if (!islower((unsigned char)name[0]))
		return false;
	for (; *name; name++) {
		if (!islower((unsigned char)*name) && !isdigit((unsigned char)*name) &&
		    *name != '-')
			return false;
	}
	return true;
}

/* "bwrap X.Y" or "X.Y" */
static bool is_since(const char *since)
{
	static const char digits[] = "0123456789";
	size_t major, minor;

	if (strncmp(since, "bwrap ", 6) == 0)
		since += 6;
	major = strspn(since, digits);
	if (major == 0 || since[major] != '.')
		return false;
	minor = strspn(since + major + 1, digits);
	return minor > 0 && since[major + 1 + minor] == '\0';
}

/* The markup that scdoc would take for bold or italic is closed where it is opened. */
static bool has_even(const char *text, char marker)
{
	int count = 0;

	for (size_t i = 0; text[i]; i++) {
		bool in_word = i > 0 && isalnum((unsigned char)text[i - 1]);
		bool at_end = !isalnum((unsigned char)text[i + 1]) && text[i + 1] != '-' &&
			      text[i + 1] != '/';

		if (text[i] == marker && !(in_word && at_end && count % 2 == 0))
			count++;
	}
	return count % 2 == 0;
}

static void check_texts(const struct option_row *row)
{
	const struct option_text *text = option_text(row);
	const char *help = text->help, *man = text->man;

	check(memchr(row->name, '\0', sizeof(row->name)) != NULL, row, "the name does not fit");
	check(is_name(row->name), row, "the name is not lower-case letters, digits and dashes");
	check(is_since(text->since), row, "since is neither \"bwrap X.Y\" nor \"X.Y\"");
	check(help[0] && help[strlen(help) - 1] != '.', row,
	      "help is empty or ends in a full stop");
	check(isupper((unsigned char)help[0]), row, "help does not begin with a capital");
	check(!strchr(help, '\n') && strlen(help) <= 80, row, "help is not one line");
	check(man[0] && man[strlen(man) - 1] == '.', row, "man does not end in a full stop");
	check(!strstr(man, "  ") && !strchr(man, '\n'), row, "man has two blanks or a line feed");
	check(has_even(man, '*') && has_even(man, '_'), row, "man has markup that is not closed");
}

static void check_args(const struct option_row *row)
{
	check(row->arg_count >= 0 && row->arg_count <= OPTION_MAX_ARGS, row,
	      "the number of arguments");
	check(!row->is_optional || row->arg_count == 1, row, "optional, but not one argument");
	for (int i = 0; i < OPTION_MAX_ARGS; i++) {
		bool is_used = i < row->arg_count;

		check(memchr(row->arg[i].meta, '\0', sizeof(row->arg[i].meta)) != NULL, row,
		      "a meta does not fit");
		check((row->arg[i].kind != KIND_NONE) == is_used, row,
		      "kinds do not match the number of arguments");
		check((row->arg[i].meta[0] != '\0') == is_used, row,
		      "metas do not match the number of arguments");
	}
}

int main(void)
{
	size_t count = 0;
	const struct option_row *rows = option_rows(&count);
	bool has_row[GROUP_COUNT] = { false };
	static const struct option_row none = { .name = "table" };

	check(count > 80, &none, "rows are missing");
	for (size_t i = 0; i < count; i++) {
		check_texts(&rows[i]);
		check_args(&rows[i]);
		check(rows[i].group < GROUP_COUNT, &rows[i], "no such group");
		has_row[rows[i].group] = true;
		for (size_t j = 0; j < i; j++)
			check(strcmp(rows[i].name, rows[j].name) != 0, &rows[i],
			      "the name is there twice");
	}
	for (int group = 0; group < GROUP_COUNT; group++) {
		check(has_row[group], &none, "a group without options");
		check(option_group_title((enum option_group)group) != NULL, &none,
		      "a group without a title");
	}
	return failures == 0 ? 0 : 1;
}
