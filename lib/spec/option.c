/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The parser: one loop over words, dispatched through the option table; one small setter per shape
 * of option.
 *
 * Runs before anything else, in the caller's process. It decides nothing: conflicts between options
 * are the plan's.
 */
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>

#include "base/fd.h"
#include "base/num.h"
#include "base/str.h"
#include "spec/spec.h"

#define MAX_ARGS_DEPTH 16
#define MAX_ARGS_BYTES (64u << 20) /* of one --args file */

struct parser {
	struct spec *spec;
	const char *file; /* NULL, or the --args descriptor being read */
	int depth;	  /* of nested --args */
	mode_t perms;	  /* pending --perms, MODE_UNSET where there is none */
	uint64_t size;	  /* pending --size, 0 where there is none */
	int perms_use, size_use;
	size_t pending_layers; /* --overlay-src waiting for their overlay */
};

typedef int (*option_setter)(struct parser *parser, int use, long param, struct cloche_error *err);

static int no_memory(struct cloche_error *err)
{
	return error_set(err, ERROR_OUT_OF_MEMORY, ENOMEM, NULL);
}

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
		return no_memory(err);
	*warned = use;
	return 0;
}

/* COMMAND never receives a descriptor that an option named. */
static int consume_fd(struct parser *parser, int fd, struct cloche_error *err)
{
	int *consumed = spec_add(&parser->spec->consumed_fds, &parser->spec->consumed_fd_count,
				 sizeof(int));

	if (!consumed)
		return no_memory(err);
	*consumed = fd;
	return 0;
}

static int first_number(struct parser *parser, int use)
{
	return (int)use_at(parser, use)->number[0];
}

/* ---- setters ---- */

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
	int fd = first_number(parser, use);

	if (field == &parser->spec->seccomp_fd && parser->spec->add_seccomp_count)
		return error_set_detail(err, ERROR_SECCOMP_WITH_ADD, 0, "seccomp",
					"add-seccomp-fd");
	*field = (struct spec_fd){ .fd = fd, .use = use };
	if (field == &parser->spec->sync_fd) { /* all of them stay open */
		int *kept = spec_add(&parser->spec->sync_fds, &parser->spec->sync_fd_count,
				     sizeof(int));

		if (!kept)
			return no_memory(err);
		*kept = fd;
		repeated = false;
	}
	if (consume_fd(parser, fd, err) < 0)
		return -ENOMEM;
	return note_repeat(parser, use, repeated, err);
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
		return no_memory(err);
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
		return no_memory(err);
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
		return no_memory(err);
	op->source = arg_of(parser, use, 0);
	op->dest = arg_of(parser, use, 1);
	op->flags = (int)param;
	return 0;
}

static int set_bind_fd(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct fs_op *op = add_op(parser, OP_BIND_FD, use);

	if (!op)
		return no_memory(err);
	op->fd = first_number(parser, use);
	op->dest = arg_of(parser, use, 1);
	op->flags = (int)param;
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
		return no_memory(err);
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
		return no_memory(err);
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
		return no_memory(err);
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
		return no_memory(err);
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
		return no_memory(err);
	op->fd = first_number(parser, use);
	op->dest = arg_of(parser, use, 1);
	op->mode = take_perms(parser);
	return consume_fd(parser, op->fd, err);
}

static int set_symlink(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct fs_op *op = add_op(parser, OP_SYMLINK, use);

	(void)param;
	if (!op)
		return no_memory(err);
	op->source = arg_of(parser, use, 0);
	op->dest = arg_of(parser, use, 1);
	return 0;
}

static int set_chmod(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct fs_op *op = add_op(parser, OP_CHMOD, use);

	(void)param;
	if (!op)
		return no_memory(err);
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
	char text[12];
	struct str_buf buf = { .data = text, .size = sizeof(text) };

	(void)param;
	if (!kept)
		return no_memory(err);
	*kept = first_number(parser, use);
	str_add_number(&buf, (uint64_t)*kept);
	return fcntl(*kept, F_GETFD) < 0 ? error_set(err, ERROR_FD_NOT_OPEN, 0, text) : 0;
}

static int set_lock_file(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct spec *spec = parser->spec;

	(void)param;
	return add_layer(parser, &spec->lock_files, &spec->lock_file_count, use) ? 0
										 : no_memory(err);
}

