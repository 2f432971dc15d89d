# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attacks on the program's own parser: numbers, --args, options without their values, paths of every length,
descriptors used twice, commands that are none. Controls are the nearest valid inputs. Numbers as in SECURITY.md."""
import fcntl
import json
import os
import pathlib
import resource

import pytest

from attacking import box, program, pytest_generate_tests, snapshot
from conftest import wait_until

__all__ = ["box", "program", "pytest_generate_tests"]


@pytest.fixture
def bound(tmp_path):
    """A directory of the host that is bound rw, to see that a refused command line changes nothing in it."""
    path = tmp_path / "bound"
    path.mkdir()
    return path


class Attempt:
    """Command lines that would make a directory on the host before they come to the bad word, and one after it."""

    def __init__(self, box, program, bound):
        self.box, self.program, self.bound = box, program("fs"), bound
        self.before = [*box.options(self.program), *(["--create-dest"] if box.is_cloche else []),
                       "--bind", bound, "/rw", "--dir", "/rw/made"]

    def run(self, *options, command=("/attack", "cwd"), **rest):
        return self.box.run_program(self.box.argv([*self.before, *options], command), **rest)

    def refused(self, *options, names, **rest):
        result = self.run(*options, **rest)
        assert result.returncode == self.box.setup_failed and result.stdout == "", result
        assert names in result.stderr or names.removeprefix("--") in result.stderr, result
        assert snapshot(self.bound).keys() == {"."}, result
        return result

    def accepted(self, *options, **rest):
        result = self.run(*options, **rest)
        assert result.returncode == 0 and "cwd" in result.stdout, result
        assert (self.bound / "made").is_dir()
        (self.bound / "made").rmdir()
        return result


@pytest.fixture
def attempt(box, program, bound):
    return Attempt(box, program, bound)


# ---- A1, A2: numbers -----------------------------------------------------------------------------------------------
NOT_DECIMAL = ("", " ", "-1", "-0", "+5", " 7", "7 ", "0x10", "1e3", "1.0", "1_0", "1,0", "١", "7\n", "7\t", "x", "--",
               "0b1", "1K", "NaN", "18446744073709551615", "18446744073709551616", "9223372036854775807",
               "9223372036854775808", "99999999999999999999999999999999999999")


@pytest.mark.parametrize("option", ("--uid", "--gid"))
def test_A1_ids(attempt, box, option):
    if not box.own_user_namespace:
        attempt.before.append("--unshare-user")
    if box.kind.endswith(("-id", "-caps")):
        box.shield = [word for word in box.shield if word not in ("--uid", "--gid", "0", "1000")]
    for bad in (*NOT_DECIMAL, "4294967295", "4294967296", "4294968296", "8589934592"):
        attempt.refused(option, bad, names=option)
    for good in ("0", "7", "010", "2147483648", "4294967294"):
        attempt.accepted(option, good)


@pytest.mark.parametrize("option", ("--perms", "--chmod", "--size"))
def test_A2_modes_and_sizes(attempt, option):
    after = {"--perms": ["--dir", "/d"], "--chmod": ["/rw"], "--size": ["--tmpfs", "/d"]}[option]
    bad = [n for n in NOT_DECIMAL if n not in ("0x10", "1K", "9223372036854775807")] if option == "--size" else \
        [*NOT_DECIMAL, "8", "9", "10000", "777777777777777777777777", "0o7"]
    if option == "--size":
        bad += ["0", "0x", "0xg", "1KK", "1T", "K", "4k", "1g", "4KB", "4KiB", "17179869184G", "9223372036854775808", "1 K", "0x1K "]
    if option == "--chmod":
        bad = [n for n in bad if n != "--"]
    for number in bad:
        attempt.refused(option, number, *after, names=option)
    for number in {"--size": ("4096", "0x1000", "010000", "4K", "1M", "1G"), "--perms": ("755", "0755", "7777", "0"),
                   "--chmod": ("0755", "755")}[option]:
        attempt.accepted(option, number, *after)


FD_OPTIONS = ("args", "userns", "userns2", "pidns", "sync-fd", "block-fd", "userns-block-fd", "info-fd",
              "json-status-fd", "control-fd", "seccomp", "add-seccomp-fd", "bind-fd", "ro-bind-fd", "file", "bind-data",
              "ro-bind-data", "keep-fd", "env-file", "secret-fd", "usage-fd",
              "netns", "ipcns", "utsns", "cgroupns", "timens")


@pytest.mark.parametrize("option", FD_OPTIONS)
def test_A2_descriptors(attempt, option):
    after = ["/d"] if option in ("bind-fd", "ro-bind-fd", "file", "bind-data", "ro-bind-data") else []
    if option == "secret-fd":
        after = ["name"]
    for bad in (*NOT_DECIMAL, "2147483648", "4294967296", "4294967299"):
        attempt.refused(f"--{option}", bad, *after, names=f"--{option}" if attempt.box.is_cloche else "")


def test_A2_every_option_with_a_descriptor_is_tested(cloche, run):
    table = json.loads(run([cloche, "--introspect"], check=True).stdout)
    text = json.dumps(table)
    options = table["options"] if isinstance(table, dict) else table
    assert len(options) > 70, text[:300]
    with_fd = {o["name"] for o in options if any(
        (a.get("kind") or a.get("type") or "").lower() in ("fd", "ns") for a in (o.get("args") or o.get("arguments") or []))}
    assert with_fd == set(FD_OPTIONS)


# ---- A3: --args ----------------------------------------------------------------------------------------------------
def memfd(*parts):
    fd = os.memfd_create("args")
    for part in parts:
        os.write(fd, part)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def with_args(attempt, content, check, **rest):
    fd = memfd(content)
    try:
        return check("--args", str(fd), pass_fds=[fd], **rest)
    finally:
        os.close(fd)


def test_A3_contents(attempt):
    refused, accepted = attempt.refused, attempt.accepted
    for good in (b"", b"--dir\0/d\0", b"--dir\0/d", b"--setenv\0A\0\x80\xff\xfe\0", b"--setenv\0A\0\0",
                 b"--setenv\0A\0" + b"x" * 100000 + b"\0", b"--dir\0/d\0" * 9001):
        with_args(attempt, good, accepted)
    for bad in (b"\0", b"\0\0\0\0", b"--dir", b"--dir\0", b"--dir\0\0", b"--no-such-option\0", b"\x80\xff\0", b"--bind\0/usr\0",
                b"x\0", b"--dir\0/d\0command\0", b"--perms\0" + b"9" * 1000 + b"\0"):
        with_args(attempt, bad, refused, names="")


def test_A3_descriptors(attempt, tmp_path):
    """Closed, of the wrong kind, a terminal."""
    attempt.refused("--args", "999", names="--args")
    directory = os.open(tmp_path, os.O_RDONLY)
    path = os.open(tmp_path, os.O_PATH)
    write_only = os.open("/dev/null", os.O_WRONLY)
    for fd in (directory, path, write_only):
        attempt.refused("--args", str(fd), names="", pass_fds=[fd])
        os.close(fd)
    null = os.open("/dev/null", os.O_RDONLY)
    attempt.accepted("--args", str(null), pass_fds=[null])
    os.close(null)


def test_A3_nested_and_endless(attempt):
    """A file that names itself: the second time it has been read, or it ends at a depth of 16."""
    inner = memfd(b"--dir\0/inner\0")
    outer = memfd(f"--args\0{inner}\0".encode())
    attempt.accepted("--args", str(outer), pass_fds=[outer, inner])
    os.close(inner)
    os.close(outer)
    fd = memfd()
    os.write(fd, f"--args\0{fd}\0".encode())
    os.lseek(fd, 0, os.SEEK_SET)
    result = attempt.run("--args", str(fd), pass_fds=[fd])
    assert result.returncode in (0, attempt.box.setup_failed), result
    os.close(fd)
    chain = [memfd() for _ in range(40)]
    for fd, following in zip(chain, chain[1:]):
        os.write(fd, f"--args\0{following}\0".encode())
        os.lseek(fd, 0, os.SEEK_SET)
    attempt.refused("--args", str(chain[0]), names="--args", pass_fds=chain)
    for fd in chain:
        os.close(fd)


def test_A3_pipe_that_is_never_closed(attempt, popen):
    """It waits, and dies at once when it is killed; nothing has been done on the host until then."""
    read, write = os.pipe()
    os.write(write, b"--dir\0/d\0")
    process = popen(attempt.box.argv([*attempt.before, "--args", str(read)], ["/attack", "cwd"]), pass_fds=[read])
    os.close(read)
    # It has taken what is in the pipe.
    wait_until(lambda: fcntl.ioctl(write, 0x541B, b"\0\0\0\0") == b"\0\0\0\0")  # FIONREAD
    assert process.poll() is None and snapshot(attempt.bound).keys() == {"."}
    process.terminate()
    assert process.wait(60) == -15 or process.returncode == 143
    assert process.stdout.read() == ""
    os.close(write)


def small_machine():
    """Address space of 512 MiB; the sanitizers need more of it than that."""
    if not os.environ.get("CLOCHE_SANITIZED"):
        resource.setrlimit(resource.RLIMIT_AS, (512 << 20, 512 << 20))


@pytest.mark.slow
def test_A3_gigabyte(attempt, tmp_path):
    """1 GiB of NULs, and of one word: refused with bounded memory."""
    file = tmp_path / "big"
    for first in (b"", b"--setenv\0A\0" + b"x" * (100 << 20)):
        file.write_bytes(first)
        os.truncate(file, 1 << 30)
        fd = os.open(file, os.O_RDONLY)
        result = attempt.run("--args", str(fd), pass_fds=[fd], preexec_fn=small_machine, timeout=300)
        os.close(fd)
        assert result.returncode == attempt.box.setup_failed and result.stderr and result.stdout == "", result
        assert snapshot(attempt.bound).keys() == {"."}


def test_A3_endless_device(attempt, popen):
    """/dev/zero never ends: memory stays below a limit, and it is refused."""
    fd = os.open("/dev/zero", os.O_RDONLY)
    result = attempt.run("--args", str(fd), pass_fds=[fd], preexec_fn=small_machine, timeout=300)
    os.close(fd)
    assert result.returncode == attempt.box.setup_failed and result.stderr, result


# ---- A4: options ---------------------------------------------------------------------------------------------------
@pytest.fixture
def table(cloche, run):
    table = json.loads(run([cloche, "--introspect"], check=True).stdout)
    return table["options"] if isinstance(table, dict) else table


def arguments(option):
    return option.get("args") or option.get("arguments") or []


def test_A4_missing_values(attempt, table):
    """Each option at the very end, with all its values but the last."""
    tested = 0
    for option in table:
        count = len(arguments(option))
        if count == 0 or option["name"] in ("explain", "seccomp-log"):  # its value is optional
            continue
        tested += 1
        for given in range(count):
            argv = [attempt.box.personality.path, *attempt.box.shield, *attempt.before, f"--{option['name']}", *["1"] * given]
            result = attempt.box.run_program(argv)
            assert result.returncode == attempt.box.setup_failed and result.stdout == "", result
            assert f"--{option['name']}" in result.stderr, result
            assert snapshot(attempt.bound).keys() == {"."}
    assert tested > 40


def test_A4_unknown_and_abbreviated(attempt):
    for bad in ("-", "-x", "--no-such", "--ro-bin", "--unshare", "--Bind", "--bind=", "--dir=", "---dir", "--dir\n", "-dir",
                "--unshare-pid=1", "--=", "--=x"):
        result = attempt.run(bad, "/usr", "/x")
        assert result.returncode == attempt.box.setup_failed and result.stdout == "", (bad, result)
        assert snapshot(attempt.bound).keys() == {"."}, bad
    attempt.accepted("--ro-bind", "/usr", "/x")
    attempt.accepted("--dir=/x")


def test_A4_everything_twice(attempt):
    """Repeatable, or the last one counts, or an error: never a crash."""
    for option in (["--chdir", "/"], ["--hostname", "a"], ["--new-session"], ["--die-with-parent"], ["--argv0", "x"],
                   ["--unshare-all"], ["--proc", "/proc"], ["--dev", "/dev"], ["--clearenv"], ["--as-pid-1"],
                   ["--unshare-pid"], ["--size", "4096"], ["--perms", "700"], ["--remount-ro", "/rw"]):
        result = attempt.run("--unshare-uts", *option, *option)
        assert result.returncode in (0, attempt.box.setup_failed), result
        if result.returncode == 0:
            (attempt.bound / "made").rmdir()


def test_A4_double_dash(attempt):
    path = attempt.box.personality.path
    for words in (["--"], ["--", "--"], []):
        result = attempt.box.run_program([path, *attempt.box.shield, *attempt.before, *words])
        assert result.returncode in (attempt.box.setup_failed, 127) and result.stderr and result.stdout == "", result
    result = attempt.run("--", command=["/attack", "cwd"])  # "--" twice: the second one is COMMAND
    assert result.returncode == (127 if attempt.box.is_cloche else 1), result


# ---- A5: lengths ---------------------------------------------------------------------------------------------------
def test_A5_long_names(attempt):
    for good in ("/" + "a" * 255, "/" + "/".join(["a" * 250] * 15), "//" * 1000 + "x"):
        attempt.accepted("--dir", good)
    for bad in ("/" + "a" * 256, "/" + "a" * 4096, "/" + "/".join(["a" * 255] * 20), "/" + "a/" * 5000):
        result = attempt.run("--dir", bad)
        assert result.returncode == attempt.box.setup_failed and os.strerror(36) in result.stderr, result  # ENAMETOOLONG
        result = attempt.run("--ro-bind", bad, "/x")
        assert result.returncode == attempt.box.setup_failed and os.strerror(36) in result.stderr, result


@pytest.mark.parametrize("count", (1000, pytest.param(10000, marks=pytest.mark.slow)))
def test_A5_many_mounts(attempt, count):
    fd = memfd(b"".join(b"--tmpfs\0/m%d\0" % i if i % 2 else b"--ro-bind\0/usr/bin\0/m%d\0" % i for i in range(count)))
    result = attempt.accepted("--args", str(fd), command=["/attack", "cwd", "mounts"], pass_fds=[fd], timeout=300)
    os.close(fd)
    assert result.stdout.count("\nmount ") >= count


@pytest.mark.parametrize("count", (600, pytest.param(10000, marks=pytest.mark.slow)))
def test_A5_many_overlay_layers(attempt, count, tmp_path):
    """The kernel takes 500."""
    (tmp_path / "layer").mkdir()
    layers = [tmp_path / f"layer{i}" for i in range(20)]
    for layer in layers:
        layer.mkdir()
    content = b"".join(b"--overlay-src\0%s\0" % os.fsencode(layers[i % 20]) for i in range(count)) + b"--ro-overlay\0/o\0"
    result = with_args(attempt, content, attempt.run, timeout=300)
    assert result.returncode == attempt.box.setup_failed and result.stderr, result
    content = b"".join(b"--overlay-src\0%s\0" % os.fsencode(layer) for layer in layers) + b"--ro-overlay\0/o\0"
    assert with_args(attempt, content, attempt.run).returncode == 0


# ---- A6: descriptors -----------------------------------------------------------------------------------------------
def test_A6_one_descriptor_for_two_options(attempt):
    """Whatever is decided, the second is never a silently empty file, nor another descriptor that took the number."""
    for first, second in (("--file", "--file"), ("--file", "--bind-data"), ("--ro-bind-data", "--ro-bind-data"),
                          ("--bind-data", "--file")):
        fd = memfd(b"content")
        result = attempt.run(first, str(fd), "/one", second, str(fd), "/two", pass_fds=[fd],
                             command=["/attack", "read", "/one", "read", "/two"])
        os.close(fd)
        if result.returncode:
            assert result.returncode == attempt.box.setup_failed and os.strerror(9) in result.stderr, result
            assert result.stdout == ""
        else:
            assert result.stdout == "content content\n" * 2, result


def test_A6_standard_descriptors(attempt):
    """The nearest valid use of one descriptor: for one option, 0 included."""
    result = attempt.run("--ro-bind-data", "0", "/data", command=["/attack", "read", "/data"], input="content")
    assert result.returncode == 0 and result.stdout == "content content\n", result
    fd = memfd(b"--dir\0/x\0")
    result = attempt.run("--args", "0", command=["/attack", "list", "/"], stdin=fd)
    assert result.returncode == 0 and "entry x\n" in result.stdout, result
    os.close(fd)


WRONG = ("bind-fd", "ro-bind-fd", "userns", "pidns", "userns2", "seccomp", "add-seccomp-fd")


@pytest.mark.parametrize("option", WRONG)
def test_A6_descriptor_of_the_wrong_kind(attempt, option, tmp_path):
    (tmp_path / "file").write_text("x" * 12)
    read, write = os.pipe()
    os.close(write)
    kinds = {"pipe": read, "file": os.open(tmp_path / "file", os.O_RDONLY), "eventfd": os.eventfd(0),
             "directory": os.open(tmp_path, os.O_RDONLY)}
    for kind, fd in kinds.items():
        if "bind" in option and kind in ("file", "directory"):
            continue  # these are bound
        if "seccomp" in option and kind in ("pipe", "eventfd"):
            continue  # an empty program, and one that has to be waited for
        options = [f"--{option}", str(fd), *(["/x"] if "bind" in option else [])]
        result = attempt.run(*options, pass_fds=list(kinds.values()))
        assert result.returncode == attempt.box.setup_failed and result.stdout == "" and result.stderr, (kind, result)
    for fd in kinds.values():
        os.close(fd)


# ---- A7: COMMAND ---------------------------------------------------------------------------------------------------
def test_A7_commands_that_are_none(attempt, tmp_path):
    """The control is a command that is one."""
    box = attempt.box
    (tmp_path / "not-executable").write_text("#!/attack\n")
    (tmp_path / "no-interpreter").write_text("#!/no/such/interpreter\n")
    (tmp_path / "garbage").write_bytes(b"\x7fELF" + bytes(60))
    for name in ("no-interpreter", "garbage"):
        (tmp_path / name).chmod(0o755)
    expected = {"": 127, "/no/such/command": 127, "no-such-command": 127, "/": 126, "/attack/x": 126, "/c/not-executable": 126,
                "/c/no-interpreter": 127, "/c/garbage": 126, "/c": 126}
    attempt.before += ["--ro-bind", tmp_path, "/c"]
    for command, status in expected.items():
        result = attempt.run(command=[command])
        assert result.stdout == "" and result.stderr, (command, result)
        allowed = (status, 127 if status == 126 else 126) if command in ("", "/attack/x", "/c/no-interpreter", "/c/garbage") else (status,)
        assert result.returncode in (allowed if box.is_cloche else (1,)), (command, result)
    assert attempt.run().returncode == 0


def test_A7_command_with_a_dash(attempt, tmp_path, program):
    command = tmp_path / "-dash"
    command.write_bytes(pathlib.Path(program("fs")).read_bytes())
    command.chmod(0o755)
    attempt.before += ["--ro-bind", tmp_path, "/c", "--setenv", "PATH", "/c"]
    result = attempt.run(command=["-dash", "cwd"])
    assert result.returncode == 0 and "cwd" in result.stdout, result
    argv = [attempt.box.personality.path, *attempt.box.shield, *attempt.before, "-dash", "cwd"]
    result = attempt.box.run_program(argv)
    assert result.returncode == attempt.box.setup_failed and result.stdout == "", result


def test_A7_script_without_interpreter_line(attempt, tmp_path, run):
    """execvp(3) hands it to /bin/sh; either that, or it is refused."""
    script = tmp_path / "script"
    script.write_text("echo script\n")
    script.chmod(0o755)
    attempt.before += ["--ro-bind", tmp_path, "/c"]  # there is no /bin/sh in this root
    result = attempt.run(command=["/c/script"])
    assert result.returncode in ((126, 127) if attempt.box.is_cloche else (1,)) and result.stdout == "", result
