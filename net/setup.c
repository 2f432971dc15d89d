/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The order of the set-up, and all that is no carrier and no rule. Everything is done by netlink
 * and ioctl: no program is run. What must not fail is an error; redirection and the queue have a
 * fallback, unless the user wants them.
 */
#include "net/setup.h"

#include <fcntl.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "net/netlink.h"

#define DNS_PORT 53
#define PUBLISH_TABLE 100

void setup_init(struct setup *setup, const struct net_config *config)
{
	*setup = (struct setup){ .config = config,
				 .tun_fd = -EBADF,
				 .carrier_fd = -EBADF,
				 .listener = { -EBADF, -EBADF },
				 .dns_udp = { -EBADF, -EBADF },
				 .dns_tcp = { -EBADF, -EBADF },
				 .queue_fd = -EBADF };
}

/* ---- addresses and routes ---- */

static void put_addr(struct nl_batch *batch, uint16_t type, const struct net_addr *addr)
{
	nl_put(batch, type, addr->bytes, net_addr_size(addr));
}

static uint8_t family_of(const struct net_addr *addr)
{
	return addr->family == 6 ? AF_INET6 : AF_INET;
}

static void add_address(struct nl_batch *batch, unsigned interface, const struct net_addr *addr,
			uint8_t length)
{
	struct ifaddrmsg header = { .ifa_family = family_of(addr),
				    .ifa_prefixlen = length,
				    .ifa_flags = IFA_F_NODAD | IFA_F_PERMANENT,
				    .ifa_index = interface };

	nl_message(batch, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE, &header, sizeof(header));
	put_addr(batch, IFA_LOCAL, addr);
	put_addr(batch, IFA_ADDRESS, addr);
}

static void add_default_route(struct nl_batch *batch, unsigned interface,
			      const struct net_addr *gateway)
{
	struct rtmsg header = { .rtm_family = family_of(gateway),
				.rtm_table = RT_TABLE_MAIN,
				.rtm_protocol = RTPROT_STATIC,
				.rtm_scope = RT_SCOPE_UNIVERSE,
				.rtm_type = RTN_UNICAST };

	nl_message(batch, RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE, &header, sizeof(header));
	put_addr(batch, RTA_GATEWAY, gateway);
	nl_put_u32(batch, RTA_OIF, interface);
}

static void bring_up(struct nl_batch *batch, unsigned interface, const struct net_config *config)
{
	struct ifinfomsg header = { .ifi_index = (int)interface,
				    .ifi_flags = IFF_UP,
				    .ifi_change = IFF_UP };

	nl_message(batch, RTM_NEWLINK, NLM_F_ACK, &header, sizeof(header));
	nl_put_u32(batch, IFLA_MTU, config->mtu);
	if (config->has_mac)
		nl_put(batch, IFLA_ADDRESS, config->mac, sizeof(config->mac));
}

static int configure(struct setup *setup, int route_fd)
{
	static const char *const failures[2] = { "the interface's address and route",
						 "the interface's IPv6 address and route" };
	unsigned interface = if_nametoindex(setup->config->ifname), lo = if_nametoindex("lo");
	const struct net_layout *layout = &setup->layout;
	struct ifinfomsg loopback = { .ifi_index = (int)lo,
				      .ifi_flags = IFF_UP,
				      .ifi_change = IFF_UP };
	struct nl_batch batch = { 0 };
	int r;

	nl_message(&batch, RTM_NEWLINK, NLM_F_ACK, &loopback, sizeof(loopback));
	bring_up(&batch, interface, setup->config);
	setup->failed = "the interface";
	r = nl_commit(&batch, route_fd);
	for (size_t i = 0; r == 0 && i < 2; i++) {
		const struct net_addr *own = &layout->own[i];

		if (!own->family)
			continue;
		setup->failed = failures[i];
		add_address(&batch, interface, own, i ? layout->v6.length : layout->v4.length);
		add_address(&batch, lo, &layout->dns[i], i ? 128 : 32);
		add_default_route(&batch, interface, &layout->gateway[i]);
		r = nl_commit(&batch, route_fd);
	}
	return r;
}

/* What is marked as published goes to us, whatever address it is for. */
static int route_published(const struct setup *setup, int route_fd)
{
	unsigned lo = if_nametoindex("lo");
	struct nl_batch batch = { 0 };

	for (size_t i = 0; i < 2; i++) {
		uint8_t family = i ? AF_INET6 : AF_INET;
		struct rtmsg route = { .rtm_family = family,
				       .rtm_table = PUBLISH_TABLE,
				       .rtm_protocol = RTPROT_STATIC,
				       .rtm_scope = i ? RT_SCOPE_UNIVERSE : RT_SCOPE_HOST,
				       .rtm_type = RTN_LOCAL };
		struct fib_rule_hdr rule = { .family = family,
					     .table = PUBLISH_TABLE,
					     .action = FR_ACT_TO_TBL };

		if (!setup->layout.own[i].family)
			continue;
		nl_message(&batch, RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE, &route, sizeof(route));
		nl_put_u32(&batch, RTA_OIF, lo);
		nl_message(&batch, RTM_NEWRULE, NLM_F_ACK | NLM_F_CREATE, &rule, sizeof(rule));
		nl_put_u32(&batch, FRA_FWMARK, SETUP_PUBLISH_MARK);
		nl_put_u32(&batch, FRA_PRIORITY, 1);
	}
	return nl_commit(&batch, route_fd);
}

/* ---- sysctls of the network namespace ---- */

/* ping(1) without capabilities: for all groups of the first range of the gid map, which is all
 * there is mostly (ping_group_range, icmp(7)). */
