/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Strict numbers. strtol() takes blanks, signs and overflow silently; ids and descriptors must not.
 */
#include "base/num.h"

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

/* Reads at least one digit of @base; *ret_rest is the first character that is none. */
static int parse_digits(const char *text, unsigned base, uint64_t max, uint64_t *ret_number,
			const char **ret_rest)
{
	uint64_t number = 0;
	const char *rest = text;

	for (; digit_value(*rest) < (int)base; rest++) {
		if (__builtin_mul_overflow(number, base, &number) ||
		    __builtin_add_overflow(number, (uint64_t)digit_value(*rest), &number) ||
		    number > max)
			return -EINVAL;
	}
	if (rest == text)
		return -EINVAL;
	*ret_number = number;
	*ret_rest = rest;
	return 0;
}

static int parse_whole(const char *text, unsigned base, uint64_t max, uint64_t *ret_number)
{
	const char *rest;
	uint64_t number;

	if (parse_digits(text, base, max, &number, &rest) < 0 || *rest)
		return -EINVAL;
	*ret_number = number;
	return 0;
}

int num_parse(const char *text, uint64_t max, uint64_t *ret_number)
{
	return parse_whole(text, 10, max, ret_number);
}

int num_parse_octal(const char *text, uint64_t max, uint64_t *ret_number)
{
	return parse_whole(text, 8, max, ret_number);
}

static int suffix_shift(char c)
{
	switch (c) {
	case '\0':
		return 0;
	case 'K':
		return 10;
	case 'M':
		return 20;
	case 'G':
		return 30;
	default:
		return -EINVAL;
	}
}

int num_parse_size(const char *text, uint64_t *ret_number)
{
	const uint64_t max = SIZE_MAX / 2;
	const char *rest;
	uint64_t number;
	unsigned base = 10;
	int shift;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		base = 16;
		text += 2;
	} else if (text[0] == '0') {
		base = 8;
	}
	if (parse_digits(text, base, max, &number, &rest) < 0)
		return -EINVAL;
	shift = suffix_shift(*rest);
	if (shift < 0 || (*rest && rest[1]) || number == 0 || number > max >> shift)
		return -EINVAL;
	*ret_number = number << shift;
	return 0;
}

/* Up to nine digits behind the point, as nanoseconds. */
static int parse_fraction(const char *text, uint64_t *ret_nanoseconds)
{
	const char *rest;

	if (parse_digits(text, 10, 999999999, ret_nanoseconds, &rest) < 0 || *rest ||
	    rest - text > 9)
		return -EINVAL;
	for (long digits = rest - text; digits < 9; digits++)
		*ret_nanoseconds *= 10;
	return 0;
}

int num_parse_seconds(const char *text, int64_t *ret_nanoseconds)
{
	bool negative = text[0] == '-';
	uint64_t seconds, nanoseconds = 0;
	const char *rest;

	if (parse_digits(text + negative, 10, NUM_SECONDS_MAX, &seconds, &rest) < 0)
		return -EINVAL;
	if (*rest && (*rest != '.' || parse_fraction(rest + 1, &nanoseconds) < 0))
		return -EINVAL;
	*ret_nanoseconds = (int64_t)(seconds * 1000000000 + nanoseconds);
	if (negative)
		*ret_nanoseconds = -*ret_nanoseconds;
	return 0;
}
