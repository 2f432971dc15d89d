# SPDX-License-Identifier: LGPL-2.1-or-later
"""Descriptors: what COMMAND gets, what options take, what is kept open or waited for, closed standard streams."""
import fcntl
import json
import os
import re
import select

import pytest

from conftest import wait_until
from e2elib import HOST, assert_fails, memfd, opened, pipe  # noqa: F401

LIST = ["sh", "-c", "ls /proc/$$/fd"]


def descriptors(result):
    """What `LIST` saw; dash opens none itself above 2 except 10 for a script, and there is none."""
    assert result.returncode == 0, result
    return {int(number) for number in result.stdout.split()}


# ---- --keep-fd, inherited ----------------------------------------------------------------------------------------
@pytest.mark.vm
def test_keep_fd(cloche, run, memfd):
    kept, other = memfd("kept"), memfd("other")
    argv = [cloche, "--keep-fd", str(kept)]
    assert descriptors(run([*argv, *LIST], pass_fds=[kept, other])) == {0, 1, 2, kept}
    assert run([*argv, "bash", "-c", f"cat <&{kept}"], pass_fds=[kept, other]).stdout == "kept"


def test_keep_fd_several_times(cloche, run, memfd):
    fds = [memfd(), memfd(), memfd()]
    options = [word for fd in (fds[2], fds[0], fds[2]) for word in ("--keep-fd", str(fd))]
    assert descriptors(run([cloche, *options, *LIST], pass_fds=fds)) == {0, 1, 2, fds[0], fds[2]}


def test_keep_fd_of_a_standard_stream(cloche, run):
    """Those are kept anyway."""
    assert run([cloche, "--keep-fd", "1", "echo", "x"]).stdout == "x\n"


def test_keep_fd_not_open(cloche, run):
    result = run([cloche, "--keep-fd", "99", "true"])
    assert result.returncode == 125, result
    assert "--keep-fd 99" in result.stderr and "Bad file descriptor" in result.stderr, result


def test_fds_are_closed_by_default(cloche, run, memfd, opened):
    fds = [memfd(), opened("/"), opened("/etc/passwd")]
    assert descriptors(run([cloche, *LIST], pass_fds=fds)) == {0, 1, 2}


def test_fds_are_closed_by_default_far_up(cloche, run):
    script = "import os, sys; os.dup2(0, 1000); os.set_inheritable(1000, True); os.execv(sys.argv[1], sys.argv[1:])"
    assert descriptors(run(["/usr/bin/python3", "-c", script, cloche, *LIST])) == {0, 1, 2}


def test_fds_are_inherited_by_bwrap(bwrap, run, memfd, opened):
    fds = [memfd(), opened("/")]
    assert descriptors(run([bwrap, *HOST, *LIST], pass_fds=fds)) == {0, 1, 2, *fds}


CONSUMERS = [["--args"], ["--file", "/tmp/f"], ["--bind-data", "/tmp/f"], ["--ro-bind-data", "/tmp/f"], ["--info-fd"],
             ["--json-status-fd"], ["--block-fd"], ["--sync-fd"], ["--seccomp"], ["--add-seccomp-fd"]]
ALLOW_ALL = bytes.fromhex("06000000" "0000ff7f")  # one BPF instruction: return SECCOMP_RET_ALLOW


@pytest.mark.parametrize("words", CONSUMERS, ids=lambda words: words[0].strip("-"))
def test_fds_of_options_are_closed(bwrap, run, memfd, words):
    """Inherited, except those that an option named."""
    content = ALLOW_ALL if "seccomp" in words[0] else b"--unsetenv\0A\0" if words[0] == "--args" else b"x"
    fd, other = memfd(content), memfd()
    argv = [bwrap, *HOST, "--tmpfs", "/tmp", words[0], str(fd), *words[1:], *LIST]
    assert descriptors(run(argv, pass_fds=[fd, other])) == {0, 1, 2, other}


@pytest.mark.parametrize("option", ["--bind-fd", "--ro-bind-fd"])
def test_fds_of_bind_fd_are_closed(bwrap, run, opened, memfd, option):
    fd, other = opened("/usr"), memfd()
    assert descriptors(run([bwrap, *HOST, option, str(fd), "/mnt", *LIST], pass_fds=[fd, other])) == {0, 1, 2, other}


def test_fds_of_ours_do_not_leak(bwrap, run, tmp_path):
    """None of the program's own, with every feature that needs one."""
    argv = [bwrap, *HOST, "--unshare-all", "--overlay-src", tmp_path, "--tmp-overlay", "/mnt", "--lock-file",
            "/etc/passwd",
            "--die-with-parent", "--tmpfs", "/tmp", *LIST]
    assert descriptors(run(argv)) == {0, 1, 2}


