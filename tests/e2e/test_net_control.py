# SPDX-License-Identifier: LGPL-2.1-or-later
"""The network of a sandbox that runs, changed over its control socket: ports published and no longer, rules."""
import json
import socket

import pytest

from netlib import MODES
from test_net_publish import DATAGRAMS, SERVICE, ask
from world import OTHER4, SITE4, SITE6


class Controlled:
    """A client in the sandbox that answers code with what it tells, and the other end of its control socket."""

    def __init__(self, net, *options, code):
        self.mine, theirs = socket.socketpair()
        self.mine.settimeout(60)
        self.process = net.client_process("--control-fd", str(theirs.fileno()), *options, code=code, pass_fds=[theirs.fileno()])
        theirs.close()
        self.lines = self.mine.makefile("r")
        assert json.loads(self.lines.readline()) == {"cloche-control": 1}

    def told(self):
        line = self.process.stdout.readline()
        assert line, self.process.communicate()
        return json.loads(line)

    def request(self, command, *options):
        self.mine.sendall(json.dumps({"command": command, "options": options}).encode() + b"\n")
        return json.loads(self.lines.readline())

    def close(self):
        self.lines.close()
        self.mine.close()


@pytest.fixture
def controlled(net):
    made = []

    def controlled(*options, code):
        made.append(Controlled(net, *options, code=code))
        return made[-1]
    yield controlled
    for one in made:
        one.close()


def service(controlled, *options, code=SERVICE, port=8000):
    one = controlled(*options, code=f"ADDRESS, PORT = '0.0.0.0', {port}\n" + code)
    assert one.told() == port
    return one


# Asks again and again, at each line that comes.
ASKS = "import sys\nfor line in sys.stdin: print(json.dumps(eval(line)), flush=True)\n"


@pytest.fixture
def asking(controlled):
    def asking(*options):
        one = controlled(*options, code="tell('ready')\n" + f"while True: tell([attempt('{SITE4}', 5004, 5), attempt('{OTHER4}', 5004, 5)]); time.sleep(0.2)\n")
        assert one.told() == "ready"
        return one
    return asking


def until(one, wanted):
    for _ in range(60):
        if (told := one.told()) == wanted:
            return
    raise AssertionError((told, wanted))


# ---- published ports ---------------------------------------------------------------------------------------------
def test_publish_later(net, controlled):
    one = service(controlled)
    assert "refused" in ask(net, "127.0.0.1", 18100).lower()
    assert one.request("net", "--publish", "18100:8000") == {"ok": True, "published": [
        {"proto": "tcp", "address": "127.0.0.1", "port": 18100, "inside": 8000}, {"proto": "tcp", "address": "::1", "port": 18100, "inside": 8000}]}
    assert isinstance(ask(net, "127.0.0.1", 18100), list) and isinstance(ask(net, "::1", 18100), list)
    assert one.request("unpublish", "--publish", "18100:8000") == {"ok": True, "published": []}
    assert "refused" in ask(net, "127.0.0.1", 18100).lower()
    assert one.request("net", "--publish", "18100:8000")["ok"] and isinstance(ask(net, "127.0.0.1", 18100), list)


def test_publish_beside_one_of_the_start(net, controlled):
    one = service(controlled, "--publish", "18101:8000")
    assert one.request("net", "--publish", "127.0.0.1:18102:8000")["ok"]
    assert isinstance(ask(net, "127.0.0.1", 18101), list) and isinstance(ask(net, "127.0.0.1", 18102), list)
    assert one.request("unpublish", "--publish", "18101:8000")["ok"]
    assert "refused" in ask(net, "127.0.0.1", 18101).lower() and isinstance(ask(net, "127.0.0.1", 18102), list)


def test_publish_any_free_port(net, controlled):
    one = service(controlled)
    port = one.request("net", "--publish", "127.0.0.1:0:8000")["published"][0]["port"]
    assert port and isinstance(ask(net, "127.0.0.1", port), list)


