/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes down every system call of a program and of all its descendants, in
 * the order in which they were entered: `count` and e2e/test_counters.py judge
 * it. It is a ptrace(2) tracer of its own because strace cannot say where main()
 * begins, and what the C library does before that is not the program's doing.
 *
 * It traces only what it starts and ends with it (PTRACE_O_EXITKILL), needs no
 * privilege, and changes the program in one place: the first byte of main() is
 * a breakpoint until it is reached once (x86 only; elsewhere nothing is marked).
 *
 * Usage: counter OUTPUT MAIN PROGRAM [ARGUMENT]...
 * MAIN is the distance in bytes from the entry point to main() in the ELF
 * file, or 0. Lines of OUTPUT, separated by tabs, processes numbered from 0:
 *   call PROCESS NAME ARGUMENTS STRING TARGET   the six arguments in hexadecimal; STRING is the
 *                                      path argument where there is one; TARGET is what the
 *                                      first argument is open to, where it is a descriptor
 *   return PROCESS VALUE    fork PROCESS CHILD    main PROCESS
 *   exec PROCESS            end PROCESS STATUS
 * An unreadable string is "?". The exit status is the program's.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES_MAX 256
#define SYSCALL_STOP (SIGTRAP | 0x80)

static pid_t processes[PROCESSES_MAX];
static size_t process_count;
static FILE *out;
static uintptr_t breakpoint;
static long replaced_word;
static bool executed;

/* The number of a process; a new one for a process not seen before. */
static size_t process_of(pid_t pid)
{
	for (size_t i = 0; i < process_count; i++)
		if (processes[i] == pid)
			return i;
	if (process_count == PROCESSES_MAX)
		error(1, 0, "more than %d processes", PROCESSES_MAX);
	processes[process_count] = pid;
	return process_count++;
}

/* Which argument of a call is a path that matters; -1 for none. */
static int path_argument(long call)
{
	switch (call) {
	case SYS_openat:
	case SYS_openat2:
	case SYS_open_tree:
	case SYS_mkdirat:
	case SYS_readlinkat:
	case SYS_newfstatat:
	case SYS_statx:
	case SYS_mount_setattr:
	case SYS_execveat:
	case SYS_mount:
		return 1;
#ifdef SYS_open
	case SYS_open:
	case SYS_readlink:
	case SYS_mkdir:
	case SYS_stat:
	case SYS_lstat:
	case SYS_access:
#endif
	case SYS_execve:
	case SYS_pivot_root:
	case SYS_umount2:
	case SYS_chdir:
	case SYS_statfs:
	case SYS_fsopen:
	case SYS_symlinkat:
		return 0;
	case SYS_move_mount:
		return 3;
	default:
		return -1;
	}
}

/* Copies a string of the traced process, with control characters replaced. */
static void read_string(pid_t pid, uintptr_t address, char *text, size_t size)
{
	size_t used = 0;

	while (used + 1 < size) {
		char bytes[sizeof(long)];
		long word;

		errno = 0;
		word = ptrace(PTRACE_PEEKDATA, pid, (void *)(address + used), NULL);
		if (errno) {
			strcpy(text, "?");
			return;
		}
		memcpy(bytes, &word, sizeof(word));
		for (size_t i = 0; i < sizeof(word) && used + 1 < size; i++) {
			text[used] = bytes[i];
			if (bytes[i] == '\0')
				return;
			if ((unsigned char)bytes[i] < ' ')
				text[used] = '?';
			used++;
		}
	}
	text[used] = '\0';
}

static void log_call(pid_t pid, const struct __ptrace_syscall_info *info)
{
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, (int)info->entry.nr);
	int which = path_argument((long)info->entry.nr);
	char text[512] = "", target[256] = "";

	if (which >= 0)
		read_string(pid, (uintptr_t)info->entry.args[which], text, sizeof(text));
	if (info->entry.args[0] < 65536) {
		char link[64];
		ssize_t length;

		snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)pid, (int)info->entry.args[0]);
		length = readlink(link, target, sizeof(target) - 1);
		target[length < 0 ? 0 : length] = '\0';
		if (length < 0 && errno != ENOENT)
			strcpy(target, "?");
	}
	fprintf(out, "call\t%zu\t", process_of(pid));
	if (name)
		fprintf(out, "%s\t", name);
	else
		fprintf(out, "syscall_%llu\t", (unsigned long long)info->entry.nr);
	for (int i = 0; i < 6; i++)
		fprintf(out, "%s%llx", i ? "," : "", (unsigned long long)info->entry.args[i]);
	fprintf(out, "\t%s\t%s\n", text, target);
	free(name);
}

static void syscall_stop(pid_t pid)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info) < 0)
		return; /* it was killed meanwhile */
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		log_call(pid, &info);
	else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
		fprintf(out, "return\t%zu\t%lld\n", process_of(pid), (long long)info.exit.rval);
}

