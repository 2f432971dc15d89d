# SPDX-License-Identifier: LGPL-2.1-or-later
"""flatpak runs, builds and enters applications with our bwrap ($FLATPAK_BWRAP).

A runtime (static busybox and ldconfig) and an application are made here, exported to a local
repository and installed for the user, without network. Applications are built with `flatpak build`,
so the binary is at work from the first step on.
"""
import os
import pathlib
import platform
import re
import subprocess

import pytest

from .session import HANG, HERE, VIEW, assert_same_view, host_namespaces, need, new_session, on_bus, png, view

pytestmark = pytest.mark.only_user
APPLETS = "sh ls cat echo id env mount readlink touch mkdir test true stat sleep kill wc sort grep".split()
ARCH = platform.machine()
APP = "org.cloche.App"
VALIDATOR = "/usr/libexec/flatpak-validate-icon"
RUNTIME = "org.cloche.Platform"

@pytest.fixture(scope="module")
def flatpak(binary, ordinary_user, top):
    """A session in which the runtime and the application are installed."""
    need("flatpak", "dbus-run-session", "/bin/busybox", "/sbin/ldconfig", "gcc")
    with new_session(top, ordinary_user, binary) as session:
        session.env["FLATPAK_BWRAP"] = str(binary.shim)
        make_runtime(session)
        make_app(session)
        yield session


def make_runtime(session):
    work = session.work
    for name in ("rt", "rt/files", "rt/usr", "rt/usr/bin", "rt/usr/sbin", "rt/usr/lib", "rt/usr/etc"):
        session.make(f"work/{name}")
    session.run(["cp", "/bin/busybox", work / "rt/usr/bin/busybox"])
    session.run(["cp", "/sbin/ldconfig", work / "rt/usr/sbin/ldconfig"])
    session.run(["ln", "-s", "../sbin/ldconfig", work / "rt/usr/bin/ldconfig"])
    for applet in APPLETS:
        session.run(["ln", "-s", "busybox", work / "rt/usr/bin" / applet])
    session.write("rt/metadata", f"[Runtime]\nname={RUNTIME}\nruntime={RUNTIME}/{ARCH}/1\n"
                                 f"sdk={RUNTIME}/{ARCH}/1\n")
    session.run(["flatpak", "build-export", "--runtime", "repo", "rt", "1"])
    session.run(["flatpak", "--user", "remote-add", "--no-gpg-verify", "local", "repo"])
    session.run(on_bus(["flatpak", "--user", "install", "-y", "local", f"{RUNTIME}//1"]))


def make_app(session):
    session.run(["flatpak", "build-init", "app", APP, RUNTIME, RUNTIME, "1"])
    session.write("hello", "#!/bin/sh\necho hello from $FLATPAK_ID; cat /app/share/data; exit ${1:-0}\n", 0o755)
    session.run(["gcc", "-static", "-O1", "-Wall", "-Werror", "-o", "probe", HERE / "flatpak_probe.c"])
    session.run(["flatpak", "build", f"--filesystem={session.work}", "app", "sh", "-ec",
                 f"mkdir -p /app/bin /app/share; cd '{session.work}'; busybox cp hello probe /app/bin/;"
                 "echo data of the app > /app/share/data"])
    session.run(["flatpak", "build-finish", "app", "--command=hello",
                 "--talk-name=org.freedesktop.Notifications"])
    session.run(["flatpak", "build-export", "repo", "app"])
    session.run(on_bus(["flatpak", "--user", "install", "-y", "local", APP]))


def shell(script, *options):
    """The command that runs a shell script as the application."""
    return on_bus(["flatpak", "run", *options, "--command=sh", APP, "-c", script])


def test_flatpak_run_hello(flatpak):
    flatpak.bwrap.clear()
    out = flatpak.run(on_bus(["flatpak", "run", APP])).stdout
    assert out.splitlines()[-2:] == [f"hello from {APP}", "data of the app"]
    assert any("hello" in words for words in flatpak.bwrap.words())


@pytest.mark.parametrize("status", [1, 7, 255])
def test_flatpak_run_exit_status(flatpak, status):
    flatpak.run(on_bus(["flatpak", "run", APP, str(status)]), status=status)


