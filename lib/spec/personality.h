/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The two personalities: everything that depends on the name the program was called by is in this
 * one table.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct personality {
	const char *name;    /* "cloche" or "bwrap" */
	bool is_bwrap_level; /* --version and --help speak as bubblewrap */
	uint64_t unshare;    /* namespaces that are unshared without being asked, CLONE_NEW* */
	bool provides_root;  /* the host's /usr, parts of /etc, /proc, /dev, /tmp and a home unless
				told otherwise */
	bool creates_dest;   /* missing destinations below a host bind are created on the host */
	bool inherits_fds;   /* descriptors from 3 on reach COMMAND */
	bool checks_fds;     /* a descriptor that an option names must be open */
	bool inherits_env;
	bool new_session_without_tty; /* setsid() when stdin is no terminal */
	bool has_pty;		      /* COMMAND gets a terminal of its own where stdin is one */
	bool denies_userns;	      /* COMMAND may not create user namespaces */
	bool isolates_caps; /* COMMAND with capabilities gets a user and mount namespace of its own
			     */
	bool keeps_root_caps; /* real root keeps its capabilities, and needs no user namespace */
	bool renews_keyring;  /* COMMAND gets a session keyring of its own */
	bool reports_userns;  /* the JSON status names the user namespace, too */
	bool protects_proc;   /* /proc/sys and its like are read-only whoever we are */
	bool refuses_magic_links; /* as sources of binds */
	bool ends_together;  /* when COMMAND ends everything ends; signals are forwarded; our death
				ends it */
	bool hides_crashes;  /* no core file, no handler of cores, unless --rlimit core says so */
	bool scopes_ipc;     /* Landlock keeps COMMAND from abstract sockets and signals outside */
	const char *policy;  /* seccomp policy of COMMAND, "none" where there is none */
	bool confines_init;  /* the init process gets a seccomp program, too */
	bool private_mounts; /* mount propagation: private, else slave */
	uint64_t root_size, dev_size, tmp_size, shm_size,
		overlay_size; /* tmpfs limits in bytes, 0: the kernel's */
	mode_t parent_perms;  /* whom directories made on the way to a mount point let through: 0755
				 or 0 */
	int status_setup, status_not_executable, status_not_found; /* exit statuses of our own */
	const char *texts;	 /* of messages.def, one behind the other */
	const uint16_t *offsets; /* into texts, by enum error_code */
};

/** personality_find - by name: "cloche" or "bwrap"; NULL for another */
const struct personality *personality_find(const char *name);

/** personality_for_program - by a program's name or path: *bwrap or cloche*; NULL for any other */
const struct personality *personality_for_program(const char *name);

/** personality_message - the text for @code, with {path} and {detail} as error_format() takes them
 */
const char *personality_message(const struct personality *personality, enum error_code code);
