# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an error says: the option as typed, what failed, why, what can be done. And that it comes before any change."""
import os
import re

import pytest

from conftest import IS_ROOT, acting_as_root
from e2elib import HERE, HOST, assert_fails, in_own_mounts, memfd, snapshot  # noqa: F401



def lines(result):
    assert result.returncode in (125, 126, 127), result
    return result.stderr.splitlines()


# ---- form --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("words, message", [
    (["--bind", "/nosuch", "/mnt"], "--bind /nosuch /mnt: cannot open the source /nosuch: No such file or directory"),
    (["--tmpfs", "/etc/passwd/x"],
     "--tmpfs /etc/passwd/x: cannot create the parents of /etc/passwd/x: Not a directory"),
    (["--chdir", "/nosuch"], "--chdir /nosuch: cannot change to /nosuch: No such file or directory"),
    (["--uid", "x"], "--uid x: not a user id (decimal, 0 to 4294967294): x"),
    (["--perms", "9"], "--perms 9: not an octal mode (0 to 07777): 9"),
    (["--cap-add", "x"], "--cap-add x: unknown capability: x")], ids=lambda value: value[0] if isinstance(value, list)
                         else None)
def test_error_form(cloche, run, words, message):
    first = lines(run([cloche, *HOST, *words, "true"]))[0]
    assert first.startswith(f"cloche: {message}"), first


def test_error_form_of_bwrap(bwrap, run):
    """bubblewrap's words, one line, no hints: programs match them."""
    for words, message in ((["--bind", "/nosuch", "/mnt"], "Can't find source path /nosuch: No such file or directory"),
                           (["--uid", "x"], "Invalid uid: x"), (["--bogus"], "Unknown option --bogus"),
                           (["--chdir", "/nosuch"], "Can't chdir to /nosuch: No such file or directory"),
                           (["--tmpfs", "/etc/passwd"], "Destination is not a directory /etc/passwd"),
                           (["--symlink", "x", "/etc"],
                            "Can't make symlink at /etc: destination exists and is not a symlink"),
                           (["--hostname", "x"], "Specifying --hostname requires --unshare-uts"),
                           (["--disable-userns"], "--disable-userns requires --unshare-user"),
                           (["--cap-add", "bogus"], "unknown cap: bogus"), (["--setenv", "", "x"], "setenv failed")):
        result = run([bwrap, *HOST, *words, "true"])
        assert (result.returncode, result.stderr) == (1, f"bwrap: {message}\n"), result


def test_error_prefix_is_not_argv0(bwrap, run):
    """The basename of the program, whatever it was called."""
    for name in ("bwrap", "/some/where/bwrap", "flatpak-bwrap"):
        result = run(["bash", "-c", 'exec -a "$0" "$@"', name, bwrap, "--bogus"])
        assert result.stderr == "bwrap: Unknown option --bogus\n", result


def test_error_escapes_control_characters(personality, run):
    """Nothing that a terminal would obey."""
    for text in ("/no\x1b[31msuch\nline\r", "/no\x07such\x7f", "/no\x9bsuch"):
        for words in (["--bind", text, "/mnt", "true"], ["--", text], [f"--{text}"], ["--chdir", text, "true"]):
            result = run([personality, *HOST, *words], text=False)
            assert result.returncode in (1, 125, 127)
            assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", result.stderr), result
            assert b"no" in result.stderr and b"such" in result.stderr


def test_error_of_long_paths(personality, run):
    for path in ("/" + "x" * 5000, "/" + "x/" * 2100, "/" + "y" * 256):
        for words in (["--bind", path, "/mnt"], ["--tmpfs", path], ["--chdir", path], ["--symlink", "a", path]):
            result = run([personality, *HOST, "--tmpfs", "/mnt", *words, "true"])
            assert result.returncode in (1, 125) and result.stderr.startswith(f"{personality.name}: "), result
            assert any(word in result.stderr for word in ("too long", "Read-only", "--create-dest")), result


def test_error_is_one_line_and_hints(cloche, run):
    result = run([cloche, *HOST, "--bind", "/nosuch", "/mnt", "true"])
    assert [line.startswith("cloche: hint: ") for line in lines(result)] == [False, True]


# ---- hints -------------------------------------------------------------------------------------------------------
def hint_of(result):
    hints = [line for line in lines(result) if line.startswith("cloche: hint: ")]
    assert len(hints) == 1, result
    return hints[0]


