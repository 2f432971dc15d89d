/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The process that becomes COMMAND: its working directory, its last confinement, its descriptors,
 * execve. From the capabilities on nothing may fail open: every step's failure ends the start.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/fd.h"
#include "base/str.h"
#include "enter/enter.h"

/* ---- working directory ---- */

static int try_cwd(struct enter *enter, int root_fd, const char *path)
{
	_close_ int fd = path_open(root_fd, path, O_PATH | O_DIRECTORY);

	if (fd < 0)
		return fd;
	if (fchdir(fd) < 0)
		return -errno;
	str_copy(enter->pwd + strlen("PWD="), PATH_MAX, path);
	return 0;
}

int workload_enter_cwd(struct enter *enter, struct cloche_error *err)
{
	const struct plan *plan = enter->plan;
	const struct spec_string *wanted = &plan->spec->chdir;
	_close_ int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	memcpy(enter->pwd, "PWD=", 5);
	if (root_fd < 0)
		return error_set(err, ERROR_CHDIR, errno, "/");
	if (wanted->text) {
		err->use = wanted->use;
		r = try_cwd(enter, root_fd, wanted->text);
		if (r < 0)
			return error_set(err, ERROR_CHDIR, -r, wanted->text);
		err->use = -1;
		return 0;
	}
	if (enter->facts->cwd && try_cwd(enter, root_fd, enter->facts->cwd) == 0)
		return 0;
	if (plan->home && plan->home[0] && try_cwd(enter, root_fd, plan->home) == 0)
		return 0;
	r = try_cwd(enter, root_fd, "/");
	return r < 0 ? error_set(err, ERROR_CHDIR, -r, "/") : 0;
}

/* ---- descriptors ---- */

/*
 * Under our own name only what --keep-fd names goes on; as bubblewrap everything but what options
 * named. Whatever is ours closes on exec by itself.
 */
static int arrange_fds(const struct enter *enter, struct cloche_error *err)
{
	const struct spec *spec = enter->plan->spec;
	size_t count = 0;
	int r;

	/* --sync-fd belongs to the init process; without one there is nobody else to hold it. */
	for (size_t i = 0; i < spec->consumed_fd_count; i++) {
		bool synced = false;

		for (size_t j = 0; j < spec->sync_fd_count && !enter->plan->has_init; j++)
			synced |= spec->sync_fds[j] == spec->consumed_fds[i];
		if (!synced)
			fd_release(spec->consumed_fds[i]);
	}
	if (enter->plan->personality->inherits_fds)
		return 0;
	for (size_t i = 0; i < spec->keep_fd_count; i++) {
		int flags = fcntl(spec->keep_fds[i], F_GETFD);

		enter->fd_list[count++] = spec->keep_fds[i];
		if (flags >= 0 && flags & FD_CLOEXEC)
			(void)fcntl(spec->keep_fds[i], F_SETFD, flags & ~FD_CLOEXEC);
	}
	enter->fd_list[count++] = enter->error_fd;
	r = fd_close_except(enter->fd_list, count);
	return r < 0 ? error_set(err, ERROR_CLOSE_FDS, -r, NULL) : 0;
}

/* ---- execution ---- */

static void reset_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	(void)signal(SIGCHLD, SIG_DFL);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool on_noexec_mount(const char *path)
{
	struct statvfs info;

	return statvfs(path, &info) == 0 && info.f_flag & ST_NOEXEC;
}

static bool is_program(const char *path)
{
	struct stat info;

	return stat(path, &info) == 0 && S_ISREG(info.st_mode) && access(path, X_OK) == 0;
}

static int exec_error(const struct plan *plan, const char *path, int errnum,
		      struct cloche_error *err)
{
	struct stat info;

	if (errnum == EACCES && plan->landlock.is_tier && is_program(path))
		error_set_hint(err, HINT_TIER_EXEC);
	else if (errnum == EACCES)
		error_set_hint(err, on_noexec_mount(path) ? HINT_NOEXEC : HINT_EXEC_DIRECTORY);
	if (errnum == ENOENT && strchr(path, '/') && stat(path, &info) == 0)
		error_set_hint(err, HINT_EXEC_INTERPRETER);
	else if (errnum == ENOENT)
		error_set_hint(err, HINT_EXEC_NOT_INSIDE);
	return error_set(err, ERROR_EXEC, errnum, path);
}

static int confine(struct enter *enter, struct cloche_error *err)
{
	const struct plan *plan = enter->plan;
	int r = 0;

	err->stage = STAGE_CONFINE;
	if (plan->inner_userns)
		r = userns_enter_inner(enter, err);
	if (r == 0 && spec_flag(plan->spec, FLAG_ASSERT_USERNS_DISABLED)) {
		err->use = plan->spec->flag_use[FLAG_ASSERT_USERNS_DISABLED];
		r = userns_assert_disabled(err);
		err->use = r < 0 ? err->use : -1;
	}
	if (r == 0 && enter->exec_label)
		r = label_set(enter, "exec", enter->exec_label, err);
	if (r == 0)
		r = limits_set_oom_score(enter, err); /* the host's /proc is closed next */
	if (r == 0)
		r = stdio_enter(enter, err);
	if (r == 0)
		r = arrange_fds(enter, err);
	if (r == 0)
		r = limits_set(enter, err);
	if (r == 0)
		r = caps_drop(plan, err);
	if (r < 0)
		return r;
	if (!plan->allow_suid && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_set(err, ERROR_NO_NEW_PRIVS, errno, NULL);
	r = landlock_lock(enter, err); /* before seccomp, which may forbid its calls */
	if (r == 0 &&
	    enter->enters_late) /* as COMMAND itself: who runs there may have changed it */
		r = workload_enter_cwd(enter, err);
	return r == 0 ? seccomp_load(enter, err) : r;
}

int workload_run(struct enter *enter, struct cloche_error *err)
{
	const struct plan *plan = enter->plan;
	struct rlimit limit;
	int r;

	r = plan->has_init ? 0 : terminal_lead(enter, err);
	if (r < 0)
		return r;
	if (enter->soft_fd_limit && getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = enter->soft_fd_limit;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	(void)umask(enter->umask);
	environ = enter->environment; /* execvp searches the PATH of the new environment */
	reset_signals();
	r = confine(enter, err);
	if (r < 0)
		return r;
	err->stage = STAGE_EXEC;
	(void)execvp(enter->file, enter->command);
	return exec_error(plan, enter->file, errno, err);
}
