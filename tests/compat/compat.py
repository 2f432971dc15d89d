# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a command line of cases/ under one bubblewrap and puts what it did into a form that can be compared.

A file of cases/ holds one case after another:

    [name] --option --other ; flags
    ! mkdir src; echo hello >src/file
    $B $R @{--bind src /mnt@} $P cat /mnt/file

`[name]` is followed by the options which the case covers and, after `;`, flags (below). Lines with `!` set up the
working directory, a new one for each run; the rest is the command line, a piece of bash run by the test's user in that
directory. Between `@{` and `@}` stands what the case is about; the control is the same line without it, or, for
`@{with@|without@}`, with the second text. A line without marks has no control: it must have the flag `default` and
shows what holds without any option.

    $B   the bubblewrap under test                    $R   --ro-bind / /
    $P   probe.c: prints all it sees, then becomes    $U   a small root on a tmpfs with /usr and /proc, where the
         the words after it                                probe is /probe ($N: the same without /proc)
    $Q   /probe

Flags
    0.8       0.8.0 does the same as 0.13.1 (0.8-user, 0.8-root: only as this user); where it is not given, 0.8.0 lacks
              the option or does something else. Mounts on one another do not count: 0.8.0 forgets the lower ones
    user, root   only for this user: the line means something else, or nothing, for the other
    raw       as it is: the order of the environment; in the mount table the names of temporary files, the root field
              and the superblock options of the root tmpfs, and the paths of overlays
    leaves    processes may outlive the line: they are killed. Without this flag they are counted, aspect `left`
    hangs     bubblewrap never ends (a process of it waits for ever): it is stopped, status "hangs"
    default   no control
"""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
FLAGS = {"0.8", "0.8-user", "0.8-root", "user", "root", "raw", "leaves", "hangs", "default"}
MARK = re.compile(r"@\{(.*?)(?:@\|(.*?))?@\}", re.S)


# ---- the cases ---------------------------------------------------------------------------------------------------
class Case:
    """One command line."""

    def __init__(self, where, name, options, flags):
        self.where, self.name, self.options, self.flags = where, name, options, flags
        self.setup, self.line = "", ""

    def __repr__(self):
        return self.name

    @property
    def with_option(self):
        return MARK.sub(lambda m: m[1], self.line)

    @property
    def without_option(self):
        return MARK.sub(lambda m: m[2] or "", self.line)

    @property
    def has_control(self):
        return bool(MARK.search(self.line))

    @staticmethod
    def words(line):
        """The words of a line that look like options."""
        return re.findall(r"(?<![^\s'])--[a-z0-9-]*", line)

    def is_for(self, user):
        wanted = self.flags & {"user", "root"}
        return not wanted or ("root" if user.is_root else "user") in wanted

    def is_the_same_in_0_8(self, user):
        return bool(self.flags & {"0.8", "0.8-root" if user.is_root else "0.8-user"})


def read_cases():
    """All cases, in the order of the files' names."""
    cases = []
    for path in sorted((HERE / "cases").iterdir()):
        for number, text in enumerate(path.read_text().splitlines(), 1):
            where = f"{path.name}:{number}"
            head = re.fullmatch(r"\[(\w+)\]([^;]*)(?:;(.*))?", text)
            if head:
                flags = set((head[3] or "").split())
                assert flags <= FLAGS, f"{where}: unknown flag in {flags}"
                cases.append(Case(where, head[1], head[2].split(), flags))
            elif text.startswith("! "):
                cases[-1].setup += text[2:] + "\n"
            elif text.strip() and not text.startswith("#"):
                cases[-1].line += text + "\n"
    return cases


class Difference:
    """A line of `differences`."""

    def __init__(self, where, case, half, aspect, ours, reason):
        self.where, self.case, self.half, self.aspect, self.reason = where, case, half, aspect, reason
        self.ours = re.compile(ours, re.M)

    def is_for(self, case, user):
        return self.case == case.name and self.half in (None, "root" if user.is_root else "user")


