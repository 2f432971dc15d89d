/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * cloche-policy: compiles seccomp policies for cloche, which does not link libseccomp.
 *
 *	cloche-policy compile   request on standard input, answer on standard output (request.h)
 *	cloche-policy dump      a program on standard input, its text on standard output
 *
 * It is started by cloche with no environment and no other descriptor, and limits itself before it
 * reads the first byte. The texts of a request are not trusted.
 */
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/fd.h"
#include "base/num.h"
#include "base/str.h"
#include "policy/dump.h"
#include "policy/oci.h"
#include "policy/policy.h"
#include "policy/request.h"
#include "shipped-texts.h"

#define MAX_REQUEST (1u << 20)

static void limit(int resource, rlim_t value)
{
	const struct rlimit limit = { value, value };

	(void)setrlimit(resource, &limit);
}

static void limit_myself(void)
{
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
#if !defined(__SANITIZE_ADDRESS__) /* it needs terabytes of addresses */
	limit(RLIMIT_AS, 256u << 20);
#endif
	limit(RLIMIT_CPU, 10);
	limit(RLIMIT_FSIZE, 1u << 20);
	limit(RLIMIT_NOFILE, 16);
	limit(RLIMIT_CORE, 0);
}

/* ---- the request ---- */

/* Takes "NAME TEXT\n". */
static int take_word(char **rest, const char *name, char **ret_word)
{
	char *line = *rest, *end = strchr(line, '\n');
	size_t length = strlen(name);

	if (!end || strncmp(line, name, length) != 0 || line[length] != ' ')
		return -EINVAL;
	*end = '\0';
	*rest = end + 1;
	*ret_word = line + length + 1;
	return 0;
}

/* Takes "NAME NUMBER\n". */
static int take_number(char **rest, const char *name, uint64_t max, uint64_t *ret_number)
{
	char *word;
	int r = take_word(rest, name, &word);

	return r < 0 ? r : num_parse(word, max, ret_number);
}

static int take_text(char **rest, char **ret_text)
{
	uint64_t length;
	int r = take_number(rest, "text", strlen(*rest), &length);

	if (r < 0 || length >= strlen(*rest) || (*rest)[length] != '\n')
		return -EINVAL;
	(*rest)[length] = '\0';
	*ret_text = *rest;
	*rest += length + 1;
	return 0;
}

/* The number that @text begins with; what follows its dot is left. */
static unsigned leading_number(char **text)
{
	uint64_t number = 0;
	char *word = *text;
	size_t length = strspn(word, "0123456789");

	*text += length + (word[length] == '.');
	word[length] = '\0';
	return num_parse(word, UINT16_MAX, &number) < 0 ? 0 : (unsigned)number;
}

static int take_host(char **rest, struct oci_host *ret_host)
{
	uint64_t caps = 0;
	char *release;
	int r = take_number(rest, "caps", UINT64_MAX, &caps);

	if (r == 0)
		r = take_word(rest, "kernel", &release);
	if (r != 0)
		return r;
	*ret_host = (struct oci_host){ .arch = policy_native_arch(), .caps = caps };
	ret_host->major = leading_number(&release);
	ret_host->minor = leading_number(&release);
	return 0;
}

/* ---- compiling ---- */

static int answer_error(size_t index, const struct policy_error *err)
{
	printf("%zu\n%u\n%s\n%s\n%s\n", index, err->line, err->file, err->token, err->reason);
	return POLICY_STATUS_TEXT;
}

static uint32_t logged(uint32_t action)
{
	return action == SECCOMP_RET_ALLOW ? action : SECCOMP_RET_LOG;
}

static void log_instead(struct policy *policy)
{
	policy->default_action = logged(policy->default_action);
	policy->lid_action = logged(policy->lid_action);
	for (size_t i = 0; i < policy->rule_count; i++)
		policy->rules[i].action = logged(policy->rules[i].action);
}

/* Without execve(2) nothing would ever start under the program. */
static bool can_execute(const struct policy_program *program)
{
	const struct seccomp_data call = {
		.nr = policy_call_number("execve", policy_native_arch()),
		.arch = policy_native_arch(),
	};
	uint32_t action = policy_run(program->filter, program->count, &call);

	return action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG;
}

static int emit(const struct policy *policy, uint64_t flags)
{
	uint32_t arch = policy_native_arch();
	uint32_t twin = flags & POLICY_REQUEST_32BIT ? policy_arch_twin(arch) : 0;
	struct policy_program program = { 0 };
	int r = policy_emit(policy, arch, twin, &program);

	if (r == -E2BIG)
		return answer_error(
			0, &(struct policy_error){ .reason = "the program would be longer than the "
							     "kernel takes (4096 instructions)" });
	if (r < 0)
		return 1;
	if (!can_execute(&program))
		return answer_error(0,
				    &(struct policy_error){
					    .token = "execve",
					    .reason = "is not allowed, so nothing could start" });
	return fd_write_all(STDOUT_FILENO, program.filter,
			    program.count * sizeof(*program.filter)) < 0;
}

static int compile(char *request)
{
	struct policy policy = POLICY_EMPTY;
	struct policy_error err = { 0 };
	struct policy_context context = { .shipped = shipped_texts };
	struct oci_host host = { 0 };
	bool has_twin = false;
	uint64_t flags;
	char *text;

	if (!str_starts(request, POLICY_REQUEST_HEAD)) {
		fputs("cloche-policy: the request is of another version of cloche\n", stderr);
		return 1;
	}
	request += strlen(POLICY_REQUEST_HEAD);
	if (take_number(&request, "flags", UINT32_MAX, &flags) < 0)
		return 1;
	context.flags = flags & POLICY_REQUEST_USERNS ? POLICY_USERNS : 0;
	if (flags & POLICY_REQUEST_JSON && take_host(&request, &host) < 0)
		return 1;
	for (size_t index = 0; *request; index++) {
		int r = take_text(&request, &text);

		if (r == 0 && index == 0 && flags & POLICY_REQUEST_JSON)
			r = oci_read(&policy, text, &host, &has_twin, &err);
		else if (r == 0)
			r = policy_parse(&policy, text, &context, &err);
		if (r < 0)
			return err.reason ? answer_error(index, &err) : 1;
	}
	if (flags & POLICY_REQUEST_LOG)
		log_instead(&policy);
	if (has_twin)
		flags |= POLICY_REQUEST_32BIT;
	return emit(&policy, flags);
}

static int act(const char *verb)
{
	char *input = NULL;
	size_t size;

	if (fd_read_all(STDIN_FILENO, MAX_REQUEST, &input, &size) < 0)
		return 1;
	if (strcmp(verb, "dump") == 0)
		return dump_program((const struct sock_filter *)(void *)input,
				    size / sizeof(struct sock_filter), stdout) < 0;
	if (strcmp(verb, "compile") != 0 || strlen(input) != size)
		return 1;
	return compile(input);
}

int main(int argc, char **argv)
{
	int status;

	limit_myself();
	status = argc == 2 ? act(argv[1]) : 1;
	if (fflush(stdout) != 0)
		status = 1;
	_exit(status); /* which frees all memory, too */
}
