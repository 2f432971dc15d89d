/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The plan: spec and facts in, an ordered list of what will be done out. All conflicts,
 * implications and defaults are decided here and nowhere else; plan_make() is pure, so the plan can
 * be printed instead of run (--explain).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "netconf/layout.h"
#include "spec/facts.h"
#include "spec/spec.h"

/* Who writes id maps that hold more than the caller's own id. */
enum maps_writer {
	MAPS_BY_CHILD, /* they do not, or the maps are not ours to write */
	MAPS_BY_SUPERVISOR,
	MAPS_BY_HELPERS /* newuidmap(1) and newgidmap(1) */
};

struct plan_map {
	struct id_range *ranges;
	size_t count;
};

struct plan_ids {
	enum maps_writer writer;
	struct plan_map uid, gid; /* empty where the maps are not ours to write */
	bool has_ranges;	  /* both maps hold more than the caller's own id: full id maps */
	bool drops_groups;
};

/* What Landlock allows below one path. */
struct landlock_path {
	char *path;	  /* owned */
	uint64_t rights;  /* enum sys_landlock_fs */
	bool is_bind;	  /* given by a bind, so a later one may not narrow it */
	bool is_optional; /* it may be missing */
	int use;
};

#define LANDLOCK_MAX_GAPS 16

/* Seccomp programs that close what Landlock does not see, policy/guard-*.policy. */
enum landlock_guard {
	GUARD_TCP = 1 << 0, /* no streams that go round the rules for ports */
	GUARD_NET = 1 << 1, /* local sockets only */
	GUARD_UNIX = 1 << 2 /* none that could connect to one in the file system */
};

#define GUARD_MAX 3

/* The Landlock domain of COMMAND. All zero: none. */
struct plan_landlock {
	bool is_tier;	 /* no namespaces: Landlock rules instead of mounts */
	int refused;	 /* why: errno of the namespaces that --isolation try asked for, 0 */
	uint64_t wanted; /* CLONE_NEW* that a sandbox with namespaces would have */
	uint64_t handled_fs, handled_net, scoped;
	unsigned guards; /* enum landlock_guard */
	struct landlock_path *paths;
	size_t path_count;
	const char *gaps[LANDLOCK_MAX_GAPS]; /* what the tier does not enforce, static strings */
	size_t gap_count;
};

/* The seccomp program of ours, besides those that the caller gives. */
struct plan_policy {
	const char *shipped; /* the policy it starts from, NULL: a file or text of the user's */
	bool is_json;	     /* ... a file with a profile in JSON */
	bool is_off;
	bool is_compiled;      /* at run time; else it is one of the ready programs */
	bool opens_namespaces; /* COMMAND may make namespaces and mounts */
	bool allows_32bit;
	bool confines_init; /* the init process gets a program of its own */
};

/* What of procfs, and of sysfs, is covered; proc.c has the list. */
enum proc_cover {
	PROC_COVER_NONE,
	PROC_COVER_WRITABLE, /* as bubblewrap: what root could write of four entries */
	PROC_COVER_ALL
};

struct dev_node {
	char *name; /* below /dev; owned */
	int use;
};

struct plan_views {
	enum proc_cover proc_cover;
	bool proc_subset_pid, proc_hidepid;
	bool own_sys;		    /* sysfs is a new one, of our network namespace */
	struct dev_node *dev_nodes; /* to be added to each --dev */
	size_t dev_node_count;
};

#define PLAN_NET_TEXTS 3

/* The network of --net. */
struct plan_net {
	bool is_on;
	struct net_config config; /* shares what the spec's owns */
	struct net_prefix cidr;
	struct net_layout layout;
	char *texts[PLAN_NET_TEXTS]; /* of files in /etc; owned */
};

struct plan {
	const struct spec *spec; /* borrowed */
	const struct personality *personality;

	/* Namespaces and ids */
	uint64_t clone_flags; /* CLONE_NEW* of the child, CLONE_NEWNS always */
	uint64_t joined;      /* CLONE_NEW* of namespaces that exist and are joined */
	bool new_time;	      /* a time namespace, made by the child */
	bool writes_id_maps;  /* one id each, written by the child */
	uid_t outer_uid, inner_uid;
	gid_t outer_gid, inner_gid;
	struct plan_ids ids;
	bool sets_ids;	 /* in a joined user namespace: setresuid to inner_uid */
	long max_userns; /* written to user.max_user_namespaces of the sandbox's user namespace, -1:
			    left alone */
	bool inner_userns;  /* COMMAND gets a user namespace inside the sandbox's */
	bool inner_mountns; /* ... and a mount namespace that locks our mounts */
	bool brings_up_lo;
	bool own_proc; /* procfs is a new one, of our pid namespace */

