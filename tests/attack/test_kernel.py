# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attacks on the kernel through its system calls, under the policies `default` and `strict`, through the native door and
through int 0x80. Numbers as in SECURITY.md.

Each call is tried with harmless arguments, and the filters are asked about it without the kernel being reached (see
kernel.c). The control is the same outside: there nothing stands before the kernel, and its own answer is another one.
"""
import ctypes
import os
import platform
import re
import struct

import pytest

from attacking import Box, Results, box, control, program, pytest_generate_tests as generate_boxes
from conftest import REPOSITORY, wait_until

__all__ = ["box", "program", "pytest_generate_tests"]

NEW = {"newns": 0x00020000, "newcgroup": 0x02000000, "newuts": 0x04000000, "newipc": 0x08000000,
       "newuser": 0x10000000, "newpid": 0x20000000, "newnet": 0x40000000}
NEWUSER, SIGCHLD = NEW["newuser"], 17


class Call:
    """A system call with arguments; `expected` is what the default policy says, `strict` what strict says."""

    def __init__(self, name, arguments="0", label=None, *, expected="EPERM", strict=None, privileged=False, ask=False):
        self.name, self.arguments, self.label = name, arguments, label or name
        self.expected = {"default": expected, "strict": strict or expected}
        self.privileged = privileged  # the kernel's first question is for a capability: what root's control shows
        self.ask = ask  # the call itself is not tried


def obsolete(name):
    return Call(name, ask=True)


ROWS = {
    "K1": [Call("keyctl", "0,-3,0"), Call("add_key", "bad,bad,0,0,0"), Call("request_key", "bad,bad,0,0")],
    "K2": [Call("bpf", f"{command},bad,0", f"bpf-{command}", privileged=True) for command in (*range(0, 37), -1)],
    "K3": [Call("userfaultfd", "5"), Call("userfaultfd", "1", "userfaultfd-user-mode")],
    "K4": [Call("io_uring_setup", "0,bad", expected="ENOSYS"), Call("io_uring_enter", "-1,0,0,0,0,0", expected="ENOSYS"),
           Call("io_uring_register", "-1,0,0,0", expected="ENOSYS")],
    "K5": [Call("perf_event_open", "bad,0,-1,-1,0")],
    "K6": [*[Call("unshare", hex(flag), f"unshare-{name}", privileged=name != "newuser") for name, flag in NEW.items()],
           *[Call("unshare", hex(flag | NEWUSER), f"unshare-{name}-newuser") for name, flag in NEW.items()],
           Call("unshare", "0x80", "unshare-newtime", privileged=True),
           *[Call("clone", f"{flag | SIGCHLD},0,0,0,0", f"clone-{name}", privileged=name != "newuser")
             for name, flag in NEW.items()],
           *[Call("clone", f"{flag | NEWUSER | SIGCHLD},0,0,0,0", f"clone-{name}-newuser") for name, flag in NEW.items()],
           Call("clone3", "0,0", expected="ENOSYS")],
    "K7": [Call("setns", "-1,0"), *[Call("setns", f"-1,{flag}", f"setns-{name}") for name, flag in NEW.items()]],
    "K8": [Call("mount", "bad,path,bad,0,0"), Call("umount2", "path,0"), Call("umount", "path"),
           Call("pivot_root", "bad,bad", privileged=True),
           *[Call(name, arguments, expected="ENOSYS", privileged=privileged) for name, arguments, privileged in (
               ("open_tree", "-1,path,0", False), ("move_mount", "-1,path,-1,path,-1", True),
               ("fsopen", "bad,-1", True), ("fsconfig", "-1,0,0,0,0", False), ("fsmount", "-1,-1,-1", True),
               ("fspick", "-1,path,-1", True), ("mount_setattr", "-1,path,-1,bad,0", False),
               ("open_tree_attr", "-1,path,0,0,0", False), ("statmount", "bad,buf,0,0", False),
               ("listmount", "bad,buf,0,0", False))]],
    "K11": [Call("modify_ldt", "0,buf,16"), Call("iopl", "4"), Call("ioperm", "-1,1,0"), obsolete("vm86"),
            obsolete("vm86old")],
    "K12": [Call("kexec_load", "0,0xffffff,0,0x70000000", privileged=True),
            Call("kexec_file_load", "-1,-1,0,0,-1", privileged=True), Call("init_module", "bad,1,bad", privileged=True),
            Call("finit_module", "-1,bad,-1", privileged=True), Call("delete_module", "path,0", privileged=True),
            Call("reboot", "0,0,0,0", privileged=True), Call("swapon", "path,-1", privileged=True),
            Call("swapoff", "path", privileged=True), Call("acct", "path", privileged=True),
            Call("syslog", "99,0,0", privileged=True), Call("quotactl", "-1,bad,0,bad"), Call("quotactl_fd", "-1,0,0,bad"),
            Call("settimeofday", "bad,0"), Call("clock_settime", "0,bad"), Call("clock_settime64", "0,bad"),
            Call("stime", "bad"), Call("adjtimex", "bad"), Call("clock_adjtime", "0,bad"),
            Call("sethostname", "bad,1", privileged=True), Call("setdomainname", "bad,1", privileged=True)],
    "K13": [Call("fanotify_init", "0x80000200,0"), Call("name_to_handle_at", "-1,path,bad,bad,-1"),
            Call("open_by_handle_at", "-1,bad,0", privileged=True), obsolete("lookup_dcookie"),
            Call("kcmp", "self,self,99,0,0"), Call("process_vm_readv", "self,0,0,0,0,1"),
            Call("process_vm_writev", "self,0,0,0,0,1"), Call("process_madvise", "-1,0,0,0,-1"),
            Call("pidfd_getfd", "-1,-1,0"), Call("vmsplice", "-1,0,0,-1"), Call("remap_file_pages", "1,0,1,0,0"),
            Call("mbind", "0,0,0,0,0,-1"), Call("set_mempolicy", "99,0,0"), Call("get_mempolicy", "0,0,0,0,-1"),
            Call("migrate_pages", "999999999,0,bad,bad"), Call("move_pages", "self,0,0,0,0,-1"),
            Call("set_mempolicy_home_node", "1,0,0,1")],
    "P15": [Call("personality", number, f"personality-{number}") for number in (
        "0x400000", "0x40000", "0x440008", "0x100400000", "1", "9")],
}
# The nearest valid calls, which work under each policy.
VALID = [Call("personality", "0xffffffff", "personality-query"), Call("personality", "0", "personality-linux"),
         Call("personality", "8", "personality-32bit"), Call("clone", f"{SIGCHLD},0,0,0,0", "clone-plain"),
         Call("getpid")]

# What libseccomp 2.5.4 does not know; the same on all architectures.
NEWER = {"set_mempolicy_home_node": 450, "statmount": 457, "listmount": 458, "open_tree_attr": 467}
ARCHES = {("native", "x86_64"): 0xC000003E, ("native", "aarch64"): 0xC00000B7, ("int80", "x86_64"): 0x40000003}
I386_SOCKET, I386_SOCKETCALL = 359, 102
TERMINAL_CALLS = {"TIOCSTI": "0x5412", "TIOCLINUX": "0x541c", "TIOCSETD": "0x5423", "KDSKBSENT": "0x4b49",
                  "KDMKTONE": "0x4b30", "VT_ACTIVATE": "0x5606"}

libseccomp = ctypes.CDLL("libseccomp.so.2")
libseccomp.seccomp_syscall_resolve_name_arch.argtypes = [ctypes.c_uint32, ctypes.c_char_p]


def pytest_generate_tests(metafunc):
    generate_boxes(metafunc)
    if "policy" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("policies")
        metafunc.parametrize("policy", marker.args if marker else ["default", "strict"])
    if "door" in metafunc.fixturenames:
        metafunc.parametrize("door", [d for d, machine in ARCHES if machine == platform.machine()], indirect=True)


class Door:
    """How the kernel is entered; int80 is open with --allow-32bit only."""

    def __init__(self, name):
        self.name = name
        self.arch = ARCHES[name, platform.machine()]
        self.options = ["--allow-32bit"] if name == "int80" else []

    def number(self, name):
        """None where the door has no such call."""
        number = libseccomp.seccomp_syscall_resolve_name_arch(self.arch, name.encode())
        return number if number >= 0 else NEWER.get(name)

    def verbs(self, calls):
        verbs = []
        for call in calls:
            number = self.number(call.name)
            if number is not None:
                verbs += [f"ask-{self.name}" if call.ask else self.name, call.label, str(number), call.arguments]
        assert verbs
        return verbs

    def __str__(self):
        return self.name


def open_door(name, program, run):
    door = Door(name)
    if name == "int80" and control(run, program("kernel"), "int80", "getpid", "20", "0")["getpid"] != "ok":
        pytest.skip("this kernel runs no 32-bit programs")
    return door


@pytest.fixture
def door(request, program, run):
    return open_door(request.param, program, run)


@pytest.fixture
def sandbox(user, run):
    return Box("cloche", user, run)


def under(policy):
    """default is the default."""
    return [] if policy == "default" else ["--seccomp-policy", policy]


def attempt(sandbox, program, run, door, policy, calls, options=()):
    verbs = door.verbs(calls)
    inside = sandbox.attack(program("kernel"), *verbs, options=[*under(policy), *door.options, *options])
    return inside, control(run, program("kernel"), *verbs)


def check_refused(inside, free, user, policy, calls):
    """Each call that the door has is refused by the filter, with its errno, and reaches the kernel outside."""
    found = 0
    for call in calls:
        if call.label + "?" not in inside:
            continue  # the door has no such call
        found += 1
        expected = call.expected[policy]
        assert free[call.label + "?"] == "through", (call.label, free)
        assert inside[call.label + "?"] == expected, (call.label, inside)
        if call.ask:
            continue
        assert inside[call.label] == expected, (call.label, inside)
        # A kernel that lacks the call, and one that asks for a capability first, say the same to everybody.
        if free[call.label] != "ENOSYS" and (user.is_root or not call.privileged):
            assert free[call.label] != expected, (call.label, free)
    assert found > len(calls) / 2, (found, inside)


def check_with_control(sandbox, program, run, user, door, policy, calls):
    inside, free = attempt(sandbox, program, run, door, policy, calls)
    check_refused(inside, free, user, policy, calls)


@pytest.mark.vm
def test_K1_keyrings(sandbox, program, run, user, door, policy):
    check_with_control(sandbox, program, run, user, door, policy, ROWS["K1"])


@pytest.mark.vm
def test_K2_bpf(sandbox, program, run, user, door, policy):
    check_with_control(sandbox, program, run, user, door, policy, ROWS["K2"])


def test_K3_userfaultfd(sandbox, program, run, user, door, policy):
    check_with_control(sandbox, program, run, user, door, policy, ROWS["K3"])


@pytest.mark.vm
def test_K4_io_uring(sandbox, program, run, user, door, policy):
    check_with_control(sandbox, program, run, user, door, policy, ROWS["K4"])


def test_K5_perf(sandbox, program, run, user, door, policy):
    check_with_control(sandbox, program, run, user, door, policy, ROWS["K5"])


@pytest.mark.vm
def test_K6_namespaces(sandbox, program, run, user, door, policy):
    check_with_control(sandbox, program, run, user, door, policy, ROWS["K6"])


def test_K7_setns(sandbox, program, run, user, door, policy):
    check_with_control(sandbox, program, run, user, door, policy, ROWS["K7"])


@pytest.mark.vm
def test_K8_mounts(sandbox, program, run, user, door, policy):
    check_with_control(sandbox, program, run, user, door, policy, ROWS["K8"])


@pytest.mark.vm
def test_K9_numbers_of_tomorrow(sandbox, program, run, door, policy):
    """The control: nothing outside stands before the kernel, which does not know them either."""
    lid = int(re.search(r"^lid (\d+)", (REPOSITORY / "policy" / "default.policy").read_text(), re.M)[1])
    verbs = ["numbers", door.name, str(lid + 1), "600"]
    inside = sandbox.attack(program("kernel"), *verbs, options=[*under(policy), *door.options])
    assert lid < 500 and inside == {f"{number}?": "ENOSYS" for number in range(lid + 1, 601)}
    assert set(control(run, program("kernel"), *verbs).values()) == {"through"}


def test_K10_ptrace(sandbox, program, run, door, policy):
    """default allows it: the pid namespace bounds it. strict does not."""
    inside, free = attempt(sandbox, program, run, door, policy, [Call("ptrace", "0,0,0,0")])
    expected = {"default": {"ptrace": "ok", "ptrace?": "through"}, "strict": {"ptrace": "EPERM", "ptrace?": "EPERM"}}
    assert free == expected["default"] and inside == expected[policy]


def test_K11_machine(sandbox, program, run, user, door, policy):
    if platform.machine() != "x86_64":
        return
    check_with_control(sandbox, program, run, user, door, policy, ROWS["K11"])


@pytest.mark.vm
def test_K12_administration(sandbox, program, run, user, door, policy):
    check_with_control(sandbox, program, run, user, door, policy, ROWS["K12"])


def test_K13_handles_and_memory(sandbox, program, run, user, door, policy):
    check_with_control(sandbox, program, run, user, door, policy, ROWS["K13"])


def test_P15_personality(sandbox, program, run, user, door, policy):
    check_with_control(sandbox, program, run, user, door, policy, ROWS["P15"])


def test_K15_control_valid_calls(sandbox, program, run, door, policy):
    """Nearest valid input of the rows above: a filter that refuses everything would pass them."""
    inside, free = attempt(sandbox, program, run, door, policy, VALID)
    expected = {name: value for call in VALID for name, value in ((call.label, "ok"), (f"{call.label}?", "through"))}
    assert inside == free == expected


# ---- sockets -------------------------------------------------------------------------------------------------------
AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_VSOCK = 1, 2, 10, 16, 40


@pytest.mark.vm
def test_K14_families_of_sockets(sandbox, program, run, door, policy):
    number = I386_SOCKET if door.name == "int80" else door.number("socket")
    verbs = ["sockets", door.name, str(number)]
    inside = sandbox.attack(program("kernel"), *verbs, options=[*under(policy), *door.options])
    assert len(inside) == 64 * 4
    for name, verdict in inside.items():
        family = int(name.split(":")[0])
        allowed = family in (AF_UNIX, AF_INET, AF_INET6, AF_NETLINK)
        assert verdict == ("through" if allowed else "EAFNOSUPPORT"), (name, verdict)
    assert set(control(run, program("kernel"), *verbs).values()) == {"through"}


def test_K14_netlink(sandbox, program, run, door, policy):
    """Of netlink only the routing protocol; the upper half of an argument does not count."""
    number = str(I386_SOCKET if door.name == "int80" else door.number("socket"))
    verbs = [word for protocol in range(0, 23) for word in (
        f"ask-{door.name}", f"netlink-{protocol}", number, f"{AF_NETLINK},3,{protocol}")]
    verbs += [f"ask-{door.name}", "vsock-high", number, f"{AF_UNIX + (1 << 32)},1,0"] if door.name == "native" else []
    inside = sandbox.attack(program("kernel"), *verbs, options=[*under(policy), *door.options])
    assert inside.pop("netlink-0?") == "through" and inside.pop("vsock-high?", "through") == "through"
    assert set(inside.values()) == {"EAFNOSUPPORT"} and len(inside) == 22, inside
    assert set(control(run, program("kernel"), *verbs).values()) == {"through"}


def test_K14_control_sockets_that_work(sandbox, program, run, door, policy):
    number = str(I386_SOCKET if door.name == "int80" else door.number("socket"))
    verbs = [word for name, arguments in (("unix", "1,1,0"), ("inet", "2,1,0"), ("udp6", "10,2,0"), ("route", "16,3,0"))
             for word in (door.name, name, number, arguments)]
    inside = sandbox.attack(program("kernel"), *verbs, options=[*under(policy), *door.options])
    assert inside == control(run, program("kernel"), *verbs) and set(inside.values()) == {"ok", "through"}


def test_K14_socketcall(sandbox, program, run, policy):
    """The old way of 32-bit x86: the family is in memory, where no filter can look."""
    if platform.machine() != "x86_64":
        return
    verbs = ["int80", "vsock", str(I386_SOCKETCALL), f"1,args={AF_VSOCK}:1:0",
             "int80", "pair", str(I386_SOCKETCALL), "8,args=1:1:0:buf"]
    inside = sandbox.attack(program("kernel"), *verbs, options=[*under(policy), "--allow-32bit"])
    free = control(run, program("kernel"), *verbs)
    assert free["vsock?"] == free["pair?"] == "through" and free["pair"] == "ok"
    assert {inside[name] for name in ("vsock", "vsock?", "pair", "pair?")} == {"ENOSYS"}, inside


# ---- doors ---------------------------------------------------------------------------------------------------------
X32_GETPID = str(0x40000000 + 39)


@pytest.mark.vm
def test_K15_int80(sandbox, program, run, policy):
    """Killed, whatever is called; with --allow-32bit the rules are the same, which the rows above show."""
    if platform.machine() != "x86_64":
        return
    calls = ("getpid", "20", "0"), ("exit", "1", "0"), ("write", "4", "1,buf,0"), ("tomorrow", "1000", "0")
    verbs = [word for call in calls for word in ("int80", *call)]
    inside = sandbox.attack(program("kernel"), *verbs, options=under(policy))
    assert set(inside.values()) == {"SIGSYS"} and len(inside) == 8, inside
    opened = sandbox.attack(program("kernel"), "int80", "getpid", "20", "0", options=[*under(policy), "--allow-32bit"])
    free = control(run, program("kernel"), *verbs)
    if free["getpid"] != "ok":
        pytest.skip("this kernel runs no 32-bit programs")
    assert opened == {"getpid": "ok", "getpid?": "through"} and free["getpid?"] == "through"


@pytest.mark.parametrize("options", [[], ["--allow-32bit"]], ids=["native", "allow-32bit"])
def test_K15_x32(sandbox, program, run, policy, options):
    """ENOSYS in any case. Where the kernel has no x32 it says so as well; the filter comes before it."""
    if platform.machine() != "x86_64":
        return
    verbs = ["native", "x32", X32_GETPID, "0"]
    inside = sandbox.attack(program("kernel"), *verbs, options=[*under(policy), *options])
    assert inside == {"x32": "ENOSYS", "x32?": "ENOSYS"}
    free = control(run, program("kernel"), *verbs)
    assert free["x32?"] == "through" and free["x32"] in ("ok", "ENOSYS")


# ---- filters of COMMAND's own --------------------------------------------------------------------------------------
def test_K16_own_filters_only_tighten(sandbox, program, run, policy):
    number = str(Door("native").number("add_key"))
    inside = sandbox.attack(program("kernel"), "own-filter", number, options=under(policy))
    assert inside == {"own-allow": "ok", "own-call": ROWS["K1"][1].expected[policy], "own-deny": "ok",
                      "own-uname": "EXFULL", "own-listener": "ok"}
    free = control(run, program("kernel"), "own-filter", number)
    assert free == {**inside, "own-call": free["own-call"]} and free["own-call"] not in ("EPERM", "ENOSYS"), free


@pytest.mark.vm
def test_K17_every_thread_is_confined(sandbox, program, run, policy):
    inside = sandbox.attack(program("kernel"), "await-init", "states", options=under(policy))
    assert inside.all("thread") == ["2 1", "2 1"] and inside.all("init") == ["2 1"], inside
    assert control(run, program("kernel"), "states").all("thread") == ["0 0", "0 0"]


# ---- filters of the caller's ---------------------------------------------------------------------------------------
LOAD_NUMBER, RETURN, EQUAL = 0x20, 0x06, 0x15
ALLOW, ERRNO, KILL = 0x7FFF0000, 0x00050000, 0x80000000


def instruction(code, k=0, jt=0, jf=0):
    return struct.pack("HBBI", code, jt, jf, k)


def returns(action):
    return instruction(RETURN, action)


def refuse(name, action):
    return (instruction(LOAD_NUMBER) + instruction(EQUAL, Door("native").number(name), 0, 1) + returns(action)
            + returns(ALLOW))


def with_filters(box, program, filters, option="--add-seccomp-fd", command=("states",)):
    """The result of COMMAND under these programs."""
    fds = []
    try:
        for text in filters:
            fds.append(os.memfd_create("filter"))
            os.write(fds[-1], text)
            os.lseek(fds[-1], 0, os.SEEK_SET)
        options = [word for fd in fds for word in (option, str(fd))]
        return box.start(program("kernel"), *command, options=options, pass_fds=fds)
    finally:
        for fd in fds:
            os.close(fd)


def assert_clean_refusal(box, result, status=None):
    """One message, and nothing ran."""
    assert result.returncode == (status or box.setup_failed) and result.stdout == "", result
    lines = result.stderr.splitlines()
    assert lines and lines[0].startswith(f"{box.name}: ") and len(lines) <= 2, result


@pytest.mark.parametrize("option", ["--seccomp", "--add-seccomp-fd"])
def test_K18_long_filter(box, program, option):
    """4096 instructions are what the kernel takes."""
    good = with_filters(box, program, [returns(ALLOW) * 4096], option)
    assert good.returncode == 0 and Results(good.stdout).all("thread") == ["2 1", "2 1"], good
    assert_clean_refusal(box, with_filters(box, program, [returns(ALLOW) * 4097], option))


def test_K18_many_filters(box, program):
    """33 small ones are fine; the kernel's limit is 32768 instructions, 4 more counted for each filter."""
    good = with_filters(box, program, [returns(ALLOW)] * 33)
    assert good.returncode == 0 and "thread 2 1\n" in good.stdout, good
    assert_clean_refusal(box, with_filters(box, program, [returns(ALLOW) * 4096] * 8))


