# SPDX-License-Identifier: LGPL-2.1-or-later
"""Seccomp policies: the shipped ones, the user's, their options and the cache."""
import json
import os
import platform
import struct
import subprocess

import pytest

from conftest import BUILD
from e2elib import HOST, assert_fails, memfd, status_of  # noqa: F401 (fixtures)

POLICIES = ["default", "strict", "flatpak", "build"]
X86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="not an x86-64 machine: system calls by number")

# Makes system calls by number and prints "ok" or the errno of each.
CALLS_C = r"""
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		unsigned long words[7] = { 0 };
		char *rest = argv[i];
		long result;

		for (int j = 0; j < 7 && *rest; j++) {
			words[j] = strtoul(rest, &rest, 0);
			rest += *rest == ',';
		}
		errno = 0;
		result = syscall((long)words[0], words[1], words[2], words[3], words[4], words[5], words[6]);
		if (result < 0)
			printf("%s\n", strerrorname_np(errno));
		else
			puts("ok");
		fflush(stdout);
	}
	return 0;
}
"""
INT80_C = r"""
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(strtol(argv[1], NULL, 0)), "b"(argc > 2 ? strtoul(argv[2], NULL, 0) : 0),
			   "c"(argc > 3 ? strtoul(argv[3], NULL, 0) : 0), "d"(0), "S"(0), "D"(0)
			 : "memory", "r8", "r9", "r10", "r11");
	printf("%ld\n", (long)(int)result);
	return 0;
}
"""
UNAME, GETPID, SOCKET, OPENAT2, LISTNS = 63, 39, 41, 437, 470


@pytest.fixture
def calls(run, compile_c):
    """calls([cloche, OPTIONS...], "number,arg0,arg1", ...): "ok" or the errno's name of each."""
    program = compile_c("#define _GNU_SOURCE\n" + CALLS_C)

    def calls(argv, *words, **rest):
        result = run([*argv, program, *map(str, words)], check=True, **rest)
        return result.stdout.split()

    return calls


@pytest.fixture
def int80(run, compile_c):
    """int80([cloche, OPTIONS...], number, args...): the finished process."""
    program = compile_c("#define _GNU_SOURCE\n" + INT80_C)

    def int80(argv, *words):
        return run([*argv, program, *map(str, words)])

    return int80


# ---- which policy ------------------------------------------------------------------------------------------------
def filters(run, argv, path="/proc/self/status"):
    return int(status_of(run([*argv, "cat", path], check=True).stdout)["Seccomp_filters"])


def test_default_is_on_as_cloche_only(run, cloche, bwrap):
    options = [*HOST, "--unshare-pid"]
    before = filters(run, ["env"])
    assert filters(run, [cloche, *options]) == before + 1
    # pid 1 loads its program when COMMAND runs already, which shares its memory until then.
    wait = "for i in $(seq 1000); do grep -q '^Seccomp:.2' /proc/1/status && exit 0; sleep 0.01; done; exit 1"
    assert run([cloche, *options, "sh", "-c", wait]).returncode == 0
    assert filters(run, [bwrap, *options]) == filters(run, [bwrap, *options], "/proc/1/status") == before


def test_seccomp_policy_none(run, cloche, calls):
    assert filters(run, [cloche, *HOST, "--seccomp-policy", "none"]) == filters(run, ["env"])
    if platform.machine() == "x86_64":
        assert calls([cloche, *HOST, "--seccomp-policy", "none"], f"{SOCKET},40,1,0") != ["EAFNOSUPPORT"]


@X86
@pytest.mark.vm
@pytest.mark.parametrize("policy", POLICIES)
def test_seccomp_policy_shipped(personality, calls, policy):
    """userfaultfd, a socket of AF_VSOCK (one that no kernel here lacks), a number that no policy has read about."""
    options = [personality, *HOST, "--seccomp-policy", policy]
    assert calls(options, GETPID, UNAME + 0x40000000) == ["ok", "ENOSYS"]
    assert calls(options, f"{SOCKET},40,1,0") == ["EAFNOSUPPORT"]
    if policy != "flatpak":  # it has no lid
        assert calls(options, LISTNS, 600) == ["ENOSYS", "ENOSYS"]


