#!/usr/bin/env python3
"""A candidate in a running mesh: shadow, live by itself, back by hand."""

import json
import os
import subprocess
import sys

import mesh
from mesh import BUILD, Mesh, check, free_port, ids, wait_for

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "..", "proto", "python"))
try:
    import weft_contracts  # noqa: E402
except ImportError:
    weft_contracts = None

WEFT = os.path.join(BUILD, "bin", "weft")


def weft(m, *words, code=0):
    done = subprocess.run([WEFT, *words, "--redis", m.redis.address],
                          capture_output=True, text=True)
    check(done.returncode == code, "weft %s: exit %d, %s%s" % (
        " ".join(words), done.returncode, done.stdout, done.stderr))
    return done.stdout


def models(m):
    return {row["version"]: row
            for row in json.loads(weft(m, "model", "ls", "demo", "--json"))}


def train(m, seed):
    season = m.path("season")
    if not os.path.exists(season):
        subprocess.run([WEFT, "sim", "--seed", "3", "--alerts", "600",
                        "--stamps", "none", "--out", season, "--quiet"],
                       check=True)
    weft(m, "train", "--input", season + "/alerts", "--truth",
         season + "/truth.csv", "--trees", "10", "--seed", str(seed),
         "--publish")
    return m.redis.command("GET", "model:demo:current")


def service(m, name, upstream, port, outputs, **options):
    os.makedirs(m.path(name), exist_ok=True)
    return m.add(name, os.path.join(BUILD, "bin", "weft-" + name), {
        "service": {"data_dir": m.path(name)},
        "link": {"upstreams": ["127.0.0.1:%d" % upstream],
                 "bind": "127.0.0.1:%d" % port, "outputs": outputs},
        "http": {"address": "127.0.0.1:%d" % free_port()},
        "options": options})


def set_candidate(m, version):
    m.redis.command("SET", "model:demo:candidate", version)


def state_of(m, version):
    return models(m)[version]["state"]


def a_candidate_goes_live_while_alerts_flow():
    with Mesh("shadow, live, back", redis=True) as m:
        first, second = train(m, 1), train(m, 2)
        check(first != second, "the same model")
        weft(m, "model", "promote", "demo", first, code=3)
        weft(m, "model", "rollback", "demo")
        check(state_of(m, first) == "live", models(m))
        p = [free_port() for _ in range(3)]
        m.source(p[0], ["feature"], golden=True, rate=500, alerts=50000000, end=False)
        service(m, "feature", p[0], p[1], ["classifier"])
        del m.processes["feature"].config["options"]
        m.processes["feature"].write()
        service(m, "classifier", p[1], p[2], ["sink"], poll_ms=100,
                shadow_alerts=100)
        m.sink([p[2]])
        m.start()
        wait_for(lambda: len(ids(m.path("sink.ids"))) > 200, 20, "flow")
        set_candidate(m, second)
        wait_for(lambda: state_of(m, second) == "live", 20, "promoted")
        m.processes["classifier"].restart()
        found = json.loads(weft(m, "model", "compare", "demo", "--json"))
        check(len(found) == 1 and found[0]["alerts"] >= 100 and
              found[0]["live"] == first and found[0]["candidate"] == second and
              found[0]["labelled"] is None, found)
        flips = sum(flip["alerts"] for flip in found[0]["flips"])
        check(abs(found[0]["agreement"] - 1 + flips / found[0]["alerts"]) <
              1e-9, found)
        labels_are_held_against_both(m)
        weft(m, "model", "rollback", "demo")
        wait_for(lambda: any(first[:16] in e["text"] for e in
                             m.processes["classifier"].events("MODEL-LIVE")[1:]
                             ), 20, "the older one is back")
        check(state_of(m, second) == "retired", models(m))
        set_candidate(m, "0123")
        wait_for(lambda: state_of(m, "0123") == "refused", 20, "refused")
        weft(m, "model", "promote", "demo", "0123", code=3)
        m.finish()
        m.drain()


def labels_are_held_against_both(m):
    """One object gets a label, as by `weft label`."""
    if not weft_contracts:
        print("     labels are left out: no module msgpack")
        return
    key = m.redis.command("HKEYS", "shadow:demo:" + m.redis.command(
        "GET", "model:demo:current"))[0]
    survey, name, _ = key.split("/")
    label = weft_contracts.LabelV1(
        label_id="l1", survey=survey, object_id=name, source="test",
        received_at=61000.0, **{"class": "SNIa"})
    with open(m.path("label"), "wb") as f:
        f.write(label.encode())
    with open(m.path("label"), "rb") as f:
        subprocess.run(["redis-cli", "-s", m.redis.socket, "-x", "SET",
                        "label:row:l1"], stdin=f, check=True,
                       stdout=subprocess.DEVNULL)
    m.redis.command("ZADD", "label:index", "1", "l1")
    found = json.loads(weft(m, "model", "compare", "demo", "--json"))[0]
    labelled = found["labelled"]
    check(labelled["alerts"] == 1 and labelled["objects"] == 1,
          found)
    for side in ("live", "candidate"):
        check(labelled[side]["accuracy"] in (0, 1) and
              labelled[side]["log_loss"] > 0, found)


if __name__ == "__main__":
    mesh.main([a_candidate_goes_live_while_alerts_flow])
