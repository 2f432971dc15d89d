# SPDX-License-Identifier: LGPL-2.1-or-later
"""The examples of README.md run, and end as their comments say; the files that it links to exist."""
import re
import subprocess

import pytest

from conftest import BUILD, REPOSITORY

README = (REPOSITORY / "README.md").read_text()
BLOCK = re.search(r"```sh\n(.*?)```", README, re.S).group(1)
EXAMPLES = [line for line in BLOCK.splitlines() if line]


@pytest.mark.parametrize("line", EXAMPLES)
def test_readme_example(run, tmp_path, line):
    command, _, comment = line.partition(" # ")
    expected = re.match(r" *status (\d+)", comment)
    result = run(["sh", "-c", command], cwd=tmp_path, env={"PATH": f"{BUILD}:/usr/bin:/bin", "EDITOR": "ed"})
    assert result.returncode == (int(expected.group(1)) if expected else 0), result
    assert expected or result.stderr == "", result
    if "--bind" in command:
        assert (tmp_path / "new").exists()
    if "--tmp-overlay" in command:
        assert not (tmp_path / "new").exists()


def test_readme_links():
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert len(links) >= 4
    assert [link for link in links if not (REPOSITORY / link).exists()] == []


def test_readme_has_two_setup_commands():
    setup = README.split("## Set up\n")[1].split("##")[0]
    assert re.findall(r"^    (.*)$", setup, re.M) == ["./quickstart", "./check"]
    for command in ("quickstart", "check"):
        done = subprocess.run([REPOSITORY / command, "--help"], capture_output=True, text=True, check=True)
        assert done.stdout.startswith("usage: ./" + command)
