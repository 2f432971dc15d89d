/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Setters of the seccomp options.
 */
#include <string.h>

#include "spec/parser.h"

/* Names of calls and groups between commas; nothing else, so that a list is never read as more of
 * the policy's language. */
static bool is_list(const char *list)
{
	static const char name[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-@";

	for (;;) {
		size_t length = strspn(list, name);

		if (!length)
			return false;
		list += length;
		if (!*list)
			return true;
		if (*list++ != ',')
			return false;
	}
}

/* As the names of errors and their numbers are. */
static bool is_errno(const char *text)
{
	return *text && !text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")];
}

int set_syscall_change(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct spec_policy *policy = &parser->spec->policy;
	const char *text = parser_arg(parser, use, 0);
	struct syscall_change *change;
	char *list = spec_add_blob(parser->spec, strdup(text)), *errnum;

	if (!list)
		return error_no_memory(err);
	errnum = strchr(list, ':');
	if (errnum)
		*errnum++ = '\0';
	if (!is_list(list) || (errnum && (!param || !is_errno(errnum))))
		return error_set(err, ERROR_SYSCALL_LIST, 0, text);
	change = spec_add(&policy->changes, &policy->change_count, sizeof(*change));
	if (!change)
		return error_no_memory(err);
	*change = (struct syscall_change){ .list = list,
					   .errnum = errnum  ? errnum
						     : param ? "EPERM"
							     : NULL,
					   .use = use };
	return 0;
}

int set_seccomp_log(struct parser *parser, int use, long param, struct cloche_error *err)
{
	(void)param;
	(void)err;
	parser->spec->policy.log =
		parser_arg(parser, use, 0) ? SECCOMP_LOG_ALLOW : SECCOMP_LOG_DENIED;
	return 0;
}
