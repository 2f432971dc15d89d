/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * cloche exec, the supervisor's side. Who takes part:
 *
 *	keeper	a fork of the supervisor, in the host's namespaces. It holds the connection of who
 *		asked, whose end is the end of all below, and reports on it.
 *	joiner	a fork of the keeper, in the sandbox's cgroup from its start; joins the namespaces,
 *		clones the next as the keeper's child, ends.
 *	init	leads COMMAND's session, as pid 1 does for the sandbox's first (watch/init.c).
 *
 * Those inside may be hostile by now: none of the three can be traced by them (child_join()), what
 * they can write is read by the last one only, with COMMAND's own rights, and COMMAND is confined
 * by the very programs that the sandbox's first was.
 */
#include "watch/exec.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/jsonw.h"
#include "base/num.h"
#include "base/str.h"
#include "base/sys.h"
#include "spec/report.h"
#include "watch/bind.h"
#include "watch/prepare.h"
#include "watch/supervise.h"

#define WORDS_MAX ((size_t)4 << 20) /* of all words together; execve(2) takes less */

/* One exec, in its keeper. */
struct keeper {
	struct run *run;
	int connection_fd;
	int alive_fd;
	struct spec spec;
	struct plan plan;
	struct facts facts;
	struct enter enter;
	int error_fd, status_fd; /* read ends */
	int init_fd;		 /* pidfd */
	pid_t init_pid;
	bool executed;
	bool kills_rest; /* nothing that COMMAND leaves may stay */
	int status;	 /* -1: COMMAND has not ended */
};

static _Noreturn void fail(struct keeper *keeper, const struct cloche_error *err)
{
	keeper->plan.personality = keeper->spec.personality = personality_find("cloche");
	control_fail(keeper->connection_fd, &keeper->spec, err);
	_exit(1);
}

static _Noreturn void fail_join(struct keeper *keeper, int errnum, const char *what)
{
	struct cloche_error err = ERROR_INIT;

	err.stage = STAGE_START;
	(void)error_set(&err, ERROR_EXEC_JOIN, errnum, what);
	fail(keeper, &err);
}

/* ---- what is asked for ---- */

static char **read_words(struct keeper *keeper, int fd)
{
	char *data = NULL, **words;
	size_t size = 0, count = 0;
	int r = lseek(fd, 0, SEEK_SET) < 0 ? -errno : fd_read_all(fd, WORDS_MAX, &data, &size);

	if (r < 0)
		fail_join(keeper, -r, "reading its command");
	words = calloc(size + 2, sizeof(*words));
	if (!words)
		fail_join(keeper, ENOMEM, "reading its command");
	for (char *word = data; word < data + size; word += strlen(word) + 1)
		words[count++] = word;
	return words;
}

/* The standard descriptors of who asked become ours; all else but what we need is closed. */
static void take_descriptors(struct keeper *keeper, struct control_request *request)
{
	struct run *run = keeper->run;
	int keep[] = {
		keeper->connection_fd,	     keeper->alive_fd,	       run->pidfd,
		run->cgroup.box_fd,	     run->execs.inner_fds[0],  run->execs.inner_fds[1],
		request->fds[EXEC_FD_WORDS], request->fds[EXEC_FD_PTY]
	};

	for (int i = 0; i < 3; i++)
		if (dup2(request->fds[EXEC_FD_STDIN + i], i) < 0)
			fail_join(keeper, errno, "the standard descriptors");
	if (fd_close_except(keep, ARRAY_SIZE(keep)) < 0)
		fail_join(keeper, errno, "closing descriptors");
}

/* No option of the sandbox that was about its first COMMAND only goes on for another. */
static void forget_first(struct spec *spec)
{
	struct spec_fd *const fds[] = { &spec->block_fd, &spec->userns_block_fd, &spec->info_fd,
					&spec->json_status_fd, &spec->usage_fd };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i]->fd = -1;
	for (size_t i = 0; i < ARRAY_SIZE(spec->io.stdio); i++)
		spec->io.stdio[i].text = NULL;
	spec->keep_fd_count = spec->consumed_fd_count = spec->sync_fd_count = 0;
	spec->lock_file_count = 0;
	spec->pty = PTY_DEFAULT;
	spec->flag_use[FLAG_NEW_SESSION] = spec->flag_use[FLAG_PTY_FILTER] = -1;
	spec->flag_use[FLAG_DETACH] = -1;
	spec->stop = (struct spec_stop){ 0 };
}

