/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The forms of the option table that people and programs read: --help, the manual page's OPTIONS,
 * --introspect, the fuzzer's dictionary, and the C header that carries help and JSON into the
 * program. Build time only.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "gen-options.h"

#define HELP_INDENT 4
#define HELP_COLUMN 33 /* where the texts begin */
#define HELP_WIDTH 80

/* Writes @text from column @column on, broken between words before HELP_WIDTH, later lines indented
 * to HELP_COLUMN. */
static void write_wrapped(FILE *out, const char *text, int column)
{
	while (*text) {
		int length = (int)strcspn(text, " ");

		if (column + 1 + length > HELP_WIDTH && column > HELP_COLUMN)
			column = fprintf(out, "\n%*s", HELP_COLUMN, "") - 1;
		else if (column > HELP_COLUMN)
			column += fprintf(out, " ");
		column += fprintf(out, "%.*s", length, text);
		text += length;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

/* Measures by writing to memory, so that the texts have one author. */
static int usage_length(const struct option_row *row)
{
	char *text = NULL;
	size_t length = 0;
	FILE *memory = open_memstream(&text, &length);

	if (!memory)
		abort();
	write_usage(memory, row, "", "");
	fclose(memory);
	free(text);
	return (int)length;
}

static void write_help_row(FILE *out, const struct option_row *row)
{
	int column = HELP_INDENT + (int)strlen("--") + (int)strlen(row->name) + usage_length(row);

	fprintf(out, "%*s--%s", HELP_INDENT, "", row->name);
	write_usage(out, row, "", "");
	if (column >= HELP_COLUMN)
		fprintf(out, "\n%*s", HELP_COLUMN, "");
	else
		fprintf(out, "%*s", HELP_COLUMN - column, "");
	write_wrapped(out, option_text(row)->help, HELP_COLUMN);
}

void write_help(FILE *out)
{
	size_t count = 0;
	const struct option_row *rows = option_rows(&count);

	for (int group = 0; group < GROUP_COUNT; group++) {
		fprintf(out, "%s%s:\n", group > 0 ? "\n" : "",
			option_group_title((enum option_group)group));
		for (size_t i = 0; i < count; i++) {
			if (rows[i].group == (enum option_group)group)
				write_help_row(out, &rows[i]);
		}
	}
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c);
}

/*
 * Walks the markup of a man text: *bold* and _italic_ mark whole words, so an underscore or
 * asterisk inside a word (cap_) is a letter. @open and @close hold the marker that is open. Returns
 * whether @text[@i] is a marker.
 */
static bool is_marker(const char *text, size_t i, char *open)
{
	char before = i > 0 ? text[i - 1] : ' ';

	if (text[i] != '*' && text[i] != '_')
		return false;
	if (*open == text[i] && !is_word(text[i + 1])) {
		*open = '\0';
		return true;
	}
	if (*open == '\0' && !is_word(before) && text[i + 1] != '\0' && text[i + 1] != ' ') {
		*open = text[i];
		return true;
	}
	return false;
}

static void write_man_text(FILE *out, const char *text)
{
	char open = '\0';

	for (size_t i = 0; text[i]; i++) {
		if (strchr("*_\\", text[i]) && !is_marker(text, i, &open))
			fputc('\\', out);
		fputc(text[i], out);
	}
}

void write_scdoc(FILE *out)
{
	size_t count = 0;
	const struct option_row *rows = option_rows(&count);

	for (int group = 0; group < GROUP_COUNT; group++) {
		fprintf(out, "%s## %s\n", group > 0 ? "\n" : "",
			option_group_title((enum option_group)group));
		for (size_t i = 0; i < count; i++) {
			if (rows[i].group != (enum option_group)group)
				continue;
			fprintf(out, "\n*--%s*", rows[i].name);
			write_usage(out, &rows[i], "_", "_");
			fputs("\n\t", out);
			write_man_text(out, option_text(&rows[i])->man);
			if (strncmp(option_text(&rows[i])->since, "bwrap ", 6) != 0)
				fputs(" Not in bubblewrap.", out);
			fputc('\n', out);
		}
	}
}

/* Writes @text as a JSON string; the table is ASCII. */
static void write_json_string(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

/* As write_json_string(), without the markup. */
static void write_json_plain(FILE *out, const char *text)
{
	char open = '\0';

	fputc('"', out);
	for (size_t i = 0; text[i]; i++) {
		if (is_marker(text, i, &open))
			continue;
		if (text[i] == '"' || text[i] == '\\')
			fputc('\\', out);
		fputc(text[i], out);
	}
	fputc('"', out);
}

static void write_json_row(FILE *out, const struct option_row *row)
{
	fputs("\n{\"name\":", out);
	write_json_string(out, row->name);
	fputs(",\"group\":", out);
	write_json_string(out, option_group_title(row->group));
	fputs(",\"since\":", out);
	write_json_string(out, option_text(row)->since);
	fputs(",\"args\":[", out);
	for (int i = 0; i < row->arg_count; i++) {
		fprintf(out, "%s{\"kind\":\"%s\",\"meta\":", i > 0 ? "," : "",
			kind_name(row->arg[i].kind));
		write_json_string(out, row->arg[i].meta);
		fputc('}', out);
	}
	fprintf(out, "],\"optional\":%s,\"help\":", row->is_optional ? "true" : "false");
	write_json_string(out, option_text(row)->help);
	fputs(",\"man\":", out);
	write_json_plain(out, option_text(row)->man);
	fputc('}', out);
}

void write_introspect(FILE *out)
{
	size_t count = 0;
	const struct option_row *rows = option_rows(&count);

	fputs("{\"program\":\"cloche\",\"options\":[", out);
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			fputc(',', out);
		write_json_row(out, &rows[i]);
	}
	fputs("\n]}\n", out);
}

void write_fuzz_dict(FILE *out)
{
	/* Values at the edges of the parser's kinds. */
	static const char *const values[] = {
		"--",
		"=",
		"\\x00",
		"-1",
		"0x10",
		"0777",
		"07777",
		"010000",
		"2147483647",
		"64M",
		"2G",
		"18446744073709551615",
		"4294967294",
		"4294967295",
		"cap_net_raw",
		"ALL",
		"net_raw",
		"json",
		"private",
		"slave",
		"bwrap",
		"/",
		"..",
		"/proc/self/exe",
		"0:0:1",
		"1:2:3,4:5:6",
		"4294967294:0:1",
		"/proc/self/ns/net",
		"monotonic:-1.5",
		"boottime:4611686018",
	};
	size_t count = 0;
	const struct option_row *rows = option_rows(&count);

	for (size_t i = 0; i < count; i++) {
		fprintf(out, "\"--%s\"\n", rows[i].name);
		if (rows[i].arg_count == 1)
			fprintf(out, "\"--%s=\"\n", rows[i].name);
	}
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		fprintf(out, "\"%s\"\n", values[i]);
}

/* Writes what @write writes as a C string constant @name, a source line per line of text. */
static void write_c_string(FILE *out, const char *name, void (*write)(FILE *out))
{
	char *text = NULL;
	size_t length = 0;
	FILE *memory = open_memstream(&text, &length);

	if (!memory)
		abort();
	write(memory);
	fclose(memory);
	fprintf(out, "static const char %s[] = \"", name);
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '\n') {
			fprintf(out, "\\n\"%s", i + 1 < length ? "\n\t\"" : "");
			continue;
		}
		if (text[i] == '"' || text[i] == '\\')
			fputc('\\', out);
		fputc(text[i], out);
	}
	fputs(";\n", out);
	free(text);
}

void write_header(FILE *out)
{
	fputs("/* Generated by gen-options from lib/spec/options.def. */\n#pragma once\n\n", out);
	write_c_string(out, "option_help", write_help);
	write_c_string(out, "option_introspect", write_introspect);
}
