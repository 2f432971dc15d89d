/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of lib/spec/subids.c: made-up files, and that this host's can be read.
 */
#include "spec/subids.h"

#include <string.h>

#include "unit.h"

static bool is_alice(const char *owner, const void *user)
{
	return strcmp(owner, user) == 0 || strcmp(owner, "1000") == 0;
}

/* Reads @text, which is at most 255 bytes, for alice. */
static struct subids parsed(const char *text)
{
	struct subids subids = { 0 };
	char copy[256] = "";

	CHECK(strlen(text) < sizeof(copy));
	strncpy(copy, text, sizeof(copy) - 1);
	CHECK_INT(subids_parse(copy, is_alice, "alice", &subids), 0);
	return subids;
}

static void test_lines(void)
{
	struct subids subids = parsed("bob:1:2\nalice:100000:65536\n1000:5:10\nalice:7:1");

	CHECK_INT(subids.count, 3);
	CHECK(subids.ranges[0].first == 100000 && subids.ranges[0].count == 65536);
	CHECK(subids.ranges[1].first == 5 && subids.ranges[1].count == 10);
	CHECK(subids.ranges[2].first == 7 && subids.ranges[2].count == 1);
	subids_free(&subids);
	CHECK(!subids.ranges && !subids.count);
}

static void test_bad_lines(void)
{
	struct subids subids =
		parsed("# alice\n\nalice\nalice:\nalice:1\nalice::\nalice:1:\nalice::1\n"
		       "alice:1:0\nalice:-1:5\nalice: 1:5\nalice:1:5:\nalice:1:5:6\n"
		       "alice:4294967295:1\nalice:4294967294:2\nalice:0x1:5\n :1:5\n");

	CHECK_INT(subids.count, 0);
	subids_free(&subids);
	subids = parsed("");
	CHECK_INT(subids.count, 0);
	CHECK(!subids_allow(&subids, 0, 1));
	subids_free(&subids);
}

static void test_allow(void)
{
	/* The second goes on where the first ends; the fourth lies in the third and beyond. */
	struct subids subids = parsed("alice:100:10\nalice:110:5\nalice:200:10\nalice:205:20\n"
				      "alice:4294967000:295\n");

	CHECK(subids_allow(&subids, 100, 1) && subids_allow(&subids, 100, 15));
	CHECK(subids_allow(&subids, 109, 2) && subids_allow(&subids, 200, 25));
	CHECK(subids_allow(&subids, 4294967294u, 1) && subids_allow(&subids, 4294967000u, 295));
	CHECK(!subids_allow(&subids, 99, 2) && !subids_allow(&subids, 100, 16));
	CHECK(!subids_allow(&subids, 115, 1) && !subids_allow(&subids, 0, UINT32_MAX));
	CHECK(!subids_allow(&subids, 200, 26));
	subids_free(&subids);
}

/* Root is in every /etc/passwd; an id that is nobody's has no name, and only newuidmap knows. */
static void test_host(void)
{
	struct subids uids = { 0 }, gids = { 0 };
	char *name = NULL;

	subids_read(0, &uids, &gids, &name);
	CHECK_STR(name, "root");
	CHECK(uids.is_read == gids.is_read);
	subids_free(&uids);
	subids_free(&gids);
	free(name);
	subids_read(4000000001u, &uids, &gids, &name);
	CHECK(!name && !uids.is_read && !gids.is_read && !uids.count);
}

int main(void)
{
	test_lines();
	test_bad_lines();
	test_allow();
	test_host();
	return 0;
}
