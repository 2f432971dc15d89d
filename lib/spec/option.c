/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The parser: one loop over words, dispatched through the option table.
 *
 * Runs before anything else, in the caller's process. It touches nothing but the descriptors of
 * --args.
 */
#include <limits.h>
#include <string.h>
#include <sys/capability.h>

#include "base/fd.h"
#include "base/num.h"
#include "base/str.h"
#include "spec/parser.h"

#define MAX_ARGS_DEPTH 16
#define MAX_ARGS_BYTES (64u << 20) /* of one --args file */

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
	/* cap_from_name(3) would stop at a comma or a blank and ignore the rest. */
	if (text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")])
		return -EINVAL;
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

/* Ranges with commas between them? The setters read them again, into their lists. */
static bool is_idmap(const char *text)
{
	struct id_range range;

	do
		if (idmap_parse(&text, &range) < 0)
			return false;
	while (*text);
	return true;
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
	case KIND_NS:
		if (strchr(text, '/') || num_parse(text, INT_MAX, number) == 0)
			return 0;
		error_set_hint(err, HINT_NS_PATH);
		return error_set(err, ERROR_INVALID_NS, 0, text);
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
	case KIND_IDMAP:
		return is_idmap(text)
			       ? 0
			       : error_set_detail(err, ERROR_INVALID_MAP, 0, text, row->name);
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

static bool takes_idmap(const char *name)
{
	static const char *const names[] = { "idmap",	    "bind",	    "bind-try",
					     "dev-bind",    "dev-bind-try", "ro-bind",
					     "ro-bind-try", "bind-fd",	    "ro-bind-fd" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
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
	if (parser->pending_idmaps && !is_args && !takes_idmap(name)) {
		err->use = parser->idmap_use;
		return error_set(err, ERROR_IDMAP_WASTED, 0, NULL);
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
		return error_no_memory(err);
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
	r = is_mutated(row) ? 0
			    : option_actions[index].setter(parser, number,
							   option_actions[index].param, err);
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

/* Reads the descriptor of --args into words that live as long as the spec; NULL with @err filled.
 */
static char **read_args(struct parser *parser, int fd, struct cloche_error *err)
{
	_free_ char *data = NULL;
	char number[STR_NUMBER_SIZE];
	char **words = NULL;
	size_t size;
	char *kept;
	int r = fd_read_all(fd, MAX_ARGS_BYTES, &data, &size);

	if (r < 0) {
		(void)error_set(err, ERROR_ARGS_READ, -r, str_number(number, (uint64_t)fd));
		return NULL;
	}
	fd_release(fd);
	kept = spec_add_blob(parser->spec, take_ptr(data));
	if (kept)
		words = (char **)spec_add_blob(parser->spec, (char *)split_words(kept, size));
	if (!words)
		(void)error_no_memory(err);
	return words;
}

int parser_read_args(struct parser *parser, int use, long param, struct cloche_error *err)
{
	const char *outer_file = parser->file;
	_free_ char *file = NULL;
	char *const *rest;
	char **words;
	int fd = (int)parser->spec->uses[use].number[0], r;

	(void)param;
	if (parser->depth == MAX_ARGS_DEPTH)
		return error_set(err, ERROR_ARGS_DEPTH, 0, "16");
	words = read_args(parser, fd, err);
	if (!words)
		return err->errnum > 0 ? -err->errnum : -EINVAL;
	file = str_format("fd %d", fd);
	parser->file = file ? spec_add_blob(parser->spec, take_ptr(file)) : NULL;
	if (!parser->file)
		return error_no_memory(err);
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

/* For all else a sandbox that runs would have to be made anew. */
static const char *const late_options[][10] = {
	[LATE_COMMAND] = { "chdir", "clearenv", "setenv", "unsetenv", "pty", "no-pty", "timeout",
			   "kill-after", "stop-signal" },
	[LATE_LIMITS] = { "memory", "memory-high", "swap", "pids-max", "cpus", "cpu-weight" },
	[LATE_NET] = { "publish", "net-allow", "net-deny" },
	[LATE_PUBLISH] = { "publish" },
	[LATE_BINDS] = { "bind", "bind-try", "ro-bind", "ro-bind-try", "dev-bind", "dev-bind-try" },
};

static int check_late(const struct spec *spec, size_t first, enum late_kind kind,
		      struct cloche_error *err)
{
	for (size_t i = first; i < spec->use_count; i++) {
		bool found = false;

		for (size_t j = 0; late_options[kind][j]; j++)
			found |= strcmp(spec->uses[i].row->name, late_options[kind][j]) == 0;
		if (found)
			continue;
		err->use = (int)i;
		return error_set(err, ERROR_LATE_OPTION, 0, NULL);
	}
	return 0;
}

int spec_parse_late(struct spec *spec, char *const *argv, enum late_kind kind,
		    struct cloche_error *err)
{
	int r = spec_parse(spec, argv, err);

	if (r == 0)
		r = check_late(spec, 0, kind, err);
	if (r == 0 && spec->command)
		r = error_set(err, ERROR_ARGS_WORD, 0, spec->command[0]);
	return r;
}

int spec_extend(struct spec *spec, char *const *words, struct cloche_error *err)
{
	struct parser parser = {
		.spec = spec, .perms = MODE_UNSET, .perms_use = -1, .size_use = -1
	};
	size_t first = spec->use_count;
	char *const *rest;
	int r = parse_words(&parser, words, &rest, err);

	if (r == 0)
		r = check_late(spec, first, LATE_COMMAND, err);
	if (r < 0)
		return r;
	if (!*rest)
		return error_set(err, ERROR_NO_COMMAND, 0, NULL);
	spec->command = rest;
	return 0;
}

int spec_parse(struct spec *spec, char *const *argv, struct cloche_error *err)
{
	struct parser parser = {
		.spec = spec, .perms = MODE_UNSET, .perms_use = -1, .size_use = -1
	};
	struct spec_fd *const fds[] = { &spec->userns2_fd,	&spec->block_fd,
					&spec->userns_block_fd, &spec->info_fd,
					&spec->json_status_fd,	&spec->seccomp_fd,
					&spec->usage_fd,	&spec->control_fd };
	char *const *rest;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		*fds[i] = (struct spec_fd){ .fd = -1, .use = -1 };
	for (size_t i = 0; i < FLAG_COUNT; i++)
		spec->flag_use[i] = -1;
	spec->unshare_user_use = spec->share_user_use = spec->userns_limit_use = -1;
	spec->share_net_use = spec->share_pid_use = -1;
	spec->parent = getppid();
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
