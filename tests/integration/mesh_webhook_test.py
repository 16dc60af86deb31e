#!/usr/bin/env python3
"""The webhook sink as processes: a nasty receiver, kills, a dead one beside it."""

import json
import os
import random
import sqlite3
import time

import mesh
from mesh import BUILD, Mesh, check, free_port, outcomes, wait_for
from receiver import NASTY, SECRET, Receiver

SEED = int(os.environ.get("WEFT_SEED", "0")) or random.randrange(1 << 31)
SECONDS = float(os.environ.get("WEFT_WEBHOOK_SECONDS", "6"))
RATE = int(os.environ.get("WEFT_WEBHOOK_RATE", "120"))


def hook(m, name, url, **more):
    path = m.path("secret")
    with open(path, "w") as f:
        f.write(SECRET + "\n")
    return dict({"name": name, "kind": "webhook", "url": url, "secret_file": path,
                 "parallel": 8, "timeout_ms": 1000, "connect_ms": 1000}, **more)


def notifier(m, number, port, sinks, filters=None):
    os.makedirs(m.path("data"), exist_ok=True)
    filters = filters or [
        {"name": "everything", "owner": "me", "sinks": [s["name"] for s in sinks],
         "conditions": [{"name": "always", "sql": "1"}]},
        {"name": "here", "owner": "me", "sinks": [sinks[0]["name"]],
         "conditions": [{"name": "survey", "sql": "survey = 'ztf'"}]}]
    return m.add("notifier%d" % number, os.path.join(BUILD, "bin", "weft-tom-notifier"), {
        "service": {"data_dir": m.path("data")},
        "link": {"upstreams": ["127.0.0.1:%d" % port], "beat_ms": 100},
        "http": {"address": "127.0.0.1:%d" % free_port()},
        "options": {"filters": filters, "sinks": sinks}})


def rows(m, sql):
    with sqlite3.connect("file:%s?mode=ro" % m.path("data/outbox.db"), uri=True,
                         timeout=30) as db:
        return db.execute(sql).fetchall()


def expected(n):
    """(filter, alert) of every row of the first sink."""
    return {(f, i) for f in ("everything", "here") for i in range(n)}


def seen(receiver):
    found = set()
    for key in receiver.keys():
        parts = key.split("/")
        found.add((parts[2], int(parts[3])))
    return found


def wait_while_it_moves(receiver, wanted, what):
    """A backlog of minutes takes its time; a minute without a new key is too long."""
    last = 0
    while not seen(receiver) >= wanted:
        before, last = last, len(receiver.keys())
        if last == before and last:
            wait_for(lambda: len(receiver.keys()) > last or seen(receiver) >= wanted, 60, what)
        time.sleep(0.2)


def a_nasty_receiver_and_kills():
    with Mesh("webhook, nasty receiver, kill -9") as m:
        rng = random.Random(SEED)
        receiver = Receiver(NASTY, SEED)
        port = free_port()
        m.source(port, ["tom-notifier"], alerts=1000000, golden=True, rate=RATE)
        for i in range(2):
            notifier(m, i, port, [hook(m, "hook", receiver.url)])
        m.start()
        kills, end = 0, time.monotonic() + SECONDS
        while time.monotonic() < end:
            time.sleep(rng.uniform(0.1, 1.2))
            m.processes["notifier%d" % rng.randrange(2)].restart()
            kills += 1
        n = m.intake_ends()
        found = outcomes(m.path("source.outcomes"))
        check(all(found.get(i) == 1 for i in range(n)), "not all settled")
        wait_while_it_moves(receiver, expected(n), "nothing is missing")
        wait_for(lambda: not rows(m, "SELECT 1 FROM outbox WHERE state != 'done' LIMIT 1"),
                 60, "all rows are done")
        check(not receiver.wrong, "wrong: %s" % receiver.wrong[:3])
        count = rows(m, "SELECT count(*), count(DISTINCT key) FROM outbox")[0]
        check(count[0] == count[1] == len(seen(receiver)), "rows %s" % (count,))
        print("     %d alerts, %d keys, each in the outbox once; %d kills; resent %d; %s; seed %d"
              % (n, len(expected(n)), kills, receiver.resent(), receiver.said, SEED))
        m.drain()
        receiver.close()


