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

static int no_memory(struct cloche_error *err)
{
	return error_set(err, ERROR_OUT_OF_MEMORY, ENOMEM, NULL);
}

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
	struct op_list list = { .ops = calloc(spec->op_count + most, sizeof(struct fs_op)) };

	if (!list.ops)
		return no_memory(err);
	plan->ops = list.ops;
	if (plan->personality->provides_root && !spec_flag(spec, FLAG_BARE) &&
	    !root_is_provided(spec))
		add_provided_root(&list, plan, facts);
	if (spec->op_count)
		memcpy(list.ops + list.count, spec->ops, spec->op_count * sizeof(struct fs_op));
	plan->op_count = list.count + spec->op_count;
	return 0;
}

/* ---- environment ---- */

static size_t name_length(const char *variable)
{
	return strcspn(variable, "=");
}

static bool has_name(const char *variable, const char *name)
{
	size_t length = strlen(name);

	return strncmp(variable, name, length) == 0 && variable[length] == '=';
}

static void unset_variable(struct plan *plan, const char *name)
{
	size_t kept = 0;

	for (size_t i = 0; i < plan->environment_count; i++) {
		if (has_name(plan->environment[i], name))
			free(plan->environment[i]);
		else
			plan->environment[kept++] = plan->environment[i];
	}
	plan->environment_count = kept;
}

/* Appends @variable ("NAME=VALUE"), which the plan then owns. */
static int add_variable(struct plan *plan, char *variable)
{
	char **added =
		variable ? spec_add(&plan->environment, &plan->environment_count, sizeof(char *))
			 : NULL;

	if (!added) {
		free(variable);
		return -ENOMEM;
	}
	*added = variable;
	return 0;
}

static int set_variable(struct plan *plan, const char *name, const char *value)
{
	unset_variable(plan, name);
	return add_variable(plan, str_format("%s=%s", name, value));
}

/* Takes over the caller's variables whose names match @pattern; NULL: all. */
static int keep_variables(struct plan *plan, const struct facts *facts, const char *pattern)
{
	for (char *const *variable = facts->environ; *variable; variable++) {
		_free_ char *name = strndup(*variable, name_length(*variable));

		if (!name)
			return -ENOMEM;
		if (pattern && fnmatch(pattern, name, 0) != 0)
			continue;
		if (pattern)
			unset_variable(plan, name);
		if (add_variable(plan, strdup(*variable)) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int rebuild_environment(struct plan *plan, const struct facts *facts)
{
	const char *const rebuilt[][2] = {
		{ "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" },
		{ "HOME", facts->home ? facts->home : "/" },
		{ "USER", facts->user },
		{ "LOGNAME", facts->user },
		{ "SHELL", facts->shell ? facts->shell : "/bin/sh" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kept_variables); i++)
		if (keep_variables(plan, facts, kept_variables[i]) < 0)
			return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(rebuilt); i++)
		if (rebuilt[i][1] && set_variable(plan, rebuilt[i][0], rebuilt[i][1]) < 0)
			return -ENOMEM;
	return 0;
}

static int apply_env_op(struct plan *plan, const struct facts *facts, const struct env_op *op)
{
	switch (op->type) {
	case ENV_SET:
		return set_variable(plan, op->name, op->value);
	case ENV_UNSET:
		unset_variable(plan, op->name);
		return 0;
	case ENV_CLEAR:
		while (plan->environment_count)
			free(plan->environment[--plan->environment_count]);
		return 0;
	case ENV_KEEP:
		return keep_variables(plan, facts, op->name);
	}
	return 0;
}

int defaults_environment(struct plan *plan, const struct facts *facts, struct cloche_error *err)
{
	const struct spec *spec = plan->spec;
	char **slot;
	size_t count;
	int r;

	r = plan->personality->inherits_env ? keep_variables(plan, facts, NULL)
					    : rebuild_environment(plan, facts);
	for (size_t i = 0; r == 0 && i < spec->env_op_count; i++)
		r = apply_env_op(plan, facts, &spec->env_ops[i]);
	if (r < 0)
		return no_memory(err);
	/* PWD is known only inside. Its slot and the terminator are not counted, nor freed. */
	unset_variable(plan, "PWD");
	count = plan->environment_count;
	slot = realloc(plan->environment, (count + 2) * sizeof(char *));
	if (!slot)
		return no_memory(err);
	slot[count] = slot[count + 1] = NULL;
	plan->environment = slot;
	for (size_t i = 0; i < count; i++)
		if (has_name(slot[i], "HOME"))
			plan->home = slot[i] + 5;
	return 0;
}
