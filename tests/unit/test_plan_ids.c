/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of lib/spec/plan-ids.c, linked without the parser: made-up options and files of
 * subordinate ids in, maps out.
 */
#include <linux/capability.h>
#include <sched.h>

#include "plan-input.h"

static const struct option_row uid_map_row = { .name = "uid-map" },
			       gid_map_row = { .name = "gid-map" };
static struct option_use uses[] = { { .row = &uid_map_row }, { .row = &gid_map_row } };
#define UID_USE 0
#define GID_USE 1

/* Alice's blocks of ids: two, of which the second is the smaller. */
static struct subid_range blocks[] = { { 100000, 65536 }, { 300000, 10 } };

static struct facts *facts_with_subids(void)
{
	static char alice[] = "alice";
	struct facts *facts = ordinary_facts();

	facts->subuids = facts->subgids = (struct subids){ true, blocks, ARRAY_SIZE(blocks) };
	facts->newuidmap_dir = "/usr/bin";
	facts->login_name = alice;
	return facts;
}

static struct spec spec_with_uses(void)
{
	struct spec spec = empty_spec("cloche");

	spec.uses = uses;
	spec.use_count = ARRAY_SIZE(uses);
	return spec;
}

static struct spec_switch given(int use)
{
	return (struct spec_switch){ .is_set = true, .use = use };
}

static void check_range(const struct plan_map *map, size_t index, uint32_t inside, uint32_t outside,
			uint32_t count)
{
	CHECK(index < map->count);
	CHECK_INT(map->ranges[index].inside, inside);
	CHECK_INT(map->ranges[index].outside, outside);
	CHECK_INT(map->ranges[index].count, count);
}

static void test_own_id_alone(void)
{
	struct spec spec = spec_with_uses();
	struct plan plan = planned(&spec, facts_with_subids());

	CHECK(plan.writes_id_maps && plan.ids.writer == MAPS_BY_CHILD && !plan.ids.has_ranges);
	CHECK(!plan.ids.drops_groups);
	CHECK_INT(plan.ids.uid.count, 1);
	check_range(&plan.ids.uid, 0, 1000, 1000, 1);
	check_range(&plan.ids.gid, 0, 1001, 1001, 1);
	plan_free(&plan);
	spec.ids.map_root = given(UID_USE);
	plan = planned(&spec, facts_with_subids());
	CHECK(plan.writes_id_maps && plan.inner_uid == 0 && plan.inner_gid == 0);
	check_range(&plan.ids.gid, 0, 0, 1001, 1);
	plan_free(&plan);
}

static void test_given_ranges(void)
{
	struct id_range uid[] = { { 0, 100000, 10, UID_USE }, { 20, 300000, 10, UID_USE } };
	struct spec spec = spec_with_uses();
	struct plan plan;

	spec.ids.uid_ranges = uid;
	spec.ids.uid_range_count = 2;
	plan = planned(&spec, facts_with_subids());
	CHECK(!plan.writes_id_maps && plan.ids.writer == MAPS_BY_HELPERS && !plan.ids.has_ranges);
	CHECK(!plan.ids.drops_groups); /* the own group alone */
	CHECK_INT(plan.ids.uid.count, 2);
	check_range(&plan.ids.uid, 1, 20, 300000, 10);
	CHECK(plan.inner_uid == 0 && plan.inner_gid == 1001);
	plan_free(&plan);
	spec.uid = (struct spec_id){ .is_set = true, .id = 29, .use = UID_USE };
	plan = planned(&spec, facts_with_subids());
	CHECK_INT(plan.inner_uid, 29);
	plan_free(&plan);
	spec.uid.id = 30;
	refused(&spec, facts_with_subids(), ERROR_ID_NOT_MAPPED, UID_USE);
	spec.uid.is_set = false;
	plan = planned(&spec, root_facts());
	CHECK(plan.ids.writer == MAPS_BY_SUPERVISOR);
	plan_free(&plan);
}

