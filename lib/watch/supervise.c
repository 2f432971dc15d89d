/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The supervisor once the child is made: it polls the child's pidfd, the error pipe (a record: it
 * failed; end of file: COMMAND was executed), the status pipe, signals, the parent, the network. It
 * trusts nothing that comes from inside after COMMAND runs but the exit status that the kernel
 * reports.
 */
#include "watch/supervise.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/process.h"
#include "base/str.h"
#include "base/sys.h"
#include "spec/report.h"
#include "watch/init.h"

#ifndef P_PIDFD
#define P_PIDFD 3 /* waitid(2), since Linux 5.4 */
#endif

static void tell(const struct run *run, int number)
{
	(void)pidfd_send_signal(run->pidfd, number, NULL, 0);
}

void supervise_kill(const struct run *run)
{
	const struct plan *plan = run->plan;
	bool init_kills =
		run->executed && plan->has_init && plan->ends_together && !plan->init_is_pid_1;

	if (run->is_attached)
		(void)shutdown(run->status_fd, SHUT_WR); /* its keeper sees that */
	else
		tell(run, init_kills ? INIT_SIGNAL_END : SIGKILL);
}

/* What the supervisor passes on to COMMAND. */
static void add_forwarded(const struct plan *plan, sigset_t *set)
{
	static const int forwarded[] = { SIGHUP,  SIGINT,  SIGQUIT, SIGUSR1, SIGUSR2,
					 SIGTERM, SIGCONT, SIGTSTP, SIGWINCH };

	for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++)
		sigaddset(set, forwarded[i]);
	sigaddset(set, plan->stop_signal);
}

int supervise_signals(struct run *run, struct cloche_error *err)
{
	sigset_t set;

	/* With SIGCHLD ignored the kernel would throw the child's status away. */
	(void)signal(SIGCHLD, SIG_DFL);
	if (!run->plan->ends_together && !run->is_attached)
		return 0;
	sigemptyset(&set);
	add_forwarded(run->plan, &set);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	run->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
	return run->signal_fd < 0 ? error_set(err, ERROR_PIPE, errno, "a signal descriptor") : 0;
}

/* Descriptors of the caller must not stay open in us: somebody may wait for their end. */
static int close_others(const struct run *run, struct cloche_error *err)
{
	int keep[26 + PIN_FD_COUNT] = { run->pidfd,
					run->error_fd,
					run->status_fd,
					run->signal_fd,
					run->parent_pidfd,
					run->plan->spec->json_status_fd.fd,
					run->plan->spec->usage_fd.fd,
					run->cgroup.parent_fd,
					run->cgroup.group_fd,
					run->control.clients ? run->cgroup.box_fd : -1,
					run->cgroup.outside_fd,
					run->net.control_fd,
					run->net.go_fd,
					run->pty.channel_fd,
					run->pty.master_fd,
					run->pty.slave_fd,
					run->detach.started_fd,
					run->detach.read_fd,
					run->detach.log_fd,
					run->pty.in_fd,
					run->pty.out_fd,
					run->registry.dir_fd,
					run->registry.lock_fd,
					run->control.listen_fd,
					run->control.clients ? run->control.clients[0].fd : -1 };
	int r;

	memcpy(keep + 26, run->pin.fds, sizeof(run->pin.fds));
	r = fd_close_except(keep, ARRAY_SIZE(keep));
	return r < 0 ? error_set(err, ERROR_CLOSE_FDS, -r, NULL) : 0;
}

/* A whole record, or the end of file that says COMMAND was executed. */
static int read_error(struct run *run, struct cloche_error *err)
{
	struct cloche_error record;
	ssize_t got;

	do
		got = read(run->error_fd, &record, sizeof(record));
	while (got < 0 && errno == EINTR);
	close_pointer(&run->error_fd);
	run->error_fd = -EBADF;
	if (got == (ssize_t)sizeof(record)) {
		*err = record;
		return record.errnum > 0 ? -record.errnum : -EINVAL;
	}
	run->executed = !run->interrupted; /* our own kill ends the pipe as well */
	if (!run->executed)
		return 0;
	pty_begin(&run->pty, run->pidfd);
	exec_note_inner(run);
	detach_started(&run->detach);
	return pin_make(run->plan, &run->pin, err);
}

