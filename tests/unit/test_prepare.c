/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of lib/watch/prepare.c: what the child finds ready, and which seccomp programs are
 * refused.
 */
#include "watch/prepare.h"

#include <sys/mman.h>

#include "spec-input.h"

static char shell[] = "sh", option[] = "-c", script[] = "exit 7";
static char *const command[] = { shell, option, script, NULL };

static struct enter enter_of(struct plan *plan, struct spec *spec)
{
	*plan = (struct plan){ .spec = spec,
			       .personality = spec->personality,
			       .policy = { .is_off = true } };
	spec->command = command;
	return (struct enter){ .plan = plan };
}

static void test_command(void)
{
	struct spec spec = empty_spec("bwrap");
	struct cloche_error err = ERROR_INIT;
	struct plan plan;
	struct enter enter = enter_of(&plan, &spec);

	umask(027);
	CHECK_INT(prepare_enter(&enter, &err), 0);
	CHECK_STR(enter.file, "sh");
	for (size_t i = 0; i < 3; i++) {
		CHECK_STR(enter.command[i], command[i]);
		CHECK(enter.command[i] != command[i]); /* copies: the original is overwritten */
	}
	CHECK(enter.command[3] == NULL);
	CHECK(enter.exec_label == NULL);
	CHECK_INT(enter.umask, 027);
	CHECK_INT(umask(027), 027); /* and it is still the caller's */
	CHECK(enter.error_fd < 0 && enter.status_fd < 0 && enter.go_fd < 0);
	prepare_free(&enter);
	/* --argv0 changes the name, not what is executed. */
	enter = enter_of(&plan, &spec);
	plan.argv0 = "other";
	CHECK_INT(prepare_enter(&enter, &err), 0);
	CHECK_STR(enter.file, "sh");
	CHECK_STR(enter.command[0], "other");
	CHECK_STR(enter.command[1], "-c");
	prepare_free(&enter);
	prepare_free(&(struct enter){ 0 });
}

static void check_environment(size_t pwd_place, size_t count)
{
	static char first[] = "A=1", second[] = "B=2";
	char *variables[] = { first, second };
	struct spec spec = empty_spec("bwrap");
	struct cloche_error err = ERROR_INIT;
	struct plan plan;
	struct enter enter = enter_of(&plan, &spec);

	plan.environment = variables;
	plan.environment_count = count;
	plan.pwd_place = pwd_place;
	CHECK_INT(prepare_enter(&enter, &err), 0);
	for (size_t i = 0, other = 0; i <= count; i++)
		CHECK(enter.environment[i] == (i == pwd_place ? enter.pwd : variables[other++]));
	CHECK(enter.environment[count + 1] == NULL);
	prepare_free(&enter);
}

