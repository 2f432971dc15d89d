# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the attack tests share: the sandboxes under attack, and how attack programs are started and read.

A test module imports `box`, `program` and `pytest_generate_tests` from here. `box` is a sandbox under attack:

    cloche       the defaults of cloche
    cloche-id    the same with another uid inside: 0 for the ordinary user, 1000 for root
    bwrap        as bwrap; for root with --unshare-user, which leaves it capabilities there: box.keeps_capabilities
    bwrap-caps   as bwrap; for root with --cap-drop ALL and no user namespace, for the ordinary user as uid 0 inside

A module may narrow the list with `@pytest.mark.personalities("cloche")`: rows that hold by default under that name only.

    results = box.attack(program("fs"), "remount", "/x", options=["--ro-bind", directory, "/x"])
    assert results["remount"] == "EPERM"

The attack program is started as /attack, bound from the host; see attack.h for its verbs. The same verbs without the
sandbox are the control: `control(run, program("fs"), "remount", ...)`.
"""
import os
import pathlib

import pytest

from conftest import IS_ROOT, Personality, acting_as_root

HERE = pathlib.Path(__file__).resolve().parent
BOXES = ("cloche", "cloche-id", "bwrap", "bwrap-caps")
SECRET = "SECRET-OF-THE-HOST"


class Results(dict):
    """The lines `NAME VALUE` of an attack program: the first value of each name; all of them by all()."""

    def __init__(self, text):
        self.lines = [line.split(" ", 1) for line in text.splitlines() if " " in line]
        for name, value in reversed(self.lines):
            self[name] = value
        self.text = text

    def all(self, name):
        return [value for n, value in self.lines if n == name]

    def but(self, *names):
        return {name: value for name, value in self.items() if name not in names}


class Box:
    """A sandbox under attack."""

    def __init__(self, kind, user, run):
        self.kind, self.user, self.run_program = kind, user, run
        self.name = kind.split("-")[0]
        self.personality = Personality(self.name)
        self.is_cloche = self.name == "cloche"
        self.setup_failed = 125 if self.is_cloche else 1
        if kind == "cloche":
            self.shield = []
        elif kind == "cloche-id":
            self.shield = ["--uid", "1000", "--gid", "1000"] if user.is_root else ["--uid", "0", "--gid", "0"]
        elif kind == "bwrap":
            self.shield = ["--unshare-user"] if user.is_root else []
        else:
            self.shield = ["--cap-drop", "ALL"] if user.is_root else ["--unshare-user", "--uid", "0", "--gid", "0"]
        self.wrap = lambda argv: argv  # how the whole command line is started, e.g. under a filter
        # Root's bwrap with a user namespace alone leaves COMMAND all capabilities in it, as bubblewrap does.
        self.keeps_capabilities = kind == "bwrap" and user.is_root
        self.own_user_namespace = self.is_cloche or not user.is_root or kind == "bwrap"

    def argv(self, options, command):
        """Everything is given by options: under both names the root starts out empty but for /proc and /dev."""
        start = [self.personality.path, *self.shield]
        if self.is_cloche:
            start.append("--bare")
        return self.wrap([*start, *options, "--", *command])

    def options(self, program, *, pid=True, proc=True, dev=False, userns=False):
        """Options for an empty root with the attack program as /attack."""
        options = ["--ro-bind", program, "/attack"]
        if pid and not self.is_cloche:
            options.append("--unshare-pid")
        if not pid and self.is_cloche:
            options.append("--share-pid")
        if proc:
            options += ["--proc", "/proc"]
        if dev:
            options += ["--dev", "/dev"]
        if userns and self.is_cloche:
            options.append("--allow-userns")
        return options

    def start(self, program, *verbs, options=(), pid=True, proc=True, dev=False, userns=False, **rest):
        given = self.options(program, pid=pid, proc=proc, dev=dev, userns=userns)
        return self.run_program(self.argv([*given, *options], ["/attack", *verbs]), **rest)

    def attack(self, program, *verbs, check=True, **rest):
        result = self.start(program, *verbs, **rest)
        if check:
            assert result.returncode == 0, result
        results = Results(result.stdout)
        assert results or not check, result
        return results

    def __str__(self):
        return self.kind


def pytest_generate_tests(metafunc):
    if "box" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("personalities")
        names = [b for b in BOXES if not marker or b.split("-")[0] in marker.args]
        metafunc.parametrize("box", names, indirect=True)


@pytest.fixture
def box(request, user, run):
    return Box(request.param, user, run)


@pytest.fixture
def program(compile_c):
    """program("fs"): the compiled attack program of fs.c."""
    def program(name):
        return compile_c(HERE / f"{name}.c", flags=["-pthread"])
    return program


def control(run, program, *verbs, check=True, **rest):
    """The same attack without a sandbox."""
    result = run([program, *verbs], **rest)
    if check:
        assert result.returncode == 0, result
    return Results(result.stdout)


def snapshot(directory):
    """All that an attack could change below a directory: names, kinds, modes, owners, contents, link targets."""
    found = {}
    for root, directories, files in os.walk(directory):
        for path in (os.path.join(root, name) for name in directories + files):
            st = os.lstat(path)
            content = None
            if os.path.islink(path):
                content = os.readlink(path)
            elif os.path.isfile(path):
                content = pathlib.Path(path).read_bytes() if os.access(path, os.R_OK) else "unreadable"
            found[os.path.relpath(path, directory)] = (st.st_mode, st.st_uid, st.st_gid, content)
    found["."] = os.lstat(directory).st_mode
    return found


def needs_root_for(what):
    """Some set-ups (a set-user-ID file of another user) are root's to make; ./check starts pytest as root."""
    if not IS_ROOT:
        pytest.skip(f"only root can make {what}")


__all__ = ["BOXES", "Box", "HERE", "Results", "SECRET", "acting_as_root", "box", "control", "needs_root_for", "program",
           "pytest_generate_tests", "snapshot"]