def read_differences():
    found = []
    for number, text in enumerate((HERE / "differences").read_text().splitlines(), 1):
        if text and not text.startswith("#"):
            line = re.fullmatch(r"(\w+)(?:\[(root|user)\])? \| (\w+) ~ (.+) \| (.+)", text)
            assert line, f"differences:{number}: {text}"
            found.append(Difference(f"differences:{number}", *line.groups()))
    return found


# ---- one run -----------------------------------------------------------------------------------------------------
class Runner:
    """Runs lines for one user. `start` is conftest's: it knows the user's environment."""

    def __init__(self, user, probe, directory, start, children, kill_tree):
        self.user, self.probe, self.directory = user, str(probe), pathlib.Path(directory)
        self.start, self.children, self.kill_tree = start, children, kill_tree

    def words(self, program):
        small = ("--ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64 "
                 f"--ro-bind {self.probe} /probe")
        return {"B": program, "P": self.probe, "Q": "/probe", "R": "--ro-bind / /", "N": small,
                "U": small + " --proc /proc"}

    def run(self, program, case, line, may_hang=False):
        """The aspects of one run, normalised: {name: text}."""
        limit = 1 if may_hang and "hangs" in case.flags else 60
        grace = 0 if "leaves" in case.flags else 10
        words = self.words(program)
        line = re.sub(r"\$([BPQRNU])\b", lambda m: words[m[1]], line)
        work = self.directory / "w"
        if work.exists():
            subprocess.run(["chmod", "-R", "u+rwX", work], check=True)
            shutil.rmtree(work)
        work.mkdir(mode=0o755)
        before = set(self.children())
        if case.setup:
            done = self.start(self.user, ["bash", "-e", "-c", case.setup], cwd=work)
            out, err = done.communicate(timeout=60)
            assert done.returncode == 0, f"set-up failed: {case.setup}: {out}{err}"
        process = self.start(self.user, ["bash", "-c", f". {HERE}/prelude.sh\n{line}"], cwd=work, text=False)
        try:
            stdout, stderr = process.communicate(timeout=limit)
            status = process.returncode
        except subprocess.TimeoutExpired:
            self.kill_tree(process)
            left = self.end_children(before)
            stdout, stderr = process.communicate()
            status = "hangs"
        else:
            left = self.settle(before, grace)
        aspects = split(stdout.decode("utf-8", "replace"))
        aspects.update(status=str(status), stderr=stderr.decode("utf-8", "replace"), left=str(left))
        return normalise(case, {name: text.replace(program, "BWRAP") for name, text in aspects.items()})

    def settle(self, before, grace):
        """How many processes outlive the line. What is on its way out is given time; the rest is killed."""
        end = time.monotonic() + grace
        while self.living(before) and time.monotonic() < end:
            for pid in set(self.children()) - before:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
            time.sleep(0.005)
        return self.end_children(before)

    def living(self, before):
        return {pid for pid, state in self.children().items() if state not in "ZX"} - before

    def end_children(self, before):
        """Kill what is left, and reap it: pid 1 of a pid namespace ends only after all others in it are reaped."""
        killed = set()
        end = time.monotonic() + 30
        while set(self.children()) - before:
            assert time.monotonic() < end, f"cannot be killed: {set(self.children()) - before}"
            for pid in self.living(before):
                killed.add(pid)
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            for pid in set(self.children()) - before:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
            time.sleep(0.002)
        return len(killed)


def split(text):
    """The probe's lines by aspect; all other lines are the aspect stdout."""
    aspects = {"stdout": ""}
    for line in text.splitlines(keepends=True):
        fact = re.match(r"%(\w+) (.*\n?)", line)
        name, value = (fact[1], fact[2]) if fact else ("stdout", line)
        aspects[name] = aspects.get(name, "") + value
    return aspects


