/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Names that policies may use instead of numbers, with the values of this machine's headers.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kd.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <linux/tiocl.h>
#include <linux/vt.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/socket.h>

#include "base/num.h"
#include "policy/policy.h"

#ifndef __O_TMPFILE
#define __O_TMPFILE 020000000
#endif

static const struct {
	const char *name;
	uint64_t value;
} constants[] = {
#define C(name)                                                                                    \
	{                                                                                          \
#name, (uint64_t)(name)                                                            \
	}
	C(AF_UNSPEC),
	C(AF_UNIX),
	C(AF_INET),
	C(AF_INET6),
	C(AF_NETLINK),
	C(AF_PACKET),
	C(AF_BLUETOOTH),
	C(AF_CAN),
	C(AF_ALG),
	C(AF_VSOCK),
	C(AF_XDP),
	C(NETLINK_ROUTE),
	C(NETLINK_KOBJECT_UEVENT),
	C(NETLINK_AUDIT),
	C(NETLINK_GENERIC),
	C(SOCK_STREAM),
	C(SOCK_DGRAM),
	C(SOCK_RAW),
	C(IPPROTO_TCP),
	C(MSG_FASTOPEN),
	C(PROT_EXEC),
	C(CLONE_NEWNS),
	C(CLONE_NEWCGROUP),
	C(CLONE_NEWUTS),
	C(CLONE_NEWIPC),
	C(CLONE_NEWUSER),
	C(CLONE_NEWPID),
	C(CLONE_NEWNET),
	C(CLONE_NEWTIME),
	C(TIOCGPGRP),
	C(TIOCSPGRP),
	C(TIOCSTI),
	C(TIOCLINUX),
	C(TIOCSETD),
	C(TIOCSCTTY),
	C(KDSKBENT),
	C(KDSKBSENT),
	C(KDMKTONE),
	C(VT_ACTIVATE),
	C(PER_LINUX),
	C(PER_LINUX32),
	C(UNAME26),
	C(ADDR_NO_RANDOMIZE),
	C(READ_IMPLIES_EXEC),
	C(O_CREAT),
	C(O_WRONLY),
	C(O_RDWR),
	{ "O_TMPFILE", __O_TMPFILE }, /* without O_DIRECTORY, which it is told by */
#undef C
};

int policy_constant(const char *name, uint64_t *ret_value)
{
	for (size_t i = 0; i < ARRAY_SIZE(constants); i++)
		if (strcmp(constants[i].name, name) == 0) {
			*ret_value = constants[i].value;
			return 0;
		}
	return -EINVAL;
}

#define MAX_ERRNO 4095 /* the kernel's own limit of SECCOMP_RET_ERRNO */
#define MAX_NAMED_ERRNO 200

int policy_errno(const char *name, uint32_t *ret_number)
{
	uint64_t number;

	if (num_parse(name, MAX_ERRNO, &number) == 0 && number > 0) {
		*ret_number = (uint32_t)number;
		return 0;
	}
	for (int i = 1; i < MAX_NAMED_ERRNO; i++) {
		const char *known = strerrorname_np(i);

		if (known && strcmp(known, name) == 0) {
			*ret_number = (uint32_t)i;
			return 0;
		}
	}
	return -EINVAL;
}
