/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Text for people on standard output.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/** text_is_colourful - may @out get colours: is it a terminal that knows some, and NO_COLOR
 * (no-color.org) not set? */
static inline bool text_is_colourful(FILE *out)
{
	const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");

	return isatty(fileno(out)) && !(no_colour && *no_colour) && terminal &&
	       strcmp(terminal, "dumb") != 0;
}
