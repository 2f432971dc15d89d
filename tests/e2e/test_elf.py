# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the built programs look like as ELF files: hardening, and what a start has to link.

Read with readelf, on the build under test and on the static one ($CLOCHE_BUILD_STATIC, where it is set). Marks that
the C library would leave in a static program by itself (its own stack protector, its own _chk functions) are looked
for in our object files instead. Each check has a control: a program built without that hardening is found out.
"""
import os
import pathlib
import platform
import re
import subprocess

import pytest

from conftest import BUILD

pytestmark = [
    pytest.mark.only_user,  # who reads the files makes no difference
    pytest.mark.skipif(bool(os.environ.get("CLOCHE_SANITIZED")), reason="sanitized build: not the one that is shipped"),
]

HARDENED = ["-O2", "-fPIE", "-pie", "-D_FORTIFY_SOURCE=2", "-fstack-protector-strong", "-fcf-protection=full",
            "-fvisibility=hidden", "-Wl,-z,relro", "-Wl,-z,now", "-Wl,-z,noexecstack"]
if platform.machine() != "x86_64":
    HARDENED.remove("-fcf-protection=full")
HARDENED_STATIC = ["-static-pie" if flag == "-pie" else flag for flag in HARDENED]

# Needs each of the marks: an array on the stack, a call that FORTIFY checks, a function that could be exported.
SOURCE = """
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#ifdef WRITABLE_CODE
__attribute__((section(".both,\\"awx\\",@progbits#"))) int both = 1;
#endif
int exported(int number) { return number + 1; }
int main(int argc, char **argv)
{
	char *volatile name = argv[argc - 1];
	char text[16];
	snprintf(text, (size_t)argc * 8, "%s", name);
	memcpy(text, name, strlen(name));
	return exported(text[0]);
}
"""


def readelf(path, *options):
    return subprocess.run(["readelf", "-W", *options, path], capture_output=True, text=True, check=True,
                          env={"PATH": os.environ["PATH"], "LC_ALL": "C"}).stdout


class Elf:
    """The parts of one program that the checks look at."""

    def __init__(self, path):
        self.path = path
        self.type = re.search(r"Type:\s+(\w+)", readelf(path, "-h")).group(1)
        # name, offset, address, physical address, file size, memory size, flags, alignment
        self.segments = re.findall(r"^  (\w+)\s+0x(\w+) 0x(\w+) 0x\w+ 0x(\w+) 0x\w+ ([RWE ]{3}) 0x", readelf(path, "-l"),
                                   re.M)
        self.dynamic = re.findall(r"\((\w+)\)\s+(.*)$", readelf(path, "-d"), re.M)
        self.notes = readelf(path, "-n")
        self.symbols = self._symbols(readelf(path, "-s"))
        self.dynamic_symbols = self._symbols(readelf(path, "--dyn-syms"))

    @staticmethod
    def _symbols(text):
        """(value, type, binding, section, name without version)"""
        return re.findall(r"^\s+\d+: (\w+)\s+\w+ (\w+)\s+(\w+)\s+\w+\s+(\w+) ([^\s@]+)", text, re.M)

    @property
    def is_static(self):
        return not any(segment[0] == "INTERP" for segment in self.segments)

    @property
    def needed(self):
        return {re.search(r"\[(.*)\]", value).group(1) for tag, value in self.dynamic if tag == "NEEDED"}

    def flags(self, tag):
        return " ".join(value for found, value in self.dynamic if found == tag)

    def code_at(self, symbol, length):
        """The first bytes of a function."""
        address = next(int(value, 16) for value, kind, _, _, name in self.symbols if (name, kind) == (symbol, "FUNC"))
        for name, offset, start, size, _ in self.segments:
            begin = int(start, 16)
            if name == "LOAD" and begin <= address < begin + int(size, 16):
                data = pathlib.Path(self.path).read_bytes()
                return data[int(offset, 16) + address - begin:][:length]
        raise AssertionError(f"{symbol} is in no segment")


def referenced(objects):
    """Symbols which these object files want from elsewhere."""
    return {name for path in objects for _, _, _, section, name in Elf._symbols(readelf(path, "-s")) if section == "UND"}


def defects(path, objects):
    """What is wrong with the program at `path`, made of `objects`, as a set of short names."""
    elf = Elf(path)
    found = set()

    def require(condition, name):
        if not condition:
            found.add(name)

    marks = referenced(objects)
    require(elf.type == "DYN" and "PIE" in elf.flags("FLAGS_1").split(), "not position independent")
    require(any(name == "GNU_RELRO" for name, *_ in elf.segments), "no relro")
    require("BIND_NOW" in elf.flags("FLAGS") or "NOW" in elf.flags("FLAGS_1").split(), "lazy binding")
    stack = [flags for name, _, _, _, flags in elf.segments if name == "GNU_STACK"]
    require(stack and "E" not in stack[0], "executable stack")
    require(all("W" not in flags or "E" not in flags for name, _, _, _, flags in elf.segments if name == "LOAD"),
            "writable code")
    require("__stack_chk_fail" in marks, "no stack protector")
    require(any(re.fullmatch(r"__\w+_chk", name) for name in marks), "no fortify")
    require(not elf.flags("RPATH") and not elf.flags("RUNPATH"), "library path")
    require(all(tag != "TEXTREL" for tag, _ in elf.dynamic) and "TEXTREL" not in elf.flags("FLAGS"), "text relocations")
    require(not any(kind == "FUNC" and binding == "GLOBAL" and section != "UND" and name not in ("_init", "_fini")
                    for _, kind, binding, section, name in elf.dynamic_symbols), "exports functions")
    if platform.machine() == "x86_64":
        require(elf.code_at("main", 4) == b"\xf3\x0f\x1e\xfa", "no landing pad")  # endbr64
        require(all("IBT" in readelf(o, "-n") and "SHSTK" in readelf(o, "-n") for o in objects), "object without CET note")
    return found


def linked_objects(program):
    """Our object files, from the build directory of `program`; those of tests and build tools lie deeper."""
    build = pathlib.Path(program).parent
    objects = sorted(build.glob("*.p/*.o"))
    assert objects, f"no object files in {build}: the hardening of a static program cannot be read from it alone"
    return objects


def our_programs():
    directories = {"build": BUILD}
    if os.environ.get("CLOCHE_BUILD_STATIC"):
        directories["static"] = pathlib.Path(os.environ["CLOCHE_BUILD_STATIC"])
    return [pytest.param(directory / name, id=f"{kind}-{name}")
            for kind, directory in directories.items() for name in ("cloche", "bwrap")]


@pytest.mark.parametrize("program", our_programs())
def test_elf_hardening(program):
    assert defects(program, linked_objects(program)) == set()


@pytest.mark.parametrize("program", our_programs())
def test_elf_needed(program):
    elf = Elf(program)
    if elf.is_static:
        assert elf.needed == set()
        return
    allowed = {"libc.so.6"}
    archive = subprocess.run(["cc", "-print-file-name=libcap.a"], capture_output=True, text=True, check=True).stdout.strip()
    if not os.path.isabs(archive):  # this distribution has no static libcap
        allowed.add("libcap.so.2")
    needed = {name for name in elf.needed if not name.startswith("ld-linux")}
    assert "libc.so.6" in needed and needed <= allowed


def make(tmp_path, flags):
    command = ["cc", *flags, "-c", "-o", tmp_path / "control.o", "-x", "c", "-"]
    subprocess.run(command, input=SOURCE, text=True, check=True, capture_output=True)
    subprocess.run(["cc", *flags, "-o", tmp_path / "control", tmp_path / "control.o"], check=True, capture_output=True)
    return tmp_path / "control", [tmp_path / "control.o"]


@pytest.mark.parametrize("flags", [pytest.param(HARDENED, id="dynamic"), pytest.param(HARDENED_STATIC, id="static")])
def test_elf_control_hardened(tmp_path, flags):
    assert defects(*make(tmp_path, flags)) == set()


WEAKENED = [
    ("not position independent", ["-no-pie", "-fno-pie"]),
    ("no relro", ["-Wl,-z,norelro"]),
    ("lazy binding", ["-Wl,-z,lazy"]),
    ("executable stack", ["-Wl,-z,execstack"]),
    ("writable code", ["-DWRITABLE_CODE"]),
    ("no stack protector", ["-fno-stack-protector"]),
    ("no fortify", ["-U_FORTIFY_SOURCE"]),
    ("library path", ["-Wl,-rpath,/nowhere"]),
    ("exports functions", ["-fvisibility=default", "-rdynamic"]),
]
if platform.machine() == "x86_64":
    WEAKENED += [("no landing pad", ["-fcf-protection=none"]), ("object without CET note", ["-fcf-protection=branch"])]


@pytest.mark.parametrize("name, flags", [pytest.param(name, flags, id=name.replace(" ", "-")) for name, flags in WEAKENED])
def test_elf_control_weakened(tmp_path, name, flags):
    assert name in defects(*make(tmp_path, HARDENED + flags))
