# SPDX-License-Identifier: LGPL-2.1-or-later
"""Environment, working directory and argv[0] of COMMAND."""
import os

import pytest

from e2elib import HOST, assert_fails

USR = ["--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64", "--symlink",
       "usr/bin",
       "/bin"]


def variables(result):
    assert result.returncode == 0, result
    return dict(line.split("=", 1) for line in result.stdout.split("\0") if line)


@pytest.fixture
def env_of(run):
    """env_of([bwrap, OPTIONS...], caller's variables...): COMMAND's environment."""
    def env_of(argv, **rest):
        return variables(run([*argv, "env", "-0"], **rest))

    return env_of


CALLER = {"PATH": "/usr/bin:/bin", "HOME": "/somewhere", "USER": "nobody-real", "LOGNAME": "x", "SHELL": "/bin/odd",
          "TERM": "vt100",
          "COLORTERM": "truecolor", "LANG": "C", "LANGUAGE": "en", "LC_ALL": "C", "LC_MADE_UP": "1", "TZ": "UTC",
          "NO_COLOR": "1", "SECRET": "s3cret", "LD_PRELOAD": "", "SSH_AUTH_SOCK": "/x", "PYTHONPATH": "/x",
          "LESSOPEN": "x",
          "XDG_RUNTIME_DIR": "/x", "DBUS_SESSION_BUS_ADDRESS": "x", "BASH_ENV": "/x", "http_proxy": "x", "OLDPWD": "/x",
          "PWD": "/wrong", "EMPTY": "", "GCONV_PATH": "/x"}


@pytest.mark.vm
def test_environment_of_cloche(cloche, env_of, user):
    env = env_of([cloche], exact_env=CALLER)
    kept = {name: CALLER[name] for name in ("TERM", "COLORTERM", "LANG", "LANGUAGE", "LC_ALL", "LC_MADE_UP", "TZ",
                                            "NO_COLOR")}
    shell = env.pop("SHELL")
    assert os.access(shell, os.X_OK) and shell != "/bin/odd"
    assert env == {**kept, "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": user.home,
                   "USER": user.name, "LOGNAME": user.name, "PWD": "/"}


