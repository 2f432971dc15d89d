/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Starting cloche-net, and listening to it. It gets the options as they were typed, and the
 * namespaces as descriptors.
 */
#include "watch/net.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/helper.h"
#include "base/jsonw.h"
#include "netconf/message.h"
#include "spec/report.h"
#include "watch/status.h"

#define HELPER "cloche-net"
#define END_MS 1000

static int failed(int errnum, struct cloche_error *err)
{
	return error_set(err, ERROR_PIPE, errnum, "a pipe");
}

int net_prepare(struct net_run *net, struct enter *enter, struct cloche_error *err)
{
	int mapped[2], go[2];

	if (pipe2(mapped, O_CLOEXEC) < 0)
		return failed(errno, err);
	net->mapped_fd = mapped[0];
	enter->net_mapped_fd = mapped[1];
	if (pipe2(go, O_CLOEXEC) < 0)
		return failed(errno, err);
	enter->net_go_fd = go[0];
	net->go_fd = go[1];
	return 0;
}

/* ---- words ---- */

#define FIXED_WORDS 9 /* besides two for each option, and the end */

struct words {
	char **list; /* NULL-terminated; owned, and so are the words; NULL: out of memory */
	size_t count;
	bool failed;
};

static struct words new_words(const struct plan *plan)
{
	struct words words = { .list = calloc(FIXED_WORDS + 2 * plan->spec->use_count + 1,
					      sizeof(char *)) };

	words.failed = !words.list;
	return words;
}

static void add_word(struct words *words, char *word)
{
	words->failed = words->failed || !word;
	if (words->failed)
		free(word);
	else
		words->list[words->count++] = word;
}

static void free_words(struct words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->list[i]);
	free(words->list);
}

#define LOG_FD 6

/* The options, in order; the descriptor of --net-log has another number there. */
static void add_options(struct words *words, const struct plan *plan)
{
	const struct net_config *config = &plan->net.config;
	const struct spec *spec = plan->spec;
	char text[NET_ADDR_TEXT];

	add_word(words, str_format("v6=%s", plan->net.layout.v6.addr.family ? "on" : "off"));
	for (size_t i = 0; i < spec->use_count; i++) {
		const struct option_use *use = &spec->uses[i];
		const char *value = use->row->arg_count ? use->arg[0] : "";

		if (!use->is_for_net)
			continue;
		add_word(words, str_format("use=%zu", i));
		if ((int)i == config->log_use && config->log_fd >= 0)
			add_word(words, str_format("%s=%d", use->row->name, LOG_FD));
		else
			add_word(words, str_format("%s=%s", use->row->name, value));
	}
	add_word(words, str_format("net-cidr=%s", net_prefix_text(&plan->net.cidr, text)));
}

static int find_helper(const struct plan *plan, char path[PATH_MAX], struct cloche_error *err)
{
	int r = helper_find(HELPER, path);

	if (r == 0)
		return 0;
	error_set_hint(err, HINT_NET_HELPER);
	err->use = plan->spec->net.on.use;
	return error_set(err, ERROR_NET_HELPER, -r, HELPER);
}

/* ---- start ---- */

static int open_namespace(pid_t pid, const char *name)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

int net_start(struct net_run *net, const struct plan *plan, pid_t pid, struct cloche_error *err)
{
	_close_ int user_fd = open_namespace(pid, "user"), net_fd = open_namespace(pid, "net");
	const int open_errnum = user_fd < 0 || net_fd < 0 ? errno : 0;
	const int log_fd = plan->net.config.log_fd;
	const int more[] = { user_fd, net_fd, net->mapped_fd, log_fd };
	struct words words;
	struct helper helper = { .fds = { -1, -1, STDERR_FILENO },
				 .more_fds = more,
				 .more_count = log_fd < 0 ? 3 : 4 };
	char path[PATH_MAX], *none[] = { NULL };
	int pair[2], r = find_helper(plan, path, err);

	if (r < 0)
		return r;
	if (open_errnum == ENOENT || open_errnum == ESRCH)
		return 0; /* the child has ended, and has told why */
	if (open_errnum)
		return error_set(err, ERROR_NET_SETUP, open_errnum, "the sandbox's namespaces");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return failed(errno, err);
	net->control_fd = pair[0];
	helper.fds[0] = pair[1];
	words = new_words(plan);
	add_word(&words, strdup(HELPER));
	add_word(&words, strdup("run"));
	add_word(&words, strdup("user-ns=3"));
	add_word(&words, strdup("net-ns=4"));
	add_word(&words, strdup("wait=5"));
	if (plan->spec->name.text || plan->spec->control_fd.fd >= 0)
		add_word(&words, strdup("late=on"));
	add_options(&words, plan);
	helper.path = path;
	helper.argv = words.list;
	helper.environ = none;
	r = words.failed ? error_no_memory(err) : helper_start(&helper);
	if (r > 0)
		net->pid = r;
	else if (!words.failed)
		r = error_set(err, ERROR_NET_HELPER, -r, HELPER);
	free_words(&words);
	close_pointer(&helper.fds[0]);
	close_pointer(&net->mapped_fd);
	net->mapped_fd = -EBADF;
	return r < 0 ? r : 0;
}

