/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * --pty-filter. Sequences as in ECMA-48 and xterm's ctlseqs; what passes is listed here, all else
 * is dropped: a terminal that answers types into whatever reads it next (CVE-2003-0063 and many
 * since), and new requests are invented all the time.
 *
 * A terminal must not read a sequence where this sees none. Hence C0 controls within one leave it
 * (a terminal obeys them at once), whatever begins a new sequence ends the old one, strings that
 * are passed on hold no controls at all, and C1 controls, single bytes or encoded in UTF-8, never
 * pass.
 */
#include "watch/pty-filter.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BEL 0x07
#define ENQ 0x05 /* the terminal answers with its answerback */
#define CAN 0x18
#define SUB 0x1a
#define ESC 0x1b
#define DELETE 0x7f

struct output {
	char *data;
	size_t size;
};

static void put(struct output *out, unsigned char byte)
{
	out->data[out->size++] = (char)byte;
}

static void hold(struct pty_filter *filter, unsigned char byte)
{
	if (filter->length < sizeof(filter->held))
		filter->held[filter->length++] = (char)byte;
	else
		filter->is_too_long = true;
}

static void begin(struct pty_filter *filter, enum pty_filter_state state)
{
	filter->state = state;
	filter->length = 0;
	filter->is_too_long = false;
}

static void end(struct pty_filter *filter, bool passes, struct output *out)
{
	if (passes && !filter->is_too_long) {
		memcpy(out->data + out->size, filter->held, filter->length);
		out->size += filter->length;
	}
	begin(filter, FILTER_TEXT);
}

static bool is_in(unsigned char byte, const char *set)
{
	return byte && strchr(set, byte);
}

/* After ESC: character sets, saving the cursor, tabs, index, keypad modes, reset; not DECID (Z),
 * which is answered, nor what switches to 8-bit controls (SP G). */
static bool escape_passes(const char *held, size_t length)
{
	unsigned char final = (unsigned char)held[length - 1];

	if (length == 2)
		return is_in(final, "6789=>DEHMNOcno|}~");
	if (length != 3)
		return false;
	return is_in((unsigned char)held[1], "()*+-./") ||
	       (held[1] == '#' && is_in(final, "34568")) ||
	       (held[1] == '%' && is_in(final, "@G")) || (held[1] == ' ' && final == 'F');
}

/* Modes that a terminal reports on at once (2048: its size), or in which it reads another language
 * (2: VT52). */
static bool has_bad_mode(const char *parameters, size_t length)
{
	for (size_t i = 0; i < length;) {
		unsigned long mode = 0;

		for (; i < length && parameters[i] >= '0' && parameters[i] <= '9'; i++)
			mode = mode < 100000 ? mode * 10 + (unsigned long)(parameters[i] - '0')
					     : mode;
		if (mode == 2 || mode == 2048)
			return true;
		i++;
	}
	return false;
}

/* After CSI: parameters from 0x30 to 0x3f, intermediates from 0x20 to 0x2f, a final byte. */
static bool control_passes(const char *held, size_t length)
{
	const char *text = held + 2, *finals = "@ABCDEFGHIJKLMPSTXZ`abdefghlmrsu";
	unsigned char final = (unsigned char)held[length - 1], prefix = 0;
	size_t parameters = 0, intermediates;

	length -= 3;
	while (parameters < length && text[parameters] >= 0x30)
		parameters++;
	intermediates = length - parameters;
	if (parameters && is_in((unsigned char)text[0], "<=>?"))
		prefix = (unsigned char)text[0];
	for (size_t i = prefix ? 1 : 0; i < length; i++)
		if (is_in((unsigned char)text[i], "<=>?") || (i >= parameters && text[i] >= 0x30))
			return false;
	if (intermediates) /* shape of the cursor, soft reset */
		return intermediates == 1 && !prefix &&
		       ((text[parameters] == ' ' && final == 'q') ||
			(text[parameters] == '!' && final == 'p'));
	switch (prefix) {
	case 0: /* T with more than one parameter tracks the mouse, and waits for an answer */
		return is_in(final, finals) && (final != 'T' || !memchr(text, ';', length));
	case '?':
		return is_in(final, "JKrs") ||
		       (is_in(final, "hl") && !has_bad_mode(text + 1, parameters - 1));
	case '>': /* keyboards: modifyOtherKeys, kitty's */
		return is_in(final, "mu");
	default:
		return final == 'u';
	}
}

/* Titles, links, colours that are set and not asked for, marks of prompts. */
static bool command_passes(const char *held, size_t length)
{
	static const uint8_t setting[] = { 0, 1, 2, 4, 8, 104, 133 };
	const char *text = held + 2;
	unsigned long number = 0;
	size_t digits = 0;

	length -= 2;
	while (digits < length && digits < 4 && text[digits] >= '0' && text[digits] <= '9')
		number = number * 10 + (unsigned long)(text[digits++] - '0');
	if (digits == 0 || (digits < length && text[digits] != ';'))
		return false;
	if (number == 4 || (number >= 10 && number <= 19))
		if (memchr(text, '?', length))
			return false;
	if ((number >= 10 && number <= 19) || (number >= 110 && number <= 119))
		return true;
	for (size_t i = 0; i < sizeof(setting); i++)
		if (number == setting[i])
			return true;
	return false;
}

static void begin_escape(struct pty_filter *filter)
{
	begin(filter, FILTER_ESCAPE);
	hold(filter, ESC);
}

