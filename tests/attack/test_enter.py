# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attacks on who enters a sandbox that runs (cloche exec), by those inside, and by those who pretend to be one; on the supervisor's
memory. Numbers as in SECURITY.md."""
import json
import os
import pathlib
import subprocess
import sys
import time

import pytest

from attacking import SECRET
from conftest import TESTS, wait_until

sys.path.insert(0, str(TESTS / "e2e"))
from named import READY, manage, registry, start  # noqa: E402

__all__ = ["manage", "registry", "start"]

PYTHON = "/usr/bin/python3"

# Tries what procfs and pidfds give on each process that appears, as fast as it can; tells what it got of which program. ptrace(2) itself is
# under the same check, and would only hold the processes up.
STEAL = r"""
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void note(int pid, const char *what)
{
	char path[64], name[32] = "";
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	int fd = open(path, O_RDONLY);
	if (fd >= 0 && read(fd, name, sizeof(name) - 1) > 0) {
		name[strcspn(name, "\n")] = 0;
		printf("got %s %s\n", name, what);
		fflush(stdout);
	}
	close(fd);
}

static int opens(int pid, const char *what)
{
	char path[64], byte[4096];
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, what);
	int fd = open(path, O_RDONLY), good = fd >= 0 && (!strcmp(what, "mem") || read(fd, byte, sizeof(byte)) > 0);
	close(fd);
	return good;
}

static int links(int pid, const char *what)
{
	char path[64], to[256];
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, what);
	return readlink(path, to, sizeof(to)) > 0;
}

static void attack(int pid, int is_only)
{
	if (opens(pid, "mem")) note(pid, "mem");
	if (links(pid, "root")) note(pid, "root");
	if (is_only) {
		if (opens(pid, "environ")) note(pid, "environ");
		if (links(pid, "exe")) note(pid, "exe");
	}
	int pidfd = (int)syscall(434, pid, 0);
	if (pidfd >= 0 && syscall(438, pidfd, 0, 0) >= 0) note(pid, "pidfd_getfd");
	close(pidfd);
}

int main(int argc, char **argv)
{
	int last = getpid();
	/* Pid 1 is the other rows' (P4). */
	puts("ready");
	fflush(stdout);
	for (;;) {
		if (argc > 1) {
			attack(atoi(argv[1]), 1);
			usleep(1000);
			continue;
		}
		for (int pid = last > 9 ? last - 8 : 2; pid <= last + 8; pid++) {
			if (pid == getpid() || kill(pid, 0) < 0 && errno == ESRCH) continue;
			attack(pid, 0);
			if (pid > last) last = pid;
		}
	}
}
"""
# All that makes it easier for them: no filter, and capabilities.
WEAK = {"plain": [], "without a filter": ["--seccomp-policy", "none"],
        "with capabilities": ["--seccomp-policy", "none", "--cap-add", "ALL"],
        "bwrap": ["--unshare-user", "--unshare-pid", "--die-with-parent"], "bwrap with capabilities": ["--unshare-user", "--unshare-pid", "--die-with-parent", "--uid", "0", "--cap-add", "ALL"],
        "with capabilities and user namespaces": ["--seccomp-policy", "none", "--cap-add", "ALL", "--allow-userns"]}


def got(process, name):
    process.terminate()
    lines = process.communicate(timeout=60)[0].splitlines()
    return [line for line in lines if line.startswith("got ") and name in line]


@pytest.mark.parametrize("kind", WEAK)
def test_C8_hostile_processes_and_who_enters(popen, cloche, bwrap, manage, registry, compile_c, kind):
    """Nothing is had of the processes of ours that go in, nor of COMMAND before it is executed."""
    thief = compile_c(STEAL)
    program = bwrap if kind.startswith("bwrap") else cloche
    process = popen([program, "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--ro-bind", thief, "/usr/bin/false", "--name", "web",
                     *WEAK[kind], "/usr/bin/false"], env={"XDG_RUNTIME_DIR": str(registry)})
    assert process.stdout.readline() == "ready\n"
    for _ in range(60):
        manage("exec", "web", "true", env={"SECRET": SECRET}, check=True)
    assert not got(process, "cloche")


def test_C8_control_without_our_guard(popen, compile_c):
    """The same thief gets at a process that is not guarded."""
    victim = popen(["sleep", "30"])
    time.sleep(0.3)
    thief = popen([compile_c(STEAL), str(victim.pid)])
    assert thief.stdout.readline() == "ready\n"
    time.sleep(1)
    victim.kill()
    assert {line.split()[2] for line in got(thief, "sleep")} >= {"mem", "environ", "exe", "root", "pidfd_getfd"}


def test_C8_what_lies_about_inside(start, manage, tmp_path, compile_c):
    """A library to preload, a false /proc, a terminal that is none, a working directory that leads elsewhere: only COMMAND, confined, meets
    them. The control: COMMAND does load the library."""
    library = compile_c("#include <unistd.h>\n__attribute__((constructor)) static void go(void) { if (write(9, \"\", 0)); "
                        "const char text[] = \"loaded\\n\"; if (write(1, text, sizeof(text) - 1)); }\n", static=False,
                        flags=["-shared", "-fPIC"])
    etc = tmp_path / "etc"
    etc.mkdir()
    start("web", "echo ready; exec sleep 1000", "--bind", etc, "/etc", "--ro-bind", library, "/usr/bin/false", "--tmpfs", "/proc",
          "--tmpfs", "/dev", "--tmpfs", "/srv", "--symlink", "/usr/bin/false", "/dev/ptmx", "--symlink", "/../../../..", "/srv/up")
    assert "loaded" not in manage("exec", "web", "true", check=True).stdout
    (etc / "ld.so.preload").write_text("/usr/bin/false\n")
    result = manage("exec", "web", "--chdir", "/srv/up", "sh", "-c", "pwd -P; ls /srv")
    assert result.stdout.count("loaded\n") == 2 and "/\n" in result.stdout and "up\n" in result.stdout, result
    status = manage("exec", "web", "grep", "-c", "", "/proc/self/status")
    assert status.returncode != 0  # the false /proc is what COMMAND sees
    with_pty = manage("exec", "web", "--pty", "true")
    assert with_pty.returncode in (0, 125), with_pty


def test_C8_confined_from_its_first_instruction(start, manage, compile_c):
    """A static program whose first system call tells: the filter, the capabilities and no_new_privs are there already."""
    probe = compile_c("""
