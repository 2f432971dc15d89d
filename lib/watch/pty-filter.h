/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * --pty-filter: takes out of a stream of bytes for a terminal what is not known to be harmless.
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The longest sequence that is passed on: links hold a whole URI. */
#define PTY_FILTER_MAX 4096

enum pty_filter_state {
	FILTER_TEXT,
	FILTER_ESCAPE,	      /* after ESC, and intermediate bytes */
	FILTER_CONTROL,	      /* in a control sequence: after CSI */
	FILTER_COMMAND,	      /* in an operating system command: after OSC */
	FILTER_STRING,	      /* in another string, which is dropped */
	FILTER_STRING_ESCAPE, /* ... after ESC in one of the last two */
};

/* Zeroed: at the beginning of a stream. */
struct pty_filter {
	enum pty_filter_state state;
	bool is_utf8; /* the terminal reads UTF-8, else single bytes */
	bool is_too_long, is_command;
	unsigned char character[4];		 /* of UTF-8, as far as it has come */
	size_t character_size, character_wanted; /* wanted 0: none is begun */
	size_t length;
	char held[PTY_FILTER_MAX]; /* the sequence so far */
};

/**
 * pty_filter - filter the next @size bytes of a stream
 * @out: receives at most @size bytes, and those of earlier calls that were kept: PTY_FILTER_MAX
 *
 * Returns: how many bytes @out received. What stands in an unfinished sequence is kept for the next
 * call.
 */
size_t pty_filter(struct pty_filter *filter, const char *in, size_t size, char *out);
