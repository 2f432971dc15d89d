/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The plan's part about limits: which can be had at all, and whether the sandbox needs a group.
 * Pure.
 */
#include <linux/capability.h>
#include <linux/sched.h>
#include <string.h>

#include "base/str.h"
#include "spec/plan.h"

static int blame(struct cloche_error *err, int use, enum error_code code, const char *path,
		 const char *detail)
{
	err->use = use;
	return error_set_detail(err, code, 0, path, detail);
}

/* A hard limit can be raised by CAP_SYS_RESOURCE in the first user namespace only, setrlimit(2). */
static bool can_raise(const struct plan *plan, const struct facts *facts)
{
	return facts->permitted >> CAP_SYS_RESOURCE & 1 && !(plan->clone_flags & CLONE_NEWUSER) &&
	       !spec_joins(plan->spec, NS_USER);
}

static int check_rlimit(const struct plan *plan, const struct facts *facts,
			const struct limit_rlimit *limit, struct cloche_error *err)
{
	uint64_t highest = facts->rlimits[limit->resource].rlim_max;
	char number[STR_NUMBER_SIZE];

	if (limit->soft > limit->hard)
		return blame(err, limit->use, ERROR_LIMIT_ORDER, limit_rlimit_name(limit->resource),
			     NULL);
	if (!facts->knows_rlimits || limit->hard <= highest || can_raise(plan, facts))
		return 0;
	error_set_hint(err, HINT_LIMIT_PRIVILEGE);
	return blame(err, limit->use, ERROR_LIMIT_HARD, limit_rlimit_name(limit->resource),
		     str_number(number, highest));
}

/* Notes what a limit of the group at @use needs. */
static void need_group(struct plan_limits *plan, unsigned controller, int use)
{
	if (!plan->controllers)
		plan->use = use;
	plan->controllers |= controller;
}

static void plan_place(struct plan_limits *plan, const struct spec_string *where)
{
	if (plan->controllers || where->text)
		plan->place = PLACE_AUTO;
	if (!where->text)
		return;
	if (!plan->controllers)
		plan->use = where->use;
	if (strcmp(where->text, "none") == 0)
		plan->place = PLACE_NONE;
	else if (strcmp(where->text, "systemd") == 0)
		plan->place = PLACE_SYSTEMD;
	else if (where->text[0] == '/') {
		plan->place = PLACE_PATH;
		plan->path = where->text;
	}
}

int plan_limits_make(struct plan *plan, const struct facts *facts, struct cloche_error *err)
{
	const struct spec_limits *spec = &plan->spec->limits;
	struct plan_limits *limits = &plan->limits;

	limits->no_core = plan->personality->hides_crashes;
	for (size_t i = 0; i < spec->rlimit_count; i++) {
		int r = check_rlimit(plan, facts, &spec->rlimits[i], err);

		if (r < 0)
			return r;
		if (spec->rlimits[i].resource == RLIMIT_CORE)
			limits->no_core = false;
	}
	for (size_t i = 0; i < LIMIT_COUNT; i++) {
		unsigned controller;

		(void)limit_group_file((enum group_limit)i, &controller);
		if (spec->group[i].is_set)
			need_group(limits, controller, spec->group[i].use);
	}
	if (spec->io_count)
		need_group(limits, CONTROLLER_IO, spec->io[0].use);
	plan_place(limits, &plan->spec->cgroup);
	if (limits->controllers && limits->place == PLACE_NONE)
		return blame(err, limits->use, ERROR_CGROUP_NONE, NULL, NULL);
	return 0;
}
