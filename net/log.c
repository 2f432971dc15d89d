/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * --net-log: one JSON object a line, for each flow that ended and each denial. A line is one
 * write(2); a reader that does not read loses lines, it does not stop the network.
 */
#include <time.h>

#include "base/jsonw.h"
#include "net/broker.h"

#define LINE_SIZE 2048

static const char *proto_name(enum net_proto proto)
{
	return proto == NET_TCP ? "tcp" : proto == NET_UDP ? "udp" : "icmp";
}

static void add_time(struct str_buf *out)
{
	struct timespec now;
	struct tm utc;
	char text[64], digits[STR_NUMBER_SIZE];

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &utc);
	text[strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc)] = '\0';
	str_add(out, "{\"time\": \"");
	str_add(out, text);
	/* six digits, zeros in front included: the 1 of the next higher place is left out */
	str_add_char(out, '.');
	str_add(out, str_number(digits, 1000000u + (uint64_t)now.tv_nsec / 1000) + 1);
	str_add(out, "Z\"");
}

static void add_key(struct str_buf *out, const char *key)
{
	str_add(out, ", \"");
	str_add(out, key);
	str_add(out, "\": ");
}

static void add_text(struct str_buf *out, const char *key, const char *text)
{
	add_key(out, key);
	jsonw_string(out, text);
}

static void add_number(struct str_buf *out, const char *key, uint64_t number)
{
	add_key(out, key);
	str_add_number(out, number);
}

static void add_rule(struct str_buf *out, const struct net_config *config, int rule)
{
	char text[512];
	struct str_buf option = { .data = text, .size = sizeof(text) };

	if (rule == REASON_DEFAULT || (rule >= 0 && (size_t)rule >= config->rule_count))
		return;
	if (rule >= 0) {
		str_add(&option, config->rules[rule].allows ? "--net-allow " : "--net-deny ");
		str_add(&option, config->rules[rule].text);
	} else {
		str_add(&option, policy_reason_text(rule));
	}
	add_text(out, "rule", text);
}

void log_write(const struct broker *broker, const struct log_line *line)
{
	char data[LINE_SIZE], address[NET_ADDR_TEXT];
	struct str_buf out = { .data = data, .size = sizeof(data) - 2 };

	if (broker->start->log_fd < 0)
		return;
	add_time(&out);
	add_text(&out, "event", line->event);
	add_text(&out, "direction", line->is_inbound ? "in" : "out");
	add_text(&out, "proto", proto_name(line->proto));
	if (line->name && line->name[0])
		add_text(&out, "name", line->name);
	if (line->dest) {
		add_text(&out, "address", net_addr_text(&line->dest->addr, address));
		if (line->proto != NET_ICMP)
			add_number(&out, "port", line->dest->port);
	}
	add_text(&out, "verdict", line->allowed ? "allow" : "deny");
	add_rule(&out, broker->start->config, line->rule);
	if (line->allowed) {
		add_number(&out, "sent", line->sent);
		add_number(&out, "received", line->received);
	}
	if (line->milliseconds >= 0)
		add_number(&out, "milliseconds", (uint64_t)line->milliseconds);
	str_add(&out, "}\n");
	ignore(write(broker->start->log_fd, data, out.length) < 0);
}