/* The end of a COMMAND that another process is the parent of. */
static void read_event(struct run *run)
{
	char text[256];
	ssize_t got = recv(run->status_fd, text, sizeof(text) - 1, 0);

	text[got > 0 ? got : 0] = '\0';
	run->status = control_read_end(text);
	run->ended = true;
}

static void read_status(struct run *run)
{
	int status;

	if (run->is_attached) {
		read_event(run);
		return;
	}
	if (read(run->status_fd, &status, sizeof(status)) == (ssize_t)sizeof(status)) {
		run->status = status;
		run->ended = true;
	}
	/* Otherwise the init process died without a word: its own status tells. */
	close_pointer(&run->status_fd);
	run->status_fd = -EBADF;
}

/* waitid(2) with what the C library's lacks: the child's and its children's use of resources. */
static int wait_for_child(struct run *run, siginfo_t *ret_info, int flags)
{
	struct rusage rusage = { 0 };
	long r;

	do
		r = syscall(SYS_waitid, P_PIDFD, run->pidfd, ret_info, WEXITED | flags, &rusage);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	if (ret_info->si_pid)
		usage_add_rusage(&run->usage, &rusage);
	return 0;
}

static int read_end(struct run *run, struct cloche_error *err)
{
	siginfo_t info = { 0 };
	int r = wait_for_child(run, &info, 0);

	if (r < 0)
		return error_set(err, ERROR_WAIT, -r, NULL);
	run->ended = true;
	run->status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
	if (info.si_code != CLD_EXITED && run->plan->has_init && !run->interrupted) {
		struct cloche_error killed = ERROR_INIT;
		char number[STR_NUMBER_SIZE];

		(void)error_set(&killed, ERROR_INIT_KILLED, 0,
				str_number(number, (uint64_t)info.si_status));
		report_message(run->plan->spec, &killed, REPORT_WARNING);
	}
	return 0;
}

bool supervise_ends(int number)
{
	struct sigaction action;

	return (number == SIGINT || number == SIGTERM || number == SIGHUP || number == SIGQUIT) &&
	       sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_DFL;
}

/* The second Ctrl-C: who does not hear the first is not asked again. */
static void end_by_force(struct run *run)
{
	run->interrupted = SIGKILL;
	supervise_kill(run);
}

/* SIGTERM is what asks COMMAND to end, as --stop-signal has it. */
static void pass_on(struct run *run, int number)
{
	if (number == SIGTERM) {
		number = run->plan->stop_signal;
		stop_asked(&run->stop, run->plan, stop_now());
	}
	tell(run, number);
}

static void change_limits(const struct run *run, struct control_request *request)
{
	struct spec spec = { .personality = run->plan->personality };
	struct cloche_error err = ERROR_INIT;
	int r = spec_parse_late(&spec, request->words, LATE_LIMITS, &err);

	if (r == 0)
		r = cgroup_change(&run->cgroup, &spec.limits, &err);
	if (r == 0)
		control_agree(request->connection_fd);
	else
		control_fail(request->connection_fd, &spec, &err);
	spec_free(&spec);
}

/* One after the other; what went before one that fails stays. */
static void change_net(struct run *run, struct control_request *request)
{
	bool ends = request->verb == CONTROL_UNPUBLISH;
	struct spec spec = { .personality = run->plan->personality };
	struct cloche_error err = ERROR_INIT;
	char published[4096] = "";
	int r = spec_parse_late(&spec, request->words, ends ? LATE_PUBLISH : LATE_NET, &err);

	for (size_t i = 0; r == 0 && i < spec.use_count; i++) {
		err.use = (int)i;
		r = net_change(&run->net, &spec.uses[i], ends, published, sizeof(published), &err);
	}
	if (r == 0)
		control_agree_published(request->connection_fd, published);
	else
		control_fail(request->connection_fd, &spec, &err);
	spec_free(&spec);
}

