/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * As slirp4netns has it: .2 is the gateway, .3 the nameserver, .100 the sandbox.
 */
#include "netconf/layout.h"

/* fd00:c10c:e::/64: random enough, and the same everywhere, as 10.0.2.0 is. */
#define ULA_PREFIX "fd00:c10c:e::/64"

static struct net_addr with_host_part(const struct net_prefix *prefix, uint8_t part)
{
	struct net_addr addr = prefix->addr;

	addr.bytes[net_addr_size(&addr) - 1] = part;
	return addr;
}

struct net_layout net_layout_make(const struct net_prefix *v4, bool has_v6)
{
	struct net_layout layout = { .v4 = *v4 };
	const struct net_prefix *prefixes[2] = { &layout.v4, &layout.v6 };

	if (has_v6)
		ignore(net_prefix_parse(ULA_PREFIX, &layout.v6)); /* a constant that is right */
	for (size_t i = 0; i < 2; i++) {
		if (!prefixes[i]->addr.family)
			continue;
		layout.gateway[i] = with_host_part(prefixes[i], 2);
		layout.dns[i] = with_host_part(prefixes[i], 3);
		layout.own[i] = with_host_part(prefixes[i], 100);
	}
	return layout;
}
