# SPDX-License-Identifier: LGPL-2.1-or-later
"""--explain and --print-args: the plan, for people and for programs, and nothing happens."""
import json
import os
import shlex

import pytest

from e2elib import memfd, snapshot  # noqa: F401

NAMESPACES = {"user", "mount", "pid", "net", "ipc", "uts", "cgroup"}


@pytest.fixture
def plan(run):
    def plan(argv, **rest):
        result = run([*argv[:1], "--explain=json", *argv[1:], "true"], check=True, **rest)
        return json.loads(result.stdout)

    return plan


def mount(plan, dest):
    return [mount for mount in plan["mounts"] if mount["dest"] == dest][-1]


# ---- --explain=json ----------------------------------------------------------------------------------------------
@pytest.mark.vm
def test_explain_json_of_the_defaults(cloche, plan, user):
    found = plan([cloche])
    assert found["personality"] == "cloche"
    assert set(found["namespaces"]) == NAMESPACES and found["shared"] == []
    assert found["ids"]["uid"] == {"inside": user.uid, "outside": user.uid}
    assert found["ids"]["gid"] == {"inside": user.gid, "outside": user.gid}
    assert found["nested-user-namespaces"] is False
    dests = [mount["dest"] for mount in found["mounts"]]
    assert dests[0] == "/usr" and {"/proc", "/dev", "/tmp", "/etc/passwd", user.home} <= set(dests)
    assert {"ro", "nosuid", "nodev"} <= set(mount(found, "/usr")["flags"])
    assert "rw" in mount(found, "/tmp")["flags"] and mount(found, "/tmp")["size"] == 1 << 30


def test_explain_json_of_bwrap(bwrap, plan, user):
    found = plan([bwrap, "--ro-bind", "/", "/"])
    assert found["personality"] == "bwrap"
    assert set(found["namespaces"]) == ({"mount"} if user.is_root else {"mount", "user"})
    assert [entry["dest"] for entry in found["mounts"]] == ["/"]
    assert found["nested-user-namespaces"] is True


def test_explain_json_namespaces(bwrap, plan):
    for option, name in (("--unshare-net", "net"), ("--unshare-pid", "pid"), ("--unshare-ipc", "ipc"),
                         ("--unshare-uts", "uts")):
        assert name in plan([bwrap, option])["namespaces"] and name not in plan([bwrap])["namespaces"]
    assert set(plan([bwrap, "--unshare-all", "--share-net"])["shared"]) == {"net"}


def test_explain_json_ids(personality, plan, user):
    found = plan([personality, "--unshare-user", "--uid", "7", "--gid", "4294967294"])["ids"]
    assert found == {"uid": {"inside": 7, "outside": user.uid}, "gid": {"inside": 4294967294, "outside": user.gid}}


def test_explain_json_mounts_in_order(personality, plan):
    options = ["--tmpfs", "/", "--ro-bind", "/usr", "/usr", "--bind-try", "/nosuch", "/a", "--dev-bind", "/dev", "/d",
               "--symlink",
               "usr/bin", "/bin", "--perms", "0711", "--dir", "/x", "--size", "64K", "--tmpfs", "/t", "--proc",
               "/proc", "--dev", "/dev",
               "--overlay-src", "/usr", "--overlay-src", "/etc", "--ro-overlay", "/o", "--chmod", "0700", "/x",
               "--remount-ro", "/t",
               "--mqueue", "/q"]
    found = plan([personality, "--unshare-ipc", *options])
    assert [entry["dest"] for entry in found["mounts"]] == ["/", "/usr", "/a", "/d", "/bin", "/x", "/t", "/proc",
                                                            "/dev", "/o", "/x",
                                                            "/t", "/q"]
    kinds = [entry["type"] for entry in found["mounts"]]
    assert kinds[:2] == ["tmpfs", "bind"] and kinds[4:6] == ["symlink", "dir"] and kinds[9] == "overlay"
    by = {(entry["type"], entry["dest"]): entry for entry in found["mounts"]}
    assert {"ro", "nosuid", "nodev"} <= set(by["bind", "/usr"]["flags"])
    assert {"rw", "nosuid"} <= set(by["bind", "/d"]["flags"]) and "nodev" not in by["bind", "/d"]["flags"]
    assert by["bind", "/a"]["optional"] is True and by["bind", "/usr"]["source"] == "/usr"
    assert by["symlink", "/bin"]["target"] == "usr/bin" and by["dir", "/x"]["mode"] == "0711"
    assert by["tmpfs", "/t"]["size"] == 65536 and by["overlay", "/o"]["layers"] == ["/usr", "/etc"]


def test_explain_json_propagation(personality, plan):
    for how in ("private", "slave"):
        assert how in mount(plan([personality, "--propagation", how, "--bind", "/usr", "/usr"]), "/usr")["flags"]


def test_explain_json_environment(cloche, bwrap, plan):
    found = plan([cloche, "--setenv", "NEW", "1", "--unsetenv", "TERM", "--keep-env", "KEPT"],
                 env={"KEPT": "2", "WITHHELD": "3"})
    values = {entry["name"]: (entry["value"], entry["inherited"]) for entry in found["environment"]}
    assert values["NEW"] == ("1", False) and values["KEPT"] == ("2", True)
    assert "TERM" not in values and "WITHHELD" not in values
    found = plan([bwrap, "--setenv", "NEW", "1"], env={"KEPT": "2"})
    values = {entry["name"]: (entry["value"], entry["inherited"]) for entry in found["environment"]}
    assert values["NEW"] == ("1", False) and values["KEPT"] == ("2", True)


