# SPDX-License-Identifier: LGPL-2.1-or-later
"""--net: the interface, TCP by both paths, UDP, ICMP and the nameserver, in the fake Internet of world.py."""
import errno
import hashlib
import json
import os
import re
import subprocess

import pytest

from conftest import BUILD, KERNEL, acting_as_root, wait_until
from netlib import CLIENT, MODES, only_root_can
from world import BLACKHOLE, DNS, FAKES4, GATEWAY4, HOST4, HOST6, OTHER4, SITE4, SITE6, UNREACHABLE, blob


SITE = sorted([SITE4, SITE6])


@pytest.fixture(params=MODES)
def mode(request):
    return MODES[request.param]


# ---- the interface -----------------------------------------------------------------------------------------------
def addresses(text):
    return {a for link in json.loads(text) for info in link["addr_info"] for a in [f"{info['local']}/{info['prefixlen']}"]}


def test_interface(net):
    result = net(argv=["ip", "-j", "addr"])
    links = {link["ifname"]: link for link in json.loads(result.stdout)}
    assert links["eth0"]["mtu"] == 32768 and "UP" in links["eth0"]["flags"]
    assert {"10.0.2.100/24", "fd00:c10c:e::64/64"} <= addresses(result.stdout)
    assert not [i for link in links.values() for i in link["addr_info"] if i.get("tentative") and i["scope"] == "global"]


def test_interface_routes(net):
    assert "default via 10.0.2.2 dev eth0" in net(argv=["ip", "route"]).stdout
    assert "default via fd00:c10c:e::2 dev eth0" in net(argv=["ip", "-6", "route"]).stdout


def test_interface_options(net):
    result = net("--net-cidr", "172.30.0.0/16", "--net-mtu", "1500", "--net-ifname", "wan", "--net-mac", "02:00:00:00:00:07",
                 argv=["ip", "-j", "addr", "show", "wan"])
    assert result.returncode == 0, result
    link = json.loads(result.stdout)[0]
    assert link["mtu"] == 1500 and link["address"] == "02:00:00:00:00:07"
    assert "172.30.0.100/16" in addresses(result.stdout)
    assert net.client("--net-cidr", "172.30.0.0/16", code=f"tell(echo('{SITE4}'))") == "hello"


def test_cidr_clash_avoided(net, world):
    with acting_as_root():
        subprocess.run([*world.enter, "ip", "route", "add", "10.0.2.0/25", "via", GATEWAY4], check=True)
    try:
        assert "10.0.3.100/24" in addresses(net(argv=["ip", "-j", "addr"]).stdout)
        refused = net("--net-cidr", "10.0.2.0/24", argv=["true"])
        assert refused.returncode == 125
        assert "--net-cidr 10.0.2.0/24: the network 10.0.2.0/24 clashes with the host's route to 10.0.2.0/25" in refused.stderr
    finally:
        with acting_as_root():
            subprocess.run([*world.enter, "ip", "route", "del", "10.0.2.0/25"], check=True)


def test_no_ipv6_without_route(net, world):
    with acting_as_root():
        subprocess.run([*world.enter, "ip", "-6", "route", "del", "default"], check=True)
    try:
        assert net.client(code=f"tell(attempt('{SITE6}', 7))") == "ENETUNREACH"
        assert net.client(code=f"tell(echo('{SITE4}'))") == "hello"
    finally:
        with acting_as_root():
            subprocess.run([*world.enter, "ip", "-6", "route", "add", "default", "via", "2001:db8:1::1"], check=True)


def test_files(net, world):
    assert net(argv=["cat", "/etc/resolv.conf"]).stdout == "nameserver 10.0.2.3\nsearch test\noptions timeout:5\n"
    result = net("--hostname", "jar", "--net-host", "db.test=203.0.113.9", argv=["cat", "/etc/hostname", "/etc/hosts"])
    assert result.stdout.startswith("jar\n127.0.0.1\tlocalhost\n")
    assert "10.0.2.100\tjar\n203.0.113.9\tdb.test\n" in result.stdout
    assert net(argv=["sh", "-c", "echo >>/etc/hosts"]).returncode != 0


