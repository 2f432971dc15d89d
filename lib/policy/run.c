/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A small interpreter of seccomp programs, for asking a program what it would say. Only what emit.c
 * makes use of; anything else counts as killing, as a program does that runs off its end.
 */
#include <string.h>

#include "policy/policy.h"

uint32_t policy_run(const struct sock_filter *filter, size_t count, const struct seccomp_data *call)
{
	uint32_t a = 0;

	for (size_t pc = 0; pc < count; pc++) {
		const struct sock_filter *i = &filter[pc];
		bool is_true = false;

		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (i->k > sizeof(*call) - sizeof(a))
				return SECCOMP_RET_KILL_PROCESS;
			memcpy(&a, (const char *)call + i->k, sizeof(a));
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			continue;
		case BPF_RET | BPF_K:
			return i->k;
		case BPF_JMP | BPF_JA:
			pc += i->k;
			continue;
		case BPF_JMP | BPF_JEQ | BPF_K:
			is_true = a == i->k;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			is_true = a > i->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			is_true = a >= i->k;
			break;
		default:
			return SECCOMP_RET_KILL_PROCESS;
		}
		pc += is_true ? i->jt : i->jf;
	}
	return SECCOMP_RET_KILL_PROCESS;
}
