/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of net/policy.c.
 */
#include "net/policy.h"

#include "unit.h"

static struct net_config config;
static struct policy policy;

static void teardown(void)
{
	for (size_t i = 0; i < POLICY_BUCKETS; i++) {
		while (policy.pins[i]) {
			struct policy_pin *pin = policy.pins[i];

			policy.pins[i] = pin->next;
			free(pin);
		}
	}
	free(policy.host_addrs);
	net_config_free(&config);
}

/* A policy of these rules: + allow, - deny; other options as NAME=VALUE. */
static void setup(const char *const *words)
{
	const char *what = NULL;
	struct net_layout layout;

	teardown();
	net_config_init(&config);
	for (; *words; words++) {
		const char *name = **words == '+' ? "net-allow" : "net-deny";

		if (**words == '+' || **words == '-') {
			CHECK_INT(net_config_add(&config, name, *words + 1, 0, &what), 0);
		} else {
			char option[32];
			const char *value = strchr(*words, '=');

			CHECK(snprintf(option, sizeof(option), "%.*s", (int)(value - *words),
				       *words) > 0);
			CHECK_INT(net_config_add(&config, option, value + 1, 0, &what), 0);
		}
	}
	layout = net_layout_make(&config.cidr, true);
	policy_init(&policy, &config, &layout);
}

#define SETUP(...) setup((const char *const[]){ __VA_ARGS__, NULL })

static struct net_end end(const char *address, uint16_t port)
{
	struct net_end parsed = { .port = port };

	CHECK_INT(net_addr_parse(address, &parsed.addr), 0);
	return parsed;
}

static struct policy_verdict check(enum net_proto proto, const char *address, uint16_t port)
{
	struct net_end dest = end(address, port);

	return policy_check(&policy, proto, &dest);
}

static void denies(const char *address, int rule)
{
	struct policy_verdict verdict = check(NET_TCP, address, 80);

	CHECK(!verdict.allowed);
	CHECK_INT(verdict.rule, rule);
}

static void allows(const char *address)
{
	CHECK(check(NET_TCP, address, 80).allowed);
}

static void pin(const char *name, const char *address)
{
	struct net_end dest = end(address, 0);

	policy_pin(&policy, name, &dest.addr, 30);
}

static void test_builtins(void)
{
	static const struct {
		const char *address;
		int reason;
	} rows[] = {
		{ "127.0.0.1", REASON_LOOPBACK },
		{ "0.0.0.0", REASON_LOOPBACK },
		{ "::", REASON_LOOPBACK },
		{ "::1", REASON_LOOPBACK },
		{ "::ffff:127.0.0.1", REASON_LOOPBACK },
		{ "64:ff9b::127.0.0.1", REASON_LOOPBACK },
		{ "2002:7f00:1::", REASON_LOOPBACK },
		{ "169.254.1.1", REASON_LINK_LOCAL },
		{ "fe80::1", REASON_LINK_LOCAL },
		{ "64:ff9b::169.254.169.254", REASON_LINK_LOCAL },
		{ "100.100.100.200", REASON_METADATA },
		{ "fd00:ec2::254", REASON_METADATA },
		{ "224.0.0.1", REASON_MULTICAST },
		{ "255.255.255.255", REASON_MULTICAST },
		{ "ff02::1", REASON_MULTICAST },
		{ "10.0.0.1", REASON_PRIVATE },
		{ "172.31.0.1", REASON_PRIVATE },
		{ "192.168.0.1", REASON_PRIVATE },
		{ "100.64.0.1", REASON_PRIVATE },
		{ "fd12::1", REASON_PRIVATE },
		{ "64:ff9b::10.0.0.1", REASON_PRIVATE },
		{ "10.0.2.2", REASON_SANDBOX },
		{ "fd00:c10c:e::2", REASON_SANDBOX },
	};

	SETUP("net-lan=off");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		denies(rows[i].address, rows[i].reason);
	allows("1.2.3.4");
	allows("172.32.0.1");
	allows("2001:db8::1");
	allows("64:ff9b::1.2.3.4");
	SETUP("net-lan=on");
	allows("10.0.0.1");
	allows("fd12::1");
	denies("100.100.100.200", REASON_METADATA);
	denies("fd00:ec2::254", REASON_METADATA);
	denies("10.0.2.2", REASON_SANDBOX);
}

static void test_host(void)
{
	struct net_end host = end("198.51.100.2", 0);

	SETUP("net-lan=off");
	allows("198.51.100.2");
	CHECK_INT(policy_host_addr(&policy, &host.addr, false), 0);
	CHECK_INT(policy_host_addr(&policy, &host.addr, false), 0);
	denies("198.51.100.2", REASON_HOST);
	denies("::ffff:198.51.100.2", REASON_HOST);
	CHECK_INT(policy_host_addr(&policy, &host.addr, true), 0);
	allows("198.51.100.2");
	SETUP("net-allow-host=80-90");
	CHECK(check(NET_TCP, "10.0.2.2", 85).allowed);
	CHECK_INT(check(NET_TCP, "10.0.2.2", 85).dest.addr.bytes[0], 127);
	CHECK_INT(check(NET_UDP, "fd00:c10c:e::2", 80).dest.addr.bytes[15], 1);
	CHECK(!check(NET_TCP, "10.0.2.2", 91).allowed && !check(NET_ICMP, "10.0.2.2", 85).allowed);
	denies("127.0.0.1", REASON_LOOPBACK);
}

