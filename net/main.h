/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What main.c does before anybody is jailed: host sockets and files.
 */
#pragma once

#include "net/engine.h"

struct published_list {
	struct published *items;
	size_t count;
};

/**
 * publish_all - open the host sockets of --publish
 * @ret_failed: where it fails: use, status and name (the address) of what did
 *
 * Returns: 0 or -errno.
 */
must_check int publish_all(const struct net_config *config, struct published_list *ret_list,
			   struct net_msg *ret_failed);

/** publish_close - close all that is open of @list, and empty it */
void publish_close(struct published_list *list);

/** publish_remove_paths - remove the unix sockets that publish_all() made */
void publish_remove_paths(const struct net_config *config);

/** resolv_watch - an inotify(7) descriptor for the host's resolv.conf; -errno. To be called again
 * after it was readable: links may lead elsewhere */
must_check int resolv_watch(int fd);

/** resolv_read - its text, at most @room - 1 bytes, terminated; "" where there is none */
void resolv_read(char *text, size_t room);
