# SPDX-License-Identifier: LGPL-2.1-or-later
"""Namespaces: new, kept and given ones, ids, host name, nested user namespaces."""
import contextlib
import os
import pathlib
import re

import pytest

from conftest import wait_until
from e2elib import (HOST, NAMESPACES, allow, assert_fails, changed_namespaces, holder, in_own_mounts,  # noqa: F401
                    memfd, namespaces, opened)

SHAREABLE = ("pid", "net", "ipc", "uts", "cgroup")
NESTED = ["unshare", "--user", "true"]


def implied(user):
    """What bubblewrap always changes."""
    return {"mnt"} if user.is_root else {"mnt", "user"}


# ---- --unshare-*, --share-* --------------------------------------------------------------------------------------
@pytest.mark.vm
def test_unshare_none_by_default(bwrap, namespaces, user):
    assert changed_namespaces(namespaces([bwrap, *HOST])) == implied(user)


@pytest.mark.parametrize("option, namespace", [
    ("--unshare-user", "user"), ("--unshare-user-try", "user"), ("--unshare-ipc", "ipc"), ("--unshare-pid", "pid"),
    ("--unshare-net", "net"), ("--unshare-uts", "uts"), ("--unshare-cgroup", "cgroup"),
    ("--unshare-cgroup-try", "cgroup")])
def test_unshare_one(bwrap, namespaces, user, option, namespace):
    assert changed_namespaces(namespaces([bwrap, *HOST, option])) == implied(user) | {namespace}


@pytest.mark.only_root
@pytest.mark.parametrize("option", ["--unshare-user", "--unshare-user-try"])
def test_unshare_user_maps_one_id(bwrap, run, option):
    """An ordinary user gets one in any case: only root shows the difference."""
    assert run([bwrap, *HOST, "cat", "/proc/self/uid_map"]).stdout.split() != ["0", "0", "1"]
    assert run([bwrap, *HOST, option, "cat", "/proc/self/uid_map"]).stdout.split() == ["0", "0", "1"]


@pytest.mark.parametrize("option, namespace", [(f"--unshare-{n}", n)
                                               for n in SHAREABLE] + [("--unshare-cgroup-try", "cgroup")])
def test_unshare_takes_share_back(cloche, namespaces, option, namespace):
    """Under our own name everything is new anyway; the options count in order."""
    share = f"--share-{namespace}"
    assert namespace not in changed_namespaces(namespaces([cloche, *HOST, option, share]))
    assert namespace in changed_namespaces(namespaces([cloche, *HOST, share, option]))


@pytest.mark.parametrize("namespace", SHAREABLE)
def test_share_one(cloche, namespaces, namespace):
    assert changed_namespaces(namespaces([cloche, *HOST, f"--share-{namespace}"])) == set(NAMESPACES) - {namespace}


@pytest.mark.parametrize("namespace", SHAREABLE)
def test_share_as_bwrap(bwrap, namespaces, namespace, user):
    argv = [bwrap, *HOST, "--unshare-all", f"--share-{namespace}"]
    assert changed_namespaces(namespaces(argv)) == set(NAMESPACES) - {namespace}


def test_share_net_is_positional(bwrap, namespaces):
    assert "net" in changed_namespaces(namespaces([bwrap, *HOST, "--share-net", "--unshare-all"]))
    assert "net" not in changed_namespaces(namespaces([bwrap, *HOST, "--unshare-all", "--share-net"]))
    assert "net" not in changed_namespaces(namespaces([bwrap, *HOST, "--unshare-net", "--share-net"]))
    assert "net" in changed_namespaces(namespaces([bwrap, *HOST, "--share-net", "--unshare-net"]))


def test_share_pid_shows_the_hosts_processes(cloche, run):
    script = "test -d /proc/{} && echo seen || echo unseen".format(os.getpid())
    assert run([cloche, "--share-pid", "sh", "-c", script], check=True).stdout == "seen\n"
    assert run([cloche, "sh", "-c", script], check=True).stdout == "unseen\n"


def test_share_net_shows_the_hosts_interfaces(cloche, run):
    host = run(["cat", "/proc/net/dev"]).stdout.count(":")
    script = "import socket; print(len(socket.if_nameindex()))"
    assert run([cloche, "--share-net", "python3", "-c", script], check=True).stdout.strip() == str(host)


def test_unshare_all(bwrap, namespaces):
    assert changed_namespaces(namespaces([bwrap, *HOST, "--unshare-all"])) == set(NAMESPACES)


