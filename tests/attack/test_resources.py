# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attacks by use: whatever there is an end of. Numbers as in SECURITY.md. Here the limits are those of single processes;
those of the whole sandbox, by cgroup, are attacked in tests/vm/test_cgroup.py (memory hog, fork bomb, busy loop, disk)."""
import pathlib
import signal
import subprocess

import pytest

from attacking import Results, box, control, program, pytest_generate_tests

__all__ = ["box", "program", "pytest_generate_tests"]


def sysctl(name):
    return int(pathlib.Path("/proc/sys", name).read_text().split()[0])


@pytest.mark.vm
def test_R1_memory(box, program, run):
    """Address space is limited per process; without the limit the control gets all it wants."""
    results = box.attack(program("resources"), "memory", "300", options=["--rlimit", "as=100M"])
    assert results["memory"] == "ENOMEM" and 50 < int(results["memory-count"]) < 100, results
    free = control(run, program("resources"), "memory", "300")
    assert (free["memory"], free["memory-count"]) == ("ok", "300")


def bomb(box, program, run, verb):
    """RLIMIT_NPROC counts in the sandbox's user namespace. The kernel does not count uid 0 of the host: for root there is
    --pids-max."""
    results = box.attack(program("resources"), verb, "200", options=["--rlimit", "nproc=40"])
    assert results[verb] == "EAGAIN" and 30 <= int(results[f"{verb}-count"]) < 40, results
    free = control(run, program("resources"), verb, "200")
    assert (free[verb], free[f"{verb}-count"]) == ("ok", "200")


@pytest.mark.vm
@pytest.mark.only_user
def test_R2_processes(box, program, run):
    """The control is bomb()'s."""
    bomb(box, program, run, "forks")


@pytest.mark.vm
@pytest.mark.only_user
def test_P12_thread_bomb(box, program, run):
    """The control is bomb()'s."""
    bomb(box, program, run, "threads")


@pytest.mark.vm
@pytest.mark.only_user
def test_P12_others_go_on(box, program, popen, run):
    """While the sandbox can make no more processes, its user can."""
    options = [*box.options(program("resources")), "--rlimit", "nproc=40"]
    process = popen(box.argv(options, ["/attack", "forks-and-wait", "200"]), stdin=subprocess.PIPE)
    assert process.stdout.readline().startswith("forks-count 3")
    assert process.stdout.readline() == "forks EAGAIN\n"
    free = control(run, program("resources"), "forks", "50")
    assert (free["forks"], free["forks-count"]) == ("ok", "50")
    process.communicate("x", timeout=60)


@pytest.mark.vm
def test_R3_descriptors(box, program, run):
    results = box.attack(program("resources"), "fds", "500", options=["--rlimit", "nofile=64"])
    assert (results["fds"], results["fds-count"]) == ("EMFILE", "61"), results
    free = control(run, program("resources"), "fds", "500")
    assert (free["fds"], free["fds-count"]) == ("ok", "500")


@pytest.mark.vm
def test_R4_inotify_instances(box, program, run):
    """They count for the user, all sandboxes together, and are free again at its end."""
    most = sysctl("fs/inotify/max_user_instances")
    results = box.attack(program("resources"), "inotify", str(2 * most), options=["--rlimit", "nofile=4096"])
    assert results["inotify"] == "EMFILE" and int(results["inotify-count"]) <= most, results
    limited = box.attack(program("resources"), "inotify", "500", options=["--rlimit", "nofile=20"])
    assert int(limited["inotify-count"]) <= 17, limited
    free = control(run, program("resources"), "inotify", "5")
    assert free["inotify"] == "ok", free


@pytest.mark.vm
def test_R5_file_size(box, program, run, tmp_path):
    results = box.attack(program("resources"), "file-size", "/rw/file", "8",
                         options=["--bind", tmp_path, "/rw", "--rlimit", "fsize=3M"])
    assert (results["file-size"], results["file-size-count"]) == ("EFBIG", "3"), results
    assert (tmp_path / "file").stat().st_size == 3 << 20
    free = control(run, program("resources"), "file-size", str(tmp_path / "file"), "8")
    assert (free["file-size"], free["file-size-count"]) == ("ok", "8")


@pytest.mark.vm
def test_R6_processor_time(box, program, popen):
    """Who ignores the warning at the soft limit is killed at the hard one. The control goes on: it is killed by the test."""
    result = box.start(program("resources"), "burn", options=["--rlimit", "cpu=1:2"])
    assert result.returncode == 128 + signal.SIGKILL and result.stdout == "burning ok\n", result
    free = popen([program("resources"), "burn"])
    with pytest.raises(subprocess.TimeoutExpired):
        free.wait(timeout=3)
    free.kill()


