# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is shown of /proc, /sys and /dev: --proc-subset, --proc-hidepid, --proc-mask, --sys, --dev-node."""
import json
import os
import stat

import pytest

from e2elib import HOST, assert_fails, mount_at, mounts, see, setup_status  # noqa: F401 (fixtures)

PROC_DIRS = ("acpi", "asound", "scsi")
PROC_FILES = ("cmdline", "config.gz", "interrupts", "kallsyms", "kcore", "key-users", "keys", "kpagecgroup",
              "kpagecount", "kpageflags", "latency_stats", "partitions", "sched_debug", "slabinfo", "timer_list", "timer_stats", "vmallocinfo")
OWN_PROC = ["--ro-bind", "/", "/", "--unshare-pid", "--proc", "/proc", "--cap-drop", "ALL"]


def readable(name):
    return os.access(f"/proc/{name}", os.R_OK)


# ---- /proc -------------------------------------------------------------------------------------------------------
@pytest.mark.vm
def test_proc_subset(personality, run):
    names = run([personality, *OWN_PROC, "--proc-subset", "pid", "ls", "/proc"], check=True).stdout.split()
    assert {name for name in names if not name.isdigit()} == {"self", "thread-self"}
    assert "cpuinfo" in run([personality, *OWN_PROC, "ls", "/proc"], check=True).stdout.split()


@pytest.mark.vm
def test_proc_hidepid(personality, run):
    """pid 1 has a capability that COMMAND has not, so COMMAND cannot trace it, and does not see it then."""
    numbers = [n for n in run([personality, *OWN_PROC, "--proc-hidepid", "ls", "/proc"], check=True).stdout.split()
               if n.isdigit()]
    assert numbers == ["2"]
    numbers = [n for n in run([personality, *OWN_PROC, "ls", "/proc"], check=True).stdout.split() if n.isdigit()]
    assert sorted(numbers) == ["1", "2"]


@pytest.mark.parametrize("option", [["--proc-subset", "pid"], ["--proc-hidepid"]])
def test_proc_options_need_a_procfs_of_our_own(cloche, bwrap, run, option):
    result = run([bwrap, *HOST, *option, "true"])
    assert result.returncode == 1 and "--unshare-pid" in result.stderr, result
    result = run([cloche, "--share-pid", *option, "true"])
    assert result.returncode == 125 and "needs a new pid namespace" in result.stderr, result
    result = run([cloche, "--bare", *option, "true"])
    assert result.returncode == 125 and "needs --proc" in result.stderr, result


@pytest.mark.vm
def test_proc_mask(personality, run):
    """What is masked cannot be read and is empty; the rest of procfs is there."""
    argv = [personality, *OWN_PROC, "--proc-mask", "default", "python3", "-c",
            "import json, os, sys\nfound = {}\n"
            "for name in sys.argv[1:]:\n"
            "  path = '/proc/' + name\n"
            "  if not os.path.lexists(path): continue\n"
            "  try: found[name] = len(os.listdir(path) if os.path.isdir(path) else open(path, 'rb').read(100))\n"
            "  except OSError as e: found[name] = e.errno\n"
            "print(json.dumps(found))"]
    names = [name for name in (*PROC_DIRS, *PROC_FILES) if os.path.lexists(f"/proc/{name}")]
    assert {"keys", "kallsyms", "cmdline"} & set(names)
    found = json.loads(run([*argv, *names, "meminfo", "cpuinfo"], check=True).stdout)
    assert found.pop("meminfo") == found.pop("cpuinfo") == 100
    assert set(found) == set(names) and set(found.values()) == {13}, found


def test_proc_mask_none(personality, run):
    names = [name for name in PROC_FILES if readable(name)]
    assert names
    for name in names:
        path = f"/proc/{name}"
        assert run([personality, *OWN_PROC, "--proc-mask", "none", "head", "-c8", path]).returncode == 0, name


def test_proc_mask_is_the_default_of_cloche(cloche, bwrap, run):
    name = next(name for name in PROC_FILES if readable(name))
    assert run([cloche, *OWN_PROC, "head", "-c1", f"/proc/{name}"]).returncode == 1
    assert run([bwrap, *OWN_PROC, "head", "-c1", f"/proc/{name}"]).returncode == 0


