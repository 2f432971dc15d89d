/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The inside: what the child does between clone and exec, one function per subject. child.c calls
 * them in one visible order.
 *
 * Context of everything here: the child, single-threaded, on a copy of the supervisor's memory. It
 * holds all capabilities in the sandbox's user namespace (real root: its own) until caps_drop().
 * Nothing may allocate, use stdio or the name service: all memory is prepared by prepare_enter()
 * before clone.
 */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <termios.h>

#include "base/path.h"
#include "spec/plan.h"

/* The scratch tmpfs, the root, and each tmpfs, /dev and overlay of an operation are file systems of
 * ours. */
#define OWN_DEVICES_FIXED 2

/* The root file system while it is being built. */
struct mounts {
	int host_proc_fd;	 /* the host's /proc, O_PATH */
	int old_root_fd;	 /* the host's root directory, O_PATH */
	int root_fd;		 /* the new root directory */
	struct path_cache cache; /* for destinations below root_fd */
	bool needs_pivot;	 /* root_fd is not yet what "/" means */
	int scratch_fd;		 /* invisible tmpfs, -1 */
	unsigned scratch_count;
	int *trees;	/* per operation: the detached mount it attaches, -1 */
	int *layer_fds; /* per overlay layer of the spec: O_PATH */
	int *upper_fds; /* per operation: upper directory of an overlay, -1 */
	int *work_fds;
	int masks[2]; /* an empty file and an empty directory: mounts; -1 */
	bool mask_attached[2];
	int *node_trees;    /* per device node of --dev-node: the mount; -1 */
	int dev_trees[7];   /* null zero full random urandom tty console: mounts; -1 */
	bool dev_attached;  /* ... by an earlier --dev */
	dev_t *own_devices; /* st_dev of our file systems */
	size_t own_device_count;
	bool host_refused; /* the last creation was refused because it would be on the host */
};

/* Where argv and environ lie in memory, one behind the other. */
struct enter_title {
	char *start;
	size_t argv_size; /* bytes from start to the end of argv's last word */
	size_t size;	  /* ... and to the end of environ's */
};

/* COMMAND's own terminal. */
struct enter_terminal {
	int channel_fd; /* to the supervisor: the master goes there, then a byte for each stop; -1
			 */
	int spare_fd;	/* a master of the host's, for a sandbox without devpts, -1 */
	int slave_fd;	/* made by the child, -1 */
	bool in_background; /* COMMAND does not have the terminal until it asks */
	bool has_modes;
	struct termios modes; /* what the caller's has */
	struct winsize size;
};

/* Everything the child needs, prepared by the supervisor and copied by clone. */
struct enter {
	const struct plan *plan;
	const struct facts *facts;
	struct mounts mounts;
	int error_fd;  /* write end of the error pipe; closes on exec */
	int status_fd; /* write end for COMMAND's status where the init process outlives it, -1 */
	int go_fd;     /* read end: wait until it is closed before going on, -1 */
	int ready_fd;  /* write end: closed once our namespaces are complete, -1 */
	int net_mapped_fd; /* write end: cloche-net waits for our ids and namespaces, -1 */
	int net_go_fd;	   /* read end: wait for the network before COMMAND, -1 */
	struct enter_terminal terminal;
	int supervisor_pidfd; /* to notice the supervisor's death, -1 */
	pid_t signaller;  /* whose signals the init process passes on: the supervisor's, 0 where it
			     is not in our pid namespace; -1: the parent's */
	int inner_fds[2]; /* COMMAND's user and mount namespace, to be joined instead of made; -1 */
	bool enters_late; /* what runs in the sandbox already may be hostile */
	struct sock_fprog policy;	     /* our own seccomp program, length 0: none */
	struct sock_fprog guards[GUARD_MAX]; /* beside Landlock, in constant memory */
	size_t guard_count;
	bool policy_is_owned;	       /* ... in allocated memory */
	bool logs_denied;	       /* ... and the kernel is to log what it denies */
	struct sock_fprog init_policy; /* the init process's, length 0: none; constant memory */
	struct sock_fprog *filters;    /* seccomp programs of the caller's in order */
	size_t filter_count;
	char *file;	     /* what to execute; a copy, as the next two are */
	char **command;	     /* COMMAND's argv */
	char *exec_label;    /* NULL where there is none */
	char *inner_uid_map; /* text of the inner user namespace's maps; NULL where it has the own
				ids only */
	char *inner_gid_map;
	char **environment; /* the plan's, with pwd in its place */
	char *pwd;	    /* room for "PWD=" and a path */
	int stdio_fds[3];   /* what becomes COMMAND's standard descriptors, -1: what is there */
	int *fd_list;	    /* room for the descriptors that COMMAND keeps */
	int *init_fds;	    /* descriptors that the init process keeps */
	size_t init_fd_count;
	struct enter_title title; /* overwritten in the init process */
	rlim_t soft_fd_limit;	  /* to be restored before exec; 0: it was not raised */
	mode_t umask;		  /* the caller's, restored before exec */
};

