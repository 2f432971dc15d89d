/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The plan in words. Runs in the program, instead of a start.
 */
#include "spec/explain-parts.h"

#include <string.h>

#include "base/jsonw.h"

static const char *const op_names[] = {
	[OP_BIND] = "bind",
	[OP_BIND_FD] = "bind",
	[OP_OVERLAY] = "overlay",
	[OP_PROC] = "proc",
	[OP_DEV] = "dev",
	[OP_TMPFS] = "tmpfs",
	[OP_MQUEUE] = "mqueue",
	[OP_DIR] = "dir",
	[OP_FILE] = "file",
	[OP_DATA] = "bind-data",
	[OP_DATA_RO] = "bind-data",
	[OP_TEXT] = "text",
	[OP_SYMLINK] = "symlink",
	[OP_CHMOD] = "chmod",
	[OP_REMOUNT_RO] = "remount-ro",
	[OP_SYS] = "sys",
	[OP_MASK] = "mask",
	[OP_DENY_WRITE] = "deny-write",
	[OP_DENY_CREATE] = "deny-create",
	[OP_NOEXEC] = "noexec",
	[OP_NO_SYMLINKS] = "no-symlinks",
	[OP_SECRETS] = "secrets",
};

const char *explain_op_name(const struct fs_op *op)
{
	return op_names[op->type];
}

size_t explain_op_flags(const struct plan *plan, const struct fs_op *op,
			const char *flags[EXPLAIN_MOST_FLAGS])
{
	size_t count = 0;
	bool is_bind = op->type == OP_BIND || op->type == OP_BIND_FD;
	bool read_only = (is_bind && op->flags & BIND_RO) || op->type == OP_DATA_RO ||
			 op->type == OP_TEXT ||
			 (op->type == OP_OVERLAY && op->flags == OVERLAY_RO) || op->type == OP_SYS;

	if (op->type == OP_REMOUNT_RO)
		flags[count++] = "ro";
	if (op->type >= OP_DIR && op->type != OP_DATA && op->type != OP_DATA_RO &&
	    op->type != OP_TEXT)
		return explain_view_flags(plan, op, count, flags);
	flags[count++] = read_only ? "ro" : "rw";
	if (op->type == OP_MQUEUE)
		return count;
	if (!plan->allow_suid || !(is_bind || op->type == OP_OVERLAY))
		flags[count++] = "nosuid";
	if (!(is_bind && op->flags & BIND_DEV))
		flags[count++] = "nodev";
	if ((op->type == OP_PROC && plan->own_proc) || op->type == OP_SYS)
		flags[count++] = "noexec";
	if (is_bind)
		flags[count++] = plan->private_mounts ? "private" : "slave";
	return explain_view_flags(plan, op, count, flags);
}

void explain_put_escaped(const char *text, FILE *out)
{
	size_t size = 4 * strlen(text) + 1;
	char *escaped = malloc(size);
	struct str_buf buf = { .data = escaped, .size = size };

	if (!escaped)
		return;
	escaped[0] = '\0';
	str_add_escaped(&buf, text);
	fputs(escaped, out);
	free(escaped);
}

void explain_put_json(const char *text, FILE *out)
{
	size_t size = 6 * strlen(text) + 3;
	char *quoted = malloc(size);
	struct str_buf buf = { .data = quoted, .size = size };

	if (!quoted)
		return;
	jsonw_string(&buf, text);
	fputs(quoted, out);
	free(quoted);
}

/* ---- for people ---- */

static void text_op(const struct plan *plan, const struct fs_op *op, FILE *out)
{
	const char *flags[EXPLAIN_MOST_FLAGS];
	size_t count = explain_op_flags(plan, op, flags);

	fprintf(out, "  %-10s ", op_names[op->type]);
	explain_put_escaped(op->dest, out);
	if (op->source && op->type != OP_TEXT) {
		fputs(op->type == OP_SYMLINK ? " -> " : " from ", out);
		explain_put_escaped(op->source, out);
	}
	if (op->fd >= 0)
		fprintf(out, " from fd %d", op->fd);
	for (size_t i = 0; i < op->layer_count; i++) {
		fputs(i ? ", " : " layers ", out);
		explain_put_escaped(plan->spec->layers[op->layer_first + i].path, out);
	}
	for (size_t i = 0; i < count; i++)
		fprintf(out, "%s%s", i ? "," : " (", flags[i]);
	if (count)
		fputc(')', out);
	if (op->mode != MODE_UNSET)
		fprintf(out, " mode %04o", op->mode);
	if (op->size)
		fprintf(out, " at most %llu bytes", (unsigned long long)op->size);
	if ((op->type == OP_BIND) && op->flags & BIND_TRY)
		fputs(" if it exists", out);
	fputc('\n', out);
	for (size_t i = 0; i < op->idmap_count; i++) {
		const struct id_range *range = &plan->spec->ids.idmap_ranges[op->idmap_first + i];

		fprintf(out,
			"             ids %u to %llu of the file system are %u to %llu there\n",
			range->outside, (unsigned long long)range->outside + range->count - 1,
			range->inside, (unsigned long long)range->inside + range->count - 1);
	}
}

