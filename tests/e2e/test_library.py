# SPDX-License-Identifier: LGPL-2.1-or-later
"""libcloche, by examples/launcher.c and by a program of the tests' own; --quiet."""
import json
import os
import re
import subprocess

import pytest

from conftest import BUILD, REPOSITORY
from e2elib import HOST, memfd, pipe

__all__ = ["memfd", "pipe"]

LAUNCHER = BUILD / "launcher"
# Who loads a library with a sanitizer needs that first.
SANITIZER = ["-fsanitize=address,undefined"] if os.environ.get("CLOCHE_SANITIZED") else []

PROGRAM = r"""
#define _GNU_SOURCE
#include <cloche.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct cloche_failure failure;

static void show(int r)
{
	printf("%d|%d|%s|%s|%s|%d\n", r, failure.option, failure.stage, failure.message, failure.path, failure.hint[0] != 0);
}

/* argv: words as options, "=" ends one; then "--" and the command. */
static struct cloche_spec *read_spec(char **argv)
{
	struct cloche_spec *spec = cloche_spec_new();

	cloche_spec_program(spec, getenv("PROGRAM"), NULL);
	while (*argv && strcmp(*argv, "--") != 0) {
		const char *name = *argv++, *arguments[8] = { 0 };
		int count = 0, r;

		while (*argv && strcmp(*argv, "=") != 0)
			arguments[count++] = *argv++;
		argv++;
		r = cloche_spec_option(spec, name, arguments, &failure);
		if (r < 0)
			show(r);
	}
	if (*argv && argv[1])
		cloche_spec_command(spec, (const char *const *)argv + 1, &failure);
	return spec;
}

static int events(struct cloche_spec *spec)
{
	static const char *const names[] = { "end", "started", "exited", "failed", "other" };
	struct cloche_process process;
	int r = cloche_spec_run(spec, &process, &failure), value = -1;

	if (r < 0) {
		show(r);
		return 1;
	}
	while ((r = cloche_status_read(process.status_fd, &value, &failure)) > 0)
		printf("%s %d\n", names[r], r == CLOCHE_EVENT_STARTED ? value > 0 : value);
	printf("%s\n", names[r]);
	r = cloche_process_wait(&process, &value, &failure);
	printf("status %d pid %d fds %d %d\n", value, process.pid > 0, process.pidfd, process.status_fd);
	return 0;
}

static int handled;
static void handle(int number) { handled = number; }

/* Nothing of the caller's is touched. */
static int untouched(struct cloche_spec *spec)
{
	sigset_t before, after;
	struct sigaction action;
	struct cloche_process process;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), status = -1, r;

	signal(SIGUSR1, handle);
	sigemptyset(&before);
	sigaddset(&before, SIGTERM);
	sigprocmask(SIG_SETMASK, &before, NULL);
	r = cloche_spec_run(spec, &process, &failure);
	if (r == 0)
		r = cloche_process_wait(&process, &status, &failure);
	sigprocmask(SIG_SETMASK, NULL, &after);
	sigaction(SIGUSR1, NULL, &action);
	printf("%d %d mask %d handler %d cloexec %d", r, status, sigismember(&after, SIGTERM) && !sigismember(&after, SIGINT), action.sa_handler == handle,
	       fcntl(fd, F_GETFD) == FD_CLOEXEC);
	printf(" children %d\n", waitpid(-1, NULL, WNOHANG));
	return 0;
}

int main(int argc, char **argv)
{
	struct cloche_spec *spec = read_spec(argv + 2);
	char *text;
	int fds[2];

	(void)argc;
	switch (argv[1][0]) {
	case 'v': show(cloche_spec_validate(spec, &failure)); break;
	case 'e': events(spec); break;
	case 'u': untouched(spec); break;
	case 'x':
		if (cloche_spec_explain(spec, 1, &text, &failure) == 0)
			puts(text);
		break;
	case 'p':
		if (pipe2(fds, O_CLOEXEC) < 0 || fds[0] != 3) return 9;
		if (write(fds[1], "data", 4) != 4) return 9;
		close(fds[1]);
		cloche_spec_pass_fd(spec, fds[0], &failure);
		events(spec);
		break;
	case 's': {
		int out = open(getenv("OUT"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

		cloche_spec_stdio(spec, -1, out, 1);
		fflush(stdout);
		events(spec);
		break;
	}
	}
	cloche_spec_free(spec);
	return 0;
}
"""


