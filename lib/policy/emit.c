/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * From the form to a BPF program. libseccomp's own generator can express neither the lid nor
 * ranges, so this is one of ours.
 *
 * The numbers of an architecture fall into intervals with the same verdict, most of them long. A
 * balanced binary tree finds the interval; its leaf is an action or a block that looks at
 * arguments. Blocks lie behind the tree. BPF jumps go forward only, 255 instructions at most where
 * they are conditional, so the program is written from its end: whatever an instruction jumps to is
 * there already, and where it is too far away a copy of the return, or a jump, is put between.
 *
 * A program for two architectures is the twin's part in front of the complete native one: both
 * programs are one array, and whoever wants the native one takes the last native_count
 * instructions.
 */
#include <assert.h>
#include <linux/audit.h>
#include <stddef.h>
#include <string.h>

#include "policy/policy.h"

#define MAX_JUMP 255 /* jt and jf have 8 bits */
#define MAX_PROGRAM (2 * (size_t)BPF_MAXINSNS)

/* Where a jump goes: an action, or an instruction that stands in the program. */
struct target {
	bool is_action;
	uint32_t action;
	/* Otherwise: how many instructions the program had when that one had been written. */
	size_t label;
};

/* A word of an argument in the accumulator. */
struct loaded {
	bool is_valid;
	uint32_t offset, mask;
};

/* A block may be entered behind its load by whom has that word in the accumulator already. */
struct block {
	struct target entry;
	struct target behind_load;
	struct loaded wants;
};

struct interval {
	uint32_t first; /* ends where the next begins */
	struct target target;
};

#define MAX_ACTIONS 64

struct numbered {
	uint32_t number;
	size_t rule; /* index in the policy */
};

struct emitter {
	const struct policy *policy;
	uint32_t arch;
	struct sock_filter *code; /* of MAX_PROGRAM, filled from the end */
	size_t count;
	bool is_full;
	struct target returns[MAX_ACTIONS]; /* the nearest return of an action, as a label */
	size_t return_count;
	struct interval *intervals;
	size_t interval_count;
	struct numbered *numbered; /* the rules of this architecture, sorted */
	size_t numbered_count;
};

/* ---- instructions, from the last to the first ---- */

static struct target put(struct emitter *emitter, struct sock_filter instruction)
{
	if (emitter->count == MAX_PROGRAM) {
		emitter->is_full = true;
		return (struct target){ .label = emitter->count };
	}
	emitter->count++;
	emitter->code[MAX_PROGRAM - emitter->count] = instruction;
	return (struct target){ .label = emitter->count };
}

static struct target action_target(uint32_t action)
{
	return (struct target){ .is_action = true, .action = action };
}

/* Instructions between the next one to be written and @target. */
static size_t distance(const struct emitter *emitter, const struct target *target)
{
	return emitter->count - target->label;
}

static struct target put_return(struct emitter *emitter, uint32_t action)
{
	struct target target = put(emitter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
	size_t i = 0;

	while (i < emitter->return_count && emitter->returns[i].action != action)
		i++;
	if (i < MAX_ACTIONS) {
		emitter->returns[i] = target;
		emitter->returns[i].action = action;
		if (i == emitter->return_count)
			emitter->return_count++;
	}
	return target;
}

/* @target as an instruction that is at most @reach away from the next one to be written. */
static struct target in_reach(struct emitter *emitter, const struct target *target, size_t reach)
{
	if (!target->is_action) {
		if (distance(emitter, target) <= reach)
			return *target;
		return put(emitter, (struct sock_filter)BPF_STMT(
					    BPF_JMP | BPF_JA, (uint32_t)distance(emitter, target)));
	}
	for (size_t i = 0; i < emitter->return_count; i++)
		if (emitter->returns[i].action == target->action &&
		    distance(emitter, &emitter->returns[i]) <= reach)
			return (struct target){ .label = emitter->returns[i].label };
	return put_return(emitter, target->action);
}

static bool same_target(const struct target *one, const struct target *other)
{
	return one->is_action == other->is_action &&
	       (one->is_action ? one->action == other->action : one->label == other->label);
}

static struct target put_jump(struct emitter *emitter, uint16_t condition, uint32_t value,
			      const struct target *if_true, const struct target *if_false)
{
	struct target yes, no;

	if (same_target(if_true, if_false))
		return *if_true;
	yes = in_reach(emitter, if_true, MAX_JUMP - 1); /* one may be put between for the other */
	no = in_reach(emitter, if_false, MAX_JUMP);
	return put(emitter, (struct sock_filter)BPF_JUMP(BPF_JMP | condition | BPF_K, value,
							 (uint8_t)distance(emitter, &yes),
							 (uint8_t)distance(emitter, &no)));
}

/* ---- arguments ---- */

static uint32_t word_offset(unsigned arg, bool is_high)
{
	bool is_second = is_high == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

	return (uint32_t)(offsetof(struct seccomp_data, args[arg]) + (is_second ? 4 : 0));
}

static struct block put_load(struct emitter *emitter, unsigned arg, bool is_high, uint32_t mask,
			     struct target behind)
{
	struct block block = {
		.behind_load = behind,
		.wants = { .is_valid = true, .offset = word_offset(arg, is_high), .mask = mask },
	};

