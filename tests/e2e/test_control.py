# SPDX-License-Identifier: LGPL-2.1-or-later
"""The control socket: --control-fd, and what is asked of a sandbox that runs besides kill, wait (test_names.py) and exec (test_exec.py)."""
import json
import socket
import subprocess

import pytest

from conftest import wait_until
from e2elib import HOST
from named import READY, SLEEPS, Peer, manage, registry, start

__all__ = ["manage", "registry", "start"]

PYTHON = "/usr/bin/python3"


def request(command, **members):
    return json.dumps({"command": command, **members})


class Given:
    """The other end of --control-fd."""

    def __init__(self, popen, argv):
        self.mine, theirs = socket.socketpair()
        self.mine.settimeout(60)
        self.process = popen([argv[0], "--control-fd", str(theirs.fileno()), *argv[1:]], pass_fds=[theirs.fileno()])
        theirs.close()
        self.lines = self.mine.makefile("r")

    def ask(self, text):
        self.mine.sendall(text.encode() + b"\n")
        return json.loads(self.lines.readline())


@pytest.fixture
def ask(popen, registry):
    """ask(text): over a connection of its own, since some requests take theirs with them."""
    def ask(text, name="web"):
        peer = Peer(popen, registry, name)
        answer = peer.ask(text)
        peer.process.kill()
        return answer
    return ask


# ---- --control-fd ------------------------------------------------------------------------------------------------
def test_control_fd(popen, cloche):
    given = Given(popen, [cloche, *HOST, "sh", "-c", "trap 'echo usr1' USR1; echo ready; while :; do sleep 0.05; done"])
    assert json.loads(given.lines.readline()) == {"cloche-control": 1} and given.process.stdout.readline() == "ready\n"
    assert given.ask(request("kill", signal="USR1")) == {"ok": True} and given.process.stdout.readline() == "usr1\n"
    assert given.ask(request("nonsense"))["ok"] is False and given.ask(request("wait")) == {"ok": True}
    assert given.ask(request("kill", signal="KILL")) == {"ok": True}
    assert json.loads(given.lines.readline()) == {"event": "ended", "exit-code": 137} and given.process.wait(60) == 137


def test_control_fd_is_not_commands(popen, cloche, run):
    given = Given(popen, [cloche, *HOST, "ls", "/proc/self/fd"])
    assert given.process.communicate(timeout=60)[0].split() == ["0", "1", "2", "3"]
    assert run([cloche, *HOST, "--control-fd", "77", "true"]).returncode == 125


def test_control_fd_that_is_no_socket(run, cloche):
    with open("/dev/null", "rb") as file:
        result = run([cloche, *HOST, "--control-fd", str(file.fileno()), "true"], pass_fds=[file.fileno()])
    assert result.returncode == 125 and f"--control-fd {file.fileno() if not file.closed else ''}"[:12] in result.stderr and "no stream socket" in result.stderr


def test_control_fd_that_is_closed(popen, cloche):
    """Nobody asks any more; COMMAND goes on."""
    given = Given(popen, [cloche, *HOST, "sh", "-c", "echo ready; sleep 1; exit 7"])
    given.process.stdout.readline()
    given.lines.close()
    given.mine.close()
    assert given.process.wait(60) == 7


def test_control_fd_and_a_name(popen, cloche, registry, manage):
    mine, theirs = socket.socketpair()
    process = popen([cloche, *HOST, "--name", "web", "--control-fd", str(theirs.fileno()), "sleep", "1000"], pass_fds=[theirs.fileno()],
                    env={"XDG_RUNTIME_DIR": str(registry)})
    theirs.close()
    assert mine.recv(100) == b'{"cloche-control": 1}\n'
    wait_until(lambda: manage("kill", "web").returncode == 0)
    assert process.wait(60) == 143
    mine.close()


