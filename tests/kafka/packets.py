"""Packets for Kafka: the native ones of the data packs, and permuted copies.

A copy has a new alert id and a new object id and is the same bytes otherwise:
they are replaced in place by others of the same length in Avro's encoding. One
of LSST's has new ids in its earlier sources, too: a source has one object, and
whoever tells of it under another says that it has moved.
"""

import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import avro_ids  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKS = ROOT / ".." / "shared" / "data"
NATIVE = ["ztf_native", "lsst_native", "lsst_confluent_derived"]
#  New ids are of a range that no survey has come to, by their bytes.
BASES = {8: 1 << 53, 9: 1 << 60}
SMALL, BASE = BASES[8], BASES[9]
ROWS_MOST = 4096  # earlier sources of one packet
SOURCE = "diaSourceId"
NUMBERS = (SOURCE, "diaObjectId", "ssObjectId")
FIELDS = ("survey", "alert_id", "object_id", "night", "refused")


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


def look(weft, schemas, paths):
    """What a path holds, one dict for each position."""
    where = ["--schemas", schemas] if schemas else []
    run = subprocess.run([weft, "peek", *where, *paths], stdout=subprocess.PIPE)
    out = {}
    for line in run.stdout.splitlines():
        row = json.loads(line)
        out.setdefault(row["path"].split("#")[0], []).append(row)
    return out


def key_of(row):
    """What the notifier calls an alert that the filter `everything` wants."""
    return f"{row['survey']}/{row['object_id']}/everything/{row['alert_id']}"


def varint(value):
    """Avro's long: zigzag, seven bits a byte."""
    value = value << 1 if value >= 0 else (-value << 1) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def letters(n):
    out = ""
    for _ in range(7):
        n, digit = divmod(n, 26)
        out += chr(97 + digit)
    return out


