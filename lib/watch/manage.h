/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The commands that deal with sandboxes that run: cloche ps, kill, wait.
 */
#pragma once

/**
 * manage_main - carry out the command that argv[1] names, if it names one
 *
 * Prints, as a program does. Returns: its exit status, -1 where argv[1] is no such command.
 */
int manage_main(char **argv);
