/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of lib/spec/personality.c, linked with str.c only: which name means what, and that both
 * columns are whole.
 */
#include "spec/personality.h"

#include <sched.h>

#include "unit.h"

static void test_names(void)
{
	static const char *const cases[][2] = {
		{ "bwrap", "bwrap" },
		{ "/usr/bin/bwrap", "bwrap" },
		{ "./bwrap", "bwrap" },
		{ "/x/my-bwrap", "bwrap" },
		{ "flatpak-bwrap", "bwrap" },
		{ "cloche-bwrap", "bwrap" }, /* the end of the name decides first */
		{ "cloche", "cloche" },
		{ "/usr/bin/cloche", "cloche" },
		{ "cloche-foo", "cloche" },
		{ "/opt/x/cloche.old", "cloche" },
		/* neither: the caller then asks for the executed file */
		{ "", NULL },
		{ "/", NULL },
		{ "exe", NULL },
		{ "/proc/self/exe", NULL },
		{ "bwrap/", NULL },
		{ "bwrap2", NULL },
		{ "BWRAP", NULL },
		{ "wrap", NULL },
		{ "my-cloche", NULL },
		{ "/bwrap/other", NULL }, /* only the last name counts */
		{ "/cloche/other", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct personality *found = personality_for_program(cases[i][0]);

		CHECK_STR_IN(cases[i][0], found ? found->name : NULL, cases[i][1]);
	}
}

static void test_find(void)
{
	CHECK_STR(personality_find("cloche")->name, "cloche");
	CHECK_STR(personality_find("bwrap")->name, "bwrap");
	CHECK(personality_find("") == NULL);
	CHECK(personality_find("my-bwrap") == NULL);
	CHECK(personality_find("Bwrap") == NULL);
}

/* Only {path}, {detail} and {} are known to the formatter. */
static void check_template(const char *text)
{
	for (const char *brace = strpbrk(text, "{}"); brace; brace = strpbrk(brace, "{}")) {
		if (strncmp(brace, "{path}", 6) == 0)
			brace += 6;
		else if (strncmp(brace, "{detail}", 8) == 0)
			brace += 8;
		else if (strncmp(brace, "{}", 2) == 0)
			brace += 2;
		else
			unit_fail("messages.def", __LINE__, text);
	}
}

static void check_message(const char *text)
{
	size_t length;

	CHECK(text != NULL);
	length = strlen(text);
	CHECK(length > 0);
	CHECK(!strchr(text, '\n') && !strchr(text, '%'));
	CHECK(text[0] != ' ' && text[length - 1] != ' ' && text[length - 1] != ':');
	check_template(text);
}

static void test_messages(void)
{
	const struct personality *bwrap = personality_find("bwrap"),
				 *cloche = personality_find("cloche");

	for (enum error_code code = ERROR_NONE + 1; code < ERROR_CODE_COUNT; code++) {
		check_message(personality_message(bwrap, code));
		check_message(personality_message(cloche, code));
		/* Our own: lower case, no full stop. */
		CHECK(strncmp(personality_message(cloche, code), "COMMAND", 7) == 0 ||
		      !(personality_message(cloche, code)[0] >= 'A' &&
			personality_message(cloche, code)[0] <= 'Z'));
		CHECK(personality_message(
			      cloche, code)[strlen(personality_message(cloche, code)) - 1] != '.');
	}
}

/* The promises that the two names differ in. */
static void test_columns(void)
{
	const struct personality *bwrap = personality_find("bwrap"),
				 *cloche = personality_find("cloche");
	const uint64_t all = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
			     CLONE_NEWUTS | CLONE_NEWCGROUP;

	CHECK(cloche->unshare == all && bwrap->unshare == 0);
	CHECK(cloche->provides_root && !bwrap->provides_root);
	CHECK(!cloche->creates_dest && bwrap->creates_dest);
	CHECK(!cloche->inherits_fds && bwrap->inherits_fds);
	CHECK(!cloche->inherits_env && bwrap->inherits_env);
	CHECK(cloche->new_session_without_tty && !bwrap->new_session_without_tty);
	CHECK(cloche->denies_userns && !bwrap->denies_userns);
	CHECK(cloche->isolates_caps && !bwrap->isolates_caps);
	CHECK(!cloche->keeps_root_caps && bwrap->keeps_root_caps);
	CHECK(cloche->protects_proc && !bwrap->protects_proc);
	CHECK(cloche->refuses_magic_links && !bwrap->refuses_magic_links);
	CHECK(cloche->checks_fds && !bwrap->checks_fds);
	CHECK(cloche->ends_together && !bwrap->ends_together);
	CHECK(cloche->private_mounts && !bwrap->private_mounts);
	CHECK(!cloche->is_bwrap_level && bwrap->is_bwrap_level);
	CHECK_INT(cloche->root_size, 64 << 20);
	CHECK_INT(cloche->dev_size, 1 << 20);
	CHECK_INT(cloche->tmp_size, 1 << 30);
	CHECK_INT(cloche->shm_size, 256 << 20);
	CHECK_INT(cloche->overlay_size, 1 << 30);
	CHECK(!bwrap->root_size && !bwrap->dev_size && !bwrap->tmp_size && !bwrap->shm_size &&
	      !bwrap->overlay_size);
	CHECK_INT(cloche->status_setup, 125);
	CHECK_INT(cloche->status_not_executable, 126);
	CHECK_INT(cloche->status_not_found, 127);
	CHECK_INT(bwrap->status_setup, 1);
	CHECK_INT(bwrap->status_not_executable, 1);
	CHECK_INT(bwrap->status_not_found, 1);
}

int main(void)
{
	test_names();
	test_find();
	test_messages();
	test_columns();
	return 0;
}
