/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Attacks by and on processes: looking at those outside, tracing the sandbox's own first process
 * and its ancestors, forging the status, outliving the sandbox. See attack.h.
 */
#include "attack.h"
#include <dirent.h>
#include <linux/futex.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static void report_of(pid_t pid, const char *what, long result)
{
	char name[100];
	int error = errno;

	snprintf(name, sizeof name, "%d:%s", pid, what);
	errno = error;
	report(name, result);
}

static pid_t start_sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

/* The parent of `pid`, by /proc; 0 where that shows none. */
static pid_t parent_of(pid_t pid)
{
	char path[64], text[512];
	int fd, parent = 0;
	ssize_t n;
	char *end;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return 0;
	text[n] = 0;
	end = strrchr(text, ')');
	if (!end || sscanf(end + 1, " %*c %d", &parent) != 1)
		return 0;
	return parent;
}

/* Everything that gives power over, or a look into, another process. */
static void take_over(pid_t pid)
{
	static const char *const files[] = { "environ", "auxv",	 "maps",    "mem",	  "exe",
					     "root",	"cwd",	 "ns/mnt",  "ns/user",	  "fdinfo",
					     "pagemap", "stack", "syscall", "personality" };
	char buffer[64], path[300], directory[1024];
	struct iovec local = { buffer, sizeof buffer },
		     remote = { (void *)0x400000, sizeof buffer };
	void *head;
	size_t length;
	int pidfd, fd;
	DIR *fds;
	struct dirent *entry;
	long result = ptrace(PTRACE_SEIZE, pid, NULL, NULL);

	report_of(pid, "seize", result);
	if (result == 0) {
		ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
		waitpid(pid, NULL, __WALL);
		ptrace(PTRACE_DETACH, pid, NULL, NULL);
	}
	result = ptrace(PTRACE_ATTACH, pid, NULL, NULL);
	report_of(pid, "attach", result);
	if (result == 0) {
		waitpid(pid, NULL, __WALL);
		ptrace(PTRACE_DETACH, pid, NULL, NULL);
	}
	result = process_vm_readv(pid, &local, 1, &remote, 1, 0);
	/* A fault says that the right was there. */
	report_of(pid, "vm-read", result < 0 && errno == EFAULT ? 0 : result);
	remote.iov_base = (void *)8;
	result = process_vm_writev(pid, &local, 1, &remote, 1, 0);
	report_of(pid, "vm-write", result < 0 && errno == EFAULT ? 0 : result);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd >= 0) {
		for (int n = 0; n < 3; n++) {
			result = syscall(SYS_pidfd_getfd, pidfd, n, 0);
			report_of(pid, "pidfd-getfd", result < 0 && errno == EBADF ? 0 : result);
		}
		close(pidfd);
	} else {
		report_of(pid, "pidfd-open", -1);
	}
	result = syscall(SYS_kcmp, getpid(), pid, KCMP_VM, 0, 0);
	report_of(pid, "kcmp", result);
	report_of(pid, "robust-list", syscall(SYS_get_robust_list, pid, &head, &length));
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		ssize_t n = 0;

		snprintf(path, sizeof path, "/proc/%d/%s", pid, files[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		/* mem is opened by whoever may trace; the others check when they are read, or
		 * opened. */
		if (fd >= 0 && strcmp(files[i], "mem") != 0)
			n = read(fd, buffer, 1);
		if (n < 0 && errno == EISDIR)
			n = syscall(SYS_getdents64, fd, directory, sizeof directory);
		if (n < 0 && errno != EACCES && errno != EPERM)
			n = 0;
		report_of(pid, files[i], fd < 0 ? -1 : n);
		if (fd >= 0)
			close(fd);
	}
	snprintf(path, sizeof path, "/proc/%d/fd", pid);
	fds = opendir(path);
	while (fds && (entry = readdir(fds)))
		if (entry->d_name[0] != '.') {
			snprintf(path, sizeof path, "/proc/%d/fd/%s", pid, entry->d_name);
			report_of(pid, "fd-link", readlink(path, buffer, sizeof buffer));
			fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
			report_of(pid, "fd-open", fd < 0 && errno == ENXIO ? 0 : fd);
		}
	if (fds)
		closedir(fds);
}

static void verb_takeover(char **arguments)
{
	take_over(atoi(arguments[0]));
}

/* Pid 1 and all ancestors, as far as /proc shows them; the parent of the parent may be the
 * supervisor. `stop` is a pid of the host above the supervisor, where the climb ends; 0 for none.
 */
static void verb_ancestors(char **arguments)
{
	pid_t stop = atoi(arguments[0]), pid = getppid();
	int tried = 0;

	if (stop == 0) {
		take_over(1);
		tried++;
	}
	for (; pid > 1 && pid != stop; pid = parent_of(pid)) {
		take_over(pid);
		tried++;
	}
	printf("tried %d\n", tried);
}

