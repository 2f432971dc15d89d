/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The descriptors that fuzzed options can name: files in memory at fixed numbers.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define GUARD_FIRST_FD 90
#define GUARD_FD_COUNT 8

/** guard_open - make descriptor GUARD_FIRST_FD + @number a file with @data */
void guard_open(int number, const uint8_t *data, size_t size);

/** guard_open_rest - make those from GUARD_FIRST_FD + @number on open, and empty */
void guard_open_rest(int number);

/** guard_close_all - close what is still open of them */
void guard_close_all(void);
