/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Netlink messages, from the kernel only.
 */
#include "net/netlink.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#define HEAD sizeof(struct nlattr)
#define ALIGNED(size) (((size) + NLA_ALIGNTO - 1) & ~((size_t)NLA_ALIGNTO - 1))

int nl_open(int protocol)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	return fd < 0 ? -errno : fd;
}

/* Room for @size bytes, aligned and zeroed. */
static void *reserve(struct nl_batch *batch, size_t size)
{
	size_t aligned = ALIGNED(size);
	void *place = batch->data + batch->size;

	if (aligned > sizeof(batch->data) - batch->size) {
		batch->is_full = true;
		return NULL;
	}
	memset(place, 0, aligned);
	batch->size += aligned;
	return place;
}

/* The message's length grows with all that is put into it. */
static void measure(struct nl_batch *batch)
{
	struct nlmsghdr *header = (void *)(batch->data + batch->message);

	header->nlmsg_len = (uint32_t)(batch->size - batch->message);
}

void nl_message(struct nl_batch *batch, uint16_t type, uint16_t flags, const void *header,
		size_t size)
{
	size_t start = batch->size;
	struct nlmsghdr *message = reserve(batch, sizeof(*message));
	void *more = reserve(batch, size);

	if (!message || !more)
		return;
	batch->message = start;
	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST | flags;
	message->nlmsg_seq = ++batch->sequence;
	batch->acks += (flags & NLM_F_ACK) != 0;
	memcpy(more, header, size);
	measure(batch);
}

void nl_put(struct nl_batch *batch, uint16_t type, const void *data, size_t size)
{
	struct nlattr *attribute = reserve(batch, HEAD + size);

	if (!attribute)
		return;
	attribute->nla_type = type;
	attribute->nla_len = (uint16_t)(HEAD + size);
	if (size)
		memcpy((char *)attribute + HEAD, data, size);
	measure(batch);
}

void nl_put_u32(struct nl_batch *batch, uint16_t type, uint32_t value)
{
	nl_put(batch, type, &value, sizeof(value));
}

void nl_put_be32(struct nl_batch *batch, uint16_t type, uint32_t value)
{
	nl_put_u32(batch, type, htonl(value));
}

void nl_put_string(struct nl_batch *batch, uint16_t type, const char *text)
{
	nl_put(batch, type, text, strlen(text) + 1);
}

size_t nl_nest(struct nl_batch *batch, uint16_t type)
{
	size_t nest = batch->size;

	nl_put(batch, type | NLA_F_NESTED, NULL, 0);
	return nest;
}

void nl_unnest(struct nl_batch *batch, size_t nest)
{
	struct nlattr *attribute = (void *)(batch->data + nest);

	if (!batch->is_full)
		attribute->nla_len = (uint16_t)(batch->size - nest);
}

int nl_receive(int fd, void *data, size_t room)
{
	struct sockaddr_nl from = { 0 };
	struct iovec part = { .iov_base = data, .iov_len = room };
	struct msghdr header = {
		.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &part, .msg_iovlen = 1
	};
	ssize_t got;

	do
		got = recvmsg(fd, &header, 0);
	while ((got < 0 && errno == EINTR) || (got >= 0 && from.nl_pid != 0));
	if (got < 0)
		return -errno;
	return header.msg_flags & MSG_TRUNC ? -EMSGSIZE : (int)got;
}

/* The answers in one datagram: how many there were, and the first error. */
static uint32_t count_acks(const char *data, size_t size, int *first_error)
{
	const struct nlmsghdr *message = (const void *)data;
	uint32_t count = 0;

	for (; NLMSG_OK(message, size); message = NLMSG_NEXT(message, size)) {
		const struct nlmsgerr *answer = NLMSG_DATA(message);

		if (message->nlmsg_type != NLMSG_ERROR ||
		    message->nlmsg_len < NLMSG_LENGTH(sizeof(answer->error)))
			continue;
		count++;
		if (answer->error && !*first_error)
			*first_error = answer->error;
	}
	return count;
}

int nl_commit(struct nl_batch *batch, int fd)
{
	char answer[NL_ROOM] __attribute__((aligned(NLMSG_ALIGNTO)));
	uint32_t waiting = batch->acks;
	int error = batch->is_full ? -EMSGSIZE : 0;

	if (!error && send(fd, batch->data, batch->size, 0) < 0)
		error = -errno;
	/* A batch of nfnetlink that fails has answers for each message and may have one more. */
	while (!error && waiting) {
		int got = nl_receive(fd, answer, sizeof(answer));
		uint32_t count;

		if (got < 0)
			error = got;
		count = got < 0 ? 0 : count_acks(answer, (size_t)got, &error);
		waiting -= count < waiting ? count : waiting;
	}
	while (error && recv(fd, answer, sizeof(answer), MSG_DONTWAIT) > 0)
		; /* what else there was to say about it */
	batch->size = batch->acks = 0;
	batch->is_full = false;
	return error;
}

const void *nl_attribute(const void *data, size_t size, uint16_t type, size_t *ret_size)
{
	const char *at = data;

	while (size >= HEAD) {
		struct nlattr attribute;
		size_t step;

		memcpy(&attribute, at, sizeof(attribute));
		if (attribute.nla_len < HEAD || attribute.nla_len > size)
			return NULL;
		if ((attribute.nla_type & NLA_TYPE_MASK) == type) {
			*ret_size = (size_t)attribute.nla_len - HEAD;
			return at + HEAD;
		}
		step = ALIGNED((size_t)attribute.nla_len);
		if (step >= size)
			return NULL;
		at += step;
		size -= step;
	}
	return NULL;
}
