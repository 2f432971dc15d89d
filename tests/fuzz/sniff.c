/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: the first bytes of a connection. What is found is a name in the normal form, and no
 * more bytes change what the first ones settled.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "net/sniff.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[DNS_NAME_MAX] = "", again[DNS_NAME_MAX] = "", normal[DNS_NAME_MAX];
	uint8_t *copy = malloc(size + 1);
	enum sniff_result result, shorter;

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	result = sniff_name(copy, size, name);
	if (result == SNIFF_FOUND) {
		require(net_name_normalize(name, normal) == 0 && strcmp(normal, name) == 0);
		for (size_t part = 0; part < size; part += 1 + size / 64) {
			shorter = sniff_name(copy, part, again);
			require(shorter == SNIFF_MORE ||
				(shorter == SNIFF_FOUND && strcmp(name, again) == 0));
		}
	}
	free(copy);
	return 0;
}