#define PWD_ROOM (PATH_MAX + 8)

/** child_main - the whole life of the child; writes the error record on failure. Never returns. */
_Noreturn void child_main(struct enter *enter);

/** child_join - the same for one more COMMAND, in a process that is in the sandbox's namespaces
 * already, and whose parent is not */
_Noreturn void child_join(struct enter *enter);

/** child_fail - hand @err to the supervisor and end */
_Noreturn void child_fail(const struct enter *enter, const struct cloche_error *err);

/** child_warn - print @err as a warning at once; the only output of the child */
void child_warn(const struct enter *enter, const struct cloche_error *err);

/* ---- ids and user namespaces (userns.c) ---- */

/** userns_write_maps - map one id each and forbid setgroups; before the first file is created */
must_check int userns_write_maps(const struct enter *enter, struct cloche_error *err);

/** userns_drop_groups - leave all supplementary groups; after the maps */
must_check int userns_drop_groups(const struct plan *plan, struct cloche_error *err);

/** userns_take_ids - become COMMAND's ids, with all capabilities, where the maps were written from
 * outside. What prctl(2) set to happen at the supervisor's death is lost. */
must_check int userns_take_ids(const struct enter *enter, struct cloche_error *err);

/** userns_limit - forbid or bound nested user namespaces of the current one */
must_check int userns_limit(const struct enter *enter, struct cloche_error *err);

/** userns_enter_inner - give COMMAND a user namespace (and mount namespace) of its own, same ids */
must_check int userns_enter_inner(const struct enter *enter, struct cloche_error *err);

/** userns_assert_disabled - fail if a user namespace can be created; tries in a child */
must_check int userns_assert_disabled(struct cloche_error *err);

/* ---- clocks and keys (time.c, keyring.c) ---- */

/** time_enter - make a time namespace, set its clocks and join it; needs a child that shares no
 * memory */
must_check int time_enter(const struct enter *enter, struct cloche_error *err);

/** keyring_renew - leave the caller's session keyring for a new, empty one */
must_check int keyring_renew(struct cloche_error *err);

/* ---- network (network.c) ---- */

/** network_up - bring up the loopback interface; the kernel assigns 127.0.0.1 and ::1 itself */
must_check int network_up(struct cloche_error *err);

/* ---- mounts ---- */

/** source_open_all - open every source by path, before anything is covered (source.c) */
must_check int source_open_all(struct enter *enter, struct cloche_error *err);

/** source_open_bind - clone the source of one bind with its flags set: *@ret_tree, untouched where
 * it is missing and may be; 0 or -errno with @err filled */
must_check int source_open_bind(const struct enter *enter, const struct fs_op *op, int *ret_tree,
				struct cloche_error *err);

/** source_clone - clone what is at @path below @fd ("": @fd itself) with flags and propagation set;
 * fd or -errno */
must_check int source_clone(int fd, const char *path, uint64_t attributes, bool private_mounts);

/** source_bind_attributes - the mount attributes of a bind with these enum bind_flag */
uint64_t source_bind_attributes(const struct plan *plan, int flags);

/** source_set_flags - set mount attributes on a tree and everything below; names the submount that
 * refuses */
must_check int source_set_flags(const struct enter *enter, int tree, const char *path,
				uint64_t attributes, struct cloche_error *err);

/** root_prepare - make the new root and the scratch tmpfs and attach them over "/", or set flags in
 * place (root.c) */
must_check int root_prepare(struct enter *enter, struct cloche_error *err);

/** root_switch - make the new root the root directory and leave the old one for good */
must_check int root_switch(struct enter *enter, struct cloche_error *err);

/** mount_all - carry out the plan's operations in order (mount.c) */
must_check int mount_all(struct enter *enter, struct cloche_error *err);

/** mount_make_dest - open the destination of @op, and create it where it is missing; fd or -errno
 * with @err filled */
must_check int mount_make_dest(struct enter *enter, const struct fs_op *op, mode_t type_and_mode,
			       struct cloche_error *err);

/** mount_attach - attach the detached @tree (borrowed) to @op's destination */
must_check int mount_attach(struct enter *enter, const struct fs_op *op, int tree,
			    struct cloche_error *err);

/** mount_policy - what may be created on the way to @op's destination */
struct path_policy mount_policy(struct enter *enter, const struct fs_op *op);

/** mount_dest_error - fill @err for a destination that could not be created */
int mount_dest_error(struct enter *enter, const struct fs_op *op, int r, struct cloche_error *err);

/** mount_own - remember that the file system @fd is on is ours */
void mount_own(struct mounts *mounts, int fd);

/** mount_is_own - is @fd on a file system that we made? */
bool mount_is_own(const struct mounts *mounts, int fd);

/** root_mount_id - the mount on which @path ends; 0 where it cannot be told (root.c) */
uint64_t root_mount_id(int dir_fd, const char *path);

