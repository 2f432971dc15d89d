# SPDX-License-Identifier: LGPL-2.1-or-later
"""Capabilities of COMMAND, no_new_privs, securebits, and the user namespace inside that --cap-add brings."""
import json
import os

import pytest

from e2elib import HOST, assert_fails, status_of

ALL = 0x1FFFFFFFFFF  # 41 capabilities: Linux 5.9 to at least 6.18
SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
CHOWN, DAC_OVERRIDE, KILL, NET_RAW, SYS_ADMIN = 1 << 0, 1 << 1, 1 << 5, 1 << 13, 1 << 21
OWN = [*HOST, "--unshare-user", "--unshare-pid"]


@pytest.fixture
def caps(run):
    """caps([bwrap, OPTIONS...]): {set: mask} of COMMAND, and its no_new_privs."""
    def caps(argv, **rest):
        status = status_of(run([*argv, "cat", "/proc/self/status"], check=True, **rest).stdout)
        return {**{name: int(status[name], 16) for name in SETS}, "NoNewPrivs": status["NoNewPrivs"]}

    return caps


def every_set(mask):
    return {**dict.fromkeys(SETS, mask), "NoNewPrivs": "1"}


@pytest.mark.vm
def test_caps_none_under_our_own_name(cloche, caps):
    for options in ([], HOST, ["--uid", "0", "--gid", "0"]):
        assert caps([cloche, *options]) == every_set(0)


@pytest.mark.only_user
def test_caps_none_for_an_ordinary_user(bwrap, caps):
    assert caps([bwrap, *HOST]) == every_set(0)
    assert caps([bwrap, *OWN, "--uid", "0"]) == every_set(0)


@pytest.mark.only_root
def test_caps_of_real_root_as_bwrap(bwrap, caps):
    """All are kept, as bubblewrap does."""
    host = {name: int(value, 16) for name, value in status_of(open("/proc/self/status").read()).items() if name in SETS}
    assert caps([bwrap, *HOST]) == {**host, "CapInh": 0, "CapAmb": 0, "NoNewPrivs": "1"}


# ---- --cap-add, --cap-drop ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["CAP_NET_RAW", "cap_net_raw", "NET_RAW", "net_raw", "Cap_Net_Raw", "Net_raw"])
@pytest.mark.only_user
def test_cap_add(personality, caps, name):
    assert caps([personality, *OWN, "--cap-add", name]) == every_set(NET_RAW)


@pytest.mark.only_root
@pytest.mark.parametrize("name", ["CAP_NET_RAW", "net_raw"])
def test_cap_add_as_root(cloche, caps, name):
    assert caps([cloche, *OWN, "--cap-add", name]) == every_set(NET_RAW)


@pytest.mark.parametrize("word", ["ALL", "all", "All"])
def test_cap_add_all(personality, caps, word):
    found = caps([personality, *OWN, "--cap-add", word])
    assert found["CapEff"] & ALL == found["CapPrm"] & ALL == ALL & found["CapBnd"] and found["CapEff"] & SYS_ADMIN


@pytest.mark.vm
@pytest.mark.only_user
def test_cap_drop(personality, caps):
    options = ["--cap-add", "NET_RAW", "--cap-add", "kill", "--cap-add", "CHOWN"]
    assert caps([personality, *OWN, *options]) == every_set(NET_RAW | KILL | CHOWN)
    assert caps([personality, *OWN, *options, "--cap-drop", "cap_kill"]) == every_set(NET_RAW | CHOWN)


@pytest.mark.parametrize("name", ["KILL", "kill", "CAP_KILL", "cap_kill"])
def test_cap_drop_from_all(cloche, caps, name):
    found = caps([cloche, *OWN, "--cap-add", "ALL", "--cap-drop", name])
    assert found["CapEff"] & KILL == 0 and found["CapBnd"] & KILL == 0 and found["CapEff"] & CHOWN


def test_cap_drop_all(cloche, caps):
    assert caps([cloche, *OWN, "--cap-add", "ALL", "--cap-drop", "ALL"]) == every_set(0)


@pytest.mark.only_user
def test_cap_options_in_order(personality, caps):
    assert caps([personality, *OWN, "--cap-drop", "NET_RAW", "--cap-add", "NET_RAW"]) == every_set(NET_RAW)
    assert caps([personality, *OWN, "--cap-drop", "ALL", "--cap-add", "NET_RAW"]) == every_set(NET_RAW)
    assert caps([personality, *OWN, "--cap-add", "ALL", "--cap-drop", "ALL", "--cap-add", "KILL"]) == every_set(KILL)


