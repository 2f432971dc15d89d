/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of lib/spec/plan.c, linked without the parser: made-up specs and facts in, decisions
 * out.
 */
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>

#include "plan-input.h"

#define ALL_BUT_USER (CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)
#define NET_RAW (1ull << CAP_NET_RAW)
#define CHOWN (1ull << CAP_CHOWN)

/* An option's field, given by its use of that index. 0 is a descriptor like any other. */
static struct spec_fd fd_of(int use)
{
	return (struct spec_fd){ .fd = 0, .use = use };
}

static struct spec_ns ns_of(int use)
{
	return (struct spec_ns){ .is_set = true, .fd = 0, .is_open = true, .use = use };
}

static struct spec_id id_of(uint32_t id, int use)
{
	return (struct spec_id){ .is_set = true, .id = id, .use = use };
}

static struct spec_string text_of(const char *text, int use)
{
	return (struct spec_string){ .text = text, .use = use };
}

/* ---- defaults of the four cases ---- */

static void test_cloche_defaults(void)
{
	struct spec spec = empty_spec("cloche");
	struct plan plan = planned(&spec, ordinary_facts());

	CHECK_INT(plan.clone_flags, ALL_BUT_USER | CLONE_NEWUSER | CLONE_NEWNS);
	CHECK(plan.writes_id_maps && !plan.sets_ids);
	CHECK(plan.outer_uid == 1000 && plan.outer_gid == 1001 && plan.inner_uid == 1000 &&
	      plan.inner_gid == 1001);
	CHECK_INT(plan.max_userns, 0);
	CHECK(!plan.inner_userns && !plan.inner_mountns);
	CHECK(plan.brings_up_lo && plan.own_proc);
	CHECK(plan.private_mounts && !plan.creates_dest && !plan.needs_scratch && !plan.in_place);
	CHECK_INT(plan.root_size, 64 << 20);
	CHECK_INT(plan.scratch_size, 1 << 30);
	CHECK_INT(plan.keep_caps, 0);
	CHECK(plan.has_init && plan.init_is_pid_1 && plan.ends_together && !plan.die_with_parent);
	CHECK(plan.new_session); /* stdin is no terminal */
	CHECK(plan.argv0 == NULL);
	CHECK(plan.op_count > 0);
	plan_free(&plan);
}

static void test_bwrap_defaults(void)
{
	struct spec spec = empty_spec("bwrap");
	struct plan plan = planned(&spec, ordinary_facts());

	CHECK_INT(plan.clone_flags, CLONE_NEWUSER | CLONE_NEWNS);
	CHECK(plan.writes_id_maps);
	CHECK_INT(plan.max_userns, -1);
	CHECK(!plan.inner_userns && !plan.inner_mountns && !plan.brings_up_lo && !plan.own_proc);
	CHECK(!plan.private_mounts && plan.creates_dest);
	CHECK(plan.root_size == 0 && plan.scratch_size == 0 && plan.op_count == 0);
	CHECK_INT(plan.keep_caps, 0);
	CHECK(!plan.has_init && !plan.init_is_pid_1 && !plan.ends_together && !plan.new_session);
	plan_free(&plan);
}

static void test_root_defaults(void)
{
	struct spec spec = empty_spec("bwrap");
	struct plan plan = planned(&spec, root_facts());

	CHECK_INT(plan.clone_flags, CLONE_NEWNS);
	CHECK(!plan.writes_id_maps);
	CHECK(plan.keep_caps == root_facts()->permitted);
	CHECK(!plan.inner_userns);
	plan_free(&plan);
	spec = empty_spec("cloche");
	plan = planned(&spec, root_facts());
	CHECK(plan.clone_flags & CLONE_NEWUSER);
	CHECK(plan.writes_id_maps && plan.inner_uid == 0);
	CHECK_INT(plan.keep_caps, 0); /* dropped all the same */
	plan_free(&plan);
}

/* uid 0 without power is an ordinary user. */
static void test_powerless_root(void)
{
	struct spec spec = empty_spec("bwrap");
	struct facts *facts = root_facts();
	struct plan plan;

	facts->is_root = false;
	plan = planned(&spec, facts);
	CHECK(plan.clone_flags & CLONE_NEWUSER);
	plan_free(&plan);
	spec.share = CLONE_NEWUSER;
	spec.share_user_use = 3;
	refused(&spec, facts, ERROR_SHARE_USER_UNPRIVILEGED, 3);
}

static void test_privilege(void)
{
	struct spec spec = empty_spec("cloche");
	struct facts *facts = ordinary_facts();

	facts->privilege = "set-user-ID";
	refused(&spec, facts, ERROR_PRIVILEGED_BINARY, -1);
}

/* ---- namespaces ---- */

