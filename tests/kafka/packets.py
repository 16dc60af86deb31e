"""Packets for Kafka: the native ones of the data packs, and permuted copies.

A copy has a new alert id and a new object id and is the same bytes otherwise:
both are replaced in place by others of the same length in Avro's encoding.
"""

import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKS = ROOT / ".." / "shared" / "data"
NATIVE = ["ztf_native", "lsst_native", "lsst_confluent_derived"]
BASE = 1 << 60  # alert ids of copies are BASE + n


def skip(why):
    print(f"SKIP: {why}")
    sys.exit(77)


def unpack(build):
    """Folders of the native packs, and the folder of schemas."""
    if not (PACKS / "unpack").exists():
        skip("no data packs in ../shared/data")
    data = pathlib.Path(build).resolve() / "data"
    subprocess.run([PACKS / "unpack", data, *NATIVE, "schemas"], check=True, stdout=subprocess.DEVNULL)
    return [data / p for p in NATIVE], data / "schemas"


def files_of(folder):
    return sorted(os.path.join(at, name) for at, _, names in os.walk(folder)
                  for name in names if not name.startswith("."))


def peek(weft, schemas, paths):
    """What a path holds, one dict for each position."""
    run = subprocess.run([weft, "peek", "--schemas", schemas, *paths], stdout=subprocess.PIPE)
    out = {}
    for line in run.stdout.splitlines():
        row = json.loads(line)
        out.setdefault(row["path"].split("#")[0], []).append(
            {k: row[k] for k in ("survey", "alert_id", "object_id", "night", "refused") if k in row})
    return out


def varint(value):
    """Avro's long: zigzag, seven bits a byte."""
    value = value << 1 if value >= 0 else (-value << 1) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def new_object(text, n):
    """Another id of the same kind and length."""
    if text.startswith("ZTF") and len(text) == 12:
        letters = ""
        for _ in range(7):
            n, digit = divmod(n, 26)
            letters += chr(97 + digit)
        return text.encode(), f"ZTF99{letters}".encode()
    if text.isdigit() and len(varint(int(text))) == len(varint(BASE)):
        return varint(int(text)), varint(BASE + n)
    return None


class Permuter:
    """One packet of which copies can be made."""

    def __init__(self, data, row):
        self.data, self.row = data, row
        self.old = varint(int(row["alert_id"]))
        named = new_object(row["object_id"], 0)
        self.good = (len(self.old) == len(varint(BASE)) and data.count(self.old) > 0 and
                     named is not None and data.count(named[0]) > 0)

    def copy(self, n):
        old, new = new_object(self.row["object_id"], n)
        return self.data.replace(self.old, varint(BASE + n)).replace(old, new)


class Packets:
    """Messages of a test: (partition, bytes), and what must become of them."""

    def __init__(self, build, partitions=4):
        weft = str(pathlib.Path(build) / "bin" / "weft")
        folders, self.schemas = unpack(build)
        self.partitions = partitions
        self.files = [f for folder in folders for f in files_of(folder)]
        rows = peek(weft, self.schemas, [str(f) for f in folders])
        self.rows = [row for f in self.files for row in rows.get(f, [])]
        self.sources = []
        for path in self.files:
            found = rows.get(path, [])
            #  Of ZTF: a copy of an LSST packet says that each of its earlier
            #  sources has changed its object, which is another load.
            if len(found) == 1 and found[0].get("survey") == "ztf":
                source = Permuter(pathlib.Path(path).read_bytes(), found[0])
                if source.good:
                    self.sources.append(source)

    def native(self):
        for n, path in enumerate(self.files):
            yield n % self.partitions, pathlib.Path(path).read_bytes()

    def copies(self, first, count):
        for n in range(first, first + count):
            yield n % self.partitions, self.sources[n % len(self.sources)].copy(n)

    def expect(self, copies):
        """The ledger when the native packets and so many copies were read, and
        the least and the most of settled ones: an id is told apart by its night
        as well unless both are in flight, and dummies have one id in many."""
        good = [r for r in self.rows if "refused" not in r]
        least = len({(r["survey"], r["alert_id"]) for r in good})
        most = len({(r["survey"], r["alert_id"], r["night"]) for r in good})
        return ({"received": len(self.rows) + copies, "dead": len(self.rows) - len(good),
                 "in_flight": 0, "balanced": True}, least + copies, most + copies)
