# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fixtures for tests of --net, which run in the fake Internet of world.py.

A plugin of conftest.py.

net(*options, argv=[...], ...)      cloche --net OPTIONS -- ARGV inside the world's host, as the test's user; as run()
net.client(*options, code, ...)     the same for Python code, which has CLIENT's helpers; its value is what it tell()s
net.start(*options, argv=[...])     the running process, killed at the test's end
net.host(argv), net.host_client(code)   outside the sandbox, on the world's host, as the test's user
"""
import contextlib
import json
import os
import subprocess

import pytest

from conftest import IS_ROOT, acting_as_root, kill_tree, outlives_test, refuse_sanitizer_report, start
from world import World

__all__ = ["CLIENT", "MODES"]

# The two paths of TCP, and the two carriers: --net-carrier tap needs a node in the private mount namespace of the world.
MODES = {"splice": [], "slirp": ["--net-path", "slirp"]}

CLIENT = r'''
import errno, json, os, select, socket, struct, sys, threading, time

def tell(value):
    print(json.dumps(value), flush=True)

def error_name(code):
    return errno.errorcode.get(code, code)

def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET

def attempt(address, port, timeout=20, data=None):
    """The errno's name of a connect, or what the service says first ('' where it says nothing)."""
    with socket.socket(family(address), socket.SOCK_STREAM) as s:
        s.settimeout(timeout)
        try:
            s.connect((address, port))
            if data is not None:
                s.sendall(data)
            return s.recv(65536).decode("latin-1")
        except TimeoutError:
            return "TIMEOUT"
        except OSError as error:
            return error_name(error.errno)

def connected(address, port):
    s = socket.socket(family(address), socket.SOCK_STREAM)
    s.settimeout(30)
    s.connect((address, port))
    return s

def datagram(address, port, data=b"ping", timeout=5):
    """The answer to a datagram, or the errno's name."""
    with socket.socket(family(address), socket.SOCK_DGRAM) as s:
        s.settimeout(timeout)
        try:
            s.connect((address, port))
            s.send(data)
            return s.recv(65536).decode("latin-1")
        except TimeoutError:
            return "TIMEOUT"
        except OSError as error:
            return error_name(error.errno)

def resolve(name):
    try:
        return sorted({info[4][0] for info in socket.getaddrinfo(name, None)})
    except socket.gaierror as error:
        return error.strerror

def echo(address, port=7, data=b"hello"):
    with connected(address, port) as s:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        out = b""
        while (more := s.recv(65536)):
            out += more
        return out.decode("latin-1")

def http(address, host, port=80, extra=""):
    try:
        with connected(address, port) as s:
            s.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\n{extra}\r\n".encode())
            out = b""
            while (more := s.recv(65536)):
                out += more
            return out.decode("latin-1").split("\r\n\r\n", 1)[-1]
    except OSError as error:
        return error_name(error.errno)
'''


@pytest.fixture(scope="session")
def worlds(nothing_left_behind):
    """One world for all tests of a session: it is made by the first that needs it."""
    made = []

    def get():
        if not made:
            with acting_as_root():
                made.append(World(IS_ROOT))
                outlives_test(made[0].keeper)
        return made[0]

    yield get
    for one in made:
        one.close()


@pytest.fixture
def world(worlds):
    """The world, its nameserver and resolv.conf as at the beginning."""
    one = worlds()
    with acting_as_root():
        one.set_resolv()
        one.nameserver("fine")
        one.dns_log()
    return one


def only_root_can(what):
    """Started by an ordinary user the tests have a world in a user namespace of theirs, as its uid 0."""
    if not IS_ROOT:
        pytest.skip(f"only root can {what}")


class Net:
    def __init__(self, world, user, cloche):
        self.world, self.user, self.cloche = world, user, cloche
        self.processes = []

    def enter(self, argv):
        """argv inside the world's host, as the test's user."""
        become = []
        if not self.user.is_root and IS_ROOT:
            become = ["setpriv", f"--reuid={self.user.uid}", f"--regid={self.user.gid}", "--init-groups", "--"]
        return [*self.world.enter, *become, *map(str, argv)]

    def popen(self, argv, **rest):
        with acting_as_root():
            process = start(self.user, self.enter(argv), **rest)
        self.processes.append(process)
        return process

    def host(self, argv, *, input=None, timeout=60, **rest):
        if input is not None:
            rest["stdin"] = subprocess.PIPE
        process = self.popen(argv, **rest)
        try:
            stdout, stderr = process.communicate(input, timeout=timeout)
        except subprocess.TimeoutExpired:
            with acting_as_root():
                kill_tree(process)
            raise
        refuse_sanitizer_report(stderr)
        return subprocess.CompletedProcess(argv, process.returncode, stdout, stderr)

    def argv(self, options, argv):
        return [self.cloche, "--net", *options, "--", *argv]

    def __call__(self, *options, argv, **rest):
        return self.host(self.argv(options, argv), **rest)

    def start(self, *options, argv, **rest):
        return self.popen(self.argv(options, argv), **rest)

    @staticmethod
    def python(code):
        return ["/usr/bin/python3", "-c", CLIENT + code]

    def told(self, result):
        assert result.returncode == 0, (result.stdout[-3000:], result.stderr[-3000:])
        lines = [json.loads(line) for line in result.stdout.splitlines()]
        return lines[0] if len(lines) == 1 else lines

    def client(self, *options, code, **rest):
        return self.told(self(*options, argv=self.python(code), **rest))

    def host_client(self, code, **rest):
        return self.told(self.host(self.python(code), **rest))

    def client_process(self, *options, code, **rest):
        return self.start(*options, argv=self.python(code), stdin=subprocess.PIPE, **rest)

    def close(self):
        for process in self.processes:
            with acting_as_root():
                kill_tree(process)
            with contextlib.suppress(ValueError):
                process.communicate(timeout=60)


@pytest.fixture
def net(world, user, cloche):
    one = Net(world, user, cloche)
    yield one
    one.close()
