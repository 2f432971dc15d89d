/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of lib/spec/defaults.c: the root directory that our own name provides, and the
 * environment of both names. Linked without the parser.
 */
#include "spec/defaults.h"

#include <sched.h>

#include "plan-input.h"

static struct plan plan_of(const struct spec *spec)
{
	return (struct plan){
		.spec = spec,
		.personality = spec->personality,
		.clone_flags = CLONE_NEWNET | CLONE_NEWPID,
	};
}

/* ---- root directory ---- */

static struct plan rooted(const struct spec *spec, const struct facts *facts, uint64_t clone_flags)
{
	struct cloche_error err = ERROR_INIT;
	struct plan plan = plan_of(spec);

	plan.clone_flags = clone_flags;
	CHECK_INT(defaults_root(&plan, facts, &err), 0);
	return plan;
}

/* The last operation with this destination, or NULL. */
static const struct fs_op *op_on(const struct plan *plan, const char *dest)
{
	for (size_t i = plan->op_count; i > 0; i--)
		if (strcmp(plan->ops[i - 1].dest, dest) == 0)
			return &plan->ops[i - 1];
	return NULL;
}

static void check_ro_bind(const struct plan *plan, const char *path, int flags)
{
	const struct fs_op *op = op_on(plan, path);

	CHECK(op != NULL);
	CHECK_INT(op->type, OP_BIND);
	CHECK_STR(op->source, path);
	CHECK_INT(op->flags, BIND_RO | flags);
	CHECK(op->use == -1 && op->fd == -1 && op->mode == MODE_UNSET);
}

static void test_provided_root(void)
{
	struct spec spec = empty_spec("cloche");
	struct plan plan = rooted(&spec, ordinary_facts(), CLONE_NEWNET);
	const struct fs_op *op;

	check_ro_bind(&plan, "/usr", 0);
	check_ro_bind(&plan, "/etc/passwd", BIND_TRY);
	check_ro_bind(&plan, "/lib64", 0);
	op = op_on(&plan, "/bin");
	CHECK(op && op->type == OP_SYMLINK);
	CHECK_STR(op->source, "usr/bin");
	CHECK_STR(op_on(&plan, "/lib")->source, "usr/lib");
	CHECK(!op_on(&plan, "/sbin") && !op_on(&plan, "/lib32") && !op_on(&plan, "/libx32"));
	CHECK_INT(op_on(&plan, "/proc")->type, OP_PROC);
	CHECK_INT(op_on(&plan, "/dev")->type, OP_DEV);
	op = op_on(&plan, "/tmp");
	CHECK(op && op->type == OP_TMPFS && op->mode == 01777);
	op = op_on(&plan, "/home/alice");
	CHECK(op && op->type == OP_DIR && op->mode == 0700);
	/* Everything of the host is read-only. */
	for (size_t i = 0; i < plan.op_count; i++)
		CHECK(plan.ops[i].use == -1 &&
		      (plan.ops[i].type != OP_BIND || plan.ops[i].flags & BIND_RO));
	plan_free(&plan);
}

/* What would tell secrets or let services be reached. */
static void test_not_provided(void)
{
	static const char *const secrets[] = {
		"/etc",
		"/etc/shadow",
		"/etc/gshadow",
		"/etc/ssh",
		"/etc/ssl",
		"/etc/ssl/private",
		"/etc/sudoers",
		"/etc/machine-id",
		"/home",
		"/root",
		"/run",
		"/var",
		"/sys",
		"/etc/resolv.conf",
		"/",
	};
	struct spec spec = empty_spec("cloche");
	struct plan plan = rooted(&spec, ordinary_facts(), CLONE_NEWNET);

	for (size_t i = 0; i < ARRAY_SIZE(secrets); i++)
		CHECK(!op_on(&plan, secrets[i]));
	plan_free(&plan);
	plan = rooted(&spec, ordinary_facts(), 0); /* with the host's network also how to use it */
	check_ro_bind(&plan, "/etc/resolv.conf", BIND_TRY);
	plan_free(&plan);
}

