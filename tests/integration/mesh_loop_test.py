#!/usr/bin/env python3
"""The learning loop while learner, trainer, classifier and Redis are killed:
no label, query or version is lost or doubled."""

import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "mesh"))
from mesh import Mesh  # noqa: E402
from night import DEMO_FILTERS, options_for  # noqa: E402
from season import Oracle, Season, faults, rows_of, trained  # noqa: E402

ALERTS, RATE, BUDGET, STEP = 4000, 200, 60, 15
SECONDS = 600  # a sanitizer on a busy machine


def options(mesh, season):
    found = options_for(mesh, season.inputs, rate=RATE, filters=DEMO_FILTERS, stay=True)
    found["classifier"].update({"poll_ms": 500, "shadow_alerts": 50})
    found["active-learner"] = {
        "model": "demo", "strategy": "entropy", "random_share": 0.15, "budget": BUDGET,
        "batch": 10, "interval_ms": 1000, "train_base": str(season.base),
        "train_test": str(season.test), "train_labels": STEP, "train_minutes": 0.1}
    if mesh.build.name in ("asan", "tsan"):  # their shadow memory is all address space
        found["active-learner"]["train_memory_mb"] = 0
    return found


def trainers(mesh):
    """The processes of `weft learn` on this mesh."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"learn" in words and any(str(mesh.folder).encode() in w for w in words):
            found.append(int(path.parent.name))
    return found


class Killer:
    """Kills one of them at a time, and starts it again at once."""

    def __init__(self, mesh, seed):
        self.mesh, self.rng = mesh, random.Random(seed)
        self.kills = {"active-learner": 0, "classifier": 0, "redis": 0, "trainer": 0}

    def kill_trainer(self):
        """Waits a while for one: they are quick."""
        end = time.monotonic() + 4
        while time.monotonic() < end:
            for pid in trainers(self.mesh)[:1]:
                time.sleep(self.rng.random() * 0.2)
                try:
                    os.kill(pid, signal.SIGKILL)
                    return True
                except ProcessLookupError:
                    continue
            time.sleep(0.01)
        return False

    def kill(self):
        what = self.rng.choice(sorted(self.kills))
        if what == "redis":
            self.mesh.redis.kill()
            self.mesh.redis.start()
        elif what == "trainer":
            if not self.kill_trainer():
                return
        else:
            victim = self.mesh.of(what)[0]
            victim.kill()
            victim.start()
        self.kills[what] += 1


def supervise(mesh):
    for instance in mesh.instances.values():
        if not instance.alive():
            instance.start()


def wait_for(mesh, what, meaning):
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        supervise(mesh)
        if what():
            return
        time.sleep(0.2)
    raise SystemExit(f"not within {SECONDS} s: {meaning}; see {mesh.folder}")


def all_settled(mesh):
    total = (mesh.ledger() or {"total": {}})["total"]
    return total.get("settled", 0) >= ALERTS and total["in_flight"] == 0


def in_a_model(mesh):
    """All labels are in a label set that has an outcome."""
    return max(trained(mesh), default=0) >= len(rows_of(mesh)) > 0


def main():
    seed = int(os.environ.get("WEFT_SEED") or random.randrange(1 << 30))
    mesh = Mesh(tempfile.mkdtemp(prefix="weft-loop-"))
    season = Season(mesh, mesh.folder / "season", 23, ALERTS)
    mesh.redis.start()
    killer, oracle = Killer(mesh, seed), Oracle(mesh, season, delay=0.5)
    try:
        mesh.configure(options(mesh, season))
        mesh.start()
        oracle.start()
        wait_for(mesh, lambda: len(oracle.answered) >= 10, "the first labels are in")
        end = time.monotonic() + 20
        while time.monotonic() < end:
            killer.kill()
            supervise(mesh)
            time.sleep(0.7)
        wait_for(mesh, lambda: all_settled(mesh), "all alerts are settled")
        wait_for(mesh, lambda: len(oracle.answered) >= BUDGET, "all are asked for and answered")
        wait_for(mesh, lambda: in_a_model(mesh), "all labels are trained with")
        oracle.stop()
        found = faults(mesh, oracle)
        print(f"{killer.kills} seed {seed}: {len(oracle.answered)} labels, "
              f"{len(trained(mesh))} label sets, faults {found}")
        if found:
            print(f"see {mesh.folder}; WEFT_SEED={seed} kills in the same order")
            return 1
    finally:
        oracle.ending.set()
        mesh.kill_all()
    shutil.rmtree(mesh.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
