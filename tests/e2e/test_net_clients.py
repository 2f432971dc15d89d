# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real clients and servers through --net: what people run."""
import hashlib
import json
import os
import pathlib
import shutil
import subprocess

import pytest

from conftest import acting_as_root, wait_until
from netlib import MODES, only_root_can
from world import OTHER4, SITE4, SITE6, blob

SERVER = """
import functools, http.server, sys
class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *a): pass
class Dual(http.server.ThreadingHTTPServer):
    address_family = 10
http.server.test(functools.partial(Quiet, directory=sys.argv[1]), Dual, port=int(sys.argv[2]), bind='::')
"""


CHROMIUM = next((path for path in ("/usr/lib/chromium/chromium", "/usr/lib64/chromium-browser/chromium-browser")
                 if os.path.exists(path)), "chromium")


@pytest.fixture(params=MODES)
def mode(request):
    return MODES[request.param]


@pytest.fixture
def internet(net, world):
    """internet(argv): a process on the other side, as root, ended with the test."""
    started = []

    def run(argv, **rest):
        with acting_as_root():
            started.append(subprocess.Popen([*world.enter_internet, *map(str, argv)], stdin=subprocess.DEVNULL,
                                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, **rest))
        return started[-1]

    yield run
    for process in started:
        with acting_as_root():
            process.kill()
        process.wait()


@pytest.fixture
def site(internet, net, tmp_path):
    """A web server for a directory on the other side; the directory."""
    directory = tmp_path / "site"
    directory.mkdir()
    directory.chmod(0o755)
    tmp_path.chmod(0o755)
    internet(["/usr/bin/python3", "-c", SERVER, directory, "8088"])
    wait_until(lambda: net.host(["curl", "-s", "-o", "/dev/null", f"http://{SITE4}:8088/"]).returncode == 0)
    return directory


# ---- curl --------------------------------------------------------------------------------------------------------
def test_curl(net, mode):
    for url in (f"http://{SITE4}/", f"http://[{SITE6}]/", "http://site.test/"):
        result = net(*mode, argv=["curl", "-sS", "-m", "20", url])
        assert result.returncode == 0 and result.stdout.startswith("host="), (url, result)


def test_curl_both_families(net):
    for option, address in (("-4", SITE4), ("-6", SITE6)):
        assert f"addr={address}" in net(argv=["curl", option, "-sS", "-m", "20", "http://site.test/"]).stdout


def test_curl_big(net, mode, tmp_path):
    result = net(*mode, "--bind", tmp_path, tmp_path,
                 argv=["curl", "-sS", "-m", "60", "-o", tmp_path / "out", f"http://{SITE4}/big?20000000"])
    assert result.returncode == 0, result
    assert hashlib.sha256((tmp_path / "out").read_bytes()).digest() == hashlib.sha256(blob(20000000)).digest()


def test_curl_slow(net):
    """A transfer that is told to be slow, with pauses longer than any timer of ours."""
    result = net(argv=["curl", "-sS", "--limit-rate", "200k", "-o", "/dev/null", "-w", "%{size_download}", f"http://{SITE4}/big?600000"])
    assert result.stdout == "600000", result


def test_curl_refused_is_fast(net):
    assert net(argv=["curl", "-sS", "-m", "20", f"http://{SITE4}:81/"]).returncode == 7


# ---- git, npm, pip -----------------------------------------------------------------------------------------------
def test_git_clone(net, site, run, tmp_path):
    source = tmp_path / "source"
    env = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    run(["git", "init", "-q", source], check=True)
    (source / "file").write_bytes(os.urandom(200000))
    run(["git", "-C", source, "add", "."], check=True)
    run(["git", "-C", source, "commit", "-qm", "one"], check=True, env=env)
    run(["git", "clone", "-q", "--bare", source, site / "repo.git"], check=True)
    run(["git", "-C", site / "repo.git", "update-server-info"], check=True)
    target = tmp_path / "target"
    target.mkdir()
    result = net("--bind", target, target, argv=["git", "clone", "-q", "http://site.test:8088/repo.git", target / "clone"])
    assert result.returncode == 0, result
    assert (target / "clone" / "file").read_bytes() == (source / "file").read_bytes()


