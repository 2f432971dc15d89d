# SPDX-License-Identifier: LGPL-2.1-or-later
"""Limits by cgroup version 2, at work. Runs in a VM with systemd, in a login session: `tests/vm/test-kernels cgroup`.

`place` is where the group is made: [scope]: the session asks its systemd; [below]: the caller is in one group below a
delegated one; [own]: the caller is alone in the delegated group itself. place(argv) is the argv that starts argv there, with @D@
replaced by the delegated group; place.options are what cloche needs for it; place.groups() are those of ours that exist.
"""
import json
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import time

import pytest

from conftest import wait_until

if not os.environ.get("CLOCHE_VM", "").startswith("cgroup"):
    pytest.exit("test_cgroup.py divides cgroups: it runs in a VM only (tests/vm/test-kernels cgroup)", 2)

ROOT = pathlib.Path("/sys/fs/cgroup")
PYTHON = "/usr/bin/python3"
MIB = 1 << 20
HOST = ["--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]
HOG = "x = bytearray(%d << 20)"
# Joins a group below D, or stays in D, and becomes the command.
ENTER = """
D=/sys/fs/cgroup$(cut -d: -f3- /proc/self/cgroup)
if [ "$1" = below ]; then mkdir "$D/caller" && echo $$ >"$D/caller/cgroup.procs" || exit 99; fi
shift
exec "${@//@D@/$D}"
"""


def our_groups():
    """Also scopes that systemd made for us."""
    return [pathlib.Path(path, name) for path, names, _ in os.walk(ROOT) for name in names if name.startswith("cloche-")]


# For what the kernel does alike wherever the group is: processes start slowly in a VM.
ONE_PLACE = pytest.mark.parametrize("place", ["scope"], indirect=True)


class Place:
    def __init__(self, kind, user):
        self.kind = kind
        self.manager = [] if user.is_root else ["--user"]
        self.options = {"scope": ["--cgroup", "systemd"], "below": ["--cgroup", "@D@"], "own": ["--cgroup", "@D@"]}[kind]

    def __call__(self, argv):
        if self.kind == "scope":
            return [str(word) for word in argv]
        return ["systemd-run", *self.manager, "--scope", "--quiet", "-p", "Delegate=yes", "--", "bash", "-c", ENTER, "bash",
                self.kind, *map(str, argv)]


@pytest.fixture(params=["scope", "below", "own"])
def place(request, user):
    return Place(request.param, user)


@pytest.fixture(autouse=True)
def session(user):
    """What a login session has, and nothing is left of a group after a test."""
    os.environ["XDG_RUNTIME_DIR"] = f"/run/user/{user.uid}"
    yield
    wait_until(lambda: our_groups() == [])


@pytest.fixture
def limited(run, cloche, place, user):
    """limited(options, command): (usage, result) of a sandbox in `place`"""
    def limited(options, command, program=cloche, **rest):
        reader, writer = os.pipe()
        with os.fdopen(reader) as file:
            try:
                argv = place([program, *HOST, *place.options, "--usage-fd", writer, *options, "--", *command])
                result = run(argv, pass_fds=[writer], env=session_env(user), **rest)
            finally:
                os.close(writer)
            text = file.read()
        wait_until(lambda: our_groups() == [])
        return json.loads(text), result

    return limited


def session_env(user):
    return {"XDG_RUNTIME_DIR": f"/run/user/{user.uid}"}


def started(popen, user, argv, **rest):
    """A running sandbox whose COMMAND has said so, and the group with its limits."""
    process = popen(argv, env=session_env(user), **rest)
    assert process.stdout.readline() == "ready\n", process.communicate()
    groups = [group for group in our_groups() if (group / "box").is_dir()]
    assert len(groups) == 1, groups
    return process, groups[0]


READY = ["sh", "-c", "echo ready; exec sleep 1000"]


# ---- limits ------------------------------------------------------------------------------------------------------
def test_memory_hog(limited, run):
    """It is killed, the message and the usage say so, and nobody else notices. Without the limit it has what it wants."""
    found, result = limited(["--memory", "50M", "--swap", "0"], [PYTHON, "-c", HOG % 200])
    assert result.returncode == 137, result
    assert "cloche: --memory 50M: warning: the memory limit was reached: the kernel killed 1 process(es)\n" in result.stderr
    assert found["oom-kills"] == 1 and 40 * MIB < found["memory-peak"] <= 50 * MIB, found
    control, result = limited(["--memory", "400M", "--swap", "0"], [PYTHON, "-c", HOG % 200])
    assert (result.returncode, result.stderr) == (0, "")
    assert control["oom-kills"] == 0 and control["memory-peak"] > 200 * MIB
    assert control["max-rss"] > 200 * MIB


def test_memory_hog_alone_is_killed(limited):
    """The rest of the sandbox goes on."""
    _, result = limited(["--memory", "60M", "--swap", "0"], ["sh", "-c", f"{PYTHON} -c '{HOG % 200}'; echo status $?"])
    assert (result.returncode, result.stdout) == (0, "status 137\n"), result


FORKS = "import os, time\nn = 0\ntry:\n  while n < 200:\n    if os.fork() == 0: time.sleep(1000)\n    n += 1\n" \
        "except OSError as e: print(e.errno)\nprint(n, flush=True)"


def test_pids_max(limited, run):
    found, result = limited(["--pids-max", "20"], [PYTHON, "-c", FORKS])
    assert result.stdout.split() == ["11", "18"], result  # EAGAIN; pid 1 and python count
    assert found["pids-peak"] in (20, None)
    _, control = limited(["--pids-max", "300"], [PYTHON, "-c", FORKS])
    assert control.stdout.split() == ["200"], control


@ONE_PLACE
def test_pids_max_fork_bomb(popen, cloche, place, user, run):
    """While it goes on, everybody else forks. Then it is killed with the rest."""
    bomb = "echo ready; :(){ :|:& }; :; sleep 1000"
    process, group = started(popen, user, place([cloche, *HOST, *place.options, "--pids-max", "30", "--", "bash", "-c", bomb]))
    wait_until(lambda: int(re.search(r"max (\d+)", (group / "pids.events").read_text())[1]) > 50)
    for _ in range(10):
        run(["true"], check=True)
    assert int((group / "pids.current").read_text()) <= 30
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)


