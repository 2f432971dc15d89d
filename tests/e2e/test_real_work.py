# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs that people run, under our own name with the provided root and the system call policies: a policy that stops
one of them is wrong. Nothing here needs a network. The packages are `tools/install-packages work`.

    work("make -j2", options=[...])     a shell script in a writable directory, bound at its own path
"""
import glob
import json
import os
import pathlib
import re

import pytest

# Debian's Java keeps its configuration here, which the provided root does not have.
JAVA_OPTIONS = [word for path in glob.glob("/etc/java-*-openjdk") for word in ("--ro-bind", path, path)]
# Not by the wrapper in /usr/bin, which wants files of /etc.
CHROMIUM = next((path for path in ("/usr/lib/chromium/chromium", "/usr/lib64/chromium-browser/chromium-browser")
                 if os.path.exists(path)), "chromium")


def pytest_generate_tests(metafunc):
    marker = metafunc.definition.get_closest_marker("policies")
    if "policy" in metafunc.fixturenames:
        metafunc.parametrize("policy", marker.args if marker else ["default", "strict"])


@pytest.fixture
def work(run, cloche, tmp_path, policy):
    def work(script, options=(), status=0, timeout=300, **env):
        confinement = [] if policy == "default" else ["--seccomp-policy", policy]
        variables = [word for name, value in env.items() for word in ("--setenv", name, value)]
        result = run([cloche, *confinement, "--bind", tmp_path, tmp_path, "--chdir", tmp_path, *variables, *options,
                      "--", "sh", "-euc", f"exec 2>&1\n{script}"], timeout=timeout)
        assert result.returncode == status, result
        return result.stdout

    return work


def write(directory, **files):
    """write(d, main_c="…"): the file d/main.c; two underscores stand for a slash."""
    for name, text in files.items():
        path = pathlib.Path(directory, re.sub(r"_(?=[^_]*$)", ".", name.replace("__", "/")))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


# ---- C -----------------------------------------------------------------------------------------------------------
HELLO = """
#include <pthread.h>
#include <stdio.h>
static void *run(void *text) { puts(text); return NULL; }
int main(void) { pthread_t t; pthread_create(&t, NULL, run, "hello"); return pthread_join(t, NULL); }
"""


def test_gcc(work, tmp_path):
    write(tmp_path, hello_c=HELLO)
    assert work("gcc -pipe -O2 -Wall hello.c -o hello -pthread && ./hello") == "hello\n"


@pytest.mark.policies("default")  # LeakSanitizer needs ptrace, which strict refuses
def test_clang_leak_sanitizer(work, tmp_path):
    write(tmp_path, leak_c="#include <stdlib.h>\nint main(void) { char *volatile p = malloc(7); p = NULL; return p != NULL; }")
    output = work("clang -g -fsanitize=address leak.c -o leak; ./leak || echo status $?", ASAN_OPTIONS="detect_leaks=1")
    assert "detected memory leaks" in output and "7 byte(s) leaked in 1 allocation(s)" in output, output
    assert output.endswith("status 1\n") and "fatal error" not in output, output


def test_address_sanitizer(work, tmp_path):
    write(tmp_path, over_c="#include <stdlib.h>\nint main(void) { volatile char *p = malloc(7); return p[7]; }")
    output = work("clang -g -fsanitize=address over.c -o over; ./over || echo status $?", ASAN_OPTIONS="detect_leaks=0")
    assert "heap-buffer-overflow" in output and output.endswith("status 1\n"), output


@pytest.mark.policies("default")
def test_gdb(work, tmp_path):
    write(tmp_path, loop_c="int twice(int n) { return 2 * n; }\nint main(void) { return twice(21) != 42; }")
    output = work("gcc -g -O0 loop.c -o loop; gdb -nx -batch -ex 'break twice' -ex run -ex backtrace -ex 'print n' "
                  "-ex finish -ex continue ./loop")
    assert re.search(r"#1 .* in main \(\) at loop.c:2", output) and "$1 = 21" in output, output
    assert "Value returned is $2 = 42" in output and "exited normally" in output, output


def test_make(work, tmp_path):
    write(tmp_path, hello_c=HELLO)
    (tmp_path / "Makefile").write_text("all: a b c\n%: hello.c\n\t$(CC) -pthread $< -o $@\n.PHONY: all\n")
    assert work("make -s -j2 && ./a && ./b && ./c && make -q && echo done") == "hello\nhello\nhello\ndone\n"


def test_meson(work, tmp_path):
    write(tmp_path, hello_c=HELLO, meson_build="project('hello', 'c')\ntest('hello', executable('hello', 'hello.c', "
          "dependencies: dependency('threads')))\n")
    output = work("/usr/bin/meson setup b && ninja -C b && /usr/bin/meson test -C b")
    assert re.search(r"Ok:\s+1\b", output), output


def test_git(work, tmp_path):
    output = work("""
        git config --global user.name Alice; git config --global user.email alice@example.org
        git init -q -b main one; cd one; seq 1000 >numbers; git add numbers; git commit -q -m first
        seq 2000 >numbers; git commit -q -a -m second; git gc -q; cd ..
        git clone -q one two; git clone -q "file://$PWD/one" three; cd three
        git log --format=%s; git fsck --strict; wc -l <numbers""")
    assert output.split("\n")[:2] == ["second", "first"] and output.endswith("2000\n"), output


# ---- scripting languages -----------------------------------------------------------------------------------------
PYTHON = """
import multiprocessing, ssl, socket, threading

