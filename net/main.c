/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * cloche-net: the network of one sandbox. Started by cloche with a socket to it as descriptor 0,
 * and with words NAME=VALUE: the options, and what cloche decided.
 *
 *	cloche-net run user-ns=FD net-ns=FD wait=FD v6=on|off use=N NAME=VALUE...
 *	cloche-net probe v6=on|off use=N NAME=VALUE...	tells what there would be, and ends
 *
 * It opens what is the host's with the caller's rights, forks the four processes that do the work
 * (engine.h), each of which jails itself before it reads anything hostile, and then only waits: for
 * the end, for the death of one of them, for a change of resolv.conf. It reads nothing from inside.
 */
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/fd.h"
#include "base/num.h"
#include "base/process.h"
#include "net/capture.h"
#include "net/jail.h"
#include "net/main.h"
#include "net/netlink.h"

#define CONTROL_FD 0
#define TUN "/dev/net/tun"
#define LAST_WORDS_MS 500

enum child {
	CHILD_ENGINE,
	CHILD_SLIRP,
	CHILD_BROKER,
	CHILD_FACTORY,
	CHILD_COUNT
};

static const char *const child_names[CHILD_COUNT] = { "net-engine", "net-slirp", "net-broker",
						      "net-factory" };

struct net {
	struct net_config config;
	int user_ns, net_ns, wait_fd; /* -1: none */
	bool has_v6;
	int use; /* index of the option that the next word is about */
	struct setup setup;
	struct net_totals *totals;
	struct published_list published;
	int log_fd, capture_fd, address_fd, inotify_fd;
	bool has_factory;
	/* Pairs: [0] the broker's end, [1] the other's */
	int main_pair[2], engine_pair[2], slirp_pair[2], factory_pair[2], setup_pair[2];
	pid_t pids[CHILD_COUNT];
};

static _Noreturn void fail(int status, const char *what, int use)
{
	struct net_msg msg = { .type = MSG_FAILED, .status = status, .use = use };

	str_copy(msg.name, sizeof(msg.name), what);
	ignore(net_send_wait(CONTROL_FD, &msg, NULL, 0,
			     NULL)); /* if nobody is there, nobody cares */
	_exit(1);
}

/* ---- words ---- */

static int read_word(struct net *net, const char *word)
{
	const char *value = strchr(word, '='), *what = NULL;
	const struct {
		const char *name;
		int *place;
	} numbers[] = { { "user-ns", &net->user_ns },
			{ "net-ns", &net->net_ns },
			{ "wait", &net->wait_fd },
			{ "use", &net->use } };
	_free_ char *name = value ? strndup(word, (size_t)(value - word)) : NULL;
	uint64_t number;

	if (!name)
		return -EINVAL;
	value++;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		if (strcmp(name, numbers[i].name) != 0)
			continue;
		if (num_parse(value, INT32_MAX, &number) < 0)
			return -EINVAL;
		*numbers[i].place = (int)number;
		return 0;
	}
	if (strcmp(name, "late") == 0) {
		net->config.publish_later = true;
		return 0;
	}
	if (strcmp(name, "v6") == 0) {
		net->has_v6 = strcmp(value, "on") == 0;
		return 0;
	}
	return net_config_add(&net->config, name, value, net->use, &what);
}

static int read_words(struct net *net, char **words)
{
	int r = 0;

	net_config_init(&net->config);
	net->user_ns = net->net_ns = net->wait_fd = -EBADF;
	net->log_fd = net->capture_fd = net->address_fd = net->inotify_fd = -EBADF;
	for (; r == 0 && *words; words++)
		r = read_word(net, *words);
	return r;
}

/* ---- what is the host's ---- */

static int open_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW, 0600);

	return fd < 0 ? -errno : fd;
}

static void open_log(struct net *net)
{
	const struct net_config *config = &net->config;

	tzset(); /* gmtime_r(3) would look for it in the jail */
	net->log_fd = config->log ? open_file(config->log) : config->log_fd;
	if (config->log && net->log_fd < 0)
		fail(-net->log_fd, config->log, config->log_use);
}