/* Arrays that the child fills: as long as the plan needs, each place empty. */
static void test_room(void)
{
	struct fs_op ops[3] = { { .type = OP_DIR } };
	struct spec spec = empty_spec("bwrap");
	struct cloche_error err = ERROR_INIT;
	struct plan plan;
	struct enter enter = enter_of(&plan, &spec);

	plan.ops = ops;
	plan.op_count = ARRAY_SIZE(ops);
	spec.layer_count = 2;
	CHECK_INT(prepare_enter(&enter, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		CHECK(enter.mounts.trees[i] < 0 && enter.mounts.upper_fds[i] < 0 &&
		      enter.mounts.work_fds[i] < 0);
	for (size_t i = 0; i < 2; i++)
		CHECK(enter.mounts.layer_fds[i] < 0);
	prepare_free(&enter);
}

static int program_fd(size_t size)
{
	int fd = memfd_create("program", MFD_CLOEXEC);

	CHECK(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
	return fd;
}

static enum error_code program_error(int fd)
{
	struct spec spec = empty_spec("bwrap");
	struct cloche_error err = ERROR_INIT;
	struct plan plan;
	char byte;
	struct enter enter = enter_of(&plan, &spec);
	int r;

	spec.seccomp_fd = (struct spec_fd){ .fd = fd, .use = 5 };
	r = prepare_enter(&enter, &err);
	CHECK_INT(r < 0, err.code != ERROR_NONE);
	CHECK_INT(err.use, r < 0 ? 5 : -1);
	if (r == 0) {
		CHECK_INT(enter.filter_count, 1);
		CHECK(read(fd, &byte, 1) < 0); /* given up: nothing else is opened there */
	}
	close(fd);
	prepare_free(&enter);
	return err.code;
}

static void test_programs(void)
{
	const size_t instruction = sizeof(struct sock_filter);

	CHECK_INT(program_error(program_fd(instruction)), ERROR_NONE);
	CHECK_INT(program_error(program_fd(BPF_MAXINSNS * instruction)), ERROR_NONE);
	CHECK_INT(program_error(program_fd(0)), ERROR_SECCOMP_EMPTY);
	CHECK_INT(program_error(program_fd((BPF_MAXINSNS + 1) * instruction)), ERROR_SECCOMP_EMPTY);
	CHECK_INT(program_error(program_fd(1 << 20)), ERROR_SECCOMP_EMPTY);
	CHECK_INT(program_error(program_fd(instruction - 1)), ERROR_SECCOMP_LENGTH);
	CHECK_INT(program_error(program_fd(instruction + 1)), ERROR_SECCOMP_LENGTH);
	CHECK_INT(program_error(1000), ERROR_SECCOMP_READ);
}

/* Several, in order; the one that cannot be read is to blame. */
static void test_added_programs(void)
{
	struct spec spec = empty_spec("bwrap");
	struct cloche_error err = ERROR_INIT;
	struct plan plan;
	struct enter enter = enter_of(&plan, &spec);
	const struct sock_filter first[] = { BPF_STMT(BPF_RET | BPF_K, 7) };
	const struct sock_filter second[] = { BPF_STMT(BPF_LD | BPF_IMM, 0),
					      BPF_STMT(BPF_RET | BPF_K, 8) };
	struct spec_fd fds[] = { { .fd = program_fd(8), .use = 1 },
				 { .fd = program_fd(16), .use = 2 } };

	CHECK(pwrite(fds[0].fd, first, sizeof(first), 0) == sizeof(first));
	CHECK(pwrite(fds[1].fd, second, sizeof(second), 0) == sizeof(second));
	spec.add_seccomp_fds = fds;
	spec.add_seccomp_count = 2;
	CHECK_INT(prepare_enter(&enter, &err), 0);
	CHECK_INT(enter.filter_count, 2);
	CHECK(enter.filters[0].len == 1 && enter.filters[1].len == 2);
	CHECK(enter.filters[0].filter[0].k == 7 && enter.filters[1].filter[1].k == 8);
	close(fds[0].fd);
	close(fds[1].fd);
	prepare_free(&enter);
	fds[0].fd = program_fd(8);
	fds[1].fd = 1000;
	enter = enter_of(&plan, &spec);
	CHECK(prepare_enter(&enter, &err) < 0);
	CHECK_INT(err.code, ERROR_SECCOMP_READ);
	CHECK_INT(err.use, 2);
	close(fds[0].fd);
	prepare_free(&enter);
}

/* Descriptor 0 is one like any other. */
static void program_from_stdin(void *context)
{
	(void)context;
	CHECK(dup2(program_fd(sizeof(struct sock_filter)), 0) == 0);
	CHECK_INT(program_error(0), ERROR_NONE);
	CHECK(dup2(program_fd(1), 0) == 0);
	CHECK_INT(program_error(0), ERROR_SECCOMP_LENGTH);
}

static void test_label(void)
{
	struct spec spec = empty_spec("bwrap");
	struct cloche_error err = ERROR_INIT;
	struct plan plan;
	struct enter enter = enter_of(&plan, &spec);

	spec.file_label = (struct spec_string){ .text = "no such label", .use = 4 };
	CHECK(prepare_enter(&enter, &err) < 0); /* without SELinux there is nobody to ask */
	CHECK_INT(err.code, ERROR_LABEL_INVALID);
	CHECK_INT(err.use, 4);
	prepare_free(&enter);
	spec.exec_label = (struct spec_string){ .text = "no such label", .use = 3 };
	err = ERROR_INIT;
	enter = enter_of(&plan, &spec);
	CHECK(prepare_enter(&enter, &err) < 0);
	CHECK_INT(err.use, 3);
	prepare_free(&enter);
}

int main(void)
{
	int before = unit_fd_count();

	test_command();
	check_environment(0, 2);
	check_environment(1, 2);
	check_environment(2, 2);
	check_environment(0, 0);
	test_room();
	test_programs();
	test_added_programs();
	CHECK_INT(unit_in_child(program_from_stdin, NULL), 0);
	test_label();
	CHECK_INT(unit_fd_count(), before);
	return 0;
}
