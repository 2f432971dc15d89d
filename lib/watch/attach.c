/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * cloche exec, the side of who asks. It sends the sandbox's supervisor the words and its standard
 * descriptors, and then does for COMMAND what a supervisor does: it relays the terminal, passes
 * signals on and keeps the time (supervise.c). The process that it signals is one of ours inside
 * (watch/init.c); how COMMAND ends the keeper says (exec.c).
 */
#include "watch/attach.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "base/jsonr.h"
#include "base/num.h"
#include "base/str.h"
#include "spec/report.h"
#include "watch/client.h"
#include "watch/supervise.h"

#define STARTING_TRIES 250
#define STARTING_DELAY_MS 20

/* A memfd of all words. Where COMMAND has our terminal it is told which, before any other word.
 * fd or -errno */
static int write_words(char *const *words, bool has_pty)
{
	_close_ int fd = memfd_create("cloche-exec", MFD_CLOEXEC);
	const char *terminal = getenv("TERM");
	const char *const setenv[] = { "--setenv", "TERM", terminal };
	int r = fd < 0 ? -errno : 0;

	for (size_t i = 0; r == 0 && has_pty && terminal && i < ARRAY_SIZE(setenv); i++)
		r = fd_write_all(fd, setenv[i], strlen(setenv[i]) + 1);
	for (; r == 0 && *words; words++)
		r = fd_write_all(fd, *words, strlen(*words) + 1);
	return r < 0 ? r : take_fd(&fd);
}

struct answer {
	int pidfd;
	int status; /* of what did not start */
	char line[CONTROL_ANSWER];
	const char *error; /* in line; NULL: it runs */
};

/* Waits for @fd, -1: for the time @wait_ms. Signals are held for COMMAND by now; one that comes
 * when there will be none ends us, and so what was begun for us. */
static void wait_for(int fd, int signal_fd, int wait_ms)
{
	struct pollfd fds[] = {
		{ .fd = fd, .events = POLLIN },
		{ .fd = signal_fd, .events = POLLIN },
	};
	sigset_t pending;

	if (poll(fds, ARRAY_SIZE(fds), wait_ms) <= 0 || fds[0].revents)
		return;
	/* If it runs, it is told. */
	if (poll(fds, 1, SUPERVISE_PENDING_MS) > 0)
		return;
	(void)sigpending(&pending);
	for (int number = 1; number < SIGRTMIN; number++)
		if (sigismember(&pending, number) > 0 && supervise_ends(number))
			_exit(128 + number);
}

static bool read_answer(int fd, struct answer *answer)
{
	struct json_document json;
	uint64_t status;
	const char *code;

	if (!client_read_line(fd, answer->line, sizeof(answer->line), &answer->pidfd) ||
	    jsonr_parse(answer->line, &json) < 0)
		return false;
	if (json.values[jsonr_member(&json, 0, "ok")].type == JSON_TRUE)
		return answer->pidfd >= 0;
	answer->error = jsonr_string(&json, 0, "error");
	code = jsonr_number(&json, 0, "exit-code");
	answer->status = code && num_parse(code, 255, &status) == 0 ? (int)status : CLIENT_FAILED;
	return answer->error;
}

/* The connection, with *@ret_answer filled; -errno, -EPROTO as client_connect() */
static int request(int registry_fd, const struct registry_entry *entry, const int *fds,
		   bool in_background, int signal_fd, struct answer *ret_answer)
{
	_close_ int fd =
		client_connect(registry_fd, entry, ret_answer->line, sizeof(ret_answer->line));
	const char *text = in_background ? "{\"command\": \"exec\", \"background\": true}\n"
					 : "{\"command\": \"exec\"}\n";

	if (fd < 0)
		return fd;
	if (fd_send(fd, text, strlen(text), fds, CONTROL_FDS, 0) < 0)
		return -ECONNRESET;
	wait_for(fd, signal_fd, -1);
	return read_answer(fd, ret_answer) ? take_fd(&fd) : -ECONNRESET;
}