static void test_sharing(void)
{
	struct spec spec = empty_spec("cloche");
	struct plan plan;

	spec.share = CLONE_NEWNET | CLONE_NEWPID;
	plan = planned(&spec, ordinary_facts());
	CHECK_INT(plan.clone_flags,
		  CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP);
	CHECK(!plan.brings_up_lo && !plan.own_proc && !plan.init_is_pid_1);
	CHECK(plan.has_init && plan.ends_together); /* somebody has to end what is left */
	plan_free(&plan);
	spec = empty_spec("cloche");
	spec.share = CLONE_NEWUSER;
	spec.share_user_use = 2;
	refused(&spec, ordinary_facts(), ERROR_SHARE_USER_UNPRIVILEGED, 2);
	spec.userns_limit = USERNS_ALLOW;
	spec.userns_limit_use = 1;
	plan = planned(&spec, root_facts());
	CHECK(!(plan.clone_flags & CLONE_NEWUSER) && !plan.writes_id_maps);
	CHECK_INT(plan.max_userns, -1);
	plan_free(&plan);
}

static void test_unsharing(void)
{
	struct spec spec = empty_spec("bwrap");
	struct plan plan;

	spec.unshare = CLONE_NEWPID | CLONE_NEWNET;
	plan = planned(&spec, root_facts());
	CHECK_INT(plan.clone_flags, CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWNS);
	CHECK(plan.brings_up_lo && plan.own_proc && plan.has_init && plan.init_is_pid_1 &&
	      !plan.ends_together);
	plan_free(&plan);
	spec.unshare = CLONE_NEWUSER;
	spec.unshare_user_use = 0;
	plan = planned(&spec, root_facts());
	CHECK_INT(plan.clone_flags, CLONE_NEWUSER | CLONE_NEWNS);
	CHECK(plan.writes_id_maps);
	CHECK(plan.inner_userns &&
	      plan.inner_mountns); /* root keeps all capabilities: our mounts are locked */
	CHECK_INT(plan.max_userns, -1);
	plan_free(&plan);
}

/* "If possible": only root can do without. */
static void test_unshare_user_try(void)
{
	struct spec spec = empty_spec("bwrap");
	struct facts *facts = root_facts();
	struct plan plan;

	spec.unshare_try = CLONE_NEWUSER;
	plan = planned(&spec, facts);
	CHECK(plan.clone_flags & CLONE_NEWUSER);
	plan_free(&plan);
	facts->userns_limit_is_0 = true;
	plan = planned(&spec, facts);
	CHECK_INT(plan.clone_flags, CLONE_NEWNS);
	CHECK(!plan.writes_id_maps);
	plan_free(&plan);
	spec.unshare = CLONE_NEWUSER; /* this one is an order */
	spec.unshare_user_use = 0;
	plan = planned(&spec, facts);
	CHECK(plan.clone_flags & CLONE_NEWUSER);
	plan_free(&plan);
}

static void test_cgroup_namespace(void)
{
	struct spec spec = empty_spec("cloche");
	struct facts *facts = ordinary_facts();
	struct cloche_error err = ERROR_INIT;
	struct plan plan;

	facts->has_cgroup_ns = false;
	plan = planned(&spec, facts);
	CHECK(!(plan.clone_flags & CLONE_NEWCGROUP));
	plan_free(&plan);
	spec = empty_spec("bwrap");
	spec.unshare_try = CLONE_NEWCGROUP;
	plan = planned(&spec, facts);
	CHECK(!(plan.clone_flags & CLONE_NEWCGROUP));
	plan_free(&plan);
	spec.unshare = CLONE_NEWCGROUP;
	CHECK(plan_make(&plan, &spec, facts, &err) < 0);
	CHECK_INT(err.code, ERROR_NO_NAMESPACE);
	CHECK_STR(err.path, "cgroup");
	plan_free(&plan);
}

static void test_pidns(void)
{
	struct spec spec = empty_spec("cloche");
	struct plan plan;

	spec.namespaces.join[NS_PID] = ns_of(0);
	plan = planned(&spec, ordinary_facts());
	CHECK(!(plan.clone_flags & CLONE_NEWPID));
	CHECK(plan.own_proc && !plan.init_is_pid_1 && plan.has_init);
	plan_free(&plan);
	spec.unshare = CLONE_NEWPID; /* a child of it */
	plan = planned(&spec, ordinary_facts());
	CHECK(plan.clone_flags & CLONE_NEWPID);
	CHECK(plan.init_is_pid_1);
	plan_free(&plan);
}

