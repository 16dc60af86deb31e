#!/usr/bin/env python3
"""Kills and pauses of real processes: nothing is lost, everything arrives once.

WEFT_SECONDS says how long the kills go on (8), WEFT_SEED which ones.
"""

import os
import random
import time

import mesh
from mesh import Mesh, check, free_port, ids, wait_for

SECONDS = float(os.environ.get("WEFT_SECONDS", "8"))
SEED = int(os.environ.get("WEFT_SEED", "0")) or random.randrange(1 << 31)


class Progress:
    """The longest time in which the sink got nothing new."""

    def __init__(self, path):
        self.path, self.size, self.gap = path, 0, 0.0
        self.at = time.monotonic()

    def look(self):
        size = os.path.getsize(self.path) if os.path.exists(self.path) else 0
        now = time.monotonic()
        self.gap = max(self.gap, now - self.at)
        if size > self.size:
            self.size, self.at = size, now


def two_by_two(m, size=10000, rate=0, stall=3000):
    """source -> 2 pass -> 2 more -> sink; the source never ends by itself."""
    p = [free_port() for _ in range(5)]
    link = {"stall_ms": stall}
    m.source(p[0], ["alpha"], alerts=50000000, size=size, rate=rate, end=False)
    for i in range(2):
        m.stage("alpha%d" % i, [p[0]], p[1 + i], ["beta"], stage="alpha",
                link=link)
    for i in range(2):
        m.stage("beta%d" % i, p[1:3], p[3 + i], ["sink"], stage="beta",
                link=link)
    m.sink(p[3:5], link=link, most=50000000)


def kill_at_random(rate):
    with Mesh("kill -9 of any, rate %d" % rate) as m:
        rng = random.Random(SEED)
        two_by_two(m, rate=rate)
        m.start()
        progress = Progress(m.path("sink.ids"))
        end, kills, memory = time.monotonic() + SECONDS, 0, 0.0
        while time.monotonic() < end:
            time.sleep(0.7)
            rng.choice(list(m.processes.values())).restart()
            kills += 1
            progress.look()
            memory = max(memory, max(p.memory_mb()
                                     for p in m.processes.values()))
        n = m.finish()
        print("     %d kills, %d alerts, longest gap %.1f s, most memory "
              "%.0f MB, seed %d" % (kills, n, progress.gap, memory, SEED))
        check(progress.gap < 15, "no progress for %.1f s" % progress.gap)


def kill_unpaced():
    kill_at_random(0)


def kill_paced():
    kill_at_random(500)


def pause_everyone_in_turn():
    with Mesh("SIGSTOP of each for 3 s") as m:
        two_by_two(m, rate=3000)
        m.start()
        progress = Progress(m.path("sink.ids"))
        for name in ["alpha0", "beta1", "source", "sink"]:
            time.sleep(1)
            m.processes[name].pause()
            time.sleep(3)
            m.processes[name].resume()
        time.sleep(1)
        m.finish()


def worker_paused_is_replaced():
    with Mesh("a paused worker is replaced") as m:
        two_by_two(m, rate=2000)
        m.start()
        path = m.path("sink.ids")
        wait_for(lambda: len(ids(path)) > 1000, 20, "flow")
        m.processes["alpha0"].pause()
        m.processes["beta0"].pause()
        time.sleep(4)
        before = len(ids(path))
        wait_for(lambda: len(ids(path)) > before + 1000, 10,
                 "flow by the others")
        m.finish()


def upstream_restarts_under_a_stuck_sink():
    with Mesh("upstream restarts, sink stuck") as m:
        two_by_two(m, size=10000)
        open(m.path("sink.down"), "w").close()
        m.start()
        worst = 0.0
        for _ in range(6):
            time.sleep(1)
            m.processes["source"].restart()
            m.processes["alpha0"].restart()
            worst = max(worst, max(p.memory_mb()
                                   for p in m.processes.values()))
        sanitized = "san" in os.path.basename(mesh.BUILD)
        check(worst < 200 or sanitized, "memory %.0f MB" % worst)
        os.unlink(m.path("sink.down"))
        wait_for(lambda: len(ids(m.path("sink.ids"))) > 1000, 20, "recovers")
        m.finish()


if __name__ == "__main__":
    mesh.main([kill_unpaced, kill_paced, pause_everyone_in_turn,
               worker_paused_is_replaced,
               upstream_restarts_under_a_stuck_sink])
