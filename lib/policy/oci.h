/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Seccomp profiles as JSON, in the two forms there are: docker's and podman's, with conditions, and
 * that of the OCI runtime specification, where they have been decided.
 */
#pragma once

#include "policy/policy.h"

/* What a profile's conditions are about. */
struct oci_host {
	uint32_t arch;	       /* AUDIT_ARCH_*: the native architecture */
	uint64_t caps;	       /* the capabilities that COMMAND keeps, bit N is capability N */
	unsigned major, minor; /* version of the kernel */
};

/**
 * oci_read - append to @policy what a profile says
 * @policy: POLICY_EMPTY; to be released in any case
 * @text: not trusted
 * @ret_has_twin: does the profile hold for the 32-bit twin of the native architecture as well?
 *
 * Returns: 0, -EINVAL with @err filled (err->token: the place in the document, as
 * "syscalls[3].args[0].op"; where it is no JSON, err->line), or -ENOMEM.
 */
must_check int oci_read(struct policy *policy, const char *text, const struct oci_host *host,
			bool *ret_has_twin, struct policy_error *err);
