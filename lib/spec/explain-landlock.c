/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The Landlock part of a plan in words.
 */
#include "base/sys.h"
#include "spec/explain.h"

static const struct {
	enum landlock_guard guard;
	const char *name, *text;
} guards[] = {
	{ GUARD_TCP, "tcp", "no streams but TCP, TCP only by connect and bind" },
	{ GUARD_NET, "net", "local ones only" },
	{ GUARD_UNIX, "unix", "no unix ones but pairs" },
};

/* ---- for people ---- */

static void text_ports(const struct plan *plan, uint64_t right, const struct spec_ports *ports,
		       const char *heading, FILE *out)
{
	const char *separator = " only on ports ";

	if (!(plan->landlock.handled_net & right))
		return;
	fputs(heading, out);
	if (!ports->count)
		fputs(" none", out);
	else if (right == SYS_LANDLOCK_CONNECT_TCP)
		separator = " only to ports ";
	for (size_t i = 0; i < ports->count; i++) {
		const struct port_range *range = &ports->ranges[i];

		fprintf(out, "%s%u", separator, range->first);
		if (range->last != range->first)
			fprintf(out, "-%u", range->last);
		separator = ",";
	}
	fputc('\n', out);
}

static const char *rights_name(const struct landlock_path *path)
{
	if (path->rights & SYS_LANDLOCK_MAKE_BLOCK)
		return "all, devices too";
	if (path->rights & SYS_LANDLOCK_WRITE_FILE)
		return "read and write";
	return path->rights & SYS_LANDLOCK_EXECUTE ? "read and execute" : "read";
}

void explain_landlock_text(const struct plan *plan, FILE *out)
{
	const struct plan_landlock *landlock = &plan->landlock;
	const struct spec_landlock *spec = &plan->spec->landlock;

	if (landlock->scoped)
		fputs("Landlock keeps COMMAND from: abstract sockets and signals outside\n", out);
	text_ports(plan, SYS_LANDLOCK_CONNECT_TCP, &spec->connect_tcp, "TCP connections:", out);
	text_ports(plan, SYS_LANDLOCK_BIND_TCP, &spec->bind_tcp, "TCP servers:", out);
	for (size_t i = 0; i < ARRAY_SIZE(guards); i++)
		if (landlock->guards & guards[i].guard)
			fprintf(out, "sockets: %s\n", guards[i].text);
	if (!landlock->is_tier)
		return;
	fputs("no namespaces: Landlock rules on paths instead of the mounts:\n", out);
	for (size_t i = 0; i < landlock->path_count; i++) {
		fputs("  ", out);
		explain_put_escaped(landlock->paths[i].path, out);
		fprintf(out, " (%s)%s\n", rights_name(&landlock->paths[i]),
			landlock->paths[i].is_optional ? " if it exists" : "");
	}
	fputs("not enforced:\n", out);
	for (size_t i = 0; i < landlock->gap_count; i++)
		fprintf(out, "  %s\n", landlock->gaps[i]);
}

/* ---- for programs ---- */

static void json_ports(const struct spec_ports *ports, FILE *out)
{
	fputc('[', out);
	for (size_t i = 0; i < ports->count; i++)
		fprintf(out, "%s[%u, %u]", i ? ", " : "", ports->ranges[i].first,
			ports->ranges[i].last);
	fputc(']', out);
}

void explain_landlock_json(const struct plan *plan, FILE *out)
{
	const char *separator = "";
	const struct plan_landlock *landlock = &plan->landlock;
	const struct spec_landlock *spec = &plan->spec->landlock;

	fprintf(out, ", \"landlock\": {\"tier\": %s, \"scopes\": [%s], \"connect-tcp\": ",
		landlock->is_tier ? "true" : "false",
		landlock->scoped ? "\"abstract-unix-socket\", \"signal\"" : "");
	json_ports(&spec->connect_tcp, out);
	fputs(", \"bind-tcp\": ", out);
	json_ports(&spec->bind_tcp, out);
	fputs(", \"guards\": [", out);
	for (size_t i = 0; i < ARRAY_SIZE(guards); i++) {
		if (!(landlock->guards & guards[i].guard))
			continue;
		fprintf(out, "%s\"%s\"", separator, guards[i].name);
		separator = ", ";
	}
	fputs("], \"paths\": [", out);
	for (size_t i = 0; i < landlock->path_count; i++) {
		fputs(i ? ", {\"path\": " : "{\"path\": ", out);
		explain_put_json(landlock->paths[i].path, out);
		fprintf(out, ", \"rights\": \"%s\", \"option\": %d}",
			rights_name(&landlock->paths[i]), landlock->paths[i].use);
	}
	fputs("], \"not-enforced\": [", out);
	for (size_t i = 0; i < landlock->gap_count; i++) {
		fputs(i ? ", " : "", out);
		explain_put_json(landlock->gaps[i], out);
	}
	fputs("]}", out);
}
