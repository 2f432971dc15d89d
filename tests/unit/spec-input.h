/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Made-up specs, as the parser leaves them, built by hand so that no parser is linked.
 */
#pragma once

#include "spec/spec.h"
#include "unit.h"

/* A spec without any option; the fields of a test's options are set afterwards. */
unit_helper struct spec empty_spec(const char *personality)
{
	const struct spec_fd no_fd = { .fd = -1, .use = -1 };
	struct spec spec = {
		.personality = personality_find(personality),
		.unshare_user_use = -1,
		.share_user_use = -1,
		.share_net_use = -1,
		.share_pid_use = -1,
		.userns_limit_use = -1,
		.userns2_fd = no_fd,
		.block_fd = no_fd,
		.userns_block_fd = no_fd,
		.info_fd = no_fd,
		.json_status_fd = no_fd,
		.seccomp_fd = no_fd,
		.usage_fd = no_fd,
	};

	for (int flag = 0; flag < FLAG_COUNT; flag++)
		spec.flag_use[flag] = -1;
	return spec;
}
