/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Idmapped binds (--idmap).
 */
#pragma once

#include "enter/enter.h"

/**
 * idmap_open - open the sources of all idmapped binds, with their flags and ids set
 *
 * In the supervisor before clone, with CAP_SYS_ADMIN; the child inherits the detached mounts.
 * Returns: 0, or -errno with @err filled.
 */
must_check int idmap_open(struct enter *enter, struct cloche_error *err);
