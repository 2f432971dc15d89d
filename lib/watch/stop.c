/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * When COMMAND is asked to end, and when it is killed: --timeout, --kill-after, Ctrl-C.
 */
#include "watch/stop.h"

#include <limits.h>
#include <time.h>

#define NS_PER_SECOND 1000000000ull
#define NS_PER_MS 1000000ull

uint64_t stop_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

void stop_start(struct stop *stop, const struct plan *plan, uint64_t now)
{
	stop->ask_at = plan->timeout ? now + plan->timeout : 0;
}

enum stop_action stop_due(struct stop *stop, const struct plan *plan, uint64_t now)
{
	if (stop->kill_at && now >= stop->kill_at) {
		stop->kill_at = 0;
		return STOP_KILL;
	}
	if (!stop->ask_at || now < stop->ask_at)
		return STOP_NOTHING;
	stop->ask_at = 0;
	stop->timed_out = true;
	if (!plan->kill_after)
		return STOP_KILL;
	if (!stop->kill_at || stop->kill_at > now + plan->kill_after)
		stop->kill_at = now + plan->kill_after;
	return STOP_ASK;
}

int stop_patience(const struct stop *stop, uint64_t now)
{
	uint64_t next = stop->ask_at, wait;

	if (!next || (stop->kill_at && stop->kill_at < next))
		next = stop->kill_at;
	if (!next)
		return -1;
	wait = next > now ? (next - now + NS_PER_MS - 1) / NS_PER_MS : 0;
	return wait > INT_MAX ? INT_MAX : (int)wait;
}

void stop_asked(struct stop *stop, const struct plan *plan, uint64_t now)
{
	if (plan->kills_after_signal && !stop->kill_at)
		stop->kill_at = now + plan->kill_after;
}

bool stop_interrupted(struct stop *stop, uint64_t now)
{
	bool is_second = stop->interrupted_at && now - stop->interrupted_at < STOP_INTERRUPT_NS;

	stop->interrupted_at = now;
	return is_second;
}
