# SPDX-License-Identifier: LGPL-2.1-or-later
"""cloche started inside containers, with the filters that podman and docker set by default: what the manual says under
CONTAINERS. Runs in a VM with systemd only, as an ordinary user: `tests/vm/test-kernels podman`.

The container's root directory is made of links, and of the host's /usr, so that no image is needed.
"""
import json
import os
import pathlib
import shutil
import subprocess

import pytest

from conftest import BUILD

if os.environ.get("CLOCHE_VM") != "podman":
    pytest.exit("test_podman.py starts containers: it runs in a VM only (tests/vm/test-kernels podman)", 2)

PODMAN_PROFILE = pathlib.Path("/usr/share/containers/seccomp.json")
UNMASK = ["--security-opt", "unmask=/proc/*"]
UNCONFINED = ["--security-opt", "seccomp=unconfined"]
WARNING = "warning: confined by Landlock and seccomp alone"

# What docker's filter allows to whom has CAP_SYS_ADMIN only (docs.docker.com, "Seccomp security profiles for Docker").
# Of clone(2) all but the flags of namespaces is allowed; clone3(2), whose flags are in memory, is ENOSYS.
ADMIN_ONLY = {"clone", "clone3", "fsconfig", "fsmount", "fsopen", "fspick", "mount", "mount_setattr", "move_mount",
              "open_tree", "pivot_root", "setns", "umount", "umount2", "unshare"}
NAMESPACE_FLAGS = 0x7E020000


@pytest.fixture(scope="module")
def root(shared_directory):
    """The container's root directory."""
    root = shared_directory / "podman" / "root"
    for name in ("usr", "proc", "dev", "sys", "tmp", "etc", "run", "root", "home", "var", "work"):
        (root / name).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    for name in ("passwd", "group", "ld.so.cache"):
        shutil.copy(f"/etc/{name}", root / "etc" / name)
    (root / "work" / "secret").write_text("SECRET\n")
    for directory in (root.parent, root, *root.iterdir()):
        if not directory.is_symlink():
            directory.chmod(0o755)
    yield root
    # What the container made belongs to ids that only a user namespace reaches.
    subprocess.run(["systemd-run", "--user", "--quiet", "--wait", "--pipe", "podman", "unshare", "rm", "-rf", root], check=True)


@pytest.fixture(scope="module")
def docker(shared_directory):
    """The option for a filter as strict as docker's."""
    profile = json.loads(PODMAN_PROFILE.read_text())
    for rule in profile["syscalls"]:
        if not rule.get("includes", {}).get("caps"):
            rule["names"] = [name for name in rule["names"] if name not in ADMIN_ONLY]
    profile["defaultErrnoRet"], profile["defaultErrno"] = 1, "EPERM"
    profile["syscalls"] = [rule for rule in profile["syscalls"] if rule["names"]]
    profile["syscalls"] += [
        {"names": ["clone"], "action": "SCMP_ACT_ALLOW",
         "args": [{"index": 0, "value": NAMESPACE_FLAGS, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]},
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38, "errno": "ENOSYS"}]
    path = shared_directory / "docker.json"
    path.write_text(json.dumps(profile))
    return ["--security-opt", f"seccomp={path}"]


@pytest.fixture
def podman(root):
    """podman(options, argv): runs argv in a container."""
    def podman(options, *argv):
        # A service of the user's, as podman's helpers stay when it has ended.
        command = ["systemd-run", "--user", "--quiet", "--wait", "--pipe", "--collect", "podman", "run", "--rm", "--network",
                   "none", *options, "-v", "/usr:/usr:ro", "-v", f"{BUILD}:{BUILD}:ro", "--rootfs", root, *argv]
        # Not as the fixture `run` does it: podman needs the user's session.
        return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300, check=False)

    return podman


def assert_ran(result, warned):
    assert result.returncode == 0, result
    assert (WARNING in result.stderr) == warned and len(result.stdout.split()) == 3, result


