/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Host sockets of published ports, opened with the caller's rights before COMMAND starts, so that
 * one that is taken is an error of its option. Addresses are exclusive: nobody else can listen
 * there, too (no SO_REUSEPORT).
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "net/main.h"

#define FREE_PORT_TRIES 16

static int add(struct published_list *list, int fd, const struct net_publish *publish,
	       const struct net_end *end, uint16_t inside)
{
	struct published *grown = realloc(list->items, (list->count + 1) * sizeof(*list->items));

	if (!grown)
		return -ENOMEM;
	list->items = grown;
	grown[list->count++] = (struct published){ .fd = fd,
						   .proto = publish->proto,
						   .inside = inside,
						   .port = end->port,
						   .addr = end->addr };
	return 0;
}

/* @end->port 0: receives the one that was free. fd or -errno. */
static int open_socket(enum net_proto proto, struct net_end *end)
{
	struct sockaddr_storage address;
	socklen_t length = net_end_to(end, &address);
	int on = 1, type = proto == NET_UDP ? SOCK_DGRAM : SOCK_STREAM;
	_close_ int fd = socket(address.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (end->addr.family == 6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	/* Connections that linger from before do not hold the port. */
	if (proto == NET_TCP)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (void *)&address, length) < 0 ||
	    (proto == NET_TCP && listen(fd, SOMAXCONN) < 0) ||
	    getsockname(fd, (void *)&address, &length) < 0)
		return -errno;
	end->port = net_end_from(&address).port;
	return take_fd(&fd);
}

static int open_one(struct published_list *list, const struct net_publish *publish,
		    struct net_end *end, uint16_t inside)
{
	int fd = open_socket(publish->proto, end);
	int r = fd < 0 ? fd : add(list, fd, publish, end, inside);

	if (fd >= 0 && r < 0)
		(void)close(fd);
	return r;
}

/* 127.0.0.1 and, where there is one, ::1, at the same port. */
static int open_loopback(struct published_list *list, const struct net_publish *publish,
			 struct net_end *ret_end, uint16_t inside)
{
	const uint16_t port = ret_end->port;
	size_t before = list->count;
	int r = 0;

	for (int i = 0; i < FREE_PORT_TRIES; i++) {
		ret_end->port = port;
		ignore(net_addr_parse("127.0.0.1", &ret_end->addr)); /* constants that are right */
		r = open_one(list, publish, ret_end, inside);
		if (r < 0)
			return r;
		ignore(net_addr_parse("::1", &ret_end->addr));
		r = open_one(list, publish, ret_end, inside);
		if (r == -EADDRNOTAVAIL || r == -EAFNOSUPPORT)
			return 0;
		if (r != -EADDRINUSE || port)
			return r;
		/* Free for one family only: another. */
		(void)close(list->items[before].fd);
		list->count = before;
	}
	return r;
}

/* ---- unix sockets ---- */

static socklen_t path_address(const struct net_publish *publish, struct sockaddr_un *ret_address)
{
	size_t length = (size_t)(strrchr(publish->path, ':') - publish->path);

	*ret_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (length >= sizeof(ret_address->sun_path))
		return 0;
	memcpy(ret_address->sun_path, publish->path, length);
	return sizeof(*ret_address);
}

/* Left behind by somebody who was killed: nobody answers. */
static bool is_stale(const struct sockaddr_un *address, socklen_t length)
{
	_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct stat info;

	return lstat(address->sun_path, &info) == 0 && S_ISSOCK(info.st_mode) &&
	       connect(fd, (const void *)address, length) < 0 && errno == ECONNREFUSED;
}

static int open_path(struct published_list *list, const struct net_publish *publish,
		     struct net_msg *failed)
{
	const struct net_end none = { 0 };
	struct sockaddr_un address;
	socklen_t length = path_address(publish, &address);
	_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r;

	str_copy(failed->name, sizeof(failed->name), address.sun_path);
	if (fd < 0)
		return -errno;
	if (!length)
		return -ENAMETOOLONG;
	r = bind(fd, (void *)&address, length);
	if (r < 0 && errno == EADDRINUSE && is_stale(&address, length)) {
		(void)unlink(address.sun_path);
		r = bind(fd, (void *)&address, length);
	}
	if (r < 0 || listen(fd, SOMAXCONN) < 0)
		return -errno;
	r = add(list, fd, publish, &none, publish->inside);
	if (r == 0)
		(void)take_fd(&fd);
	return r;
}

void publish_remove_paths(const struct net_config *config)
{
	for (size_t i = 0; i < config->publish_count; i++) {
		struct sockaddr_un address;

		if (config->publishes[i].path && path_address(&config->publishes[i], &address))
			(void)unlink(address.sun_path);
	}
}

int publish_all(const struct net_config *config, struct published_list *ret_list,
		struct net_msg *ret_failed)
{
	for (size_t i = 0; i < config->publish_count; i++) {
		const struct net_publish *publish = &config->publishes[i];
		int r = 0;

		ret_failed->use = publish->use;
		if (publish->path)
			r = open_path(ret_list, publish, ret_failed);
		for (uint32_t port = publish->first;
		     r == 0 && !publish->path && port <= publish->last; port++) {
			uint16_t inside = (uint16_t)(publish->inside + (port - publish->first));
			struct net_end end = { publish->addr, (uint16_t)port };
			char text[NET_ADDR_TEXT];

			r = end.addr.family ? open_one(ret_list, publish, &end, inside)
					    : open_loopback(ret_list, publish, &end, inside);
			str_copy(ret_failed->name, sizeof(ret_failed->name),
				 net_end_text(&end, text));
		}
		if (r < 0) {
			ret_failed->status = -r;
			return r;
		}
	}
	return 0;
}

void publish_close(struct published_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		(void)close(list->items[i].fd);
	free(list->items);
	*list = (struct published_list){ 0 };
}
