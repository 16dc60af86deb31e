#!/usr/bin/env python3
"""Every simulated packet of both surveys, read by fastavro and compared with the
truth; those of LSST's shape by weft peek, too.

fastavro is in no Debian package: where it cannot be had from Python's index
either, the test skips (77).
"""

import csv
import glob
import gzip
import io
import json
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
)

try:
    import fastavro
except ImportError:
    fastavro = None
    sys.path.insert(0, os.path.join(ROOT, "tests"))
    import venvs
    python = venvs.fastavro()
    if python:
        os.execv(python, [str(python)] + sys.argv)

MALFORMED = 8
TAI_UTC = 37.0 / 86400  # days, since 2017
HALF_EXPOSURE = 15.0 / 86400
FRAME = bytes([0, 0, 0, 1100 >> 8, 1100 & 255])


def nearly(a, b, relative):
    return abs(a - b) <= relative * max(abs(a), abs(b)) + 0.01


def check_history(packet):
    now = packet["candidate"]["jd"]
    seen = set()
    for row in packet["prv_candidates"] or []:
        assert now - 30 <= row["jd"] < now
        if row["magpsf"] is None:
            assert row["candid"] is None and row["diffmaglim"] > 15
            continue
        assert row["isdiffpos"] in "10" and row["candid"] not in seen
        assert abs(row["magpsf"] * 1e4 - round(row["magpsf"] * 1e4)) < 0.03
        seen.add(row["candid"])
    for row in packet["fp_hists"] or []:
        assert now - 30 <= row["jd"] < now
        if row["forcediffimflux"] == -99999:
            assert row["procstatus"] != "0"
    assert packet["candidate"]["ndethist"] > len(seen)
    return seen


def check_packet(packet, truth):
    candidate = packet["candidate"]
    row = truth[str(packet["candid"])]
    assert row["object_id"] == packet["objectId"]
    assert candidate["candid"] == packet["candid"]
    sign = 1 if candidate["isdiffpos"] == "t" else -1
    flux = sign * 10 ** (0.4 * (31.4 - candidate["magpsf"]))
    assert nearly(flux, float(row["flux_njy"]), 0.005)
    assert check_history(packet) <= {int(i) for i in truth}
    for name in ("cutoutScience", "cutoutTemplate", "cutoutDifference"):
        image = gzip.decompress(packet[name]["stampData"])
        assert len(image) % 2880 == 0 and image.startswith(b"SIMPLE  =")


def read_truth(folder):
    with open(os.path.join(folder, "truth.csv"), encoding="ascii") as file:
        return {row["alert_id"]: row for row in csv.DictReader(file)}


def check_folder(folder):
    truth = read_truth(folder)
    paths = sorted(glob.glob(os.path.join(folder, "alerts", "*", "*.avro")))
    good, damaged = set(), 0
    for path in paths:
        with open(path, "rb") as file:
            data = file.read()
        try:
            if data[:4] != b"Obj\1":
                raise ValueError("not a container")
            with open(path, "rb") as file:
                packets = list(fastavro.reader(file))
            if len(packets) != 1:
                raise ValueError("not one record")
        except Exception:  # fastavro raises whatever it runs into
            damaged += 1
            continue
        check_packet(packets[0], truth)
        good.add(str(packets[0]["candid"]))
    assert good == set(truth), "an alert is missing"
    assert damaged == MALFORMED, f"{damaged} damaged, not {MALFORMED}"
    print(f"{len(paths)} packets, {len(good)} alerts, {damaged} damaged")


def middle(row):
    return float(row["jd"]) - 2400000.5 + TAI_UTC + HALF_EXPOSURE


def check_lsst_source(source, truth):
    row = truth[str(source["diaSourceId"])]
    assert row["object_id"] == str(source["diaObjectId"])
    assert abs(source["midpointMjdTai"] - middle(row)) < 2e-7
    assert source["timeProcessedMjdTai"] > source["midpointMjdTai"]
    assert source["band"] == "gr"[int(row["fid"]) - 1]
    assert source["isNegative"] == (source["psfFlux"] < 0)
    assert nearly(source["psfFlux"], float(row["flux_njy"]), 0.005)
    assert 0 <= source["reliability"] <= 1


