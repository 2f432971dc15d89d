# SPDX-License-Identifier: LGPL-2.1-or-later
"""The test harness itself: what conftest.py promises to catch, it catches. Each case is a small suite of its own, run with
a copy of the harness and a shell script in place of the programs."""
import os
import shutil
import subprocess
import sys

import pytest

from conftest import TESTS

RUNNER = [sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:xdist"]


@pytest.fixture
def suite(tmp_path):
    """A function that runs test source and returns (exit status, output, the counts of tests/results)."""
    def suite(source, *arguments, programs="#!/bin/sh\nexec \"$@\"\n", kernel_list=""):
        for name in ("conftest.py", "allowed_skips.py", "netlib.py", "pytest.ini", "world.py"):
            shutil.copy(TESTS / name, tmp_path)
        for name in ("e2e", "allowed-skips", "build"):
            (tmp_path / name).mkdir()
        (tmp_path / "allowed-skips" / "any").write_text(kernel_list)
        (tmp_path / "allowed-skips" / "default").write_text("")
        for name in ("cloche", "bwrap"):
            (tmp_path / "build" / name).write_text(programs)
            (tmp_path / "build" / name).chmod(0o755)
        tmp_path.chmod(0o755)
        (tmp_path / "e2e" / "test_sample.py").write_text("import os, pytest, tempfile\n" + source)
        environment = dict(os.environ, CLOCHE_BUILD=str(tmp_path / "build"), TMPDIR="/tmp", CLOCHE_GRACE="0.5")
        environment.pop("CLOCHE_CHECK", None)
        xml = tmp_path / "result.xml"
        done = subprocess.run([*RUNNER, f"--junitxml={xml}", *arguments, "e2e"], cwd=tmp_path, env=environment, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        counted = subprocess.run([TESTS / "results", xml], text=True, capture_output=True, check=True).stdout
        return done.returncode, done.stdout, tuple(map(int, counted.splitlines()[-1].split()))

    return suite


HALVES = 2 if os.geteuid() == 0 else 1


def test_passing_suite_passes(suite):
    status, output, counts = suite("def test_a(cloche, run):\n    assert run([cloche, 'echo', 'x']).stdout == 'x\\n'\n")
    assert (status, counts) == (0, (HALVES, 0, 0)), output


def test_each_half_is_its_user(suite):
    status, output, counts = suite("""
def test_identity(cloche, run, user, tmp_path):
    path = tmp_path / "file"
    path.write_text("x")
    ids = run([cloche, "sh", "-c", "id -u; id -g; stat -c %u " + str(path) + "; grep CapPrm /proc/self/status"]).stdout.split()
    assert ids[:3] == [str(user.uid), str(user.gid), str(user.uid)]
    assert user.is_root == (ids[4].strip("0") != ""), ids
@pytest.mark.only_root
def test_root(user):
    assert user.uid == 0 == os.geteuid()
@pytest.mark.only_user
def test_user(user):
    assert user.uid != 0 and os.geteuid() == user.uid
""")
    assert (status, counts) == (0, (2 * HALVES, 0, 0)), output


def test_as_takes_one_half(suite):
    status, output, counts = suite("def test_a(user):\n    assert not user.is_root\n", "--as", "user")
    assert (status, counts) == (0, (1, 0, 0)), output


@pytest.mark.parametrize("command", ["sleep 60 &", "setsid sleep 60 &", "(setsid sleep 60 &) &"])
def test_process_left_fails(suite, command):
    status, output, counts = suite(f"""
def test_leak(cloche, run):
    run([cloche, "sh", "-c", "exec >/dev/null 2>&1; {command}"])
def test_innocent():
    pass
""", *(["--as", "user"] if HALVES == 2 else []))
    assert (status, counts) == (1, (1, 1, 0)), output
    assert "outlived the test" in output and "sleep 60" in output


def test_popen_is_ended(suite):
    status, output, counts = suite("""
def test_tree(cloche, popen):
    popen([cloche, "sh", "-c", "setsid sleep 60 & echo started; wait"]).stdout.readline()
""")
    assert (status, counts) == (0, (HALVES, 0, 0)), output


@pytest.mark.parametrize("leave", ["tempfile.mkdtemp()", "os.close(tempfile.mkstemp()[0])"])
def test_temporary_file_left_fails(suite, leave):
    status, output, counts = suite(f"def test_leak():\n    {leave}\n")
    assert status == 1 and counts[1] == 1, output
    assert "left behind by the session" in output


@pytest.mark.parametrize("source", ["def test_s():\n    pytest.skip('no unicorn here')\n",
                                    "pytest.skip('no unicorn here', allow_module_level=True)\n",
                                    "@pytest.mark.xfail(reason='no unicorn here')\ndef test_s():\n    assert False\n"])
def test_unlisted_skip_fails(suite, source):
    status, output, counts = suite(source)
    assert status != 0 and counts[0] == 0 and counts[1] >= 1 and counts[2] == 0, output
    assert "no unicorn here" in output


def test_listed_skip_is_a_skip(suite):
    status, output, counts = suite("def test_s():\n    pytest.skip('no unicorn here')\n",
                                   kernel_list="# why\ne2e/test_sample.py::test_s[*] | no unicorn*\n")
    assert (status, counts) == (0, (0, 0, HALVES)), output


def test_skip_listed_for_another_reason_fails(suite):
    status, output, counts = suite("def test_s():\n    pytest.skip('no unicorn here')\n",
                                   kernel_list="e2e/test_sample.py::test_s[*] | no griffin*\n")
    assert (status, counts) == (1, (0, HALVES, 0)), output


def test_sanitizer_report_fails(suite):
    status, output, counts = suite("def test_a(cloche, run):\n    run([cloche])\n",
                                   programs="#!/bin/sh\necho 'x.c:1:2: runtime error: signed integer overflow' >&2\n")
    assert (status, counts) == (1, (0, HALVES, 0)), output


def test_no_descriptor_reaches_the_program(suite):
    # 0 to 2, 3 for ls itself, and sh's own 10 for the script
    status, output, counts = suite("""
def test_descriptors(cloche, run):
    os.set_inheritable(os.open("/dev/null", os.O_RDONLY), True)
    assert run([cloche, "ls", "/proc/self/fd"]).stdout.split() in (["0", "1", "2", "3"], ["0", "1", "10", "2", "3"])
""")
    assert (status, counts) == (0, (HALVES, 0, 0)), output


@pytest.mark.parametrize("content, counts", [
    ('{"name": "cloche / num", "result": "OK"}\n{"name": "cloche / fd", "result": "FAIL"}\n', "1 1 0"),
    ('{"name": "cloche / num", "result": "SKIP", "stdout": "no unicorn"}\n', "0 1 0"),
    ("", "0 1 0"),
    ("broken", "0 1 0"),
    (None, "0 1 0"),
])
def test_results_of_unit_tests(tmp_path, content, counts):
    path = tmp_path / "testlog.json"
    if content is not None:
        path.write_text(content)
    done = subprocess.run([TESTS / "results", path], text=True, capture_output=True, check=True)
    assert done.stdout.splitlines()[-1] == counts
