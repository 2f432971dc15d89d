# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of callers share: a bwrap behind the recorder, and a home in which to run callers as the user."""
import contextlib
import difflib
import itertools
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import struct
import subprocess
import zlib

import pytest

HERE = pathlib.Path(__file__).resolve().parent
HANG = 300  # seconds after which a command counts as hung; nothing is asserted about time
COLOUR = (0x12, 0xA4, 0x5C)  # of pictures and pages that the tests make
_numbers = itertools.count()

PER_START = ("DBUS_", "FLATPAK_BWRAP=", "PATH=")  # environment

# Prints what a program inside a sandbox sees of its world, for a shell with the usual small programs.
VIEW = r"""
echo == mounts; cat /proc/self/mountinfo
echo == environment; env
echo == descriptors; for f in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 20 30 40; do
	[ -e /proc/$$/fd/$f ] && echo "$f is open"; done
echo == status; grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp|SigBlk|SigIgn|Umask)' /proc/self/status
echo == maps; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups
echo == files; for d in / /app /dev /dev/* /run /run/* /run/user/* /var /home /etc /usr /proc; do
	for f in "$d"/*; do
		case "$f" in /proc/[0-9]*|/proc/*self) ;; *) stat -c '%A %u %g %N' "$f" 2>&1;; esac
	done; done
echo == cwd; pwd; readlink /proc/self/cwd
echo == namespaces; for n in user mnt pid net ipc uts cgroup; do
	eval "[ \"\$(readlink /proc/self/ns/$n)\" = \"\$HOST_$n\" ]" && echo "$n shared" || echo "$n own"; done
echo == processes; for p in /proc/[0-9]*; do echo one; done
"""


def need(*names):
    """Skips, naming what is missing, when a program or file of some package is not there."""
    missing = [n for n in names if not (os.path.exists(n) if "/" in n else shutil.which(n))]
    if missing:
        pytest.skip("not installed, see packages.txt: " + ", ".join(missing))


def need_typelib(namespace, version):
    """Skips unless PyGObject and the introspection data of a library are installed."""
    code = f"import gi; gi.require_version({namespace!r}, {version!r})"
    if subprocess.run(["/usr/bin/python3", "-c", code], capture_output=True).returncode != 0:
        pytest.skip(f"not installed, see packages.txt: python3-gi with {namespace} {version}")


class Bwrap:
    """One bwrap binary, copied to where every user can reach it, behind the recorder."""

    def __init__(self, name, binary, top, user):
        directory = top / name
        self.name, self.bin, self.log = name, directory / "bin", directory / "starts.jsonl"
        self.shim, self.real = self.bin / "bwrap", directory / "real" / "bwrap"
        for made in (directory, self.bin, self.real.parent):
            made.mkdir()
            made.chmod(0o755)
        shutil.copy(binary, self.real)
        self.real.chmod(0o755)
        self.log.touch()
        if os.geteuid() == 0:
            os.chown(self.log, user.uid, user.gid)
        subprocess.run(["gcc", "-O1", "-Wall", "-Werror", f'-DREAL="{self.real}"', f'-DLOG="{self.log}"',
                        "-o", self.shim, HERE / "record_exec.c"], check=True)
        self.shim.chmod(0o755)

    def starts(self):
        """What the log says since the last clear(): one dict per start."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def words(self):
        """One list per start: the words of the command line, those of --args files in their place."""
        return [expand(start) for start in self.starts()]

    def clear(self):
        """Empties the log, of which $CLOCHE_CALLERS_LOG, if set, names the file that keeps a copy."""
        kept = os.environ.get("CLOCHE_CALLERS_LOG")
        if kept:
            with open(kept, "a", encoding="utf-8") as file:
                file.write(self.log.read_text())
        os.truncate(self.log, 0)


def expand(start):
    """The words of one recorded start with each --args FD replaced by what it held."""
    words, argv = [], iter(start["argv"])
    for word in argv:
        if word == "--args":
            fd = next(argv)
            words += start["args"].get(fd) or ["--args", fd]
        else:
            words.append(word)
    return words


class Session:
    """A temporary home and the means to run commands in it as the ordinary user, whoever started pytest."""

    def __init__(self, top, user, bwrap):
        self.top, self.user, self.bwrap = top, user, bwrap
        self.home, self.work = self.make("home", 0o700), self.make("work")
        self.env = {
            "PATH": f"{bwrap.bin}:/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "SHELL": "/bin/sh",
            "HOME": str(self.home), "USER": user.name, "LOGNAME": user.name,
            "TMPDIR": str(self.make("tmp", 0o700)), "XDG_RUNTIME_DIR": str(self.make("run", 0o700)),
        }

    def drop(self):
        """The command prefix that turns root into the user."""
        if os.geteuid() != 0 or self.user.uid == 0:
            return []
        return ["setpriv", f"--reuid={self.user.uid}", f"--regid={self.user.gid}", "--clear-groups", "--"]

    def give(self, path):
        if os.geteuid() == 0:
            os.chown(path, self.user.uid, self.user.gid)

    def make(self, name, mode=0o755):
        """Makes a directory below the session's own, belonging to the user."""
        path = self.top / name
        path.mkdir()
        path.chmod(mode)
        self.give(path)
        return path

    def write(self, name, text, mode=0o644):
        """Writes a file into the working directory, belonging to the user."""
        path = self.work / name
        path.write_text(text)
        path.chmod(mode)
        self.give(path)
        return path

    def popen(self, command, env=None, prefix=(), **options):
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
                   "text": True, "cwd": self.work, **options}
        return subprocess.Popen([*map(str, prefix), *self.drop(), *map(str, command)],
                                env={**self.env, **(env or {})}, **options)

    def end(self, process):
        """Ends a command that popen() started with start_new_session, and all that stayed in its group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        return process.communicate(timeout=HANG)

    def run(self, command, status=0, input=None, **options):
        """Runs a command to its end and asserts its exit status (None: any)."""
        if input is not None:
            options["stdin"] = subprocess.PIPE
        with self.popen(command, **options) as process:
            try:
                out, err = process.communicate(input, timeout=HANG)
            except subprocess.TimeoutExpired:
                process.kill()
                pytest.fail(f"hung: {command}\nstarts: {self.bwrap.words()}")
        result = subprocess.CompletedProcess(command, process.returncode, out, err)
        if status is not None and result.returncode != status:
            pytest.fail(f"{shlex.join(map(str, command))}: exit status {result.returncode}, expected {status}\n"
                        f"{out}\n{err}\nstarts: {self.bwrap.words()}")
        return result


@contextlib.contextmanager
def new_session(top, user, bwrap):
    """An empty home for one binary, whose log is emptied. Short names: sockets are made below."""
    bwrap.clear()
    path = top / str(next(_numbers))
    path.mkdir()
    path.chmod(0o755)
    yield Session(path, user, bwrap)
    bwrap.clear()
    shutil.rmtree(path)


def in_place_of_system_bwrap(session):
    """The command prefix under which /usr/bin/bwrap is the recorder, in a mount namespace of its own.

    Root makes just that namespace; an ordinary user needs a user namespace for it too, and a second
    one to be himself again, without capabilities.
    """
    script = 'mount --bind "$0" /usr/bin/bwrap && exec "$@"'
    if os.geteuid() == 0:
        return ["unshare", "--mount", "sh", "-c", script, session.bwrap.shim]
    return ["unshare", "--map-root-user", "--mount", "sh", "-c", script, session.bwrap.shim,
            "unshare", "--user", f"--map-user={session.user.uid}", f"--map-group={session.user.gid}"]


def on_bus(command):
    """The command on a D-Bus of its own, which serves as session and as system bus."""
    return ["dbus-run-session", "--", "sh", "-c",
            'DBUS_SYSTEM_BUS_ADDRESS=$DBUS_SESSION_BUS_ADDRESS exec "$@"', "sh", *command]


def host_namespaces():
    """Environment variables that tell VIEW which namespaces are the host's."""
    names = ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup")
    return {f"HOST_{name}": os.readlink(f"/proc/self/ns/{name}") for name in names}