static void freeze(const struct run *run, const struct control_request *request)
{
	struct cloche_error err = ERROR_INIT;

	if (cgroup_freeze(&run->cgroup, request->verb == CONTROL_FREEZE, &err) == 0)
		control_agree(request->connection_fd);
	else
		control_fail(request->connection_fd, run->plan->spec, &err);
}

/* What was asked for over the control socket. */
static void obey(struct run *run, const struct pollfd *fds)
{
	struct control_request request;

	while (control_act(&run->control, fds, &request)) {
		switch (request.verb) {
		case CONTROL_KILL:
			/* What is frozen does not die. */
			ignore(cgroup_freeze(&run->cgroup, false,
					     &(struct cloche_error){ .use = -1 }));
			end_by_force(run);
			break;
		case CONTROL_SIGNAL:
			pass_on(run, request.signal);
			break;
		case CONTROL_NET:
		case CONTROL_UNPUBLISH:
			change_net(run, &request);
			break;
		case CONTROL_LIMITS:
			change_limits(run, &request);
			break;
		case CONTROL_FREEZE:
		case CONTROL_THAW:
			freeze(run, &request);
			break;
		default:
			exec_start(run, &request);
		}
	}
}

/* SIGTSTP. A COMMAND with a terminal of its own stops, if it wants, and we follow (pty.c); any
 * other and we stop at once. */
static void suspend(struct run *run)
{
	if (run->executed && run->plan->has_pty)
		return;
	pty_suspend(&run->pty, SIGTSTP);
	tell(run, SIGCONT);
}

/*
 * Passes a signal on. What the terminal sent (SI_KERNEL) went to its whole foreground group,
 * COMMAND included, unless that is in a session of its own. While the start goes on, the init
 * process keeps it for COMMAND; where nobody takes it for long, somebody blocks the start, and the
 * start ends.
 */
