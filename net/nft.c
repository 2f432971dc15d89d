/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * nftables rules by nfnetlink, in the sandbox's network namespace. Each table is one batch: all of
 * it or nothing. Rules leave lo alone: what the sandbox says to itself is its own business.
 */
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>
#include <string.h>

#include "net/netlink.h"
#include "net/setup.h"

#define TCP_FLAGS_OFFSET 13
#define TCP_FLAGS_MASK 0x17 /* FIN, SYN, RST, ACK */
#define TCP_FLAG_SYN 0x02
#define LO_INDEX 1 /* in every network namespace */

/* Priorities of <linux/netfilter_ipv4.h>: mangle, the place between mangle and nat. */
#define PRIORITY_ROUTE (-150)
#define PRIORITY_HOLD (-140)
#define PRIORITY_NAT (-100)

struct table {
	struct nl_batch batch;
	uint8_t family; /* NFPROTO_* */
	const char *name;
	size_t expressions, rule; /* open nests */
};

static void put_header(struct table *table, uint16_t type, uint16_t flags)
{
	struct nfgenmsg header = { .nfgen_family = table->family, .version = NFNETLINK_V0 };

	nl_message(&table->batch, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags, &header,
		   sizeof(header));
}

static void put_batch(struct table *table, uint16_t type)
{
	struct nfgenmsg header = { .version = NFNETLINK_V0, .res_id = htons(NFNL_SUBSYS_NFTABLES) };

	nl_message(&table->batch, type, 0, &header, sizeof(header));
}

static void begin_table(struct table *table, uint8_t family, const char *name)
{
	*table = (struct table){ .family = family, .name = name };
	put_batch(table, NFNL_MSG_BATCH_BEGIN);
	put_header(table, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_ACK);
	nl_put_string(&table->batch, NFTA_TABLE_NAME, name);
}

static int end_table(struct table *table, int fd)
{
	put_batch(table, NFNL_MSG_BATCH_END);
	return nl_commit(&table->batch, fd);
}

static void add_chain(struct table *table, const char *type, int priority)
{
	size_t hook;

	put_header(table, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_ACK);
	nl_put_string(&table->batch, NFTA_CHAIN_TABLE, table->name);
	nl_put_string(&table->batch, NFTA_CHAIN_NAME, type);
	hook = nl_nest(&table->batch, NFTA_CHAIN_HOOK);
	nl_put_be32(&table->batch, NFTA_HOOK_HOOKNUM, NF_INET_LOCAL_OUT);
	nl_put_be32(&table->batch, NFTA_HOOK_PRIORITY, (uint32_t)priority);
	nl_unnest(&table->batch, hook);
	nl_put_string(&table->batch, NFTA_CHAIN_TYPE, type);
}

static void begin_rule(struct table *table, const char *chain)
{
	put_header(table, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK);
	nl_put_string(&table->batch, NFTA_RULE_TABLE, table->name);
	nl_put_string(&table->batch, NFTA_RULE_CHAIN, chain);
	table->expressions = nl_nest(&table->batch, NFTA_RULE_EXPRESSIONS);
}

static void end_rule(struct table *table)
{
	nl_unnest(&table->batch, table->expressions);
}

/* Begins an expression; both nests go to end_expression(). */
static size_t begin_expression(struct table *table, const char *name)
{
	table->rule = nl_nest(&table->batch, NFTA_LIST_ELEM);
	nl_put_string(&table->batch, NFTA_EXPR_NAME, name);
	return nl_nest(&table->batch, NFTA_EXPR_DATA);
}

static void end_expression(struct table *table, size_t data)
{
	nl_unnest(&table->batch, data);
	nl_unnest(&table->batch, table->rule);
}

static void put_value(struct table *table, uint16_t type, const void *value, size_t size)
{
	size_t nest = nl_nest(&table->batch, type);

	nl_put(&table->batch, NFTA_DATA_VALUE, value, size);
	nl_unnest(&table->batch, nest);
}

/* Loads a key into register 1. */
static void load_meta(struct table *table, enum nft_meta_keys key)
{
	size_t data = begin_expression(table, "meta");

	nl_put_be32(&table->batch, NFTA_META_KEY, key);
	nl_put_be32(&table->batch, NFTA_META_DREG, NFT_REG_1);
	end_expression(table, data);
}