@pytest.mark.parametrize("words, hint", [
    (["--bind", "/nosuch", "/mnt", "true"], "-try"),
    (["--bogus", "true"], "--help"), (["-l"], "needs -- before it"), (["--ro-bind", "/", "/", "--", "nosuch"],
                                                                      "inside the sandbox"),
    (["--bare", "true"], "--ro-bind /usr /usr"), (["--bind", "/", "/", "--tmpfs", "/nosuch", "true"], "--create-dest"),
    (["--ro-bind", "/", "/", "--create-dest", "--tmpfs", "/nosuch", "true"], "before the read-only bind")],
    ids=["source", "option", "dash", "command", "bare", "create-dest", "read-only"])
def test_hint(cloche, run, words, hint):
    assert hint in hint_of(run([cloche, *words]))


def test_hint_of_wrong_order(cloche, run):
    """Not an error: there may be a reason."""
    result = run([cloche, "--ro-bind", "/usr", "/mnt/x", "--tmpfs", "/mnt", "ls", "-A", "/mnt"])
    assert (result.returncode, result.stdout) == (0, ""), result
    for word in ("--tmpfs /mnt", "/mnt/x", "hint: options are applied in order"):
        assert word in result.stderr, result
    assert run([cloche, "--tmpfs", "/mnt", "--ro-bind", "/usr", "/mnt/x", "true"]).stderr == ""


def refused(run, without_syscalls, call, argv, error="ENOSYS"):
    return run(without_syscalls(call, [str(word) for word in argv], error))


@pytest.mark.parametrize("call", ["mount_setattr", "open_tree", "fsopen", "fsmount", "move_mount"])
def test_hint_of_a_missing_call(cloche, bwrap, run, without_syscalls, call):
    """Without mount_setattr(2) the kernel is older than 5.12, or, on a newer one, a filter stands in the way."""
    result = refused(run, without_syscalls, call, [cloche, "true"])
    assert result.returncode == 125 and ("mov" in result.stderr or call[:2] in result.stderr), result
    assert re.search(r"5\.12|new enough", result.stderr) and "hint: " in result.stderr, result
    result = refused(run, without_syscalls, call, [bwrap, "--ro-bind", "/usr", "/usr", "--tmpfs", "/x", "true"])
    assert result.returncode == 1 and result.stderr.startswith("bwrap: "), result


@pytest.mark.parametrize("call", ["open_tree", "move_mount"])
def test_hint_of_the_mount_limit(cloche, run, without_syscalls, call):
    hint = hint_of(refused(run, without_syscalls, call, [cloche, "true"], "ENOSPC"))
    assert "fs.mount-max" in hint


# The last steps before COMMAND, and what the kernel is asked for in each.
STEPS = [("capset", []), ("keyctl", []), ("setpriority", ["--nice", "19"]), ("ioprio_set", ["--ionice", "idle"]),
         ("sched_setaffinity", ["--cpu-affinity", "0"]), ("sethostname", ["--hostname", "h"]),
         ("setdomainname", ["--domainname", "d"]), ("setns", ["--unshare-time"]), ("unshare", ["--cap-add", "NET_RAW"]),
         ("seccomp", ["--seccomp-log"]), ("mknodat", ["--mask", "/etc/hostname"]), ("close_range", []), ("prctl", [])]


@pytest.mark.parametrize("call, options", STEPS, ids=[call for call, _ in STEPS])
def test_a_step_that_fails_ends_the_start(cloche, run, without_syscalls, call, options):
    """Nothing of what was asked for, or is a default, may be left out in silence."""
    argv = [cloche, *HOST, *options, "--", "echo", "ran"]
    assert run(argv, check=True).stdout == "ran\n"
    result = refused(run, without_syscalls, call, argv, "EACCES")
    assert (result.returncode, result.stdout) == (125, ""), result
    assert result.stderr.startswith("cloche: "), result


FAKE_SYSCTL = ('mkdir -p "$1"; for setting in $2; do echo "${setting#*=}" >"$1/${setting%=*}"; done; mount --bind "$1" "$3"\n'
               'shift 3; exec "$@"')


