# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attacks on what is outside where the namespaces are shared: Landlock alone stands between. Numbers as in SECURITY.md.

Before Linux 6.12 (ABI 6) such a sandbox does not start, which is the promise there.
"""
import ctypes
import os
import select
import socket
import time

import pytest

from attacking import HERE, Results, box, control, program, pytest_generate_tests

__all__ = ["box", "program", "pytest_generate_tests"]

pytestmark = [pytest.mark.vm, pytest.mark.personalities("cloche")]

VICTIM = """
import os, signal, sys
signal.signal(signal.SIGUSR1, lambda *_: os.write(1, b"hit\\n"))
os.write(1, b"ready\\n")
while True: signal.pause()
"""
SIGNALS = ("kill", "kill-group", "tgkill", "sigqueue", "pidfd")


def abi():
    return max(0, ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), ctypes.c_uint(1)))


def has_scopes():
    return abi() >= 6


def attack(box, attack_program, *verbs, options, **rest):
    """What the verbs reached; None where the sandbox, rightly, did not start."""
    if has_scopes():
        return box.attack(attack_program, *verbs, options=options, **rest)
    result = box.start(attack_program, *verbs, options=options, **rest)
    assert (result.returncode, result.stdout) == (125, "") and "ABI 6" in result.stderr, result
    return None


# ---- abstract sockets --------------------------------------------------------------------------------------------
@pytest.fixture
def abstract_sockets():
    """Names of a stream and a datagram socket outside, and a function that tells whether anything arrived."""
    name = f"cloche-attack-{os.getpid()}-{time.monotonic_ns()}"
    with socket.socket(socket.AF_UNIX) as stream, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
        stream.bind(f"\0{name}")
        stream.listen()
        datagrams.bind(f"\0{name}-datagrams")

        def arrived():
            return bool(select.select([stream, datagrams], [], [], 0)[0])

        yield name, f"{name}-datagrams", arrived


def test_N4_abstract_sockets_of_the_host(box, program, run, abstract_sockets):
    stream, datagrams, arrived = abstract_sockets
    verbs = ["connect", stream, "send", datagrams, "reconnect", datagrams, "own", f"{stream}-own"]
    found = attack(box, program("landlock"), *verbs, options=["--share-net"])
    assert found in (None, {"connect": "EPERM", "send": "EPERM", "reconnect": "EPERM", "own": "ok"})
    assert not arrived()
    # In a network namespace of its own the names do not even exist.
    assert box.attack(program("landlock"), *verbs[:4]) == {"connect": "ECONNREFUSED", "send": "ECONNREFUSED"}
    found = box.attack(program("landlock"), *verbs, options=["--share-net", "--allow-userns"]) if has_scopes() else None
    assert found in (None, {"connect": "EPERM", "send": "EPERM", "reconnect": "EPERM", "own": "ok"})
    assert control(run, program("landlock"), *verbs) == dict.fromkeys(("connect", "send", "reconnect", "own"), "ok")
    assert arrived()


# ---- signals -----------------------------------------------------------------------------------------------------
@pytest.fixture
def victim(popen):
    """A process outside; its pid is that of its process group. victim.hit(): did a signal arrive since?"""
    process = popen(["/usr/bin/python3", "-c", VICTIM])
    output = process.stdout.buffer.raw
    assert output.readline() == b"ready\n"

    def hit():
        seen = b""
        while select.select([output], [], [], 1 if not seen else 0)[0]:
            seen += os.read(output.fileno(), 4096)
        return b"hit" in seen

    process.hit = hit
    return process


def test_P2_signals_to_the_host(box, program, run, victim):
    """By number, by group, by descriptor, and by letting the kernel send one; pids are the host's."""
    pid = str(victim.pid)
    found = attack(box, program("landlock"), "kill", pid, options=[], pid=False)
    assert found in (None, dict.fromkeys(SIGNALS, "EPERM"))
    found = attack(box, program("landlock"), "sigio", pid, options=[], pid=False)
    assert found in (None, dict.fromkeys(("setown", "setsig", "async", "write"), "ok"))
    assert not victim.hit()
    assert attack(box, program("landlock"), "family", options=[], pid=False) in (None, {"family": "ok"})
    assert victim.poll() is None
    for verb in "kill", "sigio":
        assert set(control(run, program("landlock"), verb, pid).values()) == {"ok"}
        assert victim.hit()


def test_P2_signals_to_the_supervisor(box, program, run, victim):
    """The sandbox's own processes outside of it: COMMAND's parent, the init process, and its parent."""
    script = ('kill -USR1 $PPID && echo parent; read -r _ _ _ supervisor _ </proc/$PPID/stat; '
              'kill -USR1 $supervisor && echo supervisor; echo end')
    argv = [box.personality.path, *box.shield, "--share-pid", "sh", "-c", script]
    result = run(argv)
    assert result.stdout == ("end\n" if has_scopes() else ""), result
    assert result.returncode == (0 if has_scopes() else 125)
    # Control: on the host anybody of the same user may.
    assert run(["kill", "-USR1", str(victim.pid)], check=True).stdout == ""
    assert victim.hit()


# ---- TCP ports ---------------------------------------------------------------------------------------------------
@pytest.fixture
def server():
    with socket.create_server(("127.0.0.1", 0), family=socket.AF_INET) as listening:
        yield str(listening.getsockname()[1])


@pytest.mark.personalities("cloche", "bwrap")
def test_N11_other_ports_by_other_ways(box, run, server):
    """--connect-tcp leaves no way round: Fast Open, multipath TCP, and other protocols that carry streams."""
    script = str(HERE / "tcp.py")
    options = ["--ro-bind", "/", "/"]
    if box.is_cloche:
        options += ["--share-net", *([] if has_scopes() else ["--isolation", "try"])]

    def ways(*more):
        return Results(run(box.argv([*options, *more], ["/usr/bin/python3", script, server]), check=True).stdout)

    free = ways()
    assert {free[way] for way in ("connect", "connect-mapped", "sendto", "sendmsg", "udp")} == {"ok"}, free
    if abi() < 4:
        result = run(box.argv([*options, "--connect-tcp", "1"], ["true"]))
        assert result.returncode == box.setup_failed and "TCP" in result.stderr
        return
    found = ways("--connect-tcp", "1")
    assert [way for way, result in found.items() if result == "ok"] == ["udp"], found
    assert found["connect"] == found["connect-tcp"] == found["fast-open-connect"] == "EACCES"
    assert found["sendto"] == found["sendmsg"] == "ENOTSUP" and found["mptcp"] == "EPROTONOSUPPORT"
    # The port that is allowed is reached, by the ways that are looked at.
    found = ways("--connect-tcp", server)
    assert {found[way] for way in ("connect", "connect-tcp", "connect-mapped", "udp")} == {"ok"}, found
    assert found["mptcp"] == "EPROTONOSUPPORT"
