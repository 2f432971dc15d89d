/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Binds added to a sandbox that runs, and taken away.
 */
#pragma once

#include "watch/control.h"

struct run;

/** bind_errand - in a fork of the supervisor: carry out CONTROL_BIND or CONTROL_UNBIND, answer, end
 */
_Noreturn void bind_errand(struct run *run, struct control_request *request);
