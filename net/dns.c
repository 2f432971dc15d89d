/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * DNS messages. In the broker, which reads queries of the sandbox and answers of nameservers, and
 * trusts neither: every length is checked against the message, names are bounded, compression
 * pointers lead backwards only.
 */
#include "net/dns.h"

#include <string.h>

#define HEADER 12
#define LABEL_MAX 63
#define POINTERS_MAX 64 /* of one name */
#define CHAIN_MAX 16	/* of CNAMEs */
#define CLASS_IN 1
#define TYPE_CNAME 5
#define TYPE_OPT 41
#define FLAG_RESPONSE 0x80 /* in byte 2 */
#define FLAG_TRUNCATED 0x02
#define FLAG_RECURSION 0x01
#define FLAG_AVAILABLE 0x80 /* in byte 3 */

/* A message and how far it has been read. */
struct reader {
	const uint8_t *data;
	size_t size, at;
};

struct record {
	char name[DNS_NAME_MAX];
	uint16_t type, class;
	uint32_t ttl;
	size_t data, length; /* of its content */
};

static uint16_t get16(const uint8_t *place)
{
	return (uint16_t)(place[0] << 8 | place[1]);
}

static void put16(uint8_t *place, uint16_t value)
{
	place[0] = (uint8_t)(value >> 8);
	place[1] = (uint8_t)value;
}

static bool read16(struct reader *reader, uint16_t *ret)
{
	if (reader->size - reader->at < 2)
		return false;
	*ret = get16(reader->data + reader->at);
	reader->at += 2;
	return true;
}

/* ---- names ---- */

/* One label, small, behind what @name holds; false where it does not fit or has a byte that no name
 * of a host or service has. */
static bool add_label(char name[DNS_NAME_MAX], size_t *length, const uint8_t *label, size_t size)
{
	if (*length + size + 2 > DNS_NAME_MAX)
		return false;
	if (*length)
		name[(*length)++] = '.';
	for (size_t i = 0; i < size; i++) {
		uint8_t c = label[i];

		if (c >= 'A' && c <= 'Z')
			c = (uint8_t)(c - 'A' + 'a');
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
			return false;
		name[(*length)++] = (char)c;
	}
	name[*length] = '\0';
	return true;
}

/*
 * The name that begins where @reader is, which then is behind it. A name in an answer that is
 * not of letters, digits, '-' and '_' becomes "?", which no other is equal to.
 */
static bool read_name(struct reader *reader, bool is_strict, char name[DNS_NAME_MAX])
{
	size_t at = reader->at, length = 0, end = 0;
	bool is_fine = true;

	name[0] = '\0';
	for (int pointers = 0; pointers <= POINTERS_MAX;) {
		uint8_t size;

		if (at >= reader->size)
			return false;
		size = reader->data[at];
		if (size >> 6 == 3 && !is_strict) {
			size_t to;

			if (reader->size - at < 2)
				return false;
			to = get16(reader->data + at) & 0x3fff;
			end = end ? end : at + 2;
			if (to >= at)
				return false;
			at = to;
			pointers++;
			continue;
		}
		if (size > LABEL_MAX || reader->size - at - 1 < size)
			return false;
		at += 1 + (size_t)size;
		if (size == 0) {
			reader->at = end ? end : at;
			if (!is_fine)
				memcpy(name, "?", 2);
			return true;
		}
		is_fine = is_fine && add_label(name, &length, reader->data + at - size, size);
		if (is_strict && !is_fine)
			return false;
	}
	return false;
}

/* ---- reading ---- */

static bool read_record(struct reader *reader, struct record *record)
{
	uint16_t high, low, length;

	if (!read_name(reader, false, record->name) || !read16(reader, &record->type) ||
	    !read16(reader, &record->class) || !read16(reader, &high) || !read16(reader, &low) ||
	    !read16(reader, &length) || reader->size - reader->at < length)
		return false;
	record->ttl = (uint32_t)high << 16 | low;
	record->data = reader->at;
	record->length = length;
	reader->at += length;
	return true;
}

int dns_parse_query(const uint8_t *data, size_t size, struct dns_query *ret_query)
{
	struct reader reader = { data, size, HEADER };
	struct dns_query query = { .udp_size = DNS_UDP_PLAIN };
	size_t records;

	*ret_query = query;
	if (size < HEADER || data[2] & FLAG_RESPONSE)
		return -EBADMSG;
	query.id = get16(data);
	if (data[2] & 0x78)
		return -EOPNOTSUPP;
	if (get16(data + 4) != 1 || !read_name(&reader, true, query.name) ||
	    !read16(&reader, &query.type) || !read16(&reader, &query.class))
		return -EINVAL;
	query.question_end = reader.at;
	records = (size_t)get16(data + 6) + get16(data + 8) + get16(data + 10);
	for (size_t i = 0; i < records; i++) {
		struct record record;

		if (!read_record(&reader, &record))
			return -EINVAL;
		/* The class of OPT is the size that the client takes, RFC 6891 6.2.3. */
		if (record.type == TYPE_OPT && record.class > query.udp_size)
			query.udp_size = record.class;
	}
	*ret_query = query;
	return reader.at == size ? 0 : -EINVAL;
}

