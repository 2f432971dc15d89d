/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file cloche.h - sandboxes from C programs
 *
 * A specification is a list of options as cloche(1) has them, and a command. It is validated,
 * explained and run by the program cloche, which the library starts with the options in a sealed
 * memfd; nothing of the caller's memory is ever in the sandbox.
 *
 * The library never ends the process, prints nothing, and leaves signals, their handlers and masks,
 * and the environment as they are; it may be used by any thread of a program with many, each
 * specification by one at a time. Errors are returned: 0 or a negative errno, with a record.
 */
#ifndef CLOCHE_H
#define CLOCHE_H

#include <stddef.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

/* What went wrong. Texts are NUL-terminated, UTF-8, and cut to fit; "" where there is none. */
struct cloche_failure {
	int errnum;	    /* positive errno, 0 where no system call failed */
	int option;	    /* which one is to blame, counted from 0 as they were added; -1: none */
	char stage[16];	    /* "options", "plan", "start", "ids", "network", "sources", "mounts",
			       "confine", "exec"; "library": cloche could not be run */
	char message[1024]; /* for people */
	char path[1024];    /* the path or value meant */
	char hint[512];	    /* what helps */
};

/* A specification; opaque. */
struct cloche_spec;

/** cloche_spec_new - a new one, which cloche_spec_free() releases; NULL: out of memory */
struct cloche_spec *cloche_spec_new(void);

/** cloche_spec_free - release it; NULL is fine */
void cloche_spec_free(struct cloche_spec *spec);

/**
 * cloche_spec_option - add an option
 * @name: as cloche(1) has it, with or without its two dashes: "ro-bind"
 * @arguments: its arguments, NULL-terminated, copied; NULL: none
 * @ret_failure: may be NULL
 *
 * Whether there is such an option, and whether it takes these arguments, cloche_spec_validate()
 * says. Descriptors in arguments are the caller's; name them with cloche_spec_pass_fd(), too.
 * Returns: 0, -ENOMEM, or -EINVAL where @name is empty or contains a "=".
 */
int cloche_spec_option(struct cloche_spec *spec, const char *name, const char *const *arguments,
		       struct cloche_failure *ret_failure);

/** cloche_spec_command - set the command and its arguments, NULL-terminated, copied. 0, -ENOMEM or
 * -EINVAL where there is no word */
int cloche_spec_command(struct cloche_spec *spec, const char *const *words,
			struct cloche_failure *ret_failure);

/** cloche_spec_pass_fd - let cloche inherit the descriptor @fd, by the same number, though it
 * closes on exec here. 0 or -ENOMEM */
int cloche_spec_pass_fd(struct cloche_spec *spec, int fd, struct cloche_failure *ret_failure);

/** cloche_spec_stdio - what becomes descriptor 0, 1 and 2 of cloche and its command: descriptors of
 * the caller's, borrowed until it runs; -1: the caller's own */
void cloche_spec_stdio(struct cloche_spec *spec, int in, int out, int err);

/** cloche_spec_program - the cloche to run, an absolute path, copied; without this the one that was
 * installed with the library. 0 or -ENOMEM */
int cloche_spec_program(struct cloche_spec *spec, const char *path,
			struct cloche_failure *ret_failure);

/** cloche_spec_validate - are these options that exist and go together, on this host? Starts
 * cloche, which makes no sandbox. 0 or -errno with *@ret_failure filled */
int cloche_spec_validate(struct cloche_spec *spec, struct cloche_failure *ret_failure);

/**
 * cloche_spec_explain - what would be done
 * @is_json: as one JSON object, else for people
 * @ret_text: receives NUL-terminated text, which the caller frees
 *
 * Returns: 0 or -errno with *@ret_failure filled.
 */
int cloche_spec_explain(struct cloche_spec *spec, int is_json, char **ret_text,
			struct cloche_failure *ret_failure);

/* A sandbox that was started. */
struct cloche_process {
	pid_t pid;     /* of its supervisor, a child of the caller's, to be reaped */
	int pidfd;     /* the same; closes on exec; the caller's */
	int status_fd; /* what it tells, for cloche_status_read(); closes on exec; the caller's */
};

/**
 * cloche_spec_run - start the command in a sandbox
 *
 * Returns once cloche runs, long before the command: cloche_status_read() tells of both. 0, or
 * -errno with *@ret_failure filled where cloche could not be started.
 */
int cloche_spec_run(struct cloche_spec *spec, struct cloche_process *ret_process,
		    struct cloche_failure *ret_failure);

enum cloche_event {
	CLOCHE_EVENT_END,     /* nothing more will come */
	CLOCHE_EVENT_STARTED, /* the sandbox has its namespaces; value: pid of its first process */
	CLOCHE_EVENT_EXITED,  /* the command has ended; value: its exit status, 128 + signal */
	CLOCHE_EVENT_FAILED,  /* the command was not started; see the failure */
	CLOCHE_EVENT_OTHER    /* something this version of the library does not know */
};

/**
 * cloche_status_read - wait for the next thing that the sandbox tells
 * @status_fd: of its struct cloche_process; poll(2) says when there is something
 * @ret_value, @ret_failure: may be NULL
 *
 * Returns: an enum cloche_event, or -errno.
 */
int cloche_status_read(int status_fd, int *ret_value, struct cloche_failure *ret_failure);

/**
 * cloche_process_wait - wait for the end of @process, and reap it
 * @ret_status: receives the command's exit status, 128 + the signal that ended it
 *
 * Closes pidfd and status_fd. Returns: 0; -errno with *@ret_failure filled where the command was
 * not started.
 */
int cloche_process_wait(struct cloche_process *process, int *ret_status,
			struct cloche_failure *ret_failure);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
