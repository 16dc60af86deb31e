#!/usr/bin/env python3
"""A packet that ingest dies of is a dead letter after three starts, when it is
read first and when it is put back.

tests/stages/crash_preload.c kills a process as it parses one schema.
"""

import json
import os
import signal
import subprocess

import mesh
from mesh import BUILD, Mesh, check, free_port, wait_for

WEFT = os.path.join(BUILD, "bin", "weft")
SYNC = b"0123456789abcdef"
CRASHED, UNKNOWN = -21, -14


def number(n):
    n, out = n << 1, b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def container(name, records):
    schema = json.dumps({"type": "record", "name": name, "fields": [{"name": "a", "type": "int"}]}).encode()
    return (b"Obj\x01" + number(1) + number(11) + b"avro.schema" + number(len(schema)) + schema
            + number(0) + SYNC + number(records) + number(records) + bytes(records) + SYNC)


def letters(m):
    out = subprocess.run([WEFT, "dlq", "ls", "--json", "--redis", m.redis.address],
                         stdout=subprocess.PIPE, check=True).stdout
    return {os.path.basename(x["path"]): x["code"] for x in json.loads(out or b"[]")}


def deaths(m, one, ended):
    """How often it dies until it lives."""
    n = 0
    one.start()
    while True:
        wait_for(lambda: not one.running() or ended(), 60, "it lives or dies")
        if one.running():
            return n
        n += 1
        check(n < 5, "it dies for ever")
        m.redis.command("DEL", "replay:ingest:lease")  # nobody else is there to take it
        one.start()


def convicted():
    with Mesh("a packet that ingest dies of", redis=True) as m:
        folder = m.path("night")
        os.makedirs(folder)
        for name, records in (("a_good", 1), ("b_crash", 3), ("c_good", 1)):
            with open(os.path.join(folder, name), "wb") as f:
                f.write(container(name, records))
        one = m.add("ingest", os.path.join(BUILD, "bin", "weft-ingest"), {
            "service": {"data_dir": m.folder},
            "link": {"bind": "127.0.0.1:%d" % free_port(), "outputs": ["sink"]},
            "http": {"address": "127.0.0.1:%d" % free_port()},
            "options": {"inputs": [folder], "store": "off", "stay": True}},
            {"LD_PRELOAD": os.path.abspath(os.path.join(mesh.STAGES, "libcrash_preload.so")),
             "WEFT_TEST_CRASH": "b_crash", "ASAN_OPTIONS": "verify_asan_link_order=0"})
        n = deaths(m, one, lambda: len(letters(m)) == 3)
        check(n == 3, "read: died %d times" % n)
        check(letters(m) == {"a_good": UNKNOWN, "b_crash": CRASHED, "c_good": UNKNOWN}, letters(m))

        def put_back():
            subprocess.run([WEFT, "dlq", "replay", "ingest", "--all", "--redis", m.redis.address], check=True)

        one.kill(signal.SIGTERM)
        put_back()
        n = deaths(m, one, lambda: len(letters(m)) == 3)
        check(n == 3, "put back: died %d times" % n)
        check(letters(m)["b_crash"] == CRASHED, letters(m))
        check(m.redis.command("HLEN", "replay:ingest") == 0, "it is still put back")
        #  An ingest that is mended tries it anew.
        one.kill(signal.SIGTERM)
        one.env["WEFT_TEST_CRASH"] = "nothing of these"
        put_back()
        n = deaths(m, one, lambda: len(letters(m)) == 3)
        check(n == 0 and letters(m)["b_crash"] == UNKNOWN, letters(m))
        one.kill(signal.SIGTERM)


mesh.main([convicted])
