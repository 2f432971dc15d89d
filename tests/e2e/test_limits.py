# SPDX-License-Identifier: LGPL-2.1-or-later
"""Limits of the process that becomes COMMAND, --usage-fd, and what is refused of limits that need a cgroup. Cgroups at work
are in tests/vm/test_cgroup.py."""
import json
import os
import pathlib
import re
import resource
import signal

import pytest

from conftest import wait_until
from e2elib import HOST, assert_fails, setup_status, status_of

NAMES = {  # of --rlimit: the line of /proc/PID/limits
    "as": "Max address space", "core": "Max core file size", "cpu": "Max cpu time", "data": "Max data size",
    "fsize": "Max file size", "locks": "Max file locks", "memlock": "Max locked memory", "msgqueue": "Max msgqueue size",
    "nice": "Max nice priority", "nofile": "Max open files", "nproc": "Max processes", "rss": "Max resident set",
    "rtprio": "Max realtime priority", "rttime": "Max realtime timeout", "sigpending": "Max pending signals",
    "stack": "Max stack size"}
GROUP_OPTIONS = {"--memory": "64M", "--memory-high": "64M", "--swap": "0", "--pids-max": "10", "--cpus": "0.5",
                 "--cpu-weight": "50", "--io-max": "8:0:wbps=1M"}


def limits_of(text):
    """/proc/PID/limits as {name: (soft, hard)}"""
    return {match[1]: (match[2], match[3])
            for match in re.finditer(r"^(Max [a-z ]+?) {2,}(\S+) +(\S+)", text, re.M)}


@pytest.fixture
def limits(run, personality):
    def limits(*options, pid="self"):
        argv = [personality, *HOST, "--unshare-pid", *options, "--", "cat", f"/proc/{pid}/limits"]
        return limits_of(run(argv, check=True).stdout)

    return limits


def own_limits():
    return limits_of(pathlib.Path("/proc/self/limits").read_text())


def min_core():
    """4096, or less where the caller's hard limit is: sudo sets it to 0."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    return 4096 if hard == resource.RLIM_INFINITY else min(hard, 4096)


# ---- --rlimit ----------------------------------------------------------------------------------------------------
@pytest.mark.vm
@pytest.mark.parametrize("name", sorted(NAMES))
def test_rlimit_each_name(limits, name):
    values = {"as": ("2G", "4G"), "data": ("2G", "4G"), "stack": ("1M", "2M"), "nproc": ("200", "300"),
              "nice": ("0", "0"), "rtprio": ("0", "0"), "core": ("0", str(min_core()))}.get(name, ("64", "0x80"))
    soft, hard = values if name in ("as", "data", "stack", "core") else (values[0], str(int(values[1], 0)))
    if name in ("fsize", "memlock", "msgqueue", "rss"):
        soft, hard = "4K", "8K"
    found = limits("--rlimit", f"{name}={soft}:{hard}")
    expected = tuple(str(int(v.rstrip("KMG")) * {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}.get(v[-1], 1)) for v in (soft, hard))
    assert found[NAMES[name]] == expected
    own = own_limits()
    others = {other for other in NAMES.values() if other not in (NAMES[name], NAMES["core"])}
    assert {other: found[other] for other in others} == {other: own[other] for other in others}


def test_rlimit_soft_alone_is_hard_too(limits):
    assert limits("--rlimit", "nofile=99")[NAMES["nofile"]] == ("99", "99")


def test_rlimit_last_wins_and_several(limits):
    found = limits("--rlimit", "nofile=99", "--rlimit", "fsize=1M:unlimited", "--rlimit", "nofile=77")
    assert (found[NAMES["nofile"]], found[NAMES["fsize"]]) == (("77", "77"), ("1048576", "unlimited"))


def test_rlimit_not_for_pid_1(limits):
    """Nor for the supervisor: it could not do its work."""
    found = limits("--rlimit", "nofile=9", "--rlimit", "cpu=77", "--rlimit", "nproc=200", "--rlimit", "fsize=0", pid=1)
    own = own_limits()
    assert {name: found[NAMES[name]] for name in ("nofile", "cpu", "nproc", "fsize")} == {
        name: own[NAMES[name]] for name in ("nofile", "cpu", "nproc", "fsize")}


@pytest.mark.parametrize("value", [
    "", "nofile", "nofile=", "nofile=1:", "=1", "nofile=-1", "nofile=1K", "nofile=1:2:3", "NOFILE=1", "nofiles=1", "nofile=0x10",
    "cpu=1M", "as=1T", "as=1 ", "as=1:x", "nofile=18446744073709551615", "nofile=1,nproc=2", "core=inf"])
def test_rlimit_bad_value(run, personality, tmp_path, value):
    result = run([personality, *HOST, "--bind", tmp_path, tmp_path, "--rlimit", value, "touch", tmp_path / "ran"])
    assert_fails(result, personality, value)
    assert not (tmp_path / "ran").exists()


def test_rlimit_soft_above_hard(run, personality):
    assert_fails(run([personality, *HOST, "--rlimit", "nofile=20:10", "true"]), personality, "soft limit is above the hard one")


def test_rlimit_above_the_hard_limit(run, cloche, user):
    """An error that names the limit, before anything starts; real root with --share-user may."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    argv = ["prlimit", "--nofile=500:600", cloche, *HOST, "--rlimit", "nofile=601", "--", "sh", "-c", "ulimit -n"]
    result = run(argv)
    assert (result.returncode, result.stdout) == (125, "")
    assert result.stderr.startswith("cloche: --rlimit nofile=601: nofile cannot be raised above the hard limit of 600\n")
    argv[argv.index("nofile=601")] = "nofile=600"
    assert run(argv, check=True).stdout == "600\n"
    if user.is_root:
        argv[argv.index("nofile=600")] = "nofile=601"
        result = run([*argv[:3], "--share-user", "--allow-userns", *argv[3:]])
        can_raise = int(status_of(pathlib.Path("/proc/self/status").read_text())["CapPrm"], 16) >> 24 & 1
        assert (result.returncode, result.stdout) == ((0, "601\n") if can_raise else (125, "")), result
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before


