/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of lib/netconf.
 */
#include "netconf/config.h"
#include "netconf/layout.h"

#include <string.h>

#include "unit.h"

static struct net_addr addr(const char *text)
{
	struct net_addr parsed = { 0 };

	CHECK_INT(net_addr_parse(text, &parsed), 0);
	return parsed;
}

static struct net_prefix prefix(const char *text)
{
	struct net_prefix parsed = { 0 };

	CHECK_INT(net_prefix_parse(text, &parsed), 0);
	return parsed;
}

static void test_addresses(void)
{
	static const char *const good[] = { "0.0.0.0", "1.2.3.4", "255.255.255.255", "::",
					    "::1",     "fe80::1", "2001:db8::5" };
	static const char *const bad[] = { "",	       "1.2.3",	    "1.2.3.4.5", "1.2.3.256",
					   "01.2.3.4", "0x1.2.3.4", "1",	 " 1.2.3.4",
					   "1.2.3.4 ", ":",	    "1::2::3",	 "::g",
					   "[::1]",    "fe80::1%lo" };
	char text[NET_ADDR_TEXT];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct net_addr parsed = addr(good[i]);

		CHECK_STR(net_addr_text(&parsed, text), good[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct net_addr parsed = { .family = 9 };

		CHECK_INT(net_addr_parse(bad[i], &parsed), -EINVAL);
		CHECK_INT(parsed.family, 9);
	}
}

static void test_prefixes(void)
{
	static const char *const bad[] = { "1.2.3.4/33", "1.2.3.4/31x", "1.2.3.4/", "1.2.3.4/24",
					   "::1/127",	 "::/129",	"/8",	    "1.2.3.0/-1" };
	struct net_prefix net = prefix("10.1.128.0/17"), all = prefix("0.0.0.0/0"),
			  one = prefix("10.1.200.1"), v6 = prefix("2001:db8::/32");
	struct net_addr inside = addr("10.1.255.255"), outside = addr("10.1.127.255"),
			other = addr("2001:db8:ffff::1");
	char text[NET_ADDR_TEXT];

	CHECK(net_prefix_holds(&net, &inside) && !net_prefix_holds(&net, &outside));
	CHECK(net_prefix_holds(&all, &outside) && !net_prefix_holds(&all, &other));
	CHECK(net_prefix_holds(&v6, &other));
	CHECK(net_prefix_covers(&net, &one) && !net_prefix_covers(&one, &net));
	CHECK(net_prefix_covers(&all, &net) && !net_prefix_covers(&v6, &net));
	CHECK_STR(net_prefix_text(&one, text), "10.1.200.1/32");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_INT(net_prefix_parse(bad[i], &net), -EINVAL);
}

static void test_embedded(void)
{
	static const struct {
		const char *v6, *v4; /* NULL: none */
	} rows[] = {
		{ "::ffff:1.2.3.4", "1.2.3.4" },
		{ "64:ff9b::1.2.3.4", "1.2.3.4" },
		{ "64:ff9b:1::1.2.3.4", "1.2.3.4" },
		{ "2002:102:304::5", "1.2.3.4" },
		{ "::1.2.3.4", "1.2.3.4" },
		{ "::ffff:0:1.2.3.4", "1.2.3.4" },
		{ "::", NULL },
		{ "::1", NULL },
		{ "2001:db8::1", NULL },
		{ "fe80::1", NULL },
	};
	struct net_addr v4 = addr("1.2.3.4"), found;

	CHECK(!net_addr_embedded(&v4, &found));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct net_addr v6 = addr(rows[i].v6);
		char text[NET_ADDR_TEXT];

		CHECK(net_addr_embedded(&v6, &found) == (rows[i].v4 != NULL));
		if (rows[i].v4)
			CHECK_STR(net_addr_text(&found, text), rows[i].v4);
	}
}

