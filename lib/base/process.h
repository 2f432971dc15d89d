/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Our own process: how much memory stays behind while COMMAND runs.
 */
#pragma once

/**
 * process_trim_memory - give back the pages of our program and libraries that hold nothing but file content
 *
 * They come back from the page cache when touched. A supervisor and an init process that sleep for hours then cost a
 * fraction (measured: half of their resident memory). Async-signal-safe.
 */
void process_trim_memory(void);

/* Waiting this long first keeps short commands from paying for it. */
#define PROCESS_TRIM_DELAY_MS 50