BUSY = "import time\nend = time.monotonic() + 3\nwhile time.monotonic() < end: pass"


@ONE_PLACE
def test_cpus(limited):
    """A share of the time that went by, not seconds: 0.2 processors, and all of one without the limit."""
    found, _ = limited(["--cpus", "0.2"], [PYTHON, "-c", BUSY])
    assert (found["user"] + found["system"]) / found["wall"] < 0.3, found
    free, _ = limited(["--cpus", "4"], [PYTHON, "-c", BUSY])
    assert (free["user"] + free["system"]) / free["wall"] > 0.4, free


@ONE_PLACE
def test_io_max(limited):
    """8 MiB at 2 MiB a second: more than 3 seconds, whatever the machine."""
    write = ["dd", "if=/dev/zero", "of=/dev/ram0", "bs=256K", "count=32", "oflag=direct", "status=none"]
    options = ["--dev-bind", "/dev/ram0", "/dev/ram0"]
    found, result = limited([*options, "--io-max", "/dev/ram0:wbps=2M,riops=1000"], write)
    assert result.returncode == 0, result
    assert found["wall"] > 3 and found["io-write"] >= 8 * MIB, found
    free, _ = limited([*options, "--io-max", "1:0:wbps=1G"], write)
    assert free["wall"] < found["wall"], (free, found)


def test_each_file(popen, cloche, place, user):
    """What the options say is in the group's files."""
    options = ["--memory", "200M", "--memory-high", "100M", "--swap", "0", "--pids-max", "77", "--cpus", "1.5", "--cpu-weight", "33",
               "--io-max", "/dev/ram0:rbps=1M,wiops=9"]
    process, group = started(popen, user, place([cloche, *HOST, *place.options, *options, "--", *READY]))
    files = {"memory.max": 200 * MIB, "memory.high": 100 * MIB, "memory.swap.max": 0, "pids.max": 77, "cpu.max": "150000 100000",
             "cpu.weight": 33, "io.max": f"1:0 rbps={MIB} wbps=max riops=max wiops=9"}
    assert {name: (group / name).read_text().strip() for name in files} == {name: str(value) for name, value in files.items()}
    assert (group / "cgroup.procs").read_text() == ""
    assert len((group / "box/cgroup.procs").read_text().split()) == 2  # pid 1 and COMMAND: the supervisor is outside
    process.terminate()
    process.communicate(timeout=60)


