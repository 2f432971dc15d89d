# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attacks on what is covered: /proc, /sys, protected paths, secrets, and on the sizes of file systems in memory.

The number in a test's name is that of the attack in SECURITY.md.
"""
import os
import signal
import subprocess

import pytest

from attacking import (SECRET, acting_as_root, box, control, needs_root_for, program, pytest_generate_tests,
                       snapshot)


__all__ = ["box", "program", "pytest_generate_tests"]

CHANGES_THE_HOST = ("sys/kernel/core_pattern", "sys/kernel/modprobe", "sys/kernel/hostname", "sys/kernel/hotplug",
                    "sys/vm/drop_caches", "sys/fs/binfmt_misc/register", "sysrq-trigger", "irq/default_smp_affinity",
                    "acpi/wakeup", "bus/pci/devices")
TELLS_OF_THE_HOST = ("kcore", "keys", "kallsyms", "timer_list", "sched_debug", "config.gz", "cmdline", "key-users",
                     "partitions", "interrupts", "vmallocinfo", "slabinfo", "latency_stats", "kpagecgroup", "kpagecount",
                     "kpageflags")


def words(verb, paths):
    return [word for path in paths for word in (verb, path)]


def on_host(names):
    return [f"/proc/{name}" for name in names if os.path.lexists(f"/proc/{name}")]


# ---- F36 to F38: /proc and /sys ------------------------------------------------------------------------------------
@pytest.mark.vm
@pytest.mark.personalities("cloche")
def test_F36_open_what_changes_the_host_for_writing(box, program, run, user):
    """As root inside, whether that is the host's root or not. Nothing is written, here or in the control."""
    paths = on_host(CHANGES_THE_HOST)
    assert len(paths) >= 4
    for caps in ([], ["--cap-add", "ALL"]):
        results = box.attack(program("fs"), *words("openw", paths), options=caps)
        outcomes = dict(zip(paths, results.all("openw"), strict=True))
        assert outcomes.pop("/proc/sys/fs/binfmt_misc/register", "ENOENT") == "ENOENT", "a mount of the host's"
        # Below a masked directory, which only capabilities can look into.
        assert outcomes.pop("/proc/acpi/wakeup", None) in (None, "ENOENT" if caps else "EACCES"), outcomes
        assert set(outcomes.values()) <= {"EROFS", "EACCES"}, outcomes
    if user.is_root:
        free = control(run, program("fs"), *words("openw", on_host(CHANGES_THE_HOST[:4])))
        assert set(free.all("openw")) == {"ok"}, free


@pytest.mark.vm
@pytest.mark.personalities("cloche")
def test_F36_open_what_changes_the_host_in_sys(box, program, run, user):
    paths = [p for p in ("/sys/kernel/uevent_helper", "/sys/kernel/mm/ksm/run", "/sys/power/state", "/sys/kernel/uevent_seqnum",
                         "/sys/kernel/mm/transparent_hugepage/enabled") if os.path.exists(p)]
    assert paths
    results = box.attack(program("fs"), *words("openw", paths), options=["--sys", "/sys"])
    assert set(results.all("openw")) <= {"EROFS", "EACCES"}, results
    if user.is_root:
        assert "ok" in control(run, program("fs"), *words("openw", paths)).all("openw")


@pytest.mark.vm
@pytest.mark.personalities("cloche")
def test_F37_read_what_tells_of_the_host(box, program, run):
    paths = on_host(TELLS_OF_THE_HOST)
    assert len(paths) >= 4
    results = box.attack(program("fs"), *words("open", paths), "list", "/sys/firmware", options=["--sys", "/sys"])
    assert set(results.all("open")) == {"EACCES"} and results["list"] == "EACCES", results
    assert "ok" in control(run, program("fs"), *words("open", paths)).all("open")


@pytest.mark.personalities("cloche")
def test_F37_there_is_nothing_to_read_with_capabilities_either(box, program, run):
    paths = [path for path in on_host(TELLS_OF_THE_HOST) if os.access(path, os.R_OK)]
    results = box.attack(program("fs"), *words("size", paths), options=["--cap-add", "ALL"])
    assert set(results.all("size")) <= {"0", "EACCES"}, results
    assert "0" not in control(run, program("fs"), *words("size", paths)).all("size")


UNCOVER = ("umount", "/proc/{0}", "umount", "/proc/sys", "umount", "/proc", "bind", "/attack", "/proc/{0}", "tmpfs",
           "/proc", "unlink", "/proc/{0}", "rename", "/proc/{0}", "/proc/other", "chmod", "/proc/{0}")


