/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The payload of the benches: a program without a C library, so that what is
 * measured is the sandbox and not the start of the command in it. Built with
 * -nostdlib -static. Two programs from one source: plain, it exits with 0 at
 * once; with -DHOLD it writes one byte to descriptor 1 and then sleeps until
 * it is killed, for looking at the processes that stand around it.
 */
#include <sys/syscall.h>

static long call(long number, long first, const void *second, long third)
{
	long result;

#if defined(__x86_64__)
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(first), "S"(second), "d"(third)
			 : "rcx", "r11", "memory");
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = first;
	register const void *x1 __asm__("x1") = second;
	register long x2 __asm__("x2") = third;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
	result = x0;
#else
#error "write the system call instruction of this architecture here"
#endif
	return result;
}

__attribute__((noreturn)) void _start(void)
{
#ifdef HOLD
	(void)call(SYS_write, 1, "h", 1);
	for (;;)
		(void)call(SYS_ppoll, 0, 0, 0);
#endif
	for (;;)
		(void)call(SYS_exit_group, 0, 0, 0);
}
