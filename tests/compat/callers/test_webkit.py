# SPDX-License-Identifier: LGPL-2.1-or-later
"""WebKitGTK's own sandbox works with our bwrap: a page is loaded, its script runs and it appears on the screen.

WebKit starts /usr/bin/bwrap, whatever PATH says: here the binary under test is mounted there in a
mount namespace of the test's own. The X server is an Xvfb whose screen is a file.
"""
import contextlib
import json
import os
import pathlib
import struct

import pytest

from conftest import wait_until

from .session import (COLOUR, HANG, HERE, assert_same_view, in_place_of_system_bwrap, map_line, need, need_typelib,
                      new_session, on_bus, visible_mounts, without_numbers)

pytestmark = pytest.mark.only_user
BROWSERS = sorted(pathlib.Path("/usr/lib").glob("*/webkit2gtk-4.1/MiniBrowser"))
PAGE = """<!doctype html><title>not yet</title><body style="margin:0">
<img src="dot.svg" hidden onload="document.body.style.background='rgb(%d,%d,%d)'">
<script>document.title = 'cloche ' + 6 * 7</script>
""" % COLOUR
DOT = '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'


@contextlib.contextmanager
def screen(session):
    """An X server; yields a function that counts the screen's pixels of a colour."""
    need("Xvfb")
    sockets = pathlib.Path("/tmp/.X11-unix")
    had_sockets = sockets.exists()
    read, write = os.pipe()
    with session.popen(["Xvfb", "-displayfd", str(write), "-screen", "0", "640x480x24", "-nolisten", "tcp",
                        "-fbdir", session.work], pass_fds=[write]) as server:
        os.close(write)
        with os.fdopen(read) as pipe:
            number = pipe.readline().strip()
        assert number, f"Xvfb: {server.communicate()}"
        session.env["DISPLAY"] = f":{number}"
        try:
            yield lambda colour: count_pixels(session.work / "Xvfb_screen0", colour)
        finally:
            server.terminate()
            server.communicate(timeout=HANG)
            if not had_sockets:
                with contextlib.suppress(OSError):  # another X server may have come meanwhile
                    sockets.rmdir()


def count_pixels(path, colour):
    """How many pixels of an XWD file with 32 bits per pixel have this colour."""
    data = path.read_bytes()
    header = struct.unpack(">25I", data[:100])
    width, height, order, bits, line, colours = header[4], header[5], header[7], header[11], header[12], header[19]
    assert (width, height, bits, line) == (640, 480, 32, 640 * 4)
    pixels = data[header[0] + colours * 12:]
    red, green, blue = colour
    wanted = bytes((0, red, green, blue) if order else (blue, green, red, 0))
    mask = (0, 1, 2) if not order else (1, 2, 3)
    planes = [pixels[offset:width * height * 4:4] for offset in mask]
    return sum(pixel == tuple(wanted[o] for o in mask) for pixel in zip(*planes))


@pytest.fixture
def display(session):
    need("dbus-run-session", "/usr/bin/xdg-dbus-proxy")
    session.write("page.html", PAGE)
    session.write("dot.svg", DOT)
    with screen(session) as count:
        yield count


def open_page(session):
    """Loads the page in the viewer of this directory; returns the process and its report."""
    need_typelib("WebKit2", "4.1")
    process = session.popen(on_bus(["/usr/bin/python3", HERE / "webkit_view.py", f"file://{session.work}/page.html"]),
                            prefix=in_place_of_system_bwrap(session), stdin=-1)
    for line in process.stdout:
        if line.startswith("{"):  # services that the bus starts print here as well
            return process, json.loads(line)
    pytest.fail(f"{process.communicate(timeout=HANG)}\nstarts: {session.bwrap.words()}")


def close_page(process):
    _, err = process.communicate("\n", timeout=HANG)
    assert process.returncode == 0, err


def test_webkit_sandbox_renders(session, display):
    assert display(COLOUR) == 0
    process, report = open_page(session)
    try:
        assert report.get("script") == "cloche 42 300 file:", report
        wait_until(lambda: display(COLOUR) == 300 * 200)
    finally:
        close_page(process)
    starts = session.bwrap.words()
    assert any("WebKitWebProcess" in word for words in starts for word in words), starts
    assert any("xdg-dbus-proxy" in word for words in starts for word in words), starts


def test_webkit_sandbox_confined(session, display):
    process, report = open_page(session)
    close_page(process)
    status = dict(line.split(":\t", 1) for line in report["web"]["status"].splitlines() if ":\t" in line)
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2" and int(status["CapEff"], 16) == 0
    for name in ("user", "pid", "mnt", "uts"):
        assert report["web"]["namespaces"][name] != os.readlink(f"/proc/self/ns/{name}")
    mounts = {line.split()[4]: line.split()[5].split(",") for line in report["web"]["mounts"].splitlines()}
    assert "ro" in mounts["/etc"] and str(session.home) not in mounts and "/home" not in mounts


def test_webkit_sandbox_same_mounts(top, ordinary_user, binaries, binary):
    """The web process has the same mounts and status with the binary under test as with the control."""
    views = []
    for each in (binaries["control"], binary):
        with new_session(top, ordinary_user, each) as session:
            session.write("page.html", PAGE)
            with screen(session):
                process, report = open_page(session)
                close_page(process)
        views.append(web_view(report["web"], session))
    assert_same_view(*views)


def web_view(web, session):
    lines = visible_mounts(web["mounts"].replace(str(session.top), "SESSION").splitlines())
    wanted = ("Uid", "Gid", "Groups", "Cap", "NoNewPrivs", "Seccomp", "SigIgn", "SigBlk", "Umask")
    status = [line for line in web["status"].splitlines() if line.startswith(wanted)]
    own = [name for name, link in web["namespaces"].items() if link != os.readlink(f"/proc/self/ns/{name}")]
    return {"mounts": sorted(map(without_numbers, lines)), "status": status, "own namespaces": sorted(own),
            "maps": [map_line(web["maps"])]}


def test_minibrowser_sandbox_renders(session, display):
    if not BROWSERS:
        pytest.skip("not installed, see packages.txt: MiniBrowser of libwebkit2gtk-4.1-0")
    command = [BROWSERS[0], "--enable-sandbox", "--geometry=500x400", f"file://{session.work}/page.html"]
    assert display(COLOUR) == 0
    process = session.popen(on_bus(command), prefix=in_place_of_system_bwrap(session), start_new_session=True)
    try:
        wait_until(lambda: display(COLOUR) > 10000 or process.poll() is not None)
        pixels = display(COLOUR)
    finally:
        out, err = session.end(process)
    assert pixels > 10000, (out, err, session.bwrap.words())
    starts = session.bwrap.words()
    assert any("WebKitWebProcess" in word for words in starts for word in words), starts
