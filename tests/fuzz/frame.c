/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: frames through the filter, and what it lets through into libslirp, in a network
 * namespace of its own. The mutator mends the checksum of IPv4 headers, else nothing would get far.
 */
#include <libslirp.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include "fuzz.h"
#include "net/frame.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static Slirp *slirp;

static ssize_t send_packet(const void *data, size_t size, void *opaque)
{
	(void)data;
	(void)opaque;
	return (ssize_t)size;
}

static void guest_error(const char *text, void *opaque)
{
	(void)text;
	(void)opaque;
}

static int64_t clock_get_ns(void *opaque)
{
	(void)opaque;
	return 0;
}

static void *timer_new(SlirpTimerCb callback, void *argument, void *opaque)
{
	(void)callback;
	(void)argument;
	(void)opaque;
	return malloc(1);
}

static void timer_free(void *timer, void *opaque)
{
	(void)opaque;
	free(timer);
}

static void timer_mod(void *timer, int64_t expires, void *opaque)
{
	(void)timer;
	(void)expires;
	(void)opaque;
}

static void poll_fd(int fd, void *opaque)
{
	(void)fd;
	(void)opaque;
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
	.register_poll_fd = poll_fd,
	.unregister_poll_fd = poll_fd,
	.notify = notify,
};

static Slirp *new_slirp(void)
{
	SlirpConfig config = { .version = 4,
			       .in_enabled = true,
			       .in6_enabled = true,
			       .vprefix_len = 64,
			       .if_mtu = 32768,
			       .if_mru = 32768,
			       .disable_host_loopback = true,
			       .disable_dns = true,
			       .disable_dhcp = true };

	memcpy(&config.vnetwork, "\x0a\0\2\0", 4);
	memcpy(&config.vnetmask, "\xff\xff\xff\0", 4);
	memcpy(&config.vhost, "\x0a\0\2\2", 4);
	memcpy(&config.vnameserver, "\x0a\0\2\3", 4);
	memcpy(&config.vdhcp_start, "\x0a\0\2\x64", 4);
	memcpy(&config.vprefix_addr6, "\xfd\0\xc1\x0c\0\x0e\0\0", 8);
	memcpy(&config.vhost6, "\xfd\0\xc1\x0c\0\x0e\0\0\0\0\0\0\0\0\0\2", 16);
	memcpy(&config.vnameserver6, "\xfd\0\xc1\x0c\0\x0e\0\0\0\0\0\0\0\0\0\3", 16);
	return slirp_new(&config, &callbacks, NULL);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	/* Nothing must leave: not even by root. */
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		abort();
	slirp = new_slirp();
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	uint32_t sum = 0;

	(void)seed;
	size = LLVMFuzzerMutate(data, size, max);
	if (size < 34 || data[12] != 8 || data[13] != 0)
		return size;
	data[24] = data[25] = 0;
	for (size_t i = 14; i < 34; i += 2)
		sum += (uint32_t)(data[i] << 8 | data[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	sum += sum >> 16;
	data[24] = (uint8_t)(~sum >> 8);
	data[25] = (uint8_t)~sum;
	return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned rounds;
	uint8_t reply[FRAME_REPLY_MAX], *copy = malloc(size + 1);
	struct net_addr gateway = { 0 };
	struct frame frame;

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	frame_check(copy, size, &frame);
	gateway.family = frame.dest.addr.family;
	require(frame.payload <= size);
	switch (frame.kind) {
	case FRAME_DROP:
		break;
	case FRAME_PROHIBITED:
		require(frame_prohibit(copy, size, &gateway, reply) <= sizeof(reply));
		break;
	default:
		if (frame.kind != FRAME_NEIGHBOUR)
			require(frame_prohibit(copy, size, &gateway, reply) <= sizeof(reply));
		slirp_input(slirp, copy, (int)size);
	}
	(void)frame_complete_checksum(copy, size, size ? data[0] : 0, size > 1 ? data[1] : 0);
	free(copy);
	/* Sockets that it made go with it. */
	if (++rounds % 256 == 0) {
		slirp_cleanup(slirp);
		slirp = new_slirp();
	}
	return 0;
}
