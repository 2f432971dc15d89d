/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * cloche and bwrap: argv to spec, plan, run, exit status. No knowledge of any feature.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "generated-options.h"
#include "spec/explain.h"
#include "spec/plan-landlock.h"
#include "spec/report.h"
#include "watch/manage.h"
#include "watch/net.h"
#include "watch/policy.h"
#include "watch/run.h"
#include "watch/status.h"
#include "watch/usage.h"

#define BUBBLEWRAP_LEVEL "0.13.1"

/* By the name of the program, or of its file where somebody runs a copy as /proc/self/exe, else our
 * own. */
static const struct personality *personality_of(const char *name)
{
	static const char deleted[] = " (deleted)";
	const struct personality *personality = personality_for_program(name);
	char exe[PATH_MAX];
	ssize_t length;

	if (personality)
		return personality;
	length = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	exe[length > 0 ? length : 0] = '\0';
	/* Replaced by an upgrade, or a memfd: proc_pid_exe(5). */
	if (str_ends(exe, deleted))
		exe[strlen(exe) - strlen(deleted)] = '\0';
	personality = personality_for_program(exe);
	return personality ? personality : personality_find("cloche");
}

static void print_help(const struct personality *personality, const char *program, FILE *out)
{
	fprintf(out, "usage: %s [OPTIONS...] [--] COMMAND [ARGS...]\n", program);
	if (!personality->is_bwrap_level)
		fprintf(out, "       %s exec|ps|top|logs|kill|wait|doctor ..., see cloche(1)\n",
			program);
	fprintf(out, "\n%s", option_help);
}

static void print_version(const struct personality *personality)
{
	if (personality->is_bwrap_level)
		printf("bubblewrap %s (cloche %s)\n", BUBBLEWRAP_LEVEL, CLOCHE_VERSION);
	else
		printf("cloche %s\n", CLOCHE_VERSION);
}

/*
 * The memory from argv[0] to the end of the environment, as far as it is in one piece, as the
 * kernel lays it out. The init process overwrites it in its copy.
 */
static struct enter_title title_of(char **argv, char **environment)
{
	struct enter_title title = { .start = argv[0] };
	char *end = argv[0];

	for (char **word = argv; *word; word++)
		if (*word == end)
			end += strlen(*word) + 1;
	title.argv_size = (size_t)(end - argv[0]);
	for (char **word = environment; *word; word++)
		if (*word == end)
			end += strlen(*word) + 1;
	title.size = (size_t)(end - argv[0]);
	return title;
}

static void warn_of_repeats(const struct spec *spec)
{
	for (size_t i = 0; i < spec->warned_use_count; i++) {
		struct cloche_error warning = { .use = spec->warned_uses[i] };

		(void)error_set(&warning, ERROR_ONLY_LAST, 0, spec->uses[warning.use].row->name);
		report_message(spec, &warning, REPORT_WARNING);
	}
}

/* Bubblewrap accepts any order in silence. */
static void warn_of_order(const struct plan *plan)
{
	size_t hider;
	int hidden = plan->personality->is_bwrap_level ? -1 : plan_hidden_op(plan, &hider);
	struct cloche_error warning = ERROR_INIT;

	if (hidden < 0)
		return;
	warning.use = plan->ops[hider].use;
	error_set_hint(&warning, HINT_ORDER);
	(void)error_set(&warning, ERROR_WRONG_ORDER, 0, plan->ops[hidden].dest);
	report_message(plan->spec, &warning, REPORT_WARNING);
}

static void warn_of_gaps(const struct plan *plan)
{
	struct cloche_error warning = ERROR_INIT;

	if (landlock_warning(plan, &warning))
		report_message(plan->spec, &warning, REPORT_WARNING);
}

static void tell_choices(const struct plan *plan)
{
	const struct spec *spec = plan->spec;

	report_note(spec, plan->in_place ? "root directory: the host's, in place"
					 : "root directory: a new tmpfs");
	report_note(spec, plan->has_init ? "an init process will stand between us and COMMAND"
					 : "no init process is needed");
	report_note(spec, plan->max_userns < 0 ? "user namespaces inside: allowed"
			  : plan->inner_userns
				  ? "user namespaces inside: forbidden, by a second one"
				  : "user namespaces inside: forbidden, by sysctl");
}

static int execute(const struct plan *plan, struct facts *facts, struct enter_title title,
		   struct cloche_error *err, int *ret_status)
{
	const struct spec *spec = plan->spec;
	int r;

