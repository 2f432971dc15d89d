/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of lib/spec/explain.c: plans as text, as JSON, and the options as they take effect.
 */
#include "spec/explain.h"

#include <linux/capability.h>
#include <sched.h>

#include "json-check.h"
#include "plan-input.h"

static const struct option_row bind_row = { .name = "ro-bind", .arg_count = 2 };
static const struct option_row args_row = { .name = "args", .arg_count = 1 };
static const struct option_row explain_row = { .name = "explain",
					       .arg_count = 1,
					       .is_optional = 1 };

/* Prints into memory; the text is the caller's. */
static char *printed_text(const struct plan *plan, const struct facts *facts,
			  void (*print)(const struct plan *plan, const struct facts *facts,
					FILE *out))
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	CHECK(out != NULL);
	print(plan, facts, out);
	CHECK(fclose(out) == 0);
	CHECK_INT(strlen(text), size);
	return text;
}

static void print_arguments(const struct plan *plan, const struct facts *facts, FILE *out)
{
	(void)facts;
	explain_arguments(plan, out);
}

static void check_has(const char *text, const char *wanted)
{
	if (strstr(text, wanted))
		return;
	fprintf(stderr, "%s\n-- has no: %s\n", text, wanted);
	unit_fail(__FILE__, __LINE__, "something is missing in the text");
}

static void check_lacks(const char *text, const char *unwanted)
{
	if (!strstr(text, unwanted))
		return;
	fprintf(stderr, "%s\n-- has: %s\n", text, unwanted);
	unit_fail(__FILE__, __LINE__, "something is in the text");
}

/* Each type of operation, names with control characters among them. */
static struct fs_op ops[] = {
	{ .type = OP_BIND,
	  .source = "/s\x1b[2J",
	  .dest = "/d\n",
	  .fd = -1,
	  .mode = MODE_UNSET,
	  .flags = BIND_RO },
	{ .type = OP_BIND,
	  .source = "/dev-s",
	  .dest = "/dev-d",
	  .fd = -1,
	  .mode = MODE_UNSET,
	  .flags = BIND_DEV | BIND_TRY },
	{ .type = OP_BIND_FD, .dest = "/by-fd", .fd = 7, .mode = MODE_UNSET },
	{ .type = OP_OVERLAY,
	  .source = "/up",
	  .work = "/wk",
	  .dest = "/ov",
	  .fd = -1,
	  .mode = MODE_UNSET,
	  .flags = OVERLAY_RW,
	  .layer_count = 2 },
	{ .type = OP_OVERLAY,
	  .dest = "/ov-ro",
	  .fd = -1,
	  .mode = MODE_UNSET,
	  .flags = OVERLAY_RO,
	  .layer_count = 2 },
	{ .type = OP_PROC, .dest = "/proc", .fd = -1, .mode = MODE_UNSET },
	{ .type = OP_DEV, .dest = "/dev", .fd = -1, .mode = MODE_UNSET },
	{ .type = OP_TMPFS, .dest = "/tmp", .fd = -1, .mode = 01777, .size = 12345 },
	{ .type = OP_MQUEUE, .dest = "/mq", .fd = -1, .mode = MODE_UNSET },
	{ .type = OP_DIR, .dest = "/dir", .fd = -1, .mode = 0700 },
	{ .type = OP_FILE, .dest = "/file", .fd = 8, .mode = MODE_UNSET },
	{ .type = OP_DATA, .dest = "/data", .fd = 9, .mode = 0600 },
	{ .type = OP_DATA_RO, .dest = "/data-ro", .fd = 10, .mode = 0 },
	{ .type = OP_SYMLINK,
	  .source = "to\"quote",
	  .dest = "/link",
	  .fd = -1,
	  .mode = MODE_UNSET },
	{ .type = OP_CHMOD, .dest = "/mode", .fd = -1, .mode = 0755 },
	{ .type = OP_REMOUNT_RO, .dest = "/again", .fd = -1, .mode = MODE_UNSET },
};

static struct path_layer layers[] = { { .path = "/lower\xff" }, { .path = "/upper" } };

static struct spec spec_with_ops(const char *personality)
{
	struct spec spec = empty_spec(personality);

	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		ops[i].use = (int)i;
	spec.ops = ops;
	spec.op_count = ARRAY_SIZE(ops);
	spec.layers = layers;
	spec.layer_count = ARRAY_SIZE(layers);
	return spec;
}

/* A terminal would obey none of it. */
static void check_harmless(const char *text)
{
	for (; *text; text++)
		CHECK(*text == '\n' || (*text >= 0x20 && *text < 0x7f));
}

