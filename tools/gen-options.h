/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The parts of the generator gen-options: each writes one form of the option table. Runs at build
 * time only.
 */
#pragma once

#include <stdio.h>

#include "spec/option.h"

/** kind_name - the name of @kind in --introspect and in the completions, a static string */
const char *kind_name(enum option_kind kind);

/** write_usage - write "--bind SRC DEST" for @row, every argument between @before and @after, to
 * @out */
void write_usage(FILE *out, const struct option_row *row, const char *before, const char *after);

/** write_help - write the grouped text of --help that follows the usage line to @out */
void write_help(FILE *out);

/** write_scdoc - write the options as scdoc(5) sections of level two to @out */
void write_scdoc(FILE *out);

/** write_introspect - write the option table as one JSON object to @out */
void write_introspect(FILE *out);

/** write_bash - write the variable and functions that completions/cloche.bash.in uses to @out */
void write_bash(FILE *out);

/** write_zsh - write the array of _arguments specifications that completions/cloche.zsh.in uses to
 * @out */
void write_zsh(FILE *out);

/** write_fish - write the functions that completions/cloche.fish.in uses to @out */
void write_fish(FILE *out);

/** write_fuzz_dict - write a libFuzzer dictionary of options and telling values to @out */
void write_fuzz_dict(FILE *out);

/** write_header - write generated-options.h, with option_help and option_introspect as C strings,
 * to @out */
void write_header(FILE *out);
