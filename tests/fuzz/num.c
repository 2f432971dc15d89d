/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: numbers. What is read must be what a slow and obvious reader, with 128 bits, reads
 * too.
 */
#include "base/num.h"

#include "fuzz.h"

/* Digits of @base from @text on; *ret_rest is what follows. Grows no further than 2^100. */
static unsigned __int128 slow_digits(const char *text, unsigned base, const char **ret_rest)
{
	static const char digits[] = "0123456789abcdef";
	unsigned __int128 number = 0;

	for (; *text; text++) {
		char lower = *text >= 'A' && *text <= 'F' ? (char)(*text + 32) : *text;
		const char *digit = strchr(digits, lower);

		if (!digit || (unsigned)(digit - digits) >= base)
			break;
		if (number >> 100 == 0)
			number = number * base + (unsigned)(digit - digits);
	}
	*ret_rest = text;
	return number;
}

static void check_plain(const char *text, unsigned base, uint64_t max)
{
	const char *rest;
	unsigned __int128 expected = slow_digits(text, base, &rest);
	bool is_number = rest != text && !*rest && expected <= max;
	uint64_t number = 4711;
	int r = base == 10 ? num_parse(text, max, &number) : num_parse_octal(text, max, &number);

	require(r == (is_number ? 0 : -EINVAL));
	require(number == (is_number ? (uint64_t)expected : 4711));
}

static void check_size(const char *text)
{
	unsigned base = text[0] == '0' ? 8 : 10;
	const char *digits = text, *rest;
	unsigned __int128 expected;
	uint64_t number = 4711;
	bool is_size;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		base = 16;
		digits = text + 2;
	}
	expected = slow_digits(digits, base, &rest);
	is_size = rest != digits;
	if (strcmp(rest, "K") == 0)
		expected <<= 10;
	else if (strcmp(rest, "M") == 0)
		expected <<= 20;
	else if (strcmp(rest, "G") == 0)
		expected <<= expected >> 98 ? 0 : 30;
	else if (*rest)
		is_size = false;
	is_size = is_size && expected > 0 && expected <= INT64_MAX;
	require(num_parse_size(text, &number) == (is_size ? 0 : -EINVAL));
	require(number == (is_size ? (uint64_t)expected : 4711));
}

static void check_seconds(const char *text)
{
	const char *digits = text + (text[0] == '-'), *rest, *decimals;
	unsigned __int128 expected = slow_digits(digits, 10, &rest), fraction = 0;
	bool is_seconds = rest != digits && expected <= NUM_SECONDS_MAX;
	int64_t number = 4711;

	if (*rest == '.') {
		decimals = rest + 1;
		fraction = slow_digits(decimals, 10, &rest);
		is_seconds = is_seconds && rest != decimals && rest - decimals <= 9;
		for (long i = rest - decimals; i < 9; i++)
			fraction *= 10;
	}
	is_seconds = is_seconds && !*rest;
	require(num_parse_seconds(text, &number) == (is_seconds ? 0 : -EINVAL));
	if (is_seconds) {
		int64_t amount = (int64_t)(expected * 1000000000 + fraction);

		require(number == (text[0] == '-' ? -amount : amount));
	} else {
		require(number == 4711);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t limits[] = { 0, 7, 07777, INT32_MAX, UINT32_MAX - 1, UINT64_MAX };
	char *text = fuzz_text(data, size);

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		check_plain(text, 10, limits[i]);
		check_plain(text, 8, limits[i]);
	}
	check_size(text);
	check_seconds(text);
	free(text);
	return 0;
}
