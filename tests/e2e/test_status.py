# SPDX-License-Identifier: LGPL-2.1-or-later
"""Exit status, JSON, signals, what is left over, and who ends with whom."""
import contextlib
import json
import os
import re
import signal
import subprocess

import pytest

from conftest import pid_namespace, pids_in_pid_namespace, wait_until
from e2elib import (HOST, NAMESPACES, assert_fails, memfd, own_namespaces, pipe, setup_status,  # noqa: F401
                    status_of)

OWN_PIDS = [*HOST, "--unshare-pid"]


# ---- exit status -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("status", [0, 1, 2, 125, 126, 127, 128, 255])
@pytest.mark.parametrize("options", [HOST, OWN_PIDS], ids=["shared", "own"])
def test_status_of_command(personality, run, options, status):
    assert run([personality, *options, "sh", "-c", f"exit {status}"]).returncode == status


@pytest.mark.parametrize("name", ["HUP", "INT", "KILL", "SEGV", "TERM", "PIPE", "USR1", "ABRT"])
@pytest.mark.parametrize("options", [HOST, OWN_PIDS], ids=["shared", "own"])
def test_status_of_a_signal(personality, run, options, name):
    result = run([personality, *options, "sh", "-c", f"ulimit -c 0; kill -{name} $$"])
    assert result.returncode == 128 + getattr(signal, f"SIG{name}"), result


@pytest.mark.parametrize("command, native", [(["nosuch"], 127), (["./nosuch"], 127), (["/etc/nosuch/x"], 127),
                                             (["/etc"], 126),
                                             (["/etc/passwd"], 126), (["/etc/passwd/x"], 126), ([""], 127)])
def test_status_of_a_missing_command(cloche, bwrap, run, command, native):
    result = run([cloche, *HOST, "--", *command])
    assert result.returncode == native and result.stderr.startswith("cloche: cannot run"), result
    result = run([bwrap, *HOST, "--", *command])
    assert result.returncode == 1 and result.stderr.startswith("bwrap: execvp "), result


def test_status_of_a_script_without_interpreter(cloche, run, tmp_path):
    (tmp_path / "script").write_text("#!/nosuch/interpreter\n")
    (tmp_path / "script").chmod(0o755)
    result = run([cloche, *HOST, tmp_path / "script"])
    assert result.returncode == 127 and "interpreter" in result.stderr, result


def test_status_of_a_script_without_a_first_line(personality, run, tmp_path):
    """As execvp(3): the shell runs it."""
    (tmp_path / "script").write_text("exit 5\n")
    (tmp_path / "script").chmod(0o755)
    assert run([personality, *HOST, tmp_path / "script"]).returncode == 5


@pytest.mark.parametrize("words", [["--nosuch"], ["--bind"], ["--bind", "/nosuch", "/x", "true"],
                                   ["--uid", "x", "true"],
                                   ["--chdir", "/nosuch", "true"], ["--args", "99", "true"],
                                   ["--seccomp", "99", "true"]])
def test_status_of_a_failed_start(personality, run, words):
    assert run([personality, *HOST, *words]).returncode == setup_status(personality)


def test_status_without_command(cloche, bwrap, run):
    for words in ([], ["--"], HOST):
        result = run([cloche, *words])
        assert result.returncode == 125 and "no COMMAND given" in result.stderr, result
        result = run([bwrap, *words])
        assert result.returncode == 1 and result.stderr.startswith(f"usage: {bwrap} [OPTIONS...]"), result
        assert result.stdout == ""


def test_status_is_of_command_only(personality, run):
    """Children of COMMAND that end before or after do not count."""
    assert run([personality, *OWN_PIDS, "sh", "-c", "(exit 9) & wait; exit 4"]).returncode == 4
    assert run([personality, *OWN_PIDS, "sh", "-c", "(sleep 0.05; exit 9) & exit 4"]).returncode == 4


# ---- --info-fd, --json-status-fd ---------------------------------------------------------------------------------
def read_to_end(fd):
    text = b""
    while piece := os.read(fd, 65536):
        text += piece
    return text.decode()


