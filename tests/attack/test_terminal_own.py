# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attacks on the caller's terminal by a COMMAND that has one of its own, and on whoever shares the supervisor's process group; attacks
on the time limit. Numbers as in SECURITY.md. The controls do the same without a sandbox, at a terminal of theirs."""
import fcntl
import os
import pathlib
import select
import signal
import struct
import sys
import termios
import time

import pytest

from conftest import TESTS, wait_until

sys.path.insert(0, str(TESTS / "e2e"))
from console import console  # noqa: E402

__all__ = ["console"]

PYTHON = "/usr/bin/python3"
HOST = ["--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]
PTY = {"cloche": [], "bwrap": ["--pty"]}


def state_of(console):
    """What a hostile program could leave behind."""
    return (console.modes(), fcntl.fcntl(console.slave, fcntl.F_GETFL),
            fcntl.ioctl(console.slave, termios.TIOCGWINSZ, b"\0" * 8))


# ---- T7: what is printed -----------------------------------------------------------------------------------------
ASKS = {
    "clipboard": "\x1b]52;c;ZXZpbA==\x07", "clipboard, terminated otherwise": "\x1b]52;c;ZXZpbA==\x1b\\",
    "clipboard within a title": "\x1b]0;\x1b]52;c;ZXZpbA==\x07\x07", "clipboard through tmux": "\x1bPtmux;\x1b\x1b]52;c;ZXZpbA==\x07\x1b\\",
    "clipboard through screen": "\x1bP\x1b]52;c;ZXZpbA==\x07\x1b\\", "status": "\x1b[5n", "place": "\x1b[6n", "identity": "\x1b[c",
    "identity in pieces": "\x1b[\n>\x000c", "title": "\x1b]0;; rm -rf ~ #\x07\x1b[21t", "setting": "\x1bP$q\"p\x1b\\", "answerback": "\x05",
    "identity of old": "\x1bZ", "colour": "\x1b]11;?\x07", "C1": "\x9b6n", "font": "\x1b]50;?\x07", "keyboard": "\x1b[?u",
    "graphics": "\x1b_Gi=1,a=q;AAAA\x1b\\",
}


def asks(text):
    """Is there still anything of that kind? By a reader that knows less of terminals than the filter, and more than none."""
    data = text.encode("utf-8", "surrogateescape")
    return (b"]52" in data or b"\x1bP" in data or b"\x1b_" in data or b"\x1bZ" in data or b"\x05" in data or b";?" in data
            or b"\x9b" in data or any(data.find(final, start) > start for start in positions(data, b"\x1b[") for final in (b"n", b"c", b"t", b"u")))


def positions(data, what):
    start = data.find(what)
    while start >= 0:
        yield start
        start = data.find(what, start + 1)


def printing(what):
    return [PYTHON, "-c", f"import os; os.write(1, {ASKS[what].encode()!r})"]


@pytest.mark.parametrize("what", ASKS)
def test_T7_what_is_printed(console, personality, what):
    console.start([personality.path, *HOST, *PTY[personality.name], "--pty-filter", *printing(what)])
    assert console.wait() == 0 and not asks(console.shown), console.shown


@pytest.mark.parametrize("what", ASKS)
def test_T7_control_without_the_filter(console, personality, what):
    console.start([personality.path, *HOST, *PTY[personality.name], *printing(what)])
    assert console.wait() == 0 and asks(console.shown), console.shown


def test_T7_a_terminal_that_answers(run, cloche, tmp_path, user):
    """tmux, which types its answer into whatever reads next: the shell."""
    base = ["tmux", "-L", "attack", "-f", "/dev/null"]
    env = {"TMUX_TMPDIR": str(tmp_path), "HOME": str(tmp_path), "SHELL": "/bin/sh", "TERM": "xterm"}

    def answer(*options):
        out = tmp_path / "answer"
        out.unlink(missing_ok=True)
        reader = "import os, select; print(os.read(0, 99) if select.select([0], [], [], 2)[0] else b'')"
        (tmp_path / "reader").write_text(reader)
        # Without echo and line by line: what is typed waits for the reader.
        inside = f"{cloche} {' '.join(HOST)} {' '.join(options)} printf '\\033[6n'"
        script = f"stty raw -echo; {inside}; {PYTHON} {tmp_path}/reader >{out}.new; mv {out}.new {out}"
        run([*base, "new-session", "-d", script], env=env, check=True)
        try:
            wait_until(out.exists)
            return out.read_text()
        finally:
            run([*base, "kill-server"], env=env)

    # The control. With a terminal of its own COMMAND gets the answer, unless it has ended.
    assert "R" in answer("--no-pty")
    assert answer("--pty-filter").strip() == "b''"


# ---- T8: readers that stay ---------------------------------------------------------------------------------------
READER = """
import os, signal, sys
where = sys.argv[1]
for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGTTIN): signal.signal(number, signal.SIG_IGN)
if os.fork() == 0:
    open(f"{where}/started", "w").close()
    for source in (0, None):
        try:
            fd = os.open("/dev/tty", os.O_RDWR) if source is None else source
            stolen = os.read(fd, 100)
            if stolen: open(f"{where}/stolen", "wb").write(stolen)
        except OSError: pass
    os._exit(0)
