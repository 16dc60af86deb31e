"""Where numbers of some names stand in an Avro datum: a walk by the writer's
schema that skips all else. Standard library only; a schema is compiled once.
"""

import json

FIXED = {"null": 0, "boolean": 1, "float": 4, "double": 8}


def long_at(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return (value >> 1) ^ -(value & 1), at
        shift += 7


def skip_text(data, at, found):
    size, at = long_at(data, at)
    return at + size


def skip_long(data, at, found):
    while data[at] > 127:
        at += 1
    return at + 1


def full_name(name, space):
    return name if "." in name or not space else f"{space}.{name}"


class Walk:
    """`walk (datum)`: (name, place, bytes, value) of each such number."""

    def __init__(self, schema, names, parts=()):
        self.names, self.known = set(names), {}
        #  What other files define is written out where it is first used.
        self.parts = {full_name(p["name"], p.get("namespace", "")): p for p in parts}
        self.root = self.compile(schema, "")

    def walk(self, datum, at=0):
        found = []
        if self.root(datum, at, found) != len(datum):
            raise ValueError("the schema is not that of the datum")
        return found

    def compile(self, schema, space, name=None):
        """schema -> f (data, at, found) -> behind it"""
        if isinstance(schema, list):
            branches = [self.compile(b, space, name) for b in schema]
            return lambda data, at, found: branches[data[at] >> 1](data, at + 1, found)
        if isinstance(schema, str):
            return self.named(schema, space) or self.primitive(schema, name)
        kind, space = schema["type"], schema.get("namespace", space)
        if isinstance(kind, (dict, list)):
            return self.compile(kind, space, name)
        if kind == "record":
            return self.record(schema, space)
        if kind == "array":
            return self.array(self.compile(schema["items"], space))
        return self.named(kind, space) or self.primitive(kind, name)

    def named(self, name, space):
        full = full_name(name, space)
        if full not in self.known and full in self.parts:
            self.compile(self.parts[full], space)
        return self.known.get(full)

    def primitive(self, kind, name):
        if kind in FIXED:
            size = FIXED[kind]
            return lambda data, at, found: at + size
        if kind in ("bytes", "string"):
            return skip_text
        if kind not in ("int", "long"):
            raise ValueError(f"type {kind}")
        return self.number(name) if name in self.names else skip_long

    @staticmethod
    def number(name):
        def take(data, at, found):
            value, end = long_at(data, at)
            found.append((name, at, end - at, value))
            return end
        return take

    def record(self, schema, space):
        fields = []

        def walk(data, at, found):
            for field in fields:
                at = field(data, at, found)
            return at
        full = full_name(schema["name"], space)
        self.known[full], space = walk, full.rpartition(".")[0]
        fields += [self.compile(f["type"], space, f["name"]) for f in schema["fields"]]
        return walk

    @staticmethod
    def array(item):
        def walk(data, at, found):
            while True:
                n, at = long_at(data, at)
                if n < 0:
                    _, at = long_at(data, at)
                for _ in range(abs(n)):
                    at = item(data, at, found)
                if not n:
                    return at
        return walk


def container(data):
    """The schema of an Avro container, and where the first block's datums are."""
    at, meta = 4, {}
    while True:
        n, at = long_at(data, at)
        if not n:
            break
        if n < 0:
            _, at = long_at(data, at)
        for _ in range(abs(n)):
            size, at = long_at(data, at)
            key, at = data[at:at + size], at + size
            size, at = long_at(data, at)
            meta[key], at = data[at:at + size], at + size
    _, at = long_at(data, at + 16)
    size, at = long_at(data, at)
    return json.loads(meta[b"avro.schema"]), at, at + size
