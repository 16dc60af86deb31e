"""The contracts of proto/ as Python classes.

Each proto/NAME.v1.def becomes one class, read from the file itself, so there
is nothing to generate: alert.v1 is AlertV1, raw_ref.v1 is RawRefV1.

    import weft_contracts as wc

    features = wc.FeaturesV1.decode(frame)
    features.set, features.values[0]
    frame = wc.ScoresV1(models=[wc.ScoreV1(model="demo", ...)]).encode()

Absent is None. Columns come as array.array, which numpy.frombuffer takes
without a copy; anything that array.array takes goes in. What C refuses is
refused here, with the same name: Refused("WEFT_EABSENT", ...).

Needs msgpack (Debian: python3-msgpack), Python 3.9 or later.
"""

import array
import math
import os
import re
import struct
import sys

import msgpack

DEPTH = 8  # deepest nesting of what is skipped, as in weft_cursor.h

# kind: typecode of the column's array, bytes of an element
COLUMNS = {
    "c_u8": ("B", 1),
    "c_kind": ("B", 1),
    "c_u32": ("I", 4),
    "c_id": ("q", 8),
    "c_f32": ("f", 4),
    "c_f64": ("d", 8),
}

# kind: least and largest value
WHOLE = {
    "u8": (0, 0xFF),
    "u32": (0, 0xFFFFFFFF),
    "u64": (0, 0xFFFFFFFFFFFFFFFF),
    "i32": (-(1 << 31), (1 << 31) - 1),
    "id": (-(1 << 63), (1 << 63) - 1),
}

KIND_LETTERS = "?DLF"


class Refused(ValueError):
    """Bytes or values that the contract does not allow."""

    def __init__(self, name, why=""):
        super().__init__(f"{name}: {why}" if why else name)
        self.name = name


class Field:
    """One line of a .def file."""

    def __init__(self, macro, args):
        self.key = args[0]
        self.core = macro == "CORE"
        self.kind, self.sub, self.most = macro.lower(), None, 1
        if macro in ("FIELD", "CORE"):
            self.kind, self.unit, self.meaning = args[2:5]
            return
        self.sub = args[2][: args[2].rindex("_")] + ".v" + args[2][-1]
        self.unit, self.meaning = "", args[-1]
        if macro == "RECORDS":
            self.most = int(args[3])


def read_fields(path):
    """The fields of a .def file, in order."""
    with open(path, encoding="ascii") as file:
        text = re.sub(r"^\s*//.*$", "", file.read(), flags=re.M)
    lines = re.findall(
        r"^(FIELD|CORE|RECORDS?|COLUMNS)\s*\((.*?)\)\s*$", text, re.M | re.S
    )
    token = re.compile(r'"((?:[^"\\]|\\.)*)"|([^\s,"]+)')
    return [
        Field(macro, [a or b for a, b in token.findall(args)])
        for macro, args in lines
    ]


_double = msgpack.Packer(use_bin_type=True)
_single = msgpack.Packer(use_bin_type=True, use_single_float=True)


def _little(column):
    """The column as it is on the wire, and back."""
    if sys.byteorder == "big":
        column = column[:]
        column.byteswap()
    return column


def _is_nan(value):
    return isinstance(value, float) and math.isnan(value)


class Record:
    """What all contracts share. CONTRACT and FIELDS belong to the class."""

    CONTRACT = None
    FIELDS = ()

    def __init__(self, **values):
        for field in self.FIELDS:
            setattr(self, field.key, values.pop(field.key, None))
        if values:
            raise TypeError(f"{self.CONTRACT} has no {', '.join(values)}")

    def __eq__(self, other):
        return type(self) is type(other) and vars(self) == vars(other)

    def __repr__(self):
        there = ((f.key, getattr(self, f.key)) for f in self.FIELDS)
        inner = ", ".join(f"{k}={v!r}" for k, v in there if v is not None)
        return f"{type(self).__name__}({inner})"

    def encode(self):
        """The record as a section."""
        return self._encode(True)

    @classmethod
    def decode(cls, data):
        """Reads a section of this contract; Refused if it is none."""
        name, pairs = _open(data)
        if name != cls.CONTRACT:
            raise Refused("WEFT_EVERSION", name)
        return cls._decode(pairs)

    def json(self):
        """As `weft` prints it: 64-bit numbers as text, columns as rows."""
        out = {}
        for field in self.FIELDS:
            value = getattr(self, field.key)
            if value is not None and not _is_nan(value):
                out[field.key] = _json(field, value)
        return out

    @classmethod
    def from_json(cls, values):
        """The record of what json() or `weft` gave; other keys are ignored."""
        return cls(**{
            f.key: _from_json(f, values[f.key])
            for f in cls.FIELDS
            if values.get(f.key) is not None
        })

    def _encode(self, named):
        present = []
        for field in self.FIELDS:
            value = getattr(self, field.key)
            if value is None or (
                field.kind in ("f32", "f64") and math.isnan(value)
            ):
                if field.core:
                    raise Refused("WEFT_EABSENT", field.key)
                continue
            present.append((field, value))
        out = [_double.pack_map_header(len(present) + named)]
        if named:
            out += [_double.pack("contract"), _double.pack(self.CONTRACT)]
        for field, value in present:
            out += [_double.pack(field.key), _encode(field, value)]
        return b"".join(out)

    @classmethod
    def _decode(cls, pairs):
        self = cls()
        table = {field.key: field for field in cls.FIELDS}
        seen = set()
        for key, value in pairs:
            if not isinstance(key, str):
                raise Refused("WEFT_ETYPE", "a key that is no text")
            field = table.get(key)
            if field is None:
                _check_depth(value, 0)
                continue
            if key in seen:
                raise Refused("WEFT_EMALFORMED", f"{key} twice")
            value = _decode(field, value)
            if field.kind in ("f32", "f64") and math.isnan(value):
                continue
            seen.add(key)
            setattr(self, key, value)
        for field in cls.FIELDS:
            if field.core and getattr(self, field.key) is None:
                raise Refused("WEFT_EABSENT", field.key)
        return self


