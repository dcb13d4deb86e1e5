#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""promcb-segment(5) says what the code does.

1. Its tables are compared with the headers: every field of every struct, its offset, size and element count, without a
   gap and without one missing; every constant; every part of a word, bit by bit. A small C program tells the truth.
2. Its arithmetic is evaluated, and compared with the geometries that the library makes.
3. A segment that the library has written is read by its tables alone, and holds what was recorded.
"""
import fcntl
import glob
import os
import re
import shlex
import struct
import subprocess
import sys
import tempfile

ROOT = os.environ.get("PROMCB_SOURCE") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
os.chdir(ROOT)
sys.path.insert(0, "tests")
from siphash import siphash13  # noqa: E402
BUILD = os.environ.get("PROMCB_BUILD", "build")
CC = [*shlex.split(os.environ.get("CC", "cc")), "-std=gnu11", "-D_GNU_SOURCE", "-D_FILE_OFFSET_BITS=64", "-Iinclude",
      "-Ilib"]
PAGE = "lib/man/promcb-segment.5"
SEVEN = ("max_bytes", "page_bytes", "schema", "lanes", "components", "recent_samples", "window_ns")
# What the arithmetic says of one block, ring or line, and what the code calls it.
PLACES = {"block_off": "promcb_block_off(&g, {n})", "ring_off": "promcb_ring_off(&g, {n})",
          "line_off": "promcb_place_off(&g, {n} + 1)", "part": "promcb_place_part(&g, {n} + 1)",
          "first_line": "promcb_part_first_line(&g, promcb_place_part(&g, {n} + 1))"}
failures = []


def check(condition, complaint):
    if not condition:
        failures.append(complaint)


def as_float(bits):
    return struct.unpack("<f", struct.pack("<I", bits))[0]


def run_c(directory, source, *link):
    """Compiles and runs a program. Returns what it prints, as a dictionary of numbers."""
    path = os.path.join(directory, "probe")
    with open(path + ".c", "w", encoding="utf-8") as file:
        file.write(source)
    subprocess.run(CC + ["-o", path, path + ".c", *link], check=True)
    lines = subprocess.run([path], check=True, capture_output=True, text=True).stdout.splitlines()
    return {name: int(value, 0) for name, value in (line.split(" ") for line in lines)}


# -- The page ---------------------------------------------------------------------------------------------------------


class Page:
    """What the page says in tables and in arithmetic."""

    def __init__(self, text):
        self.structs, self.constants, self.words, self.schemas, self.arithmetic = {}, {}, {}, {}, []
        self.sizes, self.tags, heading, example = {}, re.findall(r"^\.B \[([A-Z]+)\]$", text, re.M), "", False
        text = re.sub(r"\n +\+", " +", text)
        for line in text.splitlines():
            line = line.replace("\\-", "-")
            if line.startswith((".SS ", ".SH ")):
                heading = line[4:]
                title = re.match(r"struct (promcb_\w+), (\d+) bytes$", heading)
                if title:
                    heading = title[1]
                    self.sizes[heading] = int(title[2])
            elif line in (".EX", ".EE"):
                example = line == ".EX"
            elif example and re.match(r"\w+ = ", line):
                self.arithmetic.append(line.split(" = "))
            elif "\t" in line:
                self.row(heading, line.split("\t"))

    def row(self, heading, cells):
        bits = re.match(r"(\d+)-(\d+)$", cells[0])
        if heading in self.sizes and cells[0].isdigit():
            name, count = re.match(r"(\w+)(?:\[(\d+)\])?$", cells[2]).groups()
            self.structs.setdefault(heading, {})[name] = (int(cells[0]), int(cells[1]), int(count or 0))
        elif bits:
            word = heading.split(",")[0].lower()
            self.words.setdefault(word, {})[cells[1]] = (int(bits[1]), int(bits[2]) - int(bits[1]) + 1)
        elif cells[0].startswith("PROMCB_"):
            self.constants[cells[0]] = int(cells[1], 0)
        elif heading == "Buckets" and cells[0].isdigit():
            self.schemas[int(cells[0])] = (int(cells[1]), int(cells[2]))

    def geometry(self, seven, more=None):
        """All that follows from the seven numbers, by the page's arithmetic."""

        def pow2(value):
            return 1 << max(value - 1, 0).bit_length()

        known = dict(seven, **(more or {}))
        functions = {
            "up": lambda value: -(-value // known["page_bytes"]) * known["page_bytes"],
            "odd": lambda value: (-(-value // 64) | 1) * 64,
            "pow2": pow2,
            "log2": lambda value: value.bit_length() - 1,
            "max": max,
            "min": min,
        }
        for name, expression in self.arithmetic:
            assert re.fullmatch(r"[\w\s+*/%()<,-]+", expression), expression
            if name in (*PLACES, "part_word_off") and "n" not in known:
                continue
            known[name] = eval(expression.replace("/", "//"), {"__builtins__": {}}, {**functions, **known})
        return known

    def part(self, word, part, value):
        low, width = self.words[word][part]
        return value >> low & (1 << width) - 1


# -- 1. Tables against headers ----------------------------------------------------------------------------------------


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def fields_of(header, name):
    """Names of the fields of a struct, in order, and whether each is an array."""
    body = re.search(r"^struct %s \{\n(.*?)^\};" % name, header, re.M | re.S)[1]
    body = re.sub(r"/\*.*?\*/", "", body, flags=re.S)
    found = [re.match(r"(?:struct )?\w+ (\w+)(\[.*\])?$", field.strip()) for field in body.split(";")[:-1]]
    return {field[1]: bool(field[2]) for field in found}


def check_structs(page, truth, structs):
    check(set(page.structs) == set(structs), f"the page has {sorted(page.structs)}, the headers {sorted(structs)}")
    for name, fields in structs.items():
        rows, end = page.structs.get(name, {}), 0
        check(page.sizes.get(name) == truth[name], f"{name}: {page.sizes.get(name)} bytes, has {truth[name]}")
        check(list(rows) == list(fields), f"{name}: the page has {list(rows)}, the header {list(fields)}")
        for field, (offset, size, count) in rows.items():
            real = tuple(truth.get(f"{name}.{field}.{what}") for what in ("offset", "size", "count"))
            check((offset, size, count) == real, f"{name}.{field}: the page has {offset, size, count}, it is {real}")
            check(offset == end, f"{name}.{field}: begins at {offset}, the field before it ends at {end}")
            end = offset + size
        check(end == truth[name], f"{name}: fields end at {end} of {truth[name]}")


# Words that code makes, bit by bit: page's word, part, C expression of the bits that an all-ones part sets.
MASKS = (
    ("chunk word", "lane", "promcb_chunk_word(0, 0, 0xfffe)"),
    ("chunk word", "carved", "promcb_chunk_word(0, PROMCB_CARVED_MAX, UINT32_MAX)"),
    ("chunk word", "kind", "promcb_chunk_word(15, 0, UINT32_MAX)"),
    ("head", "position", "promcb_head(0, UINT64_MAX)"),
    ("head", "time", "promcb_head(UINT64_MAX, 0)"),
    ("sample", "failure", "promcb_sample(0, false, 0)"),
    ("sample", "tick", "promcb_sample(0, true, UINT64_MAX)"),
    ("state word", "closed", "mask_of_transitions(0)"),
    ("state word", "open", "mask_of_transitions(1)"),
    ("state word", "half_open", "mask_of_transitions(2)"),
    ("state word", "state", "(uint64_t)3 << PROMCB_STATE_SHIFT"),
    ("state word", "aside", "PROMCB_STATE_ASIDE"),
    *((f"{word} word", part, f"promcb_{word}_word({', '.join(str(most) if i == n else '0' for i in range(count))})")
      for word, count, parts in (
          ("history", 2, {"slot": (0, "-1"), "count": (1, "-1")}), ("tagged", 2, {"value": (1, "-1")}),
          ("until", 4, {"tag": (0, "0xffff"), "level": (1, "0x7f"), "tripped": (2, "true"), "time": (3, "-1")}),
          ("result", 3, {"tag": (0, "0xffff"), "bad": (1, "-1"), "good": (2, "-1")}),
          ("permit", 4, {"tag": (0, "-1"), "taken": (1, "-1"), "lane": (2, "0x7ff"), "time": (3, "-1")}))
      for part, (n, most) in parts.items()),
    *((f"policy word {word}", part, f"policy_word({word}, (struct promcb_terms){{.{part} = {most}}})")
      for word, part, most in (
          (0, "window_ms", "-1"), (0, "version", "-1"), (1, "open_ms", "-1"), (1, "open_max_ms", "-1"), (2, "lease_ms", "-1"),
          (2, "min_calls", "-1"), (3, "slow_ns", "-1"), (3, "consecutive", "-1"), *((4, part, most) for part, most in (
              ("failure_permille", "1023"), ("slow_permille", "1023"), ("jitter_percent", "127"), ("mode", "7"),
              ("probes", "15"), ("successes", "255"), ("failures", "255"), ("is_default", "1"))))),
    ("state time", "tag", "promcb_state_tag(PROMCB_TRANSITION_MASK)"),
    ("piece head", "kind", "promcb_piece_head(0xff, 0, 0, 0)"),
    ("piece head", "lines", "promcb_piece_head(0, 0xff, 0, 0)"),
    ("piece head", "copy", "promcb_piece_head(0, 0, 0xffff, 0)"),
    ("piece head", "number", "promcb_piece_head(0, 0, 0, UINT32_MAX)"),
    ("slot word", "place", "promcb_slot_word(0, PROMCB_PLACE_MASK)"),
    ("slot word", "hash", "promcb_slot_word(UINT64_MAX, 0)"),
)


def check_headers(page, directory):
    layout, words, block = read("lib/format/layout.h"), read("lib/format/words.h"), read("include/promcb/block.h")
    layout, breaker = layout + read("lib/format/metrics.h"), read("lib/format/breaker.h")
    structs = {name: fields_of(layout, name) for name in re.findall(r"^struct (promcb_\w+) \{", layout, re.M)}
    structs["promcb_block"] = fields_of(block, "promcb_block")
    required = set(re.findall(r"^(?:#define |\t)(PROMCB_\w+) ", layout + words + breaker, re.M))
    required = {name for name in required if not re.search(r"_NAME$|_SHIFT$|_BITS$|_MASK$|_LAYOUT_H$|_WORDS_H$|_METRICS_H$|_BREAKER_H$|_BREAKER_FAMILY$|_BREAKER_LABEL$", name)}
    for name in sorted(required - set(page.constants)):
        failures.append(f"{name} is in layout.h, metrics.h, breaker.h or words.h, and not in the page")
    check("\nPROMCB_ABI\t" in page_text and "_overflow" in page_text, "no ABI word, or no reserved component")

    out = ['#include "format/terms.h"', '#include "base/bucket.h"', "#include <stdio.h>",
           "static uint64_t policy_word(int word, struct promcb_terms terms)",
           "{\n\tuint64_t words[6];\n\tpromcb_terms_pack(&terms, words);\n\treturn words[word];\n}",
           "static uint64_t mask_of_transitions(unsigned state)", "{", "\tuint64_t mask = 0;",
           "\tfor (int bit = 0; bit < 64; bit++)",
           "\t\tmask |= (uint64_t)(promcb_state_transitions((uint64_t)1 << bit, state) != 0) << bit;",
           "\treturn mask;", "}", "int main(void)", "{"]

    def tell(name, expression):
        out.append(f'\tprintf("{name} %lld\\n", (long long)({expression}));')

    for name, fields in structs.items():
        tell(name, f"sizeof(struct {name})")
        for field, is_array in fields.items():
            value = f"((struct {name} *)0)->{field}"
            tell(f"{name}.{field}.offset", f"offsetof(struct {name}, {field})")
            tell(f"{name}.{field}.size", f"sizeof({value})")
            tell(f"{name}.{field}.count", f"sizeof({value}) / sizeof({value}[0])" if is_array else "0")
    for name in page.constants:
        tell(name, name)
    for word, part, expression in MASKS:
        tell(f"{word}.{part}".replace(" ", "_"), expression)
    for latency in (1, 16777216, 1099511627776):
        tell(f"float.{latency}", f"promcb_sample({latency}, true, 0)")
    for schema in (3, 4, 5):
        tell(f"schema.{schema}.buckets", f"promcb_schema_buckets({schema})")
        tell(f"schema.{schema}.first", f"promcb_bucket_first({schema})")
    sources = ("lib/base/bucket.c", "lib/base/native.c", "lib/format/terms.c")
    truth = run_c(directory, "\n".join(out + ["\treturn 0;", "}", ""]), *sources, "-lm")

    check_structs(page, truth, structs)
    for name, value in page.constants.items():
        check(value == truth[name], f"{name} is {value:#x} in the page, {truth[name]:#x} in the code")
    for word, part, _ in MASKS:
        low, width = page.words[word][part]
        mask, real = (1 << width) - 1 << low, truth[f"{word}.{part}".replace(" ", "_")] & (1 << 64) - 1
        check(mask == real, f"{word}, {part}: bits {mask:#x} in the page, {real:#x} in the code")
    for word, parts in page.words.items():
        end = 0
        for part, (low, width) in parts.items():
            check(low == end, f"{word}, {part}: begins at bit {low}, the part before it ends at {end}")
            end = low + width
        check(end in (32, 64), f"{word}: {end} bits")
    for latency in (1, 16777216, 1099511627776):
        bits = page.part("sample", "latency", truth[f"float.{latency}"])
        check(as_float(bits) == latency, f"a sample of {latency} ns has bits {bits:#x}")
    real = {schema: (truth[f"schema.{schema}.buckets"], truth[f"schema.{schema}.first"]) for schema in (3, 4, 5)}
    check(page.schemas == real, f"schemas {page.schemas}, are {real}")
    tags = re.findall(r"^ \*   \[([A-Z]+)\] ", layout + breaker, re.M)
    check(sorted(page.tags) == sorted(tags), f"pairs of the page {page.tags}, of layout.h {tags}")


# -- 2. Arithmetic against geometries ---------------------------------------------------------------------------------

OPTIONS = (
    "0",
    ".max_bytes = 1 << 30, .components = 65000, .lanes = 1024, .recent_samples = 65536, .schema = 5",
    ".max_bytes = (1 << 22) + 12345, .components = 1, .lanes = 1, .recent_samples = 32, .schema = 4",
    ".components = 511, .lanes = 3, .recent_samples = 65",
    ".components = 512, .lanes = 62, .recent_samples = 64, .window_seconds = PROMCB_WINDOW_ANY",
)


def check_arithmetic(page, directory):
    names = list(page.structs["promcb_geometry"])
    out = ['#include "format/geometry.h"', '#include "format/metrics.h"', "#include <stdio.h>", "int main(void)", "{", "\tstruct promcb_geometry g;"]
    cases = [(options, size) for options in OPTIONS for size in (4096, 2 << 20)]
    for number, (options, size) in enumerate(cases):
        more = ", .max_bytes = (uint64_t)16 << 30" if size > 4096 else ""
        out.append(f"\tif (promcb_geometry_make(&(struct promcb_options){{{options}{more}}}, {size}, &g, NULL) < 0)")
        out.append("\t\treturn 1;")
        out += [f'\tprintf("{number}.{name} %llu\\n", (unsigned long long)g.{name});' for name in names]
        for n in (0, 1, 4097):
            out += [f'\tprintf("{number}.{name}{n} %llu\\n", (unsigned long long){code.format(n=n)});'
                    for name, code in PLACES.items()]
    source = "\n".join(out + ["\treturn 0;", "}", ""])
    # The later of two initialisers is to win.
    truth = run_c(directory, source, "-Wno-override-init", "lib/format/geometry.c", "lib/base/bucket.c", "lib/base/native.c",
                  "lib/base/message.c", "-lm")
    for number, (options, size) in enumerate(cases):
        seven = {name: truth[f"{number}.{name}"] for name in SEVEN}
        computed = page.geometry(seven)
        for name in names:
            check(computed.get(name) == truth[f"{number}.{name}"],
                  f"{name} is {computed.get(name)} by the page, {truth[f'{number}.{name}']} in the code: {options}")
        for n in (0, 1, 4097):
            places = page.geometry(seven, {"n": n})
            for name in PLACES:
                check(places[name] == truth[f"{number}.{name}{n}"], f"{name} of {n} is another: {options}")


# -- 3. A segment, by the page alone ----------------------------------------------------------------------------------

PRODUCER = r"""
#include <promcb/promcb.h>
#include <stdio.h>
int main(int argc, char **argv)
{
	struct promcb_options options = {.components = 2, .lanes = 3, .recent_samples = 100};
	struct promcb_component *alpha, *beta, *third;
	struct promcb_session *p;
	(void)argc;
	if (promcb_open(argv[1], &options, &p) < 0 || promcb_component(p, "alpha", &alpha) < 0 ||
	    promcb_component(p, "b\xc3\xa9ta", &beta) < 0 || promcb_component(p, "third", &third) == 0)
		return 1;
	for (uint64_t i = 1; i <= 50; i++)
		promcb_record_at(alpha, 1000 * i, true, 5000000000000 + 2000000 * i);
	for (int i = 0; i < 7; i++)
		promcb_record_at(beta, 3000, false, 7000000000000);
	promcb_record(beta, UINT64_MAX, true);
	promcb_set_state(beta, PROMCB_OPEN);
	if (promcb_reset(p, "b\xc3\xa9ta") < 0)
		return 1;
	promcb_record_at(beta, 500, true, 8000000000000);
	promcb_record_at(third, 0, true, 9000000000000);
	promcb_set_state(beta, PROMCB_HALF_OPEN);
	promcb_set_state(beta, PROMCB_OPEN);
	promcb_count_log(beta, PROMCB_LOG_WARNING);
	puts("ready");
	fflush(stdout);
	getchar();
	return 0;
}
"""


class Reader:
    """Reads a segment by the page's tables. No check but of what is expected: it has written it itself."""

    def __init__(self, page, data):
        self.page, self.data = page, data
        self.header = self.struct("promcb_header", 0)
        self.geometry = self.struct("promcb_geometry", page.structs["promcb_header"]["geometry"][0])
        self.all = page.geometry({name: self.geometry[name] for name in SEVEN})

    def words(self, offset, count, size=8):
        return list(struct.unpack_from("<%d%s" % (count, {1: "B", 4: "I", 8: "Q"}[size]), self.data, offset))

    def struct(self, name, offset):
        out = {}
        for field, (place, size, count) in self.page.structs[name].items():
            if field == "geometry":
                continue
            values = self.words(offset + place, count or 1, size // (count or 1))
            out[field] = values if count else values[0]
        return out

    def block(self, number):
        offset = self.page.geometry(self.geometry, {"n": number - 1})["block_off"]
        block, buckets = self.struct("promcb_block", offset), self.geometry["buckets"]
        end = offset + self.page.sizes["promcb_block"]
        block["histogram"] = [self.words(end + outcome * buckets * 8, buckets) for outcome in (0, 1)]
        block["samples"] = block["first_ring"]
        if block["ring"]:
            ring = self.page.geometry(self.geometry, {"n": block["ring"] - 1})["ring_off"]
            block["samples"] = self.words(ring, self.all["ring_slots"])
        return block

    def components(self):
        found = {}
        for word in self.words(self.geometry["table_off"], self.geometry["table_slots"]):
            if word:
                number = self.page.part("table word", "component", word) - 1
                descriptor = self.struct("promcb_descriptor", self.geometry["descriptors_off"] +
                                         number * self.geometry["descriptor_bytes"])
                check(descriptor["hash"] == self.page.part("table word", "hash", word), "two hashes of one name")
                descriptor["number"] = number
                found[bytes(descriptor["name"]).rstrip(b"\0").decode()] = descriptor
        return found

    def blocks(self, component, lane):
        offset = self.geometry["directories_off"] + (lane * self.geometry["directory_words"] + component) * 4
        number = self.words(offset, 1, 4)[0]
        return self.block(number) if number else None

    def chunk(self, number):
        return self.words(self.geometry["chunk_table_off"] + 4 * number, 1, 4)[0]


def is_locked(file, byte):
    lock = struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, byte, 1, 0)
    return struct.unpack("hhqqi4x", fcntl.fcntl(file, fcntl.F_OFD_GETLK, lock))[0] != fcntl.F_UNLCK


def native_bucket(latency_ns, schema):
    """By integers: the least i for which latency^(2^schema) <= 2^i * 10^(9 * 2^schema)."""
    power, unit, index = latency_ns ** (1 << schema), 10 ** (9 << schema), -1200
    while (power << 1200) > (unit << index + 1200):
        index += 1
    return index


def check_recorded(page, reader):
    g, components = reader.geometry, reader.components()
    check({name: reader.header[name] for name in ("magic", "format_major", "format_minor", "abi")} == {
        name: page.constants["PROMCB_" + name.upper()] for name in ("magic", "format_major", "format_minor", "abi")},
        "the header identifies something else")
    check({name: reader.all[name] for name in g} == g, "the header's geometry is not that of the arithmetic")
    check(sorted(components) == ["_overflow", "alpha", "b\u00e9ta"], f"components {sorted(components)}")
    check(components["_overflow"]["number"] == page.constants["PROMCB_OVERFLOW_COMPONENT"], "_overflow's number")
    for name, descriptor in components.items():
        check(descriptor["hash"] == siphash13(reader.header["identity"], name.encode()) >> 16, f"{name}: another hash")
        overflow = reader.block(descriptor["overflow"])
        check(overflow["kind"] == page.constants["PROMCB_BLOCK_OVERFLOW"], f"{name}: overflow block")
        claim = reader.words(g["claims_off"] + 4 * descriptor["number"], 1, 4)[0]
        check(claim == (g["lanes"] + 1 if name == "_overflow" else 1), f"{name}: claim {claim}")
    chunk = reader.chunk(0)
    check([page.part("chunk word", part, chunk) for part in ("lane", "carved", "kind")] ==
          [g["lanes"] + 1, 1, page.constants["PROMCB_CHUNK_BLOCKS"]], f"chunk 0 has word {chunk:#x}")
    check(reader.header["components_rejected"] == 1, "one registration was rejected")

    alpha = reader.blocks(components["alpha"]["number"], 0)
    check(page.part("component_lane", "component", alpha["component_lane"]) == components["alpha"]["number"] and
          page.part("component_lane", "lane", alpha["component_lane"]) == 0, "alpha's block says it is another's")
    check(alpha["kind"] == page.constants["PROMCB_BLOCK_PLAIN"] and sum(alpha["histogram"][0]) == 50 and
          sum(alpha["histogram"][1]) == 0 and alpha["latency_sum_ns"] == [1000 * 50 * 51 // 2, 0], "alpha's counts")
    buckets = [0] * g["buckets"]
    for i in range(1, 51):
        buckets[native_bucket(1000 * i, g["schema"]) - page.schemas[g["schema"]][1] + 1] += 1
    check(alpha["histogram"][0] == buckets, "alpha's histogram")
    check(alpha["ring"] and len(alpha["samples"]) == 128, "alpha has no full ring")
    # The newest sample stands before the position; the others, backwards.
    position = page.part("head", "position", alpha["head"])
    check(page.part("head", "time", alpha["head"]) == 5000000000000 + 2000000 * 50 >> 20, "alpha's head")
    for age in range(1, 51):
        sample, i = alpha["samples"][(position - age) % 128], 51 - age
        bits, tick = page.part("sample", "latency", sample), 5000000000000 + 2000000 * i >> 20 & 2**32 - 1
        check((as_float(bits), page.part("sample", "tick", sample),
               page.part("sample", "failure", sample)) == (1000 * i, tick, 0), f"alpha's sample {i}")
    check(alpha["samples"].count(0) == 128 - 50, "alpha has more samples")

    beta = components["b\u00e9ta"]
    block, state = reader.blocks(beta["number"], 0), beta["state"]
    check([sum(block["histogram"][0]), sum(block["histogram"][1])] == [2, 7], "beta's counts since ever")
    sums = [page.constants["PROMCB_LATENCY_MAX_NS"] + 500, 21000]
    check(block["saturated"] == 1 and block["latency_sum_ns"] == sums and block["log_entries"] == [0, 0, 1, 0] and
          block["last_failure_ns"] > 0, "beta's other counts")
    check(sum(page.part("sample", "failure", sample) for sample in block["samples"]) == 7, "beta's failures")
    check([page.part("state word", part, state) for part in ("closed", "open", "half_open", "state")] == [0, 2, 1, 1],
          f"beta's state {state:#x}")
    check(page.part("state time", "tag", beta["state_time"]) == 3, "beta's state time belongs to another state")
    created, changed = beta["created_realtime_ns"] // 10**6, page.part("state time", "time", beta["state_time"])
    check(abs(changed - created) < 600000, f"beta was created at {created} ms, and changed its state at {changed} ms")
    check(page.part("reset word", "generation", beta["reset"]) == 1, "beta was reset once")
    baseline = reader.block(beta["baseline"][page.part("reset word", "which", beta["reset"])])
    check(baseline["kind"] == page.constants["PROMCB_BLOCK_BASELINE"] and baseline["log_entries"] == [0] * 4 and
          [sum(baseline["histogram"][0]), sum(baseline["histogram"][1])] == [1, 7], "beta's baseline")
    check([page.part("state word", part, baseline["position"]) for part in ("open", "half_open", "state")] == [1, 0, 1],
          "beta's state at the reset")
    check(components["alpha"]["reset"] == 0 and components["alpha"]["state"] == 0, "alpha was reset, or is open")
    overflow = reader.blocks(0, 0)
    check(overflow["histogram"][0][0] == 1 and sum(overflow["histogram"][0]) == 1, "the call of 0 ns in _overflow")


def check_segment(page, directory):
    library = os.path.join(BUILD, "lib")
    if not glob.glob(os.path.join(library, "libpromcb.so*")):
        failures.append(f"{library}/libpromcb.so: not built")
        return
    program, segment = os.path.join(directory, "producer"), f"/dev/shm/promcb-style-man-{os.getpid()}"
    with open(program + ".c", "w", encoding="utf-8") as file:
        file.write(PRODUCER)
    subprocess.run(CC + ["-o", program, program + ".c", "-L" + library, "-lpromcb",
                         "-Wl,-rpath," + os.path.abspath(library)], check=True)
    lanes = page.constants["PROMCB_LOCK_LANES"]
    try:
        with subprocess.Popen([program, segment], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as producer:
            ready = producer.stdout.readline()
            check(ready == b"ready\n", "the producer failed")
            with open(segment, "rb", buffering=0) as file:
                reader = Reader(page, file.read())
                held = [is_locked(file, lanes + lane) for lane in range(5)]
                check(held == [True, False, False, False, False], f"lanes held while it lives: {held}")
                producer.kill()
                producer.wait()
                check(not is_locked(file, lanes), "its lane is held after it was killed")
        lane = reader.struct("promcb_lane", reader.geometry["lanes_off"])
        check(lane["used"] == 1 and lane["taken"] == 1 and lane["pid"] == producer.pid, f"its lane says {lane}")
        check(struct.pack("<2Q", *lane["comm"]).rstrip(b"\0") == b"producer", f"its name is {lane['comm']}")
        boot = 0xCBF29CE484222325
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            text = file.read()
        for byte in text:
            boot = (boot ^ byte) * 0x100000001B3 & 2**64 - 1
        check(lane["boot"] == boot, "its boot is another")
        digits = text.decode().strip().replace("-", "")
        check(reader.header["boot"] == [int(digits[:16], 16), int(digits[16:], 16)], "the header's boot is another")
        check_recorded(page, reader)
    finally:
        if os.path.exists(segment):
            os.unlink(segment)


page_text = read(PAGE)
with tempfile.TemporaryDirectory() as scratch:
    the_page = Page(page_text)
    for stage in (check_headers, check_arithmetic, check_segment):
        # Each needs what the one before has found to be true.
        if not failures:
            stage(the_page, scratch)
for failure in failures:
    print(failure)
sys.exit(1 if failures else 0)
