/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "enter/enter.h"

/**
 * stdio_open - open the host paths of --stdin, --stdout and --stderr into enter->stdio_fds
 *
 * In the supervisor, before anything starts; a file for output is created, or emptied. Returns: 0
 * or -errno with @err filled.
 */
must_check int stdio_open(struct enter *enter, struct cloche_error *err);
