/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Attacks on the loss of privileges: what COMMAND has, and what it can get back. See attack.h.
 */
#include "attack.h"
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* Ids, capabilities and no_new_privs as the kernel shows them. */
static void verb_ids(char **arguments)
{
	char line[512];
	FILE *status = fopen("/proc/self/status", "re");

	(void)arguments;
	printf("uid %u %u\ngid %u %u\n", getuid(), geteuid(), getgid(), getegid());
	printf("secure %d\nnnp %d\n", prctl(PR_GET_SECUREBITS),
	       prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	while (status && fgets(line, sizeof line, status))
		if (strncmp(line, "Cap", 3) == 0) {
			line[6] = ' ';
			line[7] = 0;
			printf("%s%s", line, line + 8);
		}
	if (status)
		fclose(status);
	fflush(stdout);
}

static void verb_regain(char **arguments)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = 1u << CAP_SYS_ADMIN, .permitted = 1u << CAP_SYS_ADMIN }, { 0 }
	};

	(void)arguments;
	report("capset", syscall(SYS_capset, &header, data));
	report("ambient", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN, 0, 0));
	report("securebits", prctl(PR_SET_SECUREBITS, 0));
	report("keepcaps", prctl(PR_SET_KEEPCAPS, 1));
	report("nnp-off", prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
	report("setuid-other", setuid(getuid() + 1));
	report("setgid-other", setgid(getgid() + 1));
}

static void verb_setgroups(char **arguments)
{
	gid_t other = 4;

	(void)arguments;
	report("setgroups-none", setgroups(0, NULL));
	report("setgroups-other", setgroups(1, &other));
}

static void verb_open(char **arguments)
{
	report("open", open(arguments[0], O_RDONLY | O_CLOEXEC));
}

static void verb_openw(char **arguments)
{
	report("openw", open(arguments[0], O_WRONLY | O_CLOEXEC));
}

static void verb_content(char **arguments)
{
	report_content("content", arguments[0]);
}

/* The rest of the command line, as a program of its own. */
static void verb_exec(char **arguments)
{
	fflush(stdout);
	execv(arguments[0], arguments);
	report("exec", -1);
	exit(0);
}

int main(int argc, char **argv)
{
	static const struct verb verbs[] = {
		{ "nested", 0, verb_nested },
		{ "ids", 0, verb_ids },
		{ "regain", 0, verb_regain },
		{ "setgroups", 0, verb_setgroups },
		{ "open", 1, verb_open },
		{ "openw", 1, verb_openw },
		{ "content", 1, verb_content },
		{ "exec", 1, verb_exec },
		{ NULL, 0, NULL },
	};

	return run_verbs(verbs, argc, argv);
}
