/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One small setter per shape of option: it stores what was read in the spec. None of them decides
 * anything: conflicts between options are the plan's. Here are those of general options; each other
 * subject has a file setters-SUBJECT.c, and actions.c the table.
 */
#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>

#include "base/fd.h"
#include "base/str.h"
#include "spec/parser.h"

struct option_use *parser_use(struct parser *parser, int use)
{
	return &parser->spec->uses[use];
}

const char *parser_arg(struct parser *parser, int use, int arg)
{
	return parser_use(parser, use)->arg[arg];
}

int parser_note_repeat(struct parser *parser, int use, bool repeated, struct cloche_error *err)
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
bool parser_fd_is_open(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	return flags >= 0 && !(flags & FD_CLOEXEC);
}

int parser_fd_not_open(int fd, struct cloche_error *err)
{
	char number[STR_NUMBER_SIZE];

	return error_set(err, ERROR_FD_NOT_OPEN, EBADF, str_number(number, (uint64_t)fd));
}

/*
 * COMMAND never receives a descriptor that an option named. Bubblewrap notices only when it uses
 * one that is not open: until then nothing of ours may get that number.
 */
int parser_consume_fd(struct parser *parser, int fd, struct cloche_error *err)
{
	int *consumed = spec_add(&parser->spec->consumed_fds, &parser->spec->consumed_fd_count,
				 sizeof(int));

	if (!consumed)
		return error_no_memory(err);
	*consumed = fd;
	if (parser_fd_is_open(fd))
		return 0;
	if (parser->spec->personality->checks_fds)
		return parser_fd_not_open(fd, err);
	fd_release(fd);
	return 0;
}

int parser_number(struct parser *parser, int use)
{
	return (int)parser_use(parser, use)->number[0];
}

int set_action(struct parser *parser, int use, long param, struct cloche_error *err)
{
	(void)use;
	(void)err;
	parser->spec->action = (enum spec_action)param;
	return 0;
}

int set_explain(struct parser *parser, int use, long param, struct cloche_error *err)
{
	(void)param;
	(void)err;
	parser->spec->action = parser_arg(parser, use, 0) ? ACTION_EXPLAIN_JSON : ACTION_EXPLAIN;
	return 0;
}

int set_flag(struct parser *parser, int use, long param, struct cloche_error *err)
{
	(void)err;
	parser->spec->flag_use[param] = use;
	return 0;
}

int set_compat(struct parser *parser, int use, long param, struct cloche_error *err)
{
	(void)param;
	(void)err;
	parser->spec->personality = personality_find(parser_arg(parser, use, 0));
	return 0;
}

int set_argv0(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct spec_string *argv0 = &parser->spec->argv0;

	(void)param;
	if (argv0->text)
		return error_set(err, ERROR_USED_TWICE, 0, parser_use(parser, use)->row->name);
	*argv0 = (struct spec_string){ .text = parser_arg(parser, use, 0), .use = use };
	return 0;
}

int set_unshare_all(struct parser *parser, int use, long param, struct cloche_error *err)
{
	(void)use;
	(void)param;
	(void)err;
	parser->spec->unshare |= CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS;
	parser->spec->unshare_try |= CLONE_NEWUSER | CLONE_NEWCGROUP;
	parser->spec->share = 0;
	return 0;
}

int set_unshare(struct parser *parser, int use, long param, struct cloche_error *err)
{
	(void)err;
	parser->spec->unshare |= (uint64_t)param;
	parser->spec->namespaces.unshare_named |= (uint64_t)param;
	parser->spec->share &= ~(uint64_t)param;
	if (param == CLONE_NEWUSER)
		parser->spec->unshare_user_use = use;
	if (param == CLONE_NEWTIME)
		parser->spec->namespaces.unshare_time_use = use;
	return 0;
}

int set_unshare_try(struct parser *parser, int use, long param, struct cloche_error *err)
{
	(void)use;
	(void)err;
	parser->spec->unshare_try |= (uint64_t)param;
	parser->spec->share &= ~(uint64_t)param;
	return 0;
}