	if (mask != UINT32_MAX)
		(void)put(emitter, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask));
	block.entry = put(emitter, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
								block.wants.offset));
	return block;
}

static struct target enter_block(const struct block *block, const struct loaded *has)
{
	if (block->wants.is_valid && has->offset == block->wants.offset &&
	    has->mask == block->wants.mask)
		return block->behind_load;
	return block->entry;
}

static struct block constant_block(const struct block *block)
{
	return (struct block){ .entry = block->entry };
}

/*
 * One word of a comparison: jumps where (word & mask) OP value is decided. @equal: where to go on
 * if both are equal (the low word decides), for the high word only.
 */
static struct block put_compare(struct emitter *emitter, const struct policy_test *test,
				enum policy_op op, bool is_high, const struct block *equal,
				const struct block *yes, const struct block *no)
{
	uint32_t mask = (uint32_t)(is_high ? test->mask >> 32 : test->mask);
	uint32_t value = (uint32_t)(is_high ? test->value >> 32 : test->value);
	struct loaded has = { true, word_offset(test->arg, is_high), mask };
	struct target t_yes = enter_block(yes, &has), t_no = enter_block(no, &has), t_equal, jump;

	if (is_high) {
		t_equal = enter_block(equal, &has);
		if (op == POLICY_EQ)
			jump = put_jump(emitter, BPF_JEQ, value, &t_equal, &t_no);
		else {
			jump = put_jump(emitter, BPF_JEQ, value, &t_equal, &t_no);
			jump = put_jump(emitter, BPF_JGT, value, &t_yes, &jump);
		}
	} else {
		uint16_t condition = op == POLICY_EQ   ? BPF_JEQ
				     : op == POLICY_GT ? BPF_JGT
						       : BPF_JGE;

		jump = put_jump(emitter, condition, value, &t_yes, &t_no);
	}
	if (jump.is_action)
		return (struct block){ .entry = jump };
	return put_load(emitter, test->arg, is_high, mask, jump);
}

/* A block that goes on at @yes where @test is true, else at @no. */
static struct block put_test(struct emitter *emitter, const struct policy_test *given,
			     const struct block *yes, const struct block *no)
{
	struct policy_test test = *given;
	enum policy_op op = test.op;
	uint32_t high_mask, high_value = (uint32_t)(test.value >> 32);
	struct block low;

	if (op == POLICY_NE || op == POLICY_LT || op == POLICY_LE) {
		const struct block *swapped = yes;

		op = op == POLICY_NE ? POLICY_EQ : op == POLICY_LT ? POLICY_GE : POLICY_GT;
		yes = no;
		no = swapped;
	}
	if (policy_arch_is_32bit(emitter->arch))
		test.mask &= UINT32_MAX;
	high_mask = (uint32_t)(test.mask >> 32);
	if (!high_mask && high_value) /* 0 is compared with more than 32 bits hold */
		return constant_block(no);
	low = put_compare(emitter, &test, op, false, NULL, yes, no);
	if (!high_mask)
		return low;
	return put_compare(emitter, &test, op, true, &low, yes, no);
}

/* ---- the rules of one call ---- */

static int compare_numbered(const void *a, const void *b)
{
	const struct numbered *one = a, *other = b;

	if (one->number != other->number)
		return one->number < other->number ? -1 : 1;
	return one->rule < other->rule ? -1 : one->rule > other->rule;
}