@X86
@pytest.mark.parametrize("policy", ["default", "strict"])
def test_seccomp_policy_denies_before_the_kernel_looks(personality, calls, policy):
    """Each with arguments for which the kernel alone would say something else: EBADF, EINVAL, EFAULT, ENOENT."""
    options = [personality, *HOST, "--seccomp-policy", policy]
    denied = {"keyctl": "250,99", "bpf": "321,999,0,0", "userfaultfd": "323,0xffff", "perf_event_open": "298,0",
              "kcmp": "312,1,1,99", "process_vm_readv": "310,1,0,0,0,0,1", "fanotify_init": "300,0xffffffff",
              "remap_file_pages": "216,1", "vmsplice": "278,-1", "adjtimex": "159,0", "quotactl": "179,0xffffffff",
              "name_to_handle_at": "303,-1,0,0,0,0xffff", "mbind": "237,1,1,99", "personality": "135,0x400000",
              "ioctl TIOCSTI": "16,-1,0x5412,0", "ioctl high TIOCSTI": "16,-1,0x100005412,0",
              "ioctl TIOCSETD": "16,-1,0x5423,0", "prlimit of pid 1": "302,1,99,0,0", "modify_ldt": "154,99"}
    assert dict(zip(denied, calls(options, *denied.values()), strict=True)) == dict.fromkeys(denied, "EPERM")
    missing = {"io_uring_setup": "425,0,0", "_sysctl": "156,0"}
    assert set(calls(options, *missing.values())) == {"ENOSYS"}
    assert calls(options, "16,-1,0x5413,0", "135,0xffffffff", "302,0,99,0,0") == ["EBADF", "ok", "EINVAL"]


@X86
def test_allow_userns_opens_namespaces(cloche, calls):
    """With arguments that the kernel refuses for another reason than the policy's."""
    words = ["272,0x10000001", "435,0,1", "165,0,0,0,0,0", "308,-1,0", "428,-1,0,0"]  # unshare clone3 mount setns open_tree
    assert calls([cloche, *HOST], *words) == ["EPERM", "ENOSYS", "EPERM", "EPERM", "ENOSYS"]
    opened = calls([cloche, *HOST, "--allow-userns"], *words)
    assert opened[0:2] == ["EINVAL", "EINVAL"] and opened[3] == "EBADF" and "ENOSYS" not in opened


@X86
@pytest.mark.vm
def test_foreign_abi_is_killed(cloche, int80):
    assert int80([cloche, *HOST, "--seccomp-policy", "none"], 20).returncode == 0  # the control
    assert int80([cloche, *HOST], 20).returncode == 128 + 31


@X86
@pytest.mark.vm
def test_allow_32bit(cloche, int80):
    """getpid; personality, whose argument's upper half the kernel does not look at there; a number above the lid."""
    options = [cloche, *HOST, "--allow-32bit"]
    assert int80(options, 20).stdout.strip().isdigit()
    assert int80(options, 136, 0xffffffff).stdout == "0\n"
    assert int80(options, 136, 0x400000).stdout == int80(options, 136, 0x700400000).stdout == "-1\n"
    assert int80(options, 136, 0x700000000).stdout == "0\n"
    assert int80(options, 359, 40).stdout == int80(options, 359, 0x500000028).stdout == "-97\n"
    assert int80(options, 102, 1, 0).stdout == "-38\n"  # socketcall(SYS_SOCKET), whose family is in memory
    assert int80(options, 102, 4, 0).stdout == "-14\n"  # socketcall(SYS_LISTEN)
    assert int80(options, 600).stdout == int80(options, 425).stdout == "-38\n"


