# SPDX-License-Identifier: LGPL-2.1-or-later
"""Symbolic links, ".." and magic links in destinations: they lead somewhere inside, and never reach the host.

A directory of the host, the tree, is the sandbox's root, writable, so a wrong step would be seen: in the tree at
another place, or outside of it. Every option that takes a destination meets every kind of path, three times: with openat2(2),
without it (ENOSYS) and with it forbidden (EPERM). All three must do and say the same.
"""
import os
import shutil

import pytest

from conftest import Personality
from e2elib import (LOOK_C, MQUEUE, OVERLAY, PROC, TMPFS, assert_fails, looks, memfd, opened,  # noqa: F401
                    snapshot)

DATA = "some data\n"


class Option:
    """How to use an option on a destination, and how to see afterwards that it acted there."""

    def __init__(self, words, acted, directory=True, exists=False, before=(), create=True):
        self.words, self.acted, self.directory = words, acted, directory
        self.exists = exists  # the destination must be there
        self.before = before  # options on the real place, which must come first
        self.create = create


def is_bind(seen):
    return seen.mount and "marker" in seen.names


OPTIONS = {
    "bind": Option(["--bind", "SOURCE", "DEST"], is_bind),
    "bind-try": Option(["--bind-try", "SOURCE", "DEST"], is_bind),
    "dev-bind": Option(["--dev-bind", "SOURCE", "DEST"], is_bind),
    "dev-bind-try": Option(["--dev-bind-try", "SOURCE", "DEST"], is_bind),
    "ro-bind": Option(["--ro-bind", "SOURCE", "DEST"], lambda seen: is_bind(seen) and seen.ro),
    "ro-bind-try": Option(["--ro-bind-try", "SOURCE", "DEST"], lambda seen: is_bind(seen) and seen.ro),
    "bind-file": Option(["--bind", "SOURCE/marker", "DEST"], lambda seen: seen.mount and seen.content == "marker",
                        False),
    "bind-fd": Option(["--bind-fd", "DIRFD", "DEST"], is_bind),
    "ro-bind-fd": Option(["--ro-bind-fd", "DIRFD", "DEST"], lambda seen: is_bind(seen) and seen.ro),
    "tmpfs": Option(["--tmpfs", "DEST"], lambda seen: seen.mount and seen.fs == TMPFS),
    "dir": Option(["--perms", "0751", "--dir", "DEST"], lambda seen: seen.leads_to == "dir" and not seen.mount),
    "file": Option(["--file", "FD", "DEST"], lambda seen: seen.content == DATA and not seen.mount, False),
    "bind-data": Option(["--bind-data", "FD", "DEST"], lambda seen: seen.mount and seen.content == DATA, False),
    "ro-bind-data": Option(["--ro-bind-data", "FD", "DEST"], lambda seen: seen.mount and seen.ro, False),
    "proc": Option(["--proc", "DEST"], lambda seen: seen.mount and seen.fs == PROC),
    "dev": Option(["--dev", "DEST"], lambda seen: seen.mount and "urandom" in seen.names),
    "mqueue": Option(["--mqueue", "DEST"], lambda seen: seen.mount and seen.fs == MQUEUE),
    "overlay": Option(["--overlay-src", "SOURCE", "--overlay", "UPPER", "WORK", "DEST"],
                      lambda seen: is_bind(seen) and seen.fs == OVERLAY),
    "tmp-overlay": Option(["--overlay-src", "SOURCE", "--tmp-overlay", "DEST"],
                          lambda seen: is_bind(seen) and seen.fs == OVERLAY),
    "ro-overlay": Option(["--overlay-src", "SOURCE", "--overlay-src", "SOURCE2", "--ro-overlay", "DEST"],
                         lambda seen: is_bind(seen) and seen.fs == OVERLAY),
    "remount-ro": Option(["--remount-ro", "DEST"], lambda seen: seen.mount and seen.ro, exists=True,
                         before=["--tmpfs", "PLACE"]),
    "chmod": Option(["--chmod", "0711", "DEST"], lambda seen: seen.mode == "0711", exists=True),
    "chdir": Option(["--chdir", "DEST"], None, exists=True),
    "lock-file": Option(["--lock-file", "DEST"], None, False, exists=True),
    "symlink": Option(["--symlink", "target", "DEST"], lambda seen: seen.type == "link" and seen.link == "target",
                      False),
}

