# SPDX-License-Identifier: MIT
"""Renderings of a segment: bytes and content type by Accept, files, applications for /metrics."""
import json
import os
import tempfile
import urllib.parse

from promcb import _promcb

#: Format by media type, as scrapers ask for it.
_OFFERED = (
    ("application/vnd.google.protobuf", "protobuf"),
    ("application/openmetrics-text", "openmetrics"),
    ("text/plain", "text"),
)


def _quality(parameters):
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def choose_format(accept):
    """The format that an Accept header prefers: "text", "openmetrics" or "protobuf"."""
    best, chosen = 0.0, "text"
    for item in (accept or "").split(","):
        media, *parameters = item.split(";")
        quality = _quality(parameters)
        media = media.strip().lower()
        text = [parameter.strip().lower() for parameter in parameters]
        for offered, name in _OFFERED:
            if media != offered or quality <= best:
                continue
            # Protobuf of another message, and text of another version, is none of ours.
            if name == "protobuf" and ("proto=io.prometheus.client.metricfamily" not in text
                                       or "encoding=delimited" not in text):
                continue
            if name == "openmetrics" and any(p.startswith("version=") and p not in (
                    "version=1.0.0", "version=0.0.1") for p in text):
                continue
            best, chosen = quality, name
    return chosen


def generate_latest(accept=None, matching=None, *, format=None, segment=None, compat=True):
    """All that all processes have recorded: (bytes, content type).

    accept: a request's Accept header; format: instead of it, "text", "openmetrics", "protobuf", "json", "metrics" or
    "health". matching: only components and families whose name has this text in it. Raises promcb.Error where the
    segment cannot be read.
    """
    name = format or choose_format(accept)
    snapshot = (segment or _promcb.default()).snapshot(matching)
    return snapshot.render(name, compat=compat), _promcb.content_type(name)


def write_textfile(path, matching=None, *, segment=None):
    """Writes the text for node_exporter's textfile collector, whole or not at all."""
    body, _ = generate_latest(None, matching, segment=segment)
    directory = os.path.dirname(os.path.abspath(path))
    descriptor, temporary = tempfile.mkstemp(prefix=".promcb-", dir=directory)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def answer(path, query="", accept=None, segment=None):
    """What an HTTP server answers: (status, content type, bytes).

    /metrics; /health/metrics: the health document; /prometheus/query?q=TEXT: summaries of components whose name has
    TEXT in it. Any other path: 404. Never raises.
    """
    path = path.rstrip("/")
    try:
        if path.endswith("/health/metrics"):
            body, kind = generate_latest(format="health", segment=segment)
            healthy = json.loads(body).get("healthy", True)
            return (200 if healthy else 503), kind, body
        if path.endswith("/prometheus/query"):
            text = urllib.parse.parse_qs(query).get("q", [None])[0]
            body, kind = generate_latest(matching=text, format="json", segment=segment)
            return 200, kind, body
        if path.endswith("/metrics") or not path:
            body, kind = generate_latest(accept, segment=segment)
            return 200, kind, body
    except Exception as error:  # no scrape takes a worker down
        return 503, "text/plain; charset=utf-8", (str(error) + "\n").encode("utf-8", "replace")
    return 404, "text/plain; charset=utf-8", b"/metrics, /health/metrics and /prometheus/query are here\n"
