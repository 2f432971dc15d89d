/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * When COMMAND is asked to end, and when it is killed. Pure but for the clock, which its callers
 * read.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "spec/plan.h"

/* A second Ctrl-C within this time kills. */
#define STOP_INTERRUPT_NS 5000000000ull

/* Times are of CLOCK_MONOTONIC in nanoseconds; 0: never. */
struct stop {
	uint64_t ask_at, kill_at;
	uint64_t interrupted_at; /* the last Ctrl-C */
	bool timed_out;
};

enum stop_action {
	STOP_NOTHING,
	STOP_ASK, /* send the stop signal */
	STOP_KILL
};

/** stop_now - CLOCK_MONOTONIC in nanoseconds */
uint64_t stop_now(void);

/** stop_start - the time begins to run at @now */
void stop_start(struct stop *stop, const struct plan *plan, uint64_t now);

/** stop_due - what is to be done at @now; each is returned once */
enum stop_action stop_due(struct stop *stop, const struct plan *plan, uint64_t now);

/** stop_patience - milliseconds from @now until something is due, rounded up; -1: never */
int stop_patience(const struct stop *stop, uint64_t now);

/** stop_asked - somebody else asked COMMAND to end */
void stop_asked(struct stop *stop, const struct plan *plan, uint64_t now);

/** stop_interrupted - the terminal's Ctrl-C came; is it the second, which kills? */
bool stop_interrupted(struct stop *stop, uint64_t now);
