# SPDX-License-Identifier: LGPL-2.1-or-later
"""Overlays: layers, where writes go, and what must come before what."""
import os

import pytest

from e2elib import HOST, assert_fails, mount_at, mounts, snapshot  # noqa: F401


@pytest.fixture
def layers(tmp_path):
    """Three directories, each with a file of its own and one that all have."""
    paths = []
    for name in ("bottom", "middle", "top"):
        path = tmp_path / name
        path.mkdir()
        (path / "all").write_text(name)
        (path / name).write_text(name)
        paths.append(str(path))
    return paths


@pytest.fixture
def writable(tmp_path):
    for name in ("upper", "work"):
        (tmp_path / name).mkdir()
    return [str(tmp_path / "upper"), str(tmp_path / "work")]


def sources(layers):
    return [word for layer in layers for word in ("--overlay-src", layer)]


@pytest.mark.vm
def test_tmp_overlay(personality, run, layers, tmp_path):
    before = snapshot(tmp_path)
    result = run([personality, *HOST, *sources(layers), "--tmp-overlay", "/mnt", "sh", "-c",
                  "cd /mnt && ls && cat all && echo new >all && echo new >new && rm bottom && cat all && ls"])
    assert result.stdout == "all\nbottom\nmiddle\ntop\ntopnew\nall\nmiddle\nnew\ntop\n", result
    assert snapshot(tmp_path) == before, "writes go nowhere"


@pytest.mark.vm
def test_overlay_writes_to_the_upper_directory(personality, run, layers, writable, tmp_path):
    before = [snapshot(layer) for layer in layers]
    argv = [personality, *HOST, *sources(layers), "--overlay", *writable, "/mnt", "sh", "-c"]
    result = run([*argv, "cd /mnt && echo new >all && echo new >new && rm bottom && ls"])
    assert result.stdout == "all\nmiddle\nnew\ntop\n", result
    assert set(os.listdir(writable[0])) == {"all", "new", "bottom"} and open(f"{writable[0]}/all").read() == "new\n"
    assert [snapshot(layer) for layer in layers] == before
    assert run([*argv, "cd /mnt && ls && cat all"]).stdout == "all\nmiddle\nnew\ntop\nnew\n", "it lasts"


def test_ro_overlay(personality, run, layers):
    argv = [personality, *HOST, *sources(layers), "--ro-overlay", "/mnt", "sh", "-c"]
    assert run([*argv, "cd /mnt && ls && cat all"]).stdout == "all\nbottom\nmiddle\ntop\ntop"
    result = run([*argv, "echo x >/mnt/new"])
    assert result.returncode == 2 and "Read-only file system" in result.stderr, result


def test_overlay_src_order(personality, run, layers):
    """From bottom to top."""
    for order in (layers, layers[::-1]):
        result = run([personality, *HOST, *sources(order), "--tmp-overlay", "/mnt", "cat", "/mnt/all"])
        assert result.stdout == os.path.basename(order[-1]), result


def test_overlay_src_belongs_to_the_next_overlay_only(personality, run, layers):
    result = run([personality, *HOST, *sources(layers[:1]), "--tmp-overlay", "/mnt", *sources(layers[1:2]),
                  "--tmp-overlay",
                  "/srv", "sh", "-c", "ls /mnt /srv"])
    assert result.stdout == "/mnt:\nall\nbottom\n\n/srv:\nall\nmiddle\n", result


@pytest.mark.parametrize("option", ["--tmp-overlay", "--ro-overlay", "--overlay"])
def test_overlay_mount(personality, mounts, layers, writable, option):
    words = [option, *(writable if option == "--overlay" else []), "/mnt"]
    mount = mount_at(mounts([personality, *HOST, *sources(layers), *words]), "/mnt")
    assert mount.fstype == "overlay" and {"nosuid", "nodev"} <= mount.options
    assert "userxattr" in mount.super, "what a layer's owner can write must not be trusted"
    assert ("ro" in mount.super | mount.options) == (option == "--ro-overlay")


