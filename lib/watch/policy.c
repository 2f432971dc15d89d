/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which seccomp program is loaded. A start with a shipped policy takes one that lies in constant
 * memory: it allocates nothing and reads nothing. Everything else is compiled by the helper
 * program cloche-policy, whose answer is kept in a cache; what it is asked (policy/request.h) is
 * all that the program depends on.
 */
#include "watch/policy.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>

#include "base/fd.h"
#include "base/helper.h"
#include "base/num.h"
#include "base/str.h"
#include "policy/request.h"
#include "policy/shipped.h"
#include "watch/policy-cache.h"

#include "shipped-programs.h"

#define MAX_POLICY_FILE (256u << 10)
#define HELPER "cloche-policy"

/* ---- ready programs ---- */

static struct sock_fprog shipped_program(const char *name, bool opens_namespaces, bool allows_32bit)
{
	return shipped_find(shipped_code, shipped_rows, ARRAY_SIZE(shipped_rows), name,
			    opens_namespaces, allows_32bit);
}

/* ---- the request ---- */

/* The texts of a request, and for messages what each comes from. */
struct request {
	const struct plan *plan;
	char *text; /* allocated */
	struct request_origin {
		int use;
		const char *file; /* NULL: the option's own words */
	} * origins;
	size_t count;
};

static void request_free(struct request *request)
{
	free(request->text);
	free(request->origins);
}

static int add_text(struct request *request, const char *text, int use, const char *file,
		    struct cloche_error *err)
{
	char *longer;

	assert(text);
	longer = str_format("%stext %zu\n%s\n", request->text, strlen(text), text);

	if (!longer)
		return error_no_memory(err);
	free(request->text);
	request->text = longer;
	request->origins[request->count++] = (struct request_origin){ use, file };
	return 0;
}

/* A policy of the user's: a text has blanks or more than one statement, a file has not. */
static bool is_text(const char *name)
{
	assert(name); /* else the policy is a shipped one */
	return name[strcspn(name, " \t\n;#")] != '\0';
}

static int read_policy(const char *file, bool is_json, char **ret_text, struct cloche_error *err)
{
	_close_ int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	_free_ char *text = NULL;
	size_t size = 0;
	int r = fd < 0 ? -errno : fd_read_all(fd, MAX_POLICY_FILE, &text, &size);

	if (r == -ENOENT && !is_json)
		error_set_hint(err, HINT_POLICY_NAMES);
	if (r < 0)
		return error_set(err, ERROR_POLICY_READ, -r, file);
	assert(text);
	if (strlen(text) != size)
		return error_set_detail(err, ERROR_POLICY, 0, file, "it holds a NUL");
	*ret_text = take_ptr(text);
	return 0;
}

static int add_file(struct request *request, const struct spec_string *file, bool is_json,
		    struct cloche_error *err)
{
	_free_ char *text = NULL;
	int r = read_policy(file->text, is_json, &text, err);

	return r == 0 ? add_text(request, text, file->use, file->text, err) : r;
}

static int add_shipped(struct request *request, const char *name, int use, struct cloche_error *err)
{
	_free_ char *text = str_format("use %s", name);

	return text ? add_text(request, text, use, NULL, err) : error_no_memory(err);
}

static int add_base(struct request *request, struct cloche_error *err)
{
	const struct plan_policy *plan = &request->plan->policy;
	const struct spec_string *name = &request->plan->spec->policy.name,
				 *json = &request->plan->spec->policy.json;
	int r;

	err->use = plan->is_json ? json->use : name->text ? name->use : -1;
	if (plan->is_json)
		r = add_file(request, json, true, err);
	else if (plan->shipped)
		r = add_shipped(request, plan->shipped, err->use, err);
	else if (is_text(name->text))
		r = add_text(request, name->text, name->use, NULL, err);
	else
		r = add_file(request, name, false, err);
	if (r == 0)
		err->use = -1;
	return r;
}

static int add_change(struct request *request, const struct syscall_change *change,
		      struct cloche_error *err)
{
	_free_ char *text = change->errnum ? str_format("errno %s %s", change->errnum, change->list)
					   : str_format("allow %s", change->list);

	if (!text)
		return error_no_memory(err);
	for (char *c = text; *c; c++)
		if (*c == ',')
			*c = ' ';
	return add_text(request, text, change->use, NULL, err);
}

