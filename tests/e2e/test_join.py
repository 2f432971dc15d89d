# SPDX-License-Identifier: LGPL-2.1-or-later
"""Namespaces by reference: --netns, --ipcns, --utsns, --cgroupns, --timens, beside --userns and --pidns of
test_namespaces.py; and --pin, which keeps them."""
import os
import re
import signal
import subprocess

import pytest

from conftest import acting_as_root
from e2elib import (HOST, NAMESPACES, UNSHARED_BY_BOTH, allow, assert_fails, changed_namespaces, holder,  # noqa: F401
                    in_own_mounts, memfd, namespaces, opened, setup_status)

JOINABLE = ("net", "ipc", "uts", "cgroup", "time")
OWN_USERNS = ["--user", "--map-root-user"]
KINDS = ["--net", "--ipc", "--uts", "--cgroup", "--time", "--fork"]


@pytest.fixture
def given(holder, user):
    """Pid of a process with namespaces that the test's user may join: an ordinary user, with the user namespace."""
    return holder("unshare", *([] if user.is_root else OWN_USERNS), *KINDS)


def unscoped(personality):
    """Before Linux 6.12 the abstract sockets of a network that is not new are not kept away, which is to be accepted."""
    return ["--isolation", "try"] if personality.name == "cloche" else []


def owner(personality, user, pid):
    """Options with which a namespace of `pid` can be joined."""
    given = [] if user.is_root else ["--userns", f"/proc/{pid}/ns/user", *allow(personality)]
    return [*given, *unscoped(personality)]


def identity(pid, name):
    return os.readlink(f"/proc/{pid}/ns/{name}")


# ---- joining -----------------------------------------------------------------------------------------------------
@pytest.mark.vm
@pytest.mark.parametrize("name", JOINABLE)
def test_join(personality, run, user, given, opened, name):
    """By path, and by descriptor."""
    fd = opened(f"/proc/{given}/ns/{name}")
    assert identity(given, name) != identity("self", name)
    for reference in (f"/proc/{given}/ns/{name}", str(fd)):
        argv = [personality, *HOST, *owner(personality, user, given), f"--{name}ns", reference]
        result = run([*argv, "readlink", f"/proc/self/ns/{name}"], pass_fds=[fd])
        assert (result.returncode, result.stdout.strip()) == (0, identity(given, name)), result


def test_join_all(personality, run, user, given):
    options = [word for name in JOINABLE for word in (f"--{name}ns", f"/proc/{given}/ns/{name}")]
    result = run([personality, *HOST, *owner(personality, user, given), *options, "readlink",
                  *(f"/proc/self/ns/{name}" for name in JOINABLE)], check=True)
    assert result.stdout.split() == [identity(given, name) for name in JOINABLE]


def test_join_userns_by_path(personality, run, holder):
    pid = holder("unshare", *OWN_USERNS)
    result = run([personality, *HOST, *allow(personality), "--userns", f"/proc/{pid}/ns/user", "readlink",
                  "/proc/self/ns/user"])
    assert (result.returncode, result.stdout.strip()) == (0, identity(pid, "user")), result


def test_join_leaves_the_rest(personality, namespaces, user, given):
    """With --unshare-all, everything else is new."""
    argv = [personality, *HOST, *(["--unshare-user"] if user.is_root else []), *owner(personality, user, given)]
    for name in ("net", "uts"):
        # --unshare-all asks for a user namespace as well, which is not compatible with --userns.
        unshared = [f"--unshare-{other}" for other in ("ipc", "pid", "net", "uts", "cgroup") if other != name]
        inside = namespaces([*argv, *unshared, f"--{name}ns", f"/proc/{given}/ns/{name}"])
        assert inside[name] == identity(given, name)
        assert changed_namespaces(inside) == set(NAMESPACES)
        assert inside["ipc"] != identity(given, "ipc")


@pytest.mark.only_root
def test_join_with_unshare_all(personality, namespaces, given):
    inside = namespaces([personality, *HOST, "--unshare-all", "--netns", f"/proc/{given}/ns/net"])
    assert inside["net"] == identity(given, "net") and changed_namespaces(inside) == set(NAMESPACES)


