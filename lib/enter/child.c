/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The child: the fixed list of steps, top to bottom, from clone to exec. It is pid 1 of the sandbox
 * (or, as bubblewrap without a pid namespace, already the process that becomes COMMAND).
 */
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/sys.h"
#include "enter/enter.h"
#include "spec/report.h"
#include "watch/init.h"

void child_warn(const struct enter *enter, const struct cloche_error *err)
{
	report_message(enter->plan->spec, err, REPORT_WARNING);
}

void child_fail(const struct enter *enter, const struct cloche_error *err)
{
	/* One write below PIPE_BUF is whole or nothing; if nobody reads, nobody wants to know. */
	ignore(write(enter->error_fd, err, sizeof(*err)));
	_exit(enter->plan->personality->status_setup);
}

/*
 * The supervisor's death ends us from here on. It may have died before prctl(2): its pidfd, opened
 * before clone, tells.
 */
static int watch_supervisor(const struct enter *enter, struct cloche_error *err)
{
	struct pollfd supervisor = { .fd = enter->supervisor_pidfd, .events = POLLIN };

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || poll(&supervisor, 1, 0) != 0)
		return error_set(err, ERROR_PARENT_GONE, 0, NULL);
	return 0;
}

/* Waits until @fd is readable or closed. The supervisor's death ends us, and so the wait. */
static void wait_for_fd(int fd)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	char byte;

	while (poll(&wait, 1, -1) < 0 && errno == EINTR)
		;
	ignore(read(fd, &byte, 1));
}

/* Nobody will ever write to a descriptor that was not open. */
static void wait_for_option(const struct spec_fd *block)
{
	if (block->fd >= 0 && block->is_open)
		wait_for_fd(block->fd);
}

/* In place, the flags of "/" will reach the host's /proc too: a mount of its own stays writable for
 * labels and maps. */
static int open_host_proc(struct enter *enter, struct cloche_error *err)
{
	int fd = enter->plan->in_place
			 ? open_tree(AT_FDCWD, "/proc",
				     OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE)
			 : open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_set(err, ERROR_OPEN_PROC, errno, NULL);
	enter->mounts.host_proc_fd = fd;
	/* A directory that merely looks like procfs could lead our writes elsewhere. */
	return fd_on_filesystem(fd, PROC_SUPER_MAGIC)
		       ? 0
		       : error_set(err, ERROR_NOT_PROCFS, 0, "/proc");
}

/* A program that opens a thousand sources needs more descriptors than the usual soft limit. */
static void raise_fd_limit(struct enter *enter)
{
	size_t needed = enter->plan->op_count + enter->plan->spec->layer_count + 64;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || needed < limit.rlim_cur ||
	    limit.rlim_cur >= limit.rlim_max)
		return;
	enter->soft_fd_limit = limit.rlim_cur;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* In a joined user namespace: what was not asked for stays as its map has it. */
static int set_ids(const struct plan *plan, struct cloche_error *err)
{
	uid_t uid = plan->spec->uid.is_set ? plan->inner_uid : (uid_t)-1;
	gid_t gid = plan->spec->gid.is_set ? plan->inner_gid : (gid_t)-1;
	char number[STR_NUMBER_SIZE];

	if (setresgid(gid, gid, gid) == 0 && setresuid(uid, uid, uid) == 0)
		return 0;
	return error_set(err, ERROR_SET_IDS, errno, str_number(number, plan->inner_uid));
}

/* Did the caller write our id maps? */
static bool is_mapped(int proc_fd)
{
	_close_ int fd = openat(proc_fd, "self/uid_map", O_RDONLY | O_CLOEXEC);
	char byte;

	return fd >= 0 && read(fd, &byte, 1) == 1;
}

/* Become who COMMAND is, as far as that is not done by the maps. */
static int take_ids(struct enter *enter, struct cloche_error *err)
{
	const struct plan *plan = enter->plan;
	int r = plan->ids.drops_groups ? userns_drop_groups(plan, err) : 0;

	if (r == 0 && plan->ids.writer != MAPS_BY_CHILD) {
		r = userns_take_ids(enter, err);
		if (r == 0) /* other ids outside undo it, prctl(2) */
			r = watch_supervisor(enter, err);
	}
	if (r == 0 && plan->sets_ids)
		r = set_ids(plan, err);
	return r;
}

static int enter_ids(struct enter *enter, struct cloche_error *err)
{
	const struct plan *plan = enter->plan;
	int r = 0;

	wait_for_option(&plan->spec->userns_block_fd);
	if (plan->spec->userns_block_fd.fd >= 0 && !is_mapped(enter->mounts.host_proc_fd)) {
		err->use = plan->spec->userns_block_fd.use;
		error_set_hint(err, HINT_NOT_MAPPED);
		return error_set(err, ERROR_ROOT_ATTACH, EOVERFLOW, NULL);
	}
	if (plan->writes_id_maps)
		r = userns_write_maps(enter, err);
	if (r == 0)
		r = take_ids(enter, err);
	if (r == 0 && plan->max_userns >= 0)
		r = userns_limit(enter, err);
	return r;
}

