# SPDX-License-Identifier: LGPL-2.1-or-later
"""tcp.py PORT...: tries each way to a connection with 127.0.0.1:PORT, and prints `WAY RESULT` for each."""
import errno
import socket
import sys

FAST_OPEN, FAST_OPEN_CONNECT, MPTCP, SCTP, SMC = 0x20000000, 30, 262, 132, 43


def stream(family=socket.AF_INET, kind=socket.SOCK_STREAM, protocol=0):
    return socket.socket(family, kind, protocol)


def fast_open_connect(address):
    with stream() as s:
        s.setsockopt(socket.IPPROTO_TCP, FAST_OPEN_CONNECT, 1)
        s.connect(address)
        s.send(b"x")


WAYS = {
    "connect": lambda address: stream().connect(address),
    "connect-tcp": lambda address: stream(protocol=socket.IPPROTO_TCP).connect(address),
    "connect-mapped": lambda address: stream(socket.AF_INET6).connect(("::ffff:" + address[0], address[1])),
    "sendto": lambda address: stream().sendto(b"x", FAST_OPEN, address),
    "sendto-mapped": lambda address: stream(socket.AF_INET6).sendto(b"x", FAST_OPEN, ("::ffff:" + address[0], address[1])),
    "sendmsg": lambda address: stream().sendmsg([b"x"], [], FAST_OPEN, address),
    "fast-open-connect": fast_open_connect,
    "mptcp": lambda address: stream(protocol=MPTCP).connect(address),
    "mptcp-sendto": lambda address: stream(protocol=MPTCP).sendto(b"x", FAST_OPEN, address),
    "mptcp-6": lambda address: stream(socket.AF_INET6, protocol=MPTCP).connect(("::ffff:" + address[0], address[1])),
    "sctp": lambda address: stream(kind=socket.SOCK_SEQPACKET, protocol=SCTP).connect(address),
    "smc": lambda address: stream(SMC).connect(address),
    "udp": lambda address: stream(kind=socket.SOCK_DGRAM).connect(address),
}

for way, act in WAYS.items():
    try:
        act(("127.0.0.1", int(sys.argv[1])))
    except OSError as e:
        print(way, errno.errorcode[e.errno])
    else:
        print(way, "ok")
