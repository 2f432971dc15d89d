# SPDX-License-Identifier: LGPL-2.1-or-later
"""The attacks on ids, groups, pid 1 and mounts once more where the sandbox has ranges of ids. Numbers as in SECURITY.md."""
import os
import subprocess

import pytest

from attacking import Results, acting_as_root, box, control, needs_root_for, program, pytest_generate_tests
from test_fs import NO_POLICY
from test_parser import NOT_DECIMAL, attempt, bound
from test_privilege import NONE, NO_AMBIENT, NO_FIXUP, NO_ROOT, capabilities
from test_processes import DENIED

__all__ = ["attempt", "bound", "box", "program", "pytest_generate_tests"]

ROOT_FIRST = 300000
GROUP = 54321


def allowed(path, user):
    """The first range that the file gives the user; root needs none."""
    if user.is_root:
        return ROOT_FIRST, 65536
    with open(path) as file:
        lines = [line.strip().split(":") for line in file]
    found = [(int(first), int(count)) for owner, first, count in lines if owner in (user.name, str(user.uid))]
    assert found, f"{path} gives {user} no ids: usermod --add-subuids and --add-subgids"
    return found[0]


@pytest.fixture
def ranged(box, user):
    """The box with 1001 ids instead of one; the caller's own is 0, so that his files are within reach."""
    uid, gid = allowed("/etc/subuid", user)[0], allowed("/etc/subgid", user)[0]
    box.shield = ["--unshare-user", "--map-root", "--uid-map", f"1:{uid}:1000", "--gid-map", f"1:{gid}:1000"]
    if box.kind.endswith("-id"):
        box.shield += ["--uid", "33", "--gid", "44"]
    if box.kind == "bwrap-caps":
        box.shield += ["--cap-drop", "ALL"]
    return box


# ---- A1: the options -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("option", ("--uid-map", "--gid-map", "--idmap"))
def test_A1_id_maps(attempt, box, user, option):
    """Each number of a map by itself, then shapes, overlaps and limits; nothing is made on the host."""
    box.shield = ["--unshare-user"]
    own = user.uid if option == "--uid-map" else user.gid
    after = ["--bind", "/usr", "/rw/made"] if option == "--idmap" else []
    bad = [shape.format(n) for n in (*NOT_DECIMAL, "4294967295", "4294967296", "8589934592") if n != "1,0"
           for shape in ("{}:0:1", "0:{}:1", "0:0:{}") if (n, shape) != ("4294967295", "0:0:{}")]
    bad += ["0:0:0", "4294967294:0:2", "0:4294967294:2", "1:0:4294967295", "2:4294967293:4294967295", "", ":", "::", "0", "0:0", "0:0:1:",
            "0:0:1:1", "0:0:1,", ",0:0:1", "0:0:1,,1:1:1", "0:0:1;1:1:1", "0-0-1", "0:0:00000000000000000000001"]
    for text in bad:
        attempt.refused(option, text, *after, names=option)
    overlaps = [f"0:{own}:1,0:{own + 1}:1", f"0:{own}:1,1:{own}:1", f"5:{own}:1,0:{own + 10}:6"]
    for text in [*overlaps, ",".join(f"{i}:{i}:1" for i in range(341))] if option != "--idmap" or user.is_root else []:
        attempt.refused(option, text, *after, names=option)
    if option == "--idmap":  # what is right is refused to the user for another reason
        box.shield = ["--share-user", "--allow-userns"] if box.is_cloche else []
        if user.is_root:  # the number is; the file system may not be
            result = attempt.run(option, "0:0:1", *after)
            assert result.returncode == 0 or "ids of /usr: Invalid argument" in result.stderr, result
        else:
            box.shield = []
            assert "real root" in attempt.refused(option, "0:0:1", *after, names=option).stderr
        return
    for text in (f"0:{own}:1", f"4294967294:{own}:1", f"007:{own}:01"):
        attempt.accepted(option, text)


@pytest.mark.only_user
def test_A1_ids_outside_the_allowance(attempt, box, user):
    """Others' ids, root's first of all, and one more than allowed at either end; the control is the whole allowance."""
    for option, path in (("--uid-map", "/etc/subuid"), ("--gid-map", "/etc/subgid")):
        first, count = allowed(path, user)
        box.shield = ["--unshare-user", "--map-root"]
        for outside, number in ((0, 1), (user.uid + 1, 1), (first - 1, 2), (first, count + 1), (first + count, 1), (1, 4294967294)):
            attempt.refused(option, f"1:{outside}:{number}", names=option if box.is_cloche or number > 65537 else "Ids")
        attempt.accepted(option, f"1:{first}:{count}")


