/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libslirp's process: on the host's network, in an empty root. Frames of the sandbox's interface go
 * through the filter (frame.c) and the policy into libslirp, which makes sockets of them: datagrams
 * and echo requests, and connections only where those are not redirected.
 *
 * libslirp asks for its descriptors each round; epoll(7) is told only what changed.
 */
#include <libslirp.h>
#include <linux/virtio_net.h>
#include <malloc.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>

#include "net/engine.h"
#include "net/frame.h"
#include "net/jail.h"
#include "net/policy.h"

#define FRAME_BURST 32
#define EVENT_BURST 64
#define SOCKET_BYTES (4 << 20)
#define DENIALS_PER_SECOND 100
#define FLOW_BUCKETS 256
#define FLOWS_MAX 4096
#define FLOW_IDLE_MS 60000
#define TIMERS_MAX 8
#define CONFIG_VERSION 4 /* libslirp 4.7; no later field is needed */

/* What epoll knows of a descriptor, and what it said. */
struct watched {
	uint32_t events, ready;
	uint64_t round;
};

struct timer {
	SlirpTimerCb callback;
	void *argument;
	int64_t expires; /* milliseconds, negative: not set */
};

/* Datagrams between the same two ends, for the log. */
struct udp_flow {
	struct udp_flow *next;
	enum net_proto proto;
	uint16_t source_port;
	struct net_end dest;
	int rule;
	uint64_t sent, received;
	int64_t since, last;
};

struct stack {
	const struct slirp_start *start;
	Slirp *slirp;
	struct policy policy;
	struct loop loop; /* of the link alone */
	struct link broker;
	int epoll_fd;
	struct watched *watched; /* by descriptor */
	int watched_count;
	int *current, *last; /* descriptors asked for in this round and in the one before */
	size_t current_count, last_count;
	uint64_t round;
	struct timer timers[TIMERS_MAX];
	struct udp_flow *flows[FLOW_BUCKETS];
	size_t flow_count;
	int64_t denial_second, next_sweep;
	unsigned denials;
	bool has_carrier;
};

/* ---- the log ---- */

static void log_denial(struct stack *stack, enum net_proto proto, const struct net_end *dest,
		       int rule)
{
	struct net_msg msg = {
		.type = MSG_DENIED, .proto = (uint8_t)proto, .dest = *dest, .rule = rule
	};
	int64_t second = loop_now() / 1000;

	if (second != stack->denial_second)
		stack->denials = 0;
	stack->denial_second = second;
	/* A flood of them is told of, not repeated. */
	if (stack->denials++ < DENIALS_PER_SECOND)
		link_send(&stack->broker, &msg, NULL);
}

static struct udp_flow **find_flow(struct stack *stack, enum net_proto proto, uint16_t port,
				   const struct net_end *dest)
{
	struct udp_flow **place = &stack->flows[(port ^ dest->port) % FLOW_BUCKETS];

	while (*place && ((*place)->source_port != port || (*place)->proto != proto ||
			  (*place)->dest.port != dest->port ||
			  !net_addr_equal(&(*place)->dest.addr, &dest->addr)))
		place = &(*place)->next;
	return place;
}

static void end_flow(struct stack *stack, struct udp_flow **place)
{
	struct udp_flow *flow = *place;
	struct net_msg msg = { .type = MSG_FLOW,
			       .proto = (uint8_t)flow->proto,
			       .dest = flow->dest,
			       .rule = flow->rule,
			       .sent = flow->sent,
			       .received = flow->received,
			       .ttl = (uint32_t)(flow->last - flow->since) };

	link_send(&stack->broker, &msg, NULL);
	*place = flow->next;
	stack->flow_count--;
	free(flow);
}

static void sweep_flows(struct stack *stack, int64_t idle)
{
	int64_t old = loop_now() - idle;

	for (size_t i = 0; i < FLOW_BUCKETS; i++) {
		struct udp_flow **place = &stack->flows[i];

		while (*place) {
			if ((*place)->last <= old)
				end_flow(stack, place);
			else
				place = &(*place)->next;
		}
	}
}

