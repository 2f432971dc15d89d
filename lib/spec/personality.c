/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The one table with two columns. Nothing else asks which name was used.
 */
#include "spec/personality.h"

#include <linux/sched.h>
#include <stddef.h>
#include <string.h>

#include "base/str.h"

#define MIB (1024ull * 1024)
#define ALL_NAMESPACES                                                                             \
	(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |               \
	 CLONE_NEWCGROUP)

/* Texts with offsets instead of pointers: nothing to relocate at every start. */
static const struct texts_bwrap {
	char none[1];
#define MESSAGE(code, bwrap, cloche) char code[sizeof(bwrap)];
#include "base/messages.def"
#undef MESSAGE
} texts_bwrap = {
	"",
#define MESSAGE(code, bwrap, cloche) bwrap,
#include "base/messages.def"
#undef MESSAGE
};

static const uint16_t offsets_bwrap[ERROR_CODE_COUNT] = {
#define MESSAGE(code, bwrap, cloche) [ERROR_##code] = offsetof(struct texts_bwrap, code),
#include "base/messages.def"
#undef MESSAGE
};

static const struct texts_cloche {
	char none[1];
#define MESSAGE(code, bwrap, cloche) char code[sizeof(cloche)];
#include "base/messages.def"
#undef MESSAGE
} texts_cloche = {
	"",
#define MESSAGE(code, bwrap, cloche) cloche,
#include "base/messages.def"
#undef MESSAGE
};

static const uint16_t offsets_cloche[ERROR_CODE_COUNT] = {
#define MESSAGE(code, bwrap, cloche) [ERROR_##code] = offsetof(struct texts_cloche, code),
#include "base/messages.def"
#undef MESSAGE
};

static const struct personality personalities[] = {
	{
		.name = "cloche",
		.unshare = ALL_NAMESPACES,
		.provides_root = true,
		.new_session_without_tty = true,
		.has_pty = true,
		.denies_userns = true,
		.isolates_caps = true,
		.renews_keyring = true,
		.reports_userns = true,
		.protects_proc = true,
		.refuses_magic_links = true,
		.checks_fds = true,
		.ends_together = true,
		.hides_crashes = true,
		.scopes_ipc = true,
		.policy = "default",
		.confines_init = true,
		.private_mounts = true,
		.root_size = 64 * MIB,
		.dev_size = 1 * MIB,
		.tmp_size = 1024 * MIB,
		.shm_size = 256 * MIB,
		.overlay_size = 1024 * MIB,
		.parent_perms = 0755,
		.status_setup = 125,
		.status_not_executable = 126,
		.status_not_found = 127,
		.texts = (const char *)&texts_cloche,
		.offsets = offsets_cloche,
	},
	{
		.name = "bwrap",
		.is_bwrap_level = true,
		.creates_dest = true,
		.inherits_fds = true,
		.inherits_env = true,
		.keeps_root_caps = true,
		.policy = "none",
		.status_setup = 1,
		.status_not_executable = 1,
		.status_not_found = 1,
		.texts = (const char *)&texts_bwrap,
		.offsets = offsets_bwrap,
	},
};

const struct personality *personality_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(personalities); i++)
		if (strcmp(personalities[i].name, name) == 0)
			return &personalities[i];
	return NULL;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

const struct personality *personality_for_program(const char *name)
{
	name = base_name(name);
	if (str_ends(name, "bwrap"))
		return personality_find("bwrap");
	return str_starts(name, "cloche") ? personality_find("cloche") : NULL;
}

const char *personality_message(const struct personality *personality, enum error_code code)
{
	return personality->texts + personality->offsets[code];
}