def uncover():
    name = next(os.path.basename(p) for p in on_host(TELLS_OF_THE_HOST) if os.access(p, os.R_OK))
    return name, [word.format(name) for word in UNCOVER]


@pytest.mark.vm
@pytest.mark.personalities("cloche")
@pytest.mark.parametrize("caps", [[], ["--cap-add", "ALL"]], ids=["plain", "all-caps"])
def test_F38_uncover_what_is_masked(box, program, run, caps):
    """The mounts are locked where COMMAND has the capability to unmount others, and without it nothing is unmounted."""
    name, verbs = uncover()
    results = box.attack(program("fs"), *verbs, "size", f"/proc/{name}", "openw", "/proc/sys/kernel/core_pattern",
                         options=caps)
    outcomes = results.but("size", "openw", "bind", "tmpfs")
    assert "ok" not in outcomes.values(), results
    # A mount on top of it hides more, not less.
    assert results["size"] in ("0", "EACCES", "ENOENT") or results["bind"] == "ok", results
    assert results["openw"] in ("EROFS", "EACCES", "ENOENT"), results
    free = control(run, program("fs"), "nested", "tmpfs", "/mnt", "umount", "/mnt")
    assert set(free.values()) == {"ok"}, free


@pytest.mark.vm
@pytest.mark.personalities("cloche")
def test_F38_a_new_procfs_shows_no_more(box, program, run):
    """In a user namespace of COMMAND's own where there can be one, and with all capabilities in the sandbox's."""
    assert box.attack(program("fs"), "procfs", "/proc")["procfs"] in ("EPERM", "ENOSYS")
    assert box.attack(program("fs"), "nested", "procfs", "/proc") in ({"nested": "ENOSPC"}, {"nested": "EPERM"})
    assert box.attack(program("fs"), "procfs", "/proc", options=["--cap-add", "ALL"])["procfs"] == "EPERM"
    masked = box.attack(program("fs"), "nested", "procfs", "/proc", userns=True, options=["--proc-mask", "default"])
    assert masked == {"nested": "ok", "procfs": "EPERM"}
    assert control(run, program("fs"), "nested", "procfs", "/proc") == {"nested": "ok", "procfs": "ok"}


# ---- F40: memory ---------------------------------------------------------------------------------------------------
MIB = 1 << 20


@pytest.mark.vm
@pytest.mark.personalities("cloche")
def test_F40_fill_the_file_systems_in_memory(box, program, run, tmp_path):
    """One byte more than there is room for is refused at once; what is written page by page ends at the limit."""
    sizes = {"/": 64 * MIB, "/tmp": 1024 * MIB, "/dev": MIB, "/dev/shm": 256 * MIB}
    options = ["--perms", "1777", "--tmpfs", "/tmp"]
    verbs = [word for path, size in sizes.items() for word in ("allocate", f"{path}/big", str(size + 1))]
    results = box.attack(program("fs"), *verbs, "fill", "/dev/fill", "fill", "/fill", dev=True, options=options)
    assert results.all("allocate") == ["ENOSPC"] * 4, results
    dev, root = (int(size) for size in results.all("filled"))
    assert 0 < dev <= MIB and 0 < root <= 64 * MIB and results.all("fill") == ["ENOSPC"] * 2
    free = control(run, program("fs"), "allocate", tmp_path / "big", str(2 * MIB))
    assert free["allocate"] == "ok"


@pytest.mark.vm
@pytest.mark.personalities("cloche")
def test_F40_fill_the_file_systems_with_files(box, program, run, tmp_path):
    results = box.attack(program("fs"), "inodes", "/dev/inodes", "100000", dev=True)
    assert results["inodes"] == "ENOSPC" and int(results["made"]) <= 1024, results
    free = control(run, program("fs"), "inodes", tmp_path / "inodes", "2000")
    assert free["inodes"] == "ok" and free["made"] == "2000"