static void test_group_ranges(void)
{
	struct id_range gid[] = { { 0, 100000, 10, GID_USE } };
	struct spec spec = spec_with_uses();
	struct plan plan;

	spec.ids.gid_ranges = gid;
	spec.ids.gid_range_count = 1;
	plan = planned(&spec, facts_with_subids());
	CHECK(plan.ids.drops_groups && plan.inner_gid == 0 && plan.inner_uid == 1000);
	plan_free(&plan);
	spec.ids.groups = GROUPS_KEEP;
	plan = planned(&spec, facts_with_subids());
	CHECK(!plan.ids.drops_groups);
	plan_free(&plan);
	gid[0] = (struct id_range){ 7, 1001, 1, GID_USE }; /* the own group under another number */
	spec.ids.groups = GROUPS_DROP;
	refused(&spec, facts_with_subids(), ERROR_DROP_GROUPS, 0);
	spec.ids.groups = GROUPS_DEFAULT;
	plan = planned(&spec, facts_with_subids());
	CHECK(plan.writes_id_maps && !plan.ids.drops_groups && plan.inner_gid == 7);
	plan_free(&plan);
}

static void test_drop_groups(void)
{
	struct spec spec = spec_with_uses();
	struct facts *root;
	struct plan plan;

	spec.ids.groups = GROUPS_DROP;
	spec.ids.groups_use = GID_USE;
	refused(&spec, facts_with_subids(), ERROR_DROP_GROUPS, GID_USE);
	plan = planned(&spec, root_facts());
	CHECK(plan.ids.drops_groups && plan.ids.writer == MAPS_BY_SUPERVISOR);
	plan_free(&plan);
	root = root_facts();
	root->permitted &= ~(1ull << CAP_SETGID);
	refused(&spec, root, ERROR_DROP_GROUPS, GID_USE);
}

/* The own id makes a hole, and no id of the blocks is lost. */
static void test_map_auto(void)
{
	struct spec spec = spec_with_uses();
	struct plan plan;

	spec.ids.map_auto = given(UID_USE);
	plan = planned(&spec, facts_with_subids());
	CHECK_INT(plan.ids.uid.count, 4);
	check_range(&plan.ids.uid, 0, 0, 100000, 1000);
	check_range(&plan.ids.uid, 1, 1000, 1000, 1);
	check_range(&plan.ids.uid, 2, 1001, 101000, 64536);
	check_range(&plan.ids.uid, 3, 65537, 300000, 10);
	check_range(&plan.ids.gid, 0, 0, 100000, 1001);
	CHECK(plan.ids.has_ranges && plan.inner_uid == 1000 && plan.inner_gid == 1001);
	plan_free(&plan);
	spec.ids.map_root = given(UID_USE);
	plan = planned(&spec, facts_with_subids());
	CHECK_INT(plan.ids.uid.count, 3);
	check_range(&plan.ids.uid, 0, 0, 1000, 1);
	check_range(&plan.ids.uid, 1, 1, 100000, 65536);
	check_range(&plan.ids.uid, 2, 65537, 300000, 10);
	plan_free(&plan);
}

