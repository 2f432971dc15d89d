/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The provided root directory and the environment. Pure: facts in, operations and strings out.
 */
#include "spec/defaults.h"

#include <fnmatch.h>
#include <sched.h>
#include <string.h>

#include "base/path.h"
#include "base/str.h"

/*
 * What of /etc a program needs to start, find its libraries, name its user, verify certificates and
 * tell the time. Nothing that holds secrets or configures services; resolv.conf only together with
 * the network it describes.
 */
static const char *const etc_entries[] = {
	"/etc/alternatives",
	"/etc/ca-certificates",
	"/etc/ca-certificates.conf",
	"/etc/crypto-policies",
	"/etc/debian_version",
	"/etc/fonts",
	"/etc/group",
	"/etc/host.conf",
	"/etc/hosts",
	"/etc/inputrc",
	"/etc/ld.so.cache",
	"/etc/ld.so.conf",
	"/etc/ld.so.conf.d",
	"/etc/locale.alias",
	"/etc/localtime",
	"/etc/magic",
	"/etc/mime.types",
	"/etc/networks",
	"/etc/nsswitch.conf",
	"/etc/os-release",
	"/etc/passwd",
	"/etc/pki",
	"/etc/profile",
	"/etc/protocols",
	"/etc/services",
	"/etc/shells",
	"/etc/ssl/certs",
	"/etc/ssl/openssl.cnf",
	"/etc/terminfo",
	"/etc/timezone",
};

static const char *const kept_variables[] = { "TERM", "COLORTERM", "LANG",    "LANGUAGE",
					      "LC_*", "TZ",	   "NO_COLOR" };

/* ---- root directory ---- */

static bool root_is_provided(const struct spec *spec)
{
	for (size_t i = 0; i < spec->op_count; i++) {
		const struct fs_op *op = &spec->ops[i];
		bool mounts = op->type <= OP_TMPFS;

		if (mounts && (path_is_root(op->dest) || strcmp(op->dest, "/usr") == 0 ||
			       strcmp(op->dest, "/usr/") == 0))
			return true;
	}
	return false;
}

bool defaults_provide_root(const struct spec *spec)
{
	return spec->personality->provides_root && !spec_flag(spec, FLAG_BARE) &&
	       !root_is_provided(spec);
}

struct op_list {
	struct fs_op *ops;
	size_t count;
};

static void add_op(struct op_list *list, const struct fs_op *op)
{
	struct fs_op *added = &list->ops[list->count++];

	*added = *op;
	added->use = -1;
	added->fd = -1;
	if (!added->mode)
		added->mode = MODE_UNSET;
}

static void add_ro_bind(struct op_list *list, const char *path, int flags)
{
	add_op(list,
	       &(struct fs_op){
		       .type = OP_BIND, .source = path, .dest = path, .flags = BIND_RO | flags });
}

static void add_provided_root(struct op_list *list, const struct plan *plan,
			      const struct facts *facts)
{
	add_ro_bind(list, "/usr", 0);
	for (size_t i = 0; i < FACTS_LINK_COUNT; i++) {
		const struct facts_entry *entry = &facts->links[i];

		if (!entry->exists)
			continue;
		if (entry->target)
			add_op(list, &(struct fs_op){ .type = OP_SYMLINK,
						      .source = entry->target,
						      .dest = entry->path });
		else
			add_ro_bind(list, entry->path, 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(etc_entries); i++)
		add_ro_bind(list, etc_entries[i], BIND_TRY);
	if (!(plan->clone_flags & CLONE_NEWNET))
		add_ro_bind(list, "/etc/resolv.conf", BIND_TRY);
	add_op(list, &(struct fs_op){ .type = OP_PROC, .dest = "/proc" });
	add_op(list, &(struct fs_op){ .type = OP_DEV, .dest = "/dev" });
	add_op(list, &(struct fs_op){ .type = OP_TMPFS, .dest = "/tmp", .mode = 01777 });
	if (facts->home && !path_is_root(facts->home))
		add_op(list, &(struct fs_op){ .type = OP_DIR, .dest = facts->home, .mode = 0700 });
}

int defaults_root(struct plan *plan, const struct facts *facts, struct cloche_error *err)
{
	const struct spec *spec = plan->spec;
	const size_t most = 1 + FACTS_LINK_COUNT + ARRAY_SIZE(etc_entries) + 1 + 4;
	const size_t behind = 1 + PLAN_NET_TEXTS; /* of plan_views() and plan_net_make() */
	struct op_list list = { .ops = calloc(most + spec->op_count + behind,
					      sizeof(struct fs_op)) };

	if (!list.ops)
		return error_no_memory(err);
	plan->ops = list.ops;
	if (defaults_provide_root(spec))
		add_provided_root(&list, plan, facts);
	if (spec->op_count)
		memcpy(list.ops + list.count, spec->ops, spec->op_count * sizeof(struct fs_op));
	plan->op_count = list.count + spec->op_count;
	return 0;
}

/* ---- environment ---- */

/*
 * The environment as a history: what was taken over, set and unset, in order. It is resolved once
 * at the end, so that long lists of options cost no more than sorting them.
 */
enum change_type {
	CHANGE_INHERIT, /* taken over as it was; duplicates of such stay */
	CHANGE_SET,
	CHANGE_UNSET /* the variable is the name alone */
};

struct change {
	char *variable; /* "NAME=VALUE"; owned */
	size_t name_length;
	size_t sequence; /* place in the history */
	enum change_type type;
};

struct history {
	struct change *changes;
	size_t count;
};

/* Appends @variable, which the history then owns; NULL: out of memory. */
static int add_change(struct history *history, char *variable, enum change_type type)
{
	struct change *change =
		variable ? spec_add(&history->changes, &history->count, sizeof(*change)) : NULL;

	if (!change) {
		free(variable);
		return -ENOMEM;
	}
	*change = (struct change){
		.variable = variable,
		.name_length = strcspn(variable, "="),
		.sequence = history->count,
		.type = type,
	};
	return 0;
}

static void clear_history(struct history *history)
{
	while (history->count)
		free(history->changes[--history->count].variable);
	free(history->changes);
	history->changes = NULL;
}

static int set_variable(struct history *history, const char *name, const char *value)
{
	return add_change(history, str_format("%s=%s", name, value), CHANGE_SET);
}

/* Takes over the caller's variables whose names match @pattern; NULL: all. */
static int keep_variables(struct history *history, const struct facts *facts, const char *pattern)
{
	for (char *const *variable = facts->environ; *variable; variable++) {
		_free_ char *name = strndup(*variable, strcspn(*variable, "="));

		if (!name)
			return -ENOMEM;
		if (pattern && fnmatch(pattern, name, 0) != 0)
			continue;
		if (add_change(history, strdup(*variable), pattern ? CHANGE_SET : CHANGE_INHERIT) <
		    0)
			return -ENOMEM;
	}
	return 0;
}

static int rebuild_environment(struct history *history, const struct facts *facts)
{
	const char *const rebuilt[][2] = {
		{ "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" },
		{ "HOME", facts->home ? facts->home : "/" },
		{ "USER", facts->user },
		{ "LOGNAME", facts->user },
		{ "SHELL", facts->shell ? facts->shell : "/bin/sh" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kept_variables); i++)
		if (keep_variables(history, facts, kept_variables[i]) < 0)
			return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(rebuilt); i++)
		if (rebuilt[i][1] && set_variable(history, rebuilt[i][0], rebuilt[i][1]) < 0)
			return -ENOMEM;
	return 0;
}

