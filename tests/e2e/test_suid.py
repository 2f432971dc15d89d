# SPDX-License-Identifier: LGPL-2.1-or-later
"""--allow-suid: set-user-ID programs of the sandbox's own root directory, whose ids are mapped.

The attack program caps.c tells who it is; a copy of it belongs to the root inside and is set-user-ID.
"""
import os
import pathlib
import struct

import pytest

from conftest import Personality, acting_as_root
from e2elib import HOST, assert_fails, memfd, status_of  # noqa: F401: memfd is a fixture

CAPS_C = pathlib.Path(__file__).resolve().parents[1] / "attack" / "caps.c"
NET_RAW, CHOWN = 1 << 13, 1 << 0


def first_id(user, kind):
    """The first of many ids that the user may map."""
    if user.is_root:
        return 300000
    with open(f"/etc/sub{kind}") as file:
        return next(int(line.split(":")[1]) for line in file if line.split(":")[0] in (user.name, str(user.uid)))


@pytest.fixture
def ranges(user):
    """Options that map ids, not the host's root among them: root may take any, the ordinary user those of the files."""
    return ["--uid-map", f"0:{first_id(user, 'uid')}:1000", "--gid-map", f"0:{first_id(user, 'gid')}:1000"]


@pytest.fixture
def programs(run, cloche, ranges, compile_c, tmp_path, user):
    """A directory with set-user-ID and set-group-ID copies that belong to the root inside."""
    program = compile_c(CAPS_C)
    with acting_as_root():
        os.chmod(tmp_path, 0o777)  # the root inside is nobody outside
    made = run([cloche, *HOST, *ranges, "--uid", "0", "--gid", "0", "--cap-add", "CHOWN", "--bind", tmp_path, "/mnt", "sh",
                "-c", "cp $0 /mnt/plain; cp $0 /mnt/suid; cp $0 /mnt/sgid; chown 0:0 /mnt/*; chmod 4755 /mnt/suid;"
                "chmod 2755 /mnt/sgid; chmod 755 /mnt/plain", program])
    assert made.returncode == 0, made
    yield tmp_path
    cleaned = run([cloche, *HOST, *ranges, "--uid", "0", "--gid", "0", "--bind", tmp_path, "/mnt", "sh", "-c", "rm /mnt/*"])
    assert cleaned.returncode == 0, cleaned


def told(result):
    assert result.returncode == 0, result
    return dict(line.split(" ", 1) for line in result.stdout.splitlines())


@pytest.fixture
def inside(run, ranges, programs):
    """inside(personality, options, program): what that program tells, started by uid and gid 7."""
    def inside(personality, options, name):
        argv = [personality, *HOST, *(["--unshare-user"] if personality.name == "bwrap" else []), *ranges, "--uid", "7",
                "--gid", "7", "--bind", programs, "/mnt", *options, f"/mnt/{name}", "ids"]
        return told(run(argv))

    return inside


