/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The plan in words. Runs in the program, instead of a start.
 */
#include "spec/explain.h"

#include <linux/capability.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/capability.h>

#include "base/jsonw.h"

static const struct {
	uint64_t flag;
	const char *name;
} namespaces[] = {
	{ CLONE_NEWUSER, "user" },     { CLONE_NEWNS, "mount" }, { CLONE_NEWPID, "pid" },
	{ CLONE_NEWNET, "net" },       { CLONE_NEWIPC, "ipc" },	 { CLONE_NEWUTS, "uts" },
	{ CLONE_NEWCGROUP, "cgroup" },
};

static const char *const op_names[] = {
	[OP_BIND] = "bind",	    [OP_BIND_FD] = "bind",
	[OP_OVERLAY] = "overlay",   [OP_PROC] = "proc",
	[OP_DEV] = "dev",	    [OP_TMPFS] = "tmpfs",
	[OP_MQUEUE] = "mqueue",	    [OP_DIR] = "dir",
	[OP_FILE] = "file",	    [OP_DATA] = "bind-data",
	[OP_DATA_RO] = "bind-data", [OP_SYMLINK] = "symlink",
	[OP_CHMOD] = "chmod",	    [OP_REMOUNT_RO] = "remount-ro",
};

/* Flags of the mount that @op makes, in the order of mount(8); @flags has room for all. */
static size_t mount_flags(const struct plan *plan, const struct fs_op *op, const char *flags[6])
{
	size_t count = 0;
	bool is_bind = op->type == OP_BIND || op->type == OP_BIND_FD;
	bool read_only = (is_bind && op->flags & BIND_RO) || op->type == OP_DATA_RO ||
			 (op->type == OP_OVERLAY && op->flags == OVERLAY_RO);

	if (op->type == OP_REMOUNT_RO)
		flags[count++] = "ro";
	if (op->type >= OP_DIR && op->type != OP_DATA && op->type != OP_DATA_RO)
		return count;
	flags[count++] = read_only ? "ro" : "rw";
	if (op->type == OP_MQUEUE)
		return count;
	flags[count++] = "nosuid";
	if (!(is_bind && op->flags & BIND_DEV))
		flags[count++] = "nodev";
	if (op->type == OP_PROC && plan->own_proc)
		flags[count++] = "noexec";
	if (is_bind)
		flags[count++] = plan->private_mounts ? "private" : "slave";
	return count;
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

static bool is_joined(const struct plan *plan, uint64_t namespace)
{
	return (namespace == CLONE_NEWUSER && plan->spec->userns_fd.fd >= 0) ||
	       (namespace == CLONE_NEWPID && plan->spec->pidns_fd.fd >= 0);
}

static bool is_shared(const struct plan *plan, uint64_t namespace)
{
	return !(plan->clone_flags & namespace) && !is_joined(plan, namespace);
}

static const char *const writer_names[] = {
	[MAPS_BY_CHILD] = "the child",
	[MAPS_BY_SUPERVISOR] = "root",
	[MAPS_BY_HELPERS] = "newuidmap and newgidmap",
};

static void text_ranges(const char *kind, const struct id_range *ranges, size_t count, FILE *out)
{
	for (size_t i = 0; i < count; i++)
		fprintf(out, "  %s %u to %llu inside: %u to %llu outside\n", kind, ranges[i].inside,
			(unsigned long long)ranges[i].inside + ranges[i].count - 1,
			ranges[i].outside,
			(unsigned long long)ranges[i].outside + ranges[i].count - 1);
}

static void text_maps(const struct plan *plan, FILE *out)
{
	fprintf(out, "ids: COMMAND is uid %u and gid %u; the maps, written by %s:\n",
		plan->inner_uid, plan->inner_gid, writer_names[plan->ids.writer]);
	text_ranges("uid", plan->ids.uid.ranges, plan->ids.uid.count, out);
	text_ranges("gid", plan->ids.gid.ranges, plan->ids.gid.count, out);
}

static void text_namespaces(const struct plan *plan, const struct facts *facts, FILE *out)
{
	fputs("namespaces:", out);
	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++)
		if (plan->clone_flags & namespaces[i].flag)
			fprintf(out, " %s", namespaces[i].name);
	fputs("\nshared with the host:", out);
	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++)
		if (is_shared(plan, namespaces[i].flag))
			fprintf(out, " %s", namespaces[i].name);
	fputc('\n', out);
	if (plan->spec->pidns_fd.fd >= 0)
		fprintf(out, "joined: the pid namespace of fd %d\n", plan->spec->pidns_fd.fd);
	if (plan->spec->userns_fd.fd >= 0)
		fprintf(out, "joined: the user namespace of fd %d, whose maps tell the ids\n",
			plan->spec->userns_fd.fd);
	else if (plan->ids.writer == MAPS_BY_CHILD)
		fprintf(out, "ids: uid %u inside is %u outside, gid %u inside is %u outside\n",
			plan->inner_uid, facts->uid, plan->inner_gid, facts->gid);
	else
		text_maps(plan, out);
	fprintf(out, "supplementary groups: %s\n", plan->ids.drops_groups ? "left" : "kept");
	fprintf(out, "user namespaces inside: %s\n",
		plan->max_userns >= 0 ? "forbidden" : "allowed");
	if (plan->inner_userns)
		fprintf(out, "COMMAND gets a user namespace%s of its own inside\n",
			plan->inner_mountns ? " and a mount namespace" : "");
}