def assert_same_namespaces(podman, options, argv, same):
    """cloche beside a plain shell in one container: are the namespaces the container's?"""
    inside = " ".join(argv)
    script = ("show='readlink /proc/self/ns/mnt /proc/self/ns/pid /proc/self/ns/net'; "
              f"outer=$($show); inner=$({inside} $show) || exit; echo $inner; "
              '[ "$outer" = "$inner" ] && echo same >&2 || echo differ >&2')
    result = podman(options, "sh", "-c", script)
    assert result.stderr.split()[-1] == ("same" if same else "differ"), result
    return result


# ---- podman's filter ---------------------------------------------------------------------------------------------
def test_podman_default_fails_closed_and_says_why(podman, cloche):
    result = podman([], cloche, "echo", "ran")
    assert (result.returncode, result.stdout) == (125, ""), result
    assert "hint: " in result.stderr and "container" in result.stderr


def test_podman_unmasked_is_full(podman, cloche):
    for options in (UNMASK, [*UNMASK, "--user", "1000"], [*UNMASK, *UNCONFINED]):
        result = assert_same_namespaces(podman, options, [cloche], same=False)
        assert_ran(result, warned=False)


def test_podman_default_try(podman, cloche):
    result = assert_same_namespaces(podman, [], [cloche, "--isolation", "try"], same=True)
    assert_ran(result, warned=True)


def test_podman_default_landlock(podman, cloche):
    result = assert_same_namespaces(podman, [], [cloche, "--isolation", "landlock"], same=True)
    assert_ran(result, warned=True)


# ---- docker's filter ---------------------------------------------------------------------------------------------
def test_docker_filter_is_one(podman, docker):
    """The control: namespaces are refused, plain processes not."""
    assert podman(docker, "echo", "ran").stdout == "ran\n"
    assert podman(docker, "unshare", "--user", "true").returncode != 0
    assert podman([], "unshare", "--user", "true").returncode == 0


def test_docker_default_fails_closed_and_says_why(podman, docker, cloche, bwrap):
    result = podman(docker, cloche, "echo", "ran")
    assert (result.returncode, result.stdout) == (125, ""), result
    assert "cannot create a user namespace" in result.stderr and "seccomp=unconfined" in result.stderr
    assert "--isolation landlock" in result.stderr
    for program in (bwrap, "/usr/bin/bwrap"):  # ours, and the distribution's bubblewrap: as little
        result = podman([*docker, "--user", "1000"], program, "--ro-bind", "/", "/", "echo", "ran")
        assert (result.returncode, result.stdout) == (1, ""), result


@pytest.mark.parametrize("mode", ["try", "landlock"])
@pytest.mark.parametrize("who", [[], ["--user", "1000"]], ids=["root", "user"])
def test_docker_default_tier(podman, docker, cloche, mode, who):
    result = assert_same_namespaces(podman, [*docker, *who], [cloche, "--isolation", mode], same=True)
    assert_ran(result, warned=True)


def test_docker_unconfined_is_full(podman, cloche):
    result = assert_same_namespaces(podman, [*UNCONFINED, *UNMASK], [cloche], same=False)
    assert_ran(result, warned=False)


def test_docker_tier_confines(podman, docker, cloche):
    """The container's root, without privileges and without the container's files; and the control."""
    script = "grep -E 'CapEff|NoNewPrivs' /proc/self/status; cat /work/secret; touch /work/new"
    result = podman(docker, cloche, "--isolation", "try", "sh", "-c", script)
    assert "CapEff:\t0000000000000000" in result.stdout and "NoNewPrivs:\t1" in result.stdout
    assert "SECRET" not in result.stdout and result.stderr.count("Permission denied") == 2, result
    result = podman(docker, "sh", "-c", script + " && rm /work/new")
    assert result.returncode == 0 and "SECRET" in result.stdout, result
    result = podman(docker, cloche, "--isolation", "try", "--bind", "/work", "/work", "sh", "-c", script + " && rm /work/new")
    assert result.returncode == 0 and "SECRET" in result.stdout, result


@pytest.mark.parametrize("options, works", [(UNMASK, True), ([], False)])
def test_doctor(podman, cloche, options, works):
    """What it says fits what a start does there."""
    result = podman(options, cloche, "doctor", "--json")
    found = json.loads(result.stdout)
    start = next(check for check in found["checks"] if check["name"] == "start")
    assert found["works"] is works and (start["state"] == "ok") is works and (works or start["fix"]), result
    assert result.returncode == (0 if works else 1)
