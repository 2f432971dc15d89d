# SPDX-License-Identifier: LGPL-2.1-or-later
"""--idmap: binds whose files have other owners. Only real root may, and not on every file system."""
import errno
import os
import subprocess

import pytest

from conftest import BUILD
from e2elib import assert_fails, in_own_mounts, opened, setup_status  # noqa: F401: opened is a fixture

FIRST = 300000
RANGES = ["--uid-map", f"0:{FIRST}:1000", "--gid-map", f"0:{FIRST}:1000"]
NO_USERNS = {"cloche": ["--share-user", "--allow-userns"], "bwrap": []}


# Can the directory argv[1] be cloned and idmapped at all? Prints the errno, 0 if so.
PROBE = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		perror(path);
	close(fd);
}

int main(int argc, char **argv)
{
	int tree = open_tree(AT_FDCWD, argv[argc - 1], OPEN_TREE_CLONE), ready[2], hold[2], userns;
	char path[64], byte;
	pid_t pid;

	if (tree < 0 || pipe(ready) < 0 || pipe(hold) < 0 || (pid = fork()) < 0)
		return 1;
	if (pid == 0) {
		close(hold[1]);
		if (unshare(CLONE_NEWUSER) < 0 || write(ready[1], "", 1) != 1)
			return 1;
		return read(hold[0], &byte, 1) != 0;
	}
	if (read(ready[0], &byte, 1) != 1)
		return 1;
	sprintf(path, "/proc/%d/uid_map", pid);
	write_file(path, "0 0 1");
	sprintf(path, "/proc/%d/gid_map", pid);
	write_file(path, "0 0 1");
	sprintf(path, "/proc/%d/ns/user", pid);
	userns = open(path, O_RDONLY);
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = userns };
	printf("%d", mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0 ? errno : 0);
	close(hold[1]);
	return waitpid(pid, NULL, 0) != pid;
}
"""


def needs_idmapped_mounts(run, compile_c, directory):
    made = run([compile_c(PROBE), directory])
    assert made.returncode == 0 and made.stdout in ("0", str(errno.EINVAL)), made
    if made.stdout != "0":
        pytest.skip("no idmapped mounts on the file system of the tests")


@pytest.fixture
def tree(tmp_path, run, compile_c):
    """A directory of root's with files of 0:0, 5:5 and 2000:2000."""
    needs_idmapped_mounts(run, compile_c, tmp_path)
    tmp_path.chmod(0o755)
    directory = tmp_path / "tree"
    directory.mkdir()
    for owner in (0, 5, 2000):
        (directory / str(owner)).write_text("")
        os.chown(directory / str(owner), owner, owner)
    return directory


@pytest.fixture
def owners(run, personality):
    """owners(options): {name: "uid:gid"} below /tree, which the options bind, and afterwards what `touch` made there."""
    def owners(options, command="true"):
        made = run([personality, "--ro-bind", "/", "/", "--proc", "/proc", "--tmpfs", "/tmp", *options, "--", "sh", "-c",
                    f"cd /tmp/tree && {command}; stat -c '%n %u:%g' *"])
        assert made.returncode == 0, made
        return dict(line.split() for line in made.stdout.splitlines())
    return owners


@pytest.mark.only_root
def test_idmap_shows_other_owners(owners, personality, tree):
    """Ranges of a container over a tree that root made: as stored, not as nobody's; what is made is stored so."""
    user = ["--unshare-user", *RANGES]
    assert owners([*user, "--bind", tree, "/tmp/tree"])["0"] == "65534:65534"
    made = owners([*user, "--idmap", "0:0:1000", "--bind", tree, "/tmp/tree"], "touch new")
    assert made == {"0": "0:0", "5": "5:5", "2000": "65534:65534", "new": "0:0"}, made
    assert os.stat(tree / "new").st_uid == os.stat(tree / "new").st_gid == 0


@pytest.mark.only_root
def test_idmap_without_user_namespace(owners, personality, tree):
    made = owners([*NO_USERNS[personality.name], "--idmap", "0:5:1,1:2000:1", "--idmap", "7:0:1", "--bind", tree, "/tmp/tree"])
    assert made == {"5": "0:0", "2000": "1:1", "0": "7:7"}, made


