/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libcloche. All that it does with the options is to hand them to the program, in a memfd that is
 * sealed, so that what was validated is what runs. Between clone and execve the child, which shares
 * the caller's memory while the calling thread sleeps, does nothing but system calls.
 */
#include "cloche.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/jsonr.h"
#include "base/num.h"
#include "base/process.h"
#include "base/str.h"

#define EXPLAIN_MAX ((size_t)16 << 20)
#define LINE_MAX_BYTES ((size_t)64 << 10)

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2) /* since Linux 5.11 */
#endif

struct word_list {
	char **words; /* NULL-terminated, owned */
	size_t count;
};

struct cloche_spec {
	char *options; /* a NUL behind each word */
	size_t options_size;
	struct word_list command;
	int *fds;
	size_t fd_count;
	int stdio[3];
	char *program;
};

/* ---- records ---- */

static int fail(struct cloche_failure *failure, int errnum, const char *what)
{
	if (failure) {
		*failure = (struct cloche_failure){ .errnum = errnum, .option = -1 };
		str_copy(failure->stage, sizeof(failure->stage), "library");
		snprintf(failure->message, sizeof(failure->message), "%s: %s", what,
			 strerrordesc_np(errnum) ? strerrordesc_np(errnum) : "unknown error");
	}
	return -errnum;
}

static void copy_member(const struct json_document *json, size_t object, const char *key, char *to,
			size_t size)
{
	const char *text = jsonr_string(json, object, key);

	str_copy(to, size, text ? text : "");
}

static int number_of(const struct json_document *json, size_t object, const char *key,
		     int otherwise)
{
	const char *text = jsonr_number(json, object, key);
	uint64_t number;

	return text && num_parse(text, INT32_MAX, &number) == 0 ? (int)number : otherwise;
}

/* Options of ours stand before the caller's. */
#define OWN_OPTIONS 2

static void read_failure(const struct json_document *json, size_t object,
			 struct cloche_failure *failure)
{
	int index = number_of(json, object, "index", -1);

	*failure = (struct cloche_failure){ .errnum = number_of(json, object, "errno", 0) };
	/* One that stands in the memfd is counted from there. */
	failure->option = index >= OWN_OPTIONS + 1 ? index - OWN_OPTIONS - 1 : -1;
	copy_member(json, object, "stage", failure->stage, sizeof(failure->stage));
	copy_member(json, object, "message", failure->message, sizeof(failure->message));
	copy_member(json, object, "path", failure->path, sizeof(failure->path));
	copy_member(json, object, "hint", failure->hint, sizeof(failure->hint));
}

/* ---- the specification ---- */

struct cloche_spec *cloche_spec_new(void)
{
	struct cloche_spec *spec = calloc(1, sizeof(*spec));

	if (spec)
		spec->stdio[0] = spec->stdio[1] = spec->stdio[2] = -1;
	return spec;
}

static void free_words(struct word_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->words[i]);
	free(list->words);
	*list = (struct word_list){ 0 };
}

void cloche_spec_free(struct cloche_spec *spec)
{
	if (!spec)
		return;
	free_words(&spec->command);
	free(spec->options);
	free(spec->fds);
	free(spec->program);
	free(spec);
}

int cloche_spec_option(struct cloche_spec *spec, const char *name, const char *const *arguments,
		       struct cloche_failure *ret_failure)
{
	size_t size = 3 + strlen(name);
	char *options, *place;

	if (str_starts(name, "--"))
		name += 2;
	if (!*name || strchr(name, '='))
		return fail(ret_failure, EINVAL, "the name of an option");
	for (const char *const *word = arguments; word && *word; word++)
		size += strlen(*word) + 1;
	options = realloc(spec->options, spec->options_size + size);
	if (!options)
		return fail(ret_failure, ENOMEM, "an option");
	spec->options = options;
	place = options + spec->options_size;
	place = stpcpy(stpcpy(place, "--"), name) + 1;
	for (const char *const *word = arguments; word && *word; word++)
		place = stpcpy(place, *word) + 1;
	spec->options_size = (size_t)(place - options);
	return 0;
}

int cloche_spec_command(struct cloche_spec *spec, const char *const *words,
			struct cloche_failure *ret_failure)
{
	struct word_list list = { 0 };
	size_t count = 0;

	while (words && words[count])
		count++;
	if (count == 0)
		return fail(ret_failure, EINVAL, "the command");
	list.words = calloc(count + 1, sizeof(char *));
	for (; list.words && list.count < count; list.count++) {
		list.words[list.count] = strdup(words[list.count]);
		if (!list.words[list.count])
			break;
	}
	if (list.count < count) {
		free_words(&list);
		return fail(ret_failure, ENOMEM, "the command");
	}
	free_words(&spec->command);
	spec->command = list;
	return 0;
}

