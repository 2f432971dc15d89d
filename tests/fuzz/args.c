/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: files of --args. The input is cut at 0xff bytes into the files of descriptors 90 to
 * 97; the command line names the first, which may name the others.
 */
#include "fuzz.h"
#include "guard.h"
#include "parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char program[] = "bwrap", option[] = "--args", number[] = "90", command[] = "COMMAND";
	char *words[] = { program, option, number, command, NULL };
	size_t start = 0;
	int file = 0;

	for (; file < GUARD_FD_COUNT && start <= size; file++) {
		const uint8_t *end = start < size ? memchr(data + start, 0xff, size - start) : NULL;
		size_t length = end ? (size_t)(end - data) - start : size - start;

		guard_open(file, data + start, length);
		start += length + 1;
	}
	guard_open_rest(file);
	parse_and_plan(words, size % 2 ? "bwrap" : "cloche", 0);
	guard_close_all();
	return 0;
}
