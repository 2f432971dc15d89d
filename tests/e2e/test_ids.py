# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ranges of ids: --uid-map, --gid-map, --map-auto, --map-root, --map-current, --keep-groups, --drop-groups.

Root maps any ids; the ordinary user those that /etc/subuid and /etc/subgid give him, by newuidmap(1). `ids` is a block
of such ids; there must be one (useradd makes it).
"""
import contextlib
import json
import os
import subprocess
import types

import pytest

from conftest import acting_as_root, pid_namespace, pids_in_pid_namespace, wait_until
from e2elib import assert_fails, pipe, setup_status, status_of  # noqa: F401: pipe is a fixture

ROOT_FIRST = 300000  # ids of nobody: root needs no file to map them
UID_MAP, GID_MAP, STATUS = "/proc/self/uid_map", "/proc/self/gid_map", "/proc/self/status"
USERNS = ["--unshare-user"]  # for root as bwrap, who has none without


def subids(path, user):
    """The ranges of `user` in the file, as (first, count)."""
    with open(path) as file:
        lines = [line.strip().split(":") for line in file]
    return [(int(first), int(count)) for owner, first, count in lines if owner in (user.name, str(user.uid))]


@pytest.fixture
def ids(user):
    """.uid and .gid: the first of at least 65536 ids that the user may map; .uids, .gids: all ranges of the files."""
    if user.is_root:
        return types.SimpleNamespace(uid=ROOT_FIRST, gid=ROOT_FIRST, uids=[], gids=[])
    uids, gids = subids("/etc/subuid", user), subids("/etc/subgid", user)
    assert uids and gids and uids[0][1] >= 65536 and gids[0][1] >= 65536, \
        f"no ids for {user}: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}"
    return types.SimpleNamespace(uid=uids[0][0], gid=gids[0][0], uids=uids, gids=gids)


@pytest.fixture
def start(run, personality):
    """start(options, command...): what the start gave, with the host's files."""
    def start(options, *command, **rest):
        return run([personality, *USERNS, "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp",
                    *options, "--", *command], **rest)
    return start


def maps_of(text):
    return [tuple(int(number) for number in line.split()) for line in text.splitlines()]


@pytest.fixture
def maps(start):
    """maps(options): (uid map, gid map, ids and groups) inside."""
    def maps(options, **rest):
        options = ["--cap-drop", "ALL", *options]  # else root as bwrap is in an inner user namespace
        made = start(options, "sh", "-c", f"cat {UID_MAP}; echo -; cat {GID_MAP}; echo -; cat {STATUS}", **rest)
        assert made.returncode == 0, made
        uid, gid, status = made.stdout.split("-\n", 2)
        status = status_of(status)
        return types.SimpleNamespace(uid=maps_of(uid), gid=maps_of(gid), uids=status["Uid"].split(),
                                     gids=status["Gid"].split(), groups=status["Groups"].split())
    return maps


def both(ids, inside=0, count=1000):
    return ["--uid-map", f"{inside}:{ids.uid}:{count}", "--gid-map", f"{inside}:{ids.gid}:{count}"]


# ---- maps ----------------------------------------------------------------------------------------------------------
@pytest.mark.vm
def test_maps_as_given(maps, ids):
    made = maps(both(ids))
    assert made.uid == [(0, ids.uid, 1000)] and made.gid == [(0, ids.gid, 1000)], made
    assert set(made.uids) == set(made.gids) == {"0"}, made  # the caller's are not mapped: the first that there is


def test_maps_in_several_ranges(maps, ids, user):
    made = maps(["--uid-map", f"0:{ids.uid}:10,20:{ids.uid + 20}:5", "--uid-map", f"1234:{user.uid}:1",
                 "--gid-map", f"7:{ids.gid + 1}:1"])
    assert sorted(made.uid) == [(0, ids.uid, 10), (20, ids.uid + 20, 5), (1234, user.uid, 1)], made
    assert made.gid == [(7, ids.gid + 1, 1)], made
    assert set(made.uids) == {"1234"}, made  # the caller's own, since it is mapped
    assert set(made.gids) == {"7"}, made


def test_uid_map_alone(maps, ids, user):
    made = maps(["--uid-map", f"0:{ids.uid}:2"])
    assert made.uid == [(0, ids.uid, 2)] and made.gid == [(user.gid, user.gid, 1)], made
    assert set(made.gids) == {str(user.gid)}, made


