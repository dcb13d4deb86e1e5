#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Exact bucket boundaries, by integer roots alone: no floating point takes part.

Native bucket i of schema s ends at 2^(i / 2^s) seconds, which is root(2^s, 10^9^(2^s) * 2^i) nanoseconds.

  bucket_reference.py boundaries OUTPUT   writes the header that test_bucket.c compares with
  bucket_reference.py native OUTPUT       writes the header that test_native.c compares with
  bucket_reference.py tables              prints the tables of bucket3.h, bucket.c and native.c, for the formatter to wrap

The two do not lead to one another: the test holds the result of each table against the boundaries themselves.
"""
import math
import sys

SCHEMAS = (3, 4, 5)
LATENCY_MAX_NS = 1 << 40
NATIVE_DECIMALS = (0, 3, 6, 9)
NATIVE_SCHEMA_MAX = 5
DOUBLE_BIAS = 1023
DOUBLE_MANTISSA_BITS = 52


def root(schema, number):
    """The 2^schema-th root of a whole number, rounded down. Rounding down after each square root changes nothing."""
    for _ in range(schema):
        number = math.isqrt(number)
    return number


def boundary(schema, index, bits=0):
    """floor(2^bits * 10^9 * 2^(index / 2^schema)): the end of a native bucket in units of 2^-bits ns."""
    shift = index + (bits << schema)
    power = (10**9) ** (1 << schema)
    return root(schema, power << shift if shift >= 0 else power >> -shift)


def first_index(schema):
    """The native bucket of 1 ns: the lowest that ends at 1 ns or above."""
    index = 0
    while boundary(schema, index - 1) >= 1:
        index -= 1
    return index


def last_index(schema):
    index = 0
    while boundary(schema, index) < LATENCY_MAX_NS:
        index += 1
    return index


def seconds(schema, index):
    """2^(index / 2^schema), rounded to the nearest double, as a C literal."""
    octave, step = divmod(index, 1 << schema)
    # One bit more than a double holds. Roots are irrational or exact, so that bit alone decides the rounding.
    mantissa = root(schema, 1 << (step + ((DOUBLE_MANTISSA_BITS + 1) << schema)))
    mantissa = (mantissa + 1) >> 1
    return f"0x1.{mantissa - (1 << DOUBLE_MANTISSA_BITS):013x}p{octave:+d}"


def bucket_table(schema):
    """The words that promcb_bucket3() and promcb_bucket_of() add to a double's bits: see bucket3.h."""
    octave = 29  # any: 10^9 lies between 2^29 and 2^30
    mantissa_bits = DOUBLE_MANTISSA_BITS
    inside = []
    for index in range(-(2 << schema), 2 << schema):
        threshold = boundary(schema, index, mantissa_bits - octave) - (1 << mantissa_bits)
        if 0 <= threshold < 1 << mantissa_bits:
            inside.append((threshold, index))
    assert len(inside) == 1 << schema
    width = mantissa_bits - schema - 1
    words = []
    for slot in range(2 << schema):
        end = (slot + 1) << width
        here = [pair for pair in inside if slot << width <= pair[0] < end]
        assert len(here) <= 1
        above = [pair for pair in inside if pair[0] >= end]
        # Without a boundary in the slot all of it belongs to the next boundary's bucket: a threshold it does not exceed.
        threshold, index = here[0] if here else (end, above[0][1] if above else inside[-1][1] + 1)
        bucket = index - first_index(schema) + 1
        word = ((bucket + 1) << (mantissa_bits - schema)) - threshold - 1
        words.append((word - ((octave + DOUBLE_BIAS) << mantissa_bits)) % (1 << 64))
    return words


def scaled(decimals, index, bits=0):
    """floor(2^bits * 10^decimals * 2^(index / 32)): the end of a native bucket of schema 5, in parts of a unit."""
    steps = 1 << NATIVE_SCHEMA_MAX
    shift = index + bits * steps
    power = (10**decimals) ** steps
    return root(NATIVE_SCHEMA_MAX, power << shift if shift >= 0 else power >> -shift)


def mantissa(decimals, index):
    """The mantissa of the same, rounded down."""
    top = scaled(decimals, index).bit_length() - 1
    return scaled(decimals, index, DOUBLE_MANTISSA_BITS - top) - (1 << DOUBLE_MANTISSA_BITS)


def rows(literals, columns):
    literals = list(literals)
    for at in range(0, len(literals), columns):
        yield "\t" + ", ".join(literals[at : at + columns]) + ","


