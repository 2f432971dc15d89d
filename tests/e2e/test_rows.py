# SPDX-License-Identifier: LGPL-2.1-or-later
"""The least that an option does, for options whose other tests look at their limits and combinations. tests/mutation
names these tests: each fails when its option is read and has no effect."""
import json
import os
import platform
import select
import struct

import pytest

from e2elib import HOST, assert_fails, memfd, pipe, setup_status, status_of  # noqa: F401 (fixtures)

CAP_NET_RAW = 1 << 13
UNAME = {"x86_64": 63, "aarch64": 160}
SCHED_YIELD = {"x86_64": 24, "aarch64": 124}
KEYCTL = {"x86_64": 250, "aarch64": 219}[platform.machine()]


# ---- general -----------------------------------------------------------------------------------------------------
def test_version(run, personality):
    result = run([personality, "--version", "--", "false"])
    first = {"cloche": "cloche ", "bwrap": "bubblewrap 0.13.1 (cloche "}[personality.name]
    assert (result.returncode, result.stdout.startswith(first), result.stdout.count("\n")) == (0, True, 1), result


def test_explain_executes_nothing(run, personality, tmp_path):
    argv = [personality, *HOST, "--bind", tmp_path, tmp_path, "--setenv", "A", "B", "--explain", "touch", tmp_path / "ran"]
    result = run(argv, check=True)
    assert not (tmp_path / "ran").exists()
    assert f" {tmp_path}" in result.stdout and result.stdout.startswith(f"personality: {personality.name}\n")


def test_explain_json(run, personality, tmp_path):
    argv = [personality, *HOST, "--bind", tmp_path, tmp_path, "--explain=json", "touch", tmp_path / "ran"]
    plan = json.loads(run(argv, check=True).stdout)
    assert not (tmp_path / "ran").exists()
    assert plan["personality"] == personality.name
    assert [mount["dest"] for mount in plan["mounts"]] == ["/", "/proc", "/dev", str(tmp_path)]


def test_print_args(run, personality, memfd):
    inner = memfd(b"--setenv\0A\0B C\0--verbose\0")
    result = run([personality, *HOST, "--args", str(inner), "--print-args", "echo", "ran"], pass_fds=[inner], check=True)
    lines = result.stdout.splitlines()
    assert "ran" not in lines and not any(line.startswith("--args") for line in lines)
    assert lines.index("--ro-bind / /") < lines.index("--dev /dev") < lines.index("--verbose")


def test_verbose(run, personality):
    assert run([personality, *HOST, "true"], check=True).stderr == ""
    lines = run([personality, *HOST, "--verbose", "true"], check=True).stderr.splitlines()
    assert lines and all(line.startswith(f"{personality.name}: ") for line in lines)


@pytest.mark.parametrize("option", [["--compat", "bwrap"], ["--compat=bwrap"]], ids=len)
def test_compat(run, cloche, option):
    result = run([cloche, *option, "--ro-bind", "/", "/", "/no/such/command"], env={"KEPT": "yes"})
    assert (result.returncode, result.stderr) == (1, "bwrap: execvp /no/such/command: No such file or directory\n")
    assert run([cloche, *option, "--ro-bind", "/", "/", "sh", "-c", "echo $KEPT"], env={"KEPT": "yes"}).stdout == "yes\n"


def test_args(run, personality, memfd):
    fd = memfd(b"--setenv\0A\0from the file\0")
    argv = [personality, *HOST, "--setenv", "A", "before", "--args", str(fd), "sh", "-c", "echo $A"]
    assert run(argv, pass_fds=[fd], check=True).stdout == "from the file\n"


def test_level_prefix(run, personality):
    result = run([personality, *HOST, "--level-prefix", "/no/such/command"])
    assert result.stderr and all(line.startswith(f"<3>{personality.name}: ") for line in result.stderr.splitlines())


# ---- descriptors -------------------------------------------------------------------------------------------------
def test_block_fd(personality, popen, pipe):
    """COMMAND says nothing as long as there is nothing to read. However slow the machine, that cannot fail wrongly."""
    read, write = pipe()
    process = popen([personality, *HOST, "--block-fd", str(read), "echo", "started"], pass_fds=[read])
    os.close(read)
    assert select.select([process.stdout], [], [], 1.5)[0] == [], "it went on, with nothing to read"
    os.write(write, b"x")
    assert process.communicate(timeout=60)[0] == "started\n"