static void make_plan(struct keeper *keeper, char **words)
{
	struct run *run = keeper->run;
	struct cloche_error err = ERROR_INIT;
	const char *chdir_text;

	keeper->spec = *run->plan->spec;
	keeper->plan = *run->plan;
	keeper->facts = *run->enter->facts;
	forget_first(&keeper->spec);
	err.stage = STAGE_OPTIONS;
	if (spec_extend(&keeper->spec, words, &err) < 0)
		fail(keeper, &err);
	for (int i = 0; i < 3; i++)
		keeper->facts.is_tty[i] = isatty(i);
	err.stage = STAGE_PLAN;
	if (plan_attach(&keeper->plan, &keeper->spec, &keeper->facts, &err) < 0)
		fail(keeper, &err);
	/* It is read when the memory of our arguments is overwritten. */
	chdir_text = keeper->spec.chdir.text;
	keeper->spec.chdir.text = chdir_text ? strdup(chdir_text) : NULL;
}

/* What the caller's terminal is like, before he makes it raw. */
static void copy_terminal(struct enter_terminal *terminal, const struct facts *facts)
{
	for (int i = 0; i < 3 && !terminal->has_modes; i++)
		terminal->has_modes = facts->is_tty[i] && tcgetattr(i, &terminal->modes) == 0 &&
				      ioctl(i, TIOCGWINSZ, &terminal->size) == 0;
	if (terminal->has_modes && terminal->in_background)
		terminal->modes.c_oflag &= ~(tcflag_t)OPOST;
}

static void make_enter(struct keeper *keeper, const struct control_request *request)
{
	struct enter *enter = &keeper->enter;
	struct cloche_error err = ERROR_INIT;
	int pipes[2][2];

	*enter = *keeper->run->enter;
	enter->plan = &keeper->plan;
	enter->facts = &keeper->facts;
	err.stage = STAGE_START;
	if (prepare_late(enter, &err) < 0)
		fail(keeper, &err);
	memcpy(enter->inner_fds, keeper->run->execs.inner_fds, sizeof(enter->inner_fds));
	if (keeper->plan.inner_userns && enter->inner_fds[0] < 0)
		fail_join(keeper, ENOENT, "COMMAND's own user namespace");
	if (keeper->spec.userns2_fd.fd >= 0)
		fail_join(keeper, ENOTSUP, "--userns2");
	if (keeper->plan.has_pty && request->fds[EXEC_FD_PTY] < 0)
		fail_join(keeper, EBADF, "no descriptor for its terminal");
	enter->terminal.channel_fd = request->fds[EXEC_FD_PTY];
	enter->terminal.in_background = request->in_background;
	copy_terminal(&enter->terminal, &keeper->facts);
	enter->terminal.spare_fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	enter->signaller = keeper->plan.clone_flags & CLONE_NEWPID ? 0 : request->peer;
	enter->supervisor_pidfd = pidfd_open(getpid(), 0);
	enter->mounts.host_proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (enter->supervisor_pidfd < 0 || enter->mounts.host_proc_fd < 0 ||
	    pipe2(pipes[0], O_CLOEXEC) < 0 || pipe2(pipes[1], O_CLOEXEC) < 0)
		fail_join(keeper, errno, "descriptors");
	keeper->error_fd = pipes[0][0];
	enter->error_fd = pipes[0][1];
	keeper->status_fd = pipes[1][0];
	enter->status_fd = pipes[1][1];
	/* It is inherited; and inside nobody may write it any more for a process that cannot be
	 * traced. */
	if (limits_set_oom_score(enter, &err) < 0)
		fail(keeper, &err);
	keeper->spec.limits.oom_score_adj.is_set = false;
}

/* ---- the joiner ---- */

static _Noreturn void join_failed(const struct enter *enter, const char *what)
{
	struct cloche_error err = ERROR_INIT;

	err.stage = STAGE_START;
	(void)error_set(&err, ERROR_EXEC_JOIN, errno, what);
	child_fail(enter, &err);
}

/* All that the sandbox's init process has for itself; a user namespace that is ours already is
 * EINVAL. */
static int namespaces_of(const struct plan *plan)
{
	return (int)(plan->clone_flags | (plan->new_time ? CLONE_NEWTIME : 0));
}

