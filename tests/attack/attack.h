/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What all attack programs share. An attack program gets a chain of verbs with their arguments on
 * its command line
 * (`fs nested remount /etc`), carries them out in order and prints one line for each attempt: its
 * name and "ok" or the name of the errno. The tests compare these lines with what must happen. The
 * same program runs without a sandbox as the control. An unknown verb, or one with too few
 * arguments, ends the program with status 99.
 */
#pragma once
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct verb {
	const char *name;
	int arguments;
	void (*act)(char **arguments);
};

/* Print the outcome of an attempt; `result` is what the system call returned. */
static inline void report(const char *name, long result)
{
	int error = errno;
	const char *text = error < 0 || error > 4095 ? "?" : strerrorname_np(error);

	printf("%s %s\n", name, result < 0 ? (text ? text : "?") : "ok");
	fflush(stdout);
}

static inline void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		perror(path);
	if (fd >= 0)
		close(fd);
}

/* The letter of /proc/PID/stat; '-' where there is no such process. */
static inline char state_of(pid_t pid)
{
	char path[64], text[512], *end;
	int fd;
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
	text[n > 0 ? n : 0] = 0;
	if (fd >= 0)
		close(fd);
	end = strrchr(text, ')');
	return end ? end[2] : '-';
}

/* Print the first line of a file as what was reached. */
static inline void report_content(const char *verb, const char *path)
{
	char buffer[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buffer, sizeof buffer - 1);

	if (n < 0) {
		report(verb, -1);
		return;
	}
	buffer[n] = 0;
	buffer[strcspn(buffer, "\n")] = 0;
	printf("content %s\n", buffer);
}

/* Become uid 0 with all capabilities in a new user namespace with its own mount namespace; the
 * chain ends here if that is refused. */
static inline void verb_nested(char **arguments)
{
	char map[64];
	uid_t uid = geteuid();
	gid_t gid = getegid();
	long result = unshare(CLONE_NEWUSER | CLONE_NEWNS);

	(void)arguments;
	report("nested", result);
	if (result < 0)
		exit(0);
	if (access("/proc/self/uid_map", F_OK) != 0)
		return;
	write_text("/proc/self/setgroups", "deny");
	snprintf(map, sizeof map, "0 %u 1", uid);
	write_text("/proc/self/uid_map", map);
	snprintf(map, sizeof map, "0 %u 1", gid);
	write_text("/proc/self/gid_map", map);
}

static inline int run_verbs(const struct verb *verbs, int argc, char **argv)
{
	int i = 1;

	while (i < argc) {
		const struct verb *v = verbs;

		while (v->name && strcmp(v->name, argv[i]) != 0)
			v++;
		if (!v->name || argc - i - 1 < v->arguments) {
			fprintf(stderr, "%s: no such verb, or too few arguments\n", argv[i]);
			return 99;
		}
		v->act(argv + i + 1);
		i += 1 + v->arguments;
	}
	fflush(stdout);
	return 0;
}
