# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attacks on a sandbox without namespaces (--isolation landlock): Landlock's path rules, seccomp and no_new_privs alone.

Numbers as in SECURITY.md; what such a sandbox does not promise is in its warning and in cloche(1).
"""
import ctypes
import os

import pytest

from attacking import SECRET, control, program, snapshot

__all__ = ["program"]

pytestmark = pytest.mark.vm

ABI = max(0, ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), ctypes.c_uint(1)))
MADE = ("file", "dir", "fifo", "symlink", "socket", "tmpfile")


class Tier:
    """A sandbox without namespaces: `rw` read-write, `ro` read-only, and `out` not given at all."""

    def __init__(self, directory, cloche, run):
        self.run, self.cloche = run, cloche
        self.rw, self.ro, self.out = (directory / name for name in ("rw", "ro", "out"))
        for place in self.rw, self.ro, self.out:
            (place / "sub").mkdir(parents=True)
            for name in "file", "sub/file":
                (place / name).write_text(SECRET + "\n")
        (self.rw / "link").symlink_to(self.out)
        (self.rw / "up").symlink_to("../out/file")

    def argv(self, attack_program, *options):
        return [self.cloche, "--isolation", "landlock", "--share-ipc", "--bare", "--ro-bind", attack_program, attack_program,
                "--bind", self.rw, self.rw, "--ro-bind", self.ro, self.ro, *options, "--", attack_program]

    def attack(self, attack_program, *verbs, options=()):
        return control(self.run, self.cloche, *[str(word) for word in self.argv(attack_program, *options)[1:]],
                       *map(str, verbs))


@pytest.fixture
def tier(tmp_path, cloche, run):
    return Tier(tmp_path, cloche, run)


def test_F1_tier_read_only(tier, program, run):
    """What is given read-only is read, and not changed."""
    before = snapshot(tier.ro)
    verbs = ["read", tier.ro / "file", "write", tier.ro / "file", "unlink", tier.ro / "file", "make", tier.ro]
    results = tier.attack(program("landlock"), *verbs)
    assert results["content"] == SECRET
    assert results.but("content") == {"write": "EACCES", "unlink": "EACCES", **dict.fromkeys(MADE, "EACCES")}
    if ABI >= 3:
        assert tier.attack(program("landlock"), "truncate", tier.ro / "file") == {"truncate": "EACCES"}
    assert snapshot(tier.ro) == before
    assert set(tier.attack(program("landlock"), "make", tier.rw).values()) == {"ok"}
    verbs = ["write", tier.ro / "file", "make", tier.ro, "truncate", tier.ro / "file", "unlink", tier.ro / "file"]
    assert set(control(run, program("landlock"), *map(str, verbs)).values()) == {"ok"}


@pytest.mark.parametrize("path", ["{out}/file", "{rw}/link/file", "{rw}/up", "{rw}/../out/file", "/proc/self/root{out}/file",
                                  "/proc/self/cwd/{out}/file", "/proc/{outside}/root{out}/file", "/proc/{outside}/cwd/file"])
def test_F15_tier_secret_outside(tier, program, run, popen, path):
    """By its name, by links, by `..`, and through procfs, also through a process outside whose directory it is."""
    outside = popen(["sleep", "1000"], cwd=tier.out)
    path = path.format(rw=tier.rw, out=tier.out, outside=outside.pid).replace("cwd//", "cwd/../../../../../../../../")
    results = tier.attack(program("landlock"), "read", path, "write", path, options=["--proc", "/proc"])
    assert results == {"read": "EACCES", "write": "EACCES"}
    assert control(run, program("landlock"), "read", path, "write", path) == {"content": SECRET, "write": "ok"}


def test_F15_tier_directories_outside(tier, program, run):
    verbs = ["list", tier.out, "make", tier.out]
    assert set(tier.attack(program("landlock"), *verbs).values()) == {"EACCES"}
    # A directory can become the working directory, and gives nothing.
    verbs = ["chdir", tier.out, "read", "file", "read", "./sub/../file", "list", "."]
    assert tier.attack(program("landlock"), *verbs) == {"chdir": "ok", "read": "EACCES", "list": "EACCES"}
    if ABI >= 3:
        assert tier.attack(program("landlock"), "truncate", tier.out / "file") == {"truncate": "EACCES"}
    assert control(run, program("landlock"), *map(str, verbs)) == {"chdir": "ok", "content": SECRET, "list": "ok"}


@pytest.mark.parametrize("verb", ["rename", "link", "exchange"])
@pytest.mark.parametrize("source, target", [("out/file", "rw/stolen"), ("rw/file", "out/planted"), ("ro/file", "rw/stolen"),
                                            ("out", "rw/stolen"), ("rw/sub", "out/planted")])
def test_F33_tier_moving_things(tier, program, run, tmp_path, verb, source, target):
    """Nothing leaves or enters the given trees by another name, and nothing gets more rights by it."""
    if verb == "exchange":
        (tmp_path / target).mkdir()
    if verb == "link" and (tmp_path / source).is_dir():
        source += "/file"
    before = snapshot(tmp_path)
    found = tier.attack(program("landlock"), verb, tmp_path / source, tmp_path / target)
    assert found[verb] in ("EACCES", "EXDEV"), found
    assert snapshot(tmp_path) == before
    assert control(run, program("landlock"), verb, str(tmp_path / source), str(tmp_path / target))[verb] == "ok"


def test_F33_tier_links_lead_nowhere(tier, program, run):
    """A symbolic link may be made where one may write, and opens nothing."""
    verbs = ["symlink", tier.out / "file", tier.rw / "to-file", "read", tier.rw / "to-file", "write", tier.rw / "to-file"]
    assert tier.attack(program("landlock"), *verbs) == {"symlink": "ok", "read": "EACCES", "write": "EACCES"}
    assert control(run, program("landlock"), *map(str, verbs[3:])) == {"content": SECRET, "write": "ok"}


def test_F2_tier_namespaces_give_no_way_out(tier, program, run):
    """None can be made by default. One that is allowed gives capabilities that the rules outlast: no mount, no other root."""
    assert tier.attack(program("landlock"), "nested", options=["--proc", "/proc"]) == {"nested": "EPERM"}
    verbs = ["nested", "mount", tier.rw, "chroot", tier.out, "read", "/file"]
    results = tier.attack(program("landlock"), *verbs, options=["--proc", "/proc", "--allow-userns"])
    assert results == {"nested": "ok", "mount": "EPERM", "chroot": "ok", "read": "EACCES"}
    found = control(run, program("landlock"), *map(str, verbs))
    assert found == {"nested": "ok", "mount": "ok", "chroot": "ok", "content": SECRET}


def test_P3_tier_tracing(tier, program, run, popen):
    """A process outside, the init process and the supervisor cannot be traced or looked into."""
    outside = popen(["sleep", "1000"])
    results = tier.attack(program("landlock"), "trace", outside.pid, options=["--proc", "/proc"])
    assert results == {"ptrace": "EPERM", "vm-read": "EPERM", **dict.fromkeys(("environ", "fd", "root", "cwd"), "EACCES")}
    assert set(control(run, program("landlock"), "trace", str(outside.pid)).values()) == {"ok"}


def test_C2_tier_no_privilege(tier, program, run, tmp_path):
    script = "grep -E 'NoNewPrivs|CapPrm|CapEff|CapAmb' /proc/self/status"
    result = run([tier.cloche, "--isolation", "landlock", "sh", "-c", script], check=True)
    values = dict(line.split(":\t") for line in result.stdout.splitlines())
    assert values.pop("NoNewPrivs") == "1" and set(values.values()) == {"0" * 16}
    free = run(["sh", "-c", script], check=True).stdout
    assert "NoNewPrivs:\t0" in free


def test_F41_tier_programs_outside(tier, program, run, tmp_path):
    """What is not given is not run, though its mode would allow it."""
    victim = tier.out / "program"
    victim.write_text("#!/bin/sh\necho execute ok\n")
    victim.chmod(0o755)
    os.link(victim, tier.rw / "program")
    for options in ((), ("--ro-bind", "/usr", "/usr")):
        assert tier.attack(program("landlock"), "execute", victim, options=options) == {"execute": "EACCES"}
    # The same file below a given directory, and without a sandbox: it runs.
    options = ["--ro-bind", "/usr", "/usr", "--ro-bind", "/bin", "/bin", "--ro-bind", "/lib64", "/lib64"]
    assert tier.attack(program("landlock"), "execute", tier.rw / "program", options=options) == {"execute": "ok"}
    assert control(run, program("landlock"), "execute", str(victim)) == {"execute": "ok"}