static void test_userns(void)
{
	struct spec spec = empty_spec("bwrap");
	struct plan plan;

	spec.namespaces.join[NS_USER] = ns_of(4);
	spec.userns2_fd = fd_of(5);
	plan = planned(&spec, ordinary_facts());
	CHECK(!(plan.clone_flags & CLONE_NEWUSER));
	CHECK(!plan.writes_id_maps && !plan.sets_ids);
	plan_free(&plan);
	spec.uid = id_of(7, 0);
	plan = planned(&spec, ordinary_facts());
	CHECK(plan.sets_ids && plan.inner_uid == 7 && plan.inner_gid == 1001);
	plan_free(&plan);
	/* What contradicts it. */
	spec.unshare_user_use = 6;
	spec.unshare = CLONE_NEWUSER;
	refused(&spec, ordinary_facts(), ERROR_JOIN_CONFLICT, 4);
	spec = empty_spec("bwrap");
	spec.namespaces.join[NS_USER] = ns_of(4);
	spec.unshare_try = CLONE_NEWUSER;
	refused(&spec, ordinary_facts(), ERROR_JOIN_CONFLICT, 4);
	spec.unshare_try = 0;
	spec.share = CLONE_NEWUSER;
	refused(&spec, root_facts(), ERROR_JOIN_CONFLICT, 4);
	spec = empty_spec("bwrap");
	spec.userns2_fd = fd_of(3);
	refused(&spec, ordinary_facts(), ERROR_USERNS2_ALONE, 3);
}

/* ---- ids ---- */

static void test_ids(void)
{
	struct spec spec = empty_spec("cloche");
	struct plan plan;

	spec.uid = id_of(4294967294u, 0);
	spec.gid = id_of(0, 1);
	plan = planned(&spec, ordinary_facts());
	CHECK(plan.inner_uid == 4294967294u && plan.inner_gid == 0);
	CHECK(plan.outer_uid == 1000 && plan.outer_gid == 1001);
	CHECK(plan.writes_id_maps && !plan.sets_ids);
	plan_free(&plan);
	/* Without a user namespace there is nothing to map. */
	spec = empty_spec("bwrap");
	spec.uid = id_of(5, 3);
	refused(&spec, root_facts(), ERROR_ID_NEEDS_USERNS, 3);
	spec = empty_spec("bwrap");
	spec.gid = id_of(5, 2);
	refused(&spec, root_facts(), ERROR_ID_NEEDS_USERNS, 2);
	spec.gid = id_of(0, 2); /* that is what it is anyhow */
	plan = planned(&spec, root_facts());
	CHECK(!plan.writes_id_maps);
	plan_free(&plan);
}

static void test_userns_block(void)
{
	struct spec spec = empty_spec("bwrap");
	struct plan plan;

	spec.userns_block_fd = fd_of(1);
	refused(&spec, ordinary_facts(), ERROR_BLOCK_NEEDS_USER, 1);
	spec.unshare = CLONE_NEWUSER;
	spec.unshare_user_use = 0;
	refused(&spec, ordinary_facts(), ERROR_BLOCK_NEEDS_INFO, 1);
	spec.info_fd = fd_of(2);
	plan = planned(&spec, ordinary_facts());
	CHECK(!plan.writes_id_maps); /* the caller does */
	plan_free(&plan);
	spec.userns_limit = USERNS_DENY;
	spec.userns_limit_use = 3;
	refused(&spec, ordinary_facts(), ERROR_DISABLE_USERNS_BLOCK, 3);
}

/* ---- capabilities and nested user namespaces ---- */

static void test_caps(void)
{
	struct cap_op ops[] = { { CAP_ADD, NET_RAW | CHOWN },
				{ CAP_DROP, NET_RAW },
				{ CAP_DROP, UINT64_MAX },
				{ CAP_ADD, CHOWN } };
	struct spec spec = empty_spec("cloche");
	struct facts *facts;
	struct plan plan;

	spec.cap_ops = ops;
	spec.cap_op_count = 2;
	plan = planned(&spec, ordinary_facts());
	CHECK_INT(plan.keep_caps, CHOWN);
	CHECK(plan.inner_userns &&
	      plan.inner_mountns); /* COMMAND has power only over a namespace of its own */
	CHECK_INT(plan.max_userns, 1);
	plan_free(&plan);
	spec.cap_op_count = 3;
	plan = planned(&spec, ordinary_facts());
	CHECK_INT(plan.keep_caps, 0);
	CHECK(!plan.inner_userns);
	plan_free(&plan);
	spec.cap_op_count = 4;
	plan = planned(&spec, root_facts());
	CHECK_INT(plan.keep_caps, CHOWN);
	plan_free(&plan);
	/* As bwrap, root begins with all. */
	spec = empty_spec("bwrap");
	spec.cap_ops = &ops[1];
	spec.cap_op_count = 1;
	plan = planned(&spec, root_facts());
	CHECK(plan.keep_caps == (root_facts()->permitted & ~NET_RAW) &&
	      plan.ambient_caps == plan.keep_caps);
	plan_free(&plan);
	facts = root_facts();
	/* ... and gets no more than it has, unless in a namespace of its own. */
	spec.cap_ops = ops;
	facts->permitted = CHOWN;
	plan = planned(&spec, facts);
	CHECK_INT(plan.keep_caps, CHOWN);
	plan_free(&plan);
	spec.unshare = CLONE_NEWUSER;
	spec.unshare_user_use = 0;
	plan = planned(&spec, facts);
	CHECK_INT(plan.keep_caps, CHOWN | NET_RAW);
	plan_free(&plan);
	spec.cap_op_count = 0; /* by default the same as outside */
	plan = planned(&spec, facts);
	CHECK_INT(plan.keep_caps, CHOWN);
	plan_free(&plan);
	spec = empty_spec("bwrap");
	spec.cap_op_count = 1;
	/* An ordinary user's, in the sandbox's own namespace. */
	spec.cap_ops = ops;
	plan = planned(&spec, ordinary_facts());
	CHECK_INT(plan.keep_caps, NET_RAW | CHOWN);
	CHECK(!plan.inner_userns && !plan.inner_mountns);
	plan_free(&plan);
}

