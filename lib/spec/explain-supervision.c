/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The plan, told: COMMAND's terminal, and how it is brought to its end.
 */
#include <signal.h>
#include <string.h>

#include "spec/explain-parts.h"

static void put_signal(int number, FILE *out)
{
	const char *name = sigabbrev_np(number);

	if (name)
		fputs(name, out);
	else
		fprintf(out, "RTMIN+%d", number - SIGRTMIN);
}

static void put_descriptors(const struct plan *plan, FILE *out)
{
	const char *separator = "";

	for (int i = 0; i < 3; i++) {
		if (!(plan->pty_fds >> i & 1))
			continue;
		fprintf(out, "%s%d", separator, i);
		separator = ", ";
	}
}

void explain_supervision_text(const struct plan *plan, FILE *out)
{
	if (plan->spec->name.text)
		fprintf(out, "name: %s%s\n", plan->spec->name.text,
			spec_flag(plan->spec, FLAG_DETACH) ? ", in the background" : "");
	if (plan->has_pty) {
		fprintf(out, "terminal: its own%s, on descriptors ",
			spec_flag(plan->spec, FLAG_PTY_FILTER) ? ", filtered" : "");
		put_descriptors(plan, out);
		fputc('\n', out);
	} else {
		fputs("terminal: none of its own\n", out);
	}
	if (!plan->timeout)
		return;
	fputs("time limit: ", out);
	put_signal(plan->stop_signal, out);
	fputs(" after ", out);
	explain_put_seconds((int64_t)plan->timeout, out);
	fputs(" s, KILL ", out);
	explain_put_seconds((int64_t)plan->kill_after, out);
	fputs(" s later\n", out);
}

void explain_supervision_json(const struct plan *plan, FILE *out)
{
	if (plan->spec->name.text) {
		explain_json_key("name", out);
		explain_put_json(plan->spec->name.text, out);
	}
	fprintf(out, ", \"detach\": %s", spec_flag(plan->spec, FLAG_DETACH) ? "true" : "false");
	explain_json_key("terminal", out);
	fprintf(out, "{\"own\": %s, \"descriptors\": [", plan->has_pty ? "true" : "false");
	put_descriptors(plan, out);
	fprintf(out, "], \"filter\": %s}",
		plan->has_pty && spec_flag(plan->spec, FLAG_PTY_FILTER) ? "true" : "false");
	explain_json_key("stop-signal", out);
	fputc('"', out);
	put_signal(plan->stop_signal, out);
	fputc('"', out);
	explain_json_key("timeout", out);
	explain_put_seconds((int64_t)plan->timeout, out);
	explain_json_key("kill-after", out);
	explain_put_seconds((int64_t)plan->kill_after, out);
}
