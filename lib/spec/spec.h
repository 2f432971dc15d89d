/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The spec: what was asked for, as plain data. The parser fills it, nothing in it is checked
 * against the host or against another option; that is the plan's work. Each item remembers the
 * option it came from.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "netconf/config.h"
#include "spec/idmap.h"
#include "spec/limits.h"
#include "spec/namespaces.h"
#include "spec/option.h"
#include "spec/personality.h"

/* One use of an option, in the order of reading; items refer to it by index for messages. */
struct option_use {
	const struct option_row *row;
	const char *arg[OPTION_MAX_ARGS]; /* as typed; NULL where there is none */
	uint64_t number[OPTION_MAX_ARGS]; /* value of the numeric kinds */
	const char *file; /* NULL, or the --args descriptor it was read from, as "fd N" */
	bool is_for_net;  /* cloche-net gets it as typed */
};

enum fs_op_type {
	OP_BIND,
	OP_BIND_FD,
	OP_OVERLAY,
	OP_PROC,
	OP_DEV,
	OP_TMPFS,
	OP_MQUEUE,
	OP_SYS,
	OP_DIR,
	OP_FILE,
	OP_DATA,
	OP_DATA_RO,
	OP_TEXT, /* a read-only file whose content is source; covers what is there, a link too */
	OP_SYMLINK,
	OP_CHMOD,
	OP_REMOUNT_RO,
	/* The rest covers what exists by a mount: dest is a path inside, or a glob. */
	OP_MASK,
	OP_DENY_WRITE,
	OP_DENY_CREATE,
	OP_NOEXEC,
	OP_NO_SYMLINKS,
	/* The files of --secret-fd, all at once. */
	OP_SECRETS
};

enum bind_flag {
	BIND_RO = 1 << 0,
	BIND_DEV = 1 << 1,     /* device nodes work */
	BIND_TRY = 1 << 2,     /* a missing source is no error */
	BIND_NOT_OPEN = 1 << 3 /* the descriptor was not open when the option was read */
};

enum overlay_kind {
	OVERLAY_RW,
	OVERLAY_TMP,
	OVERLAY_RO
};

#define MODE_UNSET ((mode_t)-1)

/* One step of building the root file system. Strings are borrowed from the command line or owned by
 * the plan. */
struct fs_op {
	enum fs_op_type type;
	int use;	    /* index of the option, -1 for a default */
	const char *source; /* host path of a bind; target of a symlink; upper directory of an
			       overlay */
	const char *work;   /* work directory of an overlay */
	const char *dest;
	int fd;		    /* of data and bind-fd, else -1 */
	int flags;	    /* enum bind_flag, or enum overlay_kind */
	mode_t mode;	    /* MODE_UNSET: the type's default */
	uint64_t size;	    /* of a tmpfs in bytes, 0: the personality's default */
	size_t layer_first; /* overlay: its layers in the spec's list, bottom first */
	size_t layer_count;
	size_t idmap_first; /* of a bind: its ranges in the spec's list */
	size_t idmap_count;
};

enum env_op_type {
	ENV_SET,
	ENV_UNSET,
	ENV_CLEAR,
	ENV_KEEP
};

struct env_op {
	enum env_op_type type;
	const char *name;
	const char *value;
	bool is_hidden; /* of --env-file: the value is never printed */
};

enum cap_op_type {
	CAP_ADD,
	CAP_AMBIENT,
	CAP_DROP
};

struct cap_op {
	enum cap_op_type type;
	uint64_t mask; /* bit N is capability N */
};

enum spec_flag {
	FLAG_VERBOSE,
	FLAG_LEVEL_PREFIX,
	FLAG_ASSERT_USERNS_DISABLED,
	FLAG_BARE,
	FLAG_CREATE_DEST,
	FLAG_NOT_A_BOUNDARY,
	FLAG_NEW_SESSION,
	FLAG_PTY_FILTER,
	FLAG_DETACH,
	FLAG_QUIET,
	FLAG_NEW_KEYRING,
	FLAG_ALLOW_SUID,
	FLAG_DIE_WITH_PARENT,
	FLAG_AS_PID_1,
	FLAG_ALLOW_32BIT,
	FLAG_NO_SUID_CREATE,
	FLAG_PROC_HIDEPID,
	FLAG_COUNT
};

enum spec_action {
	ACTION_RUN,
	ACTION_HELP,
	ACTION_VERSION,
	ACTION_INTROSPECT,
	ACTION_EXPLAIN,
	ACTION_EXPLAIN_JSON,
	ACTION_PRINT_ARGS,
	ACTION_SECCOMP_DUMP
};

enum userns_limit {
	USERNS_DEFAULT,
	USERNS_DENY,
	USERNS_ALLOW
};

enum propagation {
	PROPAGATION_DEFAULT,
	PROPAGATION_PRIVATE,
	PROPAGATION_SLAVE
};

/* An option that holds one value: the last use wins. */
struct spec_fd {
	int fd; /* -1: not given */
	int use;
	bool is_open; /* when the option was read */
};

