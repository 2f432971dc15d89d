/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Attacks by programs that COMMAND wrote itself: executing them from every place that it can write
 * to. See attack.h. Each attempt copies this program and starts the copy in a process of its own,
 * which ends with status 77 where it ran.
 */
#include "attack.h"
#include <linux/io_uring.h>
#include <linux/memfd.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define RAN 77

extern char **environ;
static char *ran[] = { "ran", "ran", NULL };

static int copy_self(int to)
{
	char buffer[65536];
	int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (from < 0 || to < 0)
		return -1;
	while ((n = read(from, buffer, sizeof buffer)) > 0)
		if (write(to, buffer, (size_t)n) != n)
			return -1;
	close(from);
	return (int)n;
}

static void report_start(const char *name, pid_t pid)
{
	int status = 0;

	(void)waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == RAN)
		report(name, 0);
	else
		report(name, (errno = WEXITSTATUS(status), -1));
}

/* Execute what @fd is, without a name. */
static void start_fd(const char *name, int fd)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)syscall(SYS_execveat, fd, "", ran, environ, AT_EMPTY_PATH);
		_exit(errno);
	}
	report_start(name, pid);
}

static void start_path(const char *name, const char *path)
{
	pid_t pid = fork();

	if (pid == 0) {
		execve(path, ran, environ);
		_exit(errno);
	}
	report_start(name, pid);
}

static void verb_memfd(char **arguments)
{
	static const unsigned flags[] = { 0, MFD_CLOEXEC | MFD_ALLOW_SEALING, 0x10 /* MFD_EXEC */ };

	(void)arguments;
	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
		char name[50];
		int fd = (int)syscall(SYS_memfd_create, "x", flags[i]);

		snprintf(name, sizeof name, "memfd-%#x", flags[i]);
		if (fd < 0 || copy_self(fd) < 0)
			report(name, -1);
		else
			start_fd(name, fd);
	}
}

/* A file by its name, through a link of procfs, through a script, and one without a name. */
static void verb_in(char **arguments)
{
	char path[300], script[300], link[64], line[400];
	int fd;

	snprintf(path, sizeof path, "%s/written", arguments[0]);
	snprintf(script, sizeof script, "%s/script", arguments[0]);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0700);
	report("write", copy_self(fd));
	close(fd);
	start_path("name", path);
	fd = open(path, O_RDONLY);
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	start_path("link", link);
	fd = open(script, O_RDWR | O_CREAT | O_CLOEXEC, 0700);
	snprintf(line, sizeof line, "#!%s ran\n", path);
	if (write(fd, line, strlen(line)) < 0)
		perror(script);
	close(fd);
	start_path("script", script);
	fd = open(arguments[0], O_RDWR | O_TMPFILE, 0700);
	if (fd >= 0 && copy_self(fd) == 0) {
		snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
		fd = open(link, O_RDONLY); /* no writer may be left */
		close(atoi(strrchr(link, '/') + 1));
		start_fd("unnamed", fd);
	}
	fd = open(path, O_RDONLY);
	report("map",
	       mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0);
	(void)unlink(path);
	(void)unlink(script);
}

/* Code written into this process's own memory, where it may not be written. */
static void verb_own_memory(char **arguments)
{
	char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);

	(void)arguments;
	report("own-memory", fd < 0 ? -1 : pwrite(fd, "x", 1, (off_t)(unsigned long)page));
}

/* A crash with a working directory of DIR, in a process of its own. */
static void verb_crash(char **arguments)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (chdir(arguments[0]) == 0)
			abort();
		_exit(1);
	}
	(void)waitpid(pid, &status, 0);
	printf("crash %d\ndumped %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0,
	       WCOREDUMP(status) != 0);
}

static void *map_ring(int fd, size_t size, off_t what)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, what);
}

/* Create the set-user-ID file PATH through io_uring, where no filter of system calls looks. */
static void verb_ring(char **arguments)
{
	struct io_uring_params params = { 0 };
	int fd = (int)syscall(SYS_io_uring_setup, 1, &params);
	struct io_uring_sqe *entry;
	char *sent, *done;
	int result;

	report("setup", fd);
	if (fd < 0)
		return;
	sent = map_ring(fd, params.sq_off.array + sizeof(unsigned), IORING_OFF_SQ_RING);
	done = map_ring(fd, params.cq_off.cqes + 2 * sizeof(struct io_uring_cqe),
			IORING_OFF_CQ_RING);
	entry = map_ring(fd, sizeof *entry, IORING_OFF_SQES);
	*entry = (struct io_uring_sqe){ .opcode = IORING_OP_OPENAT, .fd = AT_FDCWD };
	entry->addr = (unsigned long)arguments[0];
	entry->open_flags = O_CREAT | O_WRONLY;
	entry->len = 04755; /* the mode */
	*(volatile unsigned *)(sent + params.sq_off.tail) = 1;
	if (syscall(SYS_io_uring_enter, fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		perror("io_uring_enter");
	result = ((volatile struct io_uring_cqe *)(done + params.cq_off.cqes))->res;
	report("ring", result < 0 ? (errno = -result, -1) : 0);
}

int main(int argc, char **argv)
{
	static const struct verb verbs[] = {
		{ "memfd", 0, verb_memfd },
		{ "in", 1, verb_in },
		{ "own-memory", 0, verb_own_memory },
		{ "crash", 1, verb_crash },
		{ "ring", 1, verb_ring },
		{ NULL, 0, NULL },
	};

	if (argc > 1 && strcmp(argv[1], "ran") == 0)
		return RAN;
	return run_verbs(verbs, argc, argv);
}
