# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attacks through IPC objects and through the environment. Numbers as in SECURITY.md."""
import os

import pytest

from attacking import Results, box, control, program, pytest_generate_tests

__all__ = ["box", "program", "pytest_generate_tests"]

OBJECTS = ("shm", "sem", "msg", "mqueue", "dev-shm")


def everywhere(value):
    return dict.fromkeys(OBJECTS, value)


@pytest.fixture
def key(user):
    """A System V key and a name that nobody else has."""
    return hex(0x7C000000 + os.getpid() % 0x400000 * 2 + user.is_root), f"cloche-attack-{os.getpid()}-{user.uid}"


@pytest.mark.personalities("cloche")
def test_I1_objects_of_the_host(box, program, run, key):
    assert control(run, program("ipc"), "create", *key) == everywhere("ok")
    try:
        assert box.attack(program("ipc"), "lookup", *key, dev=True) == everywhere("ENOENT")
        assert control(run, program("ipc"), "lookup", *key) == everywhere("ok")
    finally:
        assert control(run, program("ipc"), "remove", *key) == everywhere("ok")


def test_I3_objects_of_the_sandbox(box, program, run, key):
    options = [] if box.is_cloche else ["--unshare-ipc"]
    results = box.attack(program("ipc"), "create", *key, "lookup", *key, options=options, dev=True)
    assert {name: results.all(name) for name in OBJECTS} == {name: ["ok", "ok"] for name in OBJECTS}
    assert control(run, program("ipc"), "lookup", *key) == everywhere("ENOENT")
    # Control: without a namespace of its own they stay.
    assert control(run, program("ipc"), "create", *key) == everywhere("ok")
    assert control(run, program("ipc"), "lookup", *key) == everywhere("ok")
    assert control(run, program("ipc"), "remove", *key) == everywhere("ok")


# ---- environment ---------------------------------------------------------------------------------------------------
DANGEROUS = ("LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "GCONV_PATH", "PYTHONPATH", "PERL5LIB", "BASH_ENV", "ENV",
             "http_proxy", "HTTPS_PROXY", "NO_PROXY", "SSH_AUTH_SOCK", "SSH_AGENT_PID", "DBUS_SESSION_BUS_ADDRESS",
             "XDG_RUNTIME_DIR", "XDG_DATA_HOME", "WAYLAND_DISPLAY", "DISPLAY", "XAUTHORITY", "GNUPGHOME", "AWS_SECRET_ACCESS_KEY",
             "GITHUB_TOKEN", "OLDPWD", "MAIL", "IFS", "LESSOPEN", "EDITOR", "_", "LOCPATH", "NLSPATH", "TERMINFO",
             "BASH_FUNC_ls%%", "TERMCAP", "LINES", "SUDO_USER", "KRB5CCNAME")
KEPT = ("TERM", "COLORTERM", "LANG", "LANGUAGE", "LC_ALL", "LC_MESSAGES", "TZ", "NO_COLOR")
REBUILT = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD")


@pytest.mark.personalities("cloche")
def test_E1_environment_is_withheld(box, program, run, bwrap):
    # bash -c etc. are not in play: the attack program is static, so LD_PRELOAD does nothing to it.
    given = {name: "SECRET" for name in DANGEROUS} | {name: "SECRET-PATH" for name in REBUILT} | dict.fromkeys(KEPT, "C")

    def names(argv):
        result = run([*argv, "environ"], exact_env=given)
        assert result.returncode == 0, result
        variables = dict(line.split("=", 1) for line in Results(result.stdout).all("env"))
        return {name for name in variables if name in given}, variables

    argv = box.argv(box.options(program("ipc")), ["/attack"])
    inside, variables = names(argv)
    assert inside <= {*KEPT, *REBUILT}, variables
    assert set(KEPT) <= inside
    assert not any("SECRET" in value for value in variables.values()), variables
    # By name, or by glob, what is asked for comes through.
    kept, _ = names(box.argv([*box.options(program("ipc")), "--keep-env", "SSH_*"], ["/attack"]))
    assert kept - inside == {"SSH_AUTH_SOCK", "SSH_AGENT_PID"}
    for free in ([program("ipc")], [bwrap, "--ro-bind", program("ipc"), "/attack", "--", "/attack"]):
        assert names(free)[0] == set(given)