@pytest.mark.parametrize("directory, settings, error, hint", [
    ("/proc/sys/kernel", "unprivileged_userns_clone=0", "EPERM", "kernel.unprivileged_userns_clone=1"),
    ("/proc/sys/kernel", "apparmor_restrict_unprivileged_userns=1", "EPERM", "packaging/apparmor/cloche"),
    ("/proc/sys/kernel", "apparmor_restrict_unprivileged_userns=1", "EACCES", "packaging/apparmor/cloche"),
    ("/proc/sys/kernel", "other=1", "EPERM", "seccomp=unconfined"),
    ("/proc/sys/user", "max_user_namespaces=0", "ENOSPC", "user.max_user_namespaces")],
    ids=["sysctl", "apparmor", "apparmor-eacces", "container", "limit"])
def test_hint_of_refused_user_namespaces(cloche, run, user, without_syscalls, tmp_path, directory, settings, error,
                                         hint):
    """The knob that is to blame is named; here a directory of ours stands in for the kernel's."""
    argv = without_syscalls("clone3", [cloche, "true"], error)
    words = [str(tmp_path / "sysctl"), settings, directory]
    if IS_ROOT and not user.is_root:  # in the first user namespace, as the ordinary user
        (tmp_path / "sysctl").mkdir()
        argv = ["setpriv", f"--reuid={user.uid}", f"--regid={user.gid}", "--clear-groups", *argv]
        with acting_as_root():
            result = run(["unshare", "--mount", "--propagation", "private", "bash", "-euc", FAKE_SYSCTL, "bash",
                          *words, *argv])
    else:
        result = run(in_own_mounts(user, FAKE_SYSCTL, *words, *argv))
    assert result.returncode == 125 and "hint: " in result.stderr, result
    if IS_ROOT and not user.is_root:
        assert hint in hint_of(result), result


def test_hint_of_a_limit_inside_a_sandbox(cloche, run):
    result = run(["unshare", "--user", "--map-root-user", "sh", "-c",
                  'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"', "sh",
                  cloche, "true"])
    assert "user namespaces" in hint_of(result) and "--allow-userns" in hint_of(result)


def test_hint_of_a_masked_proc(cloche, run, user):
    """The kernel refuses a new procfs where an outer container covers parts of the old one."""
    result = run(in_own_mounts(user, 'mount -t tmpfs none /proc/irq; exec "$@"', cloche, "true")
                 if not user.is_root else ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
                                           'mount -t tmpfs none /proc/irq; exec "$@"', "sh", cloche, "true"])
    assert result.returncode == 125 and "procfs" in result.stderr, result
    assert "masked" in hint_of(result) and "podman" in hint_of(result)


@pytest.mark.only_root
def test_hint_of_a_chroot(cloche, run, tmp_path, user):
    (tmp_path / "root").mkdir()
    result = run(in_own_mounts(user, 'mount --rbind / "$1"; exec chroot "$@"', tmp_path / "root", "setpriv",
                               "--reuid=12345",
                               "--regid=12345", "--clear-groups", cloche, "true"))
    assert "chroot" in hint_of(result)


def test_hint_of_landlock(cloche, run, compile_c):
    program = compile_c(HERE / "landlocked.c")
    if run([program, "true"]).returncode == 77:
        pytest.skip("this kernel has no Landlock")
    assert "Landlock" in hint_of(run([program, cloche, "true"]))


@pytest.mark.only_root
def test_hint_of_missing_setfcap(cloche, run):
    """A container's root without that capability cannot map itself."""
    result = run(["setpriv", "--bounding-set=-setfcap", "--inh-caps=-setfcap", cloche, "true"])
    assert "SETFCAP" in hint_of(result)


# ---- nothing is changed before all is checked --------------------------------------------------------------------
BAD = [["--bogus"], ["--uid", "x"], ["--perms", "0700"], ["--size", "0", "--tmpfs", "/x"], ["--bind", "/"],
       ["--cap-add", "bogus"],
       ["--setenv", "", "x"], ["--overlay-src", "/usr"], ["--seccomp", "99"], ["--args", "99"],
       ["--as-pid-1", "--share-pid"],
       ["--hostname", "x", "--share-uts"], ["--userns2", "0"], ["--json-status-fd", "99"], ["--file", "99", "/x"]]


@pytest.mark.parametrize("bad", BAD, ids=lambda words: " ".join(words))
def test_validation_precedes_changes(cloche, run, tmp_path, memfd, bad):
    """Options that change the host come first in the line, and did nothing."""
    (tmp_path / "old").write_text("old")
    before, fd = snapshot(tmp_path), memfd("new")
    result = run([cloche, "--create-dest", "--bind", "/", "/", "--dir", tmp_path / "d", "--file", str(fd),
                  tmp_path / "old", "--symlink",
                  "x", tmp_path / "l", "--chmod", "0600", tmp_path / "old", *bad, "true"], pass_fds=[fd])
    assert result.returncode == 125 and snapshot(tmp_path) == before, result


