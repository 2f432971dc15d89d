/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The control socket. It lies in a directory that is the user's alone, and the kernel tells whose
 * process a peer is (SO_PEERCRED): the user's or root's. What comes is bounded and never waited
 * for: a peer that sends garbage gets an error, one that sends too much or does not read is closed.
 */
#include "watch/control.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/jsonr.h"
#include "base/jsonw.h"
#include "base/num.h"
#include "base/signals.h"
#include "base/str.h"
#include "spec/report.h"

#define GREETING "{\"cloche-control\": 1}\n"

static void drop_fds(struct control_client *client)
{
	for (size_t i = 0; i < CONTROL_FDS; i++) {
		close_pointer(&client->fds[i]);
		client->fds[i] = -EBADF;
	}
}

static void drop(struct control_client *client)
{
	close_pointer(&client->fd);
	client->fd = -EBADF;
	drop_fds(client);
	free(client->line);
	client->line = NULL;
}

/* A peer that does not read has itself to blame. */
static bool send_text(int fd, const char *text)
{
	size_t length = strlen(text);

	return send(fd, text, length, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)length;
}

static bool send_refusal(int fd, const char *why)
{
	char text[128];
	struct str_buf out = { .data = text, .size = sizeof(text) };

	str_add(&out, "{\"ok\": false, \"error\": ");
	jsonw_string(&out, why);
	str_add(&out, "}\n");
	return send_text(fd, text);
}

void control_refuse(int fd, const char *why)
{
	(void)send_refusal(fd, why); /* it is closed in any case */
}

void control_agree(int fd)
{
	(void)send_text(fd, "{\"ok\": true}\n"); /* who does not read it has himself to blame */
}

void control_agree_published(int fd, const char *published)
{
	char text[CONTROL_ANSWER];
	struct str_buf out = { .data = text, .size = sizeof(text) };

	str_add(&out, "{\"ok\": true, \"published\": [");
	str_add(&out, published);
	str_add(&out, "]}\n");
	(void)send_text(fd, text); /* as above */
}

void control_fail(int fd, const struct spec *spec, const struct cloche_error *err)
{
	char text[2 * CONTROL_ANSWER], lines[CONTROL_ANSWER / 2];
	struct str_buf message = { .data = lines, .size = sizeof(lines) };
	struct str_buf out = { .data = text, .size = sizeof(text) };

	lines[0] = '\0';
	report_text(spec, err, REPORT_ERROR, &message);
	str_add(&out, "{\"ok\": false");
	jsonw_key(&out, "error");
	jsonw_string(&out, lines);
	jsonw_key(&out, "exit-code");
	str_add_number(&out, (uint64_t)report_status(spec->personality, err));
	str_add(&out, "}\n");
	(void)send_text(fd, text);
}

static void answer(struct control_client *client, const char *text)
{
	if (!send_text(client->fd, text))
		drop(client);
}

static void refuse(struct control_client *client, const char *why)
{
	if (!send_refusal(client->fd, why))
		drop(client);
}

static bool is_served(const struct control *control, size_t index)
{
	return control->clients[index].fd >= 0 && control->clients[index].errand_fd < 0;
}

void control_poll(const struct control *control, struct pollfd *fds)
{
	fds[0] = (struct pollfd){ .fd = control->listen_fd, .events = POLLIN };
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		fds[1 + i] = (struct pollfd){
			.fd = is_served(control, i) ? control->clients[i].fd : -1,
			.events = POLLIN,
		};
}

void control_wait(struct control *control, int connection_fd, int errand_fd)
{
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		if (control->clients[i].fd == connection_fd)
			control->clients[i].errand_fd = errand_fd;
}

void control_resume(struct control *control, int errand_fd)
{
	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_client *client = &control->clients[i];

		if (client->fd >= 0 && client->errand_fd == errand_fd) {
			client->errand_fd = -EBADF;
			client->is_resumed = true;
		}
	}
}

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* since Linux 6.5 */
#endif

/* Is @pid in the same namespace of this kind as we are? */
static bool shares_namespace(pid_t pid, const char *kind)
{
	char path[64];
	struct stat theirs, ours;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, kind);
	if (stat(path, &theirs) < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/self/ns/%s", kind);
	return stat(path, &ours) == 0 && ours.st_dev == theirs.st_dev &&
	       ours.st_ino == theirs.st_ino;
}

/*
 * A process of the user's or root's, and none inside a sandbox: where that shows the directory, a
 * bind of / does, its COMMAND would have the same uid. It must live while it is looked at, since
 * its number could become another's.
 */
bool control_is_trusted(int fd, pid_t *ret_peer)
{
	struct pollfd life = { .events = POLLIN };
	_close_ int pidfd = -EBADF;
	struct ucred peer;
	socklen_t size = sizeof(peer), fd_size = sizeof(pidfd);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.pid <= 0 ||
	    (peer.uid != geteuid() && peer.uid != 0))
		return false;
	*ret_peer = peer.pid;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &fd_size) < 0)
		pidfd = pidfd_open(peer.pid, 0);
	life.fd = pidfd;
	return pidfd >= 0 && shares_namespace(peer.pid, "user") &&
	       shares_namespace(peer.pid, "pid") && poll(&life, 1, 0) == 0;
}

