/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One small setter per shape of option: it stores what was read in the spec. None of them decides
 * anything: conflicts between options are the plan's.
 */
#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>

#include "base/fd.h"
#include "base/str.h"
#include "spec/parser.h"

/* The use with index @use; the array moves when it grows, so nobody keeps pointers into it. */
static struct option_use *use_at(struct parser *parser, int use)
{
	return &parser->spec->uses[use];
}

static const char *arg_of(struct parser *parser, int use, int arg)
{
	return use_at(parser, use)->arg[arg];
}

/* A single-value option is given again: the last one wins, with a warning. */
static int note_repeat(struct parser *parser, int use, bool repeated, struct cloche_error *err)
{
	int *warned;

	if (!repeated)
		return 0;
	warned = spec_add(&parser->spec->warned_uses, &parser->spec->warned_use_count, sizeof(int));
	if (!warned)
		return error_no_memory(err);
	*warned = use;
	return 0;
}

/* Given to us by the caller: what came through execve(2) does not close on it, what we opened does.
 */
static bool is_open(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	return flags >= 0 && !(flags & FD_CLOEXEC);
}

static int not_open(int fd, struct cloche_error *err)
{
	char number[STR_NUMBER_SIZE];

	return error_set(err, ERROR_FD_NOT_OPEN, EBADF, str_number(number, (uint64_t)fd));
}

/*
 * COMMAND never receives a descriptor that an option named. Bubblewrap notices only when it uses
 * one that is not open: until then nothing of ours may get that number.
 */
static int consume_fd(struct parser *parser, int fd, struct cloche_error *err)
{
	int *consumed = spec_add(&parser->spec->consumed_fds, &parser->spec->consumed_fd_count,
				 sizeof(int));

	if (!consumed)
		return error_no_memory(err);
	*consumed = fd;
	if (is_open(fd))
		return 0;
	if (parser->spec->personality->checks_fds)
		return not_open(fd, err);
	fd_release(fd);
	return 0;
}

static int first_number(struct parser *parser, int use)
{
	return (int)use_at(parser, use)->number[0];
}

static int set_action(struct parser *parser, int use, long param, struct cloche_error *err)
{
	(void)use;
	(void)err;
	parser->spec->action = (enum spec_action)param;
	return 0;
}

static int set_explain(struct parser *parser, int use, long param, struct cloche_error *err)
{
	(void)param;
	(void)err;
	parser->spec->action = arg_of(parser, use, 0) ? ACTION_EXPLAIN_JSON : ACTION_EXPLAIN;
	return 0;
}

static int set_flag(struct parser *parser, int use, long param, struct cloche_error *err)
{
	(void)err;
	parser->spec->flag_use[param] = use;
	return 0;
}

static int set_compat(struct parser *parser, int use, long param, struct cloche_error *err)
{
	(void)param;
	(void)err;
	parser->spec->personality = personality_find(arg_of(parser, use, 0));
	return 0;
}

static int set_argv0(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct spec_string *argv0 = &parser->spec->argv0;

	(void)param;
	if (argv0->text)
		return error_set(err, ERROR_USED_TWICE, 0, use_at(parser, use)->row->name);
	*argv0 = (struct spec_string){ .text = arg_of(parser, use, 0), .use = use };
	return 0;
}

static int set_unshare_all(struct parser *parser, int use, long param, struct cloche_error *err)
{
	(void)use;
	(void)param;
	(void)err;
	parser->spec->unshare |= CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS;
	parser->spec->unshare_try |= CLONE_NEWUSER | CLONE_NEWCGROUP;
	parser->spec->share = 0;
	return 0;
}

static int set_unshare(struct parser *parser, int use, long param, struct cloche_error *err)
{
	(void)err;
	parser->spec->unshare |= (uint64_t)param;
	parser->spec->share &= ~(uint64_t)param;
	if (param == CLONE_NEWUSER)
		parser->spec->unshare_user_use = use;
	return 0;
}

static int set_unshare_try(struct parser *parser, int use, long param, struct cloche_error *err)
{
	(void)use;
	(void)err;
	parser->spec->unshare_try |= (uint64_t)param;
	parser->spec->share &= ~(uint64_t)param;
	return 0;
}

static int set_share(struct parser *parser, int use, long param, struct cloche_error *err)
{
	(void)err;
	parser->spec->share |= (uint64_t)param;
	parser->spec->unshare &= ~(uint64_t)param;
	parser->spec->unshare_try &= ~(uint64_t)param;
	if (param == CLONE_NEWUSER)
		parser->spec->share_user_use = use;
	return 0;
}

