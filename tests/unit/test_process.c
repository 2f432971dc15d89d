/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of lib/base/process.c, which it links alone.
 */
#include "base/process.h"

#include <sched.h>
#include <signal.h>

#include "unit.h"

struct shared {
	int written;
	pid_t child;
};

/* Runs on our memory: what it writes is seen. */
static int write_and_end(void *argument)
{
	struct shared *shared = argument;
	char deep[64 * 1024];

	memset(deep, 7, sizeof(deep));
	shared->written = 41 + deep[sizeof(deep) - 1] / 7;
	shared->child = getpid();
	return 5;
}

static void test_clone_on_stack(void)
{
	struct shared shared = { 0 };
	int status = 0, before = unit_fd_count();
	pid_t child = process_clone_on_stack(write_and_end, &shared, SIGCHLD, NULL);

	CHECK(child > 0);
	CHECK_INT(shared.written, 42); /* the caller slept until it was done */
	CHECK_INT(shared.child, child);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 5);
	CHECK_INT(unit_fd_count(), before);
}

static void test_clone_pidfd(void)
{
	struct shared shared = { 0 };
	int pidfd = -1;
	pid_t child = process_clone_on_stack(write_and_end, &shared, SIGCHLD | CLONE_PIDFD, &pidfd);
	siginfo_t info = { 0 };

	CHECK(child > 0);
	CHECK(fcntl(pidfd, F_GETFD) == FD_CLOEXEC);
	CHECK(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) == 0);
	CHECK(info.si_pid == child && info.si_status == 5);
	close(pidfd);
}

static void test_clone_refused(void)
{
	struct shared shared = { 0 };

	/* A contradiction that the kernel refuses whoever asks (clone(2)): a thread, and a pid
	 * namespace. */
	CHECK_INT(process_clone_on_stack(write_and_end, &shared, CLONE_THREAD | CLONE_NEWPID, NULL),
		  -EINVAL);
	CHECK_INT(shared.written, 0);
}

static const char constants[] = "still here";

static void test_trim_memory(void)
{
	static int variable = 1;

	variable = 23;
	process_trim_memory();
	CHECK_INT(variable, 23); /* what was written stays */
	CHECK_STR(constants, "still here");
	process_trim_memory();
	CHECK(snprintf((char[16]){ 0 }, 16, "%d", variable) == 2);
}

int main(void)
{
	test_clone_on_stack();
	test_clone_pidfd();
	test_clone_refused();
	test_trim_memory();
	return 0;
}
