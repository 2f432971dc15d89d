/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * JSON for the caller, byte for byte as bubblewrap writes it. Runs in the supervisor.
 */
#include "watch/status.h"

#include <linux/sched.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/jsonw.h"
#include "spec/report.h"

/* In alphabetical order, as bubblewrap prints them; it has none for user and time. */
static const struct {
	uint64_t flag;
	const char *file;
} namespaces[] = {
	{ CLONE_NEWCGROUP, "cgroup" }, { CLONE_NEWIPC, "ipc" }, { CLONE_NEWNS, "mnt" },
	{ CLONE_NEWNET, "net" },       { CLONE_NEWPID, "pid" }, { CLONE_NEWTIME, "time" },
	{ CLONE_NEWUSER, "user" },     { CLONE_NEWUTS, "uts" },
};

struct layout {
	const char *open, *separator, *close;
};

static const struct layout info_layout = { "{\n    ", ",\n    ", "\n}\n" };
static const struct layout line_layout = { "{ ", ", ", " }\n" };

static void format_started(uint64_t unshared, pid_t pid, const struct layout *layout,
			   struct str_buf *out)
{
	str_add(out, layout->open);
	str_add(out, "\"child-pid\": ");
	str_add_number(out, (uint64_t)pid);
	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
		char path[64];
		struct str_buf name = { .data = path, .size = sizeof(path) };
		struct stat info;

		str_add(&name, "/proc/");
		str_add_number(&name, (uint64_t)pid);
		str_add(&name, "/ns/");
		str_add(&name, namespaces[i].file);
		if (!(unshared & namespaces[i].flag) || stat(path, &info) < 0)
			continue;
		str_add(out, layout->separator);
		str_add_char(out, '"');
		str_add(out, namespaces[i].file);
		str_add(out, "-namespace\": ");
		str_add_number(out, info.st_ino);
	}
	str_add(out, layout->close);
}

static int write_started(const struct plan *plan, const struct spec_fd *to, pid_t pid,
			 const struct layout *layout, struct cloche_error *err)
{
	uint64_t unshared = plan->clone_flags | (plan->new_time ? CLONE_NEWTIME : 0);
	char text[512], number[12];
	struct str_buf out = { .data = text, .size = sizeof(text) },
		       name = { .data = number, .size = sizeof(number) };
	int r;

	if (to->fd < 0)
		return 0;
	if (!plan->personality->reports_userns)
		unshared &= ~(uint64_t)CLONE_NEWUSER;
	format_started(unshared, pid, layout, &out);
	r = fd_write_all(to->fd, text, out.length);
	if (r == 0)
		return 0;
	str_add_number(&name, (uint64_t)to->fd);
	err->use = to->use;
	return error_set(err, ERROR_INFO_WRITE, -r, number);
}

int status_started(const struct plan *plan, pid_t pid, struct cloche_error *err)
{
	int r = write_started(plan, &plan->spec->info_fd, pid, &info_layout, err);

	if (r == 0)
		r = write_started(plan, &plan->spec->json_status_fd, pid, &line_layout, err);
	return r;
}

void status_exited(const struct spec *spec, int status)
{
	char text[64];
	struct str_buf out = { .data = text, .size = sizeof(text) };

	if (spec->json_status_fd.fd < 0)
		return;
	str_add(&out, "{ \"exit-code\": ");
	str_add_number(&out, (uint64_t)status);
	str_add(&out, " }\n");
	ignore(fd_write_all(spec->json_status_fd.fd, text,
			    out.length)); /* the reader may be gone */
}

static void write_line(const struct spec *spec, const char *text, size_t length)
{
	if (spec->json_status_fd.fd >= 0)
		ignore(fd_write_all(spec->json_status_fd.fd, text,
				    length)); /* the reader may be gone */
}

void status_published(const struct spec *spec, const char *published)
{
	char text[4096];
	struct str_buf out = { .data = text, .size = sizeof(text) };

	str_add(&out, "{ \"published\": [ ");
	str_add(&out, published);
	str_add(&out, " ] }\n");
	write_line(spec, text, out.length);
}

void status_network(const struct spec *spec, uint64_t sent, uint64_t received)
{
	char text[128];
	struct str_buf out = { .data = text, .size = sizeof(text) };

	str_add(&out, "{ \"network\": { \"sent\": ");
	str_add_number(&out, sent);
	str_add(&out, ", \"received\": ");
	str_add_number(&out, received);
	str_add(&out, " } }\n");
	write_line(spec, text, out.length);
}

void status_failed(const struct spec *spec, const struct cloche_error *err)
{
	char text[16384]; /* each byte of the record may become six */
	struct str_buf out = { .data = text, .size = sizeof(text) };

	if (spec->json_status_fd.fd < 0)
		return;
	report_json(spec, err, &out);
	ignore(fd_write_all(spec->json_status_fd.fd, text, out.length));
}
