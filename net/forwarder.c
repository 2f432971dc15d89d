/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The nameserver of the sandbox: it asks the host's, or those of --net-dns. Each question goes out
 * from a port and with an id of its own (RFC 5452); who asked by TCP is answered by TCP. A server
 * that does not answer, or says that it cannot, is followed by the next.
 */
#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>
#include <sys/uio.h>

#include "net/broker.h"
#include "net/dns.h"

#define DNS_PORT 53
#define SERVERS_MAX 8
#define QUESTIONS_MAX 512
#define CLIENTS_MAX 64
#define QUERY_MAX 4096 /* bytes of a query */
#define TRY_MS 2000    /* until the next server is asked */
#define ROUNDS 2
#define CLIENT_MS 30000
#define BURST 32
#define HOST_TTL 60
#define SEND_BYTES (128 << 10)

/* A client that asks by TCP. */
struct client {
	struct client *next, **place;
	struct loop_item item;
	struct broker *broker;
	struct question *question; /* that it waits for, one at a time */
	int64_t since;
	size_t used;
	uint8_t data[2 + QUERY_MAX];
};

/* A question that is on its way. */
struct question {
	struct question *next, **place;
	struct loop_item item; /* fd: the socket to the server */
	struct broker *broker;
	bool by_tcp;
	struct client *client; /* by TCP; NULL: it is gone */
	int reply_fd;	       /* by UDP: our socket inside */
	struct sockaddr_storage from;
	socklen_t from_length;
	struct dns_query query;
	uint16_t id; /* ours */
	size_t tries;
	int64_t deadline;
	uint8_t *answer; /* by TCP: what has come of it, with its length; allocated */
	size_t answer_used;
	size_t size;
	uint8_t data[]; /* the query as it came */
};

struct forwarder {
	struct loop_item udp[2], tcp[2];
	struct broker *broker;
	struct net_addr servers[SERVERS_MAX];
	size_t server_count, good; /* the one to begin with */
	struct question *questions;
	size_t question_count;
	struct client *clients;
	size_t client_count;
};

/* ---- the end of questions and clients ---- */

static void close_server(struct question *question)
{
	if (question->item.fd < 0)
		return;
	loop_remove(&question->broker->loop, &question->item);
	(void)close(question->item.fd);
	question->item.fd = -EBADF;
}

static void free_question(struct question *question)
{
	close_server(question);
	*question->place = question->next;
	if (question->next)
		question->next->place = question->place;
	question->broker->forwarder->question_count--;
	free(question->answer);
	free(question);
}

static void free_client(struct client *client)
{
	if (client->question)
		client->question->client = NULL;
	loop_remove(&client->broker->loop, &client->item);
	(void)close(client->item.fd);
	*client->place = client->next;
	if (client->next)
		client->next->place = client->place;
	client->broker->forwarder->client_count--;
	free(client);
}

/* ---- answers ---- */

static void reply_udp(const struct question *question, const uint8_t *data, size_t size)
{
	uint8_t shorter[DNS_UDP_PLAIN];
	struct iovec part = { .iov_base = (void *)(uintptr_t)data, .iov_len = size };
	struct msghdr header = { .msg_name = (void *)(uintptr_t)&question->from,
				 .msg_namelen = question->from_length,
				 .msg_iov = &part,
				 .msg_iovlen = 1 };

	if (size > question->query.udp_size) {
		part.iov_len = dns_write_truncated(question->data, question->size,
						   question->query.question_end, shorter);
		part.iov_base = shorter;
	}
	ignore(sendmsg(question->reply_fd, &header, MSG_NOSIGNAL) < 0); /* he asks again */
}

static void serve_client(struct client *client);

