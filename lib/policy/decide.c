/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a policy says of one system call, straight from the form. The meaning of the language is
 * here; emit.c makes programs that say the same.
 */
#include <linux/audit.h>
#include <string.h>

#include "base/str.h"
#include "policy/policy.h"

bool policy_test_matches(const struct policy_test *test, uint32_t arch, const uint64_t args[6])
{
	uint64_t mask = policy_arch_is_32bit(arch) ? test->mask & UINT32_MAX : test->mask;
	uint64_t value = args[test->arg] & mask;

	switch (test->op) {
	case POLICY_EQ:
		return value == test->value;
	case POLICY_NE:
		return value != test->value;
	case POLICY_LT:
		return value < test->value;
	case POLICY_LE:
		return value <= test->value;
	case POLICY_GT:
		return value > test->value;
	case POLICY_GE:
		return value >= test->value;
	}
	return false;
}

static bool rule_matches(const struct policy_rule *rule, uint32_t arch, const uint64_t args[6])
{
	for (size_t i = 0; i < rule->test_count; i++)
		if (!policy_test_matches(&rule->tests[i], arch, args))
			return false;
	return true;
}

/* ---- the multiplexers of i386 and a few others ---- */

/* linux/net.h and linux/ipc.h; the upper half of ipc's first argument is a version. */
static const struct policy_subcall subcalls_all[] = {
	{ "socketcall", UINT32_MAX, 1, "socket" },
	{ "socketcall", UINT32_MAX, 2, "bind" },
	{ "socketcall", UINT32_MAX, 3, "connect" },
	{ "socketcall", UINT32_MAX, 4, "listen" },
	{ "socketcall", UINT32_MAX, 5, "accept" },
	{ "socketcall", UINT32_MAX, 6, "getsockname" },
	{ "socketcall", UINT32_MAX, 7, "getpeername" },
	{ "socketcall", UINT32_MAX, 8, "socketpair" },
	{ "socketcall", UINT32_MAX, 9, "send" },
	{ "socketcall", UINT32_MAX, 10, "recv" },
	{ "socketcall", UINT32_MAX, 11, "sendto" },
	{ "socketcall", UINT32_MAX, 12, "recvfrom" },
	{ "socketcall", UINT32_MAX, 13, "shutdown" },
	{ "socketcall", UINT32_MAX, 14, "setsockopt" },
	{ "socketcall", UINT32_MAX, 15, "getsockopt" },
	{ "socketcall", UINT32_MAX, 16, "sendmsg" },
	{ "socketcall", UINT32_MAX, 17, "recvmsg" },
	{ "socketcall", UINT32_MAX, 18, "accept4" },
	{ "socketcall", UINT32_MAX, 19, "recvmmsg" },
	{ "socketcall", UINT32_MAX, 20, "sendmmsg" },
	{ "ipc", UINT16_MAX, 1, "semop" },
	{ "ipc", UINT16_MAX, 2, "semget" },
	{ "ipc", UINT16_MAX, 3, "semctl" },
	{ "ipc", UINT16_MAX, 4, "semtimedop" },
	{ "ipc", UINT16_MAX, 11, "msgsnd" },
	{ "ipc", UINT16_MAX, 12, "msgrcv" },
	{ "ipc", UINT16_MAX, 13, "msgget" },
	{ "ipc", UINT16_MAX, 14, "msgctl" },
	{ "ipc", UINT16_MAX, 21, "shmat" },
	{ "ipc", UINT16_MAX, 22, "shmdt" },
	{ "ipc", UINT16_MAX, 23, "shmget" },
	{ "ipc", UINT16_MAX, 24, "shmctl" },
	{ 0 },
};

const struct policy_subcall *policy_subcalls(uint32_t arch)
{
	static const struct policy_subcall none[] = { { 0 } };

	return policy_call_number("socketcall", arch) >= 0 ? subcalls_all : none;
}

bool policy_names_call(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->rule_count; i++)
		if (strcmp(policy->rules[i].name, name) == 0)
			return true;
	return false;
}

uint32_t policy_subcall_action(const struct policy *policy, const struct policy_subcall *subcall)
{
	uint32_t action = policy->default_action;
	bool is_constant = true;

	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		if (strcmp(rule->name, subcall->name) != 0)
			continue;
		is_constant = rule->test_count == 0 || (is_constant && rule->action == action);
		action = rule->action;
	}
	return is_constant ? action : SECCOMP_RET_ERRNO | ENOSYS;
}

/* ---- one verdict ---- */

/* The names that a rule may call a number by: its own, "" where it has none, and its digits. */
struct names {
	char name[POLICY_NAME_SIZE];
	char digits[STR_NUMBER_SIZE];
};

static bool is_named(const struct names *names, const char *name)
{
	return strcmp(names->name, name) == 0 || strcmp(names->digits, name) == 0;
}

static bool decide_subcall(const struct policy *policy, uint32_t arch, const struct names *names,
			   const uint64_t args[6], uint32_t *ret_action)
{
	for (const struct policy_subcall *sub = policy_subcalls(arch); sub->name; sub++)
		if (is_named(names, sub->multiplexer) &&
		    !policy_names_call(policy, sub->multiplexer) &&
		    (args[0] & sub->mask) == sub->number) {
			*ret_action = policy_subcall_action(policy, sub);
			return true;
		}
	return false;
}

uint32_t policy_decide(const struct policy *policy, uint32_t arch, uint32_t number,
		       const uint64_t args[6])
{
	struct names names = { 0 };
	uint32_t action;
	bool has_name = policy_call_name(number, arch, names.name);

	if (arch == AUDIT_ARCH_X86_64 && number >= POLICY_X32_BIT)
		return SECCOMP_RET_ERRNO | ENOSYS;
	if (number >= POLICY_FIRST_COMMON)
		(void)str_number(names.digits, number);
	for (size_t i = policy->rule_count; i-- > 0;) {
		const struct policy_rule *rule = &policy->rules[i];

		if (is_named(&names, rule->name) && rule_matches(rule, arch, args))
			return rule->action;
	}
	if (decide_subcall(policy, arch, &names, args, &action))
		return action;
	if (policy->has_lid && (number > policy->lid || !has_name))
		return policy->lid_action;
	return policy->default_action;
}