def square(n):
    return n * n

def serve(listener, context):
    with listener.accept()[0] as plain, context.wrap_socket(plain, server_side=True) as channel:
        channel.sendall(channel.recv(100).upper())

if __name__ == "__main__":
    for method in "fork", "spawn", "forkserver":
        with multiprocessing.get_context(method).Pool(2) as pool:
            print(method, sum(pool.map(square, range(100))))
    queue, lock = multiprocessing.Queue(), multiprocessing.Lock()  # a POSIX semaphore in /dev/shm
    with lock:
        queue.put("queued")
    print(queue.get())
    # TLS without certificates: anonymous Diffie-Hellman
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    for context in server, client:
        context.verify_mode = ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("AECDH-AES256-SHA:@SECLEVEL=0")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener, server))
        thread.start()
        with client.wrap_socket(socket.create_connection(listener.getsockname())) as channel:
            channel.sendall(b"secret")
            print(channel.version(), channel.recv(100).decode())
        thread.join()
"""


def test_python(work, tmp_path):
    write(tmp_path, main_py=PYTHON)
    assert work("/usr/bin/python3 main.py").splitlines() == [
        "fork 328350", "spawn 328350", "forkserver 328350", "queued", "TLSv1.2 SECRET"]


NODE = """
const { Worker, isMainThread, parentPort } = require('worker_threads');
const { execFileSync } = require('child_process');
function hot(n) { let s = 0; for (let i = 0; i < n; i++) s = (s * 31 + i) | 0; return s; }
function compiled(f) { f(10); %PrepareFunctionForOptimization(f); f(10); %OptimizeFunctionOnNextCall(f); f(10);
    return (%GetOptimizationStatus(f) & 0x20) !== 0 || (%GetOptimizationStatus(f) & 0x10) !== 0; }
