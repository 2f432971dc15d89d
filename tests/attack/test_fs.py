# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attacks on the file system: what COMMAND, or whoever wrote the directories that it was given, tries to reach.

The number in a test's name is that of the attack in SECURITY.md. Every attack has its control: the same act where
nothing prevents it, so that a test cannot pass because the attack was broken.
"""
import errno
import os
import pathlib
import select
import socket
import struct
import subprocess

import pytest

from attacking import (SECRET, Results, acting_as_root, box, control, needs_root_for, program, pytest_generate_tests,
                       snapshot)
from conftest import wait_until

__all__ = ["box", "program", "pytest_generate_tests"]

RO_FILES = ("open-wronly", "open-rdwr", "open-append", "open-truncate", "unlink", "rename", "chmod", "chown", "utimes",
            "setxattr", "truncate", "link", "fd", "reopen")


def make_ro_victims(directory):
    for name in RO_FILES:
        (directory / name).write_text("content")
    (directory / "rmdir").mkdir()


def has_user_attributes(directory):
    """tmpfs has them since Linux 6.6."""
    try:
        os.setxattr(directory, "user.attack", b"1")
    except OSError as e:
        assert e.errno == errno.EOPNOTSUPP
        return False
    os.removexattr(directory, "user.attack")
    return True


# ---- F1 to F5: read-only binds stay read-only, covered mounts stay covered ------------------------------------------
@pytest.mark.vm
def test_F1_every_kind_of_write_to_a_read_only_bind(box, program, run, tmp_path):
    make_ro_victims(tmp_path)
    before = snapshot(tmp_path)
    results = box.attack(program("fs"), "ro", "/victim", options=["--ro-bind", tmp_path, "/victim"])
    assert len(results) == 22
    assert set(results.values()) == {"EROFS"}, results
    assert snapshot(tmp_path) == before
    free = control(run, program("fs"), "ro", tmp_path)
    attributes = {name: free.pop(name) for name in ("setxattr", "fsetxattr")}
    assert set(free.values()) == {"ok"} and len(free) == 20, free
    assert set(attributes.values()) == {"ok" if has_user_attributes(tmp_path) else "EOPNOTSUPP"}


def test_F1_submounts_of_a_read_only_bind(box, program, run, user):
    """/dev/shm is a mount below /dev."""
    assert os.path.ismount("/dev/shm") or os.path.ismount("/dev/pts")
    victim = f"/dev/shm/cloche-attack-{os.getpid()}"
    results = box.attack(program("fs"), "create", "/d/" + victim.removeprefix("/dev/"),
                         options=["--ro-bind", "/dev", "/d"])
    assert results["create"] == "EROFS"
    assert not os.path.exists(victim)
    assert control(run, program("fs"), "create", victim, "unlink", victim) == {"create": "ok", "unlink": "ok"}


def remount(box, program, tmp_path, *before, options=(), **rest):
    results = box.attack(program("fs"), *before, "chdir", "/victim", "remount", "/victim",
                         options=["--ro-bind", tmp_path, "/victim", *options], **rest)
    assert list(tmp_path.iterdir()) == []
    return results.but("chdir")


NO_POLICY = ["--seccomp-policy", "none"]  # what the kernel says where no policy is asked before


def test_F2_remount_read_write(box, program, run, tmp_path):
    if box.is_cloche:
        results = remount(box, program, tmp_path)
        assert results == {"remount": "EPERM", "setattr": "ENOSYS", "create": "EROFS", "clone": "ENOSYS"}
    results = remount(box, program, tmp_path, options=NO_POLICY)
    cloned = {"clone": "ok", "clone-setattr": "EPERM"} if box.keeps_capabilities else {"clone": "EPERM"}
    assert results == {"remount": "EPERM", "setattr": "EPERM", "create": "EROFS", **cloned}
    # In a namespace of the attacker's own the same calls work.
    free = control(run, program("fs"), "nested", "selfbind", tmp_path, "remount", tmp_path)
    assert set(free.values()) == {"ok"} and "clone-setattr" in free, free
    assert (tmp_path / "remounted").exists()


@pytest.mark.vm
def test_F3_remount_read_write_in_a_nested_user_namespace(box, program, tmp_path):
    results = remount(box, program, tmp_path, "nested", userns=True)
    assert results == {"nested": "ok", "remount": "EPERM", "setattr": "EPERM", "clone": "ok",
                       "clone-setattr": "EPERM", "create": "EROFS"}
    # The control is that of F2.


@pytest.mark.personalities("cloche")
def test_F3_nested_user_namespaces_are_denied_by_default(box, program, run):
    assert box.attack(program("fs"), "nested") == {"nested": "EPERM"}
    assert box.attack(program("fs"), "nested", options=NO_POLICY) == {"nested": "ENOSPC"}
    assert control(run, program("fs"), "nested") == {"nested": "ok"}
    assert box.attack(program("fs"), "nested", userns=True) == {"nested": "ok"}


@pytest.mark.personalities("cloche")
def test_F4_remount_read_write_with_all_capabilities(box, program, run, user, bwrap, tmp_path):
    results = remount(box, program, tmp_path, options=["--cap-add", "ALL"])
    assert results == {"remount": "EPERM", "setattr": "EPERM", "clone": "ok", "clone-setattr": "EPERM",
                       "create": "EROFS"}
    # In bwrap's manner COMMAND's capabilities hold for the mounts of the sandbox, too.
    ids = [] if user.is_root else ["--unshare-user", "--uid", "0", "--gid", "0"]
    free = run([bwrap, *ids, "--cap-add", "ALL", "--ro-bind", program("fs"), "/attack",
                "--ro-bind", tmp_path, "/victim", "--", "/attack", "chdir", "/victim", "remount", "/victim"])
    assert set(Results(free.stdout).values()) == {"ok"}, free
    assert (tmp_path / "remounted").exists()


@pytest.mark.vm
def test_F5_uncover_what_mounts_hide(box, program, run, tmp_path):
    (tmp_path / "covered").write_text("")
    targets = ("/cover", "/proc", "/dev", "/victim")
    verbs = [word for target in targets for word in ("umount", target)]
    results = box.attack(program("fs"), "nested", *verbs, "open", "/cover/covered", dev=True, userns=True,
                         options=["--ro-bind", tmp_path, "/cover", "--tmpfs", "/cover", "--bind", tmp_path, "/victim"])
    assert results == {"nested": "ok", **{f"umount:{t}": "EINVAL" for t in targets}, "open": "ENOENT"}
    # What the attacker mounted itself it may unmount, and sees what was below.
    free = control(run, program("fs"), "nested", "selfbind", tmp_path, "tmpfs", tmp_path, "umount", tmp_path, "open",
                   tmp_path / "covered")
    assert set(free.values()) == {"ok"}, free


def test_F5_unmount_the_root(box, program, run, tmp_path):
    """The root of the attacker's own copy may be taken away, but there is nothing below it."""
    (tmp_path / "secret").write_text(SECRET)
    results = box.attack(program("fs"), "nested", "umount", "/", "open", tmp_path / "secret", "open", "/etc/passwd",
                         "list", "/", userns=True)
    assert results["nested"] == "ok"
    assert results["umount:/"] in ("EINVAL", "ok")
    assert results.all("open") == ["ENOENT", "ENOENT"]
    assert set(results.all("entry")) <= {"attack", "proc"}
    assert control(run, program("fs"), "open", tmp_path / "secret")["open"] == "ok"


