/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An epoll(7) loop with one timer, and the messages between our processes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "netconf/message.h"

/* Part of whatever waits for a descriptor. */
struct loop_item {
	void (*act)(struct loop_item *item, uint32_t events);
	int fd; /* borrowed */
};

#define LOOP_BATCH 64

struct loop {
	int epoll_fd;
	struct epoll_event events[LOOP_BATCH];
	int count; /* of events that are being worked off */
	bool is_over;
	void (*tick)(void *context);	   /* called each tick_ms while needs_tick(), or NULL */
	bool (*needs_tick)(void *context); /* NULL: always */
	int tick_ms;
	void *context;
	int64_t next_tick;
};

/** loop_open - 0 or -errno */
must_check int loop_open(struct loop *loop);

/** loop_add - wait for @events at @fd; @item stays where it is until loop_remove() */
must_check int loop_add(struct loop *loop, struct loop_item *item, int fd, uint32_t events);

/** loop_change - other events, or the same again where they are edge-triggered */
void loop_change(struct loop *loop, struct loop_item *item, uint32_t events);

/** loop_remove - no more; before the descriptor is closed. What is pending for it is forgotten */
void loop_remove(struct loop *loop, struct loop_item *item);

/** loop_run - until is_over; 0 or -errno */
must_check int loop_run(struct loop *loop);

/** loop_now - CLOCK_MONOTONIC in milliseconds */
int64_t loop_now(void);

/* ---- messages ---- */

/** net_send - @msg, then @size bytes at @data, with the descriptors of @fds that are not negative;
 * 0, -EAGAIN or -errno */
must_check int net_send(int fd, const struct net_msg *msg, const void *data, size_t size,
			const int fds[2]);

/** net_send_wait - as net_send(), waiting for room */
must_check int net_send_wait(int fd, const struct net_msg *msg, const void *data, size_t size,
			     const int fds[2]);

/**
 * net_receive - one message
 * @data: room for @room bytes that may follow, @ret_size: how many did
 * @ret_fds: receives owned descriptors, -1 for none
 *
 * Returns: 1; 0 at the end; -EAGAIN; -EBADMSG (too short, too long); -errno.
 */
must_check int net_receive(int fd, struct net_msg *msg, void *data, size_t room, size_t *ret_size,
			   int ret_fds[2]);

/* A socket of messages in a loop. What cannot be sent at once is kept. After its end there are no
 * more of either way: main ends all of us when one dies. */
struct link {
	struct loop_item item;
	struct loop *loop;
	void (*receive)(struct link *link, const struct net_msg *msg, const char *data, size_t size,
			int fds[2]); /* takes the descriptors out of @fds, by take_fd() */
	struct link_item *first, **last;
};

#define LINK_DATA_MAX 8192 /* bytes behind a message */

/** link_open - serve @fd (borrowed), made non-blocking; 0 or -errno */
must_check int link_open(struct link *link, struct loop *loop, int fd);

/** link_send - send or keep @msg; takes the descriptors of @fds (NULL: none) in any case, and
 * leaves -1 in their places */
void link_send(struct link *link, const struct net_msg *msg, int fds[2]);
