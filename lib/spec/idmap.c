/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Arithmetic of id maps. All sums are done in 64 bits: an id and a count have 32.
 */
#include "spec/idmap.h"

#include <string.h>

#include "base/num.h"

#define FIELD_SIZE 12 /* the ten digits of 4294967295, one more that shows too many, and a NUL */

/* Reads the number at *@text, which ends at one of @ends or the end, and steps over that end. */
static int parse_field(const char **text, const char *ends, uint64_t max, uint64_t *ret_number)
{
	size_t length = strcspn(*text, ends);
	char field[FIELD_SIZE];

	if (length >= sizeof(field))
		return -EINVAL;
	memcpy(field, *text, length);
	field[length] = '\0';
	if (num_parse(field, max, ret_number) < 0)
		return -EINVAL;
	*text += length;
	return 0;
}

static int parse_colon(const char **text)
{
	return *(*text)++ == ':' ? 0 : -EINVAL;
}

int idmap_parse(const char **text, struct id_range *ret_range)
{
	const char *rest = *text;
	uint64_t inside, outside, count;

	if (parse_field(&rest, ":,", IDMAP_LAST_ID, &inside) < 0 || parse_colon(&rest) < 0 ||
	    parse_field(&rest, ":,", IDMAP_LAST_ID, &outside) < 0 || parse_colon(&rest) < 0 ||
	    parse_field(&rest, ",", UINT32_MAX, &count) < 0)
		return -EINVAL;
	if (count == 0 || inside + count - 1 > IDMAP_LAST_ID || outside + count - 1 > IDMAP_LAST_ID)
		return -EINVAL;
	/* A comma promises one more. */
	if (*rest == ',' && *++rest == '\0')
		return -EINVAL;
	*text = rest;
	ret_range->inside = (uint32_t)inside;
	ret_range->outside = (uint32_t)outside;
	ret_range->count = (uint32_t)count;
	return 0;
}

bool idmap_share(uint32_t first, uint32_t count, uint32_t other, uint32_t other_count)
{
	return first < (uint64_t)other + other_count && other < (uint64_t)first + count;
}

int idmap_overlap(const struct id_range *ranges, size_t count)
{
	for (size_t i = 1; i < count; i++)
		for (size_t j = 0; j < i; j++)
			if (idmap_share(ranges[i].inside, ranges[i].count, ranges[j].inside,
					ranges[j].count) ||
			    idmap_share(ranges[i].outside, ranges[i].count, ranges[j].outside,
					ranges[j].count))
				return (int)i;
	return -1;
}

bool idmap_outside(const struct id_range *ranges, size_t count, uint32_t id, uint32_t *ret_id)
{
	for (size_t i = 0; i < count; i++) {
		if (!idmap_share(id, 1, ranges[i].inside, ranges[i].count))
			continue;
		*ret_id = ranges[i].outside + (id - ranges[i].inside);
		return true;
	}
	return false;
}

bool idmap_inside(const struct id_range *ranges, size_t count, uint32_t id, uint32_t *ret_id)
{
	for (size_t i = 0; i < count; i++) {
		if (!idmap_share(id, 1, ranges[i].outside, ranges[i].count))
			continue;
		*ret_id = ranges[i].inside + (id - ranges[i].outside);
		return true;
	}
	return false;
}

static void add_line(uint32_t inside, uint32_t outside, uint32_t count, struct str_buf *buf)
{
	str_add_number(buf, inside);
	str_add_char(buf, ' ');
	str_add_number(buf, outside);
	str_add_char(buf, ' ');
	str_add_number(buf, count);
	str_add_char(buf, '\n');
}

void idmap_text(const struct id_range *ranges, size_t count, struct str_buf *buf)
{
	for (size_t i = 0; i < count; i++)
		add_line(ranges[i].inside, ranges[i].outside, ranges[i].count, buf);
}

void idmap_identity_text(const struct id_range *ranges, size_t count, struct str_buf *buf)
{
	for (size_t i = 0; i < count; i++)
		add_line(ranges[i].inside, ranges[i].inside, ranges[i].count, buf);
}