static void reply_tcp(const struct question *question, const uint8_t *data, size_t size)
{
	struct client *client = question->client;
	uint8_t length[2] = { (uint8_t)(size >> 8), (uint8_t)size };
	struct iovec parts[2] = {
		{ .iov_base = length, .iov_len = sizeof(length) },
		{ .iov_base = (void *)(uintptr_t)data, .iov_len = size },
	};

	if (!client)
		return;
	client->question = NULL;
	client->since = loop_now();
	/* Whoever asks and does not read gets no more. */
	if (writev(client->item.fd, parts, 2) != (ssize_t)(size + 2)) {
		free_client(client);
		return;
	}
	loop_change(&client->broker->loop, &client->item, EPOLLIN | EPOLLRDHUP);
	serve_client(client);
}

/* Answers and forgets @question. */
static void reply(struct question *question, const uint8_t *data, size_t size)
{
	if (size && question->by_tcp)
		reply_tcp(question, data, size);
	else if (size)
		reply_udp(question, data, size);
	else if (question->client)
		free_client(question->client);
	free_question(question);
}

static void reply_error(struct question *question, enum dns_rcode rcode)
{
	uint8_t data[DNS_UDP_PLAIN];

	reply(question, data,
	      dns_write_error(question->data, question->size, question->query.question_end, rcode,
			      data));
}

static void log_query(const struct question *question, int rule)
{
	log_write(question->broker,
		  &(struct log_line){ .event = "denied",
				      .proto = question->by_tcp ? NET_TCP : NET_UDP,
				      .name = question->query.name,
				      .rule = rule,
				      .milliseconds = -1 });
}

/* ---- asking ---- */

static void ask_next(struct question *question);

/* The whole answer of a server; the id is ours still. */
static void take_answer(struct question *question, uint8_t *data, size_t size)
{
	static struct dns_answer answer; /* large; one process, one thread */
	struct forwarder *forwarder = question->broker->forwarder;
	struct policy *policy = &question->broker->policy;

	if (dns_parse_answer(data, size, &question->query, question->id, &answer) < 0)
		return; /* forged, or broken: the true one may still come */
	if ((answer.rcode == DNS_SERVFAIL || answer.rcode == DNS_REFUSED ||
	     answer.rcode == DNS_NOTIMP) &&
	    question->tries < forwarder->server_count) {
		ask_next(question);
		return;
	}
	if (forwarder->server_count) /* there may be others by now, or none */
		forwarder->good = (forwarder->good + question->tries - 1) % forwarder->server_count;
	for (size_t i = 0; i < answer.addr_count; i++) {
		if (policy_allows_answer(policy, &answer.addrs[i]) && !answer.has_more_addrs)
			continue;
		log_query(question, REASON_REBIND);
		reply_error(question, DNS_REFUSED);
		return;
	}
	for (size_t i = 0; i < answer.addr_count; i++)
		broker_pin(question->broker, question->query.name, &answer.addrs[i], answer.ttl);
	dns_set_id(data, question->query.id);
	reply(question, data, size);
}

static void act_udp_server(struct question *question)
{
	static uint8_t data[DNS_MESSAGE_MAX]; /* one process, one thread */
	ssize_t got = recv(question->item.fd, data, sizeof(data), MSG_DONTWAIT);

	if (got >= 0)
		take_answer(question, data, (size_t)got);
	else if (errno != EAGAIN && errno != EINTR)
		ask_next(question); /* nobody there */
}