def test_rlimit_cpu_ends_command(run, personality):
    """The kernel's own signal; COMMAND alone is hit."""
    result = run([personality, *HOST, "--rlimit", "cpu=1:2", "--", "sh", "-c", "while :; do :; done"])
    assert result.returncode == 128 + signal.SIGXCPU, result


# ---- crashes -----------------------------------------------------------------------------------------------------
def test_core_limit_by_default(run, cloche, bwrap):
    """1 and not 0: a handler in kernel.core_pattern is told of crashes unless it is 1 (core(5))."""
    show = ["--", "cat", "/proc/self/limits"]
    own = own_limits()[NAMES["core"]]
    hidden = ("0", "0") if own[1] == "0" else ("1", "1")
    assert limits_of(run([cloche, *HOST, *show], check=True).stdout)[NAMES["core"]] == hidden
    assert limits_of(run([bwrap, *HOST, *show], check=True).stdout)[NAMES["core"]] == own
    if own[1] != "0":
        asked = limits_of(run([cloche, *HOST, "--rlimit", "core=4096", *show], check=True).stdout)
        assert asked[NAMES["core"]] == ("4096", "4096")


def test_core_limit_that_is_0_already(run, cloche):
    argv = ["prlimit", "--core=0:0", cloche, *HOST, "--", "cat", "/proc/self/limits"]
    assert limits_of(run(argv, check=True).stdout)[NAMES["core"]] == ("0", "0")


# ---- priorities --------------------------------------------------------------------------------------------------
@pytest.mark.vm
@pytest.mark.parametrize("value", [0, 7, 19])
def test_nice(run, personality, value):
    value = max(value, os.nice(0))  # less takes a privilege
    assert run([personality, *HOST, "--nice", str(value), "--", "nice"], check=True).stdout == f"{value}\n"


@pytest.mark.parametrize("value", ["+7", "20", "-21", "x", "", "7 "])
def test_nice_bad_value(run, personality, value):
    assert_fails(run([personality, *HOST, "--nice", value, "--", "nice"]), personality, "a niceness (-20 to 19)")


def test_nice_below_the_callers_needs_a_privilege(run, cloche):
    result = run(["prlimit", "--nice=0:0", cloche, *HOST, "--nice", "-1", "--", "nice"])
    assert (result.returncode, result.stdout) == (125, "")
    assert result.stderr.startswith("cloche: --nice -1: cannot set the niceness: Permission denied\n")


