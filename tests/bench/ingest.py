"""ingest alone from a real Kafka, histories in Redis: what an alert costs.

Copies of native ZTF packets, each with an alert id of its own, of objects whose
curves in Redis have so many points already. A sink that only counts settles
them. Needs the data packs, Java and Maven.
"""

import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("WEFT_BUILD") or ROOT / "build").resolve()
os.environ["WEFT_BUILD"] = str(BUILD)
sys.path.insert(0, str(ROOT / "tests" / "kafka"))
import kafka as real  # noqa: E402
import packets  # noqa: E402
from link import stages  # noqa: E402

ALERTS = int(os.environ.get("WEFT_BENCH_ALERTS", "30000"))
OBJECTS = 2000  # with a history: each comes again and again
TARGET = 6000   # alerts/s at 100 points
PREFETCH = 500  # MB

# Points of a curve at these parts of all objects that come again.
MIX = [(0.0, 1), (0.5, 4), (0.9, 435), (0.95, 753), (1.0, 1500)]


def quantile(p):
    for (p0, n0), (p1, n1) in zip(MIX, MIX[1:]):
        if p <= p1:
            return round(n0 + (n1 - n0) * (p - p0) / (p1 - p0))
    return MIX[-1][1]


class Load:
    """Which object the n-th alert is of, and what is known of it before."""

    def __init__(self, points):
        self.points = points
        self.rng = random.Random(4)
        self.next_new = 10 * OBJECTS

    def points_of(self, n):
        return self.points if self.points else quantile((n + 0.5) / OBJECTS)

    def object(self, n):
        """Of the mix, 30 % are of an object that is known."""
        if self.points or self.rng.random() < 0.3:
            return n % OBJECTS
        self.next_new += 1
        return self.next_new


def fill_redis(m, got, load):
    lines = []
    for n in range(OBJECTS):
        source = got.sources["ztf"][n % len(got.sources["ztf"])]
        #  The survey's nights are counted from MJD 57754.
        lines.append(f"{source.object(n)} {load.points_of(n)} {57754 + source.row['night'] - 60}\n")
    subprocess.run([BUILD / "tests" / "history_main", m.redis.address, "ztf"], text=True,
                   input="".join(lines), stdout=subprocess.DEVNULL, check=True)


def copies(got, load):
    """An object's alerts are copies of one packet, so its id has one kind."""
    for n in range(ALERTS):
        number = load.object(n)
        source = got.sources["ztf"][number % len(got.sources["ztf"])]
        yield n % 4, source.copy(n, number)


def cpu_of(process):
    """Seconds, of the children that have ended, too: Redis rewrites its file in one."""
    text = pathlib.Path(f"/proc/{process.popen.pid}/stat").read_text()
    return sum(map(int, text.rsplit(")", 1)[1].split()[11:15])) / os.sysconf("SC_CLK_TCK")


def add_ingest(s, m, topic, cluster, most, **options):
    """ingest from this topic, and a sink that only counts."""
    port = s.free_port()
    source = m.add("ingest", str(BUILD / "bin" / "weft-ingest"), {
        "service": {"data_dir": m.folder},
        "link": {"bind": f"127.0.0.1:{port}", "outputs": ["sink"]},
        "http": {"address": f"127.0.0.1:{s.free_port()}"},
        "options": {"brokers": cluster.address, "member": "bench", "store": "off",
                    "topics": [topic], "group": topic, **options}})
    m.sink([port], base=packets.BASE, most=most)
    return source


def read_all(s, m, topic, cluster):
    """From the first outcome to the last: alerts/s, us of CPU of both, MB at most."""
    # A second of 66 kB packets: librdkafka before 2.2 pauses so long.
    source = add_ingest(s, m, topic, cluster, ALERTS, prefetch_mb=PREFETCH)
    memory = 0

    def total():
        nonlocal memory
        memory = max(memory, source.memory_mb())
        out = subprocess.run([BUILD / "bin" / "weft", "ledger", "--json", "--redis", m.redis.address],
                             stdout=subprocess.PIPE, check=False).stdout
        return json.loads(out)["total"] if out else {"received": 0, "in_flight": 0}
    m.start()
    s.wait_for(lambda: total()["received"] > 1000, 60, "it reads")
    begin, first = time.monotonic(), total()["received"]
    cpu, redis = cpu_of(source), cpu_of(m.redis)
    s.wait_for(lambda: total()["received"] >= ALERTS and not total()["in_flight"], 300, "all is settled")
    seconds = time.monotonic() - begin
    done = ALERTS - first
    cpu, redis = cpu_of(source) - cpu, cpu_of(m.redis) - redis
    m.drain()
    return done / seconds, cpu / done * 1e6, redis / done * 1e6, memory


def row(name, value, unit, peer="", peer_value=None):
    return {"name": name, "value": round(value, 1), "unit": unit, "peer": peer,
            "peer_value": peer_value, "ratio": round(value / peer_value, 3) if peer_value else None}


def bench_ingest(folder):
    shutil.rmtree(folder, ignore_errors=True)
    try:
        cluster = real.Kafka(folder)
    except real.Missing as why:
        packets.skip(str(why))
    rows, got, s = [], packets.Packets(BUILD), stages()
    try:
        cluster.start()
        for points in (10, 100, 1000, 0):
            name = f"{points} points" if points else "the real mix"
            topic = f"bench-{points or 'mix'}"
            load = Load(points)
            cluster.create(topic)
            cluster.feed(topic, copies(got, load))
            with s.Mesh(f"ingest, {name}", redis=True) as m:
                fill_redis(m, got, load)
                rate, cpu, redis, memory = read_all(s, m, topic, cluster)
            rows += [row(f"ingest from Kafka, {name}", rate, "alerts/s",
                         *(("target", TARGET) if points == 100 else ())),
                     row(f"ingest from Kafka, {name}, CPU", cpu, "us/alert"),
                     row(f"ingest from Kafka, {name}, CPU of Redis", redis, "us/alert"),
                     row(f"ingest from Kafka, {name}, memory", memory, "MB")]
    finally:
        cluster.kill()
        shutil.rmtree(folder, ignore_errors=True)
    return rows