@ONE_PLACE
def test_memory_high_slows_but_does_not_kill(limited):
    """It ends with what it wanted, slowly: there is no swap, so it stays above the mark."""
    found, result = limited(["--memory-high", "30M"], [PYTHON, "-c", HOG % 32])
    assert result.returncode == 0 and found["oom-kills"] == 0, (found, result)
    assert found["memory-peak"] > 30 * MIB


# ---- where COMMAND is --------------------------------------------------------------------------------------------
def test_command_is_inside_before_exec(run, bwrap, cloche, place, user):
    """The first that it can read says so; with a cgroup namespace its root is the group without limits' files."""
    show = ["--", "cat", "/proc/self/cgroup"]
    inside = run(place([bwrap, *HOST, *place.options, *show]), env=session_env(user), check=True).stdout
    assert re.fullmatch(r"0::/.*/cloche-\d+-1/box\n", inside), inside
    assert run(place([cloche, *HOST, *place.options, *show]), env=session_env(user), check=True).stdout == "0::/\n"


def test_default_is_auto(run, cloche, user):
    """From the session itself: by systemd. Where a group is marked as delegated: there."""
    argv = [cloche, *HOST, "--verbose", "--pids-max", "50", "true"]
    assert "systemd is asked for a scope" in run(argv, env=session_env(user), check=True).stderr
    script = "setfattr -n user.delegate -v 1 @D@ && exec \"$@\""
    marked = Place("own", user)(["bash", "-c", script, "bash", *argv])
    assert "in the delegated group we are in" in run(marked, env=session_env(user), check=True).stderr
    below = Place("below", user)(["bash", "-c", script, "bash", *argv])
    assert "in the delegated group we are in" in run(below, env=session_env(user), check=True).stderr


def test_cannot_raise_its_limits_R1_through_a_bound_cgroup_file_system(run, popen, bwrap, place, user):
    """The files belong to the user: only the mount's flag stands in the way, as the control shows."""
    script = ("echo ready; read go; G=/sys/fs/cgroup$(cut -d: -f3- /proc/self/cgroup); L=${G%/box};"
              "for f in $L/memory.max $L/pids.max; do (echo max >$f) 2>&1; done; (echo $$ >${L%/*}/cgroup.procs) 2>&1;"
              "(mkdir $L/x) 2>&1; cat $L/memory.max")
    argv = place([bwrap, "--dev-bind", "/", "/", *place.options, "--memory", "60M", "--pids-max", "40", "--", "bash", "-c", script])
    process, group = started(popen, user, argv, stdin=subprocess.PIPE)
    (group / "pids.max").write_text("max")  # the control
    assert (group / "pids.max").read_text() == "max\n"
    out, _ = process.communicate("go\n", timeout=60)
    assert out.count("Read-only file system") == 4 and out.endswith(f"{60 * MIB}\n"), out


def test_cannot_raise_its_limits_R1_with_a_cgroup_file_system_of_its_own(limited, user):
    """COMMAND may make namespaces and mount: it sees its own group, which has no limits to write, and stays below ours."""
    inner = ("mount -t cgroup2 none /mnt || exit 99; ls /mnt | grep -E '^(memory|pids).max'; ls -d /mnt/cloche-*;"
             f"mkdir /mnt/a && echo $$ >/mnt/a/cgroup.procs && echo moved; {PYTHON} -c '{HOG % 200}'; echo status $?")
    ids = ["--uid", "1000", "--gid", "1000"] if user.is_root else []  # the kernel lets no uid 0 without capabilities map itself
    found, result = limited([*ids, "--tmpfs", "/mnt", "--allow-userns", "--memory", "60M", "--swap", "0"],
                            ["unshare", "--user", "--map-root-user", "--mount", "--cgroup", "sh", "-c", inner])
    assert result.stdout == "moved\nstatus 137\n", result
    assert found["oom-kills"] >= 1


