/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Captures. Packets are copied from a packet socket in the sandbox's namespace; what a connection's
 * redirection did to their addresses is undone in the copy.
 */
#include "net/capture.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>

#include "base/fd.h"

#define SNAP_BYTES 65536
#define QUEUE_BYTES (8 << 20)
#define BURST 64
#define ETHERNET_HEADER 14
#define LINKTYPE_ETHERNET 1
#define ETHERTYPE_V4 0x0800
#define ETHERTYPE_V6 0x86dd
#define ALL_PACKETS 0x0003 /* ETH_P_ALL */

/* Blocks of the file, in our byte order, as the format wants. */
struct section {
	uint32_t type, size, magic;
	uint16_t major, minor;
	int64_t length;
	uint32_t size_again;
} __attribute__((packed));

struct interface {
	uint32_t type, size;
	uint16_t link_type, reserved;
	uint32_t snap;
	uint16_t code, length; /* option: time in nanoseconds */
	uint8_t resolution, padding[3];
	uint32_t end;
	uint32_t size_again;
} __attribute__((packed));

struct packet {
	uint32_t type, size, interface, time_high, time_low, captured, original;
} __attribute__((packed));

int capture_open(void)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ALL_PACKETS));
	int bytes = QUEUE_BYTES;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	return fd;
}

/* ---- real addresses ---- */

static void mend_v4_checksum(uint8_t *header, size_t length)
{
	uint32_t sum = 0;

	header[10] = header[11] = 0;
	for (size_t i = 0; i < length; i += 2)
		sum += (uint32_t)(header[i] << 8 | header[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	sum += sum >> 16;
	header[10] = (uint8_t)(~sum >> 8);
	header[11] = (uint8_t)~sum;
}

static uint16_t port_at(const uint8_t *place)
{
	return (uint16_t)(place[0] << 8 | place[1]);
}

static void set_end(uint8_t *addr, uint8_t *port, const struct net_end *end)
{
	memcpy(addr, end->addr.bytes, net_addr_size(&end->addr));
	port[0] = (uint8_t)(end->port >> 8);
	port[1] = (uint8_t)end->port;
}

static void show_real(const struct capture *capture, uint8_t *frame, size_t size)
{
	uint8_t *ip = frame + ETHERNET_HEADER, *tcp;
	bool is_v6 = port_at(frame + 12) == ETHERTYPE_V6;
	size_t header = is_v6 ? 40 : (size_t)(ip[0] & 0xf) * 4, bytes = is_v6 ? 16 : 4;
	uint8_t *source = ip + (is_v6 ? 8 : 12), *dest = source + bytes;
	struct net_end client, real;
	bool goes_out;

	if (size < ETHERNET_HEADER + header + 20 || ip[is_v6 ? 6 : 9] != IPPROTO_TCP)
		return;
	tcp = ip + header;
	goes_out = port_at(tcp + 2) == capture->ports[is_v6];
	if (!goes_out && port_at(tcp) != capture->ports[is_v6])
		return;
	client.addr = is_v6 ? net_addr_v6(goes_out ? source : dest)
			    : net_addr_v4(goes_out ? source : dest);
	client.port = port_at(goes_out ? tcp : tcp + 2);
	if (!capture->find_real(capture->context, &client, &real) ||
	    real.addr.family != (is_v6 ? 6 : 4))
		return;
	set_end(goes_out ? dest : source, goes_out ? tcp + 2 : tcp, &real);
	if (!is_v6)
		mend_v4_checksum(ip, header);
}

/* ---- the file ---- */

/* A disk that is full ends the capture, not the network. */
static void write_packet(struct capture *capture, uint8_t *frame, size_t size, size_t original)
{
	static const uint8_t zero[4];
	struct timespec now;
	uint32_t padded = (uint32_t)(size + 3) & ~3u;
	struct packet packet = { .type = 6,
				 .size = (uint32_t)sizeof(packet) + padded + 4,
				 .captured = (uint32_t)size,
				 .original = (uint32_t)original };
	struct iovec parts[] = {
		{ .iov_base = &packet, .iov_len = sizeof(packet) },
		{ .iov_base = frame, .iov_len = size },
		{ .iov_base = (void *)(uintptr_t)zero, .iov_len = padded - size },
		{ .iov_base = &packet.size, .iov_len = sizeof(packet.size) },
	};
	uint64_t nanoseconds;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	nanoseconds = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	packet.time_high = (uint32_t)(nanoseconds >> 32);
	packet.time_low = (uint32_t)nanoseconds;
	ignore(writev(capture->file_fd, parts, ARRAY_SIZE(parts)) < 0);
}

static void act(struct loop_item *item, uint32_t events)
{
	static uint8_t frame[SNAP_BYTES]; /* one process, one thread */
	struct capture *capture = container_of(item, struct capture, item);

	(void)events;
	for (int i = 0; i < BURST; i++) {
		struct sockaddr_ll from = { 0 };
		socklen_t length = sizeof(from);
		ssize_t got =
			recvfrom(item->fd, frame, sizeof(frame), MSG_TRUNC, (void *)&from, &length);
		size_t size;

		if (got < 0)
			return;
		/* On lo each packet leaves and arrives. */
		if (from.sll_ifindex == 1 && from.sll_pkttype == PACKET_OUTGOING)
			continue;
		size = (size_t)got < sizeof(frame) ? (size_t)got : sizeof(frame);
		if (size >= ETHERNET_HEADER + 20 &&
		    (port_at(frame + 12) == ETHERTYPE_V4 || port_at(frame + 12) == ETHERTYPE_V6))
			show_real(capture, frame, size);
		write_packet(capture, frame, size, (size_t)got);
	}
}

int capture_start(struct capture *capture, struct loop *loop, int file_fd, int socket_fd,
		  const uint16_t ports[2],
		  bool (*find_real)(void *context, const struct net_end *source,
				    struct net_end *ret_dest),
		  void *context)
{
	const struct section section = { .type = 0x0a0d0d0a,
					 .size = sizeof(section),
					 .magic = 0x1a2b3c4d,
					 .major = 1,
					 .length = -1,
					 .size_again = sizeof(section) };
	const struct interface interface = { .type = 1,
					     .size = sizeof(interface),
					     .link_type = LINKTYPE_ETHERNET,
					     .snap = SNAP_BYTES,
					     .code = 9,
					     .length = 1,
					     .resolution = 9,
					     .size_again = sizeof(interface) };
	int r = fd_write_all(file_fd, &section, sizeof(section));

	if (r == 0)
		r = fd_write_all(file_fd, &interface, sizeof(interface));
	*capture = (struct capture){ .item = { .act = act },
				     .file_fd = file_fd,
				     .ports = { ports[0], ports[1] },
				     .find_real = find_real,
				     .context = context };
	return r == 0 ? loop_add(loop, &capture->item, socket_fd, EPOLLIN) : r;
}
