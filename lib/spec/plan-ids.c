/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Ids in the plan: which are mapped, who writes the maps, and as whom COMMAND runs. Pure.
 *
 * The caller's own id alone is mapped by the child. Everything else is written from outside: by
 * real root directly, else by newuidmap(1) and newgidmap(1), of which we check beforehand that they
 * are there and will agree.
 */
#include <linux/capability.h>
#include <linux/sched.h>
#include <string.h>

#include "spec/plan-parts.h"

/* One of the two maps while it is made. */
struct mapping {
	const char *file;      /* that gives ordinary users more ids */
	const char *id_option; /* that chooses COMMAND's id */
	uint32_t own;	       /* the caller's id */
	const struct spec_id *id;
	const struct id_range *given; /* by options */
	size_t given_count;
	const struct subids *subids;
	enum error_hint hint; /* how to get more ids */
	struct plan_map *map;
};

static struct mapping uid_mapping(struct plan *plan, const struct facts *facts)
{
	const struct spec *spec = plan->spec;

	return (struct mapping){
		.file = "/etc/subuid",
		.id_option = "uid",
		.own = facts->uid,
		.id = &spec->uid,
		.given = spec->ids.uid_ranges,
		.given_count = spec->ids.uid_range_count,
		.subids = &facts->subuids,
		.hint = HINT_SUBUIDS,
		.map = &plan->ids.uid,
	};
}

static struct mapping gid_mapping(struct plan *plan, const struct facts *facts)
{
	const struct spec *spec = plan->spec;

	return (struct mapping){
		.file = "/etc/subgid",
		.id_option = "gid",
		.own = facts->gid,
		.id = &spec->gid,
		.given = spec->ids.gid_ranges,
		.given_count = spec->ids.gid_range_count,
		.subids = &facts->subgids,
		.hint = HINT_SUBGIDS,
		.map = &plan->ids.gid,
	};
}

/* Blames an option whose name the text wants. */
static int blame_named(const struct plan *plan, struct cloche_error *err, int use,
		       enum error_code code)
{
	return plan_blame(err, use, code, plan->spec->uses[use].row->name);
}

/* ---- conflicts ---- */

/* The option to blame where maps are not possible at all; -1 where none was given. */
static int map_use(const struct spec_ids *ids)
{
	return ids->uid_range_count	 ? ids->uid_ranges[0].use
	       : ids->gid_range_count	 ? ids->gid_ranges[0].use
	       : ids->map_auto.is_set	 ? ids->map_auto.use
	       : ids->map_root.is_set	 ? ids->map_root.use
	       : ids->map_current.is_set ? ids->map_current.use
					 : -1;
}

bool plan_wants_subids(const struct spec *spec)
{
	return spec->ids.uid_range_count || spec->ids.gid_range_count || spec->ids.map_auto.is_set;
}

static int check_conflicts(const struct plan *plan, struct cloche_error *err)
{
	const struct spec *spec = plan->spec;
	const struct spec_ids *ids = &spec->ids;
	int use = map_use(ids);

	if (use < 0)
		return 0;
	if (spec_joins(spec, NS_USER))
		return plan_blame(err, use, ERROR_MAP_CONFLICT, "userns");
	if (spec->userns_block_fd.fd >= 0)
		return plan_blame(err, use, ERROR_MAP_CONFLICT, "userns-block-fd");
	if (!plan_unshares(plan, CLONE_NEWUSER))
		return blame_named(plan, err, use, ERROR_MAP_NEEDS_USERNS);
	if (ids->map_root.is_set && ids->map_current.is_set)
		return plan_blame(err, ids->map_current.use, ERROR_MAP_CONFLICT, "map-root");
	if (ids->map_auto.is_set && ids->uid_range_count)
		return plan_blame(err, ids->uid_ranges[0].use, ERROR_MAP_CONFLICT, "map-auto");
	if (ids->map_auto.is_set && ids->gid_range_count)
		return plan_blame(err, ids->gid_ranges[0].use, ERROR_MAP_CONFLICT, "map-auto");
	return 0;
}

/* ---- making one map ---- */

static void add(struct plan_map *map, uint64_t inside, uint64_t outside, uint64_t count, int use)
{
	if (count)
		map->ranges[map->count++] = (struct id_range){ (uint32_t)inside, (uint32_t)outside,
							       (uint32_t)count, use };
}