/* false: there is no room, or no memory. */
static bool add_client(struct control *control, int *fd, pid_t peer)
{
	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_client *client = &control->clients[i];

		if (client->fd >= 0)
			continue;
		*client = (struct control_client){ .peer = peer,
						   .errand_fd = -EBADF,
						   .line = malloc(CONTROL_LINE) };
		for (size_t j = 0; j < CONTROL_FDS; j++)
			client->fds[j] = -EBADF;
		client->fd = client->line ? take_fd(fd) : -EBADF;
		if (client->line)
			answer(client, GREETING);
		return client->line;
	}
	return false;
}

static void take_client(struct control *control)
{
	_close_ int fd = accept4(control->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	pid_t peer;

	if (fd < 0)
		return;
	if (!control_is_trusted(fd, &peer))
		control_refuse(fd, "not from here");
	else if (!add_client(control, &fd, peer))
		control_refuse(fd, CONTROL_FULL);
}

/* The socket of --control-fd. Whoever has its other end got it from our caller. */
static bool add_given(struct control *control, int fd)
{
	struct ucred peer = { 0 };
	socklen_t size = sizeof(peer), type_size = sizeof(int);
	int own, type;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) < 0)
		return false;
	if (type != SOCK_STREAM) {
		errno = EPROTOTYPE;
		return false;
	}
	(void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
	own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return own >= 0 && add_client(control, &own, peer.pid);
}

int control_start(struct control *control, const struct registry *registry, const struct plan *plan,
		  struct cloche_error *err)
{
	const struct spec_fd *given = &plan->spec->control_fd;

	if (registry->lock_fd < 0 && given->fd < 0)
		return 0;
	control->clients = calloc(CONTROL_CLIENTS, sizeof(*control->clients));
	if (!control->clients)
		return error_no_memory(err);
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		control->clients[i].fd = -EBADF;
	if (given->fd >= 0 && !add_given(control, given->fd)) {
		err->use = given->use;
		return error_set(err, ERROR_CONTROL_FD, errno, NULL);
	}
	if (registry->lock_fd < 0)
		return 0;
	control->listen_fd = registry_listen(registry);
	if (control->listen_fd >= 0)
		return 0;
	err->use = plan->spec->name.use;
	return error_set(err, ERROR_NAME_LOCK, -control->listen_fd, registry->name);
}

static void obey_kill(struct control_client *client, const struct json_document *message,
		      struct control_request *ret_request)
{
	const char *name = jsonr_string(message, 0, "signal");
	int number = SIGTERM;

	if (name && signals_parse(name, &number) < 0) {
		refuse(client, "not a signal");
		return;
	}
	if (signals_is_taken(number)) {
		refuse(client, number == SIGSTOP ? "SIGSTOP cannot be sent: send SIGTSTP"
						 : "this signal cannot be sent");
		return;
	}
	ret_request->verb = number == SIGKILL ? CONTROL_KILL : CONTROL_SIGNAL;
	ret_request->signal = number;
	answer(client, "{\"ok\": true}\n");
}

/* The connection is whose who carries the request out. */
static void hand_over(struct control_client *client, struct control_request *request)
{
	request->connection_fd = take_fd(&client->fd);
	request->peer = client->peer;
	for (size_t i = 0; i < CONTROL_FDS; i++)
		request->fds[i] = take_fd(&client->fds[i]);
	drop(client);
}

/* The strings of the list "options", or of the member @single, as an argv. */
static bool take_words(const struct json_document *message, const char *single,
		       struct control_request *request)
{
	size_t list = jsonr_member(message, 0, "options"), count = 0;
	const char *word = single ? jsonr_string(message, 0, single) : NULL;

	request->words[count++] = (char *)"cloche";
	if (word)
		request->words[count++] = (char *)(uintptr_t)word;
	else if (single || !list || message->values[list].type != JSON_ARRAY)
		return false;
	for (size_t i = list + 1; !single && i < message->values[list].end;
	     i = message->values[i].end) {
		if (message->values[i].type != JSON_STRING || count > CONTROL_WORDS)
			return false;
		request->words[count++] = (char *)(uintptr_t)message->values[i].text;
	}
	request->words[count] = NULL;
	return count > 1;
}

