/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Starts a program over and over and kills it at random points; counts what survives.
 *
 *   killer WHO JOBS COUNT SEED -- PROGRAM [ARG...]     WHO: supervisor, any
 *   killer status JOBS COUNT SEED -- PROGRAM [ARG...]
 *
 * It is a subreaper: whatever a killed program leaves behind, in whatever pid namespace, becomes
 * its child in the end, so "no child left" is proof that nothing survived, blocked or not. The time
 * to the kill is random between nothing and twice what a start takes on this machine, which is
 * measured first: PROGRAM's workload prints a line when it runs. supervisor   kills PROGRAM itself
 *   any          kills any one process of its tree; the workload must be a single process
 *   status       kills nothing but lets the workload end in a random way ("exit N" or "die N" are
 * appended to the arguments), and compares the exit status of PROGRAM with 128+N Every one of JOBS
 * processes prints: kills N, running N (killed after the workload had begun), survivors N, wrong N.
 */
#include "attack.h"
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#define PATIENCE 20 /* seconds until a process that does not end counts as a survivor */

static char **program;

static long long now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

/* Direct children of `pid`, appended to list. */
static int children_of(pid_t pid, pid_t *list, int length, int room)
{
	char path[64];
	FILE *file;
	int child;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
	file = fopen(path, "re");
	while (file && length < room && fscanf(file, "%d", &child) == 1)
		list[length++] = child;
	if (file)
		fclose(file);
	return length;
}

/* Reap until there is no child; what is still there when patience ends is killed and counted. */
static int reap_all(pid_t main_process, int *ret_status)
{
	long long end = now_us() + PATIENCE * 1000000LL;
	pid_t left[100];
	int n;

	while (now_us() < end) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);

		if (pid < 0)
			return 0;
		if (pid == main_process && ret_status)
			*ret_status = status;
		if (pid == 0)
			usleep(300);
	}
	n = children_of(getpid(), left, 0, 100);
	for (int i = 0; i < n; i++) {
		char command[200];

		snprintf(command, sizeof command,
			 "grep -HE '^(Name|State|NSpid)' /proc/%d/status >&2; cat /proc/%d/wchan "
			 ">&2",
			 left[i], left[i]);
		if (system(command) < 0)
			perror("system");
		kill(left[i], SIGKILL);
	}
	for (int i = 0; i < n; i++)
		waitpid(left[i], NULL, 0);
	return n;
}

static pid_t start(char **argv, int *ret_output)
{
	int output[2];
	pid_t pid;

	if (pipe2(output, O_CLOEXEC) < 0)
		exit(97);
	pid = fork();
	if (pid == 0) {
		dup2(output[1], 1);
		execv(argv[0], argv);
		_exit(127);
	}
	close(output[1]);
	*ret_output = output[0];
	return pid;
}

static int has_output(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };
	char byte;

	return poll(&p, 1, 0) > 0 && (p.revents & POLLIN) && read(fd, &byte, 1) == 1;
}

/* How long a start takes until the workload speaks: the second longest of ten. */
static long measure(void)
{
	long longest = 0, second = 0;

	for (int i = 0; i < 10; i++) {
		long long begin = now_us();
		int fd;
		char byte;
		pid_t pid = start(program, &fd);
		long took;

		if (read(fd, &byte, 1) != 1) {
			fprintf(stderr, "killer: the workload does not run\n");
			exit(96);
		}
		took = (long)(now_us() - begin);
		kill(pid, SIGKILL);
		reap_all(pid, NULL);
		close(fd);
		if (took > longest) {
			second = longest;
			longest = took;
		} else if (took > second) {
			second = took;
		}
	}
	return second;
}

static void kill_loop(int count, int any)
{
	long longest = 2 * measure();
	int running = 0, survivors = 0, kills = 0;

	for (int i = 0; i < count && survivors < 2; i++) {
		int fd, n;
		pid_t pid = start(program, &fd), tree[100];
		long delay = random() % (longest + 1);

		usleep((useconds_t)delay);
		tree[0] = pid;
		n = 1;
		if (any)
			for (int k = 0; k < n; k++)
				n = children_of(tree[k], tree, n, 100);
		if (kill(tree[random() % n], SIGKILL) == 0)
			kills++;
		if (any) {
			/* Nobody may wait for ever for one who was killed: PROGRAM ends by itself.
			 */
			long long end = now_us() + PATIENCE * 1000000LL;

			while (waitpid(pid, NULL, WNOHANG) == 0 && now_us() < end)
				usleep(300);
		}
		survivors += reap_all(pid, NULL);
		running += has_output(fd);
		close(fd);
	}
	printf("kills %d\nrunning %d\nsurvivors %d\nwrong 0\n", kills, running, survivors);
}

static void status_loop(int count)
{
	static const int signals[] = { SIGKILL, SIGTERM, SIGSEGV, SIGABRT, SIGINT,
				       SIGHUP,	SIGPIPE, SIGUSR1, SIGSYS };
	int length = 0, wrong = 0, survivors = 0;
	char **argv, number[16];

	while (program[length])
		length++;
	argv = calloc((size_t)length + 3, sizeof *argv);
	memcpy(argv, program, (size_t)length * sizeof *argv);
	argv[length + 1] = number;
	for (int i = 0; i < count && wrong < 5 && survivors < 2; i++) {
		int expected, status = -1, fd;
		pid_t pid;

		if (random() % 3) {
			expected = random() % 4 ? (int)(random() % 2) : (int)(random() % 256);
			argv[length] = "exit";
			snprintf(number, sizeof number, "%d", expected);
		} else {
			int signal =
				signals[(size_t)random() % (sizeof signals / sizeof signals[0])];

			expected = 128 + signal;
			argv[length] = "die";
			snprintf(number, sizeof number, "%d", signal);
		}
		pid = start(argv, &fd);
		survivors += reap_all(pid, &status);
		close(fd);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != expected) {
			fprintf(stderr, "%s %s: expected %d, wait status %#x\n", argv[length],
				number, expected, status);
			wrong++;
		}
	}
	printf("kills 0\nrunning %d\nsurvivors %d\nwrong %d\n", count, survivors, wrong);
}

int main(int argc, char **argv)
{
	int jobs, count, status, failed = 0;
	unsigned seed;

	if (argc < 7 || strcmp(argv[5], "--") != 0)
		return 99;
	jobs = atoi(argv[2]);
	count = atoi(argv[3]);
	seed = (unsigned)atoi(argv[4]);
	program = argv + 6;
	for (int i = 0; i < jobs; i++)
		if (fork() == 0) {
			setvbuf(stdout, NULL, _IOFBF, 4096);
			prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
			srandom(seed + (unsigned)i);
			if (strcmp(argv[1], "status") == 0)
				status_loop(count / jobs);
			else
				kill_loop(count / jobs, strcmp(argv[1], "any") == 0);
			fflush(stdout);
			_exit(0);
		}
	while (wait(&status) > 0)
		failed |= status != 0;
	return failed;
}