static void test_nested_userns(void)
{
	struct spec spec = empty_spec("bwrap");
	struct plan plan;

	spec.userns_limit = USERNS_DENY;
	spec.userns_limit_use = 2;
	refused(&spec, ordinary_facts(), ERROR_DISABLE_USERNS_NEEDS, 2);
	spec.unshare_try = CLONE_NEWUSER; /* "if possible" is not enough */
	refused(&spec, ordinary_facts(), ERROR_DISABLE_USERNS_NEEDS, 2);
	spec.unshare = CLONE_NEWUSER;
	spec.unshare_user_use = 1;
	plan = planned(&spec, ordinary_facts());
	CHECK(plan.inner_userns && plan.max_userns == 1);
	plan_free(&plan);
	spec = empty_spec("bwrap");
	spec.userns_limit = USERNS_ALLOW;
	plan = planned(&spec, ordinary_facts());
	CHECK_INT(plan.max_userns, -1);
	plan_free(&plan);
	spec = empty_spec("cloche");
	spec.userns_limit = USERNS_ALLOW;
	plan = planned(&spec, ordinary_facts());
	CHECK(plan.max_userns == -1 && !plan.inner_userns);
	plan_free(&plan);
	spec.userns_limit = USERNS_DENY; /* the default, said aloud */
	plan = planned(&spec, ordinary_facts());
	CHECK(plan.max_userns == 0 && !plan.inner_userns);
	plan_free(&plan);
}

/* What is denied by default cannot be denied without a namespace of ours: the option that took it
 * away is to blame. */
static void test_nested_userns_without_own(void)
{
	struct spec spec = empty_spec("cloche");
	struct cloche_error err = ERROR_INIT;
	struct plan plan;

	spec.share = CLONE_NEWUSER;
	spec.share_user_use = 5;
	refused(&spec, root_facts(), ERROR_DENY_NEEDS_OWN, 5);
	CHECK(plan_make(&plan, &spec, root_facts(), &err) < 0);
	CHECK_INT(err.hint, HINT_ALLOW_USERNS);
	plan_free(&plan);
	spec.userns_limit = USERNS_DENY;
	spec.userns_limit_use = 6;
	refused(&spec, root_facts(), ERROR_DISABLE_USERNS_NEEDS, 6);
	spec = empty_spec("cloche");
	spec.namespaces.join[NS_USER] = ns_of(3);
	refused(&spec, ordinary_facts(), ERROR_DENY_NEEDS_OWN, 3);
}

/* ---- supervision ---- */

static void test_as_pid_1(void)
{
	struct path_layer lock = { .path = "/lock", .use = 1 };
	struct spec spec = empty_spec("bwrap");
	struct plan plan;

	spec.flag_use[FLAG_AS_PID_1] = 7;
	refused(&spec, ordinary_facts(), ERROR_AS_PID_1_NEEDS, 7);
	spec.unshare = CLONE_NEWPID;
	plan = planned(&spec, ordinary_facts());
	CHECK(!plan.has_init && !plan.init_is_pid_1);
	plan_free(&plan);
	spec.lock_files = &lock;
	spec.lock_file_count = 1;
	refused(&spec, ordinary_facts(), ERROR_AS_PID_1_LOCK, 7);
	spec.flag_use[FLAG_AS_PID_1] = -1;
	spec.unshare = 0;
	plan = planned(&spec, ordinary_facts());
	CHECK(plan.has_init && !plan.init_is_pid_1); /* somebody has to hold the lock */
	plan_free(&plan);
}

