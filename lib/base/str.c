/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Text in buffers of fixed size, and the escaping that keeps names from talking to the terminal.
 */
#include "base/str.h"

#include <stdio.h>
#include <string.h>

void str_copy(char *to, size_t size, const char *from)
{
	size_t length = strnlen(from, size - 1);

	memcpy(to, from, length);
	to[length] = '\0';
}

void str_add_char(struct str_buf *buf, char c)
{
	if (buf->length + 1 < buf->size)
		buf->data[buf->length++] = c;
	buf->data[buf->length] = '\0';
}

void str_add(struct str_buf *buf, const char *text)
{
	buf->data[buf->length] = '\0';
	for (; *text; text++)
		str_add_char(buf, *text);
}

void str_add_number(struct str_buf *buf, uint64_t number)
{
	char digits[20];
	size_t count = 0;

	do {
		digits[count++] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	while (count)
		str_add_char(buf, digits[--count]);
}

size_t str_utf8_length(const char *text)
{
	const unsigned char *bytes = (const unsigned char *)text;
	size_t length;

	if (bytes[0] < 0x80)
		return 1;
	if (bytes[0] >= 0xc2 && bytes[0] <= 0xdf)
		length = 2;
	else if ((bytes[0] & 0xf0) == 0xe0)
		length = 3;
	else if (bytes[0] >= 0xf0 && bytes[0] <= 0xf4)
		length = 4;
	else
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, beyond U+10FFFF (RFC 3629). */
	if ((bytes[0] == 0xe0 && bytes[1] < 0xa0) || (bytes[0] == 0xed && bytes[1] > 0x9f) ||
	    (bytes[0] == 0xf0 && bytes[1] < 0x90) || (bytes[0] == 0xf4 && bytes[1] > 0x8f))
		return 0;
	return length;
}

/* C1 controls (U+0080 to U+009F) count as controls: terminals obey them. */
static bool is_control(const unsigned char *text)
{
	return text[0] < 0x20 || text[0] == 0x7f || (text[0] == 0xc2 && text[1] < 0xa0);
}

void str_add_escaped(struct str_buf *buf, const char *text)
{
	buf->data[buf->length] = '\0';
	while (*text) {
		size_t length = str_utf8_length(text);
		unsigned char c = (unsigned char)*text;

		if (!length || is_control((const unsigned char *)text)) {
			str_add_char(buf, '\\');
			str_add_char(buf, (char)('0' + (c >> 6)));
			str_add_char(buf, (char)('0' + ((c >> 3) & 7)));
			str_add_char(buf, (char)('0' + (c & 7)));
			length = 1;
		} else {
			for (size_t i = 0; i < length; i++)
				str_add_char(buf, text[i]);
		}
		text += length;
	}
}

const char *str_number(char buf[STR_NUMBER_SIZE], uint64_t number)
{
	struct str_buf out = { .data = buf, .size = STR_NUMBER_SIZE };

	str_add_number(&out, number);
	return buf;
}

const char *str_fd_path(char buf[STR_FD_PATH_SIZE], int fd)
{
	struct str_buf out = { .data = buf, .size = STR_FD_PATH_SIZE };

	str_add(&out, "/proc/self/fd/");
	str_add_number(&out, (uint64_t)fd);
	return buf;
}

const char *str_variable(char *const *variables, const char *name)
{
	size_t length = strlen(name);

	for (; *variables; variables++)
		if (strncmp(*variables, name, length) == 0 && (*variables)[length] == '=')
			return *variables + length + 1;
	return NULL;
}

bool str_starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *text, const char *suffix)
{
	size_t length = strlen(text), suffix_length = strlen(suffix);

	return length >= suffix_length && strcmp(text + length - suffix_length, suffix) == 0;
}

char *str_format(const char *format, ...)
{
	va_list args;
	char *text = NULL;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	return text;
}
