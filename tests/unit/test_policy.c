/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of lib/policy: the language, and programs that say the same as the form, for every
 * number of every architecture and arguments at the limits; and the same as libseccomp's own
 * generator, where that can express the policy.
 */
#include <linux/audit.h>
#include <seccomp.h>
#include <sys/mman.h>

#include "policy/policy.h"
#include "shipped-texts.h"
#include "unit.h"

static const struct policy_text shipped[] = {
	{ "groups", "group @two getpid getppid\n" },
	{ "base", "default errno EPERM\nallow execve read\nallow not_yet_invented\n" },
	{ "loop", "use loop" },
	{ NULL, NULL },
};

static struct policy parsed_with(const char *text, unsigned flags)
{
	const struct policy_context context = { .flags = flags, .shipped = shipped };
	struct policy policy = POLICY_EMPTY;
	struct policy_error err = { 0 };
	int r = policy_parse(&policy, text, &context, &err);

	if (r < 0)
		fprintf(stderr, "%s:%u: '%s': %s\n", err.file, err.line, err.token,
			err.reason ? err.reason : strerror(-r));
	CHECK_INT(r, 0);
	return policy;
}

static struct policy parsed(const char *text)
{
	return parsed_with(text, 0);
}

static struct policy_program emitted(const struct policy *policy, uint32_t arch, uint32_t twin)
{
	struct policy_program program = { 0 };

	CHECK_INT(policy_emit(policy, arch, twin, &program), 0);
	CHECK(program.native_count <= program.count);
	return program;
}

/* ---- what the language says ---- */

static uint32_t decided(const struct policy *policy, const char *name, uint64_t arg0)
{
	const uint64_t args[6] = { arg0 };

	return policy_decide(policy, AUDIT_ARCH_X86_64,
			     (uint32_t)policy_call_number(name, AUDIT_ARCH_X86_64), args);
}

#define EPERM_ (SECCOMP_RET_ERRNO | EPERM)

static void test_actions(void)
{
	struct policy policy =
		parsed("default errno EACCES # others\n"
		       "allow read\n\nkill write; trap close\n"
		       "log\topen\n"
		       "errno 4095 openat\n"
		       "errno ENOSYS\n\n # the statement goes on\n  mount\n\tumount2 471\n");

	CHECK_INT(decided(&policy, "getpid", 0), SECCOMP_RET_ERRNO | EACCES);
	CHECK_INT(decided(&policy, "read", 0), SECCOMP_RET_ALLOW);
	CHECK_INT(decided(&policy, "write", 0), SECCOMP_RET_KILL_PROCESS);
	CHECK_INT(decided(&policy, "close", 0), SECCOMP_RET_TRAP);
	CHECK_INT(decided(&policy, "open", 0), SECCOMP_RET_LOG);
	CHECK_INT(decided(&policy, "openat", 0), SECCOMP_RET_ERRNO | 4095);
	CHECK_INT(decided(&policy, "mount", 0), SECCOMP_RET_ERRNO | ENOSYS);
	CHECK_INT(decided(&policy, "umount2", 0), SECCOMP_RET_ERRNO | ENOSYS);
	CHECK_INT(decided(&policy, "471", 0), SECCOMP_RET_ERRNO | ENOSYS);
	policy_free(&policy);
}

static void test_last_rule_decides(void)
{
	struct policy policy =
		parsed("errno EPERM read\nallow read if arg0 == 1\nkill read if arg0 & 4 == 4\n");

	CHECK_INT(decided(&policy, "read", 0), EPERM_);
	CHECK_INT(decided(&policy, "read", 1), SECCOMP_RET_ALLOW);
	CHECK_INT(decided(&policy, "read", 5), SECCOMP_RET_KILL_PROCESS);
	policy_free(&policy);
}

