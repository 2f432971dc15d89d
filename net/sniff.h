/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The name that a client says it wants, from the first bytes of a connection: SNI of a TLS
 * ClientHello (RFC 8446, RFC 6066 3), Host of an HTTP/1 request (or the host of its absolute URI,
 * or of CONNECT). Pure; the bytes are hostile.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "net/dns.h"

#define SNIFF_MAX 16384 /* more bytes than this are not waited for */

enum sniff_result {
	SNIFF_FOUND,
	SNIFF_MORE, /* the bytes are the beginning of TLS or HTTP, but the name may still come */
	SNIFF_NONE, /* neither TLS nor HTTP */
	SNIFF_BAD /* TLS or HTTP, but without a name, with two that differ, malformed, or with an IP
		     address instead */
};

/**
 * sniff_name - find the name in the @size bytes at @data
 * @ret_name: the name in the form of struct dns_query (net_name_normalize()), only with SNIFF_FOUND
 *
 * A ClientHello may be spread over several TLS records. A port behind Host is left away; userinfo
 * (user@host) makes it SNIFF_BAD. Where an absolute URI and a Host header differ: SNIFF_BAD.
 * Header lines end with CRLF or LF; obsolete line folding and NUL bytes: SNIFF_BAD.
 */
enum sniff_result sniff_name(const uint8_t *data, size_t size, char ret_name[DNS_NAME_MAX]);