struct spec_id {
	bool is_set;
	uint32_t id;
	int use;
};

struct spec_string {
	const char *text; /* NULL: not given */
	int use;
};

struct spec_size {
	uint64_t bytes; /* 0: not given */
	int use;
};

/* An option without a value. Zeroed: not given. */
struct spec_switch {
	bool is_set;
	int use;
};

/* Of which ids: constants of option rows. */
enum id_kind {
	ID_USER,
	ID_GROUP
};

enum groups_choice {
	GROUPS_DEFAULT,
	GROUPS_KEEP,
	GROUPS_DROP
};

/* Ranges of ids; --uid and --gid are beside it. */
struct spec_ids {
	struct id_range *uid_ranges, *gid_ranges;
	size_t uid_range_count, gid_range_count;
	struct spec_switch map_auto, map_root, map_current;
	enum groups_choice groups;
	int groups_use;
	struct id_range *idmap_ranges; /* of idmapped binds; inside: as seen inside the sandbox,
					  outside: as stored on the file system */
	size_t idmap_range_count;
};

/* A namespace that exists already, by descriptor or by path. Zeroed: not given. */
struct spec_ns {
	bool is_set;
	int use;
	const char *path; /* NULL: by descriptor */
	int fd;
	bool is_open; /* the descriptor, when the option was read */
};

/* What is added to a clock inside. Zeroed: not given. */
struct spec_offset {
	bool is_set;
	int use;
	int64_t nanoseconds;
};

enum offset_clock {
	OFFSET_MONOTONIC,
	OFFSET_BOOTTIME,
	OFFSET_COUNT
};

struct spec_namespaces {
	struct spec_ns join[NS_COUNT];
	uint64_t unshare_named; /* of those to unshare: asked for one by one */
	int unshare_time_use;	/* valid where CLONE_NEWTIME is among them */
	struct spec_offset offset[OFFSET_COUNT];
	struct spec_string domainname;
	struct spec_string pin; /* directory */
};

struct path_layer {
	const char *path; /* host path of an overlay layer */
	int use;
};

/* A range of TCP ports, both ends included. */
struct port_range {
	uint16_t first, last;
};

struct spec_ports {
	struct port_range *ranges;
	size_t count;
	int use; /* the last option that gave some */
};

enum isolation {
	ISOLATION_FULL,
	ISOLATION_TRY,	   /* full, or Landlock alone where there are no user namespaces */
	ISOLATION_LANDLOCK /* Landlock alone */
};

struct spec_landlock {
	enum isolation isolation;
	int isolation_use;
	struct spec_ports connect_tcp, bind_tcp;
};

/* --syscall-allow and --syscall-deny. */
struct syscall_change {
	const char *list;   /* names and groups, separated by commas; no ERRNO behind them */
	const char *errnum; /* name of an errno; NULL: allow */
	int use;
};

enum seccomp_log {
	SECCOMP_LOG_NONE,
	SECCOMP_LOG_DENIED, /* what is denied is logged, too */
	SECCOMP_LOG_ALLOW   /* what would be denied is only logged */
};

struct spec_policy {
	struct spec_string name; /* of a shipped policy, a file, or a policy's text */
	struct spec_string json; /* file with a profile instead */
	struct syscall_change *changes;
	size_t change_count;
	enum seccomp_log log;
};

enum proc_mask {
	PROC_MASK_UNSET,
	PROC_MASK_DEFAULT,
	PROC_MASK_NONE
};

/* What is shown of /proc, /sys and /dev. */
struct spec_views {
	struct spec_string subset; /* of procfs */
	enum proc_mask mask;
	int mask_use;
	struct path_layer *dev_nodes; /* names of nodes or groups */
	size_t dev_node_count;
};

struct secret {
	struct spec_fd from;
	const char *name;
};

/* --net and its options. */
struct spec_net {
	struct spec_switch on;
	struct spec_switch option; /* the last option that needs --net */
	struct net_config config;  /* valid where option is set */
};

/* A terminal of COMMAND's own. */
enum pty_choice {
	PTY_DEFAULT,
	PTY_YES,
	PTY_NO
};

/* A length of time. Zeroed: not given. */
struct spec_duration {
	bool is_set;
	int use;
	uint64_t nanoseconds;
};

/* How COMMAND is brought to its end. */
struct spec_stop {
	int signal; /* 0: not given */
	struct spec_duration timeout, kill_after;
};

/* What COMMAND reads and writes. */
struct spec_io {
	struct spec_string stdio[3]; /* host path, or "null" */
	struct secret *secrets;
	size_t secret_count;
};

struct spec {
	const struct personality *personality;
	enum spec_action action;
	pid_t parent; /* who started us, asked before reading, which may wait for it */

	struct option_use *uses;
	size_t use_count;

	int flag_use[FLAG_COUNT]; /* index of the option that set the flag, -1: not set */

