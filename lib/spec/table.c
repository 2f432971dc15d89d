/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The option table as data: names and arguments of options.def, without the parser's setters and
 * without the texts. Constant data, no privileges.
 */
#include "spec/option.h"

static const struct option_row rows[] = {
#define OPTION(name, group, since, args, setter, param, help, man) { name, GROUP_##group, args },
#include "spec/options.def"
#undef OPTION
};

const struct option_row *option_rows(size_t *ret_count)
{
	*ret_count = ARRAY_SIZE(rows);
	return rows;
}
