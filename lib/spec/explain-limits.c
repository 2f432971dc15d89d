/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Limits in words. Values that come from the command line are numbers by now, but for paths.
 */
#include <string.h>
#include <sys/resource.h>

#include "base/jsonw.h"
#include "spec/explain.h"

/* One name and its value; @quote where the value is text. */
typedef void (*put_value)(const char *name, const char *value, bool quote, FILE *out);

static void put_number(put_value put, const char *name, uint64_t number, FILE *out)
{
	char text[STR_NUMBER_SIZE];

	put(name, number == RLIM_INFINITY ? "unlimited" : str_number(text, number),
	    number == RLIM_INFINITY, out);
}

static void put_signed(put_value put, const char *name, const struct limit_signed *value, FILE *out)
{
	char text[16];

	if (!value->is_set)
		return;
	snprintf(text, sizeof(text), "%d", value->value);
	put(name, text, false, out);
}

static void put_rlimits(put_value put, const struct plan *plan, FILE *out)
{
	const struct spec_limits *limits = &plan->spec->limits;

	for (size_t i = 0; i < limits->rlimit_count; i++) {
		const struct limit_rlimit *limit = &limits->rlimits[i];
		char name[32];

		snprintf(name, sizeof(name), "rlimit-%s", limit_rlimit_name(limit->resource));
		put_number(put, name, limit->soft, out);
		snprintf(name, sizeof(name), "rlimit-%s-hard", limit_rlimit_name(limit->resource));
		put_number(put, name, limit->hard, out);
	}
	if (plan->limits.no_core)
		put("core-dumps", "none", true, out);
}

static void put_affinity(put_value put, const struct spec_limits *limits, FILE *out)
{
	char list[16 * 320]; /* every second of 1024 processors, with a comma each, is less */
	struct str_buf text = { .data = list, .size = sizeof(list) };

	list[0] = '\0';
	if (!limits->has_affinity)
		return;
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &limits->affinity))
			continue;
		if (text.length)
			str_add_char(&text, ',');
		str_add_number(&text, cpu);
	}
	put("cpu-affinity", list, true, out);
}

static void put_group(put_value put, const struct plan *plan, FILE *out)
{
	static const char *const places[] = { "none", "auto", "path", "systemd" };
	const struct spec_limits *limits = &plan->spec->limits;

	if (plan->limits.place == PLACE_NONE)
		return;
	put("cgroup", plan->limits.path ? plan->limits.path : places[plan->limits.place], true,
	    out);
	for (size_t i = 0; i < LIMIT_COUNT; i++) {
		unsigned controller;

		if (limits->group[i].is_set)
			put_number(put, limit_group_file((enum group_limit)i, &controller),
				   limits->group[i].value, out);
	}
	for (size_t i = 0; i < limits->io_count; i++)
		put("io.max", plan->spec->uses ? plan->spec->uses[limits->io[i].use].arg[0] : "",
		    true, out);
}

static void put_all(put_value put, const struct plan *plan, FILE *out)
{
	const struct spec_limits *limits = &plan->spec->limits;

	put_rlimits(put, plan, out);
	put_signed(put, "nice", &limits->nice, out);
	put_signed(put, "oom-score-adj", &limits->oom_score_adj, out);
	put_signed(put, "io-priority", &limits->ionice, out);
	put_affinity(put, limits, out);
	put_group(put, plan, out);
}

static void put_text(const char *name, const char *value, bool quote, FILE *out)
{
	char escaped[8192];
	struct str_buf text = { .data = escaped, .size = sizeof(escaped) };

	(void)quote;
	escaped[0] = '\0';
	str_add_escaped(&text, value);
	fprintf(out, "  %s %s\n", name, escaped);
}

static void put_json(const char *name, const char *value, bool quote, FILE *out)
{
	char quoted[8192];
	struct str_buf text = { .data = quoted, .size = sizeof(quoted) };

	quoted[0] = '\0';
	if (quote && 6 * strlen(value) + 3 < sizeof(quoted))
		jsonw_string(&text, value);
	else
		str_add(&text, quote ? "null" : value);
	fprintf(out, ", \"%s\": %s", name, quoted);
}

void explain_limits_text(const struct plan *plan, FILE *out)
{
	fputs("limits:\n", out);
	put_all(put_text, plan, out);
}

void explain_limits_json(const struct plan *plan, FILE *out)
{
	fprintf(out, ", \"limits\": {\"usage\": %s",
		plan->spec->usage_fd.fd >= 0 ? "true" : "false");
	put_all(put_json, plan, out);
	fputc('}', out);
}
