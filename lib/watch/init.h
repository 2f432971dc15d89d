/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The init process: pid 1 of the sandbox, between the supervisor and COMMAND.
 */
#pragma once

#include "enter/enter.h"

/* Signals that the supervisor passes to the init process, and that to COMMAND. */
#define FORWARDED_SIGNALS SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGTERM, SIGCONT, SIGWINCH

/** init_main - start COMMAND, reap until the end, and end with its status; never returns */
_Noreturn void init_main(struct enter *enter);
