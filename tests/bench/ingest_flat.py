"""ingest alone over many alerts: is the last as cheap as the first?

Copies of simulated packets without stamps (11 kB, so that a million fit onto a
disk), all of one night, which is the worst for `seen`: its buckets grow with it.
Their objects have histories of 128 points, where `history_rows` keeps them, and
come again in any order. Rates of windows tell what else the machine does; CPU
per alert tells what ingest and Redis do.
"""

import pathlib
import random
import shutil
import subprocess
import time

import ingest
import kafka as real
import packets
from link import stages

OBJECTS, KEPT = 10000, 128
WINDOWS = 10
NIGHT = ["--alerts", "100000", "--last-night", "--stamps", "none", "--duplicates", "0", "--reissued", "0"]


def simulate(folder):
    """One night's packets, as permuters."""
    weft = str(ingest.BUILD / "bin" / "weft")
    subprocess.run([weft, "sim", "--out", folder, *NIGHT, "--quiet"], check=True)
    found = packets.look(weft, None, [folder / "alerts"])
    made = [packets.Ztf(pathlib.Path(path).read_bytes(), rows[0]) for path, rows in found.items()]
    return [source for source in made if source.good]


def copies(sources, alerts):
    rng = random.Random(5)
    for n in range(alerts):
        number = rng.randrange(OBJECTS)
        yield n % 4, sources[number % len(sources)].copy(n, number)


def fill_redis(m, sources):
    lines = []
    for n in range(OBJECTS):
        source = sources[n % len(sources)]
        #  The survey's nights are counted from MJD 57754.
        lines.append(f"{source.object(n)} {KEPT} {57754 + source.row['night'] - 60}\n")
    subprocess.run([ingest.BUILD / "tests" / "history_main", m.redis.address, "ztf"], text=True,
                   input="".join(lines), stdout=subprocess.DEVNULL, check=True)


def redis_mb(m):
    for line in m.redis.command("INFO", "memory").splitlines():
        if line.startswith("used_memory:"):
            return int(line.split(":")[1]) / 1e6
    return 0.0


def look(m, source):
    """How far it is, when, CPU of both, MB of both."""
    return [source.metric("weft_ingest_read_total"), time.monotonic(), ingest.cpu_of(source),
            ingest.cpu_of(m.redis), source.memory_mb(), redis_mb(m)]


def window(start, end):
    n = end[0] - start[0]
    return {"to": int(end[0]), "rate": n / (end[1] - start[1]), "cpu": (end[2] - start[2]) / n * 1e6,
            "redis": (end[3] - start[3]) / n * 1e6, "memory": end[4], "memory of Redis": end[5]}


def read_windows(s, m, source, alerts):
    m.start()
    s.wait_for(lambda: source.metric("weft_ingest_read_total") >= OBJECTS, 300, "it reads")
    found, start = [], look(m, source)
    for i in range(1, WINDOWS + 1):
        end_at = OBJECTS + (alerts - OBJECTS) * i // WINDOWS
        s.wait_for(lambda: source.metric("weft_ingest_read_total") >= end_at, 3600, f"{end_at} are read")
        end = look(m, source)
        found.append(window(start, end))
        print("  to {to:8d}: {rate:7.0f} alerts/s  CPU {cpu:6.1f} us/alert, of Redis {redis:6.1f}  "
              "memory {memory:5.0f} MB, of Redis {memory of Redis:6.0f}".format(**found[-1]), flush=True)
        start = end
    m.drain()
    return found


def rows_of(found):
    row, rows = ingest.row, []
    for key, unit in (("rate", "alerts/s"), ("cpu", "us/alert"), ("redis", "us/alert"), ("memory", "MB"),
                      ("memory of Redis", "MB")):
        first, last = found[0][key], found[-1][key]
        rows += [row(f"ingest, last window of {found[-1]['to']}, {key}", last, unit, "first window", round(first, 1))]
    for key in ("rate", "cpu", "redis"):
        values = [w[key] for w in found]
        mean = sum(values) / len(values)
        rows.append(row(f"ingest, {key}, widest from the mean", max(abs(v / mean - 1) for v in values) * 100, "%"))
    return rows


def bench_flat(folder, alerts):
    """`./run bench ingest --alerts N`."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        cluster = real.Kafka(folder)
    except real.Missing as why:
        packets.skip(str(why))
    s = stages()
    try:
        cluster.start()
        sources = simulate(folder / "night")
        cluster.create("flat")
        cluster.feed("flat", copies(sources, alerts))
        with s.Mesh(f"ingest, {alerts} alerts", redis=True) as m:
            fill_redis(m, sources)
            source = ingest.add_ingest(s, m, "flat", cluster, alerts, history_rows=KEPT, backlog_from=0)
            return rows_of(read_windows(s, m, source, alerts))
    finally:
        cluster.kill()
        shutil.rmtree(folder, ignore_errors=True)