@pytest.fixture
def report(run, pipe):
    """report(option, argv): (result, what came from the option's descriptor)."""
    def report(argv, option):
        read, write = pipe()
        result = run([*argv[:1], option, str(write), *argv[1:]], pass_fds=[write])
        os.close(write)
        return result, read_to_end(read)

    return report


def members(personality, pid):
    """The members of the object; the user namespace is not among bubblewrap's."""
    names = [name for name in NAMESPACES if name != "user" or personality.name == "cloche"]
    found = own_namespaces(pid)
    numbers = [f'"{name}-namespace": {re.search(r"[0-9]+", found[name])[0]}' for name in names]
    return [f'"child-pid": {pid}', *numbers]


def info(personality, pid):
    return "{\n    " + ",\n    ".join(members(personality, pid)) + "\n}\n"


def status(personality, pid):
    return "{ " + ", ".join(members(personality, pid)) + " }\n"


@pytest.mark.vm
def test_info_fd_bytes(personality, popen, pipe):
    read, write = pipe()
    process = popen([personality, *HOST, "--unshare-all", "--info-fd", str(write), "sh", "-c",
                     "echo started; readlink /proc/self/ns/mnt; read x"], pass_fds=[write], stdin=-1)
    assert process.stdout.readline() == "started\n"
    os.close(write)
    text = os.read(read, 4096).decode()
    child = json.loads(text)["child-pid"]
    assert text == info(personality, child)
    assert status_of(open(f"/proc/{child}/status").read())["NSpid"].split()[-1] == "1"
    if personality.name == "cloche":  # as bwrap real root's COMMAND keeps capabilities, in a mount namespace further in
        assert process.stdout.readline() == own_namespaces(child)["mnt"] + "\n"
    process.communicate("go\n", timeout=60)


def test_json_status_fd_bytes(personality, popen, pipe):
    read, write = pipe()
    process = popen([personality, *HOST, "--unshare-all", "--json-status-fd", str(write), "sh", "-c",
                     "echo started; read x; exit 7"], pass_fds=[write], stdin=-1)
    assert process.stdout.readline() == "started\n"
    os.close(write)
    text = os.read(read, 4096).decode()
    child = json.loads(text)["child-pid"]
    assert text == status(personality, child)
    process.communicate("go\n", timeout=60)
    assert read_to_end(read) == '{ "exit-code": 7 }\n'


def test_info_fd_names_only_what_is_new(bwrap, report):
    _, text = report([bwrap, *HOST, "true"], "--info-fd")
    assert re.fullmatch(r'\{\n    "child-pid": \d+,\n    "mnt-namespace": \d+\n\}\n', text)
    _, text = report([bwrap, *HOST, "--unshare-net", "true"], "--json-status-fd")
    assert re.fullmatch(r'\{ "child-pid": \d+, "mnt-namespace": \d+, "net-namespace": \d+ \}\n\{ "exit-code": 0 \}\n',
                        text)


@pytest.mark.vm
def test_info_fd_names_the_time_namespace(personality, popen, pipe):
    """The child makes it by itself, and the report waits for that."""
    read, write = pipe()
    process = popen([personality, *HOST, "--unshare-time", "--time-offset", "boottime:1", "--info-fd", str(write), "sh",
                     "-c", "readlink /proc/self/ns/time; read x"], pass_fds=[write], stdin=-1)
    os.close(write)
    inside = process.stdout.readline().strip()
    assert inside not in ("", os.readlink("/proc/self/ns/time"))
    assert f"time:[{json.loads(os.read(read, 4096))['time-namespace']}]" == inside
    process.communicate("go\n", timeout=60)


def test_json_status_fd_of_a_signal(personality, report):
    result, text = report([personality, *HOST, "sh", "-c", "kill -KILL $$"], "--json-status-fd")
    assert text.splitlines()[1:] == ['{ "exit-code": 137 }'] and result.returncode == 137


@pytest.mark.parametrize("option", ["--info-fd", "--json-status-fd"])
def test_json_bad_descriptor_ends(personality, run, option):
    """bubblewrap leaves a process that waits for ever."""
    result = run([personality, *HOST, option, "99", "true"])
    assert_fails(result, personality, "99" if personality.name == "cloche" else "info_fd", "Bad file descriptor")


