# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every option of the option table is in everything that is generated from it, and the shells can use that.

The table is read here by a regular expression of its own, not by the generator's code: what the generator loses, this
does not lose as well.
"""
import ast
import json
import os
import re
import select

import pytest

from conftest import BUILD, REPOSITORY

ROW = re.compile(r'^OPTION\("([^"]+)", ([A-Z]+), "([^"]+)", (?:NO_ARGS|(OPTIONAL|ARGS[123])\(([^)]*)\)), \w+, .*,$', re.M)
COMPLETIONS = BUILD / "completions"
BASH, ZSH, FISH = COMPLETIONS / "cloche", COMPLETIONS / "_cloche", COMPLETIONS / "cloche.fish"
MANUAL = BUILD / "man" / "cloche.1"


def read_table():
    text = (REPOSITORY / "lib/spec/options.def").read_text()
    table = {}
    for name, _, _, form, arguments in ROW.findall(text):
        words = [word.strip() for word in arguments.split(",")] if arguments else []
        table[name] = {
            "optional": form == "OPTIONAL",
            "args": [(kind.lower(), ast.literal_eval(meta)) for kind, meta in zip(words[::2], words[1::2])],
        }
    assert len(table) == len(re.findall(r"^OPTION\(", text, re.M)), "ROW does not match every row, or a name is twice"
    return table


TABLE = read_table()
ALL = {f"--{name}" for name in TABLE}


def usage(name):
    row = TABLE[name]
    words = [meta for _, meta in row["args"]]
    return f"--{name}[={words[0]}]" if row["optional"] else " ".join([f"--{name}", *words])


# ---- help, JSON, manual page -------------------------------------------------------------------------------------
def test_table_is_complete():
    """The 68 options of bubblewrap 0.13.1, and ours."""
    assert len(TABLE) >= 68 + 15
    assert {"args", "bind", "overlay", "keep-fd", "explain"} <= set(TABLE)


def test_help_has_every_option(run, personality):
    lines = run([personality, "--help"], check=True).stdout.splitlines()
    assert lines[0].startswith(f"usage: {personality} ")
    shown = [line[4:33].rstrip() for line in lines if line.startswith("    --")]
    assert sorted(shown) == sorted(usage(name) for name in TABLE)


def test_help_lines_have_text_and_fit(run, cloche):
    lines = run([cloche, "--help"], check=True).stdout.splitlines()
    lines[:2] = [line.replace(str(cloche), "cloche") for line in lines[:2]]  # wherever it was built
    assert [line for line in lines if len(line) > 80] == []
    for line, below in zip(lines, lines[1:]):
        if line.startswith("    --"):  # the text of a long one begins a line below
            assert re.search(r" \S", line[32:]) or re.match(r" {33}\S", below), line


def test_introspect_has_every_option(run, cloche):
    found = json.loads(run([cloche, "--introspect"], check=True).stdout)
    assert found["program"] == "cloche"
    assert sorted(option["name"] for option in found["options"]) == sorted(TABLE)
    for option in found["options"]:
        row = TABLE[option["name"]]
        assert option["optional"] == row["optional"]
        assert [(arg["kind"], arg["meta"]) for arg in option["args"]] == row["args"]
        assert option["help"] and option["man"].endswith(".") and option["group"] and option["since"]
        assert not re.search(r"[*_]--|\*cloche\*", option["man"]), "markup in plain text"


def test_manual_has_every_option(run):
    text = run(["mandoc", "-Tascii", "-O", "width=200", MANUAL], check=True).stdout
    text = re.sub(".\b", "", text)
    text = text[text.index("\nOPTIONS\n"):text.index("\nEXIT STATUS\n")]
    shown = re.findall(r"^ +(--[a-z0-9-]+.*)\n +\S", text, re.M)
    assert sorted(shown) == sorted(usage(name) for name in TABLE)


def test_manual_lint(run):
    """Everything down to `warning`, but for the one kind that scdoc's own redundant .PP lines give; `style` would
    refuse scdoc's lower-case title and its long lines."""
    result = run(["mandoc", "-Tlint", "-W", "warning", MANUAL])
    assert [line for line in result.stdout.splitlines() if "WARNING: skipping paragraph macro: PP" not in line] == []
    assert result.stderr == ""


