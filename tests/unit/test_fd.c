/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of lib/base/fd.c, which it links alone. What changes the process's descriptors runs in
 * a child.
 */
#include "base/fd.h"

#include <limits.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "unit.h"

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static bool is_close_on_exec(int fd)
{
	return fcntl(fd, F_GETFD) == FD_CLOEXEC;
}

static int new_file(const char *text)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	CHECK(fd >= 0);
	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	CHECK(lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

/* ---- reading and writing ---- */

static void test_read_all(void)
{
	int fd = new_file("abc");
	char *data = NULL;
	size_t size = 99;

	CHECK_INT(fd_read_all(fd, 3, &data, &size), 0);
	CHECK_INT(size, 3);
	CHECK_STR(data, "abc");
	free(data);
	/* At the end of the file there is nothing more. */
	CHECK_INT(fd_read_all(fd, 0, &data, &size), 0);
	CHECK_INT(size, 0);
	CHECK_STR(data, "");
	free(data);
	close(fd);
}

static void test_read_all_limit(void)
{
	int fd = new_file("abcd");
	char *data = NULL;
	size_t size = 99;

	CHECK_INT(fd_read_all(fd, 3, &data, &size), -E2BIG);
	CHECK(data == NULL && size == 99);
	close(fd);
	CHECK_INT(fd_read_all(-1, 3, &data, &size), -EBADF);
	fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK_INT(fd_read_all(fd, 3, &data, &size), -EISDIR);
	CHECK(data == NULL && size == 99);
	close(fd);
}

/* Sizes around the steps in which the buffer grows; NULs inside; each ends in one NUL behind. */
static void test_read_all_sizes(void)
{
	static const size_t sizes[] = { 1, 4094, 4095, 4096, 4097, 8190, 8191, 8192, 100000 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		int fd = memfd_create("test", MFD_CLOEXEC);
		char *data = NULL;
		size_t size = 0;

		CHECK(fd >= 0 && ftruncate(fd, (off_t)sizes[i]) == 0);
		CHECK(pwrite(fd, "x", 1, (off_t)sizes[i] - 1) == 1);
		CHECK_INT(fd_read_all(fd, sizes[i], &data, &size), 0);
		CHECK_INT(size, sizes[i]);
		CHECK(data[size - 1] == 'x' && data[size] == '\0');
		CHECK(size == 1 || data[size - 2] == '\0');
		free(data);
		close(fd);
	}
}

/* A pipe gives as much as somebody wrote; the writer is another process. */
static void test_read_all_pipe(void)
{
	enum {
		COUNT = 300000
	};
	int ends[2];
	char *data = NULL;
	size_t size = 0;
	pid_t child;

	CHECK(pipe2(ends, O_CLOEXEC) == 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		for (int i = 0; i < COUNT / 3; i++)
			if (write(ends[1], "abc", 3) != 3)
				_exit(1);
		_exit(0);
	}
	close(ends[1]);
	CHECK_INT(fd_read_all(ends[0], COUNT, &data, &size), 0);
	CHECK_INT(size, COUNT);
	for (size_t i = 0; i < size; i++)
		CHECK(data[i] == "abc"[i % 3]);
	free(data);
	close(ends[0]);
	CHECK(waitpid(child, NULL, 0) == child);
}

static void test_write_all(void)
{
	int ends[2], fd = memfd_create("test", MFD_CLOEXEC);
	char text[8] = { 0 };

	CHECK_INT(fd_write_all(fd, "abc", 3), 0);
	CHECK_INT(fd_write_all(fd, "", 0), 0);
	CHECK(pread(fd, text, sizeof(text), 0) == 3);
	CHECK_STR(text, "abc");
	close(fd);
	CHECK_INT(fd_write_all(-1, "abc", 3), -EBADF);
	CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	CHECK(pipe2(ends, O_CLOEXEC) == 0);
	close(ends[0]);
	CHECK_INT(fd_write_all(ends[1], "abc", 3), -EPIPE);
	close(ends[1]);
}

/* The kernel takes what still fits and refuses the rest with the next call: both are seen. */
static void write_past_limit(void *context)
{
	const struct rlimit limit = { .rlim_cur = 5, .rlim_max = RLIM_INFINITY };
	const char *directory = context;
	int fd = open(directory, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	struct stat info;

	CHECK(fd >= 0);
	CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	CHECK_INT(fd_write_all(fd, "abcdefgh", 8), -EFBIG);
	CHECK(fstat(fd, &info) == 0);
	CHECK_INT(info.st_size, 5);
}

static void test_copy(void)
{
	enum {
		COUNT = 50000
	};
	int from = memfd_create("from", MFD_CLOEXEC), to = memfd_create("to", MFD_CLOEXEC);
	char data[COUNT], copy[COUNT + 1];

	for (size_t i = 0; i < COUNT; i++)
		data[i] = (char)(i * 7 / 3);
	CHECK_INT(fd_write_all(from, data, COUNT), 0);
	CHECK(lseek(from, 10, SEEK_SET) == 10); /* from where it stands, not from the beginning */
	CHECK_INT(fd_copy(from, to), 0);
	CHECK_INT(pread(to, copy, sizeof(copy), 0), COUNT - 10);
	CHECK(memcmp(copy, data + 10, COUNT - 10) == 0);
	CHECK_INT(fd_copy(-1, to), -EBADF);
	CHECK(lseek(from, 0, SEEK_SET) == 0);
	CHECK_INT(fd_copy(from, -1), -EBADF);
	close(from);
	close(to);
}

static void test_write_file(const char *directory)
{
	int dir_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char text[16] = { 0 };
	int fd, before = unit_fd_count();

	CHECK_INT(fd_write_file(dir_fd, "missing", "x"), -ENOENT); /* it creates nothing */
	fd = openat(dir_fd, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CHECK_INT(fd_write_file(dir_fd, "file", "deny"), 0);
	CHECK(pread(fd, text, sizeof(text), 0) == 4);
	CHECK_STR(text, "deny");
	close(fd);
	CHECK_INT(fd_write_file(dir_fd, ".", "x"), -EISDIR);
	CHECK_INT(unit_fd_count(), before);
	close(dir_fd);
}

/* ---- closing ---- */

/* Makes all descriptors from 3 to 40 open, and no other above. */
static void open_many(void)
{
	CHECK(close_range(3, UINT_MAX, 0) == 0);
	for (int fd = 3; fd <= 40; fd++)
		CHECK_INT(dup(0), fd);
}

static void check_only_open(const int *kept, size_t count)
{
	for (int fd = 3; fd <= 45; fd++) {
		bool expected = false;

		for (size_t i = 0; i < count; i++)
			expected = expected || kept[i] == fd;
		CHECK_INT(is_open(fd), expected);
	}
	for (int fd = 0; fd < 3; fd++)
		CHECK(is_open(fd));
}

static void close_all(void *context)
{
	(void)context;
	open_many();
	CHECK_INT(fd_close_except(NULL, 0), 0);
	check_only_open(NULL, 0);
}

static void close_but_some(void *context)
{
	/* Unsorted, repeated, neighbours, the first, the last, below 3, negative, never open. */
	int keep[] = { 40, 7, 3, -1, 8, 7, 1, 22, -EBADF, 0, 1000, 22, INT_MAX };
	const int expected[] = { 3, 7, 8, 22, 40 };

	(void)context;
	open_many();
	CHECK_INT(fd_close_except(keep, ARRAY_SIZE(keep)), 0);
	check_only_open(expected, ARRAY_SIZE(expected));
}

static void close_below_three(void *context)
{
	int keep[] = { 2, 1, 0, -1 };

	(void)context;
	open_many();
	CHECK_INT(fd_close_except(keep, ARRAY_SIZE(keep)), 0);
	check_only_open(NULL, 0);
}

static void hold_stdio(void *context)
{
	unsigned closed = *(const unsigned *)context; /* bit N: descriptor N is closed */
	char byte;

	for (int fd = 0; fd < 3; fd++)
		if (closed >> fd & 1)
			close(fd);
	if (fd_hold_stdio() != 0)
		_exit(1);
	for (int fd = 0; fd < 3; fd++) {
		bool was_closed = closed >> fd & 1;

		if (!is_open(fd) || is_close_on_exec(fd) != was_closed)
			_exit(2 + fd);
		/* Good for nothing. */
		if (was_closed && (read(fd, &byte, 1) >= 0 || write(fd, "x", 1) >= 0))
			_exit(5 + fd);
	}
	_exit(0);
}

static void test_hold_stdio(void)
{
	for (unsigned closed = 0; closed < 8; closed++)
		CHECK_INT(unit_in_child(hold_stdio, &closed), 0);
}

/* Something is open there that nobody can use and that no program inherits. */
static void check_placeholder(int fd)
{
	char byte;

	CHECK(is_close_on_exec(fd));
	CHECK(read(fd, &byte, 1) < 0 && write(fd, "x", 1) < 0);
}

static void release(void *context)
{
	char *data = NULL;
	size_t size = 0;
	int fd, next;

	(void)context;
	fd = dup(1);
	next = dup(1);
	close(next);
	fd_release(fd);
	check_placeholder(fd);
	CHECK_INT(dup(1), next); /* the number stays taken, and no other is */
	close(next);
	fd_release(fd); /* given up already */
	check_placeholder(fd);
	close(fd);
	fd_release(fd); /* closed already: nothing of ours may land there */
	check_placeholder(fd);
	CHECK_INT(dup(1), next);
	close(next);
	/* The functions here say what it means. */
	CHECK_INT(fd_read_all(fd, 10, &data, &size), -EBADF);
	CHECK_INT(fd_write_all(fd, "x", 1), -EBADF);
	CHECK_INT(fd_copy(fd, 1), -EBADF);
	fd_release(-1);
	fd_release(INT_MAX); /* beyond the limit of open files: nothing can land there */
	CHECK_INT(dup(1), next);
	for (int number = 0; number < 2; number++) { /* 2 is still needed by CHECK */
		fd_release(number);
		check_placeholder(number);
	}
}

/* A number beyond the limit of open files can be given to nothing else: closing it is enough. */
static void release_beyond_limit(void *context)
{
	const struct rlimit limit = { .rlim_cur = 60, .rlim_max = 60 };

	(void)context;
	CHECK(dup2(1, 100) == 100);
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	fd_release(100);
	CHECK(!is_open(100));
}

/* ---- asking ---- */

static void test_same_file(const char *directory)
{
	int first = open(directory, O_PATH | O_CLOEXEC),
	    second = open(directory, O_RDONLY | O_CLOEXEC);
	int other = open("/", O_PATH | O_CLOEXEC);

	CHECK(fd_same_file(first, second));
	CHECK(!fd_same_file(first, other));
	CHECK(!fd_same_file(first, -1));
	CHECK(!fd_same_file(-1, first));
	CHECK(!fd_same_file(-1, -1));
	close(first);
	close(second);
	close(other);
}

static void test_on_filesystem(void)
{
	int proc = open("/proc/self/stat", O_PATH | O_CLOEXEC), memory = new_file("x");

	CHECK(fd_on_filesystem(proc, PROC_SUPER_MAGIC));
	CHECK(!fd_on_filesystem(proc, TMPFS_MAGIC));
	CHECK(fd_on_filesystem(memory,
			       TMPFS_MAGIC)); /* a memfd is a file of the kernel's own tmpfs */
	CHECK(!fd_on_filesystem(memory, PROC_SUPER_MAGIC));
	CHECK(!fd_on_filesystem(-1, PROC_SUPER_MAGIC));
	close(proc);
	close(memory);
}

/* More descriptors than there is room for, and none. */
static void test_messages(void)
{
	int pair[2], sent[FD_MESSAGE_MAX], got[3], count;
	char text[8] = "";

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(sent); i++)
		sent[i] = pair[0];
	sent[1] = -1; /* goes without */
	CHECK_INT(fd_send(pair[0], "abc", 3, sent, 3, 0), 3);
	CHECK_INT(fd_receive(pair[1], text, sizeof(text), got, 3, 0), 3);
	CHECK(memcmp(text, "abc", 3) == 0 && got[0] >= 0 && got[1] >= 0 && got[2] == -EBADF);
	CHECK(fd_same_file(got[0], pair[0]) && fcntl(got[1], F_GETFD) == FD_CLOEXEC);
	close(got[0]);
	close(got[1]);
	count = unit_fd_count();
	CHECK_INT(fd_send(pair[0], "d", 1, sent, ARRAY_SIZE(sent), 0), 1);
	CHECK_INT(fd_receive(pair[1], text, sizeof(text), got, 1, 0), 1);
	close(got[0]);
	CHECK_INT(unit_fd_count(), count); /* the others were closed */
	CHECK_INT(fd_receive(pair[1], text, sizeof(text), NULL, 0, MSG_DONTWAIT), -EAGAIN);
	close(pair[0]);
	CHECK_INT(fd_receive(pair[1], text, sizeof(text), NULL, 0, 0), 0);
	CHECK_INT(fd_send(pair[1], "x", 1, NULL, 0, 0), -EPIPE);
	close(pair[1]);
	CHECK_INT(fd_send(-1, "x", 1, NULL, 0, 0), -EBADF);
}

static void test_all(void *directory)
{
	int before = unit_fd_count();

	test_read_all();
	test_read_all_limit();
	test_read_all_sizes();
	test_read_all_pipe();
	test_write_all();
	CHECK_INT(unit_in_child(write_past_limit, directory), 0);
	test_copy();
	test_write_file(directory);
	CHECK_INT(unit_in_child(close_all, NULL), 0);
	CHECK_INT(unit_in_child(close_but_some, NULL), 0);
	CHECK_INT(unit_in_child(close_below_three, NULL), 0);
	test_hold_stdio();
	CHECK_INT(unit_in_child(release, NULL), 0);
	CHECK_INT(unit_in_child(release_beyond_limit, NULL), 0);
	test_same_file(directory);
	test_on_filesystem();
	test_messages();
	CHECK_INT(unit_fd_count(), before); /* nothing was left open */
}

int main(void)
{
	unit_run_in_directory(test_all);
}
