# SPDX-License-Identifier: LGPL-2.1-or-later
"""cloche exec: another COMMAND in a sandbox that runs, with everything that the first one has."""
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

from conftest import wait_until
from console import console
from e2elib import HOST, pipe
from named import READY, SLEEPS, Peer, listed, manage, registry, start

__all__ = ["console", "manage", "pipe", "registry", "start"]

PYTHON = "/usr/bin/python3"
# What a process is confined by, as it sees it itself.
SELF = ("for ns in cgroup ipc mnt net pid user uts time; do readlink /proc/self/ns/$ns; done; id; "
        "grep -E '^(Cap|NoNewPrivs|Seccomp|Groups)' /proc/self/status; ulimit -a; env | grep -v ^TERM= | sort; umask; pwd; "
        "cat /proc/self/cgroup /proc/self/uid_map /proc/self/gid_map; cat /proc/sys/kernel/hostname /proc/net/dev | cut -d: -f1")
MAPS = "0:100000:1000,1000:101000:1000"
KINDS = {
    "defaults": [],
    "own id": ["--uid", "77", "--gid", "78", "--hostname", "jar"],
    "shared network and processes": ["--share-net", "--share-pid"],
    "capability": ["--cap-add", "NET_ADMIN", "--uid", "0", "--gid", "0"],
    "user namespaces inside": ["--allow-userns"],
    "policy": ["--seccomp-policy", "strict"],
    "limits": ["--rlimit", "nofile=77:88", "--nice", "7", "--oom-score-adj", "500"],
    "environment": ["--setenv", "A", "b", "--unsetenv", "HOME", "--chdir", "/usr"],
    "clocks": ["--unshare-time", "--time-offset", "monotonic:1000"],
    "nobody inside": ["--as-pid-1"],
    "Landlock only": ["--isolation", "landlock"],
}


def starts(cloche, option):
    return subprocess.run([cloche, "--help"], capture_output=True, text=True, check=True).stdout.count(option)


@pytest.fixture
def attach(popen, cloche, registry):
    """attach(words...): cloche exec with these, running."""
    def attach(*words, **rest):
        return popen([cloche, "exec", *words], env={"XDG_RUNTIME_DIR": str(registry)}, **rest)
    return attach


# ---- the same confinement ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", KINDS)
def test_same_confinement(start, manage, kind):
    options = KINDS[kind]
    for option in options:
        if option.startswith("--"):
            assert starts(manage.cloche, option), f"{option} has another name"
    process = start("web", f"{READY} {{ {SELF}; }} 2>&1; echo done; exec sleep 1000", *options)
    first = []
    while (line := process.stdout.readline()) != "done\n":
        first.append(line)
    second = manage("exec", "web", "sh", "-c", f"{{ {SELF}; }} 2>&1", check=True).stdout.splitlines(keepends=True)
    assert len(first) > 20 and second == first


def test_same_confinement_with_ranges_of_ids(start, manage, user):
    options = ["--map-auto"] if not user.is_root else ["--uid-map", "0:100000:65536", "--gid-map", "0:100000:65536"]
    process = start("web", f"{READY} {SELF}; echo done; exec sleep 1000", *options)
    first = list(iter(process.stdout.readline, "done\n"))
    assert manage("exec", "web", "sh", "-c", SELF, check=True).stdout.splitlines(keepends=True) == first


@pytest.mark.parametrize("options", [[], ["--unshare-all"], ["--unshare-pid", "--as-pid-1"], ["--unshare-user", "--unshare-pid", "--uid", "77"]])
def test_same_confinement_as_bwrap(popen, bwrap, manage, registry, options):
    """A sandbox that was made under the other name, too: all of the caller's environment, no filter."""
    process = popen([bwrap, *HOST, "--name", "web", *options, "sh", "-c", f"{{ {SELF}; }} 2>&1; echo done; exec sleep 1000"],
                    env={"XDG_RUNTIME_DIR": str(registry), "OTHER": "kept"})
    first = list(iter(process.stdout.readline, "done\n"))
    second = manage("exec", "web", "sh", "-c", f"{{ {SELF}; }} 2>&1", check=True).stdout.splitlines(keepends=True)
    assert "OTHER=kept\n" in second and second == first