static _Noreturn void join(struct keeper *keeper, int number_fd)
{
	struct enter *enter = &keeper->enter;
	int flags = namespaces_of(&keeper->plan), pidfd = -1;
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_PARENT,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
	};
	pid_t pid;

	/* From here on nobody inside may look at us, at what we clone, or at what that shares its
	 * memory with, whatever capabilities he has there: the memory is of a program of the host's
	 * user namespace, and so are those that tracing it would take. Its execve ends that. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		join_failed(enter, "a guard");
	if (flags && setns(keeper->run->pidfd, flags) < 0)
		join_failed(enter, "its namespaces");
	pid = sys_clone3(&args);
	if (pid == 0)
		child_join(enter);
	if (pid < 0)
		join_failed(enter, "a process in its pid namespace");
	ignore(write(number_fd, &pidfd,
		     sizeof(pidfd))); /* our table of descriptors is the keeper's */
	_exit(0);
}

static void start_joiner(struct keeper *keeper)
{
	struct clone_args args = { .flags = CLONE_FILES, .exit_signal = SIGCHLD };
	int numbers[2], status;
	pid_t joiner;

	if (pipe2(numbers, O_CLOEXEC) < 0)
		fail_join(keeper, errno, "a pipe");
	if (keeper->run->cgroup.box_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (unsigned)keeper->run->cgroup.box_fd;
	}
	joiner = sys_clone3(&args);
	if (joiner == 0)
		join(keeper, numbers[1]);
	if (joiner < 0)
		fail_join(keeper, errno, "a process in its cgroup");
	while (waitpid(joiner, &status, 0) < 0 && errno == EINTR)
		;
	(void)close(numbers[1]);
	if (read(numbers[0], &keeper->init_fd, sizeof(int)) != (ssize_t)sizeof(int))
		keeper->init_fd = -EBADF;
	(void)close(numbers[0]);
	/* The children that need these have them. */
	close_pointer(&keeper->enter.error_fd);
	close_pointer(&keeper->enter.status_fd);
	if (keeper->init_fd >= 0)
		keeper->init_pid = join_child_pid(keeper->init_fd);
}

/* ---- the keeper, while it runs ---- */

/* Who reads or waits for the end of what he gave must not have to wait for us. */
static void let_go(void)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int i = 0; null_fd >= 0 && i < 3; i++)
		(void)dup2(null_fd, i);
	close_pointer(&null_fd);
}

/* Is it alive, and a child of @parent? */
static bool is_child(int process_fd, pid_t parent)
{
	_close_ int fd = openat(process_fd, "stat", O_RDONLY | O_CLOEXEC);
	char text[1024], state, *end;
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	int number;

	text[got > 0 ? got : 0] = '\0';
	end = strrchr(text, ')'); /* behind the name, which may hold anything */
	/* NOLINTNEXTLINE(cert-err34-c): the kernel's numbers are numbers */
	return end && sscanf(end, ") %c %d", &state, &number) == 2 && number == (int)parent &&
	       state != 'Z';
}

/* Kills the children of the init process; its orphans are among them. How many there were. */
static unsigned kill_children(const struct keeper *keeper)
{
	char path[64], list[4096], *rest = list;
	unsigned count = 0;
	int fd;
	ssize_t got;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)keeper->init_pid,
		 (int)keeper->init_pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = fd < 0 ? -1 : read(fd, list, sizeof(list) - 1);
	close_pointer(&fd);
	list[got > 0 ? got : 0] = '\0';
	for (char *pid; (pid = strsep(&rest, " ")) && rest;) {
		_close_ int process_fd = -EBADF;

		snprintf(path, sizeof(path), "/proc/%s", pid);
		process_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		/* Its number may be another's by now. */
		if (process_fd < 0 || !is_child(process_fd, keeper->init_pid))
			continue;
		(void)pidfd_send_signal(process_fd, SIGKILL, NULL, 0);
		count++;
	}
	return count;
}

#define KILL_ROUND_MS 10
#define KILL_ROUNDS_IDLE 100

/* The init process reaps all that is killed and ends when there is no more, which takes as many
 * rounds as they are deep. One that has not begun with COMMAND would not, nor one that somebody
 * inside has stopped. */
static void kill_all(struct keeper *keeper)
{
	struct pollfd end = { .fd = keeper->init_fd, .events = POLLIN };
	unsigned idle = 0;

	do {
		idle = kill_children(keeper) ? 0 : idle + 1;
		if (idle && (!keeper->executed || idle > KILL_ROUNDS_IDLE))
			(void)pidfd_send_signal(keeper->init_fd, SIGKILL, NULL, 0);
	} while (poll(&end, 1, KILL_ROUND_MS) <= 0);
}

static void reap(const struct keeper *keeper)
{
	siginfo_t info;

	while (waitid((idtype_t)P_PIDFD, (id_t)keeper->init_fd, &info, WEXITED) < 0 &&
	       errno == EINTR)
		;
}