@pytest.mark.only_root
def test_join_of_real_root_reaches_below(personality, run, holder):
    """A network namespace whose owner is a user namespace below ours."""
    pid = holder("unshare", *OWN_USERNS, *KINDS)
    result = run([personality, *HOST, "--netns", f"/proc/{pid}/ns/net", "readlink", "/proc/self/ns/net"])
    assert (result.returncode, result.stdout.strip()) == (0, identity(pid, "net")), result


def test_join_of_a_namespace_owned_further_below(personality, run, holder):
    """Its owner is a user namespace below that of --userns."""
    outer = holder("unshare", *OWN_USERNS)
    inner = holder("nsenter", "--user", "--preserve-credentials", "--target", str(outer), "unshare", *OWN_USERNS, *KINDS)
    result = run([personality, *HOST, *allow(personality), "--userns", f"/proc/{outer}/ns/user", "--netns",
                  f"/proc/{inner}/ns/net", "readlink", "/proc/self/ns/net", "/proc/self/ns/user"])
    assert result.stdout.split() == [identity(inner, "net"), identity(outer, "user")], result


def test_join_the_network_works(personality, run, user, given):
    """Its interfaces, and no power over them: under our own name COMMAND has no capabilities there."""
    argv = [personality, *HOST, *owner(personality, user, given), "--netns", f"/proc/{given}/ns/net"]
    script = "import socket; print([name for _, name in socket.if_nameindex()])"
    assert run([*argv, "/usr/bin/python3", "-c", script], check=True).stdout == "['lo']\n"
    if personality.name == "cloche":
        result = run([*argv, "ip", "link", "set", "lo", "up"])
        assert result.returncode != 0 and "not permitted" in result.stderr, result


def test_join_names_in_the_joined_uts_stay(personality, run, user, given):
    """--hostname would change what is not ours."""
    argv = [personality, *HOST, *owner(personality, user, given), "--utsns", f"/proc/{given}/ns/uts"]
    for option in ("--hostname", "--domainname"):
        assert_fails(run([*argv, option, "x", "true"]), personality, option, "uts")


@pytest.mark.only_user
def test_join_last_one_wins(personality, run, given):
    argv = [personality, *HOST, *allow(personality), "--userns", f"/proc/{given}/ns/user", "--netns", "/no/such/file",
            "--netns", f"/proc/{given}/ns/net"]
    result = run([*argv, "readlink", "/proc/self/ns/net"])
    assert result.stdout.strip() == identity(given, "net") and "--netns" in result.stderr, result


# ---- refused -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", JOINABLE)
def test_join_conflicts(personality, run, name):
    reference = f"/proc/self/ns/{name}"
    options = [f"--unshare-{name}", *([f"--share-{name}"] if name != "time" else [])]
    for option in options:
        result = run([personality, *HOST, f"--{name}ns", reference, option, "true"])
        assert_fails(result, personality, f"--{name}ns", f"is not compatible with {option}")


@pytest.mark.only_user
def test_join_needs_the_owner(personality, run, given):
    """An ordinary user's own network namespace, without the user namespace that owns it."""
    result = run([personality, *HOST, "--netns", f"/proc/{given}/ns/net", "true"])
    if personality.name == "bwrap":
        assert_fails(result, personality, "Setting netns failed: Operation not permitted")
    else:
        assert_fails(result, personality, "only together with the user namespace that owns it", "hint: add --userns")


def test_join_of_a_foreign_namespace(personality, run, holder, given):
    """Owned by another user namespace than that of --userns, and not below it."""
    other = holder("unshare", *OWN_USERNS)
    result = run([personality, *HOST, *allow(personality), "--userns", f"/proc/{other}/ns/user", "--netns",
                  f"/proc/{given}/ns/net", "true"])
    if personality.name == "bwrap":
        assert_fails(result, personality, "Setting netns failed: Operation not permitted")
    else:
        assert_fails(result, personality, "is not owned by the user namespace of --userns or one below it")


