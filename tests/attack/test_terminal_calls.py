# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attacks on the terminal that the sandbox was started from: typing into it, its other dangerous requests, taking it as a
controlling terminal. Numbers as in SECURITY.md. Each test has a terminal of its own; in the control the same program has
it as its controlling terminal without a sandbox, as a careless tool would start it."""
import fcntl
import os
import pathlib
import platform
import struct
import termios

import pytest

from attacking import Box, Results, program
from test_kernel import TERMINAL_CALLS, Door, door, open_door, pytest_generate_tests, under

__all__ = ["door", "program", "pytest_generate_tests"]

HIGH = 1 << 32  # not seen by the kernel, which takes the request as 32 bits (CVE-2019-10063)


class Terminal:
    """A pair of a pseudo-terminal; run() starts a program in a session of its own whose terminal it is."""

    def __init__(self, run):
        self.master, self.slave = os.openpty()
        self.run_program = run
        self.path = os.ttyname(self.slave)
        attributes = termios.tcgetattr(self.slave)
        attributes[3] &= ~(termios.ECHO | termios.ICANON)  # what is typed can be read at once, and is not shown
        termios.tcsetattr(self.slave, termios.TCSANOW, attributes)

    def run(self, argv, **rest):
        return self.run_program(["setsid", "--ctty", "--wait", *argv], stdin=self.slave, **rest)

    def typed(self):
        """What somebody typed into it."""
        waiting = struct.unpack("i", fcntl.ioctl(self.slave, termios.FIONREAD, b"\0" * 4))[0]
        return os.read(self.slave, waiting) if waiting else b""

    def close(self):
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def terminal(run):
    terminal = Terminal(run)
    yield terminal
    terminal.close()


@pytest.fixture
def sandbox(user, terminal):
    return Box("cloche", user, terminal.run)


def free(terminal, program, *verbs):
    result = terminal.run([program("kernel"), *verbs])
    assert result.returncode == 0, result
    return Results(result.stdout)


def typing(door, request):
    number = str(door.number("ioctl"))
    return ["open-as", "/dev/tty", "9"] + [
        word for fd in (0, 1, 2, 9) for word in (door.name, f"type-{fd}", number, f"{fd},{request},str=x")]


def can_type():
    """Without dev.tty.legacy_tiocsti nobody can, since Linux 6.2: then the control shows EIO."""
    path = pathlib.Path("/proc/sys/dev/tty/legacy_tiocsti")
    return not path.exists() or path.read_text() == "1\n"


def check_typing_and_control(terminal, sandbox, program, policy, door, request):
    verbs = typing(door, request)
    names = [f"type-{fd}" for fd in (0, 1, 2, 9)]
    inside = sandbox.attack(program("kernel"), *verbs, options=[*under(policy), *door.options], dev=True)
    assert {inside[name] for name in names} == {inside[f"{name}?"] for name in names} == {"EPERM"}, inside
    assert terminal.typed() == b""
    outside = free(terminal, program, *verbs)
    assert outside["open"] == "ok" and {outside[f"{name}?"] for name in names} == {"through"}, outside
    typed = terminal.typed()
    assert not can_type() or (outside["type-0"] == outside["type-9"] == "ok" and typed == b"xx"), (outside, typed)


@pytest.mark.vm
def test_T1_typing_into_the_terminal(terminal, sandbox, program, policy):
    check_typing_and_control(terminal, sandbox, program, policy, Door("native"), TERMINAL_CALLS["TIOCSTI"])


@pytest.mark.vm
def test_T2_typing_with_upper_bits_set(terminal, sandbox, program, policy):
    check_typing_and_control(terminal, sandbox, program, policy, Door("native"), hex(int(TERMINAL_CALLS["TIOCSTI"], 0) | HIGH))


def test_T3_typing_through_int80(terminal, sandbox, program, run, policy):
    """Killed, and with --allow-32bit refused."""
    if platform.machine() != "x86_64":
        return
    door = open_door("int80", program, run)
    check_typing_and_control(terminal, sandbox, program, policy, door, TERMINAL_CALLS["TIOCSTI"])
    check_typing_and_control(terminal, sandbox, program, policy, door, hex(int(TERMINAL_CALLS["TIOCSTI"], 0) | HIGH))
    closed = sandbox.attack(program("kernel"), *typing(door, TERMINAL_CALLS["TIOCSTI"]), options=under(policy), dev=True)
    assert set(closed.but("open").values()) == {"SIGSYS"} and terminal.typed() == b"", closed


def requests(names):
    return {f"{name}{kind}": hex(int(TERMINAL_CALLS[name], 0) | bits)
            for name in names for kind, bits in (("", 0), ("-high", HIGH))}


def check_requests_and_control(terminal, sandbox, program, policy, door, wanted):
    number = str(door.number("ioctl"))
    verbs = [word for name, request in wanted.items() for word in (door.name, name, number, f"0,{request},buf")]
    inside = sandbox.attack(program("kernel"), *verbs, options=[*under(policy), *door.options])
    assert inside == {f"{name}{kind}": "EPERM" for name in wanted for kind in ("", "?")}, inside
    outside = free(terminal, program, *verbs)
    for name in wanted:
        assert outside[f"{name}?"] == "through" and outside[name] != "EPERM", outside


def test_T4_console_requests(terminal, sandbox, program, policy, door):
    """Selection and paste, the keyboard's table, the bell, switching consoles: refused, not just unknown to this terminal."""
    check_requests_and_control(terminal, sandbox, program, policy, door,
                     requests(["TIOCLINUX", "KDSKBSENT", "KDMKTONE", "VT_ACTIVATE"]))


def test_T5_line_discipline(terminal, sandbox, program, policy, door):
    """The control sets the line discipline 0, which is there already."""
    check_requests_and_control(terminal, sandbox, program, policy, door, requests(["TIOCSETD"]))
    number = str(door.number("ioctl"))
    verbs = [word for name, request in (("get", "0x5424"), ("attributes", "0x5401"), ("size", "0x5413"))
             for word in (door.name, name, number, f"0,{request},buf")]
    inside = sandbox.attack(program("kernel"), *verbs, options=[*under(policy), *door.options])
    assert inside == free(terminal, program, *verbs) and set(inside.values()) == {"ok", "through"}, inside


def test_T6_stealing_the_terminal(terminal, sandbox, program, user, policy):
    """A session of its own gets nobody's terminal by asking, by force or by opening it."""
    options = [*under(policy), "--ro-bind", terminal.path, "/terminal"]
    inside = sandbox.attack(program("kernel"), "steal", "/terminal", options=options, dev=True)
    assert inside == {"setsid": "ok", "ctty": "EPERM", "ctty-force": "EPERM", "dev-tty": "ENXIO"}, inside
    outside = free(terminal, program, "steal", terminal.path)
    if user.is_root:  # whom the kernel allows to take it by force
        assert outside == {"setsid": "ok", "ctty": "EPERM", "ctty-force": "ok", "dev-tty": "ok"}, outside
    else:
        assert outside == inside, outside


def test_T6_control_a_free_terminal(terminal, program, run):
    """The same steps do get a terminal that is nobody's."""
    result = run([program("kernel"), "steal", terminal.path], stdin=terminal.slave)
    assert Results(result.stdout) == {"setsid": "ok", "ctty": "ok", "ctty-force": "ok", "dev-tty": "ok"}, result
