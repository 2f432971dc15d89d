/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * JSON strings and keys (RFC 8259).
 */
#include "base/jsonw.h"

#include <string.h>

static void add_escape(struct str_buf *buf, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";

	str_add(buf, "\\u00");
	str_add_char(buf, hex[c >> 4]);
	str_add_char(buf, hex[c & 15]);
}

void jsonw_string(struct str_buf *buf, const char *text)
{
	str_add_char(buf, '"');
	while (*text) {
		size_t length = str_utf8_length(text);
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c == 0x7f || length == 0) {
			add_escape(buf, c);
			length = 1;
		} else if (c == 0xc2 && (unsigned char)text[1] < 0xa0) { /* C1 controls */
			add_escape(buf, (unsigned char)text[1]);
		} else {
			if (c == '"' || c == '\\')
				str_add_char(buf, '\\');
			for (size_t i = 0; i < length; i++)
				str_add_char(buf, text[i]);
		}
		text += length;
	}
	str_add_char(buf, '"');
}

void jsonw_key(struct str_buf *buf, const char *key)
{
	char last = buf->length ? buf->data[buf->length - 1] : '{';

	if (last != '{' && last != '[')
		str_add(buf, ", ");
	jsonw_string(buf, key);
	str_add(buf, ": ");
}
