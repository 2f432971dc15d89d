/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Setters of the options about ranges of ids. Overlaps, limits and permissions are the plan's.
 */
#include "spec/parser.h"

/* Appends the ranges of the option's argument to a list. */
static int add_ranges(struct parser *parser, int use, struct id_range **ranges, size_t *count,
		      struct cloche_error *err)
{
	const char *typed = parser_arg(parser, use, 0), *rest = typed;

	do {
		struct id_range *added = spec_add(ranges, count, sizeof(*added));

		if (!added)
			return error_no_memory(err);
		added->use = use;
		if (idmap_parse(&rest, added) < 0) /* the parser has seen to it */
			return error_set_detail(err, ERROR_INVALID_MAP, 0, typed,
						parser_use(parser, use)->row->name);
	} while (*rest);
	return 0;
}

int set_id_map(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct spec_ids *ids = &parser->spec->ids;

	return param == ID_USER
		       ? add_ranges(parser, use, &ids->uid_ranges, &ids->uid_range_count, err)
		       : add_ranges(parser, use, &ids->gid_ranges, &ids->gid_range_count, err);
}

int set_switch(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct spec_switch *field = (struct spec_switch *)((char *)parser->spec + param);

	(void)err;
	*field = (struct spec_switch){ .is_set = true, .use = use };
	return 0;
}

int set_groups(struct parser *parser, int use, long param, struct cloche_error *err)
{
	(void)err;
	parser->spec->ids.groups = (enum groups_choice)param;
	parser->spec->ids.groups_use = use;
	return 0;
}

int set_idmap(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct spec_ids *ids = &parser->spec->ids;
	size_t before = ids->idmap_range_count;
	int r = add_ranges(parser, use, &ids->idmap_ranges, &ids->idmap_range_count, err);

	(void)param;
	parser->pending_idmaps += ids->idmap_range_count - before;
	parser->idmap_use = use;
	return r;
}
