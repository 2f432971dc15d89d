/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of lib/spec/facts.c: what is known of this process and its user, compared with what
 * libc says.
 */
#include "spec/facts.h"

#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "unit.h"

static char home[] = "HOME=/from/environment", user[] = "USER=from-environment",
	    relative[] = "HOME=relative";
static char longer[] = "HOMEX=/x";

static bool has_sys_admin(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	CHECK(syscall(SYS_capget, &header, data) == 0);
	return data[0].permitted & 1u << CAP_SYS_ADMIN;
}

static void test_caller(void)
{
	static char *const variables[] = { home, NULL };
	struct facts facts = { 0 };
	char cwd[4096];

	facts_read(&facts, variables);
	CHECK_INT(facts.uid, getuid());
	CHECK_INT(facts.gid, getgid());
	CHECK(facts.environ == variables);
	CHECK(getcwd(cwd, sizeof(cwd)) != NULL);
	CHECK_STR(facts.cwd, cwd);
	CHECK_STR(facts.privilege, NULL);
	CHECK(!facts.env_is_unsafe);
	CHECK_INT(facts.has_cgroup_ns, access("/proc/self/ns/cgroup", F_OK) == 0);
	CHECK_INT(facts.is_root, getuid() == 0 && has_sys_admin());
	facts_free(&facts);
	facts_free(&(struct facts){ 0 });
}

static void without_terminal(void *context)
{
	struct facts facts = { 0 };
	int ends[2];

	(void)context;
	CHECK(pipe(ends) == 0 && dup2(ends[0], 0) == 0 && dup2(ends[1], 1) == 1);
	facts_read(&facts, (char *const[]){ NULL });
	CHECK(!facts.is_tty[0]);
	CHECK_STR(facts.tty, NULL);
	facts_free(&facts);
}

static void with_terminal(void *context)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), terminal;
	struct facts facts = { 0 };
	char name[64];

	(void)context;
	CHECK(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	CHECK(ptsname_r(master, name, sizeof(name)) == 0);
	terminal = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	CHECK(terminal >= 0 && dup2(terminal, 0) == 0 && dup2(terminal, 1) == 1);
	facts_read(&facts, (char *const[]){ NULL });
	CHECK(facts.is_tty[0]);
	CHECK_STR(facts.tty, name);
	facts_free(&facts);
}

/* A directory that is gone has no name. */
static void without_cwd(void *path)
{
	struct facts facts = { 0 };

	CHECK(mkdirat(AT_FDCWD, path, 0755) == 0 && chdir(path) == 0 && rmdir(path) == 0);
	facts_read(&facts, (char *const[]){ NULL });
	CHECK_STR(facts.cwd, NULL);
	facts_free(&facts);
}

static void test_user(void)
{
	static char *const variables[] = { user, longer, home, NULL };
	struct passwd memory, *entry = NULL;
	struct facts facts = { 0 };
	char text[4096];

	facts_read(&facts, variables);
	facts_read_user(&facts);
	CHECK(getpwuid_r(getuid(), &memory, text, sizeof(text), &entry) == 0);
	if (entry) { /* /etc/passwd comes before the environment */
		CHECK_STR(facts.user, entry->pw_name);
		CHECK_STR(facts.home, entry->pw_dir);
		CHECK_STR(facts.shell, entry->pw_shell);
	} else {
		CHECK_STR(facts.home, "/from/environment");
		CHECK_STR(facts.user, "from-environment");
	}
	facts_free(&facts);
}

static void read_unknown_user(struct facts *facts, char *const *variables, bool is_unsafe)
{
	*facts = (struct facts){ 0 };
	facts_read(facts, variables);
	facts->uid = 4294967290u; /* nobody has this one */
	facts->env_is_unsafe = is_unsafe;
	facts_read_user(facts);
	CHECK_STR(facts->shell, NULL);
}

