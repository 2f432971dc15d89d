/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The frame filter. In libslirp's process, before libslirp. Every byte is hostile: a process inside
 * with CAP_NET_RAW writes frames as it likes. Bytes are read one by one, never beyond what the
 * headers before them have proved to be there.
 */
#include "net/frame.h"

#include <string.h>

#define ETHERTYPE_V4 0x0800
#define ETHERTYPE_ARP 0x0806
#define ETHERTYPE_V6 0x86dd
#define V4_HEADER 20
#define V6_HEADER 40
#define UDP_HEADER 8
#define TCP_HEADER 20
#define ICMP_HEADER 8
#define ARP_SIZE 28

#define PROTO_ICMP 1
#define PROTO_TCP 6
#define PROTO_UDP 17
#define PROTO_ICMP6 58

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10
#define TCP_URG 0x20

/* A packet inside a frame, its lengths checked. */
struct packet {
	uint8_t *ip, *body;  /* body: behind the IP header */
	size_t header, size; /* bytes of the IP header, and of the body */
	uint8_t proto;
	bool is_v6;
};

static uint16_t get16(const uint8_t *place)
{
	return (uint16_t)(place[0] << 8 | place[1]);
}

static uint32_t get32(const uint8_t *place)
{
	return (uint32_t)get16(place) << 16 | get16(place + 2);
}

static void put16(uint8_t *place, uint16_t value)
{
	place[0] = (uint8_t)(value >> 8);
	place[1] = (uint8_t)value;
}

static void put32(uint8_t *place, uint32_t value)
{
	put16(place, (uint16_t)(value >> 16));
	put16(place + 2, (uint16_t)value);
}

/* ---- checksums (RFC 1071) ---- */

static uint32_t add_sum(uint32_t sum, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i + 1 < size; i += 2) {
		sum += get16(data + i);
		sum = (sum & 0xffff) + (sum >> 16);
	}
	if (size & 1)
		sum += (uint32_t)data[size - 1] << 8;
	return (sum & 0xffff) + (sum >> 16);
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Of @body with the pseudo header of its IP packet. */
static uint16_t body_sum(const uint8_t *ip, bool is_v6, uint8_t proto, const uint8_t *body,
			 size_t size)
{
	uint32_t sum = is_v6 ? add_sum(0, ip + 8, 32) : add_sum(0, ip + 12, 8);

	return fold(add_sum(sum + proto + (uint32_t)size, body, size));
}

bool frame_complete_checksum(uint8_t *data, size_t size, size_t start, size_t offset)
{
	uint16_t sum;

	if (start >= size || offset > size - start || size - start - offset < 2)
		return false;
	/* The sum of the pseudo header stands there already. */
	sum = fold(add_sum(0, data + start, size - start));
	put16(data + start + offset, sum ? sum : 0xffff);
	return true;
}

/* ---- addresses ---- */

static bool is_multicast_v4(const uint8_t *addr)
{
	return addr[0] >= 224;
}

/* Who sends must be one; where it goes must not be all. */
static bool has_fine_ends(const struct packet *packet)
{
	const uint8_t *source = packet->ip + (packet->is_v6 ? 8 : 12);
	const uint8_t *dest = source + (packet->is_v6 ? 16 : 4);

	if (packet->is_v6)
		return source[0] != 0xff && dest[0] != 0xff;
	return !is_multicast_v4(source) && !is_multicast_v4(dest);
}

/* ---- IP ---- */

static bool read_v4(uint8_t *data, size_t size, struct packet *packet)
{
	uint8_t *ip = data + FRAME_HEADER;
	size_t total;

	if (size < FRAME_HEADER + V4_HEADER || ip[0] != 0x45) /* no options */
		return false;
	total = get16(ip + 2);
	if (total < V4_HEADER || total > size - FRAME_HEADER)
		return false;
	/* No fragment, neither the first nor a later one. */
	if (get16(ip + 6) & 0xbfff || fold(add_sum(0, ip, V4_HEADER)) != 0)
		return false;
	*packet = (struct packet){ .ip = ip,
				   .body = ip + V4_HEADER,
				   .header = V4_HEADER,
				   .size = total - V4_HEADER,
				   .proto = ip[9] };
	return true;
}

static bool read_v6(uint8_t *data, size_t size, struct packet *packet)
{
	uint8_t *ip = data + FRAME_HEADER;
	size_t length;

	if (size < FRAME_HEADER + V6_HEADER || ip[0] >> 4 != 6)
		return false;
	length = get16(ip + 4);
	if (length > size - FRAME_HEADER - V6_HEADER)
		return false;
	*packet = (struct packet){ .ip = ip,
				   .body = ip + V6_HEADER,
				   .header = V6_HEADER,
				   .size = length,
				   .proto = ip[6],
				   .is_v6 = true };
	return ip[6] != 44; /* a fragment */
}

/* ---- what they hold ---- */

static enum frame_kind check_udp(const struct packet *packet, struct frame *frame)
{
	static const uint16_t refused[] = { 67, 68, 69, 546, 547 }; /* BOOTP, TFTP, DHCPv6 */