static bool is_inherited(const struct facts *facts, const char *variable)
{
	for (char *const *other = facts->environ; *other; other++)
		if (strcmp(*other, variable) == 0)
			return true;
	return false;
}

static void text_variable(const struct plan *plan, const char *variable, FILE *out)
{
	bool hidden = explain_is_hidden(plan, variable);
	_free_ char *name = hidden ? strndup(variable, strcspn(variable, "=")) : NULL;

	explain_put_escaped(!hidden ? variable : name ? name : "", out);
	if (hidden)
		fputs("=(hidden)", out);
	fputc('\n', out);
}

void explain_text(const struct plan *plan, const struct facts *facts, FILE *out)
{
	fprintf(out, "personality: %s\n", plan->personality->name);
	explain_namespaces_text(plan, facts, out);
	fprintf(out, "root directory: %s\n",
		plan->in_place ? "the host's, with other flags" : "a new tmpfs");
	fputs("mounts and files, in this order:\n", out);
	for (size_t i = 0; i < plan->op_count; i++)
		text_op(plan, &plan->ops[i], out);
	if (!plan->landlock.is_tier)
		explain_tree_text(plan, out);
	explain_views_text(plan, out);
	fputs("environment:\n", out);
	for (size_t i = 0; i < plan->environment_count; i++) {
		fprintf(out, "  %s ", is_inherited(facts, plan->environment[i]) ? "keep" : "set ");
		text_variable(plan, plan->environment[i], out);
	}
	explain_caps_text(plan, out);
	explain_limits_text(plan, out);
	explain_net_text(plan, facts, out);
	explain_landlock_text(plan, out);
	explain_policy_text(plan, out);
	fprintf(out, "descriptors from 3 on: %s\n",
		plan->personality->inherits_fds ? "inherited" : "closed");
	fprintf(out, "processes: %s\n",
		plan->init_is_pid_1 ? "an init process as pid 1, COMMAND below it"
		: plan->has_init    ? "an init process, COMMAND below it"
				    : "COMMAND alone");
	explain_supervision_text(plan, out);
}

/* ---- for programs ---- */

void explain_json_key(const char *key, FILE *out)
{
	fprintf(out, ", \"%s\": ", key);
}

static void json_op(const struct plan *plan, const struct fs_op *op, FILE *out)
{
	const char *flags[EXPLAIN_MOST_FLAGS];
	size_t count = explain_op_flags(plan, op, flags);

	fprintf(out, "{\"type\": \"%s\"", op_names[op->type]);
	explain_json_key("dest", out);
	explain_put_json(op->dest, out);
	if (op->source) {
		explain_json_key(op->type == OP_SYMLINK ? "target"
				 : op->type == OP_TEXT	? "text"
							: "source",
				 out);
		explain_put_json(op->source, out);
	}
	if (op->fd >= 0)
		fprintf(out, ", \"fd\": %d", op->fd);
	if (op->layer_count) {
		explain_json_key("layers", out);
		for (size_t i = 0; i < op->layer_count; i++) {
			fputs(i ? ", " : "[", out);
			explain_put_json(plan->spec->layers[op->layer_first + i].path, out);
		}
		fputc(']', out);
	}
	explain_json_key("flags", out);
	fputc('[', out);
	for (size_t i = 0; i < count; i++)
		fprintf(out, "%s\"%s\"", i ? ", " : "", flags[i]);
	fputc(']', out);
	if (op->mode != MODE_UNSET)
		fprintf(out, ", \"mode\": \"%04o\"", op->mode);
	if (op->size)
		fprintf(out, ", \"size\": %llu", (unsigned long long)op->size);
	if (op->type == OP_BIND && op->flags & BIND_TRY)
		fputs(", \"optional\": true", out);
	if (op->idmap_count) {
		explain_json_key("idmap", out);
		explain_json_ranges(&plan->spec->ids.idmap_ranges[op->idmap_first], op->idmap_count,
				    out);
	}
	fprintf(out, ", \"option\": %d}", op->use);
}