# ---- F7 to F9: destinations never leave the new root ----------------------------------------------------------------
class Outside:
    """A directory of the host which must not change, and one given to the sandbox, rw, that an attacker prepared."""

    def __init__(self, path):
        self.path, self.victim, self.shared = path, path / "victim", path / "shared"
        self.victim.mkdir(parents=True)
        self.shared.mkdir()
        (self.victim / "file").write_text("host")
        (self.victim / "directory").mkdir()
        for name in ("lower", "lower2", "upper", "work", "source"):
            (path / name).mkdir()
        (path / "data").write_text("planted")

    def option(self, name, destination, fd):
        """The option with the destination and what else it needs."""
        p = self.path
        return {
            "dir": ["--dir", destination],
            "tmpfs": ["--tmpfs", destination],
            "bind": ["--bind", p / "source", destination],
            "ro-bind": ["--ro-bind", p / "data", destination],
            "bind-fd": ["--bind-fd", str(fd), destination],
            "file": ["--file", str(fd), destination],
            "bind-data": ["--bind-data", str(fd), destination],
            "ro-bind-data": ["--ro-bind-data", str(fd), destination],
            "symlink": ["--symlink", "/planted", destination],
            "proc": ["--proc", destination],
            "dev": ["--dev", destination],
            "mqueue": ["--mqueue", destination],
            "tmp-overlay": ["--overlay-src", p / "lower", "--tmp-overlay", destination],
            "overlay": ["--overlay-src", p / "lower", "--overlay", p / "upper", p / "work", destination],
            "ro-overlay": ["--overlay-src", p / "lower", "--overlay-src", p / "lower2", "--ro-overlay", destination],
            "chmod": ["--chmod", "0711", destination],
        }[name]

    def start(self, box, program, option, destination, bound):
        fd = os.open(self.path / ("source" if option == "bind-fd" else "data"), os.O_RDONLY)
        try:
            options = [*(["--create-dest"] if box.is_cloche else ["--unshare-ipc"]), "--bind", bound, "/rw",
                       *self.option(option, destination, fd)]
            return box.start(program, "list", "/", options=options, pass_fds=[fd], cwd=self.victim)
        finally:
            os.close(fd)

    def text(self, template, option=None):
        return template.format(victim=self.victim, up="../" * 30, new="file" if option == "chmod" else "new")


def never_outside(box, program, option, path, destination, link=None):
    """Start with a destination that leads outside. Returns "ok" or the reason that the sandbox was refused for."""
    outside = Outside(path)
    if link is not None:
        (outside.shared / "link").symlink_to(outside.text(link))
    before = snapshot(outside.victim)
    result = outside.start(box, program, option, outside.text(destination, option), outside.shared)
    assert snapshot(outside.victim) == before, result
    if result.returncode == 0:
        return "ok"
    assert result.returncode == box.setup_failed and result.stdout == "", result
    if "exist" in result.stderr and option == "symlink":
        return "EEXIST"
    return {os.strerror(e): errno.errorcode[e] for e in (errno.ENOENT, errno.ELOOP)}[
        result.stderr.splitlines()[0].split(": ")[-1]]


LINKS = {
    "absolute": "{victim}",
    "relative": "{up}{victim}",
    "oldroot": "/oldroot{victim}",
    "newroot": "/newroot/..{victim}",
    "proc-root": "/proc/self/root{victim}",
    "proc-1-root": "/proc/1/root{victim}",
    "proc-cwd": "/proc/self/cwd",
}
OPTIONS = ("dir", "tmpfs", "bind", "ro-bind", "bind-fd", "file", "bind-data", "ro-bind-data", "symlink", "proc", "dev",
           "mqueue", "tmp-overlay", "overlay", "ro-overlay", "chmod")


def follow_links_among_parents(box, program, option, tmp_path):
    for name, link in LINKS.items():
        # A magic link is refused; all else is looked up, and made, in the new root; --chmod makes nothing.
        expected = "ELOOP" if name.startswith("proc") else "ENOENT" if option == "chmod" else "ok"
        assert never_outside(box, program, option, tmp_path / name, "/rw/link/{new}", link) == expected, name


@pytest.mark.parametrize("option", OPTIONS)
def test_F7_link_among_the_parents(box, program, option, tmp_path):
    follow_links_among_parents(box, program("fs"), option, tmp_path)


@pytest.mark.parametrize("option", ("dir", "tmpfs", "ro-bind", "file", "symlink", "dev", "tmp-overlay", "chmod"))
@pytest.mark.parametrize("error", ("ENOSYS", "EPERM"))
def test_F7_link_among_the_parents_without_openat2(box, program, option, error, without_syscalls, tmp_path):
    box.wrap = lambda argv: without_syscalls("openat2", argv, error)
    follow_links_among_parents(box, program("fs"), option, tmp_path)


@pytest.mark.parametrize("option", OPTIONS)
def test_F7_control_the_host_changes_where_the_directory_was_given(box, program, option, tmp_path):
    """Nearest valid input: the same destination in a directory that is bound rw. Also shows that snapshots see it."""
    outside = Outside(tmp_path)
    before = snapshot(outside.victim)
    result = outside.start(box, program("fs"), option, outside.text("/rw/{new}", option), outside.victim)
    assert result.returncode == 0, result
    assert snapshot(outside.victim) != before


