# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rules of --net: what they allow, refuse and say. What is refused without any rule is in tests/attack/test_net.py."""
import json

import pytest

from netlib import MODES
from world import HOST4, OTHER4, SHARED4, SITE4, SITE6, WILD4


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(params=MODES)
def mode(request):
    return MODES[request.param]


# ---- addresses and ports -----------------------------------------------------------------------------------------
def test_allow_refuses_the_rest(net, mode):
    code = f"tell([attempt('{SITE4}', 5004), attempt('{OTHER4}', 5004), datagram('{OTHER4}', 7), attempt('{SITE6}', 5004)])"
    assert net.client(*mode, "--net-allow", SITE4, code=code) == ["late", "ECONNREFUSED", "EHOSTUNREACH", "ECONNREFUSED"]


def test_deny_leaves_the_rest(net, mode):
    code = f"tell([attempt('{SITE4}', 5004), attempt('{OTHER4}', 5004), datagram('{SITE4}', 7), datagram('{OTHER4}', 7)])"
    assert net.client(*mode, "--net-deny", "203.0.113.0/31", code=code) == ["ECONNREFUSED", "late", "EHOSTUNREACH", "ping"]


def test_first_match_wins(net):
    code = f"tell([attempt('{SITE4}', 5004), attempt('{OTHER4}', 5004)])"
    assert net.client("--net-deny", SITE4, "--net-allow", "203.0.113.0/24", code=code) == ["ECONNREFUSED", "late"]
    assert net.client("--net-allow", SITE4, "--net-deny", "203.0.113.0/24", code=code) == ["late", "ECONNREFUSED"]


def test_ports(net, mode):
    code = f"tell([attempt('{SITE4}', p) for p in (5004, 5003, 81)])"
    assert net.client(*mode, "--net-allow", f"{SITE4}:5004-5010", code=code)[0] == "late"
    assert net.client(*mode, "--net-allow", f"{SITE4}:5000,5010", code=code) == ["ECONNREFUSED"] * 3
    assert net.client(*mode, "--net-allow", f"[{SITE6}]:5004", code=f"tell([attempt('{SITE6}', 5004), attempt('{SITE6}', 7)])"
                      ) == ["late", "ECONNREFUSED"]


def test_protocols(net):
    code = f"tell([attempt('{SITE4}', 5004), datagram('{SITE4}', 7)])"
    assert net.client("--net-allow", "tcp:*", code=code) == ["late", "EHOSTUNREACH"]
    assert net.client("--net-allow", "udp:*", code=code) == ["ECONNREFUSED", "ping"]
    assert net("--net-deny", "icmp:*", argv=["ping", "-c1", "-W2", SITE4]).returncode == 1
    assert net("--net-allow", "icmp:*", argv=["ping", "-c1", "-W5", SITE4]).returncode == 0


@pytest.mark.parametrize("rule", ["", "1.2.3", "127.1", "0x7f000001", "2130706433", "1.2.3.4/33", "1.2.3.4/8", "a..b", "-a.test",
                                  "a.test-", "*a.test", "a.*.test", "bücher.test", "a b.test", "a.test:0", "a.test:1-",
                                  "a.test:2-1", "a.test:65536", "a.test:", "icmp:1.2.3.4:80", "sctp:1.2.3.4", "::1:80:90:x",
                                  "[1.2.3.4]:80", "[::1", "a" * 64 + ".test", "a@b.test", "a\x01.test", "tcp:"])
def test_bad_rule(run, cloche, rule):
    result = run([cloche, "--net", "--net-allow", rule, "--", "true"])
    assert result.returncode == 125 and "not a rule (" in result.stderr, result


@pytest.mark.parametrize("rules", [["--net-allow", "1.2.3.0/24", "--net-deny", "1.2.3.4"], ["--net-deny", "*", "--net-allow", "a.test"],
                                   ["--net-allow", "*.a.test", "--net-allow", "b.a.test"], ["--net-allow", "127.0.0.1"],
                                   ["--net-allow", "::ffff:1.2.3.4"], ["--net-deny", "224.0.0.1"],
                                   ["--net-allow", "tcp:*:1-100", "--net-deny", "tcp:1.2.3.4:80"]], ids=" ".join)