static void test_sync_fd(void)
{
	int fds[] = { 9 };
	struct spec spec = empty_spec("bwrap");
	struct plan plan;

	spec.sync_fds = fds;
	spec.sync_fd_count = 1;
	plan = planned(&spec, ordinary_facts());
	CHECK(plan.has_init && !plan.init_is_pid_1);
	plan_free(&plan);
}

static void check_pty(const char *name, enum pty_choice choice, unsigned terminals,
		      const char *files, unsigned expected)
{
	struct spec spec = empty_spec(name);
	struct facts *facts = ordinary_facts();
	struct plan plan;

	spec.pty = choice;
	for (int i = 0; i < 3; i++) {
		facts->is_tty[i] = terminals >> i & 1;
		if (files[i] == 'f')
			spec.io.stdio[i] = text_of("/f", 1);
	}
	plan = planned(&spec, facts);
	CHECK_INT(plan.pty_fds, expected);
	CHECK_INT(plan.has_pty, expected != 0);
	CHECK(!plan.has_pty || (plan.new_session && plan.has_init && plan.ends_together));
	plan_free(&plan);
}

static void test_pty(void)
{
	check_pty("cloche", PTY_DEFAULT, 7, "---", 7);
	check_pty("cloche", PTY_DEFAULT, 1, "---", 1);
	check_pty("cloche", PTY_DEFAULT, 6, "---", 0); /* standard input decides */
	check_pty("cloche", PTY_DEFAULT, 7, "f--", 0);
	check_pty("cloche", PTY_DEFAULT, 7, "-f-", 5);
	check_pty("cloche", PTY_NO, 7, "---", 0);
	check_pty("cloche", PTY_YES, 0, "---", 7);
	check_pty("cloche", PTY_YES, 0, "--f", 3);
	check_pty("cloche", PTY_YES, 4, "---", 4);
	check_pty("bwrap", PTY_DEFAULT, 7, "---", 0);
	check_pty("bwrap", PTY_YES, 3, "---", 3);
}

static void test_pty_conflicts(void)
{
	struct spec spec = empty_spec("cloche");
	struct facts *facts = ordinary_facts();
	struct plan plan;

	facts->is_tty[1] = true;
	spec.flag_use[FLAG_PTY_FILTER] = 0;
	plan = planned(&spec, facts);
	CHECK_INT(plan.pty_fds, 2); /* not left unfiltered */
	plan_free(&plan);
	spec.pty = PTY_NO;
	refused(&spec, facts, ERROR_FILTER_PTY, 0);
	spec.pty = PTY_DEFAULT;
	spec.flag_use[FLAG_NEW_SESSION] = 1;
	refused(&spec, facts, ERROR_FILTER_PTY, 0);
	spec.flag_use[FLAG_PTY_FILTER] = -1;
	spec.pty = PTY_YES;
	refused(&spec, facts, ERROR_SESSION_PTY, 1);
	spec.pty = PTY_DEFAULT;
	facts->is_tty[0] = true;
	plan = planned(&spec, facts);
	CHECK(!plan.has_pty && plan.new_session);
	plan_free(&plan);
}

static void test_stop(void)
{
	struct spec spec = empty_spec("bwrap");
	struct plan plan = planned(&spec, ordinary_facts());

	CHECK_INT(plan.stop_signal, SIGTERM);
	CHECK(!plan.timeout && plan.kill_after == 10000000000ull && !plan.kills_after_signal);
	CHECK(!plan.ends_together);
	plan_free(&plan);
	spec.stop.signal = SIGINT;
	spec.stop.timeout = (struct spec_duration){ true, 0, 5 };
	spec.stop.kill_after = (struct spec_duration){ true, 1, 0 };
	plan = planned(&spec, ordinary_facts());
	CHECK_INT(plan.stop_signal, SIGINT);
	CHECK(plan.timeout == 5 && plan.kill_after == 0 && plan.kills_after_signal);
	CHECK(plan.ends_together && plan.has_init); /* all of it ends */
	plan_free(&plan);
}

static void test_session(void)
{
	struct spec spec = empty_spec("cloche");
	struct facts *facts = ordinary_facts();
	struct plan plan;

	facts->is_tty[0] = true;
	spec.pty = PTY_NO;
	plan = planned(&spec, facts);
	CHECK(!plan.new_session);
	plan_free(&plan);
	spec.flag_use[FLAG_NEW_SESSION] = 0;
	spec.flag_use[FLAG_DIE_WITH_PARENT] = 1;
	plan = planned(&spec, facts);
	CHECK(plan.new_session && plan.die_with_parent);
	plan_free(&plan);
	spec = empty_spec("bwrap");
	spec.flag_use[FLAG_NEW_SESSION] = 0;
	spec.argv0 = text_of("name", 1);
	plan = planned(&spec, ordinary_facts());
	CHECK(plan.new_session && !plan.die_with_parent);
	CHECK_STR(plan.argv0, "name");
	plan_free(&plan);
}