def test_join_of_a_namespace_above(personality, run, opened):
    """Root of a user namespace has no power over what the one above it owns."""
    fd = opened("/proc/self/ns/net")
    result = run(["unshare", *OWN_USERNS, personality, *HOST, "--netns", str(fd), "true"], pass_fds=[fd])
    if personality.name == "bwrap":
        assert_fails(result, personality, "Setting netns failed: Operation not permitted")
    else:
        assert_fails(result, personality, "is not owned by your user namespace or one below it")


@pytest.mark.only_user
def test_join_of_a_user_namespace_of_another(personality, run, popen, opened):
    """Root's, which the ordinary user got a descriptor of."""
    if os.getresuid()[2] != 0:
        pytest.skip("only root can make another user's namespace")
    process = popen([personality, *HOST, "true"])
    process.communicate(timeout=60)
    with acting_as_root():
        holder = subprocess.Popen(["unshare", "--user", "sh", "-c", "echo; exec sleep 1000"], stdout=subprocess.PIPE)
        try:
            holder.stdout.readline()
            fd = opened(f"/proc/{holder.pid}/ns/user")
        except BaseException:
            holder.kill()
            raise
    try:
        result = run([personality, *HOST, *allow(personality), "--userns", str(fd), "true"], pass_fds=[fd])
    finally:
        with acting_as_root():
            holder.kill()
            holder.communicate(timeout=60)
    assert_fails(result, personality, "its owner is uid 0" if personality.name == "cloche" else "Operation not permitted")


@pytest.mark.only_user
def test_join_of_a_process_of_another(personality, run):
    result = run([personality, *HOST, "--netns", "/proc/1/ns/net", "true"])
    assert_fails(result, personality, "/proc/1/ns/net: Permission denied")


@pytest.mark.parametrize("name", ("net", "ipc", "uts", "cgroup", "time", "pid", "user"))
def test_join_not_such_a_namespace(personality, run, tmp_path, memfd, name):
    other = "uts" if name != "uts" else "ipc"
    fd = memfd()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").write_text("net:[1]")
    references = [f"/proc/self/ns/{other}", "/etc/passwd", tmp_path / "fifo", tmp_path / "file", str(fd), tmp_path]
    for reference in references:
        result = run([personality, *HOST, *allow(personality), f"--{name}ns", reference, "true"], pass_fds=[fd])
        if personality.name == "cloche":
            assert_fails(result, personality, f"--{name}ns", f"is not a {name} namespace")
        elif name == "user":
            assert_fails(result, personality, "might not be a descendant")
        else:
            assert_fails(result, personality, f"Setting {name}ns failed: Invalid argument")


@pytest.mark.parametrize("name", ("net", "time", "pid", "user"))
def test_join_bad_reference(personality, run, name):
    is_bwrap = personality.name == "bwrap"
    for word in ("", "net", "-1", "5x", "0x5", "2147483648", " 5"):
        result = run([personality, *HOST, f"--{name}ns", word, "true"])
        assert_fails(result, personality, f"Invalid fd: {word}" if is_bwrap else "neither a file descriptor nor a path")
    result = run([personality, *HOST, *allow(personality), f"--{name}ns", "/no/such/file", "true"])
    assert_fails(result, personality, "/no/such/file: No such file or directory")
    result = run([personality, *HOST, *allow(personality), f"--{name}ns", "99", "true"])
    assert_fails(result, personality, "Bad file descriptor")


def test_join_is_checked_first(personality, run, tmp_path):
    """Before anything is made on the host."""
    result = run([personality, *HOST, "--bind", tmp_path, "/mnt", "--dir", "/mnt/made", "--netns", "/etc/passwd", "true"])
    assert result.returncode != 0 and not list(tmp_path.iterdir()), result


