/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Keeping the sandbox's namespaces as files: --pin.
 */
#pragma once

#include "spec/plan.h"

enum pin_fd {
	PIN_DIR,   /* the directory */
	PIN_MOUNT, /* the file system that will be mounted there */
	PIN_FIRST_NS,
	PIN_FD_COUNT = PIN_FIRST_NS + NS_COUNT
};

struct pin {
	int fds[PIN_FD_COUNT]; /* -1: not open */
};

/** pin_prepare - open the directory and make the file system; nothing is mounted yet */
must_check int pin_prepare(const struct plan *plan, struct pin *pin, struct cloche_error *err);

/** pin_hold - take hold of the new namespaces of the child @pid, which must be sure to live */
must_check int pin_hold(const struct plan *plan, struct pin *pin, pid_t pid,
			struct cloche_error *err);

/** pin_make - mount it all; on failure nothing of it is left */
must_check int pin_make(const struct plan *plan, struct pin *pin, struct cloche_error *err);