/* Is @range already mapped in part, or the caller's own id in it? Two lines may give the same. */
static bool is_taken(const struct mapping *mapping, const struct subid_range *range)
{
	const struct plan_map *map = mapping->map;

	if (idmap_share(range->first, range->count, mapping->own, 1))
		return true;
	for (size_t i = 0; i < map->count; i++)
		if (idmap_share(range->first, range->count, map->ranges[i].outside,
				map->ranges[i].count))
			return true;
	return false;
}

/*
 * The user's ranges one behind the other from id 0 on; the caller's own id takes the place @own,
 * and what would be there and behind it moves up by one, so that none is lost.
 */
static int fill_auto(const struct plan *plan, const struct mapping *mapping, uint32_t own,
		     struct cloche_error *err)
{
	struct plan_map *map = mapping->map;
	uint64_t next = 0;
	int use = plan->spec->ids.map_auto.use;
	bool has_own = false;

	for (size_t i = 0; i < mapping->subids->count; i++) {
		const struct subid_range *range = &mapping->subids->ranges[i];
		uint64_t before =
			own - next < range->count && next <= own ? own - next : range->count;

		if (is_taken(mapping, range))
			continue;
		if (next + range->count > IDMAP_LAST_ID)
			return blame_named(plan, err, use, ERROR_MAP_TOO_LONG);
		add(map, next, range->first, before, use);
		next += before;
		if (before == range->count)
			continue;
		add(map, own, mapping->own, 1, -1);
		has_own = true;
		add(map, next + 1, range->first + before, range->count - before, use);
		next += 1 + range->count - before;
	}
	if (!has_own)
		add(map, own, mapping->own, 1, -1);
	return 0;
}

static int fill(const struct plan *plan, const struct mapping *mapping, uint32_t own,
		struct cloche_error *err)
{
	const struct spec_ids *ids = &plan->spec->ids;
	struct plan_map *map = mapping->map;
	/* A hole makes two ranges of one, and the own id is one more. */
	size_t room = 2 + (mapping->given_count	  ? mapping->given_count
			   : ids->map_auto.is_set ? mapping->subids->count
						  : 0);

	map->ranges = calloc(room, sizeof(*map->ranges));
	if (!map->ranges)
		return error_no_memory(err);
	if (!mapping->given_count && ids->map_auto.is_set)
		return fill_auto(plan, mapping, own, err);
	for (size_t i = 0; i < mapping->given_count; i++)
		map->ranges[map->count++] = mapping->given[i];
	if (!mapping->given_count || ids->map_root.is_set || ids->map_current.is_set)
		add(map, own, mapping->own, 1, -1);
	return 0;
}

static int check_map(const struct plan *plan, const struct mapping *mapping, int use,
		     struct cloche_error *err)
{
	const struct plan_map *map = mapping->map;
	char text[IDMAP_MAX_TEXT + 64];
	struct str_buf buf = { .data = text, .size = sizeof(text) };
	int second;

	if (map->count > IDMAP_MAX_RANGES) {
		int last = map->ranges[IDMAP_MAX_RANGES].use;

		return blame_named(plan, err, last < 0 ? use : last, ERROR_MAP_TOO_LONG);
	}
	second = idmap_overlap(map->ranges, map->count);
	if (second >= 0 && map->ranges[second].use < 0)
		return blame_named(plan, err, use, ERROR_MAP_OVERLAP_OWN);
	if (second >= 0)
		return blame_named(plan, err, map->ranges[second].use, ERROR_MAP_OVERLAP);
	idmap_text(map->ranges, map->count, &buf);
	if (buf.length < IDMAP_MAX_TEXT) {
		buf.length = 0;
		idmap_identity_text(map->ranges, map->count, &buf);
	}
	return buf.length < IDMAP_MAX_TEXT ? 0 : blame_named(plan, err, use, ERROR_MAP_TOO_LONG);
}