static void test_tests(void)
{
	static const struct {
		const char *test;
		uint64_t yes, no;
	} cases[] = {
		{ "arg0 == 0x100000001", 0x100000001, 1 },
		{ "int0 == 1", 0x500000001, 2 },
		{ "int0 & 0x10|AF_INET == 2", 0x700000002, 0x12 },
		{ "arg0 != 010", 9, 8 },
		{ "arg0 < 0x100000000", 0xffffffff, 0x100000000 },
		{ "arg0 <= 0x100000000", 0x100000000, 0x100000001 },
		{ "arg0 > 0x1ffffffff", 0x200000000, 0x1ffffffff },
		{ "arg0 >= 0x200000001", 0x200000001, 0x200000000 },
		{ "arg0 > 3 and arg0 < 6", 5, 6 },
		{ "arg0 & 0xf00000000 != 0", 0x100000000, 0xffffffff },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[128];
		struct policy policy;

		snprintf(text, sizeof(text), "errno EPERM read if %s", cases[i].test);
		policy = parsed(text);
		CHECK_INT(decided(&policy, "read", cases[i].yes), EPERM_);
		CHECK_INT(decided(&policy, "read", cases[i].no), SECCOMP_RET_ALLOW);
		policy_free(&policy);
	}
}

static void test_groups_and_use(void)
{
	struct policy policy = parsed("use base\ngroup @mine @two read\nerrno ENOSYS @mine\n");

	CHECK_INT(policy.default_action, EPERM_);
	CHECK_INT(decided(&policy, "execve", 0), SECCOMP_RET_ALLOW);
	CHECK_INT(decided(&policy, "read", 0), SECCOMP_RET_ERRNO | ENOSYS);
	CHECK_INT(decided(&policy, "getppid", 0), SECCOMP_RET_ERRNO | ENOSYS);
	policy_free(&policy);
}

static void test_conditions(void)
{
	const char *text = "when allow-userns: allow mount\nunless allow-userns: errno EPERM mount";
	struct policy with = parsed_with(text, POLICY_USERNS), without = parsed(text);

	CHECK_INT(decided(&with, "mount", 0), SECCOMP_RET_ALLOW);
	CHECK_INT(decided(&without, "mount", 0), EPERM_);
	policy_free(&with);
	policy_free(&without);
}

static void test_lid(void)
{
	struct policy policy = parsed("lid 460 errno ENOSYS\nallow 462");

	CHECK_INT(decided(&policy, "460", 0), SECCOMP_RET_ALLOW);
	CHECK_INT(decided(&policy, "461", 0), SECCOMP_RET_ERRNO | ENOSYS);
	CHECK_INT(decided(&policy, "462", 0), SECCOMP_RET_ALLOW);
	CHECK_INT(decided(&policy, "463", 0), SECCOMP_RET_ERRNO | ENOSYS);
	/* 400 has no name on x86_64 */
	CHECK_INT(policy_decide(&policy, AUDIT_ARCH_X86_64, 400, (uint64_t[6]){ 0 }),
		  SECCOMP_RET_ERRNO | ENOSYS);
	policy_free(&policy);
}

/* The calls that i386 also has behind socketcall and ipc: found by their own numbers as well. */
static void test_direct_calls_of_i386(void)
{
	struct policy policy = parsed("errno EAFNOSUPPORT socket if int0 == 40\nerrno EPERM shmat");
	const uint64_t vsock[6] = { 40 }, inet[6] = { 2 };

	CHECK_INT(policy_call_number("socket", AUDIT_ARCH_I386), 359);
	CHECK_INT(policy_call_number("msgctl", AUDIT_ARCH_I386), 402);
	CHECK_INT(policy_call_number("accept", AUDIT_ARCH_I386), -1);
	CHECK_INT(policy_call_number("socket", AUDIT_ARCH_X86_64), 41);
	CHECK_INT(policy_decide(&policy, AUDIT_ARCH_I386, 359, vsock),
		  SECCOMP_RET_ERRNO | EAFNOSUPPORT);
	CHECK_INT(policy_decide(&policy, AUDIT_ARCH_I386, 359, inet), SECCOMP_RET_ALLOW);
	CHECK_INT(policy_decide(&policy, AUDIT_ARCH_I386, 397, inet), SECCOMP_RET_ERRNO | EPERM);
	policy_free(&policy);
}

