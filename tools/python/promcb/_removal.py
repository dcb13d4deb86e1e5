# SPDX-License-Identifier: MIT
"""remove(), remove_by_labels() and clear() of prometheus_client's metrics: a series goes for all processes."""
import functools
import os
import warnings

from promcb import _families, _promcb, _values


def _is_forgotten_by_all(metric, labelvalues):
    """Removes a series from the segment, and tells whether there was one."""
    family = _values.declared(metric)
    more = (str(os.getpid()),) if family.labelnames[len(labelvalues):] else ()
    return family.remove(*labelvalues, *more)


def _matching(metric, labels):
    """Label values of all series in the segment, whoever made them, that have these labels."""
    called, names = _values.find(metric)
    rows, _ = _families.rows_of(metric._promcb_segment, called, _families.segment_labels(names))
    wanted = [(metric._labelnames.index(name), str(value)) for name, value in labels.items()]
    found = {row[0][:len(metric._labelnames)] for row in rows}
    return [values for values in found if all(values[at] == value for at, value in wanted)]


def _try(action, *arguments):
    """What keeps a series where it is, as another process that removes, is no reason to fail in this one."""
    try:
        return action(*arguments)
    except _promcb.Error as error:
        warnings.warn(f"promcb: nothing is removed: {error}", RuntimeWarning, stacklevel=4)
        return False


def _quietly(method):
    """Without the warning of those that do not reach other processes."""

    @functools.wraps(method)
    def quiet(*arguments):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return method(*arguments)

    return quiet


def methods(base, is_ours):
    """The methods of MetricWrapperBase, by name. is_ours: whether a metric lies in a segment."""
    original_remove, original_clear = _quietly(base.remove), _quietly(base.clear)

    @functools.wraps(base.remove)
    def remove(self, *labelvalues):
        if not is_ours(self) or not self._labelnames or len(labelvalues) != len(self._labelnames):
            return original_remove(self, *labelvalues)
        values = tuple(str(value) for value in labelvalues)
        is_removed = _try(_is_forgotten_by_all, self, values)
        # One that another process has made is none of this one's to miss.
        if not is_removed or values in self._metrics:
            original_remove(self, *values)

    @functools.wraps(base.clear)
    def clear(self):
        original_clear(self)
        if is_ours(self) and self._labelnames:
            _try(_values.declared(self).clear)

    changed = {"remove": remove, "clear": clear}
    if hasattr(base, "remove_by_labels"):
        original_by_labels = _quietly(base.remove_by_labels)

        @functools.wraps(base.remove_by_labels)
        def remove_by_labels(self, labels):
            # It says first what is wrong with them.
            original_by_labels(self, labels)
            if is_ours(self) and labels:
                for values in _matching(self, labels):
                    _try(_is_forgotten_by_all, self, values)

        changed["remove_by_labels"] = remove_by_labels
    return changed