/* The byte behind ESC, or behind intermediates. */
static void in_escape(struct pty_filter *filter, unsigned char byte, struct output *out)
{
	hold(filter, byte);
	if (byte >= 0x20 && byte <= 0x2f)
		return;
	if (filter->length == 2 && byte == '[') {
		filter->state = FILTER_CONTROL;
	} else if (filter->length == 2 && byte == ']') {
		filter->state = FILTER_COMMAND;
	} else if (filter->length == 2 && is_in(byte, "PX^_k")) {
		begin(filter, FILTER_STRING);
	} else {
		end(filter, escape_passes(filter->held, filter->length), out);
	}
}

static void in_control(struct pty_filter *filter, unsigned char byte, struct output *out)
{
	hold(filter, byte);
	if (byte >= 0x40)
		end(filter, control_passes(filter->held, filter->length), out);
}

/* The end of a string. It keeps its terminator: a stream never grows. */
static void end_string(struct pty_filter *filter, bool is_command, const char *terminator,
		       struct output *out)
{
	bool passes = is_command && command_passes(filter->held, filter->length);

	for (; *terminator; terminator++)
		hold(filter, (unsigned char)*terminator);
	end(filter, passes, out);
}

static void in_string(struct pty_filter *filter, unsigned char byte, struct output *out)
{
	bool is_command = filter->state == FILTER_COMMAND;

	if (byte == ESC) {
		filter->is_command = is_command;
		filter->state = FILTER_STRING_ESCAPE;
	} else if (byte == BEL && is_command) {
		end_string(filter, true, "\a", out);
	} else if (byte == CAN || byte == SUB) {
		end(filter, false, out);
	} else if (byte < 0x20 || byte == DELETE) {
		filter->is_too_long = true; /* terminals differ in what they make of it */
	} else {
		hold(filter, byte);
	}
}

/* A string ends at ESC: with a backslash as it should, or because another sequence begins. */
static void in_string_escape(struct pty_filter *filter, unsigned char byte, struct output *out)
{
	if (byte == '\\') {
		end_string(filter, filter->is_command, "\x1b\\", out);
		return;
	}
	begin_escape(filter);
	in_escape(filter, byte, out);
}

/* A byte below 0x80. */
static void take(struct pty_filter *filter, unsigned char byte, struct output *out)
{
	bool in_sequence = filter->state == FILTER_ESCAPE || filter->state == FILTER_CONTROL;

	switch (filter->state) {
	case FILTER_COMMAND:
	case FILTER_STRING:
		in_string(filter, byte, out);
		return;
	case FILTER_STRING_ESCAPE:
		if (byte >= 0x20 && byte < DELETE)
			in_string_escape(filter, byte, out);
		else if (byte == ESC)
			begin_escape(filter);
		else
			end(filter, false, out);
		return;
	default:
		break;
	}
	if (byte == ESC) {
		begin_escape(filter);
	} else if (byte < 0x20) {
		if (in_sequence && (byte == CAN || byte == SUB))
			end(filter, false, out);
		if (byte != ENQ)
			put(out, byte);
	} else if (in_sequence && byte == DELETE) {
		return; /* terminals ignore it */
	} else if (filter->state == FILTER_ESCAPE) {
		in_escape(filter, byte, out);
	} else if (filter->state == FILTER_CONTROL) {
		in_control(filter, byte, out);
	} else {
		put(out, byte);
	}
}

/* A whole character that is none of ASCII. It is no part of any sequence but strings. */
static void take_character(struct pty_filter *filter, const unsigned char *bytes, size_t size,
			   struct output *out)
{
	bool is_string = filter->state == FILTER_COMMAND || filter->state == FILTER_STRING;

	if (filter->state != FILTER_TEXT && !is_string) {
		end(filter, false, out);
		return;
	}
	for (size_t i = 0; i < size; i++) {
		if (is_string)
			hold(filter, bytes[i]);
		else
			put(out, bytes[i]);
	}
}

/* How long a character of UTF-8 is, by its first byte; 0: none begins with it. */
static size_t character_size(unsigned char byte)
{
	if (byte >= 0xc2 && byte <= 0xdf)
		return 2;
	if (byte >= 0xe0 && byte <= 0xef)
		return 3;
	return byte >= 0xf0 && byte <= 0xf4 ? 4 : 0;
}

/* May @second follow @first? Not where the character could be written with fewer bytes (RFC 3629):
 * some decoders see a control in it; and not in a C1 control. */
static bool may_follow(unsigned char first, unsigned char second)
{
	switch (first) {
	case 0xc2:
	case 0xe0:
		return second >= 0xa0;
	case 0xed:
		return second < 0xa0;
	case 0xf0:
		return second >= 0x90;
	case 0xf4:
		return second < 0x90;
	default:
		return true;
	}
}

/* A byte from 0x80 on. Of UTF-8 only whole characters pass. */
static void take_high(struct pty_filter *filter, unsigned char byte, struct output *out)
{
	if (!filter->is_utf8) {
		if (byte >= 0xa0)
			take_character(filter, &byte, 1, out);
		return;
	}
	if (byte >= 0xc0) {
		filter->character_wanted = character_size(byte);
		filter->character_size = 0;
	} else if (filter->character_size == 1 && !may_follow(filter->character[0], byte)) {
		filter->character_wanted = 0;
	}
	if (!filter->character_wanted)
		return;
	filter->character[filter->character_size++] = byte;
	if (filter->character_size == filter->character_wanted) {
		take_character(filter, filter->character, filter->character_size, out);
		filter->character_wanted = 0;
	}
}

size_t pty_filter(struct pty_filter *filter, const char *in, size_t size, char *out)
{
	struct output output = { .data = out };

	for (size_t i = 0; i < size; i++) {
		unsigned char byte = (unsigned char)in[i];

		if (byte >= 0x80) {
			take_high(filter, byte, &output);
			continue;
		}
		filter->character_wanted = 0;
		take(filter, byte, &output);
	}
	return output.size;
}
