/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan-input.h"

static enum proc_cover cover_of(const char *personality, const struct facts *facts,
				enum userns_limit limit, enum proc_mask mask)
{
	struct spec spec = empty_spec(personality);
	struct plan plan;
	enum proc_cover cover;

	spec.userns_limit = limit;
	spec.views.mask = mask;
	plan = planned(&spec, facts);
	cover = plan.views.proc_cover;
	plan_free(&plan);
	return cover;
}

/* What covers there are: nested sandboxes need none, root must have them. */
static void test_proc_cover_table(void)
{
	struct facts *(*const users[])(void) = { ordinary_facts, root_facts };
	static const struct {
		const char *personality;
		int root;
		enum userns_limit limit;
		enum proc_mask mask;
		enum proc_cover expected;
	} rows[] = {
		{ "cloche", 0, USERNS_DEFAULT, PROC_MASK_UNSET, PROC_COVER_ALL },
		{ "cloche", 1, USERNS_DEFAULT, PROC_MASK_UNSET, PROC_COVER_ALL },
		{ "cloche", 0, USERNS_ALLOW, PROC_MASK_UNSET, PROC_COVER_NONE },
		{ "cloche", 1, USERNS_ALLOW, PROC_MASK_UNSET, PROC_COVER_ALL },
		{ "cloche", 0, USERNS_ALLOW, PROC_MASK_DEFAULT, PROC_COVER_ALL },
		{ "cloche", 0, USERNS_DEFAULT, PROC_MASK_NONE, PROC_COVER_NONE },
		{ "cloche", 1, USERNS_ALLOW, PROC_MASK_NONE, PROC_COVER_NONE },
		{ "bwrap", 0, USERNS_DEFAULT, PROC_MASK_UNSET, PROC_COVER_NONE },
		{ "bwrap", 1, USERNS_DEFAULT, PROC_MASK_UNSET, PROC_COVER_WRITABLE },
		{ "bwrap", 0, USERNS_DEFAULT, PROC_MASK_DEFAULT, PROC_COVER_ALL },
		{ "bwrap", 1, USERNS_DEFAULT, PROC_MASK_NONE, PROC_COVER_NONE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		CHECK_INT(cover_of(rows[i].personality, users[rows[i].root](), rows[i].limit,
				   rows[i].mask),
			  rows[i].expected);
}

/* Facts of a host with some devices. */
static struct facts *facts_with_devices(void)
{
	static char null[] = "null", dri[] = "dri", nvidia0[] = "nvidia0", video0[] = "video0",
		    kvm[] = "kvm", tun[] = "net/tun", sda[] = "sda";
	static char *devices[] = { dri, kvm, tun, null, nvidia0, sda, video0 };
	struct facts *facts = ordinary_facts();

	facts->devices = devices;
	facts->device_count = ARRAY_SIZE(devices);
	return facts;
}

/* The nodes that @name gives, separated by blanks; or the error. */
static void check_nodes(const char *name, const char *expected, enum error_code code)
{
	struct path_layer node = { .path = name, .use = 3 };
	struct spec spec = empty_spec("cloche");
	char text[256] = "";
	struct plan plan;

	spec.views.dev_nodes = &node;
	spec.views.dev_node_count = 1;
	if (code) {
		refused(&spec, facts_with_devices(), code, 3);
		return;
	}
	plan = planned(&spec, facts_with_devices());
	for (size_t i = 0; i < plan.views.dev_node_count; i++) {
		CHECK_INT(plan.views.dev_nodes[i].use, 3);
		strcat(strcat(text, i ? " " : ""), plan.views.dev_nodes[i].name);
	}
	CHECK_STR(text, expected);
	plan_free(&plan);
}

static void test_dev_nodes(void)
{
	check_nodes("gpu", "dri nvidia0", 0);
	check_nodes("video", "video0", 0);
	check_nodes("tun", "net/tun", 0);
	check_nodes("net/tun", "net/tun", 0);
	check_nodes("dri/renderD128", "dri/renderD128", 0);
	check_nodes("nvidia7", "nvidia7", 0); /* whether it exists, the child will see */
	check_nodes("input", NULL, ERROR_DEV_NODE_NONE);
	check_nodes("sda", NULL, ERROR_DEV_NODE_UNKNOWN);
	check_nodes("net/tap", NULL, ERROR_DEV_NODE_UNKNOWN);
	check_nodes("dri/../sda", NULL, ERROR_DEV_NODE_UNKNOWN);
	check_nodes("dri/.", NULL, ERROR_DEV_NODE_UNKNOWN);
	check_nodes("dri/", NULL, ERROR_DEV_NODE_UNKNOWN);
	check_nodes("", NULL, ERROR_DEV_NODE_UNKNOWN);
}

static void test_protected_paths(void)
{
	static const struct {
		const char *path;
		enum fs_op_type type;
		enum error_code code;
	} rows[] = {
		{ "/", OP_MASK, ERROR_MASK_ROOT },
		{ "/a/[b", OP_MASK, ERROR_GLOB_INVALID },
		{ "/**/x", OP_DENY_CREATE, ERROR_GLOB_INVALID },
		{ "/", OP_NOEXEC, ERROR_NONE },
		{ "/a/*", OP_DENY_WRITE, ERROR_NONE },
		{ "/a\\", OP_NO_SYMLINKS, ERROR_GLOB_INVALID },
		{ "/a/[b", OP_DIR, ERROR_NONE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fs_op op = { .type = rows[i].type,
				    .use = 0,
				    .dest = rows[i].path,
				    .fd = -1,
				    .mode = MODE_UNSET };
		struct spec spec = empty_spec("bwrap");
		struct plan plan;

		spec.ops = &op;
		spec.op_count = 1;
		if (rows[i].code) {
			refused(&spec, ordinary_facts(), rows[i].code, 0);
			continue;
		}
		plan = planned(&spec, ordinary_facts());
		plan_free(&plan);
	}
}

/* One operation, behind all others. */
static void test_secrets_come_last(void)
{
	struct secret secrets[] = { { .from = { .fd = 5, .use = 1 }, .name = "a" },
				    { .from = { .fd = 6, .use = 2 }, .name = "b" } };
	struct fs_op op = {
		.type = OP_TMPFS, .use = 0, .dest = "/run", .fd = -1, .mode = MODE_UNSET
	};
	struct spec spec = empty_spec("cloche");
	struct plan plan;

	spec.ops = &op;
	spec.op_count = 1;
	spec.io.secrets = secrets;
	spec.io.secret_count = ARRAY_SIZE(secrets);
	plan = planned(&spec, ordinary_facts());
	CHECK_INT(plan.ops[plan.op_count - 1].type, OP_SECRETS);
	CHECK_INT(plan.ops[plan.op_count - 2].type, OP_TMPFS);
	CHECK(plan.copies_data);
	plan_free(&plan);
}

int main(void)
{
	test_proc_cover_table();
	test_dev_nodes();
	test_protected_paths();
	test_secrets_come_last();
	return 0;
}
