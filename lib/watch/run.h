/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The outside: the supervisor that makes the child, follows it and tells how it ended.
 */
#pragma once

#include "enter/enter.h"

/**
 * run_plan - carry out the plan
 * @title: may be empty
 * @ret_status: COMMAND's exit status, 0 to 255, or 128 plus the signal that ended it
 *
 * Context: a single-threaded program, which stays behind as supervisor. Closes descriptors it does
 * not need, and sets SIGCHLD to its default. Returns: 0, or -errno with @err filled where COMMAND
 * did not start.
 */
must_check int run_plan(const struct plan *plan, const struct facts *facts,
			struct enter_title title, int *ret_status, struct cloche_error *err);
