/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reading of seccomp profiles in JSON. Runs in the helper program cloche-policy, which has nothing
 * to lose; json-c parses, everything else is here. The profile is not trusted to be well-formed.
 *
 * Names of system calls that nobody knows are passed over, as runc does: profiles name those of all
 * architectures, and newer ones. Keys that nobody knows are refused, which runc does not do: what
 * restricts a rule must not get lost by a letter.
 *
 * Where several rules for a call match, libseccomp lets the one without conditions decide; among
 * those with conditions we take the strictest (its order there is accidental).
 */
#include <string.h>

#include "policy/oci-read.h"

#define MAX_DEPTH 16
#define MAX_ERRNO 4095 /* the kernel's (include/linux/err.h) */

/* ---- actions ---- */

/* The strictest last, in the order of seccomp(2). */
static const struct {
	const char *name;
	uint32_t action;
} actions[] = {
	{ "SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW },
	{ "SCMP_ACT_LOG", SECCOMP_RET_LOG },
	{ "SCMP_ACT_TRACE", SECCOMP_RET_TRACE },
	{ "SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO },
	{ "SCMP_ACT_TRAP", SECCOMP_RET_TRAP },
	{ "SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD },
	{ "SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD },
	{ "SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS },
};

/* The errno of a rule or of the default: by podman's name, else by number, else EPERM. */
static int get_errno(const struct oci_reader *reader, json_object *object,
		     const struct oci_place *place, const char *name_key, const char *number_key,
		     uint64_t *ret_number)
{
	const char *name = NULL;
	uint32_t number = 0;
	int r = oci_get_number(reader, object, place, number_key, MAX_ERRNO, ret_number);

	if (r == 0)
		r = oci_get_string(reader, object, place, name_key, &name);
	if (r < 0 || !name || !name[0])
		return r;
	if (policy_errno(name, &number) < 0)
		return oci_fail_at(reader, place, name_key, "not the name of an errno");
	*ret_number = number;
	return 0;
}

static int get_action(const struct oci_reader *reader, json_object *object,
		      const struct oci_place *place, const char *key, uint32_t *ret_action)
{
	bool is_default = strcmp(key, "defaultAction") == 0;
	uint64_t number = EPERM;
	const char *name = NULL;
	int r = oci_get_string(reader, object, place, key, &name);

	if (r == 0)
		r = get_errno(reader, object, place, is_default ? "defaultErrno" : "errno",
			      is_default ? "defaultErrnoRet" : "errnoRet", &number);
	if (r < 0)
		return r;
	if (!name)
		return oci_fail_at(reader, place, key, "missing");
	if (strcmp(name, "SCMP_ACT_NOTIFY") == 0)
		return oci_fail_at(reader, place, key, "needs a listener, which there is not");
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (strcmp(actions[i].name, name) == 0) {
			*ret_action = actions[i].action;
			if (*ret_action == SECCOMP_RET_ERRNO || *ret_action == SECCOMP_RET_TRACE)
				*ret_action |= (uint32_t)number;
			return 0;
		}
	return oci_fail_at(reader, place, key, "not an action");
}

static size_t strictness(uint32_t action)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(actions) && actions[i].action != (action & SECCOMP_RET_ACTION_FULL))
		i++;
	return i;
}

/* ---- arguments ---- */

static const struct {
	const char *name;
	enum policy_op op;
	bool is_masked;
} operators[] = {
	{ "SCMP_CMP_NE", POLICY_NE, false },	   { "SCMP_CMP_LT", POLICY_LT, false },
	{ "SCMP_CMP_LE", POLICY_LE, false },	   { "SCMP_CMP_EQ", POLICY_EQ, false },
	{ "SCMP_CMP_GE", POLICY_GE, false },	   { "SCMP_CMP_GT", POLICY_GT, false },
	{ "SCMP_CMP_MASKED_EQ", POLICY_EQ, true },
};

static int read_test(const struct oci_reader *reader, json_object *object,
		     const struct oci_place *place, struct policy_test *ret_test)
{
	static const char *const keys[] = { "index", "value", "valueTwo", "op", NULL };
	uint64_t index = UINT64_MAX, value = 0, value_two = 0;
	const char *op = NULL;
	size_t i = 0;
	int r = oci_check_object(reader, object, place, keys);

	if (r == 0)
		r = oci_get_number(reader, object, place, "index", POLICY_MAX_TESTS - 1, &index);
	if (r == 0)
		r = oci_get_number(reader, object, place, "value", UINT64_MAX, &value);
	if (r == 0)
		r = oci_get_number(reader, object, place, "valueTwo", UINT64_MAX, &value_two);
	if (r == 0)
		r = oci_get_string(reader, object, place, "op", &op);
	if (r < 0)
		return r;
	if (index == UINT64_MAX)
		return oci_fail_at(reader, place, "index", "missing");
	while (op && i < ARRAY_SIZE(operators) && strcmp(operators[i].name, op) != 0)
		i++;
	if (!op || i == ARRAY_SIZE(operators))
		return oci_fail_at(reader, place, "op", op ? "not an operator" : "missing");
	*ret_test = (struct policy_test){
		.arg = (unsigned)index,
		.op = operators[i].op,
		.mask = operators[i].is_masked ? value : UINT64_MAX,
		.value = operators[i].is_masked ? value_two : value,
	};
	return 0;
}

static int read_tests(const struct oci_reader *reader, json_object *entry,
		      const struct oci_place *place, struct policy_test tests[POLICY_MAX_TESTS],
		      size_t *ret_count)
{
	const struct oci_place list_place = { .above = place, .key = "args" };
	json_object *list = NULL;
	int r = oci_get_list(reader, entry, place, "args", &list, ret_count);

	if (r == 0 && *ret_count > POLICY_MAX_TESTS)
		return oci_fail(reader, &list_place, "more than six tests");
	for (size_t i = 0; r == 0 && i < *ret_count; i++)
		r = read_test(reader, json_object_array_get_idx(list, i),
			      &(struct oci_place){ .above = &list_place, .index = i }, &tests[i]);
	return r;
}

/* ---- rules ---- */

/*
 * All tests of a rule must hold. Where two are about one argument each is a rule of its own, as
 * libseccomp's callers have it, since one of its rules cannot test an argument twice.
 */
static bool tests_twice(const struct policy_test *tests, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < i; j++)
			if (tests[i].arg == tests[j].arg)
				return true;
	return false;
}

static int add_rule(const struct oci_reader *reader, const char *name, uint32_t action,
		    const struct policy_test *tests, size_t count)
{
	struct policy_rule *rule = policy_add_rule(reader->policy, name, action);

	if (!rule)
		return -ENOMEM;
	memcpy(rule->tests, tests, count * sizeof(*tests));
	rule->test_count = count;
	return 0;
}

static int add_name(const struct oci_reader *reader, const char *name, uint32_t action,
		    const struct policy_test *tests, size_t count)
{
	int r = 0;

	/* A number is no name here, whatever policy_call_number() makes of it. */
	if (name[0] < 'A' || strlen(name) >= POLICY_NAME_SIZE || !policy_call_exists(name))
		return 0;
	if (!tests_twice(tests, count))
		return add_rule(reader, name, action, tests, count);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = add_rule(reader, name, action, &tests[i], 1);
	return r;
}

static int read_names(const struct oci_reader *reader, json_object *entry,
		      const struct oci_place *place, uint32_t action,
		      const struct policy_test *tests, size_t test_count)
{
	const struct oci_place list_place = { .above = place, .key = "names" };
	const char *name = NULL;
	json_object *list = NULL;
	size_t count = 0;
	int r = oci_get_list(reader, entry, place, "names", &list, &count);

	if (r == 0)
		r = oci_get_string(reader, entry, place, "name", &name);
	if (r < 0)
		return r;
	if (name && name[0] && count)
		return oci_fail_at(reader, place, "name", "given beside names");
	if ((!name || !name[0]) && !count)
		return oci_fail_at(reader, place, "names", "missing");
	/* libseccomp takes no rule that says what the default does. */
	if (action == reader->default_action)
		return 0;
	if (!count)
		return add_name(reader, name, action, tests, test_count);
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = oci_get_element(reader, list,
				    &(struct oci_place){ .above = &list_place, .index = i }, &name);
		if (r == 0)
			r = add_name(reader, name, action, tests, test_count);
	}
	return r;
}

static int read_entry(const struct oci_reader *reader, json_object *entry,
		      const struct oci_place *place)
{
	static const char *const keys[] = { "names",   "name",	   "action",   "errnoRet", "errno",
					    "comment", "includes", "excludes", "args",	   NULL };
	struct policy_test tests[POLICY_MAX_TESTS];
	bool is_included = false, is_left = false;
	uint32_t action = 0;
	size_t count = 0;
	int r = oci_check_object(reader, entry, place, keys);

	if (r == 0)
		r = get_action(reader, entry, place, "action", &action);
	if (r == 0)
		r = read_tests(reader, entry, place, tests, &count);
	if (r == 0)
		r = oci_check_condition(reader, entry, place, "includes", &is_included);
	if (r == 0)
		r = oci_check_condition(reader, entry, place, "excludes", &is_left);
	if (r < 0 || !is_included || !is_left)
		return r;
	return read_names(reader, entry, place, action, tests, count);
}

/*
 * Later rules win in a policy, so: those with tests first, from the mildest to the strictest, then
 * those without; of equals the first in the profile last.
 */
static int order_rules(struct policy *policy)
{
	size_t count = policy->rule_count, done = 0;
	_free_ struct policy_rule *old = take_ptr(policy->rules);

	policy->rule_count = 0;
	policy->rules = count ? calloc(count, sizeof(*old)) : NULL;
	if (count && !policy->rules)
		return -ENOMEM;
	for (size_t rank = 0; rank < ARRAY_SIZE(actions); rank++)
		for (size_t i = count; i-- > 0;)
			if (old[i].test_count && strictness(old[i].action) == rank)
				policy->rules[done++] = old[i];
	for (size_t i = count; i-- > 0;)
		if (!old[i].test_count)
			policy->rules[done++] = old[i];
	policy->rule_count = done;
	return 0;
}

/*
 * Calls that are newer than the newest of the profile get ENOSYS where the default is another
 * errno, as under runc: libc takes the older way then, and EPERM would be an answer.
 */
static void set_lid(struct policy *policy, uint32_t arch)
{
	uint32_t arches[] = { arch, policy_arch_twin(arch) };

	if ((policy->default_action & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_ERRNO)
		return;
	for (size_t i = 0; i < policy->rule_count; i++)
		for (size_t j = 0; j < ARRAY_SIZE(arches); j++) {
			int number = arches[j]
					     ? policy_call_number(policy->rules[i].name, arches[j])
					     : -1;

			if (number < 0)
				continue;
			policy->has_lid = true;
			if ((uint32_t)number > policy->lid)
				policy->lid = (uint32_t)number;
		}
	policy->lid_action = SECCOMP_RET_ERRNO | ENOSYS;
}

/* ---- the document ---- */

/* What the kernel is told when a filter is loaded: none of it changes a verdict. */
static int check_flags(const struct oci_reader *reader, json_object *root,
		       const struct oci_place *place)
{
	static const char *const known[] = { "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG",
					     "SECCOMP_FILTER_FLAG_SPEC_ALLOW" };
	const struct oci_place list_place = { .above = place, .key = "flags" };
	json_object *list = NULL;
	size_t count = 0;
	int r = oci_get_list(reader, root, place, "flags", &list, &count);

	for (size_t i = 0; r == 0 && i < count; i++) {
		const struct oci_place here = { .above = &list_place, .index = i };
		const char *name = NULL;
		size_t j = 0;

		r = oci_get_element(reader, list, &here, &name);
		while (r == 0 && j < ARRAY_SIZE(known) && strcmp(known[j], name) != 0)
			j++;
		if (r == 0 && j == ARRAY_SIZE(known))
			r = oci_fail(reader, &here, "a flag that is not supported");
	}
	return r;
}

static int read_root(struct oci_reader *reader, json_object *root, bool *ret_has_twin)
{
	static const char *const keys[] = { "defaultAction", "defaultErrnoRet", "defaultErrno",
					    "architectures", "archMap",		"flags",
					    "comment",	     "syscalls",	NULL };
	const struct oci_place place = { .above = NULL };
	const struct oci_place list_place = { .above = &place, .key = "syscalls" };
	json_object *list = NULL;
	size_t count = 0;
	int r = oci_check_object(reader, root, &place, keys);

	if (r == 0)
		r = get_action(reader, root, &place, "defaultAction", &reader->default_action);
	if (r == 0)
		r = check_flags(reader, root, &place);
	if (r == 0)
		r = oci_read_architectures(reader, root, &place, ret_has_twin);
	if (r == 0)
		r = oci_get_list(reader, root, &place, "syscalls", &list, &count);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = read_entry(reader, json_object_array_get_idx(list, i),
			       &(struct oci_place){ .above = &list_place, .index = i });
	if (r == 0)
		r = order_rules(reader->policy);
	if (r < 0)
		return r;
	reader->policy->default_action = reader->default_action;
	set_lid(reader->policy, reader->host->arch);
	return 0;
}

/* NULL with @err filled where @text is no JSON. */
static json_object *parse(const char *text, struct policy_error *err)
{
	json_tokener *tokener = json_tokener_new_ex(MAX_DEPTH);
	json_object *root;
	size_t end;

	if (!tokener)
		return NULL;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	/* With its NUL, which says that no more comes. */
	root = json_tokener_parse_ex(tokener, text, (int)strlen(text) + 1);
	end = json_tokener_get_parse_end(tokener);
	if (!root) {
		err->line = 1;
		for (size_t i = 0; i < end && text[i]; i++)
			err->line += text[i] == '\n';
		err->token[0] = '\0';
		err->reason = json_tokener_error_desc(json_tokener_get_error(tokener));
		if (json_tokener_get_error(tokener) == json_tokener_success)
			err->reason = "not an object"; /* null is no object for json-c */
	}
	json_tokener_free(tokener);
	return root;
}

int oci_read(struct policy *policy, const char *text, const struct oci_host *host,
	     bool *ret_has_twin, struct policy_error *err)
{
	struct oci_reader reader = { .policy = policy, .host = host, .err = err };
	json_object *root;
	int r;

	*err = (struct policy_error){ .line = 0 };
	root = parse(text, err);
	if (!root)
		return err->reason ? -EINVAL : -ENOMEM;
	r = read_root(&reader, root, ret_has_twin);
	(void)json_object_put(root);
	return r;
}