# Name: (destination, where that is). HOST is a place outside of the tree that exists on the host.
PATHS = {
    "plain": ("/real/KIND", "/real/KIND"),
    "missing": ("/real/new/deep", "/real/new/deep"),
    "dots": ("/links/../real/./KIND", "/real/KIND"),
    "climb": ("/../../links/../../../real/KIND", "/real/KIND"),
    "relative": ("real/KIND", "/real/KIND"),
    "parent-relative": ("/links/parent/KIND", "/real/KIND"),
    "parent-absolute": ("/links/parent-absolute/KIND", "/real/KIND"),
    "parent-climbs": ("/links/parent-climbs/KIND", "/real/KIND"),
    "var-run": ("/var/run/new", "/run/new"),
    "var-run-absolute": ("/var/run-absolute/new", "/run/new"),
    "parent-dangling": ("/links/dangling-parent/new", "/made/new"),
    "parent-host": ("/links/host/new", "HOST/new"),
    "final-relative": ("/links/relative-KIND", "/real/KIND"),
    "final-absolute": ("/links/absolute-KIND", "/real/KIND"),
    "final-chain": ("/links/chain-KIND", "/real/KIND"),
    "final-climbs": ("/links/climb-KIND", "/real/KIND"),
    "final-dangling": ("/links/dangling", "/real/made"),
    "final-dangling-deep": ("/links/dangling-deep", "/made/deep"),
    "final-host": ("/links/host", "HOST"),
}
LOOPS = {"loop-parent": "/links/loop/x", "loop-final": "/links/loop", "loop-self": "/links/self"}
MAGIC = {"root": "/proc/self/root/real/KIND", "cwd": "/proc/self/cwd/x", "final-exe": "/proc/self/exe"}


class Tree:
    def __init__(self, top, look):
        self.path, self.host = top / "tree", top / "host"
        self.sources = {name: top / name for name in ("source", "source2", "upper", "work")}
        for path in (self.path, self.host, *self.sources.values()):
            path.mkdir()
        (self.sources["source"] / "marker").write_text("marker")
        (self.host / "precious").write_text("precious")
        for name in ("real", "links", "var", "run", "proc"):
            (self.path / name).mkdir()
        (self.path / "real" / "dir").mkdir()
        (self.path / "real" / "file").write_text("")
        self.look = look
        (self.path / "look").touch()
        for name, target in {
                "parent": "../real", "parent-absolute": "/real", "parent-climbs": "../../../../real",
                "dangling-parent": "/made", "host": str(self.host), "dangling": "../real/made",
                "dangling-deep": "/made/deep", "loop": "loop2", "loop2": "/links/loop", "self": "self"}.items():
            (self.path / "links" / name).symlink_to(target)
        for kind in ("dir", "file"):
            (self.path / "links" / f"relative-{kind}").symlink_to(f"../real/{kind}")
            (self.path / "links" / f"absolute-{kind}").symlink_to(f"/real/{kind}")
            (self.path / "links" / f"chain-{kind}").symlink_to(f"absolute-{kind}")
            (self.path / "links" / f"climb-{kind}").symlink_to(f"../../../real/{kind}")
        (self.path / "var" / "run").symlink_to("../run")
        (self.path / "var" / "run-absolute").symlink_to("/run")

    def argv(self, personality, option, dest, place, data_fd, directory_fd):
        create = ["--create-dest"] if personality.name == "cloche" else []
        names = {"DEST": dest, "PLACE": place, "SOURCE2": str(self.sources["source2"]), "FD": str(data_fd),
                 "DIRFD": str(directory_fd), "UPPER": str(self.sources["upper"]), "WORK": str(self.sources["work"])}
        words = [names.get(word, word.replace("SOURCE", str(self.sources["source"])))
                 for word in [*option.before, *option.words]]
        return [personality, "--unshare-user", "--unshare-pid", "--unshare-ipc", *create, "--bind", self.path, "/",
                *words,
                "--ro-bind", self.look, "/look", "--", "/look", place, "."]


