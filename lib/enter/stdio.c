/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * --stdin, --stdout, --stderr, and COMMAND's own terminal: in the process that becomes COMMAND
 * only, so that messages, the supervisor's included, go where they always went.
 */
#include "enter/enter.h"

int stdio_enter(const struct enter *enter, struct cloche_error *err)
{
	for (int i = 0; i < 3; i++) {
		bool is_pty = enter->plan->pty_fds >> i & 1;
		int fd = is_pty ? enter->terminal.slave_fd : enter->stdio_fds[i];

		if (fd >= 0 && dup2(fd, i) < 0)
			return error_set(err, ERROR_STDIO, errno,
					 enter->plan->spec->io.stdio[i].text);
	}
	return 0;
}