int set_share(struct parser *parser, int use, long param, struct cloche_error *err)
{
	(void)err;
	parser->spec->share |= (uint64_t)param;
	parser->spec->unshare &= ~(uint64_t)param;
	parser->spec->namespaces.unshare_named &= ~(uint64_t)param;
	parser->spec->unshare_try &= ~(uint64_t)param;
	if (param == CLONE_NEWUSER)
		parser->spec->share_user_use = use;
	if (param == CLONE_NEWNET)
		parser->spec->share_net_use = use;
	if (param == CLONE_NEWPID)
		parser->spec->share_pid_use = use;
	return 0;
}

int set_userns_limit(struct parser *parser, int use, long param, struct cloche_error *err)
{
	(void)err;
	parser->spec->userns_limit = (enum userns_limit)param;
	parser->spec->userns_limit_use = use;
	return 0;
}

int set_fd(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct spec_fd *field = (struct spec_fd *)((char *)parser->spec + param);
	bool repeated = field->fd >= 0;
	int fd = parser_number(parser, use), r;

	if (field == &parser->spec->seccomp_fd && parser->spec->add_seccomp_count)
		return error_set_detail(err, ERROR_SECCOMP_WITH_ADD, 0, "seccomp",
					"add-seccomp-fd");
	*field = (struct spec_fd){ .fd = fd, .use = use, .is_open = parser_fd_is_open(fd) };
	r = parser_consume_fd(parser, fd, err);
	return r < 0 ? r : parser_note_repeat(parser, use, repeated, err);
}

/* All of them stay open. */
int set_sync_fd(struct parser *parser, int use, long param, struct cloche_error *err)
{
	int *kept = spec_add(&parser->spec->sync_fds, &parser->spec->sync_fd_count, sizeof(int));

	(void)param;
	if (!kept)
		return error_no_memory(err);
	*kept = parser_number(parser, use);
	return parser_consume_fd(parser, *kept, err);
}

int set_add_seccomp(struct parser *parser, int use, long param, struct cloche_error *err)
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
	*added = (struct spec_fd){ .fd = parser_number(parser, use), .use = use };
	return parser_consume_fd(parser, added->fd, err);
}

int set_id(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct spec_id *field = (struct spec_id *)((char *)parser->spec + param);
	bool repeated = field->is_set;

	*field = (struct spec_id){ .is_set = true,
				   .id = (uint32_t)parser_use(parser, use)->number[0],
				   .use = use };
	return parser_note_repeat(parser, use, repeated, err);
}

int set_string(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct spec_string *field = (struct spec_string *)((char *)parser->spec + param);
	bool repeated = field->text;

	*field = (struct spec_string){ .text = parser_arg(parser, use, 0), .use = use };
	return parser_note_repeat(parser, use, repeated, err);
}

int set_size_of(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct spec_size *field = (struct spec_size *)((char *)parser->spec + param);
	bool repeated = field->bytes;

	*field = (struct spec_size){ .bytes = parser_use(parser, use)->number[0], .use = use };
	return parser_note_repeat(parser, use, repeated, err);
}

int set_env(struct parser *parser, int use, long param, struct cloche_error *err)
{
	const char *name = param == ENV_CLEAR ? NULL : parser_arg(parser, use, 0);
	struct env_op *op;

	if (name && (name[0] == '\0' || strchr(name, '=')))
		return error_set_detail(err, ERROR_INVALID_ENV_NAME, 0, name,
					parser_use(parser, use)->row->name);
	op = spec_add(&parser->spec->env_ops, &parser->spec->env_op_count, sizeof(*op));
	if (!op)
		return error_no_memory(err);
	*op = (struct env_op){
		.type = (enum env_op_type)param,
		.name = name,
		.value = param == ENV_SET ? parser_arg(parser, use, 1) : NULL,
	};
	return 0;
}

int set_keep_fd(struct parser *parser, int use, long param, struct cloche_error *err)
{
	int *kept = spec_add(&parser->spec->keep_fds, &parser->spec->keep_fd_count, sizeof(int));

	(void)param;
	if (!kept)
		return error_no_memory(err);
	*kept = parser_number(parser, use);
	return parser_fd_is_open(*kept) ? 0 : parser_fd_not_open(*kept, err);
}

int set_cap(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct cap_op *op =
		spec_add(&parser->spec->cap_ops, &parser->spec->cap_op_count, sizeof(*op));

	if (!op)
		return error_no_memory(err);
	*op = (struct cap_op){ .type = (enum cap_op_type)param,
			       .mask = parser_use(parser, use)->number[0] };
	return 0;
}
