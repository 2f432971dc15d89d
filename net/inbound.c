/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Published ports, in the broker. A client's connection is matched by one inside, which the factory
 * makes from the client's own address; the engine relays between both. Datagrams are relayed here,
 * over one socket inside for each client.
 *
 * A service may listen on all addresses or on loopback only: what refuses is followed by the next.
 */
#include <string.h>

#include "net/broker.h"

#define INBOUND_MAX 4096 /* connections that are being made, and clients of datagrams */
#define STAGES 4	 /* addresses inside that are tried */
#define SESSION_MS 60000 /* a client of datagrams that is silent for so long is forgotten */
#define DATAGRAM_MAX 65536
#define BURST 64
#define AUTO_MAX 256

/* A host socket. */
struct listener {
	struct listener *next;
	struct loop_item item;
	struct broker *broker;
	struct published published;
};

/* A client's connection that is being made, or a client of datagrams. */
struct session {
	struct session *next, **place;
	struct loop_item item; /* fd: the socket inside, -1 */
	struct broker *broker;
	const struct listener *listener;
	uint32_t id;
	int client_fd; /* TCP; -1 */
	struct net_end client;
	struct sockaddr_storage address; /* the client's, as it came */
	socklen_t address_length;
	size_t stage;
	bool is_connected;
	int64_t since;
	uint64_t sent, received;
	char *first; /* datagram that waits for the socket; allocated */
	size_t first_size;
};

struct inbound {
	struct listener *listeners;
	size_t auto_count;
	struct session *sessions;
	size_t session_count;
};

static const struct {
	const char *address; /* NULL: the sandbox's own */
	bool is_v6;
	bool keeps_client; /* may come from the client's address */
} stages[2][STAGES] = {
	/* clients of IPv4, and unix sockets' */
	{ { NULL, false, true },
	  { "127.0.0.1", false, true },
	  { "::1", true, false },
	  { NULL, true, false } },
	/* clients of IPv6 */
	{ { NULL, true, true },
	  { "::1", true, true },
	  { "127.0.0.1", false, false },
	  { NULL, false, false } },
};

static bool is_loopback(const struct net_addr *addr)
{
	static const uint8_t v6[16] = { [15] = 1 };

	return addr->family == 4 ? addr->bytes[0] == 127 : memcmp(addr->bytes, v6, 16) == 0;
}

static void free_session(struct session *session)
{
	struct broker *broker = session->broker;

	if (session->item.fd >= 0) {
		loop_remove(&broker->loop, &session->item);
		(void)close(session->item.fd);
	}
	close_pointer(&session->client_fd);
	*session->place = session->next;
	if (session->next)
		session->next->place = session->place;
	broker->inbound->session_count--;
	free(session->first);
	free(session);
}

/* Nobody listens inside: as if the port were closed. */
static void give_up(struct session *session)
{
	if (session->client_fd >= 0)
		relay_reset_fd(take_fd(&session->client_fd));
	free_session(session);
}

/* Asks the factory for a socket to the next address. */
static void try_next(struct session *session)
{
	const struct broker_start *start = session->broker->start;
	size_t row = session->client.addr.family == 6;
	/* An unbound socket answers a loopback address from one, whatever address was asked. */
	bool swaps =
		session->listener->published.proto == NET_UDP && is_loopback(&session->client.addr);
	struct net_msg msg = { .type = MSG_MAKE,
			       .id = session->id,
			       .proto = (uint8_t)session->listener->published.proto };

	while (session->stage < STAGES) {
		size_t stage = session->stage++ ^ swaps;
		bool is_v6 = stages[row][stage].is_v6;

		msg.dest = (struct net_end){ start->layout.own[is_v6],
					     session->listener->published.inside };
		if (stages[row][stage].address)
			ignore(net_addr_parse(stages[row][stage].address, &msg.dest.addr));
		if (!msg.dest.addr.family)
			continue;
		if (stages[row][stage].keeps_client)
			msg.source = session->client;
		link_send(&session->broker->factory, &msg, NULL);
		return;
	}
	give_up(session);
}

static struct session *new_session(const struct listener *listener)
{
	struct broker *broker = listener->broker;
	struct session *session = NULL;

	if (broker->inbound->session_count < INBOUND_MAX)
		session = calloc(1, sizeof(*session));
	if (!session)
		return NULL;
	*session = (struct session){ .next = broker->inbound->sessions,
				     .place = &broker->inbound->sessions,
				     .item = { .fd = -EBADF },
				     .broker = broker,
				     .listener = listener,
				     .id = broker->last_id--,
				     .client_fd = -EBADF,
				     .since = loop_now() };
	if (session->next)
		session->next->place = &session->next;
	broker->inbound->sessions = session;
	broker->inbound->session_count++;
	return session;
}

/* ---- connections ---- */

