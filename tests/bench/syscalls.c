/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A program that does little but make system calls, as many of each of a few that programs make
 * most. Prints the nanoseconds of one on average.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CALLS_PER_ROUND 8

int main(int argc, char **argv)
{
	long rounds = argc > 1 ? atol(argv[1]) : 100000;
	int zero = open("/dev/zero", O_RDWR);
	struct timespec start, end;
	char buffer[64];
	struct stat info;

	if (zero < 0)
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (long i = 0; i < rounds; i++) {
		int pending, fd;

		if (read(zero, buffer, sizeof(buffer)) < 0 ||
		    write(zero, buffer, sizeof(buffer)) < 0 || fstat(zero, &info) < 0 ||
		    stat("/", &info) < 0 || syscall(SYS_getppid) < 0)
			return 1;
		(void)ioctl(zero, FIONREAD, &pending); /* its command is looked at */
		fd = open("/dev/zero", O_RDONLY);
		if (fd < 0 || close(fd) < 0)
			return 1;
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("%.1f\n",
	       ((double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec)) /
		       (double)(rounds * CALLS_PER_ROUND));
	return 0;
}