def test_environment_of_cloche_from_nothing(cloche, env_of, user):
    env = env_of([cloche], exact_env={})
    assert set(env) == {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD"}, env


def test_environment_of_bwrap(bwrap, env_of):
    assert env_of([bwrap, *HOST], exact_env=CALLER) == {**CALLER, "PWD": "/"}


def test_environment_order_is_kept(bwrap, run):
    result = run([bwrap, *HOST, "env", "-0"], exact_env={"B": "1", "PATH": "/usr/bin", "A": "2", "C": "3"})
    assert [line.split("=")[0] for line in result.stdout.split("\0")[:-1]] == ["B", "PATH", "A", "C", "PWD"]


# ---- --setenv, --unsetenv, --clearenv ----------------------------------------------------------------------------
def test_setenv(personality, env_of):
    env = env_of([personality, *HOST, "--setenv", "NEW", "a value=\nwith all", "--setenv", "TERM", "changed",
                  "--setenv", "E", ""])
    assert (env["NEW"], env["TERM"], env["E"]) == ("a value=\nwith all", "changed", "")


def test_unsetenv(personality, env_of):
    assert "TERM" in env_of([personality, *HOST])
    assert "TERM" not in env_of([personality, *HOST, "--unsetenv", "TERM"])


def test_unsetenv_of_what_is_not_set(personality, run):
    assert run([personality, *HOST, "--unsetenv", "NOT_SET_AT_ALL", "true"]).returncode == 0


def test_clearenv(personality, run):
    result = run([personality, *HOST, "--clearenv", "/usr/bin/env", "-0"])
    assert variables(result) == {"PWD": "/"}


def test_env_options_in_order(personality, run):
    result = run([personality, *HOST, "--setenv", "A", "1", "--clearenv", "--setenv", "B", "1", "--setenv", "B", "2",
                  "--setenv", "C",
                  "1", "--unsetenv", "C", "/usr/bin/env", "-0"])
    assert variables(result) == {"B": "2", "PWD": "/"}


@pytest.mark.parametrize("option", [["--setenv", "NAME", "x"], ["--unsetenv", "NAME"]])
@pytest.mark.parametrize("name", ["", "A=B", "="])
def test_setenv_strict(personality, run, option, name):
    result = run([personality, *HOST, *[name if word == "NAME" else word for word in option], "true"])
    assert_fails(result, personality, option[0].strip("-"))


def test_setenv_path_finds_command(personality, run, tmp_path):
    """COMMAND is looked up in its own PATH."""
    (tmp_path / "own-command").write_text("#!/bin/sh\necho found\n")
    (tmp_path / "own-command").chmod(0o755)
    argv = [personality, *HOST, "--setenv", "PATH", tmp_path, "own-command"]
    assert run(argv).stdout == "found\n"
    result = run([personality, *HOST, "--setenv", "PATH", tmp_path, "ls"])
    assert result.returncode == (127 if personality.name == "cloche" else 1) and "No such file" in result.stderr


def test_setenv_home_decides_the_directory(personality, run, tmp_path):
    result = run([personality, *USR, "--dir", "/h", "--setenv", "HOME", "/h", "/usr/bin/pwd"], cwd=tmp_path)
    assert result.stdout == "/h\n", result


def test_setenv_many(personality, run):
    words = [word for number in range(5000) for word in ("--setenv", f"V{number}", str(number))]
    result = run([personality, *HOST, *words, "sh", "-c", "echo $V0 $V4999"])
    assert result.stdout == "0 4999\n", result.stderr[:500]


# ---- --keep-env --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("pattern, kept", [
    ("SECRET", {"SECRET"}), ("SEC*", {"SECRET"}), ("S?CRET", {"SECRET"}),
    ("[SX]*", {"SECRET", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR"}),
    ("secret", set()), ("NO_SUCH", set()), ("EMPTY", {"EMPTY"})])
def test_keep_env(cloche, env_of, pattern, kept):
    usual = set(env_of([cloche], exact_env=CALLER))
    env = env_of([cloche, "--keep-env", pattern], exact_env=CALLER)
    assert set(env) == usual | kept
    assert all(env[name] == CALLER[name] for name in kept)


def test_keep_env_everything(cloche, env_of):
    env = env_of([cloche, *HOST, "--keep-env", "*"], exact_env={**CALLER, "PATH": "/usr/bin:/bin:/odd"})
    assert env == {**CALLER, "PATH": "/usr/bin:/bin:/odd", "PWD": "/"}


def test_keep_env_replaces_what_is_rebuilt(cloche, env_of):
    env = env_of([cloche, "--keep-env", "HOME", "--keep-env", "PATH"], exact_env=CALLER)
    assert (env["HOME"], env["PATH"]) == (CALLER["HOME"], CALLER["PATH"])


def test_keep_env_in_order(cloche, run):
    env = variables(run([cloche, "--setenv", "SECRET", "own", "--keep-env", "SECRET", "env", "-0"], exact_env=CALLER))
    assert env["SECRET"] == "s3cret"
    env = variables(run([cloche, "--keep-env", "SECRET", "--setenv", "SECRET", "own", "env", "-0"], exact_env=CALLER))
    assert env["SECRET"] == "own"
    env = variables(run([cloche, "--clearenv", "--keep-env", "SECRET", "/usr/bin/env", "-0"], exact_env=CALLER))
    assert env == {"SECRET": "s3cret", "PWD": "/"}
    assert "SECRET" not in env_names(run, cloche, "--keep-env", "SECRET", "--unsetenv", "SECRET")


def env_names(run, cloche, *options):
    return set(variables(run([cloche, *options, "env", "-0"], exact_env=CALLER)))


def test_keep_env_changes_nothing_for_bwrap(bwrap, env_of):
    assert env_of([bwrap, *HOST, "--keep-env", "SECRET"], exact_env=CALLER) == {**CALLER, "PWD": "/"}


@pytest.mark.parametrize("name", ["", "A=B"])
def test_keep_env_strict(cloche, run, name):
    result = run([cloche, "--keep-env", name, "true"])
    assert result.returncode == 125 and "--keep-env" in result.stderr


def test_environment_without_equals_sign_and_twice(personality, compile_c, run):
    """What execve(2) lets through: words without "=", and names that come twice."""
    program = compile_c("""
        #include <unistd.h>
        int main(int argc, char **argv)
        {
                char *env[] = { "PATH=/usr/bin:/bin", "no equals sign", "TZ=first", "TZ=second", "=odd", "", 0 };
                (void)argc;
                return execve(argv[1], argv + 1, env);
        }""")
    result = run([program, personality, *HOST, "/usr/bin/env", "-0"])
    assert result.returncode == 0 and "TZ=" in result.stdout and "PATH=" in result.stdout, result


# ---- working directory and PWD -----------------------------------------------------------------------------------
def where(*options):
    return [*options, "sh", "-c", 'pwd -P; echo "$PWD"']


def test_chdir(personality, run):
    assert run([personality, *where(*HOST, "--chdir", "/usr/share")], cwd="/usr").stdout == "/usr/share\n/usr/share\n"


def test_chdir_pwd_is_what_was_asked(personality, run):
    script = ["/usr/bin/env", "-0"]
    for asked in ("/usr/bin/../lib", "/bin"):
        assert variables(run([personality, *HOST, "--chdir", asked, *script]))["PWD"] == asked


def test_chdir_relative(personality, run):
    assert run([personality, *HOST, "--chdir", "usr/share", "pwd", "-P"], cwd="/etc").stdout == "/usr/share\n"


@pytest.mark.parametrize("path, text", [("/nosuch", "No such file or directory"), ("/etc/passwd", "Not a directory")])
def test_chdir_fails(personality, run, path, text):
    assert_fails(run([personality, *HOST, "--chdir", path, "true"]), personality, path, text)


def test_chdir_last_one_counts(personality, run):
    result = run([personality, *HOST, "--chdir", "/usr", "--chdir", "/etc", "pwd"])
    assert result.stdout == "/etc\n" and "last --chdir" in result.stderr.replace("the last", "last"), result


def test_cwd_is_the_callers_where_it_exists(personality, run, tmp_path):
    assert run([personality, *where(*HOST)], cwd=tmp_path).stdout == f"{tmp_path}\n{tmp_path}\n"


def test_cwd_ignores_the_callers_pwd(personality, run, tmp_path):
    (tmp_path / "link").symlink_to("/usr")
    result = run([personality, *where(*HOST)], cwd=tmp_path / "link", env={"PWD": str(tmp_path / "link")})
    assert result.stdout == "/usr\n/usr\n", result


def test_cwd_falls_back_to_home(personality, run, tmp_path, user):
    result = run([personality, *USR, "--dir", user.home, *where()], cwd=tmp_path)
    assert result.stdout == f"{user.home}\n{user.home}\n", result


def test_cwd_falls_back_to_the_root(personality, run, tmp_path):
    result = run([personality, *USR, *where()], cwd=tmp_path)
    assert result.stdout == "/\n/\n", result


def test_cwd_of_a_deleted_directory(personality, run, tmp_path, user):
    argv = [personality, *USR, "--dir", user.home, *where()]
    result = run(["sh", "-c", 'mkdir d && cd d && rmdir ../d && exec "$@"', "sh", *argv], cwd=tmp_path)
    assert result.stdout.splitlines()[0] == user.home, result


def test_cwd_is_inside(cloche, bwrap, run, tmp_path):
    """Not the host's directory that happens to have the same path."""
    (tmp_path / "secret").touch()
    for argv in ([cloche], [bwrap]):
        result = run([*argv, *USR, "--dir", tmp_path, "/usr/bin/ls", "-A"], cwd=tmp_path)
        assert (result.returncode, result.stdout) == (0, ""), result


def test_setenv_pwd_is_overwritten(personality, run):
    result = run([personality, *HOST, "--setenv", "PWD", "/wrong", "/usr/bin/env", "-0"], cwd="/usr")
    assert variables(result)["PWD"] == "/usr"


# ---- argv[0] -----------------------------------------------------------------------------------------------------
def test_argv0(personality, run):
    argv = [personality, *HOST, "--argv0", "another name", "sh", "-c", "cat /proc/$$/cmdline"]
    assert run(argv).stdout.split("\0")[0] == "another name"
    assert run([word for word in argv if word not in ("--argv0", "another name")]).stdout.split("\0")[0] == "sh"


def test_argv0_empty(personality, run):
    result = run([personality, *HOST, "--argv0", "", "/usr/bin/sh", "-c", "cat /proc/$$/cmdline"])
    assert result.stdout.split("\0")[0] == "", result


def test_argv0_twice(personality, run):
    result = run([personality, *HOST, "--argv0", "a", "--argv0", "b", "true"])
    assert_fails(result, personality, "--argv0", "used multiple times" if personality.name == "bwrap"
                 else "more than once")


def test_argv0_is_not_in_the_message(personality, run):
    result = run([personality, *HOST, "--argv0", "pretended", "nosuch"])
    assert "nosuch" in result.stderr and "pretended" not in result.stderr


def test_command_gets_its_arguments(personality, run):
    words = ["", "a b", "--ro-bind", "--", "\n", "é", "*"]
    result = run([personality, *HOST, "--", "printf", "[%s]", *words])
    assert result.stdout == "".join(f"[{word}]" for word in words)
