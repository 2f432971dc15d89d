/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The one strict number parser: digits only, the whole string, range checked. No sign, no blank, no
 * surprise base.
 */
#pragma once

#include <stdint.h>

#include "base/util.h"

/** num_parse - decimal number from 0 to @max; 0, or -EINVAL and *@ret_number untouched */
must_check int num_parse(const char *text, uint64_t max, uint64_t *ret_number);

/** num_parse_octal - octal number from 0 to @max; 0, or -EINVAL */
must_check int num_parse_octal(const char *text, uint64_t max, uint64_t *ret_number);

/**
 * num_parse_size - a size in bytes, 1 to SIZE_MAX / 2
 *
 * Decimal, hexadecimal after 0x, octal after 0; then optionally K, M or G (powers of 1024). 0, or
 * -EINVAL.
 */
must_check int num_parse_size(const char *text, uint64_t *ret_number);
