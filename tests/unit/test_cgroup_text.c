/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of lib/watch/cgroup-text.c: the kernel's files, and what only looks like them.
 */
#include "watch/cgroup-text.h"

#include "spec/limits.h"
#include "unit.h"

static void test_own(void)
{
	static const struct {
		const char *text;
		int r;
	} bad[] = { { "", -ENOENT },
		    { "1:name=systemd:/\n", -ENOENT },
		    { "0::/a (deleted)\n", -ENOENT },
		    { "0::/../b\n", -EXDEV },
		    { "0::/..\n", -EXDEV },
		    { "0::/", -EINVAL },
		    { "0::\n", -EINVAL },
		    { "0::a\n", -EINVAL },
		    { "0:memory:/\n", -EINVAL },
		    { "0::/a\n0::/b\n", -EINVAL },
		    { "x::/\n", -EINVAL },
		    { "-1::/\n", -EINVAL },
		    { "0::/a\n\n", -EINVAL },
		    { "0:/\n", -EINVAL } };
	struct cgroup_own own = { .path = "untouched" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_INT(cgroup_text_own(bad[i].text, &own), bad[i].r);
	CHECK_STR(own.path, "untouched");
	CHECK_INT(cgroup_text_own("0::/user.slice/a:b/..c\n", &own), 0);
	CHECK_STR(own.path, "/user.slice/a:b/..c");
	CHECK(!own.has_v1);
	CHECK_INT(cgroup_text_own("3:memory,cpu:/x\n1:name=systemd:/\n0::/\n", &own), 0);
	CHECK_STR(own.path, "/");
	CHECK(own.has_v1);
	CHECK_INT(cgroup_text_own("1:name=systemd:/\n0::/\n", &own), 0);
	CHECK(!own.has_v1);
}

static void test_controllers(void)
{
	unsigned found = 4711;

	CHECK_INT(cgroup_text_controllers("cpu  io\n", &found), -EINVAL);
	CHECK_INT(cgroup_text_controllers("cpu", &found), -EINVAL);
	CHECK_INT(cgroup_text_controllers("cpu\nio\n", &found), -EINVAL);
	CHECK_INT(found, 4711);
	CHECK_INT(cgroup_text_controllers("cpuset cpu io memory hugetlb pids rdma misc\n", &found),
		  0);
	CHECK_INT(found, CONTROLLER_CPU | CONTROLLER_IO | CONTROLLER_MEMORY | CONTROLLER_PIDS);
	CHECK_INT(cgroup_text_controllers("cpuset\n", &found), 0);
	CHECK_INT(found, 0);
	found = 1;
	CHECK_INT(cgroup_text_controllers("\n", &found), 0);
	CHECK_INT(found, 0);
	CHECK_INT(cgroup_text_controllers("", &found), 0);
}

static void test_number(void)
{
	static const char *const bad[] = { "",	  "1",	   "1\n2\n", "-1\n",
					   "max", "MAX\n", " 1\n",   "99999999999999999999\n" };
	uint64_t number = 4711;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_INT(cgroup_text_number(bad[i], &number), -EINVAL);
	CHECK_INT(number, 4711);
	CHECK_INT(cgroup_text_number("123\n", &number), 0);
	CHECK_INT(number, 123);
	CHECK_INT(cgroup_text_number("max\n", &number), 0);
	CHECK(number == UINT64_MAX);
}

static void test_key(void)
{
	uint64_t number = 4711;

	CHECK_INT(cgroup_text_key("low 0\noom 2\n", "oom_kill", &number), -ENOENT);
	CHECK_INT(cgroup_text_key("", "oom_kill", &number), -ENOENT);
	CHECK_INT(cgroup_text_key("oom_kill\n", "oom_kill", &number), -EINVAL);
	CHECK_INT(cgroup_text_key("oom_kill 1\noom_kill 2\n", "oom_kill", &number), -EINVAL);
	CHECK_INT(cgroup_text_key("oom_kill 1 2\n", "oom_kill", &number), -EINVAL);
	CHECK_INT(cgroup_text_key("oom_kill 1", "oom_kill", &number), -EINVAL);
	CHECK_INT(number, 4711);
	CHECK_INT(cgroup_text_key("oom 2\noom_kill 3\noom_group_kill 4\n", "oom_kill", &number), 0);
	CHECK_INT(number, 3);
}

static void test_io(void)
{
	static const char *const bad[] = { "8:0 rbytes=x\n", "8 rbytes=1\n", "x:0 rbytes=1\n",
					   "8:0 rbytes=1",
					   "8:0 rbytes=18446744073709551615\n8:1 rbytes=1\n" };
	uint64_t in = 1, out = 2;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_INT(cgroup_text_io(bad[i], &in, &out), -EINVAL);
	CHECK(in == 1 && out == 2);
	CHECK_INT(cgroup_text_io("8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n"
				 "8:16\n253:0 rbytes=5 wbytes=6\n",
				 &in, &out),
		  0);
	CHECK(in == 15 && out == 26);
	CHECK_INT(cgroup_text_io("", &in, &out), 0);
	CHECK(in == 0 && out == 0);
}

static void test_pids(void)
{
	const char *text = "12\n34\n", *bad = "0\n";

	CHECK_INT(cgroup_text_pids(&text), 12);
	CHECK_INT(cgroup_text_pids(&text), 34);
	CHECK_INT(cgroup_text_pids(&text), 0);
	CHECK_INT(cgroup_text_pids(&bad), -EINVAL);
}

/* The next start kills what is in groups of these names. */
static void test_is_ours(void)
{
	static const char *const others[] = {
		"",
		"cloche",
		"cloche-",
		"cloche-1",
		"cloche-1-",
		"cloche--1",
		"cloche-1-1-",
		"cloche-1-1-inside",
		"cloche-x-1",
		"cloche-1-1-outside.slice",
		"cloche-12-1.scope",
		"cloche-1-663c.scope",
		"cloche-build.service",
		"xcloche-1-1",
	};

	CHECK(cgroup_text_is_ours("cloche-1-1"));
	CHECK(cgroup_text_is_ours("cloche-4194304-99"));
	CHECK(cgroup_text_is_ours("cloche-12-1-outside"));
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		CHECK(!cgroup_text_is_ours(others[i]));
}

int main(void)
{
	test_is_ours();
	test_own();
	test_controllers();
	test_number();
	test_key();
	test_io();
	test_pids();
	return 0;
}
