#!/usr/bin/env python3
"""A host whose clock is 40 s off: it says so, ages are left out, nothing is lost.

tests/stages/clock_preload.c moves the wall clock of one process.
"""

import json
import os
import subprocess

import mesh
from mesh import BUILD, Mesh, check, free_port, wait_for

WEFT = os.path.join(BUILD, "bin", "weft")
N = 300


def turn(m, seconds):
    """So far is the clock of who looks at it with `moved`."""
    with open(m.path("clock.new"), "w") as f:
        f.write("%d\n" % seconds)
    os.rename(m.path("clock.new"), m.path("clock"))


def moved(m):
    """The environment of a process whose clock can be turned."""
    return {"LD_PRELOAD": os.path.abspath(os.path.join(mesh.STAGES, "libclock_preload.so")),
            "WEFT_TEST_CLOCK": m.path("clock"), "ASAN_OPTIONS": "verify_asan_link_order=0"}


def ingest(m, port, **options):
    folder = m.path("sim")
    subprocess.run([WEFT, "sim", "--seed", "3", "--alerts", str(N), "--stamps", "none", "--duplicates", "0",
                    "--reissued", "0", "--out", folder, "--quiet"], check=True)
    os.makedirs(m.path("data"))
    return m.add("ingest", os.path.join(BUILD, "bin", "weft-ingest"), {
        "service": {"data_dir": m.path("data")},
        "link": {"bind": "127.0.0.1:%d" % port, "outputs": ["tom-notifier"]},
        "http": {"address": "127.0.0.1:%d" % free_port()},
        "options": dict({"inputs": [os.path.join(folder, "alerts")], "stay": True, "store": "off"},
                        **options)}, moved(m))


def notifier(m, port, env):
    os.makedirs(m.path("outbox"))
    return m.add("notifier", os.path.join(BUILD, "bin", "weft-tom-notifier"), {
        "service": {"data_dir": m.path("outbox")},
        "link": {"upstreams": ["127.0.0.1:%d" % port]},
        "http": {"address": "127.0.0.1:%d" % free_port()},
        "options": {
            "filters": [{"name": "all", "owner": "me", "sinks": ["all"],
                         "conditions": [{"name": "always", "sql": "1"}]}],
            "sinks": [{"name": "all", "kind": "jsonl", "path": m.path("all.jsonl")}]}}, env)


def rows(m):
    if not os.path.exists(m.path("all.jsonl")):
        return []
    with open(m.path("all.jsonl")) as f:
        return [json.loads(line) for line in f if line.endswith("\n")]


def all_is_told(m):
    """Each alert is settled, and once in the sink."""
    def settled():
        run = subprocess.run([WEFT, "ledger", "--json", "--redis", m.redis.address], stdout=subprocess.PIPE,
                             check=False)
        total = json.loads(run.stdout or b"{}").get("total", {})
        return total.get("settled") == N and total["balanced"] and not total["in_flight"]
    if "ingest" in m.processes:
        wait_for(settled, 60, "all is settled")
    wait_for(lambda: len(rows(m)) >= N, 60, "all is in the sink")
    check(len({row["key"] for row in rows(m)}) == len(rows(m)) == N, "each once")


def ahead():
    """ingest is 40 s ahead: it is said with its size, and no stage counts an age
    that lies in the future."""
    with Mesh("ingest's clock is 40 s ahead", redis=True) as m:
        port = free_port()
        turn(m, 40)
        source, sink = ingest(m, port), notifier(m, port, {})
        m.start()
        all_is_told(m)
        text = mesh.said(source, "CLOCK-OFF", "s ahead of Redis' (", "one of the two is wrong")
        check(30 < float(text.split(" s ahead")[0].split()[-1]) <= 40, text)
        wait_for(lambda: 30 < source.metric("weft_clock_ahead_seconds") < 41, 60, "the metric says it")
        wait_for(lambda: "clock is" in source.http("/readyz")[1], 60, "so does readyz")
        check(source.http("/readyz")[0] == 200, "it works all the same")
        check(sink.metric("weft_alert_age_unsure_total") == N, "ages that cannot be are not counted")
        check(sink.metric("weft_alert_age_seconds_count") == 0, "they are in the histogram")
        check({row["latency_s"] for row in rows(m)} == {None}, "they are in the sink")
        check(not sink.events("CLOCK-OFF"), "the sink's clock is right")
        m.drain()


def jumps():
    """The clock of a service jumps back by 40 s and is set right again."""
    with Mesh("a clock jumps by 40 s and comes back", redis=True) as m:
        port = free_port()
        turn(m, 0)
        source = ingest(m, port, rate=20)
        notifier(m, port, {})
        m.start()
        wait_for(lambda: rows(m), 60, "alerts flow")
        check(not source.events("CLOCK-OFF"), "nothing is wrong yet")
        turn(m, -40)
        check("s behind Redis'" in mesh.said(source, "CLOCK-OFF"), "by how much")
        turn(m, 0)
        mesh.said(source, "CLOCK-AGREES")
        check(len(source.events("CLOCK-OFF")) == 1, "it was said more than once")
        all_is_told(m)
        m.drain()


def notifier_behind():
    """A notifier that is 40 s behind sends each row once, without a latency."""
    with Mesh("the notifier's clock is 40 s behind", redis=True) as m:
        port = free_port()
        turn(m, -40)
        m.source(port, ["tom-notifier"], alerts=N, golden=True)
        sink = notifier(m, port, moved(m))
        sink.start()
        check("s behind Redis'" in mesh.said(sink, "CLOCK-OFF"), "by how much")
        m.processes["source"].start()
        check(m.processes["source"].wait(60) == 0, "source failed")
        all_is_told(m)
        check({row["latency_s"] for row in rows(m)} == {None}, "latencies that are wrong")
        m.drain()


if __name__ == "__main__":
    mesh.main([ahead, jumps, notifier_behind])
