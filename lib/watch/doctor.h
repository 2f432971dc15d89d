/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * cloche doctor: what works on this host, what does not, and what to do about it.
 */
#pragma once

#include <stdbool.h>

/** doctor_main - examine the host and print what was found, as JSON if @is_json. Returns: 0 where
 * the basic job works, 1 where it does not */
int doctor_main(bool is_json);
