/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * SELinux labels through /proc/self/attr (proc_pid_attr(5)), without libselinux: one write each.
 * The procfs was checked to be one when it was opened.
 */
#include "base/fd.h"
#include "base/str.h"
#include "enter/enter.h"

int label_set(const struct enter *enter, const char *name, const char *label,
	      struct cloche_error *err)
{
	char path[32];
	struct str_buf text = { .data = path, .size = sizeof(path) };
	int r;

	str_add(&text, "thread-self/attr/");
	str_add(&text, name);
	r = fd_write_file(enter->mounts.host_proc_fd, path, label);
	return r < 0 ? error_set(err, ERROR_LABEL, -r, label) : 0;
}