# ---- C1, C2: capabilities ------------------------------------------------------------------------------------------
@pytest.mark.vm
@pytest.mark.personalities("cloche")
def test_C1_no_capabilities_with_ranges(ranged, program, run):
    results = ranged.attack(program("caps"), "ids", "exec", "/attack", "ids", "regain")
    assert capabilities(results) == NONE and len(results.all("CapEff")) == 2 and set(results.all("CapEff")) == {"0000000000000000"}
    assert results["uid"].split()[0] == ("33" if ranged.kind == "cloche-id" else "0")
    # Control: uid 0 of a new user namespace has all, where nobody takes them away.
    assert int(control(run, program("caps"), "nested", "exec", program("caps"), "ids")["CapEff"], 16) != 0


@pytest.mark.personalities("cloche")
def test_C2_locked_with_ranges(ranged, program, run):
    wanted = NO_ROOT | NO_FIXUP | NO_AMBIENT
    assert int(ranged.attack(program("caps"), "ids")["secure"]) & wanted == wanted
    assert int(control(run, program("caps"), "ids")["secure"]) & wanted == 0


# ---- C4, C5: groups ------------------------------------------------------------------------------------------------
def in_group(run, user, argv, group):
    """What the attack `open` said, started by the user in this one supplementary group."""
    ids = ["setpriv", f"--reuid={user.uid}", f"--regid={user.gid}", f"--groups={group}"]
    if user.is_root:  # whose capabilities would open it anyway
        ids += ["--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"]
    result = run([*ids, *argv])
    assert result.returncode == 0, result
    return Results(result.stdout)


@pytest.mark.vm
def test_C4_file_of_a_supplementary_group(ranged, program, run, user, tmp_path):
    """As docker's socket or a disk: open to a group. With ranges groups are left, and cannot be taken again.
    The control is the same sandbox with --keep-groups."""
    needs_root_for("a file of another group")
    target = tmp_path / "of-a-group"
    target.write_text("content")
    with acting_as_root():
        os.chmod(tmp_path, 0o755)
        os.chown(target, 65534, GROUP)
        os.chmod(target, 0o040)

        def attack(*options):
            argv = ranged.argv([*ranged.options(program("caps")), "--bind", tmp_path, "/rw", *options], ["/attack", "open", "/rw/of-a-group"])
            return in_group(run, user, argv, GROUP)["open"]

        assert attack() == attack("--drop-groups") == "EACCES"
        assert attack("--keep-groups") == "ok"  # control: the same sandbox in the group
        assert in_group(run, user, [program("caps"), "open", target], GROUP)["open"] == "ok"


@pytest.mark.only_root
@pytest.mark.personalities("cloche")
def test_C4_roots_groups(box, program, run, user, tmp_path):
    """Root may leave groups without ranges, too."""
    target = tmp_path / "of-a-group"
    target.write_text("content")
    os.chown(target, 65534, GROUP)
    os.chmod(target, 0o040)
    os.chmod(tmp_path, 0o755)

    def attack(*options):
        argv = box.argv([*box.options(program("caps")), "--bind", tmp_path, "/rw", *options], ["/attack", "open", "/rw/of-a-group"])
        return in_group(run, user, argv, GROUP)["open"]

    assert attack("--drop-groups") == "EACCES"
    assert attack() == "ok"  # control: groups stay by default, which SECURITY.md says


def test_C5_setgroups_with_ranges(ranged, program, run, user):
    """Nobody without capabilities changes groups, whatever the gid map allows; who keeps groups never does."""
    verbs = ["setgroups", "content", "/proc/self/setgroups"]
    if not ranged.keeps_capabilities:
        results = ranged.attack(program("caps"), *verbs)
        assert results == {"setgroups-none": "EPERM", "setgroups-other": "EPERM", "content": "allow"}
    results = ranged.attack(program("caps"), *verbs, options=["--keep-groups", "--cap-add", "CAP_SETGID"])
    assert results == {"setgroups-none": "EPERM", "setgroups-other": "EPERM", "content": "deny"}
    # Control: with the capability, and groups that were left.
    free = ranged.attack(program("caps"), *verbs, options=["--cap-add", "CAP_SETGID"])
    assert free["setgroups-none"] == "ok" and free["content"] == "allow", free


