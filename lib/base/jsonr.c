/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reading JSON. A recursive descent whose depth is bounded, over text that it unescapes in place.
 */
#include "base/jsonr.h"

#include <stdint.h>
#include <string.h>

struct reader {
	char *at;
	unsigned depth;
	struct json_document *document;
};

static int read_value(struct reader *reader);

static void skip_blanks(struct reader *reader)
{
	reader->at += strspn(reader->at, " \t\r\n");
}

static int add(struct reader *reader, enum json_type type, const char *text, size_t *ret_index)
{
	struct json_document *document = reader->document;

	if (document->count == JSON_MOST_VALUES)
		return -E2BIG;
	*ret_index = document->count++;
	document->values[*ret_index] =
		(struct json_value){ .type = type, .end = document->count, .text = text };
	return 0;
}

static int read_hex(const char *text, uint32_t *ret_number)
{
	uint32_t number = 0;

	for (int i = 0; i < 4; i++) {
		char c = text[i];
		uint32_t digit;

		if (c >= '0' && c <= '9')
			digit = (uint32_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			digit = (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return -EINVAL;
		number = number << 4 | digit;
	}
	*ret_number = number;
	return 0;
}

static char *put_character(char *to, uint32_t character)
{
	if (character < 0x80) {
		*to++ = (char)character;
	} else if (character < 0x800) {
		*to++ = (char)(0xc0 | character >> 6);
		*to++ = (char)(0x80 | (character & 0x3f));
	} else if (character < 0x10000) {
		*to++ = (char)(0xe0 | character >> 12);
		*to++ = (char)(0x80 | (character >> 6 & 0x3f));
		*to++ = (char)(0x80 | (character & 0x3f));
	} else {
		*to++ = (char)(0xf0 | character >> 18);
		*to++ = (char)(0x80 | (character >> 12 & 0x3f));
		*to++ = (char)(0x80 | (character >> 6 & 0x3f));
		*to++ = (char)(0x80 | (character & 0x3f));
	}
	return to;
}

/* \uXXXX, or two of them for a character beyond the first 65536. *@from stands behind the u. */
static int read_unicode(char **from, char **to)
{
	uint32_t character, low;

	if (read_hex(*from, &character) < 0 || character == 0 ||
	    (character >= 0xdc00 && character <= 0xdfff))
		return -EINVAL;
	*from += 4;
	if (character >= 0xd800 && character <= 0xdbff) {
		if ((*from)[0] != '\\' || (*from)[1] != 'u' || read_hex(*from + 2, &low) < 0 ||
		    low < 0xdc00 || low > 0xdfff)
			return -EINVAL;
		*from += 6;
		character = 0x10000 + ((character - 0xd800) << 10) + (low - 0xdc00);
	}
	*to = put_character(*to, character);
	return 0;
}

static int read_escape(char **from, char **to)
{
	static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	const char *found;
	char c = *(*from)++;

	if (c == 'u')
		return read_unicode(from, to);
	found = c ? strchr(names, c) : NULL;
	if (!found)
		return -EINVAL;
	*(*to)++ = values[found - names];
	return 0;
}

/* What is unescaped is never longer than what stood there. */
static int read_string(struct reader *reader)
{
	char *text = ++reader->at, *from = text, *to = text;
	size_t index;

	while (*from != '"') {
		if ((unsigned char)*from < 0x20)
			return -EINVAL;
		if (*from != '\\') {
			*to++ = *from++;
			continue;
		}
		from++;
		if (read_escape(&from, &to) < 0)
			return -EINVAL;
	}
	*to = '\0';
	reader->at = from + 1;
	return add(reader, JSON_STRING, text, &index);
}

/* How long the number at @text is; 0: it is none. */
static size_t number_length(const char *text)
{
	const char digits[] = "0123456789";
	size_t length = text[0] == '-', part = strspn(text + length, digits);

	if (part == 0 || (part > 1 && text[length] == '0'))
		return 0;
	length += part;
	if (text[length] == '.') {
		part = strspn(text + length + 1, digits);
		if (part == 0)
			return 0;
		length += 1 + part;
	}
	if (text[length] == 'e' || text[length] == 'E') {
		size_t sign = text[length + 1] == '+' || text[length + 1] == '-';

		part = strspn(text + length + 1 + sign, digits);
		if (part == 0)
			return 0;
		length += 1 + sign + part;
	}
	return length;
}

/* A number is moved over the colon, bracket, comma or blank that stands before it: there is room
 * for a NUL then. A document that is a number alone has nothing there, and is refused by
 * read_value(). */
static int read_number(struct reader *reader)
{
	size_t length = number_length(reader->at), index;
	char *text = reader->at - 1;

	if (length == 0)
		return -EINVAL;
	memmove(text, reader->at, length);
	text[length] = '\0';
	reader->at += length;
	return add(reader, JSON_NUMBER, text, &index);
}

static int read_word(struct reader *reader, const char *word, enum json_type type)
{
	size_t length = strlen(word), index;

	if (strncmp(reader->at, word, length) != 0)
		return -EINVAL;
	reader->at += length;
	return add(reader, type, NULL, &index);
}

/* A key and its colon. */
static int read_key(struct reader *reader)
{
	int r;

	skip_blanks(reader);
	r = *reader->at == '"' ? read_string(reader) : -EINVAL;
	if (r < 0)
		return r;
	skip_blanks(reader);
	return *reader->at++ == ':' ? 0 : -EINVAL;
}

static int read_members(struct reader *reader, enum json_type type)
{
	const char close = type == JSON_OBJECT ? '}' : ']';
	size_t index;
	int r = add(reader, type, NULL, &index);

	if (r < 0)
		return r;
	reader->at++;
	skip_blanks(reader);
	if (*reader->at == close) {
		reader->at++;
		return 0;
	}
	for (;;) {
		r = type == JSON_OBJECT ? read_key(reader) : 0;
		if (r == 0)
			r = read_value(reader);
		if (r < 0)
			return r;
		skip_blanks(reader);
		if (*reader->at == close)
			break;
		if (*reader->at++ != ',')
			return -EINVAL;
	}
	reader->at++;
	reader->document->values[index].end = reader->document->count;
	return 0;
}

static int read_deeper(struct reader *reader, enum json_type type)
{
	int r;

	if (reader->depth == JSON_MOST_DEPTH)
		return -E2BIG;
	reader->depth++;
	r = read_members(reader, type);
	reader->depth--;
	return r;
}

static int read_value(struct reader *reader)
{
	skip_blanks(reader);
	switch (*reader->at) {
	case '{':
		return read_deeper(reader, JSON_OBJECT);
	case '[':
		return read_deeper(reader, JSON_ARRAY);
	case '"':
		return read_string(reader);
	case 't':
		return read_word(reader, "true", JSON_TRUE);
	case 'f':
		return read_word(reader, "false", JSON_FALSE);
	case 'n':
		return read_word(reader, "null", JSON_NULL);
	default:
		return reader->depth ? read_number(reader) : -EINVAL;
	}
}

int jsonr_parse(char *text, struct json_document *ret_document)
{
	struct reader reader = { .at = text, .document = ret_document };
	int r;

	ret_document->count = 0;
	r = read_value(&reader);
	if (r < 0)
		return r;
	skip_blanks(&reader);
	return *reader.at ? -EINVAL : 0;
}

size_t jsonr_member(const struct json_document *document, size_t object, const char *key)
{
	const struct json_value *values = document->values;

	if (object >= document->count || values[object].type != JSON_OBJECT)
		return 0;
	for (size_t i = object + 1; i < values[object].end; i = values[i + 1].end)
		if (strcmp(values[i].text, key) == 0)
			return i + 1;
	return 0;
}

static const char *text_of(const struct json_document *document, size_t object, const char *key,
			   enum json_type type)
{
	size_t member = jsonr_member(document, object, key);

	return member && document->values[member].type == type ? document->values[member].text
							       : NULL;
}

const char *jsonr_string(const struct json_document *document, size_t object, const char *key)
{
	return text_of(document, object, key, JSON_STRING);
}

const char *jsonr_number(const struct json_document *document, size_t object, const char *key)
{
	return text_of(document, object, key, JSON_NUMBER);
}