def test_json_status_fd_without_a_reader(personality, run, pipe):
    """A reader that is gone is no reason to die of SIGPIPE."""
    read, write = pipe()
    os.close(read)
    result = run([personality, *HOST, "--json-status-fd", str(write), "sh", "-c", "exit 3"], pass_fds=[write])
    assert result.returncode in (3, setup_status(personality)), result


def setup_error(text):
    """The error object: the last line, and there is no exit code."""
    lines = [json.loads(line) for line in text.splitlines()]
    assert list(lines[-1]) == ["setup-error"] and not any("exit-code" in line for line in lines), lines
    return lines[-1]["setup-error"]


@pytest.mark.vm
def test_setup_error_object(personality, report):
    options = ["--setenv", "A", "1", "--ro-bind", "/nosuch", "/mnt"]
    result, text = report([personality, *HOST, *options, "true"], "--json-status-fd")
    error = setup_error(text)
    assert error["option"] == "--ro-bind /nosuch /mnt" and error["path"] == "/nosuch" and error["errno"] == 2, error
    assert error["stage"] == "sources" and error["index"] == 5, error  # the sixth option, --json-status-fd counted
    assert error["message"] and error["message"] in result.stderr
    assert error["hint"] and (personality.name == "bwrap" or error["hint"] in result.stderr)


@pytest.mark.parametrize("options, stage, option, path, errno", [
    (["--chdir", "/nosuch", "true"], "mounts", "--chdir", "/nosuch", 2),
    (["--tmpfs", "/etc/passwd", "true"], "mounts", "--tmpfs", "/etc/passwd", None),
    (["--seccomp", "99", "true"], None, "--seccomp", None, 9),
    (["--", "/nosuch"], "exec", None, "/nosuch", 2),
    (["--unshare-uts", "--hostname", "x" * 65, "true"], None, "--hostname", "x" * 65, 22)],
    ids=["chdir", "tmpfs", "seccomp", "exec", "hostname"])
def test_setup_error_stages(personality, report, options, stage, option, path, errno):
    _, text = report([personality, *HOST, *options], "--json-status-fd")
    error = setup_error(text)
    assert error["stage"] == stage or stage is None, error
    assert error.get("option", "").split(" ")[0] == (option or ""), error
    assert error.get("path") == path or path is None, error
    assert error.get("errno") == errno or errno is None, error


def test_setup_error_of_planning(cloche, report):
    """Conflicts are reported the same way."""
    _, text = report([cloche, *HOST, "--as-pid-1", "--share-pid", "true"], "--json-status-fd")
    assert setup_error(text)["option"] == "--as-pid-1" and setup_error(text)["stage"] == "plan"


def test_setup_error_escapes(personality, report):
    _, text = report([personality, *HOST, "--bind", '/no\n"such\\\x1b', "/mnt", "true"], "--json-status-fd")
    assert setup_error(text)["path"] == '/no\n"such\\\x1b'


# ---- signals -----------------------------------------------------------------------------------------------------
SHARE_PID = ["--share-pid", "--isolation", "try"]  # before Linux 6.12 signals have no scope: only on request then
COUNT = "trap 'echo got; exit 5' {}; echo started; while :; do read x; done"


@pytest.mark.parametrize("name", ["HUP", "INT", "QUIT", pytest.param("TERM", marks=pytest.mark.vm), "USR1", "USR2"])
def test_signals_are_forwarded(cloche, popen, name):
    for options in (HOST, [*HOST, *SHARE_PID]):
        process = popen([cloche, *options, "bash", "-c",
                         f"trap 'echo got; exit 5' {name}; echo started; sleep 1000 & wait"])
        assert process.stdout.readline() == "started\n"
        os.kill(process.pid, getattr(signal, f"SIG{name}"))
        out, err = process.communicate(timeout=60)
        assert (out, process.returncode) == ("got\n", 5), err


def test_signals_that_command_does_not_handle(cloche, popen):
    process = popen([cloche, *HOST, "sh", "-c", "echo started; exec sleep 1000"])
    assert process.stdout.readline() == "started\n"
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(timeout=60) == 143


