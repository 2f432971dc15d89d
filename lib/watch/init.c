/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The init process. It starts COMMAND, reaps whatever is orphaned, passes signals on, and ends with
 * COMMAND's status.
 *
 * It lives among hostile processes of the same user, so it keeps nothing worth stealing: arguments
 * and environment are overwritten, descriptors closed, all capabilities dropped but one that
 * COMMAND lacks, which makes the kernel refuse tracing. Its exit status is what the supervisor
 * believes; where it has to outlive COMMAND (bubblewrap's way with processes left in the
 * background), the status goes through a pipe that only it holds.
 */
#include "watch/init.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/process.h"
#include "base/str.h"

#define INIT_TITLE "cloche-init"

/* What the init process keeps open, besides 0 to 2. */
static void keep_open(struct enter *enter, int fd)
{
	enter->init_fds[enter->init_fd_count++] = fd;
}

/* Takes shared locks that last as long as this process. */
static int take_locks(struct enter *enter, struct cloche_error *err)
{
	const struct spec *spec = enter->plan->spec;
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	_close_ int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; i < spec->lock_file_count; i++) {
		const struct path_layer *file = &spec->lock_files[i];
		int fd = path_open(root_fd, file->path, O_RDONLY | O_NONBLOCK | O_NOCTTY);

		err->use = file->use;
		if (fd < 0)
			return error_set(err, ERROR_LOCK_OPEN, -fd, file->path);
		if (fcntl(fd, F_SETLK, &lock) < 0)
			return error_set(err, ERROR_LOCK, errno, file->path);
		keep_open(enter, fd); /* closing it would drop the lock */
	}
	err->use = -1;
	return 0;
}

/* The caller's terminal, too, goes from 0 to 2 where COMMAND has its own: root's COMMAND may be
 * able to open what we hold. */
static int close_fds(struct enter *enter)
{
	const struct spec *spec = enter->plan->spec;

	int r = terminal_replace_stdio(enter);

	if (r < 0)
		return r;
	for (size_t i = 0; i < spec->sync_fd_count; i++)
		keep_open(enter, spec->sync_fds[i]);
	keep_open(enter, enter->status_fd);
	keep_open(enter, enter->terminal.channel_fd);
	keep_open(enter, enter->terminal.slave_fd);
	return fd_close_except(enter->init_fds, enter->init_fd_count);
}

/*
 * What ps(1) and /proc/1 show. A last byte that is not NUL makes the kernel show the string up to
 * its end and nothing of the zeros behind (fs/proc/base.c, get_mm_cmdline).
 */
static void overwrite_arguments(const struct enter *enter)
{
	const struct enter_title *title = &enter->title;

	if (!title->argv_size)
		return;
	memset(title->start, 0, title->size);
	title->start[title->argv_size - 1] = '.';
	str_copy(title->start, title->size, INIT_TITLE);
	(void)prctl(PR_SET_NAME, INIT_TITLE, 0, 0, 0);
}

/* The supervisor may send any. And where no pid namespace ends with us, its death must not kill us
 * before we have killed what COMMAND left behind. */
static void block_signals(sigset_t *ret_set)
{
	sigfillset(ret_set);
	(void)sigprocmask(SIG_SETMASK, ret_set, NULL);
}

static int status_of(const siginfo_t *info)
{
	return info->si_code == CLD_EXITED ? info->si_status : 128 + info->si_status;
}

/* Reaps all that has ended; true once that includes @command, whose status is then set. That
 * @command was stopped is the supervisor's to know, where it keeps the terminal. */
static bool reap(const struct enter *enter, pid_t command, int *status)
{
	int events = WEXITED | WNOHANG | (enter->plan->has_pty ? WSTOPPED : 0);
	bool ended = false;

	for (;;) {
		siginfo_t info = { 0 };

		if (waitid(P_ALL, 0, &info, events) < 0 && errno != EINTR)
			return ended;
		if (info.si_pid == 0)
			return ended;
		if (info.si_pid != command)
			continue;
		if (info.si_code == CLD_STOPPED) {
			terminal_tell_stop(enter, info.si_status);
		} else if (info.si_code != CLD_TRAPPED) {
			*status = status_of(&info);
			ended = true;
		}
	}
}

