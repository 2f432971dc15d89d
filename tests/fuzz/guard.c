/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Keeps fuzzed descriptor numbers from the fuzzer's own descriptors. The targets that parse options
 * are linked with
 * --wrap=fd_read_all and --wrap=fd_release: only the numbers of guard.h are real, all others are as
 * if not open.
 */
#include "guard.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "fuzz.h"

/* The linker's names for the functions and what stands in their place. */
int __real_fd_read_all(int fd, size_t max, char **ret_data, size_t *ret_size);
void __real_fd_release(int fd);
int __wrap_fd_read_all(int fd, size_t max, char **ret_data, size_t *ret_size);
void __wrap_fd_release(int fd);

static bool is_ours(int fd)
{
	return fd >= GUARD_FIRST_FD && fd < GUARD_FIRST_FD + GUARD_FD_COUNT;
}

int __wrap_fd_read_all(int fd, size_t max, char **ret_data, size_t *ret_size)
{
	return is_ours(fd) ? __real_fd_read_all(fd, max, ret_data, ret_size) : -EBADF;
}

void __wrap_fd_release(int fd)
{
	if (is_ours(fd))
		__real_fd_release(fd);
}

void guard_open(int number, const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0 ||
	    dup2(fd, GUARD_FIRST_FD + number) < 0) /* as a caller's: it does not close on exec */
		abort();
	close(fd);
}

void guard_open_rest(int number)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (; number < GUARD_FD_COUNT; number++)
		if (fd < 0 || dup2(fd, GUARD_FIRST_FD + number) < 0)
			abort();
	close(fd);
}

void guard_close_all(void)
{
	for (int number = 0; number < GUARD_FD_COUNT; number++)
		(void)close(GUARD_FIRST_FD + number); /* open where the input did not use it */
}
