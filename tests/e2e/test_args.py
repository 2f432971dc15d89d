# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reading options: --args, --opt=VALUE, strict numbers, -- and what is no option."""
import os

import pytest

from e2elib import HOST, assert_fails, memfd, opened  # noqa: F401


def words(*args, end="\0"):
    return "\0".join(map(str, args)) + end


# ---- --args ------------------------------------------------------------------------------------------------------
def test_args(personality, run, memfd):
    fd = memfd(words(*HOST, "--setenv", "A", "from the file"))
    assert run([personality, "--args", str(fd), "sh", "-c", "echo $A"], pass_fds=[fd]).stdout == "from the file\n"


def test_args_in_their_place(personality, run, memfd):
    fd = memfd(words("--setenv", "A", "2"))
    argv = [personality, *HOST, "--setenv", "A", "1", "--args", str(fd)]
    assert run([*argv, "sh", "-c", "echo $A"], pass_fds=[fd]).stdout == "2\n"
    os.lseek(fd, 0, os.SEEK_SET)
    assert run([*argv, "--setenv", "A", "3", "sh", "-c", "echo $A"], pass_fds=[fd]).stdout == "3\n"


@pytest.mark.parametrize("end", ["\0", ""])
def test_args_last_nul_is_optional(personality, run, memfd, end):
    fd = memfd(words("--setenv", "A", "value", end=end))
    assert run([personality, *HOST, "--args", str(fd), "sh", "-c", "echo $A"], pass_fds=[fd]).stdout == "value\n"


def test_args_any_bytes(personality, run, memfd):
    value = " \n\t\"'$(x)\x01é*"
    fd = memfd(words("--setenv", "A", value))
    assert run([personality, *HOST, "--args", str(fd), "sh", "-c", 'printf "%s" "$A"'], pass_fds=[fd]).stdout == value


def test_args_empty(personality, run, memfd):
    fd = memfd("")
    assert run([personality, *HOST, "--args", str(fd), "true"], pass_fds=[fd]).returncode == 0


def test_args_several(personality, run, memfd):
    fds = [memfd(words("--setenv", "A", "1")), memfd(words("--setenv", "B", "2"))]
    argv = [personality, *HOST, "--args", str(fds[0]), "--args", str(fds[1]), "sh", "-c", "echo $A$B"]
    assert run(argv, pass_fds=fds).stdout == "12\n"


@pytest.mark.vm
def test_args_nested(personality, run, memfd):
    inner = memfd(words("--setenv", "A", "inner"))
    middle = memfd(words("--setenv", "A", "middle", "--args", inner, "--setenv", "B", "after"))
    result = run([personality, *HOST, "--args", str(middle), "sh", "-c", "echo $A $B"], pass_fds=[inner, middle])
    assert result.stdout == "inner after\n", result


def test_args_nested_too_deep(personality, run, memfd):
    fds = [memfd(words("--setenv", "A", "deepest"))]
    for _ in range(20):
        fds.append(memfd(words("--args", fds[-1])))
    assert run([personality, *HOST, "--args", str(fds[15]), "sh", "-c", "echo $A"], pass_fds=fds).stdout == "deepest\n"
    for fd in fds:
        os.lseek(fd, 0, os.SEEK_SET)
    result = run([personality, *HOST, "--args", str(fds[20]), "true"], pass_fds=fds)
    assert_fails(result, personality, "--args", "nested")


def test_args_of_itself(personality, run, memfd):
    """A descriptor is read once and then closed."""
    fd = memfd("")
    os.write(fd, words("--args", fd).encode())
    os.lseek(fd, 0, os.SEEK_SET)
    result = run([personality, *HOST, "--args", str(fd), "true"], pass_fds=[fd])
    assert_fails(result, personality, "Bad file descriptor")


def test_args_more_than_9000_words(personality, run, memfd):
    fd = memfd(words(*[word for number in range(20000) for word in ("--setenv", f"V{number % 100}", number)]))
    assert run([personality, *HOST, "--args", str(fd), "sh", "-c", "echo $V99"], pass_fds=[fd]).stdout == "19999\n"


