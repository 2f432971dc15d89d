/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of lib/spec/plan-namespaces.c and plan-caps.c: namespaces that are joined, clocks,
 * names, pins, capabilities by set, and set-user-ID programs.
 */
#include <linux/capability.h>
#include <linux/sched.h>
#include <string.h>

#include "plan-input.h"

#define NET_RAW (1ull << CAP_NET_RAW)
#define CHOWN (1ull << CAP_CHOWN)
#define KILL (1ull << CAP_KILL)

static struct spec_ns ns_of(int use)
{
	return (struct spec_ns){ .is_set = true, .path = "/x/y", .fd = -1, .use = use };
}

static struct spec_string text_of(const char *text, int use)
{
	return (struct spec_string){ .text = text, .use = use };
}

/* ---- joining ---- */

/* What is joined is not made, and nothing else changes. */
static void test_join(void)
{
	static const int types[] = { NS_NET, NS_IPC, NS_UTS, NS_CGROUP, NS_TIME };
	struct spec spec = empty_spec("cloche");
	struct plan all = planned(&spec, root_facts());

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		uint64_t flag = ns_infos[types[i]].flag;
		struct plan plan;

		spec = empty_spec("cloche");
		spec.namespaces.join[types[i]] = ns_of(0);
		plan = planned(&spec, root_facts());
		CHECK_INT(plan.joined, flag);
		CHECK_INT(plan.clone_flags, all.clone_flags & ~flag);
		CHECK(plan.brings_up_lo == (types[i] != NS_NET) && !plan.new_time);
		plan_free(&plan);
		/* --unshare-all means the rest. */
		spec.unshare = CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS;
		spec.unshare_try = CLONE_NEWUSER | CLONE_NEWCGROUP;
		plan = planned(&spec, root_facts());
		CHECK_INT(plan.clone_flags, all.clone_flags & ~flag);
		plan_free(&plan);
	}
	plan_free(&all);
}

static void test_join_conflicts(void)
{
	static const int types[] = { NS_NET, NS_IPC, NS_UTS, NS_CGROUP, NS_TIME };
	struct cloche_error err = ERROR_INIT;
	struct plan plan;
	struct spec spec;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		spec = empty_spec("bwrap");
		spec.namespaces.join[types[i]] = ns_of(3);
		spec.unshare = spec.namespaces.unshare_named = ns_infos[types[i]].flag;
		refused(&spec, root_facts(), ERROR_JOIN_CONFLICT, 3);
		spec.unshare = spec.namespaces.unshare_named = 0;
		spec.share = ns_infos[types[i]].flag;
		refused(&spec, root_facts(), ERROR_JOIN_CONFLICT, 3);
		spec.share = 0;
		plan = planned(&spec, root_facts());
		plan_free(&plan);
	}
	spec.unshare = spec.namespaces.unshare_named = CLONE_NEWTIME;
	CHECK(plan_make(&plan, &spec, root_facts(), &err) < 0);
	CHECK_STR(err.path, "unshare-time");
	CHECK_STR(err.detail, "time");
	plan_free(&plan);
}

/* A pid namespace may be made below a joined one. */
static void test_join_pid(void)
{
	struct spec spec = empty_spec("bwrap");
	struct plan plan;

	spec.namespaces.join[NS_PID] = ns_of(0);
	spec.unshare = spec.namespaces.unshare_named = CLONE_NEWPID;
	plan = planned(&spec, root_facts());
	CHECK(plan.clone_flags & CLONE_NEWPID && plan.joined == CLONE_NEWPID);
	plan_free(&plan);
	spec.share = CLONE_NEWPID;
	spec.unshare = spec.namespaces.unshare_named = 0;
	refused(&spec, root_facts(), ERROR_JOIN_CONFLICT, 0);
}

/* ---- clocks, names, pins ---- */

