/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The form itself: building it up and taking it down.
 */
#include "base/str.h"
#include "policy/policy.h"

void policy_free(struct policy *policy)
{
	for (size_t i = 0; i < policy->group_count; i++)
		free(policy->groups[i].members);
	free(policy->groups);
	free(policy->rules);
	*policy = POLICY_EMPTY;
}

struct policy_rule *policy_add_rule(struct policy *policy, const char *name, uint32_t action)
{
	size_t count = policy->rule_count;
	struct policy_rule *rule;

	if (count == POLICY_MAX_RULES)
		return NULL;
	if ((count & (count - 1)) == 0) { /* full: the capacity doubles at powers of two */
		size_t capacity = count ? 2 * count : 1;
		struct policy_rule *grown =
			reallocarray(policy->rules, capacity, sizeof(*policy->rules));

		if (!grown)
			return NULL;
		policy->rules = grown;
	}
	rule = &policy->rules[policy->rule_count++];
	*rule = (struct policy_rule){ .action = action };
	str_copy(rule->name, sizeof(rule->name), name);
	return rule;
}
