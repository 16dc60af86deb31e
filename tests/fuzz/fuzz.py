#!/usr/bin/env python3
"""tests/fuzz/fuzz.py --minutes 30 [FUZZER...]: the fuzzers of Avro and of the
framing, so long each, two at a time, with the sample packets as first inputs
where the data packs are (else simulated ones only, and it says so).

What one finds is left in build/fuzz/found; run the fuzzer with that file.
"""

import argparse
import concurrent.futures
import os
import pathlib
import subprocess
import sys

import corpus

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
DEFAULT = ["avro_packets_fuzz", "framed_fuzz", "avro_oracle_fuzz", "avro_walk_fuzz", "container_fuzz"]


def run(name, seconds, environment):
    """One fuzzer; its last words and whether it found nothing."""
    inputs, found = BUILD / "fuzz" / "corpus" / name, BUILD / "fuzz" / "found"
    inputs.mkdir(parents=True, exist_ok=True)
    found.mkdir(parents=True, exist_ok=True)
    done = subprocess.run([BUILD / "fuzz" / "fuzzers" / name, f"-max_total_time={seconds}", "-timeout=120",
                           "-rss_limit_mb=3000", f"-artifact_prefix={found}/{name}-", "-print_final_stats=1",
                           inputs], env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    lines = done.stdout.strip().splitlines()
    units = next((l.split()[-1] for l in lines if l.startswith("stat::number_of_executed_units")), "?")
    if done.returncode:
        print("\n".join(lines[-60:]), flush=True)
    print(f"{'ok  ' if not done.returncode else 'FAIL'} {name}: {units} inputs", flush=True)
    return done.returncode == 0


def main():
    parser = argparse.ArgumentParser(prog="tests/fuzz/fuzz.py", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="FUZZER", help=", ".join(DEFAULT))
    parser.add_argument("--minutes", type=float, default=30, help="of each (30)")
    options = parser.parse_args()
    make = "./run build && cmake --preset fuzz >/dev/null && cmake --build --preset fuzz >/dev/null"
    subprocess.run(["sh", "-c", make], cwd=ROOT, check=True)
    environment, packs = corpus.make(BUILD / "bin" / "weft", BUILD / "fuzz" / "corpus")
    if not packs:
        print("SKIP: no data packs in ../shared/data: simulated packets only", flush=True)
    seconds = int(60 * options.minutes)
    with concurrent.futures.ThreadPoolExecutor(2) as two:
        good = list(two.map(lambda name: run(name, seconds, environment), options.names or DEFAULT))
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
