# SPDX-License-Identifier: LGPL-2.1-or-later
"""pid 1 of the sandbox: reaps, tells nothing, cannot be traced by COMMAND, can be joined by its owner."""
import json
import os
import signal

import pytest

from conftest import wait_until
from e2elib import HOST, own_namespaces, pipe, status_of  # noqa: F401

OWN = [*HOST, "--unshare-all"]


@pytest.fixture
def started(popen, pipe):
    """started(argv): (process, pid of its pid 1) of a sandbox whose COMMAND waits for its stdin."""
    def started(argv, script="echo started; read x", **rest):
        read, write = pipe()
        process = popen([*argv[:1], "--info-fd", str(write), *argv[1:], "sh", "-c", script], pass_fds=[write],
                        stdin=-1, **rest)
        assert process.stdout.readline() == "started\n", process.communicate()
        return process, json.loads(os.read(read, 4096))["child-pid"]

    return started


@pytest.mark.vm
def test_init_name(personality, run):
    result = run([personality, *OWN, "sh", "-c",
                  "tr '\\0' ' ' </proc/1/cmdline; echo; cat /proc/1/comm; readlink /proc/1/exe || true"])
    assert result.stdout == "cloche-init \ncloche-init\n", result


@pytest.mark.vm
def test_init_holds_no_secrets(personality, started):
    """Neither the arguments nor the environment of the caller, as the owner outside may read them."""
    process, init = started([personality, *OWN, "--setenv", "INSIDE", "s3cret-argument"],
                            env={"OUTSIDE": "s3cret-variable"})

    def memory():
        return open(f"/proc/{init}/cmdline").read() + open(f"/proc/{init}/environ").read()
    assert memory().strip("\0") == "cloche-init", memory()
    process.communicate("go\n", timeout=60)


def test_init_memory_holds_no_secrets(personality, started):
    """No copy anywhere that a debugger of the owner's would find."""
    process, init = started([personality, *OWN, "--clearenv"], env={"OUTSIDE": "s3cret-variable"})
    found = []
    with open(f"/proc/{init}/mem", "rb", 0) as memory:
        for line in open(f"/proc/{init}/maps"):
            start, end = (int(number, 16) for number in line.split()[0].split("-"))
            if "rw" in line.split()[1] and "[stack]" in line:
                memory.seek(start)
                if b"s3cret" in memory.read(end - start):
                    found.append(line)
    assert not found
    process.communicate("go\n", timeout=60)


def test_init_environ_is_empty_inside(personality, run):
    result = run([personality, *OWN, "sh", "-c", "cat /proc/1/environ; cat /proc/self/environ"],
                 env={"OUTSIDE": "s3cret", "PWD": "/x"})
    assert result.stdout.count("s3cret") == (0 if personality.name == "cloche" else 1), "COMMAND's own, as bwrap"


def test_init_reaps_orphans(personality, run):
    script = ("for i in 1 2 3 4 5 6 7 8; do (true &) ; done; i=0\n"
              "while grep -l 'State:.Z' /proc/[0-9]*/status 2>/dev/null; do i=$((i + 1)); test $i -lt 1000 || exit 1; done\n"
              "echo none")
    result = run([personality, *OWN, "sh", "-c", script])
    assert result.returncode == 0 and result.stdout.splitlines()[-1] == "none", result


TRACE = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
def attempt(name, call):
    ctypes.set_errno(0)
    try:
        r = call()
        print(name, errno.errorcode.get(ctypes.get_errno(), '?') if r == -1 else 'OK')
    except OSError as error:
        print(name, errno.errorcode[error.errno])
PTRACE_ATTACH, PTRACE_SEIZE = 16, 0x4206
attempt('attach', lambda: libc.ptrace(PTRACE_ATTACH, TARGET, None, None))
attempt('seize', lambda: libc.ptrace(PTRACE_SEIZE, TARGET, None, None))
pidfd = os.pidfd_open(TARGET)
attempt('getfd', lambda: libc.syscall(438, pidfd, 0, 0))
for name in ('environ', 'mem', 'maps', 'auxv', 'root/etc/passwd', 'cwd/etc', 'fd/0', 'ns/user', 'exe'):
    attempt(name, lambda: os.close(os.open(f'/proc/{TARGET}/{name}', os.O_RDONLY)))
