/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * launcher COMMAND...: runs it in a sandbox that shows the host's /usr, through libcloche.
 *
 *	cc launcher.c $(pkg-config --cflags --libs libcloche)
 *
 * With LAUNCHER_THREADS=N the same is done by N threads at once; with LAUNCHER_PROGRAM another
 *cloche is run than the installed one; with LAUNCHER_EXPLAIN what would be done is printed.
 */
#include <cloche.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static void complain(const struct cloche_failure *failure)
{
	fprintf(stderr, "launcher: %s: %s\n", failure->stage, failure->message);
	if (failure->hint[0])
		fprintf(stderr, "launcher: hint: %s\n", failure->hint);
}

static int fill(struct cloche_spec *spec, char **command, struct cloche_failure *failure)
{
	const char *const hostname[] = { "launched", NULL };
	const char *const keep[] = { "LAUNCHER_*", NULL };
	const char *program = getenv("LAUNCHER_PROGRAM"), *extra = getenv("LAUNCHER_OPTION");
	int r = program ? cloche_spec_program(spec, program, failure) : 0;

	if (r == 0)
		r = cloche_spec_option(spec, "hostname", hostname, failure);
	if (r == 0)
		r = cloche_spec_option(spec, "--keep-env", keep, failure);
	if (r == 0 && extra)
		r = cloche_spec_option(spec, extra, NULL, failure);
	if (r == 0)
		r = cloche_spec_command(spec, (const char *const *)command, failure);
	return r;
}

static int explain(struct cloche_spec *spec, struct cloche_failure *failure)
{
	char *text;
	int r = cloche_spec_explain(spec, 0, &text, failure);

	if (r < 0)
		return r;
	fputs(text, stdout);
	free(text);
	return 0;
}

static void *launch(void *command)
{
	struct cloche_spec *spec = cloche_spec_new();
	struct cloche_failure failure;
	struct cloche_process process;
	int status = 125, r;

	if (!spec)
		return (void *)125L;
	r = fill(spec, command, &failure);
	if (r == 0)
		r = cloche_spec_validate(spec, &failure);
	if (r == 0 && getenv("LAUNCHER_EXPLAIN")) {
		r = explain(spec, &failure);
		status = 0;
	} else if (r == 0) {
		r = cloche_spec_run(spec, &process, &failure);
		if (r == 0)
			r = cloche_process_wait(&process, &status, &failure);
	}
	if (r < 0)
		complain(&failure);
	cloche_spec_free(spec);
	return (void *)(long)(r < 0 ? 125 : status);
}

int main(int argc, char **argv)
{
	const char *number = getenv("LAUNCHER_THREADS");
	long count = number ? strtol(number, NULL, 10) : 1;
	int worst = 0;
	pthread_t threads[64];

	if (argc < 2 || count < 1 || count > 64) {
		fprintf(stderr, "usage: launcher COMMAND...\n");
		return 125;
	}
	for (long i = 0; i < count; i++)
		if (pthread_create(&threads[i], NULL, launch, argv + 1) != 0)
			return 125;
	for (long i = 0; i < count; i++) {
		void *status;

		pthread_join(threads[i], &status);
		if ((long)status > worst)
			worst = (int)(long)status;
	}
	return worst;
}
