#!/usr/bin/env python3
"""tom-notifier as processes: owner and standby, kills, a sink that is down."""

import json
import os
import random
import time

import mesh
from mesh import BUILD, Mesh, check, free_port, outcomes, said, wait_for
from small_disk import SmallDisk

SEED = int(os.environ.get("WEFT_SEED", "0")) or random.randrange(1 << 31)


def notifier(m, number, upstream, beat_ms=100, **options):
    options.setdefault("filters", [
        {"name": "everything", "owner": "me", "sinks": ["all"],
         "conditions": [{"name": "always", "sql": "1"}]},
        {"name": "here", "owner": "me", "sinks": ["all", "some"],
         "conditions": [{"name": "placed", "sql": "ra IS NOT NULL"},
                        {"name": "survey", "sql": "survey = 'ztf'"}]}])
    options.setdefault("sinks", [
        {"name": name, "kind": "jsonl", "path": m.path(name + ".jsonl")}
        for name in ("all", "some")])
    os.makedirs(m.path("data"), exist_ok=True)
    process = m.add("notifier%d" % number,
                    os.path.join(BUILD, "bin", "weft-tom-notifier"), {
                        "service": {"data_dir": m.path("data")},
                        "link": {"upstreams": ["127.0.0.1:%d" % upstream],
                                 "beat_ms": beat_ms},
                        "http": {"address": "127.0.0.1:%d" % free_port()},
                        "options": options})
    return process


def keys(path):
    """(filter, alert id) -> how often it is in the file."""
    found = {}
    if not os.path.exists(path):
        return found
    with open(path) as f:
        text = f.read()
    for line in text[:text.rfind("\n") + 1].splitlines():
        key = json.loads(line)["key"].split("/")
        what = (key[2], int(key[3]))
        found[what] = found.get(what, 0) + 1
    return found


def each_once(m, n, filters, path):
    found = keys(path)
    lost = [(f, i) for f in filters for i in range(n) if (f, i) not in found]
    twice = [what for what, times in found.items() if times > 1]
    check(not lost, "%d lost in %s: %s" % (len(lost), path, lost[:5]))
    check(not twice, "%d twice in %s: %s" % (len(twice), path, twice[:5]))


def wait_for_all(m, n, seconds=60):
    wait_for(lambda: len(keys(m.path("all.jsonl"))) >= 2 * n and
             len(keys(m.path("some.jsonl"))) >= n, seconds, "all is sent")


def owner_and_standby_are_killed_in_turn():
    with Mesh("kill -9 of owner and standby") as m:
        rng = random.Random(SEED)
        n = 12000
        port = free_port()
        m.source(port, ["tom-notifier"], alerts=n, golden=True, rate=2500)
        for i in range(2):
            notifier(m, i, port)
        m.start()
        kills = 0
        while m.processes["source"].running() and kills < 100:
            time.sleep(rng.uniform(0.1, 0.7))
            m.processes["notifier%d" % rng.randrange(2)].restart()
            kills += 1
        check(m.processes["source"].wait(60) == 0, "source failed")
        found = outcomes(m.path("source.outcomes"))
        check(all(found.get(i) == 1 for i in range(n)), "not all settled")
        wait_for_all(m, n)
        each_once(m, n, ["everything", "here"], m.path("all.jsonl"))
        each_once(m, n, ["here"], m.path("some.jsonl"))
        print("     %d kills, seed %d" % (kills, SEED))
        m.drain()


def a_sink_that_is_down_holds_nobody():
    with Mesh("a sink that is down") as m:
        n = 3000
        port = free_port()
        m.source(port, ["tom-notifier"], alerts=n, golden=True)
        notifier(m, 0, port, sinks=[
            {"name": "all", "kind": "jsonl", "path": m.path("all.jsonl")},
            {"name": "some", "kind": "jsonl",
             "path": m.path("later/some.jsonl")}])
        m.start()
        check(m.processes["source"].wait(60) == 0, "source failed")
        process = m.processes["notifier0"]
        wait_for(lambda: len(keys(m.path("all.jsonl"))) == 2 * n, 10,
                 "the other sink has all")
        wait_for(lambda: process.metric('weft_sink_queue{sink="some"}') == n,
                 5, "its rows wait")
        wait_for(lambda: process.metric('weft_sink_open{sink="some"}') == 1, 5,
                 "open")
        wait_for(lambda: process.events("SINK-DOWN"), 5, "said so")
        process.restart()
        os.mkdir(m.path("later"))
        wait_for(lambda: len(keys(m.path("later/some.jsonl"))) == n, 60,
                 "sent at last")
        each_once(m, n, ["here"], m.path("later/some.jsonl"))
        print("     %.1f us/alert, %.1f MB" % (
            1e6 * process.cpu_seconds() / n, process.memory_mb()))
        m.drain()