/* As whom COMMAND runs: as asked, else as the caller, else as the first that there is. */
static int choose_id(const struct mapping *mapping, uint32_t *ret_id, struct cloche_error *err)
{
	const struct plan_map *map = mapping->map;
	char number[STR_NUMBER_SIZE];
	uint32_t outside;

	if (!mapping->id->is_set) {
		if (!idmap_inside(map->ranges, map->count, mapping->own, ret_id))
			*ret_id = map->ranges[0].inside;
		return 0;
	}
	*ret_id = mapping->id->id;
	if (idmap_outside(map->ranges, map->count, *ret_id, &outside))
		return 0;
	return plan_blame(err, mapping->id->use, ERROR_ID_NOT_MAPPED, str_number(number, *ret_id));
}

static int make_map(const struct plan *plan, const struct mapping *mapping, uint32_t *ret_id,
		    struct cloche_error *err)
{
	const struct spec_ids *ids = &plan->spec->ids;
	uint32_t own = ids->map_root.is_set ? 0
		       : mapping->id->is_set && !mapping->given_count && !ids->map_current.is_set
			       ? mapping->id->id
			       : mapping->own;
	int r = 0;

	if (ids->map_auto.is_set && !mapping->subids->count) {
		error_set_hint(err, mapping->subids->is_read ? mapping->hint : HINT_SUBIDS_NSS);
		return plan_blame(err, ids->map_auto.use, ERROR_MAP_NO_SUBIDS, mapping->file);
	}
	if (ids->map_auto.is_set && mapping->subids->count > IDMAP_MAX_RANGES)
		return blame_named(plan, err, ids->map_auto.use, ERROR_MAP_TOO_LONG);
	r = fill(plan, mapping, own, err);
	if (r == 0)
		r = check_map(plan, mapping, map_use(ids), err);
	return r == 0 ? choose_id(mapping, ret_id, err) : r;
}

/* ---- who writes them ---- */

/* Nothing but the caller's own id? */
static bool is_own_only(const struct mapping *mapping)
{
	const struct plan_map *map = mapping->map;

	return map->count == 1 && map->ranges[0].count == 1 &&
	       map->ranges[0].outside == mapping->own;
}

/* What the file gives the user, for people: "100000-165535, ...". */
static void describe_subids(const struct mapping *mapping, const char *name, struct str_buf *buf)
{
	str_add(buf, mapping->file);
	str_add(buf, " gives ");
	str_add(buf, name ? name : "the caller");
	str_add(buf, mapping->subids->count ? " " : " none");
	for (size_t i = 0; i < mapping->subids->count; i++) {
		const struct subid_range *range = &mapping->subids->ranges[i];

		str_add(buf, i ? ", " : "");
		str_add_number(buf, range->first);
		str_add_char(buf, '-');
		str_add_number(buf, (uint64_t)range->first + range->count - 1);
	}
}

/* Will newuidmap(1) agree? It lets everybody map his own id. */
static int check_permission(const struct mapping *mapping, const struct facts *facts, int use,
			    struct cloche_error *err)
{
	char wanted[2 * STR_NUMBER_SIZE], allowed[sizeof(err->detail)];
	struct str_buf range_text = { .data = wanted, .size = sizeof(wanted) };
	struct str_buf allowed_text = { .data = allowed, .size = sizeof(allowed) };

	if (!mapping->subids->is_read)
		return 0;
	for (size_t i = 0; i < mapping->map->count; i++) {
		const struct id_range *range = &mapping->map->ranges[i];

		if ((range->count == 1 && range->outside == mapping->own) ||
		    subids_allow(mapping->subids, range->outside, range->count))
			continue;
		str_add_number(&range_text, range->outside);
		str_add_char(&range_text, '-');
		str_add_number(&range_text, (uint64_t)range->outside + range->count - 1);
		describe_subids(mapping, facts->login_name, &allowed_text);
		err->use = range->use >= 0 ? range->use : use;
		error_set_hint(err, mapping->hint);
		return error_set_detail(err, ERROR_MAP_NOT_ALLOWED, 0, wanted, allowed);
	}
	return 0;
}

static bool has_caps(const struct facts *facts, uint64_t caps)
{
	return (facts->permitted & caps) == caps;
}

