"""What chaos does to a mesh: one class per act.

An act says how the mesh is built (replicas, inserted stages), breaks something
in `step` (called twenty times a second while faults are on), and puts
everything right in `finish`.
"""

import os
import pathlib
import shutil
import signal
import time

from mesh import sink_lines

TWO_OF_EACH = {"ingest": 2, "crossmatch": 2, "feature": 2, "classifier": 2,
               "active-learner": 2, "tom-notifier": 2}


class Act:
    """nothing is broken"""

    replicas = TWO_OF_EACH
    extra = ()
    link = None
    forgets = False  # the ledger cannot balance, as Redis lost it on purpose
    keys = False     # all links encrypted
    cluster = False  # histories, seen and the ledger are in a Redis Cluster
    unready = ()     # services that cannot be ready as long as faults are on
    hangs = None     # the stage that a poison hangs

    def __init__(self, rng, options):
        self.rng = rng
        self.seconds = options.seconds
        self.interval = options.interval
        self.environment = {}
        self.poisoned = set()
        self.kills = 0
        self.redelivered = 0.0
        self.dead_expected = 0
        self.gap = 0.0
        self.failure = None
        self.next = time.monotonic()
        self.begun = None

    def choose(self, ids):
        """Sees the input's ids before the mesh starts."""

    def options(self, options):
        return options

    def begin(self):
        self.begun = self.begun or time.monotonic()

    def due(self, interval=None):
        self.begin()
        now = time.monotonic()
        if now < self.next:
            return False
        self.next = now + (interval or self.interval)
        return True

    def elapsed(self):
        return time.monotonic() - (self.begun or time.monotonic())

    def step(self, mesh, watch):
        self.begin()

    def finish(self, mesh):
        """Everything that should run runs again. Called many times."""
        self.supervise(mesh)

    def supervise(self, mesh):
        """What runs services in production: one that has ended starts again."""
        for instance in mesh.instances.values():
            if not instance.alive() and instance.service != "ingest":
                instance.start()

    def kill(self, instance):
        """kill -9 and a new start; its counters are read before they go."""
        self.redelivered += instance.metric("weft_redelivered_total")
        instance.kill()
        instance.start()
        self.kills += 1

    def kill_any(self, mesh):
        if self.due():
            self.kill(self.rng.choice([i for i in mesh.instances.values() if i.alive()]))


class Kill(Act):
    """kill -9 of a random service every 0.7 s"""

    def step(self, mesh, watch):
        self.kill_any(mesh)


class Rotate(Act):
    """encrypted links: keys rotated and retired every 3 s while kill -9 goes on"""

    keys = True

    def __init__(self, rng, options):
        super().__init__(rng, options)
        self.turn = time.monotonic()
        self.retire = False

    def step(self, mesh, watch):
        self.kill_any(mesh)
        if time.monotonic() >= self.turn:
            self.change_keys(mesh)

    def change_keys(self, mesh):
        self.turn = time.monotonic() + 3
        mesh.weft("keys", "--retire" if self.retire else "--rotate", mesh.keys)
        mesh.hang_up()
        self.retire = not self.retire


class Stop(Act):
    """SIGSTOP for 10 s of a random stage, which is a worker and an upstream"""

    def __init__(self, rng, options):
        super().__init__(rng, options)
        self.stopped = None
        self.wake_at = 0

    def step(self, mesh, watch):
        self.begin()
        if self.stopped and time.monotonic() > self.wake_at:
            self.stopped.signal(signal.SIGCONT)
            self.stopped = None
            self.next = time.monotonic() + 3
        elif not self.stopped and time.monotonic() > self.next:
            services = ["crossmatch", "feature", "classifier", "active-learner"]
            self.stopped = self.rng.choice(mesh.of(self.rng.choice(services)))
            self.stopped.signal(signal.SIGSTOP)
            self.wake_at = time.monotonic() + 10
            self.kills += 1

    def finish(self, mesh):
        if self.stopped:
            self.stopped.signal(signal.SIGCONT)
            self.stopped = None
        super().finish(mesh)


class RedisKill(Act):
    """Redis killed with -9 every 8 s and back after 2 s, append-only file on"""

    def step(self, mesh, watch):
        if self.due(8):
            mesh.redis.kill()
            self.kills += 1
            time.sleep(2)
            mesh.redis.start()