def test_gid_map_alone(maps, ids, user):
    made = maps(["--gid-map", f"5:{ids.gid}:2"])
    assert made.gid == [(5, ids.gid, 2)] and made.uid == [(user.uid, user.uid, 1)], made
    assert set(made.gids) == {"5"} and set(made.uids) == {str(user.uid)}, made


def test_uid_chooses_among_the_mapped(maps, ids):
    made = maps([*both(ids), "--uid", "33", "--gid", "44"])
    assert set(made.uids) == {"33"} and set(made.gids) == {"44"}, made


def test_map_root_alone_is_one_id(maps, user):
    made = maps(["--map-root"])
    assert made.uid == [(0, user.uid, 1)] and made.gid == [(0, user.gid, 1)] and set(made.uids) == {"0"}, made


def test_map_root_with_ranges(maps, ids, user):
    made = maps(["--map-root", *both(ids, inside=1)])
    assert sorted(made.uid) == [(0, user.uid, 1), (1, ids.uid, 1000)], made
    assert sorted(made.gid) == [(0, user.gid, 1), (1, ids.gid, 1000)], made
    assert set(made.uids) == set(made.gids) == {"0"}, made


def test_map_current_with_ranges(maps, ids, user):
    made = maps(["--map-current", *both(ids, inside=5000)])
    assert sorted(made.uid) == sorted([(user.uid, user.uid, 1), (5000, ids.uid, 1000)]), made
    assert set(made.uids) == {str(user.uid)}, made


@pytest.mark.only_user
def test_map_auto(maps, ids, user):
    """The ranges of the files one behind the other from 0 on, around the caller's own id."""
    def expected(own, ranges):
        made, next_id = [], 0
        for first, count in ranges:
            for outside in (first, first + own - next_id) if next_id <= own < next_id + count else (first,):
                end = first + count
                length = own - next_id if next_id <= own and outside == first and own < next_id + end - outside else end - outside
                if length:
                    made.append((next_id, outside, length))
                next_id += length
                if next_id == own:
                    next_id += 1
        return sorted([*made, (own, own, 1)])

    made = maps(["--map-auto"])
    assert sorted(made.uid) == expected(user.uid, ids.uids), made
    assert sorted(made.gid) == expected(user.gid, ids.gids), made
    assert set(made.uids) == {str(user.uid)} and set(made.gids) == {str(user.gid)}, made
    assert sum(count for _, _, count in made.uid) == 1 + sum(count for _, count in ids.uids), "an id was lost"


@pytest.mark.only_user
@pytest.mark.vm
def test_map_auto_as_root(maps, ids, user):
    made = maps(["--map-auto", "--map-root"])
    assert sorted(made.uid)[:2] == [(0, user.uid, 1), (1, *ids.uids[0])], made
    assert sorted(made.gid)[:2] == [(0, user.gid, 1), (1, *ids.gids[0])], made
    assert set(made.uids) == set(made.gids) == {"0"}, made


@pytest.mark.only_user
def test_map_auto_with_other_own_id(maps, ids, user):
    made = maps(["--map-auto", "--uid", "5", "--gid", "7"])
    assert (5, user.uid, 1) in made.uid and (0, ids.uid, 5) in made.uid and (6, ids.uid + 5, ids.uids[0][1] - 5) in made.uid
    assert (7, user.gid, 1) in made.gid and set(made.uids) == {"5"} and set(made.gids) == {"7"}, made


@pytest.mark.only_user
def test_map_current_leaves_uid_to_the_ranges(maps, ids, user):
    made = maps(["--map-auto", "--map-current", "--uid", "0", "--gid", "0"])
    assert (user.uid, user.uid, 1) in made.uid and (0, ids.uid, user.uid) in made.uid, made
    assert set(made.uids) == set(made.gids) == {"0"}, made


@pytest.mark.only_root
def test_map_auto_without_ids_of_the_files(start, personality, user):
    if subids("/etc/subuid", user):
        return  # the message of the test below is then not to be had here
    assert_fails(start(["--map-auto"], "true"), personality, "/etc/subuid")


# ---- what the ids are good for -------------------------------------------------------------------------------------
CAPS = ["--cap-add", "CAP_CHOWN", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]


