/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The guard: a process that outlives the supervisor by the moment it takes to remove its cgroup. A
 * process that is killed cannot clean up, and a cgroup, unlike a namespace, does not go with its
 * last process. The guard sleeps on the supervisor's pidfd, in a session of its own and with all
 * signals blocked, so that what is sent to the supervisor's process group does not meet it. It
 * holds no descriptor of the caller's, so nobody who waits for an end of file waits for it.
 */
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/process.h"
#include "watch/cgroup.h"

static _Noreturn void guard(const struct cgroup *cgroup, pid_t supervisor)
{
	int pidfd = pidfd_open(supervisor, 0);
	int keep[] = { pidfd, cgroup->parent_fd, cgroup->group_fd };
	struct pollfd end = { .fd = pidfd, .events = POLLIN };
	sigset_t all;

	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	(void)setsid();
	(void)prctl(PR_SET_NAME, "cloche-guard", 0, 0, 0);
	for (int fd = 0; fd <= 2; fd++)
		(void)close(fd);
	if (fd_close_except(keep, ARRAY_SIZE(keep)) < 0 || chdir("/") < 0)
		_exit(1);
	if (getppid() == supervisor && poll(&end, 1, PROCESS_TRIM_DELAY_MS) == 0) {
		process_trim_memory();
		while (poll(&end, 1, -1) < 0 && errno == EINTR)
			;
	}
	_exit(cgroup_clear(cgroup->parent_fd, cgroup->name) < 0 ? 1 : 0);
}

pid_t cgroup_guard_start(const struct cgroup *cgroup)
{
	pid_t supervisor = getpid(), pid = fork();

	if (pid == 0)
		guard(cgroup, supervisor);
	return pid < 0 ? -errno : pid;
}

void cgroup_guard_stop(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}
