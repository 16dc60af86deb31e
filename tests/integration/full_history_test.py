#!/usr/bin/env python3
"""An alert that is older than all rows of a full history is an alert: its own row
is in what it sees, whatever is stored."""

import json
import os
import struct

import mesh
from mesh import BUILD, Mesh, check, free_port, wait_for

MOST = 16384  # rows of an object
SYNC = b"0123456789abcdef"
SOURCE = {"type": "record", "name": "diaSource", "fields": [
    {"name": name, "type": kind} for name, kind in (
        ("diaSourceId", "long"), ("diaObjectId", "long"), ("midpointMjdTai", "double"), ("ra", "double"),
        ("dec", "double"), ("band", "string"), ("psfFlux", "float"), ("psfFluxErr", "float"))]}
ALERT = {"type": "record", "name": "alert", "namespace": "lsst.v7_9", "fields": [
    {"name": "diaSource", "type": SOURCE},
    {"name": "prvDiaSources", "type": ["null", {"type": "array", "items": "diaSource"}]}]}


def number(n):
    n, out = n << 1, b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def text(data):
    return number(len(data)) + data


def source(key, mjd):
    return number(key) + number(12) + struct.pack("<ddd", mjd, 150, 2) + text(b"r") + struct.pack("<ff", 100, 5)


def write(path, own, before):
    rows = number(1) + number(len(before)) + b"".join(before) + number(0) if before else number(0)
    datum = own + rows
    with open(path, "wb") as f:
        f.write(b"Obj\x01" + number(1) + text(b"avro.schema") + text(json.dumps(ALERT).encode()) + number(0)
                + SYNC + number(1) + number(len(datum)) + datum + SYNC)


def behind_a_full_history():
    with Mesh("an alert behind a full history", redis=True) as m:
        folder, port = m.path("night"), free_port()
        os.makedirs(folder)
        write(os.path.join(folder, "a_full"), source(MOST + 1, 61000),
              [source(2 + i, 60000 + i / 100) for i in range(MOST - 1)])
        write(os.path.join(folder, "b_old"), source(1, 59000), [])
        m.add("ingest", os.path.join(BUILD, "bin", "weft-ingest"), {
            "service": {"data_dir": m.folder},
            "link": {"bind": "127.0.0.1:%d" % port, "outputs": ["sink"]},
            "http": {"address": "127.0.0.1:%d" % free_port()},
            "options": {"inputs": [folder], "store": "off", "stay": True}})
        m.sink([port])
        m.start()

        def ended():
            now = mesh.ledger(m.redis.address)
            return now["settled"] + now["dead"] == 2
        wait_for(ended, 60, "both have an outcome")
        check(mesh.ledger(m.redis.address)["settled"] == 2, mesh.ledger(m.redis.address))
        m.drain()


mesh.main([behind_a_full_history])
