/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Joining namespaces that exist: --userns, --netns and their like.
 */
#pragma once

#include "spec/plan.h"

struct joins {
	int fds[NS_COUNT]; /* of the namespaces to join, -1; those given by path are ours to close
			    */
};

/**
 * join_prepare - open what is given by path, and check that all are what they should be and ours to
 * join
 *
 * Nothing is changed; --userns2 is not looked at. Returns: 0, or -errno with @err filled.
 */
must_check int join_prepare(const struct plan *plan, const struct facts *facts, struct joins *joins,
			    struct cloche_error *err);

/** join_enter - enter them, and close what join_prepare() opened */
must_check int join_enter(const struct plan *plan, struct joins *joins, struct cloche_error *err);

/** join_child_pid - the pid of the process behind @pidfd as we number it, from fdinfo
 * (pidfd_open(2)); -ESRCH where it is gone. What made it in a joined pid namespace numbers it
 * otherwise. */
must_check pid_t join_child_pid(int pidfd);
