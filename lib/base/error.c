/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The error record and its texts. Filling it is async-signal-safe, since the child does it between
 * clone and exec.
 */
#include "base/error.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

static const char *const hint_texts[HINT_COUNT] = {
#define HINT(code, text) [HINT_##code] = text,
#include "base/hints.def"
#undef HINT
};

static const char *const stage_names[STAGE_COUNT] = {
	[STAGE_OPTIONS] = "options", [STAGE_PLAN] = "plan",	  [STAGE_START] = "start",
	[STAGE_IDS] = "ids",	     [STAGE_NETWORK] = "network", [STAGE_SOURCES] = "sources",
	[STAGE_MOUNTS] = "mounts",   [STAGE_CONFINE] = "confine", [STAGE_EXEC] = "exec",
};

int error_set_detail(struct cloche_error *err, enum error_code code, int errnum, const char *path,
		     const char *detail)
{
	if (err->code == ERROR_NONE) {
		err->code = code;
		err->errnum = errnum;
		str_copy(err->path, sizeof(err->path), path ? path : "");
		str_copy(err->detail, sizeof(err->detail), detail ? detail : "");
	}
	return errnum > 0 ? -errnum : -EINVAL;
}

int error_set(struct cloche_error *err, enum error_code code, int errnum, const char *path)
{
	return error_set_detail(err, code, errnum, path, NULL);
}

int error_no_memory(struct cloche_error *err)
{
	return error_set(err, ERROR_OUT_OF_MEMORY, ENOMEM, NULL);
}

void error_set_hint(struct cloche_error *err, enum error_hint hint)
{
	if (err->hint == HINT_NONE)
		err->hint = hint;
}

const char *error_stage_name(enum error_stage stage)
{
	return stage_names[stage];
}

const char *error_hint_text(enum error_hint hint)
{
	return hint_texts[hint];
}

const char *error_format(const struct cloche_error *err, const char *template, char *buf,
			 size_t size)
{
	struct str_buf out = { .data = buf, .size = size };
	bool tells_errno = true;

	for (const char *rest = template; *rest;) {
		if (strncmp(rest, "{path}", 6) == 0) {
			str_add_escaped(&out, err->path);
			rest += 6;
		} else if (strncmp(rest, "{detail}", 8) == 0) {
			str_add_escaped(&out, err->detail);
			rest += 8;
		} else if (strncmp(rest, "{}", 2) == 0) {
			tells_errno = false;
			rest += 2;
		} else {
			str_add_char(&out, *rest++);
		}
	}
	if (err->errnum > 0 && tells_errno) {
		str_add(&out, ": ");
		str_add(&out, strerror(err->errnum));
	}
	buf[out.length] = '\0';
	return buf;
}
