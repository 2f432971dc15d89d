/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of net/dns.c.
 */
#include "net/dns.h"

#include <string.h>

#include "unit.h"

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1
#define HEADER "\x12\x34\1\0\0\1\0\0\0\0\0\0"
#define QUESTION "\1A\4tEst\0\0\1\0\1"
#define REPLY(answers) "\x12\x34\x81\x80\0\1\0" answers "\0\0\0\0" QUESTION
#define RECORD_A(owner, address) owner "\0\1\0\1\0\0\0\x3c\0\4" address

static void test_query(void)
{
	struct dns_query query;

	CHECK_INT(dns_parse_query(BYTES(HEADER QUESTION), &query), 0);
	CHECK_STR(query.name, "a.test");
	CHECK(query.id == 0x1234 && query.type == DNS_A && query.class == 1);
	CHECK(query.question_end == 24 && query.udp_size == DNS_UDP_PLAIN);
	CHECK_INT(dns_parse_query(BYTES("\x12\x34\1\0\0\1\0\0\0\0\0\1" QUESTION
					"\0\0\x29\x10\0\0\0\0\0\0\0"),
				  &query),
		  0);
	CHECK_INT(query.udp_size, 4096);
}

static void test_bad_queries(void)
{
	static const struct {
		const char *bytes;
		size_t size;
		int r;
	} rows[] = {
#define ROW(text, r) { text, sizeof(text) - 1, r }
		ROW("", -EBADMSG),
		ROW("\x12\x34\1\0\0\1\0\0\0\0\0", -EBADMSG),
		ROW("\x12\x34\x81\0\0\1\0\0\0\0\0\0" QUESTION, -EBADMSG), /* a response */
		ROW("\x12\x34\x28\0\0\1\0\0\0\0\0\0" QUESTION, -EOPNOTSUPP),
		ROW("\x12\x34\1\0\0\0\0\0\0\0\0\0", -EINVAL),
		ROW("\x12\x34\1\0\0\2\0\0\0\0\0\0" QUESTION QUESTION, -EINVAL),
		ROW(HEADER "\1a\4te.t\0\0\1\0\1", -EINVAL), /* a dot in a label */
		ROW(HEADER "\1a\4te\0t\0\0\1\0\1", -EINVAL),
		ROW(HEADER "\1a\4te\nt\0\0\1\0\1", -EINVAL),
		ROW(HEADER "\1a\4te t\0\0\1\0\1", -EINVAL),
		ROW(HEADER "\1a\4te\xc3\xa9\0\0\1\0\1", -EINVAL),
		ROW(HEADER "\xc0\x0c\0\1\0\1", -EINVAL), /* compression */
		ROW(HEADER "\x41"
			   "a\0\0\1\0\1",
		    -EINVAL),
		ROW(HEADER QUESTION "x", -EINVAL),
	};
	struct dns_query query;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		CHECK_INT(dns_parse_query((const uint8_t *)rows[i].bytes, rows[i].size, &query),
			  rows[i].r);
	for (size_t size = 12; size < sizeof(HEADER QUESTION) - 1; size++)
		CHECK_INT(dns_parse_query((const uint8_t *)HEADER QUESTION, size, &query), -EINVAL);
}

static int answer_to(const uint8_t *data, size_t size, struct dns_answer *answer)
{
	struct dns_query query;

	CHECK_INT(dns_parse_query(BYTES(HEADER QUESTION), &query), 0);
	return dns_parse_answer(data, size, &query, 0x1234, answer);
}

static void test_answer(void)
{
	static const char chain[] =
		REPLY("\2") "\xc0\x0c\0\5\0\1\0\0\0\x3c\0\4\1b\xc0\x0e" RECORD_A("\1b\4test\0",
										 "\1\2\3\4");
	static struct dns_answer answer;

	CHECK_INT(answer_to(BYTES(REPLY("\1") RECORD_A("\xc0\x0c", "\1\2\3\4")), &answer), 0);
	CHECK(answer.addr_count == 1 && answer.addrs[0].bytes[3] == 4 && answer.ttl == 60);
	CHECK_INT(answer_to(BYTES(chain), &answer), 0);
	CHECK_INT(answer.addr_count, 1);
	for (size_t size = 0; size < sizeof(chain) - 1; size++)
		CHECK_INT(answer_to((const uint8_t *)chain, size, &answer), -EBADMSG);
	CHECK_INT(answer_to(BYTES("\x12\x34\x81\x83\0\1\0\0\0\0\0\0" QUESTION), &answer), 0);
	CHECK_INT(answer.rcode, DNS_NXDOMAIN);
}

static void test_bad_answers(void)
{
	static const struct {
		const char *bytes;
		size_t size;
	} rows[] = {
#define BAD(text) { text, sizeof(text) - 1 }
		BAD("\x12\x35\x81\x80\0\1\0\0\0\0\0\0" QUESTION),	    /* another id */
		BAD("\x12\x34\1\x80\0\1\0\0\0\0\0\0" QUESTION),		    /* no response */
		BAD("\x12\x34\x81\x80\0\0\0\0\0\0\0\0"),		    /* no question */
		BAD("\x12\x34\x81\x80\0\1\0\0\0\0\0\0\1b\4test\0\0\1\0\1"), /* another one */
		BAD("\x12\x34\x81\x80\0\1\0\0\0\0\0\0\1a\4test\0\0\x1c\0\1"),
		BAD(REPLY("\1") RECORD_A("\1b\4test\0", "\1\2\3\4")),	 /* of something else */
		BAD(REPLY("\1") "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\3\1\2\3"), /* no address */
		BAD(REPLY("\1") RECORD_A("\xc0\x18", "\1\2\3\4")),	 /* points at itself */
		BAD(REPLY("\1") RECORD_A("\xc0\xff", "\1\2\3\4")),
	};
	static struct dns_answer answer;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		CHECK_INT(answer_to((const uint8_t *)rows[i].bytes, rows[i].size, &answer),
			  -EBADMSG);
}

static void test_writing(void)
{
	const struct net_addr addrs[2] = { net_addr_v4("\1\2\3\4"),
					   net_addr_v6("\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1") };
	static struct dns_answer answer;
	uint8_t data[DNS_UDP_PLAIN];
	struct dns_query query;
	size_t size;

	CHECK_INT(dns_parse_query(BYTES(HEADER QUESTION), &query), 0);
	size = dns_write_addrs(BYTES(HEADER QUESTION), &query, addrs, 2, 60, data);
	CHECK_INT(dns_parse_answer(data, size, &query, 0x1234, &answer), 0);
	CHECK(answer.addr_count == 1 && net_addr_equal(&answer.addrs[0], &addrs[0]));
	size = dns_write_error(BYTES(HEADER QUESTION), 24, DNS_REFUSED, data);
	CHECK_INT(dns_parse_answer(data, size, &query, 0x1234, &answer), 0);
	CHECK_INT(answer.rcode, DNS_REFUSED);
	CHECK_INT(dns_write_error(BYTES(HEADER "junk"), 0, DNS_FORMERR, data), 12);
	CHECK_INT(dns_write_error(BYTES("short"), 0, DNS_FORMERR, data), 0);
	size = dns_write_truncated(BYTES(HEADER QUESTION), 24, data);
	CHECK(dns_parse_answer(data, size, &query, 0x1234, &answer) == 0 && answer.is_truncated);
	dns_set_id(data, 0x4321);
	CHECK(data[0] == 0x43 && data[1] == 0x21);
}

int main(void)
{
	test_query();
	test_bad_queries();
	test_answer();
	test_bad_answers();
	test_writing();
	return 0;
}
