/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The engine. In the sandbox's user and network namespace, in an empty root, with CAP_NET_ADMIN and
 * CAP_NET_RAW there and nothing else. It has no say in who may be reached: it asks the broker,
 * whose answer is a connected socket or an errno. So whoever takes the engine over gains no more
 * than the sandbox may do anyway.
 *
 * A held SYN becomes a flow; the broker's answer lets the SYN go on or come back to be refused; the
 * redirected connection then finds its flow by its two ends. Where SYNs are not held the flow
 * begins with the connection.
 */
#include "net/engine.h"

#include <netinet/tcp.h>
#include <string.h>

#include "net/capture.h"

#define SO_ORIGINAL_DESTINATION 80 /* SO_ORIGINAL_DST, IP6T_SO_ORIGINAL_DST */
#define FLOW_BUCKETS 1024
#define FLOWS_MAX 4096	/* that wait for the broker, or for their connection */
#define ACCEPT_MS 30000 /* until the connection of a SYN that went on must be there */
#define ACCEPT_BURST 64
#define TICK_MS 1000

struct flow {
	struct flow *next;
	struct net_end source, dest;
	uint32_t id;
	uint32_t packet; /* held; valid while is_held */
	bool is_held, check_name;
	bool resets;	     /* it was made, and reset at once: so is the one inside */
	int inside, outside; /* sockets, -1 */
	int64_t since;
};

struct engine {
	struct loop loop;
	struct relay relay;
	struct link broker;
	struct loop_item listeners[2], queue;
	struct flow *flows[FLOW_BUCKETS];
	size_t flow_count;
	uint32_t last_id;
	struct capture capture;
};

/* ---- flows ---- */

static struct flow **bucket_of(struct engine *engine, const struct net_end *source)
{
	return &engine->flows[source->port % FLOW_BUCKETS];
}

static struct flow *find_flow(struct engine *engine, const struct net_end *source,
			      const struct net_end *dest)
{
	struct flow *flow = *bucket_of(engine, source);

	while (flow && (flow->source.port != source->port || flow->dest.port != dest->port ||
			!net_addr_equal(&flow->source.addr, &source->addr) ||
			!net_addr_equal(&flow->dest.addr, &dest->addr)))
		flow = flow->next;
	return flow;
}

static struct flow *find_id(struct engine *engine, uint32_t id)
{
	for (size_t i = 0; i < FLOW_BUCKETS; i++)
		for (struct flow *flow = engine->flows[i]; flow; flow = flow->next)
			if (flow->id == id)
				return flow;
	return NULL;
}

/* Asks the broker. NULL: there are too many already. */
static struct flow *new_flow(struct engine *engine, const struct net_end *source,
			     const struct net_end *dest)
{
	struct net_msg msg = { .type = MSG_CONNECT, .source = *source, .dest = *dest };
	struct flow **bucket = bucket_of(engine, source), *flow;

	flow = engine->flow_count < FLOWS_MAX ? calloc(1, sizeof(*flow)) : NULL;
	if (!flow)
		return NULL;
	*flow = (struct flow){ .next = *bucket,
			       .source = *source,
			       .dest = *dest,
			       .id = ++engine->last_id,
			       .inside = -EBADF,
			       .outside = -EBADF,
			       .since = loop_now() };
	*bucket = flow;
	engine->flow_count++;
	msg.id = flow->id;
	link_send(&engine->broker, &msg, NULL);
	return flow;
}

static void free_flow(struct engine *engine, struct flow *flow)
{
	struct flow **place = bucket_of(engine, &flow->source);

	while (*place != flow)
		place = &(*place)->next;
	*place = flow->next;
	engine->flow_count--;
	free(flow);
}

static void report_end(struct engine *engine, uint32_t id, uint64_t sent, uint64_t received)
{
	struct net_msg msg = { .type = MSG_CLOSED, .id = id, .sent = sent, .received = received };

	link_send(&engine->broker, &msg, NULL);
}

/* Both sockets are there. */
static void start_relay(struct engine *engine, struct flow *flow)
{
	uint32_t id = flow->id;
	struct net_end source = flow->source, dest = flow->dest;
	int inside = flow->inside, outside = flow->outside;
	bool check_name = flow->check_name;
	struct conn *conn;

	free_flow(engine, flow);
	conn = relay_start(&engine->relay, id, inside, outside, check_name);
	if (!conn)
		return;
	conn->source = source;
	conn->dest = dest;
}

/* The SYN waits for its answer: what the application's connect(2) will tell. */
static void decide(struct engine *engine, struct flow *flow, int status)
{
	bool drop = status == ETIMEDOUT; /* the application's kernel finds that out itself */
	uint32_t mark = status == 0		 ? 0
			: status == EHOSTUNREACH ? MARK_HOST_UNREACHABLE
			: status == ENETUNREACH	 ? MARK_NET_UNREACHABLE
						 : MARK_RESET;

	hold_decide(engine->queue.fd, flow->packet, mark, drop);
	flow->is_held = false;
}