	uint64_t unshare;     /* CLONE_NEW* asked for */
	uint64_t unshare_try; /* CLONE_NEWUSER, CLONE_NEWCGROUP: if possible */
	uint64_t share;	      /* CLONE_NEW* to keep */
	int unshare_user_use; /* the option that asked for a user namespace by name, -1: none */
	int share_user_use, share_net_use, share_pid_use;
	struct spec_fd userns2_fd;
	struct spec_namespaces namespaces;
	enum userns_limit userns_limit;
	int userns_limit_use;
	struct spec_id uid, gid;
	struct spec_ids ids;
	struct spec_string hostname;

	struct fs_op *ops;
	size_t op_count;
	struct path_layer *layers;
	size_t layer_count;
	struct spec_size root_size, overlay_size;
	enum propagation propagation;

	struct env_op *env_ops;
	size_t env_op_count;
	struct spec_string chdir;

	int *keep_fds;
	size_t keep_fd_count;
	struct path_layer *lock_files; /* paths inside */
	size_t lock_file_count;
	int *sync_fds;
	size_t sync_fd_count;
	struct spec_fd block_fd, userns_block_fd, info_fd, json_status_fd;

	struct spec_policy policy;
	struct spec_fd seccomp_fd;
	struct spec_fd *add_seccomp_fds;
	size_t add_seccomp_count;
	struct cap_op *cap_ops;
	size_t cap_op_count;
	struct spec_string exec_label, file_label;
	struct spec_landlock landlock;

	struct spec_limits limits;
	struct spec_string cgroup; /* auto, systemd, none or a path */
	struct spec_fd usage_fd;
	struct spec_views views;
	struct spec_io io;
	struct spec_net net;
	enum pty_choice pty;
	struct spec_string name;
	struct spec_stop stop;
	struct spec_fd control_fd;

	struct spec_string argv0;
	char *const
		*command; /* NULL-terminated words of COMMAND, borrowed; NULL where there is none */

	char **blobs; /* contents of --args files and other owned strings */
	size_t blob_count;
	int *consumed_fds; /* descriptors that options named: never given to COMMAND */
	size_t consumed_fd_count;
	int *warned_uses; /* repeated single-value options, for a warning each */
	size_t warned_use_count;
};

/* The longest name of a sandbox. */
#define SPEC_NAME_MAX 64

/** spec_is_name - may a sandbox have this name? Letters, digits, and . _ - behind the first one */
bool spec_is_name(const char *name);

/** spec_free - release what the spec owns; fine on a zeroed one */
void spec_free(struct spec *spec);

/** spec_joins - is an existing namespace of this type to be joined? */
static inline bool spec_joins(const struct spec *spec, enum ns_type type)
{
	return spec->namespaces.join[type].is_set;
}

/** spec_flag - was @flag given? */
static inline bool spec_flag(const struct spec *spec, enum spec_flag flag)
{
	return spec->flag_use[flag] >= 0;
}

/** spec_uses_landlock - may the plan need Landlock? */
static inline bool spec_uses_landlock(const struct spec *spec)
{
	const struct spec_landlock *landlock = &spec->landlock;

	return spec->personality->scopes_ipc || landlock->isolation != ISOLATION_FULL ||
	       landlock->connect_tcp.count || landlock->bind_tcp.count;
}

/**
 * spec_add - append one zeroed element to a growing array
 * @array: address of the array pointer
 * @count: its length, advanced
 * @size: bytes of an element
 *
 * Returns: the new element, NULL when out of memory. The capacity doubles at powers of two.
 */
void *spec_add(void *array, size_t *count, size_t size);

/** spec_add_blob - hand the allocated @blob over to @spec, which frees it; NULL in or out: out of
 * memory */
must_check char *spec_add_blob(struct spec *spec, char *blob);

/**
 * spec_parse - read the command line
 * @spec: zeroed; receives what was read, to be released with spec_free() in any case
 * @argv: NULL-terminated, borrowed until spec_free()
 *
 * Reads and closes --args descriptors, touches nothing else. Returns: 0, or -errno with @err
 * filled. err->use is the option concerned.
 */
must_check int spec_parse(struct spec *spec, char *const *argv, struct cloche_error *err);

/* What may be asked of a sandbox that runs. */
enum late_kind {
	LATE_COMMAND, /* another COMMAND, and what is about it alone */
	LATE_LIMITS,  /* limits of its group */
	LATE_BINDS,
	LATE_NET,
	LATE_PUBLISH
};

/** spec_parse_late - spec_parse() of options of this kind alone, LATE_COMMAND's without COMMAND */
must_check int spec_parse_late(struct spec *spec, char *const *argv, enum late_kind kind,
			       struct cloche_error *err);

/**
 * spec_extend - read more words, as if they stood behind those that were read already
 * @words: options that may be given to a sandbox that runs (cloche exec), then COMMAND;
 * NULL-terminated, borrowed until spec_free()
 *
 * Returns: 0, or -errno with @err filled, also where an option is not one of those.
 */
must_check int spec_extend(struct spec *spec, char *const *words, struct cloche_error *err);