def test_flatpak_run_signal_status(flatpak):
    result = flatpak.run(shell("kill -KILL $$"), status=None)
    assert result.returncode == 128 + 9


def test_flatpak_run_read_only(flatpak):
    out = flatpak.run(shell("for d in /app /usr; do touch $d/new 2>&1; done; cat /.flatpak-info")).stdout
    assert out.count("Read-only file system") == 2
    assert f"name={APP}" in out


def test_flatpak_run_home_hidden(flatpak):
    secret = flatpak.home / "secret"
    secret.write_text("s3cret")
    secret.chmod(0o644)
    reads = f"cat '{secret}'; touch '{flatpak.home}/new' && echo wrote"
    hidden = flatpak.run(shell(reads), status=None)
    shown = flatpak.run(shell(reads, f"--filesystem={flatpak.home}:ro"), status=None)
    writable = flatpak.run(shell(reads, f"--filesystem={flatpak.home}"))
    assert "s3cret" not in hidden.stdout
    assert "s3cret" in shown.stdout and "Read-only" in shown.stderr
    assert "wrote" in writable.stdout and (flatpak.home / "new").exists()
    (flatpak.home / "new").unlink()


def test_flatpak_run_data_persists(flatpak):
    flatpak.run(shell("echo kept > $XDG_DATA_HOME/file"))
    assert flatpak.run(shell("cat $XDG_DATA_HOME/file")).stdout.splitlines()[-1] == "kept"
    assert (flatpak.home / f".var/app/{APP}/data/file").read_text() == "kept\n"


def test_flatpak_run_no_network(flatpak):
    count = "wc -l < /proc/net/dev"
    assert flatpak.run(shell(count)).stdout.split()[-1] == "3"  # two heading lines and lo
    host = len(pathlib.Path("/proc/net/dev").read_text().splitlines())
    assert flatpak.run(shell(count, "--share=network")).stdout.split()[-1] == str(host)


def test_flatpak_run_seccomp(flatpak):
    out = flatpak.run(shell("grep -E '^(Seccomp|NoNewPrivs|CapEff)' /proc/self/status")).stdout
    assert re.search(r"^Seccomp:\s+2$", out, re.M) and re.search(r"^NoNewPrivs:\s+1$", out, re.M)
    assert re.search(r"^CapEff:\s+0+$", out, re.M)


def test_flatpak_run_bus_proxy(flatpak):
    flatpak.bwrap.clear()
    out = flatpak.run(shell("exec probe")).stdout
    assert out.splitlines()[-1].startswith("REJECTED") and "EXTERNAL" in out
    assert any("xdg-dbus-proxy" in word for words in flatpak.bwrap.words() for word in words)


def test_flatpak_run_stdin(flatpak):
    with flatpak.popen(shell("cat; echo end"), stdin=subprocess.PIPE) as process:
        out, _ = process.communicate("one\ntwo\n", timeout=HANG)
    assert process.returncode == 0 and out.splitlines()[-3:] == ["one", "two", "end"]


def test_flatpak_run_env_cwd(flatpak):
    out = flatpak.run(shell("echo $COLOUR; readlink /proc/self/cwd", "--env=COLOUR=blue green",
                            f"--filesystem={flatpak.work}", f"--cwd={flatpak.work}")).stdout
    assert out.splitlines()[-2:] == ["blue green", str(flatpak.work)]


def test_flatpak_run_no_stray_descriptor(flatpak):
    out = flatpak.run(shell("exec ls -l /proc/self/fd")).stdout
    opened = [line.split()[-3] for line in out.splitlines() if " -> " in line]
    assert opened == ["0", "1", "2"]


def test_flatpak_build_app_writable(flatpak):
    flatpak.run(["flatpak", "build-init", "app2", "org.cloche.App2", RUNTIME, RUNTIME, "1"])
    flatpak.bwrap.clear()
    out = flatpak.run(["flatpak", "build", "app2", "sh", "-c",
                       "echo built > /app/made; touch /usr/made 2>&1; echo $FLATPAK_ID; exit 5"], status=5).stdout
    assert "Read-only file system" in out and "org.cloche.App2" in out
    assert (flatpak.work / "app2/files/made").read_text() == "built\n"
    assert len(flatpak.bwrap.starts()) == 1


