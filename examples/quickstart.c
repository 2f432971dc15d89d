// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The program that ./quickstart compiles and runs in a sandbox: it tries one thing and says what
 * came of it.
 *
 *   quickstart write PATH      create PATH
 *   quickstart find PATH       look for PATH
 *   quickstart listen          accept connections on a free loopback port, whose number it prints
 *   quickstart connect PORT    connect to that port
 *   quickstart interfaces      name the network interfaces
 *
 * Exit status: 0 it worked, 1 it was refused (errno's text on stdout), 2 wrong usage.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int outcome(int result, const char *success)
{
	puts(result < 0 ? strerror(errno) : success);
	return result < 0;
}

static int connect_to(const char *port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((unsigned short)strtoul(port, NULL, 10)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? fd : connect(fd, (struct sockaddr *)&address, sizeof(address));
}

static int listen_on_loopback(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 8) < 0 || getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		return -1;
	printf("%d\n", ntohs(address.sin_port));
	fflush(stdout);
	pause();
	return 0;
}

static int list_interfaces(void)
{
	struct if_nameindex *interfaces = if_nameindex();

	if (interfaces == NULL)
		return -1;
	for (struct if_nameindex *i = interfaces; i->if_index != 0; i++)
		printf("%s%s", i == interfaces ? "" : " ", i->if_name);
	putchar('\n');
	if_freenameindex(interfaces);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "write") == 0)
		return outcome(open(argv[2], O_WRONLY | O_CREAT | O_CLOEXEC, 0644), "written");
	if (argc == 3 && strcmp(argv[1], "find") == 0)
		return outcome(access(argv[2], F_OK), "found");
	if (argc == 3 && strcmp(argv[1], "connect") == 0)
		return outcome(connect_to(argv[2]), "connected");
	if (argc == 2 && strcmp(argv[1], "listen") == 0)
		return listen_on_loopback() < 0;
	if (argc == 2 && strcmp(argv[1], "interfaces") == 0)
		return list_interfaces() < 0;
	fputs("usage: quickstart write PATH | find PATH | listen | connect PORT | interfaces\n",
	      stderr);
	return 2;
}
