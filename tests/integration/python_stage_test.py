#!/usr/bin/env python3
"""The Python stage in the middle of a mesh of C: flow, kills, poison, drain.

source -> two stages in Python -> a stage in C -> sink. WEFT_SECONDS says how
long kills go on (6), WEFT_SEED which ones.
"""

import os
import random
import signal
import subprocess
import sys
import time

import mesh
from mesh import Mesh, all_arrived, check, free_port, outcomes, wait_for

PYTHON = "/usr/bin/python3"
STAGE = os.path.abspath("tests/stages/pass_stage.py")
SECONDS = float(os.environ.get("WEFT_SECONDS", "6"))
SEED = int(os.environ.get("WEFT_SEED", "0")) or random.randrange(1 << 31)


def python_stage(m, name, upstreams, port, outputs, stage, link=None,
                 **options):
    m.stage_at[port] = stage
    return m.add(name, STAGE, {
        "link": dict({"upstreams": m.at(upstreams),
                      "bind": "127.0.0.1:%d" % port, "outputs": outputs},
                     **(link or {})),
        "http": {"address": "127.0.0.1:%d" % free_port()},
        "options": options}, {"WEFT_TEST_STAGE": stage})


def chain(m, alerts, rate=0, end=True, stall=10000, size=2000, **options):
    p = [free_port() for _ in range(4)]
    link = {"stall_ms": stall}
    m.source(p[0], ["alpha"], alerts=alerts, rate=rate, end=end, size=size)
    for i in range(2):
        python_stage(m, "alpha%d" % i, [p[0]], p[1 + i], ["beta"], "alpha",
                     link, **options)
    m.stage("beta0", p[1:3], p[3], ["sink"], stage="beta", link=link)
    m.sink([p[3]], link=link, most=50000000)


def flows_and_drains():
    with Mesh("flow and drain") as m:
        n = 4000
        chain(m, n)
        m.start()
        check(m.processes["source"].wait(90) == 0, "source failed")
        all_arrived(m.path("source.outcomes"), [m.path("sink.ids")], n)
        m.drain()


def a_slow_function_keeps_its_workers():
    """Its beats come as late as a call takes: the sink gives it up until it has
    learned to wait, which doubles from 3 beats to stall_ms at most."""
    with Mesh("a function of a second") as m:
        n, p = 12, [free_port(), free_port()]
        m.source(p[0], ["pass"], alerts=n)
        python_stage(m, "pass", [p[0]], p[1], ["sink"], "pass", seconds=1)
        sink = m.sink([p[1]])
        m.start()
        check(m.processes["source"].wait(60) == 0, "source failed")
        all_arrived(m.path("source.outcomes"), [m.path("sink.ids")], n)
        silent = len(sink.events("LINK-SILENT"))
        check(silent <= 4, "given up %d times" % silent)


def finish(m, dead=()):
    """Stops the intake where it is and waits until all before is settled."""
    source = m.processes["source"]
    source.kill(signal.SIGTERM)
    n = max(outcomes(m.path("source.outcomes"))) + 1
    source.config["options"]["alerts"] = n
    source.config["options"]["end"] = True
    source.write()
    for process in m.processes.values():
        process.resume()
        if not process.running():
            process.start()
    check(source.wait(90) == 0, "the source does not come to its end")
    all_arrived(m.path("source.outcomes"), [m.path("sink.ids")], n, dead)
    return n


def kills_lose_nothing():
    with Mesh("kill -9 of any, seed %d" % SEED) as m:
        rng = random.Random(SEED)
        chain(m, 50000000, rate=1500, end=False, stall=3000)
        m.start()
        wait_for(lambda: len(outcomes(m.path("source.outcomes"))) > 100, 60,
                 "nothing flows")
        end, kills = time.monotonic() + SECONDS, 0
        while time.monotonic() < end:
            process = m.processes[rng.choice(list(m.processes))]
            if rng.random() < 0.15:
                process.pause()
                time.sleep(0.5)
                process.resume()
            else:
                process.restart()
                kills += 1
            time.sleep(0.5)
        n = finish(m)
        print("     %d kills, %d alerts" % (kills, n))