static void test_time(void)
{
	struct spec spec = empty_spec("cloche");
	struct plan plan = planned(&spec, ordinary_facts());

	CHECK(!plan.new_time);
	plan_free(&plan);
	spec.unshare = spec.namespaces.unshare_named = CLONE_NEWTIME;
	plan = planned(&spec, ordinary_facts());
	CHECK(plan.new_time && !(plan.clone_flags & CLONE_NEWTIME)); /* a part of clone's signal */
	plan_free(&plan);
	for (int clock = 0; clock < OFFSET_COUNT; clock++) {
		spec = empty_spec("cloche");
		spec.namespaces.offset[clock] = (struct spec_offset){ .is_set = true, .use = 5 };
		refused(&spec, ordinary_facts(), ERROR_OFFSET_NEEDS, 5);
		spec.namespaces.join[NS_TIME] = ns_of(0); /* whose clocks are set for good */
		refused(&spec, ordinary_facts(), ERROR_OFFSET_NEEDS, 5);
	}
}

static void test_names(void)
{
	struct spec spec = empty_spec("cloche");
	struct plan plan;

	spec.hostname = text_of("h", 1);
	spec.namespaces.domainname = text_of("d", 2);
	plan = planned(&spec, ordinary_facts());
	plan_free(&plan);
	spec.namespaces.join[NS_UTS] = ns_of(0); /* whose names are not ours to change */
	refused(&spec, root_facts(), ERROR_NAME_NEEDS, 1);
	spec.hostname.text = NULL;
	refused(&spec, root_facts(), ERROR_NAME_NEEDS, 2);
}

static void test_pin(void)
{
	struct spec spec = empty_spec("bwrap");
	struct plan plan;

	spec.namespaces.pin = text_of("/run/x", 4);
	plan = planned(&spec, ordinary_facts());
	plan_free(&plan);
	spec.namespaces.join[NS_NET] = ns_of(0);
	plan = planned(&spec, root_facts());
	plan_free(&plan);
	spec.namespaces.join[NS_USER] = ns_of(1); /* no power over our mount namespace then */
	refused(&spec, root_facts(), ERROR_PIN_USERNS, 4);
}

/* ---- capabilities ---- */

static void check_caps(struct spec *spec, const struct facts *facts, uint64_t kept,
		       uint64_t ambient)
{
	struct plan plan = planned(spec, facts);

	CHECK_INT(plan.keep_caps, kept);
	CHECK_INT(plan.ambient_caps, ambient);
	plan_free(&plan);
}

static void test_ambient(void)
{
	struct cap_op ops[] = { { CAP_ADD, KILL },
				{ CAP_AMBIENT, NET_RAW },
				{ CAP_ADD, CHOWN },
				{ CAP_DROP, NET_RAW } };
	struct spec spec = empty_spec("cloche");

	spec.cap_ops = ops;
	check_caps(&spec, ordinary_facts(), 0, 0);
	spec.cap_op_count = 1; /* none named: all of them */
	check_caps(&spec, ordinary_facts(), KILL, KILL);
	spec.cap_op_count = 3;
	check_caps(&spec, ordinary_facts(), KILL | NET_RAW | CHOWN, NET_RAW);
	spec.cap_op_count = 4; /* named, and taken again */
	check_caps(&spec, ordinary_facts(), KILL | CHOWN, 0);
	spec = empty_spec("bwrap");
	check_caps(&spec, root_facts(), root_facts()->permitted, 0);
	spec.cap_ops = &ops[3];
	spec.cap_op_count = 1;
	check_caps(&spec, root_facts(), root_facts()->permitted & ~NET_RAW,
		   root_facts()->permitted & ~NET_RAW);
	spec.cap_ops = &ops[1];
	check_caps(&spec, root_facts(), root_facts()->permitted, NET_RAW);
}

