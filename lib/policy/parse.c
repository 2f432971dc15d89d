/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The policy language, cloche-policy(5): statements are carried out in order, each appends rules,
 * and the last rule that matches a call decides. The text may come from anybody; nothing in it is
 * executed, and no file is read.
 */
#include <string.h>

#include "base/num.h"
#include "base/str.h"
#include "policy/policy.h"

#define MAX_DEPTH 4 /* of "use" */
#define MAX_GROUP_MEMBERS 1024

struct parser {
	struct policy *policy;
	const struct policy_context *context;
	const char *file;
	unsigned flags;
	int depth;
	const struct policy_token *token; /* the next one */
	struct policy_error *err;
};

static int parse_text(struct parser *outer, const char *file, const char *text, unsigned flags);

/* ---- tokens ---- */

static int fail_at(struct parser *parser, const struct policy_token *token, const char *reason)
{
	*parser->err = (struct policy_error){ .line = token->line, .reason = reason };
	str_copy(parser->err->token, sizeof(parser->err->token), token->text);
	str_copy(parser->err->file, sizeof(parser->err->file), parser->file);
	return -EINVAL;
}

static int fail(struct parser *parser, const char *reason)
{
	return fail_at(parser, parser->token, reason);
}

static bool at_end(const struct parser *parser)
{
	return parser->token->type == POLICY_END;
}

static bool is_word(const struct policy_token *token, const char *text)
{
	return token->type == POLICY_WORD && strcmp(token->text, text) == 0;
}

static bool take_word(struct parser *parser, const char *text)
{
	if (!is_word(parser->token, text))
		return false;
	parser->token++;
	return true;
}

static bool take_operator(struct parser *parser, const char *text)
{
	if (parser->token->type != POLICY_OPERATOR || strcmp(parser->token->text, text) != 0)
		return false;
	parser->token++;
	return true;
}

static int expect_end(struct parser *parser)
{
	return at_end(parser) ? 0 : fail(parser, "the statement should end before this");
}

/* ---- values ---- */

static int parse_number(const char *text, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (text[0] != '0' || (text[1] != 'x' && text[1] != 'X')) {
		if (text[0] == '0' && text[1])
			return num_parse_octal(text, UINT64_MAX, ret_value);
		return num_parse(text, UINT64_MAX, ret_value);
	}
	text += 2;
	if (!*text || strlen(text) > 16 || text[strspn(text, "0123456789abcdefABCDEF")])
		return -EINVAL;
	for (; *text; text++) {
		int digit = *text <= '9' ? *text - '0' : (*text | 0x20) - 'a' + 10;

		value = value << 4 | (uint64_t)digit;
	}
	*ret_value = value;
	return 0;
}

static int parse_value(struct parser *parser, uint64_t *ret_value)
{
	uint64_t value = 0, part;

	do {
		if (parser->token->type != POLICY_WORD)
			return fail(parser, "here should be a number or a constant");
		if (parse_number(parser->token->text, &part) < 0 &&
		    policy_constant(parser->token->text, &part) < 0)
			return fail(parser, "neither a number nor a known constant");
		value |= part;
		parser->token++;
	} while (take_operator(parser, "|"));
	*ret_value = value;
	return 0;
}

static int parse_action(struct parser *parser, uint32_t *ret_action)
{
	static const struct {
		const char *word;
		uint32_t action;
	} actions[] = {
		{ "allow", SECCOMP_RET_ALLOW },
		{ "kill", SECCOMP_RET_KILL_PROCESS },
		{ "log", SECCOMP_RET_LOG },
		{ "trap", SECCOMP_RET_TRAP },
	};
	uint32_t number;

	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (take_word(parser, actions[i].word)) {
			*ret_action = actions[i].action;
			return 0;
		}
	if (!take_word(parser, "errno"))
		return fail(parser,
			    "not an action (allow, errno NAME, kill, log, trap) or statement");
	if (at_end(parser) || policy_errno(parser->token->text, &number) < 0)
		return fail(parser, "not the name of an error, such as EPERM");
	parser->token++;
	*ret_action = SECCOMP_RET_ERRNO | number;
	return 0;
}

/* ---- tests of arguments ---- */

static int parse_op(struct parser *parser, enum policy_op *ret_op)
{
	static const char *const ops[] = {
		[POLICY_EQ] = "==", [POLICY_NE] = "!=", [POLICY_LT] = "<",
		[POLICY_LE] = "<=", [POLICY_GT] = ">",	[POLICY_GE] = ">=",
	};

	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		if (take_operator(parser, ops[i])) {
			*ret_op = (enum policy_op)i;
			return 0;
		}
	return fail(parser, "here should be a comparison (== != < <= > >=)");
}

