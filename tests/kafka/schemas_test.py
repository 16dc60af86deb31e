#!/usr/bin/env python3
"""Every pair of schemas interleaved in one topic, packet by packet, the framed ones
by a schema registry: what comes out of ingest is what fastavro reads."""

import collections
import copy
import glob
import itertools
import json
import os
import subprocess
import sys

import kafka_test as base
import packets

import fastavro_test as oracle
from kafka_test import ingest, ledger
from mesh import Mesh, check, free_port, wait_for
from registry_test import Registry

PACKS = ["ztf_native", "lsst_native", "lsst_confluent_derived", "elasticc_alerts"]
ELASTICC_EVERY = 40  # one file of so many: all have one schema
SIMULATED = 60
NATIVE_MOST = 4      # times that an object comes in pairs as it is, each a round
FIRST_ID = 5001      # of the registry: unlike the survey's own ids
STAGE = os.path.abspath("tests/stages/record_stage.py")


class Packet:
    """A message, and what fastavro says of it."""

    def __init__(self, data, alert, schema, mark):
        self.data, self.alert, self.schema, self.mark = data, alert, schema, mark
        mapper = oracle.ztf_alert if "candidate" in alert else oracle.lsst_alert
        want = mapper(alert, schema["name"])[0]
        #  What may come once in a round: history and duplicates are other tests.
        self.keys = {(want["survey"], "object", want["object_id"]),
                     (want["survey"], "alert", want["alert_id"])}

    @property
    def framed(self):
        return self.data[:4] != b"Obj\x01"

    def renamed(self, n):
        """The same alert under other ids, as fastavro writes it."""
        alert = copy.deepcopy(self.alert)
        rename = rename_ztf if "candidate" in alert else rename_lsst
        rename(alert, n)
        out = oracle.io.BytesIO()
        if self.framed:
            out.write(self.data[:5])
            oracle.AVRO.schemaless_writer(out, self.schema, alert)
        else:
            oracle.AVRO.writer(out, self.schema, [alert])
        return Packet(out.getvalue(), alert, self.schema, self.mark)

    def message(self, numbers):
        if not self.framed:
            return self.data
        return b"\0" + numbers[self.mark].to_bytes(4, "big") + self.data[5:]


def rename_ztf(alert, n):
    alert["candid"] = alert["candidate"]["candid"] = packets.BASE + n
    if alert.get("objectId"):
        alert["objectId"] = packets.Ztf.object(n)


def rename_lsst(alert, n):
    source, name = alert["diaSource"], "diaObjectId"
    if not source.get(name) and source.get("ssObjectId"):
        name = "ssObjectId"
    source["diaSourceId"] = source[name] = packets.BASE + n
    if alert.get("diaObject"):
        alert["diaObject"]["diaObjectId"] = packets.BASE + n


def read_pack(folder, schemas, refused):
    paths = packets.files_of(folder)
    if folder.endswith("elasticc_alerts"):
        paths = [path for path in paths if path.endswith(".avro")][::ELASTICC_EVERY]
    for path in paths:
        if path in refused:
            continue
        with open(path, "rb") as file:
            data = file.read()
        if data[:4] != b"Obj\x01":
            yield Packet(data, *schemas.decode(data))
            continue
        alerts, schema = oracle.read_container(path)
        if len(alerts) == 1:
            yield Packet(data, alerts[0], schema, mark_of(schema))


def mark_of(schema):
    text = repr(schema)
    if text not in oracle.MARKS:
        oracle.MARKS[text] = oracle.fingerprint_of(schema)
    return oracle.MARKS[text]


def native():
    """Those that Weft does not refuse; which those are is fastavro_test's."""
    *folders, folder = oracle.unpack(*PACKS, "schemas")
    schemas = oracle.Schemas(folder)
    refused = {line["path"].split("#")[0] for line in oracle.peek(folders[:3], folder)
               if "refused" in line}
    return [packet for pack in folders for packet in read_pack(pack, schemas, refused)]


def simulated(m):
    """LSST 11.0, of which the packs have one packet only; an alert of each object."""
    subprocess.run([base.WEFT, "sim", "--survey", "lsst", "--seed", "7", "--alerts", "900", "--stamps", "none",
                    "--duplicates", "0", "--out", m.path("sim"), "--quiet"], check=True)
    path, = glob.glob(m.path("sim/schemas/*.avsc"))
    schema = oracle.SCHEMA.load_schema(path)
    mark, out, taken = mark_of(schema), [], set()
    for path in packets.files_of(m.path("sim/alerts")):
        with open(path, "rb") as file:
            data = file.read()
        alert = oracle.AVRO.schemaless_reader(oracle.io.BytesIO(data[5:]), schema)
        packet = Packet(data, alert, schema, mark)
        if not packet.keys & taken:
            taken |= packet.keys
            out.append(packet)
    check(len(out) >= SIMULATED, "%d simulated objects" % len(out))
    return out[:SIMULATED]


def plain(schema):
    """A schema as a registry has it."""
    if isinstance(schema, dict):
        return {k: plain(v) for k, v in schema.items() if not k.startswith("__")}
    return [plain(v) for v in schema] if isinstance(schema, list) else schema