static int set_userns_limit(struct parser *parser, int use, long param, struct cloche_error *err)
{
	(void)err;
	parser->spec->userns_limit = (enum userns_limit)param;
	parser->spec->userns_limit_use = use;
	return 0;
}

static int set_fd(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct spec_fd *field = (struct spec_fd *)((char *)parser->spec + param);
	bool repeated = field->fd >= 0;
	int fd = first_number(parser, use), r;

	if (field == &parser->spec->seccomp_fd && parser->spec->add_seccomp_count)
		return error_set_detail(err, ERROR_SECCOMP_WITH_ADD, 0, "seccomp",
					"add-seccomp-fd");
	*field = (struct spec_fd){ .fd = fd, .use = use, .is_open = is_open(fd) };
	r = consume_fd(parser, fd, err);
	return r < 0 ? r : note_repeat(parser, use, repeated, err);
}

/* All of them stay open. */
static int set_sync_fd(struct parser *parser, int use, long param, struct cloche_error *err)
{
	int *kept = spec_add(&parser->spec->sync_fds, &parser->spec->sync_fd_count, sizeof(int));

	(void)param;
	if (!kept)
		return error_no_memory(err);
	*kept = first_number(parser, use);
	return consume_fd(parser, *kept, err);
}

static int set_add_seccomp(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct spec *spec = parser->spec;
	struct spec_fd *added;

	(void)param;
	if (spec->seccomp_fd.fd >= 0)
		return error_set_detail(err, ERROR_SECCOMP_WITH_ADD, 0, "add-seccomp-fd",
					"seccomp");
	added = spec_add(&spec->add_seccomp_fds, &spec->add_seccomp_count, sizeof(*added));
	if (!added)
		return error_no_memory(err);
	*added = (struct spec_fd){ .fd = first_number(parser, use), .use = use };
	return consume_fd(parser, added->fd, err);
}

static int set_id(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct spec_id *field = (struct spec_id *)((char *)parser->spec + param);
	bool repeated = field->is_set;

	*field = (struct spec_id){ .is_set = true,
				   .id = (uint32_t)use_at(parser, use)->number[0],
				   .use = use };
	return note_repeat(parser, use, repeated, err);
}

static int set_string(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct spec_string *field = (struct spec_string *)((char *)parser->spec + param);
	bool repeated = field->text;

	*field = (struct spec_string){ .text = arg_of(parser, use, 0), .use = use };
	return note_repeat(parser, use, repeated, err);
}

static int set_size_of(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct spec_size *field = (struct spec_size *)((char *)parser->spec + param);
	bool repeated = field->bytes;

	*field = (struct spec_size){ .bytes = use_at(parser, use)->number[0], .use = use };
	return note_repeat(parser, use, repeated, err);
}

static int set_env(struct parser *parser, int use, long param, struct cloche_error *err)
{
	const char *name = param == ENV_CLEAR ? NULL : arg_of(parser, use, 0);
	struct env_op *op;

	if (name && (name[0] == '\0' || strchr(name, '=')))
		return error_set_detail(err, ERROR_INVALID_ENV_NAME, 0, name,
					use_at(parser, use)->row->name);
	op = spec_add(&parser->spec->env_ops, &parser->spec->env_op_count, sizeof(*op));
	if (!op)
		return error_no_memory(err);
	*op = (struct env_op){
		.type = (enum env_op_type)param,
		.name = name,
		.value = param == ENV_SET ? arg_of(parser, use, 1) : NULL,
	};
	return 0;
}

static struct fs_op *add_op(struct parser *parser, enum fs_op_type type, int use)
{
	struct fs_op *op = spec_add(&parser->spec->ops, &parser->spec->op_count, sizeof(*op));

	if (op)
		*op = (struct fs_op){ .type = type, .use = use, .fd = -1, .mode = MODE_UNSET };
	return op;
}

static int set_bind(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct fs_op *op = add_op(parser, OP_BIND, use);

	if (!op)
		return error_no_memory(err);
	op->source = arg_of(parser, use, 0);
	op->dest = arg_of(parser, use, 1);
	op->flags = (int)param;
	return 0;
}

static int set_bind_fd(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct fs_op *op = add_op(parser, OP_BIND_FD, use);

	if (!op)
		return error_no_memory(err);
	op->fd = first_number(parser, use);
	op->dest = arg_of(parser, use, 1);
	op->flags = (int)param | (is_open(op->fd) ? 0 : BIND_NOT_OPEN);
	return consume_fd(parser, op->fd, err);
}

static int set_here(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct fs_op *op = add_op(parser, OP_BIND, use);
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
		*layer = (struct path_layer){ .path = arg_of(parser, use, 0), .use = use };
	return layer;
}

