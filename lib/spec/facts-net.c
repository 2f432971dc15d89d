/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The host's network, as far as a sandbox's must fit in: routes, names, nameservers (proc(5),
 * resolv.conf(5)).
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/helper.h"
#include "spec/facts.h"

#define MAX_ROUTES_BYTES (4u << 20)
#define MAX_RESOLV_BYTES (64u << 10)

static char *read_file(const char *path, size_t most)
{
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *text = NULL;
	size_t size;

	return fd >= 0 && fd_read_all(fd, most, &text, &size) == 0 ? text : NULL;
}

static void add_route(struct facts_net *net, const struct net_prefix *route)
{
	struct net_prefix *grown =
		realloc(net->routes, (net->route_count + 1) * sizeof(*net->routes));

	if (!grown)
		return;
	net->routes = grown;
	grown[net->route_count++] = *route;
}

/* Interface Destination Gateway Flags RefCnt Use Metric Mask..., addresses in the host's byte order
 * as the network's. */
static void read_route(struct facts_net *net, const char *line)
{
	unsigned dest, mask;
	struct net_prefix route = { .length = 0 };

	/* The kernel's own text, of fixed columns. NOLINTNEXTLINE(cert-err34-c) */
	if (sscanf(line, "%*s %x %*x %*x %*u %*u %*u %x", &dest, &mask) != 2 || !mask)
		return; /* the default route clashes with nothing */
	route.addr = net_addr_v4(&dest);
	route.length = (uint8_t)__builtin_popcount(mask);
	add_route(net, &route);
}

/* Destination, its length, ..., flags, interface. */
static bool is_default_v6(const char *line)
{
	char dest[33], interface[32];
	unsigned length;

	/* NOLINTNEXTLINE(cert-err34-c) as above */
	return sscanf(line, "%32s %x %*s %*x %*s %*x %*x %*x %*x %31s", dest, &length, interface) ==
		       3 &&
	       length == 0 && strspn(dest, "0") == 32 && strcmp(interface, "lo") != 0;
}

/* Calls for each line of @text, which is changed. */
static char *next_line(char **text)
{
	char *line = *text, *end = line ? strchr(line, '\n') : NULL;

	if (!line || !*line)
		return NULL;
	*text = end ? end + 1 : line + strlen(line);
	if (end)
		*end = '\0';
	return line;
}

void facts_read_net(struct facts *facts)
{
	struct facts_net *net = &facts->net;
	_free_ char *v4 = read_file("/proc/net/route", MAX_ROUTES_BYTES);
	_free_ char *v6 = read_file("/proc/net/ipv6_route", MAX_ROUTES_BYTES);
	char *rest = v4, *line;

	while ((line = next_line(&rest)))
		read_route(net, line);
	for (rest = v6; (line = next_line(&rest));)
		net->has_v6 |= is_default_v6(line);
	net->resolv = read_file("/etc/resolv.conf", MAX_RESOLV_BYTES);
	if (gethostname(net->hostname, sizeof(net->hostname) - 1) < 0 || !net->hostname[0])
		str_copy(net->hostname, sizeof(net->hostname), "localhost");
}

void facts_free_net(struct facts *facts)
{
	free(facts->net.routes);
	free(facts->net.resolv);
	free(facts->net.probe);
}
