# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a plain `cloche COMMAND` gives: the provided root directory, its sizes, --bare and --here."""
import os
import pathlib

import pytest

from e2elib import TMPFS, changed_namespaces, look, looks, memfd, mount_at, mounts, namespaces, see  # noqa: F401

# What of /etc may be seen, where the host has it. Whatever is added here must hold no secret and configure no service.
ETC = {"alternatives", "ca-certificates", "ca-certificates.conf", "crypto-policies", "debian_version", "fonts", "group",
       "host.conf", "hosts", "inputrc", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "locale.alias", "localtime",
       "magic",
       "mime.types", "networks", "nsswitch.conf", "os-release", "passwd", "pki", "profile", "protocols", "services",
       "shells", "ssl", "terminfo", "timezone"}
MIB = 1 << 20


@pytest.fixture
def sh(cloche, run):
    """sh(script, *options): runs the shell script in `cloche`."""
    def sh(script, *options, **rest):
        return run([cloche, *options, "--", "sh", "-c", script], **rest)

    return sh


@pytest.mark.vm
def test_default_ls(cloche, run, user):
    result = run([cloche, "ls", "-A", "/"], check=True)
    links = {name for name in os.listdir("/") if name in ("bin", "sbin") or name.startswith("lib")}
    assert set(result.stdout.split()) == {"usr", "etc", "proc", "dev", "tmp", *links, pathlib.Path(user.home).parts[1]}


def test_default_links_are_the_hosts(sh):
    for name in ("bin", "sbin", "lib", "lib64"):
        if os.path.islink(f"/{name}"):
            assert sh(f"readlink /{name}").stdout.strip() == os.readlink(f"/{name}")


def test_default_usr_is_read_only(sh, mounts, cloche):
    result = sh("touch /usr/new")
    assert result.returncode == 1 and "Read-only file system" in result.stderr
    assert {"ro", "nosuid", "nodev"} <= mount_at(mounts([cloche]), "/usr").options


def test_default_every_mount_is_restricted(mounts, cloche):
    """Nothing with set-user-ID programs; device nodes only in /dev; nothing of the host writable."""
    for mount in mounts([cloche]):
        assert "nosuid" in mount.options, mount
        assert "nodev" in mount.options or mount.point.startswith("/dev/"), mount
        if mount.fstype not in ("tmpfs", "proc", "devpts", "devtmpfs"):
            assert "ro" in mount.options, mount


def test_default_etc_is_a_short_list(sh):
    names = set(sh("ls -A /etc").stdout.split())
    assert names <= ETC, names - ETC
    assert {"passwd", "group", "ld.so.cache"} <= names
    assert sh("ls -A /etc/ssl").stdout.split() in ([], ["certs"], ["certs", "openssl.cnf"])


@pytest.mark.parametrize("path", ["/etc/passwd", "/etc/ld.so.cache"])
def test_default_etc_is_read_only(sh, path):
    result = sh(f"echo x >>{path}")
    assert result.returncode != 0
    assert "Read-only file system" in result.stderr or "Permission denied" in result.stderr


def test_default_secrets_are_missing(see, cloche):
    paths = ("/etc/shadow", "/etc/ssh", "/etc/sudoers", "/etc/machine-id", "/root/.bashrc", "/var", "/run", "/srv",
             "/opt", "/sys", "/boot", "/mnt")
    for path, seen in see([cloche], *paths).items():
        assert seen.type == "none", path


def test_default_home_is_writable(sh, user):
    """HOME is the user's own, whatever the environment says."""
    result = sh('ls -A ~; touch ~/new && ls -A ~; echo "$HOME"', env={"HOME": "/somewhere"})
    assert result.returncode == 0 and result.stdout.splitlines() == ["new", user.home], result


def test_default_home_of_the_user_is_hidden(see, cloche, user):
    seen = see([cloche], user.home)[user.home]
    assert seen.names == [] and seen.fs == TMPFS and seen.mode == "0700" and seen.uid == user.uid


def test_default_tmp_is_new(see, cloche, sh):
    seen = see([cloche], "/tmp")["/tmp"]
    assert (seen.names, seen.mode, seen.fs, seen.ro) == ([], "1777", TMPFS, False)
    assert sh("echo x >/tmp/file && cat /tmp/file").stdout == "x\n"