"""


def attempts(result):
    assert result.returncode == 0, result
    return dict(line.split() for line in result.stdout.splitlines())


@pytest.mark.vm
@pytest.mark.only_user
@pytest.mark.parametrize("more", [[], ["--uid", "0", "--gid", "0"]], ids=["uid", "root"])
def test_init_cannot_be_traced(personality, run, more):
    result = attempts(run([personality, *OWN, *more, "python3", "-c", f"TARGET = 1{TRACE}"]))
    assert {name: value for name, value in result.items() if value not in ("EPERM", "EACCES")} == {}


@pytest.mark.only_root
def test_init_cannot_be_traced_from_a_user_namespace(cloche, run):
    result = attempts(run([cloche, *OWN, "python3", "-c", f"TARGET = 1{TRACE}"]))
    assert {name: value for name, value in result.items() if value not in ("EPERM", "EACCES")} == {}


def test_init_cannot_be_traced_control(personality, run):
    """The same attempts on a process of COMMAND's own work, where the host's ptrace rules allow them."""
    script = f"import os, time\nTARGET = os.fork()\nif TARGET == 0: time.sleep(1000)\n{TRACE}\nos.kill(TARGET, 9)"
    result = attempts(run([personality, *OWN, "python3", "-c", script]))
    assert result["maps"] == result["environ"] == result["root/etc/passwd"] == result["ns/user"] == "OK", result


def test_init_cannot_be_traced_with_capabilities(cloche, run):
    """--cap-add: COMMAND then lives in a user namespace inside, where its capabilities do not reach pid 1."""
    result = attempts(run([cloche, *OWN, "--cap-add", "ALL", "python3", "-c", f"TARGET = 1{TRACE}"]))
    assert {name: value for name, value in result.items() if value not in ("EPERM", "EACCES")} == {}


@pytest.mark.parametrize("name", ["KILL", "STOP", "SEGV", "TERM", "INT", "HUP", "CHLD", "CONT", "USR1", "WINCH"])
def test_init_ignores_signals_from_inside(personality, run, name):
    # A sanitized pid 1 would have a handler for SEGV, and what is handled is delivered.
    result = run([personality, *OWN, "sh", "-c", f"kill -{name} 1; echo survived; exit 4"],
                 env={"ASAN_OPTIONS": "detect_leaks=0:handle_segv=0"})
    assert (result.returncode, result.stdout) == (4, "survived\n"), result


@pytest.mark.vm
def test_init_can_be_joined(personality, started, run):
    """nsenter, as its owner outside: all namespaces, COMMAND's own."""
    process, init = started([personality, *OWN])
    inside = own_namespaces(init)
    entered = run(["nsenter", "--target", str(init), "--user", "--preserve-credentials", "--mount", "--uts", "--ipc",
                   "--net",
                   "--pid", "--cgroup", "readlink", *[f"/proc/self/ns/{name}" for name in inside]])
    assert entered.stdout.split() == list(inside.values()), entered
    process.communicate("go\n", timeout=60)


def test_init_capabilities(personality, started, user):
    process, init = started([personality, *OWN])
    wait_until(lambda: status_of(open(f"/proc/{init}/status").read())["NoNewPrivs"] == "1")
    status = status_of(open(f"/proc/{init}/status").read())
    assert int(status["CapEff"], 16) == 0
    assert int(status["CapPrm"], 16) in (0, 1 << 35), "nothing but the one that keeps COMMAND away (CAP_WAKE_ALARM)"
    process.communicate("go\n", timeout=60)


def test_init_ends_when_command_does(personality, started):
    process, init = started([personality, *OWN])
    process.communicate("go\n", timeout=60)
    wait_until(lambda: not os.path.exists(f"/proc/{init}")
               or "Z" in status_of(open(f"/proc/{init}/status").read())["State"])


def test_init_killed_from_outside(personality, started):
    """COMMAND ends with it, and the supervisor says so by its status."""
    process, init = started([personality, *OWN])
    os.kill(init, signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode in (125, 137) or (personality.name == "bwrap"
                                                and process.returncode == 1), (process.returncode, err)


def test_init_status_cannot_be_forged(personality, run):
    """COMMAND writes zeros to whatever it can reach, then ends with 7."""
    script = ("import os\n"
              "for pid in ('self', '1'):\n"
              "    for fd in range(1000):\n"
              "        try: os.write(os.open(f'/proc/{pid}/fd/{fd}', os.O_WRONLY), b'\\0' * 8)\n"
              "        except OSError: pass\n"
              "for fd in range(3, 1000):\n"
              "    try: os.write(fd, b'\\0' * 8)\n"
              "    except OSError: pass\n"
              "os._exit(7)")
    assert run([personality, *OWN, "python3", "-c", script]).returncode == 7


def test_init_adopts(personality, run):
    """The children of a process that ended are pid 1's."""
    script = "sh -c '(sleep 1000 & echo $!)' >/tmp/pid; sed -n 's/^PPid:.//p' /proc/$(cat /tmp/pid)/status"
    result = run([personality, *OWN, "--tmpfs", "/tmp", "--die-with-parent", "sh", "-c", script])
    assert result.stdout == "1\n", result


def test_init_is_absent_where_not_needed(bwrap, run):
    """As bubblewrap: without a pid namespace the supervisor is COMMAND's parent."""
    result = run([bwrap, *HOST, "sh", "-c", "cat /proc/$PPID/comm"])
    assert result.stdout == "bwrap\n", result
