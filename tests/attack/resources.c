/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Attacks by use: of memory, processes, descriptors and other things of which there is an end. Each
 * verb takes until it is refused or has as much as its argument says, prints how much it got
 * ("NAME-count N") and by which error it ended ("ok": by its argument), and gives everything back.
 */
#include "attack.h"

#include <linux/ioprio.h>
#include <pthread.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>

static void report_count(const char *name, long count, long result)
{
	int error = errno;

	printf("%s-count %ld\n", name, count);
	errno = error;
	report(name, result);
}

/* memory MIB: touched pages, 1 MiB at a time */
static void verb_memory(char **arguments)
{
	long wanted = atol(arguments[0]), count = 0;
	const size_t size = 1 << 20;
	char *part = NULL;

	for (; count < wanted; count++) {
		part = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (part == MAP_FAILED)
			break;
		memset(part, 1, size);
	}
	report_count("memory", count, part == MAP_FAILED ? -1 : 0);
}

/* forks N: they sleep until all are killed; host shells are tried meanwhile where "hold" is given:
 * a pause on stdin */
static void take_forks(long wanted, int hold)
{
	pid_t *children = calloc((size_t)wanted, sizeof(pid_t));
	long count = 0;
	pid_t child = 0;
	char byte;

	for (; count < wanted; count++) {
		child = fork();
		if (child < 0)
			break;
		if (child == 0)
			for (;;)
				pause();
		children[count] = child;
	}
	report_count("forks", count, child < 0 ? -1 : 0);
	if (hold && read(0, &byte, 1) < 0)
		perror("stdin");
	for (long i = 0; i < count; i++)
		kill(children[i], SIGKILL);
	for (long i = 0; i < count; i++)
		waitpid(children[i], NULL, 0);
	free(children);
}

static void verb_forks(char **arguments)
{
	take_forks(atol(arguments[0]), 0);
}

static void verb_forks_and_wait(char **arguments)
{
	take_forks(atol(arguments[0]), 1);
}

static void *sleep_on(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return NULL;
}

/* threads N: they are gone with the process */
static void verb_threads(char **arguments)
{
	long wanted = atol(arguments[0]), count = 0;
	pthread_attr_t attr;
	pthread_t thread;
	int error = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 1 << 16);
	for (; count < wanted && error == 0; count += error == 0)
		error = pthread_create(&thread, &attr, sleep_on, NULL);
	errno = error;
	report_count("threads", count, error ? -1 : 0);
}

/* fds N */
static void verb_fds(char **arguments)
{
	long wanted = atol(arguments[0]), count = 0;
	int fd = 0;

	while (count < wanted && (fd = dup(1)) >= 0)
		count++;
	report_count("fds", count, fd);
}

/* inotify N: instances */
static void verb_inotify(char **arguments)
{
	long wanted = atol(arguments[0]), count = 0;
	int fd = 0;

	while (count < wanted && (fd = inotify_init1(IN_CLOEXEC)) >= 0)
		count++;
	report_count("inotify", count, fd);
}

/* file-size PATH MIB */
static void verb_file_size(char **arguments)
{
	long wanted = atol(arguments[1]), count = 0;
	int fd = open(arguments[0], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	static char part[1 << 20];
	ssize_t written = 0;

	signal(SIGXFSZ, SIG_IGN);
	while (count < wanted && (written = write(fd, part, sizeof(part))) == sizeof(part))
		count++;
	if (written >= 0 &&
	    written < (ssize_t)sizeof(part)) /* up to the limit; the next one tells */
		written = write(fd, part, sizeof(part));
	report_count("file-size", count, written);
	close(fd);
}

/* burn: processor time for ever, whatever the kernel says first */
static void verb_burn(char **arguments)
{
	(void)arguments;
	signal(SIGXCPU, SIG_IGN);
	printf("burning ok\n");
	fflush(stdout);
	for (;;)
		;
}

/* mounts N: "/" on a directory with all below, again and again: they double */
static void verb_mounts(char **arguments)
{
	long wanted = atol(arguments[0]), count = 0;
	int result = 0;

	/* shared with nobody, so that each call adds what is there */
	result = mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
	while (result == 0 && count < wanted &&
	       (result = mount("/", "/", NULL, MS_BIND | MS_REC, NULL)) == 0)
		count++;
	report_count("mounts", count, result);
}

/* namespaces N: of the network, each in place of the one before, which a descriptor holds */
static void verb_netns(char **arguments)
{
	long wanted = atol(arguments[0]), count = 0;
	int result = 0;

	while (count < wanted && (result = unshare(CLONE_NEWNET)) == 0 &&
	       (result = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)) >= 0)
		count++;
	report_count("netns", count, result);
}

