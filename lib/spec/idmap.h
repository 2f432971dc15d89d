/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Id maps: ranges of user or group ids that have other numbers inside, as user_namespaces(7) has
 * them. Plain data and arithmetic; pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* The kernel's limits of one map file: its lines (UID_GID_MAP_MAX_EXTENTS), and its text, which is
 * shorter than the smallest page there is. */
#define IDMAP_MAX_RANGES 340
#define IDMAP_MAX_TEXT 4096
#define IDMAP_LAST_ID (UINT32_MAX - 1) /* (uid_t)-1 is no id */

/* @count ids from @inside on are those from @outside on in the caller's user namespace. */
struct id_range {
	uint32_t inside, outside, count;
	int use; /* index of the option, -1: implied */
};

/**
 * idmap_parse - read one IN:OUT:COUNT
 * @text: advanced behind it, to the end or behind the comma that separates the next one
 * @ret_range: receives the numbers; its use is left alone
 *
 * Strictly decimal; no empty range, and none beyond IDMAP_LAST_ID. Returns: 0, or -EINVAL.
 */
must_check int idmap_parse(const char **text, struct id_range *ret_range);

/** idmap_share - do the @count ids from @first on and the @other_count from @other on meet? */
bool idmap_share(uint32_t first, uint32_t count, uint32_t other, uint32_t other_count);

/** idmap_overlap - index of the first range that shares an id, inside or outside, with an earlier
 * one; -1 where there is none. Quadratic: for at most IDMAP_MAX_RANGES. */
int idmap_overlap(const struct id_range *ranges, size_t count);

/** idmap_outside - what the inside id @id is outside; false where it is not mapped */
bool idmap_outside(const struct id_range *ranges, size_t count, uint32_t id, uint32_t *ret_id);

/** idmap_inside - what the outside id @id is inside; false where it is not mapped */
bool idmap_inside(const struct id_range *ranges, size_t count, uint32_t id, uint32_t *ret_id);

/** idmap_text - append the lines of a map file, "INSIDE OUTSIDE COUNT" each */
void idmap_text(const struct id_range *ranges, size_t count, struct str_buf *buf);

/** idmap_identity_text - append the lines of a map file that maps the same inside ids to
 * themselves, for a user namespace within */
void idmap_identity_text(const struct id_range *ranges, size_t count, struct str_buf *buf);