static bool is_passing(int r, const struct answer *answer)
{
	return r < 0 ? r == -EPROTO && strcmp(answer->line, CONTROL_FULL) == 0
		     : answer->error && strcmp(answer->error, CONTROL_STARTING) == 0;
}

/* The same, until the sandbox's own COMMAND runs and there is room for us. */
static int request_when_ready(int registry_fd, const struct registry_entry *entry, const int *fds,
			      bool in_background, int signal_fd, struct answer *ret_answer)
{
	for (int i = 0;; i++) {
		int fd;

		*ret_answer = (struct answer){ .pidfd = -EBADF };
		fd = request(registry_fd, entry, fds, in_background, signal_fd, ret_answer);
		if (!is_passing(fd, ret_answer) || i == STARTING_TRIES)
			return fd;
		close_pointer(&fd);
		wait_for(-1, signal_fd, STARTING_DELAY_MS);
	}
}

/* What the keeper says is printed as it would have said it here. */
static int refused(const char *word, const struct answer *answer)
{
	size_t length = strlen(answer->error);

	if (length && answer->error[length - 1] == '\n')
		fputs(answer->error, stderr);
	else
		(void)client_complain("exec", word, answer->error);
	return answer->status;
}

static int follow(struct run *run, int *ret_status, struct cloche_error *err)
{
	int r;

	stop_start(&run->stop, run->plan, run->plan->timeout ? stop_now() : 0);
	pty_begin(&run->pty, run->pidfd);
	r = supervise(run, err);
	pty_end(&run->pty, run->signal_fd);
	*ret_status = run->stop.timed_out ? STATUS_TIMED_OUT : run->status;
	return r;
}

static int attach(int registry_fd, const char *word, char **words, struct spec *spec,
		  struct cloche_error *err)
{
	char *const none[] = { (char *)"cloche", NULL };
	struct facts facts = { .is_tty = { isatty(0), isatty(1), isatty(2) } };
	struct plan plan = { .personality = spec->personality };
	struct run run = RUN_INIT;
	struct enter enter = { .plan = &plan };
	int fds[CONTROL_FDS] = { -1, 0, 1, 2, -1 }, status = 0, r;
	struct registry_entry entry;
	struct answer answer;

	enter.terminal.channel_fd = enter.terminal.spare_fd = enter.terminal.slave_fd = -EBADF;
	r = spec_parse(spec, none, err);
	if (r == 0)
		r = spec_extend(spec, words, err);
	if (r == 0)
		r = plan_attach(&plan, spec, &facts, err);
	if (r < 0)
		return r;
	status = client_find("exec", registry_fd, word, &entry);
	if (status)
		return status;
	run.plan = &plan;
	run.is_attached = run.executed = true;
	facts.environ = environ;
	r = pty_prepare(&run.pty, &facts, &enter, err);
	if (r == 0)
		r = supervise_signals(&run, err);
	if (r < 0)
		return r;
	fds[EXEC_FD_WORDS] = write_words(words, plan.has_pty);
	fds[EXEC_FD_PTY] = enter.terminal.channel_fd;
	if (fds[EXEC_FD_WORDS] < 0)
		return client_failed("exec", word, fds[EXEC_FD_WORDS], "");
	r = request_when_ready(registry_fd, &entry, fds, enter.terminal.in_background,
			       run.signal_fd, &answer);
	if (r < 0)
		return client_failed("exec", word, r, answer.line);
	if (answer.error)
		return refused(word, &answer);
	(void)close(enter.terminal.channel_fd);
	run.status_fd = r;
	run.pidfd = answer.pidfd;
	r = follow(&run, &status, err);
	return r < 0 ? r : status;
}

int attach_main(int registry_fd, const char *word, char **words)
{
	struct spec spec = { .personality = personality_find("cloche") };
	struct cloche_error err = ERROR_INIT;
	int r = attach(registry_fd, word, words, &spec, &err);

	if (r >= 0)
		return r;
	report_message(&spec, &err, REPORT_ERROR);
	return report_status(spec.personality, &err);
}
