/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a program sees of the sandbox it runs in, one fact per line as "%ASPECT TEXT", for the
 * comparison of test_compat.py. Started as COMMAND, so the descriptors, capabilities, signals and
 * the session are COMMAND's own. Linked statically: it runs in an empty root. Arguments after its
 * own name are a program which it becomes afterwards, with nothing changed.
 *
 * Facts that differ between two runs of the same program (pids, inode and device numbers, mount
 * ids) are printed in a form that does not, or are left for compat.py to normalise.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

extern char **environ;

/* Prints a word with everything that is not printable escaped, so that a fact stays one line. */
static void print_text(const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < ' ' || c > '~' || c == '\\')
			printf("\\x%02x", c);
		else
			putchar(c);
	}
}

static void print_file(const char *aspect, const char *path)
{
	char line[8192];
	FILE *file = fopen(path, "re");

	if (!file) {
		printf("%%%s %s: %s\n", aspect, path, strerror(errno));
		return;
	}
	while (fgets(line, sizeof(line), file))
		printf("%%%s %s", aspect, line);
	fclose(file);
}

static void print_descriptors(void)
{
	for (int fd = 0; fd < 1024; fd++) {
		int flags = fcntl(fd, F_GETFD);
		char path[64], target[4096];
		ssize_t len;

		if (flags < 0)
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		len = readlink(path, target, sizeof(target) - 1);
		if (len < 0)
			len = snprintf(target, sizeof(target), "open");
		target[len] = '\0';
		printf("%%fds %d mode %o%s ", fd, (unsigned int)fcntl(fd, F_GETFL) & O_ACCMODE,
		       flags & FD_CLOEXEC ? " cloexec" : "");
		print_text(target);
		putchar('\n');
	}
}

static void print_ids(void)
{
	gid_t groups[256];
	int count = getgroups(256, groups);

	printf("%%ids uid %u %u gid %u %u groups", getuid(), geteuid(), getgid(), getegid());
	for (int i = 0; i < count; i++)
		printf(" %u", groups[i]);
	putchar('\n');
	print_file("uid_map", "/proc/self/uid_map");
	print_file("gid_map", "/proc/self/gid_map");
	print_file("setgroups", "/proc/self/setgroups");
}

/* "self", "parent" or "other"; in a pid namespace of our own the number is the same in each run. */
static void print_relation(const char *name, pid_t id)
{
	if (getpid() < 10)
		printf(" %s %d", name, id);
	else
		printf(" %s %s", name,
		       id == getpid()	 ? "self"
		       : id == getppid() ? "parent"
					 : "other");
}

static void print_session(void)
{
	int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

	printf("%%session");
	print_relation("pid", getpid());
	print_relation("ppid", getppid());
	print_relation("pgrp", getpgrp());
	print_relation("sid", getsid(0));
	printf(" terminal %s\n", terminal >= 0 ? "yes" : strerror(errno));
	if (terminal >= 0)
		close(terminal);
}

static void print_capabilities(void)
{
	static const char *const sets[] = { "inheritable", "permitted", "effective" };
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };
	unsigned long long bounding = 0, ambient = 0;
	extern int capget(cap_user_header_t, cap_user_data_t);

	if (capget(&header, data) == 0) {
		printf("%%caps %s %08x%08x\n", sets[0], data[1].inheritable, data[0].inheritable);
		printf("%%caps %s %08x%08x\n", sets[1], data[1].permitted, data[0].permitted);
		printf("%%caps %s %08x%08x\n", sets[2], data[1].effective, data[0].effective);
	}
	for (unsigned long cap = 0; cap < 64; cap++) {
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			bounding |= 1ULL << cap;
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) == 1)
			ambient |= 1ULL << cap;
	}
	printf("%%caps bounding %016llx\n%%caps ambient %016llx\n", bounding, ambient);
	printf("%%process no_new_privs %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	printf("%%process securebits %d\n", prctl(PR_GET_SECUREBITS, 0, 0, 0, 0));
	printf("%%process keepcaps %d\n", prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0));
	printf("%%process dumpable %d\n", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
}

