/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of lib/base/signals.c.
 */
#include "base/signals.h"

#include <signal.h>

#include "unit.h"

static void check_read(const char *text, int expected)
{
	int number = -1;

	CHECK_INT(signals_parse(text, &number), 0);
	CHECK_INT(number, expected);
}

static void test_names(void)
{
	check_read("TERM", SIGTERM);
	check_read("sigterm", SIGTERM);
	check_read("SigUsr1", SIGUSR1);
	check_read("9", SIGKILL);
	check_read("PWR", SIGPWR);
	check_read("RTMIN", SIGRTMIN);
	check_read("SIGRTMIN+3", SIGRTMIN + 3);
	check_read("RTMAX-1", SIGRTMAX - 1);
	check_read("64", 64);
}

static void test_refused(void)
{
	static const char *const bad[] = { "",	      "0",	    "65",     "-1",	"TERMINATE",
					   "SIG",     "SIGSIGTERM", " TERM",  "TERM ",	"RTMIN-1",
					   "RTMAX+1", "RTMIN+99",   "RTMIN+", "RTMINx", "0x9" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int number = 4711;

		CHECK_INT(signals_parse(bad[i], &number), -EINVAL);
		CHECK_INT(number, 4711);
	}
}

static void test_taken(void)
{
	CHECK(signals_is_taken(SIGSTOP) && signals_is_taken(SIGCHLD) && signals_is_taken(SIGTTIN) &&
	      signals_is_taken(SIGPWR));
	CHECK(!signals_is_taken(SIGKILL) && !signals_is_taken(SIGTERM) &&
	      !signals_is_taken(SIGTSTP));
}

int main(void)
{
	test_taken();
	test_names();
	test_refused();
	return 0;
}
