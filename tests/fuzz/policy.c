/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: the text of a seccomp policy. Whatever it is, it comes to an error with a place and
 * a reason, or to programs that say what the form says.
 */
#include <linux/audit.h>

#include "fuzz.h"
#include "policy/policy.h"

static const struct policy_text shipped[] = {
	{ "groups", "group @two getpid getppid\n" },
	{ "base", "default errno EPERM\nlid 469 errno ENOSYS\nallow @two execve\n" },
	{ "loop", "use loop\n" },
	{ NULL, NULL },
};

static void check_error(const struct policy_error *err, const char *text)
{
	unsigned lines = 1;

	for (; *text; text++)
		lines += *text == '\n';
	require(err->reason && err->reason[0]);
	require(err->file[0] || err->line <= lines);
	require(strnlen(err->token, sizeof(err->token)) < sizeof(err->token));
}

static void check_call(const struct policy *policy, const struct policy_program *program,
		       uint32_t arch, uint32_t number, uint64_t value)
{
	const struct seccomp_data call = {
		.nr = (int)number,
		.arch = arch,
		.args = { value, value + 1, value >> 32, value << 32, ~value, 0 },
	};

	require(policy_run(program->filter, program->count, &call) ==
		policy_decide(policy, arch, number, (const uint64_t *)call.args));
}

static void check_program(const struct policy *policy, const struct policy_program *program,
			  uint32_t arch)
{
	require(program->count <= BPF_MAXINSNS && program->native_count <= program->count);
	for (size_t i = 0; i < policy->rule_count && i < 20; i++) {
		const struct policy_rule *rule = &policy->rules[i];
		int number = policy_call_number(rule->name, arch);
		uint64_t value = rule->test_count ? rule->tests[0].value : 7;

		if (number < 0)
			continue;
		check_call(policy, program, arch, (uint32_t)number, value);
		check_call(policy, program, arch, (uint32_t)number, value - 1);
		check_call(policy, program, arch, (uint32_t)number + 1, 0);
	}
	for (uint32_t number = 0; number < 1200; number += 97)
		check_call(policy, program, arch, number, number);
	check_call(policy, program, arch, 0x40000001, 0);
}

static void check_policy(const struct policy *policy)
{
	struct policy_program program = { 0 };
	int r = policy_emit(policy, AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, &program);

	require(r == 0 || r == -E2BIG || r == -ENOMEM);
	if (r < 0)
		return;
	check_program(policy, &program, AUDIT_ARCH_X86_64);
	check_program(policy, &program, AUDIT_ARCH_I386);
	free(program.filter);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct policy_context context = {
		.flags = size && data[0] == '#' ? POLICY_USERNS : 0,
		.shipped = shipped,
	};
	struct policy policy = POLICY_EMPTY;
	struct policy_error err = { 0 };
	char *text = fuzz_text(data, size);
	int r = policy_parse(&policy, text, &context, &err);

	require(r == 0 || r == -EINVAL || r == -ENOMEM);
	if (r == -EINVAL)
		check_error(&err, text);
	if (r == 0)
		check_policy(&policy);
	policy_free(&policy);
	free(text);
	return 0;
}
