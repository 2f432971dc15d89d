/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of lib/watch/stop.c: what is due when, with times made up.
 */
#include "watch/stop.h"

#include <limits.h>

#include "unit.h"

#define SECOND 1000000000ull

static void test_without_limits(void)
{
	struct plan plan = { .kill_after = 10 * SECOND };
	struct stop stop = { 0 };

	stop_start(&stop, &plan, 5 * SECOND);
	CHECK_INT(stop_due(&stop, &plan, UINT64_MAX), STOP_NOTHING);
	CHECK_INT(stop_patience(&stop, 7), -1);
	stop_asked(&stop, &plan, 6 * SECOND); /* a SIGTERM alone kills nobody */
	CHECK_INT(stop_patience(&stop, 7), -1);
	CHECK(!stop.timed_out);
}

static void test_timeout(void)
{
	struct plan plan = { .timeout = 2 * SECOND, .kill_after = 3 * SECOND };
	struct stop stop = { 0 };

	stop_start(&stop, &plan, SECOND);
	CHECK_INT(stop_patience(&stop, SECOND), 2000);
	CHECK_INT(stop_patience(&stop, 3 * SECOND - 1), 1); /* rounded up: never too early */
	CHECK_INT(stop_due(&stop, &plan, 3 * SECOND - 1), STOP_NOTHING);
	CHECK(!stop.timed_out);
	CHECK_INT(stop_patience(&stop, 4 * SECOND), 0);
	CHECK_INT(stop_due(&stop, &plan, 4 * SECOND), STOP_ASK);
	CHECK(stop.timed_out);
	CHECK_INT(stop_due(&stop, &plan, 4 * SECOND), STOP_NOTHING);
	CHECK_INT(stop_patience(&stop, 4 * SECOND), 3000); /* from when it was asked */
	CHECK_INT(stop_due(&stop, &plan, 7 * SECOND), STOP_KILL);
	CHECK_INT(stop_due(&stop, &plan, 8 * SECOND), STOP_NOTHING);
	CHECK_INT(stop_patience(&stop, 8 * SECOND), -1);
}

static void test_kill_at_once(void)
{
	struct plan plan = { .timeout = SECOND, .kill_after = 0, .kills_after_signal = true };
	struct stop stop = { 0 };

	stop_start(&stop, &plan, SECOND);
	CHECK_INT(stop_due(&stop, &plan, 2 * SECOND), STOP_KILL);
	CHECK(stop.timed_out);
}

static void test_asked_by_others(void)
{
	struct plan plan = { .timeout = 60 * SECOND,
			     .kill_after = 3 * SECOND,
			     .kills_after_signal = true };
	struct stop stop = { 0 };

	stop_start(&stop, &plan, SECOND);
	stop_asked(&stop, &plan, 2 * SECOND);
	stop_asked(&stop, &plan, 4 * SECOND); /* asking again is no delay */
	CHECK_INT(stop_patience(&stop, 2 * SECOND), 3000);
	CHECK_INT(stop_due(&stop, &plan, 5 * SECOND), STOP_KILL);
	CHECK(!stop.timed_out);
}

static void test_far_away(void)
{
	struct plan plan = { .timeout = UINT64_MAX / 4 };
	struct stop stop = { 0 };

	stop_start(&stop, &plan, SECOND);
	CHECK_INT(stop_patience(&stop, SECOND), INT_MAX);
}

static void test_interrupts(void)
{
	struct stop stop = { 0 };

	CHECK(!stop_interrupted(&stop, SECOND));
	CHECK(stop_interrupted(&stop, SECOND + STOP_INTERRUPT_NS - 1));
	stop = (struct stop){ 0 };
	CHECK(!stop_interrupted(&stop, SECOND));
	CHECK(!stop_interrupted(&stop, SECOND + STOP_INTERRUPT_NS)); /* that is a new first one */
	CHECK(stop_interrupted(&stop, 2 * SECOND + STOP_INTERRUPT_NS));
}

int main(void)
{
	test_without_limits();
	test_timeout();
	test_kill_at_once();
	test_asked_by_others();
	test_far_away();
	test_interrupts();
	CHECK(stop_now() > 0);
	return 0;
}
