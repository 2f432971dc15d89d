/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rules. An IPv6 address that stands for an IPv4 one is judged as both.
 */
#include "net/policy.h"

#include <string.h>

#include "net/loop.h"

/* Longer than names are kept by those who asked: a connection may come late. */
#define PIN_MIN_SECONDS 300

static const struct {
	const char *prefix;
	enum policy_reason reason;
} builtins[POLICY_BUILTINS] = {
	{ "0.0.0.0/8", REASON_LOOPBACK },	 { "127.0.0.0/8", REASON_LOOPBACK },
	{ "::/127", REASON_LOOPBACK },		 { "169.254.0.0/16", REASON_LINK_LOCAL },
	{ "fe80::/10", REASON_LINK_LOCAL },	 { "100.100.100.200/32", REASON_METADATA },
	{ "168.63.129.16/32", REASON_METADATA }, { "192.0.0.192/32", REASON_METADATA },
	{ "fd00:ec2::/32", REASON_METADATA },	 { "fd20:ce::/32", REASON_METADATA },
	{ "224.0.0.0/3", REASON_MULTICAST },	 { "ff00::/8", REASON_MULTICAST },
	{ "10.0.0.0/8", REASON_PRIVATE },	 { "172.16.0.0/12", REASON_PRIVATE },
	{ "192.168.0.0/16", REASON_PRIVATE },	 { "100.64.0.0/10", REASON_PRIVATE },
	{ "192.0.0.0/24", REASON_PRIVATE },	 { "fc00::/7", REASON_PRIVATE },
	{ "fec0::/10", REASON_PRIVATE },
};

static const char *const reasons[] = {
	[-REASON_DEFAULT] = "no rule allows it",
	[-REASON_LOOPBACK] = "the host's loopback (--net-allow-host PORT)",
	[-REASON_HOST] = "an address of the host (--net-allow ADDRESS)",
	[-REASON_LINK_LOCAL] = "a link-local address (--net-allow ADDRESS)",
	[-REASON_METADATA] = "a cloud's metadata service (--net-allow ADDRESS)",
	[-REASON_MULTICAST] = "a multicast or reserved address",
	[-REASON_PRIVATE] = "a private network (--net-lan on)",
	[-REASON_SANDBOX] = "an address of the sandbox's own network",
	[-REASON_NO_NAME] = "an address that no allowed name was answered with",
	[-REASON_NAME] = "the client asks for another name",
	[-REASON_REBIND] = "the nameserver answered with a denied address",
	[-REASON_NOT_CARRIED] = "a protocol that is not carried",
};

const char *policy_reason_text(int rule)
{
	return rule < 0 && (size_t)-rule < ARRAY_SIZE(reasons) ? reasons[-rule] : NULL;
}

static void sum_up(struct policy *policy)
{
	const struct net_config *config = policy->config;

	policy->has_names = net_config_has_names(config);
	policy->has_allows = false;
	for (size_t i = 0; i < config->rule_count; i++)
		policy->has_allows |= config->rules[i].allows;
}

void policy_init(struct policy *policy, struct net_config *config, const struct net_layout *layout)
{
	*policy = (struct policy){ .config = config, .layout = *layout };
	for (size_t i = 0; i < POLICY_BUILTINS; i++) /* constants that are right */
		ignore(net_prefix_parse(builtins[i].prefix, &policy->builtins[i]));
	sum_up(policy);
}

int policy_put_first(struct policy *policy, const char *text, bool allows)
{
	int r = net_config_put_first(policy->config, text, allows);

	sum_up(policy);
	return r;
}

/* ---- pins ---- */

static size_t bucket_of(const struct net_addr *addr)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < net_addr_size(addr); i++)
		hash = (hash ^ addr->bytes[i]) * 16777619u;
	return hash % POLICY_BUCKETS;
}

static void drop_expired(struct policy *policy)
{
	int64_t now = loop_now();

	for (size_t i = 0; i < POLICY_BUCKETS; i++) {
		struct policy_pin **place = &policy->pins[i];

		while (*place) {
			struct policy_pin *pin = *place;

			if (pin->expires > now) {
				place = &pin->next;
				continue;
			}
			*place = pin->next;
			policy->pin_count--;
			free(pin);
		}
	}
}

