# SPDX-License-Identifier: LGPL-2.1-or-later
"""Entries and new file systems: --dir --file --bind-data --symlink --chmod --tmpfs --mqueue --proc --dev and others."""
import os

import pytest

from e2elib import (DEVPTS, HOST, MQUEUE, PROC, TMPFS, assert_fails, look, looks, memfd, mount_at, mounts, opened,
                    pipe,  # noqa: F401
                    see)

DATA = "two\nlines\n"


@pytest.fixture
def on_tmpfs(personality):
    """A sandbox whose root is writable, without the host."""
    return [personality, "--tmpfs", "/"]


# ---- --dir -------------------------------------------------------------------------------------------------------
def test_dir_with_its_parents(on_tmpfs, see):
    seen = see([*on_tmpfs, "--dir", "/a/b/c"], "/a", "/a/b", "/a/b/c")
    assert [(entry.type, entry.mode) for entry in seen.values()] == [("dir", "0755")] * 3


def test_dir_existing_is_left(on_tmpfs, see):
    assert see([*on_tmpfs, "--perms", "0700", "--dir", "/a", "--perms", "0750", "--dir", "/a"],
               "/a")["/a"].mode == "0700"


@pytest.mark.parametrize("perms, mode", [("0", "0000"), ("7", "0007"), ("700", "0700"), ("0755", "0755"),
                                         ("1777", "1777")])
def test_perms_of_dir(on_tmpfs, see, perms, mode):
    assert see([*on_tmpfs, "--perms", perms, "--dir", "/a"], "/a")["/a"].mode == mode


def test_dir_ignores_the_umask(on_tmpfs, run, look):
    argv = [*on_tmpfs, "--dir", "/a", "--file", "0", "/f", "--ro-bind", look, "/look", "/look", "/a", "/f"]
    result = run(["sh", "-c", 'umask 077; exec "$@"', "sh", *argv])
    assert [(entry.mode) for entry in looks(result.stdout).values()] == ["0755", "0666"], result


def test_dir_on_a_file(on_tmpfs, run, memfd):
    fd = memfd(DATA)
    result = run([*on_tmpfs, "--file", str(fd), "/f", "--dir", "/f", "true"], pass_fds=[fd])
    assert result.returncode in (1, 125) and "/f" in result.stderr and "not a directory" in result.stderr, result


# ---- --file, --bind-data, --ro-bind-data -------------------------------------------------------------------------
DATA_OPTIONS = ["file", "bind-data", "ro-bind-data"]


@pytest.mark.parametrize("option", DATA_OPTIONS)
def test_data_content(on_tmpfs, see, memfd, option):
    fd = memfd(DATA)
    seen = see([*on_tmpfs, f"--{option}", str(fd), "/a/file"], "/a/file", pass_fds=[fd])["/a/file"]
    assert (seen.type, seen.content, seen.mode) == ("file", DATA, "0666" if option == "file" else "0600")
    assert (seen.mount, seen.ro) == (option != "file", option == "ro-bind-data")


@pytest.mark.parametrize("option", DATA_OPTIONS)
@pytest.mark.parametrize("perms, mode", [("0", "0000"), ("0444", "0444"), ("640", "0640"), ("1755", "1755")])
def test_perms_of_data(on_tmpfs, see, memfd, option, perms, mode):
    fd = memfd(DATA)
    argv = [*on_tmpfs, "--perms", perms, f"--{option}", str(fd), "/file"]
    assert see(argv, "/file", pass_fds=[fd])["/file"].mode == mode


@pytest.mark.parametrize("option, parents", [
    (["--file"], "0755"), (["--bind-data"], "BIND"), (["--perms", "0640", "--ro-bind-data"], "0750"),
    (["--perms", "0604", "--bind-data"], "0705"), (["--perms", "0600", "--file"], "0700"),
    (["--perms", "0", "--file"], "0700")])
def test_perms_of_parents(on_tmpfs, personality, see, memfd, option, parents):
    """Parents made on the way lack the group and other bits that the entry lacks."""
    fd = memfd(DATA)
    parents = "0700" if parents == "BIND" else parents
    assert see([*on_tmpfs, *option, str(fd), "/a/b/f"], "/a", "/a/b", pass_fds=[fd])["/a"].mode == parents


