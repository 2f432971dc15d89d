/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Globs. The matcher keeps the place behind the last star and goes back there on a mismatch, so it
 * takes at most the product of both lengths.
 */
#include "base/glob.h"

#include <string.h>

/* Characters of the set that begins at @set with '[', its end included; 0 where it is not closed.
 */
static size_t set_length(const char *set, size_t length)
{
	size_t i = 1;

	if (i < length && set[i] == '!')
		i++;
	if (i < length && set[i] == ']') /* first of all it is a member */
		i++;
	while (i < length && set[i] != ']')
		i += set[i] == '\\' && i + 1 < length ? 2 : 1;
	return i < length ? i + 1 : 0;
}

/* Is @c a member of the closed set of @length characters at @set? */
static bool set_has(const char *set, size_t length, char c)
{
	bool negated = set[1] == '!', found = false;
	size_t end = length - 1;

	for (size_t i = negated ? 2 : 1; i < end; i++) {
		unsigned char low, high;

		if (set[i] == '\\' && i + 1 < end)
			i++;
		low = high = (unsigned char)set[i];
		if (i + 2 < end && set[i + 1] == '-') {
			i += set[i + 2] == '\\' && i + 3 < end ? 3 : 2;
			high = (unsigned char)set[i];
		}
		found |= low <= (unsigned char)c && (unsigned char)c <= high;
	}
	return found != negated;
}

bool glob_has_magic(const char *pattern, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (pattern[i] == '\\')
			i++;
		else if (strchr("*?[", pattern[i]))
			return true;
	}
	return false;
}

void glob_unescape(const char *pattern, size_t length, char *name)
{
	for (size_t i = 0; i < length; i++) {
		if (pattern[i] == '\\' && i + 1 < length)
			i++;
		*name++ = pattern[i];
	}
	*name = '\0';
}

static bool component_is_valid(const char *pattern, size_t length)
{
	if (length == 2 && pattern[0] == '*' && pattern[1] == '*')
		return false;
	for (size_t i = 0, used; i < length; i += used) {
		used = pattern[i] == '\\'  ? 2
		       : pattern[i] == '[' ? set_length(pattern + i, length - i)
					   : 1;
		if (!used || i + used > length)
			return false;
	}
	return true;
}

bool glob_is_valid(const char *pattern)
{
	size_t globs = 0;

	while (*pattern) {
		size_t length = strcspn(pattern, "/");

		if (!component_is_valid(pattern, length))
			return false;
		globs += glob_has_magic(pattern, length);
		pattern += length + (pattern[length] == '/');
	}
	return globs <= GLOB_MAX_COMPONENTS;
}

/* Does the one element at @pattern match @c? *@ret_length is how long it is. */
static bool element_matches(const char *pattern, size_t length, char c, size_t *ret_length)
{
	*ret_length = 1;
	switch (pattern[0]) {
	case '?':
		return true;
	case '[':
		*ret_length = set_length(pattern, length);
		return set_has(pattern, *ret_length, c);
	case '\\':
		*ret_length = 2;
		return pattern[1] == c;
	default:
		return pattern[0] == c;
	}
}

bool glob_match(const char *pattern, size_t length, const char *name)
{
	const char *end = pattern + length, *star = NULL, *resume = NULL;
	size_t used;

	while (*name) {
		if (pattern < end && *pattern == '*') {
			star = ++pattern;
			resume = name;
		} else if (pattern < end &&
			   element_matches(pattern, (size_t)(end - pattern), *name, &used)) {
			pattern += used;
			name++;
		} else if (star) {
			pattern = star;
			name = ++resume;
		} else {
			return false;
		}
	}
	while (pattern < end && *pattern == '*')
		pattern++;
	return pattern == end;
}