def test_network(start, manage):
    """One of its own, which the second COMMAND uses like the first."""
    start("web", f"{PYTHON} -m http.server -b 127.0.0.1 8000 >/dev/null 2>&1 & {READY} exec sleep 1000", "--net")
    fetch = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8000/usr/').status)"
    wait_until(lambda: manage("exec", "web", PYTHON, "-c", fetch).stdout == "200\n")
    assert "10.0.2." in manage("exec", "web", "cat", "/proc/net/fib_trie", check=True).stdout


def test_devices(start, manage, tmp_path):
    start("web", SLEEPS, "--bind", tmp_path, tmp_path)
    manage("exec", "web", "sh", "-c", f"echo x >/dev/null && head -c 3 /dev/urandom | wc -c >{tmp_path}/count", check=True)
    assert (tmp_path / "count").read_text() == "3\n"


def test_processes_see_each_other(start, manage):
    """Signals go from the second to the first."""
    process = start("web", f"trap 'echo heard' USR1; {READY} while :; do sleep 0.05; done")
    manage("exec", "web", "kill", "-USR1", "2", check=True)
    assert process.stdout.readline() == "heard\n"


# ---- what it is given --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("status", [0, 1, 77, 255])
def test_status(start, manage, status):
    start("web")
    assert manage("exec", "web", "--", "sh", "-c", f"exit {status}").returncode == status


def test_options(start, manage):
    start("web", SLEEPS, "--setenv", "A", "a", "--setenv", "B", "b")
    say = 'echo "$PWD $A $B $C"'
    assert manage("exec", "web", "sh", "-c", say).stdout == "/ a b \n"
    assert manage("exec", "web", "--chdir", "/usr/bin", "--setenv", "C", "c", "--unsetenv", "A", "--", "sh", "-c", say).stdout == "/usr/bin  b c\n"
    assert manage("exec", "web", "--clearenv", "/usr/bin/env").stdout == "PWD=/\n"


def test_streams(start, manage, attach):
    start("web")
    both = attach("web", "sh", "-c", "cat; echo end >&2", stdin=subprocess.PIPE)
    assert both.communicate("some\ntext\n", timeout=60) == ("some\ntext\n", "end\n") and both.returncode == 0


def test_large_output_and_long_command(start, manage):
    start("web")
    assert len(manage("exec", "web", "head", "-c", "3000000", "/dev/zero").stdout) == 3_000_000
    assert len(manage("exec", "web", "printf", "%s", *["x" * 50_000] * 20).stdout) == 1_000_000


def test_no_descriptor_leaks(start, manage):
    start("web")
    assert manage("exec", "web", "ls", "/proc/self/fd").stdout.split() == ["0", "1", "2", "3"]  # the last one is ls's own


def test_writer_that_outlives(start, manage):
    """What the caller reads ends with COMMAND, though its sandbox goes on; what COMMAND leaves stays there."""
    start("web")
    manage("exec", "web", "sh", "-c", "sleep 555 >/dev/null 2>&1 </dev/null &", check=True)
    assert "sleep 555" in manage("exec", "web", "ps", "ax", check=True).stdout


@pytest.mark.parametrize("kind", ["Landlock only", "shared network and processes"])
def test_nothing_is_left_where_no_pid_1_ends_it(start, manage, kind, tmp_path):
    start("web", SLEEPS, "--bind", tmp_path, tmp_path, *KINDS[kind])
    manage("exec", "web", "sh", "-c", f"setsid sleep 556 & echo $! >{tmp_path}/pid; sleep 0.2", check=True)
    if kind == "Landlock only":
        assert not pathlib.Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()


# ---- refusals ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("words, status, text", [
    (["web", "/no/such"], 127, "cannot run /no/such: No such file or directory"), (["web", "/etc/passwd"], 126, "Permission denied"),
    (["web", "--chdir", "/no/such", "true"], 125, "--chdir /no/such: cannot change"), (["web"], 125, "no COMMAND"), ([], 125, "usage:"),
    (["web", "--ro-bind", "/", "/", "true"], 125, "--ro-bind / /: cannot be given to a sandbox that runs"),
    (["web", "--unknown", "true"], 125, "--unknown"), (["other", "true"], 1, "no such sandbox"), (["--pty", "web", "true"], 125, "usage:"),
    (["web", "--cap-add", "ALL", "true"], 125, "--cap-add ALL: cannot be given"), (["web", "--timeout", "x", "true"], 125, "--timeout x"),
])
def test_refusals(start, manage, words, status, text):
    start("web")
    result = manage("exec", *words)
    assert result.returncode == status and text in result.stderr, result
    assert manage("exec", "web", "true").returncode == 0


