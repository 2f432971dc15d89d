# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fixtures of all pytest tests: which binary, which user, how to run it, and that nothing is left behind.

    def test_ro_bind_write(cloche, run, tmp_path):
        result = run([cloche, "--ro-bind", "/", "/", "--", "touch", "/x"])
        assert result.returncode == 1
        assert "Read-only file system" in result.stderr

cloche, bwrap   paths of the built programs: $CLOCHE_BUILD/cloche and /bwrap (default <repository>/build)
user            every test below e2e/, attack/, compat/ and vm/ runs once per user, with ids [root] and [user]; the fixture is
                autouse. pytest started by root runs both: for [user] the whole process is that user for the length of
                the test (effective ids and groups, so files which the test makes are the user's and programs which it
                starts are the user's for good). Started by an ordinary user there is only [user]. user.name, user.uid,
                user.gid, user.home, user.is_root. Markers only_root, only_user; pytest --as root|user takes one half.
                $CLOCHE_TEST_USER names the ordinary user (default: cloche-test, else tester).
personality     for tests that hold under both names: ids [cloche] and [bwrap]; personality.name, str(personality) is
                the path. @pytest.mark.personalities("bwrap") limits it.
run(argv, ...)  starts argv, waits, returns subprocess.CompletedProcess with text in stdout and stderr. Defaults: stdin
                /dev/null, no descriptor above 2 (pass_fds=), working directory / (cwd=), own session, 60 s (timeout=),
                a small fixed environment (env= adds to it, a value None removes; exact_env= replaces it).
                text=False for bytes. A sanitizer's report on stderr fails the test.
popen(argv,...) the same, but returns the running subprocess.Popen (pipes on stdout and stderr); what still runs at
                the test's end is killed by pid, and reaped.
tmp_path        a new directory that belongs to the test's user (pytest's own would be root's), removed afterwards
compile_c(src)  compiles a C file (a Path) or C text (a str) once, statically (static=False, flags=[...]); returns
                the path, which every user may execute
without_syscalls(names, argv, error="ENOSYS")   the argv that runs argv with these system calls refused
net, world      for tests of --net: netlib.py
kernel          the running kernel's version as a tuple, (6, 18)
pids_in_pid_namespace(inode), pid_namespace(pid), wait_until(predicate): functions, `from conftest import ...`

Skips: a skip that tests/allowed-skips does not list is a failure (README there). xfail is treated like a skip.
Leftovers: pytest is made a subreaper, so whatever outlives its test becomes our child: after each test no child may
be alive that was not there before; at the end no mount, cgroup or temporary file may be left.
Module- or session-scoped processes: start them with subprocess and register with outlives_test(process).
"""
import contextlib
import ctypes
import fcntl
import grp
import hashlib
import os
import pathlib
import platform
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
import weakref

import pytest

from allowed_skips import is_allowed_skip

__all__ = ["BUILD", "KERNEL", "REPOSITORY", "TESTS", "outlives_test", "pid_namespace", "pids_in_pid_namespace", "wait_until"]

TESTS = pathlib.Path(__file__).resolve().parent
REPOSITORY = TESTS.parent
BUILD = pathlib.Path(os.environ.get("CLOCHE_BUILD") or REPOSITORY / "build").resolve()
KERNEL = tuple(int(n) for n in re.match(r"(\d+)\.(\d+)", platform.release()).groups())
PER_USER = ("e2e", "attack", "compat", "vm")  # directories whose tests run once per user
IS_ROOT = os.geteuid() == 0
# Seconds for what is dying anyway at the end of a test: kernels need many for network namespaces while others come and go.
GRACE = float(os.environ.get("CLOCHE_GRACE", 30))
ALONE = bool(os.environ.get("CLOCHE_CHECK"))  # set by ./check, whose mount namespace is its own
SANITIZER_REPORT = re.compile(
    r"ERROR: (Address|Leak|UndefinedBehavior)Sanitizer|AddressSanitizer:DEADLYSIGNAL|: runtime error: ")

pytest_plugins = ["netlib"]
libc = ctypes.CDLL(None, use_errno=True)
PR_SET_CHILD_SUBREAPER, PR_SET_DUMPABLE = 36, 4


# ---- which user --------------------------------------------------------------------------------------------------
class User:
    """Who starts the sandbox: root, or the ordinary user."""

    def __init__(self, entry):
        self.name, self.uid, self.gid, self.home = entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir
        self.is_root = self.uid == 0
        self.groups = sorted({self.gid, *(g.gr_gid for g in grp.getgrall() if self.name in g.gr_mem)})

    def __str__(self):
        return self.name


def ordinary_user():
    """The ordinary user of the tests: ourselves, or, where we are root, the one made for that."""
    if not IS_ROOT:
        return User(pwd.getpwuid(os.geteuid()))
    for name in filter(None, (os.environ.get("CLOCHE_TEST_USER"), "cloche-test", "tester")):
        with contextlib.suppress(KeyError):
            return User(pwd.getpwnam(name))
    pytest.exit("no ordinary user for the tests: run `useradd -m cloche-test`, or set CLOCHE_TEST_USER", 3)


@contextlib.contextmanager
def acting_as(user):
    """Make this process `user` in all but its saved uid, which the next execve(2) gives up as well."""
    if user.uid == os.geteuid():
        yield
        return
    groups = os.getgroups()
    os.setgroups(user.groups)
    os.setresgid(user.gid, user.gid, 0)
    os.setresuid(user.uid, user.uid, 0)
    libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # else /proc/self belongs to root until the next execve
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)
        os.setgroups(groups)
        libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)


@contextlib.contextmanager
def acting_as_root():
    """Inside acting_as(): root again, for what only root may do; nothing where pytest was not started by root."""
    ids, groups = (os.getresuid(), os.getresgid()), os.getgroups()
    if not IS_ROOT or ids[0] == (0, 0, 0):
        yield
        return
    os.setresuid(0, 0, 0)
    os.setresgid(0, 0, 0)
    try:
        yield
    finally:
        os.setgroups(groups)
        os.setresgid(*ids[1])
        os.setresuid(*ids[0])
        libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)


class Personality:
    """One of the two names that the program is called by."""

    def __init__(self, name):
        self.name, self.path = name, str(BUILD / name)

    def __str__(self):
        return self.path


def pytest_addoption(parser):
    parser.addoption("--as", dest="half", choices=("root", "user"), help="run only the half of this user")


def pytest_configure(config):
    config.test_user = ordinary_user()
    if os.environ.get("CLOCHE_SANITIZED"):
        os.environ.setdefault("ASAN_OPTIONS", "detect_leaks=0")  # LeakSanitizer needs ptrace; unit tests do it
        os.environ.setdefault("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1")
    for program in ("cloche", "bwrap"):
        path = BUILD / program
        if not os.access(path, os.X_OK):
            pytest.exit(f"{path}: no such program; build first, or set CLOCHE_BUILD", 3)
        with acting_as(config.test_user):
            if not os.access(path, os.X_OK, effective_ids=True):
                pytest.exit(f"{path}: user {config.test_user} cannot execute it; build elsewhere (CLOCHE_BUILD)", 3)


def below_per_user_directory(path):
    return path.is_relative_to(TESTS) and path.relative_to(TESTS).parts[0] in PER_USER


def pytest_generate_tests(metafunc):
    if "user" in metafunc.fixturenames and below_per_user_directory(pathlib.Path(metafunc.module.__file__)):
        halves = ["root", "user"] if IS_ROOT else ["user"]
        for marker, half in (("only_root", "root"), ("only_user", "user")):
            if metafunc.definition.get_closest_marker(marker):
                halves = [h for h in halves if h == half]
        if metafunc.config.getoption("half"):
            halves = [h for h in halves if h == metafunc.config.getoption("half")]
        metafunc.parametrize("user", halves, indirect=True)
    if "personality" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("personalities")
        names = marker.args if marker else ("cloche", "bwrap")
        metafunc.parametrize("personality", names, indirect=True)


def pytest_collection_modifyitems(config, items):
    """Drop the other half: pytest makes a skipped test of one with no parameters left, and it is nobody's skip."""
    empty = [i for i in items if hasattr(i, "callspec") and i.callspec.params.get("user") not in (None, "root", "user")]
    if empty:
        config.hook.pytest_deselected(items=empty)
        items[:] = [i for i in items if i not in empty]


@pytest.fixture(autouse=True)
def user(request):
    """The test's user; everything that the test does, it does as this user."""
    half = getattr(request, "param", None)
    if half != "user" and IS_ROOT:
        yield User(pwd.getpwuid(0))
        return
    with acting_as(request.config.test_user):
        yield request.config.test_user


@pytest.fixture
def personality(request):
    return Personality(request.param)


@pytest.fixture(scope="session")
def cloche():
    return str(BUILD / "cloche")


@pytest.fixture(scope="session")
def bwrap():
    return str(BUILD / "bwrap")


@pytest.fixture(scope="session")
def kernel():
    return KERNEL


# ---- running programs --------------------------------------------------------------------------------------------
def environment(user, env, exact_env):
    if exact_env is not None:
        return dict(exact_env)
    result = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": user.home,
              "USER": user.name, "LOGNAME": user.name, "SHELL": "/bin/sh", "LANG": "C.UTF-8", "TERM": "dumb"}
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
        if name in os.environ:
            result[name] = os.environ[name]
    result.update(env or {})
    return {name: value for name, value in result.items() if value is not None}


