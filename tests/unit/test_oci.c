/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of lib/policy/oci*.c: what profiles in JSON mean, and where the wrong ones are wrong.
 * The meaning is read back with policy_decide(). Names have single quotes for JSON's double ones.
 */
#include "policy/oci.h"

#include <linux/audit.h>
#include <linux/capability.h>

#include "unit.h"

#define ERRNO(number) (SECCOMP_RET_ERRNO | (number))

static const struct oci_host plain = { .arch = AUDIT_ARCH_X86_64, .major = 6, .minor = 1 };

static char *json(const char *text)
{
	char *copy = strdup(text);

	CHECK(copy != NULL);
	for (char *c = copy; *c; c++)
		if (*c == '\'')
			*c = '"';
	return copy;
}

static struct policy read_for(const struct oci_host *host, const char *text, bool *ret_has_twin)
{
	struct policy policy = POLICY_EMPTY;
	struct policy_error err;
	char *document = json(text);

	if (oci_read(&policy, document, host, ret_has_twin, &err) < 0) {
		fprintf(stderr, "%s\n%u: %s: %s\n", text, err.line, err.token, err.reason);
		_exit(1);
	}
	free(document);
	return policy;
}

static uint32_t decide(const struct policy *policy, uint32_t arch, const char *name, uint64_t a,
		       uint64_t b, uint64_t c)
{
	uint64_t args[6] = { a, b, c };

	return policy_decide(policy, arch, (uint32_t)policy_call_number(name, arch), args);
}

/* What a profile with these rules and this default says of one call. */
static uint32_t verdict_for(const struct oci_host *host, const char *rules, const char *name,
			    uint64_t a, uint64_t b, uint64_t c)
{
	char text[4096];
	struct policy policy;
	bool has_twin;
	uint32_t action;

	snprintf(text, sizeof(text), "{'defaultAction': 'SCMP_ACT_ERRNO', 'syscalls': [%s]}",
		 rules);
	policy = read_for(host, text, &has_twin);
	action = decide(&policy, host->arch, name, a, b, c);
	policy_free(&policy);
	return action;
}

static uint32_t verdict(const char *rules, const char *name, uint64_t a, uint64_t b, uint64_t c)
{
	return verdict_for(&plain, rules, name, a, b, c);
}

/* ---- actions ---- */

static void check_default(const char *members, uint32_t expected)
{
	char text[512];
	struct policy policy;
	bool has_twin;

	snprintf(text, sizeof(text), "{%s}", members);
	policy = read_for(&plain, text, &has_twin);
	CHECK_INT(policy.default_action, expected);
	CHECK_INT(decide(&policy, plain.arch, "read", 0, 0, 0), expected);
	policy_free(&policy);
}

static void test_default_action(void)
{
	check_default("'defaultAction': 'SCMP_ACT_ALLOW'", SECCOMP_RET_ALLOW);
	check_default("'defaultAction': 'SCMP_ACT_LOG'", SECCOMP_RET_LOG);
	check_default("'defaultAction': 'SCMP_ACT_KILL'", SECCOMP_RET_KILL_THREAD);
	check_default("'defaultAction': 'SCMP_ACT_KILL_THREAD'", SECCOMP_RET_KILL_THREAD);
	check_default("'defaultAction': 'SCMP_ACT_KILL_PROCESS'", SECCOMP_RET_KILL_PROCESS);
	check_default("'defaultAction': 'SCMP_ACT_TRAP'", SECCOMP_RET_TRAP);
	check_default("'defaultAction': 'SCMP_ACT_ERRNO'", ERRNO(EPERM));
	check_default("'defaultAction': 'SCMP_ACT_ERRNO', 'defaultErrnoRet': 13", ERRNO(EACCES));
	check_default("'defaultAction': 'SCMP_ACT_ERRNO', 'defaultErrno': 'ENOSYS', "
		      "'defaultErrnoRet': 1",
		      ERRNO(ENOSYS)); /* podman: the name wins */
	check_default("'defaultAction': 'SCMP_ACT_ERRNO', 'defaultErrnoRet': null", ERRNO(EPERM));
	check_default("'defaultAction': 'SCMP_ACT_ALLOW', 'defaultErrnoRet': 5", SECCOMP_RET_ALLOW);
	check_default("'defaultAction': 'SCMP_ACT_TRACE', 'defaultErrnoRet': 5",
		      SECCOMP_RET_TRACE | 5);
	check_default("'defaultAction': 'SCMP_ACT_ALLOW', 'comment': 'x', 'syscalls': null, "
		      "'flags': ['SECCOMP_FILTER_FLAG_LOG']",
		      SECCOMP_RET_ALLOW);
}