static int set_overlay_src(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct spec *spec = parser->spec;

	(void)param;
	if (!add_layer(parser, &spec->layers, &spec->layer_count, use))
		return error_no_memory(err);
	parser->pending_layers++;
	return 0;
}

static int set_overlay(struct parser *parser, int use, long param, struct cloche_error *err)
{
	size_t needed = param == OVERLAY_RO ? 2 : 1;
	struct fs_op *op;

	if (parser->pending_layers < needed)
		return error_set_detail(err, ERROR_OVERLAY_NO_SRC, 0,
					use_at(parser, use)->row->name,
					needed == 2 ? "two" : "one");
	op = add_op(parser, OP_OVERLAY, use);
	if (!op)
		return error_no_memory(err);
	op->flags = (int)param;
	op->layer_count = parser->pending_layers;
	op->layer_first = parser->spec->layer_count - op->layer_count;
	if (param == OVERLAY_RW) {
		op->source = arg_of(parser, use, 0);
		op->work = arg_of(parser, use, 1);
		op->dest = arg_of(parser, use, 2);
	} else {
		op->dest = arg_of(parser, use, 0);
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

static int set_path_op(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct fs_op *op = add_op(parser, (enum fs_op_type)param, use);

	if (!op)
		return error_no_memory(err);
	op->dest = arg_of(parser, use, 0);
	if (op->type == OP_TMPFS || op->type == OP_DIR)
		op->mode = take_perms(parser);
	if (op->type == OP_TMPFS) {
		op->size = parser->size;
		parser->size = 0;
	}
	return 0;
}

static int set_data(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct fs_op *op = add_op(parser, (enum fs_op_type)param, use);

	if (!op)
		return error_no_memory(err);
	op->fd = first_number(parser, use);
	op->dest = arg_of(parser, use, 1);
	op->mode = take_perms(parser);
	return consume_fd(parser, op->fd, err);
}

static int set_symlink(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct fs_op *op = add_op(parser, OP_SYMLINK, use);

	(void)param;
	if (!arg_of(parser, use, 0)[0])
		return error_set(err, ERROR_EMPTY_PATH, 0, "symlink");
	if (!op)
		return error_no_memory(err);
	op->source = arg_of(parser, use, 0);
	op->dest = arg_of(parser, use, 1);
	return 0;
}

static int set_chmod(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct fs_op *op = add_op(parser, OP_CHMOD, use);

	(void)param;
	if (!op)
		return error_no_memory(err);
	op->mode = (mode_t)use_at(parser, use)->number[0];
	op->dest = arg_of(parser, use, 1);
	return 0;
}

static int set_perms(struct parser *parser, int use, long param, struct cloche_error *err)
{
	(void)param;
	if (parser->perms != MODE_UNSET)
		return error_set(err, ERROR_PERMS_TWICE, 0, NULL);
	parser->perms = (mode_t)use_at(parser, use)->number[0];
	parser->perms_use = use;
	return 0;
}

static int set_size(struct parser *parser, int use, long param, struct cloche_error *err)
{
	(void)param;
	if (parser->size)
		return error_set(err, ERROR_SIZE_TWICE, 0, NULL);
	parser->size = use_at(parser, use)->number[0];
	parser->size_use = use;
	return 0;
}

static int set_propagation(struct parser *parser, int use, long param, struct cloche_error *err)
{
	(void)param;
	(void)err;
	parser->spec->propagation = strcmp(arg_of(parser, use, 0), "slave") == 0
					    ? PROPAGATION_SLAVE
					    : PROPAGATION_PRIVATE;
	return 0;
}

static int set_keep_fd(struct parser *parser, int use, long param, struct cloche_error *err)
{
	int *kept = spec_add(&parser->spec->keep_fds, &parser->spec->keep_fd_count, sizeof(int));

	(void)param;
	if (!kept)
		return error_no_memory(err);
	*kept = first_number(parser, use);
	return is_open(*kept) ? 0 : not_open(*kept, err);
}

static int set_lock_file(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct spec *spec = parser->spec;

	(void)param;
	return add_layer(parser, &spec->lock_files, &spec->lock_file_count, use)
		       ? 0
		       : error_no_memory(err);
}

static int set_cap(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct cap_op *op =
		spec_add(&parser->spec->cap_ops, &parser->spec->cap_op_count, sizeof(*op));

	if (!op)
		return error_no_memory(err);
	*op = (struct cap_op){ .type = (enum cap_op_type)param,
			       .mask = use_at(parser, use)->number[0] };
	return 0;
}

#define OFFSET(field) (long)offsetof(struct spec, field)

const struct option_action option_actions[] = {
#define OPTION(name, group, since, args, setter, param, help, man) { setter, param },
#include "spec/options.def"
#undef OPTION
};
