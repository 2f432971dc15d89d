# SPDX-License-Identifier: LGPL-2.1-or-later
"""opam builds, installs and removes a package in its sandbox with the bwrap that is first on PATH.

The repository of packages is a directory made here; opam writes the script that calls bwrap itself.
"""
import os

import pytest

from .session import need

pytestmark = pytest.mark.only_user
PACKAGE = """opam-version: "2.0"
build: [["sh" "-c" "%s"]]
install: [["sh" "-c" "%s"]]
remove: [["sh" "-c" "%s"]]
"""
BUILD = ("echo built > made; (echo x > ~/no) 2> denied; (echo x > '%{prefix}%/no') 2>> denied;"
         " wc -l < /proc/net/dev > net; readlink /proc/self/ns/net >> net; test -d /opam-tmp && echo $TMPDIR >> net")
INSTALL = "mkdir -p '%{share}%' && cp made denied net '%{share}%/'; (echo x > ~/no) 2>> '%{share}%/denied'; exit 0"
REMOVE = "rm '%{share}%/made'"


@pytest.fixture
def opam(session):
    """A session in which opam has an empty switch and a repository with the package hello."""
    need("opam")
    for name in ("repo", "repo/packages", "repo/packages/hello", "repo/packages/hello/hello.1"):
        session.make(f"work/{name}")
    session.write("repo/repo", 'opam-version: "2.0"\n')
    session.env.update(OPAMYES="1", OPAMCOLOR="never", OPAMNOENVNOTICE="1")

    def package(build=BUILD, install=INSTALL, remove=REMOVE):
        session.write("repo/packages/hello/hello.1/opam", PACKAGE % (build, install, remove))
        session.run(["opam", "init", "--bare", "-n", "--disable-shell-hook", "local", session.work / "repo"])
        session.run(["opam", "switch", "create", "here", "--empty"])

    session.package, session.switch = package, session.home / ".opam/here"
    return session


def test_opam_install_sandboxed(opam):
    opam.package()
    opam.run(["opam", "install", "hello"])
    share = opam.switch / "share"
    assert (share / "made").read_text() == "built\n"
    assert (share / "denied").read_text().count("Read-only file system") == 3
    assert not (opam.home / "no").exists() and not (opam.switch / "no").exists()
    lines = (share / "net").read_text().split()
    assert lines[0] == "3" and lines[1] != os.readlink("/proc/self/ns/net") and lines[2] == "/opam-tmp"
    starts = opam.bwrap.words()
    assert [words[1:4] for words in starts[-2:]] == [["--unshare-net", "--new-session", "--die-with-parent"]] * 2
    assert "--" not in starts[-1]


def test_opam_remove(opam):
    opam.package()
    opam.run(["opam", "install", "hello"])
    opam.bwrap.clear()
    opam.run(["opam", "remove", "hello"])
    assert not (opam.switch / "share/made").exists()
    assert len(opam.bwrap.starts()) == 1


def test_opam_failing_build(opam):
    opam.package(build="echo trouble; exit 3")
    result = opam.run(["opam", "install", "hello"], status=31)
    assert "exit-code            3" in result.stderr and "trouble" in result.stderr