@pytest.mark.parametrize("section", ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "FILES",
                                     "JSON STATUS", "EXAMPLES", "CONTAINERS", "NOTES", "SEE ALSO"])
def test_manual_sections(run, section):
    text = re.sub(".\b", "", run(["mandoc", "-Tascii", MANUAL], check=True).stdout)
    assert re.search(rf"^{section}\n +\S", text, re.M)


# ---- completions: syntax -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("argv", [["bash", "-n", BASH], ["zsh", "-n", ZSH], ["fish", "-n", FISH]], ids=lambda a: a[0])
def test_completion_syntax(run, argv):
    result = run(argv)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


# ---- completions: bash -------------------------------------------------------------------------------------------
BASH_SCRIPT = r"""
source "$1"; shift
COMP_LINE=$1; shift
COMP_POINT=${#COMP_LINE} COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_other() { COMPREPLY=("$COMP_CWORD|$COMP_LINE|$2|$3"); }
complete -F _other other
_cloche "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
((${#COMPREPLY[@]} == 0)) || printf '%s\n' "${COMPREPLY[@]}"
"""


def bash_offers(run, line, *split, env=None):
    """What bash offers at the end of `line`; `split` are its words as readline splits them, if not at blanks."""
    words = split or (line + "|").split()
    if not split:
        words[-1] = words[-1][:-1]
    result = run(["bash", "--norc", "-c", BASH_SCRIPT, "bash", BASH, line, *words], env=env)
    assert (result.returncode, result.stderr) == (0, ""), result
    return result.stdout.splitlines()


def test_completion_bash_has_every_option(run):
    assert sorted(bash_offers(run, "cloche --")) == sorted(ALL)


@pytest.mark.parametrize("program", ["cloche", "bwrap"])
def test_completion_bash_is_registered(run, program):
    result = run(["bash", "--norc", "-c", 'source "$1"; complete -p "$2"', "bash", BASH, program])
    assert result.stdout == f"complete -F _cloche {program}\n"


@pytest.mark.parametrize("line, offers", [
    ("cloche --ro-b", ["--ro-bind", "--ro-bind-data", "--ro-bind-fd", "--ro-bind-try"]),
    ("cloche --verbose --as-p", ["--as-pid-1"]),
    ("cloche --bind /usr /usr --explai", ["--explain"]),
    ("cloche --explain --print-a", ["--print-args"]),
    ("cloche --uid=0 --print-a", ["--print-args"]),
    ("cloche --propagation ", ["private", "slave"]),
    ("cloche --cap-add cap_net_a", ["cap_net_admin"]),
    ("cloche --cap-drop CAP_NET_A", ["CAP_NET_ADMIN"]),
    ("cloche --cap-drop A", ["ALL"]),
    ("cloche --setenv CLOCHE_TE", ["CLOCHE_TEST_ONE", "CLOCHE_TEST_TWO"]),
    ("cloche --setenv A CLOCHE_TE", []),
    ("cloche --hostname --ver", []),
    ("cloche --hostname x --vers", ["--version"]),
    ("cloche --overlay a b --perm", []),
    ("cloche --overlay a b c --perm", ["--perms"]),
    ("cloche other --ro-b", ["1|other --ro-b|--ro-b|other"]),
    ("cloche -- other --ro-b", ["1|other --ro-b|--ro-b|other"]),
    ("cloche --bind /a /b -- /x/other a --r", ["2|/x/other a --r|--r|a"]),
    ("cloche nothing-known --ro-b", []),
    ("cloche cloche --ro-bind-t", ["--ro-bind-try"]),
])
def test_completion_bash_offers(run, line, offers):
    assert sorted(bash_offers(run, line, env={"CLOCHE_TEST_ONE": "1", "CLOCHE_TEST_TWO": "2"})) == offers


