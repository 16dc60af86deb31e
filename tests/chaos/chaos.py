#!/usr/bin/env python3
"""./run chaos: services are killed while alerts flow, and nothing may be lost.

Two replicas of every stage (ingest by shares, the notifier with a standby) as
processes; every 0.7 s a random one gets kill -9 and is started again. At the
end every alert of the input must be in the sink exactly once, and every
malformed packet must be a dead letter. Who was lost is decided here, from the
input's own ids and the sink's, not from the mesh's counters.

Acts other than `kill` break one thing at a time; `--act list` names them.
"""

import argparse
import csv
import json
import pathlib
import random
import shutil
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "mesh"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import acts  # noqa: E402
from mesh import Mesh, ROOT, sink_lines  # noqa: E402
from night import options_for, publish_model, simulate  # noqa: E402

MANY_FILES = 200000  # in more than that a restart looks for its place too long
UNPACED_GUESS = 2000  # alerts/s that size the input of an unpaced run
STALL_LIMIT = 90      # seconds without progress after which the run has failed


def parse():
    parser = argparse.ArgumentParser(prog="./run chaos", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="how long services are killed")
    parser.add_argument("--seed", type=int, default=None, help="of the faults (default: by the clock)")
    parser.add_argument("--rate", type=float, default=0, help="alerts per second, 0 = unpaced")
    parser.add_argument("--json", metavar="FILE", help="write the result there")
    parser.add_argument("--keys", action="store_true", help="encrypted links, whatever the act")
    parser.add_argument("--act", default="kill", help="what is broken; 'list' names all")
    parser.add_argument("--alerts", type=int, default=None, help="size of the input")
    parser.add_argument("--interval", type=float, default=0.7, help="seconds between kills")
    parser.add_argument("--malformed", type=int, default=20, help="malformed packets in the input")
    parser.add_argument("--folder", default=None, help="where to run (default build/chaos)")
    return parser.parse_args()


class Watch:
    """Follows progress from outside: the sinks' file and the memory."""

    def __init__(self, mesh):
        self.mesh = mesh
        self.sink = mesh.folder / "sinks" / "all.jsonl"
        self.size = 0
        self.last = time.monotonic()
        self.gap = 0.0
        self.most_memory = 0.0

    def look(self):
        size = self.sink.stat().st_size if self.sink.exists() else 0
        now = time.monotonic()
        if size != self.size:
            self.gap = max(self.gap, now - self.last)
            self.size, self.last = size, now
        memory = sum(i.look() for i in self.mesh.instances.values())
        self.most_memory = max(self.most_memory, memory)

    def stalled(self):
        return time.monotonic() - self.last

    def forgive(self):
        """Progress was impossible on purpose until now."""
        self.last = time.monotonic()


def input_ids(night):
    with open(night / "truth.csv", newline="") as f:
        return [row["alert_id"] for row in csv.DictReader(f)]


def resent(mesh):
    """Outbox rows that were sent more than once."""
    total = 0
    for path in (mesh.folder / "data" / "tom-notifier").glob("*.db"):
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            total += db.execute("SELECT coalesce(sum(max(attempts - 1, 0)), 0) FROM outbox").fetchone()[0]
    return total


def name_by_alert(line):
    # A class flip is a row of its own about the same alert, with its own key.
    return line["key"] if "event" in line else str(line["alert_id"])


def count_rows(sink, name):
    """How often each alert is in the sink, and each other row by its key."""
    counts = {}
    for line in sink_lines(sink):
        counts[name(line)] = counts.get(name(line), 0) + 1
    return counts


def judge(mesh, watch, act, options, counts, missing):
    """What is to be said of a run, with what the sink has and what it lacks."""
    ledger = mesh.last_ledger()
    total = ledger["total"] if ledger else {}
    result = {
        "act": options.act, "seed": options.seed, "rate": options.rate,
        "kills": act.kills,
        "received": total.get("received", 0),
        "settled": total.get("settled", 0),
        "duplicate": total.get("duplicate", 0),
        "in_flight": total.get("in_flight", 0),
        "balanced": bool(total.get("balanced")),
        "lost": total.get("in_flight", 0) if not act.forgets else len(missing),
        "sink_missing": len(missing),
        "sink_twice": sum(1 for n in counts.values() if n > 1),
        "resent": resent(mesh),
        "redelivered": int(act.redelivered + mesh.metric("weft_redelivered_total")),
        "dead": total.get("dead", 0),
        "dead_expected": act.dead_expected,
        "progress_gap_s": round(max(watch.gap, act.gap), 2),
        "most_memory_mb": round(watch.most_memory, 1),
    }
    if missing:
        print("missing from the sink: " + " ".join(missing[:10]), file=sys.stderr)
    return result