static void pass_signal(struct run *run)
{
	struct signalfd_siginfo info;
	bool is_terminals;
	int number;

	if (read(run->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	is_terminals = info.ssi_code == SI_KERNEL;
	number = (int)info.ssi_signo;
	if (!run->executed && supervise_ends(number))
		run->pending = number;
	if (number == SIGWINCH && run->plan->has_pty) {
		pty_resize(&run->pty); /* the kernel tells COMMAND */
		return;
	}
	if (number == SIGINT && is_terminals && stop_interrupted(&run->stop, stop_now())) {
		end_by_force(run);
		return;
	}
	if (number == SIGCONT)
		pty_resume(&run->pty);
	if (!run->executed || !is_terminals || run->plan->new_session)
		pass_on(run, number);
	if (number == SIGTSTP)
		suspend(run);
}

/* How long silence lasts until there is something to do because of it; -1: for ever. */
static int patience(const struct run *run)
{
	if (!run->executed)
		return run->pending ? SUPERVISE_PENDING_MS : -1;
	return run->trimmed ? -1 : PROCESS_TRIM_DELAY_MS;
}

static int sooner(int one_ms, int other_ms)
{
	if (one_ms < 0 || other_ms < 0)
		return one_ms < 0 ? other_ms : one_ms;
	return one_ms < other_ms ? one_ms : other_ms;
}

/* What --timeout and --kill-after want. A start that is not finished ends at once. */
static void act_on_time(struct run *run)
{
	enum stop_action action = stop_due(&run->stop, run->plan, stop_now());

	if (action == STOP_NOTHING)
		return;
	if (action == STOP_ASK && run->executed) {
		if (run->is_attached)
			ignore(send(run->status_fd, EXEC_KILL_REST, strlen(EXEC_KILL_REST),
				    MSG_NOSIGNAL));
		tell(run, run->plan->stop_signal);
		tell(run, SIGCONT); /* it may be stopped */
	} else {
		end_by_force(run);
	}
}

/* There was no news. */
static void act_on_silence(struct run *run)
{
	if (run->executed) {
		process_trim_memory();
		run->trimmed = true;
	} else {
		run->interrupted = run->pending;
		run->pending = 0;
		supervise_kill(run);
	}
}

/* Our parent is dead. */
static void follow_parent(struct run *run)
{
	end_by_force(run);
	close_pointer(&run->parent_pidfd);
	run->parent_pidfd = -EBADF;
}

#define POLL_PTY 8
#define POLL_CONTROL (POLL_PTY + PTY_POLLS)

/* One round of waiting. */
static int follow(struct run *run, struct cloche_error *err)
{
	const int own[POLL_PTY] = {
		run->error_fd,	    run->status_fd,	 run->is_attached ? -1 : run->pidfd,
		run->signal_fd,	    run->parent_pidfd,	 run->net.control_fd,
		run->execs.ends_fd, run->detach.read_fd,
	};
	struct pollfd fds[POLL_CONTROL + CONTROL_POLLS];
	bool has_control = run->control.clients;
	int silence = patience(run), wait, ready, r = 0;

	for (size_t i = 0; i < POLL_PTY; i++)
		fds[i] = (struct pollfd){ .fd = own[i], .events = POLLIN };
	pty_poll(&run->pty, fds + POLL_PTY);
	if (has_control)
		control_poll(&run->control, fds + POLL_CONTROL);
	wait = sooner(silence, pty_patience(&run->pty));
	if (run->stop.ask_at || run->stop.kill_at)
		wait = sooner(wait, stop_patience(&run->stop, stop_now()));
	ready = poll(fds, has_control ? ARRAY_SIZE(fds) : POLL_CONTROL, wait);
	if (ready < 0)
		return errno == EINTR ? 0 : error_set(err, ERROR_WAIT, errno, NULL);
	if (run->stop.ask_at || run->stop.kill_at)
		act_on_time(run);
	if (ready == 0) {
		if (wait == silence)
			act_on_silence(run);
		pty_act(&run->pty, fds + POLL_PTY);
		return 0;
	}
	/* First of all whether COMMAND runs: what a signal means depends on it. */
	if (fds[0].revents)
		r = read_error(run, err);
	if (fds[4].revents)
		follow_parent(run);
	if (r == 0 && fds[3].revents)
		pass_signal(run);
	if (r == 0)
		pty_act(&run->pty, fds + POLL_PTY);
	if (r == 0 && has_control)
		obey(run, fds + POLL_CONTROL);
	if (r == 0 && fds[1].revents)
		read_status(run);
	if (r == 0 && !run->ended && fds[2].revents)
		r = read_end(run, err);
	if (r == 0 && !run->ended && fds[5].revents)
		r = net_follow(&run->net, run->plan, err);
	if (fds[7].revents)
		detach_act(&run->detach);
	if (fds[6].revents) {
		exec_reap(run);
		obey(run, fds + POLL_CONTROL); /* who waited for that may have said more */
	}
	return r;
}

int supervise(struct run *run, struct cloche_error *err)
{
	int r = close_others(run, err);

	while (r == 0 && !run->ended)
		r = follow(run, err);
	if (r < 0) {
		struct cloche_error ignored = ERROR_INIT;

		/* Nothing of a failed start may survive. */
		run->interrupted = SIGKILL;
		supervise_kill(run);
		if (!run->is_attached)
			(void)read_end(run, &ignored);
	}
	return r;
}

#define LEFTOVERS_PATIENCE_MS 200

/* Where COMMAND's status came before the init process ended, it mostly ends right after. */
void supervise_wait_for_usage(struct run *run)
{
	struct pollfd end = { .fd = run->pidfd, .events = POLLIN };
	siginfo_t info = { 0 };

	if (run->plan->spec->usage_fd.fd < 0 || run->usage.user.is_known || run->pidfd < 0)
		return;
	if (poll(&end, 1, LEFTOVERS_PATIENCE_MS) > 0)
		(void)wait_for_child(run, &info, WNOHANG); /* else it stays unknown */
}
