#!/usr/bin/env python3
"""A chain of stages as processes: flow, drain, reload, probe, standing still."""

import os
import subprocess
import time

import mesh
from mesh import Mesh, all_arrived, check, free_port, ids, outcomes, wait_for


def chain(m, n, passes=2, link=None, sink_link=None, **source):
    """source -> `passes` workers -> sink."""
    head = free_port()
    m.source(head, ["pass"], alerts=n, **source)
    ports = []
    for i in range(passes):
        ports.append(free_port())
        m.stage("pass%d" % i, [head], ports[-1], ["sink"], link=link)
    m.sink(ports, link=sink_link, most=n)


def unready(process, why):
    """Waits until the process says that it is not ready, and why."""
    def says():
        status, text = process.http("/readyz")
        return status == 503 and why in text
    wait_for(says, 10, "%s is unready: %s" % (process.name, why))


def everything_arrives():
    with Mesh("everything arrives") as m:
        n = 20000
        chain(m, n)
        m.start()
        check(m.processes["source"].wait(60) == 0, "source failed")
        all_arrived(m.path("source.outcomes"), [m.path("sink.ids")], n)
        m.drain()


def batches_arrive():
    with Mesh("batches arrive") as m:
        n = 20000
        chain(m, n)
        for i in range(2):
            m.processes["pass%d" % i].env["WEFT_TEST_BATCH"] = "1"
        m.start()
        check(m.processes["source"].wait(60) == 0, "source failed")
        all_arrived(m.path("source.outcomes"), [m.path("sink.ids")], n)


def fan_out_and_five_hops():
    with Mesh("fan-out and five hops") as m:
        n = 10000
        p = [free_port() for _ in range(5)]
        m.source(p[0], ["alpha"], alerts=n)
        m.stage("alpha", [p[0]], p[1], ["beta"], stage="alpha")
        m.stage("beta", [p[1]], p[2], ["gamma"], stage="beta")
        m.stage("gamma", [p[2]], p[3], ["left", "right"], stage="gamma")
        m.sink([p[3]], name="left", stage="left")
        m.sink([p[3]], name="right", stage="right")
        m.start()
        check(m.processes["source"].wait(60) == 0, "source failed")
        all_arrived(m.path("source.outcomes"),
                    [m.path("left.ids"), m.path("right.ids")], n)


def drains_under_load():
    with Mesh("drains under load, goes on") as m:
        n = 60000
        chain(m, n, size=1000, rate=20000)
        m.start()
        for _ in range(2):
            before = len(ids(m.path("sink.ids")))
            wait_for(lambda: len(ids(m.path("sink.ids"))) > before + 5000 or
                     not m.processes["source"].running(), 30, "no progress")
            m.drain()
            m.start()
        check(m.processes["source"].wait(60) == 0, "source failed")
        all_arrived(m.path("source.outcomes"), [m.path("sink.ids")], n)


def branch_down_holds():
    with Mesh("a branch that is down holds") as m:
        n = 5000
        chain(m, n, size=1000, link={"window": 64})
        sink = m.processes["sink"]
        open(m.path("sink.down"), "w").close()
        m.start()
        unready(sink, "dependency")
        time.sleep(1)
        check(not ids(m.path("sink.ids")), "the sink is down")
        check(not outcomes(m.path("source.outcomes")), "settled too early")
        os.unlink(m.path("sink.down"))
        wait_for(lambda: len(ids(m.path("sink.ids"))) == n, 30, "recovers")
        #  An id is written before the outcome of its alert is on its way.
        wait_for(lambda: len(outcomes(m.path("source.outcomes"))) == n, 30, "all are settled")
        sink.kill()
        check(m.processes["source"].wait(30) == 0, "source failed")
        all_arrived(m.path("source.outcomes"), [m.path("sink.ids")], n)


def missing_branch_is_named():
    with Mesh("a missing branch is named") as m:
        p = free_port()
        m.source(p, ["pass", "other"], alerts=100)
        q = free_port()
        m.stage("pass", [p], q, ["sink"])
        m.sink([q])
        m.start()
        source = m.processes["source"]
        wait_for(lambda: len(ids(m.path("sink.ids"))) == 100, 20, "one branch")
        unready(source, "other")
        check(not outcomes(m.path("source.outcomes")), "settled too early")
        probe = subprocess.run([source.program, "--config", source.path,
                                "--probe"], capture_output=True, text=True)
        check(probe.returncode == 1 and "other" in probe.stdout, probe.stdout)
        pass_ = m.processes["pass"]
        probe = subprocess.run([pass_.program, "--config", pass_.path,
                                "--probe"], capture_output=True, text=True,
                               env=dict(os.environ, **pass_.env))
        check(probe.returncode == 0, probe.stdout)
        wait_for(lambda: pass_.http("/healthz")[0] == 200, 5, "healthz")
        wait_for(lambda: pass_.metric(
            "weft_alerts_total{stage=\"pass\",outcome=\"settled") == 100, 5,
            "100 are settled by the metrics")


