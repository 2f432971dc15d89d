/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The queue of held SYNs, NFQUEUE (<linux/netfilter/nfnetlink_queue.h>). Its packets come from the
 * kernel, but their bytes from the sandbox, which may write raw packets: lengths are checked.
 */
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <string.h>

#include "net/netlink.h"
#include "net/setup.h"

#define QUEUE_NUMBER 0
#define COPY_BYTES 128
#define QUEUE_LENGTH 16384 /* more than the engine has flows that wait */
#define PACKET_ROOM 4096

static void put_header(struct nl_batch *batch, uint16_t type, uint16_t flags)
{
	struct nfgenmsg header = { .version = NFNETLINK_V0, .res_id = htons(QUEUE_NUMBER) };

	nl_message(batch, (uint16_t)(NFNL_SUBSYS_QUEUE << 8 | type), flags, &header,
		   sizeof(header));
}

int hold_open(void)
{
	_close_ int fd = nl_open(NETLINK_NETFILTER);
	struct nfqnl_msg_config_cmd bind = { .command = NFQNL_CFG_CMD_BIND };
	struct nfqnl_msg_config_params params = { .copy_range = htonl(COPY_BYTES),
						  .copy_mode = NFQNL_COPY_PACKET };
	struct nl_batch batch = { 0 };
	int r;

	if (fd < 0)
		return fd;
	put_header(&batch, NFQNL_MSG_CONFIG, NLM_F_ACK);
	nl_put(&batch, NFQA_CFG_CMD, &bind, sizeof(bind));
	put_header(&batch, NFQNL_MSG_CONFIG, NLM_F_ACK);
	nl_put(&batch, NFQA_CFG_PARAMS, &params, sizeof(params));
	nl_put_be32(&batch, NFQA_CFG_QUEUE_MAXLEN, QUEUE_LENGTH);
	r = nl_commit(&batch, fd);
	return r < 0 ? r : take_fd(&fd);
}

/* The ends of a TCP packet; false where it is none that is whole. */
static bool read_ends(const uint8_t *packet, size_t size, struct held *held)
{
	size_t header = 40;
	uint16_t ports[2];

	if (size >= 20 && packet[0] >> 4 == 4) {
		header = (size_t)(packet[0] & 0xf) * 4;
		if (header < 20 || packet[9] != IPPROTO_TCP)
			return false;
		held->source.addr = net_addr_v4(packet + 12);
		held->dest.addr = net_addr_v4(packet + 16);
	} else if (size >= header && packet[0] >> 4 == 6 && packet[6] == IPPROTO_TCP) {
		held->source.addr = net_addr_v6(packet + 8);
		held->dest.addr = net_addr_v6(packet + 24);
	} else {
		return false; /* as well as extension headers, which nobody needs here */
	}
	if (size < header + 20)
		return false;
	memcpy(ports, packet + header, sizeof(ports));
	held->source.port = ntohs(ports[0]);
	held->dest.port = ntohs(ports[1]);
	return true;
}

int hold_read(int fd, struct held *ret_held)
{
	char data[PACKET_ROOM] __attribute__((aligned(NLMSG_ALIGNTO)));
	const size_t head = NLMSG_LENGTH(sizeof(struct nfgenmsg));
	const struct nfqnl_msg_packet_hdr *header;
	const uint8_t *packet;
	struct nlmsghdr message;
	size_t size, packet_size;
	int got = nl_receive(fd, data, sizeof(data));

	*ret_held = (struct held){ 0 };
	if (got < 0)
		return got;
	size = (size_t)got;
	if (size < head)
		return -EBADMSG;
	memcpy(&message, data, sizeof(message));
	if (message.nlmsg_type != (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET))
		return -EBADMSG;
	header = nl_attribute(data + head, size - head, NFQA_PACKET_HDR, &packet_size);
	if (!header || packet_size < sizeof(*header))
		return -EBADMSG;
	ret_held->id = ntohl(header->packet_id);
	packet = nl_attribute(data + head, size - head, NFQA_PAYLOAD, &packet_size);
	return packet && read_ends(packet, packet_size, ret_held) ? 0 : -EBADMSG;
}

void hold_decide(int fd, uint32_t id, uint32_t mark, bool drop)
{
	struct nfqnl_msg_verdict_hdr verdict = { .id = htonl(id) };
	struct nl_batch batch = { 0 };

	verdict.verdict = htonl(drop ? NF_DROP : mark ? NF_REPEAT : NF_ACCEPT);
	put_header(&batch, NFQNL_MSG_VERDICT, 0);
	nl_put(&batch, NFQA_VERDICT_HDR, &verdict, sizeof(verdict));
	if (mark)
		nl_put_be32(&batch, NFQA_MARK, mark);
	ignore(nl_commit(&batch, fd)); /* the packet waits for ever, as if it had been lost */
}