static void print_process(void)
{
	int value = -1;
	mode_t mask = umask(0);
	static const int limits[] = { RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_CORE, RLIMIT_STACK,
				      RLIMIT_MEMLOCK };

	umask(mask);
	prctl(PR_GET_PDEATHSIG, &value, 0, 0, 0);
	printf("%%process parent_death_signal %d\n", value);
	prctl(PR_GET_CHILD_SUBREAPER, &value, 0, 0, 0);
	printf("%%process subreaper %d\n", value);
	printf("%%process umask %04o\n", mask);
	printf("%%process nice %d scheduler %d\n", getpriority(PRIO_PROCESS, 0),
	       sched_getscheduler(0));
	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		struct rlimit limit;

		getrlimit(limits[i], &limit);
		printf("%%process limit %d %llx %llx\n", limits[i],
		       (unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_max);
	}
	print_file("process", "/proc/self/oom_score_adj");
}

static void print_signals(void)
{
	sigset_t blocked;

	sigprocmask(SIG_SETMASK, NULL, &blocked);
	for (int number = 1; number < 65; number++) {
		struct sigaction action;

		if (sigismember(&blocked, number) == 1)
			printf("%%signals %d blocked\n", number);
		if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
			printf("%%signals %d ignored\n", number);
	}
}

static void print_status(void)
{
	char line[4096];
	FILE *file = fopen("/proc/self/status", "re");

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, "Seccomp", 7))
			printf("%%seccomp %s", line);
	if (file)
		fclose(file);
	else
		printf("%%seccomp mode %d\n", prctl(PR_GET_SECCOMP, 0, 0, 0, 0));
}

static void print_namespaces(void)
{
	static const char *const names[] = { "user", "mnt", "pid",    "net",
					     "ipc",  "uts", "cgroup", "time" };
	struct utsname host;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		char path[64], target[64];
		ssize_t len;

		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		len = readlink(path, target, sizeof(target) - 1);
		if (len > 0)
			printf("%%namespaces %.*s\n", (int)len, target);
	}
	uname(&host);
	printf("%%hostname %s %s\n", host.nodename, host.domainname);
}

static void print_root(void)
{
	struct stat status;
	struct dirent **entries;
	int count = scandir("/", &entries, NULL, alphasort);

	stat("/", &status);
	printf("%%root . %o %u:%u\n", status.st_mode, status.st_uid, status.st_gid);
	for (int i = 0; i < count; i++) {
		char path[512], target[512] = "";
		const char *name = entries[i]->d_name;

		snprintf(path, sizeof(path), "/%s", name);
		if (name[0] == '.' || lstat(path, &status) < 0)
			continue;
		if (S_ISLNK(status.st_mode) && readlink(path, target, sizeof(target) - 1) < 0)
			target[0] = '\0';
		printf("%%root %s %o %u:%u %s\n", name, status.st_mode, status.st_uid,
		       status.st_gid, target);
	}
}

int main(int argc, char **argv)
{
	char directory[4096];

	print_signals();
	print_descriptors();
	printf("%%argv0 ");
	print_text(argv[0]);
	putchar('\n');
	printf("%%cwd %s\n", getcwd(directory, sizeof(directory)) ? directory : strerror(errno));
	for (char **variable = environ; *variable; variable++) {
		printf("%%env ");
		print_text(*variable);
		putchar('\n');
	}
	print_ids();
	print_session();
	print_capabilities();
	print_process();
	print_status();
	print_namespaces();
	print_root();
	print_file("mounts", "/proc/self/mountinfo");
	if (fflush(stdout) != 0)
		return 3;
	if (argc < 2)
		return 0;
	execvp(argv[1], argv + 1);
	perror(argv[1]);
	return 127;
}
