/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of net/frame.c.
 */
#include "net/frame.h"

#include "unit.h"

#define ROOM 2048

/* A frame that is being made. */
struct made {
	uint8_t data[ROOM];
	size_t size;
};

static void put16(uint8_t *place, unsigned value)
{
	place[0] = (uint8_t)(value >> 8);
	place[1] = (uint8_t)value;
}

static unsigned get16(const uint8_t *place)
{
	return (unsigned)place[0] << 8 | place[1];
}

static unsigned sum_of(unsigned sum, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		sum += i & 1 ? data[i] : (unsigned)data[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void fix_v4(struct made *frame)
{
	uint8_t *ip = frame->data + 14;

	put16(ip + 10, 0);
	put16(ip + 10, ~sum_of(0, ip, (size_t)(ip[0] & 15) * 4) & 0xffff);
}

/* The checksum over a transport header; 0 where it is right. */
static unsigned check_body(const struct made *frame)
{
	const uint8_t *ip = frame->data + 14;
	bool is_v6 = ip[0] >> 4 == 6;
	size_t header = is_v6 ? 40 : 20, body = is_v6 ? get16(ip + 4) : get16(ip + 2) - 20u;
	unsigned sum = sum_of((is_v6 ? ip[6] : ip[9]) + (unsigned)body, ip + (is_v6 ? 8 : 12),
			      is_v6 ? 32 : 8);

	return ~sum_of(sum, ip + header, body) & 0xffff;
}

static struct made make(bool is_v6, uint8_t proto, size_t body)
{
	struct made frame = { .size = 14 + (is_v6 ? 40u : 20u) + body };
	uint8_t *ip = frame.data + 14;

	memcpy(frame.data, "\x52\x55\x0a\0\2\2\2\0\0\0\0\1", 12);
	put16(frame.data + 12, is_v6 ? 0x86dd : 0x0800);
	if (is_v6) {
		ip[0] = 0x60;
		put16(ip + 4, (unsigned)body);
		ip[6] = proto;
		ip[7] = 64;
		memcpy(ip + 8, "\xfd\0\xc1\x0c\0\x0e\0\0\0\0\0\0\0\0\0\x64", 16);
		memcpy(ip + 24, "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	} else {
		ip[0] = 0x45;
		put16(ip + 2, (unsigned)(20 + body));
		ip[8] = 64;
		ip[9] = proto;
		memcpy(ip + 12, "\x0a\0\2\x64\1\2\3\4", 8);
		fix_v4(&frame);
	}
	return frame;
}

static uint8_t *body_of(struct made *frame)
{
	return frame->data + 14 + (frame->data[14] >> 4 == 6 ? 40 : 20);
}

static struct made make_udp(bool is_v6, unsigned port)
{
	struct made frame = make(is_v6, 17, 12);

	put16(body_of(&frame), 4000);
	put16(body_of(&frame) + 2, port);
	put16(body_of(&frame) + 4, 12);
	return frame;
}

static struct made make_tcp(bool is_v6, uint8_t flags)
{
	struct made frame = make(is_v6, 6, 24);

	put16(body_of(&frame), 4000);
	put16(body_of(&frame) + 2, 80);
	body_of(&frame)[12] = 5 << 4;
	body_of(&frame)[13] = flags;
	put16(body_of(&frame) + 16, check_body(&frame));
	return frame;
}

static struct made make_echo(bool is_v6)
{
	struct made frame = make(is_v6, is_v6 ? 58 : 1, 16);

	body_of(&frame)[0] = is_v6 ? 128 : 8;
	return frame;
}

static enum frame_kind kind_of(struct made frame)
{
	struct frame found;

	frame_check(frame.data, frame.size, &found);
	return found.kind;
}

static void test_good(void)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct made udp = make_udp(v6, 7), tcp = make_tcp(v6, 2);
		struct frame found;

		frame_check(udp.data, udp.size, &found);
		CHECK(found.kind == FRAME_UDP && found.payload == 4);
		CHECK(found.source.port == 4000 && found.dest.port == 7);
		CHECK(found.dest.addr.family == (v6 ? 6 : 4));
		frame_check(tcp.data, tcp.size, &found);
		CHECK(found.kind == FRAME_TCP && found.is_syn && found.payload == 4);
		CHECK(kind_of(make_echo(v6)) == FRAME_ECHO);
		CHECK(kind_of(make(v6, 132, 20)) == FRAME_PROHIBITED);
	}
	CHECK(kind_of(make(true, 0, 20)) == FRAME_PROHIBITED); /* hop-by-hop options */
}

/* Each change of a good frame makes it a bad one. */
static void test_bad(void)
{
	static const struct {
		size_t at;
		bool is_v6;
		uint8_t value;
	} changes[] = {
		{ 12, false, 0x88 }, { 12, false, 0x81 }, { 14, false, 0x46 }, { 14, false, 0x55 },
		{ 16, false, 0xff }, { 17, false, 19 },	  { 20, false, 0x20 }, { 21, false, 1 },
		{ 20, false, 0x80 }, { 26, false, 0xe0 }, { 30, false, 0xe0 }, { 30, false, 0xff },
		{ 38, false, 1 },    { 39, false, 11 },	  { 14, true, 0x40 },  { 18, true, 1 },
		{ 20, true, 44 },    { 22, true, 0xff },  { 38, true, 0xff },  { 59, true, 13 },
	};
	static const unsigned ports[] = { 0, 67, 68, 69, 546, 547 };

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		struct made frame = make_udp(changes[i].is_v6, 7);

		CHECK(frame.data[changes[i].at] != changes[i].value);
		frame.data[changes[i].at] = changes[i].value;
		if (!changes[i].is_v6)
			fix_v4(&frame);
		CHECK(kind_of(frame) == FRAME_DROP);
	}
	for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
		CHECK(kind_of(make_udp(i & 1, ports[i])) == FRAME_DROP);
	for (uint8_t offset = 0; offset < 16; offset++) {
		struct made frame = make_tcp(false, 2);

		body_of(&frame)[12] = (uint8_t)(offset << 4);
		CHECK(kind_of(frame) == (offset == 5 || offset == 6 ? FRAME_TCP : FRAME_DROP));
	}
}