static void count_sent(struct stack *stack, const struct frame *frame, enum net_proto proto,
		       int rule)
{
	struct udp_flow **place = find_flow(stack, proto, frame->source.port, &frame->dest);
	struct udp_flow *flow = *place;

	stack->start->totals->sent += frame->payload;
	if (!flow && stack->flow_count < FLOWS_MAX) {
		flow = calloc(1, sizeof(*flow));
		if (!flow)
			return;
		*flow = (struct udp_flow){ .proto = proto,
					   .source_port = frame->source.port,
					   .dest = frame->dest,
					   .rule = rule,
					   .since = loop_now() };
		*place = flow;
		stack->flow_count++;
	}
	if (!flow)
		return;
	flow->sent += frame->payload;
	flow->last = loop_now();
}

static void count_received(struct stack *stack, const struct frame *frame)
{
	struct udp_flow *flow;

	if (frame->kind != FRAME_UDP)
		return;
	stack->start->totals->received += frame->payload;
	flow = *find_flow(stack, NET_UDP, frame->dest.port, &frame->source);
	if (!flow)
		return;
	flow->received += frame->payload;
	flow->last = loop_now();
}

/* ---- frames ---- */

static void write_frame(const struct stack *stack, const void *data, size_t size)
{
	struct virtio_net_hdr header = { 0 };
	struct iovec parts[2] = {
		{ .iov_base = &header, .iov_len = sizeof(header) },
		{ .iov_base = (void *)(uintptr_t)data, .iov_len = size },
	};

	ignore(writev(stack->start->carrier_fd, parts, 2) < 0); /* as if it had been lost */
}

static void refuse(struct stack *stack, const uint8_t *data, size_t size, const struct frame *frame,
		   enum net_proto proto, int rule)
{
	uint8_t reply[FRAME_REPLY_MAX];
	bool is_v6 = frame->dest.addr.family == 6;
	size_t length = frame_prohibit(data, size, &stack->start->layout.gateway[is_v6], reply);

	if (length)
		write_frame(stack, reply, length);
	log_denial(stack, proto, &frame->dest, rule);
}

static void take_frame(struct stack *stack, uint8_t *data, size_t size)
{
	struct policy_verdict verdict;
	enum net_proto proto = NET_ANY;
	struct frame frame;

	frame_check(data, size, &frame);
	switch (frame.kind) {
	case FRAME_DROP:
		return;
	case FRAME_NEIGHBOUR:
		slirp_input(stack->slirp, data, (int)size);
		return;
	case FRAME_PROHIBITED:
		refuse(stack, data, size, &frame, NET_ANY, REASON_NOT_CARRIED);
		return;
	case FRAME_UDP:
		proto = NET_UDP;
		break;
	case FRAME_ECHO:
		proto = NET_ICMP;
		/* libslirp has no echo of IPv6. */
		if (frame.dest.addr.family == 6) {
			refuse(stack, data, size, &frame, proto, REASON_NOT_CARRIED);
			return;
		}
		break;
	case FRAME_TCP:
		proto = NET_TCP;
		if (stack->start->has_tcp && !frame.is_syn) {
			slirp_input(stack->slirp, data, (int)size);
			return;
		}
		break;
	}
	verdict = policy_check(&stack->policy, proto, &frame.dest);
	/* Names cannot be checked here. */
	if (verdict.allowed && proto == NET_TCP && (verdict.check_name || !stack->start->has_tcp)) {
		verdict.allowed = false;
		verdict.rule = verdict.check_name ? REASON_NAME : REASON_NOT_CARRIED;
	}
	if (!verdict.allowed) {
		refuse(stack, data, size, &frame, proto, verdict.rule);
		return;
	}
	if (proto != NET_TCP)
		count_sent(stack, &frame, proto, verdict.rule);
	slirp_input(stack->slirp, data, (int)size);
}