static void text_op(const struct plan *plan, const struct fs_op *op, FILE *out)
{
	const char *flags[6];
	size_t count = mount_flags(plan, op, flags);

	fprintf(out, "  %-10s ", op_names[op->type]);
	explain_put_escaped(op->dest, out);
	if (op->source) {
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

static void text_caps(const struct plan *plan, FILE *out)
{
	fputs("capabilities:", out);
	if (!plan->keep_caps)
		fputs(" none", out);
	else if (plan->keep_caps == UINT64_MAX)
		fputs(" all", out);
	for (int cap = 0; plan->keep_caps != UINT64_MAX && cap <= CAP_LAST_CAP; cap++) {
		char *name = plan->keep_caps >> cap & 1 ? cap_to_name(cap) : NULL;

		if (name)
			fprintf(out, " %s", name);
		cap_free(name);
	}
	fputc('\n', out);
}

static bool is_inherited(const struct facts *facts, const char *variable)
{
	for (char *const *other = facts->environ; *other; other++)
		if (strcmp(*other, variable) == 0)
			return true;
	return false;
}

void explain_text(const struct plan *plan, const struct facts *facts, FILE *out)
{
	fprintf(out, "personality: %s\n", plan->personality->name);
	text_namespaces(plan, facts, out);
	fprintf(out, "root directory: %s\n",
		plan->in_place ? "the host's, with other flags" : "a new tmpfs");
	fputs("mounts and files, in this order:\n", out);
	for (size_t i = 0; i < plan->op_count; i++)
		text_op(plan, &plan->ops[i], out);
	fputs("environment:\n", out);
	for (size_t i = 0; i < plan->environment_count; i++) {
		fprintf(out, "  %s ", is_inherited(facts, plan->environment[i]) ? "keep" : "set ");
		explain_put_escaped(plan->environment[i], out);
		fputc('\n', out);
	}
	text_caps(plan, out);
	explain_limits_text(plan, out);
	explain_landlock_text(plan, out);
	fprintf(out, "descriptors from 3 on: %s\n",
		plan->personality->inherits_fds ? "inherited" : "closed");
	fprintf(out, "processes: %s\n",
		plan->init_is_pid_1 ? "an init process as pid 1, COMMAND below it"
		: plan->has_init    ? "an init process, COMMAND below it"
				    : "COMMAND alone");
}

/* ---- for programs ---- */

static void json_key(const char *key, FILE *out)
{
	fprintf(out, ", \"%s\": ", key);
}

static void json_namespaces(const struct plan *plan, bool unshared, FILE *out)
{
	const char *separator = "";

	fputc('[', out);
	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
		uint64_t flag = namespaces[i].flag;

		if (unshared ? !(plan->clone_flags & flag) : !is_shared(plan, flag))
			continue;
		fprintf(out, "%s\"%s\"", separator, namespaces[i].name);
		separator = ", ";
	}
	fputc(']', out);
}

static void json_ranges(const struct id_range *ranges, size_t count, FILE *out)
{
	fputc('[', out);
	for (size_t i = 0; i < count; i++)
		fprintf(out, "%s{\"inside\": %u, \"outside\": %u, \"count\": %u}", i ? ", " : "",
			ranges[i].inside, ranges[i].outside, ranges[i].count);
	fputc(']', out);
}

/* What COMMAND's ids are outside; where the maps are not ours, the caller's. */
static void json_ids(const struct plan *plan, const struct facts *facts, FILE *out)
{
	const struct plan_map *uid = &plan->ids.uid, *gid = &plan->ids.gid;
	uint32_t outer_uid = facts->uid, outer_gid = facts->gid;

	(void)idmap_outside(uid->ranges, uid->count, plan->inner_uid, &outer_uid);
	(void)idmap_outside(gid->ranges, gid->count, plan->inner_gid, &outer_gid);
	fprintf(out,
		", \"ids\": {\"uid\": {\"inside\": %u, \"outside\": %u}, \"gid\": {\"inside\": %u, "
		"\"outside\": %u}}",
		plan->inner_uid, outer_uid, plan->inner_gid, outer_gid);
	json_key("uid-map", out);
	json_ranges(uid->ranges, uid->count, out);
	json_key("gid-map", out);
	json_ranges(gid->ranges, gid->count, out);
	json_key("maps-written-by", out);
	explain_put_json(writer_names[plan->ids.writer], out);
	fprintf(out, ", \"drops-groups\": %s", plan->ids.drops_groups ? "true" : "false");
}

static void json_op(const struct plan *plan, const struct fs_op *op, FILE *out)
{
	const char *flags[6];
	size_t count = mount_flags(plan, op, flags);

	fprintf(out, "{\"type\": \"%s\"", op_names[op->type]);
	json_key("dest", out);
	explain_put_json(op->dest, out);
	if (op->source) {
		json_key(op->type == OP_SYMLINK ? "target" : "source", out);
		explain_put_json(op->source, out);
	}
	if (op->fd >= 0)
		fprintf(out, ", \"fd\": %d", op->fd);
	if (op->layer_count) {
		json_key("layers", out);
		for (size_t i = 0; i < op->layer_count; i++) {
			fputs(i ? ", " : "[", out);
			explain_put_json(plan->spec->layers[op->layer_first + i].path, out);
		}
		fputc(']', out);
	}
	json_key("flags", out);
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
		json_key("idmap", out);
		json_ranges(&plan->spec->ids.idmap_ranges[op->idmap_first], op->idmap_count, out);
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
		json_key("value", out);
		explain_put_json(variable + length + (variable[length] == '='), out);
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

	fprintf(out, "{\"personality\": \"%s\"", plan->personality->name);
	json_key("namespaces", out);
	json_namespaces(plan, true, out);
	json_key("shared", out);
	json_namespaces(plan, false, out);
	json_ids(plan, facts, out);
	fprintf(out, ", \"nested-user-namespaces\": %s", json_bool(plan->max_userns < 0));
	fprintf(out, ", \"inner-user-namespace\": %s", json_bool(plan->inner_userns));
	fprintf(out, ", \"in-place\": %s", json_bool(plan->in_place));
	json_key("mounts", out);
	fputc('[', out);
	for (size_t i = 0; i < plan->op_count; i++) {
		fputs(separator, out);
		json_op(plan, &plan->ops[i], out);
		separator = ", ";
	}
	fputc(']', out);
	json_key("environment", out);
	json_environment(plan, facts, out);
	fprintf(out, ", \"capabilities\": \"%016llx\"", (unsigned long long)plan->keep_caps);
	explain_limits_json(plan, out);
	explain_landlock_json(plan, out);
	fprintf(out, ", \"inherits-descriptors\": %s", json_bool(plan->personality->inherits_fds));
	fprintf(out, ", \"init\": %s", json_bool(plan->has_init));
	fprintf(out, ", \"new-session\": %s", json_bool(plan->new_session));
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

	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
		char name[32];

		if (namespaces[i].flag == CLONE_NEWNS || !(plan->clone_flags & namespaces[i].flag))
			continue;
		snprintf(name, sizeof(name), "unshare-%s", namespaces[i].name);
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
