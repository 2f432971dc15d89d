/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The network of --net, as the supervisor sees it: cloche-net is started when the child has its
 * namespaces, COMMAND waits until it is ready, and it ends with the sandbox.
 */
#pragma once

#include "enter/enter.h"
#include "watch/usage.h"

struct net_run {
	pid_t pid;	/* of cloche-net, 0 */
	int control_fd; /* messages, -1 */
	int mapped_fd;	/* read end, for cloche-net: the child's ids are mapped */
	int go_fd;	/* write end: COMMAND may run, -1 */
	bool has_failed;
	char published[2048]; /* JSON objects so far */
	size_t published_count;
};

#define NET_RUN_INIT                                                                               \
	((struct net_run){ .control_fd = -EBADF, .mapped_fd = -EBADF, .go_fd = -EBADF })

/** net_prepare - before clone: what the child waits for */
must_check int net_prepare(struct net_run *net, struct enter *enter, struct cloche_error *err);

/** net_start - start cloche-net for the child @pid */
must_check int net_start(struct net_run *net, const struct plan *plan, pid_t pid,
			 struct cloche_error *err);

/**
 * net_follow - control_fd is readable: ready, failed or dead
 *
 * Returns: 0 or -errno with @err filled: the sandbox has to end.
 */
must_check int net_follow(struct net_run *net, const struct plan *plan, struct cloche_error *err);

/**
 * net_change - carry out one --publish, --net-allow or --net-deny while COMMAND runs
 * @ends: publish it no longer
 * @published: JSON objects of what is published by it are appended
 *
 * Waits for cloche-net, which does nothing that takes long. Returns: 0 or -errno with @err filled.
 */
must_check int net_change(const struct net_run *net, const struct option_use *use, bool ends,
			  char *published, size_t size, struct cloche_error *err);

/** net_end - let cloche-net end, and take its totals */
void net_end(struct net_run *net, const struct plan *plan, struct usage *usage);

/** net_probe - ask cloche-net what there would be, for --explain, into facts->net.probe */
void net_probe(const struct plan *plan, struct facts *facts);
