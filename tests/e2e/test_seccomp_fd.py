# SPDX-License-Identifier: LGPL-2.1-or-later
"""--seccomp and --add-seccomp-fd: raw BPF programs, loaded last."""
import os
import platform
import struct
import tempfile

import pytest

from e2elib import HOST, assert_fails, memfd, status_of  # noqa: F401

LD, JEQ, RET = 0x20, 0x15, 0x06
ALLOW, ERRNO, KILL = 0x7FFF0000, 0x00050000, 0x80000000
SYSCALLS = {"x86_64": {"uname": 63, "umask": 95, "prctl": 157, "seccomp": 317},
            "aarch64": {"uname": 160, "umask": 166, "prctl": 167, "seccomp": 277}}[platform.machine()]


def instruction(code, k, jt=0, jf=0):
    return struct.pack("HBBI", code, jt, jf, k)


def refuse(name, number):
    """A program under which the system call `name` fails with errno `number`."""
    return b"".join([instruction(LD, 0), instruction(JEQ, SYSCALLS[name], 0, 1), instruction(RET, ERRNO | number),
                     instruction(RET, ALLOW)])


ALLOW_ALL = instruction(RET, ALLOW)
UNAME = ["python3", "-c", "import os\ntry: os.uname(); print('worked')\nexcept OSError as error: print(error.errno)"]
BOTH = ["python3", "-c", "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "print(libc.umask(0o22), ctypes.get_errno(), libc.uname(ctypes.create_string_buffer(1000)), ctypes.get_errno())"]


@pytest.mark.parametrize("option", ["--seccomp", "--add-seccomp-fd"])
def test_seccomp(personality, run, memfd, option):
    fd = memfd(refuse("uname", 42))
    assert run([personality, *HOST, option, str(fd), *UNAME], pass_fds=[fd]).stdout == "42\n"
    assert run([personality, *HOST, *UNAME]).stdout == "worked\n"


@pytest.mark.parametrize("option", ["--seccomp", "--add-seccomp-fd"])
def test_seccomp_status(personality, run, memfd, option):
    def filters(*options, fds=()):
        return status_of(run([personality, *HOST, *options, "cat", "/proc/self/status"], pass_fds=fds).stdout)
    before, fd = filters(), memfd(ALLOW_ALL)
    after = filters(option, str(fd), fds=[fd])
    assert after["Seccomp"] == "2" and int(after["Seccomp_filters"]) == int(before["Seccomp_filters"]) + 1


@pytest.mark.vm
def test_add_seccomp_fd_several(personality, run, memfd):
    fds = [memfd(refuse("uname", 42)), memfd(refuse("umask", 43)), memfd(ALLOW_ALL)]
    options = [word for fd in fds for word in ("--add-seccomp-fd", str(fd))]
    assert run([personality, *HOST, *options, *BOTH], pass_fds=fds).stdout == "-43 0 -1 42\n"


def test_seccomp_last_one_counts(personality, run, memfd):
    fds = [memfd(refuse("uname", 42)), memfd(ALLOW_ALL)]
    result = run([personality, *HOST, "--seccomp", str(fds[0]), "--seccomp", str(fds[1]), *UNAME], pass_fds=fds)
    assert result.stdout == "worked\n" and "last --seccomp" in result.stderr, result


def test_seccomp_is_for_command_only(personality, run, memfd):
    """Not for pid 1, which runs nobody else's code: a program that kills would take the sandbox's status with it."""
    fd = memfd(ALLOW_ALL)
    # As cloche pid 1 has a program of its own, which it loads when COMMAND runs already.
    wait = "i=0; until grep -q '^Seccomp:.2' /proc/1/status || [ $((i += 1)) = 1000 ]; do sleep 0.01; done\n"
    script = (wait if personality.name == "cloche" else "") + "grep ^Seccomp /proc/1/status"
    argv = [personality, *HOST, "--unshare-pid"]
    result = run([*argv, "--seccomp", str(fd), "sh", "-c", script], pass_fds=[fd])
    assert result.stdout == run([*argv, "sh", "-c", script]).stdout, result


def test_seccomp_may_kill(personality, run, memfd):
    program = b"".join([instruction(LD, 0), instruction(JEQ, SYSCALLS["uname"], 0, 1), instruction(RET, KILL),
                        instruction(RET, ALLOW)])
    fd = memfd(program)
    result = run([personality, *HOST, "--seccomp", str(fd), "uname"], pass_fds=[fd])
    assert result.returncode == 128 + 31, result


def test_seccomp_does_not_hinder_the_start(personality, run, memfd):
    """Loaded after everything that needs system calls which it may refuse."""
    names = {"x86_64": [165, 166, 155, 428, 429, 430, 431, 432, 442, 157, 272, 308], "aarch64": []}[platform.machine()]
    checks = [instruction(LD, 0)]
    for index, number in enumerate(names):
        checks.append(instruction(JEQ, number, len(names) - index, 0))
    fd = memfd(b"".join([*checks, instruction(RET, ALLOW), instruction(RET, ERRNO | 1)]))
    result = run([personality, *HOST, "--unshare-all", "--tmpfs", "/mnt", "--seccomp", str(fd), "echo", "started"],
                 pass_fds=[fd])
    assert result.stdout == "started\n", result


@pytest.mark.parametrize("option", ["--seccomp", "--add-seccomp-fd"])
@pytest.mark.parametrize("size", [1, 4, 7, 9, 15])
def test_seccomp_length(personality, run, memfd, option, size):
    fd = memfd(b"\0" * size)
    result = run([personality, *HOST, option, str(fd), "true"], pass_fds=[fd])
    assert_fails(result, personality, "multiple of 8")


@pytest.mark.parametrize("option", ["--seccomp", "--add-seccomp-fd"])
@pytest.mark.parametrize("program", [b"", instruction(0xFFFF, 0), instruction(LD, 0), ALLOW_ALL * 5000],
                         ids=["empty", "unknown", "endless", "long"])
def test_seccomp_invalid_program(personality, run, memfd, tmp_path, option, program):
    fd = memfd(program)
    result = run([personality, *HOST, "--bind", tmp_path, tmp_path, option, str(fd), "touch", tmp_path / "ran"],
                 pass_fds=[fd])
    assert_fails(result, personality, "system call filtering" if personality.name == "bwrap" else "seccomp program")
    assert os.listdir(tmp_path) == []


def test_seccomp_both_forms(personality, run, memfd):
    fds = [memfd(ALLOW_ALL), memfd(ALLOW_ALL)]
    first, second = ["--seccomp", str(fds[0])], ["--add-seccomp-fd", str(fds[1])]
    for words in ([*first, *second], [*second, *first]):
        result = run([personality, *HOST, *words, "true"], pass_fds=fds)
        assert_fails(result, personality, words[2], "cannot be combined with", words[0])


@pytest.mark.parametrize("option", ["--seccomp", "--add-seccomp-fd"])
def test_seccomp_descriptor(personality, run, memfd, opened_directory, option):
    assert_fails(run([personality, *HOST, option, "99", "true"]), personality, "Bad file descriptor")
    result = run([personality, *HOST, option, str(opened_directory), "true"], pass_fds=[opened_directory])
    assert_fails(result, personality, "Is a directory")


@pytest.fixture
def opened_directory():
    fd = os.open("/", os.O_RDONLY)
    yield fd
    os.close(fd)


def test_add_seccomp_fd_used_twice(personality, run, memfd):
    fd = memfd(ALLOW_ALL)
    result = run([personality, *HOST, "--add-seccomp-fd", str(fd), "--add-seccomp-fd", str(fd), "true"], pass_fds=[fd])
    assert_fails(result, personality, "Bad file descriptor")


def test_seccomp_from_a_pipe(personality, run):
    """Read to its end, in pieces."""
    program = refuse("uname", 42)
    script = 'exec "$@" 9< <(head -c 8 "$0"; sleep 0.05; tail -c +9 "$0")'
    with tempfile.NamedTemporaryFile() as file:
        file.write(program)
        file.flush()
        os.chmod(file.name, 0o644)
        result = run(["bash", "-c", script, file.name, personality, *HOST, "--seccomp", "9", *UNAME])
    assert result.stdout == "42\n", result


def test_seccomp_filter_is_the_libseccomp_way(personality, run, compile_c, tmp_path):
    """What seccomp_export_bpf(3) writes, as flatpak and WebKitGTK use it."""
    program = compile_c("""
        #include <seccomp.h>
        #include <errno.h>
        int main(void)
        {
                scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
                return seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOTTY), SCMP_SYS(uname), 0) || seccomp_export_bpf(filter, 1);
        }""", static=False, flags=["-lseccomp"])
    result = run(["bash", "-c", 'exec 9< <("$0"); exec "$@"', program, personality, *HOST, "--seccomp", "9", *UNAME])
    assert result.stdout == "25\n", result