def test_join_is_explained(cloche, run):
    text = run([cloche, "--allow-userns", "--userns", "/proc/self/ns/user", "--netns", "/x/y", "--explain", "true"],
               check=True).stdout
    assert "joined: the user namespace of /proc/self/ns/user, whose maps tell the ids\n" in text
    assert "joined: the net namespace of /x/y\n" in text
    assert not re.search(r"^(namespaces|shared).*\b(net|user)\b", text, re.M)


# ---- --pin -------------------------------------------------------------------------------------------------------
PIN = '"$CLOCHE" --ro-bind / / --unshare-user --unshare-all --hostname pinned --pin "$1"'


def pinning(run, user, personality, tmp_path, script, check=True):
    """Runs a shell script where it may mount; $1 is the directory, $CLOCHE the program."""
    return run(in_own_mounts(user, script, str(tmp_path)), env={"CLOCHE": str(personality)}, check=check)


@pytest.mark.vm
def test_pin(personality, run, user, tmp_path):
    """They are there after the end, can be joined again, and one umount gives them up."""
    joined = f'"$CLOCHE" --ro-bind / / {" ".join(unscoped(personality))}'
    script = f"""
        {PIN} sh -c 'for n in user net ipc uts cgroup; do readlink /proc/self/ns/$n; done'
        for n in user net ipc uts cgroup; do stat -L -f -c %T "$1/$n"; done
        ls "$1" | tr '\\n' ' '; echo
        {joined} --netns "$1/net" --utsns "$1/uts" --ipcns "$1/ipc" --cgroupns "$1/cgroup" sh -c \
            'uname -n; for n in net ipc uts cgroup; do readlink /proc/self/ns/$n; done'
        umount -l "$1"
        ls -A "$1" | wc -l
        """
    lines = pinning(run, user, personality, tmp_path, script).stdout.splitlines()
    first = dict(zip(("user", "net", "ipc", "uts", "cgroup"), lines[:5], strict=True))
    assert lines[5:10] == ["nsfs"] * 5
    assert lines[10].split() == ["cgroup", "ipc", "net", "pid", "user", "uts"]
    assert lines[11] == "pinned"
    assert lines[12:16] == [first[name] for name in ("net", "ipc", "uts", "cgroup")]
    assert lines[16:] == ["0"]


def test_pin_time(personality, run, user, tmp_path):
    script = f"""
        {PIN} --unshare-time --time-offset boottime:100000 readlink /proc/self/ns/time
        "$CLOCHE" --ro-bind / / --timens "$1/time" readlink /proc/self/ns/time
        "$CLOCHE" --ro-bind / / --timens "$1/time" cat /proc/self/timens_offsets
        """
    lines = pinning(run, user, personality, tmp_path, script).stdout.splitlines()
    assert lines[0] == lines[1] and re.search(r"boottime +100000 ", lines[3]), lines


def test_pin_pidns_of_a_running_one(personality, run, user, tmp_path):
    """The pid namespace can be joined while its first process lives, and not after."""
    enter = f'"$CLOCHE" --ro-bind / / {" ".join(allow(personality))} --userns "$1/user" --pidns "$1/pid"'
    script = f"""
        coproc {PIN} --proc /proc sh -c 'readlink /proc/self/ns/pid; read x'
        read pid <&"${{COPROC[0]}}"
        until test -e "$1/uts" && stat -f -c %T "$1/uts" | grep -q nsfs; do sleep 0.01; done
        test "$pid" = "$({enter} --proc /proc readlink /proc/self/ns/pid)" && echo joined
        echo >&"${{COPROC[1]}}"; wait "$COPROC_PID"
        while {enter} true; do sleep 0.01; done  # as bwrap, the first process may end a little later than we
        echo ended
        """
    result = pinning(run, user, personality, tmp_path, script)
    assert result.stdout.splitlines() == ["joined", "ended"], result


def left(tmp_path):
    with open("/proc/self/mountinfo") as file:
        mounts = [line for line in file if str(tmp_path) in line]
    return mounts + os.listdir(tmp_path)


LEFT = 'grep -c " $1" /proc/self/mountinfo || true; ls -A "$1" | wc -l'


