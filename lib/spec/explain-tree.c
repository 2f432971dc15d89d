/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The plan, drawn: what COMMAND finds where. Of several operations on one path the last one shows,
 * which covers the others.
 */
#include <string.h>

#include "base/path.h"
#include "base/text.h"
#include "spec/explain-parts.h"

struct node {
	char *name; /* owned */
	const struct fs_op *op;
	bool is_read_only; /* by a later --remount-ro */
	struct node *below;
	size_t count;
};

static struct node *find_below(struct node *node, const char *name, size_t length)
{
	struct node *added;

	for (size_t i = 0; i < node->count; i++)
		if (strncmp(node->below[i].name, name, length) == 0 &&
		    node->below[i].name[length] == '\0')
			return &node->below[i];
	added = spec_add(&node->below, &node->count, sizeof(*added));
	if (added)
		added->name = strndup(name, length);
	return added && added->name ? added : NULL;
}

/* The node for @path; NULL: out of memory. */
static struct node *find_node(struct node *root, const char *path)
{
	struct node *node = root;

	while (node && *path) {
		size_t length = strcspn(path, "/");

		if (length && !(length == 1 && *path == '.'))
			node = find_below(node, path, length);
		path += length;
		path += *path == '/';
	}
	return node;
}

static void free_below(struct node *node)
{
	for (size_t i = 0; i < node->count; i++) {
		free_below(&node->below[i]);
		free(node->below[i].name);
	}
	free(node->below);
}

static int by_name(const void *one, const void *other)
{
	return strcmp(((const struct node *)one)->name, ((const struct node *)other)->name);
}

static bool is_writable(const struct plan *plan, const struct node *node)
{
	const char *flags[EXPLAIN_MOST_FLAGS];
	size_t count = node->op ? explain_op_flags(plan, node->op, flags) : 0;

	return count && strcmp(flags[0], "rw") == 0 && !node->is_read_only;
}

static void draw_node(const struct plan *plan, const struct node *node, bool colourful, FILE *out)
{
	const struct fs_op *op = node->op;
	bool writable = is_writable(plan, node);

	if (colourful && op)
		fputs(writable ? "\033[33m" : "\033[32m", out);
	explain_put_escaped(node->name, out);
	if (colourful && op)
		fputs("\033[0m", out);
	if (op) {
		fprintf(out, "  %s", explain_op_name(op));
		if (op->source && op->type != OP_TEXT) {
			fputs(op->type == OP_SYMLINK ? " -> " : " of ", out);
			explain_put_escaped(op->source, out);
		}
		if (writable)
			fputs(", writable", out);
		if (op->type == OP_BIND && op->flags & BIND_TRY)
			fputs(", if it exists", out);
	}
	fputc('\n', out);
}

/* @prefix: what stands before the lines below @node; room for one more step is left. */
static void draw_below(const struct plan *plan, const struct node *node, char *prefix,
		       size_t length, bool colourful, FILE *out)
{
	for (size_t i = 0; i < node->count; i++) {
		bool is_last = i + 1 == node->count;

		fprintf(out, "  %s%s", prefix, is_last ? "`-- " : "|-- ");
		draw_node(plan, &node->below[i], colourful, out);
		if (length + 5 > PATH_MAX)
			continue;
		memcpy(prefix + length, is_last ? "    " : "|   ", 5);
		draw_below(plan, &node->below[i], prefix, length + 4, colourful, out);
		prefix[length] = '\0';
	}
}

static void sort_below(struct node *node)
{
	if (node->count)
		qsort(node->below, node->count, sizeof(*node->below), by_name);
	for (size_t i = 0; i < node->count; i++)
		sort_below(&node->below[i]);
}

static bool makes_something(const struct fs_op *op)
{
	return op->type != OP_REMOUNT_RO && op->type != OP_CHMOD && op->type < OP_MASK;
}

void explain_tree_text(const struct plan *plan, FILE *out)
{
	struct node root = { .name = (char *)"/" };
	char prefix[PATH_MAX] = "";
	bool colourful = text_is_colourful(out);

	for (size_t i = 0; i < plan->op_count; i++) {
		const struct fs_op *op = &plan->ops[i];
		struct node *node = find_node(&root, op->dest);

		if (!node)
			continue;
		if (makes_something(op)) {
			node->op = op;
			node->is_read_only = false;
		} else if (op->type == OP_REMOUNT_RO) {
			node->is_read_only = true;
		}
	}
	sort_below(&root);
	fputs("what COMMAND finds:\n  ", out);
	draw_node(plan, &root, colourful, out);
	draw_below(plan, &root, prefix, 0, colourful, out);
	free_below(&root);
}