static void test_home(void)
{
	struct spec spec = empty_spec("cloche");
	struct facts *facts = ordinary_facts();
	static char root[] = "/";
	struct plan plan;

	facts->home = NULL;
	plan = rooted(&spec, facts, 0);
	CHECK(!op_on(&plan, "/home/alice"));
	plan_free(&plan);
	facts->home = root;
	plan = rooted(&spec, facts, 0);
	CHECK(!op_on(&plan, "/"));
	plan_free(&plan);
}

static size_t provided_with(struct spec *spec, struct fs_op op)
{
	struct plan plan;
	size_t count;

	spec->ops = &op;
	spec->op_count = 1;
	plan = rooted(spec, ordinary_facts(), 0);
	CHECK(plan.op_count >= 1);
	count = plan.op_count - 1;
	/* The option's own operation is the last. */
	CHECK_STR(plan.ops[count].dest, op.dest);
	CHECK_INT(plan.ops[count].use, 7);
	plan_free(&plan);
	spec->ops = NULL;
	spec->op_count = 0;
	return count;
}

#define OP(what, to)                                                                               \
	(struct fs_op)                                                                             \
	{                                                                                          \
		.type = (what), .source = "/s", .dest = (to), .fd = -1, .use = 7                   \
	}

static void test_when_provided(void)
{
	struct spec spec = empty_spec("cloche");

	CHECK(provided_with(&spec, OP(OP_BIND, "/opt")) > 10);
	CHECK(provided_with(&spec, OP(OP_BIND, "/usr/local")) > 10);
	CHECK(provided_with(&spec, OP(OP_DIR, "/usr")) > 10);
	CHECK(provided_with(&spec, OP(OP_REMOUNT_RO, "/")) > 10);
	CHECK(provided_with(&spec, OP(OP_CHMOD, "/")) > 10);
	CHECK_INT(provided_with(&spec, OP(OP_BIND, "/")), 0);
	CHECK_INT(provided_with(&spec, OP(OP_BIND, "//.")), 0);
	CHECK_INT(provided_with(&spec, OP(OP_BIND_FD, "/")), 0);
	CHECK_INT(provided_with(&spec, OP(OP_TMPFS, "/")), 0);
	CHECK_INT(provided_with(&spec, OP(OP_OVERLAY, "/")), 0);
	CHECK_INT(provided_with(&spec, OP(OP_BIND, "/usr")), 0);
	CHECK_INT(provided_with(&spec, OP(OP_BIND, "/usr/")), 0);
	CHECK_INT(provided_with(&spec, OP(OP_OVERLAY, "/usr")), 0);
	spec.flag_use[FLAG_BARE] = 0;
	CHECK_INT(provided_with(&spec, OP(OP_BIND, "/opt")), 0);
	spec = empty_spec("bwrap");
	CHECK_INT(provided_with(&spec, OP(OP_BIND, "/opt")), 0);
}

/* Every entry exists once, with all links there are: the list has the room. */
static void test_all_links(void)
{
	struct spec spec = empty_spec("cloche");
	struct facts *facts = ordinary_facts();
	struct plan plan;

	for (size_t i = 0; i < FACTS_LINK_COUNT; i++)
		facts->links[i].exists = true;
	plan = rooted(&spec, facts, 0);
	for (size_t i = 0; i < FACTS_LINK_COUNT; i++)
		CHECK(op_on(&plan, facts->links[i].path) != NULL);
	for (size_t i = 0; i < plan.op_count; i++)
		CHECK(op_on(&plan, plan.ops[i].dest) == &plan.ops[i]); /* no place twice */
	plan_free(&plan);
}

/* ---- environment ---- */