def test_before_the_sandbox_runs(manage, popen, cloche, registry, pipe):
    """It waits for that a while, since whoever starts a sandbox in the background cannot."""
    read_end, write_end = pipe()
    popen([cloche, *HOST, "--name", "web", "--block-fd", str(read_end), "sleep", "1000"], env={"XDG_RUNTIME_DIR": str(registry)},
          pass_fds=[read_end])
    wait_until(lambda: listed(manage))
    waiting = popen([cloche, "exec", "web", "echo", "ran"], env={"XDG_RUNTIME_DIR": str(registry)})
    time.sleep(0.5)
    assert waiting.poll() is None
    os.write(write_end, b"x")
    assert waiting.communicate(timeout=60)[0] == "ran\n" and waiting.returncode == 0


def test_of_another_user(start, manage, user, popen, cloche, registry):
    if not user.is_root:
        return  # there is nobody else to start one for
    start("web")
    result = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", cloche, "exec", "web", "true"], capture_output=True, text=True,
                            env={"XDG_RUNTIME_DIR": str(registry)}, check=False)
    assert result.returncode in (1, 125) and result.stderr


# ---- signals, time, the end --------------------------------------------------------------------------------------
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_signals(start, attach, number):
    start("web")
    process = attach("web", PYTHON, "-c", f"import signal, sys, time\nsignal.signal({int(number)}, lambda *_: sys.exit(9))\n"
                     "print('ready', flush=True)\ntime.sleep(1000)")
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    assert process.wait(60) == 9


def test_signals_without_a_pid_namespace(start, attach):
    start("web", SLEEPS, "--share-pid")
    process = attach("web", "sh", "-c", "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done")
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    assert process.wait(60) == 9


@pytest.mark.parametrize("kind", ["defaults", "Landlock only"])
def test_time_limit(start, manage, kind, tmp_path):
    """The whole tree."""
    start("web", SLEEPS, "--bind", tmp_path, tmp_path, *KINDS[kind])
    result = manage("exec", "web", "--timeout", "0.5", "--kill-after", "0.2", "sh", "-c",
                    f"trap '' TERM; setsid sleep 557 & echo $! >{tmp_path}/pid; while :; do sleep 0.05; done")
    assert result.returncode == 124
    if kind == "Landlock only":
        assert not pathlib.Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()
    else:
        assert "sleep 557" not in manage("exec", "web", "ps", "ax").stdout


def test_caller_that_is_killed(start, manage, attach):
    """Its COMMAND, and what that started, go with it."""
    start("web")
    process = attach("web", "sh", "-c", "setsid sleep 558 & echo ready; sleep 559")
    assert process.stdout.readline() == "ready\n"
    process.kill()
    process.wait(60)
    wait_until(lambda: not re.search("sleep 55[89]", manage("exec", "web", "ps", "ax").stdout))


@pytest.mark.parametrize("options", [[], ["--share-pid"]])
def test_sandbox_that_ends(start, manage, attach, options):
    process = start("web", SLEEPS, *options)
    others = [attach("web", "sh", "-c", "echo ready; exec sleep 1000") for _ in range(3)]
    assert all(other.stdout.readline() == "ready\n" for other in others)
    manage("kill", "web", check=True)
    assert process.wait(60) == 143 and [other.wait(60) for other in others] == [137] * 3


def test_supervisor_that_is_killed(start, attach):
    process = start("web")
    other = attach("web", "sh", "-c", "echo ready; exec sleep 1000")
    assert other.stdout.readline() == "ready\n"
    time.sleep(0.3)
    process.kill()
    assert process.wait(60) == -9 and other.wait(60) == 137


