/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The cache of compiled policies, $XDG_CACHE_HOME/cloche/policy or ~/.cache/cloche/policy.
 * Supervisor only.
 */
#pragma once

#include <linux/filter.h>

#include "spec/facts.h"

/** policy_cache_open - the directory, made where it is missing; a descriptor, or -errno: no cache
 */
must_check int policy_cache_open(const struct facts *facts);

/**
 * policy_cache_get - look for the program that was compiled for @key
 * @key: all that the program depends on; compared in whole
 * @ret_program: receives it, in allocated memory
 *
 * Returns: 0, or -ENOENT where there is none that can be trusted.
 */
must_check int policy_cache_get(int dir_fd, const char *key, struct sock_fprog *ret_program);

/** policy_cache_put - keep @program for @key; failing only costs time later */
void policy_cache_put(int dir_fd, const char *key, const struct sock_fprog *program);