#include <stdio.h>
#include <sys/prctl.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };
	printf("%d %d", prctl(PR_GET_SECCOMP, 0, 0, 0, 0), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	syscall(SYS_capget, &header, data);
	printf(" %x %d\\n", data[0].permitted, (int)syscall(SYS_mount, "", "/", "", 0, ""));
	return 0;
}
""")
    start("web", "echo ready; exec sleep 1000", "--ro-bind", probe, "/usr/bin/false")
    assert manage("exec", "web", "/usr/bin/false", check=True).stdout == "2 1 0 -1\n"
    free = subprocess.run([probe], capture_output=True, text=True, check=True).stdout
    assert free != "2 1 0 -1\n"  # the control


def test_C8_our_process_is_stopped_by_those_inside(popen, bwrap, cloche, registry):
    """Under the name bwrap they may signal it; whoever asked can end it nevertheless. The control: it is stopped."""
    process = popen([bwrap, "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--unshare-pid", "--name", "web",
                     "sh", "-c", "echo ready; while :; do for p in /proc/[0-9]*; do read n <$p/comm && [ $n = cloche-init ] && "
                     "[ $p != /proc/1 ] && kill -STOP ${p#/proc/}; done 2>/dev/null; sleep 0.05; done"],
                    env={"XDG_RUNTIME_DIR": str(registry)})
    assert process.stdout.readline() == "ready\n"
    client = popen([cloche, "exec", "web", "sleep", "1000"], env={"XDG_RUNTIME_DIR": str(registry)})
    stopped = "grep -l '^State:.T' /proc/[0-9]*/status | wc -l"
    wait_until(lambda: int(subprocess.run(["sh", "-c", stopped], capture_output=True, text=True, check=False).stdout) >= 1)
    client.kill()
    client.wait(60)
    children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
    wait_until(lambda: len(children.read_text().split()) == 1)


# ---- C9: who pretends to be a sandbox ----------------------------------------------------------------------------
# Takes a name in the registry, listens, and tells what it is sent.
PRETEND = r"""
import array, fcntl, os, socket, sys
directory = sys.argv[1] + "/cloche"
os.makedirs(directory, 0o700, exist_ok=True)
lock = open(directory + "/fake.lock", "w")
fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
lock.write('{"version": 1, "name": "fake", "pid": %d, "started": 1, "network": "none", "command": ["x"]}' % os.getpid()); lock.flush()
peers = socket.socket(socket.AF_UNIX); peers.bind(directory + "/fake.socket"); peers.listen(8)
print("ready", flush=True)
while True:
    peer, _ = peers.accept()
    try:
        peer.sendall(b'{"cloche-control": 1}\n')
        data, fds, _, _ = socket.recv_fds(peer, 4096, 8)
        print("sent", len(fds), flush=True)
        for fd in fds: os.close(fd)
        peer.sendall(b'{"ok": false, "error": "x", "exit-code": 3}\n')
    except OSError: pass
    peer.close()
