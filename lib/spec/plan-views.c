/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is shown of /proc, /sys and /dev, what paths are protected, and the directory of secrets.
 * Pure: which device nodes there are is a fact.
 */
#include "spec/plan-parts.h"

#include <limits.h>
#include <linux/sched.h>
#include <string.h>

#include "base/glob.h"
#include "base/path.h"
#include "base/str.h"
#include "spec/idmap.h"

/*
 * The device nodes that may be named, by group; each is a glob of names in /dev, and a directory
 * stands for what is in it. Nothing here gives access to disks, memory, or input of others'
 * (uinput).
 */
static const struct {
	const char *group, *pattern;
} node_groups[] = {
	{ "gpu", "dri" },    { "gpu", "nvidia*" }, { "gpu", "kfd" },	  { "gpu", "dxg" },
	{ "gpu", "mali*" },  { "input", "input" }, { "video", "video*" }, { "video", "media*" },
	{ "video", "v4l*" }, { "kvm", "kvm" },	   { "fuse", "fuse" },	  { "tun", "net/tun" },
};

static bool has_op(const struct plan *plan, enum fs_op_type type)
{
	for (size_t i = 0; i < plan->op_count; i++)
		if (plan->ops[i].type == type)
			return true;
	return false;
}

/* ---- procfs ---- */

/* Is root a user inside, or may be where others write the maps? Else nobody there can write, or
 * read, what only root may. */
static bool has_root_inside(const struct plan *plan)
{
	const struct plan_map *map = &plan->ids.uid;
	uint32_t inside;

	return map->count == 0 || idmap_inside(map->ranges, map->count, 0, &inside);
}

/*
 * What is covered in procfs makes the kernel refuse a new one to nested sandboxes
 * (mount_too_revealing), so nothing is where those are allowed. Root, though, could change the host
 * through it: covered all the same, unless told otherwise.
 */
static enum proc_cover proc_cover(const struct plan *plan)
{
	if (plan->landlock.is_tier)
		return PROC_COVER_NONE;
	switch (plan->spec->views.mask) {
	case PROC_MASK_NONE:
		return PROC_COVER_NONE;
	case PROC_MASK_DEFAULT:
		return PROC_COVER_ALL;
	default:
		if (!plan->personality->protects_proc)
			return has_root_inside(plan) ? PROC_COVER_WRITABLE : PROC_COVER_NONE;
		return has_root_inside(plan) || plan->max_userns >= 0 ? PROC_COVER_ALL
								      : PROC_COVER_NONE;
	}
}

static int plan_proc(struct plan *plan, struct cloche_error *err)
{
	const struct spec_views *asked = &plan->spec->views;
	bool hidepid = spec_flag(plan->spec, FLAG_PROC_HIDEPID);
	int use = hidepid ? plan->spec->flag_use[FLAG_PROC_HIDEPID] : asked->subset.use;

	plan->views.proc_cover = proc_cover(plan);
	plan->views.proc_subset_pid = asked->subset.text;
	plan->views.proc_hidepid = hidepid;
	if (!asked->subset.text && !hidepid)
		return 0;
	if (!plan->own_proc)
		return plan_blame(err, use, ERROR_PROC_NEEDS_PIDNS, NULL);
	return has_op(plan, OP_PROC) ? 0 : plan_blame(err, use, ERROR_NEEDS_OPTION, "proc");
}

/* ---- device nodes ---- */

static int add_node(struct plan *plan, const char *name, int use)
{
	struct plan_views *views = &plan->views;
	struct dev_node *added =
		spec_add(&views->dev_nodes, &views->dev_node_count, sizeof(*added));

	if (!added)
		return -ENOMEM;
	*added = (struct dev_node){ .name = strdup(name), .use = use };
	return added->name ? 0 : -ENOMEM;
}

/* Adds the nodes of the host that @pattern matches, as far as they are in /dev itself; how many, or
 * -errno. */
static int add_matching(struct plan *plan, const struct facts *facts, const char *pattern, int use)
{
	int found = 0;

	for (size_t i = 0; i < facts->device_count; i++) {
		if (!glob_match(pattern, strlen(pattern), facts->devices[i]))
			continue;
		if (add_node(plan, facts->devices[i], use) < 0)
			return -ENOMEM;
		found++;
	}
	return found;
}

/* Is @name a node that @pattern allows: a match, or below a directory that is one? */
static bool is_node_of(const char *name, const char *pattern)
{
	size_t length = strcspn(name, "/");
	char first[NAME_MAX + 1];

	if (strcmp(name, pattern) == 0)
		return true;
	if (strchr(pattern, '/') || length >= sizeof(first))
		return false;
	str_copy(first, length + 1, name);
	return glob_match(pattern, strlen(pattern), first);
}

