/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The init process: pid 1 of the sandbox, between the supervisor and COMMAND.
 */
#pragma once

#include <signal.h>

#include "enter/enter.h"

/** init_add_forwarded - add to @set the signals that the supervisor passes to the init process, and
 * that to COMMAND; all else would be the sandbox's own doing */
void init_add_forwarded(sigset_t *set);

/** init_main - start COMMAND, reap until the end, and end with its status; never returns */
_Noreturn void init_main(struct enter *enter);
