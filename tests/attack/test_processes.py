# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attacks by processes and on processes: what COMMAND sees and reaches outside its sandbox, whether it can turn on the
sandbox's own processes, lie about its status, or outlive its end. Numbers as in SECURITY.md.
"""
import json
import os
import re
import signal
import subprocess
import time

import pytest

from attacking import Results, box, control, program, pytest_generate_tests
from conftest import wait_until

__all__ = ["box", "program", "pytest_generate_tests"]

DENIED = {"EPERM", "EACCES"}


@pytest.fixture
def victim(popen, program):
    """A process of the host, of the same user, which anybody may trace who sees it."""
    process = popen([program("processes"), "ready", "pause", "VICTIM-OF-THE-HOST"])
    assert process.stdout.readline() == "ready ok\n"
    yield process
    assert process.poll() is None, "the victim is dead"


# ---- P1, P3, P4: other processes -----------------------------------------------------------------------------------
@pytest.mark.personalities("cloche")
def test_P1_processes_of_the_host(box, program, run, bwrap, victim):
    attack = ["list", "VICTIM-OF-THE-HOST", "signal0", str(victim.pid)]
    results = box.attack(program("processes"), *attack)
    assert results == {"seen": "2", "matching": "0", "kill": "ESRCH"}
    free = control(run, program("processes"), *attack)
    assert int(free["seen"]) > 2 and free["matching"] == "1" and free["kill"] == "ok"
    # Under the name bwrap the pid namespace is an option.
    result = run([bwrap, "--ro-bind", program("processes"), "/attack", "--proc", "/proc", "--", "/attack", *attack])
    assert Results(result.stdout)["kill"] == "ok", result


@pytest.mark.personalities("cloche")
def test_P1_kill_everything(box, program, victim):
    results = box.attack(program("processes"), "kill-all")
    assert results == {"kill-all": "ok", "own-child": "killed"}  # the control is the child
    assert victim.poll() is None


@pytest.mark.personalities("cloche")
def test_P3_trace_a_process_of_the_host(box, program, run, victim):
    by_policy = box.attack(program("processes"), "takeover", str(victim.pid))
    assert set(by_policy.values()) == {"EPERM", "ESRCH", "ENOENT"}
    results = box.attack(program("processes"), "takeover", str(victim.pid), options=["--seccomp-policy", "none"])
    attempts = {name.split(":")[1]: value for name, value in results.items()}
    by_file = {name: attempts.pop(name) for name in list(attempts) if name in FILES}
    assert set(attempts.values()) == {"ESRCH"} and len(attempts) >= 7, attempts
    assert set(by_file.values()) == {"ENOENT"} and len(by_file) == len(FILES), by_file
    free = control(run, program("processes"), "child")
    assert {name for name, value in free.but("child").items() if value != "ok"} <= {f"{free['child']}:stack"}, free


FILES = ("environ", "auxv", "maps", "mem", "exe", "root", "cwd", "ns/mnt", "ns/user", "fdinfo", "pagemap",
         "stack", "syscall", "personality")


@pytest.mark.vm
def test_P4_take_over_pid_1(box, program):
    """The control is a process of COMMAND's own in the same sandbox: there all of it works, without a policy."""
    by_policy = box.attack(program("processes"), "ancestors", "0")
    assert {value for name, value in by_policy.items() if name.startswith("1:")} <= DENIED, by_policy
    results = box.attack(program("processes"), "ancestors", "0", "child", userns=True,
                         options=["--seccomp-policy", "none"])
    child = results["child"]
    attempts = {name: value for name, value in results.items() if name.startswith("1:")}
    assert len(attempts) >= 23
    assert set(attempts.values()) <= DENIED, attempts
    # Control: a process of COMMAND's own, in the same sandbox; the stack is for CAP_SYS_ADMIN alone.
    own = {name: value for name, value in results.items() if name.startswith(f"{child}:")}
    assert {name for name, value in own.items() if value != "ok"} <= {f"{child}:stack"} and len(own) >= 23, own


def test_P4_take_over_pid_1_from_a_nested_user_namespace(box, program):
    results = box.attack(program("processes"), "nested", "ancestors", "0", userns=True)
    attempts = {name: value for name, value in results.items() if name.startswith("1:")}
    assert results["nested"] == "ok" and set(attempts.values()) <= DENIED and len(attempts) >= 23, attempts


