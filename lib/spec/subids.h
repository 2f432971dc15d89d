/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which ids a user may map besides his own: /etc/subuid and /etc/subgid (subuid(5), subgid(5)).
 * Only reads.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/util.h"

struct subid_range {
	uint32_t first, count;
};

struct subids {
	bool is_read; /* the file was asked; false: newuidmap(1) alone knows (see subids_read()) */
	struct subid_range *ranges; /* in the order of the file */
	size_t count;
};

/* Is @owner, the first field of a line, the user meant? */
typedef bool (*subids_is_owner)(const char *owner, const void *user);

/**
 * subids_parse - the user's ranges in the text of such a file
 * @text: terminated, changed
 * @subids: receives them, to be released with subids_free() in any case
 *
 * Lines that newuidmap(1) would not take are passed over. Returns: 0, or -ENOMEM.
 */
must_check int subids_parse(char *text, subids_is_owner is_owner, const void *user,
			    struct subids *subids);

/**
 * subids_read - the ranges of the user @uid in /etc/subuid and /etc/subgid
 * @ret_name: receives the login name in new memory, NULL where /etc/passwd has none
 *
 * A missing file holds no range. Where "subid:" in /etc/nsswitch.conf names another source than
 * files, newuidmap(1) asks that and not the files; and a user who is not in /etc/passwd may have
 * a name that only the name service knows. What is then found is not all there may be: is_read
 * stays false.
 */
void subids_read(uid_t uid, struct subids *uids, struct subids *gids, char **ret_name);

/** subids_allow - do the ranges hold all @count ids from @first on? A span may go over several. */
bool subids_allow(const struct subids *subids, uint32_t first, uint32_t count);

/** subids_free - release the ranges; fine on a zeroed one */
void subids_free(struct subids *subids);