void policy_pin(struct policy *policy, const char *name, const struct net_addr *addr, uint32_t ttl)
{
	struct policy_pin **bucket = &policy->pins[bucket_of(addr)], *pin;
	int64_t seconds = ttl < PIN_MIN_SECONDS ? PIN_MIN_SECONDS : ttl > 86400 ? 86400 : ttl;
	int64_t expires = loop_now() + seconds * 1000;

	for (pin = *bucket; pin; pin = pin->next) {
		if (!net_addr_equal(&pin->addr, addr) || strcmp(pin->name, name) != 0)
			continue;
		pin->expires = expires > pin->expires ? expires : pin->expires;
		return;
	}
	if (policy->pin_count >= POLICY_PINS_MAX)
		drop_expired(policy);
	if (policy->pin_count >= POLICY_PINS_MAX)
		return;
	pin = malloc(sizeof(*pin) + strlen(name) + 1);
	if (!pin)
		return;
	*pin = (struct policy_pin){ .next = *bucket, .addr = *addr, .expires = expires };
	memcpy(pin->name, name, strlen(name) + 1);
	*bucket = pin;
	policy->pin_count++;
}

/* The next valid pin of @addr, from @pin on. */
static const struct policy_pin *find_pin(const struct policy_pin *pin, const struct net_addr *addr,
					 int64_t now)
{
	while (pin && (!net_addr_equal(&pin->addr, addr) || pin->expires <= now))
		pin = pin->next;
	return pin;
}

static const struct policy_pin *first_pin(const struct policy *policy, const struct net_addr *addr,
					  int64_t now)
{
	return find_pin(policy->pins[bucket_of(addr)], addr, now);
}

const char *policy_name_of(const struct policy *policy, const struct net_addr *addr)
{
	const struct policy_pin *pin = first_pin(policy, addr, loop_now());

	return pin ? pin->name : "";
}

/* ---- the host ---- */

