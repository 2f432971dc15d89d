/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: seccomp profiles in JSON. The first byte chooses the host (architecture,
 * capabilities, kernel), the rest is the document. Whatever it holds, it is a policy that is well
 * formed and does not depend on the order in which it is asked, or an error with a place.
 */
#include <linux/audit.h>

#include "fuzz.h"
#include "policy/oci.h"

static const uint32_t arches[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64, AUDIT_ARCH_I386,
				   AUDIT_ARCH_RISCV64 };

static void check_policy(const struct policy *policy, const struct oci_host *host)
{
	static const uint64_t args[][6] = { { 0 },
					    { 1, 2, 3, 4, 5, 6 },
					    { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX,
					      UINT64_MAX, UINT64_MAX } };

	require(policy->rule_count <= POLICY_MAX_RULES && policy->group_count == 0);
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct policy_rule *rule = &policy->rules[i];
		int number = policy_call_number(rule->name, host->arch);

		require(rule->test_count <= POLICY_MAX_TESTS && policy_call_exists(rule->name));
		for (size_t j = 0; j < rule->test_count; j++) {
			require(rule->tests[j].arg < 6);
			for (size_t k = 0; k < j; k++) /* libseccomp could not take it */
				require(rule->tests[j].arg != rule->tests[k].arg);
		}
		/* What decides last has no tests. */
		require(i == 0 || rule->test_count == 0 || policy->rules[i - 1].test_count > 0);
		if (number < 0 || i > 100)
			continue;
		require(!policy->has_lid || (uint32_t)number <= policy->lid);
		for (size_t j = 0; j < ARRAY_SIZE(args); j++)
			(void)policy_decide(policy, host->arch, (uint32_t)number, args[j]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy policy = POLICY_EMPTY;
	struct policy_error err;
	struct oci_host host;
	bool has_twin = false;
	char *text;
	int r;

	if (size < 1)
		return 0;
	host = (struct oci_host){ .arch = arches[data[0] % ARRAY_SIZE(arches)],
				  .caps = data[0] & 4	? UINT64_MAX
					  : data[0] & 8 ? 1ull << 21
							: 0,
				  .major = data[0] >> 4,
				  .minor = data[0] & 15 };
	text = fuzz_text(data + 1, size - 1);
	r = oci_read(&policy, text, &host, &has_twin, &err);
	require(r == 0 || r == -EINVAL);
	if (r == 0) {
		check_policy(&policy, &host);
		require(!has_twin || policy_arch_twin(host.arch));
	} else {
		require(err.reason && strlen(err.token) < sizeof(err.token));
		require(err.line == 0 || !err.token[0]);
	}
	policy_free(&policy);
	free(text);
	return 0;
}