def test_resolv_conf_host(net):
    assert net("--resolv-conf", "host", argv=["cat", "/etc/resolv.conf"]).stdout.startswith(f"nameserver {DNS}\n")


def test_resolv_conf_none(net):
    assert net("--resolv-conf", "none", argv=["test", "-e", "/etc/resolv.conf"]).returncode == 1


def test_resolv_conf_link(net, tmp_path):
    """A link into /run, which leads nowhere inside."""
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "resolv.conf").symlink_to("../run/systemd/resolve/stub-resolv.conf")
    result = net("--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib",
                 "--symlink", "usr/lib64", "/lib64", "--ro-bind", etc, "/etc", argv=["cat", "/etc/resolv.conf"])
    assert result.stdout.startswith("nameserver 10.0.2.3\n"), result
    assert (etc / "resolv.conf").is_symlink() and not (etc / "hosts").exists()


# ---- how ---------------------------------------------------------------------------------------------------------
def test_explain_path(net):
    """On this kernel SYNs are held through nft-compat, for IPv4 and IPv6; others have one of both ways."""
    network = json.loads(net("--explain=json", argv=["true"]).stdout)["network"]
    assert network["path"] == "splice", network
    assert network["hold"] == "nft-compat" if KERNEL >= (6, 18) else network["hold"] in ("nft", "nft-compat"), network
    assert network["address"] == "10.0.2.100" and network["address6"] == "fd00:c10c:e::64"
    assert "path: splice" in net("--explain", argv=["true"]).stdout


def test_explain_carrier(net):
    network = json.loads(net("--explain=json", argv=["true"]).stdout)["network"]
    usable = os.access("/dev/net/tun", os.R_OK | os.W_OK, effective_ids=True)
    assert network["carrier"] == ("tap" if usable else "packet"), network
    assert network["carrier-reason"] == ("" if usable else "Permission denied")


def test_verbose_path(net):
    assert re.search("carrier=(tap|packet) path=splice hold=nft", net("--verbose", argv=["true"]).stderr)
    assert "path=slirp hold=none" in net("--verbose", "--net-path", "slirp", argv=["true"]).stderr


@pytest.fixture(params=["tap", "packet"])
def carrier(request, net, world):
    """A carrier; /dev/net/tun is a node of our own, in the world's mount namespace."""
    if request.param == "tap":
        only_root_can("make a device node")
        with acting_as_root():
            subprocess.run([*world.enter, "sh", "-c", "mount -t tmpfs tmpfs /dev/net && mknod -m 666 /dev/net/tun c 10 200"],
                           check=True)
    yield request.param
    if request.param == "tap":
        with acting_as_root():
            # Lazily: a process of the test that is dying may still have the node open.
            subprocess.run([*world.enter, "umount", "--lazy", "/dev/net"], check=True)


def test_carrier(net, carrier, mode):
    options = ["--net-carrier", carrier, *mode]
    assert f"carrier={carrier}" in net("--verbose", *options, argv=["true"]).stderr
    assert net.client(*options, code=f"tell([echo('{SITE4}'), datagram('{SITE4}', 7), echo('{SITE6}'), datagram('{SITE6}', 7)])"
                      ) == ["hello", "ping", "hello", "ping"]


@pytest.mark.only_user  # the node of this machine is root's
def test_carrier_tap_missing(net):
    refused = net("--net-carrier", "tap", argv=["true"])
    assert refused.returncode == 125 and "cannot make the network: the TAP interface: Permission denied" in refused.stderr


# ---- TCP ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("address", SITE)
def test_tcp_echo(net, mode, address):
    assert net.client(*mode, code=f"tell(echo('{address}', data=b'x' * 300000))") == "x" * 300000


@pytest.mark.parametrize("address", SITE)
def test_tcp_names(net, address):
    """getpeername(2) is the real destination; the service sees the host, not us."""
    code = f"s = connected('{address}', 5000); tell([s.getpeername()[:2], s.getsockname()[0], s.recv(100).decode()])"
    peer, own, seen = net.client(code=code)
    assert peer == [address, 5000] and own == ("10.0.2.100" if "." in address else "fd00:c10c:e::64")
    assert seen.split()[0] == (HOST4 if "." in address else HOST6) and seen.split()[2] == address