/* Sleeps until one of @set arrives; memory that is not needed for that is given back after a while.
 */
static int sleep_for_signal(const sigset_t *set, siginfo_t *ret_info, bool *trimmed)
{
	const struct timespec delay = { .tv_nsec = PROCESS_TRIM_DELAY_MS * 1000000L };
	int number;

	if (*trimmed)
		return sigwaitinfo(set, ret_info);
	number = sigtimedwait(set, ret_info, &delay);
	if (number < 0 && errno == EAGAIN) {
		process_trim_memory();
		*trimmed = true;
	}
	return number;
}

/* Where COMMAND has its own terminal it has its own process group, and this is for all of that, as
 * the terminal's own signals are. */
static bool is_for_group(int number)
{
	return number == SIGINT || number == SIGQUIT || number == SIGTSTP || number == SIGCONT ||
	       number == SIGHUP;
}

static void pass_on(const struct enter *enter, pid_t command, int number)
{
	bool has_pty = enter->plan->has_pty;

	if (number == INIT_SIGNAL_FOREGROUND && has_pty)
		terminal_give(enter, command);
	else
		(void)kill(has_pty && is_for_group(number) ? -command : command, number);
}

/*
 * Waits until a child ended or the supervisor sent a signal, which goes on to COMMAND. False: the
 * supervisor is dead, or says that this is the end. Any INIT_SIGNAL_END makes us look, since one
 * that COMMAND sends may be pending and swallow the kernel's.
 */
static bool wait_for_signal(const struct enter *enter, const sigset_t *set, pid_t command,
			    pid_t supervisor, bool *trimmed)
{
	siginfo_t info = { 0 };
	int number = sleep_for_signal(set, &info, trimmed);
	/* A sender in our pid namespace has a pid here, except the supervisor without one. */
	bool is_supervisors = info.si_code == SI_USER && info.si_pid == supervisor;

	if (number == INIT_SIGNAL_END)
		return getppid() == supervisor && !is_supervisors;
	if (number > 0 && number != SIGCHLD && is_supervisors)
		pass_on(enter, command, number);
	return true;
}

/*
 * Without a pid namespace of our own the kernel does not end what COMMAND left behind. As subreaper
 * we are the parent of all of it, and procfs lists our children. They are named by its directories,
 * whose numbers need not be those of our pid namespace.
 */
struct family {
	int proc_fd;	 /* -1: a pid namespace of our own does it */
	int children_fd; /* /proc/.../children of this process */
};

static int open_family(struct enter *enter, struct family *ret_family, struct cloche_error *err)
{
	const struct plan *plan = enter->plan;

	*ret_family = (struct family){ -EBADF, -EBADF };
	if (plan->init_is_pid_1 || !plan->ends_together)
		return 0;
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	ret_family->proc_fd = enter->mounts.host_proc_fd;
	ret_family->children_fd =
		openat(ret_family->proc_fd, "thread-self/children", O_RDONLY | O_CLOEXEC);
	if (ret_family->children_fd < 0)
		return error_set(err, ERROR_OPEN_PROC, errno, "thread-self/children");
	keep_open(enter, ret_family->proc_fd);
	keep_open(enter, ret_family->children_fd);
	return 0;
}