class _Pairs(list):
    """A map as it stood on the wire: order and repetition kept."""


def _open(data):
    """The name of a section and its other pairs."""
    try:
        value = msgpack.unpackb(
            bytes(data),
            raw=False,
            unicode_errors="surrogateescape",
            strict_map_key=False,
            object_pairs_hook=_Pairs,
        )
    except (ValueError, msgpack.UnpackException, RecursionError) as error:
        raise Refused("WEFT_EMALFORMED", str(error)) from None
    if not isinstance(value, _Pairs):
        raise Refused("WEFT_ETYPE", "no map")
    if value and not isinstance(value[0][0], str):
        raise Refused("WEFT_ETYPE", "a key that is no text")
    if not value or value[0][0] != "contract":
        raise Refused("WEFT_EMALFORMED", "does not begin with its contract")
    if not isinstance(value[0][1], str):
        raise Refused("WEFT_ETYPE", "a name that is no text")
    return value[0][1], value[1:]


def _check_depth(value, depth):
    if not isinstance(value, list) or not value:
        return
    if depth == DEPTH:
        raise Refused("WEFT_ETOODEEP")
    flat = [x for p in value for x in p] if isinstance(value, _Pairs) else value
    for inner in flat:
        _check_depth(inner, depth + 1)


def _encode(field, value):
    kind = field.kind
    if kind in WHOLE:
        least, most = WHOLE[kind]
        value = int(value)
        if not least <= value <= most:
            raise Refused("WEFT_ERANGE", field.key)
        return _double.pack(value)
    if kind == "f32":
        return _single.pack(float(value))
    if kind == "f64":
        return _double.pack(float(value))
    if kind == "str":
        # Text that came from the wire as other bytes goes back as it came.
        data = value.encode("utf-8", "surrogateescape")
        return _text(data)
    if kind == "bin":
        return _double.pack(bytes(value))
    if kind in COLUMNS:
        code = COLUMNS[kind][0]
        column = value if isinstance(value, array.array) else None
        if column is None or column.typecode != code:
            column = array.array(code, value)
        return _double.pack(_little(column).tobytes())
    if kind == "records":
        if len(value) > field.most:
            raise Refused("WEFT_ERANGE", field.key)
        parts = [record._encode(False) for record in value]
        return _double.pack_array_header(len(parts)) + b"".join(parts)
    return value._encode(False)


def _text(data):
    """Bytes as a msgpack text, whatever they are."""
    size = len(data)
    if size < 32:
        return bytes([0xA0 | size]) + data
    if size < 1 << 8:
        return b"\xd9" + struct.pack(">B", size) + data
    if size < 1 << 16:
        return b"\xda" + struct.pack(">H", size) + data
    return b"\xdb" + struct.pack(">I", size) + data


def _decode(field, value):
    kind = field.kind
    if kind in WHOLE:
        return _decode_whole(field, value)
    if kind in ("f32", "f64"):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise Refused("WEFT_ETYPE", field.key)
        return _round_single(value) if kind == "f32" else float(value)
    if kind == "str":
        if not isinstance(value, str):
            raise Refused("WEFT_ETYPE", field.key)
        return value
    if kind == "bin" or kind in COLUMNS:
        if not isinstance(value, bytes):
            raise Refused("WEFT_ETYPE", field.key)
        return value if kind == "bin" else _decode_column(field, value)
    if kind == "records":
        return _decode_records(field, value)
    return _decode_record(field, value)


