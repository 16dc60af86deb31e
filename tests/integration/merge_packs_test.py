#!/usr/bin/env python3
"""Every object of every pack with two packets or more: one curve, in any order.

All orders of arrival up to six, with duplicates, must give the same bytes. In
the merged curve, and in the view of each single packet, no kind of row stands
twice in an exposure, the alert's own row is there, and nothing is later than
the alert. Container files with several packets are split into files of one.
"""

import collections
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile

WEFT = os.path.join(os.environ.get("WEFT_BUILD", "build/debug"), "bin", "weft")
PACKS = "../shared/data"
NAMES = ["ztf_native", "ztf_spark_reencoded", "lsst_native", "lsst_confluent_derived",
         "elasticc_alerts"]
ORDERS = 6


def weft(command, schemas, paths):
    run = subprocess.run([WEFT, command, "--schemas", schemas, *paths], stdout=subprocess.PIPE)
    assert run.returncode in (0, 3), "weft %s: exit %d" % (command, run.returncode)
    return run.stdout.splitlines()


#  --- containers: enough of Avro to know where a packet ends

def number(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value >> 1 ^ -(value & 1), at


def skip_blocks(data, at, skip_item):
    while True:
        count, at = number(data, at)
        if count == 0:
            return at
        if count < 0:
            size, at = number(data, at)
            at += size
            continue
        for _ in range(count):
            at = skip_item(data, at)


def skip(schema, names, data, at):
    """Where the datum that begins at `at` ends."""
    if isinstance(schema, list):
        branch, at = number(data, at)
        return skip(schema[branch], names, data, at)
    kind = schema if isinstance(schema, str) else schema["type"]
    if isinstance(kind, (list, dict)):
        return skip(kind, names, data, at)
    if kind == "record":
        for field in schema["fields"]:
            at = skip(field["type"], names, data, at)
        return at
    if kind == "array":
        return skip_blocks(data, at, lambda d, a: skip(schema["items"], names, d, a))
    if kind == "map":
        return skip_blocks(data, at, lambda d, a: skip(
            schema["values"], names, d, skip("string", names, d, a)))
    if kind in ("string", "bytes"):
        size, at = number(data, at)
        return at + size
    if kind in ("int", "long", "enum"):
        return number(data, at)[1]
    fixed = {"null": 0, "boolean": 1, "float": 4, "double": 8}
    if kind in fixed:
        return at + fixed[kind]
    if kind == "fixed":
        return at + schema["size"]
    return skip(names[kind.rsplit(".", 1)[-1]], names, data, at)


def name_all(schema, names):
    for inner in schema if isinstance(schema, list) else []:
        name_all(inner, names)
    if isinstance(schema, dict):
        if "name" in schema and isinstance(schema.get("type"), str):
            names[schema["name"].rsplit(".", 1)[-1]] = schema
        for field in schema.get("fields", []):
            name_all(field["type"], names)
        for key in ("type", "items", "values"):
            name_all(schema.get(key), names)
    return names


def long_of(value):
    value = value << 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def split(path, folder):
    """Files with one packet each; only of containers that are not compressed."""
    with open(path, "rb") as f:
        data = f.read()
    meta = {}

    def take(d, a):
        size, a = number(d, a)
        key, a = d[a:a + size], a + size
        size, a = number(d, a)
        meta[key.decode()] = d[a:a + size]
        return a + size

    at = skip_blocks(data, 4, take)
    head, sync, at = data[:at], data[at:at + 16], at + 16
    if meta.get("avro.codec", b"null") != b"null":
        return []
    schema, out = json.loads(meta["avro.schema"]), []
    names = name_all(schema, {})
    while at < len(data):
        count, at = number(data, at)
        _, at = number(data, at)
        for _ in range(count):
            end = skip(schema, names, data, at)
            name = os.path.join(folder, "%d-%s" % (len(out), os.path.basename(path)))
            with open(name, "wb") as f:
                f.write(head + sync + long_of(1) + long_of(end - at) + data[at:end] + sync)
            out.append(name)
            at = end
        at += 16
    return out


#  --- the checks

def check_view(name, view, own_id, t_obs, faults):
    kinds = collections.Counter((p["kind"], p["expo"]) for p in view["points"])
    twice = [what for what, n in kinds.items() if n > 1]
    if twice:
        faults.append("%s: a kind twice in an exposure: %s" % (name, twice[:3]))
    if not any(p["kind"] == "D" and p["id"] == own_id for p in view["points"]):
        faults.append("%s: the alert %s is not in its own curve" % (name, own_id))
    late = [p["mjd"] for p in view["points"] if p["mjd"] > t_obs]
    if late:
        faults.append("%s: %d rows after the alert" % (name, len(late)))


def orders_of(paths, rng):
    """All orders of two or three packets; six of more; each with duplicates."""
    if len(paths) <= 3:
        orders = [list(x) for x in itertools.permutations(paths)]
    else:
        orders = [paths, paths[::-1]] + [rng.sample(paths, len(paths)) for _ in range(ORDERS - 2)]
    orders = orders[:ORDERS]
    return [orders[i % len(orders)] + (rng.sample(paths, len(paths)) if i % 2 else [])
            for i in range(ORDERS)]


def check_merge(objects, schemas, faults):
    """One run merges all objects, each in its i-th order, between the others."""
    rng = random.Random(1)
    orders = {name: orders_of(sorted(packets), rng) for name, packets in objects.items()}
    first = None
    for i in range(ORDERS):
        queues = [list(orders[name][i]) for name in objects]
        paths = []
        while queues:
            queue = rng.choice(queues)
            paths.append(queue.pop(0))
            queues = [q for q in queues if q]
        curves = {json.loads(line)["object_id"]: line for line in weft("lightcurve", schemas, paths)}
        first = first or curves
        for name in objects:
            if name not in curves:
                faults.append("%s: no curve" % name)
            elif curves[name] != first.get(name):
                faults.append("%s: order %d gives other bytes" % (name, i))
    for name, packets in objects.items():
        newest = max(packets.values(), key=lambda x: (x["t_obs"], int(x["alert_id"])))
        curve = json.loads(first.get(name, b"{\"points\":[]}"))
        check_view(name, curve, newest["alert_id"], newest["t_obs"], faults)


def check_pack(pack, schemas, scratch):
    lines = [json.loads(x) for x in weft("peek", schemas, [pack])]
    several = {x["path"].rpartition("#")[0] for x in lines if "#" in x["path"]}
    for path in sorted(several):
        pieces = split(path, tempfile.mkdtemp(dir=scratch))
        if not pieces:
            print("  not split: %s" % path)
            continue
        lines = [x for x in lines if x["path"].rpartition("#")[0] != path]
        lines += [json.loads(x) for x in weft("peek", schemas, pieces)]
    objects, faults, packets = collections.defaultdict(dict), [], 0
    for line in lines:
        if "refused" in line:
            continue
        packets += 1
        check_view(line["path"], line, line["alert_id"], line["t_obs"], faults)
        if "#" not in line["path"]:
            objects[line["object_id"]][line["path"]] = line
    objects = {name: p for name, p in objects.items() if len(p) > 1}
    if objects:
        check_merge(objects, schemas, faults)
    print("%s: %d packets, %d objects of %d packets in %d orders, %d faults" % (
        os.path.basename(pack), packets, len(objects), sum(map(len, objects.values())), ORDERS,
        len(faults)), flush=True)
    for fault in faults[:20]:
        print("  " + fault)
    return faults


def main():
    if not os.path.isdir(PACKS):
        print("SKIP: no data packs in ../shared/data")
        return 77
    subprocess.run([PACKS + "/unpack", "build/data", *NAMES, "schemas"], check=True,
                   stdout=subprocess.DEVNULL)
    failed = False
    for name in NAMES:
        with tempfile.TemporaryDirectory(prefix="weft-merge-") as scratch:
            failed |= bool(check_pack("build/data/" + name, "build/data/schemas", scratch))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