@pytest.mark.vm
def test_chown_to_several_ids(start, ids):
    """COMMAND with capabilities is in the inner user namespace under our own name: it has the same ranges."""
    made = start([*both(ids), *CAPS], "sh", "-c", "cd /tmp && touch a b c && chown 1:2 a && chown 999:998 b && stat -c %u:%g a b c;"
                 "setpriv --reuid=7 --regid=8 --groups=9,10 sh -c 'id -u; id -g; id -G'; chown 1000 a")
    assert made.stdout.split("\n")[:6] == ["1:2", "999:998", "0:0", "7", "8", "8 9 10"], made
    assert made.returncode != 0 and "Invalid argument" in made.stderr, made  # 1000 is not mapped


def test_owners_outside(start, ids, user, tmp_path):
    """What belongs to an id inside belongs to the mapped one outside."""
    with acting_as_root():
        tmp_path.chmod(0o777)
    options = [*both(ids, inside=50), *CAPS, "--bind", tmp_path, "/mnt"]
    made = start(options, "sh", "-c", "touch /mnt/file && chown 51:52 /mnt/file")
    assert made.returncode == 0, made
    info = os.stat(tmp_path / "file")
    assert start(options, "rm", "-f", "/mnt/file").returncode == 0  # the user outside cannot
    assert (info.st_uid, info.st_gid) == (ids.uid + 1, ids.gid + 2), info


def test_nothing_is_kept_by_default(start, ids):
    made = start(both(ids), "grep", "^Cap", STATUS)
    values = {line.split()[1].strip("0") for line in made.stdout.splitlines()}
    if "--unshare-user" in made.args and os.geteuid() == 0 and made.args[0].endswith("bwrap"):
        assert values != {""}, made  # as bubblewrap: root keeps its capabilities
    else:
        assert values == {""}, made


# ---- groups --------------------------------------------------------------------------------------------------------
def in_groups(user, argv, groups):
    """argv started as the user with these supplementary groups; pytest must be root."""
    ids = ["setpriv", f"--reuid={user.uid}", f"--regid={user.gid}", f"--groups={groups}"]
    return [*ids, *argv]


@pytest.fixture
def groups(run, user, personality):
    """groups(options): (supplementary groups inside, /proc/self/setgroups) of a caller in group 54321."""
    def groups(options):
        argv = [personality, *USERNS, "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", *options, "--",
                "cat", STATUS, "/proc/self/setgroups"]
        with acting_as_root():
            if os.geteuid() != 0:
                pytest.skip("only root can make a caller with other groups")
            made = run(in_groups(user, [str(a) for a in argv], "54321"))
        assert made.returncode == 0, made
        return status_of(made.stdout)["Groups"].split(), made.stdout.split()[-1]
    return groups


def test_groups_are_kept_with_own_ids(groups):
    assert groups([]) == (["65534"], "deny")
    assert groups(["--keep-groups"]) == (["65534"], "deny")


def test_groups_are_dropped_with_ranges(groups, ids):
    assert groups(both(ids)) == ([], "allow")
    assert groups([*both(ids), "--drop-groups"]) == ([], "allow")


def test_keep_groups_with_ranges(groups, ids):
    assert groups([*both(ids), "--keep-groups"]) == (["65534"], "deny")


@pytest.mark.only_root
def test_drop_groups_of_root(groups):
    """Real root may without any range."""
    assert groups(["--drop-groups"]) == ([], "allow")


@pytest.mark.only_root
def test_drop_groups_without_user_namespace(run, personality, user):
    argv = [personality, "--ro-bind", "/", "/", "--proc", "/proc", "--drop-groups"]
    argv += ["--share-user", "--allow-userns"] if personality.name == "cloche" else []
    made = run(in_groups(user, [str(a) for a in argv] + ["grep", "Groups", STATUS], "54321"))
    assert made.returncode == 0 and made.stdout.split() == ["Groups:"], made


@pytest.mark.only_user
def test_drop_groups_needs_a_range(start, personality):
    made = start(["--drop-groups"], "true")
    assert_fails(made, personality)
    if personality.name == "cloche":
        assert "--drop-groups: " in made.stderr and "--map-auto" in made.stderr, made


