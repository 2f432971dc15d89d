# SPDX-License-Identifier: LGPL-2.1-or-later
"""Binds: every form, what they do to submounts, propagation, and destinations on the host."""
import os
import subprocess

import pytest

from conftest import IS_ROOT, acting_as_root
from e2elib import (HERE, HOST, assert_fails, in_own_mounts, memfd, mount_at, mounts, opened,  # noqa: F401
                    read_mountinfo)

ALL_BINDS = ["bind", "bind-try", "dev-bind", "dev-bind-try", "ro-bind", "ro-bind-try"]
WRITE = "echo new >/mnt/new && cat /mnt/new"


@pytest.fixture
def source(tmp_path):
    directory = tmp_path / "source"
    directory.mkdir()
    (directory / "file").write_text("content\n")
    return directory


def base(personality):
    """A sandbox with a writable root and the host's programs."""
    return [personality, "--tmpfs", "/", *[word for name in ("usr", "lib", "lib64", "bin") if os.path.exists(f"/{name}")
                                           for word in ("--ro-bind", f"/{name}", f"/{name}")],
            "--dev", "/dev", "--proc", "/proc"]


# ---- each form ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("option", ALL_BINDS)
def test_bind_shows_the_source(personality, run, source, option):
    result = run([*base(personality), f"--{option}", source, "/mnt", "cat", "/mnt/file"])
    assert (result.returncode, result.stdout) == (0, "content\n"), result


@pytest.mark.parametrize("option", ALL_BINDS)
def test_bind_write(personality, run, source, option):
    result = run([*base(personality), f"--{option}", source, "/mnt", "sh", "-c", WRITE])
    if option.startswith("ro-"):
        assert result.returncode == 2 and "Read-only file system" in result.stderr, result
        assert not (source / "new").exists()
    else:
        assert result.returncode == 0 and (source / "new").read_text() == "new\n", result


@pytest.mark.parametrize("option", ALL_BINDS)
def test_bind_flags(personality, mounts, source, option):
    options = mount_at(mounts([*base(personality), f"--{option}", source, "/mnt"]), "/mnt").options
    assert "nosuid" in options
    assert ("nodev" in options) == (not option.startswith("dev-"))
    assert ("ro" in options) == option.startswith("ro-")


@pytest.mark.parametrize("option", ALL_BINDS)
def test_bind_missing_source(personality, run, tmp_path, option):
    missing = tmp_path / "missing"
    result = run([*base(personality), f"--{option}", missing, "/mnt", "sh", "-c", "test -e /mnt || echo nothing there"])
    if option.endswith("-try"):
        assert (result.returncode, result.stdout) == (0, "nothing there\n"), result
    else:
        assert_fails(result, personality, str(missing), "No such file or directory")


@pytest.mark.parametrize("option", ["bind-try", "dev-bind-try", "ro-bind-try"])
def test_bind_try_forgives_absence_only(personality, run, source, option):
    result = run([*base(personality), f"--{option}", source / "file" / "below", "/mnt", "true"])
    assert_fails(result, personality, str(source / "file"), "Not a directory")


def test_bind_try_of_a_dangling_link(personality, run, tmp_path):
    (tmp_path / "link").symlink_to("nowhere")
    assert run([*base(personality), "--bind-try", tmp_path / "link", "/mnt", "true"]).returncode == 0


@pytest.mark.parametrize("option", ["dev-bind", "dev-bind-try"])
def test_dev_bind_opens_devices(personality, run, option):
    argv = [*base(personality), f"--{option}", "/dev", "/mnt", "head", "-c", "3", "/mnt/zero"]
    assert (run(argv).returncode, run(argv).stdout) == (0, "\0\0\0")


@pytest.mark.parametrize("option", ["bind", "bind-try", "ro-bind", "ro-bind-try"])
def test_bind_opens_no_devices(personality, run, option):
    result = run([*base(personality), f"--{option}", "/dev", "/mnt", "head", "-c", "3", "/mnt/zero"])
    assert result.returncode == 1 and "Permission denied" in result.stderr, result