static void test_hostname_and_labels(void)
{
	struct spec spec = empty_spec("bwrap");
	struct facts *facts = ordinary_facts();
	struct plan plan;

	spec.hostname = text_of("h", 3);
	refused(&spec, facts, ERROR_NAME_NEEDS, 3);
	spec.unshare = CLONE_NEWUTS;
	plan = planned(&spec, facts);
	plan_free(&plan);
	spec.file_label = text_of("l", 6);
	refused(&spec, facts, ERROR_NO_LABELS, 6);
	spec.exec_label = text_of("l", 5);
	refused(&spec, facts, ERROR_NO_LABELS, 5);
	facts->has_selinux = true;
	plan = planned(&spec, facts);
	plan_free(&plan);
}

/* ---- mounts ---- */

static void test_sizes_and_propagation(void)
{
	struct fs_op ops[] = {
		{ .type = OP_TMPFS, .dest = "/a", .fd = -1, .mode = MODE_UNSET },
		{ .type = OP_TMPFS,
		  .dest = "/b",
		  .fd = -1,
		  .mode = MODE_UNSET,
		  .size = 5,
		  .use = 1 },
		{ .type = OP_DIR, .dest = "/c", .fd = -1, .mode = MODE_UNSET, .use = 2 },
	};
	struct spec spec = empty_spec("cloche");
	struct plan plan;

	spec.flag_use[FLAG_BARE] = 0;
	spec.flag_use[FLAG_CREATE_DEST] = 1;
	spec.ops = ops;
	spec.op_count = 3;
	spec.root_size.bytes = 4096;
	spec.overlay_size.bytes = 8192;
	spec.propagation = PROPAGATION_SLAVE;
	plan = planned(&spec, ordinary_facts());
	CHECK_INT(plan.op_count, 3);
	CHECK_INT(plan.ops[0].size, 1 << 30);
	CHECK_INT(plan.ops[1].size, 5);
	CHECK_INT(plan.ops[2].size, 0);
	CHECK(plan.root_size == 4096 && plan.scratch_size == 8192);
	CHECK(!plan.private_mounts && plan.creates_dest && !plan.needs_scratch);
	CHECK_INT(ops[0].size, 0); /* the spec stays as it is */
	plan_free(&plan);
	spec.personality = personality_find("bwrap");
	spec.propagation = PROPAGATION_PRIVATE;
	plan = planned(&spec, ordinary_facts());
	CHECK_INT(plan.ops[0].size, 0);
	CHECK(plan.private_mounts);
	plan_free(&plan);
}

static bool needs_scratch(enum fs_op_type type, int flags)
{
	struct fs_op op = { .type = type,
			    .flags = flags,
			    .source = "/s",
			    .dest = "/d",
			    .fd = -1,
			    .mode = MODE_UNSET };
	struct spec spec = empty_spec("bwrap");
	struct plan plan;
	bool needs;

	spec.ops = &op;
	spec.op_count = 1;
	plan = planned(&spec, ordinary_facts());
	needs = plan.needs_scratch;
	plan_free(&plan);
	return needs;
}

static void test_scratch(void)
{
	CHECK(needs_scratch(OP_DATA, 0));
	CHECK(needs_scratch(OP_DATA_RO, 0));
	CHECK(needs_scratch(OP_OVERLAY, OVERLAY_TMP));
	CHECK(needs_scratch(OP_OVERLAY, OVERLAY_RO)); /* for kernels that attach overlays at once */
	CHECK(needs_scratch(OP_OVERLAY, OVERLAY_RW));
	CHECK(!needs_scratch(OP_FILE, 0));
	CHECK(!needs_scratch(OP_BIND, BIND_RO));
}

static bool is_in_place(const char *personality, struct fs_op *ops, size_t count)
{
	struct spec spec = empty_spec(personality);
	struct plan plan;
	bool in_place;

	for (size_t i = 0; i < count; i++) {
		ops[i].fd = -1;
		ops[i].mode = MODE_UNSET;
		ops[i].use = (int)i;
	}
	spec.ops = ops;
	spec.op_count = count;
	plan = planned(&spec, ordinary_facts());
	in_place = plan.in_place;
	plan_free(&plan);
	return in_place;
}

#define IN_PLACE(personality, ...)                                                                 \
	is_in_place(personality, (struct fs_op[]){ __VA_ARGS__ },                                  \
		    sizeof((struct fs_op[]){ __VA_ARGS__ }) / sizeof(struct fs_op))
#define BIND_OP(from, to)                                                                          \
	{                                                                                          \
		.type = OP_BIND, .source = (from), .dest = (to)                                    \
	}