def test_pid_1_has_a_policy_of_its_own(cloche, run):
    """Waiting, passing signals on and reaping all work under it; without a pid namespace as well."""
    script = "(sleep 0.1 & exit) & kill -TERM 1 2>/dev/null; sleep 0.3; exit 7"
    for options in ([], ["--share-pid"], ["--cap-add", "CAP_NET_RAW"]):
        assert run([cloche, *HOST, *options, "sh", "-c", script]).returncode == 7, options
    assert run([cloche, *HOST, "--share-pid", "sh", "-c", "sleep 1000 & exit 3"], timeout=60).returncode == 3


# ---- policies of the user's --------------------------------------------------------------------------------------
POLICY = """
# one of mine
use default
errno EPROTO uname
errno ENODEV getppid if arg0 == 5
"""


@X86
@pytest.mark.parametrize("how", ["file", "text"])
def test_seccomp_policy_of_the_user(personality, calls, tmp_path, how):
    file = tmp_path / "my.policy"
    file.write_text(POLICY)
    file.chmod(0o644)
    assert calls([personality, *HOST, "--seccomp-policy", file if how == "file" else POLICY],
                 UNAME, "110,5", "110,6", f"{SOCKET},40,1,0") == ["EPROTO", "ENODEV", "ok", "EAFNOSUPPORT"]


@X86
def test_syscall_deny(personality, calls):
    options = [personality, *HOST, "--syscall-deny", "uname,@io-uring:ENODEV", "--syscall-deny", "sysinfo"]
    assert calls(options, UNAME, "425,0,0", 99, GETPID) == ["ENODEV", "ENODEV", "EPERM", "ok"]


@X86
def test_syscall_allow(cloche, calls):
    assert calls([cloche, *HOST], "250,99") == ["EPERM"]
    assert calls([cloche, *HOST, "--syscall-allow", "@keyring,userfaultfd"], "250,99", "323,0xffff") == [
        "EOPNOTSUPP", "EINVAL"]


@X86
def test_later_changes_win(cloche, calls):
    options = ["--syscall-deny", "uname:ENODEV", "--syscall-allow", "uname"]
    assert calls([cloche, *HOST, *options], f"{UNAME},0") == ["EFAULT"]
    assert calls([cloche, *HOST, *options[2:], *options[:2]], f"{UNAME},0") == ["ENODEV"]


@pytest.mark.parametrize("options, texts", [
    (["--seccomp-policy", "errno EPERM uname\nallow opnat"], ["--seccomp-policy", "2", "'opnat'"]),
    (["--seccomp-policy", "allow read; alow write"], ["'alow'", "not an action"]),
    (["--seccomp-policy", "no-such-policy"], ["no-such-policy", "No such file"]),
    (["--syscall-deny", "opnat"], ["--syscall-deny opnat", "'opnat'"]),
    (["--syscall-deny", "uname:EFOO"], ["--syscall-deny", "'EFOO'"]),
    (["--syscall-deny", "@nothing"], ["'@nothing'", "group"]),
    (["--syscall-allow", "uname:EPERM"], ["uname:EPERM"]),
    (["--syscall-allow", "read write"], ["read write"]),
    (["--syscall-allow", ""], ["--syscall-allow"]),
    (["--syscall-allow", "read,"], ["read,"]),
    (["--syscall-deny", "execve"], ["'execve'", "nothing could start"]),
], ids=lambda value: value[-1] if len(value) == 2 else "")
def test_policy_errors(personality, run, options, texts):
    result = run([personality, *HOST, *options, "echo", "started"])
    assert result.stdout == ""
    if personality.name == "cloche":
        assert_fails(result, personality, *texts)
    else:
        assert_fails(result, personality, *[text for text in texts if not text.startswith("--")])


def test_policy_error_names_the_file(personality, run, tmp_path):
    file = tmp_path / "my.policy"
    file.write_text("use default\n\nerrno EPERM\n  read if arg0 == AF_FOO\n")
    file.chmod(0o644)
    assert_fails(run([personality, *HOST, "--seccomp-policy", file, "true"]), personality, f"{file}:4", "'AF_FOO'")


