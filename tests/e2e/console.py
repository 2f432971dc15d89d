# SPDX-License-Identifier: LGPL-2.1-or-later
"""A terminal for tests, as a person has one: programs run in it with job control, what is typed and shown is seen here.

    def test_interrupt(console, cloche):
        console.start([cloche, "sleep", "100"])
        console.type("\\x03")
        assert console.wait() == 130

console.start(argv, stdin=..., ...)   in a session of its own whose terminal this is; standard descriptors are the terminal;
                                      console.process is the program
console.type(text), console.expect(text)   expect() reads on until `text` was shown since the last expect()
console.wait()    its exit status, after all that was shown has been read into console.shown
console.modes()   what stty(1) would say, to compare
"""
import fcntl
import os
import select
import struct
import termios
import time

import pytest

PATIENCE = 60
# Takes the descriptor in argv[1] as controlling terminal of the session that popen() made, and becomes the rest.
TAKE = ("import fcntl, os, sys, termios; fd = int(sys.argv[1]); fcntl.ioctl(fd, termios.TIOCSCTTY, 0); os.close(fd); "
        "os.execvp(sys.argv[2], sys.argv[2:])")


class Console:
    def __init__(self, popen):
        self.popen = popen
        self.master, self.slave = os.openpty()
        self.shown, self.position, self.process = "", 0, None
        self.resize(24, 80)

    def start(self, argv, env=None, **streams):
        streams = {name: streams.get(name, self.slave) for name in ("stdin", "stdout", "stderr")}
        self.process = self.popen(["/usr/bin/python3", "-c", TAKE, str(self.slave), *argv], pass_fds=[self.slave],
                                  env={"TERM": "xterm", "PS1": "$ ", **(env or {})}, **streams)
        return self

    def shell(self):
        """An interactive shell outside, whose jobs the sandboxes are."""
        self.start(["bash", "--norc", "--noediting", "-i"])
        self.expect("$ ")
        return self

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def modes(self):
        return termios.tcgetattr(self.slave)

    def type(self, text):
        os.write(self.master, text.encode())

    def read(self, seconds):
        """Read what is there, for so long at most; False at the end."""
        if select.select([self.master], [], [], seconds)[0]:
            data = os.read(self.master, 65536)
            self.shown += data.decode("utf-8", "surrogateescape")
            return bool(data)
        return True

    def expect(self, text):
        """What was shown from the last expect() up to the end of `text`."""
        end = time.monotonic() + PATIENCE
        while text not in self.shown[self.position:]:
            assert time.monotonic() < end, (text, self.shown)
            self.read(0.1)
        before, self.position = self.position, self.shown.index(text, self.position) + len(text)
        return self.shown[before:self.position]

    def run(self, line, prompt="$ "):
        """Type a line at a prompt; returns what was shown until the next one."""
        self.type(line + "\n")
        return self.expect(prompt).replace("\r", "")

    def is_quiet(self):
        """Shows nothing more for a while."""
        before = len(self.shown)
        self.read(0.5)
        return len(self.shown) == before

    def wait(self):
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < end, self.shown
            self.read(0.05)
        while select.select([self.master], [], [], 0)[0]:
            self.read(0)
        return self.process.returncode

    def close(self):
        for fd in (self.master, self.slave):
            if fd >= 0:
                os.close(fd)
        self.master = self.slave = -1


@pytest.fixture
def console(popen):
    console = Console(popen)
    yield console
    console.close()
