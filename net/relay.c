/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Splicing. Both sockets are watched edge-triggered; a half is pumped until one of its ends has
 * enough. A pipe is held only while bytes are stuck in it, so that an idle connection costs two
 * descriptors.
 */
#include "net/relay.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>

#include "net/sniff.h"

#define PIPE_BYTES (1 << 20)
#define BUDGET 16 /* rounds of one half before others get their turn */
#define ALL_EVENTS (EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET)
#define URGENT_BYTES 4096

void relay_reset_fd(int fd)
{
	struct linger now = { .l_onoff = 1 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	(void)close(fd);
}

/* ---- pipes ---- */

static int take_pipe(struct relay *relay, struct half *half)
{
	if (half->pipe[0] >= 0)
		return 0;
	if (relay->pool_count) {
		memcpy(half->pipe, relay->pool[--relay->pool_count], sizeof(half->pipe));
		return 0;
	}
	if (pipe2(half->pipe, O_NONBLOCK | O_CLOEXEC) < 0) {
		half->pipe[0] = half->pipe[1] = -EBADF;
		return -errno;
	}
	/* Beyond the user's share of pipe memory it keeps its usual size. */
	(void)fcntl(half->pipe[1], F_SETPIPE_SZ, PIPE_BYTES);
	return 0;
}

static void close_pipe(struct half *half)
{
	close_pointer(&half->pipe[0]);
	close_pointer(&half->pipe[1]);
	half->pipe[0] = half->pipe[1] = -EBADF;
}

/* An empty one is kept for the next. */
static void give_pipe(struct relay *relay, struct half *half)
{
	if (half->pipe[0] < 0 || half->held)
		return;
	if (relay->pool_count == RELAY_POOL) {
		close_pipe(half);
		return;
	}
	memcpy(relay->pool[relay->pool_count++], half->pipe, sizeof(half->pipe));
	half->pipe[0] = half->pipe[1] = -EBADF;
}

/* ---- the end ---- */

static void end(struct conn *conn, bool reset)
{
	if (conn->is_dead)
		return;
	conn->is_dead = true;
	for (size_t i = 0; i < 2; i++) {
		close_pipe(&conn->halves[i]);
		loop_remove(conn->relay->loop, &conn->items[i]);
		if (reset)
			relay_reset_fd(conn->items[i].fd);
		else
			(void)close(conn->items[i].fd);
	}
	conn->relay->ended(conn->relay, conn);
	*conn->place = conn->next;
	if (conn->next)
		conn->next->place = conn->place;
	conn->relay->conn_count--;
	free(conn);
}

void relay_reset(struct conn *conn)
{
	end(conn, true);
}

/* ---- moving ---- */

static void count(struct conn *conn, size_t from, size_t bytes)
{
	uint64_t *total = from ? &conn->relay->totals->received : &conn->relay->totals->sent;

	conn->bytes[from] += bytes;
	*total += bytes;
}

/* As splice(2) into the pipe, for what it stops at: data that was sent as urgent. */
static ssize_t copy_urgent(int fd, int pipe_fd)
{
	char data[URGENT_BYTES]; /* a pipe that has room takes so much at once */
	ssize_t got = recv(fd, data, sizeof(data), MSG_DONTWAIT);

	return got <= 0 ? got : write(pipe_fd, data, (size_t)got);
}

/* Bytes into the pipe; 1: some; 0: none for now; -errno: the connection is broken. */
static int fill(struct conn *conn, size_t from)
{
	struct half *half = &conn->halves[from];
	ssize_t got;

	if (half->has_ended)
		return 0;
	if (take_pipe(conn->relay, half) < 0)
		return -ENFILE;
	got = splice(conn->items[from].fd, NULL, half->pipe[1], NULL, PIPE_BYTES,
		     SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	/* Before an urgent byte splice(2) finds nothing, and with the end behind it, that looks
	 * like the end. */
	if (got == 0 || (got < 0 && errno == EAGAIN && half->is_urgent)) {
		if (half->held)
			return 0; /* once there is room for certain */
		got = copy_urgent(conn->items[from].fd, half->pipe[1]);
	}
	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	half->has_ended = got == 0;
	half->held += (size_t)got;
	return got > 0;
}

/* Bytes out of the pipe, likewise. */
static int drain(struct conn *conn, size_t from)
{
	struct half *half = &conn->halves[from];
	ssize_t put;

	if (!half->held)
		return 0;
	put = splice(half->pipe[0], NULL, conn->items[1 - from].fd, NULL, half->held,
		     SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (put < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	half->held -= (size_t)put;
	count(conn, from, (size_t)put);
	return put > 0;
}

/* One direction, as far as it goes; -errno where the connection is broken. */
static int pump(struct conn *conn, size_t from)
{
	struct half *half = &conn->halves[from];
	int budget = BUDGET, in = 1, out = 1;

	while ((in > 0 || out > 0) && budget--) {
		in = fill(conn, from);
		if (in >= 0)
			out = drain(conn, from);
		if (in < 0 || out < 0)
			return in < 0 ? in : out;
	}
	give_pipe(conn->relay, half);
	if (half->has_ended && !half->held && !half->is_shut) {
		half->is_shut = true;
		if (shutdown(conn->items[1 - from].fd, SHUT_WR) < 0 && errno != ENOTCONN)
			return -errno;
	}
	/* There may be more, and no edge will tell. */
	if (in > 0 || out > 0)
		loop_change(conn->relay->loop, &conn->items[from], ALL_EVENTS);
	return 0;
}

/* ---- the first bytes ---- */

/* Looks at what the client says first, leaving it where it is. */
static void sniff(struct conn *conn)
{
	static uint8_t data[SNIFF_MAX]; /* one process, one thread */
	char name[DNS_NAME_MAX] = "";
	ssize_t got = recv(conn->items[0].fd, data, sizeof(data), MSG_PEEK | MSG_DONTWAIT);

	if (conn->has_asked || (got < 0 && errno == EAGAIN))
		return;
	switch (got > 0 ? sniff_name(data, (size_t)got, name) : SNIFF_NONE) {
	case SNIFF_MORE:
		if (got < (ssize_t)sizeof(data))
			return;
		__attribute__((fallthrough));
	case SNIFF_BAD:
		end(conn, true);
		return;
	case SNIFF_NONE:
		name[0] = '\0';
		break;
	case SNIFF_FOUND:
		break;
	}
	conn->has_asked = true;
	conn->relay->named(conn->relay, conn, name);
}

static void serve(struct conn *conn)
{
	int r = conn->waits_for_name ? 0 : pump(conn, 0);

	if (r == 0)
		r = pump(conn, 1);
	if (r < 0)
		end(conn, true);
	else if (conn->halves[0].is_shut && conn->halves[1].is_shut)
		end(conn, false);
	else if (conn->waits_for_name)
		sniff(conn);
}

static void act(struct conn *conn, size_t side, uint32_t events)
{
	int error = 0;
	socklen_t length = sizeof(error);

	if (events & EPOLLERR &&
	    getsockopt(conn->items[side].fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error) {
		/* What came before the error is still passed on; the error is no end. */
		conn->halves[side].is_shut = true;
		if (!conn->waits_for_name)
			ignore(pump(conn, side));
		end(conn, true);
		return;
	}
	conn->halves[side].is_urgent |= (events & EPOLLPRI) != 0;
	serve(conn);
}

static void act_inside(struct loop_item *item, uint32_t events)
{
	act(container_of(item, struct conn, items[0]), 0, events);
}

static void act_outside(struct loop_item *item, uint32_t events)
{
	act(container_of(item, struct conn, items[1]), 1, events);
}

void relay_allow(struct conn *conn)
{
	conn->waits_for_name = false;
	serve(conn);
}

/* Urgent data arrives in-band; answers go out at once; a dead peer is noticed. */
static void set_options(int fd)
{
	int on = 1, flags = fcntl(fd, F_GETFL);

	(void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	(void)setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

struct conn *relay_start(struct relay *relay, uint32_t id, int inside, int outside, bool check_name)
{
	struct conn *conn = calloc(1, sizeof(*conn));
	int fds[2] = { inside, outside };

	if (!conn) {
		relay_reset_fd(inside);
		relay_reset_fd(outside);
		return NULL;
	}
	conn->relay = relay;
	conn->id = id;
	conn->waits_for_name = check_name;
	conn->items[0].act = act_inside;
	conn->items[1].act = act_outside;
	conn->next = relay->conns;
	conn->place = &relay->conns;
	if (conn->next)
		conn->next->place = &conn->next;
	relay->conns = conn;
	relay->conn_count++;
	for (size_t i = 0; i < 2; i++) {
		conn->halves[i].pipe[0] = conn->halves[i].pipe[1] = -EBADF;
		conn->items[i].fd = fds[i];
		set_options(fds[i]);
	}
	if (loop_add(relay->loop, &conn->items[0], inside, ALL_EVENTS) < 0 ||
	    loop_add(relay->loop, &conn->items[1], outside, ALL_EVENTS) < 0) {
		end(conn, true);
		return NULL;
	}
	return conn;
}

struct conn *relay_find(const struct relay *relay, uint32_t id)
{
	for (struct conn *conn = relay->conns; conn; conn = conn->next)
		if (conn->id == id)
			return conn;
	return NULL;
}
