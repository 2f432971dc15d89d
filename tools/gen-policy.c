/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Compiles the shipped policies at build time.
 *
 *	gen-policy programs CPU_FAMILY SANITIZED NAME=FILE...   a header with BPF programs
 *(shipped.c) gen-policy texts NAME=FILE...                           a header with their texts
 *(cloche-policy)
 *
 * A policy has up to four programs: with and without namespaces inside, and each with and without
 * the 32-bit twin, where both are one array (emit.c). All programs lie in one array without
 * pointers, so that nothing is relocated at a start and only what is used is read.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "policy/policy.h"

#define MAX_POLICIES 16

static int read_texts(char **words, struct policy_text texts[MAX_POLICIES])
{
	size_t count = 0, size;

	for (; *words; words++) {
		char *file = strchr(*words, '=');
		char *text = NULL;
		_close_ int fd = file ? open(file + 1, O_RDONLY | O_CLOEXEC) : -EBADF;

		if (fd < 0 || fd_read_all(fd, POLICY_MAX_TEXT, &text, &size) < 0 ||
		    count == MAX_POLICIES - 1) {
			fprintf(stderr, "gen-policy: cannot read %s\n", *words);
			return -EINVAL;
		}
		*file = '\0';
		texts[count++] = (struct policy_text){ *words, text };
	}
	return 0;
}

/* ---- texts ---- */

/* What stands in the key of cached programs: FNV-1a of all texts. */
static uint64_t hash_texts(const struct policy_text *texts)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (; texts->name; texts++)
		for (const char *c = texts->text; *c; c++)
			hash = (hash ^ (unsigned char)*c) * 0x100000001b3;
	return hash;
}

static void print_hash(const struct policy_text *texts)
{
	printf("\n#define SHIPPED_HASH \"%016llx\"\n", (unsigned long long)hash_texts(texts));
}

static void print_string(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		if (*text == '\n')
			fputs("\\n\"\n\t\"", stdout);
		else if (*text == '"' || *text == '\\')
			printf("\\%c", *text);
		else
			putchar(*text);
	}
	putchar('"');
}

static void print_texts(const struct policy_text *all)
{
	const struct policy_text *texts = all;

	puts("static const struct policy_text shipped_texts[] = {");
	for (; texts->name; texts++) {
		printf("\t{ \"%s\", ", texts->name);
		print_string(texts->text);
		puts(" },");
	}
	puts("\t{ NULL, NULL },\n};");
	print_hash(all);
}

/* ---- programs ---- */

struct program_row {
	char name[POLICY_NAME_SIZE];
	size_t first[2], count[2], native_count[2]; /* [1]: with namespaces inside */
};

struct programs {
	const struct policy_text *texts;
	uint32_t arch;
	unsigned flags;
	size_t instruction_count;
	struct program_row rows[MAX_POLICIES];
	size_t row_count;
};

static int print_program(struct programs *programs, const struct policy_text *text,
			 struct program_row *row, int variant)
{
	const struct policy_context context = {
		.flags = programs->flags | (variant ? POLICY_USERNS : 0) | POLICY_IGNORES_NEW,
		.shipped = programs->texts,
	};
	struct policy policy = POLICY_EMPTY;
	struct policy_program program = { 0 };
	struct policy_error err = { 0 };
	int r = policy_parse(&policy, text->text, &context, &err);

	if (r == -EINVAL)
		fprintf(stderr, "policy/%s.policy:%u: '%s': %s\n",
			err.file[0] ? err.file : text->name, err.line, err.token, err.reason);
	if (r == 0)
		r = policy_emit(&policy, programs->arch, policy_arch_twin(programs->arch),
				&program);
	row->first[variant] = programs->instruction_count;
	row->count[variant] = program.count;
	row->native_count[variant] = program.native_count;
	programs->instruction_count += program.count;
	for (size_t i = 0; i < program.count; i++)
		printf("\t{ 0x%02x, %u, %u, 0x%x },\n", program.filter[i].code,
		       program.filter[i].jt, program.filter[i].jf, program.filter[i].k);
	free(program.filter);
	policy_free(&policy);
	return r;
}

static int print_programs(struct programs *programs)
{
	int r = 0;

	puts("static const struct sock_filter shipped_code[] = {");
	for (const struct policy_text *text = programs->texts; r == 0 && text->name; text++) {
		struct program_row *row = &programs->rows[programs->row_count];

		if (strcmp(text->name, "groups") == 0 || strcmp(text->name, "none") == 0 ||
		    strcmp(text->name, "no-suid") == 0 || strcmp(text->name, "common") == 0)
			continue; /* only for others to use */
		programs->row_count++;
		(void)snprintf(row->name, sizeof(row->name), "%s", text->name);
		for (int variant = 0; r == 0 && variant < 2; variant++)
			r = print_program(programs, text, row, variant);
	}
	puts("};\n\nstatic const struct shipped_row shipped_rows[] = {");
	for (size_t i = 0; i < programs->row_count; i++) {
		const struct program_row *row = &programs->rows[i];

		printf("\t{ \"%s\", { { %zu, %zu, %zu }, { %zu, %zu, %zu } } },\n", row->name,
		       row->first[0], row->count[0], row->native_count[0], row->first[1],
		       row->count[1], row->native_count[1]);
	}
	puts("};");
	print_hash(programs->texts);
	return r;
}

static int generate(int argc, char **argv, struct policy_text texts[MAX_POLICIES])
{
	struct programs programs = { .texts = texts };

	puts("/* Generated by gen-policy from policy/. */");
	if (argc > 2 && strcmp(argv[1], "texts") == 0) {
		if (read_texts(argv + 2, texts) < 0)
			return 1;
		print_texts(texts);
		return 0;
	}
	if (argc < 5 || strcmp(argv[1], "programs") != 0 || read_texts(argv + 4, texts) < 0)
		return 1;
	programs.arch = policy_arch_find(argv[2]);
	programs.flags = strcmp(argv[3], "sanitized") == 0 ? POLICY_SANITIZED : 0;
	if (!programs.arch) {
		fprintf(stderr, "gen-policy: no policies for this architecture yet: %s\n", argv[2]);
		return 1;
	}
	return print_programs(&programs) < 0;
}

int main(int argc, char **argv)
{
	struct policy_text texts[MAX_POLICIES] = { 0 };
	int status = generate(argc, argv, texts);

	for (size_t i = 0; i < MAX_POLICIES; i++)
		free((char *)(uintptr_t)texts[i].text);
	return status;
}
