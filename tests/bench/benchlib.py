# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the benches share: the cases of the start budgets, the programs they
run, and the ordinary user they run as.

The bench scripts may be started by root or by an ordinary user. What is
measured always runs as an ordinary user; root only adds what an ordinary
user cannot see or make (a mount namespace without a user namespace around
it, the exact memory of non-dumpable processes).
"""

import os
import pwd
import shutil
import subprocess
import tempfile

BENCH = os.path.dirname(os.path.abspath(__file__))
PROJECT = os.path.dirname(os.path.dirname(BENCH))
CFLAGS = ["-std=gnu11", "-O2", "-Wall", "-Wextra"]


class Broken(Exception):
    """The run itself failed, which is not the same as a missed budget."""


def ordinary_user():
    """Returns (uid, gid) to measure as: our own, or for root one that is not."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    for name in (os.environ.get("CLOCHE_TEST_USER"), "cloche-test", "tester", "nobody"):
        try:
            entry = pwd.getpwnam(name or "")
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return entry.pw_uid, entry.pw_gid
    raise Broken("no ordinary user to run as; set CLOCHE_TEST_USER")


def drop_to(uid, gid):
    """Returns the keyword arguments that make subprocess start something as that user."""
    if os.geteuid() != 0:
        return {}
    return {"user": uid, "group": gid, "extra_groups": []}


class Workshop:
    """A temporary directory with the tools, the payload and the bind sources."""

    def __init__(self, directory=None):
        self.path = tempfile.mkdtemp(prefix="cloche-bench.", dir=directory)
        os.chmod(self.path, 0o755)
        os.mkdir(self.in_it("bin"))
        os.mkdir(self.in_it("mounts"))
        os.mkdir(self.in_it("src"))
        for i in range(1000):
            os.mkdir(self.in_it("src", f"{i:04}"))

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        shutil.rmtree(self.path)

    def in_it(self, *parts):
        return os.path.join(self.path, *parts)

    def compile(self, source, name, *flags):
        """Compiles tests/bench/SOURCE to bin/NAME and returns the path."""
        target = self.in_it("bin", name)
        command = [os.environ.get("CC", "cc"), *CFLAGS, "-o", target,
                   os.path.join(BENCH, source), *flags]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Broken(f"cannot compile {source}: {done.stderr}")
        return target

    def compile_payloads(self):
        bare = ["-nostdlib", "-static", "-fno-stack-protector", "-fcf-protection=none"]
        self.compile("true.c", "true", *bare)
        self.compile("true.c", "hold", *bare, "-DHOLD")

    def adopt(self, program, name):
        """Copies PROGRAM to NAME/bwrap, where the ordinary user can certainly execute it."""
        if not os.access(program, os.X_OK):
            raise Broken(f"{program} is not there or not executable")
        os.mkdir(self.in_it(name))
        return shutil.copy(program, self.in_it(name, "bwrap"))


def binds(shop, count):
    """COUNT read-only binds; the first brings the payload, the others are empty directories."""
    options = ["--ro-bind", shop.in_it("bin"), "/payload"]
    for i in range(1, count):
        options += ["--ro-bind", shop.in_it("src", f"{i:04}"), f"/bound{i:04}"]
    return options


def case_options(shop, case):
    """The options of one case of the budgets, and the payload's directory as seen inside."""
    everything = ["--unshare-all", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]
    return {
        "a": (["--ro-bind", "/", "/"], shop.in_it("bin")),
        "b": (everything + binds(shop, 20), "/payload"),
        "c": (binds(shop, 200), "/payload"),
        "d": (binds(shop, 1000), "/payload"),
        "m": (["--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"],
              shop.in_it("bin")),
    }[case]


def build(kind, shop):
    """Returns our `bwrap` of KIND (dynamic or static), built here unless the environment names
    a build directory."""
    variable = {"dynamic": "CLOCHE_BUILD", "static": "CLOCHE_BUILD_STATIC"}[kind]
    directory = os.environ.get(variable)
    if not directory:
        directory = shop.in_it(f"build-{kind}")
        options = ["-Dlink=static"] if kind == "static" else []
        for command in (["meson", "setup", *options, directory, PROJECT],
                        ["meson", "compile", "-C", directory]):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise Broken(f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return os.path.join(directory, "bwrap")
