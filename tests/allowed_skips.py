# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads tests/allowed-skips (README.md there). Used by conftest.py for pytest and by `results` for meson's unit tests."""
import fnmatch
import functools
import pathlib
import platform
import re

DIRECTORY = pathlib.Path(__file__).resolve().parent / "allowed-skips"


@functools.cache
def allowed_skips():
    """[(glob of the test, glob of the reason)] for this kernel, from `any` and MAJOR.MINOR or `default`."""
    version = re.match(r"\d+\.\d+", platform.release()).group()
    files = [DIRECTORY / "any", DIRECTORY / version if (DIRECTORY / version).exists() else DIRECTORY / "default"]
    allowed = []
    for file in files:
        for line in file.read_text().splitlines():
            if line.strip() and not line.startswith("#"):
                test, separator, reason = line.partition(" | ")
                if not separator:
                    raise ValueError(f"{file}: not 'TEST | REASON': {line}")
                allowed.append((test.strip(), reason.strip()))
    return allowed


def matches(pattern, text):
    """Only * is special: the names of tests contain [ and ]."""
    pattern = pattern.replace("[", "[[]").replace("?", "[?]")
    return re.match(fnmatch.translate(pattern), text, re.S) is not None


def is_allowed_skip(test, reason):
    return any(matches(t, test) and matches(r, reason) for t, r in allowed_skips())
