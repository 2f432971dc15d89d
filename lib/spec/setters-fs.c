/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Setters of the options that build the root file system: each appends one operation, in order.
 */
#include <string.h>

#include "spec/parser.h"

struct fs_op *parser_add_op(struct parser *parser, enum fs_op_type type, int use)
{
	struct fs_op *op = spec_add(&parser->spec->ops, &parser->spec->op_count, sizeof(*op));

	if (op)
		*op = (struct fs_op){ .type = type, .use = use, .fd = -1, .mode = MODE_UNSET };
	return op;
}

/* Gives the pending --idmap to the bind @op. */
static void take_idmap(struct parser *parser, struct fs_op *op)
{
	op->idmap_count = parser->pending_idmaps;
	op->idmap_first = parser->spec->ids.idmap_range_count - op->idmap_count;
	parser->pending_idmaps = 0;
}

int set_bind(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct fs_op *op = parser_add_op(parser, OP_BIND, use);

	if (!op)
		return error_no_memory(err);
	op->source = parser_arg(parser, use, 0);
	op->dest = parser_arg(parser, use, 1);
	op->flags = (int)param;
	take_idmap(parser, op);
	return 0;
}

int set_bind_fd(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct fs_op *op = parser_add_op(parser, OP_BIND_FD, use);

	if (!op)
		return error_no_memory(err);
	op->fd = parser_number(parser, use);
	op->dest = parser_arg(parser, use, 1);
	op->flags = (int)param | (parser_fd_is_open(op->fd) ? 0 : BIND_NOT_OPEN);
	take_idmap(parser, op);
	return parser_consume_fd(parser, op->fd, err);
}

int set_here(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct fs_op *op = parser_add_op(parser, OP_BIND, use);
	_free_ char *cwd = getcwd(NULL, 0);
	const char *kept;

	(void)param;
	if (!cwd)
		return error_set(err, ERROR_CWD_UNKNOWN, errno, NULL);
	kept = spec_add_blob(parser->spec, take_ptr(cwd));
	if (!op || !kept)
		return error_no_memory(err);
	op->source = op->dest = kept;
	parser->spec->chdir = (struct spec_string){ .text = kept, .use = use };
	return 0;
}

static struct path_layer *add_layer(struct parser *parser, struct path_layer **layers,
				    size_t *count, int use)
{
	struct path_layer *layer = spec_add(layers, count, sizeof(*layer));

	if (layer)
		*layer = (struct path_layer){ .path = parser_arg(parser, use, 0), .use = use };
	return layer;
}

int set_overlay_src(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct spec *spec = parser->spec;

	(void)param;
	if (!add_layer(parser, &spec->layers, &spec->layer_count, use))
		return error_no_memory(err);
	parser->pending_layers++;
	return 0;
}

int set_overlay(struct parser *parser, int use, long param, struct cloche_error *err)
{
	size_t needed = param == OVERLAY_RO ? 2 : 1;
	struct fs_op *op;

	if (parser->pending_layers < needed)
		return error_set_detail(err, ERROR_OVERLAY_NO_SRC, 0,
					parser_use(parser, use)->row->name,
					needed == 2 ? "two" : "one");
	op = parser_add_op(parser, OP_OVERLAY, use);
	if (!op)
		return error_no_memory(err);
	op->flags = (int)param;
	op->layer_count = parser->pending_layers;
	op->layer_first = parser->spec->layer_count - op->layer_count;
	if (param == OVERLAY_RW) {
		op->source = parser_arg(parser, use, 0);
		op->work = parser_arg(parser, use, 1);
		op->dest = parser_arg(parser, use, 2);
	} else {
		op->dest = parser_arg(parser, use, 0);
	}
	parser->pending_layers = 0;
	return 0;
}

/* Takes the pending --perms for an operation that creates something. */
static mode_t take_perms(struct parser *parser)
{
	mode_t perms = parser->perms;

	parser->perms = MODE_UNSET;
	return perms;
}

int set_path_op(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct fs_op *op = parser_add_op(parser, (enum fs_op_type)param, use);

	if (!op)
		return error_no_memory(err);
	op->dest = parser_arg(parser, use, 0);
	if (op->type == OP_TMPFS || op->type == OP_DIR)
		op->mode = take_perms(parser);
	if (op->type == OP_TMPFS) {
		op->size = parser->size;
		parser->size = 0;
	}
	return 0;
}

int set_data(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct fs_op *op = parser_add_op(parser, (enum fs_op_type)param, use);

	if (!op)
		return error_no_memory(err);
	op->fd = parser_number(parser, use);
	op->dest = parser_arg(parser, use, 1);
	op->mode = take_perms(parser);
	return parser_consume_fd(parser, op->fd, err);
}

int set_symlink(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct fs_op *op = parser_add_op(parser, OP_SYMLINK, use);

	(void)param;
	if (!parser_arg(parser, use, 0)[0])
		return error_set(err, ERROR_EMPTY_PATH, 0, "symlink");
	if (!op)
		return error_no_memory(err);
	op->source = parser_arg(parser, use, 0);
	op->dest = parser_arg(parser, use, 1);
	return 0;
}

int set_chmod(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct fs_op *op = parser_add_op(parser, OP_CHMOD, use);

	(void)param;
	if (!op)
		return error_no_memory(err);
	op->mode = (mode_t)parser_use(parser, use)->number[0];
	op->dest = parser_arg(parser, use, 1);
	return 0;
}

int set_perms(struct parser *parser, int use, long param, struct cloche_error *err)
{
	(void)param;
	if (parser->perms != MODE_UNSET)
		return error_set(err, ERROR_PERMS_TWICE, 0, NULL);
	parser->perms = (mode_t)parser_use(parser, use)->number[0];
	parser->perms_use = use;
	return 0;
}

int set_size(struct parser *parser, int use, long param, struct cloche_error *err)
{
	(void)param;
	if (parser->size)
		return error_set(err, ERROR_SIZE_TWICE, 0, NULL);
	parser->size = parser_use(parser, use)->number[0];
	parser->size_use = use;
	return 0;
}

int set_propagation(struct parser *parser, int use, long param, struct cloche_error *err)
{
	(void)param;
	(void)err;
	parser->spec->propagation = strcmp(parser_arg(parser, use, 0), "slave") == 0
					    ? PROPAGATION_SLAVE
					    : PROPAGATION_PRIVATE;
	return 0;
}

int set_lock_file(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct spec *spec = parser->spec;

	(void)param;
	return add_layer(parser, &spec->lock_files, &spec->lock_file_count, use)
		       ? 0
		       : error_no_memory(err);
}
