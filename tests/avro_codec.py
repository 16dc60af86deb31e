"""Avro data to Python values and back, by a schema: for tests that change one
field of a packet. Standard library only; small, not fast."""

import struct


class Codec:
    def __init__(self, schema):
        self.named = {}
        self.schema = schema
        self.learn(schema)

    def learn(self, schema, space=""):
        if isinstance(schema, list):
            for branch in schema:
                self.learn(branch, space)
        elif isinstance(schema, dict):
            space = schema.get("namespace", space)
            if "name" in schema:
                self.named[schema["name"]] = schema
                self.named[space + "." + schema["name"]] = schema
            for field in schema.get("fields", []):
                self.learn(field["type"], space)
            for key in ("items", "values"):
                if key in schema:
                    self.learn(schema[key], space)

    def kind(self, schema):
        if isinstance(schema, str) and schema in self.named:
            schema = self.named[schema]
        if isinstance(schema, dict):
            return schema["type"] if isinstance(schema["type"], str) and \
                schema["type"] not in self.named else schema["type"], schema
        return ("union", schema) if isinstance(schema, list) else (schema, schema)

    def decode(self, data):
        self.data, self.at = data, 0
        value = self.read(self.schema)
        assert self.at == len(data), "%d of %d bytes" % (self.at, len(data))
        return value

    def take(self, n):
        self.at += n
        return self.data[self.at - n:self.at]

    def long(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return (value >> 1) ^ -(value & 1)

    def read(self, schema):
        kind, schema = self.kind(schema)
        if kind == "null":
            return None
        if kind == "union":
            branch = self.long()
            return branch, self.read(schema[branch])
        if kind == "record":
            return {f["name"]: self.read(f["type"]) for f in schema["fields"]}
        if kind == "array":
            rows = []
            while n := self.long():
                if n < 0:
                    self.long()
                rows += [self.read(schema["items"]) for _ in range(abs(n))]
            return rows
        if kind in ("int", "long"):
            return self.long()
        if kind == "boolean":
            return self.take(1)[0] != 0
        if kind in ("float", "double"):
            size = 4 if kind == "float" else 8
            return struct.unpack("<f" if size == 4 else "<d",
                                 self.take(size))[0]
        if kind in ("bytes", "string"):
            return self.take(self.long())
        raise ValueError(kind)

    def encode(self, value):
        self.out = bytearray()
        self.write(self.schema, value)
        return bytes(self.out)

    def put(self, value):
        value = (value << 1) ^ (value >> 63)
        while value > 127:
            self.out.append(value & 127 | 128)
            value >>= 7
        self.out.append(value)

    def write(self, schema, value):
        kind, schema = self.kind(schema)
        if kind == "union":
            self.put(value[0])
            self.write(schema[value[0]], value[1])
        elif kind == "record":
            for field in schema["fields"]:
                self.write(field["type"], value[field["name"]])
        elif kind == "array":
            if value:
                self.put(len(value))
            for row in value:
                self.write(schema["items"], row)
            self.put(0)
        elif kind in ("int", "long"):
            self.put(value)
        elif kind == "boolean":
            self.out.append(value)
        elif kind in ("float", "double"):
            self.out += struct.pack("<f" if kind == "float" else "<d", value)
        elif kind in ("bytes", "string"):
            self.put(len(value))
            self.out += value
        elif kind != "null":
            raise ValueError(kind)


def some(schema_union, value):
    """A value of a union ["null", X], or null."""
    return (0, None) if value is None else (schema_union.index(next(
        b for b in schema_union if b != "null")), value)