BAD_AS_BWRAP = [["--bogus"], ["--uid", "x"], ["--bind", "/"], ["--cap-add", "bogus"], ["--hostname", "x"],
                ["--as-pid-1"],
                ["--disable-userns"], ["--userns2", "0"], ["--overlay-src", "/usr"], ["--args", "99"]]


@pytest.mark.parametrize("bad", BAD_AS_BWRAP, ids=lambda words: " ".join(words))
def test_validation_precedes_changes_as_bwrap(bwrap, run, tmp_path, bad):
    result = run([bwrap, "--bind", "/", "/", "--dir", tmp_path / "d", "--symlink", "x", tmp_path / "l", *bad, "true"])
    assert result.returncode == 1 and os.listdir(tmp_path) == [], result


def test_missing_sources_precede_changes(personality, run, tmp_path):
    """All sources are opened before the first destination is made."""
    create = ["--create-dest"] if personality.name == "cloche" else []
    result = run([personality, *create, "--bind", "/", "/", "--dir", tmp_path / "d", "--bind", "/nosuch", "/mnt",
                  "true"])
    assert_fails(result, personality, "/nosuch")
    assert os.listdir(tmp_path) == []


# ---- refused privileges ------------------------------------------------------------------------------------------
@pytest.mark.only_root
def test_setuid_program_is_refused(user, run, cloche, tmp_path):
    """A copy with the set-user-ID bit will not run for anybody."""
    with open(cloche, "rb") as file:
        (tmp_path / "cloche").write_bytes(file.read())
    for mode in (0o4755, 0o2755):
        (tmp_path / "cloche").chmod(mode)
        tmp_path.chmod(0o755)
        identity = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups"]
        result = run([*identity, tmp_path / "cloche", "true"])
        assert result.returncode == 125 and "set-" in result.stderr, result


@pytest.mark.only_root
def test_program_with_file_capabilities_is_refused(run, cloche, tmp_path):
    with open(cloche, "rb") as file:
        (tmp_path / "cloche").write_bytes(file.read())
    (tmp_path / "cloche").chmod(0o755)
    tmp_path.chmod(0o755)
    os.setxattr(tmp_path / "cloche", "security.capability", bytes.fromhex("0100000200200000000000000000000000000000"))
    result = run(["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", tmp_path / "cloche", "true"])
    assert result.returncode == 125 and "capabilities" in result.stderr, result


def test_empty_argv(personality, compile_c, run):
    """execve(2) with no argument at all."""
    program = compile_c("""
        #include <unistd.h>
        int main(int argc, char **argv) { char *none[] = { 0 }; (void)argc; return execve(argv[1], none, none); }""")
    result = run([program, personality])
    assert result.returncode in (1, 125), result
    assert result.stderr.startswith(("bwrap: ", "cloche: ", "usage: ")), result


# ---- --verbose ---------------------------------------------------------------------------------------------------
def test_verbose(personality, run):
    argv = [personality, *HOST, "--verbose", "sh", "-c", "echo out; echo err >&2"]
    result = run(argv)
    told = [line for line in result.stderr.splitlines() if line.startswith(f"{personality.name}: ")]
    assert result.returncode == 0 and result.stdout == "out\n" and "err" in result.stderr.splitlines()
    assert len(told) >= 3 and any("root directory" in line for line in told), result
    assert run([word for word in argv if word != "--verbose"]).stderr == "err\n"


def test_verbose_tells_which_way_was_taken(cloche, run, without_syscalls):
    assert "in place" in run([cloche, "--verbose", "--ro-bind", "/", "/", "true"]).stderr
    assert "tmpfs" in run([cloche, "--verbose", "true"]).stderr


# ---- labels ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("option", ["--exec-label", "--file-label"])
def test_label_that_cannot_be_set(personality, run, option):
    """Without SELinux, or, where there is SELinux, as no label at all: never silently ignored. tests/vm has more."""
    result = run([personality, *HOST, option, "no label at all", "true"])
    assert_fails(result, personality, "label" if personality.name == "bwrap" else option)