@pytest.mark.parametrize("address", SITE)
def test_tcp_refused(net, address):
    assert net.client(code=f"tell(attempt('{address}', 81))") == "ECONNREFUSED"


def test_tcp_unreachable(net):
    assert net.client(code=f"tell(attempt('{UNREACHABLE}', 80))") == "EHOSTUNREACH"
    assert net.client(code="tell(attempt('2001:db8:ffff::1', 80))") in ("EHOSTUNREACH", "ENETUNREACH", "EACCES")


def test_tcp_timeout(net):
    """Neither an answer nor an error, until the sandbox's own kernel gives up: here it is told to after two SYNs."""
    code = f"""s = socket.socket(); s.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, 1)
try: s.connect(('{BLACKHOLE}', 80)); tell('connected')
except OSError as error: tell(error_name(error.errno))"""
    assert net.client(code=code) in ("ETIMEDOUT", "EINVAL")


def test_tcp_nonblocking(net):
    code = f"""
s = socket.socket(); s.setblocking(False)
first = error_name(s.connect_ex(('{SITE4}', 5000)))
poll = select.epoll(); poll.register(s, select.EPOLLOUT | select.EPOLLIN)
events = poll.poll(20)[0][1]
error = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
r = socket.socket(); r.setblocking(False)
second = error_name(r.connect_ex(('{SITE4}', 81)))
poll.register(r, select.EPOLLOUT)
time.sleep(0.3)
refused = error_name(r.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
s.setblocking(True)
tell([first, bool(events & select.EPOLLOUT), error, second, refused, s.recv(10) != b''])"""
    assert net.client(code=code) == ["EINPROGRESS", True, 0, "EINPROGRESS", "ECONNREFUSED", True]


def test_tcp_dup_and_fork(net):
    code = f"""
s = socket.socket(); copy = s.dup()
s.connect(('{SITE4}', 7))
if os.fork() == 0:
    copy.sendall(b'child'); os._exit(0)
os.wait(); copy.sendall(b'parent'); copy.shutdown(socket.SHUT_WR)
out = b''
while (more := s.recv(100)): out += more
tell(out.decode())"""
    assert net.client(code=code) == "childparent"


def test_tcp_half_close(net, mode):
    """The answer comes after our end is closed; and the other way round."""
    code = f"""
s = connected('{SITE4}', 5005); s.sendall(b'abc'); s.shutdown(socket.SHUT_WR)
tell(s.recv(200).decode())"""
    assert net.client(*mode, code=code) == f"3 {hashlib.sha256(b'abc').hexdigest()}\n"


def test_tcp_reset_arrives(net):
    code = f"""
try: tell(connected('{SITE4}', 5003).recv(10).decode())
except OSError as error: tell(error_name(error.errno))"""
    assert net.client(code=code) == "ECONNRESET"


def test_tcp_reset_sent(net):
    """Our RST reaches the service, which then reads no end: the upload service answers nothing."""
    code = f"""
s = connected('{SITE4}', 5005); s.sendall(b'abc'); time.sleep(0.1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0)); s.close(); tell(1)"""
    assert net.client(code=code) == 1


def test_tcp_urgent_in_band(net):
    """Also where it and the end come while earlier bytes are still on their way."""
    code = f"""
said = set()
for pause in [0] * 150 + [0.0003] * 50:
    s = connected('{SITE4}', 7); s.send(b'a'); time.sleep(pause); s.send(b'U', socket.MSG_OOB); s.send(b'b'); s.shutdown(socket.SHUT_WR)
    out = b''
    while (more := s.recv(100)): out += more
    said.add(out.decode())
tell(sorted(said))"""
    assert net.client(code=code) == ["aUb"]