@pytest.mark.parametrize("option", ["dev-bind", "dev-bind-try"])
def test_dev_bind_in_place(personality, run, option):
    argv = [personality, f"--{option}", "/", "/", "head", "-c", "3", "/dev/zero"]
    assert run(argv).stdout == "\0\0\0"
    result = run([personality, "--bind", "/", "/", "head", "-c", "3", "/dev/zero"])
    assert "Permission denied" in result.stderr


def test_dev_works_after_every_kind_of_root(personality, run):
    for root in ("--ro-bind", "--bind", "--dev-bind"):
        result = run([personality, root, "/", "/", "--dev", "/dev", "sh", "-c",
                      "head -c 3 /dev/zero; echo x >/dev/null"])
        assert (result.returncode, result.stdout) == (0, "\0\0\0"), result


def test_bind_of_a_file(personality, run, source):
    result = run([*base(personality), "--bind", source / "file", "/mnt/deep/file", "sh", "-c",
                  "cat /mnt/deep/file; echo more >>/mnt/deep/file"])
    assert (result.returncode, result.stdout) == (0, "content\n"), result
    assert (source / "file").read_text() == "content\nmore\n"


def test_bind_kind_must_match(personality, run, source):
    result = run([*base(personality), "--dir", "/mnt/d", "--bind", source / "file", "/mnt/d", "true"])
    assert_fails(result, personality, "/mnt/d")
    result = run([*base(personality), "--bind", source / "file", "/mnt", "--bind", source, "/mnt", "true"])
    assert_fails(result, personality, "/mnt", "not a directory")


def test_bind_relative_destination(personality, run, source):
    """Relative destinations are taken from the root."""
    result = run([*base(personality), "--dir", "/tmp", "--bind", source, "mnt/x", "--chdir", "/tmp", "cat",
                  "/mnt/x/file"])
    assert result.stdout == "content\n", result


def test_bind_relative_source(personality, run, source):
    """Relative sources are taken from the caller's working directory."""
    argv = [*base(personality), "--bind", "source", "/mnt", "cat", "/mnt/file"]
    assert run(argv, cwd=source.parent).stdout == "content\n"
    argv[argv.index("source")] = "../source/."
    assert run(argv, cwd=source).stdout == "content\n"


def test_bind_source_may_be_covered(personality, run, source):
    """Sources are the host's, whatever is mounted inside before."""
    result = run([*base(personality), "--tmpfs", "/tmp", "--bind", source, "/mnt", "cat", "/mnt/file"])
    assert result.stdout == "content\n", result


def test_bind_source_symlink_is_followed(personality, run, source, tmp_path):
    (tmp_path / "link").symlink_to(source)
    assert run([*base(personality), "--bind", tmp_path / "link", "/mnt", "cat", "/mnt/file"]).stdout == "content\n"


def test_bind_last_one_covers(personality, run, source):
    (source / "other").write_text("other\n")
    result = run([*base(personality), "--bind", source / "file", "/mnt", "--bind", source / "other", "/mnt", "cat",
                  "/mnt"])
    assert result.stdout == "other\n", result


def test_bind_in_order(personality, run, source):
    """What is bound on the parent later hides what was bound below it."""
    result = run([*base(personality), "--bind", source / "file", "/mnt/x/file2", "--bind", source, "/mnt/x", "ls",
                  "/mnt/x"])
    assert result.stdout == "file\n", result


def test_bind_root_later(personality, run):
    """A new root replaces all that was there."""
    result = run([personality, "--tmpfs", "/", "--dir", "/only-before", "--ro-bind", "/", "/", "ls", "/"])
    assert result.returncode == 0 and "only-before" not in result.stdout and "usr" in result.stdout.split(), result


def test_bind_many(personality, run, source):
    """Far more than the usual soft limit of descriptors."""
    words = [word for i in range(1500) for word in ("--ro-bind", str(source), f"/mnt/{i}")]
    script = ("import os, resource, sys; hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
              "resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard)); os.execv(sys.argv[1], sys.argv[1:])")
    result = run(["/usr/bin/python3", "-c", script, *base(personality), *words, "sh", "-c",
                  "ls /mnt | wc -l; cat /mnt/1499/file; ulimit -n"])
    assert result.stdout == "1500\ncontent\n1024\n", result.stderr


