/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Starts a program in odd circumstances, as careless or hostile callers do.
 *
 *   launch VERB [ARG] ... -- PROGRAM [ARG...]
 *
 * The verbs change what the program inherits; some start it in their own way instead of the plain
 * execve at the end.
 */
#include "attack.h"
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

extern char **environ;
static char **program;

static void verb_sigchld_ignored(char **arguments)
{
	(void)arguments;
	signal(SIGCHLD, SIG_IGN);
}

static void verb_signals_ignored(char **arguments)
{
	(void)arguments;
	for (int i = 1; i < 65; i++)
		signal(i, SIG_IGN);
}

static void verb_signals_blocked(char **arguments)
{
	sigset_t all;

	(void)arguments;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
}

static void verb_close(char **arguments)
{
	close(atoi(arguments[0]));
}

/* execve with an argument vector of our making. */
static void verb_no_arguments(char **arguments)
{
	char *none[] = { NULL };

	(void)arguments;
	execve(program[0], none, none);
	_exit(127);
}

static void verb_empty_name(char **arguments)
{
	(void)arguments;
	execve(program[0], (char *[]){ "", NULL }, (char *[]){ NULL });
	_exit(127);
}

static void verb_empty_environment(char **arguments)
{
	(void)arguments;
	execve(program[0], program, (char *[]){ NULL });
	_exit(127);
}

/* Strings that are no proper NAME=VALUE, and the same name twice. */
static void verb_odd_environment(char **arguments)
{
	(void)arguments;
	execve(program[0], program,
	       (char *[]){ "NOEQUALS", "=value", "", "=", "DOUBLE=first", "A=1", "DOUBLE=second",
			   "DOUBLE=third", "B\x1b[31m=escape", "PATH=/usr/bin:/bin",
			   "EMPTY=", NULL });
	_exit(127);
}

/* N variables V0=x, V1=x … */
static void verb_many_variables(char **arguments)
{
	long n = atol(arguments[0]);
	char **list = calloc((size_t)n + 1, sizeof *list);

	for (long i = 0; i < n; i++)
		if (asprintf(&list[i], "V%ld=x", i) < 0)
			_exit(126);
	execve(program[0], program, list);
	_exit(127);
}

static void verb_big_variable(char **arguments)
{
	size_t n = (size_t)atol(arguments[0]);
	char *text = malloc(n + 1);

	memset(text, 'x', n);
	memcpy(text, "BIG=", 4);
	text[n] = 0;
	execve(program[0], program, (char *[]){ text, "PATH=/usr/bin:/bin", NULL });
	_exit(127);
}

static void verb_limit_files(char **arguments)
{
	struct rlimit limit = { (rlim_t)atol(arguments[0]), (rlim_t)atol(arguments[0]) };

	setrlimit(RLIMIT_NOFILE, &limit);
}

/* P9: a thread starts the program and ends when a byte comes in; the process lives on until its
 * standard input ends. */
static pid_t started;

static void *start_in_thread(void *unused)
{
	char byte;

	(void)unused;
	started = fork();
	if (started == 0) {
		execv(program[0], program);
		_exit(127);
	}
	close(1); /* what is read from it ends when the program has ended */
	if (read(0, &byte, 1) < 0)
		_exit(126);
	return NULL;
}

static void verb_thread(char **arguments)
{
	pthread_t thread;
	char byte;

	(void)arguments;
	pthread_create(&thread, NULL, start_in_thread, NULL);
	pthread_join(thread, NULL);
	dprintf(2, "thread ended\n");
	if (read(0, &byte, 1) < 0)
		_exit(126);
	_exit(0);
}

/* The trap that P9 is about: a program that asks for the parent-death signal and then runs PROGRAM.
 */
static void verb_pdeathsig(char **arguments)
{
	(void)arguments;
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}

static void verb_setgid_only(char **arguments)
{
	if (setresgid((gid_t)-1, (gid_t)atoi(arguments[0]), (gid_t)-1) < 0)
		_exit(126);
}

static void verb_real_uid(char **arguments)
{
	if (setresuid((uid_t)atoi(arguments[0]), (uid_t)-1, (uid_t)-1) < 0)
		_exit(126);
}

int main(int argc, char **argv)
{
	static const struct verb verbs[] = {
		{ "sigchld-ignored", 0, verb_sigchld_ignored },
		{ "signals-ignored", 0, verb_signals_ignored },
		{ "signals-blocked", 0, verb_signals_blocked },
		{ "close", 1, verb_close },
		{ "no-arguments", 0, verb_no_arguments },
		{ "empty-name", 0, verb_empty_name },
		{ "empty-environment", 0, verb_empty_environment },
		{ "odd-environment", 0, verb_odd_environment },
		{ "many-variables", 1, verb_many_variables },
		{ "big-variable", 1, verb_big_variable },
		{ "limit-files", 1, verb_limit_files },
		{ "thread", 0, verb_thread },
		{ "pdeathsig", 0, verb_pdeathsig },
		{ "effective-gid", 1, verb_setgid_only },
		{ "real-uid", 1, verb_real_uid },
		{ NULL, 0, NULL },
	};
	int end = 1;

	while (end < argc && strcmp(argv[end], "--") != 0)
		end++;
	if (end + 1 >= argc)
		return 99;
	program = argv + end + 1;
	argv[end] = NULL;
	if (run_verbs(verbs, end, argv) != 0)
		return 99;
	execv(program[0], program);
	perror(program[0]);
	return 127;
}
