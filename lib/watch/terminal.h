/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The caller's terminal: whether it is ours at the moment, raw while COMMAND's own one is relayed
 * to it, and as it was at the end.
 */
#pragma once

#include <stdbool.h>
#include <termios.h>

#include "spec/facts.h"

struct terminal {
	int fd; /* borrowed, -1: there is none */
	struct termios saved, raw;
	bool is_raw;
	bool is_shared;	   /* COMMAND has it, and may leave it in any state */
	bool keeps_output; /* raw for what is typed only: others write to it, too */
	int flags[3]; /* file status flags of the standard descriptors that are terminals; -1 */
};

/** terminal_save - note the state of the terminals on @facts's standard descriptors; the first is
 * the one that is kept */
void terminal_save(struct terminal *terminal, const struct facts *facts);

/** terminal_is_ours - are we in its foreground? True as well where it does not control us, or there
 * is none. */
bool terminal_is_ours(const struct terminal *terminal);

/** terminal_make_raw - pass on everything typed as it is; the state before that is saved, unless it
 * is ours */
void terminal_make_raw(struct terminal *terminal);

/** terminal_restore - set what was saved, where COMMAND or we have changed it and the terminal is
 * ours; what another part of a pipeline has set, a pager, stays */
void terminal_restore(struct terminal *terminal);