/* A key and its value for fsconfig(2); NULL value: a flag. */
struct fs_option {
	const char *key;
	const char *value;
};

/** mount_new_fs - a detached mount of a new file system; @options end with a NULL key. fd or -errno
 */
must_check int mount_new_fs(const char *type, const struct fs_option *options, unsigned attributes);

/** mount_new_tmpfs - a detached tmpfs: @size in bytes, 0 for the kernel's; labelled by the plan. fd
 * or -errno */
must_check int mount_new_tmpfs(const struct enter *enter, uint64_t size, mode_t mode);

/** dev_mount, proc_mount, sys_mount, overlay_mount, secrets_mount, protect_paths - the operations
 * (dev.c, proc.c, overlay.c, secrets.c, protect.c) */
must_check int dev_mount(struct enter *enter, const struct fs_op *op, struct cloche_error *err);
must_check int proc_mount(struct enter *enter, const struct fs_op *op, int tree,
			  struct cloche_error *err);
must_check int sys_mount(struct enter *enter, const struct fs_op *op, int tree,
			 struct cloche_error *err);
must_check int secrets_mount(struct enter *enter, const struct fs_op *op, struct cloche_error *err);
must_check int protect_paths(struct enter *enter, const struct fs_op *op, struct cloche_error *err);
must_check int overlay_mount(struct enter *enter, const struct fs_op *op, size_t index,
			     struct cloche_error *err);

/** files_make - OP_DIR, OP_FILE, OP_DATA, OP_SYMLINK and OP_CHMOD (files.c) */
must_check int files_make(struct enter *enter, const struct fs_op *op, struct cloche_error *err);

/* Of a sysfs, new or the host's: nobody inside has anything to write there. */
#define SYS_ATTRIBUTES                                                                             \
	(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

/* ---- COMMAND's own terminal (terminal.c); nothing is done where it has none ---- */

/** terminal_open - make it, in the sandbox's devpts where it has one, and hand its master to the
 * supervisor */
must_check int terminal_open(struct enter *enter, struct cloche_error *err);

/** terminal_lead - in the process that leads the session: make it the terminal's */
must_check int terminal_lead(const struct enter *enter, struct cloche_error *err);

/** terminal_join - in COMMAND's process, below the one that leads: a process group of its own, in
 * the foreground unless the supervisor is not */
must_check int terminal_join(const struct enter *enter, struct cloche_error *err);

/** terminal_give - in the process that leads: put COMMAND's process group in the foreground, unless
 * another one has left it the terminal since */
void terminal_give(const struct enter *enter, pid_t command);

/** terminal_replace_stdio - put the terminal on the standard descriptors of this process that it is
 * to be; 0 or -errno */
must_check int terminal_replace_stdio(const struct enter *enter);

/** terminal_tell_stop - tell the supervisor that the signal @number stopped COMMAND */
void terminal_tell_stop(const struct enter *enter, int number);

/* ---- confinement ---- */

/** stdio_enter - put the opened files on COMMAND's standard descriptors (stdio.c) */
must_check int stdio_enter(const struct enter *enter, struct cloche_error *err);

/** label_set - set the SELinux label @name ("exec", "fscreate") of this process (label.c) */
must_check int label_set(const struct enter *enter, const char *name, const char *label,
			 struct cloche_error *err);

/** limits_protect_group - make a cgroup file system that was bound read-only where the sandbox is
 * in a group of ours; after root_switch() (limits.c) */
must_check int limits_protect_group(const struct enter *enter, struct cloche_error *err);

/** limits_set_oom_score - while the host's procfs is still open */
must_check int limits_set_oom_score(const struct enter *enter, struct cloche_error *err);

/** limits_set - all other limits of this process, which becomes COMMAND */
must_check int limits_set(const struct enter *enter, struct cloche_error *err);

/** caps_drop - leave COMMAND the capabilities of the plan (caps.c) */
must_check int caps_drop(const struct plan *plan, struct cloche_error *err);

/** caps_guard - leave the init process the one capability that COMMAND never has, so that COMMAND
 * cannot trace it */
must_check int caps_guard(struct cloche_error *err);

/** landlock_lock - put this process in the plan's Landlock domain; after no_new_privs (landlock.c)
 */
must_check int landlock_lock(const struct enter *enter, struct cloche_error *err);

/** seccomp_load - load our program and then the caller's in order (seccomp.c) */
must_check int seccomp_load(const struct enter *enter, struct cloche_error *err);

/** seccomp_load_init - load the init process's program */
must_check int seccomp_load_init(const struct enter *enter, struct cloche_error *err);

/** workload_run - the last steps, in the process that becomes COMMAND; returns only on failure
 * (workload.c) */
int workload_run(struct enter *enter, struct cloche_error *err);

/** workload_enter_cwd - change to the working directory, and note it for PWD */
must_check int workload_enter_cwd(struct enter *enter, struct cloche_error *err);
