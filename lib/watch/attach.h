/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * cloche exec, the side of who asks.
 */
#pragma once

/**
 * attach_main - start the command of @words, options before it, in the sandbox @word, and follow it
 *
 * Prints what fails. Returns: its exit status, as run_plan() has it.
 */
int attach_main(int registry_fd, const char *word, char **words);
