/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Why a start was refused: looks at the host's knobs after the fact and adds the hint.
 */
#pragma once

#include "spec/plan.h"

/** diagnose - add a hint to @err where none is there and a known knob explains it; only reads */
void diagnose(const struct plan *plan, struct cloche_error *err);

/** diagnose_kernel - is the running kernel one that we work on, 5.12 or newer? */
bool diagnose_kernel(void);

/** diagnose_outer_filter - are we under somebody's seccomp program, as in a container? */
bool diagnose_outer_filter(void);