"""


@pytest.mark.parametrize("options", [[], ["--share-pid"], ["--share-net", "--share-pid"]])
def test_C9_sandbox_that_pretends_to_be_one(cloche, popen, manage, registry, options):
    """A COMMAND to which somebody showed the registry: nothing is sent to it, whatever is asked."""
    fake = popen([cloche, "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--bind", registry, registry, *options, PYTHON, "-c",
                  PRETEND, str(registry)])
    assert fake.stdout.readline() == "ready\n"
    for words in (["exec", "fake", "true"], ["kill", "fake"], ["wait", "fake"]):
        result = manage(*words)
        assert result.returncode in (1, 125) and result.stderr, result
    fake.terminate()
    assert "sent" not in fake.communicate(timeout=60)[0]


def test_C9_control_of_the_user(popen, manage, registry):
    """The same program, if the user runs it himself, is who he asked for."""
    fake = popen([PYTHON, "-c", PRETEND, str(registry)])
    assert fake.stdout.readline() == "ready\n"
    assert manage("exec", "fake", "true").returncode == 3
    fake.terminate()
    assert "sent 4\n" in fake.communicate(timeout=60)[0]


def test_C9_any_process_by_its_pid(popen, manage, start):
    """Only who holds a name is a sandbox; the nearest valid pid is one's supervisor."""
    process, other = start("web"), popen(["sleep", "100"])
    assert manage("exec", str(other.pid), "true").returncode == 1 and manage("exec", str(os.getpid()), "true").returncode == 1
    assert manage("exec", str(process.pid), "true").returncode == 0


# ---- R11: floods -------------------------------------------------------------------------------------------------
# A sanitizer keeps what was freed for a while.
SLACK = 40_000_000 if os.environ.get("CLOCHE_SANITIZED") else 2_000_000


def resident(pid):
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


FLOODS = {
    "lines": "while True: os.write(1, b'x' * 79 + b'\\n')",
    "one line": "while True: os.write(1, b'x' * 65536)",
    "sequences without an end": "while True: os.write(1, b'ok\\x1b]0;' + b'x' * 65536 + b'\\x1b\\\\')",
}


@pytest.mark.parametrize("flood", FLOODS)
@pytest.mark.parametrize("options", [["--pty"], ["--pty", "--pty-filter"]])
def test_R11_output_that_never_ends(cloche, popen, flood, options):
    """Read or not, the supervisor's memory stays the same. The control: what is read arrives."""
    process = popen([cloche, "--ro-bind", "/", "/", "--dev", "/dev", *options, PYTHON, "-c", "import os\n" + FLOODS[flood]], text=False)
    assert len(os.read(process.stdout.fileno(), 4096)) > 0
    time.sleep(0.5)  # nobody reads
    before, total = resident(process.pid), 0
    while total < 30_000_000:
        got = len(os.read(process.stdout.fileno(), 1 << 20))
        total += got if "--pty-filter" not in options else 10_000 * got  # which may let little through
    time.sleep(0.5)
    assert resident(process.pid) < before + SLACK
    process.terminate()
    process.stdout.close()  # what is held for a reader is his until then
    process.wait(60)


def test_R11_requests_that_never_end(registry, start, popen, manage):
    """Long lines on the control socket, and peers that do not read; good ones are answered all the while."""
    process = start("web")
    before = resident(process.pid)
    flood = ("import socket, sys\nwhile True:\n    p = socket.socket(socket.AF_UNIX); p.connect(sys.argv[1])\n"
             "    try:\n        while True: p.sendall(sys.argv[2].encode().replace(b'N', b'\\n') * 500)\n    except OSError: pass")
    for what in ("x" * 100, '{"command": "wait"}N', "[" * 50):
        popen([PYTHON, "-c", flood, registry / "cloche/web.socket", what])
    for _ in range(20):
        manage("exec", "web", "true", check=True)
        time.sleep(0.05)
    assert resident(process.pid) < before + SLACK and json.loads(manage("ps", "--json").stdout)
    wait_until(lambda: manage("kill", "web").returncode == 0)
    assert process.wait(60) == 143