/* What holds where no rule of a known @number matches. */
static uint32_t fallback(const struct emitter *emitter, uint32_t number)
{
	const struct policy *policy = emitter->policy;
	char name[POLICY_NAME_SIZE];

	if (policy->has_lid &&
	    (number > policy->lid || !policy_call_name(number, emitter->arch, name)))
		return policy->lid_action;
	return policy->default_action;
}

/* Rules from @first to before @end are those of one number, in order. */
static struct target put_rules(struct emitter *emitter, size_t first, size_t end)
{
	const struct policy_rule *rules = emitter->policy->rules;
	uint32_t number = emitter->numbered[first].number;
	struct block next = { .entry = action_target(fallback(emitter, number)) };

	for (size_t i = first; i < end; i++) {
		const struct policy_rule *rule = &rules[emitter->numbered[i].rule];
		struct block yes = { .entry = action_target(rule->action) };
		struct block no = next;

		next = yes;
		for (size_t t = rule->test_count; t-- > 0;)
			next = put_test(emitter, &rule->tests[t], &next, &no);
	}
	return next.entry;
}

/* ---- intervals ---- */

static void add_interval(struct emitter *emitter, uint32_t first, const struct target *target)
{
	struct interval *last =
		emitter->interval_count ? &emitter->intervals[emitter->interval_count - 1] : NULL;

	assert(emitter->intervals); /* put_arch() sees to it */
	if (last && last->first == first)
		last->target = *target;
	else if (!last || !same_target(&last->target, target))
		emitter->intervals[emitter->interval_count++] = (struct interval){ first, *target };
}

static void add_action(struct emitter *emitter, uint32_t first, uint32_t action)
{
	struct target target = action_target(action);

	add_interval(emitter, first, &target);
}

/* Where rules of another number begin. */
static size_t end_of_number(const struct emitter *emitter, size_t first)
{
	size_t end = first + 1;

	while (end < emitter->numbered_count &&
	       emitter->numbered[end].number == emitter->numbered[first].number)
		end++;
	return end;
}

static void make_intervals(struct emitter *emitter)
{
	const struct policy *policy = emitter->policy;
	uint32_t outside = policy->has_lid ? policy->lid_action : policy->default_action;
	uint32_t covered = policy->has_lid ? policy->lid + 1 : 0;
	size_t first = 0;

	for (uint32_t number = 0; number < covered; number++) {
		if (first < emitter->numbered_count && emitter->numbered[first].number == number) {
			size_t end = end_of_number(emitter, first);
			struct target target = put_rules(emitter, first, end);

			add_interval(emitter, number, &target);
			first = end;
		} else {
			add_action(emitter, number, fallback(emitter, number));
		}
	}
	add_action(emitter, covered, outside);
	while (first < emitter->numbered_count) {
		size_t end = end_of_number(emitter, first);
		uint32_t number = emitter->numbered[first].number;
		struct target target = put_rules(emitter, first, end);

		add_interval(emitter, number, &target);
		add_action(emitter, number + 1, outside);
		first = end;
	}
	if (emitter->arch == AUDIT_ARCH_X86_64)
		add_action(emitter, POLICY_X32_BIT, SECCOMP_RET_ERRNO | ENOSYS);
}

/* The tree over the intervals from @first to @last; the accumulator holds the number. */
static struct target put_tree(struct emitter *emitter, size_t first, size_t last)
{
	const struct interval *intervals = emitter->intervals;
	size_t middle = first + (last - first + 1) / 2;
	struct target left, right;

	if (first == last)
		return intervals[first].target;
	if (last - first == 2 && intervals[last].first == intervals[first + 1].first + 1 &&
	    same_target(&intervals[first].target, &intervals[last].target))
		return put_jump(emitter, BPF_JEQ, intervals[first + 1].first,
				&intervals[first + 1].target, &intervals[first].target);
	right = put_tree(emitter, middle, last);
	left = put_tree(emitter, first, middle - 1);
	return put_jump(emitter, BPF_JGE, intervals[middle].first, &right, &left);
}

/* ---- an architecture ---- */