static int apply_env_op(struct history *history, const struct facts *facts, const struct env_op *op)
{
	switch (op->type) {
	case ENV_SET:
		return set_variable(history, op->name, op->value);
	case ENV_UNSET:
		return add_change(history, strdup(op->name), CHANGE_UNSET);
	case ENV_CLEAR:
		clear_history(history);
		return 0;
	case ENV_KEEP:
		return keep_variables(history, facts, op->name);
	}
	return 0;
}

static int make_history(struct history *history, const struct plan *plan, const struct facts *facts)
{
	const struct spec *spec = plan->spec;
	int r = plan->personality->inherits_env ? keep_variables(history, facts, NULL)
						: rebuild_environment(history, facts);

	for (size_t i = 0; r == 0 && i < spec->env_op_count; i++)
		r = apply_env_op(history, facts, &spec->env_ops[i]);
	return r;
}

static int compare_names(const struct change *a, const struct change *b)
{
	size_t shorter = a->name_length < b->name_length ? a->name_length : b->name_length;
	int order = memcmp(a->variable, b->variable, shorter);

	if (order)
		return order;
	return (a->name_length > b->name_length) - (a->name_length < b->name_length);
}

static int by_name(const void *first, const void *second)
{
	const struct change *a = first, *b = second;
	int order = compare_names(a, b);

	return order ? order : (a->sequence > b->sequence) - (a->sequence < b->sequence);
}

static int by_sequence(const void *first, const void *second)
{
	const struct change *a = first, *b = second;

	return (a->sequence > b->sequence) - (a->sequence < b->sequence);
}

/* First change behind the group of @history that begins at @start and shares its name. */
static size_t group_end(const struct history *history, size_t start)
{
	size_t end = start + 1;

	while (end < history->count &&
	       compare_names(&history->changes[start], &history->changes[end]) == 0)
		end++;
	return end;
}

/* A variable that is set anew stays where it stood, as with setenv(3). */
static void keep_place(struct change *group, size_t count)
{
	size_t place = group[0].sequence;

	for (size_t i = 1; i < count; i++) {
		if (group[i - 1].type == CHANGE_UNSET)
			place = group[i].sequence;
		if (group[i].type == CHANGE_SET)
			group[i].sequence = place;
	}
}

/* Frees what a later change of the same name makes void, and what unsets. */
static void resolve_history(struct history *history)
{
	struct change *changes = history->changes;
	size_t kept = 0;

	if (!history->count)
		return;
	qsort(changes, history->count, sizeof(*changes), by_name);
	for (size_t start = 0, end; start < history->count; start = end) {
		end = group_end(history, start);
		keep_place(&changes[start], end - start);
		for (size_t i = start; i < end; i++) {
			bool is_void = i + 1 < end && changes[end - 1].type != CHANGE_INHERIT;

			if (is_void || changes[i].type == CHANGE_UNSET)
				free(changes[i].variable);
			else
				changes[kept++] = changes[i];
		}
	}
	history->count = kept;
	qsort(changes, history->count, sizeof(*changes), by_sequence);
}

int defaults_environment(struct plan *plan, const struct facts *facts, struct cloche_error *err)
{
	struct history history = { 0 };
	int r = make_history(&history, plan, facts);

	if (r == 0) {
		resolve_history(&history);
		plan->environment = calloc(history.count + 1, sizeof(char *));
	}
	if (!plan->environment) {
		clear_history(&history);
		return error_no_memory(err);
	}
	plan->pwd_place = history.count;
	for (size_t i = 0; i < history.count; i++) {
		char *variable = history.changes[i].variable;

		if (str_starts(variable, "PWD=")) {
			plan->pwd_place = plan->environment_count;
			free(variable);
			continue;
		}
		if (str_starts(variable, "HOME="))
			plan->home = variable + strlen("HOME=");
		plan->environment[plan->environment_count++] = variable;
	}
	free(history.changes);
	return 0;
}