@pytest.mark.only_root
def test_idmap_is_for_one_bind(run, personality, tree):
    argv = [personality, "--ro-bind", "/", "/", "--tmpfs", "/tmp", *NO_USERNS[personality.name], "--idmap", "9:5:1", "--ro-bind", tree, "/tmp/a",
            "--ro-bind", tree, "/tmp/b", "stat", "-c", "%u", "/tmp/a/5", "/tmp/b/5"]
    made = run(argv)
    assert made.stdout.split() == ["9", "5"], made


@pytest.mark.only_root
def test_idmap_through_several_ranges(owners, tree):
    """The ids inside may be scattered over the sandbox's map."""
    user = ["--unshare-user", "--uid-map", f"0:{FIRST}:3,3:{FIRST + 500}:100", "--gid-map", f"0:{FIRST}:100"]
    made = owners([*user, "--idmap", "0:0:50", "--bind", tree, "/tmp/tree"], "chown 5 5")
    assert made["5"] == "5:5" and made["0"] == "0:0", made


@pytest.mark.only_root
def test_idmap_keeps_the_other_flags(run, personality, tree):
    """Read-only and nosuid hold; nothing of the mount appears on the host."""
    argv = [str(personality), "--ro-bind", "/", "/", "--proc", "/proc", "--tmpfs", "/tmp", "--unshare-user", *RANGES, "--idmap", "0:0:9", "--ro-bind",
            str(tree), "/tmp/tree", "--tmpfs", "/tmp/tree/sub", "sh", "-c", "touch /tmp/tree/new; grep ' /tmp/tree ' /proc/self/mountinfo"]
    script = 'mount --bind "$1" "$1"; mount --make-shared "$1"; grep -c shared: /proc/self/mountinfo; tree=$1; shift;'
    script += ' "$@"; grep "$tree/sub" /proc/self/mountinfo || echo nothing outside'
    (tree / "sub").mkdir()
    made = run(["unshare", "--mount", "--propagation", "private", "sh", "-euc", script, "sh", tree, *argv])
    assert "Read-only file system" in made.stderr, made
    shared, inside, outside = made.stdout.splitlines()
    assert outside == "nothing outside", made
    assert shared == "1" and set("ro,nosuid,nodev,idmapped".split(",")) <= set(inside.split()[5].split(",")), made
    assert "shared:" not in inside and ("master:" in inside) == (personality.name == "bwrap"), made


@pytest.mark.only_root
def test_idmap_of_a_descriptor(run, personality, tree, opened):
    fd = opened(tree, os.O_RDONLY | os.O_DIRECTORY)
    argv = [personality, "--ro-bind", "/", "/", "--tmpfs", "/tmp", *NO_USERNS[personality.name], "--idmap", "9:5:1", "--ro-bind-fd", str(fd),
            "/tmp/a", "stat", "-c", "%u", "/tmp/a/5"]
    assert run(argv, pass_fds=[fd]).stdout == "9\n"


@pytest.mark.only_root
def test_idmap_of_a_missing_source(run, personality, tmp_path):
    argv = [personality, "--ro-bind", "/", "/", *NO_USERNS[personality.name], "--idmap", "9:5:1", "--bind-try", tmp_path / "none", "/mnt", "true"]
    assert run(argv).returncode == 0


@pytest.mark.only_root
@pytest.mark.parametrize("fstype", ["tmpfs", "overlay"])
def test_idmap_on(run, personality, tmp_path, kernel, fstype):
    """Other types of file system; tmpfs since Linux 6.3."""
    for name in ("lower", "upper", "work", "on"):
        (tmp_path / name).mkdir()
    (tmp_path / "lower" / "f").write_text("")
    mount = ('mount -t tmpfs x "$1/on"; touch "$1/on/f"' if fstype == "tmpfs" else
             'mount -t overlay -o "lowerdir=$1/lower,upperdir=$1/upper,workdir=$1/work" x "$1/on"')
    script = mount + '; shift; exec "$@"'
    argv = [str(personality), "--ro-bind", "/", "/", "--tmpfs", "/run", *NO_USERNS[personality.name], "--idmap", "9:0:1", "--bind", str(tmp_path / "on"),
            "/run", "stat", "-c", "%u", "/run/f"]
    made = run(["unshare", "--mount", "--propagation", "private", "sh", "-euc", script, "sh", tmp_path, *argv])
    if fstype == "tmpfs" and kernel >= (6, 3):
        assert made.stdout == "9\n", made
    else:  # an overlay itself never: its layers may be idmapped
        assert_fails(made, personality)
        assert personality.name == "bwrap" or "does not support idmapped mounts" in made.stderr, made


