/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the parts of the plan share: plan.c calls one function per subject, in the order in which
 * they depend on each other.
 */
#pragma once

#include "spec/plan.h"

/** plan_blame - error_set() for the option with index @use */
int plan_blame(struct cloche_error *err, int use, enum error_code code, const char *path);

/** plan_unshares - does the child get a new @namespace, a CLONE_NEW*? */
bool plan_unshares(const struct plan *plan, uint64_t namespace);

/** plan_asked_for_userns - was a new user namespace asked for by name, by an option or by the
 * personality? */
bool plan_asked_for_userns(const struct plan *plan);

/** plan_ids - id maps, COMMAND's ids and groups; after the namespaces (plan-ids.c) */
must_check int plan_ids(struct plan *plan, const struct facts *facts, struct cloche_error *err);

/** plan_idmaps - may the operations' --idmap be done? After the operations (plan-ids.c) */
must_check int plan_idmaps(struct plan *plan, const struct facts *facts, struct cloche_error *err);

/** plan_policy_make - the seccomp policy; after the namespaces inside are decided (plan-policy.c)
 */
must_check int plan_policy_make(struct plan *plan, struct cloche_error *err);

/** plan_free_ids - release what plan_ids() made */
void plan_free_ids(struct plan *plan);

/** plan_namespaces_asked - conflicts between the options that join, make and share namespaces;
 * first of all */
must_check int plan_namespaces_asked(struct plan *plan, struct cloche_error *err);

/** plan_time - the time namespace and its clocks */
must_check int plan_time(struct plan *plan, struct cloche_error *err);

/** plan_names - names in a new uts namespace, and what is kept as files; needs plan->clone_flags */
must_check int plan_names(struct plan *plan, struct cloche_error *err);

/** plan_caps - the capabilities of COMMAND, by set, and its keyring; needs plan->clone_flags */
void plan_caps(struct plan *plan, const struct facts *facts);

/** plan_suid - may set-user-ID programs be allowed, if that is asked for? After plan_ids() */
must_check int plan_suid(const struct plan *plan, struct cloche_error *err);

/**
 * plan_views - decide plan->views, check the protected paths, add the operation of the secrets
 * (plan-views.c); after the operations and the limit of user namespaces
 */
must_check int plan_views(struct plan *plan, const struct facts *facts, struct cloche_error *err);

/** plan_net_asked - conflicts of --net with other options; before the namespaces (plan-net.c) */
must_check int plan_net_asked(const struct plan *plan, struct cloche_error *err);

/** plan_net_make - decide plan->net, and add the operations of its files; behind all others */
must_check int plan_net_make(struct plan *plan, const struct facts *facts,
			     struct cloche_error *err);

/** plan_free_net - release what plan_net_make() made */
void plan_free_net(struct plan *plan);

/** plan_free_views - release what plan_views() made */
void plan_free_views(struct plan *plan);