static void take_answer(struct engine *engine, const struct net_msg *msg, int fds[2])
{
	struct flow *flow = find_id(engine, msg->id);

	if (!flow || flow->outside >= 0) {
		if (msg->status == 0)
			report_end(engine, msg->id, 0, 0);
		return;
	}
	if (flow->is_held && msg->status == ECONNRESET) {
		decide(engine, flow, 0);
		flow->resets = true;
		flow->since = loop_now();
		return;
	}
	if (flow->is_held)
		decide(engine, flow, msg->status);
	if (msg->status != 0 || fds[0] < 0) {
		if (flow->inside >= 0)
			relay_reset_fd(flow->inside);
		free_flow(engine, flow);
		return;
	}
	flow->outside = take_fd(&fds[0]);
	flow->check_name = msg->flag;
	flow->since = loop_now();
	if (flow->inside >= 0)
		start_relay(engine, flow);
}

static void take_pair(struct engine *engine, const struct net_msg *msg, int fds[2])
{
	struct conn *conn;

	if (fds[0] < 0 || fds[1] < 0)
		return;
	conn = relay_start(&engine->relay, msg->id, take_fd(&fds[0]), take_fd(&fds[1]), false);
	if (!conn)
		return;
	conn->source = msg->source;
	conn->dest = msg->dest;
}

/* Tells of connections that go on: nobody waits for their end. */
static void end_all(struct engine *engine)
{
	struct net_msg done = { .type = MSG_END };

	for (struct conn *conn = engine->relay.conns; conn; conn = conn->next)
		report_end(engine, conn->id, conn->bytes[0], conn->bytes[1]);
	link_send(&engine->broker, &done, NULL);
}

static void take_message(struct link *link, const struct net_msg *msg, const char *data,
			 size_t size, int fds[2])
{
	struct engine *engine = container_of(link, struct engine, broker);
	struct conn *conn;

	(void)data;
	(void)size;
	switch (msg->type) {
	case MSG_CONNECTED:
		take_answer(engine, msg, fds);
		break;
	case MSG_PAIR:
		take_pair(engine, msg, fds);
		break;
	case MSG_NAMED:
		conn = relay_find(&engine->relay, msg->id);
		if (conn && msg->status == 0)
			relay_allow(conn);
		else if (conn)
			relay_reset(conn);
		break;
	case MSG_END:
		end_all(engine);
		break;
	default:
		break;
	}
}

/* ---- from the sandbox ---- */

static void take_held(struct engine *engine, const struct held *held)
{
	struct flow *flow = find_flow(engine, &held->source, &held->dest);

	if (flow && !flow->is_held) {
		/* The same again, although its connection was let through: sent once more. */
		hold_decide(engine->queue.fd, held->id, 0, flow->outside < 0 && !flow->resets);
		return;
	}
	if (!flow) {
		flow = new_flow(engine, &held->source, &held->dest);
		if (flow) {
			flow->is_held = true;
			flow->packet = held->id;
			return;
		}
	}
	/* Sent once more while the first waits; or there are too many: as if it had been lost. */
	hold_decide(engine->queue.fd, held->id, 0, true);
}

static void act_queue(struct loop_item *item, uint32_t events)
{
	struct engine *engine = container_of(item, struct engine, queue);
	struct held held;
	int r = hold_read(item->fd, &held);

	(void)events;
	if (r == 0)
		take_held(engine, &held);
	else if (r == -EBADMSG && held.id)
		hold_decide(item->fd, held.id, MARK_RESET, false);
}

static bool original_dest(int fd, struct net_end *ret_dest)
{
	struct sockaddr_storage address = { 0 };
	socklen_t length = sizeof(address);

	if (getsockopt(fd, IPPROTO_IP, SO_ORIGINAL_DESTINATION, &address, &length) < 0) {
		length = sizeof(address);
		if (getsockopt(fd, IPPROTO_IPV6, SO_ORIGINAL_DESTINATION, &address, &length) < 0)
			return false;
	}
	*ret_dest = net_end_from(&address);
	return true;
}

static void take_connection(struct engine *engine, int inside, const struct net_end *source)
{
	struct net_end dest;
	struct flow *flow;

	/* Somebody inside who connects to the listener itself has no original destination. */
	if (!original_dest(inside, &dest)) {
		relay_reset_fd(inside);
		return;
	}
	flow = find_flow(engine, source, &dest);
	if (!flow)
		flow = new_flow(engine, source, &dest);
	if (!flow || flow->inside >= 0 || flow->resets) {
		relay_reset_fd(inside);
		if (flow && flow->resets)
			free_flow(engine, flow);
		return;
	}
	flow->inside = inside;
	if (flow->outside >= 0)
		start_relay(engine, flow);
}

