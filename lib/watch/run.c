/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A start, up to clone: one clone3(2) makes the child with all its namespaces; from then on the
 * child works alone, and the supervisor follows it (supervise.c).
 */
#include "watch/run.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/process.h"
#include "base/str.h"
#include "base/sys.h"
#include "enter/enter.h"
#include "spec/report.h"
#include "watch/diagnose.h"
#include "watch/idmap.h"
#include "watch/ids.h"
#include "watch/init.h"
#include "watch/prepare.h"
#include "watch/status.h"
#include "watch/supervise.h"

static int pipe_error(int errnum, const char *what, struct cloche_error *err)
{
	return error_set(err, ERROR_PIPE, errnum, what);
}

/* ---- before clone ---- */

static int open_pipe(int *ret_read, int *ret_write, struct cloche_error *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return pipe_error(errno, "a pipe", err);
	*ret_read = fds[0];
	*ret_write = fds[1];
	return 0;
}

/*
 * The parent process, not the thread that started us, decides: its pidfd tells when it ends. If our
 * parent has changed since we began to read, it is gone already. A parent in another pid namespace
 * has no number here; then only the kernel's signal is left, which comes from the thread.
 */
static int watch_parent(struct run *run, struct cloche_error *err)
{
	pid_t parent = run->plan->spec->parent;

	if (!run->plan->die_with_parent)
		return 0;
	if (parent == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return pipe_error(errno, "a watch", err);
	if (parent != 0) {
		run->parent_pidfd = pidfd_open(parent, 0);
		if (run->parent_pidfd < 0 && errno != ESRCH)
			return pipe_error(errno, "a process descriptor", err);
	}
	return getppid() == parent ? 0 : error_set(err, ERROR_PARENT_GONE, 0, NULL);
}

static int clone_error(const struct plan *plan, int errnum, struct cloche_error *err)
{
	if (errnum == ENOSYS) {
		error_set_hint(err, HINT_KERNEL_OLD);
		return error_set(err, ERROR_KERNEL_TOO_OLD, 0, "clone3");
	}
	if (errnum == EBUSY || (errnum == EACCES && plan->limits.place == PLACE_PATH)) {
		err->use = plan->limits.use;
		error_set_hint(err, HINT_CGROUP_PLACE);
		return error_set(err, ERROR_CGROUP_ENTER, errnum, plan->limits.path);
	}
	if (errnum == ENOSPC)
		return error_set(err, ERROR_NAMESPACE_LIMIT, errnum, NULL);
	if ((errnum == EPERM || errnum == EACCES) && plan->clone_flags & CLONE_NEWUSER)
		return error_set(err, ERROR_USERNS_REFUSED, errnum, NULL);
	return error_set(err, ERROR_CLONE, errnum, NULL);
}

/* ---- clone ---- */

/* What a helper that makes the child needs and tells; it shares our memory. */
struct start {
	struct run *run;
	struct enter *enter;
	int errnum; /* of a failed clone, 0 */
};

static int child_entry(void *argument)
{
	child_main(argument);
}

/* The usual way: the child on a copy of our memory. pid or -errno; does not return in the child. */
static pid_t clone_child(struct start *start, uint64_t more_flags)
{
	struct clone_args args = {
		.flags = start->run->plan->clone_flags | CLONE_PIDFD | more_flags,
		.pidfd = (uint64_t)(uintptr_t)&start->run->pidfd,
		.exit_signal = more_flags & CLONE_PARENT ? 0 : SIGCHLD, /* the helper's, clone(2) */
	};
	pid_t pid;

	/* Since Linux 5.7: in its group from its first instruction on. */
	if (start->run->cgroup.box_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (unsigned)start->run->cgroup.box_fd;
	}
	pid = sys_clone3(&args);
	/* Filters of containers know no clone3(2), whose flags they cannot read. */
	if (pid < 0 && errno == ENOSYS && !(args.flags & CLONE_INTO_CGROUP))
		pid = sys_clone(args.flags | args.exit_signal, &start->run->pidfd);
	if (pid == 0)
		child_main(start->enter);
	return pid < 0 ? -errno : pid;
}

/* Runs in a process that is in the joined pid namespace already. */
static int clone_from_within(void *argument)
{
	struct start *start = argument;
	pid_t pid = clone_child(start, CLONE_PARENT);

	start->errnum = pid < 0 ? -pid : 0;
	return 0;
}

/*
 * A child of a joined pid namespace that is to have one of its own: only a process that lives in
 * the joined one can make it (pid_namespaces(7)). That helper makes the child ours, by
 * CLONE_PARENT, and ends.
 */
static pid_t clone_in_joined(struct start *start)
{
	pid_t helper =
		process_clone_on_stack(clone_from_within, start, CLONE_FILES | SIGCHLD, NULL);

	if (helper < 0)
		return helper;
	while (waitpid(helper, NULL, 0) < 0 && errno == EINTR)
		;
	return start->errnum ? -start->errnum : join_child_pid(start->run->pidfd);
}

/* May the child share our memory until it executes COMMAND, while we sleep? Nobody may need us
 * meanwhile. */
static bool can_share_memory(const struct run *run)
{
	const struct spec *spec = run->plan->spec;

#ifdef __SANITIZE_ADDRESS__
	if (run) /* AddressSanitizer knows no stack but its own */
		return false;
#endif
	return !run->plan->has_init && !run->plan->inner_userns && !run->plan->copies_data &&
	       run->go_fd < 0 && !run->plan->new_time && spec->block_fd.fd < 0 &&
	       !run->plan->die_with_parent && !run->plan->net.is_on && !run->plan->has_pty &&
	       !run->plan->timeout &&
	       run->cgroup.box_fd < 0; /* clone(2) cannot start a process in a group */
}

/* Waits until the child has all its namespaces, or has failed: it waits for nobody before that. */
static void wait_for_namespaces(struct run *run, struct enter *enter)
{
	char byte;

	if (run->ready_fd < 0)
		return;
	close_pointer(&enter->ready_fd);
	while (read(run->ready_fd, &byte, 1) < 0 && errno == EINTR)
		;
}

/* Makes the child. */
static int start_child(struct run *run, struct enter *enter, struct cloche_error *err)
{
	struct start start = { .run = run, .enter = enter };
	pid_t pid = -ENOMEM;
	int r;

	if (run->plan->joined & run->plan->clone_flags & CLONE_NEWPID)
		pid = clone_in_joined(&start);
	else if (can_share_memory(run))
		pid = process_clone_on_stack(child_entry, enter,
					     (int)run->plan->clone_flags | CLONE_PIDFD | SIGCHLD,
					     &run->pidfd);
	if (pid == -ENOMEM) /* not tried, or no address space for a stack (RLIMIT_AS) */
		pid = clone_child(&start, 0);
	if (pid < 0)
		return clone_error(run->plan, -pid, err);
	/* Whoever reads our JSON may have gone; COMMAND, already made, keeps the default. */
	(void)signal(SIGPIPE, SIG_IGN);
	/* What COMMAND waits for is ours alone to write, or to let fall. */
	close_pointer(&enter->net_mapped_fd);
	close_pointer(&enter->net_go_fd);
	r = run->plan->net.is_on ? net_start(&run->net, run->plan, pid, err) : 0;
	if (r < 0)
		return r;
	if (run->go_fd < 0)
		return 0;
	wait_for_namespaces(run, enter);
	/* Before the report: who joins the child by it finds the maps written. */
	r = ids_map_child(run->plan, enter->facts, pid, err);
	if (r == 0)
		r = status_started(run->plan, pid, err);
	if (r == 0)
		r = pin_hold(run->plan, &run->pin, pid, err);
	if (r == 0)
		ignore(write(run->go_fd, "", 1)); /* if the child is dead we shall learn it below */
	return r;
}

static int run_child(struct run *run, struct enter *enter, struct cloche_error *err)
{
	const struct spec *spec = run->plan->spec;
	bool child_waits = spec->info_fd.fd >= 0 || spec->json_status_fd.fd >= 0 ||
			   spec->namespaces.pin.text || run->plan->ids.writer != MAPS_BY_CHILD;
	int r = open_pipe(&run->error_fd, &enter->error_fd, err);

	if (r == 0 && run->plan->has_init && !run->plan->ends_together)
		r = open_pipe(&run->status_fd, &enter->status_fd, err);
	if (r == 0 && child_waits)
		r = open_pipe(&enter->go_fd, &run->go_fd, err);
	if (r == 0 && child_waits && run->plan->new_time)
		r = open_pipe(&run->ready_fd, &enter->ready_fd, err);
	if (r == 0 && run->plan->net.is_on)
		r = net_prepare(&run->net, enter, err);
	if (r < 0)
		return r;
	enter->supervisor_pidfd = pidfd_open(getpid(), 0);
	if (enter->supervisor_pidfd < 0)
		return pipe_error(errno, "a process descriptor", err);
	r = watch_parent(run, err);
	if (r == 0)
		r = supervise_signals(run, err);
	if (r == 0)
		r = join_enter(run->plan, &run->joins, err);
	if (run->plan->joined & CLONE_NEWTIME)
		usage_start(&run->usage); /* our clocks are others now */
	if (r == 0)
		r = ids_prepare(run->plan, err);
	if (r < 0)
		return r;
	r = start_child(run, enter, err);
	if (run->pidfd < 0)
		return r;
	if (r < 0) {
		supervise_kill(run);
		ignore(supervise(run, &(struct cloche_error){ .use = -1 }));
		return r;
	}
	return supervise(run, err);
}

int run_plan(const struct plan *plan, const struct facts *facts, struct enter_title title,
	     int *ret_status, struct cloche_error *err)
{
	struct run run = RUN_INIT;
	struct enter enter = { .plan = plan, .facts = facts, .title = title };
	int r;

	run.plan = plan;
	run.enter = &enter;
	err->stage = STAGE_START;
	r = spec_flag(plan->spec, FLAG_DETACH)
		    ? detach_fork(
			      &run.detach,
			      &(struct registry_place){ facts->runtime_dir, plan->spec->name.text },
			      ret_status, err)
		    : 0;
	if (r > 0)
		return 0;
	stop_start(&run.stop, plan, plan->timeout ? stop_now() : 0);
	if (r == 0)
		r = registry_enter(&run.registry, plan, facts, err);
	if (r == 0)
		r = control_start(&run.control, &run.registry, plan, err);
	if (r == 0)
		r = join_prepare(plan, facts, &run.joins, err);
	if (r == 0)
		r = pin_prepare(plan, &run.pin, err);
	if (r == 0)
		r = prepare_enter(&enter, err);
	if (r == 0 && spec_flag(plan->spec, FLAG_DETACH))
		r = detach_open(&run.detach, &run.registry, &enter, err);
	if (r == 0)
		r = pty_prepare(&run.pty, facts, &enter, err);
	if (plan->spec->usage_fd.fd >= 0)
		usage_start(&run.usage);
	if (r == 0)
		r = cgroup_make(&run.cgroup, plan, facts, err);
	if (r == 0)
		r = idmap_open(&enter, err);
	if (r == 0)
		r = run_child(&run, &enter, err);
	exec_end(&run);
	pty_end(&run.pty, run.signal_fd);
	detach_end(&run.detach);
	net_end(&run.net, plan, &run.usage);
	supervise_wait_for_usage(&run);
	cgroup_end(&run.cgroup, plan, &run.usage);
	registry_leave(&run.registry);
	if (r < 0) {
		prepare_free(&enter); /* else we end soon, and the pages are shared with pid 1 */
		diagnose(plan, err);
		control_end(&run.control, -1);
		usage_write(plan->spec, &run.usage, report_status(plan->personality, err));
		return r;
	}
	if (run.interrupted && !run.executed)
		run.status = 128 + run.interrupted;
	if (run.stop.timed_out)
		run.status = STATUS_TIMED_OUT;
	control_end(&run.control, run.status);
	*ret_status = run.status;
	if (run.executed)
		status_exited(plan->spec, run.status);
	usage_write(plan->spec, &run.usage, *ret_status);
	return 0;
}
