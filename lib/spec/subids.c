/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads what newuidmap(1) will read, so that a refusal comes before anything is started, and says
 * what is allowed. What is read here is no permission: that is newuidmap's to give. Runs in the
 * caller's process.
 */
#include "spec/subids.h"

#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "base/num.h"
#include "spec/idmap.h"
#include "spec/spec.h"

#define MAX_FILE_BYTES (16u << 20)

/* ---- the files' lines ---- */

/* Cuts the next ":"-separated field off *@line; NULL where there is none. */
static char *next_field(char **line)
{
	return *line ? strsep(line, ":") : NULL;
}

/* OWNER:FIRST:COUNT, of which the owner is returned; NULL where it is no such line. */
static const char *parse_line(char *line, struct subid_range *ret_range)
{
	char *owner = next_field(&line), *first = next_field(&line), *count = next_field(&line);
	uint64_t first_id, id_count;

	if (!owner || !owner[0] || !first || !count || line ||
	    num_parse(first, IDMAP_LAST_ID, &first_id) < 0 ||
	    num_parse(count, UINT32_MAX, &id_count) < 0 || id_count == 0 ||
	    first_id + id_count - 1 > IDMAP_LAST_ID)
		return NULL;
	*ret_range = (struct subid_range){ (uint32_t)first_id, (uint32_t)id_count };
	return owner;
}

int subids_parse(char *text, subids_is_owner is_owner, const void *user, struct subids *subids)
{
	char *rest = text;

	for (char *line; (line = strsep(&rest, "\n"));) {
		struct subid_range range, *added;
		const char *owner = parse_line(line, &range);

		if (!owner || !is_owner(owner, user))
			continue;
		added = spec_add(&subids->ranges, &subids->count, sizeof(*added));
		if (!added)
			return -ENOMEM;
		*added = range;
	}
	return 0;
}

bool subids_allow(const struct subids *subids, uint32_t first, uint32_t count)
{
	uint64_t next = first, end = (uint64_t)first + count;

	/* Each round goes on at the end of a range that holds the next id, or gives up. */
	while (next < end) {
		uint64_t before = next;

		for (size_t i = 0; i < subids->count; i++) {
			const struct subid_range *range = &subids->ranges[i];

			if (range->first <= next && next < (uint64_t)range->first + range->count)
				next = (uint64_t)range->first + range->count;
		}
		if (next == before)
			return false;
	}
	return true;
}

void subids_free(struct subids *subids)
{
	free(subids->ranges);
	*subids = (struct subids){ 0 };
}

/* ---- the user ---- */

/* The text of a small file; NULL where there is none. */
static char *read_file(const char *path)
{
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = NULL;
	size_t size;

	return fd >= 0 && fd_read_all(fd, MAX_FILE_BYTES, &text, &size) == 0 ? text : NULL;
}

/* The login names of one uid: several may share it, and any of them may stand in the files. */
struct names {
	uid_t uid;
	char *text; /* of /etc/passwd, which holds them */
	char **list;
	size_t count;
};

/* From /etc/passwd directly: the name service would load its modules into us. */
static void read_names(struct names *names)
{
	char *rest = names->text = read_file("/etc/passwd");

	for (char *line; rest && (line = strsep(&rest, "\n"));) {
		char *name = next_field(&line), *password = next_field(&line),
		     *uid = next_field(&line), **added;
		uint64_t number;

		if (!name || !name[0] || !password || !uid ||
		    num_parse(uid, IDMAP_LAST_ID, &number) < 0 || number != names->uid)
			continue;
		added = spec_add(&names->list, &names->count, sizeof(*added));
		if (added) /* else the number may still stand in the files */
			*added = name;
	}
}

static void free_names(struct names *names)
{
	free(names->text);
	free(names->list);
}

static bool is_owner(const char *owner, const void *user)
{
	const struct names *names = user;
	uint64_t number;

	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->list[i], owner) == 0)
			return true;
	return num_parse(owner, IDMAP_LAST_ID, &number) == 0 && number == names->uid;
}

/* Does "subid:" in nsswitch.conf(5) name something else than files, or more? */
static bool has_other_source(void)
{
	_free_ char *text = read_file("/etc/nsswitch.conf");
	char *rest = text;

	for (char *line; rest && (line = strsep(&rest, "\n"));) {
		line[strcspn(line, "#")] = '\0';
		line += strspn(line, " \t");
		if (strncmp(line, "subid:", 6) != 0)
			continue;
		line += 6;
		for (char *word; (word = strsep(&line, " \t"));)
			if (word[0] && strcmp(word, "files") != 0)
				return true;
	}
	return false;
}

static void read_subids(const char *path, const struct names *names, bool is_all,
			struct subids *subids)
{
	_free_ char *text = read_file(path);

	subids->is_read = is_all;
	if (text && subids_parse(text, is_owner, names, subids) < 0)
		subids->is_read = false;
}

void subids_read(uid_t uid, struct subids *uids, struct subids *gids, char **ret_name)
{
	struct names names = { .uid = uid };
	bool is_all;

	read_names(&names);
	is_all = names.count && !has_other_source();
	read_subids("/etc/subuid", &names, is_all, uids);
	read_subids("/etc/subgid", &names, is_all, gids);
	*ret_name = names.count ? strdup(names.list[0]) : NULL;
	free_names(&names);
}
