/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The session keyring (session-keyring(7)). Namespaces do not part it: a process keeps its caller's
 * through clone and exec, and possesses whatever is linked there, Kerberos tickets and disk
 * encryption keys among it. The user keyring needs no step of ours: since Linux 5.3 each user
 * namespace has its own.
 */
#include <linux/keyctl.h>
#include <sys/syscall.h>

#include "base/util.h"
#include "enter/enter.h"

int keyring_renew(struct cloche_error *err)
{
	int errnum;

	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0)
		return 0;
	errnum = errno;
	/*
	 * A kernel without keys, or a filter around us (as docker's) that refuses this call: then
	 * it refuses COMMAND the same. But let us see that it is not just this one operation.
	 */
	if ((errnum == ENOSYS || errnum == EPERM) &&
	    syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0) < 0 &&
	    errno == errnum)
		return 0;
	if (errnum == EDQUOT)
		error_set_hint(err, HINT_KEY_QUOTA);
	return error_set(err, ERROR_KEYRING, errnum, NULL);
}
