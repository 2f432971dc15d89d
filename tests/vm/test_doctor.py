# SPDX-License-Identifier: LGPL-2.1-or-later
"""cloche doctor where a thing is switched off for the whole machine, and inside systemd-nspawn. Changes sysctls: it runs as root in a VM
only, `tests/vm/test-kernels doctor`."""
import contextlib
import json
import os
import pathlib
import subprocess

import pytest

from conftest import BUILD

if os.environ.get("CLOCHE_VM") != "doctor":
    pytest.exit("test_doctor.py changes sysctls: it runs in a VM only (tests/vm/test-kernels doctor)", 2)

pytestmark = pytest.mark.only_root
AS_USER = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def examined(argv):
    result = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    found = json.loads(result.stdout)
    assert result.returncode == (0 if found["works"] else 1), result
    return {check["name"]: check for check in found["checks"]}, found["works"]


@contextlib.contextmanager
def sysctl(name, value):
    path = pathlib.Path("/proc/sys") / name.replace(".", "/")
    before = path.read_text()
    path.write_text(value)
    yield
    path.write_text(before)


def doctor(*before):
    return examined([*before, BUILD / "cloche", "doctor", "--json"])


def test_all_is_well():
    found, works = doctor(*AS_USER)
    assert works and found["cgroup delegation"]["state"] == "missing"  # nobody has no session


@pytest.mark.parametrize("name", ["user", "mnt", "pid", "net"])
def test_namespace_limits(name):
    with sysctl(f"user.max_{name}_namespaces", "0"):
        found, works = doctor(*AS_USER)
        assert not works and found["start"]["state"] == "missing" and found["namespace limits"]["state"] == "missing"
        assert f"sysctl -w user.max_{name}_namespaces=" in found["namespace limits"]["fix"]
    assert doctor(*AS_USER)[1]


def test_fix_works():
    """What it says helps, does."""
    with sysctl("user.max_user_namespaces", "0"):
        found, _ = doctor(*AS_USER)
        subprocess.run(found["namespace limits"]["fix"], shell=True, check=True)
        assert doctor(*AS_USER)[1]


def test_systemd_nspawn(tmp_path):
    """Root of a container, whose filter and mounts are nspawn's."""
    root = tmp_path / "root"
    for name in ("usr", "proc", "dev", "sys", "tmp", "etc", "run", "root", "var"):
        (root / name).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    (root / "etc/os-release").write_text("ID=test\n")
    for name in ("passwd", "group", "ld.so.cache"):
        (root / "etc" / name).write_bytes((pathlib.Path("/etc") / name).read_bytes())
    base = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--pipe", "-D", root, "--bind-ro=/usr", f"--bind-ro={BUILD}:/work"]
    found, works = examined([*base, "/work/cloche", "doctor", "--json"])
    for name in ("payload", "supervisor"):  # what nspawn leaves in a session's scope
        with contextlib.suppress(OSError):
            os.rmdir("/sys/fs/cgroup" + pathlib.Path("/proc/self/cgroup").read_text().split("::")[1].strip() + "/" + name)
    assert found["outer filter"]["state"] == "limited", found
    assert works == (found["start"]["state"] != "missing") and (works or found["start"]["fix"])


def modules():
    return {line.split()[0] for line in pathlib.Path("/proc/modules").read_text().splitlines()}


def test_no_modules():
    """The last test: there is no way back. What is not loaded by now is not there."""
    for name in ("tun", "nft_redir", "nft_queue", "nft_chain_nat", "nfnetlink_queue", "nf_tables", "overlay"):
        subprocess.run(["modprobe", "-r", name], capture_output=True, check=False)
    loaded = modules()
    pathlib.Path("/proc/sys/kernel/modules_disabled").write_text("1")
    found, works = doctor(*AS_USER)
    assert works
    switched_off = {"TUN": "tun", "nftables": "nf_tables", "overlay": "overlay"}
    assert any(module not in loaded for module in switched_off.values()), loaded
    for name, module in switched_off.items():
        if module not in loaded:
            assert found[name]["state"] != "ok" and found[name]["fix"], found[name]