/* ipc N: of each kind of System V objects */
static void verb_ipc(char **arguments)
{
	long wanted = atol(arguments[0]), count = 0;
	int result = 0;

	while (count < wanted && (result = shmget(IPC_PRIVATE, 1, 0600)) >= 0)
		count++;
	report_count("shm", count, result);
	for (count = 0; count < wanted && (result = semget(IPC_PRIVATE, 1, 0600)) >= 0;)
		count++;
	report_count("sem", count, result);
	for (count = 0; count < wanted && (result = msgget(IPC_PRIVATE, 0600)) >= 0;)
		count++;
	report_count("msg", count, result);
}

static int set_ioprio(int class, int level)
{
	return (int)syscall(SYS_ioprio_set, 1, 0, class << IOPRIO_CLASS_SHIFT | level);
}

static long lock_memory(size_t size)
{
	void *part = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return part == MAP_FAILED ? -1 : mlock(part, size);
}

/* priority: to come before everybody else */
static void verb_priority(char **arguments)
{
	struct sched_param fifo = { .sched_priority = 1 }, other = { 0 };

	(void)arguments;
	report("nice", setpriority(PRIO_PROCESS, 0, -20));
	report("fifo", sched_setscheduler(0, SCHED_FIFO, &fifo));
	report("rr", sched_setscheduler(0, SCHED_RR, &fifo));
	report("io-realtime", set_ioprio(IOPRIO_CLASS_RT, 0));
	report("mlock", lock_memory(64 << 20));
	report("good-nice", setpriority(PRIO_PROCESS, 0, 19));
	report("good-batch", sched_setscheduler(0, SCHED_BATCH, &other));
	report("good-io", set_ioprio(IOPRIO_CLASS_BE, 7));
	report("good-mlock", lock_memory(4096));
}

/* rlimit-raise: its own, of descriptors and core files */
static void verb_rlimit_raise(char **arguments)
{
	struct rlimit limit;

	(void)arguments;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max = limit.rlim_max + 1;
	report("raise-nofile", setrlimit(RLIMIT_NOFILE, &limit));
	getrlimit(RLIMIT_CORE, &limit);
	limit.rlim_cur = limit.rlim_max = RLIM_INFINITY;
	report("raise-core", setrlimit(RLIMIT_CORE, &limit));
}

static const struct verb verbs[] = {
	{ "nested", 0, verb_nested },
	{ "memory", 1, verb_memory },
	{ "forks", 1, verb_forks },
	{ "forks-and-wait", 1, verb_forks_and_wait },
	{ "threads", 1, verb_threads },
	{ "fds", 1, verb_fds },
	{ "inotify", 1, verb_inotify },
	{ "file-size", 2, verb_file_size },
	{ "burn", 0, verb_burn },
	{ "mounts", 1, verb_mounts },
	{ "netns", 1, verb_netns },
	{ "ipc", 1, verb_ipc },
	{ "priority", 0, verb_priority },
	{ "rlimit-raise", 0, verb_rlimit_raise },
	{ NULL, 0, NULL },
};

int main(int argc, char **argv)
{
	return run_verbs(verbs, argc, argv);
}