def test_P4_take_over_the_ancestors(box, program):
    """In the host's pid namespace; the climb ends at this process."""
    results = box.attack(program("processes"), "ancestors", str(os.getpid()), pid=False)
    assert int(results["tried"]) >= 1
    attempts = results.but("tried")
    assert len(attempts) >= 23 and set(attempts.values()) <= DENIED, attempts


@pytest.mark.personalities("cloche")
def test_P4_take_over_pid_1_with_all_capabilities(box, program, bwrap, run):
    results = box.attack(program("processes"), "ancestors", "0", options=["--cap-add", "ALL"])
    attempts = {name: value for name, value in results.items() if name.startswith("1:")}
    assert len(attempts) >= 23 and set(attempts.values()) <= DENIED, attempts


# ---- P5, P6: status and pid 1 --------------------------------------------------------------------------------------
def read_all(fd):
    with os.fdopen(fd) as file:
        return file.read()


@pytest.mark.parametrize("pid", (True, False), ids=("own-pids", "host-pids"))
@pytest.mark.parametrize("ending", (("exit", "7", 7), ("die", "9", 137)), ids=("exit", "signal"))
def test_P5_forge_the_exit_status(box, program, run, pid, ending, tmp_path):
    verb, number, expected = ending
    status, info, sync = os.pipe(), os.pipe(), os.pipe()
    (tmp_path / "lock").write_text("")
    options = ["--json-status-fd", str(status[1]), "--info-fd", str(info[1]), "--sync-fd", str(sync[1]),
               "--bind", tmp_path, "/rw", "--lock-file", "/rw/lock"]
    result = box.start(program("processes"), "forge", "0" if pid else str(os.getpid()), "sibling-exit", verb, number, pid=pid, options=options,
                       pass_fds=[status[1], info[1], sync[1]])
    for fd in (status[1], info[1], sync[1]):
        os.close(fd)
    assert result.returncode == expected, result
    lines = [json.loads(line) for line in read_all(status[0]).splitlines()]
    assert [line["exit-code"] for line in lines if "exit-code" in line] == [expected], lines
    assert "child-pid" in json.loads(read_all(info[0]))
    assert read_all(sync[0]) == ""
    # The descriptors that /proc shows of other processes were closed to it, and its own were none but 0 to 2.
    if box.own_user_namespace:
        assert Results(result.stdout)["written"] == "0", result


def test_P5_control_descriptors_can_be_written(box, program):
    read, write = os.pipe()
    options = ["--keep-fd", str(write)] if box.is_cloche else []
    results = box.attack(program("processes"), "forge", "0", options=options, pass_fds=[write])
    os.close(write)
    assert int(results["written"]) == 3 and "exit-code" in read_all(read)


@pytest.mark.vm
def test_P6_signals_to_pid_1(box, program, run):
    # A sanitizer's handlers would make pid 1 listen to these signals.
    env = {"ASAN_OPTIONS": "detect_leaks=0:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:handle_abort=0"}
    results = box.attack(program("processes"), "signal-init", "wait-child", "orphans", "20", "1000", env=env)
    # Where Landlock keeps COMMAND from signals to pid 1, it need not even be ignored.
    assert results["signal"] in ("ok", *["EPERM"] * box.is_cloche) and results["state"] in "SR", results
    assert results["child-status"] == "5" and results["zombies"] == "0", results
    result = box.start(program("processes"), "signal-init", "exit", "6", env=env)
    assert result.returncode == 6, result
    assert control(run, program("processes"), "signal-child")["state"] == "Z"


# ---- P7 to P10, P19: nothing survives ------------------------------------------------------------------------------
def left_process(output):
    return [int(pid) for pid in re.findall(r"^(?:daemon|left) (\d+)$", output, re.M)]


@pytest.mark.personalities("cloche")
def test_P7_daemon(box, program, run, bwrap):
    """`run` returns when standard output is closed, and the daemon keeps it open as long as it lives. The
    controls are no sandbox, and bubblewrap's manner."""
    result = box.start(program("processes"), "daemon", "exit", "3")
    assert result.returncode == 3 and "daemon" in result.stdout, result
    for argv in ([program("processes")], [bwrap, "--ro-bind", program("processes"), "/attack", "--", "/attack"]):
        with subprocess.Popen([*argv, "daemon", "exit", "3"], stdout=subprocess.PIPE, text=True, cwd="/") as process:
            pid = int(process.stdout.readline().split()[1])
            assert process.wait() == 3
            os.kill(pid, 0)  # the control: it lives
            os.kill(pid, signal.SIGKILL)