int cloche_spec_pass_fd(struct cloche_spec *spec, int fd, struct cloche_failure *ret_failure)
{
	int *fds = realloc(spec->fds, (spec->fd_count + 1) * sizeof(int));

	if (!fds)
		return fail(ret_failure, ENOMEM, "a descriptor");
	spec->fds = fds;
	spec->fds[spec->fd_count++] = fd;
	return 0;
}

void cloche_spec_stdio(struct cloche_spec *spec, int in, int out, int err)
{
	spec->stdio[0] = in;
	spec->stdio[1] = out;
	spec->stdio[2] = err;
}

int cloche_spec_program(struct cloche_spec *spec, const char *path,
			struct cloche_failure *ret_failure)
{
	char *program = strdup(path);

	if (!program)
		return fail(ret_failure, ENOMEM, "the program");
	free(spec->program);
	spec->program = program;
	return 0;
}

/* ---- running the program ---- */

struct start {
	const struct cloche_spec *spec;
	const char *program;
	char **argv;
	int stdio[3];
	int own_fds[2]; /* more to inherit */
	int pidfd;
	sigset_t signals; /* the caller's mask */
	int errnum;	  /* of the child */
};

static bool keep(int fd)
{
	return fd < 0 || fcntl(fd, F_SETFD, 0) == 0;
}

/* In the child: nothing of the caller's memory is changed but what is here for that. */
static int become(void *argument)
{
	struct start *start = argument;
	bool done = syscall(SYS_close_range, 3, UINT32_MAX, CLOSE_RANGE_CLOEXEC) == 0;
	int high[3];

	/* First out of each other's way: one may be what another is to become. */
	for (int i = 0; done && i < 3; i++) {
		high[i] = start->stdio[i] < 0 ? -1 : fcntl(start->stdio[i], F_DUPFD_CLOEXEC, 3);
		done = start->stdio[i] < 0 || high[i] >= 0;
	}
	for (int i = 0; done && i < 3; i++)
		done = high[i] < 0 || dup2(high[i], i) >= 0;
	for (size_t i = 0; done && i < start->spec->fd_count; i++)
		done = keep(start->spec->fds[i]);
	done = done && keep(start->own_fds[0]) && keep(start->own_fds[1]) &&
	       sigprocmask(SIG_SETMASK, &start->signals, NULL) == 0;
	if (done)
		(void)execv(start->program, start->argv);
	start->errnum = errno;
	_exit(127);
}

/* Starts the program. No handler of the caller's may run in the child, whose memory is the
 * caller's: this thread's signals wait. pid or -errno */
static pid_t start_program(struct start *start)
{
	sigset_t all;
	pid_t pid;

	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &start->signals);
	pid = process_clone_on_stack(become, start, CLONE_PIDFD | SIGCHLD, &start->pidfd);
	(void)pthread_sigmask(SIG_SETMASK, &start->signals, NULL);
	if (pid > 0 && start->errnum) {
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		(void)close(start->pidfd);
		return -start->errnum;
	}
	return pid;
}