	/* Mounts */
	bool in_place; /* the host's root stays, with flags: the first operation is a bind of / on /
			*/
	bool private_mounts; /* propagation private, else slave */
	bool creates_dest;
	bool copies_data;   /* reads descriptors of the caller while the root is built, which may
			       block */
	bool has_idmaps;    /* some bind has --idmap */
	bool needs_scratch; /* an invisible tmpfs for overlay uppers and data files */
	uint64_t root_size, scratch_size; /* bytes, 0: the kernel's default */
	struct fs_op *ops;		  /* in order */
	size_t op_count;

	struct plan_views views;
	struct plan_net net;

	/* What COMMAND gets */
	char **environment; /* without PWD, which is known only inside */
	size_t environment_count;
	size_t pwd_place;      /* how many variables come before PWD */
	const char *home;      /* $HOME of that environment, NULL where there is none */
	uint64_t keep_caps;    /* capabilities that COMMAND keeps: permitted, effective, bounding */
	uint64_t ambient_caps; /* ... whatever its user id: inheritable and ambient, too */
	bool leaves_caps;      /* ... or rather: nothing at all is done about capabilities */
	bool trims_bounding;   /* the bounding set is cut down to what is kept, else left alone */
	bool locks_root;       /* securebits: uid 0 is nobody special, where nothing is kept */
	bool allow_suid;       /* no_new_privs is not set, and binds are not nosuid */
	bool new_keyring;      /* a session keyring of its own */
	struct plan_landlock landlock;
	bool new_session;
	bool has_pty;	   /* COMMAND gets a terminal of its own, relayed by the supervisor */
	unsigned pty_fds;  /* bit N: it becomes standard descriptor N */
	const char *argv0; /* NULL: the command's own name */

	struct plan_limits limits;
	struct plan_policy policy;

	/* Supervision */
	bool has_init; /* a process of ours stands between the supervisor and COMMAND */
	bool init_is_pid_1;
	bool ends_together;
	bool die_with_parent;
	int stop_signal;	 /* asks COMMAND to end */
	uint64_t timeout;	 /* nanoseconds until it is asked, 0: never */
	uint64_t kill_after;	 /* ... from then until it is killed */
	bool kills_after_signal; /* ... also where somebody else asked it to end */
};

/**
 * plan_make - decide everything
 * @plan: receives the plan, to be released with plan_free() in any case
 * @spec, @facts: borrowed until plan_free()
 *
 * Returns: 0, or -errno with @err filled (err->use: the option to blame).
 */
must_check int plan_make(struct plan *plan, const struct spec *spec, const struct facts *facts,
			 struct cloche_error *err);

/**
 * plan_attach - make @plan, of a sandbox that runs, the plan of one more process in it
 * @spec: that sandbox's, extended by spec_extend(); borrowed
 * @facts: the sandbox's, but for the standard descriptors; without environ: nothing of it is known,
 * and there will be no environment
 *
 * What @plan owned goes on belonging to the plan it was copied from, all but the environment.
 */
must_check int plan_attach(struct plan *plan, const struct spec *spec, const struct facts *facts,
			   struct cloche_error *err);

/** plan_wants_subids - will plan_make() look at the ids of facts_read_subids()? */
bool plan_wants_subids(const struct spec *spec);

/**
 * plan_idmap_ranges - the map of the user namespace that an idmapped bind takes its ids from
 * @ret_ranges: receives at most @room ranges; inside: as stored on the file system, outside: what
 * the id inside the sandbox is in the caller's user namespace
 *
 * Returns: how many there are.
 */
size_t plan_idmap_ranges(const struct plan *plan, const struct fs_op *op, enum id_kind kind,
			 struct id_range *ret_ranges, size_t room);

/** plan_limits_make - the part of plan_make() that is about limits (plan-limits.c) */
must_check int plan_limits_make(struct plan *plan, const struct facts *facts,
				struct cloche_error *err);

/** plan_policy_summary - what the plan's seccomp policy does, in a few words; a static string */
const char *plan_policy_summary(const struct plan *plan);

/** plan_free - release what the plan owns; fine on a zeroed one */
void plan_free(struct plan *plan);

/**
 * plan_hidden_op - look for an operation that a later one covers entirely
 * @ret_hider: receives the index of the later one
 *
 * Returns: index into plan->ops of the hidden operation, -1 where there is none.
 */
int plan_hidden_op(const struct plan *plan, size_t *ret_hider);
