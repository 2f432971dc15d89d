# SPDX-License-Identifier: LGPL-2.1-or-later
"""What COMMAND is given without showing it, and its standard descriptors: --env-file, --secret-fd, --stdin, --stdout,
--stderr."""
import json
import os

import pytest

from e2elib import HOST, assert_fails, memfd, mount_at, mounts, pipe, see, setup_status  # noqa: F401 (fixtures)

SECRET = "hunter2-of-the-test"
RAMFS = 0x858458F6


# ---- --env-file --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("data, expected", [
    (b"A=1\nB=two words\n", {"A": "1", "B": "two words"}),
    (b"# a comment\n\nA=\"quoted\"\nB= # kept ", {"A": '"quoted"', "B": " # kept "}),
    (b"A=one\ntwo\0B==\0#C=x\0", {"A": "one\ntwo", "B": "=", "#C": "x"}),
    (b"A=1\nA=2", {"A": "2"}),
    (b"A=\n", {"A": ""}),
    (b"", {}),
])
@pytest.mark.parametrize("through", ["memfd", "pipe"])
def test_env_file(personality, run, memfd, pipe, data, expected, through):
    if through == "pipe":
        fd, write = pipe()
        os.write(write, data)
        os.close(write)
    else:
        fd = memfd(data)
    script = "import json, os; print(json.dumps(dict(os.environ)))"
    argv = [personality, *HOST, "--clearenv", "--env-file", str(fd), "/usr/bin/python3", "-c", script]
    found = json.loads(run(argv, pass_fds=[fd], check=True).stdout)
    assert {name: value for name, value in found.items() if name not in ("PWD", "LC_CTYPE")} == expected


def test_env_file_takes_its_place_among_the_options(personality, run, memfd):
    fd = memfd("A=file\nB=file\n")
    argv = [personality, *HOST, "--setenv", "A", "before", "--env-file", str(fd), "--setenv", "B", "after", "sh", "-c",
            "echo $A $B"]
    assert run(argv, pass_fds=[fd], check=True).stdout == "file after\n"


@pytest.mark.parametrize("data, entry", [(f"A=1\n{SECRET}\n", 2), (f"={SECRET}", 1), (f"A=1\0{SECRET}\0", 2),
                                         (f"A=1\0\0B={SECRET}", 2)])
def test_env_file_bad_entry(personality, run, memfd, data, entry):
    fd = memfd(data)
    result = run([personality, *HOST, "--env-file", str(fd), "echo", "ran"], pass_fds=[fd])
    assert_fails(result, personality, f"entry {entry} ")
    assert result.stdout == "" and SECRET not in result.stderr


def test_env_file_not_open(personality, run):
    assert_fails(run([personality, *HOST, "--env-file", "77", "true"]), personality, "77", "Bad file descriptor")


def test_env_file_values_are_shown_nowhere(personality, run, memfd):
    """Neither in the plan, nor in the option list, nor in what is told."""
    for more in (["--explain"], ["--explain=json"], ["--print-args"], ["--verbose"]):
        fd = memfd(f"TOKEN={SECRET}\n")
        result = run([personality, *HOST, "--env-file", str(fd), *more, "true"], pass_fds=[fd], check=True)
        assert SECRET not in result.stdout + result.stderr, more
        assert more != ["--explain"] or "TOKEN=(hidden)" in result.stdout
    variables = json.loads(run([personality, *HOST, "--env-file", str(fd), "--explain=json", "true"], pass_fds=[fd],
                               check=True).stdout)["environment"]
    assert not any("value" in v for v in variables if v["name"] == "TOKEN")


# ---- --secret-fd -------------------------------------------------------------------------------------------------
WITHOUT_RUN = ["--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/run"]


@pytest.mark.vm
@pytest.mark.parametrize("through", ["memfd", "pipe"])
def test_secret_fd(personality, run, memfd, pipe, see, user, through):
    if through == "pipe":
        fd, write = pipe()
        os.write(write, SECRET.encode())
        os.close(write)
    else:
        fd = memfd(SECRET)
    argv = [personality, "--tmpfs", "/", "--secret-fd", str(fd), "token"]
    seen = see(argv, "/run/secrets", "/run/secrets/token", pass_fds=[fd])
    assert seen["/run/secrets"].names == ["token"] and seen["/run/secrets"].ro
    file = seen["/run/secrets/token"]
    assert (file.content, file.mode, file.uid, file.fs) == (SECRET, "0400", user.uid, RAMFS)


def test_secret_fd_several(personality, run, memfd):
    fds = [memfd(text) for text in ("one", "", "x" * 100000)]
    argv = [personality, *WITHOUT_RUN]
    for number, fd in enumerate(fds):
        argv += ["--secret-fd", str(fd), f"s{number}"]
    result = run([*argv, "sh", "-c", "cd /run/secrets; wc -c <s0; wc -c <s1; wc -c <s2; echo x >s0"], pass_fds=fds)
    assert result.stdout.split() == ["3", "0", "100000"] and "Read-only file system" in result.stderr


def test_secret_fd_is_not_given_as_descriptor(personality, run, memfd):
    fd = memfd(SECRET)
    result = run([personality, *WITHOUT_RUN, "--secret-fd", str(fd), "s", "test", "-e", f"/proc/self/fd/{fd}"],
                 pass_fds=[fd])
    assert result.returncode == 1, result


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc/passwd", "../x", "x" * 256])
def test_secret_fd_name(personality, run, memfd, name):
    fd = memfd(SECRET)
    result = run([personality, *WITHOUT_RUN, "--secret-fd", str(fd), name, "true"], pass_fds=[fd])
    assert_fails(result, personality, "file name")