static void open_host(struct net *net)
{
	struct net_msg failed = { .use = -1 };
	struct sockaddr_nl groups = { .nl_family = AF_NETLINK,
				      .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR };
	int r;

	open_log(net);
	if (net->config.pcap) {
		r = open_file(net->config.pcap);
		if (r < 0)
			fail(-r, net->config.pcap, net->config.pcap_use);
		net->capture_fd = r;
	}
	if (publish_all(&net->config, &net->published, &failed) < 0)
		fail(failed.status, failed.name, failed.use);
	net->address_fd = nl_open(NETLINK_ROUTE);
	if (net->address_fd < 0 || bind(net->address_fd, (void *)&groups, sizeof(groups)) < 0)
		fail(errno, "the list of the host's addresses", -1);
	net->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (net->inotify_fd >= 0)
		ignore(resolv_watch(net->inotify_fd)); /* then changes are not noticed */
	net->totals = mmap(NULL, sizeof(*net->totals), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (net->totals == MAP_FAILED)
		fail(errno, "shared memory", -1);
}

static void open_pairs(struct net *net)
{
	int *pairs[] = { net->main_pair, net->engine_pair, net->slirp_pair, net->factory_pair,
			 net->setup_pair };

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pairs[i]) < 0)
			fail(errno, "a pair of sockets", -1);
}

/* ---- the sandbox's side ---- */

static bool is_own_userns(int fd)
{
	struct stat ours, theirs;

	return stat("/proc/self/ns/user", &ours) == 0 && fstat(fd, &theirs) == 0 &&
	       ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev;
}

/* Its ids must be mapped; the child tells. */
static void wait_for_sandbox(const struct net *net)
{
	char byte;

	while (net->wait_fd >= 0 && read(net->wait_fd, &byte, 1) < 0 && errno == EINTR)
		;
}

static void enter_sandbox(const struct net *net)
{
	if (net->user_ns >= 0 && !is_own_userns(net->user_ns) &&
	    setns(net->user_ns, CLONE_NEWUSER) < 0)
		fail(errno, "the sandbox's user namespace", -1);
	if (net->net_ns >= 0 && setns(net->net_ns, CLONE_NEWNET) < 0)
		fail(errno, "the sandbox's network namespace", -1);
}

static void open_tun(struct setup *setup)
{
	setup->tun_fd = open(TUN, O_PATH | O_CLOEXEC);
	setup->tun_errnum = setup->tun_fd < 0 ? errno : 0;
}

static pid_t fork_or_fail(void)
{
	pid_t pid = fork();

	if (pid < 0)
		fail(errno, "a process", -1);
	return pid;
}

/* Keeps of all descriptors those of @keep. */
static void close_but(int *keep, size_t count)
{
	if (fd_close_except(keep, count) < 0)
		_exit(1);
}

static _Noreturn void run_factory(struct net *net)
{
	int diag_fd = -EBADF, r = jail_begin(child_names[CHILD_FACTORY]);

	enter_sandbox(net);
	close_but((int[]){ net->factory_pair[1] }, 1);

	if (net->config.publish_auto)
		diag_fd = nl_open(NETLINK_SOCK_DIAG);
	if (r == 0)
		r = jail_leave_host(false);
	if (r == 0)
		r = jail_lock(JAIL_FACTORY, false);
	if (r == 0)
		r = factory_run(net->factory_pair[1], diag_fd);
	_exit(r < 0 ? 1 : 0);
}

