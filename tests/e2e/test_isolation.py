# SPDX-License-Identifier: LGPL-2.1-or-later
"""--isolation: where there are no user namespaces, Landlock gives what it can, and says what it does not.

They are refused for real here: by the limit of a user namespace around us, by a chroot, by a filter.
"""
import json
import os
import re
import signal
import socket
import subprocess

import pytest

from e2elib import assert_fails, changed_namespaces, in_own_mounts, namespaces, status_of
from test_landlock import landlock_abi

from conftest import wait_until

__all__ = ["namespaces"]

TIER = ["--isolation", "landlock"]
WARNING = "warning: confined by Landlock and seccomp alone"
LIMITED = ('echo 0 >/proc/sys/user/max_user_namespaces; '
           'exec setpriv --bounding-set=-all --inh-caps=-all --ambient-caps=-all "$@"')

pytestmark = pytest.mark.vm


def with_limit(argv):
    """Where user namespaces fail with ENOSPC, without any capability."""
    return ["unshare", "--user", "--map-root-user", "sh", "-c", LIMITED, "sh", *argv]


def in_chroot(user, directory, argv):
    """Where they fail with EPERM."""
    return in_own_mounts(user, 'mount --rbind / "$1"; root=$1; shift; exec chroot "$root" "$@"', directory, *argv)


MASKED = 'mount --bind /dev/null /proc/timer_list; exec "$@"'
READ_ONLY = 'mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys; exec "$@"'


@pytest.fixture(params=["limit", "chroot", "filter", "masked", "read-only"])
def refusing(request, user, tmp_path, without_syscalls):
    """refusing(argv): the same where user namespaces, or mounts in them, are refused."""
    def refusing(argv):
        if request.param == "limit":
            return with_limit(argv)
        if request.param == "chroot":
            return in_chroot(user, tmp_path, argv)
        if request.param == "filter":
            return without_syscalls("mount", argv, "EPERM")
        # As in containers: a new procfs, or to forbid user namespaces, is not possible.
        return in_own_mounts(user, MASKED if request.param == "masked" else READ_ONLY, *argv)

    refusing.name = request.param
    return refusing


# ---- which of them -----------------------------------------------------------------------------------------------
def test_isolation_full_fails_closed(run, user, tmp_path, cloche, bwrap):
    for refuse in (with_limit, lambda argv: in_chroot(user, tmp_path, argv)):
        for options in ([], ["--isolation", "full"], ["--isolation", "try", "--isolation", "full"]):
            result = run(refuse([cloche, *options, "echo", "ran"]))
            assert (result.returncode, result.stdout) == (125, ""), result
            assert "hint: " in result.stderr
    # As bubblewrap does, which knows nothing else.
    result = run(with_limit([bwrap, "--ro-bind", "/", "/", "--unshare-user", "echo", "ran"]))
    assert (result.returncode, result.stdout) == (1, ""), result


def test_isolation_try_tries_what_is_needed(run, cloche, user):
    """A procfs, or a limit, that the sandbox does without, is not missed."""
    host = [cloche, "--isolation", "try", "--ro-bind", "/", "/"]
    for script, options in ((MASKED, []), (MASKED, ["--proc", "/proc", "--share-pid"]), (READ_ONLY, ["--allow-userns"])):
        result = run(in_own_mounts(user, script, *host, *options, "echo", "ran"))
        assert (result.returncode, result.stdout, result.stderr) == (0, "ran\n", ""), result


def test_isolation_try_falls_back(run, cloche, refusing):
    result = run(refusing([cloche, "--isolation", "try", "cat", "/proc/self/status"]))
    assert result.returncode == 0, result
    assert result.stderr.count(WARNING) == 1 and result.stderr.count("\n") == 1, result
    status = status_of(result.stdout)
    assert status["NoNewPrivs"] == "1"
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}


def test_isolation_try_is_full_where_it_can_be(run, cloche, namespaces):
    argv = [cloche, "--isolation", "try"]
    assert {"mnt", "net", "pid", "user"} <= changed_namespaces(namespaces(argv))
    assert run([*argv, "echo", "ran"], check=True).stderr == ""


def test_isolation_landlock_at_once(run, cloche, namespaces):
    assert changed_namespaces(namespaces([cloche, *TIER])) == set()
    result = run([cloche, *TIER, "true"], check=True)
    assert result.stderr.count(WARNING) == 1


