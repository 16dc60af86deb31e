#!/usr/bin/env python3
"""Every packet of the sample data through all six services: each is told to a
sink once, or is a dead letter with its reason, and one that was read too early
is put back."""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "mesh"))
from mesh import Mesh, sink_lines  # noqa: E402
from night import options_for, publish_model  # noqa: E402

UNPACK = ROOT.parent / "shared" / "data" / "unpack"
PACKETS = ["ztf_native", "lsst_native", "lsst_confluent_derived", "malformed"]
SECONDS = 600  # a sanitizer on a busy machine


def wait_for(what, meaning):
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(0.2)
    raise SystemExit(f"not within {SECONDS} s: {meaning}")


def check(condition, text):
    if not condition:
        raise SystemExit(text)


def start(folder, inputs, schemas, stay=False):
    mesh = Mesh(folder)
    mesh.redis.start()
    publish_model(mesh, mesh.folder / "season", 3, 1500)
    mesh.configure(options_for(mesh, inputs, schemas=schemas, stay=stay))
    for instance in mesh.instances.values():
        if instance.service != "ingest":
            instance.start()
    mesh.wait_ready(SECONDS, without=("ingest", "crossmatch", "feature", "classifier"))
    mesh.of("ingest")[0].start()
    return mesh


def told(mesh):
    return [(line["survey"], str(line["alert_id"]))
            for line in sink_lines(mesh.folder / "sinks" / "all.jsonl")]


def letters(mesh):
    return json.loads(mesh.weft("dlq", "ls", "--json").stdout)


def peeked(mesh, inputs, schemas):
    """What the decoder alone makes of the same files: good ids, refused ones."""
    text = mesh.weft("peek", "--schemas", schemas, *inputs, check=False).stdout
    lines = [json.loads(line) for line in text.splitlines()]
    good = [(x["survey"], x["alert_id"]) for x in lines if "refused" not in x]
    return good, len(lines) - len(good)


def all_packets(folder, data):
    inputs = [str(data / pack) for pack in PACKETS]
    mesh = start(folder, inputs, data / "schemas")
    try:
        good, refused = peeked(mesh, inputs, data / "schemas")
        check(mesh.of("ingest")[0].wait(SECONDS) == 0, "ingest did not end by itself")
        want = {"received": len(good) + refused, "settled": len(set(good)),
                "duplicate": len(good) - len(set(good)), "dead": refused, "in_flight": 0,
                "balanced": True}
        total = mesh.ledger()["total"]
        check(total == want, f"ledger {total}, expected {want}")
        found = told(mesh)
        check(len(found) == len(set(found)), "an alert was told twice")
        check(set(found) == set(good), f"{len(found)} alerts told, {len(set(good))} expected")
        dead = letters(mesh)
        check(len(dead) == refused and all(x["reason"] for x in dead), f"dead letters: {dead}")
        groups = json.loads(mesh.weft("dlq", "--json").stdout)
        check(sum(g["count"] for g in groups) == refused and len(groups) > 1, f"groups: {groups}")
        print(f"ok   all packets: {total}")
    finally:
        mesh.kill_all()


def a_schema_comes_late(folder, data):
    """Confluent packets without their schemas are dead letters; with the folder
    named and ingest started again, one that is put back is settled, then all."""
    pack = sorted((data / "lsst_confluent_derived").rglob("*.confluent.avro"))[:20]
    inputs = [str(path) for path in pack]
    mesh = start(folder, inputs, None, stay=True)
    try:
        good, _ = peeked(mesh, inputs, data / "schemas")
        wait_for(lambda: (mesh.ledger() or {"total": {}})["total"].get("dead") == len(pack),
                 "all are dead letters")
        check(not told(mesh), "something was told")
        ingest = mesh.of("ingest")[0]
        ingest.signal(15)
        ingest.wait(SECONDS)
        ingest.config["options"]["schemas"] = str(data / "schemas")
        ingest.start()
        kept = [x for x in letters(mesh) if x["sample"]]
        bare = [x for x in letters(mesh) if not x["sample"]]
        check(len(kept) > 1, "no bytes were kept")
        mesh.weft("dlq", "replay", "ingest", kept[0]["key"])
        wait_for(lambda: len(told(mesh)) == 1, "the one that was put back is told")
        # Beyond 1 MB a schema and reason only the place is kept: read there again.
        mesh.weft("dlq", "replay", "ingest", "--all")
        wait_for(lambda: len(told(mesh)) == len(pack), "all are told")
        wait_for(lambda: not letters(mesh), "no dead letter is left")
        check(sorted(told(mesh)) == sorted(set(good)), "not each once")
        # A letter goes when it is taken, its outcome is booked when all is done.
        wait_for(lambda: mesh.ledger()["total"]["dead"] == 0, "none is booked as dead")
        total = mesh.ledger()["total"]
        check(total["balanced"], str(total))
        print(f"ok   a schema comes late: {len(kept)} put back, {len(bare)} from their files")
    finally:
        mesh.kill_all()


def main():
    if not UNPACK.exists():
        print("SKIP: no data packs in ../shared/data")
        return 77
    data = ROOT / "build" / "data"
    subprocess.run([UNPACK, data, *PACKETS, "schemas"], check=True, stdout=subprocess.DEVNULL)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="weft-packs-"))
    all_packets(folder / "all", data)
    a_schema_comes_late(folder / "late", data)
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
