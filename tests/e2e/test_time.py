# SPDX-License-Identifier: LGPL-2.1-or-later
"""--unshare-time, --time-offset."""
import re
import time

import pytest

from e2elib import HOST, assert_fails

CLOCKS = "import time; print(*(time.clock_gettime(c) for c in (time.CLOCK_MONOTONIC, time.CLOCK_BOOTTIME)))"
SHAPES = {"init": ["--unshare-pid"], "alone": [], "pid 1": ["--unshare-pid", "--as-pid-1"]}
MARGIN = 30  # between our look at the clocks and COMMAND's, however slow the machine


def offsets(run, argv):
    """How much later it is inside, by (monotonic, boottime)."""
    before = time.clock_gettime(time.CLOCK_MONOTONIC), time.clock_gettime(time.CLOCK_BOOTTIME)
    result = run([*argv, "/usr/bin/python3", "-c", CLOCKS])
    assert result.returncode == 0, result
    inside = map(float, result.stdout.split())
    return tuple(now - then for now, then in zip(inside, before, strict=True))


@pytest.mark.vm
@pytest.mark.parametrize("shape", SHAPES)
def test_time_offset(personality, run, shape):
    argv = [personality, *HOST, *SHAPES[shape], "--unshare-time"]
    monotonic, boottime = offsets(run, [*argv, "--time-offset", "monotonic:5000", "--time-offset", "boottime:86400"])
    assert 5000 <= monotonic < 5000 + MARGIN and 86400 <= boottime < 86400 + MARGIN
    monotonic, boottime = offsets(run, [*argv, "--time-offset", "boottime:1000"])
    assert 0 <= monotonic < MARGIN and 1000 <= boottime < 1000 + MARGIN


@pytest.mark.parametrize("shape", SHAPES)
def test_unshare_time(personality, run, shape):
    argv = [personality, *HOST, *SHAPES[shape]]
    outside = run(["readlink", "/proc/self/ns/time"]).stdout
    assert run([*argv, "readlink", "/proc/self/ns/time"], check=True).stdout == outside
    inside = run([*argv, "--unshare-time", "sh", "-c",
                  "readlink /proc/self/ns/time /proc/self/ns/time_for_children; sh -c 'readlink /proc/self/ns/time'"],
                 check=True).stdout.splitlines()
    assert len(set(inside)) == 1 and len(inside) == 3 and inside[0] + "\n" != outside, inside


def test_unshare_all_leaves_the_time(personality, run):
    """As with bubblewrap, which has no time namespaces."""
    outside = run(["readlink", "/proc/self/ns/time"]).stdout
    assert run([personality, *HOST, "--unshare-all", "readlink", "/proc/self/ns/time"], check=True).stdout == outside


@pytest.mark.parametrize("word, line", [
    ("monotonic:0", "monotonic 0 0"), ("boottime:1.5", "boottime 1 500000000"), ("boottime:-1.5", "boottime -2 500000000"),
    ("boottime:-0.000000001", "boottime -1 999999999"), ("monotonic:-1", "monotonic -1 0"),
    ("monotonic:000000001", "monotonic 1 0"), ("boottime:1000000000", "boottime 1000000000 0")])
def test_time_offset_forms(personality, run, word, line):
    text = run([personality, *HOST, "--unshare-time", "--time-offset", word, "cat", "/proc/self/timens_offsets"],
               check=True).stdout
    assert line in [" ".join(found.split()) for found in text.splitlines()], text


@pytest.mark.parametrize("word", [
    "", "5", "monotonic", "monotonic:", "boottime:", "realtime:5", "Boottime:5", "boottime: 5", "boottime:5 ", "boottime:+5",
    "boottime:--5", "boottime:-", "boottime:.5", "boottime:5.", "boottime:1.0000000001", "boottime:0x5", "boottime:5s",
    "boottime:1e3", "boottime:4611686019", "boottime:-4611686019", "boottime:18446744073709551616", "boottime:1.2.3"])
def test_time_offset_strict(personality, run, word):
    result = run([personality, *HOST, "--unshare-time", "--time-offset", word, "true"])
    assert_fails(result, personality, "Invalid offset" if personality.name == "bwrap" else "boottime: and seconds")


@pytest.mark.parametrize("word", ["boottime:-4000000000", "monotonic:-4000000000", "monotonic:4611686018"])
def test_time_offset_out_of_reach(personality, run, word):
    """A clock must not become negative; the kernel knows."""
    result = run([personality, *HOST, "--unshare-time", "--time-offset", word, "true"])
    assert_fails(result, personality, "Numerical result out of range")
    assert personality.name == "bwrap" or "hint: no clock may be negative" in result.stderr


def test_time_offset_needs_unshare_time(personality, run):
    result = run([personality, *HOST, "--time-offset", "boottime:5", "true"])
    assert_fails(result, personality, "--time-offset", "--unshare-time")


def test_time_offset_last_one_wins(personality, run):
    result = run([personality, *HOST, "--unshare-time", "--time-offset", "boottime:5", "--time-offset", "boottime:7", "cat",
                  "/proc/self/timens_offsets"], check=True)
    assert re.search(r"boottime +7 +0", result.stdout) and "--time-offset" in result.stderr, result


def test_time_offset_cannot_be_changed_by_command(personality, run):
    script = "echo 'boottime 9 0' >/proc/self/timens_offsets"
    result = run([personality, *HOST, "--unshare-time", "--time-offset", "boottime:5", "sh", "-c", script])
    assert result.returncode != 0 and "timens_offsets" in result.stderr or "I/O error" in result.stderr, result


def test_time_is_explained(cloche, run):
    argv = [cloche, "--unshare-time", "--time-offset", "boottime:-1.5", "--explain"]
    text = run([*argv, "true"], check=True).stdout
    assert re.search(r"^namespaces: .*\btime$", text, re.M) and "clock boottime: -1.500000000 seconds later\n" in text