def test_fds_of_init(personality, popen, memfd, tmp_path):
    """pid 1 keeps 0 to 2 and what must last; nothing that was inherited."""
    inherited = memfd()
    process = popen([personality, *HOST, "--unshare-pid", "--proc", "/proc", "sh", "-c",
                     "echo started; exec sleep 1000"],
                    pass_fds=[inherited])
    assert process.stdout.readline() == "started\n"
    init = open(f"/proc/{process.pid}/task/{process.pid}/children").read().split()[0]

    def links():
        return {int(fd): os.readlink(f"/proc/{init}/fd/{fd}") for fd in os.listdir(f"/proc/{init}/fd")}
    wait_until(lambda: all(re.match(r"(pipe|anon_inode|socket):", link) for fd, link in links().items() if fd > 2))
    assert {0, 1, 2} <= set(links())


# ---- 0 to 2 ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("closed", [[0], [1], [2], [0, 1], [1, 2], [0, 1, 2]], ids=lambda fds: "".join(map(str, fds)))
def test_fds_closed_streams(personality, run, tmp_path, closed):
    """A start with closed standard streams: nothing of ours may land there, and COMMAND finds them closed or empty."""
    (tmp_path / "out").touch()
    (tmp_path / "out").chmod(0o666)
    script = ("import os, sys\n"
              "def state(fd):\n"
              "    try: return os.readlink(f'/proc/self/fd/{fd}')\n"
              "    except OSError: return None\n"
              "states = [state(fd) for fd in (0, 1, 2)]\n"
              "open(sys.argv[1], 'w').write(repr(states))")
    redirects = " ".join(f"{fd}<&-" for fd in closed)
    argv = [personality, *HOST, "--bind", tmp_path, tmp_path, "/usr/bin/python3", "-c", script, tmp_path / "out"]
    result = run(["sh", "-c", f'exec "$@" {redirects}', "sh", *argv])
    assert result.returncode == 0, result
    states = eval((tmp_path / "out").read_text())
    for fd in closed:  # the interpreter may have opened a file of its own there meanwhile
        assert states[fd] is None or states[fd] == "/dev/null" or states[fd].startswith("/proc/"), states
    for fd in {0, 1, 2} - set(closed):
        assert states[fd] is not None, states


@pytest.mark.parametrize("closed", ["0<&-", "1<&-", "2<&-", "0<&- 1<&- 2<&-"])
@pytest.mark.parametrize("command, status", [("true", 0), ("false", 1), ("nosuch", None)])
def test_fds_closed_streams_status(personality, run, closed, command, status):
    result = run(["sh", "-c", f'exec "$@" {closed}', "sh", personality, *HOST, "--unshare-all", command])
    assert result.returncode == (status if status is not None else 127 if personality.name == "cloche" else 1), result


def test_fds_0_to_2_as_arguments(personality, run, memfd):
    argv = [personality, *HOST, "--tmpfs", "/tmp"]
    assert run([*argv, "--file", "0", "/tmp/f", "cat", "/tmp/f"], input="data").stdout == "data"
    assert run([*argv, "--bind-data", "0", "/tmp/f", "cat", "/tmp/f"], input="data").stdout == "data"
    assert run([*argv, "--args", "0", "cat", "/proc/self/comm"], input="--unsetenv\0A\0").stdout == "cat\n"
    assert run([*argv, "--block-fd", "0", "echo", "x"], input="go").stdout == "x\n"
    assert run([*argv, "--sync-fd", "0", "echo", "x"]).stdout == "x\n"


def test_info_fd_on_stdout(personality, run):
    result = run([personality, *HOST, "--info-fd", "1", "true"])
    assert result.returncode == 0 and json.loads(result.stdout)["child-pid"] > 1, result


def test_json_status_fd_on_stderr(personality, run):
    result = run([personality, *HOST, "--json-status-fd", "2", "sh", "-c", "exit 3"])
    assert result.returncode == 3 and json.loads(result.stderr.splitlines()[-1]) == {"exit-code": 3}, result


def test_fds_0_is_closed_for_command_when_taken(bwrap, run):
    result = run([bwrap, *HOST, "--tmpfs", "/tmp", "--file", "0", "/tmp/f", "sh", "-c",
                  "test -e /proc/$$/fd/0 || echo closed"],
                 input="data")
    assert result.stdout == "closed\n", result