#define PLACE_OP(what, to)                                                                         \
	{                                                                                          \
		.type = (what), .dest = (to)                                                       \
	}

static void test_in_place(void)
{
	CHECK(IN_PLACE("bwrap", BIND_OP("/", "/")));
	CHECK(IN_PLACE("cloche", BIND_OP("/", "/")));
	CHECK(IN_PLACE("bwrap", BIND_OP("//", "/."), PLACE_OP(OP_PROC, "/proc"),
		       PLACE_OP(OP_TMPFS, "/tmp")));
	/* Not the first: what stands before it would be lost. */
	CHECK(!IN_PLACE("bwrap", PLACE_OP(OP_DIR, "/x"), BIND_OP("/", "/")));
	CHECK(!IN_PLACE("bwrap", BIND_OP("/", "/x")));
	CHECK(!IN_PLACE("bwrap", BIND_OP("/usr", "/")));
	CHECK(!IN_PLACE("bwrap", BIND_OP("/usr/..", "/"))); /* by letters only */
	CHECK(!IN_PLACE("bwrap", PLACE_OP(OP_TMPFS, "/")));
	/* A read-only root would make the directory read-only that an overlay writes to; and
	 * overlays need the scratch directory. */
	CHECK(!IN_PLACE("bwrap", BIND_OP("/", "/"),
			{ .type = OP_OVERLAY, .source = "/u", .dest = "/d", .flags = OVERLAY_RW }));
	CHECK(!IN_PLACE("bwrap", BIND_OP("/", "/"),
			{ .type = OP_OVERLAY, .dest = "/d", .flags = OVERLAY_RO }));
	/* Something else on the root later. */
	CHECK(!IN_PLACE("bwrap", BIND_OP("/", "/"), PLACE_OP(OP_TMPFS, "/")));
	CHECK(!IN_PLACE("bwrap", BIND_OP("/", "/"), PLACE_OP(OP_REMOUNT_RO, "/")));
	CHECK(!IN_PLACE("bwrap", BIND_OP("/", "/"), PLACE_OP(OP_DATA, "/x")));
}

/* ---- wrong order ---- */

static int hidden_op(struct fs_op *ops, size_t count, size_t *ret_hider)
{
	struct plan plan = { .ops = ops, .op_count = count };

	for (size_t i = 0; i < count; i++)
		ops[i].use = ops[i].use < 0 ? -1 : (int)i;
	return plan_hidden_op(&plan, ret_hider);
}

#define HIDDEN(ret_hider, ...)                                                                     \
	hidden_op((struct fs_op[]){ __VA_ARGS__ },                                                 \
		  sizeof((struct fs_op[]){ __VA_ARGS__ }) / sizeof(struct fs_op), ret_hider)

static void test_hidden(void)
{
	size_t hider = 99;

	CHECK_INT(HIDDEN(&hider, PLACE_OP(OP_DIR, "/z"), BIND_OP("/s", "/a/b"),
			 PLACE_OP(OP_TMPFS, "/a")),
		  1);
	CHECK_INT(hider, 2);
	CHECK_INT(HIDDEN(&hider, BIND_OP("/s", "/a/b"), PLACE_OP(OP_TMPFS, "/a//")), 0);
	CHECK_INT(hider, 1);
	CHECK_INT(HIDDEN(&hider, BIND_OP("/s", "/a"), BIND_OP("/t", "/a")), 0);
	CHECK_INT(HIDDEN(&hider, PLACE_OP(OP_SYMLINK, "/a/l"), BIND_OP("/", "/")), 0);
	hider = 99;
	CHECK_INT(HIDDEN(&hider, PLACE_OP(OP_TMPFS, "/a"), BIND_OP("/s", "/a/b")),
		  -1); /* the right order */
	/* A directory or file made for the very place is what it is for; a source that may be
	 * missing hides nothing. */
	CHECK_INT(HIDDEN(&hider, PLACE_OP(OP_DIR, "/a"), BIND_OP("/s", "/a")), -1);
	CHECK_INT(HIDDEN(&hider, PLACE_OP(OP_FILE, "/a"), BIND_OP("/s", "/a")), -1);
	CHECK_INT(HIDDEN(&hider, PLACE_OP(OP_TMPFS, "/a"),
			 { .type = OP_BIND, .source = "/s", .dest = "/a", .flags = BIND_TRY }),
		  -1);
	CHECK_INT(HIDDEN(&hider, BIND_OP("/s", "/ab"), PLACE_OP(OP_TMPFS, "/a")), -1);
	CHECK_INT(HIDDEN(&hider, BIND_OP("/s", "/a/b"), PLACE_OP(OP_DIR, "/a")),
		  -1); /* covers nothing */
	CHECK_INT(HIDDEN(&hider, PLACE_OP(OP_REMOUNT_RO, "/a/b"), PLACE_OP(OP_TMPFS, "/a")), -1);
	CHECK_INT(HIDDEN(&hider, { .type = OP_TMPFS, .dest = "/tmp", .use = -1 },
			 BIND_OP("/t", "/tmp")),
		  -1);
	CHECK_INT(HIDDEN(&hider, BIND_OP("/s", "/a")), -1);
	CHECK_INT(hider, 99);
	CHECK_INT(plan_hidden_op(&(struct plan){ 0 }, &hider), -1);
}

