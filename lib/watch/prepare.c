/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Preparation in the supervisor: between clone and exec the child allocates nothing, so every array
 * it fills is made here, at its full size.
 */
#include "watch/prepare.h"

#include <assert.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "watch/policy.h"
#include "watch/stdio.h"

#define MAX_PROGRAM_BYTES (64u << 10) /* twice the kernel's limit of 4096 instructions */

static int *new_fds(size_t count)
{
	int *fds = malloc((count + 1) * sizeof(int));

	if (!fds)
		return NULL;
	for (size_t i = 0; i <= count; i++)
		fds[i] = -EBADF;
	return fds;
}

static int prepare_mounts(struct mounts *mounts, const struct plan *plan, struct cloche_error *err)
{
	mounts->host_proc_fd = mounts->old_root_fd = mounts->root_fd = mounts->scratch_fd = -EBADF;
	mounts->cache.dir_fd = -EBADF;
	mounts->masks[0] = mounts->masks[1] = -EBADF;
	for (size_t i = 0; i < ARRAY_SIZE(mounts->dev_trees); i++)
		mounts->dev_trees[i] = -EBADF;
	mounts->node_trees = new_fds(plan->views.dev_node_count);
	mounts->trees = new_fds(plan->op_count);
	mounts->upper_fds = new_fds(plan->op_count);
	mounts->work_fds = new_fds(plan->op_count);
	mounts->layer_fds = new_fds(plan->spec->layer_count);
	/* An operation makes two file systems at most: /dev and its shm. */
	mounts->own_devices = calloc(OWN_DEVICES_FIXED + 2 * plan->op_count, sizeof(dev_t));
	return mounts->node_trees && mounts->trees && mounts->upper_fds && mounts->work_fds &&
			       mounts->layer_fds && mounts->own_devices
		       ? 0
		       : error_no_memory(err);
}

/* COMMAND's words, copied away from argv, which the init process overwrites. */
static int prepare_command(struct enter *enter, struct cloche_error *err)
{
	const struct plan *plan = enter->plan;
	char *const *words = plan->spec->command;
	const char *label = plan->spec->exec_label.text;
	size_t count = 0;

	assert(words && words[0]);
	while (words[count])
		count++;
	enter->file = strdup(words[0]);
	enter->exec_label = label ? strdup(label) : NULL;
	enter->command = calloc(count + 1, sizeof(char *));
	if (!enter->file || (label && !enter->exec_label) || !enter->command)
		return error_no_memory(err);
	for (size_t i = 0; i < count; i++) {
		enter->command[i] = strdup(i == 0 && plan->argv0 ? plan->argv0 : words[i]);
		if (!enter->command[i])
			return error_no_memory(err);
	}
	return 0;
}

static int prepare_environment(struct enter *enter, struct cloche_error *err)
{
	const struct plan *plan = enter->plan;
	size_t count = 0;

	enter->pwd = calloc(1, PWD_ROOM);
	enter->environment = calloc(plan->environment_count + 2, sizeof(char *));
	if (!enter->pwd || !enter->environment)
		return error_no_memory(err);
	for (size_t i = 0; i <= plan->environment_count; i++) {
		if (i == plan->pwd_place)
			enter->environment[count++] = enter->pwd;
		if (i < plan->environment_count)
			enter->environment[count++] = plan->environment[i];
	}
	return 0;
}

/* The inner user namespace's maps, for a process that may not allocate. */
static int prepare_inner_maps(struct enter *enter, struct cloche_error *err)
{
	const struct plan_ids *ids = &enter->plan->ids;
	struct str_buf uid = { .size = IDMAP_MAX_TEXT }, gid = { .size = IDMAP_MAX_TEXT };

	if (!enter->plan->inner_userns || ids->writer == MAPS_BY_CHILD)
		return 0;
	uid.data = enter->inner_uid_map = calloc(1, IDMAP_MAX_TEXT);
	gid.data = enter->inner_gid_map = calloc(1, IDMAP_MAX_TEXT);
	if (!uid.data || !gid.data)
		return error_no_memory(err);
	idmap_identity_text(ids->uid.ranges, ids->uid.count, &uid);
	idmap_identity_text(ids->gid.ranges, ids->gid.count, &gid);
	return 0;
}

static int read_program(const struct spec_fd *from, struct sock_fprog *ret_program,
			struct cloche_error *err)
{
	char *data = NULL;
	size_t size;
	int r = fd_read_all(from->fd, MAX_PROGRAM_BYTES, &data, &size);

