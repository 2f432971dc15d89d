/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Self-confinement of cloche-net's processes, in two steps: leaving the host's files, and, when
 * all is open that is needed, giving up the rest.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/util.h"

enum jail_kind {
	JAIL_BROKER,
	JAIL_ENGINE,
	JAIL_FACTORY,
	JAIL_SLIRP,
	JAIL_SLIRP_TCP
};

/** jail_begin - called @name in ps(1), not dumpable, dies with its parent, no core, all descriptors
 * it may have; 0 or -errno */
must_check int jail_begin(const char *name);

/**
 * jail_leave_host - an empty read-only root directory of our own
 * @new_userns: in a user namespace of our own; false where we joined the sandbox's
 *
 * Real root, where there can be no user namespaces, does without. Returns: 0 or -errno.
 */
must_check int jail_leave_host(bool new_userns);

/**
 * jail_lock - give up all but @kind's
 * @binds_tcp: the broker: will it make listeners?
 *
 * Capabilities (the engine keeps NET_ADMIN and NET_RAW, the factory NET_RAW), new privileges, files
 * and TCP by Landlock where the kernel has it, system calls. Returns: 0 or -errno.
 */
must_check int jail_lock(enum jail_kind kind, bool binds_tcp);
