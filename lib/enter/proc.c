/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * --proc and --sys: a procfs of our own pid namespace and a sysfs of our own network namespace, or
 * the host's where there is none of our own. What tells of the host, or lets root change it, is
 * covered.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "base/sys.h"
#include "enter/cover.h"

enum cover_kind {
	COVER_FILE,
	COVER_DIR,
	COVER_READ_ONLY
};

struct covered {
	const char *name;
	enum cover_kind kind;
	bool as_bwrap;
};

/* What an OCI runtime masks and makes read-only, and what else tells about the host's kernel. */
static const struct covered proc_covered[] = {
	{ "sys", COVER_READ_ONLY, true },	{ "sysrq-trigger", COVER_READ_ONLY, true },
	{ "irq", COVER_READ_ONLY, true },	{ "bus", COVER_READ_ONLY, true },
	{ "fs", COVER_READ_ONLY, false },	{ "acpi", COVER_DIR, false },
	{ "asound", COVER_DIR, false },		{ "scsi", COVER_DIR, false },
	{ "cmdline", COVER_FILE, false },	{ "config.gz", COVER_FILE, false },
	{ "interrupts", COVER_FILE, false },	{ "kallsyms", COVER_FILE, false },
	{ "kcore", COVER_FILE, false },		{ "key-users", COVER_FILE, false },
	{ "keys", COVER_FILE, false },		{ "kpagecgroup", COVER_FILE, false },
	{ "kpagecount", COVER_FILE, false },	{ "kpageflags", COVER_FILE, false },
	{ "latency_stats", COVER_FILE, false }, { "partitions", COVER_FILE, false },
	{ "sched_debug", COVER_FILE, false },	{ "slabinfo", COVER_FILE, false },
	{ "timer_list", COVER_FILE, false },	{ "timer_stats", COVER_FILE, false },
	{ "vmallocinfo", COVER_FILE, false },
};

static const struct covered sys_covered[] = {
	{ "firmware", COVER_DIR, false },
	{ "devices/virtual/powercap", COVER_DIR, false },
};

/* With AT_EACCESS, since otherwise the kernel makes new credentials for each question (3.6 against
 * 1.2 us). What cannot be told counts as allowed. */
static bool is_refused(int fs, const char *name, int mode)
{
	return faccessat(fs, name, mode, AT_EACCESS) < 0 && (errno == EACCES || errno == ENOENT);
}

/*
 * Does anything have to be done? All these files are root's, so where root is not a user inside and
 * the mode lets nobody else read (write), the kernel refuses it anyway and a mount is saved. Not so
 * "sys": there are files of our own namespaces.
 */
static bool is_needed(enum proc_cover level, int fs, const struct covered *covered)
{
	if (level ==
	    PROC_COVER_WRITABLE) /* asked as bubblewrap does, for whoever has another uid */
		return covered->as_bwrap && faccessat(fs, covered->name, W_OK, 0) == 0;
	if (strcmp(covered->name, "sys") == 0)
		return !is_refused(fs, covered->name, F_OK);
	return !is_refused(fs, covered->name, covered->kind == COVER_READ_ONLY ? W_OK : R_OK);
}

/* The file system @fs is attached by now. */
static int cover_all(struct enter *enter, int fs, const struct covered *list, size_t count,
		     struct cloche_error *err)
{
	enum proc_cover level = enter->plan->views.proc_cover;

	for (size_t i = 0; level != PROC_COVER_NONE && i < count; i++) {
		const struct covered *covered = &list[i];
		int r;

		if (!is_needed(level, fs, covered))
			continue;
		if (covered->kind == COVER_READ_ONLY)
			r = cover_flags_at(enter, fs, covered->name, MOUNT_ATTR_RDONLY);
		else
			r = cover_mask(enter, fs, covered->name, covered->kind == COVER_DIR);
		if (r < 0 && r != -ENOENT)
			return error_set(err, ERROR_PROC_COVER, -r, covered->name);
	}
	return 0;
}

static int new_procfs(const struct enter *enter, const struct fs_op *op, struct cloche_error *err)
{
	const struct plan_views *views = &enter->plan->views;
	struct fs_option options[3] = { { NULL, NULL } };
	size_t count = 0;
	int tree;

	/* Both since Linux 5.8, proc(5). hidepid=ptraceable knows no group that may see all. */
	if (views->proc_subset_pid)
		options[count++] = (struct fs_option){ "subset", "pid" };
	if (views->proc_hidepid)
		options[count++] = (struct fs_option){ "hidepid", "ptraceable" };
	tree = mount_new_fs("proc", options,
			    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (tree < 0) {
		if (tree == -EPERM)
			error_set_hint(err, HINT_PROC_MASKED);
		return error_set(err, ERROR_PROC_NEW, -tree, op->dest);
	}
	return tree;
}

int proc_mount(struct enter *enter, const struct fs_op *op, int tree, struct cloche_error *err)
{
	_close_ int new_tree = -EBADF;
	int r;

	if (enter->plan->own_proc) {
		new_tree = new_procfs(enter, op, err);
		if (new_tree < 0)
			return new_tree;
		tree = new_tree;
	}
	r = mount_attach(enter, op, tree, err);
	return r < 0 ? r : cover_all(enter, tree, proc_covered, ARRAY_SIZE(proc_covered), err);
}

int sys_mount(struct enter *enter, const struct fs_op *op, int tree, struct cloche_error *err)
{
	_close_ int new_tree = -EBADF;
	int r;

	if (enter->plan->views.own_sys) {
		new_tree = mount_new_fs("sysfs", (const struct fs_option[]){ { NULL, NULL } },
					SYS_ATTRIBUTES);
		if (new_tree == -EPERM)
			error_set_hint(err, HINT_SYS_MASKED);
		if (new_tree < 0)
			return error_set(err, ERROR_SYS_NEW, -new_tree, op->dest);
		tree = new_tree;
	}
	r = mount_attach(enter, op, tree, err);
	return r < 0 ? r : cover_all(enter, tree, sys_covered, ARRAY_SIZE(sys_covered), err);
}