while not os.path.exists(f"{where}/started"): pass
"""


def test_T8_reader_that_stays(console, personality, popen, tmp_path):
    """Who reads the terminal when COMMAND is gone? What is typed then is the caller's shell's."""
    attack = [PYTHON, "-c", READER, str(tmp_path)]
    bind = ["--bind", str(tmp_path), str(tmp_path)]
    console.start([personality.path, *HOST, *PTY[personality.name], *bind, *attack])
    assert console.wait() == 0 and (tmp_path / "started").exists()
    console.type("typed\n")
    assert select.select([console.slave], [], [], 30)[0] and os.read(console.slave, 100) == b"typed\n"
    assert not (tmp_path / "stolen").exists()


def test_T8_control_without_a_sandbox(console, tmp_path):
    console.start(["sh", "-c", f"{PYTHON} -c '{READER}' {tmp_path}; sleep 1000"])
    wait_until((tmp_path / "started").exists)
    console.type("typed\n")
    wait_until((tmp_path / "stolen").exists)


# ---- T9: what is left --------------------------------------------------------------------------------------------
SPOIL = """
import fcntl, glob, os, struct, sys, termios, tty
paths = [path for pattern in sys.argv[1:] for path in glob.glob(pattern)]
fds = [0, 1, 2]
for path in paths:
    try: fds.append(os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK))
    except OSError: pass
for fd in fds:
    for act in (lambda: tty.setraw(fd), lambda: fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 3, 3, 0, 0)),
                lambda: fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_NONBLOCK | os.O_APPEND),
                lambda: fcntl.ioctl(fd, termios.TIOCEXCL), lambda: termios.tcflow(fd, termios.TCOOFF)):
        try: act()
        except (OSError, termios.error): pass
"""


EVERYWHERE = ["/dev/tty", "/dev/console", "/dev/pts/[0-9]*", "/proc/[0-9]*/fd/*"]


@pytest.mark.parametrize("ending", ["", "os.kill(os.getpid(), 9)", "os.kill(os.getppid(), 9); os.kill(-1, 9)"], ids=["exit", "killed", "kills all"])
def test_T9_state_that_is_left(console, personality, ending):
    before = state_of(console)
    console.start([personality.path, *HOST, "--unshare-pid", *PTY[personality.name], PYTHON, "-c", SPOIL + ending, *EVERYWHERE])
    console.wait()
    assert state_of(console) == before
    os.close(os.open(os.ttyname(console.slave), os.O_RDWR | os.O_NOCTTY))  # TIOCEXCL would refuse


def test_T9_control_without_a_sandbox(console):
    """Its own terminal alone."""
    before = state_of(console)
    console.start([PYTHON, "-c", SPOIL, "/dev/tty"])
    assert console.wait() == 0
    after = state_of(console)
    assert all(one != other for one, other in zip(before, after)), (before, after)
    fcntl.ioctl(console.slave, termios.TIOCNXCL)
    termios.tcflow(console.slave, termios.TCOON)


# ---- P2: whoever shares the supervisor's process group -----------------------------------------------------------
STOP_ALL = """
import os, signal
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
print("ready", flush=True)
for number in (signal.SIGUSR1, signal.SIGTSTP, signal.SIGSTOP):
    for target in (-1, -os.getpgrp(), 0):
        try: os.kill(target, number)
        except OSError: pass
