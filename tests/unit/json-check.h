/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Is a text JSON (RFC 8259)? A checker of our own, so that the tests need no JSON library.
 */
#pragma once

#include <stdbool.h>
#include <string.h>

#include "base/str.h"

struct json_check {
	const char *rest;
	int depth;
};

static inline bool json_check_value(struct json_check *check);

static inline void json_check_blank(struct json_check *check)
{
	check->rest += strspn(check->rest, " \t\r\n");
}

static inline bool json_check_char(struct json_check *check, char c)
{
	json_check_blank(check);
	if (*check->rest != c)
		return false;
	check->rest++;
	return true;
}

static inline bool json_check_escape(struct json_check *check)
{
	char c = *check->rest++;

	if (c == 'u') {
		if (strspn(check->rest, "0123456789abcdefABCDEF") < 4)
			return false;
		check->rest += 4;
		return true;
	}
	return c && strchr("\"\\/bfnrt", c);
}

static inline bool json_check_string(struct json_check *check)
{
	if (!json_check_char(check, '"'))
		return false;
	while (*check->rest != '"') {
		size_t length = str_utf8_length(check->rest);

		if ((unsigned char)*check->rest < 0x20 || length == 0) /* NUL, too: cut off */
			return false;
		if (*check->rest == '\\') {
			check->rest++;
			if (!json_check_escape(check))
				return false;
		} else {
			check->rest += length;
		}
	}
	check->rest++;
	return true;
}

/* Whole numbers, and some with decimals; never an exponent. */
static inline bool json_check_number(struct json_check *check)
{
	size_t length;

	check->rest += *check->rest == '-';
	length = strspn(check->rest, "0123456789");
	if (length == 0 || (check->rest[0] == '0' && length > 1))
		return false;
	check->rest += length;
	if (*check->rest != '.')
		return true;
	length = strspn(++check->rest, "0123456789");
	check->rest += length;
	return length > 0;
}

static inline bool json_check_word(struct json_check *check, const char *word)
{
	if (strncmp(check->rest, word, strlen(word)) != 0)
		return false;
	check->rest += strlen(word);
	return true;
}

static inline bool json_check_list(struct json_check *check, char end, bool has_keys)
{
	if (json_check_char(check, end))
		return true;
	do {
		if (has_keys && !(json_check_string(check) && json_check_char(check, ':')))
			return false;
		if (!json_check_value(check))
			return false;
	} while (json_check_char(check, ','));
	return json_check_char(check, end);
}

static inline bool json_check_value(struct json_check *check)
{
	bool is_valid;

	if (++check->depth > 32)
		return false;
	json_check_blank(check);
	if (*check->rest == '"')
		is_valid = json_check_string(check);
	else if (json_check_char(check, '{'))
		is_valid = json_check_list(check, '}', true);
	else if (json_check_char(check, '['))
		is_valid = json_check_list(check, ']', false);
	else if (*check->rest == '-' || (*check->rest >= '0' && *check->rest <= '9'))
		is_valid = json_check_number(check);
	else
		is_valid = json_check_word(check, "true") || json_check_word(check, "false") ||
			   json_check_word(check, "null");
	check->depth--;
	return is_valid;
}

/* One value and nothing behind it but blanks. */
static inline bool is_json(const char *text)
{
	struct json_check check = { .rest = text };

	if (!json_check_value(&check))
		return false;
	json_check_blank(&check);
	return *check.rest == '\0';
}
