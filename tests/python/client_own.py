# SPDX-License-Identifier: MIT
"""prometheus_client's own tests, each in a segment of its own: client_own.py DIRECTORY VERSION.

DIRECTORY: an unpacked source distribution, which comes first in the path. All pass but those that client_own.txt names,
with a reason for each; one that passes and is named there is a failure, too.
"""
import contextlib
import os
import sys

import pytest

TESTS = ("tests/test_core.py", "tests/test_multiprocess.py")


class Segments:
    """A plugin: metrics that a test makes lie in a segment that is new."""

    def __init__(self):
        self.outcomes = {}

    @pytest.fixture(autouse=True)
    def promcb_segment_of_the_test(self):
        import promcb.prometheus
        import promcb.testing

        promcb.prometheus.uninstall()
        with promcb.testing.private_segment() as segment:
            assert promcb.prometheus.install(segment)
            try:
                yield
            finally:
                promcb.prometheus.uninstall()

    def pytest_runtest_logreport(self, report):
        name = report.nodeid.partition("::")[2]
        if report.when == "call" or report.outcome == "failed":
            self.outcomes[name] = report.outcome
            if report.outcome == "failed":
                self.outcomes[name + " says"] = str(report.longrepr)


def expected_failures(version):
    """Test -> reason."""
    named = {}
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "client_own.txt"), encoding="utf-8") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                versions, name, reason = line.split(None, 2)
                if version in versions.split(","):
                    named[name] = reason.strip()
    return named


def main(directory, version):
    os.chdir(directory)
    sys.path.insert(0, directory)
    import prometheus_client

    assert os.path.dirname(os.path.dirname(os.path.abspath(prometheus_client.__file__))) == os.path.realpath(directory)
    import promcb.prometheus
    import promcb.testing

    plugin = Segments()
    # What tests import by name has to be there before they do.
    with promcb.testing.private_segment() as segment, contextlib.redirect_stdout(sys.stderr):
        promcb.prometheus.install(segment)
        pytest.main(["-q", "-p", "no:cacheprovider", "--disable-warnings", "--tb=short", "--no-header", *TESTS],
                    plugins=[plugin])
    outcomes = {name: outcome for name, outcome in plugin.outcomes.items() if not name.endswith(" says")}
    named = expected_failures(version)
    failed = {name for name, outcome in outcomes.items() if outcome == "failed"}
    for name in sorted(failed - set(named)):
        print(f"{name} fails, and client_own.txt does not name it:\n{plugin.outcomes[name + ' says']}")
    for name in sorted(set(named) - failed):
        print(f"{name} is named in client_own.txt, and " + ("passes" if name in outcomes else "is not there"))
    passed = sum(outcome == "passed" for outcome in outcomes.values())
    print(f"prometheus_client {version}: {passed} of its own {len(outcomes)} tests pass, {len(failed)} are named")
    return 0 if failed == set(named) and passed >= 90 else 1


if __name__ == "__main__":
    sys.exit(main(os.path.realpath(sys.argv[1]), sys.argv[2]))