static int choose_writer(struct plan *plan, const struct mapping *uid, const struct mapping *gid,
			 const struct facts *facts, struct cloche_error *err)
{
	struct plan_ids *ids = &plan->ids;
	bool as_root = has_caps(facts, 1ull << CAP_SETUID | 1ull << CAP_SETGID);
	int use = map_use(&plan->spec->ids), r;

	ids->has_ranges = !is_own_only(uid) && !is_own_only(gid);
	if (is_own_only(uid) && is_own_only(gid) && !ids->drops_groups) {
		plan->writes_id_maps = true;
		return 0;
	}
	ids->writer = as_root ? MAPS_BY_SUPERVISOR : MAPS_BY_HELPERS;
	if (as_root)
		return 0;
	if (!facts->newuidmap_dir) {
		error_set_hint(err, HINT_NEWUIDMAP);
		return plan_blame(err, use, ERROR_NO_NEWUIDMAP, NULL);
	}
	r = check_permission(uid, facts, use, err);
	return r == 0 ? check_permission(gid, facts, use, err) : r;
}

/*
 * Leaving groups gives access, too, where a file is closed to one of them; so the kernel allows it
 * only where somebody privileged wrote the gid map (user_namespaces(7), "setgroups").
 */
static int choose_groups(struct plan *plan, const struct mapping *gid, const struct facts *facts,
			 struct cloche_error *err)
{
	const struct spec_ids *ids = &plan->spec->ids;
	bool is_mapped = gid->map->count, has_more = is_mapped && !is_own_only(gid);

	plan->ids.drops_groups =
		ids->groups == GROUPS_DROP || (ids->groups == GROUPS_DEFAULT && has_more);
	if (ids->groups != GROUPS_DROP || has_more || has_caps(facts, 1ull << CAP_SETGID))
		return 0;
	/* In a user namespace that is not mapped by us, the kernel will tell. */
	if (!is_mapped && (spec_joins(plan->spec, NS_USER) || plan->spec->userns_block_fd.fd >= 0))
		return 0;
	error_set_hint(err, HINT_DROP_GROUPS);
	return plan_blame(err, ids->groups_use, ERROR_DROP_GROUPS, NULL);
}

/* ---- the subject ---- */

static int plan_new_maps(struct plan *plan, const struct facts *facts, struct cloche_error *err)
{
	struct mapping uid = uid_mapping(plan, facts), gid = gid_mapping(plan, facts);
	bool ours = plan_unshares(plan, CLONE_NEWUSER) && plan->spec->userns_block_fd.fd < 0;
	int r = 0;

	if (ours)
		r = make_map(plan, &uid, &plan->inner_uid, err);
	if (ours && r == 0)
		r = make_map(plan, &gid, &plan->inner_gid, err);
	if (r == 0)
		r = choose_groups(plan, &gid, facts, err);
	return ours && r == 0 ? choose_writer(plan, &uid, &gid, facts, err) : r;
}

int plan_ids(struct plan *plan, const struct facts *facts, struct cloche_error *err)
{
	const struct spec *spec = plan->spec;
	bool has_userns = plan_unshares(plan, CLONE_NEWUSER) || spec_joins(spec, NS_USER);
	int r;

	plan->outer_uid = facts->uid;
	plan->outer_gid = facts->gid;
	plan->inner_uid = spec->uid.is_set ? spec->uid.id : facts->uid;
	plan->inner_gid = spec->gid.is_set ? spec->gid.id : facts->gid;
	if (!has_userns && plan->inner_uid != facts->uid)
		return plan_blame(err, spec->uid.use, ERROR_ID_NEEDS_USERNS, "uid");
	if (!has_userns && plan->inner_gid != facts->gid)
		return plan_blame(err, spec->gid.use, ERROR_ID_NEEDS_USERNS, "gid");
	plan->sets_ids = spec_joins(spec, NS_USER) && (spec->uid.is_set || spec->gid.is_set);
	r = check_conflicts(plan, err);
	if (r == 0)
		r = plan_new_maps(plan, facts, err);
	if (r < 0 || spec->userns_block_fd.fd < 0)
		return r;
	if (!plan_asked_for_userns(plan))
		return plan_blame(err, spec->userns_block_fd.use, ERROR_BLOCK_NEEDS_USER, NULL);
	if (spec->info_fd.fd < 0)
		return plan_blame(err, spec->userns_block_fd.use, ERROR_BLOCK_NEEDS_INFO, NULL);
	return 0;
}