	if (packet->size < UDP_HEADER || get16(packet->body + 4) != packet->size)
		return FRAME_DROP;
	frame->source.port = get16(packet->body);
	frame->dest.port = get16(packet->body + 2);
	frame->payload = packet->size - UDP_HEADER;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if (frame->dest.port == refused[i])
			return FRAME_DROP;
	return frame->dest.port ? FRAME_UDP : FRAME_DROP;
}

/* Urgent data takes the way of all other (CVE-2026-9539 is in how libslirp reads its pointer). */
static void clear_urgent(const struct packet *packet)
{
	uint8_t *tcp = packet->body;
	uint32_t sum = (uint16_t)~get16(tcp + 16);

	/* RFC 1624: what changes is taken out of the sum and put in again. */
	sum += (uint16_t)~get16(tcp + 12);
	sum += (uint16_t)~get16(tcp + 18);
	tcp[13] &= (uint8_t)~TCP_URG;
	put16(tcp + 18, 0);
	sum += get16(tcp + 12);
	put16(tcp + 16, fold(sum));
}

static enum frame_kind check_tcp(const struct packet *packet, struct frame *frame)
{
	const uint8_t *tcp = packet->body;
	size_t header;

	if (packet->size < TCP_HEADER)
		return FRAME_DROP;
	header = (size_t)(tcp[12] >> 4) * 4;
	if (header < TCP_HEADER || header > packet->size)
		return FRAME_DROP;
	frame->source.port = get16(tcp);
	frame->dest.port = get16(tcp + 2);
	frame->payload = packet->size - header;
	frame->is_syn = (tcp[13] & (TCP_SYN | TCP_ACK)) == TCP_SYN;
	if (tcp[13] & TCP_URG || get16(tcp + 18))
		clear_urgent(packet);
	return FRAME_TCP;
}

/* Neighbour discovery and router solicitation between neighbours: hop limit 255, RFC 4861. */
static bool is_discovery(const struct packet *packet)
{
	const uint8_t *dest = packet->ip + 24;
	uint8_t type = packet->size >= ICMP_HEADER ? packet->body[0] : 0;

	if (packet->ip[7] != 255 || packet->ip[8] == 0xff)
		return false;
	if (packet->size >= 24 && (type == 135 || type == 136))
		return dest[0] != 0xff || dest[1] == 0x02;
	return type == 133 && dest[0] == 0xff && dest[1] == 0x02;
}

static enum frame_kind check_icmp(const struct packet *packet, struct frame *frame)
{
	uint8_t request = packet->is_v6 ? 128 : 8;

	if (packet->size < ICMP_HEADER || packet->body[0] != request || packet->body[1] != 0)
		return FRAME_DROP;
	frame->source.port = get16(packet->body + 4);
	frame->payload = packet->size - ICMP_HEADER;
	return FRAME_ECHO;
}

static enum frame_kind check_packet(const struct packet *packet, struct frame *frame)
{
	const uint8_t *source = packet->ip + (packet->is_v6 ? 8 : 12);

	frame->source.addr = packet->is_v6 ? net_addr_v6(source) : net_addr_v4(source);
	frame->dest.addr = packet->is_v6 ? net_addr_v6(source + 16) : net_addr_v4(source + 4);
	if (packet->is_v6 && packet->proto == PROTO_ICMP6 && is_discovery(packet))
		return FRAME_NEIGHBOUR;
	if (!has_fine_ends(packet))
		return FRAME_DROP;
	switch (packet->proto) {
	case PROTO_UDP:
		return check_udp(packet, frame);
	case PROTO_TCP:
		return check_tcp(packet, frame);
	case PROTO_ICMP:
	case PROTO_ICMP6:
		return (packet->proto == PROTO_ICMP6) == packet->is_v6 ? check_icmp(packet, frame)
								       : FRAME_DROP;
	default:
		return FRAME_PROHIBITED;
	}
}

/* Ethernet and IPv4, request or reply, RFC 826. */
static bool is_fine_arp(const uint8_t *data, size_t size)
{
	static const uint8_t head[] = { 0, 1, 8, 0, 6, 4, 0 };
	const uint8_t *arp = data + FRAME_HEADER;

	return size >= FRAME_HEADER + ARP_SIZE && memcmp(arp, head, sizeof(head)) == 0 &&
	       (arp[7] == 1 || arp[7] == 2);
}

static bool read_packet(uint8_t *data, size_t size, struct packet *packet)
{
	switch (get16(data + 12)) {
	case ETHERTYPE_V4:
		return read_v4(data, size, packet);
	case ETHERTYPE_V6:
		return read_v6(data, size, packet);
	default:
		return false;
	}
}

