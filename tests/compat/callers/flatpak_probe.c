// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * probe: says hello to the message bus at $DBUS_SESSION_BUS_ADDRESS ("unix:path=...") and prints
 * its answer. It is the static program that the flatpak tests put into their application, where
 * there is no D-Bus client: an answer means that the filtered bus, whose proxy flatpak starts in a
 * bwrap of its own, is reachable. It trusts what the test set.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	const char *address = getenv("DBUS_SESSION_BUS_ADDRESS");
	char answer[256];
	ssize_t len;
	int fd;

	if (!address || strncmp(address, "unix:path=", 10) != 0)
		return 2;
	snprintf(name.sun_path, sizeof(name.sun_path), "%s", address + 10);
	name.sun_path[strcspn(name.sun_path, ",")] = '\0';
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&name, sizeof(name)) < 0) {
		perror("connect");
		return 3;
	}
	/* A nul byte, then the line that asks which ways to authenticate there are. */
	if (write(fd, "\0AUTH\r\n", 7) != 7)
		return 4;
	len = read(fd, answer, sizeof(answer) - 1);
	if (len <= 0)
		return 5;
	answer[len] = '\0';
	fputs(answer, stdout);
	return 0;
}
