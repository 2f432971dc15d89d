/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What every file uses: attributes, cleanup of locals, hand-over of resources.
 */
#pragma once

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define must_check __attribute__((warn_unused_result))
/* Slow paths with large buffers: inlined, their zeroing would be paid by the fast path (measured: a
 * tenth per bind). */
#define cold_path __attribute__((noinline, cold))
#define format_printf(string, first) __attribute__((format(printf, string, first)))

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* The structure of @type whose @member @pointer points at. */
#define container_of(pointer, type, member)                                                        \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* Leaves the call's status to the caller; the reason stands in a comment beside each use. */
#define ignore(call)                                                                               \
	do {                                                                                       \
		if (call) {                                                                        \
		}                                                                                  \
	} while (0)

static inline void free_pointer(void *pointer)
{
	free(*(void **)pointer);
}

/* Closes *fd unless it is negative; keeps errno. */
static inline void close_pointer(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd);
	errno = saved;
}

/* Locals with these attributes own their resource: initialise to NULL and -EBADF. */
#define _free_ __attribute__((cleanup(free_pointer)))
#define _close_ __attribute__((cleanup(close_pointer)))

/* Hands a descriptor over: the local gives up ownership. */
static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -EBADF;
	return taken;
}

/* Hands a pointer over: the local gives up ownership. */
#define take_ptr(pointer)                                                                          \
	({                                                                                         \
		__typeof__(pointer) _taken = (pointer);                                            \
		(pointer) = NULL;                                                                  \
		_taken;                                                                            \
	})
