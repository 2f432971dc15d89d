/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The plan in words: what is shown of /proc, /sys and /dev, secrets, standard descriptors. Of
 * secrets only the names are known here.
 */
#include <string.h>

#include "spec/explain-parts.h"

static const char *const stream_names[] = { "stdin", "stdout", "stderr" };

size_t explain_view_flags(const struct plan *plan, const struct fs_op *op, size_t count,
			  const char *flags[EXPLAIN_MOST_FLAGS])
{
	bool is_fs = op->type == OP_PROC || op->type == OP_SYS;

	if (op->type == OP_MASK || op->type == OP_DENY_WRITE || op->type == OP_DENY_CREATE ||
	    op->type == OP_SECRETS)
		flags[count++] = "ro";
	if (op->type == OP_NOEXEC || op->type == OP_SECRETS)
		flags[count++] = "noexec";
	if (op->type == OP_NO_SYMLINKS)
		flags[count++] = "nosymfollow";
	if (op->type == OP_PROC && plan->views.proc_subset_pid)
		flags[count++] = "subset=pid";
	if (op->type == OP_PROC && plan->views.proc_hidepid)
		flags[count++] = "hidepid=ptraceable";
	if (is_fs && plan->views.proc_cover == PROC_COVER_ALL)
		flags[count++] = "masked";
	return count;
}

void explain_views_text(const struct plan *plan, FILE *out)
{
	const struct spec_io *io = &plan->spec->io;

	for (size_t i = 0; i < plan->views.dev_node_count; i++) {
		fputs(i ? " " : "devices added to --dev: ", out);
		explain_put_escaped(plan->views.dev_nodes[i].name, out);
	}
	if (plan->views.dev_node_count)
		fputc('\n', out);
	for (size_t i = 0; i < io->secret_count; i++) {
		fprintf(out, "secret from fd %d: ", io->secrets[i].from.fd);
		explain_put_escaped(io->secrets[i].name, out);
		fputc('\n', out);
	}
	for (size_t i = 0; i < ARRAY_SIZE(io->stdio); i++) {
		if (!io->stdio[i].text)
			continue;
		fprintf(out, "%s of COMMAND: ", stream_names[i]);
		explain_put_escaped(io->stdio[i].text, out);
		fputc('\n', out);
	}
}

void explain_views_json(const struct plan *plan, FILE *out)
{
	const struct spec_io *io = &plan->spec->io;

	fputs(", \"devices\": [", out);
	for (size_t i = 0; i < plan->views.dev_node_count; i++) {
		fputs(i ? ", " : "", out);
		explain_put_json(plan->views.dev_nodes[i].name, out);
	}
	fputs("], \"secrets\": [", out);
	for (size_t i = 0; i < io->secret_count; i++) {
		fputs(i ? ", " : "", out);
		explain_put_json(io->secrets[i].name, out);
	}
	fputc(']', out);
	for (size_t i = 0; i < ARRAY_SIZE(io->stdio); i++) {
		if (!io->stdio[i].text)
			continue;
		fprintf(out, ", \"%s\": ", stream_names[i]);
		explain_put_json(io->stdio[i].text, out);
	}
}

bool explain_is_hidden(const struct plan *plan, const char *variable)
{
	const struct spec *spec = plan->spec;

	for (size_t i = 0; i < spec->env_op_count; i++) {
		const struct env_op *op = &spec->env_ops[i];
		size_t length = op->is_hidden ? strlen(op->name) : 0;

		if (length && strncmp(variable, op->name, length) == 0 && variable[length] == '=' &&
		    strcmp(variable + length + 1, op->value) == 0)
			return true;
	}
	return false;
}
