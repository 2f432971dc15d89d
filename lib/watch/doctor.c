/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * cloche doctor. What can be tried is tried, by this very program: a start with the option in
 * question works, or says why not and what helps. What is read besides tells what a trial cannot.
 */
#include "watch/doctor.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/helper.h"
#include "base/jsonw.h"
#include "base/str.h"
#include "base/sys.h"
#include "base/text.h"
#include "spec/facts.h"
#include "watch/diagnose.h"

#define TRIAL_MS 20000
#define OUTPUT_MAX ((size_t)64 << 10)
#define WORDS_MAX 8

enum state {
	WORKS,
	LIMITED,
	MISSING
};

struct finding {
	enum state state;
	char found[512]; /* what was seen */
	char fix[768];	 /* what helps, "" where nothing is wrong */
};

struct check {
	const char *name;
	const char *disables; /* what does not work without */
	void (*examine)(const struct check *check, struct finding *finding);
	const char *words[WORDS_MAX]; /* of a trial: options */
	bool is_needed;		      /* by the basic job */
};

/* ---- trials ---- */

struct trial {
	int status;   /* of the start; 128 + SIGKILL where it did not end */
	char *output; /* all that it printed; owned, NULL: nothing is known */
};

static int wait_for(pid_t pid)
{
	_close_ int pidfd = pidfd_open(pid, 0);
	struct pollfd end = { .fd = pidfd, .events = POLLIN };

	if (pidfd < 0 || poll(&end, 1, TRIAL_MS) <= 0)
		(void)kill(pid, SIGKILL);
	return helper_wait(pid);
}

static void run_trial(const char *const *words, struct trial *ret_trial)
{
	_close_ int out = memfd_create("cloche-doctor", MFD_CLOEXEC);
	const char *argv[WORDS_MAX + 4] = { "cloche" };
	struct helper helper = { .path = "/proc/self/exe",
				 .argv = (char *const *)(uintptr_t)argv,
				 .environ = environ,
				 .fds = { -1, out, out } };
	size_t count = 1, size;
	pid_t pid;

	*ret_trial = (struct trial){ .status = 128 + SIGKILL };
	for (size_t i = 0; i < WORDS_MAX && words[i]; i++)
		argv[count++] = words[i];
	argv[count++] = "--";
	argv[count] = "true";
	pid = out < 0 ? -errno : helper_start(&helper);
	if (pid < 0)
		return;
	ret_trial->status = wait_for(pid);
	if (lseek(out, 0, SEEK_SET) == 0)
		ignore(fd_read_all(out, OUTPUT_MAX, &ret_trial->output, &size));
}

/* The rest of the first line of @output that contains @mark, behind it; false: there is none. */
static bool find_line(const char *output, const char *mark, char *line, size_t size)
{
	const char *start = output ? strstr(output, mark) : NULL;
	size_t length;

	if (!start)
		return false;
	start += strlen(mark);
	length = strcspn(start, "\n");
	str_copy(line, length < size ? length + 1 : size, start);
	return true;
}

static void add(char *text, size_t size, const char *more)
{
	struct str_buf out = { .data = text, .size = size, .length = strlen(text) };

	if (out.length)
		str_add(&out, "; ");
	str_add(&out, more);
}

static void examine_by_trial(const struct check *check, struct finding *finding)
{
	struct trial trial;

	run_trial(check->words, &trial);
	if (trial.status == 0) {
		str_copy(finding->found, sizeof(finding->found), "works");
	} else {
		finding->state = MISSING;
		if (!find_line(trial.output, "cloche: ", finding->found, sizeof(finding->found)))
			snprintf(finding->found, sizeof(finding->found),
				 "a start ended with status %d and no message", trial.status);
		if (!find_line(trial.output, "cloche: hint: ", finding->fix, sizeof(finding->fix)))
			str_copy(finding->fix, sizeof(finding->fix),
				 "none is known: run cloche --verbose with the option in question");
	}
	free(trial.output);
}

/* ---- what is read ---- */

