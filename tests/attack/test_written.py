# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attacks by what COMMAND writes or covers: files that privileged programs trust, set-user-ID files left for the host,
programs of its own, core dumps. Numbers as in SECURITY.md."""
import os
import pathlib
import resource
import stat

import pytest

from attacking import acting_as_root, box, control, needs_root_for, program
from test_kernel import Door, door, pytest_generate_tests, sandbox, under

__all__ = ["box", "door", "program", "pytest_generate_tests", "sandbox"]


# ---- F6: mounts over what privileged programs trust ----------------------------------------------------------------
def test_F6_covering_what_a_privileged_program_trusts(box, program, run, user, tmp_path):
    """In a namespace of its own COMMAND may cover /trusted, but a set-user-ID program gains nothing there."""
    needs_root_for("a set-user-ID program of another user")
    other = 65534 if user.is_root else 0
    for name in ("trusted", "forged"):
        (tmp_path / name).mkdir()
    (tmp_path / "forged" / "passwd").write_text("")
    target = tmp_path / "setuid"
    target.write_bytes(pathlib.Path(program("caps")).read_bytes())
    with acting_as_root():
        os.chown(target, other, other)
        os.chmod(target, 0o6755)
    options = ["--ro-bind", target, "/privileged", "--ro-bind", tmp_path / "trusted", "/trusted", "--ro-bind",
               tmp_path / "forged", "/forged"]
    verbs = ["nested", "bind", "/forged", "/trusted", "open", "/trusted/passwd", "exec", "/privileged", "ids"]
    results = box.attack(program("fs"), *verbs, options=options, userns=True)
    assert (results["nested"], results["bind"], results["open"]) == ("ok", "ok", "ok"), results
    assert results["uid"].split()[0] == results["uid"].split()[1] and results["nnp"] == "1", results
    assert results["gid"].split()[0] == results["gid"].split()[1], results
    if box.is_cloche:  # row D: no such namespace in the first place
        assert box.attack(program("fs"), *verbs, options=options) == {"nested": "EPERM"}
    # Control: outside the covering works as well, and the program is privileged.
    free = control(run, program("fs"), "nested", "bind", tmp_path / "forged", tmp_path / "trusted")
    assert set(free.values()) == {"ok"} and control(run, target, "ids")["uid"].split()[1] == str(other)


# ---- F25: set-user-ID files ----------------------------------------------------------------------------------------
O_CREAT, O_WRONLY, O_DIRECTORY, O_TMPFILE, AT_FDCWD, S_IFREG = 0o100, 1, 0o200000, 0o20200000, -100, stat.S_IFREG


def makers(door, mode, kind):
    """{name: (call, arguments)}: all that set a mode or make a file with one. 30 is the file /rw/file, open."""
    mode, new = hex(mode), f"str=/rw/{kind}"
    how = f"{O_CREAT | O_WRONLY}:0:{mode}:0:0:0" if door.name == "int80" else f"{O_CREAT | O_WRONLY}:{mode}:0"
    return {
        "chmod": ("chmod", f"str=/rw/file,{mode}"), "fchmod": ("fchmod", f"30,{mode}"),
        "fchmodat": ("fchmodat", f"{AT_FDCWD},str=/rw/file,{mode}"),
        "fchmodat2": ("fchmodat2", f"{AT_FDCWD},str=/rw/file,{mode},0"),
        "open": ("open", f"{new}-open,{O_CREAT | O_WRONLY},{mode}"), "creat": ("creat", f"{new}-creat,{mode}"),
        "openat": ("openat", f"{AT_FDCWD},{new}-openat,{O_CREAT | O_WRONLY},{mode}"),
        "tmpfile": ("openat", f"{AT_FDCWD},str=/rw,{O_TMPFILE | O_WRONLY},{mode}"),
        "openat2": ("openat2", f"{AT_FDCWD},{new}-openat2,args={how},24"),
        "mknod": ("mknod", f"{new}-mknod,{hex(int(mode, 0) | S_IFREG)},0"),
        "mknodat": ("mknodat", f"{AT_FDCWD},{new}-mknodat,{hex(int(mode, 0) | S_IFREG)},0"),
    }


def modes_below(directory):
    return {path.name: oct(path.lstat().st_mode & 0o7777) for path in directory.iterdir()}


def plant(sandbox, program, door, directory, mode, kind, options):
    verbs = ["open-as", "/rw/file", "30"]
    for name, (call, arguments) in makers(door, mode, kind).items():
        number = {"fchmodat2": 452, "openat2": 437}.get(call, door.number(call))
        if number is not None:
            verbs += [door.name, name, str(number), arguments]
    results = sandbox.attack(program("kernel"), *verbs, options=["--bind", directory, "/rw", *door.options, *options])
    assert results["open"] == "ok" or results.all("open")[0] == "ok"
    return {name: (results.all(name)[-1], results[f"{name}?"]) for name in makers(door, mode, kind) if f"{name}?" in results}


@pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o6755, 0o4755 | 1 << 32], ids=["uid", "gid", "both", "high"])
def test_F25_set_user_id_files(sandbox, program, user, door, policy, tmp_path, mode):
    """--no-suid-create: none can be made, by any call. openat2 has the mode in memory: it is ENOSYS, and callers go on."""
    (tmp_path / "file").write_text("")
    os.chmod(tmp_path / "file", 0o600)
    options = [*under(policy), "--no-suid-create"]
    results = plant(sandbox, program, door, tmp_path, mode, "bad", options)
    assert results.pop("openat2") == ("ENOSYS", "ENOSYS") and len(results) >= 6
    assert set(results.values()) == {("EPERM", "EPERM")}, results
    assert modes_below(tmp_path) == {"file": "0o600"}
    # Where nothing is made the mode does not count: that of an open directory is whatever the caller left there.
    opened = ["native", "directory", str(Door("native").number("openat")), f"{AT_FDCWD},str=/rw,{O_DIRECTORY},{hex(mode)}"]
    inside = sandbox.attack(program("kernel"), *opened, options=["--bind", tmp_path, "/rw", *options])
    assert inside == {"directory": "ok", "directory?": "through"}, inside
    # Without the bits the same calls do all of it, and without the option with them.
    plain = plant(sandbox, program, door, tmp_path, 0o640, "plain", options)
    assert plain.pop("openat2")[0] == "ENOSYS" and set(plain.values()) == {("ok", "through")}, plain
    free = plant(sandbox, program, door, tmp_path, mode & 0xFFFF, "free", under(policy))
    assert {verdict for _, verdict in free.values()} == {"through"}
    assert modes_below(tmp_path)["file"] == oct(mode & 0o7777) == modes_below(tmp_path)["free-openat"], free


def test_F25_through_io_uring(box, program, tmp_path):
    """Its requests are no system calls, so where no policy forbids io_uring --no-suid-create has to."""
    given = ["--bind", tmp_path, "/rw", "--seccomp-policy", "none"]
    results = box.attack(program("written"), "ring", "/rw/bad", options=[*given, "--no-suid-create"])
    assert results == {"setup": "ENOSYS"} and modes_below(tmp_path) == {}, results
    free = box.attack(program("written"), "ring", "/rw/free", options=given)  # the control
    if pathlib.Path("/proc/sys/kernel/io_uring_disabled").read_text() == "2\n":
        assert free == {"setup": "EPERM"}
    else:
        assert free == {"setup": "ok", "ring": "ok"} and modes_below(tmp_path) == {"free": "0o4755"}, free


# ---- P13: core dumps -----------------------------------------------------------------------------------------------
@pytest.fixture
def core_dumps():
    """sudo sets the hard limit to 0, and root may be unable to raise it."""
    if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        pytest.skip("the hard limit of core dumps is 0 here")


@pytest.fixture
def crash(sandbox, program, run, tmp_path, core_dumps):
    """crash(options): what came of a crash inside, the caller having no limit of core dumps."""
    def unlimited():
        with acting_as_root():
            resource.setrlimit(resource.RLIMIT_CORE, (-1, -1))

    def crash(*options):
        return sandbox.attack(program("written"), "crash", "/rw", options=["--bind", tmp_path, "/rw", *options],
                              preexec_fn=unlimited)

    crash.free = lambda: control(run, program("written"), "crash", tmp_path, preexec_fn=unlimited)
    return crash


def test_P13_core_dumps(crash, sandbox, program, tmp_path):
    """No file on the host, and no handler is told: the kernel asks none where the limit is 1 (core(5))."""
    assert crash() == {"crash": "6", "dumped": "0"} and os.listdir(tmp_path) == []
    # Control: without a sandbox, and where the caller asks for them, there is one.
    assert crash.free()["crash"] == "6"
    if pathlib.Path("/proc/sys/kernel/core_pattern").read_text() == "core\n":
        assert len(os.listdir(tmp_path)) == 1


def test_P13_the_limit_cannot_be_raised(run, cloche, core_dumps):
    """The control: it can be lowered, as any limit."""
    script = "import resource as r; print(r.getrlimit(r.RLIMIT_CORE)); r.setrlimit(r.RLIMIT_CORE, (0, 0)); print('lowered')\n" \
             "try: r.setrlimit(r.RLIMIT_CORE, (4096, 4096))\nexcept (ValueError, PermissionError): print('refused')"
    assert run([cloche, "/usr/bin/python3", "-c", script]).stdout == "(1, 1)\nlowered\nrefused\n"


# ---- P18: programs that COMMAND wrote itself -----------------------------------------------------------------------
NOEXEC = [word for path in ("/tmp", "/dev", "/rw") for word in ("--noexec", path)] + ["--remount-ro", "/"]
NO_MEMFD = ["--syscall-deny", "memfd_create:EACCES"]
KINDS = ("name", "link", "script", "unnamed")


def test_P18_programs_that_command_wrote(sandbox, program, run, user, policy, tmp_path):
    """With --noexec for all that can be written to, and without memfd_create, nothing that was written can be executed."""
    place = ["--bind", tmp_path, "/rw", "--tmpfs", "/tmp", *under(policy)]
    verbs = ["memfd", "in", "/rw", "in", "/tmp", "in", "/dev/shm"]
    inside = sandbox.attack(program("written"), *verbs, options=[*place, *NOEXEC, *NO_MEMFD], dev=True)
    for kind in KINDS:
        assert inside.all(kind) == ["EACCES"] * 3, (kind, inside)
    assert inside.all("map") == ["EPERM"] * 3 and inside.all("write") == ["ok"] * 3, inside
    assert [inside[name] for name in inside if name.startswith("memfd")] == ["EACCES"] * 3, inside
    root = sandbox.attack(program("fs"), "create", "/program", options=[*place, *NOEXEC, *NO_MEMFD], dev=True)
    assert root == {"create": "EROFS"}
    # Control: without these options, and outside.
    assert set(sandbox.attack(program("written"), *verbs, options=place, dev=True).values()) == {"ok"}
    assert set(control(run, program("written"), "memfd", "in", tmp_path).values()) == {"ok"}


def test_P18_memory_is_not_guarded(sandbox, program, run, policy):
    """What SECURITY.md says of it: a process may change its own code. The control is the same outside."""
    inside = sandbox.attack(program("written"), "own-memory", options=[*under(policy), *NO_MEMFD])
    assert inside == control(run, program("written"), "own-memory") == {"own-memory": "ok"}