@pytest.fixture
def thrice(run, compile_c, without_syscalls, memfd, opened, tmp_path):
    """thrice(personality, option, dest, place): (result, what is inside, the tree), the same in all three ways."""
    def once(number, way, personality, option, dest, place):
        tree = Tree(tmp_path / str(number), compile_c(LOOK_C))
        host = str(tree.host)
        fds = [memfd(DATA), opened(tree.sources["source"])]
        argv = tree.argv(personality, option, dest, place.replace("HOST", host), *fds)
        if way:
            argv = without_syscalls("openat2", [str(word) for word in argv], way)
        before = snapshot(tree.host)
        result = run(argv, pass_fds=fds)
        assert snapshot(tree.host) == before, "the host was changed"
        seen = looks(result.stdout) if result.returncode == 0 else {}
        top = str(tmp_path / str(number))
        told = (result.returncode, result.stderr.replace(top, "TOP").replace(
            f" {fds[0]} ", " FD ").replace(f" {fds[1]} ", " DIRFD "))
        after = snapshot(tree.path)
        described = {path.replace(top, "TOP"): {key: value for key, value in vars(look).items()
                                                if key not in ("path", "inodes", "size", "names", "bytes", "cwd")}
                     for path, look in seen.items()}
        after = {name.replace(top[1:], "TOP"): str(value).replace(top, "TOP") for name, value in after.items()}
        return (told, described, after), (result, seen, tree)

    def thrice(*what):
        for number in range(3):
            (tmp_path / str(number)).mkdir()
        first, answer = once(0, None, *what)
        for number, error in ((1, "ENOSYS"), (2, "EPERM")):
            assert once(number, error, *what)[0] == first, f"without openat2 ({error}) something else happens"
        return answer

    return thrice


# The personalities share this code; what differs is who may create something: for our own name a few options will do.
UNDER_BOTH = ("bind", "tmpfs", "dir", "file", "symlink", "chmod", "overlay", "chdir")


def options_of(personality):
    return OPTIONS if personality == "bwrap" else UNDER_BOTH


def cases():
    for personality in ("cloche", "bwrap"):
        for name in options_of(personality):
            for path in PATHS:
                if name == "symlink" and path.startswith("final"):
                    continue  # a link as destination of --symlink is not followed: below
                chosen = (name, path) in (("tmpfs", "final-absolute"), ("file", "final-host"))
                yield pytest.param(Personality(personality), name, path, id=f"{personality}-{name}-{path}",
                                   marks=[pytest.mark.vm] if chosen else [])


def bad_cases(dests):
    for personality in ("cloche", "bwrap"):
        for name in options_of(personality):
            for dest in dests:
                yield pytest.param(Personality(personality), name, dest, id=f"{personality}-{name}-{dest}")


@pytest.mark.parametrize("called, name, path", cases())
def test_destination_resolves_inside(thrice, called, name, path):
    option = OPTIONS[name]
    dest, place = (text.replace("KIND", "dir" if option.directory else "file") for text in PATHS[path])
    if name == "symlink":
        dest, place = dest.replace("/file", "/link"), place.replace("/file", "/link")
    result, seen, tree = thrice(called, option, dest, place)
    place = place.replace("HOST", str(tree.host))
    missing = option.exists and not option.before and not (path in ("plain", "dots", "climb", "relative") or "real/KIND"
                                                           in PATHS[path][1])
    if missing:
        assert_fails(result, called, dest, "No such file or directory")
        return
    assert result.returncode == 0, result
    if name == "chdir":
        assert seen["."].cwd == place
    elif option.acted:
        assert option.acted(seen[place]), seen[place]


@pytest.mark.parametrize("called, name, loop", bad_cases(LOOPS))
def test_destination_loop(thrice, called, name, loop):
    dest = LOOPS[loop]
    if name == "symlink" and "final" in loop or name == "symlink" and loop == "loop-self":
        dest = "/links/loop/y"
    option = OPTIONS[name]
    option = Option(option.words, None, option.directory) if option.before else option
    result, _, tree = thrice(called, option, dest, "/real")
    assert_fails(result, called, dest, "Too many levels of symbolic links")


