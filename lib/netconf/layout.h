/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The addresses of a sandbox's network.
 */
#pragma once

#include "netconf/addr.h"

/* [0]: IPv4, [1]: IPv6; none of IPv6 where the host has no way out by it. */
struct net_layout {
	struct net_prefix v4, v6;
	struct net_addr own[2], gateway[2], dns[2];
};

/** net_layout_make - the addresses in the network @v4, and of IPv6 where @has_v6 */
struct net_layout net_layout_make(const struct net_prefix *v4, bool has_v6);