/* A child of our own, as the control. */
static void verb_child(char **arguments)
{
	pid_t pid = start_sleeper();

	(void)arguments;
	prctl(PR_SET_PTRACER, -1, 0, 0, 0);
	take_over(pid);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	printf("child %d\n", pid);
}

/* CVE-2019-5736: get hold of the executable of the supervisor or of pid 1, for writing now or
 * later. */
static void verb_ancestors_exe(char **arguments)
{
	static const int modes[] = { O_RDONLY, O_WRONLY, O_RDWR, O_PATH };
	pid_t pid = getppid();
	int tried = 0;

	(void)arguments;
	if (pid == 0)
		pid = 1;
	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		char path[64], name[64];

		snprintf(path, sizeof path, "/proc/%d/exe", pid);
		snprintf(name, sizeof name, "exe-%zu", i);
		report(name, open(path, modes[i] | O_CLOEXEC));
		tried++;
	}
	printf("tried %d\n", tried);
}

/* Processes that /proc shows: how many, and whether one has the word in its command line. */
static void verb_list(char **arguments)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int seen = 0, matching = 0;

	while (proc && (entry = readdir(proc))) {
		char path[300], text[4096];
		int fd;
		ssize_t n;

		if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
			continue;
		seen++;
		if (atoi(entry->d_name) == getpid())
			continue;
		snprintf(path, sizeof path, "/proc/%s/cmdline", entry->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
		if (n > 0 && memmem(text, (size_t)n, arguments[0], strlen(arguments[0])))
			matching++;
		if (fd >= 0)
			close(fd);
	}
	printf("seen %d\nmatching %d\n", seen, matching);
}

static void verb_signal0(char **arguments)
{
	report("kill", kill(atoi(arguments[0]), 0));
}