static void compare(struct table *table, enum nft_cmp_ops how, const void *value, size_t size)
{
	size_t data = begin_expression(table, "cmp");

	nl_put_be32(&table->batch, NFTA_CMP_SREG, NFT_REG_1);
	nl_put_be32(&table->batch, NFTA_CMP_OP, how);
	put_value(table, NFTA_CMP_DATA, value, size);
	end_expression(table, data);
}

static void match_u32(struct table *table, enum nft_meta_keys key, enum nft_cmp_ops how,
		      uint32_t value)
{
	load_meta(table, key);
	compare(table, how, &value, sizeof(value));
}

static void match_u8(struct table *table, enum nft_meta_keys key, uint8_t value)
{
	load_meta(table, key);
	compare(table, NFT_CMP_EQ, &value, sizeof(value));
}

/* ---- redirection ---- */

static void add_redirect(struct table *table, uint8_t protocol, uint16_t port)
{
	uint16_t be_port = htons(port);
	size_t data;

	begin_rule(table, "nat");
	match_u8(table, NFT_META_NFPROTO, protocol);
	match_u32(table, NFT_META_OIF, NFT_CMP_NEQ, LO_INDEX);
	match_u8(table, NFT_META_L4PROTO, IPPROTO_TCP);
	data = begin_expression(table, "immediate");
	nl_put_be32(&table->batch, NFTA_IMMEDIATE_DREG, NFT_REG_1);
	put_value(table, NFTA_IMMEDIATE_DATA, &be_port, sizeof(be_port));
	end_expression(table, data);
	data = begin_expression(table, "redir");
	nl_put_be32(&table->batch, NFTA_REDIR_REG_PROTO_MIN, NFT_REG_1);
	end_expression(table, data);
	end_rule(table);
}

int nft_redirect(const struct setup *setup)
{
	_close_ int fd = nl_open(NETLINK_NETFILTER);
	struct table table;

	if (fd < 0)
		return fd;
	begin_table(&table, NFPROTO_INET, "cloche-nat");
	add_chain(&table, "nat", PRIORITY_NAT);
	for (size_t i = 0; i < 2; i++)
		if (setup->listener[i] >= 0)
			add_redirect(&table, i ? NFPROTO_IPV6 : NFPROTO_IPV4,
				     setup->listener_port[i]);
	return end_table(&table, fd);
}

/* ---- held SYNs ---- */

/* What comes back from the queue with @mark is refused. */
static void add_reject(struct table *table, uint32_t mark, uint32_t type, uint8_t code)
{
	size_t data;

	begin_rule(table, "filter");
	match_u32(table, NFT_META_MARK, NFT_CMP_EQ, mark);
	match_u8(table, NFT_META_L4PROTO, IPPROTO_TCP);
	data = begin_expression(table, "reject");
	nl_put_be32(&table->batch, NFTA_REJECT_TYPE, type);
	nl_put(&table->batch, NFTA_REJECT_ICMP_CODE, &code, sizeof(code));
	end_expression(table, data);
	end_rule(table);
}

static void add_queue(struct table *table, enum net_hold hold)
{
	/* struct xt_NFQ_info_v3: queue, count, flags */
	uint16_t target[4] = { 0, 1, 0, 0 }, number = htons(0), total = htons(1);
	size_t data = begin_expression(table, hold == HOLD_NATIVE ? "queue" : "target");

	if (hold == HOLD_NATIVE) {
		nl_put(&table->batch, NFTA_QUEUE_NUM, &number, sizeof(number));
		nl_put(&table->batch, NFTA_QUEUE_TOTAL, &total, sizeof(total));
	} else {
		nl_put_string(&table->batch, NFTA_TARGET_NAME, "NFQUEUE");
		nl_put_be32(&table->batch, NFTA_TARGET_REV, 3);
		nl_put(&table->batch, NFTA_TARGET_INFO, target, sizeof(target));
	}
	end_expression(table, data);
}

