/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writing JSON values into a text buffer. Never allocates.
 */
#pragma once

#include "base/str.h"

/**
 * jsonw_string - append @text as a JSON string with its quotes
 *
 * File names are bytes, JSON is Unicode: bytes that are no valid UTF-8 become the characters U+0080
 * to U+00FF of the same number.
 */
void jsonw_string(struct str_buf *buf, const char *text);

/** jsonw_key - append "@key": with the comma that separates it from what stands before */
void jsonw_key(struct str_buf *buf, const char *key);
