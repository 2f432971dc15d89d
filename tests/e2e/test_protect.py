# SPDX-License-Identifier: LGPL-2.1-or-later
"""Protected paths: --mask, --deny-write, --deny-create, --noexec, --no-symlinks. What COMMAND tries against them is in
tests/attack/test_covers.py."""
import os
import shutil

import pytest

from e2elib import HOST, assert_fails, mount_at, mounts, see, snapshot  # noqa: F401 (fixtures)

PLAIN = [*HOST, "--cap-drop", "ALL"]  # as bwrap real root keeps capabilities, to which modes mean nothing
PROTECTING = ("--mask", "--deny-write", "--deny-create", "--noexec", "--no-symlinks")


@pytest.fixture
def project(tmp_path):
    """A directory that is given read-write as /mnt."""
    for name in ("project/.git/hooks", "project/src/deep"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("secret", "a.key", ".b.key", "src/c.key", ".git/config", ".git/hooks/pre-commit"):
        (tmp_path / "project" / name).write_text(f"content of {name}\n")
    return tmp_path / "project"


@pytest.fixture
def sh(run, personality, project):
    """sh(script, options...): a shell script in /mnt; the result."""
    def sh(script, *options, **rest):
        argv = [personality, *PLAIN, "--bind", project, "/mnt", *options, "--chdir", "/mnt", "bash", "-c", script]
        return run(argv, **rest)

    return sh


# ---- --mask ------------------------------------------------------------------------------------------------------
@pytest.mark.vm
def test_mask(personality, project, see):
    seen = see([personality, "--tmpfs", "/", "--bind", project, "/mnt", "--mask", "/mnt/secret", "--mask", "/mnt/src",
                "--mask", "/mnt/.git/config", "--mask", "/mnt/.git/hooks"],
               "/mnt/secret", "/mnt/src", "/mnt/.git/config", "/mnt/.git/hooks")
    assert {s.mode for s in seen.values()} == {"0000"}
    for path, kind in zip(seen, ("file", "dir", "file", "dir"), strict=True):
        assert seen[path].type == kind and seen[path].ro, path
    assert snapshot(project)["secret"][1] == b"content of secret\n"


@pytest.mark.vm
def test_mask_without_clones_of_detached_mounts(personality, project, run, without_syscalls):
    """The other way of making masks, for kernels before 6.15, runs there; here at least in place and not."""
    for root in (PLAIN, ["--tmpfs", "/", *PLAIN]):
        result = run([personality, *root, "--bind", project, "/mnt", "--mask", "/mnt/secret", "--mask", "/mnt/a.key",
                      "bash", "-c", "cat /mnt/secret /mnt/a.key; ls /.. | head -1; cat /mnt/src/c.key"])
        assert result.stdout.endswith("content of src/c.key\n"), result
        assert result.stderr.count("Permission denied") == 2, result


def test_mask_of_the_root_is_refused(personality, run):
    for path in ("/", "//", "/."):
        assert_fails(run([personality, *HOST, "--mask", path, "true"]), personality, "root directory")


@pytest.mark.only_root
def test_mask_is_empty_for_root_with_capabilities(bwrap, run, project):
    """Which may read anything, but there is nothing to be read."""
    argv = [bwrap, *HOST, "--bind", project, "/mnt", "--mask", "/mnt/secret", "--mask", "/mnt/src", "bash", "-c"]
    result = run([*argv, "cat /mnt/secret; ls /mnt/src; chmod 777 /mnt/secret"])
    assert result.stdout == "" and result.stderr.count("Read-only file system") == 1, result


def test_mask_covers_a_mount(personality, run):
    result = run([personality, *PLAIN, "--mask", "/dev/shm", "ls", "/dev/shm"])
    assert result.returncode == 2 and "Permission denied" in result.stderr, result


# ---- --deny-write ------------------------------------------------------------------------------------------------
@pytest.mark.vm
def test_deny_write(sh, project):
    before = snapshot(project)
    result = sh("echo x >.git/hooks/new; echo x >>.git/hooks/pre-commit; rm -f .git/hooks/pre-commit; echo x >>secret; "
                "cat .git/hooks/pre-commit; echo ok >src/new", "--deny-write", "/mnt/.git/hooks", "--deny-write",
                "/mnt/secret")
    assert result.stdout == "content of .git/hooks/pre-commit\n"
    assert result.stderr.count("Read-only file system") == 4, result
    assert (project / "src/new").read_text() == "ok\n"
    (project / "src/new").unlink()
    assert snapshot(project) == before


def test_deny_write_of_a_mount_and_what_is_below(personality, mounts, project):
    argv = [personality, "--ro-bind", "/", "/", "--bind", project, "/mnt", "--bind", project / "src", "/mnt/src"]
    found = mounts([*argv, "--deny-write", "/mnt"])
    assert "ro" in mount_at(found, "/mnt").options and "ro" in mount_at(found, "/mnt/src").options
    assert len([m for m in found if m.point == "/mnt"]) == 1, "a flag is enough, no mount is needed"
    assert "rw" in mount_at(mounts(argv), "/mnt").options


def test_deny_write_leaves_siblings_alone(sh):
    """Work goes on around it; only what would cross the borders of mounts is told so."""
    sh("mv src/deep src/d && mv secret src/s && git init -q r && cd r && git config user.name x && "
       "git config user.email x@y && echo 1 >f && git add f && git commit -qm m && git log --oneline",
       "--deny-write", "/mnt/.git/hooks", check=True)
    result = sh("ln .git/config config2", "--deny-write", "/mnt/.git/hooks")
    assert "Invalid cross-device link" in result.stderr


@pytest.mark.skipif(not shutil.which("git"), reason="no git")
def test_deny_write_of_the_hooks_lets_git_work(sh, run, project, personality):
    shutil.rmtree(project / ".git")
    sh("git init -q . && git config user.name x && git config user.email x@y", check=True)
    result = sh("echo 1 >f && git add f && git commit -qm m && git log --format=%s; echo x >.git/hooks/post-commit",
                "--deny-write", "/mnt/.git/hooks")
    assert result.stdout == "m\n" and "Read-only file system" in result.stderr, result


# ---- --deny-create -----------------------------------------------------------------------------------------------
@pytest.mark.vm
def test_deny_create(sh, project):
    before = snapshot(project)
    result = sh("mkdir .claude; echo x >.claude/settings.json; echo x >new; mv src s; rm secret; "
                "echo more >>secret; echo x >src/new; ls -A",
                "--deny-create", "/mnt/.claude/settings.json")
    assert result.stdout.split() == [".b.key", ".git", "a.key", "secret", "src"]
    assert result.stderr.count("Read-only file system") == 4, result
    assert (project / "src/new").read_text() == "x\n"
    assert (project / "secret").read_text() == "content of secret\nmore\n"
    (project / "src/new").unlink()
    assert set(snapshot(project)) == set(before), "nothing is left on the host"


def test_deny_create_of_a_missing_name_in_an_existing_directory(sh, project):
    (project / ".claude").mkdir()
    result = sh("echo x >.claude/settings.json; touch new && mkdir d && mv a.key d && rm secret",
                "--deny-create", "/mnt/.claude/settings.json")
    assert result.returncode == 0 and result.stderr.count("Read-only file system") == 1, result
    assert os.listdir(project / ".claude") == []


def test_deny_create_of_what_exists(sh):
    result = sh("echo x >.git/hooks/new; echo x >>secret", "--deny-create", "/mnt/.git/hooks", "--deny-create",
                "/mnt/secret")
    assert result.stderr.count("Read-only file system") == 2, result


def test_deny_create_on_a_read_only_mount_needs_nothing(personality, mounts, project):
    argv = [personality, "--ro-bind", "/", "/"]
    assert len(mounts([*argv, "--deny-create", f"{project}/.claude/x"])) == len(mounts(argv))


def test_deny_create_below_a_dangling_link(sh, project):
    (project / ".claude").symlink_to("elsewhere/deep")
    result = sh("mkdir elsewhere; rm .claude; mkdir -p .claude/x", "--deny-create", "/mnt/.claude/settings.json")
    assert "Read-only file system" in result.stderr and "rm: cannot remove" in result.stderr, result
    assert os.readlink(project / ".claude") == "elsewhere/deep" and not (project / "elsewhere").exists()


def test_deny_create_of_many_entries(sh, project):
    for number in range(300):
        (project / f"file-{number}").touch()
    sh("for i in file-*; do echo x >>$i || exit; done; ! touch new", "--deny-create", "/mnt/missing", check=True)
    assert all((project / f"file-{number}").read_text() == "x\n" for number in range(300))


# ---- --noexec, --no-symlinks -------------------------------------------------------------------------------------
@pytest.mark.vm
def test_noexec(sh, project):
    shutil.copy("/bin/true", project / "true")
    shutil.copy("/bin/true", project / "src/true")
    result = sh("./true; echo $?; src/true; echo $?; cp true .git; .git/true; echo $?", "--noexec", "/mnt/src",
                "--noexec", "/mnt/true")
    assert result.stdout.split() == ["126", "126", "0"], result
    assert sh("./true; echo $?").stdout == "0\n"


@pytest.mark.vm
def test_no_symlinks(sh, project):
    (project / "src/link").symlink_to("deep")
    (project / "link").symlink_to("secret")
    result = sh("ls src/link/; cat link; readlink src/link; ln -s deep src/new", "--no-symlinks", "/mnt/src")
    assert "Too many levels of symbolic links" in result.stderr, result
    assert result.stdout == "content of secret\ndeep\n"
    assert sh("ls src/link/").returncode == 0


# ---- paths and globs ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("option", PROTECTING)
def test_protected_path_that_matches_nothing(sh, personality, project, option):
    (project / "dangling").symlink_to("nowhere")
    for path in ("/mnt/no*", "/mnt/*/*.pem", "/mnt/secret/*", "/mnt/secre[!t]"):
        assert_fails(sh("true", option, path), personality, path)
    if option != "--deny-create":
        for path in ("/mnt/typo", "/mnt/src/typo/x", "/mnt/dangling"):
            assert_fails(sh("true", option, path), personality, path)
    assert_fails(sh("true", option, "/mnt/secret/x"), personality, "Not a directory")


@pytest.mark.parametrize("option", PROTECTING)
@pytest.mark.parametrize("path", ["/mnt/**/x", "**", "/mnt/[ab", "/mnt/x\\", "/mnt/[a/b]", "/*/*/*/*/*/*/*/*/*"])
def test_protected_path_that_is_no_pattern(sh, personality, option, path):
    assert_fails(sh("true", option, path), personality, "pattern", path)


def test_protected_path_before_it_is_provided(personality, run, project):
    """In order: the mask would be covered."""
    assert_fails(run([personality, "--tmpfs", "/", "--mask", "/mnt/secret", "--bind", project, "/mnt", "true"]),
                 personality, "/mnt/secret")


@pytest.mark.vm
def test_protected_glob(sh):
    result = sh("cat secret a.key .b.key src/c.key", "--mask", "/mnt/*.key", "--mask", "/mnt/*/?.ke[x-z]")
    assert result.stdout == "content of secret\n"
    assert result.stderr.count("Permission denied") == 3, result


def test_protected_glob_characters_taken_literally(sh, project):
    (project / "[id].tsx").write_text("brackets\n")
    (project / "i.tsx").write_text("plain\n")
    result = sh("cat *.tsx", "--mask", "/mnt/\\[id].tsx")
    assert result.stdout == "plain\n" and result.stderr.count("Permission denied") == 1, result
    result = sh("cat *.tsx", "--mask", "/mnt/[id].tsx")
    assert result.stdout == "brackets\n", result


def test_protected_glob_in_a_planted_name(sh, project):
    """A file whose name is the pattern does not take the pattern's place."""
    (project / "*.key").write_text("planted")
    assert sh("cat a.key .b.key", "--mask", "/mnt/*.key").stdout == ""


def test_protected_glob_deny_create(sh, project):
    """The part behind the last glob may be missing."""
    for name in ("one", "two"):
        (project / "src" / name).mkdir()
    result = sh("touch src/one/.env src/two/.env src/.env; ls -A src/one src/two; ls src/.env",
                "--deny-create", "/mnt/src/*/.env")
    assert ".env" in result.stdout and result.stderr.count("Read-only file system") == 2, result


def test_protected_path_through_links_stays_inside(personality, run, project, tmp_path):
    """An absolute link is one of the new root."""
    (tmp_path / "outside").write_text("host")
    (project / "link").symlink_to(tmp_path / "outside")
    assert_fails(run([personality, "--tmpfs", "/", "--bind", project, "/mnt", "--mask", "/mnt/link", "true"]),
                 personality, "/mnt/link")
    assert (tmp_path / "outside").read_text() == "host"


def test_protected_paths_without_openat2(sh, personality, project, run, without_syscalls):
    argv = [personality, *PLAIN, "--bind", project, "/mnt", "--mask", "/mnt/*.key", "--deny-write", "/mnt/.git/hooks",
            "--deny-create", "/mnt/src/x", "bash", "-c", "cat /mnt/a.key; touch /mnt/.git/hooks/n /mnt/src/x"]
    result = run(without_syscalls("openat2", argv))
    assert "Permission denied" in result.stderr and result.stderr.count("Read-only file system") == 2, result


def test_protected_paths_are_explained(personality, run):
    argv = [personality, *HOST]
    for option in PROTECTING:
        argv += [option, "/usr/x*"]
    text = run([*argv, "--explain", "true"], check=True).stdout
    for line in ("mask       /usr/x* (ro)", "deny-write /usr/x* (ro)", "deny-create /usr/x* (ro)",
                 "noexec     /usr/x* (noexec)", "no-symlinks /usr/x* (nosymfollow)"):
        assert f"  {line}\n" in text, text


def test_protected_paths_hidden_by_a_later_option(cloche, run, project):
    result = run([cloche, *HOST, "--bind", project, "/mnt", "--mask", "/mnt/src/deep", "--bind", project,
                  "/mnt/src", "true"])
    assert "hides /mnt/src/deep" in result.stderr, result
