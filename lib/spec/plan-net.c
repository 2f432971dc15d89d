/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The network of --net: conflicts, addresses, and the files that tell of it.
 */
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "spec/defaults.h"
#include "spec/plan-parts.h"

#define RESOLV_WORDS_MAX 512 /* bytes of the host's search list or options that are taken over */

int plan_net_asked(const struct plan *plan, struct cloche_error *err)
{
	const struct spec *spec = plan->spec;

	if (!spec->net.on.is_set) {
		if (!spec->net.option.is_set)
			return 0;
		error_set_hint(err, HINT_NET_NEEDED);
		return plan_blame(err, spec->net.option.use, ERROR_NET_NEEDED, NULL);
	}
	if (spec->share & CLONE_NEWNET)
		return plan_blame(err, spec->share_net_use, ERROR_NET_CONFLICT, "share-net");
	if (spec_joins(spec, NS_NET))
		return plan_blame(err, spec->namespaces.join[NS_NET].use, ERROR_NET_CONFLICT,
				  "netns");
	return 0;
}

/* ---- addresses ---- */

static bool clashes(const struct net_prefix *prefix, const struct facts_net *facts,
		    const struct net_prefix **ret_route)
{
	for (size_t i = 0; i < facts->route_count; i++) {
		const struct net_prefix *route = &facts->routes[i];

		if (net_prefix_covers(prefix, route) || net_prefix_covers(route, prefix)) {
			*ret_route = route;
			return true;
		}
	}
	return false;
}

/* 10.0.2.0/24, or where the host has a route there the next one that is free. */
static int choose_network(struct plan *plan, const struct facts_net *facts,
			  struct cloche_error *err)
{
	const struct net_config *config = &plan->net.config;
	const struct net_prefix *route = NULL;
	char asked[NET_ADDR_TEXT], taken[NET_ADDR_TEXT];

	plan->net.cidr = config->cidr;
	for (int i = 0; i < UINT8_MAX && clashes(&plan->net.cidr, facts, &route); i++) {
		if (config->has_cidr) {
			err->use = plan->spec->net.option.use;
			for (size_t j = 0; j < plan->spec->use_count; j++)
				if (strcmp(plan->spec->uses[j].row->name, "net-cidr") == 0)
					err->use = (int)j;
			return error_set_detail(err, ERROR_NET_CLASH, 0,
						net_prefix_text(&config->cidr, asked),
						net_prefix_text(route, taken));
		}
		plan->net.cidr.addr.bytes[2]++;
	}
	plan->net.layout = net_layout_make(&plan->net.cidr, facts->has_v6);
	return 0;
}

/* ---- files ---- */

/* The rest of the last line of a resolv.conf that begins with @key; "" */
static void find_line(const char *text, const char *key, char found[RESOLV_WORDS_MAX])
{
	found[0] = '\0';
	while (text && *text) {
		size_t length = strcspn(text, "\n"), head = strlen(key);

		if (str_starts(text, key) && strchr(" \t", text[head]) && length > head &&
		    length - head < RESOLV_WORDS_MAX) {
			memcpy(found, text + head, length - head);
			found[length - head] = '\0';
		}
		text += length;
		text += *text == '\n';
	}
}

static char *resolv_text(const struct plan *plan, const struct facts_net *facts)
{
	char search[RESOLV_WORDS_MAX], options[RESOLV_WORDS_MAX], address[NET_ADDR_TEXT];

	find_line(facts->resolv, "search", search);
	if (!search[0])
		find_line(facts->resolv, "domain", search);
	find_line(facts->resolv, "options", options);
	return str_format("nameserver %s\n%s%s%s%s%s%s",
			  net_addr_text(&plan->net.layout.dns[0], address),
			  search[0] ? "search" : "", search, search[0] ? "\n" : "",
			  options[0] ? "options" : "", options, options[0] ? "\n" : "");
}

static char *hosts_text(const struct plan *plan, const char *hostname)
{
	const struct net_config *config = &plan->net.config;
	char address[NET_ADDR_TEXT];
	char *text = str_format("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
				"%s\t%s\n",
				net_addr_text(&plan->net.layout.own[0], address), hostname);

	for (size_t i = 0; text && i < config->host_count; i++) {
		char *longer = str_format("%s%s\t%s\n", text,
					  net_addr_text(&config->hosts[i].addr, address),
					  config->hosts[i].name);

		free(text);
		text = longer;
	}
	return text;
}

static int add_file(struct plan *plan, size_t index, const char *path, char *text,
		    struct cloche_error *err)
{
	if (!text)
		return error_no_memory(err);
	plan->net.texts[index] = text;
	plan->ops[plan->op_count++] = (struct fs_op){
		.type = OP_TEXT, .use = -1, .source = text, .dest = path, .fd = -1, .mode = 0644
	};
	return 0;
}

static int add_files(struct plan *plan, const struct facts_net *facts, struct cloche_error *err)
{
	const char *hostname =
		plan->spec->hostname.text ? plan->spec->hostname.text : facts->hostname;
	enum net_resolv resolv = plan->net.config.resolv;
	int r = add_file(plan, 0, "/etc/hostname", str_format("%s\n", hostname), err);

	if (r == 0)
		r = add_file(plan, 1, "/etc/hosts", hosts_text(plan, hostname), err);
	if (r < 0 || resolv == RESOLV_NONE)
		return r;
	return add_file(plan, 2, "/etc/resolv.conf",
			resolv == RESOLV_HOST ? strdup(facts->resolv ? facts->resolv : "")
					      : resolv_text(plan, facts),
			err);
}

int plan_net_make(struct plan *plan, const struct facts *facts, struct cloche_error *err)
{
	const struct spec_net *net = &plan->spec->net;
	int dead, r;

	if (!net->on.is_set)
		return 0;
	if (plan->landlock.is_tier)
		return plan_blame(err, net->on.use, ERROR_NET_TIER, NULL);
	plan->net.is_on = true;
	if (net->option.is_set)
		plan->net.config = net->config;
	else
		net_config_init(&plan->net.config);
	dead = net_config_dead_rule(&plan->net.config);
	if (dead >= 0) {
		error_set_hint(err, HINT_NET_DEAD_RULE);
		return plan_blame(err, plan->net.config.rules[dead].use, ERROR_NET_DEAD_RULE, NULL);
	}
	r = choose_network(plan, &facts->net, err);
	if (r == 0)
		r = add_files(plan, &facts->net, err);
	plan->needs_scratch = true;
	return r;
}

void plan_free_net(struct plan *plan)
{
	for (size_t i = 0; i < PLAN_NET_TEXTS; i++)
		free(plan->net.texts[i]);
}