/* An address of the name that is asked for; or the next name of the chain. */
static bool take_record(const struct reader *reader, const struct record *record,
			char chain[CHAIN_MAX][DNS_NAME_MAX], size_t *links,
			struct dns_answer *answer)
{
	bool is_a = record->type == DNS_A && record->length == 4;
	bool is_aaaa = record->type == DNS_AAAA && record->length == 16;
	struct reader target = { reader->data, reader->size, record->data };
	bool is_ours = false;

	for (size_t i = 0; i < *links; i++)
		is_ours |= strcmp(chain[i], record->name) == 0;
	if (record->class != CLASS_IN)
		return true;
	if (record->type == TYPE_CNAME && is_ours && *links < CHAIN_MAX)
		return read_name(&target, false, chain[(*links)++]);
	if (record->type != DNS_A && record->type != DNS_AAAA)
		return true;
	if (!is_ours || !(is_a || is_aaaa))
		return false; /* an address of something else, or none at all */
	if (answer->addr_count == DNS_ADDRS_MAX) {
		answer->has_more_addrs = true;
		return true;
	}
	answer->addrs[answer->addr_count++] = is_a ? net_addr_v4(reader->data + record->data)
						   : net_addr_v6(reader->data + record->data);
	if (answer->addr_count == 1 || record->ttl < answer->ttl)
		answer->ttl = record->ttl;
	return true;
}

int dns_parse_answer(const uint8_t *data, size_t size, const struct dns_query *query, uint16_t id,
		     struct dns_answer *ret_answer)
{
	static char chain[CHAIN_MAX][DNS_NAME_MAX]; /* one process, one thread */
	struct reader reader = { data, size, HEADER };
	char name[DNS_NAME_MAX];
	uint16_t type, class;
	size_t links = 1, answers, others;

	*ret_answer = (struct dns_answer){ .id = id };
	if (size < HEADER || get16(data) != id || !(data[2] & FLAG_RESPONSE))
		return -EBADMSG;
	ret_answer->rcode = data[3] & 0xf;
	ret_answer->is_truncated = data[2] & FLAG_TRUNCATED;
	if (get16(data + 4) != 1 || !read_name(&reader, true, name) || !read16(&reader, &type) ||
	    !read16(&reader, &class) || strcmp(name, query->name) != 0 || type != query->type ||
	    class != query->class)
		return -EBADMSG;
	str_copy(chain[0], DNS_NAME_MAX, query->name);
	answers = get16(data + 6);
	others = (size_t)get16(data + 8) + get16(data + 10);
	for (size_t i = 0; i < answers + others; i++) {
		struct record record;

		/* A truncated one may end anywhere. */
		if (!read_record(&reader, &record))
			return ret_answer->is_truncated ? 0 : -EBADMSG;
		if (i < answers && !take_record(&reader, &record, chain, &links, ret_answer))
			return -EBADMSG;
	}
	return 0;
}

/* ---- writing ---- */

/* The header of an answer to @query, with its question; 0 where there is no header. */
static size_t begin_answer(const uint8_t *query, size_t size, size_t query_end,
			   enum dns_rcode rcode, uint8_t ret[DNS_UDP_PLAIN])
{
	size_t length = query_end >= HEADER && query_end <= size && query_end <= DNS_UDP_PLAIN
				? query_end
				: HEADER;

	if (size < HEADER)
		return 0;
	memcpy(ret, query, length);
	ret[2] = (uint8_t)((ret[2] & (0x78 | FLAG_RECURSION)) | FLAG_RESPONSE);
	ret[3] = (uint8_t)(FLAG_AVAILABLE | rcode);
	put16(ret + 4, length > HEADER);
	memset(ret + 6, 0, 6);
	return length;
}

size_t dns_write_error(const uint8_t *query, size_t size, size_t query_end, enum dns_rcode rcode,
		       uint8_t ret[DNS_UDP_PLAIN])
{
	return begin_answer(query, size, query_end, rcode, ret);
}

size_t dns_write_truncated(const uint8_t *query, size_t size, size_t query_end,
			   uint8_t ret[DNS_UDP_PLAIN])
{
	size_t length = begin_answer(query, size, query_end, DNS_NOERROR, ret);

	if (length)
		ret[2] |= FLAG_TRUNCATED;
	return length;
}

size_t dns_write_addrs(const uint8_t *query, size_t size, const struct dns_query *parsed,
		       const struct net_addr *addrs, size_t count, uint32_t ttl,
		       uint8_t ret[DNS_UDP_PLAIN])
{
	size_t length = begin_answer(query, size, parsed->question_end, DNS_NOERROR, ret);
	uint16_t written = 0;

	for (size_t i = 0; length && i < count; i++) {
		size_t bytes = net_addr_size(&addrs[i]);

		if (parsed->type != (bytes == 4 ? DNS_A : DNS_AAAA) ||
		    length + HEADER + bytes > DNS_UDP_PLAIN)
			continue;
		put16(ret + length, 0xc000 | HEADER); /* the name of the question */
		put16(ret + length + 2, parsed->type);
		put16(ret + length + 4, CLASS_IN);
		put16(ret + length + 6, (uint16_t)(ttl >> 16));
		put16(ret + length + 8, (uint16_t)ttl);
		put16(ret + length + 10, (uint16_t)bytes);
		memcpy(ret + length + HEADER, addrs[i].bytes, bytes);
		length += HEADER + bytes;
		written++;
	}
	if (length)
		put16(ret + 6, written);
	return length;
}

void dns_set_id(uint8_t *data, uint16_t id)
{
	put16(data, id);
}
