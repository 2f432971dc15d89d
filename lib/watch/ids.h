/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Id maps with more than the caller's own ids, which only somebody outside can write.
 */
#pragma once

#include "spec/plan.h"

/**
 * ids_prepare - before clone: what the child inherits must let its map files be opened
 *
 * Returns: 0, or -errno with @err filled.
 */
must_check int ids_prepare(const struct plan *plan, struct cloche_error *err);

/**
 * ids_map_child - write the id maps of the child's new user namespace
 * @pid: the child, as numbered in the /proc that we see; it waits meanwhile
 *
 * Does nothing where the child writes them itself. Returns: 0, or -errno with @err filled.
 */
must_check int ids_map_child(const struct plan *plan, const struct facts *facts, pid_t pid,
			     struct cloche_error *err);

/**
 * ids_write_maps - write both map files of the process @pid directly; needs CAP_SETUID and
 * CAP_SETGID here
 *
 * Returns: 0, or -errno with @err filled.
 */
must_check int ids_write_maps(pid_t pid, const struct plan_map *uid, const struct plan_map *gid,
			      struct cloche_error *err);
