# SPDX-License-Identifier: LGPL-2.1-or-later
"""A Debian root without root: its files keep their owners by ranges of ids, and its own tools work in it.

The root's archive is made once by mmdebstrap from the distribution's mirror, and kept for a week below /var/tmp: that
takes a minute. Each test unpacks it, inside a sandbox, into a directory of the test's user.
"""
import contextlib
import fcntl
import os
import pathlib
import subprocess
import time

import pytest

from conftest import IS_ROOT, acting_as_root
from e2elib import has_program

pytestmark = pytest.mark.slow
CACHE = pathlib.Path("/var/tmp/cloche-tests.debian" if IS_ROOT else f"/var/tmp/cloche-tests.debian-{os.getuid()}")
WEEK = 7 * 24 * 3600
ROOT_FIRST = 300000
CAPS = [word for name in ("chown", "dac_override", "fowner", "fsetid", "setuid", "setgid") for word in ("--cap-add", name)]
ENVIRONMENT = ["--setenv", "PATH", "/usr/sbin:/usr/bin:/sbin:/bin", "--setenv", "HOME", "/root",
               "--setenv", "DEBIAN_FRONTEND", "noninteractive"]
PACKAGE = """Package: cloche-hello
Version: 1.0
Architecture: all
Maintainer: nobody <nobody@example.org>
Depends: passwd
Description: a package of the tests
"""
POSTINST = """#!/bin/sh
set -e
useradd --system --no-create-home cloche-hello
chown cloche-hello:mail /usr/share/cloche-hello
"""


def suite():
    with open("/etc/os-release") as file:
        values = dict(line.rstrip().split("=", 1) for line in file if "=" in line)
    return values.get("VERSION_CODENAME", "stable") if values.get("ID") == "debian" else "stable"


def build(archive):
    """By whoever started pytest: as root, or as the user in his ranges."""
    made = archive.with_suffix(f".{os.getpid()}.tar")
    argv = ["mmdebstrap", "--quiet", f"--mode={'root' if IS_ROOT else 'unshare'}", "--variant=apt", "--include=passwd,login",
            suite(), str(made)]
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/", "TMPDIR": "/var/tmp", "LC_ALL": "C.UTF-8"}
    result = subprocess.run(argv, env=env, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900)
    assert result.returncode == 0, result.stderr
    made.chmod(0o644)
    made.rename(archive)


@pytest.fixture(scope="module")
def archive():
    if not has_program("mmdebstrap"):
        pytest.skip("no mmdebstrap")
    with acting_as_root():
        CACHE.mkdir(mode=0o755, exist_ok=True)
        assert CACHE.lstat().st_uid == os.geteuid(), f"{CACHE} belongs to somebody else"
        path = CACHE / f"{suite()}.tar"
        with open(CACHE / "lock", "w") as lock:  # several workers may want it
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists() or time.time() - path.stat().st_mtime > WEEK:
                build(path)
    return path


@pytest.fixture
def repository(tmp_path):
    """A `file:` repository with one package, whose installation makes a user and gives him a directory."""
    package = tmp_path / "package"
    (package / "DEBIAN").mkdir(parents=True)
    (package / "usr/share/cloche-hello").mkdir(parents=True)
    (package / "DEBIAN/control").write_text(PACKAGE)
    (package / "DEBIAN/postinst").write_text(POSTINST)
    repository = tmp_path / "repository"
    repository.mkdir()
    for path in (package, *package.rglob("*"), repository):
        path.chmod(0o755)
    with open(repository / "Packages", "w") as index:
        subprocess.run(["dpkg-deb", "--root-owner-group", "--build", package, repository], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["dpkg-scanpackages", "."], cwd=repository, check=True, stdout=index, stderr=subprocess.DEVNULL)
    return repository


@pytest.fixture
def debian(run, personality, user, tmp_path, archive, repository):
    """debian(script): run it in the root as its uid 0."""
    root = tmp_path / "root"
    root.mkdir()
    ranges = ["--map-auto", "--map-root"]
    if user.is_root:
        os.chown(root, ROOT_FIRST, ROOT_FIRST)
        tmp_path.chmod(0o755)
        ranges = ["--uid-map", f"0:{ROOT_FIRST}:65536", "--gid-map", f"0:{ROOT_FIRST}:65536"]
    start = [personality, "--unshare-user", "--unshare-pid", *ranges, *CAPS]
    host = [*start, "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/mnt", "--bind", root, "/mnt/root"]
    unpack = ["tar", "-C", "/mnt/root", "-xpf", str(archive), "--exclude=./dev/*"]
    made = run([*host, "--", *unpack], timeout=300)
    assert made.returncode == 0, made

    def debian(script):
        bare = ["--bare"] if personality.name == "cloche" else ["--unshare-net", "--unshare-ipc"]
        return run([*start, *bare, "--bind", root, "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "--ro-bind", repository,
                    "/media", *ENVIRONMENT, "--", "sh", "-euc", script], timeout=300)

    yield debian
    with contextlib.suppress(FileNotFoundError):
        run([*host, "--", "sh", "-c", "rm -rf /mnt/root/*"], timeout=300)


def test_debian_root(debian):
    made = debian("id -u; stat -c %U:%G /etc/shadow /var/cache/apt/archives/partial; chown 7:8 /srv; chown --reference=/etc/shadow /opt;"
                  "stat -c %u:%g /srv; stat -c %U:%G /opt")
    assert made.stdout.split() == ["0", "root:shadow", "_apt:root", "7:8", "root:shadow"], made

    made = debian("useradd -m -s /bin/sh bob; passwd -l bob >/dev/null; stat -c %U:%G ~bob; su bob -c 'id -un; id -G; echo x > ~/file;"
                  "stat -c %U ~/file; cat /etc/shadow' 2>/tmp/err || grep -c denied /tmp/err")
    assert made.stdout.split() == ["bob:bob", "bob", "1000", "bob", "1"], made

    made = debian("echo 'deb [trusted=yes] file:/media ./' >/etc/apt/sources.list; rm -f /etc/apt/sources.list.d/*; apt-get update &&"
                  "apt-get install -y --no-install-recommends cloche-hello && stat -c 'owner %U:%G' /usr/share/cloche-hello &&"
                  "dpkg -s cloche-hello | grep Status && apt-get -y remove cloche-hello")
    assert made.returncode == 0 and "owner cloche-hello:mail" in made.stdout, made
    assert "Status: install ok installed" in made.stdout and "Removing cloche-hello" in made.stdout, made