@pytest.mark.parametrize("option", DATA_OPTIONS)
def test_data_can_be_written(on_tmpfs, run, memfd, option):
    fd = memfd(DATA)
    argv = [*on_tmpfs, "--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64",
            f"--{option}", str(fd), "/file", "/usr/bin/sh", "-c", "echo more >>/file && /usr/bin/cat /file"]
    result = run(argv, pass_fds=[fd])
    if option == "ro-bind-data":
        assert result.returncode == 2 and "Read-only file system" in result.stderr, result
    else:
        assert result.stdout == DATA + "more\n", result


@pytest.mark.parametrize("option", DATA_OPTIONS)
def test_data_from_a_pipe(on_tmpfs, see, popen, run, look, option):
    """More than fits into a pipe, written while it is read."""
    script = 'yes abcdefghi | head -c 1000000 | "$@"'
    argv = [*on_tmpfs, f"--{option}", "0", "/file", "--ro-bind", look, "/look", "/look", "/file"]
    seen = looks(run(["bash", "-c", script, "bash", *argv]).stdout)["/file"]
    assert seen.size == 1000000 and seen.content.startswith("abcdefghi\nabc")


@pytest.mark.parametrize("option", DATA_OPTIONS)
def test_data_empty(on_tmpfs, see, memfd, option):
    fd = memfd()
    assert see([*on_tmpfs, f"--{option}", str(fd), "/file"], "/file", pass_fds=[fd])["/file"].size == 0


@pytest.mark.parametrize("option", DATA_OPTIONS)
def test_data_descriptor_used_twice(on_tmpfs, run, personality, memfd, option):
    """Not a silently empty file."""
    fd = memfd(DATA)
    result = run([*on_tmpfs, f"--{option}", str(fd), "/a", f"--{option}", str(fd), "/b", "true"], pass_fds=[fd])
    assert_fails(result, personality, "/b", "Bad file descriptor")


@pytest.mark.parametrize("option", DATA_OPTIONS)
def test_data_descriptor_not_open(on_tmpfs, run, personality, option):
    assert_fails(run([*on_tmpfs, f"--{option}", "99", "/a", "true"]), personality, "Bad file descriptor")


@pytest.mark.parametrize("option", DATA_OPTIONS)
def test_data_descriptor_is_a_directory(on_tmpfs, run, personality, opened, option):
    result = run([*on_tmpfs, f"--{option}", "0", "/a", "true"], stdin=opened("/"))
    assert_fails(result, personality, "/a", "Is a directory")


def test_file_replaces_what_is_there(on_tmpfs, see, memfd):
    fds = [memfd("a long first version"), memfd("second")]
    argv = [*on_tmpfs, "--file", str(fds[0]), "/f", "--file", str(fds[1]), "/f"]
    assert see(argv, "/f", pass_fds=fds)["/f"].content == "second"


def test_data_last_one_covers(on_tmpfs, see, memfd):
    fds = [memfd("first"), memfd("second")]
    for option in ("--bind-data", "--ro-bind-data"):
        argv = [*on_tmpfs, option, str(fds[0]), "/f", option, str(fds[1]), "/f"]
        assert see(argv, "/f", pass_fds=fds)["/f"].content == "second"
        for fd in fds:
            os.lseek(fd, 0, os.SEEK_SET)


def test_file_on_a_directory(on_tmpfs, run, personality, memfd):
    fd = memfd(DATA)
    for option in ("--file", "--bind-data"):
        result = run([*on_tmpfs, "--dir", "/d", option, str(fd), "/d", "true"], pass_fds=[fd])
        assert_fails(result, personality, "/d")
        assert "a directory" in result.stderr or "not a file" in result.stderr, result


def test_file_on_a_fifo_does_not_wait(personality, run, tmp_path, memfd):
    os.mkfifo(tmp_path / "fifo")
    fd = memfd(DATA)
    result = run([personality, "--bind", "/", "/", "--file", str(fd), tmp_path / "fifo", "true"], pass_fds=[fd])
    assert_fails(result, personality, "fifo")


def test_bind_data_leaves_no_trace_on_the_host(bwrap, run, tmp_path, memfd):
    fd = memfd("secret")
    run([bwrap, "--bind", "/", "/", "--bind-data", str(fd), tmp_path / "f", "true"], pass_fds=[fd], check=True)
    assert (tmp_path / "f").read_bytes() == b""


# ---- --symlink, --chmod ------------------------------------------------------------------------------------------
def test_symlink(on_tmpfs, see):
    seen = see([*on_tmpfs, "--symlink", "../anything at all", "/a/link"], "/a/link")["/a/link"]
    assert (seen.type, seen.link) == ("link", "../anything at all")


