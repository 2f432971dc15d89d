/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the fuzz targets share. A target is one function that gets bytes and must not crash, leak,
 * read out of bounds or break a promise (require()). It touches no file and no descriptor but those
 * it made itself.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spec/facts.h"

#define fuzz_helper __attribute__((unused)) static

/* A promise that any input must leave whole: else the fuzzer keeps the input. */
#define require(condition)                                                                         \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fuzz_fail(__FILE__, __LINE__, #condition);                                 \
	} while (0)

fuzz_helper _Noreturn void fuzz_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: broken: %s\n", file, line, what);
	abort();
}

/** LLVMFuzzerTestOneInput - the entry that libFuzzer calls; returns 0 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy of @data with a NUL behind, so that a sanitizer sees reads beyond; the caller frees it. */
fuzz_helper char *fuzz_text(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

/*
 * The NUL-separated words of @data, each in memory of its own, with @first in front and NULL
 * behind. To be released with fuzz_free_words().
 */
fuzz_helper char **fuzz_words(const char *first, const uint8_t *data, size_t size)
{
	size_t count = 0, most = 3;
	char **words;

	for (size_t i = 0; i < size; i++)
		most += data[i] == 0;
	words = calloc(most, sizeof(*words));
	if (!words)
		abort();
	words[count++] = strdup(first);
	for (size_t start = 0; start < size;) {
		size_t length = strnlen((const char *)data + start, size - start);

		words[count++] = fuzz_text(data + start, length);
		start += length + 1;
	}
	return words;
}

fuzz_helper void fuzz_free_words(char **words)
{
	for (size_t i = 0; words[i]; i++)
		free(words[i]);
	free(words);
}

/* Would a terminal obey none of it? Also: is it UTF-8? */
fuzz_helper bool fuzz_is_printable(const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++)
		if (*c < 0x20 || *c == 0x7f || (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0))
			return false;
	return true;
}

/* Facts of no host in particular. */
fuzz_helper void fuzz_facts(struct facts *facts, bool is_root)
{
	static char path[] = "PATH=/bin", home[] = "HOME=/home/alice", odd[] = "odd",
		    locale[] = "LC_ALL=C";
	static char *const environment[] = { path, home, odd, locale, path, NULL };
	static char cwd[] = "/work", user[] = "alice", user_home[] = "/home/alice",
		    target[] = "usr/bin";

	*facts = (struct facts){
		.uid = is_root ? 0 : 1000,
		.gid = is_root ? 0 : 1000,
		.permitted = is_root ? (1ull << 41) - 1 : 0,
		.is_root = is_root,
		.environ = environment,
		.cwd = cwd,
		.has_cgroup_ns = true,
		.user = user,
		.home = user_home,
		.links = { { .path = "/bin", .exists = true, .target = target },
			   { .path = "/sbin" },
			   { .path = "/lib", .exists = true },
			   { .path = "/lib32" },
			   { .path = "/lib64" },
			   { .path = "/libx32" } },
	};
}
