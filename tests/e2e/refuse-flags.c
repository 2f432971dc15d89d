/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* refuse-flags: runs a program as if the kernel refused to change the flags of mounts below others.
 *
 *   refuse-flags PROGRAM [ARG...]
 *
 * mount_setattr(2) fails with EPERM where it is asked for a whole tree (AT_RECURSIVE) and where it
 * names the mount by path (without AT_EMPTY_PATH); on a single mount by descriptor it works. Link
 * with -lseccomp.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#define SYS_MOUNT_SETATTR 442

static int refuse(scmp_filter_ctx filter, unsigned mask, unsigned value)
{
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SYS_MOUNT_SETATTR, 1,
				SCMP_A2(SCMP_CMP_MASKED_EQ, mask, value));
}

int main(int argc, char **argv)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	if (argc < 2 || !filter || refuse(filter, AT_RECURSIVE, AT_RECURSIVE) ||
	    refuse(filter, AT_EMPTY_PATH, 0) || seccomp_load(filter)) {
		fprintf(stderr, "refuse-flags: cannot set the filter\n");
		return 125;
	}
	execvp(argv[1], argv + 1);
	fprintf(stderr, "refuse-flags: %s: %s\n", argv[1], strerror(errno));
	return 127;
}
