# SPDX-License-Identifier: MIT
"""Programs that use prometheus_client: every worker is in every scrape.

    import promcb.prometheus
    promcb.prometheus.install()                # before or after the metrics are made

or without a line of code: python3 -m promcb.run gunicorn -w 4 app:app

From then on counters, gauges, histograms and summaries of prometheus_client lie in the segment that PROMCB_SEGMENT
names: /metrics of any worker shows the sum over all of them, those that ended included, and so do promcb-export and
promcb-sidecar, without a worker. Nothing else changes: REGISTRY, generate_latest(), make_asgi_app(),
MultiProcessCollector and mark_process_dead() work as before; process_*, python_*, Info and Enum are those of the
worker that answers. With PROMETHEUS_MULTIPROC_DIR set and PROMCB_SEGMENT not, the segment lies in that directory.

What is otherwise
  - Counters go on after a restart of the service, as rate() wants them. promcb-admin remove begins anew.
  - A gauge is the sum over the living processes where no multiprocess_mode was given, without a pid label. All modes
    leave out processes that ended, however they did.
  - remove(), clear() and Counter.reset() are for all processes: who counts after begins anew at 0.
  - Exemplars are not kept, as in prometheus_client's own multiprocess mode.
  - In promcb-export a summary is a histogram, and names and labels that promcb keeps for itself are called a little
    otherwise: a label "component" is "exported_component" there, a gauge "workers_count" is "workers_count_value".
  - A metric that cannot lie in a segment (more than 60 buckets, the same name with another type) is counted in each
    process for itself, and a RuntimeWarning says so.

The way back: take the line out.
"""
import importlib
import importlib.util
import os
import sys
import warnings

from promcb import _promcb, _values

__all__ = ["install", "install_when_imported", "uninstall", "use"]


def _choose_segment():
    directory = os.environ.get("PROMETHEUS_MULTIPROC_DIR") or os.environ.get("prometheus_multiproc_dir")
    if directory and not os.environ.get("PROMCB_SEGMENT") and os.path.isdir(directory):
        try:
            return _promcb.Segment(os.path.join(os.path.abspath(directory), "promcb.segment"))
        except (_promcb.Error, ValueError) as error:
            warnings.warn(f"promcb: no segment in {directory}: {error}", RuntimeWarning, stacklevel=3)
    return _promcb.default()


def install(segment=None):
    """Puts the metrics of prometheus_client into a segment. Returns whether it could.

    segment: a promcb.Segment; None: the default one. Where it cannot be opened, nothing changes, and a RuntimeWarning
    says why: the program goes on as it did. To call it twice does no harm.
    """
    from promcb import _client

    if _values.segment is not None:
        return True
    chosen = segment or _choose_segment()
    if chosen.error:
        warnings.warn(f"promcb: nothing is installed: {chosen.error}", RuntimeWarning, stacklevel=2)
        return False
    _values.segment = chosen
    _client.change_all()
    return True


def uninstall():
    """Takes everything back; metrics that were made meanwhile go on counting in the segment, and are shown of it."""
    from promcb import _client

    _client.restore()
    _values.segment = None


def use(segment):
    """Metrics that are made from now on lie in another segment: for tests, see promcb.testing."""
    _values.segment = segment


class _Finder:
    """Installs as soon as prometheus_client was imported: who never imports it pays nothing."""

    def find_spec(self, name, path=None, target=None):
        if name != "prometheus_client":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            try:
                install()
            except Exception as error:
                warnings.warn(f"promcb: nothing is installed: {error}", RuntimeWarning, stacklevel=2)

        spec.loader.exec_module = exec_module
        return spec


def install_when_imported():
    """install() at the first import of prometheus_client, or now if it was imported."""
    if "prometheus_client" in sys.modules:
        install()
    elif not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