int policy_host_addr(struct policy *policy, const struct net_addr *addr, bool gone)
{
	struct net_addr *grown;

	for (size_t i = 0; i < policy->host_addr_count; i++) {
		if (!net_addr_equal(&policy->host_addrs[i], addr))
			continue;
		if (gone)
			policy->host_addrs[i] = policy->host_addrs[--policy->host_addr_count];
		return 0;
	}
	if (gone)
		return 0;
	grown = realloc(policy->host_addrs, (policy->host_addr_count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	policy->host_addrs = grown;
	grown[policy->host_addr_count++] = *addr;
	return 0;
}

/* ---- what is never reached by default ---- */

struct builtin {
	int reason; /* 0: none */
	struct net_prefix prefix;
};

static struct net_prefix whole(const struct net_addr *addr)
{
	return (struct net_prefix){ *addr, (uint8_t)(8 * net_addr_size(addr)) };
}

/* One form of an address; embedded ones are another. */
static struct builtin find_builtin(const struct policy *policy, const struct net_addr *addr)
{
	const struct net_prefix *nets[2] = { &policy->layout.v4, &policy->layout.v6 };
	struct builtin found = { 0 };

	for (size_t i = 0; i < policy->host_addr_count; i++)
		if (net_addr_equal(&policy->host_addrs[i], addr))
			found = (struct builtin){ REASON_HOST, whole(addr) };
	for (size_t i = 0; !found.reason && i < 2; i++)
		if (nets[i]->addr.family && net_prefix_holds(nets[i], addr))
			found = (struct builtin){ REASON_SANDBOX, *nets[i] };
	for (size_t i = 0; !found.reason && i < POLICY_BUILTINS; i++)
		if (net_prefix_holds(&policy->builtins[i], addr))
			found = (struct builtin){ builtins[i].reason, policy->builtins[i] };
	if (found.reason == REASON_PRIVATE && policy->config->lan)
		found.reason = 0;
	return found;
}

/* Lifts @rule, which allows the address, what stands against it? It has to name it, or a part of
 * it, as an address: nobody means the host by a network around it. */
static bool lifts(const struct net_rule *rule, const struct builtin *builtin)
{
	return rule && rule->allows && rule->kind == RULE_PREFIX &&
	       builtin->reason != REASON_LOOPBACK && builtin->reason != REASON_SANDBOX &&
	       builtin->reason != REASON_MULTICAST &&
	       net_prefix_covers(&builtin->prefix, &rule->prefix);
}

/* 0, or why @addr is out of reach although @rule (or NULL) allows it. */
static int check_builtins(const struct policy *policy, const struct net_addr *addr,
			  const struct net_rule *rule)
{
	struct builtin builtin = find_builtin(policy, addr);
	struct net_addr embedded;

	if (builtin.reason && !lifts(rule, &builtin))
		return builtin.reason;
	if (!net_addr_embedded(addr, &embedded))
		return 0;
	builtin = find_builtin(policy, &embedded);
	return builtin.reason; /* no rule for IPv6 lifts what is said of IPv4 */
}

/* ---- rules ---- */

/* The first rule that speaks of it, for a client that asked for @name or (NULL) for none; -1. */
static int find_rule(const struct policy *policy, enum net_proto proto, const struct net_end *dest,
		     const char *name)
{
	for (size_t i = 0; i < policy->config->rule_count; i++) {
		const struct net_rule *rule = &policy->config->rules[i];

		if (!net_rule_matches_port(rule, proto, dest->port))
			continue;
		if (rule->kind == RULE_PREFIX ? net_prefix_holds(&rule->prefix, &dest->addr)
		    : rule->kind == RULE_ANY  ? !policy->has_names || name || !rule->allows
					      : name && net_rule_matches_name(rule, name))
			return (int)i;
	}
	return -1;
}

static struct policy_verdict judge(const struct policy *policy, enum net_proto proto,
				   const struct net_end *dest, const char *name)
{
	int index = find_rule(policy, proto, dest, name);
	const struct net_rule *rule = index < 0 ? NULL : &policy->config->rules[index];
	struct policy_verdict verdict = { .rule = index, .dest = *dest };
	int reason;

	if (rule && !rule->allows)
		return verdict;
	reason = check_builtins(policy, &dest->addr, rule);
	if (!reason && !rule && policy->has_names && !name)
		reason = REASON_NO_NAME;
	if (!reason && !rule && policy->has_allows)
		reason = REASON_DEFAULT;
	verdict.allowed = !reason;
	verdict.rule = reason ? reason : rule ? index : REASON_DEFAULT;
	verdict.check_name = policy->has_names && proto == NET_TCP && name &&
			     !(rule && rule->kind == RULE_PREFIX);
	return verdict;
}

/* The gateway stands for the host's loopback, as far as its ports are allowed. */
static bool leads_to_host(const struct policy *policy, const struct net_end *dest,
			  struct net_end *ret_dest)
{
	for (size_t i = 0; i < 2; i++) {
		const struct net_addr *gateway = &policy->layout.gateway[i];

		if (!gateway->family || !net_addr_equal(gateway, &dest->addr))
			continue;
		for (size_t j = 0; j < policy->config->host_port_count; j++) {
			const struct net_ports *ports = &policy->config->host_ports[j];

			if (dest->port < ports->first || dest->port > ports->last)
				continue;
			*ret_dest = *dest;
			return net_addr_parse(i ? "::1" : "127.0.0.1", &ret_dest->addr) == 0;
		}
	}
	return false;
}

struct policy_verdict policy_check(const struct policy *policy, enum net_proto proto,
				   const struct net_end *dest)
{
	int64_t now = loop_now();
	struct policy_verdict verdict, denied;
	struct net_end host;

	if (proto != NET_ICMP && leads_to_host(policy, dest, &host))
		return (struct policy_verdict){ .allowed = true,
						.rule = REASON_LOOPBACK,
						.dest = host };
	denied = judge(policy, proto, dest, NULL);
	if (denied.allowed)
		return denied;
	for (const struct policy_pin *pin = first_pin(policy, &dest->addr, now); pin;
	     pin = find_pin(pin->next, &dest->addr, now)) {
		verdict = judge(policy, proto, dest, pin->name);
		if (verdict.allowed)
			return verdict;
		denied = verdict;
	}
	return denied;
}

bool policy_check_name(const struct policy *policy, enum net_proto proto,
		       const struct net_end *dest, const char *name)
{
	int64_t now = loop_now();
	bool found = false;

	for (const struct policy_pin *pin = first_pin(policy, &dest->addr, now); pin;
	     pin = find_pin(pin->next, &dest->addr, now)) {
		bool allowed = judge(policy, proto, dest, pin->name).allowed;

		if (name[0] && strcmp(pin->name, name) == 0)
			return allowed;
		if (!name[0] && !allowed)
			return false;
		found = true;
	}
	return found && !name[0];
}

bool policy_allows_name(const struct policy *policy, const char *name, int *ret_rule)
{
	*ret_rule = REASON_DEFAULT;
	if (!policy->has_names)
		return true;
	for (size_t i = 0; i < policy->config->rule_count; i++) {
		const struct net_rule *rule = &policy->config->rules[i];

		if (rule->kind != RULE_ANY && !net_rule_matches_name(rule, name))
			continue;
		*ret_rule = (int)i;
		if (rule->allows)
			return true;
		if (!rule->proto && !rule->port_count)
			return false; /* else other ports of it may be allowed */
	}
	return !policy->has_allows;
}

bool policy_allows_answer(const struct policy *policy, const struct net_addr *addr)
{
	for (size_t i = 0; i < policy->config->rule_count; i++) {
		const struct net_rule *rule = &policy->config->rules[i];

		if (rule->allows && rule->kind == RULE_PREFIX &&
		    net_prefix_holds(&rule->prefix, addr) && !check_builtins(policy, addr, rule))
			return true;
	}
	return !check_builtins(policy, addr, NULL);
}
