#!/usr/bin/env python3
"""Sources that change their object, that are withdrawn, and objects that an
operator merges and splits: histories and events."""

import json
import os
import signal
import subprocess
import sys

import mesh
from mesh import BUILD, Mesh, check, free_port, wait_for

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from avro_codec import Codec  # noqa: E402

WEFT = os.path.join(BUILD, "bin", "weft")


class Night:
    """A simulated night of LSST's shape, and packets that are made from it."""

    def __init__(self, m):
        subprocess.run([WEFT, "sim", "--survey", "lsst", "--seed", "4",
                        "--alerts", "120", "--duplicates", "0", "--reissued",
                        "0", "--out", m.path("sim"), "--quiet"], check=True)
        with open(m.path("sim/schema.json")) as f:
            self.codec = Codec(json.load(f))
        self.m, self.schemas = m, m.path("sim/schemas")
        self.frame, self.alerts = b"", []
        for at, _, names in sorted(os.walk(m.path("sim/alerts"))):
            for name in sorted(names):
                with open(os.path.join(at, name), "rb") as f:
                    data = f.read()
                self.frame = data[:5]
                self.alerts.append(self.codec.decode(data[5:]))

    def copy(self, alert):
        return self.codec.decode(self.codec.encode(alert))

    def read(self, name, alerts=None):
        """An ingest reads these alerts, or all, to its end."""
        folder = self.m.path("sim/alerts")
        if alerts:
            folder = self.m.path(name + ".packets")
            os.makedirs(folder)
            for i, alert in enumerate(alerts):
                with open(os.path.join(folder, "%04d" % i), "wb") as f:
                    f.write(self.frame + self.codec.encode(alert))
        port = free_port()
        one = self.m.add(name, os.path.join(BUILD, "bin", "weft-ingest"), {
            "service": {"data_dir": self.m.folder},
            "link": {"bind": "127.0.0.1:%d" % port, "outputs": ["sink"]},
            "options": {"inputs": [folder], "schemas": self.schemas,
                        "store": "off"}}).start()
        sink = self.m.sink([port], name + "-sink").start()
        wait_for(lambda: not one.running(), 60, name + " ends")
        sink.kill(signal.SIGTERM)


def of_object(alert):
    return str(alert["diaSource"]["diaObjectId"][1])


def source_of(alert):
    return alert["diaSource"]["diaSourceId"]


def later(source, alert, days=1.0, **changes):
    """A source as it comes in a later packet of another alert's object."""
    copy = dict(source, diaObjectId=alert["diaSource"]["diaObjectId"], **changes)
    copy["timeProcessedMjdTai"] += days
    return copy


def carrier(night, alert, source, number, more=()):
    """A new alert of this object, whose history has the source, and more."""
    new = night.copy(alert)
    new["diaSourceId"] = new["diaSource"]["diaSourceId"] = \
        source_of(alert) + number
    new["diaSource"]["midpointMjdTai"] += 0.01 * number
    rows = (new["prvDiaSources"][1] or []) if isinstance(
        new["prvDiaSources"], tuple) else new["prvDiaSources"]
    rows = rows + [source, *more]
    new["prvDiaSources"] = (1, rows) if isinstance(
        new["prvDiaSources"], tuple) else rows
    return new


def weft(m, *words):
    run = subprocess.run([WEFT, "object", *words, "--redis", m.redis.address],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         text=True)
    return run.returncode, run.stdout, run.stderr


def show(m, name):
    code, out, err = weft(m, "show", "lsst", name, "--rows")
    check(code == 0, "show %s: %d %s" % (name, code, err))
    shown = json.loads(out)
    shown["ids"] = {row["id"] for row in shown["rows"]
                    if row["kind"] == "D" and not row["tombstone"]}
    return shown


def events(m, kind):
    return [row for row in m.redis.command("ZRANGE", "event:index", "0", "-1")
            if row.startswith(kind + "/")]


def pick(night):
    """Two alerts of two objects, near each other in time."""
    first = night.alerts[0]
    other = next(a for a in night.alerts if of_object(a) != of_object(first))
    return first, other