def test_unshare_all_takes_share_back(cloche, namespaces):
    assert changed_namespaces(namespaces([cloche, *HOST, "--share-uts", "--share-ipc",
                                          "--unshare-all"])) == set(NAMESPACES)


def test_unshare_net_brings_up_loopback(bwrap, run):
    script = "import socket; s = socket.create_server(('127.0.0.1', 0)); socket.create_connection(s.getsockname())"
    run([bwrap, *HOST, "--unshare-net", "python3", "-c", script], check=True)


@pytest.mark.only_user
def test_share_user_needs_real_root(cloche, run):
    result = run([cloche, "--share-user", "true"])
    assert result.returncode == 125
    assert result.stderr.startswith("cloche: --share-user: only real root can: "), result


@pytest.mark.only_user
def test_share_user_as_bwrap_needs_real_root(bwrap, run):
    result = run([bwrap, *HOST, "--share-user", "true"])
    assert result.returncode == 1 and "--share-user needs real root" in result.stderr


@pytest.mark.only_root
def test_share_user_keeps_the_namespace(cloche, bwrap, namespaces):
    argv = [cloche, *HOST, "--share-user", "--allow-userns"]
    assert changed_namespaces(namespaces(argv)) == set(NAMESPACES) - {"user"}
    assert "user" not in changed_namespaces(namespaces([bwrap, *HOST, "--unshare-all", "--share-user"]))


@pytest.mark.only_root
def test_share_user_drops_capabilities_all_the_same(cloche, run):
    out = run([cloche, *HOST, "--share-user", "--allow-userns", "grep", "^Cap", "/proc/self/status"], check=True).stdout
    assert set(re.findall(r"[0-9a-f]{16}", out)) == {"0" * 16}, out


@pytest.mark.only_root
def test_share_user_with_userns_limit_says_what_to_do(cloche, run):
    """Nested user namespaces cannot be forbidden where the namespace is not ours: never silently."""
    result = run([cloche, *HOST, "--share-user", "--disable-userns", "true"])
    assert result.returncode == 125 and "--disable-userns" in result.stderr, result


# ---- given namespaces --------------------------------------------------------------------------------------------
@pytest.fixture
def userns(holder, opened):
    """(descriptor, id) of a user namespace of the test's user, whose root that user is."""
    pid = holder("unshare", "--user", "--map-root-user")
    return opened(f"/proc/{pid}/ns/user"), os.readlink(f"/proc/{pid}/ns/user")


@pytest.mark.vm
def test_userns_is_joined(personality, namespaces, userns, run):
    fd, identity = userns
    argv = [personality, *HOST, *allow(personality), "--userns", fd]
    argv = [str(word) for word in argv]
    assert namespaces(argv, pass_fds=[fd])["user"] == identity
    assert run([*argv, "id", "-u"], pass_fds=[fd]).stdout == "0\n"


def test_userns_with_uid(personality, run, userns):
    fd, _ = userns
    argv = [personality, *HOST, *allow(personality), "--userns", str(fd)]
    assert run([*argv, "--uid", "0", "--gid", "0", "id", "-u"], pass_fds=[fd]).stdout == "0\n"
    result = run([*argv, "--uid", "5", "id", "-u"], pass_fds=[fd])
    assert_fails(result, personality, "5", "Invalid argument")


def test_userns_conflicts(personality, run, userns):
    fd, _ = userns
    for option in ("--unshare-user", "--unshare-user-try"):
        result = run([personality, *HOST, "--userns", str(fd), option, "true"], pass_fds=[fd])
        assert_fails(result, personality, f"is not compatible with {option}")


def test_userns_not_a_namespace(personality, run, memfd):
    fd = memfd()
    result = run([personality, *HOST, *allow(personality), "--userns", str(fd), "true"], pass_fds=[fd])
    assert_fails(result, personality, "not a user namespace" if personality.name == "cloche" else "might not be a descend")
    result = run([personality, *HOST, *allow(personality), "--userns", "99", "true"])
    assert_fails(result, personality, "Bad file descriptor")


def test_userns2_is_joined_after_set_up(personality, namespaces, holder, opened):
    outer = holder("unshare", "--user", "--map-root-user")
    inner = holder("nsenter", "--user", "--preserve-credentials", "--target", str(outer), "unshare", "--user",
                   "--map-root-user")
    fds = [opened(f"/proc/{pid}/ns/user") for pid in (outer, inner)]
    argv = [personality, *HOST, *allow(personality), "--userns", str(fds[0])]
    assert namespaces(argv, pass_fds=fds)["user"] == os.readlink(f"/proc/{outer}/ns/user")
    assert namespaces([*argv, "--userns2", str(fds[1])], pass_fds=fds)["user"] == os.readlink(f"/proc/{inner}/ns/user")


