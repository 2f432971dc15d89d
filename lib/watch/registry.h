/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The user's sandboxes that have a name (--name), as files in a directory of the user's:
 *   NAME.lock    what the supervisor tells of the sandbox, one JSON object; locked by the
 * supervisor as long as it lives NAME.socket  its control socket
 */
#pragma once

#include "base/error.h"
#include "spec/facts.h"
#include "spec/plan.h"

/**
 * registry_open - the directory: cloche in $XDG_RUNTIME_DIR, else in /run/user/UID (root: /run)
 * @runtime_dir: the variable's value, NULL where it is not set or not to be believed
 * @creates: make it where it is missing
 *
 * It must be the user's alone (mode 0700). Returns: descriptor, or -errno with @err filled; -ENOENT
 * without @err where it is missing and
 * @creates is not set.
 */
must_check int registry_open(const char *runtime_dir, bool creates, struct cloche_error *err);

/* The supervisor's own entry. */
struct registry {
	int dir_fd, lock_fd; /* -1: no name was given */
	char name[SPEC_NAME_MAX + 1];
};

#define REGISTRY_INIT ((struct registry){ .dir_fd = -EBADF, .lock_fd = -EBADF })

/** registry_enter - take the plan's name, and tell what others may know; an error if another
 * sandbox has it. What one that was killed left is taken away. */
must_check int registry_enter(struct registry *registry, const struct plan *plan,
			      const struct facts *facts, struct cloche_error *err);

/** registry_leave - take the name away */
void registry_leave(struct registry *registry);

/* One entry, as others see it. */
struct registry_entry {
	char name[SPEC_NAME_MAX + 1];
	pid_t pid;  /* the supervisor, as the kernel names the holder of the lock */
	int pidfd;  /* ... -1 where it cannot be had */
	char *text; /* what it told, NUL-terminated; owned */
};

/** registry_name_of - the name that the file @file of the directory stands for; false: for none */
bool registry_name_of(const char *file, char ret_name[SPEC_NAME_MAX + 1]);

/**
 * registry_read - look at the entry @name
 *
 * The kernel tells who holds the lock, so that nobody is taken for a supervisor because a file says
 * so. Returns: 1 with *@ret_entry filled, 0 where there is no such sandbox (what it left is taken
 * away), -errno.
 */
must_check int registry_read(int dir_fd, const char *name, struct registry_entry *ret_entry);

/** registry_connect - connect to the control socket of @name; descriptor or -errno */
must_check int registry_connect(int dir_fd, const char *name);

/** registry_listen - make that socket; descriptor or -errno */
must_check int registry_listen(const struct registry *registry);

/** registry_open_log - open what COMMAND of @name printed (--detach), for reading, or made anew for
 * its supervisor; descriptor or -errno */
must_check int registry_open_log(int dir_fd, const char *name, bool is_new);

/** registry_entry_free - release what registry_read() made */
void registry_entry_free(struct registry_entry *entry);
