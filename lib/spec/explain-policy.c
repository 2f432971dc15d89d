/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The seccomp policy in words.
 */
#include "base/jsonw.h"
#include "spec/explain.h"

static const char *policy_name(const struct plan *plan)
{
	const struct spec_policy *spec = &plan->spec->policy;

	if (plan->policy.shipped)
		return plan->policy.shipped;
	return plan->policy.is_json ? spec->json.text : spec->name.text;
}

static const char *log_name(const struct plan *plan)
{
	static const char *const names[] = {
		[SECCOMP_LOG_NONE] = "no",
		[SECCOMP_LOG_DENIED] = "denied",
		[SECCOMP_LOG_ALLOW] = "allow",
	};

	return names[plan->spec->policy.log];
}

/* Names may be whole policies: only what fits a line is shown. */
#define NAME_ROOM 1024

void explain_policy_text(const struct plan *plan, FILE *out)
{
	const struct spec_policy *spec = &plan->spec->policy;
	char name[NAME_ROOM];
	struct str_buf buf = { .data = name, .size = sizeof(name) };

	name[0] = '\0';
	str_add_escaped(&buf, policy_name(plan));
	fprintf(out, "system calls: policy %s (%s)\n", name, plan_policy_summary(plan));
	for (size_t i = 0; i < spec->change_count; i++)
		fprintf(out, "  %s %s\n", spec->changes[i].errnum ? "deny" : "allow",
			spec->changes[i].list);
	if (plan->policy.is_off)
		return;
	fprintf(out, "  namespaces and mounts inside: %s; 32-bit programs: %s\n",
		plan->policy.opens_namespaces ? "as the kernel allows" : "as the policy says",
		plan->policy.allows_32bit ? "under the same rules"
		: plan->policy.is_json	  ? "as the policy says"
					  : "killed");
	if (spec_flag(plan->spec, FLAG_NO_SUID_CREATE))
		fputs("  set-user-ID and set-group-ID files cannot be made\n", out);
	if (spec->log != SECCOMP_LOG_NONE)
		fprintf(out, "  the kernel logs what is denied%s\n",
			spec->log == SECCOMP_LOG_ALLOW ? ", and allows it" : "");
}

void explain_policy_json(const struct plan *plan, FILE *out)
{
	const struct spec_policy *spec = &plan->spec->policy;
	char name[NAME_ROOM];
	struct str_buf buf = { .data = name, .size = sizeof(name) };
	char cut[NAME_ROOM / 8]; /* quoting makes six characters of one at most */

	name[0] = '\0';
	str_copy(cut, sizeof(cut), policy_name(plan));
	jsonw_string(&buf, cut);
	fprintf(out, ", \"seccomp\": {\"policy\": %s, \"is-off\": %s, \"changes\": [", name,
		plan->policy.is_off ? "true" : "false");
	for (size_t i = 0; i < spec->change_count; i++)
		fprintf(out, "%s{\"%s\": \"%s\"}", i ? ", " : "",
			spec->changes[i].errnum ? "deny" : "allow", spec->changes[i].list);
	fprintf(out,
		"], \"namespaces\": %s, \"allow-32bit\": %s, \"no-suid-create\": %s, \"log\": "
		"\"%s\"}",
		plan->policy.opens_namespaces ? "true" : "false",
		plan->policy.allows_32bit ? "true" : "false",
		spec_flag(plan->spec, FLAG_NO_SUID_CREATE) ? "true" : "false", log_name(plan));
}
