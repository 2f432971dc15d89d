/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The init process: pid 1 of the sandbox, between the supervisor and COMMAND.
 */
#pragma once

#include <signal.h>

#include "enter/enter.h"

/* What the supervisor sends the init process, and nobody passes on: COMMAND has the terminal now.
 */
#define INIT_SIGNAL_FOREGROUND SIGTTIN

/* ... and: kill all that is left and end, where no pid namespace does it. The kernel sends it when
 * the supervisor has died. */
#define INIT_SIGNAL_END SIGPWR

/** init_main - start COMMAND, reap until the end, and end with its status; never returns */
_Noreturn void init_main(struct enter *enter);