static void test_checksum_of_header(void)
{
	struct made frame = make_udp(false, 7);

	frame.data[24] ^= 1;
	CHECK(kind_of(frame) == FRAME_DROP);
}

static void test_lengths(void)
{
	struct made frames[] = { make_udp(false, 7), make_udp(true, 7), make_tcp(false, 2),
				 make_tcp(true, 2),  make_echo(false),	make_echo(true) };

	for (size_t i = 0; i < ARRAY_SIZE(frames); i++) {
		for (size_t size = 0; size < frames[i].size; size++) {
			uint8_t *exact =
				malloc(size + 1); /* a sanitizer sees what is read beyond */
			struct frame found;

			CHECK(exact != NULL);
			memcpy(exact, frames[i].data, size);
			frame_check(exact, size, &found);
			CHECK(found.kind == FRAME_DROP);
			free(exact);
		}
		frames[i].size += 30; /* padding */
		CHECK(kind_of(frames[i]) != FRAME_DROP);
	}
}

static void test_neighbours(void)
{
	struct made arp = { .size = 60 }, solicit = make(true, 58, 24);

	put16(arp.data + 12, 0x0806);
	memcpy(arp.data + 14, "\0\1\x08\0\6\4\0\1", 8);
	CHECK(kind_of(arp) == FRAME_NEIGHBOUR);
	arp.data[21] = 3;
	CHECK(kind_of(arp) == FRAME_DROP);
	arp.data[21] = 2;
	arp.size = 41;
	CHECK(kind_of(arp) == FRAME_DROP);
	body_of(&solicit)[0] = 135;
	solicit.data[21] = 255;
	memcpy(solicit.data + 38, "\xff\2", 2);
	CHECK(kind_of(solicit) == FRAME_NEIGHBOUR);
	solicit.data[21] = 254; /* from beyond a router */
	CHECK(kind_of(solicit) == FRAME_DROP);
}