static void test_actions(void)
{
	CHECK_INT(verdict("{'names': ['read', 'write'], 'action': 'SCMP_ACT_ALLOW'}", "write", 0, 0,
			  0),
		  SECCOMP_RET_ALLOW);
	CHECK_INT(verdict("{'name': 'read', 'action': 'SCMP_ACT_ERRNO', 'errnoRet': 22}", "read", 0,
			  0, 0),
		  ERRNO(EINVAL));
	CHECK_INT(verdict("{'names': ['read'], 'action': 'SCMP_ACT_ERRNO', 'errno': 'EACCES'}",
			  "read", 0, 0, 0),
		  ERRNO(EACCES));
	CHECK_INT(verdict("{'names': ['read'], 'action': 'SCMP_ACT_ERRNO', 'errnoRet': 0}", "read",
			  0, 0, 0),
		  ERRNO(0));
	CHECK_INT(verdict("{'names': ['read'], 'action': 'SCMP_ACT_TRAP'}", "read", 0, 0, 0),
		  SECCOMP_RET_TRAP);
	CHECK_INT(verdict("{'names': ['no_such_call', '39', 'read', "
			  "'a_name_that_is_much_longer_than_any_system_calls'], "
			  "'action': 'SCMP_ACT_ALLOW'}",
			  "read", 0, 0, 0),
		  SECCOMP_RET_ALLOW);
}

/* Calls up to the newest that the profile names get the default, newer ones ENOSYS. */
static void test_lid(void)
{
	const char *rules = "{'names': ['openat2'], 'action': 'SCMP_ACT_ALLOW'}";
	struct policy policy;
	bool has_twin;

	CHECK_INT(verdict(rules, "openat", 0, 0, 0), ERRNO(EPERM));
	CHECK_INT(verdict(rules, "openat2", 0, 0, 0), SECCOMP_RET_ALLOW);
	CHECK_INT(verdict(rules, "faccessat2", 0, 0, 0), ERRNO(ENOSYS));
	policy = read_for(&plain,
			  "{'defaultAction': 'SCMP_ACT_KILL', 'syscalls': [{'names': ['openat2'], "
			  "'action': 'SCMP_ACT_ALLOW'}]}",
			  &has_twin);
	CHECK_INT(decide(&policy, plain.arch, "faccessat2", 0, 0, 0), SECCOMP_RET_KILL_THREAD);
	policy_free(&policy);
}

/* ---- arguments ---- */

static void check_op(const char *test, uint64_t matching, uint64_t other)
{
	char rule[512];

	snprintf(rule, sizeof(rule),
		 "{'names': ['personality', 'openat2'], 'action': 'SCMP_ACT_ALLOW', 'args': "
		 "[{'index': 0, %s}]}",
		 test);
	CHECK_INT(verdict(rule, "personality", matching, 0, 0), SECCOMP_RET_ALLOW);
	CHECK_INT(verdict(rule, "personality", other, 0, 0), ERRNO(EPERM));
}

static void test_operators(void)
{
	check_op("'op': 'SCMP_CMP_EQ', 'value': 8, 'valueTwo': 0", 8, 0x100000008);
	check_op("'op': 'SCMP_CMP_NE', 'value': 8", 9, 8);
	check_op("'op': 'SCMP_CMP_LT', 'value': 8", 7, 8);
	check_op("'op': 'SCMP_CMP_LE', 'value': 8", 8, 9);
	check_op("'op': 'SCMP_CMP_GT', 'value': 8", 0x100000000, 8);
	check_op("'op': 'SCMP_CMP_GE', 'value': 8", 8, 7);
	check_op("'op': 'SCMP_CMP_EQ', 'value': 18446744073709551615", UINT64_MAX, UINT32_MAX);
	check_op("'op': 'SCMP_CMP_MASKED_EQ', 'value': 2114060288", 0x11, 0x10000000);
	check_op("'op': 'SCMP_CMP_MASKED_EQ', 'value': 255, 'valueTwo': 5", 0x105, 0x106);
}

