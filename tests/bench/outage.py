"""After an outage: a backlog in a real Kafka, and new alerts at survey pace beside
it. How long a new one takes from Kafka to the sink's file while the backlog
drains; the whole mesh, one replica of each service. Needs Java and Maven.
"""

import bisect
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tarfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("WEFT_BUILD") or ROOT / "build").resolve()
sys.path.insert(0, str(ROOT / "tests" / "kafka"))
import kafka as real  # noqa: E402
import avro_ids  # noqa: E402
import packets  # noqa: E402
from mesh import Mesh  # noqa: E402
from night import DEMO_FILTERS, options_for, publish_model, quantile  # noqa: E402

BACKLOG = max(400, int(os.environ.get("WEFT_BENCH_BACKLOG", "300000")))
BEFORE = 2000    # alerts before the outage: the group has committed offsets
RATE = 256       # new alerts a second
LIVE_MOST = 900  # seconds of them
LIVE_LEAST = 60
PARTITIONS = 4
TOPIC = GROUP = "outage"
TARGET_MS = 2000


def season(mesh, folder):
    """A simulated season's packets, one by one."""
    archive = folder / "season.tar"
    mesh.weft("sim", "--seed", 31, "--alerts", BEFORE + BACKLOG + LIVE_MOST * RATE, "--duplicates", 0,
              "--reissued", 0, "--tar", archive, "--out", folder / "season", "--quiet")
    with tarfile.open(archive, "r|") as tar:
        for entry in tar:
            if entry.isfile():
                yield tar.extractfile(entry).read()
            tar.members = []


def alert_id(packet):
    """A simulated packet's: the fourth value of its only datum."""
    at = packet.index(packet[-16:]) + 16
    for _ in range(2):
        _, at = avro_ids.long_at(packet, at)
    for _ in range(3):
        size, at = avro_ids.long_at(packet, at)
        at += size
    return avro_ids.long_at(packet, at)[0]


class Live(threading.Thread):
    """New alerts at an even pace; when each was given to Kafka."""

    def __init__(self, cluster, stream):
        super().__init__(daemon=True)
        self.cluster, self.stream, self.at = cluster, stream, {}
        self.ending, self.failure = threading.Event(), ""

    def run(self):
        command = [str(BUILD / "tests" / "kafka_tool_main"), "feed", self.cluster.address, TOPIC]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as feed:
            begin = time.time()
            for n, data in enumerate(self.stream):
                if self.ending.wait(max(0.0, begin + n / RATE - time.time())):
                    break
                self.at[alert_id(data)] = time.time()
                feed.stdin.write(struct.pack("<II", n % PARTITIONS, len(data)) + data)
                feed.stdin.flush()
            feed.stdin.close()
            said = feed.stdout.read().decode().strip()
        if said != str(len(self.at)):
            self.failure = f"{len(self.at)} new alerts were made, Kafka has {said or 'none'}"

    def stop(self):
        self.ending.set()
        self.join()
        if self.failure:
            raise SystemExit(f"bench outage: {self.failure}")


