# SPDX-License-Identifier: MIT
"""67_sidecar_history.py URL OPENAPI SEGMENT NAME: windows of a history add up, and answers are what is documented."""
import json
import sys
import urllib.parse
import urllib.request

url, openapi, segment, odd = sys.argv[1:5]


def ask(path, **parameters):
    query = urllib.parse.urlencode(parameters)
    with urllib.request.urlopen(f"{url}/api/v1/{path}?{query}", timeout=20) as answer:
        return json.load(answer)


def sums(columns):
    cells = {}
    for column in columns:
        for kind in ("ok", "bad"):
            bucket = -1
            for gap, count in zip(column[kind][::2], column[kind][1::2]):
                bucket += gap + 1
                cells[kind, bucket] = cells.get((kind, bucket), 0) + count
    keys = ("calls", "failed")
    return [sum(column[key] for column in columns) for key in keys], cells, [
        sum(column["transitions"][i] for column in columns) for i in range(3)]


# -- Windows ----------------------------------------------------------------------------------------------------------
whole = ask("history", component="payment_api", **{"from": "-15m", "columns": 1000})
columns, total = whole["columns"], sums(whole["columns"])
assert total[0] == [127, 23], total
ends = [columns[0]["from"]] + [column["to"] for column in columns]
for at, column in enumerate(columns):
    assert column["from"] >= ends[at] - 1e-6 and column["to"] > column["from"], (at, column)
newest = "%.9f" % (ends[-1] + 1)
for middle in ends:
    # What ends before a moment, and what ends after it, is all that there is.
    parts = [ask("history", component="payment_api", **{"from": low, "to": high, "columns": count})["columns"]
             for low, high, count in (("0", "%.6f" % middle, 10), ("%.6f" % middle, newest, 1000))]
    assert sums(parts[0] + parts[1]) == total, (middle, sums(parts[0] + parts[1]), total)
    both = ask("compare", component="payment_api", a="0..%.6f" % middle, b="%.6f..%s" % (middle, newest))
    assert sums([both["a"], both["b"]]) == total, (middle, both)
coarse = ask("history", component="payment_api", **{"from": "-1d", "columns": 10})
assert sums(coarse["columns"]) == total and len(coarse["columns"]) <= 10

# -- An odd name ------------------------------------------------------------------------------------------------------
assert ask("history", component=odd, segment=segment, **{"from": "-1d"})["component"] == odd

# -- What is documented -----------------------------------------------------------------------------------------------
document = json.load(open(openapi, encoding="utf-8"))


def resolve(schema):
    while "$ref" in schema:
        node = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            node = node[part]
        schema = node
    return schema


KINDS = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}


def is_a(value, kind):
    if kind in ("integer", "number"):
        return isinstance(value, int if kind == "integer" else (int, float)) and not isinstance(value, bool)
    return isinstance(value, KINDS[kind])


def check(value, schema, where):
    schema = resolve(schema)
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    assert any(is_a(value, kind) for kind in kinds), f"{where} is {value!r}, not {kinds}"
    if "enum" in schema:
        assert value in schema["enum"], f"{where} is {value!r}"
    if isinstance(value, dict):
        missing = set(schema.get("required", ())) - set(value)
        unknown = set(value) - set(schema["properties"])
        assert not missing and not unknown, f"{where}: {missing} missing, {unknown} not documented"
        for key, one in value.items():
            check(one, schema["properties"][key], f"{where}.{key}")
    elif isinstance(value, list):
        for number, one in enumerate(value):
            check(one, schema["prefixItems"][number] if "prefixItems" in schema else schema["items"],
                  f"{where}[{number}]")


examples = {
    "live": {}, "strips": {"window": 60, "parts": 60}, "history": {"component": "payment_api", "from": "-1h"},
    "compare": {"component": "payment_api", "a": "-1h..-1m", "b": "-1m..now"}, "samples": {"component": "payment_api"},
}
for path, operation in document["paths"].items():
    answer = operation["get"]["responses"]["200"]["content"]
    name = path.removeprefix("/api/v1/")
    if "application/json" in answer:
        documented = {parameter["name"] for parameter in map(resolve, operation["get"].get("parameters", ()))}
        assert set(examples[name]) <= documented, (name, documented)
        check(ask(name, **examples.pop(name)), answer["application/json"]["schema"], name)
    else:
        assert name == "recording", name
assert not examples, examples