class RedisEmpty(Act):
    """Redis killed once and restarted empty in the middle"""

    forgets = True

    def __init__(self, rng, options):
        super().__init__(rng, options)
        self.done = False

    def step(self, mesh, watch):
        self.begin()
        if self.done or self.elapsed() < self.seconds / 3:
            return
        mesh.redis.kill()
        for path in pathlib.Path(mesh.redis.folder).iterdir():
            if path.name.startswith("appendonly") or path.suffix == ".rdb":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        mesh.redis.start()
        self.kills += 1
        self.done = True


class BranchDown(Act):
    """all active-learners down for a third of the time: the mesh holds, then goes on"""

    def __init__(self, rng, options):
        super().__init__(rng, options)
        self.state = "before"

    def step(self, mesh, watch):
        self.begin()
        if self.state == "before" and self.elapsed() > self.seconds / 3:
            for instance in mesh.of("active-learner"):
                instance.kill()
                self.kills += 1
            self.state = "down"
        elif self.state == "down":
            watch.forgive()
            if self.elapsed() > self.seconds * 2 / 3:
                self.state = "after"
                for instance in mesh.of("active-learner"):
                    instance.start()


class InsertedStage(Act):
    """a stage of the tests' own between feature and classifier"""

    def __init__(self, rng, options):
        super().__init__(rng, options)
        build = pathlib.Path(os.environ.get("WEFT_BUILD") or
                             pathlib.Path(__file__).resolve().parents[2] / "build")
        self.replicas = {**TWO_OF_EACH, "pass": 2}
        self.extra = [("pass", "feature", build / "tests" / "test_pass_main", {})]
        self.ids = {}

    def options(self, options):
        options["pass"] = self.pass_options
        return options

    def step(self, mesh, watch):
        self.begin()
        self.supervise(mesh)

    def pass_options(self, n):
        return {key: ids for key, ids in self.ids.items() if ids}

    def poison(self, key, chosen):
        self.ids[key] = chosen
        self.poisoned.update(chosen)
        self.dead_expected += len(chosen)


class PoisonCrash(InsertedStage):
    """five alerts that crash a stage: they alone become dead letters"""

    def choose(self, ids):
        self.poison("crash", self.rng.sample(ids, 5))


class PoisonHang(InsertedStage):
    """two alerts that hang a stage: they alone become dead letters"""

    link = {"stall_ms": 3000}
    hangs = "pass"

    def choose(self, ids):
        self.poison("hang", self.rng.sample(ids, 2))