def test_fds_limit_is_restored(personality, run, tmp_path):
    """Many binds need more descriptors than the soft limit; COMMAND gets the caller's limit."""
    words = [word for number in range(600) for word in ("--ro-bind", "/usr", f"/mnt/{number}")]
    result = run(["sh", "-c", 'ulimit -Sn 300; exec "$@"', "sh", personality, *HOST, "--tmpfs", "/mnt", *words, "sh",
                  "-c",
                  "ulimit -Sn"])
    assert result.stdout == "300\n", result.stderr[:500]


# ---- --sync-fd ---------------------------------------------------------------------------------------------------
def is_closed(fd):
    """Has everybody closed the write end of the pipe?"""
    ready, _, _ = select.select([fd], [], [], 0)
    return bool(ready) and os.read(fd, 1) == b""


@pytest.mark.parametrize("options", [[], ["--unshare-pid"]])
def test_sync_fd_lasts_as_long_as_command(personality, popen, pipe, options):
    read, write = pipe()
    process = popen([personality, *HOST, *options, "--sync-fd", str(write), "sh", "-c", f"ls /proc/$$/fd; read x"],
                    pass_fds=[write], stdin=-1)
    os.close(write)
    seen = process.stdout.readline() + process.stdout.readline() + process.stdout.readline()
    assert seen == "0\n1\n2\n" and not is_closed(read)
    process.stdin.write("go\n")
    process.stdin.flush()
    wait_until(lambda: is_closed(read))
    process.wait(timeout=60)


@pytest.mark.parametrize("option", ["--sync-fd"])
def test_sync_fd_is_held_by_the_init_process_only(bwrap, popen, pipe, option):
    """Without --sync-fd COMMAND itself would hold it: the same line without the option shows the descriptor."""
    _, write = pipe()
    for options, expected in (([option, str(write)], False), ([], True)):
        process = popen([bwrap, *HOST, "--unshare-pid", *options, *LIST], pass_fds=[write])
        out, _ = process.communicate(timeout=60)
        assert (str(write) in out.split()) == expected


def test_sync_fd_keeps_the_leftovers_as_bwrap(bwrap, popen, pipe):
    """With a pid namespace it is held until the last process has ended."""
    read, write = pipe()
    hold, let_go = pipe()
    process = popen([bwrap, *HOST, "--unshare-pid", "--sync-fd", str(write), "sh", "-c", "exec 3<&0; cat <&3 & exit 3"],
                    pass_fds=[write], stdin=hold)
    os.close(write)
    assert process.wait(timeout=60) == 3
    assert not is_closed(read)
    os.close(let_go)
    wait_until(lambda: is_closed(read))


def test_sync_fd_twice(bwrap, run, memfd):
    fds = [memfd(), memfd()]
    result = run([bwrap, *HOST, "--sync-fd", str(fds[0]), "--sync-fd", str(fds[1]), *LIST], pass_fds=fds)
    assert descriptors(result) == {0, 1, 2} and result.stderr == ""


# ---- --lock-file -------------------------------------------------------------------------------------------------
def lock_type(path):
    """What a write lock of our own would meet: F_UNLCK or the kind of the conflicting lock."""
    with open(path, "r+") as file:
        request = bytearray(fcntl.fcntl(file, fcntl.F_GETLK, b"\1\0" + b"\0" * 30))
    return int.from_bytes(request[:2], "little", signed=True)


@pytest.mark.parametrize("options", [[], ["--unshare-pid"]])
def test_lock_file_is_locked_while_it_runs(personality, popen, tmp_path, options):
    path = tmp_path / "lock"
    path.touch()
    assert lock_type(path) == fcntl.F_UNLCK
    process = popen([personality, *HOST, *options, "--lock-file", path, "sh", "-c", "echo started; read x"], stdin=-1)
    assert process.stdout.readline() == "started\n"
    assert lock_type(path) == fcntl.F_RDLCK
    process.communicate("go\n", timeout=60)
    wait_until(lambda: lock_type(path) == fcntl.F_UNLCK)


def test_lock_file_is_a_path_inside(personality, run, tmp_path):
    (tmp_path / "lock").touch()
    result = run([personality, *HOST, "--tmpfs", "/tmp", "--lock-file", tmp_path / "lock", "true"])
    assert_fails(result, personality, str(tmp_path / "lock"), "No such file or directory")
    assert run([personality, *HOST, "--tmpfs", "/mnt", "--ro-bind", tmp_path, "/mnt", "--lock-file", "/mnt/lock",
                "true"]).returncode == 0