def start(user, argv, *, env=None, exact_env=None, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
          stderr=subprocess.PIPE, text=True, start_new_session=True, **rest):
    encoding = {"encoding": "utf-8", "errors": "surrogateescape"} if text else {}
    return subprocess.Popen([os.fspath(a) if not isinstance(a, Personality) else str(a) for a in argv],
                            env=environment(user, env, exact_env), cwd=cwd, stdin=stdin, stdout=stdout, stderr=stderr,
                            start_new_session=start_new_session, **encoding, **rest)


def kill_tree(process):
    """Kill `process`, if it still runs, and all that descend from it."""
    if process.poll() is None:
        tree = [process.pid]
        for pid in tree:
            tree += _children(pid)
        for pid in tree:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def refuse_sanitizer_report(stderr):
    if stderr:
        text = stderr if isinstance(stderr, str) else stderr.decode("utf-8", "replace")
        assert not SANITIZER_REPORT.search(text), text


@pytest.fixture
def run(user):
    def run(argv, *, input=None, timeout=60, check=False, **rest):
        if input is not None:
            rest["stdin"] = subprocess.PIPE
        process = start(user, argv, **rest)
        try:
            stdout, stderr = process.communicate(input, timeout=timeout)
        except BaseException:
            kill_tree(process)
            process.communicate()
            raise
        refuse_sanitizer_report(stderr)
        result = subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)
        if check:
            assert result.returncode == 0, result
        return result

    return run


