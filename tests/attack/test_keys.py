# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attacks on the keys of whoever started the sandbox, and on namespaces that lie about. Numbers as in SECURITY.md.

Without a filter of system calls (which denies all of this): what remains is what the kernel itself keeps apart.
"""
import json
import os

import pytest

from attacking import Results, box, control, program, pytest_generate_tests
from conftest import BUILD

__all__ = ["box", "program", "pytest_generate_tests"]

HAS_POLICIES = any(option["name"] == "seccomp-policy" for option in json.loads(
    os.popen(f"{BUILD}/cloche --introspect").read())["options"])
GONE, CLOSED = "ENOKEY", "EACCES"


@pytest.fixture
def bare_kernel(box):
    """The box, with nothing between COMMAND and the kernel."""
    if box.is_cloche and HAS_POLICIES:
        box.shield += ["--seccomp-policy", "none"]
    return box


@pytest.fixture
def key(run, program):
    """The name of a key that is nobody else's, and is gone afterwards."""
    name = f"cloche-probe-{os.getpid()}"
    yield name
    run([program("keys"), "sweep", name])


def planted(box, program, key):
    """The box is started by a process that has keys; PROBE and USERS are their numbers."""
    box.wrap = lambda argv: [program("keys"), "plant", key, "exec", *argv]
    return box


SEARCH = ("request", "search", "request-users", "search-users", "search-users-session", "search-linked")


@pytest.mark.vm
def test_K1_keyring_of_the_caller(bare_kernel, program, run, key):
    """A new session keyring under our own name, or with --new-keyring; the user keyring is another one in each user
    namespace."""
    box = planted(bare_kernel, program, key)
    options = [] if box.is_cloche else ["--new-keyring"]
    results = box.attack(program("keys"), "search", key, "join", key, options=options)
    assert results.pop("plant") == "ok"
    own = {"link-users": "ok", "join": "ok"}  # keyrings of its own are COMMAND's to use
    if not box.own_user_namespace:  # real root as bwrap without one: the user keyring is root's
        for name in ("request-users", "search-users", "search-linked"):
            results.pop(name)
        results.pop("search-users-session")
    assert {name: results[name] for name in own} == own
    assert set(results.but(*own).values()) == {GONE}, results
    free = control(run, program("keys"), "plant", key, "search", key)
    assert free["request"] == free["search"] == free["search-users"] == free["search-linked"] == "ok", free


@pytest.mark.vm
def test_K1_key_by_its_number(bare_kernel, program, run, key):
    """A number that is known, or guessed, is of no use without possession."""
    box = planted(bare_kernel, program, key)
    options = [] if box.is_cloche else ["--new-keyring"]
    for word in ("PROBE", "USERS") if box.own_user_namespace else ("PROBE",):
        results = box.attack(program("keys"), "use", word, options=options)
        assert set(results.but("plant").values()) == {CLOSED}, (word, results)
        run([program("keys"), "sweep", key])  # else the next one would inherit the rights that this one sets
        free = control(run, program("keys"), "plant", key, "exec", program("keys"), "use", word)
        assert set(free.values()) == {"ok"}, (word, free)
        run([program("keys"), "sweep", key])


@pytest.mark.personalities("bwrap")
def test_K1_keyring_is_kept_as_bwrap(box, program, key):
    """As bubblewrap: the control that the search above would find something."""
    results = planted(box, program, key).attack(program("keys"), "search", key)
    assert results["search"] == results["request"] == "ok"


# ---- namespaces --------------------------------------------------------------------------------------------------
OTHER = ("net", "uts", "ipc", "cgroup")


@pytest.fixture
def elsewhere(popen, user):
    """Pid of a process with namespaces of its own, which its user may join from outside."""
    own = [] if user.is_root else ["--user", "--map-root-user"]
    process = popen(["unshare", *own, "--net", "--uts", "--ipc", "--cgroup", "sh", "-c", "echo; exec sleep 1000"])
    process.stdout.readline()
    return process.pid


def test_K7_namespaces_left_open(bare_kernel, program, run, user, elsewhere):
    """Descriptors of namespaces that reached COMMAND: without CAP_SYS_ADMIN over them they are of no use."""
    box = bare_kernel
    fds = [os.open(f"/proc/{elsewhere}/ns/{name}", os.O_RDONLY) for name in OTHER]
    try:
        verbs = [word for fd in fds for word in ("setns-fd", str(fd))]
        keep = [word for fd in fds for word in ("--keep-fd", str(fd))] if box.is_cloche else []
        results = box.attack(program("keys"), *verbs, options=keep, pass_fds=fds)
        assert results.all("setns-fd") == ["EPERM"] * len(fds), results
        enter = [] if user.is_root else ["nsenter", "--user", "--preserve-credentials", f"--target={elsewhere}"]
        free = run([*enter, program("keys"), *verbs], pass_fds=fds, check=True)
        assert Results(free.stdout).all("setns-fd") == ["ok"] * len(fds), free
    finally:
        for fd in fds:
            os.close(fd)


def test_K7_a_joined_network_is_no_way_out(bare_kernel, program, run, user, elsewhere):
    """COMMAND is in the namespace, has no power over it, and cannot leave it for another one."""
    box = bare_kernel
    given = ["--netns", f"/proc/{elsewhere}/ns/net"]
    if not user.is_root:
        box.shield = [*(word for word in box.shield if word not in ("--unshare-user", "--uid", "--gid", "0")),
                      "--userns", f"/proc/{elsewhere}/ns/user"]
        given += ["--allow-userns"] if box.is_cloche else []
    fd = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        keep = ["--keep-fd", str(fd)] if box.is_cloche else []
        results = box.attack(program("keys"), "setns", "/proc/self/ns/net", "setns-fd", str(fd),
                             options=[*given, *keep], pass_fds=[fd])
        assert results == {"open": "ok", "setns": "EPERM", "setns-fd": "EPERM"}, results
        enter = [] if user.is_root else ["nsenter", "--user", "--preserve-credentials", f"--target={elsewhere}"]
        free = run([*enter, program("keys"), "setns", f"/proc/{elsewhere}/ns/net"], check=True)
        assert Results(free.stdout)["setns"] == "ok"
    finally:
        os.close(fd)


@pytest.mark.vm
def test_K7_joining_what_is_not_ours(bare_kernel, program, run, user):
    """The sandbox refuses to start in a namespace that its starter has no power over, and says so; a free one is joined."""
    fd = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        wrap = ["unshare", "--user", "--map-root-user"]
        bare_kernel.wrap = lambda argv: [*wrap, *argv]
        # Before Linux 6.12 the network's abstract sockets could not be kept away, and that would be the reason.
        try_it = ["--isolation", "try"] if bare_kernel.is_cloche else []
        result = bare_kernel.start(program("keys"), "setns-fd", "0", options=["--netns", str(fd), *try_it], pass_fds=[fd])
        assert (result.returncode, result.stdout) == (bare_kernel.setup_failed, ""), result
        words = "is not owned by your user namespace" if bare_kernel.is_cloche else "Operation not permitted"
        assert words in result.stderr, result
        # The nearest valid input: a network of that user namespace.
        bare_kernel.wrap = lambda argv: [*wrap, "--net", "sh", "-c", 'exec "$@" 9</proc/self/ns/net', "sh", *argv]
        result = bare_kernel.start(program("keys"), "setns-fd", "0", options=["--netns", "9", *try_it])
        assert result.returncode == 0 and result.stdout, result
    finally:
        os.close(fd)