def test_isolation_invalid(run, personality):
    assert_fails(run([personality, "--isolation", "none", "true"]), personality, "none")


# ---- what it says ------------------------------------------------------------------------------------------------
def gaps(run, argv):
    return json.loads(run([*argv, "--explain=json", "true"], check=True).stdout)["landlock"]["not-enforced"]


def test_isolation_lists_what_is_not_enforced(run, cloche):
    """All of it is in the message, whole, and in the plan; it depends on the ABI."""
    abi, listed = landlock_abi(), gaps(run, [cloche, *TIER])
    stderr = run([cloche, *TIER, "true"], check=True).stderr
    assert stderr.rstrip().endswith("Not enforced: " + "; ".join(listed))
    text = "\n".join(listed)
    for words, until in (("processes can be seen", 99), ("network interfaces", 99), ("IPC", 99), ("/tmp", 99),
                         ("looked up by name", 99), ("signalled", 6), ("truncated", 3), ("ioctl", 5), ("sockets can", 0)):
        assert (words in text) == (abi < until), (words, abi, text)
    assert "user namespaces" not in text
    assert "user namespaces" in "".join(gaps(run, [cloche, *TIER, "--seccomp-policy", "none"]))
    assert "user namespaces" not in "".join(gaps(run, [cloche, *TIER, "--seccomp-policy", "none", "--allow-userns"]))
    # What is shared anyway is no surprise.
    shared = "\n".join(gaps(run, [cloche, *TIER, "--share-net", "--share-pid", "--share-ipc", "--bare"]))
    assert not re.search("processes can be seen|network|IPC|/tmp", shared)
    assert ("sockets in the file system" in shared) == (abi < 9) and ("abstract sockets" in shared) == (abi < 6)


def test_isolation_explain(run, cloche):
    text = run([cloche, *TIER, "--bind", "/var/tmp", "/var/tmp", "--explain", "true"], check=True).stdout
    assert "no namespaces: Landlock rules on paths" in text
    for line in ("  /usr (read and execute)", "  /etc/passwd (read and execute) if it exists", "  /proc (read)",
                 "  /dev/null (read and write) if it exists", "  /var/tmp (read and write)", "not enforced:"):
        assert line + "\n" in text
    found = json.loads(run([cloche, *TIER, "--explain=json", "true"], check=True).stdout)
    assert found["namespaces"] == [] and found["landlock"]["tier"] is True
    assert {"path": "/usr", "rights": "read and execute", "option": -1} in found["landlock"]["paths"]
    found = json.loads(run([cloche, "--isolation", "try", "--explain=json", "true"], check=True).stdout)
    assert found["landlock"]["tier"] is False and "pid" in found["namespaces"]
    found = json.loads(run(with_limit([cloche, "--isolation", "try", "--explain=json", "true"]), check=True).stdout)
    assert found["landlock"]["tier"] is True


# ---- what is given -----------------------------------------------------------------------------------------------
SEE = r"""
read_write() { if [ -d "$1" ]; then ls "$1" >/dev/null 2>&1; else cat "$1" >/dev/null 2>&1; fi && printf r
               if [ -d "$1" ]; then (: >"$1/new") 2>/dev/null; else (: >>"$1") 2>/dev/null; fi && printf w; }
for path; do printf '%s' "$path "; read_write "$path"; echo; done"""


def seen(run, argv, *paths):
    out = run([*argv, "sh", "-c", SEE, "sh", *map(str, paths)], check=True).stdout
    return dict((line + " ").split(" ")[:2] for line in out.splitlines())


def test_isolation_paths(run, cloche, tmp_path):
    for name in "given", "read", "kept":
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("text")
    argv = [cloche, *TIER, "--bind", tmp_path / "given", tmp_path / "given",
            "--ro-bind", tmp_path / "read", f"{tmp_path}//read/"]
    paths = [tmp_path / name for name in ("given", "given/file", "read", "read/file", "kept", "kept/file")]
    assert list(seen(run, argv, *paths).values()) == ["rw", "rw", "r", "r", "", ""]
    # A narrower place may have more, not less.
    more = [cloche, *TIER, "--ro-bind", tmp_path, tmp_path, "--bind", tmp_path / "given", tmp_path / "given"]
    assert list(seen(run, more, *paths).values()) == ["rw", "rw", "r", "r", "r", "r"]
    # One file.
    one = [cloche, *TIER, "--bind", tmp_path / "kept/file", tmp_path / "kept/file"]
    assert list(seen(run, one, *paths).values()) == ["", "", "", "", "", "rw"]


