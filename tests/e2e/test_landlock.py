# SPDX-License-Identifier: LGPL-2.1-or-later
"""Landlock in a sandbox with namespaces: scopes, and lists of TCP ports. What is refused is in tests/attack, too."""
import contextlib
import ctypes
import json
import os
import re
import socket

import pytest

from e2elib import HOST, assert_fails, has_program

ABI_TCP, ABI_SCOPES = 4, 6
PYTHON = ["/usr/bin/python3", "-c"]
TRY = """
import errno, socket, sys
def attempt(what, family, kind, port):
    address = "::1" if family == socket.AF_INET6 else "127.0.0.1"
    with socket.socket(family, kind) as s:
        try:
            getattr(s, what)((address, port))
        except OSError as e:
            return errno.errorcode[e.errno]
        return "ok"
family = getattr(socket, sys.argv[1])
print(*[attempt(sys.argv[2], family, getattr(socket, sys.argv[3]), int(port)) for port in sys.argv[4:]])
"""


def landlock_abi():
    return max(0, ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), ctypes.c_uint(1)))


def needs_abi(abi):
    if landlock_abi() < abi:
        pytest.skip(f"this kernel has no Landlock of ABI {abi}")


@pytest.fixture
def listening():
    """listening(family): the number of a port on which somebody listens."""
    with contextlib.ExitStack() as stack:
        def listening(family):
            server = stack.enter_context(socket.create_server(("", 0), family=family))
            return server.getsockname()[1]

        yield listening


def free_ports(count):
    """Numbers of ports that nobody uses, outside the range from which the kernel chooses."""
    found = []
    for port in range(20000 + os.getpid() % 5000, 32000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("no free ports")


def shared(personality):
    return [personality, *HOST, *(["--share-net"] if personality.name == "cloche" else [])]


def attempt(run, argv, family, what, ports, kind="SOCK_STREAM"):
    words = [*argv, *PYTHON, TRY, family.name, what, kind, *map(str, ports)]
    return run(words, check=True).stdout.split()


FAMILIES = pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6], ids=["IPv4", "IPv6"])


# ---- ports -------------------------------------------------------------------------------------------------------
@pytest.mark.vm
@FAMILIES
def test_connect_tcp_only_these(run, personality, listening, family):
    needs_abi(ABI_TCP)
    ports = sorted(listening(family) for _ in range(3))
    argv = shared(personality)
    assert attempt(run, argv, family, "connect", ports) == ["ok"] * 3
    for given in ([str(ports[0])], [f"{ports[0]}-{ports[0]}"], ["1-10,%d" % ports[0]], ["80", str(ports[0])]):
        options = [word for one in given for word in ("--connect-tcp", one)]
        assert attempt(run, [*argv, *options], family, "connect", ports) == ["ok", "EACCES", "EACCES"]
    assert attempt(run, [*argv, "--connect-tcp", f"{ports[1]}-65535"], family, "connect", ports) == ["EACCES", "ok", "ok"]
    # What is not restricted stays as it was.
    assert attempt(run, [*argv, "--connect-tcp", "1"], family, "bind", free_ports(1)) == ["ok"]


@pytest.mark.vm
@FAMILIES
def test_bind_tcp_only_these(run, personality, listening, family):
    needs_abi(ABI_TCP)
    ports, argv = free_ports(3), shared(personality)
    assert attempt(run, argv, family, "bind", ports) == ["ok"] * 3
    options = ["--bind-tcp", f"{ports[0]},{ports[2]}"]
    assert attempt(run, [*argv, *options], family, "bind", [*ports, 0]) == ["ok", "EACCES", "ok", "EACCES"]
    assert attempt(run, [*argv, "--bind-tcp", "0"], family, "bind", [*ports, 0]) == ["EACCES"] * 3 + ["ok"]
    assert attempt(run, [*argv, *options], family, "connect", [listening(family)]) == ["ok"]


@pytest.mark.parametrize("option", ["--connect-tcp", "--bind-tcp"])
def test_tcp_ports_do_not_cover_udp(run, cloche, option):
    """As the manual says."""
    needs_abi(ABI_TCP)
    argv = [cloche, *HOST, "--share-net", option, "1"]
    for what in "connect", "bind":
        assert attempt(run, argv, socket.AF_INET, what, free_ports(1), "SOCK_DGRAM") == ["ok"]


@pytest.mark.parametrize("option", ["--connect-tcp", "--bind-tcp"])
def test_tcp_ports_need_a_network(run, personality, option):
    result = run([personality, *HOST, "--unshare-net", option, "80", "echo", "ran"])
    assert_fails(result, personality, "network")
    assert result.stdout == ""
    if personality.name == "cloche":
        assert f"{option} 80: has no effect" in result.stderr and "hint: add --share-net" in result.stderr


@pytest.mark.parametrize("ports", ["", "x", "80,", "1-65536", "9-8"])
def test_tcp_ports_invalid(run, personality, ports):
    assert_fails(run([*shared(personality), "--bind-tcp", ports, "true"]), personality, "ports", ports)


