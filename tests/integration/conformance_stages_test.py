#!/usr/bin/env python3
"""`weft conformance` passes on every stage: as its upstream, as its worker."""

import concurrent.futures
import os
import subprocess
import sys

import mesh
from mesh import Mesh, check, free_port

BIN = os.path.join(mesh.BUILD, "bin")
PYTHON = "/usr/bin/python3"
CLASSIFIER = os.path.abspath("proto/python/examples/classifier.py")


PROGRAM_FEATURE = os.path.join(BIN, "weft-feature")


def conformance(*words, seconds=120):
    done = subprocess.run([os.path.join(BIN, "weft"), "conformance", *words],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=seconds)
    return done.returncode, done.stdout.strip()


def stage_of(m, name, program, ports, bind, outputs, options=None, link=None):
    """A service under test with two upstreams, both of them ours."""
    link = dict({"upstreams": ["127.0.0.1:%d" % p for p in ports]},
                **(link or {}))
    if outputs:
        link.update(bind="127.0.0.1:%d" % bind, outputs=outputs)
    return m.add(name, program, {
        "service": {"data_dir": m.path("")},
        "http": {"address": "127.0.0.1:%d" % free_port()},
        "link": link, "options": options or {}})


def as_upstream(name, program, outputs, contract, options=None, prepare=None):
    """The worker end of one stage, and its branches if it has any."""
    with Mesh("upstream of " + name, redis=True) as m:
        ports, bind = [free_port(), free_port()], free_port()
        given = options(m) if callable(options) else options
        stage = stage_of(m, name, program, ports, bind, outputs, given)
        if prepare:
            prepare(m)
        stage.start()
        words = [",".join("127.0.0.1:%d" % p for p in ports)]
        if outputs:
            words += ["--sink", "127.0.0.1:%d" % bind, "--outputs",
                      ",".join(outputs), "--contract", contract]
        code, said = conformance(*words)
        check(code == 0, "%s: exit %d\n%s" % (name, code, said))
        check(stage.running(), name + " has ended")


def as_worker(name, program, contract, prepare=None):
    """The upstream end of one stage, fed by a source of the tests."""
    with Mesh("worker of " + name, redis=True) as m:
        port, bind = free_port(), free_port()
        source = m.source(port, [name], alerts=1000000, rate=500, end=False,
                          golden=True)
        if name == "classifier":  # it needs features.v1: one stage before
            feature = free_port()
            source.config["link"]["outputs"] = ["feature"]
            source.write()
            stage_of(m, "feature", PROGRAM_FEATURE, [port], feature,
                     ["classifier"])
            port = feature
        stage_of(m, name, program, [port], bind, ["next"])
        if prepare:
            prepare(m)
        m.start()
        code, said = conformance("127.0.0.1:%d" % bind, "--as", "worker",
                                 "--stage", "next", "--contract", contract)
        check(code == 0, "%s: exit %d\n%s" % (name, code, said))


def program(service):
    return os.path.join(BIN, "weft-" + service)


def classifier_model(m):
    """A small model, published to this mesh's Redis."""
    weft = os.path.join(BIN, "weft")
    season = m.path("season")
    run = lambda *words: subprocess.run(  # noqa: E731
        [weft, *words], check=True, stdout=subprocess.DEVNULL,
        env=dict(os.environ, OMP_NUM_THREADS="1"), timeout=250)
    run("sim", "--seed", "3", "--alerts", "800", "--stamps", "none", "--out",
        season, "--quiet")
    run("train", "--input", season + "/alerts", "--truth",
        season + "/truth.csv", "--trees", "20", "--out", m.path("model"),
        "--redis", m.redis.address, "--publish")


def notifier_options(m):
    return {"filters": [{"name": "all", "owner": "t", "sinks": ["file"],
                         "conditions": [{"name": "yes", "sql": "1"}]}],
            "sinks": [{"name": "file", "kind": "jsonl",
                       "path": m.path("all.jsonl")}]}


def ingest_options(m):
    subprocess.run([os.path.join(BIN, "weft"), "sim", "--seed", "5",
                    "--alerts", "400", "--stamps", "none", "--out",
                    m.path("night"), "--quiet"], check=True, timeout=250)
    return {"inputs": [m.path("night/alerts")], "stay": True}


def ingest_as_upstream_of_ours():
    """The head of a mesh: from packets, so its alerts are real ones."""
    with Mesh("worker of ingest", redis=True) as m:
        bind = free_port()
        m.add("ingest", program("ingest"), {
            "service": {"data_dir": m.path("")},
            "http": {"address": "127.0.0.1:%d" % free_port()},
            "link": {"bind": "127.0.0.1:%d" % bind, "outputs": ["next"]},
            "options": ingest_options(m)}).start()
        code, said = conformance("127.0.0.1:%d" % bind, "--as", "worker",
                                 "--stage", "next", "--contract", "alert.v1")
        check(code == 0, "ingest: exit %d\n%s" % (code, said))


BRANCHES = ["active-learner", "tom-notifier"]
WORKERS = {
    "crossmatch": (program("crossmatch"), ["feature"], "matches.v1"),
    "feature": (program("feature"), ["classifier"], "features.v1"),
    "classifier": (program("classifier"), BRANCHES, "scores.v1", None,
                   classifier_model),
    "python": (CLASSIFIER, BRANCHES, "scores.v1"),
    "active-learner": (program("active-learner"), [], None),
    "tom-notifier": (program("tom-notifier"), [], None, notifier_options),
}


def nobody_comes():
    code, said = conformance("127.0.0.1:%d" % free_port(), "--wait", "0.3")
    check(code == 1 and "nobody" in said, "exit %d: %s" % (code, said))
    code, said = conformance("127.0.0.1:%d" % free_port(), "--as", "worker",
                             "--stage", "x", "--wait", "0.3")
    check(code == 1, "exit %d: %s" % (code, said))
    code, said = conformance("127.0.0.1:1", "--as", "nothing")
    check(code == 2, "exit %d: %s" % (code, said))


def everybody():
    runs = {"upstream of " + n: (as_upstream, n, *w)
            for n, w in WORKERS.items()}
    for name in ("crossmatch", "feature"):
        runs["worker of " + name] = (as_worker, name, *WORKERS[name][0:3:2])
    runs["worker of python"] = (as_worker, "classifier", CLASSIFIER,
                                "scores.v1")
    runs["worker of classifier"] = (as_worker, "classifier",
                                    *WORKERS["classifier"][0:3:2],
                                    classifier_model)
    runs["worker of ingest"] = (ingest_as_upstream_of_ours,)
    runs["nobody"] = (nobody_comes,)
    if not HAS_ZMQ:
        runs = {n: r for n, r in runs.items() if "python" not in n}
        print("SKIP: python3-zmq and python3-msgpack are not installed")
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        done = {n: pool.submit(*r) for n, r in runs.items()
                if not WANTED or n in WANTED}
    failed = [n for n, run in done.items() if run.exception()]
    for name in failed:
        print("     %s: %s" % (name, done[name].exception()))
    check(not failed, "not conformant: " + ", ".join(failed))


HAS_ZMQ = subprocess.run([PYTHON, "-c", "import zmq, msgpack"],
                         stderr=subprocess.DEVNULL).returncode == 0
WANTED = sys.argv[1:]

if __name__ == "__main__":
    del sys.argv[1:]
    mesh.main([everybody])
