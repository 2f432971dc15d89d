/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of lib/base/num.c, which it links alone: what is a number, and above all what is none.
 */
#include "base/num.h"

#include <limits.h>

#include "unit.h"

#define UNTOUCHED 4711

/* Not a number in any base: signs, blanks, other scripts' habits. */
static const char *const never[] = {
	"",	"-1",  "+1",  " 1",  "1 ", "\t1", "1\n", "1_000",    "1,0",   "1.0", "1e3",  "x1",
	"0b11", "--1", "- 1", "1-1", "0x", "0X",  "0xg", "\xd9\xa1", "1\x01", "K",   "\xff",
};

static void check_refused(int (*parse)(const char *text, uint64_t max, uint64_t *ret_number),
			  const char *text, uint64_t max)
{
	uint64_t number = UNTOUCHED;

	CHECK_INT(parse(text, max, &number), -EINVAL);
	CHECK_INT(number, UNTOUCHED);
}

static void check_read(int (*parse)(const char *text, uint64_t max, uint64_t *ret_number),
		       const char *text, uint64_t max, uint64_t expected)
{
	uint64_t number = UNTOUCHED;

	CHECK_INT(parse(text, max, &number), 0);
	CHECK(number == expected);
}

static void test_decimal(void)
{
	check_read(num_parse, "0", 0, 0);
	check_read(num_parse, "007", 7, 7); /* no octal surprise */
	check_read(num_parse, "0000000000000000000000000000000000000000", 0, 0);
	check_read(num_parse, "2147483647", INT_MAX, INT_MAX);
	check_read(num_parse, "4294967294", UINT32_MAX - 1, UINT32_MAX - 1);
	check_read(num_parse, "18446744073709551615", UINT64_MAX, UINT64_MAX);
	check_refused(num_parse, "1", 0);
	check_refused(num_parse, "2147483648", INT_MAX);
	check_refused(num_parse, "4294967295", UINT32_MAX - 1);
	check_refused(num_parse, "4294967296", UINT32_MAX - 1); /* 0 in 32 bits */
	check_refused(num_parse, "18446744073709551616", UINT64_MAX);
	check_refused(num_parse, "18446744073709551620",
		      UINT64_MAX); /* overflows in the multiplication */
	check_refused(num_parse, "99999999999999999999999999999999999999", UINT64_MAX);
	check_refused(num_parse, "0x10", UINT64_MAX);
	check_refused(num_parse, "12a", UINT64_MAX);
	check_refused(num_parse, "1K", UINT64_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		check_refused(num_parse, never[i], UINT64_MAX);
}

static void test_octal(void)
{
	check_read(num_parse_octal, "0", 07777, 0);
	check_read(num_parse_octal, "755", 07777, 0755);
	check_read(num_parse_octal, "0755", 07777, 0755);
	check_read(num_parse_octal, "7777", 07777, 07777);
	check_read(num_parse_octal, "1777777777777777777777", UINT64_MAX, UINT64_MAX);
	check_refused(num_parse_octal, "10000", 07777);
	check_refused(num_parse_octal, "8", 07777);
	check_refused(num_parse_octal, "79", 07777);
	check_refused(num_parse_octal, "0x1ff", 07777);
	check_refused(num_parse_octal, "2000000000000000000000", UINT64_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		check_refused(num_parse_octal, never[i], UINT64_MAX);
}

static int parse_size(const char *text, uint64_t max, uint64_t *ret_number)
{
	(void)max;
	return num_parse_size(text, ret_number);
}

static void test_size(void)
{
	check_read(parse_size, "1", 0, 1);
	check_read(parse_size, "4096", 0, 4096);
	check_read(parse_size, "0x1000", 0, 4096);
	check_read(parse_size, "0X1f", 0, 31);
	check_read(parse_size, "0xABCdefF0", 0, 0xabcdeff0);
	check_read(parse_size, "010", 0, 8);
	check_read(parse_size, "1K", 0, 1024);
	check_read(parse_size, "3M", 0, 3u << 20);
	check_read(parse_size, "2G", 0, 2ull << 30);
	check_read(parse_size, "0x2K", 0, 2048);
	check_read(parse_size, "010K", 0, 8192);
	check_read(parse_size, "9223372036854775807", 0, INT64_MAX);
	check_read(parse_size, "0x7fffffffffffffff", 0, INT64_MAX);
	check_read(parse_size, "8589934591G", 0, 8589934591ull << 30);
	check_refused(parse_size, "9223372036854775808", 0);
	check_refused(parse_size, "8589934592G", 0);  /* 2^63 */
	check_refused(parse_size, "17179869184G", 0); /* 2^64 */
	check_refused(parse_size, "18446744073709551616K", 0);
	check_refused(parse_size, "0", 0);
	check_refused(parse_size, "00", 0);
	check_refused(parse_size, "0x0", 0);
	check_refused(parse_size, "0K", 0);
	check_refused(parse_size, "08", 0);
	check_refused(parse_size, "0xK", 0);
	check_refused(parse_size, "1k", 0);
	check_refused(parse_size, "1KB", 0);
	check_refused(parse_size, "1KK", 0);
	check_refused(parse_size, "1T", 0);
	check_refused(parse_size, "1 K", 0);
	check_refused(parse_size, "0x0x1", 0);
	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		check_refused(parse_size, never[i], 0);
}

static void check_seconds(const char *text, int64_t expected)
{
	int64_t nanoseconds = -7;

	CHECK_INT(num_parse_seconds(text, &nanoseconds), 0);
	CHECK(nanoseconds == expected);
}

static void test_seconds(void)
{
	static const char *const refused[] = {
		"",
		"-",
		"--1",
		"+1",
		" 1",
		"1 ",
		".5",
		"5.",
		"-.5",
		"1.-5",
		"1.0000000001",
		"1.2.3",
		"1e3",
		"0x10",
		"1s",
		"1,5",
		"4611686019",
		"-4611686019",
		"18446744073709551616",
		"-18446744073709551617",
	};

	check_seconds("0", 0);
	check_seconds("-0", 0);
	check_seconds("1", 1000000000);
	check_seconds("-1", -1000000000);
	check_seconds("0.5", 500000000);
	check_seconds("-1.25", -1250000000);
	check_seconds("007.000000001", 7000000001);
	check_seconds("-0.000000001", -1);
	check_seconds("4611686018.999999999", 4611686018999999999);
	check_seconds("-4611686018.999999999", -4611686018999999999);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		int64_t nanoseconds = -7;

		CHECK_INT(num_parse_seconds(refused[i], &nanoseconds), -EINVAL);
		CHECK(nanoseconds == -7);
	}
}

int main(void)
{
	test_decimal();
	test_octal();
	test_size();
	test_seconds();
	return 0;
}