@pytest.mark.vm
def test_R7_time(box, program, run, user):
    """Open; this is what SECURITY.md says instead: timeout(1) ends it all, though every process ignores the first signal. The
    control is the time that goes by until then."""
    options = box.options(program("resources"), dev=True) + ([] if box.is_cloche else ["--die-with-parent"])
    script = "trap '' TERM INT HUP; echo started; /attack burn & /attack burn"
    shell = ["--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64"]
    result = run(["timeout", "-k", "1", "2", *box.argv([*options, *shell], ["/usr/bin/sh", "-c", script])])
    # As bwrap the first signal ends cloche itself; else it goes to COMMAND, and timeout(1) ends as what it had to kill.
    assert result.returncode == (-signal.SIGKILL if box.is_cloche else 124), result
    assert result.stdout == "started\nburning ok\nburning ok\n"


@pytest.mark.vm
def test_R8_disk_space(box, program, run, user, tmp_path):
    """Open where a directory is bound; a file system of its own is an end, as the control shows without one."""
    (tmp_path / "small").mkdir()
    options = [*box.options(program("resources")), "--bind", tmp_path / "small", "/rw"]
    attack = box.argv(options, ["/attack", "file-size", "/rw/file", "8"])
    free = Results(run(attack, check=True).stdout)
    assert (free["file-size"], free["file-size-count"]) == ("ok", "8")
    own_mounts = ["unshare", "--mount", *([] if user.is_root else ["--user", "--map-root-user"])]
    script = 'mount -t tmpfs -o size=3M none "$1" && shift && exec "$@"'
    small = Results(run([*own_mounts, "sh", "-c", script, "sh", tmp_path / "small", *attack], check=True).stdout)
    assert (small["file-size"], small["file-size-count"]) == ("ENOSPC", "3"), small


@pytest.mark.vm
def test_R9_mounts(box, program, run):
    """By default none can be made; where it may make namespaces, as many as fs.mount-max says, and that in its own only."""
    refused = box.attack(program("resources"), "mounts", "60", userns=False)
    most = sysctl("fs/mount-max")
    if box.keeps_capabilities:  # in its inner user and mount namespace
        assert refused["mounts"] == "ENOSPC", refused
    else:
        assert (refused["mounts"], refused["mounts-count"]) == ("EPERM", "0"), refused
    results = box.attack(program("resources"), "nested", "mounts", "60", userns=True)
    assert results["nested"] == "ok" and results["mounts"] == "ENOSPC", results
    assert 2 ** int(results["mounts-count"]) <= most, results
    free = control(run, program("resources"), "nested", "mounts", "5")
    assert (free["mounts"], free["mounts-count"]) == ("ok", "5")


@pytest.mark.vm
def test_R10_ipc_objects(box, program, run):
    """As many of each kind as the sandbox's own ipc namespace may have; the host's are not touched, and all are gone at the
    end. The control makes some in a namespace that unshare(1) makes."""
    options = [] if box.is_cloche else ["--unshare-ipc"]
    results = box.attack(program("resources"), "ipc", "70000", options=options)
    assert results["shm"] == results["sem"] == results["msg"] == "ENOSPC", results
    assert int(results["shm-count"]) <= 4096 and int(results["sem-count"]) <= 32000 and int(results["msg-count"]) <= 32000
    free = control(run, "unshare", "--user", "--map-root-user", "--ipc", program("resources"), "ipc", "20")
    assert free["shm"] == free["sem"] == free["msg"] == "ok"


@pytest.mark.vm
def test_R10_network_namespaces(box, program, run):
    """By default none can be made; where it may make user namespaces, user.max_net_namespaces is the end."""
    refused = box.attack(program("resources"), "netns", "50")
    if not box.keeps_capabilities:
        assert (refused["netns"], refused["netns-count"]) == ("EPERM", "0"), refused
    results = box.attack(program("resources"), "nested", "netns", "20", userns=True)
    assert results["netns"] == "ok" and int(results["netns-count"]) == 20, results  # the control: those it may


@pytest.mark.vm
def test_P14_priority(box, program, run, user):
    """Nobody gets ahead by a capability in the sandbox: the kernel asks for those of the host. What lowers it is allowed (the
    lines good-…, the control for who is not root)."""
    limits = ["--rlimit", "nice=0", "--rlimit", "rtprio=0", "--rlimit", "memlock=64K"]
    results = box.attack(program("resources"), "priority", options=limits)
    good = {name: "ok" for name in ("good-nice", "good-batch", "good-io", "good-mlock")}
    assert results == {"nice": "EACCES", "fifo": "EPERM", "rr": "EPERM", "io-realtime": "EPERM", "mlock": "ENOMEM", **good}
    free = control(run, program("resources"), "priority")
    assert free.but("nice", "fifo", "rr", "io-realtime", "mlock") == good
    if user.is_root:
        assert free["nice"] == free["fifo"] == free["io-realtime"] == "ok", free


@pytest.mark.vm
def test_P14_limits_stay(box, program, run):
    """COMMAND cannot raise what was set: EPERM. Without a limit of ours the control may set what it has (good)."""
    results = box.attack(program("resources"), "rlimit-raise", options=["--rlimit", "nofile=64", "--rlimit", "core=0"])
    assert results == {"raise-nofile": "EPERM", "raise-core": "EPERM"}, results
    assert run(["sh", "-c", "ulimit -n 64 && ulimit -Sn 32 && ulimit -Sn 64"]).returncode == 0