@pytest.mark.vm
@pytest.mark.parametrize("value, shown", [("idle", "idle"), ("best-effort", "best-effort: prio 4"),
                                          ("best-effort:7", "best-effort: prio 7")])
def test_ionice(run, personality, value, shown):
    assert run([personality, *HOST, "--ionice", value, "--", "ionice"], check=True).stdout == f"{shown}\n"


@pytest.mark.parametrize("value", ["", "idle:0", "best-effort:8", "best-effort:", "none", "rt", "2"])
def test_ionice_bad_value(run, personality, value):
    assert_fails(run([personality, *HOST, "--ionice", value, "true"]), personality, "best-effort")


def test_ionice_realtime_needs_a_privilege(run, cloche):
    result = run([cloche, *HOST, "--ionice", "realtime:0", "true"])
    assert_fails(result, type("P", (), {"name": "cloche"}), "--ionice realtime:0", "Operation not permitted")


@pytest.mark.vm
def test_cpu_affinity(run, personality):
    mine = sorted(os.sched_getaffinity(0))
    argv = [personality, *HOST, "--cpu-affinity"]
    show = ["--", "grep", "Cpus_allowed_list", "/proc/self/status"]
    assert run([*argv, str(mine[-1]), *show], check=True).stdout.split()[1] == str(mine[-1])
    both = ",".join(map(str, mine))
    assert run([*argv, both, *show, "/dev/null"], check=True).returncode == 0
    assert_fails(run([*argv, f"{mine[0]},1023", "true"]), personality, "not all of these processors are usable"
                 if personality.name == "cloche" else "Not all of these processors are usable")


@pytest.mark.parametrize("value", ["", "0-", "-1", "1-0", "0,,1", "0,", "a", "0-1-2", "1024", "0x1", " 0"])
def test_cpu_affinity_bad_value(run, personality, value):
    assert_fails(run([personality, *HOST, "--cpu-affinity", value, "true"]), personality, "a list of processors")


@pytest.mark.vm
@pytest.mark.parametrize("limited", [False, True], ids=["with-init", "alone"])
def test_oom_score_adj(run, personality, limited):
    """Also where the process shares our memory until it executes COMMAND: our own must not change."""
    own = pathlib.Path("/proc/self/oom_score_adj").read_text()
    options = ["--unshare-pid"] if limited else []
    result = run([personality, *HOST, *options, "--oom-score-adj", "345", "--", "cat", "/proc/self/oom_score_adj"], check=True)
    assert result.stdout == "345\n"
    assert pathlib.Path("/proc/self/oom_score_adj").read_text() == own
    if personality.name == "cloche":
        show = ["--", "cat", "/proc/1/oom_score_adj"]
        assert run([personality, *HOST, "--oom-score-adj", "345", *show], check=True).stdout == own


@pytest.mark.parametrize("value", ["1001", "-1001", "", "x"])
def test_oom_score_adj_bad_value(run, personality, value):
    assert_fails(run([personality, *HOST, "--oom-score-adj", value, "true"]), personality, "an adjustment (-1000 to 1000)")


def test_oom_score_adj_below_the_callers_needs_a_privilege(run, cloche):
    own = int(pathlib.Path("/proc/self/oom_score_adj").read_text())
    result = run([cloche, *HOST, "--oom-score-adj", str(own - 1), "true"])
    assert_fails(result, type("P", (), {"name": "cloche"}), "oom_score_adj: Permission denied")


# ---- what needs a cgroup -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("option", GROUP_OPTIONS)
def test_group_limit_with_cgroup_none(run, personality, option):
    """Refused wherever it runs: no option may be silently without effect."""
    for options in ([option, GROUP_OPTIONS[option], "--cgroup", "none"], ["--cgroup", "none", option, GROUP_OPTIONS[option]]):
        assert_fails(run([personality, *HOST, *options, "true"]), personality, "needs a cgroup, and --cgroup none forbids it")
    run([personality, *HOST, "--cgroup", "none", "true"], check=True)


