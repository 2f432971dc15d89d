/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * netlink(7): messages built in a buffer, sent at once, each acknowledged. For rtnetlink and
 * nfnetlink alike.
 */
#pragma once

#include <linux/netlink.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/util.h"

#define NL_ROOM 8192

struct nl_batch {
	char data[NL_ROOM] __attribute__((aligned(NLMSG_ALIGNTO)));
	size_t size;
	size_t message; /* where the current one begins */
	uint32_t sequence, acks;
	bool is_full; /* something did not fit: nl_commit() fails */
};

/** nl_open - a socket of @protocol (NETLINK_ROUTE...), closed on exec; fd or -errno */
must_check int nl_open(int protocol);

/** nl_message - begin one; @header: the protocol's own, @size bytes, copied. @flags: NLM_F_ACK asks
 * for an answer */
void nl_message(struct nl_batch *batch, uint16_t type, uint16_t flags, const void *header,
		size_t size);

/** nl_put - an attribute with @size bytes at @data */
void nl_put(struct nl_batch *batch, uint16_t type, const void *data, size_t size);

/** nl_put_u32, nl_put_be32, nl_put_string - the same for values, in the host's byte order or the
 * network's; the string with its NUL */
void nl_put_u32(struct nl_batch *batch, uint16_t type, uint32_t value);
void nl_put_be32(struct nl_batch *batch, uint16_t type, uint32_t value);
void nl_put_string(struct nl_batch *batch, uint16_t type, const char *text);

/** nl_nest - begin a nested attribute; give the result to nl_unnest() */
must_check size_t nl_nest(struct nl_batch *batch, uint16_t type);
void nl_unnest(struct nl_batch *batch, size_t nest);

/** nl_commit - send everything and wait for the acknowledgements; the first error, else 0. The
 * batch is empty then */
must_check int nl_commit(struct nl_batch *batch, int fd);

/** nl_receive - a datagram from the kernel (never from another process); its bytes or -errno */
must_check int nl_receive(int fd, void *data, size_t room);

/**
 * nl_attribute - the attribute of @type among the @size bytes at @data
 * @ret_size: bytes of its content
 *
 * Nothing outside is read, whatever the lengths say. Returns: its content; NULL where there is
 * none.
 */
const void *nl_attribute(const void *data, size_t size, uint16_t type, size_t *ret_size);
