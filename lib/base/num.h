/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The one strict number parser: digits only, the whole string, range checked. No sign, no blank, no
 * surprise base.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/util.h"

/** num_parse - decimal number from 0 to @max; 0, or -EINVAL and *@ret_number untouched */
must_check int num_parse(const char *text, uint64_t max, uint64_t *ret_number);

/** num_parse_octal - octal number from 0 to @max; 0, or -EINVAL */
must_check int num_parse_octal(const char *text, uint64_t max, uint64_t *ret_number);

/**
 * num_parse_seconds - seconds with an optional minus sign and up to nine decimals, in nanoseconds
 *
 * At most NUM_SECONDS_MAX either way, which the kernel's clocks can count (linux/time64.h,
 * KTIME_SEC_MAX). 0, or -EINVAL.
 */
#define NUM_SECONDS_MAX 4611686018
must_check int num_parse_seconds(const char *text, int64_t *ret_nanoseconds);

/**
 * num_parse_size - a size in bytes, 1 to SIZE_MAX / 2
 *
 * Decimal, hexadecimal after 0x, octal after 0; then optionally K, M or G (powers of 1024). 0, or
 * -EINVAL.
 */
must_check int num_parse_size(const char *text, uint64_t *ret_number);