# ---- the end -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("options, command, status", [
    ([], ["true"], 0), ([], ["sh", "-c", "kill -9 $$"], 137), ([], ["/no/such"], 127), (["--bind", "/no/such", "/x"], ["true"], 125),
    (["--memory", "4G", "--io-max", "8:0:rbps=1M"], ["true"], 125)])
def test_group_is_removed(limited, options, command, status):
    found, result = limited(options, command)
    assert result.returncode == status == found["exit-code"], result


def test_group_is_removed_however_deep(run, cloche, user):
    """COMMAND makes groups below its own: no deeper than the removal goes."""
    inner = ("mount -t cgroup2 none /mnt || exit 99; cd /mnt; n=0;"
             "while [ $n -lt 50 ] && mkdir x 2>/dev/null && cd x; do n=$((n + 1)); done; echo $n")
    argv = Place("below", user)(["bash", "-c", "\"$@\"; ls -d $0/cloche-* 2>/dev/null | wc -l", "@D@", cloche, *HOST, "--cgroup", "@D@",
                                 "--pids-max", "50", "--tmpfs", "/mnt", "--allow-userns", "--", "unshare", "--user",
                                 "--map-root-user", "--mount", "--cgroup", "sh", "-c", inner])
    depth, left = map(int, run(argv, env=session_env(user), check=True).stdout.split())
    assert 10 <= depth < 50 and left == 0, (depth, left)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_group_is_removed_after_a_signal(popen, cloche, place, user, number):
    process, group = started(popen, user, place([cloche, *HOST, *place.options, "--memory", "60M", "--", *READY]))
    process.send_signal(number)
    process.communicate(timeout=60)
    wait_until(lambda: not group.exists())
    wait_until(lambda: our_groups() == [])


def test_group_of_bwrap_with_leftovers(run, bwrap, place, user):
    """With a group, what COMMAND left behind goes with it; as bwrap without one it goes on."""
    argv = place([bwrap, *HOST, *place.options, "--unshare-pid", "--", "sh", "-c", "sleep 1000 >/dev/null 2>&1 & exit 3"])
    assert run(argv, env=session_env(user)).returncode == 3


def test_kills_at_any_time_leave_no_group(popen, cloche, place, user):
    """The supervisor is killed at random, during and after the start."""
    for _ in range(12):
        process = popen(place([cloche, *HOST, *place.options, "--pids-max", "40", "--", "sleep", "1000"]), env=session_env(user))
        time.sleep(random.random())  # any instant will do
        process.kill()
        process.communicate(timeout=60)
    wait_until(lambda: our_groups() == [])


def test_kills_where_the_delegated_group_stays(run, cloche, user):
    """There nobody but the guard removes anything: it looks while no other start can sweep."""
    script = ("for i in 1 2 3 4 5 6 7 8 9 10; do \"$@\" sleep 1000 & sleep 0.$((RANDOM % 9)); kill -9 $!; wait $!;"
              "for j in $(seq 40); do ls -d @D@/cloche-* >/dev/null 2>&1 || break; sleep 0.1; done;"
              "ls -d @D@/cloche-* 2>/dev/null; done; \"$@\" sh -c 'echo good'; ls @D@/caller/cgroup.procs")
    argv = Place("below", user)(["bash", "-c", script, "bash", cloche, *HOST, "--cgroup", "@D@", "--pids-max", "50", "--"])
    result = run(argv, env=session_env(user), check=True)
    assert re.fullmatch(r"good\n/sys/fs/cgroup/.*/caller/cgroup.procs\n", result.stdout), result


