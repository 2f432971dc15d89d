/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The factory, for published ports: in the sandbox's network with CAP_NET_RAW there, it makes
 * sockets that come from the client's address, and hands them to the broker. Apart from the engine,
 * which has sockets of the host's and so may not connect(2) any. With --publish-auto it also looks
 * which sockets listen.
 */
#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <string.h>
#include <time.h>

#include "net/engine.h"
#include "net/netlink.h"

#define WATCH_MS 250
#define PORTS_MAX 256

struct factory {
	struct loop loop;
	struct link broker;
	int diag_fd; /* -1 without --publish-auto */
	uint16_t ports[PORTS_MAX];
	size_t port_count;
	uint16_t ours[PORTS_MAX]; /* the nameserver and the redirection */
	size_t our_count;
};

/* ---- sockets ---- */

/* From the client's address, so that the service sees it: IP_TRANSPARENT, and the mark by which
 * the answers find back. */
static int be_client(int fd, const struct net_end *client, bool is_v6)
{
	int on = 1, mark = SETUP_PUBLISH_MARK;
	struct sockaddr_storage address;
	socklen_t length = net_end_to(client, &address);

	if (setsockopt(fd, is_v6 ? IPPROTO_IPV6 : IPPROTO_IP,
		       is_v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -errno;
	return bind(fd, (void *)&address, length) < 0 ? -errno : 0;
}

/* A socket that is connected, or will be. @source: none: any address. fd or -errno. */
static int make_socket(const struct net_msg *msg)
{
	struct sockaddr_storage address;
	socklen_t length = net_end_to(&msg->dest, &address);
	int type =
		(msg->proto == NET_UDP ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
	_close_ int fd = socket(address.ss_family, type, 0);
	int r = fd < 0 ? -errno : 0;

	if (r == 0 && msg->source.addr.family)
		r = be_client(fd, &msg->source, msg->dest.addr.family == 6);
	if (r < 0)
		return r;
	if (connect(fd, (void *)&address, length) < 0 && errno != EINPROGRESS)
		return -errno;
	return take_fd(&fd);
}

static void take_message(struct link *link, const struct net_msg *msg, const char *data,
			 size_t size, int fds[2])
{
	struct net_msg reply = { .type = MSG_MADE, .id = msg->id };
	int made[2] = { -EBADF, -EBADF };

	(void)data;
	(void)size;
	(void)fds;
	if (msg->type != MSG_MAKE)
		return;
	made[0] = make_socket(msg);
	/* An address that cannot be taken, as one that another socket has: without it, then. */
	if (made[0] < 0 && made[0] != -ECONNREFUSED && msg->source.addr.family) {
		struct net_msg plain = *msg;

		plain.source = (struct net_end){ 0 };
		made[0] = make_socket(&plain);
	}
	reply.status = made[0] < 0 ? -made[0] : 0;
	link_send(link, &reply, made);
}

/* ---- listening sockets ---- */

static bool holds(const uint16_t *ports, size_t count, uint16_t port)
{
	for (size_t i = 0; i < count; i++)
		if (ports[i] == port)
			return true;
	return false;
}

/* Ports of listening TCP sockets of @family, appended. */
static int list_ports(int fd, uint8_t family, uint16_t ports[PORTS_MAX], size_t *count)
{
	char data[32768] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct inet_diag_req_v2 request = { .sdiag_family = family,
					    .sdiag_protocol = IPPROTO_TCP,
					    .idiag_states = 1u << TCP_LISTEN };
	struct nl_batch batch = { 0 };
	int r;

	nl_message(&batch, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &request, sizeof(request));
	r = nl_commit(&batch, fd);
	while (r == 0) {
		int got = nl_receive(fd, data, sizeof(data));
		size_t size = got < 0 ? 0 : (size_t)got;

		if (got < 0)
			return got;
		for (struct nlmsghdr *message = (void *)data; NLMSG_OK(message, size);
		     message = NLMSG_NEXT(message, size)) {
			const struct inet_diag_msg *socket = NLMSG_DATA(message);
			uint16_t port;

			if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR)
				return 0;
			if (message->nlmsg_len < NLMSG_LENGTH(sizeof(*socket)))
				continue;
			port = ntohs(socket->id.idiag_sport);
			if (*count < PORTS_MAX && !holds(ports, *count, port))
				ports[(*count)++] = port;
		}
	}
	return r;
}

static void tell(struct factory *factory, uint16_t port, bool ended)
{
	struct net_msg msg = { .type = MSG_LISTENING, .status = ended, .dest = { .port = port } };

	link_send(&factory->broker, &msg, NULL);
}

/* There is no event for listen(2). */
static void look(void *context)
{
	struct factory *factory = context;
	uint16_t ports[PORTS_MAX];
	size_t count = 0;

	if (list_ports(factory->diag_fd, AF_INET, ports, &count) < 0 ||
	    list_ports(factory->diag_fd, AF_INET6, ports, &count) < 0)
		return;
	/* Each time: a port that was taken on the host may be free by now. */
	for (size_t i = 0; i < count; i++)
		if (!holds(factory->ours, factory->our_count, ports[i]))
			tell(factory, ports[i], false);
	for (size_t i = 0; i < factory->port_count; i++)
		if (!holds(ports, count, factory->ports[i]))
			tell(factory, factory->ports[i], true);
	memcpy(factory->ports, ports, count * sizeof(ports[0]));
	factory->port_count = count;
}

int factory_run(int broker_fd, int diag_fd)
{
	static struct factory factory; /* the process's only one */
	struct net_msg ready = { .type = MSG_READY };
	int r = loop_open(&factory.loop);

	factory.broker.receive = take_message;
	factory.loop.tick = diag_fd < 0 ? NULL : look;
	factory.loop.tick_ms = WATCH_MS;
	factory.loop.context = &factory;
	factory.diag_fd = diag_fd;
	if (r == 0)
		r = link_open(&factory.broker, &factory.loop, broker_fd);
	/* What listens before COMMAND runs is ours. */
	if (r == 0 && diag_fd >= 0)
		r = list_ports(diag_fd, AF_INET, factory.ours, &factory.our_count);
	if (r == 0 && diag_fd >= 0)
		r = list_ports(diag_fd, AF_INET6, factory.ours, &factory.our_count);
	if (r == 0)
		link_send(&factory.broker, &ready, NULL);
	return r < 0 ? r : loop_run(&factory.loop);
}
