/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a sandbox gets without asking: the root directory of our own name, and the environment.
 */
#pragma once

#include "spec/plan.h"

/** defaults_provide_root - will defaults_root() put anything there? */
bool defaults_provide_root(const struct spec *spec);

/**
 * defaults_root - put the operations of the provided root directory in front of plan->ops
 *
 * Nothing where the personality provides none, with --bare, or where an option mounts something on
 * / or /usr. Returns: 0 or -errno with @err filled.
 */
must_check int defaults_root(struct plan *plan, const struct facts *facts,
			     struct cloche_error *err);

/** defaults_environment - fill plan->environment and plan->home; 0 or -errno with @err filled */
must_check int defaults_environment(struct plan *plan, const struct facts *facts,
				    struct cloche_error *err);
