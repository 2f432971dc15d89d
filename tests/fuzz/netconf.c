/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: rules, published ports and the other options of --net, a line each, NAME=VALUE; and
 * the policy made of them.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "net/policy.h"

static void ask(struct policy *policy)
{
	static const char *const addresses[] = { "1.2.3.4", "10.0.2.2", "127.0.0.1",
						 "::ffff:1.2.3.4", "2001:db8::1" };
	int rule;

	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		struct net_end dest = { .port = 80 };
		struct policy_verdict verdict;

		if (net_addr_parse(addresses[i], &dest.addr) < 0)
			abort();
		verdict = policy_check(policy, NET_TCP, &dest);
		require(verdict.rule < (int)policy->config->rule_count);
		if (i == 2)
			require(!verdict.allowed);
	}
	(void)policy_allows_name(policy, "a.test", &rule);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *saved = NULL;
	struct net_config config;
	struct net_layout layout;
	struct policy policy;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	net_config_init(&config);
	for (char *line = strtok_r(text, "\n", &saved); line; line = strtok_r(NULL, "\n", &saved)) {
		char *value = strchr(line, '=');
		const char *what = NULL;

		if (!value)
			continue;
		*value = '\0';
		if (net_config_add(&config, line, value + 1, 0, &what) == -EINVAL)
			require(what != NULL);
	}
	require(net_config_dead_rule(&config) < (int)config.rule_count);
	layout = net_layout_make(&config.cidr, true);
	policy_init(&policy, &config, &layout);
	ask(&policy);
	net_config_free(&config);
	free(text);
	return 0;
}
