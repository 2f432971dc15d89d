/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * cloche ps, kill, wait and the like: from outside, as the user whose sandboxes they are. What the
 * registry's files say is shown; who is signalled or waited for is decided by the kernel's word for
 * who holds the lock.
 */
#include "watch/manage.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <time.h>

#include "base/jsonr.h"
#include "base/jsonw.h"
#include "base/num.h"
#include "base/signals.h"
#include "base/str.h"
#include "watch/attach.h"
#include "watch/client.h"
#include "watch/control.h"
#include "watch/doctor.h"
#include "watch/logs.h"
#include "watch/top.h"

struct command {
	const char *name, *usage;
	int (*run)(char **arguments, int registry_fd);
};

static const struct command *find_command(const char *name);

static int show_usage(const char *command)
{
	fprintf(stderr, "usage: cloche %s %s\n", command, find_command(command)->usage);
	return CLIENT_FAILED;
}

/* ---- ps ---- */

static uint64_t uptime_of(const struct json_document *told)
{
	const char *text = jsonr_number(told, 0, "started");
	uint64_t started, now = (uint64_t)time(NULL);

	return text && num_parse(text, INT64_MAX, &started) == 0 && started < now ? now - started
										  : 0;
}

static const char *network_of(const struct json_document *told)
{
	static const char *const known[] = { "own", "none", "shared" };
	const char *network = jsonr_string(told, 0, "network");

	for (size_t i = 0; network && i < ARRAY_SIZE(known); i++)
		if (strcmp(network, known[i]) == 0)
			return known[i];
	return "?";
}

static void show(struct registry_entry *entry, bool is_json)
{
	struct json_document told;
	uint64_t memory = top_sum(entry->pid).memory;

	if (jsonr_parse(entry->text, &told) < 0)
		told.count = 0; /* it has not told anything yet */
	if (is_json) {
		printf("{\"name\": \"%s\", \"pid\": %d, \"uptime\": %llu, \"memory\": %llu, "
		       "\"network\": \"%s\", \"command\": [",
		       entry->name, (int)entry->pid, (unsigned long long)uptime_of(&told),
		       (unsigned long long)memory, network_of(&told));
		top_command(&told, true);
		printf("]}");
		return;
	}
	printf("%-20s %8d %8llu %9lluK %-7s ", entry->name, (int)entry->pid,
	       (unsigned long long)uptime_of(&told), (unsigned long long)(memory >> 10),
	       network_of(&told));
	top_command(&told, false);
	printf("\n");
}

static int run_ps(char **arguments, int registry_fd)
{
	bool is_json = arguments[0] && strcmp(arguments[0], "--json") == 0;
	struct registry_entry *entries;
	ssize_t count;

	if (arguments[0] && (!is_json || arguments[1]))
		return show_usage("ps");
	count = client_list(registry_fd, &entries);
	if (is_json)
		printf("[");
	else
		printf("%-20s %8s %8s %10s %-7s %s\n", "NAME", "PID", "SECONDS", "MEMORY",
		       "NETWORK", "COMMAND");
	for (ssize_t i = 0; i < count; i++) {
		if (is_json && i)
			printf(",\n");
		show(&entries[i], is_json);
	}
	if (is_json)
		printf("]\n");
	client_free_list(entries, count);
	return fflush(stdout) == 0 ? 0 : CLIENT_FAILED;
}

/* ---- kill and wait ---- */

static int run_kill(char **arguments, int registry_fd)
{
	const char *name = "TERM";
	struct registry_entry entry;
	char request[128], line[512];
	int number, r;

	if (arguments[0] &&
	    (strcmp(arguments[0], "-s") == 0 || strcmp(arguments[0], "--signal") == 0) &&
	    arguments[1]) {
		name = arguments[1];
		arguments += 2;
	}
	if (!arguments[0] || arguments[1])
		return show_usage("kill");
	if (signals_parse(name, &number) < 0)
		return client_complain("kill", name, "not a signal");
	r = client_find("kill", registry_fd, arguments[0], &entry);
	if (r)
		return r;
	snprintf(request, sizeof(request), "{\"command\": \"kill\", \"signal\": \"%d\"}\n", number);
	r = client_ask(registry_fd, &entry, request, line, sizeof(line));
	registry_entry_free(&entry);
	if (r < 0)
		return client_failed("kill", arguments[0], r, line);
	(void)close(r);
	return 0;
}

