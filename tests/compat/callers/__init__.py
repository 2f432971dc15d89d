# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests that real callers of bubblewrap work with our bwrap, unchanged; conftest.py says how.

A package, so that its conftest is not taken for the one of all tests, which others import by name.
"""
