# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attacks on the loss of privileges: capabilities, no_new_privs, groups, and the program itself started with
privileges. Numbers as in SECURITY.md."""
import os
import pathlib
import struct

import pytest

from attacking import Results, acting_as_root, box, control, needs_root_for, program, pytest_generate_tests

__all__ = ["box", "program", "pytest_generate_tests"]

SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
NO_ROOT, NO_FIXUP, KEEP, NO_AMBIENT = 0x03, 0x0C, 0x30, 0xC0  # each with its lock


def capabilities(results):
    return {name: int(results[name], 16) for name in SETS}


NONE = dict.fromkeys(SETS, 0)


def test_C1_no_capabilities(box, program, run, user):
    """Row D, and B wherever bubblewrap has none: at once, and after a further execve."""
    results = box.attack(program("caps"), "ids", "exec", "/attack", "ids")
    assert len(results.all("CapEff")) == 2
    free = capabilities(control(run, program("caps"), "ids"))
    assert free["CapBnd"] != 0 and bool(free["CapEff"]) == user.is_root
    for name in SETS:
        if box.keeps_capabilities:  # bubblewrap's manner: SECURITY.md names --cap-drop ALL; never more than before
            assert all(int(value, 16) & ~free["CapBnd"] == 0 for value in results.all(name)), results
        elif name == "CapBnd" and not box.own_user_namespace:
            # bubblewrap leaves root's bounding set as it is; no_new_privs (C3) keeps it without effect.
            assert set(results.all(name)) == {f"{free['CapBnd']:016x}"}, results
        else:
            assert set(results.all(name)) == {"0" * 16}, results


@pytest.mark.only_root
@pytest.mark.personalities("cloche")
def test_C1_real_root_without_a_user_namespace(box, program):
    results = box.attack(program("caps"), "ids", "exec", "/attack", "ids",
                         options=["--share-user", "--allow-userns"] if box.kind == "cloche" else [])
    assert capabilities(results) == NONE, results


def test_C1_capabilities_cannot_be_regained(box, program, run, user):
    if box.keeps_capabilities:
        return regain_with_capabilities(box, program, run)
    results = box.attack(program("caps"), "regain", "ids")
    expected = {"capset": "EPERM", "ambient": "EPERM", "securebits": "EPERM", "nnp-off": "EINVAL"}
    assert {name: results[name] for name in expected} == expected, results
    assert results["setuid-other"] in ("EPERM", "EINVAL") and results["setgid-other"] in ("EPERM", "EINVAL")
    assert capabilities(results) | {"CapBnd": 0} == NONE
    regain_with_capabilities(box, program, run)


def regain_with_capabilities(box, program, run):
    """The control: in a user namespace of one's own the same calls do raise it."""
    free = control(run, program("caps"), "nested", "regain")
    assert free["capset"] == "ok" and free["nnp-off"] == "EINVAL", free


@pytest.mark.personalities("cloche")
def test_C2_securebits(box, program, run):
    """Uid 0 inside is an ordinary uid: execve gives it nothing."""
    results = box.attack(program("caps"), "ids", "exec", "/attack", "ids")
    wanted = NO_ROOT | NO_FIXUP | NO_AMBIENT
    assert [int(bits) & wanted for bits in results.all("secure")] == [wanted, wanted], results
    assert capabilities(Results("\n".join(results.text.splitlines()[-7:]))) == NONE
    assert results["uid"].split()[0] == results["uid"].split()[1]
    # Control: uid 0 of a new user namespace, without these bits, gets all capabilities by execve.
    free = control(run, program("caps"), "nested", "exec", program("caps"), "ids")
    assert int(free["secure"]) & wanted == 0 and int(free["CapEff"], 16) != 0 and free["uid"] == "0 0", free


@pytest.mark.personalities("cloche")
def test_C2_not_locked_when_capabilities_are_given(box, program):
    results = box.attack(program("caps"), "ids", options=["--cap-add", "CAP_NET_BIND_SERVICE"])
    assert int(results["CapEff"], 16) == 1 << 10, results


GIVEN, AMBIENT = 1 << 10, 1 << 13  # CAP_NET_BIND_SERVICE, CAP_NET_RAW


