/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The loop and the messages of all processes of cloche-net.
 */
#include "net/loop.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <time.h>

int64_t loop_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int loop_open(struct loop *loop)
{
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return loop->epoll_fd < 0 ? -errno : 0;
}

int loop_add(struct loop *loop, struct loop_item *item, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data = { .ptr = item } };

	item->fd = fd;
	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

void loop_change(struct loop *loop, struct loop_item *item, uint32_t events)
{
	struct epoll_event event = { .events = events, .data = { .ptr = item } };

	(void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, item->fd, &event);
}

void loop_remove(struct loop *loop, struct loop_item *item)
{
	(void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, item->fd, NULL);
	for (int i = 0; i < loop->count; i++)
		if (loop->events[i].data.ptr == item)
			loop->events[i].data.ptr = NULL;
}

static int patience(const struct loop *loop)
{
	int64_t left;

	if (!loop->tick || (loop->needs_tick && !loop->needs_tick(loop->context)))
		return -1;
	left = loop->next_tick - loop_now();
	return left < 0 ? 0 : left > loop->tick_ms ? loop->tick_ms : (int)left;
}

int loop_run(struct loop *loop)
{
	while (!loop->is_over) {
		int count = epoll_wait(loop->epoll_fd, loop->events, LOOP_BATCH, patience(loop));

		if (count < 0 && errno != EINTR)
			return -errno;
		loop->count = count < 0 ? 0 : count;
		for (int i = 0; i < loop->count && !loop->is_over; i++) {
			struct loop_item *item = loop->events[i].data.ptr;

			if (item)
				item->act(item, loop->events[i].events);
		}
		loop->count = 0;
		if (loop->tick && loop_now() >= loop->next_tick) {
			loop->next_tick = loop_now() + loop->tick_ms;
			loop->tick(loop->context);
		}
	}
	return 0;
}

/* ---- messages ---- */

int net_send(int fd, const struct net_msg *msg, const void *data, size_t size, const int fds[2])
{
	struct iovec parts[2] = {
		{ .iov_base = (void *)(uintptr_t)msg, .iov_len = sizeof(*msg) },
		{ .iov_base = (void *)(uintptr_t)data, .iov_len = size },
	};
	union {
		char bytes[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct msghdr header = { .msg_iov = parts, .msg_iovlen = size ? 2 : 1 };
	struct cmsghdr *cmsg = &control.align;
	size_t count = 0;

	for (size_t i = 0; fds && i < 2; i++) {
		if (fds[i] < 0)
			continue;
		memcpy(CMSG_DATA(cmsg) + count * sizeof(int), &fds[i], sizeof(int));
		count++;
	}
	if (count) {
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(count * sizeof(int));
		header.msg_control = &control;
		header.msg_controllen = CMSG_SPACE(count * sizeof(int));
	}
	while (sendmsg(fd, &header, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int net_send_wait(int fd, const struct net_msg *msg, const void *data, size_t size,
		  const int fds[2])
{
	struct pollfd room = { .fd = fd, .events = POLLOUT };
	int r;

	while ((r = net_send(fd, msg, data, size, fds)) == -EAGAIN)
		if (poll(&room, 1, -1) < 0 && errno != EINTR)
			return -errno;
	return r;
}

/* Takes the descriptors out of a message; those that nobody expects are closed. */
static void take_fds(struct msghdr *header, int ret_fds[2])
{
	size_t place = 0;

	ret_fds[0] = ret_fds[1] = -EBADF;
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(header); cmsg; cmsg = CMSG_NXTHDR(header, cmsg)) {
		size_t count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
			if (place < 2)
				ret_fds[place++] = fd;
			else
				(void)close(fd);
		}
	}
}

int net_receive(int fd, struct net_msg *msg, void *data, size_t room, size_t *ret_size,
		int ret_fds[2])
{
	struct iovec parts[2] = {
		{ .iov_base = msg, .iov_len = sizeof(*msg) },
		{ .iov_base = data, .iov_len = room },
	};
	union {
		char bytes[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct msghdr header = {
		.msg_iov = parts,
		.msg_iovlen = room ? 2 : 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t got;

	do
		got = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got <= 0)
		return got < 0 ? -errno : 0;
	take_fds(&header, ret_fds);
	if (got >= (ssize_t)sizeof(*msg) && !(header.msg_flags & MSG_TRUNC)) {
		if (ret_size)
			*ret_size = (size_t)got - sizeof(*msg);
		msg->name[sizeof(msg->name) - 1] = '\0';
		return 1;
	}
	close_pointer(&ret_fds[0]);
	close_pointer(&ret_fds[1]);
	ret_fds[0] = ret_fds[1] = -EBADF;
	return -EBADMSG;
}

/* ---- links ---- */

#define LINK_BURST 64

struct link_item {
	struct link_item *next;
	struct net_msg msg;
	int fds[2];
};

static void flush(struct link *link)
{
	while (link->first) {
		struct link_item *item = link->first;

		if (net_send(link->item.fd, &item->msg, NULL, 0, item->fds) == -EAGAIN)
			return;
		link->first = item->next;
		close_pointer(&item->fds[0]);
		close_pointer(&item->fds[1]);
		free(item);
	}
	link->last = &link->first;
	loop_change(link->loop, &link->item, EPOLLIN);
}

static void act(struct loop_item *item, uint32_t events)
{
	struct link *link = container_of(item, struct link, item);
	char data[LINK_DATA_MAX];

	if (events & EPOLLOUT)
		flush(link);
	for (int i = 0; i < LINK_BURST && events & ~(uint32_t)EPOLLOUT; i++) {
		struct net_msg msg;
		int fds[2] = { -EBADF, -EBADF };
		size_t size = 0;
		int r = net_receive(item->fd, &msg, data, sizeof(data), &size, fds);

		if (r == -EAGAIN)
			return;
		if (r <= 0) { /* main sees who died, and ends us all */
			loop_remove(link->loop, &link->item);
			return;
		}
		link->receive(link, &msg, data, size, fds);
		close_pointer(&fds[0]);
		close_pointer(&fds[1]);
	}
}

int link_open(struct link *link, struct loop *loop, int fd)
{
	int flags = fcntl(fd, F_GETFL);

	link->loop = loop;
	link->last = &link->first;
	link->item.act = act;
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return loop_add(loop, &link->item, fd, EPOLLIN);
}

void link_send(struct link *link, const struct net_msg *msg, int fds[2])
{
	struct link_item *item = NULL;
	int none[2] = { -EBADF, -EBADF };

	fds = fds ? fds : none;
	if (link->first || net_send(link->item.fd, msg, NULL, 0, fds) == -EAGAIN)
		item = malloc(sizeof(*item));
	if (!item) {
		close_pointer(&fds[0]);
		close_pointer(&fds[1]);
		fds[0] = fds[1] = -EBADF;
		return;
	}
	*item = (struct link_item){ .msg = *msg, .fds = { take_fd(&fds[0]), take_fd(&fds[1]) } };
	if (!link->first)
		loop_change(link->loop, &link->item, EPOLLIN | EPOLLOUT);
	*link->last = item;
	link->last = &item->next;
}
