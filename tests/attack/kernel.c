/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Attacks on the kernel by system calls, through either door: the native instruction, and on x86-64
 * int 0x80, which takes the numbers of 32-bit x86. See attack.h.
 *
 * Each call is tried twice, each time in a process of its own:
 *
 *   NAME ok|ERRNO|SIGNAL    the call itself, with arguments that do no harm
 *   NAME? through|ERRNO|SIGNAL
 *       what the filters of the sandbox say to it, whatever the kernel would: a filter of ours
 * hands the call to us, and we answer before the kernel does anything. The filters' own errors and
 *       kills come before that (seccomp(2): the action with the highest precedence counts), so who
 *       asks us sees a call that came through.
 *
 * Arguments are numbers, or: buf (zeroed memory), path (a name that does not exist), bad (an
 * address that is not mapped), self (our pid), args=A:B:C (an array of such words of the door's
 * size, for socketcall). All memory lies below 4 GiB.
 */
#include "attack.h"
#include <dirent.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#define COMPAT_ARCH AUDIT_ARCH_I386
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#define COMPAT_ARCH AUDIT_ARCH_ARM
#endif

#define ANSWER EXFULL /* no system call of the tables fails with it by itself */
#define ARGUMENTS 6
#define PAGES (64 << 10)

#ifndef MAP_32BIT
#define MAP_32BIT 0
#endif

struct call {
	int is_compat;
	long number;
	uint64_t arg[ARGUMENTS];
};

static char *memory; /* below 4 GiB: the buffer, then the path, then arrays */

static void get_memory(void)
{
	if (memory)
		return;
	memory = mmap(NULL, 3 * PAGES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (memory == MAP_FAILED) {
		perror("mmap");
		exit(98);
	}
	strcpy(memory + PAGES, "/no/such/path");
}

#ifdef __x86_64__
static long compat_call(long number, const uint64_t *arg)
{
	register uint64_t sixth asm("r8") = arg[5];
	long result;

	/* The sixth argument goes into the frame pointer; below the stack pointer is the red zone.
	 */
	asm volatile("lea -128(%%rsp), %%rsp\n\t"
		     "push %%rbp\n\t"
		     "mov %%r8, %%rbp\n\t"
		     "int $0x80\n\t"
		     "pop %%rbp\n\t"
		     "lea 128(%%rsp), %%rsp"
		     : "=a"(result), "+r"(sixth)
		     : "0"(number), "b"(arg[0]), "c"(arg[1]), "d"(arg[2]), "S"(arg[3]), "D"(arg[4])
		     : "memory", "r9", "r10", "r11", "cc");
	result = (int)result;
	if (result < 0 && result > -4096) {
		errno = (int)-result;
		return -1;
	}
	return result;
}
#else
static long compat_call(long number, const uint64_t *arg)
{
	(void)number;
	(void)arg;
	errno = ENOSYS;
	return -1;
}
#endif

static long make(const struct call *call)
{
	const uint64_t *a = call->arg;

	if (call->is_compat)
		return compat_call(call->number, a);
	return syscall(call->number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* ---- the words of the command line ---- */

static uint64_t read_argument(const char *text)
{
	if (strcmp(text, "buf") == 0)
		return (uintptr_t)memory;
	if (strcmp(text, "path") == 0)
		return (uintptr_t)memory + PAGES;
	if (strcmp(text, "bad") == 0)
		return 1;
	if (strcmp(text, "self") == 0)
		return (uint64_t)getpid();
	if (strncmp(text, "str=", 4) == 0) { /* one string for each call */
		strcpy(memory + 2 * PAGES + 4096, text + 4);
		return (uintptr_t)memory + 2 * PAGES + 4096;
	}
	return text[0] == '-' ? (uint64_t)strtoll(text, NULL, 0) : strtoull(text, NULL, 0);
}

/* socketcall(2)'s second argument: an array of longs, 32 bits each at the 32-bit door */
static uint64_t read_array(const char *text, int is_compat)
{
	char *array = memory + 2 * PAGES, copy[256], *rest = copy, *word;
	size_t count = 0, size = is_compat ? 4 : sizeof(long);

	snprintf(copy, sizeof copy, "%s", text);
	while ((word = strsep(&rest, ":"))) {
		uint64_t value = read_argument(word);

		memcpy(array + size * count++, &value, size);
	}
	return (uintptr_t)array;
}

static struct call read_call(int is_compat, char **arguments)
{
	struct call call = { .is_compat = is_compat, .number = strtol(arguments[1], NULL, 0) };
	char copy[512], *rest = copy, *word;

	get_memory();
	snprintf(copy, sizeof copy, "%s", arguments[2]);
	for (int i = 0; i < ARGUMENTS && (word = strsep(&rest, ",")); i++)
		call.arg[i] = strncmp(word, "args=", 5) == 0 ? read_array(word + 5, is_compat)
							     : read_argument(word);
	return call;
}

/* ---- the attempt itself ---- */

/* How a child ended that exits with 0 or an errno; "through" for the answer of ours. */
static void report_child(const char *name, const char *suffix, pid_t pid)
{
	char what[200];
	int status;

	if (pid < 0 || waitpid(pid, &status, __WALL) != pid) {
		perror(name);
		exit(98);
	}
	snprintf(what, sizeof what, "%s%s", name, suffix);
	if (WIFSIGNALED(status))
		printf("%s SIG%s\n", what, sigabbrev_np(WTERMSIG(status)));
	else if (WEXITSTATUS(status) == ANSWER)
		printf("%s through\n", what);
	else
		report(what, WEXITSTATUS(status) ? (errno = WEXITSTATUS(status), -1) : 0);
	fflush(stdout);
}

static void no_core(void)
{
	struct rlimit none = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &none);
}

/* A clone that works comes here twice; both end. */
static void try_call(const char *name, struct call call)
{
	pid_t pid = fork();

	if (pid == 0) {
		no_core();
		alarm(20);
		_exit(make(&call) == -1 ? errno : 0);
	}
	report_child(name, "", pid);
}

/* ---- what the filters say ---- */

static struct {
	struct call call;
	int done[2];
	int listener; /* -1: not yet, -2: refused */
	int error;
} probe;

static void *probe_thread(void *unused)
{
	uint32_t arch = probe.call.is_compat ? COMPAT_ARCH : NATIVE_ARCH;
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, arch, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)probe.call.number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { sizeof program / sizeof program[0], program };
	long fd;

	(void)unused;
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
		     &filter);
	__atomic_store_n(&probe.listener, fd < 0 ? -2 : (int)fd, __ATOMIC_SEQ_CST);
	if (fd >= 0)
		probe.error = make(&probe.call) == -1 ? errno : 0;
	(void)!write(probe.done[1], "", 1);
	return NULL;
}