@pytest.mark.parametrize("option", OPTIONS)
def test_F8_dotdot_above_the_root(box, program, option, tmp_path):
    """Also the control: what stays inside is not an error, the missing parents are made in the new root."""
    for i, destination in enumerate(("/rw/{up}{victim}/{new}", "{up}{victim}/{new}", "/{up}/{victim}/{new}",
                                     "/rw/../../rw/../{up}{victim}/{new}")):
        expected = "ENOENT" if option == "chmod" else "ok"
        assert never_outside(box, program("fs"), option, tmp_path / str(i), destination) == expected, destination


FINAL = {
    "directory": "{victim}/directory",
    "file": "{victim}/file",
    "dangling": "{victim}/absent",
    "relative": "{up}{victim}/directory",
    "relative-dangling": "{up}{victim}/absent",
    "loop": "link",
    "proc-cwd": "/proc/self/cwd/absent",
}


@pytest.mark.parametrize("option", OPTIONS)
def test_F9_final_component_is_a_link(box, program, option, tmp_path):
    """The controls are those of F7 and F8."""
    for name, link in FINAL.items():
        expected = "EEXIST" if option == "symlink" else "ELOOP" if name in ("loop", "proc-cwd") else \
            "ENOENT" if option == "chmod" else "ok"
        assert never_outside(box, program("fs"), option, tmp_path / name, "/rw/link", link) == expected, name


# ---- F10: races ----------------------------------------------------------------------------------------------------
class Flipping:
    """`directory`/flip is in turn a directory and a symbolic link to `target`, many times while a sandbox starts."""

    def __init__(self, popen, program, directory, target):
        (directory / "flip").mkdir()
        (directory / "other").symlink_to(target)
        self.arguments = popen, program, directory

    def __enter__(self):
        popen, program, directory = self.arguments
        self.process = popen([program, directory, "flip", "other"], stdin=subprocess.PIPE)
        assert self.process.stdout.readline() == "ready ok\n"
        return self

    def __exit__(self, *_):
        output = self.process.communicate("")[0]
        self.flips = int(Results(output)["flips"])


STARTS = 300
RACED = ("cloche", "bwrap")


def test_F10_destination_flips_to_a_link(personality, program, run, popen, user, tmp_path):
    outside = Outside(tmp_path)
    before = snapshot(outside.victim)
    start = [personality, *(["--bare", "--create-dest"] if personality.name == "cloche" else
                            ["--unshare-user"] if user.is_root else []),
             "--ro-bind", program("fs"), "/attack", "--bind", outside.shared, "/rw"]
    made = 0
    with Flipping(popen, program("flip"), outside.shared, outside.victim) as flipping:
        for i in range(STARTS):
            option = ("dir", "tmpfs", "ro-bind", "symlink")[i % 4]
            result = run([*start, *outside.option(option, f"/rw/flip/new-{i}", -1), "--", "/attack"])
            # Each lookup meets the directory or the link; both lead to a place inside, or the two do not match.
            assert result.returncode in (0, 125 if personality.name == "cloche" else 1), result
            made += result.returncode == 0
    assert snapshot(outside.victim) == before
    assert flipping.flips >= 10000 and made > 0


def test_F10_source_descriptor_of_a_directory_that_flips(personality, program, run, popen, user, tmp_path):
    """--bind-fd binds the directory that the descriptor was opened for, or nothing."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "secret").write_text(SECRET)
    outside = Outside(tmp_path / "o")
    start = [personality, *(["--bare"] if personality.name == "cloche" else ["--unshare-user"] if user.is_root else []),
             "--ro-bind", program("fs"), "/attack"]
    bound = refused = 0
    flipping = Flipping(popen, program("flip"), outside.shared, tmp_path / "secret")
    (outside.shared / "flip" / "given").write_text("")
    fd = os.open(outside.shared / "flip", os.O_PATH | os.O_DIRECTORY)
    with flipping:
        for _ in range(STARTS):
            result = run([*start, "--ro-bind-fd", str(fd), "/src", "--", "/attack", "list", "/src"], pass_fds=[fd])
            if result.returncode == 0:
                assert Results(result.stdout).all("entry") == ["given"], result
                bound += 1
            else:
                assert result.returncode == (125 if personality.name == "cloche" else 1), result
                refused += 1
    os.close(fd)
    assert flipping.flips >= 10000
    assert bound > 0, f"{refused} refused"


def test_F10_sealed_directory_with_an_entry_that_flips(personality, program, run, popen, user, tmp_path):
    """--deny-create binds each entry over itself: never what a link leads to that takes its place meanwhile."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "secret").write_text(SECRET)
    outside = Outside(tmp_path / "o")
    start = [personality, *(["--bare"] if personality.name == "cloche" else ["--unshare-user"] if user.is_root else []),
             "--ro-bind", program("fs"), "/attack", "--bind", outside.shared, "/rw", "--deny-create", "/rw/missing"]
    verbs = [word for name in ("flip", "other") for word in ("size", f"/rw/{name}/secret")]
    with Flipping(popen, program("flip"), outside.shared, tmp_path / "secret") as flipping:
        for _ in range(STARTS):
            result = run([*start, "--", "/attack", *verbs], check=True)
            assert set(Results(result.stdout).all("size")) == {"ENOENT"}, result
    assert flipping.flips >= 10000


def test_F10_control_a_careless_program_loses_the_race(program, popen, tmp_path):
    outside = Outside(tmp_path)
    mtime = os.stat(outside.victim).st_mtime_ns
    with Flipping(popen, program("flip"), outside.shared, outside.victim):
        naive = popen([program("flip"), "naive", outside.shared / "flip"], stdin=subprocess.PIPE)
        wait_until(lambda: os.stat(outside.victim).st_mtime_ns != mtime)
        naive.communicate("")


