/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Made-up input of the plan: specs (spec-input.h), and facts of no host in particular.
 */
#pragma once

#include "spec-input.h"
#include "spec/plan.h"

/* An ordinary user's facts: uid 1000, /bin and /lib are links, /lib64 is a directory, the rest is
 * missing. */
unit_helper struct facts *ordinary_facts(void)
{
	static struct facts facts;
	static char path[] = "PATH=/opt/bin", other_home[] = "HOME=/home/other",
		    term[] = "TERM=xterm";
	static char locale[] = "LC_ALL=C", secret[] = "SECRET=hunter2";
	static char *const environment[] = { path, other_home, term, locale, secret, NULL };
	static char cwd[] = "/work", user[] = "alice", home[] = "/home/alice", shell[] = "/bin/zsh";
	static char to_bin[] = "usr/bin", to_lib[] = "usr/lib";

	facts = (struct facts){
		.uid = 1000,
		.gid = 1001,
		.environ = environment,
		.cwd = cwd,
		.has_cgroup_ns = true,
		.landlock_abi = 7,
		.user = user,
		.home = home,
		.shell = shell,
		.links = {
			{ .path = "/bin", .exists = true, .target = to_bin },
			{ .path = "/sbin" },
			{ .path = "/lib", .exists = true, .target = to_lib },
			{ .path = "/lib32" },
			{ .path = "/lib64", .exists = true },
			{ .path = "/libx32" },
		},
	};
	return &facts;
}

/* Real root's. */
unit_helper struct facts *root_facts(void)
{
	struct facts *facts = ordinary_facts();

	facts->uid = facts->gid = 0;
	facts->permitted = (1ull << 41) - 1; /* those of Linux 5.9 and later */
	facts->is_root = true;
	return facts;
}

/* Plans what must succeed; the caller releases it with plan_free(). */
unit_helper struct plan planned(const struct spec *spec, const struct facts *facts)
{
	struct cloche_error err = ERROR_INIT;
	struct plan plan;
	int r = plan_make(&plan, spec, facts, &err);

	if (r < 0)
		fprintf(stderr, "error %d of use %d: ", err.code, err.use);
	CHECK_INT(r, 0);
	CHECK_INT(err.code, ERROR_NONE);
	return plan;
}

/* Plans what must be refused with @code, where @use is to blame. */
unit_helper void refused(const struct spec *spec, const struct facts *facts, enum error_code code,
			 int use)
{
	struct cloche_error err = ERROR_INIT;
	struct plan plan;
	int r = plan_make(&plan, spec, facts, &err);

	plan_free(&plan);
	CHECK_INT(err.code, code);
	CHECK_INT(err.use, use);
	CHECK_INT(err.stage, STAGE_PLAN);
	CHECK(r < 0);
}
