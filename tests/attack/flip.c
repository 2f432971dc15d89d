/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The racer of F10: swaps two entries of a directory as fast as it can while sandboxes start.
 *
 *   flip DIRECTORY ONE OTHER             until standard input ends; prints "flips N"
 *   flip naive PATH                      the victim of the control: makes PATH/naive-N until
 * standard input ends
 */
#include "attack.h"
#include <poll.h>

static int input_ended(void)
{
	struct pollfd in = { .fd = 0, .events = POLLIN };

	return poll(&in, 1, 0) > 0;
}

int main(int argc, char **argv)
{
	long flips = 0;

	if (argc == 3 && strcmp(argv[1], "naive") == 0) {
		for (long i = 0; i % 64 || !input_ended(); i++) {
			char path[4096];

			snprintf(path, sizeof path, "%s/naive-%ld", argv[2], i);
			(void)mkdir(path, 0700);
			(void)rmdir(path);
			flips++;
		}
		printf("tries %ld\n", flips);
		return 0;
	}
	if (argc != 4 || chdir(argv[1]) < 0)
		return 99;
	report("ready", 0);
	while (flips % 64 || !input_ended()) {
		if (renameat2(AT_FDCWD, argv[2], AT_FDCWD, argv[3], RENAME_EXCHANGE) < 0) {
			report("flip", -1);
			return 1;
		}
		flips++;
	}
	printf("flips %ld\n", flips);
	return 0;
}