	if (plan->net.is_on &&
	    (spec->action == ACTION_EXPLAIN || spec->action == ACTION_EXPLAIN_JSON))
		net_probe(plan, facts);
	switch (spec->action) {
	case ACTION_EXPLAIN:
		explain_text(plan, facts, stdout);
		break;
	case ACTION_EXPLAIN_JSON:
		explain_json(plan, facts, stdout);
		break;
	case ACTION_PRINT_ARGS:
		explain_arguments(plan, stdout);
		break;
	case ACTION_SECCOMP_DUMP:
		*ret_status = 0;
		return policy_dump(plan, facts, err);
	default:
		warn_of_order(plan);
		warn_of_gaps(plan);
		tell_choices(plan);
		r = run_plan(plan, facts, title, ret_status, err);
		report_note(spec, r < 0 ? "COMMAND did not start" : "COMMAND ended");
		return r;
	}
	*ret_status = 0;
	return 0;
}

static int no_command(const struct spec *spec, const char *program, struct cloche_error *err)
{
	if (spec->personality->is_bwrap_level) {
		print_help(spec->personality, program, stderr);
		return -ECANCELED; /* the help is the message */
	}
	error_set_hint(err, HINT_NO_COMMAND);
	return error_set(err, ERROR_NO_COMMAND, 0, NULL);
}

static int plan_and_execute(const struct spec *spec, char **argv, int *ret_status,
			    struct cloche_error *err)
{
	struct facts facts = { 0 };
	struct plan plan = { 0 };
	int r;

	warn_of_repeats(spec);
	if (!spec->command && spec->action == ACTION_RUN)
		return no_command(spec, argv[0], err);
	facts_read(&facts, environ);
	if (spec->personality->provides_root || !spec->personality->inherits_env)
		facts_read_user(&facts);
	if (plan_wants_subids(spec))
		facts_read_subids(&facts);
	if (spec->limits.rlimit_count)
		facts_read_rlimits(&facts);
	if (spec_uses_landlock(spec))
		facts_read_landlock(&facts);
	if (spec->landlock.isolation == ISOLATION_TRY)
		facts_try_namespaces(&facts, landlock_trial(spec));
	if (spec->views.dev_node_count)
		facts_read_devices(&facts);
	if (spec->net.on.is_set)
		facts_read_net(&facts);
	r = plan_make(&plan, spec, &facts, err);
	if (r == 0)
		r = execute(&plan, &facts, title_of(argv, environ), err, ret_status);
	if (spec->action == ACTION_RUN)
		return r; /* main() ends at once */
	plan_free(&plan);
	facts_free(&facts);
	return r;
}

static int act(const struct spec *spec, char **argv, int *ret_status, struct cloche_error *err)
{
	*ret_status = 0;
	switch (spec->action) {
	case ACTION_HELP:
		print_help(spec->personality, argv[0], stdout);
		return 0;
	case ACTION_VERSION:
		print_version(spec->personality);
		return 0;
	case ACTION_INTROSPECT:
		fputs(option_introspect, stdout);
		return 0;
	default:
		return plan_and_execute(spec, argv, ret_status, err);
	}
}

int main(int argc, char **argv)
{
	struct cloche_error err = ERROR_INIT;
	struct spec spec = { 0 };
	int status = 0, r;

	/* execve(2) with an empty argv, as in CVE-2021-4034: argv[1] would be the environment. */
	if (argc < 1 || !argv[0]) {
		(void)dprintf(STDERR_FILENO, "cloche: argv is empty\n");
		return 125;
	}
	spec.personality = personality_of(argv[0]);
	if (!spec.personality->is_bwrap_level) {
		status = manage_main(argv);
		if (status >= 0)
			return status;
		status = 0;
	}
	r = fd_hold_stdio();
	if (r < 0)
		(void)error_set(&err, ERROR_PIPE, -r, "placeholders for closed descriptors");
	if (r == 0)
		r = spec_parse(&spec, argv, &err);
	if (r == 0)
		r = act(&spec, argv, &status, &err);
	if (r < 0) {
		if (err.code != ERROR_NONE) {
			report_message(&spec, &err, REPORT_ERROR);
			status_failed(&spec, &err);
		}
		status = report_status(spec.personality, &err);
		if (err.stage <= STAGE_PLAN) /* else run_plan() did */
			usage_write(&spec, NULL, status);
	}
	/*
	 * The end of a start is waited for. Giving memory back, and the C library's exit, write to
	 * a dozen pages that pid 1 may still share, and each costs a copy; nothing was written
	 * through stdio (measured: 1 % of a start).
	 */
	if (spec.action == ACTION_RUN)
		_exit(status);
	spec_free(&spec);
	if (fflush(stdout) != 0 && status == 0)
		status = spec.personality->status_setup;
	return status;
}
