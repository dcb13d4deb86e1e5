# SPDX-License-Identifier: MIT
"""A test case with a segment of its own, and what the tests share."""
import os
import subprocess
import sys
import unittest

import promcb
import promcb.testing


class SegmentCase(unittest.TestCase):
    options = {}

    def setUp(self):
        context = promcb.testing.default_segment(**self.options)
        self.segment = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)

    def summary(self, name):
        return self.segment.snapshot().summary(name)

    def family(self, name):
        """Of a family: its series by label values, each a tuple."""
        return {row[0]: row for family in self.segment.snapshot().families() if family["name"] == name
                for row in family["series"]}

    def in_child(self, function):
        """Runs a function in a forked child, and waits for it."""
        child = os.fork()
        if child == 0:
            status = 1
            try:
                function()
                status = 0
            finally:
                os._exit(status)
        self.assertEqual(os.waitpid(child, 0)[1], 0)

    def python(self, text, **environment):
        """What a new Python prints that runs the text in this segment."""
        done = subprocess.run([sys.executable, "-W", "error::RuntimeWarning", "-c", text], timeout=120,
                              env={**os.environ, "PROMCB_SEGMENT": self.segment.name, **environment},
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, "")
        return done.stdout
