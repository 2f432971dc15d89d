/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Times short-lived programs against each other; `start` drives it and does
 * the statistics. Every round runs every variant once, in an order drawn anew
 * for each round, so that a change in the load of the machine meets all of them
 * alike and no variant always follows the same other one.
 *
 * One sample is the wall time from just before vfork(2) to the return of
 * waitpid(2) for the program started, which is what its caller waits. The
 * harness is a child subreaper and waits, outside the measured time, until
 * every process left behind has ended and a pause has passed; the clean-up of
 * one variant is thus not charged to the next.
 *
 * It trusts its caller: it executes what the specification says. As root it
 * can give itself a private mount namespace with many more mounts and drops to
 * an ordinary user before the first program starts; an ordinary user gets the
 * same in a user namespace of its own.
 *
 * Usage: harness [-u UID] [-g GID] [-m MOUNTS -d DIR] [-r ROUNDS] [-w WARMUP]
 *                [-p PAUSE_US] [-j INFLIGHT -n TOTAL] < SPECIFICATION
 * The specification is a list of strings, each ended by NUL: for each variant its name, its
 * argument list, and an empty string.
 * Output: lines "NAME NANOSECONDS"; with -j, the time for TOTAL starts.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define VARIANTS_MAX 32
#define ARGUMENTS_MAX 32768
#define SPECIFICATION_MAX (4 << 20)

struct variant {
	const char *name;
	char **argv;
};

struct settings {
	uid_t uid;
	gid_t gid;
	unsigned long mounts;
	const char *directory;
	unsigned long rounds;
	unsigned long warmup;
	unsigned long pause_us;
	unsigned long inflight;
	unsigned long total;
};

static char specification[SPECIFICATION_MAX + 1];
static char *arguments[ARGUMENTS_MAX];
static struct variant variants[VARIANTS_MAX];
static size_t variant_count;

static unsigned long number(const char *text)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || end == text || *end)
		error(1, 0, "not a number: '%s'", text);
	return value;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Reads the whole specification from stdin and cuts it into variants. */
static void read_specification(void)
{
	size_t length = 0, used = 0;
	ssize_t n;
	char *at = specification;

	while ((n = read(0, specification + length, SPECIFICATION_MAX - length)) > 0)
		length += (size_t)n;
	if (n < 0 || length == 0 || length == SPECIFICATION_MAX || specification[length - 1])
		error(1, 0, "specification missing, too long or not ended by NUL");
	while (at < specification + length) {
		struct variant *v = &variants[variant_count];

		if (variant_count++ == VARIANTS_MAX)
			error(1, 0, "more than %d variants", VARIANTS_MAX);
		v->name = at;
		at += strlen(at) + 1;
		v->argv = &arguments[used];
		while (*at) {
			if (used + 2 >= ARGUMENTS_MAX)
				error(1, 0, "more than %d arguments", ARGUMENTS_MAX);
			arguments[used++] = at;
			at += strlen(at) + 1;
		}
		used++; /* the null pointer that ends argv */
		at++;
		if (v->argv[0] == NULL)
			error(1, 0, "variant %s is empty", v->name);
	}
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		error(1, errno, "%s", path);
	close(fd);
}

/*
 * Makes the "host with many mounts": a private mount namespace with COUNT more
 * mounts below DIRECTORY. Ordinary users need a user namespace for it; the
 * ids in it equal those outside, so what runs in it has no capability
 * after its execve.
 */
static void add_mounts(const char *directory, unsigned long count)
{
	char text[4096];
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (unshare(uid == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS))
		error(1, errno, "unshare");
	if (uid != 0) {
		write_file("/proc/self/setgroups", "deny");
		snprintf(text, sizeof(text), "%u %u 1\n", (unsigned int)uid, (unsigned int)uid);
		write_file("/proc/self/uid_map", text);
		snprintf(text, sizeof(text), "%u %u 1\n", (unsigned int)gid, (unsigned int)gid);
		write_file("/proc/self/gid_map", text);
	}
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) ||
	    mount("tmpfs", directory, "tmpfs", MS_NOSUID | MS_NODEV, NULL))
		error(1, errno, "mount on %s", directory);
	for (unsigned long i = 0; i < count; i++) {
		snprintf(text, sizeof(text), "%s/%lu", directory, i);
		if (mkdir(text, 0755) || mount(text, text, NULL, MS_BIND, NULL))
			error(1, errno, "bind mount %lu of %lu", i + 1, count);
	}
}