static void act_listener(struct loop_item *item, size_t index)
{
	struct engine *engine = container_of((item - index), struct engine, listeners);

	for (int i = 0; i < ACCEPT_BURST; i++) {
		struct sockaddr_storage address = { 0 };
		socklen_t length = sizeof(address);
		int fd = accept4(item->fd, (void *)&address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct net_end source = net_end_from(&address);

		if (fd < 0)
			return; /* none left; or one that is gone, or no descriptor for it */
		take_connection(engine, fd, &source);
	}
}

static void act_listener_v4(struct loop_item *item, uint32_t events)
{
	(void)events;
	act_listener(item, 0);
}

static void act_listener_v6(struct loop_item *item, uint32_t events)
{
	(void)events;
	act_listener(item, 1);
}

/* ---- from the relay ---- */

static void conn_ended(struct relay *relay, struct conn *conn)
{
	report_end(relay->context, conn->id, conn->bytes[0], conn->bytes[1]);
}

static void conn_named(struct relay *relay, struct conn *conn, const char *name)
{
	struct engine *engine = relay->context;
	struct net_msg msg = { .type = MSG_NAME, .id = conn->id, .dest = conn->dest };

	str_copy(msg.name, sizeof(msg.name), name);
	link_send(&engine->broker, &msg, NULL);
}

/* ---- time ---- */

/* Connections that were let through, and never came. */
static void tick(void *context)
{
	struct engine *engine = context;
	int64_t old = loop_now() - ACCEPT_MS;

	for (size_t i = 0; i < FLOW_BUCKETS; i++) {
		struct flow *next;

		for (struct flow *flow = engine->flows[i]; flow; flow = next) {
			next = flow->next;
			if ((flow->outside < 0 && !flow->resets) || flow->since > old)
				continue;
			if (flow->outside >= 0) {
				report_end(engine, flow->id, 0, 0);
				relay_reset_fd(flow->outside);
			}
			free_flow(engine, flow);
		}
	}
}

static bool needs_tick(void *context)
{
	return ((struct engine *)context)->flow_count > 0;
}

/* ---- captures ---- */

/* Redirected packets lead to and from our listener: the capture shows where they really go. */
static bool find_real(void *context, const struct net_end *source, struct net_end *ret_dest)
{
	struct engine *engine = context;

	for (struct conn *conn = engine->relay.conns; conn; conn = conn->next) {
		if (conn->source.port == source->port &&
		    net_addr_equal(&conn->source.addr, &source->addr)) {
			*ret_dest = conn->dest;
			return true;
		}
	}
	for (struct flow *flow = *bucket_of(engine, source); flow; flow = flow->next) {
		if (flow->source.port == source->port &&
		    net_addr_equal(&flow->source.addr, &source->addr)) {
			*ret_dest = flow->dest;
			return true;
		}
	}
	return false;
}

int engine_run(const struct setup *setup, int broker_fd, int capture_fd, int capture_socket,
	       struct net_totals *totals)
{
	static struct engine engine; /* the process's only one */
	struct net_msg ready = { .type = MSG_READY };
	int r = loop_open(&engine.loop);

	engine.loop.tick = tick;
	engine.loop.needs_tick = needs_tick;
	engine.loop.tick_ms = TICK_MS;
	engine.loop.context = &engine;
	engine.relay = (struct relay){ .loop = &engine.loop,
				       .totals = totals,
				       .ended = conn_ended,
				       .named = conn_named,
				       .context = &engine };
	engine.broker.receive = take_message;
	engine.listeners[0].act = act_listener_v4;
	engine.listeners[1].act = act_listener_v6;
	engine.queue.act = act_queue;
	if (r == 0)
		r = link_open(&engine.broker, &engine.loop, broker_fd);
	for (size_t i = 0; r == 0 && i < 2; i++)
		if (setup->listener[i] >= 0)
			r = loop_add(&engine.loop, &engine.listeners[i], setup->listener[i],
				     EPOLLIN);
	if (r == 0 && setup->hold != HOLD_NONE)
		r = loop_add(&engine.loop, &engine.queue, setup->queue_fd, EPOLLIN);
	if (r == 0 && capture_fd >= 0)
		r = capture_start(&engine.capture, &engine.loop, capture_fd, capture_socket,
				  setup->listener_port, find_real, &engine);
	if (r == 0)
		link_send(&engine.broker, &ready, NULL);
	return r == 0 ? loop_run(&engine.loop) : r;
}