@pytest.fixture
def popen(user):
    started = []

    def popen(argv, **rest):
        started.append(start(user, argv, **rest))
        return started[-1]

    yield popen
    for process in started:
        kill_tree(process)
        with contextlib.suppress(ValueError):  # a test may have closed a pipe
            _, stderr = process.communicate(timeout=60)
            refuse_sanitizer_report(stderr)


# ---- files -------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="session")
def shared_directory():
    """A directory that every user may enter and only this session writes to: TMPDIR of all tests of this process."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="cloche-tests."))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def tmp_path(shared_directory, user):
    with acting_as_root():  # only root may write to the directory above
        path = pathlib.Path(tempfile.mkdtemp(dir=shared_directory))
        os.chown(path, user.uid, user.gid)
    yield path
    with acting_as_root():
        subprocess.run(["chmod", "-R", "u+rwX", path], check=True)
        shutil.rmtree(path)


@pytest.fixture(scope="session")
def compile_c(shared_directory):
    def compile_c(source, *, static=True, flags=()):
        text = source.read_text() if isinstance(source, pathlib.Path) else source
        where = ["-I", source.parent] if isinstance(source, pathlib.Path) else []
        command = ["cc", "-std=gnu11", "-O1", "-Wall", *where, "-x", "c", "-", *(["-static"] if static else []), *flags]
        key = hashlib.sha256(repr((command, text)).encode()).hexdigest()[:16]
        target = shared_directory / f"c-{key}"
        if not target.exists():
            with acting_as_root():
                made = subprocess.run([*command, "-o", target], input=text, text=True, capture_output=True)
                assert made.returncode == 0, made.stderr
                target.chmod(0o755)
        return str(target)

    return compile_c


@pytest.fixture
def without_syscalls(compile_c):
    def without_syscalls(names, argv, error="ENOSYS"):
        tool = compile_c(TESTS / "vm" / "without-syscalls.c", static=False, flags=["-lseccomp"])
        return [tool, "-e", error, names, *argv]

    return without_syscalls


# ---- processes ---------------------------------------------------------------------------------------------------
def pid_namespace(pid="self"):
    """Inode number of the pid namespace of `pid`; None where there is no such process (a zombie has none)."""
    try:
        return int(re.search(r"\d+", os.readlink(f"/proc/{pid}/ns/pid")).group())
    except (FileNotFoundError, ProcessLookupError):
        return None


def pids_in_pid_namespace(inode):
    """Pids, as seen here, of the processes in the pid namespace with this inode number; zombies do not count."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(PermissionError):
                if pid_namespace(entry) == inode:
                    found.append(int(entry))
    return found


