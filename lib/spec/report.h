/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Printing of the error record: the one place where it becomes text, for people and for
 * --json-status-fd.
 */
#pragma once

#include "spec/spec.h"

enum report_level {
	REPORT_ERROR,
	REPORT_WARNING,
	REPORT_NOTE
};

/**
 * report_message - print @err on standard error in the words of the spec's personality
 *
 * One write(2), no allocation: the child may call it.
 */
void report_message(const struct spec *spec, const struct cloche_error *err,
		    enum report_level level);

/** report_text - what report_message() would print, its lines, appended to @out */
struct str_buf;
void report_text(const struct spec *spec, const struct cloche_error *err, enum report_level level,
		 struct str_buf *out);

/** report_status - our exit status where COMMAND did not start for @err */
int report_status(const struct personality *personality, const struct cloche_error *err);

/** report_note - print @text as a line of --verbose, if that was given */
void report_note(const struct spec *spec, const char *text);

/** report_json - append the "setup-error" object for @err to @buf, with its newline */
void report_json(const struct spec *spec, const struct cloche_error *err, struct str_buf *buf);