#ifdef __x86_64__
static uintptr_t entry_point(pid_t pid)
{
	char path[64];
	Elf64_auxv_t entry;
	uintptr_t result = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/auxv", (int)pid);
	file = fopen(path, "re");
	while (file && fread(&entry, sizeof(entry), 1, file) == 1)
		if (entry.a_type == AT_ENTRY)
			result = entry.a_un.a_val;
	if (!result)
		error(1, errno, "%s", path);
	fclose(file);
	return result;
}

static void set_breakpoint(pid_t pid, long distance)
{
	breakpoint = entry_point(pid) + (uintptr_t)distance;
	errno = 0;
	replaced_word = ptrace(PTRACE_PEEKTEXT, pid, (void *)breakpoint, NULL);
	if (errno || ptrace(PTRACE_POKETEXT, pid, (void *)breakpoint,
			    (void *)((replaced_word & ~0xffL) | 0xcc)))
		error(1, errno, "breakpoint");
}

/* Whether this SIGTRAP is our breakpoint; if so, the program goes on as if there had been none. */
static bool at_breakpoint(pid_t pid)
{
	struct user_regs_struct registers;

	if (!breakpoint || ptrace(PTRACE_GETREGS, pid, NULL, &registers) ||
	    registers.rip != breakpoint + 1)
		return false;
	registers.rip = breakpoint;
	if (ptrace(PTRACE_POKETEXT, pid, (void *)breakpoint, (void *)replaced_word) ||
	    ptrace(PTRACE_SETREGS, pid, NULL, &registers))
		error(1, errno, "breakpoint");
	breakpoint = 0;
	fprintf(out, "main\t%zu\n", process_of(pid));
	return true;
}
#else
static void set_breakpoint(pid_t pid, long distance)
{
	(void)pid;
	(void)distance;
}

static bool at_breakpoint(pid_t pid)
{
	(void)pid;
	return false;
}
#endif

/* Handles one stop and lets the process go on. */
static void handle_stop(pid_t pid, int status, long distance)
{
	int stopped_by = WSTOPSIG(status), event = status >> 16, deliver = 0;
	unsigned long message = 0;

	if (event == PTRACE_EVENT_EXEC) {
		fprintf(out, "exec\t%zu\n", process_of(pid));
		if (!executed && distance)
			set_breakpoint(pid, distance);
		executed = true; /* what is executed later has another main() */
	} else if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK ||
		   event == PTRACE_EVENT_CLONE) {
		ptrace(PTRACE_GETEVENTMSG, pid, NULL, &message);
		fprintf(out, "fork\t%zu\t%zu\n", process_of(pid), process_of((pid_t)message));
	} else if (event == PTRACE_EVENT_STOP && stopped_by != SIGTRAP) {
		ptrace(PTRACE_LISTEN, pid, NULL, NULL);
		return;
	} else if (event == 0 && stopped_by == SYSCALL_STOP) {
		syscall_stop(pid);
	} else if (event == 0 && !(stopped_by == SIGTRAP && at_breakpoint(pid))) {
		deliver = stopped_by;
	}
	/* The process can be killed at any moment; then the next wait tells. */
	(void)ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(uintptr_t)deliver);
}

static pid_t start(char **argv)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK |
			     PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
	int gate[2];
	char byte;
	pid_t child;

	if (pipe2(gate, O_CLOEXEC))
		error(1, errno, "pipe");
	child = fork();
	if (child < 0)
		error(1, errno, "fork");
	if (child == 0) {
		close(gate[1]);
		if (read(gate[0], &byte, 1) == 1)
			execv(argv[0], argv);
		_exit(127);
	}
	if (ptrace(PTRACE_SEIZE, child, NULL, (void *)options))
		error(1, errno, "ptrace");
	if (write(gate[1], "", 1) != 1)
		error(1, errno, "pipe");
	close(gate[0]);
	close(gate[1]);
	return child;
}

int main(int argc, char **argv)
{
	long distance;
	pid_t root, pid;
	int status, result = 127;

	if (argc < 4)
		error(2, 0, "usage: counter OUTPUT MAIN PROGRAM [ARGUMENT]...");
	out = fopen(argv[1], "we");
	if (!out)
		error(1, errno, "%s", argv[1]);
	setvbuf(out, NULL, _IOFBF, 1 << 16);
	distance = strtol(argv[2], NULL, 10);
	/* Descriptors that happen to be open here would be looked at by some programs. */
	for (int fd = 3; fd < 256; fd++)
		if (fd != fileno(out))
			close(fd);
	root = start(argv + 3);
	(void)process_of(root);
	while ((pid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
		if (pid > 0 && WIFSTOPPED(status)) {
			handle_stop(pid, status, distance);
		} else if (pid > 0) {
			fprintf(out, "end\t%zu\t%d\n", process_of(pid), status);
			if (pid == root)
				result = WIFEXITED(status) ? WEXITSTATUS(status)
							   : 128 + WTERMSIG(status);
		}
	}
	if (fclose(out))
		error(1, errno, "%s", argv[1]);
	return result;
}