/* ---- messages ---- */

static void add_published(const struct net_msg *msg, char *text, size_t size)
{
	char address[NET_ADDR_TEXT];
	struct str_buf out = { .data = text, .size = size, .length = strlen(text) };

	str_add(&out, out.length ? ", { " : "{ ");
	str_add(&out, msg->proto == NET_UDP ? "\"proto\": \"udp\"" : "\"proto\": \"tcp\"");
	if (msg->source.addr.family) {
		str_add(&out, ", \"address\": ");
		jsonw_string(&out, net_addr_text(&msg->source.addr, address));
		str_add(&out, ", \"port\": ");
		str_add_number(&out, msg->source.port);
	}
	str_add(&out, ", \"inside\": ");
	str_add_number(&out, msg->dest.port);
	str_add(&out, " }");
}

static int setup_error(const struct plan *plan, const struct net_msg *msg, struct cloche_error *err)
{
	bool is_option = msg->use > 0 || (msg->use == 0 && plan->spec->net.option.is_set);
	const char *name = NULL;

	err->stage = STAGE_NETWORK;
	err->use = is_option ? msg->use : plan->spec->net.on.use;
	if (is_option && (size_t)msg->use < plan->spec->use_count)
		name = plan->spec->uses[msg->use].row->name;
	if (name && strcmp(name, "publish") == 0) {
		if (msg->status == EADDRINUSE)
			error_set_hint(err, HINT_NET_TAKEN);
		return error_set(err, ERROR_NET_PUBLISH, msg->status, msg->name);
	}
	if (msg->status == EPERM || msg->status == EACCES || msg->status == EAFNOSUPPORT)
		error_set_hint(err, HINT_NET_NESTED);
	return error_set(err, ERROR_NET_SETUP, msg->status, msg->name);
}

static int died(struct net_run *net, const struct plan *plan, const char *who,
		struct cloche_error *err)
{
	struct cloche_error warning = ERROR_INIT;

	close_pointer(&net->control_fd);
	net->control_fd = -EBADF;
	net->has_failed = true;
	err->stage = STAGE_NETWORK;
	if (!plan->net.config.fails_closed || net->go_fd >= 0)
		return error_set(err, ERROR_NET_DIED, 0, who);
	(void)error_set(&warning, ERROR_NET_GONE, 0, who);
	report_message(plan->spec, &warning, REPORT_WARNING);
	return 0;
}

int net_follow(struct net_run *net, const struct plan *plan, struct cloche_error *err)
{
	struct net_msg msg;
	ssize_t got = recv(net->control_fd, &msg, sizeof(msg), 0);

	if (got != (ssize_t)sizeof(msg))
		return died(net, plan, HELPER, err);
	msg.name[sizeof(msg.name) - 1] = '\0';
	switch (msg.type) {
	case MSG_LISTENING:
		add_published(&msg, net->published, sizeof(net->published));
		net->published_count++;
		return 0;
	case MSG_READY:
		report_note(plan->spec, msg.name);
		if (net->published_count)
			status_published(plan->spec, net->published);
		ignore(write(net->go_fd, "", 1)); /* if the child is dead we shall learn it */
		close_pointer(&net->go_fd);
		net->go_fd = -EBADF;
		return 0;
	case MSG_FAILED:
		return setup_error(plan, &msg, err);
	default:
		return died(net, plan, msg.name, err);
	}
}

/* ---- changes ---- */

#define CHANGE_MS 5000

/* Its answer; what else there may be waits for net_follow(). */
static int wait_for_change(const struct net_run *net, char *published, size_t size,
			   struct net_msg *ret_answer)
{
	struct pollfd answer = { .fd = net->control_fd, .events = POLLIN };