static void test_errors(void)
{
	static const struct {
		const char *text;
		const char *file;
		unsigned line;
		const char *token;
		const char *reason; /* a part of it */
	} cases[] = {
		{ "allow read\nallow opnat", "", 2, "opnat", "no system call" },
		{ "allow read\n\n# x\nallow\n\nallow read", "", 4, "", "name of a system call" },
		{ "alow read", "", 1, "alow", "not an action" },
		{ "errno EFOO read", "", 1, "EFOO", "name of an error" },
		{ "errno", "", 1, "", "name of an error" },
		{ "errno 4096 read", "", 1, "4096", "name of an error" },
		{ "allow @nothing", "", 1, "@nothing", "no such group" },
		{ "group read", "", 1, "read", "@name" },
		{ "group @two read", "", 1, "@two", "already" },
		{ "use nothing", "", 1, "nothing", "no such policy" },
		{ "use base read", "", 1, "read", "end" },
		{ "allow read if arg6 == 0", "", 1, "arg6", "arg0 to arg5" },
		{ "allow read if arg0 = 0", "", 1, "=", "no meaning" },
		{ "allow read if arg0 0", "", 1, "0", "comparison" },
		{ "allow read if arg0 ==", "", 1, "", "number or a constant" },
		{ "allow read if arg0 == AF_FOO", "", 1, "AF_FOO", "known constant" },
		{ "allow read if arg0 == 08", "", 1, "08", "known constant" },
		{ "allow read if arg0 == 0x11111111111111111", "", 1, "0x11111111111111111",
		  "known" },
		{ "allow read if int0 == 0x100000000", "", 1, "0x100000000", "bits" },
		{ "allow read if arg0 & 3 == 4", "", 1, "4", "bits" },
		{ "allow read if arg0 == 1 arg1 == 1", "", 1, "arg1", "end" },
		{ "allow read if arg0 == 1\n and arg0 == 1 and\n arg0 == 1 and arg0 == 1\n and "
		  "arg0 == 1 and"
		  " arg0 == 1 and arg0 == 1",
		  "", 4, "arg0", "six" },
		{ "lid 1024 errno ENOSYS", "", 1, "1024", "number" },
		{ "lid 400", "", 1, "", "action" },
		{ "default allow read", "", 1, "read", "end" },
		{ "when full-moon: allow read", "", 1, "full-moon", "condition" },
		{ "when allow-userns allow read", "", 1, "allow", "colon" },
		{ "allow read $", "", 1, "$", "no meaning" },
		{ "allow 423", "", 1, "423", "no system call" },
		{ "use loop", "loop", 1, "loop", "deep" },
	};
	const struct policy_context context = { .shipped = shipped };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct policy policy = POLICY_EMPTY;
		struct policy_error err = { 0 };

		CHECK_INT(policy_parse(&policy, cases[i].text, &context, &err), -EINVAL);
		CHECK_STR_IN(cases[i].text, err.token, cases[i].token);
		CHECK_STR_IN(cases[i].text, err.file, cases[i].file);
		CHECK_INT(err.line, cases[i].line);
		if (!strstr(err.reason, cases[i].reason))
			CHECK_STR_IN(cases[i].text, err.reason, cases[i].reason);
		policy_free(&policy);
	}
}

/* ---- programs ---- */

#define MAX_VALUES 64

/* The values that rules of the call @number compare with, and their neighbours. */
static size_t interesting(const struct policy *policy, uint32_t arch, uint32_t number,
			  uint64_t values[MAX_VALUES])
{
	size_t count = 0;

	values[count++] = 0;
	values[count++] = UINT64_MAX;
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		for (size_t t = 0;
		     t < rule->test_count && policy_call_number(rule->name, arch) == (int)number;
		     t++) {
			uint64_t value = rule->tests[t].value, mask = rule->tests[t].mask;
			const uint64_t near[] = { value,	value + 1,
						  value - 1,	value | 1ull << 40,
						  value ^ mask, value & UINT32_MAX };

			for (size_t j = 0; j < ARRAY_SIZE(near) && count < MAX_VALUES; j++) {
				size_t k = 0;

				while (k < count && values[k] != near[j])
					k++;
				if (k == count)
					values[count++] = near[j];
			}
		}
	}
	return count;
}

static void compare_call(const struct policy *policy, const struct policy_program *program,
			 const struct seccomp_data *call)
{
	uint32_t is = policy_run(program->filter, program->count, call);
	uint32_t wanted =
		policy_decide(policy, call->arch, (uint32_t)call->nr, (const uint64_t *)call->args);

	if (is == wanted)
		return;
	fprintf(stderr, "arch %x number %d args %llx %llx %llx: %x, expected %x\n", call->arch,
		call->nr, (unsigned long long)call->args[0], (unsigned long long)call->args[1],
		(unsigned long long)call->args[2], is, wanted);
	_exit(1);
}

