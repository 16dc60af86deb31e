#!/usr/bin/env python3
"""Writes proto/vectors/NAME.json for contracts that have none yet.

A released contract is frozen, and so are its vectors: an existing file is
never touched. Values are made up here, one of each kind with its extremes;
the bytes come from the Python classes, and the C code judges them
(vectors_test.c), so that neither checks its own work.

    make_vectors.py                     those that are missing
    make_vectors.py --again NAME...     rewrites them, before a release
    make_vectors.py --add NAME TEXT     adds one good vector called TEXT from
                                        JSON on standard input (weft peek's)
"""

import json
import math
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "proto", "python"))

import msgpack
import weft_contracts as wc

ROWS = 3
EXTREMES = {
    "u8": [1, 255, 0],
    "u32": [1, 0xFFFFFFFF, 70000],
    "u64": [(1 << 64) - 1, 1 << 53, 300],
    "i32": [-5, (1 << 31) - 1, -(1 << 31)],
    "id": [-1234567890123456789, (1 << 63) - 1, -(1 << 63), 313888624615010001],
    "f32": [0.1, -999.5, 3.4e38, 1e-20],
    "f64": [60310.123456789, -1e-300, 359.99999999999994],
    "str": ["ZTF24xaaaaab", "", "Zwicky \u2192 \u03b1\u03b2\u03b3", "x" * 40],
    "bin": [bytes(range(8)), b"", b"\xff" * 300],
    "c_u8": [[6, 7, 255], []],
    "c_kind": [[1, 2, 3]],
    "c_u32": [[0, 1, 0xFFFFFFFF]],
    "c_id": [[-1, 0, (1 << 63) - 1]],
    "c_f32": [[1.5, math.nan, -0.1]],
    "c_f64": [[60309.5, 60310.25, math.nan]],
}


class Maker:
    """Values that differ from field to field, the same in each run."""

    def __init__(self):
        self.n = {}

    def value(self, kind):
        values = EXTREMES[kind]
        i = self.n.get(kind, 0)
        self.n[kind] = i + 1
        return values[i % len(values)]

    def record(self, cls, only_core=False, columns=False):
        record = cls()
        for field in cls.FIELDS:
            if only_core and not field.core:
                continue
            setattr(record, field.key, self.field(field, columns))
        return record

    def field(self, field, columns):
        if field.sub:
            sub = wc.contracts[field.sub]
            if field.kind == "records":
                count = min(2, field.most)
                return [self.record(sub) for _ in range(count)]
            return self.record(sub, columns=field.kind == "columns")
        # In a record of columns all have one length.
        return EXTREMES[field.kind][0] if columns else self.value(field.kind)


def lines(data):
    """Hexadecimal in lines that people can compare."""
    text = data.hex()
    return [text[i : i + 64] for i in range(0, len(text), 64)]


def good(name, data, canonical=None):
    vector = {"name": name, "hex": lines(data), "json": wc.decode(data).json()}
    if canonical is not None and canonical != data:
        vector["canonical"] = lines(canonical)
    return vector


def bad(name, data, error):
    return {"name": name, "hex": lines(data), "error": error}


class _Pairs:
    """A msgpack map written pair by pair, for what no packer would write."""

    def __init__(self, name):
        self.out = [(pack("contract"), pack(name))]

    def add(self, key, value):
        self.out.append((key if isinstance(key, bytes) else pack(key), value))
        return self

    def bytes(self, extra=0):
        packer = msgpack.Packer()
        head = packer.pack_map_header(len(self.out) + extra)
        return head + b"".join(k + v for k, v in self.out)


def pack(value):
    return msgpack.packb(value, use_bin_type=True)


def pairs_of(record):
    """Name and encoded value of each field that is there."""
    out = []
    for field in record.FIELDS:
        value = getattr(record, field.key)
        if value is not None:
            out.append((field, wc._encode(field, value)))
    return out


def rebuilt(record, change=None):
    """The record again, its pairs passed through `change`."""
    pairs = _Pairs(record.CONTRACT)
    for field, value in pairs_of(record):
        result = change(field, value) if change else value
        if result is not None:
            pairs.add(field.key, result)
    return pairs