@pytest.mark.parametrize("option, number", [("--overlay", "one"), ("--tmp-overlay", "one"), ("--ro-overlay", "two")])
def test_overlay_needs_sources(personality, run, layers, writable, option, number):
    words = [option, *(writable if option == "--overlay" else []), "/mnt"]
    assert_fails(run([personality, *HOST, *words, "true"]), personality, option, f"{number} --overlay-src")
    if number == "two":
        assert_fails(run([personality, *HOST, *sources(layers[:1]), *words, "true"]), personality, "two --overlay-src")


@pytest.mark.parametrize("words", [["--setenv", "A", "1", "true"], ["--perms", "0700", "--dir", "/x", "true"], ["true"],
                                   ["--", "true"], [], ["--unshare-pid", "true"]])
def test_overlay_src_must_be_followed(personality, run, layers, words):
    result = run([personality, *HOST, *sources(layers[:1]), *words])
    assert_fails(result, personality, "--overlay-src", "must be followed by")


def test_overlay_src_missing(personality, run, layers, tmp_path):
    result = run([personality, *HOST, *sources([*layers, str(tmp_path / "nosuch")]), "--tmp-overlay", "/mnt", "true"])
    assert_fails(result, personality, str(tmp_path / "nosuch"), "No such file or directory")


def test_overlay_src_is_a_file(personality, run, layers):
    result = run([personality, *HOST, *sources([layers[0] + "/all"]), "--tmp-overlay", "/mnt", "true"])
    assert_fails(result, personality, "/mnt")


@pytest.mark.parametrize("name", ["a,b", "a:b", "a\\b", "with space", "a'b", "line\nbreak", "é"])
def test_overlay_names(personality, run, tmp_path, name):
    """Characters that mean something in mount options."""
    for part in ("lower", "upper", "work"):
        (tmp_path / f"{part}{name}").mkdir()
    (tmp_path / f"lower{name}" / "file").write_text("seen\n")
    result = run([personality, *HOST, "--overlay-src", tmp_path / f"lower{name}", "--overlay",
                  tmp_path / f"upper{name}",
                  tmp_path / f"work{name}", "/mnt", "sh", "-c", "cat /mnt/file; echo x >/mnt/new"])
    assert (result.returncode, result.stdout) == (0, "seen\n"), result
    assert os.listdir(tmp_path / f"upper{name}") == ["new"]


def test_overlay_of_usr(personality, run, tmp_path):
    (tmp_path / "bin").mkdir()  # makes the user the owner of what is merged to /usr/bin
    result = run([personality, *HOST, "--overlay-src", "/usr", "--overlay-src", tmp_path, "--tmp-overlay", "/usr",
                  "sh", "-c",
                  "echo 'echo changed' >/usr/bin/changed && chmod +x /usr/bin/changed && changed"])
    assert (result.returncode, result.stdout) == (0, "changed\n"), result
    assert not os.path.exists("/usr/bin/changed")


def test_overlay_many_layers(personality, run, tmp_path):
    paths = []
    for number in range(60):
        paths.append(tmp_path / f"layer-with-a-rather-long-name-so-that-one-page-is-not-enough-{number}")
        paths[-1].mkdir()
        (paths[-1] / f"f{number}").touch()
    result = run([personality, *HOST, *sources(map(str, paths)), "--ro-overlay", "/mnt", "ls", "/mnt"])
    assert len(result.stdout.split()) == 60, result


def test_overlay_upper_and_work_alike(personality, run, layers, writable):
    result = run([personality, *HOST, *sources(layers), "--overlay", writable[0], writable[0], "/mnt", "true"])
    assert_fails(result, personality, "/mnt")


def test_tmp_overlay_twice_are_apart(personality, run, layers):
    result = run([personality, *HOST, *sources(layers), "--tmp-overlay", "/mnt", *sources(layers), "--tmp-overlay",
                  "/srv",
                  "sh", "-c", "echo x >/mnt/only; ls /srv"])
    assert result.stdout == "all\nbottom\nmiddle\ntop\n", result


def test_tmp_overlay_upper_is_not_visible(personality, mounts, layers):
    for mount in mounts([personality, *HOST, *sources(layers), "--tmp-overlay", "/mnt"]):
        assert "upper" not in mount.point and "work" not in mount.point and "scratch" not in mount.point
