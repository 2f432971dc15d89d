# SPDX-License-Identifier: LGPL-2.1-or-later
"""buildstream (1.x) builds an element and opens a shell in its sandbox, with the bwrap that is first on PATH.

The element is built on a root of static busybox, imported from a directory.
"""
import pytest

from .session import need

pytestmark = pytest.mark.only_user
APPLETS = "sh ls cat echo mkdir cp touch true id readlink wc rm chmod find env".split()
BASE = "kind: import\nsources:\n- kind: local\n  path: files\n"
HELLO = """kind: manual
depends: [base.bst]
config:
  build-commands: ["%s"]
  install-commands: ['mkdir -p "%%{install-root}/share"', 'cp made "%%{install-root}/share/"']
"""
BUILD = "id -u > made; wc -l < /proc/net/dev >> made; touch /bin/no 2>> made || cat /dev/kmsg 2>> made || true"


@pytest.fixture
def buildstream(session):
    """A session with a project of two elements."""
    need("bst", "/bin/busybox")
    for name in ("elements", "files", "files/bin"):
        session.make(f"work/{name}")
    session.run(["cp", "/bin/busybox", "files/bin/busybox"])
    for applet in APPLETS:
        session.run(["ln", "-s", "busybox", f"files/bin/{applet}"])
    session.write("project.conf", "name: demo\nformat-version: 18\nelement-path: elements\n")
    session.write("elements/base.bst", BASE)
    session.write("elements/hello.bst", HELLO % BUILD)
    return session


def bst(*words):
    return ["bst", "--no-interactive", "--no-colors", *words]


def test_buildstream_build(buildstream):
    buildstream.run(bst("build", "hello.bst"))
    buildstream.run(bst("checkout", "hello.bst", "out"))
    made = (buildstream.work / "out/share/made").read_text().splitlines()
    assert made[:2] == ["0", "3"]  # root inside, and a network of lo only
    assert "Read-only" in made[2] and "kmsg" in made[3]
    starts = buildstream.bwrap.words()
    assert ["bwrap", "--version"] in [[words[0].rpartition("/")[2], *words[1:]] for words in starts]
    assert any("--unshare-net" in words for words in starts)


def test_buildstream_failing_build(buildstream):
    buildstream.write("elements/hello.bst", HELLO % "echo trouble; exit 3")
    result = buildstream.run(bst("build", "hello.bst"), status=None)
    assert result.returncode != 0 and "trouble" in result.stderr and "exitcode 3" in result.stderr


def test_buildstream_shell(buildstream):
    buildstream.run(bst("build", "hello.bst"))
    buildstream.bwrap.clear()
    result = buildstream.run(bst("shell", "hello.bst", "--", "sh", "-c", "cat /share/made; exit 4"), status=4)
    assert result.stdout.splitlines()[:2] == ["0", "3"]
    assert any("sh" in words for words in buildstream.bwrap.words())