DIES_TOGETHER = {"cloche": [], "bwrap": ["--unshare-pid", "--die-with-parent"]}


@pytest.mark.parametrize("trick", ("clone-parent", "clone-untraced", "subreaper", "daemon"))
def test_P19_tricks_with_the_process_tree(box, program, trick):
    options = [] if box.is_cloche else ["--die-with-parent"]
    result = box.start(program("processes"), trick, "exit", "4", options=options)
    assert result.returncode == 4 and left_process(result.stdout), result


@pytest.mark.parametrize("trick", ("clone-parent", "clone-untraced", "subreaper", "daemon"))
def test_P19_control_outside_the_process_survives(program, trick):
    with subprocess.Popen([program("processes"), trick, "exit", "4"], stdout=subprocess.PIPE, text=True) as process:
        process.wait()
        pid, = left_process(process.stdout.readline() + (process.stdout.readline() if trick == "subreaper" else ""))
        os.kill(pid, 0)
        os.kill(pid, signal.SIGKILL)


class Killed(Results):
    """The sums of what all processes of killer.c count."""

    def __getitem__(self, name):
        return sum(int(value) for value in self.all(name))


def killer(run, program, who, jobs, count, argv, timeout=900):
    def mounts():
        with open("/proc/self/mountinfo") as file:
            return [line for line in file if "cloche-tests." in line]

    before = mounts()
    result = run([program("killer"), who, str(jobs), str(count), str(os.getpid() % 1000), "--", *argv], timeout=timeout)
    assert result.returncode == 0, result
    killed = Killed(result.stdout)
    assert killed["survivors"] == 0, f"{result.stdout}\n{result.stderr}"
    assert killed["wrong"] == 0, result.stderr
    assert mounts() == before
    return killed


def kill_supervisor(personality, program, run, user, tmp_path, count):
    """Kill the supervisor at random points of the start and after it."""
    for name in ("bound", "lower"):
        (tmp_path / name).mkdir()
    argv = [personality, *DIES_TOGETHER[personality.name],
            *(["--bare"] if personality.name == "cloche" else ["--unshare-user", "--unshare-ipc", "--unshare-net"]),
            "--ro-bind", program("processes"), "/attack", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp",
            "--bind", tmp_path / "bound", "/rw", "--overlay-src", tmp_path / "lower", "--tmp-overlay", "/o",
            "--", "/attack", "daemon", "ready", "pause"]
    killed = killer(run, program, "supervisor", 2, count, argv)
    assert killed["kills"] == count
    # The kills hit the set-up as well as what runs after it.
    assert 0 < killed["running"] < count, killed.text
    assert list((tmp_path / "bound").iterdir()) == [] and list((tmp_path / "lower").iterdir()) == []


def test_P8_100_kills_of_the_supervisor(personality, program, run, user, tmp_path):
    kill_supervisor(personality, program, run, user, tmp_path, 100)


@pytest.mark.slow
def test_P8_1000_kills_of_the_supervisor(personality, program, run, user, tmp_path):
    kill_supervisor(personality, program, run, user, tmp_path, 1000)


def test_P8_kills_of_the_supervisor_before_a_short_command(bwrap, program, run, user):
    """Without --die-with-parent a bwrap that is killed may leave COMMAND, but never a process that waits for it."""
    argv = [bwrap, *(["--unshare-user"] if user.is_root else []), "--unshare-pid", "--ro-bind", program("processes"),
            "/attack", "--proc", "/proc", "--dev", "/dev", "--", "/attack", "ready"]
    killed = killer(run, program, "supervisor", 2, 200, argv)
    assert killed["kills"] > 0


def test_P8_control_the_killer_sees_survivors(bwrap, program, user, popen):
    """The same with a workload that bwrap is asked to leave alone: bubblewrap's manner, so it survives."""
    process = popen([bwrap, *(["--unshare-user"] if user.is_root else []), "--ro-bind", program("processes"), "/attack",
                     "--", "/attack", "daemon", "ready"])
    pid = int(process.stdout.readline().split()[1])
    process.kill()
    process.wait()
    os.kill(pid, 0)
    os.kill(pid, signal.SIGKILL)


