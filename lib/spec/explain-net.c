/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The network in words: what was decided, and what cloche-net found that the kernel can do.
 */
#include <string.h>

#include "spec/explain-parts.h"

/* The value of line NAME=VALUE of what was found, its length in *@ret_length; NULL where there is
 * none. */
static const char *found(const struct facts *facts, const char *name, size_t *ret_length)
{
	for (const char *line = facts->net.probe; line && *line;) {
		size_t length = strcspn(line, "\n"), head = strlen(name);

		if (strncmp(line, name, head) == 0 && line[head] == '=') {
			*ret_length = length - head - 1;
			return line + head + 1;
		}
		line += length;
		line += *line == '\n';
	}
	return NULL;
}

static char *found_copy(const struct facts *facts, const char *name)
{
	size_t length = 0;
	const char *value = found(facts, name, &length);

	return value ? strndup(value, length) : NULL;
}

/* A choice and why it was made. */
static void text_choice(const struct facts *facts, const char *name, const char *reason_name,
			FILE *out)
{
	_free_ char *value = found_copy(facts, name), *reason = found_copy(facts, reason_name);

	if (!value)
		return;
	fprintf(out, "  %s: ", name);
	explain_put_escaped(value, out);
	if (reason && *reason) {
		fputs(" (", out);
		explain_put_escaped(reason, out);
		fputc(')', out);
	}
	fputc('\n', out);
}

static const char *const choices[][2] = {
	{ "carrier", "carrier-reason" },
	{ "path", "path-reason" },
	{ "hold", "hold-reason" },
	{ "failed", "failed-reason" },
};

void explain_net_text(const struct plan *plan, const struct facts *facts, FILE *out)
{
	const struct plan_net *net = &plan->net;
	char text[NET_ADDR_TEXT];

	if (!net->is_on)
		return;
	fprintf(out, "network: %s", net_prefix_text(&net->layout.v4, text));
	if (net->layout.v6.addr.family)
		fprintf(out, ", %s", net_prefix_text(&net->layout.v6, text));
	fprintf(out, "\n  interface: %s, MTU %u\n", net->config.ifname, net->config.mtu);
	for (size_t i = 0; i < 2; i++) {
		if (!net->layout.own[i].family)
			continue;
		fprintf(out, "  address: %s", net_addr_text(&net->layout.own[i], text));
		fprintf(out, ", gateway %s", net_addr_text(&net->layout.gateway[i], text));
		fprintf(out, ", nameserver %s\n", net_addr_text(&net->layout.dns[i], text));
	}
	for (size_t i = 0; i < ARRAY_SIZE(choices); i++)
		text_choice(facts, choices[i][0], choices[i][1], out);
	for (size_t i = 0; i < net->config.rule_count; i++) {
		fprintf(out, "  %s ", net->config.rules[i].allows ? "allow" : "deny");
		explain_put_escaped(net->config.rules[i].text, out);
		fputc('\n', out);
	}
	fprintf(out, "  private networks: %s\n", net->config.lan ? "allowed" : "refused");
	fprintf(out, "  if it fails: %s\n",
		net->config.fails_closed ? "COMMAND goes on without" : "the sandbox ends");
}

static void json_text(const char *key, const char *value, FILE *out)
{
	explain_json_key(key, out);
	explain_put_json(value, out);
}

void explain_net_json(const struct plan *plan, const struct facts *facts, FILE *out)
{
	const struct plan_net *net = &plan->net;
	const char *const keys[2][3] = { { "address", "gateway", "nameserver" },
					 { "address6", "gateway6", "nameserver6" } };
	char text[NET_ADDR_TEXT];

	if (!net->is_on)
		return;
	explain_json_key("network", out);
	fprintf(out, "{\"mtu\": %u", net->config.mtu);
	json_text("interface", net->config.ifname, out);
	json_text("cidr", net_prefix_text(&net->layout.v4, text), out);
	for (size_t i = 0; i < 2; i++) {
		if (!net->layout.own[i].family)
			continue;
		json_text(keys[i][0], net_addr_text(&net->layout.own[i], text), out);
		json_text(keys[i][1], net_addr_text(&net->layout.gateway[i], text), out);
		json_text(keys[i][2], net_addr_text(&net->layout.dns[i], text), out);
	}
	for (size_t i = 0; i < ARRAY_SIZE(choices); i++) {
		for (size_t j = 0; j < 2; j++) {
			_free_ char *value = found_copy(facts, choices[i][j]);

			if (value)
				json_text(choices[i][j], value, out);
		}
	}
	explain_json_key("rules", out);
	fputc('[', out);
	for (size_t i = 0; i < net->config.rule_count; i++) {
		fprintf(out, "%s{\"verdict\": \"%s\"", i ? ", " : "",
			net->config.rules[i].allows ? "allow" : "deny");
		json_text("rule", net->config.rules[i].text, out);
		fputc('}', out);
	}
	fprintf(out, "], \"lan\": %s, \"fail\": \"%s\"}", net->config.lan ? "true" : "false",
		net->config.fails_closed ? "closed" : "kill");
}