/* Connected: the question; then as much of the answer as has come. */
static void act_tcp_server(struct question *question, uint32_t events)
{
	uint8_t length[2] = { (uint8_t)(question->size >> 8), (uint8_t)question->size }, id[2];
	struct iovec parts[3] = {
		{ .iov_base = length, .iov_len = 2 },
		{ .iov_base = id, .iov_len = 2 },
		{ .iov_base = question->data + 2, .iov_len = question->size - 2 },
	};
	ssize_t got;
	size_t wanted;

	id[0] = (uint8_t)(question->id >> 8);
	id[1] = (uint8_t)question->id;
	if (events & EPOLLOUT) {
		got = writev(question->item.fd, parts, 3);
		if (got != (ssize_t)question->size + 2)
			ask_next(question);
		else
			loop_change(&question->broker->loop, &question->item, EPOLLIN);
		return;
	}
	if (!question->answer)
		question->answer = malloc(2 + DNS_MESSAGE_MAX);
	if (!question->answer)
		return;
	got = recv(question->item.fd, question->answer + question->answer_used,
		   2 + DNS_MESSAGE_MAX - question->answer_used, MSG_DONTWAIT);
	if (got <= 0) {
		if (got == 0 || (errno != EAGAIN && errno != EINTR))
			ask_next(question);
		return;
	}
	question->answer_used += (size_t)got;
	wanted = (size_t)(question->answer[0] << 8 | question->answer[1]);
	if (question->answer_used >= 2 && question->answer_used >= wanted + 2)
		take_answer(question, question->answer + 2, wanted);
}

static void act_server(struct loop_item *item, uint32_t events)
{
	struct question *question = container_of(item, struct question, item);

	if (question->by_tcp)
		act_tcp_server(question, events);
	else
		act_udp_server(question);
}