/* The record of a start that failed, or the end of the pipe: COMMAND runs. */
static void read_error(struct keeper *keeper)
{
	static const char ok[] = "{\"ok\": true}\n";
	struct cloche_error record;
	ssize_t got = read(keeper->error_fd, &record, sizeof(record));

	close_pointer(&keeper->error_fd);
	keeper->error_fd = -EBADF;
	if (got == (ssize_t)sizeof(record)) {
		if (keeper->init_fd >= 0) {
			kill_all(keeper);
			reap(keeper);
		}
		fail(keeper, &record);
	}
	if (keeper->init_fd < 0)
		fail_join(keeper, ESRCH, "it has ended");
	keeper->executed = true;
	ignore(fd_send(keeper->connection_fd, ok, strlen(ok), &keeper->init_fd, 1, 0));
}

static void tell_end(const struct keeper *keeper)
{
	char text[64];
	struct str_buf out = { .data = text, .size = sizeof(text) };

	control_ended(&out, keeper->status < 0 ? 128 + SIGKILL : keeper->status);
	ignore(fd_send(keeper->connection_fd, text, out.length, NULL, 0, 0));
}

/* COMMAND has ended, and the init process waits for what it left. That goes on in the sandbox,
 * below its pid 1; where there is none, nothing would end it later. */
static void leave(struct keeper *keeper)
{
	if (keeper->plan.clone_flags & CLONE_NEWPID && !keeper->kills_rest)
		(void)pidfd_send_signal(keeper->init_fd, SIGKILL, NULL, 0);
	else
		kill_all(keeper);
}

static void read_end_of_init(struct keeper *keeper)
{
	if (read(keeper->status_fd, &keeper->status, sizeof(int)) != (ssize_t)sizeof(int))
		keeper->status = 128 + SIGKILL;
}

/* Whoever asked is gone, or wants the end; or he says the one thing that there is to say. */
static void read_connection(struct keeper *keeper)
{
	char text[sizeof(EXEC_KILL_REST)];
	ssize_t got = recv(keeper->connection_fd, text, sizeof(text), MSG_DONTWAIT);

	if (got > 0) {
		keeper->kills_rest = true;
		return;
	}
	kill_all(keeper);
	read_end_of_init(keeper);
}

static void follow(struct keeper *keeper)
{
	struct pollfd fds[] = {
		{ .fd = keeper->error_fd, .events = POLLIN },
		{ .fd = keeper->status_fd, .events = POLLIN },
		{ .fd = keeper->init_fd, .events = POLLIN },
		{ .fd = keeper->connection_fd, .events = POLLIN },
		{ .fd = keeper->alive_fd, .events = POLLIN },
	};

	if (poll(fds, ARRAY_SIZE(fds), -1) < 0)
		return;
	/* What happens last may be seen before what happened first, poll(2). */
	if (keeper->error_fd >= 0 && (fds[0].revents || fds[1].revents || fds[2].revents))
		read_error(keeper);
	if (fds[3].revents)
		read_connection(keeper);
	if (keeper->status >= 0)
		return;
	if (fds[1].revents || fds[2].revents) {
		read_end_of_init(keeper);
		leave(keeper);
	} else if (fds[4].revents) {
		kill_all(keeper);
		read_end_of_init(keeper);
	}
}

static _Noreturn void keep(struct run *run, struct control_request *request)
{
	struct keeper keeper = {
		.run = run,
		.connection_fd = request->connection_fd,
		.alive_fd = run->execs.alive_fds[0],
		.spec = *run->plan->spec,
		.plan = *run->plan,
		.error_fd = -EBADF,
		.status_fd = -EBADF,
		.init_fd = -EBADF,
		.status = -1,
	};
	pid_t supervisor = getppid();

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != supervisor)
		_exit(1);
	(void)signal(SIGPIPE, SIG_DFL); /* COMMAND inherits it; our own sends ask for none */
	take_descriptors(&keeper, request);
	make_plan(&keeper, read_words(&keeper, request->fds[EXEC_FD_WORDS]));
	make_enter(&keeper, request);
	start_joiner(&keeper);
	let_go();
	close_pointer(&request->fds[EXEC_FD_PTY]);
	while (keeper.status < 0)
		follow(&keeper);
	reap(&keeper);
	tell_end(&keeper);
	_exit(0);
}

/* ---- the supervisor ---- */

/* The user namespace of @process_fd, a directory in procfs, unless it is @outer, its parent. */
static int open_inner(int process_fd, int outer)
{
	_close_ int fd = openat(process_fd, "ns/user", O_RDONLY | O_CLOEXEC);
	_close_ int parent = fd < 0 ? -EBADF : ioctl(fd, NS_GET_PARENT);

	return parent >= 0 && fd_same_file(parent, outer) ? take_fd(&fd) : -EBADF;
}

