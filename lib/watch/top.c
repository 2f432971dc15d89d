/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * cloche top.
 */
#include "watch/top.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/fd.h"
#include "base/jsonr.h"
#include "base/jsonw.h"
#include "base/num.h"
#include "base/str.h"
#include "watch/client.h"

#define DEPTH_MAX 64 /* of processes that a hostile sandbox could nest */

/* The file @name of process @pid, NUL-terminated; false: it is gone. */
static bool read_file(pid_t pid, const char *name, char *text, size_t size, size_t *ret_length)
{
	char path[96];
	_close_ int fd = -EBADF;
	ssize_t got;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = fd < 0 ? -1 : read(fd, text, size - 1);
	text[got > 0 ? got : 0] = '\0';
	*ret_length = got > 0 ? (size_t)got : 0;
	return got >= 0;
}

/* What proc_pid_stat(5) says of one process. */
struct process {
	char name[64];
	int parent;
	double seconds;
	uint64_t memory;
};

static bool read_process(pid_t pid, struct process *ret_process)
{
	unsigned long long user, system, below_user, below_system, pages;
	char text[2048], *open, *close;
	size_t length;

	if (!read_file(pid, "stat", text, sizeof(text), &length))
		return false;
	open = strchr(text, '(');
	close = strrchr(text, ')');
	if (!open || !close)
		return false;
	*close = '\0';
	str_copy(ret_process->name, sizeof(ret_process->name), open + 1);
	/* NOLINTNEXTLINE(cert-err34-c): the kernel's numbers are numbers */
	if (sscanf(close + 1,
		   " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu %*d %*d %*d "
		   "%*d %*u %*u %llu",
		   &ret_process->parent, &user, &system, &below_user, &below_system, &pages) != 6)
		return false;
	ret_process->seconds =
		(double)(user + system + below_user + below_system) / (double)sysconf(_SC_CLK_TCK);
	ret_process->memory = pages * (uint64_t)sysconf(_SC_PAGESIZE);
	return true;
}

static void visit(pid_t pid, int depth, void (*act)(void *, pid_t, int, const struct process *),
		  void *context)
{
	char name[64], list[8192], *rest = list;
	struct process process;
	size_t length;

	if (depth > DEPTH_MAX || !read_process(pid, &process))
		return;
	act(context, pid, depth, &process);
	snprintf(name, sizeof(name), "task/%d/children", (int)pid);
	if (!read_file(pid, name, list, sizeof(list), &length))
		return;
	for (char *word; (word = strsep(&rest, " ")) && rest;) {
		uint64_t child;

		if (num_parse(word, INT32_MAX, &child) == 0)
			visit((pid_t)child, depth + 1, act, context);
	}
}

static void add(void *context, pid_t pid, int depth, const struct process *process)
{
	struct top_sum *sum = context;

	(void)pid;
	sum->memory += process->memory;
	sum->seconds += process->seconds;
	sum->tasks++;
	(void)depth;
}

struct top_sum top_sum(pid_t pid)
{
	struct top_sum sum = { 0 };

	visit(pid, 0, add, &sum);
	return sum;
}

void top_command(const struct json_document *told, bool is_json)
{
	size_t list = jsonr_member(told, 0, "command");
	char text[1024];
	const char *separator = "";

	if (!list || told->values[list].type != JSON_ARRAY)
		return;
	for (size_t i = list + 1; i < told->values[list].end; i = told->values[i].end) {
		struct str_buf out = { .data = text, .size = sizeof(text) };

		text[0] = '\0';
		if (is_json)
			jsonw_string(&out, told->values[i].text ? told->values[i].text : "");
		else if (told->values[i].text)
			str_add_escaped(&out, told->values[i].text);
		printf("%s%s", separator, text);
		separator = is_json ? ", " : " ";
	}
}

/* ---- one sandbox ---- */

static void show_process(void *context, pid_t pid, int depth, const struct process *process)
{
	char words[1024], text[4096];
	struct str_buf out = { .data = text, .size = sizeof(text) };
	size_t length;

	(void)context;
	(void)depth;
	text[0] = '\0';
	if (!read_file(pid, "cmdline", words, sizeof(words), &length))
		length = 0;
	for (size_t i = 0; i + 1 < length; i++)
		if (words[i] == '\0')
			words[i] = ' ';
	str_add_escaped(&out, length ? words : process->name);
	printf("%8d %8d %8.1f %9lluK %s\n", (int)pid, process->parent, process->seconds,
	       (unsigned long long)(process->memory >> 10), text);
}

int top_one(const struct registry_entry *entry)
{
	printf("%8s %8s %8s %10s %s\n", "PID", "PARENT", "CPU", "MEMORY", "COMMAND");
	visit(entry->pid, 0, show_process, NULL);
	return fflush(stdout) == 0 ? 0 : CLIENT_FAILED;
}

/* ---- all ---- */

#define INTERVAL_MS 500 /* over which processor time is measured */
#define AGAIN_MS 1500	/* between two pictures, besides */

static void sleep_ms(long ms)
{
	const struct timespec time = { ms / 1000, ms % 1000 * 1000000L };

	(void)nanosleep(&time, NULL);
}

static void show(struct registry_entry *entry, const struct top_sum *before)
{
	struct top_sum now = top_sum(entry->pid);
	double percent = (now.seconds - before->seconds) * 100.0 * 1000.0 / INTERVAL_MS;
	struct json_document told;

	printf("%-20s %8d %6.1f %9lluK %6u ", entry->name, (int)entry->pid,
	       percent > 0 ? percent : 0.0, (unsigned long long)(now.memory >> 10), now.tasks);
	if (jsonr_parse(entry->text, &told) == 0)
		top_command(&told, false);
	printf("\n");
}

static int show_all(int registry_fd, bool clears)
{
	struct registry_entry *entries;
	ssize_t count = client_list(registry_fd, &entries);
	struct top_sum *before = calloc(count > 0 ? (size_t)count : 1, sizeof(*before));

	if (!before) {
		client_free_list(entries, count);
		return client_complain("top", "", strerror(ENOMEM));
	}
	for (ssize_t i = 0; i < count; i++)
		before[i] = top_sum(entries[i].pid);
	sleep_ms(INTERVAL_MS);
	if (clears)
		printf("\033[H\033[J");
	printf("%-20s %8s %6s %10s %6s %s\n", "NAME", "PID", "CPU%", "MEMORY", "TASKS", "COMMAND");
	for (ssize_t i = 0; i < count; i++)
		show(&entries[i], &before[i]);
	client_free_list(entries, count);
	free(before);
	return fflush(stdout) == 0 ? 0 : CLIENT_FAILED;
}

int top_all(int registry_fd)
{
	bool is_terminal = isatty(STDOUT_FILENO);
	int status = show_all(registry_fd, is_terminal);

	while (is_terminal && status == 0) {
		sleep_ms(AGAIN_MS);
		status = show_all(registry_fd, true);
	}
	return status;
}
