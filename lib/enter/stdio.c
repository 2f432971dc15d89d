/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * --stdin, --stdout, --stderr, and COMMAND's own terminal: in the process that becomes COMMAND
 * only, so that messages, the supervisor's included, go where they always went.
 */
#include "enter/enter.h"

int stdio_enter(const struct enter *enter, struct cloche_error *err)
{
	int r = terminal_replace_stdio(enter);

	if (r < 0)
		return error_set(err, ERROR_PTY, -r, NULL);
	for (int i = 0; i < 3; i++)
		if (enter->stdio_fds[i] >= 0 && dup2(enter->stdio_fds[i], i) < 0)
			return error_set(err, ERROR_STDIO, errno,
					 enter->plan->spec->io.stdio[i].text);
	return 0;
}