def test_signals_end_the_supervisor_as_bwrap(bwrap, popen):
    process = popen([bwrap, *HOST, "sh", "-c", "trap 'echo got' TERM; echo started; sleep 1000 & wait"])
    assert process.stdout.readline() == "started\n"
    children = open(f"/proc/{process.pid}/task/{process.pid}/children").read().split()
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(timeout=60) == -signal.SIGTERM
    for child in children:  # bubblewrap leaves COMMAND alone: end it here, with the children it has
        for grandchild in open(f"/proc/{child}/task/{child}/children").read().split():
            os.kill(int(grandchild), signal.SIGKILL)
        os.kill(int(child), signal.SIGKILL)


def test_signals_during_the_start_end_it(cloche, popen, pipe):
    """SIGTERM while the start waits for --block-fd: nothing is left."""
    read, _ = pipe()
    info, report_fd = pipe()
    process = popen([cloche, *HOST, "--info-fd", str(report_fd), "--block-fd", str(read), "true"],
                    pass_fds=[read, report_fd])
    os.read(info, 4096)
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(timeout=60) in (-signal.SIGTERM, 143, 125)


def test_signals_stop_and_continue(cloche, popen):
    process = popen([cloche, *HOST, "sh", "-c", "echo started; read x; exit 6"], stdin=-1)
    assert process.stdout.readline() == "started\n"
    os.kill(process.pid, signal.SIGSTOP)
    os.kill(process.pid, signal.SIGCONT)
    process.communicate("go\n", timeout=60)
    assert process.returncode == 6


@pytest.mark.parametrize("ignored", ["CHLD", "TERM", "INT", "PIPE"])
def test_signals_ignored_by_the_caller(personality, run, ignored):
    """SIGCHLD: the status arrives; the others stay ignored for COMMAND, as usual."""
    argv = [personality, *OWN_PIDS, "sh", "-c", "grep -E 'SigIgn|SigBlk' /proc/self/status; exit 3"]
    result = run(["bash", "-c", f'trap "" {ignored}; exec "$@"', "bash", *argv])
    assert result.returncode == 3, result
    values = {name: int(value, 16) for name, value in status_of(result.stdout).items()}
    bit = 1 << (getattr(signal, f"SIG{ignored}") - 1)
    assert values["SigBlk"] == 0
    assert bool(values["SigIgn"] & bit) == (ignored != "CHLD")


def test_signals_blocked_by_the_caller(personality, run):
    script = ("import os, signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\n"
              "os.execv(sys.argv[1], sys.argv[1:])")
    result = run(["/usr/bin/python3", "-c", script, personality, *OWN_PIDS, "sh", "-c",
                  "grep SigBlk /proc/self/status; exit 3"])
    assert result.returncode == 3 and int(status_of(result.stdout)["SigBlk"], 16) == 0, result


# ---- leftovers ---------------------------------------------------------------------------------------------------
@pytest.fixture
def daemon_of(popen):
    """Starts a sandbox whose COMMAND leaves a daemon behind; (process, pid of the daemon as seen here)."""
    def daemon_of(argv, script="setsid sleep 1000 & echo started; read x; exit 3"):
        process = popen([*argv, "sh", "-c", script], stdin=-1)
        assert process.stdout.readline() == "started\n"

        def find():
            todo, found = [process.pid], []
            for pid in todo:
                with contextlib.suppress(OSError):
                    children = open(f"/proc/{pid}/task/{pid}/children").read().split()
                    todo += map(int, children)
                    found += [int(child) for child in children
                              if open(f"/proc/{child}/cmdline").read().startswith("sleep\0001000")]
            return found
        return process, wait_until(find)[0]

    return daemon_of


def is_running(pid):
    try:
        return re.search(r"^State:\t(\S)", open(f"/proc/{pid}/status").read(), re.M)[1] not in "ZX"
    except OSError:
        return False


@pytest.mark.vm
@pytest.mark.parametrize("options", [[], SHARE_PID])
def test_leftovers_end_with_command(cloche, daemon_of, options):
    process, daemon = daemon_of([cloche, *HOST, *options])
    process.communicate("go\n", timeout=60)
    assert process.returncode == 3 and not is_running(daemon), "gone when the supervisor is"


