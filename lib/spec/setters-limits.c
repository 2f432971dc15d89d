/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Setters of limits. Several uses: --rlimit and --io-max add up (the last of the same resource or
 * device wins, as the kernel has it), of all others the last one takes effect.
 */
#include <string.h>

#include "base/num.h"
#include "spec/parser.h"

static int invalid(const char *text, const char *what, struct cloche_error *err)
{
	return error_set_detail(err, ERROR_INVALID_LIMIT, 0, text, what);
}

int set_rlimit(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct spec_limits *limits = &parser->spec->limits;
	const char *text = parser_arg(parser, use, 0);
	struct limit_rlimit limit, *added;

	(void)param;
	if (limit_parse_rlimit(text, &limit) < 0) {
		error_set_hint(err, HINT_RLIMIT_NAMES);
		return invalid(text, "NAME=SOFT or NAME=SOFT:HARD", err);
	}
	added = spec_add(&limits->rlimits, &limits->rlimit_count, sizeof(*added));
	if (!added)
		return error_no_memory(err);
	*added = limit;
	added->use = use;
	return 0;
}

static int store_signed(struct parser *parser, int use, struct limit_signed *field, int value,
			struct cloche_error *err)
{
	bool repeated = field->is_set;

	*field = (struct limit_signed){ .is_set = true, .value = value, .use = use };
	return parser_note_repeat(parser, use, repeated, err);
}

int set_nice(struct parser *parser, int use, long param, struct cloche_error *err)
{
	int value;

	(void)param;
	if (limit_parse_int(parser_arg(parser, use, 0), -20, 19, &value) < 0)
		return invalid(parser_arg(parser, use, 0), "a niceness (-20 to 19)", err);
	return store_signed(parser, use, &parser->spec->limits.nice, value, err);
}

int set_oom_score_adj(struct parser *parser, int use, long param, struct cloche_error *err)
{
	int value;

	(void)param;
	if (limit_parse_int(parser_arg(parser, use, 0), -1000, 1000, &value) < 0)
		return invalid(parser_arg(parser, use, 0), "an adjustment (-1000 to 1000)", err);
	return store_signed(parser, use, &parser->spec->limits.oom_score_adj, value, err);
}

int set_ionice(struct parser *parser, int use, long param, struct cloche_error *err)
{
	int value;

	(void)param;
	if (limit_parse_ionice(parser_arg(parser, use, 0), &value) < 0)
		return invalid(parser_arg(parser, use, 0),
			       "realtime[:0-7], best-effort[:0-7] or idle", err);
	return store_signed(parser, use, &parser->spec->limits.ionice, value, err);
}

int set_cpu_affinity(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct spec_limits *limits = &parser->spec->limits;
	bool repeated = limits->has_affinity;

	(void)param;
	if (limit_parse_cpu_list(parser_arg(parser, use, 0), &limits->affinity) < 0)
		return invalid(parser_arg(parser, use, 0), "a list of processors (as 0-3,5)", err);
	limits->has_affinity = true;
	limits->affinity_use = use;
	return parser_note_repeat(parser, use, repeated, err);
}

/* What a group limit's argument is. */
static int parse_group_limit(enum group_limit limit, const char *text, uint64_t *ret_value,
			     const char **ret_what)
{
	switch (limit) {
	case LIMIT_CPUS:
		*ret_what = "a number of processors (0.01 or more)";
		return limit_parse_cpus(text, ret_value);
	case LIMIT_CPU_WEIGHT:
		*ret_what = "a weight (1 to 10000)";
		return num_parse(text, 10000, ret_value) < 0 || *ret_value == 0 ? -EINVAL : 0;
	case LIMIT_PIDS:
		*ret_what = "a number of processes (1 or more)";
		return num_parse(text, 1u << 22, ret_value) < 0 || *ret_value == 0 ? -EINVAL : 0;
	default:
		*ret_what = "a size (bytes, with K, M or G)";
		if (limit == LIMIT_SWAP && strcmp(text, "0") == 0) {
			*ret_value = 0;
			return 0;
		}
		return num_parse_size(text, ret_value);
	}
}

int set_group_limit(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct limit_number *field = &parser->spec->limits.group[param];
	const char *text = parser_arg(parser, use, 0), *what = NULL;
	bool repeated = field->is_set;
	uint64_t value = 0;

	if (parse_group_limit((enum group_limit)param, text, &value, &what) < 0)
		return invalid(text, what, err);
	*field = (struct limit_number){ .is_set = true, .value = value, .use = use };
	return parser_note_repeat(parser, use, repeated, err);
}

int set_io_max(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct spec_limits *limits = &parser->spec->limits;
	char *text = spec_add_blob(parser->spec, strdup(parser_arg(parser, use, 0)));
	struct limit_io io, *added;

	(void)param;
	if (!text)
		return error_no_memory(err);
	if (limit_parse_io(text, &io) < 0)
		return invalid(parser_arg(parser, use, 0),
			       "DEV:KEY=RATE,... (DEV: /path or MAJOR:MINOR; KEY: rbps, wbps, "
			       "riops, wiops)",
			       err);
	added = spec_add(&limits->io, &limits->io_count, sizeof(*added));
	if (!added)
		return error_no_memory(err);
	*added = io;
	added->use = use;
	return 0;
}

int set_cgroup(struct parser *parser, int use, long param, struct cloche_error *err)
{
	const char *text = parser_arg(parser, use, 0);

	if (text[0] != '/' && strcmp(text, "auto") != 0 && strcmp(text, "systemd") != 0 &&
	    strcmp(text, "none") != 0)
		return invalid(text, "auto, systemd, none or the absolute path of a group", err);
	return set_string(parser, use, param, err);
}