def test_bind_magic_link_source_is_refused(cloche, bwrap, run, source, opened):
    """A path that jumps to what a descriptor refers to: --bind-fd is for that. bubblewrap follows it."""
    fd = opened(source)
    argv = ["--ro-bind", "/", "/", "--ro-bind", f"/proc/self/fd/{fd}", "/mnt", "cat", "/mnt/file"]
    result = run([cloche, *argv], pass_fds=[fd])
    assert result.returncode == 125 and "magic link" in result.stderr and "--bind-fd" in result.stderr, result


# ---- descriptors as sources --------------------------------------------------------------------------------------
def test_bind_fd(personality, run, source, opened):
    fd = opened(source, os.O_PATH)
    result = run([*base(personality), "--bind-fd", str(fd), "/mnt", "sh", "-c", WRITE], pass_fds=[fd])
    assert result.returncode == 0 and (source / "new").read_text() == "new\n", result


def test_ro_bind_fd(personality, run, source, opened):
    fd = opened(source)
    argv = [*base(personality), "--ro-bind-fd", str(fd), "/mnt", "sh", "-c"]
    assert run([*argv, "cat /mnt/file"], pass_fds=[fd]).stdout == "content\n"
    result = run([*argv, WRITE], pass_fds=[fd])
    assert result.returncode == 2 and "Read-only file system" in result.stderr and not (source / "new").exists(), result


@pytest.mark.parametrize("option", ["bind-fd", "ro-bind-fd"])
def test_bind_fd_of_a_file(personality, run, source, opened, option):
    fd = opened(source / "file")
    result = run([*base(personality), f"--{option}", str(fd), "/mnt/x", "cat", "/mnt/x"], pass_fds=[fd])
    assert result.stdout == "content\n", result


@pytest.mark.parametrize("option", ["bind-fd", "ro-bind-fd"])
def test_bind_fd_follows_a_rename(personality, run, source, opened, option):
    """The descriptor counts, not the name it was opened by."""
    fd = opened(source)
    source.rename(source.parent / "renamed")
    source.mkdir()
    result = run([*base(personality), f"--{option}", str(fd), "/mnt", "ls", "/mnt"], pass_fds=[fd])
    assert result.stdout == "file\n", result


@pytest.mark.parametrize("option", ["bind-fd", "ro-bind-fd"])
def test_bind_fd_race_is_noticed(personality, run, source, option, user):
    """Its path leads to something else by now: here, because something was mounted there."""
    script = 'exec 9<"$1"; mount -t tmpfs none "$1"; shift; exec "$@"'
    result = run(in_own_mounts(user, script, source, *base(personality), f"--{option}", "9", "/mnt", "ls", "/mnt"))
    assert_fails(result, personality, "Race condition binding dirfd" if personality.name == "bwrap" else "no longer")


