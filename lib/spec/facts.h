/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Facts: what the plan has to know of the caller and the host, read once, so that planning itself
 * is pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/error.h"
#include "netconf/addr.h"
#include "spec/subids.h"

/* How one of the host's root directory entries is to be reproduced. */
struct facts_entry {
	const char *path; /* "/bin", ... */
	bool exists;
	char *target; /* text of the symbolic link, NULL for a directory */
};

/* The host's network. */
struct facts_net {
	struct net_prefix *routes; /* of IPv4, without the default one */
	size_t route_count;
	bool has_v6;  /* there is a way out by IPv6 */
	char *resolv; /* text of resolv.conf, NULL where there is none */
	char hostname[65];
	char *probe; /* what cloche-net found for --explain: lines NAME=VALUE; NULL */
};

#define FACTS_LINK_COUNT 6

struct facts {
	uid_t uid;
	gid_t gid;
	uint64_t permitted; /* capabilities */
	bool is_root;	    /* real root with CAP_SYS_ADMIN: no user namespace is needed */
	const char *
		privilege; /* NULL, or what must not be on the program's file: "set-user-ID", ... */
	char *const *environ; /* the caller's, borrowed */
	char *cwd;	      /* NULL where there is none */
	char *tty;	      /* path of the terminal on stdout, NULL where it is none */
	bool is_tty[3];	      /* standard descriptors */
	bool has_cgroup_ns;
	bool userns_limit_is_0; /* user.max_user_namespaces: read for root only, who can do without
				 */
	bool has_selinux;
	char **devices; /* names in /dev; only by facts_read_devices() */
	size_t device_count;
	bool knows_rlimits; /* read only where an option sets one */
	struct rlimit rlimits[RLIM_NLIMITS];
	int landlock_abi;	 /* 0: none, or not asked */
	int namespaces_errnum;	 /* why there can be no namespaces; 0: they work, or not asked */
	bool env_is_unsafe;	 /* AT_SECURE: no path of the environment is to be believed */
	const char *runtime_dir; /* $XDG_RUNTIME_DIR, borrowed; NULL where it is not set or not to
				    be believed */
	struct facts_net net;	 /* only by facts_read_net() */
	/* The rest is read only for a root directory and environment of our own making. */
	struct facts_entry links[FACTS_LINK_COUNT]; /* /bin, /sbin, /lib, /lib32, /lib64, /libx32 */
	char *user;				    /* login name, NULL where unknown */
	char *home;				    /* absolute, NULL where unknown */
	char *shell;				    /* absolute, NULL where unknown */
	/* Only for id maps with more than the caller's own ids. */
	struct subids subuids, subgids;
	char *login_name; /* NULL where /etc/passwd has none */
	const char
		*newuidmap_dir; /* where newuidmap and newgidmap are, NULL where there are none */
};

/** facts_read - ask the host; @facts is zeroed, @variables (the environment) borrowed. Out of
 * memory counts as unknown.
 */
void facts_read(struct facts *facts, char *const *variables);

/** facts_read_user - fill links, user, home and shell, from /etc/passwd or else the environment */
void facts_read_user(struct facts *facts);

/** facts_read_subids - fill subuids, subgids, login_name and newuidmap_dir */
void facts_read_subids(struct facts *facts);

/** facts_read_rlimits - fill knows_rlimits and rlimits */
void facts_read_rlimits(struct facts *facts);
/** facts_read_devices - list /dev, for whom device nodes are asked */
void facts_read_devices(struct facts *facts);

/** facts_read_net - fill net, for --net (facts-net.c) */
void facts_read_net(struct facts *facts);

/** facts_free_net - release what facts_read_net() made */
void facts_free_net(struct facts *facts);

/** facts_read_landlock - ask for Landlock's ABI */
void facts_read_landlock(struct facts *facts);

/* What a sandbox with namespaces will need besides a mount namespace. */
enum facts_try {
	FACTS_TRY_USERNS = 1 << 0, /* a user namespace, also for real root */
	FACTS_TRY_LIMIT = 1 << 1,  /* to forbid user namespaces inside */
	FACTS_TRY_PROC = 1 << 2	   /* a new procfs */
};

/**
 * facts_try_namespaces - find out whether there can be namespaces, into namespaces_errnum
 * @steps: enum facts_try
 *
 * In a child that ends at once. A user namespace may be refused, or come without capabilities
 * (AppArmor); mounts may be forbidden (Landlock, a container's filter), or a new procfs (a
 * container's masks).
 */
void facts_try_namespaces(struct facts *facts, unsigned steps);

/** facts_free - release what the facts own; fine on zeroed ones */
void facts_free(struct facts *facts);