def wait_until(predicate, timeout=30):
    """Wait for something that must happen, however slow the machine is; its value, or a failure after `timeout` s."""
    end = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        assert time.monotonic() < end, f"did not happen within {timeout} s: {predicate}"
        time.sleep(0.01)


_started = weakref.WeakSet()  # every Popen of this process: those reap their own children
_outliving = set()


def outlives_test(process):
    """Declare that a module's or session's fixture started `process` and will end it."""
    _outliving.add(process.pid)
    return process


def _track_popen():
    original = subprocess.Popen.__init__

    def init(self, *args, **rest):
        original(self, *args, **rest)
        _started.add(self)

    subprocess.Popen.__init__ = init


def _children(parent="self"):
    """{pid: state letter} of the children of `parent`."""
    found = {}
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{parent}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{parent}/task/{task}/children") as file:
                for pid in map(int, file.read().split()):
                    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as stat:
                        found[pid] = re.match(r"\d+ \(.*\) (\S)", stat.read(), re.S).group(1)
    return found


def _reap_orphans():
    """Reap the zombies that became ours because their parent died; return the pids of children that still live."""
    own = {p.pid for p in _started if p.returncode is None}
    living = set()
    for pid, state in _children().items():
        if state not in "ZX":
            living.add(pid)
        elif pid not in own:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
    return living


def _describe(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file, open(f"/proc/{pid}/status") as status:
            lines = dict(line.split(":\t", 1) for line in status.read().splitlines() if ":\t" in line)
            command = file.read().replace(b"\0", b" ").decode("utf-8", "replace")
            return f"{pid} [{lines['Name']}] {command!r} state {lines['State']} NSpid {lines.get('NSpid')}"
    except OSError:
        return str(pid)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    item.children_before = _reap_orphans()
    yield
    _reap_orphans()


@pytest.fixture(autouse=True)
def no_process_left(request):
    """Autouse fixtures start in the order of their names: this one before `user`, so it ends as root, after all else."""
    yield

    def left():
        return _reap_orphans() - request.node.children_before - _outliving
    end = time.monotonic() + GRACE  # the kernel takes a pid namespace down after its first process is gone
    while left() and time.monotonic() < end:
        time.sleep(0.02)
    remaining = left()
    description = [_describe(pid) for pid in remaining]
    for pid in remaining:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)  # ours by descent, so that the next test is not blamed for it
    assert not remaining, f"processes outlived the test: {description}"