# ---- F12 to F14: sources and procfs that are not what they seem --------------------------------------------------
@pytest.mark.personalities("cloche")
def test_F12_magic_link_as_source(box, program, bwrap, run, user, tmp_path):
    """The nearest valid inputs are the directory's own path and --bind-fd; bubblewrap's manner is the control."""
    (tmp_path / "given").write_text("")
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    links = (f"/proc/self/fd/{fd}", "/proc/self/root/usr", "/proc/self/cwd", "/proc/self/exe", f"/dev/fd/{fd}",
             "/proc/thread-self/root")
    for link in links:
        for option in ("--ro-bind", "--bind", "--dev-bind"):
            result = box.start(program("fs"), "list", "/src", options=[option, link, "/src"], pass_fds=[fd])
            assert result.returncode == 125 and "leads through a magic link" in result.stderr, result
            assert f"{option} {link}" in result.stderr, result
    # Those of other processes are closed to the sandbox's user namespace.
    for link in (f"/proc/{os.getpid()}/root", f"/proc/{os.getpid()}/cwd"):
        result = box.start(program("fs"), "list", "/src", options=["--ro-bind", link, "/src"])
        assert result.returncode == 125 and os.strerror(errno.EACCES) in result.stderr, result
    # By --bind-fd, and by its path, the same directory is given; under the name bwrap magic links are followed.
    for options in (["--ro-bind-fd", str(fd), "/src"], ["--ro-bind", tmp_path, "/src"]):
        assert box.attack(program("fs"), "list", "/src", options=options, pass_fds=[fd]).all("entry") == ["given"]
    result = run([bwrap, "--ro-bind", program("fs"), "/attack", "--ro-bind", "/proc/self/cwd", "/src", "--", "/attack",
                  "list", "/src"], cwd=tmp_path)
    assert Results(result.stdout).all("entry") == ["given"], result
    os.close(fd)


@pytest.mark.parametrize("form", ("absolute", "relative", "dangling"))
def test_F13_image_with_links_in_place_of_system_directories(box, program, form, tmp_path):
    """The root directory is an image that an attacker built."""
    image, victim, control_image = tmp_path / "image", tmp_path / "victim", tmp_path / "good"
    victim.mkdir()
    (victim / "directory").mkdir()
    for name in ("proc", "dev", "sys", "etc", "tmp", "run"):
        target = {"absolute": victim / "directory", "relative": pathlib.Path("../" * 20 + str(victim / "directory")),
                  "dangling": victim / name}[form]
        image.mkdir(exist_ok=True)
        (image / name).symlink_to(target)
        (control_image / name).mkdir(parents=True)
    before = snapshot(victim)
    fd = os.open(program("fs"), os.O_RDONLY)

    def start(root):
        options = ["--bind", root, "/", "--ro-bind", program("fs"), "/attack", "--proc", "/proc", "--dev", "/dev",
                   "--tmpfs", "/sys", "--file", str(fd), "/etc/resolv.conf", "--dir", "/tmp/new", "--symlink", "/x",
                   "/run/link", *(["--create-dest"] if box.is_cloche else ["--unshare-pid"])]
        return box.run_program(box.argv(options, ["/attack", "list", "/"]), pass_fds=[fd])

    result = start(image)
    assert snapshot(victim) == before, result
    assert result.returncode in (0, box.setup_failed), result
    assert start(control_image).returncode == 0
    assert (control_image / "etc" / "resolv.conf").exists() and (control_image / "tmp" / "new").exists()
    os.close(fd)


def test_F13_console_is_a_link(box, program, tmp_path):
    """/dev/console is bound where standard output is a terminal; here the image already has a link of that name."""
    victim = tmp_path / "victim"
    victim.write_text("host")
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "console").symlink_to(victim)
    master, slave = os.openpty()
    options = ["--bind", tmp_path / "dev", "/dev", "--dev", "/dev"]
    result = box.start(program("fs"), "openw", "/dev/console", options=options, stdout=slave)
    os.close(slave)
    assert result.returncode == 0, result
    assert os.read(master, 100) == b"openw ok\r\n"  # the terminal
    os.close(master)
    assert victim.read_text() == "host"


def test_F14_fake_procfs(box, program, run, user, tmp_path):
    """Where the caller's /proc is a plain directory tree, ids are not written to it. The real one is the control."""
    fake = tmp_path / "fake"
    for name in ("self/uid_map", "self/gid_map", "self/setgroups", "self/attr/exec", "self/mountinfo",
                 "sys/user/max_user_namespaces", "sys/kernel/overflowuid"):
        (fake / name).parent.mkdir(parents=True, exist_ok=True)
        (fake / name).write_text("")
    (fake / "thread-self").symlink_to("self")
    before = snapshot(fake)
    argv = [str(a) for a in box.argv(["--unshare-user", "--ro-bind", program("fs"), "/attack"], ["/attack", "cwd"])]
    outer = [program("fs"), "nested"]
    deceived = run([*outer, "bind", fake, "/proc", "exec", *argv])
    assert deceived.returncode != 0 and "cwd" not in deceived.stdout, deceived
    assert snapshot(fake) == before, deceived
    assert box.personality.name in deceived.stderr
    honest = run([*outer, "exec", *argv])
    assert honest.returncode == 0 and "cwd /" in honest.stdout, honest


# ---- F15 to F22: what was not given stays out of reach ---------------------------------------------------------------
@pytest.mark.parametrize("pid", (True, False), ids=("own-pids", "host-pids"))
def test_F15_secret_through_proc(box, program, run, pid, tmp_path):
    """By /proc/*/root, /proc/*/cwd and /proc/*/fd/*; the supervisor's working directory is that of the secret."""
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    # For the control, and as one more process of the host to look into.
    free = control(run, program("fs"), "scan", secret, cwd=tmp_path, stdin=os.open(secret, os.O_RDONLY))
    assert int(free["root"]) > 0 and int(free["cwd"]) > 0 and int(free["fd"]) > 0, free
    results = box.attack(program("fs"), "scan", secret, pid=pid, cwd=tmp_path)
    if pid or box.own_user_namespace:
        assert results.but("tried") == {"root": "0", "cwd": "0", "fd": "0"}
    else:
        # Root without capabilities, in root's own user and pid namespace, is any process of root without them: there
        # only what the sandbox itself adds is promised, and its supervisor has capabilities.
        assert results["cwd"] == "0" and results["fd"] == "0"
    assert int(results["tried"]) >= (1 if pid else 3), results


