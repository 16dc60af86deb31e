"""First inputs for the fuzzers of packets: those of `weft sim`, and with the data
packs the surveys' own, each with its writer's schema.

make() fills one folder for each fuzzer and returns the environment they need.
"""

import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(ROOT / "tests" / "bench" / "peers"))
from avro_codec import Codec  # noqa: E402
from containers import open_container  # noqa: E402

PACKS = ROOT / ".." / "shared" / "data"
CONTAINERS = ["ztf_native", "lsst_native", "elasticc_alerts", "malformed", "other_surveys"]
FRAMED = ["lsst_confluent_derived", "lsst_native"]
OF_ONE_SCHEMA = 4      # packets of one schema that are taken, the smallest
SIZE_MOST = 150000     # of one that is read in Python
FUZZERS = ["avro_packets_fuzz", "framed_fuzz", "container_fuzz"]


def files_of(folder):
    return sorted((os.path.join(at, name) for at, _, names in os.walk(folder) for name in names
                   if not name.startswith(".")), key=lambda path: (os.path.getsize(path), path))


def without_stamps(codec, datum):
    """The same packet, its images emptied: what is left is what is looked at."""
    def empty(value):
        if isinstance(value, tuple):
            return (value[0], empty(value[1]))
        if isinstance(value, dict):
            return {key: empty(item) for key, item in value.items()}
        return b"" if isinstance(value, bytes) and len(value) > 500 else value
    record = codec.decode(datum)
    return codec.encode({key: empty(value) if key.startswith("cutout") else value
                         for key, value in record.items()})


def lighter(codec, datum):
    """without_stamps, None where our small codec cannot read it."""
    try:
        return without_stamps(codec, datum)
    except (ValueError, AssertionError, KeyError, IndexError, TypeError, struct.error):
        return None


def put(folder, name, data):
    (folder / name).write_bytes(data)


def containers(paths, out, schemas):
    """Each schema once, and some packets of it; whole files for container_fuzz."""
    texts = {}
    for path in paths:
        data = pathlib.Path(path).read_bytes()
        if len(data) > SIZE_MOST:
            continue
        try:
            text, datum = open_container(data)
            codec = Codec(json.loads(text))
        except (ValueError, IndexError, UnicodeDecodeError):
            put(out["container_fuzz"], "odd-%s" % os.path.basename(path), data)
            continue
        number, n = texts.get(text, (len(texts), 0))
        if n == OF_ONE_SCHEMA or number > 255:
            continue
        texts[text] = (number, n + 1)
        (schemas / ("%03d.avsc" % number)).write_text(text)
        if not n:
            put(out["container_fuzz"], "%03d" % number, data)
        head = bytes([number])
        put(out["avro_packets_fuzz"], "%03d-%d" % (number, n), head + datum)
        small = lighter(codec, datum)
        if small:
            put(out["avro_packets_fuzz"], "%03d-%d-light" % (number, n), head + small)


def framed(paths, out, folder):
    """Messages as they are, and without images where the folder has the schema."""
    codecs, taken = {}, {}
    for path in files_of(folder):
        name = os.path.basename(path)
        if name.endswith(".avsc") and ".alert." in name or name[:-5].isdigit():
            schema = json.loads(pathlib.Path(path).read_text())
            codec = Codec(schema)
            for other in files_of(os.path.dirname(path)):
                if other.endswith(".avsc") and other != path:
                    more = json.loads(pathlib.Path(other).read_text())
                    codec.learn(more)
            version = schema.get("namespace", "").split(".v")[-1].split("_")
            if len(version) == 2 and all(v.isdigit() for v in version):
                codecs[100 * int(version[0]) + int(version[1])] = codec
    for path in paths:
        data = pathlib.Path(path).read_bytes()
        if data[:1] != b"\0" or not 5 < len(data) <= SIZE_MOST:
            continue
        number = struct.unpack(">I", data[1:5])[0]
        n = taken[number] = taken.get(number, 0) + 1
        if n > OF_ONE_SCHEMA:
            continue
        put(out["framed_fuzz"], "%d-%d" % (number, n), data)
        small = lighter(codecs[number], data[5:]) if number in codecs else None
        if small:
            put(out["framed_fuzz"], "%d-%d-light" % (number, n), data[:5] + small)


def simulated(weft, folder):
    for survey in ("ztf", "lsst"):
        subprocess.run([weft, "sim", "--survey", survey, "--seed", "2", "--alerts", "8", "--stamps", "small",
                        "--out", folder / survey, "--quiet"], check=True)
    return folder / "ztf" / "alerts", folder / "lsst" / "alerts", folder / "lsst" / "schemas"


def make(weft, folder):
    """weft: the command. Returns (environment, whether the packs are in it)."""
    folder = pathlib.Path(folder)
    shutil.rmtree(folder / "made", ignore_errors=True)
    schemas, lsst = folder / "made" / "writers", folder / "made" / "schemas"
    schemas.mkdir(parents=True)
    out = {name: folder / name for name in FUZZERS}
    for each in out.values():
        each.mkdir(parents=True, exist_ok=True)
    ztf_alerts, lsst_alerts, sim_schemas = simulated(weft, folder / "made")
    whole, frames = files_of(ztf_alerts), files_of(lsst_alerts)
    shutil.copytree(sim_schemas, lsst)
    packs = (PACKS / "unpack").exists()
    if packs:
        data = folder / "made" / "packs"
        subprocess.run([PACKS / "unpack", data, "schemas", *dict.fromkeys(CONTAINERS + FRAMED)], check=True,
                       stdout=subprocess.DEVNULL)
        whole += [f for pack in CONTAINERS for f in files_of(data / pack)]
        frames += [f for pack in FRAMED for f in files_of(data / pack)]
        shutil.copytree(data / "schemas" / "lsst_alerts", lsst / "lsst_alerts")
    containers(whole, out, schemas)
    framed(frames, out, lsst)
    return {"WEFT_FUZZ_SCHEMAS": str(schemas), "WEFT_FUZZ_FRAMED": str(lsst)}, packs