def test_next_start_sweeps(run, popen, cloche, user):
    """Should the guard be killed, too."""
    below = Place("below", user)
    script = ("\"$@\" sh -c 'echo held; sleep 1000' & read x </dev/null; while [ ! -d @D@/cloche-*/box ]; do sleep 0.1; done;"
              "sleep 1; kill -9 $(pgrep -x cloche-guard -P $!); kill -9 $!; wait; ls -d @D@/cloche-*/box | wc -l;"
              "\"$@\" true; ls -d @D@/cloche-* 2>/dev/null | wc -l")
    argv = below(["bash", "-c", script, "bash", cloche, *HOST, "--cgroup", "@D@", "--pids-max", "50", "--"])
    assert run(argv, env=session_env(user), check=True).stdout.split() == ["held", "1", "0"]


def test_groups_of_others_are_not_swept(run, cloche, user):
    """Names that begin like ours, as those of scopes that systemd makes, with a process in each."""
    names = ("cloche-build.service", "cloche-123-65f0c0de.scope", "cloche-mine")
    script = (f"for n in {' '.join(names)}; do mkdir $0/$n; sleep 1000 & echo $! >$0/$n/cgroup.procs; done;"
              "\"$@\"; r=$?; ls -d $0/cloche-*; jobs -r | wc -l; kill $(jobs -p); wait; rmdir $0/cloche-*; exit $r")
    argv = Place("below", user)(["bash", "-c", script, "@D@", cloche, *HOST, "--cgroup", "@D@", "--pids-max", "50", "--", "true"])
    *groups, running = run(argv, env=session_env(user), check=True).stdout.split()
    assert sorted(pathlib.Path(group).name for group in groups) == sorted(names)
    assert running == "3"


def test_parallel_starts(popen, cloche, place, user):
    """None sweeps another's group away."""
    command = [cloche, *HOST, *place.options, "--pids-max", "40", "--", "sh", "-c", "sleep 0.5; exit 5"]
    if place.kind == "below":  # all in one delegated group; else each has one of its own
        loop = "for i in 1 2 3 4 5; do \"$@\" & p+=($!); done; for i in \"${p[@]}\"; do wait $i; s+=:$?; done; [ $s = :5:5:5:5:5 ] && exit 5"
        argv = place(["bash", "-c", loop, "bash", *command])
    else:
        argv = place(command)
    processes = [popen(argv, env=session_env(user)) for _ in range(1 if place.kind == "below" else 5)]
    for process in processes:
        out = process.communicate(timeout=60)
        assert process.returncode == 5, out


# ---- what is refused ---------------------------------------------------------------------------------------------
def refused(result, *texts):
    assert (result.returncode, result.stdout) == (125, ""), result
    for text in texts:
        assert text in result.stderr, result


def test_controller_that_is_not_delegated(run, cloche, user):
    """To a group below one that passes nothing on."""
    script = "mkdir @D@/empty && exec \"$@\""
    argv = Place("below", user)(["bash", "-c", script, "bash", cloche, *HOST, "--cgroup", "@D@/empty", "--memory", "9M", "echo", "ran"])
    refused(run(argv, env=session_env(user)), "--memory 9M: the controller memory is not delegated to /sys/fs/cgroup/", "hint: ",
            "systemctl edit user@.service")


def test_group_with_processes(run, cloche, user):
    script = "sleep 1000 & p=$!; \"$@\"; r=$?; kill $p; exit $r"
    argv = Place("own", user)(["bash", "-c", script, "bash", cloche, *HOST, "--cgroup", "@D@", "--memory", "9M", "echo", "ran"])
    refused(run(argv, env=session_env(user)), "processes are in the cgroup /sys/fs/cgroup/")


@pytest.mark.only_user
def test_group_that_cannot_be_reached(run, cloche, user, popen):
    """From the session, whose common ancestor with the user's groups is root's."""
    path = f"/sys/fs/cgroup/user.slice/user-{user.uid}.slice/user@{user.uid}.service/app.slice"
    refused(run([cloche, *HOST, "--cgroup", path, "--memory", "9M", "echo", "ran"], env=session_env(user)),
            "cannot start a process in the cgroup", "Permission denied", "--cgroup systemd")


