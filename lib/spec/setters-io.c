/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Setters of what COMMAND is given without showing it: the variables of --env-file and the files of
 * --secret-fd. No message may repeat what is read here.
 */
#include <limits.h>
#include <string.h>

#include "base/fd.h"
#include "base/str.h"
#include "spec/parser.h"

#define MAX_ENV_FILE_BYTES (8u << 20) /* more than execve(2) takes */

static int env_file_error(size_t number, struct cloche_error *err)
{
	char text[STR_NUMBER_SIZE];

	return error_set(err, ERROR_ENV_FILE_LINE, 0, str_number(text, number));
}

/* Adds the variable @entry, "NAME=VALUE", which is cut in two; the spec owns it. */
static int add_variable(struct spec *spec, char *entry, size_t number, struct cloche_error *err)
{
	char *equals = strchr(entry, '=');
	struct env_op *op;

	if (!equals || equals == entry)
		return env_file_error(number, err);
	op = spec_add(&spec->env_ops, &spec->env_op_count, sizeof(*op));
	if (!op)
		return error_no_memory(err);
	*equals = '\0';
	*op = (struct env_op){
		.type = ENV_SET, .name = entry, .value = equals + 1, .is_hidden = true
	};
	return 0;
}

int set_env_file(struct parser *parser, int use, long param, struct cloche_error *err)
{
	int fd = parser_number(parser, use), r;
	_free_ char *data = NULL;
	char number[STR_NUMBER_SIZE], separator, *text;
	size_t size, count = 0;

	(void)param;
	r = fd_read_all(fd, MAX_ENV_FILE_BYTES, &data, &size);
	if (r < 0)
		return error_set(err, ERROR_ENV_FILE_READ, -r, str_number(number, (uint64_t)fd));
	fd_release(fd);
	separator = memchr(data, '\0', size) ? '\0' : '\n';
	text = spec_add_blob(parser->spec, take_ptr(data));
	if (!text)
		return error_no_memory(err);
	for (char *entry = text, *end; r == 0 && entry < text + size; entry = end + 1) {
		end = memchr(entry, separator, (size_t)(text + size - entry));
		if (!end)
			end = text + size; /* where fd_read_all() put a NUL */
		*end = '\0';
		count++;
		if (separator == '\n' && (entry[0] == '\0' || entry[0] == '#'))
			continue;
		r = add_variable(parser->spec, entry, count, err);
	}
	return r;
}

/* One name of a file, for the one directory of all secrets. */
static bool is_file_name(const char *name)
{
	return name[0] && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !strchr(name, '/') &&
	       strlen(name) <= NAME_MAX;
}

int set_secret(struct parser *parser, int use, long param, struct cloche_error *err)
{
	struct spec_io *io = &parser->spec->io;
	const char *name = parser_arg(parser, use, 1);
	int fd = parser_number(parser, use);
	struct secret *added;

	(void)param;
	if (!is_file_name(name))
		return error_set(err, ERROR_SECRET_NAME, 0, name);
	for (size_t i = 0; i < io->secret_count; i++)
		if (strcmp(io->secrets[i].name, name) == 0)
			return error_set(err, ERROR_SECRET_TWICE, 0, name);
	added = spec_add(&io->secrets, &io->secret_count, sizeof(*added));
	if (!added)
		return error_no_memory(err);
	*added =
		(struct secret){ .from = { .fd = fd, .use = use, .is_open = parser_fd_is_open(fd) },
				 .name = name };
	return parser_consume_fd(parser, fd, err);
}
