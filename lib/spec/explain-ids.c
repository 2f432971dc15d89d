/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Ids of the plan in words.
 */
#include <linux/sched.h>

#include "spec/explain-parts.h"

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

void explain_ids_text(const struct plan *plan, const struct facts *facts, FILE *out)
{
	/* The maps of a joined user namespace tell. */
	if (!(plan->joined & CLONE_NEWUSER) && plan->ids.writer == MAPS_BY_CHILD)
		fprintf(out, "ids: uid %u inside is %u outside, gid %u inside is %u outside\n",
			plan->inner_uid, facts->uid, plan->inner_gid, facts->gid);
	else if (!(plan->joined & CLONE_NEWUSER))
		text_maps(plan, out);
	fprintf(out, "supplementary groups: %s\n", plan->ids.drops_groups ? "left" : "kept");
}

void explain_json_ranges(const struct id_range *ranges, size_t count, FILE *out)
{
	fputc('[', out);
	for (size_t i = 0; i < count; i++)
		fprintf(out, "%s{\"inside\": %u, \"outside\": %u, \"count\": %u}", i ? ", " : "",
			ranges[i].inside, ranges[i].outside, ranges[i].count);
	fputc(']', out);
}

/* What COMMAND's ids are outside; where the maps are not ours, the caller's. */
void explain_ids_json(const struct plan *plan, const struct facts *facts, FILE *out)
{
	const struct plan_map *uid = &plan->ids.uid, *gid = &plan->ids.gid;
	uint32_t outer_uid = facts->uid, outer_gid = facts->gid;

	(void)idmap_outside(uid->ranges, uid->count, plan->inner_uid, &outer_uid);
	(void)idmap_outside(gid->ranges, gid->count, plan->inner_gid, &outer_gid);
	fprintf(out,
		", \"ids\": {\"uid\": {\"inside\": %u, \"outside\": %u}, \"gid\": {\"inside\": %u, "
		"\"outside\": %u}}",
		plan->inner_uid, outer_uid, plan->inner_gid, outer_gid);
	explain_json_key("uid-map", out);
	explain_json_ranges(uid->ranges, uid->count, out);
	explain_json_key("gid-map", out);
	explain_json_ranges(gid->ranges, gid->count, out);
	explain_json_key("maps-written-by", out);
	explain_put_json(writer_names[plan->ids.writer], out);
	fprintf(out, ", \"drops-groups\": %s", plan->ids.drops_groups ? "true" : "false");
}