/* Frames that wait; the sandbox's own end ends us, too, by main. */
static void read_frames(struct stack *stack)
{
	static uint8_t data[sizeof(struct virtio_net_hdr) + 65536]; /* one process, one thread */
	const size_t head = sizeof(struct virtio_net_hdr);

	for (int i = 0; i < FRAME_BURST; i++) {
		ssize_t got = read(stack->start->carrier_fd, data, sizeof(data));
		struct virtio_net_hdr header;

		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (got < 0) {
			(void)epoll_ctl(stack->epoll_fd, EPOLL_CTL_DEL, stack->start->carrier_fd,
					NULL);
			return;
		}
		memcpy(&header, data, head);
		if ((size_t)got <= head || header.gso_type != VIRTIO_NET_HDR_GSO_NONE)
			continue;
		if (header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM &&
		    !frame_complete_checksum(data + head, (size_t)got - head, header.csum_start,
					     header.csum_offset))
			continue;
		take_frame(stack, data + head, (size_t)got - head);
	}
}

/* ---- libslirp's callbacks ---- */

static ssize_t send_packet(const void *data, size_t size, void *opaque)
{
	struct stack *stack = opaque;
	struct frame frame;

	/* Of whole frames nothing but an urgent pointer would be changed, and none has one. */
	frame_check((uint8_t *)(uintptr_t)data, size, &frame);
	count_received(stack, &frame);
	write_frame(stack, data, size);
	return (ssize_t)size;
}

static void guest_error(const char *text, void *opaque)
{
	(void)text;
	(void)opaque;
}