@pytest.mark.parametrize("line, split, offers", [
    ("cloche --cap-add=cap_net_a", ["cloche", "--cap-add", "=", "cap_net_a"], ["cap_net_admin"]),
    ("cloche --propagation=", ["cloche", "--propagation", "="], ["private", "slave"]),
    ("cloche --explain=", ["cloche", "--explain", "="], ["json"]),
    ("cloche --bind=", ["cloche", "--bind", "="], []),
    ("cloche --uid=0 --explai", ["cloche", "--uid", "=", "0", "--explai"], ["--explain"]),
    ("cloche --cap-add=cap_net_a", ["cloche", "--cap-add=cap_net_a"], ["--cap-add=cap_net_admin"]),  # = no word break
])
def test_completion_bash_joined_value(run, line, split, offers):
    assert sorted(bash_offers(run, line, *split)) == offers


def make_files(directory):
    for name in ("alpha", "beta"):
        (directory / "files" / name).mkdir(parents=True)
    return directory / "files"


@pytest.mark.parametrize("before", ["--bind", "--bind /a", "--chdir", "--overlay-src", "--ro-bind /a /b other"])
def test_completion_bash_paths(run, tmp_path, before):
    files = make_files(tmp_path)
    if before.endswith("other"):
        before = before.replace("other", "nothing-known")
    assert bash_offers(run, f"cloche {before} {files}/al") == [f"{files}/alpha"]


def test_completion_bash_command(run):
    assert "mkfifo" in bash_offers(run, "cloche mkfi")
    assert "mkfifo" in bash_offers(run, "bwrap --bind / / -- mkfi")
    assert bash_offers(run, "bwrap --bind / mkfi") == []


def test_bash_commands(run, tmp_path):
    assert {"exec", "ps", "doctor"} <= set(bash_offers(run, "cloche ")) and "doctor" not in bash_offers(run, "bwrap ")
    assert bash_offers(run, "cloche ps ") == ["--json"] and bash_offers(run, "cloche kill -") == ["-s"]
    assert "--chdir" in bash_offers(run, "cloche exec web --ch") and "--bind" in bash_offers(run, "cloche --bi")
    program = tmp_path / "cloche"
    program.write_text("#!/bin/sh\necho 'NAME PID'\necho 'web 12 x'\necho 'db.1 13 y'\n")
    program.chmod(0o755)
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    assert bash_offers(run, "cloche exec ", env=env) == ["web", "db.1"] and bash_offers(run, "cloche wait d", env=env) == ["db.1"]


# ---- completions: fish -------------------------------------------------------------------------------------------
def fish_offers(run, line, **rest):
    script = 'source $argv[1]; complete -c other -f -a "(commandline -p | string replace -a \' \' _)"; complete -C $argv[2]'
    result = run(["fish", "--no-config", "-c", script, FISH, line], **rest)
    assert (result.returncode, result.stderr) == (0, ""), result
    return dict((offer + "\t").split("\t")[:2] for offer in result.stdout.splitlines())


@pytest.fixture
def fish_home(tmp_path):
    return {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}


@pytest.mark.parametrize("program", ["cloche", "bwrap"])
def test_completion_fish_has_every_option(run, program, fish_home):
    offers = fish_offers(run, f"{program} --", env=fish_home)
    assert sorted(offers) == sorted(ALL)
    assert all(offers.values()), "an option without a description"


