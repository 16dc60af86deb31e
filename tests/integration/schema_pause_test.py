#!/usr/bin/env python3
"""A schema that lacks a core field stops ingest; a mapping file lets it go on."""

import json
import os
import subprocess
import sys

from mesh import BUILD, Mesh, check, free_port, main, wait_for

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench", "peers"))
from containers import open_container  # noqa: E402

WEFT = os.path.join(BUILD, "bin", "weft")
OLD, NEW = 20, 60
GROWTH_MOST = 2 << 20  # bytes of Redis while it stands still

MAPPING = """survey  ztf
like    ztf
schemas ztf.alert
candidate.magpsf = candidate.psfmag
prv_candidates.magpsf = prv_candidates.psfmag
"""


def put_long(value):
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def put_bytes(data):
    return put_long(len(data)) + data


def container(schema, datum):
    sync = bytes(range(16))
    return (b"Obj\x01" + put_long(2) + put_bytes(b"avro.schema") + put_bytes(schema.encode()) +
            put_bytes(b"avro.codec") + put_bytes(b"null") + put_long(0) + sync +
            put_long(1) + put_bytes(datum) + sync)


def packets(m, old=OLD, new=NEW):
    """A folder whose later files have magpsf under another name."""
    subprocess.run([WEFT, "sim", "--seed", "9", "--alerts", str(old + new + 30), "--out", m.path("sim"),
                    "--stamps", "full", "--duplicates", "0", "--quiet"], check=True)
    found = []
    for at, _, names in os.walk(m.path("sim/alerts")):
        found += [os.path.join(at, name) for name in names if name.endswith(".avro")]
    both = [open_container(open(path, "rb").read()) for path in sorted(found)]
    both = list(dict((datum, schema) for schema, datum in both).items())[:old + new]
    os.makedirs(m.path("in"))
    for i, (datum, schema) in enumerate(both):
        if i >= old:
            changed = json.dumps(json.loads(schema), separators=(",", ":"))
            schema = changed.replace('"name":"magpsf"', '"name":"psfmag"')
            check(schema != changed, "the schema has magpsf")
        with open(m.path("in/%05d.avro" % i), "wb") as f:
            f.write(container(schema, datum))
    return m.path("in")


def total(m):
    run = subprocess.run([WEFT, "ledger", "--json", "--redis", m.redis.address],
                         stdout=subprocess.PIPE, check=False)
    return json.loads(run.stdout or b"{}").get("total", {})


def memory(m):
    out = subprocess.run(["redis-cli", "-s", m.redis.socket, "INFO", "memory"],
                         stdout=subprocess.PIPE, check=True).stdout.decode()
    return int(out.split("used_memory:")[1].split()[0])


def ingest_of(m, old, new, **options):
    os.makedirs(m.path("mappings"))
    port = free_port()
    process = m.add("ingest", os.path.join(BUILD, "bin", "weft-ingest"), {
        "service": {"data_dir": m.folder},
        "link": {"bind": "127.0.0.1:%d" % port, "outputs": ["sink"]},
        "http": {"address": "127.0.0.1:%d" % free_port()},
        "options": dict(inputs=[packets(m, old, new)], mappings=m.path("mappings"), stay=True, **options)})
    m.sink([port])
    return process


def put_letters_back(m):
    subprocess.run([WEFT, "dlq", "replay", "ingest", "--all", "--redis", m.redis.address],
                   check=True, stdout=subprocess.DEVNULL)


def stops_and_goes_on():
    with Mesh("a schema without a core field stops the input", redis=True) as m:
        ingest = ingest_of(m, OLD, NEW, pause_on_schema=True)
        before = memory(m)
        m.start()
        wait_for(lambda: "a schema is refused too often" in ingest.http("/readyz")[1], 60,
                 "/readyz says that it stands still")
        wait_for(lambda: ingest.metric("weft_ingest_paused") == 1, 60, "so does a metric")
        said = ingest.events("INGEST-SCHEMA-PAUSED")
        check(said and "lacks magpsf" in said[0]["text"], "said %s" % said)
        wait_for(lambda: total(m).get("settled") == OLD, 60, "the old schema is settled")
        wait_for(lambda: total(m).get("in_flight") == 0, 60, "all that was read has an outcome")
        dead = total(m).get("dead")
        check(0 < dead < NEW / 2, "%s are dead letters" % dead)
        grown = memory(m) - before
        check(grown < GROWTH_MOST, "Redis has grown by %d bytes" % grown)
        #  A mapping that is wrong is named and changes nothing.
        with open(m.path("mappings/new.map"), "w") as f:
            f.write("survey ztf\nlike sdss\n")
        wait_for(lambda: ingest.events("INGEST-MAPPING-BAD"), 60, "the bad mapping is named")
        check(ingest.metric("weft_ingest_paused") == 1, "it went on by a bad mapping")
        os.makedirs(m.path("ready"))
        with open(m.path("ready/new.map"), "w") as f:
            f.write(MAPPING)
        os.rename(m.path("ready/new.map"), m.path("mappings/new.map"))
        wait_for(lambda: total(m).get("settled") == OLD + NEW - dead, 60, "the rest is settled")
        check(total(m).get("dead") == dead, "more died: %s" % total(m))
        #  The first few are letters with all their bytes: put back, nothing is lost.
        put_letters_back(m)
        wait_for(lambda: (total(m).get("settled"), total(m).get("dead")) == (OLD + NEW, 0), 60,
                 "the letters are settled, too")


def read_again(m, ingest):
    """All of the input, as if nobody knew how far it was read."""
    again = len(ingest.events("INGEST-OPEN"))
    ingest.kill()
    for key in m.redis.command("KEYS", "place:*"):
        m.redis.command("DEL", key)
    ingest.start()
    wait_for(lambda: len(ingest.events("INGEST-OPEN")) > again, 60, "it has started")
    wait_for(lambda: any(m.redis.command("GET", key).endswith(" 7")
                         for key in m.redis.command("KEYS", "place:*")), 60, "all has an outcome again")
    check(ingest.metric("weft_ingest_read_total") == 7, "it was not all read again")


def counts(m, settled, dead):
    want = dict(received=7, settled=settled, dead=dead, in_flight=0, balanced=True)
    wait_for(lambda: dict(total(m), **want) == total(m), 60,
             "%d settled, %d dead of 7, once each: %s" % (settled, dead, total(m)))


def each_position_counts_once():
    """Read once when its schema could be read, and once when it could not."""
    with Mesh("read again with another mapping", redis=True) as m:
        ingest = ingest_of(m, 4, 3)
        m.start()
        counts(m, 4, 3)
        with open(m.path("mappings/new.map"), "w") as f:
            f.write(MAPPING)
        read_again(m, ingest)
        counts(m, 4, 3)
        put_letters_back(m)
        counts(m, 7, 0)
        m.redis.command("FLUSHALL")
        read_again(m, ingest)
        counts(m, 7, 0)
        os.remove(m.path("mappings/new.map"))
        read_again(m, ingest)
        counts(m, 7, 0)


if __name__ == "__main__":
    main([stops_and_goes_on, each_position_counts_once])
