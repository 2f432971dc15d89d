/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * DNS messages (RFC 1035, 6891): reading queries and answers, writing answers of our own. Pure; the
 * bytes are hostile, from both sides: every function takes any bytes of any length.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netconf/rule.h"

#define DNS_NAME_MAX NET_NAME_MAX
#define DNS_MESSAGE_MAX 65535 /* of TCP */
#define DNS_UDP_PLAIN 512     /* what a client without EDNS takes by UDP */
#define DNS_ADDRS_MAX 64      /* addresses of one answer that are looked at */

enum dns_type {
	DNS_A = 1,
	DNS_AAAA = 28,
	DNS_SVCB = 64,
	DNS_HTTPS = 65
};

enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5
};

struct dns_query {
	uint16_t id;
	uint16_t type, class;
	char name[DNS_NAME_MAX]; /* lower case, no dot at the end ("" is the root) */
	size_t question_end;	 /* bytes of the header and the question */
	size_t udp_size;	 /* what the client takes by UDP: EDNS, at least DNS_UDP_PLAIN */
};

struct dns_answer {
	uint16_t id;
	enum dns_rcode rcode;
	bool is_truncated;
	uint32_t ttl; /* seconds, the smallest of the address records' */
	struct net_addr addrs[DNS_ADDRS_MAX];
	size_t addr_count;
	bool has_more_addrs; /* there were more than fit: the answer is not to be used */
};

/**
 * dns_parse_query - read a query
 *
 * Exactly one question, opcode QUERY, not a response, no compression in the name; labels of
 * letters, digits, '-' and '_' only (so no NUL, control byte, dot, blank or byte above 127 inside a
 * label: an internationalised name is its ASCII form xn--...), records behind it must be whole.
 * Returns: 0; -EBADMSG where no answer can be made at all (shorter than a header, a response);
 * -EINVAL where the answer is FORMERR, -EOPNOTSUPP where NOTIMP (opcode).
 */
must_check int dns_parse_query(const uint8_t *data, size_t size, struct dns_query *ret_query);

/**
 * dns_parse_answer - read the answer to @query
 *
 * The id is @id (ours, not the client's), it is a response with the query's question (letter case
 * ignored), all records whole and all compression pointers backwards. Address records count whose
 * owner is the queried name or one that a chain of CNAMEs in the answer section leads to from it;
 * an address record with another owner in the answer section makes the answer bad. Returns: 0 or
 * -EBADMSG.
 */
must_check int dns_parse_answer(const uint8_t *data, size_t size, const struct dns_query *query,
				uint16_t id, struct dns_answer *ret_answer);

/**
 * dns_write_error - an answer that holds no record
 * @query: the query as it came, @size bytes: its header and, where @query_end (question_end, or 0)
 * says so, its question are repeated
 * @ret: receives at most DNS_UDP_PLAIN bytes
 *
 * RA is set, RD copied. Returns: bytes written; 0 where @size is less than a header.
 */
size_t dns_write_error(const uint8_t *query, size_t size, size_t query_end, enum dns_rcode rcode,
		       uint8_t ret[DNS_UDP_PLAIN]);

/** dns_write_truncated - as dns_write_error() with NOERROR, and TC set: ask again by TCP */
size_t dns_write_truncated(const uint8_t *query, size_t size, size_t query_end,
			   uint8_t ret[DNS_UDP_PLAIN]);

/** dns_write_addrs - an answer with those of @addrs that the question's type wants (A, AAAA), @ttl
 * seconds; at most as many as fit into DNS_UDP_PLAIN bytes */
size_t dns_write_addrs(const uint8_t *query, size_t size, const struct dns_query *parsed,
		       const struct net_addr *addrs, size_t count, uint32_t ttl,
		       uint8_t ret[DNS_UDP_PLAIN]);

/** dns_set_id - overwrite the id of a message of at least two bytes */
void dns_set_id(uint8_t *data, uint16_t id);