def test_secret_fd_twice(personality, run, memfd):
    fds = [memfd("a"), memfd("b")]
    result = run([personality, *WITHOUT_RUN, "--secret-fd", str(fds[0]), "s", "--secret-fd", str(fds[1]), "s", "true"],
                 pass_fds=fds)
    assert_fails(result, personality, "two secrets")


def test_secret_fd_not_open(personality, run):
    assert_fails(run([personality, *WITHOUT_RUN, "--secret-fd", "77", "s", "true"]), personality)


def test_secret_fd_too_large(personality, run, memfd):
    fd = memfd(b"x" * ((1 << 20) + 1))
    result = run([personality, *WITHOUT_RUN, "--secret-fd", str(fd), "s", "true"], pass_fds=[fd])
    assert_fails(result, personality, "File too large")


def test_secret_fd_leaves_nothing_on_the_host(cloche, run, memfd):
    fd = memfd(SECRET)
    result = run([cloche, "--bind", "/", "/", "--secret-fd", str(fd), "s", "true"], pass_fds=[fd])
    assert os.path.exists("/run/secrets") or result.returncode == 125, result
    assert not os.path.exists("/run/secrets/s")


def test_secret_fd_is_explained_without_its_content(personality, run, memfd):
    fd = memfd(SECRET)
    argv = [personality, *WITHOUT_RUN, "--secret-fd", str(fd), "token"]
    for more in (["--explain"], ["--explain=json"], ["--print-args"]):
        result = run([*argv, *more, "true"], pass_fds=[fd], check=True)
        assert "token" in result.stdout and SECRET not in result.stdout + result.stderr


# ---- --stdin, --stdout, --stderr ---------------------------------------------------------------------------------
@pytest.mark.vm
def test_stdin(personality, run, tmp_path):
    (tmp_path / "in").write_text("from the file")
    assert run([personality, *HOST, "--stdin", tmp_path / "in", "cat"], input="typed", check=True).stdout == \
        "from the file"
    assert run([personality, *HOST, "--stdin", "null", "cat"], input="typed", check=True).stdout == ""
    assert run([personality, *HOST, "cat"], input="typed", check=True).stdout == "typed"


@pytest.mark.parametrize("option, other", [("--stdout", "stderr"), ("--stderr", "stdout")])
def test_stdout(personality, run, tmp_path, option, other):
    (tmp_path / "out").write_text("x" * 100)
    script = "echo to stdout; echo to stderr >&2"
    result = run([personality, *HOST, option, tmp_path / "out", "sh", "-c", script], check=True)
    assert (tmp_path / "out").read_text() == f"to {option[2:]}\n"
    assert getattr(result, other) == f"to {other}\n" and getattr(result, option[2:]) == ""
    result = run([personality, *HOST, option, "null", "sh", "-c", script], check=True)
    assert getattr(result, option[2:]) == ""


def test_stdout_and_stderr_in_one_file(personality, run, tmp_path):
    argv = [personality, *HOST, "--stdout", tmp_path / "out", "--stderr", tmp_path / "out", "sh", "-c",
            "echo one; echo two >&2; echo three"]
    run(argv, check=True)
    assert (tmp_path / "out").read_text() == "one\ntwo\nthree\n"


def test_stdout_mode_follows_the_umask(personality, run, tmp_path):
    run(["sh", "-c", 'umask 027; exec "$@"', "sh", personality, *HOST, "--stdout", tmp_path / "out", "echo", "x"],
        check=True)
    assert (tmp_path / "out").exists() and (tmp_path / "out").stat().st_mode & 0o7777 == 0o640


@pytest.mark.parametrize("option, path, error", [
    ("--stdin", "/no/such", "No such file"), ("--stdin", "/usr", "Is a directory"),
    ("--stdout", "/usr", "Is a directory"), ("--stderr", "/no/such/x", "No such file")])
def test_stdio_refused(personality, run, option, path, error):
    result = run([personality, *HOST, option, path, "echo", "ran"])
    assert_fails(result, personality, path, error)
    assert result.stdout == ""


def test_stdout_is_not_emptied_by_a_bad_command_line(personality, run, tmp_path):
    (tmp_path / "out").write_text("kept")
    for bad in (["--uid", "x"], ["--stdin", "/no/such"], ["--no-such-option"]):
        assert run([personality, *HOST, "--stdout", tmp_path / "out", *bad, "true"]).returncode != 0
    assert (tmp_path / "out").read_text() == "kept"


def test_stderr_keeps_our_own_messages_out(personality, run, tmp_path):
    result = run([personality, *HOST, "--stderr", tmp_path / "err", "/no/such/command"])
    assert "/no/such/command" in result.stderr
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("err", "")]


def test_stdin_that_is_no_terminal_means_a_new_session(cloche, run):
    """As anywhere else: a terminal on our own standard input is not COMMAND's then."""
    script = ("import os, pty, subprocess, sys\n"
              "master, slave = pty.openpty()\n"
              "print(subprocess.run(sys.argv[1:], stdin=slave, capture_output=True, text=True).stdout)")
    argv = [cloche, "--share-pid", "--stdin", "null", "sh", "-c", "test $(ps -o sid= -p $PPID) = $PPID; echo $?"]
    assert run(["/usr/bin/python3", "-c", script, *argv], check=True).stdout.strip() == "0"


def test_stdio_is_explained(cloche, run):
    argv = [cloche, "--stdin", "null", "--stdout", "/tmp/o"]
    text = run([*argv, "--explain", "true"], check=True).stdout
    assert "stdin of COMMAND: null\nstdout of COMMAND: /tmp/o\n" in text
    plan = json.loads(run([*argv, "--explain=json", "true"], check=True).stdout)
    assert (plan["stdin"], plan["stdout"]) == ("null", "/tmp/o") and "stderr" not in plan
    assert not os.path.exists("/tmp/o")
