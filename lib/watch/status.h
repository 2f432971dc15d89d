/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the supervisor tells programs: --info-fd and --json-status-fd.
 */
#pragma once

#include "spec/plan.h"

/**
 * status_started - report the child's pid and the namespaces that were unshared
 * @pid: of the child, which must not end meanwhile
 *
 * Writes to both descriptors as the plan has them; --info-fd is closed. Returns: 0 or -errno with
 * @err filled.
 */
must_check int status_started(const struct plan *plan, pid_t pid, struct cloche_error *err);

/** status_exited - report COMMAND's exit status; nothing without --json-status-fd */
void status_exited(const struct spec *spec, int status);

/** status_published - report published ports, JSON objects separated by commas */
void status_published(const struct spec *spec, const char *published);

/** status_network - report the bytes that --net carried */
void status_network(const struct spec *spec, uint64_t sent, uint64_t received);

/** status_failed - report why starting failed; nothing without --json-status-fd */
void status_failed(const struct spec *spec, const struct cloche_error *err);