static void drop_privilege(const struct settings *settings)
{
	if (geteuid() != 0 || settings->uid == 0)
		return;
	if (setgroups(0, NULL) || setresgid(settings->gid, settings->gid, settings->gid) ||
	    setresuid(settings->uid, settings->uid, settings->uid))
		error(1, errno, "become user %u", (unsigned int)settings->uid);
}

static pid_t start(const struct variant *v)
{
	pid_t child = vfork();

	if (child == 0) {
		execv(v->argv[0], v->argv);
		_exit(127);
	}
	if (child < 0)
		error(1, errno, "vfork");
	return child;
}

static void check(const struct variant *v, int status)
{
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		error(1, 0, "%s failed with wait status 0x%x", v->name, (unsigned int)status);
}

/* Waits for everything that the last program left behind, then pauses. */
static void settle(unsigned long pause_us)
{
	const struct timespec t = { .tv_sec = (time_t)(pause_us / 1000000),
				    .tv_nsec = (long)(pause_us % 1000000) * 1000 };

	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	nanosleep(&t, NULL);
}

static uint64_t time_one(const struct variant *v)
{
	uint64_t from = now_ns(), duration;
	pid_t child = start(v);
	int status;

	if (waitpid(child, &status, 0) != child)
		error(1, errno, "waitpid");
	duration = now_ns() - from;
	check(v, status);
	return duration;
}

/* Starts TOTAL programs with INFLIGHT of them alive at any time; ends when the last process has. */
static uint64_t time_many(const struct variant *v, unsigned long inflight, unsigned long total)
{
	pid_t running[1024] = { 0 };
	unsigned long started = 0;
	uint64_t from = now_ns();

	while (started < inflight)
		running[started++] = start(v);
	for (;;) {
		int status;
		pid_t child = waitpid(-1, &status, 0);

		if (child < 0 && errno == ECHILD)
			return now_ns() - from;
		for (unsigned long i = 0; i < inflight; i++) {
			if (running[i] != child)
				continue; /* else an orphan of one of them */
			check(v, status);
			running[i] = started < total ? start(v) : 0;
			started += running[i] != 0;
			break;
		}
	}
}

static void run_rounds(const struct settings *settings)
{
	size_t order[VARIANTS_MAX];
	unsigned int seed = 20130; /* fixed: two runs of the bench do the same work */

	for (size_t i = 0; i < variant_count; i++)
		order[i] = i;
	for (unsigned long round = 0; round < settings->warmup + settings->rounds; round++) {
		for (size_t i = variant_count; i > 1; i--) {
			size_t j = (size_t)rand_r(&seed) % i, kept = order[i - 1];

			order[i - 1] = order[j];
			order[j] = kept;
		}
		for (size_t i = 0; i < variant_count; i++) {
			const struct variant *v = &variants[order[i]];
			uint64_t duration;

			if (settings->inflight)
				duration = time_many(v, settings->inflight, settings->total);
			else
				duration = time_one(v);
			settle(settings->pause_us);
			if (round >= settings->warmup)
				printf("%s %llu\n", v->name, (unsigned long long)duration);
		}
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	struct settings settings = { .rounds = 50, .warmup = 3, .pause_us = 1000 };
	int option, null;

	while ((option = getopt(argc, argv, "u:g:m:d:r:w:p:j:n:")) != -1) {
		switch (option) {
		case 'u':
			settings.uid = (uid_t)number(optarg);
			break;
		case 'g':
			settings.gid = (gid_t)number(optarg);
			break;
		case 'm':
			settings.mounts = number(optarg);
			break;
		case 'd':
			settings.directory = optarg;
			break;
		case 'r':
			settings.rounds = number(optarg);
			break;
		case 'w':
			settings.warmup = number(optarg);
			break;
		case 'p':
			settings.pause_us = number(optarg);
			break;
		case 'j':
			settings.inflight = number(optarg);
			break;
		case 'n':
			settings.total = number(optarg);
			break;
		default:
			return 2;
		}
	}
	if (settings.inflight > 1024 || (settings.inflight && settings.total < settings.inflight) ||
	    (settings.mounts && !settings.directory))
		error(2, 0, "options do not fit together");
	read_specification();
	null = open("/dev/null", O_RDONLY);
	if (null < 0 || dup2(null, 0) != 0 || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
		error(1, errno, "set-up");
	/* A descriptor inherited by every program would be work for some of them only. */
	(void)syscall(SYS_close_range, 3, ~0U, 0);
	if (settings.mounts)
		add_mounts(settings.directory, settings.mounts);
	/* Where we may, ahead of everybody else's work: less noise, and the same for all variants.
	 */
	(void)setpriority(PRIO_PROCESS, 0, -20);
	drop_privilege(&settings);
	run_rounds(&settings);
	return 0;
}