# ---- what is refused -----------------------------------------------------------------------------------------------
CONFLICTS = {
    "overlap inside": ["--uid-map", "0:300000:10", "--uid-map", "9:300100:1"],
    "overlap outside": ["--gid-map", "0:300000:10,100:300009:1"],
    "own twice": ["--map-root", "--uid-map", "0:300000:10"],
    "auto and ranges": ["--map-auto", "--uid-map", "0:300000:10"],
    "auto and group ranges": ["--map-auto", "--gid-map", "0:300000:10"],
    "root and current": ["--map-root", "--map-current"],
    "340 ranges and the own": ["--map-root", "--uid-map", ",".join(f"{i}:{i}:1" for i in range(1, 341))],
    "341 ranges": ["--uid-map", ",".join(f"{i}:{i + 300000}:1" for i in range(341))],
    "uid not mapped": ["--uid-map", "0:300000:10", "--uid", "10"],
    "gid not mapped": ["--gid-map", "0:300000:10", "--gid", "4294967294"],
    "longer than a page": ["--uid-map", ",".join(f"{i + 4000000000}:{i + 4100000000}:1" for i in range(200))],
}


@pytest.mark.parametrize("conflict", CONFLICTS)
def test_conflict(start, personality, conflict):
    options = CONFLICTS[conflict]
    made = start(options, "true")
    assert_fails(made, personality)
    if personality.name == "cloche":
        blamed = [f"cloche: {o}" for o in {*options, "--uid", "--gid"} if o.startswith("--")]
        assert made.stderr.startswith(tuple(blamed)), made


def test_many_ranges(maps, ids, user):
    """As many as the kernel takes: 340, if their text fits a page."""
    ranges = [(i, 2 * i, 1) for i in range(340)] if user.is_root else [(i, ids.uid + 2 * i, 1) for i in range(250)]
    made = maps(["--uid-map", ",".join(":".join(map(str, r)) for r in ranges)])
    assert made.uid == ranges, made


def test_maps_need_their_own_user_namespace(run, personality, user, pipe):
    """Not with one that is joined or mapped by the caller, nor without any."""
    read, _ = pipe()
    userns = os.open("/proc/self/ns/user", os.O_RDONLY)
    try:
        for options in (["--userns", str(userns)], ["--unshare-user", "--userns-block-fd", str(read), "--info-fd", "1"]):
            for option in (["--uid-map", f"0:{user.uid}:1"], ["--map-root"], ["--map-current"]):
                made = run([personality, "--ro-bind", "/", "/", *options, *option, "true"], pass_fds=[userns, read])
                assert_fails(made, personality, options[-4 if len(options) > 2 else 0].lstrip("-") if len(options) == 2 else "userns-block-fd")
    finally:
        os.close(userns)
    if user.is_root:
        argv = ["--share-user", "--allow-userns"] if personality.name == "cloche" else []
        assert_fails(run([personality, "--ro-bind", "/", "/", *argv, "--map-root", "true"]), personality, "user")


@pytest.mark.only_user
def test_ids_that_are_not_allowed(run, ids, user):
    """The message names the option, the ids, what is allowed, and what helps; nothing was started."""
    from conftest import BUILD
    first, count = ids.uids[-1]
    outside = first + count
    made = run([BUILD / "cloche", "--uid-map", f"0:{outside - 1}:2", "--json-status-fd", "1", "true"])
    assert made.returncode == 125, made
    for text in (f"--uid-map 0:{outside - 1}:2: ", f"{outside - 1}-{outside}", "/etc/subuid", user.name,
                 f"{first}-{outside - 1}", "usermod --add-subuids"):
        assert text in made.stderr, made
    assert json.loads(made.stdout)["setup-error"]["stage"] == "plan", made
    made = run([BUILD / "cloche", "--gid-map", "0:0:1", "true"])
    assert made.returncode == 125 and "/etc/subgid" in made.stderr and "--add-subgids" in made.stderr, made


# ---- together with the rest ----------------------------------------------------------------------------------------
def test_info_fd_comes_after_the_maps(run, personality, ids, pipe):
    """Who reads the child's pid may join it at once."""
    read, write = pipe()
    block_read, block_write = pipe()
    argv = [str(personality), *USERNS, "--ro-bind", "/", "/", *both(ids), "--info-fd", str(write), "--block-fd", str(block_read), "true"]
    process = subprocess.Popen(argv, pass_fds=[write, block_read], stdin=subprocess.DEVNULL)
    try:
        os.close(write)
        info = os.read(read, 4096)
        pid = json.loads(info)["child-pid"]
        with open(f"/proc/{pid}/uid_map") as file:
            assert maps_of(file.read()) == [(0, ids.uid, 1000)]
        os.write(block_write, b"x")
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()


