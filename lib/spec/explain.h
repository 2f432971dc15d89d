/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Printing of a plan and of the effective options, for people and for programs. Nothing is
 * executed.
 */
#pragma once

#include <stdio.h>

#include "spec/plan.h"

/** explain_text - the plan for people: namespaces, ids, mounts in order, environment changes */
void explain_text(const struct plan *plan, const struct facts *facts, FILE *out);

/** explain_limits_text, explain_limits_json - the part about limits (explain-limits.c); the JSON is
 * one key and its value, with a comma before it */
void explain_limits_text(const struct plan *plan, FILE *out);
void explain_limits_json(const struct plan *plan, FILE *out);

/** explain_landlock_text, explain_landlock_json - the part about Landlock (explain-landlock.c); the
 * JSON is one key and its value, with a comma before it */
void explain_landlock_text(const struct plan *plan, FILE *out);
void explain_landlock_json(const struct plan *plan, FILE *out);

/** explain_put_escaped - print @text so that a terminal obeys none of it */
void explain_put_escaped(const char *text, FILE *out);

/** explain_put_json - print @text as a JSON string */
void explain_put_json(const char *text, FILE *out);
/** explain_policy_text, explain_policy_json - the part about seccomp (explain-policy.c), likewise
 */
void explain_policy_text(const struct plan *plan, FILE *out);
void explain_policy_json(const struct plan *plan, FILE *out);

/** explain_json - the plan as one JSON object; keys are documented in cloche(1) */
void explain_json(const struct plan *plan, const struct facts *facts, FILE *out);

/** explain_arguments - the options as they take effect, one per line, quoted for a POSIX shell */
void explain_arguments(const struct plan *plan, FILE *out);
