# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sandboxes with a name: --name, cloche ps, kill, wait, and the control socket below them."""
import json
import os
import signal
import time

import pytest

from conftest import pid_namespace, pids_in_pid_namespace, wait_until
from e2elib import HOST
from named import READY, SLEEPS, Peer, listed, manage, registry, start

__all__ = ["manage", "registry", "start"]


# ---- ps ----------------------------------------------------------------------------------------------------------
def test_ps(manage, start):
    assert listed(manage) == [] and manage("ps").stdout.split()[0] == "NAME"
    second, first = start("web", SLEEPS, "--share-net"), start("db.1")
    rows = listed(manage)
    assert [(row["name"], row["pid"], row["network"]) for row in rows] == [("db.1", first.pid, "none"), ("web", second.pid, "shared")]
    assert all(row["command"] == ["sh", "-c", SLEEPS] and row["uptime"] < 60 and row["memory"] > 50_000 for row in rows)
    lines = manage("ps", check=True).stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["NAME", "db.1", "web"] and lines[1].endswith(f"sh -c {SLEEPS}")
    second.terminate()
    second.wait(60)
    assert [row["name"] for row in listed(manage)] == ["db.1"]


def test_ps_shows_names_only(manage, popen, cloche, registry):
    process = popen([cloche, *HOST, "sh", "-c", SLEEPS], env={"XDG_RUNTIME_DIR": str(registry)})
    process.stdout.readline()
    assert listed(manage) == [] and not (registry / "cloche").exists()


def test_ps_escapes(manage, start):
    start("evil", READY + "exec sleep 1000 # \x1b]52;c;x\x07")
    assert "\x1b" not in manage("ps").stdout and listed(manage)[0]["command"][2].endswith("\x1b]52;c;x\x07")


def test_long_command_lines(manage, start):
    start("long", SLEEPS + " #" + "x" * 100_000)
    assert listed(manage)[0]["command"] == ["sh", "-c"]  # what is too long is left out


# ---- --name ------------------------------------------------------------------------------------------------------
def test_name_is_taken(manage, start, cloche, run, registry, tmp_path):
    first = start("web")
    argv = [cloche, *HOST, "--name", "web", "--bind", tmp_path, tmp_path, "touch", tmp_path / "ran"]
    result = run(argv, env={"XDG_RUNTIME_DIR": str(registry)})
    assert result.returncode == 125 and "--name web: a sandbox has this name already" in result.stderr
    assert not (tmp_path / "ran").exists() and [row["pid"] for row in listed(manage)] == [first.pid]
    first.terminate()
    first.wait(60)
    assert run(argv, env={"XDG_RUNTIME_DIR": str(registry)}).returncode == 0
    assert not list((registry / "cloche").iterdir())


@pytest.mark.parametrize("name", ["", ".x", "-x", "a/b", "a b", "x" * 65, "\u00e9", "a\n"])
def test_bad_names(cloche, run, registry, name):
    result = run([cloche, *HOST, f"--name={name}", "true"], env={"XDG_RUNTIME_DIR": str(registry)})
    assert result.returncode == 125 and "not a name" in result.stderr and not (registry / "cloche").exists()


def test_supervisor_that_was_killed(manage, start):
    """Its files stay, and are taken away by whoever finds them."""
    process = start("web")
    process.kill()
    process.wait(60)
    assert listed(manage) == [] and manage("kill", "web").returncode == 1
    assert start("web").pid != process.pid and len(listed(manage)) == 1


@pytest.mark.parametrize("mode", [0o755, 0o770])
def test_directory_of_others(manage, cloche, run, registry, mode):
    (registry / "cloche").mkdir()
    (registry / "cloche").chmod(mode)
    result = run([cloche, *HOST, "--name", "web", "true"], env={"XDG_RUNTIME_DIR": str(registry)})
    assert result.returncode == 125 and "the user's alone" in result.stderr
    assert manage("ps").returncode == 125


def test_directory_that_is_a_link(cloche, run, registry, tmp_path):
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (registry / "cloche").symlink_to(tmp_path / "elsewhere")
    assert run([cloche, *HOST, "--name", "web", "true"], env={"XDG_RUNTIME_DIR": str(registry)}).returncode == 125
    assert not list((tmp_path / "elsewhere").iterdir())


def test_forged_entries(manage, start, registry):
    """Nobody is a supervisor because a file says so."""
    start("real")
    (registry / "cloche/fake.lock").write_text(json.dumps({"name": "fake", "pid": os.getpid(), "command": ["x"]}))
    (registry / "cloche/no json.lock").write_text("x")
    assert [row["name"] for row in listed(manage)] == ["real"] and not (registry / "cloche/fake.lock").exists()
    assert manage("kill", "-s", "KILL", "fake").returncode == 1 and manage("kill", str(os.getpid())).returncode == 1


def test_set_up_that_fails(cloche, run, registry):
    result = run([cloche, *HOST, "--name", "web", "--ro-bind", "/no/such", "/x", "true"], env={"XDG_RUNTIME_DIR": str(registry)})
    assert result.returncode == 125 and not list((registry / "cloche").iterdir())


