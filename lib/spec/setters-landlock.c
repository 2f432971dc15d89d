/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Setters of the Landlock options: the tier, and lists of TCP ports.
 */
#include <string.h>

#include "base/num.h"
#include "base/str.h"
#include "spec/parser.h"

int set_isolation(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct spec_landlock *landlock = &parser->spec->landlock;
	const char *word = parser_arg(parser, use, 0);

	(void)param;
	(void)err;
	landlock->isolation_use = use;
	landlock->isolation = strcmp(word, "full") == 0	 ? ISOLATION_FULL
			      : strcmp(word, "try") == 0 ? ISOLATION_TRY
							 : ISOLATION_LANDLOCK;
	return 0;
}

/* The port that makes up the @length bytes at @text. */
static int parse_port(const char *text, size_t length, uint16_t *ret_port)
{
	char digits[sizeof("65535")];
	uint64_t number;
	int r;

	if (length >= sizeof(digits))
		return -EINVAL;
	memcpy(digits, text, length);
	digits[length] = '\0';
	r = num_parse(digits, UINT16_MAX, &number);
	if (r == 0)
		*ret_port = (uint16_t)number;
	return r;
}

/* "PORT" or "FIRST-LAST", @length bytes. */
static int parse_range(const char *text, size_t length, struct port_range *ret_range)
{
	const char *dash = memchr(text, '-', length);
	size_t first = dash ? (size_t)(dash - text) : length;
	int r = parse_port(text, first, &ret_range->first);

	ret_range->last = ret_range->first;
	if (r == 0 && dash)
		r = parse_port(dash + 1, length - first - 1, &ret_range->last);
	return r == 0 && ret_range->first > ret_range->last ? -EINVAL : r;
}

int set_ports(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct spec_ports *ports = (struct spec_ports *)((char *)parser->spec + param);
	const char *list = parser_arg(parser, use, 0);

	ports->use = use;
	for (const char *item = list; item;) {
		size_t length = strcspn(item, ",");
		struct port_range *range = spec_add(&ports->ranges, &ports->count, sizeof(*range));

		if (!range)
			return error_no_memory(err);
		if (parse_range(item, length, range) < 0)
			return error_set(err, ERROR_INVALID_PORTS, 0, list);
		item = item[length] ? item + length + 1 : NULL;
	}
	return 0;
}