# ---- F23, F24, F42, F43: protected paths ---------------------------------------------------------------------------
@pytest.fixture
def project(tmp_path):
    for name in ("project/.git/hooks", "project/src", "project/evil/hooks"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("secret", "mine", ".git/config", ".git/hooks/hook"):
        (tmp_path / "project" / name).write_text(SECRET)
    (tmp_path / "project/link").symlink_to(".git")
    return tmp_path / "project"


def test_F23_another_name_of_a_masked_file(box, program, project):
    """Open, and documented: a mask covers a name, not a file. Without the other name there is no way."""
    given = ["--bind", project, "/p", "--mask", "/p/secret"]
    results = box.attack(program("fs"), "size", "/p/secret", "link", "/p/secret", "/p/mine2", options=given)
    assert results["size"] in ("EACCES", "0") and results["link"] == "EXDEV", results
    os.link(project / "secret", project / "other")
    free = box.attack(program("fs"), "size", "/p/other", options=given)
    assert free["size"] == str(len(SECRET))


@pytest.mark.vm
def test_F24_planted_links(box, program, project, tmp_path):
    """They can be made, for the host to follow; inside they lead nowhere."""
    (tmp_path / "outside").write_text(SECRET)
    given = ["--bind", project, "/p", "--ro-bind", tmp_path / "outside", "/o"]
    verbs = ("symlink", "/o", "/p/new", "size", "/p/new", "size", "/p/link/config", "size", "/p/.git/config")
    results = box.attack(program("fs"), *verbs, options=[*given, "--no-symlinks", "/p"])
    assert (results["symlink"], results.all("size")) == ("ok", ["ELOOP", "ELOOP", str(len(SECRET))]), results
    (project / "new").unlink()
    free = box.attack(program("fs"), *verbs, options=given)  # the control
    assert (free["symlink"], free.all("size")) == ("ok", [str(len(SECRET))] * 3), free


CREATE = ("create", "/p/.claude/settings.json", "create", "/p/.claude", "mkdir", "/p/.claude", "mkfifo", "/p/.claude",
          "symlink", "src", "/p/.claude", "link", "/p/mine", "/p/.claude", "rename", "/p/evil", "/p/.claude",
          "rename", "/p/mine", "/p/.claude", "exchange", "/p/evil", "/p/.claude", "tmpfile", "/p", "/p/.claude",
          "bind-socket", "/p/.claude")


@pytest.mark.vm
def test_F42_create_what_is_to_stay_missing(box, program, run, project):
    before = snapshot(project)
    results = box.attack(program("fs"), *CREATE, "create", "/p/src/new", "openw", "/p/mine",
                         options=["--bind", project, "/p", "--deny-create", "/p/.claude/settings.json"])
    allowed = {"create": ["ENOENT", "EROFS", "ok"]}
    assert results.all("create") == allowed["create"] and results["openw"] == "ok", results
    others = results.but("create", "openw")
    assert set(others) == {"mkdir", "mkfifo", "symlink", "link", "rename", "exchange", "tmpfile", "bind-socket"}
    assert {"ok", "?"}.isdisjoint(others.values()) and set(results.all("rename")) <= {"EROFS", "EXDEV"}, results
    assert {others[name] for name in ("mkdir", "mkfifo", "symlink", "tmpfile", "bind-socket")} == {"EROFS"}, results
    (project / "src/new").unlink()
    assert snapshot(project) == before
    free = control(run, program("fs"), *(w.replace("/p", str(project), 1) if w.startswith("/p") else w
                                         for w in ("mkdir", "/p/.claude", "create", "/p/.claude/settings.json")))
    assert set(free.values()) == {"ok"}


REPLACE = ("rename", "/p/.git", "/p/g", "rename", "/p/evil", "/p/.git", "exchange", "/p/evil", "/p/.git",
           "rename", "/p/.git/hooks", "/p/h", "exchange", "/p/evil/hooks", "/p/.git/hooks", "unlink", "/p/link",
           "rename", "/p/link", "/p/l", "symlink", "evil", "/p/link", "rename", "/p/evil", "/p/link",
           "create", "/p/.git/hooks/new", "create", "/p/link/hooks/new", "unlink", "/p/.git/hooks/hook")


@pytest.mark.vm
@pytest.mark.parametrize("way", ["/p/.git/hooks", "/p/link/hooks", "/p/src/../link/hooks/.", "/p/.git/hook?", "/p/l*/hooks"])
def test_F42_replace_what_lies_above_a_protected_path(box, program, run, project, way):
    """A directory above that is renamed takes the mount with it, and the host would find another in its place."""
    before = snapshot(project)
    given = ["--bind", project, "/p"]
    results = box.attack(program("fs"), *REPLACE, options=[*given, "--deny-write", way, "--deny-write", "/p/link/hooks"])
    assert set(results.but("create").values()) <= {"EBUSY", "EXDEV", "EEXIST", "EROFS", "ENOTDIR", "ENOTEMPTY"}, results
    assert results.all("create") == ["EROFS", "EROFS"] and results.all("rename")[0] == "EBUSY", results
    assert snapshot(project) == before
    free = box.attack(program("fs"), *REPLACE[:3], options=given)  # the control
    assert free["rename"] == "ok"


@pytest.mark.vm
def test_F42_nothing_is_left_after_a_kill(box, program, project, popen):
    """Neither a placeholder nor anything else, whoever dies first."""
    before = snapshot(project)
    options = ["--bind", project, "/p", "--deny-create", "/p/.claude/x", "--deny-create", "/p/src/a/b", "--mask",
               "/p/secret", "--mask", "/p/.git", "--deny-write", "/p/mine"]
    argv = box.argv([*box.options(program("fs")), "--die-with-parent", *options], ["/attack", "list", "/", "wait"])
    process = popen(argv, stdin=subprocess.PIPE)
    assert process.stdout.readline()
    assert snapshot(project) == before, "while it runs"
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=60)
    assert snapshot(project) == before
    (project / ".claude").mkdir()  # the control: the host may
    assert snapshot(project) != before


