# SPDX-License-Identifier: LGPL-2.1-or-later
"""--seccomp-json: profiles of docker, podman and the OCI runtime specification.

The verdicts come from tests/attack/kernel.c, which asks the filters without reaching the kernel; what they should be comes
from the profile, and for the profile that podman ships from crun, which hands the same rules to libseccomp.
"""
import ctypes
import json
import pathlib
import platform
import shutil

import pytest

from conftest import KERNEL, TESTS
from e2elib import assert_fails

PODMAN_PROFILE = pathlib.Path("/usr/share/containers/seccomp.json")
NUMBERS = {"x86_64": {"uname": 63, "dup": 32, "personality": 135, "bpf": 321, "socket": 41, "clone": 56},
           "aarch64": {"uname": 160, "dup": 23, "personality": 92, "bpf": 280, "socket": 198, "clone": 220}}[platform.machine()]
only_x86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="a test of x86's two doors")


@pytest.fixture
def asker(compile_c):
    return compile_c(TESTS / "attack" / "kernel.c", flags=["-pthread"])


def read(stdout):
    return dict(line.split(" ", 1) for line in stdout.splitlines())


@pytest.fixture
def ask(run, personality, asker, tmp_path):
    """ask(profile, ("uname", "buf"), …): {name: verdict} under the profile."""
    def ask(profile, *calls, options=()):
        file = tmp_path / "profile.json"
        file.write_text(profile if isinstance(profile, str) else json.dumps(profile))
        verbs = [word for name, arguments in calls for word in ("ask-native", name, str(NUMBERS[name]), arguments)]
        result = run([personality, "--ro-bind", asker, "/ask", "--seccomp-json", file, *options, "--", "/ask", *verbs])
        assert result.returncode == 0, result
        return {name.rstrip("?"): verdict for name, verdict in read(result.stdout).items()}

    return ask


def rules(*syscalls, default="SCMP_ACT_ALLOW", **rest):
    return {"defaultAction": default, **rest, "syscalls": list(syscalls)}


def refuse(name, **rest):
    return {"names": [name], "action": "SCMP_ACT_ERRNO", "errnoRet": 42, **rest}


def test_seccomp_json(ask):
    """A rule holds, what it does not name stays allowed."""
    assert ask(rules(refuse("uname")), ("uname", "buf"), ("dup", "0")) == {"uname": "ENOMSG", "dup": "through"}


def test_seccomp_json_is_all_there_is(ask):
    """It replaces our own policy: an allow-list of docker's kind is not mixed with another."""
    assert ask(rules(), ("bpf", "0,0,0")) == {"bpf": "through"}


def test_seccomp_json_actions(ask):
    profile = rules({"names": ["uname"], "action": "SCMP_ACT_KILL_PROCESS"}, {"names": ["dup"], "action": "SCMP_ACT_TRAP"},
                    {"names": ["personality"], "action": "SCMP_ACT_LOG"}, {"names": ["bpf"], "action": "SCMP_ACT_ERRNO"})
    calls = [(name, "0") for name in ("uname", "dup", "personality", "bpf", "clone")]
    assert ask(profile, *calls) == {"uname": "SIGSYS", "dup": "SIGSYS", "personality": "through", "bpf": "EPERM",
                                    "clone": "through"}


@pytest.mark.parametrize("op,value,two,refused,allowed", [
    ("EQ", 8, 0, "8", "9"), ("NE", 8, 0, "9", "8"), ("LT", 8, 0, "7", "8"), ("LE", 8, 0, "8", "9"), ("GT", 8, 0, "9", "8"),
    ("GE", 8, 0, "8", "7"), ("MASKED_EQ", 0x7E020000, 0x10000000, "0x10000011", "0x11")])
def test_seccomp_json_arguments(ask, op, value, two, refused, allowed):
    argument = {"index": 0, "value": value, "valueTwo": two, "op": f"SCMP_CMP_{op}"}
    profile = rules(refuse("dup", args=[argument]))
    assert ask(profile, ("dup", refused)) == {"dup": "ENOMSG"}
    assert ask(profile, ("dup", allowed)) == {"dup": "through"}


def test_seccomp_json_capabilities(ask, user, personality):
    """Conditions are about what COMMAND keeps."""
    profile = rules(refuse("uname", includes={"caps": ["CAP_NET_RAW"]}), refuse("dup", excludes={"caps": ["CAP_NET_RAW"]}))
    calls = [("uname", "buf"), ("dup", "0")]
    without = ["--cap-drop", "ALL"] if personality.name == "bwrap" else []
    assert ask(profile, *calls, options=without) == {"uname": "through", "dup": "ENOMSG"}
    given = ["--unshare-user", "--cap-add", "CAP_NET_RAW"]
    assert ask(profile, *calls, options=given) == {"uname": "ENOMSG", "dup": "through"}


