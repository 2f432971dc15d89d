/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Setters of the terminal, and of how COMMAND is brought to its end. They store what was read, see
 * setters.c.
 */
#include "base/num.h"
#include "base/signals.h"
#include "spec/parser.h"

/* @param is the enum pty_choice. The last one wins. */
int set_pty(struct parser *parser, int use, long param, struct cloche_error *err)
{
	(void)use;
	(void)err;
	parser->spec->pty = (enum pty_choice)param;
	return 0;
}

int set_name(struct parser *parser, int use, long param, struct cloche_error *err)
{
	const char *text = parser_arg(parser, use, 0);
	bool repeated = parser->spec->name.text;

	(void)param;
	if (!spec_is_name(text))
		return error_set(err, ERROR_INVALID_NAME, 0, text);
	parser->spec->name = (struct spec_string){ .text = text, .use = use };
	return parser_note_repeat(parser, use, repeated, err);
}

int set_stop_signal(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct spec_stop *stop = &parser->spec->stop;
	const char *text = parser_arg(parser, use, 0);
	bool repeated = stop->signal;
	int number;

	(void)param;
	if (signals_parse(text, &number) < 0)
		return error_set(err, ERROR_INVALID_SIGNAL, 0, text);
	if (signals_is_taken(number))
		return error_set(err, ERROR_STOP_SIGNAL, 0, text);
	stop->signal = number;
	return parser_note_repeat(parser, use, repeated, err);
}

int set_duration(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct spec_duration *field = (struct spec_duration *)((char *)parser->spec + param);
	const char *text = parser_arg(parser, use, 0);
	bool repeated = field->is_set;
	int64_t nanoseconds;

	if (num_parse_seconds(text, &nanoseconds) < 0 || nanoseconds < 0)
		return error_set_detail(err, ERROR_INVALID_LIMIT, 0, text,
					"a number of seconds (up to nine decimals are allowed)");
	*field = (struct spec_duration){ true, use, (uint64_t)nanoseconds };
	return parser_note_repeat(parser, use, repeated, err);
}
