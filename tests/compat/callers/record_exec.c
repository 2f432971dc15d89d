// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * record_exec: stands in the place of the bwrap under test, appends one line that says how it was
 * called to a log, and then executes the real one.
 *
 * The tests of this directory put it where a caller looks for bwrap. A passing test then proves
 * that the caller started the binary under test and not another copy, and the log tells developers
 * which options real programs use. It is C and not a script because the caller's world must reach
 * bwrap untouched: an interpreter would ignore SIGPIPE, open descriptors or need an environment.
 *
 * REAL (the binary to execute) and LOG (the file to append to) are set by the compiler's command
 * line, for callers may clear the environment. The log gets one JSON object per line and per start:
 * argv, the words read from each "--args FD" that can be read without consuming it (callers pass a
 * memfd or a regular file), and the descriptors from 3 on, with what they are. Bytes above 127 are
 * written as the code point of the same number. No privileges, trusts its caller.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void put_string(FILE *out, const char *text, size_t len)
{
	fputc('"', out);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < 32 || c > 126 || c == '"' || c == '\\')
			fprintf(out, "\\u%04x", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

/* Prints the NUL-separated words behind fd, or null when reading would take them from bwrap. */
static void put_args_file(FILE *out, int fd)
{
	struct stat st;
	char *data;
	ssize_t len;
	size_t start = 0;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		fputs("null", out);
		return;
	}
	data = malloc((size_t)st.st_size + 1);
	len = data ? pread(fd, data, (size_t)st.st_size, 0) : -1;
	fputc('[', out);
	for (size_t i = 0; len > 0 && i <= (size_t)len; i++) {
		if (i < (size_t)len && data[i] != '\0')
			continue;
		if (i == (size_t)len && start == i)
			break;
		if (start > 0)
			fputs(", ", out);
		put_string(out, data + start, i - start);
		start = i + 1;
	}
	fputc(']', out);
	free(data);
}

static void put_descriptors(FILE *out)
{
	DIR *dir = opendir("/proc/self/fd");
	const char *separator = "";
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		int fd = atoi(entry->d_name);
		char target[4096];
		ssize_t len;

		if (fd < 3 || fd == dirfd(dir) || fd == fileno(out))
			continue;
		len = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target));
		if (len < 0)
			continue;
		fprintf(out, "%s\"%d\": ", separator, fd);
		put_string(out, target, (size_t)len);
		separator = ", ";
	}
	if (dir)
		closedir(dir);
}

int main(int argc, char **argv)
{
	FILE *out;
	const char *separator = "";
	char *line = NULL;
	size_t len = 0;
	int log_fd;

	out = open_memstream(&line, &len);
	if (!out)
		return 1;
	fprintf(out, "{\"pid\": %d, \"argv\": [", (int)getpid());
	for (int i = 0; i < argc; i++) {
		if (i > 0)
			fputs(", ", out);
		put_string(out, argv[i], strlen(argv[i]));
	}
	fputs("], \"args\": {", out);
	for (int i = 1; i + 1 < argc; i++) {
		if (strcmp(argv[i], "--args") != 0)
			continue;
		fprintf(out, "%s\"%d\": ", separator, atoi(argv[i + 1]));
		put_args_file(out, atoi(argv[i + 1]));
		separator = ", ";
	}
	fputs("}, \"fds\": {", out);
	put_descriptors(out);
	fputs("}}\n", out);
	if (fclose(out) != 0)
		return 1;

	/* One write with O_APPEND: lines of processes that start at the same time do not mix. */
	log_fd = open(LOG, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (log_fd < 0 || write(log_fd, line, len) != (ssize_t)len) {
		fprintf(stderr, "record_exec: %s: %s\n", LOG, strerror(errno));
		return 1;
	}
	close(log_fd);
	execv(REAL, argv);
	fprintf(stderr, "record_exec: %s: %s\n", REAL, strerror(errno));
	return 1;
}
