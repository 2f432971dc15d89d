/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Setters of namespaces by reference and of time. They store what was read, see setters.c.
 */
#include <string.h>

#include "base/num.h"
#include "base/str.h"
#include "spec/parser.h"

/* @param is the enum ns_type. What has a slash is a path. */
int set_join(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct spec_ns *joined = &parser->spec->namespaces.join[param];
	const char *text = parser_arg(parser, use, 0);
	bool repeated = joined->is_set, is_path = strchr(text, '/');
	int fd = is_path ? -1 : parser_number(parser, use);
	int r;

	*joined = (struct spec_ns){
		.is_set = true,
		.use = use,
		.path = is_path ? text : NULL,
		.fd = fd,
		.is_open = !is_path && parser_fd_is_open(fd),
	};
	r = is_path ? 0 : parser_consume_fd(parser, fd, err);
	return r < 0 ? r : parser_note_repeat(parser, use, repeated, err);
}

int set_time_offset(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct spec_offset *offsets = parser->spec->namespaces.offset;
	const char *text = parser_arg(parser, use, 0);
	struct spec_offset *offset;
	const char *number;
	bool repeated;

	(void)param;
	if (str_starts(text, "monotonic:"))
		offset = &offsets[OFFSET_MONOTONIC];
	else if (str_starts(text, "boottime:"))
		offset = &offsets[OFFSET_BOOTTIME];
	else
		return error_set(err, ERROR_INVALID_OFFSET, 0, text);
	number = strchr(text, ':') + 1;
	repeated = offset->is_set;
	*offset = (struct spec_offset){ .is_set = true, .use = use };
	if (num_parse_seconds(number, &offset->nanoseconds) < 0)
		return error_set(err, ERROR_INVALID_OFFSET, 0, text);
	return parser_note_repeat(parser, use, repeated, err);
}
