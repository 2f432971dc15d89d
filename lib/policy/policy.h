/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A seccomp policy as plain data, and what is done with it: text -> form (parse.c), one call's
 * verdict (decide.c), form -> BPF program (emit.c).
 *
 * Used at build time (tools/gen-policy.c) and in the helper program cloche-policy, never in cloche
 * itself, which does not link libseccomp.
 */
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/util.h"

#define POLICY_MAX_TESTS 6
/* Since Linux 5.1 new numbers are the same on all architectures. */
#define POLICY_FIRST_COMMON 424
#define POLICY_NAME_SIZE 32	     /* of a system call or a group, its end included */
#define POLICY_MAX_RULES 32768	     /* after groups are expanded */
#define POLICY_MAX_TEXT (256u << 10) /* bytes */
#define POLICY_TOKEN_SIZE 64

enum policy_op {
	POLICY_EQ,
	POLICY_NE,
	POLICY_LT,
	POLICY_LE,
	POLICY_GT,
	POLICY_GE
};

/*
 * True where (argument & mask) OP value, unsigned. On a 32-bit architecture only the low half of an
 * argument counts, as it does for the kernel there: the filter sees whatever int 0x80 was called
 * with in the upper half.
 */
struct policy_test {
	unsigned arg; /* 0 to 5 */
	enum policy_op op;
	uint64_t mask; /* UINT64_MAX: all of it; 0xffffffff for what the kernel takes as an int */
	uint64_t value;
};

/* What happens to one system call where all tests are true. The last rule that matches decides. */
struct policy_rule {
	char name[POLICY_NAME_SIZE]; /* as libseccomp spells it, or a number from 424 on, which is
					the same on all architectures */
	uint32_t action;   /* SECCOMP_RET_* with its data, e.g. SECCOMP_RET_ERRNO | EPERM */
	size_t test_count; /* 0: always */
	struct policy_test tests[POLICY_MAX_TESTS];
};

struct policy_group {
	char name[POLICY_NAME_SIZE]; /* without the @ */
	char (*members)[POLICY_NAME_SIZE];
	size_t member_count;
};

struct policy {
	uint32_t default_action; /* of calls that no rule decides */
	/* The lid: numbers above it, and those up to it that have no name, get lid_action. */
	bool has_lid;
	uint32_t lid;
	uint32_t lid_action;
	struct policy_rule *rules; /* in order */
	size_t rule_count;
	struct policy_group *groups;
	size_t group_count;
};

/** policy_free - release what @policy owns; fine on a zeroed one */
void policy_free(struct policy *policy);

/**
 * policy_add_rule - append a rule for the call @name with @action; the caller adds its tests
 *
 * Returns: the rule, valid until the next is added; NULL: out of memory, or POLICY_MAX_RULES are
 * there. A @name that is too long is no system call's: it is cut and matches none.
 */
struct policy_rule *policy_add_rule(struct policy *policy, const char *name, uint32_t action);

/* ---- names and architectures (names.c) ---- */

/** policy_native_arch - AUDIT_ARCH_* of what this program runs on */
uint32_t policy_native_arch(void);

/** policy_arch_find - AUDIT_ARCH_* for meson's cpu_family() @name, 0 where there are no policies
 * for it */
uint32_t policy_arch_find(const char *name);

/** policy_arch_twin - the 32-bit architecture that kernels of @arch run, too; 0 where there is none
 */
uint32_t policy_arch_twin(uint32_t arch);

/** policy_arch_is_32bit - are its arguments 32 bits wide? */
bool policy_arch_is_32bit(uint32_t arch);

/** policy_call_number - number of the call @name on @arch, -1 where there is none */
int policy_call_number(const char *name, uint32_t arch);

/** policy_call_exists - is there a call @name on any architecture? */
bool policy_call_exists(const char *name);

/** policy_call_name - name of @number on @arch in the POLICY_NAME_SIZE bytes at @buf, false where
 * it has none */
bool policy_call_name(uint32_t number, uint32_t arch, char buf[POLICY_NAME_SIZE]);

/* ---- one verdict (decide.c) ---- */

/** policy_test_matches - is @test true of these arguments? */
bool policy_test_matches(const struct policy_test *test, uint32_t arch, const uint64_t args[6]);

/* One call inside of a multiplexer, socketcall(2) or ipc(2). */
struct policy_subcall {
	const char *multiplexer;
	uint32_t mask, number; /* of the multiplexer's first argument */
	const char *name;      /* the call that does the same */
};

