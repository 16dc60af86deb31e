"""Decoding alone: our walker against other readers on the same packets, one run.

Ours decodes *and* normalises into alert.v1 (`weft decode`); the peers only
decode. fastavro lives in a virtual environment under the build folder; avro-c is
the library that Weft parses schemas with; Rust's apache-avro runs where cargo is
and can fetch it. Instruction counts are callgrind's, where valgrind is.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
import venvs  # noqa: E402

BUILD = pathlib.Path(os.environ.get("WEFT_BUILD") or ROOT / "build")
PEERS = ROOT / "tests" / "bench" / "peers"
WEFT = BUILD / "bin" / "weft"
ROUNDS = 5
MANY_SOURCES = 1172  # earlier sources of the largest LSST packet


def rust_peer():
    """The apache-avro program, built under the build folder; None without it."""
    if not shutil.which("cargo"):
        return None
    target = BUILD / "peers"
    source = target / "apache_avro"
    shutil.copytree(PEERS / "apache_avro", source, dirs_exist_ok=True)
    done = subprocess.run(["cargo", "build", "-q", "--release", "-j2", "--target-dir", str(target / "target")],
                          cwd=source, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return target / "target" / "release" / "apache_avro_peer" if done.returncode == 0 else None


def call_json(*command):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=False)
    return json.loads(done.stdout) if done.returncode in (0, 3) else None


def ours(path, schemas, repeat):
    extra = ["--schemas", schemas] if schemas else []
    return call_json(WEFT, "decode", "--json", "--repeat", repeat, *extra, path)


def instructions(path, schemas):
    """Instructions per packet: two passes more or less, start-up cancels."""
    if not shutil.which("valgrind"):
        return None
    counts = []
    extra = ["--schemas", str(schemas)] if schemas else []
    for repeat in (1, 3):
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", str(WEFT), "decode",
             "--json", "--repeat", str(repeat), *extra, str(path)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        found = re.search(r"Collected : (\d+)", done.stderr)
        if not found:
            return None
        counts.append(int(found.group(1)))
    return (counts[1] - counts[0]) / 2 / json.loads(done.stdout)["packets"]


def peers_of(out, python, rust, path, schemas):
    """Every peer's median on these packets: {name: us}."""
    found = {}
    if python is None:
        return found
    extra = [schemas] if schemas else []
    subprocess.run([str(a) for a in (python, PEERS / "prepare.py", out, path, *extra)], check=True)
    asked = {"fastavro": (python, PEERS / "fastavro_peer.py"),
             "avro-c": (BUILD / "tests" / "avro_c_main",)}
    if rust:
        asked["apache-avro (Rust)"] = (rust,)
    for name, command in asked.items():
        times = call_json(*command, out, ROUNDS) or {}
        for how, us in times.items():
            found[f"{name}, {'reader per message' if how == 'reader' else 'schema cached'}"] = us
    return found


def rows_of(kind, out, python, rust, path, schemas, target):
    mine = ours(path, schemas, 3 * ROUNDS)["us_per_packet"]
    name = f"decode and normalise, {kind}"
    rows = [{"name": name, "value": round(mine["median"], 2), "unit": "us", "peer": "target",
             "peer_value": target, "ratio": round(mine["median"] / target, 3)}]
    for peer, us in peers_of(out, python, rust, path, schemas).items():
        rows.append({"name": name, "value": round(mine["median"], 2), "unit": "us", "peer": peer,
                     "peer_value": round(us, 1), "ratio": round(mine["median"] / us, 4)})
    count = instructions(path, schemas)
    if count:
        rows.append({"name": f"instructions, {kind}", "value": round(count), "unit": "1/packet",
                     "peer": "", "peer_value": None, "ratio": None})
    return rows


def packs(*names):
    """Folders of unpacked packs, or None where there are none."""
    unpack = ROOT.parent / "shared" / "data" / "unpack"
    if not unpack.exists():
        return None
    subprocess.run([str(unpack), str(BUILD / "data"), *names], check=True, stdout=subprocess.DEVNULL)
    return [BUILD / "data" / name for name in names]


def bench_decode(folder):
    folder.mkdir(parents=True, exist_ok=True)
    python, rust = venvs.fastavro(), rust_peer()
    found = packs("ztf_native", "lsst_confluent_derived", "schemas")
    if not found:
        subprocess.run([str(WEFT), "sim", "--seed", "5", "--alerts", "300", "--stamps", "full",
                        "--out", str(folder / "night")], check=True)
        return rows_of("one simulated ZTF packet", folder / "ztf", python, rust,
                       folder / "night" / "alerts", None, 15)
    ztf, lsst, schemas = found
    rows = rows_of("one ZTF packet", folder / "ztf", python, rust, ztf, None, 15)
    rows += rows_of("one LSST packet", folder / "lsst", python, rust, lsst, schemas, 15)
    largest = max(lsst.rglob("*.avro"), key=lambda p: p.stat().st_size)
    rows += rows_of(f"LSST packet of {MANY_SOURCES} sources", folder / "largest", python, rust,
                    largest, schemas, 60)
    return rows
