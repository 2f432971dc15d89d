/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the parser (option.c) and the setters (setters.c) share.
 */
#pragma once

#include "spec/spec.h"

struct parser {
	struct spec *spec;
	const char *file; /* NULL, or the --args descriptor being read */
	int depth;	  /* of nested --args */
	mode_t perms;	  /* pending --perms, MODE_UNSET where there is none */
	uint64_t size;	  /* pending --size, 0 where there is none */
	int perms_use, size_use;
	size_t pending_layers; /* --overlay-src waiting for their overlay */
};

/*
 * Stores option number @use of the spec; @param is the row's constant. Returns 0, or -errno with
 * @err filled.
 */
typedef int (*option_setter)(struct parser *parser, int use, long param, struct cloche_error *err);

struct option_action {
	option_setter setter;
	long param;
};

/* In the order of option_rows(). */
extern const struct option_action option_actions[];

/** parser_read_args - the setter of --args, which reads more words */
int parser_read_args(struct parser *parser, int use, long param, struct cloche_error *err);
