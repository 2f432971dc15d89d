# SPDX-License-Identifier: LGPL-2.1-or-later
"""A fake Internet in private network namespaces, for tests of --net. Nothing leaves the machine.

    host        where cloche runs: 198.51.100.2 and 2001:db8:1::2, default routes to the internet, its own
                /etc/resolv.conf; services on its loopback and on its own address
    internet    203.0.113.1 to .4 and 2001:db8:2::1, ::2; a metadata service, a LAN and the like at the addresses of
                FAKES, which would all be reached without a policy; a nameserver at 203.0.113.53

Services, on every address: TCP and UDP echo (7), who (5000: the peer's address and port, then the end), HTTP (80), slow
(5001: reads a byte each 20 ms), full (5002: never reads), reset (5003: RST after accept), late (5004: half a second of
silence, then "late"), upload (5005: reads to the end, then the number and SHA-256 of the bytes), download (5006: reads
a number, sends so many bytes), hostport (5007: sends what it reads as HTTP's or TLS's first bytes, in hex).
198.18.0.1 is unreachable (ICMP), 198.19.0.1 a black hole.

The keeper's descriptor 0 is its life: when it closes, all end.
"""
import contextlib
import ctypes
import hashlib
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

HOST4, HOST6 = "198.51.100.2", "2001:db8:1::2"
GATEWAY4, GATEWAY6 = "198.51.100.1", "2001:db8:1::1"
DNS = "203.0.113.53"
SITE4, SITE6, OTHER4, SHARED4, WILD4 = "203.0.113.1", "2001:db8:2::1", "203.0.113.2", "203.0.113.3", "203.0.113.4"
UNREACHABLE, BLACKHOLE = "198.18.0.1", "198.19.0.1"
FAKES4 = ["169.254.169.254", "10.9.9.9", "192.168.7.7", "172.16.5.5", "100.100.100.200", "100.64.1.1", "168.63.129.16"]
FAKES6 = ["fd00:ec2::254", "fd12:3456::7", "64:ff9b::a9fe:a9fe", "64:ff9b::7f00:1", "64:ff9b::a09:909"]
PUBLIC4 = [SITE4, OTHER4, SHARED4, WILD4, DNS]
PUBLIC6 = [SITE6, "2001:db8:2::2"]
NAMES = {
    "site.test": (["203.0.113.1"], ["2001:db8:2::1"]), "other.test": ([OTHER4], []),
    "shared-a.test": ([SHARED4], []), "shared-b.test": ([SHARED4], []),
    "wild.test": ([WILD4], []), "a.wild.test": ([WILD4], []), "b.c.wild.test": ([WILD4], []),
    "evilwild.test": ([WILD4], []), "wild.test.evil.test": ([WILD4], []), "site.test.evil.test": ([OTHER4], []),
    "rebind.test": (["127.0.0.1"], []), "meta.test": (["169.254.169.254"], []), "lan.test": (["10.9.9.9"], []),
    "host.test": ([HOST4], []), "mapped.test": ([], ["::ffff:127.0.0.1"]), "nat64.test": ([], ["64:ff9b::a9fe:a9fe"]),
    "half.test": ([SITE4, "10.9.9.9"], []),
}
PR_SET_PDEATHSIG = 1
SCRIPT = pathlib.Path(__file__).resolve()


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


# ---- services ----------------------------------------------------------------------------------------------------
def read_all(connection):
    with contextlib.suppress(OSError):
        while data := connection.recv(65536):
            yield data


def echo(connection, peer):
    for data in read_all(connection):
        connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)


def who(connection, peer):
    local = connection.getsockname()
    connection.sendall(f"{peer[0].removeprefix('::ffff:')} {peer[1]} {local[0].removeprefix('::ffff:')}\n".encode())


def slow(connection, peer):
    while connection.recv(1):
        time.sleep(0.02)


def full(connection, peer):
    time.sleep(600)


def reset(connection, peer):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def late(connection, peer):
    time.sleep(0.5)
    connection.sendall(b"late")


def upload(connection, peer):
    digest, size = hashlib.sha256(), 0
    for data in read_all(connection):
        digest.update(data)
        size += len(data)
    connection.sendall(f"{size} {digest.hexdigest()}\n".encode())


