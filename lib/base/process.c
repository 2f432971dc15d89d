/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Children that share our memory until they execute something, and trimming of our own.
 */
#include "base/process.h"

#include <link.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"

/* Deep enough for the walk's paths and the copy buffers; only pages that are touched count. */
#define STACK_SIZE (512 * 1024)

pid_t process_clone_on_stack(int (*function)(void *), void *argument, int flags, int *ret_pidfd)
{
	char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	pid_t pid;
	int saved;

	if (stack == MAP_FAILED)
		return -errno;
	pid = clone(function, stack + STACK_SIZE, CLONE_VM | CLONE_VFORK | flags, argument,
		    ret_pidfd);
	saved = errno;
	(void)munmap(stack, STACK_SIZE);
	return pid < 0 ? -saved : pid;
}

/* Drops the pages of segments that are never written; the kernel reads them from the file again
 * when needed. */
static int trim_object(struct dl_phdr_info *object, size_t size, void *data)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	(void)size;
	(void)data;
	for (int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
		uintptr_t start = (object->dlpi_addr + segment->p_vaddr) & ~(page - 1);
		uintptr_t end = object->dlpi_addr + segment->p_vaddr + segment->p_memsz;

		if (segment->p_type == PT_LOAD && !(segment->p_flags & PF_W))
			(void)madvise((void *)start, end - start, MADV_DONTNEED);
	}
	return 0;
}

void process_trim_memory(void)
{
	(void)dl_iterate_phdr(trim_object, NULL);
}
