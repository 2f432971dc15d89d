/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The broker: on the host's network, without capabilities, in an empty root. It alone decides who
 * may be reached, and connects. What it reads of the sandbox are DNS queries and the messages of
 * the engine, of which it believes nothing but that somebody inside wants to go there.
 */
#include "net/broker.h"

#include <linux/rtnetlink.h>
#include <string.h>

#include "net/netlink.h"

#define ATTEMPTS_MAX 4096
#define TICK_MS 1000

/* A connection that is being made. */
struct attempt {
	struct attempt *next, **place;
	struct loop_item item;
	struct broker *broker;
	struct record record;
	bool check_name;
};

/* ---- records ---- */

static struct record **find_record(struct broker *broker, uint32_t id)
{
	struct record **place = &broker->records[id % RECORD_BUCKETS];

	while (*place && (*place)->id != id)
		place = &(*place)->next;
	return place;
}

/* gcc 12's analyzer loses sight of what lies behind a variable index and takes it for leaked. */
#ifndef __clang__
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif
void broker_record(struct broker *broker, const struct record *record)
{
	struct record *copy = malloc(sizeof(*copy));
	struct record **bucket = &broker->records[record->id % RECORD_BUCKETS];

	if (!copy)
		return; /* it will be missing in the log */
	*copy = *record;
	copy->since = loop_now();
	copy->next = *bucket;
	*bucket = copy;
}
#ifndef __clang__
#pragma GCC diagnostic pop
#endif

static void log_denial(const struct broker *broker, enum net_proto proto,
		       const struct net_end *dest, int rule, const char *name)
{
	log_write(broker,
		  &(struct log_line){
			  .event = "denied",
			  .proto = proto,
			  .name = name && name[0] ? name
						  : policy_name_of(&broker->policy, &dest->addr),
			  .dest = dest,
			  .rule = rule,
			  .milliseconds = -1 });
}

static void connection_ended(struct broker *broker, const struct net_msg *msg)
{
	struct record **place = find_record(broker, msg->id), *record = *place;

	if (!record)
		return;
	log_write(broker, &(struct log_line){ .event = "flow",
					      .proto = record->proto,
					      .name = record->is_inbound
							      ? NULL
							      : policy_name_of(&broker->policy,
									       &record->dest.addr),
					      .dest = &record->dest,
					      .is_inbound = record->is_inbound,
					      .allowed = true,
					      .rule = record->rule,
					      .sent = msg->sent,
					      .received = msg->received,
					      .milliseconds = loop_now() - record->since });
	*place = record->next;
	free(record);
}

/* ---- connections ---- */

static void answer(struct broker *broker, uint32_t id, int status, bool check_name, int fd)
{
	struct net_msg msg = {
		.type = MSG_CONNECTED, .id = id, .status = status, .flag = check_name
	};
	int fds[2] = { fd, -EBADF };

	link_send(&broker->engine, &msg, fds);
}

static void end_attempt(struct attempt *attempt, int status)
{
	struct broker *broker = attempt->broker;
	int fd = attempt->item.fd;

	loop_remove(&broker->loop, &attempt->item);
	*attempt->place = attempt->next;
	if (attempt->next)
		attempt->next->place = attempt->place;
	broker->attempt_count--;
	if (status == 0) {
		broker_record(broker, &attempt->record);
	} else {
		(void)close(fd);
		fd = -EBADF;
	}
	answer(broker, attempt->record.id, status, attempt->check_name, fd);
	free(attempt);
}