static int set_cap(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct cap_op *op =
		spec_add(&parser->spec->cap_ops, &parser->spec->cap_op_count, sizeof(*op));

	if (!op)
		return no_memory(err);
	*op = (struct cap_op){ .type = (enum cap_op_type)param,
			       .mask = use_at(parser, use)->number[0] };
	return 0;
}

static int set_args(struct parser *parser, int use, long param, struct cloche_error *err);

/* ---- the table, parser's columns ---- */

#define OFFSET(field) (long)offsetof(struct spec, field)

static const struct {
	option_setter setter;
	long param;
} actions[] = {
#define OPTION(name, group, since, args, setter, param, help, man) { setter, param },
#include "spec/options.def"
#undef OPTION
};

/* ---- reading words ---- */

/* How many arguments an option takes, in bubblewrap's words. */
static const char *arguments_text(const struct option_row *row)
{
	static const char *const says_one[] = { "argv0", "chdir", "remount-ro" };

	for (size_t i = 0; i < ARRAY_SIZE(says_one); i++)
		if (strcmp(row->name, says_one[i]) == 0)
			return "one argument";
	return row->arg_count == 1   ? "an argument"
	       : row->arg_count == 2 ? "two arguments"
				     : "three arguments";
}

static int parse_cap(const char *text, uint64_t *ret_mask)
{
	_free_ char *name = NULL;
	cap_value_t cap;
	uint64_t number;

	if (strcasecmp(text, "ALL") == 0) {
		*ret_mask = UINT64_MAX;
		return 0;
	}
	if (num_parse(text, CAP_LAST_CAP, &number) == 0) {
		*ret_mask = 1ull << number;
		return 0;
	}
	name = strncasecmp(text, "cap_", 4) == 0 ? strdup(text) : str_format("cap_%s", text);
	if (!name)
		return -ENOMEM;
	if (cap_from_name(name, &cap) < 0 || cap > CAP_LAST_CAP)
		return -EINVAL;
	*ret_mask = 1ull << cap;
	return 0;
}

static bool is_choice(const char *choices, const char *word)
{
	size_t length = strlen(word);

	while (length) {
		size_t choice = strcspn(choices, "|");

		if (choice == length && strncmp(choices, word, length) == 0)
			return true;
		if (choices[choice] == '\0')
			return false;
		choices += choice + 1;
	}
	return false;
}

/* Reads one argument by its kind. */
static int parse_arg(const struct option_row *row, int index, struct option_use *use,
		     struct cloche_error *err)
{
	const char *text = use->arg[index];
	uint64_t *number = &use->number[index];

	switch (row->arg[index].kind) {
	case KIND_FD:
		return num_parse(text, INT_MAX, number) < 0
			       ? error_set(err, ERROR_INVALID_FD, 0, text)
			       : 0;
	case KIND_UID:
		return num_parse(text, UINT32_MAX - 1, number) < 0
			       ? error_set(err, ERROR_INVALID_UID, 0, text)
			       : 0;
	case KIND_GID:
		return num_parse(text, UINT32_MAX - 1, number) < 0
			       ? error_set(err, ERROR_INVALID_GID, 0, text)
			       : 0;
	case KIND_OCTAL:
		return num_parse_octal(text, 07777, number) < 0
			       ? error_set_detail(err, ERROR_INVALID_OCTAL, 0, text, row->name)
			       : 0;
	case KIND_SIZE:
		return num_parse_size(text, number) < 0
			       ? error_set_detail(err, ERROR_INVALID_SIZE, 0, text, row->name)
			       : 0;
	case KIND_CAP:
		return parse_cap(text, number) < 0 ? error_set(err, ERROR_INVALID_CAP, 0, text) : 0;
	case KIND_CHOICE:
		return is_choice(row->arg[index].meta, text)
			       ? 0
			       : error_set_detail(err, ERROR_INVALID_CHOICE, 0, text, row->name);
	case KIND_PATH:
	case KIND_DEST:
		return text[0] ? 0 : error_set(err, ERROR_EMPTY_PATH, 0, row->name);
	default:
		return 0;
	}
}

