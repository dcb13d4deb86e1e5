# SPDX-License-Identifier: MIT
"""Found by each Python that promcb.run starts, and by those that they start."""
import importlib.machinery
import importlib.util
import os
import sys

_here = os.path.dirname(os.path.abspath(__file__))


def _others():
    """The sitecustomize that this one stands before."""
    path = [entry for entry in sys.path if os.path.abspath(entry or ".") != _here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", path)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)


try:
    import promcb.prometheus

    promcb.prometheus.install_when_imported()
except Exception as error:  # a Python without promcb for it: an environment of its own, another version
    print(f"promcb: nothing is installed: {error}", file=sys.stderr)
try:
    _others()
except ImportError:
    pass