def test_symlink_same_again(on_tmpfs, see):
    assert see([*on_tmpfs, "--symlink", "a", "/l", "--symlink", "a", "/l"], "/l")["/l"].link == "a"


def test_symlink_other_again(on_tmpfs, run, personality):
    result = run([*on_tmpfs, "--symlink", "first", "/l", "--symlink", "second", "/l", "true"])
    assert_fails(result, personality, "/l", "first")


@pytest.mark.parametrize("mode", ["0", "700", "0711", "4755", "1777"])
def test_chmod(on_tmpfs, see, mode):
    assert see([*on_tmpfs, "--dir", "/a", "--chmod", mode, "/a"], "/a")["/a"].mode == mode.zfill(4)


def test_chmod_of_the_root(on_tmpfs, see):
    assert see([*on_tmpfs, "--chmod", "0700", "/"], "/")["/"].mode == "0700"


def test_chmod_missing(on_tmpfs, run, personality):
    assert_fails(run([*on_tmpfs, "--chmod", "0700", "/nosuch", "true"]), personality, "/nosuch",
                 "No such file or directory")


def test_chmod_read_only(personality, run):
    result = run([personality, "--ro-bind", "/", "/", "--chmod", "0600", "/etc/passwd", "true"])
    assert_fails(result, personality, "/etc/passwd")


# ---- --perms, --size as one-shot modifiers -----------------------------------------------------------------------
@pytest.mark.parametrize("option, word", [("--perms", "creates a file"), ("--size", "--tmpfs")])
@pytest.mark.parametrize("next_word", [["--proc", "/proc"], ["--ro-bind", "/usr", "/usr"], ["--setenv", "A", "1"],
                                       ["--unshare-pid"]])
def test_perms_size_must_be_followed(personality, run, option, word, next_word):
    result = run([personality, option, "0700", *next_word, "true"])
    assert_fails(result, personality, option, "must be followed by", word)


@pytest.mark.parametrize("option", ["--perms", "--size"])
def test_perms_size_before_command(personality, run, option):
    """bubblewrap drops them silently."""
    for end in (["true"], ["--", "true"]):
        result = run([personality, "--ro-bind", "/", "/", option, "0700", *end])
        assert_fails(result, personality, option, "must be followed by")


@pytest.mark.parametrize("option", ["--perms", "--size"])
def test_perms_size_twice(personality, run, option):
    result = run([personality, option, "0700", option, "0700", "--tmpfs", "/x", "true"])
    assert_fails(result, personality, option, "given twice")


def test_perms_count_once(on_tmpfs, see):
    seen = see([*on_tmpfs, "--perms", "0700", "--dir", "/a", "--dir", "/b"], "/a", "/b")
    assert (seen["/a"].mode, seen["/b"].mode) == ("0700", "0755")


@pytest.mark.parametrize("words", [["--perms", "0700", "--size", "64K"], ["--size", "64K", "--perms", "0700"]])
def test_perms_and_size_together(on_tmpfs, see, words):
    seen = see([*on_tmpfs, *words, "--tmpfs", "/a", "--tmpfs", "/b"], "/a", "/b")
    assert (seen["/a"].mode, seen["/a"].bytes) == ("0700", 65536)
    assert seen["/b"].mode == "0755" and seen["/b"].bytes > 65536


@pytest.mark.parametrize("text, size", [("1", 4096), ("65536", 65536), ("0x10000", 65536), ("0200000", 65536),
                                        ("64K", 65536),
                                        ("2M", 2 << 20), ("1G", 1 << 30)])
def test_size_forms(on_tmpfs, see, text, size):
    assert see([*on_tmpfs, "--size", text, "--tmpfs", "/a"], "/a")["/a"].bytes == size


@pytest.mark.parametrize("option", ["--size", "--root-size", "--overlay-size"])
@pytest.mark.parametrize("text", ["", "0", "-1", "+4096", " 4096", "4096 ", "1e3", "1T", "1KK", "K", "0x", "08",
                                  "9223372036854775808",
                                  "18446744073709551616", "9007199254740992K"])
def test_size_strict(personality, run, option, text):
    rest = ["--tmpfs", "/x"] if option == "--size" else []
    assert_fails(run([personality, option, text, *rest, "true"]), personality, option)


@pytest.mark.parametrize("text", ["", "-1", "8", "10000", "0x10", "1e3", "0o7", " 7", "+5", "7 ",
                                  "99999999999999999999999"])
