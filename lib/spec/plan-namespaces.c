/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Namespaces by reference, time, names and pins: conflicts and implications.
 */
#include "spec/plan-parts.h"

#include <linux/sched.h>
#include <stdio.h>

/* An option that joins a namespace contradicts one that makes or shares it. */
static int check_join(const struct plan *plan, enum ns_type type, struct cloche_error *err)
{
	const struct spec *spec = plan->spec;
	const struct ns_info *info = &ns_infos[type];
	const char *how = NULL, *suffix = "";
	char name[32];

	/* With --unshare-pid a new one is made, as a child of the one that is joined. */
	if (type == NS_USER ? spec->unshare_user_use >= 0
			    : spec->namespaces.unshare_named & info->flag && type != NS_PID)
		how = "unshare";
	/* "If possible": by its own name for the user namespace, always for the cgroup's. */
	else if (type == NS_USER && spec->unshare_try & info->flag)
		how = "unshare", suffix = "-try";
	else if (spec->share & info->flag)
		how = "share";
	if (!how)
		return 0;
	(void)snprintf(name, sizeof(name), "%s-%s%s", how, info->name, suffix);
	err->use = spec->namespaces.join[type].use;
	return error_set_detail(err, ERROR_JOIN_CONFLICT, 0, name, info->name);
}

int plan_namespaces_asked(struct plan *plan, struct cloche_error *err)
{
	for (enum ns_type type = 0; type < NS_COUNT; type++) {
		int r;

		if (!spec_joins(plan->spec, type))
			continue;
		r = check_join(plan, type, err);
		if (r < 0)
			return r;
		plan->joined |= ns_infos[type].flag;
	}
	return 0;
}

int plan_time(struct plan *plan, struct cloche_error *err)
{
	const struct spec *spec = plan->spec;

	plan->new_time = spec->unshare & CLONE_NEWTIME;
	for (enum offset_clock clock = 0; clock < OFFSET_COUNT; clock++) {
		const struct spec_offset *offset = &spec->namespaces.offset[clock];

		if (offset->is_set && !plan->new_time)
			return plan_blame(err, offset->use, ERROR_OFFSET_NEEDS, NULL);
	}
	return 0;
}

int plan_names(struct plan *plan, struct cloche_error *err)
{
	const struct spec *spec = plan->spec;
	const struct spec_string *domain = &spec->namespaces.domainname,
				 *pin = &spec->namespaces.pin;
	bool has_uts = plan_unshares(plan, CLONE_NEWUTS);

	if (spec->hostname.text && !has_uts)
		return plan_blame(err, spec->hostname.use, ERROR_NAME_NEEDS, "hostname");
	if (domain->text && !has_uts)
		return plan_blame(err, domain->use, ERROR_NAME_NEEDS, "domainname");
	/* Having joined it we have no power over the mount namespace that we are in. */
	if (pin->text && plan->joined & CLONE_NEWUSER)
		return plan_blame(err, pin->use, ERROR_PIN_USERNS, NULL);
	return 0;
}