def a_sink_that_is_down_holds_nobody():
    with Mesh("webhook, one sink down") as m:
        n, port = 400, free_port()
        up, slow, nobody = Receiver(), Receiver({"late": 1}, late_s=300), free_port()
        m.source(port, ["tom-notifier"], alerts=n, golden=True)
        process = notifier(m, 0, port, [
            hook(m, "up", up.url), hook(m, "slow", slow.url, timeout_ms=600000),
            hook(m, "down", "http://127.0.0.1:%d/" % nobody),
            {"name": "file", "kind": "jsonl", "path": m.path("file.jsonl")}])
        m.start()
        check(m.processes["source"].wait(60) == 0, "source failed")
        wait_for(lambda: seen(up) == expected(n), 60, "the good one has all")
        with open(m.path("file.jsonl")) as f:
            check(len(f.readlines()) == n, "the file has all")
        wait_for(lambda: process.metric('weft_sink_open{sink="down"}') == 1, 30, "open")
        check(process.events("SINK-DOWN"), "said so")
        wait_for(lambda: process.metric('weft_sink_queue{sink="slow"}') == n, 30, "the slow one's wait")
        #  What is under way at the end is in doubt, the rest was never sent.
        m.drain()
        states = dict(rows(m, "SELECT state, count(*) FROM outbox WHERE sink = 'slow'"
                              " GROUP BY state"))
        check(set(states) <= {"verify", "queued"} and 1 <= states["verify"] <= 8,
              "states %s" % states)
        check(not rows(m, "SELECT 1 FROM outbox WHERE sink = 'down' AND attempts > 0"),
              "an attempt that reached nobody counts")
        for receiver in (up, slow):
            check(not receiver.wrong, "wrong: %s" % receiver.wrong[:3])


def a_row_that_is_refused_is_dead():
    with Mesh("webhook, a row refused") as m:
        n, port = 40, free_port()
        receiver = Receiver({"bad": 1})
        old = receiver.take

        def take(request):
            if "everything" in request.headers["Idempotency-Key"]:
                request.rfile.read(int(request.headers["Content-Length"]))
                request.send_response(422)
                request.send_header("Content-Length", "9")
                request.end_headers()
                request.wfile.write(b"no such\nx")
            else:
                old(request)

        receiver.take = take
        m.source(port, ["tom-notifier"], alerts=n, golden=True)
        notifier(m, 0, port, [hook(m, "hook", receiver.url)])
        m.start()
        check(m.processes["source"].wait(60) == 0, "source failed")
        wait_for(lambda: not rows(m, "SELECT 1 FROM outbox WHERE state NOT IN"
                                     " ('done', 'dead') LIMIT 1"), 60, "all ended")
        dead = rows(m, "SELECT last_status, last_body, count(*) FROM outbox"
                       " WHERE state = 'dead' GROUP BY 1, 2")
        check(dead == [(422, "no such x", n)], json.dumps(dead))
        m.drain()


def retry_after_is_kept():
    with Mesh("webhook, Retry-After") as m:
        port = free_port()
        receiver, when = Receiver(), []

        def choose():
            when.append(time.monotonic())
            return "full" if len(when) <= 2 else "good"

        receiver.choose = choose
        m.source(port, ["tom-notifier"], alerts=20, golden=True)
        notifier(m, 0, port, [hook(m, "hook", receiver.url, parallel=1)])
        m.start()
        wait_for(lambda: seen(receiver) == expected(20), 60, "all are sent")
        gaps = [b - a for a, b in zip(when, when[1:3])]
        check(min(gaps) >= 0.95, "asked for 1 s, waited %s" % gaps)
        m.drain()


if __name__ == "__main__":
    mesh.main([a_nasty_receiver_and_kills, a_sink_that_is_down_holds_nobody,
               a_row_that_is_refused_is_dead, retry_after_is_kept])
