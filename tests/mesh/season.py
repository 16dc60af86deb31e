"""The learning loop's side of a simulated season: a small biased set to begin
with, the frozen test set, and an oracle that answers queries by the truth."""

import csv
import json
import math
import threading
import time

OBJECTS_PER_CLASS = 5
BRIGHTER_THAN = 18.5  # AB mag


class Season:
    """A simulated season with its truth and its examples."""

    def __init__(self, mesh, folder, seed, alerts):
        self.folder = folder
        mesh.weft("sim", "--seed", seed, "--alerts", alerts, "--stamps", "none", "--out", folder,
                  "--quiet")
        mesh.weft("train", "--input", folder / "alerts", "--truth", folder / "truth.csv",
                  "--examples", folder / "examples")
        self.inputs = [str(folder / "alerts")]
        self.test = folder / "examples" / "test.csv"
        self.base = folder / "biased.csv"
        self.classes = {}
        self.magnitudes = {}
        with open(folder / "truth.csv", newline="") as f:
            for row in csv.DictReader(f):
                flux = abs(float(row["flux_njy"]))
                self.classes["ztf:" + row["object_id"]] = row["class"]
                self.magnitudes[row["alert_id"]] = 31.4 - 2.5 * math.log10(flux) if flux else 99
        self.choose()

    def choose(self):
        """Bright alerts of the first few objects of each class: what a survey of
        bright objects would have, and not what the season is made of."""
        chosen = {}
        with open(self.folder / "examples" / "base.csv") as f, open(self.base, "w") as out:
            out.write(f.readline())
            for line in f:
                name, alert, kind = line.split(",", 3)[:3]
                objects = chosen.setdefault(kind, set())
                if self.magnitudes[alert] > BRIGHTER_THAN:
                    continue
                if name not in objects and len(objects) == OBJECTS_PER_CLASS:
                    continue
                objects.add(name)
                out.write(line)
        self.base_objects = sum(len(o) for o in chosen.values())


class Oracle(threading.Thread):
    """Answers each query by the truth with `weft label`, after a delay."""

    def __init__(self, mesh, season, delay=1.0):
        super().__init__(daemon=True)
        self.mesh, self.season, self.delay = mesh, season, delay
        self.seen = {}      # object -> when its query was seen
        self.answered = {}  # object -> when weft label had ended
        self.ending = threading.Event()

    def queries(self):
        found = self.mesh.redis.command("HKEYS", "query:{q}:open")
        return [o.decode() for o in found or []]

    def answer(self, name):
        done = self.mesh.weft("label", name, self.season.classes[name], "--source", "oracle",
                              check=False)
        if done.returncode == 0:  # else Redis is away: again in the next round
            self.answered[name] = time.time()

    def run(self):
        while not self.ending.wait(0.1):
            now = time.time()
            for name in self.queries():
                self.seen.setdefault(name, now)
            for name, when in list(self.seen.items()):
                if name not in self.answered and now >= when + self.delay:
                    self.answer(name)

    def stop(self):
        self.ending.set()
        self.join()


def rows_of(mesh):
    """All label rows."""
    text = mesh.weft("label", "--ls", "--json").stdout
    return [json.loads(line) for line in text.splitlines()]


def trained(mesh):
    """Label set -> the version it became, or why it was declined."""
    flat = mesh.redis.command("HGETALL", "model:demo:trained") or []
    pairs = dict(zip(flat[0::2], flat[1::2]))
    return {int(k): v.decode() for k, v in pairs.items() if k != b"last"}


def asked(mesh):
    """How many queries there are, over all nights."""
    nights = mesh.redis.command("ZRANGE", "query:{q}:nights", 0, -1) or []
    return sum(int(mesh.redis.command("HLEN", b"query:{q}:%s".decode() % n.decode()))
               for n in nights)


def faults(mesh, oracle):
    """What was lost or doubled of labels, queries and versions; ideally empty."""
    found = []
    rows = rows_of(mesh)
    objects = [f"{r['survey']}:{r['object_id']}" for r in rows]
    numbers = [r["number"] for r in rows]
    for name in oracle.answered:
        if objects.count(name) != 1:
            found.append(f"label of {name}: {objects.count(name)} rows")
    if numbers != list(range(1, len(rows) + 1)):
        found.append(f"label numbers have holes: {len(rows)} rows up to {max(numbers)}")
    open_now = set(oracle.queries())
    if asked(mesh) != len(open_now):
        found.append(f"{asked(mesh)} queries for {len(open_now)} objects")
    if set(oracle.seen) - open_now:
        found.append(f"{len(set(oracle.seen) - open_now)} queries are gone")
    for row in rows:
        if not row["requested_by"].startswith("active-learner:"):
            found.append(f"label of {row['object_id']} answers no query")
    return found + version_faults(mesh)


def version_faults(mesh):
    found = []
    versions = json.loads(mesh.weft("model", "ls", "demo", "--json").stdout)
    names = [v["version"] for v in versions]
    numbers = sorted(v["number"] for v in versions)
    sets = {k: v for k, v in trained(mesh).items() if not v.startswith("declined")}
    if numbers != list(range(1, len(versions) + 1)) or len(set(names)) != len(names):
        found.append(f"version numbers {numbers}")
    if sorted(sets.values()) != sorted(names):
        found.append(f"{len(sets)} label sets became {len(names)} versions")
    return found
