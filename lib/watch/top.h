/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * cloche top: what sandboxes with a name use, and how their processes are related. What is shown is
 * what procfs says of the supervisor and all that descends from it.
 */
#pragma once

#include "watch/registry.h"

/* Sums over a supervisor and its descendants. */
struct top_sum {
	uint64_t memory; /* bytes resident, shared pages counted in each process */
	double seconds;	 /* of processor time, of those that have ended and been reaped, too */
	unsigned tasks;	 /* processes */
};

/** top_sum - add up @pid and its descendants */
struct top_sum top_sum(pid_t pid);

/** top_all - print all sandboxes; on a terminal again and again, until a signal ends it. Returns:
 * an exit status */
int top_all(int registry_fd);

/** top_one - print the processes of @entry; returns an exit status */
int top_one(const struct registry_entry *entry);

/** top_command - print the words of the COMMAND that @entry told of, escaped or as a list of JSON
 * strings */
struct json_document;
void top_command(const struct json_document *told, bool is_json);