static void test_several_arguments(void)
{
	static const char *const both =
		"{'names': ['socket', 'openat2'], 'action': 'SCMP_ACT_ALLOW', 'args': ["
		"{'index': 0, 'value': 16, 'op': 'SCMP_CMP_EQ'}, "
		"{'index': 2, 'value': 9, 'op': 'SCMP_CMP_NE'}]}";
	static const char *const one_twice =
		"{'names': ['socket', 'openat2'], 'action': 'SCMP_ACT_ALLOW', 'args': ["
		"{'index': 0, 'value': 1, 'op': 'SCMP_CMP_EQ'}, "
		"{'index': 0, 'value': 2, 'op': 'SCMP_CMP_EQ'}]}";

	CHECK_INT(verdict(both, "socket", 16, 3, 0), SECCOMP_RET_ALLOW);
	CHECK_INT(verdict(both, "socket", 16, 3, 9), ERRNO(EPERM));
	CHECK_INT(verdict(both, "socket", 15, 3, 0), ERRNO(EPERM));
	CHECK_INT(verdict(one_twice, "socket", 1, 0, 0), SECCOMP_RET_ALLOW);
	CHECK_INT(verdict(one_twice, "socket", 2, 0, 0), SECCOMP_RET_ALLOW);
	CHECK_INT(verdict(one_twice, "socket", 3, 0, 0), ERRNO(EPERM));
}

/* Without tests beats with, the first without beats the others, the strictest with the milder. */
static void test_overlap(void)
{
	static const char *const any =
		"{'names': ['dup'], 'action': 'SCMP_ACT_%s', 'errnoRet': %d}";
	static const char *const some =
		"{'names': ['dup'], 'action': 'SCMP_ACT_%s', 'errnoRet': %d, "
		"'args': [{'index': 0, 'value': %d, 'op': 'SCMP_CMP_GE'}]}";
	char first[300], second[300], rules[700];

	snprintf(first, sizeof(first), any, "ALLOW", 0);
	snprintf(second, sizeof(second), some, "ERRNO", 22, 5);
	snprintf(rules, sizeof(rules), "%s, %s", first, second);
	CHECK_INT(verdict(rules, "dup", 9, 0, 0), SECCOMP_RET_ALLOW);
	snprintf(rules, sizeof(rules), "%s, %s", second, first);
	CHECK_INT(verdict(rules, "dup", 9, 0, 0), SECCOMP_RET_ALLOW);

	snprintf(second, sizeof(second), any, "ERRNO", 22);
	snprintf(rules, sizeof(rules), "%s, %s", first, second);
	CHECK_INT(verdict(rules, "dup", 9, 0, 0), SECCOMP_RET_ALLOW);
	snprintf(rules, sizeof(rules), "%s, %s", second, first);
	CHECK_INT(verdict(rules, "dup", 9, 0, 0), ERRNO(EINVAL));

	snprintf(first, sizeof(first), some, "ERRNO", 22, 5);
	snprintf(second, sizeof(second), some, "ALLOW", 0, 3);
	snprintf(rules, sizeof(rules), "%s, %s", first, second);
	CHECK_INT(verdict(rules, "dup", 4, 0, 0), SECCOMP_RET_ALLOW);
	CHECK_INT(verdict(rules, "dup", 6, 0, 0), ERRNO(EINVAL));
	snprintf(rules, sizeof(rules), "%s, %s", second, first);
	CHECK_INT(verdict(rules, "dup", 6, 0, 0), ERRNO(EINVAL));
}

/* libseccomp passes over rules that say what the default says, so the others stay. */
static void test_same_as_default(void)
{
	CHECK_INT(verdict("{'names': ['dup', 'dup3'], 'action': 'SCMP_ACT_ERRNO'}, "
			  "{'names': ['dup'], 'action': 'SCMP_ACT_ALLOW', "
			  "'args': [{'index': 0, 'value': 1, 'op': 'SCMP_CMP_EQ'}]}",
			  "dup", 1, 0, 0),
		  SECCOMP_RET_ALLOW);
}

/* ---- conditions ---- */

static bool is_kept(const struct oci_host *host, const char *condition)
{
	char rule[512];

	snprintf(rule, sizeof(rule), "{'names': ['read'], 'action': 'SCMP_ACT_ALLOW', %s}",
		 condition);
	return verdict_for(host, rule, "read", 0, 0, 0) == SECCOMP_RET_ALLOW;
}

