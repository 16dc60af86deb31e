#!/usr/bin/env python3
"""Dead letters of which only the place was kept are put back all the same: with
the packet from the store, or from its path."""

import json
import os
import shutil
import struct
import subprocess
import tarfile
import zlib

import mesh
from mesh import BUILD, Mesh, check, free_port, wait_for

WEFT = os.path.join(BUILD, "bin", "weft")
ALERTS = 160  # of 10 kB: more than the megabyte that is kept


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return (value >> 1) ^ -(value & 1), at


def unpack(path):
    """(schema, datum) of a container of one record."""
    with open(path, "rb") as f:
        data = f.read()
    check(data[:4] == b"Obj\x01", "%s is no container" % path)
    at, meta = 4, {}
    while True:
        n, at = varint(data, at)
        if n == 0:
            break
        for _ in range(n):
            size, at = varint(data, at)
            key, at = data[at:at + size], at + size
            size, at = varint(data, at)
            meta[key], at = data[at:at + size], at + size
    n, at = varint(data, at + 16)
    size, at = varint(data, at)
    check(n == 1, "%d records" % n)
    block = data[at:at + size]
    if meta.get(b"avro.codec") == b"deflate":
        block = zlib.decompress(block, -15)
    return meta[b"avro.schema"], block


def framed_night(m):
    """Packets with schema id 77, which nobody knows yet, and its folder."""
    subprocess.run([WEFT, "sim", "--seed", "3", "--alerts", str(ALERTS),
                    "--out", m.path("sim"), "--quiet", "--duplicates", "0",
                    "--malformed", "0"], check=True)
    packets, schemas = m.path("packets-in"), m.path("schemas")
    os.makedirs(packets)
    os.makedirs(schemas)
    for at, _, names in os.walk(m.path("sim/alerts")):
        for name in names:
            schema, datum = unpack(os.path.join(at, name))
            with open(os.path.join(packets, name), "wb") as f:
                f.write(b"\0" + struct.pack(">I", 77) + datum)
    with open(os.path.join(schemas, "77.avsc"), "wb") as f:
        f.write(schema)
    return packets, schemas


def ledger(m):
    return mesh.ledger(m.redis.address)


def replay(m, *words):
    return subprocess.run([WEFT, "dlq", "replay", "ingest", *words, "--redis",
                           m.redis.address], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)


def place(m):
    keys = m.redis.command("KEYS", "place:*")
    return m.redis.command("GET", keys[0]) if keys else ""


def letters(m):
    run = subprocess.run([WEFT, "dlq", "ls", "--json", "--redis",
                          m.redis.address], stdout=subprocess.PIPE, check=True)
    return json.loads(run.stdout)


def put_back(title, pack, before, good=True):
    """All are refused, the schema comes, `before` changes what is there, and all
    are put back."""
    with Mesh(title, redis=True) as m:
        port = free_port()
        packets, schemas = framed_night(m)
        one = m.add("ingest", os.path.join(BUILD, "bin", "weft-ingest"), {
            "service": {"data_dir": m.folder},
            "link": {"bind": "127.0.0.1:%d" % port, "outputs": ["sink"]},
            "http": {"address": "127.0.0.1:%d" % free_port()},
            "options": {"inputs": [pack(m, packets)], "stay": True,
                        "store_free": 0}})
        m.sink([port])
        m.start()
        n = len(os.listdir(packets))
        wait_for(lambda: ledger(m)["dead"] == n, 60, "all are refused")
        bare = sum(not x["sample"] for x in letters(m))
        check(0 < bare < n, "%d letters without bytes" % bare)
        #  So that none is read again when it has become readable.
        wait_for(lambda: place(m).endswith(" %d" % n), 30, "it is at the end")
        one.kill(15)
        before(m, packets)
        one.config["options"]["schemas"] = schemas
        one.write()
        one.start()
        wait_for(lambda: one.http("/readyz")[0] == 200, 30, "ready again")
        done = replay(m, "--all")
        if good:
            check(done.returncode == 0 and not done.stderr, done.stderr)
            wait_for(lambda: ledger(m)["settled"] == n, 60, "all are settled")
        else:
            check("packet store: not there" in done.stderr and
                  "no such file" in done.stderr, done.stderr)
            wait_for(lambda: ledger(m)["settled"] == n - bare, 60,
                     "those with bytes are settled")
            check(len(letters(m)) == bare, "a letter has gone")
            key = letters(m)[0]["key"]
            check(replay(m, key).returncode == 3, "exit code")
        check(ledger(m)["balanced"], "ledger %s" % ledger(m))
        m.drain()


def folder(_m, packets):
    return packets


def archive(m, packets):
    path = m.path("night.tar")
    with tarfile.open(path, "w") as tar:
        for name in sorted(os.listdir(packets)):
            tar.add(os.path.join(packets, name), name)
    return path



def spoil(_m, packets):
    """Other bytes in the same files: for ingest they are the same input."""
    for name in os.listdir(packets):
        path = os.path.join(packets, name)
        info = os.stat(path)
        with open(path, "r+b") as f:
            f.write(bytes(info.st_size))
        os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))


def remove_store(m, _packets):
    shutil.rmtree(m.path("packets"))


def remove_both(m, packets):
    remove_store(m, packets)
    shutil.rmtree(packets)
    os.makedirs(packets)


def from_the_store():
    put_back("letters from the packet store", folder, spoil)


def from_the_path():
    put_back("letters from their path", folder, remove_store)


def from_an_archive():
    put_back("letters from an archive", archive, remove_store)


def from_nowhere():
    put_back("letters that are nowhere", folder, remove_both, good=False)


mesh.main([from_the_store, from_the_path, from_an_archive, from_nowhere])
