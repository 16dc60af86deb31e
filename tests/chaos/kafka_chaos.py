#!/usr/bin/env python3
"""./run chaos --kafka: the mesh reads from a real Kafka while everything at
that edge is broken: an ingest replica added or removed every 3 s, another
killed with -9 every second, Kafka itself killed and started again once, and a
master of the Redis Cluster, if there is one. It reads every native packet of
the data packs and permuted copies, some of them cut short; without the packs a
simulated night. Every alert must be in the sink exactly once, every malformed
packet a dead letter, the committed offsets must advance in every 15 s in which
Kafka answers, and stand at the end when it is over.
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
import packets  # noqa: E402
from mesh import Mesh, ROOT  # noqa: E402
from night import options_for, publish_model, simulate  # noqa: E402

TOPIC = GROUP = "night"
PARTITIONS = 4
WINDOW_S = 15     # offsets advance in each of these
ANSWERS_S = 2     # who needs longer for a look does not answer
BEHIND_S = 1.5    # of what a master acknowledges before it dies, its replica gets nothing
PATIENCE_S = 240  # for the end, when nothing is broken any more


def parse():
    parser = argparse.ArgumentParser(prog="./run chaos --kafka", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kafka", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=60, help="how long things are broken")
    parser.add_argument("--seed", type=int, default=None, help="of the faults (default: by the clock)")
    parser.add_argument("--rate", type=float, default=200, help="alerts per second into the topic")
    parser.add_argument("--window", type=float, default=WINDOW_S,
                        help="seconds in which offsets have to advance (%(default)s)")
    parser.add_argument("--brokers", type=int, default=1, choices=(1, 3),
                        help="3: copies on three, and one of them is killed instead of all")
    parser.add_argument("--redis-cluster", action="store_true",
                        help="three masters and their replicas, and one master is killed")
    parser.add_argument("--simulated", action="store_true", help="a simulated night, no packets of the packs")
    parser.add_argument("--malformed", type=int, default=20, help="malformed packets in the input")
    parser.add_argument("--json", metavar="FILE", help="write the result there")
    parser.add_argument("--folder", default=None, help="where to run (default build/chaos-kafka)")
    return parser.parse_args()


class KafkaEdge(acts.Act):
    """replicas come and go every 3 s, kill -9 of ingest every second, Kafka once"""

    replicas = {"ingest": 3}

    def __init__(self, rng, options, kafka):
        options.interval = 1.0
        super().__init__(rng, options)
        self.cluster = options.redis_cluster
        self.kafka = kafka
        self.taking_over = None
        self.moves = 0
        self.scaled = self.removed = None
        self.broker_down = 0.0
        self.broker_done = False

    def step(self, mesh, watch):
        now = time.monotonic()
        self.begin()
        self.scaled = self.scaled or now
        if now >= self.scaled + 3:
            self.scaled = now
            self.scale(mesh)
        if self.due():
            alive = [i for i in mesh.of("ingest") if i.alive() and i is not self.removed]
            self.kill(self.rng.choice(alive))
        self.break_kafka(now)
        if self.cluster and not self.taking_over and self.elapsed() > self.seconds / 4:
            self.break_redis(mesh.cluster)

    def break_redis(self, redis):
        """Kills a master, whose replica takes over; it comes back as a replica."""
        victim = self.rng.choice(redis.masters())
        print("chaos: a master of Redis is killed", flush=True)

        def fail_over():
            try:
                redis.fail_over(victim, BEHIND_S)
            except Exception as error:  # pylint: disable=broad-except
                redis.failure = f"the cluster: {error}\n     {redis.state()}"
        self.taking_over = threading.Thread(target=fail_over, daemon=True)
        self.taking_over.start()

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
        victim = self.kafka.brokers[0]
        if not self.broker_done and self.elapsed() > self.seconds * 5 / 8:
            victim.kill()
            self.broker_down, self.broker_done = now, True
            print("chaos: a broker is killed", flush=True)
        elif self.broker_down and now > self.broker_down + 2:
            victim.start()
            self.broker_down = 0.0

    def finish(self, mesh):
        if self.broker_down:
            self.kafka.brokers[0].start()
            self.broker_down = 0.0
        if self.taking_over:
            self.taking_over.join(600)
            self.failure = self.failure or mesh.cluster.failure
        elif self.cluster:
            self.failure = "no master was killed: give it more seconds"
        self.removed = None
        for instance in mesh.instances.values():
            if not instance.alive():
                instance.start()


class Offsets(threading.Thread):
    """Looks at the committed offsets from outside; how long they stood still
    while Kafka answered and had something left to commit."""

    def __init__(self, kafka):
        super().__init__(daemon=True)
        self.kafka = kafka
        self.now, self.still, self.last = 0, 0.0, time.monotonic()
        self.away = 0.0  # the longest time in which Kafka did not answer
        self.over = threading.Event()

    def look(self):
        """(committed, whether a partition holds more than that); ({}, False) where
        Kafka does not answer."""
        committed = self.kafka.committed(GROUP, TOPIC)
        try:
            ends = self.kafka.ends(TOPIC) if committed else {}
        except RuntimeError:
            return {}, False
        return committed, any(end > max(first, committed.get(partition, 0))
                              for partition, (first, end) in ends.items())

    def run(self):
        while not self.over.wait(1):
            begin = time.monotonic()
            committed, behind = self.look()
            now, at = sum(max(0, o) for o in committed.values()), time.monotonic()
            if at - begin > ANSWERS_S:
                self.away = max(self.away, at - begin)
                self.last += at - begin
            if now > self.now:
                self.still = max(self.still, at - self.last)
                self.now, self.last = now, at
            elif not behind:
                self.last = at
            else:
                self.still = max(self.still, at - self.last)


class Simulated:
    """What goes into the topic: a simulated night with malformed packets."""

    schemas = None
    name = staticmethod(chaos.name_by_alert)

    def __init__(self, mesh, options, rng):
        folder = mesh.folder / "night"
        simulate(mesh, folder, options.seed, int(options.rate * options.seconds),
                 "--malformed", options.malformed, "--stamps", "none")
        self.files = sorted(p for p in (folder / "alerts").rglob("*")
                            if p.is_file() and p.name[0] != ".")
        rng.shuffle(self.files)
        self.messages = self.positions = len(self.files)
        self.dead = options.malformed
        self.expected = chaos.input_ids(folder)

    def message(self, n):
        return self.files[n].read_bytes()

    def lacking(self, counts):
        return [i for i in self.expected if i not in counts]

    def strange(self, counts):
        """Alerts in the sink that nobody has sent."""
        return set(counts) - set(self.expected)


class Native:
    """The same: every packet of the packs, copies of them, and halves of copies."""

    def __init__(self, mesh, options, rng):
        self.got = packets.Packets(mesh.build, PARTITIONS)
        self.schemas = self.got.schemas
        files = len(self.got.files)
        copies = max(0, int(options.rate * options.seconds) - files)
        self.plan = [(self.native, n) for n in range(files)] + \
            [(self.copy, n) for n in range(copies)] + \
            [(self.half, copies + n) for n in range(options.malformed)]
        rng.shuffle(self.plan)
        ledger, _, _ = self.got.expect(copies)
        self.messages = len(self.plan)
        self.positions = ledger["received"] + options.malformed
        self.dead = ledger["dead"] + options.malformed
        self.alerts = self.got.alerts(copies)
        self.ids = set(self.alerts.values())

    def message(self, n):
        make, number = self.plan[n]
        return make(number)

    def native(self, n):
        return pathlib.Path(self.got.files[n]).read_bytes()

    def copy(self, n):
        return self.got.source(n).copy(n)

    def half(self, n):
        data = self.copy(n)
        return data[:len(data) // 2]

    @staticmethod
    def name(line):
        #  Dummies of many objects have one id.
        return line["key"]

    def lacking(self, counts):
        told = {self.alerts[key] for key in counts if key in self.alerts}
        return ["/".join(id) for id in self.ids - told]

    def strange(self, counts):
        return {key for key in counts if key not in self.alerts}


def input_of(mesh, options, rng):
    if options.simulated:
        return Simulated(mesh, options, rng)
    if not (packets.PACKS / "unpack").exists():
        print("chaos: no data packs in ../shared/data: a simulated night instead", flush=True)
        return Simulated(mesh, options, rng)
    return Native(mesh, options, rng)


class Feeder(threading.Thread):
    """The input into the topic at its pace."""

    def __init__(self, kafka, load, rate):
        super().__init__(daemon=True)
        self.kafka, self.load, self.rate = kafka, load, rate
        self.failure = None

    def messages(self):
        begin = time.monotonic()
        for n in range(self.load.messages):
            ahead = n / self.rate - (time.monotonic() - begin)
            if ahead > 0:
                time.sleep(ahead)
            yield n % PARTITIONS, self.load.message(n)

    def run(self):
        try:
            self.kafka.feed(TOPIC, self.messages())
        except (OSError, RuntimeError) as error:
            self.failure = str(error)


def configure(mesh, kafka, load):
    options = options_for(mesh, [], catalog=mesh.folder / "training" / "catalog.csv")
    options["ingest"] = lambda n: {"brokers": kafka.address, "topics": [TOPIC], "group": GROUP,
                                   "member": f"ingest-{n}", "schemas": str(load.schemas or ""),
                                   # So little that it is in two lanes now and then.
                                   "backlog_from": 60,
                                   # And that segments of the packet store go meanwhile.
                                   "store_bytes": 300000000, "store_segment": 20000000}
    mesh.configure(options)


def run_faults(mesh, act, watch, feeder, options):
    end = time.monotonic() + options.seconds
    while time.monotonic() < end or feeder.is_alive():
        if time.monotonic() < end:
            act.step(mesh, watch)
        else:
            act.finish(mesh)
        watch.look()
        time.sleep(0.05)
    act.finish(mesh)


def wait_for_end(mesh, kafka, watch, load):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        ledger = mesh.ledger()
        watch.look()
        if ledger and ledger["total"]["received"] == load.positions and \
                not ledger["total"]["in_flight"] and kafka.at_end(GROUP, TOPIC):
            return True
        time.sleep(0.5)
    return False


def start(mesh, kafka, options, rng):
    """The whole of it runs; returns what is fed to it."""
    mesh.redis.start()
    if mesh.cluster:
        mesh.cluster.start()
    load = input_of(mesh, options, rng)
    publish_model(mesh, mesh.folder / "training", 7, alerts=3000)
    kafka.start()
    kafka.create(TOPIC, PARTITIONS)
    configure(mesh, kafka, load)
    mesh.start()
    mesh.wait_ready()
    return load


def run(options):
    folder = pathlib.Path(options.folder or ROOT / "build" / "chaos-kafka").resolve()
    shutil.rmtree(folder, ignore_errors=True)
    rng = random.Random(options.seed)
    kafka = real.Kafka(folder / "kafka", options.brokers)
    act = KafkaEdge(rng, options, kafka)
    mesh = Mesh(folder, replicas=act.replicas, cluster=act.cluster)
    try:
        load = start(mesh, kafka, options, rng)
        act.dead_expected = load.dead
        print(f"chaos: kafka, seed {options.seed}, {load.messages} messages, {options.brokers} broker(s), "
              f"{'a Redis Cluster' if act.cluster else 'one Redis'}", flush=True)
        watch, feeder = chaos.Watch(mesh), Feeder(kafka, load, options.rate)
        offsets = Offsets(kafka)
        feeder.start()
        offsets.start()
        run_faults(mesh, act, watch, feeder, options)
        act.failure = act.failure or feeder.failure
        if not wait_for_end(mesh, kafka, watch, load):
            act.failure = act.failure or f"not at the end {PATIENCE_S} s after the last fault"
        offsets.over.set()
        result = judge(mesh, watch, act, offsets, options, load)
        bad = [name for name, code in mesh.stop().items() if code != 0]
        if bad:
            act.failure = act.failure or f"did not drain: {', '.join(bad)}"
        return result, act
    finally:
        mesh.kill_all()
        kafka.kill()
        shutil.rmtree(kafka.folder, ignore_errors=True)


def judge(mesh, watch, act, offsets, options, load):
    counts, missing = chaos.wait_for_sink(watch, load.name, load.lacking)
    strange = load.strange(counts)
    if strange:
        act.failure = act.failure or f"nobody sent what the sink has: {sorted(strange)[:3]}"
    options.act = "kafka"
    result = chaos.judge(mesh, watch, act, options, counts, missing)
    result.update(moves=act.moves, brokers=options.brokers, messages=load.messages,
                  masters_killed=mesh.cluster.kills if mesh.cluster else 0,
                  offsets_still_s=round(offsets.still, 1), kafka_away_s=round(offsets.away, 1))
    #  Lost is what the source has and the ledger has not, too.
    result["lost"] += max(0, load.positions - result["received"])
    if act.seconds >= options.window and offsets.still > options.window:
        act.failure = act.failure or f"offsets stood still for {result['offsets_still_s']} s"
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