def test_userns2_alone(personality, run, userns):
    fd, _ = userns
    result = run([personality, *HOST, "--userns2", str(fd), "true"], pass_fds=[fd])
    assert_fails(result, personality, "--userns2", "--userns")


def test_userns2_bad_descriptor_ends(personality, run, userns):
    """bubblewrap leaves a process that waits for ever."""
    fd, _ = userns
    result = run([personality, *HOST, *allow(personality), "--userns", str(fd), "--userns2", "99", "true"],
                 pass_fds=[fd])
    assert_fails(result, personality, "Bad file descriptor")


@pytest.fixture
def pidns(holder, opened, user):
    """(descriptors of user and pid namespace, pid of its first process); as root the user namespace is not needed."""
    pid = holder("unshare", *([] if user.is_root else ["--user", "--map-root-user"]), "--pid", "--fork",
                 "--kill-child=KILL")
    first = int(wait_until(lambda: open(f"/proc/{pid}/task/{pid}/children").read().strip()))
    return opened(f"/proc/{first}/ns/user"), opened(f"/proc/{first}/ns/pid"), first


def pidns_options(personality, user, pidns):
    """A pid namespace can be entered, and get a procfs, from the user namespace that owns it."""
    if not user.is_root:
        given = ["--userns", str(pidns[0]), *allow(personality)]
    else:
        given = ["--share-user", *allow(personality)] if personality.name == "cloche" else []
    return [*given, "--pidns", str(pidns[1])]


def test_pidns_is_joined(personality, run, user, pidns):
    argv = [personality, "--ro-bind", "/", "/", "--proc", "/proc", *pidns_options(personality, user, pidns)]
    result = run([*argv, "readlink", "/proc/self/ns/pid"], pass_fds=pidns[:2])
    assert (result.returncode, result.stdout.strip()) == (0, os.readlink(f"/proc/{pidns[2]}/ns/pid")), result


def test_pidns_gives_the_status(personality, run, user, pidns):
    argv = [personality, "--ro-bind", "/", "/", *pidns_options(personality, user, pidns)]
    assert run([*argv, "sh", "-c", "exit 7"], pass_fds=pidns[:2]).returncode == 7
    assert run([*argv, "sh", "-c", "kill -TERM $$"], pass_fds=pidns[:2]).returncode == 143


def test_pidns_with_unshare_pid_is_the_parent(personality, popen, user, pidns):
    argv = [personality, "--ro-bind", "/", "/", "--proc", "/proc", *pidns_options(personality, user, pidns),
            "--unshare-pid", "sh", "-c", "readlink /proc/self/ns/pid; sleep 1000"]
    process = popen(argv, pass_fds=pidns[:2])
    inside = process.stdout.readline().strip()
    own, given = os.readlink("/proc/self/ns/pid"), os.readlink(f"/proc/{pidns[2]}/ns/pid")
    assert inside.startswith("pid:") and inside not in (own, given), process.communicate()
    levels = set()
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if entry.isdigit() and os.readlink(f"/proc/{entry}/ns/pid") == inside:
                levels.add(len(re.search(r"^NSpid:(.*)", open(f"/proc/{entry}/status").read(), re.M)[1].split()))
    assert levels == {3}


def test_pidns_not_a_namespace(personality, run):
    result = run([personality, *HOST, "--pidns", "99", "true"])
    assert_fails(result, personality, "Bad file descriptor")


# ---- ids ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("number", ["0", "1", "65534", "65536", "2147483648", "4294967294"])
def test_uid_inside(personality, run, number):
    result = run([personality, *HOST, "--unshare-user", "--uid", number, "id", "-u"])
    assert (result.returncode, result.stdout) == (0, f"{number}\n"), result


@pytest.mark.parametrize("number", ["0", "7", "65536", "2147483648", "4294967294"])
def test_gid_inside(personality, run, number):
    result = run([personality, *HOST, "--unshare-user", "--gid", number, "id", "-g"])
    assert (result.returncode, result.stdout) == (0, f"{number}\n"), result


@pytest.mark.parametrize("option, word", [("--uid", "uid"), ("--gid", "gid")])
@pytest.mark.parametrize("number", ["", "-1", "4294967295", "4294967296", "99999999999999999999", " 7", "+5", "7 ",
                                    "0x10",
                                    "1e3", "7x", "abc"])
