# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sandboxes in the background: --detach, cloche logs; cloche top."""
import json
import os
import subprocess
import time

import pytest

from conftest import wait_until
from console import console
from e2elib import HOST
from named import READY, listed, manage, registry, start

__all__ = ["console", "manage", "registry", "start"]


@pytest.fixture
def detach(run, cloche, registry, manage):
    """detach(name, script, *options): a start in the background; what still runs at the end is killed."""
    def detach(name, script, *options, **rest):
        return run([cloche, *HOST, "--name", name, "--detach", *options, "sh", "-c", script], env={"XDG_RUNTIME_DIR": str(registry)}, **rest)
    yield detach
    for row in listed(manage):
        manage("kill", "-s", "KILL", row["name"])
    wait_until(lambda: not listed(manage))


def test_detach(detach, manage):
    before = time.monotonic()
    assert detach("web", "echo out; echo err >&2; read x || echo no input; exec sleep 1000").returncode == 0
    assert time.monotonic() - before < 30
    assert [row["name"] for row in listed(manage)] == ["web"]
    wait_until(lambda: manage("logs", "web").stdout == "out\nerr\nno input\n")
    manage("kill", "web", check=True)
    wait_until(lambda: not listed(manage))
    assert manage("logs", "web", check=True).stdout == "out\nerr\nno input\n"  # also after the end


def test_detach_session(detach, manage):
    """Nothing ties it to where it was started: no process group, no session, none of the caller's descriptors."""
    read_end, write_end = os.pipe()
    detach("web", "exec sleep 1000", pass_fds=[write_end])
    os.close(write_end)
    assert os.read(read_end, 1) == b""  # the caller's pipe has ended, though the sandbox runs
    os.close(read_end)
    pid = listed(manage)[0]["pid"]
    assert os.getsid(pid) == pid != os.getsid(0)


@pytest.mark.parametrize("options, script, status, text", [
    (["--ro-bind", "/no/such", "/x"], "true", 125, "--ro-bind /no/such /x"), (["--chdir", "/no/such"], "true", 125, "--chdir"),
])
def test_detach_start_that_fails(detach, manage, options, script, status, text, registry):
    result = detach("web", script, *options)
    assert result.returncode == status and text in result.stderr and not listed(manage)


def test_detach_command_that_is_missing(run, cloche, registry):
    result = run([cloche, *HOST, "--name", "web", "--detach", "/no/such"], env={"XDG_RUNTIME_DIR": str(registry)})
    assert result.returncode == 127 and "cannot run /no/such" in result.stderr


@pytest.mark.parametrize("options, text", [([], "--detach: needs a name"), (["--name", "web", "--pty"], "--detach: contradicts --pty"),
                                           (["--name", "web", "--pty-filter"], "--detach: contradicts --pty-filter"),
                                           (["--name", "web", "--die-with-parent"], "--detach: contradicts --die-with-parent")])
def test_detach_contradictions(run, cloche, registry, options, text):
    result = run([cloche, *HOST, "--detach", *options, "true"], env={"XDG_RUNTIME_DIR": str(registry)})
    assert result.returncode == 125 and text in result.stderr, result


def test_detach_usage(detach, manage, tmp_path):
    """What was used is told at its end, whatever that is."""
    with open(tmp_path / "usage", "w", encoding="ascii") as file:
        detach("web", "exec sleep 1000", "--usage-fd", str(file.fileno()), pass_fds=[file.fileno()])
    manage("kill", "-s", "KILL", "web", check=True)
    wait_until(lambda: (tmp_path / "usage").read_text().endswith("}\n"))
    assert json.loads((tmp_path / "usage").read_text())["exit-code"] == 137


def test_detach_twice(detach):
    detach("web", "exec sleep 1000")
    assert detach("web", "true").returncode == 125


def test_detach_other_streams(detach, tmp_path, manage):
    (tmp_path / "in").write_text("typed\n")
    detach("web", "cat; echo log >&2; exec sleep 1000", "--stdin", tmp_path / "in", "--stdout", tmp_path / "out")
    wait_until(lambda: manage("logs", "web").stdout == "log\n")
    assert (tmp_path / "out").read_text() == "typed\n"


