/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: the command line. The first byte chooses name and user, the rest are NUL-separated
 * words. One --args file can be read: descriptor 90, which holds the words again.
 */
#include "fuzz.h"
#include "guard.h"
#include "parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char **words;

	if (size == 0)
		return 0;
	guard_open(0, data + 1, size - 1);
	guard_open_rest(1);
	words = fuzz_words("cloche", data + 1, size - 1);
	parse_and_plan(words, data[0] & 1 ? "bwrap" : "cloche", data[0] >> 1 & 1);
	fuzz_free_words(words);
	guard_close_all();
	return 0;
}
