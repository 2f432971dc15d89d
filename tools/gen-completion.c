/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the completions for bash, zsh and fish know of the option table. How they use it is written
 * by hand, in completions/cloche.{bash,zsh,fish}.in. Build time only.
 *
 * bash and fish get the kinds of an option's arguments as words, e.g. "path dest"; a choice carries
 * its words, "choice:private|slave", and an argument that can only be given as --name=VALUE an
 * asterisk, "*choice:json".
 */
#include <string.h>

#include "gen-options.h"

/* The kernel's capabilities (capabilities(7), 0 to 40, the last since Linux 5.9), without cap_. */
static const char *const capabilities[] = {
	"chown",
	"dac_override",
	"dac_read_search",
	"fowner",
	"fsetid",
	"kill",
	"setgid",
	"setuid",
	"setpcap",
	"linux_immutable",
	"net_bind_service",
	"net_broadcast",
	"net_admin",
	"net_raw",
	"ipc_lock",
	"ipc_owner",
	"sys_module",
	"sys_rawio",
	"sys_chroot",
	"sys_ptrace",
	"sys_pacct",
	"sys_admin",
	"sys_boot",
	"sys_nice",
	"sys_resource",
	"sys_time",
	"sys_tty_config",
	"mknod",
	"lease",
	"audit_write",
	"audit_control",
	"setfcap",
	"mac_override",
	"mac_admin",
	"syslog",
	"wake_alarm",
	"block_suspend",
	"audit_read",
	"perfmon",
	"bpf",
	"checkpoint_restore",
};

static void write_capabilities(FILE *out, const char *separator)
{
	fputs("ALL", out);
	for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++)
		fprintf(out, "%scap_%s", separator, capabilities[i]);
}

static void write_kinds(FILE *out, const struct option_row *row)
{
	for (int i = 0; i < row->arg_count; i++) {
		fprintf(out, "%s%s%s", i > 0 ? " " : "", row->is_optional ? "*" : "",
			kind_name(row->arg[i].kind));
		if (row->arg[i].kind == KIND_CHOICE)
			fprintf(out, ":%s", row->arg[i].meta);
	}
}

/* Writes @text with a backslash before each character of @special; a single quote closes, adds
 * itself and reopens. */
static void write_quoted(FILE *out, const char *text, const char *special)
{
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\'", out);
		else if (strchr(special, *text))
			fputc('\\', out);
		fputc(*text, out);
	}
}

void write_bash(FILE *out)
{
	size_t count = 0;
	const struct option_row *rows = option_rows(&count);

	fputs("_cloche_options='", out);
	for (size_t i = 0; i < count; i++)
		fprintf(out, "--%s\n", rows[i].name);
	fputs("'\n_cloche_capabilities='", out);
	write_capabilities(out, "\n");
	fputs("'\n\n_cloche_kinds()\n{\n\tcase $1 in\n", out);
	for (size_t i = 0; i < count; i++) {
		if (rows[i].arg_count == 0)
			continue;
		fprintf(out, "\t--%s) REPLY='", rows[i].name);
		write_kinds(out, &rows[i]);
		fputs("' ;;\n", out);
	}
	fputs("\t*) REPLY= ;;\n\tesac\n}\n", out);
}

void write_fish(FILE *out)
{
	size_t count = 0;
	const struct option_row *rows = option_rows(&count);

	fputs("function __cloche_options\n\tprintf '%s\\t%s\\n'", out);
	for (size_t i = 0; i < count; i++) {
		fprintf(out, " \\\n\t\t--%s '", rows[i].name);
		write_quoted(out, option_text(&rows[i])->help, "\\");
		fputc('\'', out);
	}
	fputs("\nend\n\nfunction __cloche_capabilities\n\tprintf '%s\\n' ", out);
	write_capabilities(out, " ");
	fputs("\nend\n\nfunction __cloche_kinds\n\tswitch $argv[1]\n", out);
	for (size_t i = 0; i < count; i++) {
		if (rows[i].arg_count == 0)
			continue;
		fprintf(out, "\t\tcase --%s\n\t\t\tstring split ' ' '", rows[i].name);
		write_kinds(out, &rows[i]);
		fputs("'\n", out);
	}
	fputs("\tend\nend\n", out);
}

/* The zsh function that completes an argument of @kind; each is in completions/cloche.zsh.in or
 * zsh's own. */
static const char *zsh_action(enum option_kind kind)
{
	switch (kind) {
	case KIND_PATH:
	case KIND_DEST:
	case KIND_NS:
		return "_files";
	case KIND_FD:
		return "_file_descriptors";
	case KIND_UID:
		return "(0 $UID)";
	case KIND_GID:
		return "(0 $GID)";
	case KIND_OCTAL:
		return "(0600 0644 0700 0755 1777)";
	case KIND_SIZE:
		return "(1M 64M 256M 1G)";
	case KIND_OFFSET:
		return "(monotonic\\: boottime\\:)";
	case KIND_CAP:
		return "_cloche_capabilities";
	case KIND_ENV:
		return "_cloche_variables";
	default:
		return " "; /* shows what is expected, offers nothing */
	}
}

static void write_zsh_argument(FILE *out, const struct option_row *row, int i)
{
	fputs(row->is_optional ? "::" : ":", out);
	if (row->arg[i].kind != KIND_CHOICE) {
		write_quoted(out, row->arg[i].meta, "\\:");
		fprintf(out, ":%s", zsh_action(row->arg[i].kind));
		return;
	}
	fputs("value:(", out);
	for (const char *c = row->arg[i].meta; *c; c++)
		fputc(*c == '|' ? ' ' : *c, out);
	fputc(')', out);
}

void write_zsh(FILE *out)
{
	size_t count = 0;
	const struct option_row *rows = option_rows(&count);

	fputs("_cloche_capability_names=(", out);
	write_capabilities(out, " ");
	fputs(")\n\n_cloche_options=(\n", out);
	for (size_t i = 0; i < count; i++) {
		const struct option_row *row = &rows[i];

		fprintf(out, "\t'%s--%s%s[", row->arg_count > 0 && !row->is_optional ? "*" : "",
			row->name,
			row->is_optional      ? "=-"
			: row->arg_count == 1 ? "="
					      : "");
		write_quoted(out, option_text(row)->help, "\\:[]");
		fputc(']', out);
		for (int j = 0; j < row->arg_count; j++)
			write_zsh_argument(out, row, j);
		fputs("'\n", out);
	}
	fputs(")\n", out);
}