static void hand_over(struct session *session)
{
	struct broker *broker = session->broker;
	struct record record = { .id = session->id,
				 .proto = NET_TCP,
				 .is_inbound = true,
				 .rule = REASON_DEFAULT,
				 .dest = session->client };
	struct net_msg msg = { .type = MSG_PAIR, .id = session->id, .source = session->client };
	int fds[2];

	loop_remove(&broker->loop, &session->item);
	fds[0] = take_fd(&session->item.fd);
	fds[1] = take_fd(&session->client_fd);
	broker_record(broker, &record);
	link_send(&broker->engine, &msg, fds);
	free_session(session);
}

static void act_connecting(struct loop_item *item, uint32_t events)
{
	struct session *session = container_of(item, struct session, item);
	int error = 0;
	socklen_t length = sizeof(error);

	(void)events;
	if (getsockopt(item->fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
		error = errno;
	if (!error) {
		hand_over(session);
		return;
	}
	loop_remove(&session->broker->loop, &session->item);
	(void)close(take_fd(&session->item.fd));
	try_next(session);
}

static void accept_clients(struct listener *listener)
{
	for (int i = 0; i < BURST; i++) {
		struct sockaddr_storage address = { 0 };
		socklen_t length = sizeof(address);
		int fd = accept4(listener->item.fd, (void *)&address, &length,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct session *session;

		if (fd < 0)
			return;
		session = new_session(listener);
		if (!session) {
			relay_reset_fd(fd);
			continue;
		}
		session->client_fd = fd;
		session->client = net_end_from(&address);
		try_next(session);
	}
}

/* ---- datagrams ---- */

static void send_inside(struct session *session, const char *data, size_t size)
{
	session->since = loop_now();
	if (send(session->item.fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		session->received += size;
}

/* An answer for the client; or nobody listens at this address. */
static void act_datagram(struct loop_item *item, uint32_t events)
{
	static char data[DATAGRAM_MAX]; /* one process, one thread */
	struct session *session = container_of(item, struct session, item);
	struct iovec part = { .iov_base = data };
	struct msghdr header = { .msg_name = &session->address,
				 .msg_namelen = session->address_length,
				 .msg_iov = &part,
				 .msg_iovlen = 1 };

	(void)events;
	for (int i = 0; i < BURST; i++) {
		ssize_t got = recv(item->fd, data, sizeof(data), MSG_DONTWAIT);

		if (got < 0 && errno == ECONNREFUSED && !session->is_connected) {
			loop_remove(&session->broker->loop, &session->item);
			(void)close(take_fd(&session->item.fd));
			try_next(session);
			return;
		}
		if (got < 0)
			return;
		session->is_connected = true;
		session->since = loop_now();
		session->sent += (size_t)got;
		part.iov_len = (size_t)got;
		ignore(sendmsg(session->listener->item.fd, &header, MSG_NOSIGNAL) < 0);
	}
}

static struct session *find_session(const struct listener *listener, const struct net_end *client)
{
	struct session *session = listener->broker->inbound->sessions;

	while (session && (session->listener != listener || session->client.port != client->port ||
			   !net_addr_equal(&session->client.addr, &client->addr)))
		session = session->next;
	return session;
}

static void take_datagrams(struct listener *listener)
{
	static char data[DATAGRAM_MAX]; /* one process, one thread */

	for (int i = 0; i < BURST; i++) {
		struct sockaddr_storage address = { 0 };
		socklen_t length = sizeof(address);
		ssize_t got = recvfrom(listener->item.fd, data, sizeof(data), MSG_DONTWAIT,
				       (void *)&address, &length);
		struct net_end client = net_end_from(&address);
		struct session *session;

		if (got < 0)
			return;
		session = find_session(listener, &client);
		if (session) {
			if (session->item.fd >= 0)
				send_inside(session, data, (size_t)got);
			continue;
		}
		session = new_session(listener);
		if (!session)
			continue;
		session->client = client;
		session->address = address;
		session->address_length = length;
		session->first = malloc((size_t)got + 1);
		if (!session->first) {
			free_session(session);
			continue;
		}
		memcpy(session->first, data, (size_t)got);
		session->first_size = (size_t)got;
		try_next(session);
	}
}

/* ---- */

static void act_listener(struct loop_item *item, uint32_t events)
{
	struct listener *listener = container_of(item, struct listener, item);

	(void)events;
	if (listener->published.proto == NET_UDP)
		take_datagrams(listener);
	else
		accept_clients(listener);
}

void inbound_made(struct broker *broker, const struct net_msg *msg, int fds[2])
{
	struct session *session = broker->inbound->sessions;
	bool is_udp;

	while (session && session->id != msg->id)
		session = session->next;
	if (!session || session->item.fd >= 0)
		return;
	if (msg->status != 0 || fds[0] < 0) {
		try_next(session);
		return;
	}
	is_udp = session->listener->published.proto == NET_UDP;
	session->item.act = is_udp ? act_datagram : act_connecting;
	if (loop_add(&broker->loop, &session->item, fds[0], is_udp ? EPOLLIN : EPOLLOUT) < 0) {
		session->item.fd = -EBADF;
		give_up(session);
		return;
	}
	(void)take_fd(&fds[0]);
	/* Sent again to each address, until one answers. */
	if (is_udp)
		send_inside(session, session->first, session->first_size);
}

static int add_listener(struct broker *broker, const struct published *published)
{
	struct listener *listener = calloc(1, sizeof(*listener));
	int r;

	if (!listener)
		return -ENOMEM;
	listener->broker = broker;
	listener->published = *published;
	listener->item.act = act_listener;
	r = loop_add(&broker->loop, &listener->item, published->fd, EPOLLIN);
	if (r < 0) {
		free(listener);
		return r;
	}
	listener->next = broker->inbound->listeners;
	broker->inbound->listeners = listener;
	return 0;
}

/* ---- --publish-auto ---- */

static bool is_published(const struct broker *broker, uint16_t port)
{
	for (struct listener *listener = broker->inbound->listeners; listener;
	     listener = listener->next)
		if (listener->published.proto == NET_TCP && listener->published.inside == port)
			return true;
	return false;
}

static void publish_at(struct broker *broker, const char *address, uint16_t port)
{
	struct net_end end = { .port = port };
	struct sockaddr_storage storage;
	struct published published = {
		.proto = NET_TCP, .inside = port, .port = port, .is_auto = true
	};
	_close_ int fd = -EBADF;
	int on = 1;
	socklen_t length;

	ignore(net_addr_parse(address, &end.addr)); /* a constant that is right */
	length = net_end_to(&end, &storage);
	fd = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (end.addr.family == 6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	/* A port that is taken on the host stays with who has it. */
	if (bind(fd, (void *)&storage, length) < 0 || listen(fd, SOMAXCONN) < 0)
		return;
	published.fd = fd;
	published.addr = end.addr;
	if (add_listener(broker, &published) == 0) {
		(void)take_fd(&fd);
		broker->inbound->auto_count++;
	}
}

/* Those that stopped to listen inside, or that @end, a place on the host, is no longer to lead to.
 */
static void unpublish(struct broker *broker, enum net_proto proto, const struct net_end *end,
		      uint16_t inside)
{
	struct listener **place = &broker->inbound->listeners;

	while (*place) {
		struct listener *listener = *place;
		const struct published *published = &listener->published;
		bool is_meant = published->inside == inside &&
				(end ? published->proto == proto && published->port == end->port &&
						 net_addr_equal(&published->addr, &end->addr)
				     : published->is_auto);
		struct session *next;

		if (!is_meant) {
			place = &listener->next;
			continue;
		}
		for (struct session *session = broker->inbound->sessions; session; session = next) {
			next = session->next;
			if (session->listener == listener)
				give_up(session);
		}
		loop_remove(&broker->loop, &listener->item);
		(void)close(listener->item.fd);
		*place = listener->next;
		broker->inbound->auto_count -= published->is_auto;
		free(listener);
	}
}

void inbound_publish(struct broker *broker, const struct net_msg *msg, int fds[2])
{
	const struct published published = { .fd = fds[0],
					     .proto = (enum net_proto)msg->proto,
					     .inside = msg->dest.port,
					     .port = msg->source.port,
					     .addr = msg->source.addr };

	if (msg->flag)
		unpublish(broker, published.proto, &msg->source, published.inside);
	else if (published.fd >= 0 && add_listener(broker, &published) == 0)
		fds[0] = -EBADF;
}

void inbound_listening(struct broker *broker, const struct net_msg *msg)
{
	if (msg->status) { /* nobody listens any more */
		unpublish(broker, NET_TCP, NULL, msg->dest.port);
	} else if (!is_published(broker, msg->dest.port) &&
		   broker->inbound->auto_count < AUTO_MAX) {
		publish_at(broker, "127.0.0.1", msg->dest.port);
		publish_at(broker, "::1", msg->dest.port);
	}
}

/* ---- */

bool inbound_waits(const struct broker *broker)
{
	return broker->inbound->sessions != NULL;
}

static void forget_session(struct session *session)
{
	if (session->listener->published.proto == NET_UDP)
		log_write(session->broker,
			  &(struct log_line){ .event = "flow",
					      .proto = NET_UDP,
					      .dest = &session->client,
					      .is_inbound = true,
					      .allowed = true,
					      .rule = REASON_DEFAULT,
					      .sent = session->sent,
					      .received = session->received,
					      .milliseconds = loop_now() - session->since });
	give_up(session);
}

void inbound_end(struct broker *broker)
{
	while (broker->inbound->sessions)
		forget_session(broker->inbound->sessions);
}

void inbound_tick(struct broker *broker)
{
	int64_t old = loop_now() - SESSION_MS;
	struct session *next;

	for (struct session *session = broker->inbound->sessions; session; session = next) {
		next = session->next;
		if (session->since <= old)
			forget_session(session);
	}
}

int inbound_start(struct broker *broker)
{
	static struct inbound inbound; /* the process's only one */
	int r = 0;

	broker->inbound = &inbound;
	for (size_t i = 0; r == 0 && i < broker->start->published_count; i++)
		r = add_listener(broker, &broker->start->published[i]);
	return r;
}