/* Those that are no more than a verb, and perhaps words. */
static void obey_other(struct control_client *client, const char *command,
		       const struct json_document *message, struct control_request *request)
{
	static const struct {
		const char *name, *single;
		enum control_verb verb;
		bool has_words;
	} others[] = {
		{ "bind", NULL, CONTROL_BIND, true },
		{ "unbind", "path", CONTROL_UNBIND, true },
		{ "net", NULL, CONTROL_NET, true },
		{ "unpublish", NULL, CONTROL_UNPUBLISH, true },
		{ "limits", NULL, CONTROL_LIMITS, true },
		{ "freeze", NULL, CONTROL_FREEZE, false },
		{ "thaw", NULL, CONTROL_THAW, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		if (strcmp(command, others[i].name) != 0)
			continue;
		if (others[i].has_words && !take_words(message, others[i].single, request)) {
			refuse(client, others[i].single ? "no path" : "no list of options");
			return;
		}
		request->verb = others[i].verb;
		request->connection_fd = client->fd;
		return;
	}
	refuse(client, "unknown command");
}

/* The connection and what came over it are the other COMMAND's from here on. */
static void obey_exec(struct control_client *client, const struct json_document *message,
		      struct control_request *ret_request)
{
	size_t background = jsonr_member(message, 0, "background");

	if (client->fds[EXEC_FD_STDERR] < 0) {
		refuse(client, "descriptors are missing");
		return;
	}
	ret_request->verb = CONTROL_EXEC;
	ret_request->in_background = message->values[background].type == JSON_TRUE;
	hand_over(client, ret_request);
}

/* One line, without its newline. */
static void obey(struct control_client *client, char *line, struct control_request *ret_request)
{
	struct json_document message;
	const char *command;

	if (jsonr_parse(line, &message) < 0) {
		refuse(client, "not a JSON object");
		return;
	}
	command = jsonr_string(&message, 0, "command");
	if (!command) {
		refuse(client, "no command");
	} else if (strcmp(command, "kill") == 0) {
		obey_kill(client, &message, ret_request);
	} else if (strcmp(command, "exec") == 0) {
		obey_exec(client, &message, ret_request);
	} else if (strcmp(command, "wait") == 0) {
		client->waits = true;
		answer(client, "{\"ok\": true}\n");
	} else {
		obey_other(client, command, &message, ret_request);
	}
}

/* The first whole line of what has come, if there is one. */
static bool take_line(struct control_client *client, struct control_request *ret_request)
{
	char *newline = memchr(client->line, '\n', client->length);
	char *line = ret_request->line;
	size_t length;

	if (!newline) {
		if (client->length == CONTROL_LINE)
			drop(client);
		return false;
	}
	length = (size_t)(newline - client->line);
	memcpy(line, client->line, length);
	line[length] = '\0';
	client->length -= length + 1;
	memmove(client->line, newline + 1, client->length);
	if (memchr(line, '\0', length))
		refuse(client, "not a JSON object");
	else
		obey(client, line, ret_request);
	drop_fds(client); /* of a request that wants none */
	return true;
}

static void read_client(struct control_client *client)
{
	size_t room = CONTROL_LINE - client->length;
	int fds[CONTROL_FDS];
	ssize_t got;

	if (room == 0) /* whole lines, that wait for their turn */
		return;
	got = fd_receive(client->fd, client->line + client->length, room, fds, CONTROL_FDS,
			 MSG_DONTWAIT);
	if (got <= 0) {
		if (got != -EAGAIN)
			drop(client);
		return;
	}
	client->length += (size_t)got;
	if (fds[0] < 0)
		return;
	drop_fds(client);
	memcpy(client->fds, fds, sizeof(fds));
}

bool control_act(struct control *control, const struct pollfd *fds,
		 struct control_request *ret_request)
{
	ret_request->verb = CONTROL_NOTHING;
	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_client *client = &control->clients[i];

		if (!is_served(control, i) || !(fds[1 + i].revents || client->is_resumed))
			continue;
		client->is_resumed = false;
		read_client(client);
		while (client->line && !ret_request->verb && take_line(client, ret_request))
			;
		if (ret_request->verb)
			return true;
	}
	if (control->listen_fd >= 0 && fds[0].revents)
		take_client(control);
	return false;
}

void control_ended(struct str_buf *out, int status)
{
	str_add(out, "{\"event\": \"ended\"");
	jsonw_key(out, "exit-code");
	if (status < 0)
		str_add(out, "null");
	else
		str_add_number(out, (uint64_t)status);
	str_add(out, "}\n");
}

int control_read_end(char *text)
{
	struct json_document event;
	const char *code = NULL;
	uint64_t status;

	if (jsonr_parse(text, &event) == 0)
		code = jsonr_number(&event, 0, "exit-code");
	return code && num_parse(code, 255, &status) == 0 ? (int)status : 128 + SIGKILL;
}

void control_end(struct control *control, int status)
{
	char text[64];
	struct str_buf out = { .data = text, .size = sizeof(text) };

	if (!control->clients)
		return;
	control_ended(&out, status);
	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_client *client = &control->clients[i];

		if (client->fd >= 0 && client->waits)
			answer(client, text);
		if (client->fd >= 0)
			drop(client);
	}
	close_pointer(&control->listen_fd);
	free(control->clients);
}
