/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The table of namespaces.
 */
#include "spec/namespaces.h"

#include <linux/sched.h>

const struct ns_info ns_infos[NS_COUNT] = {
	[NS_USER] = { CLONE_NEWUSER, "user", "user", "userns" },
	[NS_MOUNT] = { CLONE_NEWNS, "mount", "mnt", "" },
	[NS_PID] = { CLONE_NEWPID, "pid", "pid", "pidns" },
	[NS_NET] = { CLONE_NEWNET, "net", "net", "netns" },
	[NS_IPC] = { CLONE_NEWIPC, "ipc", "ipc", "ipcns" },
	[NS_UTS] = { CLONE_NEWUTS, "uts", "uts", "utsns" },
	[NS_CGROUP] = { CLONE_NEWCGROUP, "cgroup", "cgroup", "cgroupns" },
	[NS_TIME] = { CLONE_NEWTIME, "time", "time", "timens" },
};