@pytest.mark.parametrize("line, offers", [
    ("cloche --ro-b", ["--ro-bind", "--ro-bind-data", "--ro-bind-fd", "--ro-bind-try"]),
    ("cloche --bind /usr /usr --explai", ["--explain"]),
    ("cloche --explain --print-a", ["--print-args"]),
    ("cloche --propagation ", ["private", "slave"]),
    ("cloche --propagation=", ["--propagation=private", "--propagation=slave"]),
    ("cloche --explain=", ["--explain=json"]),
    ("cloche --bind=", []),
    ("cloche --cap-add cap_net_a", ["cap_net_admin"]),
    ("cloche --cap-add=CAP_NET_A", ["--cap-add=CAP_NET_ADMIN"]),
    ("cloche --setenv CLOCHE_TE", ["CLOCHE_TEST_ONE", "CLOCHE_TEST_TWO"]),
    ("cloche --setenv A CLOCHE_TE", []),
    ("cloche --hostname --ver", []),
    ("cloche --hostname x --vers", ["--version"]),
    ("cloche --overlay a b c --perm", ["--perms"]),
    ("A=b cloche --perm", ["--perms"]),
    ("cloche other x ", ["other_x_"]),
    ("cloche -- other x ", ["other_x_"]),
    ("bwrap --bind /a /b -- other x ", ["other_x_"]),
    ("cloche other --ro-b", ["other_--ro-b"]),
    ("cloche nothing-known --ro-b", []),
])
def test_completion_fish_offers(run, line, offers, fish_home):
    env = {"CLOCHE_TEST_ONE": "1", "CLOCHE_TEST_TWO": "2", **fish_home}
    assert sorted(fish_offers(run, line, env=env)) == offers


@pytest.mark.parametrize("before", ["--bind ", "--bind /a ", "--chdir=", "--overlay-src "])
def test_completion_fish_paths(run, tmp_path, before, fish_home):
    files = make_files(tmp_path)
    prefix = before if before.endswith("=") else ""
    assert list(fish_offers(run, f"cloche {before}{files}/al", env=fish_home)) == [f"{prefix}{files}/alpha/"]


def test_completion_fish_command(run, fish_home):
    assert "mkfifo" in fish_offers(run, "cloche mkfi", env=fish_home)
    assert "mkfifo" in fish_offers(run, "cloche --verbose -- mkfi", env=fish_home)


# ---- completions: typed at a terminal ----------------------------------------------------------------------------
def type_at(popen, argv, keys, **rest):
    """Type `keys` into the shell `argv` once it has printed its prompt READY>; wait until it exits."""
    master, slave = os.openpty()
    try:
        process = popen(argv, stdin=slave, stdout=slave, stderr=slave, **rest)
        os.close(slave)
        slave = -1
        seen, typed = b"", False
        while True:
            assert select.select([master], [], [], 60)[0], f"the shell waits; it printed {seen!r}"
            try:
                read = os.read(master, 65536)
            except OSError:  # EIO: nobody holds the other end any more
                read = b""
            if not read:
                break
            seen += read
            if not typed and b"READY>" in seen:
                os.write(master, keys.encode())
                typed = True
        process.wait(60)
        return seen
    finally:
        os.close(master)
        if slave >= 0:
            os.close(slave)


BASH_RC = r"""
PS1='READY>'
source "$COMPLETION"
finish() { printf '%s' "$READLINE_LINE" > line; exit 0; }
bind -x '"\C-t": finish'
"""


@pytest.mark.parametrize("typed, line", [
    ("cloche --ro-bind-t", "cloche --ro-bind-try "),
    ("bwrap --cap-add=cap_net_adm", "bwrap --cap-add=cap_net_admin "),
    ("cloche --propagation=s", "cloche --propagation=slave "),
    ("cloche --bind fil", "cloche --bind files/"),
    ("cloche --chdir=fil", "cloche --chdir=files/"),
    ("cloche --bind with", r"cloche --bind with\ blank\:colon "),
    (r"cloche --bind with\ blank:c", r"cloche --bind with\ blank:colon "),
    ("cloche --verbose mkfif", "cloche --verbose mkfifo "),
])
def test_completion_bash_typed(popen, tmp_path, typed, line):
    (tmp_path / "files").mkdir()
    (tmp_path / "with blank:colon").touch()
    (tmp_path / "rc").write_text(BASH_RC)
    seen = type_at(popen, ["bash", "--noprofile", "--rcfile", "rc", "-i"], typed + "\t\x14", cwd=tmp_path,
                   env={"COMPLETION": str(BASH), "HOME": str(tmp_path)})
    assert (tmp_path / "line").read_text() == line, seen


