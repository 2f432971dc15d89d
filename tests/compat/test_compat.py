# SPDX-License-Identifier: LGPL-2.1-or-later
"""Our `bwrap` does what bubblewrap does: each command line of cases/ is run under 0.13.1, under ours and under 0.8.0.

Compared is all that compat.py's probe sees inside, and what the line prints and returns. What may differ is in the file
`differences`, and nowhere else: a difference that is not listed fails, and so does a listed one that is gone. 0.13.1 is
fetched by fetch-bwrap, 0.8.0 is Debian 12's.
"""
import difflib
import os
import re
import subprocess

import pytest

import compat
import conftest

CASES = compat.read_cases()
DIFFERENCES = compat.read_differences()
OLD = "/usr/bin/bwrap"

# Options that 0.13.1's --help does not show.
UNDOCUMENTED = {"--bind-fd", "--ro-bind-fd"}


@pytest.fixture(scope="session")
def newest():
    """Path of 0.13.1."""
    return subprocess.run([compat.HERE / "fetch-bwrap"], check=True, text=True, stdout=subprocess.PIPE).stdout.strip()


@pytest.fixture(scope="session")
def probe(compile_c):
    return compile_c(compat.HERE / "probe.c")


@pytest.fixture
def runner(user, probe, tmp_path):
    return compat.Runner(user, probe, tmp_path, conftest.start, conftest._children, conftest.kill_tree)


# ---- the comparison ----------------------------------------------------------------------------------------------
def show(one, other, names):
    """The lines in which two runs differ."""
    lines = []
    for name in names:
        diff = difflib.unified_diff(compat.value(one, name).splitlines(), compat.value(other, name).splitlines(),
                                    lineterm="", n=0)
        lines += [f"    {name} {line}" for line in list(diff)[2:] if not line.startswith("@@")]
    return "\n".join(lines)


def refuse_unlisted(case, user, reference, ours):
    """What is wrong between 0.13.1's run and ours, as a list of texts."""
    wrong = []
    listed = [d for d in DIFFERENCES if d.is_for(case, user)]
    names = compat.differing(reference, ours)
    for name in names:
        if name not in {d.aspect for d in listed}:
            wrong.append(f"{name} differs from 0.13.1 (-) and `differences` does not list it:\n"
                         + show(reference, ours, [name]))
    for difference in listed:
        if difference.aspect not in names:
            wrong.append(f"{difference.where}: no longer so, both have: {compat.value(ours, difference.aspect)!r}")
        elif not difference.ours.search(compat.value(ours, difference.aspect)):
            wrong.append(f"{difference.where}: differs otherwise than listed:\n"
                         + show(reference, ours, [difference.aspect]))
    return wrong


def refuse_without_effect(runner, case, newest, bwrap, reference, ours):
    """The control: without the option the line does something else, under ours and under 0.13.1."""
    wrong = []
    for name, program, result in (("ours", bwrap, ours), ("0.13.1", newest, reference)):
        if name == "0.13.1" and any(d.case == case.name for d in DIFFERENCES):
            continue  # 0.13.1 ignores, for example, a --perms that nothing follows: we refuse it
        control = runner.run(program, case, case.without_option, name != "ours")
        if not compat.differing(control, result):
            wrong.append(f"under {name} the control does the same: {case.without_option}")
    return wrong


def mount_table():
    with open("/proc/self/mountinfo") as file:
        return file.read()


def compare(runner, case, newest, bwrap):
    wrong = []
    reference = runner.run(newest, case, case.with_option, True)
    ours = runner.run(bwrap, case, case.with_option)
    wrong += refuse_unlisted(case, runner.user, reference, ours)
    old = runner.run(OLD, case, case.with_option, True)
    names = compat.differing(reference, old, is_old=True)
    if case.is_the_same_in_0_8(runner.user) and names:
        wrong.append(f"0.8.0 (+) differs from 0.13.1, contrary to the flag:\n{show(reference, old, names)}")
    if not case.is_the_same_in_0_8(runner.user) and not names:
        wrong.append("0.8.0 does the same as 0.13.1: set the flag 0.8")
    if case.has_control:
        wrong += refuse_without_effect(runner, case, newest, bwrap, reference, ours)
    return wrong


def check(runner, case, newest, bwrap):
    for _ in range(5):
        before = mount_table()
        wrong = compare(runner, case, newest, bwrap)
        if not wrong or mount_table() == before:  # else another one mounted something between two of the runs
            break
    assert not wrong, f"{case.where} {case.name}\n{case.with_option}\n" + "\n".join(wrong)


def cases_for(*users):
    return pytest.mark.parametrize("case", [c for c in CASES if c.flags & {"root", "user"} == set(users)], ids=str)


