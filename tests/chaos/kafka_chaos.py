#!/usr/bin/env python3
"""./run chaos --kafka: the mesh reads from a real Kafka while everything at
that edge is broken: an ingest replica added or removed every 3 s, another
killed with -9 every second, Kafka itself killed and started again once. Every
alert must be in the sink exactly once, every malformed packet a dead letter,
the committed offsets must advance in every 15 s in which Kafka answers, and
stand at the end when it is over.
"""

import argparse
import json
import pathlib
import random
import shutil
import signal
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
for folder in (HERE, HERE.parent / "mesh", HERE.parent / "kafka"):
    sys.path.insert(0, str(folder))
import acts  # noqa: E402
import chaos  # noqa: E402
import kafka as real  # noqa: E402
from mesh import Mesh, ROOT  # noqa: E402
from night import options_for, publish_model, simulate  # noqa: E402

TOPIC = GROUP = "night"
PARTITIONS = 4
WINDOW_S = 15     # offsets advance in each of these
PATIENCE_S = 240  # for the end, when nothing is broken any more


def parse():
    parser = argparse.ArgumentParser(prog="./run chaos --kafka", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kafka", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=60, help="how long things are broken")
    parser.add_argument("--seed", type=int, default=None, help="of the faults (default: by the clock)")
    parser.add_argument("--rate", type=float, default=200, help="alerts per second into the topic")
    parser.add_argument("--brokers", type=int, default=1, choices=(1, 3),
                        help="3: copies on three, and one of them is killed instead of all")
    parser.add_argument("--malformed", type=int, default=20, help="malformed packets in the input")
    parser.add_argument("--json", metavar="FILE", help="write the result there")
    parser.add_argument("--folder", default=None, help="where to run (default build/chaos-kafka)")
    return parser.parse_args()


class KafkaEdge(acts.Act):
    """replicas come and go every 3 s, kill -9 of ingest every second, Kafka once"""

    replicas = {"ingest": 3}

    def __init__(self, rng, options, cluster):
        options.interval = 1.0
        super().__init__(rng, options)
        self.cluster = cluster
        self.moves = 0
        self.scaled = self.removed = None
        self.broker_down = 0.0
        self.broker_done = False

    def step(self, mesh, watch):
        now = time.time()
        self.begin()
        self.scaled = self.scaled or now
        if now >= self.scaled + 3:
            self.scaled = now
            self.scale(mesh)
        if self.due():
            alive = [i for i in mesh.of("ingest") if i.alive() and i is not self.removed]
            self.kill(self.rng.choice(alive))
        self.break_kafka(now)

    def scale(self, mesh):
        """The last replica goes politely, or comes again."""
        last = mesh.of("ingest")[-1]
        if self.removed is None:
            last.signal(signal.SIGTERM)
            self.removed = last
        else:
            if last.alive() and last.wait(30) is None:
                self.failure = "ingest does not end at SIGTERM within 30 s"
                last.kill()
            last.start()
            self.removed = None
        self.moves += 1

    def break_kafka(self, now):
        victim = self.cluster.brokers[0]
        if not self.broker_done and self.elapsed() > self.seconds / 2:
            victim.kill()
            self.broker_down, self.broker_done = now, True
            print("chaos: a broker is killed", flush=True)
        elif self.broker_down and now > self.broker_down + 2:
            victim.start()
            self.broker_down = 0.0

    def finish(self, mesh):
        if self.broker_down:
            self.cluster.brokers[0].start()
            self.broker_down = 0.0
        self.removed = None
        for instance in mesh.instances.values():
            if not instance.alive():
                instance.start()


class Offsets(threading.Thread):
    """Looks at the committed offsets from outside; how long they stood still
    while Kafka answered and there was something left to commit."""

    def __init__(self, cluster, total):
        super().__init__(daemon=True)
        self.cluster, self.total = cluster, total
        self.now, self.still, self.last = 0, 0.0, time.time()
        self.over = threading.Event()

    def run(self):
        while not self.over.wait(1):
            committed = self.cluster.committed(GROUP, TOPIC)
            now, at = sum(max(0, o) for o in committed.values()), time.time()
            if now > self.now:
                self.still = max(self.still, at - self.last)
                self.now, self.last = now, at
            elif not committed:
                self.last = at
            elif self.now < self.total:
                self.still = max(self.still, at - self.last)


class Feeder(threading.Thread):
    """The night into the topic at its pace."""

    def __init__(self, cluster, files, rate):
        super().__init__(daemon=True)
        self.cluster, self.files, self.rate = cluster, files, rate
        self.failure = None

    def messages(self):
        begin = time.time()
        for n, path in enumerate(self.files):
            ahead = n / self.rate - (time.time() - begin)
            if ahead > 0:
                time.sleep(ahead)
            yield n % PARTITIONS, path.read_bytes()

    def run(self):
        try:
            self.cluster.feed(TOPIC, self.messages())
        except (OSError, RuntimeError) as error:
            self.failure = str(error)


def configure(mesh, cluster, night):
    options = options_for(mesh, [], catalog=night / "catalog.csv")
    options["ingest"] = lambda n: {"brokers": cluster.address, "topics": [TOPIC], "group": GROUP,
                                   "member": f"ingest-{n}",
                                   # So little that it is in two lanes now and then.
                                   "backlog_from": 60}
    mesh.configure(options)


def run_faults(mesh, act, watch, feeder, options):
    end = time.time() + options.seconds
    while time.time() < end or feeder.is_alive():
        if time.time() < end:
            act.step(mesh, watch)
        else:
            act.finish(mesh)
        watch.look()
        time.sleep(0.05)
    act.finish(mesh)


def wait_for_end(mesh, cluster, watch, total):
    end = time.time() + PATIENCE_S
    while time.time() < end:
        ledger = mesh.ledger()
        watch.look()
        if ledger and ledger["total"]["received"] == total and not ledger["total"]["in_flight"] and \
                cluster.at_end(GROUP, TOPIC):
            return True
        time.sleep(0.5)
    return False


def run(options):
    folder = pathlib.Path(options.folder or ROOT / "build" / "chaos-kafka").resolve()
    shutil.rmtree(folder, ignore_errors=True)
    rng = random.Random(options.seed)
    cluster = real.Kafka(folder / "kafka", options.brokers)
    act = KafkaEdge(rng, options, cluster)
    act.dead_expected = options.malformed
    mesh = Mesh(folder, replicas=act.replicas)
    night = folder / "night"
    alerts = int(options.rate * options.seconds)
    print(f"chaos: kafka, seed {options.seed}, {alerts} alerts, {options.brokers} broker(s)", flush=True)
    mesh.redis.start()
    try:
        simulate(mesh, night, options.seed, alerts, "--malformed", options.malformed, "--stamps", "none")
        files = sorted(p for p in (night / "alerts").rglob("*") if p.is_file() and p.name[0] != ".")
        rng.shuffle(files)
        publish_model(mesh, folder / "training", 7, alerts=3000)
        cluster.start()
        cluster.create(TOPIC, PARTITIONS)
        configure(mesh, cluster, night)
        mesh.start()
        mesh.wait_ready()
        watch, feeder, offsets = chaos.Watch(mesh), Feeder(cluster, files, options.rate), \
            Offsets(cluster, len(files))
        feeder.start()
        offsets.start()
        run_faults(mesh, act, watch, feeder, options)
        ended = wait_for_end(mesh, cluster, watch, len(files))
        offsets.over.set()
        chaos.wait_for_sink(watch, chaos.input_ids(night))
        result = judge(mesh, night, watch, act, offsets, options, len(files))
        if not ended:
            act.failure = f"not at the end {PATIENCE_S} s after the last fault"
        act.failure = act.failure or feeder.failure
        if act.seconds >= WINDOW_S and result["offsets_still_s"] > WINDOW_S:
            act.failure = act.failure or f"offsets stood still for {result['offsets_still_s']} s"
        codes = mesh.stop()
        bad = [name for name, code in codes.items() if code != 0]
        if bad:
            act.failure = act.failure or f"did not drain: {', '.join(bad)}"
        return result, act
    finally:
        mesh.kill_all()
        cluster.kill()
        shutil.rmtree(cluster.folder, ignore_errors=True)


def judge(mesh, night, watch, act, offsets, options, total):
    options.act = "kafka"
    result = chaos.judge(mesh, night, watch, act, options)
    result["moves"] = act.moves
    result["brokers"] = options.brokers
    result["messages"] = total
    result["offsets_still_s"] = round(offsets.still, 1)
    #  Lost is what the source has and the ledger has not, too.
    result["lost"] += max(0, total - result["received"])
    return result


def main():
    options = parse()
    if options.seed is None:
        options.seed = int(time.time()) % 1000000
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        result, act = run(options)
    except real.Missing as why:
        print(f"SKIP: {why}")
        return 77
    good = chaos.passed(result, act)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(result, indent=1) + "\n")
    print("  ".join(f"{k} {v}" for k, v in result.items()))
    if act.failure:
        print(f"chaos: {act.failure}", file=sys.stderr)
    print("nothing lost" if good else f"FAILED; replay: --kafka --seed {options.seed}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