def test_perms_strict(personality, run, text):
    for words in (["--perms", text, "--dir", "/x"], ["--chmod", text, "/x"]):
        result = run([personality, *words, "true"])
        assert_fails(result, personality, words[0], "octal")


# ---- --tmpfs, --mqueue, --remount-ro -----------------------------------------------------------------------------
def test_tmpfs(personality, see, tmp_path):
    (tmp_path / "hidden").touch()
    seen = see([personality, "--tmpfs", "/", "--bind", tmp_path, "/mnt/x", "--tmpfs", "/mnt/x"], "/mnt/x")["/mnt/x"]
    assert (seen.names, seen.fs, seen.mode, seen.mount) == ([], TMPFS, "0755", True)
    assert (seen.nosuid, seen.nodev, seen.ro) == (True, True, False)


@pytest.mark.parametrize("perms", ["0", "0700", "1777"])
def test_perms_of_tmpfs(on_tmpfs, see, perms):
    assert see([*on_tmpfs, "--perms", perms, "--tmpfs", "/a"], "/a")["/a"].mode == perms.zfill(4)


def test_tmpfs_belongs_to_the_user(on_tmpfs, see, user):
    seen = see([*on_tmpfs, "--tmpfs", "/a"], "/", "/a")
    assert {(entry.uid, entry.gid) for entry in seen.values()} == {(user.uid, user.gid)}


def test_mqueue(personality, see):
    seen = see([personality, "--tmpfs", "/", "--unshare-ipc", "--mqueue", "/dev/mqueue"], "/dev/mqueue")["/dev/mqueue"]
    assert (seen.fs, seen.mount, seen.names) == (MQUEUE, True, [])


def test_mqueue_shows_the_sandboxs_queues(bwrap, run):
    script = ("import ctypes, os; rt = ctypes.CDLL('librt.so.1')\n"
              "fd = rt.mq_open(b'/own', os.O_CREAT | os.O_RDWR, 0o600, None)\n"
              "print(fd >= 0, os.listdir('/dev/mqueue'))")
    options = ["--ro-bind", "/", "/", "--unshare-ipc", "--dev", "/dev", "--mqueue", "/dev/mqueue"]
    assert run([bwrap, *options, "python3", "-c", script]).stdout == "True ['own']\n"


def test_remount_ro(personality, see, tmp_path):
    options = ["--tmpfs", "/", "--tmpfs", "/a", "--dir", "/a/d", "--tmpfs", "/a/b"]
    seen = see([personality, *options], "/a", "/a/b")
    assert (seen["/a"].ro, seen["/a/b"].ro) == (False, False)
    seen = see([personality, *options, "--remount-ro", "/a"], "/a", "/a/d", "/a/b")
    assert (seen["/a"].ro, seen["/a/d"].ro, seen["/a/b"].ro) == (True, True, False), "only the mount itself"


def test_remount_ro_of_the_root(personality, run):
    result = run([personality, "--bind", "/", "/", "--remount-ro", "/", "touch", "/tmp-x"])
    assert result.returncode == 1 and "Read-only file system" in result.stderr, result


def test_remount_ro_of_no_mount(personality, run):
    result = run([personality, "--tmpfs", "/", "--dir", "/a", "--remount-ro", "/a", "true"])
    assert_fails(result, personality, "/a", "Invalid argument")


def test_remount_ro_missing(personality, run):
    assert_fails(run([personality, "--tmpfs", "/", "--remount-ro", "/a", "true"]), personality, "/a", "No such file")


# ---- --proc ------------------------------------------------------------------------------------------------------
@pytest.mark.vm
def test_proc_of_the_own_pid_namespace(personality, mounts, run):
    argv = [personality, "--ro-bind", "/", "/", "--unshare-pid", "--proc", "/proc"]
    mount = mount_at([mount for mount in mounts(argv) if mount.fstype == "proc"], "/proc")
    assert {"nosuid", "nodev", "noexec", "rw"} <= mount.options
    numbers = [name for name in run([*argv, "ls", "/proc"]).stdout.split() if name.isdigit()]
    assert sorted(numbers) == ["1", "2"]


def test_proc_without_a_pid_namespace_is_the_hosts(bwrap, run):
    result = run([bwrap, "--ro-bind", "/", "/", "--proc", "/proc", "test", "-d", f"/proc/{os.getpid()}"])
    assert result.returncode == 0, result


def test_proc_elsewhere(personality, see):
    seen = see([personality, "--tmpfs", "/", "--unshare-pid", "--proc", "/a/b"], "/a/b", "/a/b/1/comm")
    assert seen["/a/b"].fs == PROC and seen["/a/b/1/comm"].content