@pytest.mark.parametrize("limit, status", [(64, 0), (32, 1)])
def test_flatpak_validate_icon(flatpak, limit, status):
    """The helper with which flatpak checks exported icons starts itself again in a sandbox."""
    need(VALIDATOR)
    icon = flatpak.work / "icon.png"
    icon.write_bytes(png(64))
    flatpak.bwrap.clear()
    result = flatpak.run([VALIDATOR, "--sandbox", str(limit), str(limit), icon], status=status)
    assert ("format=png" in result.stdout) == (status == 0) and ("Image too large" in result.stderr) == (status == 1)
    (words,) = flatpak.bwrap.words()
    assert words[-4] == VALIDATOR


def running_app(flatpak, *options):
    """Starts an application that says so and waits for a line on its standard input."""
    process = flatpak.popen(shell("echo ready; read line; echo got $line; exit 3", *options), stdin=subprocess.PIPE)
    for line in process.stdout:
        if line == "ready\n":
            return process
    pytest.fail(f"the application did not start: {process.communicate()}")


def is_running(pid):
    try:
        stat = pathlib.Path("/proc", pid, "stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def instances(flatpak):
    """(instance, pid, child pid) of what runs. For some seconds flatpak lists what has ended as well."""
    out = flatpak.run(["flatpak", "ps", "--columns=instance,pid,child-pid,application"]).stdout
    rows = [line.split() for line in out.splitlines()]
    return [tuple(row[:3]) for row in rows if row[-1] == APP and len(row) == 4 and is_running(row[2])]


def end_app(process):
    out, err = process.communicate("bye\n", timeout=HANG)
    assert process.returncode == 3, err
    assert out.endswith("got bye\n")


def test_flatpak_ps_lists(flatpak):
    process = running_app(flatpak)
    (_, pid, child), = instances(flatpak)
    ns = pathlib.Path("/proc", child, "ns")
    namespaces = [os.readlink(ns / name) != os.readlink(f"/proc/self/ns/{name}") for name in ("pid", "mnt")]
    end_app(process)
    assert pid != child and namespaces == [True, True]
    assert instances(flatpak) == []


def test_flatpak_enter_same_sandbox(flatpak):
    process = running_app(flatpak)
    child = instances(flatpak)[0][2]
    result = flatpak.run(["flatpak", "enter", child, "sh", "-c",
                          "cat /app/share/data; ls -d /proc/[0-9]* | wc -l; readlink /proc/self/ns/mnt"], status=None)
    inside = os.readlink(f"/proc/{child}/ns/mnt")
    end_app(process)
    assert len(result.stdout.splitlines()) == 3, result
    data, processes, namespace = result.stdout.splitlines()
    assert data == "data of the app" and namespace == inside
    assert int(processes) < 10  # the application's, not the host's


def test_flatpak_kill_ends_app(flatpak):
    process = running_app(flatpak)
    (instance, _, _), = instances(flatpak)
    flatpak.run(["flatpak", "kill", instance])
    process.communicate(timeout=HANG)
    assert process.returncode != 0
    assert instances(flatpak) == []


def test_flatpak_run_parent_pid(flatpak):
    """--parent-pid makes flatpak use --userns, --userns2 and --pidns, as its portal does."""
    process = running_app(flatpak)
    (_, _, child), = instances(flatpak)
    flatpak.bwrap.clear()
    result = flatpak.run(shell("ls -d /proc/[0-9]* | wc -l; exit 4", f"--parent-pid={child}",
                               "--parent-expose-pids"), status=None)
    starts = flatpak.bwrap.words()
    end_app(process)
    assert result.returncode == 4, result
    assert any("--pidns" in words and "--userns" in words for words in starts), starts


def test_flatpak_run_same_view(flatpak, binaries):
    """A program inside sees the same mounts, files, descriptors, ids and environment as with the control."""
    options = [f"--env={name}={value}" for name, value in host_namespaces().items()]
    options += ["--share=network", "--filesystem=/var:ro", f"--filesystem={flatpak.work}"]
    expected, got = [view(flatpak.run(shell(VIEW, *options), env={"FLATPAK_BWRAP": str(binary.shim)}).stdout)
                     for binary in (binaries["control"], flatpak.bwrap)]
    assert_same_view(expected, got)
