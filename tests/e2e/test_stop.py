# SPDX-License-Identifier: LGPL-2.1-or-later
"""How COMMAND is brought to its end: --timeout, --kill-after, --stop-signal, signals to the supervisor."""
import json
import os
import signal
import time

import pytest

from conftest import pid_namespace, pids_in_pid_namespace, wait_until
from console import console
from e2elib import HOST, memfd, pipe

__all__ = ["console", "memfd", "pipe"]

STUBBORN = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
LEAVES = "(trap '' TERM; setsid sleep 100 & ) ; trap 'exit 7' TERM; echo ready; while :; do sleep 0.1; done"


def ready(process):
    assert process.stdout.readline() in ("ready\n", b"ready\n")
    return process


def inhabitants(process):
    """All pids of the pid namespace that a supervisor made."""
    with open(f"/proc/{process.pid}/task/{process.pid}/children") as children:
        return pid_namespace(int(children.read().split()[0]))


# ---- --timeout ---------------------------------------------------------------------------------------------------
def test_timeout(personality, run):
    assert run([personality, *HOST, "--timeout", "0.3", "sleep", "5"]).returncode == 124
    assert run([personality, *HOST, "--timeout", "100", "sh", "-c", "exit 3"]).returncode == 3
    assert run([personality, *HOST, "--timeout", "0", "sh", "-c", "sleep 0.2; exit 4"]).returncode == 4


def test_timeout_is_124_whatever_command_says(cloche, run):
    result = run([cloche, *HOST, "--timeout", "0.5", "sh", "-c", "trap 'echo asked; exit 7' TERM; while :; do sleep 0.1; done"])
    assert (result.returncode, result.stdout) == (124, "asked\n")


def test_timeout_then_kill(personality, run):
    result = run([personality, *HOST, "--timeout", "0.3", "--kill-after", "0.3", "sh", "-c", STUBBORN])
    assert (result.returncode, result.stdout) == (124, "ready\n")
    assert run([personality, *HOST, "--timeout", "0.3", "--kill-after", "0", "sh", "-c", STUBBORN]).returncode == 124


def test_timeout_asks_the_stopped(cloche, run):
    """Who is stopped cannot hear: it is continued."""
    code = "trap 'echo asked; exit' TERM; kill -STOP $$; while :; do sleep 0.1; done"
    assert run([cloche, *HOST, "--timeout", "0.5", "sh", "-c", code]).stdout == "asked\n"


def test_timeout_ends_all(cloche, popen):
    """What COMMAND left in sessions of their own as well."""
    process = ready(popen([cloche, *HOST, "--timeout", "1", "--kill-after", "0", "sh", "-c", LEAVES]))
    namespace = inhabitants(process)
    assert len(pids_in_pid_namespace(namespace)) >= 3
    assert process.wait(60) == 124
    wait_until(lambda: not pids_in_pid_namespace(namespace))


@pytest.mark.parametrize("options", [[], ["--kill-after", "0"]], ids=["asked", "killed"])
def test_timeout_ends_all_of_a_shared_pid_namespace(personality, run, tmp_path, options):
    """Without a pid namespace that ends by itself: the init process does it."""
    shared = ["--share-pid"] if personality.name == "cloche" else []
    code = f"setsid sleep 1000 & echo $! >{tmp_path}/left; sleep 1000"
    result = run([personality, *HOST, *shared, "--bind", tmp_path, tmp_path, "--timeout", "1", *options, "sh", "-c", code])
    assert result.returncode == 124
    left = int((tmp_path / "left").read_text())
    wait_until(lambda: not os.path.exists(f"/proc/{left}"))


def test_timeout_during_the_start(cloche, run, pipe):
    """Somebody holds the start up: it ends all the same, and COMMAND never runs."""
    reader, _ = pipe()
    result = run([cloche, *HOST, "--timeout", "0.5", "--block-fd", str(reader), "echo", "ran"], pass_fds=[reader])
    assert (result.returncode, result.stdout) == (124, "")


def test_timeout_is_reported(cloche, run, memfd):
    fds = [memfd(), memfd()]
    run([cloche, *HOST, "--timeout", "0.3", "--json-status-fd", str(fds[0]), "--usage-fd", str(fds[1]), "sleep", "100"], pass_fds=fds)
    for fd in fds:
        os.lseek(fd, 0, os.SEEK_SET)
    status, usage = (os.read(fd, 65536).decode() for fd in fds)
    assert json.loads(status.splitlines()[-1])["exit-code"] == 124
    assert json.loads(usage)["exit-code"] == 124


