/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * --secret-fd: files that only COMMAND's user can read, in a ramfs, which is never swapped out.
 * They pass through no other memory than one buffer here, which is cleared.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/sys.h"
#include "enter/enter.h"

#define MAX_SECRET_BYTES (1u << 20) /* a ramfs has no limit of its own */

/* Copies all of @from to @to; 0 or -errno. */
static int copy_secret(int from, int to)
{
	char buf[4096];
	size_t size = 0;
	ssize_t got;
	int r = 0;

	while (r == 0 && (got = read(from, buf, sizeof(buf))) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			r = errno == EINVAL ? -EBADF : -errno; /* a placeholder, fd_release() */
		else if ((size += (size_t)got) > MAX_SECRET_BYTES)
			r = -EFBIG;
		else
			r = fd_write_all(to, buf, (size_t)got);
	}
	explicit_bzero(buf, sizeof(buf));
	return r;
}

static int make_secret(int dir_fd, const struct secret *secret, struct cloche_error *err)
{
	_close_ int file = openat(dir_fd, secret->name,
				  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
	int r = file < 0 ? -errno : copy_secret(secret->from.fd, file);

	err->use = secret->from.use;
	if (r < 0)
		return error_set(err, ERROR_SECRET, -r, secret->name);
	fd_release(secret->from.fd);
	return 0;
}

int secrets_mount(struct enter *enter, const struct fs_op *op, struct cloche_error *err)
{
	const struct spec_io *io = &enter->plan->spec->io;
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	_close_ int tree =
		mount_new_fs("ramfs", (const struct fs_option[]){ { "mode", "0755" }, { 0 } },
			     MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);

	if (tree < 0)
		return error_set_detail(err, ERROR_NEW_FS, -tree, op->dest, "ramfs");
	for (size_t i = 0; i < io->secret_count; i++) {
		int r = make_secret(tree, &io->secrets[i], err);

		if (r < 0)
			return r;
	}
	err->use = op->use;
	if (mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return error_set(err, ERROR_MOUNT_FLAGS, errno, op->dest);
	return mount_attach(enter, op, tree, err);
}