static void test_text(void)
{
	struct spec spec = spec_with_ops("bwrap");
	struct plan plan = planned(&spec, ordinary_facts());
	char *text = printed_text(&plan, ordinary_facts(), explain_text);

	check_harmless(text);
	check_has(text, "personality: bwrap\n");
	check_has(text, "namespaces: user mount\n");
	check_has(text, "shared with the host: pid net ipc uts cgroup\n");
	check_has(text, "uid 1000 inside is 1000 outside, gid 1001 inside is 1001 outside\n");
	check_has(text, "user namespaces inside: allowed\n");
	check_has(text, "/d\\012 from /s\\033[2J (ro,nosuid,nodev,slave)\n");
	check_has(text, "/dev-d from /dev-s (rw,nosuid,slave) if it exists\n");
	check_has(text, "/by-fd from fd 7 (rw,nosuid,nodev,slave)\n");
	check_has(text, "/ov from /up layers /lower\\377, /upper (rw,");
	check_has(text, "/ov-ro layers /lower\\377, /upper (ro,");
	check_has(text, "/tmp (rw,nosuid,nodev) mode 1777 at most 12345 bytes\n");
	check_has(text, "/dir mode 0700\n");
	check_has(text, "/data-ro from fd 10 (ro,nosuid,nodev) mode 0000\n");
	check_has(text, "/link -> to\"quote\n");
	check_has(text, "/again (ro)\n");
	check_has(text, "\nwhat COMMAND finds:\n  /\n");
	check_has(text, "  |-- dev-d  bind of /dev-s, writable, if it exists\n");
	check_has(text, "  |-- d\\012  bind of /s\\033[2J\n");
	check_has(text, "  |-- link  symlink -> to\"quote\n");
	check_has(text, "keep SECRET=hunter2\n");
	check_has(text, "capabilities: none\n");
	check_has(text, "descriptors from 3 on: inherited\n");
	free(text);
	plan_free(&plan);
}

static void test_text_cloche(void)
{
	struct cap_op caps[] = { { CAP_ADD, 1ull << CAP_NET_RAW } };
	struct env_op variable = { ENV_SET, "NAME", "va\x9blue" };
	struct spec spec = empty_spec("cloche");
	struct plan plan;
	char *text;

	spec.cap_ops = caps;
	spec.cap_op_count = 1;
	spec.env_ops = &variable;
	spec.env_op_count = 1;
	plan = planned(&spec, ordinary_facts());
	text = printed_text(&plan, ordinary_facts(), explain_text);
	check_harmless(text);
	check_has(text, "namespaces: user mount pid net ipc uts cgroup\n");
	check_has(text, "user namespaces inside: forbidden\n");
	check_has(text, "COMMAND gets a user namespace and a mount namespace of its own");
	check_has(text, "\nmounts and files, in this order:\n");
	check_has(text, "\nenvironment:\n");
	check_has(text, "/usr from /usr (ro,nosuid,nodev,private)\n");
	check_has(text, "set  NAME=va\\233lue\n");
	check_has(text, "keep TERM=xterm\n");
	check_lacks(text, "hunter2");
	check_has(text, "capabilities: cap_net_raw\n");
	check_has(text, "descriptors from 3 on: closed\n");
	free(text);
	plan_free(&plan);
}

static void test_json(void)
{
	static const char *const personalities[] = { "cloche", "bwrap" };

	for (size_t i = 0; i < ARRAY_SIZE(personalities); i++) {
		struct spec spec = spec_with_ops(personalities[i]);
		struct plan plan = planned(&spec, ordinary_facts());
		char *text = printed_text(&plan, ordinary_facts(), explain_json);

		if (!is_json(text))
			fprintf(stderr, "%s\n", text);
		CHECK(is_json(text));
		check_has(text, "\"personality\": ");
		check_has(text, personalities[i]);
		check_has(text, "\"uid\": {\"inside\": 1000, \"outside\": 1000}");
		check_has(text, "\"dest\": \"/d\\u000a\", \"source\": \"/s\\u001b[2J\"");
		check_has(text, "\"target\": \"to\\\"quote\"");
		check_has(text, "\"layers\": [\"/lower\\u00ff\", \"/upper\"]");
		check_has(text, "\"mode\": \"1777\", \"size\": 12345");
		check_has(text, "\"optional\": true");
		check_has(text, "\"name\": \"TERM\", \"value\": \"xterm\", \"inherited\": true");
		free(text);
		plan_free(&plan);
	}
}