def test_C5_group_that_is_denied_with_ranges(ranged, program, run, user, tmp_path):
    """CVE-2018-7169 with --keep-groups: not even a capability leads out of a group that a file is closed to."""
    needs_root_for("a file that a supplementary group is denied")
    target = tmp_path / "denied"
    target.write_text("content")
    with acting_as_root():
        os.chmod(tmp_path, 0o755)
        os.chown(target, 65534, GROUP)
        os.chmod(target, 0o604)
        argv = ranged.argv([*ranged.options(program("caps")), "--bind", tmp_path, "/rw", "--keep-groups", "--cap-add", "CAP_SETGID"],
                           ["/attack", "setgroups", "open", "/rw/denied"])
        assert in_group(run, user, argv, GROUP)["open"] == "EACCES"
        assert in_group(run, user, argv, GROUP + 1)["open"] == "ok"  # nearest valid input


# ---- P4: pid 1 -----------------------------------------------------------------------------------------------------
@pytest.mark.vm
def test_P4_take_over_pid_1_with_ranges(ranged, program):
    """The control is a process of COMMAND's own, as in the test without ranges: without a policy all of it works there."""
    by_policy = ranged.attack(program("processes"), "ancestors", "0")
    assert {value for name, value in by_policy.items() if name.startswith("1:")} <= DENIED, by_policy
    results = ranged.attack(program("processes"), "ancestors", "0", "child", userns=True, options=NO_POLICY)
    attempts = {name: value for name, value in results.items() if name.startswith("1:")}
    assert len(attempts) >= 23 and set(attempts.values()) <= DENIED, attempts
    child = results["child"]
    own = {name: value for name, value in results.items() if name.startswith(f"{child}:")}
    assert {name for name, value in own.items() if value != "ok"} <= {f"{child}:stack"} and len(own) >= 23, own


@pytest.mark.personalities("cloche")
def test_P4_take_over_pid_1_with_ranges_and_all_capabilities(ranged, program):
    """COMMAND is in the inner user namespace; pid 1 is not. The control is that of the test above."""
    results = ranged.attack(program("processes"), "ancestors", "0", options=["--cap-add", "ALL", *NO_POLICY])
    attempts = {name: value for name, value in results.items() if name.startswith("1:")}
    assert len(attempts) >= 23 and set(attempts.values()) <= DENIED, attempts


# ---- F4, F5: mounts ------------------------------------------------------------------------------------------------
@pytest.mark.vm
@pytest.mark.personalities("cloche")
def test_F4_remount_read_write_with_ranges(ranged, program, run, tmp_path):
    (tmp_path / "covered").write_text("")
    options = [*NO_POLICY, "--cap-add", "ALL", "--ro-bind", tmp_path, "/victim", "--ro-bind", tmp_path, "/cover", "--tmpfs", "/cover"]
    results = ranged.attack(program("fs"), "chdir", "/victim", "remount", "/victim", options=options)
    assert results.but("chdir") == {"remount": "EPERM", "setattr": "EPERM", "clone": "ok", "clone-setattr": "EPERM", "create": "EROFS"}
    results = ranged.attack(program("fs"), "umount", "/cover", "open", "/cover/covered", options=options)
    assert results == {"umount:/cover": "EINVAL", "open": "ENOENT"}, results
    assert [path.name for path in tmp_path.iterdir()] == ["covered"]
    # Control: in a namespace of the attacker's own the same calls work.
    free = control(run, program("fs"), "nested", "selfbind", tmp_path, "remount", tmp_path)
    assert set(free.values()) == {"ok"}, free


# ---- P10: nothing is left of a start that fails --------------------------------------------------------------------
@pytest.mark.only_user
def test_P10_newuidmap_refuses(box, program, run, user, tmp_path):
    """The file changed between our look and newuidmap's, here by its own copy: no process is left that waits."""
    needs_root_for("a mount over /etc/subuid")
    first, _ = allowed("/etc/subuid", user)
    (tmp_path / "subuid").write_text("")
    command = box.argv([*box.options(program("fs")), "--uid-map", f"0:{first}:10", "--unshare-user"], ["/attack", "cwd"])
    # A copy of the programs' directory, in which newuidmap is not set-user-ID, and so may not write.
    script = ('mkdir "$1/bin"; cp /usr/bin/newuidmap /usr/bin/newgidmap "$1/bin/"; chmod 755 "$1/bin" "$1"/bin/*;'
              'mount --bind "$1/bin/newuidmap" /usr/bin/newuidmap; shift;'
              f'exec setpriv --reuid={user.uid} --regid={user.gid} --clear-groups "$@"')
    with acting_as_root():
        result = run(["unshare", "--mount", "--propagation", "private", "sh", "-euc", script, "sh", tmp_path, *command])
    assert result.returncode == box.setup_failed and result.stdout == "", result
    assert "/usr/bin/newuidmap" in result.stderr, result
    assert run(command).returncode == 0  # control: with the real one
    assert subprocess.run(["pgrep", "-u", str(user.uid), "-f", str(program("fs"))], capture_output=True).stdout == b""
