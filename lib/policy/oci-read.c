/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Values of a profile and their places. json-c's documents are trees of json_object; what a
 * function gives out of one is borrowed.
 */
#include "policy/oci-read.h"

#include <string.h>

#include "base/num.h"
#include "base/str.h"

static void add_place(struct str_buf *buf, const struct oci_place *place)
{
	if (place->above)
		add_place(buf, place->above);
	if (place->key) {
		if (buf->length)
			str_add_char(buf, '.');
		str_add_escaped(buf, place->key);
	} else if (place->above) {
		str_add_char(buf, '[');
		str_add_number(buf, place->index);
		str_add_char(buf, ']');
	}
}

int oci_fail(const struct oci_reader *reader, const struct oci_place *place, const char *reason)
{
	struct str_buf buf = { .data = reader->err->token, .size = sizeof(reader->err->token) };

	reader->err->token[0] = '\0';
	add_place(&buf, place);
	reader->err->reason = reason;
	return -EINVAL;
}

int oci_fail_at(const struct oci_reader *reader, const struct oci_place *above, const char *key,
		const char *reason)
{
	return oci_fail(reader, &(struct oci_place){ .above = above, .key = key }, reason);
}

/* ---- values ---- */

/* Is @object one, with no keys but @keys, which end with NULL? */
int oci_check_object(const struct oci_reader *reader, json_object *object,
		     const struct oci_place *place, const char *const *keys)
{
	if (!json_object_is_type(object, json_type_object))
		return oci_fail(reader, place, "not an object");
	json_object_object_foreach(object, key, value)
	{
		const char *const *known = keys;

		(void)value;
		while (*known && strcmp(*known, key) != 0)
			known++;
		if (!*known)
			return oci_fail_at(reader, place, key, "unknown key");
	}
	return 0;
}

/* The value of a key; false where there is none, and where it is null, as Go's encoder writes it.
 */
bool oci_find(json_object *object, const char *key, json_object **ret_value)
{
	return json_object_object_get_ex(object, key, ret_value) && *ret_value;
}

/* *@ret_text: NULL where there is none. Strings are borrowed from the document. */
int oci_get_string(const struct oci_reader *reader, json_object *object,
		   const struct oci_place *place, const char *key, const char **ret_text)
{
	json_object *value;

	*ret_text = NULL;
	if (!oci_find(object, key, &value))
		return 0;
	if (!json_object_is_type(value, json_type_string))
		return oci_fail_at(reader, place, key, "not a string");
	*ret_text = json_object_get_string(value);
	if (strlen(*ret_text) != (size_t)json_object_get_string_len(value))
		return oci_fail_at(reader, place, key, "has a NUL in it");
	return 0;
}

/* *@ret_number stays as it is where there is none. */
int oci_get_number(const struct oci_reader *reader, json_object *object,
		   const struct oci_place *place, const char *key, uint64_t max,
		   uint64_t *ret_number)
{
	json_object *value;

	if (!oci_find(object, key, &value))
		return 0;
	/* json-c makes 2^64 - 1 of what is larger. */
	if (!json_object_is_type(value, json_type_int) ||
	    num_parse(json_object_get_string(value), max, ret_number) < 0)
		return oci_fail_at(reader, place, key, "not a whole number, or too large");
	return 0;
}

/* *@ret_count: 0 where there is none. Elements by json_object_array_get_idx(). */
int oci_get_list(const struct oci_reader *reader, json_object *object,
		 const struct oci_place *place, const char *key, json_object **ret_list,
		 size_t *ret_count)
{
	*ret_count = 0;
	if (!oci_find(object, key, ret_list))
		return 0;
	if (!json_object_is_type(*ret_list, json_type_array))
		return oci_fail_at(reader, place, key, "not a list");
	*ret_count = json_object_array_length(*ret_list);
	return 0;
}

int oci_get_element(const struct oci_reader *reader, json_object *list,
		    const struct oci_place *place, const char **ret_text)
{
	json_object *value = json_object_array_get_idx(list, place->index);

	if (!json_object_is_type(value, json_type_string))
		return oci_fail(reader, place, "not a string");
	*ret_text = json_object_get_string(value);
	return 0;
}
