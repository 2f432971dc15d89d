/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of net/sniff.c.
 */
#include "net/sniff.h"

#include <string.h>

#include "unit.h"

static enum sniff_result sniff(const void *data, size_t size, char name[DNS_NAME_MAX])
{
	name[0] = '\0';
	return sniff_name(data, size, name);
}

static void test_http(void)
{
	static const struct {
		const char *text, *name; /* NULL: bad */
	} rows[] = {
		{ "GET / HTTP/1.1\r\nHost: A.test\r\n\r\n", "a.test" },
		{ "GET / HTTP/1.1\nX: y\nhOST:\ta.test:80 \n\n", "a.test" },
		{ "POST http://a.test/x HTTP/1.1\r\nHost: a.test\r\n\r\n", "a.test" },
		{ "GET HTTP://a.test HTTP/1.0\r\n\r\n", "a.test" },
		{ "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n", "a.test" },
		{ "OPTIONS * HTTP/1.1\r\nHost: a.test.\r\n\r\n", "a.test" },
		{ "GET / HTTP/1.1\r\n\r\n", NULL },
		{ "GET / HTTP/1.1\r\nHost:\r\n\r\n", NULL },
		{ "GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n", NULL },
		{ "GET / HTTP/1.1\r\nHost: a.test\r\nHost: a.test\r\n\r\n", NULL },
		{ "GET / HTTP/1.1\r\nHost : b.test\r\nHost: a.test\r\n\r\n", NULL },
		{ "GET / HTTP/1.1\r\nHost: a.test\r\n b.test\r\n\r\n", NULL },
		{ "GET / HTTP/1.1\r\nHost: u@a.test\r\n\r\n", NULL },
		{ "GET / HTTP/1.1\r\nHost: 1.2.3.4\r\n\r\n", NULL },
		{ "GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n", NULL },
		{ "GET / HTTP/1.1\r\nHost: b\xc3\xbc.test\r\n\r\n", NULL },
		{ "GET / HTTP/1.1\r\nHost: a.test\rX: y\r\n\r\n", NULL },
		{ "GET http://b.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", NULL },
		{ "GET http://u@a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", NULL },
		{ "GET ftp://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", NULL },
		{ "CONNECT 1.2.3.4:443 HTTP/1.1\r\nHost: a.test\r\n\r\n", NULL },
		{ "CONNECT b.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n", NULL },
		{ "GET /\r\nHost: a.test\r\n\r\n", NULL },
	};
	char name[DNS_NAME_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t size = strlen(rows[i].text);

		CHECK_INT(sniff(rows[i].text, size, name), rows[i].name ? SNIFF_FOUND : SNIFF_BAD);
		if (!rows[i].name)
			continue;
		CHECK_STR(name, rows[i].name);
		for (size_t part = 0; part < size; part++)
			CHECK_INT(sniff(rows[i].text, part, name), SNIFF_MORE);
	}
	CHECK_INT(sniff("GET /\0 HTTP/1.1\r\nHost: a.test\r\n\r\n", 33, name), SNIFF_BAD);
}

static void test_neither(void)
{
	static const char *const others[] = { "SSH-2.0-x\r\n", "EHLO x\r\n",   "GETX",	 "get / ",
					      "\x80",	       "\x16\x02\x01", " GET / " };
	char name[DNS_NAME_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		CHECK_INT(sniff(others[i], strlen(others[i]), name), SNIFF_NONE);
	CHECK_INT(sniff("", 0, name), SNIFF_MORE);
}

/* A ClientHello in records of at most @most bytes, with these extensions. */
static size_t make_hello(uint8_t *out, const char *extensions, size_t size, size_t most)
{
	uint8_t handshake[512] = { 1, 0 };
	size_t length = 4, written = 0;

	memcpy(handshake + length, "\3\3", 2);
	length += 34;
	memcpy(handshake + length, "\0\0\2\x13\1\1\0", 7);
	length += 7;
	handshake[length++] = (uint8_t)(size >> 8);
	handshake[length++] = (uint8_t)size;
	memcpy(handshake + length, extensions, size);
	length += size;
	handshake[2] = (uint8_t)((length - 4) >> 8);
	handshake[3] = (uint8_t)(length - 4);
	for (size_t at = 0; at < length; at += most) {
		size_t part = length - at < most ? length - at : most;

		memcpy(out + written, "\x16\3\1", 3);
		out[written + 3] = (uint8_t)(part >> 8);
		out[written + 4] = (uint8_t)part;
		memcpy(out + written + 5, handshake + at, part);
		written += 5 + part;
	}
	return written;
}

static void test_tls(void)
{
#define SNI "\0\0\0\x0b\0\x09\0\0\6A.test"
	static const struct {
		const char *extensions;
		size_t size;
		enum sniff_result result;
	} rows[] = {
#define ROW(text, result) { text, sizeof(text) - 1, result }
		ROW(SNI, SNIFF_FOUND),
		ROW("\0\x0a\0\2\0\x17" SNI, SNIFF_FOUND),
		ROW("", SNIFF_BAD),
		ROW("\0\x0a\0\2\0\x17", SNIFF_BAD),
		ROW(SNI SNI, SNIFF_BAD),
		ROW("\0\0\0\x0c\0\x09\0\0\6a.testx", SNIFF_BAD),
		ROW("\0\0\0\x0b\0\x09\1\0\6a.test", SNIFF_BAD),
		ROW("\0\0\0\x0b\0\x09\0\0\6a\0test", SNIFF_BAD),
		ROW("\0\0\0\x0c\0\x0a\0\0\7\x31.2.3.4", SNIFF_BAD),
		ROW("\0\0\0\x0b\0\x09\0\0\7a.test", SNIFF_BAD),
	};
	char name[DNS_NAME_MAX];
	uint8_t data[2048];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (size_t most = 1; most < 200; most += 33) {
			size_t size = make_hello(data, rows[i].extensions, rows[i].size, most);

			CHECK_INT(sniff(data, size, name), rows[i].result);
			if (rows[i].result == SNIFF_FOUND)
				CHECK_STR(name, "a.test");
			for (size_t part = 0; part < size; part++)
				CHECK_INT(sniff(data, part, name), SNIFF_MORE);
		}
	}
	CHECK_INT(sniff("\x16\3\1\0\1\2", 6, name), SNIFF_BAD);	    /* no ClientHello */
	CHECK_INT(sniff("\x16\3\1\0\0", 5, name), SNIFF_BAD);	    /* an empty record */
	CHECK_INT(sniff("\x16\3\1\xff\xff\1", 6, name), SNIFF_BAD); /* too long */
}

int main(void)
{
	test_http();
	test_neither();
	test_tls();
	return 0;
}
