/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of lib/spec/idmap.c.
 */
#include "spec/idmap.h"

#include <string.h>

#include "unit.h"

static void accepts(const char *text, uint32_t inside, uint32_t outside, uint32_t count,
		    const char *rest)
{
	struct id_range range = { .use = 7 };

	CHECK_INT(idmap_parse(&text, &range), 0);
	CHECK(range.inside == inside && range.outside == outside && range.count == count);
	CHECK_INT(range.use, 7);
	CHECK_STR(text, rest);
}

static void test_parse(void)
{
	static const char *const refused[] = {
		"",
		":",
		"::",
		"0",
		"0:0",
		"0:0:",
		":0:1",
		"0::1",
		"0:0:0",
		"0:0:1:",
		"0:0:1:1",
		"0:0:1,",
		",0:0:1",
		" 0:0:1",
		"0:0:1 ",
		"-1:0:1",
		"+1:0:1",
		"0x1:0:1",
		"4294967295:0:1",
		"0:4294967295:1",
		"1:0:4294967295",
		"0:1:4294967295",
		"0:0:4294967296",
		"00000000000:0:1x",
		"0:0:18446744073709551617",
		"0:0:1;1:1:1",
		"000000000000:0:1",
	};

	accepts("0:0:1", 0, 0, 1, "");
	accepts("007:10:2,x", 7, 10, 2, "x");
	accepts("0:0:4294967295", 0, 0, UINT32_MAX, "");
	accepts("4294967294:4294967294:1", UINT32_MAX - 1, UINT32_MAX - 1, 1, "");
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct id_range range = { .inside = 1, .outside = 2, .count = 3, .use = 4 };
		const char *text = refused[i];

		CHECK_STR_IN(refused[i], idmap_parse(&text, &range) < 0 ? "refused" : "accepted",
			     "refused");
		CHECK(text == refused[i]);
		CHECK(range.inside == 1 && range.outside == 2 && range.count == 3);
	}
}

static void test_share(void)
{
	CHECK(idmap_share(5, 1, 5, 1) && idmap_share(0, UINT32_MAX, 9, 1));
	CHECK(idmap_share(1, 5, 5, 1) && idmap_share(5, 1, 1, 5));
	CHECK(!idmap_share(1, 5, 6, 1) && !idmap_share(6, 1, 1, 5));
	CHECK(!idmap_share(UINT32_MAX - 1, 1, 0, UINT32_MAX - 1));
}

static void test_overlap(void)
{
	struct id_range ranges[] = { { 0, 100, 10, 0 }, { 10, 110, 10, 1 }, { 30, 200, 5, 2 } };

	CHECK_INT(idmap_overlap(ranges, 3), -1);
	CHECK_INT(idmap_overlap(ranges, 0), -1);
	ranges[2].inside = 19;
	CHECK_INT(idmap_overlap(ranges, 3), 2);
	ranges[2].inside = 30;
	ranges[1].outside = 109;
	CHECK_INT(idmap_overlap(ranges, 3), 1);
}

static void test_lookup(void)
{
	const struct id_range ranges[] = { { 0, 100, 10, 0 }, { 50, 1000, 2, 0 } };
	uint32_t id = 4711;

	CHECK(!idmap_outside(ranges, 2, 10, &id) && !idmap_outside(ranges, 2, 52, &id) &&
	      !idmap_inside(ranges, 2, 99, &id) && !idmap_inside(ranges, 2, 1002, &id));
	CHECK_INT(id, 4711);
	CHECK(idmap_outside(ranges, 2, 9, &id) && id == 109);
	CHECK(idmap_outside(ranges, 2, 51, &id) && id == 1001);
	CHECK(idmap_inside(ranges, 2, 100, &id) && id == 0);
	CHECK(idmap_inside(ranges, 2, 1001, &id) && id == 51);
}

static void test_text(void)
{
	const struct id_range ranges[] = { { 0, 100, 10, 0 }, { 50, UINT32_MAX - 1, 1, 0 } };
	char text[128];
	struct str_buf buf = { .data = text, .size = sizeof(text) };

	idmap_text(ranges, 2, &buf);
	CHECK_STR(text, "0 100 10\n50 4294967294 1\n");
	buf.length = 0;
	idmap_identity_text(ranges, 2, &buf);
	CHECK_STR(text, "0 0 10\n50 50 1\n");
}

int main(void)
{
	test_parse();
	test_share();
	test_overlap();
	test_lookup();
	test_text();
	return 0;
}