static void test_capabilities(void)
{
	struct oci_host able = plain;

	able.caps = 1ull << CAP_SYS_ADMIN | 1ull << CAP_BPF;
	CHECK(!is_kept(&plain, "'includes': {'caps': ['CAP_SYS_ADMIN']}"));
	CHECK(is_kept(&able, "'includes': {'caps': ['CAP_SYS_ADMIN']}"));
	CHECK(is_kept(&able, "'includes': {'caps': ['CAP_SYS_ADMIN', 'CAP_BPF']}"));
	CHECK(!is_kept(&able, "'includes': {'caps': ['CAP_SYS_ADMIN', 'CAP_SYS_TIME']}"));
	CHECK(!is_kept(&able, "'includes': {'caps': ['CAP_OF_TOMORROW']}"));
	CHECK(is_kept(&plain, "'excludes': {'caps': ['CAP_SYS_ADMIN']}"));
	CHECK(!is_kept(&able, "'excludes': {'caps': ['CAP_SYS_ADMIN']}"));
	CHECK(!is_kept(&able, "'excludes': {'caps': ['CAP_SYS_TIME', 'CAP_SYS_ADMIN']}"));
	CHECK(is_kept(&plain, "'includes': {}, 'excludes': {'caps': null}, 'args': []"));
}

static void test_architecture_conditions(void)
{
	struct oci_host arm = plain;

	arm.arch = AUDIT_ARCH_AARCH64;
	CHECK(is_kept(&plain, "'includes': {'arches': ['amd64', 'x32']}"));
	CHECK(!is_kept(&arm, "'includes': {'arches': ['amd64', 'x32']}"));
	CHECK(!is_kept(&plain, "'includes': {'arches': ['x86']}"));
	CHECK(is_kept(&arm, "'includes': {'arches': ['arm', 'arm64']}"));
	CHECK(!is_kept(&plain, "'excludes': {'arches': ['amd64']}"));
	CHECK(is_kept(&plain, "'excludes': {'arches': ['s390', 's390x']}"));
	CHECK(!is_kept(&plain, "'includes': {'arches': ['amd64'], 'caps': ['CAP_SYS_ADMIN']}"));
}

static void test_kernel_conditions(void)
{
	CHECK(is_kept(&plain, "'includes': {'minKernel': '4.8'}"));
	CHECK(is_kept(&plain, "'includes': {'minKernel': '6.1'}"));
	CHECK(!is_kept(&plain, "'includes': {'minKernel': '6.2'}"));
	CHECK(!is_kept(&plain, "'includes': {'minKernel': '10.0'}"));
	CHECK(!is_kept(&plain, "'excludes': {'minKernel': '5.19'}"));
	CHECK(is_kept(&plain, "'excludes': {'minKernel': '7.0'}"));
	CHECK(is_kept(&plain, "'includes': {'minKernel': ''}"));
}

/* ---- the 32-bit twin ---- */

static bool has_twin(const char *members)
{
	char text[512];
	struct policy policy;
	bool result;

	snprintf(text, sizeof(text), "{'defaultAction': 'SCMP_ACT_ALLOW' %s}", members);
	policy = read_for(&plain, text, &result);
	policy_free(&policy);
	return result;
}

static void test_twin(void)
{
	CHECK(!has_twin(""));
	CHECK(!has_twin(
		", 'architectures': ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X32', 'SCMP_ARCH_ARM']"));
	CHECK(has_twin(", 'architectures': ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'], 'archMap': []"));
	CHECK(has_twin(", 'archMap': [{'architecture': 'SCMP_ARCH_AARCH64'}, {'architecture': "
		       "'SCMP_ARCH_X86_64', 'subArchitectures': ['SCMP_ARCH_X86']}]"));
	CHECK(!has_twin(", 'archMap': [{'architecture': 'SCMP_ARCH_X86', "
			"'subArchitectures': ['SCMP_ARCH_X86']}]"));
}

