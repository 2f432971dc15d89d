# SPDX-License-Identifier: LGPL-2.1-or-later
"""SECURITY.md and the attack tests say the same: each promise names attacks that exist, each attack is in a promise."""
import ast
import re

import pytest

from attacking import HERE

SECURITY = (HERE.parents[1] / "SECURITY.md").read_text()
OWED = {
    "F": [*range(1, 11), *range(12, 45)],
    "P": [*range(1, 20)],
    "T": [*range(1, 11)],
    "I": [1, 3],
    "E": [1, 2, 3, 4],
    "A": [1, 2, 3, 4, 5, 6, 7],
    "C": [*range(1, 10)],
    "L": [1, 2],
    "K": [*range(1, 20)],
    "N": [*range(1, 16)],
    "R": [*range(1, 12)],
}
ROWS = {f"{group}{number}" for group, numbers in OWED.items() for number in numbers}
# Rows that say what is open: SECURITY.md names them under "What is not promised" by their sentence.
OPEN = {"F18": "directory on descriptor 0, 1 or 2", "F11": "Sources are looked up by name",
        "F23": "other hard links to it", "R7": "The time is not limited",
        "R8": "Disk space is not limited"}


def attack_functions():
    found = {}
    for path in sorted(HERE.glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and (match := re.match(r"test_([A-Z]\d+)_", node.name)):
                found.setdefault(match[1], []).append(node)
    return found


def promises():
    section = SECURITY.split("## What is promised", 1)[1].split("## What is not promised", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]


pytestmark = pytest.mark.only_user  # nothing is run here: once is enough


def test_each_promise_names_attacks_that_exist():
    rows = attack_functions()
    assert len(promises()) > 25
    for promise, attacks in promises():
        assert attacks.split(), promise
        for attack in attacks.split():
            assert attack in rows, f"{promise}: no test_{attack}_…"


def test_each_attack_belongs_to_a_promise():
    promised = {attack for _, attacks in promises() for attack in attacks.split()}
    assert ROWS | {"F11"} == promised | set(OPEN)
    for sentence in OPEN.values():
        assert sentence in SECURITY


def called(function):
    """Names of the functions and methods that it mentions."""
    return {n.attr if isinstance(n, ast.Attribute) else n.id for n in ast.walk(function)
            if isinstance(n, (ast.Attribute, ast.Name))}


def asserting():
    """Names of functions that assert something, by themselves or through others."""
    functions = [node for path in (*HERE.glob("*.py"), HERE.parent / "conftest.py")
                 for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
    found = {f.name for f in functions if any(isinstance(n, ast.Assert) for n in ast.walk(f))} - {"run", "attack", "start"}
    while more := {f.name for f in functions if called(f) & found} - found - {"run", "attack", "start"}:
        found |= more
    return found


def test_each_owed_attack_is_there_and_asserts_something():
    rows, asserts = attack_functions(), asserting()
    assert ROWS <= set(rows), ROWS - set(rows)
    for functions in rows.values():
        for function in functions:
            assert function.name in asserts, function.name


def test_each_owed_attack_has_a_control():
    """An attack without one could pass because it was broken. Where another row's serves, the docstring says so."""
    words = re.compile(r"control|free|nearest\s+valid|accepted\(|good", re.I)
    for row, functions in attack_functions().items():
        text = "\n".join(ast.unparse(function) for function in functions)
        assert words.search(text), row
