/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What cloche asks of its helper program cloche-policy, and what it answers.
 *
 * The request is all that the program depends on, so it is the key of the cache, too:
 *
 *	POLICY_REQUEST_HEAD
 *	"flags " decimal bits of enum policy_request_flag, "\n"
 *	with POLICY_REQUEST_JSON:
 *		"caps " decimal bits of the capabilities that COMMAND keeps, "\n"
 *		"kernel " its release, "\n"
 *		and the first text is a profile in JSON
 *	and for each text, in order: "text " its length "\n" the text "\n"
 *
 * The answer is the program (exit status 0), or, with POLICY_STATUS_TEXT, five lines: the index of
 * the text, the line in it or 0, the shipped policy it uses there or nothing, the word, the reason.
 */
#pragma once

/* To be raised with every change of the compiler that changes programs. */
#define POLICY_FORMAT "1"

/* Wants SHIPPED_HASH, of the shipped policies' texts. */
#define POLICY_REQUEST_HEAD                                                                        \
	"cloche-policy " POLICY_FORMAT " " CLOCHE_VERSION " libseccomp " CLOCHE_LIBSECCOMP         \
	" " CLOCHE_ARCH " " SHIPPED_HASH "\n"

enum policy_request_flag {
	POLICY_REQUEST_USERNS = 1 << 0,
	POLICY_REQUEST_32BIT = 1 << 1,
	POLICY_REQUEST_LOG = 1 << 2, /* what would be denied is only logged */
	POLICY_REQUEST_JSON = 1 << 3
};

#define POLICY_STATUS_TEXT 3