static int64_t clock_get_ns(void *opaque)
{
	struct timespec now;

	(void)opaque;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void *timer_new(SlirpTimerCb callback, void *argument, void *opaque)
{
	struct stack *stack = opaque;

	for (size_t i = 0; i < TIMERS_MAX; i++) {
		if (stack->timers[i].callback)
			continue;
		stack->timers[i] = (struct timer){ callback, argument, -1 };
		return &stack->timers[i];
	}
	return NULL;
}

static void timer_free(void *pointer, void *opaque)
{
	struct timer *timer = pointer;

	(void)opaque;
	*timer = (struct timer){ 0 };
}

static void timer_mod(void *pointer, int64_t expires, void *opaque)
{
	struct timer *timer = pointer;

	(void)opaque;
	timer->expires = expires;
}

static struct watched *watched_at(struct stack *stack, int fd)
{
	if (fd >= stack->watched_count) {
		int count = fd + 64;
		struct watched *grown = realloc(stack->watched, (size_t)count * sizeof(*grown));

		if (!grown)
			return NULL;
		memset(grown + stack->watched_count, 0,
		       (size_t)(count - stack->watched_count) * sizeof(*grown));
		stack->watched = grown;
		stack->watched_count = count;
	}
	return &stack->watched[fd];
}

static void register_poll_fd(int fd, void *opaque)
{
	struct stack *stack = opaque;
	int bytes = SOCKET_BYTES;

	if (!stack->start->has_tcp)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

/* It will be closed, and its number be another's. */
static void unregister_poll_fd(int fd, void *opaque)
{
	struct stack *stack = opaque;
	struct watched *watched = watched_at(stack, fd);

	if (!watched || !watched->events)
		return;
	(void)epoll_ctl(stack->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	*watched = (struct watched){ 0 };
}

static void notify(void *opaque)
{
	(void)opaque;
}

static const SlirpCb callbacks = {
	.send_packet = send_packet,
	.guest_error = guest_error,
	.clock_get_ns = clock_get_ns,
	.timer_new = timer_new,
	.timer_free = timer_free,
	.timer_mod = timer_mod,
	.register_poll_fd = register_poll_fd,
	.unregister_poll_fd = unregister_poll_fd,
	.notify = notify,
};

/* ---- rounds ---- */

static int add_poll(int fd, int events, void *opaque)
{
	struct stack *stack = opaque;
	struct watched *watched = watched_at(stack, fd);
	uint32_t wanted = (events & SLIRP_POLL_IN ? (uint32_t)EPOLLIN : 0) |
			  (events & SLIRP_POLL_OUT ? (uint32_t)EPOLLOUT : 0) |
			  (events & SLIRP_POLL_PRI ? (uint32_t)EPOLLPRI : 0) |
			  (events & SLIRP_POLL_HUP ? (uint32_t)EPOLLRDHUP : 0);
	struct epoll_event event = { .events = wanted, .data = { .fd = fd } };

	if (!watched)
		return -1;
	if (watched->events != wanted) {
		int how = watched->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

		if (epoll_ctl(stack->epoll_fd, how, fd, &event) < 0 && errno == ENOENT)
			(void)epoll_ctl(stack->epoll_fd, EPOLL_CTL_ADD, fd, &event);
	}
	watched->events = wanted;
	watched->round = stack->round;
	watched->ready = 0;
	if (stack->current_count % 64 == 0) {
		int *grown = realloc(stack->current, (stack->current_count + 64) * sizeof(int));

		if (!grown)
			return -1;
		stack->current = grown;
	}
	stack->current[stack->current_count++] = fd;
	return fd;
}

static int get_revents(int fd, void *opaque)
{
	const struct stack *stack = opaque;
	uint32_t ready = fd >= 0 && fd < stack->watched_count ? stack->watched[fd].ready : 0;

	return (ready & EPOLLIN ? SLIRP_POLL_IN : 0) | (ready & EPOLLOUT ? SLIRP_POLL_OUT : 0) |
	       (ready & EPOLLPRI ? SLIRP_POLL_PRI : 0) | (ready & EPOLLERR ? SLIRP_POLL_ERR : 0) |
	       (ready & (EPOLLHUP | EPOLLRDHUP) ? SLIRP_POLL_HUP : 0);
}

/* What libslirp asked for in the last round and does not now. */
static void forget_others(struct stack *stack)
{
	int *swap = stack->last;

	for (size_t i = 0; i < stack->last_count; i++) {
		struct watched *watched = watched_at(stack, stack->last[i]);

		if (watched && watched->events && watched->round != stack->round)
			unregister_poll_fd(stack->last[i], stack);
	}
	stack->last = stack->current;
	stack->last_count = stack->current_count;
	stack->current = swap;
	stack->current_count = 0;
}

static int run_timers(struct stack *stack, uint32_t timeout)
{
	int64_t now = loop_now(), wait = timeout > 60000 ? 60000 : timeout;

	for (size_t i = 0; i < TIMERS_MAX; i++) {
		struct timer *timer = &stack->timers[i];

		if (!timer->callback || timer->expires < 0)
			continue;
		if (timer->expires <= now) {
			timer->expires = -1;
			timer->callback(timer->argument);
		}
		if (timer->expires >= 0 && timer->expires - now < wait)
			wait = timer->expires - now;
	}
	if (stack->flow_count && now >= stack->next_sweep) {
		sweep_flows(stack, FLOW_IDLE_MS);
		stack->next_sweep = now + 1000;
	}
	if (stack->flow_count && wait > 1000)
		wait = 1000;
	return wait < 0 ? 0 : (int)wait;
}

static void read_link(struct stack *stack)
{
	stack->broker.item.act(&stack->broker.item, EPOLLIN | EPOLLOUT);
}

static int one_round(struct stack *stack)
{
	struct epoll_event events[EVENT_BURST];
	uint32_t timeout = UINT32_MAX;
	bool has_frames = false;
	int count;

	stack->round++;
	slirp_pollfds_fill(stack->slirp, &timeout, add_poll, stack);
	forget_others(stack);
	count = epoll_wait(stack->epoll_fd, events, EVENT_BURST, run_timers(stack, timeout));
	if (count < 0 && errno != EINTR)
		return -errno;
	for (int i = 0; i < count; i++) {
		int fd = events[i].data.fd;

		if (fd == stack->start->carrier_fd)
			has_frames = true;
		else if (fd != stack->loop.epoll_fd)
			watched_at(stack, fd)->ready = events[i].events;
	}
	slirp_pollfds_poll(stack->slirp, 0, get_revents, stack);
	read_link(stack); /* before the frames: names that were answered just now */
	if (has_frames)
		read_frames(stack);
	return stack->loop.is_over ? -EPIPE : 0;
}

/* ---- */

static void take_message(struct link *link, const struct net_msg *msg, const char *data,
			 size_t size, int fds[2])
{
	struct stack *stack = container_of(link, struct stack, broker);

	struct net_msg done = { .type = MSG_END };

	(void)data;
	(void)size;
	(void)fds;
	if (msg->type == MSG_END) {
		sweep_flows(stack, -1);
		link_send(link, &done, NULL);
	}
	if (msg->type == MSG_RULE && policy_put_first(&stack->policy, msg->name, msg->flag) < 0)
		stack->loop.is_over = true;
	if (msg->type == MSG_PIN)
		policy_pin(&stack->policy, msg->name, &msg->dest.addr, msg->ttl);
	else if (msg->type == MSG_HOST_ADDR &&
		 policy_host_addr(&stack->policy, &msg->dest.addr, msg->flag) < 0)
		stack->loop.is_over = true;
}

static Slirp *new_slirp(struct stack *stack)
{
	const struct net_layout *layout = &stack->start->layout;
	uint32_t mask = htonl(UINT32_MAX << (32 - layout->v4.length));
	SlirpConfig config = { .version = CONFIG_VERSION,
			       .in_enabled = true,
			       .vnetmask = { mask },
			       .if_mtu = stack->start->config->mtu,
			       .if_mru = stack->start->config->mtu,
			       .disable_host_loopback = !stack->start->config->host_port_count,
			       .disable_dns = true,
			       .disable_dhcp = true };

	memcpy(&config.vnetwork, layout->v4.addr.bytes, 4);
	memcpy(&config.vhost, layout->gateway[0].bytes, 4);
	memcpy(&config.vnameserver, layout->dns[0].bytes, 4);
	memcpy(&config.vdhcp_start, layout->own[0].bytes, 4);
	if (layout->v6.addr.family) {
		config.in6_enabled = true;
		config.vprefix_len = layout->v6.length;
		memcpy(&config.vprefix_addr6, layout->v6.addr.bytes, 16);
		memcpy(&config.vhost6, layout->gateway[1].bytes, 16);
		memcpy(&config.vnameserver6, layout->dns[1].bytes, 16);
	}
	return slirp_new(&config, &callbacks, stack);
}

static int watch(struct stack *stack, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data = { .fd = fd } };

	return epoll_ctl(stack->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int slirp_run(const struct slirp_start *start)
{
	static struct stack stack; /* the process's only one */
	struct net_msg ready = { .type = MSG_READY };
	int r = loop_open(&stack.loop);

	if (start->has_tcp) {
		/* Rings of connections come from the heap (measured: twice the connections). */
		(void)mallopt(M_MMAP_THRESHOLD, 32 << 20);
		(void)mallopt(M_TRIM_THRESHOLD, 128 << 20);
		(void)mallopt(M_TOP_PAD, 4 << 20);
	}
	stack.start = start;
	stack.broker.receive = take_message;
	stack.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	policy_init(&stack.policy, start->config, &start->layout);
	stack.slirp = new_slirp(&stack);
	if (r < 0 || stack.epoll_fd < 0 || !stack.slirp)
		return r < 0 ? r : -ENOMEM;
	r = link_open(&stack.broker, &stack.loop, start->broker_fd);
	if (r == 0)
		r = watch(&stack, stack.loop.epoll_fd);
	if (r == 0)
		r = watch(&stack, start->carrier_fd);
	if (r == 0)
		r = jail_lock(start->has_tcp ? JAIL_SLIRP_TCP : JAIL_SLIRP, false);
	if (r == 0)
		link_send(&stack.broker, &ready, NULL);
	while (r == 0)
		r = one_round(&stack);
	return r;
}