REGISTRY = r"""
const http = require('http'), fs = require('fs'), dir = process.argv[2];
http.createServer((q, r) => {
  const name = decodeURIComponent(q.url.slice(1));
  if (name.endsWith('.tgz')) return r.end(fs.readFileSync(dir + '/' + name));
  if (name !== 'jar') { r.statusCode = 404; return r.end('{}'); }
  const dist = { tarball: 'http://site.test:8089/jar-1.0.0.tgz' };
  r.setHeader('content-type', 'application/json');
  r.end(JSON.stringify({ name, 'dist-tags': { latest: '1.0.0' }, versions: { '1.0.0': { name, version: '1.0.0', dist } } }));
}).listen(8089, '::');
"""


def test_npm_install(net, internet, run, tmp_path):
    npm, node = shutil.which("npm"), shutil.which("node")
    assert npm and node
    package, project = tmp_path / "package", tmp_path / "project"
    package.mkdir()
    project.mkdir()
    tmp_path.chmod(0o755)
    (package / "package.json").write_text('{"name": "jar", "version": "1.0.0", "main": "index.js"}')
    (package / "index.js").write_text("module.exports = 'glass';\n")
    run(["tar", "-czf", tmp_path / "jar-1.0.0.tgz", "-C", tmp_path, "package"], check=True)
    (project / "package.json").write_text('{"name": "x", "version": "1.0.0"}')
    (tmp_path / "registry.js").write_text(REGISTRY)
    internet([node, tmp_path / "registry.js", tmp_path])
    wait_until(lambda: net.host(["curl", "-s", "-o", "/dev/null", f"http://{SITE4}:8089/jar"]).returncode == 0)
    roots = {str(pathlib.Path(os.path.realpath(p)).parents[1]) for p in (npm, node)} | {"/usr"}
    binds = [w for root in sorted(roots) for w in ("--ro-bind-try", root, root)]
    options = ["--setenv", "PATH", f"{os.path.dirname(os.path.realpath(node))}:{os.path.dirname(node)}:/usr/bin:/bin", *binds,
               "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64",
               "--ro-bind-try", os.path.dirname(npm), os.path.dirname(npm), "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp",
               "--ro-bind", "/etc/nsswitch.conf", "/etc/nsswitch.conf", "--bind", project, project, "--chdir", project, "--setenv", "HOME", "/tmp"]
    result = net(*options, argv=[npm, "install", "--registry", "http://site.test:8089/", "--no-audit", "--no-fund", "jar"], timeout=120)
    assert result.returncode == 0, result
    assert (project / "node_modules/jar/index.js").read_text() == "module.exports = 'glass';\n"


def test_download_with_python(net, site):
    """As pip does it: an index by name, then the file that it links to, its hash compared."""
    data = os.urandom(300000)
    digest = hashlib.sha256(data).hexdigest()
    (site / "pkg.whl").write_bytes(data)
    (site / "index.html").write_text(f"<a href='pkg.whl#sha256={digest}'>pkg.whl</a>")
    code = f"""
import hashlib, re, urllib.request
page = urllib.request.urlopen('http://site.test:8088/index.html', timeout=20).read().decode()
name, want = re.search("href='(.*?)#sha256=(.*?)'", page).groups()
got = hashlib.sha256(urllib.request.urlopen('http://site.test:8088/' + name, timeout=20).read()).hexdigest()
tell(got == want == '{digest}')"""
    assert net.client(code=code) is True


# ---- names -------------------------------------------------------------------------------------------------------
def test_dig_against_dnsmasq(net, world, internet, tmp_path):
    """The nameserver outside is dnsmasq: what dig sees inside is what it sees outside."""
    only_root_can("make a world where dnsmasq may set its groups")
    internet(["dnsmasq", "-k", "-C", "/dev/null", "-h", "-R", "--pid-file=", "-u", "root", "--bind-interfaces", "-a", OTHER4, "-p", "53",
              "--host-record=real.test,203.0.113.1,2001:db8:2::1", "--cname=alias.test,real.test",
              "--txt-record=text.test,some words", "--mx-host=mail.test,real.test,10", "--srv-host=_x._tcp.srv.test,real.test,80"])
    with acting_as_root():
        world.set_resolv(f"nameserver {OTHER4}\n")
    wait_until(lambda: net.host(["dig", "+short", "+time=1", "real.test"]).stdout == f"{SITE4}\n")
    for words in (["real.test"], ["real.test", "AAAA"], ["alias.test"], ["text.test", "TXT"], ["mail.test", "MX"], ["+tcp", "real.test"],
                  ["_x._tcp.srv.test", "SRV"], ["+dnssec", "real.test"], ["none.test"], ["-x", SITE4]):
        inside = net(argv=["dig", "+noall", "+answer", "+comments", "+noedns" if "+dnssec" not in words else "+edns", *words]).stdout
        outside = net.host(["dig", "+noall", "+answer", "+comments", "+noedns" if "+dnssec" not in words else "+edns", *words]).stdout

        def essence(text):
            lines = [" ".join(line.split()) for line in text.splitlines()]
            status = [line.split("status: ")[1].split(",")[0] for line in lines if "status: " in line]
            return status, sorted(line.split(" ", 2)[0] + line.split(" ", 2)[2] for line in lines if line and not line.startswith(";"))
        assert essence(inside) == essence(outside) and essence(inside)[0], (words, inside, outside)