/* Nothing that acts on all processes in sight may ever do so on the host. */
static int in_a_sandbox(void)
{
	char name[32] = "";
	int fd = open("/proc/1/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, name, sizeof name - 1);

	if (fd >= 0)
		close(fd);
	return n > 0 && strcmp(name, "cloche-init") == 0 && getpid() != 1;
}

/* kill(-1): everything that can be reached, but for ourselves and pid 1. Only for pid namespaces of
 * our own. */
static void verb_kill_all(char **arguments)
{
	pid_t pid = start_sleeper();
	int status = 0;

	(void)arguments;
	if (!in_a_sandbox())
		exit(98);
	report("kill-all", kill(-1, SIGKILL));
	waitpid(pid, &status, 0);
	printf("own-child %s\n",
	       WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? "killed" : "alive");
}

/* Signals that would end or stop pid 1 if it were an ordinary process. */
static void signal_all(pid_t pid)
{
	static const int signals[] = {
		SIGKILL, SIGSTOP, SIGSEGV, SIGTERM, SIGINT,  SIGHUP, SIGQUIT,
		SIGTSTP, SIGTTIN, SIGABRT, SIGBUS,  SIGILL,  SIGFPE, SIGPIPE,
		SIGALRM, SIGUSR1, SIGUSR2, SIGCHLD, SIGXCPU, SIGSYS, SIGCONT
	};

	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		if (kill(pid, signals[i]) < 0) {
			report("signal", -1);
			return;
		}
	report("signal", 0);
}

static void print_state(pid_t pid)
{
	printf("state %c\n", state_of(pid));
}

static void verb_signal_init(char **arguments)
{
	(void)arguments;
	signal_all(1);
	print_state(1);
}

static void verb_signal_child(char **arguments)
{
	pid_t pid = start_sleeper();
	siginfo_t info;

	(void)arguments;
	signal_all(pid);
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	print_state(pid);
}

/* Orphans for pid 1: each child leaves a grandchild behind. Prints the zombies that remain when all
 * is quiet, and how much the memory of pid 1 grew. */
static long number_in_status(pid_t pid, const char *field)
{
	char path[64], line[256];
	long value = -1;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/status", pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof line, file))
		if (strncmp(line, field, strlen(field)) == 0)
			value = atol(line + strlen(field));
	if (file)
		fclose(file);
	return value;
}

static int count_zombies(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int zombies = 0;

	while (proc && (entry = readdir(proc))) {
		char path[300], text[512], *end;
		int fd;
		ssize_t n;

		if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
			continue;
		snprintf(path, sizeof path, "/proc/%s/stat", entry->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
		text[n > 0 ? n : 0] = 0;
		end = strrchr(text, ')');
		zombies += end && end[2] == 'Z';
		if (fd >= 0)
			close(fd);
	}
	if (proc)
		closedir(proc);
	return zombies;
}

static void make_orphans(int count)
{
	for (int i = 0; i < count; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			if (fork() == 0)
				usleep(200);
			_exit(0);
		}
		if (pid < 0) {
			i--;
			usleep(1000);
			continue;
		}
		waitpid(pid, NULL, 0);
	}
}

static void verb_orphans(char **arguments)
{
	int count = atoi(arguments[0]), zombies = 0;
	long before, after;

	make_orphans(100);
	before = number_in_status(1, "VmRSS:");
	make_orphans(count);
	for (int i = 0; i < atoi(arguments[1]); i++) {
		zombies = count_zombies();
		if (zombies == 0)
			break;
		usleep(10000);
	}
	after = number_in_status(1, "VmRSS:");
	printf("zombies %d\nbefore %ld\nafter %ld\n", zombies, before, after);
}

/* A daemon that keeps standard output open and would live for ever. */
static void verb_daemon(char **arguments)
{
	pid_t pid;
	int ready[2];
	char byte;

	(void)arguments;
	fflush(stdout);
	if (pipe(ready) < 0)
		exit(97);
	pid = fork();
	if (pid == 0) {
		setsid();
		if (fork() != 0)
			_exit(0);
		signal(SIGHUP, SIG_IGN);
		signal(SIGTERM, SIG_IGN);
		printf("daemon %d\n", getpid());
		fflush(stdout);
		close(ready[0]);
		close(ready[1]);
		for (;;)
			pause();
	}
	waitpid(pid, NULL, 0);
	close(ready[1]);
	if (read(ready[0], &byte, 1) < 0)
		exit(97);
	close(ready[0]);
}

/* Tricks with the process tree; each leaves a process that would outlive the main one. */
static int forever(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return 0;
}

static char stack[65536];

static void verb_clone_parent(char **arguments)
{
	(void)arguments;
	printf("left %d\n", clone(forever, stack + sizeof stack, CLONE_PARENT | SIGCHLD, NULL));
}

static void verb_clone_untraced(char **arguments)
{
	(void)arguments;
	printf("left %d\n", clone(forever, stack + sizeof stack, CLONE_UNTRACED, NULL));
}

static void verb_subreaper(char **arguments)
{
	pid_t pid;
	int ready[2];
	char byte;

	(void)arguments;
	report("subreaper", prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
	fflush(stdout);
	if (pipe(ready) < 0)
		exit(97);
	pid = fork();
	if (pid == 0) {
		if (fork() == 0) {
			printf("left %d\n", getpid());
			fflush(stdout);
			close(ready[0]);
			close(ready[1]); /* tells that it has spoken */
			forever(NULL);
		}
		_exit(0);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 0)
		exit(97);
	close(ready[0]);
	waitpid(pid, NULL, 0);
}

/* A sibling that ends with a status of its own before the main process does. */
static int exit_zero(void *unused)
{
	(void)unused;
	_exit(0);
}

static void verb_sibling_exit(char **arguments)
{
	(void)arguments;
	for (int i = 0; i < 50; i++)
		report("sibling",
		       clone(exit_zero, stack + sizeof stack, CLONE_PARENT | SIGCHLD, NULL));
	usleep(100000);
}

static int write_status(int fd)
{
	static const char json[] = "{ \"exit-code\": 0 }\n";
	static const unsigned long long one = 1;
	static const int zero = 0;

	return (write(fd, &one, sizeof one) > 0) + (write(fd, &zero, sizeof zero) > 0) +
	       (write(fd, json, sizeof json - 1) > 0);
}

/* Pipes, sockets and eventfds of one process; never a file. */
static int write_status_to(pid_t pid)
{
	char path[64];
	DIR *fds;
	struct dirent *number;
	int written = 0;

	snprintf(path, sizeof path, "/proc/%d/fd", pid);
	fds = opendir(path);
	while (fds && (number = readdir(fds))) {
		char file[600], target[32] = "";
		int fd;

		snprintf(file, sizeof file, "%s/%s", path, number->d_name);
		if (readlink(file, target, sizeof target - 1) < 0 || target[0] == '/')
			continue;
		fd = open(file, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		if (fd >= 0) {
			written += write_status(fd);
			close(fd);
		}
	}
	if (fds)
		closedir(fds);
	return written;
}

/* Write what could be taken for a status to every descriptor of ours, and to those of the sandbox's
 * own processes: all that /proc shows in a pid namespace of our own (`stop` is 0), else our
 * ancestors below the process `stop`. */
static void verb_forge(char **arguments)
{
	pid_t stop = atoi(arguments[0]);
	int written = 0;

	signal(SIGPIPE, SIG_IGN);
	for (int fd = 3; fd < 4096; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			written += write_status(fd);
	if (stop != 0) {
		for (pid_t pid = getppid(); pid > 1 && pid != stop; pid = parent_of(pid))
			written += write_status_to(pid);
	} else {
		DIR *proc = opendir("/proc");
		struct dirent *entry;

		if (!in_a_sandbox())
			exit(98);
		while (proc && (entry = readdir(proc)))
			if (atoi(entry->d_name) > 0 && atoi(entry->d_name) != getpid())
				written += write_status_to(atoi(entry->d_name));
		if (proc)
			closedir(proc);
	}
	printf("written %d\n", written);
	fflush(stdout);
}

static void verb_ready(char **arguments)
{
	(void)arguments;
	report("ready", 0);
}

static void verb_pause(char **arguments)
{
	(void)arguments;
	for (;;)
		pause();
}

static void verb_exit(char **arguments)
{
	fflush(stdout);
	_exit(atoi(arguments[0]));
}

static void verb_die(char **arguments)
{
	fflush(stdout);
	kill(getpid(), atoi(arguments[0]));
	pause();
}

/* How signals arrived here. */
static void verb_signals(char **arguments)
{
	char line[256];
	FILE *file = fopen("/proc/self/status", "re");

	(void)arguments;
	while (file && fgets(line, sizeof line, file))
		if (strncmp(line, "SigBlk:", 7) == 0 || strncmp(line, "SigIgn:", 7) == 0)
			printf("%.6s %s", line, line + 8);
	if (file)
		fclose(file);
	for (int fd = 0; fd < 3; fd++) {
		char name[16];

		snprintf(name, sizeof name, "fd%d", fd);
		report(name, fcntl(fd, F_GETFD));
	}
}

/* A fork whose child is waited for: works only where SIGCHLD is not ignored. */
static void verb_wait_child(char **arguments)
{
	pid_t pid = fork();
	int status = 0;

	(void)arguments;
	if (pid == 0)
		_exit(5);
	report("wait-child", waitpid(pid, &status, 0));
	printf("child-status %d\n", WEXITSTATUS(status));
}

/* What the three standard descriptors are. */
static void verb_standard(char **arguments)
{
	(void)arguments;
	for (int fd = 0; fd < 3; fd++) {
		char path[64], target[300] = "";

		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		if (readlink(path, target, sizeof target - 1) < 0)
			snprintf(target, sizeof target, "closed");
		dprintf(9, "standard%d %s\n", fd, target);
	}
}

/* Standard output for the verbs that follow, at a high number, so that 0 to 2 stay as they were
 * found. */
static void verb_report_to(char **arguments)
{
	int fd = open(arguments[0], O_WRONLY | O_CREAT | O_APPEND, 0600);

	if (fd < 0 || dup2(fd, 9) < 0)
		exit(97);
	if (fd != 9)
		close(fd);
}

/* Wait until a file appears. */
static void verb_await(char **arguments)
{
	while (access(arguments[0], F_OK) != 0)
		usleep(2000);
}

static void verb_create(char **arguments)
{
	report("create", open(arguments[0], O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static void verb_stdout_to(char **arguments)
{
	int fd = open(arguments[0], O_WRONLY | O_CREAT | O_APPEND, 0600);

	if (fd < 0 || dup2(fd, 1) < 0)
		exit(97);
}

int main(int argc, char **argv)
{
	static const struct verb verbs[] = {
		{ "nested", 0, verb_nested },
		{ "takeover", 1, verb_takeover },
		{ "ancestors", 1, verb_ancestors },
		{ "child", 0, verb_child },
		{ "ancestors-exe", 0, verb_ancestors_exe },
		{ "list", 1, verb_list },
		{ "signal0", 1, verb_signal0 },
		{ "kill-all", 0, verb_kill_all },
		{ "signal-init", 0, verb_signal_init },
		{ "signal-child", 0, verb_signal_child },
		{ "orphans", 2, verb_orphans },
		{ "daemon", 0, verb_daemon },
		{ "clone-parent", 0, verb_clone_parent },
		{ "clone-untraced", 0, verb_clone_untraced },
		{ "subreaper", 0, verb_subreaper },
		{ "sibling-exit", 0, verb_sibling_exit },
		{ "forge", 1, verb_forge },
		{ "ready", 0, verb_ready },
		{ "pause", 0, verb_pause },
		{ "exit", 1, verb_exit },
		{ "die", 1, verb_die },
		{ "signals", 0, verb_signals },
		{ "wait-child", 0, verb_wait_child },
		{ "stdout-to", 1, verb_stdout_to },
		{ "standard", 0, verb_standard },
		{ "report-to", 1, verb_report_to },
		{ "await", 1, verb_await },
		{ "create", 1, verb_create },
		{ NULL, 0, NULL },
	};

	return run_verbs(verbs, argc, argv);
}