def test_default_proc_shows_the_sandbox_only(sh):
    assert sh("ls /proc | grep '^[0-9]' | sort -n | head -2 | xargs; tr '\\0' ' ' </proc/1/cmdline").stdout == \
        "1 2\ncloche-init "


def test_default_dev_is_short(see, cloche):
    seen = see([cloche], "/dev", "/dev/null", "/dev/urandom", "/dev/shm")
    assert set(seen["/dev"].names) == {"core", "fd", "full", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin",
                                       "stdout", "tty", "urandom", "zero"}
    assert (seen["/dev/null"].device, seen["/dev/urandom"].device) == ("1:3", "1:9")
    assert seen["/dev/shm"].mode == "1777"


@pytest.mark.vm
def test_default_every_namespace_is_new(namespaces, cloche):
    assert changed_namespaces(namespaces([cloche])) == {"cgroup", "ipc", "mnt", "net", "pid", "user", "uts"}


def test_default_network_is_loopback_only(cloche, run):
    script = ("import socket; print(sorted(name for _, name in socket.if_nameindex()))\n"
              "a = socket.create_server(('127.0.0.1', 0))\n"
              "socket.create_connection(a.getsockname()); print('connected')\n"
              "b = socket.socket(); b.settimeout(5)\n"
              "try: b.connect(('192.0.2.1', 80))\n"
              "except OSError as error: print(error.strerror)")
    result = run([cloche, "python3", "-c", script], check=True)
    assert result.stdout == "['lo']\nconnected\nNetwork is unreachable\n"


def test_default_ids_are_the_callers(cloche, run, user):
    assert run([cloche, "sh", "-c", "id -u; id -g"], check=True).stdout.split() == [str(user.uid), str(user.gid)]


def test_default_compiles_and_runs_a_program(sh):
    """The main job on real input."""
    program = '#include <stdio.h>\nint main(void) { return puts("compiled inside") < 0; }\n'
    result = sh("cd /tmp && cat >a.c && cc -o a a.c && ./a", input=program)
    assert (result.returncode, result.stdout) == (0, "compiled inside\n"), result


def test_default_git_works(sh):
    result = sh("cd && git init -q r && cd r && echo x >f && git add f && "
                "git -c user.name=a -c user.email=a@example.org commit -qm one && git log --format=%s")
    assert (result.returncode, result.stdout) == (0, "one\n"), result


@pytest.mark.parametrize("provides", [["--ro-bind", "/", "/"], ["--ro-bind", "/usr", "/usr"], ["--tmpfs", "/usr"],
                                      ["--tmpfs", "/"]])
def test_default_root_is_left_out_where_an_option_provides_it(cloche, run, look, provides):
    result = run([cloche, *provides, "--tmpfs", "/tmp", "--ro-bind", look, "/tmp/look", "--",
                  "/tmp/look", "/etc/ld.so.cache", "/proc/1"])
    seen = looks(result.stdout)
    host = provides[1:] == ["/", "/"] and provides[0] == "--ro-bind"
    assert seen["/etc/ld.so.cache"].type == ("file" if host else "none"), result
    assert provides[0] == "--ro-bind" and host or seen["/proc/1"].type == "none"


def test_default_root_gives_way_to_later_options(cloche, run, tmp_path):
    """Options come on top of the provided root, in order."""
    (tmp_path / "f").write_text("mine")
    assert run([cloche, "--ro-bind", str(tmp_path), "/tmp", "cat", "/tmp/f"], check=True).stdout == "mine"
    assert run([cloche, "--ro-bind", str(tmp_path / "f"), "/etc/passwd", "cat", "/etc/passwd"]).stdout == "mine"


# ---- --bare, --here ----------------------------------------------------------------------------------------------
def test_bare_is_empty(cloche, see):
    seen = see([cloche, "--bare"], "/", "/usr", "/proc")
    assert seen["/"].names == ["look"] and seen["/usr"].type == seen["/proc"].type == "none"


def test_bare_without_command_inside(cloche, run):
    result = run([cloche, "--bare", "true"])
    assert result.returncode == 127 and "No such file or directory" in result.stderr and "hint: " in result.stderr


@pytest.mark.vm
def test_here_is_writable_and_the_working_directory(cloche, run, tmp_path):
    (tmp_path / "in").write_text("in")
    result = run([cloche, "--here", "sh", "-c", "pwd; cat in; echo out >out"], cwd=tmp_path, check=True)
    assert result.stdout == f"{tmp_path}\nin"
    assert (tmp_path / "out").read_text() == "out\n"