def test_lock_file_several(personality, popen, tmp_path):
    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        path.touch()
    process = popen([personality, *HOST, "--lock-file", paths[0], "--lock-file", paths[1], "sh", "-c",
                     "echo started; read x"],
                    stdin=-1)
    assert process.stdout.readline() == "started\n"
    assert [lock_type(path) for path in paths] == [fcntl.F_RDLCK] * 2
    process.communicate("go\n", timeout=60)


def test_lock_file_conflict(personality, run, tmp_path):
    """A write lock of somebody else is an error, and COMMAND does not run."""
    path = tmp_path / "lock"
    path.touch()
    with open(path, "r+") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        result = run([personality, *HOST, "--bind", tmp_path, tmp_path, "--lock-file", path, "touch", tmp_path / "ran"])
    assert_fails(result, personality, str(path), "Resource temporarily unavailable")
    assert not (tmp_path / "ran").exists()


def read_info(fd):
    """The object of --info-fd, which bubblewrap writes in pieces."""
    text = b""
    while b"}" not in text:
        piece = os.read(fd, 4096)
        assert piece, text
        text += piece
    return json.loads(text)


def test_info_fd_is_closed_when_written(personality, popen, pipe):
    """A caller may read it to its end before it lets COMMAND go."""
    read, write = pipe()
    info, report = pipe()
    popen([personality, *HOST, "--unshare-pid", "--info-fd", str(report), "--block-fd", str(read), "true"],
          pass_fds=[read, report])
    os.close(report)
    assert read_info(info)["child-pid"] > 1
    wait_until(lambda: is_closed(info), timeout=10)
    os.write(write, b"x")


# ---- --block-fd, --userns-block-fd -------------------------------------------------------------------------------
@pytest.mark.parametrize("end", ["byte", "closed"])
def test_block_fd_waits(personality, popen, pipe, tmp_path, end):
    read, write = pipe()
    info, report = pipe()
    process = popen([personality, *HOST, "--bind", tmp_path, tmp_path, "--info-fd", str(report), "--block-fd",
                     str(read), "touch",
                     tmp_path / "ran"], pass_fds=[read, report])
    os.close(report)
    os.close(read)
    child = read_info(info)["child-pid"]
    # It sleeps in the wait for that descriptor: ppoll (271) or poll (7) or read (0), with everything set up.
    wait_until(lambda: open(f"/proc/{child}/syscall").read().split()[0] in ("0", "7", "271"))
    assert not (tmp_path / "ran").exists() and process.poll() is None
    if end == "byte":
        os.write(write, b"x")
    os.close(write)
    assert process.wait(timeout=60) == 0 and (tmp_path / "ran").exists()


def test_block_fd_everything_is_set_up(personality, run, tmp_path, pipe):
    """A failure of the set-up comes at once."""
    read, _ = pipe()
    result = run([personality, *HOST, "--block-fd", str(read), "--bind", tmp_path / "nosuch", "/mnt", "true"],
                 pass_fds=[read])
    assert_fails(result, personality, "nosuch")


def test_userns_block_fd_lets_the_caller_write_the_maps(personality, popen, pipe, user):
    read, write = pipe()
    info, report = pipe()
    options = ["--unshare-user", *(["--allow-userns"] if personality.name == "cloche" else [])]
    process = popen([personality, *HOST, *options, "--info-fd", str(report), "--userns-block-fd", str(read), "sh",
                     "-c", "id -u; cat /proc/self/uid_map"], pass_fds=[read, report])
    os.close(report)
    child = read_info(info)["child-pid"]
    assert open(f"/proc/{child}/uid_map").read() == ""
    for name, text in (("setgroups", "deny"), ("gid_map", f"77 {user.gid} 1"), ("uid_map", f"77 {user.uid} 1")):
        with open(f"/proc/{child}/{name}", "w") as file:
            file.write(text)
    os.write(write, b"x")
    out, err = process.communicate(timeout=60)
    assert out.split()[:2] == ["77", "77"] and out.split()[3] == "1", err


def test_userns_block_fd_needs_others(personality, run, memfd):
    fd = memfd()
    result = run([personality, *HOST, "--unshare-user", "--userns-block-fd", str(fd), "true"], pass_fds=[fd])
    assert_fails(result, personality, "--userns-block-fd", "--info-fd")
    if personality.name == "bwrap":
        result = run([personality, *HOST, "--userns-block-fd", str(fd), "--info-fd", "1", "true"], pass_fds=[fd])
        assert_fails(result, personality, "--userns-block-fd requires --unshare-user")
