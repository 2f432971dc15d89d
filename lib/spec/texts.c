/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The texts of options.def, for generators and tests only. Constant data, no privileges.
 */
#include "spec/option.h"

static const struct option_text texts[] = {
#define OPTION(name, group, since, args, setter, param, help, man) { since, help, man },
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
	[GROUP_LIMITS] = "Limits",
	[GROUP_NETWORK] = "Network",
	[GROUP_SUPERVISION] = "Supervision",
};

_Static_assert(ARRAY_SIZE(group_titles) == GROUP_COUNT, "each group has a title");

const struct option_text *option_text(const struct option_row *row)
{
	size_t count;

	return &texts[row - option_rows(&count)];
}

const char *option_group_title(enum option_group group)
{
	return group_titles[group];
}