def test_here_shows_nothing_around_it(cloche, run, tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "beside").touch()
    result = run([cloche, "--here", "sh", "-c", f"ls -A {tmp_path}; ls -A /"], cwd=tmp_path / "here", check=True)
    assert result.stdout.split()[0] == "here" and "beside" not in result.stdout and "var" not in result.stdout.split()


def test_here_missing_leaves_the_directory_hidden(cloche, run, tmp_path):
    result = run([cloche, "sh", "-c", f"ls {tmp_path}"], cwd=tmp_path)
    assert result.returncode == 2 and "No such file" in result.stderr


def test_here_in_a_deleted_directory(cloche, run, tmp_path, user):
    result = run(["sh", "-c", 'mkdir d && cd d && rmdir ../d && exec "$@"', "sh", cloche, "--here", "true"],
                 cwd=tmp_path)
    assert result.returncode == 125 and "--here" in result.stderr, result


# ---- sizes -------------------------------------------------------------------------------------------------------
def test_default_sizes(cloche, see):
    seen = see([cloche], "/", "/dev", "/tmp", "/dev/shm")
    assert [seen[path].bytes for path in ("/", "/dev", "/tmp", "/dev/shm")] == [64 * MIB, MIB, 1024 * MIB, 256 * MIB]
    assert all(0 < seen[path].inodes <= seen[path].bytes / 1024 for path in seen), "files without end would fit"


FILL = "head -c 1000000 /dev/zero >{} && echo wrote"


@pytest.mark.vm
def test_root_size_is_enforced(sh):
    result = sh(FILL.format("/file"), "--root-size", "64K")
    assert "No space left on device" in result.stderr and result.stdout == "", result
    assert sh(FILL.format("/file"), "--root-size", "2M").stdout == "wrote\n"


def test_root_size_under_both_names(personality, see):
    root = ["--unshare-all", "--dir", "/x"]
    for text, size in (("64K", 64 << 10), ("0x20000", 128 << 10), ("3M", 3 << 20), ("1G", 1 << 30)):
        assert see([personality, "--bare", "--root-size", text, *root], "/")["/"].bytes == size


def test_size_is_enforced(personality, run):
    argv = [personality, "--ro-bind", "/", "/", "--dev", "/dev", "--size", "64K", "--tmpfs", "/mnt", "sh", "-c"]
    result = run([*argv, FILL.format("/mnt/file")])
    assert "No space left on device" in result.stderr and result.stdout == "", result
    assert run([*argv, "head -c 60000 /dev/zero >/mnt/file && echo wrote"]).stdout == "wrote\n"


def test_tmpfs_size_by_default(personality, see):
    seen = see([personality, "--tmpfs", "/", "--tmpfs", "/mnt"], "/mnt")
    assert (seen["/mnt"].bytes == 1024 * MIB) == (personality.name == "cloche")


@pytest.mark.parametrize("size", ["64K", "4M"])
def test_overlay_size_is_enforced(personality, run, tmp_path, size):
    result = run([personality, "--ro-bind", "/", "/", "--dev", "/dev", "--overlay-size", size, "--overlay-src",
                  tmp_path,
                  "--tmp-overlay", "/mnt", "sh", "-c", FILL.format("/mnt/file")])
    if size == "64K":
        assert "No space left on device" in result.stderr and result.stdout == "", result
    else:
        assert result.stdout == "wrote\n", result


def test_overlay_size_limits_data(personality, run, memfd):
    fd = memfd(b"x" * 200000)
    result = run([personality, "--ro-bind", "/", "/", "--overlay-size", "64K", "--tmpfs", "/mnt", "--bind-data",
                  str(fd), "/mnt/f",
                  "true"], pass_fds=[fd])
    assert result.returncode in (1, 125) and "No space left on device" in result.stderr, result


def test_overlay_size_does_not_take_from_the_root(cloche, run, tmp_path):
    """The upper layers lie on a tmpfs of their own."""
    result = run([cloche, "--root-size", "64K", "--overlay-src", tmp_path, "--tmp-overlay", "/mnt", "sh", "-c",
                  FILL.format("/mnt/file")])
    assert result.stdout == "wrote\n", result
