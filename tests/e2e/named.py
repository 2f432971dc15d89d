# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sandboxes with a name, for tests: a registry of the test's own, starting one, the commands that deal with them."""
import json
import subprocess

import pytest

from e2elib import HOST

READY = "echo ready; "
SLEEPS = READY + "exec sleep 1000"


@pytest.fixture
def registry(tmp_path):
    directory = tmp_path / "run"
    directory.mkdir(mode=0o700)
    return directory


@pytest.fixture
def start(popen, cloche, registry):
    """start(name, script, *options): a sandbox with that name, which has said "ready"."""
    def start(name, script=SLEEPS, *options):
        process = popen([cloche, *HOST, "--name", name, *options, "sh", "-c", script], env={"XDG_RUNTIME_DIR": str(registry)})
        assert process.stdout.readline() == "ready\n"
        return process
    return start


@pytest.fixture
def manage(run, cloche, registry):
    """manage(words...): cloche ps, kill, exec and the like."""
    def manage(*words, env=None, **rest):
        return run([cloche, *words], env={"XDG_RUNTIME_DIR": str(registry), **(env or {})}, **rest)
    manage.cloche = cloche
    return manage


def listed(manage):
    return json.loads(manage("ps", "--json", check=True).stdout)


# The tests' own process is not wholly the user's: this is the peer, which passes on what it reads.
BRIDGE = """
import os, socket, sys, threading
peer = socket.socket(socket.AF_UNIX); peer.connect(sys.argv[1])
def back():
    try:
        while data := peer.recv(65536): os.write(1, data)
    finally: os._exit(0)
threading.Thread(target=back, daemon=True).start()
while data := os.read(0, 65536): peer.sendall(data)
os._exit(0)
"""


class Peer:
    def __init__(self, popen, registry, name):
        self.process = popen(["/usr/bin/python3", "-c", BRIDGE, registry / "cloche" / f"{name}.socket"], stdin=subprocess.PIPE)
        assert self.read() == {"cloche-control": 1}

    def read(self):
        return json.loads(self.process.stdout.readline())

    def send(self, text):
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def ask(self, text):
        self.send(text + "\n")
        return self.read()