def view(text):
    """VIEW's output as {section: sorted lines}, without what differs between two starts of the same binary.

    Nor with what is meant to differ: for --dev bubblewrap maps uid 0 in a user namespace around COMMAND's, which
    shows in uid_map and as the owner of /dev/pts; we do with one namespace.
    """
    sections = {}
    for line in text.splitlines():
        if line.startswith("== "):
            lines = sections.setdefault(line[3:], [])
        elif sections and not line.startswith(PER_START):  # not what the caller printed, nor makes anew each time
            lines.append(line)
    assert len(sections) == 9 and all(sections.values()), text
    sections["mounts"] = visible_mounts(sections["mounts"])
    sections["maps"] = map(map_line, sections["maps"])
    sections["files"] = [re.sub(r"^(\S+) \d+ \d+ (?='?/dev/pts'?$)", r"\1 ", line) for line in sections["files"]]
    return {name: sorted(map(without_numbers, lines)) for name, lines in sections.items()}


def without_numbers(line):
    """The line without process ids and the random parts of temporary names."""
    return re.sub(r"\b[0-9a-f]{32}\b|[0-9]{5,}|\bpid-[0-9]+|(?<=proxy-)[A-Z0-9]{6}|(?<=/bindfile)\w{6}", "N", line)


def visible_mounts(lines):
    """The mounts of a mountinfo that no other one covers, without their own, their parents' and peers' numbers."""
    mounts = {line.split()[0]: line.split()[:6] for line in lines}

    def ancestors(number):
        while number in mounts:
            yield number
            number = mounts[number][1]

    def is_covered(number):
        point = mounts[number][4]
        for other, (_, parent, _, _, over, _) in mounts.items():
            if parent == number and over == point:
                return True
            below = over == "/" or point == over or point.startswith(over + "/")
            if below and other not in ancestors(number) and number not in ancestors(other):
                return True
        return False

    return [mount_line(line) for line in lines if not is_covered(line.split()[0])]


def map_line(line):
    """A line of uid_map without the id outside, which is the one in the user namespace around."""
    return " ".join(line.split()[::2])


def mount_line(line):
    left, right = line.split(" - ")
    _, _, _, root, point, options, *tags = left.split()
    kind, source, superblock = right.split()
    tags = sorted(tag.split(":")[0] for tag in tags)
    if kind == "tmpfs" and (root != "/" or point == "/"):  # the root, and data files: what the hidden tmpfs calls them
        root, superblock = "(private)", superblock.replace("mode=755,", "")
    return " ".join([point, kind, source, root, options, *tags, ",".join(sorted(superblock.split(",")))])


def assert_same_view(expected, got):
    """Fails with the lines that differ between the control's view (-) and that of the binary under test (+)."""
    found = []
    for name in expected:
        lines = difflib.ndiff(expected[name], got[name])
        found += [f"{name}: {line}" for line in lines if line[0] in "-+"]
    if found:
        pytest.fail("views differ:\n" + "\n".join(found), pytrace=False)


def png(size):
    """A square PNG of one colour."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = (b"\0" + bytes(COLOUR) * size) * size
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
