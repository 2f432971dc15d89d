# SPDX-License-Identifier: LGPL-2.1-or-later
"""Figures of a start that do not depend on the machine, asserted on the static build.

They are taken from main() to COMMAND's execve, over all processes, by the tracer in tests/bench: system calls, reads
of the mount table, pivots of the root, handshakes. Time is never asserted; tests/bench/start prints it.

The static build is $CLOCHE_BUILD_STATIC, or made here.
"""
import os
import platform
import subprocess
import sys

import pytest

from conftest import REPOSITORY, TESTS, acting_as_root

sys.path.insert(0, str(TESTS / "bench"))
import benchlib  # noqa: E402
import counting  # noqa: E402

LIMITS = {"a": 120, "b": 450}

# Does once each thing that the counters look for, and then runs COMMAND. Its main() makes 13 system calls:
# pipe2, clone, close, write and wait4 in the parent, and 8 in the child.
CONTROL = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int fds[2], status;
	char byte;

	syscall(SYS_pipe2, fds, O_CLOEXEC);
	if (syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) == 0) {
		syscall(SYS_poll, NULL, 0, 0);
		syscall(SYS_read, fds[0], &byte, 1);
		syscall(SYS_read, syscall(SYS_openat, AT_FDCWD, "/dev/zero", O_RDONLY), &byte, 1);
		syscall(SYS_openat, AT_FDCWD, "/proc/self/mountinfo", O_RDONLY);
		syscall(SYS_pivot_root, "/nowhere", "/nowhere");
		syscall(SYS_pivot_root, "/nowhere", "/nowhere");
		syscall(SYS_execve, argv[argc - 1], argv + argc - 1, NULL);
	}
	syscall(SYS_close, fds[0]);
	syscall(SYS_write, fds[1], "", 1);
	syscall(SYS_wait4, -1, &status, 0, 0);
	return WEXITSTATUS(status);
}
"""


@pytest.fixture(scope="module")
def static_bwrap(shared_directory):
    directory = os.environ.get("CLOCHE_BUILD_STATIC")
    if not directory:
        directory = str(shared_directory / "build-static")
        with acting_as_root():
            for command in (["meson", "setup", "-Dlink=static", directory, str(REPOSITORY)],
                            ["meson", "compile", "-C", directory]):
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                assert done.returncode == 0, done.stdout + done.stderr
    return os.path.join(directory, "bwrap")


@pytest.fixture
def count(compile_c, tmp_path):
    """Runs one case under the counter and returns its record."""
    counter = compile_c(TESTS / "bench" / "counter.c", static=False, flags=["-lseccomp"])

    def count(program, case):
        with benchlib.Workshop(tmp_path) as shop:
            shop.compile_payloads()
            options, payload = benchlib.case_options(shop, case)
            return counting.record(counter, shop.in_it("record"), program, options, payload + "/true", cwd="/",
                                   env={"PATH": "/usr/bin:/bin", "HOME": "/"})

    return count


def test_counters_see_what_they_look_for(compile_c, count):
    record = count(compile_c(CONTROL), "a")
    assert record.main_seen == (platform.machine() == "x86_64")
    names = record.by_name()
    # How far the parent gets before COMMAND's execve is its own affair; the rest is exact.
    assert [call.name for call in record.calls if call.process == 1] == [
        "poll", "read", "openat", "read", "openat", "pivot_root", "pivot_root", "execve"]
    assert names["pipe2"] == names["clone"] == names["write"] == 1
    assert not record.main_seen or 11 <= len(record.calls) <= 13, record.calls
    assert [call.string for call in record.mount_tables_read()] == ["/proc/self/mountinfo"]
    assert len(record.pivots()) == 2
    assert [(call.process, call.name) for call in record.handshakes()] == [(1, "read")]
    assert record.unreadable() == []
    assert record.processes == 2


@pytest.mark.parametrize("case", LIMITS)
def test_counters_system_calls(static_bwrap, count, case):
    record = count(static_bwrap, case)
    if platform.machine() == "x86_64":
        assert record.main_seen, "the static build has no symbol main"
    assert len(record.calls) <= LIMITS[case], record.by_name()


@pytest.mark.parametrize("case", LIMITS)
def test_counters_no_mount_table_one_pivot_no_handshake(static_bwrap, count, case):
    record = count(static_bwrap, case)
    assert record.unreadable() == [], "opens that the tracer cannot judge"
    assert record.mount_tables_read() == []
    assert len(record.pivots()) <= 1
    assert record.handshakes() == []


def test_counters_linear_in_binds(static_bwrap, count):
    """200 and 1000 binds: the calls per bind stay the same."""
    hundreds, thousands = (len(count(static_bwrap, case).calls) for case in "cd")
    empty = len(count(static_bwrap, "a").calls)
    assert (thousands - hundreds) / 800 <= 1.1 * (hundreds - empty) / 200
