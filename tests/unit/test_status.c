/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of lib/watch/status.c: what --info-fd and --json-status-fd receive, byte for byte.
 */
#include "watch/status.h"

#include <sched.h>
#include <signal.h>

#include "json-check.h"
#include "spec-input.h"

static int ends[2];

static void pipe_open(void)
{
	CHECK(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
}

/* What has been written to the pipe since it was opened. */
static const char *piped(void)
{
	static char text[65536];
	ssize_t length = read(ends[0], text, sizeof(text) - 1);

	close(ends[0]);
	close(ends[1]);
	text[length > 0 ? length : 0] = '\0';
	return text;
}

static unsigned long long namespace_id(const char *name)
{
	char path[64];
	struct stat info;

	CHECK(snprintf(path, sizeof(path), "/proc/self/ns/%s", name) > 0);
	CHECK(stat(path, &info) == 0);
	return info.st_ino;
}

static void test_started(void)
{
	struct spec spec = empty_spec("bwrap");
	struct plan plan = { .spec = &spec,
			     .personality = spec.personality,
			     .clone_flags = CLONE_NEWNS | CLONE_NEWUSER };
	struct cloche_error err = ERROR_INIT;
	char expected[512];

	pipe_open();
	spec.info_fd = (struct spec_fd){ .fd = ends[1], .use = 0 };
	CHECK_INT(status_started(&plan, getpid(), &err), 0);
	CHECK(snprintf(expected, sizeof(expected),
		       "{\n    \"child-pid\": %d,\n    \"mnt-namespace\": %llu\n}\n", getpid(),
		       namespace_id("mnt")) > 0);
	CHECK_STR(piped(), expected);
	pipe_open();
	spec = empty_spec("bwrap");
	spec.json_status_fd = (struct spec_fd){ .fd = ends[1], .use = 0 };
	plan.clone_flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
			   CLONE_NEWCGROUP;
	CHECK_INT(status_started(&plan, getpid(), &err), 0);
	CHECK(snprintf(expected, sizeof(expected),
		       "{ \"child-pid\": %d, \"cgroup-namespace\": %llu, \"ipc-namespace\": %llu, "
		       "\"mnt-namespace\": %llu, \"net-namespace\": %llu, \"pid-namespace\": %llu, "
		       "\"uts-namespace\": %llu }\n",
		       getpid(), namespace_id("cgroup"), namespace_id("ipc"), namespace_id("mnt"),
		       namespace_id("net"), namespace_id("pid"), namespace_id("uts")) > 0);
	CHECK_STR(piped(), expected);
	/* Ours: the user namespace under our own name, a time namespace under both. */
	plan = (struct plan){ .spec = &spec,
			      .personality = personality_find("cloche"),
			      .clone_flags = CLONE_NEWNS | CLONE_NEWUSER,
			      .new_time = true };
	pipe_open();
	spec.json_status_fd = (struct spec_fd){ .fd = ends[1], .use = 0 };
	CHECK_INT(status_started(&plan, getpid(), &err), 0);
	CHECK(snprintf(expected, sizeof(expected),
		       "{ \"child-pid\": %d, \"mnt-namespace\": %llu, \"time-namespace\": %llu, "
		       "\"user-namespace\": %llu }\n",
		       getpid(), namespace_id("mnt"), namespace_id("time"),
		       namespace_id("user")) > 0);
	CHECK_STR(piped(), expected);
	pipe_open();
	spec.json_status_fd = (struct spec_fd){ .fd = ends[1], .use = 0 };
	plan.personality = spec.personality;
	CHECK_INT(status_started(&plan, getpid(), &err), 0);
	CHECK(strstr(piped(), "user-namespace") == NULL);
	spec = empty_spec("bwrap");
	CHECK_INT(status_started(&plan, getpid(), &err), 0); /* nobody wants to know */
	CHECK_INT(err.code, ERROR_NONE);
}

static void test_started_unwritable(void)
{
	struct spec spec = empty_spec("bwrap");
	struct plan plan = { .spec = &spec,
			     .personality = spec.personality,
			     .clone_flags = CLONE_NEWNS };
	struct cloche_error err = ERROR_INIT;

	spec.info_fd = (struct spec_fd){ .fd = 1000, .use = 3 };
	CHECK_INT(status_started(&plan, getpid(), &err), -EBADF);
	CHECK_INT(err.code, ERROR_INFO_WRITE);
	CHECK_INT(err.use, 3);
	CHECK_STR(err.path, "1000");
}

static void test_exited(void)
{
	struct spec spec = empty_spec("bwrap");

	status_exited(&spec, 1);
	pipe_open();
	spec.json_status_fd = (struct spec_fd){ .fd = ends[1], .use = 0 };
	status_exited(&spec, 137);
	CHECK_STR(piped(), "{ \"exit-code\": 137 }\n");
	status_exited(&spec, 0); /* closed by now: not our problem */
}

/* The largest record is still one whole line of JSON. */
static void test_failed(void)
{
	static const struct option_row row = { .name = "bind", .arg_count = 2 };
	struct spec spec = empty_spec("cloche");
	struct cloche_error err = ERROR_INIT;
	struct option_use use = { .row = &row };
	char text[8192];
	const char *written;

	status_failed(&spec, &err);
	memset(text, '\x01', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	use.arg[0] = use.arg[1] = text;
	spec.uses = &use;
	spec.use_count = 1;
	err.use = 0;
	err.hint = HINT_MOUNT_LIMIT;
	(void)error_set_detail(&err, ERROR_SOURCE, ENOENT, text, text);
	pipe_open();
	spec.json_status_fd = (struct spec_fd){ .fd = ends[1], .use = 0 };
	status_failed(&spec, &err);
	written = piped();
	CHECK(str_starts(written, "{ \"setup-error\": {"));
	CHECK(is_json(written));
	CHECK(written[strlen(written) - 1] == '\n');
}

/* Descriptor 0 is one like any other. */
static void tell_stdin(void *context)
{
	struct spec spec = empty_spec("bwrap");
	struct plan plan = { .spec = &spec,
			     .personality = spec.personality,
			     .clone_flags = CLONE_NEWNS };
	struct cloche_error err = ERROR_INIT;

	(void)context;
	pipe_open();
	CHECK(dup2(ends[1], 0) == 0);
	spec.json_status_fd = (struct spec_fd){ .fd = 0, .use = 0 };
	CHECK_INT(status_started(&plan, getpid(), &err), 0);
	status_exited(&spec, 3);
	(void)error_set(&err, ERROR_NO_COMMAND, 0, NULL);
	status_failed(&spec, &err);
	CHECK(strstr(piped(), "{ \"exit-code\": 3 }\n{ \"setup-error\": ") != NULL);
}

int main(void)
{
	CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	test_started();
	test_started_unwritable();
	test_exited();
	test_failed();
	CHECK_INT(unit_in_child(tell_stdin, NULL), 0);
	return 0;
}