/* What the conditions of a profile are about; for others nothing, so that they stay cached. */
static char *request_host(const struct plan *plan)
{
	struct utsname uts;

	if (!plan->policy.is_json)
		return strdup("");
	if (uname(&uts) < 0)
		return NULL;
	return str_format("caps %" PRIu64 "\nkernel %s\n", plan->keep_caps, uts.release);
}

static int make_request(struct request *request, struct cloche_error *err)
{
	const struct plan *plan = request->plan;
	const struct spec_policy *spec = &plan->spec->policy;
	int flags = (plan->policy.opens_namespaces ? POLICY_REQUEST_USERNS : 0) |
		    (plan->policy.allows_32bit ? POLICY_REQUEST_32BIT : 0) |
		    (spec->log == SECCOMP_LOG_ALLOW ? POLICY_REQUEST_LOG : 0) |
		    (plan->policy.is_json ? POLICY_REQUEST_JSON : 0);
	_free_ char *host = request_host(plan);
	int r;

	request->origins = calloc(spec->change_count + 2, sizeof(*request->origins));
	request->text = host ? str_format(POLICY_REQUEST_HEAD "flags %d\n%s", flags, host) : NULL;
	if (!request->origins || !request->text)
		return error_no_memory(err);
	r = add_base(request, err);
	for (size_t i = 0; r == 0 && i < spec->change_count; i++)
		r = add_change(request, &spec->changes[i], err);
	if (r == 0 && spec_flag(plan->spec, FLAG_NO_SUID_CREATE))
		r = add_text(request, "use no-suid", plan->spec->flag_use[FLAG_NO_SUID_CREATE],
			     NULL, err);
	return r;
}

/* ---- the helper ---- */

static int helper_error(int errnum, struct cloche_error *err)
{
	if (errnum == ENOENT)
		error_set_hint(err, HINT_POLICY_HELPER);
	return error_set(err, ERROR_POLICY_HELPER, errnum, NULL);
}

/* Its status, or -errno with @err filled. */
static int run_helper(const char *verb, int in_fd, int out_fd, struct cloche_error *err)
{
	char path[PATH_MAX], name[] = HELPER, word[16];
	char *const argv[] = { name, word, NULL }, *const environment[] = { NULL };
	struct helper helper = {
		.path = path,
		.argv = argv,
		.environ = environment,
		.fds = { in_fd, out_fd, STDERR_FILENO },
	};
	int r = helper_find(HELPER, path);

	str_copy(word, sizeof(word), verb);
	if (r == 0)
		r = helper_start(&helper);
	if (r >= 0)
		r = helper_wait(r);
	return r < 0 ? helper_error(-r, err) : r;
}

static int memory_with(const void *data, size_t size, struct cloche_error *err)
{
	_close_ int fd = memfd_create(HELPER, MFD_CLOEXEC);
	int r = fd < 0 ? -errno : fd_write_all(fd, data, size);

	if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	return r < 0 ? helper_error(-r, err) : take_fd(&fd);
}

/* One line of the answer, without its end. */
static const char *take_line(char **rest)
{
	char *line = *rest ? strsep(rest, "\n") : NULL;

	return line ? line : "";
}

/* The place as "FILE:LINE", what is wrong there as the detail. */
static int tell_error(const struct request *request, char *answer, struct cloche_error *err)
{
	char place[512], reason[256];
	struct str_buf at = { .data = place, .size = sizeof(place) };
	struct str_buf why = { .data = reason, .size = sizeof(reason) };
	const struct request_origin *origin;
	const char *line, *file, *token;
	uint64_t index;

	if (num_parse(take_line(&answer), request->count - 1, &index) < 0)
		return helper_error(EPROTO, err);
	line = take_line(&answer);
	file = take_line(&answer);
	token = take_line(&answer);
	origin = &request->origins[index];
	place[0] = reason[0] = '\0';
	str_add(&at, *file ? file : origin->file ? origin->file : "the policy");
	if (strcmp(line, "0") != 0) {
		str_add_char(&at, ':');
		str_add(&at, line);
	}
	if (*token) {
		str_add(&why, "'");
		str_add(&why, token);
		str_add(&why, "' ");
	}
	str_add(&why, take_line(&answer));
	err->use = origin->use;
	return error_set_detail(err, ERROR_POLICY, 0, place, reason);
}