def test_isolation_default_places(run, cloche, user):
    """As the default root directory gives them; nothing of it can be written."""
    found = seen(run, [cloche, *TIER], "/dev/null", "/etc/passwd", "/proc/self/status", "/usr", "/tmp", "/", user.home,
                 "/dev/shm", "/sys", "/var")
    assert found == {"/dev/null": "rw", "/etc/passwd": "r", "/proc/self/status": "r", "/usr": "r", "/tmp": "", "/": "",
                     user.home: "", "/dev/shm": "", "/sys": "", "/var": ""}


def test_isolation_missing_source(run, cloche, tmp_path):
    missing = tmp_path / "missing"
    result = run([cloche, *TIER, "--bind", missing, missing, "echo", "ran"])
    assert (result.returncode, result.stdout) == (125, "") and f"cannot open the source {missing}" in result.stderr
    run([cloche, *TIER, "--bind-try", missing, missing, "true"], check=True)


def test_isolation_execute_outside(run, cloche, tmp_path):
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho ran\n")
    program.chmod(0o755)
    result = run([cloche, *TIER, program])
    assert (result.returncode, result.stdout) == (126, "") and "hint: without namespaces only what lies below" in result.stderr
    for option in "--ro-bind", "--bind":
        assert run([cloche, *TIER, option, tmp_path, tmp_path, program], check=True).stdout == "ran\n"


def test_isolation_real_work(run, cloche, tmp_path):
    """A compiler, with its temporary files where it may have them."""
    (tmp_path / "x.c").write_text('#include <stdio.h>\nint main(void) { puts("compiled"); }\n')
    argv = [cloche, *TIER, "--bind", tmp_path, tmp_path, "--setenv", "TMPDIR", tmp_path, "--chdir", tmp_path,
            "--setenv", "HOME", tmp_path, "--setenv", "GIT_CONFIG_NOSYSTEM", "1"]
    assert run([*argv, "sh", "-c", "cc -o x x.c && ./x && rm x && mkdir -p a/b && mv x.c a/b && git init -q . && ls -A"],
               check=True).stdout == "compiled\n.git\na\n"


def test_isolation_as_bwrap(run, bwrap, tmp_path):
    """The usual line of a caller; nothing is scoped that would have been shared."""
    argv = [bwrap, "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--bind", tmp_path, tmp_path]
    result = run(with_limit([*argv, "--unshare-user", "--isolation", "try", "sh", "-c",
                             f"echo data >{tmp_path}/file; echo x >/dev/null; touch /usr/x; echo end"]))
    assert (result.returncode, result.stdout) == (0, "end\n"), result
    assert "bwrap: Confined by Landlock" in result.stderr and "/usr/x" in result.stderr
    assert (tmp_path / "file").read_text() == "data\n"
    found = json.loads(run([*argv, *TIER, "--explain=json", "true"], check=True).stdout)["landlock"]
    assert found["scopes"] == [] and "processes" not in "".join(found["not-enforced"])