# ---- leftovers of the session ------------------------------------------------------------------------------------
def _mounts():
    with open("/proc/self/mountinfo") as file:
        return {line.split()[0]: line.split()[4] for line in file}


def _cgroups():
    """Directories below our own cgroups, and all that bear our name."""
    with open("/proc/self/cgroup") as file:
        own = {line.rstrip("\n").split(":", 2)[2].strip("/") for line in file}
    found = set()
    for path, directories, _ in os.walk("/sys/fs/cgroup"):
        for name in directories:
            full = os.path.join(path, name)
            if "cloche" in name or any(o and f"/{o}/" in full for o in own):
                found.add(full)
    return found


def _temporary_files():
    found = set()
    for directory in ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run", f"/run/user/{os.geteuid()}"):
        with contextlib.suppress(OSError):
            found |= {os.path.join(directory, n) for n in os.listdir(directory)
                      if re.search(r"cloche|bwrap|bubblewrap", n) and not n.startswith("cloche-tests.")
                      and not n.startswith("cloche-check.")}
    return found


@pytest.fixture(scope="session", autouse=True)
def nothing_left_behind(shared_directory):
    """Compares mounts, cgroups and temporary files at the end of the session with its beginning."""
    before = _mounts(), _cgroups(), _temporary_files()
    own_temporary = shared_directory / "tmp"
    own_temporary.mkdir()
    own_temporary.chmod(0o1777)
    os.environ["TMPDIR"] = tempfile.tempdir = str(own_temporary)
    yield
    tempfile.tempdir = None
    mounts = {i: p for i, p in _mounts().items() if i not in before[0]}
    if not ALONE:  # others may mount things meanwhile: only those that are surely ours
        mounts = {i: p for i, p in mounts.items() if p.startswith(str(shared_directory))}
    left = [f"mount {p}" for p in mounts.values()]
    left += [f"cgroup {p}" for p in _cgroups() - before[1]]
    left += [f"file {p}" for p in _temporary_files() - before[2]] if ALONE else []
    left += [f"file {p}" for p in own_temporary.iterdir() if not p.name.startswith("pytest-of-")]
    left += [f"process {_describe(p)}" for p in _reap_orphans() & {p.pid for p in _started}]
    assert not left, f"left behind by the session: {left}"


# ---- skips -------------------------------------------------------------------------------------------------------
def _fail_unlisted_skip(report):
    if report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reason = getattr(report, "wasxfail", None) or reason
        reason = re.sub(r"^Skipped: ", "", reason)
        if not is_allowed_skip(report.nodeid, reason):
            report.outcome = "failed"
            report.longrepr = (f"skipped, and tests/allowed-skips does not list it for this kernel:\n"
                               f"{report.nodeid} | {reason}")
            if hasattr(report, "wasxfail"):
                del report.wasxfail


@pytest.hookimpl(hookwrapper=True, tryfirst=True)  # outermost, so after pytest has seen to xfail
def pytest_runtest_makereport(item):
    outcome = yield
    _fail_unlisted_skip(outcome.get_result())


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report(collector):
    outcome = yield
    _fail_unlisted_skip(outcome.get_result())


# ---- this process ------------------------------------------------------------------------------------------------
def _close_stray_descriptors():
    """What the caller's shell left open must not reach a sandbox, whose descriptors the tests look at."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            with contextlib.suppress(OSError):
                fcntl.fcntl(int(name), fcntl.F_SETFD, fcntl.FD_CLOEXEC)


_close_stray_descriptors()
_track_popen()
libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