def die_with_parent(popen, program, argv, tmp_path):
    """A thread starts the sandbox and ends. Returns whether the workload lived on, then ends the launching process."""
    launcher = popen([program("launch"), "thread", "--", *argv, "ready", "await", "/rw/go", "create", "/rw/alive",
                      "pause"], stdin=subprocess.PIPE)
    assert launcher.stdout.readline() == "ready ok\n"
    launcher.stdin.write("x")
    launcher.stdin.flush()
    assert launcher.stderr.readline() == "thread ended\n"
    time.sleep(0.2)  # for a signal that must not come
    (tmp_path / "go").write_text("")
    return launcher


def test_P9_thread_that_started_the_sandbox_ends(box, program, popen, tmp_path):
    argv = box.argv([*box.options(program("processes")), "--die-with-parent", "--bind", tmp_path, "/rw"], ["/attack"])
    launcher = die_with_parent(popen, program, argv, tmp_path)
    wait_until((tmp_path / "alive").exists)
    launcher.kill()
    assert launcher.stdout.read().splitlines() == ["create ok"]  # ends when the last process has closed it


def test_P9_control_the_signal_comes_from_the_thread(program, popen, tmp_path):
    """The parent-death signal alone is sent when the thread ends."""
    argv = [program("launch"), "pdeathsig", "--", program("processes")]
    launcher = die_with_parent(popen, program, argv, tmp_path)
    assert launcher.stdout.read() == ""  # the workload is dead, though the launcher lives
    assert launcher.poll() is None
    assert not (tmp_path / "alive").exists()


FAILURES = ("info-full", "status-full", "info-pipe", "status-pipe", "info-read-only", "status-closed", "no-source",
            "no-command", "seccomp")


@pytest.mark.parametrize("failure", FAILURES)
def test_P10_set_up_fails_after_the_clone(box, program, failure):
    """No process may wait for a supervisor that has failed: `run` returns when none holds standard output."""
    read, write = os.pipe()
    full, null = os.open("/dev/full", os.O_WRONLY), os.open("/dev/null", os.O_RDONLY)
    if failure.endswith("pipe"):
        os.close(read)
    fd = {"full": full, "pipe": write, "read-only": null}.get(failure.split("-", 1)[1] if "-" in failure else "", write)
    options = {"info": ["--info-fd", str(fd)], "status": ["--json-status-fd", str(fd)],
               "no": ["--ro-bind", "/no/such/source", "/x"], "seccomp": ["--seccomp", str(null)]}[failure.split("-")[0]]
    if failure == "status-closed":
        options = ["--json-status-fd", "999"]
    argv = box.argv([*box.options(program("processes")), *options], ["/attack", "daemon"])
    if failure == "no-command":
        argv = box.argv(box.options(program("processes")), ["/no/such/command"])
    result = box.run_program(argv, pass_fds=[write, full, null])
    for descriptor in {write, full, null} | (set() if failure.endswith("pipe") else {read}):
        os.close(descriptor)
    if failure == "seccomp":  # an empty program is accepted as none by bubblewrap
        assert result.returncode in (0, box.setup_failed), result
    elif failure == "no-command":
        assert result.returncode == (127 if box.is_cloche else 1) and result.stderr, result
    elif failure.endswith("pipe") and not box.is_cloche:  # bubblewrap dies of the signal; nothing is left all the same
        assert result.returncode in (1, -signal.SIGPIPE) and result.stdout == "", result
    else:
        assert result.returncode == box.setup_failed and result.stdout == "" and result.stderr, result


@pytest.mark.personalities("cloche")
def test_P10_reader_of_the_status_goes_away(box, program, popen, tmp_path):
    read, write = os.pipe()
    argv = box.argv([*box.options(program("processes")), "--json-status-fd", str(write), "--bind", tmp_path, "/rw"],
                    ["/attack", "ready", "await", "/rw/go", "exit", "7"])
    process = popen(argv, pass_fds=[write])
    os.close(write)
    assert process.stdout.readline() == "ready ok\n"
    os.close(read)
    (tmp_path / "go").write_text("")
    assert process.wait(60) == 7


def test_P10_control_good_descriptors(box, program):
    write = os.open("/dev/null", os.O_WRONLY)
    assert box.start(program("processes"), "ready", options=["--info-fd", str(write), "--json-status-fd", str(write)],
                     pass_fds=[write]).returncode in (0, box.setup_failed)
    assert box.start(program("processes"), "ready", options=["--info-fd", str(write)], pass_fds=[write]).returncode == 0
    os.close(write)


