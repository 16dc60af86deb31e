"""Packets for the peers: datums and self-contained schemas in one folder.

usage: prepare.py OUT PATH [SCHEMAS]; PATH is a packet or a folder of packets

Writes OUT/NNN.avsc (schemas), OUT/packets.bin (datums one after the other) and
OUT/index.txt, a line `schema offset size path` per packet. Containers are taken
apart by hand: no peer's time is in it. Needs fastavro.
"""

import json
import pathlib
import struct
import sys

import fastavro

from containers import open_container


def open_framed(data, folder, cache):
    """Schema by the survey's convention, id = 100 x major + minor."""
    if not folder or data[:1] != b"\0":
        raise ValueError("a bare datum")
    number = struct.unpack(">I", data[1:5])[0]
    if number not in cache:
        name = f"lsst.v{number // 100}_{number % 100}.alert.avsc"
        path = next(pathlib.Path(folder).rglob(name))
        schema = fastavro.schema.load_schema(str(path), _write_hint=False)
        cache[number] = json.dumps(schema)
    return cache[number], data[5:]


def main(out, path, folder=None):
    out, path = pathlib.Path(out), pathlib.Path(path)
    paths = sorted(path.rglob("*.avro")) if path.is_dir() else [path]
    out.mkdir(parents=True, exist_ok=True)
    schemas, cache, offset = {}, {}, 0
    with open(out / "packets.bin", "wb") as packets, open(out / "index.txt", "w") as index:
        for one in paths:
            data = one.read_bytes()
            try:
                text, datum = (open_container(data) if data[:4] == b"Obj\x01"
                               else open_framed(data, folder, cache))
            except (ValueError, IndexError, StopIteration):
                continue
            number = schemas.setdefault(text, len(schemas))
            packets.write(datum)
            index.write(f"{number} {offset} {len(datum)} {one}\n")
            offset += len(datum)
    for text, number in schemas.items():
        (out / f"{number:03d}.avsc").write_text(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