/* A one-shot option waits for the option it modifies: may @row come now? */
static int check_pending(struct parser *parser, const struct option_row *row,
			 struct cloche_error *err)
{
	const char *name = row ? row->name : "";
	bool is_size = strcmp(name, "size") == 0, is_perms = strcmp(name, "perms") == 0;
	bool is_tmpfs = strcmp(name, "tmpfs") == 0, is_args = strcmp(name, "args") == 0;
	bool creates = is_tmpfs || strcmp(name, "dir") == 0 || strcmp(name, "file") == 0 ||
		       strcmp(name, "bind-data") == 0 || strcmp(name, "ro-bind-data") == 0;

	if (parser->perms != MODE_UNSET && !creates && !is_size && !is_perms && !is_args) {
		err->use = parser->perms_use;
		return error_set(err, ERROR_PERMS_WASTED, 0, NULL);
	}
	if (parser->size && !is_tmpfs && !is_size && !is_perms && !is_args) {
		err->use = parser->size_use;
		return error_set(err, ERROR_SIZE_WASTED, 0, NULL);
	}
	if (parser->pending_layers && strcmp(name, "overlay-src") != 0 &&
	    strcmp(name, "overlay") != 0 && strcmp(name, "tmp-overlay") != 0 &&
	    strcmp(name, "ro-overlay") != 0) {
		err->use = parser->spec->layers[parser->spec->layer_count - 1].use;
		return error_set(err, ERROR_OVERLAY_SRC_WASTED, 0, NULL);
	}
	return 0;
}

static int find_row(const char *name, size_t length)
{
	size_t count;
	const struct option_row *rows = option_rows(&count);

	for (size_t i = 0; i < count; i++)
		if (strncmp(rows[i].name, name, length) == 0 && rows[i].name[length] == '\0')
			return (int)i;
	return -1;
}

#ifdef CLOCHE_MUTATION
/* Test builds only: the row named by CLOCHE_MUTATE is read but has no effect, and some test must
 * notice. */
static bool is_mutated(const struct option_row *row)
{
	const char *name = getenv("CLOCHE_MUTATE");

	return name && strcmp(name, row->name) == 0;
}
#else
static bool is_mutated(const struct option_row *row)
{
	(void)row;
	return false;
}
#endif

static int unknown_option(const char *word, struct cloche_error *err)
{
	error_set_hint(err, HINT_TYPO);
	return error_set(err, ERROR_UNKNOWN_OPTION, 0, word);
}

/*
 * Reads the option at @words[0] and its arguments; *@ret_used is how many words that took. The
 * arguments are taken whatever they look like.
 */
static int parse_option(struct parser *parser, char *const *words, size_t *ret_used,
			struct cloche_error *err)
{
	const char *name = str_starts(words[0], "--") ? words[0] + 2 : "";
	const char *value = strchr(name, '=');
	size_t count;
	int index = find_row(name, value ? (size_t)(value - name) : strlen(name));
	const struct option_row *row = index < 0 ? NULL : &option_rows(&count)[index];
	struct option_use *use;
	int number, r;

	if (!row) {
		r = check_pending(parser, NULL, err);
		return r < 0 ? r : unknown_option(words[0], err);
	}
	r = check_pending(parser, row, err);
	if (r < 0)
		return r;
	number = (int)parser->spec->use_count;
	use = spec_add(&parser->spec->uses, &parser->spec->use_count, sizeof(*use));
	if (!use)
		return no_memory(err);
	err->use = number;
	*use = (struct option_use){ .row = row, .file = parser->file };
	*ret_used = 1;
	if (value) {
		if (row->arg_count != 1) {
			parser->spec->use_count--;
			err->use = -1;
			return row->arg_count
				       ? unknown_option(words[0], err)
				       : error_set(err, ERROR_ARGUMENT_UNWANTED, 0, words[0]);
		}
		use->arg[0] = value + 1;
	}
	for (int i = 0; i < row->arg_count && !value && !row->is_optional; i++) {
		use->arg[i] = words[i + 1];
		if (!use->arg[i])
			return strcmp(row->name, "overlay-src") == 0
				       ? error_set(err, ERROR_OVERLAY_SRC_WASTED, 0, NULL)
				       : error_set_detail(err, ERROR_ARGUMENT_MISSING, 0, row->name,
							  arguments_text(row));
		(*ret_used)++;
	}
	for (int i = 0; i < row->arg_count && use->arg[i]; i++) {
		r = parse_arg(row, i, use, err);
		if (r < 0)
			return r;
	}
	r = is_mutated(row) ? 0 : actions[index].setter(parser, number, actions[index].param, err);
	if (r == 0)
		err->use = -1;
	return r;
}

