/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The error record: filled once, where a failure is detected; carried unchanged to the place that
 * prints it. It is plain data of fixed size (below PIPE_BUF), so the child can hand it to the
 * supervisor with one write(2).
 *
 * The texts live in messages.def, one row per code with a column per personality; nothing else
 * formats a message.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/util.h"

/* What went wrong. ERROR_NONE is zero: a zeroed record holds no error. */
enum error_code {
	ERROR_NONE = 0,
#define MESSAGE(code, bwrap, cloche) ERROR_##code,
#include "base/messages.def"
#undef MESSAGE
	ERROR_CODE_COUNT
};

/* Where it went wrong; also the "stage" of the JSON setup-error object. */
enum error_stage {
	STAGE_OPTIONS, /* reading the command line, nothing touched yet */
	STAGE_PLAN,    /* conflicts, missing host features, nothing touched yet */
	STAGE_START,   /* making the child and its namespaces */
	STAGE_IDS,     /* uid and gid maps */
	STAGE_NETWORK, /* loopback */
	STAGE_SOURCES, /* opening what is to be mounted */
	STAGE_MOUNTS,  /* building the new root */
	STAGE_CONFINE, /* capabilities, labels, seccomp */
	STAGE_EXEC,    /* starting COMMAND */
	STAGE_COUNT
};

/* What the user can do about it; the texts are in error.c. */
enum error_hint {
	HINT_NONE = 0,
#define HINT(code, text) HINT_##code,
#include "base/hints.def"
#undef HINT
	HINT_COUNT
};

struct cloche_error {
	enum error_code code;
	enum error_stage stage;
	enum error_hint hint;
	int errnum;	  /* positive errno, 0 where no system call failed */
	int use;	  /* index of the option in the spec's uses, -1 where none is to blame */
	char path[1024];  /* the path or value meant, "" where there is none; cut to fit */
	char detail[512]; /* a second value for the text, "" where there is none */
};

#define ERROR_INIT ((struct cloche_error){ .use = -1 })

/**
 * error_set - describe a failure, unless one is described already
 * @err: the record to fill (borrowed)
 * @code: what went wrong
 * @errnum: positive errno, or 0 where no system call failed
 * @path: path or value for the text, copied and cut to fit; may be NULL
 *
 * Async-signal-safe: neither allocates nor formats. Returns: -errnum, or -EINVAL where errnum is 0,
 * for `return`.
 */
int error_set(struct cloche_error *err, enum error_code code, int errnum, const char *path);

/** error_set_detail - error_set() with a second value @detail (copied, may be NULL) for the text */
int error_set_detail(struct cloche_error *err, enum error_code code, int errnum, const char *path,
		     const char *detail);

/** error_no_memory - ERROR_OUT_OF_MEMORY; returns -ENOMEM */
int error_no_memory(struct cloche_error *err);

/** error_set_hint - add the cause known where the failure was detected, unless there is a hint
 * already */
void error_set_hint(struct cloche_error *err, enum error_hint hint);

/** error_stage_name - the name of @stage as the JSON object spells it, a static string */
const char *error_stage_name(enum error_stage stage);

/** error_hint_text - the text of @hint, a static string; NULL for HINT_NONE */
const char *error_hint_text(enum error_hint hint);

/**
 * error_format - the message text for @err
 * @err: the record
 * @template: text of messages.def with {path} and {detail}
 * @buf: receives the text, always terminated; control characters are escaped as \ooo
 * @size: bytes in @buf, at least 1
 *
 * The errno's text is appended after ": " where there is one and @template has no {}. Returns:
 * @buf.
 */
const char *error_format(const struct cloche_error *err, const char *template, char *buf,
			 size_t size);