/* Hands the results to main: its share of the descriptors, and in words what there is. */
static void report_setup(const struct net *net)
{
	const struct setup *setup = &net->setup;
	struct net_msg msg = { .type = MSG_READY,
			       .id = setup->carrier,
			       .status = setup->carrier_errnum,
			       .flag = setup->has_splice,
			       .rule = (int)setup->hold,
			       .use = setup->has_splice ? setup->hold_errnum
							: setup->splice_errnum };
	const int rows[][2] = { { setup->carrier_fd, -EBADF },
				{ setup->dns_udp[0], setup->dns_tcp[0] },
				{ setup->dns_udp[1], setup->dns_tcp[1] } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (net_send_wait(net->setup_pair[1], &msg, NULL, 0, rows[i]) < 0)
			_exit(1);
}

static _Noreturn void run_engine(struct net *net)
{
	struct setup *setup = &net->setup;
	int capture_socket = -EBADF, r = jail_begin(child_names[CHILD_ENGINE]);

	if (r < 0)
		fail(-r, "the engine's limits", -1);
	open_tun(setup);
	wait_for_sandbox(net);
	enter_sandbox(net);
	r = setup_make(setup);
	if (r < 0)
		fail(-r, setup->failed, -1);
	if (net->capture_fd >= 0) {
		capture_socket = capture_open();
		if (capture_socket < 0)
			fail(-capture_socket, "the capture's socket", -1);
	}
	report_setup(net);
	close_but((int[]){ net->engine_pair[1], setup->listener[0], setup->listener[1],
			   setup->queue_fd, net->capture_fd, capture_socket },
		  6);
	r = jail_leave_host(false);
	if (r == 0)
		r = jail_lock(JAIL_ENGINE, false);
	if (r < 0)
		fail(-r, "the engine's jail", -1);
	r = engine_run(setup, net->engine_pair[1], net->capture_fd, capture_socket, net->totals);
	_exit(r < 0 ? 1 : 0);
}

static void receive_setup(struct net *net)
{
	struct setup *setup = &net->setup;
	int *places[3][2] = { { &setup->carrier_fd, NULL },
			      { &setup->dns_udp[0], &setup->dns_tcp[0] },
			      { &setup->dns_udp[1], &setup->dns_tcp[1] } };

	for (size_t i = 0; i < 3; i++) {
		struct net_msg msg;
		int fds[2];

		/* The engine that fails has told so itself. */
		if (net_receive(net->setup_pair[0], &msg, NULL, 0, NULL, fds) != 1)
			_exit(1);
		for (size_t j = 0; j < 2; j++)
			if (places[i][j])
				*places[i][j] = fds[j];
		setup->carrier = (enum net_carrier)msg.id;
		setup->carrier_errnum = msg.status;
		setup->has_splice = msg.flag;
		setup->hold = (enum net_hold)msg.rule;
		setup->hold_errnum = setup->splice_errnum = msg.use;
	}
}

/* ---- the host's side ---- */

static _Noreturn void run_slirp(struct net *net)
{
	const struct slirp_start start = { .config = &net->config,
					   .layout = net->setup.layout,
					   .carrier_fd = net->setup.carrier_fd,
					   .broker_fd = net->slirp_pair[1],
					   .has_tcp = !net->setup.has_splice,
					   .totals = net->totals };
	int r = jail_begin(child_names[CHILD_SLIRP]);

	close_but((int[]){ start.carrier_fd, start.broker_fd }, 2);
	if (r == 0)
		r = jail_leave_host(true);
	if (r == 0)
		r = slirp_run(&start);
	_exit(r < 0 ? 1 : 0);
}

static _Noreturn void run_broker(struct net *net)
{
	const struct broker_start start = {
		.config = &net->config,
		.layout = net->setup.layout,
		.main_fd = net->main_pair[0],
		.engine_fd = net->engine_pair[0],
		.slirp_fd = net->slirp_pair[0],
		.factory_fd = net->has_factory ? net->factory_pair[0] : -EBADF,
		.dns_udp = { net->setup.dns_udp[0], net->setup.dns_udp[1] },
		.dns_tcp = { net->setup.dns_tcp[0], net->setup.dns_tcp[1] },
		.log_fd = net->log_fd,
		.address_fd = net->address_fd,
		.published = net->published.items,
		.published_count = net->published.count,
	};
	const size_t fixed = 10;
	int *keep = calloc(fixed + net->published.count, sizeof(int)),
	    r = jail_begin(child_names[CHILD_BROKER]);

	if (!keep)
		_exit(1);
	memcpy(keep,
	       (int[]){ start.main_fd, start.engine_fd, start.slirp_fd, start.factory_fd,
			start.dns_udp[0], start.dns_udp[1], start.dns_tcp[0], start.dns_tcp[1],
			start.log_fd, start.address_fd },
	       fixed * sizeof(int));
	for (size_t i = 0; i < net->published.count; i++)
		keep[fixed + i] = net->published.items[i].fd;
	close_but(keep, fixed + net->published.count);
	if (r == 0)
		r = jail_leave_host(true);
	if (r == 0)
		r = jail_lock(JAIL_BROKER, net->config.publish_auto);
	if (r == 0)
		r = broker_run(&start);
	_exit(r < 0 ? 1 : 0);
}

/* ---- main ---- */

static void start_children(struct net *net)
{
	net->pids[CHILD_ENGINE] = fork_or_fail();
	if (net->pids[CHILD_ENGINE] == 0)
		run_engine(net);
	/* Who holds the other end as well never sees the end. */
	(void)close(net->setup_pair[1]);
	receive_setup(net);
	if (net->has_factory)
		net->pids[CHILD_FACTORY] = fork_or_fail();
	if (net->has_factory && net->pids[CHILD_FACTORY] == 0)
		run_factory(net);
	net->pids[CHILD_SLIRP] = fork_or_fail();
	if (net->pids[CHILD_SLIRP] == 0)
		run_slirp(net);
	net->pids[CHILD_BROKER] = fork_or_fail();
	if (net->pids[CHILD_BROKER] == 0)
		run_broker(net);
}

static void send_resolv(const struct net *net)
{
	const struct net_msg msg = { .type = MSG_RESOLV };
	char text[LINK_DATA_MAX];

	resolv_read(text, sizeof(text));
	ignore(net_send_wait(net->main_pair[1], &msg, text, strlen(text), NULL));
}

static void tell_published(const struct published *published)
{
	const struct net_msg listening = { .type = MSG_LISTENING,
					   .proto = (uint8_t)published->proto,
					   .source = { published->addr, published->port },
					   .dest = { .port = published->inside } };

	ignore(net_send_wait(CONTROL_FD, &listening, NULL, 0, NULL)); /* its end is ours */
}

static void tell_ready(const struct net *net)
{
	const struct setup *setup = &net->setup;
	struct net_msg msg = { .type = MSG_READY };

	for (size_t i = 0; i < net->published.count; i++)
		tell_published(&net->published.items[i]);
	(void)snprintf(msg.name, sizeof(msg.name), "carrier=%s path=%s hold=%s",
		       setup->carrier == CARRIER_TAP ? "tap" : "packet",
		       setup->has_splice ? "splice" : "slirp",
		       setup->hold == HOLD_COMPAT   ? "nft-compat"
		       : setup->hold == HOLD_NATIVE ? "nft"
						    : "none");
	ignore(net_send_wait(CONTROL_FD, &msg, NULL, 0, NULL));
}

/* Whose pid is that? */
static const char *name_of(const struct net *net, pid_t pid)
{
	for (size_t i = 0; i < CHILD_COUNT; i++)
		if (net->pids[i] == pid)
			return child_names[i];
	return "";
}

static _Noreturn void end(const struct net *net)
{
	struct net_msg msg = { .type = MSG_END };
	struct pollfd words = { .fd = net->main_pair[1], .events = POLLIN };
	int fds[2];

	if (net->log_fd >= 0 && net_send_wait(net->main_pair[1], &msg, NULL, 0, NULL) == 0 &&
	    poll(&words, 1, LAST_WORDS_MS) > 0)
		ignore(net_receive(net->main_pair[1], &msg, NULL, 0, NULL, fds) < 0);
	publish_remove_paths(&net->config);
	msg = (struct net_msg){ .type = MSG_END,
				.sent = net->totals->sent,
				.received = net->totals->received };
	ignore(net_send_wait(CONTROL_FD, &msg, NULL, 0, NULL));
	_exit(0);
}

static void note_death(const struct net *net)
{
	struct net_msg msg = { .type = MSG_DIED };
	int status;
	pid_t pid = waitpid(-1, &status, WNOHANG);

	if (pid <= 0)
		return;
	str_copy(msg.name, sizeof(msg.name), name_of(net, pid));
	msg.status = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	ignore(net_send_wait(CONTROL_FD, &msg, NULL, 0, NULL));
	publish_remove_paths(&net->config);
	_exit(1); /* the others die with us */
}

/* All of them are jailed, and at work. */
static void wait_until_ready(const struct net *net, int signal_fd)
{
	struct pollfd fds[] = {
		{ .fd = net->main_pair[1], .events = POLLIN },
		{ .fd = signal_fd, .events = POLLIN },
	};
	size_t missing = net->has_factory ? 4 : 3;

	while (missing) {
		struct net_msg msg;
		int ignored[2];

		if (poll(fds, ARRAY_SIZE(fds), -1) < 0)
			continue;
		if (fds[1].revents)
			note_death(net);
		if (fds[0].revents &&
		    net_receive(net->main_pair[1], &msg, NULL, 0, NULL, ignored) == 1)
			missing -= msg.type == MSG_READY;
	}
}

/* ---- changes while COMMAND runs ---- */

/* One socket more, or less, for the broker. */
static void pass_published(const struct net *net, const struct published *published, bool ends)
{
	const struct net_msg msg = { .type = MSG_PUBLISH,
				     .flag = ends,
				     .proto = (uint8_t)published->proto,
				     .source = { published->addr, published->port },
				     .dest = { .port = published->inside } };

	ignore(net_send_wait(net->main_pair[1], &msg, NULL, 0,
			     (int[]){ published->fd, -EBADF })); /* its end is ours */
}

static void publish_more(struct net *net, const struct net_config *more, struct net_msg *answer)
{
	struct published_list list = { 0 };
	struct net_publish *kept;

	if (publish_all(more, &list, answer) < 0) {
		publish_close(&list);
		return;
	}
	for (size_t i = 0; i < list.count; i++) {
		pass_published(net, &list.items[i], false);
		tell_published(&list.items[i]);
	}
	publish_close(&list);
	/* Its socket is to be removed at the end. */
	kept = realloc(net->config.publishes, (net->config.publish_count + 1) * sizeof(*kept));
	if (!kept)
		return;
	net->config.publishes = kept;
	kept[net->config.publish_count++] = more->publishes[0];
}

static void publish_less(struct net *net, const struct net_config *less)
{
	static const char *const loopbacks[] = { "127.0.0.1", "::1" };
	const struct net_publish *publish = &less->publishes[0];
	struct published one = { .fd = -EBADF, .proto = publish->proto, .addr = publish->addr };

	for (uint32_t port = publish->first; port <= publish->last; port++) {
		one.port = (uint16_t)port;
		one.inside = (uint16_t)(publish->inside + (port - publish->first));
		if (publish->path || publish->addr.family)
			pass_published(net, &one, true);
		for (size_t i = 0; i < 2 && !publish->path && !publish->addr.family; i++) {
			struct published both = one;

			ignore(net_addr_parse(loopbacks[i], &both.addr)); /* constants */
			pass_published(net, &both, true);
		}
	}
	if (publish->path)
		publish_remove_paths(less);
}

/* What cloche asks for has been read there already. */
static void change(struct net *net, const struct net_msg *msg)
{
	struct net_msg answer = { .type = MSG_CHANGED };
	struct net_config config;
	const char *what = NULL;
	char *text = strdup(msg->name); /* kept: what is published names it */

	net_config_init(&config);
	if (!text || net_config_add(&config,
				    msg->type == MSG_PUBLISH ? "publish"
				    : msg->flag		     ? "net-allow"
							     : "net-deny",
				    text ? text : "", 0, &what) < 0)
		answer.status = text ? EINVAL : ENOMEM;
	else if (msg->type == MSG_RULE)
		ignore(net_send_wait(net->main_pair[1], msg, NULL, 0, NULL));
	else if (msg->flag)
		publish_less(net, &config);
	else
		publish_more(net, &config, &answer);
	net_config_free(&config);
	answer.type = MSG_CHANGED;
	ignore(net_send_wait(CONTROL_FD, &answer, NULL, 0, NULL));
}

/* Also where cloche has died. */
static void obey(struct net *net)
{
	struct net_msg msg;
	int fds[2];

	if (net_receive(CONTROL_FD, &msg, NULL, 0, NULL, fds) != 1 ||
	    (msg.type != MSG_PUBLISH && msg.type != MSG_RULE))
		end(net);
	change(net, &msg);
}

static _Noreturn void watch(struct net *net, int signal_fd)
{
	struct pollfd fds[] = {
		{ .fd = CONTROL_FD, .events = POLLIN },
		{ .fd = signal_fd, .events = POLLIN },
		{ .fd = net->inotify_fd, .events = POLLIN },
	};
	char events[4096];

	process_trim_memory(); /* mostly there is nothing to do to the end */
	for (;;) {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0)
			continue;
		if (fds[0].revents)
			obey(net);
		if (fds[1].revents) {
			ignore(read(signal_fd, events, sizeof(events)));
			note_death(net);
		}
		if (fds[2].revents && read(net->inotify_fd, events, sizeof(events)) > 0) {
			ignore(resolv_watch(net->inotify_fd));
			send_resolv(net);
		}
	}
}