def publish(registry, found):
    """The number of each framed schema."""
    marks = {packet.mark: packet.schema for packet in found if packet.framed}
    numbers = {mark: FIRST_ID + n for n, mark in enumerate(sorted(marks))}
    for mark, number in numbers.items():
        registry.schemas[number] = json.dumps(plain(marks[mark]))
    return numbers


def of_version(found, version):
    return [packet for packet in found if packet.framed and
            packet.schema["name"].replace("_", ".").startswith("lsst.v%s." % version)]


def distinct(found):
    """Packets that may be in one round."""
    out, keys = [], set()
    for packet in found:
        if not packet.keys & keys:
            keys |= packet.keys
            out.append(packet)
    return out


class Supply:
    """Packets of each schema in turn; those that have come often, or have the object
    of the one before, under other ids."""

    def __init__(self, found):
        self.by_mark, self.uses, self.copies = {}, collections.Counter(), 0
        for packet in found:
            self.by_mark.setdefault(packet.mark, []).append(packet)

    def take(self, mark, n, other):
        packet = self.by_mark[mark][n % len(self.by_mark[mark])]
        if packet.keys & other or max(self.uses[key] for key in packet.keys) >= NATIVE_MOST:
            self.copies += 1
            return packet.renamed(self.copies)
        self.uses.update(packet.keys)
        return packet


def pairs(found):
    """Two packets of each pair of schemas, one behind the other."""
    supply = Supply(found)
    for n, (one, other) in enumerate(itertools.combinations(sorted(supply.by_mark), 2)):
        first = supply.take(one, n, set())
        yield [first, supply.take(other, n, first.keys)]


def rounds(units):
    """Units that have nothing in common go together."""
    out = []
    for unit in units:
        keys = set().union(*(packet.keys for packet in unit))
        for used, messages in out:
            if not used & keys:
                used |= keys
                messages += unit
                break
        else:
            out.append((set(keys), list(unit)))
    return [messages for _, messages in out]


class Run:
    """One ingest, one topic of one partition; Redis is emptied before each round."""

    def __init__(self, m, registry, numbers, topic):
        self.m, self.topic, self.numbers = m, topic, numbers
        self.sent, self.seen, self.report = [], 0, oracle.Report()
        port = free_port()
        base.CLUSTER.create(topic, 1)
        self.source = ingest(m, port, topics=[topic], group=topic, registry=registry.url, ownership=False,
                             nonpublic=True, rows_most=8192, forced_days=100000, limit_days=100000)
        m.add("sink", STAGE, {"link": {"upstreams": m.at([port])},
                              "http": {"address": "127.0.0.1:%d" % free_port()},
                              "options": {"file": m.path("alerts.jsonl")}}, {"WEFT_TEST_STAGE": "sink"})
        m.start()

    def round(self, found):
        self.m.redis.command("FLUSHALL")
        self.sent += found
        base.CLUSTER.feed(self.topic, [(0, packet.message(self.numbers)) for packet in found])
        wait_for(base.settled(self.m, len(found)), 60, "all of a round is settled")
        check(ledger(self.m)["settled"] == len(found), "not all are settled: %s" % ledger(self.m))

    def compare(self):
        """Each message that was sent, by its offset."""
        lines = {}
        with open(self.m.path("alerts.jsonl")) as file:
            for line in map(json.loads, file):
                lines[int(line["path"].rsplit("/", 1)[1])] = line
        check(sorted(lines) == list(range(len(self.sent))), "%d of %d alerts came out" % (
            len(lines), len(self.sent)))
        for offset, packet in enumerate(self.sent):
            oracle.compare(self.report, lines[offset], packet.alert, packet.schema["name"], packet.mark)
        for fault in self.report.faults[:20]:
            print("  ", *fault)
        check(not self.report.faults, "%d values differ" % len(self.report.faults))
        print("     %d packets, %d rows, %d values compared" % (
            self.report.packets, self.report.rows, self.report.fields))


def interleaved():
    with Mesh("every pair of schemas interleaved", redis=True) as m:
        registry = Registry().start()
        ours, sims = native(), simulated(m)
        found = ours + sims
        run = Run(m, registry, publish(registry, found), "interleaved")
        tens, elevens = distinct(of_version(ours, "10.0")), distinct(of_version(found, "11.0"))
        count = min(len(tens), len(elevens))
        check(count >= SIMULATED, "%d packets of 10.0, %d of 11.0" % (len(tens), len(elevens)))
        run.round([packet for both in zip(tens, elevens) for packet in both])
        units = list(pairs(found)) + [[packet] for packet in ours]
        every = rounds(units)
        for messages in every:
            run.round(messages)
        run.compare()
        marks = len({packet.mark for packet in found})
        asked = set(registry.asked)
        check(asked == set(registry.schemas), "asked for %s" % asked)
        check(len(units) - len(ours) == marks * (marks - 1) // 2, "a pair is missing")
        print("     %d schemas, %d of them from the registry, %d pairs, %d rounds" % (
            marks, len(asked), len(units) - len(ours), len(every)))
        m.drain()
        registry.stop()


if __name__ == "__main__":
    if not os.path.isdir(oracle.PACKS):
        packets.skip("no data packs in ../shared/data")
    oracle.AVRO = oracle.fastavro()
    import fastavro.schema
    oracle.SCHEMA = sys.modules["fastavro.schema"]
    base.run([interleaved])