/** policy_subcalls - the list, which ends with a NULL name; empty where @arch has no multiplexers
 */
const struct policy_subcall *policy_subcalls(uint32_t arch);

/** policy_names_call - does a rule name the call @name? */
bool policy_names_call(const struct policy *policy, const char *name);

/**
 * policy_subcall_action - the verdict of a sub-call: that of its call, if that does not depend on
 * arguments, which lie in memory here and cannot be looked at; else ENOSYS
 */
uint32_t policy_subcall_action(const struct policy *policy, const struct policy_subcall *subcall);

/**
 * policy_decide - what @policy says of one call, as SECCOMP_RET_* with its data
 * @arch: the call's; foreign ones are the program's matter, not the policy's
 */
uint32_t policy_decide(const struct policy *policy, uint32_t arch, uint32_t number,
		       const uint64_t args[6]);

/* ---- text (parse.c, tokens.c, constants.c) ---- */

enum policy_flag {
	POLICY_USERNS = 1 << 0,	    /* namespaces may be made inside: "when allow-userns" */
	POLICY_SANITIZED = 1 << 1,  /* the program under the filter is built with sanitizers */
	POLICY_IGNORES_NEW = 1 << 2 /* unknown names are no error: a shipped policy may name calls
				       that an older libseccomp does not know */
};

/* A policy that others can start from with "use NAME". */
struct policy_text {
	const char *name;
	const char *text;
};

struct policy_context {
	unsigned flags;			   /* enum policy_flag */
	const struct policy_text *shipped; /* ends with a NULL name */
};

/* Where a text is wrong. */
struct policy_error {
	char file[POLICY_NAME_SIZE]; /* "" for the text itself, else the shipped policy it uses */
	unsigned line;		     /* 1 is the first */
	char token[64];	    /* the word that is wrong, cut to fit; "" at the end of a line */
	const char *reason; /* static string */
};

/** policy_constant - value of a name of the kernel's headers that policies may use; -EINVAL for
 * another
 */
must_check int policy_constant(const char *name, uint64_t *ret_value);

/** policy_errno - number of an errno's name, or of decimal digits; -EINVAL where there is none */
must_check int policy_errno(const char *name, uint32_t *ret_number);

enum policy_token_type {
	POLICY_WORD,	 /* a name, number or @group */
	POLICY_OPERATOR, /* == != < <= > >= & | : */
	POLICY_END	 /* of a statement */
};

struct policy_token {
	enum policy_token_type type;
	unsigned line;
	char text[POLICY_TOKEN_SIZE]; /* cut to fit */
	bool is_cut;
};

/**
 * policy_tokens - cut @text into tokens; the last one, if any, is an END
 * @ret_tokens: to be freed
 *
 * Returns: 0, -EINVAL with @err filled where a character belongs to no token, or -ENOMEM.
 */
must_check int policy_tokens(const char *text, struct policy_token **ret_tokens, size_t *ret_count,
			     struct policy_error *err);

/**
 * policy_parse - read @text and append to @policy what it says
 * @policy: zeroed with POLICY_EMPTY, or holding what an earlier text said
 * @text: see cloche-policy(5); not trusted
 *
 * Returns: 0, -EINVAL with @err filled, or -ENOMEM.
 */
must_check int policy_parse(struct policy *policy, const char *text,
			    const struct policy_context *context, struct policy_error *err);

/* Allows everything. */
#define POLICY_EMPTY ((struct policy){ .default_action = SECCOMP_RET_ALLOW })

/* ---- programs (emit.c, run.c) ---- */

#define POLICY_X32_BIT 0x40000000u /* numbers from here on are the x32 ABI's, on x86_64 */

struct policy_program {
	struct sock_filter *filter; /* to be freed */
	size_t count;
	size_t native_count; /* the last so many instructions are a whole program without the twin
			      */
};

/**
 * policy_emit - make the BPF program of @policy
 * @arch: the native architecture
 * @twin: a second one under the same rules, 0: none; every other architecture is killed
 *
 * Returns: 0, -E2BIG where it would be longer than the kernel takes, or -ENOMEM.
 */
must_check int policy_emit(const struct policy *policy, uint32_t arch, uint32_t twin,
			   struct policy_program *ret_program);

/** policy_run - the verdict of a program, which policy_emit() made, for one call: an interpreter
 * for checks and tests */
uint32_t policy_run(const struct sock_filter *filter, size_t count,
		    const struct seccomp_data *call);