/* A socket to @server with the question sent, or on its way; 0 or -errno. */
static int ask_server(struct question *question, const struct net_addr *server)
{
	struct net_end dest = { *server, DNS_PORT };
	struct sockaddr_storage address;
	socklen_t length = net_end_to(&dest, &address);
	int type = question->by_tcp ? SOCK_STREAM : SOCK_DGRAM;
	_close_ int fd = socket(address.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	uint8_t id[2] = { (uint8_t)(question->id >> 8), (uint8_t)question->id };
	struct iovec parts[2] = {
		{ .iov_base = id, .iov_len = 2 },
		{ .iov_base = question->data + 2, .iov_len = question->size - 2 },
	};
	int r;

	if (fd < 0 || (connect(fd, (void *)&address, length) < 0 && errno != EINPROGRESS))
		return -errno;
	if (!question->by_tcp && writev(fd, parts, 2) < 0)
		return -errno;
	r = loop_add(&question->broker->loop, &question->item, fd,
		     question->by_tcp ? EPOLLOUT : EPOLLIN);
	if (r == 0)
		(void)take_fd(&fd);
	return r;
}

/* The next server whom the question can be sent to; after all of them twice: an error. */
static void ask_next(struct question *question)
{
	struct forwarder *forwarder = question->broker->forwarder;

	while (question->tries < ROUNDS * forwarder->server_count) {
		size_t server = (forwarder->good + question->tries++) % forwarder->server_count;

		close_server(question);
		question->answer_used = 0;
		question->deadline = loop_now() + TRY_MS;
		if (getrandom(&question->id, sizeof(question->id), 0) < 0)
			continue;
		if (ask_server(question, &forwarder->servers[server]) == 0)
			return;
	}
	reply_error(question, DNS_SERVFAIL);
}

/* ---- questions ---- */

/* What we know ourselves; true: answered. */
static bool answer_locally(struct question *question)
{
	const struct net_config *config = question->broker->start->config;
	struct net_addr addrs[SERVERS_MAX];
	uint8_t data[DNS_UDP_PLAIN];
	size_t count = 0;
	bool known = false;

	for (size_t i = 0; i < config->host_count && count < ARRAY_SIZE(addrs); i++) {
		if (strcmp(config->hosts[i].name, question->query.name) != 0)
			continue;
		known = true;
		addrs[count++] = config->hosts[i].addr;
		broker_pin(question->broker, question->query.name, &config->hosts[i].addr,
			   HOST_TTL);
	}
	if (!known)
		return false;
	reply(question, data,
	      dns_write_addrs(question->data, question->size, &question->query, addrs, count,
			      HOST_TTL, data));
	return true;
}

static void answer_question(struct question *question)
{
	struct broker *broker = question->broker;
	int rule;

	if (!policy_allows_name(&broker->policy, question->query.name, &rule)) {
		log_query(question, rule);
		reply_error(question, DNS_REFUSED);
	} else if (answer_locally(question)) {
		return;
	} else if (broker->policy.has_names &&
		   (question->query.type == DNS_HTTPS || question->query.type == DNS_SVCB)) {
		/* They hold addresses, and keys that would hide whom the client asks for. */
		reply_error(question, DNS_NOERROR);
	} else {
		ask_next(question);
	}
}

/* A query as it came. NULL: there is nothing to wait for. */
static struct question *new_question(struct forwarder *forwarder, const uint8_t *data, size_t size)
{
	struct question *question;

	if (forwarder->question_count >= QUESTIONS_MAX || size > QUERY_MAX)
		return NULL;
	question = calloc(1, sizeof(*question) + size);
	if (!question)
		return NULL;
	memcpy(question->data, data, size);
	question->size = size;
	question->broker = forwarder->broker;
	question->item = (struct loop_item){ .act = act_server, .fd = -EBADF };
	question->next = forwarder->questions;
	question->place = &forwarder->questions;
	if (question->next)
		question->next->place = &question->next;
	forwarder->questions = question;
	forwarder->question_count++;
	return question;
}

static void begin_question(struct question *question)
{
	int r = dns_parse_query(question->data, question->size, &question->query);

	if (r == -EBADMSG)
		reply(question, NULL, 0);
	else if (r < 0)
		reply_error(question, r == -EOPNOTSUPP ? DNS_NOTIMP : DNS_FORMERR);
	else
		answer_question(question);
}

static void act_udp(struct forwarder *forwarder, int fd)
{
	uint8_t data[QUERY_MAX];

	for (int i = 0; i < BURST; i++) {
		struct sockaddr_storage from = { 0 };
		socklen_t length = sizeof(from);
		ssize_t got =
			recvfrom(fd, data, sizeof(data), MSG_DONTWAIT, (void *)&from, &length);
		struct question *question;

		if (got < 0)
			return;
		question = new_question(forwarder, data, (size_t)got);
		if (!question)
			continue; /* he asks again */
		question->reply_fd = fd;
		question->from = from;
		question->from_length = length;
		begin_question(question);
	}
}

static void act_udp_v4(struct loop_item *item, uint32_t events)
{
	(void)events;
	act_udp(container_of(item, struct forwarder, udp[0]), item->fd);
}

static void act_udp_v6(struct loop_item *item, uint32_t events)
{
	(void)events;
	act_udp(container_of(item, struct forwarder, udp[1]), item->fd);
}

/* ---- clients by TCP ---- */

/* The next whole query of what has come. */
static void serve_client(struct client *client)
{
	size_t size = (size_t)(client->data[0] << 8 | client->data[1]);
	struct question *question;

	if (client->question || client->used < 2)
		return;
	if (size > QUERY_MAX) {
		free_client(client);
		return;
	}
	if (client->used < size + 2)
		return;
	question = new_question(client->broker->forwarder, client->data + 2, size);
	client->used -= size + 2;
	memmove(client->data, client->data + 2 + size, client->used);
	if (!question) {
		free_client(client);
		return;
	}
	question->by_tcp = true;
	question->client = client;
	client->question = question;
	loop_change(&client->broker->loop, &client->item, EPOLLRDHUP);
	begin_question(question);
}

static void act_client(struct loop_item *item, uint32_t events)
{
	struct client *client = container_of(item, struct client, item);
	ssize_t got;

	if (!(events & EPOLLIN)) {
		free_client(client);
		return;
	}
	got = recv(item->fd, client->data + client->used, sizeof(client->data) - client->used,
		   MSG_DONTWAIT);
	if (got <= 0) {
		if (got == 0 || (errno != EAGAIN && errno != EINTR))
			free_client(client);
		return;
	}
	client->used += (size_t)got;
	client->since = loop_now();
	serve_client(client);
}

static void accept_client(struct forwarder *forwarder, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	int bytes = SEND_BYTES;
	struct client *client = NULL;

	if (fd < 0)
		return;
	if (forwarder->client_count < CLIENTS_MAX)
		client = calloc(1, sizeof(*client));
	if (!client) {
		relay_reset_fd(fd);
		return;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	client->broker = forwarder->broker;
	client->item.act = act_client;
	client->since = loop_now();
	client->next = forwarder->clients;
	client->place = &forwarder->clients;
	if (client->next)
		client->next->place = &client->next;
	forwarder->clients = client;
	forwarder->client_count++;
	client->item.fd = fd;
	if (loop_add(&forwarder->broker->loop, &client->item, fd, EPOLLIN | EPOLLRDHUP) < 0)
		free_client(client);
}

static void act_tcp_v4(struct loop_item *item, uint32_t events)
{
	(void)events;
	accept_client(container_of(item, struct forwarder, tcp[0]), item->fd);
}

static void act_tcp_v6(struct loop_item *item, uint32_t events)
{
	(void)events;
	accept_client(container_of(item, struct forwarder, tcp[1]), item->fd);
}

/* ---- */

bool forwarder_waits(const struct broker *broker)
{
	return broker->forwarder->questions || broker->forwarder->clients;
}

void forwarder_tick(struct broker *broker)
{
	int64_t now = loop_now();
	struct question *next_question;
	struct client *next_client;

	for (struct question *question = broker->forwarder->questions; question;
	     question = next_question) {
		next_question = question->next;
		if (question->deadline <= now)
			ask_next(question);
	}
	for (struct client *client = broker->forwarder->clients; client; client = next_client) {
		next_client = client->next;
		if (!client->question && client->since + CLIENT_MS <= now)
			free_client(client);
	}
}

/* The address of a line of resolv.conf(5), "nameserver ADDRESS"; others are none. */
static bool read_server(const char *line, struct net_addr *ret_addr)
{
	static const char key[] = "nameserver";
	const char *value = line + strlen(key);
	char word[NET_ADDR_TEXT];
	size_t length;

	if (!str_starts(line, key) || (*value != ' ' && *value != '\t'))
		return false;
	value += strspn(value, " \t");
	length = strcspn(value, " \t\r\n");
	if (length >= sizeof(word))
		return false;
	memcpy(word, value, length);
	word[length] = '\0';
	return net_addr_parse(word, ret_addr) == 0;
}

void forwarder_set(struct broker *broker, const char *text)
{
	struct forwarder *forwarder = broker->forwarder;

	if (broker->start->config->dns_count)
		return;
	forwarder->server_count = forwarder->good = 0;
	while (*text && forwarder->server_count < SERVERS_MAX) {
		struct net_addr *server = &forwarder->servers[forwarder->server_count];

		if (read_server(text, server))
			forwarder->server_count++;
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
}

int forwarder_start(struct broker *broker)
{
	static struct forwarder forwarder; /* the process's only one */
	const struct broker_start *start = broker->start;
	int r = 0;

	forwarder.broker = broker;
	broker->forwarder = &forwarder;
	forwarder.udp[0].act = act_udp_v4;
	forwarder.udp[1].act = act_udp_v6;
	forwarder.tcp[0].act = act_tcp_v4;
	forwarder.tcp[1].act = act_tcp_v6;
	forwarder.server_count = start->config->dns_count;
	memcpy(forwarder.servers, start->config->dns, sizeof(start->config->dns));
	for (size_t i = 0; r == 0 && i < 2; i++) {
		if (start->dns_udp[i] < 0)
			continue;
		r = loop_add(&broker->loop, &forwarder.udp[i], start->dns_udp[i], EPOLLIN);
		if (r == 0)
			r = loop_add(&broker->loop, &forwarder.tcp[i], start->dns_tcp[i], EPOLLIN);
	}
	return r;
}