# ---- what cannot be given ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("options, text", [
    (["--bind", "{}", "/mnt"], "the same absolute path"),
    (["--ro-bind", "{}/a", "{}/b"], "the same absolute path"),
    (["--bind", "{}/a/..", "{}/a/.."], "the same absolute path"),
    (["--bind", ".", "."], "the same absolute path"),
    (["--bind", "{}", "{}", "--ro-bind", "{}/a", "{}/a"], "cannot be taken away"),
    (["--bind", "{}/a", "{}/a", "--ro-bind", "{}", "{}"], "cannot be taken away"),
    (["--bind", "{}", "{}", "--ro-bind", "{}/", "{}/"], "cannot be taken away"),
    (["--dev-bind", "{}", "{}", "--bind", "{}/a", "{}/a"], "cannot be taken away"),
    (["--tmpfs", "/tmp"], "needs a mount namespace"), (["--dir", "{}/new"], "needs a mount namespace"),
    (["--symlink", "a", "{}/new"], "needs a mount namespace"), (["--chmod", "0700", "{}"], "needs a mount namespace"),
    (["--remount-ro", "/"], "needs a mount namespace"), (["--mqueue", "{}"], "needs a mount namespace"),
    (["--overlay-src", "{}", "--tmp-overlay", "{}"], "needs a mount namespace"), (["--proc", "/p"], "needs a mount namespace"),
    (["--dev", "/d"], "needs a mount namespace"), (["--file", "0", "{}/new"], "needs a mount namespace"),
    (["--ro-bind-data", "0", "{}/new"], "needs a mount namespace"), (["--bind-fd", "0", "{}"], "needs a mount namespace"),
    (["--hostname", "x"], "needs a new uts namespace"), (["--uid", "7"], "needs a new user namespace"),
    (["--gid", "7"], "needs a new user namespace"), (["--as-pid-1"], "needs a new pid namespace"),
    (["--disable-userns"], "needs a new user namespace"), (["--cap-add", "NET_RAW"], "--cap-add"),
    (["--userns", "0"], "needs namespaces"), (["--pidns", "0"], "needs namespaces"),
    (["--netns", "0"], "needs namespaces"), (["--unshare-time"], "needs namespaces"), (["--pin", "{}"], "needs namespaces"),
    (["--domainname", "x"], "needs a new uts namespace"), (["--uid-map", "0:10:1"], "user namespace"),
    (["--map-root"], "user namespace"), (["--map-auto"], "user namespace"),
    (["--connect-tcp", "80"], "has no effect")], ids=lambda value: value if isinstance(value, str) else " ".join(value))
def test_isolation_impossible(run, cloche, tmp_path, options, text):
    """Nothing is left out in silence, neither at once nor where namespaces were tried first; nothing is made outside."""
    (tmp_path / "a").mkdir()
    options = [word.replace("{}", str(tmp_path)) for word in options]
    for argv in ([cloche, *TIER, *options], with_limit([cloche, "--isolation", "try", *options])):
        result = run([*argv, "echo", "ran"])
        assert (result.returncode, result.stdout) == (125, "") and text in result.stderr, result
    assert os.listdir(tmp_path) == ["a"] and os.listdir(tmp_path / "a") == []


# ---- processes ---------------------------------------------------------------------------------------------------
def test_isolation_exit_status(run, cloche):
    for status in 0, 1, 42, 255:
        assert run([cloche, *TIER, "sh", "-c", f"exit {status}"]).returncode == status
    assert run([cloche, *TIER, "sh", "-c", "kill -TERM $$"]).returncode == 128 + signal.SIGTERM
    assert run([cloche, *TIER, "/no/such/command"]).returncode == 127
    assert run([cloche, *TIER, "/usr"]).returncode == 126


def holders(path):
    """Processes that have the file open."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            found += [pid for fd in os.listdir(f"/proc/{pid}/fd") if os.readlink(f"/proc/{pid}/fd/{fd}") == str(path)]
        except OSError:
            pass
    return found


@pytest.mark.parametrize("end", ["COMMAND ends", "supervisor killed", "supervisor terminated"])
def test_isolation_leaves_no_process(popen, cloche, tmp_path, end):
    """Without a pid namespace the init process ends what COMMAND left, also in sessions of its own."""
    mark = tmp_path / "mark"
    mark.touch()
    script = "exec 9<mark; setsid sleep 1000 & (sleep 1000 &) ; echo started; read x"
    process = popen([cloche, *TIER, "--bind", tmp_path, tmp_path, "--chdir", tmp_path, "bash", "-c", script],
                    stdin=subprocess.PIPE)
    assert process.stdout.readline() == "started\n"
    wait_until(lambda: len(holders(mark)) == 3)
    if end == "COMMAND ends":
        process.stdin.close()
    else:
        process.send_signal(signal.SIGKILL if end == "supervisor killed" else signal.SIGTERM)
    status = process.wait(60)
    assert status == {"COMMAND ends": 1, "supervisor killed": -signal.SIGKILL}.get(end, 128 + signal.SIGTERM)
    wait_until(lambda: not holders(mark))


def test_isolation_descriptors_environment_limits(run, cloche, tmp_path):
    """As in a sandbox with namespaces."""
    with open(tmp_path / "secret", "w") as secret:
        result = run([cloche, *TIER, "sh", "-c", "ls /proc/self/fd; env; ulimit -n"], pass_fds=[secret.fileno()],
                     env={"SECRET": "yes"}, check=True)
        full = run([cloche, "sh", "-c", "ls /proc/self/fd; env; ulimit -n"], pass_fds=[secret.fileno()],
                   env={"SECRET": "yes"}, check=True)
    assert sorted(result.stdout.splitlines()) == sorted(full.stdout.splitlines())


# ---- filters that know no clone3(2) ------------------------------------------------------------------------------
def test_clone3_is_not_needed(run, personality, without_syscalls):
    """Many containers' filters answer ENOSYS, so that the C library falls back to clone(2), whose flags they can read."""
    usual = ["--ro-bind", "/", "/", "--proc", "/proc"]
    for options in (usual, [*usual, "--unshare-pid", "--unshare-net"], [*TIER, *usual]):
        assert run(without_syscalls("clone3", [str(personality), *options, "echo", "ran"]), check=True).stdout == "ran\n"



