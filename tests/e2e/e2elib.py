# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the end-to-end tests share: usual options, descriptors with data, and reading what a sandbox looks like.

`look` (look.c) is a static program that describes paths as JSON, so it runs in an otherwise empty sandbox. Fixtures are
imported by the modules that use them.
"""
import contextlib
import json
import os
import pathlib
import re
import subprocess
import types

import pytest

HERE = pathlib.Path(__file__).resolve().parent
LOOK_C = HERE / "look.c"

# The whole host, read-only, and what most programs need besides. Provides "/", so both personalities show the same.
HOST = ["--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]
NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")
UNSHARED_BY_BOTH = ["--unshare-user", "--unshare-all"]

TMPFS, PROC, OVERLAY, MQUEUE, DEVPTS = 0x01021994, 0x9FA0, 0x794C7630, 0x19800202, 0x1CD1


def setup_status(personality):
    """Exit status of a start that failed before COMMAND."""
    return 125 if personality.name == "cloche" else 1


def assert_fails(result, personality, *texts):
    """The start failed, and the message says so in all these words."""
    assert result.returncode == setup_status(personality), result
    assert result.stderr.startswith(f"{personality.name}: "), result
    for text in texts:
        assert text in result.stderr, result


@pytest.fixture
def memfd():
    """memfd(data): a descriptor, at its start, from which `data` can be read."""
    fds = []

    def memfd(data=b""):
        data = data.encode() if isinstance(data, str) else data
        fd = os.memfd_create("test")
        fds.append(fd)
        os.write(fd, data)
        os.lseek(fd, 0, os.SEEK_SET)
        return fd

    yield memfd
    for fd in fds:
        os.close(fd)


@pytest.fixture
def pipe():
    """pipe(): (read end, write end); what the test leaves open is closed."""
    fds = []

    def pipe():
        ends = os.pipe()
        fds.extend(ends)
        return ends

    yield pipe
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)


@pytest.fixture
def opened():
    """opened(path, flags): a descriptor that is closed at the end."""
    fds = []

    def opened(path, flags=os.O_RDONLY):
        fds.append(os.open(path, flags))
        return fds[-1]

    yield opened
    for fd in fds:
        os.close(fd)


@pytest.fixture
def look(compile_c):
    """Path of the program of look.c."""
    return compile_c(LOOK_C)


def looks(text):
    """What `look` printed, as {path: object with its values as attributes}; a value that is missing is None."""
    class Look(types.SimpleNamespace):
        def __getattr__(self, name):
            return None

    return {value["path"]: Look(**value) for value in map(json.loads, text.splitlines())}


@pytest.fixture
def see(run, compile_c):
    """see([bwrap, OPTIONS...], paths...): {path: what is there inside}. `look` itself is bound on /look."""
    def see(argv, *paths, **rest):
        look = compile_c(LOOK_C)
        result = run([*argv, "--ro-bind", look, "/look", "--", "/look", *paths], **rest)
        assert result.returncode == 0, result
        return looks(result.stdout)

    return see


def read_mountinfo(text):
    """Mounts in the order of /proc/self/mountinfo: .id .parent .root .point .options .tags .fstype .source .super."""
    mounts = []
    for line in text.splitlines():
        before, after = line.split(" - ")
        fields, (fstype, source, options) = before.split(" "), after.split(" ", 2)
        unescaped = [re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field) for field in fields]
        mounts.append(types.SimpleNamespace(
            id=fields[0], parent=fields[1], root=unescaped[3], point=unescaped[4], options=set(fields[5].split(",")),
            tags=fields[6:], fstype=fstype, source=source, super=set(options.split(","))))
    return mounts


@pytest.fixture
def mounts(run):
    """mounts([bwrap, OPTIONS...]): the mounts inside. The options must provide /usr and /proc."""
    def mounts(argv, **rest):
        return read_mountinfo(run([*argv, "cat", "/proc/self/mountinfo"], check=True, **rest).stdout)

    return mounts


def mount_at(mounts, point):
    """The topmost mount on `point`."""
    found = [mount for mount in mounts if mount.point == point]
    assert found, f"nothing is mounted on {point}: {mounts}"
    return found[-1]


@pytest.fixture
def holder(popen):
    """holder(argv...): starts what holds namespaces and returns its pid; that of the child where unshare --fork makes one."""
    def holder(*argv):
        process = popen([*argv, "sh", "-c", "echo $$; exec sleep 1000"])
        inside = int(process.stdout.readline())
        return inside if "--fork" in argv and "--pid" not in argv else process.pid

    return holder


def allow(personality):
    """Under our own name nested user namespaces are forbidden by a limit of our namespace, which --userns replaces."""
    return ["--allow-userns"] if personality.name == "cloche" else []


def own_namespaces(pid="self"):
    return {name: os.readlink(f"/proc/{pid}/ns/{name}") for name in NAMESPACES}


@pytest.fixture
def namespaces(run):
    """namespaces([bwrap, OPTIONS...]): {name: id} of COMMAND."""
    def namespaces(argv, **rest):
        paths = [f"/proc/self/ns/{name}" for name in NAMESPACES]
        out = run([*argv, "readlink", *paths], check=True, **rest).stdout
        return dict(zip(NAMESPACES, out.split(), strict=True))

    return namespaces


def changed_namespaces(inside):
    return {name for name, identity in own_namespaces().items() if inside[name] != identity}


def status_of(text):
    """The lines of a /proc/PID/status, {name: value}."""
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def snapshot(directory):
    """Everything below `directory`: {relative path: (mode, size, link target or content)}."""
    found = {}
    for path in sorted(pathlib.Path(directory).rglob("*")):
        info = path.lstat()
        value = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(directory))] = (oct(info.st_mode), value)
    return found


# A mount namespace in which the test may mount: root's own, or one in a user namespace of the ordinary user's.
def in_own_mounts(user, script, *words):
    """argv that runs the shell `script` ("$1" is words[0]) where it may mount; the mounts are shared below /."""
    how = [] if user.is_root else ["--user", "--map-root-user"]
    return ["unshare", "--mount", *how, "--propagation", "private", "bash", "-euc", script, "bash", *words]


def has_program(name):
    return subprocess.run(["sh", "-c", f"command -v {name}"], stdout=subprocess.DEVNULL).returncode == 0
