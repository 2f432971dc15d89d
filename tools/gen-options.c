/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * gen-options KIND [TEMPLATE]: prints one form of the option table on standard output. With
 * TEMPLATE, prints that file with its line @GENERATED@ replaced by the form; what is hand-written
 * about a form stands in the template.
 *
 * Runs at build time, as the builder, on files of the source tree that it trusts.
 */
#include <stdlib.h>
#include <string.h>

#include "gen-options.h"

#define MARKER "@GENERATED@\n"

struct form {
	const char *name;
	void (*write)(FILE *out);
};

static const struct form forms[] = {
	{ "help", write_help },
	{ "scdoc", write_scdoc },
	{ "introspect", write_introspect },
	{ "bash", write_bash },
	{ "zsh", write_zsh },
	{ "fish", write_fish },
	{ "fuzz-dict", write_fuzz_dict },
	{ "header", write_header },
};

const char *kind_name(enum option_kind kind)
{
	static const char *const names[] = {
		[KIND_NONE] = "none",	  [KIND_STRING] = "string", [KIND_PATH] = "path",
		[KIND_DEST] = "dest",	  [KIND_FD] = "fd",	    [KIND_UID] = "uid",
		[KIND_GID] = "gid",	  [KIND_OCTAL] = "octal",   [KIND_SIZE] = "size",
		[KIND_CAP] = "cap",	  [KIND_ENV] = "env",	    [KIND_LABEL] = "label",
		[KIND_CHOICE] = "choice", [KIND_IDMAP] = "idmap",   [KIND_NS] = "ns",
		[KIND_OFFSET] = "offset",
	};

	return names[kind];
}

void write_usage(FILE *out, const struct option_row *row, const char *before, const char *after)
{
	for (int i = 0; i < row->arg_count; i++)
		fprintf(out, "%s%s%s%s%s", row->is_optional ? "[=" : " ", before, row->arg[i].meta,
			after, row->is_optional ? "]" : "");
}

/* Copies the template at @path to @out with @form in the marker's place; false without a marker or
 * on a failure. */
static int expand_template(FILE *out, const struct form *form, const char *path)
{
	FILE *template = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	int markers = 0;

	if (!template) {
		perror(path);
		return 0;
	}
	while (getline(&line, &size, template) >= 0) {
		if (strcmp(line, MARKER) == 0) {
			form->write(out);
			markers++;
		} else {
			fputs(line, out);
		}
	}
	if (markers != 1)
		fprintf(stderr, "%s: %d lines %s, expected one\n", path, markers, "@GENERATED@");
	free(line);
	fclose(template);
	return markers == 1;
}

int main(int argc, char **argv)
{
	const struct form *form = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		if (argc > 1 && strcmp(argv[1], forms[i].name) == 0)
			form = &forms[i];
	}
	if (!form || argc > 3) {
		fputs("usage: gen-options help|scdoc|introspect|bash|zsh|fish|fuzz-dict|header "
		      "[TEMPLATE]\n",
		      stderr);
		return 2;
	}
	if (argc == 2)
		form->write(stdout);
	else if (!expand_template(stdout, form, argv[2]))
		return 1;
	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror("gen-options: standard output");
		return 1;
	}
	return 0;
}