/* ---- limits ---- */

static void test_limits_place(void)
{
	struct spec spec = empty_spec("cloche");
	struct plan plan = planned(&spec, ordinary_facts());

	CHECK(plan.limits.place == PLACE_NONE && plan.limits.no_core);
	plan_free(&plan);
	spec.limits.group[LIMIT_CPUS] = (struct limit_number){ true, 100000, 3 };
	spec.limits.group[LIMIT_SWAP] = (struct limit_number){ true, 0, 2 };
	plan = planned(&spec, ordinary_facts());
	CHECK(plan.limits.place == PLACE_AUTO && plan.limits.use == 2);
	CHECK_INT(plan.limits.controllers, CONTROLLER_CPU | CONTROLLER_MEMORY);
	plan_free(&plan);
	spec.cgroup = text_of("systemd", 4);
	plan = planned(&spec, ordinary_facts());
	CHECK(plan.limits.place == PLACE_SYSTEMD && plan.limits.use == 2);
	plan_free(&plan);
	spec.cgroup = text_of("/sys/fs/cgroup/x", 4);
	plan = planned(&spec, ordinary_facts());
	CHECK(plan.limits.place == PLACE_PATH);
	CHECK_STR(plan.limits.path, "/sys/fs/cgroup/x");
	plan_free(&plan);
	spec.cgroup = text_of("none", 4);
	refused(&spec, ordinary_facts(), ERROR_CGROUP_NONE, 2);
}

/* An empty group: where it is asked for, and nothing else is. */
static void test_limits_group_alone(void)
{
	struct spec spec = empty_spec("bwrap");
	struct plan plan;

	spec.cgroup = text_of("auto", 1);
	plan = planned(&spec, ordinary_facts());
	CHECK(plan.limits.place == PLACE_AUTO && !plan.limits.controllers && !plan.limits.no_core);
	CHECK_INT(plan.limits.use, 1);
	plan_free(&plan);
}

static void test_limits_hard(void)
{
	struct limit_rlimit limit = { RLIMIT_NOFILE, 100, 200, 5 };
	struct spec spec = empty_spec("cloche");
	struct facts *facts = ordinary_facts();
	struct plan plan;

	spec.limits.rlimits = &limit;
	spec.limits.rlimit_count = 1;
	plan = planned(&spec, facts); /* limits that are not known are the kernel's to refuse */
	plan_free(&plan);
	facts->knows_rlimits = true;
	facts->rlimits[RLIMIT_NOFILE].rlim_max = 199;
	refused(&spec, facts, ERROR_LIMIT_HARD, 5);
	facts->rlimits[RLIMIT_NOFILE].rlim_max = 200;
	plan = planned(&spec, facts);
	plan_free(&plan);
	limit.soft = 201;
	refused(&spec, facts, ERROR_LIMIT_ORDER, 5);
	limit.soft = 100;
	facts = root_facts(); /* the capability counts outside a new user namespace only */
	facts->knows_rlimits = true;
	refused(&spec, facts, ERROR_LIMIT_HARD, 5);
	spec.share = CLONE_NEWUSER;
	spec.userns_limit = USERNS_ALLOW;
	plan = planned(&spec, facts);
	plan_free(&plan);
	limit.resource = RLIMIT_CORE;
	plan = planned(&spec, facts);
	CHECK(!plan.limits.no_core);
	plan_free(&plan);
}

int main(void)
{
	test_cloche_defaults();
	test_bwrap_defaults();
	test_root_defaults();
	test_powerless_root();
	test_privilege();
	test_sharing();
	test_unsharing();
	test_unshare_user_try();
	test_cgroup_namespace();
	test_pidns();
	test_userns();
	test_ids();
	test_userns_block();
	test_caps();
	test_nested_userns();
	test_as_pid_1();
	test_sync_fd();
	test_session();
	test_pty();
	test_pty_conflicts();
	test_stop();
	test_hostname_and_labels();
	test_sizes_and_propagation();
	test_scratch();
	test_in_place();
	test_hidden();
	test_nested_userns_without_own();
	test_limits_place();
	test_limits_group_alone();
	test_limits_hard();
	return 0;
}
