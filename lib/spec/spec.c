/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Memory of the spec: growing arrays and what they own.
 */
#include "spec/spec.h"

#include <ctype.h>
#include <string.h>

void *spec_add(void *array, size_t *count, size_t size)
{
	void **items = array;
	char *grown = *items;

	if ((*count & (*count - 1)) == 0) { /* 0 or a power of two: it is full */
		size_t bytes;

		if (__builtin_mul_overflow(*count ? *count * 2 : 1, size, &bytes))
			return NULL;
		grown = realloc(grown, bytes);
		if (!grown)
			return NULL;
		*items = grown;
	}
	grown += *count * size;
	memset(grown, 0, size);
	(*count)++;
	return grown;
}

char *spec_add_blob(struct spec *spec, char *blob)
{
	char **kept = blob ? spec_add(&spec->blobs, &spec->blob_count, sizeof(*kept)) : NULL;

	if (!kept) {
		free(blob);
		return NULL;
	}
	return *kept = blob;
}

void spec_free(struct spec *spec)
{
	net_config_free(&spec->net.config);
	for (size_t i = 0; i < spec->blob_count; i++)
		free(spec->blobs[i]);
	free(spec->blobs);
	free(spec->uses);
	free(spec->ops);
	free(spec->layers);
	free(spec->ids.uid_ranges);
	free(spec->ids.gid_ranges);
	free(spec->ids.idmap_ranges);
	free(spec->env_ops);
	free(spec->keep_fds);
	free(spec->lock_files);
	free(spec->sync_fds);
	free(spec->policy.changes);
	free(spec->add_seccomp_fds);
	free(spec->cap_ops);
	free(spec->limits.rlimits);
	free(spec->limits.io);
	free(spec->landlock.connect_tcp.ranges);
	free(spec->landlock.bind_tcp.ranges);
	free(spec->views.dev_nodes);
	free(spec->io.secrets);
	free(spec->consumed_fds);
	free(spec->warned_uses);
}

bool spec_is_name(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length > SPEC_NAME_MAX || !isalnum((unsigned char)name[0]))
		return false;
	for (const char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("._-", *c))
			return false;
	return true;
}
