/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the commands that deal with sandboxes that run have in common: finding one, and asking its
 * supervisor. Who is asked is decided by the kernel's word for who holds the lock, not by files.
 */
#pragma once

#include "watch/registry.h"

/* Exit statuses. */
#define CLIENT_FAILED 125
#define CLIENT_NONE 1 /* there is no such sandbox */

/** client_complain - print "cloche @command: @subject: @what"; @subject may be "". Returns:
 * CLIENT_FAILED */
int client_complain(const char *command, const char *subject, const char *what);

/** client_list - all entries, ordered by name; client_free_list() releases them. Returns: how many
 */
must_check ssize_t client_list(int dir_fd, struct registry_entry **ret_entries);

/** client_free_list - release what client_list() made */
void client_free_list(struct registry_entry *entries, ssize_t count);

/** client_find - the sandbox that is called @word, or whose supervisor has that pid, or the
 * complaint of @command that there is none. Returns: 0, or CLIENT_NONE */
must_check int client_find(const char *command, int dir_fd, const char *word,
			   struct registry_entry *ret_entry);

/** client_connect - connect to the supervisor of @entry and read its greeting. Descriptor, -errno,
 * or -EPROTO with what it says in the @size bytes of @line */
must_check int client_connect(int dir_fd, const struct registry_entry *entry, char *line,
			      size_t size);

/** client_ask - client_connect(), send @request and read the answer, as it does */
must_check int client_ask(int dir_fd, const struct registry_entry *entry, const char *request,
			  char *line, size_t size);

/** client_read_line - the next line on @fd, without its newline; a descriptor that comes with it,
 * -1, if @ret_fd is not NULL. false at the end */
bool client_read_line(int fd, char *line, size_t size, int *ret_fd);

/** client_failed - the complaint about what client_ask() returned */
int client_failed(const char *command, const char *word, int r, const char *line);
