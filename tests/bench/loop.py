"""The learning loop while alerts flow: labels asked for, answered by the truth,
trained with, promoted; against random asking with the same budget."""

import json
import pathlib
import shutil
import threading
import time

from mesh import Mesh
from night import DEMO_FILTERS, options_for
from season import Oracle, Season, faults, rows_of, trained

RATE = 256       # alerts a second
ALERTS = 24000   # of the season: 94 s at that rate
BUDGET = 280     # labels
STEP = 40        # labels of one training
SEED = 21


class Watch(threading.Thread):
    """When each version was first seen live in the classifier."""

    def __init__(self, classifier):
        super().__init__(daemon=True)
        self.classifier = classifier
        self.live = {}
        self.ending = threading.Event()

    def run(self):
        while not self.ending.wait(0.2):
            for line in (self.classifier.get("/metrics") or "").splitlines():
                if line.startswith("weft_model_live{") and line.endswith(" 1"):
                    version = line.split('version="')[1].split('"')[0]
                    self.live.setdefault(version, time.time())

    def stop(self):
        self.ending.set()
        self.join()


def options(mesh, season, random_share):
    found = options_for(mesh, season.inputs, rate=RATE, filters=DEMO_FILTERS)
    found["classifier"].update({"poll_ms": 500, "shadow_alerts": 200})
    found["active-learner"] = {
        "model": "demo", "strategy": "entropy", "random_share": random_share, "budget": BUDGET,
        "batch": 10, "interval_ms": 2000, "train_base": str(season.base),
        "train_test": str(season.test), "train_labels": STEP, "train_minutes": 0.2}
    return found


def served(watch, version):
    """Metrics may name a version by its beginning."""
    return next((at for v, at in watch.live.items() if version.startswith(v)), None)


def delays(mesh, oracle, watch):
    """From `weft label` done to a live model that knows it; None: never."""
    lives = sorted((labels, served(watch, version)) for labels, version in trained(mesh).items()
                   if served(watch, version))
    number = {f"{r['survey']}:{r['object_id']}": r["number"] for r in rows_of(mesh)}
    found = []
    for name, at in oracle.answered.items():
        times = [live for labels, live in lives if labels >= number.get(name, 1 << 60)]
        found.append(max(0.0, min(times) - at) if times else None)
    return found


def wait_served(mesh, oracle, watch, ingest):
    """Until the budget is spent and all labels are in the live model."""
    while ingest.alive():
        time.sleep(1)
        if len(oracle.answered) >= BUDGET and None not in delays(mesh, oracle, watch):
            break


def run_loop(folder, random_share):
    shutil.rmtree(folder, ignore_errors=True)
    mesh = Mesh(folder)
    season = Season(mesh, folder / "season", SEED, ALERTS)
    mesh.redis.start()
    try:
        mesh.configure(options(mesh, season, random_share))
        for name, instance in mesh.instances.items():
            if instance.service != "ingest":
                instance.start()
        mesh.wait_ready(120, without=("ingest", "crossmatch"))
        watch, oracle = Watch(mesh.of("classifier")[0]), Oracle(mesh, season)
        watch.start()
        oracle.start()
        ingest = mesh.of("ingest")[0]
        start = time.time()
        ingest.start()
        wait_served(mesh, oracle, watch, ingest)
        seconds = time.time() - start
        ingest.wait(600)  # the rest of the season, so that nothing is in flight
        rate = mesh.last_ledger()["total"]["received"] / (time.time() - start)
        oracle.stop()
        watch.stop()
        return {**measure(mesh, season, oracle, watch), "seconds": seconds, "rate": rate}
    finally:
        mesh.kill_all()


def measure(mesh, season, oracle, watch):
    total = mesh.last_ledger()["total"]
    models = json.loads(mesh.weft("model", "ls", "demo", "--json").stdout)
    accuracy = {m["version"]: m["metrics"]["accuracy"] for m in models}
    sets = sorted((k, v) for k, v in trained(mesh).items())
    lived = [(labels, v) for labels, v in sets if served(watch, v)]
    found = delays(mesh, oracle, watch)
    lost = faults(mesh, oracle)
    unsettled = total["received"] - total["settled"] - total["duplicate"] - total["dead"]
    lost += [f"{unsettled} alerts"] * (unsettled != 0)
    lost += [f"{found.count(None)} labels never reached a live model"] * (None in found)
    for fault in lost:
        print(f"  loop: {fault}", flush=True)
    return {"before": accuracy[lived[0][1]], "after": accuracy[lived[-1][1]],
            "promotions": len(lived) - 1, "declined": len(sets) - len(lived),
            "curve": [(labels, accuracy[v]) for labels, v in lived],
            "labels": len(oracle.answered), "base": season.base_objects, "lost": len(lost),
            "delays": sorted(d for d in found if d is not None)}


def bench_loop(folder):
    def row(name, value, unit, peer="", peer_value=None):
        ratio = round(value / peer_value, 3) if peer_value else None
        return {"name": name, "value": round(value, 4), "unit": unit, "peer": peer,
                "peer_value": peer_value, "ratio": ratio}

    asking = run_loop(pathlib.Path(folder) / "asking", 0.15)
    print(f"  loop: labels and accuracy, asking: {asking['curve']}", flush=True)
    chance = run_loop(pathlib.Path(folder) / "random", 1.0)
    print(f"  loop: labels and accuracy, random: {chance['curve']}", flush=True)
    late = asking["delays"] + chance["delays"]
    late.sort()
    return [row("loop promotions", asking["promotions"], "", "target", 5),
            row("loop accuracy before", asking["before"], ""),
            row("loop accuracy after", asking["after"], "", "random", chance["after"]),
            row("loop accuracy random", chance["after"], ""),
            row("loop label to model s", late[-1] if late else 0.0, "s", "target", 120),
            row("loop label to model p50 s", late[len(late) // 2] if late else 0.0, "s"),
            row("loop lost", asking["lost"] + chance["lost"], ""),
            row("loop labels", asking["labels"], "", "random", chance["labels"]),
            row("loop base objects", asking["base"], ""),
            row("loop models declined", asking["declined"], "", "random", chance["declined"] or None),
            row("loop alert rate", asking["rate"], "alerts/s"),
            row("loop seconds", asking["seconds"] + chance["seconds"], "s")]
