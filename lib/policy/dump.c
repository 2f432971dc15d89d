/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A seccomp program as text. Instructions that emit.c does not make are shown by their numbers.
 */
#include "policy/dump.h"

#include <linux/audit.h>
#include <string.h>

#include "policy/policy.h"

/* What the accumulator holds, as far as that helps the reader. */
struct state {
	uint32_t arch; /* of the part that is printed */
	bool has_number, has_arch;
};

static const char *arch_name(uint32_t arch)
{
	switch (arch) {
	case AUDIT_ARCH_X86_64:
		return "x86_64";
	case AUDIT_ARCH_I386:
		return "i386";
	case AUDIT_ARCH_AARCH64:
		return "aarch64";
	case AUDIT_ARCH_ARM:
		return "arm";
	case AUDIT_ARCH_RISCV64:
		return "riscv64";
	default:
		return NULL;
	}
}

static void put_action(uint32_t action, FILE *out)
{
	uint32_t data = action & SECCOMP_RET_DATA;
	const char *name = strerrorname_np((int)data);

	switch (action & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
		fputs("allow", out);
		break;
	case SECCOMP_RET_ERRNO:
		fputs("errno ", out);
		if (name)
			fputs(name, out);
		else
			fprintf(out, "%u", data);
		break;
	case SECCOMP_RET_KILL_PROCESS:
		fputs("kill", out);
		break;
	case SECCOMP_RET_LOG:
		fputs("log", out);
		break;
	case SECCOMP_RET_TRAP:
		fputs("trap", out);
		break;
	default:
		fprintf(out, "return 0x%x", action);
	}
}

static void put_load(uint32_t offset, struct state *state, FILE *out)
{
	unsigned word = (offset - (unsigned)offsetof(struct seccomp_data, args)) / 4;
	bool is_high = word % 2 == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

	state->has_number = offset == offsetof(struct seccomp_data, nr);
	state->has_arch = offset == offsetof(struct seccomp_data, arch);
	if (state->has_number)
		fputs("load number", out);
	else if (state->has_arch)
		fputs("load architecture", out);
	else
		fprintf(out, "load arg%u %s half", word / 2, is_high ? "high" : "low");
}

static void put_value(uint32_t value, struct state *state, FILE *out)
{
	char name[POLICY_NAME_SIZE];

	if (state->has_arch && arch_name(value)) {
		state->arch = value;
		fputs(arch_name(value), out);
	} else if (state->has_number && policy_call_name(value, state->arch, name)) {
		fprintf(out, "%u (%s)", value, name);
	} else {
		fprintf(out, state->has_number ? "%u" : "0x%x", value);
	}
}

static void put_jump(const struct sock_filter *i, size_t index, struct state *state, FILE *out)
{
	const char *op = BPF_OP(i->code) == BPF_JEQ   ? "=="
			 : BPF_OP(i->code) == BPF_JGT ? ">"
						      : ">=";

	fprintf(out, "if %s ", op);
	put_value(i->k, state, out);
	fprintf(out, " goto %zu else %zu", index + 1 + i->jt, index + 1 + i->jf);
}

static void put_instruction(const struct sock_filter *i, size_t index, struct state *state,
			    FILE *out)
{
	fprintf(out, "%4zu  ", index);
	switch (i->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		put_load(i->k, state, out);
		break;
	case BPF_ALU | BPF_AND | BPF_K:
		fprintf(out, "and 0x%x", i->k);
		break;
	case BPF_RET | BPF_K:
		put_action(i->k, out);
		break;
	case BPF_JMP | BPF_JA:
		fprintf(out, "goto %zu", index + 1 + i->k);
		break;
	case BPF_JMP | BPF_JEQ | BPF_K:
	case BPF_JMP | BPF_JGT | BPF_K:
	case BPF_JMP | BPF_JGE | BPF_K:
		put_jump(i, index, state, out);
		break;
	default:
		fprintf(out, "instruction 0x%04x %u %u 0x%x", i->code, i->jt, i->jf, i->k);
	}
	fputc('\n', out);
}

int dump_program(const struct sock_filter *filter, size_t count, FILE *out)
{
	struct state state = { .arch = policy_native_arch() };

	for (size_t i = 0; i < count; i++)
		put_instruction(&filter[i], i, &state, out);
	return fflush(out) == 0 ? 0 : -EIO;
}
