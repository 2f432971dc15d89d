/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * --net-pcap: the packets of the sandbox's interfaces as a pcapng file
 * (draft-ietf-opsawg-pcapng). In the engine.
 */
#pragma once

#include "net/loop.h"

struct capture {
	struct loop_item item;
	int file_fd;
	uint16_t ports[2]; /* of the listeners that connections are redirected to, IPv4 and IPv6 */
	bool (*find_real)(void *context, const struct net_end *source, struct net_end *ret_dest);
	void *context;
};

/** capture_open - a socket of all packets in this network namespace; fd or -errno. With CAP_NET_RAW
 */
must_check int capture_open(void);

/**
 * capture_start - write packets of @socket_fd to @file_fd, headers first
 * @ports: redirected connections lead there
 * @find_real: where the connection from @source really leads
 */
must_check int capture_start(struct capture *capture, struct loop *loop, int file_fd, int socket_fd,
			     const uint16_t ports[2],
			     bool (*find_real)(void *context, const struct net_end *source,
					       struct net_end *ret_dest),
			     void *context);
