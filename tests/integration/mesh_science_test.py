#!/usr/bin/env python3
"""crossmatch and feature as processes: flow, catalogues read again, rejects."""

import json
import os
import signal
import subprocess

import mesh
from mesh import BUILD, Mesh, all_arrived, check, free_port, ids, wait_for


def service(m, name, upstream, port, outputs, **options):
    program = os.path.join(BUILD, "bin", "weft-" + name)
    return m.add(name, program, {
        "link": {"upstreams": ["127.0.0.1:%d" % upstream],
                 "bind": "127.0.0.1:%d" % port, "outputs": outputs},
        "http": {"address": "127.0.0.1:%d" % free_port()},
        "options": options})


def write_catalog(path, rows):
    with open(path + ".new", "w") as f:
        f.write("ra,dec,id,type,z\n")
        for i in range(rows):
            f.write("%.6f,%.6f,S%d,GAL,0.1\n" % (150 + i * 1e-5, 2, i))
    os.rename(path + ".new", path)


def chain(m, n, catalog=None, **source):
    p = [free_port() for _ in range(3)]
    m.source(p[0], ["crossmatch"], alerts=n, **source)
    catalogs = [{"name": "sim", "file": catalog, "radius_arcsec": 30,
                 "nearest": 3, "id": "id", "type": "type", "z": "z"}]
    service(m, "crossmatch", p[0], p[1], ["feature"],
            **({"catalogs": catalogs} if catalog else {}))
    service(m, "feature", p[1], p[2], ["sink"])
    m.sink([p[2]])


def alerts_pass_while_catalogues_are_read_again():
    with Mesh("catalogues are read again") as m:
        n = 30000
        path = m.path("catalog.csv")
        write_catalog(path, 5)
        chain(m, n, path, golden=True, rate=6000)
        crossmatch = m.processes["crossmatch"]
        del m.processes["feature"].config["options"]
        m.processes["feature"].write()
        m.start()
        wait_for(lambda: len(ids(m.path("sink.ids"))) > 1000, 20, "flow")
        before = crossmatch.events("CATALOG-LOADED")
        write_catalog(path, 7)
        crossmatch.send(mesh.signal.SIGHUP)
        wait_for(lambda: crossmatch.events("STAGE-RELOADED"), 5, "reloaded")
        after = crossmatch.events("CATALOG-LOADED")
        check("5 rows" in before[0]["text"], before)
        check("7 rows" in after[-1]["text"], after)
        with open(path, "w") as f:
            f.write("ra,dec,id,type,z\n1,2,\"never closed\n")
        crossmatch.send(mesh.signal.SIGHUP)
        wait_for(lambda: crossmatch.events("STAGE-RELOAD-REFUSED"), 5,
                 "refused")
        bad = crossmatch.events("CATALOG-BAD")
        check(bad and "line 2" in bad[-1]["text"], bad)
        check(m.processes["source"].wait(60) == 0, "source failed")
        all_arrived(m.path("source.outcomes"), [m.path("sink.ids")], n)
        for name in ("crossmatch", "feature"):
            process = m.processes[name]
            print("     %s: %.1f us/alert, %.1f MB" % (
                name, 1e6 * process.cpu_seconds() / n, process.memory_mb()))
        m.drain()


def a_reload_does_not_hold_up_the_end():
    """One of two ends while it reads a catalogue that never comes to its end."""
    with Mesh("SIGTERM while catalogues are read again") as m:
        n = 20000
        path = m.path("catalog.csv")
        write_catalog(path, 5)
        chain(m, n, path, golden=True, rate=4000)
        first = m.processes["crossmatch"]
        config = json.loads(json.dumps(first.config))
        config["link"]["bind"] = "127.0.0.1:%d" % free_port()
        config["http"]["address"] = "127.0.0.1:%d" % free_port()
        m.add("crossmatch1", first.program, config)
        feature = m.processes["feature"]
        feature.config["link"]["upstreams"].append(config["link"]["bind"])
        feature.write()
        m.start()
        wait_for(lambda: len(ids(m.path("sink.ids"))) > 1000, 20, "flow")
        os.unlink(path)
        os.mkfifo(path)
        first.send(signal.SIGHUP)
        with open(path, "w") as f:  # returns as soon as it is read
            f.write("ra,dec,id,type,z\n")
            f.flush()
            first.send(signal.SIGTERM)
            check(first.wait(60) == 0, "it did not end well")
        check(not first.events("STAGE-RELOADED"), "the pipe was a whole catalogue")
        del m.processes["crossmatch"]
        check(m.processes["source"].wait(60) == 0, "source failed")
        all_arrived(m.path("source.outcomes"), [m.path("sink.ids")], n)


def alerts_without_alert_v1_are_dead_letters():
    with Mesh("no alert.v1 is a dead letter", redis=True) as m:
        n = 60  # over a hundred in a row would hold the link
        chain(m, n, size=100)
        del m.processes["feature"].config["options"]
        m.processes["feature"].write()
        m.start()
        check(m.processes["source"].wait(60) == 0, "source failed")
        all_arrived(m.path("source.outcomes"), [m.path("sink.ids")], n,
                    dead=set(range(n)))


def a_missing_catalogue_is_named():
    with Mesh("a missing catalogue is named") as m:
        chain(m, 1, m.path("nowhere.csv"), golden=True)
        crossmatch = m.processes["crossmatch"]
        done = subprocess.run([crossmatch.program, "--config",
                               crossmatch.path], capture_output=True,
                              text=True, timeout=200)
        check(done.returncode != 0, "it starts")
        lines = [json.loads(l) for l in done.stderr.splitlines()]
        bad = [l for l in lines if l["id"] == "CATALOG-BAD"]
        check(bad and "nowhere.csv" in bad[0]["text"], done.stderr)


if __name__ == "__main__":
    mesh.main([alerts_pass_while_catalogues_are_read_again,
               a_reload_does_not_hold_up_the_end,
               alerts_without_alert_v1_are_dead_letters,
               a_missing_catalogue_is_named])
