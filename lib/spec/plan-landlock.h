/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The plan's part about Landlock. Pure.
 */
#pragma once

#include "spec/plan.h"

/** landlock_trial - what facts_try_namespaces() has to try for @spec, enum facts_try */
unsigned landlock_trial(const struct spec *spec);

/**
 * landlock_plan_tier - decide whether there will be namespaces at all (--isolation)
 *
 * After the namespaces are planned, before anything that depends on them. In the tier without
 * namespaces plan->clone_flags is 0 afterwards.
 */
must_check int landlock_plan_tier(struct plan *plan, const struct facts *facts,
				  struct cloche_error *err);

/** landlock_plan - scopes, ports and, in the tier, paths; after the operations are planned */
must_check int landlock_plan(struct plan *plan, const struct facts *facts,
			     struct cloche_error *err);

/** landlock_plan_free - release the paths; fine on a zeroed one */
void landlock_plan_free(struct plan_landlock *landlock);

/** landlock_warning - fill @warning with what the tier does not enforce; false: nothing to say */
bool landlock_warning(const struct plan *plan, struct cloche_error *warning);
