#!/usr/bin/env python3
"""Dead letters of somebody who means harm: their names do not reach a terminal
raw, and as many as there are stay below the ceiling that was configured."""

import json
import os
import signal
import subprocess

import mesh
from mesh import BUILD, Mesh, check, free_port, wait_for

WEFT = os.path.join(BUILD, "bin", "weft")
CEILING = 1 << 16
SYNC = b"0123456789abcdef"


def number(n):
    n = n << 1
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def text(data):
    return number(len(data)) + data


def container(name, size):
    schema = json.dumps({"type": "record", "name": name, "fields": [{"name": "a", "type": "bytes"}]})
    datum = text(b"x" * size)
    return (b"Obj\x01" + number(1) + text(b"avro.schema") + text(schema.encode()) + number(0) + SYNC
            + number(1) + number(len(datum)) + datum + SYNC)


def add_ingest(m, folder, **options):
    return m.add("ingest", os.path.join(BUILD, "bin", "weft-ingest"), {
        "service": {"data_dir": m.folder},
        "redis": {} if options else {"dead_letter_bytes": CEILING},
        "link": {"bind": "127.0.0.1:%d" % free_port(), "outputs": ["sink"]},
        "http": {"address": "127.0.0.1:%d" % free_port()},
        "options": {**(options or {"store": "off"}), "inputs": [folder]}})


def dlq(m, *words):
    return subprocess.run([WEFT, "dlq", *words, "--redis", m.redis.address],
                          stdout=subprocess.PIPE, check=True).stdout


def written(m, name, count, size):
    folder = m.path("night")
    os.makedirs(folder)
    for i in range(count):
        with open(os.path.join(folder, "%03d.avro" % i), "wb") as f:
            f.write(container(name, size))
    return folder


def names_are_not_obeyed():
    with Mesh("names are not obeyed", redis=True) as m:
        one = add_ingest(m, written(m, 'ab\n"\x1b[31m\x9b', 3, 10)).start()
        wait_for(lambda: not one.running(), 60, "all is read")
        for words in (["ls"], ["groups"]):
            said = dlq(m, *words)
            check(b"ab" in said and b"\\x1b[31m" in said, said)
            check(not any(c < 32 and c != 10 or c == 0x7f for c in said) and b"\xc2\x9b" not in said,
                  said)
        check(len(json.loads(dlq(m, "ls", "--json"))) == 3, "letters")


def the_ceiling_is_the_configured_one():
    with Mesh("the ceiling is the configured one", redis=True) as m:
        one = add_ingest(m, written(m, "nobody", 90, 2000)).start()
        wait_for(lambda: "redis.dead_letter_bytes (65536)" in one.http("/readyz")[1], 60, "it says that they are full")
        used = int(m.redis.command("GET", "dlq:ingest:bytes"))
        check(0 < used <= CEILING, "%d bytes" % used)
        for _ in range(30):
            if not one.running():
                break
            dlq(m, "drop", "ingest", "--all")
            try:
                wait_for(lambda: not one.running(), 1, "more is read")
            except AssertionError:
                pass
        check(not one.running(), "it does not go on")
        one.kill(signal.SIGTERM)
        total = json.loads(subprocess.run([WEFT, "ledger", "--json", "--redis", m.redis.address],
                                          stdout=subprocess.PIPE, check=True).stdout)["total"]
        check(total["dead"] == 90 and total["balanced"], total)


def bytes_that_were_not_kept():
    """The letters of one reason keep 1 MB; the packet store has the rest."""
    with Mesh("bytes that were not kept", redis=True) as m:
        folder = written(m, "nobody", 3, 600000)
        one = add_ingest(m, folder, store_free=0).start()
        wait_for(lambda: not one.running(), 60, "all is read")
        letters = json.loads(dlq(m, "ls", "--json"))
        bare = [letter for letter in letters if not letter["sample"]]
        check(len(letters) == 3 and bare, letters)
        os.rename(folder, folder + ".gone")
        dlq(m, "show", "ingest", bare[0]["key"], "--raw", m.path("raw"), "--store", m.path("packets"))
        with open(m.path("raw"), "rb") as f:
            check(f.read() == container("nobody", 600000), "another packet")


def bytes_that_were_too_many():
    """Of a packet over 1 MiB a letter keeps its place, never a part of it that
    would pass for the packet: shown and put back it is whole."""
    with Mesh("bytes that were too many", redis=True) as m:
        size = (1 << 20) + 5000
        folder = written(m, "nobody", 1, size)
        one = add_ingest(m, folder, store_free=0, stay=True).start()
        wait_for(lambda: dlq(m, "ls", "--json").strip() not in (b"", b"[]"), 60, "its letter")
        before = json.loads(dlq(m, "ls", "--json"))[0]
        check(not before["sample"], before)
        os.rename(folder, folder + ".gone")
        dlq(m, "replay", "ingest", "--all", "--store", m.path("packets"))
        wait_for(lambda: json.loads(dlq(m, "ls", "--json") or b"[]"), 60, "it is refused again")
        after = json.loads(dlq(m, "ls", "--json"))[0]
        check(after["code"] == before["code"] and not after["sample"], after)
        dlq(m, "show", "ingest", after["key"], "--raw", m.path("raw"), "--store", m.path("packets"))
        with open(m.path("raw"), "rb") as f:
            check(f.read() == container("nobody", size), "another packet")
        one.kill(signal.SIGTERM)


mesh.main([names_are_not_obeyed, the_ceiling_is_the_configured_one, bytes_that_were_not_kept,
           bytes_that_were_too_many])