def passed(result, act):
    clean = not (result["lost"] or result["sink_missing"] or result["sink_twice"])
    dead = act.forgets or result["dead"] == result["dead_expected"]
    return clean and dead and not act.failure and (act.forgets or result["balanced"])


def pack(alerts):
    """A tar archive a night, as surveys publish them: who starts again every few
    seconds must not list a million files first."""
    for night in sorted(p for p in alerts.iterdir() if p.is_dir()):
        subprocess.run(["tar", "--sort=name", "-cf", f"{night}.tar", "-C", alerts, night.name],
                       check=True)
        shutil.rmtree(night)


def run(options):
    folder = pathlib.Path(options.folder or ROOT / "build" / "chaos").resolve()
    shutil.rmtree(folder, ignore_errors=True)
    rng = random.Random(options.seed)
    act = acts.find(options.act)(rng, options)
    mesh = Mesh(folder, replicas=act.replicas, extra=act.extra, environment=act.environment,
                keys=act.keys or options.keys, cluster=act.cluster)
    alerts = options.alerts or int((options.rate or UNPACED_GUESS) * options.seconds) or 1000
    night = folder / "night"
    print(f"chaos: act {options.act}, seed {options.seed}, {alerts} alerts, "
          f"{'unpaced' if not options.rate else f'{options.rate:g}/s'}", flush=True)
    simulate(mesh, night, options.seed, alerts, "--malformed", options.malformed,
             "--stamps", "none")  # 10 kB each
    if alerts > MANY_FILES:
        pack(night / "alerts")
    act.dead_expected = options.malformed
    act.choose(input_ids(night))
    mesh.redis.start()
    try:
        if mesh.cluster:
            mesh.cluster.start()
        publish_model(mesh, folder / "training", 7, alerts=3000)
        rate = options.rate / mesh.replicas["ingest"]
        mesh.configure(act.options(options_for(mesh, [str(night / "alerts")], rate=rate,
                                               catalog=night / "catalog.csv")), act.link)
        return run_act(mesh, night, act, options)
    finally:
        mesh.kill_all()


def run_act(mesh, night, act, options):
    mesh.start()
    #  A poisoned alert may be among the first.
    mesh.wait_ready(without=act.unready,
                    revive=(lambda: act.supervise(mesh)) if act.poisoned else None)
    watch = Watch(mesh)
    end = time.monotonic() + options.seconds
    while not all_read(mesh):
        if time.monotonic() < end:
            act.step(mesh, watch)
        else:
            act.finish(mesh)
        watch.look()
        if watch.stalled() > STALL_LIMIT and time.monotonic() > end:
            act.failure = f"no progress for {STALL_LIMIT} s"
            break
        time.sleep(0.05)
    act.finish(mesh)
    watch.look()
    expected = [i for i in input_ids(night) if i not in act.poisoned]
    counts, missing = wait_for_sink(watch, name_by_alert,
                                    lambda counts: [i for i in expected if i not in counts])
    result = judge(mesh, watch, act, options, counts, missing)
    codes = mesh.stop()
    # A process that is still in a function that never returns cannot drain: its
    # watchdog ends it, or the stop here does.
    undrained = [n for n, c in codes.items()
                 if c != 0 and not n.startswith("ingest") and n.split("-")[0] != act.hangs]
    if undrained:
        act.failure = act.failure or f"did not drain: {', '.join(undrained)}"
    return result, act


def all_read(mesh):
    """Every ingest has ended by itself with exit 0: all is read and booked."""
    done = True
    for instance in mesh.of("ingest"):
        if instance.alive():
            done = False
        elif instance.process.returncode != 0:
            instance.start()  # killed, or refused for now: it goes on
            done = False
    return done


def wait_for_sink(watch, name, lacking):
    """The outbox is durable already; its sender may take its time to write, and
    only if it has nothing more to write is something missing. What the sink has,
    and what it lacks."""
    last = time.monotonic()
    while True:
        size, counts = watch.size, count_rows(watch.sink, name)
        missing = lacking(counts)
        if not missing or time.monotonic() - last > STALL_LIMIT:
            return counts, missing
        time.sleep(0.5)
        watch.look()
        last = last if watch.size == size else time.monotonic()


def main():
    options = parse()
    if options.act == "list":
        print(acts.listing())
        return 0
    if options.seed is None:
        options.seed = int(time.time()) % 1000000
    result, act = run(options)
    good = passed(result, act)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(result, indent=1) + "\n")
    print("  ".join(f"{k} {v}" for k, v in result.items()))
    if act.failure:
        print(f"chaos: {act.failure}", file=sys.stderr)
    print("nothing lost" if good else f"FAILED; replay: --act {options.act} --seed {options.seed}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
