/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Attacks on the keys of whoever started the sandbox (keyrings(7)), and on namespaces by their
 * files. See attack.h.
 */
#include "attack.h"
#include <linux/keyctl.h>

#define ALL_BUT_OTHERS 0x3f3f0000 /* all rights for who possesses the key, and for its user */

static char serial[2]
		  [24]; /* of the keys that "plant" made, in the session and in the user keyring */

static long key(long operation, long a, long b, long c, long d)
{
	return syscall(SYS_keyctl, operation, a, b, c, d);
}

static long add(const char *name, long keyring)
{
	return syscall(SYS_add_key, "user", name, "secret", 6, keyring);
}

static long find(const char *name, long keyring)
{
	return key(KEYCTL_SEARCH, keyring, (long)"user", (long)name, 0);
}

/* A new session keyring with a key and the user keyring in it, and a key in that: what a login
 * leaves. The names are the argument's, and the same with "-users". */
static void verb_plant(char **arguments)
{
	long made = key(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0);
	long probe = add(arguments[0], KEY_SPEC_SESSION_KEYRING);
	char name[64];
	long users;

	snprintf(name, sizeof name, "%s-users", arguments[0]);
	users = add(name, KEY_SPEC_USER_KEYRING);
	if (key(KEYCTL_LINK, KEY_SPEC_USER_KEYRING, KEY_SPEC_SESSION_KEYRING, 0, 0) < 0)
		made = -1;
	report("plant", made < 0 || probe < 0 || users < 0 ? -1 : 0);
	snprintf(serial[0], sizeof serial[0], "%ld", probe);
	snprintf(serial[1], sizeof serial[1], "%ld", users);
}

/* What would be left of that. */
static void verb_sweep(char **arguments)
{
	char name[64];

	snprintf(name, sizeof name, "%s-users", arguments[0]);
	report("sweep",
	       key(KEYCTL_UNLINK, find(name, KEY_SPEC_USER_KEYRING), KEY_SPEC_USER_KEYRING, 0, 0));
}

/* The rest of the command line as a program; its words PROBE and USERS are the keys' numbers. */
static void verb_exec(char **arguments)
{
	for (char **word = arguments; *word; word++) {
		if (strcmp(*word, "PROBE") == 0)
			*word = serial[0];
		if (strcmp(*word, "USERS") == 0)
			*word = serial[1];
	}
	execv(arguments[0], arguments);
	report("exec", -1);
	exit(0);
}

/* Finding them by name. */
static void verb_search(char **arguments)
{
	char name[64];

	snprintf(name, sizeof name, "%s-users", arguments[0]);
	report("request", syscall(SYS_request_key, "user", arguments[0], NULL, 0));
	report("request-users", syscall(SYS_request_key, "user", name, NULL, 0));
	report("search", find(arguments[0], KEY_SPEC_SESSION_KEYRING));
	report("search-users", find(name, KEY_SPEC_USER_KEYRING));
	report("search-users-session", find(name, KEY_SPEC_USER_SESSION_KEYRING));
	report("link-users",
	       key(KEYCTL_LINK, KEY_SPEC_USER_KEYRING, KEY_SPEC_SESSION_KEYRING, 0, 0));
	report("search-linked", find(name, KEY_SPEC_SESSION_KEYRING));
}

/* Using one whose number is known, or guessed. */
static void verb_use(char **arguments)
{
	long id = atol(arguments[0]);
	char content[16];

	report("read", key(KEYCTL_READ, id, (long)content, sizeof content, 0));
	report("link", key(KEYCTL_LINK, id, KEY_SPEC_SESSION_KEYRING, 0, 0));
	report("setperm", key(KEYCTL_SETPERM, id, ALL_BUT_OTHERS, 0, 0));
	report("update", key(KEYCTL_UPDATE, id, (long)"other", 5, 0));
}

/* Leaving one's own keyring for the caller's, by its usual name. */
static void verb_join(char **arguments)
{
	report("join", key(KEYCTL_JOIN_SESSION_KEYRING, (long)"_ses", 0, 0, 0));
	report("join-search", find(arguments[0], KEY_SPEC_SESSION_KEYRING));
}

/* Into the namespace of a file, and of a descriptor that was left open. */
static void verb_setns(char **arguments)
{
	int fd = open(arguments[0], O_RDONLY | O_CLOEXEC);

	report("open", fd);
	report("setns", setns(fd, 0));
}

static void verb_setns_fd(char **arguments)
{
	report("setns-fd", setns(atoi(arguments[0]), 0));
}

int main(int argc, char **argv)
{
	static const struct verb verbs[] = {
		{ "nested", 0, verb_nested },	  { "plant", 1, verb_plant },
		{ "sweep", 1, verb_sweep },	  { "exec", 1, verb_exec },
		{ "search", 1, verb_search },	  { "use", 1, verb_use },
		{ "join", 1, verb_join },	  { "setns", 1, verb_setns },
		{ "setns-fd", 1, verb_setns_fd }, { NULL, 0, NULL },
	};

	return run_verbs(verbs, argc, argv);
}