def test_args_long_command_line(personality, run):
    numbers = [str(number) for number in range(12000)]
    result = run([personality, *HOST, "sh", "-c", "echo $#", "sh", *numbers])
    assert result.stdout == "12000\n"


@pytest.mark.parametrize("rest", [["echo", "x"], ["--", "echo"], ["--"], [""],
                                  ["--setenv", "A", "1", "word", "--dir", "/x"], ["\n"]])
def test_args_leftover_words(personality, run, memfd, rest):
    """bubblewrap ignores the rest of the file silently."""
    fd = memfd(words("--setenv", "A", "1", *rest))
    result = run([personality, *HOST, "--args", str(fd), "true"], pass_fds=[fd])
    if rest == ["--"]:
        assert result.returncode == 0, result
    else:
        assert_fails(result, personality, "--args")


def test_args_straddling_the_end(personality, run, memfd):
    """An option's arguments come from the same file."""
    fd = memfd(words("--setenv", "A"))
    result = run([personality, *HOST, "--args", str(fd), "value", "true"], pass_fds=[fd])
    assert_fails(result, personality, "--setenv", "two arguments")


@pytest.mark.parametrize("first, rest, shown", [
    (["--perms", "0700"], ["--dir", "/mnt/d", "stat", "-c", "%a", "/mnt/d"], "700\n"),
    (["--size", "64K"], ["--tmpfs", "/mnt", "stat", "-f", "-c", "%b", "/mnt"], "16\n"),
    (["--overlay-src", "/usr/share/doc"], ["--tmp-overlay", "/mnt", "stat", "-f", "-c", "%T", "/mnt"], "overlayfs\n")],
    ids=["perms", "size", "overlay"])
def test_args_one_shot_at_the_end(personality, run, memfd, first, rest, shown):
    """A modifier at the end of a file counts for the next option of the line."""
    fd = memfd(words(*first))
    result = run([personality, *HOST, "--tmpfs", "/mnt", "--args", str(fd), *rest], pass_fds=[fd])
    assert (result.returncode, result.stdout) == (0, shown), result


def test_args_options_in_it_fail_by_name(personality, run, memfd):
    fd = memfd(words("--bind", "/nosuch-in-file", "/mnt"))
    result = run([personality, *HOST, "--args", str(fd), "true"], pass_fds=[fd])
    assert_fails(result, personality, "/nosuch-in-file")
    fd = memfd(words("--bogus-in-file"))
    result = run([personality, *HOST, "--args", str(fd), "true"], pass_fds=[fd])
    assert_fails(result, personality, "nknown option --bogus-in-file")


def test_args_descriptor(personality, run, opened):
    assert_fails(run([personality, *HOST, "--args", "99", "true"]), personality, "--args", "Bad file descriptor")
    fd = opened("/")
    assert_fails(run([personality, *HOST, "--args", str(fd), "true"], pass_fds=[fd]), personality, "--args",
                 "Is a directory")


def test_args_from_a_pipe(personality, run):
    script = 'exec 9< <(for i in 1 2 3; do printf "%s\\0" --setenv A $i; sleep 0.02; done); exec "$@"'
    result = run(["bash", "-c", script, "bash", personality, *HOST, "--args", "9", "sh", "-c", "echo $A"])
    assert result.stdout == "3\n", result


@pytest.mark.slow
def test_args_of_a_gigabyte_is_refused(personality, run, tmp_path):
    """A bound on what is read, instead of all memory."""
    with open(tmp_path / "huge", "wb") as file:
        file.truncate(1 << 30)
    with open(tmp_path / "huge", "rb") as file:
        result = run([personality, *HOST, "--args", "0", "true"], stdin=file)
    assert_fails(result, personality, "--args")


# ---- --opt=VALUE -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("option, value, script, output", [
    ("--chdir", "/usr", "pwd", "/usr"), ("--uid", "77", "id -u", "77"), ("--hostname", "a=b", "uname -n", "a=b"),
    ("--tmpfs", "/mnt", "ls -A /mnt", ""), ("--unsetenv", "TERM", "echo [$TERM]", "[]"),
    ("--cap-add", "net_raw", "echo x", "x")])