@pytest.mark.only_root
def test_P10_id_map_denied(personality, program, run):
    """Root without CAP_SETFCAP may not map uid 0: the child fails after the clone."""
    argv = [personality, *(["--bare"] if personality.name == "cloche" else ["--unshare-user"]), "--ro-bind",
            program("processes"), "/attack", "--", "/attack", "daemon"]
    result = run(["setpriv", "--bounding-set=-setfcap", "--inh-caps=-setfcap", *argv])
    assert result.returncode == (125 if personality.name == "cloche" else 1) and result.stdout == "", result
    assert re.search("uid.map", result.stderr) and os.strerror(1) in result.stderr, result


# ---- P11, P16, P17 -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("count", (500, pytest.param(5000, marks=pytest.mark.slow)))
def test_P11_orphans(box, program, count):
    results = box.attack(program("processes"), "orphans", str(count), "3000")
    assert results["zombies"] == "0", results
    assert int(results["before"]) > 0 and int(results["after"]) - int(results["before"]) <= 64, results  # KiB


def test_P11_control_pid_1_that_does_not_reap(box, program):
    results = box.attack(program("processes"), "orphans", "50", "1", options=["--as-pid-1"])
    assert int(results["zombies"]) >= 50, results


STRANGE = {
    "sigchld-ignored": ["sigchld-ignored"],
    "signals-ignored": ["signals-ignored"],
    "signals-blocked": ["signals-blocked"],
    "all": ["signals-ignored", "signals-blocked"],
}


@pytest.mark.parametrize("strange", STRANGE)
def test_P16_signals_as_inherited(box, program, run, strange):
    argv = box.argv(box.options(program("processes")), ["/attack", "signals", "wait-child", "exit", "7"])
    result = run([program("launch"), *STRANGE[strange], "--", *map(str, argv)])
    assert result.returncode == 7, result
    results = Results(result.stdout)
    chld, kill = 1 << (signal.SIGCHLD - 1), 1 << (signal.SIGTERM - 1)
    assert int(results["SigIgn"], 16) & chld == 0 and int(results["SigBlk"], 16) & chld == 0, results
    assert results["child-status"] == "5"
    died = run([program("launch"), *STRANGE[strange], "--", *map(str, box.argv(box.options(program("processes")),
                                                                            ["/attack", "die", "9"]))])
    assert died.returncode == 137, died
    free = Results(run([program("launch"), *STRANGE[strange], "--", program("processes"), "signals"]).stdout)
    assert int(free["SigIgn"], 16) & chld or int(free["SigBlk"], 16) & kill, free


@pytest.mark.parametrize("closed", ((0,), (1,), (2,), (0, 1), (0, 1, 2)), ids=str)
def test_P16_standard_descriptors_closed(box, program, run, closed, tmp_path):
    """No descriptor of the sandbox's own may take the free numbers, where COMMAND would use it as its own."""
    verbs = ["report-to", "/rw/report", "standard", "exit", "7"]
    argv = box.argv([*box.options(program("processes")), "--bind", tmp_path, "/rw"], ["/attack", *verbs])
    launch = [program("launch"), *[word for fd in closed for word in ("close", str(fd))], "--"]
    result = run([*launch, *map(str, argv)])
    assert result.returncode == 7, result
    results = Results((tmp_path / "report").read_text())
    for fd in range(3):
        standard = results[f"standard{fd}"]
        if fd in closed:
            assert standard in ("closed", "/dev/null"), results
        else:
            assert standard == "/dev/null" or standard.startswith("pipe:") or fd == 0 and standard == "closed", results
    # Control: without a sandbox they are closed, which the report shows.
    verbs[1] = tmp_path / "free"
    assert run([*launch, program("processes"), *verbs]).returncode == 7
    free = Results((tmp_path / "free").read_text())
    assert [fd for fd in range(3) if free[f"standard{fd}"] == "closed"] == list(closed), free


def test_P17_no_arguments_at_all(personality, program, run):
    """Linux since 5.18 makes one empty argument of none; before that argc is 0 (CVE-2021-4034). The nearest
    valid input is an empty environment alone."""
    for verb in ("no-arguments", "empty-name"):
        result = run([program("launch"), verb, "--", personality])
        assert result.returncode in (1, 125) and result.stdout == "" and result.stderr, result
    # Nearest valid input: an empty environment alone is fine.
    argv = [personality, "--ro-bind", "/usr", "/usr", "--ro-bind", program("processes"), "/attack", "--", "/attack",
            "ready"]
    result = run([program("launch"), "empty-environment", "--", *argv])
    assert result.returncode == 0 and result.stdout == "ready ok\n", result
