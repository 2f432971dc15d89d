/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The background, and the log.
 */
#include "watch/detach.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "enter/enter.h"

#define LOG_SLACK (LOG_KEPT / 4) /* given back in pieces of this size */
#define LOG_BUFFER ((size_t)64 << 10)

/* What the new process tells who waits: a byte each. */
enum {
	HAS_LOG = 'l',
	RUNS = 'r'
};

/* What a start that failed had to say is in its log. */
static void show_log(const struct registry_place *place)
{
	struct cloche_error ignored = ERROR_INIT;
	_close_ int dir_fd = registry_open(place->runtime_dir, false, &ignored);
	_close_ int fd = dir_fd < 0 ? -EBADF : registry_open_log(dir_fd, place->name, false);

	if (fd >= 0)
		ignore(fd_copy(fd, STDERR_FILENO)); /* nobody else could be told */
}

/* The child's status, unless it says that COMMAND runs. */
static int wait_for_start(int started_fd, pid_t child, const struct registry_place *place)
{
	char byte = 0;
	int status;
	bool has_log = false;
	ssize_t got;

	do {
		got = read(started_fd, &byte, 1);
		has_log |= got == 1 && byte == HAS_LOG;
	} while ((got == 1 && byte != RUNS) || (got < 0 && errno == EINTR));
	if (got == 1)
		return 0;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return 128 + SIGKILL;
	if (has_log)
		show_log(place);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int detach_fork(struct detach *detach, const struct registry_place *place, int *ret_status,
		struct cloche_error *err)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_set(err, ERROR_PIPE, errno, "a pipe");
	pid = fork();
	if (pid < 0)
		return error_set(err, ERROR_FORK, errno, NULL);
	if (pid > 0) {
		(void)close(fds[1]);
		*ret_status = wait_for_start(fds[0], pid, place);
		return 1;
	}
	(void)close(fds[0]);
	detach->started_fd = fds[1];
	return setsid() < 0 ? error_set(err, ERROR_SESSION, errno, NULL) : 0;
}

/* Nobody must have to wait for one of us who reads what our caller printed. */
static int leave_stdio(int log_fd)
{
	_close_ int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(null_fd, STDOUT_FILENO) < 0 ||
	    dup2(log_fd, STDERR_FILENO) < 0)
		return -errno;
	return 0;
}

static void tell(const struct detach *detach, char byte)
{
	ignore(write(detach->started_fd, &byte, 1)); /* he may be gone */
}

int detach_open(struct detach *detach, const struct registry *registry, struct enter *enter,
		struct cloche_error *err)
{
	const struct spec *spec = enter->plan->spec;
	int fds[2], r;

	err->use = spec->flag_use[FLAG_DETACH];
	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_set(err, ERROR_PIPE, errno, "a pipe");
	detach->read_fd = fds[0];
	detach->write_fd = fds[1];
	(void)fcntl(detach->read_fd, F_SETFL, O_NONBLOCK);
	detach->log_fd = registry_open_log(registry->dir_fd, registry->name, true);
	if (detach->log_fd < 0)
		return error_set(err, ERROR_NAME_LOCK, -detach->log_fd, registry->name);
	r = leave_stdio(detach->log_fd);
	if (r < 0)
		return error_set(err, ERROR_PIPE, -r, "/dev/null");
	tell(detach, HAS_LOG);
	for (int i = 1; i < 3; i++)
		if (!spec->io.stdio[i].text)
			enter->stdio_fds[i] = detach->write_fd;
	err->use = -1;
	return 0;
}

void detach_started(struct detach *detach)
{
	close_pointer(&detach->write_fd);
	detach->write_fd = -EBADF;
	if (detach->started_fd < 0)
		return;
	tell(detach, RUNS);
	close_pointer(&detach->started_fd);
	detach->started_fd = -EBADF;
}

/* Where the file system cannot give back a part, all goes. */
static void give_back(struct detach *detach)
{
	off_t end = detach->size - LOG_KEPT;

	if (fallocate(detach->log_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, end) < 0)
		ignore(ftruncate(detach->log_fd, 0));
}

/* true: there may be more. */
static bool keep_some(struct detach *detach)
{
	char buffer[LOG_BUFFER];
	ssize_t got = read(detach->read_fd, buffer, sizeof(buffer));
	off_t before = detach->size / LOG_SLACK;

	if (got < 0)
		return errno == EINTR;
	if (got == 0) {
		close_pointer(&detach->read_fd);
		detach->read_fd = -EBADF;
		return false;
	}
	ignore(fd_write_all(detach->log_fd, buffer,
			    (size_t)got)); /* a full disk is no reason to end */
	detach->size += got;
	if (detach->size > LOG_KEPT && detach->size / LOG_SLACK != before)
		give_back(detach);
	return true;
}

void detach_act(struct detach *detach)
{
	(void)keep_some(detach); /* the rest comes with the next poll(2): others want their turn */
}

void detach_end(struct detach *detach)
{
	close_pointer(&detach->write_fd);
	while (detach->read_fd >= 0 && keep_some(detach))
		;
	close_pointer(&detach->read_fd);
	close_pointer(&detach->log_fd);
}