@pytest.mark.parametrize("way", ("unsetenv", "clearenv", "default"))
def test_E2_secret_in_proc(box, program, run, way):
    """The caller's environment and the options must not be readable in the sandbox's own processes."""
    options = {"unsetenv": ["--unsetenv", "TOKEN"], "clearenv": ["--clearenv"], "default": []}[way]
    options += ["--setenv", "OTHER", "opt" + "ion-secret", "--unsetenv", "OTHER"]
    given = {"TOKEN": "env" + "ironment-secret", "PATH": "/usr/bin:/bin"}
    for halves in (("env", "ironment-secret"), ("opt", "ion-secret")):
        results = box.attack(program("ipc"), "secret", *halves, options=options, exact_env=given)
        assert results["others"] == "0" and int(results["tried"]) >= 1, results
        own = way == "default" and not box.is_cloche and halves[0] == "env"
        assert results["own"] == str(int(own)), results
    free = control(run, program("ipc"), "secret", "env", "ironment-secret", exact_env=given)
    assert free["own"] == "1"


def test_E2_name_of_pid_1(box, program):
    results = box.attack(program("ipc"), "cmdline", "1", options=["--setenv", "A", "option-secret"])
    assert results["cmdline"] == "cloche-init"


def launch(run, program, verbs, argv):
    return run([program("launch"), *verbs, "--", *map(str, argv)])


def test_E4_odd_environment(box, program, run):
    """Strings without "=", empty names, one name several times."""
    argv = box.argv(box.options(program("ipc")), ["/attack", "environ"])
    result = launch(run, program, ["odd-environment"], argv)
    assert result.returncode == 0, result
    variables = Results(result.stdout).all("env")
    names = [entry.split("=")[0] for entry in variables]
    if box.is_cloche:
        assert set(names) <= {*KEPT, *REBUILT}, variables
    else:
        assert {"A", "DOUBLE", "EMPTY"} <= set(names), variables
    # A variable that is taken away is gone, however often it was there; one that is set is there once.
    for option, expected in ((["--unsetenv", "DOUBLE"], []), (["--setenv", "DOUBLE", "new"], ["DOUBLE=new"])):
        argv = box.argv([*box.options(program("ipc")), *(["--keep-env", "*"] if box.is_cloche else []), *option],
                        ["/attack", "environ"])
        result = launch(run, program, ["odd-environment"], argv)
        assert result.returncode == 0, result
        assert [e for e in Results(result.stdout).all("env") if e.startswith("DOUBLE")] == expected, result
    free = Results(launch(run, program, ["odd-environment"], [program("ipc"), "environ"]).stdout)
    assert [e for e in free.all("env") if e.startswith("DOUBLE")] == ["DOUBLE=first", "DOUBLE=second", "DOUBLE=third"]


def test_E4_many_variables(box, program, run):
    argv = box.argv([*box.options(program("ipc")), *(["--keep-env", "*"] if box.is_cloche else [])],
                    ["/attack", "environ"])
    result = launch(run, program, ["many-variables", "100000"], argv)
    assert result.returncode == 0, result
    assert int(Results(result.stdout)["count"]) >= 100000
    assert Results(launch(run, program, ["many-variables", "100000"], [program("ipc"), "environ"]).stdout)["count"] == \
        "100000"


def test_E4_longest_variable(box, program, run):
    """MAX_ARG_STRLEN is 128 KiB, with the byte at the end."""
    argv = box.argv([*box.options(program("ipc")), *(["--keep-env", "*"] if box.is_cloche else [])],
                    ["/attack", "environ"])
    result = launch(run, program, ["big-variable", "131071"], argv)
    assert result.returncode == 0 and "env BIG=xxx" in result.stdout, result
    # One that is too long for execve(2) can only come by an option: an error, not another environment.
    fd = os.memfd_create("args")
    os.write(fd, b"--setenv\0BIG\0" + b"x" * 131072 + b"\0")
    os.lseek(fd, 0, os.SEEK_SET)
    argv = box.argv([*box.options(program("ipc")), "--args", str(fd)], ["/attack", "environ"])
    result = run(argv, pass_fds=[fd])
    os.close(fd)
    assert result.returncode in ((125, 126) if box.is_cloche else (1,)) and result.stdout == "", result
    assert os.strerror(7) in result.stderr, result  # E2BIG


@pytest.mark.parametrize("name", ("", "A=B", "=", "A=", "=A"))
def test_E4_bad_names(box, program, name):
    for option in (["--setenv", name, "x"], ["--unsetenv", name]):
        result = box.start(program("ipc"), "environ", options=option)
        assert result.returncode == box.setup_failed and result.stdout == "" and result.stderr, result
    assert box.start(program("ipc"), "environ", options=["--setenv", "A", "B="]).returncode == 0
