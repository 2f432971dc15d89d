/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The seccomp program of the plan's policy: one of the ready ones, which were compiled at build
 * time, or one that the helper program cloche-policy makes. Supervisor only.
 */
#pragma once

#include "enter/enter.h"

/** policy_prepare - fill enter->policy, enter->guards and enter->init_policy; prepare_free()
 * releases them */
must_check int policy_prepare(struct enter *enter, struct cloche_error *err);

/** policy_dump - print the program of the plan's policy on standard output */
must_check int policy_dump(const struct plan *plan, const struct facts *facts,
			   struct cloche_error *err);
