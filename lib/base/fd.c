/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Descriptors. Everything here but fd_read_all() may run between clone and exec.
 */
#include "base/fd.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/*
 * Something open that is good for nothing: it occupies a number so that nothing of ours lands
 * there, leads nowhere, and needs no file system. Reading and writing it is EINVAL, see io_error().
 */
static int open_placeholder(void)
{
	return epoll_create1(EPOLL_CLOEXEC);
}

/* A descriptor that was given up, or never open, is a placeholder: say what it means. */
static int io_error(void)
{
	return errno == EINVAL ? -EBADF : -errno;
}

int fd_write_all(int fd, const void *data, size_t size)
{
	const char *rest = data;

	while (size) {
		ssize_t written = write(fd, rest, size);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return io_error();
		rest += written;
		size -= (size_t)written;
	}
	return 0;
}

int fd_read_all(int fd, size_t max, char **ret_data, size_t *ret_size)
{
	_free_ char *data = NULL;
	size_t size = 0, room = 0;

	for (;;) {
		ssize_t got;

		if (room - size < 2) {
			char *larger;

			room = room ? room * 2 : 4096;
			larger = realloc(data, room);
			if (!larger)
				return -ENOMEM;
			data = larger;
		}
		got = read(fd, data + size, room - size - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return io_error();
		if (got == 0)
			break;
		size += (size_t)got;
		if (size > max)
			return -E2BIG;
	}
	data[size] = '\0';
	*ret_data = take_ptr(data);
	*ret_size = size;
	return 0;
}

int fd_copy(int from, int to)
{
	char chunk[16384];

	for (;;) {
		ssize_t got = read(from, chunk, sizeof(chunk));
		int r;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return io_error();
		if (got == 0)
			return 0;
		r = fd_write_all(to, chunk, (size_t)got);
		if (r < 0)
			return r;
	}
}

int fd_write_file(int dir_fd, const char *path, const char *text)
{
	_close_ int fd = openat(dir_fd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	size_t length = __builtin_strlen(text);
	ssize_t written;

	if (fd < 0)
		return -errno;
	written = write(fd, text, length);
	if (written < 0)
		return -errno;
	return (size_t)written == length ? 0 : -EIO;
}

static void swap_numbers(int *a, int *b)
{
	int other = *a;

	*a = *b;
	*b = other;
}

/* Restores the heap below @top: no number is smaller than those it leads to. */
static void sift_down(int *numbers, size_t top, size_t count)
{
	for (size_t child; (child = 2 * top + 1) < count; top = child) {
		if (child + 1 < count && numbers[child + 1] > numbers[child])
			child++;
		if (numbers[top] >= numbers[child])
			return;
		swap_numbers(&numbers[top], &numbers[child]);
	}
}

/* Heapsort: qsort(3) may allocate. */
static void sort_numbers(int *numbers, size_t count)
{
	for (size_t top = count / 2; top > 0; top--)
		sift_down(numbers, top - 1, count);
	for (size_t rest = count; rest > 1; rest--) {
		swap_numbers(&numbers[0], &numbers[rest - 1]);
		sift_down(numbers, 0, rest - 1);
	}
}

int fd_close_except(int *keep, size_t count)
{
	unsigned first = 3;

	sort_numbers(keep, count);
	for (size_t i = 0; i < count; i++) {
		if (keep[i] < (int)first)
			continue;
		if ((unsigned)keep[i] > first && close_range(first, (unsigned)keep[i] - 1, 0) < 0)
			return -errno;
		first = (unsigned)keep[i] + 1;
	}
	return close_range(first, UINT_MAX, 0) < 0 ? -errno : 0;
}

int fd_hold_stdio(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		/* The lowest free number is this one, since those below are open by now. */
		if (open_placeholder() < 0)
			return -errno;
	}
	return 0;
}

void fd_release(int fd)
{
	_close_ int placeholder = fd >= 0 ? open_placeholder() : -EBADF;

	if (fd < 0)
		return;
	if (placeholder == fd) /* it was closed before, and stays held */
		(void)take_fd(&placeholder);
	else if (placeholder < 0 || dup3(placeholder, fd, O_CLOEXEC) < 0)
		(void)close(fd); /* a number beyond the soft limit is given to nothing else */
}

bool fd_same_file(int first, int second)
{
	struct stat a, b;

	return fstat(first, &a) == 0 && fstat(second, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

bool fd_on_filesystem(int fd, uint32_t magic)
{
	struct statfs info;

	return fstatfs(fd, &info) == 0 && (uint32_t)info.f_type == magic;
}

bool fd_is_ours(int fd, mode_t type, mode_t forbidden)
{
	struct stat info;

	return fstat(fd, &info) == 0 && (info.st_mode & S_IFMT) == type &&
	       info.st_uid == geteuid() && !(info.st_mode & forbidden);
}

int fd_open_directory(int dir_fd, const char *name, bool creates, int flags, mode_t forbidden)
{
	_close_ int fd = -EBADF;

	if (creates && mkdirat(dir_fd, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags);
	if (fd < 0)
		return -errno;
	return fd_is_ours(fd, S_IFDIR, forbidden) ? take_fd(&fd) : -EPERM;
}

/* ---- sockets ---- */

union fd_control {
	char room[CMSG_SPACE(FD_MESSAGE_MAX * sizeof(int))];
	struct cmsghdr align;
};

ssize_t fd_send(int socket, const void *data, size_t size, const int *fds, size_t count, int flags)
{
	union fd_control control = { 0 };
	struct iovec bytes = { .iov_base = (void *)(uintptr_t)data, .iov_len = size };
	struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1 };
	struct cmsghdr *header = &control.align;
	size_t used = 0;
	ssize_t put;

	for (size_t i = 0; fds && i < count && used < FD_MESSAGE_MAX; i++)
		if (fds[i] >= 0)
			memcpy(CMSG_DATA(header) + used++ * sizeof(int), &fds[i], sizeof(int));
	if (used) {
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(used * sizeof(int));
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(used * sizeof(int));
	}
	do
		put = sendmsg(socket, &message, MSG_NOSIGNAL | flags);
	while (put < 0 && errno == EINTR);
	return put < 0 ? -errno : put;
}

/* The descriptors of one message; what nobody has room for is closed. */
static void take_fds(struct msghdr *message, int *ret_fds, size_t room)
{
	size_t place = 0;

	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header;
	     header = CMSG_NXTHDR(message, header)) {
		size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
			if (place < room)
				ret_fds[place++] = fd;
			else
				(void)close(fd);
		}
	}
}

ssize_t fd_receive(int socket, void *data, size_t size, int *ret_fds, size_t room, int flags)
{
	union fd_control control = { 0 };
	struct iovec bytes = { .iov_base = data, .iov_len = size };
	struct msghdr message = {
		.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t got;

	for (size_t i = 0; i < room; i++)
		ret_fds[i] = -EBADF;
	do
		got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | flags);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	take_fds(&message, ret_fds, room);
	return got;
}
