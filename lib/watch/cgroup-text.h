/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Files of the kernel about cgroups, as text (cgroups(7), Documentation/admin-guide/cgroup-v2.rst).
 * Pure and strict: what does not look as documented is -EINVAL, and nothing is written then.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/util.h"

struct cgroup_own {
	char path[PATH_MAX]; /* in version 2, from the root of our cgroup namespace; begins with "/"
			      */
	bool has_v1;	     /* some controller is in version 1 */
};

/**
 * cgroup_text_own - read /proc/self/cgroup
 *
 * -ENOENT: there is no version 2, or the group was removed. A path with ".." (outside our cgroup
 * namespace) is -EXDEV.
 */
must_check int cgroup_text_own(const char *text, struct cgroup_own *ret_own);

/** cgroup_text_controllers - read cgroup.controllers or cgroup.subtree_control: enum
 * group_controller; others are ignored */
must_check int cgroup_text_controllers(const char *text, unsigned *ret_controllers);

/** cgroup_text_number - read a file of one number; "max" is UINT64_MAX */
must_check int cgroup_text_number(const char *text, uint64_t *ret_number);

/** cgroup_text_key - read the number behind @key in a file of "KEY NUMBER" lines; -ENOENT where
 * there is no such key */
must_check int cgroup_text_key(const char *text, const char *key, uint64_t *ret_number);

/** cgroup_text_io - read io.stat: bytes read and written, of all devices */
must_check int cgroup_text_io(const char *text, uint64_t *ret_read, uint64_t *ret_written);

/** CGROUP_PREFIX, CGROUP_OUTSIDE - a group of ours is called PREFIX PID "-" NUMBER, and OUTSIDE */
#define CGROUP_PREFIX "cloche-"
#define CGROUP_OUTSIDE "-outside"

/** cgroup_text_is_ours - is @name one that we give to groups, and nobody else would? */
bool cgroup_text_is_ours(const char *name);

/** cgroup_text_pids - read cgroup.procs one by one: the pid at *@text, which is moved on; 0 at the
 * end, -EINVAL */
must_check int cgroup_text_pids(const char **text);
