# SPDX-License-Identifier: LGPL-2.1-or-later
"""GNOME's thumbnailing library, as in nautilus, works in its sandbox with the bwrap that is first on PATH."""
import pytest

from .session import COLOUR, need, need_typelib, png

pytestmark = pytest.mark.only_user
PROGRAM = """
import sys, gi
gi.require_version("GnomeDesktop", "4.0")
from gi.repository import GnomeDesktop
factory = GnomeDesktop.DesktopThumbnailFactory.new(GnomeDesktop.DesktopThumbnailSize.NORMAL)
picture = factory.generate_thumbnail(sys.argv[1], "image/png", None)
print(picture.get_width(), picture.get_height(), *picture.get_pixels()[:3])
"""


def thumbnail(session, name, status=0):
    need("gdk-pixbuf-thumbnailer")
    need_typelib("GnomeDesktop", "4.0")
    return session.run(["/usr/bin/python3", "-c", PROGRAM, f"file://{session.work}/{name}"], status=status)


def test_thumbnailer_makes_thumbnail(session):
    (session.work / "picture.png").write_bytes(png(300))
    out = thumbnail(session, "picture.png").stdout
    assert out.split() == ["128", "128", *map(str, COLOUR)]
    (words,) = session.bwrap.words()
    assert {"--unshare-all", "--die-with-parent", "--seccomp"} <= set(words)


def test_thumbnailer_failing_program(session):
    (session.work / "picture.png").write_bytes(b"no picture")
    assert "exited with code 1" in thumbnail(session, "picture.png", status=1).stderr
    assert len(session.bwrap.starts()) == 1
