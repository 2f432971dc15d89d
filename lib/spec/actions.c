/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The table of setters, in the order of the option table. Apart from it, so that the generators
 * need no setter.
 */
#include <sched.h>
#include <stddef.h>

#include "spec/parser.h"

#define OFFSET(field) (long)offsetof(struct spec, field)

const struct option_action option_actions[] = {
#define OPTION(name, group, since, args, setter, param, help, man) { setter, param },
#include "spec/options.def"
#undef OPTION
};
