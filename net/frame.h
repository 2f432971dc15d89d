/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The frame filter: what the sandbox sends goes through here before libslirp sees it. Nothing but
 * whole, plain IPv4 and IPv6 packets of UDP, ICMP echo and (only as the fallback) TCP get through,
 * and what ARP and neighbour discovery need. Pure: bytes in, a verdict out; the bytes are hostile.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netconf/addr.h"

enum frame_kind {
	FRAME_DROP,	 /* malformed, or of a kind that nobody needs: silently dropped */
	FRAME_NEIGHBOUR, /* ARP; ICMPv6 router and neighbour solicitation, advertisement */
	FRAME_UDP,
	FRAME_ECHO, /* ICMP echo request; source.port is its id */
	FRAME_TCP,
	FRAME_PROHIBITED /* a packet of a protocol we do not carry: to be answered */
};

struct frame {
	enum frame_kind kind;
	struct net_end source, dest; /* ports 0 where the protocol has none */
	size_t payload;		     /* bytes behind the UDP or TCP header */
	bool is_syn;		     /* TCP: opens a connection (SYN without ACK) */
};

#define FRAME_HEADER 14	     /* bytes of an Ethernet header */
#define FRAME_REPLY_MAX 1024 /* room that frame_prohibit() needs */

/**
 * frame_check - may this frame reach libslirp?
 * @data: the frame from its Ethernet header on; the urgent pointer and flag of TCP are cleared in
 * place, with the checksum mended (CVE-2026-9539)
 * @size: bytes in @data
 * @ret_frame: what it is, kind included
 *
 * Dropped: less than the headers say or more than 65535 bytes, a wrong IP version or header length,
 * IPv4 header checksum, a total length beyond the frame, IPv4 options, fragments of both families,
 * IPv6 extension headers (FRAME_PROHIBITED where the packet is whole), UDP lengths that disagree,
 * TCP data offsets below 5 or beyond the packet, UDP to ports 67, 68, 69, 546, 547, source or
 * destination multicast or broadcast addresses (but those of neighbour discovery), any EtherType
 * but ARP, IPv4 and IPv6 (NC-SI 0x88F8 above all), VLAN tags; ARP that is no Ethernet/IPv4 request
 * or reply of exactly its length; ICMP other than echo request. Bytes behind the packet (padding)
 * are fine.
 */
void frame_check(uint8_t *data, size_t size, struct frame *ret_frame);

/**
 * frame_prohibit - the answer to a frame that the policy forbids
 * @data, @size: the frame as it came, accepted by frame_check() as UDP, ECHO, TCP or PROHIBITED
 * @gateway: our address of the packet's family, the sender of the answer
 * @ret_reply: receives the answer's frame, back to the sender's MAC address: for TCP a RST (RFC
 * 9293 3.10.7.1), else ICMP destination unreachable, communication administratively prohibited
 * (type 3 code 13; ICMPv6 type 1 code 1) with as much of the packet as RFC 1812 and RFC 4443 want
 *
 * Checksums are filled in. Returns: its bytes, 0 where there is to be none (TCP RST itself).
 */
size_t frame_prohibit(const uint8_t *data, size_t size, const struct net_addr *gateway,
		      uint8_t ret_reply[FRAME_REPLY_MAX]);

/** frame_checksum - fill in the TCP or UDP checksum of a whole packet (PACKET_VNET_HDR and
 * TUN_F_CSUM leave it partial): @start, @offset as in struct virtio_net_hdr, counted from the
 * frame's first byte; false where they lie outside */
bool frame_complete_checksum(uint8_t *data, size_t size, size_t start, size_t offset);