@pytest.mark.only_root
def test_proc_mask_none_for_bwrap_leaves_root_what_it_can_write(bwrap, mounts):
    argv = [bwrap, "--dev-bind", "/", "/", "--proc", "/proc"]
    assert {m.point for m in mounts(argv) if "ro" in m.options} > {"/proc/irq", "/proc/bus"}
    assert not {m.point for m in mounts([*argv, "--proc-mask", "none"]) if m.point.startswith("/proc/i")}


def test_proc_mask_covers_few_entries(cloche, mounts, user):
    """Only what could be read: each cover costs time. For the ordinary user root's own files need none."""
    points = {m.point for m in mounts([cloche]) if m.point.startswith("/proc/")}
    expected = {f"/proc/{name}" for name in (*PROC_DIRS, *PROC_FILES, "fs", "irq", "bus", "sys", "sysrq-trigger")
                if os.path.lexists(f"/proc/{name}")}
    if not user.is_root:
        expected = {p for p in expected if os.access(p, os.R_OK)} - {"/proc/fs", "/proc/irq", "/proc/bus"}
    assert points == expected


@pytest.mark.vm
@pytest.mark.only_user  # to a nested sandbox uid 0 cannot be mapped without CAP_SETFCAP (Linux 5.12)
@pytest.mark.parametrize("inner", ["cloche", "bwrap", "/usr/bin/bwrap"])
def test_proc_of_a_nested_sandbox(cloche, bwrap, run, inner):
    """Masks would make it impossible, so with --allow-userns there are none."""
    if inner == "/usr/bin/bwrap" and not os.path.exists(inner):
        pytest.skip("no bubblewrap of the distribution")
    argv = [{"cloche": cloche, "bwrap": bwrap}.get(inner, inner), "--ro-bind", "/", "/", "--unshare-pid",
            "--proc", "/proc", "sh", "-c", "echo $$; ls -d /proc/1"]
    outer = [cloche, "--ro-bind", "/", "/", "--proc", "/proc"]
    result = run([*outer, "--allow-userns", *argv])
    assert (result.returncode, result.stdout) == (0, "2\n/proc/1\n"), result
    refused = run([*outer, "--allow-userns", "--proc-mask", "default", *argv])
    assert refused.returncode in (1, 125) and "proc" in refused.stderr, refused


@pytest.mark.only_root
def test_proc_stays_covered_for_root_with_nested_user_namespaces(cloche, mounts):
    points = {m.point for m in mounts([cloche, "--allow-userns"]) if "ro" in m.options}
    assert {"/proc/sys", "/proc/kallsyms"} <= points
    assert "/proc/sys" not in {m.point for m in mounts([cloche, "--allow-userns", "--proc-mask", "none"])}


def test_proc_mask_is_explained(cloche, run):
    assert "masked" in run([cloche, "--explain", "true"], check=True).stdout
    assert "masked" not in run([cloche, "--proc-mask", "none", "--explain", "true"], check=True).stdout
    text = run([cloche, "--proc-subset", "pid", "--proc-hidepid", "--explain=json", "true"], check=True).stdout
    flags = next(m for m in json.loads(text)["mounts"] if m["type"] == "proc")["flags"]
    assert {"subset=pid", "hidepid=ptraceable", "masked"} <= set(flags)


# ---- /sys --------------------------------------------------------------------------------------------------------
@pytest.mark.vm
def test_sys_of_the_own_network_namespace(personality, mounts, run):
    argv = [personality, "--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib",
            "--symlink", "usr/lib64", "/lib64", "--proc", "/proc", "--unshare-net", "--unshare-user", "--sys", "/sys"]
    assert run([*argv, "ls", "/sys/class/net"], check=True).stdout.split() == ["lo"]
    mount = mount_at(mounts(argv), "/sys")
    assert mount.fstype == "sysfs" and {"ro", "nosuid", "nodev", "noexec"} <= mount.options
    assert run([*argv, "test", "-d", "/sys/devices"]).returncode == 0


def test_sys_without_a_network_namespace_is_the_hosts(cloche, mounts, run):
    argv = [cloche, "--share-net", "--sys", "/sys"]
    assert run([*argv, "ls", "/sys/class/net"], check=True).stdout.split() == sorted(os.listdir("/sys/class/net"))
    assert all("ro" in m.options for m in mounts(argv) if m.point == "/sys" or m.point.startswith("/sys/"))


