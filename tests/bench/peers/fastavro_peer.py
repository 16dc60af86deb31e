"""fastavro on prepared packets: with its reader per message, and cached.

usage: fastavro_peer.py OUT ROUNDS. Prints {"reader": us, "cached": us}, medians
per packet; `reader` only where the packets are containers.
"""

import io
import json
import pathlib
import statistics
import sys
import time

import fastavro


def median(calls, rounds):
    times = []
    for turn in range(rounds + 1):
        for call in calls:
            start = time.perf_counter()
            call()
            if turn:
                times.append(time.perf_counter() - start)
    return 1e6 * statistics.median(times)


def main(out, rounds):
    out = pathlib.Path(out)
    schemas = [fastavro.parse_schema(json.loads(p.read_text()))
               for p in sorted(out.glob("*.avsc"))]
    packets = (out / "packets.bin").read_bytes()
    whole, cached = [], []
    for line in (out / "index.txt").read_text().splitlines():
        number, offset, size, path = line.split(" ", 3)
        datum = packets[int(offset):int(offset) + int(size)]
        schema = schemas[int(number)]
        cached.append(lambda d=datum, s=schema: fastavro.schemaless_reader(io.BytesIO(d), s, s))
        data = pathlib.Path(path).read_bytes()
        if data[:4] == b"Obj\x01":
            whole.append(lambda d=data: list(fastavro.reader(io.BytesIO(d))))
    found = {"cached": median(cached, rounds)}
    if whole:
        found["reader"] = median(whole, rounds)
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