def wide(field, value):
    """The same number in the widest form that msgpack has."""
    if field.kind in ("u8", "u32", "u64"):
        return b"\xcf" + struct.pack(">Q", msgpack.unpackb(value))
    if field.kind in ("i32", "id"):
        return b"\xd3" + struct.pack(">q", msgpack.unpackb(value))
    if field.kind == "f32":
        return b"\xcb" + struct.pack(">d", msgpack.unpackb(value))
    if field.kind == "str":
        text = msgpack.unpackb(value).encode()
        return b"\xdb" + struct.pack(">I", len(text)) + text
    return value


def good_vectors(cls):
    full = Maker().record(cls)
    least = Maker().record(cls, only_core=True)
    vectors = [good("every field", full.encode())]
    if least.encode() != full.encode():
        vectors.append(good("core fields only", least.encode()))
    vectors.append(
        good("numbers and texts in their widest form",
             rebuilt(full, wide).bytes(), full.encode())
    )
    reverse = rebuilt(full)
    reverse.out[1:] = reverse.out[:0:-1]
    vectors.append(good("keys in another order", reverse.bytes(), full.encode()))
    unknown = rebuilt(full)
    deep = []
    for _ in range(7):
        deep = [deep, 1]
    unknown.out.insert(1, (pack("later"), pack({"a": deep, "b": b"\0\1"})))
    unknown.add("zz", b"\xc7\x03\x05abc").add("nil", b"\xc0")
    vectors.append(good("keys of a later version", unknown.bytes(), full.encode()))
    floats = [f for f in cls.FIELDS if f.kind in ("f32", "f64") and not f.core]
    if floats:
        nan = Maker().record(cls)
        setattr(nan, floats[0].key, None)
        data = rebuilt(full, lambda f, v: b"\xca\x7f\xc0\0\0"
                       if f is floats[0] else v).bytes()
        vectors.append(good("a float that is NaN is absent", data, nan.encode()))
        whole = Maker().record(cls)
        setattr(whole, floats[0].key, 17.0)
        data = rebuilt(full, lambda f, v: b"\x11" if f is floats[0] else v)
        vectors.append(good("a float written as a whole number", data.bytes(),
                            whole.encode()))
    return vectors


#  How to spoil a field of each kind: (what, bytes, error).
def spoils(field):
    kind = field.kind
    nil, text = b"\xc0", pack("7")
    if kind in ("u8", "u32", "u64"):
        yield "negative", b"\xff", "WEFT_ERANGE"
        yield "a text", text, "WEFT_ETYPE"
        yield "a float", b"\xca\x3f\x80\0\0", "WEFT_ETYPE"
        if kind != "u64":
            yield "too large", b"\xcf" + b"\xff" * 8, "WEFT_ERANGE"
    elif kind in ("i32", "id"):
        yield "too large", b"\xcf" + b"\xff" * 8, "WEFT_ERANGE"
        yield "true", b"\xc3", "WEFT_ETYPE"
    elif kind in ("f32", "f64"):
        yield "a text", text, "WEFT_ETYPE"
        yield "true", b"\xc3", "WEFT_ETYPE"
    elif kind == "str":
        yield "a bin", b"\xc4\x01a", "WEFT_ETYPE"
        yield "longer than all bytes", b"\xdb\xff\xff\xff\xff", "WEFT_ETRUNCATED"
    elif kind == "bin" or kind in wc.COLUMNS:
        yield "a text", text, "WEFT_ETYPE"
        yield "longer than all bytes", b"\xc6\xff\xff\xff\xff", "WEFT_ETRUNCATED"
        if kind in wc.COLUMNS and wc.COLUMNS[kind][1] > 1:
            yield "no whole elements", b"\xc4\x01\0", "WEFT_EMALFORMED"
    elif kind == "records":
        yield "no array", b"\x80", "WEFT_ETYPE"
        yield "more than memory", b"\xdd\xff\xff\xff\xff", "WEFT_ETRUNCATED"
        yield from too_many(field)
    else:
        yield "no map", b"\x90", "WEFT_ETYPE"
        yield "more than memory", b"\xdf\xff\xff\xff\xff", "WEFT_ETRUNCATED"
    yield "nil", nil, "WEFT_ETYPE"


def too_many(field):
    one = Maker().record(wc.contracts[field.sub], only_core=True)
    head = msgpack.Packer().pack_array_header(field.most + 1)
    body = one._encode(False) * (field.most + 1)
    yield "too many", head + body, "WEFT_ETOOBIG"