void exec_note_inner(struct run *run)
{
	_close_ int init_fd = -EBADF, outer_fd = -EBADF, child_fd = -EBADF, list_fd = -EBADF;
	char path[96], list[64];
	ssize_t got;
	pid_t init;

	if (!run->control.clients || !run->plan->inner_userns)
		return;
	init = join_child_pid(run->pidfd);
	snprintf(path, sizeof(path), "/proc/%d", (int)init);
	init_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	outer_fd = init_fd < 0 ? -EBADF : openat(init_fd, "ns/user", O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "task/%d/children", (int)init);
	list_fd = outer_fd < 0 ? -EBADF : openat(init_fd, path, O_RDONLY | O_CLOEXEC);
	got = list_fd < 0 ? -1 : read(list_fd, list, sizeof(list) - 1);
	if (got <= 0)
		return;
	list[got] = '\0';
	list[strcspn(list, " ")] = '\0';
	snprintf(path, sizeof(path), "/proc/%s", list);
	child_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	run->execs.inner_fds[0] = child_fd < 0 ? -EBADF : open_inner(child_fd, outer_fd);
	if (run->execs.inner_fds[0] >= 0 && run->plan->inner_mountns)
		run->execs.inner_fds[1] = openat(child_fd, "ns/mnt", O_RDONLY | O_CLOEXEC);
}

static int prepare(struct execs *execs)
{
	if (execs->ends_fd >= 0)
		return 0;
	if (pipe2(execs->alive_fds, O_CLOEXEC) < 0)
		return -errno;
	execs->ends_fd = epoll_create1(EPOLL_CLOEXEC);
	return execs->ends_fd < 0 ? -errno : 0;
}

/* Its pidfd, which the set owns, or -errno. */
static int fork_keeper(struct run *run, struct control_request *request)
{
	struct epoll_event event = { .events = EPOLLIN };
	int pidfd = -1;
	struct clone_args args = {
		.flags = CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
	};
	pid_t pid;
	int r = prepare(&run->execs);

	if (r < 0)
		return r;
	pid = sys_clone3(&args);
	if (pid == 0 && request->verb == CONTROL_EXEC)
		keep(run, request);
	if (pid == 0)
		bind_errand(run, request);
	if (pid < 0)
		return -errno;
	event.data.fd = pidfd;
	if (epoll_ctl(run->execs.ends_fd, EPOLL_CTL_ADD, pidfd, &event) == 0) {
		run->execs.count++;
		return pidfd;
	}
	r = -errno;
	(void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
	(void)close(pidfd);
	return r;
}

void exec_start(struct run *run, struct control_request *request)
{
	bool is_command = request->verb == CONTROL_EXEC;
	int keeper = run->executed ? fork_keeper(run, request) : -EAGAIN;

	if (keeper < 0)
		control_refuse(request->connection_fd,
			       run->executed ? "cannot fork" : CONTROL_STARTING);
	else if (!is_command)
		control_wait(&run->control, request->connection_fd, keeper);
	if (!is_command)
		return;
	close_pointer(&request->connection_fd);
	for (size_t i = 0; i < CONTROL_FDS; i++)
		close_pointer(&request->fds[i]);
}

void exec_reap(struct run *run)
{
	struct execs *execs = &run->execs;
	struct epoll_event event;
	siginfo_t info;

	if (epoll_wait(execs->ends_fd, &event, 1, 0) != 1)
		return;
	(void)waitid((idtype_t)P_PIDFD, (id_t)event.data.fd, &info, WEXITED | WNOHANG);
	/* A keeper that was forked since may hold it, too, and with that its place in the set. */
	(void)epoll_ctl(execs->ends_fd, EPOLL_CTL_DEL, event.data.fd, NULL);
	(void)close(event.data.fd);
	control_resume(&run->control, event.data.fd);
	execs->count--;
}

#define END_PATIENCE_MS 2000

void exec_end(struct run *run)
{
	struct execs *execs = &run->execs;
	struct epoll_event event;

	close_pointer(&execs->alive_fds[1]);
	close_pointer(&execs->inner_fds[0]);
	close_pointer(&execs->inner_fds[1]);
	/* Each says at once how its COMMAND ended: killed. */
	while (execs->count && epoll_wait(execs->ends_fd, &event, 1, END_PATIENCE_MS) == 1)
		exec_reap(run);
}