/* The options in a memfd that nobody can change any more; fd or -errno */
static int seal_options(const struct cloche_spec *spec)
{
	_close_ int fd = memfd_create("cloche-options", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r = fd < 0 ? -errno : fd_write_all(fd, spec->options, spec->options_size);

	if (r == 0 &&
	    (lseek(fd, 0, SEEK_SET) < 0 ||
	     fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0))
		r = -errno;
	return r < 0 ? r : take_fd(&fd);
}

#define ARGV_MORE 12

/*
 * Starts it with the spec's options behind @more, and with what it tells at *@ret_status_fd. 0 or
 * -errno with the failure filled
 */
static int start_spec(const struct cloche_spec *spec, const char *more, int out_fd,
		      struct cloche_process *ret_process, struct cloche_failure *failure)
{
	char status_number[STR_NUMBER_SIZE], options_number[STR_NUMBER_SIZE];
	_close_ int options_fd = seal_options(spec), status_read = -EBADF, status_write = -EBADF;
	_free_ char **argv = calloc(spec->command.count + ARGV_MORE, sizeof(char *));
	struct start start = { .spec = spec, .argv = argv };
	size_t count = 0;
	int fds[2];
	pid_t pid;

	if (!argv)
		return fail(failure, ENOMEM, "the command line");
	if (options_fd < 0)
		return fail(failure, -options_fd, "a memfd for the options");
	if (pipe2(fds, O_CLOEXEC) < 0)
		return fail(failure, errno, "a pipe");
	status_read = fds[0];
	status_write = fds[1];
	start.program = spec->program ? spec->program : CLOCHE_BINDIR "/cloche";
	argv[count++] = (char *)"cloche";
	argv[count++] = (char *)"--json-status-fd";
	argv[count++] = (char *)str_number(status_number, (uint64_t)status_write);
	argv[count++] = (char *)"--quiet";
	argv[count++] = (char *)"--args";
	argv[count++] = (char *)str_number(options_number, (uint64_t)options_fd);
	if (more)
		argv[count++] = (char *)(uintptr_t)more;
	argv[count++] = (char *)"--";
	for (size_t i = 0; i < spec->command.count; i++)
		argv[count++] = spec->command.words[i];
	memcpy(start.stdio, spec->stdio, sizeof(start.stdio));
	if (out_fd >= 0)
		start.stdio[1] = out_fd;
	start.own_fds[0] = options_fd;
	start.own_fds[1] = status_write;
	pid = start_program(&start);
	if (pid < 0) {
		(void)fail(failure, -pid, start.program);
		return pid;
	}
	*ret_process = (struct cloche_process){ .pid = pid,
						.pidfd = start.pidfd,
						.status_fd = take_fd(&status_read) };
	return 0;
}

/* ---- what it tells ---- */

/* A line, byte by byte: what stands behind it is for the next call. false: there is none. */
static bool read_line(int fd, char *line, size_t size)
{
	size_t length = 0;

	while (length + 1 < size) {
		ssize_t got = read(fd, line + length, 1);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		if (line[length] == '\n') {
			line[length] = '\0';
			return true;
		}
		length++;
	}
	return false;
}

int cloche_status_read(int status_fd, int *ret_value, struct cloche_failure *ret_failure)
{
	_free_ char *line = malloc(LINE_MAX_BYTES);
	_free_ struct json_document *json = malloc(sizeof(*json));
	size_t object;
	int value;

	if (!line || !json)
		return -ENOMEM;
	if (!read_line(status_fd, line, LINE_MAX_BYTES))
		return CLOCHE_EVENT_END;
	if (jsonr_parse(line, json) < 0)
		return -EPROTO;
	object = jsonr_member(json, 0, "setup-error");
	if (object) {
		if (ret_failure)
			read_failure(json, object, ret_failure);
		return CLOCHE_EVENT_FAILED;
	}
	value = number_of(json, 0, "exit-code", -1);
	if (value < 0) {
		value = number_of(json, 0, "child-pid", -1);
		if (ret_value)
			*ret_value = value;
		return value < 0 ? CLOCHE_EVENT_OTHER : CLOCHE_EVENT_STARTED;
	}
	if (ret_value)
		*ret_value = value;
	return CLOCHE_EVENT_EXITED;
}

int cloche_process_wait(struct cloche_process *process, int *ret_status,
			struct cloche_failure *ret_failure)
{
	struct cloche_failure failure = { 0 };
	siginfo_t info = { 0 };
	bool failed = false;
	int event, r;

	do {
		event = cloche_status_read(process->status_fd, NULL, &failure);
		failed |= event == CLOCHE_EVENT_FAILED;
	} while (event > CLOCHE_EVENT_END);
	do
		r = waitid(P_PID, (id_t)process->pid, &info, WEXITED);
	while (r < 0 && errno == EINTR);
	r = r < 0 ? fail(ret_failure, errno, "waiting for cloche") : 0;
	(void)close(process->pidfd);
	(void)close(process->status_fd);
	process->pidfd = process->status_fd = -1;
	if (r < 0)
		return r;
	*ret_status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
	if (!failed)
		return 0;
	if (ret_failure)
		*ret_failure = failure;
	return failure.errnum ? -failure.errnum : -EINVAL;
}

/* ---- the same, to the end ---- */

static int run_to_end(struct cloche_spec *spec, const char *more, int out_fd,
		      struct cloche_failure *ret_failure)
{
	struct cloche_process process;
	int status = 0, r = start_spec(spec, more, out_fd, &process, ret_failure);

	if (r == 0)
		r = cloche_process_wait(&process, &status, ret_failure);
	if (r < 0)
		return r;
	return status == 0 ? 0 : fail(ret_failure, EPROTO, "cloche ended without a word");
}

int cloche_spec_validate(struct cloche_spec *spec, struct cloche_failure *ret_failure)
{
	_close_ int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (null_fd < 0)
		return fail(ret_failure, errno, "/dev/null");
	return run_to_end(spec, "--explain", null_fd, ret_failure);
}

int cloche_spec_explain(struct cloche_spec *spec, int is_json, char **ret_text,
			struct cloche_failure *ret_failure)
{
	_close_ int fd = memfd_create("cloche-explain", MFD_CLOEXEC);
	size_t size;
	int r;

	if (fd < 0)
		return fail(ret_failure, errno, "a memfd");
	r = run_to_end(spec, is_json ? "--explain=json" : "--explain", fd, ret_failure);
	if (r < 0)
		return r;
	r = lseek(fd, 0, SEEK_SET) < 0 ? -errno : fd_read_all(fd, EXPLAIN_MAX, ret_text, &size);
	return r < 0 ? fail(ret_failure, -r, "reading the explanation") : 0;
}

int cloche_spec_run(struct cloche_spec *spec, struct cloche_process *ret_process,
		    struct cloche_failure *ret_failure)
{
	if (spec->command.count == 0)
		return fail(ret_failure, EINVAL, "no command was set");
	return start_spec(spec, NULL, -1, ret_process, ret_failure);
}
