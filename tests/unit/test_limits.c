/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of lib/spec/limits.c: the words of limits, and above all what is none.
 */
#include "spec/limits.h"

#include <linux/ioprio.h>
#include <sys/resource.h>

#include "unit.h"

static void check_rlimit(const char *text, int resource, uint64_t soft, uint64_t hard)
{
	struct limit_rlimit limit = { .use = 4711 };

	CHECK_INT(limit_parse_rlimit(text, &limit), 0);
	CHECK_INT(limit.resource, resource);
	CHECK(limit.soft == soft && limit.hard == hard);
}

static void test_rlimit(void)
{
	static const char *const bad[] = { "",
					   "=",
					   "nofile",
					   "nofile=",
					   "nofile=1:",
					   "nofile=:1",
					   "nofile=1:2:3",
					   "nofile=1K",
					   "as=1T",
					   "as=-1",
					   "abcdefghijklmnopqrst=1",
					   "as=0000000000000000000000000000000000001" };
	struct limit_rlimit untouched = { .resource = 4711 };

	check_rlimit("nofile=10", RLIMIT_NOFILE, 10, 10);
	check_rlimit("nofile=0:20", RLIMIT_NOFILE, 0, 20);
	check_rlimit("as=1M:2G", RLIMIT_AS, 1 << 20, 2ull << 30);
	check_rlimit("core=0", RLIMIT_CORE, 0, 0);
	check_rlimit("stack=0x10:unlimited", RLIMIT_STACK, 16, RLIM_INFINITY);
	check_rlimit("cpu=unlimited", RLIMIT_CPU, RLIM_INFINITY, RLIM_INFINITY);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_INT(limit_parse_rlimit(bad[i], &untouched), -EINVAL);
	CHECK_INT(untouched.resource, 4711);
	for (int resource = 0; resource < RLIM_NLIMITS; resource++)
		CHECK(limit_rlimit_name(resource) != NULL);
	CHECK(limit_rlimit_name(RLIM_NLIMITS) == NULL);
}

static void test_int(void)
{
	int number = 4711;

	CHECK_INT(limit_parse_int("+1", -20, 19, &number), -EINVAL);
	CHECK_INT(limit_parse_int("--1", -20, 19, &number), -EINVAL);
	CHECK_INT(limit_parse_int("-", -20, 19, &number), -EINVAL);
	CHECK_INT(limit_parse_int("20", -20, 19, &number), -EINVAL);
	CHECK_INT(limit_parse_int("99999999999", -20, 19, &number), -EINVAL);
	CHECK_INT(number, 4711);
	CHECK_INT(limit_parse_int("-20", -20, 19, &number), 0);
	CHECK_INT(number, -20);
}

static void test_cpu_list(void)
{
	static const char *const bad[] = { "",	     ",", "1,", "3-1", "1024",
					   "0-1024", "-", "1-", "a",   "00000000000000001" };
	cpu_set_t cpus;

	CHECK_INT(limit_parse_cpu_list("0-3,5,1023", &cpus), 0);
	CHECK_INT(CPU_COUNT(&cpus), 6);
	CHECK(CPU_ISSET(0, &cpus) && CPU_ISSET(3, &cpus) && !CPU_ISSET(4, &cpus) &&
	      CPU_ISSET(1023, &cpus));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_INT(limit_parse_cpu_list(bad[i], &cpus), -EINVAL);
}

static void test_cpus(void)
{
	static const char *const bad[] = { "",	       "0",   "0.009", ".5",	"1.",
					   "1.123456", "1e1", "-1",    "10000", "1.2.3" };
	uint64_t quota = 4711;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_INT(limit_parse_cpus(bad[i], &quota), -EINVAL);
	CHECK_INT(quota, 4711);
	CHECK_INT(limit_parse_cpus("1", &quota), 0);
	CHECK_INT(quota, LIMIT_CPU_PERIOD);
	CHECK_INT(limit_parse_cpus("0.01", &quota), 0);
	CHECK_INT(quota, 1000);
	CHECK_INT(limit_parse_cpus("2.5", &quota), 0);
	CHECK_INT(quota, 250000);
	CHECK_INT(limit_parse_cpus("0.01234", &quota), 0);
	CHECK_INT(quota, 1234);
}

static void test_ionice(void)
{
	int priority = 4711;

	CHECK_INT(limit_parse_ionice("idle:1", &priority), -EINVAL);
	CHECK_INT(limit_parse_ionice("realtime:8", &priority), -EINVAL);
	CHECK_INT(limit_parse_ionice("best", &priority), -EINVAL);
	CHECK_INT(priority, 4711);
	CHECK_INT(limit_parse_ionice("idle", &priority), 0);
	CHECK_INT(priority, IOPRIO_CLASS_IDLE << IOPRIO_CLASS_SHIFT);
	CHECK_INT(limit_parse_ionice("best-effort", &priority), 0);
	CHECK_INT(priority, IOPRIO_CLASS_BE << IOPRIO_CLASS_SHIFT | 4);
	CHECK_INT(limit_parse_ionice("realtime:0", &priority), 0);
	CHECK_INT(priority, IOPRIO_CLASS_RT << IOPRIO_CLASS_SHIFT);
}

static int parse_io(const char *text, struct limit_io *ret_io)
{
	static char copy[256];

	CHECK(strlen(text) < sizeof(copy));
	strcpy(copy, text);
	return limit_parse_io(copy, ret_io);
}

static void test_io(void)
{
	static const char *const bad[] = { "",
					   ":",
					   "8:0",
					   "8:0:",
					   "8:rbps=1",
					   "sda:rbps=1",
					   "8:0:rbps",
					   "8:0:rbps=0",
					   "8:0:bps=1",
					   "8:0:rbps=1,",
					   "8:0:rbps=1,rbps=1",
					   "8:1048576:rbps=1",
					   "8::rbps=1" };
	struct limit_io io = { .major = 4711 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_INT(parse_io(bad[i], &io), -EINVAL);
	CHECK_INT(io.major, 4711);
	CHECK_INT(parse_io("8:16:rbps=1M,wiops=5", &io), 0);
	CHECK(!io.path && io.major == 8 && io.minor == 16);
	CHECK(io.rate[IO_READ_BYTES] == 1 << 20 && io.rate[IO_WRITE_CALLS] == 5);
	CHECK(io.rate[IO_WRITE_BYTES] == 0 && io.rate[IO_READ_CALLS] == 0);
	CHECK_INT(parse_io("/dev/by:path:riops=7", &io), 0);
	CHECK_STR(io.path, "/dev/by:path");
	CHECK_INT(io.rate[IO_READ_CALLS], 7);
}

int main(void)
{
	unsigned controller = 0;

	test_rlimit();
	test_int();
	test_cpu_list();
	test_cpus();
	test_ionice();
	test_io();
	CHECK_STR(limit_group_file(LIMIT_SWAP, &controller), "memory.swap.max");
	CHECK_INT(controller, CONTROLLER_MEMORY);
	return 0;
}
