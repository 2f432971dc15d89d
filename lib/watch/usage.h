/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * --usage-fd: what a sandbox used, as one JSON object.
 */
#pragma once

#include <sys/resource.h>
#include <time.h>

#include "spec/spec.h"

/* A number that may be unknown. */
struct usage_number {
	bool is_known;
	uint64_t value;
};

struct usage {
	struct timespec start;		  /* CLOCK_MONOTONIC */
	struct usage_number user, system; /* microseconds */
	struct usage_number max_rss, memory_peak, pids_peak, bytes_read, bytes_written, oom_kills;
	struct usage_number net_sent, net_received; /* bytes, by --net */
};

/** usage_start - take the time */
void usage_start(struct usage *usage);

/** usage_add_rusage - what the kernel told of a child and all its children, when it was waited for
 */
void usage_add_rusage(struct usage *usage, const struct rusage *rusage);

/**
 * usage_write - write the object to the descriptor of --usage-fd, if it was given
 * @usage: NULL where nothing was started: all is null then
 * @status: our own exit status
 */
void usage_write(const struct spec *spec, const struct usage *usage, int status);