@cases_for()
def test_command_line(case, runner, newest, bwrap):
    check(runner, case, newest, bwrap)


@pytest.mark.only_root
@cases_for("root")
def test_command_line_of_root(case, runner, newest, bwrap):
    check(runner, case, newest, bwrap)


@pytest.mark.only_user
@cases_for("user")
def test_command_line_of_user(case, runner, newest, bwrap):
    check(runner, case, newest, bwrap)


# ---- the walker that stands in for openat2 ---------------------------------------------------------------------------
def check_without_openat2(runner, case, bwrap, without_syscalls, error):
    """Where an outer filter refuses openat2(2), the same mounts and the same errors come about."""
    plain = runner.run(bwrap, case, case.with_option)
    filtered = runner.run(" ".join(without_syscalls("openat2", [bwrap], error)), case, case.with_option)
    for aspects in (plain, filtered):
        aspects.pop("seccomp", None)  # the outer filter's
        if "env" in aspects:
            aspects["env"] = re.sub(r"^_=.*$", "", aspects["env"], flags=re.M)  # bash says what it started
    names = compat.differing(plain, filtered)
    assert not names, f"{case.where} {case.name}\n{case.with_option}\n{show(plain, filtered, names)}"


@pytest.mark.parametrize("error", ["ENOSYS", "EPERM"])
@pytest.mark.parametrize("case", [c for c in CASES if c.where.startswith("4-filesystem")
                                  and not c.flags & {"root", "user"}], ids=str)
def test_without_openat2(case, error, runner, bwrap, without_syscalls):
    check_without_openat2(runner, case, bwrap, without_syscalls, error)


@pytest.mark.parametrize("error", ["ENOSYS", "EPERM"])
def test_without_openat2_0_13_1_fails(error, run, newest, without_syscalls):
    """The control: the filter is there, and 0.13.1 has no other way."""
    result = run(without_syscalls("openat2", [newest, "--ro-bind", "/", "/", "true"], error))
    assert (result.returncode, result.stderr) == (1, "bwrap: Can't open source /: Function not implemented\n")


# ---- the cases themselves ----------------------------------------------------------------------------------------
@pytest.mark.only_user
def test_oracles_are_the_expected_versions(run, newest):
    """0.13.1 or, when Debian's pool has moved on, a newer one: fetch-bwrap says so, and the comparison what is new."""
    version = run([newest, "--version"]).stdout.removeprefix("bubblewrap ").rstrip("\n")
    assert tuple(map(int, version.split("."))) >= (0, 13, 1)
    assert run([OLD, "--version"]).stdout == "bubblewrap 0.8.0\n"


@pytest.mark.only_user
def test_cases_cover_every_option(run, newest):
    options = set(re.findall(r"^    (--[a-z0-9-]+)", run([newest, "--help"]).stdout, re.M)) | UNDOCUMENTED
    assert len(options) >= 68
    for case in CASES:
        for option in case.options:
            assert option in case.words(case.with_option + case.setup), f"{case.name} has no {option}"
    # An option is covered by a line which shows its effect: it is there, and not, or less often, in the control.
    covered = {option for case in CASES for option in case.options if case.has_control
               and case.words(case.with_option).count(option) > case.words(case.without_option).count(option)}
    assert options - covered == set()


@pytest.mark.only_user
def test_cases_have_a_control_or_are_defaults():
    assert [c.name for c in CASES if c.has_control == ("default" in c.flags)] == []
    assert len([c for c in CASES if c.has_control]) >= 150


@pytest.mark.only_user
def test_case_names_are_unique():
    names = [c.name for c in CASES]
    assert [n for n in names if names.count(n) > 1] == []


@pytest.mark.only_user
def test_differences_name_cases():
    names = {c.name for c in CASES}
    assert [d.where for d in DIFFERENCES if d.case not in names] == []
    keys = [(d.case, d.half, d.aspect) for d in DIFFERENCES]
    assert len(keys) == len(set(keys))


# ---- what callers rely on, beyond two runs of one line -------------------------------------------------------------
def copy_of(program, target):
    with open(program, "rb") as source, open(target, "wb") as copy:
        copy.write(source.read())
    os.chmod(target, 0o755)
    return target


def test_copy_started_as_proc_self_exe_inside_is_bwrap(run, bwrap, tmp_path):
    """Some callers start what they find at /proc/self/exe once more, whatever its name is by then."""
    inside = 'exec -a /proc/self/exe "$0" --bind / / --unshare-pid --proc /proc readlink /proc/self'
    for name in ("bwrap", "my-bwrap"):
        copy = copy_of(bwrap, tmp_path / name)
        result = run([bwrap, "--bind", "/", "/", "--proc", "/proc", "--", "bash", "-c", inside, copy])
        assert (result.returncode, result.stdout, result.stderr) == (0, "2\n", "")