static void act_attempt(struct loop_item *item, uint32_t events)
{
	struct attempt *attempt = container_of(item, struct attempt, item);
	int error = 0;
	socklen_t length = sizeof(error);

	(void)events;
	if (getsockopt(item->fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
		error = errno;
	end_attempt(attempt, error);
}

/* Connects without waiting; the socket, or -errno. *@ret_done: it is connected already. */
static int begin_connect(const struct net_end *dest, bool *ret_done)
{
	struct sockaddr_storage address;
	socklen_t length = net_end_to(dest, &address);
	_close_ int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
	*ret_done = connect(fd, (void *)&address, length) == 0;
	return *ret_done || errno == EINPROGRESS ? take_fd(&fd) : -errno;
}

static void connect_for(struct broker *broker, const struct net_msg *msg)
{
	struct policy_verdict verdict = policy_check(&broker->policy, NET_TCP, &msg->dest);
	struct attempt *attempt = NULL;
	bool done = false;
	int fd, r;

	if (!verdict.allowed) {
		log_denial(broker, NET_TCP, &msg->dest, verdict.rule, NULL);
		answer(broker, msg->id, EACCES, false, -EBADF);
		return;
	}
	if (broker->attempt_count < ATTEMPTS_MAX)
		attempt = calloc(1, sizeof(*attempt));
	fd = attempt ? begin_connect(&verdict.dest, &done) : -EAGAIN;
	if (fd < 0) {
		free(attempt);
		/* Out of descriptors and the like: as if the SYN had been lost. */
		answer(broker, msg->id,
		       fd == -EAGAIN || fd == -EMFILE || fd == -ENFILE || fd == -ENOBUFS ? ETIMEDOUT
											 : -fd,
		       false, -EBADF);
		return;
	}
	*attempt = (struct attempt){ .next = broker->attempts,
				     .place = &broker->attempts,
				     .item = { .act = act_attempt },
				     .broker = broker,
				     .record = { .id = msg->id,
						 .proto = NET_TCP,
						 .rule = verdict.rule,
						 .dest = msg->dest },
				     .check_name = verdict.check_name };
	if (attempt->next)
		attempt->next->place = &attempt->next;
	broker->attempts = attempt;
	broker->attempt_count++;
	r = loop_add(&broker->loop, &attempt->item, fd, EPOLLOUT);
	if (done || r < 0)
		end_attempt(attempt, r < 0 ? ETIMEDOUT : 0);
}

static void check_name(struct broker *broker, const struct net_msg *msg)
{
	struct record *record = *find_record(broker, msg->id);
	struct net_msg reply = { .type = MSG_NAMED, .id = msg->id, .status = EACCES };

	if (record && !record->is_inbound &&
	    policy_check_name(&broker->policy, NET_TCP, &record->dest, msg->name))
		reply.status = 0;
	if (record && reply.status)
		log_denial(broker, NET_TCP, &record->dest, REASON_NAME, msg->name);
	link_send(&broker->engine, &reply, NULL);
}

/* The engine's and libslirp's last words have come: main's turn. */
static void last_words(struct broker *broker)
{
	struct net_msg done = { .type = MSG_END };

	if (++broker->ended == 2) {
		inbound_end(broker);
		link_send(&broker->main, &done, NULL);
	}
}

static void take_engine(struct link *link, const struct net_msg *msg, const char *data, size_t size,
			int fds[2])
{
	struct broker *broker = container_of(link, struct broker, engine);
	struct net_msg ready = { .type = MSG_READY };

	(void)data;
	(void)size;
	(void)fds;
	if (msg->type == MSG_CONNECT)
		connect_for(broker, msg);
	else if (msg->type == MSG_NAME)
		check_name(broker, msg);
	else if (msg->type == MSG_CLOSED)
		connection_ended(broker, msg);
	else if (msg->type == MSG_END)
		last_words(broker);
	else if (msg->type == MSG_READY)
		link_send(&broker->main, &ready, NULL);
}

/* ---- libslirp's process ---- */

void broker_pin(struct broker *broker, const char *name, const struct net_addr *addr, uint32_t ttl)
{
	struct net_msg msg = { .type = MSG_PIN, .dest = { .addr = *addr }, .ttl = ttl };

	policy_pin(&broker->policy, name, addr, ttl);
	str_copy(msg.name, sizeof(msg.name), name);
	link_send(&broker->slirp, &msg, NULL);
}

static void take_slirp(struct link *link, const struct net_msg *msg, const char *data, size_t size,
		       int fds[2])
{
	struct broker *broker = container_of(link, struct broker, slirp);
	struct net_msg ready = { .type = MSG_READY };

	(void)data;
	(void)size;
	(void)fds;
	if (msg->type == MSG_DENIED)
		log_denial(broker, msg->proto, &msg->dest, msg->rule, NULL);
	else if (msg->type == MSG_FLOW)
		log_write(broker, &(struct log_line){
					  .event = "flow",
					  .proto = msg->proto,
					  .name = policy_name_of(&broker->policy, &msg->dest.addr),
					  .dest = &msg->dest,
					  .allowed = true,
					  .rule = msg->rule,
					  .sent = msg->sent,
					  .received = msg->received,
					  .milliseconds = msg->ttl });
	else if (msg->type == MSG_END)
		last_words(broker);
	else if (msg->type == MSG_READY)
		link_send(&broker->main, &ready, NULL);
}

/* ---- the factory and main ---- */

static void take_factory(struct link *link, const struct net_msg *msg, const char *data,
			 size_t size, int fds[2])
{
	struct broker *broker = container_of(link, struct broker, factory);
	struct net_msg ready = { .type = MSG_READY };

	(void)data;
	(void)size;
	if (msg->type == MSG_MADE)
		inbound_made(broker, msg, fds);
	else if (msg->type == MSG_LISTENING)
		inbound_listening(broker, msg);
	else if (msg->type == MSG_READY)
		link_send(&broker->main, &ready, NULL);
}

static void take_main(struct link *link, const struct net_msg *msg, const char *data, size_t size,
		      int fds[2])
{
	struct broker *broker = container_of(link, struct broker, main);
	char text[LINK_DATA_MAX + 1];

	if (msg->type == MSG_PUBLISH)
		inbound_publish(broker, msg, fds);
	if (msg->type == MSG_RULE) {
		if (policy_put_first(&broker->policy, msg->name, msg->flag) < 0)
			broker->loop.is_over = true; /* main has read it, so it is memory */
		link_send(&broker->slirp, msg, NULL);
	}
	if (msg->type == MSG_END) {
		link_send(&broker->engine, msg, NULL);
		link_send(&broker->slirp, msg, NULL);
	}
	if (msg->type != MSG_RESOLV)
		return;
	memcpy(text, data, size);
	text[size] = '\0';
	forwarder_set(broker, text);
}

/* ---- the host's addresses ---- */

static void take_address(struct broker *broker, const struct nlmsghdr *message)
{
	const struct ifaddrmsg *header = NLMSG_DATA(message);
	const char *attributes = (const char *)header + NLMSG_ALIGN(sizeof(*header));
	size_t size = message->nlmsg_len - NLMSG_LENGTH(sizeof(*header)), length;
	bool is_v6 = header->ifa_family == AF_INET6, gone = message->nlmsg_type == RTM_DELADDR;
	const void *bytes = nl_attribute(attributes, size, IFA_LOCAL, &length);
	struct net_msg msg = { .type = MSG_HOST_ADDR, .flag = gone };

	if (!bytes)
		bytes = nl_attribute(attributes, size, IFA_ADDRESS, &length);
	if (!bytes || length < (is_v6 ? 16 : 4))
		return;
	msg.dest.addr = is_v6 ? net_addr_v6(bytes) : net_addr_v4(bytes);
	if (policy_host_addr(&broker->policy, &msg.dest.addr, gone) < 0)
		broker->loop.is_over = true; /* rather than to allow what is the host's */
	link_send(&broker->slirp, &msg, NULL);
}

static int ask_addresses(int fd)
{
	struct nl_batch batch = { 0 };
	struct ifaddrmsg header = { 0 };

	nl_message(&batch, RTM_GETADDR, NLM_F_DUMP, &header, sizeof(header));
	return nl_commit(&batch, fd);
}

/* One datagram; 1: the end of the list that was asked for. */
static int read_addresses(struct broker *broker)
{
	char data[32768] __attribute__((aligned(NLMSG_ALIGNTO)));
	int got = nl_receive(broker->start->address_fd, data, sizeof(data));
	size_t size = got < 0 ? 0 : (size_t)got;

	if (got == -ENOBUFS)
		return ask_addresses(broker->start->address_fd);
	if (got < 0)
		return got;
	for (struct nlmsghdr *message = (void *)data; NLMSG_OK(message, size);
	     message = NLMSG_NEXT(message, size)) {
		if (message->nlmsg_type == NLMSG_DONE)
			return 1;
		if ((message->nlmsg_type == RTM_NEWADDR || message->nlmsg_type == RTM_DELADDR) &&
		    message->nlmsg_len >= NLMSG_LENGTH(sizeof(struct ifaddrmsg)))
			take_address(broker, message);
	}
	return 0;
}

static void act_addresses(struct loop_item *item, uint32_t events)
{
	struct broker *broker = container_of(item, struct broker, addresses);
	int r = read_addresses(broker);

	(void)events;
	if (r < 0 && r != -EAGAIN)
		broker->loop.is_over = true;
}

static int know_host(struct broker *broker)
{
	int r = ask_addresses(broker->start->address_fd);

	while (r == 0)
		r = read_addresses(broker);
	return r < 0 ? r : 0;
}

/* ---- */

static void tick(void *context)
{
	struct broker *broker = context;

	forwarder_tick(broker);
	inbound_tick(broker);
}

static bool needs_tick(void *context)
{
	const struct broker *broker = context;

	return forwarder_waits(broker) || inbound_waits(broker);
}

static int open_links(struct broker *broker)
{
	const struct broker_start *start = broker->start;
	int r = link_open(&broker->main, &broker->loop, start->main_fd);

	if (r == 0)
		r = link_open(&broker->engine, &broker->loop, start->engine_fd);
	if (r == 0)
		r = link_open(&broker->slirp, &broker->loop, start->slirp_fd);
	if (r == 0 && start->factory_fd >= 0)
		r = link_open(&broker->factory, &broker->loop, start->factory_fd);
	return r;
}

int broker_run(const struct broker_start *start)
{
	static struct broker broker; /* the process's only one */
	struct net_msg ready = { .type = MSG_READY };
	int r;

	broker.start = start;
	broker.last_id = UINT32_MAX;
	broker.loop.tick = tick;
	broker.loop.needs_tick = needs_tick;
	broker.loop.tick_ms = TICK_MS;
	broker.loop.context = &broker;
	broker.main.receive = take_main;
	broker.engine.receive = take_engine;
	broker.slirp.receive = take_slirp;
	broker.factory.receive = take_factory;
	broker.addresses.act = act_addresses;
	policy_init(&broker.policy, start->config, &start->layout);
	r = loop_open(&broker.loop);
	if (r == 0)
		r = open_links(&broker);
	if (r == 0)
		r = know_host(&broker);
	if (r == 0)
		r = loop_add(&broker.loop, &broker.addresses, start->address_fd, EPOLLIN);
	if (r == 0)
		r = forwarder_start(&broker);
	if (r == 0)
		r = inbound_start(&broker);
	if (r == 0)
		link_send(&broker.main, &ready, NULL);
	return r == 0 ? loop_run(&broker.loop) : r;
}
