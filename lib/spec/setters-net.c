/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Setters of the network. What an option of it says is netconf's to read.
 */
#include <string.h>

#include "base/num.h"
#include "spec/parser.h"

int set_net(struct parser *parser, int use, long param, struct cloche_error *err)
{
	(void)param;
	(void)err;
	parser->spec->net.on = (struct spec_switch){ .is_set = true, .use = use };
	return 0;
}

/* @param: may be repeated. */
int set_net_option(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct spec_net *net = &parser->spec->net;
	const struct option_row *row = parser_use(parser, use)->row;
	const char *value = row->arg_count ? parser_arg(parser, use, 0) : "", *what = NULL;
	bool is_repeated = false;
	int r;

	if (!net->option.is_set)
		net_config_init(&net->config);
	for (int i = 0; !param && i < use; i++)
		is_repeated |= parser->spec->uses[i].row == row;
	net->option = (struct spec_switch){ .is_set = true, .use = use };
	r = net_config_add(&net->config, row->name, value, use, &what);
	if (r == -ENOMEM)
		return error_no_memory(err);
	if (r < 0)
		return error_set_detail(err, ERROR_INVALID_LIMIT, 0, value, what);
	parser_use(parser, use)->is_for_net = true;
	return parser_note_repeat(parser, use, is_repeated, err);
}

int set_net_log(struct parser *parser, int use, long param, struct cloche_error *err)
{
	int r = set_net_option(parser, use, param, err), fd = parser->spec->net.config.log_fd;

	return r < 0 || fd < 0 ? r : parser_consume_fd(parser, fd, err);
}
