/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Text in buffers of fixed size: bounded, always terminated, never allocating, so usable between
 * clone and exec.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/util.h"

/* A buffer that is filled from the front; what does not fit is dropped. Needs size >= 1. */
struct str_buf {
	char *data;    /* borrowed; terminated after each call below */
	size_t size;   /* bytes in data */
	size_t length; /* bytes used, without the terminator */
};

/** str_copy - copy @from into the @size bytes at @to, cut to fit, terminated */
void str_copy(char *to, size_t size, const char *from);

/** str_add - append @text */
void str_add(struct str_buf *buf, const char *text);

/** str_add_char - append one character */
void str_add_char(struct str_buf *buf, char c);

/** str_add_number - append @number in decimal */
void str_add_number(struct str_buf *buf, uint64_t number);

/** str_utf8_length - bytes of the valid UTF-8 sequence at @text, 1 to 4; 0 where there is none */
size_t str_utf8_length(const char *text);

/** str_add_escaped - append @text with control characters and invalid UTF-8 as \ooo, so a terminal
 * obeys none of it */
void str_add_escaped(struct str_buf *buf, const char *text);

/** str_number - write @number in decimal into the STR_NUMBER_SIZE bytes at @buf; returns @buf */
#define STR_NUMBER_SIZE 24
const char *str_number(char buf[STR_NUMBER_SIZE], uint64_t number);

/** str_fd_path - write "/proc/self/fd/@fd" into the STR_FD_PATH_SIZE bytes at @buf; returns @buf */
#define STR_FD_PATH_SIZE 32
const char *str_fd_path(char buf[STR_FD_PATH_SIZE], int fd);

/** str_variable - the value of @name in @variables, a NULL-terminated list of NAME=VALUE; NULL: it
 * is not there */
const char *str_variable(char *const *variables, const char *name);

/** str_starts - has @text the prefix @prefix? */
bool str_starts(const char *text, const char *prefix);

/** str_ends - has @text the suffix @suffix? */
bool str_ends(const char *text, const char *suffix);

/** str_format - a new string; NULL when out of memory. The caller frees it. Not for use after
 * clone. */
must_check char *str_format(const char *format, ...) format_printf(1, 2);