void frame_check(uint8_t *data, size_t size, struct frame *ret_frame)
{
	struct packet packet;

	*ret_frame = (struct frame){ .kind = FRAME_DROP };
	if (size < FRAME_HEADER || size > UINT16_MAX)
		return;
	if (get16(data + 12) == ETHERTYPE_ARP)
		ret_frame->kind = is_fine_arp(data, size) ? FRAME_NEIGHBOUR : FRAME_DROP;
	else if (read_packet(data, size, &packet))
		ret_frame->kind = check_packet(&packet, ret_frame);
	if (ret_frame->kind == FRAME_DROP)
		*ret_frame = (struct frame){ .kind = FRAME_DROP };
}

/* ---- answers ---- */

static void put_ethernet(const uint8_t *data, uint8_t *reply)
{
	memcpy(reply, data + 6, 6);
	/* Its destination's, but for a group's. */
	memcpy(reply + 6, data, 6);
	reply[6] &= (uint8_t)~1u;
	memcpy(reply + 12, data + 12, 2);
}

/* An IP header for @size bytes of @proto, from @source to @packet's sender. */
static void put_ip(const struct packet *packet, const uint8_t *source, uint8_t proto, size_t size,
		   uint8_t *ip)
{
	memset(ip, 0, packet->header);
	if (packet->is_v6) {
		ip[0] = 0x60;
		put16(ip + 4, (uint16_t)size);
		ip[6] = proto;
		ip[7] = 64;
		memcpy(ip + 8, source, 16);
		memcpy(ip + 24, packet->ip + 8, 16);
		return;
	}
	ip[0] = 0x45;
	put16(ip + 2, (uint16_t)(V4_HEADER + size));
	ip[8] = 64;
	ip[9] = proto;
	memcpy(ip + 12, source, 4);
	memcpy(ip + 16, packet->ip + 12, 4);
	put16(ip + 10, fold(add_sum(0, ip, V4_HEADER)));
}

/* As the closed port itself would say it, RFC 9293 3.10.7.1. */
static size_t put_reset(const struct packet *packet, uint8_t *reply)
{
	const uint8_t *tcp = packet->body;
	uint8_t *ip = reply + FRAME_HEADER, *reset = ip + packet->header;
	uint8_t flags = tcp[13];
	size_t header = (size_t)(tcp[12] >> 4) * 4;
	uint32_t length = (uint32_t)(packet->size - header) + (flags & TCP_SYN ? 1 : 0) +
			  (flags & TCP_FIN ? 1 : 0);

	if (flags & TCP_RST)
		return 0;
	put_ip(packet, packet->ip + (packet->is_v6 ? 24 : 16), PROTO_TCP, TCP_HEADER, ip);
	memset(reset, 0, TCP_HEADER);
	memcpy(reset, tcp + 2, 2);
	memcpy(reset + 2, tcp, 2);
	reset[12] = (TCP_HEADER / 4) << 4;
	if (flags & TCP_ACK) {
		memcpy(reset + 4, tcp + 8, 4);
		reset[13] = TCP_RST;
	} else {
		put32(reset + 8, get32(tcp + 4) + length);
		reset[13] = TCP_RST | TCP_ACK;
	}
	put16(reset + 16, body_sum(ip, packet->is_v6, PROTO_TCP, reset, TCP_HEADER));
	return FRAME_HEADER + packet->header + TCP_HEADER;
}

static size_t put_unreachable(const struct packet *packet, const struct net_addr *gateway,
			      uint8_t *reply)
{
	/* At most 576 bytes (RFC 1812 4.3.2.3); less than the smallest MTU of IPv6. */
	const size_t most = 576 - V4_HEADER - ICMP_HEADER;
	uint8_t *ip = reply + FRAME_HEADER, *icmp = ip + packet->header;
	uint8_t proto = packet->is_v6 ? PROTO_ICMP6 : PROTO_ICMP;
	size_t quoted = packet->header + packet->size;

	quoted = quoted < most ? quoted : most;
	put_ip(packet, gateway->bytes, proto, ICMP_HEADER + quoted, ip);
	memset(icmp, 0, ICMP_HEADER);
	icmp[0] = packet->is_v6 ? 1 : 3;
	icmp[1] = packet->is_v6 ? 1 : 13;
	memcpy(icmp + ICMP_HEADER, packet->ip, quoted);
	put16(icmp + 2, packet->is_v6 ? body_sum(ip, true, proto, icmp, ICMP_HEADER + quoted)
				      : fold(add_sum(0, icmp, ICMP_HEADER + quoted)));
	return FRAME_HEADER + packet->header + ICMP_HEADER + quoted;
}

size_t frame_prohibit(const uint8_t *data, size_t size, const struct net_addr *gateway,
		      uint8_t ret_reply[FRAME_REPLY_MAX])
{
	struct packet packet;

	/* Nothing is written through it. */
	if (size < FRAME_HEADER || !read_packet((uint8_t *)(uintptr_t)data, size, &packet) ||
	    gateway->family != (packet.is_v6 ? 6 : 4))
		return 0;
	put_ethernet(data, ret_reply);
	return packet.proto == PROTO_TCP ? put_reset(&packet, ret_reply)
					 : put_unreachable(&packet, gateway, ret_reply);
}