static struct plan environment_of(struct spec *spec, const struct facts *facts,
				  const struct env_op *ops, size_t count)
{
	struct cloche_error err = ERROR_INIT;
	struct plan plan;

	CHECK(spec->env_ops == NULL);
	spec->env_ops = malloc((count + 1) * sizeof(*ops));
	CHECK(spec->env_ops != NULL);
	memcpy(spec->env_ops, ops, count * sizeof(*ops));
	spec->env_op_count = count;
	plan = plan_of(spec);
	CHECK_INT(defaults_environment(&plan, facts, &err), 0);
	free(spec->env_ops);
	spec->env_ops = NULL;
	return plan;
}

#define ENVIRONMENT(spec, facts, ...)                                                              \
	environment_of(spec, facts, (const struct env_op[]){ __VA_ARGS__ },                        \
		       sizeof((const struct env_op[]){ __VA_ARGS__ }) / sizeof(struct env_op))
#define NOTHING                                                                                    \
	{                                                                                          \
		ENV_UNSET, "NOTHING", NULL                                                         \
	}

/* The value of @name, NULL where it is missing; fails where it is there twice. */
static const char *value_of(const struct plan *plan, const char *name)
{
	const char *found = NULL;
	size_t length = strlen(name);

	for (size_t i = 0; i < plan->environment_count; i++)
		if (strncmp(plan->environment[i], name, length) == 0 &&
		    plan->environment[i][length] == '=') {
			CHECK(found == NULL);
			found = plan->environment[i] + length + 1;
		}
	return found;
}