def a_source_changes_its_object():
    with Mesh("a source changes its object", redis=True) as m:
        night = Night(m)
        night.read("all")
        loser, winner = pick(night)
        old, new = of_object(loser), of_object(winner)
        source = str(source_of(loser))
        before, there = show(m, old), show(m, new)
        check(source in before["ids"], "the source is not there at first")
        moved = carrier(night, winner, later(loser["diaSource"], winner), 1)
        night.read("moved", [moved])
        check(source in show(m, new)["ids"], "the winner lacks it")
        check(show(m, old)["ids"] == before["ids"] - {source} and
              show(m, old)["tombstones"] == 1, "the loser has it")
        told = events(m, "reassociated")
        check(len(told) == 1 and told[0].startswith(
            "reassociated/lsst/%s/%s/%s/" % (source, old, new)), told)
        #  An old copy of it in another packet of the loser: it stays away.
        stale = carrier(night, loser, dict(loser["diaSource"]), 2)
        #  And in a packet of a third object, older than the winner's.
        third = next(a for a in night.alerts
                     if of_object(a) not in (old, new))
        wrong = carrier(night, third, later(loser["diaSource"], third, 0.5), 3)
        night.read("stale", [stale, wrong])
        check(source not in show(m, old)["ids"], "it came back")
        check(source not in show(m, of_object(third))["ids"], "a third has it")
        check(source in show(m, new)["ids"] and there["ids"] < show(
            m, new)["ids"], "the winner has lost something")
        check(events(m, "reassociated") == told, "told again")
        #  A later version still brings it back to where it was.
        back = carrier(night, loser, later(loser["diaSource"], loser, 2.0), 4)
        night.read("back", [back])
        check(source in show(m, old)["ids"], "not back")
        check(source not in show(m, new)["ids"], "still there")
        check(len(events(m, "reassociated")) == 2, "not told")


def a_packet_moves_many():
    """More than one turn of the loop moves: each is moved once, and told."""
    with Mesh("a packet moves many sources", redis=True) as m:
        night = Night(m)
        night.read("all")
        loser, winner = pick(night)
        old, new = of_object(loser), of_object(winner)
        many = []
        for i in range(300):
            source = dict(loser["diaSource"], diaSourceId=source_of(loser) + 1000 + i)
            source["midpointMjdTai"] -= 0.001 * (i + 1)
            many.append(source)
        ids = {str(source["diaSourceId"]) for source in many}
        night.read("there", [carrier(night, loser, many[0], 1, many[1:])])
        check(ids <= show(m, old)["ids"], "they are not there at first")
        moved = [later(source, winner) for source in many]
        night.read("moved", [carrier(night, winner, moved[0], 2, moved[1:])])
        check(ids <= show(m, new)["ids"], "the winner lacks some")
        check(not ids & show(m, old)["ids"], "the loser has some")
        check(len(events(m, "reassociated")) == len(many), "each is told once")


def a_source_is_withdrawn():
    with Mesh("a source is withdrawn", redis=True) as m:
        night = Night(m)
        night.read("all")
        alert = night.alerts[0]
        gone = dict(alert["diaSource"], timeWithdrawnMjdTai=(1, 61000.5))
        #  Of the same time of processing: taking back is the later word.
        night.read("gone", [carrier(night, alert, gone, 1)])
        row = next(r for r in show(m, of_object(alert))["rows"]
                   if r["id"] == str(source_of(alert)) and r["kind"] == "D")
        check(row["flags"] >> 29 & 1, "flags %x" % row["flags"])
        told = events(m, "withdrawn")
        check(len(told) == 1 and told[0].startswith(
            "withdrawn/lsst/%d/" % source_of(alert)), told)


def an_operator_merges_and_splits():
    with Mesh("objects are merged and split", redis=True) as m:
        night = Night(m)
        night.read("all")
        one, two = pick(night)
        a, b = of_object(one), of_object(two)
        rows_a, rows_b = show(m, a)["ids"], show(m, b)["ids"]
        for name in ("nobody", "a b", "a" * 30):
            check(weft(m, "merge", "lsst", a, name)[0] in (1, 3), name)
        check(show(m, a)["ids"] == rows_a, "merged into what is not there")
        check(weft(m, "merge", "lsst", a, b)[0] == 0, "merge")
        check(show(m, b)["ids"] == rows_a | rows_b and not show(m, a)["ids"],
              "merged %s" % show(m, b)["ids"])
        check(weft(m, "merge", "lsst", a, b)[0] == 3, "nothing is left")
        check(len(events(m, "merged")) == 1, events(m, "merged"))
        #  A packet of the old object changes nothing of what has moved.
        night.read("again", [carrier(night, one, dict(one["diaSource"]), 1)])
        check(str(source_of(one)) not in show(m, a)["ids"], "it came back")
        back = sorted(rows_a)
        check(weft(m, "split", "lsst", b, a, *back)[0] == 0, "split")
        check(rows_a <= show(m, a)["ids"] and
              show(m, b)["ids"] == rows_b, "split")
        check(len(events(m, "reassociated")) == len(back), "events")
        check(weft(m, "show", "lsst", "nobody")[0] == 3, "nobody")
        check(weft(m, "merge", "lsst", a, a)[0] == 2, "into itself")
        check(weft(m, "split", "lsst", a, b, "x1")[0] == 2, "no id")


mesh.main([a_source_changes_its_object, a_packet_moves_many, a_source_is_withdrawn,
           an_operator_merges_and_splits])
