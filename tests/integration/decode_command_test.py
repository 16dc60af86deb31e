#!/usr/bin/env python3
"""weft decode: what it counts, what it refuses, what it exits with."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

BUILD = os.environ.get("WEFT_BUILD", "build/debug")
WEFT = os.path.join(os.environ.get("WEFT_BIN", os.path.join(BUILD, "bin")), "weft")


def weft(*args):
    return subprocess.run([WEFT, *map(str, args)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)


MAPPING = """survey  ztf
like    ztf
schemas ztf.alert
candidate.magpsf = candidate.psfmag
prv_candidates.magpsf = prv_candidates.psfmag
"""


def a_mapping_teaches_it(alerts, folder, count):
    """A schema that calls magpsf otherwise: refused, and with a mapping read."""
    for path in alerts.rglob("*.avro"):
        data = path.read_bytes()
        other = data.replace(b'"magpsf"', b'"psfmag"')
        assert other != data, "the schema has no magpsf"
        path.write_bytes(other)
    done = weft("decode", "--json", alerts)
    assert done.returncode == 3 and "lacks magpsf" in done.stderr, done.stderr
    maps = folder / "maps"
    maps.mkdir()
    done = weft("decode", "--json", "--repeat", 1, "--mappings", maps, alerts)
    assert done.returncode == 3, done.stderr
    (maps / "new.map").write_text(MAPPING)
    done = weft("decode", "--json", "--repeat", 1, "--mappings", maps, alerts)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["packets"], found["refused"]) == (count, 0), found
    (maps / "bad.map").write_text("survey x\nlike sdss\n")
    done = weft("decode", "--mappings", maps, alerts)
    assert done.returncode == 1 and "bad.map" in done.stderr, done.stderr
    assert weft("decode", "--mappings", folder / "none", alerts).returncode == 1


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        made = weft("sim", "--seed", 3, "--alerts", 20, "--out", folder / "night")
        assert made.returncode == 0, made.stderr
        alerts = folder / "night" / "alerts"
        count = sum(1 for p in alerts.rglob("*") if p.is_file())

        done = weft("decode", "--json", "--repeat", 3, alerts)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert (found["packets"], found["refused"], found["repeat"]) == (count, 0, 3), found
        us = found["us_per_packet"]
        assert 0 < us["min"] <= us["median"] <= us["p95"], us

        (alerts / "bad.avro").write_bytes(b"\x02bare")
        done = weft("decode", "--json", "--repeat", 1, alerts)
        assert done.returncode == 3, (done.returncode, done.stderr)
        found = json.loads(done.stdout)
        assert (found["packets"], found["refused"]) == (count, 1), found
        assert "bad.avro: neither an Avro container" in done.stderr, done.stderr

        done = weft("decode", alerts)
        assert "us per packet: median" in done.stdout, done.stdout
        assert weft("decode", "--repeat", "0", alerts).returncode == 2
        assert weft("decode", "--repeat", "3x", alerts).returncode == 2
        assert weft("decode").returncode == 2
        assert weft("decode", "--schemas", folder / "none", alerts).returncode == 1
        (alerts / "bad.avro").unlink()
        a_mapping_teaches_it(alerts, folder, count)
    return 0


if __name__ == "__main__":
    sys.exit(main())
