/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Globs, one component of a path at a time: * ? [set] [!set] with ranges, and a backslash before
 * what is meant literally. Unlike a shell's, * and ? match a leading dot: these patterns say what
 * is to be protected, and a hidden file is not to be missed.
 *
 * Pure and without allocation, so usable between clone and exec.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/util.h"

/** glob_is_valid - can @pattern be taken? Not where a set is not closed, a backslash is the last
 * character, a component is "**", or more than GLOB_MAX_COMPONENTS components are globs */
#define GLOB_MAX_COMPONENTS 8
bool glob_is_valid(const char *pattern);

/** glob_has_magic - do the @length characters at @pattern, one component, mean more than one name?
 */
bool glob_has_magic(const char *pattern, size_t length);

/** glob_match - does @name match the component of @length characters at @pattern? */
bool glob_match(const char *pattern, size_t length, const char *name);

/**
 * glob_unescape - the name that a component without magic means
 * @name: receives it, terminated; needs @length + 1 bytes
 */
void glob_unescape(const char *pattern, size_t length, char *name);
