#!/usr/bin/env python3
"""weft replay: the same alerts each time, at the pace that was asked for, and
nothing of the live night is touched."""

import json
import os
import shutil
import signal
import subprocess
import time

import mesh
from mesh import BUILD, STAGES, Mesh, check, free_port, wait_for

WEFT = os.path.join(BUILD, "bin", "weft")


def simulate(folder, alerts, *more):
    subprocess.run([WEFT, "sim", "--seed", "11", "--alerts", str(alerts),
                    "--out", folder, "--quiet", "--malformed", "2", *more],
                   check=True)
    return os.path.join(folder, "alerts")


def live_night(m, alerts, **options):
    """A night that is in the packet store of a live mesh."""
    port = free_port()
    one = m.add("ingest", os.path.join(BUILD, "bin", "weft-ingest"), {
        "service": {"data_dir": m.folder},
        "link": {"bind": "127.0.0.1:%d" % port, "outputs": ["sink"]},
        "options": dict({"store_free": 0, "inputs": [alerts]}, **options)})
    refs_sink(m, port, "live", m.redis.address).start()
    one.start()
    wait_for(lambda: not one.running(), 60, "the live night ends")
    m.processes["live"].kill(signal.SIGTERM)
    return mesh.lines(m.path("live"))


def refs_sink(m, port, name, redis):
    return m.add(name, os.path.join(STAGES, "test_refs_main"), {
        "redis": {"address": redis},
        "link": {"upstreams": ["127.0.0.1:%d" % port]},
        "http": {"address": "127.0.0.1:%d" % free_port()},
        "options": {"file": m.path(name)}})


def ledger(redis):
    run = subprocess.run([WEFT, "ledger", "--json", "--redis", redis],
                         stdout=subprocess.PIPE)
    return json.loads(run.stdout)["total"] if run.stdout else {}


def replay(m, name, *words, kill_at=None):
    """What a stage has got of a replay, in no order. `kill_at`: that many alerts
    on, it is killed and resumed."""
    redis = m.redis.address + "?db=5"
    port = free_port()
    command = [WEFT, "replay", *words, "--redis", redis, "--output", "sink",
               "--bind", "127.0.0.1:%d" % port, "--data", m.path(name + ".d")]
    sink = refs_sink(m, port, name, redis).start()
    #  As `./run up` says to export it, for the live mesh.
    live = {**os.environ, "WEFT__REDIS__ADDRESS": m.redis.address,
            "WEFT__REDIS__CLUSTER": "127.0.0.1:1", "WEFT__OPTIONS__STORE": "live",
            "WEFT__LINK__OUTPUTS": "crossmatch"}
    with open(m.path(name + ".log"), "ab") as log:
        run = subprocess.Popen(command, stdout=log, stderr=log, env=live)
        if kill_at:
            wait_for(lambda: len(mesh.lines(m.path(name))) >= kill_at, 60,
                     "some are replayed")
            run.kill()
            run.wait()
            run = subprocess.Popen(command + ["--resume"], stdout=log,
                                   stderr=log, env=live)
        try:
            code = run.wait(60 * mesh.PATIENCE)
        finally:
            run.kill()
            run.wait()
    with open(m.path(name + ".log")) as f:
        check(code == 0, "weft replay ended with %s: %s" % (
            code, f.read()[-600:]))
    sink.kill(signal.SIGTERM)
    check(ledger(redis).get("balanced"), "ledger %s" % ledger(redis))
    return {tuple(row) for row in mesh.lines(m.path(name))}


def everything_in(m):
    """The live database, byte for byte."""
    return {key: m.redis.command("DUMP", key)
            for key in m.redis.command("KEYS", "*")
            if not key.startswith("reg:")}


