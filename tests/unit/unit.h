/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the unit tests share: checks that print where they failed and end the process with status 1,
 * a directory that is removed at the end, and calls in a child process. A test prints nothing but
 * failures.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * A failed check ends with _exit(2): a sanitizer's search for leaks at exit would be in the way of
 * what failed, and cannot run where a test's seccomp filter forbids it. Each test uses some of the
 * helpers.
 */
#define unit_helper __attribute__((unused)) static

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			unit_fail(__FILE__, __LINE__, #condition);                                 \
	} while (0)

/* Whole numbers of any type; both are shown as signed ones. */
#define CHECK_INT(actual, expected)                                                                \
	unit_check_int(__FILE__, __LINE__, #actual, (intmax_t)(actual), (intmax_t)(expected))

/* Strings; NULL equals only NULL. */
#define CHECK_STR(actual, expected) unit_check_str(__FILE__, __LINE__, #actual, actual, expected)

/* The file, its text and the line before a failure of a helper that many cases use. */
#define CHECK_STR_IN(context, actual, expected)                                                    \
	unit_check_str(context, __LINE__, #actual, actual, expected)

unit_helper _Noreturn void unit_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	_exit(1);
}

unit_helper void unit_check_int(const char *file, int line, const char *what, intmax_t actual,
				intmax_t expected)
{
	if (actual == expected)
		return;
	fprintf(stderr, "%s:%d: %s is %jd, expected %jd\n", file, line, what, actual, expected);
	_exit(1);
}

unit_helper void unit_check_str(const char *file, int line, const char *what, const char *actual,
				const char *expected)
{
	if (actual == expected || (actual && expected && strcmp(actual, expected) == 0))
		return;
	fprintf(stderr, "%s:%d: %s is \"%s\", expected \"%s\"\n", file, line, what,
		actual ? actual : "(null)", expected ? expected : "(null)");
	_exit(1);
}

/* Runs @call in a child process: its exit status, or 128 and the signal's number. */
unit_helper int unit_in_child(void (*call)(void *context), void *context)
{
	int status = 0;
	pid_t child = fork();

	CHECK(child >= 0);
	if (child == 0) {
		call(context);
		exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* How many descriptors are open, this look's own left out. */
unit_helper int unit_fd_count(void)
{
	int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* ---- a temporary directory ---- */

unit_helper int unit_remove_entry(const char *path, const struct stat *info, int type,
				  struct FTW *at)
{
	(void)info;
	(void)type;
	(void)at;
	if (remove(path) < 0)
		fprintf(stderr, "cannot remove %s: %s\n", path, strerror(errno));
	return 0;
}

unit_helper int unit_open_entry(const char *path, const struct stat *info, int type, struct FTW *at)
{
	(void)info;
	(void)at;
	if (type == FTW_D || type == FTW_DNR)
		(void)chmod(path, 0700); /* else its entries cannot be removed, which is reported */
	return 0;
}

/*
 * Runs @call in a child process with the path of a new directory of mode 0755, removes that with
 * all that is in it, and ends this process with the child's status.
 */
unit_helper _Noreturn void unit_run_in_directory(void (*call)(void *path))
{
	const char *parent = getenv("TMPDIR");
	char path[256];
	int status;

	CHECK(snprintf(path, sizeof(path), "%s/cloche-unit-XXXXXX", parent ? parent : "/tmp") <
	      (int)sizeof(path));
	CHECK(mkdtemp(path) != NULL);
	CHECK(chmod(path, 0755) == 0);
	status = unit_in_child(call, path);
	(void)nftw(path, unit_open_entry, 32, FTW_PHYS);
	(void)nftw(path, unit_remove_entry, 32, FTW_PHYS | FTW_DEPTH);
	exit(status);
}