def test_policy_comes_before_programs_of_the_user(cloche, run, memfd):
    """One that forbids prctl(2) is loaded all the same, on top of ours."""
    number = {"x86_64": 157, "aarch64": 167}[platform.machine()]
    code = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)]
    fd = memfd(b"".join(struct.pack("<HBBI", *instruction) for instruction in code))
    assert filters(run, ["env"]) + 2 == int(status_of(run(
        [cloche, *HOST, "--seccomp", str(fd), "cat", "/proc/self/status"], pass_fds=[fd], check=True).stdout)["Seccomp_filters"])


# ---- set-user-ID files -------------------------------------------------------------------------------------------
@X86
def test_no_suid_create(personality, run, calls, tmp_path):
    options = [personality, *HOST, "--tmpfs", "/mnt", "--no-suid-create", "--chdir", "/mnt"]
    script = "touch a; chmod 755 a && chmod 4755 a; chmod 2755 a; mkdir -m 2755 b; stat -c %a a; install -m 6755 /bin/true c; ls"
    result = run([*options, "sh", "-c", script])
    assert "755\n" in result.stdout and "4755" not in result.stdout
    assert calls(options, "2,0,0x40,04755", "2,0,0,04755", "85,0,04755", "257,-100,0,0x410000,02755", "452,-100,0,06000,0",
                 "90,0,0755", "133,0,04755,0", f"{OPENAT2},-100,0,0,0") == [
        "EPERM", "EFAULT", "EPERM", "EPERM", "EPERM", "EFAULT", "EPERM", "ENOSYS"]
    assert calls([personality, *HOST], "90,0,04755") == ["EFAULT"]  # the control


# ---- log, dump, explain ------------------------------------------------------------------------------------------
@X86
def test_seccomp_log(personality, calls):
    """Denied all the same, or allowed."""
    options = [personality, *HOST, "--seccomp-policy", "default"]
    assert calls([*options, "--seccomp-log"], "250,99") == ["EPERM"]
    assert calls([*options, "--seccomp-log=allow"], "250,99") == ["EOPNOTSUPP"]


@X86
@pytest.mark.only_root
def test_seccomp_log_reaches_the_kernel_log(cloche, run, calls):
    calls([cloche, *HOST, "--seccomp-log"], "250,77")
    assert "syscall=250" in run(["dmesg"]).stdout


def test_seccomp_dump(personality, run):
    out = run([personality, *HOST, "--seccomp-policy", "default", "--seccomp-dump", "echo", "started"], check=True).stdout
    assert "started" not in out and "load architecture" in out and "(openat)" in out and "errno ENOSYS" in out
    both = run([personality, *HOST, "--seccomp-policy", "default", "--allow-32bit", "--seccomp-dump"], check=True).stdout
    assert len(both.splitlines()) > len(out.splitlines())
    assert run([personality, *HOST, "--seccomp-policy", "none", "--seccomp-dump"], check=True).stdout == ""


def test_explain_shows_the_policy(personality, run):
    options = [personality, *HOST, "--seccomp-policy", "strict", "--syscall-deny", "uname", "--no-suid-create", "--seccomp-log"]
    text = run([*options, "--explain", "true"], check=True).stdout
    assert "system calls: policy strict" in text and "deny uname" in text and "set-user-ID" in text and "logs" in text
    seccomp = json.loads(run([*options, "--explain=json", "true"], check=True).stdout)["seccomp"]
    assert seccomp["policy"] == "strict" and seccomp["changes"] == [{"deny": "uname"}]
    assert (seccomp["no-suid-create"], seccomp["log"], seccomp["allow-32bit"]) == (True, "denied", False)


# ---- the cache ---------------------------------------------------------------------------------------------------
@pytest.fixture
def home(user, tmp_path):
    """A home directory of the user's with nothing in it."""
    directory = tmp_path / "home"
    directory.mkdir()
    os.chown(directory, user.uid, user.gid)
    return directory


@pytest.fixture
def without_helper(tmp_path, cloche):
    """A copy of cloche that finds no helper beside it."""
    directory = tmp_path / "alone"
    directory.mkdir()
    copy = directory / "cloche"
    subprocess.run(["cp", str(cloche), copy], check=True)
    directory.chmod(0o755)
    copy.chmod(0o755)
    return copy