/* The directory of a process is as good as its pidfd, pidfd_send_signal(2). */
static void kill_child(int proc_fd, const char *pid)
{
	_close_ int fd = openat(proc_fd, pid, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		(void)pidfd_send_signal(fd, SIGKILL, NULL, 0);
}

/* Kills children until there are none; each round reaps at least one. */
static void kill_leftovers(const struct family *family)
{
	char list[4096];
	ssize_t got;

	while (family->proc_fd >= 0 &&
	       (got = pread(family->children_fd, list, sizeof(list) - 1, 0)) > 0) {
		char *rest = list;
		siginfo_t info;

		list[got] = '\0';
		for (char *pid; (pid = strsep(&rest, " "));)
			if (rest) /* the last word may be cut: it comes again */
				kill_child(family->proc_fd, pid);
		if (waitid(P_ALL, 0, &info, WEXITED) < 0 && errno == ECHILD)
			return;
	}
}

static _Noreturn void supervise(const struct enter *enter, const sigset_t *set, pid_t command,
				pid_t supervisor, const struct family *family)
{
	bool has_family = family->proc_fd >= 0, trimmed = false;
	/* It may have died before we asked for a signal. */
	bool is_orphan = has_family && getppid() != supervisor;
	int status = 0;
	siginfo_t info;

	while (!is_orphan && !reap(enter, command, &status))
		is_orphan =
			!wait_for_signal(enter, set, command, supervisor, &trimmed) && has_family;
	if (is_orphan) {
		kill_leftovers(family); /* COMMAND included */
		_exit(128 + SIGKILL);
	}
	if (enter->plan->ends_together) {
		kill_leftovers(family);
		_exit(status);
	}
	/* As bubblewrap: the supervisor may go, the rest goes on. */
	ignore(write(enter->status_fd, &status, sizeof(status)));
	(void)close(enter->status_fd);
	while (waitid(P_ALL, 0, &info, WEXITED) == 0 || errno == EINTR)
		;
	_exit(status);
}

static _Noreturn void start_command(struct enter *enter, pid_t init)
{
	struct cloche_error err = ERROR_INIT;

	if (enter->plan->die_with_parent || enter->plan->ends_together)
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != init) /* it died before that took effect */
		_exit(enter->plan->personality->status_setup);
	if (terminal_join(enter, &err) == 0)
		(void)workload_run(enter, &err);
	child_fail(enter, &err);
}

void init_main(struct enter *enter)
{
	struct cloche_error err = ERROR_INIT;
	pid_t supervisor = enter->signaller < 0 ? getppid() : enter->signaller;
	pid_t init = getpid(), command;
	struct family family;
	sigset_t set;

	err.stage = STAGE_EXEC;
	if (terminal_lead(enter, &err) < 0 || take_locks(enter, &err) < 0 ||
	    open_family(enter, &family, &err) < 0)
		child_fail(enter, &err);
	block_signals(&set);
	overwrite_arguments(enter); /* before COMMAND can look */
	/*
	 * vfork(2) spares the copy of the page tables, and COMMAND's process only ever ends in
	 * execve or _exit. With shared memory the kernel would refuse it a user namespace of its
	 * own.
	 */
	command = enter->plan->inner_userns ? fork() : vfork();
	if (command < 0) {
		(void)error_set(&err, ERROR_FORK, errno, NULL);
		child_fail(enter, &err);
	}
	if (command == 0)
		start_command(enter, init);
	if (enter->plan->has_pty)
		(void)setpgid(command, command); /* whichever of us comes first */
	/* Bubblewrap's supervisor may die without the sandbox; ours may not. */
	if (!enter->plan->ends_together && !enter->plan->die_with_parent)
		(void)prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
	else if (family.proc_fd >= 0)
		(void)prctl(PR_SET_PDEATHSIG, INIT_SIGNAL_END, 0, 0, 0);
	if (caps_guard(&err) < 0)
		child_fail(enter, &err);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		(void)error_set(&err, ERROR_NO_NEW_PRIVS, errno, NULL);
		child_fail(enter, &err);
	}
	(void)signal(SIGPIPE, SIG_IGN); /* the supervisor may be gone when we tell it the status */
	if (close_fds(enter) < 0)
		_exit(enter->plan->personality->status_setup);
	if (seccomp_load_init(enter, &err) < 0)
		_exit(enter->plan->personality->status_setup);
	supervise(enter, &set, command, supervisor, &family);
}
