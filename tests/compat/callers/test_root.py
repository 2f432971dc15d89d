# SPDX-License-Identifier: LGPL-2.1-or-later
"""Callers that run as real root, as in a container, work with the bwrap that is first on PATH."""
import json
import types

import pytest

from .session import need, new_session

pytestmark = pytest.mark.only_root
ROOT = types.SimpleNamespace(name="root", uid=0, gid=0)
SETTINGS = {"network": {"allowedDomains": [], "deniedDomains": []}}


@pytest.fixture
def session(top, binary):
    """As elsewhere, but root's."""
    with new_session(top, ROOT, binary) as made:
        yield made


def test_srt_confines_root(session, srt_program):
    session.make("work/out")
    session.write("secret", "s3cret\n", 0o600)
    files = {"denyRead": [f"{session.work}/secret"], "allowRead": [], "allowWrite": [f"{session.work}/out"],
             "denyWrite": []}
    session.write("settings.json", json.dumps({**SETTINGS, "filesystem": files}))
    script = "echo new > out/new; echo x > no; cat secret; wc -l < /proc/net/dev; id -u; exit 7"
    result = session.run(["node", srt_program, "--settings", "settings.json", "--", "sh", "-c", script], status=7)
    assert result.stdout.split() == ["3", "0"]  # nothing of the secret; only lo; root
    assert (session.work / "out/new").read_text() == "new\n" and not (session.work / "no").exists()
    assert "Read-only file system" in result.stderr
    assert any("--unshare-user" in words and "--cap-drop" in words for words in session.bwrap.words())


def test_opam_as_root(session):
    need("opam")
    for name in ("repo", "repo/packages", "repo/packages/hello", "repo/packages/hello/hello.1"):
        session.make(f"work/{name}")
    session.write("repo/repo", 'opam-version: "2.0"\n')
    session.write("repo/packages/hello/hello.1/opam",
                  'opam-version: "2.0"\nbuild: [["sh" "-c" "id -u > made; (echo x > /usr/no) 2>> made; true"]]\n'
                  'install: [["sh" "-c" "mkdir -p \'%{share}%\' && cp made \'%{share}%/\'"]]\n')
    session.env.update(OPAMYES="1", OPAMROOTISOK="1", OPAMCOLOR="never")
    session.run(["opam", "init", "--bare", "-n", "--disable-shell-hook", "local", session.work / "repo"])
    session.run(["opam", "switch", "create", "here", "--empty"])
    session.run(["opam", "install", "hello"])
    made = (session.home / ".opam/here/share/made").read_text().splitlines()
    assert made[0] == "0" and "Read-only file system" in made[1]