@pytest.mark.vm
@pytest.mark.personalities("cloche")
def test_C1_no_more_than_was_given(box, program, run, user):
    """Set by set, at once and after a further execve; another uid than 0 keeps what is ambient alone."""
    options = ["--cap-add", "CAP_NET_BIND_SERVICE", "--cap-ambient", "cap_net_raw"]
    is_zero = user.is_root == (box.kind == "cloche")  # the uid inside
    kept = GIVEN | AMBIENT if is_zero else AMBIENT
    expected = {"CapPrm": kept, "CapEff": kept, "CapInh": AMBIENT, "CapAmb": AMBIENT, "CapBnd": GIVEN | AMBIENT}
    results = box.attack(program("caps"), "ids", "exec", "/attack", "ids", "regain", options=options)
    for name, value in expected.items():
        assert results.all(name) == [f"{value:016x}"] * 2, (name, results)
    assert results["capset"] == results["ambient"] == "EPERM", results
    regain_with_capabilities(box, program, run)


SUID_MAPS = ["--uid-map", "0:{uid}:1000", "--gid-map", "0:{gid}:1000"]


@pytest.mark.vm
@pytest.mark.parametrize("kind", ["set-user-ID", "set-group-ID", "capabilities"])
def test_F26_programs_of_the_host_with_allow_suid(personality, program, run, user, tmp_path, kind):
    """Set-user-ID programs take effect only as ids that are mapped, and file capabilities only as far as --cap-add goes.
    The control is the same program outside."""
    needs_root_for("a set-user-ID program")
    first = {"uid": 300000, "gid": 300000} if user.is_root else {
        name: next(int(line.split(":")[1]) for line in open(f"/etc/sub{name}") if line.startswith(f"{user.name}:"))
        for name in ("uid", "gid")}
    target = tmp_path / "program"
    target.write_bytes(pathlib.Path(program("caps")).read_bytes())
    with acting_as_root():
        os.chmod(tmp_path, 0o755)
        os.chown(target, 0, 0)
        os.chmod(target, {"set-user-ID": 0o4755, "set-group-ID": 0o2755}.get(kind, 0o755))
        if kind == "capabilities":  # permitted, not effective: with that the kernel would refuse the execve
            os.setxattr(target, "security.capability", struct.pack("<IIIII", 0x02000000, 1 << 21 | 1 << 13, 0, 0, 0))
    maps = [word.format(**first) for word in SUID_MAPS]
    argv = [personality, "--unshare-user", "--ro-bind", "/", "/", "--proc", "/proc", *maps, "--uid", "7", "--gid", "7",
            "--allow-suid", "--cap-drop", "ALL", "--cap-add", "CAP_NET_RAW", target, "ids"]
    results = Results(run(argv, check=True).stdout)
    assert (results["uid"], results["gid"], results["nnp"]) == ("7 7", "7 7", "0"), results
    assert int(results["CapPrm"], 16) in ({AMBIENT} if kind == "capabilities" else {0}), results
    free = Results(run(["setpriv", "--reuid=7", "--regid=7", "--clear-groups", target, "ids"], check=True).stdout) \
        if user.is_root else control(run, str(target), "ids")
    shown = {"set-user-ID": free["uid"].split()[1] == "0", "set-group-ID": free["gid"].split()[1] == "0",
             "capabilities": int(free["CapPrm"], 16) & 1 << 21 != 0}
    assert shown[kind], free


@pytest.mark.vm
def test_C3_no_new_privs(box, program, run):
    results = box.attack(program("caps"), "ids", "exec", "/attack", "ids", "regain")
    assert results.all("nnp") == ["1", "1"] and results["nnp-off"] == "EINVAL"
    assert control(run, program("caps"), "ids")["nnp"] == "0"


def test_C5_setgroups(box, program, run, user):
    results = box.attack(program("caps"), "setgroups", "content", "/proc/self/setgroups")
    if box.kind == "bwrap-caps" and user.is_root:
        assert results.but("content") == {"setgroups-none": "EPERM", "setgroups-other": "EPERM"}
    else:
        assert results == {"setgroups-none": "EPERM", "setgroups-other": "EPERM", "content": "deny"}
    free = control(run, program("caps"), "setgroups", "content", "/proc/self/setgroups")
    assert free["content"] == "allow" and free["setgroups-other"] == ("ok" if user.is_root else "EPERM"), free


