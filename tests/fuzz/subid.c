/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: the text of /etc/subuid. What is read for the user "alice" must be what an obvious
 * reader finds, line by line; and what is then said to be allowed, what a search id by id says.
 */
#include "fuzz.h"
#include "spec/subids.h"

#define MAX_RANGES 64

static bool is_alice(const char *owner, const void *user)
{
	return strcmp(owner, user) == 0;
}

static bool slow_number(const char *text, size_t length, uint64_t max, uint64_t *ret_number)
{
	uint64_t number = 0;

	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		number = number * 10 + (uint64_t)(text[i] - '0');
		if (number > max)
			return false;
	}
	*ret_number = number;
	return length;
}

/* One line of @length bytes: alice:FIRST:COUNT and nothing else? */
static bool slow_line(const char *line, size_t length, struct subid_range *ret_range)
{
	static const char owner[] = "alice:";
	const char *first = line + strlen(owner), *end = line + length, *colon;
	uint64_t first_id, count;

	if (length < strlen(owner) || memcmp(line, owner, strlen(owner)) != 0)
		return false;
	colon = memchr(first, ':', (size_t)(end - first));
	if (!colon || !slow_number(first, (size_t)(colon - first), UINT32_MAX - 1, &first_id) ||
	    !slow_number(colon + 1, (size_t)(end - colon - 1), UINT32_MAX, &count))
		return false;
	*ret_range = (struct subid_range){ (uint32_t)first_id, (uint32_t)count };
	return count && first_id + count <= UINT32_MAX;
}

static bool slow_has(const struct subids *subids, uint64_t id)
{
	for (size_t i = 0; i < subids->count; i++)
		if (id >= subids->ranges[i].first &&
		    id - subids->ranges[i].first < subids->ranges[i].count)
			return true;
	return false;
}

/* A few ids from @first on. */
static void check_allowed(const struct subids *subids, uint64_t first)
{
	bool all = true;

	for (uint32_t count = 1; count <= 6 && first + count <= UINT32_MAX; count++) {
		all &= slow_has(subids, first + count - 1);
		require(subids_allow(subids, (uint32_t)first, count) == all);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size), *line = text;
	struct subid_range expected[MAX_RANGES];
	struct subids subids = { 0 };
	size_t count = 0;

	while (count < MAX_RANGES) {
		size_t length = strcspn(line, "\n");

		count += slow_line(line, length, &expected[count]);
		if (!line[length])
			break;
		line += length + 1;
	}
	require(subids_parse(text, is_alice, "alice", &subids) == 0);
	require(subids.count == count || count == MAX_RANGES);
	for (size_t i = 0; i < count && i < MAX_RANGES; i++) {
		require(subids.ranges[i].first == expected[i].first &&
			subids.ranges[i].count == expected[i].count);
		if (expected[i].first > 2)
			check_allowed(&subids, expected[i].first - 2);
		check_allowed(&subids, (uint64_t)expected[i].first + expected[i].count - 2);
	}
	subids_free(&subids);
	free(text);
	return 0;
}