/* On the twin only the low half of an argument counts, as the kernel takes it. */
static void test_twin_arguments(void)
{
	bool ignored;
	struct policy policy = read_for(
		&plain,
		"{'defaultAction': 'SCMP_ACT_ERRNO', 'architectures': ['SCMP_ARCH_X86'], "
		"'syscalls': "
		"[{'names': ['personality', 'clone3'], 'action': 'SCMP_ACT_ALLOW', 'args': "
		"[{'index': 0, 'value': 8, 'op': 'SCMP_CMP_EQ'}]}]}",
		&ignored);

	CHECK_INT(decide(&policy, AUDIT_ARCH_I386, "personality", 0x100000008, 0, 0),
		  SECCOMP_RET_ALLOW);
	CHECK_INT(decide(&policy, AUDIT_ARCH_I386, "personality", 9, 0, 0), ERRNO(EPERM));
	policy_free(&policy);
}

/* ---- what is wrong ---- */

static void check_wrong(const char *text, unsigned line, const char *place, const char *reason)
{
	struct policy policy = POLICY_EMPTY;
	struct policy_error err;
	char *document = json(text);
	bool ignored;

	if (oci_read(&policy, document, &plain, &ignored, &err) != -EINVAL)
		unit_fail(text, 0, "accepted");
	CHECK_STR_IN(text, err.token, place);
	CHECK_INT(err.line, line);
	CHECK(err.reason);
	if (reason)
		CHECK_STR_IN(text, err.reason, reason);
	policy_free(&policy);
	free(document);
}

/* A rule with these members is wrong at this place below it. */
static void check_wrong_rule(const char *members, const char *place, const char *reason)
{
	char text[1024], whole[100];

	snprintf(text, sizeof(text),
		 "{'defaultAction': 'SCMP_ACT_ALLOW', 'syscalls': [{'names': ['dup'], 'action': "
		 "'SCMP_ACT_TRAP'}, {%s}]}",
		 members);
	snprintf(whole, sizeof(whole), "syscalls[1]%s", place);
	check_wrong(text, 0, whole, reason);
}

static void test_wrong_json(void)
{
	check_wrong("", 1, "", "unexpected end of data");
	check_wrong("{", 1, "", "unexpected end of data");
	check_wrong("{'defaultAction':\n\n 'SCMP_ACT_ALLOW',\n oops}", 4, "", NULL);
	check_wrong("{'defaultAction': 'SCMP_ACT_ALLOW'} x", 1, "", NULL);
	check_wrong("{'defaultAction': 'SCMP_ACT_ALLOW',}", 1, "", NULL);
	check_wrong("// comment\n{}", 1, "", NULL);
	check_wrong("{'defaultAction': 'SCMP_ACT_ALLOW\xff'}", 1, "", NULL);
	check_wrong("null", 1, "", "not an object");
	check_wrong("[]", 0, "", "not an object");
	check_wrong("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", 1, "", NULL);
}

static void test_wrong_document(void)
{
	check_wrong("{}", 0, "defaultAction", "missing");
	check_wrong("{'defaultAction': 'ALLOW'}", 0, "defaultAction", "not an action");
	check_wrong("{'defaultAction': 7}", 0, "defaultAction", "not a string");
	check_wrong("{'defaultAction': 'SCMP_ACT_NOTIFY'}", 0, "defaultAction",
		    "needs a listener, which there is not");
	check_wrong("{'defaultaction': 'SCMP_ACT_ALLOW'}", 0, "defaultaction", "unknown key");
	check_wrong("{'defaultAction': 'SCMP_ACT_ERRNO', 'defaultErrnoRet': -1}", 0,
		    "defaultErrnoRet", "not a whole number, or too large");
	check_wrong("{'defaultAction': 'SCMP_ACT_ERRNO', 'defaultErrnoRet': 4096}", 0,
		    "defaultErrnoRet", "not a whole number, or too large");
	check_wrong("{'defaultAction': 'SCMP_ACT_ERRNO', 'defaultErrno': 'ENOTHING'}", 0,
		    "defaultErrno", "not the name of an errno");
	check_wrong("{'defaultAction': 'SCMP_ACT_ALLOW', 'listenerPath': '/x'}", 0, "listenerPath",
		    "unknown key");
	check_wrong("{'defaultAction': 'SCMP_ACT_ALLOW', 'flags': ['X']}", 0, "flags[0]",
		    "a flag that is not supported");
	check_wrong(
		"{'defaultAction': 'SCMP_ACT_ALLOW', 'architectures': ['SCMP_ARCH_X86', 'x86']}", 0,
		"architectures[1]", "not an architecture");
	check_wrong("{'defaultAction': 'SCMP_ACT_ALLOW', 'architectures': ['SCMP_ARCH_X86'], "
		    "'archMap': [{'architecture': 'SCMP_ARCH_X86'}]}",
		    0, "archMap", "given beside architectures");
	check_wrong("{'defaultAction': 'SCMP_ACT_ALLOW', 'archMap': [{}]}", 0,
		    "archMap[0].architecture", "missing");
	check_wrong(
		"{'defaultAction': 'SCMP_ACT_ALLOW', 'archMap': [{'architecture': 'a', 'x': 1}]}",
		0, "archMap[0].x", "unknown key");
	check_wrong("{'defaultAction': 'SCMP_ACT_ALLOW', 'syscalls': {}}", 0, "syscalls",
		    "not a list");
	check_wrong("{'defaultAction': 'SCMP_ACT_ALLOW', 'syscalls': [1]}", 0, "syscalls[0]",
		    "not an object");
}