def test_C5_group_that_is_denied(box, program, run, user, tmp_path):
    """CVE-2018-7169: a file that everybody may read but a group; leaving the group must not be possible."""
    needs_root_for("a file that a supplementary group is denied")
    target = tmp_path / "denied"
    target.write_text("content")
    with acting_as_root():
        os.chown(target, 65534, 54321)
        os.chmod(target, 0o604)

        def in_group(argv, group):
            ids = ["setpriv", f"--reuid={user.uid}", f"--regid={user.gid}", f"--groups={group}"]
            if user.is_root:  # whose capabilities would open it anyway
                ids += ["--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"]
            result = run([*ids, *argv])
            assert result.returncode == 0, result
            return Results(result.stdout)["open"]

        argv = box.argv([*box.options(program("caps")), "--bind", tmp_path, "/rw"],
                        ["/attack", "setgroups", "open", "/rw/denied"])
        assert in_group(argv, 54321) == "EACCES"
        assert in_group(argv, 54322) == "ok"  # nearest valid input
        free = [program("caps"), "open", target]
        assert in_group(free, 54321) == "EACCES" and in_group(free, 54322) == "ok"


@pytest.mark.only_root
@pytest.mark.personalities("cloche")
def test_C6_real_root_cannot_write_proc_sys(box, program, run):
    for options in ([], ["--share-user", "--allow-userns"]) if box.kind == "cloche" else ([],):
        for name in ("kernel/hostname", "kernel/core_pattern", "vm/drop_caches", "kernel/randomize_va_space"):
            results = box.attack(program("caps"), "openw", f"/proc/sys/{name}", options=options)
            assert results["openw"] in ("EROFS", "EACCES"), (name, results)
        assert box.attack(program("caps"), "openw", "/proc/sys/kernel/hostname", options=options)["openw"] == "EROFS"
    assert control(run, program("caps"), "openw", "/proc/sys/kernel/hostname")["openw"] == "ok"


# ---- C7: the program itself with privileges ------------------------------------------------------------------------
def privileged_copy(personality, tmp_path, mode=0o755, uid=None, gid=None, capability=None):
    target = tmp_path / personality.name
    target.write_bytes(pathlib.Path(personality.path).read_bytes())
    with acting_as_root():
        if uid is not None or gid is not None:
            os.chown(target, -1 if uid is None else uid, -1 if gid is None else gid)
        os.chmod(target, mode)
        if capability is not None:
            os.setxattr(target, "security.capability", struct.pack("<IIIII", 0x02000001, capability, 0, 0, 0))
    return target


PRIVILEGES = {
    "set-user-ID": {"mode": 0o4755, "uid": 0},
    "set-group-ID": {"mode": 0o2755, "gid": 0},
    "both": {"mode": 0o6755, "uid": 0, "gid": 0},
    "capabilities": {"capability": 1 << 21},
}


@pytest.mark.parametrize("privilege", PRIVILEGES)
def test_C7_started_with_privileges(personality, program, run, user, tmp_path, privilege):
    """The control is the same copy without them."""
    needs_root_for("a set-user-ID copy")
    given = dict(PRIVILEGES[privilege])
    if user.is_root:
        if privilege == "capabilities":  # cannot raise what root has: the same refusal does not apply, it just runs
            return None
        given |= {name: 65534 for name in ("uid", "gid") if name in given}
    target = privileged_copy(personality, tmp_path, **given)
    for command in ("/usr/bin/true", "/no/such/command"):
        result = run([target, "--ro-bind", "/", "/", "--", command])
        assert result.returncode == (125 if personality.name == "cloche" else 1), result
        assert result.stdout == "" and ("set-user-ID" if privilege == "both" else privilege).lower() in \
            result.stderr.lower(), result
    # The same copy without privileges works.
    with acting_as_root():
        os.chown(target, user.uid, user.gid)
        os.chmod(target, 0o755)
        if "security.capability" in os.listxattr(target):
            os.removexattr(target, "security.capability")
    assert run([target, "--ro-bind", "/", "/", "--", "/usr/bin/true"]).returncode == 0


def test_C7_started_by_a_program_with_mixed_ids(personality, program, run, user):
    """Real and effective ids differ without any bit on the file."""
    needs_root_for("a process with mixed ids")
    with acting_as_root():
        if os.geteuid() != 0:
            return
        argv = [personality, "--ro-bind", "/", "/", "--", "/usr/bin/true"]
        for verb, number in (("effective-gid", "65534"), ("real-uid", "65534")):
            result = run([program("launch"), verb, number, "--", *argv])
            assert result.returncode == (125 if personality.name == "cloche" else 1) and result.stderr, result
    assert run([program("launch"), "--", *argv]).returncode == 0
