/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * From words to a plan, with all promises checked that hold for any words.
 */
#include "parse.h"

#include "../unit/json-check.h"
#include "base/str.h"
#include "fuzz.h"
#include "spec/explain.h"
#include "spec/report.h"

/* The failure is told, in words that a terminal can bear and in JSON. */
static void check_failure(const struct spec *spec, const struct cloche_error *err)
{
	static const char *const names[] = { "cloche", "bwrap" };
	char text[16384];
	struct str_buf buf = { .data = text, .size = sizeof(text) };

	require(err->code > ERROR_NONE && err->code < ERROR_CODE_COUNT);
	require(err->use >= -1 && err->use < (int)spec->use_count);
	require(err->hint >= HINT_NONE && err->hint < HINT_COUNT);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char line[4096];

		error_format(err, personality_message(personality_find(names[i]), err->code), line,
			     sizeof(line));
		require(line[0] && fuzz_is_printable(line));
	}
	report_json(spec, err, &buf);
	require(is_json(text));
}

static void check_use(const struct option_use *use)
{
	require(use->row);
	for (int i = 0; i < use->row->arg_count; i++)
		require(use->arg[i] || use->row->is_optional);
}

static void check_op(const struct spec *spec, const struct fs_op *op)
{
	require(op->dest && op->dest[0]);
	require(op->use >= -1 && op->use < (int)spec->use_count);
	require(op->mode == MODE_UNSET || op->mode <= 07777);
	require(op->layer_first + op->layer_count <= spec->layer_count);
	require(op->type != OP_BIND || (op->source && op->source[0]));
	require(op->type != OP_OVERLAY || op->layer_count >= (op->flags == OVERLAY_RO ? 2u : 1u));
	require((op->type == OP_BIND_FD || op->type == OP_FILE || op->type == OP_DATA ||
		 op->type == OP_DATA_RO) == (op->fd >= 0));
}

static void check_spec(const struct spec *spec)
{
	for (size_t i = 0; i < spec->use_count; i++)
		check_use(&spec->uses[i]);
	for (size_t i = 0; i < spec->op_count; i++)
		check_op(spec, &spec->ops[i]);
	for (size_t i = 0; i < spec->env_op_count; i++)
		require(spec->env_ops[i].type == ENV_CLEAR ||
			(spec->env_ops[i].name[0] && !strchr(spec->env_ops[i].name, '=')));
	require(!spec->uid.is_set || spec->uid.id != UINT32_MAX);
	require(!spec->gid.is_set || spec->gid.id != UINT32_MAX);
	for (size_t i = 0; i < spec->warned_use_count; i++)
		require(spec->warned_uses[i] >= 0 && spec->warned_uses[i] < (int)spec->use_count);
}

static void check_explained(const struct plan *plan, const struct facts *facts)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	explain_json(plan, facts, out);
	fclose(out);
	require(strlen(text) == size && is_json(text));
	free(text);
	out = open_memstream(&text, &size);
	if (!out)
		abort();
	explain_text(plan, facts, out);
	explain_arguments(plan, out);
	fclose(out);
	require(strlen(text) == size);
	free(text);
}

static void check_plan(const struct plan *plan, const struct facts *facts)
{
	size_t hider = 0;
	int hidden = plan_hidden_op(plan, &hider);

	require(plan->inner_uid != (uid_t)-1 && plan->inner_gid != (gid_t)-1);
	require(plan->op_count >= plan->spec->op_count);
	for (size_t i = 0; i < plan->op_count; i++)
		check_op(plan->spec, &plan->ops[i]);
	require(hidden < (int)plan->op_count && hider < plan->op_count + 1);
	require(hidden < 0 || (size_t)hidden < hider);
	for (size_t i = 0; i < plan->environment_count; i++)
		require(plan->environment[i] && strncmp(plan->environment[i], "PWD=", 4) != 0);
	/* What our own name promises, whatever the options are. */
	if (!plan->personality->inherits_env && plan->spec->userns_limit != USERNS_ALLOW)
		require(plan->max_userns >= 0);
	check_explained(plan, facts);
}

static void plan_it(const struct spec *spec, int is_root)
{
	struct cloche_error err = ERROR_INIT;
	struct facts facts;
	struct plan plan;

	fuzz_facts(&facts, is_root);
	if (plan_make(&plan, spec, &facts, &err) < 0) {
		check_failure(spec, &err);
	} else {
		require(err.code == ERROR_NONE);
		check_plan(&plan, &facts);
	}
	plan_free(&plan);
}

void parse_and_plan(char *const *words, const char *personality, int is_root)
{
	struct cloche_error err = ERROR_INIT;
	struct spec spec = { .personality = personality_find(personality) };
	int r = spec_parse(&spec, words, &err);

	if (r < 0) {
		check_failure(&spec, &err);
	} else {
		require(err.code == ERROR_NONE && err.use == -1);
		check_spec(&spec);
		plan_it(&spec, is_root);
	}
	spec_free(&spec);
}
