/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Attacks through shared memory and other IPC objects, and through the environment. See attack.h.
 */
#include "attack.h"
#include <dirent.h>
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

extern char **environ;

static void open_objects(char **arguments, int flags, int create)
{
	key_t key = (key_t)strtol(arguments[0], NULL, 0);
	char name[300], path[320];

	snprintf(name, sizeof name, "/%s", arguments[1]);
	snprintf(path, sizeof path, "/dev/shm/%s", arguments[1]);
	report("shm", shmget(key, create ? 4096 : 0, flags));
	report("sem", semget(key, create ? 1 : 0, flags));
	report("msg", msgget(key, flags));
	report("mqueue", mq_open(name, O_RDWR | (create ? O_CREAT : 0), 0600, NULL));
	report("dev-shm", open(path, O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0600));
}

static void verb_create(char **arguments)
{
	open_objects(arguments, IPC_CREAT | 0600, 1);
}

static void verb_lookup(char **arguments)
{
	open_objects(arguments, 0, 0);
}

static void verb_remove(char **arguments)
{
	key_t key = (key_t)strtol(arguments[0], NULL, 0);
	char name[300], path[320];

	snprintf(name, sizeof name, "/%s", arguments[1]);
	snprintf(path, sizeof path, "/dev/shm/%s", arguments[1]);
	report("shm", shmctl(shmget(key, 0, 0), IPC_RMID, NULL));
	report("sem", semctl(semget(key, 0, 0), 0, IPC_RMID));
	report("msg", msgctl(msgget(key, 0), IPC_RMID, NULL));
	report("mqueue", mq_unlink(name));
	report("dev-shm", unlink(path));
}

static void verb_environ(char **arguments)
{
	size_t n = 0;

	(void)arguments;
	for (char **e = environ; e && *e; e++, n++)
		if (n < 100) {
			printf("env ");
			for (const char *c = *e; *c && c - *e < 100; c++)
				printf(*c < ' ' ? "\\x%02x" : "%c", *c);
			printf("\n");
		}
	printf("count %zu\n", n);
}

static int file_has(const char *path, const char *text)
{
	static char buffer[1 << 20];
	size_t length = 0;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	while (length < sizeof buffer &&
	       (n = read(fd, buffer + length, sizeof buffer - length)) > 0)
		length += (size_t)n;
	close(fd);
	return memmem(buffer, length, text, strlen(text)) != NULL;
}

/* Where the text is found: in our own environment, and in environ, cmdline, auxv, stat, comm of
 * other processes. The text is given in two halves, so that our own command line does not contain
 * it. */
static void verb_secret(char **arguments)
{
	static const char *const files[] = { "environ", "cmdline", "auxv",	"comm",
					     "stat",	"status",  "mountinfo", "maps" };
	char text[300];
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int others = 0, tried = 0;

	snprintf(text, sizeof text, "%s%s", arguments[0], arguments[1]);
	printf("own %d\n", file_has("/proc/self/environ", text));
	while (proc && (entry = readdir(proc))) {
		if (entry->d_name[0] < '0' || entry->d_name[0] > '9' ||
		    atoi(entry->d_name) == getpid())
			continue;
		tried++;
		for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
			char path[300];

			snprintf(path, sizeof path, "/proc/%s/%s", entry->d_name, files[i]);
			if (file_has(path, text)) {
				printf("found %s\n", path);
				others++;
			}
		}
	}
	if (proc)
		closedir(proc);
	printf("tried %d\nothers %d\n", tried, others);
}

static void verb_cmdline(char **arguments)
{
	char path[100], text[300];
	int fd;
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%s/cmdline", arguments[0]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
	text[n > 0 ? n : 0] = 0;
	printf("cmdline %s\n", text);
}

int main(int argc, char **argv)
{
	static const struct verb verbs[] = {
		{ "create", 2, verb_create },
		{ "lookup", 2, verb_lookup },
		{ "remove", 2, verb_remove },
		{ "environ", 0, verb_environ },
		{ "secret", 2, verb_secret },
		{ "cmdline", 1, verb_cmdline },
		{ NULL, 0, NULL },
	};

	return run_verbs(verbs, argc, argv);
}