def test_uid_gid_strict(personality, run, option, word, number):
    result = run([personality, *HOST, "--unshare-user", option, number, "true"])
    if personality.name == "bwrap":
        assert_fails(result, personality, f"Invalid {word}: {number}")
    else:
        assert_fails(result, personality, option, "4294967294")


@pytest.mark.only_root
def test_uid_needs_a_user_namespace(bwrap, run):
    for option in ("--uid", "--gid"):
        result = run([bwrap, *HOST, option, "5", "true"])
        assert result.returncode == 1 and f"Specifying {option} requires --unshare-user or --userns" in result.stderr
        assert run([bwrap, *HOST, option, "0", "true"]).returncode == 0


def test_uid_owns_the_new_files(personality, run):
    result = run([personality, *HOST, "--unshare-user", "--uid", "5", "--gid", "6", "--tmpfs", "/mnt", "--dir",
                  "/mnt/d", "stat",
                  "-c", "%u:%g", "/mnt", "/mnt/d"])
    assert result.stdout.split() == ["5:6", "5:6"], result


# ---- host name ---------------------------------------------------------------------------------------------------
def test_hostname_inside(personality, run):
    result = run([personality, *HOST, "--unshare-uts", "--hostname", "inside.example", "uname", "-n"])
    assert (result.returncode, result.stdout) == (0, "inside.example\n"), result
    assert os.uname().nodename != "inside.example"


def test_hostname_is_kept_without_it(personality, run):
    assert run([personality, *HOST, "--unshare-uts", "uname", "-n"]).stdout.strip() == os.uname().nodename


def test_hostname_needs_uts(personality, run):
    share = ["--share-uts"] if personality.name == "cloche" else []
    result = run([personality, *HOST, *share, "--hostname", "x", "true"])
    assert_fails(result, personality, "--hostname", "uts")


def test_domainname_inside(personality, run):
    before = pathlib.Path("/proc/sys/kernel/domainname").read_text()
    argv = [personality, *HOST, "--unshare-uts"]
    result = run([*argv, "--domainname", "inside.example", "cat", "/proc/sys/kernel/domainname"])
    assert (result.returncode, result.stdout) == (0, "inside.example\n"), result
    assert run([*argv, "cat", "/proc/sys/kernel/domainname"]).stdout == before
    assert pathlib.Path("/proc/sys/kernel/domainname").read_text() == before != "inside.example\n"


def test_domainname_needs_uts(personality, run):
    share = ["--share-uts"] if personality.name == "cloche" else []
    result = run([personality, *HOST, *share, "--domainname", "x", "true"])
    assert_fails(result, personality, "--domainname", "uts")


def test_domainname_too_long(personality, run):
    result = run([personality, *HOST, "--unshare-uts", "--domainname", "x" * 65, "true"])
    assert_fails(result, personality, "x" * 65, "Invalid argument")


def test_hostname_too_long(personality, run):
    result = run([personality, *HOST, "--unshare-uts", "--hostname", "x" * 65, "true"])
    assert_fails(result, personality, "x" * 65, "Invalid argument")


# ---- nested user namespaces --------------------------------------------------------------------------------------
@pytest.mark.vm
def test_disable_userns_forbids(bwrap, run):
    argv = [bwrap, "--dev-bind", "/", "/", "--unshare-user"]
    assert run([*argv, *NESTED]).returncode == 0
    result = run([*argv, "--disable-userns", *NESTED])
    assert result.returncode == 1 and "No space left on device" in result.stderr, result


def test_disable_userns_holds_against_capabilities(bwrap, run):
    """COMMAND may not raise the limit again, whatever it holds."""
    script = "echo 100 >/proc/sys/user/max_user_namespaces; unshare --user true"
    result = run([bwrap, "--dev-bind", "/", "/", "--unshare-user", "--unshare-pid", "--proc", "/proc",
                  "--disable-userns",
                  "--cap-add", "ALL", "sh", "-c", script])
    assert result.returncode == 1 and "unshare" in result.stderr and "No space left on device" in result.stderr, result


def test_disable_userns_needs_unshare_user(bwrap, run):
    for options in ([], ["--unshare-user-try"], ["--unshare-all"]):
        result = run([bwrap, *HOST, *options, "--disable-userns", "true"])
        assert result.returncode == 1 and "--disable-userns requires --unshare-user" in result.stderr