def full_disks():
    """The disk of the outbox is full, then that of a sink: it is said what and
    where, alerts and rows wait, and each is sent once when there is room."""
    with Mesh("disks that are full") as m:
        n, port = 3000, free_port()
        try:
            disk = SmallDisk(m, 600000, "notifier0")
        except PermissionError:
            print("SKIP: full_disks: only root can mount a small disk")
            return
        with disk:
            m.source(port, ["tom-notifier"], alerts=n, golden=True)
            process = notifier(m, 0, port)
            process.config["service"]["data_dir"] = disk.path
            process.write()
            m.start()
            said(process, "OUTBOX-ERROR", "outbox.db: database or disk is full; alerts wait, nothing is lost, and "
                 "it is tried again: is there room on that disk, and may it be written to?")
            wait_for(lambda: "alerts wait" in process.http("/readyz")[1], 60, "readyz says that they wait")
            check(m.processes["source"].running(), "all was settled on a full disk")
            #  A small commit may still have found room: then it was over, and began anew.
            check(len(process.events("OUTBOX-ERROR")) <= 1 + len(process.events("OUTBOX-WELL")),
                  "it is said more than once")
            disk.resize(60000000)
            said(process, "OUTBOX-WELL")
            check(m.processes["source"].wait(60) == 0, "source failed")
            wait_for_all(m, n)
            each_once(m, n, ["everything", "here"], m.path("all.jsonl"))
            m.drain()


def full_disk_of_a_sink():
    with Mesh("the disk of a sink is full") as m:
        n, port = 1000, free_port()
        try:
            disk = SmallDisk(m, 100000, "notifier0")
        except PermissionError:
            print("SKIP: full_disk_of_a_sink: only root can mount a small disk")
            return
        with disk:
            m.source(port, ["tom-notifier"], alerts=n, golden=True)
            some = os.path.join(disk.path, "some.jsonl")
            process = notifier(m, 0, port, sinks=[
                {"name": "all", "kind": "jsonl", "path": m.path("all.jsonl")},
                {"name": "some", "kind": "jsonl", "path": some}])
            m.start()
            check(m.processes["source"].wait(60) == 0, "a full disk holds the stream")
            said(process, "SINK-DOWN", "No space left on device")
            wait_for(lambda: process.metric('weft_sink_queue{sink="some"}') > 0, 60, "its rows wait")
            disk.resize(60000000)
            wait_for(lambda: len(keys(some)) == n, 60, "all is sent")
            each_once(m, n, ["here"], some)
            m.drain()


def latency_is_short():
    with Mesh("from receipt to file") as m:
        #  Long enough that the median is not of those that waited for the link.
        n = 2000
        port = free_port()
        m.source(port, ["tom-notifier"], alerts=n, golden=True, rate=200)
        #  Whoever would wait for a beat took half of one in the middle.
        process = notifier(m, 0, port, beat_ms=4000)
        process.start()
        wait_for(lambda: process.events("STAGE-OWNER"), 5, "owner")
        m.processes["source"].start()
        check(m.processes["source"].wait(60) == 0, "source failed")
        with open(m.path("some.jsonl")) as f:
            ages = sorted(json.loads(line)["latency_s"] for line in f)
        #  The first ones wait for the link to be made.
        p50 = 1000 * ages[len(ages) // 2]
        print("     p50 %.2f ms, p90 %.2f ms; %.1f us/alert" % (
            p50, 1000 * ages[int(len(ages) * 0.9)],
            1e6 * process.cpu_seconds() / n))
        check(p50 < 1000, "p50 %.1f ms" % p50)
        m.drain()


if __name__ == "__main__":
    mesh.main([owner_and_standby_are_killed_in_turn,
               a_sink_that_is_down_holds_nobody, full_disks, full_disk_of_a_sink,
               latency_is_short])