static void test_wrong_rule(void)
{
	check_wrong_rule("'action': 'SCMP_ACT_TRAP'", ".names", "missing");
	check_wrong_rule("'names': [], 'action': 'SCMP_ACT_TRAP'", ".names", "missing");
	check_wrong_rule("'names': ['dup', 2], 'action': 'SCMP_ACT_TRAP'", ".names[1]",
			 "not a string");
	check_wrong_rule("'names': ['dup'], 'name': 'dup', 'action': 'SCMP_ACT_TRAP'", ".name",
			 "given beside names");
	check_wrong_rule("'names': ['dup']", ".action", "missing");
	check_wrong_rule("'names': ['dup'], 'action': 'SCMP_ACT_TRAP', 'arg': []", ".arg",
			 "unknown key");
	check_wrong_rule("'names': ['dup'], 'action': 'SCMP_ACT_TRAP', 'includes': {'cap': []}",
			 ".includes.cap", "unknown key");
	check_wrong_rule("'names': ['dup'], 'action': 'SCMP_ACT_TRAP', 'excludes': {'caps': [1]}",
			 ".excludes.caps[0]", "not a string");
	check_wrong_rule(
		"'names': ['dup'], 'action': 'SCMP_ACT_TRAP', 'includes': {'minKernel': '4'}",
		".includes.minKernel", "not a version as 4.8");
	check_wrong_rule("'names': ['dup'], 'action': 'SCMP_ACT_TRAP', 'includes': "
			 "{'minKernel': '4.8.1'}",
			 ".includes.minKernel", "not a version as 4.8");
}

static void test_wrong_arguments(void)
{
	static const char *const rule = "'names': ['dup'], 'action': 'SCMP_ACT_TRAP', 'args': [%s]";
	static const struct {
		const char *args, *place, *reason;
	} wrong[] = {
		{ "{'value': 1, 'op': 'SCMP_CMP_EQ'}", ".args[0].index", "missing" },
		{ "{'index': 6, 'op': 'SCMP_CMP_EQ'}", ".args[0].index", NULL },
		{ "{'index': -1, 'op': 'SCMP_CMP_EQ'}", ".args[0].index", NULL },
		{ "{'index': '1', 'op': 'SCMP_CMP_EQ'}", ".args[0].index", NULL },
		{ "{'index': 1, 'value': 1.5, 'op': 'SCMP_CMP_EQ'}", ".args[0].value", NULL },
		{ "{'index': 1, 'value': 1}", ".args[0].op", "missing" },
		{ "{'index': 1, 'op': 'SCMP_CMP_XX'}", ".args[0].op", "not an operator" },
		{ "{'index': 1, 'op': 'SCMP_CMP_EQ', 'mask': 1}", ".args[0].mask", "unknown key" },
		{ "{'index': 1, 'op': 'SCMP_CMP_EQ'}, 7", ".args[1]", "not an object" },
		{ "1, 2, 3, 4, 5, 6, 7", ".args", "more than six tests" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		char text[512];

		snprintf(text, sizeof(text), rule, wrong[i].args);
		check_wrong_rule(text, wrong[i].place, wrong[i].reason);
	}
}

int main(void)
{
	test_default_action();
	test_actions();
	test_lid();
	test_operators();
	test_several_arguments();
	test_overlap();
	test_same_as_default();
	test_capabilities();
	test_architecture_conditions();
	test_kernel_conditions();
	test_twin();
	test_twin_arguments();
	test_wrong_json();
	test_wrong_document();
	test_wrong_rule();
	test_wrong_arguments();
	return 0;
}
