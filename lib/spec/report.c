/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The error record as text. Nothing here allocates, and each message is one write(2), so that lines
 * of the child and the supervisor do not mix.
 */
#include "spec/report.h"

#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/jsonw.h"
#include "base/str.h"

#define MESSAGE_SIZE 4096

/* The option as typed: "--bind SRC DEST". */
static void add_option(const struct option_use *use, struct str_buf *out)
{
	str_add(out, "--");
	str_add(out, use->row->name);
	for (int i = 0; i < use->row->arg_count && use->arg[i]; i++) {
		str_add_char(out, use->row->is_optional ? '=' : ' ');
		str_add_escaped(out, use->arg[i]);
	}
	if (use->file) {
		str_add(out, " (read from ");
		str_add(out, use->file);
		str_add_char(out, ')');
	}
}

static const struct option_use *use_of(const struct spec *spec, const struct cloche_error *err)
{
	return err->use >= 0 && (size_t)err->use < spec->use_count ? &spec->uses[err->use] : NULL;
}

static void add_prefix(const struct spec *spec, enum report_level level, struct str_buf *out)
{
	if (spec_flag(spec, FLAG_LEVEL_PREFIX))
		str_add(out, level == REPORT_ERROR     ? "<3>"
			     : level == REPORT_WARNING ? "<4>"
						       : "<6>");
	str_add(out, spec->personality->name);
	str_add(out, ": ");
}

void report_text(const struct spec *spec, const struct cloche_error *err, enum report_level level,
		 struct str_buf *out)
{
	const struct option_use *use = use_of(spec, err);
	bool as_bwrap = spec->personality->is_bwrap_level;
	char text[MESSAGE_SIZE / 2];

	add_prefix(spec, level, out);
	if (use && !as_bwrap) {
		/* Long arguments must not crowd out what went wrong. */
		char option[MESSAGE_SIZE / 4];
		struct str_buf typed = { .data = option, .size = sizeof(option) };

		add_option(use, &typed);
		str_add(out, option);
		str_add(out, ": ");
	}
	if (!as_bwrap && level == REPORT_WARNING)
		str_add(out, "warning: ");
	str_add(out, error_format(err, personality_message(spec->personality, err->code), text,
				  sizeof(text)));
	str_add_char(out, '\n');
	if (err->hint && (!as_bwrap || spec_flag(spec, FLAG_VERBOSE))) {
		add_prefix(spec, level, out);
		str_add(out, "hint: ");
		str_add(out, error_hint_text(err->hint));
		str_add_char(out, '\n');
	}
}

void report_message(const struct spec *spec, const struct cloche_error *err,
		    enum report_level level)
{
	char line[MESSAGE_SIZE];
	struct str_buf out = { .data = line, .size = sizeof(line) - 1 };

	if (spec_flag(spec, FLAG_QUIET))
		return;
	report_text(spec, err, level, &out);
	ignore(fd_write_all(STDERR_FILENO, line, out.length));
}

int report_status(const struct personality *personality, const struct cloche_error *err)
{
	if (err->code != ERROR_EXEC)
		return personality->status_setup;
	return err->errnum == ENOENT ? personality->status_not_found
				     : personality->status_not_executable;
}

void report_note(const struct spec *spec, const char *text)
{
	char line[MESSAGE_SIZE];
	struct str_buf out = { .data = line, .size = sizeof(line) };

	if (!spec_flag(spec, FLAG_VERBOSE))
		return;
	add_prefix(spec, REPORT_NOTE, &out);
	str_add_escaped(&out, text);
	str_add_char(&out, '\n');
	ignore(fd_write_all(STDERR_FILENO, line, out.length));
}

void report_json(const struct spec *spec, const struct cloche_error *err, struct str_buf *buf)
{
	const struct option_use *use = use_of(spec, err);
	char text[MESSAGE_SIZE / 2];

	str_add(buf, "{ \"setup-error\": {");
	jsonw_key(buf, "stage");
	jsonw_string(buf, error_stage_name(err->stage));
	if (use) {
		char option[MESSAGE_SIZE / 4];
		struct str_buf typed = { .data = option, .size = sizeof(option) };

		add_option(use, &typed);
		jsonw_key(buf, "option");
		jsonw_string(buf, option);
		jsonw_key(buf, "index");
		str_add_number(buf, (uint64_t)err->use);
	}
	jsonw_key(buf, "message");
	jsonw_string(buf, error_format(err, personality_message(spec->personality, err->code), text,
				       sizeof(text)));
	if (err->path[0]) {
		jsonw_key(buf, "path");
		jsonw_string(buf, err->path);
	}
	jsonw_key(buf, "errno");
	str_add_number(buf, (uint64_t)err->errnum);
	if (err->hint) {
		jsonw_key(buf, "hint");
		jsonw_string(buf, error_hint_text(err->hint));
	}
	str_add(buf, "} }\n");
}
