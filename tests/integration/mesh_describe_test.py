#!/usr/bin/env python3
"""weft describe and weft top of a mesh that runs."""

import json
import os
import subprocess

import mesh
from mesh import BUILD, Mesh, check, free_port, wait_for


def weft(m, *words):
    done = subprocess.run([os.path.join(BUILD, "bin", "weft"), *words, "--redis",
                           m.redis.address], stdout=subprocess.PIPE, text=True, check=True,
                          stdin=subprocess.DEVNULL)
    return done.stdout


def stages(m):
    return json.loads(weft(m, "describe", "--json"))


def a_mesh_is_described():
    with Mesh("describe and top", redis=True) as m:
        p = [free_port() for _ in range(3)]
        m.source(p[0], ["pass"], alerts=1000000, size=500, rate=200, end=False)
        for i in range(2):
            m.stage("pass%d" % i, [p[0]], p[1 + i], ["sink"], link={"window": 64})
        m.sink(p[1:])
        m.start()
        wait_for(lambda: len(stages(m)) == 3 and stages(m)[1]["replicas"] == 2 and
                 all(s["ready"] == s["replicas"] and s["rate"] > 0 for s in stages(m)),
                 60, "all are there, ready, and alerts flow")
        found = stages(m)
        check([s["stage"] for s in found] == ["source", "pass", "sink"], found)
        check([s["outputs"] for s in found] == [["pass"], ["sink"], []], found)
        check(found[1]["window"] == 128, found)
        check(len(found[1]["processes"]) == 2, found)
        text = weft(m, "top", "--count", "2", "--interval", "0.2")
        check(text.count("weft top") == 2 and text.count("-> sink") == 2, text)
        #  Who cannot work says why.
        m.processes["sink"].kill()
        wait_for(lambda: "branch sink has no worker" in weft(m, "describe"), 60, "why")
        m.processes["sink"].start()
        wait_for(lambda: "no worker" not in weft(m, "describe"), 60, "well again")


if __name__ == "__main__":
    mesh.main([a_mesh_is_described])
