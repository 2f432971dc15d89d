/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* landlocked: runs a program under a Landlock rule on paths (here: no new block devices), as some
 * sandboxes do.
 *
 *   landlocked PROGRAM [ARG...]
 *
 * Such rules, whatever they are, forbid every mount. Exit status 77 where the kernel has no
 * Landlock.
 */
#define _GNU_SOURCE
#include <linux/landlock.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = LANDLOCK_ACCESS_FS_MAKE_BLOCK };
	int fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);

	if (argc < 2 || fd < 0)
		return 77;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_landlock_restrict_self, fd, 0))
		return 77;
	execvp(argv[1], argv + 1);
	perror(argv[1]);
	return 127;
}