def test_explain_json_any_names(personality, plan):
    name = '/a"b\\c\n\x1b é'
    found = plan([personality, "--bind", "/usr", name, "--setenv", "V", name])
    assert mount(found, name)["source"] == "/usr"
    assert [entry["value"] for entry in found["environment"] if entry["name"] == "V"] == [name]


def test_explain_json_supervision(cloche, plan):
    assert plan([cloche])["init"] is True and plan([cloche, "--as-pid-1"])["init"] is False
    assert plan([cloche])["die-with-parent"] is False and plan([cloche, "--die-with-parent"])["die-with-parent"] is True


def test_explain_json_capabilities(cloche, plan):
    assert int(plan([cloche])["capabilities"], 16) == 0
    assert int(plan([cloche, "--cap-add", "NET_RAW"])["capabilities"], 16) == 1 << 13
    assert plan([cloche, "--cap-add", "NET_RAW"])["inner-user-namespace"] is True


# ---- --explain ---------------------------------------------------------------------------------------------------
def test_explain_for_people(cloche, run, user):
    text = run([cloche, "--explain", "--ro-bind", "/etc/hostname", "/mnt/name", "--setenv", "NEW", "value", "true"],
               check=True).stdout
    for word in ("namespaces:", "user mount pid net ipc uts cgroup", f"uid {user.uid}", "/mnt/name", "/etc/hostname",
                 "(ro,nosuid,nodev",
                 "NEW=value", "capabilities: none"):
        assert word in text, text
    assert text.index("/usr from /usr") < text.index("/mnt/name"), "in order"


def test_explain_for_people_escapes(personality, run):
    text = run([personality, "--explain", "--bind", "/usr", "/a\x1b[31m\nb", "--setenv", "V", "\x1b]0;x\x07", "true"],
               check=True).stdout
    assert "\x1b" not in text and "\x07" not in text and "\nb" not in text


@pytest.mark.parametrize("word", ["--explain", "--explain=json", "--print-args"])
def test_explain_executes_nothing(personality, run, tmp_path, memfd, word):
    (tmp_path / "file").write_text("old")
    before, fd = snapshot(tmp_path), memfd("new")
    create = ["--create-dest"] if personality.name == "cloche" else []
    result = run([personality, word, *create, "--bind", "/", "/", "--dir", tmp_path / "d", "--file", str(fd),
                  tmp_path / "file",
                  "--bind", "/nosuch", "/mnt", "touch", tmp_path / "ran"], pass_fds=[fd])
    assert result.returncode == 0 and snapshot(tmp_path) == before, result
    assert os.lseek(fd, 0, os.SEEK_CUR) == 0, "not even read"


@pytest.mark.parametrize("word", ["--explain", "--explain=json", "--print-args"])
def test_explain_reports_errors(personality, run, word):
    result = run([personality, word, "--uid", "x", "true"])
    assert result.returncode in (1, 125) and result.stdout == "" and result.stderr != ""
    conflict = ["--as-pid-1"] if personality.name == "bwrap" else ["--as-pid-1", "--share-pid"]
    result = run([personality, word, *conflict, "true"])
    assert result.returncode in (1, 125) and "pid" in result.stderr


def test_explain_other_word(cloche, run):
    assert run([cloche, "--explain=yaml", "true"]).returncode == 125


# ---- --print-args ------------------------------------------------------------------------------------------------
def test_print_args(personality, run, memfd):
    fd = memfd("--setenv\0A\0a value\0--args\0%d\0" % (inner := memfd("--unsetenv\0B\0")))
    result = run([personality, "--print-args", "--ro-bind", "/", "/", "--args", str(fd), "--chdir=/usr", "true"],
                 pass_fds=[fd, inner],
                 check=True)
    printed = [shlex.split(line) for line in result.stdout.splitlines()]
    wanted = [["--ro-bind", "/", "/"], ["--setenv", "A", "a value"], ["--unsetenv", "B"]]
    assert [line for line in printed if line in wanted] == wanted, "expanded, in order"
    assert ["--chdir", "/usr"] in printed or ["--chdir=/usr"] in printed
    assert not any(line[0].startswith("--args") for line in printed), "the file was expanded"


def test_print_args_has_the_defaults(cloche, run):
    """What is provided without being asked for is told."""
    result = run([cloche, "--print-args", "true"], check=True)
    printed = [shlex.split(line) for line in result.stdout.splitlines()]
    assert ["--ro-bind", "/usr", "/usr"] in printed and ["--proc", "/proc"] in printed and ["--dev", "/dev"] in printed
    assert any(line[0].startswith("--unshare") for line in printed), printed


def test_print_args_can_be_used_again(cloche, run):
    """The list gives the same plan under --bare."""
    first = run([cloche, "--print-args", "--tmpfs", "/mnt/a b", "--setenv", "Q", "it's", "true"], check=True).stdout
    words = [word for line in first.splitlines() for word in shlex.split(line)]
    bare = [] if "--bare" in words else ["--bare"]
    result = run([cloche, *bare, *words, "sh", "-c", 'ls -d "/mnt/a b" && echo "$Q"'])
    assert (result.returncode, result.stdout) == (0, "/mnt/a b\nit's\n"), result
