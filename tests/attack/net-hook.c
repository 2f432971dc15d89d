/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * In place of a bug of libslirp: a library that stands before it and, where a frame holds
 * HOOK:WHAT, does WHAT with the rights of the process. What succeeds ends the process with status
 * 42, and so the sandbox; what is refused by an errno goes on as if nothing had been.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void succeeded(int condition)
{
	if (condition)
		_exit(42);
}

static int is(const char *text, const char *what)
{
	return strncmp(text, what, strlen(what)) == 0;
}

static void attack(const char *what)
{
	struct sockaddr_in host = { AF_INET, htons(5004), { inet_addr("203.0.113.1") } };
	char *argv[] = { "true", NULL };
	int fd;

	if (is(what, "tcp6"))
		succeeded(socket(AF_INET6, SOCK_STREAM, 0) >= 0);
	else if (is(what, "tcp")) {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		succeeded(fd >= 0 && connect(fd, (void *)&host, sizeof(host)) == 0);
	} else if (is(what, "mptcp"))
		succeeded(socket(AF_INET, SOCK_STREAM, 262) >= 0);
	else if (is(what, "unix"))
		succeeded(socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
	else if (is(what, "raw"))
		succeeded(socket(AF_INET, SOCK_RAW, IPPROTO_TCP) >= 0);
	else if (is(what, "execve"))
		execve("/bin/true", argv, NULL);
	else if (is(what, "open"))
		succeeded(open("/etc/passwd", O_RDONLY) >= 0 || open("/", O_RDONLY) >= 0);
	else if (is(what, "ptrace"))
		succeeded(ptrace(PTRACE_ATTACH, getppid(), 0, 0) == 0);
	else if (is(what, "mount"))
		succeeded(mount("none", "/", "tmpfs", 0, NULL) == 0);
	else if (is(what, "fork"))
		succeeded(syscall(SYS_fork) >= 0);
	else if (is(what, "kill"))
		succeeded(kill(getppid(), 0) == 0);
	else if (is(what, "setns"))
		succeeded(syscall(SYS_unshare, 0) == 0);
	else if (is(what, "code"))
		succeeded(mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
	else if (is(what, "ok"))
		succeeded(getpid() > 0); /* that an attack which succeeds is seen */
}

void slirp_input(void *slirp, const uint8_t *frame, int size)
{
	void (*original)(void *, const uint8_t *, int) =
		(void (*)(void *, const uint8_t *, int))dlsym(RTLD_NEXT, "slirp_input");
	const char *found = memmem(frame, (size_t)size, "HOOK:", 5);

	if (found)
		attack(found + 5);
	original(slirp, frame, size);
}

/* Found before the jail, which forbids to look for it. */
__attribute__((constructor)) static void prepare(void)
{
	(void)dlsym(RTLD_NEXT, "slirp_input");
}
