/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: names in messages. Whatever a name holds, the message is bounded, terminated and
 * harmless to a terminal, and the JSON is JSON. The input: a byte for the code, one for the
 * buffer's size, then path and detail with a NUL between.
 */
#include "base/error.h"

#include "../unit/json-check.h"
#include "base/jsonw.h"
#include "fuzz.h"
#include "spec/personality.h"

#define GUARD '#'

static void check_format(const struct cloche_error *err, const char *template, size_t size)
{
	char *buf = malloc(size); /* exactly: a sanitizer sees a byte too much */

	if (!buf)
		abort();
	memset(buf, GUARD, size);
	require(error_format(err, template, buf, size) == buf);
	require(memchr(buf, '\0', size));
	require(fuzz_is_printable(buf));
	free(buf);
}

static void check_json(const char *text)
{
	size_t size = 6 * strlen(text) + 3; /* each byte as \u00xx, quotes, NUL */
	char *bytes = malloc(size);
	struct str_buf buf = { .data = bytes, .size = size };

	if (!bytes)
		abort();
	jsonw_string(&buf, text);
	require(buf.length == strlen(bytes) && is_json(bytes));
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cloche_error err = ERROR_INIT;
	enum error_code code;
	char *path, *detail;

	if (size < 2)
		return 0;
	path = fuzz_text(data + 2, size - 2);
	detail = path + strlen(path);
	detail += detail < path + size - 2;
	code = (enum error_code)(data[0] % (ERROR_CODE_COUNT - 1) + 1);
	require(error_set_detail(&err, code, data[1] % 140, path, detail) < 0);
	require(strncmp(err.path, path, sizeof(err.path) - 1) == 0);
	check_format(&err, personality_message(personality_find("bwrap"), code), data[1] + 1u);
	check_format(&err, personality_message(personality_find("cloche"), code), 4096);
	check_json(path);
	check_json(detail);
	free(path);
	return 0;
}
