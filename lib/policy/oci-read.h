/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the parts of the profile reader share: values of a document, each with its place for
 * messages. Every function returns 0, or -EINVAL with reader->err filled.
 */
#pragma once

#include <json-c/json.h>

#include "policy/oci.h"

/* A value's place in the document, for messages. */
struct oci_place {
	const struct oci_place *above; /* NULL: the document itself */
	const char *key;	       /* NULL: the element of a list */
	size_t index;
};

struct oci_reader {
	struct policy *policy;
	const struct oci_host *host;
	struct policy_error *err;
	uint32_t default_action;
};

/** oci_fail - fill the error: @reason is wrong with what is at @place; -EINVAL */
int oci_fail(const struct oci_reader *reader, const struct oci_place *place, const char *reason);

/** oci_fail_at - the same for the value of @key in the object at @above */
int oci_fail_at(const struct oci_reader *reader, const struct oci_place *above, const char *key,
		const char *reason);

/** oci_check_object - is @object one, with no keys but @keys, which end with NULL? */
must_check int oci_check_object(const struct oci_reader *reader, json_object *object,
				const struct oci_place *place, const char *const *keys);

/** oci_find - the value of @key; false where there is none, and where it is null, as Go writes it
 */
bool oci_find(json_object *object, const char *key, json_object **ret_value);

/** oci_get_string - the text of @key, borrowed from the document; NULL where there is none */
must_check int oci_get_string(const struct oci_reader *reader, json_object *object,
			      const struct oci_place *place, const char *key,
			      const char **ret_text);

/** oci_get_number - the whole number of @key, at most @max; unchanged where there is none */
must_check int oci_get_number(const struct oci_reader *reader, json_object *object,
			      const struct oci_place *place, const char *key, uint64_t max,
			      uint64_t *ret_number);

/** oci_get_list - the list of @key and its length; 0 where there is none */
must_check int oci_get_list(const struct oci_reader *reader, json_object *object,
			    const struct oci_place *place, const char *key, json_object **ret_list,
			    size_t *ret_count);

/** oci_get_element - the text at @place->index of @list */
must_check int oci_get_element(const struct oci_reader *reader, json_object *list,
			       const struct oci_place *place, const char **ret_text);

/** oci_read_architectures - does the profile hold for the 32-bit twin as well? (oci-host.c) */
must_check int oci_read_architectures(const struct oci_reader *reader, json_object *root,
				      const struct oci_place *place, bool *ret_has_twin);

/** oci_check_condition - does "includes" or "excludes" (@key) leave the rule @entry? (oci-host.c)
 */
must_check int oci_check_condition(const struct oci_reader *reader, json_object *entry,
				   const struct oci_place *above, const char *key, bool *ret_holds);