def test_detach_and_exec_and_wait(detach, manage, popen, cloche, registry):
    detach("web", "trap 'exit 7' TERM; while :; do sleep 0.05; done")
    assert manage("exec", "web", "echo", "x").stdout == "x\n"
    waiter = popen([cloche, "wait", "web"], env={"XDG_RUNTIME_DIR": str(registry)})
    time.sleep(0.3)
    manage("kill", "web", check=True)
    assert waiter.wait(60) == 7


def test_log_is_bounded(detach, manage, registry):
    detach("web", "yes 0123456789 | head -c 20000000; echo end; exec sleep 1000")
    wait_until(lambda: manage("logs", "web").stdout.endswith("end\n"))
    assert 900_000 < len(manage("logs", "web").stdout) < 1_600_000
    assert (registry / "cloche/web.log").stat().st_blocks * 512 < 2_000_000


def test_logs_follow(detach, popen, cloche, registry, manage):
    detach("web", "echo first; trap 'echo second; exit 0' USR1; while :; do sleep 0.05; done")
    follower = popen([cloche, "logs", "-f", "web"], env={"XDG_RUNTIME_DIR": str(registry)})
    assert follower.stdout.readline() == "first\n"
    manage("kill", "-s", "USR1", "web", check=True)
    assert follower.communicate(timeout=60)[0] == "second\n" and follower.returncode == 0


def test_logs_on_a_terminal(detach, console, cloche, registry, manage):
    """What a sandbox printed does not get at the terminal this way."""
    detach("web", r"printf 'a\033]52;c;ZXZpbA==\007\303\274\n'; exec sleep 1000")
    wait_until(lambda: manage("logs", "web").stdout)
    assert "\x1b" in manage("logs", "web").stdout  # a file gets it as it is
    console.start([cloche, "logs", "web"], env={"XDG_RUNTIME_DIR": str(registry)})
    assert console.wait() == 0 and "\x1b" not in console.shown and "\\033]52;c" in console.shown and "\u00fc" in console.shown


def test_logs_of_nobody(manage, start):
    start("web")
    for words, text in ((["other"], "no sandbox"), (["web"], "no sandbox"), ([], "usage:"), (["../web"], "no sandbox"), (["-f"], "usage:")):
        result = manage("logs", *words)
        assert result.returncode in (1, 125) and text in result.stderr, result


# ---- top ---------------------------------------------------------------------------------------------------------
def test_top(start, manage):
    start("idle")
    start("busy", f"{READY} while :; do :; done")
    lines = manage("top", check=True).stdout.splitlines()
    rows = {line.split()[0]: line.split() for line in lines}
    assert lines[0].split() == ["NAME", "PID", "CPU%", "MEMORY", "TASKS", "COMMAND"]
    assert float(rows["busy"][2]) > 10 > float(rows["idle"][2]) and int(rows["idle"][4]) == 3  # supervisor, init, COMMAND


def test_top_of_one(start, manage):
    process = start("web", f"sleep 777 & {READY} sleep 888")
    lines = manage("top", "web", check=True).stdout.splitlines()
    assert lines[0].split() == ["PID", "PARENT", "CPU", "MEMORY", "COMMAND"]
    assert any("sleep 777" in line for line in lines) and any("sleep 888" in line for line in lines) and str(process.pid) in lines[1].split()
    assert manage("top", "other").returncode == 1


def test_top_escapes(start, manage):
    start("web", f"{READY} exec sleep 1000; # \x1b]0;x\x07")
    assert "\x1b" not in manage("top").stdout + manage("top", "web").stdout


def test_top_again_and_again(console, cloche, registry, start):
    start("web")
    console.start([cloche, "top"], env={"XDG_RUNTIME_DIR": str(registry)})
    console.expect("web")
    console.expect("web")
    console.type("\x03")
    assert console.wait() in (-2, 130)
    assert subprocess.run([cloche, "top", "--nonsense"], capture_output=True, check=False).returncode == 125
