# SPDX-License-Identifier: LGPL-2.1-or-later
"""pytest plugin of tests/mutation/run: hands $CLOCHE_MUTATE to every program that a test starts, with whatever
environment, and writes each outcome as a JSON line to $CLOCHE_MUTATION_OUTCOMES."""
import json
import os
import sys

import pytest


def pytest_collection_finish(session):
    conftest = sys.modules["conftest"]
    original = conftest.environment

    def environment(*args):
        return {**original(*args), "CLOCHE_MUTATE": os.environ["CLOCHE_MUTATE"]}

    conftest.environment = environment


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    exception = call.excinfo.type.__name__ if call.excinfo else None
    outcome = {"test": item.nodeid, "when": report.when, "outcome": report.outcome, "exception": exception}
    with open(os.environ["CLOCHE_MUTATION_OUTCOMES"], "a") as file:
        print(json.dumps(outcome), file=file)