def test_seccomp_json_architecture_and_kernel(ask):
    here = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    major, minor = KERNEL
    kept = [{"includes": {"arches": [here, "s390"]}}, {"excludes": {"arches": ["s390"]}},
            {"includes": {"minKernel": f"{major}.{minor}"}}, {"excludes": {"minKernel": f"{major}.{minor + 1}"}}]
    left = [{"includes": {"arches": ["s390"]}}, {"excludes": {"arches": [here]}},
            {"includes": {"minKernel": f"{major}.{minor + 1}"}}, {"excludes": {"minKernel": f"{major}.{minor}"}}]
    for condition in kept:
        assert ask(rules(refuse("dup", **condition)), ("dup", "0")) == {"dup": "ENOMSG"}, condition
    for condition in left:
        assert ask(rules(refuse("dup", **condition)), ("dup", "0")) == {"dup": "through"}, condition


@only_x86
def test_seccomp_json_32bit(run, personality, asker, tmp_path):
    """The other door is open where the profile names it, and with --allow-32bit; the rules are the same there."""
    def int80(profile, *options):
        (tmp_path / "profile.json").write_text(json.dumps(profile))
        result = run([personality, "--ro-bind", asker, "/ask", "--seccomp-json", tmp_path / "profile.json", *options, "--",
                      "/ask", "ask-int80", "dup", "41", "0", "ask-int80", "getpid", "20", "0"], check=True)
        return list(read(result.stdout).values())
    plain = rules(refuse("dup"))
    assert int80(plain) == ["SIGSYS", "SIGSYS"]
    for profile in ({**plain, "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]},
                    {**plain, "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}]}):
        assert int80(profile) == ["ENOMSG", "through"]
    assert int80(plain, "--allow-32bit") == ["ENOMSG", "through"]


# ---- what is wrong -------------------------------------------------------------------------------------------------
WRONG = {
    "syntax": ('{\n "defaultAction": "SCMP_ACT_ALLOW",\n oops\n}', "profile.json:3: "),
    "empty": ("", "profile.json:1: "),
    "no object": ("[]", "not an object"),
    "default": ("{}", "'defaultAction' missing"),
    "action": (json.dumps(rules({"names": ["dup"], "action": "ALLOW"})), "'syscalls[0].action' not an action"),
    "key": (json.dumps(rules(refuse("dup"), refuse("dup", arg=[]))), "'syscalls[1].arg' unknown key"),
    "operator": (json.dumps(rules(refuse("dup", args=[{"index": 0, "op": "SCMP_CMP_IS"}]))),
                 "'syscalls[0].args[0].op' not an operator"),
    "index": (json.dumps(rules(refuse("dup", args=[{"index": 6, "op": "SCMP_CMP_EQ"}]))), "'syscalls[0].args[0].index' "),
    "escapes": (json.dumps(rules(refuse("dup", **{"\x1b[31m": 1}))), "'syscalls[0].\\033[31m' unknown key"),
    "text": ("default allow\n", "profile.json:1: "),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_seccomp_json_wrong(run, personality, tmp_path, wrong):
    """The message names the file and the place; nothing has been run."""
    text, message = WRONG[wrong]
    (tmp_path / "profile.json").write_text(text)
    argv = [personality, "--ro-bind", "/", "/", "--bind", tmp_path, tmp_path, "--seccomp-json", tmp_path / "profile.json",
            "touch", tmp_path / "ran"]
    assert_fails(run(argv), personality, message, "profile.json", *["--seccomp-json"] * (personality.name == "cloche"))
    assert not (tmp_path / "ran").exists()


def test_seccomp_json_unreadable(run, personality, tmp_path):
    for path, message in ((tmp_path / "missing", "No such file or directory"), (tmp_path, "Is a directory")):
        assert_fails(run([personality, "--ro-bind", "/", "/", "--seccomp-json", path, "true"]), personality, message)
    (tmp_path / "large").write_text(" " * (1 << 20) + "{}")
    assert_fails(run([personality, "--ro-bind", "/", "/", "--seccomp-json", tmp_path / "large", "true"]), personality, "large")


def test_seccomp_json_with_other_policies(run, personality, tmp_path):
    (tmp_path / "profile.json").write_text(json.dumps(rules()))
    argv = [personality, "--ro-bind", "/", "/", "--seccomp-json", tmp_path / "profile.json"]
    assert_fails(run([*argv, "--seccomp-policy", "default", "true"]), personality, "cannot be combined with --seccomp-policy")
    # Changes are made to it as to any policy.
    result = run([*argv, "--syscall-deny", "uname:ENOMSG", "--no-suid-create", "uname"])
    assert result.returncode == 1 and "No message of desired type" in result.stderr, result


def test_seccomp_json_explain(run, personality, tmp_path):
    (tmp_path / "profile.json").write_text(json.dumps(rules()))
    argv = [personality, "--ro-bind", "/", "/", "--seccomp-json", tmp_path / "profile.json"]
    text = run([*argv, "--explain", "true"], check=True).stdout
    assert f"policy {tmp_path}/profile.json (as the profile says)\n" in text, text
    plan = json.loads(run([*argv, "--explain=json", "true"], check=True).stdout)
    assert plan["seccomp"]["policy"] == f"{tmp_path}/profile.json", plan


# ---- the profile that podman ships ---------------------------------------------------------------------------------
def test_seccomp_json_programs_under_podmans_profile(run, personality, tmp_path):
    script = "import subprocess, threading; threading.Thread(target=print, args=['thread']).start(); " \
             "print(subprocess.run(['uname'], capture_output=True).returncode)"
    result = run([personality, "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--seccomp-json", PODMAN_PROFILE,
                  "/usr/bin/python3", "-c", script], check=True)
    assert sorted(result.stdout.split()) == ["0", "thread"], result


def runtime_profile(profile):
    """What podman makes of its profile for a container without capabilities: the conditions decided."""
    def holds(rule):
        wanted, unwanted = rule.get("includes") or {}, rule.get("excludes") or {}
        return (not wanted.get("caps") and "amd64" in wanted.get("arches", ["amd64"])
                and "amd64" not in unwanted.get("arches", []) and not {"minKernel"} & {*wanted, *unwanted})

    architectures = next([m["architecture"], *m["subArchitectures"]] for m in profile["archMap"]
                         if m["architecture"] == "SCMP_ARCH_X86_64")
    return {"defaultAction": profile["defaultAction"], "defaultErrnoRet": profile["defaultErrnoRet"],
            "architectures": architectures,
            "syscalls": [{key: rule[key] for key in ("names", "action", "errnoRet", "args") if rule.get(key)}
                         for rule in profile["syscalls"] if holds(rule)]}


@pytest.fixture
def under_crun(run, tmp_path, asker):
    """under_crun(profile, verbs…): the same program in a container of crun's, which makes no cgroup."""
    def under_crun(profile, *verbs):
        for name in ("dev", "proc", "sys"):
            (tmp_path / "rootfs" / name).mkdir(parents=True)
        shutil.copy(asker, tmp_path / "rootfs" / "ask")
        none = {kind: [] for kind in ("bounding", "effective", "permitted", "inheritable", "ambient")}
        (tmp_path / "config.json").write_text(json.dumps({
            "ociVersion": "1.0.0", "root": {"path": "rootfs", "readonly": True},
            "process": {"user": {"uid": 0, "gid": 0}, "args": ["/ask", *verbs], "cwd": "/", "env": [],
                        "noNewPrivileges": True, "capabilities": none},
            "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
                       {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"}],
            "linux": {"namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts", "network")],
                      "seccomp": runtime_profile(profile)}}))
        # crun looks at what is mounted on /sys/fs/cgroup, and wants one hierarchy; this mount is nobody else's.
        script = 'mount -t cgroup2 cgroup2 /sys/fs/cgroup && cd "$1" && ' \
                 "exec crun --root state --cgroup-manager=disabled run cloche-test"
        result = run(["unshare", "--mount", "--propagation", "private", "sh", "-euc", script, "sh", tmp_path])
        assert result.returncode == 0, result
        return read(result.stdout)

    return under_crun


QUESTIONS = {
    "numbers": ["numbers", "native", "0", "469"], "sockets": ["sockets", "native", str(NUMBERS["socket"])],
    "32-bit numbers": ["numbers", "int80", "0", "469"], "32-bit sockets": ["sockets", "int80", "359"],
    "personalities": [word for n in (0, 1, 8, 0x20000, 0x20008, 0x40000, 0xFFFFFFFF, 1 << 32)
                      for word in ("ask-native", f"personality-{n}", str(NUMBERS["personality"]), str(n))],
    "clones": [word for bit in range(8, 33) for word in ("ask-native", f"clone-{bit}", str(NUMBERS["clone"]), hex(1 << bit))],
    "audit": [word for family in (1, 16) for protocol in (0, 9)
              for word in ("ask-native", f"socket-{family}-{protocol}", str(NUMBERS["socket"]), f"{family},3,{protocol}")],
}


@only_x86
@pytest.mark.only_root  # crun's way without root would need ids of /etc/subuid
@pytest.mark.personalities("cloche")
@pytest.mark.parametrize("question", QUESTIONS)
def test_seccomp_json_says_what_crun_says(run, personality, under_crun, asker, question):
    profile = json.loads(PODMAN_PROFILE.read_text())
    expected = under_crun(profile, *QUESTIONS[question])
    result = run([personality, "--bare", "--ro-bind", asker, "/ask", "--seccomp-json", PODMAN_PROFILE, "--", "/ask",
                  *QUESTIONS[question]], check=True)
    found = read(result.stdout)
    assert len(found) == len(expected) >= 4
    assert "numbers" not in question or len(set(expected.values())) > 2
    assert found == expected, {name: (found[name], expected[name]) for name in found if found[name] != expected[name]}


def compare(index, op, value, two=0):
    return {"index": index, "op": f"SCMP_CMP_{op}", "value": value, "valueTwo": two}


def docker_style():
    """Podman's profile with docker's default of EPERM, docker's conditions of clone and socket, and what podman's lacks:
    rules that overlap. openat2 is the newest call, for above it we say ENOSYS, which crun does not."""
    profile = json.loads(PODMAN_PROFILE.read_text())
    own = {"clone", "socket", "personality", "vserver", "tuxcall", "faccessat2", "process_madvise", "epoll_pwait2"}
    newest = {"close_range", "pidfd_getfd", "faccessat2", "process_madvise", "epoll_pwait2", "mount_setattr", "quotactl_fd",
              "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "memfd_secret", "process_mrelease",
              "futex_waitv", "set_mempolicy_home_node"}
    for rule in profile["syscalls"]:
        rule["names"] = [name for name in rule["names"] if name not in own | newest]
    profile["syscalls"] = [rule for rule in profile["syscalls"] if rule["names"]]
    allow, refuse = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"
    profile["syscalls"] += [
        {"names": ["clone"], "action": allow, "args": [compare(0, "MASKED_EQ", 2114060288)], "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["socket"], "action": allow, "args": [compare(0, "NE", 40)]},
        {"names": ["personality"], "action": allow, "args": [compare(0, "EQ", 0), compare(0, "EQ", 8)]},
        {"names": ["vserver"], "action": allow, "args": [compare(0, "GE", 3), compare(1, "LE", 9)]},
        {"names": ["vserver"], "action": refuse, "errnoRet": 44, "args": [compare(0, "LT", 3), compare(1, "EQ", 1)]},
        {"names": ["dup"], "action": refuse, "errnoRet": 42},
        {"names": ["getuid"], "action": refuse, "errnoRet": 43, "args": [compare(0, "EQ", 7)]},
        {"names": ["tuxcall"], "action": refuse, "errnoRet": 45, "args": [compare(0, "GT", 1)]},
        {"names": ["tuxcall"], "action": allow}]
    return {**profile, "defaultErrnoRet": 1, "defaultErrno": "EPERM"}


def has_name(door, number):
    resolve = ctypes.CDLL("libseccomp.so.2").seccomp_syscall_resolve_num_arch
    resolve.restype, resolve.argtypes = ctypes.c_void_p, [ctypes.c_uint32, ctypes.c_int]
    return bool(resolve({"native": 0xC000003E, "int80": 0x40000003}[door], number))


STYLE_QUESTIONS = {
    **QUESTIONS, "numbers": ["numbers", "native", "0", "437"], "32-bit numbers": ["numbers", "int80", "0", "437"],
    "overlaps": [word for name, number, arguments in (
        *(("vserver", 236, f"{a},{b}") for a in (1, 2, 3, 5) for b in (0, 1, 9, 10)), ("dup", 32, "0"), ("getuid", 102, "7"),
        ("getuid", 102, "8"), ("tuxcall", 184, "1"), ("tuxcall", 184, "2"))
        for word in ("ask-native", f"{name}-{arguments}", str(number), arguments)]}


@only_x86
@pytest.mark.only_root
@pytest.mark.personalities("cloche")
@pytest.mark.parametrize("question", STYLE_QUESTIONS)
def test_seccomp_json_of_dockers_style(run, personality, under_crun, asker, tmp_path, question):
    (tmp_path / "profile.json").write_text(json.dumps(docker_style()))
    expected = under_crun(docker_style(), *STYLE_QUESTIONS[question])
    result = run([personality, "--bare", "--ro-bind", asker, "/ask", "--seccomp-json", tmp_path / "profile.json", "--", "/ask",
                  *STYLE_QUESTIONS[question]], check=True)
    found = read(result.stdout)
    assert len(found) == len(expected) >= 4
    assert question == "audit" or len(set(expected.values())) > 1
    differences = {name for name in found if found[name] != expected[name]}
    if "numbers" in question:  # what nobody has a name for is unknown to us, and crun's default
        door = STYLE_QUESTIONS[question][1]
        unknown = {name for name in differences if not has_name(door, int(name.rstrip("?")))}
        assert {(found[name], expected[name]) for name in unknown} == {("ENOSYS", "EPERM")}
        differences -= unknown
    assert not differences, {name: (found[name], expected[name]) for name in differences}