static int set_names(const struct plan *plan, struct cloche_error *err)
{
	const struct spec_string *host = &plan->spec->hostname,
				 *domain = &plan->spec->namespaces.domainname;

	if (host->text && sethostname(host->text, strlen(host->text)) < 0) {
		err->use = host->use;
		return error_set(err, ERROR_HOSTNAME, errno, host->text);
	}
	if (domain->text && setdomainname(domain->text, strlen(domain->text)) < 0) {
		err->use = domain->use;
		return error_set(err, ERROR_DOMAINNAME, errno, domain->text);
	}
	return 0;
}

static int build_root(struct enter *enter, struct cloche_error *err)
{
	const char *label = enter->plan->spec->file_label.text;
	int r = 0;

	err->stage = STAGE_SOURCES;
	raise_fd_limit(enter);
	(void)umask(0); /* modes are as the options say */
	if (label)
		r = label_set(enter, "fscreate", label, err);
	if (r == 0)
		r = root_prepare(enter, err);
	if (r == 0)
		r = mount_all(enter, err);
	if (r == 0 && label)
		r = label_set(enter, "fscreate", "", err);
	if (r == 0)
		r = root_switch(enter, err);
	return r == 0 ? limits_protect_group(enter, err) : r;
}

static int switch_userns(const struct plan *plan, struct cloche_error *err)
{
	const struct spec_fd *userns2 = &plan->spec->userns2_fd;

	if (userns2->fd < 0 || setns(userns2->fd, CLONE_NEWUSER) == 0)
		return 0;
	err->use = userns2->use;
	return error_set(err, ERROR_JOIN_USERNS2, userns2->is_open ? errno : EBADF, NULL);
}

static int set_up(struct enter *enter, struct cloche_error *err)
{
	const struct plan *plan = enter->plan;
	int r;

	r = watch_supervisor(enter, err); /* first: from here on our life depends on it */
	if (r < 0)
		return r;
	/* Before anything takes long: what the caller's terminal sends goes to the supervisor
	 * alone, and only what that passes on counts. */
	if (plan->new_session && setsid() < 0)
		return error_set(err, ERROR_SESSION, errno, NULL);
	/* Who reads them to their end must not have to wait for us. */
	fd_release(plan->spec->info_fd.fd);
	fd_release(plan->spec->json_status_fd.fd);
	err->stage = STAGE_IDS;
	r = open_host_proc(enter, err);
	if (r == 0 && plan->new_time)
		r = time_enter(enter, err); /* the last of our namespaces */
	if (r < 0)
		return r;
	if (enter->ready_fd >= 0)
		(void)close(enter->ready_fd);
	if (enter->go_fd >= 0)
		wait_for_fd(enter->go_fd); /* the supervisor writes id maps, and reports our
					      namespaces while we are sure to live */
	r = enter_ids(enter,
		      err); /* before the first file is created: unmapped ids cannot own one */
	if (r == 0 && plan->new_keyring)
		r = keyring_renew(err); /* ours as well: nothing of the caller's stays inside */
	if (r < 0)
		return r;
	err->stage = STAGE_NETWORK;
	if (enter->net_mapped_fd >= 0)
		ignore(write(enter->net_mapped_fd, "", 1)); /* it tells if it cannot go on */
	r = plan->brings_up_lo ? network_up(err) : 0;
	if (r == 0)
		r = set_names(plan, err);
	if (r == 0 && !plan->landlock.is_tier) /* else landlock_lock() gives the paths */
		r = build_root(enter, err);
	if (r == 0)
		r = switch_userns(
			plan,
			err); /* after the mounts, which need the capabilities of the first one */
	if (r == 0)
		r = terminal_open(enter, err);
	if (r == 0)
		r = workload_enter_cwd(enter, err);
	if (r < 0)
		return r;
	err->stage = STAGE_EXEC;
	if (enter->net_go_fd >= 0)
		wait_for_fd(enter->net_go_fd);
	wait_for_option(&plan->spec->block_fd);
	return 0;
}

void child_main(struct enter *enter)
{
	struct cloche_error err = ERROR_INIT;

	err.stage = STAGE_START;
	if (set_up(enter, &err) < 0)
		child_fail(enter, &err);
	if (enter->plan->has_init)
		init_main(enter);
	/* Bubblewrap's supervisor may die without COMMAND; ours may not. */
	if (!enter->plan->ends_together && !enter->plan->die_with_parent)
		(void)prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
	(void)workload_run(enter, &err);
	child_fail(enter, &err);
}

static int set_up_join(struct enter *enter, struct cloche_error *err)
{
	int r = watch_supervisor(enter, err);

	if (r == 0 && setsid() < 0)
		r = error_set(err, ERROR_SESSION, errno, NULL);
	if (r == 0)
		r = take_ids(enter, err);
	if (r == 0 && enter->plan->new_keyring)
		r = keyring_renew(err);
	if (r == 0)
		r = terminal_open(enter, err);
	/* As pid 1 of the sandbox is for the first COMMAND; its orphans are ours until we end. */
	if (r == 0)
		(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	return r;
}

void child_join(struct enter *enter)
{
	struct cloche_error err = ERROR_INIT;

	err.stage = STAGE_START;
	if (set_up_join(enter, &err) < 0)
		child_fail(enter, &err);
	init_main(enter);
}
