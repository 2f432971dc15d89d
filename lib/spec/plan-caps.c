/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Capabilities of COMMAND by set (capabilities(7)), and its keyring.
 *
 * What is kept is in the permitted, effective and bounding sets. The ambient set makes it survive
 * execve(2) for another uid than 0, and so COMMAND's own start: as bubblewrap has it, all that is
 * kept is ambient once an option of capabilities is given. --cap-ambient names those that are
 * instead; with --allow-suid none are unless named, since there the bounding set is of use: it
 * limits what a set-user-ID program gets. The inheritable set is the ambient one, never more: with
 * it alone, file capabilities would give what nobody asked for (CVE-2022-29162).
 */
#include <linux/sched.h>

#include "spec/idmap.h"
#include "spec/plan-parts.h"

void plan_caps(struct plan *plan, const struct facts *facts)
{
	const struct spec *spec = plan->spec;
	bool is_tier = plan->landlock.is_tier; /* which capabilities would undo */
	bool keeps = plan->personality->keeps_root_caps && facts->uid == 0 && !is_tier;
	bool own_userns = (plan->clone_flags | plan->joined) & CLONE_NEWUSER;
	bool names_ambient = false;

	if (keeps)
		plan->keep_caps = facts->permitted;
	for (size_t i = 0; i < spec->cap_op_count; i++) {
		const struct cap_op *op = &spec->cap_ops[i];

		if (op->type == CAP_DROP) {
			plan->keep_caps &= ~op->mask;
			plan->ambient_caps &= ~op->mask;
			continue;
		}
		plan->keep_caps |= op->mask;
		if (op->type == CAP_AMBIENT) {
			plan->ambient_caps |= op->mask;
			names_ambient = true;
		}
	}
	if (keeps && !(plan->clone_flags & CLONE_NEWUSER)) /* there are no others to be had */
		plan->keep_caps &= facts->permitted;
	plan->allow_suid = spec_flag(spec, FLAG_ALLOW_SUID);
	if (!names_ambient && !plan->allow_suid && spec->cap_op_count)
		plan->ambient_caps = plan->keep_caps;
	plan->ambient_caps &= plan->keep_caps;
	/* As bubblewrap: real root keeps what it has, until an option of capabilities is given. */
	plan->leaves_caps = keeps && !spec->cap_op_count && !own_userns;
	plan->trims_bounding = own_userns || !plan->personality->keeps_root_caps;
	plan->locks_root = !plan->personality->keeps_root_caps;
	plan->new_keyring = plan->personality->renews_keyring || spec_flag(spec, FLAG_NEW_KEYRING);
}

/*
 * Set-user-ID programs take effect only as ids that are mapped, so only programs that belong to the
 * sandbox's own root directory do, those of the host never: hence the ranges, and nothing of the
 * host's root among them. Whatever privilege they give counts in the sandbox's user namespace
 * alone.
 */
int plan_suid(const struct plan *plan, struct cloche_error *err)
{
	const struct plan_map *const maps[] = { &plan->ids.uid, &plan->ids.gid };
	int use = plan->spec->flag_use[FLAG_ALLOW_SUID];
	uint32_t other;

	for (size_t i = 0; plan->allow_suid && i < ARRAY_SIZE(maps); i++) {
		const struct plan_map *map = maps[i];

		if (!plan->ids.has_ranges || !idmap_outside(map->ranges, map->count, 0, &other)) {
			error_set_hint(err, HINT_SUID_MAPS);
			return plan_blame(err, use, ERROR_SUID_NEEDS_MAPS, NULL);
		}
		if (idmap_inside(map->ranges, map->count, 0, &other)) {
			error_set_hint(err, HINT_SUID_HOST_ROOT);
			return plan_blame(err, use, ERROR_SUID_HOST_ROOT, NULL);
		}
	}
	return 0;
}