static void add_hold(struct table *table, enum net_hold hold)
{
	static const uint8_t mask = TCP_FLAGS_MASK, zero, syn = TCP_FLAG_SYN;
	size_t data;

	begin_rule(table, "filter");
	match_u32(table, NFT_META_OIF, NFT_CMP_NEQ, LO_INDEX);
	match_u8(table, NFT_META_L4PROTO, IPPROTO_TCP);
	data = begin_expression(table, "payload");
	nl_put_be32(&table->batch, NFTA_PAYLOAD_DREG, NFT_REG_1);
	nl_put_be32(&table->batch, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_TRANSPORT_HEADER);
	nl_put_be32(&table->batch, NFTA_PAYLOAD_OFFSET, TCP_FLAGS_OFFSET);
	nl_put_be32(&table->batch, NFTA_PAYLOAD_LEN, 1);
	end_expression(table, data);
	data = begin_expression(table, "bitwise");
	nl_put_be32(&table->batch, NFTA_BITWISE_SREG, NFT_REG_1);
	nl_put_be32(&table->batch, NFTA_BITWISE_DREG, NFT_REG_1);
	nl_put_be32(&table->batch, NFTA_BITWISE_LEN, 1);
	put_value(table, NFTA_BITWISE_MASK, &mask, 1);
	put_value(table, NFTA_BITWISE_XOR, &zero, 1);
	end_expression(table, data);
	compare(table, NFT_CMP_EQ, &syn, 1);
	add_queue(table, hold);
	end_rule(table);
}

int nft_hold(const struct setup *setup, enum net_hold hold)
{
	/* Host and network unreachable: ICMP type 3 codes 1 and 0; ICMPv6 type 1 codes 3 and 0. */
	static const uint8_t host_code[2] = { 1, 3 }, net_code[2] = { 0, 0 };
	_close_ int fd = nl_open(NETLINK_NETFILTER);
	int r = fd < 0 ? fd : 0;

	for (size_t i = 0; r == 0 && i < 2; i++) {
		struct table table;

		if (!setup->layout.own[i].family)
			continue;
		/* The target knows the families ip and ip6, not both as one. */
		begin_table(&table, i ? NFPROTO_IPV6 : NFPROTO_IPV4, "cloche-hold");
		add_chain(&table, "filter", PRIORITY_HOLD);
		add_reject(&table, MARK_RESET, NFT_REJECT_TCP_RST, 0);
		add_reject(&table, MARK_HOST_UNREACHABLE, NFT_REJECT_ICMP_UNREACH, host_code[i]);
		add_reject(&table, MARK_NET_UNREACHABLE, NFT_REJECT_ICMP_UNREACH, net_code[i]);
		add_hold(&table, hold);
		r = end_table(&table, fd);
	}
	return r;
}

/* ---- published ports ---- */

static void set_mark(struct table *table, const char *expression, uint16_t key_type, uint32_t key,
		     uint16_t register_type)
{
	size_t data = begin_expression(table, expression);

	nl_put_be32(&table->batch, key_type, key);
	nl_put_be32(&table->batch, register_type, NFT_REG_1);
	end_expression(table, data);
}

/* The connection remembers the mark of its first packet; answers get it from there, and are
 * routed again for it. */
int nft_publish(void)
{
	_close_ int fd = nl_open(NETLINK_NETFILTER);
	static const uint32_t mark = SETUP_PUBLISH_MARK;
	struct table table;

	if (fd < 0)
		return fd;
	begin_table(&table, NFPROTO_INET, "cloche-publish");
	add_chain(&table, "route", PRIORITY_ROUTE);
	begin_rule(&table, "route");
	match_u32(&table, NFT_META_MARK, NFT_CMP_EQ, mark);
	set_mark(&table, "ct", NFTA_CT_KEY, NFT_CT_MARK, NFTA_CT_SREG);
	end_rule(&table);
	begin_rule(&table, "route");
	set_mark(&table, "ct", NFTA_CT_KEY, NFT_CT_MARK, NFTA_CT_DREG);
	compare(&table, NFT_CMP_EQ, &mark, sizeof(mark));
	set_mark(&table, "meta", NFTA_META_KEY, NFT_META_MARK, NFTA_META_SREG);
	end_rule(&table);
	return end_table(&table, fd);
}
