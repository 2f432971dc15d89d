/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * cloche-scope PID: has systemd make a transient scope for the process PID, move it there, and
 * delegate it.
 *
 * A program of its own, since it links libsystemd, which a start must not pay for. Started by
 * cloche (watch/cgroup-find.c) with the caller's rights, which it needs for nothing but to speak to
 * the caller's own systemd on its D-Bus (root: the system's). Waits until the job is done: the
 * process is in the scope then. Status 0, or 1 with one line on standard error.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#define SYSTEMD                                                                                    \
	"org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"
#define PATIENCE_S 30

struct job {
	char *path;  /* NULL until it is known */
	char *ended; /* the path of the last job that ended while none was known: it may be ours */
	char *result;
};

static int failed(const char *what, const char *why)
{
	char line[400];

	/* One write, for who reads it once. */
	snprintf(line, sizeof(line), "%s: %s\n", what, why);
	if (write(STDERR_FILENO, line, strlen(line)) < 0)
		return EXIT_FAILURE;
	return EXIT_FAILURE;
}

static int on_job_removed(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	struct job *job = userdata;
	const char *path, *unit, *result;
	uint32_t id;

	(void)error;
	if (sd_bus_message_read(message, "uoss", &id, &path, &unit, &result) < 0)
		return 0;
	if (job->path && strcmp(job->path, path) != 0)
		return 0;
	free(job->ended);
	free(job->result);
	job->ended = strdup(path);
	job->result = strdup(result);
	return 0;
}

static int start_scope(sd_bus *bus, uint32_t pid, struct job *job, sd_bus_error *error)
{
	sd_bus_message *reply = NULL;
	char name[64], description[64];
	const char *path;
	int r;

	snprintf(name, sizeof(name), "cloche-%u-%llx.scope", pid, (unsigned long long)time(NULL));
	snprintf(description, sizeof(description), "cloche sandbox of process %u", pid);
	r = sd_bus_call_method(bus, SYSTEMD, "StartTransientUnit", error, &reply,
			       "ssa(sv)a(sa(sv))", name, "fail", 4, "Description", "s", description,
			       "PIDs", "au", 1, pid, "Delegate", "b", 1, "CollectMode", "s",
			       "inactive-or-failed", 0);
	if (r >= 0)
		r = sd_bus_message_read(reply, "o", &path);
	if (r >= 0) {
		job->path = strdup(path);
		r = job->path ? 0 : -ENOMEM;
	}
	sd_bus_message_unref(reply);
	return r;
}

static int wait_for_job(sd_bus *bus, struct job *job)
{
	time_t end = time(NULL) + PATIENCE_S;

	while (!job->ended || strcmp(job->ended, job->path) != 0) {
		int r = sd_bus_process(bus, NULL);

		if (r < 0)
			return r;
		if (r > 0)
			continue;
		if (time(NULL) >= end)
			return -ETIMEDOUT;
		r = sd_bus_wait(bus, 1000000);
		if (r < 0 && r != -EINTR)
			return r;
	}
	return 0;
}

static int make_scope(sd_bus *bus, uint32_t pid)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	struct job job = { 0 };
	int r = sd_bus_match_signal(bus, NULL, SYSTEMD, "JobRemoved", on_job_removed, &job);

	if (r >= 0) /* some managers send no signals to who has not subscribed */
		r = sd_bus_call_method(bus, SYSTEMD, "Subscribe", &error, NULL, "");
	if (r >= 0)
		r = start_scope(bus, pid, &job, &error);
	if (r < 0)
		return failed("systemd", error.message ? error.message : strerror(-r));
	r = wait_for_job(bus, &job);
	if (r < 0)
		return failed("systemd", strerror(-r));
	return strcmp(job.result ? job.result : "", "done") == 0 ? EXIT_SUCCESS
								 : failed("the job", job.result);
}

int main(int argc, char **argv)
{
	sd_bus *bus = NULL;
	char *end;
	unsigned long pid;
	int r;

	if (argc != 2)
		return failed("usage", "cloche-scope PID");
	errno = 0;
	pid = strtoul(argv[1], &end, 10);
	if (errno || *end || pid == 0 || pid > INT32_MAX)
		return failed("not a process", argv[1]);
	r = geteuid() == 0 ? sd_bus_open_system(&bus) : sd_bus_open_user(&bus);
	if (r < 0)
		return failed("D-Bus", strerror(-r));
	return make_scope(bus, (uint32_t)pid);
}