void plan_free_ids(struct plan *plan)
{
	free(plan->ids.uid.ranges);
	free(plan->ids.gid.ranges);
}

/* ---- idmapped binds ---- */

size_t plan_idmap_ranges(const struct plan *plan, const struct fs_op *op, enum id_kind kind,
			 struct id_range *ret_ranges, size_t room)
{
	static const struct id_range everything = { 0, 0, UINT32_MAX, -1 };
	const struct plan_map *map = kind == ID_USER ? &plan->ids.uid : &plan->ids.gid;
	const struct id_range *maps = map->count ? map->ranges : &everything;
	size_t map_count = map->count ? map->count : 1, found = 0;

	for (size_t i = 0; i < op->idmap_count; i++) {
		const struct id_range *wanted = &plan->spec->ids.idmap_ranges[op->idmap_first + i];

		for (size_t j = 0; j < map_count; j++) {
			uint64_t first =
				wanted->inside > maps[j].inside ? wanted->inside : maps[j].inside;
			uint64_t end = (uint64_t)wanted->inside + wanted->count;
			uint64_t map_end = (uint64_t)maps[j].inside + maps[j].count;

			end = end < map_end ? end : map_end;
			if (first >= end || found == room)
				continue;
			ret_ranges[found++] = (struct id_range){
				.inside = wanted->outside + (uint32_t)(first - wanted->inside),
				.outside = maps[j].outside + (uint32_t)(first - maps[j].inside),
				.count = (uint32_t)(end - first),
				.use = wanted->use,
			};
		}
	}
	return found;
}

static int check_idmap(const struct plan *plan, const struct fs_op *op, enum id_kind kind,
		       struct cloche_error *err)
{
	const struct id_range *wanted = &plan->spec->ids.idmap_ranges[op->idmap_first];
	struct id_range ranges[IDMAP_MAX_RANGES + 1];
	char text[IDMAP_MAX_TEXT + 64];
	struct str_buf buf = { .data = text, .size = sizeof(text) };
	size_t count = plan_idmap_ranges(plan, op, kind, ranges, ARRAY_SIZE(ranges));
	uint64_t asked = 0, mapped = 0;
	int second;

	if (count > IDMAP_MAX_RANGES || op->idmap_count > IDMAP_MAX_RANGES)
		return blame_named(plan, err, wanted[0].use, ERROR_MAP_TOO_LONG);
	for (size_t i = 0; i < op->idmap_count; i++)
		asked += wanted[i].count;
	for (size_t i = 0; i < count; i++)
		mapped += ranges[i].count;
	second = idmap_overlap(wanted, op->idmap_count);
	if (second >= 0)
		return blame_named(plan, err, wanted[second].use, ERROR_MAP_OVERLAP);
	if (mapped < asked)
		return plan_blame(err, wanted[0].use, ERROR_IDMAP_NOT_MAPPED,
				  kind == ID_USER ? "user" : "group");
	idmap_text(ranges, count, &buf);
	return buf.length < IDMAP_MAX_TEXT
		       ? 0
		       : blame_named(plan, err, wanted[0].use, ERROR_MAP_TOO_LONG);
}

int plan_idmaps(struct plan *plan, const struct facts *facts, struct cloche_error *err)
{
	const struct spec *spec = plan->spec;
	int r = 0;

	for (size_t i = 0; r == 0 && i < plan->op_count; i++) {
		const struct fs_op *op = &plan->ops[i];
		int use = op->idmap_count ? spec->ids.idmap_ranges[op->idmap_first].use : -1;

		if (!op->idmap_count)
			continue;
		if (spec_joins(spec, NS_USER))
			return plan_blame(err, use, ERROR_MAP_CONFLICT, "userns");
		if (spec->userns_block_fd.fd >= 0)
			return plan_blame(err, use, ERROR_MAP_CONFLICT, "userns-block-fd");
		if (!facts->is_root) {
			error_set_hint(err, HINT_IDMAP_ROOT);
			return plan_blame(err, use, ERROR_IDMAP_UNPRIVILEGED, NULL);
		}
		r = check_idmap(plan, op, ID_USER, err);
		if (r == 0)
			r = check_idmap(plan, op, ID_GROUP, err);
		plan->has_idmaps = true;
	}
	return r;
}