def earlier(base, n, behind, k):
    """The number of the k-th earlier source of copy n, behind its own or not."""
    return (2 * base if behind else base // 2) + n * ROWS_MOST + k


def is_of_copy(number, copies):
    """Is it the number of a source of one of so many copies?"""
    most = copies * ROWS_MOST
    return any(0 <= number - first < most for base in BASES.values()
               for first in (base, earlier(base, 0, False, 0), earlier(base, 0, True, 0)))


def places_of(data, what):
    at, out = data.find(what), []
    while at >= 0:
        out.append(at)
        at = data.find(what, at + len(what))
    return out


class Schemas:
    """Writers' schemas of LSST's packets, and where ids stand in these."""

    def __init__(self, folder):
        self.files = {p.name: p for p in pathlib.Path(folder).rglob("lsst.v*.avsc")}
        self.walks = {}

    def framed(self, version):
        """By a version such as 7.4."""
        if version not in self.walks:
            begin = f"lsst.v{version.replace('.', '_')}."
            parts = {name: json.loads(path.read_text()) for name, path in self.files.items()
                     if name.startswith(begin)}
            root = parts.pop(begin + "alert.avsc", None)
            self.walks[version] = root and avro_ids.Walk(root, NUMBERS, parts.values())
        return self.walks[version]

    def numbers(self, data, row):
        """(name, place, bytes, value) of each id of a packet."""
        if data[:3] == b"Obj":
            schema, begin, end = avro_ids.container(data)
            walk = avro_ids.Walk(schema, NUMBERS)
        else:
            walk, begin, end = self.framed(row["schema"]), 5, len(data)
        return walk.walk(data[:end], begin) if walk else []


class Ztf:
    """One packet of which copies can be made, if it is `good`."""

    survey = "ztf"

    def __init__(self, data, row):
        self.data, self.row, self.name = data, row, row["object_id"].encode()
        alert = varint(int(row["alert_id"]))
        self.numbers, self.names = places_of(data, alert), places_of(data, self.name)
        self.good = len(alert) == 9 and len(self.name) == 12 and self.numbers and self.names

    @staticmethod
    def object(n):
        return f"ZTF99{letters(n)}"

    def key(self, n):
        """key_of copy n."""
        return key_of({"survey": "ztf", "object_id": self.object(n), "alert_id": BASE + n})

    def copy(self, n, of=None):
        """Alert n; of object `of` (default: of one of its own)."""
        out, name = bytearray(self.data), self.object(n if of is None else of).encode()
        for at in self.numbers:
            out[at:at + 9] = varint(BASE + n)
        for at in self.names:
            out[at:at + 12] = name
        return bytes(out)


class Lsst:
    """The same of LSST's, whose ids are found by the schema."""

    survey = "lsst"

    def __init__(self, data, row, schemas):
        self.data, self.row, name = data, row, row["object_id"]
        alert = int(row["alert_id"])
        self.prefix = name.rstrip("0123456789")  # none, ss of the solar system, src
        of = int(name[len(self.prefix):])
        found = schemas.numbers(data, row)
        sources = sorted({value for field, _, _, value in found if field == SOURCE} - {alert})
        #  Before this alert's number or behind it, as they are: rows of one time
        #  are told apart by that.
        rank = {value: (value > alert, k) for k, value in enumerate(sources)}
        self.size, self.object_size = len(varint(alert)), len(varint(of))
        #  (place, bytes, which of the earlier sources; None: this alert, or its object)
        self.places = [(at, size, rank.get(value) if field == SOURCE else None)
                       for field, at, size, value in found
                       if field == SOURCE or (field != SOURCE and value == of)]
        self.good = alert in {value for field, _, _, value in found if field == SOURCE} and \
            self.object_size in BASES and all(size in BASES for _, size, _ in self.places) and \
            len(rank) < ROWS_MOST

    def key(self, n):
        """key_of copy n."""
        return key_of({"survey": "lsst", "alert_id": BASES[self.size] + n,
                       "object_id": self.prefix + str(BASES[self.object_size] + n)})

    def copy(self, n):
        out = bytearray(self.data)
        for at, size, which in self.places:
            out[at:at + size] = varint(BASES[size] + n if which is None else
                                       earlier(BASES[size], n, *which))
        return bytes(out)


class Packets:
    """Messages of a test: (partition, bytes), and what must become of them."""

    def __init__(self, build, partitions=4):
        self.weft = str(pathlib.Path(build) / "bin" / "weft")
        folders, self.schemas = unpack(build)
        self.partitions = partitions
        self.files = [f for folder in folders for f in files_of(folder)]
        rows = look(self.weft, self.schemas, [str(f) for f in folders])
        self.rows = [{k: row[k] for k in FIELDS if k in row}
                     for f in self.files for row in rows.get(f, [])]
        self.sources = {"ztf": [], "lsst": []}
        schemas = Schemas(self.schemas)
        for path in self.files:
            found = rows.get(path, [])
            if len(found) != 1 or found[0].get("survey") not in self.sources:
                continue
            data = pathlib.Path(path).read_bytes()
            source = Ztf(data, found[0]) if found[0]["survey"] == "ztf" else \
                Lsst(data, found[0], schemas)
            if source.good:
                self.sources[source.survey].append(source)

    def source(self, n):
        """Whose copy copy n is: the surveys in turn."""
        these = self.sources["lsst" if n % 2 else "ztf"]
        return these[n // 2 % len(these)]

    def native(self):
        for n, path in enumerate(self.files):
            yield n % self.partitions, pathlib.Path(path).read_bytes()

    def copies(self, first, count):
        for n in range(first, first + count):
            #  The surveys are in turn: both must come into each partition.
            yield n // 2 % self.partitions, self.source(n).copy(n)

    def expect(self, copies):
        """The ledger when the native packets and so many copies were read, and
        the least and the most of settled ones: an id is told apart by its night
        as well unless both are in flight, and dummies have one id in many."""
        good = [r for r in self.rows if "refused" not in r]
        least = len({(r["survey"], r["alert_id"]) for r in good})
        most = len({(r["survey"], r["alert_id"], r["night"]) for r in good})
        return ({"received": len(self.rows) + copies, "dead": len(self.rows) - len(good),
                 "in_flight": 0, "balanced": True}, least + copies, most + copies)

    def alerts(self, copies):
        """key -> (survey, alert id) of all that may be told; of each of the
        latter at least one key must be."""
        out = {key_of(r): (r["survey"], r["alert_id"]) for r in self.rows if "refused" not in r}
        for n in range(copies):
            key = self.source(n).key(n)
            out[key] = (key.split("/")[0], key.split("/")[-1])
        return out