# ---- normalising -------------------------------------------------------------------------------------------------
HOST_NAMESPACES = {kind: os.readlink(f"/proc/self/ns/{kind}")
                   for kind in ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time")}


def normalise_namespaces(text):
    kinds = []
    for line in text.split():
        kind = line.split(":")[0]
        kinds.append(f"{kind} {'the host' if HOST_NAMESPACES[kind] == line else 'new'}")
    return "\n".join(kinds)


def normalise_mount(line, raw):
    """One line of mountinfo: without ids; device numbers of file systems without a device are one another's equals."""
    fields = line.split(" ")
    dash = fields.index("-")
    device, root, point, options = fields[2:6]
    propagation = [re.sub(r":\d+", "", f) for f in fields[6:dash]]
    kind, source, super_options = fields[dash + 1:]
    if kind == "overlay" and not raw:  # by path or by descriptor, and where the layers of --tmp-overlay lie
        super_options = re.sub(r"(?<![^,])(lowerdir\+?|upperdir|workdir)=[^,]*,?", "", super_options)
    device = "anonymous" if device.startswith("0:") else device
    if not raw:
        if root.endswith("//deleted"):
            root = "temporary file"  # --bind-data: its name and the place of it are nobody's business
        if re.fullmatch(r"/data-\d+", root):
            root, super_options = "temporary file", re.sub(r",mode=755\b", "", super_options)
        if kind == "tmpfs" and point == "/" and root in ("/", "/newroot", "/root"):
            root = "/"  # the directory of the first tmpfs that became the root
            super_options = re.sub(r",mode=755\b", "", super_options)
    return " ".join([point, root, device, options, *propagation, "-", kind, source, super_options])


def normalise_mounts(text, raw):
    """Sorted by mount point; what lies on one point stays in its order."""
    lines = [normalise_mount(line, raw) for line in text.splitlines()]
    return "\n".join(sorted(lines, key=lambda line: line.split(" ")[0]))


def normalise(case, aspects):
    """What two runs of one program have in common."""
    result = dict(aspects)
    for name in ("fds", "stdout", "stderr"):
        result[name] = re.sub(r"\b(pipe|socket|user|pid|net):\[\d+\]", r"\1", result.get(name, ""))
        result[name] = re.sub(r"(?<=/proc/)\d+(?=/)", "PID", result[name])
        result[name] = re.sub(r"/dev/pts/\d+", "/dev/pts/N", result[name])
        result[name] = re.sub(r"^bash: line \d+: +\d+ ", "bash: ", result[name], flags=re.M)
    result["namespaces"] = normalise_namespaces(result.get("namespaces", ""))
    try:
        result["mounts"] = normalise_mounts(result.get("mounts", ""), "raw" in case.flags)
    except ValueError:
        pass  # /proc/self/mountinfo could not be opened: the reason is the text
    if "raw" not in case.flags:
        result["env"] = "\n".join(sorted(result.get("env", "").splitlines()))
    for name in ("uid_map", "gid_map"):
        result[name] = "\n".join(" ".join(line.split()) for line in result.get(name, "").splitlines())
    if case.flags & {"leaves", "hangs"}:
        result.pop("left")
    return {name: text.strip("\n") for name, text in result.items()}


def without_stacks(mounts):
    """The mount table without the points on which several mounts lie: 0.8.0 forgets the flags of the lower ones."""
    lines = mounts.splitlines()
    points = [line.split(" ")[0] for line in lines]
    return [line for line, point in zip(lines, points) if points.count(point) == 1]


BESIDE_THE_PROBE = {"status", "stdout", "stderr", "left"}


def differing(one, other, is_old=False):
    """Names of the aspects in which two runs differ; `is_old`: one of them is 0.8.0's.

    Where the probe ran in only one of them that is one difference, "probe", and not one for each thing it saw."""
    names = {name for name in {*one, *other} if one.get(name, "") != other.get(name, "")}
    if is_old and "mounts" in names and without_stacks(one["mounts"]) == without_stacks(other["mounts"]):
        names.remove("mounts")
    if ("argv0" in one) != ("argv0" in other):
        names = names & BESIDE_THE_PROBE | {"probe"}
    return sorted(names)


def value(aspects, name):
    """The text of an aspect; of "probe": all that the probe saw."""
    if name == "probe":
        return "\n".join(f"{key} {line}" for key, text in sorted(aspects.items()) if key not in BESIDE_THE_PROBE
                         for line in text.splitlines()) if "argv0" in aspects else ""
    return aspects.get(name, "")