static int parse_test(struct parser *parser, struct policy_test *ret_test)
{
	const char *word = parser->token->text;
	bool is_int = str_starts(word, "int"), is_arg = str_starts(word, "arg");
	struct policy_test test = { .mask = is_int ? UINT32_MAX : UINT64_MAX };
	const struct policy_token *value_token;
	uint64_t mask;
	int r;

	if (at_end(parser) || (!is_int && !is_arg) || word[3] < '0' || word[3] > '5' || word[4])
		return fail(parser, "here should be an argument, arg0 to arg5 or int0 to int5");
	test.arg = (unsigned)(word[3] - '0');
	parser->token++;
	if (take_operator(parser, "&")) {
		r = parse_value(parser, &mask);
		if (r < 0)
			return r;
		test.mask &= mask;
	}
	r = parse_op(parser, &test.op);
	value_token = parser->token;
	if (r == 0)
		r = parse_value(parser, &test.value);
	if (r < 0)
		return r;
	if (test.value & ~test.mask)
		return fail_at(parser, value_token,
			       "can never be equal: it has bits outside the mask");
	*ret_test = test;
	return 0;
}

struct tests {
	struct policy_test list[POLICY_MAX_TESTS];
	size_t count;
};

static int parse_tests(struct parser *parser, struct tests *ret_tests)
{
	int r;

	*ret_tests = (struct tests){ 0 };
	if (!take_word(parser, "if"))
		return 0;
	do {
		if (ret_tests->count == POLICY_MAX_TESTS)
			return fail(parser, "more than six comparisons");
		r = parse_test(parser, &ret_tests->list[ret_tests->count]);
		if (r < 0)
			return r;
		ret_tests->count++;
	} while (take_word(parser, "and"));
	return 0;
}

/* ---- names ---- */

static const struct policy_group *find_group(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->group_count; i++)
		if (strcmp(policy->groups[i].name, name) == 0)
			return &policy->groups[i];
	return NULL;
}

/* Calls @use for each system call that the next word names. */
static int each_name(struct parser *parser,
		     int (*use)(struct parser *parser, const char *name, void *context),
		     void *context)
{
	const char *word = parser->token->text;
	const struct policy_group *group;
	int r = 0;

	if (word[0] == '@') {
		group = find_group(parser->policy, word + 1);
		if (!group)
			return fail(parser, "no such group");
		for (size_t i = 0; r == 0 && i < group->member_count; i++)
			r = use(parser, group->members[i], context);
	} else if (!parser->token->is_cut && policy_call_exists(word)) {
		r = use(parser, word, context);
	} else if (!(parser->flags & POLICY_IGNORES_NEW)) {
		return fail(parser, "no system call has this name");
	}
	if (r == 0)
		parser->token++;
	return r;
}

static int add_member(struct parser *parser, const char *name, void *context)
{
	struct policy_group *group = context;
	char(*members)[POLICY_NAME_SIZE];

	if (group->member_count == MAX_GROUP_MEMBERS)
		return fail(parser, "the group is too large");
	members = reallocarray(group->members, group->member_count + 1, sizeof(*members));
	if (!members)
		return -ENOMEM;
	group->members = members;
	str_copy(members[group->member_count++], POLICY_NAME_SIZE, name);
	return 0;
}

struct addition {
	uint32_t action;
	struct tests tests;
};

static int add_rule(struct parser *parser, const char *name, void *context)
{
	const struct addition *addition = context;
	struct policy_rule *rule = policy_add_rule(parser->policy, name, addition->action);

	if (!rule)
		return parser->policy->rule_count == POLICY_MAX_RULES
			       ? fail(parser, "more than 32768 rules")
			       : -ENOMEM;
	rule->test_count = addition->tests.count;
	memcpy(rule->tests, addition->tests.list, sizeof(rule->tests));
	return 0;
}

/* ---- statements ---- */

static int parse_group(struct parser *parser)
{
	struct policy *policy = parser->policy;
	const char *name = parser->token->text;
	struct policy_group group = { 0 }, *groups;
	int r = 0;

	if (name[0] != '@' || !name[1] || strlen(name) > POLICY_NAME_SIZE)
		return fail(parser, "here should be the group's @name, of 31 characters at most");
	if (find_group(policy, name + 1))
		return fail(parser, "there is a group of this name already");
	str_copy(group.name, sizeof(group.name), name + 1);
	parser->token++;
	while (r == 0 && parser->token->type == POLICY_WORD)
		r = each_name(parser, add_member, &group);
	if (r == 0)
		r = expect_end(parser);
	groups =
		r < 0 ? NULL : reallocarray(policy->groups, policy->group_count + 1, sizeof(group));
	if (!groups) {
		free(group.members);
		return r < 0 ? r : -ENOMEM;
	}
	policy->groups = groups;
	policy->groups[policy->group_count++] = group;
	return 0;
}