	while (poll(&answer, 1, CHANGE_MS) > 0) {
		struct net_msg msg;

		if (recv(net->control_fd, &msg, sizeof(msg), MSG_PEEK) != (ssize_t)sizeof(msg) ||
		    (msg.type != MSG_LISTENING && msg.type != MSG_CHANGED))
			return -ENETDOWN;
		ignore(recv(net->control_fd, &msg, sizeof(msg), 0));
		if (msg.type == MSG_LISTENING) {
			add_published(&msg, published, size);
			continue;
		}
		msg.name[sizeof(msg.name) - 1] = '\0';
		*ret_answer = msg;
		return 0;
	}
	return -ETIMEDOUT;
}

int net_change(const struct net_run *net, const struct option_use *use, bool ends, char *published,
	       size_t size, struct cloche_error *err)
{
	bool publishes = strcmp(use->row->name, "publish") == 0;
	struct net_msg msg = { .type = publishes ? MSG_PUBLISH : MSG_RULE,
			       .flag = publishes ? ends
						 : strcmp(use->row->name, "net-allow") == 0 };
	int r = -ENETDOWN;

	err->stage = STAGE_NETWORK;
	if (strlen(use->arg[0]) >= sizeof(msg.name))
		return error_set(err, ERROR_NET_SETUP, ENAMETOOLONG, use->arg[0]);
	str_copy(msg.name, sizeof(msg.name), use->arg[0]);
	if (net->control_fd < 0 || net->has_failed || net->go_fd >= 0) {
		error_set_hint(err, HINT_NO_NET);
		return error_set(err, ERROR_NET_SETUP, ENETDOWN, "--net");
	}
	if (send(net->control_fd, &msg, sizeof(msg), MSG_NOSIGNAL) == (ssize_t)sizeof(msg))
		r = wait_for_change(net, published, size, &msg);
	if (r == 0)
		r = -msg.status;
	if (r == -EADDRINUSE)
		error_set_hint(err, HINT_NET_TAKEN);
	if (r < 0)
		return error_set(err, publishes ? ERROR_NET_PUBLISH : ERROR_NET_SETUP, -r,
				 msg.name[0] ? msg.name : use->arg[0]);
	return 0;
}

/* ---- the end ---- */

void net_end(struct net_run *net, const struct plan *plan, struct usage *usage)
{
	struct pollfd answer = { .fd = net->control_fd, .events = POLLIN };
	struct net_msg msg = { .type = MSG_END };

	if (net->control_fd >= 0 && !net->has_failed && net->go_fd < 0 &&
	    send(net->control_fd, &msg, sizeof(msg), MSG_NOSIGNAL) > 0) {
		while (poll(&answer, 1, END_MS) > 0 &&
		       recv(net->control_fd, &msg, sizeof(msg), 0) == (ssize_t)sizeof(msg) &&
		       msg.type != MSG_END)
			;
		if (msg.type == MSG_END) {
			usage->net_sent = (struct usage_number){ true, msg.sent };
			usage->net_received = (struct usage_number){ true, msg.received };
			status_network(plan->spec, msg.sent, msg.received);
		}
	}
	if (net->pid > 0)
		(void)kill(net->pid, SIGKILL); /* it is our child, and not waited for yet */
	close_pointer(&net->control_fd);
	close_pointer(&net->go_fd);
}

/* ---- --explain ---- */

#define PROBE_MAX 4096

void net_probe(const struct plan *plan, struct facts *facts)
{
	struct cloche_error ignored = ERROR_INIT;
	char path[PATH_MAX], *none[] = { NULL };
	struct words words = new_words(plan);
	struct helper helper = { .path = path, .environ = none, .fds = { -1, -1, STDERR_FILENO } };
	_close_ int out = -EBADF;
	int fds[2];
	size_t size;
	pid_t pid;

	if (find_helper(plan, path, &ignored) < 0 || pipe2(fds, O_CLOEXEC) < 0)
		return;
	out = fds[0];
	helper.fds[1] = fds[1];
	add_word(&words, strdup(HELPER));
	add_word(&words, strdup("probe"));
	add_options(&words, plan);
	helper.argv = words.list;
	pid = words.failed ? -ENOMEM : helper_start(&helper);
	(void)close(fds[1]);
	free_words(&words);
	if (pid < 0)
		return;
	ignore(fd_read_all(out, PROBE_MAX, &facts->net.probe, &size)); /* then it stays unknown */
	ignore(helper_wait(pid));
}