static void run(struct net *net)
{
	sigset_t set;
	int signal_fd;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
	(void)signal(SIGPIPE, SIG_IGN);
	if (signal_fd < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		fail(errno, "a watch", -1);
	open_host(net);
	open_pairs(net);
	start_children(net);
	send_resolv(net);
	wait_until_ready(net, signal_fd);
	close_but((int[]){ net->main_pair[1], signal_fd, net->inotify_fd, net->log_fd }, 4);
	tell_ready(net);
	watch(net, signal_fd);
}

/* ---- probing ---- */

static const char *reason(int errnum)
{
	return errnum ? strerror(errnum) : "";
}

static int probe(struct net *net)
{
	struct setup *setup = &net->setup;
	_free_ char *uid = str_format("0 %u 1", geteuid()), *gid = str_format("0 %u 1", getegid());
	int r;

	open_tun(setup);
	if (!uid || !gid || unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 ||
	    fd_write_file(AT_FDCWD, "/proc/self/setgroups", "deny") < 0 ||
	    fd_write_file(AT_FDCWD, "/proc/self/uid_map", uid) < 0 ||
	    fd_write_file(AT_FDCWD, "/proc/self/gid_map", gid) < 0)
		return 1;
	r = setup_make(setup);
	if (r < 0) {
		printf("failed=%s: %s\n", setup->failed, strerror(-r));
		return 0;
	}
	printf("carrier=%s\ncarrier-reason=%s\n", setup->carrier == CARRIER_TAP ? "tap" : "packet",
	       setup->carrier == CARRIER_TAP	       ? ""
	       : net->config.carrier == CARRIER_PACKET ? "asked for"
						       : reason(setup->carrier_errnum));
	printf("path=%s\npath-reason=%s\n", setup->has_splice ? "splice" : "slirp",
	       net->config.path == PATH_SLIRP ? "asked for" : reason(setup->splice_errnum));
	printf("hold=%s\nhold-reason=%s\n",
	       setup->hold == HOLD_COMPAT   ? "nft-compat"
	       : setup->hold == HOLD_NATIVE ? "nft"
					    : "none",
	       setup->hold == HOLD_NONE ? reason(setup->hold_errnum) : "");
	return 0;
}

int main(int argc, char **argv)
{
	static struct net net; /* the process's only one */

	if (argc < 2 || read_words(&net, argv + 2) < 0)
		fail(EINVAL, "cloche-net's words", -1);
	setup_init(&net.setup, &net.config);
	net.setup.layout = net_layout_make(&net.config.cidr, net.has_v6);
	net.has_factory =
		net.config.publish_count || net.config.publish_auto || net.config.publish_later;
	if (strcmp(argv[1], "probe") == 0)
		return probe(&net);
	run(&net);
	return 0;
}
