/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Attacks that Landlock stands against: abstract sockets, signals, and paths outside. See attack.h.
 */
#include "attack.h"
#include <signal.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

/* ---- sockets ---- */

static socklen_t abstract(const char *name, struct sockaddr_un *address)
{
	memset(address, 0, sizeof *address);
	address->sun_family = AF_UNIX;
	strncpy(address->sun_path + 1, name, sizeof address->sun_path - 2);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
}

static void verb_connect(char **arguments)
{
	struct sockaddr_un address;
	socklen_t length = abstract(arguments[0], &address);

	report("connect", connect(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
				  (struct sockaddr *)&address, length));
}

static void verb_send(char **arguments)
{
	struct sockaddr_un address;
	socklen_t length = abstract(arguments[0], &address);

	report("send", sendto(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "hit\n", 4, 0,
			      (struct sockaddr *)&address, length));
}

/* By way of a socket that somebody else connected already. */
static void verb_reconnect(char **arguments)
{
	struct sockaddr_un address;
	socklen_t length = abstract(arguments[0], &address);
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
		return;
	report("reconnect", connect(pair[0], (struct sockaddr *)&address, length));
}

/* Its own are its own. */
static void verb_own(char **arguments)
{
	struct sockaddr_un address;
	socklen_t length = abstract(arguments[0], &address);
	int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(server, (struct sockaddr *)&address, length) < 0 || listen(server, 1) < 0) {
		report("own", -1);
		return;
	}
	report("own", connect(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
			      (struct sockaddr *)&address, length));
}

/* ---- signals ---- */

static void verb_kill(char **arguments)
{
	pid_t pid = atoi(arguments[0]);
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	report("kill", kill(pid, SIGUSR1));
	report("kill-group", kill(-pid, SIGUSR1));
	report("tgkill", syscall(SYS_tgkill, pid, pid, SIGUSR1));
	report("sigqueue", sigqueue(pid, SIGUSR1, (union sigval){ .sival_int = 1 }));
	report("pidfd", syscall(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0));
}

/* The kernel is to send it, when something can be read. */
static void verb_sigio(char **arguments)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return;
	report("setown", fcntl(pair[0], F_SETOWN, atoi(arguments[0])));
	report("setsig", fcntl(pair[0], F_SETSIG, SIGUSR1));
	report("async", fcntl(pair[0], F_SETFL, O_ASYNC));
	report("write", write(pair[1], "x", 1));
}

/* A child's signal to its parent, both inside. */
static void verb_family(char **arguments)
{
	pid_t parent = getpid();

	(void)arguments;
	signal(SIGUSR1, SIG_IGN);
	if (fork() == 0) {
		report("family", kill(parent, SIGUSR1));
		_exit(0);
	}
	sleep(1);
}

static void verb_trace(char **arguments)
{
	pid_t pid = atoi(arguments[0]);
	char byte, path[64];
	struct iovec to = { &byte, 1 }, from = { &byte, 1 };

	report("ptrace", ptrace(PTRACE_SEIZE, pid, NULL, NULL));
	report("vm-read",
	       process_vm_readv(pid, &to, 1, &from, 1, 0) < 0 && errno != EFAULT ? -1 : 0);
	snprintf(path, sizeof path, "/proc/%d/environ", pid);
	report("environ", open(path, O_RDONLY | O_CLOEXEC));
	snprintf(path, sizeof path, "/proc/%d/fd/0", pid);
	report("fd", readlink(path, (char[64]){ 0 }, 64));
	snprintf(path, sizeof path, "/proc/%d/root", pid);
	report("root", open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	snprintf(path, sizeof path, "/proc/%d/cwd", pid);
	report("cwd", open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

/* ---- paths ---- */

static void verb_read(char **arguments)
{
	report_content("read", arguments[0]);
}

static void verb_list(char **arguments)
{
	report("list", open(arguments[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static void verb_write(char **arguments)
{
	report("write", open(arguments[0], O_WRONLY | O_CLOEXEC));
}

static void verb_truncate(char **arguments)
{
	report("truncate", truncate(arguments[0], 0));
}

static void verb_make(char **arguments)
{
	char path[4096];
	struct sockaddr_un address = { .sun_family = AF_UNIX };

#define MADE(name) (snprintf(path, sizeof path, "%s/made-" name, arguments[0]), path)
	report("file", open(MADE("file"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	report("dir", mkdir(MADE("dir"), 0700));
	report("fifo", mknod(MADE("fifo"), S_IFIFO | 0600, 0));
	report("symlink", symlink("/", MADE("symlink")));
	strncpy(address.sun_path, MADE("socket"), sizeof address.sun_path - 1);
	report("socket", bind(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
			      (struct sockaddr *)&address, sizeof address));
	report("tmpfile", open(arguments[0], O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600));
}

static void verb_rename(char **arguments)
{
	report("rename", rename(arguments[0], arguments[1]));
}

static void verb_exchange(char **arguments)
{
	report("exchange",
	       renameat2(AT_FDCWD, arguments[0], AT_FDCWD, arguments[1], RENAME_EXCHANGE));
}

static void verb_link(char **arguments)
{
	report("link", link(arguments[0], arguments[1]));
}

static void verb_symlink(char **arguments)
{
	report("symlink", symlink(arguments[0], arguments[1]));
}

static void verb_unlink(char **arguments)
{
	report("unlink", unlink(arguments[0]));
}

static void verb_execute(char **arguments)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl(arguments[0], arguments[0], NULL);
		report("execute", -1);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void verb_chroot(char **arguments)
{
	report("chroot", chroot(arguments[0]));
}

static void verb_mount(char **arguments)
{
	report("mount", syscall(SYS_mount, "none", arguments[0], "tmpfs", 0, NULL));
}

static void verb_chdir(char **arguments)
{
	report("chdir", chdir(arguments[0]));
}

int main(int argc, char **argv)
{
	static const struct verb verbs[] = {
		{ "connect", 1, verb_connect },	    { "send", 1, verb_send },
		{ "reconnect", 1, verb_reconnect }, { "own", 1, verb_own },
		{ "kill", 1, verb_kill },	    { "sigio", 1, verb_sigio },
		{ "family", 0, verb_family },	    { "trace", 1, verb_trace },
		{ "read", 1, verb_read },	    { "list", 1, verb_list },
		{ "write", 1, verb_write },	    { "truncate", 1, verb_truncate },
		{ "make", 1, verb_make },	    { "rename", 2, verb_rename },
		{ "exchange", 2, verb_exchange },   { "link", 2, verb_link },
		{ "symlink", 2, verb_symlink },	    { "unlink", 1, verb_unlink },
		{ "execute", 1, verb_execute },	    { "chroot", 1, verb_chroot },
		{ "mount", 1, verb_mount },	    { "chdir", 1, verb_chdir },
		{ "nested", 0, verb_nested },	    { NULL, 0, NULL },
	};

	return run_verbs(verbs, argc, argv);
}
