/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * cloche logs: what a sandbox in the background has printed.
 */
#pragma once

#include <stdbool.h>

/** logs_show - print the log of @name, and go on with it until its sandbox ends if @follows.
 * Returns: an exit status, after its complaint */
int logs_show(int registry_fd, const char *name, bool follows);
