/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The option table's types, and the parser: argv and --args files in, spec out.
 *
 * Runs in the caller's process with its privileges and touches nothing but the descriptors of
 * --args. The words are trusted no further than the user who typed them: numbers are strict, sizes
 * bounded, recursion limited.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"

enum option_group {
	GROUP_GENERAL,
	GROUP_NAMESPACES,
	GROUP_FILESYSTEM,
	GROUP_ENVIRONMENT,
	GROUP_DESCRIPTORS,
	GROUP_CONFINEMENT,
	GROUP_LIMITS,
	GROUP_NETWORK,
	GROUP_SUPERVISION,
	GROUP_COUNT
};

/* What an argument is: how the parser reads it, and what a completion offers. */
enum option_kind {
	KIND_NONE = 0,
	KIND_STRING,
	KIND_PATH,  /* a path on the host */
	KIND_DEST,  /* a path inside */
	KIND_FD,    /* decimal, 0 to INT_MAX */
	KIND_UID,   /* decimal, 0 to 4294967294 */
	KIND_GID,   /* decimal, 0 to 4294967294 */
	KIND_OCTAL, /* 0 to 07777 */
	KIND_SIZE,  /* bytes: decimal, 0x, 0 octal, suffix K, M, G */
	KIND_CAP,
	KIND_IDMAP, /* IN:OUT:COUNT, more with commas */
	KIND_ENV,   /* name of an environment variable */
	KIND_LABEL,
	KIND_NS,     /* a descriptor, or a path with a slash */
	KIND_OFFSET, /* of a clock: monotonic:SECONDS or boottime:SECONDS */
	KIND_CHOICE  /* one of the words in its meta, separated by | */
};

#define OPTION_MAX_ARGS 3

/*
 * The part of a row that the parser needs. No pointers: each would be relocated at every start (the
 * texts of all rows would cost four pages).
 */
struct option_row {
	char name[28]; /* without dashes */
	enum option_group group;
	int arg_count;	 /* 0 to OPTION_MAX_ARGS */
	int is_optional; /* the one argument may be left out, and is given only as --name=VALUE */
	struct {
		enum option_kind kind;
		char meta[20];
	} arg[OPTION_MAX_ARGS];
};

/* The part for people, which only generators and tests link (texts.c). */
struct option_text {
	const char *since;
	const char *help;
	const char *man;
};

/* For including options.def: turn a row's args column into the three fields above. */
#define NO_ARGS                                                                                    \
	0, 0,                                                                                      \
	{                                                                                          \
		{                                                                                  \
			KIND_NONE, ""                                                              \
		}                                                                                  \
	}
#define OPTIONAL(kind, meta)                                                                       \
	1, 1,                                                                                      \
	{                                                                                          \
		{                                                                                  \
			KIND_##kind, meta                                                          \
		}                                                                                  \
	}
#define ARGS1(kind, meta)                                                                          \
	1, 0,                                                                                      \
	{                                                                                          \
		{                                                                                  \
			KIND_##kind, meta                                                          \
		}                                                                                  \
	}
#define ARGS2(kind1, meta1, kind2, meta2)                                                          \
	2, 0,                                                                                      \
	{                                                                                          \
		{ KIND_##kind1, meta1 },                                                           \
		{                                                                                  \
			KIND_##kind2, meta2                                                        \
		}                                                                                  \
	}
#define ARGS3(kind1, meta1, kind2, meta2, kind3, meta3)                                            \
	3, 0,                                                                                      \
	{                                                                                          \
		{ KIND_##kind1, meta1 }, { KIND_##kind2, meta2 },                                  \
		{                                                                                  \
			KIND_##kind3, meta3                                                        \
		}                                                                                  \
	}

/** option_rows - the table; sets *@ret_count to its length */
const struct option_row *option_rows(size_t *ret_count);

/** option_group_title - heading of @group in --help and the manual page, a static string */
const char *option_group_title(enum option_group group);

/** option_text - the texts of @row, which must be one of option_rows() */
const struct option_text *option_text(const struct option_row *row);