def print_tables():
    for schema in SCHEMAS:
        print(f"buckets of schema {schema}")
        print("\n".join(rows((f"0x{word:016x}u" for word in bucket_table(schema)), 5)))
    finest = SCHEMAS[-1]
    print("boundaries of one octave, floor(2^33 * 10^9 * 2^(k/32))")
    print("\n".join(rows((f"0x{boundary(finest, k, 33):016x}u" for k in range(1 << finest)), 5)))
    for decimals in NATIVE_DECIMALS:
        print(f"mantissas of 10^{decimals} * 2^(k/32)")
        print("\n".join(rows((f"0x{mantissa(decimals, k):013x}u" for k in range(1 << finest)), 5)))
    print("2^(k/32)")
    print("\n".join(rows((seconds(finest, k) for k in range(1 << finest)), 4)))


def write_boundaries(path):
    lines = [
        "/* SPDX-License-Identifier: MIT */",
        "/* Written by bucket_reference.py. Bucket b >= 1 is native bucket b - 1 + first; 0 is the zero bucket. */",
        "#include <stdint.h>",
        "",
    ]
    for schema in SCHEMAS:
        indices = range(first_index(schema), last_index(schema) + 1)
        ends = [0] + [min(boundary(schema, index), LATENCY_MAX_NS) for index in indices]
        bounds = ["0x1p-30"] + [seconds(schema, index) for index in indices]
        lines.append(f"static const uint64_t reference_upper_ns_{schema}[] = {{")
        lines.extend(rows((f"{end}u" for end in ends), 8))
        lines.append("};")
        lines.append(f"static const double reference_upper_seconds_{schema}[] = {{")
        lines.extend(rows(bounds, 4))
        lines.append("};")
    lines.append("static const struct reference {")
    lines.append("\tuint32_t schema;")
    lines.append("\tint32_t first;")
    lines.append("\tuint32_t buckets;")
    lines.append("\tconst uint64_t *upper_ns;")
    lines.append("\tconst double *upper_seconds;")
    lines.append("} references[] = {")
    for schema in SCHEMAS:
        first = first_index(schema)
        buckets = last_index(schema) - first + 2
        names = f"reference_upper_ns_{schema}, reference_upper_seconds_{schema}"
        lines.append(f"\t{{ {schema}, {first}, {buckets}, {names} }},")
    lines.append("};")
    with open(path, "w", encoding="ascii") as output:
        output.write("\n".join(lines) + "\n")


def write_native(path):
    lines = [
        "/* SPDX-License-Identifier: MIT */",
        "/* Written by bucket_reference.py: where native buckets of schema 5 end, from native index `first` on. */",
        "#include <stdint.h>",
        "",
    ]
    steps = 1 << NATIVE_SCHEMA_MAX
    firsts = {}
    for decimals in NATIVE_DECIMALS:
        index = 0
        while scaled(decimals, index - 1) >= 1:
            index -= 1
        firsts[decimals] = index
        ends = []
        while not ends or ends[-1] < 1 << 53:
            ends.append(scaled(decimals, index))
            index += 1
        lines.append(f"static const uint64_t native_ends_{decimals}[] = {{")
        lines.extend(rows((f"{end}u" for end in ends), 8))
        lines.append("};")
    lines.append("static const struct native_reference {")
    lines.append("\tuint32_t decimals;")
    lines.append("\tint32_t first;")
    lines.append("\tuint32_t count;")
    lines.append("\tconst uint64_t *ends; /* in units of 10^-decimals, rounded down */")
    lines.append("} native_references[] = {")
    for decimals in NATIVE_DECIMALS:
        ends = f"native_ends_{decimals}"
        lines.append(f"\t{{ {decimals}, {firsts[decimals]}, sizeof({ends}) / sizeof({ends}[0]), {ends} }},")
    lines.append("};")
    lines.append("static const uint64_t native_mantissas[] = {")
    lines.extend(rows((f"{mantissa(0, index)}u" for index in range(steps)), 5))
    lines.append("};")
    lines.append("static const double native_bounds[] = {")
    lines.extend(rows((seconds(NATIVE_SCHEMA_MAX, index) for index in range(-20 * steps, 20 * steps)), 4))
    lines.append("};")
    with open(path, "w", encoding="ascii") as output:
        output.write("\n".join(lines) + "\n")


def main(arguments):
    if arguments == ["tables"]:
        print_tables()
    elif len(arguments) == 2 and arguments[0] == "boundaries":
        write_boundaries(arguments[1])
    elif len(arguments) == 2 and arguments[0] == "native":
        write_native(arguments[1])
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