/* Reads the answer in @fd. */
static int take_answer(const struct request *request, int fd, int status,
		       struct sock_fprog *ret_program, struct cloche_error *err)
{
	_free_ char *answer = NULL;
	size_t size = 0;
	int r = lseek(fd, 0, SEEK_SET) < 0 ? -errno : fd_read_all(fd, 1u << 20, &answer, &size);

	if (r < 0)
		return helper_error(-r, err);
	if (status == POLICY_STATUS_TEXT)
		return tell_error(request, answer, err);
	if (status != 0 || !size || size % sizeof(struct sock_filter) ||
	    size / sizeof(struct sock_filter) > BPF_MAXINSNS)
		return helper_error(EPROTO, err);
	*ret_program = (struct sock_fprog){
		.len = (unsigned short)(size / sizeof(struct sock_filter)),
		.filter = (struct sock_filter *)(void *)take_ptr(answer),
	};
	return 0;
}

static int compile(const struct request *request, struct sock_fprog *ret_program,
		   struct cloche_error *err)
{
	const char *text = request->text ? request->text : "";
	_close_ int in_fd = memory_with(text, strlen(text), err);
	_close_ int out_fd = in_fd < 0 ? -EBADF : memory_with("", 0, err);
	int status;

	if (out_fd < 0)
		return in_fd < 0 ? in_fd : out_fd;
	status = run_helper("compile", in_fd, out_fd, err);
	return status < 0 ? status : take_answer(request, out_fd, status, ret_program, err);
}

static int find_or_compile(const struct request *request, const struct facts *facts,
			   struct sock_fprog *ret_program, struct cloche_error *err)
{
	_close_ int dir_fd = policy_cache_open(facts);
	int r;

	if (dir_fd >= 0 && policy_cache_get(dir_fd, request->text, ret_program) == 0)
		return 0;
	r = compile(request, ret_program, err);
	if (r == 0 && dir_fd >= 0)
		policy_cache_put(dir_fd, request->text, ret_program);
	return r;
}

/* With the 32-bit twin: whether 32-bit programs may run at all is the policy's to say. */
static void prepare_guards(struct enter *enter)
{
	static const struct {
		enum landlock_guard guard;
		const char *name;
	} guards[GUARD_MAX] = {
		{ GUARD_TCP, "guard-tcp" },
		{ GUARD_NET, "guard-net" },
		{ GUARD_UNIX, "guard-unix" },
	};

	for (size_t i = 0; i < GUARD_MAX; i++)
		if (enter->plan->landlock.guards & guards[i].guard)
			enter->guards[enter->guard_count++] =
				shipped_program(guards[i].name, false, true);
}

int policy_prepare(struct enter *enter, struct cloche_error *err)
{
	const struct plan_policy *policy = &enter->plan->policy;
	struct request request = { .plan = enter->plan };
	int r;

	if (policy->confines_init)
		enter->init_policy = shipped_program("init", false, false);
	prepare_guards(enter);
	enter->logs_denied = enter->plan->spec->policy.log == SECCOMP_LOG_DENIED;
	if (policy->is_off)
		return 0;
	if (!policy->is_compiled) {
		enter->policy = shipped_program(policy->shipped, policy->opens_namespaces,
						policy->allows_32bit);
		return 0;
	}
	r = make_request(&request, err);
	if (r == 0)
		r = find_or_compile(&request, enter->facts, &enter->policy, err);
	enter->policy_is_owned = r == 0;
	request_free(&request);
	return r;
}

int policy_dump(const struct plan *plan, const struct facts *facts, struct cloche_error *err)
{
	struct enter enter = { .plan = plan, .facts = facts };
	_close_ int in_fd = -EBADF;
	int r = policy_prepare(&enter, err);

	if (r < 0)
		return r;
	in_fd = memory_with(enter.policy.filter, enter.policy.len * sizeof(struct sock_filter),
			    err);
	r = in_fd < 0 ? in_fd : run_helper("dump", in_fd, STDOUT_FILENO, err);
	free(enter.policy_is_owned ? enter.policy.filter : NULL);
	return r > 0 ? helper_error(EPROTO, err) : r;
}