def test_timeout_as_pid_1(cloche, run):
    """pid 1 does not even hear SIGTERM, unless it wants to; SIGKILL ends it."""
    assert run([cloche, *HOST, "--as-pid-1", "--timeout", "0.3", "--kill-after", "0.3", "sleep", "100"]).returncode == 124


def test_timeout_with_a_terminal(console, cloche):
    modes = console.modes()
    console.start([cloche, *HOST, "--timeout", "1", "--kill-after", "0.2", "sh", "-c", "stty raw; " + STUBBORN])
    assert console.wait() == 124 and console.modes() == modes


# ---- --stop-signal -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["INT", "SIGUSR1", "12", "RTMIN+2"])
def test_stop_signal(cloche, run, name):
    number = {"INT": signal.SIGINT, "SIGUSR1": signal.SIGUSR1, "12": 12, "RTMIN+2": signal.SIGRTMIN + 2}[name]
    code = (f"import signal, sys, time; signal.signal({int(number)}, lambda n, f: sys.exit(print('heard', n)))\n"
            "while True: time.sleep(0.1)")
    result = run([cloche, *HOST, "--timeout", "1", "--stop-signal", name, "/usr/bin/python3", "-c", code])
    assert (result.returncode, result.stdout) == (124, f"heard {int(number)}\n")


def test_stop_signal_in_place_of_term(cloche, popen):
    code = "trap 'echo int; exit 5' INT; trap 'echo term; exit 6' TERM; echo ready; while :; do sleep 0.1; done"
    process = ready(popen([cloche, *HOST, "--stop-signal", "INT", "sh", "-c", code]))
    process.send_signal(signal.SIGTERM)
    assert (process.wait(60), process.stdout.read()) == (5, "int\n")


def test_stop_signal_kill(cloche, run):
    assert run([cloche, *HOST, "--timeout", "0.3", "--stop-signal", "KILL", "sh", "-c", STUBBORN]).returncode == 124


# ---- signals to the supervisor -----------------------------------------------------------------------------------
def test_term_ends_and_tells(cloche, popen):
    process = ready(popen([cloche, *HOST, "sh", "-c", "trap 'exit 7' TERM; echo ready; while :; do sleep 0.1; done"]))
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 7
    process = ready(popen([cloche, *HOST, "sh", "-c", "echo ready; exec sleep 100"]))
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 143


def test_term_that_is_not_heard(cloche, popen):
    """Nothing else happens, unless --kill-after says so."""
    process = ready(popen([cloche, *HOST, "sh", "-c", STUBBORN]))
    process.send_signal(signal.SIGTERM)
    time.sleep(1)
    assert process.poll() is None
    process = ready(popen([cloche, *HOST, "--kill-after", "0.3", "sh", "-c", "trap '' TERM; echo ready; sleep 10"]))
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 137


def test_forwarded_signals(cloche, popen):
    """The list that cloche(1) gives."""
    names = ["HUP", "INT", "QUIT", "USR1", "USR2", "CONT", "WINCH"]
    traps = "; ".join(f"trap 'echo {name}' {name}" for name in names)
    process = ready(popen([cloche, *HOST, "sh", "-c", f"{traps}; echo ready; while :; do sleep 0.05; done"]))
    for name in names:
        process.send_signal(getattr(signal, f"SIG{name}"))
        assert process.stdout.readline() == f"{name}\n"


def test_second_interrupt_kills(console, cloche):
    """Where the terminal is shared. An interrupt of another process's is passed on, however often."""
    console.start([cloche, *HOST, "--no-pty", "sh", "-c", STUBBORN.replace("TERM", "INT")])
    console.expect("ready")
    console.type("\x03")
    time.sleep(0.5)
    assert console.process.poll() is None
    console.type("\x03")
    assert console.wait() == 137


def test_interrupts_of_a_program(cloche, popen):
    process = ready(popen([cloche, *HOST, "sh", "-c", "trap 'echo int' INT; echo ready; while :; do sleep 0.1; done"]))
    for _ in range(3):
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "int\n"


def test_interrupt_during_the_start(cloche, popen, pipe):
    reader, _ = pipe()
    process = popen([cloche, *HOST, "--block-fd", str(reader), "echo", "ran"], pass_fds=[reader])
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