@pytest.mark.parametrize("size", [0, 1, 65536, 30_000_000])
def test_tcp_bytes_down(net, mode, size):
    code = f"""
import hashlib
s = connected('{SITE4}', 5006); s.sendall(b'{size}'); d = hashlib.sha256(); n = 0
while (more := s.recv(1 << 20)): d.update(more); n += len(more)
tell([n, d.hexdigest()])"""
    assert net.client(*mode, code=code) == [size, hashlib.sha256(blob(size)).hexdigest()]


def test_tcp_bytes_up(net, mode):
    code = f"""
import hashlib
data = bytes(range(256)) * 100000
s = connected('{SITE4}', 5005); s.sendall(data); s.shutdown(socket.SHUT_WR)
tell([s.recv(200).decode(), f'{{len(data)}} {{hashlib.sha256(data).hexdigest()}}\\n'])"""
    told = net.client(*mode, code=code)
    assert told[0] == told[1]


def test_tcp_slow_reader(net):
    """What nobody reads is held back: the writer stops, as on a native socket."""
    code = f"""
s = connected('{SITE4}', 5002); s.setblocking(False); sent = 0; quiet = 0
while quiet < 10:
    try: sent += s.send(b'x' * 65536); quiet = 0
    except BlockingIOError: quiet += 1; time.sleep(0.05)
tell(sent)"""
    assert 65536 < net.client(code=code) < 64 << 20


def test_tcp_late_answer(net):
    assert net.client(code=f"tell(attempt('{SITE4}', 5004))") == "late"


def test_tcp_many(net, mode):
    code = f"""
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(32) as pool:
    tell(sorted(set(pool.map(lambda n: echo('{SITE4}', data=b'%d' % n) == str(n), range(600)))))"""
    assert net.client(*mode, code=code) == [True]


def test_tcp_static_binary(net, compile_c):
    program = compile_c(r"""
#include <arpa/inet.h>
#include <stdio.h>
#include <unistd.h>
int main(void)
{
	struct sockaddr_in a = { AF_INET, htons(5004), { inet_addr("203.0.113.1") } };
	char text[10] = "";
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (connect(fd, (void *)&a, sizeof(a)) < 0 || read(fd, text, 9) < 0)
		return 1;
	puts(text);
	return 0;
}
""")
    result = net("--ro-bind", program, "/client", argv=["/client"])
    assert (result.returncode, result.stdout) == (0, "late\n"), result


def test_tcp_own_loopback(net):
    """What the sandbox says to itself is not ours."""
    code = """
l = socket.create_server(("127.0.0.1", 0)); s = connected("127.0.0.1", l.getsockname()[1]); c, peer = l.accept()
c.sendall(b"self"); tell([s.recv(10).decode(), peer[0], attempt("127.0.0.1", 1)])"""
    assert net.client(code=code) == ["self", "127.0.0.1", "ECONNREFUSED"]


# ---- UDP and ICMP ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("address", SITE)
def test_udp_echo(net, address):
    assert net.client(code=f"tell(datagram('{address}', 7))") == "ping"
    assert net.client(code=f"tell(len(datagram('{address}', 7, b'x' * 9000)))") == 9000


def test_udp_refused_silence(net):
    assert net.client(code=f"tell(datagram('{SITE4}', 9, timeout=1))") in ("TIMEOUT", "ECONNREFUSED")


def test_udp_gso(net):
    """Segmentation is left to the device, which has to be refused it."""
    code = f"""
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5); s.connect(('{SITE4}', 7))
s.setsockopt(17, 103, 1000)
s.send(b'x' * 5000)
tell(sum(len(s.recv(65536)) for _ in range(5)))"""
    assert net.client(code=code) == 5000


def test_ping(net):
    result = net(argv=["ping", "-c", "1", "-W", "5", SITE4])
    assert "1 received" in result.stdout, result


# ---- the nameserver ----------------------------------------------------------------------------------------------
def test_dns_names(net):
    told = net.client(code="tell([resolve(n) for n in ('site.test', 'cname.test', 'site', 'SITE.Test.', 'nothing.test')])")
    assert told == [SITE, [SITE4], SITE, SITE, "Name or service not known"]


