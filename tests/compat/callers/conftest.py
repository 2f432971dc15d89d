# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fixtures of the tests that real callers of bubblewrap work with our bwrap, unchanged.

The binary under test is $CLOCHE_BWRAP (default: bwrap of the build directory). Each test runs
twice: with it ([ours]) and, as the positive control, with the distribution's /usr/bin/bwrap ([control]),
so that a failure tells at once whether the binary or the machine is at fault. Callers reach the
binary through record_exec.c, whose log proves that they did.

Everything runs as an ordinary user: the one who started pytest or, when that is root,
$CLOCHE_TEST_USER. What a caller needs of a session (D-Bus, an X server, a home) is made for the test
and goes away with it; the machine is never changed. Modules mark themselves only_user.

Packages are listed in packages.txt.
"""
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from .session import HERE, Bwrap, need, new_session

CONTROL = pathlib.Path("/usr/bin/bwrap")
SRT_PACKAGE = "@anthropic-ai/sandbox-runtime@0.0.78"
BUILD = pathlib.Path(os.environ.get("CLOCHE_BUILD") or HERE.parents[2] / "build")


@pytest.fixture(scope="session")
def ordinary_user(request):
    return request.config.test_user


@pytest.fixture
def user(ordinary_user):
    """Unlike elsewhere the test itself stays who it is: only the callers that it starts are the user."""
    return ordinary_user


@pytest.fixture(scope="session")
def top(nothing_left_behind):
    """The directory that holds all these tests write. The suite's own check sees that it went away."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="c"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def binaries(top, ordinary_user):
    """Both binaries by name. They are the same when the control itself is under test."""
    need("gcc", str(CONTROL))
    under_test = pathlib.Path(os.environ.get("CLOCHE_BWRAP") or BUILD / "bwrap").resolve()
    assert under_test.is_file(), f"{under_test} does not exist: build it, or set CLOCHE_BWRAP"
    return {"ours": Bwrap("o", under_test, top, ordinary_user), "control": Bwrap("c", CONTROL, top, ordinary_user)}


@pytest.fixture(scope="module", params=["control", "ours"])
def binary(request, binaries):
    """The binary to test with: first the control, then ours."""
    return binaries[request.param]


@pytest.fixture
def session(top, ordinary_user, binary):
    """An empty home for one test with one binary."""
    with new_session(top, ordinary_user, binary) as made:
        yield made


@pytest.fixture(scope="session")
def srt_program(top):
    """The program srt of npm's sandbox-runtime, installed."""
    need("npm", "node", "socat", "rg")
    place = top / "npm"
    place.mkdir()
    command = ["npm", "install", "--prefix", place, "--cache", place / "cache", "--no-audit", "--no-fund", SRT_PACKAGE]
    result = subprocess.run(command, capture_output=True, text=True, cwd=place)
    if result.returncode != 0:
        pytest.skip(f"npm cannot install {SRT_PACKAGE}: {result.stderr.strip().splitlines()[-1:]}")
    subprocess.run(["chmod", "-R", "a+rX", place], check=True)
    return place / "node_modules/.bin/srt"
