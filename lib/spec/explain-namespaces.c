/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Namespaces of the plan in words.
 */
#include <inttypes.h>
#include <linux/sched.h>

#include "spec/explain-parts.h"

static const char *const clock_names[OFFSET_COUNT] = {
	[OFFSET_MONOTONIC] = "monotonic",
	[OFFSET_BOOTTIME] = "boottime",
};

static bool is_new(const struct plan *plan, enum ns_type type)
{
	return type == NS_TIME ? plan->new_time : plan->clone_flags & ns_infos[type].flag;
}

static bool is_joined(const struct plan *plan, enum ns_type type)
{
	return plan->joined & ns_infos[type].flag;
}

/* A time namespace is made only where it is asked for: that it is shared is not worth a word. */
static bool is_shared(const struct plan *plan, enum ns_type type)
{
	return type != NS_TIME && !is_new(plan, type) && !is_joined(plan, type);
}

static void text_joined(const struct plan *plan, FILE *out)
{
	for (enum ns_type type = 0; type < NS_COUNT; type++) {
		const struct spec_ns *joined = &plan->spec->namespaces.join[type];

		if (!is_joined(plan, type))
			continue;
		fprintf(out, "joined: the %s namespace of ", ns_infos[type].name);
		if (joined->path)
			explain_put_escaped(joined->path, out);
		else
			fprintf(out, "fd %d", joined->fd);
		fputs(type == NS_USER ? ", whose maps tell the ids\n" : "\n", out);
	}
}

void explain_put_seconds(int64_t nanoseconds, FILE *out)
{
	uint64_t amount = nanoseconds < 0 ? -(uint64_t)nanoseconds : (uint64_t)nanoseconds;

	fprintf(out, "%s%" PRIu64, nanoseconds < 0 ? "-" : "", amount / 1000000000);
	if (amount % 1000000000)
		fprintf(out, ".%09" PRIu64, amount % 1000000000);
}

static void text_names(const struct spec *spec, FILE *out)
{
	const struct {
		const char *what, *text;
	} names[] = {
		{ "host name", spec->hostname.text },
		{ "domain name", spec->namespaces.domainname.text },
		{ "new namespaces kept as files in", spec->namespaces.pin.text },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!names[i].text)
			continue;
		fprintf(out, "%s: ", names[i].what);
		explain_put_escaped(names[i].text, out);
		fputc('\n', out);
	}
}

void explain_namespaces_text(const struct plan *plan, const struct facts *facts, FILE *out)
{
	fputs("namespaces:", out);
	for (enum ns_type type = 0; type < NS_COUNT; type++)
		if (is_new(plan, type))
			fprintf(out, " %s", ns_infos[type].name);
	fputs("\nshared with the host:", out);
	for (enum ns_type type = 0; type < NS_COUNT; type++)
		if (is_shared(plan, type))
			fprintf(out, " %s", ns_infos[type].name);
	fputc('\n', out);
	text_joined(plan, out);
	explain_ids_text(plan, facts, out);
	for (enum offset_clock clock = 0; clock < OFFSET_COUNT; clock++) {
		const struct spec_offset *offset = &plan->spec->namespaces.offset[clock];

		if (!offset->is_set)
			continue;
		fprintf(out, "clock %s: ", clock_names[clock]);
		explain_put_seconds(offset->nanoseconds, out);
		fputs(" seconds later\n", out);
	}
	text_names(plan->spec, out);
	fprintf(out, "user namespaces inside: %s\n",
		plan->max_userns >= 0 ? "forbidden" : "allowed");
	if (plan->inner_userns)
		fprintf(out, "COMMAND gets a user namespace%s of its own inside\n",
			plan->inner_mountns ? " and a mount namespace" : "");
}

static void json_list(const struct plan *plan, bool (*has)(const struct plan *, enum ns_type),
		      FILE *out)
{
	const char *separator = "";

	fputc('[', out);
	for (enum ns_type type = 0; type < NS_COUNT; type++) {
		if (!has(plan, type))
			continue;
		fprintf(out, "%s\"%s\"", separator, ns_infos[type].name);
		separator = ", ";
	}
	fputc(']', out);
}

static void json_name(const char *key, const struct spec_string *name, FILE *out)
{
	if (!name->text)
		return;
	explain_json_key(key, out);
	explain_put_json(name->text, out);
}

void explain_namespaces_json(const struct plan *plan, FILE *out)
{
	const struct spec_namespaces *spec = &plan->spec->namespaces;
	const char *separator = "";

	fputs("\"namespaces\": ", out);
	json_list(plan, is_new, out);
	explain_json_key("shared", out);
	json_list(plan, is_shared, out);
	explain_json_key("joined", out);
	json_list(plan, is_joined, out);
	explain_json_key("clocks", out);
	fputc('{', out);
	for (enum offset_clock clock = 0; clock < OFFSET_COUNT; clock++) {
		if (!spec->offset[clock].is_set)
			continue;
		fprintf(out, "%s\"%s\": ", separator, clock_names[clock]);
		explain_put_seconds(spec->offset[clock].nanoseconds, out);
		separator = ", ";
	}
	fputc('}', out);
	json_name("host-name", &plan->spec->hostname, out);
	json_name("domain-name", &spec->domainname, out);
	json_name("pin", &spec->pin, out);
}