static int copy_rules(const struct policy *policy, struct policy *copy)
{
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct policy_rule *from = &policy->rules[i];
		struct policy_rule *rule = policy_add_rule(copy, from->name, from->action);

		if (!rule)
			return -ENOMEM;
		*rule = *from;
	}
	return 0;
}

/* Rules for the multiplexers that no rule names, as far as they differ from the default. */
static int add_subcalls(const struct policy *policy, uint32_t arch, struct policy *extended)
{
	for (const struct policy_subcall *sub = policy_subcalls(arch); sub->name; sub++) {
		uint32_t action = policy_subcall_action(policy, sub);
		struct policy_rule *rule;

		if (policy_names_call(policy, sub->multiplexer) || action == policy->default_action)
			continue;
		rule = policy_add_rule(extended, sub->multiplexer, action);
		if (!rule)
			return -ENOMEM;
		rule->test_count = 1;
		rule->tests[0] = (struct policy_test){ .op = POLICY_EQ,
						       .mask = sub->mask,
						       .value = sub->number };
	}
	return 0;
}

/* Appends, in front of what there is, the part of one architecture; @foreign: what the others do.
 */
static int put_arch(struct emitter *emitter, const struct policy *policy,
		    const struct target *foreign)
{
	_free_ struct numbered *numbered = calloc(policy->rule_count + 1, sizeof(*numbered));
	size_t numbers = policy->has_lid ? policy->lid + 1 : 0;
	_free_ struct interval *intervals =
		calloc(numbers + 2 * policy->rule_count + 3, sizeof(*intervals));
	struct target tree;

	if (!numbered || !intervals)
		return -ENOMEM;
	emitter->policy = policy;
	emitter->numbered = numbered;
	emitter->numbered_count = 0;
	emitter->intervals = intervals;
	emitter->interval_count = 0;
	for (size_t i = 0; i < policy->rule_count; i++) {
		int number = policy_call_number(policy->rules[i].name, emitter->arch);

		if (number >= 0)
			numbered[emitter->numbered_count++] =
				(struct numbered){ (uint32_t)number, i };
	}
	qsort(numbered, emitter->numbered_count, sizeof(*numbered), compare_numbered);
	make_intervals(emitter);
	tree = put_tree(emitter, 0, emitter->interval_count - 1);
	tree = in_reach(emitter, &tree, 0);
	(void)put(emitter, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
							offsetof(struct seccomp_data, nr)));
	tree = (struct target){ .label = emitter->count };
	(void)put_jump(emitter, BPF_JEQ, emitter->arch, &tree, foreign);
	(void)put(emitter, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
							offsetof(struct seccomp_data, arch)));
	return emitter->is_full ? -E2BIG : 0;
}

static int emit_arch(struct emitter *emitter, const struct policy *policy, uint32_t arch,
		     const struct target *foreign)
{
	struct policy extended = *policy;
	int r;

	extended.rules = NULL;
	extended.rule_count = 0;
	emitter->arch = arch;
	r = copy_rules(policy, &extended);
	if (r == 0)
		r = add_subcalls(policy, arch, &extended);
	if (r == 0)
		r = put_arch(emitter, &extended, foreign);
	emitter->policy = NULL;
	free(extended.rules);
	return r;
}

int policy_emit(const struct policy *policy, uint32_t arch, uint32_t twin,
		struct policy_program *ret_program)
{
	_free_ struct sock_filter *code = calloc(MAX_PROGRAM, sizeof(*code));
	struct emitter emitter = { .code = code };
	struct target foreign = action_target(SECCOMP_RET_KILL_PROCESS);
	struct policy_program program = { 0 };
	int r;

	if (!code)
		return -ENOMEM;
	r = emit_arch(&emitter, policy, arch, &foreign);
	program.native_count = emitter.count;
	if (r == 0 && twin) {
		foreign = (struct target){ .label = emitter.count };
		r = emit_arch(&emitter, policy, twin, &foreign);
	}
	if (r < 0)
		return r;
	program.count = emitter.count;
	assert(program.count);
	if (program.count > BPF_MAXINSNS)
		return -E2BIG;
	program.filter = calloc(program.count, sizeof(*code));
	if (!program.filter)
		return -ENOMEM;
	memcpy(program.filter, code + MAX_PROGRAM - program.count, program.count * sizeof(*code));
	*ret_program = program;
	return 0;
}
