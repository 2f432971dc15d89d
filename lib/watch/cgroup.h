/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The sandbox's cgroup (version 2), made by the supervisor before clone and removed by it at the
 *end:
 *
 *	PARENT/cloche-PID-N	limits are written here; its files belong to us
 *	PARENT/cloche-PID-N/box	the sandbox's processes: to those this is the root of their cgroup
 *namespace, so that nothing they can mount shows them the group with the limits, whose files are
 *theirs
 *
 * PARENT is a group that was delegated to us. Where we are in it ourselves we first move to
 *PARENT/cloche-PID-N-outside, since a group with processes cannot have controllers for groups below
 *it ("no internal processes").
 *
 * We hold a lock on the group as long as we live. Should we be killed, a guard process removes it,
 *and should that be killed too, the next start in PARENT does: it removes all groups of such names
 *that nobody holds locked. In a scope of systemd's making there is no guard: systemd removes it all
 *when no process is left.
 */
#pragma once

#include <limits.h>

#include "spec/plan.h"

struct usage;

struct cgroup {
	int parent_fd;	/* -EBADF: there is no group */
	int group_fd;	/* holds the lock */
	int box_fd;	/* for CLONE_INTO_CGROUP */
	int outside_fd; /* lock of the group we moved to, -EBADF */
	char name[40];
	bool in_scope; /* systemd made PARENT for us */
	pid_t guard;   /* 0: none */
};

#define CGROUP_INIT ((struct cgroup){ -EBADF, -EBADF, -EBADF, -EBADF, "", false, 0 })

/* What was found of PARENT. */
struct cgroup_place {
	int fd;		      /* its directory */
	char path[PATH_MAX];  /* for messages */
	unsigned controllers; /* those it can have for groups below */
	bool is_own;	      /* we are in it, alone */
	bool in_scope;
};

/**
 * cgroup_find - find or get PARENT as the plan wants it (cgroup-find.c)
 *
 * May run the helper program cloche-scope, after which we are in another group. Returns: 0, or
 * -errno with @err filled.
 */
must_check int cgroup_find(const struct plan *plan, const struct facts *facts,
			   struct cgroup_place *ret_place, struct cloche_error *err);

/** cgroup_read - the file @name below @dir_fd in new memory, which the caller frees; NULL where it
 * cannot be read */
char *cgroup_read(int dir_fd, const char *name);

/** cgroup_make - make the group as planned; nothing where there is to be none. Returns: 0, or
 * -errno with @err filled; cgroup_remove() in any case */
must_check int cgroup_make(struct cgroup *cgroup, const struct plan *plan,
			   const struct facts *facts, struct cloche_error *err);

/** cgroup_change - set other limits while COMMAND runs; 0 or -errno with @err filled */
must_check int cgroup_change(const struct cgroup *cgroup, const struct spec_limits *limits,
			     struct cloche_error *err);

/** cgroup_freeze - stop all that is in the group, or let it go on; 0 or -errno with @err filled */
must_check int cgroup_freeze(const struct cgroup *cgroup, bool freezes, struct cloche_error *err);

/**
 * cgroup_end - kill what is in the group and remove it; fine without one
 * @usage: what the group tells is filled in
 *
 * Warns where processes were killed for their memory, and where something is left.
 */
void cgroup_end(struct cgroup *cgroup, const struct plan *plan, struct usage *usage);

/** cgroup_clear - kill all in the group @name below @parent_fd and remove it with all below; 0 or
 * -errno. Never allocates */
must_check int cgroup_clear(int parent_fd, const char *name);

/** cgroup_guard_start - leave a process behind that clears the group when we die (cgroup-guard.c);
 * its pid or -errno */
must_check pid_t cgroup_guard_start(const struct cgroup *cgroup);

/** cgroup_guard_stop - end it */
void cgroup_guard_stop(pid_t pid);