def check_lsst_packet(packet, truth):
    source, row = packet["diaSource"], truth[str(packet["diaSourceId"])]
    assert source["diaSourceId"] == packet["diaSourceId"]
    check_lsst_source(source, truth)
    assert packet["diaObject"]["diaObjectId"] == source["diaObjectId"]
    assert packet["ssSource"] is None and packet["mpc_orbits"] is None
    before, seen = packet["prvDiaSources"] or [], set()
    for old in before:
        assert old["midpointMjdTai"] < source["midpointMjdTai"]
        check_lsst_source(old, truth)
        seen.add(old["diaSourceId"])
    assert len(seen) == len(before) < packet["diaObject"]["nDiaSources"]
    for forced in packet["prvDiaForcedSources"] or []:
        assert before and forced["midpointMjdTai"] < source["midpointMjdTai"]
        assert forced["diaObjectId"] == source["diaObjectId"]
    assert source["snr"] > 0 and row["class"]
    for name in ("cutoutScience", "cutoutTemplate", "cutoutDifference"):
        assert gzip.decompress(packet[name]).startswith(b"SIMPLE  =")


def check_lsst_by_fastavro(folder, schema):
    truth = read_truth(folder)
    paths = sorted(glob.glob(os.path.join(folder, "alerts", "*", "*.avro")))
    good, damaged = set(), 0
    for path in paths:
        with open(path, "rb") as file:
            data = file.read()
        try:
            if data[:5] != FRAME:
                raise ValueError("another frame")
            body = io.BytesIO(data[5:])
            packet = fastavro.schemaless_reader(body, schema)
            if body.read():
                raise ValueError("bytes are left")
        except Exception:  # fastavro raises whatever it runs into
            damaged += 1
            continue
        check_lsst_packet(packet, truth)
        good.add(str(packet["diaSourceId"]))
    assert good == set(truth), "an alert is missing"
    assert damaged == MALFORMED, f"{damaged} damaged, not {MALFORMED}"
    print(f"lsst: {len(paths)} packets, {len(good)} alerts, {damaged} damaged")


def check_lsst_by_peek(weft, folder):
    """Our own decoder, and that the folder of schemas is what it wants."""
    truth = read_truth(folder)
    done = subprocess.run([weft, "peek", "--schemas", os.path.join(folder, "schemas"),
                           os.path.join(folder, "alerts")], stdout=subprocess.PIPE, text=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    refused = [row for row in rows if "refused" in row]
    assert done.returncode == 3 and len(refused) == MALFORMED, (done.returncode, refused)
    seen = set()
    for row in rows:
        if "refused" in row:
            continue
        true = truth[row["alert_id"]]
        assert row["survey"] == "lsst" and row["schema"] == "11.0", row
        assert row["object_id"] == true["object_id"]
        assert abs(row["t_obs"] - middle(true)) < 2e-7
        assert nearly(row["flux"], float(true["flux_njy"]), 0.005)
        assert {point["kind"] for point in row["points"]} <= {"D", "F"}
        seen.add(row["alert_id"])
    assert seen == set(truth), "an alert is missing"


def simulate(weft, survey, folder):
    subprocess.run(
        [weft, "sim", "--survey", survey, "--seed", "3", "--alerts", "1500", "--malformed",
         str(MALFORMED), "--out", folder], check=True)


def main():
    weft = os.path.join(os.environ.get("WEFT_BIN", "build/bin"), "weft")
    with tempfile.TemporaryDirectory() as folder:
        simulate(weft, "lsst", folder)
        schemas = glob.glob(os.path.join(folder, "schemas", "*"))
        assert [os.path.basename(s) for s in schemas] == ["lsst.v11_0.alert.avsc"]
        check_lsst_by_peek(weft, folder)
        if not fastavro:
            print("SKIP: fastavro cannot be installed from the package index")
            return 77
        check_lsst_by_fastavro(folder, fastavro.schema.load_schema(schemas[0]))
        simulate(weft, "ztf", folder)
        assert not os.path.exists(os.path.join(folder, "schemas")), "an old schema is left"
        check_folder(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