# ---- the network -------------------------------------------------------------------------------------------------
NETWORK = """
import errno, socket, sys
for kind, what in ("STREAM", "connect"), ("STREAM", "bind"), ("DGRAM", "connect"), ("DGRAM", "bind"):
    try:
        with socket.socket(socket.AF_INET, getattr(socket, "SOCK_" + kind)) as s:
            getattr(s, what)(("127.0.0.1", int(sys.argv[1]) if what == "connect" else 0))
    except OSError as e:
        print(errno.errorcode[e.errno])
    else:
        print("ok")
"""


def test_isolation_network(run, cloche):
    """What would have been a network of the sandbox's own is none; shared, it is the host's."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        words = ["/usr/bin/python3", "-c", NETWORK, str(server.getsockname()[1])]
        assert run([cloche, *TIER, *words], check=True).stdout.split() == ["EACCES"] * 4
        assert run([cloche, *TIER, "--share-net", *words], check=True).stdout.split() == ["ok"] * 4
        # A socket that COMMAND gets with its standard input is one for Landlock.
        with socket.socket() as given:
            script = "import socket\ntry: print(socket.socket(fileno=0).connect_ex(('127.0.0.1', %s)))" % words[-1]
            script += "\nexcept OSError as e: print(e.errno)"
            result = run([cloche, *TIER, "/usr/bin/python3", "-c", script], stdin=given, check=True)
    assert result.stdout == ("13\n" if landlock_abi() >= 4 else "0\n")


def test_isolation_ports(run, cloche):
    with socket.create_server(("127.0.0.1", 0)) as server:
        words = ["/usr/bin/python3", "-c", NETWORK, str(server.getsockname()[1])]
        result = run([cloche, *TIER, "--share-net", "--connect-tcp", "1", *words])
    if landlock_abi() < 4:
        assert result.returncode == 125 and "ABI 4" in result.stderr
    else:
        assert result.stdout.split() == ["EACCES", "ok", "ok", "ok"]


def test_isolation_sockets_in_the_file_system(run, cloche, tmp_path):
    """From ABI 9 on they follow the paths. Before, no socket can be made that could be connected, unless with IPC shared.
    A raw one of this family is one of datagrams (unix(7))."""
    script = ("import errno, socket, sys\nfor path in sys.argv[1:]:\n"
              " try: socket.socket(socket.AF_UNIX).connect(path)\n except OSError as e: print(errno.errorcode[e.errno])\n"
              " else: print('ok')\n"
              "for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW:\n"
              " try: socket.socketpair(socket.AF_UNIX, kind)\n except OSError as e: print(errno.errorcode[e.errno])\n"
              " else: print('ok')\n")
    follows = landlock_abi() >= 9
    with socket.socket(socket.AF_UNIX) as given, socket.socket(socket.AF_UNIX) as kept:
        for name, server in ("given", given), ("kept", kept):
            (tmp_path / name).mkdir()
            server.bind(str(tmp_path / name / "socket"))
            server.listen()
        for option in "--bind", "--ro-bind":
            argv = [cloche, *TIER, option, tmp_path / "given", tmp_path / "given"]
            words = ["/usr/bin/python3", "-c", script, tmp_path / "given/socket", tmp_path / "kept/socket"]
            result = run([*argv, *words], check=True)
            assert result.stdout.split() == (["ok", "EACCES", "ok", "ok", "ok"] if follows else ["EACCES", "EACCES", "ok", "EACCES", "EACCES"])
            result = run([*argv, "--share-ipc", *words], check=True)
            assert result.stdout.split() == ["ok", "EACCES" if follows else "ok", "ok", "ok", "ok"]
            assert ("sockets in the file system" in result.stderr) != follows
