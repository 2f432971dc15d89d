/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: ids on their way from the words of --uid and --gid to the lines of the map files.
 * The input is the two words, with a NUL between them. Linked with --wrap=fd_write_file: what would
 * be written to /proc is looked at instead.
 */
#include "base/fd.h"
#include "enter/enter.h"
#include "fuzz.h"

int __wrap_fd_write_file(int dir_fd, const char *path, const char *text);

static struct {
	char uid_map[64], gid_map[64], setgroups[64];
} written;

int __wrap_fd_write_file(int dir_fd, const char *path, const char *text)
{
	char *file = strcmp(path, "self/uid_map") == 0	   ? written.uid_map
		     : strcmp(path, "self/gid_map") == 0   ? written.gid_map
		     : strcmp(path, "self/setgroups") == 0 ? written.setgroups
							   : NULL;

	require(dir_fd == -42 && file && !file[0] && strlen(text) < sizeof(written.uid_map));
	/* gid_map takes an ordinary user's line only after "deny" (user_namespaces(7)). */
	require(file != written.gid_map || strcmp(written.setgroups, "deny\n") == 0);
	strcpy(file, text);
	return 0;
}

/* Needed by what is linked, but not by writing maps. */
int mount_new_fs(const char *type, const struct fs_option *options, unsigned attributes)
{
	(void)type;
	(void)options;
	(void)attributes;
	abort();
}

/* Digits only, at most 4294967294. */
static bool slow_id(const char *text, uint64_t *ret_id)
{
	uint64_t id = 0;

	if (!text[0] || text[strspn(text, "0123456789")])
		return false;
	for (; *text; text++) {
		id = id * 10 + (uint64_t)(*text - '0');
		if (id > 4294967294u)
			return false;
	}
	*ret_id = id;
	return true;
}

static void check_maps(const struct spec *spec, uint64_t uid, uint64_t gid)
{
	struct cloche_error err = ERROR_INIT;
	struct enter enter = { .mounts.host_proc_fd = -42 };
	struct facts facts;
	struct plan plan;
	char expected[64];

	fuzz_facts(&facts, false);
	require(plan_make(&plan, spec, &facts, &err) == 0);
	require(plan.inner_uid == uid && plan.inner_gid == gid && plan.writes_id_maps);
	memset(&written, 0, sizeof(written));
	enter.plan = &plan;
	require(userns_write_maps(&enter, &err) == 0);
	require(snprintf(expected, sizeof(expected), "%llu 1000 1\n", (unsigned long long)uid) > 0);
	require(strcmp(written.uid_map, expected) == 0);
	require(snprintf(expected, sizeof(expected), "%llu 1000 1\n", (unsigned long long)gid) > 0);
	require(strcmp(written.gid_map, expected) == 0);
	plan_free(&plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char program[] = "cloche", uid_option[] = "--uid", gid_option[] = "--gid",
	     command[] = "COMMAND";
	char *text = fuzz_text(data, size), *gid_text = text + strlen(text);
	struct cloche_error err = ERROR_INIT;
	struct spec spec = { .personality = personality_find("cloche") };
	uint64_t uid = 0, gid = 0;
	bool is_uid, is_gid;

	if (gid_text < text + size)
		gid_text++;
	is_uid = slow_id(text, &uid);
	is_gid = slow_id(gid_text, &gid);
	char *words[] = { program, uid_option, text, gid_option, gid_text, command, NULL };
	int r = spec_parse(&spec, words, &err);

	require((r == 0) == (is_uid && is_gid));
	if (r == 0) {
		check_maps(&spec, uid, gid);
	} else {
		require(err.code == (is_uid ? ERROR_INVALID_GID : ERROR_INVALID_UID));
		require(err.use == (is_uid ? 1 : 0));
	}
	spec_free(&spec);
	free(text);
	return 0;
}