@pytest.mark.parametrize("option", ["bind-fd", "ro-bind-fd"])
def test_bind_fd_of_a_removed_directory(personality, run, tmp_path, opened, option):
    (tmp_path / "gone").mkdir()
    fd = opened(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    result = run([*base(personality), f"--{option}", str(fd), "/mnt", "true"], pass_fds=[fd])
    assert_fails(result, personality, "No such file or directory")


@pytest.mark.parametrize("option", ["bind-fd", "ro-bind-fd"])
def test_bind_fd_used_twice(personality, run, source, opened, option):
    """Never silently something else: a descriptor serves one option."""
    fd = opened(source)
    result = run([*base(personality), f"--{option}", str(fd), "/mnt/a", f"--{option}", str(fd), "/mnt/b", "true"],
                 pass_fds=[fd])
    assert_fails(result, personality, f"fd {fd}", "Bad file descriptor")


@pytest.mark.parametrize("option", ["bind-fd", "ro-bind-fd"])
def test_bind_fd_not_open(personality, run, option):
    assert_fails(run([*base(personality), f"--{option}", "99", "/mnt", "true"]), personality, "99")


def test_bind_fd_is_closed_for_command(bwrap, run, source, opened):
    fd = opened(source)
    result = run([bwrap, *HOST, "--bind-fd", str(fd), "/mnt", "sh", "-c", "ls /proc/self/fd"], pass_fds=[fd])
    assert str(fd) not in result.stdout.split(), result


# ---- submounts ---------------------------------------------------------------------------------------------------
SUBMOUNT = 'mkdir -p "$1/sub"; mount -t tmpfs none "$1/sub"; echo below >"$1/sub/file"; shift; exec "$@"'


@pytest.mark.parametrize("option", ["ro-bind", "ro-bind-try"])
def test_ro_bind_submounts(personality, run, source, user, option):
    result = run(in_own_mounts(user, SUBMOUNT, source, *base(personality), f"--{option}", source, "/mnt", "sh", "-c",
                               "cat /mnt/sub/file; cat /proc/self/mountinfo; echo x >/mnt/sub/new"))
    assert result.returncode == 2 and "Read-only file system" in result.stderr, result
    first, _, table = result.stdout.partition("\n")
    assert first == "below"
    assert {"ro", "nosuid", "nodev"} <= mount_at(read_mountinfo(table), "/mnt/sub").options


def test_bind_submounts(personality, run, source, user):
    result = run(in_own_mounts(user, SUBMOUNT, source, *base(personality), "--bind", source, "/mnt", "sh", "-c",
                               "cat /mnt/sub/file; cat /proc/self/mountinfo; echo x >/mnt/sub/new"))
    assert result.returncode == 0, result
    options = mount_at(read_mountinfo(result.stdout.partition("\n")[2]), "/mnt/sub").options
    assert {"rw", "nosuid", "nodev"} <= options


@pytest.mark.parametrize("root", ["--ro-bind", "--bind"])
def test_bind_in_place_submounts(personality, run, source, user, root):
    """The whole host as root directory gets the flags on every mount."""
    result = run(in_own_mounts(user, SUBMOUNT, source, personality, root, "/", "/", "cat", "/proc/self/mountinfo"))
    assert result.returncode == 0, result
    for mount in read_mountinfo(result.stdout):
        assert {"nosuid", "nodev"} <= mount.options and ("ro" in mount.options or root == "--bind"), mount


def test_bind_flags_of_the_host_are_kept(personality, run, source, user):
    script = SUBMOUNT.replace("-t tmpfs",
                              "-t tmpfs -o noexec,nosymfollow,ro,size=64k").replace('echo below >"$1/sub/file"; ', "")
    result = run(in_own_mounts(user, script, source, *base(personality), "--bind", source, "/mnt", "cat",
                               "/proc/self/mountinfo"))
    options = mount_at(read_mountinfo(result.stdout), "/mnt/sub").options
    assert {"noexec", "nosymfollow", "ro", "nosuid", "nodev"} <= options, result


DEAD = ["gone", "silent"]


@pytest.fixture
def dead_below(run, compile_c, user, source):
    """dead_below(how, argv): runs argv as the test's user where source/dead is a FUSE mount without a server."""
    def dead_below(how, argv):
        if not IS_ROOT:
            pytest.skip("only root can open /dev/fuse here")
        (source / "dead").mkdir()
        program = compile_c(HERE / "dead-fuse.c")
        identity = ["setpriv", f"--reuid={user.uid}", f"--regid={user.gid}", "--clear-groups"]
        with acting_as_root():
            return run(["unshare", "--mount", "--propagation", "private", program, how, source / "dead",
                        *identity, *argv], timeout=30)

    return dead_below


@pytest.mark.parametrize("how", DEAD)
@pytest.mark.parametrize("option", ["bind", "dev-bind", "ro-bind"])
def test_bind_dead_submount(personality, dead_below, source, how, option):
    """A server that is gone, or never answers, below a bound directory is not asked at all."""
    result = dead_below(how, [*base(personality), f"--{option}", str(source), "/mnt", "cat", "/mnt/file"])
    assert (result.returncode, result.stdout) == (0, "content\n"), result


@pytest.mark.parametrize("how", DEAD)
def test_bind_dead_submount_in_place(personality, dead_below, source, how):
    result = dead_below(how, [personality, "--ro-bind", "/", "/", "cat", str(source / "file")])
    assert (result.returncode, result.stdout) == (0, "content\n"), result


def test_bind_dead_submount_is_read_only(cloche, dead_below, source):
    result = dead_below("gone", [cloche, *base("x")[1:], "--ro-bind", str(source), "/mnt", "cat",
                                 "/proc/self/mountinfo"])
    assert {"ro", "nosuid", "nodev"} <= mount_at(read_mountinfo(result.stdout), "/mnt/dead").options, result


@pytest.fixture
def refuse_flags(compile_c):
    return compile_c(HERE / "refuse-flags.c", static=False, flags=["-lseccomp"])


def refused(personality, user, refuse_flags, source, *options):
    # bwrap: in a user namespace, where nothing has to be done to the whole tree first.
    argv = [personality, "--bare", "--unshare-user", *options, "--ro-bind", "/usr", "/usr", "--symlink", "usr/lib",
            "/lib",
            "--symlink", "usr/lib64", "/lib64", "--bind", source, "/mnt", "/usr/bin/cat", "/mnt/file"]
    return in_own_mounts(user, SUBMOUNT, source, refuse_flags, *argv)


def test_bind_refused_submount_is_named(personality, run, user, refuse_flags, source):
    result = run(refused(personality, user, refuse_flags, source))
    assert_fails(result, personality, "/sub", "Operation not permitted")
    assert str(source) in result.stderr
    if personality.name == "cloche":
        assert "hint: " in result.stderr and "--not-a-security-boundary" in result.stderr


@pytest.mark.vm
def test_not_a_security_boundary_warns(personality, run, user, refuse_flags, source):
    result = run(refused(personality, user, refuse_flags, source, "--not-a-security-boundary"))
    assert (result.returncode, result.stdout) == (0, "content\n"), result
    assert "/sub" in result.stderr and "Operation not permitted" in result.stderr, result


# ---- propagation -------------------------------------------------------------------------------------------------
LATE = '''
source=$1; shift
mkdir -p "$source/late"
mount -t tmpfs none "$source"; mkdir "$source/late"; mount --make-shared "$source"
coproc SANDBOX {
    exec "$@" sh -c 'echo ready; read line; test -e /mnt/late/file && echo seen || echo unseen; cat /proc/self/mountinfo'; }
exec 8<&"${SANDBOX[0]}" 9>&"${SANDBOX[1]}"; pid=$SANDBOX_PID
read -r line <&8; test "$line" = ready
mount -t tmpfs none "$source/late"; touch "$source/late/file"
echo go >&9
cat <&8
wait "$pid"
'''


@pytest.mark.vm
@pytest.mark.parametrize("how", [None, "private", "slave"])
def test_propagation_of_late_host_mounts(personality, run, user, source, how):
    options = [] if how is None else ["--propagation", how]
    result = run(in_own_mounts(user, LATE, source, *base(personality), *options, "--ro-bind", source, "/mnt"))
    assert result.returncode == 0, result
    arrives = how == "slave" or (how is None and personality.name == "bwrap")
    word, _, table = result.stdout.partition("\n")
    assert word == ("seen" if arrives else "unseen"), result
    tags = mount_at(read_mountinfo(table), "/mnt").tags
    assert any(tag.startswith("master:") for tag in tags) == arrives
    assert not any(tag.startswith("shared:") for mount in read_mountinfo(table) for tag in mount.tags)


@pytest.mark.parametrize("how", ["private", "slave"])
def test_propagation_in_place(personality, run, user, source, how):
    script = LATE.replace("/mnt/late/file", "$0/late/file").replace("'; }", "' \"$source\"; }")
    result = run(in_own_mounts(user, script, source, personality, "--propagation", how, "--ro-bind", "/", "/"))
    assert result.stdout.partition("\n")[0] == ("seen" if how == "slave" else "unseen"), result


def test_propagation_never_goes_out(personality, run, user, source):
    """What is mounted inside does not appear on the host."""
    script = ('source=$1; shift; mount -t tmpfs none "$source"; mount --make-shared "$source"; mkdir "$source/d"\n"$@"\n'
              'test -e "$source/d/inside" && echo leaked || echo kept')
    result = run(in_own_mounts(user, script, source, personality, "--bind", "/", "/", "--tmpfs", source / "d", "--dir",
                               source / "d" / "inside", "true"))
    assert (result.returncode, result.stdout) == (0, "kept\n"), result


def test_propagation_other_word(personality, run):
    result = run([personality, *HOST, "--propagation", "shared", "true"])
    assert_fails(result, personality, "--propagation", "shared")


# ---- destinations on the host ------------------------------------------------------------------------------------
MISSING = [("--tmpfs",), ("--bind", "SOURCE"), ("--ro-bind", "SOURCE"), ("--dir",), ("--proc",), ("--dev",),
           ("--symlink", "target"), ("--bind", "SOURCE/file"), ("--file", "FD"), ("--bind-data", "FD"), ("--mqueue",),
           ("--overlay-src", "SOURCE", "--tmp-overlay")]


@pytest.mark.parametrize("words", MISSING, ids=lambda words: words[-2 if words[-1].isupper() and len(words) > 1
                                                                   else -1].strip("-"))
def test_create_dest(cloche, bwrap, run, tmp_path, source, memfd, words):
    """Missing destinations on the host: an error that names --create-dest under our own name, created as bubblewrap."""
    target = tmp_path / "target"
    target.mkdir()
    fd = memfd("data")
    options = ["--bind", "/", "/", "--unshare-all",
               *[word.replace("SOURCE", str(source)).replace("FD", str(fd)) for word in words], str(target / "new")]
    result = run([cloche, *options, "true"], pass_fds=[fd])
    assert result.returncode == 125, result
    assert str(target / "new") in result.stderr and "hint: " in result.stderr and "--create-dest" in result.stderr
    assert os.listdir(target) == []
    for argv in ([cloche, "--create-dest"], [bwrap]):
        os.lseek(fd, 0, os.SEEK_SET)
        result = run([*argv, *options, "true"], pass_fds=[fd])
        assert result.returncode == 0 and os.listdir(target) == ["new"], result
        subprocess.run(["rm", "-rf", target / "new"], check=True)


def test_create_dest_existing_needs_nothing(cloche, run, tmp_path):
    (tmp_path / "there").mkdir()
    result = run([cloche, "--bind", "/", "/", "--tmpfs", tmp_path / "there", "touch", tmp_path / "there" / "x"])
    assert result.returncode == 0 and os.listdir(tmp_path / "there") == [], result


def test_create_dest_is_not_needed_on_own_file_systems(cloche, run, tmp_path, source):
    result = run([cloche, "--bind", "/", "/", "--tmpfs", "/mnt", "--bind", source, "/mnt/a/b", "cat", "/mnt/a/b/file"])
    assert result.stdout == "content\n", result


def test_create_dest_modes(personality, run, tmp_path, source):
    create = ["--create-dest"] if personality.name == "cloche" else []
    run([personality, *create, "--bind", "/", "/", "--dir", tmp_path / "a/b", "--bind", source / "file", tmp_path / "f",
         "true"], check=True)
    modes = [oct((tmp_path / name).stat().st_mode & 0o7777) for name in ("a", "a/b", "f")]
    assert modes == ["0o755", "0o755", "0o444"]


def test_create_dest_below_read_only(personality, run, tmp_path, source):
    create = ["--create-dest"] if personality.name == "cloche" else []
    result = run([personality, *create, "--ro-bind", "/", "/", "--bind", source, tmp_path / "x", "true"])
    assert_fails(result, personality, str(tmp_path / "x"), "Read-only file system")
    assert not (tmp_path / "x").exists()