static void json_environment(const struct plan *plan, const struct facts *facts, FILE *out)
{
	fputc('[', out);
	for (size_t i = 0; i < plan->environment_count; i++) {
		char *variable = plan->environment[i];
		size_t length = strcspn(variable, "=");
		char *name = strndup(variable, length);

		if (!name)
			return;
		fputs(i ? ", {\"name\": " : "{\"name\": ", out);
		explain_put_json(name, out);
		free(name);
		if (explain_is_hidden(plan, variable)) {
			fputs(", \"hidden\": true", out);
		} else {
			explain_json_key("value", out);
			explain_put_json(variable + length + (variable[length] == '='), out);
		}
		fprintf(out, ", \"inherited\": %s}",
			is_inherited(facts, variable) ? "true" : "false");
	}
	fputc(']', out);
}

static const char *json_bool(bool value)
{
	return value ? "true" : "false";
}

void explain_json(const struct plan *plan, const struct facts *facts, FILE *out)
{
	const char *separator = "";

	fprintf(out, "{\"personality\": \"%s\", ", plan->personality->name);
	explain_namespaces_json(plan, out);
	explain_ids_json(plan, facts, out);
	fprintf(out, ", \"nested-user-namespaces\": %s", json_bool(plan->max_userns < 0));
	fprintf(out, ", \"inner-user-namespace\": %s", json_bool(plan->inner_userns));
	fprintf(out, ", \"in-place\": %s", json_bool(plan->in_place));
	explain_json_key("mounts", out);
	fputc('[', out);
	for (size_t i = 0; i < plan->op_count; i++) {
		fputs(separator, out);
		json_op(plan, &plan->ops[i], out);
		separator = ", ";
	}
	fputc(']', out);
	explain_views_json(plan, out);
	explain_json_key("environment", out);
	json_environment(plan, facts, out);
	explain_caps_json(plan, out);
	explain_limits_json(plan, out);
	explain_net_json(plan, facts, out);
	explain_landlock_json(plan, out);
	explain_policy_json(plan, out);
	fprintf(out, ", \"inherits-descriptors\": %s", json_bool(plan->personality->inherits_fds));
	fprintf(out, ", \"init\": %s", json_bool(plan->has_init));
	fprintf(out, ", \"new-session\": %s", json_bool(plan->new_session));
	explain_supervision_json(plan, out);
	fprintf(out, ", \"die-with-parent\": %s}\n", json_bool(plan->die_with_parent));
}

/* ---- options ---- */

static void put_quoted(const char *word, FILE *out)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";

	if (word[0] && strspn(word, plain) == strlen(word)) {
		fputs(word, out);
		return;
	}
	fputc('\'', out);
	for (; *word; word++) {
		if (*word == '\'')
			fputs("'\\''", out);
		else
			fputc(*word, out);
	}
	fputc('\'', out);
}

static void put_option(const char *name, const char *first, const char *second, FILE *out)
{
	fprintf(out, "--%s", name);
	if (first) {
		fputc(' ', out);
		put_quoted(first, out);
	}
	if (second) {
		fputc(' ', out);
		put_quoted(second, out);
	}
	fputc('\n', out);
}

/* An operation of the provided root directory, as the option that would make it. */
static void put_default_op(const struct fs_op *op, FILE *out)
{
	char mode[8];

	snprintf(mode, sizeof(mode), "%04o", op->mode);
	if ((op->type == OP_TMPFS || op->type == OP_DIR) && op->mode != MODE_UNSET)
		put_option("perms", mode, NULL, out);
	if (op->type == OP_BIND)
		put_option(op->flags & BIND_TRY ? "ro-bind-try" : "ro-bind", op->source, op->dest,
			   out);
	else if (op->type == OP_SYMLINK)
		put_option("symlink", op->source, op->dest, out);
	else
		put_option(op_names[op->type], op->dest, NULL, out);
}

void explain_arguments(const struct plan *plan, FILE *out)
{
	const struct spec *spec = plan->spec;

	for (enum ns_type type = 0; type < NS_COUNT; type++) {
		char name[32];

		if (type == NS_MOUNT || !(plan->clone_flags & ns_infos[type].flag))
			continue;
		snprintf(name, sizeof(name), "unshare-%s", ns_infos[type].name);
		put_option(name, NULL, NULL, out);
	}
	for (size_t i = 0; i < plan->op_count && plan->ops[i].use < 0; i++)
		put_default_op(&plan->ops[i], out);
	for (size_t i = 0; i < spec->use_count; i++) {
		const struct option_use *use = &spec->uses[i];
		const char *name = use->row->name;

		if (strcmp(name, "args") == 0 || strcmp(name, "print-args") == 0)
			continue;
		fprintf(out, "--%s", name);
		for (int j = 0; j < use->row->arg_count && use->arg[j]; j++) {
			fputc(use->row->is_optional ? '=' : ' ', out);
			put_quoted(use->arg[j], out);
		}
		fputc('\n', out);
	}
}