static void test_urgent(void)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct made frame = make_tcp(v6, 0x38);
		struct frame found;

		put16(body_of(&frame) + 18, 3);
		put16(body_of(&frame) + 16, 0);
		put16(body_of(&frame) + 16, check_body(&frame));
		CHECK_INT(check_body(&frame), 0);
		frame_check(frame.data, frame.size, &found);
		CHECK_INT(found.kind, FRAME_TCP);
		CHECK_INT(body_of(&frame)[13], 0x18);
		CHECK_INT(get16(body_of(&frame) + 18), 0);
		CHECK_INT(check_body(&frame), 0);
	}
}

static void test_answers(void)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct made udp = make_udp(v6, 7), tcp = make_tcp(v6, 2), ack = make_tcp(v6, 0x10),
			    reset = make_tcp(v6, 4), reply = { 0 };
		struct net_addr gateway =
			v6 ? net_addr_v6("\xfd\0\xc1\x0c\0\x0e\0\0\0\0\0\0\0\0\0\2")
			   : net_addr_v4("\x0a\0\2\2");

		reply.size = frame_prohibit(udp.data, udp.size, &gateway, reply.data);
		CHECK_INT(reply.size, udp.size + (v6 ? 48 : 28));
		CHECK(body_of(&reply)[0] == (v6 ? 1 : 3) && body_of(&reply)[1] == (v6 ? 1 : 13));
		CHECK(memcmp(reply.data, udp.data + 6, 6) == 0);
		CHECK_INT(v6 ? check_body(&reply)
			     : ~sum_of(0, reply.data + 34, reply.size - 34) & 0xffff,
			  0);
		reply.size = frame_prohibit(tcp.data, tcp.size, &gateway, reply.data);
		CHECK(body_of(&reply)[13] == 0x14 && check_body(&reply) == 0);
		CHECK_INT(body_of(&reply)[11], 5); /* its SYN and four bytes */
		CHECK_INT(get16(body_of(&reply)), 80);
		reply.size = frame_prohibit(ack.data, ack.size, &gateway, reply.data);
		CHECK(body_of(&reply)[13] == 4 && check_body(&reply) == 0);
		CHECK_INT(frame_prohibit(reset.data, reset.size, &gateway, reply.data), 0);
	}
}

static void test_complete(void)
{
	struct made frame = make_tcp(false, 2);
	unsigned right = get16(body_of(&frame) + 16);

	/* As the kernel leaves it: the sum of the pseudo header. */
	put16(body_of(&frame) + 16, sum_of(6 + 24, frame.data + 26, 8));
	CHECK(frame_complete_checksum(frame.data, frame.size, 34, 16));
	CHECK_INT(get16(body_of(&frame) + 16), right);
	CHECK(!frame_complete_checksum(frame.data, frame.size, frame.size, 0));
	CHECK(!frame_complete_checksum(frame.data, frame.size, 34, frame.size - 35));
	CHECK(!frame_complete_checksum(frame.data, frame.size, 34, 60000));
}

static void test_noise(void)
{
	unsigned seed = 1;

	for (int round = 0; round < 200000; round++) {
		struct made frame = round & 1 ? make_udp(round & 2, 7) : make_tcp(round & 2, 2);
		uint8_t reply[FRAME_REPLY_MAX];
		struct frame found;

		for (int i = 0; i < 3; i++) {
			seed = seed * 1103515245 + 12345;
			frame.data[(seed >> 16) % frame.size] ^= (uint8_t)(1u << (seed >> 8 & 7));
		}
		if (!(round & 2))
			fix_v4(&frame);
		frame_check(frame.data, frame.size, &found);
		CHECK(found.payload <= frame.size);
		if (found.kind == FRAME_UDP || found.kind == FRAME_TCP ||
		    found.kind == FRAME_PROHIBITED) {
			struct net_addr gateway = { .family = found.dest.addr.family };

			CHECK(frame_prohibit(frame.data, frame.size, &gateway, reply) <=
			      sizeof(reply));
		}
	}
}

int main(void)
{
	test_good();
	test_bad();
	test_checksum_of_header();
	test_lengths();
	test_neighbours();
	test_urgent();
	test_answers();
	test_complete();
	test_noise();
	return 0;
}
