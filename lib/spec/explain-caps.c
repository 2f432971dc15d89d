/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Capabilities of the plan in words, by libcap's names.
 */
#include <sys/capability.h>

#include "spec/explain-parts.h"

#define ROOT_BITS "noroot,no_setuid_fixup,no_cap_ambient_raise"

/* Prints the names in @mask, each between @before and @after. */
static void put_names(uint64_t mask, const char *before, const char *between, const char *after,
		      FILE *out)
{
	const char *separator = "";

	for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
		char *name = mask >> cap & 1 ? cap_to_name(cap) : NULL;

		if (name)
			fprintf(out, "%s%s%s%s", separator, before, name, after);
		separator = name ? between : separator;
		cap_free(name);
	}
}

static void text_set(const char *title, uint64_t mask, FILE *out)
{
	fprintf(out, "%s:", title);
	if (!mask)
		fputs(" none", out);
	else if (mask == UINT64_MAX)
		fputs(" all", out);
	else
		put_names(mask, " ", "", "", out);
	fputc('\n', out);
}

void explain_caps_text(const struct plan *plan, FILE *out)
{
	text_set("capabilities", plan->keep_caps, out);
	if (plan->keep_caps)
		text_set("inheritable and ambient capabilities", plan->ambient_caps, out);
	if (plan->leaves_caps || !plan->trims_bounding)
		fputs("capability bounding set: as it is\n", out);
	if (plan->locks_root && !plan->keep_caps)
		fputs("securebits: " ROOT_BITS ", locked\n", out);
	if (plan->allow_suid)
		fputs("set-user-ID programs of mapped ids: allowed\n", out);
	fprintf(out, "session keyring: %s\n", plan->new_keyring ? "a new one" : "the caller's");
}

static void json_set(const char *key, uint64_t mask, FILE *out)
{
	explain_json_key(key, out);
	fputc('[', out);
	put_names(mask, "\"", ", ", "\"", out);
	fputc(']', out);
}

void explain_caps_json(const struct plan *plan, FILE *out)
{
	fprintf(out, ", \"capabilities\": \"%016llx\"", (unsigned long long)plan->keep_caps);
	json_set("kept-capabilities", plan->keep_caps, out);
	json_set("ambient-capabilities", plan->ambient_caps, out);
	if (plan->trims_bounding && !plan->leaves_caps)
		json_set("bounding-set", plan->keep_caps, out);
	fprintf(out, ", \"securebits\": \"%s\"",
		plan->locks_root && !plan->keep_caps ? ROOT_BITS : "");
	fprintf(out, ", \"no-new-privs\": %s", plan->allow_suid ? "false" : "true");
	fprintf(out, ", \"new-keyring\": %s", plan->new_keyring ? "true" : "false");
}