@pytest.mark.parametrize("option, value", [
    ("--memory", "0"), ("--memory", "x"), ("--memory", "1T"), ("--memory-high", "-1"), ("--swap", "00"), ("--swap", ""),
    ("--pids-max", "0"), ("--pids-max", "1K"), ("--cpus", "0"), ("--cpus", "0.001"), ("--cpus", ".5"), ("--cpus", "1."),
    ("--cpus", "1.000001"), ("--cpus", "1,5"), ("--cpus", "99999"), ("--cpu-weight", "0"), ("--cpu-weight", "10001"),
    ("--io-max", "8:0"), ("--io-max", "8:0:"), ("--io-max", "8:0:rbps"), ("--io-max", "8:0:rbps=0"), ("--io-max", "sda:rbps=1"),
    ("--io-max", "8:0:rbps=1,rbps=2"), ("--io-max", "8:0:xbps=1"), ("--io-max", "4096:0:rbps=1"), ("--io-max", "/dev/x:rbps=1,"),
    ("--cgroup", ""), ("--cgroup", "here"), ("--cgroup", "user.slice/x")])
def test_group_limit_bad_value(run, personality, option, value):
    result = run([personality, *HOST, option, value, "true"])
    assert_fails(result, personality)
    assert "ot " in result.stderr or "non-zero" in result.stderr, result


def test_cgroup_path_that_is_none(run, personality, tmp_path):
    assert_fails(run([personality, *HOST, "--cgroup", tmp_path, "true"]), personality, "is not a cgroup of version 2")
    assert_fails(run([personality, *HOST, "--cgroup", tmp_path / "x", "true"]), personality, "No such file or directory")


@pytest.mark.parametrize("where", [[], ["--cgroup", "auto"], ["--cgroup", "systemd"]], ids=["default", "auto", "systemd"])
def test_cgroup_version_1(run, cloche, where):
    if any(":memory:" in line for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines()):
        result = run([cloche, *HOST, *where, "--memory", "64M", "true"])
        assert (result.returncode, result.stdout) == (125, "")
        assert "this host's controllers are not in cgroup version 2\n" in result.stderr
        assert "hint: limit each process with --rlimit instead" in result.stderr
    else:
        pytest.skip("the controllers are in cgroup version 2 here")


@pytest.fixture
def delegated():
    """The group above ours, where it is the user's: tests/vm/run-in-vm without systemd has one. Left as it was."""
    own = pathlib.Path("/proc/self/cgroup").read_text().split("0::")[-1].strip()
    above = pathlib.Path("/sys/fs/cgroup" + own).parent
    if not os.access(above / "cgroup.procs", os.W_OK) or "memory" not in (above / "cgroup.subtree_control").read_text():
        pytest.skip("no delegated cgroup here")
    yield above
    wait_until(lambda: not list(above.glob("cloche-*")))


@pytest.mark.vm
@pytest.mark.parametrize("how", ["auto", "path"])
def test_group_without_systemd(cloche, usage, popen, delegated, how):
    """More of it, with systemd: tests/vm/test_cgroup.py"""
    argv = [cloche, *HOST, "--cgroup", "auto" if how == "auto" else delegated, "--memory", "40M", "--swap", "0", "--pids-max", "9"]
    found, result = usage([*argv, "--usage-fd", "FD", "/usr/bin/python3", "-c", "x = bytearray(90 << 20)"])
    assert result.returncode == 137 and found["oom-kills"] == 1 and "kernel killed 1 process" in result.stderr, (found, result)
    process = popen([*argv, "--", "sh", "-c", "echo ready; exec sleep 1000"])
    assert process.stdout.readline() == "ready\n"
    groups = list(delegated.glob("cloche-*"))
    assert [(group / "pids.max").read_text() for group in groups] == ["9\n"]
    process.kill()  # the guard removes it
    process.communicate()


# ---- --usage-fd --------------------------------------------------------------------------------------------------
KEYS = ["wall", "user", "system", "max-rss", "memory-peak", "pids-peak", "io-read", "io-write", "oom-kills", "net-sent",
        "net-received", "exit-code"]


