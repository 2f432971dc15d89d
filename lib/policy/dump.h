/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Printing a seccomp program for people.
 */
#pragma once

#include <linux/filter.h>
#include <stdio.h>

#include "base/util.h"

/**
 * dump_program - print @count instructions, one a line, with the names of system calls and
 * architectures beside their numbers
 *
 * Returns: 0, or -EIO where @out did not take it.
 */
must_check int dump_program(const struct sock_filter *filter, size_t count, FILE *out);
