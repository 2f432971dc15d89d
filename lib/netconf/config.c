/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Options of --net, one function per shape of value. Nothing here asks the host.
 */
#include "netconf/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"

/* IPv4 needs 68 (RFC 791), IPv6 1280; libslirp takes 65521 at most. */
#define MTU_MIN 1280
#define MTU_MAX 65521
#define MTU_DEFAULT 32768

void net_config_init(struct net_config *config)
{
	*config = (struct net_config){ .mtu = MTU_DEFAULT, .ifname = "eth0", .log_fd = -1 };
	ignore(net_prefix_parse("10.0.2.0/24", &config->cidr)); /* a constant that is right */
}

void net_config_free(struct net_config *config)
{
	free(config->rules);
	free(config->hosts);
	free(config->publishes);
	free(config->host_ports);
}

/* One more element, zeroed; NULL: out of memory. */
static void *grow(void *array, size_t *count, size_t size)
{
	void **old = array;
	char *grown = realloc(*old, (*count + 1) * size);

	if (!grown)
		return NULL;
	*old = grown;
	memset(grown + *count * size, 0, size);
	return grown + (*count)++ * size;
}

/* ---- one function per option ---- */

static int add_rule(struct net_config *config, const char *value, bool allows, int use)
{
	struct net_rule rule, *added;
	int r = net_rule_parse(value, allows, &rule);

	if (r < 0)
		return r;
	added = grow(&config->rules, &config->rule_count, sizeof(rule));
	if (!added)
		return -ENOMEM;
	*added = rule;
	added->use = use;
	return 0;
}

static int add_allow(struct net_config *config, const char *value, int use)
{
	return add_rule(config, value, true, use);
}

static int add_deny(struct net_config *config, const char *value, int use)
{
	return add_rule(config, value, false, use);
}

static int parse_range(const char *text, struct net_ports *ret_ports)
{
	const char *dash = strchr(text, '-');
	_free_ char *first = dash ? strndup(text, (size_t)(dash - text)) : strdup(text);
	uint64_t low, high;

	if (!first || num_parse(first, UINT16_MAX, &low) < 0)
		return -EINVAL;
	high = low;
	if (dash && (num_parse(dash + 1, UINT16_MAX, &high) < 0 || !low || high < low))
		return -EINVAL;
	*ret_ports = (struct net_ports){ (uint16_t)low, (uint16_t)high };
	return 0;
}

static int add_host_port(struct net_config *config, const char *value, int use)
{
	struct net_ports ports, *added;

	(void)use;
	if (parse_range(value, &ports) < 0 || !ports.first)
		return -EINVAL;
	added = grow(&config->host_ports, &config->host_port_count, sizeof(ports));
	if (!added)
		return -ENOMEM;
	*added = ports;
	return 0;
}

static int add_dns(struct net_config *config, const char *value, int use)
{
	(void)use;
	if (config->dns_count >= NET_DNS_MAX)
		return -EINVAL;
	if (net_addr_parse(value, &config->dns[config->dns_count]) < 0)
		return -EINVAL;
	config->dns_count++;
	return 0;
}

static int add_host(struct net_config *config, const char *value, int use)
{
	const char *equals = strchr(value, '=');
	_free_ char *name = equals ? strndup(value, (size_t)(equals - value)) : NULL;
	struct net_host host, *added;

	(void)use;
	if (!name || net_name_normalize(name, host.name) < 0 ||
	    net_addr_parse(equals + 1, &host.addr) < 0)
		return -EINVAL;
	added = grow(&config->hosts, &config->host_count, sizeof(host));
	if (!added)
		return -ENOMEM;
	*added = host;
	return 0;
}

/* [ADDR:]PORT[-PORT][:PORT], the brackets of an IPv6 address included. */
static int parse_publish_ports(char *text, struct net_publish *publish)
{
	char *colon = strchr(text, ':'), *end = text[0] == '[' ? strchr(text, ']') : NULL;
	struct net_ports outside;
	uint64_t inside;

	if (text[0] == '[') {
		if (!end || end[1] != ':')
			return -EINVAL;
		*end = '\0';
		if (net_addr_parse(text + 1, &publish->addr) < 0 || publish->addr.family != 6)
			return -EINVAL;
		text = end + 2;
	} else if (colon && strchr(text, '.') && strchr(text, '.') < colon) {
		*colon = '\0';
		if (net_addr_parse(text, &publish->addr) < 0)
			return -EINVAL;
		text = colon + 1;
	}
	colon = strchr(text, ':');
	if (colon)
		*colon = '\0';
	if (parse_range(text, &outside) < 0)
		return -EINVAL;
	inside = outside.first;
	if (colon && num_parse(colon + 1, UINT16_MAX, &inside) < 0)
		return -EINVAL;
	if (!inside || inside + (uint64_t)(outside.last - outside.first) > UINT16_MAX)
		return -EINVAL;
	publish->first = outside.first;
	publish->last = outside.last;
	publish->inside = (uint16_t)inside;
	return 0;
}

