/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: --pty-filter. How the stream is cut makes no difference; what passed once passes
 * again unchanged; and by a reader of its own, which knows only where sequences begin and end,
 * nothing that is answered is left.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "watch/pty-filter.h"

#define MOST 8192

struct piece {
	char bytes[MOST + PTY_FILTER_MAX];
	size_t size;
};

static void filter(const char *data, size_t size, size_t step, bool is_utf8, struct piece *ret_out)
{
	static struct pty_filter state;

	memset(&state, 0, sizeof(state));
	state.is_utf8 = is_utf8;
	ret_out->size = 0;
	for (size_t at = 0; at < size; at += step) {
		size_t part = size - at < step ? size - at : step;

		ret_out->size +=
			pty_filter(&state, data + at, part, ret_out->bytes + ret_out->size);
		require(ret_out->size <= at + part);
	}
}

static bool is_same(const struct piece *one, const struct piece *other)
{
	return one->size == other->size && memcmp(one->bytes, other->bytes, one->size) == 0;
}

/* Strings end at once (BEL or ESC \), all else at a final byte: then these finals are never there.
 */
static void check_sequences(const struct piece *out, bool is_utf8)
{
	for (size_t i = 0; i < out->size; i++) {
		unsigned char byte = (unsigned char)out->bytes[i];
		unsigned char next = i + 1 < out->size ? (unsigned char)out->bytes[i + 1] : 0;
		size_t end = i + 2;

		require(byte != 0x05);
		require(is_utf8 || byte < 0x80 || byte > 0x9f);
		require(!is_utf8 || byte != 0xc2 || next >= 0xa0);
		if (byte != 0x1b)
			continue;
		require(next && !strchr("ZPX^_k", next));
		if (next == ']')
			require(end < out->size && out->bytes[end] != '5');
		if (next != '[')
			continue;
		while (end < out->size && (unsigned char)out->bytes[end] < 0x40)
			end++;
		require(end < out->size && !strchr("cnitxyw|R", out->bytes[end]));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct piece whole, cut, again;
	bool is_utf8;

	if (size < 2 || size > MOST)
		return 0;
	is_utf8 = data[0] & 1;
	filter((const char *)data + 2, size - 2, size, is_utf8, &whole);
	filter((const char *)data + 2, size - 2, 1 + data[1] % 16, is_utf8, &cut);
	require(is_same(&whole, &cut));
	filter(whole.bytes, whole.size, MOST, is_utf8, &again);
	require(is_same(&whole, &again));
	check_sequences(&whole, is_utf8);
	return 0;
}