def test_publish_datagrams(net, controlled):
    one = service(controlled, code=DATAGRAMS)
    assert one.request("net", "--publish", "udp:127.0.0.1:18103:8000")["ok"]
    assert json.loads(net.host_client("tell(datagram('127.0.0.1', 18103, b'12345'))"))[1] == 5


def test_publish_what_is_taken(net, controlled):
    one, other = service(controlled), service(controlled)
    assert one.request("net", "--publish", "18104:8000")["ok"]
    answer = other.request("net", "--publish", "18104:8000")
    assert answer["ok"] is False and "--publish 18104:8000: " in answer["error"] and "18104" in answer["error"], answer
    assert isinstance(ask(net, "127.0.0.1", 18104), list) and other.process.poll() is None


def test_unix_socket_goes_with_the_sandbox(controlled, tmp_path):
    one = service(controlled)
    assert one.request("net", "--publish", f"unix:{tmp_path}/s:8000")["ok"] and (tmp_path / "s").is_socket()
    one.process.terminate()
    one.process.wait(60)
    assert not (tmp_path / "s").exists()


# ---- rules -------------------------------------------------------------------------------------------------------
def test_deny_later(asking):
    one = asking()
    until(one, ["late", "late"])
    assert one.request("net", "--net-deny", SITE4) == {"ok": True, "published": []}
    until(one, ["ECONNREFUSED", "late"])
    assert one.request("net", "--net-allow", SITE4)["ok"]  # stands before the other now
    until(one, ["late", "ECONNREFUSED"])  # as ever where something is allowed: the rest is not


def test_allow_later(asking):
    one = asking("--net-allow", SITE6)
    until(one, ["ECONNREFUSED", "ECONNREFUSED"])
    assert one.request("net", "--net-allow", f"tcp:{SITE4}:5004")["ok"]
    until(one, ["late", "ECONNREFUSED"])


@pytest.mark.parametrize("mode", MODES)
def test_datagrams_follow_the_rules(controlled, mode):
    """Their policy is another process's."""
    one = controlled(*MODES[mode], code=f"tell('ready')\nwhile True: tell(datagram('{SITE4}', 7, timeout=1)); time.sleep(0.2)\n")
    assert one.told() == "ready"
    until(one, "ping")
    assert one.request("net", "--net-deny", "udp:*")["ok"]
    for _ in range(60):
        if one.told() != "ping":
            return
    raise AssertionError("still answered")


def test_names_later(controlled):
    one = controlled(code="tell('ready')\nwhile True: tell([resolve('site.test'), resolve('other.test')]); time.sleep(0.2)\n")
    assert one.told() == "ready"
    site, other = one.told()
    assert isinstance(site, list) and isinstance(other, list)
    assert one.request("net", "--net-deny", "other.test")["ok"]
    until(one, [site, "Temporary failure in name resolution"])


# ---- refusals ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("options", [["--publish", "x"], ["--net-allow", "1.2.3"], ["--net-lan", "on"], ["--publish"], [], ["--net-allow", "a" * 300]])
def test_refusals(controlled, options):
    one = service(controlled)
    answer = one.request("net", *options)
    assert answer["ok"] is False and answer["error"], answer
    assert one.request("net", "--net-deny", "1.2.3.4")["ok"] and one.process.poll() is None


def test_without_a_network(popen, cloche):
    mine, theirs = socket.socketpair()
    process = popen([cloche, "--control-fd", str(theirs.fileno()), "sh", "-c", "echo ready; exec sleep 1000"], pass_fds=[theirs.fileno()])
    theirs.close()
    process.stdout.readline()
    lines = mine.makefile("r")
    lines.readline()
    mine.sendall(b'{"command": "net", "options": ["--publish", "18105:8000"]}\n')
    answer = json.loads(lines.readline())
    assert answer["ok"] is False and "start the sandbox with --net" in answer["error"]
    lines.close()
    mine.close()