@pytest.mark.parametrize("options", [[], ["--unshare-pid"]])
def test_leftovers_go_on_as_bwrap(bwrap, daemon_of, options):
    process, daemon = daemon_of([bwrap, *HOST, *options])
    process.stdin.write("go\n")
    process.stdin.close()
    assert process.wait(timeout=60) == 3 and is_running(daemon)
    os.kill(daemon, signal.SIGKILL)
    process.stdin = None


@pytest.mark.parametrize("options", [["--die-with-parent"], ["--as-pid-1"]])
def test_leftovers_end_with_a_pid_namespace_that_ends(bwrap, daemon_of, options):
    process, daemon = daemon_of([bwrap, *HOST, "--unshare-pid", *options])
    process.communicate("go\n", timeout=60)
    assert process.returncode == 3
    wait_until(lambda: not is_running(daemon))


@pytest.mark.parametrize("options", [[], ["--share-pid"]])
def test_leftovers_end_when_the_supervisor_is_killed(cloche, daemon_of, options):
    process, daemon = daemon_of([cloche, *HOST, *options])
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=60)
    wait_until(lambda: not is_running(daemon))


def test_leftovers_stay_when_the_supervisor_is_killed_as_bwrap(bwrap, daemon_of):
    process, daemon = daemon_of([bwrap, *OWN_PIDS], "sleep 1000 & echo started; read x")
    inode = pid_namespace(daemon)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=60)
    assert is_running(daemon)
    for pid in pids_in_pid_namespace(inode):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


# ---- --die-with-parent -------------------------------------------------------------------------------------------
PARENT = """
import os, subprocess, sys, threading, time
def start():
    process = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL)
    print(process.pid, flush=True)
if sys.argv[1] == "thread":
    thread = threading.Thread(target=start); thread.start(); thread.join()
else:
    start()
sys.stdin.readline()
"""


@pytest.fixture
def below_parent(popen):
    """Starts argv below a process of its own; (that process, the supervisor's pid, the pid namespace of COMMAND)."""
    def below_parent(argv, how="main"):
        parent = popen(["/usr/bin/python3", "-c", PARENT, how, *map(str, argv), "sh", "-c",
                        "echo started; exec sleep 1000"],
                       stdin=-1)
        lines = {parent.stdout.readline().strip(), parent.stdout.readline().strip()}
        assert "started" in lines, lines
        supervisor = int((lines - {"started"}).pop())
        commands = [pid for pid in descendants(supervisor) if open(f"/proc/{pid}/cmdline").read().startswith("sleep\0")]
        return parent, supervisor, wait_until(lambda: commands or [
            pid for pid in descendants(supervisor) if open(f"/proc/{pid}/cmdline").read().startswith("sleep\0")])[0]

    return below_parent


def descendants(pid):
    todo = [pid]
    for one in todo:
        with contextlib.suppress(OSError):
            todo += map(int, open(f"/proc/{one}/task/{one}/children").read().split())
    return todo


@pytest.mark.vm
@pytest.mark.parametrize("options", [[], ["--unshare-pid"], ["--unshare-pid", "--as-pid-1"]])
def test_die_with_parent(bwrap, below_parent, options):
    parent, supervisor, command = below_parent([bwrap, *HOST, *options, "--die-with-parent"])
    parent.kill()
    parent.wait(timeout=60)
    wait_until(lambda: not is_running(supervisor) and not is_running(command))


def test_die_with_parent_missing(bwrap, below_parent):
    parent, supervisor, command = below_parent([bwrap, *HOST])
    parent.kill()
    parent.wait(timeout=60)
    assert is_running(supervisor) and is_running(command)
    for pid in (command, supervisor):
        os.kill(pid, signal.SIGKILL)


def test_die_with_parent_under_our_own_name(cloche, below_parent):
    parent, supervisor, command = below_parent([cloche, *HOST, "--die-with-parent"])
    parent.kill()
    parent.wait(timeout=60)
    wait_until(lambda: not is_running(supervisor) and not is_running(command))