# ---- kernels without all of Landlock -----------------------------------------------------------------------------
@pytest.mark.vm
@pytest.mark.parametrize("option", ["--share-net", "--share-pid"])
def test_scopes_or_an_error(run, cloche, option):
    """What only Landlock can keep COMMAND from is an error where it cannot, unless that is said to be fine."""
    result = run([cloche, option, "echo", "ran"])
    if landlock_abi() >= ABI_SCOPES:
        assert (result.returncode, result.stdout, result.stderr) == (0, "ran\n", "")
    else:
        assert (result.returncode, result.stdout) == (125, "")
        assert result.stderr.startswith(f"cloche: {option}: ") and "ABI 6" in result.stderr
        assert "hint: add --isolation try" in result.stderr
    assert run([cloche, option, "--isolation", "try", "echo", "ran"], check=True).stdout == "ran\n"
    # Where the namespaces are private nothing is missing.
    assert run([cloche, "echo", "ran"], check=True).stderr == ""


@pytest.mark.vm
@pytest.mark.parametrize("option", ["--connect-tcp", "--bind-tcp"])
def test_tcp_ports_or_an_error(run, personality, option):
    result = run([*shared(personality), "--isolation", "try", option, "80", "echo", "ran"])
    if landlock_abi() >= ABI_TCP:
        assert (result.returncode, result.stdout) == (0, "ran\n"), result
    else:
        assert_fails(result, personality, "TCP ports")
        assert result.stdout == ""


@pytest.mark.parametrize("refused", ["ENOSYS", "EOPNOTSUPP"])
def test_without_landlock(run, cloche, bwrap, without_syscalls, refused):
    """ENOSYS: not built in; EOPNOTSUPP: switched off at boot."""
    def without(*argv):
        return run(without_syscalls("landlock_create_ruleset", argv, refused))

    assert without(cloche, "echo", "ran").stdout == "ran\n"
    assert without(bwrap, *HOST, "echo", "ran").stdout == "ran\n"
    assert "ABI 6" in without(cloche, "--share-net", "true").stderr
    assert without(cloche, "--share-net", "--share-pid", "--isolation", "try", "echo", "ran").stdout == "ran\n"
    assert "ABI 4" in without(cloche, "--share-net", "--isolation", "try", "--connect-tcp", "1", "true").stderr
    result = without(cloche, "--isolation", "landlock", "echo", "ran")
    assert (result.returncode, result.stdout) == (125, "") and "no Landlock" in result.stderr


def test_landlock_failure_ends_the_start(run, cloche, without_syscalls):
    """Nothing fails open: what was planned and cannot be done is an error."""
    needs_abi(ABI_SCOPES)
    result = run(without_syscalls("landlock_restrict_self", [cloche, "echo", "ran"], "EPERM"))
    assert (result.returncode, result.stdout) == (125, ""), result
    assert result.stderr.startswith("cloche: cannot enter a Landlock domain: ")


@pytest.mark.only_user  # root in a sandbox has no CAP_SETFCAP
def test_landlock_layers(run, cloche):
    """Sandboxes lie in each other up to the kernel's limit, and the seventeenth is refused."""
    needs_abi(ABI_SCOPES)
    level = [cloche, "--ro-bind", "/", "/", "--proc", "/proc", "--allow-userns", "--"]
    assert run([*level * 16, "echo", "ran"], check=True).stdout == "ran\n"
    result = run([*level * 17, "echo", "ran"])
    assert (result.returncode, result.stdout) == (125, "") and "hint: 16 Landlock domains" in result.stderr, result


def calls_of(run, tmp_path, argv):
    trace = tmp_path / "trace"
    run(["strace", "-f", "-o", trace, "-e", "trace=/^landlock", *argv], check=True)
    return re.findall(r"(landlock_\w+)\(", trace.read_text())


@pytest.mark.skipif(not has_program("strace"), reason="no strace")
def test_landlock_calls(run, personality, tmp_path):
    """Asked once, made once; nothing at all as bubblewrap."""
    calls = calls_of(run, tmp_path, [personality, *HOST, "true"])
    once = ["landlock_create_ruleset", "landlock_create_ruleset", "landlock_restrict_self"]
    assert calls == (once if personality.name == "cloche" and landlock_abi() >= ABI_SCOPES else [])


# ---- --explain ---------------------------------------------------------------------------------------------------
def test_explain_landlock(run, personality):
    needs_abi(ABI_SCOPES)
    argv = [*shared(personality), "--connect-tcp", "80,8000-8010", "--bind-tcp", "0"]
    text = run([*argv, "--explain", "true"], check=True).stdout
    assert "TCP connections: only to ports 80,8000-8010\n" in text and "TCP servers: only on ports 0\n" in text
    scoped = personality.name == "cloche"
    assert ("Landlock keeps COMMAND from: abstract sockets and signals outside\n" in text) == scoped
    found = json.loads(run([*argv, "--explain=json", "true"], check=True).stdout)["landlock"]
    assert found == {"tier": False, "scopes": ["abstract-unix-socket", "signal"] if scoped else [],
                     "connect-tcp": [[80, 80], [8000, 8010]], "bind-tcp": [[0, 0]], "guards": ["tcp"], "paths": [], "not-enforced": []}
    assert "TCP" not in run([*shared(personality), "--explain", "true"], check=True).stdout
