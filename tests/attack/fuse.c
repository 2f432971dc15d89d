/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * F44: mounts a FUSE file system that answers the first request and then nothing, lets processes
 * hang in it, and ends.
 *
 *   fuse DEVICE DIRECTORY WAITERS STATUS
 *
 * DEVICE is /dev/fuse, or a node like it. Prints "mounted ok", "waiting N" (processes that sleep in
 * the kernel in a request that nobody answers), and ends with STATUS while they wait.
 */
#include "attack.h"
#include <linux/fuse.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/uio.h>
#include <sys/wait.h>

static int answer_init(int fd)
{
	union {
		char bytes[65536];
		struct fuse_in_header header;
	} request;
	struct fuse_out_header head = { .len = sizeof head + sizeof(struct fuse_init_out) };
	struct fuse_init_out init = {
		.major = 7, .minor = 31, .max_write = 4096, .max_readahead = 4096
	};
	struct iovec answer[2] = { { &head, sizeof head }, { &init, sizeof init } };

	if (read(fd, &request, sizeof request) < 0 || request.header.opcode != FUSE_INIT)
		return -1;
	head.unique = request.header.unique;
	return writev(fd, answer, 2) < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	char options[100];
	int fd, waiters, waiting = 0;
	pid_t pids[16];

	if (argc != 5 || (waiters = atoi(argv[3])) > 16)
		return 99;
	fd = open(argv[1], O_RDWR | O_CLOEXEC);
	report("device", fd);
	if (fd < 0)
		return 1;
	snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=%u,group_id=%u", fd,
		 getuid(), getgid());
	report("mounted", mount("attack", argv[2], "fuse", MS_NOSUID | MS_NODEV, options));
	report("init", answer_init(fd));
	for (int i = 0; i < waiters; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			struct stat st;
			char path[4096];

			snprintf(path, sizeof path, "%s/nothing-%d", argv[2], i);
			_exit(stat(path, &st) == 0);
		}
	}
	/* A process in stat(2) sleeps only when the request has been queued. */
	for (int i = 0; i < waiters; i++)
		for (int n = 0; n < 5000; n++) {
			char state = state_of(pids[i]);

			if (state == 'S' || state == 'D') {
				waiting++;
				break;
			}
			if (state == 'Z')
				break;
			usleep(1000);
		}
	printf("waiting %d\n", waiting);
	fflush(stdout);
	return atoi(argv[4]);
}