def ambient_only(kept, ambient):
    """What a process of uid 0 has after execve: permitted is inheritable or bounding."""
    return {**every_set(kept), "CapInh": ambient, "CapAmb": ambient}


@pytest.mark.vm
def test_cap_ambient(cloche, caps):
    """uid 0 keeps all that was given, and another uid what is ambient."""
    options = ["--cap-add", "KILL", "--cap-ambient", "cap_net_raw", "--cap-add", "CHOWN"]
    kept = NET_RAW | KILL | CHOWN
    assert caps([cloche, *OWN, "--uid", "0", *options]) == ambient_only(kept, NET_RAW)
    assert caps([cloche, *OWN, "--uid", "7", *options]) == {**every_set(NET_RAW), "CapBnd": kept}
    assert caps([cloche, *OWN, "--uid", "7", *options, "--cap-drop", "NET_RAW"]) == {**every_set(0), "CapBnd": KILL | CHOWN}


def test_cap_ambient_alone(cloche, caps):
    for uid in ("0", "7"):
        assert caps([cloche, *OWN, "--uid", uid, "--cap-ambient", "NET_RAW"]) == every_set(NET_RAW)


@pytest.mark.only_user
def test_cap_ambient_as_bwrap(bwrap, caps):
    options = ["--cap-add", "KILL", "--cap-ambient", "NET_RAW"]
    assert caps([bwrap, *OWN, "--uid", "0", *options]) == ambient_only(NET_RAW | KILL, NET_RAW)
    assert caps([bwrap, *OWN, *options]) == {**every_set(NET_RAW), "CapBnd": NET_RAW | KILL}


@pytest.mark.only_root
def test_cap_ambient_of_real_root_as_bwrap(bwrap, caps):
    before = caps([bwrap, *HOST])
    after = caps([bwrap, *HOST, "--cap-ambient", "NET_RAW"])
    assert after == {**before, "CapInh": NET_RAW, "CapAmb": NET_RAW}


def test_caps_are_explained(cloche, run):
    """By set and by libcap's names."""
    text = run([cloche, "--explain", "true"], check=True).stdout
    assert "capabilities: none\nsecurebits: noroot,no_setuid_fixup,no_cap_ambient_raise, locked\n" in text
    assert "session keyring: a new one\n" in text
    text = run([cloche, "--cap-add", "kill", "--cap-ambient", "CAP_NET_RAW", "--explain", "true"], check=True).stdout
    assert "capabilities: cap_kill cap_net_raw\ninheritable and ambient capabilities: cap_net_raw\n" in text
    assert "securebits" not in text
    argv = [cloche, "--cap-add", "kill", "--cap-ambient", "CAP_NET_RAW", "--explain=json", "true"]
    plan = json.loads(run(argv, check=True).stdout)
    assert plan["kept-capabilities"] == plan["bounding-set"] == ["cap_kill", "cap_net_raw"]
    assert plan["ambient-capabilities"] == ["cap_net_raw"] and plan["securebits"] == "" and plan["new-keyring"] is True


