/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reading JSON (RFC 8259) from text of bounded size into a flat list of values. Never allocates.
 * Strict: what is no JSON is refused, and so is what C strings cannot hold (U+0000).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/util.h"

#define JSON_MOST_VALUES 256
#define JSON_MOST_DEPTH 8

enum json_type {
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
};

struct json_value {
	enum json_type type;
	size_t end;	  /* index behind it and all that is in it */
	const char *text; /* a string's, unescaped; a number as it stands there; else NULL */
};

/* Value 0 is the whole. The members of an object are its keys, strings, each before its value. */
struct json_document {
	struct json_value values[JSON_MOST_VALUES];
	size_t count;
};

/** jsonr_parse - read @text, which is changed and must live as long as @ret_document; 0, or
 * -EINVAL, or -E2BIG for more than the above */
must_check int jsonr_parse(char *text, struct json_document *ret_document);

/** jsonr_member - the value of @key in the object at index @object; 0: it is no object, or has none
 */
size_t jsonr_member(const struct json_document *document, size_t object, const char *key);

/** jsonr_string - the text of that member, NULL unless it is a string */
const char *jsonr_string(const struct json_document *document, size_t object, const char *key);

/** jsonr_number - the text of that member, NULL unless it is a number */
const char *jsonr_number(const struct json_document *document, size_t object, const char *key);
