# SPDX-License-Identifier: LGPL-2.1-or-later
"""--exec-label and --file-label where SELinux is on. Runs as root in a VM only: `tests/vm/test-kernels selinux`, which boots
with security=selinux in permissive mode and brings the compiled selinux.cil along."""
import os
import pathlib
import subprocess

import pytest

SELINUXFS = pathlib.Path("/sys/fs/selinux")
DOMAIN = "system_u:system_r:sandbox_t"
FILE_LABEL = "system_u:object_r:sandbox_file_t"

if os.environ.get("CLOCHE_VM") != "selinux":
    pytest.exit("test_selinux.py loads an SELinux policy: it runs in a VM only (tests/vm/test-kernels selinux)", 2)


@pytest.fixture(scope="module", autouse=True)
def policy():
    subprocess.run(["mount", "-t", "selinuxfs", "none", SELINUXFS], check=True)
    assert (SELINUXFS / "enforce").read_text() == "0"
    (SELINUXFS / "load").write_bytes(pathlib.Path(os.environ["CLOCHE_VM_WORK"], "policy").read_bytes())
    config = pathlib.Path("/etc/selinux/config")  # libselinux, in tools and in bubblewrap, asks for it; the VM forgets it
    config.parent.mkdir(exist_ok=True)
    config.write_text("SELINUX=permissive\nSELINUXTYPE=minimal\n")
    yield
    subprocess.run(["umount", SELINUXFS], check=True)


@pytest.fixture
def sandbox(personality):
    return [personality, "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]


def label(result):
    assert result.returncode == 0, result
    return result.stdout.strip("\0\n")


def test_exec_label_sets_domain(run, sandbox):
    show = ["--", "cat", "/proc/self/attr/current"]
    assert label(run([*sandbox, *show])) != DOMAIN
    assert label(run([*sandbox, "--exec-label", DOMAIN, *show])) == DOMAIN


def test_exec_label_unknown_type_refused(run, sandbox):
    result = run([*sandbox, "--exec-label", "system_u:system_r:no_such_t", "--", "true"])
    assert result.returncode != 0
    assert "no_such_t" in result.stderr and "Invalid argument" in result.stderr


@pytest.mark.parametrize("option, path", [("--tmpfs", "/tmp"), ("--dev", "/dev")])
def test_file_label_of_mount(run, sandbox, option, path):
    show = ["--", "stat", "-c", "%C", path]
    assert label(run([*sandbox, option, path, *show])) != FILE_LABEL
    assert label(run([*sandbox, "--file-label", FILE_LABEL, option, path, *show])) == FILE_LABEL


@pytest.mark.parametrize("option", ["--file", "--bind-data", "--ro-bind-data"])
def test_file_label_of_file(run, sandbox, option):
    def shown(*labels):
        reader, writer = os.pipe()
        with os.fdopen(reader), os.fdopen(writer, "w") as file:
            file.write("content")
            file.close()
            return label(run([*sandbox, *labels, "--tmpfs", "/tmp", option, str(reader), "/tmp/file", "--",
                              "stat", "-c", "%C", "/tmp/file"], pass_fds=[reader]))

    assert shown() != FILE_LABEL
    assert shown("--file-label", FILE_LABEL) == FILE_LABEL