def test_dead_rule(run, cloche, rules):
    result = run([cloche, "--net", *rules, "--", "true"])
    assert result.returncode == 125, result
    assert f"{rules[-2]} {rules[-1]}: this rule can never match" in result.stderr and "hint: " in result.stderr


# ---- the host, its neighbours ------------------------------------------------------------------------------------
def test_allow_host_port(net, mode):
    code = "tell([attempt('10.0.2.2', 5004), attempt('10.0.2.2', 5003), attempt('10.0.2.2', 7), datagram('10.0.2.2', 7)])"
    assert net.client(*mode, code=code) == ["ECONNREFUSED"] * 3 + ["EHOSTUNREACH"]
    assert net.client(*mode, "--net-allow-host", "5004", code=code) == ["late"] + ["ECONNREFUSED"] * 2 + ["EHOSTUNREACH"]
    assert net.client(*mode, "--net-allow-host", "7", code="tell([echo('10.0.2.2'), datagram('10.0.2.2', 7), echo('fd00:c10c:e::2')])"
                      ) == ["hello", "ping", "hello"]


def test_lan(net, mode):
    code = "tell([attempt(a, 5004) for a in ('10.9.9.9', '192.168.7.7', '172.16.5.5', '100.64.1.1', 'fd12:3456::7')])"
    assert net.client(*mode, code=code) == ["ECONNREFUSED"] * 5
    assert net.client(*mode, "--net-lan", "on", code=code) == ["late"] * 5
    assert net.client(*mode, "--net-lan", "off", code=code) == ["ECONNREFUSED"] * 5


def test_explicit_allow_lifts(net):
    code = f"tell([attempt(a, 5004) for a in ('10.9.9.9', '169.254.169.254', '{HOST4}', 'fd00:ec2::254', '{SITE4}')])"
    options = ["--net-allow", "10.9.9.0/24", "--net-allow", "169.254.169.254", "--net-allow", HOST4, "--net-allow", "fd00:ec2::254"]
    assert net.client(*options, code=code) == ["late"] * 4 + ["ECONNREFUSED"]
    assert net.client("--net-allow", "0.0.0.0/0", "--net-allow", "::/0", code=code) == ["ECONNREFUSED"] * 4 + ["late"]
    assert net.client("--net-allow", "*", code=code) == ["ECONNREFUSED"] * 4 + ["late"]


def test_lan_refusal_names_option(net, tmp_path):
    log = tmp_path / "log"
    net("--net-log", log, argv=net.python("attempt('10.9.9.9', 80)"))
    denied = [line for line in lines(log) if line["event"] == "denied"]
    assert denied and denied[0]["address"] == "10.9.9.9" and "--net-lan on" in denied[0]["rule"], lines(log)


# ---- names -------------------------------------------------------------------------------------------------------
def test_name_allow(net):
    code = f"""
before = attempt('{SITE4}', 5004)
tell([before, resolve('site.test') != [], attempt('{SITE4}', 5004), resolve('other.test'), attempt('{OTHER4}', 5004)])"""
    told = net.client("--net-allow", "site.test", code=code)
    assert told[:3] == ["ECONNREFUSED", True, "late"]
    assert isinstance(told[3], str) and told[4] == "ECONNREFUSED"


def test_name_ports(net):
    code = "tell([attempt('site.test', 5004), attempt('site.test', 7), datagram('site.test', 7)])"
    assert net.client("--net-allow", "tcp:site.test:5004", code=code) == ["late", "ECONNREFUSED", "EHOSTUNREACH"]


def test_name_deny(net):
    """A deny rule with a name: others by name only, no bare addresses."""
    code = f"tell([resolve('site.test'), attempt('{OTHER4}', 5004), resolve('other.test'), attempt('{OTHER4}', 5004)])"
    told = net.client("--net-deny", "site.test", code=code)
    assert isinstance(told[0], str) and told[1:] == ["ECONNREFUSED", [OTHER4], "late"]