/* The first line of a file; false: it cannot be read. */
static bool read_first_line(const char *path, char *line, size_t size)
{
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t got = fd < 0 ? -1 : read(fd, line, size - 1);

	line[got > 0 ? got : 0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return got >= 0;
}

static void examine_kernel(const struct check *check, struct finding *finding)
{
	struct utsname system;

	(void)check;
	(void)uname(&system);
	str_copy(finding->found, sizeof(finding->found), system.release);
	if (diagnose_kernel())
		return;
	finding->state = MISSING;
	str_copy(finding->fix, sizeof(finding->fix), "boot Linux 5.12 or newer");
}

/* A limit that may be 0, so that nobody has any. */
static void add_sysctl(const char *name, const char *better, struct finding *finding)
{
	char path[128], value[32], text[192];

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	for (char *c = path + strlen("/proc/sys/"); *c; c++)
		if (*c == '.')
			*c = '/';
	if (!read_first_line(path, value, sizeof(value)))
		return;
	snprintf(text, sizeof(text), "%s=%s", name, value);
	add(finding->found, sizeof(finding->found), text);
	if (strcmp(value, "0") != 0)
		return;
	finding->state = MISSING;
	snprintf(text, sizeof(text), "sysctl -w %s=%s", name, better);
	add(finding->fix, sizeof(finding->fix), text);
}

static void examine_sysctls(const struct check *check, struct finding *finding)
{
	(void)check;
	add_sysctl("user.max_user_namespaces", "10000", finding);
	add_sysctl("kernel.unprivileged_userns_clone", "1", finding);
	add_sysctl("user.max_mnt_namespaces", "1", finding);
	add_sysctl("user.max_pid_namespaces", "1", finding);
	add_sysctl("user.max_net_namespaces", "1", finding);
}

static void examine_apparmor(const struct check *check, struct finding *finding)
{
	static const char sysctl[] = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";
	char value[32], profile[256];

	(void)check;
	if (!read_first_line(sysctl, value, sizeof(value))) {
		str_copy(finding->found, sizeof(finding->found),
			 "does not restrict user namespaces");
		return;
	}
	if (!read_first_line("/proc/self/attr/apparmor/current", profile, sizeof(profile)))
		str_copy(profile, sizeof(profile), "unknown");
	snprintf(finding->found, sizeof(finding->found),
		 "kernel.apparmor_restrict_unprivileged_userns=%s, our profile: %s", value,
		 profile);
	if (strcmp(value, "0") == 0 || strcmp(profile, "unconfined") != 0)
		return;
	finding->state = LIMITED; /* the trial of a start tells whether it matters */
	str_copy(finding->fix, sizeof(finding->fix),
		 "install packaging/apparmor/cloche as /etc/apparmor.d/cloche and reload AppArmor, "
		 "or "
		 "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0");
}

static void examine_outer_filter(const struct check *check, struct finding *finding)
{
	(void)check;
	if (!diagnose_outer_filter()) {
		str_copy(finding->found, sizeof(finding->found), "none");
		return;
	}
	finding->state = LIMITED;
	str_copy(finding->found, sizeof(finding->found), "there is one around us");
	str_copy(finding->fix, sizeof(finding->fix),
		 "if a start fails: for docker or podman --security-opt seccomp=unconfined");
}

static void examine_landlock(const struct check *check, struct finding *finding)
{
	int abi = sys_landlock_abi();

	(void)check;
	if (abi < 0) {
		finding->state = MISSING;
		str_copy(finding->found, sizeof(finding->found),
			 errno == EOPNOTSUPP ? "switched off" : "not in this kernel, or refused");
		str_copy(finding->fix, sizeof(finding->fix),
			 errno == EOPNOTSUPP
				 ? "add landlock to the list lsm= on the kernel's command line"
				 : "a kernel with CONFIG_SECURITY_LANDLOCK; in a container: a "
				   "filter "
				   "that allows landlock_create_ruleset");
		return;
	}
	snprintf(finding->found, sizeof(finding->found), "ABI %d", abi);
	if (abi >= 6)
		return;
	finding->state = LIMITED;
	str_copy(finding->fix, sizeof(finding->fix), "Linux 6.12 or newer has ABI 6");
}

static void examine_newuidmap(const struct check *check, struct finding *finding)
{
	struct facts facts = { .environ = environ };

	(void)check;
	facts_read_subids(&facts);
	if (facts.newuidmap_dir) {
		snprintf(finding->found, sizeof(finding->found), "in %s", facts.newuidmap_dir);
	} else {
		finding->state = MISSING;
		str_copy(finding->found, sizeof(finding->found),
			 "newuidmap and newgidmap are not there");
		str_copy(finding->fix, sizeof(finding->fix), error_hint_text(HINT_NEWUIDMAP));
	}
	facts_free(&facts);
}

/* What cloche-net would choose: one trial tells all of it. */
static const char *explain_net(void)
{
	static const char *const words[WORDS_MAX] = { "--net", "--explain" };
	static struct trial trial; /* the process's only one */

	if (!trial.output)
		run_trial(words, &trial);
	return trial.output;
}

static void examine_net(const struct check *check, struct finding *finding)
{
	const char *output = explain_net();
	char mark[64];

	snprintf(mark, sizeof(mark), "\n  %s: ", check->words[0]);
	if (!find_line(output, mark, finding->found, sizeof(finding->found))) {
		finding->state = MISSING;
		str_copy(finding->found, sizeof(finding->found), "could not be found out");
		if (!find_line(output, "cloche: hint: ", finding->fix, sizeof(finding->fix)))
			str_copy(finding->fix, sizeof(finding->fix), check->words[2]);
	} else if (!str_starts(finding->found, check->words[1])) {
		finding->state = LIMITED;
		str_copy(finding->fix, sizeof(finding->fix), check->words[2]);
	}
}

static const struct check checks[] = {
	{ "kernel", "everything", examine_kernel, { NULL }, true },
	{ "start", "the basic job: a sandbox", examine_by_trial, { NULL }, true },
	{ "namespace limits", "namespaces of that kind", examine_sysctls, { NULL }, false },
	{ "AppArmor", "user namespaces", examine_apparmor, { NULL }, false },
	{ "outer filter",
	  "what the filter refuses, in a container mostly namespaces and mounts",
	  examine_outer_filter,
	  { NULL },
	  false },
	{ "procfs",
	  "a /proc of the sandbox's own processes; in a container: its masks of /proc keep us from "
	  "it",
	  examine_by_trial,
	  { "--bare", "--ro-bind", "/", "/", "--proc", "/proc" },
	  false },
	{ "subordinate ids",
	  "--map-auto, --uid-map and --gid-map with ranges",
	  examine_by_trial,
	  { "--map-auto" },
	  false },
	{ "newuidmap", "ranges of ids for an ordinary user", examine_newuidmap, { NULL }, false },
	{ "overlay",
	  "--overlay, --tmp-overlay, --ro-overlay",
	  examine_by_trial,
	  { "--overlay-src", "/usr", "--tmp-overlay", "/tmp" },
	  false },
	{ "Landlock",
	  "--connect-tcp and --bind-tcp (ABI 4); --share-net and --share-pid under our own name "
	  "(ABI "
	  "6); --isolation landlock",
	  examine_landlock,
	  { NULL },
	  false },
	{ "cgroup delegation",
	  "--memory, --pids-max, --cpus and the like",
	  examine_by_trial,
	  { "--pids-max", "1000" },
	  false },
	{ "network", "--net", examine_by_trial, { "--net" }, false },
	{ "TUN",
	  "nothing: --net takes a pair of veth instead",
	  examine_net,
	  { "carrier", "tap", "make /dev/net/tun readable and writable for the user (mode 0666)" },
	  false },
	{ "nftables",
	  "the fast path of --net for TCP: it goes through libslirp, at a quarter of the speed",
	  examine_net,
	  { "path", "splice", "a kernel with nf_tables and nft_redir (modprobe nft_redir)" },
	  false },
	{ "NFQUEUE",
	  "true errors of connect(2) with --net: a refused connection looks like one that is "
	  "closed "
	  "at once",
	  examine_net,
	  { "hold", "nft", "a kernel with nfnetlink_queue and nft_queue (modprobe nft_queue)" },
	  false },
};

/* ---- output ---- */

static const char *const state_names[] = { "ok", "limited", "missing" };

static void put_text(const struct check *check, const struct finding *finding)
{
	static const char *const colours[] = { "\033[32m", "\033[33m", "\033[31m" };
	bool colourful = text_is_colourful(stdout);
	char found[2048];
	struct str_buf out = { .data = found, .size = sizeof(found) };

	found[0] = '\0';
	str_add_escaped(&out, finding->found);
	printf("%s%-8s%s%-18s %s\n", colourful ? colours[finding->state] : "",
	       state_names[finding->state], colourful ? "\033[0m" : "", check->name, found);
	if (finding->state == WORKS)
		return;
	printf("        %-18s without it: %s\n", "", check->disables);
	if (finding->fix[0])
		printf("        %-18s to fix it: %s\n", "", finding->fix);
}

static void put_member(const char *key, const char *text, bool is_first)
{
	char value[4096];
	struct str_buf out = { .data = value, .size = sizeof(value) };

	value[0] = '\0';
	jsonw_string(&out, text);
	printf("%s\"%s\": %s", is_first ? "{" : ", ", key, value);
}

static void put_json(const struct check *check, const struct finding *finding)
{
	put_member("name", check->name, true);
	put_member("state", state_names[finding->state], false);
	put_member("found", finding->found, false);
	if (finding->state != WORKS) {
		put_member("disables", check->disables, false);
		put_member("fix", finding->fix, false);
	}
	printf("}");
}

int doctor_main(bool is_json)
{
	bool works = true;

	if (is_json)
		printf("{\"version\": \"%s\", \"checks\": [", CLOCHE_VERSION);
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		struct finding finding = { .state = WORKS };

		checks[i].examine(&checks[i], &finding);
		works &= !checks[i].is_needed || finding.state != MISSING;
		if (is_json && i)
			printf(",\n");
		if (is_json)
			put_json(&checks[i], &finding);
		else
			put_text(&checks[i], &finding);
		(void)fflush(stdout);
	}
	if (is_json)
		printf("],\n\"works\": %s}\n", works ? "true" : "false");
	else
		printf("\n%s\n", works ? "The basic job works." : "The basic job does NOT work.");
	return fflush(stdout) == 0 && works ? 0 : 1;
}