@pytest.fixture
def usage(run):
    def usage(argv, **rest):
        """The object that `argv` writes, where "FD" is replaced by the descriptor, and the result"""
        reader, writer = os.pipe()
        with os.fdopen(reader) as file:
            try:
                result = run([str(writer) if word == "FD" else word for word in argv], pass_fds=[writer], **rest)
            finally:
                os.close(writer)
            lines = file.read().splitlines()
        assert len(lines) == 1, (lines, result)
        found = json.loads(lines[0])
        assert list(found) == KEYS
        assert found["exit-code"] == result.returncode
        return found, result

    return usage


BURN = "import time\nend = time.process_time() + 0.3\nx = bytearray(60 << 20)\nwhile time.process_time() < end: pass\n"


@pytest.mark.vm
def test_usage_fd(personality, usage):
    found, _ = usage([personality, *HOST, "--usage-fd", "FD", "/usr/bin/python3", "-c", BURN])
    assert 0.3 <= found["user"] + found["system"] < 30
    assert found["wall"] >= 0.9 * (found["user"] + found["system"])
    assert 60 << 20 <= found["max-rss"] < 400 << 20
    assert found["memory-peak"] is found["pids-peak"] is found["oom-kills"] is None
    assert isinstance(found["io-read"], int) and isinstance(found["io-write"], int)


def test_usage_fd_of_children_that_nobody_waited_for(cloche, usage):
    """They are pid 1's; their time is the sandbox's."""
    script = f"/usr/bin/python3 -c '{BURN}' & exec sleep 3"
    found, _ = usage([cloche, *HOST, "--usage-fd", "FD", "sh", "-c", script])
    assert found["user"] + found["system"] >= 0.3


@pytest.mark.parametrize("script, status", [("exit 7", 7), ("kill -9 $$", 137), ("kill -TERM $$", 143)])
def test_usage_fd_status(personality, usage, script, status):
    found, result = usage([personality, *HOST, "--unshare-pid", "--usage-fd", "FD", "sh", "-c", script])
    assert result.returncode == status and found["user"] is not None


def test_usage_fd_of_a_failed_exec(personality, usage):
    found, result = usage([personality, *HOST, "--usage-fd", "FD", "/no/such/command"])
    assert result.returncode == (127 if personality.name == "cloche" else 1)
    assert found["user"] is not None and found["wall"] > 0


def test_usage_fd_of_a_failed_setup(personality, usage):
    found, result = usage([personality, *HOST, "--usage-fd", "FD", "--bind", "/no/such", "/mnt", "true"])
    assert result.returncode == setup_status(personality) and found["wall"] > 0


def test_usage_fd_of_a_bad_command_line(personality, usage):
    """Where nothing was started nothing is known."""
    found, result = usage([personality, "--usage-fd", "FD", "--no-such-option", "true"])
    assert result.returncode == setup_status(personality)
    assert {key for key in KEYS if found[key] is not None} == {"exit-code"}


def test_usage_fd_is_not_commands(personality, usage):
    """COMMAND sees the descriptors of its own standard files only."""
    script = "ls /proc/self/fd"
    _, result = usage([personality, *HOST, "--usage-fd", "FD", "sh", "-c", script])
    assert result.stdout.split() == ["0", "1", "2", "3"]  # 3 is the directory that ls reads


# ---- --explain ---------------------------------------------------------------------------------------------------
def test_explain_limits(run, personality):
    options = ["--rlimit", "nofile=10:20", "--nice", "3", "--oom-score-adj", "-5", "--cpu-affinity", "0-2,5", "--memory", "1M",
               "--cpus", "1.5", "--io-max", "/dev/sda:rbps=1M", "--cgroup", "/sys/fs/cgroup/x", "--ionice", "idle"]
    found = json.loads(run([personality, *HOST, *options, "--explain=json", "true"], check=True).stdout)["limits"]
    core = found.pop("core-dumps", None)
    assert core == ("none" if personality.name == "cloche" else None)
    assert found == {"usage": False, "rlimit-nofile": 10, "rlimit-nofile-hard": 20, "nice": 3, "oom-score-adj": -5,
                     "io-priority": 3 << 13, "cpu-affinity": "0,1,2,5", "cgroup": "/sys/fs/cgroup/x", "memory.max": 1 << 20,
                     "cpu.max": 150000, "io.max": "/dev/sda:rbps=1M"}
    text = run([personality, *HOST, *options, "--explain", "true"], check=True).stdout
    assert "\nlimits:\n" in text and "\n  memory.max 1048576\n" in text