@pytest.mark.vm
def test_allow_userns_allows(cloche, run):
    for policy, refusal in ("default", "not permitted"), ("none", "No space left on device"):
        result = run([cloche, "--seccomp-policy", policy, *NESTED])
        assert result.returncode == 1 and refusal in result.stderr, result
    assert run([cloche, "--allow-userns", *NESTED]).returncode == 0


def test_disable_userns_after_allow_userns(cloche, run):
    """The last one counts."""
    assert run([cloche, "--allow-userns", "--disable-userns", *NESTED]).returncode == 1
    assert run([cloche, "--disable-userns", "--allow-userns", *NESTED]).returncode == 0


def test_allow_userns_permits_a_nested_sandbox(cloche, run):
    argv = [cloche, "--allow-userns", "--uid", "1000", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]
    inner = [cloche, "--allow-userns", "--ro-bind", "/", "/", "sh", "-c", "echo inner"]
    result = run([*argv, *inner])
    assert (result.returncode, result.stdout) == (0, "inner\n"), result


def test_allow_userns_missing_is_explained_to_a_nested_start(cloche, run):
    result = run([cloche, *HOST, cloche, "true"])
    assert result.returncode == 125 and "user namespace" in result.stderr and "hint: " in result.stderr, result
    assert "--allow-userns" in result.stderr


def test_assert_userns_disabled(personality, run):
    allowed = ["--allow-userns"] if personality.name == "cloche" else []
    result = run([personality, *HOST, *allowed, "--assert-userns-disabled", "true"])
    assert_fails(result, personality, "user namespaces")
    assert run([personality, *HOST, "--unshare-user", "--disable-userns", "--assert-userns-disabled",
                "true"]).returncode == 0


def test_assert_userns_disabled_holds_by_default(cloche, run):
    assert run([cloche, "--assert-userns-disabled", "true"]).returncode == 0


PROC_SYS_READ_ONLY = 'mount --bind /proc/sys /proc/sys; mount -o remount,ro,bind /proc/sys; exec "$@"'


def test_allow_userns_where_proc_sys_is_read_only(cloche, run, user):
    """The limit cannot be set in such a container: an error that says what to do, never a weaker sandbox."""
    options = ["--ro-bind", "/", "/"]
    result = run(in_own_mounts(user, PROC_SYS_READ_ONLY, cloche, *options, "true"))
    assert result.returncode == 125, result
    assert "max_user_namespaces" in result.stderr and "Read-only file system" in result.stderr, result
    assert "hint: /proc/sys is read-only here" in result.stderr and "--allow-userns" in result.stderr
    result = run(in_own_mounts(user, PROC_SYS_READ_ONLY, cloche, "--allow-userns", *options, "true"))
    assert result.returncode == 0, result


def test_nested_start_by_proc_self_exe(bwrap, run):
    """A copy of the program, started as /proc/self/exe, goes by the name of the executed file."""
    script = "import os, sys; os.execv(sys.argv[1], ['/proc/self/exe', '--ro-bind', '/', '/', 'echo', 'by any name'])"
    result = run([bwrap, *HOST, "--unshare-pid", "python3", "-c", script, bwrap])
    assert (result.returncode, result.stdout) == (0, "by any name\n"), result


LIMIT_0 = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
           'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"', "sh"]


def test_unshare_user_try_where_it_is_forbidden(bwrap, run):
    """A root without user namespaces goes on without one; --unshare-user does not."""
    script = ["sh", "-c", "readlink /proc/self/ns/user; echo $PPID >/dev/null"]
    result = run([*LIMIT_0, bwrap, *HOST, "--unshare-user-try", *script])
    assert result.returncode == 0 and result.stdout.startswith("user:"), result
    result = run([*LIMIT_0, bwrap, *HOST, "--unshare-user", *script])
    assert result.returncode == 1 and result.stderr.startswith("bwrap: Creating new namespace failed"), result


@pytest.mark.parametrize("name, first_word", [("bwrap", "bubblewrap"), ("/x/flatpak-bwrap", "bubblewrap"),
                                              ("cloche", "cloche"),
                                              ("/x/cloche-0.1", "cloche"), ("other", None)])
def test_personality_goes_by_the_name(personality, run, name, first_word):
    """Of argv[0]; where that says nothing, of the executed file."""
    result = run(["bash", "-c", 'exec -a "$0" "$@"', name, personality, "--version"])
    own = "bubblewrap" if personality.name == "bwrap" else "cloche"
    assert result.stdout.split()[0] == (first_word or own), result