# ---- privileges and confinement ----------------------------------------------------------------------------------
def program_that_refuses(number, error):
    """A seccomp program: system call `number` of this machine fails with `error`."""
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in (
        (0x20, 0, 0, 0),                    # load the number
        (0x15, 0, 1, number),               # is it that one?
        (0x06, 0, 0, 0x00050000 | error),   # SECCOMP_RET_ERRNO
        (0x06, 0, 0, 0x7FFF0000)))          # SECCOMP_RET_ALLOW


@pytest.mark.parametrize("option", ["--seccomp", "--add-seccomp-fd"])
def test_seccomp_refuses(run, personality, memfd, option):
    fd = memfd(program_that_refuses(UNAME[platform.machine()], 1))
    result = run([personality, *HOST, option, str(fd), "uname"], pass_fds=[fd])
    assert result.returncode == 1 and "Operation not permitted" in result.stderr
    run([personality, *HOST, "uname"], check=True)


def test_add_seccomp_fd_several(run, personality, memfd):
    fds = [memfd(program_that_refuses(number[platform.machine()], 38)) for number in (UNAME, SCHED_YIELD)]
    argv = [personality, *HOST, "--add-seccomp-fd", str(fds[0]), "--add-seccomp-fd", str(fds[1])]
    script = "import os\nfor call in os.uname, os.sched_yield:\n try: call()\n except OSError as e: print(e.errno)"
    assert run([*argv, "/usr/bin/python3", "-c", script], pass_fds=fds).stdout == "38\n38\n"


def effective(run, argv):
    return int(status_of(run([*argv, "cat", "/proc/self/status"], check=True).stdout)["CapEff"], 16)


@pytest.mark.parametrize("name", ["cap_net_raw", "CAP_NET_RAW", "net_raw"])
def test_cap_add(run, personality, name):
    options = ["--unshare-user", "--unshare-net", "--cap-drop", "ALL"]
    assert effective(run, [personality, *HOST, *options]) == 0
    assert effective(run, [personality, *HOST, *options, "--cap-add", name]) == CAP_NET_RAW


def test_cap_drop(run, personality):
    argv = [personality, *HOST, "--unshare-user", "--cap-add", "CAP_NET_RAW", "--cap-add", "CAP_CHOWN"]
    assert effective(run, [*argv, "--cap-drop", "cap_chown"]) & (CAP_NET_RAW | 1) == CAP_NET_RAW
    assert effective(run, [*argv, "--cap-drop", "ALL"]) == 0


def test_new_keyring(run, personality):
    """KEYCTL_GET_KEYRING_ID of the session keyring: the caller's, or another one."""
    look = ["/usr/bin/python3", "-c", f"import ctypes, os, sys; c = ctypes.CDLL(None); c.syscall({KEYCTL}, 1, None); "
            f"print(c.syscall({KEYCTL}, 0, -3, 0), flush=True); os.execv(sys.argv[1], sys.argv[1:])"]
    inside = ["/usr/bin/python3", "-c", f"import ctypes; print(ctypes.CDLL(None).syscall({KEYCTL}, 0, -3, 0))"]
    for options, is_new in (([], personality.name == "cloche"), (["--new-keyring"], True)):
        before, after = run([*look, personality, *HOST, "--seccomp-policy", "none", *options, *inside], check=True).stdout.split()
        assert int(before) > 0 and int(after) > 0 and (before != after) == is_new, (before, after)


@pytest.mark.parametrize("option", ["--exec-label", "--file-label"])
def test_label_impossible(run, personality, option):
    """Without SELinux there are no labels, and with it this is none: in neither case may COMMAND run without."""
    result = run([personality, *HOST, "--tmpfs", "/tmp", option, "no-label-at-all", "echo", "ran"])
    assert (result.returncode, result.stdout) == (setup_status(personality), "")
    assert_fails(result, personality)


# ---- supervision -------------------------------------------------------------------------------------------------
def test_die_with_parent_ends_command(bwrap, popen, pipe):
    """COMMAND waits for a pipe that the test closes in any case, so nothing is left where the option has no effect."""
    wait, go = pipe()
    alive, held = pipe()
    parent = popen(["sh", "-c", '"$@" & read x', "sh", bwrap, *HOST, "--die-with-parent", "bash", "-c",
                    f"echo started >&{held}; read x <&{wait}"], pass_fds=[wait, held], stdin=-1)
    os.close(held)
    assert os.read(alive, 100) == b"started\n"
    parent.kill()
    parent.wait(timeout=60)
    assert select.select([alive], [], [], 30)[0], "COMMAND goes on"
    assert os.read(alive, 1) == b""
    os.close(go)
