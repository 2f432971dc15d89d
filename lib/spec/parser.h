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
	size_t pending_idmaps; /* ranges of --idmap waiting for their bind */
	int idmap_use;
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

/* Each setter is declared here by the rows that name it, as often as it stands there. */
#define OPTION(name, group, since, args, setter, constant, help, man)                              \
	int setter(struct parser *parser, int use, long param, struct cloche_error *err);
#include "spec/options.def"
#undef OPTION

/* ---- for setters ---- */

/** parser_use - the use with index @use; the array moves when it grows: keep no pointer into it */
struct option_use *parser_use(struct parser *parser, int use);

/** parser_arg - argument @arg of that use, as typed */
const char *parser_arg(struct parser *parser, int use, int arg);

/** parser_number - the first argument's value, of the numeric kinds that fit an int */
int parser_number(struct parser *parser, int use);

/** parser_note_repeat - where a single-value option is @repeated: the last one wins, with a warning
 */
must_check int parser_note_repeat(struct parser *parser, int use, bool repeated,
				  struct cloche_error *err);

/** parser_fd_is_open - is @fd open, and given to us by the caller? What we opened closes on exec.
 */
bool parser_fd_is_open(int fd);

/** parser_fd_not_open - ERROR_FD_NOT_OPEN for @fd */
int parser_fd_not_open(int fd, struct cloche_error *err);

/** parser_consume_fd - an option named @fd, so COMMAND never gets it; an error where it must be
 * open
 */
must_check int parser_consume_fd(struct parser *parser, int fd, struct cloche_error *err);

/** parser_add_op - append an operation of the root file system; NULL: out of memory */
struct fs_op *parser_add_op(struct parser *parser, enum fs_op_type type, int use);