@pytest.mark.only_root
def test_cap_drop_of_real_root(bwrap, caps):
    """As bubblewrap: the rest is kept, in all sets but the bounding set, which stays."""
    before = caps([bwrap, *HOST])
    after = caps([bwrap, *HOST, "--cap-drop", "CAP_NET_RAW"])
    kept = before["CapPrm"] & ~NET_RAW
    assert after == {"CapInh": kept, "CapPrm": kept, "CapEff": kept, "CapAmb": kept, "CapBnd": before["CapBnd"],
                     "NoNewPrivs": "1"}
    found = caps([bwrap, *HOST, "--cap-drop", "ALL"])
    assert [found[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")] == [0] * 4


@pytest.mark.parametrize("option", ["--cap-add", "--cap-ambient", "--cap-drop"])
@pytest.mark.parametrize("name", ["", "bogus", "CAP_", "CAP_BOGUS", "cap_all", "NET RAW", "NET_RAW ", "NET_RAW,KILL",
                                  "CAP_CAP_KILL", "-1", "64"])
def test_cap_unknown(personality, run, option, name):
    result = run([personality, *HOST, option, name, "true"])
    assert_fails(result, personality, f"unknown cap: {name}" if personality.name == "bwrap" else "unknown capability")


def test_cap_add_has_effect(personality, run, user, tmp_path):
    """A raw socket in the sandbox's own network."""
    script = "import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 1); print('opened')"
    argv = [personality, *HOST, "--unshare-all", "--unshare-user"]
    if personality.name == "cloche":  # COMMAND's capabilities count in its own user namespace, not in the network's
        assert "Operation not permitted" in run([*argv, "--cap-add", "NET_RAW", "python3", "-c", script]).stderr
    elif not user.is_root:
        assert run([*argv, "--cap-add", "CAP_NET_RAW", "python3", "-c", script]).stdout == "opened\n"
        assert "Operation not permitted" in run([*argv, "python3", "-c", script]).stderr


# ---- the user namespace inside -----------------------------------------------------------------------------------
PRIVILEGED = ["--cap-add", "ALL"]


def mount_attempts(run, argv):
    script = """
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
def attempt(name, r):
    print(name, errno.errorcode[ctypes.get_errno()] if r == -1 else 'OK')
MS_RDONLY, MS_REMOUNT, MS_BIND, MNT_DETACH = 1, 32, 4096, 2
attempt('umount-usr', libc.umount2(b'/usr', 0))
attempt('detach-tmp', libc.umount2(b'/tmp', MNT_DETACH))
attempt('detach-proc', libc.umount2(b'/proc', MNT_DETACH))
attempt('remount-usr', libc.mount(b'none', b'/usr', None, MS_REMOUNT | MS_BIND, None))
attempt('remount-proc-sys', libc.mount(b'none', b'/proc/sys', None, MS_REMOUNT | MS_BIND, None))
attempt('tmpfs', libc.mount(b'none', b'/tmp', b'tmpfs', 0, None))
"""
    result = run([*argv, "python3", "-c", script])
    assert result.returncode == 0, result
    return dict(line.split() for line in result.stdout.splitlines())


@pytest.mark.vm
def test_cap_add_command_cannot_undo_our_mounts(cloche, run):
    found = mount_attempts(run, [cloche, *PRIVILEGED])
    assert found.pop("tmpfs") == "OK", "mounts of its own are COMMAND's to make"
    assert set(found.values()) <= {"EINVAL", "EPERM"}, found


def test_cap_add_pid_1_is_outside(cloche, run):
    """Another user namespace than COMMAND's."""
    result = run([cloche, *PRIVILEGED, "sh", "-c",
                  "readlink /proc/1/ns/user || echo refused; readlink /proc/self/ns/user"])
    first, second = result.stdout.split()
    assert first == "refused" and second.startswith("user:"), result


def test_cap_add_ids_are_as_asked(cloche, run, user):
    result = run([cloche, *PRIVILEGED, "--uid", "7", "--gid", "8", "sh", "-c",
                  "id -u; id -g; cat /proc/self/uid_map /proc/self/gid_map"])
    assert result.stdout.split() == ["7", "8", "7", "7", "1", "8", "8", "1"], result


def test_cap_add_nested_user_namespaces_stay_forbidden(cloche, run):
    result = run([cloche, *PRIVILEGED, "sh", "-c",
                  "unshare --user true; echo 9 >/proc/sys/user/max_user_namespaces; unshare --user true"])
    assert result.returncode != 0 and result.stderr.count("No space left on device") == 2, result


def test_caps_nothing_is_regained_by_execve(cloche, run):
    """uid 0 inside: securebits say that it is nobody special, and cannot be taken back."""
    script = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
print(libc.prctl(27), libc.prctl(28, 0), libc.prctl(47, 4, 0, 0, 0), flush=True)
os.execlp('grep', 'grep', 'CapEff', '/proc/self/status')
"""
    result = run([cloche, "--uid", "0", "--gid", "0", "python3", "-c", script])
    first, second = result.stdout.splitlines()
    bits, clear, _ = map(int, first.split())
    assert bits & 0b11 == 0b11, "SECBIT_NOROOT, locked"
    assert clear == -1 and second.split()[1] == "0" * 16, result


def test_caps_no_new_privs(personality, run):
    result = run([personality, *HOST, "grep", "NoNewPrivs", "/proc/self/status"])
    assert result.stdout.split() == ["NoNewPrivs:", "1"]


def test_caps_setgroups_is_denied(personality, run):
    result = run([personality, *OWN, "--uid", "0", "sh", "-c", "cat /proc/self/setgroups"])
    assert result.stdout == "deny\n", result


@pytest.mark.only_root
def test_caps_of_real_root_are_dropped(cloche, run, tmp_path):
    """Another user's file stays closed, as it would for nobody."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "file").chmod(0o600)
    os.chown(tmp_path / "file", 12345, 12345)
    result = run([cloche, "--ro-bind", tmp_path, "/mnt", "cat", "/mnt/file"])
    assert result.returncode == 1 and "Permission denied" in result.stderr, result
