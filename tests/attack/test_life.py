# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attacks on the beginning and the end: many starts at once, sudden deaths, a file system that hangs. Nothing may be
left and the status must be true. Numbers as in SECURITY.md."""
import os
import stat

import pytest

from attacking import Results, acting_as_root, control, needs_root_for, program
from test_processes import DIES_TOGETHER, killer

__all__ = ["program"]


def command(personality, program, user, *options):
    return [personality, *DIES_TOGETHER[personality.name],
            *(["--bare"] if personality.name == "cloche" else ["--unshare-user"] if user.is_root else []),
            "--ro-bind", program("processes"), "/attack", "--proc", "/proc", "--dev", "/dev", *options, "--", "/attack"]


def kill_any(personality, program, run, user, tmp_path, count):
    """Several at a time; the supervisor, pid 1 or the workload is killed."""
    (tmp_path / "bound").mkdir()
    argv = command(personality, program, user, "--tmpfs", "/tmp", "--bind", tmp_path / "bound", "/rw")
    killed = killer(run, program, "any", 8, count, [*argv, "ready", "pause"])
    assert killed["kills"] == count
    assert 0 < killed["running"] < count, killed.text
    assert list((tmp_path / "bound").iterdir()) == []


def test_L1_104_parallel_starts_with_random_kills(personality, program, run, user, tmp_path):
    kill_any(personality, program, run, user, tmp_path, 104)


@pytest.mark.slow
def test_L1_1000_parallel_starts_with_random_kills(personality, program, run, user, tmp_path):
    """The controls are those of P8."""
    kill_any(personality, program, run, user, tmp_path, 1000)


def statuses(personality, program, run, user, count):
    """exit 0, 1, any other, and death by signals: random, and each one compared."""
    killed = killer(run, program, "status", 2, count, command(personality, program, user))
    assert killed["running"] == count


def test_L2_400_exit_statuses(personality, program, run, user):
    statuses(personality, program, run, user, 400)


@pytest.mark.slow
def test_L2_5000_exit_statuses(personality, program, run, user):
    """10000 under each name: 5000 as root and 5000 as an ordinary user."""
    statuses(personality, program, run, user, 5000)


def test_L2_control_a_wrong_status_is_seen(program, run, tmp_path):
    """A program that answers 0 whatever happens."""
    liar = tmp_path / "liar"
    liar.write_text("#!/bin/sh\n\"$@\"\nexit 0\n")
    liar.chmod(0o755)
    result = run([program("killer"), "status", "1", "100", "1", "--", liar, program("processes")])
    assert "expected" in result.stderr and Results(result.stdout)["wrong"] != "0", result


@pytest.fixture
def fuse_device(user, tmp_path):
    """A node of /dev/fuse that the test's user may open: the host's often belongs to root alone."""
    if not os.path.exists("/dev/fuse"):
        pytest.skip("no /dev/fuse on this kernel")
    if os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "/dev/fuse"
    needs_root_for("a device node for the ordinary user")
    node = tmp_path / "fuse"
    with acting_as_root():
        os.mknod(node, stat.S_IFCHR | 0o600, os.stat("/dev/fuse").st_rdev)
        os.chown(node, user.uid, user.gid)
    return str(node)


def test_F44_file_system_that_hangs(personality, program, run, user, fuse_device, tmp_path):
    """The mount is made inside, in a nested user namespace; four processes hang in it when the main one ends."""
    argv = [personality, *(["--bare", "--allow-userns"] if personality.name == "cloche" else
                           ["--unshare-user", "--cap-drop", "ALL", "--unshare-pid", "--die-with-parent"]),
            "--uid", "1000", "--gid", "1000", "--ro-bind", program("fs"), "/attack", "--ro-bind", program("fuse"), "/fuse",
            "--proc", "/proc", "--dev-bind", fuse_device, "/fuse-device", "--tmpfs", "/mnt",
            "--", "/attack", "nested", "exec", "/fuse", "/fuse-device", "/mnt", "4", "9"]
    result = run(argv)
    assert result.returncode == 9, result
    results = Results(result.stdout)
    assert results == {"nested": "ok", "device": "ok", "mounted": "ok", "init": "ok", "waiting": "4"}
    # Control: they do hang, and only death ends it; here the killer is the end of the pid namespace of unshare(1).
    free = control(run, "/usr/bin/unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc",
                   program("fuse"), fuse_device, tmp_path, "4", "0")
    assert free["waiting"] == "4", free
