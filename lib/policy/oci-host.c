/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What of a profile depends on the host: its lists of architectures, and the conditions of its
 * rules.
 */
#include "policy/oci-read.h"

#include <linux/audit.h>
#include <string.h>
#include <sys/capability.h>

#include "base/num.h"
#include "base/str.h"

/* Names in architecture lists, and Go's in conditions. */
static const struct {
	const char *name, *go_name;
	uint32_t arch;
} architectures[] = {
	{ "SCMP_ARCH_X86_64", "amd64", AUDIT_ARCH_X86_64 },
	{ "SCMP_ARCH_X86", "x86", AUDIT_ARCH_I386 },
	{ "SCMP_ARCH_AARCH64", "arm64", AUDIT_ARCH_AARCH64 },
	{ "SCMP_ARCH_ARM", "arm", AUDIT_ARCH_ARM },
	{ "SCMP_ARCH_RISCV64", "riscv64", AUDIT_ARCH_RISCV64 },
	{ "SCMP_ARCH_PPC64LE", "ppc64le", AUDIT_ARCH_PPC64LE },
};

static bool names_arch(const char *name, uint32_t arch)
{
	for (size_t i = 0; i < ARRAY_SIZE(architectures); i++)
		if (architectures[i].arch == arch && strcmp(architectures[i].name, name) == 0)
			return true;
	return false;
}

/* Is @arch in the list of the key? */
static int find_arch(const struct oci_reader *reader, json_object *object,
		     const struct oci_place *place, const char *key, uint32_t arch,
		     bool *ret_is_there)
{
	const struct oci_place list_place = { .above = place, .key = key };
	json_object *list = NULL;
	size_t count = 0;
	int r = oci_get_list(reader, object, place, key, &list, &count);

	for (size_t i = 0; r == 0 && i < count; i++) {
		const char *name = "";

		r = oci_get_element(reader, list,
				    &(struct oci_place){ .above = &list_place, .index = i }, &name);
		if (r == 0 && !str_starts(name, "SCMP_ARCH_"))
			r = oci_fail(reader,
				     &(struct oci_place){ .above = &list_place, .index = i },
				     "not an architecture");
		if (r == 0 && arch && names_arch(name, arch))
			*ret_is_there = true;
	}
	return r;
}

/* Docker's form: each architecture with those that it runs besides. */
static int read_arch_map(const struct oci_reader *reader, json_object *root,
			 const struct oci_place *place, uint32_t twin, bool *ret_has_twin)
{
	static const char *const keys[] = { "architecture", "subArchitectures", NULL };
	const struct oci_place list_place = { .above = place, .key = "archMap" };
	json_object *list = NULL;
	size_t count = 0;
	int r = oci_get_list(reader, root, place, "archMap", &list, &count);

	for (size_t i = 0; r == 0 && i < count; i++) {
		const struct oci_place here = { .above = &list_place, .index = i };
		json_object *entry = json_object_array_get_idx(list, i);
		bool has_twin = false;
		const char *name = "";

		r = oci_check_object(reader, entry, &here, keys);
		if (r == 0)
			r = oci_get_string(reader, entry, &here, "architecture", &name);
		if (r == 0 && !name)
			r = oci_fail_at(reader, &here, "architecture", "missing");
		if (r == 0)
			r = find_arch(reader, entry, &here, "subArchitectures", twin, &has_twin);
		if (r == 0 && name && names_arch(name, reader->host->arch))
			*ret_has_twin |= has_twin;
	}
	return r;
}

int oci_read_architectures(const struct oci_reader *reader, json_object *root,
			   const struct oci_place *place, bool *ret_has_twin)
{
	uint32_t twin = policy_arch_twin(reader->host->arch);
	json_object *list, *map;
	int r;

	*ret_has_twin = false;
	if (oci_find(root, "architectures", &list) && oci_find(root, "archMap", &map) &&
	    json_object_is_type(list, json_type_array) && json_object_array_length(list) &&
	    json_object_is_type(map, json_type_array) && json_object_array_length(map))
		return oci_fail_at(reader, place, "archMap", "given beside architectures");
	r = find_arch(reader, root, place, "architectures", twin, ret_has_twin);
	return r < 0 ? r : read_arch_map(reader, root, place, twin, ret_has_twin);
}