class FiftyRejects(InsertedStage):
    """fifty rejects in a row: dead letters, and the mesh goes on"""

    def choose(self, ids):
        start = self.rng.randrange(len(ids) // 2)
        self.poison("reject", ids[start:start + 50])


class PoisonAndKills(PoisonCrash):
    """poison alerts and kill -9 of everything at once"""

    def step(self, mesh, watch):
        self.supervise(mesh)
        self.kill_any(mesh)


class BadReplica(InsertedStage):
    """one replica that rejects everything, canary too, beside a good one"""

    unready = ("pass",)

    def pass_options(self, n):
        return {"broken": True} if n == 0 else {}


class AllReject(InsertedStage):
    """a stage that rejects everything: the link holds, nothing is dead-lettered"""

    unready = ("pass", "ingest")

    def __init__(self, rng, options):
        super().__init__(rng, options)
        self.broken = True

    def pass_options(self, n):
        return {"broken": True} if self.broken else {}

    def step(self, mesh, watch):
        self.begin()
        watch.forgive()

    def finish(self, mesh):
        if self.broken:
            self.broken = False
            total = (mesh.ledger() or {}).get("total", {})
            if total.get("settled"):
                self.failure = "alerts were settled behind a stage that rejects everything"
            for instance in mesh.of("pass"):
                instance.config.pop("options", None)
                instance.kill()
                instance.start()
        super().finish(mesh)


class UpstreamRestarts(Act):
    """an upstream restarted every second under a stuck branch: memory stays bounded"""

    def step(self, mesh, watch):
        for instance in mesh.of("active-learner"):
            instance.signal(signal.SIGSTOP)
        watch.forgive()
        if self.due(1):
            self.kill(self.rng.choice(mesh.of("classifier")))

    def finish(self, mesh):
        for instance in mesh.of("active-learner"):
            instance.signal(signal.SIGCONT)
        super().finish(mesh)


class Replay(FiftyRejects):
    """dead letters put back while kill -9 goes on: each is settled exactly once"""

    def __init__(self, rng, options):
        super().__init__(rng, options)
        self.healed = False

    def heal(self, mesh):
        self.healed = True
        for instance in mesh.of("pass"):
            instance.config.pop("options", None)
            instance.kill()
            instance.start()
        mesh.weft("dlq", "replay", "pass", "--all", check=False)

    def step(self, mesh, watch):
        super().step(mesh, watch)
        if self.elapsed() < self.seconds / 2:
            return
        if not self.healed:
            self.heal(mesh)
        self.kill_any(mesh)

    def finish(self, mesh):
        super().finish(mesh)
        if not self.healed:
            self.heal(mesh)
        if not self.poisoned or any(i.alive() for i in mesh.of("ingest")):
            return
        end = time.monotonic() + 30
        while self.left(mesh) != (b"0", b"0") and time.monotonic() < end:
            mesh.weft("dlq", "replay", "pass", "--all", check=False)
            super().finish(mesh)
            time.sleep(0.2)
        self.dead_expected -= len(self.poisoned)
        self.poisoned = set()

    @staticmethod
    def left(mesh):
        return tuple(mesh.redis.command("HLEN", key) for key in ("dlq:pass", "replay:pass"))


class ClusterMoves(Act):
    """a Redis Cluster whose slots move and whose masters die, while kill -9 goes on"""

    cluster = True

    def __init__(self, rng, options):
        super().__init__(rng, options)
        self.end = None

    def step(self, mesh, watch):
        if not self.end:
            self.end = mesh.cluster.disturb_in_background()
        self.kill_any(mesh)

    def finish(self, mesh):
        if self.end:
            self.end()
            self.end = None
            self.failure = mesh.cluster.failure
            print(f"chaos: {mesh.cluster.kills} masters replaced, {mesh.cluster.reshards} reshards",
                  flush=True)
            if not self.failure and not mesh.cluster.kills:
                self.failure = "no master was replaced: give it more seconds"
        super().finish(mesh)


class RedisAndIngest(Act):
    """Redis and every ingest killed with -9 at the same moment, every 4 s"""

    def step(self, mesh, watch):
        if not self.due(4):
            return
        for instance in mesh.of("ingest"):
            instance.kill()
        mesh.redis.kill()
        self.kills += 1
        time.sleep(self.rng.uniform(0, 1))
        mesh.redis.start()
        for instance in mesh.of("ingest"):
            instance.start()


class RedisHangs(Act):
    """Redis stopped for 5 s of every 10: nobody ends, and it goes on"""

    def step(self, mesh, watch):
        if not self.due(10):
            return
        mesh.redis.process.send_signal(signal.SIGSTOP)
        self.kills += 1
        time.sleep(5)
        mesh.redis.process.send_signal(signal.SIGCONT)
        ended = [i.name for i in mesh.instances.values()
                 if not i.alive() and i.service != "ingest"]
        if ended:
            self.failure = f"ended with a Redis that hangs: {', '.join(ended)}"


class RedisFull(Act):
    """Redis at its memory limit for a third of the time: the mesh holds, then goes on"""

    def __init__(self, rng, options):
        super().__init__(rng, options)
        self.state = "before"

    def step(self, mesh, watch):
        self.begin()
        if self.state == "before" and self.elapsed() > self.seconds / 3:
            self.state = "full"
            mesh.redis.command("CONFIG", "SET", "maxmemory", "1mb")
            self.kills += 1
        elif self.state == "full":
            watch.forgive()
            if self.elapsed() > self.seconds * 2 / 3:
                self.room(mesh)

    def room(self, mesh):
        self.state = "after"
        mesh.redis.command("CONFIG", "SET", "maxmemory", "0")

    def finish(self, mesh):
        if self.state == "full":
            self.room(mesh)
        super().finish(mesh)


class Storm(Act):
    """several at once: kills, half drains, stops, Redis too, or the whole mesh"""

    def step(self, mesh, watch):
        self.supervise(mesh)
        if not self.due():
            return
        alive = [i for i in mesh.instances.values() if i.alive()]
        some = self.rng.sample(alive, min(3, len(alive)))
        self.rng.choice([self.few, self.with_redis, self.half_drain, self.pause,
                         self.all_of_them])(mesh, some)
        self.kills += 1

    def few(self, mesh, some):
        for instance in some:
            instance.kill()
        for instance in some:
            instance.start()

    def all_of_them(self, mesh, some):
        self.few(mesh, list(mesh.instances.values()))

    def with_redis(self, mesh, some):
        mesh.redis.kill()
        self.few(mesh, some)
        time.sleep(self.rng.uniform(0, 1))
        mesh.redis.start()

    def half_drain(self, mesh, some):
        for instance in some:
            instance.signal(signal.SIGTERM)
        time.sleep(self.rng.uniform(0, 0.2))
        self.few(mesh, some)

    def pause(self, mesh, some):
        for instance in some:
            instance.signal(signal.SIGSTOP)
        time.sleep(self.rng.uniform(0.5, 4))
        for instance in some:
            instance.signal(signal.SIGCONT)


class Swap(Act):
    """the classifier replaced by its Python twin and back, one instance at a time, under kill -9"""

    TWIN = pathlib.Path(__file__).resolve().parents[2] / "proto" / "python" / "examples" / "classifier.py"

    def __init__(self, rng, options):
        super().__init__(rng, options)
        self.done = 0
        self.original = {}
        self.scored = None

    def step(self, mesh, watch):
        self.supervise(mesh)
        self.kill_any(mesh)
        swaps = [(0.2, 0, True), (0.35, 1, True), (0.65, 0, False), (0.8, 1, False)]
        if self.done < len(swaps) and self.elapsed() > swaps[self.done][0] * self.seconds:
            _, number, twin = swaps[self.done]
            self.swap(mesh, mesh.of("classifier")[number], twin)
            self.done += 1

    def swap(self, mesh, instance, twin):
        """Another program with the same upstreams, outputs and place."""
        if not twin and self.scored is None:
            self.scored = sum(1 for line in sink_lines(mesh.folder / "sinks" / "all.jsonl")
                              if any(s["model"] == "baseline" for s in line.get("scores") or []))
            if not self.scored:
                self.failure = "no alert carries a score of the Python classifier"
        instance.signal(signal.SIGTERM)
        if instance.wait(20) is None:
            self.failure = f"{instance.name} did not drain"
            instance.kill()
        if twin:
            self.original[instance.name] = (instance.program, instance.config)
            instance.program = self.TWIN
            instance.config = {**instance.config, "options": {"model": "baseline"}}
        else:
            instance.program, instance.config = self.original.pop(instance.name)
        instance.start()

    def finish(self, mesh):
        for instance in mesh.of("classifier"):
            if instance.name in self.original:
                self.swap(mesh, instance, False)
        if self.done < 4 and not self.failure:
            self.failure = "the intake ended before the classifiers were swapped back"
        super().finish(mesh)


ACTS = {
    "kill": Kill, "stop": Stop, "redis-kill": RedisKill, "redis-empty": RedisEmpty,
    "branch-down": BranchDown, "poison-crash": PoisonCrash, "poison-hang": PoisonHang,
    "fifty-rejects": FiftyRejects, "poison-and-kills": PoisonAndKills,
    "bad-replica": BadReplica, "all-reject": AllReject,
    "upstream-restarts": UpstreamRestarts, "replay": Replay,
    "redis-and-ingest": RedisAndIngest, "redis-hangs": RedisHangs,
    "redis-full": RedisFull, "cluster": ClusterMoves, "storm": Storm, "rotate": Rotate,
    "swap": Swap, "none": Act,
}


def find(name):
    if name not in ACTS:
        raise SystemExit(f"chaos: there is no act '{name}'; --act list names them")
    return ACTS[name]


def listing():
    return "\n".join(f"{name:18s} {act.__doc__}" for name, act in ACTS.items())