def a_tap_holds_nothing():
    with Mesh("a tap gets what it has room for") as m:
        chain(m, 50000000, passes=1, size=1000, rate=4000, end=False,
              link={"samples": ["tap"]})
        port = int(m.processes["pass0"].config["link"]["bind"].split(":")[1])
        m.sink([port], name="tap", stage="tap")
        tap = m.processes.pop("tap")
        m.start()
        wait_for(lambda: len(ids(m.path("sink.ids"))) > 1000, 20,
                 "flow without the tap")
        m.processes["tap"] = tap
        tap.start()
        wait_for(lambda: len(ids(m.path("tap.ids"))) > 100, 20, "the tap")
        tap.kill()
        del m.processes["tap"]
        m.finish()


def reload_good_and_bad():
    with Mesh("reload, good and bad") as m:
        n = 40000
        chain(m, n, passes=1, size=500, rate=8000, link={"window": 512})
        p = m.processes["pass0"]
        m.start()
        wait_for(lambda: len(ids(m.path("sink.ids"))) > 1000, 20, "flow")
        p.config["options"]["work_us"] = "many"
        p.write()
        p.send(mesh.signal.SIGHUP)
        wait_for(lambda: p.events("STAGE-RELOAD-REFUSED"), 5, "refused")
        text = p.events("STAGE-RELOAD-REFUSED")[0]["text"]
        check("pass0.yaml" in text and "options.work_us" in text and
              "an integer from 0" in text, text)
        check(p.metric("weft_config_reload_success") == 0, "metric")
        p.config["options"]["work_us"] = 1
        # The graph and the windows are what peers rely on: not while it runs.
        link = dict(p.config["link"])
        changed = {"window": 8, "upstreams": ["127.0.0.1:9"],
                   "outputs": ["sink", "nobody"]}
        for i, (key, value) in enumerate(changed.items()):
            p.config["link"] = dict(link, **{key: value})
            p.config["options"]["mark"] = f"with {key}"
            p.write()
            p.send(mesh.signal.SIGHUP)
            wait_for(lambda: len(p.events("STAGE-RELOAD-REFUSED")) == i + 2, 5, key)
            text = p.events("STAGE-RELOAD-REFUSED")[-1]["text"]
            check(f"link.{key} can only be changed by a restart" in text, text)
        check(not p.events("STAGE-RELOADED"), "half of a file was taken")
        p.config["link"] = link
        p.config["options"]["mark"] = "new"
        p.write()
        p.send(mesh.signal.SIGHUP)
        wait_for(lambda: p.events("STAGE-RELOADED"), 5, "reloaded")
        check(m.processes["source"].wait(60) == 0, "source failed")
        all_arrived(m.path("source.outcomes"), [m.path("sink.ids")], n)


def bad_starts():
    with Mesh("bad starts are refused") as m:
        sink = m.sink([1])
        run = lambda *args, **env: subprocess.run(
            [sink.program] + list(args), capture_output=True, text=True,
            env=dict(os.environ, **env), timeout=100)
        check(run("--nonsense").returncode == 2, "usage")
        check(run("--help").returncode == 0, "help")
        check("weft-sink" in run("--version").stdout, "version")
        check("link.upstreams" in run("--describe").stdout, "describe")
        bad = run("--config", "/nowhere")
        check(bad.returncode == 2 and "/nowhere" in bad.stderr, bad.stderr)
        bad = run("--config", sink.path, WEFT__LINK__WINDOW="0")
        check(bad.returncode == 2 and "WEFT__LINK__WINDOW" in bad.stderr,
              bad.stderr)
        bad = run("--config", sink.path, WEFT__LINK__BIND="0.0.0.0:1")
        check(bad.returncode == 2 and "insecure" in bad.stderr, bad.stderr)


if __name__ == "__main__":
    mesh.main([everything_arrives, batches_arrive, fan_out_and_five_hops,
               drains_under_load, branch_down_holds, missing_branch_is_named,
               a_tap_holds_nothing, reload_good_and_bad, bad_starts])