DENY = [*HOST, "--syscall-deny", "uname:ENODEV", "uname"]


def entries(home):
    return sorted((home / ".cache/cloche/policy").iterdir())


def denies(result):
    assert result.returncode == 1 and "No such device" in result.stderr, result


def test_cache_hit_needs_no_helper(run, cloche, without_helper, home):
    env = {"HOME": str(home)}
    missing = run([without_helper, *DENY], env=env)
    assert missing.returncode == 125 and "cloche-policy" in missing.stderr, missing
    denies(run([cloche, *DENY], env=env))
    denies(run([without_helper, *DENY], env=env))
    other = run([without_helper, *HOST, "--allow-32bit", "--syscall-deny", "uname:ENODEV", "uname"], env=env)
    assert other.returncode == 125, "another key, and yet a program was found"


def test_cache_modes(run, cloche, home, user):
    denies(run([cloche, *DENY], env={"HOME": str(home)}))
    (entry,) = entries(home)
    assert entry.stat().st_mode & 0o7777 == 0o600 and entry.stat().st_uid == user.uid
    assert entry.parent.stat().st_mode & 0o7777 == 0o700


def test_cache_xdg(run, cloche, home, tmp_path, user):
    cache = home / "cache"
    denies(run([cloche, *DENY], env={"HOME": str(home), "XDG_CACHE_HOME": str(cache)}))
    assert len(list((cache / "cloche/policy").iterdir())) == 1 and not (home / ".cache").exists()


@pytest.mark.parametrize("harm", ["mode", "link", "content", "key", "short", "directory-mode", "fifo"])
def test_cache_distrusts(run, cloche, without_helper, home, user, harm):
    env = {"HOME": str(home)}
    denies(run([cloche, *DENY], env=env))
    (entry,) = entries(home)
    good = entry.read_bytes()
    if harm == "mode":
        entry.chmod(0o620)
    elif harm == "link":
        entry.rename(home / "elsewhere")
        entry.symlink_to(home / "elsewhere")
    elif harm == "content":
        entry.write_bytes(good + b"\0" * 8)
    elif harm == "key":
        entry.write_bytes(good.replace(b"errno ENODEV uname", b"errno EBADF  uname"))
    elif harm == "short":
        entry.write_bytes(good[:-8])
    elif harm == "directory-mode":
        entry.parent.chmod(0o770)
    else:
        entry.unlink()
        os.mkfifo(entry, 0o600)
        os.chown(entry, user.uid, user.gid)
    assert run([without_helper, *DENY], env=env).returncode == 125, "the entry was believed"
    denies(run([cloche, *DENY], env=env))  # and another one is made, or none
    if harm not in ("directory-mode",):
        assert entry.read_bytes() == good and not entry.is_symlink()


@pytest.mark.only_root
def test_cache_distrusts_other_owners(run, cloche, without_helper, home):
    env = {"HOME": str(home)}
    denies(run([cloche, *DENY], env=env))
    (entry,) = entries(home)
    os.chown(entry, 12345, 12345)
    assert run([without_helper, *DENY], env=env).returncode == 125, "the entry was believed"
    denies(run([cloche, *DENY], env=env))
    assert entry.stat().st_uid == 0


@pytest.mark.parametrize("where", ["/proc/nowhere", "relative", ""])
def test_cache_unwritable_only_costs_time(run, cloche, where):
    denies(run([cloche, *DENY], env={"HOME": where, "XDG_CACHE_HOME": where}))


def test_helper_links_libseccomp_statically_where_it_can(run):
    archive = subprocess.run(["cc", "-print-file-name=libseccomp.a"], capture_output=True, text=True, check=True).stdout.strip()
    needed = subprocess.run(["readelf", "-d", BUILD / "cloche-policy"], capture_output=True, text=True, check=True).stdout
    assert ("libseccomp" in needed) == (not os.path.isabs(archive))