def blob(size):
    unit = bytes(range(256)) * 257
    return (unit * (size // len(unit) + 1))[:size]


def download(connection, peer):
    connection.sendall(blob(int(connection.recv(100))))


def first_bytes(connection, peer):
    connection.sendall(connection.recv(65536).hex().encode() + b"\n")


def http(connection, peer):
    file = connection.makefile("rwb")
    request = file.readline().decode("latin-1").split()
    headers = {}
    while (line := file.readline().decode("latin-1").strip()):
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    path = request[1] if len(request) > 1 else "/"
    status, extra = "200 OK", ""
    body = f"host={headers.get('host')} addr={connection.getsockname()[0].removeprefix('::ffff:')}\n".encode()
    if path.startswith("/big?"):
        body = blob(int(path[5:]))
    if path.startswith("/redirect?"):
        status, extra, body = "302 Found", f"Location: {path[10:]}\r\n", b""
    file.write(f"HTTP/1.1 {status}\r\n{extra}Content-Length: {len(body)}\r\nConnection: close\r\n"
               "Content-Type: text/html\r\n\r\n".encode() + body)
    file.flush()


SERVICES = {7: echo, 80: http, 8080: http, 443: first_bytes, 5000: who, 5001: slow, 5002: full, 5003: reset, 5004: late,
            5005: upload, 5006: download, 5007: first_bytes}


def serve_one(service, connection, peer):
    with connection, contextlib.suppress(OSError, ValueError):
        service(connection, peer)


def serve(listener, service):
    while True:
        connection, peer = listener.accept()
        threading.Thread(target=serve_one, args=(service, connection, peer), daemon=True).start()


def udp_echo(sock):
    """Answers from the address that was asked: IPV6_PKTINFO, which has IPv4 as mapped addresses."""
    while True:
        data, ancillary, _, peer = sock.recvmsg(65536, 256)
        sock.sendmsg([data], [(level, kind, value) for level, kind, value in ancillary if kind == socket.IPV6_PKTINFO],
                     0, peer)


def start_services():
    for port, service in SERVICES.items():
        listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=4096)
        threading.Thread(target=serve, args=(listener, service), daemon=True).start()
    for port in (7, 5353):
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        sock.bind(("::", port))
        threading.Thread(target=udp_echo, args=(sock,), daemon=True).start()


# ---- nameserver --------------------------------------------------------------------------------------------------
def encode_name(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


class Nameserver:
    """mode: what it does wrong (silent, servfail, wrong-id, garbage, wrong-name); log: names that were asked for"""

    def __init__(self):
        self.mode, self.log = "fine", []

    def records(self, name, kind):
        if name == "cname.test":
            return [(5, encode_name("site.test"))] + [(1, socket.inet_aton(a)) for a in NAMES["site.test"][0] if kind == 1]
        if name == "big.test" and kind == 16:
            return [(16, b"".join(bytes([250]) + b"x" * 250 for _ in range(12)))]
        if name == "many.test" and kind == 1:
            return [(1, socket.inet_aton(f"203.0.113.{n}")) for n in range(1, 5)] * 5
        v4, v6 = NAMES.get(name, ([], []))
        if kind == 1:
            return [(1, socket.inet_aton(a)) for a in v4]
        return [(28, socket.inet_pton(socket.AF_INET6, a)) for a in v6] if kind == 28 else []

    def answer(self, query, by_tcp):
        position, labels = 12, []
        while query[position]:
            labels.append(query[position + 1:position + 1 + query[position]].decode("latin-1"))
            position += 1 + query[position]
        kind, end = struct.unpack("!H", query[position + 1:position + 3])[0], position + 5
        name = ".".join(labels).lower()
        self.log.append(name)
        if self.mode == "silent":
            return None
        if self.mode == "garbage":
            return query[:2] + os.urandom(40)
        known = name in NAMES or name in ("cname.test", "big.test", "many.test")
        records = self.records(name, kind)
        rcode = 2 if self.mode == "servfail" else 0 if known else 3
        out, owner = b"", b"\xc0\x0c"
        if self.mode == "wrong-name":
            owner = encode_name("site.test") if name != "site.test" else encode_name("other.test")
        for kind, data in records if rcode == 0 else []:
            out += owner + struct.pack("!HHIH", kind, 1, 30, len(data)) + data
            owner = encode_name("site.test") if name == "cname.test" else owner
        too_long = not by_tcp and len(out) > 400
        identity = query[:2] if self.mode != "wrong-id" else bytes([query[0] ^ 1, query[1]])
        header = identity + struct.pack("!BBHHHH", 0x85 | (2 if too_long else 0), 0x80 | rcode, 1,
                                        0 if too_long else len(records) if rcode == 0 else 0, 0, 0)
        return header + query[12:end] + (b"" if too_long else out)

    def run(self, address):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind((address, 53))
        tcp = socket.create_server((address, 53))
        threading.Thread(target=self.serve_udp, args=(udp,), daemon=True).start()
        threading.Thread(target=serve, args=(tcp, self.serve_tcp), daemon=True).start()

    def serve_udp(self, sock):
        while True:
            query, peer = sock.recvfrom(4096)
            with contextlib.suppress(IndexError, struct.error):
                if (data := self.answer(query, False)) is not None:
                    sock.sendto(data, peer)

    def serve_tcp(self, connection, peer):
        file = connection.makefile("rwb")
        while (length := file.read(2)):
            data = self.answer(file.read(struct.unpack("!H", length)[0]), True)
            if data is not None:
                file.write(struct.pack("!H", len(data)) + data)
                file.flush()


# ---- namespaces --------------------------------------------------------------------------------------------------
def ip(*lines):
    subprocess.run(["ip", "-batch", "-"], input="\n".join(lines), text=True, check=True)


def sysctl(name, value):
    pathlib.Path("/proc/sys", name.replace(".", "/")).write_text(value)


def say(message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def internet():
    """The other side: waits for its interface, then serves. Lines on stdin are commands."""
    say("made")
    sys.stdin.readline()
    sysctl("net.ipv6.conf.all.accept_dad", "0")
    sysctl("net.ipv6.conf.eth0.accept_dad", "0")
    sysctl("net.ipv4.tcp_max_syn_backlog", "8192")
    ip("link set lo up", "link set eth0 up", f"addr add {GATEWAY4}/24 dev eth0", f"addr add {GATEWAY6}/64 dev eth0 nodad",
       *(f"addr add {a}/32 dev lo" for a in PUBLIC4 + FAKES4), *(f"addr add {a}/128 dev lo" for a in PUBLIC6 + FAKES6),
       f"route add unreachable {UNREACHABLE}/32", f"route add blackhole {BLACKHOLE}/32")
    sysctl("net.ipv4.ip_forward", "1")
    nameserver = Nameserver()
    nameserver.run(DNS)
    start_services()
    say("serves")
    for line in sys.stdin:
        command = json.loads(line)
        if command == "log":
            say(nameserver.log)
            nameserver.log = []
        else:
            nameserver.mode = command
            say("done")


def keep(resolv):
    """The host: makes the internet, passes commands on to it."""
    other = subprocess.Popen(["unshare", "-n", sys.executable, SCRIPT, "internet"], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
    other.stdout.readline()
    sysctl("net.ipv6.conf.all.accept_dad", "0")
    sysctl("net.ipv6.conf.default.accept_dad", "0")
    last = int(pathlib.Path("/proc/self/gid_map").read_text().split()[2]) - 1  # an ordinary user has one group mapped
    sysctl("net.ipv4.ping_group_range", f"0 {min(last, 2**31 - 1)}")
    ip("link set lo up", f"link add eth0 type veth peer name eth0 netns {other.pid}", "link set eth0 up",
       f"addr add {HOST4}/24 dev eth0", f"addr add {HOST6}/64 dev eth0 nodad")
    other.stdin.write("\n")
    other.stdin.flush()
    other.stdout.readline()
    ip(f"route add default via {GATEWAY4}", f"route add 10.9.9.0/24 via {GATEWAY4}", f"route add default via {GATEWAY6}")
    subprocess.run(["mount", "--bind", resolv, "/etc/resolv.conf"], check=True)
    subprocess.run(["mount", "-t", "sysfs", "sysfs", "/sys"], check=True)
    start_services()
    say({"host": os.getpid(), "internet": other.pid})
    for line in sys.stdin:
        other.stdin.write(line)
        other.stdin.flush()
        sys.stdout.write(other.stdout.readline())
        sys.stdout.flush()
    other.kill()


class World:
    def __init__(self, as_root=True):
        self.directory = tempfile.mkdtemp(prefix="cloche-tests.")
        os.chmod(self.directory, 0o755)
        self.resolv = pathlib.Path(self.directory, "resolv.conf")
        self.set_resolv()
        namespaces = ["-n", "-m"] if as_root else ["-U", "-r", "-n", "-m"]
        self.keeper = subprocess.Popen(["unshare", *namespaces, sys.executable, SCRIPT, "keep", self.resolv],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                       preexec_fn=die_with_parent, start_new_session=True)
        self.pids = json.loads(self.keeper.stdout.readline())
        self.enter = ["nsenter", "-t", str(self.pids["host"]), *(["-U", "--preserve-credentials"] if not as_root else []),
                      "-n", "-m", "--"]
        self.enter_internet = ["nsenter", "-t", str(self.pids["internet"]),
                               *(["-U", "--preserve-credentials"] if not as_root else []), "-n", "-m", "--"]

    def set_resolv(self, text=f"nameserver {DNS}\nsearch test\noptions timeout:5\n"):
        self.resolv.write_text(text)
        self.resolv.chmod(0o644)

    def command(self, message):
        self.keeper.stdin.write(json.dumps(message) + "\n")
        self.keeper.stdin.flush()
        return json.loads(self.keeper.stdout.readline())

    def nameserver(self, mode):
        self.command(mode)

    def dns_log(self):
        return self.command("log")

    def close(self):
        self.keeper.stdin.close()
        self.keeper.wait(30)
        self.resolv.unlink()
        os.rmdir(self.directory)


if __name__ == "__main__":
    die_with_parent()
    if sys.argv[1] == "keep":
        keep(sys.argv[2])
    else:
        internet()
