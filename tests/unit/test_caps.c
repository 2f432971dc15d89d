/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of lib/enter/caps.c: the capability sets of COMMAND and of the init process, in child
 * processes. Most of it needs capabilities to begin with, so root's half of the tests does more.
 */
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "enter/enter.h"
#include "spec-input.h"

#define NET_RAW (1ull << CAP_NET_RAW)
#define CHOWN (1ull << CAP_CHOWN)

struct sets {
	uint64_t effective, permitted, inheritable, bounding, ambient;
};

static struct sets read_sets(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	struct sets sets;

	CHECK(syscall(SYS_capget, &header, data) == 0);
	sets = (struct sets){
		.effective = data[0].effective | (uint64_t)data[1].effective << 32,
		.permitted = data[0].permitted | (uint64_t)data[1].permitted << 32,
		.inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32,
	};
	for (unsigned long cap = 0; cap < 64; cap++) {
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			sets.bounding |= 1ull << cap;
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) == 1)
			sets.ambient |= 1ull << cap;
	}
	return sets;
}

/* All five sets are @caps and nothing else. */
static void check_sets(uint64_t caps)
{
	struct sets sets = read_sets();

	CHECK(sets.effective == caps && sets.permitted == caps && sets.inheritable == caps);
	CHECK(sets.ambient == caps);
	CHECK(sets.bounding == caps);
}

static struct plan plan_of(struct spec *spec, uint64_t keep_caps, uint64_t clone_flags)
{
	bool bwrap = spec->personality->keeps_root_caps;

	return (struct plan){
		.spec = spec,
		.personality = spec->personality,
		.keep_caps = keep_caps,
		.ambient_caps = keep_caps,
		.trims_bounding = clone_flags & CLONE_NEWUSER || !bwrap,
		.locks_root = !bwrap,
		.leaves_caps = bwrap && !(clone_flags & CLONE_NEWUSER) && getuid() == 0,
		.clone_flags = clone_flags,
		.outer_uid = getuid(),
	};
}

static void drop(const struct plan *plan)
{
	struct cloche_error err = ERROR_INIT;

	CHECK_INT(caps_drop(plan, &err), 0);
	CHECK_INT(err.code, ERROR_NONE);
}

static void drop_all(void *personality)
{
	struct spec spec = empty_spec(personality);
	struct plan plan = plan_of(&spec, 0, CLONE_NEWUSER);

	drop(&plan);
	check_sets(0);
	/* As cloche, not even a set-user-ID root program would bring them back. */
	CHECK_INT(prctl(PR_GET_SECUREBITS) != 0, strcmp(personality, "cloche") == 0);
}

static void keep_some(void *personality)
{
	struct spec spec = empty_spec(personality);
	struct plan plan = plan_of(&spec, NET_RAW | CHOWN, CLONE_NEWUSER);

	drop(&plan);
	check_sets(NET_RAW | CHOWN);
}

/* What no option asked for is kept, but not raised for other users and programs. */
static void keep_without_raising(void *context)
{
	struct spec spec = empty_spec("bwrap");
	struct plan plan = plan_of(&spec, NET_RAW, CLONE_NEWUSER);
	struct sets sets;

	(void)context;
	plan.ambient_caps = 0;
	drop(&plan);
	sets = read_sets();
	CHECK(sets.effective == NET_RAW && sets.permitted == NET_RAW && sets.bounding == NET_RAW);
	CHECK(!sets.inheritable && !sets.ambient);
}

static void keep_all(void *personality)
{
	uint64_t permitted = read_sets().permitted;
	struct spec spec = empty_spec(personality);
	struct plan plan = plan_of(&spec, UINT64_MAX, CLONE_NEWUSER);

	drop(&plan);
	CHECK(read_sets().permitted == permitted); /* what is not there cannot be kept */
	CHECK(read_sets().effective == permitted);
}

/* Real root as bwrap, without an option of capabilities: nothing is touched. */
static void keep_roots(void *context)
{
	struct sets before = read_sets(), after;
	struct spec spec = empty_spec("bwrap");
	struct plan plan = plan_of(&spec, UINT64_MAX, 0);

	(void)context;
	drop(&plan);
	after = read_sets();
	CHECK(memcmp(&before, &after, sizeof(before)) == 0);
}

/* ... with one: the sets follow it, and the bounding set stays as bubblewrap leaves it. */
static void drop_roots(void *context)
{
	struct sets before = read_sets(), after;
	struct spec spec = empty_spec("bwrap");
	struct plan plan = plan_of(&spec, 0, 0);

	(void)context;
	plan.leaves_caps = false;
	drop(&plan);
	after = read_sets();
	CHECK(!after.effective && !after.permitted && !after.inheritable && !after.ambient);
	CHECK(after.bounding == before.bounding);
}

/* The init process keeps the one that COMMAND never has, and that one only in reach. */
static void guard(void *context)
{
	struct cloche_error err = ERROR_INIT;
	uint64_t had = read_sets().permitted;
	struct sets sets;

	(void)context;
	CHECK_INT(caps_guard(&err), 0);
	sets = read_sets();
	CHECK(sets.permitted == (had & 1ull << CAP_WAKE_ALARM));
	CHECK(!sets.effective && !sets.inheritable && !sets.ambient);
}

/* Somebody without any capability has none to drop, and the bounding set cannot be trimmed: that is
 * an error. */
static void drop_nothing(void *context)
{
	struct spec spec = empty_spec("cloche");
	struct plan plan = plan_of(&spec, 0, CLONE_NEWUSER);
	struct cloche_error err = ERROR_INIT;

	(void)context;
	if (geteuid() == 0)
		CHECK(syscall(SYS_setresuid, 1234, 1234, 1234) == 0);
	CHECK_INT(caps_drop(&plan, &err), -EPERM);
	CHECK_INT(err.code, ERROR_CAPS);
}

int main(void)
{
	static char cloche[] = "cloche", bwrap[] = "bwrap";
	bool has_caps = read_sets().permitted & 1ull << CAP_SETPCAP;

	CHECK_INT(unit_in_child(drop_nothing, NULL), 0);
	CHECK_INT(unit_in_child(guard, NULL), 0);
	if (!has_caps)
		return 0;
	CHECK_INT(unit_in_child(drop_all, cloche), 0);
	CHECK_INT(unit_in_child(drop_all, bwrap), 0);
	CHECK_INT(unit_in_child(keep_some, cloche), 0);
	CHECK_INT(unit_in_child(keep_some, bwrap), 0);
	CHECK_INT(unit_in_child(keep_without_raising, NULL), 0);
	CHECK_INT(unit_in_child(keep_all, cloche), 0);
	if (geteuid() == 0) {
		CHECK_INT(unit_in_child(keep_roots, NULL), 0);
		CHECK_INT(unit_in_child(drop_roots, NULL), 0);
	}
	return 0;
}