/* No way out of /dev by its letters. */
static bool is_plain_name(const char *name)
{
	if (strlen(name) > NAME_MAX)
		return false;
	while (*name) {
		size_t length = strcspn(name, "/");

		if (length == 0 || strncmp(name, ".", length) == 0 ||
		    strncmp(name, "..", length) == 0)
			return false;
		name += length;
		if (*name == '/' && !*++name)
			return false;
	}
	return true;
}

static int add_named(struct plan *plan, const struct facts *facts, const struct path_layer *asked,
		     struct cloche_error *err)
{
	bool is_group = false;
	int found = 0;

	for (size_t i = 0; i < ARRAY_SIZE(node_groups); i++) {
		int more;

		if (strcmp(node_groups[i].group, asked->path) != 0)
			continue;
		is_group = true;
		more = add_matching(plan, facts, node_groups[i].pattern, asked->use);
		if (more < 0)
			return error_no_memory(err);
		found += more;
	}
	if (is_group)
		return found ? 0 : plan_blame(err, asked->use, ERROR_DEV_NODE_NONE, asked->path);
	for (size_t i = 0; i < ARRAY_SIZE(node_groups); i++)
		if (is_plain_name(asked->path) && is_node_of(asked->path, node_groups[i].pattern))
			return add_node(plan, asked->path, asked->use) < 0 ? error_no_memory(err)
									   : 0;
	error_set_hint(err, HINT_DEV_NODES);
	return plan_blame(err, asked->use, ERROR_DEV_NODE_UNKNOWN, asked->path);
}

static int plan_dev_nodes(struct plan *plan, const struct facts *facts, struct cloche_error *err)
{
	const struct spec_views *asked = &plan->spec->views;
	int r = 0;

	if (asked->dev_node_count && !has_op(plan, OP_DEV))
		return plan_blame(err, asked->dev_nodes[0].use, ERROR_NEEDS_OPTION, "dev");
	for (size_t i = 0; r == 0 && i < asked->dev_node_count; i++)
		r = add_named(plan, facts, &asked->dev_nodes[i], err);
	return r;
}

/* ---- paths ---- */

static int check_protected(const struct plan *plan, struct cloche_error *err)
{
	for (size_t i = 0; i < plan->op_count; i++) {
		const struct fs_op *op = &plan->ops[i];

		if (op->type < OP_MASK || op->type > OP_NO_SYMLINKS)
			continue;
		if (!glob_is_valid(op->dest)) {
			error_set_hint(err, HINT_GLOB);
			return plan_blame(err, op->use, ERROR_GLOB_INVALID, op->dest);
		}
		if (op->type == OP_MASK && path_is_root(op->dest))
			return plan_blame(err, op->use, ERROR_MASK_ROOT, NULL);
	}
	return 0;
}

/* One operation for all of them, behind all others, which then cannot cover it. */
static void add_secrets(struct plan *plan)
{
	const struct spec_io *io = &plan->spec->io;

	if (!io->secret_count)
		return;
	plan->ops[plan->op_count++] = (struct fs_op){ .type = OP_SECRETS,
						      .use = io->secrets[0].from.use,
						      .dest = "/run/secrets",
						      .fd = -1,
						      .mode = MODE_UNSET };
	plan->copies_data = true;
}

/* What is no operation, and needs mounts all the same. */
static int refuse_without_mounts(struct plan *plan, struct cloche_error *err)
{
	const struct spec_views *asked = &plan->spec->views;

	if (asked->dev_node_count)
		return plan_blame(err, asked->dev_nodes[0].use, ERROR_TIER_OPERATION, NULL);
	if (asked->mask == PROC_MASK_DEFAULT)
		return plan_blame(err, asked->mask_use, ERROR_TIER_OPERATION, NULL);
	return plan_proc(plan, err);
}

int plan_views(struct plan *plan, const struct facts *facts, struct cloche_error *err)
{
	int r;

	add_secrets(plan);
	if (plan->landlock.is_tier) /* whose plan refuses the operations */
		return refuse_without_mounts(plan, err);
	plan->views.own_sys = plan_unshares(plan, CLONE_NEWNET) || plan->joined & CLONE_NEWNET;
	r = plan_proc(plan, err);
	if (r == 0)
		r = plan_dev_nodes(plan, facts, err);
	return r < 0 ? r : check_protected(plan, err);
}

void plan_free_views(struct plan *plan)
{
	for (size_t i = 0; i < plan->views.dev_node_count; i++)
		free(plan->views.dev_nodes[i].name);
	free(plan->views.dev_nodes);
}