def poison_is_convicted_alone():
    """One crashes, one hangs, one is rejected: they alone are dead."""
    with Mesh("crash, hang and reject", redis=True) as m:
        n = 1500
        chain(m, n, stall=3000, crash=[200], hang=[600], reject=[1000])
        m.start()
        end = time.monotonic() + 90 * mesh.PATIENCE
        source = m.processes["source"]
        while source.running() and time.monotonic() < end:
            for name in ("alpha0", "alpha1"):
                if not m.processes[name].running():
                    m.processes[name].start()
            time.sleep(0.1)
        check(source.wait(1) == 0, "the source does not come to its end")
        all_arrived(m.path("source.outcomes"), [m.path("sink.ids")], n,
                    dead={200, 600, 1000})


def broken_stage_settles_nothing():
    """It rejects its golden alert, too: no verdict, and the other goes on."""
    with Mesh("a broken replica", redis=True) as m:
        n = 1500
        chain(m, n)
        broken = m.processes["alpha0"]
        broken.config["options"]["broken"] = True
        broken.write()
        #  The broken one is there first: else the good one may have done it all.
        for name, process in m.processes.items():
            if name != "alpha1":
                process.start()
        wait_for(lambda: broken.events("LINK-CANARY-FAILED"), 60, "a canary fails")
        m.processes["alpha1"].start()
        check(m.processes["source"].wait(90) == 0, "source failed")
        all_arrived(m.path("source.outcomes"), [m.path("sink.ids")], n)


def verdict_from_below_goes_up():
    """The C stage behind rejects; the source keeps the dead letter."""
    with Mesh("a verdict from below", redis=True) as m:
        n = 800
        chain(m, n)
        below = m.processes["beta0"]
        below.config["options"]["reject"] = ["77"]
        below.write()
        m.start()
        check(m.processes["source"].wait(90) == 0, "source failed")
        all_arrived(m.path("source.outcomes"), [m.path("sink.ids")], n, {77})


def rotates_keys_under_load():
    """CURVE on both ends; new keys, then the old ones are taken away."""
    with Mesh("keys are rotated under load") as m:
        m.lock("source", "alpha", "beta", "sink")
        chain(m, 50000000, rate=1000, end=False)
        m.start()
        #  A process that has not come so far would end of SIGHUP.
        for process in m.processes.values():
            wait_for(lambda: process.events("STAGE-STATE"), 60, "%s does not start" % process.name)
        for how in ("--rotate", "--retire"):
            seen = len(outcomes(m.path("source.outcomes")))
            wait_for(lambda: len(outcomes(m.path("source.outcomes"))) >
                     seen + 300, 60, "nothing flows before " + how)
            m.weft_keys(how, m.keys, *(("source", "alpha", "beta", "sink")
                                       if how == "--rotate" else ()))
            for process in m.processes.values():
                process.send(signal.SIGHUP)
            for name in ("alpha0", "alpha1"):
                wait_for(lambda: len(m.processes[name].events(
                    "LINK-KEYS-READ")) == (1 if how == "--rotate" else 2), 30,
                    name + " does not read its keys")
        seen = len(outcomes(m.path("source.outcomes")))
        wait_for(lambda: len(outcomes(m.path("source.outcomes"))) >
                 seen + 300, 60, "nothing flows with the new keys")
        finish(m)


def conforms_with_keys():
    """A conformance run over CURVE, by the operator's key."""
    with Mesh("conformance with keys") as m:
        m.lock("alpha")
        port, bind = free_port(), free_port()
        m.stage_at[port] = "operator"
        stage = python_stage(m, "alpha0", [], bind, ["classifier"], "alpha")
        stage.config["link"]["upstreams"] = ["classifier@127.0.0.1:%d" % port]
        stage.write()
        stage.start()
        done = subprocess.run(
            [os.path.join(mesh.BUILD, "bin", "weft"), "conformance",
             "127.0.0.1:%d" % port, "--sink", "alpha@127.0.0.1:%d" % bind,
             "--outputs", "classifier", "--keys", m.keys],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=200)
        check(done.returncode == 0, "exit %d: %s" % (
            done.returncode, done.stdout))


if __name__ == "__main__":
    if subprocess.run([PYTHON, "-c", "import zmq, msgpack"],
                      stderr=subprocess.DEVNULL).returncode:
        print("SKIP: python3-zmq and python3-msgpack are not installed")
        sys.exit(77)
    mesh.main([flows_and_drains, a_slow_function_keeps_its_workers,
               kills_lose_nothing,
               poison_is_convicted_alone, broken_stage_settles_nothing,
               verdict_from_below_goes_up,
               rotates_keys_under_load, conforms_with_keys])