def test_opt_equals_value(personality, run, option, value, script, output):
    argv = [personality, *HOST, "--unshare-user", "--unshare-uts"]
    assert run([*argv, f"{option}={value}", "sh", "-c", script]).stdout.strip() == output


def test_opt_equals_empty(personality, run):
    result = run([personality, *HOST, "--argv0=", "/usr/bin/sh", "-c", "head -c 1 /proc/$$/cmdline | od -An -c"])
    assert result.stdout.split() == ["\\0"], result


@pytest.mark.parametrize("word", ["--bind=/", "--bind=/ /", "--setenv=A", "--unshare-pid=", "--unshare-pid=1",
                                  "--overlay=/a",
                                  "--=x", "--nosuch=1", "--uid=", "--bin=/", "--ro-bind=/:/"])
def test_opt_equals_where_it_cannot_be(personality, run, word):
    result = run([personality, *HOST, word, "/", "true"])
    assert_fails(result, personality, word.split("=")[0].strip("-") or "--")


# ---- what is an option -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("word", ["--bogus", "-x", "-", "-h", "--Bind", "--ro_bind", "---bind", "--unshare", "--ro",
                                  "-unshare-pid"])
def test_unknown_option(personality, run, word):
    result = run([personality, word, "true"])
    assert_fails(result, personality, f"nknown option {word}")


def test_double_dash_ends_the_options(personality, run, tmp_path):
    (tmp_path / "--help").write_text("#!/bin/sh\necho own program\n")
    (tmp_path / "--help").chmod(0o755)
    argv = [personality, *HOST, "--setenv", "PATH", f"{tmp_path}:/usr/bin:/bin", "--", "--help"]
    assert run(argv).stdout == "own program\n"


def test_command_ends_the_options(personality, run):
    assert run([personality, *HOST, "echo", "--unshare-pid", "--", "x"]).stdout == "--unshare-pid -- x\n"
    assert run([personality, *HOST, "--", "echo", "--", "x"]).stdout == "-- x\n"


ONE = ["args", "argv0", "userns", "userns2", "pidns", "uid", "gid", "hostname", "chdir", "unsetenv", "lock-file",
       "sync-fd", "remount-ro",
       "tmp-overlay", "ro-overlay", "proc", "dev", "tmpfs", "mqueue", "dir", "seccomp", "add-seccomp-fd", "block-fd",
       "userns-block-fd",
       "info-fd", "json-status-fd", "cap-add", "cap-drop", "perms", "size", "keep-fd", "keep-env", "propagation",
       "compat"]
TWO = ["bind", "bind-try", "dev-bind", "dev-bind-try", "ro-bind", "ro-bind-try", "bind-fd", "ro-bind-fd", "file",
       "bind-data",
       "ro-bind-data", "symlink", "setenv", "chmod"]


@pytest.mark.parametrize("option, given", [(option, 0) for option in [*ONE, *TWO]] + [(option, 1) for option in TWO])
def test_missing_argument(personality, run, option, given):
    result = run([personality, *HOST, f"--{option}", *["7"] * given])
    assert_fails(result, personality, f"--{option}", "takes", "two arguments" if option in TWO else "argument")


@pytest.mark.parametrize("given", [0, 1, 2])
def test_missing_argument_of_overlay(personality, run, given):
    result = run([personality, *HOST, "--overlay-src", "/usr", "--overlay", *["/x"] * given])
    assert_fails(result, personality, "--overlay", "three arguments")


FDS = ["args", "userns", "userns2", "pidns", "sync-fd", "seccomp", "add-seccomp-fd", "block-fd", "userns-block-fd",
       "info-fd", "control-fd",
       "json-status-fd", "keep-fd", "bind-fd", "ro-bind-fd", "file", "bind-data", "ro-bind-data"]


@pytest.mark.parametrize("text", ["", "-1", "x", "9x", "0x9", " 9", "+9", "9 ", "1e1", "2147483648", "4294967296",
                                  "99999999999999999999"])
