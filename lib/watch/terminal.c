/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The caller's terminal. It is shared with whoever started us: nothing is set while another process
 * group has it, and a state that is not ours to keep is given back. Its open file description is
 * shared, too, so that O_NONBLOCK is never set on it here, and taken off at the end where COMMAND
 * set it.
 */
#include "watch/terminal.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>

void terminal_save(struct terminal *terminal, const struct facts *facts)
{
	terminal->fd = -1;
	for (int i = 0; i < 3; i++) {
		terminal->flags[i] = facts->is_tty[i] ? fcntl(i, F_GETFL) : -1;
		if (terminal->fd < 0 && facts->is_tty[i] && tcgetattr(i, &terminal->saved) == 0)
			terminal->fd = i;
	}
}

bool terminal_is_ours(const struct terminal *terminal)
{
	pid_t group = terminal->fd < 0 ? -1 : tcgetpgrp(terminal->fd);

	return group < 0 || group == getpgrp();
}

/* Even where another process group takes it at this moment, this must not stop us. */
static void set_modes(int fd, const struct termios *modes)
{
	sigset_t stop, old;

	sigemptyset(&stop);
	sigaddset(&stop, SIGTTOU);
	(void)sigprocmask(SIG_BLOCK, &stop, &old);
	(void)tcsetattr(fd, TCSANOW, modes);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
}

static bool is_same(const struct termios *one, const struct termios *other)
{
	return one->c_iflag == other->c_iflag && one->c_oflag == other->c_oflag &&
	       one->c_cflag == other->c_cflag && one->c_lflag == other->c_lflag &&
	       memcmp(one->c_cc, other->c_cc, sizeof(one->c_cc)) == 0;
}

void terminal_make_raw(struct terminal *terminal)
{
	struct termios now;

	if (terminal->fd < 0 || tcgetattr(terminal->fd, &now) < 0)
		return;
	if (!terminal->is_raw || !is_same(&now, &terminal->raw))
		terminal->saved = now;
	terminal->raw = terminal->saved;
	cfmakeraw(&terminal->raw);
	if (terminal->keeps_output)
		terminal->raw.c_oflag = terminal->saved.c_oflag;
	set_modes(terminal->fd, &terminal->raw);
	terminal->is_raw = true;
}

void terminal_restore(struct terminal *terminal)
{
	struct termios now;

	for (int i = 0; i < 3; i++)
		if (terminal->flags[i] >= 0 && fcntl(i, F_GETFL) != terminal->flags[i])
			(void)fcntl(i, F_SETFL, terminal->flags[i]);
	if (terminal->fd >= 0 && (terminal->is_raw || terminal->is_shared) &&
	    terminal_is_ours(terminal) && tcgetattr(terminal->fd, &now) == 0 &&
	    !is_same(&now, &terminal->saved))
		set_modes(terminal->fd, &terminal->saved);
	terminal->is_raw = false;
}
