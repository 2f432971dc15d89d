/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Names and numbers of system calls, from libseccomp. What it is too old to know stands in a table
 * here: since Linux 5.1 a new call has the same number on every architecture we support (number 424
 * was the first, pidfd_send_signal).
 */
#include <linux/audit.h>
#include <seccomp.h>
#include <string.h>

#include "base/num.h"
#include "base/str.h"
#include "policy/policy.h"

#define LAST_NUMBER 1023

static const struct {
	const char *name;
	uint32_t number;
	uint32_t arch; /* 0: all */
} newer[] = {
	{ "uretprobe", 335, AUDIT_ARCH_X86_64 }, /* 6.11 */
	{ "uprobe", 336, AUDIT_ARCH_X86_64 },	 /* 6.18 */
	{ "memfd_secret", 447, 0 },		 /* 5.14 */
	{ "process_mrelease", 448, 0 },		 /* 5.15 */
	{ "futex_waitv", 449, 0 },		 /* 5.16 */
	{ "set_mempolicy_home_node", 450, 0 },	 /* 5.17 */
	{ "cachestat", 451, 0 },		 /* 6.5 */
	{ "fchmodat2", 452, 0 },		 /* 6.6 */
	{ "map_shadow_stack", 453, 0 },		 /* 6.6 */
	{ "futex_wake", 454, 0 },		 /* 6.7 */
	{ "futex_wait", 455, 0 },
	{ "futex_requeue", 456, 0 },
	{ "statmount", 457, 0 }, /* 6.8 */
	{ "listmount", 458, 0 },
	{ "lsm_get_self_attr", 459, 0 },
	{ "lsm_set_self_attr", 460, 0 },
	{ "lsm_list_modules", 461, 0 },
	{ "mseal", 462, 0 },	  /* 6.10 */
	{ "setxattrat", 463, 0 }, /* 6.13 */
	{ "getxattrat", 464, 0 },
	{ "listxattrat", 465, 0 },
	{ "removexattrat", 466, 0 },
	{ "open_tree_attr", 467, 0 }, /* 6.15 */
	{ "file_getattr", 468, 0 },   /* 6.17 */
	{ "file_setattr", 469, 0 },
};

/* On other machines the order of arguments (s390: clone) or the numbers (mips) differ, or there are
 * multiplexers (ppc64). */
static const struct {
	const char *name; /* meson's cpu_family() */
	uint32_t arch, twin;
} architectures[] = {
	{ "x86_64", AUDIT_ARCH_X86_64, AUDIT_ARCH_I386 },
	{ "aarch64", AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM },
	{ "riscv64", AUDIT_ARCH_RISCV64, 0 },
	{ "x86", AUDIT_ARCH_I386, 0 },
	{ "arm", AUDIT_ARCH_ARM, 0 },
};

uint32_t policy_native_arch(void)
{
	return seccomp_arch_native();
}

uint32_t policy_arch_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(architectures); i++)
		if (strcmp(architectures[i].name, name) == 0)
			return architectures[i].arch;
	return 0;
}

uint32_t policy_arch_twin(uint32_t arch)
{
	for (size_t i = 0; i < ARRAY_SIZE(architectures); i++)
		if (architectures[i].arch == arch)
			return architectures[i].twin;
	return 0;
}

bool policy_arch_is_32bit(uint32_t arch)
{
	return !(arch & __AUDIT_ARCH_64BIT);
}

/*
 * i386 has these behind socketcall and ipc, and since Linux 4.3 and 5.1 with numbers of their own,
 * the same calls. libseccomp knows the numbers but gives them for no name.
 */
static const struct {
	const char *name;
	int number;
} direct_i386[] = {
	{ "recvmmsg", 337 },   { "sendmmsg", 345 },    { "socket", 359 },
	{ "socketpair", 360 }, { "bind", 361 },	       { "connect", 362 },
	{ "listen", 363 },     { "accept4", 364 },     { "getsockopt", 365 },
	{ "setsockopt", 366 }, { "getsockname", 367 }, { "getpeername", 368 },
	{ "sendto", 369 },     { "sendmsg", 370 },     { "recvfrom", 371 },
	{ "recvmsg", 372 },    { "shutdown", 373 },    { "semget", 393 },
	{ "semctl", 394 },     { "shmget", 395 },      { "shmctl", 396 },
	{ "shmat", 397 },      { "shmdt", 398 },       { "msgget", 399 },
	{ "msgsnd", 400 },     { "msgrcv", 401 },      { "msgctl", 402 },
};

static int direct_number(const char *name, uint32_t arch)
{
	for (size_t i = 0; i < ARRAY_SIZE(direct_i386); i++)
		if (arch == AUDIT_ARCH_I386 && strcmp(direct_i386[i].name, name) == 0)
			return direct_i386[i].number;
	return -1;
}

static bool parse_number(const char *name, int *ret_number)
{
	uint64_t number;

	if (num_parse(name, LAST_NUMBER, &number) < 0 || number < POLICY_FIRST_COMMON)
		return false;
	*ret_number = (int)number;
	return true;
}

int policy_call_number(const char *name, uint32_t arch)
{
	int number;

	if (parse_number(name, &number))
		return number;
	number = seccomp_syscall_resolve_name_arch(arch, name);
	if (number >= 0)
		return number;
	if (number != __NR_SCMP_ERROR) /* known, but not here, or behind another */
		return direct_number(name, arch);
	for (size_t i = 0; i < ARRAY_SIZE(newer); i++)
		if (strcmp(newer[i].name, name) == 0 && (!newer[i].arch || newer[i].arch == arch))
			return (int)newer[i].number;
	return -1;
}

bool policy_call_exists(const char *name)
{
	int number;

	if (parse_number(name, &number) || seccomp_syscall_resolve_name(name) != __NR_SCMP_ERROR)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(newer); i++)
		if (strcmp(newer[i].name, name) == 0)
			return true;
	return false;
}

bool policy_call_name(uint32_t number, uint32_t arch, char buf[POLICY_NAME_SIZE])
{
	char *name = seccomp_syscall_resolve_num_arch(arch, (int)number);

	if (name) {
		str_copy(buf, POLICY_NAME_SIZE, name);
		free(name);
		return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(newer); i++)
		if (newer[i].number == number &&
		    policy_call_number(newer[i].name, arch) == (int)number) {
			str_copy(buf, POLICY_NAME_SIZE, newer[i].name);
			return true;
		}
	return false;
}