# What matches is what compadd would add: with -O, -A or -D it only looks.
ZSH_RC = r"""
PS1='READY>'
fpath=(${COMPLETION:h} $fpath)
autoload -Uz compinit; compinit -u -D
_other() { compadd -- "$CURRENT.${(j:.:)words}" }
compdef _other other
compadd() {
	local option
	local -a matches
	for option in "$@"; do
		[[ $option != (-|--) ]] || break
		[[ $option != -[a-zA-Z]#[OAD]* ]] || { builtin compadd "$@"; return }
	done
	builtin compadd -O matches "$@"
	(( $#matches == 0 )) || print -rl -- $matches >> matches
	builtin compadd "$@"
}
look() { _main_complete; compstate[list]= compstate[insert]= }
finish() { print -rn -- "$BUFFER" > line; exit 0 }
zle -C look complete-word look
zle -N finish
bindkey '^T' finish
bindkey '^G' look
"""


def zsh_type(popen, directory, keys, env=None):
    (directory / ".zshrc").write_text("setopt extended_glob\n" + ZSH_RC)
    return type_at(popen, ["zsh", "-d", "-i"], keys, cwd=directory,
                   env={"COMPLETION": str(ZSH), "ZDOTDIR": str(directory), "HOME": str(directory), **(env or {})})


def zsh_offers(popen, directory, line, env=None):
    seen = zsh_type(popen, directory, line + "\x07\x14", env)
    assert (directory / "line").read_text() == line, seen
    found = directory / "matches"
    return sorted(set(found.read_text().splitlines())) if found.exists() else []


@pytest.mark.parametrize("program", ["cloche", "bwrap"])
def test_completion_zsh_has_every_option(popen, tmp_path, program):
    assert zsh_offers(popen, tmp_path, f"{program} --") == sorted(ALL)


@pytest.mark.parametrize("line, offers", [
    ("cloche --ro-bin", ["--ro-bind", "--ro-bind-data", "--ro-bind-fd", "--ro-bind-try"]),
    ("cloche --bind /usr /usr --explai", ["--explain"]),
    ("cloche --explain --print-a", ["--print-args"]),
    ("cloche --propagation ", ["private", "slave"]),
    ("cloche --propagation=", ["private", "slave"]),
    ("cloche --explain=", ["json"]),
    ("cloche --cap-add cap_net_a", ["cap_net_admin"]),
    ("cloche --cap-add=CAP_NET_A", ["cap_net_admin"]),
    ("cloche --setenv CLOCHE_TE", ["CLOCHE_TEST_ONE", "CLOCHE_TEST_TWO"]),
    ("cloche --setenv A CLOCHE_TE", []),
    ("cloche --hostname --ver", []),
    ("cloche --hostname x --vers", ["--version"]),
    ("cloche --bind fil", ["files"]),
    ("cloche --bind / fil", ["files"]),
    ("cloche --chdir=fil", ["files"]),
    ("cloche other x ", ["3.other.x."]),
    ("bwrap --bind /a /b -- other x ", ["3.other.x."]),
    ("cloche mkfif", ["mkfifo"]),
    ("cloche --bind a b -- mkfif", ["mkfifo"]),
])
def test_completion_zsh_offers(popen, tmp_path, line, offers):
    (tmp_path / "files").mkdir()
    env = {"CLOCHE_TEST_ONE": "1", "CLOCHE_TEST_TWO": "2"}
    assert zsh_offers(popen, tmp_path, line, env) == offers


@pytest.mark.parametrize("typed, line", [
    ("cloche --ro-bind-t", "cloche --ro-bind-try "),
    ("bwrap --cap-add=cap_net_adm", "bwrap --cap-add=cap_net_admin "),
    ("cloche --chdir=fil", "cloche --chdir=files/"),
])
def test_completion_zsh_typed(popen, tmp_path, typed, line):
    (tmp_path / "files").mkdir()
    seen = zsh_type(popen, tmp_path, typed + "\t\x14")
    assert (tmp_path / "line").read_text() == line, seen
