# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attacks on the terminal of whoever reads the messages. COMMAND's own terminal: test_terminal_own.py. Numbers as in
SECURITY.md."""
import json
import os

import pytest

from attacking import box, program, pytest_generate_tests

__all__ = ["box", "program", "pytest_generate_tests"]

# Escape sequences: title, clear, OSC 52 clipboard, the 8-bit CSI raw and as UTF-8, line breaks, backspaces, DEL, and
# the bidirectional override, which is no control character but is not printable either.
EVIL = ("\x1b]0;title\x07", "\x1b[2J", "\x1b]52;c;ZXZpbA==\x1b\\", "\udc9b2J", "\x9b2J", "a\nbwrap: all is well",
        "a\rb", "a\b\b\b\b", "\x7f", "\x0e", "\x01\x02", "tab\tend")


def messages(box, program, evil):
    """Every place in which a word of the caller's, or of a file's, comes back in a message."""
    options = box.options(program("fs"))
    yield "source", box.argv([*options, "--ro-bind", f"/no/{evil}", "/x"], ["/attack"])
    yield "destination", box.argv([*options, "--chmod", "0700", f"/no/{evil}"], ["/attack"])
    yield "option", box.argv([*options, f"--{evil}"], ["/attack"])
    yield "number", box.argv([*options, "--uid", evil], ["/attack"])
    yield "descriptor", box.argv([*options, "--seccomp", evil], ["/attack"])
    yield "perms", box.argv([*options, "--perms", evil, "--dir", "/x"], ["/attack"])
    yield "size", box.argv([*options, "--size", evil, "--tmpfs", "/x"], ["/attack"])
    yield "capability", box.argv([*options, "--cap-add", evil], ["/attack"])
    yield "chdir", box.argv([*options, "--chdir", f"/{evil}"], ["/attack"])
    yield "symlink", box.argv([*options, "--symlink", evil, "/x", "--symlink", "y", "/x"], ["/attack"])
    yield "command", box.argv(options, [f"/no/{evil}"])
    yield "variable", box.argv([*options, "--setenv", f"A={evil}", "x"], ["/attack"])


def is_clean(data):
    text = data.decode("utf-8", "surrogateescape")
    return all(c == "\n" or (c >= " " and c != "\x7f" and not "\x80" <= c <= "\x9f" and not "\udc80" <= c <= "\udcff")
               for c in text)


@pytest.mark.parametrize("evil", EVIL, ids=lambda e: ascii(e)[1:-1].replace("[", "(").replace("]", ")"))
def test_T10_control_characters_in_messages(box, program, evil):
    for place, argv in messages(box, program, evil):
        argv = [os.fsencode(os.fspath(a)) for a in argv]
        result = box.run_program(argv, text=False)
        assert result.returncode != 0, (place, result)
        assert result.stderr and is_clean(result.stderr), (place, result)
        if "\n" in evil:  # no forged line: each is one that we write
            assert not any(line.startswith(b"bwrap: all") for line in result.stderr.splitlines()), (place, result)


def test_T10_control_printable_characters_are_shown(box, program):
    for place, argv in messages(box, program, "hällo wörld"):
        result = box.run_program(argv)
        assert result.returncode != 0, (place, result)
        # Some messages name only the option, as bubblewrap's do.
        if place in ("source", "destination", "option", "command", "chdir"):
            assert "hällo wörld" in result.stderr, (place, result)


@pytest.mark.parametrize("evil", EVIL, ids=lambda e: ascii(e)[1:-1].replace("[", "(").replace("]", ")"))
def test_T10_control_characters_in_the_status(box, program, evil):
    read, write = os.pipe()
    argv = box.argv([*box.options(program("fs")), "--json-status-fd", str(write), "--ro-bind", f"/no/{evil}", "/x"],
                    ["/attack"])
    result = box.run_program([os.fsencode(os.fspath(a)) for a in argv], text=False, pass_fds=[write])
    os.close(write)
    with os.fdopen(read, "rb") as file:
        lines = file.read().split(b"\n")
    assert result.returncode == box.setup_failed and lines.pop() == b""
    assert all(is_clean(line) for line in lines), lines
    for line in lines:
        json.loads(line)
