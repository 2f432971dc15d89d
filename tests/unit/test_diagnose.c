/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of lib/watch/diagnose.c: which failures get a hint at all. Which knob it names depends
 * on the host; the VM tests turn the knobs.
 */
#include "watch/diagnose.h"

#include <sched.h>

#include "unit.h"

static struct cloche_error diagnosed(enum error_code code, enum error_stage stage, int errnum,
				     uint64_t clone_flags)
{
	struct plan plan = { .clone_flags = clone_flags };
	struct cloche_error err = ERROR_INIT;

	err.stage = stage;
	(void)error_set(&err, code, errnum, NULL);
	diagnose(&plan, &err);
	CHECK_INT(err.errnum, errnum);
	CHECK_INT(err.stage, stage);
	return err;
}

int main(void)
{
	struct plan plan = { .clone_flags = CLONE_NEWUSER };
	struct cloche_error err;

	/* A limit that was reached always has a reason. */
	CHECK(diagnosed(ERROR_CLONE, STAGE_START, ENOSPC, CLONE_NEWUSER).hint != HINT_NONE);
	/* Other errors and stages have others, and without a user namespace it is none of these. */
	CHECK_INT(diagnosed(ERROR_CLONE, STAGE_START, ENOMEM, CLONE_NEWUSER).hint, HINT_NONE);
	CHECK_INT(diagnosed(ERROR_CLONE, STAGE_START, ENOSPC, CLONE_NEWNET).hint, HINT_NONE);
	CHECK_INT(diagnosed(ERROR_SOURCE, STAGE_SOURCES, ENOENT, CLONE_NEWUSER).hint, HINT_NONE);
	CHECK_INT(diagnosed(ERROR_EXEC, STAGE_EXEC, ENOSPC, CLONE_NEWUSER).hint, HINT_NONE);
	/* A call that is missing though the kernel is new enough was refused by somebody: tests run
	 * on 5.12 and later. */
	err = diagnosed(ERROR_KERNEL_TOO_OLD, STAGE_MOUNTS, ENOSYS, 0);
	CHECK_INT(err.code, ERROR_CALL_REFUSED);
	CHECK_INT(err.hint, HINT_OUTER_SECCOMP);
	/* What was known where it failed stays. */
	err = ERROR_INIT;
	err.stage = STAGE_START;
	err.hint = HINT_MOUNT_LIMIT;
	(void)error_set(&err, ERROR_CLONE, ENOSPC, NULL);
	diagnose(&plan, &err);
	CHECK_INT(err.hint, HINT_MOUNT_LIMIT);
	return 0;
}