static void run_probe(struct call call)
{
	pthread_t thread;

	no_core();
	alarm(20); /* where the filter killed the thread alone */
	probe.call = call;
	probe.listener = -1;
	if (pipe(probe.done) < 0 || pthread_create(&thread, NULL, probe_thread, NULL) != 0)
		_exit(ENOMEM);
	while (__atomic_load_n(&probe.listener, __ATOMIC_SEQ_CST) == -1)
		sched_yield();
	if (probe.listener == -2)
		_exit(EBUSY);
	for (;;) {
		struct pollfd fds[] = { { probe.listener, POLLIN, 0 },
					{ probe.done[0], POLLIN, 0 } };

		(void)poll(fds, 2, -1);
		if (fds[1].revents)
			_exit(probe.error);
		if (fds[0].revents & POLLIN) /* it waits for us, and ends with us */
			_exit(ANSWER);
	}
}

static void ask_filters(const char *name, struct call call)
{
	pid_t pid = fork();

	if (pid == 0)
		run_probe(call);
	report_child(name, "?", pid);
}

/* ---- verbs: NAME NUMBER ARGUMENT,ARGUMENT,... ---- */

static void verb_native(char **arguments)
{
	struct call call = read_call(0, arguments);

	try_call(arguments[0], call);
	ask_filters(arguments[0], call);
}

static void verb_int80(char **arguments)
{
	struct call call = read_call(1, arguments);

	try_call(arguments[0], call);
	ask_filters(arguments[0], call);
}

/* The filters alone, where the call itself could do harm or would not come back */
static void verb_ask_native(char **arguments)
{
	ask_filters(arguments[0], read_call(0, arguments));
}

static void verb_ask_int80(char **arguments)
{
	ask_filters(arguments[0], read_call(1, arguments));
}

/* The filters' word on numbers FIRST to LAST of a DOOR */
static void verb_numbers(char **arguments)
{
	for (long number = strtol(arguments[1], NULL, 0); number <= strtol(arguments[2], NULL, 0);
	     number++) {
		char name[100];

		snprintf(name, sizeof name, "%ld", number);
		ask_filters(name, (struct call){ .is_compat = strcmp(arguments[0], "int80") == 0,
						 .number = number });
	}
}