@pytest.mark.parametrize("command", ["/no/such/command", "/etc/passwd"])
def test_pin_of_a_failed_start(personality, run, user, tmp_path, command):
    result = pinning(run, user, personality, tmp_path, f"{PIN} {command} || {{ {LEFT}; }}", check=False)
    assert result.stdout.split() == ["0", "0"], result


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_pin_of_an_interrupted_start(personality, run, user, tmp_path, number):
    """Held up by --block-fd, and ended then."""
    script = f"""
        mkfifo "$1.fifo"; exec 8<>"$1.fifo"
        {PIN} --block-fd 8 true & p=$!
        until test -n "$(cat /proc/$p/task/$p/children)"; do sleep 0.01; done
        child=$(cat /proc/$p/task/$p/children)
        until ! cmp -s /proc/${{child%% *}}/mountinfo /proc/$p/mountinfo; do sleep 0.01; done  # held by --block-fd
        kill -{int(number)} $p; wait $p || true
        {LEFT}; rm "$1.fifo"
        """
    directory = tmp_path / "pin"
    directory.mkdir()
    result = pinning(run, user, personality, directory, script, check=False)
    assert result.stdout.split() == ["0", "0"], result


def test_pin_where_the_directory_is_gone(personality, run, user, tmp_path):
    """By the time that COMMAND runs: the sandbox ends, and the start has failed."""
    script = f"""
        mkfifo "$1.fifo"; exec 8<>"$1.fifo"
        {PIN} --block-fd 8 sleep 1000 & p=$!
        until test -n "$(cat /proc/$p/task/$p/children)"; do sleep 0.01; done
        child=$(cat /proc/$p/task/$p/children)
        until ! cmp -s /proc/${{child%% *}}/mountinfo /proc/$p/mountinfo; do sleep 0.01; done
        rmdir "$1"; echo >&8; wait $p && r=0 || r=$?
        echo "status $r"; mkdir "$1"; {LEFT}; rm "$1.fifo"
        """
    directory = tmp_path / "pin"
    directory.mkdir()
    result = pinning(run, user, personality, directory, script, check=False)
    assert result.stdout.split() == ["status", str(setup_status(personality)), "0", "0"], result
    assert f"{directory}: No such file or directory" in result.stderr, result


@pytest.mark.only_user
def test_pin_needs_the_right_to_mount(personality, run, tmp_path):
    for start in ([], ["unshare", *OWN_USERNS]):  # root of a user namespace alone owns no mount namespace
        result = run([*start, personality, *HOST, "--pin", tmp_path, "true"])
        assert_fails(result, personality, str(tmp_path), "not permitted")
        assert personality.name == "bwrap" or "hint: only who may mount" in result.stderr
        assert not left(tmp_path)


def test_pin_directory(personality, run, user, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    result = run([personality, *HOST, "--pin", tmp_path / "full", "true"])
    assert_fails(result, personality, "Directory not empty")
    for path, error in ((tmp_path / "missing", "No such file"), (tmp_path / "full" / "file", "Not a directory")):
        assert_fails(run([personality, *HOST, "--pin", path, "true"]), personality, str(path), error)


def test_pin_twice(personality, run, user, tmp_path):
    """What an earlier one left would be out of reach."""
    result = pinning(run, user, personality, tmp_path, f"{PIN} true; {PIN} true || echo refused")
    assert result.stdout == "refused\n" and "Directory not empty" in result.stderr, result


def test_pin_with_userns(personality, run, holder, tmp_path):
    pid = holder("unshare", *OWN_USERNS)
    result = run([personality, *HOST, *allow(personality), "--userns", f"/proc/{pid}/ns/user", "--pin", tmp_path, "true"])
    assert_fails(result, personality, "--pin", "is not compatible with --userns")
    assert not left(tmp_path)


def test_pin_is_explained(cloche, run):
    text = run([cloche, "--pin", "/run/x", "--explain", "true"], check=True).stdout
    assert "new namespaces kept as files in: /run/x\n" in text
