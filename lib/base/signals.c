/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Signals by name. The C library knows those of this architecture (sigabbrev_np(3), glibc 2.32).
 */
#include "base/signals.h"

#include <signal.h>
#include <string.h>

#include "base/num.h"
#include "base/str.h"

/* RTMIN, RTMIN+N, RTMAX and RTMAX-N: as the C library counts them, as kill(1) does. */
static int parse_realtime(const char *text, int *ret_number)
{
	const uint64_t room = (uint64_t)(SIGRTMAX - SIGRTMIN);
	bool from_end = str_starts(text, "RTMAX");
	uint64_t distance = 0;

	if (!from_end && !str_starts(text, "RTMIN"))
		return -EINVAL;
	text += strlen("RTMIN");
	if (*text && (*text != (from_end ? '-' : '+') || num_parse(text + 1, room, &distance) < 0))
		return -EINVAL;
	*ret_number = from_end ? SIGRTMAX - (int)distance : SIGRTMIN + (int)distance;
	return 0;
}

int signals_parse(const char *text, int *ret_number)
{
	uint64_t number;

	if (num_parse(text, (uint64_t)SIGRTMAX, &number) == 0) {
		if (number == 0)
			return -EINVAL;
		*ret_number = (int)number;
		return 0;
	}
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	for (int i = 1; i < SIGRTMIN; i++) {
		const char *name = sigabbrev_np(i);

		if (name && strcasecmp(name, text) == 0) {
			*ret_number = i;
			return 0;
		}
	}
	return parse_realtime(text, ret_number);
}

bool signals_is_taken(int number)
{
	return number == SIGSTOP || number == SIGCHLD || number == SIGTTIN || number == SIGPWR;
}