def test_name_wildcard(net):
    code = "tell([resolve(n) for n in ('a.wild.test', 'b.c.wild.test', 'wild.test', 'evilwild.test', 'wild.test.evil.test')])"
    told = net.client("--net-allow", "*.wild.test", code=code)
    assert told[:2] == [[WILD4]] * 2 and all(isinstance(t, str) for t in told[2:]), told


def test_name_and_address(net):
    """An address that a rule names needs no name."""
    code = f"tell([attempt('{OTHER4}', 5004), attempt('{SITE4}', 5004)])"
    assert net.client("--net-allow", "a.test", "--net-allow", OTHER4, code=code) == ["late", "ECONNREFUSED"]


def test_name_case_and_dot(net):
    code = "tell([resolve('SITE.TEST'), resolve('site.test.')])"
    told = net.client("--net-allow", "Site.Test.", code=code)
    assert told[0] == told[1] == sorted([SITE4, SITE6])


def test_name_other_types(net):
    assert "status: REFUSED" in net("--net-allow", "site.test", argv=["dig", "other.test", "TXT"]).stdout
    assert "status: NOERROR" in net("--net-allow", "site.test", argv=["dig", "site.test", "HTTPS"]).stdout


def test_sni_compared(net):
    """Two names share an address: the one that is allowed is reached, and no other by it."""
    code = f"""
import ssl
def tls(name):
    context = ssl.create_default_context(); context.check_hostname = False; context.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    wrapped = context.wrap_bio(incoming, outgoing, server_hostname=name)
    try: wrapped.do_handshake()
    except ssl.SSLWantReadError: pass
    return outgoing.read()
resolve('shared-a.test')
def sent(data):
    out = attempt('{SHARED4}', 443, data=data)
    return out if out.isupper() or not out else 'PASSED' if bytes.fromhex(out) == data else out
tell([sent(tls('shared-a.test')), sent(tls('shared-b.test')), sent(tls(None)), sent(tls('SHARED-A.test')),
      sent(b'SSH-2.0-x\\r\\n')])"""
    told = net.client("--net-allow", "shared-a.test", code=code)
    assert told[0] == "PASSED" and told[1] in ("ECONNRESET", "") and told[2] in ("ECONNRESET", ""), told
    assert told[3:] == ["PASSED", "PASSED"], told


def test_host_compared(net):
    code = f"""
resolve('shared-a.test')
tell([http('{SHARED4}', h) for h in ('shared-a.test', 'shared-a.test:80', 'shared-b.test', '{SHARED4}', 'shared-a.test@evil', '')]
     + [http('{SHARED4}', 'shared-a.test', extra='Host: shared-b.test\\r\\n')])"""
    told = net.client("--net-allow", "shared-a.test", code=code)
    assert told[0].startswith("host=shared-a.test addr=") and told[1].startswith("host=shared-a.test:80 addr="), told
    assert all(t in ("ECONNRESET", "") for t in told[2:]), told


def test_server_that_speaks_first(net):
    assert net.client("--net-allow", "site.test", code="tell(attempt('site.test', 5004))") == "late"


def test_slirp_refuses_names(net):
    """There no name can be compared: TCP by names is refused, not let through."""
    assert net.client("--net-path", "slirp", "--net-allow", "site.test", code="tell([datagram('site.test', 7), attempt('site.test', 7)])"
                      ) == ["ping", "ECONNREFUSED"]


# ---- the log -----------------------------------------------------------------------------------------------------
def test_log(net, tmp_path):
    log = tmp_path / "log"
    code = f"echo('site.test', data=b'x' * 100); datagram('{SITE4}', 7, b'y' * 50); attempt('{OTHER4}', 80)"
    net("--net-log", log, "--net-deny", OTHER4, argv=net.python(code))
    found = lines(log)
    flows = {line["proto"]: line for line in found if line["event"] == "flow"}
    assert flows["tcp"]["name"] == "site.test" and flows["tcp"]["sent"] == flows["tcp"]["received"] == 100, found
    assert flows["tcp"]["port"] == 7 and flows["tcp"]["verdict"] == "allow" and flows["tcp"]["milliseconds"] >= 0
    assert flows["udp"]["address"] == SITE4 and flows["udp"]["sent"] == flows["udp"]["received"] == 50, found
    denied = [line for line in found if line["event"] == "denied"]
    assert [(d["address"], d["rule"], d["verdict"]) for d in denied] == [(OTHER4, f"--net-deny {OTHER4}", "deny")]
    assert all(line["time"].endswith("Z") for line in found)