static int parse_publish(const char *value, struct net_publish *publish)
{
	_free_ char *copy = NULL;
	uint64_t inside;

	publish->proto = NET_TCP;
	if (str_starts(value, "unix:")) {
		const char *colon = strrchr(value, ':');

		publish->path = value + strlen("unix:");
		/* The path ends at the last colon; the words stay as they are. */
		if (colon <= publish->path || num_parse(colon + 1, UINT16_MAX, &inside) < 0 ||
		    !inside)
			return -EINVAL;
		publish->inside = (uint16_t)inside;
		return 0;
	}
	if (str_starts(value, "udp:"))
		publish->proto = NET_UDP;
	copy = strdup(str_starts(value, "udp:") || str_starts(value, "tcp:") ? value + 4 : value);
	return copy ? parse_publish_ports(copy, publish) : -ENOMEM;
}

static int add_publish(struct net_config *config, const char *value, int use)
{
	struct net_publish publish = { .use = use }, *added;
	int r = parse_publish(value, &publish);

	if (r < 0)
		return r;
	added = grow(&config->publishes, &config->publish_count, sizeof(publish));
	if (!added)
		return -ENOMEM;
	*added = publish;
	return 0;
}

static int set_log(struct net_config *config, const char *value, int use)
{
	bool is_fd = value[strspn(value, "0123456789")] == '\0';
	uint64_t fd;

	if (!value[0] || (is_fd && num_parse(value, INT32_MAX, &fd) < 0))
		return -EINVAL;
	config->log_use = use;
	config->log_fd = is_fd ? (int)fd : -1;
	config->log = is_fd ? NULL : value;
	return 0;
}

static int set_pcap(struct net_config *config, const char *value, int use)
{
	config->pcap_use = use;
	config->pcap = value;
	return value[0] ? 0 : -EINVAL;
}

/* Room for us, the gateway and the nameserver; addresses .2, .3 and .100 must exist. */
static int set_cidr(struct net_config *config, const char *value, int use)
{
	struct net_prefix prefix;

	(void)use;
	if (net_prefix_parse(value, &prefix) < 0 || prefix.addr.family != 4 || prefix.length < 8 ||
	    prefix.length > 25)
		return -EINVAL;
	config->cidr = prefix;
	config->has_cidr = true;
	return 0;
}

static int set_mtu(struct net_config *config, const char *value, int use)
{
	uint64_t mtu;

	(void)use;
	if (num_parse(value, MTU_MAX, &mtu) < 0 || mtu < MTU_MIN)
		return -EINVAL;
	config->mtu = (uint32_t)mtu;
	return 0;
}

/* As the kernel's dev_valid_name(), and no byte that a terminal obeys. */
static int set_ifname(struct net_config *config, const char *value, int use)
{
	size_t length = strlen(value);

	(void)use;
	if (!length || length >= NET_IFNAME_MAX || strcmp(value, ".") == 0 ||
	    strcmp(value, "..") == 0 || strcmp(value, "lo") == 0)
		return -EINVAL;
	for (size_t i = 0; i < length; i++)
		if (value[i] <= ' ' || value[i] > '~' || strchr("/:%", value[i]))
			return -EINVAL;
	str_copy(config->ifname, sizeof(config->ifname), value);
	return 0;
}

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *found;

	if (c >= 'A' && c <= 'F')
		c = (char)(c - 'A' + 'a');
	found = c ? strchr(digits, c) : NULL;
	return found ? (int)(found - digits) : -1;
}

static int set_mac(struct net_config *config, const char *value, int use)
{
	uint8_t mac[6];
	bool is_zero = true;

	(void)use;
	if (strlen(value) != 17)
		return -EINVAL;
	for (size_t i = 0; i < 6; i++) {
		int high = hex_digit(value[3 * i]), low = hex_digit(value[3 * i + 1]);

		if (high < 0 || low < 0 || (i < 5 && value[3 * i + 2] != ':'))
			return -EINVAL;
		mac[i] = (uint8_t)(high << 4 | low);
		is_zero &= mac[i] == 0;
	}
	if (mac[0] & 1 || is_zero)
		return -EINVAL; /* a multicast address */
	memcpy(config->mac, mac, sizeof(mac));
	config->has_mac = true;
	return 0;
}

static int set_auto(struct net_config *config, const char *value, int use)
{
	(void)value;
	(void)use;
	config->publish_auto = true;
	return 0;
}

static int set_lan(struct net_config *config, const char *value, int use)
{
	(void)use;
	config->lan = strcmp(value, "on") == 0;
	return config->lan || strcmp(value, "off") == 0 ? 0 : -EINVAL;
}

static int set_fail(struct net_config *config, const char *value, int use)
{
	(void)use;
	config->fails_closed = strcmp(value, "closed") == 0;
	return config->fails_closed || strcmp(value, "kill") == 0 ? 0 : -EINVAL;
}