@pytest.mark.vm
def test_sys_firmware_is_masked(cloche, run):
    for net in ([], ["--share-net", "--isolation", "try"]):  # before Linux 6.12 nothing keeps it from abstract sockets
        result = run([cloche, *net, "--sys", "/sys", "ls", "/sys/firmware"])
        assert result.returncode == 2 and "Permission denied" in result.stderr, result
        run([cloche, *net, "--sys", "/sys", "--proc-mask", "none", "ls", "/sys/firmware"], check=True)


# ---- --dev-node --------------------------------------------------------------------------------------------------
def nodes(name):
    return os.path.exists(f"/dev/{name}") and stat.S_ISCHR(os.stat(f"/dev/{name}").st_mode)


@pytest.mark.parametrize("group, node", [("fuse", "fuse"), ("kvm", "kvm"), ("tun", "net/tun")])
def test_dev_node(personality, see, run, group, node):
    argv = [personality, *HOST, "--dev-node", group]
    if not nodes(node):
        assert_fails(run([*argv, "true"]), personality, group)
        return
    bare = [personality, "--tmpfs", "/", "--dev", "/dev"]
    seen = see([*bare, "--dev-node", group], "/dev", f"/dev/{node}")
    host = os.stat(f"/dev/{node}")
    assert seen[f"/dev/{node}"].device == f"{os.major(host.st_rdev)}:{os.minor(host.st_rdev)}"
    assert node.split("/")[0] in seen["/dev"].names
    plain = see(bare, "/dev")["/dev"].names
    assert set(seen["/dev"].names) - set(plain) == {node.split("/")[0]}


def test_dev_node_single_and_repeated(personality, see):
    if not nodes("fuse"):
        pytest.skip("no /dev/fuse on this kernel")
    seen = see([personality, "--tmpfs", "/", "--dev", "/dev", "--dev", "/other", "--dev-node", "fuse", "--dev-node",
                "fuse"], "/dev/fuse", "/other/fuse")
    assert seen["/dev/fuse"].device == seen["/other/fuse"].device == "10:229"


@pytest.mark.only_root  # who may open it is a matter of its mode
def test_dev_node_can_be_opened(run, bwrap):
    if not nodes("net/tun"):
        pytest.skip("no /dev/net/tun on this kernel")
    argv = [bwrap, *HOST, "--dev-node", "tun", "python3", "-c", "import os; os.open('/dev/net/tun', os.O_RDWR)"]
    run(argv, check=True)


@pytest.mark.parametrize("name", ["mem", "sda", "uinput", "../mem", "dri/../mem", "dri//card0", "", "/dev/kvm", "tun2",
                                  "net", "kvm/", "dri/" + "x" * 300])
def test_dev_node_refuses_what_is_not_on_the_list(personality, run, name):
    assert_fails(run([personality, *HOST, "--dev-node", name, "true"]), personality, "added")


@pytest.mark.parametrize("name", ["dri/no-such-card", "video99", "nvidia-no-such"])
def test_dev_node_missing(personality, run, name):
    assert_fails(run([personality, *HOST, "--dev-node", name, "true"]), personality, f"/dev/{name}", "No such file")


def test_dev_node_needs_dev(personality, run):
    result = run([personality, "--ro-bind", "/", "/", "--dev-node", "kvm", "true"])
    assert_fails(result, personality, "needs --dev" if personality.name == "cloche" else "--dev")


def test_dev_node_is_explained(cloche, run):
    if not nodes("fuse"):
        pytest.skip("no /dev/fuse on this kernel")
    argv = [cloche, "--dev-node", "fuse"]
    assert "devices added to --dev: fuse\n" in run([*argv, "--explain", "true"], check=True).stdout
    assert json.loads(run([*argv, "--explain=json", "true"], check=True).stdout)["devices"] == ["fuse"]


# ---- without mounts ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("options", [
    ["--mask", "/usr/x"], ["--deny-write", "/usr/x"], ["--deny-create", "/usr/x"], ["--noexec", "/usr"],
    ["--no-symlinks", "/usr"], ["--sys", "/sys"], ["--dev-node", "kvm"], ["--proc-mask", "default"],
    ["--proc-subset", "pid"], ["--proc-hidepid"], ["--secret-fd", "0", "s"]])
def test_views_cannot_be_had_by_landlock_alone(cloche, run, options):
    result = run([cloche, "--isolation", "landlock", *options, "echo", "ran"])
    assert (result.returncode, result.stdout) == (125, "") and options[0] in result.stderr, result
