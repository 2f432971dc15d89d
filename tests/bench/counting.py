# SPDX-License-Identifier: LGPL-2.1-or-later
"""Judges the record of system calls that the counter writes (counter.c).

What is judged lies between the entry of main() and COMMAND's execve, over all
processes: figures that do not depend on the machine or on its load.
"""

import collections
import re
import subprocess

Call = collections.namedtuple("Call", "process name arguments string target childless netlink")

OPENING = {"open", "openat", "openat2"}
READING = {"read", "readv", "recvfrom", "recvmsg", "recvmmsg"}
WAITING = {"poll", "ppoll", "select", "pselect6", "epoll_wait", "epoll_pwait", "epoll_pwait2",
           "wait4", "waitid", "rt_sigtimedwait", "rt_sigsuspend", "pause", "nanosleep",
           "clock_nanosleep"}
# Asking is not waiting: the timeout of the first ones, a flag of the others.
AT_ONCE = {"poll": (2, 0), "epoll_wait": (3, 0), "epoll_pwait": (3, 0)}  # argument, its value
WNOHANG = {"wait4": 2, "waitid": 3}
FUTEX_WAITS = {0, 6, 9, 11}  # WAIT, LOCK_PI, WAIT_BITSET, WAIT_REQUEUE_PI
BETWEEN_PROCESSES = re.compile(r"pipe:|socket:|anon_inode:\[(eventfd|signalfd|pidfd|eventpoll)\]")
AF_NETLINK = 16


class Record:
    """One start, as a list of calls from main() to COMMAND's execve."""

    def __init__(self, lines, command):
        self.calls = []  # all processes, in order of entry, COMMAND's execve included
        self.main_seen = False  # False: the calls begin after the program's own execve
        self.processes = 1
        started = []
        netlink = collections.defaultdict(set)
        parents = set()
        last = {}
        for line in lines:
            kind, process, *rest = line.rstrip("\n").split("\t")
            process = int(process)
            if kind == "call":
                arguments = [int(text, 16) for text in rest[1].split(",")]
                call = Call(process, rest[0], arguments, rest[2], rest[3],
                            process not in parents, arguments[0] in netlink[process])
                last[process] = call
                started.append(call)
            elif kind == "return" and process in last:
                if last[process].name == "socket" and last[process].arguments[0] == AF_NETLINK:
                    netlink[process].add(int(rest[0]))
            elif kind == "fork":
                parents.add(process)
                netlink[int(rest[0])] = set(netlink[process])
                self.processes = max(self.processes, int(rest[0]) + 1)
            elif kind == "main":
                self.main_seen = True
                started = []
            elif kind == "exec":
                call = last.get(process)
                if call is None:
                    continue  # the program's own execve, which the counter does not see enter
                if call.string == command:
                    self.calls = started[:started.index(call) + 1]
                    return
        raise AssertionError(f"{command} was never executed")

    def by_name(self):
        return collections.Counter(call.name for call in self.calls)

    def by_process(self):
        return collections.Counter(call.process for call in self.calls)

    def mount_tables_read(self):
        """Opens of a list of mounts, by any of its names."""
        return [call for call in self.calls if call.name in OPENING and
                re.search(r"mountinfo$|mounts$|mountstats$|mtab$", call.string)]

    def unreadable(self):
        """Opens whose path the tracer was not allowed to read: they could be anything."""
        return [call for call in self.calls if call.name in OPENING and call.string == "?"]

    def pivots(self):
        return [call for call in self.calls if call.name == "pivot_root"]

    def handshakes(self):
        """Waits of a process that has no child yet, thus waits for its parent.

        Waiting for children does not delay the start; an answer of the kernel on a netlink
        socket comes from no process.
        """
        def waits(call):
            if call.name == "futex":
                return call.arguments[1] & 0x7f in FUTEX_WAITS
            if call.name in READING:
                return bool(BETWEEN_PROCESSES.match(call.target)) and not call.netlink
            if call.name in AT_ONCE:
                argument, value = AT_ONCE[call.name]
                return call.arguments[argument] & 0xffffffff != value
            if call.name in WNOHANG:
                return not call.arguments[WNOHANG[call.name]] & 1
            return call.name in WAITING
        return [call for call in self.calls if call.childless and waits(call)]


def main_offset(program):
    """Distance in bytes from PROGRAM's entry point to its main(); 0 for a stripped one."""
    header = subprocess.run(["readelf", "-h", program], capture_output=True, text=True,
                            check=True, env={"LC_ALL": "C"}).stdout
    symbols = subprocess.run(["readelf", "-sW", program], capture_output=True, text=True,
                             check=True, env={"LC_ALL": "C"}).stdout
    entry = int(re.search(r"Entry point address:\s+0x([0-9a-f]+)", header).group(1), 16)
    for line in symbols.splitlines():
        fields = line.split()
        if len(fields) == 8 and fields[3] == "FUNC" and fields[7] == "main":
            return int(fields[1], 16) - entry
    return 0


def record(counter, output, program, options, command, **how):
    """Runs `PROGRAM OPTIONS -- COMMAND` under the counter; OUTPUT is a file for its record."""
    done = subprocess.run([counter, output, str(main_offset(program)), program, *options, "--",
                           command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False, **how)
    if done.returncode:
        raise AssertionError(f"{program} under the counter ended with {done.returncode}: "
                             f"{done.stderr}")
    with open(output, encoding="utf-8", errors="replace") as lines:
        return Record(lines, command)
