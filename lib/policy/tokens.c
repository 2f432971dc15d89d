/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The words of a policy. A statement is a line, a line that begins with a blank goes on with the
 * one before, ";" ends a statement too, and "#" begins a comment. The text may come from anybody.
 */
#include <string.h>

#include "base/str.h"
#include "policy/policy.h"

struct reader {
	const char *text;
	unsigned line;
	struct policy_token *tokens;
	size_t count;
};

static bool is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || c == '@';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void add_token(struct reader *reader, enum policy_token_type type, size_t length)
{
	struct policy_token *token = &reader->tokens[reader->count];
	size_t kept = length < sizeof(token->text) ? length : sizeof(token->text) - 1;

	/* Nothing needs no end, and one end is enough. */
	if (type == POLICY_END && (!reader->count || token[-1].type == POLICY_END))
		return;
	*token = (struct policy_token){ .type = type, .line = reader->line };
	token->is_cut = kept < length;
	memcpy(token->text, reader->text, kept);
	reader->count++;
}

static size_t operator_length(const char *text)
{
	if (strchr("=!<>", text[0]) && text[1] == '=')
		return 2;
	return strchr("<>&|:", text[0]) ? 1 : 0;
}

/* Skips the end of a line, and lines that say nothing; it may end the statement. */
static void read_newlines(struct reader *reader)
{
	const char *line = reader->text;
	unsigned ended = reader->line;

	while (*reader->text == '\n') {
		line = ++reader->text;
		reader->line++;
		while (is_blank(*reader->text))
			reader->text++;
		if (*reader->text == '#')
			reader->text += strcspn(reader->text, "\n");
	}
	if (reader->text == line) {
		add_token(reader, POLICY_END, 0);
		if (reader->count)
			reader->tokens[reader->count - 1].line = ended;
	}
}

/* One token, or what lies between two. */
static int read_one(struct reader *reader, struct policy_error *err)
{
	char c = *reader->text;
	size_t length = 1;

	if (c == '#') {
		length = strcspn(reader->text, "\n");
	} else if (c == '\n') {
		read_newlines(reader);
		return 0;
	} else if (c == ';') {
		add_token(reader, POLICY_END, 0);
	} else if (is_word_char(c)) {
		while (is_word_char(reader->text[length]))
			length++;
		add_token(reader, POLICY_WORD, length);
	} else if (!is_blank(c)) {
		length = operator_length(reader->text);
		if (!length) {
			*err = (struct policy_error){ .line = reader->line,
						      .token = { c },
						      .reason = "a character that has no meaning" };
			return -EINVAL;
		}
		add_token(reader, POLICY_OPERATOR, length);
	}
	reader->text += length;
	return 0;
}

int policy_tokens(const char *text, struct policy_token **ret_tokens, size_t *ret_count,
		  struct policy_error *err)
{
	struct reader reader = { .text = text, .line = 1 };
	int r = 0;

	if (strlen(text) > POLICY_MAX_TEXT) {
		*err = (struct policy_error){ .reason = "longer than 256 KiB" };
		return -EINVAL;
	}
	reader.tokens = calloc(strlen(text) + 1, sizeof(*reader.tokens));
	if (!reader.tokens)
		return -ENOMEM;
	while (*reader.text && r == 0)
		r = read_one(&reader, err);
	if (r < 0) {
		free(reader.tokens);
		return r;
	}
	add_token(&reader, POLICY_END, 0);
	*ret_tokens = reader.tokens;
	*ret_count = reader.count;
	return 0;
}