@pytest.fixture
def call(run, compile_c, cloche):
    """call(verb, words...): a program that uses the library."""
    program = compile_c(PROGRAM, static=False, flags=[f"-I{REPOSITORY}/lib", f"-L{BUILD}", "-lcloche", f"-Wl,-rpath,{BUILD}", *SANITIZER])

    def call(verb, *words, env=None):
        return run([program, verb, *words], env={"PROGRAM": str(cloche), **(env or {})}).stdout
    return call


BASE = ["ro-bind", "/", "/", "=", "dev", "/dev", "="]


def test_launcher(run, cloche):
    env = {"LAUNCHER_PROGRAM": str(cloche), "LAUNCHER_X": "kept", "OTHER": "not"}
    result = run([LAUNCHER, "sh", "-c", "hostname; echo $LAUNCHER_X $OTHER; exit 7"], env=env)
    assert (result.returncode, result.stdout, result.stderr) == (7, "launched\nkept\n", "")


def test_launcher_of_many_threads(run, cloche):
    result = run([LAUNCHER, "sh", "-c", "hostname; exit 3"], env={"LAUNCHER_PROGRAM": str(cloche), "LAUNCHER_THREADS": "32"})
    assert result.returncode == 3 and result.stdout == "launched\n" * 32 and result.stderr == ""


@pytest.mark.parametrize("env, text", [({"LAUNCHER_OPTION": "no-such"}, "launcher: options: unknown option --no-such"),
                                       ({"LAUNCHER_PROGRAM": "/no/such"}, "launcher: library: /no/such: No such file or directory")])
def test_launcher_failures(run, cloche, env, text):
    result = run([LAUNCHER, "true"], env={"LAUNCHER_PROGRAM": str(cloche), **env})
    assert result.returncode == 125 and result.stderr.startswith(text) and result.stdout == ""


def test_launcher_missing_command(run, cloche):
    result = run([LAUNCHER, "/no/such"], env={"LAUNCHER_PROGRAM": str(cloche)})
    assert result.returncode == 125 and result.stderr.startswith("launcher: exec: cannot run /no/such: No such file or directory\nlauncher: hint: ")


def test_validate(call):
    assert call("v", *BASE, "--", "true").startswith("0|")
    assert call("v", *BASE) == "0|0||||0\n"  # no command is needed for that
    for words, option, stage, text in ((["ro-bind", "/usr"], 2, "options", "arguments"), (["uid", "x"], 2, "options", "x"), (["nonsense"], -1, "options", "unknown"),
                                       (["userns-block-fd", "77"], 2, "options", "77"), (["as-pid-1", "=", "share-pid"], 2, "plan", "")):
        result, index, where, message, _, _ = call("v", *BASE, *words, "=", "--", "true").split("|")
        assert int(result) < 0 and (int(index), where) == (option, stage) and text in message, (words, result, index, where, message)


def test_bad_option_names(call):
    for name in ("", "a=b"):
        assert "the name of an option" in call("v", name, "=", "--", "true")


def test_events(call):
    assert call("e", *BASE, "--", "sh", "-c", "exit 7") == "started 1\nexited 7\nend\nstatus 7 pid 1 fds -1 -1\n"
    assert call("e", *BASE, "--", "sh", "-c", "kill -9 $$").splitlines()[1] == "exited 137"
    assert call("e", *BASE, "--", "/no/such").splitlines()[-3:-1] == ["failed -1", "end"] or "failed" in call("e", *BASE, "--", "/no/such")
    assert "no command was set" in call("e", *BASE)