# ---- binds -------------------------------------------------------------------------------------------------------
@pytest.fixture
def place(tmp_path):
    for name in ("source", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(f"{name}\n")
    return tmp_path


ROOT = ["--tmpfs", "/srv", "--dir", "/srv/a", "--dir", "/srv/b"]
KINDS = {"defaults": [], "capabilities": ["--cap-add", "ALL"], "ids": ["--uid", "77"], "shared": ["--share-net", "--share-pid"]}


@pytest.mark.parametrize("kind", KINDS)
def test_bind(start, manage, ask, place, kind):
    """Seen by those that run, and by those that come."""
    start("web", f"{READY} while :; do cat /srv/a/file; sleep 0.1; done 2>/dev/null", *ROOT, *KINDS[kind])
    assert ask(request("bind", options=["--ro-bind", str(place / "source"), "/srv/a"])) == {"ok": True}
    assert manage("exec", "web", "cat", "/srv/a/file").stdout == "source\n"
    assert manage("exec", "web", "sh", "-c", "echo x >/srv/a/file").returncode != 0 and (place / "source/file").read_text() == "source\n"
    found = manage("exec", "web", "grep", " /srv/a ", "/proc/self/mountinfo").stdout.split()
    assert {"ro", "nosuid", "nodev"} <= set(found[5].split(","))
    assert ask(request("unbind", path="/srv/a")) == {"ok": True}
    assert manage("exec", "web", "ls", "/srv/a").stdout == ""


def test_bind_for_writing_and_files(start, manage, ask, place):
    start("web", SLEEPS, *ROOT, "--file", "0", "/srv/f")
    assert ask(request("bind", options=["--bind", str(place / "source"), "/srv/a", "--ro-bind", str(place / "other/file"), "/srv/f"])) == {"ok": True}
    manage("exec", "web", "sh", "-c", "echo inside >/srv/a/new", check=True)
    assert (place / "source/new").read_text() == "inside\n" and manage("exec", "web", "cat", "/srv/f").stdout == "other\n"
    assert ask(request("unbind", path="/srv/f")) == {"ok": True} and manage("exec", "web", "cat", "/srv/f").stdout == ""


def test_bind_of_what_was_mounted_since(start, manage, ask, place, user):
    """The host's files as they are now."""
    if not user.is_root:
        return  # nobody else can mount something that others see
    start("web", SLEEPS, *ROOT)
    subprocess.run(["mount", "-t", "tmpfs", "none", place / "other"], check=True)
    try:
        (place / "other/late").write_text("late\n")
        assert ask(request("bind", options=["--ro-bind", str(place / "other"), "/srv/b"])) == {"ok": True}
        assert manage("exec", "web", "cat", "/srv/b/late").stdout == "late\n"
    finally:
        subprocess.run(["umount", "-l", place / "other"], check=True)


@pytest.mark.parametrize("text, error", [
    (request("bind", options=["--ro-bind", "/no/such", "/srv/a"]), "--ro-bind /no/such /srv/a: "), (request("bind", options=["--ro-bind", "/usr"]), "arguments"),
    (request("bind", options=["--tmpfs", "/srv/a"]), "--tmpfs /srv/a: cannot be given"), (request("bind"), "no list of options"),
    (request("bind", options=["--ro-bind", "/usr", "/usr/no/such"]), "/usr/no/such"), (request("bind", options=["sh"]), "sh"),
    (request("bind", options=[1]), "no list of options"), (request("bind", options=[]), "no list of options"),
    (request("bind", options=["--ro-bind-try"] * 90), "no list of options"), (request("unbind"), "no path"),
    (request("unbind", path="/no/such"), "/no/such"), (request("unbind", path="/srv/a"), "/srv/a"), (request("unbind", path=1), "no path"),
    (request("unbind", path="/"), "/"),
])
def test_bind_refusals(start, manage, ask, text, error):
    start("web", SLEEPS, *ROOT)
    answer = ask(text)
    assert answer["ok"] is False and error in answer["error"], answer
    assert manage("exec", "web", "ls", "/srv").stdout.split() == ["a", "b"]


def test_bind_where_links_lead_out(start, manage, ask, place, tmp_path):
    """A path that those inside have made lead elsewhere stays inside."""
    start("web", SLEEPS, "--tmpfs", "/srv", "--tmpfs", str(tmp_path.parent))
    manage("exec", "web", "sh", "-c", f"mkdir -p /srv{tmp_path} {tmp_path}; ln -s {'../' * 20}{str(tmp_path)[1:]} /srv/out", check=True)
    assert ask(request("bind", options=["--ro-bind", "/usr", "/srv/out"])) == {"ok": True}
    assert "bin" in manage("exec", "web", "ls", str(tmp_path)).stdout and not (tmp_path / "bin").exists()


def test_bind_in_the_tier_without_namespaces(start, ask):
    start("web", SLEEPS, "--isolation", "landlock")
    answer = ask(request("bind", options=["--ro-bind", "/usr", "/srv"]))
    assert answer["ok"] is False and "no mount namespace" in answer["error"]


def test_bind_of_secrets_is_the_users_choice_alone(start, manage, place):
    """Those inside reach no control socket, and what exec may be given has no binds."""
    start("web", SLEEPS, *ROOT)
    assert manage("exec", "web", "--bind", str(place), "/srv/a", "true").returncode == 125


def test_binds_over_control_fd(popen, cloche, place):
    """One connection for all, and each request is answered in its turn."""
    given = Given(popen, [cloche, *HOST, *ROOT, "sh", "-c", "echo ready; exec sleep 1000"])
    given.process.stdout.readline()
    given.lines.readline()
    texts = [request("bind", options=["--ro-bind", str(place / "source"), "/srv/a"]), request("nonsense"),
             request("bind", options=["--ro-bind", str(place / "other"), "/srv/b"]), request("unbind", path="/srv/a"), request("unbind", path="/srv/a")]
    wait_until(lambda: given.ask(texts[0])["ok"])  # it may say first that it is only starting
    texts = [request("unbind", path="/srv/a"), *texts]
    given.mine.sendall("\n".join([*texts, ""]).encode())
    answers = [json.loads(given.lines.readline())["ok"] for _ in texts]
    assert answers == [True, True, False, True, True, False]
    assert given.ask(request("kill", signal="KILL")) == {"ok": True} and given.process.wait(60) == 137


# ---- limits, freeze, thaw: with a cgroup, tests/vm/test_cgroup.py ----------------------------------------------------
@pytest.mark.parametrize("text", [request("freeze"), request("thaw"), request("limits", options=["--memory", "64M"])])
def test_without_a_group(start, ask, text):
    start("web")
    answer = ask(text)
    assert answer["ok"] is False and "no cgroup of its own" in answer["error"] and "--cgroup" in answer["error"], answer


@pytest.mark.parametrize("words", [["--memory"], ["--memory", "x"], ["--rlimit", "nofile=1"], ["--net"], []])
def test_limits_refusals(start, ask, words):
    start("web")
    answer = ask(request("limits", options=words))
    assert answer["ok"] is False and "cgroup of its own" not in answer["error"], answer
