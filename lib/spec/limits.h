/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Limits, as plain data, and the words in which they are given. Two kinds: what the kernel keeps of
 * a process and its children (rlimits, niceness, processors, ...), set in the process that becomes
 * COMMAND; and what it keeps of a group of processes, files of a cgroup of version 2 that holds all
 * of the sandbox.
 *
 * The readers of words are pure, strict (the whole word, every number in range) and write their
 * result on success only.
 */
#pragma once

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/util.h"

struct limit_rlimit {
	int resource;	     /* RLIMIT_... */
	uint64_t soft, hard; /* RLIM_INFINITY: unlimited */
	int use;
};

/* A number that may be left out. */
struct limit_number {
	bool is_set;
	uint64_t value;
	int use;
};

struct limit_signed {
	bool is_set;
	int value;
	int use;
};

/* Limits of a group that are one number in one file. */
enum group_limit {
	LIMIT_MEMORY,
	LIMIT_MEMORY_HIGH,
	LIMIT_SWAP,
	LIMIT_PIDS,
	LIMIT_CPUS, /* microseconds of processor time in LIMIT_CPU_PERIOD */
	LIMIT_CPU_WEIGHT,
	LIMIT_COUNT
};

#define LIMIT_CPU_PERIOD 100000 /* microseconds: the kernel's default */

enum io_rate {
	IO_READ_BYTES,
	IO_WRITE_BYTES,
	IO_READ_CALLS,
	IO_WRITE_CALLS,
	IO_RATE_COUNT
};

struct limit_io {
	const char *path; /* the device's or a file's on it; NULL: major and minor tell */
	unsigned major, minor;
	uint64_t rate[IO_RATE_COUNT]; /* per second; 0: none */
	int use;
};

/* Controllers of cgroup v2, as bits. */
enum group_controller {
	CONTROLLER_MEMORY = 1 << 0,
	CONTROLLER_PIDS = 1 << 1,
	CONTROLLER_CPU = 1 << 2,
	CONTROLLER_IO = 1 << 3
};

#define CONTROLLER_COUNT 4

/* What the options say. */
struct spec_limits {
	struct limit_rlimit *rlimits;
	size_t rlimit_count;
	struct limit_signed nice, oom_score_adj, ionice; /* ionice as ioprio_set(2) takes it */
	bool has_affinity;
	cpu_set_t affinity;
	int affinity_use;
	struct limit_number group[LIMIT_COUNT];
	struct limit_io *io;
	size_t io_count;
};

/* Where the group is made. */
enum group_place {
	PLACE_NONE, /* there is none */
	PLACE_AUTO,
	PLACE_PATH,
	PLACE_SYSTEMD
};

struct plan_limits {
	bool no_core; /* COMMAND's crashes leave no core file and reach no handler */
	enum group_place place;
	const char *path;     /* of PLACE_PATH, borrowed */
	unsigned controllers; /* enum group_controller: those that must be there */
	int use;	      /* the option that made the group necessary */
};

/** limit_controller_name - the kernel's name of controller number @index, 0 to CONTROLLER_COUNT - 1
 */
const char *limit_controller_name(size_t index);

/** limit_group_file - the file of @limit in a group, and the bit of the controller that makes it */
const char *limit_group_file(enum group_limit limit, unsigned *ret_controller);

/** limit_rlimit_name - the name of @resource as --rlimit takes it; NULL for an unknown one */
const char *limit_rlimit_name(int resource);

/** limit_io_key - the key of @rate in --io-max and io.max */
const char *limit_io_key(enum io_rate rate);

/** limit_parse_rlimit - read "NAME=SOFT[:HARD]"; HARD is SOFT where it is left out. 0 or -EINVAL;
 * use is not set */
must_check int limit_parse_rlimit(const char *text, struct limit_rlimit *ret_limit);

/** limit_parse_int - read a decimal from @min to @max, with a sign or without; 0 or -EINVAL */
must_check int limit_parse_int(const char *text, int min, int max, int *ret_number);

/** limit_parse_cpu_list - read processors as "0-3,5", at most 1024; 0 or -EINVAL */
must_check int limit_parse_cpu_list(const char *text, cpu_set_t *ret_cpus);

/** limit_parse_cpus - read a number of processors, at most 4 digits and 5 behind a point, as
 * microseconds of LIMIT_CPU_PERIOD; the kernel takes 1000 and more (0.01 processors). 0 or -EINVAL
 */
must_check int limit_parse_cpus(const char *text, uint64_t *ret_quota);

/** limit_parse_ionice - read "CLASS[:LEVEL]" as ioprio_set(2) takes it: realtime, best-effort
 * (level 0 to 7, default 4), idle. 0 or -EINVAL */
must_check int limit_parse_ionice(const char *text, int *ret_priority);

/**
 * limit_parse_io - read "DEV:KEY=RATE[,KEY=RATE...]"
 * @text: cut into pieces in place; ret_io->path is one of them
 *
 * DEV is MAJOR:MINOR or an absolute path. Each key at most once. Returns: 0 or -EINVAL; use is not
 * set.
 */
must_check int limit_parse_io(char *text, struct limit_io *ret_io);
