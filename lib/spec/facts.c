/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Facts about the caller and the host. Only reads; runs in the caller's process before anything
 * else is done.
 */
#include "spec/facts.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"
#include "base/process.h"
#include "base/str.h"
#include "base/sys.h"

static uint64_t ambient_caps(uint64_t candidates)
{
	uint64_t ambient = 0;

	for (unsigned long cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (candidates >> cap & 1 &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) == 1)
			ambient |= 1ull << cap;
	return ambient;
}

/*
 * An ordinary user's program has capabilities after execve(2) only from the ambient set, which its
 * user gave it, or from the file, which is what we refuse (capabilities(7), "Transformation of
 * capabilities during execve()").
 */
static const char *file_privilege(uid_t uid, gid_t gid, uint64_t permitted)
{
	if (geteuid() != uid)
		return "set-user-ID";
	if (getegid() != gid)
		return "set-group-ID";
	if (uid != 0 && permitted && permitted & ~ambient_caps(permitted))
		return "with file capabilities";
	return NULL;
}

/* The target of the link @path in new memory; NULL where it is none. */
static char *read_link(const char *path)
{
	char target[PATH_MAX];
	ssize_t length = readlink(path, target, sizeof(target) - 1);

	return length > 0 ? strndup(target, (size_t)length) : NULL;
}

/* The path that leads to the terminal on @fd here; in another devpts the same path is another one.
 */
static char *terminal_path(int fd)
{
	char path[PATH_MAX];

	return ttyname_r(fd, path, sizeof(path)) == 0 ? strdup(path) : NULL;
}

static bool limit_is_0(void)
{
	_close_ int fd = open("/proc/sys/user/max_user_namespaces", O_RDONLY | O_CLOEXEC);
	char text[2] = "";

	return fd >= 0 && read(fd, text, sizeof(text)) == 2 && text[0] == '0' && text[1] == '\n';
}

static const char *environment(const struct facts *facts, const char *name)
{
	return facts->env_is_unsafe ? NULL : str_variable(facts->environ, name);
}

void facts_read(struct facts *facts, char *const *variables)
{
	uint64_t permitted = process_permitted_caps();

	facts->uid = getuid();
	facts->gid = getgid();
	facts->permitted = permitted;
	facts->is_root = facts->uid == 0 && permitted >> CAP_SYS_ADMIN & 1;
	facts->privilege = file_privilege(facts->uid, facts->gid, permitted);
	facts->environ = variables;
	facts->env_is_unsafe = getauxval(AT_SECURE) != 0;
	facts->runtime_dir = environment(facts, "XDG_RUNTIME_DIR");
	facts->cwd = getcwd(NULL, 0);
	if (facts->cwd && facts->cwd[0] != '/') { /* "(unreachable)..." */
		free(facts->cwd);
		facts->cwd = NULL;
	}
	facts->tty = terminal_path(1);
	for (int i = 0; i < 3; i++)
		facts->is_tty[i] = isatty(i);
	facts->userns_limit_is_0 = facts->is_root && limit_is_0();
	facts->has_cgroup_ns = access("/proc/self/ns/cgroup", F_OK) == 0;
	facts->has_selinux = access("/sys/fs/selinux/enforce", F_OK) == 0;
}

/* Cuts the next ":"-separated field off *@line. */
static char *next_field(char **line)
{
	return *line ? strsep(line, ":") : NULL;
}

/*
 * The user's line of /etc/passwd, read directly: the name service would load its modules into us.
 * Where there is no such line (LDAP), the caller's environment tells, unless it is not to be
 * trusted.
 */
static void read_passwd(struct facts *facts)
{
	_close_ int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	_free_ char *text = NULL;
	size_t size;
	char *rest;

	if (fd < 0 || fd_read_all(fd, 16u << 20, &text, &size) < 0)
		return;
	rest = text;
	for (char *line; (line = strsep(&rest, "\n"));) {
		char *name = next_field(&line), *password = next_field(&line),
		     *uid = next_field(&line);
		char *gid = next_field(&line), *comment = next_field(&line),
		     *home = next_field(&line);
		char *shell = next_field(&line);
		uint64_t number;

		if (!password || !uid || num_parse(uid, UINT32_MAX - 1, &number) < 0 ||
		    number != facts->uid)
			continue;
		if (!gid || !comment || !home || !shell)
			continue;
		facts->user = strdup(name);
		facts->home = home[0] == '/' ? strdup(home) : NULL;
		facts->shell = shell[0] == '/' ? strdup(shell) : NULL;
		return;
	}
}

void facts_read_user(struct facts *facts)
{
	static const char *const paths[FACTS_LINK_COUNT] = { "/bin",   "/sbin",	 "/lib",
							     "/lib32", "/lib64", "/libx32" };
	const char *home = environment(facts, "HOME"), *user = environment(facts, "USER");

	for (size_t i = 0; i < FACTS_LINK_COUNT; i++) {
		struct facts_entry *entry = &facts->links[i];

		entry->path = paths[i];
		entry->target = read_link(paths[i]);
		entry->exists = entry->target || access(paths[i], F_OK) == 0;
	}
	read_passwd(facts);
	if (!facts->home && home && home[0] == '/')
		facts->home = strdup(home);
	if (!facts->user && user)
		facts->user = strdup(user);
}

