/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Addresses of both families in one value, prefixes of them, and their text. Pure.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/str.h"

/* All zero: none. IPv4 lies in the first four bytes, the rest is zero then. */
struct net_addr {
	uint8_t family; /* 0, 4 or 6 */
	uint8_t bytes[16];
};

/* An address and a port of it, as flows have two of. */
struct net_end {
	struct net_addr addr;
	uint16_t port; /* host byte order */
};

struct net_prefix {
	struct net_addr addr; /* no bit set behind the length */
	uint8_t length;	      /* bits: 0 to 32 or 128 */
};

#define NET_ADDR_TEXT 64 /* bytes for any text of the functions here */

/** net_addr_v4, net_addr_v6 - from the bytes as they go over the wire (borrowed) */
struct net_addr net_addr_v4(const void *bytes);
struct net_addr net_addr_v6(const void *bytes);

/** net_addr_size - bytes of the address on the wire: 4, 16, or 0 for none */
size_t net_addr_size(const struct net_addr *addr);

/** net_addr_equal - are both the same address? */
bool net_addr_equal(const struct net_addr *a, const struct net_addr *b);

/** net_addr_is_zero - 0.0.0.0, :: or none? */
bool net_addr_is_zero(const struct net_addr *addr);

/** net_prefix_holds - is @addr in @prefix? Never for the other family. */
bool net_prefix_holds(const struct net_prefix *prefix, const struct net_addr *addr);

/** net_prefix_covers - is every address of @inner in @outer? */
bool net_prefix_covers(const struct net_prefix *outer, const struct net_prefix *inner);

/**
 * net_addr_parse - the address whose text @text is
 *
 * Strict: inet_pton(3)'s forms only, so no octal, decimal or short IPv4; no zone, no brackets.
 * Returns: 0 or -EINVAL.
 */
must_check int net_addr_parse(const char *text, struct net_addr *ret_addr);

/** net_prefix_parse - ADDR or ADDR/BITS; bits set behind the length are -EINVAL */
must_check int net_prefix_parse(const char *text, struct net_prefix *ret_prefix);

/** net_addr_text - write its text into the NET_ADDR_TEXT bytes at @text; returns @text */
const char *net_addr_text(const struct net_addr *addr, char text[NET_ADDR_TEXT]);

/** net_end_text - ADDR:PORT, [ADDR]:PORT for IPv6 */
const char *net_end_text(const struct net_end *end, char text[NET_ADDR_TEXT]);

/** net_prefix_text - ADDR/BITS */
const char *net_prefix_text(const struct net_prefix *prefix, char text[NET_ADDR_TEXT]);

/** net_addr_embedded - the IPv4 address that an IPv6 one stands for: v4-mapped, v4-compatible,
 * NAT64 (64:ff9b::/96, 64:ff9b:1::/48), 6to4; false where it is none of them */
bool net_addr_embedded(const struct net_addr *addr, struct net_addr *ret_v4);

/** net_end_from - from a struct sockaddr_in or sockaddr_in6; none for any other family. IPv4-mapped
 * becomes IPv4 */
struct net_end net_end_from(const struct sockaddr_storage *address);

/** net_end_to - fill @ret_address for a system call; returns its length */
socklen_t net_end_to(const struct net_end *end, struct sockaddr_storage *ret_address);