def test_dns_dig(net):
    told = net(argv=["dig", "+short", "site.test", "A"])
    assert told.stdout == f"{SITE4}\n", told
    assert net(argv=["dig", "+tcp", "+short", "site.test", "AAAA"]).stdout == f"{SITE6}\n"
    assert "10.0.2.3#53" in net(argv=["dig", "+noedns", "site.test"]).stdout


def test_dns_truncated_then_tcp(net):
    result = net(argv=["dig", "+bufsize=512", "big.test", "TXT"])
    assert "Truncated, retrying in TCP" in result.stdout and result.stdout.count("x" * 250) == 12, result


def test_dns_failover(net, world):
    with acting_as_root():
        world.set_resolv(f"nameserver 203.0.113.1\nnameserver {DNS}\n")
    assert net.client(code="tell(resolve('site.test'))") == SITE


@pytest.mark.parametrize("wrong", ["servfail", "wrong-id", "garbage", "silent", "wrong-name"])
def test_dns_bad_server(net, world, wrong):
    """Whatever the server does: an error, no crash, and it is well again when the server is."""
    with acting_as_root():
        world.nameserver(wrong)
    process = net.client_process(code="tell(resolve('site.test')); input(); tell(resolve('other.test'))")
    assert json.loads(process.stdout.readline()) != SITE
    with acting_as_root():
        world.nameserver("fine")
    out, err = process.communicate("\n", timeout=60)
    assert json.loads(out) == [OTHER4], err