def test_caller_is_left_alone(call):
    assert call("u", *BASE, "--", "true") == "0 0 mask 1 handler 1 cloexec 1 children -1\n"
    assert call("u", "nonsense", "=", "--", "true").split()[2:] == "mask 1 handler 1 cloexec 1 children -1".split()


def test_signals_inside_are_not_the_callers(call):
    """Its mask is inherited by no COMMAND."""
    assert "SigBlk:\t0000000000000000" in call("u", *BASE, "--", "grep", "SigBlk", "/proc/self/status")


def test_explain(call):
    found = json.loads(call("x", *BASE, "hostname", "jar", "=", "--", "true"))
    assert found["personality"] == "cloche" and found["mounts"][0]["source"] == "/"


def test_descriptors(call, tmp_path):
    assert "data" in call("p", *BASE, "tmpfs", "/tmp", "=", "ro-bind-data", "3", "/tmp/x", "=", "--", "sh", "-c", "cat /tmp/x; ls /proc/self/fd >&2")
    call("s", *BASE, "--", "sh", "-c", "echo out; echo err >&2", env={"OUT": str(tmp_path / "out")})
    assert (tmp_path / "out").read_text() == "out\n"


def test_symbols():
    """Nothing but the interface is exported."""
    listed = subprocess.run(["nm", "-D", "--defined-only", BUILD / "libcloche.so"], capture_output=True, text=True, check=True).stdout
    exported = {line.split()[-1].split("@")[0] for line in listed.splitlines()} - {"LIBCLOCHE_0"}
    declared = set(re.findall(r"\b(cloche_\w+)\(", re.sub(r"/\*.*?\*/", "", (REPOSITORY / "lib/cloche.h").read_text(), flags=re.S)))
    assert exported == declared


def test_header_in_other_languages(run, tmp_path):
    (tmp_path / "x.cc").write_text('#include <cloche.h>\nint main() { return cloche_spec_new() == nullptr; }\n')
    for command in (["g++", "-Wall", "-Wextra", "-Werror", "-pedantic"], ["gcc", "-x", "c", "-std=c99", "-Dnullptr=0", "-Wall", "-Werror", "-pedantic"]):
        run([*command, f"-I{REPOSITORY}/lib", "-fsyntax-only", tmp_path / "x.cc"], check=True)


def test_installed(run, tmp_path):
    """What a stranger does: pkg-config, and the cloche that was installed with the library."""
    root = tmp_path / "root"
    result = run(["meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", root, "--quiet"], timeout=120, env={"PATH": "/usr/bin:/bin"})
    if result.returncode:  # the build directory is another user's
        assert not os.access(BUILD / "meson-logs", os.W_OK), result
        return
    (found,) = root.rglob("libcloche.pc")
    flags = run(["pkg-config", "--cflags", "--libs", "libcloche"], check=True,
                env={"PKG_CONFIG_PATH": str(found.parent), "PKG_CONFIG_SYSROOT_DIR": str(root)}).stdout.split()
    run(["gcc", REPOSITORY / "examples/launcher.c", *flags, *SANITIZER, "-pthread", "-o", tmp_path / "launcher"], check=True)
    library = found.parent.parent
    result = run([tmp_path / "launcher", "hostname"], env={"LD_LIBRARY_PATH": str(library), "LAUNCHER_PROGRAM": str(next(root.rglob("bin/cloche")))})
    assert result.stdout == "launched\n", result


def test_quiet(run, cloche, memfd, pipe):
    read_end, write_end = pipe()
    result = run([cloche, *HOST, "--json-status-fd", str(write_end), "--quiet", "--ro-bind", "/no/such", "/x", "true"], pass_fds=[write_end])
    assert (result.returncode, result.stderr) == (125, "") and b"setup-error" in os.read(read_end, 65536)
    assert run([cloche, "--quiet", "--nonsense"]).stderr == "" and run([cloche, "--nonsense", "--quiet"]).stderr != ""
    assert run([cloche, *HOST, "--quiet", "sh", "-c", "echo err >&2"]).stderr == "err\n"  # COMMAND's own words pass
