/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The kinds of namespaces and their names (namespaces(7)). Plain data.
 */
#pragma once

#include <stdint.h>

/* In the order in which they are joined: a user namespace gives the capability for the others. */
enum ns_type {
	NS_USER,
	NS_MOUNT,
	NS_PID,
	NS_NET,
	NS_IPC,
	NS_UTS,
	NS_CGROUP,
	NS_TIME,
	NS_COUNT
};

struct ns_info {
	uint64_t flag;	/* CLONE_NEW* */
	char name[8];	/* as options and people call it */
	char file[8];	/* as /proc/PID/ns does */
	char option[9]; /* that joins one; empty where there is none */
};

/** ns_infos - what belongs to each enum ns_type */
extern const struct ns_info ns_infos[NS_COUNT];