def test_F43_rules_that_match_nothing(box, program, project, tmp_path):
    """A typo, a glob without a match, a link that leads out of the root: refused, before COMMAND starts."""
    (tmp_path / "outside").write_text(SECRET)
    (project / "out").symlink_to(tmp_path / "outside")
    given = ["--bind", project, "/p"]
    for option in ("--mask", "--deny-write", "--deny-create", "--noexec", "--no-symlinks"):
        bad = ["/p/*.pem", "/p/nothing/*"] + ([] if option == "--deny-create" else ["/p/secrets", "/p/out", "/p/o[u]t"])
        for path in bad:
            result = box.start(program("fs"), "list", "/", options=[*given, option, path])
            assert (result.returncode, result.stdout) == (box.setup_failed, ""), (option, path, result)
        good = box.start(program("fs"), "list", "/", options=[*given, option, "/p/s[e]cret"])
        assert good.returncode == 0, good
    assert (tmp_path / "outside").read_text() == SECRET


# ---- E3: what other users of the host can see ----------------------------------------------------------------------
@pytest.mark.vm
def test_E3_secrets_on_the_command_line(box, program, popen, tmp_path, user):
    """Arguments are for everybody to read (the control); what comes by a descriptor is in nobody's arguments, and in no
    environment but COMMAND's."""
    def seen(*options, fds=()):
        argv = box.argv([*box.options(program("fs")), "--die-with-parent", *options], ["/attack", "list", "/", "wait"])
        process = popen(argv, stdin=subprocess.PIPE, pass_fds=fds)
        assert process.stdout.readline()
        family = [process.pid]
        for pid in family:
            with open(f"/proc/{pid}/task/{pid}/children") as file:
                family += map(int, file.read().split())
        assert len(family) >= 2
        texts = b""
        with acting_as_root():
            for pid in family:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    texts += file.read()
            for pid in family[:-1]:
                with open(f"/proc/{pid}/environ", "rb") as file:
                    texts += file.read()
        process.kill()
        process.wait(timeout=60)
        return SECRET.encode() in texts

    (tmp_path / "env").write_text(f"TOKEN={SECRET}\n")
    (tmp_path / "secret").write_text(SECRET)
    fds = [os.open(tmp_path / name, os.O_RDONLY) for name in ("env", "secret")]
    try:
        needs_root_for("a look at another's environment")
        assert seen("--setenv", "TOKEN", SECRET)
        assert not seen("--env-file", str(fds[0]), "--secret-fd", str(fds[1]), "token", fds=fds)
    finally:
        for fd in fds:
            os.close(fd)


def test_E3_secrets_are_read_inside(box, program, tmp_path):
    """And by COMMAND's user only; nobody can change them."""
    (tmp_path / "secret").write_text(SECRET)
    fd = os.open(tmp_path / "secret", os.O_RDONLY)
    try:
        results = box.attack(program("fs"), "size", "/run/secrets/token", "openw", "/run/secrets/token", "chmod",
                             "/run/secrets/token", "unlink", "/run/secrets/token", "usefd", str(fd),
                             options=["--secret-fd", str(fd), "token"], pass_fds=[fd])
        assert results["size"] == str(len(SECRET)) and results["chmod"] == "EROFS", results
        assert results["openw"] == ("EROFS" if box.keeps_capabilities else "EACCES"), results
        assert results["unlink"] == "EROFS" and results["openat-secret"] == "EBADF", results  # the control is "size"
    finally:
        os.close(fd)


