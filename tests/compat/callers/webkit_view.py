# SPDX-License-Identifier: LGPL-2.1-or-later
"""Loads the page argv[1] in WebKitGTK with its sandbox on and prints as JSON what became of it.

Started by test_webkit.py under an X server. "script" is computed by JavaScript in the page, so in the
sandboxed web process; "web" is what /proc says of that process: its mounts, namespaces and status.
Then it waits for a line on standard input, so that the test can look at the screen.
"""
import json
import os
import sys

import gi

gi.require_version("Gtk", "3.0")
gi.require_version("WebKit2", "4.1")
from gi.repository import GLib, Gtk, WebKit2  # noqa: E402

SCRIPT = "[document.title, document.body.clientWidth, location.protocol].join(' ')"


def read(*parts):
    with open(os.path.join("/proc", *parts), encoding="utf-8") as file:
        return file.read()


def parent(pid):
    return int(read(str(pid), "stat").rpartition(")")[2].split()[1])


def is_ours(pid):
    while pid > 1:
        if pid == os.getpid():
            return True
        pid = parent(pid)
    return False


def web_process():
    """What /proc says of the web process among our descendants, or None."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if read(pid, "comm") == "WebKitWebProces\n" and is_ours(int(pid)):
                return {"status": read(pid, "status"), "mounts": read(pid, "mountinfo"), "maps": read(pid, "uid_map"),
                        "namespaces": {n: os.readlink(f"/proc/{pid}/ns/{n}") for n in os.listdir(f"/proc/{pid}/ns")}}
        except OSError:
            continue
    return None


def report(**values):
    print(json.dumps(values), flush=True)
    GLib.io_add_watch(0, GLib.IO_IN | GLib.IO_HUP, lambda *_: Gtk.main_quit())


def scripted(view, answer):
    try:
        value = view.evaluate_javascript_finish(answer).to_string()
    except GLib.Error as error:
        report(error=error.message)
        return
    report(script=value, web=web_process())


def loaded(view, event):
    if event == WebKit2.LoadEvent.FINISHED:
        view.evaluate_javascript(SCRIPT, -1, None, None, None, scripted)


def main():
    context = WebKit2.WebContext.new_ephemeral()
    context.set_sandbox_enabled(True)
    view = WebKit2.WebView.new_with_context(context)
    view.connect("load-changed", loaded)
    view.connect("web-process-terminated", lambda _, reason: report(error=f"web process ended: {reason}"))
    window = Gtk.Window(default_width=300, default_height=200)
    window.add(view)
    window.show_all()
    view.load_uri(sys.argv[1])
    Gtk.main()


main()