static void test_ends(void)
{
	struct net_end end = { addr("2001:db8::1"), 443 }, back;
	struct sockaddr_storage address;
	struct sockaddr_in6 *v6 = (void *)&address;
	char text[NET_ADDR_TEXT];

	CHECK_STR(net_end_text(&end, text), "[2001:db8::1]:443");
	CHECK_INT(net_end_to(&end, &address), sizeof(struct sockaddr_in6));
	back = net_end_from(&address);
	CHECK(back.port == 443 && net_addr_equal(&back.addr, &end.addr));
	memcpy(&v6->sin6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\1\2\3\4", 16);
	back = net_end_from(&address);
	CHECK_STR(net_end_text(&back, text), "1.2.3.4:443"); /* mapped */
	address.ss_family = AF_UNIX;
	CHECK_INT(net_end_from(&address).addr.family, 0);
}

static void test_names(void)
{
	static const char *const bad[] = { "",	   ".",	  "..",	 "a..b", ".a",	  "-a",	   "a-",
					   "a.-b", "a b", "a\n", "a/b",	 "b\xfc", "a.b..", "*.a" };
	char name[NET_NAME_MAX], longest[300];

	CHECK_INT(net_name_normalize("WWW.Example.ORG.", name), 0);
	CHECK_STR(name, "www.example.org");
	CHECK_INT(net_name_normalize("_srv.x-y.1a", name), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_INT(net_name_normalize(bad[i], name), -EINVAL);
	for (size_t i = 0; i < sizeof(longest) - 1; i++)
		longest[i] = i % 64 == 63 ? '.' : 'a';
	longest[253] = '\0';
	CHECK_INT(net_name_normalize(longest, name), 0);
	longest[253] = 'a';
	longest[254] = '\0';
	CHECK_INT(net_name_normalize(longest, name), -EINVAL);
	longest[63] = 'a';
	longest[64] = '\0';
	CHECK_INT(net_name_normalize(longest, name), -EINVAL);
}

static struct net_rule rule(const char *text)
{
	struct net_rule parsed = { 0 };

	CHECK_INT(net_rule_parse(text, true, &parsed), 0);
	return parsed;
}

static void test_rules(void)
{
	struct net_rule parsed = rule("tcp:Example.org:80,443,8000-8010");

	CHECK(parsed.kind == RULE_NAME && parsed.proto == NET_TCP && parsed.port_count == 3);
	CHECK_STR(parsed.name, "example.org");
	CHECK(net_rule_matches_port(&parsed, NET_TCP, 8005));
	CHECK(!net_rule_matches_port(&parsed, NET_TCP, 8011));
	CHECK(!net_rule_matches_port(&parsed, NET_UDP, 80));
	CHECK(net_rule_matches_name(&parsed, "example.org"));
	CHECK(!net_rule_matches_name(&parsed, "a.example.org"));
	parsed = rule("*.example.org");
	CHECK(parsed.kind == RULE_BELOW && net_rule_names(&parsed));
	CHECK(net_rule_matches_name(&parsed, "a.b.example.org"));
	CHECK(!net_rule_matches_name(&parsed, "example.org"));
	CHECK(!net_rule_matches_name(&parsed, "evilexample.org"));
	CHECK(!net_rule_matches_name(&parsed, "example.org.evil"));
	parsed = rule("[2001:db8::]/32:443");
	CHECK(parsed.kind == RULE_PREFIX && parsed.prefix.length == 32 && parsed.port_count == 1);
	parsed = rule("[2001:db8::/32]");
	CHECK(parsed.kind == RULE_PREFIX && parsed.prefix.length == 32 && !parsed.port_count);
	parsed = rule("2001:db8::1");
	CHECK(parsed.kind == RULE_PREFIX && parsed.prefix.length == 128);
	parsed = rule("icmp:*");
	CHECK(parsed.kind == RULE_ANY && net_rule_matches_port(&parsed, NET_ICMP, 0));
}

static void test_cover(void)
{
	static const struct {
		const char *first, *later;
		bool covers;
	} rows[] = {
		{ "*", "a.test", true },
		{ "*", "icmp:1.2.3.4", true },
		{ "tcp:*", "1.2.3.4", false },
		{ "tcp:*", "tcp:1.2.3.4:80", true },
		{ "*:80", "*", false },
		{ "*:80-90", "*:85", true },
		{ "*:80,90", "*:80-90", false },
		{ "1.2.3.0/24", "1.2.3.4", true },
		{ "1.2.3.4", "1.2.3.0/24", false },
		{ "1.2.3.0/24", "a.test", false },
		{ "*.a.test", "b.a.test", true },
		{ "*.a.test", "*.b.a.test", true },
		{ "*.a.test", "*.a.test", true },
		{ "*.a.test", "a.test", false },
		{ "a.test", "a.test:80", true },
		{ "a.test:80", "a.test", false },
		{ "b.a.test", "*.a.test", false },
		{ "a.test", "1.2.3.4", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct net_rule first = rule(rows[i].first), later = rule(rows[i].later);

		CHECK(net_rule_covers(&first, &later) == rows[i].covers);
	}
}

/* An option that @config takes, or (@r) refuses. */
static void add(struct net_config *config, const char *name, const char *value, int r)
{
	const char *what = NULL;

	CHECK_INT(net_config_add(config, name, value, 3, &what), r);
	CHECK((what != NULL) == (r == -EINVAL));
}

static void test_config(void)
{
	static const char *const bad[][2] = {
		{ "net-lan", "yes" },
		{ "net-allow-host", "0" },
		{ "net-allow-host", "90-80" },
		{ "net-dns", "a.test" },
		{ "net-host", "a.test" },
		{ "net-host", "=1.2.3.4" },
		{ "net-host", "a.test=b" },
		{ "net-cidr", "10.0.0.0/26" },
		{ "net-cidr", "10.0.0.1/24" },
		{ "net-cidr", "fd00::/64" },
		{ "net-mtu", "1279" },
		{ "net-mtu", "65522" },
		{ "net-ifname", "" },
		{ "net-ifname", "lo" },
		{ "net-ifname", "a/b" },
		{ "net-ifname", "sixteencharacter" },
		{ "net-mac", "01:00:00:00:00:01" },
		{ "net-mac", "00:00:00:00:00:00" },
		{ "net-mac", "02:00:00:00:00" },
		{ "net-fail", "open" },
		{ "net-path", "fast" },
		{ "net-carrier", "" },
		{ "resolv-conf", "no" },
		{ "net-log", "" },
		{ "publish", "unix:/x:0" },
		{ "publish", "1-0" },
	};
	struct net_config config;

	net_config_init(&config);
	CHECK(config.mtu == 32768 && !config.lan && !net_config_has_names(&config));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		add(&config, bad[i][0], bad[i][1], -EINVAL);
	add(&config, "no-such", "", -ENOENT);
	add(&config, "net-lan", "on", 0);
	add(&config, "net-host", "DB.test=1.2.3.4", 0);
	add(&config, "net-mac", "0A:00:00:00:00:0f", 0);
	add(&config, "publish", "udp:[::1]:10-12:20", 0);
	add(&config, "publish", "unix:/a:b:80", 0);
	add(&config, "net-allow", "a.test", 0);
	CHECK(config.lan && config.hosts[0].addr.family == 4 && config.mac[5] == 0xf);
	CHECK_STR(config.hosts[0].name, "db.test");
	CHECK(config.publish_count == 2 && config.publishes[0].proto == NET_UDP);
	CHECK(config.publishes[0].last == 12 && config.publishes[0].inside == 20);
	CHECK(config.publishes[1].inside == 80 && config.publishes[1].use == 3);
	CHECK(net_config_has_names(&config));
	CHECK_INT(net_config_dead_rule(&config), -1);
	add(&config, "net-deny", "127.0.0.0/8", 0);
	CHECK_INT(net_config_dead_rule(&config), 1);
	net_config_free(&config);
}

static void test_layout(void)
{
	struct net_prefix net = prefix("172.30.0.0/16");
	struct net_layout layout = net_layout_make(&net, true);
	char text[NET_ADDR_TEXT];

	CHECK_STR(net_addr_text(&layout.own[0], text), "172.30.0.100");
	CHECK_STR(net_addr_text(&layout.gateway[1], text), "fd00:c10c:e::2");
	layout = net_layout_make(&net, false);
	CHECK(!layout.v6.addr.family && !layout.own[1].family);
}

int main(void)
{
	test_addresses();
	test_prefixes();
	test_embedded();
	test_ends();
	test_names();
	test_rules();
	test_cover();
	test_config();
	test_layout();
	return 0;
}
