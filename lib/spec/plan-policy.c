/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The plan's part about seccomp: which policy, and whether one of the ready programs will do. Pure.
 */
#include <linux/capability.h>
#include <string.h>

#include "base/str.h"
#include "spec/plan-parts.h"

/* What the shipped policies do, in one line each; their texts are in policy/. */
static const struct {
	char name[12];
	char summary[160];
} shipped[] = {
	{ "none", "every system call is allowed" },
	{ "default",
	  "denied: new namespaces and mounts, keyrings, bpf, io_uring, perf, userfaultfd, "
	  "other socket families, typing into terminals, and unknown calls" },
	{ "strict", "only what containers usually need is allowed; no tracing" },
	{ "flatpak", "denied: what flatpak denies to its applications" },
	{ "build", "as default; fixed addresses may be asked for, set-user-ID files not be made" },
};

static int find_shipped(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(shipped); i++)
		if (strcmp(shipped[i].name, name) == 0)
			return (int)i;
	return -1;
}

const char *plan_policy_summary(const struct plan *plan)
{
	const char *name = plan->policy.shipped;

	return name		      ? shipped[find_shipped(name)].summary
	       : plan->policy.is_json ? "as the profile says"
				      : "as the policy says";
}

int plan_policy_make(struct plan *plan, struct cloche_error *err)
{
	const struct spec *spec = plan->spec;
	struct plan_policy *policy = &plan->policy;
	const char *name =
		spec->policy.name.text ? spec->policy.name.text : plan->personality->policy;
	int found = find_shipped(name);

	policy->is_json = spec->policy.json.text;
	if (policy->is_json && spec->policy.name.text) {
		err->use = spec->policy.json.use;
		return error_set_detail(err, ERROR_SECCOMP_WITH_ADD, 0, "seccomp-json",
					"seccomp-policy");
	}
	if (policy->is_json)
		found = -1;
	policy->shipped = found >= 0 ? shipped[found].name : NULL;
	policy->is_compiled = found < 0 || spec->policy.change_count ||
			      spec_flag(spec, FLAG_NO_SUID_CREATE) ||
			      spec->policy.log == SECCOMP_LOG_ALLOW;
	policy->is_off = !policy->is_compiled && strcmp(name, "none") == 0;
	policy->opens_namespaces =
		!policy->is_json && (plan->max_userns < 0 || plan->keep_caps >> CAP_SYS_ADMIN & 1);
	if (plan->landlock.is_tier) /* there is no limit, but nobody allowed them either */
		policy->opens_namespaces = !policy->is_json && spec->userns_limit == USERNS_ALLOW;
	policy->allows_32bit = spec_flag(spec, FLAG_ALLOW_32BIT);
	policy->confines_init = plan->has_init && plan->personality->confines_init;
	return 0;
}
