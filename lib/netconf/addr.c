/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Addresses, prefixes, and their text.
 */
#include "netconf/addr.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/num.h"

struct net_addr net_addr_v4(const void *bytes)
{
	struct net_addr addr = { .family = 4 };

	memcpy(addr.bytes, bytes, 4);
	return addr;
}

struct net_addr net_addr_v6(const void *bytes)
{
	struct net_addr addr = { .family = 6 };

	memcpy(addr.bytes, bytes, 16);
	return addr;
}

size_t net_addr_size(const struct net_addr *addr)
{
	return addr->family == 4 ? 4 : addr->family == 6 ? 16 : 0;
}

bool net_addr_equal(const struct net_addr *a, const struct net_addr *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, net_addr_size(a)) == 0;
}

bool net_addr_is_zero(const struct net_addr *addr)
{
	static const uint8_t zero[16];

	return memcmp(addr->bytes, zero, sizeof(zero)) == 0;
}

/* Are the first @bits bits of both the same? */
static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned rest = bits % 8;

	if (memcmp(a, b, bits / 8) != 0)
		return false;
	return !rest || (a[bits / 8] ^ b[bits / 8]) >> (8 - rest) == 0;
}

bool net_prefix_holds(const struct net_prefix *prefix, const struct net_addr *addr)
{
	return prefix->addr.family == addr->family &&
	       same_bits(prefix->addr.bytes, addr->bytes, prefix->length);
}

bool net_prefix_covers(const struct net_prefix *outer, const struct net_prefix *inner)
{
	return outer->length <= inner->length && net_prefix_holds(outer, &inner->addr);
}

int net_addr_parse(const char *text, struct net_addr *ret_addr)
{
	struct net_addr addr = { .family = strchr(text, ':') ? 6 : 4 };

	if (inet_pton(addr.family == 6 ? AF_INET6 : AF_INET, text, addr.bytes) != 1)
		return -EINVAL;
	*ret_addr = addr;
	return 0;
}

int net_prefix_parse(const char *text, struct net_prefix *ret_prefix)
{
	const char *slash = strchr(text, '/');
	size_t length = slash ? (size_t)(slash - text) : strlen(text);
	struct net_prefix prefix = { 0 };
	char address[NET_ADDR_TEXT];
	uint64_t bits;

	if (length >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, length);
	address[length] = '\0';
	if (net_addr_parse(address, &prefix.addr) < 0)
		return -EINVAL;
	bits = 8 * net_addr_size(&prefix.addr);
	if (slash && num_parse(slash + 1, bits, &bits) < 0)
		return -EINVAL;
	prefix.length = (uint8_t)bits;
	for (unsigned i = prefix.length; i < 8 * sizeof(prefix.addr.bytes); i++)
		if (prefix.addr.bytes[i / 8] & 0x80 >> i % 8)
			return -EINVAL;
	*ret_prefix = prefix;
	return 0;
}

const char *net_addr_text(const struct net_addr *addr, char text[NET_ADDR_TEXT])
{
	if (!addr->family ||
	    !inet_ntop(addr->family == 6 ? AF_INET6 : AF_INET, addr->bytes, text, NET_ADDR_TEXT))
		str_copy(text, NET_ADDR_TEXT, "none");
	return text;
}

const char *net_end_text(const struct net_end *end, char text[NET_ADDR_TEXT])
{
	struct str_buf buf = { .data = text, .size = NET_ADDR_TEXT };
	char address[NET_ADDR_TEXT];

	str_add(&buf, end->addr.family == 6 ? "[" : "");
	str_add(&buf, net_addr_text(&end->addr, address));
	str_add(&buf, end->addr.family == 6 ? "]:" : ":");
	str_add_number(&buf, end->port);
	return text;
}

const char *net_prefix_text(const struct net_prefix *prefix, char text[NET_ADDR_TEXT])
{
	struct str_buf buf = { .data = text, .size = NET_ADDR_TEXT };
	char address[NET_ADDR_TEXT];

	str_add(&buf, net_addr_text(&prefix->addr, address));
	str_add_char(&buf, '/');
	str_add_number(&buf, prefix->length);
	return text;
}

bool net_addr_embedded(const struct net_addr *addr, struct net_addr *ret_v4)
{
	/* Where the IPv4 address begins: RFC 4291 2.5.5, RFC 6052 2.2, RFC 8215, RFC 3056. */
	static const struct {
		const char *prefix;
		size_t at;
	} forms[] = {
		{ "::ffff:0:0/96", 12 },  { "::/96", 12 },	     { "64:ff9b::/96", 12 },
		{ "64:ff9b:1::/48", 12 }, { "::ffff:0:0:0/96", 12 }, { "2002::/16", 2 },
	};

	if (addr->family != 6)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		struct net_prefix prefix;

		if (net_prefix_parse(forms[i].prefix, &prefix) < 0 ||
		    !net_prefix_holds(&prefix, addr))
			continue;
		*ret_v4 = net_addr_v4(addr->bytes + forms[i].at);
		/* :: and ::1 are addresses of their own. */
		return forms[i].at == 2 || prefix.addr.bytes[1] || prefix.addr.bytes[10] ||
		       prefix.addr.bytes[8] || addr->bytes[12] || addr->bytes[13] ||
		       addr->bytes[14];
	}
	return false;
}

struct net_end net_end_from(const struct sockaddr_storage *address)
{
	const struct sockaddr_in *v4 = (const void *)address;
	const struct sockaddr_in6 *v6 = (const void *)address;
	struct net_end end = { 0 };

	if (address->ss_family == AF_INET) {
		end.addr = net_addr_v4(&v4->sin_addr);
		end.port = ntohs(v4->sin_port);
	} else if (address->ss_family == AF_INET6) {
		bool is_mapped = IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);

		end.addr = is_mapped ? net_addr_v4(v6->sin6_addr.s6_addr + 12)
				     : net_addr_v6(&v6->sin6_addr);
		end.port = ntohs(v6->sin6_port);
	}
	return end;
}

socklen_t net_end_to(const struct net_end *end, struct sockaddr_storage *ret_address)
{
	struct sockaddr_in *v4 = (void *)ret_address;
	struct sockaddr_in6 *v6 = (void *)ret_address;

	memset(ret_address, 0, sizeof(*ret_address));
	if (end->addr.family == 4) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(end->port);
		memcpy(&v4->sin_addr, end->addr.bytes, 4);
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(end->port);
	memcpy(&v6->sin6_addr, end->addr.bytes, 16);
	return sizeof(*v6);
}