static void test_rebuilt(void)
{
	struct spec spec = empty_spec("cloche");
	struct plan plan = ENVIRONMENT(&spec, ordinary_facts(), NOTHING);

	CHECK_STR(value_of(&plan, "PATH"),
		  "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	CHECK_STR(value_of(&plan, "HOME"), "/home/alice"); /* not the caller's word */
	CHECK_STR(value_of(&plan, "USER"), "alice");
	CHECK_STR(value_of(&plan, "LOGNAME"), "alice");
	CHECK_STR(value_of(&plan, "SHELL"), "/bin/zsh");
	CHECK_STR(value_of(&plan, "TERM"), "xterm");
	CHECK_STR(value_of(&plan, "LC_ALL"), "C");
	CHECK_STR(value_of(&plan, "SECRET"), NULL);
	CHECK_INT(plan.environment_count, 7);
	CHECK_STR(plan.home, "/home/alice");
	plan_free(&plan);
}

static void test_rebuilt_unknown_user(void)
{
	struct spec spec = empty_spec("cloche");
	struct facts *facts = ordinary_facts();
	struct plan plan;

	facts->user = facts->home = facts->shell = NULL;
	plan = ENVIRONMENT(&spec, facts, NOTHING);
	CHECK_STR(value_of(&plan, "HOME"), "/");
	CHECK_STR(value_of(&plan, "SHELL"), "/bin/sh");
	CHECK_STR(value_of(&plan, "USER"), NULL);
	CHECK_STR(value_of(&plan, "LOGNAME"), NULL);
	plan_free(&plan);
}

static void test_kept_names(void)
{
	static char kept[][16] = { "TERM=1", "COLORTERM=2", "LANG=3", "LANGUAGE=4",
				   "LC_X=5", "LC_=6",	    "TZ=7",   "NO_COLOR=8" };
	static char dropped[][16] = { "TERMX=1", "XTERM=1",	 "LC=1",     "TZDIR=1",
				      "PWD=/x",	 "LD_PRELOAD=x", "no equals" };
	char *variables[sizeof(kept) / sizeof(kept[0]) + sizeof(dropped) / sizeof(dropped[0]) +
			1] = { NULL };
	struct spec spec = empty_spec("cloche");
	struct facts *facts = ordinary_facts();
	size_t count = 0;
	struct plan plan;

	for (size_t i = 0; i < ARRAY_SIZE(dropped); i++)
		variables[count++] = dropped[i];
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		variables[count++] = kept[i];
	facts->environ = variables;
	plan = ENVIRONMENT(&spec, facts, NOTHING);
	CHECK_STR(value_of(&plan, "TERM"), "1");
	CHECK_STR(value_of(&plan, "COLORTERM"), "2");
	CHECK_STR(value_of(&plan, "LANG"), "3");
	CHECK_STR(value_of(&plan, "LANGUAGE"), "4");
	CHECK_STR(value_of(&plan, "LC_X"), "5");
	CHECK_STR(value_of(&plan, "LC_"), "6");
	CHECK_STR(value_of(&plan, "TZ"), "7");
	CHECK_STR(value_of(&plan, "NO_COLOR"), "8");
	CHECK_INT(plan.environment_count, ARRAY_SIZE(kept) + 5);
	plan_free(&plan);
}

static void test_inherited(void)
{
	static char pwd[] = "PWD=/old", odd[] = "no equals", empty[] = "EMPTY=", home[] = "HOME=/h";
	static char *const variables[] = { pwd, odd, empty, home, NULL };
	struct spec spec = empty_spec("bwrap");
	struct facts *facts = ordinary_facts();
	struct plan plan;

	facts->environ = variables;
	plan = ENVIRONMENT(&spec, facts, NOTHING);
	CHECK_STR(value_of(&plan, "PWD"), NULL); /* known only inside */
	CHECK_STR(value_of(&plan, "EMPTY"), "");
	CHECK_STR(value_of(&plan, "PATH"), NULL);
	CHECK_STR(plan.environment[0], "no equals"); /* as it is, whatever it is */
	CHECK_INT(plan.environment_count, 3);
	CHECK_STR(plan.home, "/h");
	plan_free(&plan);
}

/* As with setenv(3): what is set anew stays where it stood; what is new, or was unset, comes last.
 */
static void test_place_of_others(void)
{
	static char first[] = "A=1", second[] = "B=2", third[] = "C=3";
	static char *const variables[] = { first, second, third, NULL };
	static const char *const expected[] = { "A=7", "C=3", "D=8", "B=9" };
	struct spec spec = empty_spec("bwrap");
	struct facts *facts = ordinary_facts();
	struct plan plan;

	facts->environ = variables;
	plan = ENVIRONMENT(&spec, facts, { ENV_UNSET, "B", NULL }, { ENV_SET, "A", "6" },
			   { ENV_SET, "D", "8" }, { ENV_SET, "B", "9" }, { ENV_SET, "A", "7" });
	CHECK_INT(plan.environment_count, ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		CHECK_STR(plan.environment[i], expected[i]);
	plan_free(&plan);
}

/* PWD keeps its place among the others; where there is none, it comes last. */
static void test_place_of_pwd(void)
{
	static char first[] = "A=1", pwd[] = "PWD=/old", last[] = "B=2";
	static char *const variables[] = { first, pwd, last, NULL };
	struct spec spec = empty_spec("bwrap");
	struct facts *facts = ordinary_facts();
	struct plan plan;

	facts->environ = variables;
	plan = ENVIRONMENT(&spec, facts, NOTHING);
	CHECK_INT(plan.pwd_place, 1);
	CHECK_INT(plan.environment_count, 2);
	plan_free(&plan);
	plan = ENVIRONMENT(&spec, facts, { ENV_UNSET, "PWD", NULL });
	CHECK_INT(plan.pwd_place, 2);
	plan_free(&plan);
	plan = ENVIRONMENT(&spec, facts, { ENV_CLEAR, NULL, NULL });
	CHECK_INT(plan.pwd_place, 0);
	CHECK_INT(plan.environment_count, 0);
	plan_free(&plan);
}

/* The options work in the order they stand. */
static void test_order(void)
{
	struct spec spec = empty_spec("bwrap");
	struct plan plan = ENVIRONMENT(&spec, ordinary_facts(), { ENV_SET, "A", "1" },
				       { ENV_SET, "A", "2" }, { ENV_UNSET, "SECRET", NULL },
				       { ENV_SET, "SECRET", "new" }, { ENV_UNSET, "TERM", NULL },
				       { ENV_SET, "EMPTY", "" }, { ENV_SET, "EQUALS", "a=b" });

	CHECK_STR(value_of(&plan, "A"), "2");
	CHECK_STR(value_of(&plan, "SECRET"), "new");
	CHECK_STR(value_of(&plan, "TERM"), NULL);
	CHECK_STR(value_of(&plan, "EMPTY"), "");
	CHECK_STR(value_of(&plan, "EQUALS"), "a=b");
	CHECK_STR(value_of(&plan, "PATH"), "/opt/bin");
	CHECK_STR(plan.home, "/home/other");
	plan_free(&plan);
	plan = ENVIRONMENT(&spec, ordinary_facts(), { ENV_SET, "A", "1" },
			   { ENV_CLEAR, NULL, NULL }, { ENV_SET, "B", "2" });
	CHECK_STR(value_of(&plan, "B"), "2");
	CHECK_INT(plan.environment_count, 1);
	CHECK_STR(plan.home, NULL);
	plan_free(&plan);
	plan = ENVIRONMENT(&spec, ordinary_facts(), { ENV_SET, "A", "1" },
			   { ENV_CLEAR, NULL, NULL });
	CHECK_INT(plan.environment_count, 0);
	plan_free(&plan);
	plan = ENVIRONMENT(&spec, ordinary_facts(), { ENV_SET, "PWD", "/told" },
			   { ENV_SET, "HOME", "/new" });
	CHECK_STR(value_of(&plan, "PWD"), NULL);
	CHECK_STR(plan.home, "/new");
	plan_free(&plan);
}

static void test_keep_env(void)
{
	struct spec spec = empty_spec("cloche");
	struct plan plan = ENVIRONMENT(&spec, ordinary_facts(), { ENV_KEEP, "SEC*", NULL });

	CHECK_STR(value_of(&plan, "SECRET"), "hunter2");
	CHECK_INT(plan.environment_count, 8);
	plan_free(&plan);
	plan = ENVIRONMENT(&spec, ordinary_facts(), { ENV_KEEP, "PATH", NULL },
			   { ENV_KEEP, "H*", NULL }, { ENV_KEEP, "SECRE", NULL });
	CHECK_STR(value_of(&plan, "PATH"), "/opt/bin"); /* in the place of ours */
	CHECK_STR(value_of(&plan, "HOME"), "/home/other");
	CHECK_STR(plan.home, "/home/other");
	CHECK_STR(value_of(&plan, "SECRET"), NULL);
	plan_free(&plan);
	plan = ENVIRONMENT(&spec, ordinary_facts(), { ENV_CLEAR, NULL, NULL },
			   { ENV_KEEP, "*", NULL }, { ENV_SET, "SECRET", "x" });
	CHECK_STR(value_of(&plan, "SECRET"), "x");
	CHECK_INT(plan.environment_count, 5);
	plan_free(&plan);
	plan = ENVIRONMENT(&spec, ordinary_facts(), { ENV_SET, "SECRET", "x" },
			   { ENV_KEEP, "S?CRET", NULL }, { ENV_KEEP, "*", NULL });
	CHECK_STR(value_of(&plan, "SECRET"), "hunter2"); /* the later option wins */
	plan_free(&plan);
}

int main(void)
{
	test_provided_root();
	test_not_provided();
	test_home();
	test_when_provided();
	test_all_links();
	test_rebuilt();
	test_rebuilt_unknown_user();
	test_kept_names();
	test_inherited();
	test_place_of_others();
	test_place_of_pwd();
	test_order();
	test_keep_env();
	return 0;
}