static void allow_ping(void)
{
	_close_ int fd = open("/proc/self/gid_map", O_RDONLY | O_CLOEXEC);
	char text[4096], range[64];
	unsigned inside, outside, count;
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (got <= 0)
		return;
	text[got] = '\0';
	/* The kernel\'s own text. NOLINTNEXTLINE(cert-err34-c) */
	if (sscanf(text, "%u %u %u", &inside, &outside, &count) != 3)
		return;
	(void)snprintf(range, sizeof(range), "%u %u", inside,
		       count > INT32_MAX - 1u ? INT32_MAX : inside + count - 1);
	/* In a container /proc/sys may be read-only: then there is no ping. */
	ignore(fd_write_file(AT_FDCWD, "/proc/sys/net/ipv4/ping_group_range", range));
}

/* Router advertisements, which libslirp sends, must not add addresses of their own. */
static void refuse_advertisements(const char *interface)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/accept_ra", interface);
	ignore(fd_write_file(AT_FDCWD, path, "0"));
}

/* Datagrams of a service on 127.0.0.1 are routed by our interface before they are marked, which
 * the kernel else refuses; what comes in by it comes from us. */
static void allow_loopback(const char *interface)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/route_localnet", interface);
	ignore(fd_write_file(AT_FDCWD, path, "1")); /* then the service does not see its clients */
}

/* ---- listeners ---- */

static int listen_at(const struct net_end *end, int type, int *ret_fd, uint16_t *ret_port)
{
	struct sockaddr_storage address;
	socklen_t length = net_end_to(end, &address);
	int on = 1;
	_close_ int fd = socket(address.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (address.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)); /* inherited */
	if (bind(fd, (void *)&address, length) < 0 ||
	    (type == SOCK_STREAM && listen(fd, SOMAXCONN) < 0) ||
	    getsockname(fd, (void *)&address, &length) < 0)
		return -errno;
	if (ret_port)
		*ret_port = net_end_from(&address).port;
	*ret_fd = take_fd(&fd);
	return 0;
}

static int open_listeners(struct setup *setup)
{
	static const char *const loopback[2] = { "127.0.0.1", "::1" };
	int r = 0;

	setup->failed = "the nameserver's and the redirection's sockets";
	for (size_t i = 0; r == 0 && i < 2; i++) {
		struct net_end dns = { setup->layout.dns[i], DNS_PORT }, local = { 0 };

		if (!dns.addr.family)
			continue;
		ignore(net_addr_parse(loopback[i], &local.addr)); /* a constant that is right */
		r = listen_at(&dns, SOCK_DGRAM, &setup->dns_udp[i], NULL);
		if (r == 0)
			r = listen_at(&dns, SOCK_STREAM, &setup->dns_tcp[i], NULL);
		if (r == 0)
			r = listen_at(&local, SOCK_STREAM, &setup->listener[i],
				      &setup->listener_port[i]);
	}
	return r;
}

/* Connections are redirected, and their SYNs held, where the kernel can. */
static int redirect(struct setup *setup)
{
	static const enum net_hold ways[] = { HOLD_COMPAT, HOLD_NATIVE };
	int r;

	if (setup->config->path == PATH_SLIRP)
		return 0;
	r = nft_redirect(setup);
	setup->splice_errnum = -r;
	setup->has_splice = r == 0;
	setup->failed = "the redirection of connections (nftables)";
	if (r < 0)
		return setup->config->path == PATH_SPLICE ? r : 0;
	r = hold_open();
	if (r < 0) {
		setup->hold_errnum = -r;
		return 0;
	}
	setup->queue_fd = r;
	/* The compatible way first: a kernel that lacks either takes long to say so, and most have
	 * it, Debian's and others' without the native expression. */
	for (size_t i = 0; setup->hold == HOLD_NONE && i < ARRAY_SIZE(ways); i++) {
		r = nft_hold(setup, ways[i]);
		if (r == 0)
			setup->hold = ways[i];
		else
			setup->hold_errnum = -r;
	}
	return 0;
}

static bool publishes(const struct net_config *config)
{
	return config->publish_count > 0 || config->publish_auto || config->publish_later;
}

static bool publishes_datagrams(const struct net_config *config)
{
	for (size_t i = 0; i < config->publish_count; i++)
		if (config->publishes[i].proto == NET_UDP)
			return true;
	return config->publish_later;
}

static int publish(struct setup *setup, int route_fd)
{
	int r, rules;

	if (!publishes(setup->config))
		return 0;
	if (publishes_datagrams(setup->config))
		allow_loopback(setup->config->ifname);
	setup->failed = "routes for published ports";
	r = route_published(setup, route_fd);
	if (r < 0)
		return r;
	/* Either of them will do for TCP; UDP needs the rules. */
	rules = nft_publish();
	r = fd_write_file(AT_FDCWD, "/proc/sys/net/ipv4/tcp_fwmark_accept", "1");
	return rules < 0 && r < 0 ? rules : 0;
}

int setup_make(struct setup *setup)
{
	_close_ int route_fd = nl_open(NETLINK_ROUTE);
	int r;

	setup->failed = "a netlink socket";
	if (route_fd < 0)
		return route_fd;
	r = carrier_make(setup);
	if (r == 0 && setup->layout.v6.addr.family)
		refuse_advertisements(setup->config->ifname);
	if (r == 0)
		r = configure(setup, route_fd);
	allow_ping();
	if (r == 0)
		r = open_listeners(setup);
	if (r == 0)
		r = redirect(setup);
	return r == 0 ? publish(setup, route_fd) : r;
}