/*
 * Where distributions put set-user-ID programs. $PATH is not asked: what stands before them there
 * could not do their work.
 */
static const char *find_newuidmap(void)
{
	static const char *const directories[] = { "/usr/bin", "/bin", "/usr/local/bin",
						   "/run/wrappers/bin" };
	char path[64];

	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		bool is_there = true;

		for (int gid = 0; gid < 2; gid++) {
			struct str_buf text = { .data = path, .size = sizeof(path) };

			str_add(&text, directories[i]);
			str_add(&text, gid ? "/newgidmap" : "/newuidmap");
			is_there &= access(path, X_OK) == 0;
		}
		if (is_there)
			return directories[i];
	}
	return NULL;
}

void facts_read_subids(struct facts *facts)
{
	subids_read(facts->uid, &facts->subuids, &facts->subgids, &facts->login_name);
	facts->newuidmap_dir = find_newuidmap();
}

void facts_read_rlimits(struct facts *facts)
{
	facts->knows_rlimits = true;
	for (int resource = 0; resource < RLIM_NLIMITS; resource++)
		if (getrlimit((__rlimit_resource_t)resource, &facts->rlimits[resource]) < 0)
			facts->knows_rlimits = false;
}

void facts_read_landlock(struct facts *facts)
{
	int abi = sys_landlock_abi();

	facts->landlock_abi = abi > 0 ? abi : 0;
}

/* A new procfs is refused where parts of the present one are masked. */
static int try_proc(void)
{
	_close_ int context = fsopen("proc", FSOPEN_CLOEXEC), mount_fd = -EBADF;

	if (context < 0 || fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	mount_fd = fsmount(context, FSMOUNT_CLOEXEC, 0);
	return mount_fd < 0 ? -errno : 0;
}

static int try_limit(void)
{
	_close_ int fd = open("/proc/sys/user/max_user_namespaces", O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : 0;
}

struct trial {
	unsigned steps;
	int result;
};

/* In the new namespaces, on the caller's memory. */
static int try_steps(void *argument)
{
	struct trial *trial = argument;

	trial->result = mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ? -errno : 0;
	if (trial->result == 0 && trial->steps & FACTS_TRY_LIMIT)
		trial->result = try_limit();
	if (trial->result == 0 && trial->steps & FACTS_TRY_PROC)
		trial->result = try_proc();
	return 0;
}

void facts_try_namespaces(struct facts *facts, unsigned steps)
{
	struct trial trial = { .steps = steps };
	int flags = CLONE_NEWNS | SIGCHLD;
	pid_t pid;

	if (steps & FACTS_TRY_USERNS || !facts->is_root)
		flags |= CLONE_NEWUSER;
	if (steps & FACTS_TRY_PROC)
		flags |= CLONE_NEWPID;
	pid = process_clone_on_stack(try_steps, &trial, flags, NULL);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	facts->namespaces_errnum = pid < 0 ? -pid : -trial.result;
}

static int compare_texts(const void *first, const void *second)
{
	return strcmp(*(char *const *)first, *(char *const *)second);
}

static int is_device_name(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* gcc 12's analyzer loses sight of what lies behind a variable index and takes it for leaked. */
#ifndef __clang__
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif
static void add_device(struct facts *facts, const char *name)
{
	facts->devices[facts->device_count] = strdup(name);
	if (facts->devices[facts->device_count])
		facts->device_count++;
}
#ifndef __clang__
#pragma GCC diagnostic pop
#endif

void facts_read_devices(struct facts *facts)
{
	struct dirent **entries = NULL;
	int found = scandir("/dev", &entries, is_device_name, alphasort);
	size_t count = found < 0 ? 0 : (size_t)found;

	facts->devices = calloc(count + 1, sizeof(char *));
	for (size_t i = 0; i < count; i++) {
		if (facts->devices)
			add_device(facts, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	if (!facts->devices)
		return;
	if (access("/dev/net/tun", F_OK) == 0) /* the one that lies deeper */
		add_device(facts, "net/tun");
	qsort(facts->devices, facts->device_count, sizeof(char *), compare_texts);
}

void facts_free(struct facts *facts)
{
	facts_free_net(facts);
	for (size_t i = 0; i < facts->device_count; i++)
		free(facts->devices[i]);
	free(facts->devices);
	for (size_t i = 0; i < FACTS_LINK_COUNT; i++)
		free(facts->links[i].target);
	free(facts->cwd);
	free(facts->tty);
	free(facts->user);
	free(facts->home);
	free(facts->shell);
	free(facts->login_name);
	subids_free(&facts->subuids);
	subids_free(&facts->subgids);
}