def test_dns_follows_resolv_conf(net, world):
    """Another file, by writing and by renaming."""
    with acting_as_root():
        world.set_resolv("nameserver 203.0.113.1\n")
    process = net.client_process(code="""
for line in sys.stdin: tell(resolve(line.strip()))""")
    process.stdin.write("site.test\n")
    process.stdin.flush()
    assert isinstance(json.loads(process.stdout.readline()), str)
    with acting_as_root():
        world.set_resolv()

    def works():
        process.stdin.write("other.test\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline()) == [OTHER4]
    wait_until(works)


def test_dns_option(net, world):
    with acting_as_root():
        world.set_resolv("nameserver 203.0.113.1\n")
    assert net.client("--net-dns", DNS, code="tell(resolve('site.test'))") == SITE


def test_dns_host_option(net):
    told = net.client("--net-host", f"db.test={SITE4}", code="tell([resolve('db.test'), echo('db.test')])")
    assert told == [[SITE4], "hello"]
    assert net("--net-host", f"db.test={SITE4}", argv=["dig", "+short", "db.test"]).stdout == f"{SITE4}\n"


def test_dns_malformed_query(net):
    code = """
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(3); s.connect(("10.0.2.3", 53))
import random
random.seed(1)
good = bytes.fromhex("12340100000100000000000004736974650474657374000001" "0001")
for n in range(len(good)): s.send(good[:n])
for _ in range(300):
    b = bytearray(good)
    for _ in range(3): b[random.randrange(2, len(b))] = random.randrange(256)
    s.send(bytes(b))
s.close(); time.sleep(0.2); tell(resolve('site.test'))"""
    assert net.client(code=code) == SITE


# ---- life --------------------------------------------------------------------------------------------------------
def test_status(net):
    result = net(argv=["sh", "-c", "exit 7"])
    assert result.returncode == 7 and result.stderr == "", result


def test_totals(net, tmp_path):
    read, write = os.pipe()
    result = net("--json-status-fd", write, argv=net.python(f"echo('{SITE4}', data=b'x' * 1000)"), pass_fds=[write])
    os.close(write)
    assert result.returncode == 0, result
    with os.fdopen(read) as file:
        lines = [json.loads(line) for line in file]
    assert {"network": {"sent": 1000, "received": 1000}} in lines, lines


def test_usage(net):
    read, write = os.pipe()
    net("--usage-fd", write, argv=net.python(f"datagram('{SITE4}', 7, b'x' * 500)"), pass_fds=[write])
    os.close(write)
    with os.fdopen(read) as file:
        usage = json.load(file)
    assert usage["net-sent"] == 500 and usage["net-received"] == 500, usage


def test_sixty_four(net):
    processes = [net.start(argv=net.python(f"tell(echo('{SITE4}'))")) for _ in range(64)]
    assert [p.communicate(timeout=100)[0] for p in processes] == ['"hello"\n'] * 64


def test_bwrap_name(net, bwrap):
    argv = [bwrap, "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--net",
            *net.python(f"tell([echo('{SITE4}'), resolve('site.test'), open('/etc/resolv.conf').read()])")]
    assert net.told(net.host(argv)) == ["hello", SITE, "nameserver 10.0.2.3\nsearch test\noptions timeout:5\n"]


@pytest.mark.parametrize("options", [["--uid", "0", "--gid", "0"], ["--allow-userns"], ["--dev", "/dev"],
                                     ["--cap-add", "NET_BIND_SERVICE"], ["--proc-hidepid"], ["--new-session"],
                                     ["--share-pid"], ["--as-pid-1"], ["--unshare-time"]], ids=" ".join)
def test_with_option(net, options):
    assert net.client(*options, code=f"tell([echo('{SITE4}'), resolve('site.test'), datagram('{SITE6}', 7)])") == [
        "hello", SITE, "ping"]


def test_with_uid_map(net):
    only_root_can("make a world whose users have more ids than one")
    options = ["--uid-map", "0:100000:1000", "--gid-map", "0:100000:1000"]
    if not net.user.is_root and subprocess.run(["grep", "-q", "^cloche-test:100000:", "/etc/subuid"]).returncode:
        options = ["--map-auto"]
    assert net.client(*options, code=f"tell([echo('{SITE4}'), datagram('{SITE4}', 7)])") == ["hello", "ping"]


OUTER = ["--allow-userns", "--seccomp-policy", "none", "--ro-bind", BUILD, BUILD]


@pytest.mark.only_user  # the kernel allows no new procfs below root's, parts of which are masked
def test_nested(net, bwrap):
    """A sandbox with a network of its own, in one; and one of bubblewrap that shares the outer one's."""
    only_root_can("make a world whose user is not uid 0")
    code = f"tell([echo('{SITE4}'), echo('{SITE6}'), resolve('site.test'), datagram('{SITE4}', 7)])"
    worked = ["hello", "hello", SITE, "ping"]
    inner = [net.cloche, "--net", "--", *net.python(code)]
    assert net.told(net(*OUTER, argv=inner)) == worked
    shares = [bwrap, "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", *net.python(code)]
    assert net.told(net(*OUTER, argv=shares)) == worked


@pytest.mark.only_user
def test_nested_cannot_lift(net):
    """What the outer sandbox refuses, one inside cannot allow."""
    only_root_can("make a world whose user is not uid 0")
    inner = [net.cloche, "--net", "--net-allow", OTHER4, "--", *net.python(f"tell(attempt('{OTHER4}', 7))")]
    assert net.told(net(*OUTER, "--net-deny", OTHER4, argv=inner)) == "ECONNREFUSED"
    assert net.told(net(*OUTER, argv=[*inner[:-1], CLIENT + f"tell(echo('{OTHER4}'))"])) == "hello"


def test_with_userns(net):
    """In a user namespace that another process made."""
    code = f"tell([echo('{SITE4}'), resolve('site.test'), datagram('{SITE6}', 7)])"
    script = """unshare --user --map-root-user sleep 1000 & until [ "$(readlink /proc/$!/ns/user)" != "$(readlink /proc/self/ns/user)" ]
        do sleep 0.02; done; pid=$!; "$@" 7</proc/$pid/ns/user; status=$?; kill $pid; exit $status"""
    argv = net.argv(["--allow-userns", "--userns", "7"], net.python(code))
    assert net.told(net.host(["sh", "-c", script, "sh", *argv])) == ["hello", SITE, "ping"]


@pytest.mark.slow
def test_tcp_slow_long_idle(net):
    """A connection on which nothing happens for a minute, while others come and go."""
    code = f"""
s = connected('{SITE4}', 7); s.sendall(b'a'); first = s.recv(1)
for n in range(60): time.sleep(1); echo('{SITE4}')
s.sendall(b'b'); tell([first.decode(), s.recv(1).decode()])"""
    assert net.client(code=code, timeout=120) == ["a", "b"]


URING = r"""
#include <arpa/inet.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct io_uring_params params = { 0 };
static char *ring; /* submissions and completions, IORING_FEAT_SINGLE_MMAP */
static struct io_uring_sqe *entries;
static int ring_fd;

static int run(int opcode, int fd, const void *address, unsigned length, uint64_t offset)
{
	unsigned *tail = (void *)(ring + params.sq_off.tail), *head = (void *)(ring + params.cq_off.head);
	unsigned slot = *tail & *(unsigned *)(ring + params.sq_off.ring_mask);
	struct io_uring_cqe *done = (void *)(ring + params.cq_off.cqes);

	entries[slot] = (struct io_uring_sqe){ .opcode = opcode, .fd = fd, .addr = (uintptr_t)address, .len = length, .off = offset };
	((unsigned *)(ring + params.sq_off.array))[slot] = slot;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring_fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		exit(78);
	slot = *head & *(unsigned *)(ring + params.cq_off.ring_mask);
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return done[slot].res;
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = { AF_INET, htons(atoi(argv[2])), { inet_addr(argv[1]) } };
	int fd = socket(AF_INET, SOCK_STREAM, 0), connected, sent, received;
	char text[6] = "";

	ring_fd = syscall(SYS_io_uring_setup, 4, &params);
	if (ring_fd < 0)
		return 77;
	ring = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring_fd, IORING_OFF_SQ_RING);
	entries = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring_fd, IORING_OFF_SQES);
	if (ring == MAP_FAILED || entries == MAP_FAILED || !(params.features & IORING_FEAT_SINGLE_MMAP))
		return 79;
	connected = run(IORING_OP_CONNECT, fd, &a, 0, sizeof(a));
	if (connected < 0)
		return printf("%d\n", connected) < 0;
	sent = run(IORING_OP_SEND, fd, "hello", 5, 0);
	received = run(IORING_OP_RECV, fd, text, 5, 0);
	return printf("%d %d %d %s\n", connected, sent, received, text) < 0;
}
"""


def test_tcp_io_uring(net, compile_c):
    """IORING_OP_CONNECT, SEND and RECV: their errnos and data are those of a native socket. Our policy allows no io_uring."""
    program = compile_c(URING)
    options = ["--seccomp-policy", "none", "--ro-bind", program, program]
    assert net(*options, argv=[program, SITE4, "7"]).stdout == "0 5 5 hello\n"
    assert net(*options, argv=[program, SITE4, "9999"]).stdout == f"-{errno.ECONNREFUSED}\n"
    assert net("--ro-bind", program, program, argv=[program, SITE4, "7"]).returncode == 77


@pytest.mark.only_root
def test_error_of_the_child_is_told(net):  # uid 0 without the capability SETFCAP can map no uid 0
    """The sandbox's own error, and not that its network finds nobody there."""
    result = net(*OUTER, argv=[net.cloche, "--net", "--", "true"])
    assert result.returncode == 125 and "uid_map" in result.stderr and "network" not in result.stderr, result


def test_share_net_conflicts(net):
    result = net("--share-net", argv=["true"])
    assert result.returncode == 125 and "--share-net: contradicts --net" in result.stderr


@pytest.mark.parametrize("option", [["--publish", "80"], ["--net-lan", "on"], ["--resolv-conf", "none"]], ids=" ".join)
def test_option_needs_net(run, cloche, option):
    result = run([cloche, *option, "--", "true"])
    assert result.returncode == 125 and f"{' '.join(option)}: needs --net" in result.stderr and "hint: add --net" in result.stderr


def test_fakes_are_there(net):
    """The control of all refusals: outside the sandbox every fake answers."""
    told = net.host_client(f"tell([echo(a) for a in {FAKES4 + ['fd00:ec2::254', '64:ff9b::a9fe:a9fe', '127.0.0.1', '::1']}])")
    assert set(told) == {"hello"}
