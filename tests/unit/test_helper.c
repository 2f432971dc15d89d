/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/helper.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "unit.h"

static char *const no_environ[] = { NULL };

/* Runs the shell @script with its output in @ret_text; its status. */
static int run_shell(const char *script, char ret_text[256])
{
	char *const argv[] = { (char *)"sh", (char *)"-c", (char *)script, NULL };
	size_t used = 0;
	ssize_t got;
	int ends[2];
	pid_t pid;

	CHECK(pipe2(ends, O_CLOEXEC) == 0);
	pid = helper_start(&(struct helper){ .path = "/bin/sh",
					     .argv = argv,
					     .environ = no_environ,
					     .fds = { -1, ends[1], -1 } });
	CHECK(pid > 0);
	(void)close(ends[1]);
	while ((got = read(ends[0], ret_text + used, 255 - used)) > 0)
		used += (size_t)got;
	ret_text[used] = '\0';
	(void)close(ends[0]);
	return helper_wait(pid);
}

static void test_status_and_output(void)
{
	char text[256];

	CHECK(run_shell("echo out; exit 3", text) == 3);
	CHECK_STR(text, "out\n");
	CHECK(run_shell("kill -9 $$", text) == 128 + SIGKILL);
}

static void test_nothing_of_ours_is_inherited(void)
{
	char text[256];
	int fd = open("/dev/null", O_RDONLY);
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	CHECK(setenv("CLOCHE_TEST_SECRET", "1", 1) == 0);
	CHECK(run_shell("ls /proc/self/fd | wc -l; grep -c 'SigBlk:.*[1-9a-f]' /proc/self/status; "
			"echo $CLOCHE_TEST_SECRET",
			text) == 0);
	CHECK_STR(text, "4\n0\n\n"); /* 0 to 2 and ls's own */
	(void)close(fd);
	CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
}

static void test_descriptors_may_be_the_first_three(void)
{
	char *const argv[] = { (char *)"sh", (char *)"-c", (char *)"echo x >&2", NULL };
	int ends[2], kept = fcntl(1, F_DUPFD_CLOEXEC, 10);
	char text[8] = "";
	pid_t pid;

	CHECK(pipe2(ends, O_CLOEXEC) == 0 && dup2(ends[1], 1) == 1);
	pid = helper_start(&(struct helper){
		.path = "/bin/sh", .argv = argv, .environ = no_environ, .fds = { -1, -1, 1 } });
	(void)dup2(kept, 1);
	(void)close(ends[1]);
	CHECK(pid > 0 && helper_wait(pid) == 0);
	CHECK(read(ends[0], text, sizeof(text) - 1) == 2);
	CHECK_STR(text, "x\n");
	(void)close(ends[0]);
	(void)close(kept);
}

static void test_exec_failure_is_told(void)
{
	char *const argv[] = { (char *)"x", NULL };

	CHECK(helper_start(&(struct helper){ .path = "/no/such",
					     .argv = argv,
					     .environ = no_environ,
					     .fds = { -1, -1, -1 } }) == -ENOENT);
	CHECK(helper_start(&(struct helper){ .path = "/etc/passwd",
					     .argv = argv,
					     .environ = no_environ,
					     .fds = { -1, -1, -1 } }) == -EACCES);
}

static void test_find(void)
{
	char path[PATH_MAX];

	CHECK(helper_find("test_helper", path) == 0); /* beside this program: itself */
	CHECK(strstr(path, "/test_helper") != NULL);
	CHECK(helper_find("no-such-helper", path) == -ENOENT);
}

int main(void)
{
	test_status_and_output();
	test_nothing_of_ours_is_inherited();
	test_descriptors_may_be_the_first_three();
	test_exec_failure_is_told();
	test_find();
	return 0;
}
