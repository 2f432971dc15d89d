/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Signals by name.
 */
#pragma once

#include "base/util.h"

/** signals_parse - a signal's number, or its name with or without SIG, as kill(1) takes it; 0, or
 * -EINVAL */
must_check int signals_parse(const char *text, int *ret_number);