static const uint32_t odd_numbers[] = { 1024,	    0xfffff,	0x3fffffff, 0x40000000,
					0x40000001, 0x40000208, 0x7fffffff, 0x80000000,
					0xf0001,    0xf0005,	0xffffffff };

/* Every number, and where arguments matter each combination of values in two neighbours. */
static void compare_arch(const struct policy *policy, const struct policy_program *program,
			 uint32_t arch)
{
	for (uint32_t i = 0; i < 600 + ARRAY_SIZE(odd_numbers); i++) {
		uint32_t number = i < 600 ? i : odd_numbers[i - 600];
		struct seccomp_data call = { .nr = (int)number, .arch = arch };
		uint64_t values[MAX_VALUES];
		size_t count = interesting(policy, arch, number, values);
		size_t others = policy->rule_count > 100 ? 1 : count; /* else it takes minutes */

		compare_call(policy, program, &call);
		for (size_t v = 0; count > 2 && v < count * others; v++)
			for (unsigned arg = 0; arg < 6; arg++) {
				call = (struct seccomp_data){ .nr = (int)number, .arch = arch };
				call.args[arg] = values[v % count];
				call.args[(arg + 1) % 6] = values[v / count];
				compare_call(policy, program, &call);
			}
	}
	for (int name = 0; name < 2 && arch == AUDIT_ARCH_I386; name++)
		for (uint64_t sub = 0; sub < 32; sub++) {
			struct seccomp_data call = {
				.nr = policy_call_number(name ? "ipc" : "socketcall", arch),
				.arch = arch,
				.args = { sub | (sub & 1) << 17 },
			};

			compare_call(policy, program, &call);
		}
}

static void check_programs(const struct policy *policy)
{
	struct seccomp_data foreign = { .arch = AUDIT_ARCH_S390X };
	struct policy_program both = emitted(policy, AUDIT_ARCH_X86_64, AUDIT_ARCH_I386);
	struct policy_program native = { .filter = both.filter + both.count - both.native_count,
					 .count = both.native_count };

	compare_arch(policy, &both, AUDIT_ARCH_X86_64);
	compare_arch(policy, &both, AUDIT_ARCH_I386);
	compare_arch(policy, &native, AUDIT_ARCH_X86_64);
	CHECK_INT(policy_run(both.filter, both.count, &foreign), SECCOMP_RET_KILL_PROCESS);
	foreign.arch = AUDIT_ARCH_I386;
	CHECK_INT(policy_run(native.filter, native.count, &foreign), SECCOMP_RET_KILL_PROCESS);
	free(both.filter);
	both = emitted(policy, AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM);
	compare_arch(policy, &both, AUDIT_ARCH_AARCH64);
	compare_arch(policy, &both, AUDIT_ARCH_ARM);
	free(both.filter);
}

static void test_programs(void)
{
	static const char *const texts[] = {
		"",
		"default kill",
		"default errno EPERM\nallow read write execve",
		"lid 469 errno ENOSYS\nerrno EPERM mount @two\nkill 468 470 471",
		"default errno ENOSYS\nlid 300 kill\nallow cacheflush set_tls\nallow read if arg0 "
		"> 5",
		"errno EPERM ioctl if int1 == 0x5412\nerrno EPERM ioctl if int1 == 0x541c\n"
		"errno EINVAL ioctl if arg1 == 0x541d\nkill ioctl if int0 == 7 and int1 != 3",
		"errno EAFNOSUPPORT socket socketpair\nallow socket socketpair if int0 == AF_UNIX\n"
		"allow socket if int0 == AF_INET\nallow socket if int0 == AF_NETLINK and int2 == 0",
		"errno EPERM socket bind semget\nlog shmat",
		"errno EPERM socketcall if int0 == 1\nkill socket",
		"errno EPERM read if arg0 > 0x100000000 and arg0 <= 0x200000005 and arg1 & "
		"0xff00000000ff >= 0x10000000007",
		"trap read if arg0 < 0x500000005 and arg0 >= 0x3\nallow read if arg0 != 4",
		"errno EPERM read if arg5 & 0xf00000000 == 0\nlog write if arg0 & 0x100000001 == "
		"0x100000000",
		"errno EPERM read if arg0 == 1\nerrno EPERM read\nerrno EPERM read if arg0 == 2",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct policy policy = parsed(texts[i]);

		check_programs(&policy);
		policy_free(&policy);
	}
}