def the_same_each_time():
    with Mesh("a replay is the same each time", redis=True) as m:
        live = live_night(m, simulate(m.path("sim"), 500))
        before = everything_in(m)
        store = m.path("packets")
        first = replay(m, "first", "all", "--store", store, "--rate", "max")
        check({row[:2] for row in first} == {tuple(row[:2]) for row in live},
              "other alerts than in the live night")
        again = replay(m, "again", "all", "--store", store, "--rate", "max")
        check(first == again, "%d differ" % len(first ^ again))
        killed = replay(m, "killed", "all", "--store", store, "--rate", "50x",
                        kill_at=50)
        #  What was in flight comes again, and may see newer versions of rows.
        check({row[:2] for row in first} == {row[:2] for row in killed},
              "others after a kill")
        nights = {key.split(":")[1] for key in before
                  if key.startswith("ledger:") and key.endswith(":pieces")}
        one = sorted(n for n in nights if n != "0")[0]
        part = replay(m, "part", one, "--store", store, "--rate", "max")
        check(part and {row[0] for row in part} < {row[0] for row in first},
              "night %s: %d of %d" % (one, len(part), len(first)))
        check(everything_in(m) == before, "the live database has changed")
        done = subprocess.run(
            [WEFT, "replay", "4711", "--store", store, "--redis",
             m.redis.address + "?db=5", "--data", m.path("none.d")],
            stderr=subprocess.PIPE, text=True)
        check(done.returncode == 1 and "no packet of night 4711" in done.stderr,
              "%d: %s" % (done.returncode, done.stderr))


def the_pace_is_kept():
    with Mesh("a replay keeps the pace", redis=True) as m:
        live_night(m, simulate(m.path("sim"), 40), rate=100)
        begin = time.monotonic()
        got = replay(m, "slow", "all", "--store", m.path("packets"), "--rate",
                     "0.1x")
        took = time.monotonic() - begin
        #  40 alerts at 100 a second were 0.4 s, a tenth of the pace makes 4.
        check(len(got) >= 40 and took > 3, "%d in %.1f s" % (len(got), took))


def from_an_archive():
    with Mesh("a replay of an archive", redis=True) as m:
        simulate(m.path("sim"), 200, "--tar", m.path("night.tar"))
        first = replay(m, "one", "all", m.path("night.tar"), "--rate", "max")
        again = replay(m, "two", "all", m.path("night.tar"), "--rate", "max")
        check(len({row[0] for row in first}) == 200, "%d" % len(first))
        check(first == again, "%d differ" % len(first ^ again))


def behind_damage_it_goes_on():
    with Mesh("a replay reads on behind damage", redis=True) as m:
        live = live_night(m, simulate(m.path("sim"), 60))
        refs = sorted({row[1] for row in live}, key=lambda r: int(r.split("-")[1]))
        hit = refs[20]
        segment, offset = hit.split("-")[:2]
        path = m.path("packets/%s.packets" % segment)
        with open(path, "r+b") as f:
            f.seek(int(offset) - 40)
            byte = f.read(1)[0]
            f.seek(int(offset) - 40)
            f.write(bytes([byte ^ 1]))
        got = replay(m, "damaged", "all", "--store", m.path("packets"), "--rate", "max")
        check({row[1] for row in got} == set(refs) - {hit},
              "%d of %d" % (len(got), len(refs)))
        with open(m.path("damaged.log")) as f:
            log = f.read()
        check("STORE-DAMAGED" in log and path in log, log[-600:])


def nothing_else_is_emptied():
    with Mesh("a replay empties nothing else", redis=True) as m:
        live_night(m, simulate(m.path("sim"), 20))
        m.redis.command("FLUSHALL")
        m.redis.command("SET", "lc:ztf:somebody", "a history")

        def refused(redis, text, *more):
            done = subprocess.run(
                [WEFT, "replay", "all", "--store", m.path("packets"), "--redis",
                 redis, "--data", m.path("d"), *more], stderr=subprocess.PIPE,
                text=True)
            check(done.returncode == 2 and text in done.stderr,
                  "%d: %s" % (done.returncode, done.stderr))

        refused(m.redis.address + "?db=0", "live")
        #  Another database that holds something: 0 under another name.
        m.redis.command("SWAPDB", "0", "3")
        refused(m.redis.address + "?db=3", "no replay")
        m.redis.command("SWAPDB", "0", "3")
        check(m.redis.command("GET", "lc:ztf:somebody") == "a history", "gone")
        refused(m.redis.address, "rate", "--rate", "0.01x")
        shutil.rmtree(m.path("packets"))


mesh.main([the_same_each_time, the_pace_is_kept, from_an_archive,
           behind_damage_it_goes_on, nothing_else_is_emptied])