def test_fd_strict(personality, run, text):
    for option in FDS:
        rest = ["/mnt"] if option in TWO else []
        result = run([personality, *HOST, f"--{option}", text, *rest, "true"])
        assert_fails(result, personality, f"Invalid fd: {text}" if personality.name == "bwrap" else f"--{option}")


EMPTY = [["--bind", "", "/x"], ["--bind", "/", ""], ["--ro-bind", "", ""], ["--bind-try", "", "/x"],
         ["--dev-bind", "/", ""], ["--tmpfs", ""],
         ["--dir", ""], ["--proc", ""], ["--dev", ""], ["--mqueue", ""], ["--symlink", "a", ""], ["--remount-ro", ""],
         ["--chmod", "0700", ""], ["--chdir", ""], ["--lock-file", ""], ["--overlay-src", ""], ["--file", "0", ""],
         ["--bind-data", "0", ""], ["--bind-fd", "0", ""]]


@pytest.mark.parametrize("option", EMPTY, ids=lambda option: " ".join(option))
def test_empty_path(personality, run, option):
    result = run([personality, *HOST, *option, "true"])
    assert_fails(result, personality, option[0])
    assert "empty" in result.stderr, result


ONCE = [("chdir", "/usr", "/etc"), ("hostname", "a", "b"), ("uid", "5", "6"), ("gid", "5", "6")]


@pytest.mark.parametrize("option, first, second", ONCE)
def test_repeated_option_warns(personality, run, option, first, second):
    result = run([personality, *HOST, "--unshare-all", "--unshare-user", f"--{option}", first, f"--{option}", second,
                  "true"])
    assert result.returncode == 0 and f"nly the last --{option}" in result.stderr, result


# ---- --help, --version, --compat, --level-prefix -----------------------------------------------------------------
def test_help(personality, run):
    result = run([personality, "--help"])
    assert result.returncode == 0 and result.stderr == ""
    assert result.stdout.startswith(f"usage: {personality} [OPTIONS...] [--] COMMAND [ARGS...]\n")


def test_version(cloche, bwrap, run):
    result = run([cloche, "--version"])
    assert result.returncode == 0 and result.stdout.startswith("cloche 0."), result
    result = run([bwrap, "--version"])
    assert result.returncode == 0 and result.stdout.startswith("bubblewrap 0.13.1 (cloche 0."), result


@pytest.mark.parametrize("first", ["--help", "--version", "--introspect"])
def test_help_version_act_where_they_stand(personality, run, first):
    assert run([personality, first, "--bogus"]).returncode == 0
    assert run([personality, "--unshare-pid", first, "extra"]).returncode == 0
    assert_fails(run([personality, "--bogus", first]), personality, "nknown option --bogus")


def test_compat_is_the_other_name(cloche, bwrap, run):
    """Defaults, messages and exit status."""
    assert run([cloche, "--compat", "bwrap", "--version"]).stdout == run([bwrap, "--version"]).stdout
    for argv in (["nosuch"], ["--ro-bind", "/", "/", "nosuch"], ["--bind", "/nosuch", "/x", "true"],
                 ["--hostname", "x", "true"],
                 ["--ro-bind", "/", "/", "env"], ["--ro-bind", "/", "/", "readlink", "/proc/self/ns/net"]):
        ours, other = run([cloche, "--compat=bwrap", *argv]), run([bwrap, *argv])
        assert (ours.returncode, ours.stdout, ours.stderr) == (other.returncode, other.stdout, other.stderr)
    assert run([cloche, "--compat", "nosuch", "true"]).returncode == 125


def test_level_prefix(personality, run):
    result = run([personality, *HOST, "--chdir", "/", "--level-prefix", "--chdir", "/usr", "--chmod", "0700",
                  "/nosuch", "true"])
    lines = result.stderr.splitlines()
    assert any(line.startswith(f"<4>{personality.name}: ") for line in lines), result
    assert any(line.startswith(f"<3>{personality.name}: ") for line in lines), result


def test_level_prefix_from_there_on(personality, run):
    assert run([personality, "--bogus", "--level-prefix"]).stderr.startswith(f"{personality.name}: ")
    assert run([personality, "--level-prefix", "--bogus"]).stderr.startswith(f"<3>{personality.name}: ")
