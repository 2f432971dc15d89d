/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: DNS queries, and answers to one. The first byte says which.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "net/dns.h"

static void read_query(const uint8_t *data, size_t size)
{
	uint8_t answer[DNS_UDP_PLAIN];
	struct net_addr addrs[2] = { { .family = 4 }, { .family = 6 } };
	struct dns_query query;
	int r = dns_parse_query(data, size, &query);

	require(strlen(query.name) < DNS_NAME_MAX && query.question_end <= size);
	require(dns_write_error(data, size, query.question_end, DNS_REFUSED, answer) <=
		sizeof(answer));
	require(dns_write_truncated(data, size, query.question_end, answer) <= sizeof(answer));
	if (r == 0)
		require(dns_write_addrs(data, size, &query, addrs, 2, 60, answer) <=
			sizeof(answer));
}

static void read_answer(const uint8_t *data, size_t size)
{
	static struct dns_answer answer;
	struct dns_query query = { .type = size ? data[0] & 31 : 1, .class = 1 };

	str_copy(query.name, sizeof(query.name), "a.test");
	if (dns_parse_answer(data, size, &query, 0x1234, &answer) == 0)
		require(answer.addr_count <= DNS_ADDRS_MAX && size >= 12);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;

	if (!size)
		return 0;
	copy = malloc(size); /* exact, so that reading beyond is seen */
	if (!copy)
		return 0;
	memcpy(copy, data + 1, size - 1);
	if (data[0] & 1)
		read_answer(copy, size - 1);
	else
		read_query(copy, size - 1);
	free(copy);
	return 0;
}
