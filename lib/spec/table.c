/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The option table as data: names, arguments and texts of options.def, without the parser's
 * setters, so that the generator of help, manual page and completions links nothing but this file.
 * Constant data, no privileges.
 */
#include "spec/option.h"

static const struct option_row rows[] = {
#define OPTION(name, group, since, args, setter, param, help, man)                                 \
	{ name, GROUP_##group, since, args, help, man },
#include "spec/options.def"
#undef OPTION
};

static const char *const group_titles[] = {
	[GROUP_GENERAL] = "General",
	[GROUP_NAMESPACES] = "Namespaces",
	[GROUP_FILESYSTEM] = "File system, in the order given",
	[GROUP_ENVIRONMENT] = "Environment",
	[GROUP_DESCRIPTORS] = "Descriptors",
	[GROUP_CONFINEMENT] = "Privileges and confinement",
	[GROUP_SUPERVISION] = "Supervision",
};

_Static_assert(ARRAY_SIZE(group_titles) == GROUP_COUNT, "each group has a title");

const struct option_row *option_rows(size_t *ret_count)
{
	*ret_count = ARRAY_SIZE(rows);
	return rows;
}

const char *option_group_title(enum option_group group)
{
	return group_titles[group];
}