class Sizes(threading.Thread):
    """How long a file was, and when: so each of its lines has a time."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.sizes, self.times = path, [0], [0.0]
        self.ending = threading.Event()

    def run(self):
        while not self.ending.wait(0.01):
            size = self.path.stat().st_size if self.path.exists() else 0
            if size > self.sizes[-1]:
                self.sizes.append(size)
                self.times.append(time.time())

    def lines(self):
        """(alert id, when) of each row of the filter that lets every alert pass."""
        end = 0
        with open(self.path, "rb") as f:
            for line in f:
                end += len(line)
                key = line[8:line.index(b'"', 8)].split(b"/")
                if key[0] == b"ztf" and key[2] == b"everything":
                    at = bisect.bisect_left(self.sizes, end)
                    yield int(key[3]), self.times[min(at, len(self.times) - 1)]


def wait_for(done, seconds, what):
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise SystemExit(f"bench outage: not in {seconds} s: {what}")
        time.sleep(0.2)


def settled(mesh, count):
    total = (mesh.ledger() or {"total": {}})["total"]
    return total.get("settled") == count and not total["in_flight"] and total["balanced"]


def before_the_outage(mesh, cluster, stream, ingest):
    """The group reads some and commits; then ingest ends, and the backlog grows."""
    cluster.create(TOPIC, PARTITIONS)
    cluster.feed(TOPIC, ((n % PARTITIONS, next(stream)) for n in range(BEFORE)))
    for service in ("crossmatch", "feature", "classifier", "active-learner", "tom-notifier"):
        mesh.of(service)[0].start()
    ingest.start()
    wait_for(lambda: settled(mesh, BEFORE), 120, "what came before the outage is settled")
    wait_for(lambda: cluster.at_end(GROUP, TOPIC), 30, "and committed")
    ingest.signal(15)
    ingest.wait(60)
    cluster.feed(TOPIC, ((n % PARTITIONS, next(stream)) for n in range(BACKLOG)))


def drain(ingest, live):
    """Until the backlog is settled: (seconds, what was left of it each 10 s)."""
    begin, left = time.time(), []
    said = False
    while time.time() < begin + LIVE_MOST:
        now = int(ingest.metric("weft_kafka_backlog"))
        said = said or now > 0
        if time.time() - begin >= 10 * len(left):
            left.append(now)
            print(f"  {time.time() - begin:4.0f} s: {now} of the backlog are left", flush=True)
        if said and not now and live.is_alive():
            return time.time() - begin, left
        if not ingest.alive():
            raise SystemExit(f"bench outage: ingest has ended; see {ingest.log}")
        time.sleep(0.5)
    raise SystemExit(f"bench outage: the backlog is not drained in {LIVE_MOST} s")


def rows_of(row, live, told, begin, seconds, backlog):
    """Latencies by minutes of the drain, and the counts."""
    minutes = {}
    for key, at in live.at.items():
        if at < begin + max(seconds, LIVE_LEAST):
            minutes.setdefault(int((at - begin) / 60), []).append(1000 * (told[key] - at))
    rows = [row("outage: backlog drained", backlog / seconds, "alerts/s"),
            row("outage: time to drain", seconds, "s")]
    for minute, late in sorted(minutes.items()):
        late.sort()
        name = f"outage: new alerts, minute {minute + 1}"
        rows += [row(f"{name}, p50", quantile(late, 0.5), "ms"),
                 row(f"{name}, p99", quantile(late, 0.99), "ms", "target", TARGET_MS),
                 row(f"{name}, most", late[-1], "ms")]
    return rows


def count(live, told, twice, total):
    """Both are counted: each settled, each once in the sink."""
    want = BEFORE + BACKLOG + len(live.at)
    missing = sum(key not in told for key in live.at)
    if (total["settled"], len(told), twice, missing, total["balanced"]) != (want, want, 0, 0, True):
        raise SystemExit(f"bench outage: {want} alerts, the ledger has {total}, the sink {len(told)}; "
                         f"{twice} twice, {missing} new ones missing")


def measure(mesh, cluster, folder, row):
    stream = season(mesh, folder)
    publish_model(mesh, folder / "training", 7, alerts=3000)
    options = options_for(mesh, [], filters=DEMO_FILTERS)
    options["ingest"] = {"brokers": cluster.address, "topics": [TOPIC], "group": GROUP,
                         "member": "bench", "store": "off",
                         # A partition has a backlog lane however small the backlog is made.
                         "backlog_from": min(10000, BACKLOG // PARTITIONS // 2)}
    mesh.configure(options)
    ingest = mesh.of("ingest")[0]
    before_the_outage(mesh, cluster, stream, ingest)
    sizes = Sizes(mesh.folder / "sinks" / "all.jsonl")
    live = Live(cluster, stream)
    sizes.start()
    begin = time.time()
    ingest.start()
    live.start()
    seconds, _ = drain(ingest, live)
    wait_for(lambda: time.time() > begin + LIVE_LEAST, LIVE_LEAST, "a minute")
    live.stop()
    wait_for(lambda: settled(mesh, BEFORE + BACKLOG + len(live.at)), 120, "all is settled")
    wait_for(lambda: cluster.at_end(GROUP, TOPIC), 30, "offsets are at the end")
    sizes.ending.set()
    sizes.join()
    told, twice = {}, 0
    for key, at in sizes.lines():
        twice += key in told
        told[key] = at
    count(live, told, twice, mesh.last_ledger()["total"])
    rows = rows_of(row, live, told, begin, seconds, BACKLOG)
    return rows + [row("outage: backlog settled", BACKLOG, ""),
                   row("outage: new alerts settled", len(live.at), "")]


def bench_outage(folder):
    def row(name, value, unit, peer="", peer_value=None):
        return {"name": name, "value": round(value, 1), "unit": unit, "peer": peer,
                "peer_value": peer_value, "ratio": round(value / peer_value, 3) if peer_value else None}
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        cluster = real.Kafka(folder / "kafka")
    except real.Missing as why:
        packets.skip(str(why))
    mesh = Mesh(folder / "mesh")
    try:
        cluster.start()
        mesh.redis.start()
        return measure(mesh, cluster, folder, row)
    finally:
        mesh.kill_all()
        cluster.kill()
        if not os.environ.get("WEFT_BENCH_KEEP"):
            shutil.rmtree(folder, ignore_errors=True)