@pytest.mark.only_user
def test_no_session(run, cloche):
    refused(run([cloche, *HOST, "--memory", "9M", "echo", "ran"], env={"XDG_RUNTIME_DIR": "/nowhere"}),
            "systemd made no scope: D-Bus: ", "hint: a login session")


# Run alone, by cgroup-session, after root has taken the controller io from the users' managers.
@pytest.mark.only_user
def test_undelegated_controller_of_the_session(run, cloche, user):
    refused(run([cloche, *HOST, "--io-max", "/dev/ram0:wbps=1M", "echo", "ran"], env=session_env(user)),
            "--io-max /dev/ram0:wbps=1M: the controller io is not delegated to /sys/fs/cgroup/user.slice/", "systemctl edit user@.service")
    run([cloche, *HOST, "--memory", "90M", "true"], env=session_env(user), check=True)


# ---- while it runs -----------------------------------------------------------------------------------------------
def named(popen, cloche, place, user, *options, command=READY):
    argv = place([cloche, *HOST, *place.options, "--name", "web", *options, "--", *command])
    return started(popen, user, argv)


def controlled(text):
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(f"{os.environ['XDG_RUNTIME_DIR']}/cloche/web.socket")
    lines = peer.makefile("r")
    assert json.loads(lines.readline()) == {"cloche-control": 1}
    peer.sendall(text.encode() + b"\n")
    answer = json.loads(lines.readline())
    lines.close()
    peer.close()
    return answer


@ONE_PLACE
def test_exec_is_in_the_group(popen, run, cloche, place, user):
    """Another COMMAND has the same group and the same limits."""
    process, group = named(popen, cloche, place, user, "--memory", "60M", "--swap", "0")
    inside = run([cloche, "exec", "web", "cat", "/proc/self/cgroup"], env=session_env(user), check=True).stdout
    assert inside == "0::/\n"
    other = popen([cloche, "exec", "web", *READY], env=session_env(user))
    assert other.stdout.readline() == "ready\n" and len((group / "box/cgroup.procs").read_text().split()) == 4
    hog = run([cloche, "exec", "web", PYTHON, "-c", HOG % 200], env=session_env(user))
    assert hog.returncode == 137 and process.poll() is None
    process.terminate()
    assert process.wait(60) == 143 and other.wait(60) == 137


@ONE_PLACE
def test_limits_are_changed(popen, cloche, place, user):
    process, group = named(popen, cloche, place, user, "--memory", "60M")
    assert (group / "memory.max").read_text() == f"{60 * MIB}\n"
    assert controlled('{"command": "limits", "options": ["--memory", "80M", "--pids-max", "77"]}') == {"ok": True}
    assert (group / "memory.max").read_text() == f"{80 * MIB}\n" and (group / "pids.max").read_text() == "77\n"
    answer = controlled('{"command": "limits", "options": ["--memory", "x"]}')
    assert answer["ok"] is False and "--memory x" in answer["error"] and (group / "memory.max").read_text() == f"{80 * MIB}\n"
    process.terminate()
    process.wait(60)


@ONE_PLACE
def test_freeze_and_thaw(popen, cloche, place, user):
    count = ["sh", "-c", "echo ready; while :; do echo x; sleep 0.05; done"]
    process, group = named(popen, cloche, place, user, "--pids-max", "100", command=count)
    assert controlled('{"command": "freeze"}') == {"ok": True}
    wait_until(lambda: "frozen 1" in (group / "cgroup.events").read_text())
    cpu = (group / "cpu.stat").read_text().splitlines()[0]
    time.sleep(0.5)
    assert (group / "cpu.stat").read_text().splitlines()[0] == cpu
    assert controlled('{"command": "thaw"}') == {"ok": True}
    wait_until(lambda: (group / "cpu.stat").read_text().splitlines()[0] != cpu)
    process.terminate()
    process.wait(60)


@ONE_PLACE
def test_what_is_frozen_can_be_killed(popen, run, cloche, place, user):
    process, _ = named(popen, cloche, place, user, "--pids-max", "100")
    assert controlled('{"command": "freeze"}') == {"ok": True}
    run([cloche, "kill", "-s", "KILL", "web"], env=session_env(user), check=True)
    assert process.wait(60) == 137