/* The shipped ones, as tools/gen-policy compiles them. */
static void test_shipped(void)
{
	for (const struct policy_text *text = shipped_texts; text->name; text++)
		for (unsigned flags = 0; flags <= POLICY_USERNS; flags += POLICY_USERNS) {
			const struct policy_context context = { .flags = flags | POLICY_IGNORES_NEW,
								.shipped = shipped_texts };
			struct policy policy = POLICY_EMPTY;
			struct policy_error err = { 0 };

			if (strcmp(text->name, "groups") == 0) /* read by each of the others */
				continue;
			CHECK_INT(policy_parse(&policy, text->text, &context, &err), 0);
			check_programs(&policy);
			policy_free(&policy);
		}
}

/* Blocks and returns further away than a conditional jump reaches. */
static void test_long_program(void)
{
	static char text[64 << 10];
	size_t length = 0;
	struct policy policy;

	for (uint32_t number = 0; number < 400; number += 2) {
		char name[POLICY_NAME_SIZE];

		if (policy_call_name(number, AUDIT_ARCH_X86_64, name))
			length += (size_t)snprintf(
				text + length, sizeof(text) - length,
				"errno %u %s\nkill %s if arg%u == 0x%x00000%03x\n", number + 1,
				name, name, number % 6, number, number);
	}
	policy = parsed(text);
	check_programs(&policy);
	policy_free(&policy);
}

static void test_too_long(void)
{
	static char text[256 << 10];
	size_t length = 0;
	struct policy policy;
	struct policy_program program;

	for (unsigned i = 0; i < 4000; i++)
		length += (size_t)snprintf(text + length, sizeof(text) - length,
					   "errno EPERM read if arg0 == 0x%x\n", i);
	policy = parsed(text);
	CHECK_INT(policy_emit(&policy, AUDIT_ARCH_X86_64, 0, &program), -E2BIG);
	policy_free(&policy);
}

/* ---- libseccomp as an oracle ---- */

static struct policy_program exported(scmp_filter_ctx context)
{
	struct policy_program program = { 0 };
	int fd = memfd_create("oracle", MFD_CLOEXEC);
	off_t size;

	CHECK_INT(seccomp_export_bpf(context, fd), 0);
	size = lseek(fd, 0, SEEK_END);
	program.filter = malloc((size_t)size);
	program.count = (size_t)size / sizeof(struct sock_filter);
	CHECK(pread(fd, program.filter, (size_t)size, 0) == size);
	close(fd);
	return program;
}

static void compare_programs(const struct policy_program *ours, const struct policy_program *theirs,
			     const struct seccomp_data *call)
{
	uint32_t is = policy_run(ours->filter, ours->count, call);
	uint32_t wanted = policy_run(theirs->filter, theirs->count, call);

	if (is == wanted)
		return;
	fprintf(stderr, "arch %x number %d args %llx %llx: %x, libseccomp says %x\n", call->arch,
		call->nr, (unsigned long long)call->args[0], (unsigned long long)call->args[1], is,
		wanted);
	_exit(1);
}