def test_keeper_that_is_killed(start, attach, manage):
    process = start("web")
    other = attach("web", "sh", "-c", "echo ready; exec sleep 560")
    assert other.stdout.readline() == "ready\n"
    with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as children:
        keeper = int(children.read().split()[1])
    time.sleep(0.3)
    os.kill(keeper, signal.SIGKILL)
    assert other.wait(60) == 137 and process.poll() is None
    wait_until(lambda: "sleep 560" not in manage("exec", "web", "ps", "ax").stdout)


def test_races(start, manage, attach, registry):
    """500 of exec, kill and exit at once: each status is one of those that there can be, and nothing is left."""
    endings = {0: ["true"], 7: ["sh", "-c", "exit 7"], 143: ["sh", "-c", "kill $$"], 137: ["sh", "-c", "kill -9 $$"]}
    done = 0
    while done < 500:
        process = start("web")
        running = []
        for i in range(20):
            status, words = list(endings.items())[i % 4]
            running.append((status, attach("web", *words)))
            done += 1
        victim = attach("web", "sleep", "1000")
        if done % 40:
            assert [other.wait(60) for _, other in running] == [status for status, _ in running]
            victim.kill()
        manage("kill", "-s", "KILL", "web")
        for status, other in running:
            # None there any more, ended on the way in, killed with the sandbox, or done before.
            assert other.wait(60) in (status, 1, 125, 137), (status, other.stderr.read())
        assert process.wait(60) == 137 and victim.wait(60) in (1, 125, 137, -9)
        assert not list((registry / "cloche").iterdir())


# ---- the terminal ------------------------------------------------------------------------------------------------
def exec_argv(cloche, *words):
    return [cloche, "exec", *words]


def test_terminal(console, cloche, start, registry):
    start("web")
    console.start(exec_argv(cloche, "web", "sh", "-c", "tty; stty size; echo $TERM; ps -o tpgid= -o pgid= -p $$"),
                  env={"XDG_RUNTIME_DIR": str(registry), "TERM": "vt220"})
    assert console.wait() == 0
    tty, size, term, groups = console.shown.replace("\r", "").splitlines()
    assert (tty, size, term) == ("/dev/pts/0", "24 80", "vt220") and len(set(groups.split())) == 1


def test_terminal_of_two(console, cloche, start, registry):
    """The first COMMAND has one, too."""
    start("web", SLEEPS, "--pty")
    console.start(exec_argv(cloche, "web", "tty"), env={"XDG_RUNTIME_DIR": str(registry)})
    assert console.wait() == 0 and console.shown.strip() == "/dev/pts/1"


def test_terminal_keys(console, cloche, start, registry):
    start("web")
    before = console.modes()
    console.start(exec_argv(cloche, "web", PYTHON, "-c", "import time\nprint(40+2, flush=True)\ntime.sleep(1000)"), env={"XDG_RUNTIME_DIR": str(registry)})
    console.expect("42")
    console.resize(33, 99)
    console.type("\x03")
    assert console.wait() == 130 and console.modes() == before


def test_terminal_job_control(console, cloche, start, registry):
    start("web")
    console.shell()
    console.run(f"export XDG_RUNTIME_DIR={registry}")
    console.type(f"{cloche} exec web {PYTHON} -c 'import time; print(40+2, flush=True); time.sleep(1); print(\"got\", input())'\n")
    console.expect("42")
    console.type("\x1a")
    console.expect("Stopped")
    console.expect("$ ")
    console.type("fg\n")
    console.expect("exec web")
    time.sleep(1.2)
    console.type("line\n")
    console.expect("got line")
    console.expect("$ ")
    console.type("exit\n")
    assert console.wait() == 0


@pytest.mark.parametrize("options, expected", [(["--no-pty"], "not a tty"), ([], "not a tty"), (["--pty"], "/dev/pts/")])
def test_terminal_by_option(start, manage, options, expected):
    start("web")
    assert expected in manage("exec", "web", *options, "tty").stdout


# ---- the socket --------------------------------------------------------------------------------------------------
def test_request_without_descriptors(start, registry, popen):
    start("web")
    peer = Peer(popen, registry, "web")
    assert peer.ask('{"command": "exec"}') == {"ok": False, "error": "descriptors are missing"}
    assert peer.ask('{"command": "wait"}') == {"ok": True}