/* The place of @value in the three @words, into *@field. */
static int choose(const char *value, const char *const words[3], int *field)
{
	for (int i = 0; i < 3; i++) {
		if (strcmp(value, words[i]) == 0) {
			*field = i;
			return 0;
		}
	}
	return -EINVAL;
}

static int set_path(struct net_config *config, const char *value, int use)
{
	int choice, r = choose(value, (const char *const[3]){ "auto", "splice", "slirp" }, &choice);

	(void)use;
	config->path = r < 0 ? config->path : (enum net_path)choice;
	return r;
}

static int set_carrier(struct net_config *config, const char *value, int use)
{
	int choice, r = choose(value, (const char *const[3]){ "auto", "tap", "packet" }, &choice);

	(void)use;
	config->carrier = r < 0 ? config->carrier : (enum net_carrier)choice;
	return r;
}

static int set_resolv(struct net_config *config, const char *value, int use)
{
	int choice, r = choose(value, (const char *const[3]){ "auto", "host", "none" }, &choice);

	(void)use;
	config->resolv = r < 0 ? config->resolv : (enum net_resolv)choice;
	return r;
}

#define RULE_WHAT                                                                                  \
	"a rule ([tcp:|udp:|icmp:] then ADDRESS[/BITS], a domain in ASCII, *.DOMAIN or *, then "   \
	"[:PORTS]; brackets around an IPv6 address that ports follow)"

static const struct {
	const char *name;
	int (*add)(struct net_config *config, const char *value, int use);
	const char *what;
} options[] = {
	{ "net-allow", add_allow, RULE_WHAT },
	{ "net-deny", add_deny, RULE_WHAT },
	{ "net-lan", set_lan, "on or off" },
	{ "net-allow-host", add_host_port, "a port or a range of ports (1 to 65535)" },
	{ "net-dns", add_dns, "the address of a nameserver (8 at most)" },
	{ "net-host", add_host, "NAME=ADDRESS" },
	{ "publish", add_publish, "[tcp:|udp:][ADDRESS:]PORT[-PORT][:PORT] or unix:PATH:PORT" },
	{ "publish-auto", set_auto, "" },
	{ "net-log", set_log, "a descriptor or a file" },
	{ "net-pcap", set_pcap, "a file" },
	{ "net-path", set_path, "auto, splice or slirp" },
	{ "net-carrier", set_carrier, "auto, tap or packet" },
	{ "net-fail", set_fail, "kill or closed" },
	{ "net-cidr", set_cidr, "an IPv4 network (A.B.C.0/BITS, 8 to 25 bits)" },
	{ "net-mtu", set_mtu, "a frame size (1280 to 65521)" },
	{ "net-ifname", set_ifname, "the name of an interface (15 characters at most)" },
	{ "net-mac", set_mac, "a unicast MAC address (as 02:00:00:00:00:01)" },
	{ "resolv-conf", set_resolv, "auto, host or none" },
};

int net_config_add(struct net_config *config, const char *name, const char *value, int use,
		   const char **ret_what)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		int r;

		if (strcmp(options[i].name, name) != 0)
			continue;
		r = options[i].add(config, value, use);
		if (r == -EINVAL)
			*ret_what = options[i].what;
		return r;
	}
	return -ENOENT;
}

/* Addresses to which no packet of the sandbox's can go, or that are judged in another form. */
static bool is_unreachable(const struct net_rule *rule)
{
	static const char *const never[] = {
		"127.0.0.0/8", "0.0.0.0/8", "224.0.0.0/3", "::/127", "ff00::/8", "::ffff:0:0/96",
	};

	for (size_t i = 0; rule->kind == RULE_PREFIX && i < ARRAY_SIZE(never); i++) {
		struct net_prefix prefix;

		if (net_prefix_parse(never[i], &prefix) == 0 &&
		    net_prefix_covers(&prefix, &rule->prefix))
			return true;
	}
	return false;
}

int net_config_put_first(struct net_config *config, const char *text, bool allows)
{
	struct net_rule rule = { 0 }, *added;
	int r = net_rule_parse(text, allows, &rule);

	if (r < 0)
		return r;
	rule.use = -1;
	rule.text = strdup(text); /* as long as the process lives, like the others */
	added = rule.text ? grow(&config->rules, &config->rule_count, sizeof(*added)) : NULL;
	if (!added) {
		free((char *)(uintptr_t)rule.text);
		return -ENOMEM;
	}
	memmove(config->rules + 1, config->rules, (config->rule_count - 1) * sizeof(rule));
	config->rules[0] = rule;
	return 0;
}

int net_config_dead_rule(const struct net_config *config)
{
	for (size_t i = 0; i < config->rule_count; i++) {
		const struct net_rule *rule = &config->rules[i];

		if (is_unreachable(rule))
			return (int)i;
		for (size_t j = 0; j < i; j++)
			if (net_rule_covers(&config->rules[j], rule))
				return (int)i;
	}
	return -1;
}

bool net_config_has_names(const struct net_config *config)
{
	for (size_t i = 0; i < config->rule_count; i++)
		if (net_rule_names(&config->rules[i]))
			return true;
	return false;
}
