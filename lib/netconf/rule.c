/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Rules as text. What is no address, no name in ASCII and no * is refused, never guessed.
 */
#include "netconf/rule.h"

#include <ctype.h>
#include <string.h>

#include "base/num.h"

#define LABEL_MAX 63

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* One label, its letters made small; the bytes read, 0 where it is none. */
static size_t normalize_label(const char *label, char *ret)
{
	size_t length = 0;

	for (; label[length] && label[length] != '.'; length++) {
		char c = label[length];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (!is_name_char(c) || length >= LABEL_MAX)
			return 0;
		ret[length] = c;
	}
	return length && label[0] != '-' && label[length - 1] != '-' ? length : 0;
}

int net_name_normalize(const char *name, char ret_name[NET_NAME_MAX])
{
	char normal[NET_NAME_MAX] = "";
	size_t length = 0;

	if (strlen(name) > NET_NAME_MAX)
		return -EINVAL;
	while (*name) {
		char label[LABEL_MAX];
		size_t size = normalize_label(name, label);

		if (!size || length + size + 2 > sizeof(normal))
			return -EINVAL;
		if (length)
			normal[length++] = '.';
		memcpy(normal + length, label, size);
		length += size;
		name += size;
		name += *name == '.'; /* a dot at the end goes */
	}
	if (!length)
		return -EINVAL;
	normal[length] = '\0';
	memcpy(ret_name, normal, sizeof(normal));
	return 0;
}

/* Forms of an address that inet_aton(3) and browsers read: 127.1, 0177.0.0.1, 0x7f000001. */
static bool looks_like_address(const char *name)
{
	const char *last = strrchr(name, '.');

	last = last ? last + 1 : name;
	if (last[0] == '0' && last[1] == 'x')
		return true;
	return strspn(last, "0123456789") == strlen(last);
}

static int parse_ports(char *text, struct net_rule *rule)
{
	char *saved = NULL;
	size_t length = strlen(text);

	if (!length || text[0] == ',' || text[length - 1] == ',' || strstr(text, ",,"))
		return -EINVAL;
	for (char *word = strtok_r(text, ",", &saved); word; word = strtok_r(NULL, ",", &saved)) {
		char *dash = strchr(word, '-');
		uint64_t first, last;

		if (dash)
			*dash = '\0';
		if (rule->port_count >= NET_PORTS_MAX || num_parse(word, UINT16_MAX, &first) < 0)
			return -EINVAL;
		last = first;
		if (dash && num_parse(dash + 1, UINT16_MAX, &last) < 0)
			return -EINVAL;
		if (!first || last < first)
			return -EINVAL;
		rule->ports[rule->port_count++] =
			(struct net_ports){ (uint16_t)first, (uint16_t)last };
	}
	return 0;
}

static int parse_target(const char *text, struct net_rule *rule)
{
	const char *name = text;

	if (strcmp(text, "*") == 0) {
		rule->kind = RULE_ANY;
		return 0;
	}
	rule->kind = RULE_PREFIX;
	if (net_prefix_parse(text, &rule->prefix) == 0)
		return 0;
	rule->kind = RULE_NAME;
	if (str_starts(text, "*.")) {
		rule->kind = RULE_BELOW;
		name += 2;
	}
	if (net_name_normalize(name, rule->name) < 0)
		return -EINVAL;
	return looks_like_address(rule->name) ? -EINVAL : 0;
}

/* Where the ports begin: behind the one colon, or behind the brackets that an IPv6 address then
 * needs. Takes the brackets away. */
static int split_ports(char *text, char **ret_target, char **ret_ports)
{
	char *colon = strchr(text, ':');
	char *end = text[0] == '[' ? strchr(text, ']') : NULL;

	*ret_target = text;
	*ret_ports = NULL;
	if (text[0] != '[') {
		if (colon && !strchr(colon + 1, ':')) {
			*colon = '\0';
			*ret_ports = colon + 1;
		}
		return 0;
	}
	if (!end || !strchr(text, ':') || strchr(text, ':') > end)
		return -EINVAL;
	*ret_target = text + 1;
	/* [ADDR]/BITS and [ADDR/BITS], each with ports or without. */
	memmove(end, end + 1, strlen(end));
	colon = strchr(end, ':');
	if (*end && *end != '/' && *end != ':')
		return -EINVAL;
	if (colon) {
		*colon = '\0';
		*ret_ports = colon + 1;
	}
	return 0;
}

int net_rule_parse(const char *text, bool allows, struct net_rule *ret_rule)
{
	static const struct {
		const char *prefix;
		enum net_proto proto;
	} protos[] = { { "tcp:", NET_TCP }, { "udp:", NET_UDP }, { "icmp:", NET_ICMP } };
	struct net_rule rule = { .allows = allows, .text = text };
	const char *rest = text;
	char *target, *ports;
	_free_ char *copy = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(protos); i++) {
		if (!rule.proto && str_starts(rest, protos[i].prefix)) {
			rule.proto = protos[i].proto;
			rest += strlen(protos[i].prefix);
		}
	}
	copy = strdup(rest);
	if (!copy)
		return -ENOMEM;
	if (split_ports(copy, &target, &ports) < 0 || parse_target(target, &rule) < 0)
		return -EINVAL;
	if (ports && (rule.proto == NET_ICMP || parse_ports(ports, &rule) < 0))
		return -EINVAL;
	*ret_rule = rule;
	return 0;
}

bool net_rule_matches_port(const struct net_rule *rule, enum net_proto proto, uint16_t port)
{
	if (rule->proto && rule->proto != proto)
		return false;
	for (size_t i = 0; i < rule->port_count; i++)
		if (proto != NET_ICMP && port >= rule->ports[i].first &&
		    port <= rule->ports[i].last)
			return true;
	return !rule->port_count;
}

bool net_rule_matches_name(const struct net_rule *rule, const char *name)
{
	size_t below = strlen(rule->name), length = strlen(name);

	if (rule->kind == RULE_NAME)
		return strcmp(rule->name, name) == 0;
	return rule->kind == RULE_BELOW && length > below + 1 && name[length - below - 1] == '.' &&
	       strcmp(name + length - below, rule->name) == 0;
}

static bool ports_cover(const struct net_rule *first, const struct net_rule *later)
{
	if (!first->port_count)
		return true;
	for (size_t i = 0; i < later->port_count; i++) {
		bool found = false;

		for (size_t j = 0; j < first->port_count; j++)
			found |= first->ports[j].first <= later->ports[i].first &&
				 first->ports[j].last >= later->ports[i].last;
		if (!found)
			return false;
	}
	return later->port_count > 0;
}

bool net_rule_covers(const struct net_rule *first, const struct net_rule *later)
{
	if ((first->proto && first->proto != later->proto) || !ports_cover(first, later))
		return false;
	switch (first->kind) {
	case RULE_ANY:
		return true;
	case RULE_PREFIX:
		return later->kind == RULE_PREFIX &&
		       net_prefix_covers(&first->prefix, &later->prefix);
	case RULE_NAME:
		return later->kind == RULE_NAME && strcmp(first->name, later->name) == 0;
	default:
		return net_rule_names(later) &&
		       (net_rule_matches_name(first, later->name) ||
			(later->kind == RULE_BELOW && strcmp(first->name, later->name) == 0));
	}
}
