/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: the JSON reader. Every value ends behind what is in it, keys are strings, texts lie
 * in the input, and what is read once is read again the same.
 */
#include <stdlib.h>

#include "base/jsonr.h"
#include "fuzz.h"

static void check_value(const struct json_document *document, size_t index, const char *text,
			size_t size)
{
	const struct json_value *value = &document->values[index];
	bool is_object = value->type == JSON_OBJECT;

	require(value->end > index && value->end <= document->count);
	require(!value->text == (value->type != JSON_STRING && value->type != JSON_NUMBER));
	if (value->text)
		require(value->text >= text && value->text + strlen(value->text) <= text + size);
	if (!is_object && value->type != JSON_ARRAY)
		require(value->end == index + 1);
	for (size_t i = index + 1, count = 0; i < value->end;
	     i = document->values[i].end, count++) {
		if (is_object && count % 2 == 0) {
			require(document->values[i].type == JSON_STRING && i + 1 < value->end);
			require(jsonr_member(document, index, document->values[i].text) > index);
		}
		check_value(document, i, text, size);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct json_document document, again;
	char *text = fuzz_text(data, size), *copy = fuzz_text(data, size);

	if (text && copy && jsonr_parse(text, &document) == 0) {
		require(document.count && document.values[0].end == document.count);
		check_value(&document, 0, text, size);
		require(jsonr_parse(copy, &again) == 0 && again.count == document.count);
	} else if (copy) {
		require(jsonr_parse(copy, &again) < 0);
	}
	free(text);
	free(copy);
	return 0;
}
