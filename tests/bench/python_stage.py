"""The Python stage against its C twins, in one run: an empty stage, and the classifier."""

import os
import pathlib
import subprocess
import time

from link import BUILD, ROOT, stages

PASS = ROOT / "tests" / "stages" / "pass_stage.py"
CLASSIFIER = ROOT / "proto" / "python" / "examples" / "classifier.py"


def timed(m, stage, count):
    """Alerts per second, and CPU us per alert of that one stage."""
    sink = pathlib.Path(m.path("sink.ids"))
    lines = lambda: sink.read_bytes().count(b"\n") if sink.exists() else 0  # noqa: E731
    m.start()
    while lines() < count // 10:
        time.sleep(0.01)
    start, first, before = time.monotonic(), lines(), stage.cpu_seconds()
    while lines() < count:
        time.sleep(0.01)
    done = lines() - first
    return done / (time.monotonic() - start), 1e6 * (stage.cpu_seconds() - before) / done


def locked(m, keys):
    if keys:
        m.lock("source", "pass", "sink")


def empty(s, python, count, keys=False):
    with s.Mesh("an empty stage, " + ("Python" if python else "C")) as m:
        locked(m, keys)
        p = [s.free_port(), s.free_port()]
        m.source(p[0], ["pass"], alerts=count, size=10000, end=False)
        stage = m.stage("pass", [p[0]], p[1], ["sink"])
        if python:
            stage.program = str(PASS)
        m.sink([p[1]])
        return timed(m, stage, count)


def publish(m):
    """A small model for the classifier in C."""
    weft, season = str(BUILD / "bin" / "weft"), m.path("season")
    for words in (["sim", "--seed", "3", "--alerts", "1500", "--stamps", "none", "--out", season],
                  ["train", "--input", season + "/alerts", "--truth", season + "/truth.csv",
                   "--out", m.path("model"), "--redis", m.redis.address, "--publish"]):
        subprocess.run([weft, *words], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "OMP_NUM_THREADS": "1"})


def classifier(s, python, count):
    with s.Mesh("the classifier, " + ("Python" if python else "C"), redis=True) as m:
        p = [s.free_port() for _ in range(3)]
        m.source(p[0], ["feature"], alerts=count, golden=True, size=5000, end=False)
        wires = lambda up, bind, outputs: {  # noqa: E731
            "service": {"data_dir": m.path("")},
            "http": {"address": f"127.0.0.1:{s.free_port()}"},
            "link": {"upstreams": [f"127.0.0.1:{up}"], "bind": f"127.0.0.1:{bind}",
                     "outputs": outputs}}
        m.add("feature", str(BUILD / "bin" / "weft-feature"), wires(p[0], p[1], ["classifier"]))
        if not python:
            publish(m)
        stage = m.add("classifier", str(CLASSIFIER if python else BUILD / "bin" / "weft-classifier"),
                      wires(p[1], p[2], ["sink"]))
        m.sink([p[2]])
        return timed(m, stage, count)


def rows_of(name, ours, theirs):
    return [{"name": f"{name}, rate", "value": round(ours[0]), "unit": "alerts/s", "peer": "C",
             "peer_value": round(theirs[0]), "ratio": round(ours[0] / theirs[0], 3)},
            {"name": f"{name}, CPU", "value": round(ours[1], 1), "unit": "us/alert", "peer": "C",
             "peer_value": round(theirs[1], 1), "ratio": round(ours[1] / theirs[1], 2)}]


def bench_python(_folder):
    s = stages()
    return (rows_of("python stage, empty, 10 kB", empty(s, True, 20000), empty(s, False, 60000)) +
            rows_of("python stage, classifier", classifier(s, True, 12000), classifier(s, False, 40000)))
