#!/usr/bin/env python3
"""./run bench: what Weft does per second and per alert, on this machine.

Rows are {name, value, unit, peer, peer_value, ratio}; a peer is measured in the
same run (or is a budget of docs/ARCHITECTURE.md, then it is called `budget`).
Names: mesh, link, curve, latency, decode, ingest, outage, science, notifier, state, packets, models, simulator, python, loop.
Without names, all.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "mesh"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from decode import bench_decode  # noqa: E402
from ingest import bench_ingest  # noqa: E402
from ingest_flat import bench_flat  # noqa: E402
from loop import bench_loop  # noqa: E402
from link import bench_curve, bench_link  # noqa: E402
from mesh import Mesh, ROOT, sink_lines  # noqa: E402
from notifier import bench_notifier  # noqa: E402
from outage import bench_outage  # noqa: E402
from python_stage import bench_python  # noqa: E402
from night import DEMO_FILTERS, options_for, publish_model, quantile, simulate  # noqa: E402

# CPU per alert in microseconds, from docs/ARCHITECTURE.md, "Numbers".
BUDGET = {"ingest": 75, "crossmatch": 15, "feature": 60, "classifier": 35,
          "active-learner": 10, "tom-notifier": 25}
HOP = 22  # of one delivery, both ends
ALL = 330  # the sum of 405 there without 75 of Kafka's broker and consumer: packets come from files
# What a run on two cores must not fall below. The design's targets are there, too: 5,000/s, 200 MB, p99 50 ms.
FLOORS = {"rate": 2000, "memory": 150, "p99": 100}


def row(name, value, unit, peer="", peer_value=None):
    ratio = round(value / peer_value, 3) if peer_value else None
    return {"name": name, "value": round(value, 3), "unit": unit, "peer": peer,
            "peer_value": peer_value, "ratio": ratio}


def run_mesh(folder, alerts, rate, stamps):
    """One run of the whole mesh; returns what was measured."""
    shutil.rmtree(folder, ignore_errors=True)
    mesh = Mesh(folder)
    simulate(mesh, folder / "night", 11, alerts, "--stamps", stamps)
    mesh.redis.start()
    try:
        publish_model(mesh, folder / "training", 7, alerts=3000)
        mesh.configure(options_for(mesh, [str(folder / "night" / "alerts")], rate=rate,
                                   catalog=folder / "night" / "catalog.csv",
                                   filters=DEMO_FILTERS))
        for service in ("crossmatch", "feature", "classifier", "active-learner", "tom-notifier"):
            mesh.of(service)[0].start()
        time.sleep(3)
        idle = {i.service: i.cpu() for i in mesh.instances.values()}
        start = time.time()
        ingest = mesh.of("ingest")[0]
        ingest.start()
        cpu = {}
        ages = {}
        while ingest.alive():
            for instance in mesh.instances.values():
                cpu[instance.service] = instance.cpu() or cpu.get(instance.service, 0)
                instance.look()
                instance.share()
            time.sleep(0.05)
        seconds = time.time() - start
        for instance in mesh.instances.values():
            ages[instance.service] = instance.get("/metrics") or ""
        total = mesh.last_ledger()["total"]
        lines = sorted(l["latency_s"] for l in sink_lines(folder / "sinks" / "all.jsonl"))
        rss = {i.service: i.max_rss for i in mesh.instances.values()}
        share = sum(i.max_share for i in mesh.instances.values())
        return {"seconds": seconds, "total": total, "latency": lines, "rss": rss, "share": share,
                "cpu": {s: c - idle.get(s, 0) for s, c in cpu.items()}, "metrics": ages}
    finally:
        mesh.kill_all()


def bench_mesh(folder):
    found = run_mesh(folder, 20000, 0, "small")
    received = found["total"]["received"]
    rows = [row("mesh rate", received / found["seconds"], "alerts/s", "target", FLOORS["rate"]),
            row("mesh memory, shared pages once", found["share"], "MB", "target", FLOORS["memory"]),
            row("mesh memory, sum of resident sets", sum(found["rss"].values()), "MB")]
    for service, mb in found["rss"].items():
        rows.append(row(f"memory {service}", mb, "MB"))
    for service, cpu in found["cpu"].items():
        rows.append(row(f"cpu {service}", 1e6 * cpu / received, "us/alert", "budget",
                        BUDGET[service] + HOP))
    rows.append(row("cpu all", 1e6 * sum(found["cpu"].values()) / received, "us/alert",
                    "budget", ALL))
    return rows


def histogram_quantile(text, name, labels, p):
    """The p quantile of a Prometheus histogram, by its buckets, linear inside."""
    buckets = []
    for line in text.splitlines():
        if line.startswith(name + "_bucket{") and all(l in line for l in labels):
            bound = line.split('le="')[1].split('"')[0]
            buckets.append((float(bound), float(line.rsplit(" ", 1)[1])))
    buckets.sort()
    if not buckets or buckets[-1][1] == 0:
        return 0.0
    want, low, below = p * buckets[-1][1], 0.0, 0.0
    for bound, count in buckets:
        if count >= want:
            if bound == float("inf") or count == below:
                return low
            return low + (bound - low) * (want - below) / (count - below)
        low, below = bound, count
    return low


def bench_latency(folder):
    found = run_mesh(folder, 256 * 40, 256, "small")
    rows = [row("latency p50 at 256/s", 1000 * quantile(found["latency"], 0.5), "ms"),
            row("latency p99 at 256/s", 1000 * quantile(found["latency"], 0.99), "ms", "target",
                FLOORS["p99"])]
    for service, text in found["metrics"].items():
        for p in (0.5, 0.99):
            value = histogram_quantile(text, "weft_alert_age_seconds", ['since="receipt"'], p)
            if value:
                rows.append(row(f"age at {service} p{100 * p:g} at 256/s", 1000 * value, "ms"))
    return rows


def bench_program(name):
    """Rows of a test program that prints one JSON object a line."""
    done = subprocess.run([str(ROOT / "build" / "tests" / name)], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=True)
    found = [json.loads(line) for line in done.stdout.decode().splitlines()]
    return [row(f["name"], f["value"], f["unit"], f.get("peer", ""), f.get("peer_value"))
            for f in found]


def bench_science(_folder):
    """The pure work of crossmatch and feature, without the mesh around it."""
    return bench_program("science_main")


def bench_simulator(_folder):
    """Packets that `weft sim` makes, without writing them."""
    return bench_program("simulator_main")


def bench_state(_folder):
    """Ledger, seen and histories with a Redis of its own, CPU of both ends."""
    return bench_program("state_main")


def bench_packets(_folder):
    """The packet store: append and read, CPU with the kernel's part."""
    return bench_program("packets_main")


