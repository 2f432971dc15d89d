/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of lib/spec/plan-landlock.c: what a kernel's ABI and --isolation make of a spec.
 */
#include <sched.h>
#include <string.h>

#include "base/sys.h"
#include "plan-input.h"
#include "spec/plan-landlock.h"

#define SCOPES (SYS_LANDLOCK_ABSTRACT_UNIX | SYS_LANDLOCK_SIGNAL)
#define UDP (SYS_LANDLOCK_BIND_UDP | SYS_LANDLOCK_CONNECT_SEND_UDP)
#define TCP (SYS_LANDLOCK_BIND_TCP | SYS_LANDLOCK_CONNECT_TCP)

static struct facts *facts_with_abi(int abi)
{
	struct facts *facts = ordinary_facts();

	facts->landlock_abi = abi;
	return facts;
}

static struct plan plan_with(const char *personality, uint64_t share, enum isolation isolation,
			     int abi)
{
	static struct spec spec;

	spec = empty_spec(personality);
	spec.share = share;
	spec.landlock.isolation = isolation;
	return planned(&spec, facts_with_abi(abi));
}

static void test_scopes(void)
{
	const uint64_t both = CLONE_NEWNET | CLONE_NEWPID;
	struct plan plan;

	for (int abi = 0; abi < 10; abi++) {
		plan = plan_with("cloche", 0, ISOLATION_FULL, abi);
		CHECK_INT(plan.landlock.scoped, abi >= 6 ? SCOPES : 0);
		CHECK(!plan.landlock.is_tier && !plan.landlock.handled_fs &&
		      !plan.landlock.handled_net);
		plan_free(&plan);
		plan = plan_with("cloche", both, ISOLATION_TRY, abi);
		CHECK_INT(plan.landlock.scoped, abi >= 6 ? SCOPES : 0);
		plan_free(&plan);
		plan = plan_with("bwrap", both, ISOLATION_FULL, abi);
		CHECK_INT(plan.landlock.scoped, 0);
		plan_free(&plan);
	}
}

static void test_scopes_are_owed(void)
{
	struct spec spec = empty_spec("cloche");
	struct plan plan;

	spec.share_net_use = 3;
	spec.share_pid_use = 4;
	spec.share = CLONE_NEWNET;
	refused(&spec, facts_with_abi(5), ERROR_NO_SCOPES, 3);
	spec.share = CLONE_NEWPID;
	refused(&spec, facts_with_abi(5), ERROR_NO_SCOPES, 4);
	spec.share = CLONE_NEWIPC;
	plan = planned(&spec, facts_with_abi(5));
	plan_free(&plan);
	spec.share = 0;
	spec.namespaces.join[NS_PID] =
		(struct spec_ns){ .is_set = true, .fd = 5, .use = 5 }; /* not the host's either */
	plan = planned(&spec, facts_with_abi(5));
	plan_free(&plan);
}

static void test_ports(void)
{
	static struct port_range range = { 80, 80 };
	struct spec spec = empty_spec("cloche");
	struct plan plan;

	spec.landlock.connect_tcp = (struct spec_ports){ .ranges = &range, .count = 1, .use = 2 };
	refused(&spec, facts_with_abi(7), ERROR_TCP_NEEDS_NET, 2);
	spec.share = CLONE_NEWNET;
	plan = planned(&spec, facts_with_abi(7));
	CHECK_INT(plan.landlock.handled_net, SYS_LANDLOCK_CONNECT_TCP);
	CHECK_INT(plan.landlock.guards, GUARD_TCP);
	plan_free(&plan);
	spec.landlock.bind_tcp = (struct spec_ports){ .ranges = &range, .count = 1, .use = 5 };
	plan = planned(&spec, facts_with_abi(7));
	CHECK_INT(plan.landlock.handled_net, TCP);
	plan_free(&plan);
	spec.landlock.isolation = ISOLATION_TRY; /* what was asked for by name is not optional */
	plan = planned(&spec, facts_with_abi(4));
	plan_free(&plan);
	refused(&spec, facts_with_abi(3), ERROR_NO_TCP_RULES, 2);
	spec.landlock.connect_tcp.count = 0;
	refused(&spec, facts_with_abi(3), ERROR_NO_TCP_RULES, 5);
}

static void test_tier(void)
{
	struct spec spec = empty_spec("cloche");
	struct facts *facts;
	struct plan plan;

	spec.landlock.isolation = ISOLATION_TRY;
	spec.landlock.isolation_use = 6;
	plan = planned(&spec, ordinary_facts());
	CHECK(!plan.landlock.is_tier && plan.clone_flags & CLONE_NEWPID);
	plan_free(&plan);
	facts = ordinary_facts();
	facts->namespaces_errnum = EPERM;
	plan = planned(&spec, facts);
	CHECK(plan.landlock.is_tier && plan.landlock.wanted & CLONE_NEWPID);
	CHECK(plan.clone_flags == 0 && !plan.own_proc && !plan.brings_up_lo && !plan.in_place);
	CHECK(!plan.writes_id_maps && plan.max_userns == -1 && !plan.inner_userns);
	CHECK(plan.has_init && !plan.init_is_pid_1 && plan.ends_together);
	CHECK_INT(plan.landlock.handled_net, TCP); /* and no rule for any port */
	CHECK_INT(plan.landlock.guards, GUARD_NET | GUARD_UNIX);
	plan_free(&plan);
	facts->landlock_abi = 10;
	plan = planned(&spec, facts);
	CHECK_INT(plan.landlock.handled_net, TCP | UDP);
	CHECK_INT(plan.landlock.guards, GUARD_NET); /* the rules see to the others */
	plan_free(&plan);
	facts->landlock_abi = 3;
	plan = planned(&spec, facts);
	CHECK_INT(plan.landlock.handled_net, 0);
	plan_free(&plan);
	facts->landlock_abi = 7;
	spec.share = CLONE_NEWNET;
	plan = planned(&spec, facts);
	CHECK_INT(plan.landlock.handled_net, 0);
	plan_free(&plan);
	facts->landlock_abi = 0;
	refused(&spec, facts, ERROR_NO_LANDLOCK, 6);
	facts = ordinary_facts();
	facts->namespaces_errnum = EPERM;
	spec.landlock.isolation = ISOLATION_FULL; /* the failure is the child's to report */
	plan = planned(&spec, facts);
	CHECK(!plan.landlock.is_tier);
	plan_free(&plan);
}