@pytest.mark.parametrize("called, name, magic", bad_cases(MAGIC))
def test_destination_magic_link(thrice, called, name, magic):
    """Links of procfs that jump to objects instead of paths are refused."""
    option = OPTIONS[name]
    dest = MAGIC[magic].replace("KIND", "dir" if option.directory else "file")
    if name == "symlink" and magic == "final-exe":
        dest = "/proc/self/root/x"
    option = Option(["--proc", "/proc", *option.words], None, option.directory)
    result, _, _ = thrice(called, option, dest, "/real")
    assert_fails(result, called, dest, "Too many levels of symbolic links")


@pytest.mark.parametrize("place", ["relative-dir", "absolute-file", "dangling", "host", "loop"])
def test_symlink_on_a_link(personality, thrice, place):
    """The same link again is fine, another one is an error; neither follows what is there."""
    dest = f"/links/{place}"
    result, _, tree = thrice(personality, OPTIONS["symlink"], dest, "/real")
    target = os.readlink(tree.path / "links" / place)
    assert_fails(result, personality, target)
    result, _, _ = thrice_again(thrice, personality, target, dest, tree)
    assert result.returncode == 0, result


def thrice_again(thrice, personality, target, dest, tree):
    for number in range(3):
        shutil.rmtree(tree.path.parent.parent / str(number))
    if str(tree.host) in target:
        dest, target = "/links/parent", "../real"
    return thrice(personality, Option(["--symlink", target, "DEST"], None, False), dest, "/real")


def test_symlink_on_something_else(personality, thrice):
    result, _, _ = thrice(personality, OPTIONS["symlink"], "/real/dir", "/real")
    assert_fails(result, personality, "/real/dir", "is not a symbolic link" if personality.name == "cloche" else
                 "destination exists and is not a symlink")


def test_destination_is_no_directory(personality, thrice):
    for dest in ("/real/file/below", "/links/relative-file/below"):
        result, _, tree = thrice(personality, OPTIONS["tmpfs"], dest, "/real")
        assert_fails(result, personality, dest, "Not a directory")
        for number in range(3):
            shutil.rmtree(tree.path.parent.parent / str(number))


@pytest.mark.parametrize("way", [None, "ENOSYS", "EPERM"])
@pytest.mark.parametrize("name", ["bind", "tmpfs", "dir", "file", "symlink", "chdir", "overlay"])
def test_destination_below_a_directory_one_may_only_pass(personality, run, without_syscalls, tmp_path, memfd, opened,
                                                         name, way):
    """tmp_path lies below a directory of root's with mode 0711: no listing, no reading, but a way through."""
    assert os.stat(tmp_path.parent).st_mode & 0o7777 == 0o711
    for directory in ("source", "upper", "work", "there"):
        (tmp_path / directory).mkdir()
    (tmp_path / "source" / "marker").write_text("marker")
    fd = memfd(DATA)
    dest = tmp_path / "there" / ("" if name == "chdir" else "new")
    names = {"SOURCE": tmp_path / "source", "DEST": dest, "FD": fd, "UPPER": tmp_path / "upper",
             "WORK": tmp_path / "work"}
    create = ["--create-dest"] if personality.name == "cloche" else []
    words = [str(names.get(word, word)) for word in OPTIONS[name].words]
    argv = [str(personality), *create, "--dev-bind", "/", "/", *words, "stat", "-c", "%F", str(dest)]
    result = run(without_syscalls("openat2", argv, way) if way else argv, pass_fds=[fd])
    kind = {"file": "regular file", "symlink": "symbolic link"}.get(name, "directory")
    assert (result.returncode, result.stdout) == (0, f"{kind}\n"), result


def test_destination_link_made_by_an_option(personality, run):
    """WebKitGTK's order: a link of our own, then mounts through it."""
    result = run([personality, "--tmpfs", "/", "--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib",
                  "--symlink", "usr/lib64",
                  "/lib64", "--symlink", "../tmp", "/var/tmp", "--symlink", "/run", "/var/run", "--tmpfs", "/var/run/x",
                  "--dir", "/tmp", "--dir", "/var/tmp/d", "/usr/bin/find", "/tmp", "/run"])
    assert result.returncode == 0 and set(result.stdout.split()) == {"/tmp", "/tmp/d", "/run", "/run/x"}, result
