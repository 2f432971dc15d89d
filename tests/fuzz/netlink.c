/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: what the kernel sends: packets of the queue, and attributes.
 */
#include <stdlib.h>
#include <sys/socket.h>

#include "fuzz.h"
#include "net/netlink.h"
#include "net/setup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int pair[2] = { -1, -1 };
	struct held held;
	size_t length;

	if (pair[0] < 0 && socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair) < 0)
		abort();
	for (uint16_t type = 0; type < 16; type++) {
		const char *found = nl_attribute(data, size, type, &length);

		require(!found || (size_t)(found - (const char *)data) + length <= size);
	}
	if (size && send(pair[1], data, size, 0) == (ssize_t)size && hold_read(pair[0], &held) == 0)
		require(held.source.addr.family == held.dest.addr.family);
	return 0;
}
