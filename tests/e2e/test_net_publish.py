# SPDX-License-Identifier: LGPL-2.1-or-later
"""--publish and --publish-auto."""
import json
import os
import socket
import subprocess

import pytest

from conftest import acting_as_root, wait_until
from world import GATEWAY4, GATEWAY6, HOST4, HOST6

SERVICE = """
import socketserver
class Handler(socketserver.BaseRequestHandler):
    def handle(self): self.request.sendall(json.dumps([self.client_address[0], self.request.getsockname()[0]]).encode())
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True; daemon_threads = True; address_family = family(ADDRESS)
server = Server((ADDRESS, PORT), Handler); tell(server.server_address[1]); server.serve_forever()
"""
DATAGRAMS = """
s = socket.socket(family(ADDRESS), socket.SOCK_DGRAM); s.bind((ADDRESS, PORT)); tell(PORT)
while True:
    data, peer = s.recvfrom(65536); s.sendto(json.dumps([peer[0], len(data)]).encode(), peer)
"""


def serve(net, *options, address="0.0.0.0", port=8000, code=SERVICE):
    process = net.client_process(*options, code=f"ADDRESS, PORT = '{address}', {port}\n" + code)
    line = process.stdout.readline()
    assert line, process.communicate()
    return process


def ask(net, address, port):
    told = net.host_client(f"tell(attempt('{address}', {port}))")
    return json.loads(told) if told.startswith("[") else told


def from_internet(net, world, address, port):
    with acting_as_root():
        code = f"import socket; s = socket.create_connection(('{address}', {port}), 10); print(s.recv(1000).decode())"
        done = subprocess.run([*world.enter_internet, "/usr/bin/python3", "-c", code], capture_output=True, text=True, timeout=30)
    return json.loads(done.stdout) if done.stdout else done.stderr


@pytest.mark.parametrize("listen", ["0.0.0.0", "127.0.0.1", "10.0.2.100", "::", "::1"])
def test_publish_service_address(net, listen):
    """Wherever the service listens; by both of the host's loopback addresses."""
    serve(net, "--publish", "18000:8000", address=listen)
    told = ask(net, "127.0.0.1", 18000)
    if "." in listen:
        assert told[0] == "127.0.0.1", told
    assert isinstance(told, list), told
    assert isinstance(ask(net, "::1", 18000), list)


@pytest.mark.parametrize("address,client", [(HOST4, GATEWAY4), (HOST6, GATEWAY6)])
def test_publish_client_address(net, world, address, client):
    written = f"[{address}]" if ":" in address else address
    for port, listen in enumerate(("::", "::1") if ":" in address else ("0.0.0.0", "127.0.0.1"), 18040):
        serve(net, "--publish", f"{written}:{port}:8000", address=listen)
        told = from_internet(net, world, address, port)
        assert told[0] == client, (listen, told)


def test_publish_loopback_by_default(net, world):
    serve(net, "--publish", "8000")
    assert isinstance(ask(net, "127.0.0.1", 8000), list)
    assert "refused" in from_internet(net, world, HOST4, 8000)


def test_publish_slirp_path(net):
    serve(net, "--net-path", "slirp", "--publish", "18002:8000", address="127.0.0.1")
    assert ask(net, "127.0.0.1", 18002)[0] == "127.0.0.1"


def test_publish_range(net):
    serve(net, "--publish", "18010-18012:7999", port=8000)
    assert isinstance(ask(net, "127.0.0.1", 18011), list)
    assert ask(net, "127.0.0.1", 18010) in ("ECONNRESET", "")


def test_publish_unix(net, tmp_path):
    path = tmp_path / "socket"
    serve(net, "--publish", f"unix:{path}:8000")
    code = f"s = socket.socket(socket.AF_UNIX); s.connect({str(path)!r}); tell(s.recv(1000).decode())"
    assert json.loads(net.host_client(code))[0] in ("127.0.0.1", "10.0.2.100")


def test_publish_unix_removed(net, tmp_path):
    path = tmp_path / "socket"
    assert net("--publish", f"unix:{path}:8000", argv=["true"]).returncode == 0
    assert not path.exists()
    path.write_text("mine")
    refused = net("--publish", f"unix:{path}:8000", argv=["true"])
    assert refused.returncode == 125 and "Address already in use" in refused.stderr and path.read_text() == "mine"


@pytest.mark.parametrize("listen", ["0.0.0.0", "127.0.0.1", "::"])
def test_publish_udp(net, listen):
    serve(net, "--publish", "udp:18020:8000", address=listen, code=DATAGRAMS)
    told = [json.loads(net.host_client("tell(datagram('127.0.0.1', 18020, b'x' * 1000))")) for _ in range(2)]
    assert all(t[1] == 1000 for t in told), told
    if "." in listen:
        assert told[0][0] == "127.0.0.1"


