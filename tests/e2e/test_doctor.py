# SPDX-License-Identifier: LGPL-2.1-or-later
"""cloche doctor: each thing switched off, one by one, as far as that can be done for one process; tests/vm/test_doctor.py does the rest."""
import json
import os

import pytest

from console import console
from e2elib import in_own_mounts

__all__ = ["console"]

NAMES = ["kernel", "start", "namespace limits", "AppArmor", "outer filter", "procfs", "subordinate ids", "newuidmap", "overlay", "Landlock",
         "cgroup delegation", "network", "TUN", "nftables", "NFQUEUE"]


def examined(run, argv, status=0):
    result = run(argv, timeout=120)
    assert result.returncode == status, result
    found = json.loads(result.stdout)
    assert [check["name"] for check in found["checks"]] == NAMES and found["works"] is (status == 0)
    for check in found["checks"]:
        assert check["found"] and check["state"] in ("ok", "limited", "missing")
        assert (check["state"] == "ok") == ("fix" not in check) and (check["state"] == "ok") == ("disables" not in check), check
    return {check["name"]: check for check in found["checks"]}


@pytest.mark.vm
def test_doctor(run, cloche, kernel):
    found = examined(run, [cloche, "doctor", "--json"])
    assert all(found[name]["state"] == "ok" for name in ("kernel", "start", "namespace limits", "procfs"))
    assert found["kernel"]["found"] == os.uname().release
    assert found["Landlock"]["state"] == ("ok" if kernel >= (6, 12) else "limited"), found["Landlock"]


def test_doctor_for_people(run, cloche, console):
    result = run([cloche, "doctor"], timeout=120)
    assert result.returncode == 0 and "The basic job works." in result.stdout and "\x1b" not in result.stdout
    console.start([cloche, "doctor"])
    assert console.wait() == 0 and "\x1b[32mok" in console.shown
    shown = len(console.shown)
    console.start([cloche, "doctor"], env={"NO_COLOR": "1"})
    assert console.wait() == 0 and "\x1b" not in console.shown[shown:]


@pytest.mark.vm
def test_no_namespaces(run, cloche, without_syscalls):
    """As a container's filter has it."""
    found = examined(run, without_syscalls("clone3,clone,unshare", [cloche, "doctor", "--json"], error="EPERM"), status=1)
    assert found["start"]["state"] == "missing" and found["start"]["fix"], found["start"]
    assert found["outer filter"]["state"] == "limited"


@pytest.mark.vm
def test_no_landlock(run, cloche, without_syscalls):
    found = examined(run, without_syscalls("landlock_create_ruleset", [cloche, "doctor", "--json"]))
    assert found["Landlock"]["state"] == "missing" and "CONFIG_SECURITY_LANDLOCK" in found["Landlock"]["fix"]
    found = examined(run, without_syscalls("landlock_create_ruleset", [cloche, "doctor", "--json"], error="EOPNOTSUPP"))
    assert found["Landlock"]["found"] == "switched off" and "lsm=" in found["Landlock"]["fix"]


def test_no_subordinate_ids(run, cloche, user, tmp_path):
    (tmp_path / "subuid").write_text("nobody:1:1\n")
    found = examined(run, in_own_mounts(user, f'mount --bind {tmp_path}/subuid /etc/subuid; exec "$1" doctor --json', cloche))
    assert found["subordinate ids"]["state"] == "missing" and "usermod --add-subuids" in found["subordinate ids"]["fix"]


@pytest.mark.only_root
def test_no_newuidmap(run, cloche, user):
    found = examined(run, in_own_mounts(user, 'mount --bind /dev/null /usr/bin/newuidmap; exec "$1" doctor --json', cloche))
    assert found["newuidmap"]["state"] == "missing" and "uidmap" in found["newuidmap"]["fix"]


@pytest.mark.only_root
def test_no_tun(run, cloche, user):
    found = examined(run, in_own_mounts(user, 'mount -t tmpfs none /dev/net; exec "$1" doctor --json', cloche))
    assert found["TUN"]["state"] == "limited" and found["TUN"]["found"].startswith("packet") and "/dev/net/tun" in found["TUN"]["fix"]
    assert found["network"]["state"] == "ok"


@pytest.mark.only_root
def test_masked_proc(run, cloche, user):
    """As containers mask it; only who needs a user namespace for it notices."""
    script = 'mount --bind /dev/null /proc/version; exec setpriv --reuid=65534 --clear-groups --no-new-privs "$1" doctor --json'
    found = examined(run, in_own_mounts(user, script, cloche), status=1)
    assert found["procfs"]["state"] == "missing" and found["procfs"]["fix"], found["procfs"]


def test_usage(run, cloche):
    for words in (["--nonsense"], ["--json", "x"]):
        result = run([cloche, "doctor", *words])
        assert result.returncode == 125 and "usage: cloche doctor" in result.stderr


def test_without_a_runtime_directory(run, cloche):
    """What the other commands need is none of its business."""
    assert run([cloche, "doctor"], env={"XDG_RUNTIME_DIR": "/no/such"}, timeout=120).returncode == 0