static void test_oracle(void)
{
	struct policy policy = parsed("errno EPERM mount ptrace personality @two\n"
				      "errno EACCES ioctl if arg1 & 0xffffffff == 0x5412\n"
				      "errno EACCES clone if arg0 & 0x10000000 == 0x10000000\n"
				      "kill kill if arg0 > 0x500000003\n"
				      "kill tkill if arg0 < 9 and arg1 >= 2\n"
				      "trap dup if arg0 != 4\n");
	scmp_filter_ctx context = seccomp_init(SCMP_ACT_ALLOW);
	const char *denied[] = { "mount", "ptrace", "personality", "getpid", "getppid" };
	struct policy_program ours = emitted(&policy, AUDIT_ARCH_X86_64, AUDIT_ARCH_I386), theirs;

	if (policy_native_arch() != AUDIT_ARCH_X86_64) {
		CHECK_INT(seccomp_arch_remove(context, SCMP_ARCH_NATIVE), 0);
		CHECK_INT(seccomp_arch_add(context, SCMP_ARCH_X86_64), 0);
	}
	CHECK_INT(seccomp_arch_add(context, SCMP_ARCH_X86), 0);
	for (size_t i = 0; i < ARRAY_SIZE(denied); i++)
		CHECK_INT(seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM),
					   seccomp_syscall_resolve_name(denied[i]), 0),
			  0);
	CHECK_INT(seccomp_rule_add(context, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(ioctl), 1,
				   SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffu, 0x5412u)),
		  0);
	CHECK_INT(seccomp_rule_add(context, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(clone), 1,
				   SCMP_A0(SCMP_CMP_MASKED_EQ, 0x10000000u, 0x10000000u)),
		  0);
	CHECK_INT(
		seccomp_rule_add(context, SCMP_ACT_TRAP, SCMP_SYS(dup), 1, SCMP_A0(SCMP_CMP_NE, 4)),
		0);
	CHECK_INT(seccomp_rule_add(context, SCMP_ACT_KILL_PROCESS, SCMP_SYS(kill), 1,
				   SCMP_A0(SCMP_CMP_GT, 0x500000003)),
		  0);
	CHECK_INT(seccomp_rule_add(context, SCMP_ACT_KILL_PROCESS, SCMP_SYS(tkill), 2,
				   SCMP_A0(SCMP_CMP_LT, 9), SCMP_A1(SCMP_CMP_GE, 2)),
		  0);
	theirs = exported(context);
	for (int number = 0; number < 600; number++)
		for (int twin = 0; twin < 2; twin++) {
			uint64_t values[MAX_VALUES];
			size_t count =
				interesting(&policy, twin ? AUDIT_ARCH_I386 : AUDIT_ARCH_X86_64,
					    (uint32_t)number, values);

			for (size_t v = 0; v < count * count; v++) {
				struct seccomp_data call = {
					.nr = number,
					.arch = twin ? AUDIT_ARCH_I386 : AUDIT_ARCH_X86_64,
					.args = { values[v % count], values[v / count] },
				};

				/* libseccomp compares with all of a 64-bit value there. */
				if (twin && number == policy_call_number("kill", call.arch))
					continue;
				compare_programs(&ours, &theirs, &call);
			}
		}
	free(ours.filter);
	free(theirs.filter);
	seccomp_release(context);
	policy_free(&policy);
}

/* Numbers as the kernel's tables have them; libseccomp hides some of them behind multiplexers. */
static void test_numbers(void)
{
	CHECK_INT(policy_call_number("socket", AUDIT_ARCH_I386), 359);
	CHECK_INT(policy_call_number("bind", AUDIT_ARCH_I386), 361);
	CHECK_INT(policy_call_number("accept", AUDIT_ARCH_I386), -1);
	CHECK_INT(policy_call_number("semget", AUDIT_ARCH_I386), 393);
	CHECK_INT(policy_call_number("socketcall", AUDIT_ARCH_I386), 102);
	CHECK_INT(policy_call_number("ipc", AUDIT_ARCH_I386), 117);
	CHECK_INT(policy_call_number("socket", AUDIT_ARCH_X86_64), 41);
	CHECK_INT(policy_call_number("socketcall", AUDIT_ARCH_X86_64), -1);
	CHECK_INT(policy_call_number("open_tree_attr", AUDIT_ARCH_I386), 467);
	CHECK_INT(policy_call_number("open_tree_attr", AUDIT_ARCH_AARCH64), 467);
	CHECK_INT(policy_call_number("uretprobe", AUDIT_ARCH_X86_64), 335);
	CHECK_INT(policy_call_number("uretprobe", AUDIT_ARCH_AARCH64), -1);
	CHECK_INT(policy_call_number("no_such_call", AUDIT_ARCH_X86_64), -1);
}

int main(void)
{
	test_numbers();
	test_actions();
	test_last_rule_decides();
	test_tests();
	test_groups_and_use();
	test_conditions();
	test_lid();
	test_direct_calls_of_i386();
	test_errors();
	test_programs();
	test_shipped();
	test_long_program();
	test_too_long();
	test_oracle();
	return 0;
}