/* The three cases of what is done about the other sets. */
static void test_other_sets(void)
{
	struct cap_op op = { CAP_DROP, CHOWN };
	struct spec spec = empty_spec("cloche");
	struct plan plan = planned(&spec, root_facts());

	CHECK(plan.locks_root && plan.trims_bounding && !plan.leaves_caps && plan.new_keyring);
	plan_free(&plan);
	spec = empty_spec("bwrap");
	plan = planned(&spec, root_facts());
	CHECK(!plan.locks_root && plan.leaves_caps && !plan.new_keyring);
	plan_free(&plan);
	spec.cap_ops = &op;
	spec.cap_op_count = 1;
	spec.flag_use[FLAG_NEW_KEYRING] = 0;
	plan = planned(&spec, root_facts());
	CHECK(!plan.locks_root && !plan.trims_bounding && !plan.leaves_caps && plan.new_keyring);
	plan_free(&plan);
	spec = empty_spec("bwrap");
	plan = planned(&spec, ordinary_facts());
	CHECK(!plan.locks_root && plan.trims_bounding && !plan.leaves_caps);
	plan_free(&plan);
}

/* ---- --allow-suid ---- */

static struct id_range range_of(uint32_t inside, uint32_t outside, uint32_t count)
{
	return (struct id_range){ .inside = inside, .outside = outside, .count = count, .use = 0 };
}

/* Two ranges for users and for groups; what is @wrong with them is refused with @code. */
static void check_suid(struct id_range users, struct id_range groups, enum error_code wrong)
{
	const struct option_row row = { .name = "uid-map" };
	struct option_use uses[] = { { .row = &row } };
	struct spec spec = empty_spec("cloche");
	struct plan plan;

	spec.uses = uses;
	spec.use_count = 1;
	spec.ids.uid_ranges = &users;
	spec.ids.gid_ranges = &groups;
	spec.ids.uid_range_count = users.count != 0;
	spec.ids.gid_range_count = groups.count != 0;
	spec.flag_use[FLAG_ALLOW_SUID] = 7;
	if (wrong) {
		refused(&spec, root_facts(), wrong, 7);
		return;
	}
	plan = planned(&spec, root_facts());
	CHECK(plan.allow_suid);
	plan_free(&plan);
	spec.flag_use[FLAG_ALLOW_SUID] = -1;
	plan = planned(&spec, root_facts());
	CHECK(!plan.allow_suid);
	plan_free(&plan);
}

static void test_allow_suid(void)
{
	const struct id_range good = range_of(0, 100000, 1000), none = { 0 };

	check_suid(good, good, ERROR_NONE);
	check_suid(none, none, ERROR_SUID_NEEDS_MAPS);
	check_suid(good, none, ERROR_SUID_NEEDS_MAPS);
	check_suid(none, good, ERROR_SUID_NEEDS_MAPS);
	check_suid(range_of(1, 100000, 1000), good, ERROR_SUID_NEEDS_MAPS);
	check_suid(good, range_of(1, 100000, 1000), ERROR_SUID_NEEDS_MAPS);
	check_suid(range_of(0, 0, 1000), good, ERROR_SUID_HOST_ROOT);
	check_suid(good, range_of(0, 0, 1000), ERROR_SUID_HOST_ROOT);
}

/* What is kept is then for the programs, not for COMMAND, unless it is named. */
static void test_allow_suid_caps(void)
{
	struct cap_op ops[] = { { CAP_ADD, KILL | CHOWN }, { CAP_AMBIENT, CHOWN } };
	struct id_range range = range_of(0, 100000, 1000);
	const struct option_row row = { .name = "uid-map" };
	struct option_use uses[] = { { .row = &row } };
	struct spec spec = empty_spec("cloche");

	spec.uses = uses;
	spec.use_count = 1;
	spec.ids.uid_ranges = spec.ids.gid_ranges = &range;
	spec.ids.uid_range_count = spec.ids.gid_range_count = 1;
	spec.flag_use[FLAG_ALLOW_SUID] = 0;
	spec.cap_ops = ops;
	spec.cap_op_count = 1;
	check_caps(&spec, root_facts(), KILL | CHOWN, 0);
	spec.cap_op_count = 2;
	check_caps(&spec, root_facts(), KILL | CHOWN, CHOWN);
}

int main(void)
{
	test_join();
	test_join_conflicts();
	test_join_pid();
	test_time();
	test_names();
	test_pin();
	test_ambient();
	test_other_sets();
	test_allow_suid();
	test_allow_suid_caps();
	return 0;
}