class Leaked:
    """Descriptors of every kind, as a careless caller leaves them open; numbers from 3 to 1000."""

    def __init__(self, directory, user):
        (directory / "secret").write_text(SECRET)
        self.directory = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        pair, pipe, pty = socket.socketpair(), os.pipe(), os.openpty()
        kinds = {
            "directory": self.directory,
            "o-path": os.open(directory, os.O_PATH),
            "root": os.open("/", os.O_PATH),
            "file": os.open(directory / "secret", os.O_RDONLY),
            "socket": pair[0].detach(), "other": pair[1].detach(),
            "memfd": os.memfd_create("attack", 0),
            "pipe-read": pipe[0], "pipe-write": pipe[1],
            "proc": os.open("/proc/self", os.O_RDONLY),
            "tty-master": pty[0], "tty": pty[1],
            "eventfd": os.eventfd(0),
            "namespace": os.open("/proc/self/ns/mnt", os.O_RDONLY),
            "io-uring": io_uring(),
        }
        epoll = select.epoll()
        kinds["epoll"] = os.dup(epoll.fileno())
        self.kinds = {kind: fd for kind, fd in kinds.items() if fd is not None}
        self.kinds["high"] = 1000
        os.dup2(self.directory, 1000)
        self.fds = sorted(self.kinds.values())

    def close(self):
        for fd in self.fds:
            os.close(fd)


def io_uring():
    """A descriptor of io_uring_setup(2), number 425 everywhere; None where the kernel has none or forbids it."""
    import ctypes
    fd = ctypes.CDLL(None).syscall(425, 1, ctypes.create_string_buffer(120))
    return fd if fd >= 0 else None


@pytest.fixture
def leaked(tmp_path, user):
    leaked = Leaked(tmp_path, user)
    yield leaked
    leaked.close()


@pytest.mark.personalities("cloche")
def test_F16_inherited_descriptors(box, program, run, bwrap, leaked):
    """bubblewrap's manner, and no sandbox at all, are the controls."""
    def fds(argv):
        result = run([*argv, "fds"], pass_fds=leaked.fds)
        assert result.returncode == 0, result
        return set(map(int, Results(result.stdout).all("fd")))

    def argv(*options):
        return box.argv([*box.options(program("fs")), *options], ["/attack"])

    assert len(leaked.fds) >= 16
    assert fds(argv()) == {0, 1, 2}
    kept = leaked.kinds["socket"]
    assert fds(argv("--keep-fd", str(kept))) == {0, 1, 2, kept}
    # Without a sandbox, and under the name bwrap, which is documented, they arrive.
    assert fds([program("fs")]) == {0, 1, 2, *leaked.fds}
    assert fds([bwrap, "--ro-bind", program("fs"), "/attack", "--", "/attack"]) == {0, 1, 2, *leaked.fds}


@pytest.mark.personalities("cloche")
def test_F17_inherited_directory(box, program, run, leaked):
    for fd in (leaked.directory, leaked.kinds["o-path"], leaked.kinds["root"], 1000):
        results = box.attack(program("fs"), "usefd", str(fd), pass_fds=leaked.fds)
        assert results == {"openat-dotdot": "EBADF", "openat-secret": "EBADF", "fchdir": "EBADF"}
    free = control(run, program("fs"), "usefd", str(leaked.directory), pass_fds=leaked.fds)
    # /attack's own tests directory may not be readable above: the parent is 0711.
    assert free.but("openat-dotdot") == {"openat-secret": "ok", "fchdir": "ok"}


def test_F18_directory_on_standard_input(box, program, run, tmp_path):
    """Descriptors 0 to 2 are COMMAND's, whatever they are: SECURITY.md says so, and who gives a directory gives what
    is in it and above it."""
    (tmp_path / "secret").write_text(SECRET)
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    results = box.attack(program("fs"), "usefd", "0", stdin=fd)
    given = results["openat-secret"] == "ok"
    security = (pathlib.Path(__file__).parents[2] / "SECURITY.md").read_text()
    assert given == ("directory on descriptor 0, 1 or 2" in security), results
    os.close(fd)
    assert control(run, program("fs"), "usefd", "0")["openat-secret"] == "ENOTDIR"  # /dev/null


def test_F19_working_directory_outside(box, program, run, tmp_path):
    (tmp_path / "deep").mkdir()
    results = box.attack(program("fs"), "cwd", "dotdot", "cwd", cwd=tmp_path / "deep")
    assert results.all("cwd") == ["/", "/"] and results.all("same") == ["yes", "yes"]
    # Where the directory is there, it is kept.
    results = box.attack(program("fs"), "cwd", cwd=tmp_path / "deep", options=["--bind", tmp_path, tmp_path])
    assert results["cwd"] == str(tmp_path / "deep") and results["same"] == "yes"
    # Control: a program that forgets to change the directory.
    free = control(run, program("fs"), "nested", "chroot", tmp_path / "deep", "cwd", cwd=tmp_path)
    assert free["cwd"].startswith("(unreachable)"), free


def test_F19_covered_working_directory(box, program, run, tmp_path):
    """The name exists inside, but it is another directory."""
    (tmp_path / "secret").write_text(SECRET)
    results = box.attack(program("fs"), "cwd", "open", "secret", cwd=tmp_path, options=["--tmpfs", tmp_path])
    assert results["open"] == "ENOENT" and results["same"] == "yes" and results["cwd"] in (str(tmp_path), "/")
    assert control(run, program("fs"), "open", "secret", cwd=tmp_path)["open"] == "ok"


def test_F20_chdir_to_a_magic_link(box, program, leaked, tmp_path):
    fd = leaked.directory
    (tmp_path / "link").symlink_to(f"/proc/self/fd/{fd}")
    for target in (f"/proc/self/fd/{fd}", "/proc/self/cwd", "/proc/self/root", "/proc/1/cwd", "/rw/link",
                   f"/proc/thread-self/fd/{fd}", "/proc/self/fd/1000"):
        result = box.start(program("fs"), "cwd", "open", "secret", pass_fds=leaked.fds, cwd=tmp_path,
                           options=["--bind", tmp_path, "/rw", "--chdir", target])
        results = Results(result.stdout)
        if result.returncode:
            assert result.returncode == box.setup_failed and "chdir" in result.stderr, result
            assert os.strerror(errno.ELOOP) in result.stderr, result
        else:
            pytest.fail(f"--chdir {target} succeeded: {results}")
    # Nearest valid input: a directory of procfs, and a symbolic link to one that is inside.
    (tmp_path / "good").symlink_to("/proc/tty")
    for target, cwd in (("/proc/self", None), ("/rw/good", "/proc/tty"), ("/rw", "/rw")):
        results = box.attack(program("fs"), "cwd", options=["--bind", tmp_path, "/rw", "--chdir", target])
        assert results["same"] == "yes" and cwd in (None, results["cwd"])