static void test_unknown_user(void)
{
	static char *const variables[] = { longer, user, home, NULL };
	static char *const without[] = { relative, longer, NULL };
	struct facts facts;

	read_unknown_user(&facts, variables, false);
	CHECK_STR(facts.home, "/from/environment");
	CHECK_STR(facts.user, "from-environment");
	facts_free(&facts);
	read_unknown_user(&facts, variables, true); /* not to be believed */
	CHECK_STR(facts.home, NULL);
	CHECK_STR(facts.user, NULL);
	facts_free(&facts);
	read_unknown_user(&facts, without, false);
	CHECK_STR(facts.home, NULL);
	CHECK_STR(facts.user, NULL);
	facts_free(&facts);
}

static void test_links(void)
{
	struct facts facts = { 0 };

	facts_read(&facts, (char *const[]){ NULL });
	facts_read_user(&facts);
	CHECK_STR(facts.links[0].path, "/bin");
	for (size_t i = 0; i < FACTS_LINK_COUNT; i++) {
		const struct facts_entry *entry = &facts.links[i];
		struct stat info;
		bool exists = lstat(entry->path, &info) == 0;

		CHECK_INT(entry->exists, exists);
		CHECK_INT(entry->target != NULL, exists && S_ISLNK(info.st_mode));
	}
	facts_free(&facts);
}

/* Root of a container may lack the one capability that makes root real. */
static void without_sys_admin(void *context)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	struct facts facts = { 0 };

	(void)context;
	CHECK(syscall(SYS_capget, &header, data) == 0);
	data[0].permitted &= ~(1u << CAP_SYS_ADMIN);
	data[0].effective &= ~(1u << CAP_SYS_ADMIN);
	CHECK(syscall(SYS_capset, &header, data) == 0);
	facts_read(&facts, (char *const[]){ NULL });
	CHECK(!facts.is_root);
	facts_free(&facts);
}

static void set_uid(void *context)
{
	struct facts facts = { 0 };

	(void)context;
	CHECK(syscall(SYS_setresuid, 1234, 0, 0) == 0);
	facts_read(&facts, (char *const[]){ NULL });
	CHECK_STR(facts.privilege, "set-user-ID");
	facts_free(&facts);
}

/* Who has capabilities without being root has them from the file, or was given them as ambient
 * ones. */
static void with_permitted_caps(void *context)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };
	struct facts facts = { 0 };

	(void)context;
	CHECK(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0);
	CHECK(syscall(SYS_setresuid, 1234, 1234, 1234) == 0);
	facts_read(&facts, (char *const[]){ NULL });
	CHECK_STR(facts.privilege, "with file capabilities");
	facts_free(&facts);
	data[0].permitted = data[0].effective = data[0].inheritable = 1u << CAP_CHOWN;
	CHECK(syscall(SYS_capset, &header, data) == 0);
	CHECK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0) == 0);
	facts = (struct facts){ 0 };
	facts_read(&facts, (char *const[]){ NULL });
	CHECK_STR(facts.privilege, NULL);
	CHECK(!facts.is_root);
	CHECK_INT(facts.uid, 1234);
	facts_free(&facts);
}

static void with_other_gid(void *context)
{
	struct facts facts = { 0 };

	(void)context;
	CHECK(syscall(SYS_setresgid, 1234, 1235, 1235) == 0);
	facts_read(&facts, (char *const[]){ NULL });
	CHECK_STR(facts.privilege, "set-group-ID");
	CHECK_INT(facts.gid, 1234);
	facts_free(&facts);
}

static void test_all(void *directory)
{
	char path[512];

	test_caller();
	CHECK_INT(unit_in_child(without_terminal, NULL), 0);
	CHECK_INT(unit_in_child(with_terminal, NULL), 0);
	CHECK(snprintf(path, sizeof(path), "%s/gone", (const char *)directory) > 0);
	CHECK_INT(unit_in_child(without_cwd, path), 0);
	test_user();
	test_unknown_user();
	test_links();
	if (geteuid() == 0) {
		CHECK_INT(unit_in_child(without_sys_admin, NULL), 0);
		CHECK_INT(unit_in_child(set_uid, NULL), 0);
		CHECK_INT(unit_in_child(with_permitted_caps, NULL), 0);
		CHECK_INT(unit_in_child(with_other_gid, NULL), 0);
	}
}

int main(void)
{
	unit_run_in_directory(test_all);
}