def test_log_open_flow(net, tmp_path):
    """A connection that COMMAND never closes is in the log, too."""
    log = tmp_path / "log"
    net("--net-log", log, argv=net.python(f"s = connected('{SITE4}', 7); s.sendall(b'abc'); s.recv(3); os._exit(0)"))
    assert [(f["sent"], f["received"]) for f in lines(log) if f["event"] == "flow"] == [(3, 3)], log.read_text()


def test_log_descriptor(net, tmp_path):
    with open(tmp_path / "log", "w") as file:
        net("--net-log", file.fileno(), argv=net.python("attempt('10.9.9.9', 80)"), pass_fds=[file.fileno()])
    assert [line["event"] for line in lines(tmp_path / "log")] == ["denied"]


def test_log_stdin(net, tmp_path):
    """Descriptor 0 is one as any other."""
    with open(tmp_path / "log", "w") as file:
        net("--net-log", 0, argv=net.python("attempt('10.9.9.9', 80)"), stdin=file)
    assert [line["event"] for line in lines(tmp_path / "log")] == ["denied"]


@pytest.mark.parametrize("file_is_last", [True, False])
def test_log_given_twice(net, tmp_path, file_is_last):
    """The last counts, whatever the others named."""
    first, last = tmp_path / "first", tmp_path / "last"
    with open(last if not file_is_last else first, "w") as file:
        values = [file.fileno(), last] if file_is_last else [first, file.fileno()]
        net("--net-log", values[0], "--net-log", values[1], argv=net.python("attempt('10.9.9.9', 80)"), pass_fds=[file.fileno()])
    assert [line["event"] for line in lines(last)] == ["denied"]
    assert not first.exists() or not first.read_text()


@pytest.mark.parametrize("value", ["", "2147483648", "99999999999999999999"])
def test_log_bad_value(run, cloche, value):
    result = run([cloche, "--net", "--net-log", value, "--", "true"])
    assert result.returncode == 125 and "not a descriptor or a file" in result.stderr, result


def test_log_query(net, tmp_path):
    log = tmp_path / "log"
    net("--net-log", log, "--net-allow", "site.test", argv=net.python("resolve('other.test')"))
    assert {line["name"] for line in lines(log) if line["event"] == "denied"} >= {"other.test"}


def test_log_cannot_open(net, tmp_path):
    refused = net("--net-log", tmp_path / "no" / "log", argv=["true"])
    assert refused.returncode == 125 and "--net-log" in refused.stderr and "No such file or directory" in refused.stderr


# ---- captures ----------------------------------------------------------------------------------------------------
def test_pcap(net, run, tmp_path):
    file = tmp_path / "capture"
    net("--net-pcap", file, argv=net.python(f"echo('{SITE4}', data=b'secret words'); datagram('{SITE6}', 7); resolve('site.test')"))
    assert file.exists()
    shown = run(["tshark", "-r", file, "-T", "fields", "-e", "ip.dst", "-e", "ipv6.dst", "-e", "tcp.dstport", "-e", "udp.dstport"],
                check=True).stdout.split("\n")
    assert any(line.split("\t")[:3] == [SITE4, "", "7"] for line in shown), shown
    assert any(line.split("\t")[1:] == [SITE6, "", "7"] for line in shown if line.count("\t") == 3), shown
    follow = run(["tshark", "-r", file, "-Y", f"ip.addr == {SITE4} && tcp.len > 0", "-T", "fields", "-e", "tcp.payload"], check=True)
    assert b"secret words".hex() in follow.stdout.replace(":", "")