/* Own ids at the edges of the blocks' places. */
static void test_map_auto_hole(void)
{
	static const struct {
		uint32_t own;
		size_t count, own_index;
	} cases[] = {
		{ 65535, 4, 1 }, /* the first block's last place */
		{ 65536, 3, 1 }, /* just behind it */
		{ 65537, 4, 2 }, /* inside the second */
		{ 65546, 3, 2 }, /* just behind that, from where on the own id stands alone */
		{ 65547, 3, 2 }, { UINT32_MAX - 1, 3, 2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct spec spec = spec_with_uses();
		uint64_t sum = 0;
		struct plan plan;

		spec.ids.map_auto = given(UID_USE);
		spec.uid = (struct spec_id){ .is_set = true, .id = cases[i].own, .use = 0 };
		plan = planned(&spec, facts_with_subids());
		CHECK_INT(plan.ids.uid.count, cases[i].count);
		check_range(&plan.ids.uid, cases[i].own_index, cases[i].own, 1000, 1);
		for (size_t j = 0; j < plan.ids.uid.count; j++)
			sum += plan.ids.uid.ranges[j].count;
		CHECK_INT(sum, 65536 + 10 + 1);
		CHECK_INT(plan.inner_uid, cases[i].own);
		plan_free(&plan);
	}
}

/* Two lines may give the same ids, or the own one. */
static void test_map_auto_odd_files(void)
{
	static struct subid_range odd[] = { { 100000, 10 }, { 100005, 10 }, { 990, 20 }, { 7, 1 } };
	struct spec spec = spec_with_uses();
	struct facts *facts = facts_with_subids();
	struct plan plan;

	spec.ids.map_auto = given(UID_USE);
	facts->subuids = (struct subids){ true, odd, ARRAY_SIZE(odd) };
	plan = planned(&spec, facts);
	CHECK_INT(plan.ids.uid.count, 3);
	check_range(&plan.ids.uid, 0, 0, 100000, 10);
	check_range(&plan.ids.uid, 1, 10, 7, 1);
	check_range(&plan.ids.uid, 2, 1000, 1000, 1);
	plan_free(&plan);
	facts->subuids.count = IDMAP_MAX_RANGES + 1; /* not looked at: none may be left out */
	refused(&spec, facts, ERROR_MAP_TOO_LONG, UID_USE);
	facts->subuids.count = 0;
	refused(&spec, facts, ERROR_MAP_NO_SUBIDS, UID_USE);
}

static void test_permission(void)
{
	struct id_range uid[] = { { 0, 165530, 7, UID_USE } };
	struct spec spec = spec_with_uses();
	struct facts *facts = facts_with_subids();
	struct cloche_error err = ERROR_INIT;
	struct plan plan;

	spec.ids.uid_ranges = uid;
	spec.ids.uid_range_count = 1;
	CHECK(plan_make(&plan, &spec, facts, &err) < 0);
	plan_free(&plan);
	CHECK_INT(err.code, ERROR_MAP_NOT_ALLOWED);
	CHECK_INT(err.use, UID_USE);
	CHECK_INT(err.hint, HINT_SUBUIDS);
	CHECK_STR(err.path, "165530-165536");
	CHECK_STR(err.detail, "/etc/subuid gives alice 100000-165535, 300000-300009");
	facts->subuids.is_read = false; /* newuidmap may know more */
	plan = planned(&spec, facts);
	plan_free(&plan);
	facts->newuidmap_dir = NULL;
	refused(&spec, facts, ERROR_NO_NEWUIDMAP, UID_USE);
}

static void test_conflicts(void)
{
	struct id_range uid[] = { { 0, 100000, 10, UID_USE }, { 9, 100100, 1, UID_USE } };
	struct spec spec = spec_with_uses();

	spec.ids.uid_ranges = uid;
	spec.ids.uid_range_count = 2;
	refused(&spec, facts_with_subids(), ERROR_MAP_OVERLAP, UID_USE);
	spec.ids.uid_range_count = 1;
	spec.ids.map_root = given(GID_USE);
	refused(&spec, facts_with_subids(), ERROR_MAP_OVERLAP_OWN, UID_USE);
	spec.ids.map_current = given(GID_USE);
	refused(&spec, facts_with_subids(), ERROR_MAP_CONFLICT, GID_USE);
	spec.ids.map_root.is_set = spec.ids.map_current.is_set = false;
	spec.ids.map_auto = given(GID_USE);
	refused(&spec, facts_with_subids(), ERROR_MAP_CONFLICT, UID_USE);
	spec.ids.map_auto.is_set = false;
	spec.share = CLONE_NEWUSER;
	refused(&spec, root_facts(), ERROR_MAP_NEEDS_USERNS, UID_USE);
	spec.share = 0;
	spec.namespaces.join[NS_USER] = (struct spec_ns){ .is_set = true, .fd = 9, .use = GID_USE };
	refused(&spec, facts_with_subids(), ERROR_MAP_CONFLICT, UID_USE);
}

static void test_limits(void)
{
	static struct id_range uid[IDMAP_MAX_RANGES + 1];
	struct spec spec = spec_with_uses();
	struct plan plan;

	for (size_t i = 0; i < ARRAY_SIZE(uid); i++)
		uid[i] = (struct id_range){ (uint32_t)i, (uint32_t)i, 1, UID_USE };
	spec.ids.uid_ranges = uid;
	spec.ids.uid_range_count = IDMAP_MAX_RANGES;
	plan = planned(&spec, root_facts());
	CHECK_INT(plan.ids.uid.count, IDMAP_MAX_RANGES);
	plan_free(&plan);
	spec.ids.uid_range_count++;
	refused(&spec, root_facts(), ERROR_MAP_TOO_LONG, UID_USE);
	spec.ids.uid_range_count = IDMAP_MAX_RANGES;
	for (size_t i = 0; i < ARRAY_SIZE(uid); i++)
		uid[i].inside = UINT32_MAX - 1 - (uint32_t)i; /* more text than a page */
	refused(&spec, root_facts(), ERROR_MAP_TOO_LONG, UID_USE);
}

/* ---- idmapped binds ---- */

static void test_idmap_ranges(void)
{
	struct id_range uid[] = { { 0, 100000, 10, UID_USE }, { 10, 300000, 10, UID_USE } };
	struct id_range idmap[] = { { 5, 0, 10, UID_USE }, { 19, 77, 1, UID_USE } };
	struct fs_op op = { .idmap_first = 0, .idmap_count = 2 };
	struct spec spec = spec_with_uses();
	struct id_range made[8];
	struct plan plan;

	spec.ids.uid_ranges = uid;
	spec.ids.uid_range_count = 2;
	spec.ids.idmap_ranges = idmap;
	spec.ids.idmap_range_count = 2;
	plan = planned(&spec, root_facts());
	CHECK_INT(plan_idmap_ranges(&plan, &op, ID_USER, made, 8), 3);
	CHECK(made[0].inside == 0 && made[0].outside == 100005 && made[0].count == 5);
	CHECK(made[1].inside == 5 && made[1].outside == 300000 && made[1].count == 5);
	CHECK(made[2].inside == 77 && made[2].outside == 300009 && made[2].count == 1);
	CHECK_INT(plan_idmap_ranges(&plan, &op, ID_USER, made, 2),
		  2); /* no more than there is room */
	plan_free(&plan);
	spec.ids.uid_range_count = 0;
	spec.share = CLONE_NEWUSER; /* every id is itself */
	spec.userns_limit = USERNS_ALLOW;
	plan = planned(&spec, root_facts());
	CHECK_INT(plan_idmap_ranges(&plan, &op, ID_GROUP, made, 8), 2);
	CHECK(made[0].inside == 0 && made[0].outside == 5 && made[0].count == 10);
	plan_free(&plan);
}

static void test_idmap_refused(void)
{
	struct id_range idmap[] = { { 0, 0, 1, UID_USE }, { 1, 0, 1, GID_USE } };
	struct fs_op op = { .type = OP_BIND,
			    .use = GID_USE,
			    .source = "/a",
			    .dest = "/b",
			    .fd = -1,
			    .mode = MODE_UNSET,
			    .idmap_count = 1 };
	struct spec spec = spec_with_uses();
	struct plan plan;

	spec.ops = &op;
	spec.op_count = 1;
	spec.ids.idmap_ranges = idmap;
	spec.ids.idmap_range_count = 2;
	refused(&spec, facts_with_subids(), ERROR_IDMAP_UNPRIVILEGED, UID_USE);
	plan = planned(&spec, root_facts());
	CHECK(plan.has_idmaps);
	plan_free(&plan);
	op.idmap_count = 2;
	refused(&spec, root_facts(), ERROR_MAP_OVERLAP, GID_USE);
	op.idmap_count = 1;
	idmap[0].count = 2;
	refused(&spec, root_facts(), ERROR_IDMAP_NOT_MAPPED, UID_USE);
	spec.namespaces.join[NS_USER] = (struct spec_ns){ .is_set = true, .fd = 9, .use = GID_USE };
	spec.userns_limit = USERNS_ALLOW;
	refused(&spec, root_facts(), ERROR_MAP_CONFLICT, UID_USE);
}

int main(void)
{
	test_own_id_alone();
	test_given_ranges();
	test_group_ranges();
	test_drop_groups();
	test_map_auto();
	test_map_auto_hole();
	test_map_auto_odd_files();
	test_permission();
	test_conflicts();
	test_limits();
	test_idmap_ranges();
	test_idmap_refused();
	return 0;
}
