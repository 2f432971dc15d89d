# SPDX-License-Identifier: LGPL-2.1-or-later
"""On a kernel before 5.12 (no mount_setattr) nothing starts, and the message says why. Runs in a VM: test-kernels 5.10."""
import pytest

from conftest import KERNEL

if KERNEL >= (5, 12):
    pytest.exit("test_too_old.py needs a kernel before 5.12: it runs in a VM only (tests/vm/test-kernels 5.10)", 2)


def test_cloche_names_the_kernel_it_needs(cloche, run):
    result = run([cloche, "true"])
    assert result.returncode == 125, result
    assert "5.12" in result.stderr
    assert result.stdout == ""


def test_bwrap_names_the_kernel_it_needs(bwrap, run):
    result = run([bwrap, "--ro-bind", "/", "/", "echo", "started"])
    assert result.returncode == 1, result
    assert "5.12" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_information_needs_no_kernel(personality, run, option):
    result = run([personality, option])
    assert result.returncode == 0, result
    assert result.stdout
