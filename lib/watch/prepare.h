/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the supervisor prepares before clone: all memory the child will need, and the seccomp
 * programs.
 */
#pragma once

#include "enter/enter.h"

/** prepare_enter - fill @enter (plan, facts and title are set); 0 or -errno with @err filled */
must_check int prepare_enter(struct enter *enter, struct cloche_error *err);

/** prepare_late - change the copy of an @enter that was prepared (plan, facts and title are set)
 * for another COMMAND in the same sandbox; nothing that it held open is open. 0 or -errno with @err
 * filled */
must_check int prepare_late(struct enter *enter, struct cloche_error *err);

/** prepare_free - release what prepare_enter() allocated */
void prepare_free(struct enter *enter);