def test_F21_directory_moved_out_of_the_bind(box, program, popen, tmp_path):
    """What was the working directory is taken out of the bound directory by the host: `..` leads nowhere.
    Controls: it stays where it is; the same without a sandbox."""
    def attack(argv, directory, move):
        (directory / "bound" / "sub" / "deep").mkdir(parents=True)
        process = popen(argv, stdin=subprocess.PIPE)
        assert process.stdout.readline().startswith("chdir ok")
        assert process.stdout.readline() == "ready ok\n"
        if move:
            (directory / "bound" / "sub" / "deep").rename(directory / "deep")
        output = process.communicate("\n")[0]
        assert process.returncode == 0, output
        return Results(output)

    def inside(directory):
        options = [*box.options(program("fs")), "--bind", directory / "bound", "/b"]
        return box.argv(options, ["/attack", "chdir", "/b/sub/deep", "wait", "dotdot", "cwd"])

    moved = attack(inside(tmp_path / "1"), tmp_path / "1", True)
    assert moved["stat-dotdot"] == "ENOENT" and moved["chdir-dotdot"] == "ENOENT"
    assert moved["cwd"].startswith("(unreachable)") and str(tmp_path) not in moved["cwd"]
    still = attack(inside(tmp_path / "2"), tmp_path / "2", False)
    assert still["stat-dotdot"] == "ok" and still["cwd"] == "/b/sub"
    here = [program("fs"), "chdir", str(tmp_path / "3/bound/sub/deep"), "wait", "dotdot", "cwd"]
    assert attack(here, tmp_path / "3", True)["cwd"] == str(tmp_path / "3")


def test_F22_link_and_rename_between_binds(box, program, run, tmp_path):
    for name in ("ro", "rw", "rw2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
        (tmp_path / name / "file2").write_text(name)
    options = ["--ro-bind", tmp_path / "ro", "/ro", "--bind", tmp_path / "rw", "/rw", "--bind", tmp_path / "rw2", "/rw2"]
    before = snapshot(tmp_path)
    for source in ("/ro", "/rw2"):
        results = box.attack(program("fs"), "link", f"{source}/file", "/rw/new", "rename", f"{source}/file", "/rw/new",
                             options=options)
        assert results == {"link": "EXDEV", "rename": "EXDEV"}
    assert snapshot(tmp_path) == before
    free = control(run, program("fs"), "link", tmp_path / "ro/file", tmp_path / "rw/new", "rename",
                   tmp_path / "ro/file2", tmp_path / "rw/new2")
    assert free == {"link": "ok", "rename": "ok"}


# ---- F26 to F28: files with privileges ------------------------------------------------------------------------------
def test_F26_set_user_id_program(box, program, run, user, tmp_path):
    """A set-user-ID and set-group-ID program of another user, put there by the host."""
    needs_root_for("a set-user-ID program of another user")
    other = 65534 if user.is_root else 0
    target = tmp_path / "setuid"
    target.write_bytes(pathlib.Path(program("caps")).read_bytes())
    with acting_as_root():
        os.chown(target, other, other)
        os.chmod(target, 0o6755)
    results = box.attack(program("fs"), "exec", "/privileged", "ids", options=["--ro-bind", target, "/privileged"])
    for name in ("uid", "gid"):
        real, effective = results[name].split()
        assert real == effective, results
    assert int(results["CapEff"], 16) == 0 or box.kind == "bwrap" and user.is_root, results
    assert results["nnp"] == "1"
    free = control(run, target, "ids")
    assert free["uid"].split()[1] == str(other) and free["gid"].split()[1] == str(other), free


@pytest.mark.only_user
def test_F26_program_with_file_capabilities(box, program, run, tmp_path):
    needs_root_for("file capabilities")
    target = tmp_path / "capable"
    target.write_bytes(pathlib.Path(program("caps")).read_bytes())
    target.chmod(0o755)
    with acting_as_root():
        os.setxattr(target, "security.capability", struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0))
    results = box.attack(program("fs"), "exec", "/privileged", "ids", options=["--ro-bind", target, "/privileged"])
    assert int(results["CapEff"], 16) == 0 and int(results["CapPrm"], 16) == 0
    free = control(run, target, "ids")
    assert int(free["CapEff"], 16) == 1 << 10, free


def test_F26_mounts_are_nosuid(box, program, tmp_path):
    """The second line of defence, for the case that COMMAND finds a way around no_new_privs."""
    results = box.attack(program("fs"), "mounts", dev=True,
                         options=["--bind", tmp_path, "/rw", "--ro-bind", "/usr", "/usr", "--dev-bind", "/dev", "/hostdev",
                                  "--tmpfs", "/tmp"])
    mounts = [line.split() for line in results.all("mount")]
    assert len(mounts) > 8
    for fields in mounts:
        assert "nosuid" in fields[5].split(","), fields
    # Control: the host's own are not.
    assert any("nosuid" not in line.split()[5].split(",") for line in open("/proc/self/mountinfo"))


def test_F27_device_nodes(box, program, run, user, tmp_path):
    for verbs in ([], ["nested"]):
        results = box.attack(program("fs"), *verbs, "mknod", "/rw", userns=True, options=["--bind", tmp_path, "/rw"])
        assert results.but("nested") == {"mknod-char": "EPERM", "mknod-block": "EPERM", "mknod-fifo": "ok"}
        (tmp_path / "fifo").unlink()
    free = control(run, program("fs"), "mknod", tmp_path)
    assert free["mknod-fifo"] == "ok" and free["mknod-char"] == ("ok" if user.is_root else "EPERM"), free


def test_F27_planted_device_node(box, program, run, tmp_path):
    """A node that the host left in a bound directory; --dev-bind is what gives devices."""
    for option, expected in (("--bind", "EACCES"), ("--ro-bind", "EACCES"), ("--dev-bind", "ok")):
        assert box.attack(program("fs"), "open", "/d/zero", options=[option, "/dev", "/d"])["open"] == expected
    assert control(run, program("fs"), "open", "/dev/zero")["open"] == "ok"