def test_unknown_option_tells_the_personality_of_a_copy(run, bwrap, cloche, tmp_path):
    """The same with a line that each name answers in its own way."""
    for program, name, status in ((bwrap, "bwrap", 1), (cloche, "cloche", 125)):
        copy = copy_of(program, tmp_path / name)
        result = run(["bash", "-c", 'exec -a /proc/self/exe "$0" --bogus', copy])
        assert (result.returncode, result.stdout) == (status, "")
        assert "--bogus" in result.stderr


def test_compat_option_makes_cloche_bwrap(run, newest, cloche):
    """`cloche --compat=bwrap` is the same program under its other name."""
    line = ["--ro-bind", "/", "/", "--", "sh", "-c", "exit 3"]
    assert run([cloche, "--compat=bwrap", *line]).returncode == 3
    assert run([cloche, "--compat=bwrap", "--ro-bind", "/", "/", "nosuch"]).stderr == run(
        [newest, "--ro-bind", "/", "/", "nosuch"]).stderr


def test_options_of_our_own_are_accepted_by_bwrap(run, newest, bwrap):
    """Options that bubblewrap does not know are ours under both names."""
    for option in (["--verbose"], ["--share-pid"], ["--keep-fd", "0"], ["--bare"], ["--root-size", "1M"]):
        line = [*option, "--ro-bind", "/", "/", "true"]
        assert run([newest, *line]).stderr == f"bwrap: Unknown option {option[0]}\n"
        assert run([bwrap, *line]).returncode == 0


def test_version_satisfies_a_parser_of_two_words(run, bwrap):
    """BuildStream splits at white space and takes the second word for x.y.z."""
    words = run([bwrap, "--version"]).stdout.split()
    assert words[0] == "bubblewrap"
    assert tuple(map(int, words[1].split("."))) >= (0, 8, 0)


def test_lock_file_that_cannot_be_had_keeps_command_from_starting(run, bwrap, tmp_path):
    """0.13.1 starts COMMAND all the same, and which of the two ends first is a race."""
    line = ["--bind", "/", "/", "--lock-file", "/nosuch", "touch", tmp_path / "ran"]
    assert run([bwrap, *line]).returncode == 1
    assert not (tmp_path / "ran").exists()


# ---- the comparison itself: it does fail ---------------------------------------------------------------------------
@pytest.fixture
def small_case(user):
    case = compat.Case("here", "small", [], set())
    case.line = "$B $R @{--setenv A 1@} $P"
    return case


def test_comparison_refuses_an_unlisted_difference(user, small_case):
    assert refuse_unlisted(small_case, user, {"status": "1"}, {"status": "1"}) == []
    assert "does not list it" in refuse_unlisted(small_case, user, {"status": "1"}, {"status": "0"})[0]


def test_comparison_refuses_a_listed_difference_that_is_gone(user, small_case, monkeypatch):
    listed = compat.Difference("here", "small", None, "status", "^0$", "why")
    monkeypatch.setattr("test_compat.DIFFERENCES", [listed])
    assert refuse_unlisted(small_case, user, {"status": "1"}, {"status": "0"}) == []
    assert "no longer so" in refuse_unlisted(small_case, user, {"status": "1"}, {"status": "1"})[0]
    assert "otherwise" in refuse_unlisted(small_case, user, {"status": "1"}, {"status": "2"})[0]


def test_comparison_refuses_a_control_without_effect(runner, small_case, newest, bwrap):
    same = runner.run(bwrap, small_case, small_case.without_option)
    wrong = refuse_without_effect(runner, small_case, newest, bwrap, same, same)
    assert ["the control does the same" in text for text in wrong] == [True, True]


def test_comparison_sees_environment_mounts_and_capabilities(runner, small_case, newest):
    """What the probe says gets through all that is normalised."""
    plain = runner.run(newest, small_case, "$B $U $Q")
    for line, aspect in (("A=1 $B $U $Q", "env"), ("$B $U --tmpfs /mnt $Q", "mounts"),
                         ("$B $U --unshare-user --cap-add CAP_KILL $Q", "caps"), ("$B $U $Q 9</dev/null", "fds"),
                         ("umask 7; $B $U $Q", "process"), ("$B $U --unshare-net $Q", "namespaces"),
                         ("trap '' USR1; $B $U $Q", "signals"), ("$B $U --chdir /usr $Q", "cwd"),
                         ("$B $U --new-session $Q", "session"), ("$B $U --unshare-user --uid 3 $Q", "uid_map")):
        assert aspect in compat.differing(plain, runner.run(newest, small_case, line)), line
