/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whom a client asks for. In the engine, on the first bytes of a connection, which are the
 * sandbox's and hostile: they may be cut anywhere, and lie about lengths.
 */
#include "net/sniff.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "netconf/addr.h"

#define TLS_HANDSHAKE 22
#define CLIENT_HELLO 1
#define EXTENSION_NAME 0
#define RECORD_HEADER 5
#define RECORD_MAX 16384

/* Bytes, and how far they have been read. */
struct reader {
	const uint8_t *data;
	size_t size, at;
};

/* A number of @bytes bytes; false where it is not there. */
static bool read_number(struct reader *reader, size_t bytes, size_t *ret)
{
	*ret = 0;
	if (reader->size - reader->at < bytes)
		return false;
	for (size_t i = 0; i < bytes; i++)
		*ret = *ret << 8 | reader->data[reader->at++];
	return true;
}

/* A vector with a length of @bytes bytes before it. */
static bool read_vector(struct reader *reader, size_t bytes, struct reader *ret)
{
	size_t size;

	if (!read_number(reader, bytes, &size) || reader->size - reader->at < size)
		return false;
	*ret = (struct reader){ reader->data + reader->at, size, 0 };
	reader->at += size;
	return true;
}

static enum sniff_result take_name(const char *name, size_t length, char ret_name[DNS_NAME_MAX])
{
	char copy[DNS_NAME_MAX + 1];
	struct net_addr addr;

	if (!length || length >= sizeof(copy) || memchr(name, '\0', length))
		return SNIFF_BAD;
	memcpy(copy, name, length);
	copy[length] = '\0';
	if (net_addr_parse(copy, &addr) == 0)
		return SNIFF_BAD;
	return net_name_normalize(copy, ret_name) < 0 ? SNIFF_BAD : SNIFF_FOUND;
}

/* ---- TLS (RFC 8446 4.1.2, RFC 6066 3) ---- */

/* The one name of the extension server_name. */
static enum sniff_result read_server_name(struct reader extension, char ret_name[DNS_NAME_MAX])
{
	struct reader list, name;
	size_t type;

	if (!read_vector(&extension, 2, &list) || extension.at != extension.size ||
	    !read_number(&list, 1, &type) || type != 0 || !read_vector(&list, 2, &name) ||
	    list.at != list.size)
		return SNIFF_BAD;
	return take_name((const char *)name.data, name.size, ret_name);
}

static enum sniff_result read_hello(struct reader hello, char ret_name[DNS_NAME_MAX])
{
	struct reader ignored, extensions, extension;
	enum sniff_result result = SNIFF_BAD;
	size_t type;

	if (hello.size < 34)
		return SNIFF_BAD;
	hello.at = 34; /* version and random */
	if (!read_vector(&hello, 1, &ignored) || !read_vector(&hello, 2, &ignored) ||
	    !read_vector(&hello, 1, &ignored) || !read_vector(&hello, 2, &extensions))
		return SNIFF_BAD;
	while (extensions.at < extensions.size) {
		if (!read_number(&extensions, 2, &type) || !read_vector(&extensions, 2, &extension))
			return SNIFF_BAD;
		if (type != EXTENSION_NAME)
			continue;
		if (result != SNIFF_BAD)
			return SNIFF_BAD; /* a second one */
		result = read_server_name(extension, ret_name);
		if (result == SNIFF_BAD)
			return SNIFF_BAD;
	}
	return result;
}

/* Puts the handshake together, which may be spread over records. */
static enum sniff_result sniff_tls(const uint8_t *data, size_t size, char ret_name[DNS_NAME_MAX])
{
	static uint8_t handshake[SNIFF_MAX]; /* one process, one thread */
	size_t used = 0, wanted = 4, at = 0;

	while (used < wanted) {
		size_t length;

		if (size - at < RECORD_HEADER)
			return SNIFF_MORE;
		if (data[at] != TLS_HANDSHAKE || data[at + 1] != 3)
			return SNIFF_BAD;
		length = (size_t)(data[at + 3] << 8 | data[at + 4]);
		at += RECORD_HEADER;
		if (!length || length > RECORD_MAX || length > sizeof(handshake) - used)
			return SNIFF_BAD;
		length = length < size - at ? length : size - at;
		memcpy(handshake + used, data + at, length);
		used += length;
		at += length;
		if (used >= 1 && handshake[0] != CLIENT_HELLO)
			return SNIFF_BAD;
		if (used >= 4)
			wanted = 4 + ((size_t)handshake[1] << 16 | (size_t)handshake[2] << 8 |
				      handshake[3]);
		if (wanted > sizeof(handshake))
			return SNIFF_BAD;
	}
	return read_hello((struct reader){ handshake + 4, wanted - 4, 0 }, ret_name);
}

/* ---- HTTP/1 (RFC 9112) ---- */

