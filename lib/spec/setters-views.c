/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Setters of what is shown of /proc and /dev.
 */
#include <string.h>

#include "spec/parser.h"

int set_proc_mask(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct spec_views *views = &parser->spec->views;
	bool repeated = views->mask != PROC_MASK_UNSET;

	(void)param;
	views->mask = strcmp(parser_arg(parser, use, 0), "none") == 0 ? PROC_MASK_NONE
								      : PROC_MASK_DEFAULT;
	views->mask_use = use;
	return parser_note_repeat(parser, use, repeated, err);
}

int set_dev_node(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct spec_views *views = &parser->spec->views;
	struct path_layer *added =
		spec_add(&views->dev_nodes, &views->dev_node_count, sizeof(*added));

	(void)param;
	if (!added)
		return error_no_memory(err);
	*added = (struct path_layer){ .path = parser_arg(parser, use, 0), .use = use };
	return 0;
}