def test_F28_extended_attributes(box, program, run, user, tmp_path):
    target = tmp_path / "file"
    target.write_text("")
    results = box.attack(program("fs"), "setxattr", "/rw/file", options=["--bind", tmp_path, "/rw"])
    if box.keeps_capabilities:  # SECURITY.md: root needs --cap-drop ALL for this
        assert results == {"security": "ok", "trusted": "EPERM", "user": "ok"}
    else:
        assert results == {"security": "EPERM", "trusted": "EPERM", "user": "ok"}
        assert os.listxattr(target) == ["user.attack"]
    free = control(run, program("fs"), "setxattr", target)
    expected = "ok" if user.is_root else "EPERM"
    assert free == {"security": expected, "trusted": expected, "user": "ok"}


# ---- F29, F30: propagation ------------------------------------------------------------------------------------------
OUTER = ["unshare", "--user", "--map-root-user", "--mount", "--propagation", "shared", "--pid", "--fork",
         "--kill-child"]
OUTER_SCRIPT = """
mount -t tmpfs tmpfs "$1" || exit 90
mount --make-shared "$1" || exit 91
mkdir "$1/late"
shared=$1
shift
mkfifo "$shared/go"
"$@" < "$shared/go" &
exec 3> "$shared/go"
while [ ! -e "$shared/inside" ]; do
        kill -0 $! || exit 92
        sleep 0.01
done
{action}
wait $!
"""
LATE = """
mount -t tmpfs -o noexec tmpfs "$shared/late" && touch "$shared/late/marker"
echo >&3
exec 3>&-
"""


def late_mount(box, program, run, tmp_path, *options):
    """The sandbox makes /rw/inside, the host then mounts below what is bound; what the sandbox sees of it."""
    argv = box.argv([*box.options(program("fs")), "--bind", tmp_path, "/rw", "--ro-bind", tmp_path, "/ro", *options],
                    ["/attack", "create", "/rw/inside", "wait", "open", "/ro/late/marker", "mounts"])
    return run([*OUTER, "sh", "-c", OUTER_SCRIPT.format(action=LATE), "sh", tmp_path, *argv])


@pytest.mark.parametrize("mode", ("default", "private", "slave"))
def test_F29_late_mount_of_the_host(box, program, run, mode, tmp_path):
    """Where it does appear is the control of where it does not."""
    result = late_mount(box, program, run, tmp_path, *([] if mode == "default" else ["--propagation", mode]))
    assert result.returncode == 0, result
    results = Results(result.stdout)
    assert results["create"] == "ok"
    late = [line.split() for line in results.all("mount") if line.split()[4].endswith("/late")]
    if mode == "private" or mode == "default" and box.is_cloche:
        assert results["open"] == "ENOENT" and late == [], results
    else:
        # Documented: it appears with the flags which the host gave it, below a read-only bind as well.
        assert results["open"] == "ok" and {fields[4] for fields in late} == {"/rw/late", "/ro/late"}, results
        for fields in late:
            assert "noexec" in fields[5] and "rw" in fields[5].split(","), fields


@pytest.mark.parametrize("command", ("sandbox", "mount"))
def test_F30_mounts_of_the_sandbox_on_the_host(box, program, run, command, tmp_path):
    """Below a shared directory of the host; `mount` is the control, which shows up there."""
    options = ["--bind", tmp_path, "/rw", "--tmpfs", "/rw/late", "--proc", "/rw/late/proc", "--tmpfs", "/rw/late/deep",
               *(["--create-dest"] if box.is_cloche else [])]
    argv = box.argv([*box.options(program("fs")), *options], ["/attack", "create", "/rw/inside", "wait", "mounts"])
    if command == "mount":
        argv = ["sh", "-c", 'mount -t tmpfs tmpfs "$1/late" && touch "$1/inside"; read line', "sh", tmp_path]
    script = 'grep " $shared/" /proc/self/mountinfo\necho >&3\nexec 3>&-\n'
    result = run([*OUTER, "sh", "-c", OUTER_SCRIPT.format(action=script), "sh", tmp_path, *argv])
    assert result.returncode == 0, result
    seen = [line for line in result.stdout.splitlines() if f" {tmp_path}/" in line]
    if command == "mount":
        assert len(seen) == 1 and f" {tmp_path}/late " in seen[0], result
    else:
        assert seen == [] and "/rw/late/deep" in result.stdout, result


# ---- F31 to F35: other ways back to the host's files --------------------------------------------------------------
def test_F31_chroot_and_climb(box, program, run, tmp_path):
    (tmp_path / "jail" / "sub").mkdir(parents=True)
    options = ["--bind", tmp_path / "jail", "/rw"]
    chroot = box.attack(program("fs"), "chroot", "/rw", options=options)["chroot"]
    assert chroot == ("ok" if box.keeps_capabilities else "EPERM")
    results = box.attack(program("fs"), "nested", "dance", "/rw/sub", "open", tmp_path / "jail", options=options,
                         userns=True)
    assert results == {"nested": "ok", "dance-chroot": "ok", "dance-fchdir": "ok", "dance": "stayed", "open": "ENOENT"}
    # A jail made by chroot alone is left by the same steps.
    free = control(run, program("fs"), "nested", "chroot", tmp_path / "jail", "chdir", "/", "dance", "/sub", "open",
                   tmp_path / "jail")
    assert free["dance"] == "escaped" and free["open"] == "ok", free


def test_F32_old_root(box, program, tmp_path):
    """Nothing but what the options name is mounted, and no name of the old root leads anywhere. With the host's root
    bound, the control, the same look finds it."""
    names = ("/oldroot", "/newroot", "/old_root", "/.old", "/put_old", "/.pivot", str(tmp_path))
    results = box.attack(program("fs"), "mounts", *[word for name in names for word in ("open", name)], dev=True)
    mounts = {line.split()[4]: line.split() for line in results.all("mount")}
    devices = {f"/dev/{n}" for n in ("null", "zero", "full", "random", "urandom", "tty", "pts", "shm", "console")}
    extra = set(mounts) - {"/", "/attack", "/proc", "/dev"} - devices
    assert all(name.startswith("/proc/") for name in extra), mounts  # read-only parts of its own procfs
    # The root's parent is not in the list: it is the top.
    assert mounts["/"][1] not in {fields[0] for fields in mounts.values()} - {mounts["/"][0]}
    assert results.all("open") == ["ENOENT"] * len(names)
    seen = box.attack(program("fs"), "mounts", options=["--ro-bind", "/", "/oldroot"])
    assert any(line.split()[4] == "/oldroot" for line in seen.all("mount"))