def test_proc_sys_is_read_only(cloche, run):
    paths = ["/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/proc/sys/user/max_user_namespaces"]
    for path in filter(os.path.exists, paths):
        result = run([cloche, "sh", "-c", f"echo 1 >{path}"])
        assert result.returncode == 2, result
        assert "Read-only file system" in result.stderr or "Permission denied" in result.stderr, result


def test_proc_sys_is_read_only_with_capabilities(cloche, run):
    result = run([cloche, "--cap-add", "ALL", "sh", "-c", "echo 1 >/proc/sys/user/max_user_namespaces"])
    assert result.returncode == 2 and "Read-only file system" in result.stderr, result


@pytest.mark.only_root
def test_proc_covers_what_root_could_write(bwrap, mounts):
    found = {mount.point for mount in mounts([bwrap, "--dev-bind", "/", "/", "--proc", "/proc"])
             if "ro" in mount.options}
    assert {"/proc/irq", "/proc/bus"} <= found


# ---- --dev -------------------------------------------------------------------------------------------------------
NODES = {"null": "1:3", "zero": "1:5", "full": "1:7", "random": "1:8", "urandom": "1:9", "tty": "5:0"}
LINKS = {"stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2", "fd": "/proc/self/fd",
         "core": "/proc/kcore", "ptmx": "pts/ptmx"}


@pytest.mark.vm
def test_dev_content(on_tmpfs, see):
    paths = [f"/dev/{name}" for name in (*NODES, *LINKS, "shm", "pts")]
    seen = see([*on_tmpfs, "--dev", "/dev"], "/dev", *paths)
    assert seen["/dev"].names == sorted([*NODES, *LINKS, "shm", "pts"]), "and nothing else"
    assert {name: seen[f"/dev/{name}"].device for name in NODES} == NODES
    assert {name: seen[f"/dev/{name}"].link for name in LINKS} == LINKS
    assert (seen["/dev/pts"].fs, seen["/dev/pts"].mount, seen["/dev/shm"].type) == (DEVPTS, True, "dir")
    assert (seen["/dev"].mode, seen["/dev"].fs) == ("0755", TMPFS)


def test_dev_works(personality, run):
    script = "head -c 2 /dev/zero; echo x >/dev/null; head -c 1 /dev/urandom | wc -c; echo x >/dev/full"
    for root in (["--ro-bind", "/", "/"], ["--tmpfs", "/", "--ro-bind", "/", "/"]):
        result = run([personality, *root, "--dev", "/dev", "bash", "-c", script])
        assert result.stdout == "\0\0" + "1\n" and "No space left on device" in result.stderr, result


def test_dev_has_own_terminals(personality, run):
    script = "import os; master, slave = os.openpty(); print(os.ttyname(slave), os.listdir('/dev/pts'))"
    result = run([personality, *HOST, "python3", "-c", script])
    assert result.stdout in ("/dev/pts/0 ['0', 'ptmx']\n", "/dev/pts/0 ['ptmx', '0']\n"), result


def test_dev_elsewhere(on_tmpfs, see):
    seen = see([*on_tmpfs, "--dev", "/mnt/d"], "/mnt/d", "/mnt/d/null", "/mnt/d/stdin")
    assert seen["/mnt/d/null"].device == "1:3" and seen["/mnt/d/stdin"].link == "/proc/self/fd/0"


def test_dev_console_is_the_terminal_of_stdout(personality, run):
    """Bound only where stdout is a terminal."""
    script = ("import os, pty, subprocess, sys\n"
              "master, slave = pty.openpty()\n"
              "child = subprocess.Popen(sys.argv[1:], stdout=slave); os.close(slave); data = b''\n"
              "try:\n"
              "    while chunk := os.read(master, 1000): data += chunk\n"
              "except OSError: pass\n"
              "print(child.wait(), data.decode().split())")
    argv = [personality, *HOST, "sh", "-c", "test -c /dev/console && echo there; readlink /proc/self/fd/1"]
    result = run(["/usr/bin/python3", "-c", script, *argv])
    assert result.returncode == 0 and "there" in result.stdout, result
    assert "there" not in run(argv).stdout


def test_dev_shm_is_bounded(cloche, bwrap, see):
    for argv, mount in (([cloche], True), ([bwrap], False)):
        seen = see([*argv, "--tmpfs", "/", "--dev", "/dev"], "/dev/shm", "/dev")
        assert seen["/dev/shm"].mount == mount