def spoiled_fields(cls, full):
    """The first field of each kind, spoiled in each way."""
    seen = set()
    for victim in cls.FIELDS:
        if victim.kind in seen:
            continue
        seen.add(victim.kind)
        for what, data, error in spoils(victim):
            spoiled = rebuilt(full, lambda f, v: data if f is victim
                              else v if f.core else None).bytes()
            yield bad(f"{victim.key}: {what}", spoiled, error)


def unequal_columns(full, field):
    points = getattr(full, field.key)
    full = smallest(type(full))
    setattr(full, field.key, points)
    first = points.FIELDS[0]
    setattr(points, first.key, getattr(points, first.key)[:1])
    return bad(f"{field.key}: columns of different length", full.encode(),
               "WEFT_EMALFORMED")


def smallest(cls):
    """Core fields, or the first field if there are none."""
    least = Maker().record(cls, only_core=True)
    if not pairs_of(least):
        first = cls.FIELDS[0]
        setattr(least, first.key, Maker().field(first, False))
    return least


def bad_vectors(cls):
    full = Maker().record(cls)
    least = smallest(cls)
    data = least.encode()
    vectors = [
        bad("no bytes", b"", "WEFT_ETRUNCATED"),
        bad("no map", b"\x93\1\2\3", "WEFT_ETYPE"),
        bad("an empty map", b"\x80", "WEFT_EMALFORMED"),
        bad("half of it", data[: len(data) // 2], "WEFT_ETRUNCATED"),
        bad("a byte too many", data + b"\0", "WEFT_EMALFORMED"),
        bad("four thousand million pairs", b"\xdf\xff\xff\xff\xff",
            "WEFT_ETRUNCATED"),
        bad("does not begin with its contract",
            b"\x81" + pack("concract") + pack(cls.CONTRACT),
            "WEFT_EMALFORMED"),
        bad("another version", data.replace(b".v1", b".v9", 1),
            "WEFT_EVERSION"),
        bad("a name that is a number", b"\x81" + pack("contract") + b"\1",
            "WEFT_ETYPE"),
        bad("a key that is a number", rebuilt(least).add(b"\1", b"\1").bytes(),
            "WEFT_ETYPE"),
        bad("a type that does not exist",
            rebuilt(least).add("later", b"\xc1").bytes(), "WEFT_EMALFORMED"),
        bad("nested too deeply",
            rebuilt(least).add("later", b"\x91" * 12 + b"\1").bytes(),
            "WEFT_ETOODEEP"),
    ]
    first, value = pairs_of(least)[0]
    vectors.append(bad(f"{first.key} twice",
                       rebuilt(least).add(first.key, value).bytes(),
                       "WEFT_EMALFORMED"))
    for field in cls.FIELDS:
        if field.core:
            vectors.append(bad(
                f"{field.key} is absent",
                rebuilt(least, lambda f, v: None if f is field else v).bytes(),
                "WEFT_EABSENT"))
        if field.kind == "columns":
            vectors.append(unequal_columns(full, field))
    return vectors + list(spoiled_fields(cls, full))


def write(cls):
    path = os.path.join(ROOT, "proto", "vectors", cls.CONTRACT + ".json")
    vectors = good_vectors(cls) + bad_vectors(cls)
    save(path, vectors)


def add(name, text):
    path = os.path.join(ROOT, "proto", "vectors", name + ".json")
    with open(path, encoding="utf-8") as file:
        vectors = json.load(file)
    record = wc.contracts[name].from_json(json.load(sys.stdin))
    vectors.insert(0, good(text, record.encode()))
    save(path, vectors)


def save(path, vectors):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(vectors, file, indent=1, ensure_ascii=False, allow_nan=False)
        file.write("\n")
    print(f"{path}: {len(vectors)} vectors")


def main():
    if sys.argv[1:2] == ["--add"]:
        add(*sys.argv[2:])
        return
    again = sys.argv[2:] if sys.argv[1:2] == ["--again"] else []
    inner = {f.sub for cls in wc.contracts.values() for f in cls.FIELDS}
    for name, cls in wc.contracts.items():
        path = os.path.join(ROOT, "proto", "vectors", name + ".json")
        if name in again or (name not in inner and not os.path.exists(path)):
            write(cls)


if __name__ == "__main__":
    main()