def file_handle(path):
    """(type, bytes in hex) of name_to_handle_at(2)."""
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(8 + 128)
    struct.pack_into("I", buffer, 0, 128)
    mount_id = ctypes.c_int()
    if libc.name_to_handle_at(-100, os.fsencode(path), buffer, ctypes.byref(mount_id), 0) < 0:
        raise OSError(ctypes.get_errno(), "name_to_handle_at")
    size, kind = struct.unpack_from("Ii", buffer)
    return str(kind), buffer.raw[8:8 + size].hex()


def test_F33_open_by_handle(box, program, run, user, tmp_path):
    (tmp_path / "given").mkdir()
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    kind, handle = file_handle(secret)
    options = ["--bind", tmp_path / "given", "/rw"]
    results = box.attack(program("fs"), "handle", "/rw", kind, handle, options=options)
    assert results["open-by-handle"] == "EPERM", results
    results = box.attack(program("fs"), "nested", "handle", "/rw", kind, handle, options=options, userns=True)
    assert results["nested"] == "ok" and results["open-by-handle"] == "EPERM", results
    assert results["open-by-handle-of-clone"] == "EPERM", results
    with acting_as_root():  # the handle is good: real root opens it
        if os.geteuid() == 0:
            free = Results(subprocess.run([program("fs"), "handle", tmp_path / "given", kind, handle], text=True,
                                          capture_output=True, check=True).stdout)
            assert free["open-by-handle"] == "ok" and free["secret"] == "read", free


def test_F34_overlay_writes_stay_in_the_upper_layer(box, program, tmp_path):
    """That the overlay itself is writable is the control."""
    lower = tmp_path / "lower"
    lower.mkdir()
    make_ro_victims(lower)
    before = snapshot(lower)
    results = box.attack(program("fs"), "ro", "/o", options=["--overlay-src", lower, "--tmp-overlay", "/o"])
    changed = {name: value for name, value in results.items() if value == "ok"}
    assert len(changed) >= 18, results  # the control: the overlay is writable
    assert snapshot(lower) == before
    assert not any(name.startswith("user.attack") for path in lower.iterdir() for name in os.listxattr(path))


def test_F34_forged_overlay_attributes(box, program, tmp_path):
    """An attacker who wrote a layer forges user.overlay.* to have another file's content shown."""
    if not has_user_attributes(tmp_path):
        pytest.skip("no user extended attributes on the file system of the tests")
    bottom, top = tmp_path / "bottom", tmp_path / "top"
    (bottom / "hidden").mkdir(parents=True)
    (bottom / "hidden" / "secret").write_text(SECRET)
    (bottom / "plain").write_text("bottom")
    (bottom / "opaque").mkdir()
    (bottom / "opaque" / "below").write_text("")
    (top / "redirected").mkdir(parents=True)
    (top / "opaque").mkdir()
    (top / "metacopy").write_text("")
    os.truncate(top / "metacopy", 20)
    os.setxattr(top / "redirected", "user.overlay.redirect", b"/hidden")
    os.setxattr(top / "metacopy", "user.overlay.redirect", b"/hidden/secret")
    os.setxattr(top / "metacopy", "user.overlay.metacopy", b"")
    os.setxattr(top / "opaque", "user.overlay.opaque", b"y")
    layers = ["--overlay-src", bottom, "--overlay-src", top]
    for kind in ("--tmp-overlay", "--ro-overlay"):
        results = box.attack(program("fs"), "open", "/o/redirected/secret", "read", "/o/metacopy", "open",
                             "/o/opaque/below", "read", "/o/plain", "read", "/o/hidden/secret",
                             options=[*layers, kind, "/o"])
        assert results.all("open")[0] == "EPERM" and results["read"] == "EPERM", results
        # Controls: the layer's harmless mark is read, what is not forged is shown.
        assert results.all("open")[1] == "ENOENT"
        assert results.all("content") == ["bottom", SECRET]


def test_F35_upper_and_work_directories(box, program, tmp_path):
    """The control gives the upper directory as well: then it is found."""
    for name in ("lower", "upper", "work"):
        (tmp_path / name).mkdir()
    for overlay in (["--tmp-overlay", "/o"], ["--overlay", tmp_path / "upper", tmp_path / "work", "/o"]):
        options = ["--overlay-src", tmp_path / "lower", *overlay]
        results = box.attack(program("fs"), "create", "/o/marker", "find", "marker", "mounts", options=options)
        assert results["create"] == "ok" and results.all("found") == ["/o/marker"]
        assert {line.split()[4] for line in results.all("mount")} >= {"/", "/o"}
    # Where the upper directory is given as well, the same search finds it.
    results = box.attack(program("fs"), "find", "marker", options=[*options, "--ro-bind", tmp_path / "upper", "/up"])
    assert results.all("found") == ["/o/marker", "/up/marker"] or set(results.all("found")) == {"/o/marker", "/up/marker"}


# ---- F39, F41, F44 -------------------------------------------------------------------------------------------------
def test_F39_device_nodes_of_dev(box, program):
    allowed = {f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty", "pts/ptmx")}
    results = box.attack(program("fs"), "nodes", "/dev", dev=True)
    assert set(results.all("char")) == allowed and results.all("block") == []
    free = box.attack(program("fs"), "nodes", "/dev", options=["--dev-bind", "/dev", "/dev"])
    assert len(set(free.all("char"))) > len(allowed)


def test_F41_program_of_the_sandbox_itself(box, program, run, popen, tmp_path):
    """CVE-2019-5736: the running binary, owned by the user, must not be reachable through /proc."""
    own = tmp_path / box.name
    own.write_bytes(pathlib.Path(box.personality.path).read_bytes())
    own.chmod(0o755)
    before = own.read_bytes()
    box.personality.path = str(own)
    for pid in (True, False):
        results = box.attack(program("processes"), "ancestors-exe", pid=pid)
        assert int(results["tried"]) >= 1
        assert set(results.but("tried").values()) == {"EACCES"}, results
    assert own.read_bytes() == before
    # Control: a process of the same user that is not guarded.
    sleeper = popen(["sleep", "60"])
    for mode, expected in (("open", "ok"), ("openw", "ETXTBSY" if os.access("/bin/sleep", os.W_OK) else "EACCES")):
        assert control(run, program("fs"), mode, f"/proc/{sleeper.pid}/exe")[mode] == expected