def test_K18_filter_that_forbids_to_start_or_to_end(box, program):
    good = with_filters(box, program, [refuse("acct", ERRNO | 1)])
    assert good.returncode == 0, good
    forbidden = with_filters(box, program, [refuse("execve", ERRNO | 1)])
    assert_clean_refusal(box, forbidden, 126 if box.is_cloche else 1)
    assert "Operation not permitted" in forbidden.stderr
    assert with_filters(box, program, [refuse("execve", KILL)]).returncode == 128 + 31
    killed = with_filters(box, program, [refuse("exit_group", KILL)])
    assert killed.returncode == 128 + 31 and "thread 2 1\n" in killed.stdout, killed


GARBAGE = {"no instruction": b"\xff" * 8, "no return": instruction(LOAD_NUMBER), "jump out": instruction(EQUAL, 0, 9, 9),
           "odd offset": instruction(LOAD_NUMBER, 2) + returns(ALLOW), "text": b"#!/bin/sh\nexit 0", "odd length": b"x" * 7,
           "empty": b"", "64 KiB and more": returns(ALLOW) * 9000, "1 MiB": returns(ALLOW) * (1 << 17)}


@pytest.mark.parametrize("option", ["--seccomp", "--add-seccomp-fd"])
@pytest.mark.parametrize("garbage", GARBAGE)
def test_K19_garbage(box, program, garbage, option):
    assert with_filters(box, program, [returns(ALLOW)], option).returncode == 0  # nearest valid input
    assert_clean_refusal(box, with_filters(box, program, [GARBAGE[garbage]], option))