# ---- measuring and moving ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("direction", [[], ["-R"]], ids=["up", "down"])
def test_iperf3(net, mode, internet, direction):
    internet(["iperf3", "-s", "-p", "5201", "-B", SITE4])
    wait_until(lambda: net.host_client(f"tell(attempt('{SITE4}', 5201, timeout=1))") != "ECONNREFUSED")

    def measured():
        result = net(*mode, argv=["iperf3", "-c", SITE4, "-t", "1", "-J", *direction])
        return json.loads(result.stdout) if result.returncode == 0 else None
    told = wait_until(measured)
    assert told["end"]["sum_received"]["bytes"] > 1_000_000


@pytest.mark.only_user  # root's sshd wants to become another user
def test_ssh_through_a_published_port(net, run, tmp_path):
    """An sshd inside, as the user; a client outside. Commands, and a file byte for byte."""
    only_root_can("make a world whose user is not uid 0")
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "host"], check=True)
    (tmp_path / "authorized").write_text((tmp_path / "key.pub").read_text())
    (tmp_path / "config").write_text(f"HostKey {tmp_path}/host\nAuthorizedKeysFile {tmp_path}/authorized\nStrictModes no\nUsePAM no\n"
                                     "PidFile none\nPort 2222\nSubsystem sftp internal-sftp\n")
    for file in tmp_path.iterdir():
        file.chmod(0o600)
    options = ["--publish", "18222:2222", "--bind", tmp_path, tmp_path, "--dir", "/run/sshd"]
    net.start(*options, argv=["/usr/sbin/sshd", "-D", "-e", "-f", tmp_path / "config"])
    client = ["-i", str(tmp_path / "key"), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
              "-o", "BatchMode=yes"]
    name = net.user.name

    def answers():
        return net.host(["ssh", *client, "-p", "18222", f"{name}@127.0.0.1", "echo from inside"]).stdout == "from inside\n"
    wait_until(answers)
    data = os.urandom(1_000_000)
    (tmp_path / "sent").write_bytes(data)
    done = net.host(["ssh", *client, "-p", "18222", f"{name}@127.0.0.1", "cat"], stdin=open(tmp_path / "sent", "rb"), text=False)
    assert done.stdout == data, done.stderr


def test_http_server_inside(net, tmp_path):
    (tmp_path / "page").write_bytes(blob(3_000_000))
    net.start("--publish", "18080:8000", "--ro-bind", tmp_path, "/srv", argv=["/usr/bin/python3", "-m", "http.server", "-d", "/srv", "8000"])

    def fetch():
        done = net.host(["curl", "-sS", "-m", "20", "http://127.0.0.1:18080/page"], text=False)
        return done.stdout if done.returncode == 0 else None
    assert wait_until(fetch) == blob(3_000_000)


@pytest.mark.only_user  # it does not run as root
def test_chromium_by_name(net, site):
    """A page by its name, with a script and an image from the same host."""
    only_root_can("make a world whose user is not uid 0")
    (site / "page.html").write_text("<body>no<script src=x.js></script><img src=i.svg></body>")
    (site / "x.js").write_text("document.body.textContent = 'made by ' + location.hostname")
    result = net("--allow-userns", "--setenv", "HOME", "/tmp", argv=[CHROMIUM, "--headless", "--disable-gpu", "--no-first-run",
                 "--user-data-dir=/tmp/c", "--dump-dom", "http://site.test:8088/page.html"], timeout=120)
    assert "made by site.test" in result.stdout, (result.stdout[-500:], result.stderr[-1500:])