# ---- kill --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("words, heard", [([], "TERM"), (["-s", "INT"], "INT"), (["--signal", "sigusr1"], "USR1"), (["-s", "29"], "IO")])
def test_kill(manage, start, words, heard):
    traps = "; ".join(f"trap 'echo {name}; exit 7' {name}" for name in ("TERM", "INT", "USR1", "IO"))
    process = start("web", f"{traps}; {READY} while :; do sleep 0.05; done")
    manage("kill", *words, "web", check=True)
    assert (process.stdout.readline(), process.wait(60)) == (f"{heard}\n", 7)


def test_kill_by_pid_and_stop_signal(manage, start):
    process = start("web", f"trap 'exit 7' INT; {READY} while :; do sleep 0.05; done", "--stop-signal", "INT")
    manage("kill", str(process.pid), check=True)
    assert process.wait(60) == 7


def test_kill_kills_all(manage, start):
    process = start("web", f"trap '' TERM; setsid sleep 1000 & {READY} while :; do sleep 0.05; done")
    with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as children:
        namespace = pid_namespace(int(children.read().split()[0]))
    manage("kill", "-s", "KILL", "web", check=True)
    assert process.wait(60) == 137
    wait_until(lambda: not pids_in_pid_namespace(namespace))


def test_kill_refusals(manage, start):
    process = start("web")
    for words, text in ((["-s", "STOP", "web"], "SIGSTOP cannot be sent"), (["-s", "NONSENSE", "web"], "not a signal"), (["-s", "CHLD", "web"], "cannot be sent"),
                        (["-s", "PWR", "web"], "cannot be sent"), (["-s", "TTIN", "web"], "cannot be sent"), (["other"], "no such sandbox"),
                        ([], "usage:"), (["web", "web"], "usage:")):
        result = manage("kill", *words)
        assert result.returncode in (1, 125) and text in result.stderr, result
    assert process.poll() is None


# ---- wait --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("ending, status", [("exit 3", 3), ("kill -KILL $$", 137), ("exit 0", 0)])
def test_wait(manage, start, popen, cloche, registry, ending, status):
    process = start("web", f"trap '{ending}' USR1; {READY} while :; do sleep 0.05; done")
    waiters = [popen([cloche, "wait", word], env={"XDG_RUNTIME_DIR": str(registry)}) for word in ("web", "web", str(process.pid))]
    time.sleep(0.3)
    assert [waiter.poll() for waiter in waiters] == [None] * 3
    manage("kill", "-s", "USR1", "web", check=True)
    assert process.wait(60) == status and [waiter.wait(60) for waiter in waiters] == [status] * 3


def test_wait_for_one_that_dies(manage, start, popen, cloche, registry):
    process = start("web")
    waiter = popen([cloche, "wait", "web"], env={"XDG_RUNTIME_DIR": str(registry)})
    time.sleep(0.3)
    process.kill()
    assert waiter.wait(60) == 125 and "without telling its status" in waiter.stderr.read()
    assert manage("wait", "web").returncode == 1


def test_wait_with_a_time_limit(start, popen, cloche, registry):
    start("web", f"trap '' TERM; {READY} while :; do sleep 0.05; done", "--timeout", "1", "--kill-after", "0.2")
    assert popen([cloche, "wait", "web"], env={"XDG_RUNTIME_DIR": str(registry)}).wait(60) == 124


# ---- the socket --------------------------------------------------------------------------------------------------
def test_control_messages(start, registry, popen):
    process = start("web", f"trap 'echo usr1' USR1; {READY} while :; do sleep 0.05; done")
    peer = Peer(popen, registry, "web")
    assert peer.ask(json.dumps({"command": "kill", "signal": "USR1"})) == {"ok": True}
    assert process.stdout.readline() == "usr1\n"
    for bad in ("", "x", "[]", "1", "{", '{"command": 1}', '{"command": "nonsense"}', "{}", '{"command": "kill", "signal": "x"}', "[" * 100, "\0"):
        answer = peer.ask(bad)
        assert answer["ok"] is False and answer["error"], bad
    assert peer.ask('{"command": "wait"}') == {"ok": True}
    peer.send('{"command": "kill", "signal": "USR1"}\n{"command": "kill", "signal": "KILL"}\n')
    assert [peer.read() for _ in range(3)] == [{"ok": True}] * 2 + [{"event": "ended", "exit-code": 137}]
    assert process.wait(60) == 137


def test_control_floods(start, registry, manage, popen):
    """Lines without an end, peers that do not read or only connect: they are closed, and the others served."""
    process = start("web")
    peer = Peer(popen, registry, "web")
    peer.send("x" * 5000)
    assert peer.process.wait(60) == 0  # closed
    deaf = popen(["/usr/bin/python3", "-c", "import socket, sys\npeer = socket.socket(socket.AF_UNIX); peer.connect(sys.argv[1])\n"
                  "try:\n    while True: peer.sendall(b'x\\n' * 1000)\nexcept OSError: print('closed')", registry / "cloche/web.socket"])
    assert deaf.stdout.readline() == "closed\n"
    peers = [Peer(popen, registry, "web") for _ in range(64)]
    result = manage("kill", "web")
    assert result.returncode == 125 and "too many connections" in result.stderr, result
    for peer in peers:
        peer.process.kill()
    wait_until(lambda: manage("kill", "-s", "USR2", "web").returncode == 0)
    assert process.wait(60) == 128 + signal.SIGUSR2