/* What the two names differ in, as programs see it. */
static void test_json_choices(void)
{
	struct cap_op caps[] = { { CAP_ADD, 1ull << CAP_NET_RAW } };
	struct spec spec = empty_spec("bwrap");
	struct plan plan = planned(&spec, ordinary_facts());
	char *text = printed_text(&plan, ordinary_facts(), explain_json);

	check_has(text, "\"namespaces\": [\"user\", \"mount\"]");
	check_has(text, "\"shared\": [\"pid\", \"net\", \"ipc\", \"uts\", \"cgroup\"]");
	check_has(text, "\"nested-user-namespaces\": true");
	check_has(text, "\"inner-user-namespace\": false");
	check_has(text, "\"in-place\": false");
	check_has(text, "\"capabilities\": \"0000000000000000\"");
	check_has(text, "\"inherits-descriptors\": true");
	check_has(text, "\"init\": false");
	check_has(text, "\"new-session\": false");
	check_has(text, "\"die-with-parent\": false");
	free(text);
	plan_free(&plan);
	spec = empty_spec("cloche");
	spec.cap_ops = caps;
	spec.cap_op_count = 1;
	spec.flag_use[FLAG_DIE_WITH_PARENT] = 0;
	plan = planned(&spec, ordinary_facts());
	text = printed_text(&plan, ordinary_facts(), explain_json);
	check_has(text, "\"shared\": []");
	check_has(text, "\"nested-user-namespaces\": false");
	check_has(text, "\"inner-user-namespace\": true");
	check_has(text, "\"capabilities\": \"0000000000002000\"");
	check_has(text, "\"inherits-descriptors\": false");
	check_has(text, "\"init\": true");
	check_has(text, "\"new-session\": true");
	check_has(text, "\"die-with-parent\": true");
	free(text);
	plan_free(&plan);
}

/* A namespace that is joined is neither new nor the caller's. */
static void test_joined(void)
{
	struct spec spec = empty_spec("bwrap");
	struct plan plan;
	char *text;

	spec.namespaces.join[NS_PID] = (struct spec_ns){ .is_set = true, .fd = 12, .use = 0 };
	spec.namespaces.join[NS_USER] = (struct spec_ns){ .is_set = true, .fd = 13, .use = 1 };
	plan = planned(&spec, ordinary_facts());
	text = printed_text(&plan, ordinary_facts(), explain_text);
	check_has(text, "namespaces: mount\n");
	check_has(text, "shared with the host: net ipc uts cgroup\n");
	check_has(text, "joined: the pid namespace of fd 12\n");
	check_has(text, "joined: the user namespace of fd 13");
	check_lacks(text, "uid 1000 inside");
	free(text);
	text = printed_text(&plan, ordinary_facts(), explain_json);
	check_has(text, "\"namespaces\": [\"mount\"]");
	check_has(text, "\"shared\": [\"net\", \"ipc\", \"uts\", \"cgroup\"]");
	CHECK(is_json(text));
	free(text);
	plan_free(&plan);
}

static void test_arguments(void)
{
	struct option_use uses[] = {
		{ .row = &args_row, .arg = { "5" } },
		{ .row = &bind_row, .arg = { "/it's", "" }, .file = "fd 5" },
		{ .row = &explain_row },
		{ .row = &explain_row, .arg = { "json" } },
		{ .row = &bind_row, .arg = { "/plain-1.2", "$(reboot)\n" } },
	};
	struct spec spec = empty_spec("cloche");
	struct plan plan;
	char *text;

	spec.uses = uses;
	spec.use_count = ARRAY_SIZE(uses);
	plan = planned(&spec, ordinary_facts());
	text = printed_text(&plan, ordinary_facts(), print_arguments);
	check_has(text, "--unshare-pid\n");
	check_has(text, "--ro-bind /usr /usr\n");
	check_has(text, "--ro-bind-try /etc/passwd /etc/passwd\n");
	check_has(text, "--symlink usr/bin /bin\n");
	check_has(text, "--perms 1777\n");
	check_has(text, "--proc /proc\n");
	check_has(text, "--ro-bind '/it'\\''s' ''\n");
	check_has(text, "--explain\n--explain=json\n");
	check_has(text, "--ro-bind /plain-1.2 '$(reboot)\n'\n");
	check_lacks(text, "--args");
	check_lacks(text, "--unshare-mount");
	free(text);
	plan_free(&plan);
}

int main(void)
{
	test_text();
	test_text_cloche();
	test_json();
	test_json_choices();
	test_joined();
	test_arguments();
	return 0;
}