@pytest.mark.vm
def test_allow_suid(personality, inside):
    """The user changes; what the program may is what --cap-add says, and nothing without."""
    options = ["--cap-drop", "ALL", "--allow-suid"]
    found = inside(personality, options, "suid")
    assert (found["uid"], found["gid"], found["nnp"]) == ("7 0", "7 7", "0")
    assert {int(found[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd")} == {0}
    found = inside(personality, options, "sgid")
    assert (found["uid"], found["gid"]) == ("7 7", "7 0")
    found = inside(personality, options, "plain")
    assert (found["uid"], found["gid"]) == ("7 7", "7 7")


def test_allow_suid_is_asked_for(personality, inside):
    for name in ("suid", "sgid"):
        found = inside(personality, ["--cap-drop", "ALL"], name)
        assert (found["uid"], found["gid"], found["nnp"]) == ("7 7", "7 7", "1")


def test_allow_suid_bounds_the_capabilities(cloche_personality, inside):
    """COMMAND has none of them, the program that it executes has."""
    options = ["--allow-suid", "--cap-add", "NET_RAW", "--cap-add", "CHOWN"]
    found = inside(cloche_personality, options, "suid")
    assert int(found["CapEff"], 16) == int(found["CapPrm"], 16) == int(found["CapBnd"], 16) == NET_RAW | CHOWN
    assert int(found["CapInh"], 16) == int(found["CapAmb"], 16) == 0
    found = inside(cloche_personality, options, "plain")
    assert int(found["CapEff"], 16) == int(found["CapPrm"], 16) == 0 and int(found["CapBnd"], 16) == NET_RAW | CHOWN
    found = inside(cloche_personality, [*options, "--cap-ambient", "NET_RAW"], "plain")
    assert int(found["CapEff"], 16) == NET_RAW


@pytest.fixture
def cloche_personality(cloche):
    return Personality("cloche")


def test_allow_suid_and_a_filter(personality, run, ranges, memfd):
    """Seccomp is set up all the same, without no_new_privs; the capability for that is gone when COMMAND runs."""
    allow_all = memfd(struct.pack("<HBBI", 0x06, 0, 0, 0x7FFF0000))
    argv = [personality, *HOST, "--unshare-user", *ranges, "--uid", "7", "--gid", "7", "--cap-drop", "ALL", "--allow-suid",
            "--seccomp", str(allow_all), "cat", "/proc/self/status"]
    status = status_of(run(argv, pass_fds=[allow_all], check=True).stdout)
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("0", "2")
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}


def test_allow_suid_su(run, cloche, ranges, programs):
    """su(1) itself: the host's is of no use inside, a copy that belongs to the root inside works."""
    where = [*HOST, "--bind", programs, "/mnt", "--tmpfs", "/etc/pam.d", "--dir", "/etc/pam.d"]
    run([cloche, *where, *ranges, "--uid", "0", "--gid", "0", "--cap-add", "CHOWN", "sh", "-c",
         "cp $(readlink -f $(command -v su)) /mnt/su; chown 0:0 /mnt/su; chmod 4755 /mnt/su"], check=True)
    as_root = [*ranges, "--uid", "0", "--gid", "0", "--allow-suid", "--cap-add", "ALL"]
    script = """
        for line in 'auth sufficient pam_permit.so' 'account sufficient pam_permit.so' 'session optional pam_permit.so'; do
            echo "$line" >>/etc/pam.d/other; done
        cp /etc/pam.d/other /etc/pam.d/su
        exec setpriv --reuid=7 --regid=7 --clear-groups sh -c 'id -u; /mnt/su root -c "id -u"; su root -c "id -u" || echo no'
        """
    result = run([cloche, *where, *as_root, "sh", "-c", script])
    assert result.stdout.split() == ["7", "0", "no"], result


def test_allow_suid_in_an_overlay(run, cloche, ranges, programs):
    argv = [cloche, *HOST, *ranges, "--uid", "7", "--gid", "7", "--allow-suid", "--overlay-src", programs, "--tmp-overlay", "/mnt"]
    assert told(run([*argv, "/mnt/suid", "ids"]))["uid"] == "7 0"


# ---- refused -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("options", [
    [], ["--uid", "0", "--gid", "0"], ["--map-root"], "uid only", "without 0"], ids=str)
def test_allow_suid_needs_full_maps(personality, run, user, ranges, options):
    first = first_id(user, "uid")
    if options == "uid only":
        options = ["--uid-map", f"0:{first}:1000"]
    elif options == "without 0":
        options = ["--uid-map", f"1:{first}:1000", "--gid-map", f"1:{first}:1000"]
    result = run([personality, *HOST, "--unshare-user", *options, "--allow-suid", "true"])
    assert_fails(result, personality, "--allow-suid", "with a range and the id 0")


@pytest.mark.only_root
def test_allow_suid_without_user_namespace(personality, run):
    share = ["--share-user", "--allow-userns"] if personality.name == "cloche" else []
    assert_fails(run([personality, *HOST, *share, "--allow-suid", "true"]), personality, "--allow-suid")


@pytest.mark.only_root
@pytest.mark.parametrize("options", [
    ["--uid-map", "0:0:65536", "--gid-map", "0:0:65536"],
    ["--uid-map", "0:300000:1000,5000:0:1", "--gid-map", "0:300000:1000"],
    ["--uid-map", "0:300000:1000", "--gid-map", "0:300000:1000,5000:0:1"]], ids=len)
def test_allow_suid_not_with_the_hosts_root(personality, run, options):
    """A set-user-ID program of the host would be the host's root."""
    result = run([personality, *HOST, "--unshare-user", *options, "--allow-suid", "true"])
    assert_fails(result, personality, "host's id 0")


def test_allow_suid_is_explained(cloche, run, ranges):
    text = run([cloche, "--bind", "/usr", "/mnt", *ranges, "--allow-suid", "--explain", "true"], check=True).stdout
    assert "set-user-ID programs of mapped ids: allowed\n" in text and "/mnt from /usr (rw,nodev,private)" in text