static const char *const methods[] = { "GET ",	   "HEAD ",    "POST ",	 "PUT ",  "DELETE ",
				       "CONNECT ", "OPTIONS ", "TRACE ", "PATCH " };

/* Does it begin as a request does, as far as there is something? */
static bool may_be_http(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		size_t length = strlen(methods[i]);

		if (memcmp(data, methods[i], size < length ? size : length) == 0)
			return true;
	}
	return false;
}

/* HOST or HOST:PORT. */
static enum sniff_result take_authority(const char *text, size_t length,
					char ret_name[DNS_NAME_MAX])
{
	const char *colon = memchr(text, ':', length);

	if (memchr(text, '@', length))
		return SNIFF_BAD;
	if (colon && memchr(colon + 1, ':', length - (size_t)(colon + 1 - text)))
		return SNIFF_BAD; /* an IPv6 address */
	return take_name(text, colon ? (size_t)(colon - text) : length, ret_name);
}

/* The host of the target, if it has one: an absolute URI, or that of CONNECT. SNIFF_NONE: not. */
static enum sniff_result read_target(const char *line, size_t length, char name[DNS_NAME_MAX])
{
	const char *target = memchr(line, ' ', length), *end = line + length, *host, *stop;

	if (!target)
		return SNIFF_BAD;
	target++;
	stop = memchr(target, ' ', (size_t)(end - target));
	if (!stop)
		return SNIFF_BAD;
	if (*target == '/' || *target == '*')
		return SNIFF_NONE;
	if (str_starts(line, "CONNECT "))
		return take_authority(target, (size_t)(stop - target), name);
	if ((size_t)(stop - target) < 7 || strncasecmp(target, "http://", 7) != 0)
		return SNIFF_BAD;
	host = target + 7;
	for (target = host; target < stop && !strchr("/?#", *target);)
		target++;
	return take_authority(host, (size_t)(target - host), name);
}

/* A header line that is Host: its name. SNIFF_NONE: another header. */
static enum sniff_result read_header(const char *line, size_t length, char name[DNS_NAME_MAX])
{
	const char *colon = memchr(line, ':', length), *end = line + length;

	if (*line == ' ' || *line == '\t' || !colon)
		return SNIFF_BAD; /* folded, or none */
	/* "Host : x" is read as Host by some. */
	for (const char *c = line; c < colon; c++)
		if (*c <= ' ' || *c > '~')
			return SNIFF_BAD;
	if (colon - line != 4 || strncasecmp(line, "host", 4) != 0)
		return SNIFF_NONE;
	line = colon + 1;
	while (line < end && (*line == ' ' || *line == '\t'))
		line++;
	while (end > line && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	return take_authority(line, (size_t)(end - line), name);
}

/* Adds what a line says to @found; false: it contradicts. */
static bool add_found(enum sniff_result result, const char *name, bool *found,
		      char ret_name[DNS_NAME_MAX])
{
	if (result == SNIFF_NONE)
		return true;
	if (result != SNIFF_FOUND || (*found && strcmp(name, ret_name) != 0))
		return false;
	*found = true;
	str_copy(ret_name, DNS_NAME_MAX, name);
	return true;
}

static enum sniff_result sniff_http(const char *data, size_t size, char ret_name[DNS_NAME_MAX])
{
	const char *line = data, *end = data + size;
	bool found = false, is_first = true, has_host = false;

	if (memchr(data, '\0', size))
		return SNIFF_BAD;
	for (;;) {
		const char *next = memchr(line, '\n', (size_t)(end - line));
		char name[DNS_NAME_MAX] = "";
		enum sniff_result result;
		size_t length;

		if (!next)
			return SNIFF_MORE;
		length = (size_t)(next - line);
		length -= length && line[length - 1] == '\r';
		if (!length)
			return found && !is_first ? SNIFF_FOUND : SNIFF_BAD;
		if (memchr(line, '\r', length))
			return SNIFF_BAD;
		result = is_first ? read_target(line, length, name)
				  : read_header(line, length, name);
		if (!is_first && result == SNIFF_FOUND && has_host)
			return SNIFF_BAD;
		has_host |= !is_first && result == SNIFF_FOUND;
		if (!add_found(result, name, &found, ret_name))
			return SNIFF_BAD;
		is_first = false;
		line = next + 1;
	}
}

enum sniff_result sniff_name(const uint8_t *data, size_t size, char ret_name[DNS_NAME_MAX])
{
	if (!size)
		return SNIFF_MORE;
	if (data[0] == TLS_HANDSHAKE)
		return size >= 2 && data[1] != 3 ? SNIFF_NONE : sniff_tls(data, size, ret_name);
	return may_be_http(data, size) ? sniff_http((const char *)data, size, ret_name)
				       : SNIFF_NONE;
}
