# SPDX-License-Identifier: LGPL-2.1-or-later
"""COMMAND's own terminal: who gets one, job control, what is left of it at the end; real programs by tmux and script."""
import contextlib
import fcntl
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import stat
import subprocess
import termios
import time

import pytest

from conftest import wait_until
from console import console
from e2elib import HOST, assert_fails

__all__ = ["console"]

PYTHON = "/usr/bin/python3"
# Says 42 when it runs, which is not in its own text. No shell: what is stopped between vfork(2) and execve(2) keeps its parent from
# being stopped, here as anywhere.
RUNS = f"{PYTHON} -c 'import time; print(40+2, flush=True); time.sleep(1000)'"
ASKS = f"{PYTHON} -c 'import time; print(40+2, flush=True); time.sleep(1); print(\"got\", input())'"


def children(pid):
    return [int(word) for word in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def state(pid):
    return re.search(r"^State:\t(\w)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)[1]


def command_of(supervisor):
    """COMMAND's pid on the host: the init process's child."""
    wait_until(lambda: children(supervisor) and children(children(supervisor)[0]))
    return children(children(supervisor)[0])[0]


# ---- who has one -------------------------------------------------------------------------------------------------
def test_name(console, cloche):
    """It is in the sandbox's devpts, and the session is not the caller's."""
    console.start([cloche, *HOST, PYTHON, "-c", "import os; print(os.ttyname(0), os.getsid(0), os.getpgrp(), os.getpid(), "
                   "os.tcgetpgrp(0), open('/dev/tty', 'w').isatty())"])
    assert console.wait() == 0
    assert console.shown.split() == ["/dev/pts/0", "1", "2", "2", "2", "True"]


def test_name_without_devpts(console, cloche):
    """Then it is one of the host's, of which no name leads to it."""
    console.start([cloche, "--bare", "--ro-bind", "/", "/", PYTHON, "-c", "import os; print(os.isatty(0), os.getsid(0))"])
    assert console.wait() == 0 and console.shown.split() == ["True", "1"], console.shown


def test_name_where_ptmx_is_something_else(console, cloche, tmp_path):
    os.mkfifo(tmp_path / "ptmx")
    console.start([cloche, "--ro-bind", "/", "/", "--tmpfs", "/dev", "--bind", tmp_path / "ptmx", "/dev/ptmx", "sh", "-c", "test -t 0 && echo yes"])
    assert console.wait() == 0 and console.shown.split() == ["yes"], console.shown


@pytest.mark.parametrize("terminals", itertools.product((False, True), repeat=3), ids=lambda t: "".join("ft"[x] for x in t))
@pytest.mark.parametrize("options", [[], ["--pty"], ["--no-pty"]], ids=lambda o: "".join(o) or "default")
def test_mix(console, cloche, terminals, options, tmp_path):
    """What is no terminal stays what it is; each word printed comes out where it should."""
    files = {}
    with contextlib.ExitStack() as stack:
        for name, is_tty, mode in zip(("stdin", "stdout", "stderr"), terminals, ("r", "w", "w")):
            if not is_tty:
                (tmp_path / name).write_text("typed\n" if mode == "r" else "")
                files[name] = stack.enter_context(open(tmp_path / name, mode))
        code = ("import os, sys; line = sys.stdin.readline().strip(); print('out', line); print('err', file=sys.stderr); "
                "open('/m/seen', 'w').write(repr([os.isatty(i) and os.path.exists('/dev/pts/0') "
                "and os.path.samestat(os.fstat(i), os.stat('/dev/pts/0')) and os.getsid(0) == 1 for i in range(3)]))")
        (tmp_path / "m").mkdir()
        bind = ["--bind", tmp_path / "m", tmp_path / "m"]
        console.start([cloche, *HOST, *bind, *options, PYTHON, "-c", code.replace("/m/", f"{tmp_path}/m/")], **files)
        if terminals[0]:
            console.type("typed\n")
        assert console.wait() == 0, console.shown
    has_pty = options == ["--pty"] or (options == [] and terminals[0])
    expected = [has_pty and (is_tty or not any(terminals)) for is_tty in terminals]
    assert json.loads((tmp_path / "m/seen").read_text().lower()) == expected
    typed = "typed\n" if terminals[0] or expected[0] else ""  # echo of the terminal
    everything_to_stdout = expected == [True] * 3 and not any(terminals)
    shown = console.shown.replace("\r", "")
    assert ("out typed\n" in shown) == terminals[1] and ("err\n" in shown) == terminals[2], shown
    if not terminals[1]:
        assert (tmp_path / "stdout").read_text().replace("\r", "") == (f"{typed}out typed\nerr\n" if everything_to_stdout else "out typed\n")
    if not terminals[2]:
        assert (tmp_path / "stderr").read_text() == ("" if everything_to_stdout else "err\n")


def test_pty_of_nobody(cloche, run):
    """No terminal anywhere: standard input is typed, to its end, wherever in a line that is."""
    for text, shown in (("a\nb\n", "a\nb\n" * 2), ("a\nb", "a\nba\nb"), ("", "")):
        result = run([cloche, "--pty", *HOST, "cat"], input=text, check=True)
        assert sorted(result.stdout.replace("\r", "")) == sorted(shown), result


def test_bwrap_has_none_unless_asked(console, bwrap):
    for options, expected in (([], "/dev/console"), (["--pty"], "/dev/pts/0"), (["--pty", "--unshare-pid"], "/dev/pts/0")):
        console.start([bwrap, *HOST, *options, "sh", "-c", "tty; test -t 0 && exit 3"])
        console.expect(expected)
        assert console.wait() == 3


def test_stdin_file_means_none(console, cloche):
    console.start([cloche, *HOST, "--stdin", "null", PYTHON, "-c", "import os; print(os.isatty(1), os.getsid(0), os.fstat(1).st_rdev == os.stat('/dev/console').st_rdev)"])
    assert console.wait() == 0 and console.shown.split() == ["True", "1", "True"], console.shown


def test_as_pid_1(console, cloche):
    console.start([cloche, *HOST, "--as-pid-1", "sh", "-c", "tty; echo $$; read x; echo got $x"])
    console.expect("1\r\n")
    console.type("word\n")
    assert console.wait() == 0 and "got word" in console.shown and "/dev/pts/0" in console.shown


def test_without_namespaces(console, cloche):
    console.start([cloche, "--isolation", "landlock", "--ro-bind", "/", "/", "sh", "-c", "test -t 1 && read x && echo got $x"])
    console.type("word\n")
    assert console.wait() == 0 and "got word" in console.shown, console.shown


def test_no_pty_is_the_callers(console, cloche):
    console.start([cloche, *HOST, "--no-pty", PYTHON, "-c", "import os; print(os.isatty(0), os.getsid(0))"])
    assert console.wait() == 0 and console.shown.split() == ["True", "0"]


@pytest.mark.parametrize("options, text", [
    (["--pty", "--new-session"], "contradicts --pty"), (["--pty-filter", "--no-pty"], "--no-pty and --new-session forbid"),
    (["--stop-signal", "NONSENSE"], "not a signal: NONSENSE"), (["--stop-signal", "STOP"], "asks a program to end"),
    (["--timeout", "-1"], "not a number of seconds"), (["--timeout", "1s"], "not a number of seconds"),
    (["--kill-after", "x"], "not a number of seconds")], ids=lambda o: " ".join(o) if isinstance(o, list) else "")
def test_bad_options(personality, run, options, text):
    result = run([personality, *HOST, *options, "true"])
    if personality.name == "cloche":
        assert_fails(result, personality, text)
    else:
        assert result.returncode == 1 and result.stderr.startswith("bwrap: "), result


def test_explained(console, cloche, run):
    plan = json.loads(run([cloche, *HOST, "--pty", "--timeout", "1.5", "--explain=json", "true"], check=True).stdout)
    assert plan["terminal"] == {"own": True, "descriptors": [0, 1, 2], "filter": False}
    assert (plan["stop-signal"], plan["timeout"], plan["kill-after"]) == ("TERM", 1.5, 10)
    text = run([cloche, *HOST, "--pty", "--pty-filter", "--explain", "true"], check=True).stdout
    assert "terminal: its own, filtered, on descriptors 0, 1, 2\n" in text
    assert "terminal: none of its own\n" in run([cloche, *HOST, "--explain", "true"], check=True).stdout
    text = run([cloche, *HOST, "--timeout", "5", "--kill-after", "0", "--explain", "true"], check=True).stdout
    assert "time limit: TERM after 5 s, KILL 0 s later\n" in text


# ---- size and modes ----------------------------------------------------------------------------------------------
def test_window_size(console, cloche):
    console.resize(33, 77)
    console.start([cloche, *HOST, "sh", "-c", "trap 'stty size' WINCH; stty size; while :; do read x || :; done"])
    console.expect("33 77")
    console.resize(44, 99)
    os.kill(console.process.pid, signal.SIGWINCH)  # as the kernel does where the size is set on the slave
    console.expect("44 99")
    console.type("\x03")
    assert console.wait() == 130


def test_modes_are_the_callers(console, cloche):
    modes = termios.tcgetattr(console.slave)
    modes[6][termios.VINTR] = b"\x07"
    modes[3] &= ~termios.ECHOK
    termios.tcsetattr(console.slave, termios.TCSANOW, modes)
    console.start([cloche, *HOST, PYTHON, "-c", "import os, time; os.system('stty -a'); print(40 + 2, flush=True); time.sleep(100)"])
    assert "-echok " in console.expect("42\r\n")
    assert "intr = ^G;" in console.shown
    console.type("\x07")
    assert console.wait() == 130


def test_password_prompt(console, cloche):
    code = "import getpass; print('<' + getpass.getpass('Password: ') + '>')"
    console.start([cloche, *HOST, PYTHON, "-c", code])
    console.expect("Password: ")
    console.type("secret\n")
    console.expect("<secret>")
    assert console.wait() == 0 and console.shown.count("secret") == 1


def test_prompt_with_stdin_elsewhere(console, cloche, tmp_path):
    """/dev/tty with --pty, where standard input is a file."""
    with open("/dev/null") as null:
        console.start([cloche, *HOST, "--pty", "sh", "-c", "read x </dev/tty; echo got $x"], stdin=null)
        console.type("word\n")
        assert console.wait() == 0 and "got word" in console.shown


# ---- job control -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("key, status", [("\x03", 130), ("\x1c", 131)], ids=["interrupt", "quit"])
def test_keys_that_end(console, cloche, key, status):
    """No shell: an interrupt while one starts a child may be lost, with a sandbox or without."""
    console.start([cloche, *HOST, PYTHON, "-c", "import time; print(40 + 2, flush=True); time.sleep(100)"])
    console.expect("42\r\n")
    console.type(key)
    assert console.wait() == status


def test_key_is_the_programs(console, cloche):
    """Ctrl-C, as often as it likes: with a terminal of its own it is COMMAND's alone."""
    console.start([cloche, *HOST, "sh", "-c", "trap 'echo caught' INT; echo ready; read x; read x; read x; echo done"])
    console.expect("ready")
    for _ in range(3):
        console.type("\x03")
        console.expect("caught")
    console.type("\n\n\n")
    assert console.wait() == 0


def test_suspend_and_go_on(console, cloche):
    """As any job: the terminal is the shell's in between, and as it was."""
    console.shell()
    modes = console.modes()
    console.type(f"{cloche} {' '.join(HOST)} {ASKS}\n")
    console.expect("42\r\n")
    wait_until(lambda: not console.modes()[3] & termios.ECHO)
    console.type("\x1a")
    console.expect("Stopped")
    console.expect("$ ")
    assert console.modes() == modes
    assert "Stopped" in console.run("jobs")
    console.type("fg\n")
    wait_until(lambda: not console.modes()[3] & termios.ECHO)
    console.type("word\n")
    console.expect("got word")
    console.expect("$ ")
    assert console.modes() == modes and "0" in console.run("echo $?")


def test_suspend_during_the_start(console, cloche, tmp_path):
    """Somebody holds the start up meanwhile; COMMAND is not stopped when it runs at last."""
    os.mkfifo(tmp_path / "fifo")
    console.shell()
    console.type(f"{cloche} {' '.join(HOST)} --block-fd 9 {PYTHON} -c 'print(40+2)' 9<>{tmp_path}/fifo\n")
    wait_until(lambda: children(console.process.pid) and children(children(console.process.pid)[0]))
    console.type("\x1a")
    console.expect("Stopped")
    console.expect("$ ")
    console.type("fg\n")
    console.expect("fg\r\n")
    with open(tmp_path / "fifo", "w") as fifo:
        fifo.write("\n")
    console.expect("42\r\n")
    console.expect("$ ")


def test_suspended_in_the_background(console, cloche):
    """bg, fg: it runs on, and has the keys again when it is in front."""
    console.shell()
    console.type(f"{cloche} {' '.join(HOST)} {ASKS}\n")
    console.expect("42\r\n")
    console.type("\x1a")
    console.expect("Stopped")
    console.expect("$ ")
    console.run("bg")
    console.type("fg\n")
    console.expect("fg\r\n")
    console.type("word\n")
    console.expect("got word")


def test_reading_in_the_background_stops(console, cloche):
    console.shell()
    console.run(f"{cloche} {' '.join(HOST)} cat &")
    console.type("\n")
    for _ in range(50):
        if "Stopped" in console.run("sleep 0.2; jobs"):
            break
    else:
        raise AssertionError(console.shown)
    console.type("fg\n")
    console.expect("cat\r\n")
    wait_until(lambda: not console.modes()[3] & termios.ECHO)
    console.type("word\n")
    console.expect("word\r\nword\r\n")
    console.type("\x04")
    console.expect("$ ")


def test_command_in_the_background_prints(console, cloche):
    console.shell()
    console.type(f"{cloche} {' '.join(HOST)} sh -c 'sleep 0.5; echo $((40+2))' & wait; echo $((40+3))\n")
    console.expect("42\r\n")
    console.expect("43\r\n")


def test_stop_of_its_own(console, cloche):
    """COMMAND stops itself: the supervisor does, too, and the caller's shell notices."""
    console.shell()
    console.type(f"{cloche} {' '.join(HOST)} sh -c 'kill -STOP $$; echo $((40+2))'\n")
    console.expect("Stopped")
    console.expect("$ ")
    console.type("fg\n")
    console.expect("42\r\n")
    console.expect("$ ")


def test_shell_inside(console, cloche):
    """A shell in the sandbox has jobs of its own; they do not stop us."""
    console.shell()
    console.type(f"{cloche} {' '.join(HOST)} --setenv PS1 'inside> ' bash --norc --noediting -i\n")
    console.expect("inside> ")
    console.type("sleep 100\n")
    time.sleep(0.5)
    console.type("\x1a")
    console.expect("Stopped")
    console.expect("inside> ")
    assert "Stopped" in console.run("jobs", "inside> ")
    console.type("fg\n")
    console.expect("fg\r\nsleep 100")
    time.sleep(0.5)
    console.type("\x03")
    console.expect("inside> ")
    console.type("exit 5\n")
    console.expect("exit")
    console.expect("$ ")
    assert "5\n" in console.run("echo $?")


def test_signals_of_a_group_that_shares(console, cloche):
    """A stop that COMMAND made itself is not for those who share the supervisor's process group."""
    script = f"{cloche} {' '.join(HOST)} sh -c 'kill -STOP $$; echo on' & child=$!; sleep 1; echo alive; kill -CONT $child; wait $child"
    console.start(["sh", "-c", script])
    console.expect("alive")
    console.expect("on")
    assert console.wait() == 0


# ---- pipelines ---------------------------------------------------------------------------------------------------
def test_pipeline_reads_the_terminal(console, cloche):
    console.start(["sh", "-c", f"{cloche} {' '.join(HOST)} cat | sed 's/^/out: /'"])
    console.type("word\n")
    console.expect("out: word")
    console.type("\x04")
    assert console.wait() == 0


@pytest.mark.skipif(not shutil.which("less"), reason="less is not installed")
def test_pipeline_into_less(console, cloche):
    """The pager has the keys: COMMAND does not want them."""
    console.start(["sh", "-c", f"{cloche} {' '.join(HOST)} seq 1000 | less"])
    console.expect("23\r\n")
    console.type(" ")
    console.expect("40\r\n")
    console.type("q")
    assert console.wait() == 0


@pytest.mark.skipif(not shutil.which("less"), reason="less is not installed")
@pytest.mark.parametrize("options", [[], ["--no-pty"]], ids=["pty", "no-pty"])
def test_pipeline_into_less_that_stays(console, cloche, options):
    """When the sandbox ends the pager has the terminal as it wants it."""
    before = console.modes()
    console.start(["sh", "-c", f"{cloche} {' '.join(HOST)} {' '.join(options)} sh -c 'seq 30; exec sleep 0.5' | less"])
    console.expect("23\r\n")
    wait_until(lambda: not any("cloche" in pathlib.Path(f"/proc/{pid}/comm").read_text() for pid in children(console.process.pid)))
    time.sleep(0.2)
    assert console.modes() != before
    console.type("q")
    assert console.wait() == 0 and console.modes() == before


def test_pipeline_that_ends_early(cloche, run):
    result = run(["sh", "-c", f"{cloche} {' '.join(HOST)} --pty yes | head -n 2"])
    assert result.returncode == 0 and result.stdout.split() == ["y", "y"]


def test_interrupt_in_a_pipeline(console, cloche):
    """The terminal sends it to the whole pipeline; the second one kills who does not hear."""
    console.start(["bash", "-c", f"set -o pipefail; trap : INT; {cloche} {' '.join(HOST)} "
                   "sh -c 'trap \"\" INT; echo ready >&2; sleep 100; sleep 100' | (trap '' INT; echo deaf >&2; cat)"])
    wait_until(lambda: console.read(0.05) and "ready" in console.shown and "deaf" in console.shown)
    console.type("\x03")
    time.sleep(0.5)
    assert console.process.poll() is None
    console.type("\x03")
    assert console.wait() == 137, console.shown


# ---- the end -----------------------------------------------------------------------------------------------------
ENDS = {
    "kill -9 of COMMAND": ("kill -KILL $$", 137),
    "left raw": ("stty raw -echo; exit 3", 3),
    "set-up fails": (None, 125),
    "SIGTERM": ("", 143),
    "SIGHUP": ("", 129),
    "kill -9 of pid 1": ("", 137),
}


@pytest.mark.parametrize("case", ENDS)
def test_terminal_is_restored(console, cloche, case):
    script, status = ENDS[case]
    modes, flags = console.modes(), fcntl.fcntl(console.slave, fcntl.F_GETFL)
    if script is None:
        console.start([cloche, *HOST, "--ro-bind", "/no/such/file", "/x", "true"])
    else:
        console.start([cloche, *HOST, "sh", "-c", f"echo ready; {script or 'exec sleep 100'}"])
        console.expect("ready")
        supervisor = console.process.pid
        if case.startswith("SIG"):
            os.kill(supervisor, getattr(signal, case))
        elif case == "kill -9 of pid 1":
            os.kill(children(supervisor)[0], signal.SIGKILL)
    assert console.wait() == status, console.shown
    assert console.modes() == modes
    assert fcntl.fcntl(console.slave, fcntl.F_GETFL) == flags


@pytest.mark.parametrize("options", [[], ["--no-pty"]], ids=["pty", "no-pty"])
def test_nonblocking_is_not_left(console, cloche, options):
    """O_NONBLOCK belongs to what the caller shares; node sets it."""
    code = "import os; [os.set_blocking(i, False) for i in range(3)]; import tty; tty.setraw(0)"
    modes = console.modes()
    console.start([cloche, *HOST, *options, PYTHON, "-c", code])
    assert console.wait() == 0
    assert os.get_blocking(console.slave) and console.modes() == modes


def test_everything_is_shown(console, cloche):
    """The last words before the end, however many; the terminal is read late."""
    console.start([cloche, *HOST, "seq", "20000"])
    time.sleep(0.5)
    assert console.wait() == 0
    assert console.shown.split() == [str(n) for n in range(1, 20001)]


def test_hangup(console, cloche, user):
    """The caller's terminal goes away: COMMAND hears SIGHUP, and all ends."""
    console.start([cloche, *HOST, "sh", "-c", "echo ready; sleep 100"])
    console.expect("ready")
    supervisor = console.process.pid
    console.close()
    wait_until(lambda: not pathlib.Path(f"/proc/{supervisor}").exists() or state(supervisor) == "Z", 30)


def test_stopped_terminal(console, cloche):
    """Ctrl-S at the caller's end: what COMMAND prints waits; the supervisor does not, and its memory is bounded."""
    console.start([cloche, *HOST, "yes"])
    console.expect("y\r\ny")
    supervisor = console.process.pid
    termios.tcflow(console.slave, termios.TCOOFF)
    time.sleep(1)
    used = int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{supervisor}/status").read_text())[1])
    assert used < 8192 or os.environ.get("CLOCHE_SANITIZED"), used
    os.kill(supervisor, signal.SIGTERM)
    wait_until(lambda: not children(supervisor))
    os.kill(supervisor, signal.SIGTERM)  # and this ends the wait for the terminal
    assert console.process.wait(60) == 143
    termios.tcflow(console.slave, termios.TCOON)


# ---- signals to the supervisor -----------------------------------------------------------------------------------
def test_tstp_and_cont(console, cloche):
    console.start(["sh", "-c", f"exec {cloche} {' '.join(HOST)} {RUNS}"])
    console.expect("42")
    supervisor = console.process.pid
    command = command_of(supervisor)
    # Its process group is orphaned: the kernel stops nobody there, so COMMAND goes on as well.
    os.kill(supervisor, signal.SIGTSTP)
    time.sleep(0.3)
    wait_until(lambda: state(command) == "S" and state(supervisor) == "S")
    console.type("\x03")
    assert console.wait() == 130


@pytest.mark.parametrize("options", [["--no-pty"], []], ids=["no-pty", "pty"])
def test_tstp_stops_both(console, cloche, options):
    console.shell()
    console.type(f"{cloche} {' '.join(HOST)} {' '.join(options)} {RUNS}\n")
    console.expect("42\r\n")
    supervisor = children(console.process.pid)[0]
    command = command_of(supervisor)
    os.kill(supervisor, signal.SIGTSTP)
    console.expect("Stopped")
    console.expect("$ ")
    wait_until(lambda: state(command) == "T" and state(supervisor) == "T")
    os.kill(supervisor, signal.SIGCONT)
    wait_until(lambda: state(command) == "S" and state(supervisor) == "S")
    os.kill(supervisor, signal.SIGTERM)
    wait_until(lambda: not children(console.process.pid) or state(supervisor) == "Z")


# ---- real programs -----------------------------------------------------------------------------------------------
@pytest.fixture
def tmux(run, tmp_path, user):
    """tmux(*words): a command of a server of our own; tmux.screen(): what it shows."""
    base = ["tmux", "-L", "test", "-f", "/dev/null"]
    env = {"TMUX_TMPDIR": str(tmp_path), "HOME": str(tmp_path), "SHELL": "/bin/sh", "TERM": "xterm"}

    def tmux(*words, check=True):
        return run([*base, *words], env=env, check=check).stdout

    tmux.screen = lambda: tmux("capture-pane", "-p")
    yield tmux
    tmux("kill-server", check=False)


def show(tmux, text):
    end = time.monotonic() + 60
    while text not in tmux.screen():
        assert time.monotonic() < end, (text, tmux.screen())
        time.sleep(0.05)


def test_tmux_vim(tmux, cloche, tmp_path):
    (tmp_path / "work").mkdir()
    tmux("new-session", "-d", "-x", "80", "-y", "24")
    tmux("send-keys", f"{cloche} {' '.join(HOST)} --bind {tmp_path}/work {tmp_path}/work --chdir {tmp_path}/work vim -u NONE file; echo status=$((1+$?))", "Enter")
    show(tmux, "~")
    tmux("send-keys", "i", "some words", "Escape")
    show(tmux, "some words")
    tmux("resize-window", "-x", "60", "-y", "12")
    tmux("send-keys", ":set lines? columns?", "Enter")
    show(tmux, "lines=12")
    show(tmux, "columns=60")
    tmux("send-keys", "Enter", ":wq", "Enter")
    show(tmux, "status=1")
    assert (tmp_path / "work/file").read_text() == "some words\n"


def test_tmux_less(tmux, cloche):
    tmux("new-session", "-d", "-x", "80", "-y", "24")
    tmux("send-keys", f"{cloche} {' '.join(HOST)} sh -c 'seq 500 | less'; echo over=$((1+$?))", "Enter")
    show(tmux, "\n23\n")
    tmux("send-keys", "G")
    show(tmux, "\n500\n")
    tmux("send-keys", "q")
    show(tmux, "over=1")


def test_tmux_inside(tmux, cloche):
    """tmux in the sandbox in tmux."""
    tmux("new-session", "-d", "-x", "80", "-y", "24")
    inner = "tmux -L inner -f /dev/null new-session -x 70 -y 20"
    tmux("send-keys", f"{cloche} {' '.join(HOST)} --tmpfs /tmp --setenv TMUX '' --setenv TMUX_TMPDIR /tmp --unsetenv TMUX "
         f"--setenv SHELL /bin/sh {inner}", "Enter")
    show(tmux, "0:sh")
    tmux("send-keys", "tty; echo inside=$((1+1))", "Enter")
    show(tmux, "inside=2")
    show(tmux, "/dev/pts/1")
    tmux("send-keys", "exit", "Enter")
    show(tmux, "[exited]")


def test_tmux_suspend(tmux, cloche):
    tmux("new-session", "-d", "-x", "80", "-y", "24", "bash --norc")
    tmux("send-keys", f"{cloche} {' '.join(HOST)} vim -u NONE", "Enter")
    show(tmux, "~")
    tmux("send-keys", "C-z")
    show(tmux, "Stopped")
    tmux("send-keys", "clear; echo back=$((1+1))", "Enter")
    show(tmux, "back=2")
    tmux("send-keys", "fg; echo end=$((1+$?))", "Enter")
    show(tmux, "~")
    tmux("send-keys", ":q", "Enter")
    show(tmux, "end=1")


def test_script(cloche, run, tmp_path):
    """In a terminal that is none of a shell's."""
    argv = ["script", "-qefc", f"{cloche} {' '.join(HOST)} sh -c 'tty; stty -echo; stty -a; exit 7'", tmp_path / "typescript"]
    result = run(argv)
    assert result.returncode == 7 and "/dev/pts/0" in result.stdout and " -echo " in result.stdout, result


# ---- --pty-filter ------------------------------------------------------------------------------------------------
def test_filter(console, cloche):
    text = r"\033[31mred\033[0m\033]52;c;ZXZpbA==\007\033[6n\033[c\033]0;title\007\005\033P$qm\033\\done\n"
    console.start([cloche, *HOST, "--pty-filter", "printf", text])
    assert console.wait() == 0
    assert console.shown == "\x1b[31mred\x1b[0m\x1b]0;title\x07done\r\n"


@pytest.mark.parametrize("env, iutf8, shown", [
    ({"LANG": "de_DE.UTF-8"}, False, "\u20ac"), ({"LC_ALL": "C.utf8", "LANG": "C"}, False, "\u20ac"), ({"LC_ALL": "C"}, True, "\u20ac"),
    ({"LC_ALL": "C", "LANG": "C.UTF-8"}, False, "\udce2\udcac")])
def test_filter_characters(console, cloche, env, iutf8, shown):
    """What is a character of UTF-8 is one of three others elsewhere, the second of them a C1 control."""
    modes = termios.tcgetattr(console.slave)
    modes[0] = modes[0] | 0o40000 if iutf8 else modes[0] & ~0o40000
    termios.tcsetattr(console.slave, termios.TCSANOW, modes)
    console.start([cloche, *HOST, "--pty-filter", PYTHON, "-c", "import os; os.write(1, b'\\xe2\\x82\\xac')"], env=env)
    assert console.wait() == 0 and console.shown == shown


def test_filter_is_no_default(console, cloche):
    console.start([cloche, *HOST, "printf", r"\033[6n"])
    assert console.wait() == 0 and console.shown == "\x1b[6n"


def test_filter_implies_a_terminal(console, cloche):
    """Standard output is one, standard input is not: it is filtered all the same."""
    with open("/dev/null") as null:
        console.start([cloche, *HOST, "--pty-filter", "printf", r"a\033[6nb"], stdin=null)
        assert console.wait() == 0 and console.shown == "ab"
