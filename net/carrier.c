/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What carries the frames of the sandbox's interface to us: a TAP device, or, where /dev/net/tun
 * cannot be opened, a packet socket on the other end of a veth pair. That end lies in a network
 * namespace that nobody has a name for: it lives by the socket alone.
 */
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>

#include "net/netlink.h"
#include "net/setup.h"

#define QUEUE_BYTES (4 << 20) /* of frames that wait for us */

/* ---- TAP ---- */

/*
 * A descriptor of /dev/net/tun that was opened outside belongs to the network namespace outside;
 * opened anew by its O_PATH descriptor it belongs to ours.
 */
static int open_tap(struct setup *setup)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	char path[STR_FD_PATH_SIZE];
	_close_ int fd = -EBADF;

	if (setup->tun_fd < 0)
		return -setup->tun_errnum;
	fd = open(str_fd_path(path, setup->tun_fd), O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	str_copy(request.ifr_name, sizeof(request.ifr_name), setup->config->ifname);
	if (ioctl(fd, TUNSETIFF, &request) < 0)
		return -errno;
	/* It goes with the namespace; else closing it takes 28 ms (measured). */
	(void)ioctl(fd, TUNSETPERSIST, 1);
	return take_fd(&fd);
}

/* ---- packet socket ---- */

static int add_veth(const struct setup *setup, int route_fd, int peer_ns_fd)
{
	struct ifinfomsg header = { 0 }, peer = { 0 };
	struct nl_batch batch = { 0 };
	size_t info, data, other;

	nl_message(&batch, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &header,
		   sizeof(header));
	nl_put_string(&batch, IFLA_IFNAME, setup->config->ifname);
	nl_put_u32(&batch, IFLA_MTU, setup->config->mtu);
	/* Packets larger than a frame would reach us as one: the sender has to cut them. */
	nl_put_u32(&batch, IFLA_GSO_MAX_SEGS, 1);
	info = nl_nest(&batch, IFLA_LINKINFO);
	nl_put_string(&batch, IFLA_INFO_KIND, "veth");
	data = nl_nest(&batch, IFLA_INFO_DATA);
	other = nl_nest(&batch, VETH_INFO_PEER);
	/* A struct ifinfomsg, then attributes. */
	memcpy(batch.data + batch.size, &peer, sizeof(peer));
	batch.size += sizeof(peer);
	nl_put_string(&batch, IFLA_IFNAME, "peer");
	nl_put_u32(&batch, IFLA_MTU, setup->config->mtu);
	nl_put_u32(&batch, IFLA_NET_NS_FD, (uint32_t)peer_ns_fd);
	nl_unnest(&batch, other);
	nl_unnest(&batch, data);
	nl_unnest(&batch, info);
	return nl_commit(&batch, route_fd);
}

static int bring_up_peer(int route_fd, unsigned index)
{
	struct ifinfomsg header = { .ifi_index = (int)index,
				    .ifi_flags = IFF_UP,
				    .ifi_change = IFF_UP };
	struct nl_batch batch = { 0 };

	nl_message(&batch, RTM_NEWLINK, NLM_F_ACK, &header, sizeof(header));
	return nl_commit(&batch, route_fd);
}

static int bind_packet(int fd, unsigned index)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET,
				       .sll_protocol = __builtin_bswap16(ETH_P_ALL),
				       .sll_ifindex = (int)index };
	int on = 1, bytes = QUEUE_BYTES;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) < 0 ||
	    bind(fd, (void *)&address, sizeof(address)) < 0)
		return -errno;
	return 0;
}

/* The interface's other end in a namespace of its own: @inside_fd is the sandbox's. */
static int open_packet(struct setup *setup, int inside_fd)
{
	_close_ int packet_fd = -EBADF, outer_route = -EBADF, inner_route = -EBADF,
		    outer_fd = -EBADF;
	struct ifreq request = { 0 };
	int r;

	if (unshare(CLONE_NEWNET) < 0)
		return -errno;
	/* With a protocol already here the set-up would take ten times as long (measured). */
	packet_fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	outer_route = nl_open(NETLINK_ROUTE);
	outer_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (packet_fd < 0 || outer_route < 0 || outer_fd < 0)
		return -errno;
	if (setns(inside_fd, CLONE_NEWNET) < 0)
		return -errno;
	inner_route = nl_open(NETLINK_ROUTE);
	r = inner_route < 0 ? inner_route : add_veth(setup, inner_route, outer_fd);
	if (r < 0)
		return r;
	str_copy(request.ifr_name, sizeof(request.ifr_name), "peer");
	if (ioctl(packet_fd, SIOCGIFINDEX, &request) < 0)
		return -errno;
	r = bring_up_peer(outer_route, (unsigned)request.ifr_ifindex);
	if (r == 0)
		r = bind_packet(packet_fd, (unsigned)request.ifr_ifindex);
	return r < 0 ? r : take_fd(&packet_fd);
}

int carrier_make(struct setup *setup)
{
	_close_ int inside_fd = -EBADF;
	int fd = -ENODEV;

	if (setup->config->carrier != CARRIER_PACKET) {
		fd = open_tap(setup);
		setup->carrier = CARRIER_TAP;
		setup->carrier_errnum = fd < 0 ? -fd : 0;
		setup->failed = "the TAP interface";
	}
	if (fd < 0 && setup->config->carrier != CARRIER_TAP) {
		setup->failed = "the interface (a veth pair and a packet socket)";
		inside_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
		if (inside_fd < 0)
			return -errno;
		fd = open_packet(setup, inside_fd);
		setup->carrier = CARRIER_PACKET;
	}
	if (fd < 0)
		return fd;
	setup->carrier_fd = fd;
	return 0;
}