def bench_models(_folder):
    """Trees against XGBoost's own call, and the learner's pool."""
    return bench_program("models_main")


BENCHES = {"mesh": bench_mesh, "link": bench_link, "curve": bench_curve,
           "latency": bench_latency, "decode": bench_decode, "ingest": bench_ingest,
           "outage": bench_outage, "science": bench_science, "notifier": bench_notifier,
           "state": bench_state, "packets": bench_packets, "models": bench_models,
           "simulator": bench_simulator, "python": bench_python,
           "loop": bench_loop}


def main():
    parser = argparse.ArgumentParser(prog="./run bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHES))
    parser.add_argument("--json", metavar="FILE", help="write the rows there")
    parser.add_argument("--alerts", metavar="N", type=int,
                        help="of ingest: one run of so many small packets, in ten windows")
    options = parser.parse_args()
    if options.alerts is not None and (options.names != ["ingest"] or options.alerts < 20000):
        parser.error("--alerts is of ingest alone, and at least 20000")
    unknown = [n for n in options.names if n not in BENCHES]
    if unknown:
        parser.error(f"there is no bench '{unknown[0]}'; there are {', '.join(BENCHES)}")
    rows = []
    for name in options.names or BENCHES:
        folder = ROOT / "build" / "bench" / name
        for found in bench_flat(folder, options.alerts) if options.alerts else BENCHES[name](folder):
            rows.append(found)
            peer = f"  {found['peer']} {found['peer_value']}, ratio {found['ratio']}" if found["peer"] else ""
            print(f"{found['name']:34s} {found['value']:12g} {found['unit']}{peer}", flush=True)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