if (isMainThread) {
    console.log('compiled', compiled(hot), hot(1e7));
    const worker = new Worker(__filename);
    worker.on('message', (value) => console.log('worker', value));
    worker.on('exit', () => console.log(execFileSync('echo', ['child']).toString().trim()));
} else parentPort.postMessage(hot(1e7));
"""


def test_node(work, tmp_path):
    write(tmp_path, main_js=NODE)
    lines = work("node --allow-natives-syntax main.js").splitlines()
    assert lines[0].startswith("compiled true ") and lines[1:] == [f"worker {lines[0].split()[-1]}", "child"], lines


def test_npm_install_from_a_folder(work, tmp_path):
    write(tmp_path, lib__package_json='{"name": "lib", "version": "1.2.3", "scripts": {"install": "echo run > ran"}}',
          lib__index_js="module.exports = 'from lib';", app__package_json='{"name": "app", "version": "1.0.0"}')
    output = work("cd app; npm install --no-audit --no-fund --offline --install-links ../lib; node -p 'require(\"lib\")'; "
                  "cat node_modules/lib/ran")
    assert output.endswith("from lib\nrun\n"), output
    assert json.loads((tmp_path / "app" / "package.json").read_text())["dependencies"] == {"lib": "file:../lib"}


# ---- compilers and runtimes of their own -------------------------------------------------------------------------
JAVA = """
import java.util.*;
import java.util.concurrent.*;
public class Main {
    public static void main(String[] args) throws Exception {
        Map<Integer, byte[]> map = new ConcurrentHashMap<>();
        ExecutorService pool = Executors.newFixedThreadPool(2);
        for (int t = 0; t < 2; t++)
            pool.submit(() -> { for (int i = 0; i < 2000; i++) map.put(i % 100, new byte[100000]); });
        pool.shutdown();
        System.out.println(pool.awaitTermination(100, TimeUnit.SECONDS) + " " + map.size());
        System.out.println(new String(new ProcessBuilder("echo", "child").start().getInputStream().readAllBytes()).trim());
    }
}
"""


@pytest.mark.slow
def test_java(work, tmp_path):
    write(tmp_path, Main_java=JAVA)
    output = work("javac Main.java; for gc in G1 Parallel Serial Z; do java -XX:+Use${gc}GC -Xmx64m -Xlog:gc Main; done",
                  JAVA_OPTIONS)
    assert output.count("true 100\n") == output.count("child\n") == 4, output
    for collector in ("G1", "Parallel", "Serial", "The Z Garbage Collector"):
        assert f"Using {collector}\n" in output, output
    assert len(re.findall(r"Pause Young|Garbage Collection", output)) > 3, output


@pytest.mark.slow
def test_cargo(work, tmp_path):
    write(tmp_path, Cargo_toml='[package]\nname = "hello"\nversion = "0.1.0"\nedition = "2021"\n', src__main_rs=
          'fn main() { let t = std::thread::spawn(|| "hello"); println!("{}", t.join().unwrap()); }\n'
          '#[test] fn works() { assert_eq!(2 + 2, 4); }\n')
    output = work("/usr/bin/cargo build -q --offline; ./target/debug/hello; /usr/bin/cargo test -q --offline",
                  RUSTC="/usr/bin/rustc")
    assert output.startswith("hello\n") and "1 passed" in output, output


# ---- a browser with its own sandbox ------------------------------------------------------------------------------
PAGE = """<!DOCTYPE html><title>page</title><body><p id=p>wrong</p><script>
const code = new Uint8Array([0,97,115,109,1,0,0,0,1,5,1,96,0,1,127,3,2,1,0,7,5,1,1,102,0,0,10,6,1,4,0,65,42,11]);
const f = new WebAssembly.Instance(new WebAssembly.Module(code)).exports.f;
document.getElementById("p").textContent = "scripted " + f();
</script>"""


@pytest.mark.only_user  # as root Chromium wants --no-sandbox
@pytest.mark.slow
def test_chromium(work, tmp_path):
    write(tmp_path, page_html=PAGE)
    chromium = f"{CHROMIUM} --headless --disable-gpu --user-data-dir=/tmp/profile"
    output = work(f"{chromium} --dump-dom file://{tmp_path}/page.html 2>/dev/null", ["--allow-userns"])
    assert '<p id="p">scripted 42</p>' in output, output
    work(f"{chromium} --window-size=320,200 --screenshot={tmp_path}/shot.png file://{tmp_path}/page.html",
         ["--allow-userns"])
    assert (tmp_path / "shot.png").read_bytes()[12:24] == b"IHDR" + (320).to_bytes(4, "big") + (200).to_bytes(4, "big")
    # Its sandbox was on: where it can have none, it refuses to run.
    assert "No usable sandbox" in work(f"{chromium} --dump-dom about:blank || true")
