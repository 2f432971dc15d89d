/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Signals by name.
 */
#pragma once

#include <stdbool.h>

#include "base/util.h"

/** signals_parse - a signal's number, or its name with or without SIG, as kill(1) takes it; 0, or
 * -EINVAL */
must_check int signals_parse(const char *text, int *ret_number);

/** signals_is_taken - is it one that COMMAND cannot be sent: nobody can catch it, or the init
 * process understands it otherwise (watch/init.h)? SIGKILL can be. */
bool signals_is_taken(int number);