	err->use = from->use;
	if (r == -E2BIG)
		return error_set(err, ERROR_SECCOMP_EMPTY, 0, NULL);
	if (r < 0)
		return error_set(err, ERROR_SECCOMP_READ, -r, NULL);
	fd_release(from->fd);
	ret_program->filter = (struct sock_filter *)(void *)data;
	ret_program->len = (unsigned short)(size / sizeof(struct sock_filter));
	if (size % sizeof(struct sock_filter))
		return error_set(err, ERROR_SECCOMP_LENGTH, 0, NULL);
	if (size == 0 || size / sizeof(struct sock_filter) > BPF_MAXINSNS)
		return error_set(err, ERROR_SECCOMP_EMPTY, 0, NULL);
	err->use = -1;
	return 0;
}

static int prepare_filters(struct enter *enter, struct cloche_error *err)
{
	const struct spec *spec = enter->plan->spec;
	size_t count = spec->add_seccomp_count + (spec->seccomp_fd.fd >= 0);
	int r = 0;

	enter->filters = calloc(count + 1, sizeof(*enter->filters));
	if (!enter->filters)
		return error_no_memory(err);
	enter->filter_count = count;
	if (spec->seccomp_fd.fd >= 0)
		return read_program(&spec->seccomp_fd, &enter->filters[0], err);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = read_program(&spec->add_seccomp_fds[i], &enter->filters[i], err);
	return r;
}

/* SELinux says whether it knows a label (selinuxfs, as security_check_context(3) asks). */
static int check_label(const struct spec_string *label, struct cloche_error *err)
{
	int r = label->text ? fd_write_file(AT_FDCWD, "/sys/fs/selinux/context", label->text) : 0;

	if (r == 0)
		return 0;
	err->use = label->use;
	return error_set(err, ERROR_LABEL_INVALID, -r, label->text);
}

static void no_descriptors(struct enter *enter)
{
	enter->error_fd = enter->status_fd = enter->go_fd = enter->ready_fd = enter->net_mapped_fd =
		enter->net_go_fd = enter->supervisor_pidfd = -EBADF;
	enter->terminal = (struct enter_terminal){ .channel_fd = -EBADF,
						   .spare_fd = -EBADF,
						   .slave_fd = -EBADF };
	enter->inner_fds[0] = enter->inner_fds[1] = -EBADF;
	for (size_t i = 0; i < ARRAY_SIZE(enter->stdio_fds); i++)
		enter->stdio_fds[i] = -EBADF;
	enter->init_fd_count = 0;
}

static int prepare_lists(struct enter *enter, struct cloche_error *err)
{
	const struct spec *spec = enter->plan->spec;

	enter->fd_list = new_fds(spec->keep_fd_count + 1);
	enter->init_fds = new_fds(spec->sync_fd_count + spec->lock_file_count + 5);
	return enter->fd_list && enter->init_fds ? 0 : error_no_memory(err);
}

int prepare_late(struct enter *enter, struct cloche_error *err)
{
	int r;

	no_descriptors(enter);
	enter->enters_late = true;
	r = prepare_command(enter, err);
	if (r == 0)
		r = prepare_environment(enter, err);
	return r == 0 ? prepare_lists(enter, err) : r;
}

int prepare_enter(struct enter *enter, struct cloche_error *err)
{
	const struct spec *spec = enter->plan->spec;
	int r;

	no_descriptors(enter);
	enter->signaller = -1;
	enter->umask = umask(0);
	(void)umask(enter->umask);
	r = prepare_mounts(&enter->mounts, enter->plan, err);
	if (r == 0)
		r = check_label(&spec->exec_label, err);
	if (r == 0)
		r = check_label(&spec->file_label, err);
	if (r == 0)
		r = prepare_command(enter, err);
	if (r == 0)
		r = prepare_environment(enter, err);
	if (r == 0)
		r = policy_prepare(enter, err);
	if (r == 0)
		r = prepare_filters(enter, err);
	if (r == 0)
		r = prepare_inner_maps(enter, err);
	if (r == 0)
		r = stdio_open(enter, err); /* last: it may empty a file */
	return r == 0 ? prepare_lists(enter, err) : r;
}

void prepare_free(struct enter *enter)
{
	for (size_t i = 0; i < enter->filter_count; i++)
		free(enter->filters[i].filter);
	for (char **word = enter->command; word && *word; word++)
		free(*word);
	free(enter->command);
	free(enter->file);
	free(enter->environment);
	free(enter->exec_label);
	free(enter->inner_uid_map);
	free(enter->inner_gid_map);
	free(enter->policy_is_owned ? enter->policy.filter : NULL);
	free(enter->filters);
	free(enter->pwd);
	free(enter->fd_list);
	free(enter->init_fds);
	free(enter->mounts.node_trees);
	free(enter->mounts.trees);
	free(enter->mounts.upper_fds);
	free(enter->mounts.work_fds);
	free(enter->mounts.layer_fds);
	free(enter->mounts.own_devices);
}