/* The capabilities of real root as bubblewrap would undo every rule. */
static void test_tier_of_root(void)
{
	struct spec spec = empty_spec("bwrap");
	struct plan plan;

	spec.landlock.isolation = ISOLATION_LANDLOCK;
	plan = planned(&spec, root_facts());
	CHECK(plan.landlock.is_tier && plan.keep_caps == 0 && plan.landlock.scoped == 0);
	plan_free(&plan);
}

static uint64_t rights_of(const struct plan *plan, const char *path)
{
	for (size_t i = 0; i < plan->landlock.path_count; i++)
		if (strcmp(plan->landlock.paths[i].path, path) == 0)
			return plan->landlock.paths[i].rights;
	return 0;
}

static void test_rights(void)
{
	static const uint64_t newest[] = { 0, 0, 1 << 13, 1 << 14, 0, 1 << 15, 0, 0, 0, 1 << 16 };
	struct fs_op ops[] = {
		{ .type = OP_BIND, .source = "/rw", .dest = "/rw", .fd = -1 },
		{ .type = OP_BIND, .source = "/ro", .dest = "//ro/", .fd = -1, .flags = BIND_RO },
		{ .type = OP_BIND, .source = "/dev", .dest = "/dev", .fd = -1, .flags = BIND_DEV },
	};
	uint64_t all = (1 << 13) - 1;

	for (int abi = 1; abi < 10; abi++) {
		struct spec spec = empty_spec("bwrap");
		struct plan plan;

		spec.landlock.isolation = ISOLATION_LANDLOCK;
		spec.ops = ops;
		spec.op_count = ARRAY_SIZE(ops);
		plan = planned(&spec, facts_with_abi(abi));
		all |= newest[abi];
		CHECK_INT(plan.landlock.handled_fs, all);
		CHECK_INT(rights_of(&plan, "/dev"), all);
		/* Neither device nodes nor their ioctls. */
		CHECK_INT(rights_of(&plan, "/rw"), all & ~(uint64_t)(1 << 15 | 1 << 6 | 1 << 11));
		/* Execute, read files, read directories, connect to sockets. */
		CHECK_INT(rights_of(&plan, "//ro/"), all & (1 << 0 | 1 << 2 | 1 << 3 | 1 << 16));
		plan_free(&plan);
	}
}

/* Plans two binds in order, and tells with which code. */
static enum error_code two_binds(const char *first, int first_flags, const char *second,
				 int second_flags)
{
	struct fs_op ops[] = {
		{ .type = OP_BIND, .source = first, .dest = first, .flags = first_flags },
		{ .type = OP_BIND, .source = second, .dest = second, .flags = second_flags },
	};
	struct cloche_error err = ERROR_INIT;
	struct spec spec = empty_spec("cloche");
	struct plan plan;

	spec.flag_use[FLAG_BARE] = 0;
	spec.landlock.isolation = ISOLATION_LANDLOCK;
	spec.ops = ops;
	spec.op_count = ARRAY_SIZE(ops);
	if (plan_make(&plan, &spec, ordinary_facts(), &err) == 0)
		CHECK_INT(err.code, ERROR_NONE);
	plan_free(&plan);
	return err.code;
}

/* A later bind may add to what an earlier one gave, never take away. */
static void test_overlap(void)
{
	CHECK_INT(two_binds("/a", 0, "/a/b", BIND_RO), ERROR_TIER_OVERLAP);
	CHECK_INT(two_binds("/a", 0, "//a/./b", BIND_RO), ERROR_TIER_OVERLAP);
	CHECK_INT(two_binds("/a/b", 0, "/a", BIND_RO), ERROR_TIER_OVERLAP);
	CHECK_INT(two_binds("/a", 0, "/a/", BIND_RO), ERROR_TIER_OVERLAP);
	CHECK_INT(two_binds("/", 0, "/a", BIND_RO), ERROR_TIER_OVERLAP);
	CHECK_INT(two_binds("/a", BIND_DEV, "/a/b", 0), ERROR_TIER_OVERLAP);
	CHECK_INT(two_binds("/a", BIND_RO, "/a/b", 0), ERROR_NONE);
	CHECK_INT(two_binds("/a/b", BIND_RO, "/a", 0), ERROR_NONE);
	CHECK_INT(two_binds("/a", 0, "/ab", BIND_RO), ERROR_NONE);
	CHECK_INT(two_binds("/ab", 0, "/a", BIND_RO), ERROR_NONE);
	CHECK_INT(two_binds("/a", 0, "/a", 0), ERROR_NONE);
	CHECK_INT(two_binds("/a", 0, "b", BIND_RO), ERROR_TIER_PATHS);
	CHECK_INT(two_binds("/a/../b", 0, "/b", BIND_RO), ERROR_TIER_PATHS);
}

int main(void)
{
	test_scopes();
	test_scopes_are_owed();
	test_ports();
	test_tier();
	test_tier_of_root();
	test_rights();
	test_overlap();
	return 0;
}