/* ---- conditions ---- */

static bool is_native(const struct oci_reader *reader, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(architectures); i++)
		if (architectures[i].arch == reader->host->arch)
			return strcmp(architectures[i].go_name, name) == 0;
	return false;
}

static bool has_cap(const struct oci_reader *reader, const char *name)
{
	cap_value_t cap;

	return cap_from_name(name, &cap) == 0 && cap < 64 && reader->host->caps >> cap & 1;
}

/* How many names of a list fit, and how many there are. */
static int count_list(const struct oci_reader *reader, json_object *object,
		      const struct oci_place *place, const char *key,
		      bool (*fits)(const struct oci_reader *, const char *), size_t *ret_fitting,
		      size_t *ret_count)
{
	const struct oci_place list_place = { .above = place, .key = key };
	json_object *list = NULL;
	int r = oci_get_list(reader, object, place, key, &list, ret_count);

	*ret_fitting = 0;
	for (size_t i = 0; r == 0 && i < *ret_count; i++) {
		const char *name = "";

		r = oci_get_element(reader, list,
				    &(struct oci_place){ .above = &list_place, .index = i }, &name);
		if (r == 0 && fits(reader, name))
			++*ret_fitting;
	}
	return r;
}

/* "4.8": is this kernel at least that? */
static int check_kernel(const struct oci_reader *reader, json_object *object,
			const struct oci_place *place, bool *ret_is_given, bool *ret_is_newer)
{
	char copy[32], *dot;
	uint64_t major = 0, minor = 0;
	const char *text = NULL;
	int r = oci_get_string(reader, object, place, "minKernel", &text);

	*ret_is_given = *ret_is_newer = false;
	if (r < 0 || !text || !text[0])
		return r;
	str_copy(copy, sizeof(copy), text);
	dot = strchr(copy, '.');
	if (dot)
		*dot = '\0';
	if (!dot || num_parse(copy, UINT16_MAX, &major) < 0 ||
	    num_parse(dot + 1, UINT16_MAX, &minor) < 0)
		return oci_fail_at(reader, place, "minKernel", "not a version as 4.8");
	*ret_is_given = true;
	*ret_is_newer = reader->host->major > major ||
			(reader->host->major == major && reader->host->minor >= minor);
	return 0;
}

/* "includes" wants one of its architectures, all its capabilities and the kernel; "excludes" wants
 * that none of them is there. */
int oci_check_condition(const struct oci_reader *reader, json_object *entry,
			const struct oci_place *above, const char *key, bool *ret_holds)
{
	static const char *const keys[] = { "caps", "arches", "minKernel", NULL };
	const struct oci_place place = { .above = above, .key = key };
	size_t arches = 0, arch_count = 0, caps = 0, cap_count = 0;
	bool has_kernel = false, is_newer = false;
	json_object *object;
	int r;

	*ret_holds = true;
	if (!oci_find(entry, key, &object))
		return 0;
	r = oci_check_object(reader, object, &place, keys);
	if (r == 0)
		r = count_list(reader, object, &place, "arches", is_native, &arches, &arch_count);
	if (r == 0)
		r = count_list(reader, object, &place, "caps", has_cap, &caps, &cap_count);
	if (r == 0)
		r = check_kernel(reader, object, &place, &has_kernel, &is_newer);
	if (r < 0)
		return r;
	if (strcmp(key, "includes") == 0)
		*ret_holds = (arch_count == 0 || arches > 0) && caps == cap_count &&
			     (!has_kernel || is_newer);
	else
		*ret_holds = arches == 0 && caps == 0 && !(has_kernel && is_newer);
	return 0;
}