def test_disable_userns(start, ids, personality):
    """Under both names, and also where COMMAND has capabilities."""
    for options in ([], ["--cap-add", "CAP_SYS_ADMIN"]):
        made = start([*both(ids), "--disable-userns", "--assert-userns-disabled", *options], "cat", UID_MAP)
        assert made.returncode == 0 and [m[2] for m in maps_of(made.stdout)] == [1000], made


def test_signal_reaches_command_that_changed_its_id(popen, personality, ids):
    """pid 1 is another user then. As bubblewrap, signals are not passed on at all."""
    argv = [personality, "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", *both(ids), *CAPS, "--", "setpriv", "--reuid=7",
            "--regid=8", "--clear-groups", "sh", "-c", "trap 'echo got it; exit 7' TERM; echo ready; while :; do sleep 0.05; done"]
    if personality.name == "bwrap":
        return
    process = popen(argv)
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    assert process.stdout.readline() == "got it\n"
    assert process.wait(60) == 7


def test_private_directory_of_the_caller(start, personality, ids, user, tmp_path):
    """Without his own id the caller's private files are closed to the sandbox; the message says what helps."""
    private = tmp_path / "private"
    private.mkdir(0o700)
    (private / "sub").mkdir()
    options = ["--bind", private / "sub", "/mnt"]
    made = start([*both(ids, inside=1), *options], "true")
    assert made.returncode == setup_status(personality), made
    if personality.name == "cloche":
        assert "--map-current" in made.stderr, made
    made = start([*both(ids, inside=1), "--map-root", *options], "true")
    assert made.returncode == 0, made


def test_explain(run, personality, ids):
    made = run([personality, *USERNS, "--explain=json", *both(ids), "--uid", "5", "true"])
    plan = json.loads(made.stdout)
    assert plan["uid-map"] == [{"inside": 0, "outside": ids.uid, "count": 1000}] and plan["drops-groups"] is True, plan
    assert plan["ids"]["uid"] == {"inside": 5, "outside": ids.uid + 5}, plan
    assert plan["maps-written-by"] == ("root" if os.geteuid() == 0 else "newuidmap and newgidmap"), plan
    text = run([personality, *USERNS, "--explain", *both(ids), "true"]).stdout
    assert f"uid 0 to 999 inside: {ids.uid} to {ids.uid + 999} outside" in text, text


# ---- hosts of other kinds: files of our own over the host's, in a mount namespace that root makes ------------------
@pytest.fixture
def on_host(run, personality, user, tmp_path):
    """on_host({path: text, or None for a program that is missing}, options, command...): as the user there."""
    def on_host(files, options, *command):
        if os.geteuid() != 0 and not user.is_root:
            with acting_as_root():
                if os.geteuid() != 0:
                    pytest.skip("only root can make another host")
        script, words = "", []
        for number, (path, text) in enumerate(files.items()):
            replacement = "/dev/null"
            if text is not None:
                replacement = str(tmp_path / f"host-{number}")
                with open(replacement, "w") as file:
                    file.write(text)
            script += f'mount --bind "$1" {path}; shift; '
            words.append(replacement)
        argv = [str(personality), *USERNS, "--ro-bind", "/", "/", "--proc", "/proc", *options, "--", *command]
        with acting_as_root():
            return run(["unshare", "--mount", "--propagation", "private", "sh", "-euc", f'{script} exec "$@"', "sh", *words,
                        "setpriv", f"--reuid={user.uid}", f"--regid={user.gid}", "--clear-groups", *argv])
    return on_host


@pytest.mark.only_user
def test_newuidmap_is_missing(on_host, personality, ids):
    for program in ("newuidmap", "newgidmap"):
        made = on_host({f"/usr/bin/{program}": None}, both(ids), "true")
        assert_fails(made, personality, "newuidmap")
        if personality.name == "cloche":
            assert made.stderr.startswith("cloche: --uid-map ") and "package uidmap" in made.stderr, made


@pytest.mark.only_user
def test_files_without_the_user(on_host, personality, user):
    made = on_host({"/etc/subuid": "", "/etc/subgid": ""}, ["--map-auto"], "true")
    assert_fails(made, personality, "/etc/subuid")
    assert personality.name == "bwrap" or "usermod --add-subuids" in made.stderr, made
    made = on_host({"/etc/subuid": f"root:1:1\n{user.name}x:100000:9\n"}, ["--uid-map", "0:100000:1"], "true")
    assert_fails(made, personality, "/etc/subuid", "none")


