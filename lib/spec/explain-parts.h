/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Parts of the explanation that have a file of their own, explain-SUBJECT.c, and what they share.
 */
#pragma once

#include <stdio.h>

#include "spec/explain.h"

/** explain_put_escaped - print @text so that a terminal obeys none of it */
void explain_put_escaped(const char *text, FILE *out);

/** explain_put_json - print @text as a JSON string */
void explain_put_json(const char *text, FILE *out);

/** explain_json_key - print ", "KEY": " */
void explain_json_key(const char *key, FILE *out);

/** explain_namespaces_text - namespaces, ids, clocks and names, a line each */
void explain_namespaces_text(const struct plan *plan, const struct facts *facts, FILE *out);

/** explain_namespaces_json - members "namespaces", "shared" and so on; the first has no comma
 * before it */
void explain_namespaces_json(const struct plan *plan, FILE *out);

/** explain_put_seconds - print @nanoseconds as seconds, with nine decimals where there are any */
void explain_put_seconds(int64_t nanoseconds, FILE *out);

/** explain_json_ranges - print ranges of ids as a JSON array */
void explain_json_ranges(const struct id_range *ranges, size_t count, FILE *out);

/** explain_ids_text - who COMMAND is, and what is mapped */
void explain_ids_text(const struct plan *plan, const struct facts *facts, FILE *out);

/** explain_ids_json - the same as members of the JSON object */
void explain_ids_json(const struct plan *plan, const struct facts *facts, FILE *out);

/** explain_caps_text - capabilities by set, securebits and keyring */
void explain_caps_text(const struct plan *plan, FILE *out);

/** explain_caps_json - the same as members of the JSON object */
void explain_caps_json(const struct plan *plan, FILE *out);

/** explain_net_text, explain_net_json - the network of --net, if there is one */
void explain_net_text(const struct plan *plan, const struct facts *facts, FILE *out);
void explain_net_json(const struct plan *plan, const struct facts *facts, FILE *out);

#define EXPLAIN_MOST_FLAGS 8

/** explain_view_flags - the flags of a procfs, a sysfs, the secrets or a protected path, behind
 * @count that are there; the new count */
size_t explain_view_flags(const struct plan *plan, const struct fs_op *op, size_t count,
			  const char *flags[EXPLAIN_MOST_FLAGS]);

/** explain_op_name - what kind of operation it is, a static string */
const char *explain_op_name(const struct fs_op *op);

/** explain_op_flags - flags of the mount that @op makes, in the order of mount(8); how many */
size_t explain_op_flags(const struct plan *plan, const struct fs_op *op,
			const char *flags[EXPLAIN_MOST_FLAGS]);

/** explain_tree_text - the sandbox's files as a tree */
void explain_tree_text(const struct plan *plan, FILE *out);

/** explain_supervision_text, explain_supervision_json - COMMAND's terminal, and its end */
void explain_supervision_text(const struct plan *plan, FILE *out);
void explain_supervision_json(const struct plan *plan, FILE *out);

/** explain_views_text, explain_views_json - device nodes, secrets, standard descriptors */
void explain_views_text(const struct plan *plan, FILE *out);
void explain_views_json(const struct plan *plan, FILE *out);

/** explain_is_hidden - is @variable, NAME=VALUE, one whose value is never printed? */
bool explain_is_hidden(const struct plan *plan, const char *variable);