static bool ends_reading(enum spec_action action)
{
	return action == ACTION_HELP || action == ACTION_VERSION || action == ACTION_INTROSPECT;
}

/* Reads options up to the first other word or "--"; *@ret_rest are the words behind. */
static int parse_words(struct parser *parser, char *const *words, char *const **ret_rest,
		       struct cloche_error *err)
{
	while (*words && (*words)[0] == '-' && strcmp(*words, "--") != 0) {
		size_t used = 0;
		int r = parse_option(parser, words, &used, err);

		if (r < 0)
			return r;
		words += used;
		if (ends_reading(parser->spec->action))
			break;
	}
	if (*words && strcmp(*words, "--") == 0)
		words++;
	*ret_rest = words;
	return 0;
}

/* Splits NUL-separated @data into words; the array is allocated, the words stay in @data. */
static char **split_words(char *data, size_t size)
{
	size_t count = 0, used = 0;
	char **words;

	for (size_t i = 0; i < size; i++)
		count += data[i] == '\0';
	words = calloc(count + 2, sizeof(*words)); /* one more for a last word without its NUL */
	if (!words)
		return NULL;
	for (char *word = data; word < data + size; word += strlen(word) + 1)
		words[used++] = word;
	return words;
}

/* Reads the descriptor of --args into words that live as long as the spec. */
static int read_args(struct parser *parser, int fd, char ***ret_words, struct cloche_error *err)
{
	_free_ char *data = NULL;
	char number[12];
	struct str_buf text = { .data = number, .size = sizeof(number) };
	size_t size;
	char *kept;
	int r = fd_read_all(fd, MAX_ARGS_BYTES, &data, &size);

	if (r < 0) {
		str_add_number(&text, (uint64_t)fd);
		(void)error_set(err, ERROR_ARGS_READ, -r, number);
		return r;
	}
	fd_release(fd);
	kept = spec_add_blob(parser->spec, take_ptr(data));
	*ret_words = kept ? split_words(kept, size) : NULL;
	if (!*ret_words || !spec_add_blob(parser->spec, (char *)*ret_words))
		return no_memory(err);
	return 0;
}

static int set_args(struct parser *parser, int use, long param, struct cloche_error *err)
{
	const char *outer_file = parser->file;
	_free_ char *file = NULL;
	char *const *rest;
	char **words = NULL;
	int fd = first_number(parser, use), r;

	(void)param;
	if (parser->depth == MAX_ARGS_DEPTH)
		return error_set(err, ERROR_ARGS_DEPTH, 0, "16");
	r = read_args(parser, fd, &words, err);
	if (r < 0)
		return r;
	file = str_format("fd %d", fd);
	parser->file = file ? spec_add_blob(parser->spec, take_ptr(file)) : NULL;
	if (!parser->file)
		return no_memory(err);
	parser->depth++;
	r = parse_words(parser, words, &rest, err);
	parser->depth--;
	parser->file = outer_file;
	if (r == 0 && *rest && !ends_reading(parser->spec->action))
		r = error_set(err, ERROR_ARGS_WORD, 0, *rest);
	if (r < 0 && err->use < 0)
		err->use = use;
	return r;
}

int spec_parse(struct spec *spec, char *const *argv, struct cloche_error *err)
{
	struct parser parser = {
		.spec = spec, .perms = MODE_UNSET, .perms_use = -1, .size_use = -1
	};
	struct spec_fd *const fds[] = { &spec->userns_fd, &spec->userns2_fd,
					&spec->pidns_fd,  &spec->sync_fd,
					&spec->block_fd,  &spec->userns_block_fd,
					&spec->info_fd,	  &spec->json_status_fd,
					&spec->seccomp_fd };
	char *const *rest;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		*fds[i] = (struct spec_fd){ .fd = -1, .use = -1 };
	for (size_t i = 0; i < FLAG_COUNT; i++)
		spec->flag_use[i] = -1;
	spec->unshare_user_use = spec->share_user_use = spec->userns_limit_use = -1;
	err->stage = STAGE_OPTIONS;
	r = parse_words(&parser, argv + 1, &rest, err);
	if (r < 0 || ends_reading(spec->action))
		return r;
	r = check_pending(&parser, NULL, err);
	if (r < 0)
		return r;
	spec->command = *rest ? rest : NULL;
	return 0;
}