@pytest.mark.only_user
def test_files_by_number_and_several_lines(on_host, user):
    """newuidmap and we read them alike: several lines, by name and by number, and a range over two that touch."""
    text = f"{user.name}:200000:10\nother:200010:5\n# a comment\n{user.uid}:300000:7\n{user.name}:300007:3\n"
    made = on_host({"/etc/subuid": text, "/etc/subgid": text}, ["--map-auto", "--map-root"], "cat", UID_MAP)
    assert maps_of(made.stdout) == [(0, user.uid, 1), (1, 200000, 10), (11, 300000, 7), (18, 300007, 3)], made
    made = on_host({"/etc/subuid": text}, ["--uid-map", "0:300005:5"], "cat", UID_MAP)
    assert maps_of(made.stdout) == [(0, 300005, 5)], made


@pytest.mark.only_user
def test_other_source_of_ids(on_host, personality, user):
    """With `subid:` in nsswitch.conf newuidmap does not ask the files: no refusal of ours, it is newuidmap that answers."""
    files = {"/etc/nsswitch.conf": "passwd: files\nsubid: sss\n", "/etc/subuid": "", "/etc/subgid": ""}
    made = on_host(files, ["--uid-map", "0:100000:1"], "true")
    assert_fails(made, personality, "/usr/bin/newuidmap")
    made = on_host(files, ["--map-auto"], "true")
    assert_fails(made, personality)
    assert personality.name == "bwrap" or "nsswitch.conf" in made.stderr, made


@pytest.mark.only_user
def test_program_that_its_user_cannot_read(run, personality, user, ids, tmp_path):
    """Such a program's process is not dumpable, and its map files are root's, unless it says otherwise."""
    with acting_as_root():
        if os.geteuid() != 0:
            pytest.skip("only root can make a file that its user may execute only")
        target = tmp_path / personality.name
        target.write_bytes(open(personality.path, "rb").read())
        os.chown(target, 0, 0)
        target.chmod(0o711)
    for groups in ("--drop-groups", "--keep-groups"):
        made = run([target, *USERNS, "--ro-bind", "/", "/", "--proc", "/proc", *both(ids), groups, "cat", UID_MAP])
        assert maps_of(made.stdout) == [(0, ids.uid, 1000)], made


# ---- the owner outside ---------------------------------------------------------------------------------------------
@pytest.fixture
def running(run, personality, ids, pipe):
    """A sandbox that sleeps as another user than its owner: (its supervisor, the child's pid)."""
    started = []

    def running(*options):
        read, write = pipe()
        argv = [str(personality), *USERNS, "--unshare-pid", "--die-with-parent", "--ro-bind", "/", "/", "--proc", "/proc", *both(ids), *options,
                "--info-fd", str(write), "--", "sh", "-c", "echo ready; exec sleep 60"]
        started.append(subprocess.Popen(argv, pass_fds=[write], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True))
        os.close(write)
        pid = json.loads(os.read(read, 4096))["child-pid"]
        assert started[-1].stdout.readline() == "ready\n"
        return started[-1], pid
    yield running
    for process in started:
        process.kill()
        process.communicate()


def test_owner_can_join(running, run):
    """Though pid 1 is another user's process for the kernel."""
    _, pid = running()
    made = run(["nsenter", f"--target={pid}", "--user", "--mount", "--pid", "cat", UID_MAP])
    assert maps_of(made.stdout) == [(0, maps_of(made.stdout)[0][1], 1000)], made


def living(namespace):
    """Processes of the pid namespace; its first one is ours to reap after the supervisor's death, and may be dead already."""
    found = []
    for pid in pids_in_pid_namespace(namespace):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as file:
            found += [pid] if file.read().rpartition(")")[2].split()[0] not in "ZX" else []
    return found


def test_ends_with_its_supervisor(running):
    """The change of ids undoes what prctl(2) set to happen then; it has to be set again."""
    for options in ((), ("--cap-add", "CAP_SYS_ADMIN")):
        process, pid = running(*options)
        namespace = pid_namespace(pid)
        assert living(namespace)
        process.kill()
        process.wait(60)
        wait_until(lambda: not living(namespace))