/* ---- K16: filters of COMMAND's own ---- */

static int own_filter(uint32_t number, uint32_t action, unsigned flags)
{
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { sizeof program / sizeof program[0], program };

	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
}

/* Number NR becomes allowed, as far as an own filter can; then it refuses uname as well. */
static void verb_own_filter(char **arguments)
{
	long number = strtol(arguments[0], NULL, 0);

	get_memory();
	report("own-allow", own_filter((uint32_t)number, SECCOMP_RET_ALLOW, 0));
	report("own-call", syscall(number, 0, 0, 0, 0, 0, 0));
	report("own-deny", own_filter(SYS_uname, SECCOMP_RET_ERRNO | EXFULL, 0));
	report("own-uname", syscall(SYS_uname, memory));
	report("own-listener",
	       own_filter(SYS_umask, SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER));
}

/* ---- K17: the state of every thread, and of pid 1 ---- */

static void *sleeping_thread(void *unused)
{
	(void)pause();
	return unused;
}

static void report_status(const char *name, const char *path)
{
	FILE *file = fopen(path, "re");
	char line[256];
	int filter = -1, nnp = -1;

	while (file && fgets(line, sizeof line, file))
		if (sscanf(line, "Seccomp: %d", &filter) != 1)
			(void)sscanf(line, "NoNewPrivs: %d", &nnp);
	if (file)
		fclose(file);
	printf("%s %d %d\n", name, filter, nnp);
}

static void verb_states(char **arguments)
{
	pthread_t thread;
	struct dirent *entry;
	DIR *tasks;

	(void)arguments;
	if (pthread_create(&thread, NULL, sleeping_thread, NULL) != 0)
		exit(98);
	tasks = opendir("/proc/self/task");
	while (tasks && (entry = readdir(tasks))) {
		char path[300];

		snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
		if (entry->d_name[0] != '.')
			report_status("thread", path);
	}
	if (tasks)
		closedir(tasks);
	report_status("init", "/proc/1/status");
}

/* pid 1 confines itself once it has started us, who may be faster. */
static void verb_await_init(char **arguments)
{
	char text[4096];

	(void)arguments;
	for (int i = 0; i < 3000; i++) {
		int fd = open("/proc/1/status", O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);

		text[n > 0 ? n : 0] = 0;
		if (fd >= 0)
			close(fd);
		if (strstr(text, "\nSeccomp:\t2"))
			return;
		usleep(10000);
	}
}

/* ---- K14: every family of sockets and every kind ---- */

static void verb_sockets(char **arguments)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET };
	int is_compat = strcmp(arguments[0], "int80") == 0;
	long number = strtol(arguments[1], NULL, 0);

	for (unsigned family = 0; family < 64; family++)
		for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
			char name[100];

			snprintf(name, sizeof name, "%u:%d", family, types[i]);
			ask_filters(
				name,
				(struct call){ is_compat, number, { family, (uint64_t)types[i] } });
		}
}

/* ---- terminals and other descriptors ---- */

/* Open PATH as descriptor FD. */
static void verb_open_as(char **arguments)
{
	int fd = open(arguments[0], O_RDWR | O_NOCTTY);

	report("open", fd);
	if (fd >= 0)
		dup2(fd, atoi(arguments[1]));
}

/* T6: a session of one's own, and then the terminal of somebody else's */
static void verb_steal(char **arguments)
{
	pid_t pid = fork();

	if (pid == 0) {
		report("setsid", setsid());
		report("ctty", ioctl(0, TIOCSCTTY, 0));
		report("ctty-force", ioctl(0, TIOCSCTTY, 1));
		(void)open(arguments[0], O_RDWR);
		report("dev-tty", open("/dev/tty", O_RDWR));
		_exit(0);
	}
	(void)waitpid(pid, NULL, 0);
}

int main(int argc, char **argv)
{
	static const struct verb verbs[] = {
		{ "native", 3, verb_native },
		{ "int80", 3, verb_int80 },
		{ "ask-native", 3, verb_ask_native },
		{ "ask-int80", 3, verb_ask_int80 },
		{ "numbers", 3, verb_numbers },
		{ "sockets", 2, verb_sockets },
		{ "own-filter", 1, verb_own_filter },
		{ "states", 0, verb_states },
		{ "await-init", 0, verb_await_init },
		{ "open-as", 2, verb_open_as },
		{ "steal", 1, verb_steal },
		{ "nested", 0, verb_nested },
		{ NULL, 0, NULL },
	};

	return run_verbs(verbs, argc, argv);
}