static void test_lift(void)
{
	SETUP("+10.9.0.0/16", "+169.254.169.254", "+0.0.0.0/0");
	allows("10.9.1.1");
	allows("169.254.169.254");
	allows("1.2.3.4");
	denies("10.8.1.1", REASON_PRIVATE);
	denies("169.254.169.253", REASON_LINK_LOCAL);
	denies("2001:db8::1", REASON_DEFAULT);
	SETUP("+10.0.0.0/7");
	denies("10.0.0.1", REASON_PRIVATE); /* wider than what is refused */
	SETUP("+*");
	denies("10.0.0.1", REASON_PRIVATE);
}

static void test_order(void)
{
	SETUP("-1.2.3.4", "+tcp:1.2.0.0/16:80");
	denies("1.2.3.4", 0);
	allows("1.2.3.5");
	denies("1.3.0.1", REASON_DEFAULT);
	CHECK(!check(NET_TCP, "1.2.3.5", 81).allowed && !check(NET_UDP, "1.2.3.5", 80).allowed);
	SETUP("-*:25");
	allows("1.2.3.4");
	CHECK(!check(NET_TCP, "1.2.3.4", 25).allowed);
}

static void test_names(void)
{
	struct net_end shared = end("1.2.3.4", 443);
	struct policy_verdict verdict;
	int rule;

	SETUP("+a.test", "-b.test", "+*.c.test:443", "+9.9.9.9");
	denies("1.2.3.4", REASON_NO_NAME);
	allows("9.9.9.9");
	CHECK(!check(NET_TCP, "9.9.9.9", 1).check_name);
	CHECK(policy_allows_name(&policy, "a.test", &rule) && rule == 0);
	CHECK(!policy_allows_name(&policy, "b.test", &rule) && rule == 1);
	CHECK(policy_allows_name(&policy, "x.c.test", &rule) && rule == 2);
	CHECK(!policy_allows_name(&policy, "c.test", &rule) && rule == REASON_DEFAULT);
	pin("a.test", "1.2.3.4");
	verdict = check(NET_TCP, "1.2.3.4", 443);
	CHECK(verdict.allowed && verdict.check_name && verdict.rule == 0);
	CHECK(check(NET_UDP, "1.2.3.4", 443).allowed);
	CHECK_STR(policy_name_of(&policy, &shared.addr), "a.test");
	CHECK(policy_check_name(&policy, NET_TCP, &shared, "a.test"));
	CHECK(policy_check_name(&policy, NET_TCP, &shared, ""));
	CHECK(!policy_check_name(&policy, NET_TCP, &shared, "x.c.test"));
	pin("x.c.test", "1.2.3.4");
	CHECK(policy_check_name(&policy, NET_TCP, &shared, "x.c.test"));
	shared.port = 80;
	CHECK(!policy_check_name(&policy, NET_TCP, &shared, "x.c.test"));
	CHECK(!policy_check_name(&policy, NET_TCP, &shared, "")); /* one of them is refused */
	pin("a.test", "10.0.0.1");
	denies("10.0.0.1", REASON_PRIVATE); /* a name lifts nothing */
	SETUP("-b.test");
	CHECK(policy_allows_name(&policy, "a.test", &rule));
	pin("a.test", "1.2.3.4");
	allows("1.2.3.4");
	denies("1.2.3.5", REASON_NO_NAME);
	SETUP("-b.test:80", "+*");
	CHECK(policy_allows_name(&policy, "b.test", &rule)); /* for other ports */
}

static void test_answers(void)
{
	static const char *const good[] = { "1.2.3.4", "2001:db8::1", "10.9.0.1" };
	static const char *const bad[] = { "127.0.0.1", "10.8.0.1", "169.254.169.254",
					   "::ffff:127.0.0.1", "64:ff9b::a9fe:a9fe" };

	SETUP("+10.9.0.0/16", "+*");
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct net_end answer = end(good[i], 0);

		CHECK(policy_allows_answer(&policy, &answer.addr));
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct net_end answer = end(bad[i], 0);

		CHECK(!policy_allows_answer(&policy, &answer.addr));
	}
}

static void test_pins_are_bounded(void)
{
	struct net_addr addr = { .family = 4 };

	SETUP("+a.test");
	for (uint32_t i = 0; i < POLICY_PINS_MAX + 100; i++) {
		memcpy(addr.bytes, &i, 4);
		policy_pin(&policy, "a.test", &addr, 1);
		policy_pin(&policy, "a.test", &addr, 1);
	}
	CHECK_INT(policy.pin_count, POLICY_PINS_MAX);
}

/* Added while it runs. */
static void test_put_first(void)
{
	struct net_end site = end("203.0.113.1", 80), other = end("203.0.113.2", 80);

	SETUP("-203.0.113.1");
	CHECK(!policy_check(&policy, NET_TCP, &site).allowed);
	CHECK(policy_check(&policy, NET_TCP, &other).allowed);
	CHECK_INT(policy_put_first(&policy, "tcp:203.0.113.1:80", true), 0);
	CHECK(policy_check(&policy, NET_TCP, &site).allowed);
	CHECK(!policy_check(&policy, NET_TCP, &other).allowed); /* what is allowed is listed now */
	CHECK_INT(policy_put_first(&policy, "a.test", true), 0);
	CHECK(policy.has_names);
	CHECK_INT(policy_put_first(&policy, "1.2.3", true), -EINVAL);
	CHECK_INT(config.rule_count, 3);
}

int main(void)
{
	test_put_first();
	test_builtins();
	test_host();
	test_lift();
	test_order();
	test_names();
	test_answers();
	test_pins_are_bounded();
	for (int rule = REASON_NOT_CARRIED; rule <= REASON_DEFAULT; rule++)
		CHECK(policy_reason_text(rule) != NULL);
	CHECK(!policy_reason_text(0));
	teardown();
	return 0;
}
