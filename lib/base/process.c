/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Children that share our memory until they execute something; trimming of our own; what we may.
 */
#include "base/process.h"

#include <link.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/util.h"

/*
 * execvp(3) puts a copy of argv on the stack for scripts without "#!", so there must be room for
 * the longest one. Only pages that are touched count. The lowest one is a guard: below it lies our
 * memory.
 */
#define STACK_SIZE ((size_t)32 << 20)
#define GUARD_SIZE ((size_t)64 << 10)

pid_t process_clone_on_stack(int (*function)(void *), void *argument, int flags, int *ret_pidfd)
{
	char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
	pid_t pid = -1;
	int saved;

	if (stack == MAP_FAILED)
		return -errno;
	if (mprotect(stack, GUARD_SIZE, PROT_NONE) == 0)
		pid = clone(function, stack + STACK_SIZE, CLONE_VM | CLONE_VFORK | flags, argument,
			    ret_pidfd);
	saved = errno;
	(void)munmap(stack, STACK_SIZE);
	return pid < 0 ? -saved : pid;
}

/* Segments that are never written: the kernel reads their pages from the file again when needed. */
#define MAX_SEGMENTS 16

struct segments {
	struct {
		void *start;
		size_t size;
	} list[MAX_SEGMENTS];
	size_t count;
};

static int note_segments(struct dl_phdr_info *object, size_t size, void *data)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	struct segments *segments = data;

	(void)size;
	for (int i = 0; i < object->dlpi_phnum && segments->count < MAX_SEGMENTS; i++) {
		const ElfW(Phdr) *header = &object->dlpi_phdr[i];
		uintptr_t start = (object->dlpi_addr + header->p_vaddr) & ~(page - 1);
		uintptr_t end = object->dlpi_addr + header->p_vaddr + header->p_memsz;

		if (header->p_type != PT_LOAD || header->p_flags & PF_W)
			continue;
		segments->list[segments->count].start = (void *)start;
		segments->list[segments->count++].size = end - start;
	}
	return 0;
}

void process_trim_memory(void)
{
	struct segments segments = { 0 };

	/* The headers lie in one of the segments: all are noted before the first is dropped. */
	(void)dl_iterate_phdr(note_segments, &segments);
	for (size_t i = 0; i < segments.count; i++)
		(void)madvise(segments.list[i].start, segments.list[i].size, MADV_DONTNEED);
}

uint64_t process_permitted_caps(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	if (syscall(SYS_capget, &header, data) < 0)
		return 0;
	return data[0].permitted | (uint64_t)data[1].permitted << 32;
}