@pytest.mark.only_root
def test_idmap_refused_by_the_file_system(run, personality):
    made = run([personality, "--ro-bind", "/", "/", *NO_USERNS[personality.name], "--idmap", "9:0:1", "--bind", "/proc", "/mnt", "true"])
    assert_fails(made, personality, "/proc", "Invalid argument")
    if personality.name == "cloche":
        assert made.stderr.startswith("cloche: --idmap 9:0:1: ") and "type of file system" in made.stderr, made


@pytest.mark.only_root
def test_idmap_to_ids_that_are_not_mapped(run, personality):
    for options, kind in (([*RANGES, "--idmap", "0:0:1001"], "user"), (["--idmap", "1:0:1"], "user"),
                          (["--uid-map", f"0:{FIRST}:9", "--idmap", "1:0:1"], "group")):
        made = run([personality, "--ro-bind", "/", "/", "--unshare-user", *options, "--bind", "/mnt", "/mnt", "true"])
        assert_fails(made, personality, kind)


def test_idmap_conflicts(run, personality, opened, user):
    """Nothing to bind behind it; overlaps; a user namespace whose maps are not ours."""
    made = run([personality, "--ro-bind", "/", "/", "--idmap", "0:0:1", "--tmpfs", "/tmp", "true"])
    assert_fails(made, personality, "must be followed by an option that binds")
    made = run([personality, "--ro-bind", "/", "/", "--idmap", "0:0:1"])
    assert made.returncode == setup_status(personality), made
    if user.is_root:
        made = run([personality, "--ro-bind", "/", "/", *NO_USERNS[personality.name], "--idmap", "0:0:5,7:4:1", "--bind", "/mnt", "/mnt", "true"])
        assert_fails(made, personality)
        fd = opened("/proc/self/ns/user")
        made = run([personality, "--ro-bind", "/", "/", "--userns", str(fd), "--idmap", "0:0:5", "--bind", "/mnt", "/mnt", "true"], pass_fds=[fd])
        assert_fails(made, personality, "userns")


@pytest.mark.only_user
def test_idmap_needs_root(run, personality, tmp_path):
    """The message says why."""
    made = run([personality, "--ro-bind", "/", "/", "--idmap", "0:0:1", "--bind", tmp_path, "/mnt", "true"])
    assert_fails(made, personality, "root")
    if personality.name == "cloche":
        assert made.stderr.startswith("cloche: --idmap 0:0:1: needs CAP_SYS_ADMIN over the file system"), made


@pytest.mark.only_user
def test_idmap_of_a_file_system_of_the_users(run, personality, user, tmp_path, kernel):
    """In a user namespace of his own he owns what he mounts there, and may; the host's file systems still not."""
    script = 'mount -t tmpfs x "$1"; touch "$1/f"; shift; exec "$@"'
    argv = [str(BUILD / personality.name), "--ro-bind", "/", "/", "--tmpfs", "/run", *NO_USERNS[personality.name], "--idmap", "0:0:1", "--bind"]
    made = run(in_own_mounts(user, script, tmp_path, *argv, str(tmp_path), "/run", "stat", "-c", "%u", "/run/f"))
    if kernel >= (6, 3):
        assert made.stdout == "0\n", made
    else:
        assert_fails(made, personality)
    made = run(in_own_mounts(user, script, tmp_path, *argv, "/usr", "/run", "true"))
    kind = run(["stat", "-f", "-c", "%T", "/usr"]).stdout.strip()  # a VM's is none that could be idmapped
    assert_fails(made, personality, "Operation not permitted" if kind in ("ext2/ext3", "xfs", "btrfs") else "/usr")


@pytest.mark.only_root
def test_idmap_explained(run, personality):
    argv = [personality, "--ro-bind", "/", "/", *NO_USERNS[personality.name], "--idmap", "9:5:2", "--bind", "/mnt", "/mnt"]
    text = subprocess.run([str(a) for a in [*argv, "--explain", "true"]], capture_output=True, text=True).stdout
    assert "ids 5 to 6 of the file system are 9 to 10 there" in text, text
    assert '"idmap": [{"inside": 9, "outside": 5, "count": 2}]' in run([*argv, "--explain=json", "true"]).stdout