@pytest.mark.parametrize("options", [[], ["--unshare-pid"]])
def test_die_with_parent_means_the_process(personality, below_parent, options):
    """Not the thread that started us: PR_SET_PDEATHSIG alone would kill the sandbox when that thread ends."""
    parent, supervisor, command = below_parent([personality, *HOST, *options, "--die-with-parent"], "thread")
    wait_until(lambda: len(os.listdir(f"/proc/{parent.pid}/task")) == 1)  # the thread is gone
    assert is_running(supervisor) and is_running(command)
    parent.kill()
    parent.wait(timeout=60)
    wait_until(lambda: not is_running(supervisor) and not is_running(command))


@pytest.mark.parametrize("options", [["--die-with-parent"], ["--unshare-pid", "--die-with-parent"]])
def test_die_with_parent_when_the_supervisor_is_killed(bwrap, below_parent, options):
    parent, supervisor, command = below_parent([bwrap, *HOST, *options])
    os.kill(supervisor, signal.SIGKILL)
    wait_until(lambda: not is_running(command))


# ---- --new-session, --as-pid-1 -----------------------------------------------------------------------------------
SESSION = ["/usr/bin/python3", "-c", "import os; print(os.getsid(0), os.getpid(), os.getpgrp())"]


def test_new_session(bwrap, run):
    session, pid, group = map(int, run([bwrap, *HOST, "--new-session", *SESSION]).stdout.split())
    assert session == pid == group
    session, pid, _ = map(int, run([bwrap, *HOST, *SESSION]).stdout.split())
    assert session != pid


def test_new_session_with_a_pid_namespace(bwrap, run):
    """The init process leads it; a session from outside has no number inside."""
    assert run([bwrap, *OWN_PIDS, "--new-session", *SESSION]).stdout == "1 2 1\n"
    assert run([bwrap, *OWN_PIDS, *SESSION]).stdout.split()[0] == "0"


def test_new_session_without_a_terminal(cloche, run):
    """Under our own name always, where stdin is no terminal."""
    session = int(run([cloche, *HOST, *SESSION]).stdout.split()[0])
    assert session != 0


def test_new_session_with_a_terminal(cloche, run):
    """Without a terminal of its own COMMAND stays in the caller's session; --new-session takes it away."""
    master, slave = os.openpty()
    for options, outside in (([], False), (["--no-pty"], True), (["--new-session"], False)):
        result = run([cloche, *HOST, *options, *SESSION], stdin=slave)
        assert (result.stdout.split()[0] == "0") == outside, result  # a session from outside has no number inside
    os.close(master)
    os.close(slave)


def test_as_pid_1(personality, run):
    argv = [personality, *OWN_PIDS, "sh", "-c", "echo $$"]
    assert run(argv).stdout == "2\n"
    assert run([*argv[:-3], "--as-pid-1", *argv[-3:]]).stdout == "1\n"


def test_as_pid_1_status(personality, run):
    assert run([personality, *OWN_PIDS, "--as-pid-1", "sh", "-c", "exit 9"]).returncode == 9


def test_as_pid_1_needs_a_pid_namespace(personality, run):
    share = ["--share-pid"] if personality.name == "cloche" else []
    assert_fails(run([personality, *HOST, *share, "--as-pid-1", "true"]), personality, "--as-pid-1", "pid")


def test_as_pid_1_without_lock_file(personality, run):
    result = run([personality, *OWN_PIDS, "--as-pid-1", "--lock-file", "/etc/passwd", "true"])
    assert_fails(result, personality, "--as-pid-1", "--lock-file")


def test_as_pid_1_sync_fd_is_held_by_command(bwrap, run, memfd):
    fd = memfd()
    result = run([bwrap, *OWN_PIDS, "--as-pid-1", "--sync-fd", str(fd), "ls", "/proc/self/fd"], pass_fds=[fd])
    assert str(fd) in result.stdout.split(), result


# ---- many --------------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_status_in_parallel(personality, user):
    """Starts at the same time do not mix anything up."""
    processes = [(number, subprocess.Popen([str(personality), *OWN_PIDS, "sh", "-c", f"exit {number}"],
                                           stdin=subprocess.DEVNULL))
                 for number in range(64)]
    assert [(number, process.wait(timeout=120)) for number, process in processes] == [(n, n) for n in range(64)]