static int parse_use(struct parser *parser)
{
	const struct policy_text *text = parser->context->shipped;
	const struct policy_token *name = parser->token;

	while (text && text->name && !is_word(name, text->name))
		text++;
	if (!text || !text->name)
		return fail(parser, "no such policy is shipped");
	if (parser->depth == MAX_DEPTH)
		return fail(parser, "policies use each other too deeply");
	parser->token++;
	if (expect_end(parser) < 0)
		return -EINVAL;
	return parse_text(parser, text->name, text->text, parser->flags | POLICY_IGNORES_NEW);
}

static int parse_lid(struct parser *parser)
{
	uint64_t number;
	int r;

	if (at_end(parser) || num_parse(parser->token->text, 1023, &number) < 0)
		return fail(parser, "here should be the highest known number, 1023 at most");
	parser->token++;
	r = parse_action(parser, &parser->policy->lid_action);
	if (r < 0)
		return r;
	parser->policy->has_lid = true;
	parser->policy->lid = (uint32_t)number;
	return expect_end(parser);
}

static int parse_rules(struct parser *parser)
{
	const struct policy_token *names, *behind;
	struct addition addition;
	int r = parse_action(parser, &addition.action);

	if (r < 0)
		return r;
	names = parser->token;
	while (parser->token->type == POLICY_WORD && !is_word(parser->token, "if"))
		parser->token++;
	if (parser->token == names)
		return fail(parser, "here should be the name of a system call or an @group");
	r = parse_tests(parser, &addition.tests);
	if (r == 0)
		r = expect_end(parser);
	behind = parser->token;
	parser->token = names;
	while (r == 0 && parser->token->type == POLICY_WORD && !is_word(parser->token, "if"))
		r = each_name(parser, add_rule, &addition);
	if (r == 0)
		parser->token = behind;
	return r;
}

/* "when allow-userns:", "unless ...": does the statement behind it count? */
static int parse_condition(struct parser *parser, bool *ret_counts)
{
	bool is_when = take_word(parser, "when"),
	     is_unless = !is_when && take_word(parser, "unless");
	unsigned flag;

	*ret_counts = true;
	if (!is_when && !is_unless)
		return 0;
	if (is_word(parser->token, "allow-userns"))
		flag = POLICY_USERNS;
	else if (is_word(parser->token, "sanitized"))
		flag = POLICY_SANITIZED;
	else
		return fail(parser, "not a condition (allow-userns)");
	parser->token++;
	if (!take_operator(parser, ":"))
		return fail(parser, "here should be a colon");
	*ret_counts = !!(parser->flags & flag) == is_when;
	return 0;
}

static int parse_statement(struct parser *parser)
{
	bool counts;
	int r = parse_condition(parser, &counts);

	if (r < 0)
		return r;
	if (!counts) {
		while (!at_end(parser))
			parser->token++;
		return 0;
	}
	if (take_word(parser, "use"))
		return parse_use(parser);
	if (take_word(parser, "group"))
		return parse_group(parser);
	if (take_word(parser, "lid"))
		return parse_lid(parser);
	if (!take_word(parser, "default"))
		return parse_rules(parser);
	r = parse_action(parser, &parser->policy->default_action);
	return r < 0 ? r : expect_end(parser);
}

static int parse_text(struct parser *outer, const char *file, const char *text, unsigned flags)
{
	_free_ struct policy_token *tokens = NULL;
	struct parser parser = *outer;
	size_t count;
	int r = policy_tokens(text, &tokens, &count, outer->err);

	if (r == -EINVAL)
		str_copy(outer->err->file, sizeof(outer->err->file), file);
	if (r < 0)
		return r;
	parser.file = file;
	parser.flags = flags;
	parser.depth++;
	for (parser.token = tokens; r == 0 && parser.token < tokens + count; parser.token++)
		r = parse_statement(&parser);
	return r;
}

int policy_parse(struct policy *policy, const char *text, const struct policy_context *context,
		 struct policy_error *err)
{
	struct parser parser = { .policy = policy, .context = context, .err = err };
	const struct policy_text *groups = context->shipped;
	int r = 0;

	/* The groups that everybody may use. */
	while (groups && groups->name && strcmp(groups->name, "groups") != 0)
		groups++;
	if (!policy->group_count && groups && groups->name)
		r = parse_text(&parser, groups->name, groups->text, POLICY_IGNORES_NEW);
	return r < 0 ? r : parse_text(&parser, "", text, context->flags);
}
