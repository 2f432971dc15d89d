/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * From words to a plan, and what must hold of each result: argv.c and args.c differ only in where
 * words come from.
 */
#pragma once

/** parse_and_plan - parse @words as root or not, under one of the names; then plan, explain and
 * report */
void parse_and_plan(char *const *words, const char *personality, int is_root);