static int run_wait(char **arguments, int registry_fd)
{
	struct registry_entry entry;
	struct json_document event;
	const char *code = NULL;
	uint64_t status;
	char line[512];
	int fd, r;

	if (!arguments[0] || arguments[1])
		return show_usage("wait");
	r = client_find("wait", registry_fd, arguments[0], &entry);
	if (r)
		return r;
	fd = client_ask(registry_fd, &entry, "{\"command\": \"wait\"}\n", line, sizeof(line));
	registry_entry_free(&entry);
	if (fd < 0)
		return client_failed("wait", arguments[0], fd, line);
	if (client_read_line(fd, line, sizeof(line), NULL) && jsonr_parse(line, &event) == 0)
		code = jsonr_number(&event, 0, "exit-code");
	(void)close(fd);
	if (code && num_parse(code, 255, &status) == 0)
		return (int)status;
	return client_complain("wait", arguments[0], "it ended without telling its status");
}

/* ---- exec ---- */

static int run_exec(char **arguments, int registry_fd)
{
	if (!arguments[0] || arguments[0][0] == '-')
		return show_usage("exec");
	return attach_main(registry_fd, arguments[0], arguments + 1);
}

/* ---- doctor ---- */

static int run_doctor(char **arguments, int registry_fd)
{
	bool is_json = arguments[0] && strcmp(arguments[0], "--json") == 0;

	(void)registry_fd;
	if (arguments[0] && (!is_json || arguments[1]))
		return show_usage("doctor");
	return doctor_main(is_json);
}

/* ---- top ---- */

static int run_top(char **arguments, int registry_fd)
{
	struct registry_entry entry;
	int r;

	if (!arguments[0])
		return top_all(registry_fd);
	if (arguments[0][0] == '-' || arguments[1])
		return show_usage("top");
	r = client_find("top", registry_fd, arguments[0], &entry);
	if (r)
		return r;
	r = top_one(&entry);
	registry_entry_free(&entry);
	return r;
}

/* ---- logs ---- */

static int run_logs(char **arguments, int registry_fd)
{
	bool follows = arguments[0] &&
		       (strcmp(arguments[0], "-f") == 0 || strcmp(arguments[0], "--follow") == 0);

	arguments += follows;
	if (!arguments[0] || arguments[1])
		return show_usage("logs");
	return logs_show(registry_fd, arguments[0], follows);
}

/* ---- which ---- */

static const struct command commands[] = {
	{ "doctor", "[--json]", run_doctor },
	{ "exec", "NAME|PID [OPTIONS...] [--] COMMAND [ARGS...]", run_exec },
	{ "logs", "[-f] NAME", run_logs },
	{ "ps", "[--json]", run_ps },
	{ "kill", "[-s SIGNAL] NAME|PID", run_kill },
	{ "top", "[NAME|PID]", run_top },
	{ "wait", "NAME|PID", run_wait },
};

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

int manage_main(char **argv)
{
	const struct command *command = argv[1] ? find_command(argv[1]) : NULL;
	const char *runtime_dir = getauxval(AT_SECURE) ? NULL : getenv("XDG_RUNTIME_DIR");
	struct cloche_error err = ERROR_INIT;
	_close_ int registry_fd = -EBADF;
	char text[512];

	if (!command)
		return -1;
	registry_fd =
		command->run == run_doctor ? -ENOENT : registry_open(runtime_dir, false, &err);
	if (registry_fd < 0 && err.code != ERROR_NONE)
		return client_complain(
			argv[1], "",
			error_format(&err,
				     personality_message(personality_find("cloche"), err.code),
				     text, sizeof(text)));
	return command->run(argv + 2, registry_fd);
}