def test_publish_udp_client_address(net, world):
    for port, listen in ((18021, "0.0.0.0"), (18022, "127.0.0.1")):
        serve(net, "--publish", f"udp:{HOST4}:{port}:8000", address=listen, code=DATAGRAMS)
        with acting_as_root():
            code = f"import socket; s = socket.socket(2, 2); s.settimeout(10); s.sendto(b'abc', ('{HOST4}', {port})); print(s.recv(99).decode())"
            done = subprocess.run([*world.enter_internet, "/usr/bin/python3", "-c", code], capture_output=True, text=True, timeout=30)
        assert done.stdout and json.loads(done.stdout) == [GATEWAY4, 3], (listen, done)


def test_publish_taken(net, tmp_path):
    marker = tmp_path / "ran"
    refused = net("--publish", "127.0.0.1:5000:80", "--bind", tmp_path, tmp_path, argv=["touch", marker])
    assert refused.returncode == 125 and not marker.exists(), refused
    assert "--publish 127.0.0.1:5000:80: cannot publish 127.0.0.1:5000: Address already in use" in refused.stderr
    assert "hint: somebody listens there" in refused.stderr


def test_publish_free_port(net):
    read, write = os.pipe()
    process = net.client_process("--json-status-fd", str(write), "--publish", "0:8000", code="ADDRESS, PORT = '0.0.0.0', 8000\n" + SERVICE,
                                 pass_fds=[write])
    os.close(write)
    process.stdout.readline()
    with os.fdopen(read) as file:
        published = next(json.loads(line)["published"] for line in file if "published" in line)
        assert {p["address"] for p in published} == {"127.0.0.1", "::1"} and len({p["port"] for p in published}) == 1
        assert published[0]["inside"] == 8000 and published[0]["proto"] == "tcp"
        assert isinstance(ask(net, "127.0.0.1", published[0]["port"]), list)
        process.stdin.close()
        process.kill()


def test_publish_nobody_listens(net):
    process = net.client_process("--publish", "18030:8000", code="tell(1); input()")
    process.stdout.readline()
    assert ask(net, "127.0.0.1", 18030) in ("ECONNRESET", "")


def test_publish_bytes(net):
    code = """
import hashlib
l = socket.create_server(("0.0.0.0", 8000)); tell(1)
while True:
    c, _ = l.accept(); d = hashlib.sha256(); n = 0
    while (data := c.recv(1 << 20)): d.update(data); n += len(data)
    c.sendall(f"{n} {d.hexdigest()}".encode()); c.close()"""
    serve(net, "--publish", "18031:8000", code=code)
    told = net.host_client("""
import hashlib
data = bytes(range(256)) * 50000
s = connected('127.0.0.1', 18031); s.sendall(data); s.shutdown(socket.SHUT_WR)
tell([s.recv(200).decode(), f'{len(data)} {hashlib.sha256(data).hexdigest()}'])""")
    assert told[0] == told[1]


def test_publish_ends_with_sandbox(net):
    assert net("--publish", "18032", argv=["true"]).returncode == 0
    assert net("--publish", "18032", argv=["true"]).returncode == 0
    assert ask(net, "127.0.0.1", 18032) == "ECONNREFUSED"


def test_publish_auto(net):
    process = serve(net, "--publish-auto", port=8123)
    wait_until(lambda: isinstance(ask(net, "127.0.0.1", 8123), list))
    process.stdin.close()


def test_publish_auto_ends(net):
    code = """
l = socket.create_server(("127.0.0.1", 8124)); tell(1); l.accept()[0].sendall(b"[]"); l.close(); tell(2); input()"""
    process = net.client_process("--publish-auto", code=code)
    process.stdout.readline()
    wait_until(lambda: ask(net, "127.0.0.1", 8124) == [])
    process.stdout.readline()
    wait_until(lambda: ask(net, "127.0.0.1", 8124) == "ECONNREFUSED")


@pytest.mark.parametrize("value", ["", "x", "80:", ":80", "80-", "90-80", "80:0", "65535-65536", "1.2.3:80", "tcp:", "sctp:80", "[::1]80",
                                   "60000-65535:60001", "unix:80", "unix::80", "unix:/x:", "unix:/x:y", "80:80:80", "a.test:80"])
def test_bad_publish(run, cloche, value):
    result = run([cloche, "--net", "--publish", value, "--", "true"])
    assert result.returncode == 125 and "not [tcp:|udp:][ADDRESS:]PORT" in result.stderr, result
