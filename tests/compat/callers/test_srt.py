# SPDX-License-Identifier: LGPL-2.1-or-later
"""npm's @anthropic-ai/sandbox-runtime (srt) confines commands with the bwrap that it finds first on PATH.

It is installed with npm into a temporary directory. The only peer of its proxy is a server of the
test's own on 127.0.0.1.
"""
import contextlib
import http.server
import json
import re
import threading

import pytest

from conftest import pid_namespace, pids_in_pid_namespace, wait_until

from .session import HANG, VIEW, assert_same_view, host_namespaces, need, view

pytestmark = pytest.mark.only_user


@pytest.fixture
def srt(session, srt_program):
    """Runs a shell command under srt; the keywords of files and network become its settings."""
    session.make("work/out")
    session.write("out/kept", "kept\n")
    session.write("secret", "s3cret\n")

    def start(command, files=(), network=(), **options):
        settings = {"network": {"allowedDomains": [], "deniedDomains": [], **dict(network)},
                    "filesystem": {"denyRead": [], "allowRead": [], "allowWrite": [f"{session.work}/out"],
                                   "denyWrite": [], **dict(files)}}
        session.write("settings.json", json.dumps(settings))
        return session, ["node", srt_program, "--settings", "settings.json", "--", "sh", "-c", command], options

    def run(command, status=0, **rest):
        session, argv, options = start(command, **rest)
        return session.run(argv, status=status, **options)

    run.session, run.start = session, start
    return run


def test_srt_runs_command(srt):
    result = srt("echo hello; echo problem >&2; exit 7", status=7)
    assert result.stdout == "hello\n" and "problem" in result.stderr
    starts = [words for words in srt.session.bwrap.words() if "--unshare-net" in words]
    assert len(starts) == 1 and "echo hello" in starts[0][-1]


def test_srt_signal_status(srt):
    assert srt("kill -KILL $$", status=None).returncode in (137, -9)


def test_srt_write_allowed(srt):
    srt("echo new > out/new; echo more >> out/kept")
    assert (srt.session.work / "out/new").read_text() == "new\n"
    assert (srt.session.work / "out/kept").read_text() == "kept\nmore\n"


def test_srt_write_denied(srt):
    result = srt("echo x > other; echo x > secret; echo x > $HOME/file; echo x > /var/tmp/cloche-no; true")
    assert result.stderr.count("Read-only file system") == 4
    assert not (srt.session.work / "other").exists()
    assert (srt.session.work / "secret").read_text() == "s3cret\n"


def test_srt_write_denied_below_allowed(srt):
    files = {"denyWrite": [f"{srt.session.work}/out/kept"]}
    result = srt("echo x > out/kept; echo x > out/free; mv out/kept out/moved; true", files=files)
    assert "Read-only file system" in result.stderr and "busy" in result.stderr
    assert (srt.session.work / "out/kept").read_text() == "kept\n"
    assert (srt.session.work / "out/free").exists()


def test_srt_write_denied_missing_path(srt):
    """A denied path that does not exist cannot be made, and nothing of the mount point remains."""
    files = {"denyWrite": [f"{srt.session.work}/out/.bashrc", f"{srt.session.work}/out/dir/file"]}
    result = srt("echo x > out/.bashrc; mkdir out/dir; echo x > out/dir/file; true", files=files)
    assert result.stderr != ""
    assert sorted(p.name for p in (srt.session.work / "out").iterdir()) == ["kept"]


def test_srt_read_denied(srt):
    srt.session.make("work/private")
    srt.session.write("private/key", "k3y\n")
    files = {"denyRead": [f"{srt.session.work}/secret", f"{srt.session.work}/private"]}
    reads = "cat secret private/key; ls private; true"
    assert "s3cret" in srt(reads).stdout and "k3y" in srt(reads).stdout
    assert srt(reads, files=files).stdout == ""


def test_srt_read_allowed_below_denied(srt):
    srt.session.make("work/private")
    srt.session.make("work/private/open")
    srt.session.write("private/key", "k3y\n")
    srt.session.write("private/open/file", "op3n\n")
    files = {"denyRead": [f"{srt.session.work}/private"], "allowRead": [f"{srt.session.work}/private/open"]}
    assert srt("cat private/open/file; cat private/key; true", files=files).stdout == "op3n\n"


def test_srt_many_paths(srt):
    """So many mounts that srt passes them through --args on a descriptor."""
    names = [f"work/out/{'long name ' * 8}{number}" for number in range(800)]
    for name in names:
        srt.session.make(name)
    files = {"allowWrite": [str(srt.session.top / name) for name in names]}
    srt("for d in out/*/; do echo x > \"$d/file\"; done; echo x > out/no", status=2, files=files)
    assert all((srt.session.top / name / "file").exists() for name in names)
    assert not (srt.session.work / "out/no").exists()
    assert any("--args" in start["argv"] for start in srt.session.bwrap.starts())


@contextlib.contextmanager
def server():
    """A web server on 127.0.0.1 that answers "hello from the host"; yields its port."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"hello from the host\n")

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        try:
            yield made.server_port
        finally:
            made.shutdown()
            thread.join()


# srt starts the relays to its proxy beside the command, which may be there first: so curl tries again.
PROXIED = "NO_PROXY= no_proxy= curl -s --retry 60 --retry-connrefused --retry-delay 1"


def test_srt_network_denied(srt):
    need("curl")
    with server() as port:
        direct = f"curl -s --noproxy '*' http://127.0.0.1:{port}/"
        proxied = f"{PROXIED} -o /dev/null -w '%{{http_code}}\\n' http://127.0.0.1:{port}/"
        control = srt.session.run(["sh", "-c", direct])
        result = srt(f"{direct}; echo $?; {proxied}; wc -l < /proc/net/dev")
    assert control.stdout == "hello from the host\n"
    assert result.stdout.splitlines() == ["7", "403", "3"]  # cannot connect; refused by the proxy; only lo


def test_srt_network_allowed(srt):
    need("curl")
    with server() as port:
        proxied = f"{PROXIED} http://127.0.0.1:{port}/"
        result = srt(proxied, network={"allowedDomains": [f"127.0.0.1:{port}"]})
    assert result.stdout == "hello from the host\n"


def test_srt_unix_sockets_denied(srt):
    code = "import socket; socket.socket(socket.AF_UNIX)"
    srt.session.run(["/usr/bin/python3", "-c", code])
    assert "PermissionError" in srt(f"/usr/bin/python3 -c '{code}'", status=1).stderr


def test_srt_terminate(srt):
    """srt told to end takes the sandbox with it."""
    session, argv, _ = srt.start("readlink /proc/self/ns/pid; exec sleep 1000")
    process = session.popen(argv)
    inode = int(re.search(r"\d+", process.stdout.readline()).group())
    assert inode != pid_namespace() and pids_in_pid_namespace(inode)
    process.terminate()
    process.communicate(timeout=HANG)
    wait_until(lambda: not pids_in_pid_namespace(inode))


def test_srt_same_view(srt, binaries):
    views = []
    for each in (binaries["control"], srt.session.bwrap):
        env = {**host_namespaces(), "PATH": srt.session.env["PATH"].replace(str(srt.session.bwrap.bin), str(each.bin))}
        views.append(view(srt(VIEW, env=env).stdout))
    assert_same_view(*views)