def _decode_whole(field, value):
    if isinstance(value, bool) or not isinstance(value, int):
        raise Refused("WEFT_ETYPE", field.key)
    least, most = WHOLE[field.kind]
    if not least <= value <= most:
        raise Refused("WEFT_ERANGE", field.key)
    return value


def _round_single(value):
    try:
        return struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)


def _decode_column(field, data):
    code, size = COLUMNS[field.kind]
    if len(data) % size:
        raise Refused("WEFT_EMALFORMED", field.key)
    column = array.array(code)
    column.frombytes(data)
    return _little(column)


def _decode_record(field, value):
    if not isinstance(value, _Pairs):
        raise Refused("WEFT_ETYPE", field.key)
    record = contracts[field.sub]._decode(value)
    if field.kind == "columns":
        columns = (getattr(record, f.key) for f in record.FIELDS)
        if len({len(c) for c in columns if c is not None}) > 1:
            raise Refused("WEFT_EMALFORMED", "columns of different length")
    return record


def _decode_records(field, value):
    if not isinstance(value, list) or isinstance(value, _Pairs):
        raise Refused("WEFT_ETYPE", field.key)
    if len(value) > field.most:
        raise Refused("WEFT_ETOOBIG", field.key)
    return [_decode_record(field, one) for one in value]


def _json_single(value):
    """The shortest decimal that gives the same single float again."""
    if not math.isfinite(value):
        return None
    for digits in range(6, 10):
        text = f"{value:.{digits}g}"
        if _round_single(float(text)) == _round_single(value):
            break
    return float(text)


def _json_element(kind, value):
    if kind == "c_kind":
        return KIND_LETTERS[value if value < len(KIND_LETTERS) else 0]
    if kind == "c_id":
        return str(value)
    if kind == "c_f32":
        return _json_single(value)
    if kind == "c_f64":
        return value if math.isfinite(value) else None
    return value


def _json(field, value):
    kind = field.kind
    if kind in ("u64", "id"):
        return str(value)
    if kind == "f32":
        return _json_single(value)
    if kind == "f64":
        return value if math.isfinite(value) else None
    if kind == "bin":
        return bytes(value).hex()
    if kind in COLUMNS:
        return [_json_element(kind, v) for v in value]
    if kind == "records":
        return [record.json() for record in value]
    if kind == "columns":
        return _json_rows(value)
    return value.json() if kind == "record" else value


def _json_rows(record):
    there = [f for f in record.FIELDS if getattr(record, f.key) is not None]
    lists = [_json(f, getattr(record, f.key)) for f in there]
    return [dict(zip((f.key for f in there), row)) for row in zip(*lists)]


def _from_json(field, value):
    kind = field.kind
    if kind in ("u64", "id"):
        return int(value)
    if kind == "bin":
        return bytes.fromhex(value)
    if kind in COLUMNS:
        return _column_from_json(kind, value)
    if kind == "columns":
        return _columns_from_json(contracts[field.sub], value)
    if kind == "records":
        return [contracts[field.sub].from_json(one) for one in value]
    return contracts[field.sub].from_json(value) if field.sub else value


def _column_from_json(kind, values):
    if kind == "c_kind":
        values = [KIND_LETTERS.index(v) for v in values]
    elif kind == "c_id":
        values = [int(v) for v in values]
    elif kind in ("c_f32", "c_f64"):
        values = [math.nan if v is None else v for v in values]
    return array.array(COLUMNS[kind][0], values)


def _columns_from_json(cls, rows):
    there = [f for f in cls.FIELDS if rows and f.key in rows[0]]
    return cls(**{
        f.key: _column_from_json(f.kind, [row[f.key] for row in rows])
        for f in there
    })


def decode(data):
    """Reads a section of any contract, by the name that it begins with."""
    name, pairs = _open(data)
    if name not in contracts:
        raise Refused("WEFT_EVERSION", name)
    return contracts[name]._decode(pairs)


def load(folder):
    """Contract name -> class, from the .def files of a folder."""
    found = {}
    for file in sorted(os.listdir(folder)):
        if not file.endswith(".def"):
            continue
        name = file[: -len(".def")]
        parts = re.split(r"[._]", name)
        found[name] = type(
            "".join(part.capitalize() for part in parts),
            (Record,),
            {
                "CONTRACT": name,
                "FIELDS": tuple(read_fields(os.path.join(folder, file))),
                "__doc__": f"The contract {name}.",
            },
        )
    if not found:
        raise ImportError(
            f"no contracts (*.def) in {os.path.abspath(folder)}: WEFT_PROTO"
            " names the folder proto of Weft's tree"
        )
    return found


contracts = load(
    os.environ.get("WEFT_PROTO")
    or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
)
globals().update({cls.__name__: cls for cls in contracts.values()})
