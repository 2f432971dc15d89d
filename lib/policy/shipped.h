/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Programs made by tools/gen-policy.c: one array of instructions, and a row for each.
 */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/util.h"

/* Where a program begins, how long it is with and without the 32-bit twin. */
struct shipped_row {
	char name[12];
	struct {
		uint16_t first, count, native_count;
	} variants[2]; /* [1]: namespaces may be made inside */
};

/** shipped_find - the program called @name; length 0 where there is none. In constant memory. */
static inline struct sock_fprog shipped_find(const struct sock_filter *code,
					     const struct shipped_row *rows, size_t row_count,
					     const char *name, bool opens_namespaces,
					     bool allows_32bit)
{
	for (size_t i = 0; i < row_count; i++) {
		const struct shipped_row *row = &rows[i];
		uint16_t end = (uint16_t)(row->variants[opens_namespaces].first +
					  row->variants[opens_namespaces].count);
		uint16_t length = allows_32bit ? row->variants[opens_namespaces].count
					       : row->variants[opens_namespaces].native_count;

		/* The kernel only reads it; the type of prctl's argument does not say so. */
		if (strcmp(row->name, name) == 0)
			return (struct sock_fprog){
				.len = length,
				.filter = (struct sock_filter *)(uintptr_t)&code[end - length],
			};
	}
	return (struct sock_fprog){ 0 };
}