def test_K19_endless_pipe(box, program, popen):
    """It is read until it is too long. The control is a pipe that ends."""
    endless = popen(["cat", "/dev/zero"])
    result = box.start(program("kernel"), "states", options=["--seccomp", str(endless.stdout.fileno())],
                       pass_fds=[endless.stdout.fileno()])
    assert_clean_refusal(box, result)
    ending = popen(["printf", "\\006\\000\\000\\000\\000\\000\\377\\177"])
    fd = str(ending.stdout.fileno())
    good = box.start(program("kernel"), "states", options=["--seccomp", fd], pass_fds=[int(fd)])
    assert good.returncode == 0 and "thread 2 1\n" in good.stdout, good


def test_K19_silent_pipe(box, program, popen):
    """It waits, as for any pipe, and dies at once when it is told to; nothing ran. The control is in the test above."""
    read, write = os.pipe()
    argv = box.argv([*box.options(program("kernel")), "--seccomp", str(read)], ["/attack", "states"])
    process = popen(argv, pass_fds=[read])
    os.close(read)
    with open(f"/proc/{process.pid}/wchan") as wchan:  # free of guesses: it sleeps in pipe_read, or in anon_pipe_read
        wait_until(lambda: wchan.seek(0) == 0 and "pipe_read" in wchan.read())
    process.terminate()
    assert process.wait(60) in (-15, 143) and process.stdout.read() == ""
    os.close(write)