"""
# Says x where the signal reaches it.
SIBLING = ("import signal, time; signal.signal(signal.SIGUSR1, lambda *_: print('x', flush=True))\n"
           "while True: time.sleep(0.05); print('.', end='', flush=True)")


def states_of_the_group(group):
    found = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[2]) == group:
            found[int(path.parent.name)] = fields[0]
    return found


def test_P2_stops_with_a_terminal(console, personality):
    """COMMAND stops itself and all that it can reach; its siblings of the host go on, and hear nothing."""
    sandbox = f"{personality.path} {' '.join(HOST)} {' '.join(PTY[personality.name])} --unshare-pid {PYTHON} -c '{STOP_ALL}'"
    console.start(["sh", "-c", f"{PYTHON} -c \"{SIBLING}\" & {sandbox}; wait"])
    console.expect("ready")
    before = console.shown.count(".")
    wait_until(lambda: console.read(0.05) and console.shown.count(".") > before + 20)
    assert "x" not in console.shown and console.process.poll() is None
    os.killpg(console.process.pid, signal.SIGKILL)


def test_P2_control_without_a_sandbox(console):
    console.start(["sh", "-c", f"trap '' USR1; {PYTHON} -c \"{SIBLING}\" & sleep 0.5; {PYTHON} -c '{STOP_ALL.replace('-1, ', '')}'; wait"])
    console.expect("ready")
    wait_until(lambda: set(states_of_the_group(console.process.pid).values()) == {"T"})
    os.killpg(console.process.pid, signal.SIGKILL)


CONTROL = """
import glob, json, os, socket, sys
for path in glob.glob(sys.argv[1] + "/cloche/*.socket"):
    peer = socket.socket(socket.AF_UNIX); peer.connect(path); peer.settimeout(20)
    try:
        peer.sendall(b'{"command": "kill", "signal": "KILL"}\\n')
        print(path.rsplit("/", 1)[1], peer.makefile().read().split("\\n"))
    except OSError as error: print(path.rsplit("/", 1)[1], error)
"""


@pytest.mark.parametrize("options", [[], ["--share-pid"], ["--share-net"]], ids=lambda o: "".join(o) or "default")
def test_P2_control_sockets(run, popen, cloche, tmp_path, options):
    """The directory is shown inside, with the sockets of another sandbox and of its own."""
    (tmp_path / "run").mkdir(mode=0o700)
    env = {"XDG_RUNTIME_DIR": str(tmp_path / "run")}
    other = popen([cloche, *HOST, "--name", "other", "sh", "-c", "echo ready; exec sleep 1000"], env=env)
    assert other.stdout.readline() == "ready\n"
    bind = ["--bind", tmp_path, tmp_path]
    attack = [PYTHON, "-c", CONTROL, tmp_path / "run"]
    result = run([cloche, *HOST, "--name", "own", *bind, *options, *attack], env=env)
    assert result.returncode == 0 and result.stdout.count(".socket") == 2, result
    assert '"ok": true' not in result.stdout and other.poll() is None, result
    assert '"ok": true' in run(attack, env=env).stdout  # the control
    assert other.wait(60) == 137


# ---- P6, P7: the time limit --------------------------------------------------------------------------------------
OUTLAST = """
import os, signal, time
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
for target in (1, os.getppid()):
    for number in (signal.SIGSTOP, signal.SIGKILL, signal.SIGTERM, signal.SIGPWR, signal.SIGTTIN, signal.SIGCONT):
        try: os.kill(target, number)
        except OSError: pass
for _ in range(20):
    if os.fork() == 0:
        os.setsid()
        break
while True:
    try: os.kill(1, signal.SIGTERM); os.kill(1, signal.SIGTTIN); os.kill(os.getpid(), signal.SIGSTOP)
    except OSError: pass
    time.sleep(0.01)
"""


@pytest.mark.parametrize("terminal", [False, True], ids=["plain", "terminal"])
def test_P6_outlasting_the_time_limit(console, personality, run, terminal):
    argv = [personality.path, *HOST, "--unshare-pid", "--timeout", "1.5", "--kill-after", "0.5", PYTHON, "-c", OUTLAST]
    if terminal:
        console.start([argv[0], *PTY[personality.name], *argv[1:]])
        assert console.wait() == 124
    else:
        assert run(argv).returncode == 124


def test_P7_leftovers_at_the_time_limit(personality, run, tmp_path):
    """Twenty processes in sessions of their own, each of which would write after a while."""
    code = f"""
import os, time
for n in range(20):
    if os.fork() == 0:
        os.setsid()
        open("{tmp_path}/started%d" % n, "w").close()
        time.sleep(3)
        open("{tmp_path}/survived%d" % n, "w").close()
        os._exit(0)
time.sleep(100)"""
    argv = [PYTHON, "-c", code]
    bind = ["--bind", str(tmp_path), str(tmp_path)]
    assert run([personality.path, *HOST, "--unshare-pid", *bind, "--timeout", "1", *argv]).returncode == 124
    time.sleep(3)
    assert len(list(tmp_path.glob("started*"))) == 20 and not list(tmp_path.glob("survived*"))


def test_P7_control_timeout_alone(run, tmp_path):
    """timeout(1) kills its child and no daemon of it."""
    code = f"import os, time\nif os.fork() == 0: os.setsid(); time.sleep(1.5); open('{tmp_path}/survived', 'w').close(); os._exit(0)\ntime.sleep(100)"
    assert run(["timeout", "1", PYTHON, "-c", code], stdout=None, stderr=None).returncode == 124
    wait_until((tmp_path / "survived").exists)
